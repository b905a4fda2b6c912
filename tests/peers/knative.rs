//! Knative's decisions.
//!
//! Everything recorded is compared. The count wanted, the excess burst capacity, panic and its timer, the replicas
//! written, requeue times, activity, mode and linear averages must be equal; weighted averages, whose weights are
//! powers that no two libraries compute to the same last bit, to 1e-9.
#![expect(clippy::indexing_slicing, clippy::float_arithmetic, reason = "recorded values are JSON, and doubles")]

use core::time::Duration;

use plimsoll::Timestamp;
use plimsoll::peers::knative::{
    Activity, Aggregation, Averages, Buckets, Decider, DeciderSpec, MaxWindow, Mode, Reachability, Reason, Reconciler,
    ReconcilerSpec, Seen,
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

/// The recorded times begin here: a multiple of every bucket, and later than the samples from before a scenario's start.
const START: u64 = 1_000_000;

#[test]
fn every_recorded_step() {
    let file: File = vectors::read("knative_kpa");
    let mut steps = 0;
    for scenario in &file.scenarios {
        let Scenario { name, kind, config, .. } = scenario;
        let mut run = match kind.as_str() {
            "scale" | "pipeline" => scale(config),
            "buckets" => buckets(config),
            "max_window" => max_window(config),
            "zero" => zero(config),
            other => panic!("{name}: kind {other:?} is not known"),
        };
        for step in &scenario.steps {
            let expected = step["expect"].as_object().unwrap();
            let found = run(step);
            for (field, expected) in expected {
                let found = found.get(field).unwrap_or_else(|| panic!("{field} is not compared"));
                let weighted = config["aggregation"] == "weighted";
                let same = if weighted && found.is_f64() { close(found, expected) } else { equal(found, expected) };
                assert!(same, "{name} at {}: {field} is {found} and was {expected}\n{config}\n{step}", step["t"]);
            }
            steps += 1;
        }
    }
    let summary = format!("knative_kpa: {} scenarios, {steps} steps compared", file.scenarios.len());
    println!("{summary}");
    assert_eq!(summary, "knative_kpa: 372 scenarios, 10744 steps compared");
}

type Run<'a> = Box<dyn FnMut(&Value) -> Value + 'a>;

fn equal(found: &Value, expected: &Value) -> bool {
    match (found.as_f64(), expected.as_f64()) {
        #[expect(clippy::float_cmp, reason = "they must be the same")]
        (Some(found), Some(expected)) => found == expected,
        _ => found == expected,
    }
}

fn close(found: &Value, expected: &Value) -> bool {
    let (found, expected) = (found.as_f64().unwrap(), expected.as_f64().unwrap());
    (found - expected).abs() <= 1e-9 * expected.abs()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

fn count(value: &Value) -> u32 {
    value.as_u64().unwrap().try_into().unwrap()
}

fn seconds(value: &Value) -> Duration {
    Duration::from_secs_f64(number(value))
}

/// Recorded times have at most two decimals.
#[expect(clippy::cast_possible_truncation, reason = "a scenario lasts minutes")]
fn time(seconds: &Value) -> Timestamp {
    let millis = (number(seconds) * 1000.0).round() as i64;
    Timestamp::from_millis((START * 1000).checked_add_signed(millis).unwrap())
}

const fn since_start(time: Timestamp) -> f64 {
    time.saturating_since(Timestamp::from_secs(START)).as_secs_f64()
}

fn spec(config: &Value) -> DeciderSpec {
    DeciderSpec {
        target_value: number(&config["target_value"]),
        total_value: number(&config["total_value"]),
        target_burst_capacity: number(&config["target_burst_capacity"]),
        panic_threshold: number(&config["panic_threshold"]),
        max_scale_up_rate: number(&config["max_scale_up_rate"]),
        max_scale_down_rate: number(&config["max_scale_down_rate"]),
        stable_window: seconds(&config["stable_window"]),
        scale_down_delay: seconds(&config["scale_down_delay"]),
        activation_scale: count(&config["activation_scale"]),
        reachable: config["reachable"].as_bool().unwrap(),
    }
}

fn window(length: &Value, granularity: Duration, aggregation: &Value) -> Buckets {
    let weighted = aggregation == "weighted";
    let aggregation = if weighted { Aggregation::WeightedExponential } else { Aggregation::Linear };
    Buckets::new(seconds(length), granularity, aggregation).unwrap()
}

/// An autoscaler, fed with averages or with samples.
fn scale(config: &Value) -> Run<'_> {
    let ready = config["initial_ready"].as_u64().map(|ready| ready.try_into().unwrap());
    let mut decider = Decider::new(spec(config), Timestamp::from_secs(START), ready).unwrap();
    let mut windows = config.get("aggregation").map(|aggregation| {
        ["stable_window", "panic_window"].map(|name| window(&config[name], Duration::from_secs(1), aggregation))
    });
    let mut config = config.clone();
    Box::new(move |step| {
        let now = time(&step["t"]);
        if let Some(update) = step["update"].as_object() {
            config.as_object_mut().unwrap().extend(update.clone());
            decider.update(spec(&config)).unwrap();
        }
        let averages = if let Some(windows) = &mut windows {
            for sample in step["samples"].as_array().unwrap() {
                let value = number(&sample[1]) - sample[2].as_f64().unwrap_or(0.0);
                for window in windows.iter_mut() {
                    window.record(time(&sample[0]), value);
                }
            }
            let [stable, panic] = windows;
            (!stable.is_empty(now)).then(|| Averages { stable: stable.average(now), panic: panic.average(now) })
        } else if step["no_data"] == true {
            None
        } else {
            Some(Averages { stable: number(&step["stable"]), panic: number(&step["panic"]) })
        };
        let ready = (step["ready_error"] != true).then(|| count(&step["ready"]));
        let mut found = json!({ "valid": false });
        if let Ok(decision) = decider.tick(now, ready, averages) {
            found = json!({
                "valid": true, "desired": decision.desired, "ebc": decision.excess_burst_capacity,
                "stable": averages.unwrap().stable, "panic": averages.unwrap().panic,
            });
        }
        found["panicking"] = decider.panicking().into();
        found["panic_since"] = decider.panic_since().map(since_start).into();
        found["max_panic_pods"] = decider.max_panic_pods().into();
        found
    })
}

fn buckets(config: &Value) -> Run<'_> {
    let mut window = window(&config["window"], seconds(&config["granularity"]), &config["aggregation"]);
    Box::new(move |step| {
        let now = time(&step["t"]);
        if let Some(length) = step.get("resize") {
            window.resize(now, seconds(length)).unwrap();
        }
        if let Some(value) = step.get("record") {
            window.record(now, number(value));
        }
        json!({ "average": window.average(now), "empty": window.is_empty(now) })
    })
}

fn max_window(config: &Value) -> Run<'_> {
    let mut window = MaxWindow::new(seconds(&config["duration"]), seconds(&config["granularity"]));
    Box::new(move |step| {
        let value = count(&step["value"]).try_into().unwrap();
        json!({ "current": window.record(time(&step["t"]), value) })
    })
}

fn zero(config: &Value) -> Run<'_> {
    let spec = ReconcilerSpec {
        enable_scale_to_zero: config["enable_scale_to_zero"].as_bool().unwrap(),
        min_scale: count(&config["min_scale"]),
        max_scale: count(&config["max_scale"]),
        initial_scale: count(&config["initial_scale"]),
        stable_window: seconds(&config["stable_window"]),
        scale_to_zero_grace_period: seconds(&config["scale_to_zero_grace_period"]),
        scale_to_zero_pod_retention_period: seconds(&config["scale_to_zero_pod_retention_period"]),
        progress_deadline: seconds(&config["progress_deadline"]),
        always_proxied: config["target_burst_capacity"] == -1,
    };
    let activity = match config["start_active"].as_str() {
        Some("True") => (Activity::Active, Reason::Ready),
        Some("False") => (Activity::Inactive, Reason::NoTraffic),
        _ => (Activity::Activating, Reason::Queued),
    };
    let mode = if config["start_mode"] == "Proxy" { Mode::Proxy } else { Mode::Serve };
    let replicas = count(&config["start_replicas"]).try_into().unwrap();
    let initialized = config["initialized"].as_bool().unwrap();
    let start = Timestamp::from_secs(START);
    let mut reconciler = Reconciler::resumed(spec, start, replicas, activity, mode, initialized);
    let mut reachability: Reachability = serde_json::from_value(config["reachability"].clone()).unwrap();
    Box::new(move |step| {
        if let Some(changed) = step.get("reachability") {
            reachability = serde_json::from_value(changed.clone()).unwrap();
        }
        let seen = Seen {
            desired: step["desired"].as_i64().unwrap().try_into().unwrap(),
            excess_burst_capacity: step["ebc"].as_i64().unwrap().try_into().unwrap(),
            ready: count(&step["ready"]),
            activator_answers: step["probe"] != false,
            reachability,
        };
        let pass = reconciler.reconcile(time(&step["t"]), &seen);
        let requeue: Vec<Value> =
            pass.requeue_after.map(|rest| whole_or_decimal(rest.as_secs_f64())).into_iter().collect();
        let active = match reconciler.activity() {
            Activity::Active => "True",
            Activity::Inactive => "False",
            Activity::Activating => "Unknown",
        };
        let reason = match reconciler.reason() {
            Reason::Ready => "",
            Reason::Queued => "Queued",
            Reason::NoTraffic => "NoTraffic",
            Reason::TimedOut => "TimedOut",
        };
        json!({
            "want": pass.want, "applied": pass.applied, "replicas": reconciler.replicas(), "requeue_after": requeue,
            "async_probes": u8::from(pass.probe_started),
            "mode": if reconciler.mode() == Mode::Proxy { "Proxy" } else { "Serve" },
            "active": active, "reason": reason, "initialized": reconciler.initialized(),
        })
    })
}

/// The file has whole numbers where it can.
#[expect(clippy::cast_possible_truncation, reason = "it has no fraction")]
fn whole_or_decimal(number: f64) -> Value {
    if number.fract() == 0.0 { (number as i64).into() } else { number.into() }
}
