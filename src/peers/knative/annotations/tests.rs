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
