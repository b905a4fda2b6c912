//! How long nobody came, and in which stretches of a silence a worker is worth having.
//!
//! A worker that stays costs its time, one that comes back a start, a request that finds none `missed`. In which stretches of
//! a silence it costs least to have one follows from the gaps that were seen, longest first (Bellman's recursion over their
//! histogram). Between timers nobody comes, so that the worker goes, and is back a cold start before the next is due:
//! Shahrad and others, "Serverless in the Wild" (2020), whose windows are percentiles; here they follow from what both cost.

use serde::{Deserialize, Serialize};

use super::silence::{Keep, Watch};
use crate::fixed::ratio;
use crate::policy::Objective;
use crate::time::nanos;
use crate::units::MICRO;

/// Bins of a quarter of an octave, from a second to 18 hours.
pub(super) const OCTAVES: usize = 16;
pub(super) const BINS: usize = OCTAVES * 4;
/// Their lower edges in the first, in nanoseconds.
const QUARTERS: [u64; 4] = [SECOND, 1_189_207_115, 1_414_213_562, 1_681_792_830];
const SECOND: u64 = 1_000_000_000;
/// A gap counts so much, so that what is forgotten can be a small part of it.
const UNIT: u16 = 16;
/// Parts of a gap that is weighed.
const PARTS: u64 = 4 * UNIT as u64 * FINE;
/// What is seen counts so many times, so that of one gap there is a part in each bin.
const FINE: u64 = 1 << 12;
/// Beside those that were seen there is one that was not, longer than a time by a second over it: however long nobody has come, it
/// is as likely to be over within as long again as not. Who knows nothing else waits as long as a start costs (Pareto's law
/// with an exponent of one, for which ski rental is best).
fn longer(than: u64) -> u64 {
    if than <= SECOND { PARTS } else { ratio(PARTS, SECOND, than) }
}
/// Prices of a miss that are tried, each a quarter of an octave above the one before.
const PRICES: usize = 120;
/// Before so many gaps were seen they say little.
const ENOUGH: u8 = 10;
/// Silences that are remembered by how many came after them.
const SILENCES: u64 = 10;

/// The gaps between requests, and how many come at the end of one.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub(super) struct Gaps {
    octaves: [[u16; 4]; OCTAVES],
    /// Ten, once so many were seen, however long ago.
    seen: u8,
    /// Requests that come at the end of a silence before a worker ordered then can be in time for them, in millionths.
    late: u64,
    /// Silences that it is the mean of.
    silences: u64,
}

impl Gaps {
    /// Nobody came for so long, in nanoseconds.
    pub(super) fn saw(&mut self, gap: u64) {
        let Some(octave) = (gap / SECOND).checked_ilog2() else { return };
        let quarter = QUARTERS.partition_point(|edge| gap >> octave >= *edge).saturating_sub(1);
        let bin = (octave as usize).saturating_mul(4).saturating_add(quarter);
        if let Some(count) = self.octaves.as_flattened_mut().get_mut(bin.min(BINS - 1)) {
            *count = count.saturating_add(UNIT);
            self.seen = self.seen.saturating_add(1).min(ENOUGH);
        }
    }

    /// So many came at the end of a silence before a worker ordered then could be in time for them.
    pub(super) fn woke(&mut self, count: u32) {
        self.silences = self.silences.saturating_add(1).min(SILENCES);
        let count = u64::from(count).saturating_mul(MICRO);
        let (sum, silences) = (self.late.saturating_mul(self.silences.saturating_sub(1)), self.silences);
        self.late = sum.saturating_add(count).checked_div(silences).unwrap_or(count);
    }

    /// What was seen: gaps in their bins, and how many came after so many silences on average.
    pub(super) fn told(&self) -> ([[u32; 4]; OCTAVES], u64, u64) {
        (self.octaves.map(|bins| bins.map(u32::from)), self.late, self.silences)
    }

    /// What others saw, for as much as ten gaps and one silence.
    pub(super) fn of_others(gaps: &[[u32; 4]; OCTAVES], late: Option<u64>) -> Self {
        let all = gaps.as_flattened().iter().map(|count| u64::from(*count)).sum::<u64>();
        let unit = u64::from(UNIT);
        let most = all.min(unit.saturating_mul(ENOUGH.into()));
        let seen = most.checked_div(unit).and_then(|gaps| u8::try_from(gaps).ok()).unwrap_or(ENOUGH);
        // What was rare stays possible.
        let part = |count: u32| u64::from(count).saturating_mul(most).div_ceil(all.max(1));
        let part = |count: u32| u16::try_from(part(count)).unwrap_or(u16::MAX);
        let octaves = gaps.map(|bins| bins.map(part));
        Self { octaves, seen, late: late.unwrap_or(0), silences: u64::from(late.is_some()) }
    }

    /// Late requests per start from zero, in millionths; at least one, where a start is not in time for anybody.
    pub(super) fn late(&self) -> u64 {
        self.late.max(MICRO)
    }

    /// The stretches of a silence that are worth a worker so that no more than `budget` millionths of a request are late by
    /// starts from zero, `late` by each, which costs `start` millionths of a worker-second: what costs least at the least
    /// price of a miss at which that is so, or at `most` if that is less.
    pub(super) fn within_budget(&self, start: u64, late: u64, budget: u64, most: Option<u64>) -> Watch {
        let weights = self.weights();
        let missed = least_missed(&weights, start, late, budget);
        missed.into_iter().chain(most).min().map_or(Watch::ALWAYS, |missed| watch(&weights, start, missed))
    }

    /// What costs least after such a silence for the last `held` workers: each its time, and its part of what a start from
    /// zero costs, `start` millionths of a worker-second beside `missed` for the late requests. Without data they stay as long
    /// as what a start costs: at most twice what who knows the future pays (ski rental).
    pub(super) fn cheapest(&self, start: u64, missed: u64, held: u32, silence: u64) -> Keep {
        let missed = start.saturating_add(missed.checked_div(held.max(1).into()).unwrap_or(missed));
        if self.seen < ENOUGH {
            let rental = missed.saturating_mul(1_000);
            return if silence < rental { Keep::Until(rental) } else { Keep::GONE };
        }
        watch(&self.weights(), start, missed).at(silence, start.saturating_mul(1_000))
    }

    /// What counts for each bin: half of what was seen in it and a quarter of what was in each neighbour, since who came
    /// after so long may come a little sooner or later, and its part of the gap that was never seen.
    fn weights(&self) -> [u64; BINS] {
        let bins = self.octaves.as_flattened();
        let seen = |bin: Option<usize>| bin.and_then(|bin| bins.get(bin)).map_or(0, |count| u64::from(*count));
        core::array::from_fn(|bin| {
            let neighbours = seen(bin.checked_sub(1)).saturating_add(seen(bin.checked_add(1)));
            let never = longer(lower(bin)).saturating_sub(longer(edge(bin.saturating_add(1))));
            seen(Some(bin)).saturating_mul(2).saturating_add(neighbours).saturating_mul(FINE).saturating_add(never)
        })
    }

    /// Forgets one part in twelve.
    pub(super) fn fade(&mut self) {
        for count in self.octaves.as_flattened_mut() {
            *count = count.saturating_sub(count.div_ceil(12));
        }
    }
}

/// The stretches in which to have a worker costs least, if `start` is what coming back costs and `missed` a request that
/// finds none, in millionths of a worker-second. The least from each stretch on, with a worker and without one, follows
/// from the least from the next on.
fn watch(weights: &[u64; BINS], start: u64, missed: u64) -> Watch {
    let (mut with, mut without, mut longer) = (0_u64, 0_u64, longer(edge(BINS)));
    let (mut stays, mut returns) = (Watch::NEVER, Watch::NEVER);
    // In milliseconds of a worker, so that all of it fits into 64 bits.
    let (start, missed) = (start / 1_000, missed / 1_000);
    for (bin, ends) in weights.iter().enumerate().rev() {
        longer = longer.saturating_add(*ends);
        let end = edge(bin.saturating_add(1));
        let lasts = end.saturating_sub(lower(bin)) / 1_000_000;
        let there = longer.saturating_mul(lasts).saturating_add(with);
        let gone = ends.saturating_mul(missed).saturating_add(without);
        let back = longer.saturating_mul(start).saturating_add(there);
        // Nobody is kept for longer than that.
        if end > nanos(Objective::LONGEST_KEEP) {
            (with, without) = (gone, gone);
            continue;
        }
        stays = stays.with(bin, there <= gone);
        returns = returns.with(bin, back <= gone);
        (with, without) = (there.min(gone), back.min(gone));
    }
    let mut there = true;
    (0..BINS).fold(Watch::NEVER, |watch, bin| {
        there = if there { stays.covers(bin) } else { returns.covers(bin) };
        watch.with(bin, there)
    })
}

/// The least price of a miss at which no more than `budget` millionths of a request are late, if there is one.
fn least_missed(weights: &[u64; BINS], start: u64, late: u64, budget: u64) -> Option<u64> {
    let most = budget.saturating_mul(PARTS);
    // Whoever comes after longer than all is missed by everybody.
    if longer(edge(BINS)).saturating_mul(late) > most {
        return None;
    }
    let price = |step: usize| ratio(start.max(1), edge(step), SECOND);
    let suits = |watch: Watch| missed_by(weights, watch).saturating_mul(late) <= most;
    // The dearer a miss, the fewer there are.
    let (mut cheap, mut dear) = (0, PRICES);
    while cheap < dear {
        let step = usize::midpoint(cheap, dear);
        if suits(watch(weights, start, price(step))) {
            dear = step;
        } else {
            cheap = step.saturating_add(1);
        }
    }
    (dear < PRICES).then(|| price(dear))
}

/// Gaps that end while there is no worker, in parts of one.
fn missed_by(weights: &[u64; BINS], watch: Watch) -> u64 {
    let missed = weights.iter().enumerate().filter(|(bin, _)| !watch.covers(*bin));
    missed.map(|(_, weight)| weight).sum::<u64>().saturating_add(longer(edge(BINS)))
}

/// The shortest gap of a bin, in nanoseconds; the first is for shorter ones too.
pub(super) fn lower(bin: usize) -> u64 {
    if bin == 0 { 0 } else { edge(bin) }
}

/// Where a bin begins, in nanoseconds.
pub(super) fn edge(bin: usize) -> u64 {
    let octave = u32::try_from(bin / 4).unwrap_or(0);
    QUARTERS.get(bin % 4).and_then(|edge| edge.checked_shl(octave)).unwrap_or(u64::MAX)
}

#[cfg(test)]
pub(super) mod tests;
