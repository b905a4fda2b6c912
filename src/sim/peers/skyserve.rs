//! SkyServe's request-rate autoscaler on the simulated pool.
//!
//! - **Reports:** the load balancer tells of the arrivals 5 s after the start and every 20 s from then on. Each has the
//!   stamp of its instant; what is served in between does not matter.
//! - **Ticks:** the first at once, the next after `next_tick`: 20 s, or 5 s while no replica is wanted. At one instant
//!   the report comes first.
//! - **Replicas:** starting and ready workers, all of one version. A tick launches or stops towards the final target;
//!   which worker goes is the pool's rule, idle ones before busy ones, where the peer looks at neither.
//!
//! The peer does not see what waits: with a minimum of 0 it gives up its last replica when its downscale delay is over
//! after the last arrivals, before a queue as well, and whoever still waits then is not served.
//!
//! On-demand fallback, rates by accelerator and pools that scale on their queue are refused: workers are all alike
//! here. A target of 0 requests per second makes every tick fail, as with the peer: the count stays.

use std::vec::Vec;

use super::pool::{Every, Pool, arrivals, seconds};
use crate::observation::Observation;
use crate::peers::Invalid;
use crate::peers::skyserve::{REPORT_PERIOD, Replica, ReplicaPolicy, SkyServe as Emulation, Status, Variant};
use crate::sim::{Commands, Controller, Decided};
use crate::time::{Timestamp, nanos};

/// When the load balancer first reports.
const FIRST_REPORT: Timestamp = Timestamp::from_secs(5);

#[derive(Clone, Debug)]
pub(super) struct SkyServe {
    service: Emulation,
    pool: Pool,
    /// Stamps of arrivals since the last report.
    arrivals: Vec<f64>,
    report: Every,
    tick: Timestamp,
    desired: u32,
}

impl SkyServe {
    pub(super) fn new(policy: &ReplicaPolicy) -> Result<Self, Invalid> {
        if policy.variant() != Variant::RequestRate {
            let rule = "is more than one rate for replicas that are all alike";
            let remedy = "give one target_qps_per_replica, and neither fallback nor a queue length";
            return Err(Invalid::new("replica_policy", "given", rule, remedy));
        }
        let service = Emulation::new(policy)?;
        Ok(Self {
            pool: Pool::default(),
            arrivals: Vec::new(),
            report: Every::new(FIRST_REPORT, REPORT_PERIOD),
            tick: Timestamp::ORIGIN,
            desired: service.final_target(),
            service,
        })
    }

    fn look(&mut self, now: Timestamp) {
        let roster = &self.pool.roster;
        let status = |ready| if ready { Status::Ready } else { Status::Starting };
        let rows = (0..u64::from(roster.committed())).map(|id| Replica::new(id, status(id < roster.ready.into())));
        let rows: Vec<Replica> = rows.collect();
        // Where the peer raises nothing is applied.
        if self.service.tick(&rows, &[1], 0).is_ok() {
            self.desired = self.service.final_target();
        }
        self.tick = now.plus(nanos(self.service.next_tick()));
    }
}

impl Controller for SkyServe {
    #[inline]
    fn observe(&mut self, now: Timestamp, observation: Observation) -> bool {
        let count = arrivals(&observation);
        if count > 0 {
            let stamps = core::iter::repeat_n(seconds(now), count as usize);
            self.arrivals.extend(stamps);
        }
        self.pool.observe(now, observation);
        true
    }

    fn next_wakeup(&self) -> Option<Timestamp> {
        Some(self.tick.min(self.report.next))
    }

    fn desired(&self) -> u32 {
        self.desired
    }

    fn decide(&mut self, now: Timestamp, commands: &mut Commands) -> Option<Decided> {
        if self.report.is_due(now) {
            self.service.report(seconds(now), self.arrivals.drain(..));
        }
        if self.tick <= now {
            self.look(now);
        }
        self.pool.bring_to(now, self.desired, commands);
        None
    }

    /// It does not see what waits, but what has come within the last minute.
    fn may_wake(&self) -> bool {
        self.service.window() > 0 || !self.arrivals.is_empty()
    }
}
