//! The pool as its platform counts it, what was ordered and has not been seen, and the commands that follow.

use plimsoll::decision::Command;
use plimsoll::{Config, FailureCause, Observation, PoolCounts};

use crate::provider::Provider;
use crate::signals::{Nanos, Staff, nanos};

/// Workers that were called for, until when they count although nobody has seen them.
#[derive(Clone, Copy, Debug, Default)]
struct Outstanding {
    count: u32,
    until: Nanos,
}

impl Outstanding {
    const fn at(self, now: Nanos) -> u32 {
        if now < self.until { self.count } else { 0 }
    }

    fn add(&mut self, now: Nanos, more: u32, config: &Config) {
        *self = Self { count: self.at(now) + more, until: now + nanos(config.order_timeout()) };
    }

    const fn confirm(&mut self, count: u32) {
        self.count = self.count.saturating_sub(count);
    }
}

#[derive(Clone, Debug, Default)]
pub struct Pool {
    /// Whether the platform reports its pool at all; until it does what was ordered is there.
    pub seen: bool,
    counts: PoolCounts,
    /// Starting workers, oldest first: since when, how many, and whether they took too long.
    starting: Vec<(Nanos, u32, bool)>,
    /// What the count calls for and nobody has seen.
    expected: Outstanding,
    orders: Outstanding,
    releases: Outstanding,
    pub provider: Provider,
}

impl Pool {
    pub const fn staff(&self) -> Staff {
        let deserted = self.seen && self.counts.ready == 0 && self.counts.draining == 0;
        Staff { ready: self.counts.ready, busy: None, deserted }
    }

    /// Starting workers that did not take too long, and ready ones.
    pub fn in_service(&self) -> u32 {
        self.counts.ready + self.starting.iter().filter(|(_, _, late)| !late).map(|(_, count, _)| count).sum::<u32>()
    }

    fn overdue(&self) -> u32 {
        self.starting.iter().filter(|(_, _, late)| *late).map(|(_, count, _)| count).sum()
    }

    /// Ready workers that the idle timeout does not let go: those known not to be idle.
    pub fn held(&self, config: &Config) -> u32 {
        let idle = config.idle_timeout().and(self.counts.idle);
        idle.map_or(0, |idle| self.counts.ready - idle)
    }

    /// Takes in what concerns the pool. True if workers appeared that nobody had ordered.
    pub fn observe(&mut self, now: Nanos, what: &Observation) -> bool {
        match *what {
            Observation::StartFailed { count, cause } => {
                self.seen = true;
                self.orders.confirm(count);
                self.expected.confirm(count);
                self.provider.failed(now, count, cause);
                false
            }
            Observation::Pool(counts) => self.count(now, counts),
            _ => false,
        }
    }

    fn count(&mut self, now: Nanos, counts: PoolCounts) -> bool {
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
        self.orders.confirm(grown);
        self.releases.confirm(total_before.saturating_sub(total));

        // A ready worker that fails is no failed start, and one that took too long has counted as one already.
        let became_ready = counts.ready.saturating_sub(before.ready);
        let gave_up = overdue_before.saturating_sub(self.overdue()).saturating_sub(became_ready);
        let failed = counts.failed.saturating_sub(before.failed);
        let failed_starts = failed.saturating_sub(before.ready.saturating_sub(counts.ready)).saturating_sub(gave_up);
        if failed_starts > 0 {
            self.provider.failed(now, failed_starts, FailureCause::Crash);
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
        let mut late = 0;
        for (since, count, overdue) in &mut self.starting {
            if !*overdue && now >= *since + nanos(config.start_timeout()) {
                (*overdue, late) = (true, late + *count);
            }
        }
        if late > 0 {
            self.releases.confirm(late);
            self.provider.failed(now, late, FailureCause::Timeout);
        }
        late > 0
    }

    /// Workers that the count calls for and that nobody has seen are expected.
    pub fn expect(&mut self, now: Nanos, desired: u32, max: u32, config: &Config) {
        let called_for = self.target(desired, desired, config).min(max.max(desired));
        let missing = called_for.saturating_sub(self.in_service()).saturating_sub(self.expected.at(now));
        if self.seen && missing > 0 {
            self.expected.add(now, missing, config);
        }
    }

    /// So many there and starting bring the pool to `desired`, where some of those that start do not come.
    fn target(&self, desired: u32, committed: u32, config: &Config) -> u32 {
        let there = committed.min(self.counts.ready).min(desired);
        there + self.provider.gross(desired - there, config).max(desired - there)
    }

    /// Orders under way; without reports nothing is ever lost.
    const fn orders(&self, now: Nanos) -> u32 {
        if self.seen { self.orders.at(now) } else { self.orders.count }
    }

    fn committed(&self, now: Nanos) -> u32 {
        self.in_service().saturating_sub(self.releases.at(now)) + self.orders(now)
    }

    /// The commands that bring the pool to `desired`, noted as given.
    pub fn place(&mut self, now: Nanos, desired: u32, max: u32, config: &Config) -> Vec<Command> {
        let committed = self.committed(now);
        let most = self.target(desired, committed, config).min(max.max(desired));
        let mut commands = Vec::new();
        if committed < desired {
            let allowed = self.provider.allows(now, desired - committed, patience(config), config);
            let count = allowed.min(most - committed);
            if count > 0 {
                commands.push(Command::Start { count });
                let until = now + nanos(config.order_timeout());
                self.orders = Outstanding { count: self.orders(now) + count, until };
            }
        } else if committed > most {
            // Orders that nobody has seen are the first to go, as soon as they are there.
            let unseen = if self.seen { self.orders.at(now) } else { 0 };
            let surplus = (committed - most).saturating_sub(unseen);
            let idle = config.idle_timeout().and(self.counts.idle);
            let count = surplus.min(idle.map_or(u32::MAX, |idle| idle.saturating_sub(self.releases.at(now))));
            if count > 0 {
                commands.push(Command::Release { count });
                if self.seen { self.releases.add(now, count, config) } else { self.orders.confirm(count) }
            }
        }
        self.provider.told(now, &commands);
        commands
    }

    /// Instants at which orders are given up, starts take too long, or orders become possible.
    pub fn due(&self, config: &Config) -> Vec<Nanos> {
        let outstanding = [self.orders.until, self.releases.until];
        let starts = self.starting.iter().map(|(since, _, _)| since + nanos(config.start_timeout()));
        outstanding.into_iter().chain(starts).chain(self.provider.due(patience(config), config)).collect()
    }
}

/// How long a probe's outcome may take.
fn patience(config: &Config) -> Nanos {
    nanos(config.start_timeout()).max(nanos(config.order_timeout()))
}
