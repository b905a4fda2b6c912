//! SkyServe: its four autoscalers, with updates, versions, restarts and failures.
//!
//! Not compared: the `ready` and `pending` counts (they repeat the rows) and what the peer's exceptions say; that it
//! raises, where, and the state it leaves behind are compared. A recorded `desired` is absent for the instance-aware
//! autoscaler, so there it is compared through the target and the counters only.
#![expect(clippy::indexing_slicing, clippy::float_cmp, reason = "a test panics where it fails")]

use core::iter;

use plimsoll::peers::skyserve::{Failure, Launch, Mode, Replica, ReplicaPolicy, SkyServe, Status, TargetQps, Variant};
use serde::Deserialize;

use crate::vectors::{self, Exact};

#[derive(Deserialize)]
struct File {
    scenarios: Vec<Scenario>,
}

#[derive(Deserialize)]
struct Scenario {
    name: String,
    config: Config,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
struct Config {
    autoscaler: Variant,
    min_replicas: u32,
    max_replicas: u32,
    num_overprovision: Option<u32>,
    upscale_delay_s: f64,
    downscale_delay_s: f64,
    #[serde(default)]
    target_qps_per_replica: TargetQps,
    qps_window_s: Option<f64>,
    base_ondemand_fallback_replicas: Option<u32>,
    dynamic_ondemand_fallback: Option<bool>,
    queue_length_threshold: Option<u32>,
}

#[derive(Deserialize)]
struct Step {
    t: Exact,
    op: Option<String>,
    version: Option<u32>,
    mode: Option<Mode>,
    config: Option<Config>,
    #[serde(default)]
    syncs: Vec<(Exact, Vec<(Exact, usize)>)>,
    queue: Option<u64>,
    replicas: Option<Vec<Vec<serde_json::Value>>>,
    active_versions: Option<Vec<u32>>,
    expect: Expect,
}

#[derive(Deserialize)]
struct Expect {
    desired: Option<u32>,
    target: u32,
    r#final: u32,
    up: u64,
    down: u64,
    window: Option<usize>,
    #[serde(default)]
    scale_up: Up,
    #[serde(default)]
    scale_down: Vec<u64>,
    error: Option<String>,
    next_s: Option<u64>,
    up_ticks: Option<i64>,
    down_ticks: Option<i64>,
    autoscaler: Option<Variant>,
}

#[derive(Deserialize, Default)]
#[serde(untagged)]
enum Up {
    #[default]
    None,
    Plain(u32),
    Split {
        spot: u32,
        ondemand: u32,
    },
}

#[test]
fn skyserve_decides_as_recorded() {
    let file: File = vectors::read_exact("skyserve");
    let steps: usize = file.scenarios.iter().map(replay).sum();
    println!("skyserve.json: {} scenarios, {steps} steps compared", file.scenarios.len());
    assert_eq!((file.scenarios.len(), steps), (347, 10_228));
}

fn policy(config: &Config) -> ReplicaPolicy {
    let policy = ReplicaPolicy {
        min_replicas: config.min_replicas,
        max_replicas: Some(config.max_replicas),
        target_qps_per_replica: config.target_qps_per_replica.clone(),
        num_overprovision: config.num_overprovision.unwrap_or(0),
        upscale_delay_seconds: config.upscale_delay_s,
        downscale_delay_seconds: config.downscale_delay_s,
        base_ondemand_fallback_replicas: config.base_ondemand_fallback_replicas,
        dynamic_ondemand_fallback: config.dynamic_ondemand_fallback,
        queue_length_threshold: config.queue_length_threshold,
    };
    assert_eq!(policy.variant(), config.autoscaler);
    assert!(config.qps_window_s.is_none_or(|window| window == 60.0));
    policy
}

/// `[id, status, version = 1, is_spot = 0, accelerator = null, running_jobs = 0, unrecoverable = 0]`.
fn replica(row: &[serde_json::Value]) -> Replica {
    let status: Status = serde_json::from_value(row[1].clone()).unwrap();
    let number = |column: usize| row.get(column).and_then(serde_json::Value::as_u64);
    let mut replica = Replica::new(number(0).unwrap(), status);
    replica.version = number(2).map_or(1, |version| u32::try_from(version).unwrap());
    replica.is_spot = number(3) == Some(1);
    replica.accelerator = row.get(4).and_then(serde_json::Value::as_str).map(str::to_owned);
    replica.running_jobs = number(5).map_or(0, |jobs| u32::try_from(jobs).unwrap());
    replica.unrecoverable = number(6) == Some(1);
    replica
}

fn replay(scenario: &Scenario) -> usize {
    let mut service = SkyServe::new(&policy(&scenario.config)).unwrap();
    let (mut rows, mut active, mut queue) = (Vec::new(), Vec::new(), 0);
    for (number, step) in scenario.steps.iter().enumerate() {
        let place = format!("{} step {number} at {} s", scenario.name, step.t.get());
        for (now, arrivals) in &step.syncs {
            let stamps = arrivals.iter().flat_map(|(at, count)| iter::repeat_n(at.get(), *count));
            service.report(now.get(), stamps);
        }
        if let Some(replicas) = &step.replicas {
            rows = replicas.iter().map(|row| replica(row)).collect();
        }
        active = step.active_versions.clone().unwrap_or(active);
        queue = step.queue.unwrap_or(queue);
        let expect = &step.expect;
        let failure = if step.op.as_deref() == Some("update") {
            let (policy, version) = (policy(step.config.as_ref().unwrap()), step.version.unwrap());
            let failure = service.update(&policy, version, step.mode.unwrap(), queue).err();
            let (up, down) = service.thresholds();
            let thresholds = (Some(up), Some(down), Some(service.variant()));
            assert_eq!(thresholds, (expect.up_ticks, expect.down_ticks, expect.autoscaler), "{place}");
            failure
        } else {
            decide(&mut service, step, &rows, &active, queue, &place)
        };
        assert_eq!(failure.map(kind), expect.error.as_deref(), "{place}");
        let (up, down) = service.counters();
        let state = (service.target(), service.final_target(), up, down);
        assert_eq!(state, (expect.target, expect.r#final, expect.up, expect.down), "{place}");
        assert!(expect.window.is_none_or(|window| window == service.window()), "{place}: {}", service.window());
        assert!(expect.next_s.is_none_or(|next| next == service.next_tick().as_secs()), "{place}");
        let stored = serde_json::to_string(&service).unwrap();
        assert_eq!(serde_json::from_str::<SkyServe>(&stored).unwrap(), service, "{place}: restores");
    }
    scenario.steps.len()
}

fn decide(
    service: &mut SkyServe,
    step: &Step,
    rows: &[Replica],
    active: &[u32],
    queue: u64,
    place: &str,
) -> Option<Failure> {
    let expect = &step.expect;
    let decision = match service.tick(rows, active, queue) {
        Ok(decision) => decision,
        Err(failure) => {
            if let Failure::TooFewToStop { wanted, .. } = failure {
                assert_eq!(Some(wanted), expect.desired, "{place}");
            }
            return Some(failure);
        }
    };
    if service.variant() != Variant::InstanceAware {
        assert_eq!(decision.wanted, expect.desired, "{place}");
    }
    let Launch { plain, spot, on_demand, .. } = decision.launch;
    let expected = match expect.scale_up {
        Up::None => (0, 0, 0),
        Up::Plain(plain) => (plain, 0, 0),
        Up::Split { spot, ondemand } => (0, spot, ondemand),
    };
    assert_eq!((plain, spot, on_demand), expected, "{place}");
    assert_eq!(decision.stop, expect.scale_down, "{place}");
    None
}

const fn kind(failure: Failure) -> &'static str {
    match failure {
        Failure::ZeroTarget => "zero_division",
        Failure::TargetIsAMap => "value_error",
        _ => "assertion",
    }
}
