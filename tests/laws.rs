//! The laws, as a contract: each test states one, over every native policy, generated configurations and streams of
//! observations, hostile ones included.
//!
//! `PROPTEST_CASES` sets how many cases each law is tried on; CI asks for a thousand. Failures are kept in
//! `laws.proptest-regressions` and tried first from then on. Every law also counts how often the interesting thing
//! happened, and fails if it did not: a law that is never put to the test is not kept.

#![expect(
    unreachable_pub,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::expect_used,
    clippy::float_arithmetic,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and its helpers are not seen to be tests"
)]

#[path = "laws/generators.rs"]
mod generators;
#[path = "laws/objectives.rs"]
mod objectives;
#[path = "laws/world.rs"]
mod world;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::hint::black_box;
use std::slice::from_ref;
use std::time::{Duration, Instant};

use generators::{
    Case, Grain, Heard, Knobs, Step, case, gap, grain, heard, hostile_case, knobs, knobs_of, load, observation,
    positive, span, told, traffic_policy, worker_event,
};
use plimsoll::config::Blind;
use plimsoll::decision::Reason;
use plimsoll::guard::{Effect, Guard};
use plimsoll::policy::{Objective, Outpost, RunPod, RunPodScaling};
use plimsoll::{
    Autoscaler, Command, Decision, Mode, Observation, Policy, PoolCounts, Rejected, Report, Share, Snapshot, Timestamp,
};
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

/// Tries a law on many cases. Each of `interesting` must have been seen in so many percent of them, less four standard
/// deviations of what chance does to that many.
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
        max_global_rejects: 1_000_000,
        ..ProptestConfig::default()
    };
    let (tally, asked) = (Tally::default(), config.cases);
    if let Err(error) = TestRunner::new(config).run(&cases, |case| law(case, &tally)) {
        panic!("{name}: {error}");
    }
    for (what, percent) in interesting {
        let seen = tally.0.borrow().get(what).copied().unwrap_or(0);
        let chance = 4 * (asked * percent * (100 - percent)).isqrt();
        assert!(
            asked < 100 || seen * 100 + chance >= asked * percent,
            "{name}: `{what}` in {seen} of {asked} cases only"
        );
    }
}

impl Case {
    fn autoscaler(&self) -> Autoscaler {
        Autoscaler::new(self.knobs.config_from(self.start), self.start)
    }
}

/// Lives through a stream; gives its decisions.
fn decisions(autoscaler: &mut Autoscaler, steps: &[(Timestamp, Step)]) -> Vec<Decision> {
    let decide = |(at, step): &(Timestamp, Step)| match step {
        Step::Decide => Some(autoscaler.decide(*at)),
        told => {
            let _ = tell(autoscaler, *at, told);
            None
        }
    };
    steps.iter().filter_map(decide).collect()
}

/// Tells what a step has to tell, if it has.
fn tell(autoscaler: &mut Autoscaler, at: Timestamp, step: &Step) -> Result<(), Rejected> {
    match step {
        Step::Observe(observation) => autoscaler.observe(at, *observation),
        Step::Report(report) => autoscaler.report(at, report),
        Step::Decide => Ok(()),
    }
}

fn grows(decision: &Decision) -> bool {
    decision
        .commands
        .iter()
        .any(|command| matches!(command, Command::Start { .. } | Command::Revive { .. } | Command::ReviveAny { .. }))
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
    // Slow and fast starts, but none so much slower than the others that it would be taken for stuck.
    let start = prop_oneof![Just(0_u64), 1_u64..120, 600_u64..20_000].prop_map(Duration::from_secs);
    let cold = (start, vec(100_u32..=300, 1..5));
    let cold = cold.prop_map(|(start, percents)| percents.into_iter().map(|percent| start * percent / 100).collect());
    let answer = prop_oneof![Just(Duration::ZERO), (1_u64..3_000).prop_map(Duration::from_millis)];
    (answer, cold, span(), span()).prop_map(|(answer, cold, warm, drain)| Habits { answer, cold, warm, drain })
}

/// A configuration whose order and start timeouts are longer than the pool takes, so that nothing is taken for lost.
/// Counts do not show a worker on its way into standby: the answer to a prewarm is the standby worker.
fn patient(mut knobs: Knobs, habits: &Habits) -> Knobs {
    let slowest = habits.cold.iter().max().copied().filter(|_| knobs.standby > 0).unwrap_or_default();
    knobs.order_timeout = knobs.order_timeout.max(habits.answer + slowest + Duration::from_secs(1));
    let slowest = habits.cold.iter().chain([&habits.warm]).max().copied().unwrap_or_default();
    knobs.start_timeout = knobs.start_timeout.max(habits.answer + slowest + Duration::from_secs(1));
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
    let interesting = [("at max", 20), ("at min", 20), ("order", 20), ("cut by a grant", 1)];
    holds("bounds_always_hold", hostile_case(), &interesting, |case, tally| {
        let most = case.knobs.most();
        // Unless somebody else may set bounds, they are those of the configuration.
        let sets = |(_, step): &(Timestamp, Step)| {
            matches!(step, Step::Observe(Observation::Reserve { .. } | Observation::Grant(_)))
        };
        let set = !case.knobs.extras.schedule.is_empty() || case.steps.iter().any(sets);
        let mut autoscaler = case.autoscaler();
        let (mut at_max, mut at_min, mut orders, mut failed) = (false, false, false, false);
        let (mut granted, mut cut) = (u32::MAX, false);
        for (at, step) in &case.steps {
            let _ = tell(&mut autoscaler, *at, step);
            if let Step::Observe(Observation::Grant(grant)) = step {
                granted = grant.map_or(u32::MAX, |grant| grant.workers);
            }
            prop_assert!(autoscaler.desired() <= most.min(granted));
            let decision = autoscaler.decide(*at);
            failed |= autoscaler.status().starts.success < Share::ONE;
            let (min, max) = (decision.explanation.terms.min, decision.explanation.terms.max);
            prop_assert!(max <= most.min(granted) && (set || (min, max) == (case.knobs.min, case.knobs.max)));
            prop_assert!((min..=max).contains(&decision.desired), "{} in {}..={}", decision.desired, min, max);
            let status = autoscaler.status();
            let ordinary = status.mode != Mode::Observe && status.trouble.is_none();
            prop_assert!(
                !ordinary || status.committed >= decision.desired,
                "{} of {} wanted",
                status.committed,
                decision.desired
            );
            if grows(&decision) {
                let gross = if failed { max.max(decision.desired) } else { decision.desired };
                prop_assert!(status.committed <= gross, "ordered beyond what is desired");
                orders = true;
            }
            at_max |= decision.desired == max;
            at_min |= decision.desired == min;
            cut |= decision.desired == granted && decision.explanation.proposed > granted;
        }
        tally.saw("at max", at_max);
        tally.saw("at min", at_min);
        tally.saw("cut by a grant", cut);
        tally.saw("order", orders);
        Ok(())
    });

    let closed = (knobs(), habits(), grain(), acts(30));
    holds("bounds_always_hold, closed loop", closed, &[("full", 20)], |(knobs, habits, grain, acts), tally| {
        let max = knobs.most();
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
        let mut steps: Vec<_> = case.steps.iter().map(|step| (step.clone(), true)).collect();
        for (index, sixteenths) in extra {
            let at = index.index(steps.len());
            let later = steps[at].0.0;
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
        for (got, expected) in told(&got).into_iter().zip(told(&expected)) {
            prop_assert_eq!(got, expected);
        }
        Ok(())
    });

    // Only at wake-ups, at instants all around them, or never but at the end: the same count at every instant.
    holds("cadence_changes_nothing, wake-ups", case(), &[("changed by time", 20)], |mut case, tally| {
        // An order that nobody confirms is given again and again; that is not what is asked here.
        case.knobs.order_timeout = Duration::from_secs(9 * 366 * 86_400);
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
            for autoscaler in [&mut wakes, &mut dense, &mut lazy] {
                let _ = tell(autoscaler, *at, step);
            }
            prop_assert_eq!(wakes.desired(), dense.desired());
            let (late, asked) = (lazy.clone().decide(*at), wakes.clone().decide(*at));
            prop_assert_eq!(told(&[late]), told(&[asked]), "never asked before");
        }
        tally.saw("changed by time", by_time);
        Ok(())
    });
}

/// `decide_if_changed` gives what `decide` would, if and only if that has another count than the decision given last, or
/// commands; asking so leaves the same state behind.
#[test]
fn only_changes_are_given() {
    let cases = (hostile_case(), vec(0..=16_u32, 1..5));
    let interesting = [("given", 50), ("nothing new", 50), ("only commands", 5), ("changed by time", 10)];
    holds("only_changes_are_given", cases, &interesting, |(case, sixteenths), tally| {
        let (mut always, mut seldom, mut given) = (case.autoscaler(), case.autoscaler(), None);
        let (mut at, mut saw) = (case.start, [false; 4]);
        for (told_at, step) in &case.steps {
            let _ = (tell(&mut always, *told_at, step), tell(&mut seldom, *told_at, step));
            at = at.max(*told_at);
            // At that instant, on the way to the wake-up, and at it.
            let wake = always.next_wakeup().filter(|wake| *wake > at).unwrap_or(at);
            let wait = wake.saturating_since(at) / 16;
            let between = sixteenths.iter().map(|sixteenths| at.saturating_add(wait * *sixteenths));
            let asked: Vec<_> =
                if matches!(step, Step::Decide) { between.chain([wake]).collect() } else { [at].into() };
            for asked in asked {
                let (count, decision) = (always.desired(), always.decide(asked));
                let commands = !decision.commands.is_empty() || !decision.would.is_empty();
                let new = given != Some(decision.desired) || commands;
                let only_commands = given == Some(decision.desired) && commands;
                for (saw, here) in saw.iter_mut().zip([new, !new, only_commands, decision.desired != count]) {
                    *saw |= here;
                }
                given = if new { Some(decision.desired) } else { given };
                prop_assert_eq!(seldom.decide_if_changed(asked), new.then_some(decision), "at {}", asked);
                prop_assert_eq!(seldom.next_wakeup(), always.next_wakeup(), "after {}", asked);
                at = at.max(asked);
            }
        }
        for ((what, _), saw) in interesting.iter().zip(saw) {
            tally.saw(what, saw);
        }
        prop_assert_eq!(seldom.status(), always.status());
        prop_assert!(seldom == always, "another state");
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
            let _ = tell(&mut autoscaler, *at, step);
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
    holds("wakeup_moves, idle", idle, &[("sleeps", 80)], |(knobs, habits, grain, acts), tally| {
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
            steps: case.steps.iter().map(|(at, step)| (shifted(*at), moved(step, &shifted))).collect(),
            knobs: case.knobs.clone(),
        };
        let told = |case: &Case| serde_json::to_value(decisions(&mut case.autoscaler(), &case.steps)).unwrap();
        let (mut expected, got) = (told(&case), told(&later));
        shift_timestamps(&mut expected, &shifted);
        tally.saw("decided", got[0]["at"].is_string());
        prop_assert_eq!(got, expected);
        Ok(())
    });
}

/// A step tells of its own time only in reports.
fn moved(step: &Step, shifted: &impl Fn(Timestamp) -> Timestamp) -> Step {
    match step {
        Step::Report(report) => Step::Report(Report { at: shifted(report.at), ..report.clone() }),
        other => other.clone(),
    }
}

/// A time stamp in JSON is a string of decimal seconds; no other value looks like that.
fn shift_timestamps(value: &mut serde_json::Value, shifted: &impl Fn(Timestamp) -> Timestamp) {
    match value {
        serde_json::Value::Array(values) => values.iter_mut().for_each(|value| shift_timestamps(value, shifted)),
        serde_json::Value::Object(fields) => fields.values_mut().for_each(|value| shift_timestamps(value, shifted)),
        serde_json::Value::String(_) => {
            if let Ok(at) = serde_json::from_value::<Timestamp>(value.clone()) {
                *value = serde_json::to_value(shifted(at)).unwrap();
            }
        }
        _ => {}
    }
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
                Step::Decide => {
                    prop_assert_eq!(wild.decide(*at), tame.decide(clamped));
                    true
                }
                told => {
                    let taken = tell(&mut tame, clamped, told);
                    prop_assert_eq!(format!("{:?}", tell(&mut wild, *at, told)), format!("{taken:?}"));
                    taken.is_ok()
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
    // What only fades is looked at some forty times, ever more rarely: 40 µs a case, where every second would be 2 ms.
    // Unoptimised it takes longer, and every second would be ten times as much.
    let constant = Duration::from_millis(if cfg!(debug_assertions) { 80 } else { 40 });
    assert!(hours <= short * 3 + constant, "2 h cost {hours:?}, 2 s {short:?}");
    assert!(century <= hours * 3 / 2 + constant, "a century cost {century:?}, 2 h {hours:?}");
}

/// At the proposal stage, more arrivals, queue, or sojourn never propose fewer workers.
///
/// *More* is the same addition to every count, gauge and age, and the same factor on every sojourn: a rise is relative,
/// so a constant added to all sojourns makes it smaller, and a factor leaves it what it is. An objective learns from what
/// comes, so that two services that saw different loads are not alike: what it proposes by what it knows is tested beside it.
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
        // The count stays where it is, so that only the proposals can differ.
        let mut knobs = Knobs { min: knobs.max, ..knobs };
        knobs.extras.schedule.clear();
        knobs.policies.retain(|policy| !matches!(policy, Policy::Objective(_)));
        if knobs.policies.is_empty() {
            return Ok(());
        }
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
            for (less, more) in less.into_iter().zip(more).filter_map(|(less, more)| less.zip(more)) {
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
    /// Arrivals that nobody is seen to take make the queue grow; a gauge beside them would contradict.
    fn grows(&self) -> bool {
        self.arrivals.is_some_and(|count| count > 0) && self.sojourn.is_none()
    }

    fn facts(&self) -> Vec<Observation> {
        let mut facts = Vec::new();
        let served = self.sojourn.map_or(0, |_| self.arrivals.unwrap_or(1));
        // One is served, another comes and takes its place: never more at once than before.
        facts.extend((0..served).map(|_| Observation::finished(self.period)));
        facts.extend(self.arrivals.map(Observation::arrived));
        facts.extend(self.requests.map(|count| Observation::Requests { count, over: self.period }));
        facts.extend(
            self.sojourn.into_iter().flat_map(|sojourn| (0..served).map(move |_| Observation::started(sojourn))),
        );
        facts.extend(self.queue.filter(|_| !self.grows()).map(|(depth, oldest)| Observation::queue(depth, oldest)));
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
        |(period, (arrivals, requests), sojourn, queue, in_flight, external)| Constant {
            period,
            // A queue that is gauged as constant has no single arrivals that nobody takes.
            arrivals: arrivals.filter(|_| queue.is_none()),
            requests,
            sojourn: sojourn.filter(|_| queue.is_none() && in_flight.is_none()),
            queue,
            in_flight,
            external,
        },
    )
}

/// Settings in proportion to the period of the load, so that a run of so many periods is many times longer than all
/// of them.
fn in_proportion(mut knobs: Knobs, period: Duration) -> Knobs {
    let limit =
        |span: Duration| Duration::from_nanos(u64::try_from(span.as_nanos() % (period * 6).as_nanos()).unwrap());
    knobs.window = (limit(knobs.window) + period).max(Duration::from_millis(120));
    knobs.codel_interval = (knobs.codel_interval).min(period);
    for policy in &mut knobs.policies {
        if let Policy::RunPod(RunPod { scaling: RunPodScaling::QueueDelay(delay), .. }) = policy {
            *delay = limit(*delay);
        }
    }
    (knobs.up_delay, knobs.down_delay) = (limit(knobs.up_delay), limit(knobs.down_delay));
    // Single arrivals are a constant load to whoever looks at more than one of them.
    knobs.down_delay = knobs.down_delay.max(period * 2);
    knobs.to_zero_delay = knobs.to_zero_delay.map(|delay| limit(delay).max(period * 2));
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
    // An objective has settled when what it took for granted at the start weighs nothing: thousands of requests later.
    const PERIODS: u32 = 360;
    const LEARNED: u32 = 3_600;
    let cases = (knobs(), habits(), grain(), constant(), 0_u32..20);
    let interesting = [("changes", 15)];
    holds("constant_load_settles", cases, &interesting, |(knobs, mut habits, grain, load, workers), tally| {
        let knobs = in_proportion(knobs, load.period);
        for start in habits.cold.iter_mut().chain([&mut habits.warm]) {
            *start = (*start).min(load.period * 3);
        }
        // Policies that add one worker at a time do so after each start and delay, which is some 40 periods at the most: a
        // small pool gets there within half the run.
        let mut knobs = Knobs { max: knobs.max.min(4), min: knobs.min.min(4), ..patient(knobs, &habits) };
        // Bounds that change are no constant load, nor is a signal that comes and goes.
        knobs.extras.schedule.clear();
        knobs.extras.blind = Blind::Hold;
        // Nor is a queue that grows for whoever works it off: the count rises with the root of the backlog.
        let objective = knobs.policies.iter().any(|policy| matches!(policy, Policy::Objective(_)));
        if objective && load.grows() {
            return Ok(());
        }
        let workers = workers.min(knobs.max);
        let mut world = World::new(knobs.config(), Timestamp::ORIGIN, grain, habits).with_workers(workers);
        world.report_pool();
        world.decide();
        let facts = load.facts();
        let periods = if objective { LEARNED } else { PERIODS };
        for period in 1..=periods {
            // Each period may have as many as a whole run of another test.
            world.wakeups = 0;
            world.observe_all(Timestamp::ORIGIN.saturating_add(load.period * period), &facts);
        }
        let half = Timestamp::ORIGIN.saturating_add(load.period * (periods / 2));
        let ups: Vec<_> = world.counts.windows(2).map(|pair| pair[1].1 > pair[0].1).collect();
        let reversals = ups.windows(2).filter(|pair| pair[0] != pair[1]).count();
        let text = || world.counts.iter().map(|(at, count)| format!("{count} at {at}")).collect::<Vec<_>>();
        prop_assert!(reversals <= 1, "{:?}", text());
        prop_assert!(world.counts.iter().all(|(at, _)| *at <= half), "{:?}", text());
        tally.saw("changes", !ups.is_empty());
        Ok(())
    });
}

/// Starting workers count: constant load and any cold-start times never bring more orders than the count has risen, as
/// long as no start takes so long that it counts as failed.
#[test]
fn never_orders_twice() {
    const PERIODS: u32 = 60;
    let cases = (knobs(), habits(), grain(), constant(), 0_u32..20);
    let interesting = [("orders", 40), ("still starting", 20)];
    holds("never_orders_twice", cases, &interesting, |(knobs, habits, grain, load, workers), tally| {
        let knobs = Knobs { standby: 0, ..patient(in_proportion(knobs.plain(), load.period), &habits) };
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

/// Missing or stale signals never lower the count; missing is not zero.
#[test]
fn never_shrinks_blind() {
    // Never reported: the workers that are there stay, unless a policy needs no signal.
    let blind = knobs().prop_filter("a fixed count needs no signal", |knobs| {
        knobs.policies.iter().any(|policy| !matches!(policy, Policy::Fixed(_)))
    });
    let cases = (blind, select(vec![Grain::Ids, Grain::Counts]), habits(), 0_u32..20);
    holds("never_shrinks_blind, never told", cases, &[("above min", 30)], |(knobs, grain, habits, workers), tally| {
        let workers = workers.clamp(knobs.min, knobs.max);
        let mut knobs = patient(knobs, &habits);
        // Bounds may always lower the count.
        knobs.extras.schedule.clear();
        let min = knobs.min;
        let mut world = World::new(knobs.config(), Timestamp::ORIGIN, grain, habits).with_workers(workers);
        world.decide();
        prop_assert!(world.autoscaler.desired() >= workers);
        world.run_until(Timestamp::from_secs(30 * 86_400));
        prop_assert!(world.autoscaler.desired() >= workers, "{:?}", world.counts);
        tally.saw("above min", workers > min);
        Ok(())
    });

    // Told, and then no more: from the instant on at which a needed signal is too old, whatever the others say.
    let cases = (knobs_of(vec(traffic_policy(), 1..=4)), grain(), habits(), busy_and_calm(), any::<Mute>());
    let interesting = [("could shrink", 20), ("others go on", 20)];
    holds("never_shrinks_blind, told no more", cases, &interesting, |(knobs, grain, habits, phases, mute), tally| {
        let mut knobs = patient(knobs, &habits);
        knobs.extras.schedule.clear();
        let scrape = Duration::from_secs(5);
        let short = |delay: Duration| Duration::from_millis(u64::try_from(delay.as_millis()).unwrap() % 60_000);
        (knobs.freshness, knobs.down_delay) = (scrape * 3, short(knobs.down_delay));
        (knobs.to_zero_delay, knobs.idle_timeout) = (knobs.to_zero_delay.map(short), knobs.idle_timeout.map(short));
        // Only policies that need what is muted.
        let needs = |policy: &Policy| matches!(policy, Policy::Outpost(_)) == matches!(mute, Mute::Arrivals);
        if mute != Mute::All && !knobs.policies.iter().any(needs) {
            return Ok(());
        }
        let (min, freshness) = (knobs.min, knobs.freshness);
        let mut world = World::new(knobs.config(), Timestamp::ORIGIN, grain, habits);
        world.report_pool();
        let mut now = Timestamp::ORIGIN;
        for (scrapes, depth, in_flight, requests) in phases {
            for _ in 0..scrapes {
                now = now.saturating_add(scrape);
                world.observe_all(
                    now,
                    &[
                        Observation::queue(depth, None),
                        Observation::in_flight(in_flight),
                        Observation::Requests { count: requests, over: scrape },
                    ],
                );
            }
        }
        let blind_from = now.saturating_add(freshness);
        let mut before = None;
        for _ in 0..30 {
            now = now.saturating_add(scrape);
            if now >= blind_from && before.is_none() {
                world.run_until(blind_from);
                world.decide();
                before = Some(world.autoscaler.desired());
            }
            world.observe_all(now, &mute.others(scrape));
            prop_assert!(before.is_none_or(|count| world.autoscaler.desired() >= count), "{:?}", world.counts);
        }
        tally.saw("could shrink", before.is_some_and(|count| count > min));
        tally.saw("others go on", mute != Mute::All);
        Ok(())
    });

    // A proposal that has expired is missing too.
    let cases = (knobs(), 1_u32..20, positive(span()), 0_u32..3);
    holds("never_shrinks_blind, proposal expired", cases, &[], |(mut knobs, count, valid_for, others), _| {
        knobs.extras.schedule.clear();
        knobs.policies = vec![Policy::External; 1];
        knobs.policies.extend(vec![Policy::Fixed(0); others as usize]);
        (knobs.up_delay, knobs.up_step) = (Duration::ZERO, None);
        let mut autoscaler = Autoscaler::new(knobs.config(), Timestamp::ORIGIN);
        let proposal = Observation::Proposal { workers: count, valid_for: Some(valid_for) };
        autoscaler.observe(Timestamp::ORIGIN, proposal).unwrap();
        let reached = autoscaler.decide(Timestamp::ORIGIN.saturating_add(valid_for)).desired;
        for days in 0..30 {
            let later = Timestamp::ORIGIN.saturating_add(valid_for).saturating_add(Duration::from_secs(days * 86_400));
            prop_assert!(autoscaler.decide(later).desired >= reached);
        }
        Ok(())
    });
}

/// Which signal falls silent while the others go on saying that there is nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mute {
    All,
    Arrivals,
    Queue,
    InFlight,
}

impl Arbitrary for Mute {
    type Parameters = ();
    type Strategy = prop::sample::Select<Self>;

    fn arbitrary_with((): ()) -> Self::Strategy {
        select(vec![Self::All, Self::Arrivals, Self::Queue, Self::InFlight])
    }
}

impl Mute {
    fn others(self, over: Duration) -> Vec<Observation> {
        let all = [
            (Self::Queue, Observation::queue(0, None)),
            (Self::InFlight, Observation::in_flight(0)),
            (Self::Arrivals, Observation::Requests { count: 0, over }),
        ];
        all.into_iter().filter(|(kind, _)| self != Self::All && self != *kind).map(|(_, fact)| fact).collect()
    }
}

/// Some scrapes of a load, and then some of a lighter one that is not zero: queue depth, in flight, requests.
fn busy_and_calm() -> impl Strategy<Value = Vec<(u32, u32, u32, u32)>> {
    let busy = (1_u32..30, 0_u32..30, 1_u32..30, 1_u32..100);
    let calm = (0_u32..30, 1_u32..3, 1_u32..3, 1_u32..3);
    (busy, calm).prop_map(|(busy, calm)| vec![busy, calm])
}

/// Fresh zero traffic brings the pool down to its floor, in the configured time. For an objective that is the longest that
/// it keeps workers for: how long it does is learned.
#[test]
fn zero_is_a_value() {
    let burst =
        (1_u32..40, (0_u64..3_000).prop_map(Duration::from_millis), (1_u64..20_000).prop_map(Duration::from_millis));
    let cases = (knobs_of(vec(traffic_policy(), 1..=4)), grain(), habits(), burst, any::<bool>());
    let interesting = [("to zero", 30), ("to min", 20), ("from above min", 30), ("learned", 10)];
    holds("zero_is_a_value", cases, &interesting, |(knobs, grain, habits, burst, by_gauges), tally| {
        let mut knobs = patient(knobs.plain(), &habits);
        (knobs.up_step, knobs.down_step, knobs.idle_timeout, knobs.event_freshness) = (None, None, None, None);
        (knobs.up_delay, knobs.freshness) = (knobs.up_delay.min(Duration::from_secs(1)), Duration::from_secs(60));
        let (min, window) = (knobs.min, knobs.window);
        let learned = knobs.policies.iter().any(|policy| matches!(policy, Policy::Objective(_)));
        let kept =
            if learned { Objective::LONGEST_KEEP + habits.cold.iter().sum::<Duration>() } else { Duration::ZERO };
        let (to_zero, down_delay) = (knobs.to_zero(), knobs.down_delay);
        let mut world = World::new(knobs.config(), Timestamp::ORIGIN, grain, habits);
        world.report_pool();

        let (count, sojourn, service) = burst;
        let (scrape, mut now) = (Duration::from_secs(20), Timestamp::from_secs(100));
        let (last_activity, first_zero);
        if by_gauges {
            let gauges = |count| {
                [
                    Observation::queue(count, None),
                    Observation::in_flight(count),
                    Observation::Requests { count, over: scrape },
                ]
            };
            world.observe_all(now, &gauges(count));
            (last_activity, first_zero) = (now, now.saturating_add(scrape));
            let silence = kept + to_zero + window + down_delay + Duration::from_secs(60);
            while now.saturating_since(last_activity) < silence {
                now = now.saturating_add(scrape);
                world.observe_all(now, &gauges(0));
            }
        } else {
            world.observe(now, Observation::arrived(count));
            now = now.saturating_add(sojourn);
            world.observe_all(now, &vec![Observation::started(sojourn); count as usize]);
            now = now.saturating_add(service);
            world.observe_all(now, &vec![Observation::finished(service); count as usize]);
            (last_activity, first_zero) = (now, now);
            world.run_until(now.saturating_add(kept + to_zero + window + down_delay + Duration::from_secs(60)));
        }
        let at_end = world.counts.iter().rfind(|(at, _)| *at <= last_activity).map_or(min, |(_, count)| *count);
        prop_assert_eq!(world.autoscaler.desired(), min, "{:?}", world.counts);
        let reached = world.counts.last().map_or(Timestamp::ORIGIN, |(at, _)| *at);
        if learned {
            tally.saw("learned", reached > last_activity);
        } else if min == 0 && at_end > 0 {
            prop_assert_eq!(reached, last_activity.saturating_add(to_zero).max(first_zero), "{:?}", world.counts);
        } else {
            let latest = first_zero.saturating_add(window + window / 12 + down_delay);
            prop_assert!(reached <= latest, "{} > {}", reached, latest);
        }
        tally.saw("to zero", min == 0 && at_end > 0);
        tally.saw("to min", min > 0);
        tally.saw("from above min", at_end > min);
        Ok(())
    });
}

/// How many waiting requests one worker is meant to answer, by the least patient policy.
fn answered_by_one(knobs: &Knobs) -> u32 {
    let by_policy = |policy: &Policy| match policy {
        Policy::Outpost(Outpost { target_qps_per_replica: rate, .. }) => {
            u32::try_from(rate.as_micros().div_ceil(1_000_000)).unwrap().max(knobs.concurrency)
        }
        Policy::RunPod(RunPod { scaling: RunPodScaling::RequestCount(count), .. }) => *count,
        Policy::Concurrency(target) => u32::try_from(target.target() as u64).unwrap().max(1),
        _ => knobs.concurrency,
    };
    knobs.policies.iter().map(by_policy).min().unwrap_or(1)
}

/// A request at zero workers is answered by a start at that same instant, enough for the backlog seen, past every delay.
#[test]
fn waking_is_immediate() {
    #[derive(Clone, Copy, Debug)]
    enum Wake {
        Together,
        OneByOne,
        OneByOneAskedEachTime,
        Gauge,
    }
    let wake = select(vec![Wake::Together, Wake::OneByOne, Wake::OneByOneAskedEachTime, Wake::Gauge]);
    let cases = (knobs(), grain(), habits(), gap(), 1_u32..100, wake, any::<bool>());
    let interesting = [("several", 30), ("revived", 2)];
    holds("waking_is_immediate", cases, &interesting, |(knobs, grain, habits, wait, count, wake, before), tally| {
        let mut knobs = knobs.plain();
        knobs.min = 0;
        let mut world = World::new(patient(knobs.clone(), &habits).config(), Timestamp::ORIGIN, grain, habits);
        world.report_pool();
        world.decide();
        if before {
            // It has been up, and is back at zero, its pool perhaps still draining or in standby.
            world.observe(world.now, Observation::arrived(1));
            let (taken, done) = (Observation::started(Duration::ZERO), Observation::finished(Duration::ZERO));
            world.observe_all(world.now, &[taken, done, Observation::in_flight(0)]);
            world.run_until(world.now.saturating_add(knobs.to_zero() + knobs.codel_interval * 20));
        }
        world.run_until(world.now.saturating_add(Duration::from_nanos(wait.unsigned_abs())));
        world.decide();
        if world.autoscaler.desired() > 0 {
            return Ok(());
        }

        let (now, there) = (world.now, world.autoscaler.status().committed);
        let mut autoscaler = world.autoscaler;
        let mut commands = Vec::new();
        let mut observe = |fact, ask: bool| {
            autoscaler.observe(now, fact).unwrap();
            if ask {
                commands.extend(autoscaler.decide(now).commands);
            }
        };
        match wake {
            Wake::Together => observe(Observation::arrived(count), true),
            Wake::Gauge => observe(Observation::queue(count, None), true),
            Wake::OneByOne => (1..=count).for_each(|nth| observe(Observation::arrived(1), nth == count)),
            Wake::OneByOneAskedEachTime => (0..count).for_each(|_| observe(Observation::arrived(1), true)),
        }
        let enough = count.div_ceil(answered_by_one(&knobs)).min(knobs.max);
        let desired = autoscaler.desired();
        prop_assert!(desired >= enough, "{desired} of {enough}");
        prop_assert!(there + brought(&commands) >= desired, "{there} there, {:?} for {desired}", commands);
        tally.saw("several", enough > 1);
        tally.saw("revived", commands.iter().any(|c| matches!(c, Command::Revive { .. } | Command::ReviveAny { .. })));
        Ok(())
    });
}

/// A change comes at the first instant its delay allows, neither earlier nor (when wake-ups are honoured) later; one
/// stray sample does not restart a delay.
#[test]
fn delays_are_exact() {
    // A steady count, then another for ever, but for one lapse back.
    let counts = (1_u32..=40, 1_u32..=40).prop_filter("a step", |(from, to)| from != to);
    let lapse = weighted(0.7, (positive(span()), positive(span())));
    let cases = (knobs(), counts, lapse, 0_u64..4_000_000_000, any::<bool>());
    let interesting = [("up", 20), ("down", 20), ("set back", 3), ("restarted", 3)];
    holds("delays_are_exact", cases, &interesting, |(knobs, (from, to), lapse, odd, by_gauge), tally| {
        let mut knobs = knobs.plain();
        (knobs.min, knobs.max, knobs.concurrency, knobs.tolerance) = (0, 40, 1, 0.0);
        (knobs.up_step, knobs.down_step, knobs.freshness) = (None, None, Duration::from_secs(86_400));
        knobs.order_timeout = Duration::from_secs(60);
        let per_worker = RunPod::request_count(1);
        knobs.policies = vec![if by_gauge { Policy::RunPod(per_worker) } else { Policy::External }];
        let demand = |count| {
            if by_gauge {
                Observation::in_flight(count)
            } else {
                Observation::Proposal { workers: count, valid_for: None }
            }
        };
        let mut world = World::new(knobs.config(), Timestamp::ORIGIN, Grain::Silent, swift());
        world.observe_all(Timestamp::ORIGIN, &[Observation::queue(0, None), demand(from)]);
        let steady = Timestamp::from_secs(3_600);
        world.run_until(steady);
        prop_assert_eq!(world.autoscaler.desired(), from);

        let (delay, setback) = if to > from { (knobs.up_delay, 1) } else { (knobs.down_delay, 9) };
        let step = steady.saturating_add(Duration::from_nanos(odd));
        let mut due = step.saturating_add(delay);
        world.observe(step, demand(to));
        if let Some((progress, length)) = lapse.filter(|(progress, _)| *progress < delay) {
            let (begin, end) = (step.saturating_add(progress), step.saturating_add(progress + length));
            let restarted = end.saturating_add(delay);
            due = due.saturating_add(length * (1 + setback)).min(restarted);
            world.observe(begin, demand(from));
            world.observe(end, demand(to));
            tally.saw("set back", due < restarted);
            tally.saw("restarted", due == restarted);
        }
        if due > world.now {
            world.run_until(Timestamp::from_nanos(due.as_nanos() - 1));
            world.decide();
            prop_assert_eq!(world.autoscaler.desired(), from, "a nanosecond before {}", due);
        }
        world.run_until(due);
        prop_assert_eq!(world.counts.last(), Some(&(due, to)), "{:?}", world.counts);
        tally.saw("up", to > from);
        tally.saw("down", to < from);
        Ok(())
    });

    // Down to the most that was wanted within the delay, up to the least.
    let wanted = vec((positive(span()), 1_u32..=40), 1..12);
    let cases = (knobs(), 1_u32..=40, wanted, any::<bool>());
    let interesting = [("between", 10)];
    holds("delays_are_exact, within the delay", cases, &interesting, |(knobs, from, wanted, up), tally| {
        let mut knobs = knobs.plain();
        (knobs.min, knobs.max, knobs.tolerance, knobs.policies) = (0, 41, 0.0, vec![Policy::External]);
        (knobs.up_step, knobs.down_step) = (None, None);
        let mut autoscaler = Autoscaler::new(knobs.config(), Timestamp::ORIGIN);
        let demand = |workers| Observation::Proposal { workers, valid_for: None };
        // One direction only: all above the steady count, or all below it.
        let beyond =
            |count: u32| if up { from.saturating_add(count).min(41) } else { from.saturating_sub(count).max(1) };
        autoscaler.observe(Timestamp::ORIGIN, demand(from)).unwrap();
        let step = Timestamp::from_secs(3_600);
        let delay = if up { knobs.up_delay } else { knobs.down_delay };
        let due = step.saturating_add(delay);
        let (mut now, mut seen) = (step, Vec::new());
        for (gap, count) in wanted {
            if now >= due && !seen.is_empty() {
                break;
            }
            autoscaler.observe(now, demand(beyond(count))).unwrap();
            seen.push(beyond(count));
            now = now.saturating_add(gap);
        }
        let expected = if up { seen.iter().min() } else { seen.iter().max() };
        let between = expected != seen.last();
        prop_assert_eq!(Some(&autoscaler.decide(due).desired), expected, "{:?}", seen);
        tally.saw("between", between);
        Ok(())
    });
}

/// A pool that does everything at once.
fn swift() -> Habits {
    Habits { answer: Duration::ZERO, cold: vec![Duration::ZERO], warm: Duration::ZERO, drain: Duration::ZERO }
}

/// Stop goes only to idle (or starting) workers, or to draining ones past their deadline; unknown counts as busy;
/// draining is not capacity; returning demand un-drains before it starts.
#[test]
fn busy_is_never_stopped() {
    let fact = prop_oneof![
        6 => worker_event(),
        2 => (0_u32..12).prop_map(|workers| Observation::Proposal { workers, valid_for: None }),
        1 => observation(),
    ];
    let cases = (knobs(), vec((gap(), fact), 1..60));
    let interesting = [("stop", 15), ("drain", 2), ("cut off", 5), ("revive", 5), ("start", 15)];
    holds("busy_is_never_stopped", cases, &interesting, |(mut knobs, facts), tally| {
        knobs.policies[0] = Policy::External;
        let config = knobs.config();
        let (mut autoscaler, mut ledger) = (Autoscaler::new(config.clone(), Timestamp::ORIGIN), Ledger::default());
        let (mut now, mut given) = (Timestamp::ORIGIN, Vec::new());
        for (gap, fact) in facts {
            now = now.saturating_add(Duration::from_nanos(gap.unsigned_abs()));
            if let (Ok(()), Observation::Worker { id, event }) = (autoscaler.observe(now, fact), fact) {
                ledger.saw(now, id, event);
            }
            let decision = autoscaler.decide(now);
            if let Err(fault) = ledger.told(&decision, &config) {
                return Err(TestCaseError::fail(fault));
            }
            let status = autoscaler.status();
            let (least, most) = ledger.committed(now, config.start_timeout());
            let named = status.committed.saturating_sub(status.replicas.ordered) as usize;
            let by_id = least > 0;
            prop_assert!(!by_id || (least..=most).contains(&named), "{} of {}..={}", named, least, most);
            given.extend(decision.commands);
        }
        let gave = |fits: fn(&Command) -> bool| given.iter().any(fits);
        tally.saw("stop", gave(|command| matches!(command, Command::Stop { cut_off: false, .. })));
        tally.saw("cut off", gave(|command| matches!(command, Command::Stop { cut_off: true, .. })));
        tally.saw("drain", gave(|command| matches!(command, Command::Drain { .. })));
        tally.saw("revive", gave(|command| matches!(command, Command::Revive { .. })));
        tally.saw("start", gave(|command| matches!(command, Command::Start { .. })));
        Ok(())
    });

    let closed = (knobs(), habits(), acts(40));
    holds("busy_is_never_stopped, closed loop", closed, &[("started", 30)], |(knobs, habits, acts), tally| {
        let mut world = World::new(patient(knobs, &habits).config(), Timestamp::ORIGIN, Grain::Ids, habits);
        live(&mut world, &acts, |world| {
            prop_assert_eq!(&world.fault, &None);
            Ok(())
        })?;
        tally.saw("started", world.started > 0);
        Ok(())
    });
}

/// Reports of several observers, in any order, doubled or late within the window, give one state.
#[test]
fn reports_commute() {
    let group = vec((heard(), 0_usize..4, any::<prop::sample::Index>(), any::<bool>()), 1..14);
    let cases = (knobs(), vec((gap(), group), 1..6), any::<u64>());
    let interesting =
        [("another order", 90), ("doubled", 60), ("late", 60), ("restart", 20), ("rate", 30), ("grows", 20)];
    holds("reports_commute", cases, &interesting, |(knobs, groups, seed), tally| {
        let config = knobs.config();
        let mut straight = Autoscaler::new(config.clone(), Timestamp::ORIGIN);
        let (mut now, mut clocks, mut incarnations, mut chance) = (600_000_000_000, [None; 3], [1_u64; 3], seed);
        let mut shuffled = straight.clone();
        let (mut late, mut doubled, mut restart, mut rate, mut grows, mut other) = Default::default();
        for (gap, group) in groups {
            now += gap.unsigned_abs().min(200_000_000_000);
            // Every observer's reports follow each other without a gap, up to about now and within a window of it.
            let mut reports = Vec::new();
            for (heard, twice, _, restarts) in group {
                let id = usize::try_from(heard.observer).unwrap();
                let slice = u64::try_from(config.window().as_nanos()).unwrap() / 12;
                let oldest = now - slice * 9;
                let known = clocks[id].filter(|(at, _)| *at >= oldest);
                let (from, sequence) = known.unwrap_or((oldest, 1));
                let room = (now + slice / 2).saturating_sub(from);
                let over = u64::try_from(heard.over.as_nanos()).unwrap_or(u64::MAX).clamp(1, slice * 2).min(room);
                if over == 0 {
                    continue;
                }
                let begins = known.is_none() || (restarts && twice == 3);
                incarnations[id] += u64::from(begins);
                let sequence = if begins { 1 } else { sequence };
                restart |= begins && known.is_some();
                clocks[id] = Some((from + over, sequence + 1));
                let heard = Heard { over: Duration::from_nanos(over), incarnation: incarnations[id], ..heard };
                let report = heard.numbered(sequence, Timestamp::from_nanos(from + over), config.sojourn_target());
                late |= from + over + slice < now;
                doubled |= twice == 1;
                reports.extend(std::iter::repeat_n(report, if twice == 1 { 2 } else { 1 }));
            }
            let at = Timestamp::from_nanos(now);
            let mut permuted = reports.clone();
            for index in (1..permuted.len()).rev() {
                chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                permuted.swap(index, usize::try_from(chance >> 33).unwrap() % (index + 1));
            }
            other |= permuted != reports;
            for report in &reports {
                prop_assert_eq!(straight.report(at, report), Ok(()));
            }
            for report in &permuted {
                prop_assert_eq!(shuffled.report(at, report), Ok(()));
            }
            prop_assert_eq!(straight.status(), shuffled.status());
            prop_assert_eq!(straight.snapshot(), shuffled.snapshot());
            rate |= straight.status().signals.arrival_rate.is_some_and(|rate| rate != plimsoll::Rate::ZERO);
            let before = straight.desired();
            prop_assert_eq!(straight.decide(at), shuffled.decide(at));
            grows |= before > 0;
        }
        for wake in 0..8 {
            let Some(at) = straight.next_wakeup() else { break };
            prop_assert_eq!(straight.decide(at), shuffled.decide(at), "wake-up {}", wake);
        }
        tally.saw("another order", other);
        tally.saw("doubled", doubled);
        tally.saw("late", late);
        tally.saw("restart", restart);
        tally.saw("rate", rate);
        tally.saw("grows", grows);
        Ok(())
    });
}

/// Snapshot at any point, restore, go on: the same decisions as never having stopped, through JSON and through CBOR.
#[test]
fn restore_continues() {
    let cases = (hostile_case(), vec(any::<(bool, bool)>(), 60));
    holds("restore_continues", cases, &[("restored", 90), ("changes", 10)], |(case, restores), tally| {
        let (mut through, mut stopped) = (case.autoscaler(), case.autoscaler());
        let (mut restored, mut changes) = (false, false);
        for (step, (stop, binary)) in case.steps.iter().zip(restores.into_iter().cycle()) {
            if stop {
                stopped = restart(&stopped, binary);
                restored = true;
            }
            let before = through.desired();
            prop_assert_eq!(decisions(&mut through, from_ref(step)), decisions(&mut stopped, from_ref(step)));
            changes |= through.desired() != before;
        }
        prop_assert_eq!(through.status(), stopped.status());
        prop_assert_eq!(through.snapshot(), stopped.snapshot());
        prop_assert_eq!(through, stopped);
        tally.saw("restored", restored);
        tally.saw("changes", changes);
        Ok(())
    });
}

/// Another process's life with the same state.
fn restart(autoscaler: &Autoscaler, binary: bool) -> Autoscaler {
    // A snapshot that never left the process is the same one.
    assert_eq!(Autoscaler::restore(autoscaler.snapshot()).as_ref(), Ok(autoscaler));
    let snapshot: Snapshot = if binary {
        let mut bytes = Vec::new();
        ciborium::into_writer(&autoscaler.snapshot(), &mut bytes).unwrap();
        ciborium::from_reader(&bytes[..]).unwrap()
    } else {
        serde_json::from_str(&serde_json::to_string(&autoscaler.snapshot()).unwrap()).unwrap()
    };
    Autoscaler::restore(snapshot).unwrap()
}

/// A live change of configuration loses no signal and no running delay; only new bounds act at once.
#[test]
fn reconfigure_keeps_timers() {
    // To the same configuration, and to another and back within an instant at which that one would do nothing.
    let cases = (case(), vec(any::<bool>(), 60), positive(span()), 1_u32..5);
    holds("reconfigure_keeps_timers", cases, &[("changes", 20)], |(case, often, longer, more), tally| {
        let config = case.knobs.config_from(case.start);
        let mut other = case.knobs.clone();
        (other.up_delay, other.down_delay) = (other.up_delay + longer, other.down_delay + longer);
        (other.to_zero_delay, other.standby) = (Some(case.knobs.to_zero()), other.standby + more);
        let other = other.config_from(case.start);
        let (mut plain, mut other_one) = (case.autoscaler(), case.autoscaler());
        let mut moves = false;
        for ((at, step), change) in case.steps.iter().zip(often.into_iter().cycle()) {
            if change {
                // It is the same, but it takes the whole way.
                other_one.reconfigure(*at, config.clone().with_event_log(63));
                other_one.reconfigure(*at, config.clone());
            }
            let before = plain.desired();
            let told = |autoscaler: &mut Autoscaler| -> Vec<_> {
                let decisions = decisions(autoscaler, &[(*at, step.clone())]);
                decisions
                    .into_iter()
                    .map(|mut decision| {
                        // Of several levels that were reached at one instant only the last is remembered, for display.
                        decision.explanation.pressed_since = None;
                        (decision.desired, decision.commands, decision.explanation)
                    })
                    .collect()
            };
            prop_assert_eq!(told(&mut plain), told(&mut other_one));
            moves |= plain.desired() != before;
        }
        // An instant later: reports of one instant are decided together, under the configuration that holds at its end.
        let end = case.steps.last().map_or(case.start, |(at, _)| *at).saturating_add(NANO);
        let _ = plain.decide(end);
        let mut there_and_back = plain.clone();
        there_and_back.reconfigure(end, other);
        prop_assert_eq!(there_and_back.desired(), plain.desired(), "longer delays change nothing at once");
        tally.saw("changes", moves);
        Ok(())
    });

    // A running delay ends when it would have, and by the new delay's length; new bounds hold at once.
    let cases = (knobs(), 1_u32..=20, 1_u32..=20, positive(span()), positive(span()), 0.0..1.0_f64, 0_u32..=40);
    let interesting = [("shorter", 10), ("longer", 10), ("bounds", 10)];
    holds("reconfigure_keeps_timers, delays", cases, &interesting, |case, tally| {
        let (knobs, from, to, first, second, part, max) = case;
        let mut knobs = knobs.plain();
        (knobs.min, knobs.max, knobs.tolerance, knobs.policies) = (0, 40, 0.0, vec![Policy::External]);
        (knobs.up_step, knobs.down_step, knobs.idle_timeout) = (None, None, None);
        (knobs.up_delay, knobs.down_delay) = (first, first);
        let demand = |workers| Observation::Proposal { workers, valid_for: None };
        let mut autoscaler = Autoscaler::new(knobs.config(), Timestamp::ORIGIN);
        autoscaler.observe(Timestamp::ORIGIN, demand(from)).unwrap();
        let step = Timestamp::from_secs(3_600);
        autoscaler.observe(step, demand(to)).unwrap();
        let change = step.saturating_add(first.mul_f64(part));
        (knobs.up_delay, knobs.down_delay) = (second, second);
        autoscaler.reconfigure(change, knobs.config());
        let due = step.saturating_add(second).max(change);
        if from != to && due > change && change < step.saturating_add(first) {
            let before = Timestamp::from_nanos(due.as_nanos() - 1);
            prop_assert_eq!(autoscaler.clone().decide(before).desired, from);
        }
        prop_assert_eq!(autoscaler.clone().decide(due).desired, to);
        (knobs.min, knobs.max) = (max.min(3), max.max(3));
        autoscaler.reconfigure(change, knobs.config());
        let bounded = autoscaler.desired();
        prop_assert!((knobs.min..=knobs.max).contains(&bounded));
        tally.saw("shorter", second < first && from != to);
        tally.saw("longer", second > first && from != to);
        tally.saw("bounds", max < from);
        Ok(())
    });
}

/// Applying the explanation's stages in order to its proposal gives the desired count; what bound is named; codes are
/// stable and words are one line.
#[test]
fn explanation_folds() {
    let interesting = [("guard", 50), ("policy", 30), ("change", 30), ("adopted", 5), ("vanished", 1)];
    holds("explanation_folds", hostile_case(), &interesting, |case, tally| {
        let mut autoscaler = case.autoscaler();
        let decisions = decisions(&mut autoscaler, &case.steps);
        for decision in &decisions {
            prop_assert_eq!(decision.desired, decision.explanation.desired);
        }
        let explanations: Vec<_> =
            decisions.iter().map(|decision| decision.explanation).chain(autoscaler.events().copied()).collect();
        let (mut guard, mut policy, mut change, mut adopted, mut vanished) = (false, false, false, false, false);
        for told in explanations {
            prop_assert_eq!(told.fold(), told.desired);
            let mut count = told.proposed;
            let mut binding = None;
            for stage in told.stages {
                prop_assert_eq!(stage.effect.apply(count), stage.count);
                prop_assert_eq!(stage.effect == Effect::Pass, stage.count == count, "{:?}", stage);
                binding = if stage.count == count { binding } else { Some(stage.guard) };
                count = stage.count;
            }
            match (told.bound, binding) {
                (Reason::Guard(named), Some(bound)) => prop_assert_eq!(named, bound),
                (Reason::Policy(because), None) => {
                    let reasons: Vec<_> = told.proposals.iter().flatten().map(|proposal| proposal.because).collect();
                    prop_assert!(reasons.contains(&because));
                    policy = true;
                }
                (Reason::Adopted, None) => adopted = true,
                (Reason::Vanished, None) => vanished = true,
                // Waking is the zero gate's doing even where it agrees with the policies.
                (Reason::Guard(Guard::ZeroGate), None) => prop_assert!(told.count == 0 && told.desired > 0),
                _ => prop_assert!(false, "{:?} is named, {:?} bound", told.bound, binding),
            }
            if !matches!(told.bound, Reason::Adopted | Reason::Vanished) {
                let all = || told.proposals.iter().flatten();
                let want = all().map(|proposal| proposal.want).max().unwrap();
                let keep = all().map(|proposal| proposal.keep).max().unwrap().max(want);
                // From the count before, or, of several observations at one instant, from the count after the others.
                prop_assert!((want..=keep).contains(&told.proposed), "{:?}", told);
            }
            let plain = |code: &str| !code.is_empty() && code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
            prop_assert!(plain(told.code()) && told.stages.iter().all(|stage| plain(stage.guard.code())));
            let words = told.to_string();
            prop_assert!(!words.is_empty() && !words.contains('\n'), "{}", words);
            guard |= binding.is_some();
            change |= told.is_change();
        }
        tally.saw("guard", guard);
        tally.saw("policy", policy);
        tally.saw("change", change);
        tally.saw("adopted", adopted);
        tally.saw("vanished", vanished);
        Ok(())
    });
}

/// A rejected observation leaves state untouched, is counted, and names its fault.
#[test]
fn bad_input_changes_nothing() {
    let times =
        prop_oneof![Just(Timestamp::ORIGIN), Just(Timestamp::MAX), (0..u64::MAX).prop_map(Timestamp::from_nanos)];
    let cases = (hostile_case(), vec((told(), times), 1..8));
    holds("bad_input_changes_nothing", cases, &[("rejected", 50)], |(case, bad), tally| {
        let mut autoscaler = case.autoscaler();
        let mut rejected = false;
        for (at, step) in &case.steps {
            for (fact, when) in &bad {
                let mut tried = autoscaler.clone();
                let Err(fault) = tell(&mut tried, *when, fact) else { continue };
                rejected = true;
                prop_assert!(!fault.to_string().is_empty());
                prop_assert_eq!(tried.status().input.rejected, autoscaler.status().input.rejected + 1);
                // Refusals are all alike: whatever was refused, the state is the same, to the last bit.
                let nonsense = Observation::Requests { count: 0, over: Duration::ZERO };
                prop_assert!(autoscaler.observe(Timestamp::ORIGIN, nonsense).is_err());
                prop_assert!(tried == autoscaler, "{} left a trace", fault);
            }
            decisions(&mut autoscaler, &[(*at, step.clone())]);
        }
        tally.saw("rejected", rejected);
        Ok(())
    });
    // Nor does a refusal itself.
    holds("bad_input_changes_nothing, later", hostile_case(), &[], |case, _| {
        let (mut pestered, mut left_alone) = (case.autoscaler(), case.autoscaler());
        for (at, step) in &case.steps {
            let nonsense = Observation::ArrivalRate { per_second: f64::NAN };
            prop_assert!(pestered.observe(Timestamp::MAX, nonsense).is_err());
            prop_assert_eq!(
                decisions(&mut pestered, &[(*at, step.clone())]),
                decisions(&mut left_alone, &[(*at, step.clone())])
            );
        }
        Ok(())
    });
}
