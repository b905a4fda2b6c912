//! The two product documents, sentence by sentence, through the public API.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::std_instead_of_core,
    reason = "a test says loudly what is wrong"
)]

use std::time::Duration;

use plimsoll::policy::{Outpost, RunPod};
use plimsoll::{
    Autoscaler, Command, Config, Decision, FailureCause, Observation, Policy, PoolCounts, Rate, Timestamp, WorkerEvent,
    WorkerId,
};

const SECOND: Duration = Duration::from_secs(1);

const fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

const fn start(count: u32) -> Command {
    Command::Start { count }
}

/// A service whose queue's owner reports every request, with a steady stream of them.
struct Service {
    autoscaler: Autoscaler,
    millis: u64,
    /// The decisions that changed the count, as text.
    changes: Vec<String>,
    ready: u32,
}

impl Service {
    fn new(config: Config, ready: u32) -> Self {
        let mut service = Self { autoscaler: Autoscaler::new(config, at(0)), millis: 0, changes: vec![], ready: 0 };
        service.pool(ready);
        service
    }

    fn pool(&mut self, ready: u32) {
        self.ready = ready;
        self.tell(Observation::Pool(PoolCounts { ready, ..PoolCounts::default() }));
    }

    fn tell(&mut self, observation: Observation) {
        self.autoscaler.observe(at(self.millis), observation).unwrap();
    }

    fn decide(&mut self) -> Decision {
        let before = self.ready;
        let decision = self.autoscaler.decide(at(self.millis));
        if decision.explanation.is_change() {
            self.changes.push(decision.to_string());
        }
        if decision.desired != before && !decision.commands.is_empty() {
            self.pool(decision.desired);
        }
        decision
    }

    /// `rate` requests a second for `secs` seconds, each waiting as `sojourn` says for its second.
    fn traffic(&mut self, secs: u64, rate: u64, sojourn: impl Fn(u64) -> u64) {
        let start = self.millis;
        for request in 0..secs * rate {
            self.millis = start + request * 1_000 / rate;
            self.tell(Observation::arrived(1));
            let wait = Duration::from_millis(sojourn((self.millis - start) / 1_000));
            self.tell(Observation::started(wait));
            self.tell(Observation::finished(Duration::from_millis(50)));
            self.decide();
        }
        self.millis = start + secs * 1_000;
    }

    /// Silence, with a decision at every wake-up.
    fn silence(&mut self, secs: u64) -> Vec<(u64, u32)> {
        let end = self.millis + secs * 1_000;
        let mut counts = vec![];
        while let Some(wakeup) = self.autoscaler.next_wakeup().filter(|wakeup| *wakeup <= at(end)) {
            self.millis = wakeup.as_nanos() / 1_000_000;
            let desired = self.decide().desired;
            if counts.last().is_none_or(|(_, count)| *count != desired) {
                counts.push((self.millis, desired));
            }
        }
        self.millis = end;
        counts
    }
}

fn outpost(min: u32, max: u32) -> Config {
    Config::outpost(Outpost::new(Rate::per_second(2.5).unwrap()), min, max).unwrap()
}

// Outpost ---------------------------------------------------------------------------------------------------------

#[test]
fn outpost_maintains_exactly_three_replicas_and_replaces_one_that_fails() {
    let mut autoscaler = Autoscaler::new(Config::fixed(3).unwrap(), at(0));
    assert_eq!(autoscaler.decide(at(0)).commands, [start(3)]);
    for id in 1..=3 {
        autoscaler.observe(at(id), Observation::worker(WorkerId(id), WorkerEvent::Ready)).unwrap();
    }
    assert!(autoscaler.decide(at(10)).commands.is_empty());
    let failed = WorkerEvent::Failed(FailureCause::Crash);
    autoscaler.observe(at(20), Observation::worker(WorkerId(2), failed)).unwrap();
    let decision = autoscaler.decide(at(20));
    assert_eq!((decision.desired, decision.commands), (3, vec![start(1)]), "at once, past every delay");
}

#[test]
fn outpost_adds_replicas_when_qps_per_replica_exceeds_the_target_and_queue_latency_is_rising() {
    let mut service = Service::new(outpost(1, 10), 3);
    service.traffic(360, 12, |sec| sec);
    // 12 req/s at 2.5 per replica are five replicas; the rise shows once a slice of five seconds has been seen.
    assert_eq!(service.changes.len(), 1, "{:?}", service.changes);
    assert!(service.changes[0].starts_with("3 → 5: 12 req/s at 2.5 per replica wants 5; sojourn p99"));
    assert!(service.changes[0].ends_with("ms > 100 ms for 3 min 48 s; up delay 5 min met"), "{}", service.changes[0]);
}

#[test]
fn outpost_does_not_add_replicas_for_qps_that_the_queue_does_not_feel() {
    let mut service = Service::new(outpost(1, 10), 3);
    service.traffic(900, 12, |_| 5);
    assert_eq!(service.changes, [] as [String; 0]);
    let decision = service.decide();
    assert_eq!(decision.explanation.code(), "sojourn_calm");
}

#[test]
fn outpost_adds_a_replica_when_codel_says_overloaded_whatever_the_qps() {
    let mut service = Service::new(outpost(1, 10), 3);
    // One request more than is ever taken: the queue stands.
    service.tell(Observation::queue(1, None));
    service.traffic(310, 2, |_| 150);
    assert_eq!(service.changes.len(), 1, "{:?}", service.changes);
    assert!(service.changes[0].starts_with("3 → 4: CoDel finds a standing queue"), "{}", service.changes[0]);
}

#[test]
fn outpost_removes_replicas_when_qps_is_well_below_and_queue_latency_minimal() {
    let mut service = Service::new(outpost(1, 10), 6);
    service.traffic(1_199, 5, |_| 5);
    assert_eq!(service.changes, [] as [String; 0], "not before the downscale delay");
    service.traffic(100, 5, |_| 5);
    // 5 req/s fit two replicas at 2.5, but only just: three carry them at two thirds.
    assert_eq!(service.ready, 3, "{:?}", service.changes);
    assert!(service.changes[0].contains("needs no more than 3"), "{}", service.changes[0]);
    assert!(service.changes[0].contains("down delay 20 min met"), "{}", service.changes[0]);
}

#[test]
fn outpost_keeps_replicas_while_requests_wait_too_long() {
    let mut service = Service::new(outpost(1, 6), 6);
    service.traffic(1_500, 5, |sec| if sec % 60 == 0 { 300 } else { 5 });
    assert_eq!(service.ready, 6, "{:?}", service.changes);
}

#[test]
fn outpost_never_exceeds_max_replicas_even_under_extreme_load() {
    let mut service = Service::new(outpost(1, 4), 1);
    service.traffic(700, 50, |sec| sec * 10);
    assert_eq!(service.ready, 4);
    let decision = service.decide();
    assert!(decision.to_string().starts_with("held at 4 by max 4; wants 20"), "{decision}");
}

#[test]
fn outpost_scales_to_zero_after_the_downscale_delay_without_requests_and_wakes_with_the_next() {
    let mut service = Service::new(outpost(0, 4), 2);
    service.traffic(60, 5, |_| 1);
    let last = service.millis - 200;
    let counts = service.silence(3_600);
    assert_eq!(counts.last(), Some(&(last + 1_200_000, 0)), "{counts:?}");
    assert_eq!(service.autoscaler.next_wakeup(), None, "a service at zero costs no calls");
    service.tell(Observation::arrived(1));
    let decision = service.decide();
    assert_eq!((decision.desired, decision.commands), (1, vec![start(1)]));
}

// RunPod ----------------------------------------------------------------------------------------------------------

fn worker(autoscaler: &mut Autoscaler, millis: u64, id: u64, event: WorkerEvent) {
    autoscaler.observe(at(millis), Observation::worker(WorkerId(id), event)).unwrap();
}

#[test]
fn runpod_spawns_workers_when_the_queue_builds_up_to_max() {
    let config = Config::runpod(RunPod::request_count(2), 0, 3, 30 * SECOND).unwrap();
    let mut autoscaler = Autoscaler::new(config, at(0));
    autoscaler.observe(at(0), Observation::in_flight(0)).unwrap();
    for (depth, desired) in [(1, 1), (3, 2), (5, 3), (50, 3)] {
        autoscaler.observe(at(1_000), Observation::queue(depth, None)).unwrap();
        assert_eq!(autoscaler.decide(at(1_000)).desired, desired);
    }
}

#[test]
fn runpod_adds_a_worker_when_a_request_has_waited_longer_than_the_queue_delay() {
    let policy = RunPod::queue_delay(RunPod::DEFAULT_QUEUE_DELAY);
    let mut autoscaler = Autoscaler::new(Config::runpod(policy, 1, 5, 30 * SECOND).unwrap(), at(0));
    worker(&mut autoscaler, 0, 1, WorkerEvent::Ready);
    worker(&mut autoscaler, 0, 1, WorkerEvent::Busy(1));
    autoscaler.observe(at(0), Observation::in_flight(1)).unwrap();
    autoscaler.observe(at(0), Observation::queue(0, None)).unwrap();
    autoscaler.observe(at(10_000), Observation::arrived(2)).unwrap();
    assert_eq!(autoscaler.decide(at(14_000)).desired, 1);
    let wakeup = autoscaler.next_wakeup().unwrap();
    assert_eq!(wakeup, Timestamp::from_nanos(14_000_000_001), "longer than four seconds");
    let decision = autoscaler.decide(wakeup);
    assert_eq!((decision.desired, decision.explanation.code()), (2, "queue_delay"));
    assert_eq!(decision.to_string(), "1 → 2: a request has waited longer than 4 s; wants 2");
    assert_eq!(autoscaler.decide(at(60_000)).desired, 2, "nothing more until that one has started");
    worker(&mut autoscaler, 61_000, 2, WorkerEvent::Ready);
    assert_eq!(autoscaler.decide(at(61_000)).desired, 3, "still waiting: the next one");
}

#[test]
fn runpod_shuts_down_a_worker_that_was_idle_for_the_timeout_and_keeps_the_minimum() {
    let mut autoscaler = Autoscaler::new(Config::runpod(RunPod::request_count(1), 1, 3, 30 * SECOND).unwrap(), at(0));
    // A whole window after the start it may shrink.
    autoscaler.observe(at(100_000), Observation::queue(0, None)).unwrap();
    autoscaler.observe(at(100_000), Observation::in_flight(3)).unwrap();
    for id in 1..=3 {
        worker(&mut autoscaler, 100_000, id, WorkerEvent::Ready);
        worker(&mut autoscaler, 100_000, id, WorkerEvent::Busy(1));
    }
    for (millis, id, left) in [(110_000, 2, 2), (120_000, 1, 1), (125_000, 3, 0)] {
        autoscaler.observe(at(millis), Observation::in_flight(left)).unwrap();
        worker(&mut autoscaler, millis, id, WorkerEvent::Idle);
    }
    let mut stopped = vec![];
    while let Some(wakeup) = autoscaler.next_wakeup() {
        for command in autoscaler.decide(wakeup).commands {
            let Command::Stop { id, .. } = command else { panic!("{command:?}") };
            stopped.push((wakeup.as_nanos() / 1_000_000_000, id.0));
            worker(&mut autoscaler, wakeup.as_nanos() / 1_000_000, id.0, WorkerEvent::Gone);
        }
        assert!(autoscaler.desired() >= 1);
        if wakeup > at(600_000) {
            break;
        }
    }
    // The longest idle first, each thirty seconds after the demand for it ended, the last one never.
    assert_eq!(stopped, [(140, 2), (150, 1)]);
}

#[test]
fn runpod_flash_boot_keeps_workers_in_standby_and_revives_them_first() {
    let config = Config::runpod(RunPod::request_count(1), 0, 4, 30 * SECOND).unwrap().with_standby(1);
    let mut autoscaler = Autoscaler::new(config, at(0));
    assert_eq!(autoscaler.decide(at(0)).commands, [Command::Prewarm { count: 1 }]);
    worker(&mut autoscaler, 0, 7, WorkerEvent::Prewarming);
    worker(&mut autoscaler, 20_000, 7, WorkerEvent::Standby);
    autoscaler.observe(at(30_000), Observation::arrived(2)).unwrap();
    let commands = autoscaler.decide(at(30_000)).commands;
    assert_eq!(commands, [Command::Revive { id: WorkerId(7) }, start(1), Command::Prewarm { count: 1 }]);
    worker(&mut autoscaler, 30_000, 7, WorkerEvent::Ordered);
    worker(&mut autoscaler, 31_000, 7, WorkerEvent::Ready);
    let starts = autoscaler.status().starts;
    assert_eq!((starts.warm, starts.warm_mean, starts.cold), (1, Some(SECOND), 0));
}

// Both ------------------------------------------------------------------------------------------------------------

#[test]
fn a_stuck_queue_raises_the_signal_instead_of_starving_it() {
    // Requests arrive and nothing is ever taken: no sojourn is seen at all.
    let mut autoscaler = Autoscaler::new(outpost(1, 4), at(0));
    autoscaler.observe(at(0), Observation::Pool(PoolCounts { ready: 1, ..PoolCounts::default() })).unwrap();
    autoscaler.observe(at(0), Observation::queue(0, None)).unwrap();
    autoscaler.observe(at(5_000), Observation::arrived(3)).unwrap();
    assert!(!autoscaler.decide(at(6_099)).explanation.signals.overloaded);
    let signals = autoscaler.decide(at(6_100)).explanation.signals;
    assert!(signals.overloaded, "older than target and interval together");
    assert_eq!(signals.oldest_age, Some(Duration::from_millis(1_100)));
    assert_eq!(autoscaler.decide(at(6_100 + 300_000)).desired, 2);
}

#[test]
fn workers_that_exist_already_are_taken_over_and_not_stopped() {
    let mut autoscaler = Autoscaler::new(outpost(0, 10), at(0));
    autoscaler.observe(at(0), Observation::Pool(PoolCounts { ready: 6, ..PoolCounts::default() })).unwrap();
    let decision = autoscaler.decide(at(0));
    assert_eq!((decision.desired, decision.commands), (6, vec![]));
    assert_eq!(autoscaler.events().last().unwrap().to_string(), "0 → 6: workers appeared that were not ordered");
}

#[test]
fn several_policies_the_largest_wins_going_up_and_all_agree_going_down() {
    let delays = |config: Config| config.with_down_delay(Duration::ZERO).unwrap();
    let config = Config::new(Policy::RunPod(RunPod::request_count(1)), 0, 9).unwrap();
    let mut autoscaler = Autoscaler::new(delays(config.with_policy(Policy::External).unwrap()), at(0));
    let mut desired = |in_flight, proposal| {
        for observation in [
            Observation::queue(0, None),
            Observation::in_flight(in_flight),
            Observation::Proposal { workers: proposal, valid_for: None },
        ] {
            autoscaler.observe(at(100_000), observation).unwrap();
        }
        autoscaler.decide(at(100_000)).desired
    };
    assert_eq!([desired(2, 5), desired(7, 5), desired(1, 6), desired(1, 1)], [5, 7, 6, 1]);
}

#[test]
fn the_status_shows_what_the_dashboards_show() {
    let mut service = Service::new(outpost(1, 4), 2);
    service.traffic(120, 4, |_| 20);
    service.tell(Observation::queue(3, Some(SECOND)));
    service.tell(Observation::in_flight(1));
    assert!(service.autoscaler.observe(at(0), Observation::ArrivalRate { per_second: f64::NAN }).is_err());
    let status = service.autoscaler.status();
    assert_eq!((status.desired, status.committed, status.replicas.ready), (2, 2, 2));
    assert_eq!(status.signals.qps_per_replica.unwrap().to_string(), "2");
    assert_eq!((status.signals.queue_depth, status.signals.in_flight), (Some(3), Some(1)));
    assert_eq!(status.signals.utilisation.unwrap().to_string(), "50 %");
    assert_eq!(status.request_latency, Some(Duration::from_millis(70)));
    assert_eq!(status.signals.offered_load_millis, Some(200));
    let p99 = status.signals.sojourn_p99.unwrap().as_secs_f64();
    assert!((p99 / 0.020 - 1.0).abs() <= 0.04, "{p99}");
    assert_eq!(status.input.rejected, 1);
    let json = serde_json::to_string(&status).unwrap();
    assert_eq!(serde_json::from_str::<plimsoll::Status>(&json).unwrap(), status);
}
