//! One price of a late request for all services of a fleet.

use serde::{Deserialize, Serialize};

use crate::fixed::{ONE, decay, ratio, times};
use crate::time::Timestamp;
use crate::units::{MICRO, Share};

/// `u` moves by one, and the price by e, when a third of what may be late of the remembered requests was.
const GAIN: u64 = 3;
const HOUR: u64 = 3_600_000_000_000;
/// A cold start, in seconds, as objectives take it before one was measured.
const COLD_START: u64 = 30;
/// Hours after which next to nothing is remembered.
const FORGOTTEN: u64 = 100;
/// As many late requests at the least are what may be late: fewer say nothing.
const FEWEST: u64 = 10;
/// The highest price is `e^14` worker-seconds: two weeks of a worker.
const HIGHEST: u64 = 14 * ONE;
const E_TO_HIGHEST: u64 = 1_202_604;
/// A price that differs by less than an eighth is not worth telling everybody.
const WORTH_TELLING: u32 = 8;

/// Finds the price at which the services of a fleet keep a share together, from what they leave late together.
///
/// A service that is called once an hour learns in weeks what keeps 99 %; its fleet learns it in hours. And a share of *all*
/// requests costs least where each late one is worth the same in whatever service: else a worker would spare more of them
/// elsewhere. So the price `e^u` is moved until the share is kept,
///
/// `u ← u + 3 · (late − may · started) / (may · remembered)`, by no more than one in an hour,
///
/// where `may` is the share that may be late, and requests are forgotten by a twelfth every hour, as objectives forget. What is
/// late above that raises the price until as much less has been: so the share is kept in the long run, whatever the services do
/// (Gibbs and Candès, "Adaptive conformal inference", 2021), but for crowds: what a price does is seen with the next gaps between
/// requests only, thus the bound, and a crowd that is late at any price counts for no more than its time.
///
/// It neither counts nor tells anybody: whoever sees how long requests wait tells it now and then how many were late, and the
/// fleet what came of it.
///
/// ```
/// use core::time::Duration;
/// use plimsoll::fleet::{Fleet, Profile, SharedPrice};
/// use plimsoll::policy::Objective;
/// use plimsoll::{Config, Share, Timestamp};
///
/// // 95 % of the requests of all services together start within a second.
/// let mut shared = SharedPrice::new(Share::new(0.95)?, Timestamp::ORIGIN);
/// let objective = Objective::price(shared.price(), Duration::from_secs(1));
/// let mut fleet = Fleet::new(1);
/// let small = fleet.add_profile(Profile::new(Config::objective(objective, 0, 40)?));
/// fleet.insert("mail", small, Timestamp::ORIGIN)?;
///
/// // Every now and then: a fifth was late.
/// let now = Timestamp::from_secs(600);
/// if let Some(price) = shared.told(now, 1_000, 200) {
///     assert!(price > 600);
///     fleet.set_price(small, now, price)?;
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct SharedPrice {
    share: Share,
    /// `u`, in 2⁻³² ths.
    level: u64,
    /// The price that was given last.
    price: u32,
    /// Requests that are remembered, in millionths.
    remembered: u64,
    /// When it was last told, and when something was last forgotten.
    at: Timestamp,
    faded: Timestamp,
}

impl SharedPrice {
    /// It begins with what a worker costs for a cold start, taken to be half a minute, by the requests that may be late: 600
    /// worker-seconds for 95 %.
    #[must_use]
    pub fn new(share: Share, now: Timestamp) -> Self {
        let first = ratio(COLD_START, MICRO, may(share)).min(E_TO_HIGHEST);
        // Prices ascend with the level, and 64 halvings find any.
        let (mut level, mut step) = (0_u64, HIGHEST / 2);
        while step > 0 {
            let higher = level.saturating_add(step);
            level = if price(higher) < first { higher } else { level };
            step /= 2;
        }
        Self { share, level, price: rounded(first), remembered: 0, at: now, faded: now }
    }

    /// The share that is to be kept.
    #[must_use]
    pub const fn share(&self) -> Share {
        self.share
    }

    /// The price that was given last, in worker-seconds.
    #[must_use]
    pub const fn price(&self) -> u32 {
        self.price
    }

    /// So many requests of all services together started since it was last told, and so many of them late. The new price, if it
    /// differs by more than an eighth from that which was given last.
    pub fn told(&mut self, now: Timestamp, started: u64, late: u64) -> Option<u32> {
        let now = now.max(self.at);
        self.fade(now);
        let may = may(self.share);
        self.remembered = self.remembered.saturating_add(started.saturating_mul(MICRO));
        let budget = ratio(self.remembered, may, MICRO).max(FEWEST.saturating_mul(MICRO));
        let (late, allowed) = (late.min(started).saturating_mul(MICRO), started.saturating_mul(may));
        let most = ratio(now.since(self.at), ONE, HOUR);
        let step = |excess: u64| ratio(excess, ONE.saturating_mul(GAIN), budget).min(most);
        let (up, down) = (step(late.saturating_sub(allowed)), step(allowed.saturating_sub(late)));
        self.level = self.level.saturating_add(up).saturating_sub(down).min(HIGHEST);
        self.at = now;
        let price = rounded(price(self.level));
        if price.abs_diff(self.price) <= self.price / WORTH_TELLING {
            return None;
        }
        self.price = price;
        Some(price)
    }

    fn fade(&mut self, now: Timestamp) {
        let hours = now.since(self.faded) / HOUR;
        for _ in 0..hours.min(FORGOTTEN) {
            self.remembered = self.remembered.saturating_sub(self.remembered.div_ceil(12));
        }
        self.faded = self.faded.plus(hours.saturating_mul(HOUR));
    }
}

/// What may be late, in millionths, one at the least.
fn may(share: Share) -> u64 {
    u64::from(Share::ONE.as_micros().saturating_sub(share.as_micros())).max(1)
}

/// `e^level` worker-seconds.
fn price(level: u64) -> u64 {
    times(E_TO_HIGHEST, decay(HIGHEST.saturating_sub(level), ONE))
}

/// A price in worker-seconds is one at the least.
fn rounded(price: u64) -> u32 {
    u32::try_from(price).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn hours(hours: u64) -> Timestamp {
        Timestamp::from_secs(hours * 3_600)
    }

    /// A fleet in which a price halves what is late each time it is four times as high: 5 % at 6,400 worker-seconds.
    fn late(price: u32) -> u64 {
        4_000_000 / u64::from(price).isqrt().max(8)
    }

    #[test]
    fn the_share_is_kept_after_hours_and_over_days() {
        let mut shared = SharedPrice::new(Share::new(0.95).unwrap(), Timestamp::ORIGIN);
        assert_eq!(shared.price(), 600);
        let (mut all, mut first_day) = (0, 0);
        for hour in 1..=24 * 20 {
            let late = late(shared.price());
            all += late;
            first_day += if hour <= 24 { late } else { 0 };
            shared.told(hours(hour), 1_000_000, late);
        }
        assert!((5_600..7_200).contains(&shared.price()), "{}", shared.price());
        let share = |late: u64, hours: u64| late / hours;
        assert!((40_000..60_000).contains(&share(first_day, 24)), "{}", share(first_day, 24));
        assert!((49_000..51_000).contains(&share(all, 24 * 20)), "{}", share(all, 480));
    }

    #[test]
    fn it_moves_by_no_more_than_e_in_an_hour_however_often_it_is_told() {
        let begin = SharedPrice::new(Share::new(0.99).unwrap(), Timestamp::ORIGIN);
        let mut once = begin;
        assert_eq!((once.price(), once.told(hours(1), 10_000, 10_000)), (3_000, Some(8_154)));
        let mut often = begin;
        for minute in 1..=60 {
            often.told(Timestamp::from_secs(minute * 60), 200, 200);
        }
        assert!((often.level.abs_diff(once.level)) < ONE / 1_000, "{often:?} {once:?}");
        let mut down = begin;
        assert_eq!(down.told(hours(1), 10_000, 0), Some(1_103));
        assert_eq!(down.told(hours(1), 10_000, 10_000), None, "in no time");
    }

    #[test]
    fn small_changes_are_not_told_and_add_up() {
        let mut shared = SharedPrice::new(Share::new(0.9).unwrap(), Timestamp::ORIGIN);
        shared.told(hours(1), 1_000_000, 100_000);
        let told: Vec<_> = (2..9).map(|hour| shared.told(hours(hour), 100_000, 11_000)).collect();
        assert_eq!(told.iter().flatten().count(), 1, "{told:?}");
        assert_eq!(shared.told(hours(8), 0, 0), None, "nothing happened");
    }

    #[test]
    fn prices_stay_within_what_anybody_would_pay() {
        for (share, first) in [(0.0, 30), (0.5, 60), (0.99, 3_000), (1.0, 1_202_604)] {
            let begin = SharedPrice::new(Share::new(share).unwrap(), Timestamp::ORIGIN);
            assert!(begin.price().abs_diff(first) <= first / 1_000, "{share}: {begin:?}");
            let (mut high, mut low) = (begin, begin);
            for hour in 1..40 {
                high.told(hours(hour), 1_000, u64::MAX);
                low.told(hours(hour), u64::MAX, 0);
            }
            assert!(low.price() >= 1 && high.price() <= 1_202_604, "{low:?} {high:?}");
            assert!(share < 0.1 || high.price() >= 1_000_000, "{high:?}");
            assert!(share > 0.99 || low.price() == 1, "{low:?}");
        }
    }

    #[test]
    fn it_survives_json() {
        let mut shared = SharedPrice::new(Share::new(0.9).unwrap(), hours(3));
        shared.told(hours(5), 1_234, 567);
        let json = serde_json::to_string(&shared).unwrap();
        assert_eq!(serde_json::from_str::<SharedPrice>(&json).unwrap(), shared);
    }
}
