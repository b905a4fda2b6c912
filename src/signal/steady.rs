//! What it takes for observations of requests to be counted without a look at what they mean.

use super::Estimators;
use crate::pool::Pool;
use crate::time::Timestamp;

impl Estimators {
    /// Whether every request is told of by events, and nothing is missing, waits in a queue of its own, or stands.
    pub(crate) fn is_plain(&self, pool: &Pool) -> bool {
        let counted = self.arrivals.is_counted() && self.queue.is_counted() && self.in_flight.is_counted();
        counted && self.reports.is_none() && pool.replica_depth().is_none() && self.codel.is_at_rest()
    }

    /// When the oldest request of those that wait will have waited for `age` nanoseconds.
    pub(crate) fn oldest_reaches(&self, age: u64) -> Option<Timestamp> {
        self.queue.oldest().map(|oldest| oldest.reaches(age))
    }

    /// When the next slice of a window may end that decisions rest on.
    pub(crate) fn slice_ends(&self) -> Timestamp {
        self.arrivals.slice_ends().min(self.sojourn.slice_ends())
    }

    /// How many arrivals the open slice may hold, in millionths, so that the rate does not exceed `rate`, one request more
    /// counted in.
    pub(crate) fn arrivals_up_to(&self, rate: u64) -> u64 {
        self.arrivals.open_up_to(rate)
    }

    /// Arrivals in the open slice, in millionths, and requests in the system.
    pub(crate) fn counted(&self) -> (u64, u64) {
        let in_flight = self.in_flight.count().unwrap_or(0);
        (self.arrivals.open(), self.queue.depth().unwrap_or(0).saturating_add(in_flight))
    }
}
