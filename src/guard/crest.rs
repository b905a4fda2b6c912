//! The highest level of late: a maximum over a sliding window, in slices.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// Slices in the window: what is forgotten is a twelfth of it at a time.
const SLICES: usize = 12;

#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub(super) struct Crest {
    /// The highest level in each slice, the present one first.
    highest: [u32; SLICES],
    level: u32,
    open_start: Timestamp,
}

impl Crest {
    pub(super) const fn new(now: Timestamp) -> Self {
        Self { highest: [0; SLICES], level: 0, open_start: now }
    }

    /// The level is `level` from `now` on; the window is `within` nanoseconds long.
    pub(super) fn update(&mut self, now: Timestamp, level: u32, within: u64) {
        let slice = within.checked_div(SLICES as u64).unwrap_or(0).max(1);
        let ended = now.since(self.open_start).checked_div(slice).unwrap_or(0);
        self.open_start = self.open_start.plus(ended.saturating_mul(slice));
        // A slice begins with the level that the last one ended with.
        for _ in 0..ended.min(SLICES as u64) {
            self.highest.rotate_right(1);
            if let Some(first) = self.highest.first_mut() {
                *first = self.level;
            }
        }
        self.level = level;
        if let Some(first) = self.highest.first_mut() {
            *first = level.max(*first);
        }
    }

    pub(super) fn highest(&self) -> u32 {
        self.highest.iter().copied().fold(0, u32::max)
    }

    /// Forgets all but the present level.
    pub(super) const fn flatten(&mut self) {
        self.highest = [self.level; SLICES];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_level_is_remembered_for_the_window_and_forgotten_after_it() {
        const MINUTE: u64 = 60_000_000_000;
        let at = Timestamp::from_secs;
        let mut crest = Crest::new(at(0));
        crest.update(at(1), 9, MINUTE);
        crest.update(at(10), 3, MINUTE);
        crest.update(at(59), 2, MINUTE);
        assert_eq!(crest.highest(), 9);
        crest.update(at(70), 1, MINUTE);
        assert_eq!(crest.highest(), 3, "the nine lasted until the tenth second");
        crest.update(at(71 + 3_600), 0, MINUTE);
        assert_eq!(crest.highest(), 1, "the level before lasted until now");
        crest.flatten();
        assert_eq!(crest.highest(), 0);
    }
}
