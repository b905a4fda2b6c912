//! The state machine: it wires the stages together and computes nothing itself.

mod calm;
mod changed;
mod claim;
mod explain;
mod part;
mod reports;
mod rest;
mod routing;
mod snapshot;
mod state;

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use self::calm::Calm;
use self::changed::{Ahead, Asked};
pub(crate) use self::claim::Needs;
pub(crate) use self::part::{Room, Staff};
pub(crate) use self::rest::Kept;
pub use self::snapshot::{RestoreError, Snapshot};
use self::state::{Evaluation, Proposed, State};
use crate::config::Config;
use crate::decision::{Command, Decision, Explanation, Reason};
use crate::guard::{Demand, Effect, Guard};
use crate::observation::{FailureCause, Mode, Observation, Rejected, WorkerEvent};
use crate::operator::Limits;
use crate::placement;
use crate::policy::{Inputs, MAX_PROPOSALS, Policy};
use crate::pool::Seen;
use crate::status::{Replicas, Starts, Status, Timers};
use crate::time::{Earliest, Timestamp, nanos};
use crate::units::{Rate, Share, div_ceil_count};

/// Decides how many workers a pool should have.
///
/// It is told what happened by [`observe`](Self::observe), says what should be done by [`decide`](Self::decide), and
/// names the next instant at which asking again could matter. It performs no I/O and reads no clock: the same calls
/// give the same decisions, in production, in a replay and in a test. No call panics.
///
/// ```
/// use core::time::Duration;
/// use plimsoll::{Autoscaler, Command, Config, Observation, Policy, Timestamp, policy::RunPod};
///
/// let policy = RunPod::request_count(4);
/// let config = Config::runpod(policy, 0, 10, Duration::from_secs(30))?;
/// let mut autoscaler = Autoscaler::new(config, Timestamp::ORIGIN);
///
/// // Nine requests wait and there is no worker: three are started at that same instant.
/// autoscaler.observe(Timestamp::from_secs(5), Observation::queue(9, None))?;
/// autoscaler.observe(Timestamp::from_secs(5), Observation::in_flight(0))?;
/// let decision = autoscaler.decide(Timestamp::from_secs(5));
/// assert_eq!(decision.commands, [Command::Start { count: 3 }]);
///
/// // Asking again repeats nothing.
/// assert!(autoscaler.decide(Timestamp::from_secs(5)).commands.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Autoscaler {
    /// Services of one configuration may share it.
    config: Arc<Config>,
    state: State,
    /// Follows from the state; kept for speed.
    calm: Calm,
    asked: Asked,
    /// The count of the last evaluation before the bounds.
    wanted: u32,
}

impl Autoscaler {
    /// An autoscaler that starts at `now` with the configuration's minimum. Tell it of workers that already exist by
    /// observations: they are taken over, not stopped.
    ///
    /// Services of one configuration may share it: an `Arc<Config>` is kept as it is given. All room that counts ever need is
    /// taken at once, so that to observe allocates nothing; in a [fleet](crate::fleet) it is taken when it is needed.
    #[must_use]
    pub fn new(config: impl Into<Arc<Config>>, now: Timestamp) -> Self {
        let mut autoscaler = Self::slim(config.into(), now);
        autoscaler.state.make_room();
        autoscaler
    }

    /// The same, without room for what may never come.
    pub(crate) fn slim(config: Arc<Config>, now: Timestamp) -> Self {
        let state = State::new(&config, now);
        let wanted = state.count;
        let mut autoscaler = Self { config, state, calm: Calm::default(), asked: Asked::default(), wanted };
        autoscaler.evaluate(now);
        autoscaler
    }

    /// Takes in one fact that became true at `now`. Cheap, total, and never a decision by itself.
    ///
    /// A `now` before the latest one counts as the latest one, and is counted.
    ///
    /// # Errors
    /// If the observation makes no sense or does not fit what is known; then nothing has changed but the count of
    /// refusals in the [status](Self::status).
    pub fn observe(&mut self, now: Timestamp, observation: Observation) -> Result<(), Rejected> {
        if self.count_only(now, &observation) {
            return Ok(());
        }
        self.take_in(now, observation)
    }

    /// The same where it calls for an evaluation. Not inlined, so that to count costs no more than that.
    #[inline(never)]
    fn take_in(&mut self, now: Timestamp, observation: Observation) -> Result<(), Rejected> {
        if self.gauge_only(now, &observation) {
            return Ok(());
        }
        if let Err(rejected) = self.accepts(now.max(self.state.now), &observation) {
            self.state.input.rejected = self.state.input.rejected.saturating_add(1);
            return Err(rejected);
        }
        let now = self.clamp(now);
        self.settle();
        self.advance(now);
        self.close_reports();
        self.state.input.accepted = self.state.input.accepted.saturating_add(1);
        self.state.sequence = self.state.sequence.saturating_add(1);
        let attended = self.is_attended(now);
        if attended {
            self.state.estimators.attended();
        }
        let seen = self.record(now, &observation, attended);
        self.note_seen(now, seen);
        self.lapse(now);
        self.expect_workers(now);
        self.evaluate(now);
        self.calm_down(now);
        Ok(())
    }

    /// The decision at `now`. A decision never needs another call to be complete, and asking again repeats no command.
    #[must_use = "the commands are given once"]
    pub fn decide(&mut self, now: Timestamp) -> Decision {
        let commands = self.act(now);
        self.explained(commands)
    }

    /// The commands; in the observe mode none, and what they would be.
    fn place(&mut self, now: Timestamp) -> (Vec<Command>, Vec<Command>) {
        let target = (self.state.count, self.limits(now).max);
        if self.state.operator.mode(now) == Mode::Observe {
            let (mut pool, mut provider) = (self.state.pool.clone(), self.state.provider.clone());
            return (Vec::new(), placement::place(&mut pool, &mut provider, now, target, &self.config));
        }
        (placement::place(&mut self.state.pool, &mut self.state.provider, now, target, &self.config), Vec::new())
    }

    /// How many workers there should be, as of the latest call.
    #[must_use]
    pub const fn desired(&self) -> u32 {
        self.state.count
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The last scaling events, oldest first, each with the metrics that triggered it.
    #[must_use]
    pub fn events(&self) -> impl DoubleEndedIterator<Item = &Explanation> + ExactSizeIterator {
        self.state.events.iter()
    }

    /// Everything at a glance, as of the latest call.
    #[must_use]
    pub fn status(&self) -> Status {
        let (now, census) = (self.state.now, self.state.pool.census());
        let inputs = self.state.estimators.inputs(now, &self.state.pool, &self.config);
        let signals = self.signals(now, &inputs);
        let outlook = self.state.guards.outlook(self.state.count, self.limits(now), &self.config);
        let due = |guard: Guard| outlook.filter(|(by, _, _)| *by == guard).map(|(_, _, at)| at);
        Status {
            at: now,
            desired: self.state.count,
            committed: self.state.pool.committed(now),
            replicas: Replicas {
                ready: census.ready,
                idle: census.idle,
                starting: census.starting,
                draining: census.draining,
                standby: census.standby,
                overdue: census.overdue,
                ordered: self.state.pool.orders(now),
            },
            request_latency: signals.request_latency(),
            timers: Timers {
                up: due(Guard::UpDelay),
                down: due(Guard::DownDelay),
                to_zero: self.to_zero_at(now, &inputs),
                worker: self.next_placement(now),
                order: self.state.pool.next_lapse(now, &self.config),
                mode: self.state.operator.mode_until(now),
            },
            outlook: self.state.estimators.outlook(&self.config, self.limits(now).max),
            mode: self.state.operator.mode(now),
            trouble: self.state.provider.trouble(now),
            starts: Starts {
                cold: self.state.pool.cold_starts.count,
                cold_mean: self.state.pool.cold_starts.mean(),
                warm: self.state.pool.warm_starts.count,
                warm_mean: self.state.pool.warm_starts.mean(),
                deadline: Duration::from_nanos(self.state.pool.start_deadline(&self.config)),
                success: Share::from_micros(self.state.provider.success()),
            },
            codel_marks: self.state.estimators.codel_marks(),
            standing_out: self.state.pool.standing_out(
                self.state.estimators.sojourn_mean(now, &self.config),
                nanos(self.config.sojourn_target()),
            ),
            input: self.state.input,
            failures: self.state.pool.failed,
            last_failure: self.state.pool.last_failure,
            signals,
        }
    }

    // Time ------------------------------------------------------------------------------------------------------

    fn clamp(&mut self, now: Timestamp) -> Timestamp {
        if now < self.state.now {
            self.state.input.clock_regressions = self.state.input.clock_regressions.saturating_add(1);
        }
        now.max(self.state.now)
    }

    /// Lives through the time up to `now`, stopping at every instant at which anything changes. There are only so many
    /// of them without an observation, whatever the time that passes.
    fn advance(&mut self, now: Timestamp) {
        if now > self.state.now {
            self.close_reports();
        }
        if self.is_calm(now) {
            self.state.now = now;
            self.state.estimators.advance(now);
            return;
        }
        if now == self.state.now {
            self.settle();
            return;
        }
        self.stand();
        loop {
            let ahead = self.look_ahead(self.state.now);
            let Some(at) = ahead.change().filter(|at| *at <= now && *at > self.state.now) else {
                self.settle();
                self.asked.look_ahead(ahead);
                break;
            };
            self.state.now = at;
            self.state.sequence = self.state.sequence.saturating_add(1);
            if self.lapse(at) {
                self.expect_workers(at);
            }
            self.state.estimators.advance(at);
            self.evaluate(at);
        }
        self.state.now = now;
        self.state.estimators.advance(now);
    }

    /// Gives up what has taken too long. True if that was a start, which then is to be replaced.
    fn lapse(&mut self, now: Timestamp) -> bool {
        let late = self.state.pool.lapse(now, &self.config);
        self.fail_starts(now, late, FailureCause::Timeout);
        late > 0
    }

    fn fail_starts(&mut self, now: Timestamp, count: u32, cause: FailureCause) {
        if count > 0 {
            self.state.provider.failed(now, count, cause, &self.config);
        }
    }

    /// The first instants after `now` at which time alone changes something.
    fn look_ahead(&self, now: Timestamp) -> Ahead {
        let (state, config) = (&self.state, &self.config);
        let [age, slice, signal] = state.estimators.next_change(now, &state.pool, config);
        let mut next = Earliest::after(now);
        next.note_some(signal);
        if state.guards.keeps_below(state.count) {
            next.note_some(placement::held(&state.pool, now, config).1);
        }
        next.note_some(state.pool.next_lapse(now, config));
        next.note_some(state.operator.next_change(now, self.lead(), config));
        next.note(self.watched_from());
        next.note_some(state.provider.next_change(now));
        Ahead { age, slice, fact: next.get(), step: self.next_step(now) }
    }

    /// The first instant after `now` at which time alone changes what the guards let through.
    fn next_step(&self, now: Timestamp) -> Option<Timestamp> {
        self.state.guards.next_change(now, self.state.count, self.limits(now), &self.config)
    }

    fn next_placement(&self, now: Timestamp) -> Option<Timestamp> {
        placement::next_change(&self.state.pool, &self.state.provider, now, self.state.count, &self.config)
    }

    /// When a whole window has been seen since the start: before that the count does not shrink.
    fn watched_from(&self) -> Timestamp {
        self.state.started.saturating_add(self.config.window())
    }

    /// The bounds at `now`.
    fn limits(&self, now: Timestamp) -> Limits {
        self.state.operator.limits(now, self.lead(), &self.config)
    }

    /// How long before an interval of the schedule its workers are ordered, in nanoseconds.
    fn lead(&self) -> u64 {
        if self.config.schedule().is_empty() { 0 } else { self.state.pool.cold_starts.lead() }
    }

    fn to_zero_at(&self, now: Timestamp, inputs: &Inputs) -> Option<Timestamp> {
        let busy = inputs.backlog > 0 || inputs.depth > Some(0) || inputs.in_flight > Some(0);
        if busy || self.state.count == 0 || now < self.watched_from() || self.limits(now).min > 0 {
            return None;
        }
        let blind = self.state.last.proposals.iter().flatten().any(|proposal| proposal.blind);
        let held = blind || self.state.guards.cliff_since().is_some();
        self.state.estimators.quiet_at(now, &self.state.pool, &self.config).filter(|at| !held && *at > now)
    }

    // One pass --------------------------------------------------------------------------------------------------

    /// Takes signals through policies and guards to the count. Idempotent at one instant.
    fn evaluate(&mut self, now: Timestamp) {
        self.calm = Calm::default();
        self.asked.forget();
        self.state.estimators.plan(now, &self.state.pool, &self.config);
        let inputs = self.state.estimators.inputs(now, &self.state.pool, &self.config);
        self.state.estimators.note(now, &inputs);
        let proposed = self.propose(&inputs);
        let mut demand = self.demand(now, &inputs, &proposed);
        if demand.proposed() < demand.count {
            // Who may not go matters only where somebody would: nothing else lowers a proposal below the count.
            self.look_at_idle(now);
            demand.held_workers = placement::held(&self.state.pool, now, &self.config).0;
        }
        let count = self.state.count;
        let (stages, desired) = self.state.guards.apply(&demand, &self.config);
        self.wanted = stages.wanted();
        self.state.count = desired;
        if desired > count {
            self.expect_workers(now);
        }
        // What happens at one instant is one change, however many observations it took.
        let before =
            if self.state.last.at == now && self.state.last.desired == count { self.state.last.count } else { count };
        let again = before != count;
        if again && desired == count {
            // The reason for the change stays what it was.
            self.state.last.inputs = inputs;
            return;
        }
        let pressed_since = if again { self.state.last.pressed_since } else { self.state.guards.pressed_since(before) };
        self.state.last = Evaluation {
            at: now,
            count: before,
            inputs,
            proposals: proposed.proposals,
            deciding: proposed.deciding,
            stages,
            desired,
            pressed_since,
        };
        if desired == count {
            return;
        }
        let forgot = if again { self.state.events.forget_last() } else { None };
        let pushed = desired != before;
        if pushed {
            let event = self.explain(&self.state.last);
            self.state.events.push(&event);
        }
        self.note_event(forgot.as_ref(), pushed);
    }

    /// Finds once who has been idle for long enough to go.
    fn look_at_idle(&mut self, now: Timestamp) {
        if let Some(timeout) = self.config.idle_timeout().filter(|_| self.state.pool.by_id()) {
            self.state.pool.look_at_idle(now, nanos(timeout));
        }
    }

    /// What all proposals come to, and the circumstances; of workers that may not go it knows none.
    fn demand(&self, now: Timestamp, inputs: &Inputs, proposed: &Proposed) -> Demand {
        Demand {
            firm: proposed.firm,
            blind: proposed.blind,
            surplus: inputs.surplus.then_some(proposed.told),
            quiet: inputs.quiet,
            backlog_workers: self.backlog_workers(inputs),
            mode: self.state.operator.mode(now),
            ..self.plain_demand(now, proposed.want, proposed.keep.unwrap_or(u32::MAX).max(proposed.want))
        }
    }

    /// A demand by what everybody can see, and no circumstances.
    fn plain_demand(&self, now: Timestamp, want: u32, keep: u32) -> Demand {
        Demand {
            now,
            count: self.state.count,
            want,
            firm: want,
            keep,
            blind: false,
            settling: now < self.watched_from(),
            surplus: None,
            quiet: false,
            backlog_workers: 0,
            held_workers: 0,
            mode: Mode::Automatic,
            limits: self.limits(now),
        }
    }

    /// All proposals, what they come to, and the policy whose proposal counts in the direction taken.
    fn propose(&self, inputs: &Inputs) -> Proposed {
        let policies = self.config.policies();
        let outside = inputs.external.is_some() && !policies.contains(&Policy::External);
        let mut proposed = Proposed::default();
        let (mut up, mut down) = (None, None);
        let mut slots = 0..;
        let mut ask = |policy| {
            let proposal = Policy::propose(policy, inputs);
            if up.is_none() || proposal.want > proposed.want {
                up = Some(policy);
            }
            if Some(proposal.keep) > proposed.keep {
                down = Some(policy);
            }
            proposed.add(slots.next().unwrap_or(0), proposal, inputs.lost);
        };
        policies.iter().for_each(&mut ask);
        if outside {
            ask(&Policy::External);
        }
        proposed.deciding = if proposed.want > self.state.count { up } else { down }.copied();
        if let Some(buffer) = self.config.buffer() {
            proposed.add(MAX_PROPOSALS.saturating_sub(1), buffer.propose(inputs), inputs.lost);
        }
        proposed
    }

    /// Workers that the requests certainly waiting call for.
    fn backlog_workers(&self, inputs: &Inputs) -> u32 {
        // A pool that neither wakes nor has woken asks for them in vain.
        let awake = self.state.count > 0 && !self.state.guards.is_waking() && !inputs.surplus;
        if inputs.backlog == 0 || awake {
            return 0;
        }
        div_ceil_count(inputs.backlog, u64::from(self.backlog_per_worker()))
    }

    /// Waiting requests that call for one worker.
    fn backlog_per_worker(&self) -> u32 {
        let concurrency = self.config.concurrency();
        let each = self.config.policies().iter().map(|policy| policy.backlog_per_worker(concurrency));
        each.min().unwrap_or(1)
    }

    /// Whether somebody may be taking requests, so that arrivals alone do not make a queue. A pool that is never
    /// reported is taken at its word, from the instant after it woke.
    fn is_attended(&self, now: Timestamp) -> bool {
        if self.state.pool.is_seen() {
            self.state.pool.census().ready > 0
        } else {
            self.state.count > 0 && !self.state.guards.woke_at(now)
        }
    }

    /// What the count calls for and is not there is expected from now on. Only growth and observations say so, never the
    /// mere asking, so that it does not matter when a decision is asked for.
    fn expect_workers(&mut self, now: Timestamp) {
        self.state.pool.expect(now, self.expected_workers(now), nanos(self.config.order_timeout()));
    }

    fn expected_workers(&self, now: Timestamp) -> u32 {
        placement::expected(&self.state.pool, &self.state.provider, (self.state.count, self.limits(now).max))
    }

    /// Takes in an observation that was found acceptable.
    fn record(&mut self, now: Timestamp, observation: &Observation, attended: bool) -> Seen {
        match *observation {
            Observation::Worker { id, event } => {
                let serves = matches!(event, WorkerEvent::Busy(1..) | WorkerEvent::Leased(_));
                if serves || self.state.pool.busy_slots().unwrap_or(0) > 0 {
                    self.state.estimators.active(now);
                }
                return self.state.pool.event(now, id, event);
            }
            Observation::Pool(counts) => return self.state.pool.count(now, counts),
            Observation::StartFailed { count, cause } => {
                self.state.pool.start_failed(count, cause);
                return Seen { failed: Some((count, cause)), ..Seen::default() };
            }
            Observation::Mode { mode, valid_for } => {
                self.state.operator.set_mode(mode, valid_for.map_or(Timestamp::MAX, |span| now.saturating_add(span)));
            }
            Observation::Grant(grant) => self.state.operator.set_grant(grant),
            Observation::Reserve { id, workers, after, valid_for } => {
                let start = now.saturating_add(after);
                self.state.operator.reserve(now, id, workers, start, start.saturating_add(valid_for));
            }
            _ => {
                let clamped =
                    self.state.estimators.record(now, observation, &mut self.state.pool, attended, &self.config);
                self.state.input.contradictions = self.state.input.contradictions.saturating_add(u64::from(clamped));
            }
        }
        Seen::default()
    }

    /// What was seen of the pool goes to whom it concerns.
    fn note_seen(&mut self, now: Timestamp, seen: Seen) {
        if let Some((count, cause)) = seen.failed {
            self.fail_starts(now, count, cause);
        }
        if seen.started > 0 {
            self.state.provider.succeeded(now);
        }
        let there = self.state.pool.in_service().min(self.limits(now).max);
        if seen.unordered && there > self.state.count {
            // Workers that nobody ordered are taken over, so that the policies decide about them as about any others.
            self.drifted(now, there, Reason::Adopted);
            self.state.guards.grown(now, there);
        }
        if seen.vanished > 0 && self.state.pool.in_service() < self.state.count {
            self.drifted(now, self.state.count, Reason::Vanished);
        }
    }

    /// The pool was changed by somebody else; the count is `count` from now on.
    fn drifted(&mut self, now: Timestamp, count: u32, why: Reason) {
        let mut event = self.explain(&self.state.last);
        event.at = now;
        event.count = self.state.count;
        event.proposals = [None; MAX_PROPOSALS];
        event.proposed = count;
        event.desired = count;
        event.bound = why;
        for stage in &mut event.stages {
            stage.effect = Effect::Pass;
            stage.count = count;
        }
        self.state.count = count;
        // Many that vanish at one instant are one event.
        if self
            .state
            .events
            .iter()
            .next_back()
            .is_some_and(|last| last.at == now && last.bound == why && !last.is_change())
        {
            self.state.events.forget_last();
        }
        self.state.events.push(&event);
    }

    // Input -----------------------------------------------------------------------------------------------------

    /// Whether an observation makes sense and fits what is known. Changes nothing.
    fn accepts(&self, now: Timestamp, observation: &Observation) -> Result<(), Rejected> {
        match *observation {
            Observation::Worker { id, event } => self.state.pool.accepts(now, id, event),
            Observation::Reserve { id, workers: 1.., .. } => self.state.operator.accepts(now, id),
            Observation::Pool(counts) => self.state.pool.accepts_counts(counts),
            Observation::ArrivalRate { per_second } => {
                Rate::per_second(per_second).map(|_| ()).map_err(|_| Rejected::BadRate { per_second })
            }
            Observation::Requests { count, over } if over.is_zero() => Err(Rejected::EmptySpan { count }),
            Observation::Arrived { queue: Some(id), .. }
            | Observation::Started { queue: Some(id), .. }
            | Observation::Abandoned { queue: Some(id), .. }
            | Observation::Queue { queue: Some(id), .. } => {
                self.state.pool.worker(id).map(|_| ()).ok_or(Rejected::UnknownWorker { id })
            }
            _ => Ok(()),
        }
    }
}
