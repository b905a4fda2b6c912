//! What it costs to observe and to decide: no allocation per observation, no more time after a long silence than after a
//! short one, and few bytes.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test panics where it fails"
)]

use core::time::Duration;
use std::sync::Arc;
use std::time::Instant;

use allocation_counter::{AllocationInfo, measure};
use plimsoll::config::Precision;
use plimsoll::fleet::{Fleet, Profile};
use plimsoll::policy::{ConcurrencyTarget, Outpost, RunPod};
use plimsoll::report::Reporter;
use plimsoll::{
    Autoscaler, Config, FailureCause, Observation, ObserverId, Policy, PoolCounts, Rate, Timestamp, WorkerEvent,
    WorkerId,
};

/// Observations of each test. Ten million in release; a debug build is some twenty times slower and makes do with fewer.
const OBSERVATIONS: u64 = if cfg!(debug_assertions) { 500_000 } else { 10_000_000 };
/// A decision after so many observations.
const PER_DECISION: u64 = 1_000;
const WORKERS: u64 = 8;
/// A window that turns often.
const SHORT: Duration = Duration::from_secs(1);

#[test]
fn ten_million_observations_of_workers_by_id_allocate_nothing() {
    let mut autoscaler = autoscaler(SHORT);
    for event in [WorkerEvent::Ordered, WorkerEvent::Ready, WorkerEvent::Idle] {
        for id in 0..WORKERS {
            autoscaler.observe(Timestamp::ORIGIN, Observation::worker(WorkerId(id), event)).unwrap();
        }
    }
    let cycle = |n: u64| {
        let id = WorkerId(n / 16 % WORKERS);
        match n % 16 {
            0 => Observation::worker(id, WorkerEvent::Busy(1)),
            1 => Observation::worker(id, WorkerEvent::Idle),
            2 => Observation::worker(id, WorkerEvent::Draining),
            3 => Observation::worker(id, WorkerEvent::Ready),
            4 => Observation::Arrived { count: 1, queue: Some(id) },
            5 => Observation::Queue { depth: 2, oldest_age: Some(wait(n)), queue: Some(id) },
            6 => Observation::Started { sojourn: wait(n), queue: Some(id) },
            7 => Observation::Abandoned { wait: wait(n), queue: Some(id) },
            _ => request(n),
        }
    };
    observe_without_allocating("workers by id", &mut autoscaler, cycle);
}

/// Room is taken when there are more workers than there ever were, and only then.
#[test]
fn workers_that_come_and_go_allocate_nothing() {
    const MOST: u64 = 300;
    let step = |autoscaler: &mut Autoscaler, n: u64, number: u64| {
        use WorkerEvent::{Busy, Draining, Gone, Idle, Leased, Ordered, Ready, Standby};
        let lease = Leased(Duration::from_millis(n % 90));
        let events =
            [Ordered, Ready, Idle, Busy(2), Draining, Idle, Ready, lease, Idle, Draining, Gone, Standby, Ordered, Gone];
        let events = &events[..14 - usize::try_from(n % 5 * 2).unwrap()];
        // As if they were drawn from all ids that there are.
        let id = WorkerId(number.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(32));
        for event in events.iter().copied().chain([Gone]) {
            let _ = autoscaler.observe(instant(n), Observation::worker(id, event));
            if event != Gone {
                let waiting = Observation::Queue { depth: 1, oldest_age: Some(wait(n * number)), queue: Some(id) };
                let _ = autoscaler.observe(instant(n), waiting);
            }
        }
    };
    let mut autoscaler = autoscaler(SHORT);
    for number in 0..MOST {
        let id = WorkerId(number.wrapping_mul(7));
        autoscaler.observe(Timestamp::ORIGIN, Observation::worker(id, WorkerEvent::Ready)).unwrap();
    }
    let mut total = AllocationInfo::default();
    for n in 1..OBSERVATIONS / 100 {
        // Of those that are there one goes, others come and go in its place, and it comes again.
        let id = WorkerId((n * 31 % MOST).wrapping_mul(7));
        total += measure(|| {
            autoscaler.observe(instant(n), Observation::worker(id, WorkerEvent::Gone)).unwrap();
            step(&mut autoscaler, n, n);
            autoscaler.observe(instant(n), Observation::worker(id, WorkerEvent::Ready)).unwrap();
        });
        if n % PER_DECISION == 0 {
            let _ = autoscaler.decide(instant(n));
        }
    }
    assert_eq!(total.count_total, 0, "observing allocated {} bytes", total.bytes_total);
    let input = autoscaler.status().input;
    assert!(input.accepted > OBSERVATIONS / 20, "{input:?}");
}

#[test]
fn ten_million_observations_of_counts_allocate_nothing() {
    // Arrivals are counted in one half of the time and events in the other: who reports both begins anew each time.
    let counted = |n: u64| n >> 16 & 1 == 0;
    let cycle = |n: u64| match n % 16 {
        3 | 4 if !counted(n) => request(n),
        0 => Observation::Pool(PoolCounts { ready: small(n / 512, 12), starting: 1, ..PoolCounts::default() }),
        1 => Observation::queue(small(n / 128, 40), Some(wait(n))),
        2 => Observation::in_flight(small(n, 9)),
        3 => Observation::Requests { count: small(n / 64, 30), over: Duration::from_millis(16) },
        4 => Observation::ArrivalRate { per_second: f64::from(small(n / 4_096, 50)) },
        5 => Observation::StartFailed { count: 1, cause: FailureCause::StockOut },
        6 => Observation::Proposal { workers: small(n / 2_048, 9), valid_for: Some(Duration::from_millis(300)) },
        _ => match request(n) {
            Observation::Arrived { .. } if counted(n) => Observation::in_flight(small(n, 9)),
            fact => fact,
        },
    };
    observe_without_allocating("counts", &mut autoscaler(SHORT), cycle);
}

#[test]
fn reports_of_known_observers_allocate_nothing() {
    const REPORTS: u64 = OBSERVATIONS / 100;
    let mut autoscaler = autoscaler(SHORT);
    let target = autoscaler.config().sojourn_target();
    let mut balancers = [1, 2, 3].map(|id| Reporter::new(ObserverId(id), 1, target, Timestamp::ORIGIN));
    let (mut total, mut changes) = (AllocationInfo::default(), 0_u32);
    for n in 1..=REPORTS {
        let now = Timestamp::from_millis(n * 10);
        let balancer = &mut balancers[usize::try_from(n % 3).unwrap()];
        balancer.arrived(n / 512 % 6);
        balancer.started(wait(n * 100));
        balancer.queue(small(n / 64, 20), Some(wait(n)));
        balancer.in_flight(small(n / 32, 8));
        let report = balancer.report(now);
        let taken = measure(|| {
            let before = autoscaler.desired();
            autoscaler.report(now, &report).unwrap();
            // At least once, so now and then twice.
            if n % 7 == 0 {
                autoscaler.report(now, &report).unwrap();
            }
            changes += u32::from(autoscaler.desired() != before);
        });
        // Room for an observer is made by its first report.
        if n > 3 {
            total += taken;
        }
        if n % PER_DECISION == 0 {
            let _ = autoscaler.decide(now);
        }
    }
    assert_eq!(total.count_total, 0, "taking in reports allocated {} bytes", total.bytes_total);
    assert!(changes > 10, "the count must have moved for this to mean anything: {changes}");
    let input = autoscaler.status().input;
    assert_eq!((input.accepted, input.rejected), (REPORTS, 0));
}

/// Once windows and delays have run out nothing changes any more: two seconds, two hours and a century of silence cost
/// the same.
#[test]
fn two_hours_of_silence_cost_what_two_seconds_do() {
    let [two_seconds, two_hours, century] = after_silence(SHORT);
    assert!(two_hours.div_duration_f64(two_seconds) < 1.5, "{two_hours:?} after {two_seconds:?}");
    assert!(century.div_duration_f64(two_seconds) < 1.5, "{century:?} after {two_seconds:?}");
}

/// Until then a silence is lived through from one change to the next, since each may move the count at its own instant:
/// the twelve slices of the window and the ends of the delays, some eighteen in all, and then no more. A cost that grew
/// with time would be 3,600 times as high.
#[test]
fn a_silence_within_the_window_costs_its_few_changes() {
    let [two_seconds, two_hours, century] = after_silence(Duration::from_secs(60));
    assert!(two_hours.div_duration_f64(two_seconds) < 10.0, "{two_hours:?} after {two_seconds:?}");
    assert!(century.div_duration_f64(two_hours) < 1.5, "{century:?} after {two_hours:?}");
}

/// What `decide` takes after two seconds, two hours and a century.
fn after_silence(window: Duration) -> [Duration; 3] {
    let mut autoscaler = autoscaler(window);
    for n in 0..20_000 {
        // One in eleven names a worker that is not there and is refused.
        let _ = autoscaler.observe(instant(n), request(n));
    }
    let _ = autoscaler.decide(instant(20_000));
    let ends = [2, 7_200, 3_155_760_000].map(|secs| instant(20_000).saturating_add(Duration::from_secs(secs)));
    // In turn, so that a busy machine is busy for all.
    let mut times = [const { Vec::new() }; 3];
    for _ in 0..1_001 {
        for (times, end) in times.iter_mut().zip(ends) {
            times.push(time_to_decide(autoscaler.clone(), end));
        }
    }
    let times = times.map(|times| median(times.into_iter()));
    println!("window of {window:?}: two seconds {:?}, two hours {:?}, a century {:?}", times[0], times[1], times[2]);
    times
}

fn autoscaler(window: Duration) -> Autoscaler {
    let config = Config::new(Policy::Outpost(Outpost::new(Rate::per_second(90.0).unwrap())), 1, 30)
        .and_then(|config| config.with_policy(Policy::RunPod(RunPod::queue_delay(Duration::from_millis(80)))))
        .and_then(|config| config.with_policy(Policy::RunPod(RunPod::request_count(3))))
        .and_then(|config| config.with_policy(Policy::Concurrency(ConcurrencyTarget::new(2.0).unwrap())))
        .and_then(|config| config.with_up_delay(Duration::from_millis(20)))
        .and_then(|config| config.with_down_delay(Duration::from_millis(50)))
        .and_then(|config| config.with_idle_timeout(Duration::from_secs(1)))
        .and_then(|config| config.with_window(window))
        .unwrap();
    Autoscaler::new(config, Timestamp::ORIGIN)
}

/// Gives the observations, a millisecond apart on average so that windows turn and delays end, and now and then one
/// second, one with a clock that went back, and one that is refused. Decisions come between, outside the measurement:
/// their commands are a list.
fn observe_without_allocating(name: &str, autoscaler: &mut Autoscaler, cycle: impl Fn(u64) -> Observation) {
    let (mut total, mut time, mut changes) = (AllocationInfo::default(), Duration::ZERO, 0_u32);
    for round in 0..OBSERVATIONS / PER_DECISION {
        let start = now();
        total += measure(|| {
            for n in round * PER_DECISION..(round + 1) * PER_DECISION {
                let before = autoscaler.desired();
                // Refusals are part of it.
                let _ = autoscaler.observe(instant(n), cycle(n));
                changes += u32::from(autoscaler.desired() != before);
            }
        });
        time += start.elapsed();
        let _ = autoscaler.decide(instant((round + 1) * PER_DECISION));
    }
    let input = autoscaler.status().input;
    println!(
        "{name}: {OBSERVATIONS} observations, {} ns each, {changes} changes of the count, {input:?}",
        time.as_nanos() / u128::from(OBSERVATIONS)
    );
    assert_eq!(total.count_total, 0, "observing allocated {} bytes", total.bytes_total);
    assert!(changes > 100, "the count must have moved for this to mean anything");
    assert!(input.accepted > OBSERVATIONS / 2, "most must have been taken in: {input:?}");
    assert!(input.rejected > 0 && input.clock_regressions > 0, "{input:?}");
}

/// One of the steps in a request's life, or a fact of the central queue.
fn request(n: u64) -> Observation {
    match n % 11 {
        0 => Observation::abandoned(wait(n)),
        1 => Observation::queue(small(n / 64, 20), Some(wait(n))),
        2 => Observation::in_flight(small(n / 32, 8)),
        3 => Observation::worker(WorkerId(u64::MAX), WorkerEvent::Idle),
        4..=6 => Observation::arrived(1),
        7 | 8 => Observation::started(wait(n)),
        _ => Observation::finished(Duration::from_millis(n % 700)),
    }
}

const fn instant(n: u64) -> Timestamp {
    let back = if n % 97 == 0 { 5 } else { 0 };
    Timestamp::from_millis((n + n / 4_096 * 1_000).saturating_sub(back))
}

/// Now calm, now well above the target.
const fn wait(n: u64) -> Duration {
    let calm = n / 8_192 % 2 == 0;
    Duration::from_millis(if calm { n % 20 } else { 60 + n % 400 })
}

fn small(n: u64, limit: u64) -> u32 {
    u32::try_from(n % limit).unwrap()
}

fn time_to_decide(mut autoscaler: Autoscaler, at: Timestamp) -> Duration {
    let start = now();
    let decision = autoscaler.decide(at);
    let time = start.elapsed();
    assert_eq!(decision.at, at);
    time
}

fn median(times: impl Iterator<Item = Duration>) -> Duration {
    let mut times: Vec<_> = times.collect();
    times.sort_unstable();
    times[times.len() / 2]
}

#[expect(clippy::disallowed_methods, reason = "the time that a call takes is what is measured")]
fn now() -> Instant {
    Instant::now()
}

/// What an autoscaler holds, in itself and beside it. The settings are not part of it, since services share them. One that
/// stands alone has room for all that counts may ever say; in a fleet room is made by the first that is told of each kind.
#[test]
fn the_state_is_small_and_in_a_fleet_grows_with_what_is_told() {
    let policy = Policy::Outpost(Outpost::new(Rate::per_second(2.5).unwrap()));
    let stock = Arc::new(Config::new(policy, 0, 200).unwrap());
    let without_events = Arc::new(Config::clone(&stock).with_event_log(0));
    let compact = Arc::new(Config::clone(&without_events).with_precision(Precision::Compact));
    let settings = measure(|| drop(core::hint::black_box(Arc::new(Config::clone(&stock))))).bytes_max;
    println!("settings, once for all services that share them: {settings} bytes");
    let itself = size_of::<Autoscaler>();
    let says = |name: &str, most: u64, heap: i64| {
        let all = itself as u64 + u64::try_from(heap).unwrap();
        println!("{name}: {all} bytes, {itself} of them in the value itself");
        assert!(all <= most, "{name}: {all} bytes");
    };
    for (name, config, most) in [
        ("alone", &stock, ALONE[0]),
        ("alone, without events", &without_events, ALONE[1]),
        ("alone, without events, compact", &compact, ALONE[2]),
    ] {
        let mut made = None;
        says(name, most, measure(|| made = Some(Autoscaler::new(Arc::clone(config), Timestamp::ORIGIN))).bytes_current);
    }
    // One observation of each kind of those that a scraped service is told by, a minute apart, at a constant demand.
    let counts = [
        Observation::Pool(PoolCounts { ready: 3, idle: Some(1), starting: 1, ..PoolCounts::default() }),
        Observation::queue(4, Some(Duration::from_millis(30))),
        Observation::in_flight(2),
        Observation::Requests { count: 300, over: Duration::from_secs(60) },
    ];
    let requests = [Observation::arrived(1), Observation::started(wait(1)), Observation::finished(wait(7))];
    let changes = |n: u64| [Observation::Proposal { workers: small(n, 200), valid_for: None }];
    let by_counts = &|_| counts.to_vec();
    let by_requests = &|_| [&counts[..1], &requests].concat();
    let cases: [(_, _, &dyn Fn(u64) -> Vec<Observation>, _); 4] = [
        ("in a fleet, by counts, without events", &without_events, by_counts, IN_A_FLEET[0]),
        ("in a fleet, by each request, without events, compact", &compact, by_requests, IN_A_FLEET[1]),
        ("in a fleet, by each request, without events", &without_events, by_requests, IN_A_FLEET[2]),
        ("in a fleet, by counts, with 64 events", &stock, &|n| [&counts[..], &changes(n)].concat(), IN_A_FLEET[3]),
    ];
    for (name, config, told, most) in cases {
        let mut fleet = Fleet::new(1);
        let profile = fleet.add_profile(Profile::new(Arc::clone(config)));
        fleet.insert(0, profile, Timestamp::ORIGIN).unwrap();
        for n in 0..400 {
            for observation in told(n) {
                let _ = fleet.observe(&0, Timestamp::from_secs(60 * n), observation);
            }
        }
        assert_eq!(fleet.awake(), 1);
        let mut copy = None;
        says(name, most, measure(|| copy = fleet.autoscaler(&0)).bytes_current);
    }
}

/// The most that each of them may hold, in bytes.
const ALONE: [u64; 3] = [55_000, 5_300, 4_500];
const IN_A_FLEET: [u64; 4] = [2_900, 3_900, 4_700, 53_100];
