//! The defaults, the entries of the differences page, and what holds for any input.

use alloc::string::ToString;
use alloc::vec;

use proptest::prelude::*;

use super::*;
use crate::config::Config;

const fn at(seconds: u64) -> Timestamp {
    Timestamp::from_secs(10_000 + seconds)
}

const fn per_pod(milli: i64) -> MetricTarget {
    MetricTarget::average_value(Quantity::from_milli(milli))
}

/// From 1 to 100 replicas by a total of 1 per pod.
fn by_total() -> Spec {
    Spec::new(100, vec![MetricSpec::external("total", per_pod(1_000))])
}

fn with(behavior: &str) -> Spec {
    Spec { behavior: Some(serde_json::from_str(behavior).unwrap()), ..by_total() }
}

fn hpa(spec: Spec) -> Hpa {
    Hpa::new(spec, Controller::default()).unwrap()
}

/// A pass that finds so many replicas and a total.
fn pass(hpa: &mut Hpa, seconds: u64, replicas: i32, total: i64) -> i32 {
    let readings = vec![Reading::Values(vec![total * 1_000])];
    let inputs = Inputs { spec_replicas: replicas, status_replicas: replicas, pods: vec![], readings };
    hpa.tick(at(seconds), &inputs).unwrap().replicas
}

/// Surprise 11.
#[test]
fn a_falling_metric_scales_up_on_an_old_recommendation() {
    let mut hpa = hpa(by_total());
    assert_eq!(pass(&mut hpa, 0, 10, 10), 10);
    assert_eq!(pass(&mut hpa, 15, 5, 4), 10, "somebody set 5, the load wants 4, and an old 10 wins");
}

/// Surprise 12.
#[test]
fn the_edge_of_a_window_counts_without_a_behavior_only() {
    for (spec, at_the_edge) in [(by_total(), 10), (with("{}"), 1)] {
        let mut hpa = hpa(spec);
        assert_eq!(pass(&mut hpa, 0, 10, 10), 10);
        assert_eq!(pass(&mut hpa, 300, 10, 1), at_the_edge);
    }
}

/// What no window covers makes room for what is new: a recommendation at the far edge is kept, an older one is not.
#[test]
fn as_many_recommendations_are_kept_as_the_windows_cover() {
    let mut hpa = hpa(with("{}"));
    let mut kept = |seconds| {
        pass(&mut hpa, seconds, 10, 10);
        serde_json::to_value(&hpa).unwrap()["history"]["recommendations"].as_array().unwrap().len()
    };
    assert_eq!([kept(0), kept(300), kept(601)], [2, 3, 3], "the first pass remembers the count it finds, too");
    for seconds in (618..1_800).step_by(17) {
        assert!(kept(seconds) <= 20);
    }
}

/// Surprise 12.
#[test]
fn ten_percent_over_was_too_much_before_1_33() {
    for (release, replicas) in [(Release::Current, 10), (Release::BeforeV1_33, 11)] {
        let mut hpa = Hpa::new(by_total(), Controller { release, ..Controller::default() }).unwrap();
        assert_eq!(pass(&mut hpa, 0, 10, 11), replicas);
    }
}

fn on_cpu(percent: i32) -> Spec {
    Spec::new(100, vec![MetricSpec::resource("cpu", MetricTarget::utilization(percent))])
}

/// Pods that have run for an hour and use so many thousandths of one CPU each.
fn pods(usage: &[i64]) -> Inputs {
    let sample = |&value: &i64| Some(Sample { value, taken: at(0), window: Duration::from_secs(60) });
    let count = i32::try_from(usage.len()).unwrap();
    Inputs {
        spec_replicas: count,
        status_replicas: count,
        pods: vec![Pod::ready(Timestamp::from_secs(6_400)); usage.len()],
        readings: vec![Reading::PerPod(
            usage.iter().map(|value| Usage { sample: sample(value), request: Some(1_000) }).collect(),
        )],
    }
}

/// Surprise 13.
#[test]
fn a_fraction_of_a_percent_is_cut_off_before_the_ratio() {
    let outcome = hpa(on_cpu(30)).tick(at(0), &pods(&[339; 100])).unwrap();
    let proposal = outcome.proposals[0].unwrap();
    assert_eq!((proposal.utilization, outcome.replicas), (Some(33), 100), "33.9 % over 30 % is 13 % too much");
}

/// Surprise 14.
#[test]
fn a_restarted_controller_gives_up_nothing_for_five_minutes() {
    let mut hpa = hpa(by_total());
    assert_eq!((pass(&mut hpa, 0, 10, 1), pass(&mut hpa, 300, 10, 1), pass(&mut hpa, 301, 10, 1)), (10, 10, 1));
}

/// Surprise 15.
#[test]
fn one_ratio_meets_three_counts() {
    let propose = |target, status| {
        let inputs = Inputs {
            spec_replicas: 10,
            status_replicas: status,
            pods: vec![Pod::ready(at(0)); 4],
            readings: vec![Reading::Values(vec![20_000])],
        };
        hpa(Spec::new(100, vec![MetricSpec::external("total", target)])).tick(at(0), &inputs).unwrap().proposal.unwrap()
    };
    let value = MetricTarget::value(Quantity::from_milli(10_000));
    assert_eq!(propose(value, 10), 8, "twice too much for the 4 that are ready: less than the 10 specified");
    assert_eq!(propose(per_pod(10_000), 2), 2, "just right for the 2 that are there");
}

/// Surprise 16.
#[test]
fn a_longer_period_of_the_other_direction_forgets() {
    let up_by = |seconds: u32| {
        with(&std::format!(
            r#"{{"scaleUp": {{"policies": [{{"type": "Pods", "value": 2, "periodSeconds": 15}}]}},
                "scaleDown": {{"stabilizationWindowSeconds": 0,
                              "policies": [{{"type": "Pods", "value": 1, "periodSeconds": {seconds}}}]}}}}"#
        ))
    };
    let mut forgets = hpa(up_by(600));
    // 2 up at 0 s; at 30 s another 2 take the place of the first, although the down policy looks back 600 s.
    assert_eq!((pass(&mut forgets, 0, 10, 12), pass(&mut forgets, 30, 12, 14)), (12, 14));
    assert_eq!(pass(&mut forgets, 45, 14, 1), 11, "one less than 12, not one less than 10");
}

/// Surprise 17.
#[test]
fn one_failing_metric_stops_the_way_down_only() {
    let two = Spec::new(
        100,
        vec![MetricSpec::external("lost", per_pod(1_000)), MetricSpec::external("total", per_pod(1_000))],
    );
    let inputs = |total: i64| Inputs {
        spec_replicas: 10,
        status_replicas: 10,
        pods: vec![],
        readings: vec![Reading::Unavailable, Reading::Values(vec![total])],
    };
    assert_eq!(hpa(two.clone()).tick(at(0), &inputs(15_000)).unwrap().replicas, 15);
    let as_many = hpa(two.clone()).tick(at(0), &inputs(10_000)).unwrap();
    assert_eq!((as_many.replicas, as_many.proposals[0]), (10, Err(MetricError::Unavailable)), "that is no way down");
    assert_eq!(
        hpa(two).tick(at(0), &inputs(5_000)).unwrap_err().to_string(),
        "metrics[0]: the metric is not available, and the others do not ask for more than there is"
    );
}

/// Surprise 17.
#[test]
fn a_huge_ratio_wrapped_around_before_1_33() {
    for (release, replicas) in [(Release::Current, i32::MAX), (Release::BeforeV1_33, 0)] {
        let tolerance = Tolerance { up: 0.1, down: 0.1 };
        let (cpu_initialization_period, initial_readiness_delay) = (Duration::ZERO, Duration::ZERO);
        let calculator = Calculator { release, tolerance, cpu_initialization_period, initial_readiness_delay };
        let reading = Reading::Values(vec![1 << 32]);
        let proposal = calculator.propose(at(0), &Target::AverageValue(1), &reading, &[], (4, 4)).unwrap();
        assert_eq!(proposal.replicas, replicas);
    }
}

/// Surprise 18.
#[test]
fn zero_replicas_switch_it_off() {
    let mut hpa = hpa(by_total());
    let readings = vec![Reading::Values(vec![50_000])];
    let inputs = Inputs { spec_replicas: 0, status_replicas: 0, pods: vec![], readings };
    let outcome = hpa.tick(at(0), &inputs).unwrap();
    assert_eq!((outcome.replicas, outcome.basis), (0, Basis::Disabled));
}

#[test]
fn the_defaults_are_the_controllers() {
    let rules = with("{}").rules(&Controller::default()).unwrap().unwrap();
    let written = std::format!("{:?}", rules.up.policies);
    assert_eq!(
        written,
        "[ScalingPolicy { kind: Pods, value: 4, period_seconds: 15 }, \
         ScalingPolicy { kind: Percent, value: 100, period_seconds: 15 }]"
    );
    assert_eq!((rules.up.stabilization, rules.down.stabilization), (Duration::ZERO, Duration::from_secs(300)));
    assert_eq!(Spec::new(5, vec![]).targets().unwrap(), [Target::Utilization { percent: 80, cpu: true }]);
}

const MANIFEST: &str = r#"
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web, annotations: {example.com/owner: payments}}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  minReplicas: 2
  maxReplicas: 40
  metrics:
  - type: Resource
    resource: {name: cpu, target: {type: Utilization, averageUtilization: 60}}
  - type: ContainerResource
    containerResource: {name: memory, container: app, target: {type: AverageValue, averageValue: 100Mi}}
  - type: Pods
    pods: {metric: {name: rps}, target: {type: AverageValue, averageValue: 1k}}
  - type: Object
    object:
      describedObject: {apiVersion: networking.k8s.io/v1, kind: Ingress, name: main}
      metric: {name: requests}
      target: {type: Value, value: "2500m"}
  - type: External
    external:
      metric: {name: depth, selector: {matchLabels: {queue: tasks}, matchExpressions: [{key: zone, operator: Exists}]}}
      target: {type: AverageValue, averageValue: 30}
  behavior:
    scaleUp:
      stabilizationWindowSeconds: 30
      selectPolicy: Max
      policies: [{type: Pods, value: 5, periodSeconds: 60}, {type: Percent, value: 50, periodSeconds: 60}]
      tolerance: 0.05
    scaleDown: {selectPolicy: Disabled}
status: {currentReplicas: 3, desiredReplicas: 3}
"#;

#[test]
fn a_manifest_loads_as_it_stands() {
    let spec = serde_saphyr::from_str::<Manifest>(MANIFEST).unwrap().spec().unwrap();
    let targets = [
        Target::Utilization { percent: 60, cpu: true },
        Target::PerPod { average: 104_857_600_000, cpu: false },
        Target::PerPod { average: 1_000_000, cpu: false },
        Target::Value(2_500),
        Target::AverageValue(30_000),
    ];
    let loaded = hpa(spec.clone());
    assert_eq!(loaded.targets, targets);
    assert_eq!(loaded.calculator.tolerance, Tolerance { up: 0.05, down: 0.1 });
    let written = serde_json::to_string(&spec).unwrap();
    assert_eq!(serde_json::from_str::<Spec>(&written).unwrap(), spec, "nothing is lost on the way");
    assert!(written.contains(r#""selector":{"matchLabels":{"queue":"tasks"}"#));
}

#[test]
fn a_migration_names_what_is_lost() {
    let spec = serde_saphyr::from_str::<Manifest>(MANIFEST).unwrap().spec().unwrap();
    let migration = hpa(spec).migrate().unwrap();
    let expected: Config = serde_json::from_str(
        r#"{"min": 2, "max": 40, "policy": "external", "tolerance": 0.05, "up_delay": "30s",
            "down_delay": 316224000, "up_step": {"workers": 5, "percent": 50, "period": "1m"}}"#,
    )
    .unwrap();
    assert_eq!(migration.config, expected);
    let changes: Vec<_> = migration.changes.iter().map(|change| (change.setting, change.becomes.as_str())).collect();
    assert_eq!(
        changes,
        [
            ("metrics", "policy external"),
            ("horizontal-pod-autoscaler-cpu-initialization-period", "nothing"),
            ("tolerance", "tolerance 0.05"),
            ("behavior.scaleUp.stabilizationWindowSeconds", "up_delay 30 s"),
            ("behavior.scaleUp.policies", "up_step of 5 workers or 50 % per 60 s"),
            ("behavior.scaleDown.stabilizationWindowSeconds", "down_delay 87840 h"),
            ("behavior.scaleDown.policies", "nothing"),
            ("minReplicas", "min 2"),
            ("horizontal-pod-autoscaler-sync-period", "nothing"),
        ]
    );
    let plain = hpa(by_total()).migrate().unwrap().config;
    assert_eq!((plain.up_delay(), plain.down_delay().as_secs()), (Duration::ZERO, 300));
    assert_eq!(plain.up_step().map(|step| (step.workers, step.percent)), Some((Some(4), Some(100))));
}

/// What a direction's policies become, and whether something of them is lost.
#[test]
fn policies_become_one_step_that_says_what_it_leaves_out() {
    let steps = |direction: &str, rules: &str| {
        let spec = with(&alloc::format!("{{\"{direction}\": {{\"stabilizationWindowSeconds\": 60, {rules}}}}}"));
        let hpa = hpa(spec);
        assert_eq!(*hpa.controller(), Controller::default());
        let crate::peers::migration::Migration { config, changes } = hpa.migrate().unwrap();
        let setting = alloc::format!("behavior.{direction}.policies");
        let change = changes.into_iter().find(|change| change.setting == setting).unwrap();
        let step = if direction == "scaleUp" { config.up_step() } else { config.down_step() };
        let lost = change.effect.starts_with("of several policies one limit is left");
        (step.map(|step| (step.workers, step.percent, step.period.as_secs())), change.becomes, lost)
    };
    let pods = r#"{"type": "Pods", "value": 5, "periodSeconds": 30}"#;
    let half = r#"{"type": "Percent", "value": 50, "periodSeconds": 30}"#;
    let slow = r#"{"type": "Percent", "value": 50, "periodSeconds": 90}"#;
    let of = |policies: &[&str]| alloc::format!("\"policies\": [{}]", policies.join(", "));
    let said = |becomes: &str| becomes.to_string();
    for direction in ["scaleUp", "scaleDown"] {
        let name = if direction == "scaleUp" { "up_step" } else { "down_step" };
        let both = said(&alloc::format!("{name} of 5 workers or 50 % per 30 s"));
        assert_eq!(steps(direction, &of(&[pods, half])), (Some((Some(5), Some(50), 30)), both.clone(), false));
        assert_eq!(steps(direction, &of(&[pods, slow])), (Some((Some(5), Some(50), 30)), both, true));
        let one = said(&alloc::format!("{name} of 5 workers per 30 s"));
        assert_eq!(steps(direction, &of(&[pods])), (Some((Some(5), None, 30)), one.clone(), false));
        let least = [&of(&[pods, half]), r#", "selectPolicy": "Min""#].concat();
        assert_eq!(steps(direction, &least), (Some((Some(5), None, 30)), one, true), "the first of them");
        let percent = said(&alloc::format!("{name} of 50 % per 30 s"));
        assert_eq!(steps(direction, &of(&[half])), (Some((None, Some(50), 30)), percent, false));
    }
    for (value, step) in [(99, Some((None, Some(99), 30))), (100, None), (101, None)] {
        let policy = alloc::format!(r#"{{"type": "Percent", "value": {value}, "periodSeconds": 30}}"#);
        assert_eq!(steps("scaleDown", &of(&[&policy])).0, step, "{value} % down");
    }
}

#[test]
fn a_pod_that_has_succeeded_counts_no_longer_since_1_33() {
    for (release, replicas) in [(Release::Current, 2), (Release::BeforeV1_33, 4)] {
        let mut hpa = Hpa::new(on_cpu(50), Controller { release, ..Controller::default() }).unwrap();
        let mut inputs = pods(&[1_000, 1_000]);
        inputs.pods[1].phase = Phase::Succeeded;
        inputs.spec_replicas = 1;
        assert_eq!(hpa.tick(at(0), &inputs).unwrap().replicas, replicas, "{release:?}");
    }
}

#[test]
fn every_kind_of_metric_can_be_made() {
    let metric = MetricSpec::pods("busy", per_pod(1_500));
    assert_eq!(hpa(Spec::new(9, vec![metric])).targets, [Target::PerPod { average: 1_500, cpu: false }]);
}

#[test]
fn every_refusal_names_path_value_and_remedy() {
    let refused = |json: &str| {
        let spec: Spec = serde_json::from_str(json).unwrap();
        Hpa::new(spec, Controller::default()).unwrap_err().to_string()
    };
    let metric = |metric: &str| refused(&std::format!(r#"{{"maxReplicas": 5, "metrics": [{metric}]}}"#));
    let behavior = |rules: &str| refused(&std::format!(r#"{{"maxReplicas": 5, "behavior": {{"scaleUp": {rules}}}}}"#));
    for (found, expected) in [
        (refused(r#"{"maxReplicas": 0}"#), "maxReplicas (0) must be above zero: allow at least one replica"),
        (
            refused(r#"{"maxReplicas": 3, "minReplicas": 4}"#),
            "minReplicas (4) must be at most maxReplicas: lower minReplicas or raise maxReplicas",
        ),
        (
            refused(r#"{"maxReplicas": 3, "minReplicas": 0}"#),
            "minReplicas (0) must be at least 1: without pods only an Object or External metric is left; add one, or keep \
             one replica",
        ),
        (
            metric(r#"{"type": "Pods", "resource": {"name": "cpu", "target": {"type": "Value", "value": 1}}}"#),
            "metrics[0].resource (given) must be what type names: write the part that type names, and no other",
        ),
        (
            metric(r#"{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Value", "value": 1}}}"#),
            "metrics[0].resource.target.type (Value) must suit the metric: resources have Utilization or AverageValue, \
             pods AverageValue, others Value or AverageValue",
        ),
        (
            metric(r#"{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization"}}}"#),
            "metrics[0].resource.target.averageUtilization (missing) must be what type names: write the part that type \
             names, and no other",
        ),
        (
            metric(
                r#"{"type": "External", "external": {"metric": {"name": "q"},
                    "target": {"type": "AverageValue", "averageValue": 0}}}"#,
            ),
            "metrics[0].external.target.averageValue (0) must be above zero: give what one pod should take",
        ),
        (
            metric(
                r#"{"type": "ContainerResource", "containerResource": {"name": "cpu",
                    "target": {"type": "Utilization", "averageUtilization": 5}}}"#,
            ),
            "metrics[0].containerResource.container (missing) must be given for a ContainerResource, and for nothing \
             else: Kubernetes has it there alone",
        ),
        (
            behavior(r#"{"policies": []}"#),
            "behavior.scaleUp.policies ([]) must hold a policy: leave policies out for the default, or write \
             selectPolicy: Disabled to forbid the change",
        ),
        (
            behavior(r#"{"policies": [{"type": "Pods", "value": 1, "periodSeconds": 1801}]}"#),
            "behavior.scaleUp.policies[0].periodSeconds (1801) must be from 1 to 1800: 15 is the default policies'",
        ),
        (
            behavior(r#"{"policies": [{"type": "Pods", "value": 0, "periodSeconds": 15}]}"#),
            "behavior.scaleUp.policies[0].value (0) must be above zero: write selectPolicy: Disabled to forbid the change",
        ),
        (
            behavior(r#"{"stabilizationWindowSeconds": 3601}"#),
            "behavior.scaleUp.stabilizationWindowSeconds (3601) must be from 0 to 3600: leave it out for the default",
        ),
        (
            behavior(r#"{"tolerance": "-1m"}"#),
            "behavior.scaleUp.tolerance (-1m) must be 0 or above: leave it out for 0.1",
        ),
    ] {
        assert_eq!(found, expected);
    }
    let older = Controller { release: Release::BeforeV1_33, ..Controller::default() };
    assert!(Hpa::new(with(r#"{"scaleUp": {"tolerance": 0.2}}"#), older).is_err());
    for tolerance in [f64::NAN, f64::INFINITY, -0.1] {
        assert!(Hpa::new(by_total(), Controller { tolerance, ..Controller::default() }).is_err(), "{tolerance}");
    }
    let wider = Controller { tolerance: 0.2, ..Controller::default() };
    assert_eq!(Hpa::new(by_total(), wider).unwrap().controller(), &wider);
}

#[test]
fn what_is_not_known_is_refused() {
    for json in [
        r#"{"maxReplicas": 5, "targetCPUUtilizationPercentage": 50}"#,
        r#"{"maxReplicas": 5, "behavior": {"scaleUp": {"selectPolicy": "Median"}}}"#,
        r#"{"maxReplicas": 5, "behavior": {"scaleSideways": {}}}"#,
        r#"{"maxReplicas": 5, "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilisation": 5}}}]}"#,
        r#"{"minReplicas": 5}"#,
    ] {
        assert!(serde_json::from_str::<Spec>(json).is_err(), "{json}");
    }
    let older = r#"{"apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler", "spec": {"maxReplicas": 2}}"#;
    assert_eq!(
        serde_json::from_str::<Manifest>(older).unwrap().spec().unwrap_err().to_string(),
        "apiVersion (autoscaling/v1) must be autoscaling/v2: `kubectl get hpa.v2.autoscaling NAME -o yaml` shows it so"
    );
}

fn rules() -> impl Strategy<Value = ScalingRules> {
    let kind = prop_oneof![Just(PolicyKind::Pods), Just(PolicyKind::Percent)];
    let policy = (kind, prop_oneof![1..300, Just(i32::MAX)], 1..1_800)
        .prop_map(|(kind, value, period_seconds)| ScalingPolicy { kind, value, period_seconds });
    let select = prop_oneof![Just(SelectPolicy::Max), Just(SelectPolicy::Min), Just(SelectPolicy::Disabled)];
    let of = proptest::option::of::<core::ops::Range<i64>>;
    (of(0..300), proptest::option::of(select), proptest::collection::vec(policy, 1..4), of(0..500)).prop_map(
        |(window, select_policy, policies, tolerance)| ScalingRules {
            stabilization_window_seconds: window.map(|seconds| i32::try_from(seconds).unwrap()),
            select_policy,
            policies: Some(policies),
            tolerance: tolerance.map(Quantity::from_milli),
        },
    )
}

fn specs() -> impl Strategy<Value = Spec> {
    let target = prop_oneof![1..100_000_i64, Just(i64::MAX)].prop_map(Quantity::from_milli);
    let metric = prop_oneof![
        (1..300).prop_map(|percent| MetricSpec::resource("cpu", MetricTarget::utilization(percent))),
        target.clone().prop_map(|target| MetricSpec::pods("metric", MetricTarget::average_value(target))),
        target.clone().prop_map(|target| MetricSpec::external("metric", MetricTarget::average_value(target))),
        target.prop_map(|target| MetricSpec::external("metric", MetricTarget::value(target))),
    ];
    let behavior = proptest::option::of((proptest::option::of(rules()), proptest::option::of(rules())));
    (1..5, 0..50, proptest::collection::vec(metric, 1..3), behavior).prop_map(|(min, more, metrics, behavior)| Spec {
        min_replicas: Some(min),
        behavior: behavior.map(|(scale_up, scale_down)| Behavior { scale_up, scale_down }),
        ..Spec::new(min + more, metrics)
    })
}

fn inputs() -> impl Strategy<Value = Inputs> {
    let count = || prop_oneof![9 => 0..60, 1 => any::<i32>()];
    let amount = || prop_oneof![9 => 0..200_000_i64, 1 => any::<i64>()];
    let time = || any::<u64>().prop_map(Timestamp::from_nanos);
    let phase = prop_oneof![5 => Just(Phase::Running), 1 => Just(Phase::Pending), 1 => Just(Phase::Failed), 1 => Just(Phase::Succeeded)];
    let pod = (phase, any::<bool>(), proptest::option::of(time()), any::<Option<bool>>(), time()).prop_map(
        |(phase, deleted, started, ready, ready_changed)| Pod { phase, deleted, started, ready, ready_changed },
    );
    let sample = (amount(), time(), any::<u64>()).prop_map(|(value, taken, window)| Sample {
        value,
        taken,
        window: Duration::from_secs(window),
    });
    let usage = (proptest::option::of(sample), proptest::option::of(amount()))
        .prop_map(|(sample, request)| Usage { sample, request });
    let reading = prop_oneof![
        1 => Just(Reading::Unavailable),
        4 => proptest::collection::vec(usage, 0..8).prop_map(Reading::PerPod),
        4 => proptest::collection::vec(amount(), 0..3).prop_map(Reading::Values),
    ];
    let (pods, readings) = (proptest::collection::vec(pod, 0..8), proptest::collection::vec(reading, 0..3));
    (count(), count(), pods, readings).prop_map(|(spec_replicas, status_replicas, pods, readings)| Inputs {
        spec_replicas,
        status_replicas,
        pods,
        readings,
    })
}

proptest! {
    /// Totality, determinism and restoring, at any input; and bounds, but for what zero replicas switch off.
    #[test]
    fn any_input_is_decided_about_alike_before_and_after_a_restore(
        spec in specs(), before_v1_33 in any::<bool>(), cut in 0..30_usize,
        steps in proptest::collection::vec((prop_oneof![9 => 0..2_000_u64, 1 => Just(u64::MAX)], inputs()), 0..30),
    ) {
        let release = if before_v1_33 { Release::BeforeV1_33 } else { Release::Current };
        if let Ok(mut hpa) = Hpa::new(spec.clone(), Controller { release, ..Controller::default() }) {
            let mut twin = hpa.clone();
            for (index, (now, inputs)) in steps.iter().enumerate() {
                if index == cut {
                    let mut binary = vec![];
                    ciborium::into_writer(&twin, &mut binary).unwrap();
                    prop_assert_eq!(&ciborium::from_reader::<Hpa, _>(binary.as_slice()).unwrap(), &hpa);
                    twin = serde_json::from_str(&serde_json::to_string(&twin).unwrap()).unwrap();
                    prop_assert_eq!(&twin, &hpa);
                }
                let found = hpa.tick(Timestamp::from_secs(*now), inputs);
                prop_assert_eq!(&found, &twin.tick(Timestamp::from_secs(*now), inputs));
                if let Ok(outcome) = found && outcome.basis != Basis::Disabled {
                    prop_assert!((spec.min()..=spec.max_replicas).contains(&outcome.replicas));
                }
            }
            prop_assert!(hpa.migrate().is_ok());
        }
    }

    #[test]
    fn any_text_is_a_quantity_or_none(text in ".{0,12}|[+-]?[0-9.]{0,45}(e-?[0-9]{0,6}|[kMGEi]{0,2})") {
        if let Ok(quantity) = text.parse::<Quantity>() {
            prop_assert_eq!(quantity.to_string().parse(), Ok(quantity));
            let _ = (quantity.milli(), quantity.as_f64());
        }
    }
}
