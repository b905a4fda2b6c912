//! Replicas of several kinds, each with a rate of its own.

use alloc::vec::Vec;
use core::cmp::{Ordering, Reverse};

use super::replicas::{Replica, Status, first};
use super::{Failure, SkyServe};

impl SkyServe {
    /// With `rate` the requests per second and `capacity` the rates of all that are ready, starting or provisioning:
    ///
    /// - no capacity: `min`;
    /// - `rate ≥ capacity`: all rows, those at an end included, and `⌈(rate - capacity) / the largest rate⌉`;
    /// - otherwise the ready ones, the fastest first, until their sum is above `rate`; without a ready one it takes one
    ///   of the fastest kind.
    pub(super) fn wanted_by_instance(&self, rows: &[Replica]) -> f64 {
        let rate = self.window.rate();
        let counted =
            rows.iter().filter(|row| matches!(row.status, Status::Ready | Status::Starting | Status::Provisioning));
        let capacity = counted.map(|row| self.rate_of(row)).fold(0.0, |sum, rate| sum + rate);
        let fastest = self.target_qps.largest();
        if capacity == 0.0 {
            return f64::from(self.min);
        }
        if rate >= capacity {
            return rows.len() as f64 + ((rate - capacity) / fastest).ceil();
        }
        let mut ready: Vec<f64> = rows.iter().filter(|row| row.is_ready()).map(|row| self.rate_of(row)).collect();
        if ready.is_empty() {
            ready.push(fastest);
        }
        ready.sort_by(|one, other| descending(*one, *other));
        let (mut sum, mut count) = (0.0, 0.0);
        for own in ready {
            sum += own;
            count += 1.0;
            if sum > rate {
                break;
            }
        }
        count
    }

    /// The slowest first, of those the oldest version, then the youngest; whether one is ready plays no part.
    pub(super) fn slowest(&self, mut rows: Vec<&Replica>, count: u64) -> Result<Vec<u64>, Failure> {
        rows.sort_by(|one, other| {
            let by_rate = descending(self.rate_of(other), self.rate_of(one));
            by_rate.then_with(|| (one.version, Reverse(one.id)).cmp(&(other.version, Reverse(other.id))))
        });
        first(&rows, count)
    }

    fn rate_of(&self, row: &Replica) -> f64 {
        self.target_qps.of(row.accelerator.as_deref())
    }
}

fn descending(one: f64, other: f64) -> Ordering {
    other.partial_cmp(&one).unwrap_or(Ordering::Equal)
}
