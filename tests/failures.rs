//! What goes wrong with workers, providers, signals and demand, as an operator meets it, through the public API.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::std_instead_of_core,
    reason = "a test says loudly what is wrong"
)]

use std::time::Duration;

use plimsoll::config::{Backoff, Blind, Breaker, Cliff};
use plimsoll::policy::{Objective, Outpost, RunPod};
use plimsoll::provider::Measure;
use plimsoll::schedule::Interval;
use plimsoll::{
    Autoscaler, Command, Config, Decision, FailureCause, Observation, Policy, PoolCounts, Rate, Share, Timestamp,
    WorkerEvent, WorkerId,
};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

const fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

const fn start(count: u32) -> Command {
    Command::Start { count }
}

const fn stop(id: u64) -> Command {
    Command::Stop { id: WorkerId(id), to_standby: false, cut_off: false }
}

const fn revive(id: u64) -> Command {
    Command::Revive { id: WorkerId(id) }
}

/// An autoscaler and the clock on the wall.
#[derive(Clone)]
struct Service {
    autoscaler: Autoscaler,
    millis: u64,
}

impl Service {
    fn new(config: Config) -> Self {
        Self { autoscaler: Autoscaler::new(config, at(0)), millis: 0 }
    }

    /// At `secs` on the clock.
    const fn at(&mut self, secs: u64) -> &mut Self {
        self.millis = secs * 1_000;
        self
    }

    fn tell(&mut self, observation: Observation) -> &mut Self {
        self.autoscaler.observe(at(self.millis), observation).unwrap();
        self
    }

    fn worker(&mut self, id: u64, event: WorkerEvent) -> &mut Self {
        self.tell(Observation::worker(WorkerId(id), event))
    }

    fn workers(&mut self, ids: impl IntoIterator<Item = u64>, event: WorkerEvent) -> &mut Self {
        for id in ids {
            self.worker(id, event);
        }
        self
    }

    fn pool(&mut self, ready: u32, starting: u32) -> &mut Self {
        self.tell(Observation::Pool(PoolCounts { ready, starting, ..PoolCounts::default() }))
    }

    fn wanted(&mut self, workers: u32) -> &mut Self {
        self.tell(Observation::Proposal { workers, valid_for: None })
    }

    fn start_fails(&mut self, count: u32, cause: FailureCause) -> &mut Self {
        self.tell(Observation::StartFailed { count, cause })
    }

    fn requests(&mut self, queued: u32, in_flight: u32) -> &mut Self {
        self.tell(Observation::queue(queued, None)).tell(Observation::in_flight(in_flight))
    }

    fn decide(&mut self) -> Decision {
        self.autoscaler.decide(at(self.millis))
    }

    fn commands(&mut self) -> Vec<Command> {
        self.decide().commands
    }

    fn line(&mut self) -> String {
        self.decide().to_string()
    }

    /// Everything commanded up to `secs`, each with its instant, by asking at every wake-up and never else.
    fn commands_until(&mut self, secs: u64) -> Vec<(Timestamp, Command)> {
        let mut given = vec![];
        while let Some(now) = self.autoscaler.next_wakeup().filter(|wakeup| *wakeup <= at(secs * 1_000)) {
            let commands = self.autoscaler.decide(now).commands;
            given.extend(commands.into_iter().map(|command| (now, command)));
        }
        self.at(secs);
        given
    }

    fn events(&self) -> Vec<String> {
        self.autoscaler.events().map(ToString::to_string).collect()
    }
}

/// As many workers as somebody outside wants.
fn told(max: u32) -> Config {
    Config::new(Policy::External, 0, max).unwrap().with_down_delay(Duration::ZERO).unwrap()
}

/// A worker per request, and none of them is given up before five minutes.
fn per_request(max: u32) -> Config {
    Config::new(Policy::RunPod(RunPod::request_count(1)), 0, max).unwrap()
}

/// A service that wants `workers` and has ordered them at the first second.
fn ordered(config: Config, workers: u32) -> Service {
    let mut service = Service::new(config);
    assert_eq!(service.at(1).wanted(workers).commands(), [start(workers)]);
    service
}

// Starts that hang ------------------------------------------------------------------------------------------------

#[test]
fn a_worker_that_is_not_ready_in_time_has_failed_and_is_replaced_after_the_back_off() {
    let mut service = ordered(told(5), 2);
    service.at(2).workers(1..=2, WorkerEvent::Ordered);
    service.at(10).worker(1, WorkerEvent::Ready);
    assert_eq!(service.commands_until(601), []);
    // Ten minutes after it was ordered.
    let decision = service.at(602).decide();
    assert_eq!(decision.commands, [stop(2)]);
    assert!(decision.to_string().ends_with("; the last start took too long, next try in 8.3 s"), "{decision}");
    let status = service.autoscaler.status();
    assert_eq!((status.replicas.starting, status.replicas.overdue, status.committed), (0, 1, 1));
    assert_eq!((status.failures, status.last_failure), (1, Some(FailureCause::Timeout)));
    assert_eq!(service.line(), "2: 2 proposed from outside; the last start took too long, next try in 8.3 s");
    // Told once, and again after the order timeout; one stuck worker blocks nothing else.
    let retry = service.autoscaler.status().trouble.unwrap().at;
    assert_eq!(service.commands_until(611), [(retry, start(1))]);
    service.worker(3, WorkerEvent::Ordered).at(620).worker(3, WorkerEvent::Ready);
    assert_eq!(service.commands_until(700), [(at(662_000), stop(2))]);
    // It comes after all: it counts, and one of them is too many.
    service.worker(2, WorkerEvent::Ready);
    assert_eq!(service.autoscaler.status().committed, 3);
    assert_eq!(service.commands().len(), 1);
    assert_eq!((service.autoscaler.desired(), service.autoscaler.status().failures), (2, 1));
}

#[test]
fn a_hung_worker_that_the_platform_then_reports_as_failed_has_failed_once() {
    let mut service = ordered(told(5), 1);
    service.at(2).worker(1, WorkerEvent::Ordered).at(602).decide();
    let trouble = service.autoscaler.status().trouble;
    service.worker(1, WorkerEvent::Failed(FailureCause::Timeout));
    assert_eq!((service.autoscaler.status().failures, service.autoscaler.status().trouble), (1, trouble));
}

/// Sixteen workers that took ten seconds each.
fn measured(config: Config) -> Service {
    let mut service = Service::new(config);
    service.at(1).wanted(16).commands();
    service.workers(1..=16, WorkerEvent::Ordered).at(11).workers(1..=16, WorkerEvent::Ready);
    service
}

#[test]
fn after_sixteen_measured_starts_the_deadline_is_four_times_the_slowest_within_its_limits() {
    let deadline = |config| measured(config).autoscaler.status().starts.deadline;
    assert_eq!(deadline(told(40).with_order_timeout(20 * SECOND).unwrap()), 40 * SECOND);
    assert_eq!(deadline(told(40)), 60 * SECOND, "at least the order timeout");
    assert_eq!(deadline(told(40).with_start_timeout(30 * SECOND).unwrap()), 30 * SECOND, "at most what is configured");
    let mut few = ordered(told(40), 15);
    few.workers(1..=15, WorkerEvent::Ordered).at(11).workers(1..=15, WorkerEvent::Ready);
    assert_eq!(few.autoscaler.status().starts.deadline, 600 * SECOND);
}

#[test]
fn starts_that_have_become_slower_than_the_learned_deadline_get_through_in_the_end() {
    // An image that takes three minutes where the last one took ten seconds.
    let mut service = measured(told(40).with_order_timeout(10 * SECOND).unwrap());
    service.at(20).wanted(17);
    let (mut id, mut starting) = (17, vec![]);
    for secs in 20..1_800 {
        for command in service.at(secs).commands() {
            match command {
                Command::Start { .. } => {
                    service.worker(id, WorkerEvent::Ordered);
                    starting.push((id, secs + 180));
                    id += 1;
                }
                Command::Stop { id, .. } => {
                    starting.retain(|(other, _)| *other != id.0);
                    service.worker(id.0, WorkerEvent::Gone);
                }
                other => panic!("{other:?}"),
            }
        }
        for (id, _) in starting.iter().filter(|(_, ready)| *ready == secs) {
            service.worker(*id, WorkerEvent::Ready);
        }
    }
    assert_eq!((service.autoscaler.status().replicas.ready, id), (17, 20), "at the third try");
}

#[test]
fn a_pool_that_reports_counts_gives_up_hung_starts_too_and_has_nobody_to_stop() {
    let mut service = ordered(told(5), 2);
    service.at(2).pool(0, 2).at(10).pool(1, 1);
    let decision = service.at(602).decide();
    assert_eq!((decision.desired, decision.commands), (2, vec![]));
    let status = service.autoscaler.status();
    assert_eq!((status.committed, status.replicas.starting, status.replicas.overdue), (1, 1, 1));
    let retry = status.trouble.unwrap().at;
    assert_eq!((service.autoscaler.next_wakeup(), service.commands_until(611)), (Some(retry), vec![(retry, start(1))]));
    service.pool(1, 2).at(620).pool(1, 2);
    // The oldest is taken to be the one that comes; then there is one too many.
    service.at(630).pool(2, 1);
    assert_eq!(service.commands(), [Command::Release { count: 1 }]);
    assert_eq!((service.autoscaler.desired(), service.events().len()), (2, 1));
}

// Starts that fail ------------------------------------------------------------------------------------------------

/// The waits between orders while every start fails with `cause`.
fn waits(config: Config, cause: FailureCause, orders: usize) -> Vec<Duration> {
    let (mut service, mut waits, mut last) = (ordered(config, 1), vec![], at(1_000));
    while waits.len() < orders {
        service.autoscaler.observe(last, Observation::StartFailed { count: 1, cause }).unwrap();
        let retry = service.autoscaler.status().trouble.unwrap().at;
        // The instant is named, nothing is ordered before it, and then it is.
        while let Some(wakeup) = service.autoscaler.next_wakeup().filter(|wakeup| *wakeup < retry) {
            assert_eq!(service.autoscaler.decide(wakeup).commands, []);
        }
        assert_eq!(service.autoscaler.next_wakeup(), Some(retry));
        let decision = service.autoscaler.decide(retry);
        assert_eq!((decision.desired, decision.commands), (1, vec![start(1)]));
        waits.push(retry.saturating_since(last));
        last = retry;
    }
    waits
}

#[test]
fn failing_starts_are_repeated_after_waits_that_double_and_are_spread_by_the_seed() {
    let seeded = |seed| told(5).with_backoff(Backoff::default().with_seed(seed)).unwrap();
    let first = waits(seeded(1), FailureCause::StockOut, 8);
    for (waited, whole) in first.iter().zip([10, 20, 40, 80, 160, 300, 300, 300]) {
        let whole = Duration::from_secs(whole);
        assert!(*waited <= whole && *waited >= whole * 3 / 4, "{waited:?} of {whole:?}");
    }
    assert_eq!(first, waits(seeded(1), FailureCause::StockOut, 8), "the same seed, the same instants");
    assert_ne!(first, waits(seeded(2), FailureCause::StockOut, 8), "another service comes at other instants");
}

#[test]
fn a_failed_start_keeps_the_demand_and_says_why_nothing_is_ordered() {
    for by_id in [true, false] {
        let mut service = ordered(told(5), 1);
        if by_id {
            service.worker(1, WorkerEvent::Ordered).worker(1, WorkerEvent::Failed(FailureCause::Quota));
        } else {
            service.start_fails(1, FailureCause::Quota);
        }
        let decision = service.at(2).decide();
        assert_eq!((decision.desired, &decision.commands), (1, &vec![]));
        let trouble = decision.explanation.trouble.unwrap();
        assert_eq!((trouble.cause, trouble.measure), (FailureCause::Quota, Measure::BackOff));
        assert_eq!(decision.next_wakeup, Some(trouble.at));
        let line = "1: 1 proposed from outside; the last start exceeded the quota, next try in 8.9 s";
        assert_eq!(decision.to_string(), line);
        service.at(5).wanted(3);
        assert_eq!((service.decide().desired, service.commands_until(30)), (3, vec![(trouble.at, start(3))]));
    }
}

#[test]
fn a_start_that_succeeds_after_the_wait_resets_it_and_every_cause_waits_on_its_own() {
    let mut service = ordered(told(5), 1);
    let wait = |service: &mut Service, cause| {
        let now = at(service.millis);
        service.start_fails(1, cause).decide().explanation.trouble.unwrap().at.saturating_since(now)
    };
    assert!(wait(&mut service, FailureCause::StockOut) <= 10 * SECOND);
    service.commands_until(12);
    assert!(wait(&mut service, FailureCause::StockOut) >= 15 * SECOND, "the second in a row");
    service.commands_until(40);
    assert!(wait(&mut service, FailureCause::Quota) <= 10 * SECOND, "another cause begins with the first wait");
    service.commands_until(60);
    service.worker(1, WorkerEvent::Ordered).at(70).worker(1, WorkerEvent::Ready);
    assert_eq!(service.autoscaler.status().trouble, None);
    service.at(80).wanted(2).commands();
    assert!(wait(&mut service, FailureCause::StockOut) <= 10 * SECOND, "reset");
}

/// A service that wants three workers and whose breaker has opened at its first second, for a minute.
fn broken() -> Service {
    let mut service = ordered(told(9), 3);
    for cause in FailureCause::ALL {
        service.start_fails(1, cause);
    }
    service
}

#[test]
fn the_breaker_opens_at_its_failures_and_lets_one_worker_through_as_a_probe() {
    let mut service = broken();
    service.at(2);
    assert_eq!(service.line(), "3: 3 proposed from outside; breaker open for 59 s, the last start was preempted");
    assert_eq!(service.commands_until(600), [(at(61_000), start(1))], "nothing before, and one");
    let line = "3: 3 proposed from outside; the last start was preempted, one worker at a time is tried";
    assert_eq!(service.line(), line);
    // Ten minutes without an answer: it is lost.
    assert_eq!(service.commands_until(700), [(at(661_000), start(1))]);
    // Whether or not the platform says `Ordered` first.
    for events in [&[WorkerEvent::Ordered, WorkerEvent::Ready][..], &[WorkerEvent::Ready]] {
        let mut service = service.clone();
        for event in events {
            service.worker(1, *event);
        }
        let decision = service.decide();
        // The two that are missing, and one more since some of those before did not start.
        assert_eq!((decision.commands, decision.explanation.trouble), (vec![start(3)], None), "{events:?}");
    }
    service.worker(1, WorkerEvent::Ordered).worker(1, WorkerEvent::Failed(FailureCause::Crash));
    assert!(service.line().ends_with("; breaker open for 60 s, the last start crashed"), "{}", service.line());
    assert_eq!(service.commands_until(800), [(at(760_000), start(1))]);
}

#[test]
fn a_probe_that_is_needed_late_is_one_probe() {
    let mut service = broken();
    service.wanted(0).decide();
    service.at(660).wanted(3);
    assert_eq!(service.commands(), [start(1)]);
    assert_eq!(service.commands_until(1_300), [(at(1_260_000), start(1))], "ten minutes later");
}

#[test]
fn failures_far_apart_do_not_open_the_breaker() {
    let config = told(9).with_breaker(Breaker::new(3, MINUTE, 2 * MINUTE)).unwrap();
    let mut service = ordered(config, 1);
    for secs in [100, 130, 160] {
        service.at(secs).start_fails(1, FailureCause::Crash).decide();
        assert_ne!(service.autoscaler.status().trouble.unwrap().measure, Measure::Open, "{secs}");
    }
    service.at(165).start_fails(1, FailureCause::Crash);
    assert!(service.line().contains("breaker open for 2 min"), "{}", service.line());
}

#[test]
fn where_some_workers_crash_more_are_ordered_and_the_count_stays_what_it_is() {
    let orders = |cause, max, wanted: u32| {
        let mut service = ordered(told(max), wanted);
        service.workers(1..=4, WorkerEvent::Ordered).workers(1..=4, WorkerEvent::Failed(cause));
        service.tell(Observation::StartFailed { count: wanted - 4, cause: FailureCause::Quota });
        let (_, order) =
            service.commands_until(120).into_iter().find(|(_, c)| matches!(c, Command::Start { .. })).unwrap();
        let Command::Start { count } = order else { panic!("{order:?}") };
        service.at(121).workers(10..10 + u64::from(count), WorkerEvent::Ordered);
        assert_eq!((service.autoscaler.desired(), service.events().len()), (wanted, 1), "{:?}", service.events());
        assert_eq!(service.commands(), []);
        // All of them come after all: the surplus goes.
        service.at(130).workers(10..10 + u64::from(count), WorkerEvent::Ready);
        assert_eq!(service.autoscaler.desired(), wanted);
        assert_eq!(service.commands().len(), (count - wanted) as usize);
        count
    };
    assert_eq!(orders(FailureCause::Crash, 20, 4), 7, "four in ten start");
    assert_eq!(orders(FailureCause::Crash, 5, 4), 5, "never above max");
    assert_eq!(orders(FailureCause::Quota, 20, 4), 4, "to ask for more would not help");
    assert_eq!(orders(FailureCause::StockOut, 20, 4), 4);
}

#[test]
fn standby_workers_that_fail_to_load_are_backed_off_too() {
    let mut service = Service::new(per_request(5).with_standby(1));
    assert_eq!(service.commands(), [Command::Prewarm { count: 1 }]);
    service.at(1).worker(1, WorkerEvent::Prewarming).worker(1, WorkerEvent::Failed(FailureCause::StockOut));
    assert_eq!(service.commands(), []);
    let retry = service.autoscaler.status().trouble.unwrap().at;
    assert_eq!(service.commands_until(20), [(retry, Command::Prewarm { count: 1 })]);
}

// Workers that fail, vanish and appear ----------------------------------------------------------------------------

#[test]
fn a_ready_worker_that_fails_is_replaced_at_once() {
    let failed = |cause| {
        let mut service = Service::new(Config::fixed(3).unwrap());
        service.commands();
        service.at(1).workers(1..=3, WorkerEvent::Ready).at(100).worker(2, WorkerEvent::Failed(cause));
        (service.commands(), service.autoscaler.status().trouble)
    };
    for cause in FailureCause::ALL {
        assert_eq!(failed(cause), (vec![start(1)], None));
    }
    let mut counted = Service::new(Config::fixed(3).unwrap());
    counted.commands();
    counted.at(1).pool(3, 0).at(100);
    counted.tell(Observation::Pool(PoolCounts { ready: 2, failed: 1, ..PoolCounts::default() }));
    assert_eq!((counted.commands(), counted.autoscaler.status().trouble), (vec![start(1)], None));
    // The replacement does not start: that is another matter.
    counted.at(101).tell(Observation::Pool(PoolCounts { ready: 2, starting: 1, failed: 1, ..PoolCounts::default() }));
    counted.at(102).tell(Observation::Pool(PoolCounts { ready: 2, failed: 2, ..PoolCounts::default() }));
    assert_eq!((counted.commands(), counted.autoscaler.status().failures), (vec![], 2));
    assert!(counted.line().contains("the last start crashed, next try in "), "{}", counted.line());
}

#[test]
fn workers_that_vanish_are_replaced_and_an_event_says_so() {
    let line = "3: workers failed or vanished that were not told to go; they are replaced";
    let mut service = Service::new(Config::fixed(3).unwrap());
    service.commands();
    service.at(1).workers(1..=3, WorkerEvent::Ready).at(100).workers(1..=2, WorkerEvent::Gone);
    assert_eq!((service.commands(), service.events()), (vec![start(2)], vec![line.to_owned()]));
    let mut counted = Service::new(Config::fixed(3).unwrap());
    counted.commands();
    counted.at(1).pool(3, 0).at(100).pool(1, 0);
    assert_eq!((counted.commands(), counted.events()), (vec![start(2)], vec![line.to_owned()]));
}

#[test]
fn a_pool_resized_by_somebody_else_is_taken_over_upwards_and_restored_downwards() {
    let adopted = "2 → 4: workers appeared that were not ordered";
    let config = || told(5).with_down_delay(MINUTE).unwrap();
    let mut service = ordered(config(), 2);
    service.at(2).pool(2, 0).at(100).pool(4, 0);
    assert_eq!((service.autoscaler.desired(), service.events().last().unwrap().as_str()), (4, adopted));
    assert_eq!(service.commands_until(170), [(at(160_000), Command::Release { count: 2 })], "as any others");
    service.pool(2, 0).at(400).pool(1, 0);
    assert_eq!(service.commands(), [start(1)]);
    service.at(401).pool(1, 1).at(410).pool(2, 0);
    assert_eq!((service.commands_until(4_000), service.autoscaler.desired()), (vec![], 2), "nothing is stuck");

    let mut service = ordered(config(), 2);
    service.at(2).workers(1..=2, WorkerEvent::Ready).at(100).workers(11..=12, WorkerEvent::Ready);
    service.workers([1, 2, 11, 12], WorkerEvent::Idle);
    assert_eq!(service.autoscaler.desired(), 4);
    let stops = service.commands_until(160);
    assert_eq!(stops.len(), 2, "{stops:?}");
    for (_, command) in stops {
        let Command::Stop { id, .. } = command else { panic!("{command:?}") };
        service.worker(id.0, WorkerEvent::Gone);
    }
    assert_eq!((service.commands_until(4_000), service.autoscaler.status().committed), (vec![], 2));
}

// Drains and leases -----------------------------------------------------------------------------------------------

/// Two workers of two, both busy, one of them no longer wanted from the hundredth second on.
fn leaving() -> Service {
    let mut service = ordered(told(5), 2);
    service.at(2).workers(1..=2, WorkerEvent::Ready).workers(1..=2, WorkerEvent::Busy(1)).at(100).wanted(1);
    service
}

#[test]
fn a_draining_worker_is_no_capacity_is_revived_before_a_start_and_is_cut_off_past_its_deadline() {
    let mut service = leaving();
    assert_eq!(service.commands(), [Command::Drain { id: WorkerId(1) }]);
    service.at(101).worker(1, WorkerEvent::Draining);
    assert_eq!(service.autoscaler.status().committed, 1);
    let mut again = service.clone();
    assert_eq!(again.at(110).wanted(3).commands(), [revive(1), start(1)]);
    let cut_off = Command::Stop { id: WorkerId(1), to_standby: false, cut_off: true };
    assert_eq!(service.commands_until(410), [(at(401_000), cut_off)]);
}

#[test]
fn a_leased_worker_is_never_stopped_before_its_lease_ends_and_is_idle_from_then_on() {
    let lease = || {
        let mut service = ordered(told(5).with_idle_timeout(30 * SECOND).unwrap(), 2);
        service.at(2).workers(1..=2, WorkerEvent::Ready).worker(1, WorkerEvent::Leased(10 * MINUTE));
        service
    };
    let mut service = lease();
    service.at(100).wanted(1);
    // The other one is of unknown load, which counts as busy.
    assert_eq!(service.commands_until(631), []);
    let decision = service.at(632).decide();
    assert_eq!(decision.commands, [stop(1)], "idle since the lease ended at 602 s");
    assert!(decision.to_string().ends_with("; stops w1 (not ready, or idle for 30 s)"), "{decision}");

    // Drained, where busy workers are: longer than the drain's own deadline.
    let mut drained = leaving();
    drained.workers(1..=2, WorkerEvent::Leased(60 * MINUTE));
    assert_eq!(drained.commands(), [Command::Drain { id: WorkerId(1) }]);
    drained.at(101).worker(1, WorkerEvent::Draining);
    let cut_off = Command::Stop { id: WorkerId(1), to_standby: false, cut_off: true };
    assert_eq!(drained.commands_until(4_001), [(at(4_000_000), cut_off)], "lease and drain timeout");
}

// To zero and back ------------------------------------------------------------------------------------------------

/// One worker that served one request and has just been told to stop for its idleness.
fn going_to_zero() -> Service {
    let config = per_request(5).with_to_zero_delay(MINUTE).unwrap().with_idle_timeout(30 * SECOND).unwrap();
    let mut service = Service::new(config);
    service.at(1).tell(Observation::arrived(1));
    assert_eq!(service.commands(), [start(1)]);
    service.worker(1, WorkerEvent::Ordered).at(2).worker(1, WorkerEvent::Ready);
    service.tell(Observation::started(SECOND)).worker(1, WorkerEvent::Busy(1));
    service.at(4).tell(Observation::finished(2 * SECOND)).worker(1, WorkerEvent::Idle);
    let decision = service.at(64).decide();
    assert_eq!(decision.commands, [stop(1)]);
    assert_eq!(decision.to_string(), "1 → 0: no request for 60 s; stops w1 (not ready, or idle for 30 s)");
    service
}

#[test]
fn a_request_that_comes_while_the_last_worker_is_being_stopped_keeps_that_worker() {
    let mut service = going_to_zero();
    service.at(65).tell(Observation::arrived(1));
    assert_eq!(service.commands(), [revive(1)], "and no second one");
    let mut kept = service.clone();
    kept.worker(1, WorkerEvent::Busy(1)).tell(Observation::started(SECOND));
    assert_eq!((kept.commands(), kept.autoscaler.status().committed), (vec![], 1));
    // It was too late.
    service.at(66).worker(1, WorkerEvent::Gone);
    assert_eq!(service.commands(), [start(1)]);
}

#[test]
fn a_request_that_comes_after_the_last_worker_has_gone_starts_one_at_once() {
    let mut service = going_to_zero();
    service.at(65).worker(1, WorkerEvent::Gone);
    assert_eq!(service.commands(), []);
    service.at(66).tell(Observation::arrived(1));
    assert_eq!(service.line(), "0 → 1: 1 request waits and there is no worker; wakes from zero at once");
    assert_eq!(service.events().len(), 3, "{:?}", service.events());
}

#[test]
fn the_sequence_grows_with_what_is_observed_and_with_time_and_never_by_asking() {
    let mut service = ordered(per_request(5), 1);
    let sequence = |service: &mut Service| service.decide().sequence;
    let before = sequence(&mut service);
    assert_eq!(sequence(&mut service), before, "asked again");
    assert_eq!(sequence(service.tell(Observation::arrived(0))), before + 1);
    let unknown = Observation::worker(WorkerId(9), WorkerEvent::Gone);
    assert!(service.autoscaler.observe(at(1_000), unknown).is_err());
    assert_eq!(sequence(&mut service), before + 1, "refused");
    let wakeup = service.autoscaler.next_wakeup().unwrap();
    assert_eq!(service.autoscaler.decide(Timestamp::from_nanos(wakeup.as_nanos() - 1)).sequence, before + 1);
    assert_eq!(service.autoscaler.decide(wakeup).sequence, before + 2, "something changes by time");
}

// A queue beside idle workers -------------------------------------------------------------------------------------

#[test]
fn a_queue_beside_idle_workers_is_the_routers_and_orders_nobody_until_the_slots_fill() {
    let mut service = Service::new(per_request(9));
    service.at(1).pool(4, 0).requests(3, 0);
    service.at(100).pool(4, 0).requests(3, 0).tell(Observation::queue(3, Some(5 * SECOND)));
    let decision = service.decide();
    assert!(decision.explanation.signals.surplus);
    assert!(decision.to_string().ends_with("; 3 requests wait beside idle workers: look at the router"), "{decision}");
    // Two hang in requests that take for ever: six in the system, and two slots for three that wait.
    service.at(101).tell(Observation::in_flight(1));
    assert_eq!((service.decide().desired, service.decide().explanation.signals.surplus), (4, true));
    service.at(102).tell(Observation::in_flight(2));
    let line = "4 → 5: 5 in the system at 1 per worker wants 5";
    assert_eq!(service.line(), line);

    // With three requests to a worker and a target of one, a queue that the slots could take wants more workers.
    let roomy = || Config::new(Policy::RunPod(RunPod::request_count(1)), 0, 9).unwrap().with_concurrency(3).unwrap();
    let mut service = Service::new(roomy());
    service.at(1).pool(2, 0).requests(0, 0);
    service.at(100).tell(Observation::in_flight(0)).tell(Observation::queue(5, Some(5 * SECOND)));
    let line = "held at 2 by the idle workers beside the queue; wants 5: 5 in the system at 1 per worker wants 5; \
                5 requests wait beside idle workers: look at the router";
    assert_eq!(service.line(), line);
    service.at(101).tell(Observation::in_flight(2));
    assert_eq!(service.line(), "2 → 7: 7 in the system at 1 per worker wants 7");
}

// Blindness -------------------------------------------------------------------------------------------------------

/// Six workers at five requests in flight, whose gauges then fall silent at the 200th second.
fn silent(blind: Blind) -> Service {
    let mut service = Service::new(per_request(20).with_blind(blind).unwrap());
    service.at(1).pool(6, 0);
    for secs in (10..=200).step_by(10) {
        service.at(secs).requests(0, 6).decide();
    }
    service.requests(0, 3).at(260);
    service
}

#[test]
fn while_a_gauge_is_silent_the_count_never_falls_and_the_gap_is_no_zero_traffic() {
    for blind in [Blind::Hold, Blind::GrowOnly, Blind::Floor(3), Blind::LastPeak(60 * MINUTE)] {
        let mut service = silent(blind);
        let decision = service.decide();
        assert!(decision.explanation.signals.stale, "{blind:?}");
        assert_eq!(decision.to_string(), "6: stale or missing: queue depth, in flight", "{blind:?}");
        assert_eq!((service.commands_until(7_200), service.autoscaler.desired()), (vec![], 6), "{blind:?}");
        // Back again: the down delay begins then.
        service.requests(0, 3);
        let line = "held at 6 by the down delay until +5 min; wants 3: 3 in the system at 1 per worker wants 3";
        assert_eq!(service.line(), line, "{blind:?}");
    }
}

#[test]
fn what_a_blind_service_may_grow_to_is_for_its_policy_to_say() {
    let grown = |blind| {
        let mut service = silent(blind);
        // Half of what the rule needs to know comes back, and it is much.
        service.decide();
        service.at(300).tell(Observation::queue(9, None));
        (service.decide().desired, service.line())
    };
    assert_eq!(grown(Blind::Hold).0, 6);
    assert_eq!(grown(Blind::GrowOnly).0, 9);
    // Before anything has been observed everything is missing.
    let mut floor = Service::new(per_request(20).with_blind(Blind::Floor(8)).unwrap());
    let line = "0 → 8: nothing observed yet; wakes from zero at once; at least 8 while a signal is missing or stale";
    assert_eq!(floor.line(), line);
    let mut peak = Service::new(per_request(20).with_blind(Blind::LastPeak(60 * MINUTE)).unwrap());
    peak.at(1).pool(8, 0);
    for secs in (10..=600).step_by(10) {
        peak.at(secs).requests(0, if secs < 200 { 8 } else { 2 }).decide();
    }
    assert_eq!(peak.autoscaler.desired(), 2);
    assert_eq!(peak.at(660).decide().desired, 8, "as many as within the hour");
}

#[test]
fn until_a_full_window_since_the_start_the_count_only_grows() {
    let mut service = Service::new(told(9));
    service.at(1).pool(4, 0).wanted(1);
    let line = "held at 4 by freshness (the window since the start is full in 59 s); wants 1: 1 proposed from outside";
    assert_eq!(service.line(), line);
    assert_eq!(service.at(2).wanted(5).decide().desired, 5);
    service.wanted(1).at(60);
    assert_eq!(service.line(), "5 → 1: 1 proposed from outside");
}

// Cliffs ----------------------------------------------------------------------------------------------------------

/// Ten requests in flight until the 200th second, then one.
fn fallen(cliff: Option<Cliff>) -> Service {
    let config = per_request(20);
    let mut service =
        Service::new(cliff.map_or_else(|| config.clone(), |cliff| config.clone().with_cliff(cliff).unwrap()));
    service.at(1).pool(10, 0);
    for secs in (10..=200).step_by(10) {
        service.at(secs).requests(0, 10).decide();
    }
    service.requests(0, 1);
    service
}

fn cliff() -> Cliff {
    Cliff::new(Share::new(0.8).unwrap(), MINUTE, 15 * MINUTE)
}

/// Every change until `secs` with one request in flight.
fn shrinks(service: &mut Service, secs: u64) -> Option<u64> {
    let begin = service.millis / 1_000;
    (begin..secs).step_by(10).find(|now| service.at(*now).requests(0, 1).decide().desired < 10)
}

#[test]
fn a_fall_of_demand_that_is_too_steep_makes_the_down_delay_longer() {
    assert_eq!(shrinks(&mut fallen(None), 2_000), Some(500), "off unless configured");
    let mut service = fallen(Some(cliff()));
    let line = "held at 10 by the down delay until +15 min; wants 1: 1 in the system at 1 per worker wants 1; \
                demand fell off a cliff 0 s ago";
    assert_eq!(service.line(), line);
    assert_eq!(shrinks(&mut service, 2_000), Some(1_100));
}

#[test]
fn a_cliff_ends_when_demand_is_back_and_is_not_forgotten_in_the_dark() {
    let mut service = fallen(Some(cliff()));
    service.at(260).requests(0, 9);
    assert!(!service.line().contains("cliff"), "{}", service.line());
    let mut service = fallen(Some(cliff()));
    service.at(300);
    assert!(service.line().ends_with("; demand fell off a cliff 100 s ago"), "{}", service.line());
    service.at(320);
    assert_eq!(shrinks(&mut service, 2_000), Some(1_100), "the silence was no demand that came back");
}

#[test]
fn a_verdict_of_codel_lapses_in_time_although_the_queue_gauge_has_gone_stale() {
    let policy = Outpost::new(Rate::per_second(1.0).unwrap());
    let config = Config::new(Policy::Outpost(policy), 0, 4).unwrap().with_freshness(5 * SECOND).unwrap();
    let mut service = Service::new(config);
    service.tell(Observation::started(SECOND)).at(1).tell(Observation::started(SECOND));
    service.pool(1, 0).tell(Observation::queue(1, Some(Duration::ZERO))).tell(Observation::in_flight(0));
    let overloaded = |service: &mut Service| service.decide().explanation.signals.overloaded;
    assert!(overloaded(service.at(6)), "the gauge is stale now, the verdict is not");
    // Sixteen intervals after the last request left the queue, by wake-ups alone.
    while let Some(now) = service.autoscaler.next_wakeup().filter(|now| *now <= at(17_000)) {
        let overloaded = service.autoscaler.decide(now).explanation.signals.overloaded;
        assert_eq!(overloaded, now < at(17_000));
        service.millis = now.as_nanos() / 1_000_000;
    }
    assert_eq!(service.millis, 17_000);
}

#[test]
fn a_rule_that_has_lost_a_signal_asks_for_nothing_after_the_count_was_lowered_either() {
    let max_2 = |from, to| Interval::new(at(from), at(to)).with_max(2);
    let config = Config::new(Policy::RunPod(RunPod::request_count(1)), 0, 1).unwrap();
    let config = config.with_up_delay(5 * SECOND).unwrap().with_window(12 * SECOND).unwrap();
    let config = config.with_freshness(10 * SECOND).unwrap();
    let mut service = Service::new(config.with_schedule(vec![max_2(0, 30_000), max_2(60_000, 600_000)]).unwrap());
    // Two requests wait; how many are served is not known from the tenth second on.
    service.tell(Observation::in_flight(0)).tell(Observation::arrived(3)).tell(Observation::abandoned(SECOND));
    assert_eq!(service.at(20).decide().desired, 2);
    assert_eq!(service.at(30).decide().desired, 1);
    let mut asked = service.clone();
    asked.at(45).decide();
    for service in [&mut service, &mut asked] {
        assert_eq!(service.at(60).tell(Observation::in_flight(0)).decide().desired, 1, "wanted from now on");
        assert_eq!(service.at(64).decide().desired, 1);
        assert_eq!(service.at(65).decide().desired, 2);
    }
}

#[test]
fn a_plan_beyond_all_measure_orders_as_many_as_there_may_be() {
    let objective = Objective::share(Share::new(0.99).unwrap(), Duration::from_millis(100));
    let mut autoscaler = Autoscaler::new(Config::objective(objective, 0, 40).unwrap(), Timestamp::ORIGIN);
    for second in 1..=3 {
        autoscaler.observe(at(second * 1_000), Observation::arrived(u32::MAX)).unwrap();
        let commands = autoscaler.decide(at(second * 1_000)).commands;
        let ordered = if second == 1 { vec![start(40)] } else { Vec::new() };
        assert_eq!((autoscaler.desired(), commands), (40, ordered), "{second}");
    }
}
