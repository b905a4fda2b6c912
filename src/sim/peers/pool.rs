//! What every drive keeps: the pool as metrics would show it, and loops that come round.

use core::time::Duration;
use std::vec::Vec;

use crate::observation::{Observation, WorkerEvent, WorkerId};
use crate::sim::Commands;
use crate::sim::controller::{LEAST_USEFUL_FIRST, Roster};
use crate::time::{Timestamp, nanos};

/// The pool as its metrics show it.
#[derive(Clone, Debug, Default)]
pub(super) struct Pool {
    pub(super) roster: Roster,
    /// Requests that wait in the central queue.
    pub(super) waiting: u64,
    /// Requests in service by worker, on those that leave as well; ids count from zero.
    serving: Vec<u32>,
    /// All of them.
    in_service: u64,
}

impl Pool {
    pub(super) fn observe(&mut self, now: Timestamp, observation: Observation) {
        match observation {
            Observation::Arrived { count, .. } => self.waiting = self.waiting.saturating_add(count.into()),
            Observation::Started { .. } | Observation::Abandoned { .. } => {
                self.waiting = self.waiting.saturating_sub(1);
            }
            Observation::Queue { depth, .. } => self.waiting = depth.into(),
            Observation::Worker { id, event } => {
                match event {
                    WorkerEvent::Busy(slots) => self.serve(id, slots),
                    WorkerEvent::Idle | WorkerEvent::Standby | WorkerEvent::Gone | WorkerEvent::Failed(_) => {
                        self.serve(id, 0);
                    }
                    _ => {}
                }
                self.roster.observe(now, observation);
            }
            _ => self.roster.observe(now, observation),
        }
    }

    fn serve(&mut self, id: WorkerId, slots: u32) {
        let Ok(at) = usize::try_from(id.0) else { return };
        if at >= self.serving.len() {
            self.serving.resize(at.saturating_add(1), 0);
        }
        if let Some(serving) = self.serving.get_mut(at) {
            let before = core::mem::replace(serving, slots);
            self.in_service = self.in_service.saturating_sub(before.into()).saturating_add(slots.into());
        }
    }

    /// Requests that wait or are in service anywhere.
    pub(super) const fn in_system(&self) -> u64 {
        self.waiting.saturating_add(self.in_service)
    }

    /// Requests that wait or are in service on a ready worker. What leaves has no metrics any more.
    pub(super) const fn at_ready(&self) -> u64 {
        self.waiting.saturating_add(self.roster.busy)
    }

    pub(super) fn bring_to(&mut self, now: Timestamp, desired: u32, commands: &mut Commands) {
        self.roster.bring_to(now, desired, LEAST_USEFUL_FIRST, commands);
    }
}

/// How many requests an observation says have arrived.
pub(super) const fn arrivals(observation: &Observation) -> u32 {
    match observation {
        Observation::Arrived { count, .. } | Observation::Requests { count, .. } => *count,
        _ => 0,
    }
}

/// Something that happens at a first instant and at every period from then on. What is late happens once, and then at
/// its times again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Every {
    pub(super) next: Timestamp,
    period: u64,
}

impl Every {
    /// No loop is faster than a millisecond.
    pub(super) fn new(first: Timestamp, period: Duration) -> Self {
        Self { next: first, period: nanos(period).max(1_000_000) }
    }

    /// Whether it is its time; the next time then is set.
    pub(super) fn is_due(&mut self, now: Timestamp) -> bool {
        let due = self.next <= now;
        if due {
            let passed = now.since(self.next).checked_div(self.period).unwrap_or(0).saturating_add(1);
            self.next = self.next.plus(passed.saturating_mul(self.period));
        }
        due
    }
}

/// So many requests in thousandths, as Kubernetes has its metrics.
pub(super) fn thousandths(requests: u64) -> i64 {
    i64::try_from(requests.saturating_mul(1_000)).unwrap_or(i64::MAX)
}

/// The instant in seconds, as peers in Python have it.
pub(super) fn seconds(now: Timestamp) -> f64 {
    now.as_nanos() as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_late_happens_once() {
        let mut every = Every::new(Timestamp::from_secs(5), Duration::from_secs(20));
        assert!(!every.is_due(Timestamp::from_secs(4)));
        assert!(every.is_due(Timestamp::from_secs(5)));
        assert_eq!(every.next, Timestamp::from_secs(25));
        assert!(every.is_due(Timestamp::from_secs(66)));
        assert_eq!(every.next, Timestamp::from_secs(85));
        assert!(!every.is_due(Timestamp::from_secs(84)));
    }

    #[test]
    fn a_gauge_of_the_queue_says_how_many_wait() {
        let mut pool = Pool::default();
        pool.observe(Timestamp::ORIGIN, Observation::arrived(3));
        pool.observe(Timestamp::ORIGIN, Observation::queue(7, None));
        assert_eq!(pool.in_system(), 7);
    }
}
