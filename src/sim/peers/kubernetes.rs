//! Kubernetes' HPA on the simulated pool.
//!
//! - **Metrics:** one of type `Pods` reads, of every ready worker, its share of the requests that wait or are in
//!   service on ready workers, spread as evenly as thousandths allow. One of type `Object` or `External` reads all that
//!   wait or are in service. CPU and memory are not simulated, and are refused.
//! - **Pods:** starting workers are pending pods, ready ones run; what leaves is not seen. `status.replicas` are both.
//! - **Pass:** every sync period (15 s), the first after one, as the controller's queue has it.
//!
//! The deployment begins with `minReplicas`.

use std::vec::Vec;

use super::pool::{Every, Pool, thousandths};
use crate::observation::Observation;
use crate::peers::Invalid;
use crate::peers::kubernetes::{
    Controller as Settings, Hpa, Inputs, MetricKind, Phase, Pod, Reading, Sample, Spec, SpecError, Usage,
};
use crate::sim::{Commands, Controller, Decided};
use crate::time::Timestamp;

#[derive(Clone, Debug)]
pub(super) struct Kubernetes {
    hpa: Hpa,
    pool: Pool,
    pass: Every,
    desired: u32,
}

/// Metrics that say nothing of requests.
pub(super) fn check(spec: &Spec) -> Result<(), Invalid> {
    let resource = |kind| matches!(kind, MetricKind::Resource | MetricKind::ContainerResource);
    if spec.metrics.is_empty() || spec.metrics.iter().any(|metric| resource(metric.kind)) {
        let rule = "is of a kind that is not simulated";
        let remedy = "scale on requests: a metric of type Pods, Object or External";
        return Err(Invalid::new("metrics[].type", "Resource", rule, remedy));
    }
    Ok(())
}

impl Kubernetes {
    pub(super) fn new(spec: Spec, settings: Settings) -> Result<Self, SpecError> {
        let least = spec.min_replicas.unwrap_or(1);
        let hpa = Hpa::new(spec, settings)?;
        let pass = Every::new(Timestamp::from_elapsed(hpa.period()), hpa.period());
        Ok(Self { pool: Pool::default(), pass, desired: u32::try_from(least).unwrap_or(0), hpa })
    }

    fn readings(&self) -> Vec<Reading> {
        let metrics = self.hpa.spec().metrics.iter();
        metrics
            .map(|metric| match metric.kind {
                MetricKind::Pods => per_pod(&self.pool, self.pass.next),
                _ => Reading::Values([thousandths(self.pool.in_system())].to_vec()),
            })
            .collect()
    }
}

/// What is at the ready workers, in thousandths: equal parts, and what is left over one each from the first on.
fn per_pod(pool: &Pool, taken: Timestamp) -> Reading {
    let (all, pods) = (thousandths(pool.at_ready()), i64::from(pool.roster.ready));
    let (part, over) = (all.checked_div(pods).unwrap_or(0), all.checked_rem(pods).unwrap_or(0));
    let sample =
        |pod| Sample { value: part.saturating_add(i64::from(pod < over)), taken, window: core::time::Duration::ZERO };
    Reading::PerPod((0..pods).map(|pod| Usage { sample: Some(sample(pod)), request: None }).collect())
}

/// One pass over the pool: the replicas from now on.
pub(super) fn pass(hpa: &mut Hpa, now: Timestamp, pool: &Pool, desired: u32, readings: Vec<Reading>) -> u32 {
    let count = |workers: u32| i32::try_from(workers).unwrap_or(i32::MAX);
    let ready = Pod::ready(Timestamp::ORIGIN);
    let pending = Pod { phase: Phase::Pending, started: None, ready: None, ..ready };
    let mut pods = Vec::new();
    pods.resize(pool.roster.ready as usize, ready);
    pods.resize(pool.roster.committed() as usize, pending);
    let inputs =
        Inputs { spec_replicas: count(desired), status_replicas: count(pool.roster.committed()), pods, readings };
    // Where metrics fail nothing changes.
    hpa.tick(now, &inputs).map_or(desired, |outcome| u32::try_from(outcome.replicas).unwrap_or(0))
}

impl Controller for Kubernetes {
    fn observe(&mut self, now: Timestamp, observation: Observation) -> bool {
        self.pool.observe(now, observation);
        true
    }

    fn next_wakeup(&self) -> Option<Timestamp> {
        Some(self.pass.next)
    }

    fn desired(&self) -> u32 {
        self.desired
    }

    fn decide(&mut self, now: Timestamp, commands: &mut Commands) -> Option<Decided> {
        if self.pass.is_due(now) {
            let readings = self.readings();
            self.desired = pass(&mut self.hpa, now, &self.pool, self.desired, readings);
        }
        self.pool.bring_to(now, self.desired, commands);
        None
    }

    fn may_wake(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::{WorkerEvent, WorkerId};

    #[test]
    fn pods_share_what_is_at_them_to_the_last_thousandth() {
        let mut pool = Pool::default();
        for id in 0..3 {
            for event in [WorkerEvent::Ordered, WorkerEvent::Ready] {
                pool.observe(Timestamp::ORIGIN, Observation::worker(WorkerId(id), event));
            }
        }
        pool.observe(Timestamp::ORIGIN, Observation::arrived(5));
        let Reading::PerPod(usage) = per_pod(&pool, Timestamp::ORIGIN) else { panic!("no reading per pod") };
        let values: Vec<_> = usage.iter().filter_map(|usage| usage.sample).map(|sample| sample.value).collect();
        assert_eq!(values, [1_667, 1_667, 1_666]);
    }
}
