use alloc::vec::Vec;
use core::time::Duration;

use super::Guard::{Bounds, DownDelay, Freshness, IdleTimeout, Tolerance, UpDelay, ZeroGate};
use super::*;
use crate::config::{Cliff, StepLimit};
use crate::policy::Policy;
use crate::units::Share;

const SECOND: u64 = 1_000_000_000;
const LIMITS: Limits = Limits { min: 0, max: 10, least: 0, most: 10 };

fn at(secs: u64) -> Timestamp {
    Timestamp::from_secs(secs)
}

/// Bounds 0 to 10, up delay 30 s, down delay 60 s.
fn config() -> Config {
    let config = Config::new(Policy::External, 0, 10).unwrap();
    config.with_up_delay(Duration::from_secs(30)).unwrap().with_down_delay(Duration::from_secs(60)).unwrap()
}

/// A pool at one count, told what is wanted as time goes by.
struct Bench {
    guards: Guards,
    config: Config,
    count: u32,
    last: Option<[Stage; GUARDS]>,
}

impl Bench {
    fn new(config: Config, count: u32) -> Self {
        let mut bench = Self { guards: Guards::new(at(0)), config, count, last: None };
        bench.wants(0, count);
        bench
    }

    fn demand(&self, secs: u64, want: u32, keep: u32) -> Demand {
        Demand {
            now: at(secs),
            count: self.count,
            want,
            firm: want,
            keep,
            blind: false,
            settling: false,
            quiet: false,
            backlog_workers: 0,
            held_workers: 0,
            surplus: None,
            mode: Mode::Automatic,
            limits: Limits {
                min: self.config.min(),
                max: self.config.max(),
                least: self.config.min(),
                most: self.config.max(),
            },
        }
    }

    fn apply(&mut self, demand: &Demand) -> u32 {
        let stages = self.guards.apply(demand, &self.config).0.all();
        let folded = stages.iter().fold(demand.proposed(), |count, stage| stage.effect.apply(count));
        self.count = stages[GUARDS - 1].count;
        assert_eq!(folded, self.count);
        self.last = Some(stages);
        self.count
    }

    fn wants(&mut self, secs: u64, want: u32) -> u32 {
        self.apply(&self.demand(secs, want, want))
    }

    fn effect(&self, guard: Guard) -> Effect {
        self.last.unwrap().iter().find(|stage| stage.guard == guard).unwrap().effect
    }
}

#[test]
fn stages_are_listed_in_their_order() {
    let mut bench = Bench::new(config(), 3);
    bench.wants(1, 5);
    let order: Vec<_> = bench.last.unwrap().iter().map(|stage| stage.guard).collect();
    let before = [Freshness, ZeroGate, Tolerance, Guard::Surplus, UpDelay, DownDelay];
    assert_eq!(order, [&before[..], &[Guard::StepLimit, IdleTimeout, Guard::Mode, Bounds]].concat());
}

#[test]
fn the_up_delay_gives_the_least_that_was_wanted_throughout_it() {
    let mut bench = Bench::new(config(), 3);
    assert_eq!(bench.wants(10, 8), 3);
    assert_eq!(bench.wants(20, 5), 3);
    assert_eq!(bench.wants(39, 9), 3);
    assert_eq!(bench.effect(UpDelay), Effect::AtMost(3));
    assert_eq!(bench.guards.next_change(at(39), 3, LIMITS, &bench.config), Some(at(40)));
    assert_eq!(bench.wants(40, 9), 5, "eight was wanted at first and nine at last, but five throughout");
    assert_eq!(bench.wants(69, 9), 9, "and nine has been wanted since 39");
}

#[test]
fn the_down_delay_keeps_the_most_that_was_wanted_throughout_it() {
    let mut bench = Bench::new(config(), 9);
    for (secs, want, count) in [(10, 2, 9), (40, 4, 9), (50, 1, 9), (69, 1, 9), (70, 1, 4), (109, 1, 4), (110, 1, 1)] {
        assert_eq!(bench.wants(secs, want), count, "at {secs}");
    }
}

#[test]
fn growing_restarts_the_down_delay_and_shrinking_the_up_delay() {
    let config = config().with_up_delay(Duration::ZERO).unwrap();
    let mut bench = Bench::new(config, 3);
    bench.wants(100, 4);
    // The four was a stray sample, but the pool followed it: three must be enough for a whole delay again.
    assert_eq!(bench.wants(101, 3), 4);
    assert_eq!(bench.wants(160, 3), 4);
    assert_eq!(bench.wants(161, 3), 3);
}

#[test]
fn waking_passes_delays_and_steps_but_not_the_bounds() {
    let config = config().with_up_step(StepLimit::workers(1, Duration::from_secs(60))).unwrap();
    let mut bench = Bench::new(config, 0);
    let wake = Demand { backlog_workers: 25, ..bench.demand(5, 1, 1) };
    assert_eq!(bench.apply(&wake), 10);
    assert_eq!(bench.effect(ZeroGate), Effect::AtLeast(25));
    assert_eq!(bench.effect(Bounds), Effect::AtMost(10));
}

#[test]
fn a_backlog_that_grows_at_the_waking_instant_is_answered_at_that_instant() {
    let mut bench = Bench::new(config(), 0);
    for (backlog_workers, count) in [(1, 1), (2, 2), (3, 3)] {
        assert_eq!(bench.apply(&Demand { backlog_workers, ..bench.demand(5, 1, 1) }), count);
    }
    assert_eq!(bench.apply(&Demand { backlog_workers: 9, ..bench.demand(6, 9, 9) }), 3, "then the up delay holds");
    assert!(bench.guards.is_waking(), "while the backlog is there");
    bench.apply(&bench.demand(7, 3, 3));
    assert!(!bench.guards.is_waking());
}

#[test]
fn the_last_worker_goes_when_the_system_has_been_quiet_and_not_before() {
    let mut bench = Bench::new(config(), 2);
    bench.wants(1, 0);
    assert_eq!(bench.wants(61, 0), 1);
    assert_eq!(bench.effect(ZeroGate), Effect::AtLeast(1));
    assert_eq!(bench.apply(&Demand { quiet: true, ..bench.demand(62, 0, 0) }), 0);
    assert_eq!(bench.effect(ZeroGate), Effect::Pass, "the proposal was zero and stays it");
}

#[test]
fn blindness_holds_and_does_not_count_as_low_demand() {
    let mut bench = Bench::new(config(), 4);
    let blind = Demand { blind: true, ..bench.demand(10, 0, 0) };
    assert_eq!(bench.apply(&blind), 4);
    assert_eq!(bench.effect(Freshness), Effect::AtLeast(4));
    assert_eq!(bench.wants(3_600, 1), 4, "an hour of blindness is no hour of low demand");
    assert_eq!(bench.wants(3_660, 1), 1);
}

#[test]
fn a_demand_within_the_tolerance_is_no_demand() {
    let mut bench = Bench::new(config().with_tolerance(Share::new(0.25).unwrap()), 8);
    bench.wants(0, 10);
    assert_eq!(bench.wants(1_000, 10), 8);
    assert_eq!(bench.effect(Tolerance), Effect::Exactly(8));
    bench.wants(1_000, 6);
    assert_eq!(bench.wants(2_000, 6), 8);
    bench.wants(2_000, 5);
    assert_eq!(bench.wants(2_060, 5), 5);
}

#[test]
fn steps_are_limited_per_period_from_the_first_change_in_it() {
    let config = config().with_up_delay(Duration::ZERO).unwrap().with_down_delay(Duration::ZERO).unwrap();
    let config =
        config.with_up_step(StepLimit { workers: Some(2), percent: Some(50), period: Duration::from_secs(60) });
    let config = config.unwrap().with_down_step(StepLimit::percent(50, Duration::from_secs(30))).unwrap();
    let mut bench = Bench::new(config, 2);
    for (secs, want, count) in [(10, 9, 4), (20, 9, 4), (69, 9, 4), (70, 9, 6), (130, 9, 9)] {
        assert_eq!(bench.wants(secs, want), count, "up at {secs}");
        if count == 4 {
            assert_eq!(bench.guards.next_change(at(secs), count, LIMITS, &bench.config), Some(at(70)));
            assert_eq!(bench.guards.step_until(true, &bench.config), Some(at(70)));
        }
    }
    for (secs, want, count) in [(200, 1, 4), (229, 1, 4), (230, 1, 2), (260, 1, 1)] {
        assert_eq!(bench.wants(secs, want), count, "down at {secs}");
    }
}

#[test]
fn the_outlook_names_the_next_change_of_either_delay() {
    let mut bench = Bench::new(config(), 3);
    bench.wants(100, 5);
    assert_eq!(bench.guards.outlook(3, LIMITS, &bench.config), Some((UpDelay, 5, at(130))));
    assert_eq!(bench.guards.pressed_since(3), Some(at(100)));
    bench.wants(130, 5);
    bench.wants(200, 1);
    assert_eq!(bench.guards.outlook(5, LIMITS, &bench.config), Some((DownDelay, 1, at(260))));
    assert_eq!(bench.guards.pressed_since(5), Some(at(200)));
    assert_eq!(bench.guards.next_change(at(200), 5, LIMITS, &bench.config).map(|t| t.since(at(0))), Some(260 * SECOND));
}

#[test]
fn the_idle_timeout_keeps_what_cannot_go_yet() {
    let config = config().with_down_delay(Duration::ZERO).unwrap();
    let mut bench = Bench::new(config, 6);
    let held = Demand { held_workers: 4, ..bench.demand(10, 1, 1) };
    assert_eq!(bench.apply(&held), 4);
    assert_eq!(bench.effect(IdleTimeout), Effect::AtLeast(4));
    let more = Demand { held_workers: 9, ..bench.demand(20, 1, 1) };
    assert_eq!(bench.apply(&more), 4, "it holds, but never raises the count");
    assert_eq!(bench.wants(30, 1), 1);
}

/// The bounds of the configuration, and a grant of so many workers.
fn granted(workers: u32) -> Limits {
    Limits { max: workers, ..LIMITS }
}

#[test]
fn what_the_delays_let_through_moves_the_count_and_nothing_else() {
    let bench = Bench::new(config(), 3);
    // What was wanted since 0 s is wanted until 100 s, and something else for `secs` from then on.
    let stays = |secs: u64, demand: Demand| {
        let mut guards = bench.guards.clone();
        assert!(guards.stays(&bench.demand(100, 3, 3), &bench.config));
        let begins = guards.stays(&Demand { now: at(100), ..demand }, &bench.config);
        assert!(begins, "no delay has passed");
        guards.stays(&Demand { now: at(100 + secs), ..demand }, &bench.config)
    };
    let (more, fewer) = (bench.demand(100, 5, 5), bench.demand(100, 1, 1));
    assert_eq!([29, 30].map(|secs| stays(secs, more)), [true, false]);
    assert_eq!([59, 60].map(|secs| stays(secs, fewer)), [true, false]);
    assert!(stays(1_000, Demand { limits: granted(3), ..more }), "the most is there");
    assert!(stays(1_000, Demand { limits: Limits { min: 3, ..LIMITS }, ..fewer }), "no more than the least is there");
    assert!(stays(1_000, Demand { settling: true, ..fewer }), "not a whole window has been seen");
}

#[test]
fn only_last_peaks_and_cliffs_make_the_guards_more_than_delays() {
    let config = config();
    assert!(Guards::are_simple(&config));
    let cliff =
        Cliff { fall: Share::new(0.5).unwrap(), within: Duration::from_secs(60), down_delay: Duration::from_secs(600) };
    assert!(!Guards::are_simple(&config.clone().with_cliff(cliff).unwrap()));
    assert!(!Guards::are_simple(&config.with_blind(Blind::LastPeak(Duration::from_secs(60))).unwrap()));
}

#[test]
fn a_guard_wakes_nobody_for_what_it_will_not_let_through() {
    let mut bench = Bench::new(config(), 3);
    let next = |bench: &Bench, limits: Limits| bench.guards.next_change(at(100), 3, limits, &bench.config);
    bench.wants(1, 3);
    assert_eq!(bench.guards.next_change(at(1), 3, LIMITS, &bench.config), None, "what is wanted is there");
    bench.wants(100, 5);
    let most = Limits { max: 3, most: 3, ..LIMITS };
    assert_eq!([LIMITS, most].map(|limits| next(&bench, limits)), [Some(at(130)), None]);
    bench.wants(100, 1);
    let least = Limits { min: 3, ..LIMITS };
    assert_eq!([LIMITS, least].map(|limits| next(&bench, limits)), [Some(at(160)), None]);
}

#[test]
fn who_woke_for_no_backlog_is_not_waking_when_one_comes() {
    let mut bench = Bench::new(config(), 0);
    assert_eq!(bench.wants(5, 1), 1);
    assert!(bench.guards.is_waking());
    bench.apply(&Demand { backlog_workers: 2, ..bench.demand(6, 1, 1) });
    assert!(!bench.guards.is_waking());
}

#[test]
fn a_grant_that_takes_workers_and_gives_them_back_starts_no_delay() {
    let mut bench = Bench::new(config(), 5);
    let wants = |bench: &mut Bench, secs: u64, workers: u32| {
        bench.apply(&Demand { limits: granted(workers), ..bench.demand(secs, 5, 5) })
    };
    assert_eq!([(100, 3), (110, 10)].map(|(secs, workers)| wants(&mut bench, secs, workers)), [3, 5]);

    // Growth under a grant counts as any other: the down delay begins.
    let config = config().with_up_delay(Duration::ZERO).unwrap();
    let mut bench = Bench::new(config, 3);
    let mut wants =
        |secs: u64, want: u32| bench.apply(&Demand { limits: granted(4), ..bench.demand(secs, want, want) });
    assert_eq!([(100, 9), (101, 3), (160, 3), (161, 3)].map(|(secs, want)| wants(secs, want)), [4, 4, 4, 3]);
}

#[test]
fn after_a_change_it_is_the_new_count_that_demand_is_held_against() {
    let mut bench = Bench::new(config().with_tolerance(Share::new(0.25).unwrap()), 4);
    bench.wants(10, 8);
    bench.wants(39, 10);
    assert_eq!(bench.wants(40, 10), 8);
    assert_eq!(bench.guards.outlook(8, LIMITS, &bench.config), None, "ten is within the tolerance of eight");

    let mut bench = Bench::new(config(), 3);
    let beside_idle =
        |bench: &mut Bench, secs: u64| bench.apply(&Demand { surplus: Some(5), ..bench.demand(secs, 8, 8) });
    assert_eq!([10, 40].map(|secs| beside_idle(&mut bench, secs)), [3, 5]);
    assert_eq!(bench.guards.outlook(5, LIMITS, &bench.config), None, "more would be ordered beside idle workers");
}
