//! Ray Serve's `autoscaling_config`: its parameters and their defaults.

use alloc::format;
use alloc::string::String;
use core::time::Duration;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::Aggregation;
use crate::peers::exact::{self, Exact};
use crate::peers::invalid::Invalid;

/// A deployment's `autoscaling_config`, under Ray's names. The defaults are those of `AutoscalingConfig` in
/// `ray/serve/config.py`, 2.60.
///
/// | parameter | default |
/// |---|---|
/// | `min_replicas`, `max_replicas` | 1, 1 (100 with `num_replicas: auto`, see [`AutoscalingConfig::auto`]) |
/// | `initial_replicas` | none |
/// | `target_ongoing_requests` | 2, queued and running, per replica |
/// | `upscale_delay_s`, `downscale_delay_s` | 30, 600 |
/// | `downscale_to_zero_delay_s` | the downscale delay |
/// | `upscaling_factor`, `downscaling_factor` | the deprecated smoothing factors, which are 1 |
/// | `look_back_period_s`, `metrics_interval_s` | 30, 10 |
/// | `aggregation_function` | `mean` |
///
/// A `policy` of one's own is refused by name: it is code. Give its wishes to
/// [`RayServe::tick_with`](super::RayServe::tick_with).
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(try_from = "File")]
#[expect(clippy::exhaustive_structs, reason = "plain data; `..Default::default()` keeps a literal short")]
pub struct AutoscalingConfig {
    /// The least replicas; may be 0.
    pub min_replicas: u32,
    /// The replicas to start with, also whenever the deployment changes.
    pub initial_replicas: Option<u32>,
    /// The most replicas.
    pub max_replicas: u32,
    /// Requests per replica, queued and running.
    #[serde(serialize_with = "exact::serialize")]
    pub target_ongoing_requests: f64,
    /// How long more must have been wished for.
    #[serde(serialize_with = "exact::serialize")]
    pub upscale_delay_s: f64,
    /// How long less must have been wished for.
    #[serde(serialize_with = "exact::serialize")]
    pub downscale_delay_s: f64,
    /// The same for the step from one to none.
    #[serde(serialize_with = "exact::optional::serialize")]
    pub downscale_to_zero_delay_s: Option<f64>,
    /// What a step up is multiplied by.
    #[serde(serialize_with = "exact::optional::serialize")]
    pub upscaling_factor: Option<f64>,
    /// What a step down is multiplied by.
    #[serde(serialize_with = "exact::optional::serialize")]
    pub downscaling_factor: Option<f64>,
    /// Deprecated: both factors, unless they are given.
    #[serde(serialize_with = "exact::serialize")]
    pub smoothing_factor: f64,
    /// Deprecated: the upscaling factor, unless it is given.
    #[serde(serialize_with = "exact::optional::serialize")]
    pub upscale_smoothing_factor: Option<f64>,
    /// Deprecated: the downscaling factor, unless it is given.
    #[serde(serialize_with = "exact::optional::serialize")]
    pub downscale_smoothing_factor: Option<f64>,
    /// How long handles and replicas keep samples.
    #[serde(serialize_with = "exact::serialize")]
    pub look_back_period_s: f64,
    /// How often they report. Deprecated, and still in force: the settings meant to replace it are never read.
    #[serde(serialize_with = "exact::serialize")]
    pub metrics_interval_s: f64,
    /// How samples become a number.
    pub aggregation_function: Aggregation,
}

impl Default for AutoscalingConfig {
    fn default() -> Self {
        Self {
            min_replicas: 1,
            initial_replicas: None,
            max_replicas: 1,
            target_ongoing_requests: 2.0,
            upscale_delay_s: 30.0,
            downscale_delay_s: 600.0,
            downscale_to_zero_delay_s: None,
            upscaling_factor: None,
            downscaling_factor: None,
            smoothing_factor: 1.0,
            upscale_smoothing_factor: None,
            downscale_smoothing_factor: None,
            look_back_period_s: 30.0,
            metrics_interval_s: 10.0,
            aggregation_function: Aggregation::Mean,
        }
    }
}

impl AutoscalingConfig {
    /// What `num_replicas: auto` stands for: up to 100 replicas.
    #[must_use]
    pub fn auto() -> Self {
        Self { max_replicas: 100, ..Self::default() }
    }

    /// What a step up is multiplied by.
    #[must_use]
    pub fn up_factor(&self) -> f64 {
        self.upscaling_factor.or(self.upscale_smoothing_factor).unwrap_or(self.smoothing_factor)
    }

    /// What a step down is multiplied by.
    #[must_use]
    pub fn down_factor(&self) -> f64 {
        self.downscaling_factor.or(self.downscale_smoothing_factor).unwrap_or(self.smoothing_factor)
    }

    /// How often a handle takes samples: a fifth of the look-back period, at most the report interval.
    #[must_use]
    pub fn sampling_period(&self) -> Duration {
        let fifth = 0.2 * self.look_back_period_s;
        Duration::try_from_secs_f64(fifth.min(self.metrics_interval_s)).unwrap_or(Duration::MAX)
    }

    /// How often handles and replicas report.
    #[must_use]
    pub fn report_period(&self) -> Duration {
        Duration::try_from_secs_f64(self.metrics_interval_s).unwrap_or(Duration::MAX)
    }

    /// A handle that has not reported for so many seconds is forgotten: two report intervals, at least 10 s.
    #[must_use]
    pub fn stale_after_s(&self) -> f64 {
        (2.0 * self.metrics_interval_s).max(10.0)
    }

    pub(super) fn check(&self) -> Result<(), Invalid> {
        let (min, max) = (self.min_replicas, self.max_replicas);
        if max == 0 {
            return Err(Invalid::new("max_replicas", 0, "must be above zero", "allow at least one replica"));
        }
        if min > max {
            let remedy = "lower min_replicas or raise max_replicas";
            return Err(Invalid::new("min_replicas", min, "must be at most max_replicas", remedy));
        }
        if let Some(initial) = self.initial_replicas.filter(|initial| !(min..=max).contains(initial)) {
            let value = format!("{initial}, of {min} to {max}");
            let rule = "must be within min_replicas and max_replicas";
            return Err(Invalid::new("initial_replicas", value, rule, "give a count between them, or leave it out"));
        }
        positive("target_ongoing_requests", Some(self.target_ongoing_requests))?;
        for (setting, delay) in [
            ("upscale_delay_s", Some(self.upscale_delay_s)),
            ("downscale_delay_s", Some(self.downscale_delay_s)),
            ("downscale_to_zero_delay_s", self.downscale_to_zero_delay_s),
        ] {
            if let Some(delay) = delay.filter(|delay| !(delay.is_finite() && *delay >= 0.0)) {
                return Err(Invalid::new(setting, delay, "must not be negative", "give seconds, such as 30"));
            }
        }
        positive("upscaling_factor", self.upscaling_factor)?;
        positive("downscaling_factor", self.downscaling_factor)?;
        positive("smoothing_factor", Some(self.smoothing_factor))?;
        positive("upscale_smoothing_factor", self.upscale_smoothing_factor)?;
        positive("downscale_smoothing_factor", self.downscale_smoothing_factor)?;
        positive("look_back_period_s", Some(self.look_back_period_s))?;
        positive("metrics_interval_s", Some(self.metrics_interval_s))
    }
}

fn positive(setting: &'static str, value: Option<f64>) -> Result<(), Invalid> {
    match value.filter(|value| !(value.is_finite() && *value > 0.0)) {
        Some(value) => Err(Invalid::new(setting, value, "must be above zero", "give a number such as 1")),
        None => Ok(()),
    }
}

/// The configuration as a file has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    min_replicas: Option<u32>,
    initial_replicas: Option<u32>,
    max_replicas: Option<u32>,
    target_ongoing_requests: Option<Exact>,
    upscale_delay_s: Option<Exact>,
    downscale_delay_s: Option<Exact>,
    downscale_to_zero_delay_s: Option<Exact>,
    upscaling_factor: Option<Exact>,
    downscaling_factor: Option<Exact>,
    smoothing_factor: Option<Exact>,
    upscale_smoothing_factor: Option<Exact>,
    downscale_smoothing_factor: Option<Exact>,
    look_back_period_s: Option<Exact>,
    metrics_interval_s: Option<Exact>,
    aggregation_function: Option<Aggregation>,
    policy: Option<Policy>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Policy {
    policy_function: Option<String>,
    #[serde(rename = "policy_kwargs")]
    kwargs: Option<IgnoredAny>,
}

const DEFAULT_POLICY: &str = "ray.serve.autoscaling_policy:default_autoscaling_policy";

impl TryFrom<File> for AutoscalingConfig {
    type Error = Invalid;

    fn try_from(file: File) -> Result<Self, Invalid> {
        if let Some(policy) = file.policy {
            let own = policy.policy_function.filter(|function| function != DEFAULT_POLICY);
            if own.is_some() || policy.kwargs.is_some() {
                let remedy = "a policy of your own is code: give its wish to tick_with at every tick";
                return Err(Invalid::new("policy", own.unwrap_or_default(), "is not supported", remedy));
            }
        }
        let default = Self::default();
        let config = Self {
            min_replicas: file.min_replicas.unwrap_or(default.min_replicas),
            initial_replicas: file.initial_replicas,
            max_replicas: file.max_replicas.unwrap_or(default.max_replicas),
            target_ongoing_requests: file.target_ongoing_requests.map_or(default.target_ongoing_requests, f64::from),
            upscale_delay_s: file.upscale_delay_s.map_or(default.upscale_delay_s, f64::from),
            downscale_delay_s: file.downscale_delay_s.map_or(default.downscale_delay_s, f64::from),
            downscale_to_zero_delay_s: file.downscale_to_zero_delay_s.map(f64::from),
            upscaling_factor: file.upscaling_factor.map(f64::from),
            downscaling_factor: file.downscaling_factor.map(f64::from),
            smoothing_factor: file.smoothing_factor.map_or(default.smoothing_factor, f64::from),
            upscale_smoothing_factor: file.upscale_smoothing_factor.map(f64::from),
            downscale_smoothing_factor: file.downscale_smoothing_factor.map(f64::from),
            look_back_period_s: file.look_back_period_s.map_or(default.look_back_period_s, f64::from),
            metrics_interval_s: file.metrics_interval_s.map_or(default.metrics_interval_s, f64::from),
            aggregation_function: file.aggregation_function.unwrap_or_default(),
        };
        config.check()?;
        Ok(config)
    }
}
