//! A class that starts sooner, where waiting costs something.

use std::time::Duration;

use plimsoll::classes::{
    Capacity, Class, ClassId, Decision, MixedPool, Price, Reason, Settings, SettingsError, Waiting,
};
use plimsoll::policy::RunPod;
use plimsoll::sim::{Options, Outcome, Request, Workload, simulate_classes};
use plimsoll::{Config, FailureCause, Observation, Share, Timestamp, WorkerEvent, WorkerId};

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn price(price: f64) -> Price {
    Price::per_hour(price).unwrap()
}

fn class(name: &str, cost: f64, cold_start: u64) -> Class {
    Class { cold_start: Some(secs(cold_start)), ..Class::new(name, price(cost), 8) }
}

fn waiting(cost: f64) -> Waiting {
    Waiting { price: price(cost), stay: secs(1_800) }
}

fn first(settings: Settings) -> Decision {
    MixedPool::new(settings, Timestamp::ORIGIN).decide(Timestamp::ORIGIN)
}

fn planned(decision: &Decision) -> Vec<u32> {
    decision.classes.iter().map(|class| class.planned).collect()
}

/// Three wanted of a class that starts within 4 min at 2, and one within 1 min at `cost`.
fn pair(cost: f64, of: Option<f64>) -> Settings {
    let classes = vec![class("slow", 2.0, 240), class("fast", cost, 60)];
    let settings = Settings::new(Config::fixed(3).unwrap(), classes).unwrap();
    of.map_or(settings.clone(), |of| settings.with_waiting(waiting(of)).unwrap())
}

#[test]
fn it_is_taken_up_to_the_price_of_what_the_others_come_later() {
    // 3 min at 10 an hour, over half an hour: 1 an hour.
    assert_eq!(planned(&first(pair(2.999, Some(10.0)))), [0, 3]);
    assert_eq!(planned(&first(pair(3.001, Some(10.0)))), [3, 0]);
    assert_eq!(planned(&first(pair(2.001, None))), [3, 0]);
    let (hurried, cheaper) = (first(pair(2.6, Some(10.0))), first(pair(1.9, Some(10.0))));
    assert_eq!((hurried.reason, hurried.code()), (Reason::Soonest, "soonest"));
    assert_eq!(hurried.to_string(), "3 × fast: soonest at its price for 3 wanted");
    assert_eq!(hurried.price, price(7.8), "the price is what is paid");
    assert_eq!(cheaper.reason, Reason::Cheapest, "it would have been taken anyway");
}

#[test]
fn it_counts_for_what_a_worker_is_worth() {
    let twice = |cost| {
        let capacity = Capacity::new(2.0).unwrap();
        let classes =
            vec![class("slow", 4.0, 240).with_capacity(capacity), class("fast", cost, 60).with_capacity(capacity)];
        let settings = Settings::new(Config::fixed(4).unwrap(), classes).unwrap();
        planned(&first(settings.with_waiting(waiting(10.0)).unwrap()))
    };
    assert_eq!((twice(5.99), twice(6.01)), (vec![0, 2], vec![2, 0]));
}

#[test]
fn it_changes_nothing_where_all_start_equally_fast() {
    let classes = |of| vec![class("one", 2.0, of), class("two", 2.1, of), class("three", 5.0, of)];
    for cold_start in [1, 600] {
        let settings = Settings::new(Config::fixed(3).unwrap(), classes(cold_start)).unwrap();
        let plain = first(settings.clone());
        assert_eq!(first(settings.with_waiting(waiting(1_000.0)).unwrap()), plain);
    }
}

/// All workers that are ordered start, each after as long as its class takes, and those that are to stop are gone.
fn life(pool: &mut MixedPool, until: u64) -> Vec<String> {
    use plimsoll::Command;
    let (mut now, mut ids, mut starting, mut lines) = (Timestamp::ORIGIN, 0, Vec::new(), Vec::<String>::new());
    loop {
        let decision = pool.decide(now);
        let counts: Vec<u32> = decision.classes.iter().map(|class| class.count).collect();
        lines.push(format!("{} {counts:?} {}", now.as_nanos() / 1_000_000_000, decision.code()));
        for given in &decision.commands {
            match given.command {
                Command::Start { count } => {
                    for _ in 0..count {
                        ids += 1;
                        let cold_start = pool.settings().class(given.class).unwrap().cold_start.unwrap();
                        starting.push((now.saturating_add(cold_start), given.class, ids));
                        pool.observe_class(now, given.class, Observation::worker(WorkerId(ids), WorkerEvent::Ordered))
                            .unwrap();
                    }
                }
                Command::Stop { id, .. } => {
                    starting.retain(|(_, class, other)| (*class, *other) != (given.class, id.0));
                    pool.observe_class(now, given.class, Observation::worker(id, WorkerEvent::Gone)).unwrap();
                }
                other => panic!("{other:?} has no place here"),
            }
        }
        if !decision.is_idle() {
            continue;
        }
        let Some(next) = starting.iter().map(|(at, ..)| *at).min().filter(|at| *at <= Timestamp::from_secs(until))
        else {
            lines.dedup();
            return lines;
        };
        now = next;
        let (due, later): (Vec<_>, Vec<_>) = starting.into_iter().partition(|(at, ..)| *at <= now);
        starting = later;
        for (_, class, id) in due {
            for event in [WorkerEvent::Ready, WorkerEvent::Idle] {
                pool.observe_class(now, class, Observation::worker(WorkerId(id), event)).unwrap();
            }
        }
    }
}

#[test]
fn what_costs_less_takes_its_place_once_nothing_is_missing() {
    let mut pool = MixedPool::new(pair(2.6, Some(10.0)), Timestamp::ORIGIN);
    assert_eq!(life(&mut pool, 900), ["0 [0, 3] soonest", "60 [3, 3] cheapest", "300 [3, 0] cheapest"]);
    // Where that saves less than a tenth it stays.
    let mut pool = MixedPool::new(pair(2.1, Some(10.0)), Timestamp::ORIGIN);
    assert_eq!(life(&mut pool, 900), ["0 [0, 3] soonest", "60 [0, 3] stays"]);
}

#[test]
fn a_worker_that_is_lost_is_replaced_by_one_that_comes_sooner() {
    let mut pool = MixedPool::new(pair(2.6, Some(10.0)), Timestamp::ORIGIN);
    for id in 1..=3 {
        pool.observe_class(Timestamp::ORIGIN, ClassId(0), Observation::worker(WorkerId(id), WorkerEvent::Ready))
            .unwrap();
    }
    assert_eq!(planned(&pool.decide(Timestamp::ORIGIN)), [3, 0]);
    let failed = Observation::worker(WorkerId(2), WorkerEvent::Failed(FailureCause::Crash));
    let now = Timestamp::from_secs(60);
    pool.observe_class(now, ClassId(0), failed).unwrap();
    assert_eq!(planned(&pool.decide(now)), [2, 1]);
}

#[test]
fn how_long_a_cold_start_takes_may_be_measured() {
    let classes = vec![Class { cold_start: None, ..class("slow", 2.0, 1) }, class("fast", 2.6, 60)];
    let settings = Settings::new(Config::fixed(3).unwrap(), classes).unwrap().with_waiting(waiting(10.0)).unwrap();
    let mut pool = MixedPool::new(settings, Timestamp::ORIGIN);
    // Nothing is known of it: the price decides.
    assert_eq!(planned(&pool.decide(Timestamp::ORIGIN)), [3, 0]);
    let one = |event| Observation::worker(WorkerId(1), event);
    pool.observe_class(Timestamp::ORIGIN, ClassId(0), one(WorkerEvent::Ordered)).unwrap();
    pool.observe_class(Timestamp::from_secs(240), ClassId(0), one(WorkerEvent::Ready)).unwrap();
    assert_eq!(planned(&pool.decide(Timestamp::from_secs(240))), [1, 2]);
}

#[test]
fn a_stay_of_no_time_is_refused() {
    let Err(SettingsError::Stay { most, .. }) =
        pair(2.6, None).with_waiting(Waiting { stay: Duration::ZERO, ..waiting(1.0) })
    else {
        panic!("none at all is taken")
    };
    assert!(pair(2.6, None).with_waiting(Waiting { stay: most, ..waiting(1.0) }).is_ok());
    assert!(pair(2.6, None).with_waiting(Waiting { stay: most + Duration::from_nanos(1), ..waiting(1.0) }).is_err());
    let text = r#"{"service": {"replicas": 1}, "classes": [{"name": "a", "price": 1, "limit": 1}],
        "waiting": {"price": 3, "stay": "0s"}}"#;
    let error = serde_json::from_str::<Settings>(text).unwrap_err().to_string();
    assert!(error.starts_with("waiting.stay (0 s) must be above zero"), "{error}");
    let settings = pair(2.6, Some(10.0));
    let text = serde_json::to_string(&settings).unwrap();
    assert_eq!(serde_json::from_str::<Settings>(&text).unwrap(), settings);
}

/// Ten bursts of five minutes, half an hour apart, of ten requests a minute that take 30 s each.
fn bursts() -> Workload {
    let request = |burst: u64| {
        move |at: u64| Request { arrival: Timestamp::from_secs(600 + burst * 1_800 + at * 6), service: secs(30) }
    };
    Workload::from_requests("bursts", (0..10).flat_map(|burst| (0..50).map(request(burst))).collect()).unwrap()
}

#[test]
fn whoever_waits_waits_less_and_where_bursts_are_short_nothing_is_exchanged_for_it() {
    let service = Config::runpod(RunPod::request_count(1), 0, 8, secs(120)).unwrap();
    let run = |of: Option<f64>, saving: f64| -> Outcome {
        let settings = Settings::new(service.clone(), vec![class("slow", 2.0, 240), class("fast", 2.6, 60)]).unwrap();
        let settings = settings.with_exchange_saving(Share::new(saving).unwrap());
        let settings = of.map_or(settings.clone(), |of| settings.with_waiting(waiting(of)).unwrap());
        simulate_classes(&bursts(), &settings, &Options::default(), &mut ()).unwrap()
    };
    let (plain, exchanged, hurried) = (run(None, 0.1), run(Some(10.0), 0.1), run(Some(10.0), 0.3));
    let p99 = |outcome: &Outcome| outcome.sojourn_p99.as_secs();
    assert_eq!([&plain, &exchanged, &hurried].map(|outcome| outcome.finished), [500; 3]);
    assert_eq!([&plain, &exchanged, &hurried].map(p99), [432, 108, 108]);
    // Each burst is over before it pays to have the cheaper ones in their place, and cold starts are paid, too.
    assert_eq!((plain.classes[1].cold_starts, hurried.classes[0].cold_starts), (0, 0));
    assert!(hurried.cost < plain.cost && plain.cost < exchanged.cost, "{} {}", hurried.cost, exchanged.cost);
}
