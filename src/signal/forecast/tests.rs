use super::*;
use crate::observation::ObserverId;
use crate::report::Reporter;
use crate::units::Share;
use core::time::Duration;

/// A service that is looked at every second: its workers are what the test says.
struct Service {
    forecast: Forecast,
    objective: Objective,
    view: View,
    now: Timestamp,
}

impl Service {
    fn new(objective: Objective) -> Self {
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
    fn serves(&mut self, seconds: u64, per_second: u32, service: u64) {
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
    fn passes(&mut self, seconds: u64) {
        let end = self.now.plus(seconds * SECOND);
        while let Some(next) = self.forecast.next().filter(|next| *next <= end) {
            self.forecast.tick(next.max(self.now), &self.view, &self.objective);
            self.now = self.now.max(next);
        }
        self.now = end;
    }

    fn caution(&self) -> u64 {
        self.forecast.ledger.caution(self.objective.may_be_late().unwrap_or(0))
    }
}

fn objective() -> Objective {
    Objective::share(Share::new(0.99).unwrap(), Duration::from_millis(100))
}

/// Caution at the start: neither more nor less may be risked than the objective alone allows.
const NEITHER: u64 = 2 * ONE;

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
        service.forecast.errors.saw(20_000, 1_000);
    }
    service.serves(10, 5, SECOND);
    let plan = service.forecast.plan();
    assert_eq!(plan.because, Because::Peak);
    assert!(plan.workers <= 8, "five at once, and half their root: {plan:?}");
}

#[test]
fn a_queue_that_stands_while_nothing_starts_orders_a_tenth_more() {
    let mut service = Service::new(objective());
    service.serves(300, 5, SECOND);
    (service.view.overloaded, service.view.ready) = (true, 40);
    service.passes(2);
    assert_eq!((service.forecast.plan().workers, service.forecast.plan().because), (44, Because::Overloaded));
    service.view.starting = 4;
    service.passes(2);
    assert_ne!(service.forecast.plan().because, Because::Overloaded, "what starts may be enough");
    assert_eq!(service.forecast.plan().workers, 44, "and is kept for the time of a cold start");
}

#[test]
fn without_data_the_last_worker_costs_at_most_twice_what_who_knows_the_future_pays() {
    // To keep it for a gap costs the gap, to order it again a cold start and one late request.
    let (start, worth) = (30_u64, 100_u64);
    let stay = Gaps::default().cheapest(start * 1_000_000, worth * 1_000_000, 1, 1);
    let again = (start + worth) * SECOND;
    for gap in (1..2_000).map(|gap| gap * SECOND) {
        let paid = if gap <= stay { gap } else { stay + again };
        assert!(paid <= 2 * gap.min(again), "{gap}: {paid}");
    }
}

#[test]
fn recurring_gaps_are_kept_through_or_not() {
    let mut gaps = Gaps::default();
    for _ in 0..40 {
        gaps.saw(60 * SECOND);
    }
    let stay = |start: u64, worth: u64| gaps.cheapest(start * 1_000_000, worth * 1_000_000, 1, 1);
    assert!((60 * SECOND..120 * SECOND).contains(&stay(30, 100)), "a minute is cheaper than a start");
    assert_eq!(stay(5, 1), 0, "a minute is dearer than a start");
    assert!(gaps.within_budget(1) >= 60 * SECOND, "forty starts would make more than one late");
    assert_eq!(gaps.within_budget(1_000), 0);
}

const MAY: u64 = 10_000;

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

/// Ten gaps of so many seconds, of which each may make requests late.
fn ten(seconds: u64) -> Gaps {
    let mut gaps = Gaps::default();
    for _ in 0..10 {
        gaps.saw(seconds * SECOND + SECOND / 2);
    }
    gaps
}

#[test]
fn gaps_are_told_by_the_longest_of_their_half_octave() {
    let root = 1_414_213_562;
    for (gap, longest) in [
        (0, 0),
        (1, root),
        (2, 2 * root),
        (3, 4 * SECOND),
        (45, 32 * root),
        (46, 64 * SECOND),
        (63, 64 * SECOND),
        (64, 64 * root),
        (500_000, 65_536 * SECOND),
    ] {
        assert_eq!(ten(gap).within_budget(1), longest, "{gap} s");
    }
}

#[test]
fn the_last_worker_stays_until_few_enough_gaps_are_longer() {
    // Ten gaps, and half of one that was never seen: 10.5 late requests if each makes one late.
    let mut gaps = ten(63);
    assert_eq!([10, 11].map(|budget| gaps.within_budget(budget)), [64 * SECOND, 0]);
    (0..10).for_each(|_| gaps.started(4));
    assert_eq!([41, 42].map(|budget| gaps.within_budget(budget)), [64 * SECOND, 0], "four each");
    gaps.started(14);
    assert_eq!([52, 53].map(|budget| gaps.within_budget(budget)), [64 * SECOND, 0], "five: one of ten made it 14");
    gaps.fade();
    assert_eq!([48, 49].map(|budget| gaps.within_budget(budget)), [64 * SECOND, 0], "146 of 160 are remembered");
    let mut few = Gaps::default();
    few.started(4);
    few.started(2);
    assert_eq!(few.cheapest(30 * MICRO, 100 * MICRO, 1, 1), 330 * SECOND, "three late requests, and the start");
}

#[test]
fn the_cheapest_stay_is_found_among_the_gaps_that_were_seen() {
    let cheapest = |gaps: &Gaps, start: u64| gaps.cheapest(start * MICRO, MICRO, 1, 1);
    let mut gaps = Gaps::default();
    (0..9).for_each(|_| gaps.saw(SECOND));
    assert_eq!(cheapest(&gaps, 9), 10 * SECOND, "nine gaps say nothing: as long as a start costs");
    gaps.saw(SECOND);
    assert_eq!(cheapest(&gaps, 9), 1_414_213_562);
    assert_eq!(cheapest(&gaps, 0), 0, "a start is cheaper than any gap");
    (0..10).for_each(|_| gaps.saw(63 * SECOND));
    assert_eq!(cheapest(&gaps, 9), 1_414_213_562, "through the short ones only");
    assert_eq!(cheapest(&gaps, 62), 64 * SECOND, "through all");
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
    assert_eq!(forecast.constants(), [64 * SECOND, 8 * SECOND]);
    forecast.service = SECOND / 10;
    assert_eq!(forecast.constants(), [8 * SECOND, 2 * SECOND], "the least of each");
    assert_eq!([0, 64, 640].map(|cold| forecast.tick_length(cold * SECOND)), [1, 1, 10].map(|tick| tick * SECOND));
    forecast.service = 128 * SECOND;
    assert_eq!(forecast.tick_length(64 * SECOND), 2 * SECOND);
}

#[test]
fn rates_are_known_early_and_stay() {
    let mut service = Service::new(objective());
    for seconds in [5, 20, 300] {
        service.serves(seconds, 10, SECOND);
        for which in [0, 1] {
            let rate = service.forecast.rate(service.forecast.last, which);
            assert!(rate.abs_diff(10 * MICRO) < 2 * MICRO, "{rate} after {seconds} s, {which}");
        }
    }
    let plan = service.forecast.plan();
    assert_eq!(plan.lead_millis, 30_900, "a cold start, less the patience, and a tick");
    service.view.cold_start = 0;
    service.serves(2, 10, SECOND);
    assert_eq!(service.forecast.plan().lead_millis, plan.lead_millis, "which is taken to be half a minute");
}

#[test]
fn demand_is_what_came_where_somebody_waits() {
    let objective = objective();
    let mut service = Service::new(objective);
    let (now, view) = (service.now, service.view);
    let forecast = &mut service.forecast;
    (forecast.occupancy, forecast.most) = (99 * MICRO, 0);
    let crowd = View { requests: 500, waiting: 1, oldest: SECOND / 10, ..view };
    assert_eq!(forecast.demand(now, &crowd, &objective), 500 * MICRO, "in time is no strain");
    let late = View { oldest: SECOND / 10 + 1, ..crowd };
    assert_eq!(forecast.demand(now, &View { waiting: 0, ..late }, &objective), 500 * MICRO, "nobody is late");
    assert_eq!(forecast.demand(now, &late, &objective), 120 * MICRO, "99, two times their root, and one");
    let soon = |millis: u64| now.plus(millis * 1_000_000);
    assert_eq!(forecast.demand(soon(2_999), &crowd, &objective), 120 * MICRO, "for three service times");
    assert_eq!(forecast.demand(soon(3_000), &view, &objective), 500 * MICRO, "the most since it was last asked");
    assert_eq!(forecast.demand(soon(3_000), &view, &objective), 0);
}

#[test]
fn an_error_is_counted_against_the_forecast_of_a_lead_ago() {
    let now = Timestamp::from_secs(1_000);
    let mut forecast = Forecast::new(now);
    let known = |demand: u64| Circumstances { demand, lead: 80 * SECOND, service: u64::MAX, ..Default::default() };
    // Nothing decays: what is forecast is the demand that was, 99, with a deviation of 10.
    forecast.remember(now, &known(99 * MICRO));
    forecast.remember(now.plus(10 * SECOND - 1), &known(0));
    assert_eq!(forecast.past.iter().flatten().count(), 1, "an eighth of a lead apart");
    forecast.remember(now.plus(10 * SECOND), &known(0));
    assert_eq!(forecast.past[0].map(|past| past.demand), Some(0), "the newest in front");
    let before = forecast.errors.clone();
    forecast.judge(now.plus(80 * SECOND - 1), &known(0), 7);
    assert_eq!(forecast.errors, before, "it is not due");
    let seen = |error: i64| {
        let mut errors = before.clone();
        errors.saw(error, 7);
        errors
    };
    for (demand, error) in [(129, 3 * 256), (99, 0), (84, -384)] {
        let mut forecast = forecast.clone();
        forecast.judge(now.plus(80 * SECOND), &known(demand * MICRO), 7);
        assert_eq!(forecast.errors, seen(error), "{demand}");
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
fn the_last_worker_stays_as_long_as_half_of_what_may_be_late_asks_for() {
    let Service { mut forecast, objective, view, now } = Service::new(objective());
    let mut keeps = |requests: u32, held: u32, objective: &Objective| {
        (forecast.gaps, forecast.ledger) = (ten(63), Ledger::new(now));
        forecast.ledger.arrived(requests.into());
        forecast.keeps_last(now, &view, objective, 30 * SECOND, held).map(|until| until.since(now) / SECOND)
    };
    // Ten gaps of up to 64 s and half of one unseen make 10.5 late if it never stays.
    assert_eq!(keeps(2_000, 1, &objective), Some(64), "more than half of 20");
    assert_eq!(keeps(2_200, 1, &objective), Some(30), "not more than half of 22: as long as a start takes");
    assert_eq!(keeps(2_200, 2, &objective), Some(4 * 3_600), "more than one stay until they are let go");
    let price = |price: u32| Objective::price(price, Duration::ZERO);
    assert_eq!(keeps(0, 1, &price(35)), Some(64), "a gap costs 64, a start 30 + 35");
    assert_eq!(keeps(0, 1, &price(33)), Some(30), "a start 30 + 33");
    let busy = View { requests: 1, ..view };
    assert_eq!(forecast.keeps_last(now, &busy, &objective, 30 * SECOND, 1), None);
}

#[test]
fn a_start_from_zero_counts_who_is_late_by_it() {
    let Service { mut forecast, objective, view, now } = Service::new(objective());
    forecast.arrived(now, 1, 1, None);
    assert_eq!(forecast.from_zero, Some((0, Timestamp::MAX)));
    forecast.started(now, SECOND / 10, true, &objective);
    assert_eq!((forecast.from_zero, forecast.strained), (Some((0, Timestamp::MAX)), Timestamp::ORIGIN), "in time");
    let _ = forecast.keeps_last(now, &view, &objective, 30 * SECOND, 1);
    let until = now.plus(32 * SECOND);
    assert_eq!(forecast.from_zero, Some((0, until)), "for a cold start and two service times");
    forecast.started(until, SECOND, true, &objective);
    forecast.started(until.plus(1), SECOND, true, &objective);
    forecast.started(until.plus(1), SECOND, true, &objective);
    forecast.arrived(now, 1, 1, None);
    assert_eq!(forecast.from_zero, Some((1, until)));
    let _ = forecast.keeps_last(now.plus(32 * SECOND - 1), &view, &objective, 30 * SECOND, 1);
    assert!(forecast.from_zero.is_some());
    let _ = forecast.keeps_last(until, &view, &objective, 30 * SECOND, 1);
    assert_eq!(forecast.from_zero, None);
    forecast.plan.workers = 1;
    forecast.arrived(until, 1, 1, None);
    assert_eq!(forecast.from_zero, None, "somebody is there");
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
    let outlook = |service: &Service, most| service.forecast.outlook(Share::new(0.99).unwrap(), 1, most);
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
            "100 % in time of late; {} workers keep 99 %, {} of them idle until demand surges within 30 s",
            enough.needs,
            enough.reserve
        )
    );
    let text = alloc::format!("{few}");
    assert!(
        text.contains("; 5 workers, as many as there may be, keep ") && text.contains(" would keep 99 %, "),
        "{text}"
    );
}

/// Half a second of it late, and each served in `service` seconds.
fn told(now: Timestamp, started: u32, late: u32, service: u64) -> Report {
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
    assert_eq!(forecast.from_zero.map(|(late, _)| late), Some(2), "there was no plan when they came");
    assert!(forecast.strained > now);
    let count = |forecast: &Forecast| forecast.counts[0] / MICRO;
    assert_eq!((count(&forecast), forecast.told.is_coming()), (7, true), "a fifth of what came in five seconds");
    for second in 2..=5 {
        forecast.tick(now.plus(second * SECOND), &View { requests: 1, ..view }, &objective);
    }
    assert!((35..40).contains(&count(&forecast)), "all of it by then: {}", count(&forecast));
    assert_eq!(forecast.told, Told::default(), "what was told is taken in once");
    forecast.told(now.plus(6 * SECOND), &told(now, 0, 0, 1), Some(now), &objective);
    assert_eq!(forecast.told, Told::default(), "who saw nothing says nothing");
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
    seen.started(0);
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
fn at_a_price_all_workers_of_a_silent_service_go_together() {
    let Service { mut forecast, view, now, .. } = Service::new(objective());
    let price = Objective::price(600, Duration::from_millis(100));
    let mut keeps = |held, concurrency| {
        let view = View { concurrency, ..view };
        forecast.keeps_last(now, &view, &price, 30 * SECOND, held).map(|until| until.since(now) / SECOND)
    };
    assert_eq!(keeps(1, 8), Some(630), "a start of 30 s, and one late request");
    assert_eq!(
        [keeps(2, 1), keeps(6, 1), keeps(2, 8)],
        [Some(630), Some(630), Some(4_830)],
        "as many late as have slots"
    );
    for _ in 0..10 {
        forecast.gaps.started(60);
    }
    let until = forecast.keeps_last(now, &view, &price, 30 * SECOND, 6);
    assert_eq!(until, Some(now.plus(6_030 * SECOND)), "or as were late before: ten for each worker");
    assert_eq!(forecast.keeps_last(now, &view, &objective(), 30 * SECOND, 2), Some(now.plus(FORSAKEN)));
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
        if service.forecast.counts != [0; 2] {
            assert_eq!(service.forecast.resting, slower, "{silence}");
            assert_eq!(next.since(now), SECOND.max(silence / 8), "{silence}");
        }
        seldom += u32::from(slower);
    }
    service.now = service.forecast.last;
    service.passes(200);
    let Forecast { plan, next, .. } = service.forecast;
    assert_eq!((plan.workers, plan.because), (1, Because::LastWorker), "as long as others came back after");
    assert_eq!(next, Some(service.view.last_activity.plus(512 * SECOND)), "until then it sleeps");
    service.passes(600);
    let Forecast { occupancy, counts, plan, next, .. } = service.forecast;
    assert_eq!((occupancy, counts, next), (0, [0; 2], None), "all that came has faded");
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
    service.serves(5, 0, SECOND);
    let plan = service.forecast.plan();
    assert_eq!((plan.workers, plan.because), (planned, Because::Hold));
}

#[test]
fn at_a_price_errors_are_weighed_by_time_and_sleep_is_without_any() {
    let mut service = Service::new(Objective::price(100, Duration::from_millis(100)));
    service.serves(200, 5, SECOND);
    assert_ne!(service.forecast.errors, Errors::new(), "two hundred seconds of them");
    service.passes(2_000);
    assert!(service.forecast.resting);
    let (since, now) = (service.forecast.last, service.now);
    let slept = now.since(since) / SECOND;
    assert!((60..3_600).contains(&slept), "{slept}");
    let mut expected = service.forecast.errors.clone();
    for _ in 0..now.since(service.forecast.faded) / HOUR {
        expected.fade();
    }
    expected.saw(0, slept);
    service.forecast.arrived(now, 1, 1, Some(service.view.last_activity));
    service.forecast.tick(now, &service.view, &service.objective);
    assert_eq!(service.forecast.errors, expected);
}
