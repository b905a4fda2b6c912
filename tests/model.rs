//! The whole pipeline against a slow reference model that is written from the documents.
//!
//! The model keeps everything that was ever told and, at every instant at which anything may change, computes every signal,
//! every proposal and every guard from that history again. Random operations over random configurations go through both.
//! After each of them the count, every proposal, what every guard did, the signals and the commands must be the same, and
//! nothing may change in the model before the wake-up that the implementation named.
//!
//! It looks at more instants than the implementation lives through: every one that follows from what was told by a span of
//! the configuration, a window's slice or a delay's progress. So it also finds what changes without a wake-up, and what
//! depends on how often it is looked at.
//!
//! Rules that are stated beside the code only are the model's too: the twelve slices of a window, how a lapse of demand sets
//! a delay back, the spread of a back-off, for how long a worker that was called for is expected.
//!
//! Not in the model: workers by id (their leases, drains and idle timeouts one by one, and which of them a command names),
//! standby workers, queues of single workers, rates scraped as counts or gauges, quantiles and means for display, reports of
//! observers, demands of more than sixteen distinct counts within a delay, intervals that begin ahead of their start, a live
//! change of configuration, a clock that goes back, snapshots, the event log, and the words of an explanation. The laws and
//! the scenarios are about those.
//!
//! `PROPTEST_CASES` sets how many cases are tried. A failure prints the operations and what was decided after each.
#![expect(
    unreachable_pub,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::expect_used,
    clippy::float_arithmetic,
    clippy::indexing_slicing,
    clippy::std_instead_of_core,
    clippy::unreachable,
    reason = "a test fails by panicking, and its helpers are not seen to be tests"
)]

#[path = "model/generators.rs"]
mod generators;
#[path = "model/guards.rs"]
mod guards;
#[path = "model/pipeline.rs"]
mod pipeline;
#[path = "model/policies.rs"]
mod policies;
#[path = "model/pool.rs"]
mod pool;
#[path = "model/provider.rs"]
mod provider;
#[path = "model/signals.rs"]
mod signals;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use generators::{Case, Op, case};
use pipeline::Model;
use plimsoll::guard::Effect;
use plimsoll::provider::Measure;
use plimsoll::{Autoscaler, Command, Decision, Mode, Observation, PoolCounts, Timestamp};
use proptest::prelude::*;
use proptest::test_runner::{FileFailurePersistence, TestCaseResult, TestError, TestRunner};

/// The implementation and the model, side by side.
struct Pair {
    autoscaler: Autoscaler,
    model: Model,
    now: u64,
}

/// What was seen in one case, for people and for the test of the test.
#[derive(Default)]
struct Notes {
    lines: Option<Vec<String>>,
    seen: BTreeSet<&'static str>,
}

impl Notes {
    fn note(&mut self, pair: &Pair, what: &str) {
        let decision = pair.autoscaler.clone().decide(Timestamp::from_nanos(pair.now));
        if let Some(lines) = &mut self.lines {
            let (at, model) = (decision.at, &pair.model);
            lines.push(format!("{at}: {what}\n    {decision}; the model: {} by {:?}", model.count, model.shown.stages));
        }
        let guards = decision.explanation.stages.iter().filter(|stage| stage.effect != Effect::Pass);
        self.seen.extend(guards.map(|stage| stage.guard.code()));
        self.seen.extend(decision.commands.iter().map(|command| match command {
            Command::Start { .. } => "start",
            _ => "release",
        }));
        let last = pair.autoscaler.events().next_back().map(|event| event.bound.code());
        self.seen.extend(last.filter(|code| *code == "adopted"));
        let signals = &decision.explanation.signals;
        self.seen.extend(signals.overloaded.then_some("overloaded"));
        self.seen.extend(decision.explanation.cliff_since.map(|_| "cliff"));
        self.seen.extend(decision.explanation.trouble.map(|trouble| match trouble.measure {
            Measure::BackOff => "back-off",
            Measure::Open => "breaker",
            _ => "probe",
        }));
    }
}

impl Pair {
    fn run(case: &Case, notes: &mut Notes) -> TestCaseResult {
        let config = case.config();
        let start = Timestamp::from_nanos(case.start);
        let model = Model::new(&config, case.start);
        let mut pair = Self { autoscaler: Autoscaler::new(config, start), model, now: case.start };
        pair.agree("at the start")?;
        for (index, (gap, op)) in case.ops.iter().enumerate() {
            let what = format!("operation {index}, {op:?}");
            let now = match gap {
                Some(gap) => pair.now + u64::try_from(gap.as_nanos()).expect("a short while"),
                None => pair.autoscaler.next_wakeup().map_or(pair.now, Timestamp::as_nanos),
            };
            pair.pass_time(now, &what)?;
            pair.perform(op, &what)?;
            notes.note(&pair, &what);
            pair.agree(&what)?;
        }
        Ok(())
    }

    /// Nothing changes before the next wake-up.
    fn pass_time(&mut self, now: u64, what: &str) -> TestCaseResult {
        let wakeup = self.autoscaler.next_wakeup().map_or(u64::MAX, Timestamp::as_nanos);
        prop_assert!(wakeup > self.now, "before {}: a wake-up at {} at {}", what, wakeup, self.now);
        let missed = self.model.advance(now, wakeup);
        prop_assert_eq!(missed, None, "before {}: a change before the wake-up at {}", what, wakeup);
        self.now = now;
        Ok(())
    }

    fn perform(&mut self, op: &Op, what: &str) -> TestCaseResult {
        let observation = match *op {
            Op::Observe(observation) => observation,
            Op::AsOrdered { starting, idle } => {
                let starting = starting.min(self.model.count);
                let ready = self.model.count - starting;
                let idle = idle.map(|idle| idle.min(ready));
                Observation::Pool(PoolCounts { ready, idle, starting, ..PoolCounts::default() })
            }
            Op::Decide => {
                let decision = self.autoscaler.decide(Timestamp::from_nanos(self.now));
                let observing = self.model.mode(self.now) == Mode::Observe;
                if observing {
                    let commands = self.model.clone().decide(self.now);
                    prop_assert_eq!((decision.commands, decision.would), (vec![], commands), "{}", what);
                } else {
                    let commands = self.model.decide(self.now);
                    prop_assert_eq!((decision.commands, decision.would), (commands, vec![]), "{}", what);
                }
                return Ok(());
            }
        };
        let taken = self.autoscaler.observe(Timestamp::from_nanos(self.now), observation);
        prop_assert_eq!(taken, Ok(()), "{}", what);
        self.model.observe(self.now, observation);
        Ok(())
    }

    /// Both would decide the same.
    fn agree(&self, what: &str) -> TestCaseResult {
        prop_assert_eq!(self.autoscaler.desired(), self.model.count, "{}: the count", what);
        let decision = self.autoscaler.clone().decide(Timestamp::from_nanos(self.now));
        let mut model = self.model.clone();
        let commands = model.decide(self.now);
        let explanation = &decision.explanation;
        let wishes: Vec<_> = explanation.proposals.iter().flatten().collect();
        let theirs: Vec<_> = wishes.iter().map(|p| (p.want, p.keep, p.because, p.blind)).collect();
        let ours: Vec<_> = model.shown.wishes.iter().map(|w| (w.want, w.keep, w.because, w.blind)).collect();
        prop_assert_eq!(theirs, ours, "{}: the proposals; signals {:#?}", what, model.signals);
        let theirs = (explanation.count, explanation.proposed, explanation.stages.map(|stage| stage.count));
        let ours = (model.shown.before, model.shown.proposed, model.shown.stages);
        prop_assert_eq!(theirs, ours, "{}: the guards", what);
        prop_assert_eq!(explanation.fold(), decision.desired, "{}: the fold", what);
        self.agree_on_signals(&decision, &model, what)?;
        let given = if model.mode(self.now) == Mode::Observe { &decision.would } else { &decision.commands };
        prop_assert_eq!(given, &commands, "{}: the commands", what);
        Ok(())
    }

    fn agree_on_signals(&self, decision: &Decision, model: &Model, what: &str) -> TestCaseResult {
        let (theirs, ours) = (&decision.explanation.signals, &model.signals);
        prop_assert_eq!(theirs.arrival_rate.map(plimsoll::Rate::as_micros), ours.rate, "{}: the rate", what);
        let age = |age: Option<u64>| age.map(Duration::from_nanos);
        prop_assert_eq!(
            (theirs.queue_depth, theirs.backlog, theirs.in_flight, theirs.oldest_age, theirs.last_wait),
            (ours.depth, ours.backlog, ours.in_flight, age(ours.oldest_age), age(ours.last_wait)),
            "{}: the queue",
            what
        );
        prop_assert_eq!(
            (theirs.sojourn_over_target, theirs.sojourn_rising, theirs.overloaded, theirs.stale, theirs.surplus),
            (ours.p99_over_target, ours.rising, ours.overloaded, ours.lost, ours.surplus),
            "{}: the verdicts",
            what
        );
        let terms = &decision.explanation.terms;
        prop_assert_eq!((terms.min, terms.max), model.bounds(self.now), "{}: the bounds", what);
        prop_assert_eq!(terms.mode, model.mode(self.now), "{}: the mode", what);
        prop_assert_eq!(self.autoscaler.status().codel_marks, ours.codel_marks, "{}: CoDel's marks", what);
        Ok(())
    }
}

/// What must have been seen in half a percent of many cases: a comparison of nothing is not kept.
const INTERESTING: [&str; 18] = [
    "freshness",
    "zero_gate",
    "tolerance",
    "surplus",
    "up_delay",
    "down_delay",
    "step_limit",
    "idle_timeout",
    "mode",
    "bounds",
    "start",
    "release",
    "adopted",
    "overloaded",
    "cliff",
    "back-off",
    "breaker",
    "probe",
];

#[test]
fn the_pipeline_is_what_the_documents_say() {
    let config = ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("proptest-regressions"))),
        source_file: Some(file!()),
        test_name: Some("the_pipeline_is_what_the_documents_say"),
        max_shrink_iters: 20_000,
        ..ProptestConfig::default()
    };
    let (asked, tally) = (config.cases, RefCell::new(BTreeMap::<_, u32>::new()));
    let run = |case: Case| {
        let mut notes = Notes::default();
        Pair::run(&case, &mut notes)?;
        notes.seen.into_iter().for_each(|what| *tally.borrow_mut().entry(what).or_default() += 1);
        Ok(())
    };
    match TestRunner::new(config).run(&case(), run) {
        Ok(()) => {}
        Err(TestError::Fail(_, case)) => {
            let mut notes = Notes { lines: Some(Vec::new()), ..Notes::default() };
            let error = Pair::run(&case, &mut notes).expect_err("it has failed");
            panic!("{error}\n{case:?}\nwhat was decided:\n{}", notes.lines.unwrap_or_default().join("\n"));
        }
        Err(error) => panic!("{error}"),
    }
    for what in INTERESTING {
        let seen = tally.borrow().get(what).copied().unwrap_or(0);
        assert!(asked < 1_000 || seen * 200 >= asked, "`{what}` in {seen} of {asked} cases only");
    }
}
