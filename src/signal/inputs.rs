//! What the policies are told of the signals, and when time alone will change it.

use super::fresh::Known;
use super::{Estimators, is_past};
use crate::config::Config;
use crate::policy::{Inputs, Policy};
use crate::pool::Pool;
use crate::time::{Earliest, Timestamp, nanos};

impl Estimators {
    /// What the policies need, in integers.
    pub(crate) fn inputs(&self, now: Timestamp, pool: &Pool, config: &Config) -> Inputs {
        let (target, interval) = (nanos(config.sojourn_target()), nanos(config.codel_interval()));
        let heard = &self.heard(now, config);
        let Known { depth, in_flight, backlog, oldest, quiet_at } = self.known(now, pool, config, heard);
        let oldest_age = oldest.filter(|_| depth != Some(0)).map(|oldest| oldest.age(now));
        let totals = self.totals(heard);
        let ready = pool.census().ready;
        let slots = u64::from(ready).saturating_mul(u64::from(config.concurrency()));
        let free_slots = in_flight.map_or(0, |busy| slots.saturating_sub(busy));
        let overdue = oldest_age.is_some_and(|age| age >= target.saturating_add(interval));
        let stuck = backlog > free_slots && overdue;
        let waiting = depth.is_some_and(|depth| depth > 0);
        let standing = self.reports.as_ref().is_some_and(|reports| reports.overloaded(heard, target, interval));
        Inputs {
            rate: self.fresh_rate(now, config, heard),
            rate_with_one_more: self.rate_with_one_more(heard),
            // The rate of reports is that of a whole window, or none.
            rate_full: self.arrivals.is_full() || !self.arrivals.is_heard(),
            ready,
            concurrency: config.concurrency(),
            free_slots,
            depth,
            backlog,
            in_flight,
            oldest_age,
            last_wait: self.queue.last_wait(),
            overloaded: stuck || standing || self.codel.overloaded(now, interval, waiting),
            oldest_over_target: oldest_age.is_some_and(|age| age > target),
            p99_over_target: totals.p99_over_target(),
            rising: totals.rising(),
            quiet: is_past(quiet_at, now),
            external: self.external(now),
            lost: heard.stale || self.is_lost(now, config),
            surplus: backlog > 0 && backlog <= free_slots && overdue,
            plan: self.forecast.as_ref().map(|forecast| forecast.plan()),
        }
    }

    /// The first instants after `now` at which a signal may change by time alone: because of how long the oldest request
    /// has waited then, because a slice ends, and for any other reason.
    pub(crate) fn next_change(&self, now: Timestamp, pool: &Pool, config: &Config) -> [Option<Timestamp>; 3] {
        let (target, interval) = (nanos(config.sojourn_target()), nanos(config.codel_interval()));
        let freshness = nanos(config.freshness());
        let heard = &self.heard(now, config);
        let known = self.known(now, pool, config, heard);
        let (mut ages, mut slices, mut next) = (Earliest::after(now), Earliest::after(now), Earliest::after(now));
        if let Some(oldest) = known.oldest {
            ages.note(oldest.reaches(target.saturating_add(1)));
            ages.note(oldest.reaches(target.saturating_add(interval)));
            for age in config.policies().iter().filter_map(Policy::overdue_age) {
                ages.note(oldest.reaches(age));
            }
        }
        slices.note_some(self.arrivals.next_change());
        slices.note_some(self.sojourn.next_change());
        next.note_some(self.arrivals_stale_at(config));
        next.note_some(self.queue.stale_at(freshness));
        next.note_some(self.in_flight.stale_at(freshness));
        next.note_some(self.codel.expiry(interval, known.depth.is_some_and(|depth| depth > 0)));
        next.note_some(self.external.map(|(_, until)| until).filter(|until| *until != Timestamp::MAX));
        next.note_some(known.quiet_at);
        next.note_some(heard.next_change);
        next.note_some(self.next_plan());
        [ages.get(), slices.get(), next.get()]
    }
}
