//! How much of a surge stays.
//!
//! The rate of the last moments says where demand goes only if surges last: nothing of a burst of seconds is left when a worker
//! is ready that was ordered for it, all of a crowd is that comes for an hour. So the part `φ` of a surge that was still
//! there on average over the lead after it is learned, by least squares: `φ = Σ x·y / Σ x²`, where `x` is by how much the short
//! rate was above the long one, and `y` by how much what then came was. Only what chance does not explain is a surge: `x` is
//! what the short rate has beyond two standard deviations, `√(rate / 2T)` for a mean over the time constant `T`, in which
//! `2T` are counted.

use serde::{Deserialize, Serialize};

use crate::fixed::{ONE, ratio, times};
use crate::units::MICRO;

/// What is taken for granted: one request a second more, seen once, stayed: what comes now comes on. A minute of any surge
/// says more.
const PRIOR: (i64, i64) = (1_000_000, 1_000_000);
/// A rise is not followed further than it has come already.
const STEEPEST: u64 = 2 * ONE;
const BILLION: u64 = 1_000_000_000;

/// Sums over the surges that were seen, in millionths of squared requests per second.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub(super) struct Surges {
    /// Of each times what stayed of it, which may be less than nothing.
    stayed: i64,
    /// Of each squared.
    seen: i64,
}

impl Surges {
    /// The rate that is expected on average over the next lead, in millionths per second, from the long and the short one;
    /// the short one has this time constant, in nanoseconds.
    pub(super) fn coming(&self, [long, short]: [u64; 2], constant: u64) -> u64 {
        long.saturating_add(times(surge([long, short], constant), self.stays()))
    }

    /// After these rates so much came, in millionths per second, over a lead.
    pub(super) fn saw(&mut self, [long, short]: [u64; 2], constant: u64, came: u64) {
        let (surge, more) = (i128::from(surge([long, short], constant)), i128::from(came).saturating_sub(long.into()));
        let squared = |by: i128| {
            let most = if by < 0 { i64::MIN } else { i64::MAX };
            surge.saturating_mul(by).checked_div(MICRO.into()).and_then(|it| i64::try_from(it).ok()).unwrap_or(most)
        };
        let (seen, stayed) = (self.seen.saturating_add(squared(surge)), self.stayed.saturating_add(squared(more)));
        let full = seen > i64::MAX / 4;
        (self.seen, self.stayed) = if full { (seen / 2, stayed / 2) } else { (seen, stayed) };
    }

    /// Forgets one part in twelve.
    pub(super) const fn fade(&mut self) {
        self.seen = self.seen.saturating_sub(self.seen / 12);
        self.stayed = self.stayed.saturating_sub(self.stayed / 12);
    }

    /// The part of a surge that stays, in 2⁻³² ths.
    fn stays(&self) -> u64 {
        let (stayed, seen) = (self.stayed.saturating_add(PRIOR.0), self.seen.saturating_add(PRIOR.1));
        ratio(u64::try_from(stayed).unwrap_or(0), ONE, u64::try_from(seen).unwrap_or(1)).min(STEEPEST)
    }
}

/// By how much the short rate is above the long one, beyond what chance explains.
fn surge([long, short]: [u64; 2], constant: u64) -> u64 {
    let twice_the_deviation = ratio(short, 2 * MICRO * BILLION, constant.max(1)).isqrt();
    short.saturating_sub(long).saturating_sub(twice_the_deviation)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECONDS: u64 = BILLION;
    /// From one a second to a hundred: 99 more, less two deviations of √(100 / 4).
    const RISE: [u64; 2] = [MICRO, 100 * MICRO];

    #[test]
    fn before_any_was_seen_a_surge_stays() {
        assert_eq!(Surges::default().coming(RISE, 2 * SECONDS), MICRO + 89 * MICRO);
    }

    #[test]
    fn what_chance_explains_is_no_surge() {
        let coming = |short: u64| Surges::default().coming([10 * MICRO, short * MICRO], 2 * SECONDS);
        assert_eq!([0, 10, 13].map(coming), [10 * MICRO; 3], "2·√(13 / 4) are 3.6");
        assert_eq!(coming(16), 12 * MICRO, "2·√(16 / 4) are 4, and the other two stay");
    }

    #[test]
    fn bursts_that_are_over_are_not_followed_and_those_that_last_are() {
        let after = |came: u64| {
            let mut surges = Surges::default();
            surges.saw(RISE, 2 * SECONDS, came * MICRO);
            surges.coming(RISE, 2 * SECONDS)
        };
        assert!(after(1) < MICRO * 102 / 100, "nothing stayed");
        assert!(after(90).abs_diff(90 * MICRO) < MICRO / 10, "all");
        assert!(after(0) >= MICRO, "never less than what always comes");
        assert_eq!(after(10_000), 179 * MICRO, "and no more than once again");
    }

    #[test]
    fn a_surge_that_lasts_counts_for_more_than_many_small_ones_that_do_not() {
        let mut surges = Surges::default();
        for _ in 0..100 {
            surges.saw([MICRO, 6 * MICRO], 2 * SECONDS, MICRO);
        }
        assert!(surges.stays() < ONE / 100);
        surges.saw(RISE, 2 * SECONDS, 90 * MICRO);
        assert!(surges.stays() > ONE / 10 * 9);
    }

    #[test]
    fn sums_that_are_full_are_halved() {
        let mut surges = Surges::default();
        surges.saw([0, 1 << 40], 2 * SECONDS, 0);
        surges.saw([1 << 62, u64::MAX], 2 * SECONDS, 0);
        assert_eq!((surges.seen, surges.stayed), (i64::MAX / 2, i64::MIN / 2), "less than nothing stayed");
        surges.saw(RISE, 2 * SECONDS, MICRO);
        assert_eq!(surges.stays(), 0);
    }

    #[test]
    fn what_was_seen_is_forgotten() {
        let mut surges = Surges::default();
        surges.saw([0, 10 * MICRO], 2 * SECONDS, 5 * MICRO);
        let stays = surges.stays();
        assert!(stays < ONE / 8 * 7);
        for _ in 0..300 {
            surges.fade();
        }
        assert!(surges.stays().abs_diff(ONE) < ONE / 10_000, "the prior is not");
        assert!(surges.seen < 12 && surges.stayed < 12);
    }

    proptest! {
        /// The law of that name: where more comes all the time, more is expected.
        #[test]
        fn more_load_never_fewer(
            long in 0..500 * MICRO, short in 0..500 * MICRO, more in 0..100 * MICRO, constant in 2 * SECONDS..100 * SECONDS,
            came in prop::collection::vec((0..99 * MICRO, 0..99 * MICRO, 0..99 * MICRO), 0..9),
        ) {
            let mut surges = Surges::default();
            for (long, short, came) in came {
                surges.saw([long, short], constant, came);
            }
            // Roots are rounded down.
            prop_assert!(
                surges.coming([long + more, short + more], constant) + 4 >= surges.coming([long, short], constant)
            );
        }

        #[test]
        fn nothing_that_was_seen_is_too_much(
            seen in prop::collection::vec((any::<u64>(), any::<u64>(), any::<u64>(), any::<u64>()), 0..9),
        ) {
            let mut surges = Surges::default();
            for (long, short, constant, came) in seen {
                surges.saw([long, short], constant, came);
                prop_assert!(surges.stays() <= STEEPEST);
                prop_assert!(surges.coming([long, short], constant) >= long);
            }
        }
    }
}
