//! Each way to be misled that a rule like this has, and the test that fails where it is.
//!
//! | Trap | Test |
//! |---|---|
//! | A backlog that was worked off is taken for an error of the forecast: a reserve for what never comes again. | [`a_backlog_that_is_worked_off_is_no_error_of_the_forecast`] |
//! | So is what gathers before the first worker is there. | [`what_gathers_before_the_first_worker_is_no_error`] |
//! | A forecast from before the service time was known is held against what came. | [`a_forecast_made_at_the_start_is_judged_by_the_service_time_known_since`] |
//! | Requests that had to wait for the very first start make it cautious. | [`lateness_of_the_very_first_start_moves_nothing`](super::tests), [`lateness_of_a_first_report_moves_nothing`] |
//! | In calm hours nothing is late, whatever is risked, and the next rise is met with nothing. | [`calm_hours_wind_down_only_so_far`](super::tests), [`boldness_of_calm_hours_is_gone_before_what_may_be_late_is_spent`] |
//! | A crowd of late requests counts for so few that the objective is missed, or for so many that it rules for ever. | [`a_crowd_is_paid_back_and_does_not_dominate_for_ever`](super::tests), [`a_debt_of_twenty_units_is_the_deepest`](super::tests) |
//! | A crowd that came from nothing is told in deviations, and a busy hour has a reserve for many such crowds. | `crowds_that_come_from_nothing_are_told_in_slots` of the strays |
//! | Who may wait for a start is kept a reserve of workers that nobody needs before it. | [`who_may_wait_for_a_start_needs_no_reserve`] |
//! | A queue that is in time is taken for demand where requests may wait for many service times. | [`a_queue_that_is_in_time_is_no_demand`] |
//! | A silence longer than all before is taken for one without end. | `who_knows_nothing_waits_as_long_as_a_start_costs` of the gaps |
//! | A lull of a second is taken for a silence, and a busy service has no worker. | [`a_lull_shorter_than_a_cold_start_is_no_silence`], [`the_last_worker_outlasts_a_lull`](super::tests) |
//! | A worker goes while somebody is there, or stays for ever when nobody comes. | the law `an_objective_serves_who_is_there_and_keeps_nobody_for_ever` |
//! | What is taken for granted at the start holds workers for requests of milliseconds. | [`what_is_taken_for_granted_holds_one_worker_for_short_requests`], [`short_requests_hold_no_workers_by_a_prior`](super::tests) |
//! | Floating point that decays becomes denormal, and thirty times slower. | [`nothing_learned_is_floating_point`], [`all_that_fades_ends`] |
//! | Whoever orders up to a target orders without end. | `a_plan_beyond_all_measure_orders_as_many_as_there_may_be` of the failures, the law `bounds_always_hold` |
//! | A queue that grows while workers start orders them again. | [`a_backlog_that_grows_while_workers_start_orders_nothing_twice`](super::tests) |
//! | A backlog that will be gone by then is worked off by more workers. | `only_a_backlog_that_stays_is_worked_off` and `a_drain_is_as_dear_as_the_requests_that_it_spares` of the policy |
//! | A reserve for more than was ever needed. | [`no_more_is_planned_than_was_ever_needed`](super::tests) |
//! | Requests that are gone at every look are no demand. | [`a_service_without_chance_is_planned_what_it_needs`](super::tests) |
//! | The most between two looks is taken for what everybody saw: a reserve for nothing. | `demand_is_what_came_where_somebody_waits` of the traffic |
//! | What was counted over an hour without a scrape is taken for a surge. | [`a_scrape_after_an_hour_without_any_is_no_surge_and_no_reason_to_look_an_hour_ahead`](super::tests) |
//! | A burst that is over before a worker is there orders workers for as long as a lead. | [`bursts_that_are_over_are_not_followed`] |
//! | A queue of seconds, as a price allows them, orders a worker that comes in minutes. | [`a_queue_that_stands_for_a_lead_while_nothing_starts_orders_a_tenth_more`](super::tests) |
//! | At a price, more demand makes a reserve dearer, and it is given up. | [`more_load_never_fewer`](super::tests) |
//! | A need between two looks is forgotten, or one of long ago kept. | [`the_most_of_a_window_is_held_for_it_and_an_eighth_more`](super::tests) |
//! | Requests spread evenly leave no worker idle, so that none can go. | `only_workers_that_may_take_requests_are_in_the_order_of_their_ids` of the routing order |

use alloc::vec::Vec;
use core::time::Duration;

use super::gaps::tests::ten;
use super::tests::{NEITHER, Service, objective, told};
use super::*;
use crate::fixed::ONE;
use crate::policy::Goal;
use crate::units::Share;

/// Nobody is served for a while, and then twice as many as come.
fn starts_late(service: &mut Service, seconds: u64, per_second: u32) {
    let mut there = u64::from(service.view.requests > 0);
    let look = |service: &mut Service, there: u64, oldest: u64| {
        (service.view.requests, service.view.waiting) = (there, there.saturating_sub(service.view.ready.into()));
        service.view.oldest = oldest;
        service.view.last_activity = service.now;
        service.passes(1);
    };
    (service.view.ready, service.view.starting) = (0, 2 * per_second);
    for second in 1..=seconds {
        there += u64::from(per_second);
        service.forecast.arrived(service.now, per_second, there, None);
        look(service, there, second * SECOND);
    }
    (service.view.ready, service.view.starting) = (2 * per_second, 0);
    while there > u64::from(per_second) {
        service.forecast.arrived(service.now, per_second, there + u64::from(per_second), None);
        let wait = there * SECOND / u64::from(per_second) / 2;
        for _ in 0..2 * per_second {
            service.forecast.started(service.now, wait, false, &service.objective);
            service.forecast.finished(service.now, SECOND);
        }
        there -= u64::from(per_second);
        look(service, there, wait);
    }
    (service.view.requests, service.view.waiting, service.view.oldest) = (0, 0, 0);
}

#[test]
fn a_backlog_that_is_worked_off_is_no_error_of_the_forecast() {
    let mut service = Service::new(objective());
    starts_late(&mut service, 120, 10);
    service.serves(300, 10, SECOND);
    let error = service.forecast.strays.by(Spread::Roots).exceeded_by(ONE / 100);
    assert!(error < 3 * 256, "of a backlog of 1,200 at ten a second: {error} 256ths of a deviation");
    starts_late(&mut service, 120, 10);
    service.serves(300, 10, SECOND);
    let error = service.forecast.strays.by(Spread::Roots).exceeded_by(ONE / 100);
    assert!(error < 4 * 256, "nor of one that grew while nobody could be served: {error}");
    assert!(service.forecast.plan().workers < 30, "{:?}", service.forecast.plan());
}

#[test]
fn what_gathers_before_the_first_worker_is_no_error() {
    let mut service = Service::new(objective());
    service.view.ready = 0;
    for second in 1..=100 {
        service.forecast.arrived(service.now, 5, second * 5, None);
        (service.view.requests, service.view.waiting) = (second * 5, second * 5);
        service.passes(1);
    }
    for spread in [Spread::Roots, Spread::Slots] {
        assert_eq!(service.forecast.strays.by(spread), Strays::new().by(spread));
    }
    assert_eq!(service.forecast.past, Past::default(), "and nothing is forecast from it");
}

#[test]
fn who_may_wait_for_a_start_needs_no_reserve() {
    // Crowds of a hundred come from nothing, are there for a minute, and then nobody for five.
    let kept = |goal: Goal, cold_start: u64| {
        let mut service = Service::new(Objective { within: Duration::from_secs(5), goal });
        service.view.cold_start = cold_start * SECOND;
        for _ in 0..20 {
            service.crowd(100, 60);
            service.passes(300);
        }
        service.forecast.plan().workers
    };
    let share = |share| Goal::Share(Share::new(share).unwrap());
    for goal in [share(0.9), share(0.99), share(0.999_9), Goal::Price(1_000)] {
        assert_eq!(kept(goal, 4), 0, "{goal:?}: all that come can wait for four seconds and one");
    }
    assert!(kept(share(0.99), 30) >= 100, "but not for half a minute");
}

#[test]
fn a_queue_that_is_in_time_is_no_demand() {
    // Ten a second, of which each takes a second and may wait for twenty: for a quarter of a minute of five nobody is served.
    let expects = |within: u64| {
        let share = Share::new(0.99).unwrap();
        let mut service = Service::new(Objective::share(share, Duration::from_secs(within)));
        service.view.cold_start = 120 * SECOND;
        for _ in 0..10 {
            service.serves(270, 10, SECOND);
            for second in 1..=15 {
                service.forecast.arrived(service.now, 10, second * 10, None);
                (service.view.requests, service.view.waiting) = (second * 10, second * 10 - 10);
                (service.view.oldest, service.view.last_activity) = (second * SECOND, service.now);
                service.passes(1);
            }
            for _ in 0..150 {
                service.forecast.started(service.now, 8 * SECOND, false, &service.objective);
                service.forecast.finished(service.now, SECOND);
            }
            (service.view.requests, service.view.waiting, service.view.oldest) = (0, 0, 0);
        }
        service.forecast.strays.by(Spread::Roots).exceeded_by(ONE / 100)
    };
    let (impatient, patient) = (expects(1), expects(20));
    assert!(
        patient <= impatient && patient < 4 * 256,
        "{patient} 256ths of a deviation, {impatient} if nobody may wait"
    );
}

#[test]
fn a_forecast_made_at_the_start_is_judged_by_the_service_time_known_since() {
    let now = Timestamp::from_secs(1_000);
    let mut forecast = Forecast::new(now);
    let start = Circumstances { service: SERVICE, lead: 200 * SECOND, demand: 5 * MICRO, ..Circumstances::default() };
    forecast.past.remember(Made { at: now, demand: start.demand, rates: [10 * MICRO; 2], arrivals: 0 }, start.lead);
    // Ten a second of eight seconds each are eighty at once, of which nothing was known then.
    let since = Circumstances { service: 8 * SECOND, measured: true, demand: 80 * MICRO, ..start };
    let mut seen = forecast.strays.clone();
    seen.saw(since.demand, since.demand, 50);
    forecast.judge(now.plus(200 * SECOND), &since, since.demand, 50);
    assert_eq!(forecast.strays, seen);
}

#[test]
fn bursts_that_are_over_are_not_followed() {
    // Every two minutes so many seconds of a hundred requests each.
    let bursts = |seconds: u64| {
        let mut service = Service::new(objective());
        for _ in 0..20 {
            service.serves(120_u64.saturating_sub(seconds), 1, SECOND / 10);
            service.serves(seconds, 100, SECOND / 10);
        }
        service.forecast.coming([MICRO, 50 * MICRO]) / MICRO
    };
    assert_eq!(bursts(1), 1, "of the 42 that chance does not explain nothing stays");
    let crowds = bursts(60);
    assert!(crowds > 20, "of a minute of them more than half, with a lead of half of it: {crowds}");
}

#[test]
fn lateness_of_a_first_report_moves_nothing() {
    let Service { mut forecast, objective, view, now } = Service::new(objective());
    let mut caution = |second: u64, late: u32| {
        let at = now.plus(second * SECOND);
        forecast.told(at, &told(at, 100, late, 1), None, &objective);
        forecast.tick(at.plus(SECOND), &view, &objective);
        forecast.ledger.caution(objective.may_be_late().unwrap())
    };
    assert_eq!([caution(0, 100), caution(10, 100)], [NEITHER; 2], "nobody was in time, and nobody could be");
    assert!(caution(20, 50) > NEITHER, "those who came since could");
}

#[test]
fn boldness_of_calm_hours_is_gone_before_what_may_be_late_is_spent() {
    // One worker of eight slots is never full: whatever is risked, nobody is late.
    let mut service = Service::new(objective());
    service.view.concurrency = 8;
    service.serves(6 * 3_600, 2, SECOND / 2);
    assert_eq!((service.caution(), service.forecast.plan().workers), (0, 1));
    let may = service.forecast.ledger.requests() / 100;
    for _ in 0..may * 3 / 4 {
        service.forecast.arrived(service.now, 1, 1, None);
        service.forecast.started(service.now, SECOND, false, &service.objective);
    }
    assert!(service.caution() >= NEITHER, "{} after three quarters of {may}", service.caution());
}

#[test]
fn a_lull_shorter_than_a_cold_start_is_no_silence() {
    let within = Duration::from_millis(100);
    for objective in [objective(), Objective::price(1, within), Objective::price(100, within)] {
        let mut service = Service::new(objective);
        service.serves(600, 20, SECOND);
        let busy = service.forecast.plan().workers;
        assert!(busy >= 20, "{busy}");
        // Were it only for what it has learned, nobody would be worth a worker.
        service.forecast.gaps = ten(2);
        // Its last request was one second ago. Stretches are a fifth of a silence long.
        for second in 2..26 {
            service.passes(1);
            let plan = service.forecast.plan();
            assert!(plan.workers >= if second < 20 { busy } else { 1 }, "{objective:?} after {second} s: {plan:?}");
        }
    }
}

#[test]
fn what_is_taken_for_granted_holds_one_worker_for_short_requests() {
    for minutes in [1, 15, 240] {
        let mut service = Service::new(objective());
        service.serves(minutes * 60, 1, SECOND / 200);
        service.passes(120);
        let plan = service.forecast.plan();
        assert!(plan.workers <= 1, "two minutes after {minutes} of one a second: {plan:?}");
        service.passes(5 * 3_600);
        assert_eq!(service.forecast.plan().workers, 0);
    }
    // Not even where there once was a crowd, so that no peak is in the way.
    let mut service = Service::new(objective());
    service.forecast.highest = 100 * MICRO;
    service.serves(60, 1, SECOND / 200);
    service.passes(120);
    let Forecast { plan, highest, .. } = service.forecast;
    assert!(plan.workers <= 2 && highest == 100 * MICRO, "two deviations at the most: {plan:?}");
}

#[test]
fn nothing_learned_is_floating_point() {
    fn numbers(value: &serde_json::Value) -> Vec<&serde_json::Number> {
        match value {
            serde_json::Value::Number(number) => alloc::vec![number],
            serde_json::Value::Array(values) => values.iter().flat_map(numbers).collect(),
            serde_json::Value::Object(fields) => fields.values().flat_map(numbers).collect(),
            _ => Vec::new(),
        }
    }
    let mut service = Service::new(objective());
    service.serves(300, 7, SECOND / 3);
    service.passes(40);
    let state = serde_json::to_value(&service.forecast).unwrap();
    let numbers = numbers(&state);
    assert!(numbers.len() > 100 && numbers.iter().all(|number| !number.is_f64()), "{state}");
}

#[test]
fn all_that_fades_ends() {
    let mut service = Service::new(objective());
    service.serves(300, 7, SECOND / 3);
    service.forecast.gaps = ten(60);
    service.forecast.started(service.now, SECOND, true, &service.objective);
    service.passes(3_600);
    let Forecast { traffic, next, .. } = &service.forecast;
    assert_eq!((traffic.occupancy(), traffic.counts()), (0, [0; 2]), "in less than an hour");
    assert!(next.is_none_or(|next| next.since(service.now) > 60 * SECOND), "and nothing is looked at for it");
    (1..=4).for_each(|times| service.forecast.fade(service.now.plus(times * FORGOTTEN * HOUR)));
    let Forecast { strays, ledger, gaps, highest, .. } = service.forecast;
    assert_eq!((strays.by(Spread::Roots).above(-513), ledger.requests(), ledger.kept()), (0, 0, None));
    assert_eq!(gaps.told().0, Gaps::default().told().0);
    assert!(highest < 10, "millionths of a slot: {highest}");
}
