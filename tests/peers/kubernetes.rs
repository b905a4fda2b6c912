//! The decisions of Kubernetes' HPA.
//!
//! Everything recorded is compared, the conditions' reasons included: the last one of each kind stays until another
//! replaces it, as in the object's status.
#![expect(clippy::indexing_slicing, reason = "recorded values are JSON")]

use core::time::Duration;

use plimsoll::Timestamp;
use plimsoll::peers::kubernetes::{
    Basis, Behavior, Calculator, Controller, Hpa, Inputs, Limit, MetricSpec, MetricTarget, Phase, Pod, Quantity,
    Reading, Release, Sample, Spec, Stabilized, Target, Tolerance, Usage,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::vectors;

#[derive(Deserialize)]
struct File {
    scenarios: Vec<Scenario>,
}

#[derive(Deserialize)]
struct Scenario {
    name: String,
    kind: String,
    config: Value,
    steps: Vec<Value>,
}

/// The recorded times begin here: later than anything that pods did before a scenario's start.
const START: u64 = 1_000_000;

#[test]
fn every_recorded_step() {
    let file: File = vectors::read("kubernetes_hpa");
    let mut steps = 0;
    for scenario in &file.scenarios {
        let Scenario { name, kind, config, .. } = scenario;
        let mut run: Box<dyn FnMut(&Value) -> Value> = match kind.as_str() {
            "replica_calc" => calculator(config),
            "reconcile" => reconcile(config),
            other => panic!("{name}: kind {other:?} is not known"),
        };
        for step in &scenario.steps {
            let found = run(step);
            for (field, expected) in step["expect"].as_object().unwrap() {
                let found =
                    found.get(field).unwrap_or_else(|| panic!("{name}: {field} is not compared: {found} {step}"));
                assert_eq!(found, expected, "{name} at {}: {field}\n{config}\n{step}", step["t"]);
            }
            steps += 1;
        }
    }
    let summary = format!("kubernetes_hpa: {} scenarios, {steps} steps compared", file.scenarios.len());
    println!("{summary}");
    assert_eq!(summary, "kubernetes_hpa: 317 scenarios, 6478 steps compared");
}

fn int(value: &Value) -> i32 {
    value.as_i64().unwrap().try_into().unwrap()
}

fn seconds(value: &Value) -> Duration {
    Duration::from_secs_f64(value.as_f64().unwrap())
}

fn release(config: &Value) -> Release {
    if config["tolerance_rule"] == "abs" { Release::BeforeV1_33 } else { Release::Current }
}

fn calculator(config: &Value) -> Box<dyn FnMut(&Value) -> Value> {
    let calculator = Calculator {
        release: release(config),
        tolerance: Tolerance {
            up: config["tolerance_up"].as_f64().unwrap(),
            down: config["tolerance_down"].as_f64().unwrap(),
        },
        cpu_initialization_period: seconds(&config["cpu_initialization_period"]),
        initial_readiness_delay: seconds(&config["initial_readiness_delay"]),
    };
    let (amount, cpu) = (config["target"].as_i64().unwrap(), config["resource"] == "cpu");
    let target = match config["metric"].as_str().unwrap() {
        "resource_utilization" => Target::Utilization { percent: int(&config["target"]), cpu },
        "resource_value" | "pods" => Target::PerPod { average: amount, cpu },
        "object_value" | "external_value" => Target::Value(amount),
        "object_average" | "external_average" => Target::AverageValue(amount),
        other => panic!("metric {other:?} is not known"),
    };
    Box::new(move |step| {
        let now = Timestamp::from_secs(START);
        let counts = (int(&step["current"]), int(&step["status"]));
        let recorded = step["pods"].as_array().unwrap();
        let pods: Vec<Pod> = recorded.iter().map(pod).collect();
        let reading = match (target, step["values"].as_array()) {
            (Target::Utilization { .. } | Target::PerPod { .. }, _) => {
                Reading::PerPod(recorded.iter().map(usage).collect())
            }
            (_, Some(values)) => Reading::Values(values.iter().map(|value| value.as_i64().unwrap()).collect()),
            (_, None) => Reading::Unavailable,
        };
        match calculator.propose(now, &target, &reading, &pods, counts) {
            Err(_) => json!({ "error": true }),
            Ok(found) => json!({
                "error": false, "replicas": found.replicas, "usage": found.usage, "utilization": found.utilization,
            }),
        }
    })
}

fn before(age: &Value) -> Timestamp {
    Timestamp::from_secs(START.checked_sub(age.as_u64().unwrap()).unwrap())
}

fn pod(recorded: &Value) -> Pod {
    Pod {
        phase: match recorded.get("phase").map_or("Running", |phase| phase.as_str().unwrap()) {
            "Pending" => Phase::Pending,
            "Failed" => Phase::Failed,
            "Succeeded" => Phase::Succeeded,
            _ => Phase::Running,
        },
        deleted: recorded["deleted"] == true,
        started: recorded.get("start_age").map(before),
        ready: recorded.get("ready").map(|ready| ready == true),
        ready_changed: before(&recorded["transition_age"]),
    }
}

fn usage(recorded: &Value) -> Usage {
    let sample = recorded.get("usage").map(|value| Sample {
        value: value.as_i64().unwrap(),
        taken: before(&recorded["sample_age"]),
        window: seconds(&recorded["sample_window"]),
    });
    Usage { sample, request: recorded["request"].as_i64() }
}

/// The recorded behavior in the form of a manifest.
fn behavior(recorded: &Value) -> Option<Behavior> {
    let rules = |rules: &Value| {
        let policies = rules["policies"].as_array().unwrap().iter();
        let policies = policies.map(|p| json!({ "type": p[0], "value": p[1], "periodSeconds": p[2] }));
        let mut written = json!({ "selectPolicy": rules["select"], "policies": policies.collect::<Vec<_>>() });
        if !rules["stabilization"].is_null() {
            written["stabilizationWindowSeconds"] = rules["stabilization"].clone();
        }
        if let Some(tolerance) = rules.get("tolerance") {
            written["tolerance"] = tolerance.to_string().into();
        }
        written
    };
    let whole = || json!({ "scaleUp": rules(&recorded["up"]), "scaleDown": rules(&recorded["down"]) });
    (!recorded.is_null()).then(|| serde_json::from_value(whole()).unwrap())
}

fn reconcile(config: &Value) -> Box<dyn FnMut(&Value) -> Value> {
    let recorded = config["metrics"].as_array().unwrap().clone();
    let metrics = recorded.iter().map(|metric| {
        let amount = Quantity::from_milli(metric["target"].as_i64().unwrap());
        match metric["type"].as_str().unwrap() {
            "external_average" => MetricSpec::external("metric", MetricTarget::average_value(amount)),
            "external_value" => MetricSpec::external("metric", MetricTarget::value(amount)),
            "cpu_utilization" => MetricSpec::resource("cpu", MetricTarget::utilization(int(&metric["target"]))),
            other => panic!("metric {other:?} is not known"),
        }
    });
    let spec = Spec {
        min_replicas: Some(int(&config["min"])),
        behavior: behavior(&config["behavior"]),
        ..Spec::new(int(&config["max"]), metrics.collect())
    };
    let controller = Controller {
        release: release(config),
        downscale_stabilization: seconds(&config["downscale_stabilization"]),
        tolerance: config["tolerance"].as_f64().unwrap(),
        ..Controller::default()
    };
    let mut hpa = Hpa::new(spec, controller).unwrap();
    let mut replicas = int(&config["start_replicas"]);
    let mut conditions = json!({});
    Box::new(move |step| {
        let now = Timestamp::from_secs(START).saturating_add(seconds(&step["t"]));
        let before = step.get("set_replicas").map_or(replicas, int);
        let status = step.get("status").map_or(before, int);
        let readings = recorded.iter().zip(step["usage"].as_array().unwrap()).map(|(metric, usage)| {
            let Some(value) = usage.as_i64() else { return Reading::Unavailable };
            if metric["type"] != "cpu_utilization" {
                return Reading::Values(vec![value]);
            }
            let sample = Some(Sample { value, taken: now, window: Duration::from_secs(60) });
            Reading::PerPod((0..status).map(|_| Usage { sample, request: Some(1_000) }).collect())
        });
        let inputs = Inputs {
            spec_replicas: before,
            status_replicas: status,
            pods: (0..status).map(|_| Pod::ready(Timestamp::from_secs(START - 3_600))).collect(),
            readings: readings.collect(),
        };
        let failure = |index: usize| match recorded[index]["type"].as_str() {
            Some("cpu_utilization") => "FailedGetResourceMetric",
            _ => "FailedGetExternalMetric",
        };
        conditions["able_reason"] = "SucceededGetScale".into();
        let mut found = match hpa.tick(now, &inputs) {
            Err(failed) => {
                conditions["active_reason"] = failure(failed.index).into();
                json!({ "metric_replicas": -1, "replicas": before, "rescaled": false, "error": true })
            }
            Ok(outcome) => {
                if outcome.basis == Basis::Metrics {
                    conditions["active_reason"] = "ValidMetricFound".into();
                    conditions["able_reason"] = stabilized(outcome.stabilized).into();
                    conditions["limited"] = outcome.limit.is_some().into();
                    conditions["limited_reason"] = limited(outcome.limit).into();
                } else if outcome.basis == Basis::Disabled {
                    conditions["active_reason"] = "ScalingDisabled".into();
                }
                if outcome.rescaled {
                    conditions["able_reason"] = "SucceededRescale".into();
                }
                replicas = outcome.replicas;
                json!({
                    "metric_replicas": outcome.proposal, "replicas": replicas, "rescaled": outcome.rescaled,
                    "error": outcome.proposals.iter().any(Result::is_err),
                })
            }
        };
        replicas = int(&found["replicas"]);
        found["before"] = before.into();
        found.as_object_mut().unwrap().extend(conditions.as_object().unwrap().clone());
        found
    })
}

const fn stabilized(by: Option<Stabilized>) -> &'static str {
    match by {
        Some(Stabilized::Up) => "ScaleUpStabilized",
        Some(_) => "ScaleDownStabilized",
        None => "ReadyForNewScale",
    }
}

const fn limited(by: Option<Limit>) -> &'static str {
    match by {
        Some(Limit::Min) => "TooFewReplicas",
        Some(Limit::Max) => "TooManyReplicas",
        Some(Limit::Up) => "ScaleUpLimit",
        Some(_) => "ScaleDownLimit",
        None => "DesiredWithinRange",
    }
}
