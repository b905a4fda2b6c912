//! What the fuzzer checks: three pure functions over bytes that panic if a law is broken.
//!
//! The same file is a module of `tests/fuzz_harnesses.rs`, where the committed seeds and a few thousand generated
//! inputs go through it with plain `cargo test`.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::time::Duration;

use arbitrary::{Arbitrary, Result, Unstructured};
use plimsoll::config::{Expectations, StepLimit};
use plimsoll::policy::{ConcurrencyTarget, Outpost, RunPod};
use plimsoll::sim::{Options, ReadOptions, Workload, simulate};
use plimsoll::status::InputCounts;
use plimsoll::{
    Autoscaler, Command, Config, Decision, FailureCause, Observation, Policy, PoolCounts, Preset, Rate, Share,
    Timestamp, WorkerEvent, WorkerId,
};

/// A configuration and a stream of operations, both made from the bytes.
///
/// # Panics
/// If a law is broken.
pub fn operations(data: &[u8]) {
    // Bytes that run out give zeros, so there is always a configuration; the error type is only for `?`.
    let _ = run_operations(&mut Unstructured::new(data));
}

/// A configuration file: refused with a message, or a configuration that survives being written and works.
///
/// # Panics
/// If reading panics, an error has no message, or an accepted configuration does not keep the laws.
pub fn config(data: &[u8]) {
    let Some(text) = core::str::from_utf8(data).ok().filter(|text| text.len() <= MAX_TEXT) else { return };
    accept_or_explain(serde_json::from_str::<Config>(text));
    accept_or_explain(toml::from_str::<Config>(text));
    accept_or_explain(serde_saphyr::from_str::<Config>(text));
}

/// A workload file: refused with a message that names it, or requests in order within the limits, which a small
/// simulation survives.
///
/// # Panics
/// If reading panics, an error has no message, or an accepted workload is not what its type promises.
pub fn workload(data: &[u8]) {
    let limit = ReadOptions::default().with_max_requests(MAX_REQUESTS);
    for options in [limit, limit.with_divide_by(7).with_service(Duration::from_nanos(1)), limit.with_pool(1)] {
        match Workload::read(NAME, data, &options) {
            Ok(workload) => check_workload(&workload),
            Err(error) => assert!(error.to_string().contains(NAME), "{error}"),
        }
    }
}

/// The longest configuration that is read, in bytes.
const MAX_TEXT: usize = 4_096;
/// The most requests of a workload.
const MAX_REQUESTS: usize = 10_000;
/// The most requests of a workload that is also simulated.
const MAX_SIMULATED: usize = 64;
const NAME: &str = "fuzz.csv";

// Operations ----------------------------------------------------------------------------------------------------------

fn run_operations(u: &mut Unstructured<'_>) -> Result<()> {
    let start = instant(u)?;
    let Some(config) = any_config(u)? else { return Ok(()) };
    let mut run = Run::new(config, start);
    while !u.is_empty() {
        run.operation(u)?;
    }
    run.finish();
    Ok(())
}

/// An autoscaler, and what must hold of it.
struct Run {
    autoscaler: Autoscaler,
    /// The latest instant given to a call that was not refused.
    now: Timestamp,
    /// The last accepted event of every worker.
    workers: BTreeMap<WorkerId, WorkerEvent>,
}

impl Run {
    fn new(config: Config, start: Timestamp) -> Self {
        Self { autoscaler: Autoscaler::new(config, start), now: start, workers: BTreeMap::new() }
    }

    fn operation(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        match u.int_in_range(0..=7_u8)? {
            0 => self.now = self.now.saturating_add(span(u)?),
            1 => self.decide(self.now),
            2 => {
                // A clock that went back.
                let earlier = instant(u)?.min(self.now);
                self.decide(earlier);
            }
            3 => {
                let soon = self.now.saturating_add(Duration::from_secs(3_600));
                self.now = self.autoscaler.next_wakeup().unwrap_or(soon).max(self.now);
                self.decide(self.now);
            }
            4 => self.observe(Observation::worker(worker(u)?, worker_event(u)?)),
            _ => self.observe(observation(u)?),
        }
        Ok(())
    }

    fn observe(&mut self, observation: Observation) {
        let before = self.autoscaler.clone();
        match self.autoscaler.observe(self.now, observation) {
            Ok(()) => {
                if let Observation::Worker { id, event } = observation {
                    match event {
                        WorkerEvent::Gone | WorkerEvent::Failed(_) => self.workers.remove(&id),
                        _ => self.workers.insert(id, event),
                    };
                }
                let config = self.autoscaler.config();
                assert!((config.min()..=config.max()).contains(&self.autoscaler.desired()), "bounds_always_hold");
                self.check_wakeup();
            }
            Err(rejected) => {
                assert!(!rejected.to_string().is_empty(), "a refusal names its fault");
                let counted = before.status().input.rejected.saturating_add(1);
                assert_eq!(self.autoscaler.status().input.rejected, counted, "a refusal is counted");
                self.check_unchanged(before);
            }
        }
    }

    /// Law `bad_input_changes_nothing`: all that can be seen, now and later, is as if the call had not been.
    fn check_unchanged(&self, mut before: Autoscaler) {
        let look = |autoscaler: &Autoscaler| {
            let mut status = autoscaler.status();
            status.input = InputCounts::default();
            (status, autoscaler.next_wakeup(), autoscaler.events().copied().collect::<Vec<_>>())
        };
        let mut after = self.autoscaler.clone();
        assert_eq!(look(&before), look(&after), "bad_input_changes_nothing");
        for later in [Duration::ZERO, Duration::from_secs(600)] {
            let at = self.now.saturating_add(later);
            assert_eq!(before.decide(at), after.decide(at), "bad_input_changes_nothing");
        }
    }

    fn decide(&mut self, now: Timestamp) {
        let committed = self.autoscaler.status().committed;
        let decision = self.autoscaler.decide(now);
        self.now = self.now.max(decision.at);
        assert_eq!(decision.at, self.now, "clock_regression_is_clamped");
        self.check_decision(&decision);

        let after = self.autoscaler.status().committed;
        assert!(after <= committed.max(self.autoscaler.config().max()), "bounds_always_hold: {after} are under way");

        let mut again = decision;
        again.commands.clear();
        assert_eq!(self.autoscaler.decide(now), again, "asking again repeats no command and changes nothing");
        self.check_wakeup();
    }

    fn check_decision(&self, decision: &Decision) {
        let config = self.autoscaler.config();
        assert!((config.min()..=config.max()).contains(&decision.desired), "bounds_always_hold: {decision:?}");
        assert_eq!(decision.desired, self.autoscaler.desired());
        let explanation = &decision.explanation;
        assert_eq!(explanation.fold(), explanation.desired, "explanation_folds: {explanation:?}");
        assert_eq!(explanation.desired, decision.desired, "explanation_folds: {decision:?}");
        check_text(decision);
        assert!(!explanation.code().is_empty());
        for command in &decision.commands {
            self.check_command(command);
        }
    }

    fn check_command(&self, command: &Command) {
        match *command {
            Command::Start { count } | Command::Prewarm { count } | Command::ReviveAny { count } => {
                assert!((1..=self.autoscaler.config().max()).contains(&count), "{command:?}");
            }
            Command::Release { count } => assert!(count > 0, "{command:?}"),
            Command::Stop { id, cut_off: false, .. } => {
                let last = self.workers.get(&id);
                let free = matches!(last, Some(WorkerEvent::Ordered | WorkerEvent::Idle | WorkerEvent::Busy(0)));
                assert!(free, "busy_is_never_stopped: {id} is {last:?}");
            }
            Command::Stop { id, .. } | Command::Revive { id } | Command::Drain { id } => {
                assert!(self.workers.contains_key(&id), "{command:?} is for a worker that is not there");
            }
            _ => {}
        }
    }

    /// Law `wakeup_moves`.
    fn check_wakeup(&self) {
        let wakeup = self.autoscaler.next_wakeup();
        assert!(wakeup.is_none_or(|at| at > self.now), "wakeup_moves: {wakeup:?} at {:?}", self.now);
        let mut probe = self.autoscaler.clone();
        let settled = probe.decide(self.now);
        let Some(wakeup) = settled.next_wakeup else {
            let later = probe.decide(self.now.saturating_add(Duration::from_secs(1_000_000_000)));
            assert!(later.commands.is_empty(), "wakeup_moves: {:?} without one", later.commands);
            assert_eq!((later.desired, later.next_wakeup), (settled.desired, None), "wakeup_moves");
            return;
        };
        let just_before = Timestamp::from_nanos(wakeup.as_nanos().saturating_sub(1)).max(self.now);
        let early = probe.decide(just_before);
        assert!(early.commands.is_empty(), "wakeup_moves: {:?} before {wakeup:?}", early.commands);
        assert_eq!((early.desired, early.next_wakeup), (settled.desired, Some(wakeup)), "wakeup_moves");
    }

    /// What a platform keeps of a run must survive the way it keeps it.
    fn finish(mut self) {
        self.decide(self.now);
        let decision = self.autoscaler.decide(self.now);
        check_json(&decision);
        check_json(&self.autoscaler.status());
        for event in self.autoscaler.events() {
            check_text(event);
        }
        self.decide(Timestamp::MAX);
    }
}

fn check_text(value: &impl Display) {
    let text = value.to_string();
    assert!(!text.is_empty() && !text.contains('\n'), "one line of text: {text:?}");
}

fn check_json<T: serde_json_bound::Json>(value: &T) {
    let text = serde_json::to_string(value).map_err(|error| error.to_string());
    let back = text.clone().and_then(|text| serde_json::from_str(&text).map_err(|error| error.to_string()));
    assert_eq!(back.as_ref(), Ok(value), "through {text:?}");
}
