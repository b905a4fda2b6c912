//! The state machine: it wires the stages together and computes nothing itself.

mod calm;
mod changed;
mod claim;
mod explain;
mod intake;
mod part;
mod passing;
mod reports;
mod rest;
mod routing;
mod snapshot;
mod state;

use alloc::sync::Arc;
use alloc::vec::Vec;

use self::calm::Calm;
use self::changed::Asked;
pub(crate) use self::claim::Needs;
pub(crate) use self::part::{Room, Staff};
pub(crate) use self::rest::Kept;
pub use self::snapshot::{RestoreError, Snapshot};
use self::state::{Evaluation, Proposed, State};
use crate::config::Config;
use crate::decision::{Command, Decision, Explanation};
use crate::guard::Demand;
use crate::observation::{Mode, Observation, Rejected};
use crate::placement;
use crate::policy::{Inputs, MAX_PROPOSALS, Policy};
use crate::time::{Timestamp, nanos};
use crate::units::div_ceil_count;

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

    /// What the count calls for and is not there is expected from now on. Only growth and observations say so, never the
    /// mere asking, so that it does not matter when a decision is asked for.
    fn expect_workers(&mut self, now: Timestamp) {
        self.state.pool.expect(now, self.expected_workers(now), nanos(self.config.order_timeout()));
    }

    fn expected_workers(&self, now: Timestamp) -> u32 {
        placement::expected(&self.state.pool, &self.state.provider, (self.state.count, self.limits(now).max))
    }
}
