//! Settings as other products have them, the edges of what is taken, and what is read off a pool.

use std::time::Duration;

use plimsoll::classes::{Capacity, Class, ClassId, MixedPool, Price, Reason, Refused, Settings, SettingsError};
use plimsoll::policy::{Outpost, RunPod};
use plimsoll::report::Reporter;
use plimsoll::{Config, FailureCause, Observation, ObserverId, Policy, Rate, Share, Timestamp, WorkerEvent, WorkerId};

fn class(name: &str, price: f64, limit: u32) -> Class {
    Class::new(name, Price::per_hour(price).unwrap(), limit)
}

const fn at(secs: u64) -> Timestamp {
    Timestamp::from_secs(secs)
}

fn one() -> Config {
    Config::fixed(1).unwrap()
}

#[test]
fn a_rate_for_each_class_is_a_capacity_in_workers_of_the_first() {
    let rate = |rate| Rate::per_second(rate).unwrap();
    let learned = class("A100", 3.7, 8).learned(Capacity::ONE);
    let rates = vec![(class("L4", 0.8, 8), rate(2.5)), (learned, rate(10.0)), (class("T4", 0.3, 8), rate(0.9))];
    let settings = Settings::target_qps(2, 20, rates).unwrap();
    let capacities: Vec<_> = settings.classes().iter().map(|class| class.capacity.unwrap().as_thousandths()).collect();
    assert_eq!(capacities, [1_000, 4_000, 360]);
    assert_eq!(*settings.service(), Config::outpost(Outpost::new(rate(2.5)), 2, 20).unwrap());

    let rates = vec![(class("L4", 0.8, 8), rate(2.5)), (class("A100", 3.7, 8), Rate::ZERO)];
    let error = Settings::target_qps(2, 20, rates).unwrap_err();
    assert!(error.to_string().starts_with("classes[1].target_qps_per_replica (0) must be above zero"), "{error}");
    assert!(matches!(Settings::target_qps(0, 1, vec![]), Err(SettingsError::Count { count: 0, .. })));
}

#[test]
fn a_base_on_demand_and_no_more_unless_it_is_dynamic() {
    let made = |base, dynamic| {
        let (spot, on_demand) = (class("spot", 1.0, 8), Class { rank: 7, ..class("on demand", 3.0, 5) });
        let settings = Settings::spot_with_fallback(one(), spot, on_demand, base, dynamic).unwrap();
        let of = |class: &Class| (class.spot, class.rank, class.floor, class.limit);
        (settings.classes().iter().map(of).collect::<Vec<_>>(), settings.stand_ins())
    };
    let spot = (true, 0, 0, 8);
    assert_eq!(made(2, true), (vec![spot, (false, 1, 2, 5)], true));
    assert_eq!(made(2, false), (vec![spot, (false, 1, 2, 2)], false));
    assert_eq!(made(0, true), (vec![spot, (false, 1, 0, 5)], true));
    assert_eq!(made(0, false), (vec![spot], false), "a class that may have no worker is none");
}

#[test]
fn settings_are_taken_up_to_their_edges() {
    let of = |class: Class| Settings::new(one(), vec![class]);
    let many = |count: u32| Settings::new(one(), (0..count).map(|at| class(&at.to_string(), 1.0, 1)).collect());
    assert_eq!(many(16).unwrap().classes().len(), 16);
    assert_eq!(many(17), Err(SettingsError::Count { count: 17, most: 16 }));
    assert!(of(Class { floor: 2, standby: 2, ..class("full", 1.0, 2) }).is_ok());
    assert!(of(Class { floor: 3, ..class("full", 1.0, 2) }).is_err());
    let cold_start = |cold_start| of(Class { cold_start: Some(cold_start), ..class("slow", 1.0, 2) });
    let Err(SettingsError::ColdStart { most, .. }) = cold_start(Duration::ZERO) else { panic!("none at all is taken") };
    assert!(cold_start(most).is_ok() && cold_start(most + Duration::from_nanos(1)).is_err());
    assert!(of(class("", 1.0, 2)).is_err(), "without a name");
}

#[test]
fn a_class_is_found_by_its_name_and_place() {
    let classes = vec![class("A100", 3.0, 8), class("H100", 5.0, 8).with_capacity(Capacity::new(2.5).unwrap())];
    let settings = Settings::new(one(), classes).unwrap();
    assert_eq!((settings.id("H100"), settings.id("B200")), (Some(ClassId(1)), None));
    assert_eq!(settings.class(ClassId(1)).map(|class| class.name.as_str()), Some("H100"));
    assert_eq!((settings.class(ClassId(2)), settings.exchange_saving()), (None, Share::new(0.1).unwrap()));
    assert_eq!(settings.clone().with_exchange_saving(Share::ZERO).exchange_saving(), Share::ZERO);
    let mut pool = MixedPool::new(settings, at(0));
    pool.observe_class(at(1), ClassId(1), Observation::worker(WorkerId(1), WorkerEvent::Ready)).unwrap();
    let ready = |class| pool.class_status(ClassId(class)).map(|status| status.replicas.ready);
    assert_eq!([ready(0), ready(1), ready(2)], [Some(0), Some(1), None]);
    assert_eq!(
        [0, 1, 2].map(|class| pool.capacity(ClassId(class)).map(Capacity::as_thousandths)),
        [Some(1_000), Some(2_500), None]
    );
}

#[test]
fn amounts_are_short_for_people_and_whole_in_files() {
    let price = |price| Price::per_hour(price).unwrap();
    assert_eq!([2.494, 2.495, 3.0, 0.0].map(|value| price(value).to_string()), ["2.49", "2.5", "3", "0"]);
    assert_eq!((price(2.25).as_f64(), price(2.25).as_micros()), (2.25, 2_250_000));
    let capacity = |thousandths| Capacity::from_thousandths(thousandths).to_string();
    assert_eq!([1_004, 1_005, 2_617].map(capacity), ["1", "1.01", "2.62"]);
    let text = [3.0, 2.25].map(|value| serde_json::to_string(&price(value)).unwrap());
    assert_eq!(text, ["3", "2.25"]);
    for value in [3.0, 2.25] {
        let bytes = |of: &dyn Fn(&mut Vec<u8>)| {
            let mut bytes = Vec::new();
            of(&mut bytes);
            bytes
        };
        let kept = bytes(&|to| ciborium::into_writer(&price(value), to).unwrap());
        assert_eq!(kept, bytes(&|to| ciborium::into_writer(&value, to).unwrap()), "a number of one kind in bytes");
    }
}

#[test]
fn why_a_class_is_passed_over_is_said_in_its_own_words() {
    let said = |cause| {
        let settings = Settings::new(one(), vec![class("first", 1.0, 2), class("second", 2.0, 2)]).unwrap();
        let mut pool = MixedPool::new(settings, at(0));
        let _ = pool.decide(at(0));
        pool.observe_class(at(1), ClassId(0), Observation::StartFailed { count: 1, cause }).unwrap();
        let decision = pool.decide(at(1));
        assert_eq!((decision.reason, decision.code()), (Reason::Fallback, "fallback"));
        decision.to_string()
    };
    for (cause, words) in [
        (FailureCause::StockOut, "out of stock"),
        (FailureCause::Quota, "at its quota"),
        (FailureCause::Preempted, "taken back"),
        (FailureCause::Crash, "crashing"),
        (FailureCause::Timeout, "too slow to start"),
    ] {
        let line = said(cause);
        assert!(line.starts_with(&format!("1 × second: next best for 1 wanted; first {words} until +")), "{line}");
    }
}

#[test]
fn every_reason_has_a_code_and_words() {
    let decided = |count, classes| {
        let service = Config::new(Policy::Fixed(count), 0, 8).unwrap();
        let decision = MixedPool::new(Settings::in_order(service, classes).unwrap(), at(0)).decide(at(0));
        (decision.code(), decision.to_string())
    };
    let pair = || vec![class("one", 3.0, 1), class("two", 1.0, 8)];
    assert_eq!(decided(0, pair()), ("idle", "no worker: none is wanted".into()));
    assert_eq!(decided(2, pair()), ("in_order", "1 × one + 1 × two: first in order for 2 wanted".into()));
    // What runs costs little more than the cheapest.
    let settings = Settings::new(one(), vec![class("one", 3.0, 1), class("two", 2.9, 1)]).unwrap();
    let mut pool = MixedPool::new(settings, at(0));
    pool.observe_class(at(0), ClassId(0), Observation::worker(WorkerId(1), WorkerEvent::Ready)).unwrap();
    let decision = pool.decide(at(0));
    assert_eq!(decision.to_string(), "1 × one: what runs is cheap enough for 1 wanted");
    assert_eq!((decision.code(), decision.is_idle()), ("stays", true));
}

#[test]
fn a_worker_that_takes_four_times_its_cold_start_is_given_up() {
    let slow = Class { cold_start: Some(Duration::from_secs(10)), ..class("slow", 1.0, 2) };
    let mut pool = MixedPool::new(Settings::new(one(), vec![slow, class("other", 2.0, 2)]).unwrap(), at(0));
    assert!(!pool.decide(at(0)).is_idle());
    pool.observe_class(at(0), ClassId(0), Observation::worker(WorkerId(1), WorkerEvent::Ordered)).unwrap();
    let counts =
        |pool: &mut MixedPool, secs| pool.decide(at(secs)).classes.iter().map(|class| class.count).collect::<Vec<_>>();
    assert_eq!(counts(&mut pool, 39), [1, 0]);
    assert_eq!(counts(&mut pool, 41), [0, 1]);
}

#[test]
fn what_is_learned_counts_the_slots_of_each_class() {
    let service = one().with_concurrency(2).unwrap();
    let learned = |name: &str, slots| Class { slots, ..class(name, 5.0, 8).learned(Capacity::ONE) };
    let settings = Settings::new(service, vec![class("one", 3.0, 8), learned("same", None), learned("many", Some(8))]);
    let mut pool = MixedPool::new(settings.unwrap(), at(0));
    for class in [vec![0; 50], vec![1; 50], vec![0; 1], vec![2; 50]].concat() {
        let finished = Observation::finished(Duration::from_secs(1));
        pool.observe_class(at(1), ClassId(class), finished).unwrap();
    }
    let capacity = |class| pool.capacity(ClassId(class)).unwrap().as_thousandths();
    assert_eq!([0, 1, 2].map(capacity), [1_000, 1_000, 4_000]);
}

#[test]
fn a_report_counts_like_what_it_reports() {
    let service = Config::runpod(RunPod::request_count(4), 0, 8, Duration::from_secs(30)).unwrap();
    let mut pool = MixedPool::new(Settings::new(service, vec![class("A100", 3.0, 8)]).unwrap(), at(0));
    let before = pool.decide(at(1)).sequence;
    let mut reporter = Reporter::new(ObserverId(1), 1, Duration::from_millis(100), at(0));
    reporter.arrived(9);
    reporter.queue(9, None);
    let report = reporter.report(at(1));
    pool.report(at(1), &report).unwrap();
    let decision = pool.decide(at(1));
    assert_eq!((decision.wanted, pool.wanted(), decision.sequence), (3, 3, before + 1), "{decision}");
    let mut old = Reporter::new(ObserverId(2), 1, Duration::from_millis(100), at(0));
    assert!(pool.report(at(1_000_000), &old.report(at(1_000_000))).is_err(), "it spans more than the window");
    assert_eq!(pool.status().input.rejected, 1);
}

#[test]
fn queues_are_of_the_service_and_an_exchange_saves_a_tenth_unless_told() {
    let text = r#"{"service": {"replicas": 1}, "classes": [{"name": "a", "price": 1, "limit": 1}]}"#;
    let settings: Settings = serde_json::from_str(text).unwrap();
    assert_eq!(settings.exchange_saving(), Share::new(0.1).unwrap());
    let mut pool = MixedPool::new(settings, at(0));
    let of_a_worker = Observation::Arrived { count: 1, queue: Some(WorkerId(1)) };
    assert_eq!(pool.observe(at(0), of_a_worker), Err(Refused::QueueOfAWorker));
}

#[test]
fn the_first_is_the_measure_where_no_capacity_is_given() {
    let learning = |classes| {
        let mut pool = MixedPool::new(Settings::new(one(), classes).unwrap(), at(0));
        pool.decide(at(0)).classes.iter().map(|class| class.learning).collect::<Vec<_>>()
    };
    let learned = |name| class(name, 1.0, 2).learned(Capacity::ONE);
    assert_eq!(learning(vec![learned("a"), learned("b")]), [None, Some(0)]);
    assert_eq!(learning(vec![learned("a"), class("b", 1.0, 2)]), [Some(0), None]);
}

#[test]
fn workers_are_counted_in_those_of_the_reference() {
    let large = class("large", 1.0, 8).with_capacity(Capacity::new(2.0).unwrap());
    let settings = Settings::new(Config::fixed(8).unwrap(), vec![large]).unwrap();
    let mut pool = MixedPool::new(settings, at(0));
    let _ = pool.decide(at(0));
    let events = [
        (1, WorkerEvent::Ready),
        (1, WorkerEvent::Idle),
        (2, WorkerEvent::Ready),
        (2, WorkerEvent::Busy(1)),
        (3, WorkerEvent::Ordered),
        (4, WorkerEvent::Ready),
        (4, WorkerEvent::Draining),
    ];
    for (id, event) in events {
        pool.observe_class(at(0), ClassId(0), Observation::worker(WorkerId(id), event)).unwrap();
    }
    let there = pool.status().replicas;
    assert_eq!((there.ready, there.idle, there.starting, there.draining), (4, Some(2), 2, 2));
}
