//! The forecasts of late, for as long as it takes to see what came of them.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// Forecasts that are remembered for a lead, in parts of it.
const PARTS: usize = 10;
pub(super) const SPACING: u64 = 8;

/// A forecast that was made: what it was made from.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub(super) struct Made {
    pub(super) at: Timestamp,
    /// In millionths of a slot.
    pub(super) demand: u64,
    /// The long rate and the short one.
    pub(super) rates: [u64; 2],
    /// How many had come since the beginning.
    pub(super) arrivals: u64,
}

/// The newest in front.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub(super) struct Past([Option<Made>; PARTS]);

impl Past {
    /// What was forecast a lead ago, in nanoseconds.
    pub(super) fn due(&self, now: Timestamp, lead: u64) -> Option<Made> {
        self.0.iter().flatten().find(|made| made.at.plus(lead) <= now).copied()
    }

    /// Keeps a forecast, if the one before is old enough.
    pub(super) fn remember(&mut self, made: Made, lead: u64) {
        let newest = self.0.first().copied().flatten();
        if newest.is_none_or(|newest| made.at.since(newest.at) >= lead / SPACING) {
            self.0.rotate_right(1);
            if let Some(first) = self.0.first_mut() {
                *first = Some(made);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_lead_is_kept_in_eighths() {
        let now = Timestamp::from_secs(1_000);
        let made = |after: u64| Made { at: now.plus(after), demand: after, rates: [0; 2], arrivals: 0 };
        let mut past = Past::default();
        for after in [0, 10 * SECOND - 1, 10 * SECOND] {
            past.remember(made(after), 80 * SECOND);
        }
        assert_eq!(past.0.iter().flatten().count(), 2, "an eighth of a lead apart");
        assert_eq!(past.0[0], Some(made(10 * SECOND)), "the newest in front");
        assert_eq!(past.due(now.plus(80 * SECOND - 1), 80 * SECOND), None);
        assert_eq!(past.due(now.plus(80 * SECOND), 80 * SECOND), Some(made(0)));
        assert_eq!(past.due(now.plus(90 * SECOND), 80 * SECOND), Some(made(10 * SECOND)), "the latest that is due");
        for eighth in 2..=10 {
            past.remember(made(eighth * 10 * SECOND), 80 * SECOND);
        }
        assert_eq!(past.due(now.plus(80 * SECOND), 80 * SECOND), None, "ten are kept");
    }
}
