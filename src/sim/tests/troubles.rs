//! What the engine makes of preemptions, retries, frozen load balancers, batches, routers and stale orders.

use super::heard::Heard;
use super::*;
use crate::observation::{FailureCause, Observation, WorkerEvent};
use crate::sim::chance::{Chance, seconds};

fn heard(requests: &[(u64, u64)], slots: u32, heard: Heard, options: &Options) -> (Outcome, Heard) {
    let service = Service { concurrency: slots, target: secs(1) };
    simulate_with(&workload(requests), service, heard, options, &mut ())
}

const W0: WorkerId = WorkerId(0);

fn said(at: u64, event: WorkerEvent) -> (u64, Observation) {
    (at, Observation::worker(W0, event))
}

/// A machine that is left alone for an hour on average.
fn spot(retries: u32, notice: u64) -> (Options, Duration) {
    let spot = Spot { mean_life: secs(3_600), notice: secs(notice) };
    let life = seconds(Chance::of(0, "spot").exponential(3_600.0));
    (Options { spot, retries, prepared: true, ..Options::default() }, life)
}

#[test]
fn what_a_preempted_worker_serves_is_lost_or_tried_again() {
    let (options, life) = spot(0, 0);
    // One request that is being served when the machine is taken back.
    let requests = [(life.as_secs() - 10, 100)];
    let (outcome, told) = heard(&requests, 1, Heard::new(Plan::fixed(1)), &options);
    assert_eq!((outcome.lost, outcome.finished, outcome.retried, outcome.failures.preempted), (1, 0, 0, 1));
    assert!(told.told.contains(&said(life.as_secs(), WorkerEvent::Failed(FailureCause::Preempted))));
    assert!(!told.told.contains(&(life.as_secs(), Observation::arrived(0))), "nothing comes back");

    let (options, _) = spot(1, 0);
    let (outcome, told) = heard(&requests, 1, Heard::new(Plan::fixed(1)), &options);
    assert_eq!((outcome.lost, outcome.finished, outcome.retried), (0, 1, 1));
    // Who owns the queue sees it arrive again, and wait from then on.
    assert!(told.told.contains(&(life.as_secs(), Observation::arrived(1))));
    assert!(told.told.contains(&(life.as_secs() + 20, Observation::started(secs(20)))));
    // Its second start is 20 s after the loss; its sojourn counts from its arrival.
    assert_eq!(outcome.sojourn_max, secs(10 + 20) + Duration::from_nanos(life.subsec_nanos().into()));
    assert_eq!(outcome.sojourn_p50, outcome.sojourn_max, "one request has one sojourn");
}

#[test]
fn a_machine_with_notice_finishes_what_it_has_and_takes_no_more() {
    let (options, life) = spot(0, 120);
    let notice = life.as_secs() - 120;
    let mut orders = Heard::new(Plan::fixed(1));
    orders.orders.push((notice + 1, Command::Revive { id: W0 }));
    let (outcome, told) = heard(&[(notice - 5, 60), (notice + 5, 1)], 1, orders, &options);
    // Gone when it has finished, before it would have been taken back; the second request has a new one.
    assert_eq!((outcome.lost, outcome.finished, outcome.failures.preempted), (0, 2, 0));
    assert!(told.told.contains(&said(notice, WorkerEvent::Draining)));
    assert!(told.told.contains(&said(notice + 55, WorkerEvent::Gone)));
    assert!((secs(15)..secs(16)).contains(&outcome.sojourn_max), "{:?}", outcome.sojourn_max);
}

#[test]
fn who_arrives_at_a_frozen_load_balancer_waits_and_comes_in_a_burst() {
    let freezes = Outages { every: secs(100), lasts: secs(30) };
    let options = Options { freezes, prepared: true, ..Options::default() };
    let begin = seconds(Chance::of(0, "freezes").exponential(100.0));
    let at = begin.as_secs();
    let (outcome, told) = heard(&[(at + 1, 1), (at + 5, 1), (at + 9, 1)], 4, Heard::new(Plan::fixed(1)), &options);
    let end = Timestamp::from_elapsed(begin + secs(30));
    let sojourn = |arrival| end.saturating_since(Timestamp::from_secs(arrival));
    assert_eq!((outcome.finished, outcome.sojourn_max), (3, sojourn(at + 1)));
    assert_eq!(outcome.sojourn_p50, sojourn(at + 5));
    // The queue's owner saw none of it.
    let burst = (at + 30, Observation::arrived(3));
    assert!(told.told.contains(&burst) && told.told.contains(&(at + 30, Observation::started(Duration::ZERO))));
}

#[test]
fn requests_take_longer_the_more_are_served_beside_them() {
    let options = Options { slowdown: Share::new(0.5).unwrap(), prepared: true, ..Options::default() };
    let requests = [(0, 10), (1, 10), (2, 10)];
    let (outcome, told) = heard(&requests, 3, Heard::new(Plan::fixed(1)), &options);
    let finished: Vec<_> =
        told.told.iter().filter(|(_, seen)| matches!(seen, Observation::Finished { .. })).copied().collect();
    let expected = [(10, 10), (16, 15), (22, 20)].map(|(at, took)| (at, Observation::finished(secs(took))));
    assert_eq!(finished, expected);
    assert_eq!(outcome.duration, secs(22));
}

#[test]
fn the_router_says_who_serves() {
    let busiest = |router| {
        let options = Options { router, prepared: true, ..Options::default() };
        let (_, told) = heard(&[(0, 10), (1, 10), (2, 10), (3, 10)], 4, Heard::new(Plan::fixed(2)), &options);
        let most = |id| {
            let events = told.told.iter().filter_map(|(_, seen)| match seen {
                Observation::Worker { id: of, event: WorkerEvent::Busy(busy) } if *of == id => Some(*busy),
                _ => None,
            });
            events.max().unwrap_or(0)
        };
        [most(W0), most(WorkerId(1))]
    };
    assert_eq!(busiest(Router::LowestId), [4, 0]);
    assert_eq!(busiest(Router::LeastLoaded), [2, 2]);
    let random = busiest(Router::Random);
    assert_eq!(random, busiest(Router::Random));
}

#[test]
fn an_order_that_comes_too_late_harms_nobody() {
    let stop = |to_standby| Command::Stop { id: W0, to_standby, cut_off: false };
    let mut orders = Heard::new(Plan::fixed(1));
    // Stopped while it serves, again while it finishes, and in any way when it is gone; and workers that never were.
    orders.orders = vec![(5, stop(false)), (6, stop(true)), (7, Command::Drain { id: W0 })];
    let gone = [stop(false), stop(true), Command::Drain { id: W0 }, Command::Revive { id: W0 }];
    orders.orders.extend(gone.map(|command| (20, command)));
    orders.orders.push((21, Command::Drain { id: WorkerId(u64::MAX) }));
    let options = Options { prepared: true, ..Options::default() };
    let (outcome, told) = heard(&[(0, 10), (90, 1)], 1, orders, &options);
    assert_eq!((outcome.finished, outcome.lost), (2, 0));
    let of_it: Vec<_> =
        told.told.iter().filter(|(_, seen)| matches!(seen, Observation::Worker { id: W0, .. })).skip(4).collect();
    assert_eq!(of_it, [&said(5, WorkerEvent::Draining), &said(10, WorkerEvent::Gone)]);
}

#[test]
fn a_standby_worker_is_stopped_or_drained_at_once() {
    let w1 = WorkerId(1);
    let stop = |to_standby| Command::Stop { id: W0, to_standby, cut_off: false };
    let mut orders = Heard::new(Plan::fixed(0));
    orders.orders = vec![(0, Command::Prewarm { count: 2 }), (30, stop(true)), (31, stop(false))];
    orders.orders.push((32, Command::Drain { id: w1 }));
    let (_, told) = heard(&[(60, 1)], 1, orders, &Options::default());
    let of = |id: WorkerId| -> Vec<(u64, WorkerEvent)> {
        let event = |seen: &(u64, Observation)| match seen.1 {
            Observation::Worker { id: of, event } if of == id => Some((seen.0, event)),
            _ => None,
        };
        told.told.iter().filter_map(event).collect()
    };
    let ended = |at| vec![(0, WorkerEvent::Prewarming), (20, WorkerEvent::Standby), (at, WorkerEvent::Gone)];
    assert_eq!((of(W0), of(w1)), (ended(31), ended(32)), "in standby it is where it was to go");
}

#[test]
fn a_parked_worker_keeps_its_place_in_its_class() {
    let classes = vec![Class { limit: 1, ..Class::default() }];
    let mut orders = Heard::new(Plan::fixed(1));
    orders.orders.push((5, Command::Stop { id: W0, to_standby: true, cut_off: false }));
    let options = Options { classes, prepared: true, ..Options::default() };
    let (outcome, told) = heard(&[(30, 1)], 1, orders, &options);
    let refused = Observation::StartFailed { count: 1, cause: FailureCause::StockOut };
    assert!(told.told.contains(&said(5, WorkerEvent::Standby)) && told.told.contains(&(30, refused)));
    assert_eq!((outcome.cold_starts, outcome.finished), (1, 0));
}

#[test]
fn each_class_is_taken_back_in_its_own_time() {
    let class = |limit, mean_life| Class { limit, mean_life: secs(mean_life), ..Class::default() };
    let classes = vec![class(1, 0), class(9, 300)];
    // Those of the pool are of no effect where classes have their own.
    let spot = Spot { mean_life: secs(1), ..Spot::default() };
    let options = Options { classes, spot, prepared: true, ..Options::default() };
    let (outcome, told) = heard(&[(6_000, 1)], 1, Heard::new(Plan::fixed(2)), &options);
    let preempted = |seen: &Observation| match seen {
        Observation::Worker { id, event: WorkerEvent::Failed(FailureCause::Preempted) } => Some(*id),
        _ => None,
    };
    let lost: Vec<_> = told.told.iter().filter_map(|(_, seen)| preempted(seen)).collect();
    assert!((10..35).contains(&lost.len()) && !lost.contains(&W0), "{lost:?}");
    assert_eq!(outcome.failures.preempted, lost.len() as u64);
}

#[test]
fn where_no_class_has_any_left_there_is_no_stock() {
    let class = Class { limit: 3, ..Class::default() };
    let options = Options { classes: vec![class], ..Options::default() };
    let outcome = run(&[(600, 1)], &Config::fixed(5).unwrap(), &options);
    assert_eq!((outcome.peak_workers, outcome.cold_starts, outcome.finished), (3, 3, 1));
    assert!(outcome.failures.stock_out >= 2, "{:?}", outcome.failures);
}

#[test]
fn options_that_make_no_sense_are_named() {
    let share = |value| Share::new(value).unwrap();
    let starts = |starts| Options { starts, ..Options::default() };
    let prices = Prices { standby: f64::NAN, ..Prices::default() };
    let class = Class { speed: 0.0, ..Class::default() };
    let refused = [
        (Options { prices, ..Options::default() }, "prices.standby = NaN: "),
        (starts(Starts { crash: share(0.7), quota: share(0.5), ..Starts::default() }), "starts = 1.2 in all: "),
        (
            starts(Starts { takes: StartTime::Quantiles(vec![secs(2), secs(1)]), ..Starts::default() }),
            "starts.takes.quantiles = [2s, 1s]: ",
        ),
        (starts(Starts { takes: StartTime::Quantiles(vec![]), ..Starts::default() }), "starts.takes.quantiles = []: "),
        (Options { price_per_hour: f64::INFINITY, ..Options::default() }, "price_per_hour = inf: "),
        (
            starts(Starts { takes: StartTime::Lognormal { cv: -1.0 }, ..Starts::default() }),
            "starts.takes.lognormal.cv = -1: ",
        ),
        (Options { classes: vec![Class::default(), class], ..Options::default() }, "classes[1].speed = 0: "),
        (Options { classes: vec![Class::default(); 257], ..Options::default() }, "classes = 257: "),
    ];
    for (options, beginning) in refused {
        let message = options.check().unwrap_err().to_string();
        assert!(message.starts_with(beginning), "{message}");
        // It can be run nevertheless.
        assert_eq!(run(&[(5, 1)], &Config::fixed(1).unwrap(), &options).requests, 1);
    }
    assert_eq!(Options::default().check(), Ok(()));
}
