//! A pool that reports counts by state: what their differences say.

use super::{Census, Pool, Seen};
use crate::observation::{FailureCause, PoolCounts, Rejected};
use crate::time::Timestamp;

impl Pool {
    /// Whether counts by state can be taken over.
    pub(crate) fn accepts_counts(&self, counts: PoolCounts) -> Result<(), Rejected> {
        if self.by_id() {
            let workers = u32::try_from(self.workers.len()).unwrap_or(u32::MAX);
            return Err(Rejected::CountsBesideIds { workers });
        }
        if let Some(idle) = counts.idle.filter(|idle| *idle > counts.ready) {
            return Err(Rejected::IdleAboveReady { idle, ready: counts.ready });
        }
        Ok(())
    }

    /// Takes over counts by state.
    pub(crate) fn count(&mut self, now: Timestamp, counts: PoolCounts) -> Seen {
        let before = self.observed();
        let (ready_before, standby_before, overdue_before) =
            (self.census.ready, self.census.standby, self.census.overdue);
        if counts.starting > 0 || !self.cohorts.is_untouched() {
            self.cohorts.starting(now, counts.starting);
        }
        self.census = Census {
            ready: counts.ready,
            idle: counts.idle,
            starting: counts.starting,
            draining: counts.draining,
            standby: counts.standby,
            overdue: self.cohorts.overdue(),
        };
        let after = self.observed();
        // A growing count confirms orders, a shrinking one confirms releases.
        let (grown, shrunk) = (after.saturating_sub(before), before.saturating_sub(after));
        let revived = grown.min(self.revivals.at(now));
        let unordered = grown > self.expected.at(now);
        self.expected.confirm(grown);
        self.revivals.confirm(revived);
        self.orders.confirm(grown.saturating_sub(revived));
        let failed = counts.failed.saturating_sub(self.failed_seen);
        // A ready worker that fails is no failed start, and one that took too long to start has counted as one already.
        let no_longer_ready = ready_before.saturating_sub(counts.ready);
        let became_ready = counts.ready.saturating_sub(ready_before);
        let given_up = overdue_before.saturating_sub(self.census.overdue).saturating_sub(became_ready);
        let failed_starts = failed.saturating_sub(no_longer_ready).saturating_sub(given_up);
        let departed = shrunk.saturating_sub(self.releases.at(now));
        self.releases.confirm(shrunk);
        self.failed_seen = counts.failed;
        self.failed = self.failed.saturating_add(u64::from(failed.saturating_sub(given_up)));
        if failed > 0 {
            self.last_failure = Some(FailureCause::Crash);
        }
        let loading = standby_before.saturating_add(self.prewarming);
        self.prewarming = counts.prewarming;
        self.prewarms.confirm(counts.standby.saturating_add(counts.prewarming).saturating_sub(loading));
        let first = !core::mem::replace(&mut self.seen, true);
        Seen {
            unordered,
            // What is there when the pool is first seen says nothing of how it came.
            started: if first { 0 } else { became_ready },
            failed: (failed_starts > 0).then_some((failed_starts, FailureCause::Crash)),
            vanished: departed.saturating_sub(failed),
        }
    }
}
