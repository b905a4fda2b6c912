//! How starts go: how long they take, which of them fail and why, and when there is nothing to be had.

use core::time::Duration;
use std::vec::Vec;

use serde::{Deserialize, Serialize};

use super::chance::{Chance, seconds};
use super::options::Options;
use super::outages::{Outages, Timeline};
use crate::observation::FailureCause;
use crate::time::{Timestamp, nanos, span};
use crate::units::Share;

/// How starts go, beside their mean durations. By default they take as long as [`Options::cold_start`] and
/// [`Options::start_spread`] say, and all of them succeed.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Starts {
    /// How long starts take.
    pub takes: StartTime,
    /// This share of all starts takes [`slow_factor`](Self::slow_factor) times as long as was drawn for it.
    pub slow: Share,
    /// How many times as long a slow start takes; 5 by default, as an image that is not cached on its host makes of a
    /// start that mostly loads.
    pub slow_factor: u32,
    /// So many cold starts, the first of them, take [`first_percent`](Self::first_percent) of what was drawn for them: who
    /// learns from them how long starts take is misled.
    pub first: u32,
    /// What part of its time each of the [`first`](Self::first) starts takes, in percent; 100 by default, all of it.
    pub first_percent: u32,
    /// This share of all starts crashes, at the instant at which the worker would have been ready.
    pub crash: Share,
    /// This share is never ready; the platform says so after [`gives_up_after`](Self::gives_up_after).
    pub timeout: Share,
    /// This share is never ready, and nobody says so.
    pub hang: Share,
    /// This share is preempted at the instant at which the worker would have been ready.
    pub preempted: Share,
    /// This share is refused at once: the account may not have more.
    pub quota: Share,
    /// This share is refused at once: the provider has no more.
    pub stock_out: Share,
    /// How long the platform waits for a worker that does not become ready. 10 min by default, as the
    /// `progressDeadlineSeconds` of a Kubernetes deployment and this crate's own `start_timeout`.
    #[serde(with = "span")]
    pub gives_up_after: Duration,
    /// Times at which every start is refused, since the provider has no more.
    pub shortages: Outages,
}

/// How long a start takes.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum StartTime {
    /// The mean plus or minus up to [`Options::start_spread`] of it, each duration as likely as the others.
    #[default]
    Uniform,
    /// Lognormal of that mean and this coefficient of variation (standard deviation over mean): long ones now and then,
    /// none shorter than nothing.
    Lognormal {
        /// The coefficient of variation, between 0 and 100.
        cv: f64,
    },
    /// As measured: quantiles of cold starts at equal distances, from the least to the greatest (five are the minimum,
    /// the quartiles and the maximum); durations between two of them are equally likely. The mean is theirs, and
    /// [`Options::cold_start`] is not used. Warm starts are uniform, and so are those of a class with a
    /// [cold start of its own](super::Class::cold_start).
    Quantiles(#[serde(with = "spans")] Vec<Duration>),
}

impl Default for Starts {
    fn default() -> Self {
        Self {
            takes: StartTime::Uniform,
            slow: Share::ZERO,
            slow_factor: 5,
            first: 0,
            first_percent: 100,
            crash: Share::ZERO,
            timeout: Share::ZERO,
            hang: Share::ZERO,
            preempted: Share::ZERO,
            quota: Share::ZERO,
            stock_out: Share::ZERO,
            gives_up_after: Duration::from_secs(600),
            shortages: Outages::NONE,
        }
    }
}

impl Starts {
    /// The shares of starts that come to nothing, in the order in which [`Draws::failure`] takes them.
    pub(super) const fn failing(&self) -> [(&'static str, Share); 6] {
        [
            ("starts.crash", self.crash),
            ("starts.timeout", self.timeout),
            ("starts.hang", self.hang),
            ("starts.preempted", self.preempted),
            ("starts.quota", self.quota),
            ("starts.stock_out", self.stock_out),
        ]
    }
}

/// What becomes of an order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fate {
    /// Ready after so many nanoseconds.
    Ready(u64),
    /// Fails after so many nanoseconds.
    Fails(u64, FailureCause),
    /// Nothing will be heard of it.
    Hangs,
    /// No worker at all.
    Refused(FailureCause),
}

/// Draws what becomes of each start.
#[derive(Debug)]
pub(super) struct Draws {
    uniform: Chance,
    time: Chance,
    slow: Chance,
    failing: Chance,
    shortages: Timeline,
    /// Cold starts so far.
    ordered: u32,
    /// Whether any start can fail.
    troubled: bool,
}

impl Draws {
    pub(super) fn new(options: &Options) -> Self {
        let seed = options.seed;
        Self {
            uniform: Chance::new(seed, 0),
            time: Chance::of(seed, "starts.takes"),
            slow: Chance::of(seed, "starts.slow"),
            failing: Chance::of(seed, "starts.failing"),
            shortages: Timeline::new(options.starts.shortages, Chance::of(seed, "starts.shortages")),
            ordered: 0,
            troubled: options.starts.failing().iter().any(|(_, share)| *share > Share::ZERO),
        }
    }

    /// Of a worker that is ordered now, with a mean cold start of its own if it has one.
    pub(super) fn cold(&mut self, now: Timestamp, own: Option<Duration>, options: &Options) -> Fate {
        if self.shortages.until(now).is_some() {
            return Fate::Refused(FailureCause::StockOut);
        }
        self.ordered = self.ordered.saturating_add(1);
        let failure = if self.troubled { self.failure(own, options) } else { None };
        failure.unwrap_or_else(|| Fate::Ready(self.takes(own, options)))
    }

    /// How long a standby worker takes that is revived.
    pub(super) fn warm(&mut self, options: &Options) -> u64 {
        match options.starts.takes {
            StartTime::Lognormal { cv } => self.lognormal(options.warm_start, cv),
            StartTime::Uniform | StartTime::Quantiles(_) => self.uniform(options.warm_start, options.start_spread),
        }
    }

    /// How it fails, if it does.
    fn failure(&mut self, own: Option<Duration>, options: &Options) -> Option<Fate> {
        let drawn = self.failing.millionths();
        let mut sum = 0_u32;
        let reached = |(_, share): (&str, Share)| {
            sum = sum.saturating_add(share.as_micros());
            drawn < sum
        };
        match options.starts.failing().into_iter().position(reached)? {
            0 => Some(Fate::Fails(self.takes(own, options), FailureCause::Crash)),
            1 => Some(Fate::Fails(nanos(options.starts.gives_up_after), FailureCause::Timeout)),
            2 => Some(Fate::Hangs),
            3 => Some(Fate::Fails(self.takes(own, options), FailureCause::Preempted)),
            4 => Some(Fate::Refused(FailureCause::Quota)),
            _ => Some(Fate::Refused(FailureCause::StockOut)),
        }
    }

    fn takes(&mut self, own: Option<Duration>, options: &Options) -> u64 {
        let (starts, mean) = (&options.starts, own.unwrap_or(options.cold_start));
        let drawn = match (&starts.takes, own) {
            (StartTime::Lognormal { cv }, _) => self.lognormal(mean, *cv),
            (StartTime::Quantiles(quantiles), None) => self.between(quantiles),
            (StartTime::Uniform | StartTime::Quantiles(_), _) => self.uniform(mean, options.start_spread),
        };
        let first = self.ordered <= starts.first;
        let drawn = if first { drawn.saturating_mul(starts.first_percent.into()) / 100 } else { drawn };
        let slow = starts.slow > Share::ZERO && self.slow.millionths() < starts.slow.as_micros();
        if slow { drawn.saturating_mul(starts.slow_factor.into()) } else { drawn }
    }

    /// `mean` plus or minus up to a share of it.
    fn uniform(&mut self, mean: Duration, spread: Share) -> u64 {
        let (mean, share) = (nanos(mean), u64::from(spread.as_micros()));
        if share == 0 {
            return mean;
        }
        let most = u128::from(mean).saturating_mul(u128::from(share)) / 1_000_000;
        let width = u64::try_from(most.saturating_mul(2)).unwrap_or(u64::MAX).saturating_add(1);
        let drawn = self.uniform.draw().checked_rem(width).unwrap_or(0);
        mean.saturating_sub(u64::try_from(most).unwrap_or(0)).saturating_add(drawn)
    }

    fn lognormal(&mut self, mean: Duration, cv: f64) -> u64 {
        nanos(seconds(self.time.lognormal(mean.as_secs_f64(), cv)))
    }

    /// By the inverse of the distribution function, in steps of 2⁻³² of a distance.
    fn between(&mut self, quantiles: &[Duration]) -> u64 {
        let at = |index: u64| {
            let index = usize::try_from(index).unwrap_or(usize::MAX);
            quantiles.get(index).or(quantiles.last()).map_or(0, |span| nanos(*span))
        };
        let distances = (quantiles.len() as u64).saturating_sub(1);
        let place = u128::from(self.time.draw() >> 32).saturating_mul(distances.into());
        let (index, part) = (u64::try_from(place >> 32).unwrap_or(0), place & u128::from(u32::MAX));
        let (low, high) = (at(index), at(index.saturating_add(1)));
        let more = u128::from(high.saturating_sub(low)).saturating_mul(part) >> 32;
        low.saturating_add(u64::try_from(more).unwrap_or(u64::MAX))
    }
}

/// The mean of a distribution with these quantiles at equal distances, each duration between two of them equally likely.
pub(super) fn mean(quantiles: &[Duration]) -> Duration {
    let inner = quantiles.windows(2).fold(0_u128, |sum, pair| {
        pair.iter().fold(sum, |sum, quantile| sum.saturating_add(u128::from(nanos(*quantile))))
    });
    let ends = (quantiles.len() as u128).saturating_sub(1).saturating_mul(2);
    let only = quantiles.first().copied().unwrap_or_default();
    let mean = inner.checked_div(ends).and_then(|mean| u64::try_from(mean).ok());
    mean.map_or(only, Duration::from_nanos)
}

/// Durations as configurations write them.
pub(super) mod spans {
    use core::time::Duration;
    use std::vec::Vec;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::time::span::Span;

    pub(in crate::sim) fn serialize<S: Serializer>(values: &[Duration], serializer: S) -> Result<S::Ok, S::Error> {
        values.iter().copied().map(Span).collect::<Vec<_>>().serialize(serializer)
    }

    pub(in crate::sim) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Duration>, D::Error> {
        Ok(Vec::<Span>::deserialize(deserializer)?.into_iter().map(|span| span.0).collect())
    }
}

#[cfg(test)]
mod tests;
