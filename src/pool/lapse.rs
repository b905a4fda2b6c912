//! What time alone does to a pool: commands lapse, leases end, starts take too long.

use super::outstanding::lapsed;
use super::starts::deadline;
use super::tree::Slot;
use super::{Pool, State, Worker};
use crate::config::Config;
use crate::observation::FailureCause;
use crate::time::{Earliest, Timestamp};

impl Pool {
    /// Forgets commands whose effect did not show in time, so that nothing stays stuck on a lost message, ends leases,
    /// and gives up workers that take too long to start. How many of those there are now.
    pub(crate) fn lapse(&mut self, now: Timestamp, config: &Config) -> u32 {
        let starting = self.by_id() && self.census.starting > 0;
        let late = self.lapse_each(now, starting, config);
        if late > 0 {
            self.failed = self.failed.saturating_add(u64::from(late));
            self.last_failure = Some(FailureCause::Timeout);
        }
        late
    }

    fn lapse_each(&mut self, now: Timestamp, starting: bool, config: &Config) -> u32 {
        let (cold, warm) = (self.start_deadline(config), deadline(&self.warm_starts, config));
        let late = if self.cohorts.is_untouched() { 0 } else { self.cohorts.lapse(now, cold) };
        if late > 0 {
            self.census.overdue = self.cohorts.overdue();
            // Of those that were told to go, these do not count any more.
            self.releases.confirm(late);
        }
        let deadlines = [(false, cold), (true, warm)];
        let overdue = |pool: &Self, (is_warm, deadline): (bool, u64)| {
            let first = pool.workers.turns().first_start(is_warm).filter(|_| starting);
            first.filter(|(since, _)| now.since(*since) >= deadline)
        };
        let any = deadlines.into_iter().any(|each| overdue(self, each).is_some());
        if !any && self.earliest_lapse.is_none_or(|at| at > now) {
            if starting {
                self.earliest_lapse = self.first_lapse();
            }
            return late;
        }
        let mut lapse = self.workers.turns().first_lapse();
        while let Some((until, at)) = lapse.filter(|(until, _)| *until <= now) {
            self.lapse_one(now, at);
            lapse = self.workers.turns().lapse_after((until, at));
        }
        let mut late = late;
        for each in deadlines {
            while let Some((since, at)) = overdue(self, each) {
                let Some(&worker) = self.workers.get(at) else { break };
                self.replace(at, &worker, Worker { state: State::Overdue, since: now, ..worker });
                let starts = if each.0 { &mut self.warm_starts } else { &mut self.cold_starts };
                starts.exceeded(now.since(since));
                late = late.saturating_add(1);
            }
        }
        self.earliest_lapse = self.first_lapse();
        late
    }

    /// What worker `at` was told, and its lease, if that is over.
    fn lapse_one(&mut self, now: Timestamp, at: Slot) {
        let Some(&worker) = self.workers.get(at) else { return };
        let mut next = worker;
        next.pending = worker.pending.filter(|(_, until)| !lapsed(*until, now));
        if let State::Leased(until) = worker.state {
            if until <= now {
                (next.state, next.since) = (State::Idle, until);
            }
        }
        self.replace(at, &worker, next);
    }

    fn first_lapse(&self) -> Option<Timestamp> {
        self.workers.turns().first_lapse().map(|(until, _)| until)
    }

    /// Ready and idle workers that an idle timeout of so many nanoseconds lets go at `now`, and when the next of those that
    /// are idle may go: whatever they were told, and of those that were told nothing.
    pub(crate) fn idle(&self, now: Timestamp, timeout: u64) -> (u32, [Option<Timestamp>; 2]) {
        self.workers.idle(now, timeout)
    }

    /// Notes once who is idle, where that will be asked for.
    pub(crate) fn look_at_idle(&mut self, now: Timestamp, timeout: u64) {
        self.workers.look_at_loads();
        if let Some(turns) = self.workers.turns_mut() {
            turns.look_at_idle(now, timeout);
        }
    }

    /// When the next worker will have taken too long to start.
    fn next_overdue(&self, config: &Config) -> Option<Timestamp> {
        if self.census.starting == 0 {
            return None;
        }
        let (cold, warm) = (self.start_deadline(config), deadline(&self.warm_starts, config));
        if !self.by_id() {
            return self.cohorts.due(cold);
        }
        let first = |is_warm| self.workers.turns().first_start(is_warm);
        let due = [(first(false), cold), (first(true), warm)];
        due.into_iter().filter_map(|(first, deadline)| Some(first?.0.plus(deadline))).min()
    }

    pub(super) fn note_lapse(&mut self, until: Timestamp) {
        self.earliest_lapse = Some(self.earliest_lapse.map_or(until, |at| at.min(until)));
    }

    /// When a command next lapses, a lease ends, or a worker will have taken too long to start.
    pub(crate) fn next_lapse(&self, now: Timestamp, config: &Config) -> Option<Timestamp> {
        let mut next = Earliest::after(now);
        if self.seen {
            for outstanding in [self.orders, self.prewarms, self.releases, self.revivals] {
                next.note_some(outstanding.lapse());
            }
        }
        next.note_some(self.earliest_lapse);
        next.note_some(self.next_overdue(config));
        next.get()
    }
}
