//! What every drive keeps: the pool as metrics would show it, and loops that come round.

use core::time::Duration;
use std::vec::Vec;

use crate::decision::Command;
use crate::observation::Observation;
use crate::sim::controller::{LEAST_USEFUL_FIRST, Roster};
use crate::time::{Timestamp, nanos};

/// The pool as a metrics pipeline without any delay or error shows it.
#[derive(Clone, Debug, Default)]
pub(super) struct Pool {
    pub(super) roster: Roster,
    /// Requests that wait in the central queue.
    pub(super) waiting: u64,
    /// Requests in service, on workers that leave as well.
    in_service: u64,
}

impl Pool {
    pub(super) fn observe(&mut self, observation: Observation) {
        match observation {
            Observation::Arrived { count, .. } => self.waiting = self.waiting.saturating_add(count.into()),
            Observation::Started { .. } => {
                self.waiting = self.waiting.saturating_sub(1);
                self.in_service = self.in_service.saturating_add(1);
            }
            Observation::Finished { .. } => self.in_service = self.in_service.saturating_sub(1),
            Observation::Abandoned { .. } => self.waiting = self.waiting.saturating_sub(1),
            _ => self.roster.observe(observation),
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

    pub(super) fn bring_to(&mut self, desired: u32, commands: &mut Vec<Command>) {
        self.roster.bring_to(desired, LEAST_USEFUL_FIRST, commands);
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
}
