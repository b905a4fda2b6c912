use core::time::Duration;
use std::string::{String, ToString};
use std::vec;

use super::*;
use crate::classes::{self, Capacity, Price};
use crate::config::Config;
use crate::policy::RunPod;
use crate::sim::{Delivery, Metrics, Prices, Request, Stock, Told, simulate};
use crate::units::Share;

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn class(name: &str, price: f64, limit: u32) -> classes::Class {
    classes::Class::new(name, Price::per_hour(price).unwrap(), limit)
}

/// One request a second that takes a second.
fn steady(seconds: u64) -> Workload {
    let request = |s| Request { arrival: Timestamp::from_secs(s), service: secs(1) };
    Workload::from_requests("steady", (0..seconds).map(request).collect()).unwrap()
}

fn settings(service: Config, classes: Vec<classes::Class>) -> Settings {
    Settings::new(service, classes).unwrap()
}

fn machines(settings: &Settings) -> Options {
    Options { classes: Class::of(settings), ..Options::default() }
}

/// How many of each class there are to be, and why, each time that it changes; with the second.
#[derive(Default)]
struct Course(Vec<String>);

impl Watch for Course {
    fn classes(&mut self, decision: &classes::Decision) {
        let counts: Vec<u32> = decision.classes.iter().map(|class| class.count).collect();
        let line = format!("{counts:?} {}", decision.code());
        if self.0.last().is_none_or(|last| last.split_once(": ").map(|(_, line)| line) != Some(line.as_str())) {
            self.0.push(format!("{}: {line}", decision.at.as_nanos() / 1_000_000_000));
        }
    }
}

#[test]
fn what_one_class_refuses_another_has_at_that_instant() {
    let settings = settings(Config::fixed(3).unwrap(), vec![class("spot", 1.0, 8).spot(), class("on demand", 3.0, 8)]);
    let mut options = machines(&settings);
    options.classes[0].stock = vec![Stock { from: Duration::ZERO, limit: 2 }, Stock { from: secs(300), limit: 9 }];
    options.classes[0].cold_start = Some(secs(5));
    let mut course = Course::default();
    let outcome = simulate_classes(&steady(600), &settings, &options, &mut course).unwrap();
    assert_eq!(course.0[..2], ["0: [3, 0] cheapest", "0: [2, 1] fallback"]);
    // Asked again now and then, it has one more from five minutes on, and the other goes when that is ready.
    let [.., before, last] = &course.0[..] else { panic!("{:?}", course.0) };
    assert!(before.ends_with(": [3, 1] cheapest") && last.ends_with(": [3, 0] cheapest"), "{:?}", course.0);
    let [spot, on_demand] = &outcome.classes[..] else { panic!("two classes") };
    assert_eq!((spot.cold_starts, on_demand.cold_starts, outcome.cold_starts), (3, 1, 4));
    assert!(spot.failures.stock_out > 3 && outcome.failures == spot.failures, "{:?}", outcome.failures);
    assert!(on_demand.replica_hours * 3_600.0 > 305.0 && on_demand.replica_hours * 3_600.0 < 620.0);
}

#[test]
fn a_class_is_paid_for_at_its_price_and_all_of_them_are_the_whole() {
    let slow = classes::Class { cold_start: Some(secs(100)), floor: 1, ..class("slow", 7_200.0, 1) };
    let settings = settings(Config::fixed(2).unwrap(), vec![slow, class("usual", 3_600.0, 8)]);
    let mut options = machines(&settings);
    options.prices = Prices { starting: 0.5, cold_start: 10.0, billed_by: secs(60), ..Prices::default() };
    let outcome = simulate_classes(&steady(570), &settings, &options, &mut ()).unwrap();
    let [slow, usual] = &outcome.classes[..] else { panic!("two classes") };
    let ends = outcome.duration.as_secs_f64();
    assert_eq!((slow.costs.starting, usual.costs.starting), (100.0, 10.0));
    let close = |value: f64, want: f64| assert!((value - want).abs() < 1e-6, "{value} instead of {want}");
    close(slow.replica_hours, ends / 3_600.0);
    close(slow.costs.idle + slow.costs.busy, 2.0 * (ends - 100.0));
    close(slow.costs.rounding, 2.0 * usual.costs.rounding);
    assert_eq!((slow.costs.cold_starts, slow.cold_starts, slow.standby_hours), (10.0, 1, 0.0));
    close(outcome.classes.iter().map(|class| class.costs.total()).sum(), outcome.cost);
    close(outcome.classes.iter().map(|class| class.replica_hours).sum(), outcome.replica_hours);
}

#[test]
fn all_workers_of_a_class_are_taken_back_at_one_instant() {
    let settings = settings(Config::fixed(3).unwrap(), vec![class("spot", 1.0, 3).spot(), class("on demand", 3.0, 8)]);
    let mut options = machines(&settings);
    (options.classes[0].taken_back, options.retries) = (vec![Duration::from_millis(100_500), secs(105)], 1);
    let mut course = Course::default();
    let outcome = simulate_classes(&steady(200), &settings, &options, &mut course).unwrap();
    assert_eq!((outcome.classes[0].failures.preempted, outcome.failures.preempted), (3, 3), "who has gone stays gone");
    assert!(course.0.contains(&"100: [0, 3] fallback".into()), "{:?}", course.0);
    assert_eq!((outcome.finished, outcome.retried, outcome.lost), (200, 1, 0));
}

#[test]
fn how_fast_a_machine_is_is_learned() {
    let fast = class("fast", 1.5, 8).learned(Capacity::ONE);
    let settings = settings(Config::fixed(4).unwrap(), vec![class("usual", 1.0, 3), fast]);
    let mut options = machines(&settings);
    options.classes[1].speed = 2.0;
    let mut course = Course::default();
    let workload = Workload::from_requests(
        "two at once",
        steady(600).requests().iter().flat_map(|request| [*request; 4]).collect(),
    );
    let outcome = simulate_classes(&workload.unwrap(), &settings, &options, &mut course).unwrap();
    assert_eq!(course.0, ["0: [3, 1] cheapest", "61: [2, 2] cheapest", "81: [0, 2] cheapest"]);
    assert_eq!((outcome.finished, outcome.refused), (2_400, 0));
}

#[test]
fn a_worker_with_more_slots_serves_as_many_at_once() {
    let service = Config::fixed(4).unwrap().with_concurrency(2).unwrap();
    let many = classes::Class { slots: Some(6), ..class("many", 1.5, 8).with_capacity(Capacity::new(1.5).unwrap()) };
    let settings = settings(service, vec![class("usual", 2.0, 8), many]);
    let options = machines(&settings);
    let slots = |class: &Class| (class.slots, class.speed);
    assert_eq!(options.classes.iter().map(slots).collect::<Vec<_>>(), [(None, 1.0), (Some(6), 0.5)]);
    // 18 slots at half the speed: nine a second, and each takes two.
    let request = |s: u64| Request { arrival: Timestamp::from_secs(100 + s / 9), service: secs(1) };
    let workload = Workload::from_requests("nine at once", (0..900).map(request).collect()).unwrap();
    let outcome = simulate_classes(&workload, &settings, &options, &mut ()).unwrap();
    assert_eq!(outcome.classes.iter().map(|class| class.cold_starts).collect::<Vec<_>>(), [0, 3]);
    assert_eq!((outcome.finished, outcome.sojourn_max), (900, Duration::ZERO));
    let most = outcome.samples.iter().map(|sample| sample.capacity).fold(0.0, f64::max);
    assert!((most - 18.0).abs() < 1e-9, "{most}");
}

#[test]
fn one_class_is_a_pool_like_any_other() {
    let service = Config::runpod(RunPod::request_count(2), 0, 6, secs(30)).unwrap();
    let workload = Workload::from_requests(
        "bursts",
        [10, 11, 11, 11, 12, 13, 200, 400, 401, 401, 401, 402]
            .map(|s| Request { arrival: Timestamp::from_secs(s), service: secs(9) })
            .to_vec(),
    )
    .unwrap();
    let settings = settings(service.clone(), vec![class("only", 1.0, 6)]);
    let options = Options::default();
    let alone = simulate(&workload, &service, &options, &mut ());
    let mixed = simulate_classes(&workload, &settings, &options, &mut ()).unwrap();
    let of = |outcome: &Outcome| (outcome.finished, outcome.sojourn_max, outcome.cold_starts, outcome.scaling_events);
    assert_eq!(of(&mixed), of(&alone));
    assert_eq!(mixed.events.len(), alone.events.len());
}

#[test]
fn late_and_doubled_commands_go_to_the_class_that_they_are_meant_for() {
    let settings = settings(Config::fixed(4).unwrap(), vec![class("one", 1.0, 2), class("two", 2.0, 8)]);
    let mut options = machines(&settings);
    options.delivery = Delivery { late: secs(2), twice: Share::ONE, ..Delivery::default() };
    options.metrics = Metrics { told: Told::Gauges, late: secs(1), ..Metrics::default() };
    let outcome = simulate_classes(&steady(300), &settings, &options, &mut ()).unwrap();
    assert_eq!(outcome.classes.iter().map(|class| class.cold_starts).collect::<Vec<_>>(), [2, 2]);
    assert_eq!((outcome.finished, outcome.refused), (300, 0));
}

#[test]
fn machines_of_other_classes_are_refused() {
    let settings = settings(Config::fixed(1).unwrap(), vec![class("one", 1.0, 2), class("two", 2.0, 8)]);
    let mut options = machines(&settings);
    options.classes.reverse();
    let error = simulate_classes(&steady(1), &settings, &options, &mut ()).unwrap_err();
    assert!(error.to_string().starts_with(r#"classes = ["two", "one"]: give the classes of the settings"#), "{error}");
    options.classes.reverse();
    options.classes[1].speed = 0.0;
    let error = simulate_classes(&steady(1), &settings, &options, &mut ()).unwrap_err();
    assert!(error.to_string().starts_with("classes[1].speed = 0: "), "{error}");
}
