//! KEDA: from zero to one and back by polling triggers; from one to many is left to the Kubernetes HPA.
//!
//! Emulated: main of 2026-08-20, whose executor and fallback are those of v2.20.2 (`scale_scaledobjects.go`,
//! `fallback.go`, the activity rules of `scale_handler.go`). Not emulated: the scaling-modifier formula.
//!
//! Once per [`ScaledObject::polling_interval`], the first time at once:
//!
//! 1. every trigger is read; one that fails is, after more than `failureThreshold` failures in a row, replaced by the
//!    value that makes the HPA ask for the fallback's replicas;
//! 2. the object is *active* if any trigger is above its activation threshold or on fallback, and *in error* if any
//!    still has no value;
//! 3. the executor turns the two into a write of the replicas, or none.
//!
//! [`Keda::query`] is the other way in: each metric query of the HPA (every 15 s) goes through step 1 as well and moves
//! the same failure counters.
//!
//! Time is a [`Timestamp`]: the deadlines are comparisons of whole seconds, as the cluster stores them.

mod activity;
mod fallback;
mod metadata;
mod migrate;
mod spec;
mod trigger;

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

pub use self::fallback::{Behavior, Fallback, Served};
pub use self::metadata::{Annotations, Manifest};
pub use self::spec::{ScaleTargetRef, ScaledObject};
pub use self::trigger::{MetricType, Trigger};
use crate::peers::invalid::Invalid;
use crate::time::Timestamp;

const SECOND: u64 = 1_000_000_000;

/// One scaled object and what KEDA remembers of it.
///
/// ```
/// use plimsoll::Timestamp;
/// use plimsoll::peers::keda::{Keda, Poll, ScaledObject, Trigger};
///
/// let object = ScaledObject { triggers: vec![Trigger::average_value(5_000)], ..ScaledObject::default() };
/// let mut keda = Keda::new(object, Timestamp::ORIGIN)?;
///
/// // One request in the queue: active, so from zero to one, whatever the backlog.
/// let outcome = keda.tick(Timestamp::from_secs(30), &Poll::new(&[Some(1_000)], 0))?;
/// assert_eq!(outcome.set_replicas, Some(1));
/// // The queue is empty again: to zero after 300 s without activity, at the first poll that is past them.
/// assert_eq!(keda.tick(Timestamp::from_secs(330), &Poll::new(&[Some(0)], 1))?.set_replicas, None);
/// assert_eq!(keda.tick(Timestamp::from_secs(360), &Poll::new(&[Some(0)], 1))?.set_replicas, Some(0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keda {
    object: ScaledObject,
    created: Timestamp,
    last_active: Option<Timestamp>,
    /// Failures in a row, one for every trigger.
    failures: Vec<u32>,
}

/// What one poll finds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Poll<'a> {
    /// The value of every trigger in thousandths, nothing for one that failed.
    pub readings: &'a [Option<i64>],
    /// The replicas that the target has now, whoever set them.
    pub replicas: u32,
    /// Its ready pods: a fallback of a trigger with a `Value` target divides by them.
    pub ready: u32,
    /// The annotations in force.
    pub annotations: Annotations,
}

impl<'a> Poll<'a> {
    /// A poll of a target all of whose replicas are ready, and nothing annotated.
    #[must_use]
    pub const fn new(readings: &'a [Option<i64>], replicas: u32) -> Self {
        Self { readings, replicas, ready: replicas, annotations: Annotations::NONE }
    }

    /// With so many ready pods.
    #[must_use]
    pub const fn with_ready(mut self, ready: u32) -> Self {
        self.ready = ready;
        self
    }

    /// With these annotations.
    #[must_use]
    pub const fn with_annotations(mut self, annotations: Annotations) -> Self {
        self.annotations = annotations;
        self
    }
}

/// What the executor is told: the outcome of the triggers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "the executor is told these two and nothing else")]
pub struct Activity {
    /// Some trigger is active or on fallback.
    pub active: bool,
    /// Some trigger failed and is not on fallback.
    pub error: bool,
}

/// What one poll comes to.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Outcome {
    /// What the executor was told.
    pub activity: Activity,
    /// What every trigger hands to the HPA.
    pub served: Vec<Served>,
    /// The replicas that the executor writes, if it writes.
    pub set_replicas: Option<u32>,
}

/// A call that does not fit the scaled object.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another number of readings than of triggers.
    #[error("{given} readings for {triggers} triggers: give one for each, and none for one that failed")]
    Readings {
        /// The readings.
        given: usize,
        /// The triggers.
        triggers: usize,
    },
    /// A query of a trigger that is not there.
    #[error("trigger {index} is not there: the scaled object has {triggers}")]
    NoSuchTrigger {
        /// The trigger asked for.
        index: usize,
        /// How many there are.
        triggers: usize,
    },
}

impl Keda {
    /// A scaled object that was created at that instant.
    ///
    /// # Errors
    /// If the object breaks one of the rules that KEDA's admission webhook holds it to.
    pub fn new(object: ScaledObject, created: Timestamp) -> Result<Self, Invalid> {
        object.check()?;
        let failures = object.triggers.iter().map(|_| 0).collect();
        Ok(Self { object, created: whole_seconds(created), last_active: None, failures })
    }

    /// As it stood in the cluster: it was last active at that instant.
    #[must_use]
    pub fn with_last_active(mut self, last_active: Option<Timestamp>) -> Self {
        self.last_active = last_active.map(whole_seconds);
        self
    }

    /// The parameters.
    #[must_use]
    pub const fn object(&self) -> &ScaledObject {
        &self.object
    }

    /// When it was last active.
    #[must_use]
    pub const fn last_active(&self) -> Option<Timestamp> {
        self.last_active
    }

    /// One poll, to be made every [`ScaledObject::polling_interval`].
    ///
    /// # Errors
    /// If there is not one reading for every trigger.
    pub fn tick(&mut self, now: Timestamp, poll: &Poll<'_>) -> Result<Outcome, Error> {
        let (given, triggers) = (poll.readings.len(), self.object.triggers.len());
        if given != triggers {
            return Err(Error::Readings { given, triggers });
        }
        let readings = poll.readings.iter().enumerate();
        let served: Vec<Served> = readings
            .map(|(index, reading)| self.query(index, *reading, poll.replicas, poll.ready))
            .collect::<Result<_, _>>()?;
        let activity = self.object.activity(&served);
        let set_replicas = self.execute(now, activity, poll.replicas, poll.annotations);
        Ok(Outcome { activity, served, set_replicas })
    }

    /// The executor: from activity to the replicas to write, if any (`RequestScale`).
    ///
    /// With `r` the present replicas and the first that applies:
    ///
    /// - paused: nothing;
    /// - active, and `r = 0` or idle (`r < min` with an idle count): `max(min, 1)`, last active now;
    /// - active and in error: nothing, and last active stays as it is;
    /// - active: last active now;
    /// - in error, unless the fallback is there with no replicas: nothing;
    /// - `r` above the idle count, or above 0 with `min = 0`: to it, if cooled down;
    /// - no idle count and `r < min`: `min`.
    pub fn execute(
        &mut self,
        now: Timestamp,
        activity: Activity,
        replicas: u32,
        annotations: Annotations,
    ) -> Option<u32> {
        let (min, idle) = (self.object.min_replica_count, self.object.idle_replica_count);
        if annotations.paused {
            return None;
        }
        if activity.active || annotations.force_activation {
            let asleep = replicas == 0 || (idle.is_some() && replicas < min);
            if asleep && annotations.paused_scale_out || !asleep && activity.error {
                return None;
            }
            self.last_active = Some(whole_seconds(now));
            return asleep.then_some(min.max(1));
        }
        if activity.error && self.object.fallback.is_none_or(|fallback| fallback.replicas != 0) {
            return None;
        }
        if idle.is_some_and(|idle| replicas > idle) || (replicas > 0 && min == 0) {
            let cooled_down = !annotations.paused_scale_in && self.cooled_down(now);
            return cooled_down.then_some(idle.unwrap_or(min));
        }
        (idle.is_none() && replicas < min).then_some(min)
    }

    /// Strictly past the cooldown: exactly at its end the object still waits for the next poll.
    fn cooled_down(&self, now: Timestamp) -> bool {
        let (since, wait) = match self.last_active {
            Some(last_active) => (last_active, self.object.cooldown_period),
            None => (self.created, self.object.initial_cooldown_period),
        };
        since.as_nanos().saturating_add(u64::from(wait).saturating_mul(SECOND)) < now.as_nanos()
    }
}

/// Instants are stored in the cluster with whole seconds.
const fn whole_seconds(now: Timestamp) -> Timestamp {
    Timestamp::from_secs(now.as_nanos() / SECOND)
}

#[cfg(test)]
mod tests;
