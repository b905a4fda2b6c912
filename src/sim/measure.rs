//! Collects what a run is measured by while it goes on.
#![expect(
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    reason = "sums of a finished run, for people; no decision rests on them"
)]

use core::time::Duration;
use std::vec::Vec;

use super::options::Options;
use super::outcome::{Failures, Outcome, Sample};
use super::prices::Costs;
use super::workers::Workers;
use super::workload::Workload;
use crate::observation::FailureCause;
use crate::time::{Timestamp, nanos};

/// How many buckets a run is kept in unless their width is given.
const BUCKETS: u64 = 720;
/// How many there are at the most: a run that needs more has its buckets merged in pairs.
const MOST_BUCKETS: u64 = 16 * BUCKETS;

/// Collects while the run goes on.
#[derive(Debug)]
pub(super) struct Measure {
    outcome: Outcome,
    price_per_hour: f64,
    bucket: u64,
    sums: Vec<Sums>,
    sojourns: Vec<u64>,
    /// Sojourns that ended in the present bucket.
    in_bucket: Vec<u64>,
    /// The present bucket, and the instants from and up to which it is that.
    current: usize,
    from: Timestamp,
    to: Timestamp,
    /// Up to when it has gone on.
    end: Timestamp,
    /// What seldom changes, and since when it stands without having been added to the present bucket.
    standing: Standing,
    since: Timestamp,
    direction: i8,
}

/// What changes only where a worker's state does. It is added up when it changes and where a bucket ends, not at each step:
/// that takes half of what a step costs.
#[derive(Clone, Copy, Debug, Default)]
struct Standing {
    /// How often a worker's state had changed.
    changes: u64,
    /// Workers that are starting or being loaded, ready ones, draining ones and those in standby.
    counts: [u32; 4],
    capacity: u64,
}

/// Adds what stood for so long. A product of two 64-bit numbers fits, and so does what stood for all time.
fn integrate(sum: &mut u128, nanos: u64, quantity: u64) {
    if quantity > 0 {
        *sum = sum.wrapping_add(u128::from(nanos).wrapping_mul(u128::from(quantity)));
    }
}

/// Integrals over one bucket, in nanoseconds times the quantity.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    arrivals: u64,
    work: u64,
    capacity: u128,
    /// Starting, ready, draining and in standby, …
    counts: [u128; 4],
    /// … and of the ready ones those that serve somebody.
    busy: u128,
    depth: u128,
    p99: Option<u64>,
}

impl Measure {
    pub(super) fn new(workload: &Workload, target: Duration, options: &Options) -> Self {
        let chosen =
            (nanos(workload.duration()) / BUCKETS).div_ceil(1_000_000_000).max(1).saturating_mul(1_000_000_000);
        let bucket = if options.bucket.is_zero() { chosen } else { nanos(options.bucket) };
        Self {
            outcome: Outcome {
                workload: workload.name().into(),
                duration: Duration::ZERO,
                requests: 0,
                finished: 0,
                lost: 0,
                retried: 0,
                unserved: 0,
                sojourn_p50: Duration::ZERO,
                sojourn_p99: Duration::ZERO,
                sojourn_max: Duration::ZERO,
                target,
                within_target: 1.0,
                cold_starts: 0,
                warm_starts: 0,
                replica_hours: 0.0,
                standby_hours: 0.0,
                failures: Failures::default(),
                cost: 0.0,
                costs: Costs::default(),
                classes: Vec::new(),
                peak_workers: 0,
                scaling_events: 0,
                reversals: 0,
                refused: 0,
                bucket: Duration::from_nanos(bucket),
                samples: Vec::new(),
                events: Vec::new(),
            },
            price_per_hour: options.price_per_hour,
            bucket,
            sums: Vec::new(),
            sojourns: Vec::with_capacity(workload.requests().len()),
            in_bucket: Vec::new(),
            current: 0,
            from: Timestamp::ORIGIN,
            to: Timestamp::ORIGIN,
            end: Timestamp::ORIGIN,
            standing: Standing::default(),
            since: Timestamp::ORIGIN,
            direction: 0,
        }
    }

    /// The state stood from `from`, where it was passed to last, to `to`.
    #[inline]
    pub(super) fn pass(&mut self, from: Timestamp, to: Timestamp, workers: &Workers, waiting: usize) {
        let within = self.from <= from && from < to && to <= self.to && workers.changes() == self.standing.changes;
        let Some(sums) = self.sums.get_mut(self.current).filter(|_| within) else {
            return self.pass_through(from, to, workers, waiting);
        };
        // Most steps begin and end in one bucket.
        let dt = to.since(from);
        integrate(&mut sums.busy, dt, u64::from(workers.tally().ready_busy));
        integrate(&mut sums.depth, dt, waiting as u64);
        self.end = to;
    }

    #[inline(never)]
    fn pass_through(&mut self, from: Timestamp, to: Timestamp, workers: &Workers, waiting: usize) {
        if workers.changes() != self.standing.changes {
            self.stands_anew(from, workers);
        }
        let (busy, waiting) = (u64::from(workers.tally().ready_busy), waiting as u64);
        let mut at = from;
        while at < to {
            let index = self.enter_bucket(at);
            let end = to.min(self.to);
            let dt = end.since(at).max(1);
            if let Some(sums) = self.sums.get_mut(index) {
                integrate(&mut sums.busy, dt, busy);
                integrate(&mut sums.depth, dt, waiting);
            }
            at = end.max(at.plus(1));
        }
        self.end = self.end.max(to);
    }

    /// From `now` on workers are in other states.
    #[inline(never)]
    fn stands_anew(&mut self, now: Timestamp, workers: &Workers) {
        self.add_up(now);
        let tally = workers.tally();
        let ready = tally.ready_idle.saturating_add(tally.ready_busy);
        let counts = [tally.starting.saturating_add(tally.prewarming), ready, tally.draining, tally.standby];
        self.standing = Standing { changes: workers.changes(), counts, capacity: workers.capacity() };
        self.outcome.peak_workers = self.outcome.peak_workers.max(tally.starting.saturating_add(ready));
    }

    /// Adds what has stood until `now` to the present bucket.
    fn add_up(&mut self, now: Timestamp) {
        let dt = now.since(self.since);
        if let Some(sums) = self.sums.get_mut(self.current) {
            integrate(&mut sums.capacity, dt, self.standing.capacity);
            for (sum, count) in sums.counts.iter_mut().zip(self.standing.counts) {
                integrate(sum, dt, u64::from(count));
            }
        }
        self.since = now;
    }

    /// The bucket of an instant; closes the ones before it.
    #[inline]
    fn enter_bucket(&mut self, at: Timestamp) -> usize {
        if !(self.from <= at && at < self.to) {
            self.change_bucket(at);
        }
        self.current
    }

    #[inline(never)]
    fn change_bucket(&mut self, at: Timestamp) {
        self.add_up(at);
        while at.as_nanos().checked_div(self.bucket).unwrap_or(0) >= MOST_BUCKETS {
            self.widen();
        }
        let number = at.as_nanos().checked_div(self.bucket).unwrap_or(0);
        let index = usize::try_from(number).unwrap_or(usize::MAX);
        if index != self.current {
            self.close_bucket();
            self.current = index;
        }
        if self.sums.len() <= index {
            self.sums.resize(index.saturating_add(1), Sums::default());
        }
        self.from = Timestamp::from_nanos(number.saturating_mul(self.bucket));
        self.to = self.from.plus(self.bucket);
    }

    /// Merges the buckets in pairs.
    fn widen(&mut self) {
        self.close_bucket();
        let merged = self.sums.chunks(2).map(|pair| pair.iter().fold(Sums::default(), Sums::merge));
        self.sums = merged.collect();
        self.bucket = self.bucket.saturating_mul(2);
        self.outcome.bucket = Duration::from_nanos(self.bucket);
    }

    fn close_bucket(&mut self) {
        let p99 = select(&mut self.in_bucket, 990);
        if let Some(sums) = self.sums.get_mut(self.current) {
            sums.p99 = sums.p99.max(p99);
        }
        self.in_bucket.clear();
    }

    #[inline]
    pub(super) fn arrived(&mut self, now: Timestamp, service: Duration) {
        self.outcome.requests = self.outcome.requests.saturating_add(1);
        let index = self.enter_bucket(now);
        if let Some(sums) = self.sums.get_mut(index) {
            sums.arrivals = sums.arrivals.saturating_add(1);
            sums.work = sums.work.saturating_add(nanos(service));
        }
    }

    /// A request that arrived then is taken, `again` if it had been taken before: where its sojourn is kept.
    pub(super) fn started(&mut self, now: Timestamp, arrival: Timestamp, again: Option<usize>) -> usize {
        self.enter_bucket(now);
        let sojourn = now.since(arrival);
        self.in_bucket.push(sojourn);
        if let Some((place, slot)) = again.and_then(|place| Some((place, self.sojourns.get_mut(place)?))) {
            *slot = sojourn;
            return place;
        }
        self.sojourns.push(sojourn);
        self.sojourns.len().saturating_sub(1)
    }

    pub(super) const fn finished(&mut self) {
        self.outcome.finished = self.outcome.finished.saturating_add(1);
    }

    pub(super) fn lost(&mut self, requests: u32) {
        self.outcome.lost = self.outcome.lost.saturating_add(u64::from(requests));
    }

    pub(super) fn retried(&mut self, requests: u32) {
        self.outcome.retried = self.outcome.retried.saturating_add(u64::from(requests));
    }

    pub(super) const fn failed(&mut self, cause: FailureCause, count: u32) {
        self.outcome.failures.count(cause, count);
    }

    pub(super) fn refused(&mut self, refused: bool) {
        self.outcome.refused = self.outcome.refused.saturating_add(u64::from(refused));
    }

    pub(super) fn cold_start(&mut self, counts: bool) {
        self.outcome.cold_starts = self.outcome.cold_starts.saturating_add(u64::from(counts));
    }

    pub(super) const fn warm_start(&mut self) {
        self.outcome.warm_starts = self.outcome.warm_starts.saturating_add(1);
    }

    pub(super) fn decided(&mut self, from: u32, to: u32) {
        let direction = match to.cmp(&from) {
            core::cmp::Ordering::Greater => 1,
            core::cmp::Ordering::Less => -1,
            core::cmp::Ordering::Equal => return,
        };
        self.outcome.scaling_events = self.outcome.scaling_events.saturating_add(1);
        let reversed = self.direction != 0 && self.direction != direction;
        self.outcome.reversals = self.outcome.reversals.saturating_add(u64::from(reversed));
        self.direction = direction;
    }

    /// Sums up, with what was paid if it is more than hours at a price.
    pub(super) fn finish(mut self, waiting: usize, costs: Option<Costs>) -> Outcome {
        self.add_up(self.end);
        self.close_bucket();
        let mut outcome = self.outcome;
        let [p50, p99, max] = quantiles(&mut self.sojourns).map(Duration::from_nanos);
        (outcome.sojourn_p50, outcome.sojourn_p99, outcome.sojourn_max) = (p50, p99, max);
        let target = nanos(outcome.target);
        let within = self.sojourns.iter().filter(|sojourn| **sojourn <= target).count();
        if outcome.requests > 0 {
            outcome.within_target = within as f64 / outcome.requests as f64;
        }
        outcome.unserved = waiting as u64;
        let hours = |position: usize| {
            let total: u128 = self.sums.iter().filter_map(|sums| sums.tally().get(position).copied()).sum();
            total as f64 / 3.6e12
        };
        outcome.replica_hours = (0..4).map(hours).sum();
        outcome.standby_hours = hours(4);
        outcome.costs = costs.unwrap_or_else(|| Costs::of_hours([0, 1, 2, 3, 4].map(hours), self.price_per_hour));
        outcome.cost = costs.map_or(outcome.replica_hours * self.price_per_hour, |costs| costs.total());
        outcome.duration = self.end.saturating_since(Timestamp::ORIGIN);
        let end = outcome.duration;
        outcome.samples = self.sums.iter().enumerate().map(|(i, sums)| sums.sample(i, self.bucket, end)).collect();
        outcome
    }
}

impl Sums {
    /// Starting, idle, busy and draining workers, and those in standby.
    const fn tally(&self) -> [u128; 5] {
        let [starting, ready, draining, standby] = self.counts;
        [starting, ready.saturating_sub(self.busy), self.busy, draining, standby]
    }

    /// Both together; of two quantiles the larger, which is never too low.
    fn merge(self, other: &Self) -> Self {
        let mut counts = self.counts;
        for (sum, more) in counts.iter_mut().zip(other.counts) {
            *sum = sum.saturating_add(more);
        }
        Self {
            arrivals: self.arrivals.saturating_add(other.arrivals),
            work: self.work.saturating_add(other.work),
            capacity: self.capacity.saturating_add(other.capacity),
            counts,
            busy: self.busy.saturating_add(other.busy),
            depth: self.depth.saturating_add(other.depth),
            p99: self.p99.max(other.p99),
        }
    }

    fn sample(&self, index: usize, bucket: u64, end: Duration) -> Sample {
        let start = (index as u64).saturating_mul(bucket);
        // The last bucket may be cut short.
        let width = nanos(end).saturating_sub(start).min(bucket).max(1);
        let mean = |sum: u128| sum as f64 / width as f64;
        let [starting, idle, busy, draining, standby] = self.tally().map(mean);
        Sample {
            t_s: start as f64 / 1e9,
            arrivals_per_s: self.arrivals as f64 / (width as f64 / 1e9),
            offered_load: mean(u128::from(self.work)),
            capacity: mean(self.capacity),
            starting,
            idle,
            busy,
            draining,
            standby,
            queue_depth: mean(self.depth),
            sojourn_p99_s: self.p99.map(|nanos| nanos as f64 / 1e9),
        }
    }
}

/// Where the nearest-rank quantile of so many sorted values is.
fn place(values: usize, per_mille: u64) -> Option<usize> {
    let rank = (values as u64).saturating_mul(per_mille).div_ceil(1_000).max(1);
    usize::try_from(rank.saturating_sub(1)).ok().filter(|place| *place < values)
}

/// The nearest-rank quantile. Values are put in another order.
fn select(values: &mut [u64], per_mille: u64) -> Option<u64> {
    Some(*values.select_nth_unstable(place(values.len(), per_mille)?).1)
}

/// The median, the 99th percentile and the greatest, zero of none. Each is looked for among those that are not below the one
/// before it.
fn quantiles(values: &mut [u64]) -> [u64; 3] {
    let (Some(half), Some(most)) = (place(values.len(), 500), place(values.len(), 990)) else { return [0; 3] };
    let (_, &mut p50, above) = values.select_nth_unstable(half);
    let Some(beyond) = most.checked_sub(half.saturating_add(1)) else { return [p50, p50, p50] };
    let (_, &mut p99, rest) = above.select_nth_unstable(beyond);
    [p50, p99, rest.iter().copied().max().unwrap_or(p99)]
}
