//! A `HorizontalPodAutoscaler` of `autoscaling/v2`, as its users have it.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::behavior::{Both, PolicyKind, Rules, ScalingPolicy, SelectPolicy};
use super::quantity::Quantity;
use super::replicas::{Calculator, Release, Target, Tolerance};
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

    pub(super) fn min(&self) -> i32 {
        self.min_replicas.unwrap_or(1)
    }

    pub(super) fn validate_bounds(&self) -> Result<(), SpecError> {
        let (min, max) = (self.min(), self.max_replicas);
        SpecError::check(max > 0, "maxReplicas", &max, "be above zero", "allow at least one replica")?;
        SpecError::check(min >= 0, "minReplicas", &min, "be 0 or above", "1 is the default")?;
        let outside =
            self.metrics.iter().any(|metric| matches!(metric.kind, MetricKind::Object | MetricKind::External));
        let wakes = min > 0 || outside;
        let remedy = "without pods only an Object or External metric is left; add one, or keep one replica";
        SpecError::check(wakes, "minReplicas", &min, "be at least 1", remedy)?;
        let remedy = "lower minReplicas or raise maxReplicas";
        SpecError::check(min <= max, "minReplicas", &min, "be at most maxReplicas", remedy)
    }

    /// The targets of the metrics; without metrics 80 % of the CPU.
    pub(super) fn targets(&self) -> Result<Vec<Target>, SpecError> {
        if self.metrics.is_empty() {
            return Ok(vec![Target::Utilization { percent: 80, cpu: true }]);
        }
        let target = |(index, metric): (usize, &MetricSpec)| metric.target(&format!("metrics[{index}]"));
        self.metrics.iter().enumerate().map(target).collect()
    }

    /// The rules of a behavior with every default filled in.
    pub(super) fn rules(&self, controller: &Controller) -> Result<Option<Both>, SpecError> {
        let Some(behavior) = &self.behavior else { return Ok(None) };
        let per_15_s = |kind, value| ScalingPolicy { kind, value, period_seconds: 15 };
        let percent = per_15_s(PolicyKind::Percent, 100);
        let up = vec![per_15_s(PolicyKind::Pods, 4), percent];
        let (scale_up, scale_down) = (behavior.scale_up.as_ref(), behavior.scale_down.as_ref());
        Ok(Some(Both {
            up: complete(scale_up, "behavior.scaleUp", up, Duration::ZERO)?,
            down: complete(scale_down, "behavior.scaleDown", vec![percent], controller.downscale_stabilization)?,
        }))
    }

    /// The calculator that the settings give.
    pub(super) fn calculator(&self, controller: &Controller) -> Result<Calculator, SpecError> {
        let own = controller.tolerance;
        let fits = own.is_finite() && own >= 0.0;
        SpecError::check(fits, "tolerance", &own, "be 0 or above", "0.1 is the controller's default")?;
        let period = controller.sync_period;
        let remedy = "15s is the controller's default";
        SpecError::check(!period.is_zero(), "sync period", &"0 s", "be above zero", remedy)?;
        let tolerance = |rules: Option<&ScalingRules>, field| {
            let Some(given) = rules.and_then(|rules| rules.tolerance) else { return Ok(own) };
            SpecError::check(given >= Quantity::default(), field, &given, "be 0 or above", "leave it out for 0.1")?;
            let known = controller.release == Release::Current;
            SpecError::check(known, field, &given, "be left out before v1.33", "set the controller's tolerance")?;
            Ok(given.as_f64())
        };
        let behavior = self.behavior.as_ref();
        Ok(Calculator {
            release: controller.release,
            tolerance: Tolerance {
                up: tolerance(behavior.and_then(|both| both.scale_up.as_ref()), "behavior.scaleUp.tolerance")?,
                down: tolerance(behavior.and_then(|both| both.scale_down.as_ref()), "behavior.scaleDown.tolerance")?,
            },
            cpu_initialization_period: controller.cpu_initialization_period,
            initial_readiness_delay: controller.initial_readiness_delay,
        })
    }
}

fn complete(
    rules: Option<&ScalingRules>,
    field: &str,
    policies: Vec<ScalingPolicy>,
    stabilization: Duration,
) -> Result<Rules, SpecError> {
    let Some(rules) = rules else { return Ok(Rules { select: SelectPolicy::Max, policies, stabilization }) };
    let policies = rules.policies.clone().unwrap_or(policies);
    let remedy = "leave policies out for the default, or write selectPolicy: Disabled to forbid the change";
    SpecError::check(!policies.is_empty(), format!("{field}.policies"), &"[]", "hold a policy", remedy)?;
    for (index, policy) in policies.iter().enumerate() {
        let name = |part| format!("{field}.policies[{index}].{part}");
        let (value, period) = (policy.value, policy.period_seconds);
        let remedy = "write selectPolicy: Disabled to forbid the change";
        SpecError::check(value > 0, name("value"), &value, "be above zero", remedy)?;
        let fits = (1..=1_800).contains(&period);
        SpecError::check(fits, name("periodSeconds"), &period, "be from 1 to 1800", "15 is the default policies'")?;
    }
    let stabilization = match rules.stabilization_window_seconds {
        None => stabilization,
        Some(seconds) => {
            let name = format!("{field}.stabilizationWindowSeconds");
            let fits = (0..=3_600).contains(&seconds);
            SpecError::check(fits, name, &seconds, "be from 0 to 3600", "leave it out for the default")?;
            Duration::from_secs(seconds.unsigned_abs().into())
        }
    };
    Ok(Rules { select: rules.select_policy.unwrap_or_default(), policies, stabilization })
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

    fn target(&self, field: &str) -> Result<Target, SpecError> {
        let parts = [
            (MetricKind::Resource, "resource", self.resource.as_ref().map(|part| &part.target)),
            (
                MetricKind::ContainerResource,
                "containerResource",
                self.container_resource.as_ref().map(|part| &part.target),
            ),
            (MetricKind::Pods, "pods", self.pods.as_ref().map(|part| &part.target)),
            (MetricKind::Object, "object", self.object.as_ref().map(|part| &part.target)),
            (MetricKind::External, "external", self.external.as_ref().map(|part| &part.target)),
        ];
        let mut found = None;
        for (kind, name, part) in parts {
            let there = part.is_some() == (kind == self.kind);
            let remedy = "write the part that type names, and no other";
            let value = if part.is_some() { "given" } else { "missing" };
            SpecError::check(there, format!("{field}.{name}"), &value, "be what type names", remedy)?;
            found = found.or(part.map(|target| (name, target)));
        }
        let belongs = |there: bool, named: bool, part: &str, rule| {
            let value = if there { "given" } else { "missing" };
            SpecError::check(there == named, format!("{field}.{part}"), &value, rule, "Kubernetes has it there alone")
        };
        let container = |part: &Option<ResourceMetric>| part.as_ref().is_some_and(|part| part.container.is_some());
        let object = |part: &Option<NamedMetric>| part.as_ref().is_some_and(|part| part.described_object.is_some());
        let rule = "be given for a ContainerResource, and for nothing else";
        belongs(container(&self.resource), false, "resource.container", rule)?;
        let named = self.container_resource.is_some();
        belongs(container(&self.container_resource), named, "containerResource.container", rule)?;
        let rule = "be given for an Object, and for nothing else";
        belongs(object(&self.object), self.object.is_some(), "object.describedObject", rule)?;
        belongs(object(&self.pods), false, "pods.describedObject", rule)?;
        belongs(object(&self.external), false, "external.describedObject", rule)?;
        let (name, target) = found.unwrap_or(("", &MetricTarget::NONE));
        let cpu = |part: &Option<ResourceMetric>| part.as_ref().is_some_and(|part| part.name == "cpu");
        let cpu = cpu(&self.resource) || cpu(&self.container_resource);
        target.resolve(self.kind, cpu, &format!("{field}.{name}.target"))
    }
}

impl MetricTarget {
    const NONE: Self =
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

    fn resolve(&self, metric: MetricKind, cpu: bool, field: &str) -> Result<Target, SpecError> {
        let per_pod = !matches!(metric, MetricKind::Object | MetricKind::External);
        let kind = match self.kind {
            TargetKind::Utilization => matches!(metric, MetricKind::Resource | MetricKind::ContainerResource),
            TargetKind::Value => !per_pod,
            TargetKind::AverageValue => true,
        };
        let remedy = "resources have Utilization or AverageValue, pods AverageValue, others Value or AverageValue";
        SpecError::check(kind, format!("{field}.type"), &format!("{:?}", self.kind), "suit the metric", remedy)?;
        let parts = [
            (TargetKind::Utilization, "averageUtilization", self.average_utilization.map(i64::from)),
            (TargetKind::Value, "value", self.value.map(Quantity::milli)),
            (TargetKind::AverageValue, "averageValue", self.average_value.map(Quantity::milli)),
        ];
        let mut amount = 0;
        for (kind, name, part) in parts {
            let field = format!("{field}.{name}");
            let there = part.is_some() == (kind == self.kind);
            let value = if part.is_some() { "given" } else { "missing" };
            SpecError::check(
                there,
                &field,
                &value,
                "be what type names",
                "write the part that type names, and no other",
            )?;
            if let Some(value) = part {
                SpecError::check(value > 0, field, &value, "be above zero", "give what one pod should take")?;
                amount = value;
            }
        }
        Ok(match self.kind {
            TargetKind::Utilization => Target::Utilization { percent: i32::try_from(amount).unwrap_or(i32::MAX), cpu },
            TargetKind::Value => Target::Value(amount),
            TargetKind::AverageValue if per_pod => Target::PerPod { average: amount, cpu },
            TargetKind::AverageValue => Target::AverageValue(amount),
        })
    }
}
