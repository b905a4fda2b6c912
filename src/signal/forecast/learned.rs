//! What services like each other can tell one another.

use serde::{Deserialize, Serialize};

use super::gaps::{Gaps, OCTAVES};
use super::{Forecast, HANDFUL, MEAN_OF};

/// What [objectives](crate::policy::Objective) have learned that holds for services like theirs: how long a request takes, how
/// long nobody comes, and how many come after that.
///
/// A service with a request an hour learns for days what others of its kind knew before. What was learned of several is
/// [added up](Self::add), in any order, and a new one [begins with it](crate::Autoscaler::with_prior): as if it had seen twenty
/// requests and ten gaps itself, so that what it then sees soon counts for more.
///
/// ```
/// use core::time::Duration;
/// use plimsoll::{Autoscaler, Config, Observation, Timestamp, policy::Objective};
///
/// let config = Config::objective(Objective::price(100, Duration::from_secs(1)), 0, 4)?;
/// let mut old = Autoscaler::new(config.clone(), Timestamp::ORIGIN);
/// for second in [0, 700, 1_400] {
///     let now = Timestamp::from_secs(second);
///     old.observe(now, Observation::arrived(1))?;
///     old.observe(now, Observation::started(Duration::ZERO))?;
///     old.observe(now, Observation::finished(Duration::from_secs(2)))?;
/// }
/// let learned = old.learned().ok_or("it has an objective")?;
/// assert_eq!(learned.service_mean(), Some(Duration::from_secs(2)));
/// let mut new = Autoscaler::new(config, Timestamp::ORIGIN).with_prior(&learned);
/// new.observe(Timestamp::ORIGIN, Observation::arrived(1))?;
/// assert_eq!(new.learned().and_then(|known| known.service_mean()), Some(Duration::from_secs(2)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Learned {
    /// The service times of so many completions together, in nanoseconds.
    service: u64,
    completions: u64,
    /// Gaps by their length, as [`Gaps`] counts them.
    gaps: [[u32; 4]; OCTAVES],
    /// Requests that came after so many silences together, in millionths.
    woke: u64,
    silences: u64,
}

impl Learned {
    /// Adds what was learned of another service.
    pub fn add(&mut self, other: &Self) {
        self.service = self.service.saturating_add(other.service);
        self.completions = self.completions.saturating_add(other.completions);
        for (sum, more) in self.gaps.as_flattened_mut().iter_mut().zip(other.gaps.as_flattened()) {
            *sum = sum.saturating_add(*more);
        }
        self.woke = self.woke.saturating_add(other.woke);
        self.silences = self.silences.saturating_add(other.silences);
    }

    /// How long a request takes on average; `None` before one was served.
    #[must_use]
    pub fn service_mean(&self) -> Option<core::time::Duration> {
        self.service.checked_div(self.completions).map(core::time::Duration::from_nanos)
    }
}

impl Forecast {
    /// What it may tell others.
    pub(in crate::signal) fn learned(&self) -> Option<Learned> {
        let _ = self.began?;
        // The mean is that of the last so many.
        let completions = u64::from(self.completions).min(MEAN_OF);
        let (gaps, late, silences) = self.gaps.told();
        let service = self.service.saturating_mul(completions);
        Some(Learned { service, completions, gaps, woke: late.saturating_mul(silences), silences })
    }

    /// Begins with what is known of others, if nobody has come yet.
    pub(in crate::signal) fn believe(&mut self, learned: &Learned) {
        if self.began.is_some() || self.completions > 0 {
            return;
        }
        if let Some(mean) = learned.service.checked_div(learned.completions) {
            self.service = mean.max(1);
            self.completions = u32::try_from(learned.completions).unwrap_or(u32::MAX).min(HANDFUL);
        }
        self.gaps = Gaps::of_others(&learned.gaps, learned.woke.checked_div(learned.silences));
    }
}

#[cfg(test)]
mod tests {
    use super::super::gaps::tests::ten;
    use super::super::silence::Keep;
    use super::*;
    use crate::time::Timestamp;
    use crate::units::MICRO;

    const SECOND: u64 = 1_000_000_000;
    const NOW: Timestamp = Timestamp::ORIGIN;

    /// A service that took `service` seconds for each of so many requests, with ten gaps of a minute, each ended by so many.
    fn seen(service: u64, completions: u32, woke: u32) -> Learned {
        let mut forecast = Forecast::new(NOW);
        (0..completions).for_each(|_| forecast.finished(NOW, service * SECOND));
        forecast.gaps = ten(60);
        forecast.gaps.woke(woke);
        forecast.began = Some(NOW);
        forecast.learned().unwrap()
    }

    #[test]
    fn what_was_learned_is_added_up_in_any_order() {
        let parts = [seen(1, 30, 2), seen(4, 10, 7), Learned::default()];
        let sum = |order: [usize; 3]| {
            order.iter().fold(Learned::default(), |mut sum, at| {
                sum.add(&parts[*at]);
                sum
            })
        };
        assert_eq!(sum([0, 1, 2]), sum([2, 1, 0]));
        assert_eq!(sum([0, 1, 2]).service_mean(), Some(core::time::Duration::from_millis(1_750)), "of 40 requests");
        assert_eq!((sum([0, 1, 2]).woke, sum([0, 1, 2]).silences), (9 * MICRO, 2));
        assert_eq!(Learned::default().service_mean(), None);
    }

    #[test]
    fn a_new_service_begins_with_what_others_learned() {
        let mut all = Learned::default();
        (0..1_000).for_each(|_| all.add(&seen(2, 30, 3)));
        let mut new = Forecast::new(NOW);
        new.believe(&all);
        assert_eq!((new.service, new.completions), (2 * SECOND, HANDFUL), "enough to be relied on, and no more");
        let mut gaps = ten(60);
        gaps.woke(3);
        assert_eq!(new.gaps, gaps, "ten thousand gaps and a thousand silences count as ten and one");
        let there = |forecast: &Forecast| forecast.gaps.cheapest(30 * MICRO, 20 * MICRO, 1, 40 * SECOND);
        assert!(matches!(there(&new), Keep::Again(60_000_000_000..)), "others came back after a minute");
        let alone = |silence| Forecast::new(NOW).gaps.cheapest(30 * MICRO, 20 * MICRO, 1, silence * SECOND);
        assert_eq!([49, 50].map(alone), [Keep::Until(50 * SECOND), Keep::GONE], "without others: what a start costs");
        assert_eq!(Forecast::new(NOW).learned(), None, "who has seen nothing has nothing to tell");
        let mut nothing = Forecast::new(NOW);
        nothing.believe(&Learned::default());
        assert_eq!(nothing, Forecast::new(NOW));
    }

    #[test]
    fn what_others_learned_waits_for_the_first_request() {
        let mut new = Forecast::new(NOW);
        new.believe(&seen(2, 30, 3));
        let gaps = new.gaps.clone();
        let late = NOW.plus(50 * 3_600 * SECOND);
        new.arrived(late, 1, 1, None);
        new.fade(late.plus(SECOND));
        assert_eq!(new.gaps, gaps, "nothing is forgotten before anybody came");
        new.fade(late.plus(3_600 * SECOND));
        assert_ne!(new.gaps, gaps);
        let kept = new.gaps.cheapest(30 * MICRO, 20 * MICRO, 1, 40 * SECOND);
        assert!(matches!(kept, Keep::Again(60_000_000_000..)), "and what is left still counts");
    }

    #[test]
    fn who_has_seen_requests_believes_nobody() {
        let mut old = Forecast::new(NOW);
        old.arrived(NOW, 1, 1, None);
        let before = old.clone();
        old.believe(&seen(2, 30, 3));
        assert_eq!(old, before);
    }
}
