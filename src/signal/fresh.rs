//! What is known at an instant: events, gauges and reports together, as far as they are fresh. Missing is not zero.

use super::reports::{Heard, sum};
use super::sojourn::Totals;
use super::{Estimators, is_past};
use crate::config::Config;
use crate::pool::Pool;
use crate::time::{Timestamp, Waiting, nanos};
use crate::units::{MICRO, Rate};

impl Estimators {
    pub(super) fn fresh_depth(&self, now: Timestamp, pool: &Pool, config: &Config, heard: &Heard) -> Option<u64> {
        if heard.depth.stale || is_past(self.queue.stale_at(nanos(config.freshness())), now) {
            return None;
        }
        sum(self.depth(pool), heard.depth.sum).or_else(|| self.nothing_yet(now, config, heard))
    }

    pub(super) fn fresh_in_flight(&self, now: Timestamp, pool: &Pool, config: &Config, heard: &Heard) -> Option<u64> {
        if heard.in_flight.stale || is_past(self.in_flight.stale_at(nanos(config.freshness())), now) {
            return None;
        }
        let known = sum(self.in_flight.count(), heard.in_flight.sum).or_else(|| pool.busy_slots());
        // Where there is nobody to serve, nothing is served.
        known.or_else(|| pool.is_deserted().then_some(0)).or_else(|| self.nothing_yet(now, config, heard))
    }

    /// Zero, if arrivals are reported and none has ever come.
    pub(super) fn nothing_yet(&self, now: Timestamp, config: &Config, heard: &Heard) -> Option<u64> {
        let told = self.hears_arrivals(now, config, heard);
        (told && !self.ever_active && heard.active.is_none()).then_some(0)
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

    pub(super) fn oldest(&self, pool: &Pool, heard: &Heard) -> Option<Waiting> {
        let all = [self.queue.oldest(), pool.replica_oldest(), heard.oldest];
        all.into_iter().flatten().reduce(Waiting::longer)
    }

    /// Requests that certainly wait.
    pub(super) fn backlog(&self, pool: &Pool, heard: &Heard) -> u64 {
        let reported = heard.depth.sum.unwrap_or(0);
        self.queue.backlog().saturating_add(pool.replica_depth().unwrap_or(0)).saturating_add(reported)
    }

    pub(super) fn quiet(&self, now: Timestamp, pool: &Pool, config: &Config, heard: &Heard) -> Option<Timestamp> {
        let depth = self.fresh_depth(now, pool, config, heard);
        let in_flight = self.fresh_in_flight(now, pool, config, heard);
        let known = self.hears_arrivals(now, config, heard) || (depth.is_some() && in_flight.is_some());
        let empty = depth.unwrap_or(0) == 0 && in_flight.unwrap_or(0) == 0 && self.backlog(pool, heard) == 0;
        let last = heard.active.map_or(self.last_activity, |active| active.max(self.last_activity));
        (known && empty).then(|| last.plus(nanos(config.to_zero_delay())))
    }

    /// Whether a signal that used to come has outlived its freshness.
    pub(super) fn is_lost(&self, now: Timestamp, config: &Config) -> bool {
        let freshness = nanos(config.freshness());
        let gauges = [self.queue.stale_at(freshness), self.in_flight.stale_at(freshness)];
        gauges.into_iter().chain([self.arrivals_stale_at(config)]).any(|at| is_past(at, now))
    }
}

fn plus(rate: Rate, other: Option<Rate>) -> Rate {
    Rate::from_micros(rate.as_micros().saturating_add(other.map_or(0, Rate::as_micros)))
}
