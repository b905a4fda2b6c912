//! Knative's KPA on the simulated pool.
//!
//! - **Sample:** every second the requests that waited or were in service on a ready worker, averaged over that second.
//!   The peer's queue-proxies and activators report the same in parts, which it adds up. With the metric `rps`, the
//!   arrivals of that second. While no worker is ready and nothing waits there is nobody to sample.
//! - **Tick:** every 2 s from 2 s on, after the sample of that instant.
//! - **Waking:** while nothing is wanted, the first request of a second is a sample of one at once, as from an
//!   activator, and the autoscaler ticks at that instant; the sample of that second is less by that one.
//! - **Reconciling:** with every tick, when the number of ready workers has changed, and when the reconciler asked for
//!   it.
//! - The activator always answers its probe, and the revision stays reachable.
//!
//! The revision is new at the start: it begins with its initial scale.

use super::pool::{Every, Pool, arrivals};
use crate::observation::Observation;
use crate::peers::knative::{Inputs, Kpa, Metric, ParameterError, Parameters};
use crate::sim::{Commands, Controller, Decided};
use crate::time::Timestamp;

#[derive(Clone, Debug)]
pub(super) struct Knative {
    kpa: Kpa,
    pool: Pool,
    mean: Mean,
    /// Requests since the last sample.
    arrived: u64,
    /// One request of this second has been told of at once.
    told: bool,
    /// The autoscaler wants nothing, as of its last tick.
    asleep: bool,
    /// Ready workers as of the last pass of the reconciler.
    ready: u32,
    sample: Every,
    tick: Every,
    requeue: Option<Timestamp>,
}

/// Requests over time, summed up since the last sample.
#[derive(Clone, Copy, Debug)]
struct Mean {
    began: Timestamp,
    until: Timestamp,
    /// Requests times nanoseconds.
    area: u128,
}

impl Mean {
    const NEW: Self = Self { began: Timestamp::ORIGIN, until: Timestamp::ORIGIN, area: 0 };

    /// There were so many from `until` to `now`.
    fn add(&mut self, now: Timestamp, requests: u64) {
        let lasted = u128::from(now.since(self.until));
        self.area = self.area.saturating_add(lasted.saturating_mul(requests.into()));
        self.until = self.until.max(now);
    }

    /// The average since the last call, and over how many seconds.
    fn take(&mut self) -> (f64, f64) {
        let lasted = self.until.since(self.began).max(1) as f64;
        let mean = self.area as f64 / lasted;
        (self.began, self.area) = (self.until, 0);
        (mean, lasted / 1e9)
    }
}

impl Knative {
    pub(super) fn new(parameters: Parameters) -> Result<Self, ParameterError> {
        Ok(Self {
            kpa: Kpa::new(parameters, Timestamp::ORIGIN, Some(0))?,
            pool: Pool::default(),
            mean: Mean::NEW,
            arrived: 0,
            told: false,
            asleep: false,
            ready: 0,
            sample: Every::new(Timestamp::from_elapsed(Kpa::SCRAPE), Kpa::SCRAPE),
            tick: Every::new(Timestamp::from_elapsed(Kpa::TICK), Kpa::TICK),
            requeue: None,
        })
    }

    const fn inputs(&self) -> Inputs {
        Inputs::ready(self.pool.roster.ready)
    }

    fn take_sample(&mut self, now: Timestamp) {
        let (mean, lasted) = self.mean.take();
        let value = match self.kpa.parameters().metric {
            Metric::Concurrency => mean,
            Metric::Rps => self.arrived as f64 / lasted,
        };
        let told = if self.told { 1.0 } else { 0.0 };
        let value = (value - told).max(0.0);
        (self.arrived, self.told) = (0, false);
        if self.pool.roster.ready > 0 || value > 0.0 {
            self.record(now, value);
        }
    }

    fn record(&mut self, now: Timestamp, value: f64) {
        if self.kpa.record(now, value, 0.0) == Ok(true) {
            self.decide_count(now);
        }
    }

    fn decide_count(&mut self, now: Timestamp) {
        // Without metrics the last decision stays, and nobody asks the reconciler.
        let Ok(outcome) = self.kpa.tick(now, &self.inputs()) else { return };
        self.asleep = outcome.decision.desired == 0;
        self.ready = self.pool.roster.ready;
        self.requeue = outcome.reconciled.requeue_after.map(|after| now.saturating_add(after));
    }

    fn reconcile(&mut self, now: Timestamp) {
        self.ready = self.pool.roster.ready;
        let reconciled = self.kpa.reconcile(now, &self.inputs());
        self.requeue = reconciled.requeue_after.map(|after| now.saturating_add(after));
    }
}

impl Controller for Knative {
    fn observe(&mut self, now: Timestamp, observation: Observation) -> bool {
        self.mean.add(now, self.pool.at_ready());
        self.pool.observe(now, observation);
        let count = arrivals(&observation);
        if count > 0 {
            self.arrived = self.arrived.saturating_add(count.into());
            if self.asleep && !self.told {
                self.told = true;
                self.record(now, 1.0);
            }
        }
        true
    }

    fn next_wakeup(&self) -> Option<Timestamp> {
        let next = self.sample.next.min(self.tick.next);
        Some(self.requeue.map_or(next, |requeue| requeue.min(next)))
    }

    fn desired(&self) -> u32 {
        u32::try_from(self.kpa.replicas()).unwrap_or(0)
    }

    fn decide(&mut self, now: Timestamp, commands: &mut Commands) -> Option<Decided> {
        // Commands end what is told of their workers.
        self.mean.add(now, self.pool.at_ready());
        if self.sample.is_due(now) {
            self.take_sample(now);
        }
        if self.tick.is_due(now) {
            self.decide_count(now);
        }
        if self.requeue.is_some_and(|requeue| requeue <= now) || self.ready != self.pool.roster.ready {
            self.reconcile(now);
        }
        // Time cannot pass for the reconciler between two looks at one instant.
        self.requeue = self.requeue.filter(|requeue| *requeue > now);
        self.pool.bring_to(now, self.desired(), commands);
        None
    }

    fn may_wake(&self) -> bool {
        true
    }
}
