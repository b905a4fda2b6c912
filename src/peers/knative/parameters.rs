//! What a revision is scaled by, under the peer's own names and with its defaults.

use alloc::string::{String, ToString};
use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::reconcile::ReconcilerSpec;
use super::scale::DeciderSpec;
use super::window::Aggregation;
use crate::time::{Human, nanos, span};
use crate::units::exact;

/// A parameter that the peer would refuse, or that cannot be emulated.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{field} ({value}) must {rule}: {remedy}")]
#[non_exhaustive]
pub struct ParameterError {
    /// The parameter, by the peer's name.
    pub field: &'static str,
    /// Its value.
    pub value: String,
    /// What it must do or be.
    pub rule: &'static str,
    /// What to do.
    pub remedy: &'static str,
}

impl ParameterError {
    pub(super) fn new(field: &'static str, value: &impl ToString, rule: &'static str, remedy: &'static str) -> Self {
        Self { field, value: value.to_string(), rule, remedy }
    }

    pub(super) fn duration(field: &'static str, value: Duration, rule: &'static str, remedy: &'static str) -> Self {
        Self::new(field, &Human(nanos(value)), rule, remedy)
    }

    pub(super) fn number(
        field: &'static str,
        value: f64,
        fits: bool,
        rule: &'static str,
        remedy: &'static str,
    ) -> Result<(), Self> {
        if fits { Ok(()) } else { Err(Self::new(field, &value, rule, remedy)) }
    }
}

/// What is counted.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Metric {
    /// Requests in the system, averaged over time.
    #[default]
    Concurrency,
    /// Requests per second.
    Rps,
}

/// The smallest target per pod.
const TARGET_MIN: f64 = 0.01;
const SHORTEST_WINDOW: Duration = Duration::from_secs(6);
pub(super) const LONGEST_WINDOW: Duration = Duration::from_secs(3_600);

/// Everything that scales one revision: the `config-autoscaler` ConfigMap, overlaid by the revision's annotations.
///
/// The defaults are the ones compiled into the peer (`pkg/autoscaler/config/config.go`), which are also what the
/// example in its ConfigMap shows. [`load`](super::load) reads both forms.
///
/// ```
/// use plimsoll::peers::knative::Parameters;
///
/// let parameters = Parameters::default();
/// assert_eq!(parameters.per_pod(), (70.0, 100.0));
/// let error = Parameters { max_scale_down_rate: 1.0, ..parameters }.validate().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "max-scale-down-rate (1) must be above 1: at 1 and below it could never change the count"
/// );
/// ```
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Parameters {
    /// What is counted; concurrency.
    pub metric: Metric,
    /// How the windows are averaged; linearly.
    pub metric_aggregation_algorithm: Aggregation,
    /// The revision's `containerConcurrency`: requests that one pod takes at a time; 0 is no limit.
    pub container_concurrency: u32,
    /// The load that one pod should take; otherwise the container concurrency or the default below.
    #[serde(with = "maybe_exact", skip_serializing_if = "Option::is_none")]
    pub target: Option<f64>,
    /// How much of it is aimed at; otherwise the default percentage below.
    #[serde(with = "maybe_exact", skip_serializing_if = "Option::is_none")]
    pub target_utilization_percentage: Option<f64>,
    /// 70: how much of a pod's concurrency is aimed at. Up to 1 it is a fraction.
    #[serde(with = "exact")]
    pub container_concurrency_target_percentage: f64,
    /// 100: the concurrency of a pod that has no limit.
    #[serde(with = "exact")]
    pub container_concurrency_target_default: f64,
    /// 200: the requests per second of a pod.
    #[serde(with = "exact")]
    pub requests_per_second_target_default: f64,
    /// 1000: at most so many times the ready pods.
    #[serde(with = "exact")]
    pub max_scale_up_rate: f64,
    /// 2: at least the ready pods divided by this.
    #[serde(with = "exact")]
    pub max_scale_down_rate: f64,
    /// 211: burst that must fit beside the present load without the activator; 0 is off, -1 without limit.
    #[serde(with = "exact")]
    pub target_burst_capacity: f64,
    /// 60 s: the window of the stable mode.
    #[serde(with = "span")]
    pub stable_window: Duration,
    /// 10: the panic window, in percent of the stable one.
    #[serde(with = "exact")]
    pub panic_window_percentage: f64,
    /// 200: panic begins when so many percent of the ready pods are wanted.
    #[serde(with = "exact")]
    pub panic_threshold_percentage: f64,
    /// 100: requests that one activator takes at a time.
    #[serde(with = "exact")]
    pub activator_capacity: f64,
    /// On: zero pods are allowed.
    pub enable_scale_to_zero: bool,
    /// 30 s: how long the activator must have been in the path before the last pod goes.
    #[serde(with = "span")]
    pub scale_to_zero_grace_period: Duration,
    /// 0: how long the last pod stays at least.
    #[serde(with = "span")]
    pub scale_to_zero_pod_retention_period: Duration,
    /// 0: how long a lower count must have been wanted.
    #[serde(with = "span")]
    pub scale_down_delay: Duration,
    /// 1: at least so many pods while there is any load.
    pub activation_scale: u32,
    /// 1: pods to begin with.
    pub initial_scale: u32,
    /// Off: `initial_scale` may be 0.
    pub allow_zero_initial_scale: bool,
    /// 0: the least pods.
    pub min_scale: u32,
    /// 0: the most pods, if not 0.
    pub max_scale: u32,
    /// 0: the most that `max_scale` may be, if not 0.
    pub max_scale_limit: u32,
    /// 600 s: how long an activation may take (`serving.knative.dev/progress-deadline`).
    #[serde(with = "span")]
    pub progress_deadline: Duration,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            metric: Metric::Concurrency,
            metric_aggregation_algorithm: Aggregation::Linear,
            container_concurrency: 0,
            target: None,
            target_utilization_percentage: None,
            container_concurrency_target_percentage: 70.0,
            container_concurrency_target_default: 100.0,
            requests_per_second_target_default: 200.0,
            max_scale_up_rate: 1000.0,
            max_scale_down_rate: 2.0,
            target_burst_capacity: 211.0,
            stable_window: Duration::from_secs(60),
            panic_window_percentage: 10.0,
            panic_threshold_percentage: 200.0,
            activator_capacity: 100.0,
            enable_scale_to_zero: true,
            scale_to_zero_grace_period: Duration::from_secs(30),
            scale_to_zero_pod_retention_period: Duration::ZERO,
            scale_down_delay: Duration::ZERO,
            activation_scale: 1,
            initial_scale: 1,
            allow_zero_initial_scale: false,
            min_scale: 0,
            max_scale: 0,
            max_scale_limit: 0,
            progress_deadline: Duration::from_secs(600),
        }
    }
}

impl Parameters {
    /// Whether the peer would take these, and they can be emulated.
    ///
    /// # Errors
    /// For the first parameter that it would refuse.
    pub fn validate(&self) -> Result<(), ParameterError> {
        self.validate_targets()?;
        self.validate_rates()?;
        self.validate_windows()?;
        self.validate_scales()
    }

    fn validate_targets(&self) -> Result<(), ParameterError> {
        let check = ParameterError::number;
        let percent = "give a percentage such as 70";
        let field = "container-concurrency-target-percentage";
        let value = self.container_concurrency_target_percentage;
        check(field, value, value > 0.0 && value <= 100.0, "be above 0 and at most 100", percent)?;
        if let Some(value) = self.target_utilization_percentage {
            let field = "target-utilization-percentage";
            check(field, value, (1.0..=100.0).contains(&value), "be from 1 to 100", percent)?;
        }
        let least = |field, value: f64| {
            let remedy = "give the load that one pod should take, such as 100";
            check(field, value, value.is_finite() && value >= TARGET_MIN, "be at least 0.01", remedy)
        };
        least("target", self.target.unwrap_or(TARGET_MIN))?;
        least("container-concurrency-target-default", self.container_concurrency_target_default)?;
        least("requests-per-second-target-default", self.requests_per_second_target_default)?;
        let together = self.default_utilization() * self.container_concurrency_target_default;
        check(
            "container-concurrency-target-default",
            self.container_concurrency_target_default,
            together >= TARGET_MIN,
            "be at least 0.01 after its percentage",
            "raise it, or container-concurrency-target-percentage",
        )
    }

    fn validate_rates(&self) -> Result<(), ParameterError> {
        let check = ParameterError::number;
        for (field, value) in
            [("max-scale-up-rate", self.max_scale_up_rate), ("max-scale-down-rate", self.max_scale_down_rate)]
        {
            let remedy = "at 1 and below it could never change the count";
            check(field, value, value.is_finite() && value > 1.0, "be above 1", remedy)?;
        }
        let value = self.activator_capacity;
        let remedy = "give the requests that one activator takes at a time, such as 100";
        check("activator-capacity", value, value.is_finite() && value >= 1.0, "be at least 1", remedy)?;
        let value = self.panic_threshold_percentage;
        let remedy = "200 panics at twice the ready pods";
        check("panic-threshold-percentage", value, (110.0..=1000.0).contains(&value), "be from 110 to 1000", remedy)?;
        burst_capacity("target-burst-capacity", self.target_burst_capacity)
    }

    fn validate_windows(&self) -> Result<(), ParameterError> {
        let duration = |field, value, fits, rule, remedy| {
            if fits { Ok(()) } else { Err(ParameterError::duration(field, value, rule, remedy)) }
        };
        let value = self.stable_window;
        let fits = (SHORTEST_WINDOW..=LONGEST_WINDOW).contains(&value);
        duration("stable-window", value, fits, "be from 6 s to 1 h", "60s is the peer's default")?;
        for (field, value) in [("stable-window", value), ("scale-down-delay", self.scale_down_delay)] {
            let whole = value.subsec_nanos() == 0;
            duration(field, value, whole, "be whole seconds", "the metrics have buckets of one second")?;
        }
        let value = self.panic_window_percentage;
        let remedy = "10 is a panic window of a tenth of the stable one";
        let fits = (1.0..=100.0).contains(&value);
        ParameterError::number("panic-window-percentage", value, fits, "be from 1 to 100", remedy)?;
        for (field, value) in [
            ("scale-down-delay", self.scale_down_delay),
            ("scale-to-zero-pod-retention-period", self.scale_to_zero_pod_retention_period),
        ] {
            duration(field, value, value <= LONGEST_WINDOW, "be at most 1 h", "give a shorter one")?;
        }
        let value = self.scale_to_zero_grace_period;
        let remedy = "30s is the peer's default: the time in which the activator gets into the path";
        duration("scale-to-zero-grace-period", value, !value.is_zero(), "be above zero", remedy)
    }

    fn validate_scales(&self) -> Result<(), ParameterError> {
        let check = |field, value: u32, fits, rule, remedy| {
            if fits { Ok(()) } else { Err(ParameterError::new(field, &value, rule, remedy)) }
        };
        let most = u32::try_from(i32::MAX).unwrap_or(u32::MAX);
        for (field, value) in [
            ("min-scale", self.min_scale),
            ("max-scale", self.max_scale),
            ("max-scale-limit", self.max_scale_limit),
            ("initial-scale", self.initial_scale),
            ("activation-scale", self.activation_scale),
        ] {
            check(field, value, value <= most, "be at most 2147483647", "the peer counts in 32 bits")?;
        }
        let (least, most, limit) = (self.min_scale, self.max_scale, self.max_scale_limit);
        let at_most = |value: u32| most == 0 || value <= most;
        check("min-scale", least, at_most(least), "be at most max-scale", "lower min-scale or raise max-scale")?;
        let within = limit == 0 || (1..=limit).contains(&most);
        check("max-scale", most, within, "be from 1 to max-scale-limit", "give a max-scale within the limit")?;
        let initial = self.initial_scale;
        let allowed = initial > 0 || self.allow_zero_initial_scale;
        let remedy = "set allow-zero-initial-scale to true, or begin with 1";
        check("initial-scale", initial, allowed, "be at least 1", remedy)?;
        let value = self.activation_scale;
        check("activation-scale", value, value >= 1, "be at least 1", "1 is no activation scale")?;
        let within = value == 1 || (value >= least && at_most(value));
        let remedy = "what min-scale keeps anyhow needs no activation scale";
        check("activation-scale", value, within, "be from min-scale to max-scale", remedy)
    }

    fn default_utilization(&self) -> f64 {
        let value = self.container_concurrency_target_percentage;
        if value > 1.0 { value / 100.0 } else { value }
    }

    /// What one pod should take, and what it can: `target = max(0.01, total × utilization)`.
    ///
    /// Source: `pkg/reconciler/autoscaling/resources/target.go`. The total is the target if given (but no more than the
    /// container concurrency), otherwise the container concurrency, otherwise the default. Requests per second have a
    /// utilization of 70 % that no ConfigMap changes.
    #[must_use]
    pub fn per_pod(&self) -> (f64, f64) {
        let limit = f64::from(self.container_concurrency);
        let (default, utilization) = match self.metric {
            Metric::Rps => (self.requests_per_second_target_default, 0.7),
            Metric::Concurrency if limit > 0.0 => (limit, self.default_utilization()),
            Metric::Concurrency => (self.container_concurrency_target_default, self.default_utilization()),
        };
        let total = match self.target {
            Some(target) if self.metric == Metric::Concurrency && limit > 0.0 => target.min(limit),
            Some(target) => target,
            None => default,
        };
        let utilization = self.target_utilization_percentage.map_or(utilization, |percent| percent / 100.0);
        ((total * utilization).max(TARGET_MIN), total)
    }

    /// The panic window: its share of the stable one in whole seconds, half up, and at least one.
    #[must_use]
    pub fn panic_window(&self) -> Duration {
        let wanted = (nanos(self.stable_window) as f64 * self.panic_window_percentage / 100.0) as u64;
        let seconds = wanted.saturating_add(500_000_000) / 1_000_000_000;
        Duration::from_secs(seconds.max(1))
    }

    /// Activators in the path for so many ready pods: `max(2, ⌈(ready × total + burst) / activator capacity⌉)`; `None`
    /// if every one is, with the burst capacity -1.
    #[must_use]
    pub fn activators(&self, ready: u32) -> Option<u32> {
        let (_, total) = self.per_pod();
        let burst = f64::from(ready) * total + self.target_burst_capacity;
        (!self.unlimited_burst()).then(|| ((burst / self.activator_capacity).ceil() as u32).max(2))
    }

    pub(super) fn unlimited_burst(&self) -> bool {
        self.target_burst_capacity < 0.0
    }

    /// What the autoscaler is told.
    #[must_use]
    pub fn decider(&self, reachable: bool) -> DeciderSpec {
        let (target_value, total_value) = self.per_pod();
        DeciderSpec {
            target_value,
            total_value,
            target_burst_capacity: self.target_burst_capacity,
            panic_threshold: self.panic_threshold_percentage / 100.0,
            max_scale_up_rate: self.max_scale_up_rate,
            max_scale_down_rate: self.max_scale_down_rate,
            stable_window: self.stable_window,
            scale_down_delay: self.scale_down_delay,
            activation_scale: self.activation_scale,
            reachable,
        }
    }

    /// What the reconciler is told.
    #[must_use]
    pub fn reconciler(&self) -> ReconcilerSpec {
        ReconcilerSpec {
            enable_scale_to_zero: self.enable_scale_to_zero,
            min_scale: self.min_scale,
            max_scale: self.max_scale,
            initial_scale: self.initial_scale,
            stable_window: self.stable_window,
            scale_to_zero_grace_period: self.scale_to_zero_grace_period,
            scale_to_zero_pod_retention_period: self.scale_to_zero_pod_retention_period,
            progress_deadline: self.progress_deadline,
            always_proxied: self.unlimited_burst(),
        }
    }
}

#[expect(clippy::float_cmp, reason = "-1 is a word, not a quantity")]
pub(super) fn burst_capacity(field: &'static str, value: f64) -> Result<(), ParameterError> {
    let fits = value == -1.0 || value.is_finite() && value >= 0.0;
    let remedy = "0 takes the activator out of the path, -1 keeps it in";
    ParameterError::number(field, value, fits, "be -1, 0 or above", remedy)
}

/// A number that may be absent.
mod maybe_exact {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::units::exact;

    #[derive(Serialize, Deserialize)]
    struct Exact(#[serde(with = "exact")] f64);

    #[expect(clippy::ref_option, reason = "the signature that serde calls")]
    pub(super) fn serialize<S: Serializer>(value: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
        value.map(Exact).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
        Option::<Exact>::deserialize(deserializer).map(|value| value.map(|Exact(number)| number))
    }
}
