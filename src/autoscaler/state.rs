//! Everything that is kept between calls: how it begins, is written down, comes back, and moves to another configuration.

use alloc::boxed::Box;
use alloc::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Autoscaler;
use super::calm::Calm;
use super::changed::Asked;
use super::reports::Reported;
use super::snapshot::{RestoreError, Snapshot};
use crate::config::Config;
use crate::guard::{GUARDS, Guards, Stage, Stages};
use crate::operator::Operator;
use crate::policy::{Inputs, MAX_PROPOSALS, Policy, Proposal};
use crate::pool::Pool;
use crate::provider::Provider;
use crate::rare::Rare;
use crate::signal::{Estimators, Learned};
use crate::status::{EventLog, InputCounts};
use crate::time::Timestamp;

#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct State {
    pub(super) estimators: Estimators,
    pub(super) pool: Pool,
    pub(super) guards: Guards,
    pub(super) operator: Rare<Operator>,
    pub(super) provider: Rare<Provider>,
    /// How many workers there should be.
    pub(super) count: u32,
    /// When it began to watch.
    pub(super) started: Timestamp,
    /// How often anything may have changed, by an observation or by time.
    pub(super) sequence: u64,
    /// The latest instant that was ever given.
    pub(super) now: Timestamp,
    /// The evaluation that `count` stands on.
    pub(super) last: Evaluation,
    pub(super) events: EventLog,
    pub(super) input: InputCounts,
    /// For those who send reports.
    pub(super) reported: Option<Box<Reported>>,
}

/// What everybody who may propose did propose.
pub(super) type Proposals = [Option<Proposal>; MAX_PROPOSALS];

/// All proposals and what they come to.
#[derive(Default)]
pub(super) struct Proposed {
    pub(super) proposals: Proposals,
    /// The policy whose proposal counts in the direction taken.
    pub(super) deciding: Option<Policy>,
    /// The largest that is asked for, …
    pub(super) want: u32,
    /// … that by rules which have not lost a signal, …
    pub(super) firm: u32,
    /// … and that whatever the requests do.
    pub(super) told: u32,
    /// The largest down to which one agrees to shrink; `None` if nobody proposes.
    pub(super) keep: Option<u32>,
    /// Somebody lacks a signal.
    pub(super) blind: bool,
}

impl Proposed {
    /// Adds a proposal in its place; `lost` says that a signal has been lost.
    pub(super) fn add(&mut self, slot: usize, proposal: Proposal, lost: bool) {
        self.want = self.want.max(proposal.want);
        self.keep = self.keep.max(Some(proposal.keep));
        self.blind |= proposal.blind;
        if !(lost && proposal.is_partial()) {
            self.firm = self.firm.max(proposal.want);
        }
        if proposal.is_told() {
            self.told = self.told.max(proposal.want);
        }
        if let Some(slot) = self.proposals.get_mut(slot) {
            *slot = Some(proposal);
        }
    }
}

/// One pass through policies and guards.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub(super) struct Evaluation {
    pub(super) at: Timestamp,
    pub(super) count: u32,
    pub(super) inputs: Inputs,
    pub(super) proposals: Proposals,
    pub(super) deciding: Option<Policy>,
    pub(super) stages: Stages,
    pub(super) desired: u32,
    pub(super) pressed_since: Option<Timestamp>,
}

impl Evaluation {
    /// Whether the count is what was proposed, and no guard changed that.
    pub(super) fn is_free(&self) -> bool {
        // Two changes of one instant that cancel each other out leave what led to the first.
        let rests = self.count == self.desired && self.pressed_since.is_none();
        rests && self.stages == Stages::none(self.count)
    }
}

/// The same as a snapshot has it.
#[derive(Serialize, Deserialize)]
struct Written {
    at: Timestamp,
    count: u32,
    inputs: Inputs,
    proposals: Proposals,
    deciding: Option<Policy>,
    proposed: u32,
    stages: [Stage; GUARDS],
    desired: u32,
    pressed_since: Option<Timestamp>,
}

impl From<Evaluation> for Written {
    fn from(evaluation: Evaluation) -> Self {
        let Evaluation { at, count, inputs, proposals, deciding, stages, desired, pressed_since } = evaluation;
        let proposed = stages.proposed;
        Self { at, count, inputs, proposals, deciding, proposed, stages: stages.all(), desired, pressed_since }
    }
}

impl From<Written> for Evaluation {
    fn from(written: Written) -> Self {
        let Written { at, count, inputs, proposals, deciding, proposed, stages, desired, pressed_since } = written;
        let stages = Stages::written(proposed, &stages);
        Self { at, count, inputs, proposals, deciding, stages, desired, pressed_since }
    }
}

impl State {
    pub(super) fn new(config: &Config, now: Timestamp) -> Self {
        let operator: Rare<Operator> = Rare::new();
        let count = operator.limits(now, 0, config).min;
        Self {
            estimators: Estimators::new(config, now),
            pool: Pool::default(),
            guards: Guards::new(now),
            operator,
            provider: Rare::new(),
            count,
            started: now,
            sequence: 0,
            now,
            last: Evaluation {
                at: now,
                count,
                inputs: Inputs::default(),
                proposals: [None; MAX_PROPOSALS],
                deciding: None,
                stages: Stages::none(count),
                desired: count,
                pressed_since: None,
            },
            events: EventLog::new(config.event_log()),
            input: InputCounts::default(),
            reported: None,
        }
    }

    /// Takes the room for all that counts may say.
    pub(super) fn make_room(&mut self) {
        self.estimators.make_room();
        self.pool.make_room();
        self.operator.make_room();
        self.provider.make_room();
        self.events.make_room();
    }

    /// Makes good what a snapshot leaves out; the name of the part that cannot be, if one cannot.
    pub(super) fn restore(&mut self, config: &Config) -> Result<(), &'static str> {
        let sound = |sound: bool, part: &'static str| if sound { Ok(()) } else { Err(part) };
        sound(self.estimators.restore(config), "signals")?;
        sound(self.pool.restore(), "pool")?;
        sound(self.guards.is_sound(), "guards")?;
        sound(self.operator.is_sound(), "operator's orders")?;
        sound(self.provider.is_sound(), "provider")?;
        sound(self.events.is_sound(config.event_log()), "event log")?;
        sound(self.reported.as_ref().is_none_or(|reported| reported.is_sound(self.now)), "evaluation")?;
        sound(self.last.desired == self.count && self.last.at <= self.now && self.started <= self.now, "evaluation")
    }
}

impl Autoscaler {
    /// Everything that it knows, to be kept until it is [restored](Self::restore).
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::new(Config::clone(&self.config), self.settled().into_owned())
    }

    /// What its [objective](crate::policy::Objective) has learned that holds for services like this one, and what it was told
    /// itself; `None` without an objective, and before the first request.
    #[must_use]
    pub fn learned(&self) -> Option<Learned> {
        self.settled().estimators.learned()
    }

    /// The same autoscaler, whose objective begins with what was learned of services like this one. Once a request has come
    /// nothing changes, nor without an objective.
    #[must_use]
    pub fn with_prior(mut self, learned: &Learned) -> Self {
        self.state.estimators.believe(learned);
        self
    }

    /// The autoscaler of which `snapshot` was taken: its decisions go on as if it had never stopped. Time that has
    /// passed since is lived through at the next call, like any other silence.
    ///
    /// # Errors
    /// If it cannot be a snapshot: it names the part that is wrong.
    pub fn restore(snapshot: Snapshot) -> Result<Self, RestoreError> {
        let Snapshot { config, mut state, .. } = snapshot;
        state.restore(&config).map_err(|part| RestoreError::Unsound { part })?;
        state.make_room();
        let wanted = state.last.stages.wanted();
        let autoscaler =
            Self { config: Arc::new(config), state, calm: Calm::default(), asked: Asked::default(), wanted };
        let (count, limits) = (autoscaler.state.count, autoscaler.limits(autoscaler.state.now));
        if count < limits.min || count > limits.max {
            return Err(RestoreError::OutOfBounds { count, min: limits.min, max: limits.max });
        }
        Ok(autoscaler)
    }

    /// Goes on with another configuration from `now` on. No signal is lost and no running delay begins anew; a delay
    /// that has become shorter than what has passed of it is over, and new bounds act at once.
    ///
    /// With another window the rates seen so far are spread over its slices. With another sojourn target how many of
    /// the sojourns seen so far exceed it is read from the sketch, and exact again when the window has turned. What
    /// observers [report](Self::report) begins anew with another window, and is refused until it counts against the same
    /// target.
    ///
    /// One that is equal changes nothing, but that an `Arc<Config>` is shared from then on.
    pub fn reconfigure(&mut self, now: Timestamp, config: impl Into<Arc<Config>>) {
        let config = config.into();
        let now = self.clamp(now);
        self.settle();
        self.advance(now);
        if config == self.config {
            self.config = config;
            return;
        }
        self.rewind();
        self.state.sequence = self.state.sequence.saturating_add(1);
        self.state.estimators.reconfigure(now, &self.config, &config);
        self.state.events.resize(config.event_log());
        self.config = config;
        if self.lapse(now) {
            self.expect_workers(now);
        }
        self.evaluate(now);
    }
}
