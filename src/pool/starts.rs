//! How long workers take to start, and how long one may take before it is given up.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::Pool;
use crate::config::Config;
use crate::time::nanos;

/// Starts after which what was the slowest is forgotten.
const GENERATION: u64 = 16;
/// A worker is given so many times the slowest cold start that was measured: twice for a bad day, and twice again, since
/// to replace one that would have come costs more than to wait for one that does not.
const DEADLINE_FACTOR: u64 = 4;

/// Start durations of one kind, cold or warm.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Starts {
    pub(crate) count: u64,
    sum: u64,
    /// The slowest of the present sixteen, and of the sixteen before.
    slowest: [u64; 2],
}

impl Starts {
    pub(super) const fn add(&mut self, nanos: u64) {
        let [present, before] = self.slowest;
        self.slowest = if self.count % GENERATION == 0 {
            [nanos, present]
        } else {
            [if nanos > present { nanos } else { present }, before]
        };
        self.count = self.count.saturating_add(1);
        self.sum = self.sum.saturating_add(nanos);
    }

    /// One took so long already and is not ready: what was measured before says too little.
    pub(super) const fn exceeded(&mut self, nanos: u64) {
        let [present, before] = self.slowest;
        self.slowest = [if nanos > present { nanos } else { present }, before];
    }

    /// The slowest of the last sixteen to 32, in nanoseconds; `None` before sixteen.
    pub(super) fn slowest(&self) -> Option<u64> {
        (self.count >= GENERATION).then(|| self.slowest.into_iter().fold(0, u64::max))
    }

    pub(crate) fn mean(&self) -> Option<Duration> {
        self.sum.checked_div(self.count).map(Duration::from_nanos)
    }

    /// How long before an announced load workers must be ordered: the slowest start of late, or else the mean.
    pub(crate) fn lead(&self) -> u64 {
        self.slowest().or(self.sum.checked_div(self.count)).unwrap_or(0)
    }
}

impl Pool {
    /// How long a worker may take to start from nothing, in nanoseconds: four times the slowest that was measured, within
    /// the order timeout and the configured most. One that exceeds it counts as measured, so that starts that have become
    /// slower are given longer until they succeed.
    pub(crate) fn start_deadline(&self, config: &Config) -> u64 {
        deadline(&self.cold_starts, config)
    }
}

/// How long a start of this kind may take.
pub(super) fn deadline(starts: &Starts, config: &Config) -> u64 {
    let most = nanos(config.start_timeout());
    let learned = starts.slowest().map_or(most, |slowest| slowest.saturating_mul(DEADLINE_FACTOR));
    learned.max(nanos(config.order_timeout())).min(most)
}
