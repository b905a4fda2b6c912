//! Knative's KPA: concurrency over a target, a stable and a panic mode, and scale to zero behind an activator.
//!
//! [`Kpa`] is the whole of it, to be driven from samples and ready counts. Its parts are here as well: [`Buckets`] and
//! [`MaxWindow`], the [`Decider`] from averages to a count, the [`Reconciler`] from a count to replicas. Parameters are
//! [`Parameters`]; [`load`] reads annotations and a ConfigMap.
//!
//! | what | when | call |
//! |---|---|---|
//! | samples of concurrency | every second, [`Kpa::SCRAPE`] | [`Kpa::record`] |
//! | the autoscaler's loop | every 2 s, [`Kpa::TICK`], and at once if `record` says so | [`Kpa::tick`] |
//! | the reconciler alone | when pods become ready or go, and after `requeue_after` | [`Kpa::reconcile`] |
//!
//! Of the crate's laws it keeps totality, determinism and restoring, and bounds but for the initial scale, which the peer
//! puts above `max_scale`. The others it does not claim: see [`differences`](super::differences).
//!
//! Source: knative/serving 98e5ef90aa70 (the same as v1.23 in these files). Where a count does not fit into 32 bits the
//! peer's result depends on its processor; here it is the nearest that fits.

mod annotations;
mod migrate;
mod parameters;
mod reconcile;
mod scale;
#[cfg(test)]
mod tests;
mod values;
mod window;

use core::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::annotations::{LoadError, load};
pub use self::parameters::{Metric, ParameterError, Parameters};
pub use self::reconcile::{
    Activity, Mode, Reachability, Reason, Reconciled, Reconciler, ReconcilerSpec, Seen, UNKNOWN,
};
pub use self::scale::{Averages, Decider, DeciderSpec, Decision, NoDecision};
pub use self::window::{Aggregation, Buckets, MaxWindow};
use crate::time::Timestamp;

/// What one tick sees.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inputs {
    /// Pods ready now; `None` if they cannot be counted.
    pub ready: Option<u32>,
    /// The activator answers a probe through the service's address: it is in the path.
    pub activator_answers: bool,
    /// Whether requests can reach the revision.
    pub reachability: Reachability,
}

impl Inputs {
    /// So many ready pods of a revision that requests can reach, behind an activator that answers.
    #[must_use]
    pub const fn ready(ready: u32) -> Self {
        Self { ready: Some(ready), activator_answers: true, reachability: Reachability::Reachable }
    }
}

/// What one tick led to.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Outcome {
    /// Replicas that the target has been told to have.
    pub replicas: i32,
    /// What the autoscaler decided.
    pub decision: Decision,
    /// The averages it decided by.
    pub averages: Averages,
    /// What the reconciler made of it.
    pub reconciled: Reconciled,
}

/// The sample is no number.
#[derive(Clone, Copy, PartialEq, Debug, thiserror::Error)]
#[error("the sample ({value}) must be finite: leave it out if there was none")]
pub struct NotANumber {
    /// The sample.
    pub value: f64,
}

/// One revision's autoscaler with its metric windows and its reconciler.
///
/// ```
/// use plimsoll::Timestamp;
/// use plimsoll::peers::knative::{Inputs, Kpa, Parameters};
///
/// let parameters = Parameters { target: Some(10.0), ..Parameters::default() };
/// let mut kpa = Kpa::new(parameters, Timestamp::ORIGIN, Some(0))?;
/// for second in 1..=60 {
///     let now = Timestamp::from_secs(second);
///     kpa.record(now, 28.0, 0.0)?;
///     if second % 2 == 0 {
///         kpa.tick(now, &Inputs::ready(4))?;
///     }
/// }
/// assert_eq!(kpa.replicas(), 4, "⌈28 / (10 × 70 %)⌉");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Kpa {
    parameters: Parameters,
    stable: Buckets,
    panic: Buckets,
    decider: Decider,
    reconciler: Reconciler,
    /// The last decision, -1 before the first.
    desired: i32,
    excess_burst_capacity: i32,
}

impl Kpa {
    /// The period of the autoscaler's loop.
    pub const TICK: Duration = scale::TICK;
    /// The period of samples, and the length of a metric bucket.
    pub const SCRAPE: Duration = Duration::from_secs(1);

    /// A revision that the autoscaler gets to know at `now`, with so many pods ready (`None`: they could not be counted).
    ///
    /// # Errors
    /// If the peer would refuse the parameters.
    pub fn new(parameters: Parameters, now: Timestamp, ready: Option<u32>) -> Result<Self, ParameterError> {
        parameters.validate()?;
        let window = |length| Buckets::new(length, Self::SCRAPE, parameters.metric_aggregation_algorithm);
        let (_, total) = parameters.per_pod();
        let burst = parameters.target_burst_capacity;
        // 0 and -1 stand for themselves.
        let capacity = if burst > 0.0 { f64::from(parameters.initial_scale) * total - burst } else { burst };
        Ok(Self {
            stable: window(parameters.stable_window)?,
            panic: window(parameters.panic_window())?,
            decider: Decider::new(parameters.decider(true), now, ready)?,
            reconciler: Reconciler::new(parameters.reconciler(), now),
            desired: UNKNOWN,
            excess_burst_capacity: capacity as i32,
            parameters,
        })
    }

    /// A revision that has so many replicas at `now`, all of them ready: active and serving, or at zero behind the
    /// activator.
    ///
    /// # Errors
    /// As [`Kpa::new`].
    pub fn resumed(parameters: Parameters, now: Timestamp, replicas: u32) -> Result<Self, ParameterError> {
        let spec = parameters.reconciler();
        let (activity, mode) = match replicas {
            0 => ((Activity::Inactive, Reason::NoTraffic), Mode::Proxy),
            _ => ((Activity::Active, Reason::Ready), Mode::Serve),
        };
        let reconciler = Reconciler::resumed(spec, now, scale::count(replicas), activity, mode, true);
        Ok(Self { reconciler, ..Self::new(parameters, now, Some(replicas))? })
    }

    /// Takes other parameters from now on, as a live change of annotations or ConfigMap does. A changed scale-down delay
    /// has no effect, as with the peer.
    ///
    /// # Errors
    /// If the peer would refuse them; the old ones then stay.
    pub fn reconfigure(&mut self, parameters: Parameters, now: Timestamp) -> Result<(), ParameterError> {
        parameters.validate()?;
        self.stable.resize(now, parameters.stable_window)?;
        self.panic.resize(now, parameters.panic_window())?;
        self.reconciler.update(parameters.reconciler());
        self.parameters = parameters;
        Ok(())
    }

    /// One sample: the concurrency (or requests per second) summed over the pods or reported by an activator, and the
    /// part of it that an activator reports as well. Several samples within a second add up. True if the autoscaler
    /// ticks at once: something came while nothing is wanted.
    ///
    /// # Errors
    /// If a value is not finite; nothing is recorded then.
    pub fn record(&mut self, now: Timestamp, value: f64, proxied: f64) -> Result<bool, NotANumber> {
        let sample = value - proxied;
        if !sample.is_finite() {
            return Err(NotANumber { value: sample });
        }
        self.stable.record(now, sample);
        self.panic.record(now, sample);
        Ok(self.desired == 0 && value != 0.0)
    }

    /// One tick of the loop: a decision, and a pass of the reconciler.
    ///
    /// # Errors
    /// If the ready pods or the metrics are missing. The decision then stays, and [`Kpa::reconcile`] still can be
    /// called.
    pub fn tick(&mut self, now: Timestamp, inputs: &Inputs) -> Result<Outcome, NoDecision> {
        let averages = self.averages(now).ok_or(NoDecision::NoData);
        let reachable = inputs.reachability != Reachability::Unreachable;
        // The parameters were validated, so that what they tell the autoscaler is usable.
        self.decider.update(self.parameters.decider(reachable)).map_err(|_| NoDecision::NoData)?;
        let decision = self.decider.tick(now, inputs.ready, averages.ok())?;
        self.desired = decision.desired;
        self.excess_burst_capacity = decision.excess_burst_capacity;
        let reconciled = self.reconcile(now, inputs);
        Ok(Outcome { replicas: self.replicas(), decision, averages: averages?, reconciled })
    }

    /// A pass of the reconciler by the last decision. Pods that cannot be counted count as none.
    pub fn reconcile(&mut self, now: Timestamp, inputs: &Inputs) -> Reconciled {
        let seen = Seen {
            desired: self.desired,
            excess_burst_capacity: self.excess_burst_capacity,
            ready: inputs.ready.unwrap_or(0),
            activator_answers: inputs.activator_answers,
            reachability: inputs.reachability,
        };
        self.reconciler.reconcile(now, &seen)
    }

    /// The averages at `now`; `None` if the stable window is empty. Without a scrape target (burst capacity -1) an empty
    /// window averages zero.
    #[must_use]
    pub fn averages(&self, now: Timestamp) -> Option<Averages> {
        let some = !self.stable.is_empty(now) || self.parameters.unlimited_burst();
        some.then(|| Averages { stable: self.stable.average(now), panic: self.panic.average(now) })
    }

    /// Replicas that the target has been told to have.
    #[must_use]
    pub const fn replicas(&self) -> i32 {
        self.reconciler.replicas()
    }

    /// The autoscaler: whether it panics, and since when.
    #[must_use]
    pub const fn decider(&self) -> &Decider {
        &self.decider
    }

    /// The reconciler: whether the revision is active, and who serves it.
    #[must_use]
    pub const fn reconciler(&self) -> &Reconciler {
        &self.reconciler
    }

    /// The parameters.
    #[must_use]
    pub const fn parameters(&self) -> &Parameters {
        &self.parameters
    }
}
