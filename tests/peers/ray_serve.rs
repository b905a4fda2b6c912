//! Ray Serve: the policy alone, the whole way from samples to a decision, and merging and aggregation alone.
//!
//! Every recorded field is compared, and to the bit: the recordings are of the reference path, which adds in sequence.
#![expect(clippy::indexing_slicing, reason = "a test panics where it fails")]

use std::collections::{BTreeMap, BTreeSet};

use plimsoll::peers::ray_serve::{
    Aggregation, AutoscalingConfig, Deployment, Direction, Holder, RayServe, Reports, Sample, Sampler, Series,
    aggregate, merge,
};
use serde::Deserialize;

use crate::vectors::{self, Exact};

#[derive(Deserialize)]
struct File {
    scenarios: Vec<Scenario>,
}

#[derive(Deserialize)]
struct Scenario {
    name: String,
    kind: String,
    config: serde_json::Value,
    initial_replicas: Option<u32>,
    #[serde(default)]
    handle_sources: BTreeMap<String, Holder>,
    steps: Vec<Step>,
}

/// What the recordings have beside the `autoscaling_config`.
#[derive(Deserialize)]
struct Beside {
    target_capacity: Option<f64>,
    target_capacity_direction: Option<Direction>,
    gang_size: Option<u32>,
}

#[derive(Deserialize)]
struct Step {
    t: Exact,
    op: Option<String>,
    config: Option<serde_json::Value>,
    total: Option<Exact>,
    running: Option<Running>,
    desired: Option<Exact>,
    #[serde(default)]
    samples: BTreeMap<String, (Exact, BTreeMap<String, Exact>)>,
    #[serde(default)]
    replica_samples: BTreeMap<String, Exact>,
    #[serde(default)]
    push: Vec<String>,
    #[serde(default)]
    replica_push: Vec<String>,
    #[serde(default)]
    stopped: Vec<String>,
    drop_stale_alive: Option<Vec<String>>,
    now: Option<Exact>,
    r#fn: Option<Aggregation>,
    series: Option<Vec<Series>>,
    expect: Expect,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Running {
    Count(u32),
    Ids(Vec<String>),
}

#[derive(Deserialize)]
struct Expect {
    target: Option<u32>,
    raw: Option<u32>,
    counter: Option<i64>,
    since: Option<Exact>,
    total: Option<Exact>,
    queued: Option<Exact>,
    merged: Option<Series>,
}

#[test]
fn ray_serve_decides_as_recorded() {
    let file: File = vectors::read_exact("ray_serve");
    let steps: usize = file.scenarios.iter().map(replay).sum();
    println!("ray_serve.json: {} scenarios, {steps} steps compared", file.scenarios.len());
    assert_eq!((file.scenarios.len(), steps), (291, 22_089));
}

fn replay(scenario: &Scenario) -> usize {
    match scenario.kind.as_str() {
        "policy" => policy(scenario),
        "window" => window(scenario),
        "aggregate" => aggregates(scenario),
        kind => panic!("{}: {kind}?", scenario.name),
    }
    scenario.steps.len()
}

/// The two halves of a recorded configuration.
fn configured(config: &serde_json::Value) -> (AutoscalingConfig, Deployment) {
    let beside: Beside = serde_json::from_value(config.clone()).unwrap();
    let mut own = config.as_object().unwrap().clone();
    for name in ["target_capacity", "target_capacity_direction", "gang_size", "policy"] {
        own.remove(name);
    }
    let deployment = Deployment {
        target_capacity: beside.target_capacity,
        target_capacity_direction: beside.target_capacity_direction,
        gang_size: beside.gang_size,
    };
    (serde_json::from_value(own.into()).unwrap(), deployment)
}

fn registered(scenario: &Scenario) -> RayServe {
    let (config, deployment) = configured(&scenario.config);
    let own = RayServe::new(config, deployment).unwrap();
    assert_eq!(Some(own.target()), scenario.initial_replicas, "{}", scenario.name);
    own
}

fn decide(own: &mut RayServe, step: &Step, (now, total, running): (f64, f64, u32), wish: Option<f64>, place: &str) {
    let outcome = match wish {
        Some(wish) => own.tick_with(now, total, running, wish),
        None => own.tick(now, total, running),
    };
    let (expect, delay) = (&step.expect, own.delay());
    assert_eq!((Some(outcome.raw), Some(outcome.target)), (expect.raw, expect.target), "{place}");
    assert_eq!((Some(delay.counter), delay.since), (expect.counter, expect.since.map(Exact::get)), "{place}");
    let stored = serde_json::to_string(own).unwrap();
    assert_eq!(serde_json::from_str::<RayServe>(&stored).unwrap(), *own, "{place}: restores");
}

fn policy(scenario: &Scenario) {
    let mut own = registered(scenario);
    // The wish is recorded also where the default policy does not look at it.
    let mut custom = scenario.config["policy"] == "custom";
    for (number, step) in scenario.steps.iter().enumerate() {
        let place = format!("{} step {number} at {} s", scenario.name, step.t.get());
        if step.op.as_deref() == Some("update") {
            let config = step.config.as_ref().unwrap();
            custom = config["policy"] == "custom";
            let (config, deployment) = configured(config);
            // The target capacity is the application's: to change it is no redeployment.
            let redeployed = config != *own.config();
            own.register(config, deployment, redeployed).unwrap();
            assert_eq!(Some(own.target()), step.expect.target, "{place}");
            continue;
        }
        let Some(Running::Count(running)) = step.running else { panic!("{place}: nothing runs") };
        let wish = step.desired.filter(|_| custom).map(Exact::get);
        decide(&mut own, step, (step.t.get(), step.total.unwrap().get(), running), wish, &place);
    }
}

fn window(scenario: &Scenario) {
    let mut own = registered(scenario);
    let config = own.config().clone();
    let mut ids = Ids::default();
    let mut handles: BTreeMap<u64, Sampler> = BTreeMap::new();
    let mut replicas: BTreeMap<u64, Sampler> = BTreeMap::new();
    let mut reports = Reports::default();
    let mut running = BTreeSet::new();
    for (number, step) in scenario.steps.iter().enumerate() {
        let place = format!("{} step {number} at {} s", scenario.name, step.t.get());
        for (handle, (queued, sent)) in &step.samples {
            let sent = sent.iter().map(|(replica, count)| (ids.of(replica), count.get())).collect();
            handles.entry(ids.of(handle)).or_default().sample(&config, step.t.get(), queued.get(), sent);
        }
        for (replica, ongoing) in &step.replica_samples {
            let replica = ids.of(replica);
            let itself = BTreeMap::from([(replica, ongoing.get())]);
            replicas.entry(replica).or_default().sample(&config, step.t.get(), 0.0, itself);
        }
        for handle in &step.push {
            let holder = scenario.handle_sources.get(handle).copied().unwrap_or_default();
            let handle = ids.of(handle);
            let report = handles.entry(handle).or_default().report(&config, step.t.get());
            reports.handle_reports(step.t.get(), handle, holder, report);
        }
        for replica in &step.replica_push {
            let replica = ids.of(replica);
            let report = replicas.entry(replica).or_default().report(&config, step.t.get());
            reports.replica_reports(replica, report);
        }
        for replica in &step.stopped {
            reports.replica_stopped(ids.of(replica));
        }
        if let Some(alive) = &step.drop_stale_alive {
            let alive = alive.iter().map(|handle| ids.of(handle)).collect();
            reports.sweep(&config, step.t.get(), &alive);
        }
        if let Some(Running::Ids(names)) = &step.running {
            running = names.iter().map(|replica| ids.of(replica)).collect();
        }
        let now = step.now.unwrap_or(step.t).get();
        let load = reports.load(config.aggregation_function, &running, now);
        let expected = (step.expect.total.unwrap().get(), step.expect.queued.unwrap().get());
        assert_eq!((load.total, load.queued), expected, "{place}");
        let running = u32::try_from(running.len()).unwrap();
        decide(&mut own, step, (now, load.total, running), None, &place);
    }
}

fn aggregates(scenario: &Scenario) {
    for (number, step) in scenario.steps.iter().enumerate() {
        let place = format!("{} step {number} at {} s", scenario.name, step.t.get());
        let series: Vec<&[Sample]> = step.series.as_ref().unwrap().iter().map(Vec::as_slice).collect();
        assert_eq!(Some(merge(&series)), step.expect.merged, "{place}");
        let total = aggregate(step.r#fn.unwrap(), &series, step.t.get());
        assert_eq!(total.to_bits(), step.expect.total.unwrap().get().to_bits(), "{place}: {total}");
    }
}

/// Numbers for names.
#[derive(Default)]
struct Ids(BTreeMap<String, u64>);

impl Ids {
    fn of(&mut self, name: &str) -> u64 {
        let next = u64::try_from(self.0.len()).unwrap();
        *self.0.entry(name.to_owned()).or_insert(next)
    }
}
