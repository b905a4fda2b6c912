//! The grid that durations are counted on: every octave from 0.5 ms to 73 min cut into `k` equal buckets.
//!
//! A bucket `[a, b)` is reported as the harmonic mean of its edges, `2ab / (a + b)`, whose relative error is the same at
//! both edges: `(b - a) / (b + a)`, at most `1 / (2k + 1)`. With the default `k = 13` that is 3.8 %, with the compact
//! `k = 4` it is 11.2 %. Shorter values are reported as zero and longer ones as the last bucket. The grid is the same
//! for everybody, so that what is counted on it merges by addition and keeps its error.

/// The first octave starts at 2^19 ns (0.52 ms).
const FIRST_OCTAVE: u32 = 19;
/// Octaves covered: up to 2^42 ns (73 min).
const OCTAVES: u32 = 23;

/// Buckets per octave at the default precision.
pub(crate) const DEFAULT_BUCKETS: u32 = 13;
/// Buckets per octave in the compact setting.
pub(crate) const COMPACT_BUCKETS: u32 = 4;

/// How many buckets there are in all.
pub(crate) const fn buckets(per_octave: u32) -> usize {
    OCTAVES.saturating_mul(per_octave).saturating_add(1) as usize
}

/// The bucket of a duration: 0 below the first octave.
pub(crate) fn bucket(nanos: u64, per_octave: u32) -> usize {
    let Some(octave) = nanos.checked_ilog2().and_then(|log| log.checked_sub(FIRST_OCTAVE)) else { return 0 };
    let last = OCTAVES.saturating_mul(per_octave);
    let shift = octave.saturating_add(FIRST_OCTAVE).saturating_sub(16);
    let fraction = (nanos >> shift) & 0xffff;
    let within = u32::try_from(fraction.saturating_mul(u64::from(per_octave)) >> 16).unwrap_or(0);
    octave.saturating_mul(per_octave).saturating_add(within).saturating_add(1).min(last) as usize
}

/// The duration reported for a bucket: the harmonic mean of its edges.
pub(crate) fn representative(bucket: u32, per_octave: u32) -> u64 {
    let Some(index) = bucket.checked_sub(1) else { return 0 };
    let octave = index.checked_div(per_octave).unwrap_or(0);
    let lower = u64::from(per_octave.saturating_add(index.checked_rem(per_octave).unwrap_or(0)));
    let upper = lower.saturating_add(1);
    let numerator = (2_u64 << (FIRST_OCTAVE.saturating_add(octave) & 63)).saturating_mul(lower).saturating_mul(upper);
    let denominator = u64::from(per_octave).saturating_mul(lower.saturating_add(upper));
    numerator.checked_div(denominator).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn buckets_and_representatives_agree() {
        for per_octave in [DEFAULT_BUCKETS, COMPACT_BUCKETS] {
            let indices: Vec<_> = (1..=OCTAVES * per_octave).collect();
            for index in indices {
                assert_eq!(bucket(representative(index, per_octave), per_octave), index as usize);
            }
        }
    }
}
