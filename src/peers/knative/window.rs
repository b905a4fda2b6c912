//! The two kinds of windows: averages over buckets, and a maximum over the scale-down delay.

use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::parameters::ParameterError;
use crate::time::{Timestamp, nanos};
use crate::units::exact;

/// How the buckets of a window are averaged.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Aggregation {
    /// Every bucket counts the same.
    #[default]
    Linear,
    /// Recent buckets count more.
    WeightedExponential,
}

/// As many one-second buckets as Knative's longest window has.
const MOST_BUCKETS: u64 = 3_600;

/// A ring of buckets, and the average over the window that it covers.
///
/// Source: Knative, `pkg/autoscaler/aggregation/bucketing.go`. Let `g` be the granularity, `n = ⌈window / g⌉` and
/// `b = ⌊t / g⌋` the bucket of an instant `t`. What falls into one bucket adds up; it is not averaged.
///
/// ```
/// use core::time::Duration;
/// use plimsoll::Timestamp;
/// use plimsoll::peers::knative::{Aggregation, Buckets};
///
/// let mut window = Buckets::new(Duration::from_secs(10), Duration::from_secs(1), Aggregation::Linear)?;
/// window.record(Timestamp::from_secs(1), 1.0);
/// window.record(Timestamp::from_secs(2), 2.0);
/// assert_eq!(window.average(Timestamp::from_secs(2)), 1.5);
/// # Ok::<(), plimsoll::peers::knative::ParameterError>(())
/// ```
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Buckets {
    granularity: u64,
    window: u64,
    aggregation: Aggregation,
    #[serde(with = "ring")]
    ring: Vec<f64>,
    /// The earliest and the latest bucket written to, as numbers since the origin.
    first: Option<i64>,
    last: Option<i64>,
    #[serde(with = "exact")]
    total: f64,
}

impl Buckets {
    /// An empty window.
    ///
    /// # Errors
    /// If the granularity is zero or longer than the window, or there were more than 3600 buckets.
    pub fn new(window: Duration, granularity: Duration, aggregation: Aggregation) -> Result<Self, ParameterError> {
        let count = bucket_count(window, granularity)?;
        let ring = vec![0.0; count];
        let (granularity, window) = (nanos(granularity), nanos(window));
        Ok(Self { granularity, window, aggregation, ring, first: None, last: None, total: 0.0 })
    }

    /// Adds `value` to the bucket of `now`. What is older than the window, counted from the latest bucket, is dropped.
    pub fn record(&mut self, now: Timestamp, value: f64) {
        let (bucket, count) = (self.number(now), self.count());
        let ahead = self.last.map_or(i64::MAX, |last| bucket.saturating_sub(last));
        if ahead.saturating_neg() >= count {
            return;
        }
        if ahead != 0 && self.first.is_none_or(|first| bucket < first) {
            self.first = Some(bucket);
        }
        if ahead > 0 {
            if ahead >= count {
                self.ring.fill(0.0);
                self.first = Some(bucket);
                self.total = 0.0;
            } else {
                for stale in bucket.saturating_sub(ahead).saturating_add(1)..=bucket {
                    self.total -= core::mem::take(self.slot(stale).unwrap_or(&mut 0.0));
                }
            }
            self.last = Some(bucket);
        }
        if let Some(slot) = self.slot(bucket) {
            *slot += value;
        }
        self.total += value;
    }

    /// The average at `now`; zero when nothing was written for a whole window.
    #[must_use]
    pub fn average(&self, now: Timestamp) -> f64 {
        match self.aggregation {
            Aggregation::Linear => self.linear(now),
            Aggregation::WeightedExponential => self.weighted(now),
        }
    }

    /// Nothing was written for *longer* than a window: at exactly one window it is not empty yet, and averages zero.
    #[must_use]
    pub fn is_empty(&self, now: Timestamp) -> bool {
        let Some(last) = self.last else { return true };
        let idle = u64::try_from(self.number(now).saturating_sub(last)).unwrap_or(0);
        idle > self.window.checked_div(self.granularity).unwrap_or(0)
    }

    /// Covers another length from `now` on. The latest buckets are kept, and data counts as if it reached back one
    /// whole old window.
    ///
    /// # Errors
    /// As [`Buckets::new`].
    pub fn resize(&mut self, now: Timestamp, window: Duration) -> Result<(), ParameterError> {
        let count = bucket_count(window, Duration::from_nanos(self.granularity))?;
        if count == self.ring.len() {
            return Ok(());
        }
        let mut resized = Self { window: nanos(window), ring: vec![0.0; count], total: 0.0, ..*self };
        if let Some(last) = self.last.filter(|_| !self.is_empty(now)) {
            for number in last.saturating_sub(resized.count().min(self.count())).saturating_add(1)..=last {
                let kept = self.at(number);
                if let Some(slot) = resized.slot(number) {
                    *slot = kept;
                }
            }
            // Summed from the latest backwards, as the peer does: the order of a sum is in its last bits.
            let kept = 0..resized.count().min(self.count());
            resized.total = kept.fold(0.0, |sum, back| sum + self.at(last.saturating_sub(back)));
            resized.first = Some(last.saturating_sub(self.count()).saturating_add(1));
        } else {
            resized.first = None;
        }
        *self = resized;
        Ok(())
    }

    /// With `d` the buckets since the latest one written: `total / min(last - first + 1, n)` for `d <= 0`; the total
    /// without the buckets that have gone stale, over `min(last - first + 1, n - d)`, for `d < n`; else 0. Rounded to
    /// six decimals, half away from zero.
    fn linear(&self, now: Timestamp) -> f64 {
        let (Some(first), Some(last)) = (self.first, self.last) else { return 0.0 };
        let (bucket, count) = (self.number(now), self.count());
        let idle = bucket.saturating_sub(last);
        if idle >= count {
            return 0.0;
        }
        let written = last.saturating_sub(first).saturating_add(1);
        if idle <= 0 {
            return six_decimals(self.total / written.min(count) as f64);
        }
        let total = (1..=idle).fold(self.total, |total, ahead| total - self.at(last.saturating_add(ahead)));
        six_decimals(total / written.min(count.saturating_sub(idle)) as f64)
    }

    /// With `c = max(1 - 0.0001^(1/n), 0.2)`: the sum over the buckets `i` before the present one of
    /// `bucket_i × c × (1 - c)^i`, without those that have gone stale.
    fn weighted(&self, now: Timestamp) -> f64 {
        let Some(last) = self.last else { return 0.0 };
        let count = self.count();
        let idle = self.number(now).saturating_sub(last).max(0);
        if idle >= count {
            return 0.0;
        }
        let smoothing = (1.0 - libm::pow(0.0001, 1.0 / count as f64)).max(0.2);
        let mut weight = smoothing * libm::pow(1.0 - smoothing, idle as f64);
        let mut sum = 0.0;
        for back in 0..count.saturating_sub(idle) {
            sum += self.at(last.saturating_sub(back)) * weight;
            weight *= 1.0 - smoothing;
        }
        sum
    }

    fn number(&self, now: Timestamp) -> i64 {
        i64::try_from(now.as_nanos().checked_div(self.granularity).unwrap_or(0)).unwrap_or(i64::MAX)
    }

    fn count(&self) -> i64 {
        i64::try_from(self.ring.len()).unwrap_or(i64::MAX)
    }

    fn index(&self, number: i64) -> usize {
        number.checked_rem_euclid(self.count()).and_then(|index| usize::try_from(index).ok()).unwrap_or(0)
    }

    fn at(&self, number: i64) -> f64 {
        self.ring.get(self.index(number)).copied().unwrap_or(0.0)
    }

    fn slot(&mut self, number: i64) -> Option<&mut f64> {
        let index = self.index(number);
        self.ring.get_mut(index)
    }
}

fn bucket_count(window: Duration, granularity: Duration) -> Result<usize, ParameterError> {
    let most = nanos(granularity).saturating_mul(MOST_BUCKETS);
    if granularity.is_zero() || window < granularity || nanos(window) > most {
        return Err(ParameterError::duration(
            "window",
            window,
            "be between one bucket and 3600 buckets long",
            "Knative's windows are 1 s to 1 h of one-second buckets",
        ));
    }
    usize::try_from(nanos(window).div_ceil(nanos(granularity)))
        .map_err(|_| ParameterError::duration("window", window, "fit in memory", "give a shorter window"))
}

fn six_decimals(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

/// The largest value recorded in the last `⌈duration / granularity⌉` buckets of wall-clock time.
///
/// Source: Knative, `pkg/autoscaler/aggregation/max`. Kept as a descending queue: values that are not above a newer one
/// leave at the back, those too old at the front.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct MaxWindow {
    granularity: u64,
    size: u64,
    /// Bucket and value, oldest and largest first.
    maxima: VecDeque<(u64, i32)>,
}

impl MaxWindow {
    /// An empty window. Without a duration or a granularity it covers one bucket.
    #[must_use]
    pub fn new(duration: Duration, granularity: Duration) -> Self {
        let granularity = nanos(granularity).max(1);
        Self { granularity, size: nanos(duration).div_ceil(granularity).max(1), maxima: VecDeque::new() }
    }

    /// Records `value` at `now` and tells the largest.
    pub fn record(&mut self, now: Timestamp, value: i32) -> i32 {
        let bucket = now.as_nanos().checked_div(self.granularity).unwrap_or(0);
        while self.maxima.back().is_some_and(|&(_, last)| last <= value) {
            self.maxima.pop_back();
        }
        while self.maxima.front().is_some_and(|&(first, _)| bucket.saturating_sub(first) >= self.size) {
            self.maxima.pop_front();
        }
        // One that is larger, in this bucket or (the clock went back) a later one, outlives this one.
        if self.maxima.back().is_none_or(|&(last, _)| last < bucket) {
            self.maxima.push_back((bucket, value));
        }
        self.maxima.front().map_or(value, |&(_, largest)| largest)
    }
}

/// Numbers that every reader gets back to the last bit.
mod ring {
    use alloc::vec::Vec;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::units::exact;

    #[derive(Serialize, Deserialize)]
    struct Exact(#[serde(with = "exact")] f64);

    pub(super) fn serialize<S: Serializer>(ring: &[f64], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(ring.iter().copied().map(Exact))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f64>, D::Error> {
        Vec::<Exact>::deserialize(deserializer).map(|ring| ring.into_iter().map(|Exact(number)| number).collect())
    }
}
