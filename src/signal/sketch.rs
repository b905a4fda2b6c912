//! Quantiles of durations over a sliding window: a log-bucketed histogram in two generations.
//!
//! The buckets and the error of what is read from them are those of the [`grid`](crate::grid).
//!
//! The window turns in halves: the current generation and the one before it are read together, so a quantile covers
//! between half a window and a whole one. Decisions never rest on the sketch: whether p99 exceeds its target is
//! counted exactly (see [`sojourn`](super::sojourn)).

use alloc::boxed::Box;
use alloc::vec;

use serde::{Deserialize, Serialize};

use crate::grid::{bucket, buckets, representative};

/// Buckets that are summed up together on the way to a quantile.
const RUN: usize = 16;

#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub(crate) struct Sketch {
    per_octave: u32,
    current: Generation,
    previous: Generation,
}

impl Sketch {
    pub(crate) fn new(per_octave: u32) -> Self {
        Self { per_octave, current: Generation::new(per_octave), previous: Generation::new(per_octave) }
    }

    /// Makes good what a snapshot leaves out; false if it cannot be one of this precision.
    pub(crate) fn restore(&mut self, per_octave: u32) -> bool {
        let buckets = buckets(per_octave);
        let mut fits = self.per_octave == per_octave;
        for generation in [&mut self.current, &mut self.previous] {
            generation.sum = generation.counts.iter().map(|count| u64::from(*count)).sum();
            fits &= generation.counts.len() == buckets && generation.scale < 32;
        }
        fits
    }

    pub(super) const fn per_octave(&self) -> u32 {
        self.per_octave
    }

    pub(crate) fn insert(&mut self, nanos: u64) {
        self.current.insert(bucket(nanos, self.per_octave));
    }

    /// How many samples lie above `nanos`, to the bucket, and how many there are.
    pub(crate) fn above(&self, nanos: u64) -> (u64, u64) {
        let from = bucket(nanos, self.per_octave).saturating_add(1);
        let above = |generation: &Generation| {
            let counts = generation.counts.get(from..).unwrap_or(&[]);
            counts.iter().fold(0_u64, |sum, count| sum.saturating_add(generation.weight(*count)))
        };
        let total = self.current.total().saturating_add(self.previous.total());
        (above(&self.current).saturating_add(above(&self.previous)), total)
    }

    /// The same samples in buckets of another precision, each where its representative falls.
    pub(crate) fn with_precision(&self, per_octave: u32) -> Self {
        let mut other = Self::new(per_octave);
        for (from, to) in [(&self.current, &mut other.current), (&self.previous, &mut other.previous)] {
            for (index, count) in (0..).zip(&from.counts) {
                if let Some(slot) = to.counts.get_mut(bucket(representative(index, self.per_octave), per_octave)) {
                    *slot = slot.saturating_add(*count);
                }
            }
            (to.scale, to.skipped) = (from.scale, from.skipped);
            to.sum = to.counts.iter().map(|count| u64::from(*count)).sum();
        }
        other
    }

    /// Begins a new generation and forgets the one before the last.
    pub(crate) fn turn(&mut self) {
        core::mem::swap(&mut self.current, &mut self.previous);
        self.current.clear();
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.current.clear();
        self.previous.clear();
    }

    /// The nearest-rank quantiles, each `per_mille` of 1000 and in rising order, in nanoseconds; `None` of nothing. One
    /// pass for all of them.
    pub(crate) fn quantiles<const N: usize>(&self, per_mille: [u64; N]) -> [Option<u64>; N] {
        let total = self.current.total().saturating_add(self.previous.total());
        let mut found = [None; N];
        if total == 0 {
            return found;
        }
        let (mut from, mut seen) = (0_usize, 0_u64);
        for (per_mille, found) in per_mille.into_iter().zip(&mut found) {
            let rank = total.saturating_mul(per_mille).div_ceil(1_000).max(1);
            // The sums of short runs of buckets take a fraction of a look at each: only where a rank lies is one taken.
            while let Some(all) = self.run(from).filter(|all| seen.saturating_add(*all) < rank) {
                (from, seen) = (from.saturating_add(RUN), seen.saturating_add(all));
            }
            let (current, previous) = (self.current.from(from), self.previous.from(from));
            let mut below = seen;
            let at = current.iter().zip(previous).position(|(current, previous)| {
                below = below.wrapping_add(self.current.weight(*current)).wrapping_add(self.previous.weight(*previous));
                below >= rank
            });
            let bucket = at.map(|index| from.saturating_add(index));
            *found = bucket.map(|bucket| representative(u32::try_from(bucket).unwrap_or(0), self.per_octave));
        }
        found
    }

    /// What a run of buckets holds, in both generations; `None` where they are too few for a run.
    fn run(&self, from: usize) -> Option<u64> {
        let (current, previous) = (self.current.from(from).first_chunk()?, self.previous.from(from).first_chunk()?);
        if self.current.scale == self.previous.scale {
            let both = current.iter().zip(previous).map(|(one, other)| u32::from(*one).wrapping_add(u32::from(*other)));
            return Some(self.current.weighted(both.fold(0, u32::wrapping_add)));
        }
        Some(self.current.sum_of(current).wrapping_add(self.previous.sum_of(previous)))
    }
}

/// One generation's counts. When a bucket is full, all are halved and from then on only every second sample counts
/// (then every fourth …), so proportions hold at any traffic.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
struct Generation {
    counts: Box<[u16]>,
    /// Each count stands for `2^scale` samples.
    scale: u32,
    /// Samples seen since the last that counted.
    skipped: u32,
    /// The sum of all counts.
    #[serde(skip)]
    sum: u64,
}

impl Generation {
    fn new(per_octave: u32) -> Self {
        Self { counts: vec![0; buckets(per_octave)].into_boxed_slice(), scale: 0, skipped: 0, sum: 0 }
    }

    fn clear(&mut self) {
        if self.sum > 0 {
            self.counts.fill(0);
        }
        self.scale = 0;
        self.skipped = 0;
        self.sum = 0;
    }

    fn insert(&mut self, bucket: usize) {
        if self.scale > 0 {
            self.skipped = self.skipped.saturating_add(1);
            if self.skipped < 1_u32.checked_shl(self.scale).unwrap_or(u32::MAX) {
                return;
            }
        }
        self.skipped = 0;
        let Some(count) = self.counts.get_mut(bucket) else { return };
        *count = count.saturating_add(1);
        self.sum = self.sum.saturating_add(1);
        if *count == u16::MAX {
            for count in &mut self.counts {
                *count /= 2;
            }
            self.sum = self.counts.iter().map(|count| u64::from(*count)).sum();
            self.scale = self.scale.saturating_add(1).min(31);
        }
    }

    const fn weight(&self, count: u16) -> u64 {
        (count as u64) << (self.scale & 31)
    }

    fn from(&self, bucket: usize) -> &[u16] {
        self.counts.get(bucket..).unwrap_or(&[])
    }

    /// What a run of its buckets holds; the sum of their counts fits into 32 bits.
    fn sum_of(&self, counts: &[u16; RUN]) -> u64 {
        self.weighted(counts.iter().fold(0, |sum, count| sum.wrapping_add(u32::from(*count))))
    }

    const fn weighted(&self, counts: u32) -> u64 {
        (counts as u64) << (self.scale & 31)
    }

    const fn total(&self) -> u64 {
        self.sum << (self.scale & 31)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::grid::{COMPACT_BUCKETS, DEFAULT_BUCKETS};

    const HOUR: u64 = 3_600_000_000_000;

    fn exact(values: &mut [u64], per_mille: u64) -> u64 {
        values.sort_unstable();
        let rank = (values.len() as u64 * per_mille).div_ceil(1_000).max(1);
        values[usize::try_from(rank - 1).unwrap()]
    }

    proptest! {
        #[test]
        fn quantiles_stay_within_the_stated_error(
            mut values in prop::collection::vec(1_000_000..=HOUR, 1..400),
            spread in 0_u32..22,
            per_mille in prop::sample::select(&[500_u64, 990]),
        ) {
            for value in &mut values {
                *value = (*value >> spread).max(1_000_000);
            }
            for (buckets, allowed) in [(DEFAULT_BUCKETS, 0.04), (COMPACT_BUCKETS, 0.13)] {
                let mut sketch = Sketch::new(buckets);
                for (index, value) in values.iter().enumerate() {
                    if index == values.len() / 2 {
                        sketch.turn();
                    }
                    sketch.insert(*value);
                }
                let got = sketch.quantiles([per_mille])[0].unwrap();
                let want = exact(&mut values.clone(), per_mille);
                let error = (got as f64 - want as f64).abs() / want as f64;
                prop_assert!(error <= allowed, "{got} against {want}: {error} > {allowed}");
            }
        }
    }

    #[test]
    fn a_full_bucket_keeps_the_proportions() {
        let mut sketch = Sketch::new(DEFAULT_BUCKETS);
        for index in 0..1_000_000_u64 {
            sketch.insert(if index % 100 < 97 { 10_000_000 } else { 1_000_000_000 });
        }
        let [p50, p99] = sketch.quantiles([500, 990]).map(Option::unwrap);
        approx::assert_relative_eq!(p50 as f64, 1e7, max_relative = 0.04);
        approx::assert_relative_eq!(p99 as f64, 1e9, max_relative = 0.04);
        assert_eq!(sketch.quantiles([960])[0].unwrap(), p50);
    }

    #[test]
    fn what_came_before_a_bucket_was_full_weighs_as_what_came_after() {
        let mut sketch = Sketch::new(DEFAULT_BUCKETS);
        (0..65_535).for_each(|_| sketch.insert(10_000_000));
        (0..65_535).for_each(|_| sketch.insert(1_000_000_000));
        let [below, above] = sketch.quantiles([490, 510]).map(Option::unwrap);
        approx::assert_relative_eq!(below as f64, 1e7, max_relative = 0.04);
        approx::assert_relative_eq!(above as f64, 1e9, max_relative = 0.04);
    }

    #[test]
    fn extremes_have_a_bucket_and_two_turns_forget() {
        let mut sketch = Sketch::new(COMPACT_BUCKETS);
        assert_eq!(sketch.quantiles([990])[0], None);
        for value in [0, 1, u64::MAX] {
            sketch.insert(value);
        }
        assert_eq!(sketch.quantiles([0])[0], Some(0));
        assert!(sketch.quantiles([1_000])[0].unwrap() > HOUR);
        sketch.turn();
        assert!(sketch.quantiles([500])[0].is_some());
        sketch.turn();
        assert_eq!(sketch.quantiles([500])[0], None);
    }
}
