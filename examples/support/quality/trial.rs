//! One rule on one scenario: what its workers cost, and who was late. The first ten minutes do not count.

use std::time::Duration;

use plimsoll::sim::{Options, Outcome, Sample, Service, Watch, Workload, simulate_from, simulate_with};
use plimsoll::{Autoscaler, Learned, Timestamp};
use serde::{Deserialize, Serialize};

use crate::rules::{Machine, Rule};
use crate::suite::Scenario;

/// When counting begins.
const WARM: Duration = Duration::from_secs(600);
/// So that it begins with a bucket.
const BUCKET: Duration = Duration::from_secs(60);

/// What came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Trial {
    pub(crate) scenario: String,
    pub(crate) rule: String,
    /// It knows nothing but an objective.
    pub(crate) objective: bool,
    /// The share of requests that started in time.
    pub(crate) in_time: f64,
    /// Worker-seconds, from each order until the worker is gone.
    pub(crate) cost: f64,
    pub(crate) late: u64,
    pub(crate) starts: u64,
    /// Changes of the count in the other direction than the one before, per hour.
    pub(crate) reversals: f64,
    /// What the objective says of itself at the end, if it is one with a share.
    #[serde(skip)]
    pub(crate) outlook: Option<String>,
}

impl Trial {
    /// Worker-seconds, and so many for each late request.
    pub(crate) fn priced(&self, price: u32) -> f64 {
        self.cost + f64::from(price) * self.late as f64
    }
}

/// On a platform without any trouble.
pub(crate) fn run(rule: &Rule, scenario: &Scenario<'_>) -> Result<Trial, String> {
    run_under(rule, scenario, Options::default())
}

/// Under the trouble of some options.
pub(crate) fn run_under(rule: &Rule, scenario: &Scenario<'_>, options: Options) -> Result<Trial, String> {
    run_from(rule, scenario, options, None).map(|(trial, _)| trial)
}

/// Beginning with what others have learned, if it can. What it has learned itself goes with the trial.
pub(crate) fn run_from(
    rule: &Rule,
    scenario: &Scenario<'_>,
    mut options: Options,
    prior: Option<&Learned>,
) -> Result<(Trial, Option<Learned>), String> {
    let failed = |error: String| format!("{}, {}: {error}", scenario.name(), rule.name());
    let service = Service { concurrency: scenario.concurrency, target: scenario.load.within };
    options.cold_start = scenario.cold_start;
    options.bucket = BUCKET;
    let workload = &scenario.load.workload;
    let mut in_time = InTime { within: service.target, count: 0 };
    let (mut learned, mut outlook) = (None, None);
    let outcome = match rule.machine(scenario).map_err(failed)? {
        Machine::Native(config) => {
            options.within = Some(service.target);
            let mut autoscaler = Autoscaler::new(*config, Timestamp::ORIGIN);
            if let Some(prior) = prior {
                autoscaler = autoscaler.with_prior(prior);
            }
            let (outcome, autoscaler) = simulate_from(workload, autoscaler, &options, &mut in_time);
            learned = autoscaler.learned();
            outlook = autoscaler.status().outlook.map(|it| it.to_string());
            outcome
        }
        Machine::Peer(peer) => {
            let controller = peer.controller(service).map_err(|error| failed(error.to_string()))?;
            simulate_with(workload, service, controller, &options, &mut in_time).0
        }
    };
    let warm = Timestamp::from_elapsed(WARM);
    let arrived = workload.requests().iter().filter(|request| request.arrival >= warm).count() as u64;
    // Whoever never started was late too.
    let late = arrived.saturating_sub(in_time.count);
    let hours = (workload.duration().saturating_sub(WARM)).as_secs_f64() / 3_600.0;
    let trial = Trial {
        scenario: scenario.name(),
        rule: rule.name(),
        objective: rule.is_objective(),
        in_time: 1.0 - late as f64 / arrived.max(1) as f64,
        cost: cost(&outcome, workload.duration().as_secs_f64()),
        late,
        starts: outcome.cold_starts,
        reversals: outcome.reversals as f64 / hours.max(f64::MIN_POSITIVE),
        outlook,
    };
    Ok((trial, learned))
}

/// What counts of a workload.
pub(crate) fn counted(workload: &Workload) -> Workload {
    workload.between(WARM, workload.duration())
}

/// From the end of the warm-up to that of the workload.
fn cost(outcome: &Outcome, end: f64) -> f64 {
    let bucket = outcome.bucket.as_secs_f64();
    let counted = outcome.samples.iter().filter(|sample| sample.t_s >= WARM.as_secs_f64() && sample.t_s < end);
    let workers = |sample: &Sample| sample.starting + sample.idle + sample.busy + sample.draining;
    counted.map(|sample| workers(sample) * bucket.min(end - sample.t_s)).sum()
}

/// How many of those that count start in time.
struct InTime {
    within: Duration,
    count: u64,
}

impl Watch for InTime {
    fn started(&mut self, now: Timestamp, sojourn: Duration) {
        let counts = now >= Timestamp::from_elapsed(WARM).saturating_add(sojourn);
        self.count += u64::from(counts && sojourn <= self.within);
    }
}
