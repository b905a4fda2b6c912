//! A revision's annotations and the `config-autoscaler` ConfigMap, as their users have them.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};

use super::parameters::{Metric, ParameterError, Parameters};
use super::values::{FromText, Switch, Whole};
use super::window::Aggregation;

const DOMAIN: &str = "autoscaling.knative.dev/";
const PROGRESS_DEADLINE: &str = "serving.knative.dev/progress-deadline";
const KPA: &str = "kpa.autoscaling.knative.dev";
const HPA: &str = "hpa.autoscaling.knative.dev";
/// The commented example that every installed ConfigMap carries.
const EXAMPLE: &str = "_example";

/// Why annotations or a ConfigMap were refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// A key that the peer does not have, or that is not emulated.
    #[error("{key} ({value}) must be a setting of the KPA: correct its name, or take it out; it would change nothing")]
    Unknown {
        /// The key.
        key: String,
        /// Its value.
        value: String,
    },
    /// Both spellings of one setting.
    #[error("{key} ({value}) must be given once: {other} says the same, and Knative would not look at one of them")]
    Twice {
        /// One key.
        key: String,
        /// Its value.
        value: String,
        /// The other key.
        other: String,
    },
    /// A value that does not read.
    #[error("{key} ({value}) must be {expected}: write it as a string, as Kubernetes does with every annotation")]
    Unreadable {
        /// The key.
        key: String,
        /// Its value.
        value: String,
        /// What it must be.
        expected: &'static str,
    },
    /// The revision is scaled by Kubernetes' HPA.
    #[error(
        "{key} ({value}) must be kpa.autoscaling.knative.dev: this revision is scaled by an HPA; load the \
         HorizontalPodAutoscaler that Knative made for it with `peers::kubernetes::Manifest`"
    )]
    OtherClass {
        /// The key.
        key: String,
        /// Its value.
        value: String,
    },
    /// A value that the peer would refuse.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
}

/// Reads the parameters of one revision from its annotations over a ConfigMap's data, either of which may be empty.
///
/// Both spellings of an annotation are taken (`min-scale` and `minScale`), `window` sets the stable window, and every
/// key of `autoscaling.knative.dev` must be known. Keys of other domains belong to others and are left alone: any
/// annotation set holds some. The one exception is `serving.knative.dev/progress-deadline`, which bounds an activation.
///
/// ```
/// use std::collections::BTreeMap;
/// use plimsoll::peers::knative::load;
///
/// let annotations = BTreeMap::from([
///     ("autoscaling.knative.dev/target".into(), "80".into()),
///     ("autoscaling.knative.dev/max-scale".into(), "20".into()),
///     ("example.com/owner".into(), "payments".into()),
/// ]);
/// let parameters = load(&annotations, 0, &BTreeMap::new())?;
/// assert_eq!((parameters.per_pod(), parameters.max_scale), ((56.0, 80.0), 20));
/// # Ok::<(), plimsoll::peers::knative::LoadError>(())
/// ```
///
/// # Errors
/// For the first key that is unknown, doubled or unreadable, or whose value the peer would refuse.
pub fn load(
    annotations: &BTreeMap<String, String>,
    container_concurrency: u32,
    config_map: &BTreeMap<String, String>,
) -> Result<Parameters, LoadError> {
    let mut parameters = Parameters { container_concurrency, ..Parameters::default() };
    for (key, value) in config_map.iter().filter(|(key, _)| *key != EXAMPLE) {
        set_global(&mut parameters, key, value)?;
    }
    for (key, value) in annotations {
        if let Some(name) = key.strip_prefix(DOMAIN) {
            let name = kebab(name);
            let other = [DOMAIN, &name].concat();
            if other != *key && annotations.contains_key(&other) {
                return Err(LoadError::Twice { key: key.clone(), value: value.clone(), other });
            }
            set_annotation(&mut parameters, &name, key, value)?;
        } else if key == PROGRESS_DEADLINE {
            parameters.progress_deadline = read(key, value)?;
        }
    }
    parameters.validate()?;
    Ok(parameters)
}

/// `minScale` as `min-scale`: the older spelling of the same names.
fn kebab(name: &str) -> String {
    let mut kebab = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            kebab.push('-');
        }
        kebab.push(letter.to_ascii_lowercase());
    }
    kebab
}

fn read<T: FromText>(key: &str, value: &str) -> Result<T, LoadError> {
    let unreadable = || LoadError::Unreadable { key: key.to_string(), value: value.into(), expected: T::EXPECTED };
    T::from_text(value).ok_or_else(unreadable)
}

fn unknown(key: &str, value: &str) -> LoadError {
    LoadError::Unknown { key: key.to_string(), value: value.to_string() }
}

fn set_annotation(parameters: &mut Parameters, name: &str, key: &str, value: &str) -> Result<(), LoadError> {
    let p = parameters;
    match name {
        "class" => class(key, value)?,
        "metric" => p.metric = read(key, value)?,
        "metric-aggregation-algorithm" => p.metric_aggregation_algorithm = read(key, value)?,
        "target" => p.target = Some(read(key, value)?),
        "target-utilization-percentage" => p.target_utilization_percentage = Some(read(key, value)?),
        "min-scale" => p.min_scale = count(key, value)?,
        "max-scale" => p.max_scale = count(key, value)?,
        "initial-scale" => p.initial_scale = count(key, value)?,
        "activation-scale" => p.activation_scale = count(key, value)?,
        "scale-down-delay" => p.scale_down_delay = read(key, value)?,
        "window" => p.stable_window = read(key, value)?,
        "panic-window-percentage" => p.panic_window_percentage = read(key, value)?,
        "panic-threshold-percentage" => p.panic_threshold_percentage = read(key, value)?,
        "target-burst-capacity" => p.target_burst_capacity = read(key, value)?,
        "scale-to-zero-pod-retention-period" => p.scale_to_zero_pod_retention_period = read(key, value)?,
        _ => return Err(unknown(key, value)),
    }
    Ok(())
}

fn set_global(parameters: &mut Parameters, key: &str, value: &str) -> Result<(), LoadError> {
    let p = parameters;
    match key {
        "pod-autoscaler-class" => class(key, value)?,
        "enable-scale-to-zero" => p.enable_scale_to_zero = read::<Switch>(key, value)?.0,
        "allow-zero-initial-scale" => p.allow_zero_initial_scale = read::<Switch>(key, value)?.0,
        "max-scale-up-rate" => p.max_scale_up_rate = read(key, value)?,
        "max-scale-down-rate" => p.max_scale_down_rate = read(key, value)?,
        "container-concurrency-target-percentage" => p.container_concurrency_target_percentage = read(key, value)?,
        "container-concurrency-target-default" => p.container_concurrency_target_default = read(key, value)?,
        "requests-per-second-target-default" => p.requests_per_second_target_default = read(key, value)?,
        "target-burst-capacity" => p.target_burst_capacity = read(key, value)?,
        "panic-window-percentage" => p.panic_window_percentage = read(key, value)?,
        "panic-threshold-percentage" => p.panic_threshold_percentage = read(key, value)?,
        "activator-capacity" => p.activator_capacity = read(key, value)?,
        "initial-scale" => p.initial_scale = count(key, value)?,
        "min-scale" => p.min_scale = count(key, value)?,
        "max-scale" => p.max_scale = count(key, value)?,
        "max-scale-limit" => p.max_scale_limit = count(key, value)?,
        "stable-window" => p.stable_window = read(key, value)?,
        "scale-down-delay" => p.scale_down_delay = read(key, value)?,
        "scale-to-zero-grace-period" => p.scale_to_zero_grace_period = read(key, value)?,
        "scale-to-zero-pod-retention-period" => p.scale_to_zero_pod_retention_period = read(key, value)?,
        _ => return Err(unknown(key, value)),
    }
    Ok(())
}

fn count(key: &str, value: &str) -> Result<u32, LoadError> {
    read::<Whole>(key, value).map(|whole| whole.0)
}

fn class(key: &str, value: &str) -> Result<(), LoadError> {
    match value {
        KPA => Ok(()),
        HPA => Err(LoadError::OtherClass { key: key.to_string(), value: value.to_string() }),
        _ => Err(LoadError::Unreadable {
            key: key.to_string(),
            value: value.to_string(),
            expected: "kpa.autoscaling.knative.dev; any other autoscaler has settings of its own",
        }),
    }
}

impl FromText for Metric {
    const EXPECTED: &'static str = "concurrency or rps; an HPA scales on anything else";

    fn from_text(text: &str) -> Option<Self> {
        match text {
            "concurrency" => Some(Self::Concurrency),
            "rps" => Some(Self::Rps),
            _ => None,
        }
    }
}

impl FromText for Aggregation {
    const EXPECTED: &'static str = "linear or weighted-exponential";

    fn from_text(text: &str) -> Option<Self> {
        match text {
            "" | "linear" => Some(Self::Linear),
            "weighted-exponential" | "weightedExponential" => Some(Self::WeightedExponential),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
