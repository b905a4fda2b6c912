//! What is known at an instant: events, gauges and reports together, as far as they are fresh. Missing is not zero.

use super::reports::{Heard, sum};
use super::sojourn::Totals;
use super::{Estimators, is_past};
use crate::config::Config;
use crate::pool::Pool;
use crate::time::{Timestamp, Waiting, nanos};
use crate::units::{MICRO, Rate};

/// What is known of the requests in the system at one instant: each fact is found once, however many rest on it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    pub(super) depth: Option<u64>,
    pub(super) in_flight: Option<u64>,
    /// Requests that certainly wait.
    pub(super) backlog: u64,
    pub(super) oldest: Option<Waiting>,
    /// When the system will have been quiet for the to-zero delay; `None` while a request is in it or nothing is known.
    pub(super) quiet_at: Option<Timestamp>,
}

impl Estimators {
    /// What is known of the requests in the system at `now`.
    pub(super) fn known(&self, now: Timestamp, pool: &Pool, config: &Config, heard: &Heard) -> Known {
        let freshness = nanos(config.freshness());
        let arrivals = self.hears_arrivals(now, config, heard);
        // Zero, if arrivals are reported and none has ever come.
        let nothing_yet = (arrivals && !self.ever_active && heard.active.is_none()).then_some(0);
        let depth = if heard.depth.stale || is_past(self.queue.stale_at(freshness), now) {
            None
        } else {
            sum(self.depth(pool), heard.depth.sum).or(nothing_yet)
        };
        let in_flight = if heard.in_flight.stale || is_past(self.in_flight.stale_at(freshness), now) {
            None
        } else {
            let told = sum(self.in_flight.count(), heard.in_flight.sum).or_else(|| pool.busy_slots());
            // Where there is nobody to serve, nothing is served.
            told.or_else(|| pool.is_deserted().then_some(0)).or(nothing_yet)
        };
        let backlog = self.all_backlog(pool, heard);
        let told = arrivals || (depth.is_some() && in_flight.is_some());
        let empty = depth.unwrap_or(0) == 0 && in_flight.unwrap_or(0) == 0 && backlog == 0;
        let last = heard.active.map_or(self.last_activity, |active| active.max(self.last_activity));
        let quiet_at = (told && empty).then(|| last.plus(nanos(config.to_zero_delay())));
        Known { depth, in_flight, backlog, oldest: self.oldest(pool, heard), quiet_at }
    }

    /// Arrivals by events and counts and by reports; `None` if a part of them is missing.
    pub(super) fn fresh_rate(&self, now: Timestamp, config: &Config, heard: &Heard) -> Option<Rate> {
        let own = self.arrivals.rate();
        if own.is_some() && is_past(self.arrivals_stale_at(config), now) {
            return None;
        }
        match self.reports.as_ref().filter(|_| heard.present) {
            None => own,
            Some(reports) => reports.rate(heard, 0).map(|rate| plus(rate, own)),
        }
    }

    /// Whether the arrival rate is known, without a look at it.
    fn hears_arrivals(&self, now: Timestamp, config: &Config, heard: &Heard) -> bool {
        let own = self.arrivals.is_known();
        if own && is_past(self.arrivals_stale_at(config), now) {
            return false;
        }
        let reports = self.reports.as_ref().filter(|_| heard.present);
        reports.map_or(own, |reports| reports.rate(heard, 0).is_some())
    }

    /// The same, had one request more come.
    pub(super) fn rate_with_one_more(&self, heard: &Heard) -> Option<Rate> {
        let own = self.arrivals.rate_with_one_more();
        match self.reports.as_ref().filter(|_| heard.present) {
            None => own,
            Some(reports) if own.is_some() => reports.rate(heard, 0).map(|rate| plus(rate, own)),
            Some(reports) => reports.rate(heard, MICRO),
        }
    }

    pub(super) fn short_rate(&self, now: Timestamp, config: &Config, heard: &Heard) -> Option<Rate> {
        let own = self.arrivals.short_rate();
        if own.is_some() && is_past(self.arrivals_stale_at(config), now) {
            return None;
        }
        match self.reports.as_ref().filter(|_| heard.present) {
            None => own,
            Some(reports) => reports.short_rate(heard).map(|rate| plus(rate, own)),
        }
    }

    /// The sums over the window, of events and of reports.
    pub(super) fn totals(&self, heard: &Heard) -> Totals {
        let mut totals = *self.sojourn.totals();
        if let Some(reports) = &self.reports {
            totals.merge(&reports.totals(heard));
        }
        totals
    }

    /// Median and 99th percentile of whichever has seen more: events, or reports.
    pub(super) fn p50_p99(&self, heard: &Heard) -> [Option<u64>; 2] {
        let reports =
            self.reports.as_ref().filter(|reports| reports.totals(heard).sojourns > self.sojourn.totals().sojourns);
        reports.map_or_else(|| self.sojourn.p50_p99(), |reports| reports.p50_p99(heard))
    }

    pub(super) fn arrivals_stale_at(&self, config: &Config) -> Option<Timestamp> {
        self.arrivals.stale_at(nanos(config.freshness()), config.event_freshness().map(nanos))
    }

    fn oldest(&self, pool: &Pool, heard: &Heard) -> Option<Waiting> {
        let longer = |one: Option<Waiting>, other: Option<Waiting>| match (one, other) {
            (Some(one), Some(other)) => Some(one.longer(other)),
            (one, other) => one.or(other),
        };
        longer(longer(self.queue.oldest(), pool.replica_oldest()), heard.oldest)
    }

    fn all_backlog(&self, pool: &Pool, heard: &Heard) -> u64 {
        let reported = heard.depth.sum.unwrap_or(0);
        self.queue.backlog().saturating_add(pool.replica_depth().unwrap_or(0)).saturating_add(reported)
    }

    /// Whether a signal that used to come has outlived its freshness.
    pub(super) fn is_lost(&self, now: Timestamp, config: &Config) -> bool {
        let freshness = nanos(config.freshness());
        is_past(self.queue.stale_at(freshness), now)
            || is_past(self.in_flight.stale_at(freshness), now)
            || is_past(self.arrivals_stale_at(config), now)
    }
}

fn plus(rate: Rate, other: Option<Rate>) -> Rate {
    Rate::from_micros(rate.as_micros().saturating_add(other.map_or(0, Rate::as_micros)))
}
