//! Kubernetes' Horizontal Pod Autoscaler: `⌈ratio × pods⌉` of several metrics, stabilized and limited.
//!
//! [`Hpa`] is the controller's loop for one autoscaler; [`Calculator`] is what it does with one metric. A [`Manifest`]
//! or a [`Spec`] loads as its users have it, in YAML or JSON, through whatever reads that into serde.
//!
//! | what | when | call |
//! |---|---|---|
//! | one pass of the loop | every 15 s, [`Hpa::period`] | [`Hpa::tick`] |
//!
//! Of the crate's laws it keeps totality, determinism and restoring, and bounds but at zero replicas, which switch it off.
//! The others it does not claim: see [`differences`](super::differences).
//!
//! Source: Kubernetes v1.28, `pkg/controller/podautoscaler`, and what v1.33 and later do differently ([`Release`]).

mod behavior;
mod migrate;
mod quantity;
mod replicas;
mod spec;
#[cfg(test)]
mod tests;

use alloc::vec::Vec;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use self::behavior::{Both, History, Scope};
pub use self::behavior::{Limit, PolicyKind, ScalingPolicy, SelectPolicy, Stabilized};
pub use self::quantity::{NotAQuantity, Quantity};
pub use self::replicas::{
    Calculator, MetricError, Phase, Pod, Proposal, Reading, Release, Sample, Target, Tolerance, Usage,
};
pub use self::spec::{
    Behavior, Controller, LabelCondition, LabelSelector, Manifest, MetricKind, MetricName, MetricSpec, MetricTarget,
    NamedMetric, ResourceMetric, ScaleTargetRef, ScalingRules, Spec, SpecError, TargetKind,
};
use crate::time::Timestamp;

/// What one pass sees.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inputs {
    /// Replicas specified now, by whomever.
    pub spec_replicas: i32,
    /// Replicas there are.
    pub status_replicas: i32,
    /// The pods that the target's selector finds.
    pub pods: Vec<Pod>,
    /// What is known of each metric, in their order; those left out are unavailable.
    pub readings: Vec<Reading>,
}

/// What a count rests on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Basis {
    /// The metrics.
    Metrics,
    /// Zero replicas although the least are more: the autoscaler is off until somebody sets another count.
    Disabled,
    /// More replicas than the most: metrics are not looked at.
    AboveMax,
    /// Fewer replicas than the least: metrics are not looked at.
    BelowMin,
}

/// What one pass led to.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Outcome {
    /// Replicas from now on.
    pub replicas: i32,
    /// That is another count than before, and was written.
    pub rescaled: bool,
    /// What it rests on.
    pub basis: Basis,
    /// The largest proposal, before stabilization and limits, if metrics were looked at.
    pub proposal: Option<i32>,
    /// What each metric proposed, if they were looked at. Those that failed stopped nothing: the others want no less
    /// than there is.
    pub proposals: Vec<Result<Proposal, MetricError>>,
    /// An earlier recommendation stood against the proposal.
    pub stabilized: Option<Stabilized>,
    /// What bounded the count.
    pub limit: Option<Limit>,
}

/// Metrics failed, and what is left of them would not scale up: nothing changes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, thiserror::Error)]
#[error("metrics[{index}]: {error}, and the others do not ask for more than there is")]
#[non_exhaustive]
pub struct Failed {
    /// The first metric that failed.
    pub index: usize,
    /// How.
    #[source]
    pub error: MetricError,
}

/// One autoscaler and its memory.
///
/// Source: Kubernetes, `pkg/controller/podautoscaler/horizontal.go`. Per pass, with `current` the replicas specified:
///
/// - the first pass remembers `current` as a recommendation;
/// - `current` 0 and `minReplicas` above: nothing; above `maxReplicas` or below `minReplicas`: that bound, at once;
/// - otherwise the largest proposal of the metrics. If all fail, or some do and the largest is below `current`, nothing;
/// - without a behavior: the largest recommendation of the downscale stabilization, at most `max(2 × current, 4)`;
/// - with one: stabilized and limited in each direction by its rules.
///
/// ```
/// use plimsoll::Timestamp;
/// use plimsoll::peers::kubernetes::{Controller, Hpa, Inputs, MetricSpec, MetricTarget, Quantity, Reading, Spec};
///
/// let per_pod = MetricTarget::average_value(Quantity::from_milli(10_000));
/// let spec = Spec::new(20, vec![MetricSpec::external("queue", per_pod)]);
/// let mut hpa = Hpa::new(spec, Controller::default())?;
/// let inputs = Inputs { spec_replicas: 3, status_replicas: 3, pods: vec![], readings: vec![Reading::Values(vec![52_000])] };
/// let outcome = hpa.tick(Timestamp::ORIGIN, &inputs)?;
/// assert_eq!(outcome.replicas, 6, "⌈52 / 10⌉");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(try_from = "Saved", into = "Saved")]
pub struct Hpa {
    spec: Spec,
    controller: Controller,
    targets: Vec<Target>,
    calculator: Calculator,
    rules: Option<Both>,
    history: History,
}

/// What is written of an autoscaler: the rest follows from it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    spec: Spec,
    controller: Controller,
    history: History,
}

impl From<Hpa> for Saved {
    fn from(Hpa { spec, controller, history, .. }: Hpa) -> Self {
        Self { spec, controller, history }
    }
}

impl TryFrom<Saved> for Hpa {
    type Error = SpecError;

    fn try_from(Saved { spec, controller, history }: Saved) -> Result<Self, SpecError> {
        Ok(Self { history, ..Self::new(spec, controller)? })
    }
}

impl Hpa {
    /// An autoscaler that the controller sees for the first time.
    ///
    /// # Errors
    /// If Kubernetes would refuse the specification, or it cannot be emulated.
    pub fn new(spec: Spec, controller: Controller) -> Result<Self, SpecError> {
        spec.validate_bounds()?;
        let (targets, rules) = (spec.targets()?, spec.rules(&controller)?);
        let calculator = spec.calculator(&controller)?;
        Ok(Self { spec, controller, targets, calculator, rules, history: History::default() })
    }

    /// One pass of the loop, every [`Hpa::period`].
    ///
    /// # Errors
    /// If metrics failed and nothing may change therefore.
    pub fn tick(&mut self, now: Timestamp, inputs: &Inputs) -> Result<Outcome, Failed> {
        let (current, min, max) = (inputs.spec_replicas, self.spec.min(), self.spec.max_replicas);
        self.history.seed(now, current);
        let mut outcome = Outcome {
            replicas: current,
            rescaled: false,
            basis: Basis::Metrics,
            proposal: None,
            proposals: Vec::new(),
            stabilized: None,
            limit: None,
        };
        if current == 0 && min != 0 {
            outcome.basis = Basis::Disabled;
            return Ok(outcome);
        } else if current > max {
            (outcome.basis, outcome.replicas) = (Basis::AboveMax, max);
        } else if current < min {
            (outcome.basis, outcome.replicas) = (Basis::BelowMin, min);
        } else {
            outcome.proposals = self.proposals(now, inputs);
            let proposal = largest(&outcome.proposals, current)?;
            let scope = Scope { current, min, max };
            let desired = proposal.max(0);
            let normalized = match &self.rules {
                None => self.history.normalize(now, &scope, desired, self.controller.downscale_stabilization),
                Some(rules) => self.history.normalize_with(now, &scope, desired, rules),
            };
            outcome.proposal = Some(proposal);
            outcome.replicas = normalized.replicas;
            (outcome.stabilized, outcome.limit) = (normalized.stabilized, normalized.limit);
        }
        outcome.rescaled = outcome.replicas != current;
        if let Some(rules) = self.rules.as_ref().filter(|_| outcome.rescaled) {
            self.history.rescaled(now, current, outcome.replicas, rules);
        }
        Ok(outcome)
    }

    fn proposals(&self, now: Timestamp, inputs: &Inputs) -> Vec<Result<Proposal, MetricError>> {
        let counts = (inputs.spec_replicas, inputs.status_replicas);
        let propose = |(index, target)| {
            let reading = inputs.readings.get(index).unwrap_or(&Reading::Unavailable);
            self.calculator.propose(now, target, reading, &inputs.pods, counts)
        };
        self.targets.iter().enumerate().map(propose).collect()
    }

    /// The period of the loop.
    #[must_use]
    pub const fn period(&self) -> Duration {
        self.controller.sync_period
    }

    /// The specification.
    #[must_use]
    pub const fn spec(&self) -> &Spec {
        &self.spec
    }

    /// The controller's settings.
    #[must_use]
    pub const fn controller(&self) -> &Controller {
        &self.controller
    }
}

/// The largest proposal. If all failed, or some did and it is below the present count, the first failure.
fn largest(proposals: &[Result<Proposal, MetricError>], current: i32) -> Result<i32, Failed> {
    let mut largest = 0;
    for proposal in proposals.iter().flatten() {
        if largest == 0 || proposal.replicas > largest {
            largest = proposal.replicas;
        }
    }
    let failures = proposals.iter().enumerate().filter_map(|(index, result)| Some((index, result.err()?)));
    let all = proposals.iter().all(Result::is_err);
    match failures.min_by_key(|(index, _)| *index) {
        Some((index, error)) if all || largest < current => Err(Failed { index, error }),
        _ => Ok(largest),
    }
}
