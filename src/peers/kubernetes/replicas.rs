//! The replica calculator: from one metric to a proposed count. It has no state.

use alloc::vec::Vec;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::{Timestamp, span};
use crate::units::exact;

/// Which Kubernetes it is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Release {
    /// v1.33 and later: a tolerance of its own in each direction, in which `1 - down <= ratio <= 1 + up` is within;
    /// counts end at 2^31 - 1; pods that have succeeded are ignored like those that failed.
    #[default]
    Current,
    /// Before v1.33: `|1 - ratio| <= tolerance` is within, which leaves out 1.1 at a tolerance of 0.1; counts that do
    /// not fit into 32 bits wrap around, as they do on amd64.
    BeforeV1_33,
}

/// How far a ratio may be from 1 without a change.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tolerance {
    /// Above 1; before v1.33 on both sides.
    #[serde(with = "exact")]
    pub up: f64,
    /// Below 1.
    #[serde(with = "exact")]
    pub down: f64,
}

/// What one metric asks for. Values are thousandths.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Target {
    /// So many percent of what the pods request of a resource.
    Utilization {
        /// Percent.
        percent: i32,
        /// The resource is the CPU, of which pods that start use more than they will.
        cpu: bool,
    },
    /// So much per pod, on average over the pods' own samples.
    PerPod {
        /// Thousandths per pod.
        average: i64,
        /// The resource is the CPU.
        cpu: bool,
    },
    /// A total of so much, for the pods there are.
    Value(i64),
    /// A total of so much times the pods.
    AverageValue(i64),
}

/// How far a pod has come.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub enum Phase {
    /// Not started.
    Pending,
    /// Started.
    #[default]
    Running,
    /// Ended well.
    Succeeded,
    /// Ended badly.
    Failed,
}

/// A pod that the target's selector finds.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pod {
    /// How far it has come.
    pub phase: Phase,
    /// It is being deleted.
    pub deleted: bool,
    /// When it started, if it did.
    pub started: Option<Timestamp>,
    /// Whether it is ready, if it says so.
    pub ready: Option<bool>,
    /// When that changed last.
    pub ready_changed: Timestamp,
}

impl Pod {
    /// A pod that has run, and been ready, since `started`.
    #[must_use]
    pub const fn ready(started: Timestamp) -> Self {
        let (ready, ready_changed) = (Some(true), started);
        Self { phase: Phase::Running, deleted: false, started: Some(started), ready, ready_changed }
    }
}

/// What a pod uses of the metric.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Usage {
    /// Its sample, if there is one.
    pub sample: Option<Sample>,
    /// What its containers request of the resource, in thousandths, if they do.
    pub request: Option<i64>,
}

/// One sample.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// Thousandths.
    pub value: i64,
    /// When it was taken.
    pub taken: Timestamp,
    /// Over which time before that.
    #[serde(with = "span")]
    pub window: Duration,
}

/// What is known of one metric.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reading {
    /// The metric cannot be had.
    Unavailable,
    /// One entry per pod, in the order of the pods; those left out have no sample.
    PerPod(Vec<Usage>),
    /// The values of an object's or an external metric, in thousandths; they are summed.
    Values(Vec<i64>),
}

/// What one metric proposes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Proposal {
    /// So many replicas.
    pub replicas: i32,
    /// What they use in thousandths: on average per pod, in total for [`Target::Value`].
    pub usage: i64,
    /// What they use in percent of what they request, for [`Target::Utilization`].
    pub utilization: Option<i32>,
}

/// Why a metric proposes nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MetricError {
    /// The metric cannot be had, or not in the form that its target needs.
    #[error("the metric is not available")]
    Unavailable,
    /// The selector finds no pod.
    #[error("the selector finds no pod")]
    NoPods,
    /// No pod that counts has a sample.
    #[error("no pod that counts has a sample: they may all be unready")]
    NoSamples,
    /// A pod does not say what it requests.
    #[error("a container does not say how much of the resource it requests")]
    NoRequest,
    /// The pods with samples request nothing.
    #[error("the pods with samples request nothing of the resource")]
    ZeroRequest,
}

/// The replica calculator.
///
/// Source: Kubernetes, `pkg/controller/podautoscaler/replica_calculator.go` and `metrics/utilization.go`.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calculator {
    /// Which Kubernetes it is.
    pub release: Release,
    /// How far a ratio may be from 1.
    pub tolerance: Tolerance,
    /// How long after its start a pod's CPU samples count only if it is ready.
    #[serde(with = "span")]
    pub cpu_initialization_period: Duration,
    /// How long after its start a pod that turns unready counts as one that never was ready.
    #[serde(with = "span")]
    pub initial_readiness_delay: Duration,
}

/// The pods, sorted into those that count and how.
#[derive(Debug, Default)]
struct Groups {
    /// Samples and requests of those that are ready.
    ready: Vec<Counted>,
    /// Requests of those without a sample.
    missing: Vec<i64>,
    /// Requests of those that are not ready.
    unready: Vec<i64>,
}

#[derive(Clone, Copy, Debug)]
struct Counted {
    value: i64,
    request: i64,
}

impl Calculator {
    /// The count that one metric proposes, with so many replicas specified and so many there.
    ///
    /// # Errors
    /// If the metric says nothing.
    pub fn propose(
        &self,
        now: Timestamp,
        target: &Target,
        reading: &Reading,
        pods: &[Pod],
        (spec, status): (i32, i32),
    ) -> Result<Proposal, MetricError> {
        match (target, reading) {
            (Target::Utilization { .. } | Target::PerPod { .. }, Reading::PerPod(usage)) => {
                self.per_pod(now, target, usage, pods, spec)
            }
            (Target::Value(target), Reading::Values(values)) => self.value(*target, sum(values), pods, spec),
            (Target::AverageValue(target), Reading::Values(values)) => {
                Ok(self.average_value(*target, sum(values), status))
            }
            _ => Err(MetricError::Unavailable),
        }
    }

    /// With `n` ready pods, `ratio = ⌊100 × Σ usage / Σ request⌋ / target` or `⌊Σ usage / n⌋ / target`: the present
    /// count if it is within the tolerance, otherwise `⌈ratio × n⌉`.
    ///
    /// If samples are missing, or unready pods would be scaled up for, the ratio is taken again over those as well, with
    /// guesses that move it towards 1: missing ones use nothing if it is above 1, all they request (at least the
    /// target) if it is below; unready ones use nothing. If that is within the tolerance, on the other side of 1, or
    /// would move the count the other way, the present count stays.
    fn per_pod(
        &self,
        now: Timestamp,
        target: &Target,
        usage: &[Usage],
        pods: &[Pod],
        current: i32,
    ) -> Result<Proposal, MetricError> {
        let groups = self.group(now, target, usage, pods)?;
        let first = target.ratio(&groups.ready)?;
        let proposal = |replicas| Proposal { replicas, usage: first.usage, utilization: first.utilization };
        let up_with_unready = !groups.unready.is_empty() && first.ratio > 1.0;
        if groups.missing.is_empty() && !up_with_unready {
            let count = groups.ready.len() as f64;
            let within = self.is_within(first.ratio);
            return Ok(proposal(if within { current } else { self.count(first.ratio * count) }));
        }
        let mut counted = groups.ready;
        if first.ratio < 1.0 {
            let full = |&request| Counted { value: target.full(request), request };
            counted.extend(groups.missing.iter().map(full));
        }
        let none = |&request| Counted { value: 0, request };
        if first.ratio > 1.0 {
            counted.extend(groups.missing.iter().map(none));
        }
        if up_with_unready {
            counted.extend(groups.unready.iter().map(none));
        }
        let ratio = target.ratio(&counted)?.ratio;
        let turned = (first.ratio > 1.0) != (ratio > 1.0);
        if turned || self.is_within(ratio) {
            return Ok(proposal(current));
        }
        let wanted = self.count(ratio * counted.len() as f64);
        Ok(proposal(if ratio < 1.0 { wanted.min(current) } else { wanted.max(current) }))
    }

    /// In this order: being deleted or ended, it is ignored; pending, it is unready; without a sample, it is missing;
    /// for the CPU it may be unready; otherwise it is ready.
    fn group(&self, now: Timestamp, target: &Target, usage: &[Usage], pods: &[Pod]) -> Result<Groups, MetricError> {
        if pods.is_empty() {
            return Err(MetricError::NoPods);
        }
        let mut groups = Groups::default();
        let mut all_request = true;
        for (index, pod) in pods.iter().enumerate() {
            let Usage { sample, request } = usage.get(index).copied().unwrap_or_default();
            all_request &= request.is_some();
            let request = request.unwrap_or(0);
            let ended = pod.phase == Phase::Failed || pod.phase == Phase::Succeeded && self.release == Release::Current;
            if pod.deleted || ended {
                continue;
            }
            if pod.phase == Phase::Pending {
                groups.unready.push(request);
                continue;
            }
            match sample {
                None => groups.missing.push(request),
                Some(sample) if target.is_cpu() && self.is_unready(now, pod, &sample) => groups.unready.push(request),
                Some(sample) => groups.ready.push(Counted { value: sample.value, request }),
            }
        }
        if groups.ready.is_empty() {
            return Err(MetricError::NoSamples);
        }
        // Every pod must request something, the ignored ones as well.
        if matches!(target, Target::Utilization { .. }) && !all_request {
            return Err(MetricError::NoRequest);
        }
        Ok(groups)
    }

    fn is_unready(&self, now: Timestamp, pod: &Pod, sample: &Sample) -> bool {
        let (Some(started), Some(ready)) = (pod.started, pod.ready) else { return true };
        if started.saturating_add(self.cpu_initialization_period) > now {
            !ready || sample.taken < pod.ready_changed.saturating_add(sample.window)
        } else {
            !ready && started.saturating_add(self.initial_readiness_delay) > pod.ready_changed
        }
    }

    /// `ratio = total / target`. From zero `⌈ratio⌉`; within the tolerance the present count; else `⌈ratio × ready⌉`.
    fn value(&self, target: i64, total: i64, pods: &[Pod], current: i32) -> Result<Proposal, MetricError> {
        let ratio = total as f64 / target as f64;
        let replicas = if current == 0 {
            self.count(ratio)
        } else if self.is_within(ratio) {
            current
        } else if pods.is_empty() {
            return Err(MetricError::NoPods);
        } else {
            let ready = pods.iter().filter(|pod| pod.phase == Phase::Running && pod.ready == Some(true)).count();
            self.count(ratio * ready as f64)
        };
        Ok(Proposal { replicas, usage: total, utilization: None })
    }

    /// `ratio = total / (target × replicas there)`. Within the tolerance the replicas there; else `⌈total / target⌉`.
    fn average_value(&self, target: i64, total: i64, status: i32) -> Proposal {
        let ratio = total as f64 / (target as f64 * f64::from(status));
        let replicas = if self.is_within(ratio) { status } else { self.count(total as f64 / target as f64) };
        let usage = if status == 0 && self.release == Release::Current {
            0
        } else {
            as_on_amd64((total as f64 / f64::from(status)).ceil())
        };
        Proposal { replicas, usage, utilization: None }
    }

    fn is_within(&self, ratio: f64) -> bool {
        let Tolerance { up, down } = self.tolerance;
        match self.release {
            Release::Current => (1.0 - down) <= ratio && ratio <= (1.0 + up),
            Release::BeforeV1_33 => (1.0 - ratio).abs() <= up,
        }
    }

    /// The next whole number of pods.
    fn count(&self, pods: f64) -> i32 {
        let pods = pods.ceil();
        if self.release == Release::Current && pods > f64::from(i32::MAX) { i32::MAX } else { as_on_amd64(pods) as i32 }
    }
}

/// As amd64 turns a double into 64 bits: all that does not fit becomes the least of them.
fn as_on_amd64(number: f64) -> i64 {
    let fits = (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&number);
    if fits { number as i64 } else { i64::MIN }
}

fn sum(values: &[i64]) -> i64 {
    values.iter().fold(0, |sum, &value| sum.wrapping_add(value))
}

/// How much is used, and how that compares to the target.
struct Compared {
    ratio: f64,
    usage: i64,
    utilization: Option<i32>,
}

impl Target {
    const fn is_cpu(&self) -> bool {
        matches!(self, Self::Utilization { cpu: true, .. } | Self::PerPod { cpu: true, .. })
    }

    /// What a pod without a sample is taken to use when the count would fall.
    fn full(&self, request: i64) -> i64 {
        match self {
            Self::Utilization { percent, .. } => request.wrapping_mul(i64::from(*percent).max(100)) / 100,
            Self::PerPod { average, .. } => *average,
            Self::Value(_) | Self::AverageValue(_) => 0,
        }
    }

    fn ratio(&self, counted: &[Counted]) -> Result<Compared, MetricError> {
        let used = counted.iter().fold(0_i64, |sum, pod| sum.wrapping_add(pod.value));
        let count = i64::try_from(counted.len()).unwrap_or(i64::MAX);
        let usage = used.checked_div(count).ok_or(MetricError::NoSamples)?;
        match self {
            Self::Utilization { percent, .. } => {
                let requested = counted.iter().fold(0_i64, |sum, pod| sum.wrapping_add(pod.request));
                let share = used.wrapping_mul(100).checked_div(requested).ok_or(MetricError::ZeroRequest)?;
                let utilization = share as i32;
                let ratio = f64::from(utilization) / f64::from(*percent);
                Ok(Compared { ratio, usage, utilization: Some(utilization) })
            }
            Self::PerPod { average, .. } => {
                Ok(Compared { ratio: usage as f64 / *average as f64, usage, utilization: None })
            }
            Self::Value(_) | Self::AverageValue(_) => Err(MetricError::Unavailable),
        }
    }
}
