//! Settings that are more than one number.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::span;
use crate::units::{Share, percent_of};

/// A limit on how far the count may move within a period, counted from the first change in it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct StepLimit {
    /// At most so many workers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workers: Option<u32>,
    /// At most so many percent of the count at the period's start, rounded up. With both, the larger step is allowed,
    /// as with Kubernetes' `selectPolicy: Max`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<u32>,
    /// The period.
    #[serde(with = "span")]
    pub period: Duration,
}

impl StepLimit {
    /// At most `workers` per `period`.
    #[must_use]
    pub const fn workers(workers: u32, period: Duration) -> Self {
        Self { workers: Some(workers), percent: None, period }
    }

    /// At most `percent` of the count per `period`.
    #[must_use]
    pub const fn percent(percent: u32, period: Duration) -> Self {
        Self { workers: None, percent: Some(percent), period }
    }

    /// How far a count of `base` may move.
    pub(crate) fn step(&self, base: u32) -> u32 {
        self.workers.max(self.percent.map(|percent| percent_of(base, percent))).unwrap_or(u32::MAX)
    }
}

/// How finely quantiles are kept.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Precision {
    /// At most 4 % relative error from 1 ms to 1 h.
    #[default]
    Default,
    /// At most 13 %, in a third of the space.
    Compact,
}

/// What to do while a signal is missing or stale. The count never falls; this is about whether it may rise.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Blind {
    /// A rule that has lost a signal asks for nothing. What is certain still raises the count: a request at zero, one
    /// that waits too long, CoDel's verdict, a rule that sees all it needs.
    #[default]
    Hold,
    /// A rule that has lost a signal may still ask for more by what it sees: a sum of which one part is missing is the
    /// least that it can be.
    GrowOnly,
    /// At least so many workers.
    Floor(u32),
    /// At least as many as there were at most within this time before.
    #[serde(with = "span")]
    LastPeak(Duration),
}

/// A fall of demand that is too steep to be one: an outage upstream, after which everything comes back at once.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Cliff {
    /// Demand has fallen by at least this share of its highest …
    pub fall: Share,
    /// … within this time.
    #[serde(with = "span")]
    pub within: Duration,
    /// The down delay that then holds instead, until demand is back or the count has followed.
    #[serde(with = "span")]
    pub down_delay: Duration,
}

impl Cliff {
    /// A fall by `fall` `within` so long makes the down delay `down_delay`.
    #[must_use]
    pub const fn new(fall: Share, within: Duration, down_delay: Duration) -> Self {
        Self { fall, within, down_delay }
    }
}

/// How orders are repeated that a provider did not fulfil.
///
/// The n-th failure of one cause in a row is answered after `first × 2^(n-1)`, at most `most`, less a spread of up to a
/// quarter that is derived from the seed, the cause and n: services with seeds of their own do not come back all at
/// once. The defaults are those of Kubernetes' back-off for crashing containers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Backoff {
    /// The wait after the first failure.
    #[serde(with = "span")]
    pub first: Duration,
    /// The longest wait.
    #[serde(with = "span")]
    pub most: Duration,
    /// What the spread is derived from; give every service another one.
    pub seed: u64,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { first: Duration::from_secs(10), most: Duration::from_secs(300), seed: 0 }
    }
}

impl Backoff {
    /// From `first` to `most`.
    #[must_use]
    pub const fn new(first: Duration, most: Duration) -> Self {
        Self { first, most, seed: 0 }
    }

    /// With a seed of its own.
    #[must_use]
    pub const fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }
}

/// When to stop ordering altogether, whatever the cause, and let one worker through as a probe.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Breaker {
    /// It opens at so many failed starts …
    pub failures: u32,
    /// … within this time.
    #[serde(with = "span")]
    pub within: Duration,
    /// How long it stays open before a probe.
    #[serde(with = "span")]
    pub pause: Duration,
}

impl Default for Breaker {
    /// Five failures in five minutes are one cause's back-off at its fifth step, or several causes at once; a minute is
    /// a cold start.
    fn default() -> Self {
        Self { failures: 5, within: Duration::from_secs(300), pause: Duration::from_secs(60) }
    }
}

impl Breaker {
    /// Opens for `pause` at so many `failures` `within` a time.
    #[must_use]
    pub const fn new(failures: u32, within: Duration, pause: Duration) -> Self {
        Self { failures, within, pause }
    }
}
