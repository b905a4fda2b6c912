//! The most that was planned of late, and counts that are lower by chance.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// So many parts of the window, and the one under way.
const PARTS: usize = 9;
/// Those of the window.
const WHOLE: u64 = 8;
/// Demand that is back within so long has not fallen: a minute, as that of the ledger's episodes.
const LULL: u64 = 60_000_000_000;

/// A sliding maximum, over a window and up to an eighth more.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub(super) struct Hold {
    /// The highest of each part, the present one in front.
    parts: [u32; PARTS],
    /// When the present one began.
    began: Timestamp,
}

impl Hold {
    pub(super) const fn new(now: Timestamp) -> Self {
        Self { parts: [0; PARTS], began: now }
    }

    /// A count that is lower than the `last` one by no more than `chance` is not followed before it has been so for a lull, and one
    /// that is lower by more only so far. As with play in a gear, more is never answered with fewer.
    pub(super) fn steadied(&mut self, now: Timestamp, count: u32, last: u32, chance: u32) -> u32 {
        let highest = self.highest(now, count, LULL);
        count.max(last.min(highest).min(count.saturating_add(chance)))
    }

    /// The highest of the last `window` nanoseconds, `count` included.
    pub(super) fn highest(&mut self, now: Timestamp, count: u32, window: u64) -> u32 {
        let width = (window / WHOLE).max(1);
        let over = now.since(self.began).checked_div(width).unwrap_or(0);
        if over > 0 {
            let shift = usize::try_from(over).unwrap_or(PARTS).min(PARTS);
            self.parts.rotate_right(shift.checked_rem(PARTS).unwrap_or(0));
            self.parts.iter_mut().take(shift).for_each(|part| *part = 0);
            self.began = self.began.plus(over.saturating_mul(width));
        }
        if let Some(present) = self.parts.first_mut() {
            *present = count.max(*present);
        }
        self.parts.into_iter().max().unwrap_or(count)
    }
}
