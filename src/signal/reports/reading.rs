//! What the reports taken in say at one instant.

use super::{HALF, HALVES, RING, Reports, WINDOW};
use crate::config::Config;
use crate::report::{BUCKETS, representative};
use crate::signal::rate::per_second;
use crate::signal::sojourn::Totals;
use crate::time::{Timestamp, Waiting, nanos};
use crate::units::Rate;

/// A gauge of several observers: their sum, and whether one of them is too old.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(in crate::signal) struct Gauge {
    pub(in crate::signal) sum: Option<u64>,
    pub(in crate::signal) stale: bool,
}

impl Gauge {
    fn add(&mut self, value: Option<u32>, stale: bool) {
        if let Some(value) = value {
            self.sum = Some(self.sum.unwrap_or(0).saturating_add(value.into()));
            self.stale |= stale;
        }
    }
}

/// The sum of what there is.
pub(in crate::signal) fn sum(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.saturating_add(other)),
        (one, other) => one.or(other),
    }
}

/// What the observers say at one instant.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a finding of its own")]
pub(in crate::signal) struct Heard {
    /// Somebody reports, or should.
    pub(in crate::signal) present: bool,
    /// One of them is too old.
    pub(in crate::signal) stale: bool,
    /// Some of them is not.
    fresh: bool,
    /// The least of the latest ends.
    frontier: Option<Timestamp>,
    /// Numbers are missing within the window.
    gaps: bool,
    pub(in crate::signal) depth: Gauge,
    pub(in crate::signal) in_flight: Gauge,
    pub(in crate::signal) oldest: Option<Waiting>,
    /// When a request was last seen anywhere.
    pub(in crate::signal) active: Option<Timestamp>,
    /// When this may next change by time alone.
    pub(in crate::signal) next_change: Option<Timestamp>,
}

impl Reports {
    /// When a request was last seen anywhere.
    pub(in crate::signal) const fn active(&self) -> Option<Timestamp> {
        self.active
    }

    /// What the observers say at `now`.
    pub(in crate::signal) fn heard(&self, now: Timestamp, config: &Config) -> Heard {
        let (freshness, timeout) = (nanos(config.freshness()), nanos(config.observer_timeout()));
        let mut heard = Heard { active: self.active, ..Heard::default() };
        for (at, known) in self.observers.iter().enumerate() {
            let (stale_at, gone_at) = (known.latest.plus(freshness), known.latest.plus(timeout));
            if gone_at <= now || self.is_former(at) {
                continue;
            }
            let stale = stale_at <= now;
            heard.present = true;
            heard.stale |= stale;
            heard.fresh |= !stale;
            heard.gaps |= self.has_gaps(known);
            heard.frontier = Some(heard.frontier.map_or(known.latest, |least| least.min(known.latest)));
            heard.depth.add(known.depth, stale);
            heard.in_flight.add(known.in_flight, stale);
            heard.oldest = match (heard.oldest, known.oldest) {
                (Some(one), Some(other)) => Some(one.longer(other)),
                (one, other) => one.or(other),
            };
            let next = if stale { gone_at } else { stale_at.min(gone_at) };
            heard.next_change = Some(heard.next_change.map_or(next, |least| least.min(next)));
        }
        heard
    }

    /// The rate, had `extra` mass more come; `None` if it is not known.
    pub(in crate::signal) fn rate(&self, heard: &Heard, extra: u64) -> Option<Rate> {
        let frontier = heard.frontier.filter(|_| !heard.stale && !heard.gaps)?;
        let (top, oldest) = (self.top(), self.top().saturating_sub(RING.saturating_sub(1)));
        let open = self.place(frontier).checked_div(self.slice).unwrap_or(0).clamp(oldest, top.saturating_add(1));
        let mean = |end: u64, least: u64| {
            let from = end.saturating_sub(WINDOW).max(self.since).min(end.saturating_sub(least)).max(oldest);
            let mass = (from..end).fold(extra, |mass, at| mass.saturating_add(self.at(at).mass));
            per_second(mass, end.saturating_sub(from).saturating_mul(self.slice))
        };
        let later = (open..=top).map(|last| mean(last.saturating_add(1), 1));
        later.chain([mean(open, 0)]).flatten().max().map(Rate::from_micros)
    }

    /// The rate over the last slice that is wholly known.
    pub(in crate::signal) fn short_rate(&self, heard: &Heard) -> Option<Rate> {
        let frontier = heard.frontier.filter(|_| !heard.stale && !heard.gaps)?;
        let last = self.place(frontier).checked_div(self.slice)?.checked_sub(1)?;
        let kept = last <= self.top() && last.saturating_add(RING) > self.top() && last >= self.since;
        per_second(self.at(last).mass, self.slice).filter(|_| kept).map(Rate::from_micros)
    }

    /// The window's sums, as long as somebody fresh reports.
    pub(in crate::signal) fn totals(&self, heard: &Heard) -> Totals {
        let mut totals = Totals::default();
        if !heard.fresh {
            return totals;
        }
        for age in 0..WINDOW {
            let Some(index) = self.top().checked_sub(age) else { break };
            let slice = self.at(index);
            let newer = age < HALF;
            totals.merge(&Totals {
                sojourns: slice.sojourns,
                over_target: slice.over_target,
                sojourn_sum: slice.sojourn_sum,
                newer_sojourns: if newer { slice.sojourns } else { 0 },
                newer_sum: if newer { slice.sojourn_sum } else { 0 },
                sojourn_min: (slice.sojourns > 0).then_some(slice.sojourn_min),
                services: slice.services,
                service_sum: slice.service_sum,
            });
        }
        totals
    }

    /// Whether the sojourn has stood above the target for an interval, as described above.
    pub(in crate::signal) fn overloaded(&self, heard: &Heard, target: u64, interval: u64) -> bool {
        if !heard.fresh || heard.depth.sum == Some(0) {
            return false;
        }
        let from = self.newest.saturating_sub(interval).checked_div(self.slice).unwrap_or(0);
        let from = from.max(self.top().saturating_sub(RING.saturating_sub(1)));
        let mut seen = (from..=self.top()).map(|index| self.at(index)).filter(|slice| slice.sojourns > 0).peekable();
        seen.peek().is_some() && seen.all(|slice| slice.sojourn_min >= target)
    }

    /// The sojourn's median and 99th percentile, in nanoseconds.
    pub(in crate::signal) fn p50_p99(&self, heard: &Heard) -> [Option<u64>; 2] {
        let newest = self.top() / HALF;
        let half = |half: u64| {
            let from = usize::try_from(half.checked_rem(HALVES)?).ok()?.checked_mul(BUCKETS)?;
            self.halves.get(from..from.checked_add(BUCKETS)?)
        };
        let (Some(one), Some(other), true) = (half(newest), newest.checked_sub(1).and_then(half), heard.fresh) else {
            return [None; 2];
        };
        let counts = || one.iter().zip(other).map(|(one, other)| u64::from(*one).saturating_add((*other).into()));
        let total = counts().fold(0, u64::saturating_add);
        [500, 990].map(|per_mille: u64| {
            let rank = total.saturating_mul(per_mille).div_ceil(1_000).max(1);
            let mut seen = 0_u64;
            let bucket = counts().position(|count| {
                seen = seen.saturating_add(count);
                seen >= rank
            });
            bucket.and_then(|bucket| u8::try_from(bucket).ok()).map(|bucket| nanos(representative(bucket)))
        })
    }
}
