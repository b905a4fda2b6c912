//! How far demand strays from its forecast, and whether it strays further the more is expected.
//!
//! What comes by chance strays by the root of what is expected, `√(m + 1)`. A crowd that comes all at once is as large whatever
//! was expected: told in roots, one that came when next to nothing was is many of them, and of a busy hour so many roots are a
//! far larger crowd than ever came. So errors are counted in both units. Each provides for the same share of the requests, and
//! that one is used which does so at the least cost on average: roots times the mean root, or slots.

use serde::{Deserialize, Serialize};

use super::errors::Errors;
use crate::fixed::ratio;
use crate::policy::{Spread, deviation};
use crate::units::MICRO;

/// Slots cost less if they cost less than nine tenths: a smaller difference may be chance.
const CHANCE: (u64, u64) = (9, 10);
const MILLISECOND: u64 = 1_000_000;
/// Who is not looked at for longer has nothing to look at.
const LONGEST: u64 = 60_000 * MILLISECOND;

/// Errors in both units, and what a root is on average.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub(super) struct Strays {
    roots: Errors,
    slots: Errors,
    /// The sum of `√(m + 1)` over time, in millionths for each millisecond, and of the milliseconds.
    mean: (u64, u64),
}

impl Strays {
    pub(super) const fn new() -> Self {
        Self { roots: Errors::new(), slots: Errors::nothing(), mean: (0, 0) }
    }

    /// Errors in one unit.
    pub(super) const fn by(&self, spread: Spread) -> &Errors {
        match spread {
            Spread::Roots => &self.roots,
            Spread::Slots => &self.slots,
        }
    }

    /// So much was expected for so long, in millionths of a slot and nanoseconds.
    pub(super) fn expected(&mut self, forecast: u64, nanos: u64) {
        let (sum, time) = self.mean;
        let lasted = nanos.min(LONGEST) / MILLISECOND;
        self.mean = (sum.saturating_add(deviation(forecast).saturating_mul(lasted)), time.saturating_add(lasted));
    }

    /// So many requests are so many per second, in millionths: both are forgotten alike.
    pub(super) fn per_second(&self, requests: u64) -> u64 {
        ratio(requests.saturating_mul(MICRO), 1_000, self.mean.1)
    }

    /// Of what was forecast there was so much; so many requests saw it.
    pub(super) fn saw(&mut self, forecast: u64, demand: u64, requests: u64) {
        let error = |spread: Spread| {
            let strayed = |by: u64| i64::try_from(ratio(by, 256, spread.unit(forecast))).unwrap_or(i64::MAX);
            strayed(demand.saturating_sub(forecast)).saturating_sub(strayed(forecast.saturating_sub(demand)))
        };
        self.roots.saw(error(Spread::Roots), requests);
        self.slots.saw(error(Spread::Slots), requests);
    }

    /// For so many seconds nobody was there, and nobody was expected.
    pub(super) fn slept(&mut self, seconds: u64) {
        self.roots.saw(0, seconds);
        self.slots.saw(0, seconds);
    }

    /// The unit in which it costs least to provide for all but this share, in 2⁻³² ths.
    pub(super) fn cheapest(&self, share: u64) -> Spread {
        if !self.slots.outweigh_a_prior() {
            return Spread::Roots;
        }
        let (roots, slots) = (self.roots.exceeded_by(share), self.slots.exceeded_by(share));
        let cost = |error: i64, unit: u64| ratio(u64::try_from(error).unwrap_or(0), unit, MICRO);
        let root = self.mean.0.checked_div(self.mean.1).unwrap_or(MICRO);
        let in_roots = ratio(cost(roots, root), CHANCE.0, CHANCE.1);
        if slots < Errors::MOST && cost(slots, MICRO) < in_roots { Spread::Slots } else { Spread::Roots }
    }

    /// Forgets one part in twelve.
    pub(super) fn fade(&mut self) {
        self.roots.fade();
        self.slots.fade();
        let (sum, time) = self.mean;
        self.mean = (sum.saturating_sub(sum / 12), time.saturating_sub(time / 12));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixed::ONE;

    const SECOND: u64 = 1_000 * MILLISECOND;

    /// So many seconds of a forecast, each with a demand that one request saw.
    fn seconds(strays: &mut Strays, seconds: u64, forecast: u64, demand: u64) {
        for _ in 0..seconds {
            strays.expected(forecast * MICRO, SECOND);
            strays.saw(forecast * MICRO, demand * MICRO, 1);
        }
    }

    #[test]
    fn crowds_that_come_from_nothing_are_told_in_slots() {
        let mut strays = Strays::new();
        seconds(&mut strays, 900, 24, 24);
        seconds(&mut strays, 20, 0, 30);
        seconds(&mut strays, 400, 0, 0);
        let share = ONE / 100;
        let roots = strays.by(Spread::Roots).exceeded_by(share);
        assert!(roots >= 30 * 256, "{roots}: five times as many slots where 24 are expected");
        assert_eq!(strays.cheapest(share), Spread::Slots);
        let slots = strays.by(Spread::Slots).exceeded_by(share);
        assert!((30 * 256..37 * 256).contains(&slots), "{slots}");
    }

    #[test]
    fn what_strays_by_chance_is_told_in_roots() {
        // Three roots now and then, of 99 and of 3: of each a hundred seconds, ten of them with a crowd.
        let mut strays = Strays::new();
        for (forecast, demand) in [(99, 130), (3, 10)] {
            seconds(&mut strays, 900, forecast, forecast);
            seconds(&mut strays, 20, forecast, demand);
        }
        assert_eq!(strays.cheapest(ONE / 100), Spread::Roots, "31 slots all the time are more than 3 · 6 on average");
    }

    #[test]
    fn slots_are_told_in_when_as_much_was_seen_as_is_taken_for_granted_and_they_reach() {
        let crowds = |seen: u64| {
            let mut strays = Strays::new();
            strays.expected(99 * MICRO, SECOND);
            strays.saw(0, 30 * MICRO, seen);
            strays
        };
        assert_eq!([300, 299].map(|seen| crowds(seen).cheapest(ONE / 100)), [Spread::Slots, Spread::Roots]);
        let mut strays = crowds(300);
        strays.saw(0, 2_000 * MICRO, 300);
        assert_eq!(strays.cheapest(ONE / 100), Spread::Roots, "beyond the last bin nobody knows how far");
    }

    #[test]
    fn what_was_seen_is_forgotten() {
        let mut strays = Strays::new();
        seconds(&mut strays, 100, 8, 30);
        assert_eq!(strays.per_second(250), 2_500_000, "in a hundred seconds");
        (0..300).for_each(|_| strays.fade());
        assert_eq!((strays.by(Spread::Roots), strays.by(Spread::Slots)), (&Errors::nothing(), &Errors::nothing()));
        assert!(strays.mean.1 < 12 && strays.mean.0 < 12, "{:?}", strays.mean);
    }
}
