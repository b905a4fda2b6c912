//! The pool as its platform counts it or names its workers, and what was ordered and has not been seen.

use plimsoll::{Config, FailureCause, Observation, PoolCounts, WorkerEvent, WorkerId};

use crate::fleet::{Doing, Fleet, Order, Worker};
use crate::provider::Provider;
use crate::signals::{Nanos, Staff, nanos};

/// Workers that were called for, until when they count although nobody has seen them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outstanding {
    pub count: u32,
    pub until: Nanos,
}

impl Outstanding {
    pub const fn at(self, now: Nanos) -> u32 {
        if now < self.until { self.count } else { 0 }
    }

    pub fn add(&mut self, now: Nanos, more: u32, config: &Config) {
        *self = Self { count: self.at(now) + more, until: now + nanos(config.order_timeout()) };
    }

    pub const fn confirm(&mut self, count: u32) {
        self.count = self.count.saturating_sub(count);
    }
}

#[derive(Clone, Debug, Default)]
pub struct Pool {
    /// Whether the platform reports its pool at all; until it does what was ordered is there.
    pub seen: bool,
    pub counts: PoolCounts,
    pub fleet: Fleet,
    /// Starting workers, oldest first: since when, how many, and whether they took too long.
    starting: Vec<(Nanos, u32, bool)>,
    /// What the count calls for and nobody has seen.
    expected: Outstanding,
    pub orders: Outstanding,
    pub releases: Outstanding,
    pub prewarms: Outstanding,
    /// Standby workers revived by count.
    pub revivals: Outstanding,
    pub provider: Provider,
}

impl Pool {
    pub fn staff(&self, now: Nanos) -> Staff {
        let draining = self.fleet.workers(now).iter().any(|worker| worker.doing == Doing::Draining);
        let deserted = self.seen && self.ready(now) == 0 && self.counts.draining == 0 && !draining;
        Staff { ready: self.ready(now), busy: self.fleet.busy(now), deserted }
    }

    /// Ready workers, as they are counted or by id: never both.
    pub fn ready(&self, now: Nanos) -> u32 {
        self.counts.ready + self.workers(now, Worker::is_ready)
    }

    fn workers(&self, now: Nanos, which: impl Fn(&Worker) -> bool) -> u32 {
        self.fleet.workers(now).iter().filter(|worker| which(worker)).count() as u32
    }

    /// Ready workers, the idle ones among them, starting, draining, standby and overdue ones, as a status names them.
    pub fn replicas(&self, now: Nanos) -> (u32, Option<u32>, [u32; 4]) {
        let doing = |doing| self.workers(now, |worker| worker.doing == doing);
        let idle = self.counts.idle.map(|idle| idle + doing(Doing::Idle));
        let starting = self.counts.starting + doing(Doing::Starting);
        let draining = self.counts.draining + doing(Doing::Draining);
        let standby = self.counts.standby + doing(Doing::Standby);
        (self.ready(now), idle, [starting, draining, standby, self.overdue() + doing(Doing::Late)])
    }

    /// Starting workers that did not take too long, and ready ones.
    pub fn in_service(&self, now: Nanos) -> u32 {
        let starting = self.starting.iter().filter(|(_, _, late)| !late).map(|(_, count, _)| count).sum::<u32>();
        self.ready(now) + starting + self.workers(now, |worker| worker.doing == Doing::Starting)
    }

    fn overdue(&self) -> u32 {
        self.starting.iter().filter(|(_, _, late)| *late).map(|(_, count, _)| count).sum()
    }

    /// Ready workers that the idle timeout does not let go: those known not to be idle, or not for so long.
    pub fn held(&self, now: Nanos, config: &Config) -> u32 {
        let Some(timeout) = config.idle_timeout().map(nanos) else { return 0 };
        let counted = self.counts.idle.map_or(0, |idle| self.counts.ready - idle);
        let free = |worker: &Worker| worker.doing == Doing::Idle && now >= worker.since + timeout;
        counted + self.workers(now, |worker| worker.is_ready() && !free(worker))
    }

    /// Whether this can be so: what a worker says fits what is known of it, and nobody counts workers that are named.
    pub fn accepts(&self, now: Nanos, what: &Observation) -> bool {
        match *what {
            Observation::Worker { id, event } => self.fleet.accepts(now, id, event),
            Observation::Pool(_) => self.fleet.workers(now).is_empty(),
            Observation::Arrived { queue: Some(id), .. }
            | Observation::Started { queue: Some(id), .. }
            | Observation::Abandoned { queue: Some(id), .. }
            | Observation::Queue { queue: Some(id), .. } => self.fleet.worker(now, id).is_some(),
            _ => true,
        }
    }

    /// Takes in what concerns the pool. True if workers appeared that nobody had ordered.
    pub fn observe(&mut self, now: Nanos, what: &Observation, config: &Config) -> bool {
        match *what {
            Observation::StartFailed { count, cause } => {
                self.seen = true;
                self.orders.confirm(count);
                self.expected.confirm(count);
                self.provider.failed(now, count, cause, config);
                false
            }
            Observation::Pool(counts) => self.count(now, counts, config),
            Observation::Worker { id, event } => self.says(now, id, event, config),
            _ => false,
        }
    }

    fn says(&mut self, now: Nanos, id: WorkerId, event: WorkerEvent, config: &Config) -> bool {
        let first = self.fleet.workers(now).is_empty();
        let news = self.fleet.says(now, id, event);
        let unordered = news.appeared && !news.loaded && self.expected.at(now) == 0;
        self.seen |= news.appeared;
        if news.loaded {
            self.prewarms.confirm(1);
        } else if news.appeared {
            self.expected.confirm(1);
            self.orders.confirm(1);
        }
        // Who comes back is one of those that were called for.
        self.expected.confirm(u32::from(news.returned));
        if news.appeared && first {
            // What was counted is nobody's any more, but for what has failed.
            self.starting.clear();
            self.counts = PoolCounts { failed: self.counts.failed, idle: Some(0), ..PoolCounts::default() };
        }
        if let Some(cause) = news.failed {
            self.provider.failed(now, 1, cause, config);
        }
        if news.started {
            self.provider.succeeded(now);
        }
        unordered
    }

    fn count(&mut self, now: Nanos, counts: PoolCounts, config: &Config) -> bool {
        let (before, overdue_before) = (self.counts, self.overdue());
        // Of the starting ones the oldest go first.
        let mut leaving = before.starting.saturating_sub(counts.starting);
        for (_, count, _) in &mut self.starting {
            let here = leaving.min(*count);
            (*count, leaving) = (*count - here, leaving - here);
        }
        self.starting.push((now, counts.starting.saturating_sub(before.starting), false));
        self.starting.retain(|(_, count, _)| *count > 0);

        // More workers are the ones that were ordered, fewer the ones that were let go.
        let (total_before, total) = (before.ready + before.starting, counts.ready + counts.starting);
        let grown = total.saturating_sub(total_before);
        let unordered = grown > self.expected.at(now);
        self.expected.confirm(grown);
        let revived = grown.min(self.revivals.at(now));
        self.revivals.confirm(revived);
        self.orders.confirm(grown - revived);
        self.prewarms.confirm((counts.standby + counts.prewarming).saturating_sub(before.standby + before.prewarming));
        self.releases.confirm(total_before.saturating_sub(total));

        // A ready worker that fails is no failed start, and one that took too long has counted as one already.
        let became_ready = counts.ready.saturating_sub(before.ready);
        let gave_up = overdue_before.saturating_sub(self.overdue()).saturating_sub(became_ready);
        let failed = counts.failed.saturating_sub(before.failed);
        let failed_starts = failed.saturating_sub(before.ready.saturating_sub(counts.ready)).saturating_sub(gave_up);
        if failed_starts > 0 {
            self.provider.failed(now, failed_starts, FailureCause::Crash, config);
        }
        // What is there when the pool is first seen says nothing of how it came.
        if became_ready > 0 && self.seen {
            self.provider.succeeded(now);
        }
        self.seen = true;
        self.counts = counts;
        unordered
    }

    /// Starts that take too long count as failed. True if there are new ones.
    pub fn lapse(&mut self, now: Nanos, config: &Config) -> bool {
        let deadline = self.fleet.deadline(config);
        let mut late = 0;
        for (since, count, overdue) in &mut self.starting {
            if !*overdue && now >= *since + deadline {
                (*overdue, late) = (true, late + *count);
            }
        }
        // Of those that were told to go, these do not count any more.
        self.releases.confirm(late);
        late += self.fleet.give_up(now, config);
        if late > 0 {
            self.provider.failed(now, late, FailureCause::Timeout, config);
        }
        late > 0
    }

    /// Workers that the count calls for and that nobody has seen are expected.
    pub fn expect(&mut self, now: Nanos, desired: u32, max: u32, config: &Config) {
        let called_for = self.target(now, desired, u32::MAX).min(max.max(desired));
        let missing = called_for.saturating_sub(self.in_service(now)).saturating_sub(self.expected.at(now));
        if self.seen && missing > 0 {
            self.expected.add(now, missing, config);
        }
    }

    /// So many there and starting bring the pool to `desired`, where some of those that start do not come.
    pub fn target(&self, now: Nanos, desired: u32, committed: u32) -> u32 {
        let there = committed.min(self.ready(now)).min(desired);
        there + self.provider.gross(desired - there).max(desired - there)
    }

    /// Orders under way; without reports nothing is ever lost.
    pub const fn orders(&self, now: Nanos) -> u32 {
        if self.seen { self.orders.at(now) } else { self.orders.count }
    }

    pub fn committed(&self, now: Nanos) -> u32 {
        let there = if self.fleet.workers(now).is_empty() {
            // What was let go is of those in service, what was revived comes from elsewhere.
            self.in_service(now).saturating_sub(self.releases.at(now)) + self.revivals.at(now)
        } else {
            self.workers(now, Worker::is_committed)
        };
        there + self.orders(now)
    }

    /// Standby workers that can still be revived.
    pub fn standby(&self, now: Nanos) -> u32 {
        let free = self.workers(now, |worker| worker.doing == Doing::Standby && worker.told.is_none());
        self.counts.standby.saturating_sub(self.revivals.at(now)) + free
    }

    /// How many more standby workers are wanted: as many as are configured, within max together with the committed ones,
    /// of which so many are leaving.
    pub fn standby_room(&self, now: Nanos, leaving: u32, max: u32, config: &Config) -> u32 {
        let wanted = config.standby().min(max.saturating_sub(self.committed(now) - leaving));
        let parking = self.workers(now, |worker| matches!(worker.told, Some((Order::Park, _))));
        let loading = self.counts.prewarming + self.workers(now, |worker| worker.doing == Doing::Loading);
        let ordered = if self.seen { self.prewarms.at(now) } else { self.prewarms.count };
        wanted.saturating_sub(self.standby(now) + parking + loading + ordered)
    }

    /// Instants at which orders are given up, starts take too long, or orders become possible.
    pub fn due(&self, now: Nanos, config: &Config) -> Vec<Nanos> {
        let outstanding =
            [self.orders, self.releases, self.prewarms, self.revivals].map(|outstanding| outstanding.until);
        let starts = self.starting.iter().map(|(since, _, _)| since + self.fleet.deadline(config));
        let due = outstanding.into_iter().chain(starts).chain(self.provider.due(self.patience(config)));
        due.chain(self.fleet.due(now, config)).collect()
    }

    /// How long a probe's outcome may take.
    pub fn patience(&self, config: &Config) -> Nanos {
        self.fleet.deadline(config).max(nanos(config.order_timeout()))
    }
}
