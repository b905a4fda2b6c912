//! One rule on one scenario: what its workers cost, and who was late. The first ten minutes do not count.

use std::time::Duration;

use plimsoll::sim::{Controller, Options, Outcome, Service, simulate_with};
use plimsoll::{Autoscaler, Command, Decision, Observation, Timestamp};
use serde::{Deserialize, Serialize};

use crate::rules::{Machine, Rule};
use crate::suite::Scenario;

/// When counting begins.
const WARM: u64 = 600;
/// Bounded below by the warm-up, so that it begins with a bucket.
const BUCKET: u64 = 60;

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
    /// Changes of direction within five minutes, per hour.
    pub(crate) reversals: f64,
}

impl Trial {
    /// Worker-seconds, and so many for each late request.
    pub(crate) fn priced(&self, price: u32) -> f64 {
        self.cost + f64::from(price) * self.late as f64
    }
}

pub(crate) fn run(rule: &Rule, scenario: &Scenario<'_>) -> Result<Trial, String> {
    let failed = |error: String| format!("{}, {}: {error}", scenario.name(), rule.name());
    let service = Service { concurrency: scenario.concurrency, target: scenario.load.within };
    let mut options = Options::default();
    options.cold_start = scenario.cold_start;
    options.bucket = Duration::from_secs(BUCKET);
    let workload = &scenario.load.workload;
    let (outcome, late, arrived) = match rule.machine(scenario).map_err(failed)? {
        Machine::Native(config) => {
            let native = Native(Autoscaler::new(*config, Timestamp::ORIGIN));
            let counted = Counted::new(native, service.target);
            let (outcome, counted) = simulate_with(workload, service, counted, &options, &mut ());
            (outcome, counted.late(), counted.arrived)
        }
        Machine::Peer(peer) => {
            let controller = peer.controller(service).map_err(|error| failed(error.to_string()))?;
            let (outcome, counted) =
                simulate_with(workload, service, Counted::new(controller, service.target), &options, &mut ());
            (outcome, counted.late(), counted.arrived)
        }
    };
    let hours = (workload.duration().as_secs_f64() - WARM as f64) / 3_600.0;
    Ok(Trial {
        scenario: scenario.name(),
        rule: rule.name(),
        objective: rule.is_objective(),
        in_time: 1.0 - late as f64 / arrived.max(1) as f64,
        cost: cost(&outcome, workload.duration().as_secs_f64()),
        late,
        starts: outcome.cold_starts,
        reversals: outcome.reversals as f64 / hours.max(f64::MIN_POSITIVE),
    })
}

/// From the end of the warm-up to that of the workload.
fn cost(outcome: &Outcome, end: f64) -> f64 {
    let bucket = outcome.bucket.as_secs_f64();
    let counted = outcome.samples.iter().filter(|sample| sample.t_s >= WARM as f64 && sample.t_s < end);
    let workers = |sample: &plimsoll::sim::Sample| sample.starting + sample.idle + sample.busy + sample.draining;
    counted.map(|sample| workers(sample) * bucket.min(end - sample.t_s)).sum()
}

/// Who decides, and beside it a count of who starts in time.
struct Counted<C> {
    inner: C,
    within: Duration,
    arrived: u64,
    in_time: u64,
}

impl<C> Counted<C> {
    const fn new(inner: C, within: Duration) -> Self {
        Self { inner, within, arrived: 0, in_time: 0 }
    }

    /// Whoever never started was late too.
    const fn late(&self) -> u64 {
        self.arrived.saturating_sub(self.in_time)
    }
}

impl<C: Controller> Controller for Counted<C> {
    fn observe(&mut self, now: Timestamp, observation: Observation) -> bool {
        let warm = Timestamp::from_secs(WARM);
        match observation {
            Observation::Arrived { count, .. } if now >= warm => self.arrived += u64::from(count),
            Observation::Started { sojourn, .. } if now >= warm.saturating_add(sojourn) => {
                self.in_time += u64::from(sojourn <= self.within);
            }
            _ => {}
        }
        self.inner.observe(now, observation)
    }

    fn next_wakeup(&self) -> Option<Timestamp> {
        self.inner.next_wakeup()
    }

    fn desired(&self) -> u32 {
        self.inner.desired()
    }

    fn decide(&mut self, now: Timestamp, commands: &mut Vec<Command>) -> Option<Decision> {
        self.inner.decide(now, commands)
    }

    fn may_wake(&self) -> bool {
        self.inner.may_wake()
    }
}

/// The autoscaler itself.
struct Native(Autoscaler);

impl Controller for Native {
    fn observe(&mut self, now: Timestamp, observation: Observation) -> bool {
        self.0.observe(now, observation).is_ok()
    }

    fn next_wakeup(&self) -> Option<Timestamp> {
        self.0.next_wakeup()
    }

    fn desired(&self) -> u32 {
        self.0.desired()
    }

    fn decide(&mut self, now: Timestamp, commands: &mut Vec<Command>) -> Option<Decision> {
        let decision = self.0.decide(now);
        commands.extend(decision.commands.iter().copied());
        Some(decision)
    }
}
