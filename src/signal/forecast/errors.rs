//! How far demand strayed from its forecast, in units of what is usual: see `strays.rs`.

use serde::{Deserialize, Serialize};

use crate::fixed::{ONE, ratio, times};

/// Bins: quarters of a unit from −2 to 6, then ever wider by a fifth, up to 1,230.
const BINS: usize = 64;
/// Bins of equal width.
const EVEN: usize = 32;
/// The lower edges, in 256ths of a unit; below the first is the first bin's too.
const EDGES: [i64; BINS] = edges();
/// A request counts so much, so that what is forgotten can be a small part of it.
const UNIT: u64 = 16;
/// What is taken for granted at the start: 300 requests of Poisson traffic, five minutes at one a second.
const PRIOR: [u32; EVEN] = [
    192, 128, 186, 254, 326, 393, 445, 474, 474, 445, 393, 326, 254, 186, 128, 83, 51, 29, 16, 8, 4, 2, 1, 0, 0, 0, 0,
    0, 0, 0, 0, 0,
];

#[expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_wrap,
    reason = "computed when it is compiled"
)]
const fn edges() -> [i64; BINS] {
    let mut edges = [0; BINS];
    let mut bin = 0;
    while bin < BINS {
        edges[bin] = if bin <= EVEN { bin as i64 * 64 - 512 } else { edges[bin - 1] * 19 / 16 };
        bin += 1;
    }
    edges
}

/// A histogram of errors, each counted as often as requests arrived that saw it.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub(super) struct Errors {
    even: [u32; EVEN],
    wide: [u32; BINS - EVEN],
}

impl Errors {
    /// Greater ones are not told from this one.
    pub(super) const MOST: i64 = EDGES[BINS - 1];

    pub(super) const fn new() -> Self {
        Self { even: PRIOR, wide: [0; BINS - EVEN] }
    }

    /// Nothing is taken for granted.
    pub(super) const fn nothing() -> Self {
        Self { even: [0; EVEN], wide: [0; BINS - EVEN] }
    }

    /// Whether as much was seen as is taken for granted of others.
    pub(super) fn outweigh_a_prior(&self) -> bool {
        let sum = |counts: &[u32]| counts.iter().map(|count| u64::from(*count)).sum::<u64>();
        sum(&self.even).saturating_add(sum(&self.wide)) >= sum(&PRIOR)
    }

    fn counts(&mut self) -> impl Iterator<Item = &mut u32> {
        self.even.iter_mut().chain(&mut self.wide)
    }

    /// So many requests saw this error, in 256ths of a unit.
    pub(super) fn saw(&mut self, error: i64, requests: u64) {
        let bin = EDGES.partition_point(|edge| *edge <= error).saturating_sub(1);
        let more = u32::try_from(requests.saturating_mul(UNIT)).unwrap_or(u32::MAX);
        let Some(count) = self.counts().nth(bin) else { return };
        let full = count.checked_add(more).is_none();
        *count = count.saturating_add(more);
        if full {
            self.counts().for_each(|count| *count /= 2);
        }
    }

    /// The error that a share of requests in 2⁻³² ths exceed.
    pub(super) fn exceeded_by(&self, share: u64) -> i64 {
        let counts = || self.even.iter().chain(&self.wide).map(|count| u64::from(*count));
        let mut left = times(counts().sum(), share);
        for (back, count) in self.wide.iter().rev().chain(self.even.iter().rev()).enumerate() {
            let Some(rest) = left.checked_sub(u64::from(*count)) else {
                return told(BINS.saturating_sub(back).saturating_sub(1));
            };
            left = rest;
        }
        EDGES.first().copied().unwrap_or(0)
    }

    /// The error to provide for that costs least: what providing for it does, and of what it costs if everybody is late the
    /// share that saw a greater one.
    pub(super) fn cheapest(&self, all_late: u64, reserve: impl Fn(i64) -> i64) -> i64 {
        let counts = || self.even.iter().chain(&self.wide).map(|count| u64::from(*count));
        let all = counts().sum::<u64>();
        let (mut above, mut least, mut cheapest) = (all, i64::MAX, 0);
        for (bin, count) in counts().enumerate() {
            above = above.saturating_sub(count);
            let (error, late) = (told(bin), ratio(all_late, above, all.max(1)));
            let cost = reserve(error).saturating_add_unsigned(late);
            if cost < least {
                (least, cheapest) = (cost, error);
            }
        }
        cheapest
    }

    /// The share of requests, in 2⁻³² ths, that saw a greater error, each told as above.
    pub(super) fn above(&self, error: i64) -> u64 {
        let (mut all, mut above) = (0_u64, 0_u64);
        for (bin, count) in self.even.iter().chain(&self.wide).enumerate() {
            let count = u64::from(*count);
            all = all.saturating_add(count);
            above = above.saturating_add(if told(bin) > error { count } else { 0 });
        }
        ratio(above, ONE, all.max(1))
    }

    /// Forgets one part in twelve.
    pub(super) fn fade(&mut self) {
        self.counts().for_each(|count| *count = count.saturating_sub(count.div_ceil(12)));
    }
}

/// What a bin's errors are taken to be. In the even ones it is the lower edge, since a count is rounded up anyway, in the wide
/// ones the upper.
fn told(bin: usize) -> i64 {
    let edge = if bin < EVEN { bin } else { bin.saturating_add(1).min(BINS - 1) };
    EDGES.get(edge).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::MICRO;

    #[test]
    fn before_anything_is_seen_errors_are_those_of_poisson_traffic() {
        let errors = Errors::new();
        let quantile = |per_mille: u64| errors.exceeded_by(ONE / 1_000 * per_mille);
        assert_eq!([500, 160, 23, 1].map(quantile), [0, 192, 512, 768], "0, 0.75, 2 and 3 standard deviations");
    }

    #[test]
    fn a_share_of_requests_is_what_counts_not_of_time() {
        let mut errors = Errors::new();
        for _ in 0..1_000 {
            errors.saw(0, 1);
        }
        errors.saw(10_000, 30);
        assert!(errors.exceeded_by(ONE / 50) >= 10_000, "one instant, but 30 of 1,330 requests");
        assert!(errors.exceeded_by(ONE / 25) < 1_000);
        for _ in 0..200 {
            errors.fade();
        }
        assert_eq!((errors.even, errors.wide), ([0; EVEN], [0; BINS - EVEN]), "what is long past is forgotten");
    }

    #[test]
    fn bins_are_even_up_to_six_deviations_and_then_widen() {
        assert_eq!([EDGES[0], EDGES[8], EDGES[31], EDGES[32]], [-512, 0, 1_472, 1_536]);
        assert_eq!([EDGES[33], EDGES[34], EDGES[46], Errors::MOST], [1_824, 2_166, 17_016, 315_907]);
    }

    #[test]
    fn an_error_counts_in_its_bin_which_is_told_by_the_edge_that_matters() {
        let told = |error: i64| {
            let mut errors = Errors { even: [0; EVEN], wide: [0; BINS - EVEN] };
            errors.saw(error, 1);
            errors.exceeded_by(ONE / 2)
        };
        assert_eq!([-9_999, -449, -448, 63, 64, 1_535].map(told), [-512, -512, -448, 0, 64, 1_472], "lower edges");
        assert_eq!([1_536, 1_823, 1_824, 1_000_000].map(told), [1_824, 1_824, 2_166, Errors::MOST], "upper edges");
        assert_eq!(Errors::new().exceeded_by(ONE), -512, "everybody is above the least");
    }

    #[test]
    fn what_a_share_exceeds_that_share_is_above() {
        let mut errors = Errors::new();
        errors.saw(3_000, 40);
        for per_mille in [1, 10, 100, 500, 900] {
            let share = ONE / 1_000 * per_mille;
            let error = errors.exceeded_by(share);
            assert!(errors.above(error) <= share, "{per_mille}");
            assert!(errors.above(error - 1) > share, "{per_mille}");
        }
        assert_eq!((errors.above(-513), errors.above(i64::MAX)), (ONE, 0));
    }

    #[test]
    fn the_cheapest_error_is_paid_for_by_what_it_spares() {
        // One in ten is 2 deviations above, one in a hundred 10; a worker more for each deviation.
        let mut errors = Errors { even: [0; EVEN], wide: [0; BINS - EVEN] };
        for (error, requests) in [(0, 89), (512, 10), (2_560, 1)] {
            errors.saw(error, requests);
        }
        let cheapest = |late: u64| errors.cheapest(late * MICRO, |error| error * 1_000_000 / 256);
        assert_eq!(cheapest(0), -512, "what nobody pays for");
        assert_eq!([3, 19].map(cheapest), [0; 2], "what two workers spare is worth less");
        assert_eq!([21, 799].map(cheapest), [512; 2], "a tenth");
        assert_eq!(cheapest(810), 2_572, "and eight more spare a hundredth");
        assert_eq!(
            Errors { even: [0; EVEN], ..errors.clone() }.cheapest(0, |_| 1),
            -512,
            "nothing is known and nothing to be lost"
        );
    }

    #[test]
    fn a_count_that_is_full_halves_all() {
        let mut errors = Errors::new();
        errors.saw(64, 2);
        assert_eq!(errors.even[9], 445 + 2 * 16);
        errors.saw(0, 1 << 27);
        assert_eq!((errors.even[8], errors.even[9]), (474 + (1 << 31), 477));
        errors.saw(0, 1 << 27);
        assert_eq!((errors.even[8], errors.even[9]), (u32::MAX / 2, 238));
        errors.fade();
        assert_eq!(errors.even[9], 238 - 20, "a twelfth, rounded up");
    }
}
