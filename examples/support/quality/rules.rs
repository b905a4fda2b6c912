//! Who takes part: objectives, the same for all scenarios, and other autoscalers at their stock and at other settings.

use std::time::Duration;

use plimsoll::policy::{Objective, RunPod};
use plimsoll::sim::Peer;
use plimsoll::{Config, Share};
use serde_json::{Value, json};

use crate::suite::Scenario;

/// As many workers as anybody may have.
const MAX: u32 = 400;
/// Prices of a late request, in worker-seconds.
pub(crate) const PRICES: [u32; 2] = [10, 100];

/// Who decides in a run.
#[derive(Clone, Debug)]
pub(crate) enum Rule {
    /// An objective: this share in time.
    Share(f64),
    /// An objective: this price for a late request.
    Price(u32),
    /// RunPod's queue delay, and its idle timeout, in seconds.
    QueueDelay(u64, u64),
    /// RunPod's request count, and its idle timeout, in seconds.
    RequestCount(u32, u64),
    /// Knative's utilization in percent, and its scale-down delay in seconds.
    Knative(u32, u64),
    /// The HPA's target in percent of the concurrency, and its stabilization window in seconds.
    Hpa(u32, u64),
    /// Ray Serve's target in percent of the concurrency, and its delays in seconds.
    Ray(u32, u64, u64),
    /// SkyServe's target in percent of what a worker can serve, and its delays in seconds.
    Sky(u32, u64, u64),
}

/// What a rule is simulated as.
pub(crate) enum Machine {
    Native(Box<Config>),
    Peer(Box<Peer>),
}

/// Other autoscalers at what they come with.
pub(crate) fn stock() -> Vec<Rule> {
    vec![
        Rule::Knative(70, 0),
        Rule::Hpa(70, 300),
        Rule::Ray(100, 30, 600),
        Rule::Sky(80, 300, 1_200),
        Rule::RequestCount(1, 5),
        Rule::QueueDelay(4, 5),
    ]
}

/// What somebody who tunes them would try.
pub(crate) fn grid() -> Vec<Rule> {
    let mut grid = Vec::new();
    for target in [35, 45, 55, 70, 85, 95] {
        grid.extend([60, 300, 900].map(|down| Rule::Hpa(target, down)));
    }
    for target in [15, 25, 35, 45, 55, 70, 85] {
        grid.extend([0, 300, 900].map(|down| Rule::Knative(target, down)));
    }
    for target in [45, 60, 80, 100] {
        grid.extend([(30, 600), (5, 60), (5, 600)].map(|(up, down)| Rule::Ray(target, up, down)));
    }
    for target in [40, 60, 80] {
        grid.extend([(300, 1_200), (20, 60), (20, 600)].map(|(up, down)| Rule::Sky(target, up, down)));
    }
    grid.extend([5, 60, 300, 600, 1_800].map(|idle| Rule::RequestCount(1, idle)));
    for delay in [1, 4] {
        grid.extend([5, 60, 120, 600, 1_800].map(|idle| Rule::QueueDelay(delay, idle)));
    }
    grid
}

impl Rule {
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Share(share) => format!("objective {} %", (share * 1e6).round() / 1e4),
            Self::Price(price) => format!("price {price}"),
            Self::QueueDelay(delay, idle) => format!("RunPod, queue delay {delay} s, idle {idle} s"),
            Self::RequestCount(count, idle) => format!("RunPod, request count {count}, idle {idle} s"),
            Self::Knative(target, down) => format!("Knative {target} %, down {down} s"),
            Self::Hpa(target, down) => format!("HPA {target} %, down {down} s"),
            Self::Ray(target, up, down) => format!("Ray Serve {target} %, up {up} s, down {down} s"),
            Self::Sky(target, up, down) => format!("SkyServe {target} %, up {up} s, down {down} s"),
        }
    }

    /// Whether it knows nothing but an objective.
    pub(crate) const fn is_objective(&self) -> bool {
        matches!(self, Self::Share(_) | Self::Price(_))
    }

    /// The rule for a scenario. Targets of others are set by those who know the concurrency and the mean service time.
    pub(crate) fn machine(&self, scenario: &Scenario<'_>) -> Result<Machine, String> {
        let (slots, within) = (scenario.concurrency, scenario.load.within);
        let part = |percent: u32| f64::from(percent) / 100.0 * f64::from(slots);
        let seconds = Duration::from_secs;
        let config = match self {
            Self::Share(share) => {
                let share = Share::new(*share).map_err(|error| error.to_string())?;
                let objective = Objective::share(share, within);
                let objective = scenario.load.price_cap.map_or(objective, |price| objective.up_to(price));
                Config::objective(objective, 0, MAX)
            }
            Self::Price(price) => Config::objective(Objective::price(*price, within), 0, MAX),
            Self::QueueDelay(delay, idle) => {
                Config::runpod(RunPod::queue_delay(seconds(*delay)), 0, MAX, seconds(*idle))
            }
            Self::RequestCount(count, idle) => Config::runpod(RunPod::request_count(*count), 0, MAX, seconds(*idle)),
            Self::Knative(target, down) => {
                return peer(json!({"knative": {"containerConcurrency": slots, "annotations": {
                    "autoscaling.knative.dev/max-scale": MAX.to_string(),
                    "autoscaling.knative.dev/target-utilization-percentage": target.to_string(),
                    "autoscaling.knative.dev/scale-down-delay": format!("{down}s"),
                }}}));
            }
            Self::Hpa(target, down) => {
                let target = format!("{}m", (part(*target) * 1_000.0).round());
                return peer(json!({"kubernetes": {
                    "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "pool"},
                    "spec": {
                        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "pool"},
                        "minReplicas": 1, "maxReplicas": MAX,
                        "metrics": [{"type": "Pods", "pods": {
                            "metric": {"name": "concurrency"}, "target": {"type": "AverageValue", "averageValue": target},
                        }}],
                        "behavior": {"scaleDown": {"stabilizationWindowSeconds": down}},
                    },
                }}));
            }
            Self::Ray(target, up, down) => {
                return peer(json!({"ray_serve": {
                    "min_replicas": 0, "max_replicas": MAX, "target_ongoing_requests": part(*target),
                    "upscale_delay_s": up, "downscale_delay_s": down,
                }}));
            }
            Self::Sky(target, up, down) => {
                let capacity = part(*target) / mean_service(scenario);
                return peer(json!({"skyserve": {"replica_policy": {
                    "min_replicas": 0, "max_replicas": MAX, "target_qps_per_replica": capacity,
                    "upscale_delay_seconds": up, "downscale_delay_seconds": down,
                }}}));
            }
        };
        let config = config.and_then(|config| config.with_concurrency(slots)).map_err(|error| error.to_string())?;
        Ok(Machine::Native(Box::new(config)))
    }
}

fn peer(description: Value) -> Result<Machine, String> {
    serde_json::from_value(description).map(|peer| Machine::Peer(Box::new(peer))).map_err(|error| error.to_string())
}

fn mean_service(scenario: &Scenario<'_>) -> f64 {
    let requests = scenario.load.workload.requests();
    requests.iter().map(|request| request.service.as_secs_f64()).sum::<f64>() / requests.len().max(1) as f64
}
