//! What the policies are told of the signals, and when time alone will change it.

use super::{Estimators, is_past};
use crate::config::Config;
use crate::policy::{Inputs, Policy};
use crate::pool::Pool;
use crate::time::{Timestamp, nanos};

impl Estimators {
    /// What the policies need, in integers.
    pub(crate) fn inputs(&self, now: Timestamp, pool: &Pool, config: &Config) -> Inputs {
        let (target, interval) = (nanos(config.sojourn_target()), nanos(config.codel_interval()));
        let heard = &self.heard(now, config);
        let depth = self.fresh_depth(now, pool, config, heard);
        let oldest_age = self.oldest(pool, heard).filter(|_| depth != Some(0)).map(|oldest| oldest.age(now));
        let totals = self.totals(heard);
        let (ready, in_flight) = (pool.census().ready, self.fresh_in_flight(now, pool, config, heard));
        let slots = u64::from(ready).saturating_mul(u64::from(config.concurrency()));
        let free_slots = in_flight.map_or(0, |busy| slots.saturating_sub(busy));
        let backlog = self.backlog(pool, heard);
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
            quiet: is_past(self.quiet(now, pool, config, heard), now),
            external: self.external(now),
            lost: heard.stale || self.is_lost(now, config),
            surplus: backlog > 0 && backlog <= free_slots && overdue,
        }
    }

    /// The first instant after `now` at which a signal may change by time alone.
    pub(crate) fn next_change(&self, now: Timestamp, pool: &Pool, config: &Config) -> Option<Timestamp> {
        let (target, interval) = (nanos(config.sojourn_target()), nanos(config.codel_interval()));
        let freshness = nanos(config.freshness());
        let heard = &self.heard(now, config);
        let waiting = self.fresh_depth(now, pool, config, heard).is_some_and(|depth| depth > 0);
        let by_age = self.oldest(pool, heard).into_iter().flat_map(|oldest| {
            let overdue = config.policies().iter().filter_map(Policy::overdue_age);
            let ages = [target.saturating_add(1), target.saturating_add(interval)];
            ages.into_iter().chain(overdue).map(move |age| oldest.reaches(age))
        });
        [
            self.arrivals.next_change(),
            self.arrivals_stale_at(config),
            self.queue.stale_at(freshness),
            self.in_flight.stale_at(freshness),
            self.sojourn.next_change(),
            self.codel.expiry(interval, waiting),
            self.external.map(|(_, until)| until).filter(|until| *until != Timestamp::MAX),
            self.quiet(now, pool, config, heard),
            heard.next_change,
        ]
        .into_iter()
        .flatten()
        .chain(by_age)
        .filter(|at| *at > now)
        .min()
    }
}
