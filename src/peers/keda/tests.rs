use super::*;
use crate::config::{Blind, Config};
use crate::policy::{ConcurrencyTarget, Policy};

fn at(secs: u64) -> Timestamp {
    Timestamp::from_secs(secs)
}

/// Two triggers, active above zero.
fn keda(object: ScaledObject) -> Keda {
    let triggers = vec![Trigger::average_value(1_000), Trigger::average_value(1_000)];
    Keda::new(ScaledObject { triggers, ..object }, Timestamp::ORIGIN).unwrap()
}

fn poll(keda: &mut Keda, secs: u64, readings: [Option<i64>; 2], replicas: u32) -> Option<u32> {
    keda.tick(at(secs), &Poll::new(&readings, replicas)).unwrap().set_replicas
}

const BUSY: Option<i64> = Some(5_000);
const QUIET: Option<i64> = Some(0);

#[test]
fn an_error_beside_an_active_trigger_leaves_no_cooldown() {
    let mut keda = keda(ScaledObject::default());
    assert_eq!(poll(&mut keda, 0, [BUSY, QUIET], 0), Some(1));
    for secs in (30..=600).step_by(30) {
        assert_eq!(poll(&mut keda, secs, [BUSY, None], 5), None, "active throughout");
    }
    assert_eq!(poll(&mut keda, 630, [QUIET, QUIET], 5), Some(0), "and none of it counts");
}

#[test]
fn in_error_only_a_fallback_without_replicas_goes_down() {
    let fallback = |replicas| Fallback { failure_threshold: 100, replicas, behavior: Behavior::Static };
    for (fallback, down) in [(None, None), (Some(fallback(3)), None), (Some(fallback(0)), Some(0))] {
        let mut keda = keda(ScaledObject { fallback, ..ScaledObject::default() });
        poll(&mut keda, 0, [BUSY, QUIET], 5);
        assert_eq!(poll(&mut keda, 3_600, [QUIET, None], 5), down, "{fallback:?}");
    }
}

#[test]
fn what_was_never_active_goes_at_the_first_poll() {
    let mut own = keda(ScaledObject::default());
    assert_eq!(poll(&mut own, 1, [QUIET, QUIET], 40), Some(0));
    let mut patient = keda(ScaledObject { initial_cooldown_period: 60, ..ScaledObject::default() });
    assert_eq!(poll(&mut patient, 60, [QUIET, QUIET], 40), None);
    assert_eq!(poll(&mut patient, 61, [QUIET, QUIET], 40), Some(0));
}

#[test]
fn from_zero_it_goes_to_the_minimum_whatever_the_backlog() {
    let backlog = [Some(1_000_000_000), QUIET];
    assert_eq!(poll(&mut keda(ScaledObject::default()), 0, backlog, 0), Some(1));
    let object = ScaledObject { min_replica_count: 3, idle_replica_count: Some(0), ..ScaledObject::default() };
    assert_eq!(poll(&mut keda(object), 0, backlog, 0), Some(3));
}

#[test]
fn with_a_minimum_it_never_goes_down() {
    let mut keda = keda(ScaledObject { min_replica_count: 1, ..ScaledObject::default() });
    poll(&mut keda, 0, [BUSY, QUIET], 40);
    for secs in (30..90_000).step_by(30) {
        assert_eq!(poll(&mut keda, secs, [QUIET, QUIET], 40), None);
    }
}

#[test]
fn failures_are_counted_on_two_clocks() {
    let fallback = Some(Fallback { failure_threshold: 2, replicas: 4, behavior: Behavior::Static });
    let mut keda = keda(ScaledObject { fallback, ..ScaledObject::default() });
    assert!(keda.tick(at(0), &Poll::new(&[None, QUIET], 1)).unwrap().activity.error);
    // Two queries of the HPA before the next poll: the second is the third failure.
    assert!(keda.query(0, None, 1, 1).unwrap().error);
    let served = keda.query(0, None, 1, 1).unwrap();
    assert_eq!((served.value, served.fallback, served.failures), (Some(4_000), true, Some(3)));
}

#[test]
fn exactly_at_a_deadline_it_waits_for_the_next_poll() {
    let mut keda = keda(ScaledObject::default());
    poll(&mut keda, 0, [BUSY, QUIET], 1);
    assert_eq!(poll(&mut keda, 300, [QUIET, QUIET], 1), None);
    assert_eq!(poll(&mut keda, 301, [QUIET, QUIET], 1), Some(0));
    let trigger = Trigger::average_value(1_000).with_activation(5_000);
    let object = ScaledObject { triggers: vec![trigger], ..ScaledObject::default() };
    let mut keda = Keda::new(object, Timestamp::ORIGIN).unwrap();
    assert!(!keda.tick(at(0), &Poll::new(&[Some(5_000)], 0)).unwrap().activity.active);
    assert!(keda.tick(at(30), &Poll::new(&[Some(5_001)], 0)).unwrap().activity.active);
}

#[test]
fn cpu_and_memory_alone_are_always_active() {
    let cpu = Trigger { kind: "cpu".into(), metric_type: MetricType::Utilization, ..Trigger::average_value(60_000) };
    let object = ScaledObject { triggers: vec![cpu], ..ScaledObject::default() };
    let mut keda = Keda::new(object, Timestamp::ORIGIN).unwrap();
    assert_eq!(keda.tick(at(0), &Poll::new(&[QUIET], 0)).unwrap().set_replicas, Some(1));
}

#[test]
fn a_call_that_does_not_fit_is_refused() {
    let mut keda = keda(ScaledObject::default());
    let error = keda.tick(at(0), &Poll::new(&[], 0)).unwrap_err();
    assert_eq!(error, Error::Readings { given: 0, triggers: 2 });
    assert_eq!(keda.query(2, None, 0, 0), Err(Error::NoSuchTrigger { index: 2, triggers: 2 }));
}

fn load(yaml: &str) -> Result<ScaledObject, String> {
    serde_saphyr::from_str(yaml).map_err(|error| error.to_string())
}

const SPEC: &str = "
scaleTargetRef: {name: worker, kind: Deployment}
pollingInterval: 15
cooldownPeriod: 120
initialCooldownPeriod: 60
idleReplicaCount: 0
minReplicaCount: 2
maxReplicaCount: 20
fallback: {failureThreshold: 3, replicas: 6, behavior: currentReplicasIfHigher}
advanced:
  restoreToOriginalReplicaCount: true
  horizontalPodAutoscalerConfig: {name: worker-hpa}
triggers:
- type: aws-sqs-queue
  name: jobs
  metricType: AverageValue
  useCachedMetrics: true
  authenticationRef: {name: aws}
  metadata: {queueURL: 'https://sqs/jobs', queueLength: '2.5', activationQueueLength: '10'}
";

#[test]
fn a_spec_loads_as_its_users_have_it() {
    let object = load(SPEC).unwrap();
    assert_eq!((object.polling_interval, object.cooldown_period, object.initial_cooldown_period), (15, 120, 60));
    assert_eq!((object.idle_replica_count, object.hpa_min(), object.hpa_max()), (Some(0), 2, 20));
    assert_eq!((object.triggers[0].target, object.triggers[0].activation), (2_500, 10_000));
    let written = serde_json::to_string(&object).unwrap();
    assert_eq!(serde_json::from_str::<ScaledObject>(&written).unwrap(), object);
    let short = load("triggers: [{type: kafka, metadata: {topic: jobs}}]").unwrap();
    assert_eq!(short, ScaledObject { triggers: short.triggers.clone(), ..ScaledObject::default() });
    assert_eq!(short.triggers[0].target, 10_000, "the scaler's own default");
}

#[test]
fn the_hpa_it_makes_has_its_behavior_and_so_has_what_it_migrates_to() {
    let yaml = "
maxReplicaCount: 20
advanced: {horizontalPodAutoscalerConfig: {behavior: {scaleUp: {stabilizationWindowSeconds: 30},
  scaleDown: {stabilizationWindowSeconds: 60, policies: [{type: Percent, value: 10, periodSeconds: 15}]}}}}
triggers:
- {type: kafka, metadata: {lagThreshold: '5'}}
- {type: cpu, metricType: Utilization, metadata: {value: '60'}}
";
    let object = load(yaml).unwrap();
    let hpa = object.hpa();
    assert_eq!((hpa.min_replicas, hpa.max_replicas, hpa.behavior.as_ref()), (Some(1), 20, object.behavior.as_ref()));
    assert_eq!(hpa.metrics[0].external.as_ref().unwrap().metric.name, "kafka");
    assert_eq!(hpa.metrics[1].resource.as_ref().unwrap().target.average_utilization, Some(60));
    let migration = object.migrate().unwrap();
    assert_eq!((migration.config.up_delay().as_secs(), migration.config.down_delay().as_secs()), (30, 60));
    assert_eq!(migration.config.down_step().unwrap().percent, Some(10));
    assert!(migration.changes.iter().any(|change| change.setting == "behavior.scaleDown.policies"));
    let written = serde_json::to_string(&object).unwrap();
    assert_eq!(serde_json::from_str::<ScaledObject>(&written).unwrap(), object);
}

#[test]
fn what_is_wrong_or_not_supported_is_named() {
    const TRIGGERS: &str = "triggers: [{type: kafka, metadata: {topic: jobs}}]\n";
    for (yaml, part) in [
        ("minReplicaCount: 3\nmaxReplicaCount: 2", "minReplicaCount..maxReplicaCount (3..2) must be in order"),
        ("idleReplicaCount: 2\nminReplicaCount: 2", "idleReplicaCount (2) must be below minReplicaCount: lower it"),
        ("pollingInterval: 0", "pollingInterval (0) must be above zero: give seconds"),
        ("advanced: {scalingModifiers: {formula: a + b}}", "advanced.scalingModifiers (given) is not supported"),
        (
            "advanced: {horizontalPodAutoscalerConfig: {behavior: {scaleDown: {stabilizationWindowSeconds: -1}}}}",
            "advanced.horizontalPodAutoscalerConfig.behavior (behavior.scaleDown.stabilizationWindowSeconds -1) is refused by",
        ),
        ("fallback: {failureThreshold: 1, replicas: 1, behavior: scalingModifiers}", "unknown variant"),
        ("cooldown: 5", "unknown field `cooldown`"),
    ] {
        let error = load(&alloc::format!("{TRIGGERS}{yaml}")).unwrap_err();
        assert!(error.contains(part), "{error}");
    }
    for (trigger, part) in [
        ("{type: prometheus, metadata: {}}", "threshold (nothing) is required in this trigger's metadata"),
        ("{type: prometheus, metadata: {threshold: many}}", "threshold (many) must be a number in quotes"),
        ("{type: prometheus, metadata: {threshold: '0'}}", "triggers[].target (0 thousandths) must be above zero"),
        ("{type: cron, metadata: {}}", "triggers[].type (cron) is not a scaler whose metadata is known here"),
        ("{type: kafka, metricType: Utilization}", "triggers[].metricType (Utilization) is for cpu and memory"),
        (
            "{type: cpu, useCachedMetrics: true, metadata: {value: '60'}}",
            "triggers[].useCachedMetrics (true) is not for cpu and memory triggers: leave it out",
        ),
        (
            "{type: prometheus, metadata: {threshold: '5', activationThreshold: few}}",
            "activationThreshold (few) must be a number in quotes",
        ),
    ] {
        let error = load(&alloc::format!("triggers: [{trigger}]")).unwrap_err();
        assert!(error.contains(part), "{error}");
    }
    assert!(load("triggers: []").unwrap_err().contains("triggers (none) must have at least one entry"));
    assert!(load("triggers: [{type: cron, target: 1000}]").is_ok());
    let memory = load("triggers: [{type: memory, metadata: {value: '60'}}]").unwrap();
    assert_eq!(memory.triggers[0].metric_type, MetricType::Utilization);
    let exact = load("minReplicaCount: 2\nmaxReplicaCount: 2\ntriggers: [{type: cron, target: 1000}]");
    assert_eq!(exact.map(|object| object.max_replica_count), Ok(2));
}

fn manifest(head: &str) -> Result<Manifest, String> {
    let yaml = alloc::format!("{head}\nspec: {{triggers: [{{type: kafka, metadata: {{topic: jobs}}}}]}}");
    serde_saphyr::from_str::<Manifest>(&yaml).map_err(|error| error.to_string())
}

#[test]
fn annotations_are_read_and_others_of_keda_refused() {
    let annotated = |annotations: &str| {
        let head = "apiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nmetadata: {annotations: {app: x, ";
        manifest(&alloc::format!("{head}{annotations}}}}}")).map(|manifest| manifest.annotations)
    };
    let none = Annotations::NONE;
    for (name, read) in [
        ("paused", Annotations { paused: true, ..none }),
        ("paused-scale-in", Annotations { paused_scale_in: true, ..none }),
        ("paused-scale-out", Annotations { paused_scale_out: true, ..none }),
        ("force-activation", Annotations { force_activation: true, ..none }),
    ] {
        for yes in ["true", "True", "TRUE", "1", "t", "T"] {
            assert_eq!(annotated(&alloc::format!("autoscaling.keda.sh/{name}: '{yes}'")).as_ref(), Ok(&read), "{yes}");
        }
        for no in ["false", "False", "FALSE", "0", "f", "F"] {
            assert_eq!(annotated(&alloc::format!("autoscaling.keda.sh/{name}: '{no}'")).as_ref(), Ok(&none), "{no}");
        }
    }
    let error = annotated("autoscaling.keda.sh/paused-replicas: '3'").unwrap_err();
    assert!(error.contains("autoscaling.keda.sh annotation (paused-replicas) is not supported"), "{error}");
    let error = annotated("autoscaling.keda.sh/paused: 'maybe'").unwrap_err();
    assert!(error.contains("(maybe) must be \"true\" or \"false\""), "{error}");
}

#[test]
fn a_manifest_of_another_kind_is_refused() {
    assert!(manifest("apiVersion: keda.sh/v1alpha1").is_ok() && manifest("kind: ScaledObject").is_ok());
    for (head, part) in [
        ("apiVersion: apps/v1", "apiVersion (apps/v1) must be one of keda.sh: give the ScaledObject manifest"),
        ("kind: ScaledJob", "kind (ScaledJob) must be ScaledObject: jobs (ScaledJob) are not autoscaled services"),
    ] {
        let error = manifest(head).unwrap_err();
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn a_queue_migrates_to_the_concurrency_policy() {
    let migration = load(SPEC).unwrap().migrate().unwrap();
    let policy = Policy::Concurrency(ConcurrencyTarget::new(2.5).unwrap());
    let config = Config::new(policy, 0, 20).unwrap();
    let config = config.with_to_zero_delay(core::time::Duration::from_secs(120)).unwrap();
    assert_eq!(migration.config, config.with_blind(Blind::Floor(6)).unwrap());
    let names: Vec<_> = migration.changes.iter().map(|change| change.setting).collect();
    assert!(names.contains(&"idleReplicaCount") && names.contains(&"fallback"), "{names:?}");
    assert!(names.contains(&"initialCooldownPeriod"), "{names:?}");
    assert_eq!(migration.changes[0].becomes, "policy concurrency");
    assert_eq!(load(SPEC).unwrap().period().as_secs(), 15);
    let gauge = load("triggers: [{type: prometheus, metadata: {threshold: '5'}}]").unwrap();
    let migration = gauge.migrate().unwrap();
    assert_eq!(
        (migration.config.policies(), &*migration.changes[0].becomes),
        (&[Policy::External][..], "policy external")
    );
    assert!(migration.changes.iter().all(|change| change.setting != "initialCooldownPeriod"));
}
