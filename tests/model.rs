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
//! A platform counts its workers or names them. Now and then the implementation is restarted from its snapshot, and both go
//! on with another configuration.
//!
//! Not in the model: rates scraped as counts or gauges, quantiles and means for display and what stands out by them,
//! reports of observers, demands of more than sixteen distinct counts within a delay, intervals that begin ahead of their
//! start, a change of window, sojourn target, blind policy or cliff, a clock that goes back, the event log, and the words of
//! an explanation. The laws and the scenarios are about those.
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

#[path = "model/fleet.rs"]
mod fleet;
#[path = "model/generators.rs"]
mod generators;
#[path = "model/guards.rs"]
mod guards;
#[path = "model/notes.rs"]
mod notes;
#[path = "model/pipeline.rs"]
mod pipeline;
#[path = "model/placement.rs"]
mod placement;
#[path = "model/policies.rs"]
mod policies;
#[path = "model/pool.rs"]
mod pool;
#[path = "model/provider.rs"]
mod provider;
#[path = "model/queues.rs"]
mod queues;
#[path = "model/settings.rs"]
mod settings;
#[path = "model/signals.rs"]
mod signals;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fleet::Doing;
use generators::{Case, Deed, Op, case};
use notes::{INTERESTING, Notes};
use pipeline::Model;
use plimsoll::{
    Autoscaler, Command, Config, Decision, Mode, Observation, PoolCounts, Timestamp, WorkerEvent, WorkerId,
};
use proptest::prelude::*;
use proptest::test_runner::{FileFailurePersistence, TestCaseResult, TestError, TestRunner};

/// The implementation and the model, side by side.
struct Pair {
    /// The first configuration, and others that may follow.
    configs: Vec<Config>,
    autoscaler: Autoscaler,
    model: Model,
    now: u64,
    /// What the last decision commanded and the platform has not done yet.
    ordered: Vec<Command>,
    /// Every worker that was ever heard of.
    named: BTreeSet<WorkerId>,
}

impl Pair {
    fn run(case: &Case, notes: &mut Notes) -> TestCaseResult {
        let configs = case.configs();
        let model = Model::new(&configs[0], case.start);
        let autoscaler = Autoscaler::new(configs[0].clone(), Timestamp::from_nanos(case.start));
        let mut pair = Self { configs, autoscaler, model, now: case.start, ordered: vec![], named: BTreeSet::new() };
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
        match *op {
            Op::Observe(observation) => self.tell(&[observation], what),
            Op::AsOrdered { starting, idle, standby } => {
                let starting = starting.min(self.model.count);
                let ready = self.model.count - starting;
                let idle = idle.map(|idle| idle.min(ready));
                self.tell(
                    &[Observation::Pool(PoolCounts { ready, idle, starting, standby, ..PoolCounts::default() })],
                    what,
                )
            }
            Op::Workers(deed) => {
                let said = self.said(deed).into_iter();
                let said: Vec<_> = said.map(|(id, event)| Observation::Worker { id, event }).collect();
                self.tell(&said, what)
            }
            Op::OwnQueue { which, what: mut load } => {
                if let Observation::Arrived { queue, .. }
                | Observation::Started { queue, .. }
                | Observation::Abandoned { queue, .. }
                | Observation::Queue { queue, .. } = &mut load
                {
                    *queue = Some(self.one(which));
                }
                self.tell(&[load], what)
            }
            Op::Decide => self.decide(what),
            Op::Reconfigure(which) => {
                let config = &self.configs[which % self.configs.len()];
                self.autoscaler.reconfigure(Timestamp::from_nanos(self.now), config.clone());
                self.model.reconfigure(self.now, config);
                Ok(())
            }
            Op::Restart => {
                let written = serde_json::to_string(&self.autoscaler.snapshot()).expect("a snapshot can be written");
                let read = serde_json::from_str(&written).expect("what was written can be read");
                self.autoscaler = Autoscaler::restore(read).expect("its own snapshot is sound");
                self.decide(what)
            }
        }
    }

    /// Both are told the same. What cannot be is refused, and then, or without anything to tell, a decision goes on.
    fn tell(&mut self, observations: &[Observation], what: &str) -> TestCaseResult {
        if observations.is_empty() {
            return self.decide(what);
        }
        for observation in observations {
            let taken = self.autoscaler.observe(Timestamp::from_nanos(self.now), *observation);
            let acceptable = self.model.pool.accepts(self.now, observation);
            prop_assert_eq!(taken.is_ok(), acceptable, "{}: {:?} {:?}", what, observation, taken);
            if !acceptable {
                return self.decide(what);
            }
            self.model.observe(self.now, *observation);
        }
        Ok(())
    }

    fn decide(&mut self, what: &str) -> TestCaseResult {
        let decision = self.autoscaler.decide(Timestamp::from_nanos(self.now));
        if self.model.mode(self.now) == Mode::Observe {
            let commands = self.model.clone().decide(self.now);
            prop_assert_eq!((decision.commands, decision.would), (vec![], commands), "{}", what);
        } else {
            let commands = self.model.decide(self.now);
            self.ordered.extend(commands.iter().copied());
            prop_assert_eq!((decision.commands, decision.would), (commands, vec![]), "{}", what);
        }
        Ok(())
    }

    /// What workers say in consequence of a deed.
    fn said(&mut self, deed: Deed) -> Vec<(WorkerId, WorkerEvent)> {
        match deed {
            Deed::Obeys => {
                let ordered = std::mem::take(&mut self.ordered);
                let standby = self.who(Doing::Standby);
                let said = ordered.into_iter().flat_map(|command| match command {
                    Command::Start { count } => self.new_ones(count, WorkerEvent::Ordered),
                    Command::Prewarm { count } => self.new_ones(count, WorkerEvent::Prewarming),
                    Command::Stop { id, to_standby: true, .. } => vec![(id, WorkerEvent::Standby)],
                    Command::Stop { id, .. } => vec![(id, WorkerEvent::Gone)],
                    Command::Drain { id } => vec![(id, WorkerEvent::Draining)],
                    Command::Revive { id } if standby.contains(&id) => vec![(id, WorkerEvent::Ordered)],
                    Command::Revive { id } => vec![(id, WorkerEvent::Ready)],
                    _ => vec![],
                });
                said.collect()
            }
            Deed::Appear { count, event } => self.new_ones(count, event),
            Deed::Started(event) => {
                let loading = self.who(Doing::Loading).into_iter().map(|id| (id, WorkerEvent::Standby));
                self.who(Doing::Starting).into_iter().map(|id| (id, event)).chain(loading).collect()
            }
            Deed::Woken => self.who(Doing::Standby).into_iter().map(|id| (id, WorkerEvent::Ordered)).collect(),
            Deed::One { which, event } => vec![(self.one(which), event)],
        }
    }

    /// One that was ever heard of, or one that was never heard of.
    fn one(&self, which: usize) -> WorkerId {
        self.named.iter().nth(which % (self.named.len() + 1)).copied().unwrap_or(WorkerId(0))
    }

    fn who(&self, doing: Doing) -> Vec<WorkerId> {
        let workers = self.model.pool.fleet.workers(self.now).into_iter();
        workers.filter(|worker| worker.doing == doing).map(|worker| worker.id).collect()
    }

    /// Workers that say this first, under names that were not used before, in no order.
    fn new_ones(&mut self, count: u32, event: WorkerEvent) -> Vec<(WorkerId, WorkerEvent)> {
        let used = self.named.len() as u64;
        let ids = (used..used + u64::from(count)).map(|number| WorkerId(1 + number * 37 % 1_009));
        let new: Vec<_> = ids.map(|id| (id, event)).collect();
        self.named.extend(new.iter().map(|(id, _)| *id));
        new
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
        self.agree_on_the_pool(what)?;
        let given = if model.mode(self.now) == Mode::Observe { &decision.would } else { &decision.commands };
        prop_assert_eq!(given, &commands, "{}: the commands", what);
        Ok(())
    }

    fn agree_on_the_pool(&self, what: &str) -> TestCaseResult {
        let (status, pool, config) = (self.autoscaler.status(), &self.model.pool, self.autoscaler.config());
        let workers = status.replicas;
        let rest = [workers.starting, workers.draining, workers.standby, workers.overdue];
        let theirs = (workers.ready, workers.idle, rest);
        prop_assert_eq!(theirs, pool.replicas(self.now), "{}: the workers", what);
        prop_assert_eq!(status.committed, pool.committed(self.now), "{}: the committed count", what);
        let theirs = (status.starts.deadline, status.starts.success.as_micros());
        let ours = (Duration::from_nanos(pool.fleet.deadline(config)), pool.provider.success());
        prop_assert_eq!(theirs, ours, "{}: the starts", what);
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
    println!("seen in {asked} cases: {:?}", tally.borrow());
    for what in INTERESTING {
        let seen = tally.borrow().get(what).copied().unwrap_or(0);
        assert!(asked < 1_000 || seen * 200 >= asked, "`{what}` in {seen} of {asked} cases only");
    }
}
