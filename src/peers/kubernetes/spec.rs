//! A `HorizontalPodAutoscaler` of `autoscaling/v2`, as its users have it.

mod resolve;

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::behavior::{ScalingPolicy, SelectPolicy};
use super::quantity::Quantity;
use super::replicas::Release;
use crate::time::span;
use crate::units::exact;

/// A setting that Kubernetes would refuse, or that cannot be emulated.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{field} ({value}) must {rule}: {remedy}")]
#[non_exhaustive]
pub struct SpecError {
    /// The setting, by its path.
    pub field: String,
    /// Its value.
    pub value: String,
    /// What it must do or be.
    pub rule: &'static str,
    /// What to do.
    pub remedy: &'static str,
}

impl SpecError {
    fn check(
        fits: bool,
        field: impl Into<String>,
        value: &impl ToString,
        rule: &'static str,
        remedy: &'static str,
    ) -> Result<(), Self> {
        if fits { Ok(()) } else { Err(Self { field: field.into(), value: value.to_string(), rule, remedy }) }
    }
}

/// A whole manifest. Its metadata and status are read over: they decide nothing.
///
/// ```
/// use plimsoll::peers::kubernetes::{Controller, Hpa, Manifest};
///
/// let manifest: Manifest = serde_json::from_str(
///     r#"{"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "web"},
///         "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
///                  "maxReplicas": 10,
///                  "metrics": [{"type": "Resource", "resource": {"name": "cpu",
///                               "target": {"type": "Utilization", "averageUtilization": 50}}}]}}"#,
/// )?;
/// Hpa::new(manifest.spec()?, Controller::default())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Manifest {
    api_version: String,
    kind: String,
    #[serde(default, rename = "metadata")]
    _metadata: Option<IgnoredAny>,
    spec: Spec,
    #[serde(default, rename = "status")]
    _status: Option<IgnoredAny>,
}

impl Manifest {
    /// The specification.
    ///
    /// # Errors
    /// If the manifest is of another kind or version.
    pub fn spec(self) -> Result<Spec, SpecError> {
        let remedy = "`kubectl get hpa.v2.autoscaling NAME -o yaml` shows it so";
        SpecError::check(
            self.api_version == "autoscaling/v2",
            "apiVersion",
            &self.api_version,
            "be autoscaling/v2",
            remedy,
        )?;
        let kind = self.kind == "HorizontalPodAutoscaler";
        SpecError::check(kind, "kind", &self.kind, "be HorizontalPodAutoscaler", remedy)?;
        Ok(self.spec)
    }
}

/// What one autoscaler is told to do.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Spec {
    /// What is scaled. It decides nothing here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale_target_ref: Option<ScaleTargetRef>,
    /// The least replicas; 1 unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_replicas: Option<i32>,
    /// The most replicas. It has no default.
    pub max_replicas: i32,
    /// What it is scaled by; 80 % of the CPU unless set. The largest proposal wins.
    #[serde(default)]
    pub metrics: Vec<MetricSpec>,
    /// How fast.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behavior: Option<Behavior>,
}

/// What is scaled.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ScaleTargetRef {
    /// Its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
}

/// One metric. Exactly the part that the type names must be there.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct MetricSpec {
    /// Which part is there.
    #[serde(rename = "type")]
    pub kind: MetricKind,
    /// A resource of the pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<ResourceMetric>,
    /// A resource of one container of the pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container_resource: Option<ResourceMetric>,
    /// A metric of the pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pods: Option<NamedMetric>,
    /// A metric of another object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<NamedMetric>,
    /// A metric from outside the cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external: Option<NamedMetric>,
}

/// The type of a metric.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each is the part of its name")]
pub enum MetricKind {
    #[default]
    Resource,
    ContainerResource,
    Pods,
    Object,
    External,
}

/// A resource.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResourceMetric {
    /// Its name, such as cpu.
    pub name: String,
    /// The container, for a container's resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// How much of it.
    pub target: MetricTarget,
}

/// A metric by its name.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NamedMetric {
    /// Which one.
    pub metric: MetricName,
    /// Of which object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub described_object: Option<ScaleTargetRef>,
    /// How much of it.
    pub target: MetricTarget,
}

/// The name of a metric, and which of its series.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MetricName {
    /// The name.
    pub name: String,
    /// Which series. It is for those who read the metric, and decides nothing here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<LabelSelector>,
}

impl MetricName {
    /// A metric of this name, whichever series there are.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), selector: None }
    }
}

/// Labels that a series must have.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct LabelSelector {
    /// These values.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub match_labels: BTreeMap<String, String>,
    /// And these conditions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub match_expressions: Vec<LabelCondition>,
}

/// A condition on one label.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelCondition {
    /// The label.
    pub key: String,
    /// In, `NotIn`, Exists or `DoesNotExist`.
    pub operator: String,
    /// Its values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
}

/// How much of a metric. Exactly the part that the type names must be there.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct MetricTarget {
    /// Which part is there.
    #[serde(rename = "type")]
    pub kind: TargetKind,
    /// In total.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Quantity>,
    /// Per pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub average_value: Option<Quantity>,
    /// Per pod, in percent of what it requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub average_utilization: Option<i32>,
}

/// The type of a target.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each is the part of its name")]
pub enum TargetKind {
    #[default]
    Utilization,
    Value,
    AverageValue,
}

/// How fast, in both directions. What is left out is at its default.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Behavior {
    /// For more replicas: no stabilization, the larger of 4 pods and 100 % in 15 s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale_up: Option<ScalingRules>,
    /// For fewer: the controller's stabilization, 100 % in 15 s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale_down: Option<ScalingRules>,
}

/// How fast in one direction. What is left out is at its default.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct ScalingRules {
    /// For how long the change must have been proposed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stabilization_window_seconds: Option<i32>,
    /// Which policy counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub select_policy: Option<SelectPolicy>,
    /// The policies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policies: Option<Vec<ScalingPolicy>>,
    /// How far the ratio may be from 1 in this direction; the controller's unless set. From v1.33.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tolerance: Option<Quantity>,
}

/// The controller's own settings, which are flags of the `kube-controller-manager`.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Controller {
    /// Which Kubernetes it is.
    pub release: Release,
    /// 15 s: the period of the loop (`--horizontal-pod-autoscaler-sync-period`).
    #[serde(with = "span")]
    pub sync_period: Duration,
    /// 5 min: `--horizontal-pod-autoscaler-downscale-stabilization`.
    #[serde(with = "span")]
    pub downscale_stabilization: Duration,
    /// 0.1: `--horizontal-pod-autoscaler-tolerance`.
    #[serde(with = "exact")]
    pub tolerance: f64,
    /// 5 min: `--horizontal-pod-autoscaler-cpu-initialization-period`.
    #[serde(with = "span")]
    pub cpu_initialization_period: Duration,
    /// 30 s: `--horizontal-pod-autoscaler-initial-readiness-delay`.
    #[serde(with = "span")]
    pub initial_readiness_delay: Duration,
}

impl Default for Controller {
    fn default() -> Self {
        Self {
            release: Release::Current,
            sync_period: Duration::from_secs(15),
            downscale_stabilization: Duration::from_secs(300),
            tolerance: 0.1,
            cpu_initialization_period: Duration::from_secs(300),
            initial_readiness_delay: Duration::from_secs(30),
        }
    }
}

impl Spec {
    /// At most so many replicas, at least one, by these metrics, everything else at its default.
    #[must_use]
    pub const fn new(max_replicas: i32, metrics: Vec<MetricSpec>) -> Self {
        Self { scale_target_ref: None, min_replicas: None, max_replicas, metrics, behavior: None }
    }
}

impl MetricSpec {
    /// A resource of the pods, with a target.
    #[must_use]
    pub fn resource(name: impl Into<String>, target: MetricTarget) -> Self {
        let resource = ResourceMetric { name: name.into(), container: None, target };
        Self { resource: Some(resource), ..Self::default() }
    }

    /// A metric of the pods, with a target.
    #[must_use]
    pub fn pods(name: impl Into<String>, target: MetricTarget) -> Self {
        let pods = NamedMetric { metric: MetricName::new(name), described_object: None, target };
        Self { kind: MetricKind::Pods, pods: Some(pods), ..Self::default() }
    }

    /// A metric from outside the cluster, with a target.
    #[must_use]
    pub fn external(name: impl Into<String>, target: MetricTarget) -> Self {
        let external = NamedMetric { metric: MetricName::new(name), described_object: None, target };
        Self { kind: MetricKind::External, external: Some(external), ..Self::default() }
    }
}

impl MetricTarget {
    pub(super) const NONE: Self =
        Self { kind: TargetKind::Utilization, value: None, average_value: None, average_utilization: None };

    /// So many percent of what the pods request.
    #[must_use]
    pub const fn utilization(percent: i32) -> Self {
        Self { average_utilization: Some(percent), ..Self::NONE }
    }

    /// So much per pod.
    #[must_use]
    pub const fn average_value(value: Quantity) -> Self {
        Self { kind: TargetKind::AverageValue, average_value: Some(value), ..Self::NONE }
    }

    /// So much in total.
    #[must_use]
    pub const fn value(value: Quantity) -> Self {
        Self { kind: TargetKind::Value, value: Some(value), ..Self::NONE }
    }
}
