//! Ray Serve on the simulated pool.
//!
//! - **The handle:** there is one, in a proxy. It samples the requests that wait, and those in service on every ready
//!   worker, at its sampling period (6 s) and reports at the metrics interval (10 s), both from the start on. A request
//!   that comes while no worker is ready makes it report at once, which tells of its samples, not of that request: that
//!   is how the peer's handle puts its reports together. Replicas do not report of themselves.
//! - **The controller:** every 0.1 s from the start on, with the last report and the workers ready at that instant.
//!
//! A tick is left out if it can be told beforehand that it would change nothing: between two reports, with the same
//! ready workers, the load moves in one direction only, and so does the wish. If neither end of that range, widened by
//! what rounding may add, ends a delay or begins one, no tick in between does.

use std::collections::{BTreeMap, BTreeSet};

use super::pool::{Every, Pool, arrivals, seconds};
use crate::observation::{Observation, WorkerEvent};
use crate::peers::Invalid;
use crate::peers::ray_serve::{AutoscalingConfig, Deployment, Holder, RayServe as Emulation, Reports, Sampler};
use crate::sim::{Commands, Controller, Decided};
use crate::time::{Timestamp, nanos};

/// The one handle.
const HANDLE: u64 = 0;
/// More than rounding can move a load by.
const ROUNDING: f64 = 1e-9;

#[derive(Clone, Debug)]
pub(super) struct RayServe {
    deployment: Emulation,
    handle: Sampler,
    reports: Reports,
    pool: Pool,
    /// The ready workers, as of the last look at them.
    running: BTreeSet<u64>,
    sample: Every,
    report: Every,
    /// The number of the next tick that is made, unless something happens.
    tick: u64,
    /// The number of the next tick that could be made.
    earliest: u64,
    /// Something has happened: the next tick that could be made is.
    news: bool,
    /// Leave out no tick.
    thorough: bool,
}

impl RayServe {
    pub(super) fn new(config: AutoscalingConfig) -> Result<Self, Invalid> {
        let (sampling, reporting) = (config.sampling_period(), config.report_period());
        Ok(Self {
            deployment: Emulation::new(config, Deployment::default())?,
            handle: Sampler::default(),
            reports: Reports::default(),
            pool: Pool::default(),
            running: BTreeSet::new(),
            sample: Every::new(Timestamp::ORIGIN, sampling),
            report: Every::new(Timestamp::ORIGIN, reporting),
            tick: 0,
            earliest: 0,
            news: true,
            thorough: false,
        })
    }

    /// The same, but it leaves out no tick.
    #[cfg(test)]
    pub(super) const fn thorough(mut self) -> Self {
        self.thorough = true;
        self
    }

    fn take_sample(&mut self, now: Timestamp) {
        let running: BTreeMap<u64, f64> =
            self.pool.roster.ready_workers().map(|(id, busy)| (id, f64::from(busy))).collect();
        self.handle.sample(self.deployment.config(), seconds(now), self.pool.waiting as f64, running);
    }

    fn send_report(&mut self, now: Timestamp) {
        let report = self.handle.report(self.deployment.config(), seconds(now));
        self.reports.handle_reports(seconds(now), HANDLE, Holder::Proxy, report);
        self.hear(now);
    }

    /// Something has happened that the next tick is to see.
    fn hear(&mut self, now: Timestamp) {
        self.news = true;
        self.earliest = self.earliest.max(number_from(now));
    }

    fn load(&self, now: Timestamp) -> f64 {
        let function = self.deployment.config().aggregation_function;
        self.reports.load(function, &self.running, seconds(now)).total
    }

    fn look(&mut self, now: Timestamp) {
        if self.news {
            self.running = self.pool.roster.ready_workers().map(|(id, _)| id).collect();
            self.news = false;
        }
        self.reports.sweep(self.deployment.config(), seconds(now), &BTreeSet::from([HANDLE]));
        let load = self.load(now);
        self.deployment.tick(seconds(now), load, self.pool.roster.ready);
        self.earliest = number(now).saturating_add(1);
        self.tick = if self.thorough { self.earliest } else { self.first_that_matters(load) };
    }

    /// The first tick from the earliest on that may change something. The next report ends what can be foreseen.
    fn first_that_matters(&self, load: f64) -> u64 {
        let end = number_from(self.report.next).max(self.earliest);
        // Everything before `still` is known to change nothing, `until` is not.
        let (mut still, mut until) = (self.earliest, end);
        let mut candidate = end;
        while still < until {
            // The number of ticks that would be left out, the last one of which is looked at.
            if self.changes_nothing(instant(candidate.saturating_sub(1)), load) {
                still = candidate;
            } else {
                until = candidate.saturating_sub(1);
            }
            candidate = still.saturating_add(until.saturating_sub(still).div_ceil(2));
        }
        still
    }

    /// Whether neither a tick at that instant nor one between it and the last tick, with a load of `load`, would do
    /// anything but count.
    fn changes_nothing(&self, at: Timestamp, load: f64) -> bool {
        let then = self.load(at);
        let ends = [load.min(then) * (1.0 - ROUNDING), load.max(then) * (1.0 + ROUNDING)];
        let state = |deployment: &Emulation| {
            let delay = deployment.delay();
            (deployment.target(), delay.since, delay.counter.signum())
        };
        ends.into_iter().all(|load| {
            let mut probe = self.deployment.clone();
            probe.tick(seconds(at), load, self.pool.roster.ready);
            state(&probe) == state(&self.deployment)
        })
    }
}

/// The number of the last tick up to an instant.
fn number(at: Timestamp) -> u64 {
    at.as_nanos().checked_div(nanos(Emulation::PERIOD)).unwrap_or(0)
}

/// The number of the first tick from an instant on.
fn number_from(at: Timestamp) -> u64 {
    at.as_nanos().div_ceil(nanos(Emulation::PERIOD).max(1))
}

const fn instant(number: u64) -> Timestamp {
    Timestamp::from_nanos(number.saturating_mul(nanos(Emulation::PERIOD)))
}

impl Controller for RayServe {
    fn observe(&mut self, now: Timestamp, observation: Observation) -> bool {
        self.pool.observe(now, observation);
        match observation {
            _ if arrivals(&observation) > 0 && self.pool.roster.ready == 0 => self.send_report(now),
            Observation::Worker { event: WorkerEvent::Busy(_) | WorkerEvent::Idle | WorkerEvent::Ordered, .. } => {}
            Observation::Worker { .. } => self.hear(now),
            _ => {}
        }
        true
    }

    fn next_wakeup(&self) -> Option<Timestamp> {
        let tick = if self.news { self.earliest } else { self.tick };
        Some(instant(tick).min(self.sample.next).min(self.report.next))
    }

    fn desired(&self) -> u32 {
        self.deployment.target()
    }

    fn decide(&mut self, now: Timestamp, commands: &mut Commands) -> Option<Decided> {
        if self.sample.is_due(now) {
            self.take_sample(now);
        }
        if self.report.is_due(now) {
            self.send_report(now);
        }
        let next = if self.news { self.earliest } else { self.tick };
        if instant(next) <= now {
            self.look(now);
        }
        self.pool.bring_to(now, self.desired(), commands);
        None
    }

    fn may_wake(&self) -> bool {
        true
    }
}
