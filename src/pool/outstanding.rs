//! What has been commanded by count and not been seen done.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// Whether a wait until `until` is over. The end of time never comes.
pub(super) const fn lapsed(until: Timestamp, now: Timestamp) -> bool {
    until.as_nanos() <= now.as_nanos() && until.as_nanos() < Timestamp::MAX.as_nanos()
}

/// Orders that no observation has confirmed yet, and when they count as lost.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Outstanding {
    pub(super) count: u32,
    pub(super) until: Timestamp,
}

impl Outstanding {
    pub(super) const fn at(self, now: Timestamp) -> u32 {
        if lapsed(self.until, now) { 0 } else { self.count }
    }

    /// `under_way` of them are still outstanding; so many more come.
    pub(super) const fn add(&mut self, now: Timestamp, under_way: u32, count: u32, timeout: u64) {
        self.count = under_way.saturating_add(count);
        self.until = now.plus(timeout);
    }

    pub(super) const fn confirm(&mut self, count: u32) {
        self.count = self.count.saturating_sub(count);
    }

    pub(super) const fn lapse(self) -> Option<Timestamp> {
        if self.count > 0 { Some(self.until) } else { None }
    }
}
