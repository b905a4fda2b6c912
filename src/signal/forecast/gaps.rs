//! How long nobody came.

use serde::{Deserialize, Serialize};

use crate::fixed::ratio;
use crate::units::MICRO;

/// Bins of half an octave, from a second to 18 hours.
const BINS: usize = 32;
const SECOND: u64 = 1_000_000_000;
/// A gap counts so much, so that what is forgotten can be a small part of it.
const UNIT: u16 = 16;
/// One gap more of every length, in all: nothing is certain never to come.
const UNSEEN: u64 = 8;
/// Starts from zero that are remembered.
const STARTS: u64 = 10;

/// The gaps between requests, and what a start from zero costs those who come.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub(super) struct Gaps {
    bins: [u16; BINS],
    /// Late requests per start from zero, in millionths; at least one.
    late: u64,
    /// Starts from zero that it is the mean of.
    starts: u64,
}

impl Gaps {
    /// Nobody came for so long, in nanoseconds.
    pub(super) fn saw(&mut self, gap: u64) {
        let Some(octave) = (gap / SECOND).checked_ilog2() else { return };
        // The upper half of an octave begins at its root of two.
        let half = u32::from((gap / SECOND).saturating_mul(1_000_000) >> octave >= 1_414_214);
        let bin = octave.saturating_mul(2).saturating_add(half);
        let last = self.bins.len().saturating_sub(1);
        if let Some(count) = self.bins.get_mut((bin as usize).min(last)) {
            *count = count.saturating_add(UNIT);
        }
    }

    /// So many requests were late by one start from zero.
    pub(super) fn started(&mut self, late: u32) {
        self.starts = self.starts.saturating_add(1).min(STARTS);
        let late = u64::from(late).saturating_mul(MICRO);
        let (sum, starts) = (self.late.saturating_mul(self.starts.saturating_sub(1)), self.starts);
        self.late = sum.saturating_add(late).checked_div(starts).unwrap_or(late);
    }

    /// Late requests per start from zero, in millionths, at least one.
    fn late(&self) -> u64 {
        self.late.max(MICRO)
    }

    /// How long the last worker stays, in nanoseconds, so that no more than `budget` requests are late by starts from zero.
    pub(super) fn within_budget(&self, budget: u64) -> u64 {
        let mut longer = UNSEEN;
        for (bin, count) in self.bins.iter().enumerate().rev() {
            longer = longer.saturating_add(u64::from(*count));
            let late = longer.saturating_mul(self.late());
            if late > budget.saturating_mul(MICRO).saturating_mul(u64::from(UNIT)) {
                return upper(bin);
            }
        }
        0
    }

    /// How long the last `held` workers stay, in nanoseconds, so that each costs least: it, and its part of what a start from
    /// zero costs, in millionths of a worker-second, beside the late requests at `worth` each. As many are late as were by
    /// earlier starts, and no fewer than the workers are held for. Without data that is as long as what a start costs: at
    /// most twice what who knows the future pays (ski rental).
    pub(super) fn cheapest(&self, start: u64, worth: u64, held: u32, concurrency: u32) -> u64 {
        let held = u64::from(held.max(1));
        // One worker is held for whoever comes, several for as many as they have slots.
        let slots = if held > 1 { held.saturating_mul(concurrency.into()) } else { 1 };
        let late = (self.late() / MICRO).max(slots);
        let start = start.saturating_add(ratio(worth, late, held));
        let rental = start.saturating_mul(1_000);
        let seen: u64 = self.bins.iter().map(|count| u64::from(*count)).sum();
        if seen < u64::from(UNIT).saturating_mul(STARTS) {
            return rental;
        }
        let cost = |stay: u64| {
            let of_one = |gap: u64| if gap <= stay { gap / 1_000 } else { (stay / 1_000).saturating_add(start) };
            let seen = self.bins.iter().enumerate();
            seen.fold(0_u64, |sum, (bin, count)| {
                sum.saturating_add(u64::from(*count).saturating_mul(of_one(upper(bin))))
            })
        };
        let stays = core::iter::once(0).chain((0..BINS).map(upper));
        stays.min_by_key(|stay| cost(*stay)).unwrap_or(rental)
    }

    /// Forgets one part in twelve.
    pub(super) fn fade(&mut self) {
        for count in &mut self.bins {
            *count = count.saturating_sub(count.div_ceil(12));
        }
    }
}

/// The longest gap of a bin, in nanoseconds.
fn upper(bin: usize) -> u64 {
    let octave = u32::try_from(bin / 2).unwrap_or(0);
    let root = if bin % 2 == 0 { 1_414_213_562 } else { SECOND.saturating_mul(2) };
    root.checked_shl(octave).unwrap_or(u64::MAX)
}
