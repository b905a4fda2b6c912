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
mod tests {
    use core::time::Duration;

    use super::*;

    fn map(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
        entries.iter().map(|(key, value)| ((*key).to_string(), (*value).to_string())).collect()
    }

    fn annotated(name: &str, value: &str) -> Result<Parameters, LoadError> {
        load(&map(&[(&[DOMAIN, name].concat(), value)]), 0, &BTreeMap::new())
    }

    #[test]
    fn nothing_said_is_the_default() {
        assert_eq!(load(&BTreeMap::new(), 0, &BTreeMap::new()), Ok(Parameters::default()));
        assert_eq!(Parameters::default().panic_window(), Duration::from_secs(6));
        assert_eq!(Parameters::default().decider(true).panic_threshold.to_string(), "2");
    }

    #[test]
    fn annotations_override_the_config_map_in_either_spelling() {
        let config = map(&[
            (EXAMPLE, "################################"),
            ("container-concurrency-target-percentage", "0.5"),
            ("stable-window", "1m30s"),
            ("min-scale", "1"),
            ("enable-scale-to-zero", "false"),
        ]);
        let annotations = map(&[
            ("autoscaling.knative.dev/class", KPA),
            ("autoscaling.knative.dev/minScale", "3"),
            ("autoscaling.knative.dev/window", "40s"),
            ("autoscaling.knative.dev/targetBurstCapacity", "-1"),
            ("autoscaling.knative.dev/metric-aggregation-algorithm", "weightedExponential"),
            ("serving.knative.dev/progress-deadline", "120s"),
            ("serving.knative.dev/creator", "somebody"),
            ("autoscaling.internal.knative.dev/other", "theirs"),
        ]);
        let parameters = load(&annotations, 8, &config).unwrap();
        let expected = Parameters {
            container_concurrency: 8,
            container_concurrency_target_percentage: 0.5,
            stable_window: Duration::from_secs(40),
            enable_scale_to_zero: false,
            min_scale: 3,
            target_burst_capacity: -1.0,
            metric_aggregation_algorithm: Aggregation::WeightedExponential,
            progress_deadline: Duration::from_secs(120),
            ..Parameters::default()
        };
        assert_eq!(parameters, expected);
        assert_eq!(parameters.per_pod(), (4.0, 8.0));
    }

    /// A value as it is written, and what it sets.
    type Written = (&'static str, &'static str, fn(&mut Parameters));

    fn default_but(set: fn(&mut Parameters)) -> Parameters {
        let mut parameters = Parameters::default();
        set(&mut parameters);
        parameters
    }

    #[test]
    fn every_annotation_sets_its_parameter() {
        let all: [Written; 15] = [
            ("class", KPA, |_| ()),
            ("metric", "rps", |p| p.metric = Metric::Rps),
            ("metric", "concurrency", |_| ()),
            ("metric-aggregation-algorithm", "linear", |_| ()),
            ("target", "80", |p| p.target = Some(80.0)),
            ("target-utilization-percentage", "50", |p| p.target_utilization_percentage = Some(50.0)),
            ("initial-scale", "4", |p| p.initial_scale = 4),
            ("max-scale", "9", |p| p.max_scale = 9),
            ("activation-scale", "2", |p| p.activation_scale = 2),
            ("scale-down-delay", "15s", |p| p.scale_down_delay = Duration::from_secs(15)),
            ("window", "30s", |p| p.stable_window = Duration::from_secs(30)),
            ("panic-window-percentage", "20", |p| p.panic_window_percentage = 20.0),
            ("panic-threshold-percentage", "150", |p| p.panic_threshold_percentage = 150.0),
            ("target-burst-capacity", "0", |p| p.target_burst_capacity = 0.0),
            ("scale-to-zero-pod-retention-period", "1m", |p| {
                p.scale_to_zero_pod_retention_period = Duration::from_secs(60);
            }),
        ];
        for (name, value, set) in all {
            assert_eq!(annotated(name, value), Ok(default_but(set)), "{name}: {value}");
        }
    }

    #[test]
    fn every_key_of_the_config_map_sets_its_parameter() {
        let all: [Written; 18] = [
            ("pod-autoscaler-class", KPA, |_| ()),
            ("max-scale-up-rate", "10", |p| p.max_scale_up_rate = 10.0),
            ("max-scale-down-rate", "3", |p| p.max_scale_down_rate = 3.0),
            ("container-concurrency-target-default", "50", |p| p.container_concurrency_target_default = 50.0),
            ("requests-per-second-target-default", "150", |p| p.requests_per_second_target_default = 150.0),
            ("target-burst-capacity", "-1", |p| p.target_burst_capacity = -1.0),
            ("panic-window-percentage", "20", |p| p.panic_window_percentage = 20.0),
            ("panic-threshold-percentage", "150", |p| p.panic_threshold_percentage = 150.0),
            ("activator-capacity", "40", |p| p.activator_capacity = 40.0),
            ("initial-scale", "4", |p| p.initial_scale = 4),
            ("max-scale", "9", |p| p.max_scale = 9),
            ("scale-down-delay", "15s", |p| p.scale_down_delay = Duration::from_secs(15)),
            ("scale-to-zero-grace-period", "45s", |p| p.scale_to_zero_grace_period = Duration::from_secs(45)),
            ("scale-to-zero-pod-retention-period", "1m", |p| {
                p.scale_to_zero_pod_retention_period = Duration::from_secs(60);
            }),
            ("allow-zero-initial-scale", "true", |p| p.allow_zero_initial_scale = true),
            ("allow-zero-initial-scale", "T", |p| p.allow_zero_initial_scale = true),
            ("enable-scale-to-zero", "0", |p| p.enable_scale_to_zero = false),
            ("enable-scale-to-zero", "1", |_| ()),
        ];
        for (key, value, set) in all {
            assert_eq!(load(&BTreeMap::new(), 0, &map(&[(key, value)])), Ok(default_but(set)), "{key}: {value}");
        }
        let limited = load(&BTreeMap::new(), 0, &map(&[("max-scale-limit", "20"), ("max-scale", "9")]));
        assert_eq!(limited, Ok(Parameters { max_scale: 9, max_scale_limit: 20, ..Parameters::default() }));
    }

    #[test]
    fn every_refusal_names_key_value_and_remedy() {
        for (name, value, text) in [
            (
                "min-scal",
                "1",
                "autoscaling.knative.dev/min-scal (1) must be a setting of the KPA: correct its name, or take it out; \
                 it would change nothing",
            ),
            (
                "target",
                "many",
                "autoscaling.knative.dev/target (many) must be a number such as 70 or 0.5: write it as a string, as \
                 Kubernetes does with every annotation",
            ),
            (
                "target",
                "0.001",
                "target (0.001) must be at least 0.01: give the load that one pod should take, such as 100",
            ),
            ("window", "2s", "stable-window (2 s) must be from 6 s to 1 h: 60s is the peer's default"),
            (
                "class",
                HPA,
                "autoscaling.knative.dev/class (hpa.autoscaling.knative.dev) must be kpa.autoscaling.knative.dev: this \
                 revision is scaled by an HPA; load the HorizontalPodAutoscaler that Knative made for it with \
                 `peers::kubernetes::Manifest`",
            ),
            (
                "initial-scale",
                "0",
                "initial-scale (0) must be at least 1: set allow-zero-initial-scale to true, or begin with 1",
            ),
        ] {
            assert_eq!(annotated(name, value).unwrap_err().to_string(), text);
        }
    }

    #[test]
    fn what_the_peer_refuses_is_refused() {
        for (name, value) in [
            ("metric", "cpu"),
            ("class", "mine.example.com"),
            ("min-scale", "-1"),
            ("max-scale", "1.5"),
            ("max-scale", "2147483648"),
            ("target", "NaN"),
            ("target", "inf"),
            ("target-utilization-percentage", "0.7"),
            ("target-utilization-percentage", "101"),
            ("target-burst-capacity", "-2"),
            ("panic-window-percentage", "0.9"),
            ("panic-threshold-percentage", "109"),
            ("window", "61"),
            ("window", "7500ms"),
            ("window", "-60s"),
            ("scale-down-delay", "1h1s"),
            ("scale-down-delay", "1.5s"),
            ("scale-to-zero-pod-retention-period", "soon"),
            ("activation-scale", "0"),
            ("metric-aggregation-algorithm", "median"),
        ] {
            assert!(annotated(name, value).is_err(), "{name}: {value}");
        }
        let both = map(&[("autoscaling.knative.dev/min-scale", "1"), ("autoscaling.knative.dev/minScale", "2")]);
        assert!(matches!(load(&both, 0, &BTreeMap::new()), Err(LoadError::Twice { .. })));
        let crossed = map(&[("autoscaling.knative.dev/min-scale", "4"), ("autoscaling.knative.dev/max-scale", "3")]);
        assert_eq!(
            load(&crossed, 0, &BTreeMap::new()).unwrap_err().to_string(),
            "min-scale (4) must be at most max-scale: lower min-scale or raise max-scale"
        );
        for (key, value) in [
            ("max-scale-up-rate", "1"),
            ("stable-window", "2h"),
            ("scale-to-zero-grace-period", "0s"),
            ("enable-scale-to-zero", "yes"),
            ("pod-autoscaler-class", HPA),
            ("tick-interval", "2s"),
            ("max-scale-limit", "5"),
        ] {
            assert!(load(&BTreeMap::new(), 0, &map(&[(key, value)])).is_err(), "{key}: {value}");
        }
    }
}
