//! The spec of a `ScaledObject`: KEDA's parameters and their defaults.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::{Fallback, MetricType, Trigger};
use crate::peers::invalid::Invalid;
use crate::peers::kubernetes::{self, Controller, Hpa, MetricSpec, MetricTarget, Quantity};

/// Where the HPA's behaviour stands.
pub(super) const BEHAVIOR: &str = "advanced.horizontalPodAutoscalerConfig.behavior";

/// A scaled object's parameters, under KEDA's names. The defaults are those of `scaledobject_types.go`.
///
/// | parameter | default |
/// |---|---|
/// | `pollingInterval` | 30 s |
/// | `cooldownPeriod` | 300 s |
/// | `initialCooldownPeriod` | 0 s |
/// | `minReplicaCount` | 0 |
/// | `maxReplicaCount` | 100 |
/// | `idleReplicaCount`, `fallback` | none |
///
/// It reads as the `spec` of the manifest; see [`Manifest`](super::Manifest) for the manifest itself. Not supported, and
/// refused by name: `scalingModifiers`, whose formula is a language of its own.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "Spec", into = "Spec")]
#[expect(clippy::exhaustive_structs, reason = "plain data; `..Default::default()` keeps a literal short")]
pub struct ScaledObject {
    /// What is scaled. It decides nothing.
    pub scale_target_ref: Option<ScaleTargetRef>,
    /// Seconds between polls.
    pub polling_interval: u32,
    /// Seconds without activity before the last step down to zero or the idle count.
    pub cooldown_period: u32,
    /// The same for an object that has never been active, since its creation.
    pub initial_cooldown_period: u32,
    /// Replicas while nothing is active; from zero, the replicas to start with.
    pub min_replica_count: u32,
    /// The HPA's maximum; KEDA itself never looks at it.
    pub max_replica_count: u32,
    /// Replicas while nothing is active, instead of the minimum; below it.
    pub idle_replica_count: Option<u32>,
    /// What stands in for triggers that fail.
    pub fallback: Option<Fallback>,
    /// What happens when the object is deleted. It decides nothing before.
    pub restore_to_original_replica_count: bool,
    /// The name of the HPA that KEDA creates. It decides nothing.
    pub hpa_name: Option<String>,
    /// How fast that HPA may change the count.
    pub behavior: Option<kubernetes::Behavior>,
    /// The triggers, at least one.
    pub triggers: Vec<Trigger>,
}

impl Default for ScaledObject {
    fn default() -> Self {
        Self {
            scale_target_ref: None,
            polling_interval: 30,
            cooldown_period: 300,
            initial_cooldown_period: 0,
            min_replica_count: 0,
            max_replica_count: 100,
            idle_replica_count: None,
            fallback: None,
            restore_to_original_replica_count: false,
            hpa_name: None,
            behavior: None,
            triggers: Vec::new(),
        }
    }
}

/// The object that is scaled.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "plain data of the peer")]
pub struct ScaleTargetRef {
    /// Its name.
    pub name: String,
    /// Its API version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// Its kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The container whose environment the triggers may name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env_source_container_name: Option<String>,
}

impl ScaledObject {
    /// How often [`tick`](super::Keda::tick) is called.
    #[must_use]
    pub const fn period(&self) -> Duration {
        Duration::from_secs(self.polling_interval as u64)
    }

    /// The minimum of the HPA that KEDA creates: it knows no zero.
    #[must_use]
    pub fn hpa_min(&self) -> u32 {
        self.min_replica_count.max(1)
    }

    /// The maximum of the HPA that KEDA creates.
    #[must_use]
    pub const fn hpa_max(&self) -> u32 {
        self.max_replica_count
    }

    /// The HPA that KEDA creates: a metric of type `Resource` for a trigger on CPU or memory, `External` for any other.
    #[must_use]
    pub fn hpa(&self) -> kubernetes::Spec {
        let count = |replicas| i32::try_from(replicas).unwrap_or(i32::MAX);
        let metric = |trigger: &Trigger| {
            let target = Quantity::from_milli(trigger.target);
            let target = match trigger.metric_type {
                MetricType::Value => MetricTarget::value(target),
                MetricType::AverageValue => MetricTarget::average_value(target),
                MetricType::Utilization => {
                    MetricTarget::utilization(i32::try_from(trigger.target / 1_000).unwrap_or(i32::MAX))
                }
            };
            match trigger.kind.as_str() {
                resource @ ("cpu" | "memory") => MetricSpec::resource(resource, target),
                other => MetricSpec::external(other, target),
            }
        };
        let metrics = self.triggers.iter().map(metric).collect();
        kubernetes::Spec {
            min_replicas: Some(count(self.hpa_min())),
            behavior: self.behavior.clone(),
            ..kubernetes::Spec::new(count(self.hpa_max()), metrics)
        }
    }

    pub(super) fn check(&self) -> Result<(), Invalid> {
        let (min, max) = (self.min_replica_count, self.max_replica_count);
        if self.polling_interval == 0 {
            return Err(Invalid::new("pollingInterval", 0, "must be above zero", "give seconds, such as 30"));
        }
        if max == 0 || min > max {
            let value = format!("{min}..{max}");
            let rule = "must be in order, with a maximum above zero";
            let remedy = "lower minReplicaCount or raise maxReplicaCount";
            return Err(Invalid::new("minReplicaCount..maxReplicaCount", value, rule, remedy));
        }
        if let Some(idle) = self.idle_replica_count.filter(|idle| *idle >= min) {
            let remedy = "lower it (KEDA supports 0), raise minReplicaCount, or leave it out";
            return Err(Invalid::new("idleReplicaCount", idle, "must be below minReplicaCount", remedy));
        }
        if self.triggers.is_empty() {
            let remedy = "KEDA scales on triggers only; give one";
            return Err(Invalid::new("triggers", "none", "must have at least one entry", remedy));
        }
        self.triggers.iter().try_for_each(Trigger::check)?;
        if self.behavior.is_none() {
            return Ok(());
        }
        let wrong = |error: kubernetes::SpecError| {
            Invalid::new(BEHAVIOR, format!("{} {}", error.field, error.value), "is refused by the HPA", error.remedy)
        };
        Hpa::new(self.hpa(), Controller::default()).map(|_| ()).map_err(wrong)
    }
}

/// The spec as a manifest has it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Spec {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scale_target_ref: Option<ScaleTargetRef>,
    #[serde(default)]
    polling_interval: Option<u32>,
    #[serde(default)]
    cooldown_period: Option<u32>,
    #[serde(default)]
    initial_cooldown_period: Option<u32>,
    #[serde(default)]
    min_replica_count: Option<u32>,
    #[serde(default)]
    max_replica_count: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    idle_replica_count: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fallback: Option<Fallback>,
    #[serde(default)]
    advanced: Advanced,
    triggers: Vec<Trigger>,
}

#[derive(Serialize, Deserialize, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Advanced {
    restore_to_original_replica_count: bool,
    horizontal_pod_autoscaler_config: HpaConfig,
    #[serde(skip_serializing)]
    scaling_modifiers: Option<IgnoredAny>,
}

#[derive(Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct HpaConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    behavior: Option<kubernetes::Behavior>,
}

impl TryFrom<Spec> for ScaledObject {
    type Error = Invalid;

    fn try_from(spec: Spec) -> Result<Self, Invalid> {
        let advanced = spec.advanced;
        if advanced.scaling_modifiers.is_some() {
            let remedy = "compute the formula yourself and give its result as one trigger's value";
            return Err(Invalid::unsupported("advanced.scalingModifiers", remedy));
        }
        let hpa = advanced.horizontal_pod_autoscaler_config;
        let default = Self::default();
        let object = Self {
            scale_target_ref: spec.scale_target_ref,
            polling_interval: spec.polling_interval.unwrap_or(default.polling_interval),
            cooldown_period: spec.cooldown_period.unwrap_or(default.cooldown_period),
            initial_cooldown_period: spec.initial_cooldown_period.unwrap_or(default.initial_cooldown_period),
            min_replica_count: spec.min_replica_count.unwrap_or(default.min_replica_count),
            max_replica_count: spec.max_replica_count.unwrap_or(default.max_replica_count),
            idle_replica_count: spec.idle_replica_count,
            fallback: spec.fallback,
            restore_to_original_replica_count: advanced.restore_to_original_replica_count,
            hpa_name: hpa.name,
            behavior: hpa.behavior,
            triggers: spec.triggers,
        };
        object.check()?;
        Ok(object)
    }
}

impl From<ScaledObject> for Spec {
    fn from(object: ScaledObject) -> Self {
        Self {
            scale_target_ref: object.scale_target_ref,
            polling_interval: Some(object.polling_interval),
            cooldown_period: Some(object.cooldown_period),
            initial_cooldown_period: Some(object.initial_cooldown_period),
            min_replica_count: Some(object.min_replica_count),
            max_replica_count: Some(object.max_replica_count),
            idle_replica_count: object.idle_replica_count,
            fallback: object.fallback,
            advanced: Advanced {
                restore_to_original_replica_count: object.restore_to_original_replica_count,
                horizontal_pod_autoscaler_config: HpaConfig { name: object.hpa_name, behavior: object.behavior },
                scaling_modifiers: None,
            },
            triggers: object.triggers,
        }
    }
}
