//! KEDA: the executor alone, and the loop of triggers, fallback and executor.
//!
//! Not compared: the conditions (`active_status`, `active_reason`, `ready_status`, `ready_reason`). They tell the
//! cluster's users of the activity and error that are compared, and decide nothing. `config.max` is the HPA's.

use plimsoll::Timestamp;
use plimsoll::peers::keda::{Activity, Annotations, Behavior, Fallback, Keda, MetricType, Poll, ScaledObject, Trigger};
use serde::Deserialize;

use crate::vectors;

#[derive(Deserialize)]
struct File {
    scenarios: Vec<Scenario>,
}

#[derive(Deserialize)]
struct Scenario {
    name: String,
    kind: String,
    config: Config,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
struct Config {
    min: Option<u32>,
    max: u32,
    idle: Option<u32>,
    cooldown: Option<u32>,
    initial_cooldown: Option<u32>,
    last_active: Option<u64>,
    fallback: Option<FallbackConfig>,
    start_replicas: u32,
    #[serde(default)]
    triggers: Vec<TriggerConfig>,
}

#[derive(Deserialize)]
struct FallbackConfig {
    threshold: u32,
    replicas: u32,
    behavior: Behavior,
}

#[derive(Deserialize)]
struct TriggerConfig {
    target: i64,
    activation: i64,
    target_type: MetricType,
}

#[derive(Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "as recorded")]
struct Step {
    t: u64,
    #[serde(default)]
    active: bool,
    #[serde(default)]
    error: bool,
    #[serde(default)]
    values: Vec<Option<i64>>,
    set_replicas: Option<u32>,
    ready: Option<u32>,
    #[serde(default)]
    paused: bool,
    #[serde(default)]
    pause_in: bool,
    #[serde(default)]
    pause_out: bool,
    #[serde(default)]
    force: bool,
    expect: Expect,
}

#[derive(Deserialize)]
struct Expect {
    replicas: u32,
    updated: bool,
    last_active: Option<u64>,
    #[serde(default)]
    active: bool,
    #[serde(default)]
    error: bool,
    #[serde(default)]
    triggers: Vec<Served>,
}

#[derive(Deserialize, PartialEq, Debug)]
struct Served {
    fallback: bool,
    error: bool,
    value: Option<i64>,
    failures: Option<u32>,
}

#[test]
fn keda_decides_as_recorded() {
    let file: File = vectors::read("keda");
    let steps: usize = file.scenarios.iter().map(replay).sum();
    println!("keda.json: {} scenarios, {steps} steps compared", file.scenarios.len());
    assert_eq!((file.scenarios.len(), steps), (82, 1_130));
}

fn replay(scenario: &Scenario) -> usize {
    let config = &scenario.config;
    let mut triggers: Vec<Trigger> = config.triggers.iter().map(trigger).collect();
    if scenario.kind == "executor" {
        triggers.push(Trigger::average_value(1_000));
    }
    let default = ScaledObject::default();
    let object = ScaledObject {
        min_replica_count: config.min.unwrap_or(default.min_replica_count),
        max_replica_count: config.max,
        idle_replica_count: config.idle,
        cooldown_period: config.cooldown.unwrap_or(default.cooldown_period),
        initial_cooldown_period: config.initial_cooldown.unwrap_or(default.initial_cooldown_period),
        fallback: config.fallback.as_ref().map(|fallback| Fallback {
            failure_threshold: fallback.threshold,
            replicas: fallback.replicas,
            behavior: fallback.behavior,
        }),
        triggers,
        ..default
    };
    let last_active = config.last_active.map(Timestamp::from_secs);
    let mut keda = Keda::new(object, Timestamp::ORIGIN).unwrap().with_last_active(last_active);
    let mut replicas = config.start_replicas;
    for (number, step) in scenario.steps.iter().enumerate() {
        let place = format!("{} step {number} at {} s", scenario.name, step.t);
        let (now, expect) = (Timestamp::from_secs(step.t), &step.expect);
        replicas = step.set_replicas.unwrap_or(replicas);
        let annotations = Annotations {
            paused: step.paused,
            paused_scale_in: step.pause_in,
            paused_scale_out: step.pause_out,
            force_activation: step.force,
        };
        let written = if scenario.kind == "executor" {
            let activity = Activity { active: step.active, error: step.error };
            keda.execute(now, activity, replicas, annotations)
        } else {
            let ready = step.ready.unwrap_or(replicas);
            let poll = Poll::new(&step.values, replicas).with_ready(ready).with_annotations(annotations);
            let outcome = keda.tick(now, &poll).unwrap();
            let activity = Activity { active: expect.active, error: expect.error };
            assert_eq!(outcome.activity, activity, "{place}");
            let served: Vec<Served> = outcome.served.iter().map(served).collect();
            assert_eq!(served, expect.triggers, "{place}");
            outcome.set_replicas
        };
        replicas = written.unwrap_or(replicas);
        assert_eq!((replicas, written.is_some()), (expect.replicas, expect.updated), "{place}");
        assert_eq!(keda.last_active(), expect.last_active.map(Timestamp::from_secs), "{place}");
        let stored = serde_json::to_string(&keda).unwrap();
        assert_eq!(serde_json::from_str::<Keda>(&stored).unwrap(), keda, "{place}: restores");
    }
    scenario.steps.len()
}

fn trigger(config: &TriggerConfig) -> Trigger {
    let trigger = match config.target_type {
        MetricType::Value => Trigger::value(config.target),
        _ => Trigger::average_value(config.target),
    };
    trigger.with_activation(config.activation)
}

const fn served(served: &plimsoll::peers::keda::Served) -> Served {
    Served { fallback: served.fallback, error: served.error, value: served.value, failures: served.failures }
}
