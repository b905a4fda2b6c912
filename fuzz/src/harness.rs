//! What the fuzzer checks: pure functions over bytes that panic if a law is broken.
//!
//! The same file is a module of `tests/fuzz_harnesses.rs`, where the committed seeds and a few thousand generated
//! inputs go through it with plain `cargo test`.

mod records;

use core::fmt::{Debug, Display};
use core::ops::RangeInclusive;
use core::time::Duration;
use std::collections::BTreeMap;

use arbitrary::{Arbitrary, Result, Unstructured};
use plimsoll::config::{Expectations, StepLimit};
use plimsoll::policy::{ConcurrencyTarget, Objective, Outpost, RunPod};
use plimsoll::sim::{Options, ReadOptions, Workload, simulate};
use plimsoll::status::InputCounts;
use plimsoll::{
    Autoscaler, Command, Config, Decision, FailureCause, Grant, Mode, Observation, Policy, PoolCounts, Preset, Rate,
    Report, ReservationId, Share, Timestamp, WorkerEvent, WorkerId,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use self::records::{recorder, snapshot};

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

/// A report as it comes over a wire, in JSON or CBOR: refused with a message and without a trace, or taken in once however
/// often it comes; then a few decisions.
///
/// # Panics
/// If reading panics, or a law is broken.
pub fn report(data: &[u8]) {
    let data = data.get(..MAX_TEXT).unwrap_or(data);
    if let Ok(report) = serde_json::from_slice::<Report>(data) {
        check_report(&report);
    }
    if let Ok(report) = ciborium::from_reader::<Report, _>(data) {
        check_report(&report);
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

/// What a worker may lose by being stopped.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Load {
    /// It is loaded and stopped, or being loaded.
    Standby,
    /// It is starting.
    Starting,
    /// It is known to serve nothing.
    Free,
    /// It serves something, or may.
    Busy,
}

impl Load {
    /// What follows an event that was accepted; `None` if the worker is gone.
    const fn after(self, event: WorkerEvent) -> Option<Self> {
        match (event, self) {
            (WorkerEvent::Prewarming | WorkerEvent::Standby, _) => Some(Self::Standby),
            (WorkerEvent::Ordered, _) => Some(Self::Starting),
            (WorkerEvent::Idle | WorkerEvent::Busy(0), _)
            | (WorkerEvent::Ready | WorkerEvent::Draining, Self::Free) => Some(Self::Free),
            (WorkerEvent::Ready | WorkerEvent::Draining | WorkerEvent::Busy(_), _) => Some(Self::Busy),
            _ => None,
        }
    }
}

/// An autoscaler, and what must hold of it.
struct Run {
    autoscaler: Autoscaler,
    /// The latest instant so far; the autoscaler may not have been told of it yet.
    now: Timestamp,
    /// What the accepted events say of every worker.
    workers: BTreeMap<WorkerId, Load>,
    /// What a shared budget allows.
    granted: u32,
}

impl Run {
    fn new(config: Config, start: Timestamp) -> Self {
        let autoscaler = Autoscaler::new(config, start);
        Self { autoscaler, now: start, workers: BTreeMap::new(), granted: u32::MAX }
    }

    /// The bounds of the configuration, lowered by a grant.
    fn bounds(&self) -> RangeInclusive<u32> {
        let config = self.autoscaler.config();
        config.min().min(self.granted)..=config.max().min(self.granted)
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
                    let load = self.workers.get(&id).copied().unwrap_or(Load::Standby);
                    match load.after(event) {
                        Some(load) => self.workers.insert(id, load),
                        None => self.workers.remove(&id),
                    };
                }
                if let Observation::Grant(grant) = observation {
                    self.granted = grant.map_or(u32::MAX, |grant| grant.workers);
                }
                assert!(self.bounds().contains(&self.autoscaler.desired()), "bounds_always_hold");
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

    fn report(&mut self, report: &Report) {
        let before = self.autoscaler.clone();
        if let Err(rejected) = self.autoscaler.report(self.now, report) {
            check_text(&rejected);
            let counted = before.status().input.rejected.saturating_add(1);
            assert_eq!(self.autoscaler.status().input.rejected, counted, "a refusal is counted");
            return self.check_unchanged(before);
        }
        let mut taken = self.autoscaler.clone();
        assert_eq!(taken.report(self.now, report), Ok(()), "what was taken in is known");
        assert_eq!(taken.decide(self.now), self.autoscaler.clone().decide(self.now), "reports_commute");
        let kept = serde_json::to_string(&taken.snapshot()).map_err(|error| error.to_string());
        let restored = kept.and_then(|kept| serde_json::from_str(&kept).map_err(|error| error.to_string()));
        let restored = restored.and_then(|kept| Autoscaler::restore(kept).map_err(|error| error.to_string()));
        assert_eq!(restored, Ok(taken), "restore_continues");
        self.check_wakeup();
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
        let before = self.autoscaler.status();
        let decision = self.autoscaler.decide(now);
        assert_eq!(decision.at, before.at.max(now), "clock_regression_is_clamped");
        self.now = self.now.max(now);
        self.check_decision(&decision);

        let grows = |command: &Command| {
            matches!(command, Command::Start { .. } | Command::Revive { .. } | Command::ReviveAny { .. })
        };
        let committed = self.autoscaler.status().committed;
        let within = committed <= self.autoscaler.config().max() || !decision.commands.iter().any(grows);
        assert!(within, "bounds_always_hold: {:?} makes {committed} workers", decision.commands);

        let mut again = decision;
        again.commands.clear();
        assert_eq!(self.autoscaler.decide(now), again, "asking again repeats no command and changes nothing");
        self.check_wakeup();
    }

    fn check_decision(&self, decision: &Decision) {
        assert!(self.bounds().contains(&decision.desired), "bounds_always_hold: {decision:?}");
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
                let load = self.workers.get(&id);
                assert!(matches!(load, Some(Load::Starting | Load::Free)), "busy_is_never_stopped: {id} is {load:?}");
            }
            Command::Stop { id, .. } | Command::Revive { id } | Command::Drain { id } => {
                assert!(self.workers.contains_key(&id), "{command:?} is for a worker that is not there");
            }
            _ => {}
        }
    }

    /// Law `wakeup_moves`.
    fn check_wakeup(&self) {
        let (wakeup, told) = (self.autoscaler.next_wakeup(), self.autoscaler.status().at);
        assert!(wakeup.is_none_or(|at| at > told), "wakeup_moves: {wakeup:?} at {told:?}");
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

fn check_json<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) {
    let text = serde_json::to_string(value).map_err(|error| error.to_string());
    let back = text.clone().and_then(|text| serde_json::from_str(&text).map_err(|error| error.to_string()));
    assert_eq!(back.as_ref(), Ok(value), "through {text:?}");
}

// From bytes to values ------------------------------------------------------------------------------------------------

/// Mostly an early instant, sometimes the far end of time.
fn instant(u: &mut Unstructured<'_>) -> Result<Timestamp> {
    Ok(match u.int_in_range(0..=7_u8)? {
        0 => Timestamp::from_nanos(u64::arbitrary(u)?),
        1 => Timestamp::from_nanos(u64::MAX.saturating_sub(u64::from(u32::arbitrary(u)?))),
        2 => Timestamp::from_secs(1_795_000_000),
        _ => Timestamp::from_secs(u64::from(u16::arbitrary(u)?)),
    })
}

/// A duration of any size, the usual ones more often.
fn span(u: &mut Unstructured<'_>) -> Result<Duration> {
    let count = u64::from(u8::arbitrary(u)?);
    Ok(match u.int_in_range(0..=7_u8)? {
        0 => Duration::from_nanos(count),
        1 => Duration::from_micros(count),
        2 | 3 => Duration::from_millis(count),
        4 => Duration::from_secs(count),
        5 => Duration::from_secs(count.saturating_mul(60)),
        6 => Duration::from_secs(count.saturating_mul(86_400)),
        _ => Duration::from_nanos(u64::arbitrary(u)?),
    })
}

/// A count, mostly small.
fn count(u: &mut Unstructured<'_>) -> Result<u32> {
    Ok(match u8::arbitrary(u)? {
        255 => u32::MAX,
        254 => u32::arbitrary(u)?,
        small => u32::from(small % 32),
    })
}

fn worker(u: &mut Unstructured<'_>) -> Result<WorkerId> {
    Ok(WorkerId(match u8::arbitrary(u)? {
        255 => u64::MAX,
        small => u64::from(small % 8),
    }))
}

fn cause(u: &mut Unstructured<'_>) -> Result<FailureCause> {
    use FailureCause::{Crash, Preempted, Quota, StockOut, Timeout};
    u.choose(&[Crash, Timeout, Quota, StockOut, Preempted]).copied()
}

fn optional<T>(u: &mut Unstructured<'_>, make: impl Fn(&mut Unstructured<'_>) -> Result<T>) -> Result<Option<T>> {
    if u.ratio(1_u8, 4_u8)? { make(u).map(Some) } else { Ok(None) }
}

fn worker_event(u: &mut Unstructured<'_>) -> Result<WorkerEvent> {
    Ok(match u.int_in_range(0..=8_u8)? {
        0 => WorkerEvent::Ordered,
        1 => WorkerEvent::Ready,
        2 => WorkerEvent::Busy(count(u)?),
        3 => WorkerEvent::Idle,
        4 => WorkerEvent::Draining,
        5 => WorkerEvent::Prewarming,
        6 => WorkerEvent::Standby,
        7 => WorkerEvent::Gone,
        _ => WorkerEvent::Failed(cause(u)?),
    })
}

fn observation(u: &mut Unstructured<'_>) -> Result<Observation> {
    // The first twelve twice, where no other came later, so that older inputs keep their meaning.
    let kind = u.int_in_range(0..=23_u8)?;
    Ok(match if kind < 15 { kind } else { kind % 12 } {
        0 => Observation::Arrived { count: count(u)?, queue: optional(u, worker)? },
        1 => Observation::Started { sojourn: span(u)?, queue: optional(u, worker)? },
        2 => Observation::Finished { service: span(u)? },
        3 => Observation::Abandoned { wait: span(u)?, queue: optional(u, worker)? },
        4 => Observation::Queue { depth: count(u)?, oldest_age: optional(u, span)?, queue: optional(u, worker)? },
        5 => Observation::InFlight { count: count(u)? },
        6 => Observation::Requests { count: count(u)?, over: span(u)? },
        7 => Observation::ArrivalRate { per_second: f64::arbitrary(u)? },
        8 => Observation::ArrivalRate { per_second: f64::from(u16::arbitrary(u)?) },
        9 => Observation::StartFailed { count: count(u)?, cause: cause(u)? },
        10 => Observation::Pool(PoolCounts {
            ready: count(u)?,
            idle: optional(u, count)?,
            starting: count(u)?,
            draining: count(u)?,
            prewarming: count(u)?,
            standby: count(u)?,
            failed: count(u)?,
        }),
        12 => Observation::Grant(optional(u, grant)?),
        13 => Observation::Mode { mode: mode(u)?, valid_for: optional(u, span)? },
        14 => Observation::Reserve {
            id: ReservationId(count(u)?),
            workers: count(u)?,
            after: span(u)?,
            valid_for: span(u)?,
        },
        _ => Observation::Proposal { workers: count(u)?, valid_for: optional(u, span)? },
    })
}

fn grant(u: &mut Unstructured<'_>) -> Result<Grant> {
    Ok(Grant { workers: count(u)?, budget: u64::arbitrary(u)?, others: count(u)? })
}

fn mode(u: &mut Unstructured<'_>) -> Result<Mode> {
    Ok(match u.int_in_range(0..=5_u8)? {
        0 => Mode::GrowOnly,
        1 => Mode::ShrinkOnly,
        2 => Mode::Hold,
        3 => Mode::Fixed(count(u)?),
        4 => Mode::Observe,
        _ => Mode::Automatic,
    })
}

fn policy(u: &mut Unstructured<'_>) -> Result<Policy> {
    Ok(match u.int_in_range(0..=8_u8)? {
        0 => Policy::Fixed(count(u)?),
        1 => Policy::Outpost(Outpost::new(rate(u)?)),
        2 => Policy::RunPod(RunPod::queue_delay(span(u)?)),
        3 => Policy::RunPod(RunPod::request_count(count(u)?)),
        4 => ConcurrencyTarget::new(f64::from(u8::arbitrary(u)?)).map_or(Policy::External, Policy::Concurrency),
        5 => Policy::Objective(Objective::share(
            Share::new(f64::from(u8::arbitrary(u)?) / 255.0).unwrap_or_default(),
            span(u)?,
        )),
        6 => Policy::Objective(Objective::price(count(u)?, span(u)?)),
        7 => Policy::Objective(
            Objective::share(Share::new(f64::from(u8::arbitrary(u)?) / 255.0).unwrap_or_default(), span(u)?)
                .up_to(count(u)?),
        ),
        _ => Policy::External,
    })
}

fn rate(u: &mut Unstructured<'_>) -> Result<Rate> {
    Ok(Rate::from_micros(u64::from(u32::arbitrary(u)?)))
}

fn step(u: &mut Unstructured<'_>) -> Result<StepLimit> {
    let (amount, period) = (count(u)?, span(u)?);
    Ok(if bool::arbitrary(u)? { StepLimit::workers(amount, period) } else { StepLimit::percent(amount, period) })
}

/// A configuration, or `None` if the values drawn make none.
fn any_config(u: &mut Unstructured<'_>) -> Result<Option<Config>> {
    let (min, max) = (count(u)?, count(u)?.min(1_000));
    let mut config = match u.int_in_range(0..=3_u8)? {
        0 => Ok(u.choose(&Preset::ALL)?.config()),
        _ => Config::new(policy(u)?, min, max),
    };
    for _ in 0..u.int_in_range(0..=8_u8)? {
        let setting = u.int_in_range(0..=18_u8)?;
        let Ok(before) = config else { break };
        config = match setting {
            0 => before.with_policy(policy(u)?),
            1 => before.with_bounds(count(u)?, count(u)?.min(1_000)),
            2 => before.with_concurrency(count(u)?),
            3 => before.with_up_delay(span(u)?),
            4 => before.with_down_delay(span(u)?),
            5 => before.with_to_zero_delay(span(u)?),
            6 => before.with_idle_timeout(span(u)?),
            7 => Ok(before.with_standby(count(u)?)),
            8 => before.with_drain_timeout(span(u)?),
            9 => before.with_order_timeout(span(u)?),
            10 => Ok(before.with_tolerance(*u.choose(&[Share::ZERO, Share::new(0.1).unwrap_or_default()])?)),
            11 => before.with_up_step(step(u)?),
            12 => before.with_down_step(step(u)?),
            13 => before.with_window(span(u)?),
            14 => before.with_sojourn_target(span(u)?),
            15 => before.with_codel_interval(span(u)?),
            16 => before.with_freshness(span(u)?),
            17 => before.with_event_freshness(span(u)?),
            _ => Ok(before.with_event_log(u16::from(u8::arbitrary(u)?))),
        };
    }
    match config {
        Ok(config) => {
            check_json(&config);
            Ok(Some(config))
        }
        Err(error) => {
            check_text(&error);
            Ok(None)
        }
    }
}

// Text ----------------------------------------------------------------------------------------------------------------

fn accept_or_explain<E: Display>(read: core::result::Result<Config, E>) {
    let config = match read {
        Ok(config) => config,
        Err(error) => {
            assert!(!error.to_string().trim().is_empty(), "a refusal says why");
            return;
        }
    };
    check_json(&config);
    for lint in config.lint(&Expectations::default()) {
        check_text(&lint);
    }
    let mut run = Run::new(config, Timestamp::ORIGIN);
    run.observe(Observation::arrived(9));
    run.decide(Timestamp::from_secs(1));
    run.observe(Observation::worker(WorkerId(1), WorkerEvent::Ordered));
    run.observe(Observation::worker(WorkerId(1), WorkerEvent::Ready));
    run.observe(Observation::started(Duration::from_secs(1)));
    run.decide(Timestamp::from_secs(2));
    run.observe(Observation::finished(Duration::from_secs(1)));
    run.decide(Timestamp::from_secs(7_200));
    run.finish();
}

fn check_report(report: &Report) {
    // Durations are counted in nanoseconds; longer ones than fit are written as the longest.
    let text = |report: &Report| serde_json::to_string(report).map_err(|error| error.to_string());
    let again = text(report).and_then(|text| serde_json::from_str(&text).map_err(|error| error.to_string()));
    assert_eq!(again.and_then(|again| text(&again)), text(report), "what was read can be written");
    let target = Preset::OutpostGpu.config().with_sojourn_target(report.sojourns.target());
    for config in [Ok(Preset::RunpodBalanced.config()), target].into_iter().flatten() {
        let mut run = Run::new(config, report.at);
        run.observe(Observation::arrived(1));
        run.report(report);
        run.decide(report.at.saturating_add(Duration::from_secs(2)));
        let next = Report { sequence: report.sequence.saturating_add(1), at: run.now, ..report.clone() };
        run.report(&next);
        run.report(report);
        let later = run.autoscaler.next_wakeup().unwrap_or(run.now).max(run.now);
        run.decide(later);
        run.decide(later.saturating_add(Duration::from_secs(7_200)));
        run.finish();
    }
}

fn check_workload(workload: &Workload) {
    let requests = workload.requests();
    assert!(requests.len() <= MAX_REQUESTS, "{} requests", requests.len());
    assert!(requests.is_sorted_by_key(|request| request.arrival), "requests in order of arrival");
    assert!(requests.iter().all(|request| !request.service.is_zero()), "a request takes time");
    let end = Timestamp::from_elapsed(workload.duration());
    assert!(requests.last().is_none_or(|request| request.arrival <= end), "all arrive in the window");
    assert!(workload.offered_load() >= 0.0, "{}", workload.offered_load());
    let again = Workload::from_requests(NAME, requests.to_vec()).map_err(|error| error.to_string());
    assert_eq!(again.as_ref().map(Workload::requests), Ok(requests), "what was read can be given");
    if requests.len() <= MAX_SIMULATED {
        let outcome = simulate(workload, &Preset::OutpostGpu.config(), &Options::default(), &mut ());
        assert_eq!(outcome.refused, 0, "the simulator is right");
        let all = [outcome.finished, outcome.lost, outcome.unserved].into_iter().fold(0, u64::saturating_add);
        assert_eq!(
            (outcome.requests, all),
            (requests.len() as u64, outcome.requests),
            "every request is accounted for"
        );
    }
}
