use approx::assert_relative_eq;

use super::*;
use crate::config::Config;
use crate::policy::RunPod;
use crate::sim::{Class, Options, Outcome, Plan, Request, Service, Workload, simulate, simulate_with};

const SERVICE: Service = Service { concurrency: 1, target: Duration::from_secs(1) };

fn workload(requests: &[(u64, u64)]) -> Workload {
    let request = |&(arrival, service): &(u64, u64)| Request {
        arrival: Timestamp::from_secs(arrival),
        service: Duration::from_secs(service),
    };
    Workload::from_requests("test", requests.iter().map(request).collect()).unwrap()
}

/// One worker from 0 to 61 s, at a price of one per second. A cold start takes 20 s, one request 5 s.
fn a_minute_and_a_second(prices: Prices) -> Outcome {
    let plan = Plan::new(vec![(Timestamp::ORIGIN, 1), (Timestamp::from_secs(61), 0)]);
    let options = Options { price_per_hour: 3_600.0, prices, ..Options::default() };
    simulate_with(&workload(&[(10, 5), (100, 1)]), SERVICE, plan, &options, &mut ()).0
}

#[test]
fn a_minute_and_a_second_are_two_minutes_on_the_bill() {
    let exact = a_minute_and_a_second(Prices::default());
    assert_relative_eq!(exact.cost, 61.0, max_relative = 1e-12);
    let by_the_minute = Prices { billed_by: Duration::from_secs(60), ..Prices::default() };
    let outcome = a_minute_and_a_second(by_the_minute);
    assert_relative_eq!(outcome.cost, 120.0, max_relative = 1e-12);
    assert_relative_eq!(outcome.costs.rounding, 59.0, max_relative = 1e-12);
    assert_relative_eq!(outcome.costs.starting, 20.0, max_relative = 1e-12);
    assert_relative_eq!(outcome.costs.idle, 36.0, max_relative = 1e-12);
    assert_relative_eq!(outcome.replica_hours, exact.replica_hours);
    let an_hour_at_least = Prices { least: Duration::from_secs(3_600), ..by_the_minute };
    assert_relative_eq!(a_minute_and_a_second(an_hour_at_least).cost, 3_600.0, max_relative = 1e-12);
}

#[test]
fn a_price_by_what_a_worker_does() {
    let prices = Prices { starting: 0.5, idle: 0.25, busy: 2.0, cold_start: 7.0, ..Prices::default() };
    let outcome = a_minute_and_a_second(prices);
    let expected = Costs { starting: 10.0, busy: 10.0, idle: 9.0, cold_starts: 7.0, ..Costs::default() };
    assert_eq!((outcome.costs, outcome.cost), (expected, 36.0));
    assert_relative_eq!(outcome.costs.total(), 36.0);
}

#[test]
fn the_default_bill_is_hours_at_a_price() {
    let outcome = a_minute_and_a_second(Prices::default());
    assert_relative_eq!(outcome.costs.total(), outcome.cost, max_relative = 1e-12);
    assert_relative_eq!(outcome.costs.starting, 20.0, max_relative = 1e-12);
    assert_relative_eq!(outcome.costs.busy, 5.0, max_relative = 1e-12);
}

#[test]
fn each_part_of_a_bill_counts_once() {
    let costs =
        Costs { starting: 1.0, idle: 2.0, busy: 4.0, draining: 8.0, standby: 16.0, rounding: 32.0, cold_starts: 64.0 };
    assert_relative_eq!(costs.total(), 127.0);
    let shares = Prices::default().shares();
    let Costs { starting, idle, busy, draining, standby, .. } = Costs::of_hours([1.0, 2.0, 4.0, 8.0, 16.0], 2.0);
    assert_eq!((starting, idle, busy, draining), (2.0, 4.0, 8.0, 16.0));
    assert_eq!((standby, shares[STANDBY]), (32.0 * shares[STANDBY], Prices::default().standby));
}

#[test]
fn standby_time_is_paid_for_as_it_is_and_each_waking_is_rounded_by_itself() {
    // Loaded from 0 to 20 s, awake from 100 to 142 s and from 230 to 242 s, in standby between.
    let config = Config::runpod(RunPod::request_count(1), 0, 1, Duration::from_secs(30)).unwrap().with_standby(1);
    let prices = Prices { standby: 0.1, billed_by: Duration::from_secs(60), ..Prices::default() };
    let options = Options { price_per_hour: 3_600.0, prices, ..Options::default() };
    let outcome = simulate(&workload(&[(100, 10), (230, 10)]), &config, &options, &mut ());
    assert_relative_eq!(outcome.costs.standby, 16.8, max_relative = 1e-12);
    assert_eq!((outcome.costs.rounding, outcome.costs.busy), (40.0 + 18.0 + 48.0, 20.0));
    assert_relative_eq!(outcome.cost, 16.8 + 180.0, max_relative = 1e-12);
}

#[test]
fn each_class_has_its_price() {
    let class = |price_per_hour, speed, limit| Class { speed, price_per_hour, limit, ..Class::default() };
    let options = Options { classes: vec![class(3_600.0, 2.0, 1), class(360.0, 1.0, 5)], ..Options::default() };
    // Two workers until 100 s; the fast one is the first and has done its work of 30 s at 35 s.
    let plan = Plan::new(vec![(Timestamp::ORIGIN, 2), (Timestamp::from_secs(100), 0)]);
    let outcome = simulate_with(&workload(&[(20, 30), (20, 30)]), SERVICE, plan, &options, &mut ()).0;
    assert_eq!((outcome.costs.busy, outcome.costs.starting), (15.0 + 3.0, 22.0));
    assert_eq!((outcome.finished, outcome.cold_starts), (2, 2));
}
