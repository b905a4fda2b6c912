//! One trigger, and what is known of scalers.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;

use serde::{Deserialize, Serialize};

use crate::peers::invalid::Invalid;

/// One trigger: where a number comes from, and the two numbers that it is held against.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "TriggerFile", into = "TriggerFile")]
#[expect(clippy::exhaustive_structs, reason = "plain data of the peer")]
pub struct Trigger {
    /// The scaler's type.
    pub kind: String,
    /// The trigger's name.
    pub name: Option<String>,
    /// How the HPA reads the value.
    pub metric_type: MetricType,
    /// The value per replica (or in all, with `Value`) that the HPA aims at, in thousandths; above zero.
    pub target: i64,
    /// The object is active above it, in thousandths.
    pub activation: i64,
    /// Whether HPA queries are answered from the last poll.
    pub use_cached_metrics: bool,
    /// The authentication that the scaler uses. It decides nothing.
    pub authentication_ref: BTreeMap<String, String>,
    /// The metadata as it stands, target and activation included.
    pub metadata: BTreeMap<String, String>,
}

/// How the HPA reads a trigger's value.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub enum MetricType {
    /// Divided by the replicas.
    #[default]
    AverageValue,
    /// As it is.
    Value,
    /// As a share of what pods request; for cpu and memory.
    Utilization,
}

impl Trigger {
    /// A trigger of no particular scaler with that many thousandths per replica, active above zero.
    #[must_use]
    pub fn average_value(target: i64) -> Self {
        Self {
            kind: "external".into(),
            name: None,
            metric_type: MetricType::AverageValue,
            target,
            activation: 0,
            use_cached_metrics: false,
            authentication_ref: BTreeMap::new(),
            metadata: BTreeMap::new(),
        }
    }

    /// The same with a target that is not divided by the replicas.
    #[must_use]
    pub fn value(target: i64) -> Self {
        Self { metric_type: MetricType::Value, ..Self::average_value(target) }
    }

    /// Active above so many thousandths.
    #[must_use]
    pub const fn with_activation(mut self, activation: i64) -> Self {
        self.activation = activation;
        self
    }

    /// Read by the HPA itself, from the pods.
    pub(super) fn is_resource(&self) -> bool {
        self.kind == "cpu" || self.kind == "memory"
    }
}

impl Trigger {
    pub(super) fn check(&self) -> Result<(), Invalid> {
        if self.target <= 0 {
            let value = format!("{} thousandths", self.target);
            return Err(Invalid::new("triggers[].target", value, "must be above zero", "give the load of one replica"));
        }
        if self.metric_type == MetricType::Utilization && !self.is_resource() {
            let rule = "is for cpu and memory triggers only";
            return Err(Invalid::new("triggers[].metricType", "Utilization", rule, "use AverageValue or Value"));
        }
        if self.is_resource() && self.use_cached_metrics {
            let rule = "is not for cpu and memory triggers";
            return Err(Invalid::new("triggers[].useCachedMetrics", true, rule, "leave it out"));
        }
        Ok(())
    }
}

/// A trigger as a manifest has it. A trigger of this crate's own making has `target` and `activation` beside the
/// metadata, for scalers whose metadata is not known here.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TriggerFile {
    r#type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    metric_type: Option<MetricType>,
    #[serde(default)]
    use_cached_metrics: bool,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    authentication_ref: BTreeMap<String, String>,
    #[serde(default)]
    metadata: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    target: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    activation: Option<i64>,
}

impl From<Trigger> for TriggerFile {
    fn from(trigger: Trigger) -> Self {
        Self {
            r#type: trigger.kind,
            name: trigger.name,
            metric_type: Some(trigger.metric_type),
            use_cached_metrics: trigger.use_cached_metrics,
            authentication_ref: trigger.authentication_ref,
            metadata: trigger.metadata,
            target: Some(trigger.target),
            activation: Some(trigger.activation),
        }
    }
}

impl TryFrom<TriggerFile> for Trigger {
    type Error = Invalid;

    fn try_from(file: TriggerFile) -> Result<Self, Invalid> {
        let scaler = SCALERS.iter().find(|scaler| scaler.kind == file.r#type);
        let resource = file.r#type == "cpu" || file.r#type == "memory";
        let target = match (file.target, scaler) {
            (Some(target), _) => target,
            (None, Some(scaler)) => match file.metadata.get(scaler.target) {
                Some(text) => thousandths(scaler.target, text)?,
                None => scaler.default.ok_or_else(|| {
                    let remedy = "give the load of one replica under the scaler's own key";
                    Invalid::new(scaler.target, "nothing", "is required in this trigger's metadata", remedy)
                })?,
            },
            (None, None) => {
                let rule = "is not a scaler whose metadata is known here";
                let remedy = "give the trigger's target and activation beside its metadata, in thousandths";
                return Err(Invalid::new("triggers[].type", file.r#type, rule, remedy));
            }
        };
        let activation = match (file.activation, scaler.and_then(|scaler| scaler.activation)) {
            (Some(activation), _) => activation,
            (None, Some(key)) => file.metadata.get(key).map_or(Ok(0), |text| thousandths(key, text))?,
            (None, None) => 0,
        };
        let metric_type = if resource { MetricType::Utilization } else { MetricType::AverageValue };
        let trigger = Self {
            kind: file.r#type,
            name: file.name,
            metric_type: file.metric_type.unwrap_or(metric_type),
            target,
            activation,
            use_cached_metrics: file.use_cached_metrics,
            authentication_ref: file.authentication_ref,
            metadata: file.metadata,
        };
        trigger.check()?;
        Ok(trigger)
    }
}

/// Where a scaler's metadata has its target and its activation threshold.
struct Scaler {
    kind: &'static str,
    target: &'static str,
    activation: Option<&'static str>,
    /// The scaler's own default target, in thousandths.
    default: Option<i64>,
}

const fn scaler(
    kind: &'static str,
    target: &'static str,
    activation: Option<&'static str>,
    default: Option<i64>,
) -> Scaler {
    Scaler { kind, target, activation, default }
}

const SCALERS: &[Scaler] = &[
    scaler("cpu", "value", None, None),
    scaler("memory", "value", None, None),
    scaler("prometheus", "threshold", Some("activationThreshold"), None),
    scaler("kafka", "lagThreshold", Some("activationLagThreshold"), Some(10_000)),
    scaler("rabbitmq", "value", Some("activationValue"), None),
    scaler("aws-sqs-queue", "queueLength", Some("activationQueueLength"), Some(5_000)),
    scaler("azure-queue", "queueLength", Some("activationQueueLength"), Some(5_000)),
    scaler("azure-servicebus", "messageCount", Some("activationMessageCount"), Some(5_000)),
    scaler("redis", "listLength", Some("activationListLength"), Some(5_000)),
    scaler("metrics-api", "targetValue", Some("activationTargetValue"), None),
    scaler("postgresql", "targetQueryValue", Some("activationTargetQueryValue"), None),
    scaler("nats-jetstream", "lagThreshold", Some("activationLagThreshold"), Some(10_000)),
    scaler("temporal", "targetQueueSize", Some("activationTargetQueueSize"), Some(5_000)),
];

fn thousandths(key: &'static str, text: &str) -> Result<i64, Invalid> {
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
    number.map(|number| (number * 1_000.0) as i64).ok_or_else(|| {
        Invalid::new(
            key,
            text,
            "must be a number in quotes",
            "write a text such as \"5\" or \"0.5\", and a quantity such as 512Mi in full",
        )
    })
}
