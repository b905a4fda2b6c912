//! Reports of several observers: what each load balancer in front of one service counts over a span of time.
//!
//! A load balancer embeds a [`Reporter`], tells it of every request, and now and then sends the [`Report`] that it makes
//! to whoever runs the autoscaler, which takes it in by [`Autoscaler::report`](crate::Autoscaler::report). Reports may
//! be lost, doubled, late, and come in any order:
//!
//! - each has a **sequence number**; one that is taken in twice counts once, so send it again until it is answered. The
//!   last 64 numbers are told apart, by the window of RFC 4303 section 3.4.3;
//! - each says which **span** it covers, by its end and its length: arrivals are put where they belong, whenever the
//!   report comes. What comes after a whole window is refused;
//! - a number that is missing within the window makes the rate missing, until it comes: missing is not zero;
//! - an observer that has been silent for the `freshness` is **stale**: what it used to tell is missing, and the count
//!   does not fall. After `observer_timeout` it is gone and counts no more;
//! - an observer that restarts begins anew under a greater **incarnation**: what the former one said of the present is
//!   void at once, what it counted stays counted.
//!
//! The state is a function of the set of reports, not of their order; those of one instant are one change.
//!
//! # The digest
//!
//! Sojourns travel as a [`Digest`]: how many, how many above the target, their sum and least, and a histogram on a grid of
//! four buckets per octave from 0.5 ms to 73 min. Digests merge by addition: counts, sums and minima stay exact, quantiles
//! keep their error of at most 13 % (1/9 by the grid's formula, as of a single digest). Only buckets that are not empty
//! are written. A digest of any traffic has at most 93 of them: up to 0.8 kB of CBOR and 1.2 kB of JSON with counts
//! below 65,536; one of sojourns within two octaves has 0.12 kB and 0.2 kB.

use alloc::vec::Vec;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::grid::{self, COMPACT_BUCKETS};
use crate::observation::{ObserverId, Rejected};
use crate::time::{Timestamp, nanos, optional_span, span};

/// What one observer counted over a span of time, and what it sees at its end.
///
/// ```
/// use core::time::Duration;
/// use plimsoll::report::Reporter;
/// use plimsoll::{Autoscaler, ObserverId, Preset, Report, Timestamp};
///
/// let mut autoscaler = Autoscaler::new(Preset::OutpostGpu.config(), Timestamp::ORIGIN);
/// let target = autoscaler.config().sojourn_target();
/// let mut reporter = Reporter::new(ObserverId(1), 1, target, Timestamp::ORIGIN);
///
/// reporter.arrived(6);
/// reporter.queue(6, Some(Duration::from_millis(40)));
/// let report = reporter.report(Timestamp::from_secs(2));
/// let wire = serde_json::to_string(&report)?;
///
/// // Taken in twice, it counts once.
/// let now = Timestamp::from_millis(2_050);
/// let report: Report = serde_json::from_str(&wire)?;
/// autoscaler.report(now, &report)?;
/// autoscaler.report(now, &report)?;
/// assert_eq!(autoscaler.decide(now).desired, 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "observers that are not written in Rust build it from its fields too")]
pub struct Report {
    /// Who reports.
    pub observer: ObserverId,
    /// Grows when the observer restarts, such as the time at which it started.
    pub incarnation: u64,
    /// Grows by one with every report of an incarnation.
    pub sequence: u64,
    /// The end of the span, on the autoscaler's clock.
    pub at: Timestamp,
    /// The length of the span.
    #[serde(with = "span")]
    pub over: Duration,
    /// Requests that arrived in the span.
    pub arrived: u64,
    /// Requests that wait at its end, if the observer knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub depth: Option<u32>,
    /// How long the first of them has waited then.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "optional_span")]
    pub oldest_age: Option<Duration>,
    /// Requests that are being served at its end, if the observer knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_flight: Option<u32>,
    /// How long those that left the queue in the span had waited.
    pub sojourns: Digest,
    /// Requests served in the span.
    #[serde(default)]
    pub services: Services,
}

/// Requests that were served: how many, and how long they took together.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "a sum and its count")]
pub struct Services {
    /// How many.
    pub count: u64,
    /// The sum of their service times.
    #[serde(with = "span")]
    pub sum: Duration,
}

impl Report {
    /// Whether a request was seen anywhere.
    pub(crate) fn is_active(&self) -> bool {
        let gauges = self.depth.unwrap_or(0) > 0 || self.in_flight.unwrap_or(0) > 0;
        gauges || self.arrived > 0 || self.sojourns.count > 0 || self.services.count > 0
    }
}

/// Sojourns, counted: exact in number, number above the target, sum and least, and a histogram for quantiles.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Digest {
    #[serde(with = "span")]
    target: Duration,
    count: u64,
    over_target: u64,
    #[serde(with = "span")]
    sum: Duration,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "optional_span")]
    min: Option<Duration>,
    /// Buckets that are not empty and what is in them, in the order of the grid.
    buckets: Vec<(u8, u64)>,
}

impl Digest {
    /// Nothing yet; a sojourn above `target` counts as too long.
    #[must_use]
    pub const fn new(target: Duration) -> Self {
        Self { target, count: 0, over_target: 0, sum: Duration::ZERO, min: None, buckets: Vec::new() }
    }

    /// A request waited for `sojourn`.
    pub fn record(&mut self, sojourn: Duration) {
        // As fine and as far as time is counted here.
        let waited = nanos(sojourn);
        let sojourn = Duration::from_nanos(waited);
        self.count = self.count.saturating_add(1);
        self.over_target = self.over_target.saturating_add(u64::from(sojourn > self.target));
        self.sum = Duration::from_nanos(nanos(self.sum).saturating_add(waited));
        self.min = Some(self.min.map_or(sojourn, |min| min.min(sojourn)));
        self.fill(bucket(waited), 1);
    }

    /// Adds what another digest has counted, as if everything had been recorded here.
    ///
    /// # Errors
    /// If it counts another sojourn as too long.
    pub fn merge(&mut self, other: &Self) -> Result<(), Rejected> {
        if other.target != self.target && other.count > 0 {
            return Err(Rejected::OtherTarget { given: other.target, target: self.target });
        }
        self.count = self.count.saturating_add(other.count);
        self.over_target = self.over_target.saturating_add(other.over_target);
        self.sum = Duration::from_nanos(nanos(self.sum).saturating_add(nanos(other.sum)));
        self.min = self.min.into_iter().chain(other.min).min();
        for (bucket, count) in &other.buckets {
            self.fill(*bucket, *count);
        }
        Ok(())
    }

    fn fill(&mut self, bucket: u8, more: u64) {
        match self.buckets.binary_search_by_key(&bucket, |(bucket, _)| *bucket) {
            Ok(at) => {
                if let Some((_, count)) = self.buckets.get_mut(at) {
                    *count = count.saturating_add(more);
                }
            }
            Err(at) => self.buckets.insert(at, (bucket, more)),
        }
    }

    /// The sojourn above which a request counts as too late.
    #[must_use]
    pub const fn target(&self) -> Duration {
        self.target
    }

    /// How many sojourns, exactly.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// How many above the target, exactly.
    #[must_use]
    pub const fn over_target(&self) -> u64 {
        self.over_target
    }

    /// Their sum.
    #[must_use]
    pub const fn sum(&self) -> Duration {
        self.sum
    }

    /// The least of them.
    #[must_use]
    pub const fn min(&self) -> Option<Duration> {
        self.min
    }

    /// The nearest-rank quantile, `per_mille` of 1000, to 13 %; `None` of nothing.
    #[must_use]
    pub fn quantile(&self, per_mille: u16) -> Option<Duration> {
        let rank = u128::from(self.count).saturating_mul(per_mille.min(1_000).into()).div_ceil(1_000).max(1);
        let mut seen = 0_u128;
        let reached = |(bucket, count): &&(u8, u64)| {
            let _ = bucket;
            seen = seen.saturating_add((*count).into());
            seen >= rank
        };
        self.buckets.iter().find(reached).map(|(bucket, _)| representative(*bucket))
    }

    /// The buckets that are not empty, and what is in them.
    pub(crate) fn buckets(&self) -> &[(u8, u64)] {
        &self.buckets
    }

    /// Whether these numbers can be those of a digest: what comes over a wire may be anything.
    pub(crate) fn check(&self) -> Result<(), Rejected> {
        let sound = |sound: bool, part| if sound { Ok(()) } else { Err(Rejected::BadDigest { part }) };
        let rising = self.buckets.is_sorted_by(|(one, _), (next, _)| one < next);
        let known = self.buckets.last().is_none_or(|(bucket, _)| usize::from(*bucket) < BUCKETS);
        let filled = self.buckets.iter().all(|(_, count)| *count > 0);
        sound(rising && known && filled, "list of buckets")?;
        let sum = |from: u8| {
            let above = self.buckets.iter().filter(|(bucket, _)| *bucket >= from);
            above.fold(0_u128, |sum, (_, count)| sum.saturating_add((*count).into()))
        };
        sound(sum(0) == self.count.into(), "count")?;
        let first = self.buckets.first().map(|(bucket, _)| *bucket);
        let least = self.min.map(nanos);
        sound(least.map(bucket) == first, "least")?;
        let (over, target) = (u128::from(self.over_target), bucket(nanos(self.target)));
        sound((sum(target.saturating_add(1))..=sum(target)).contains(&over), "count above the target")?;
        let total = u128::from(nanos(self.sum));
        let least = u128::from(least.unwrap_or(0)).saturating_mul(self.count.into());
        sound(total >= least.min(u64::MAX.into()) && (self.count > 0 || total == 0), "sum")
    }
}

/// How many buckets a digest can have.
pub(crate) const BUCKETS: usize = grid::buckets(COMPACT_BUCKETS);

fn bucket(nanos: u64) -> u8 {
    u8::try_from(grid::bucket(nanos, COMPACT_BUCKETS)).unwrap_or(u8::MAX)
}

/// The duration that stands for a bucket of a digest.
pub(crate) fn representative(bucket: u8) -> Duration {
    Duration::from_nanos(grid::representative(bucket.into(), COMPACT_BUCKETS))
}

/// What a load balancer embeds: it counts, and makes a report of it whenever it is asked to. It reads no clock.
///
/// Report at least every fifth of the autoscaler's `freshness`, and not less often than the twelfth part of its window:
/// with both at 60 s, every 5 s.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reporter {
    report: Report,
}

impl Reporter {
    /// Counts from `start` on. `incarnation` must be greater than any that the same observer had before (the time of
    /// its start will do), and `target` the autoscaler's sojourn target.
    #[must_use]
    pub const fn new(observer: ObserverId, incarnation: u64, target: Duration, start: Timestamp) -> Self {
        let report = Report {
            observer,
            incarnation,
            sequence: 0,
            at: start,
            over: Duration::ZERO,
            arrived: 0,
            depth: None,
            oldest_age: None,
            in_flight: None,
            sojourns: Digest::new(target),
            services: Services { count: 0, sum: Duration::ZERO },
        };
        Self { report }
    }

    /// So many requests arrived.
    pub const fn arrived(&mut self, count: u64) {
        self.report.arrived = self.report.arrived.saturating_add(count);
    }

    /// A request was taken by a worker, or left unserved, after it had waited for `sojourn`.
    pub fn started(&mut self, sojourn: Duration) {
        self.report.sojourns.record(sojourn);
    }

    /// A request was served after `service`.
    pub const fn finished(&mut self, service: Duration) {
        let services = &mut self.report.services;
        services.count = services.count.saturating_add(1);
        services.sum = services.sum.saturating_add(service);
    }

    /// So many requests wait, the first of them for `oldest_age`. It holds until it is said again.
    pub const fn queue(&mut self, depth: u32, oldest_age: Option<Duration>) {
        (self.report.depth, self.report.oldest_age) = (Some(depth), oldest_age);
    }

    /// So many requests are being served. It holds until it is said again.
    pub const fn in_flight(&mut self, count: u32) {
        self.report.in_flight = Some(count);
    }

    /// The report on the time since the last one, which ends at `at` on the autoscaler's clock. Counting begins anew.
    /// Keep it until it has been taken in: what was counted is in it alone.
    #[must_use = "what was counted is in the report alone"]
    pub fn report(&mut self, at: Timestamp) -> Report {
        let at = at.max(self.report.at);
        let next = Report {
            sequence: self.report.sequence.saturating_add(1),
            at,
            arrived: 0,
            sojourns: Digest::new(self.report.sojourns.target),
            services: Services::default(),
            ..self.report
        };
        let mut report = core::mem::replace(&mut self.report, next);
        report.over = at.saturating_since(report.at);
        report.at = at;
        report
    }
}

#[cfg(test)]
mod tests;
