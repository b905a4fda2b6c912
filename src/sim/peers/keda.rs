//! KEDA on the simulated pool, with the HPA that it makes.
//!
//! - **Triggers:** each reads all requests that wait or are in service, as a query over the whole service would.
//!   Triggers of type `cpu` and `memory` are refused.
//! - **Poll:** every polling interval, the first at once.
//! - **The HPA:** every sync period (15 s), the first after one, with a metric of type `External` for every trigger;
//!   between the HPA's bounds of the scaled object. At one instant KEDA comes first. A trigger with `useCachedMetrics`
//!   is read as of the last poll.
//!
//! The deployment begins with the idle count, otherwise with the least replicas. Nothing fails, so that a fallback
//! never comes into play, and nobody annotates anything.

use std::vec::Vec;

use super::kubernetes;
use super::pool::{Every, Pool, thousandths};
use crate::observation::Observation;
use crate::peers::Invalid;
use crate::peers::keda::{Keda as Emulation, Poll, ScaledObject, Trigger};
use crate::peers::kubernetes::{Controller as Settings, Hpa, Reading, SpecError};
use crate::sim::{Commands, Controller, Decided};
use crate::time::Timestamp;

#[derive(Clone, Debug)]
pub(super) struct Keda {
    scaled: Emulation,
    hpa: Hpa,
    pool: Pool,
    poll: Every,
    pass: Every,
    /// What the last poll read, in thousandths.
    polled: i64,
    desired: u32,
}

/// Triggers that say nothing of requests.
pub(super) fn check(object: &ScaledObject) -> Result<(), Invalid> {
    match object.triggers.iter().find(|trigger| trigger.kind == "cpu" || trigger.kind == "memory") {
        Some(trigger) => {
            let rule = "is of a kind that is not simulated";
            Err(Invalid::new("triggers[].type", &trigger.kind, rule, "scale on requests: any other trigger"))
        }
        None => Ok(()),
    }
}

impl Keda {
    /// Of an object that is known to be sound.
    pub(super) fn new(scaled: Emulation, settings: Settings) -> Result<Self, SpecError> {
        let object = scaled.object();
        let hpa = Hpa::new(object.hpa(), settings)?;
        Ok(Self {
            pool: Pool::default(),
            poll: Every::new(Timestamp::ORIGIN, object.period()),
            pass: Every::new(Timestamp::from_elapsed(hpa.period()), hpa.period()),
            polled: 0,
            desired: object.idle_replica_count.unwrap_or(object.min_replica_count),
            scaled,
            hpa,
        })
    }

    fn look(&mut self, now: Timestamp) {
        self.polled = thousandths(self.pool.in_system());
        let readings: Vec<Option<i64>> = self.scaled.object().triggers.iter().map(|_| Some(self.polled)).collect();
        let poll = Poll::new(&readings, self.desired).with_ready(self.pool.roster.ready);
        let outcome = self.scaled.tick(now, &poll);
        if let Some(replicas) = outcome.ok().and_then(|outcome| outcome.set_replicas) {
            self.desired = replicas;
        }
    }

    fn readings(&self) -> Vec<Reading> {
        let now = thousandths(self.pool.in_system());
        let read = |trigger: &Trigger| if trigger.use_cached_metrics { self.polled } else { now };
        self.scaled.object().triggers.iter().map(|trigger| Reading::Values([read(trigger)].to_vec())).collect()
    }
}

impl Controller for Keda {
    fn observe(&mut self, now: Timestamp, observation: Observation) -> bool {
        self.pool.observe(now, observation);
        true
    }

    fn next_wakeup(&self) -> Option<Timestamp> {
        Some(self.poll.next.min(self.pass.next))
    }

    fn desired(&self) -> u32 {
        self.desired
    }

    fn decide(&mut self, now: Timestamp, commands: &mut Commands) -> Option<Decided> {
        if self.poll.is_due(now) {
            self.look(now);
        }
        if self.pass.is_due(now) {
            let readings = self.readings();
            self.desired = kubernetes::pass(&mut self.hpa, now, &self.pool, self.desired, readings);
        }
        self.pool.bring_to(now, self.desired, commands);
        None
    }

    fn may_wake(&self) -> bool {
        let load = thousandths(self.pool.in_system());
        self.scaled.object().triggers.iter().any(|trigger| load > trigger.activation)
    }
}
