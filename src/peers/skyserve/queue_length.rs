//! A pool of workers that take jobs from a queue.

use alloc::vec::Vec;

use super::replicas::{Replica, len, to_stop};
use super::{Failure, SkyServe};

impl SkyServe {
    /// One worker more while more jobs wait than the threshold, one fewer while fewer do, none for an empty queue; while a
    /// job waits one instead of none, but not instead of one fewer than none. Running jobs do not count.
    pub(super) fn wanted_by_queue(&self, waiting: u64) -> f64 {
        let (threshold, target) = (u64::from(self.queue_length_threshold), f64::from(self.target));
        let wanted = match waiting {
            0 => return 0.0,
            waiting if waiting > threshold => target + 1.0,
            waiting if waiting < threshold => target - 1.0,
            _ => target,
        };
        if wanted == 0.0 { 1.0 } else { wanted }
    }
}

/// As many idle workers as there are, at most `count`.
pub(super) fn idle(rows: Vec<&Replica>, count: u64) -> Result<Vec<u64>, Failure> {
    let idle: Vec<&Replica> = rows.into_iter().filter(|row| row.running_jobs == 0).collect();
    let count = count.min(len(idle.len()));
    to_stop(idle, count)
}
