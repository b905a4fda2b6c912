use super::*;
use crate::config::Config;
use crate::decision::Decision;
use crate::observation::WorkerEvent;
use crate::policy::RunPod;
use crate::sim::tests::heard::Heard;
use crate::sim::{Plan, Request, Service, Watch, Workload, simulate, simulate_with};

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn workload(requests: &[(u64, u64)]) -> Workload {
    let request =
        |&(arrival, service): &(u64, u64)| Request { arrival: Timestamp::from_secs(arrival), service: secs(service) };
    Workload::from_requests("test", requests.iter().map(request).collect()).unwrap()
}

fn options(delivery: Delivery) -> Options {
    Options { delivery, ..Options::default() }
}

fn scaling() -> Config {
    Config::runpod(RunPod::request_count(1), 0, 3, secs(30)).unwrap()
}

const BURSTS: [(u64, u64); 6] = [(10, 5), (11, 30), (12, 5), (200, 5), (201, 40), (400, 1)];

/// When decisions that change something are taken, in seconds.
#[derive(Default)]
struct Times(Vec<u64>);

impl Watch for Times {
    fn decision(&mut self, decision: &Decision) {
        self.0.push(decision.at.as_nanos() / 1_000_000_000);
    }
}

#[test]
fn a_command_that_comes_twice_is_carried_out_once() {
    let plain = simulate(&workload(&BURSTS), &scaling(), &Options::default(), &mut ());
    let twice = Delivery { twice: Share::ONE, ..Delivery::default() };
    let delivered = simulate(&workload(&BURSTS), &scaling(), &options(twice), &mut ());
    assert_eq!(delivered, plain);
    // A platform that looks at no sequence number has more starts of it.
    let unguarded = simulate(&workload(&BURSTS), &scaling(), &options(Delivery { unguarded: true, ..twice }), &mut ());
    assert!(unguarded.cold_starts > plain.cold_starts, "{} {}", unguarded.cold_starts, plain.cold_starts);
    assert_eq!(unguarded.finished, plain.finished);
}

/// When a plan's workers are ordered, or loaded, in seconds.
fn carried_out(plan: Heard, delivery: Delivery) -> Vec<u64> {
    let service = Service { concurrency: 1, target: secs(1) };
    let (_, heard) = simulate_with(&workload(&[(10, 5), (100, 1)]), service, plan, &options(delivery), &mut ());
    let begun = |seen: &&(u64, Observation)| {
        matches!(seen.1, Observation::Worker { event: WorkerEvent::Ordered | WorkerEvent::Prewarming, .. })
    };
    heard.told.iter().filter(begun).map(|(at, _)| *at).collect()
}

#[test]
fn commands_are_spread_and_doubled_by_chance() {
    let spread = Delivery { late: secs(2), spread: secs(30), ..Delivery::default() };
    let late = Chance::of(0, "delivery.spread").below(30_000_000_001) + 2_000_000_000;
    assert_eq!(carried_out(Heard::new(Plan::fixed(1)), spread), [late / 1_000_000_000]);
    let mut forty = Heard::new(Plan::fixed(0));
    forty.orders = (0..40).map(|at| (at, Command::Prewarm { count: 1 })).collect();
    let half = Delivery { twice: Share::new(0.5).unwrap(), unguarded: true, ..Delivery::default() };
    let begun = carried_out(forty, half).len();
    assert!((50..70).contains(&begun), "{begun} of forty commands, every second one of them twice");
}

#[test]
fn only_what_is_under_way_or_wanted_may_start_a_worker() {
    let carrying = |workers| {
        let late = Delivery { late: secs(5), ..Delivery::default() };
        Carrying::new(Plan::fixed(workers), &options(late), secs(60))
    };
    assert!(!carrying(0).may_wake());
    assert!(carrying(1).may_wake());
    let mut late = Carrying::new(Heard::new(Plan::fixed(0)), &options(Delivery::default()), secs(60));
    late.delivery.late = secs(5);
    late.inner.orders.push((0, Command::Prewarm { count: 1 }));
    late.decide(Timestamp::ORIGIN, &mut Commands::default());
    assert!(late.may_wake(), "a command is under way");
}

#[test]
fn a_late_command_makes_a_late_start_and_no_second_one() {
    let late = options(Delivery { late: secs(7), ..Delivery::default() });
    let service = Service { concurrency: 1, target: secs(1) };
    let (_, heard) = simulate_with(&workload(&[(10, 5), (40, 1)]), service, Heard::new(Plan::fixed(1)), &late, &mut ());
    let ordered: Vec<_> = heard
        .told
        .iter()
        .filter(|(_, seen)| matches!(seen, Observation::Worker { event: WorkerEvent::Ordered, .. }))
        .map(|(at, _)| *at)
        .collect();
    assert_eq!(ordered, [7]);
    // From 10 s to 17 s on its way, ready at 37 s.
    let outcome = simulate(&workload(&[(10, 5)]), &scaling(), &late, &mut ());
    assert_eq!((outcome.sojourn_max, outcome.cold_starts), (secs(27), 1));
}

#[test]
fn an_order_that_was_overtaken_or_took_too_long_is_given_again() {
    let config = scaling().with_order_timeout(secs(20)).unwrap();
    let never = options(Delivery { late: secs(25), ..Delivery::default() });
    let outcome = simulate(&workload(&[(10, 5)]), &config, &never, &mut ());
    assert_eq!((outcome.finished, outcome.unserved, outcome.cold_starts), (0, 1, 0), "no order arrives in time");
    let spread = options(Delivery { spread: secs(30), ..Delivery::default() });
    let outcome = simulate(&workload(&BURSTS), &config, &spread, &mut ());
    assert_eq!((outcome.finished, outcome.lost, outcome.refused), (6, 0, 0));
    assert!(outcome.peak_workers <= 3, "{}", outcome.peak_workers);
}

#[test]
fn a_decision_is_asked_for_when_its_time_comes() {
    let mut times = Times::default();
    let every = options(Delivery { every: secs(15), ..Delivery::default() });
    let outcome = simulate(&workload(&BURSTS), &scaling(), &every, &mut times);
    assert_eq!((outcome.finished, outcome.lost, outcome.unserved), (6, 0, 0), "{:?}", times.0);
    assert!(!times.0.is_empty() && times.0.iter().all(|at| at % 15 == 0), "{:?}", times.0);
    assert_eq!(times.0.first(), Some(&15));
    // It comes at 10 s, is seen at 15 s, and its worker is ready at 35 s.
    assert_eq!(simulate(&workload(&[(10, 5)]), &scaling(), &every, &mut ()).sojourn_max, secs(25));
}
