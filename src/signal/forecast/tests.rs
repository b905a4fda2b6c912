use super::errors::Errors;
use super::gaps::tests::ten;
use super::*;
use crate::fixed::ONE;
use crate::observation::ObserverId;
use crate::report::{Report, Reporter};
use crate::units::Share;
use core::time::Duration;
use proptest::prelude::*;

/// A service that is looked at every second: its workers are what the test says.
pub(super) struct Service {
    pub(super) forecast: Forecast,
    pub(super) objective: Objective,
    pub(super) view: View,
    pub(super) now: Timestamp,
}

impl Service {
    pub(super) fn new(objective: Objective) -> Self {
        let now = Timestamp::from_secs(1_000);
        let view = View {
            requests: 0,
            waiting: 0,
            oldest: 0,
            ready: 10,
            starting: 0,
            concurrency: 1,
            cold_start: 30 * SECOND,
            last_activity: now,
            overloaded: false,
        };
        Self { forecast: Forecast::new(now), objective, view, now }
    }

    /// `seconds` of so many requests a second that take `service` nanoseconds, all at once and in time.
    pub(super) fn serves(&mut self, seconds: u64, per_second: u32, service: u64) {
        for _ in 0..seconds {
            let since = (self.view.requests == 0).then_some(self.view.last_activity);
            self.forecast.arrived(self.now, per_second, u64::from(per_second), since);
            for _ in 0..per_second {
                self.forecast.started(self.now, 0, true, &self.objective);
                self.forecast.finished(self.now, service);
            }
            if per_second > 0 {
                self.view.last_activity = self.now;
            }
            self.passes(1);
        }
    }

    /// Time passes, and nothing comes.
    pub(super) fn passes(&mut self, seconds: u64) {
        let end = self.now.plus(seconds * SECOND);
        while let Some(next) = self.forecast.next().filter(|next| *next <= end) {
            self.forecast.tick(next.max(self.now), &self.view, &self.objective);
            self.now = self.now.max(next);
        }
        self.now = end;
    }

    /// So many come from nothing, and are there for so many seconds.
    pub(super) fn crowd(&mut self, count: u32, seconds: u64) {
        self.forecast.arrived(self.now, count, count.into(), Some(self.view.last_activity));
        (self.view.requests, self.view.last_activity) = (count.into(), self.now);
        self.passes(seconds);
        for _ in 0..count {
            self.forecast.started(self.now, SECOND, false, &self.objective);
            self.forecast.finished(self.now, seconds * SECOND);
        }
        (self.view.requests, self.view.last_activity) = (0, self.now);
    }

    pub(super) fn caution(&self) -> u64 {
        self.forecast.ledger.caution(self.objective.may_be_late().unwrap_or(0))
    }
}

pub(super) fn objective() -> Objective {
    Objective::share(Share::new(0.99).unwrap(), Duration::from_millis(100))
}

/// Caution at the start: neither more nor less may be risked than the objective alone allows.
pub(super) const NEITHER: u64 = 2 * ONE;

#[test]
fn a_service_without_chance_is_planned_what_it_needs() {
    let mut service = Service::new(objective());
    service.serves(600, 10, SECOND);
    let plan = service.forecast.plan();
    assert!((9_500..=10_500).contains(&plan.forecast_millis), "{plan:?}");
    assert!((10..=11).contains(&plan.workers), "{plan:?}");
    assert_eq!(plan.completions, 6_000);
}

#[test]
fn a_backlog_that_grows_while_workers_start_orders_nothing_twice() {
    let mut service = Service::new(objective());
    (service.view.ready, service.view.starting, service.view.cold_start) = (0, 30, 120 * SECOND);
    let mut most = 0;
    for second in 1..=120 {
        service.forecast.arrived(service.now, 10, second * 10, None);
        (service.view.requests, service.view.waiting, service.view.oldest) =
            (second * 10, second * 10, second * SECOND);
        service.passes(1);
        let plan = service.forecast.plan();
        assert!(plan.forecast_millis < 40_000, "demand is forecast, not backlog: {plan:?}");
        most = most.max(plan.workers);
    }
    assert!(most < 150, "{most} for ten busy slots and a backlog of {}", service.view.waiting);
}

#[test]
fn lateness_of_the_very_first_start_moves_nothing() {
    let mut service = Service::new(objective());
    for _ in 0..500 {
        service.forecast.arrived(service.now, 1, 1, None);
        service.forecast.started(service.now, 60 * SECOND, false, &service.objective);
    }
    assert!(service.caution() <= NEITHER, "nobody was in time, and nobody could be");
    service.forecast.started(service.now, 0, true, &service.objective);
    service.forecast.started(service.now, SECOND, false, &service.objective);
    assert!(service.caution() > NEITHER - ONE / 2);
}

#[test]
fn calm_hours_wind_down_only_so_far() {
    let mut service = Service::new(objective());
    service.serves(7_200, 20, SECOND / 10);
    assert_eq!(service.caution(), 0, "at its least");
    let allowance = |caution| {
        let known = Circumstances { caution, concurrency: 1, service: SECOND, ..Circumstances::default() };
        service.objective.allowance(&known)
    };
    assert!(allowance(0) <= ONE * 3 / 10, "three in ten at the most, where one in a hundred may be late");
    assert!(allowance(7 * ONE) >= ONE / 4_000, "and never so little that only a catastrophe would count");
}

#[test]
fn a_crowd_is_paid_back_and_does_not_dominate_for_ever() {
    let mut service = Service::new(objective());
    service.serves(1_000, 20, SECOND / 10);
    for _ in 0..2_000 {
        service.forecast.arrived(service.now, 1, 1, None);
        service.forecast.started(service.now, SECOND, false, &service.objective);
    }
    assert_eq!(service.caution(), 7 * ONE, "at its most");
    service.serves(2_000, 20, SECOND / 10);
    assert_eq!(service.caution(), 7 * ONE, "2,000 late requests are not paid back by 40,000");
    service.serves(40_000, 20, SECOND / 10);
    assert!(service.caution() < 3 * ONE, "but by 840,000");
}

#[test]
fn the_last_worker_outlasts_a_lull() {
    let mut service = Service::new(objective());
    service.serves(600, 1, SECOND / 10);
    service.passes(5);
    assert_eq!(service.forecast.plan().workers, 1, "a lull of five seconds is none");
    service.passes(5 * 3_600);
    assert_eq!(service.forecast.plan().workers, 0, "after four hours nobody will come");
    assert_eq!(service.forecast.next(), None, "and nothing is to be looked at");
}

#[test]
fn short_requests_hold_no_workers_by_a_prior() {
    let mut service = Service::new(objective());
    service.serves(900, 1, SECOND / 200);
    assert!(service.forecast.plan().workers <= 2, "{:?}", service.forecast.plan());
}

#[test]
fn no_more_is_planned_than_was_ever_needed() {
    let mut service = Service::new(objective());
    service.serves(300, 5, SECOND);
    for _ in 0..200 {
        service.forecast.strays.saw(0, 80 * MICRO, 1_000);
    }
    service.serves(10, 5, SECOND);
    let plan = service.forecast.plan();
    assert_eq!(plan.because, Because::Peak);
    assert!(plan.workers <= 8, "five at once, and half their root: {plan:?}");
}

#[test]
fn a_queue_that_stands_for_a_lead_while_nothing_starts_orders_a_tenth_more() {
    let mut service = Service::new(objective());
    service.serves(300, 5, SECOND);
    service.view.ready = 40;
    // A lead is a cold start of 30 s, less 100 ms that a request may wait, and a tick.
    let mut stands = |seconds: u64, overloaded: bool, starting: u32| {
        (service.view.overloaded, service.view.starting) = (overloaded, starting);
        for _ in 0..seconds {
            service.view.last_activity = service.now;
            service.passes(1);
        }
        (service.forecast.plan().workers, service.forecast.plan().because)
    };
    assert_ne!(stands(31, true, 0).1, Because::Overloaded, "who was late until then could not be helped");
    stands(1, false, 0);
    assert_ne!(stands(31, true, 0).1, Because::Overloaded, "it began anew");
    assert_eq!(stands(1, true, 0), (44, Because::Overloaded));
    let (kept, because) = stands(2, true, 4);
    assert_ne!(because, Because::Overloaded, "what starts may be enough");
    assert_eq!(kept, 44, "and is kept for the time of a cold start");
}

pub(super) const MAY: u64 = 10_000;

/// How far one start that was in time moves caution down.
fn step(ledger: &mut Ledger, now: Timestamp) -> u64 {
    let before = ledger.caution(MAY);
    ledger.started(now, false, true, MAY);
    before - ledger.caution(MAY)
}

/// That, where the objective is aimed at with this margin and so many late requests are remembered as what may be late.
fn aimed(margin: u64, budget: u64) -> u64 {
    ratio(MAY * (MICRO - margin) / MICRO, ONE, budget * MICRO / 3)
}

#[test]
fn caution_moves_by_one_with_a_third_of_what_may_be_late() {
    let mut ledger = Ledger::new(Timestamp::ORIGIN);
    let now = Timestamp::from_secs(1_000);
    assert_eq!(ledger.caution(MAY), NEITHER);
    ledger.started(now, true, true, MAY);
    // As if ten may be late: one is, with a margin of (1 + 1) / 10, and moves it by 3 / 10 less what it aims at.
    let third = 10 * MICRO / 3;
    assert_eq!(ledger.caution(MAY), ratio(2 * third + MICRO - 8_000, ONE, third));
    ledger.started(now, true, true, MAY);
    // The second of an episode: (2 + 1) / 10 is the widest margin.
    assert_eq!(ledger.caution(MAY), ratio(2 * third + 2 * MICRO - 8_000 - 7_000, ONE, third));
}

#[test]
fn late_requests_of_one_minute_are_late_for_one_reason() {
    let now = Timestamp::from_secs(1_000);
    let two = |apart: u64| {
        let mut ledger = Ledger::new(now);
        ledger.arrived(100_000);
        ledger.started(now, true, true, MAY);
        ledger.started(now.plus(apart), true, true, MAY);
        step(&mut ledger, now.plus(apart))
    };
    assert!(two(60 * SECOND).abs_diff(aimed(3_000, 1_000)) <= 1, "√2² + 1 of a thousand");
    assert!(two(60 * SECOND + 1).abs_diff(aimed(2_000, 1_000)) <= 1, "√(1 + 1) + 1, rounded down");

    let mut ledger = Ledger::new(now);
    ledger.arrived(100_000);
    for _ in 0..30 {
        ledger.started(now, true, true, MAY);
    }
    assert!(step(&mut ledger, now).abs_diff(aimed(31_000, 1_000)) <= 1);
    ledger.started(now.plus(100 * SECOND), true, true, MAY);
    ledger.fade();
    assert_eq!(ledger.requests(), 91_666, "a twelfth of the requests is forgotten");
    let margin = 29 * MICRO / 916;
    let step = step(&mut ledger, now);
    assert!(step.abs_diff(aimed(margin, 916)) <= 100, "and of the 900 of the variance: √826 + 1; {step}");
}

#[test]
fn a_debt_of_twenty_units_is_the_deepest() {
    let mut ledger = Ledger::new(Timestamp::ORIGIN);
    for _ in 0..200 {
        ledger.started(Timestamp::from_secs(9), true, true, MAY);
    }
    // 15 units of 10 / 3 late requests, at 0.007 each.
    for _ in 0..7_142 {
        ledger.started(Timestamp::from_secs(9), false, true, MAY);
    }
    assert_eq!(ledger.caution(MAY), 7 * ONE);
    assert!(step(&mut ledger, Timestamp::from_secs(9)) > 0);
}

#[test]
fn the_most_of_a_window_is_held_for_it_and_an_eighth_more() {
    let start = Timestamp::from_secs(100);
    let at = |tenths: u64| start.plus(tenths * SECOND / 10);
    let mut hold = Hold::new(start);
    let mut highest = |tenths: u64, count: u32| hold.highest(at(tenths), count, 8 * SECOND);
    assert_eq!([highest(0, 10), highest(5, 4), highest(35, 7)], [10, 10, 10]);
    assert_eq!([highest(89, 0), highest(90, 0)], [10, 7], "nine parts of a second");
    assert_eq!([highest(119, 0), highest(120, 2)], [7, 2]);
    assert_eq!([highest(209, 0), highest(10_000, 1), highest(20_000, 0)], [2, 1, 0]);
    // Parts begin where they should, whenever it is looked at.
    assert_eq!([highest(20_000, 5), highest(20_019, 0), highest(20_038, 0), highest(20_057, 0)], [5; 4]);
    assert_eq!([highest(20_076, 0), highest(20_089, 0), highest(20_090, 0)], [5, 5, 0]);
}

#[test]
fn a_count_that_is_lower_by_chance_is_followed_after_a_minute() {
    let start = Timestamp::from_secs(100);
    let mut hold = Hold::new(start);
    let mut last = 0;
    let mut steadied = |second: u64, count: u32| {
        last = hold.steadied(start.plus(second * SECOND), count, last, 2);
        last
    };
    assert_eq!([steadied(0, 12), steadied(1, 11), steadied(2, 10)], [12; 3], "two fewer are chance");
    assert_eq!([steadied(3, 7), steadied(4, 9), steadied(5, 8)], [9; 3], "more are followed so far");
    assert_eq!(steadied(6, 10), 10, "up at once");
    assert_eq!([steadied(7, 8), steadied(66, 8), steadied(75, 8)], [10, 10, 8], "a minute, and up to an eighth more");
}

proptest! {
    /// The law of that name: whoever wants more at each instant is given no fewer.
    #[test]
    fn more_load_never_fewer_by_play(counts in prop::collection::vec((0..20_u32, 0..3_u32, 0..4_u32, 0..2_u32, 1..40_u64), 1..60)) {
        let (mut now, mut some, mut more) = (Timestamp::from_secs(9), (Hold::new(Timestamp::ORIGIN), 0), (Hold::new(Timestamp::ORIGIN), 0));
        for (count, beside, chance, wider, seconds) in counts {
            now = now.plus(seconds * SECOND);
            some.1 = some.0.steadied(now, count, some.1, chance);
            more.1 = more.0.steadied(now, count + beside, more.1, chance + wider);
            prop_assert!(some.1 <= more.1 && some.1 >= count);
        }
    }
}

#[test]
fn a_fluctuation_by_half_a_deviation_moves_no_count() {
    let mut service = Service::new(Objective::price(10, Duration::from_millis(100)));
    (service.view.ready, service.view.cold_start) = (40, SECOND);
    let (mut planned, mut because) = (Vec::new(), Vec::new());
    for round in 0..40 {
        for _ in 0..15 {
            service.serves(1, 39 + 2 * (round % 2), SECOND);
            planned.push(service.forecast.plan().workers);
            because.push(service.forecast.plan().because);
        }
    }
    let falls = planned.windows(2).skip(200).filter(|pair| pair[1] < pair[0]).count();
    assert_eq!(falls, 0, "{planned:?}");
    assert!(because.contains(&Because::Lull), "and says so");
}

#[test]
fn a_service_time_is_the_mean_and_then_moves_slowly() {
    let now = Timestamp::from_secs(1);
    let mut forecast = Forecast::new(now);
    let after = |forecast: &mut Forecast, service: u64| {
        forecast.finished(now, service);
        forecast.service
    };
    assert_eq!([4, 2, 0].map(|seconds| after(&mut forecast, seconds * SECOND)), [4, 3, 2].map(|mean| mean * SECOND));
    for _ in 3..332 {
        forecast.finished(now, 2 * SECOND);
    }
    assert_eq!(after(&mut forecast, 335 * SECOND), 3 * SECOND, "one of 333");
    assert_eq!(after(&mut forecast, 336 * SECOND), 4 * SECOND, "and so on");
    forecast.service = SECOND / 10;
    assert_eq!([0, 64, 640].map(|cold| forecast.tick_length(cold * SECOND)), [1, 1, 10].map(|tick| tick * SECOND));
    forecast.service = 128 * SECOND;
    assert_eq!(forecast.tick_length(64 * SECOND), 2 * SECOND);
}

#[test]
fn rates_are_known_early_and_stay() {
    let mut service = Service::new(objective());
    for seconds in [5, 20, 300] {
        service.serves(seconds, 10, SECOND);
        let rates = service.forecast.rates(service.forecast.last);
        assert!(rates.iter().all(|rate| rate.abs_diff(10 * MICRO) < 2 * MICRO), "{rates:?} after {seconds} s");
    }
    let plan = service.forecast.plan();
    assert_eq!(plan.lead_millis, 30_900, "a cold start, less the patience, and a tick");
    service.view.cold_start = 0;
    service.serves(2, 10, SECOND);
    assert_eq!(service.forecast.plan().lead_millis, plan.lead_millis, "which is taken to be half a minute");
}

#[test]
fn only_who_waits_too_long_is_a_strain() {
    let strains = |waiting: u64, oldest: u64| {
        let mut service = Service::new(objective());
        service.serves(60, 10, SECOND);
        service.view = View { requests: 500, waiting, oldest, ..service.view };
        service.passes(1);
        service.forecast.traffic.is_strained(service.now)
    };
    assert!(!strains(1, SECOND / 10), "in time is no strain");
    assert!(!strains(0, SECOND / 10 + 1), "nobody is late");
    assert!(strains(1, SECOND / 10 + 1));
}

#[test]
fn what_stayed_of_a_surge_is_what_came_since_it_was_seen() {
    let (now, lead, rates) = (Timestamp::from_secs(1_000), 80 * SECOND, [MICRO, 100 * MICRO]);
    let mut forecast = Forecast::new(now);
    let made = Made { at: now, demand: 0, rates, arrivals: 7_000 };
    forecast.past.remember(made, lead);
    forecast.traffic.adds(11_000);
    forecast.count(now);
    forecast.follow(now.plus(lead - 1), lead);
    assert_eq!(forecast.surges, Surges::default(), "it is not due");
    forecast.follow(now.plus(lead), lead);
    let mut seen = Surges::default();
    seen.saw(rates, 2 * SECOND, 50 * MICRO);
    assert_eq!(forecast.surges, seen, "4,000 within 80 s");
}

#[test]
fn an_error_is_counted_against_the_forecast_of_a_lead_ago() {
    let now = Timestamp::from_secs(1_000);
    let mut forecast = Forecast::new(now);
    let known = |demand: u64| Circumstances { demand, lead: 80 * SECOND, service: u64::MAX, ..Default::default() };
    // Nothing decays: what is forecast is the demand that was, 99, with a deviation of 10.
    forecast.past.remember(Made { at: now, demand: 99 * MICRO, rates: [0; 2], arrivals: 0 }, 80 * SECOND);
    let before = forecast.strays.clone();
    forecast.judge(now.plus(80 * SECOND - 1), &known(0), 0, 7);
    assert_eq!(forecast.strays, before, "it is not due");
    let seen = |demand: u64| {
        let mut strays = before.clone();
        strays.saw(99 * MICRO, demand * MICRO, 7);
        strays
    };
    for demand in [129, 99, 84] {
        let mut forecast = forecast.clone();
        forecast.judge(now.plus(80 * SECOND), &known(0), demand * MICRO, 7);
        assert_eq!(forecast.strays, seen(demand), "{demand}");
    }
}

#[test]
fn what_is_known_fades_by_whole_hours() {
    let now = Timestamp::from_secs(1_000);
    let hours = |hours: u64| now.plus(hours * HOUR + HOUR / 2);
    let mut forecast = Forecast::new(now);
    (forecast.highest, forecast.began) = (36 * MICRO, Some(now));
    forecast.ledger.arrived(144);
    forecast.fade(hours(0));
    assert_eq!(forecast.highest, 36 * MICRO);
    forecast.fade(hours(2));
    assert_eq!((forecast.highest, forecast.ledger.requests(), forecast.faded), (25 * MICRO, 121, now.plus(2 * HOUR)));
    forecast.fade(hours(100_000));
    assert_eq!((forecast.ledger.requests(), forecast.faded), (0, now.plus(100_000 * HOUR)));
}

#[test]
fn the_last_worker_stays_as_long_as_what_may_be_late_asks_for() {
    let Service { mut forecast, objective, view, now } = Service::new(objective());
    let mut keeps = |requests: u32, held: u32, silence: u64, objective: &Objective| {
        (forecast.gaps, forecast.ledger) = (ten(60), Ledger::new(now));
        forecast.ledger.arrived(requests.into());
        forecast.keeps_last(now.plus(silence * SECOND), &view, objective, 30 * SECOND, held)
    };
    // Caution at the start leaves five sevenths of the hundredth; ten gaps and one unseen make 11 late, …
    let back = Some(Keep::Again(76_109_255_360));
    assert_eq!(keeps(1_000, 1, 50, &objective), back, "… more than 7.1");
    let eighth = Some(Keep::Until(30 * SECOND / 8));
    assert_eq!(keeps(1_700, 1, 0, &objective), eighth, "… not more than 12: as long as it is no silence");
    assert_eq!(keeps(1_700, 1, 30, &objective), Some(Keep::GONE));
    assert_eq!(keeps(1_700, 2, 0, &objective), Some(Keep::Until(FORSAKEN)), "more than one stay until they are let go");
    assert_eq!(keeps(1_500, 2, 4 * 3_600, &objective), Some(Keep::GONE));
    let price = |price: u32| Objective::price(price, Duration::ZERO);
    assert_eq!(keeps(0, 1, 50, &price(40)), back, "a gap of a minute is cheaper than a start and 40");
    assert_eq!(keeps(0, 1, 0, &price(3)), eighth, "dearer than a start and three");
    let patient =
        [Objective { within: Duration::from_secs(30), ..objective }, Objective::price(1_000, Duration::from_secs(30))];
    for objective in patient {
        assert_eq!(keeps(1, 1, 0, &objective), eighth, "who may wait for a start is missed by nobody");
    }
    let busy = View { requests: 1, ..view };
    assert_eq!(forecast.keeps_last(now, &busy, &objective, 30 * SECOND, 1), None);
}

#[test]
fn who_comes_within_a_cold_start_of_a_silence_would_be_late_without_a_worker() {
    let Service { mut forecast, view, objective, now } = Service::new(objective());
    let look = |forecast: &mut Forecast, now| {
        let _ = forecast.keeps_last(now, &view, &objective, 30 * SECOND, 1);
    };
    forecast.plan.lead_millis = 32_000;
    let at = |seconds: u64| now.plus(seconds * SECOND);
    forecast.arrived(now, 2, 2, None);
    forecast.arrived(at(4).minus(1), 2, 2, Some(now));
    assert_eq!(forecast.woke, None, "an eighth of a lead is a silence, less is none");
    forecast.arrived(at(8), 2, 2, Some(at(4)));
    assert_eq!(forecast.woke, Some((2, Timestamp::MAX)));
    look(&mut forecast, at(8));
    forecast.arrived(at(37), 3, 3, Some(at(20)));
    // After a cold start of 30 s, of which they may wait a tenth.
    let end = at(38).minus(SECOND / 10);
    assert_eq!(forecast.woke, Some((5, end)), "and all who come before a start is in time for them");
    look(&mut forecast, end.minus(1));
    assert_eq!(forecast.woke, Some((5, end)));
    let mut gaps = forecast.gaps.clone();
    gaps.woke(5);
    let mut looked = forecast.clone();
    look(&mut looked, end);
    assert_eq!((looked.woke, &looked.gaps), (None, &gaps));
    forecast.arrived(end.plus(1), 1, 1, None);
    assert_eq!((forecast.woke, &forecast.gaps), (None, &gaps), "whoever comes later is not one of them");
}

#[test]
fn at_a_price_all_workers_of_a_silent_service_go_together() {
    let Service { mut forecast, view, now, .. } = Service::new(objective());
    let price = Objective::price(600, Duration::from_millis(100));
    let mut keeps = |held| forecast.keeps_last(now, &view, &price, 30 * SECOND, held).map(|kept| kept.until() / SECOND);
    assert_eq!(keeps(1), Some(630), "a start of 30 s, and one late request");
    assert_eq!([keeps(2), keeps(6)], [Some(330), Some(130)], "and for each of several its part of one");
    for _ in 0..10 {
        forecast.gaps.woke(60);
    }
    let kept = forecast.keeps_last(now, &view, &price, 30 * SECOND, 6);
    assert_eq!(kept, Some(Keep::Until(6_030 * SECOND)), "as many as came after earlier silences: ten for each worker");
    let kept = forecast.keeps_last(now, &view, &objective(), 30 * SECOND, 2);
    assert_eq!(kept, Some(Keep::Until(FORSAKEN)));
}

#[test]
fn a_timer_finds_a_worker_that_was_gone_in_between() {
    let mut service = Service::new(Objective::price(300, Duration::from_millis(100)));
    let mut there = 0;
    for round in 0..40 {
        service.serves(1, 1, SECOND);
        for _ in 0..600 {
            service.passes(1);
            there += u64::from(round >= 30 && service.forecast.plan().workers > 0);
        }
        let plan = service.forecast.plan();
        assert!(round < 30 || (plan.workers, plan.because) == (1, Because::Prewarm), "{round}: {plan:?}");
    }
    let share = there / 60;
    assert!((20..60).contains(&share), "{share} % of the time, where one that stays is there all of it");
}

#[test]
fn the_first_two_hundred_completions_say_little() {
    let mut service = Service::new(objective());
    service.serves(19, 10, SECOND);
    assert_eq!(service.forecast.plan().because, Because::Learning);
    service.serves(1, 10, SECOND);
    assert_eq!(service.forecast.plan().completions, LEARNED);
    assert_ne!(service.forecast.plan().because, Because::Learning);
    let headroom = service.forecast.plan().headroom_millis;
    assert!((1_000..20_000).contains(&headroom), "{headroom} thousandths of a slot");
}

#[test]
fn an_objective_says_what_it_takes_and_what_the_most_workers_would_keep() {
    let mut service = Service::new(objective());
    let outlook = |service: &Service, most| service.forecast.outlook(&objective(), 1, most);
    service.serves(1, 10, SECOND);
    assert_eq!(outlook(&service, 5), None, "ten completions say nothing");
    service.serves(60, 10, SECOND);
    let few = outlook(&service, 5).unwrap();
    let enough = outlook(&service, few.needs).unwrap();
    assert!(!few.is_within_reach() && few.most_keep < Share::new(0.5).unwrap(), "{few}");
    assert!(enough.is_within_reach() && enough.most_keep >= Share::new(0.98).unwrap(), "{enough}");
    assert_eq!((few.needs, few.kept), (enough.needs, Some(Share::ONE)));
    assert!(few.reserve > 0 && few.reserve < few.needs, "{few}");
    assert_eq!(few.lead, Duration::from_millis(30_900));
    let text = alloc::format!("{enough}");
    assert_eq!(
        text,
        alloc::format!(
            "100 % in time of late; {} workers keep 99 %, {} of them idle until demand surges within 30 s: {} worker-seconds \
             for each late request less",
            enough.needs,
            enough.reserve,
            enough.price.unwrap()
        )
    );
    let text = alloc::format!("{few}");
    assert!(
        text.contains("; 5 workers, as many as there may be, keep ") && text.contains(" would keep 99 %, "),
        "{text}"
    );
}

/// Half a second of it late, and each served in `service` seconds.
pub(super) fn told(now: Timestamp, started: u32, late: u32, service: u64) -> Report {
    let mut reporter = Reporter::new(ObserverId(1), 1, Duration::from_millis(100), now.minus(5 * SECOND));
    reporter.arrived(started.into());
    for at in 0..started {
        reporter.started(Duration::from_millis(if at < late { 500 } else { 0 }));
        reporter.finished(Duration::from_secs(service));
    }
    reporter.report(now)
}

#[test]
fn it_learns_the_same_from_reports_as_from_events() {
    let Service { mut forecast, objective, view, now } = Service::new(objective());
    let mut other = forecast.clone();
    let (one, two) = (told(now, 30, 0, 4), told(now, 10, 2, 8));
    for report in [&one, &two] {
        forecast.told(now, report, None, &objective);
    }
    for report in [&two, &one] {
        other.told(now, report, None, &objective);
    }
    assert_eq!(forecast, other, "in any order");
    assert_eq!((forecast.next(), forecast.resting), (Some(now.plus(SECOND)), false), "it is looked at soon");
    forecast.tick(now.plus(SECOND), &view, &objective);
    assert_eq!((forecast.service, forecast.completions), (5 * SECOND, 40), "the mean of 30 × 4 s and 10 × 8 s");
    assert_eq!(forecast.ledger.kept(), Some(Share::new(0.95).unwrap()));
    assert_eq!(forecast.woke.map(|(count, _)| count), Some(8), "all who came after a silence");
    assert!(forecast.traffic.is_strained(now));
    let count = |forecast: &Forecast| forecast.traffic.counts()[0] / MICRO;
    assert_eq!((count(&forecast), forecast.told.is_coming()), (7, true), "a fifth of what came in five seconds");
    for second in 2..=5 {
        forecast.tick(now.plus(second * SECOND), &View { requests: 1, ..view }, &objective);
    }
    assert!((35..40).contains(&count(&forecast)), "all of it by then: {}", count(&forecast));
    let taken = forecast.told;
    assert_eq!(
        (taken.is_coming(), taken.gap(), taken.period()),
        (false, None, 5 * SECOND),
        "what was told is taken in once"
    );
    forecast.told(now.plus(6 * SECOND), &told(now, 0, 0, 1), Some(now), &objective);
    assert_eq!(forecast.told, taken, "who saw nothing says nothing");
}

/// A scrape every five seconds, each looked at when it is due.
fn scraped(service: &mut Service, scrapes: u32, arrived: u64, requests: u64, waiting: u64) {
    (service.view.requests, service.view.waiting) = (requests, waiting);
    for _ in 0..scrapes {
        service.view.oldest = waiting * SECOND;
        service.view.last_activity = service.now;
        service.forecast.counted(service.now, arrived * MICRO, 5 * SECOND, requests);
        service.passes(5);
    }
}

#[test]
fn it_learns_from_scrapes_how_long_requests_take_and_who_was_late() {
    let mut service = Service::new(objective());
    scraped(&mut service, 200, 20, 8, 0);
    let plan = service.forecast.plan();
    assert!(service.forecast.service.abs_diff(2 * SECOND) < SECOND / 50, "20 in five seconds, eight at a time: 2 s");
    assert!(plan.completions >= LEARNED && plan.forecast_millis.abs_diff(8_000) < 80, "{plan:?}");
    assert_eq!(plan.lead_millis, 30_000 - 100 + 5_000, "what it sees is five seconds old when it is acted upon");
    assert_eq!(service.forecast.ledger.kept(), Some(Share::ONE));
    scraped(&mut service, 1, 20, 10, 0);
    scraped(&mut service, 1, 20, 10, 0);
    // All ten slots are busy: who came then would have waited for a tenth of a service time, 0.2 s.
    let late = service.forecast.ledger.kept().map(|kept| Share::ONE.as_micros() - kept.as_micros());
    assert_eq!(
        late,
        Some(30_000_000_u32.div_ceil(202 * 20)),
        "half of the 20 that started before the first, all 20 since"
    );
}

#[test]
fn a_scrape_after_an_hour_without_any_is_no_surge_and_no_reason_to_look_an_hour_ahead() {
    let mut service = Service::new(objective());
    scraped(&mut service, 100, 20, 8, 0);
    let before = service.forecast.plan();
    service.forecast.counted(service.now, 14_400 * MICRO, HOUR, 8);
    service.passes(30);
    let plan = service.forecast.plan();
    assert_eq!(plan.lead_millis, before.lead_millis + 55_000, "a minute at the most");
    assert!(plan.forecast_millis <= before.forecast_millis + 500, "four a second, as before: {plan:?}");
    assert_eq!(service.forecast.ledger.requests(), 2_000 + 14_400, "all of them came");
    service.forecast.arrived(service.now, 1, 9, None);
    service.passes(1);
    assert_eq!(service.forecast.plan().lead_millis, 30_900, "who tells of each arrival is looked at every second");
}

#[test]
fn a_rate_is_counted_to_the_millionth_of_a_request() {
    let mut service = Service::new(objective());
    for _ in 0..7 {
        service.forecast.counted(service.now, MICRO / 4, SECOND, 0);
        service.passes(1);
    }
    assert_eq!((service.forecast.ledger.requests(), service.forecast.began.is_some()), (1, true));
}

#[test]
fn a_report_says_how_long_nobody_came_before_it() {
    let Service { mut forecast, objective, view, now } = Service::new(objective());
    forecast.told(now, &told(now, 1, 0, 1), None, &objective);
    forecast.tick(now.plus(SECOND), &view, &objective);
    assert_eq!(forecast.gaps, Gaps::default(), "nobody had ever come");
    let later = now.plus(70 * SECOND);
    forecast.told(later, &told(later, 3, 0, 1), Some(now), &objective);
    forecast.told(later, &told(later, 2, 0, 1), Some(later), &objective);
    forecast.tick(later.plus(SECOND), &view, &objective);
    let mut seen = Gaps::default();
    seen.saw(65 * SECOND);
    seen.woke(0);
    assert_eq!(forecast.gaps, seen, "until the span of five seconds began");
}

#[test]
fn a_digest_that_counts_another_time_as_late_is_read_by_its_buckets() {
    let now = Timestamp::from_secs(1_000);
    let slower = Objective::share(Share::new(0.99).unwrap(), Duration::from_millis(250));
    let mut sums = Told::default();
    sums.add(now, &told(now, 9, 4, 1), None, &slower);
    assert_eq!((sums.started, sums.late, sums.completions, sums.service), (9, 4, 9, 9 * SECOND));
    let slowest = Objective::share(Share::new(0.99).unwrap(), Duration::from_secs(1));
    sums.add(now, &told(now, 9, 4, 1), None, &slowest);
    assert_eq!((sums.started, sums.late), (18, 4));
}

#[test]
fn it_is_looked_at_when_it_is_time_to_and_no_earlier() {
    let Service { mut forecast, objective, view, now } = Service::new(objective());
    forecast.arrived(now, 1, 1, None);
    forecast.tick(now, &view, &objective);
    let before = forecast.clone();
    let next = forecast.next().unwrap();
    forecast.tick(next.minus(1), &view, &objective);
    assert_eq!(forecast, before);
    forecast.tick(next.plus(SECOND), &view, &objective);
    assert_eq!(forecast.last, next.plus(SECOND), "late is better than never");
}

#[test]
fn where_nothing_happens_it_is_looked_at_ever_more_seldom_and_then_not_at_all() {
    let mut service = Service::new(objective());
    service.serves(300, 2, SECOND);
    service.forecast.gaps = ten(500);
    let (mut ticks, mut seldom) = (0, 0);
    while !service.forecast.resting || seldom == 0 {
        let now = service.forecast.next().unwrap();
        service.forecast.tick(now, &service.view, &service.objective);
        ticks += 1;
        let silence = now.since(service.view.last_activity);
        let slower = silence > 8 * SECOND;
        let next = service.forecast.next().unwrap();
        if service.forecast.traffic.counts() != [0; 2] {
            assert_eq!(service.forecast.resting, slower, "{silence}");
            assert_eq!(next.since(now), SECOND.max(silence / 8), "{silence}");
        }
        seldom += u32::from(slower);
    }
    service.now = service.forecast.last;
    service.passes(280);
    let Forecast { plan, next, .. } = service.forecast;
    assert_eq!((plan.workers, plan.because), (0, Because::LastWorker), "nobody ever came back so soon");
    let quiet = service.view.last_activity;
    let since = |instant: Timestamp| instant.since(quiet) / SECOND;
    assert_eq!(next.map(since), Some(400), "until then it sleeps");
    service.passes(120);
    let Forecast { plan, next, .. } = service.forecast;
    assert_eq!((plan.workers, plan.because), (1, Because::Prewarm), "as long as others came back after");
    assert_eq!(next.map(since), Some(608));
    service.passes(600);
    let Forecast { traffic, plan, next, .. } = service.forecast;
    assert_eq!((traffic.occupancy(), traffic.counts(), next), (0, [0; 2], None), "all that came has faded");
    assert_eq!((plan.workers, plan.because), (0, Because::LastWorker));
    assert!(ticks < 40, "{ticks}");
}

#[test]
fn a_request_that_takes_hours_is_forsaken_after_four() {
    let mut service = Service::new(objective());
    service.serves(60, 2, SECOND);
    service.view.requests = 1;
    service.passes(4 * 3_600 - 60);
    assert!(service.forecast.next().is_some(), "somebody is there");
    service.passes(3_600);
    assert_eq!(service.forecast.next(), None);
}

#[test]
fn what_was_planned_of_late_is_held_and_says_so() {
    let mut service = Service::new(objective());
    service.serves(300, 5, SECOND);
    let planned = service.forecast.plan().workers;
    service.serves(15, 0, SECOND);
    let plan = service.forecast.plan();
    assert_eq!((plan.workers, plan.because), (planned, Because::Hold));
}

#[test]
fn at_a_price_errors_are_weighed_by_time_and_sleep_is_without_any() {
    let mut service = Service::new(Objective::price(100, Duration::from_millis(100)));
    service.serves(200, 5, SECOND);
    assert_ne!(service.forecast.strays.by(Spread::Roots), &Errors::new(), "two hundred seconds of them");
    service.passes(2_000);
    assert!(service.forecast.resting);
    let (since, now) = (service.forecast.last, service.now);
    let slept = now.since(since) / SECOND;
    assert!((60..3_600).contains(&slept), "{slept}");
    let mut expected = service.forecast.strays.clone();
    for _ in 0..now.since(service.forecast.faded) / HOUR {
        expected.fade();
    }
    expected.slept(slept);
    service.forecast.arrived(now, 1, 1, Some(service.view.last_activity));
    service.forecast.tick(now, &service.view, &service.objective);
    for spread in [Spread::Roots, Spread::Slots] {
        assert_eq!(service.forecast.strays.by(spread), expected.by(spread));
    }
}

proptest! {
    /// The law of that name, for what is proposed by what is known: the same errors were seen.
    #[test]
    fn more_load_never_fewer(
        price in 0_u32..100_000, service in 1_u64..100 * SECOND, lead in 1_u64..200 * SECOND, concurrency in 1_u32..40,
        demand in 0_u64..500 * MICRO, rate in 0_u64..500 * MICRO, waiting in 0_u64..500, caution in 0..7 * ONE,
        errors in prop::collection::vec((0..400 * MICRO, 0..400 * MICRO, 0_u64..2_000), 0..40),
        more in (0_u64..100 * MICRO, 0_u64..100 * MICRO, 0_u64..100),
        share in any::<bool>(), slots in any::<bool>(),
    ) {
        let within = Duration::from_millis(100);
        let objective = if share { objective() } else { Objective::price(price, within) };
        let mut forecast = Forecast::new(Timestamp::ORIGIN);
        for (expected, demand, requests) in errors {
            forecast.strays.saw(expected, demand, requests);
        }
        let known = |(demand, rate, waiting): (u64, u64, u64)| Circumstances {
            demand, rate, coming: rate, service, measured: true, lead, highest: 700 * MICRO, caution, concurrency,
            ready: 3, starting: 1, waiting, spread: if slots { Spread::Slots } else { Spread::Roots },
        };
        let workers = |load| forecast.draft(&known(load), &objective).workers;
        let load = (demand, rate, waiting);
        prop_assert!(workers((demand + more.0, rate + more.1, waiting + more.2)) >= workers(load));
    }
}

#[test]
fn a_reserve_that_is_dearer_than_it_may_be_is_not_kept() {
    // Every quarter of an hour a hundred come from nothing, and are there for a minute.
    let kept = |objective: Objective| {
        let mut service = Service::new(objective);
        for _ in 0..20 {
            service.crowd(100, 60);
            service.serves(1, 1, SECOND);
            service.passes(839);
        }
        let outlook = service.forecast.outlook(&service.objective, 1, 1_000).unwrap();
        (service.forecast.plan(), outlook)
    };
    let (plan, outlook) = kept(objective());
    let price = outlook.price.unwrap();
    assert!(plan.workers >= 100 && outlook.is_within_reach(), "{plan:?}, {outlook}");
    assert!((500..=1_500).contains(&price), "a hundred workers for a quarter of an hour spare a hundred: {price}");
    let (plan, outlook) = kept(objective().up_to(price / 3));
    assert!(plan.workers <= 1, "{plan:?}");
    assert!(outlook.is_dear() && !outlook.is_within_reach(), "{outlook}");
    let (plan, outlook) = kept(objective().up_to(price * 3));
    assert!(plan.workers >= 100 && outlook.is_within_reach(), "{plan:?}, {outlook}");
}
