//! The laws, as a contract: each test states one, over every native policy, generated configurations and streams of
//! observations, hostile ones included.
//!
//! `PROPTEST_CASES` sets how many cases each law is tried on; CI asks for a thousand. Failures are kept in
//! `laws.proptest-regressions` and tried first from then on. Every law also counts how often the interesting thing
//! happened, and fails if it did not: a law that is never put to the test is not kept.

#[path = "laws/generators.rs"]
mod generators;
#[path = "laws/world.rs"]
mod world;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use generators::{
    Case, Grain, Knobs, Step, case, gap, grain, hostile_case, knobs, knobs_of, load, observation, policy, positive, span,
    traffic_policy, worker_event,
};
use plimsoll::decision::Reason;
use plimsoll::guard::Effect;
use plimsoll::policy::{Outpost, RunPod, RunPodScaling};
use plimsoll::{Autoscaler, Command, Config, Decision, Observation, Policy, PoolCounts, Timestamp, WorkerEvent, WorkerId};
use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{FileFailurePersistence, TestCaseResult, TestRunner};
use world::{Habits, Ledger, World};

const NANO: Duration = Duration::from_nanos(1);

/// How many cases something was seen in.
#[derive(Default)]
struct Tally(RefCell<BTreeMap<&'static str, u32>>);

impl Tally {
    fn saw(&self, what: &'static str, times: bool) {
        *self.0.borrow_mut().entry(what).or_default() += u32::from(times);
    }
}

/// Tries a law on many cases. Each of `interesting` must have been seen in so many percent of them.
fn holds<T: std::fmt::Debug>(
    name: &'static str,
    cases: impl Strategy<Value = T>,
    interesting: &[(&'static str, u32)],
    law: impl Fn(T, &Tally) -> TestCaseResult,
) {
    let config = ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("proptest-regressions"))),
        source_file: Some(file!()),
        test_name: Some(name),
        ..ProptestConfig::default()
    };
    let (tally, asked) = (Tally::default(), config.cases);
    if let Err(error) = TestRunner::new(config).run(&cases, |case| law(case, &tally)) {
        panic!("{name}: {error}");
    }
    for (what, percent) in interesting {
        let seen = tally.0.borrow().get(what).copied().unwrap_or(0);
        assert!(asked < 100 || seen * 100 >= asked * percent, "{name}: `{what}` in {seen} of {asked} cases only");
    }
}

impl Case {
    fn autoscaler(&self) -> Autoscaler {
        Autoscaler::new(self.knobs.config(), self.start)
    }
}

/// Lives through a stream; gives its decisions.
fn decisions(autoscaler: &mut Autoscaler, steps: &[(Timestamp, Step)]) -> Vec<Decision> {
    let decide = |(at, step): &(Timestamp, Step)| match step {
        Step::Observe(observation) => {
            let _ = autoscaler.observe(*at, *observation);
            None
        }
        Step::Decide => Some(autoscaler.decide(*at)),
    };
    steps.iter().filter_map(decide).collect()
}

fn grows(decision: &Decision) -> bool {
    decision.commands.iter().any(|command| {
        matches!(command, Command::Start { .. } | Command::Revive { .. } | Command::ReviveAny { .. })
    })
}

/// Workers that the commands bring in.
fn brought(commands: &[Command]) -> u32 {
    commands.iter().fold(0, |sum, command| match command {
        Command::Start { count } | Command::ReviveAny { count } => sum + count,
        Command::Revive { .. } => sum + 1,
        _ => sum,
    })
}

fn habits() -> impl Strategy<Value = Habits> {
    let start = prop_oneof![Just(0_u64), 1_u64..120, 600_u64..20_000];
    let answer = prop_oneof![Just(Duration::ZERO), (1_u64..3_000).prop_map(Duration::from_millis)];
    (answer, vec(start.prop_map(Duration::from_secs), 1..5), span(), span())
        .prop_map(|(answer, cold, warm, drain)| Habits { answer, cold, warm, drain })
}

/// A configuration whose order timeout is longer than the pool takes to answer, so that no order is taken for lost.
fn patient(mut knobs: Knobs, habits: &Habits) -> Knobs {
    knobs.order_timeout = knobs.order_timeout.max(habits.answer + Duration::from_secs(1));
    knobs
}

/// What happens in a closed loop besides what the pool does.
#[derive(Clone, Copy, Debug)]
enum Act {
    Observe(Observation),
    Slots(usize, u32),
    Fail(usize),
}

fn acts(length: usize) -> impl Strategy<Value = Vec<(i64, Act)>> {
    let act = prop_oneof![
        4 => load().prop_map(Act::Observe),
        2 => (0_u32..30).prop_map(|workers| Act::Observe(Observation::Proposal { workers, valid_for: None })),
        4 => (0_usize..8, 0_u32..3).prop_map(|(nth, slots)| Act::Slots(nth, slots)),
        1 => (0_usize..8).prop_map(Act::Fail),
    ];
    vec((gap().prop_map(|gap| gap.min(3_600_000_000_000)), act), 1..length)
}

fn live(world: &mut World, acts: &[(i64, Act)], mut each: impl FnMut(&mut World) -> TestCaseResult) -> TestCaseResult {
    for (gap, act) in acts {
        let at = world.now.saturating_add(Duration::from_nanos(gap.unsigned_abs()));
        match act {
            Act::Observe(observation) => world.observe(at, *observation),
            Act::Slots(nth, slots) => world.set_slots(at, *nth, *slots),
            Act::Fail(nth) => world.fail(at, *nth),
        }
        each(world)?;
    }
    Ok(())
}

/// min ≤ desired ≤ max at every decision; workers ordered never exceed max.
#[test]
fn bounds_always_hold() {
    let interesting = [("at max", 20), ("at min", 20), ("order", 20)];
    holds("bounds_always_hold", hostile_case(), &interesting, |case, tally| {
        let Knobs { min, max, .. } = case.knobs;
        let mut autoscaler = case.autoscaler();
        let (mut at_max, mut at_min, mut orders) = (false, false, false);
        for (at, step) in &case.steps {
            if let Step::Observe(observation) = step {
                let _ = autoscaler.observe(*at, *observation);
            }
            prop_assert!((min..=max).contains(&autoscaler.desired()));
            let decision = autoscaler.decide(*at);
            prop_assert!((min..=max).contains(&decision.desired));
            let committed = autoscaler.status().committed;
            prop_assert!(committed >= decision.desired, "{} of {} wanted", committed, decision.desired);
            if grows(&decision) {
                prop_assert_eq!(committed, decision.desired, "ordered beyond what is desired");
                orders = true;
            }
            at_max |= decision.desired == max;
            at_min |= decision.desired == min;
        }
        tally.saw("at max", at_max);
        tally.saw("at min", at_min);
        tally.saw("order", orders);
        Ok(())
    });

    let closed = (knobs(), habits(), grain(), acts(30));
    holds("bounds_always_hold, closed loop", closed, &[("full", 20)], |(knobs, habits, grain, acts), tally| {
        let max = knobs.max;
        let mut world = World::new(patient(knobs, &habits).config(), Timestamp::ORIGIN, grain, habits);
        world.report_pool();
        let mut most = 0;
        live(&mut world, &acts, |world| {
            most = most.max(world.staying());
            prop_assert!(world.staying() <= max, "{} workers", world.staying());
            Ok(())
        })?;
        tally.saw("full", most == max);
        Ok(())
    });
}

/// Same configuration and observations ⇒ the same decisions and status, byte for byte.
#[test]
fn same_input_same_bytes() {
    holds("same_input_same_bytes", hostile_case(), &[("decided", 50)], |case, tally| {
        let live = || {
            let mut autoscaler = case.autoscaler();
            let decisions = decisions(&mut autoscaler, &case.steps);
            (serde_json::to_string(&decisions).unwrap(), serde_json::to_string(&autoscaler.status()).unwrap())
        };
        let (first, second) = (live(), live());
        tally.saw("decided", first.0.len() > 2);
        prop_assert_eq!(first, second);
        Ok(())
    });
}

/// Extra calls of `decide` change no decision at any later instant.
#[test]
fn cadence_changes_nothing() {
    let told = |decisions: &[Decision]| {
        decisions.iter().map(|decision| (decision.desired, decision.explanation)).collect::<Vec<_>>()
    };
    let changes = |decisions: &[Decision]| decisions.windows(2).any(|pair| pair[0].desired != pair[1].desired);
    let extra = vec((any::<prop::sample::Index>(), 0..=16_u64), 1..30);
    holds("cadence_changes_nothing", (case(), extra), &[("changes", 20)], |(case, extra), tally| {
        // Extra calls at sixteenths of the gaps.
        let mut steps: Vec<_> = case.steps.iter().map(|step| (*step, true)).collect();
        for (index, sixteenths) in extra {
            let at = index.index(steps.len());
            let ((later, _), _) = steps[at];
            let earlier = at.checked_sub(1).map_or(case.start, |before| steps[before].0.0);
            let wait = later.saturating_since(earlier) / 16 * u32::try_from(sixteenths).unwrap();
            steps.insert(at, ((earlier.saturating_add(wait), Step::Decide), false));
        }
        let expected = decisions(&mut case.autoscaler(), &case.steps);
        let (mut autoscaler, mut got) = (case.autoscaler(), Vec::new());
        for (step, asked) in steps {
            let decisions = decisions(&mut autoscaler, &[step]);
            got.extend(decisions.into_iter().filter(|_| asked));
        }
        tally.saw("changes", changes(&expected));
        prop_assert_eq!(told(&got), told(&expected));
        Ok(())
    });

    // Only at wake-ups, at instants all around them, or never but at the end: the same count at every instant.
    holds("cadence_changes_nothing, wake-ups", case(), &[("changed by time", 20)], |case, tally| {
        let (mut wakes, mut dense, mut lazy) = (case.autoscaler(), case.autoscaler(), case.autoscaler());
        let mut by_time = false;
        for (at, step) in &case.steps {
            while let Some(wake) = wakes.next_wakeup().filter(|wake| wake < at) {
                let (before, count) = (wake.as_nanos() - 1, wakes.desired());
                prop_assert_eq!(dense.decide(Timestamp::from_nanos(before)).desired, count, "before {}", wake);
                let expected = wakes.decide(wake);
                prop_assert_eq!(dense.decide(wake).desired, expected.desired, "at {}", wake);
                by_time |= expected.desired != count;
            }
            if let Step::Observe(observation) = step {
                for autoscaler in [&mut wakes, &mut dense, &mut lazy] {
                    let _ = autoscaler.observe(*at, *observation);
                }
            }
            prop_assert_eq!(wakes.desired(), dense.desired());
            let (late, asked) = (lazy.clone().decide(*at), wakes.clone().decide(*at));
            prop_assert_eq!(told(&[late]), told(&[asked]), "never asked before");
        }
        tally.saw("changed by time", by_time);
        Ok(())
    });
}

/// The next wake-up is later than now; before it, without observations, nothing changes; an idle service has finitely
/// many.
#[test]
fn wakeup_moves() {
    let cases = (hostile_case(), vec(0..u64::MAX, 4));
    holds("wakeup_moves", cases, &[("wakes", 50), ("never wakes", 20)], |(case, probes), tally| {
        let mut autoscaler = case.autoscaler();
        let (mut wakes, mut never) = (false, false);
        for (at, step) in &case.steps {
            if let Step::Observe(observation) = step {
                let _ = autoscaler.observe(*at, *observation);
            }
            let decision = autoscaler.decide(*at);
            prop_assert_eq!(decision.next_wakeup, autoscaler.next_wakeup());
            let wake = decision.next_wakeup.unwrap_or(Timestamp::MAX);
            prop_assert!(wake > decision.at || decision.next_wakeup.is_none());
            for probe in &probes {
                let wait = wake.saturating_since(decision.at).as_nanos().saturating_sub(1);
                let wait = u64::try_from(u128::from(*probe) * wait / u128::from(u64::MAX)).unwrap();
                let early = autoscaler.clone().decide(decision.at.saturating_add(Duration::from_nanos(wait)));
                prop_assert_eq!(early.desired, decision.desired, "at {}, before {}", early.at, wake);
                prop_assert_eq!(&early.commands, &[], "at {}, before {}", early.at, wake);
            }
            (wakes, never) = (wakes || decision.next_wakeup.is_some(), never || decision.next_wakeup.is_none());
        }
        tally.saw("wakes", wakes);
        tally.saw("never wakes", never);
        Ok(())
    });

    let idle = (knobs(), habits(), grain(), acts(20));
    holds("wakeup_moves, idle", idle, &[("sleeps", 90)], |(knobs, habits, grain, acts), tally| {
        let mut world = World::new(patient(knobs, &habits).config(), Timestamp::ORIGIN, grain, habits);
        world.report_pool();
        live(&mut world, &acts, |_| Ok(()))?;
        for nth in 0..64 {
            world.set_slots(world.now, nth, 0);
        }
        let before = world.wakeups;
        while world.step() {
            let more = world.wakeups - before;
            prop_assert!(more < 500, "still waking at {} by {:?}", world.now, world.autoscaler.status().timers);
        }
        tally.saw("sleeps", world.wakeups > before);
        Ok(())
    });
}

/// All time stamps + c ⇒ the same decisions, + c.
#[test]
fn time_translation_changes_nothing() {
    let cases = (case(), prop_oneof![0..1_000_000_000_u64, 0..1_u64 << 62]);
    holds("time_translation_changes_nothing", cases, &[("decided", 50)], |(case, shift), tally| {
        let shifted = |at: Timestamp| at.saturating_add(Duration::from_nanos(shift));
        let later = Case {
            start: shifted(case.start),
            steps: case.steps.iter().map(|(at, step)| (shifted(*at), *step)).collect(),
            knobs: case.knobs.clone(),
        };
        let mut expected = decisions(&mut case.autoscaler(), &case.steps);
        for decision in &mut expected {
            let explanation = &mut decision.explanation;
            (decision.at, explanation.at) = (shifted(decision.at), shifted(explanation.at));
            decision.next_wakeup = decision.next_wakeup.map(shifted);
            explanation.pressed_since = explanation.pressed_since.map(shifted);
            if let Some(outlook) = &mut explanation.outlook {
                outlook.at = shifted(outlook.at);
            }
        }
        tally.saw("decided", !expected.is_empty());
        prop_assert_eq!(decisions(&mut later.autoscaler(), &later.steps), expected);
        Ok(())
    });
}

/// A time stamp before the last one counts as the last one, is counted and shown.
#[test]
fn clock_regression_is_clamped() {
    holds("clock_regression_is_clamped", hostile_case(), &[("regressed", 50)], |case, tally| {
        let (mut wild, mut tame) = (case.autoscaler(), case.autoscaler());
        let (mut latest, mut regressions) = (case.start, 0);
        for (at, step) in &case.steps {
            let clamped = latest.max(*at);
            let taken = match step {
                Step::Observe(observation) => {
                    let taken = tame.observe(clamped, *observation);
                    prop_assert_eq!(format!("{:?}", wild.observe(*at, *observation)), format!("{taken:?}"));
                    taken.is_ok()
                }
                Step::Decide => {
                    prop_assert_eq!(wild.decide(*at), tame.decide(clamped));
                    true
                }
            };
            if taken {
                regressions += u64::from(*at < latest);
                latest = clamped;
            }
        }
        let (mut got, expected) = (wild.status(), tame.status());
        prop_assert_eq!((got.input.clock_regressions, expected.input.clock_regressions), (regressions, 0));
        got.input.clock_regressions = 0;
        prop_assert_eq!(got, expected);
        tally.saw("regressed", regressions > 0);
        Ok(())
    });
}

/// After any silence, a call costs no more than after a short one.
#[test]
#[expect(clippy::disallowed_methods, reason = "the law speaks of cost")]
fn sleep_is_cheap() {
    const SILENCES: [u64; 3] = [2, 2 * 3_600, 100 * 31_557_600];
    let totals = RefCell::new([Duration::ZERO; 3]);
    holds("sleep_is_cheap", case(), &[], |case, _| {
        let mut autoscaler = case.autoscaler();
        decisions(&mut autoscaler, &case.steps);
        let end = case.steps.last().map_or(case.start, |(at, _)| *at);
        for (total, silence) in totals.borrow_mut().iter_mut().zip(SILENCES) {
            let timed = |_| {
                let mut sleeper = autoscaler.clone();
                let before = Instant::now();
                black_box(sleeper.decide(end.saturating_add(Duration::from_secs(silence))));
                before.elapsed()
            };
            // The least of some: what disturbs a measurement only adds to it.
            *total += (0..5).map(timed).min().unwrap();
        }
        Ok(())
    });
    let [short, hours, century] = totals.into_inner();
    println!("after 2 s {short:?}, after 2 h {hours:?}, after a century {century:?}");
    assert!(hours <= short * 12, "2 h cost {hours:?}, 2 s {short:?}");
    assert!(century <= hours * 3 / 2, "a century cost {century:?}, 2 h {hours:?}");
}

/// At the proposal stage, more arrivals, queue, or sojourn never propose fewer workers.
///
/// *More* is the same addition to every count, gauge and age, and the same factor on every sojourn: a rise is relative,
/// so a constant added to all sojourns makes it smaller, and a factor leaves it what it is.
#[test]
fn more_load_never_fewer() {
    let pool = prop_oneof![
        (0_u32..12).prop_map(|ready| vec![Observation::Pool(PoolCounts { ready, ..PoolCounts::default() })]),
        vec(worker_event(), 1..8),
    ];
    let steps = vec((gap(), prop_oneof![8 => load(), 1 => worker_event()]), 1..60);
    let more = (select(vec![0_u32, 1, 7]), select(vec![0_u64, 1, 2_000]), select(vec![1_u32, 2, 9]));
    let interesting = [("more wanted", 30)];
    holds("more_load_never_fewer", (knobs(), pool, steps, more), &interesting, |(knobs, pool, steps, more), tally| {
        let mut now = Timestamp::from_secs(1_000);
        let (mut some, mut most) = (Autoscaler::new(knobs.config(), now), Autoscaler::new(knobs.config(), now));
        for fact in pool {
            prop_assert_eq!(some.observe(now, fact).is_ok(), most.observe(now, fact).is_ok());
        }
        let mut wanted_more = false;
        for (gap, fact) in steps {
            now = now.saturating_add(Duration::from_nanos(gap.unsigned_abs()));
            prop_assert_eq!(some.observe(now, fact).is_ok(), most.observe(now, heavier(fact, more)).is_ok());
            let proposals = |autoscaler: &mut Autoscaler| autoscaler.decide(now).explanation.proposals;
            let (less, more) = (proposals(&mut some), proposals(&mut most));
            for (less, more) in less.into_iter().flatten().zip(more.into_iter().flatten()) {
                prop_assert!(more.want >= less.want, "at {}: {:?} but {:?}", now, less, more);
                prop_assert!(more.keep >= less.keep, "at {}: {:?} but {:?}", now, less, more);
                wanted_more |= more.want > less.want;
            }
        }
        tally.saw("more wanted", wanted_more);
        Ok(())
    });
}

fn heavier(fact: Observation, (more, millis, factor): (u32, u64, u32)) -> Observation {
    let (longer, age) = (|wait: Duration| wait.saturating_mul(factor), Duration::from_millis(millis));
    match fact {
        Observation::Arrived { count, queue } => Observation::Arrived { count: count.saturating_add(more), queue },
        Observation::Started { sojourn, queue } => Observation::Started { sojourn: longer(sojourn), queue },
        Observation::Abandoned { wait, queue } => Observation::Abandoned { wait: longer(wait), queue },
        Observation::Queue { depth, oldest_age, queue } => {
            let oldest_age = oldest_age.map(|oldest| oldest.saturating_add(age));
            Observation::Queue { depth: depth.saturating_add(more), oldest_age, queue }
        }
        Observation::InFlight { count } => Observation::InFlight { count: count.saturating_add(more) },
        Observation::Requests { count, over } => Observation::Requests { count: count.saturating_add(more), over },
        Observation::ArrivalRate { per_second } => {
            Observation::ArrivalRate { per_second: per_second + f64::from(more) }
        }
        Observation::Proposal { workers, valid_for } => {
            Observation::Proposal { workers: workers.saturating_add(more), valid_for }
        }
        other => other,
    }
}

/// A load that does not change: what is observed once per period.
#[derive(Clone, Debug)]
struct Constant {
    period: Duration,
    arrivals: Option<u32>,
    requests: Option<u32>,
    sojourn: Option<Duration>,
    queue: Option<(u32, Option<Duration>)>,
    in_flight: Option<u32>,
    external: Option<u32>,
}

impl Constant {
    fn facts(&self) -> Vec<Observation> {
        let mut facts = Vec::new();
        facts.extend(self.arrivals.map(Observation::arrived));
        facts.extend(self.requests.map(|count| Observation::Requests { count, over: self.period }));
        if let Some(sojourn) = self.sojourn {
            facts.extend((0..self.arrivals.unwrap_or(1)).map(|_| Observation::started(sojourn)));
            facts.extend((0..self.arrivals.unwrap_or(1)).map(|_| Observation::finished(self.period)));
        }
        facts.extend(self.queue.map(|(depth, oldest)| Observation::queue(depth, oldest)));
        facts.extend(self.in_flight.map(Observation::in_flight));
        facts.extend(self.external.map(|workers| Observation::Proposal { workers, valid_for: None }));
        facts
    }
}

fn constant() -> impl Strategy<Value = Constant> {
    let traffic = prop_oneof![
        (0_u32..4).prop_map(|count| (Some(count), None)),
        (0_u32..60).prop_map(|count| (None, Some(count))),
        Just((None, None)),
    ];
    let wait = || prop_oneof![(0_u64..300).prop_map(Duration::from_millis), (0_u64..20).prop_map(Duration::from_secs)];
    let queue = weighted(0.6, (0_u32..30, weighted(0.5, wait())));
    let period = (200_u64..12_000).prop_map(Duration::from_millis);
    (period, traffic, weighted(0.5, wait()), queue, weighted(0.7, 0_u32..30), weighted(0.4, 0_u32..30)).prop_map(
        |(period, (arrivals, requests), sojourn, queue, in_flight, external)| {
            Constant { period, arrivals, requests, sojourn, queue, in_flight, external }
        },
    )
}

/// Settings in proportion to the period of the load, so that a run of so many periods is many times longer than all
/// of them.
fn in_proportion(mut knobs: Knobs, period: Duration) -> Knobs {
    let limit = |span: Duration| Duration::from_nanos(u64::try_from(span.as_nanos() % (period * 12).as_nanos()).unwrap());
    knobs.window = (limit(knobs.window) + period).max(Duration::from_millis(120));
    knobs.codel_interval = (knobs.codel_interval).min(period);
    (knobs.up_delay, knobs.down_delay) = (limit(knobs.up_delay), limit(knobs.down_delay));
    knobs.to_zero_delay = knobs.to_zero_delay.map(limit);
    (knobs.idle_timeout, knobs.drain_timeout) = (knobs.idle_timeout.map(limit), limit(knobs.drain_timeout));
    knobs.freshness = knobs.freshness.max(period * 2);
    for limits in [&mut knobs.up_step, &mut knobs.down_step].into_iter().flatten() {
        limits.period = limit(limits.period) + NANO;
    }
    knobs
}

/// Under constant load the count changes finitely often, and reverses direction at most once.
#[test]
fn constant_load_settles() {
    const PERIODS: u32 = 240;
    let cases = (knobs(), habits(), grain(), constant(), 0_u32..20);
    let interesting = [("changes", 40), ("reverses", 1)];
    holds("constant_load_settles", cases, &interesting, |(knobs, mut habits, grain, load, workers), tally| {
        let knobs = in_proportion(knobs, load.period);
        for cold in &mut habits.cold {
            *cold = (*cold).min(load.period * 3);
        }
        let knobs = Knobs { max: knobs.max.min(12), min: knobs.min.min(12), ..patient(knobs, &habits) };
        let workers = workers.min(knobs.max);
        let mut world = World::new(knobs.config(), Timestamp::ORIGIN, grain, habits).with_workers(workers);
        world.report_pool();
        let facts = load.facts();
        for period in 1..=PERIODS {
            world.observe_all(Timestamp::ORIGIN.saturating_add(load.period * period), &facts);
        }
        let half = Timestamp::ORIGIN.saturating_add(load.period * (PERIODS / 2));
        let ups: Vec<_> = world.counts.windows(2).map(|pair| pair[1].1 > pair[0].1).collect();
        let reversals = ups.windows(2).filter(|pair| pair[0] != pair[1]).count();
        let text = || world.counts.iter().map(|(at, count)| format!("{count} at {at}")).collect::<Vec<_>>();
        prop_assert!(reversals <= 1, "{:?}", text());
        prop_assert!(world.counts.iter().all(|(at, _)| *at <= half), "{:?}", text());
        tally.saw("changes", !ups.is_empty());
        tally.saw("reverses", reversals > 0);
        Ok(())
    });
}

/// Starting workers count: constant load and any cold-start times never bring more orders than the count has risen.
#[test]
fn never_orders_twice() {
    const PERIODS: u32 = 60;
    let cases = (knobs(), habits(), grain(), constant(), 0_u32..20);
    let interesting = [("orders", 40), ("still starting", 20)];
    holds("never_orders_twice", cases, &interesting, |(knobs, habits, grain, load, workers), tally| {
        let knobs = Knobs { standby: 0, ..patient(in_proportion(knobs, load.period), &habits) };
        let workers = if grain == Grain::Silent { 0 } else { workers.min(knobs.max) };
        let slowest = habits.cold.iter().max().copied().unwrap_or_default();
        let mut world = World::new(knobs.config(), Timestamp::ORIGIN, grain, habits).with_workers(workers);
        world.report_pool();
        world.decide();
        let facts = load.facts();
        let mut end = Timestamp::ORIGIN;
        for period in 1..=PERIODS {
            end = Timestamp::ORIGIN.saturating_add(load.period * period);
            world.observe_all(end, &facts);
        }
        let first = world.counts[0].1.saturating_sub(workers);
        let rises: u32 = world.counts.windows(2).map(|pair| pair[1].1.saturating_sub(pair[0].1)).sum();
        prop_assert!(world.started <= first + rises, "{} started, the count rose by {}", world.started, first + rises);
        let fell = world.counts.windows(2).any(|pair| pair[1].1 < pair[0].1);
        prop_assert!(fell || workers > 0 || world.started == first + rises, "a start is missing");
        tally.saw("orders", world.started > 0);
        tally.saw("still starting", world.started > 0 && end < Timestamp::ORIGIN.saturating_add(slowest));
        Ok(())
    });
}
