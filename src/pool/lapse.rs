//! What time alone does to a pool: commands lapse, leases end, starts take too long.

use super::firsts::Unknown;
use super::outstanding::lapsed;
use super::starts::deadline;
use super::{Pool, State, Worker};
use crate::config::Config;
use crate::observation::FailureCause;
use crate::time::{Earliest, Timestamp};

impl Pool {
    /// Forgets commands whose effect did not show in time, so that nothing stays stuck on a lost message, ends leases,
    /// and gives up workers that take too long to start. How many of those there are now.
    pub(crate) fn lapse(&mut self, now: Timestamp, config: &Config) -> u32 {
        let starting = self.by_id() && self.census.starting > 0;
        if self.by_id() {
            self.firsts.renew(&self.workers, starting);
        }
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
        let overdue = |since: Option<Timestamp>, deadline| since.is_some_and(|since| now.since(since) >= deadline);
        let [cold_since, warm_since] = [self.firsts.cold, self.firsts.warm].map(|first| first.get().ok().flatten());
        let any = starting && (overdue(cold_since, cold) || overdue(warm_since, warm));
        if !any && self.earliest_lapse.is_none_or(|at| at > now) {
            if starting {
                self.earliest_lapse = self.firsts.lapses.get().ok().flatten();
            }
            return late;
        }
        self.earliest_lapse = None;
        let mut late = late;
        for at in 0..self.workers.len() {
            let Some(&worker) = self.workers.get(at) else { break };
            let mut next = worker;
            next.pending = worker.pending.filter(|(_, until)| !lapsed(*until, now));
            match worker.state {
                State::Leased(until) if until <= now => (next.state, next.since) = (State::Idle, until),
                State::Leased(until) => self.note_lapse(until),
                State::Starting { warm: is_warm } if now.since(worker.since) >= if is_warm { warm } else { cold } => {
                    (next.state, next.since) = (State::Overdue, now);
                    let starts = if is_warm { &mut self.warm_starts } else { &mut self.cold_starts };
                    starts.exceeded(now.since(worker.since));
                    late = late.saturating_add(1);
                }
                _ => {}
            }
            if let Some((_, until)) = next.pending {
                self.note_lapse(until);
            }
            if next != worker {
                self.tally(&worker, false);
                self.tally(&next, true);
                if let Some(slot) = self.workers.get_mut(at) {
                    *slot = next;
                }
            }
        }
        if self.by_id() {
            self.firsts.renew(&self.workers, starting);
        }
        late
    }

    /// Ready and idle workers that an idle timeout of so many nanoseconds lets go at `now`, and when the next of those that
    /// are idle may go: whatever they were told, and of those that were told nothing.
    pub(crate) fn idle(&self, now: Timestamp, timeout: u64) -> (u32, [Option<Timestamp>; 2]) {
        self.firsts.idle(&self.workers, now, timeout)
    }

    /// Looks through the idle workers once, where that will be asked for.
    pub(crate) fn look_at_idle(&mut self, now: Timestamp, timeout: u64) {
        if self.by_id() {
            self.firsts.renew_idle(&self.workers, now, timeout);
        }
    }

    /// Since when the first of those drains that were told nothing more, if any.
    pub(crate) fn drains_since(&self) -> Result<Option<Timestamp>, Unknown> {
        self.firsts.draining.get()
    }

    /// Workers that took too long to start, and have not been told to stop.
    pub(crate) fn overdue_untold(&self) -> u32 {
        self.firsts.overdue
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
        if let (Ok(first_cold), Ok(first_warm)) = (self.firsts.cold.get(), self.firsts.warm.get()) {
            let due = [first_cold.map(|since| since.plus(cold)), first_warm.map(|since| since.plus(warm))];
            return due.into_iter().flatten().min();
        }
        let due = |worker: &Worker| match worker.state {
            State::Starting { warm: is_warm } => Some(worker.since.plus(if is_warm { warm } else { cold })),
            _ => None,
        };
        self.workers.iter().filter_map(due).min()
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
