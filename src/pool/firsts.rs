//! Which worker is the first of its kind: the longest starting, draining or idle one, and whose command lapses next.
//!
//! An evaluation asks for the first ones, not for all. Each is known as long as one of those that began at the same instant
//! is left; then the workers are looked through once. What is known follows from the workers, and says nothing that they do
//! not: it is no part of the state.

use alloc::boxed::Box;
use core::hash::{Hash, Hasher};
use core::ops::{Deref, DerefMut};

use super::{State, Worker};
use crate::time::Timestamp;

/// The workers have to be looked through to know it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Unknown;

/// The earliest of several instants.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct First {
    /// Of how many instants it is the earliest, …
    of: u32,
    /// … and how many of them are the same; zero if it is not known which is the earliest.
    same: u32,
    at: Timestamp,
}

impl First {
    fn note(&mut self, at: Timestamp, add: bool) {
        if !add {
            self.of = self.of.saturating_sub(1);
            self.same = self.same.saturating_sub(u32::from(at == self.at));
            return;
        }
        if self.of == 0 || (self.same > 0 && at < self.at) {
            (self.at, self.same) = (at, 1);
        } else if self.same > 0 && at == self.at {
            self.same = self.same.saturating_add(1);
        }
        self.of = self.of.saturating_add(1);
    }

    const fn is_known(self) -> bool {
        self.of == 0 || self.same > 0
    }

    pub(super) fn get(self) -> Result<Option<Timestamp>, Unknown> {
        if self.is_known() { Ok((self.of > 0).then_some(self.at)) } else { Err(Unknown) }
    }
}

/// Idle workers by an idle timeout: how many may go, and who is the next.
#[derive(Clone, Copy, Debug, Default)]
struct Idle {
    /// In nanoseconds; `None` if nobody has asked.
    timeout: Option<u64>,
    /// When they were looked through.
    seen: Timestamp,
    /// Those that may have gone then.
    free: u32,
    /// Since when the others are idle, …
    held: First,
    /// … and those of them that were told nothing.
    untold: First,
}

impl Idle {
    fn of(workers: &[Worker], now: Timestamp, timeout: u64) -> Self {
        let mut idle = Self { timeout: Some(timeout), seen: now, ..Self::default() };
        for worker in workers.iter().filter(|worker| worker.state == State::Idle) {
            idle.note(worker, true);
        }
        idle
    }

    fn note(&mut self, worker: &Worker, add: bool) {
        let Some(timeout) = self.timeout else { return };
        if worker.since.plus(timeout) <= self.seen {
            self.free = if add { self.free.saturating_add(1) } else { self.free.saturating_sub(1) };
            return;
        }
        self.held.note(worker.since, add);
        if worker.pending.is_none() {
            self.untold.note(worker.since, add);
        }
    }

    /// Whether it says how it is at `now`.
    fn holds(&self, now: Timestamp, timeout: u64) -> bool {
        let due = |first: First| first.get().map(|since| since.is_none_or(|since| since.plus(timeout) > now));
        self.timeout == Some(timeout) && now >= self.seen && due(self.held) == Ok(true) && self.untold.is_known()
    }

    fn due(&self, first: First) -> Option<Timestamp> {
        first.get().ok().flatten().zip(self.timeout).map(|(since, timeout)| since.plus(timeout))
    }
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Firsts {
    /// Since when workers start from nothing and from standby.
    pub(super) cold: First,
    pub(super) warm: First,
    /// Since when those drain that were told nothing more.
    pub(super) draining: First,
    /// When commands lapse and leases end.
    pub(super) lapses: First,
    idle: Idle,
    /// Workers that took too long to start and have not been told to stop.
    pub(super) overdue: u32,
}

/// The same, and no room for it before the first worker.
#[derive(Clone, Debug, Default)]
pub(super) struct Known(Option<Box<Firsts>>);

/// Of equal workers equal things are known, sooner or later.
impl PartialEq for Known {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Known {}

impl Hash for Known {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

impl Deref for Known {
    type Target = Firsts;

    fn deref(&self) -> &Firsts {
        self.0.as_deref().unwrap_or(&Firsts::OF_NOBODY)
    }
}

impl DerefMut for Known {
    fn deref_mut(&mut self) -> &mut Firsts {
        self.0.get_or_insert_default()
    }
}

impl Firsts {
    const OF_NOBODY: Self = {
        let nobody = First { of: 0, same: 0, at: Timestamp::ORIGIN };
        let idle = Idle { timeout: None, seen: Timestamp::ORIGIN, free: 0, held: nobody, untold: nobody };
        Self { cold: nobody, warm: nobody, draining: nobody, lapses: nobody, idle, overdue: 0 }
    };

    /// Adds a worker, or takes it out.
    pub(super) fn note(&mut self, worker: &Worker, add: bool) {
        match worker.state {
            State::Starting { warm: false } => self.cold.note(worker.since, add),
            State::Starting { warm: true } => self.warm.note(worker.since, add),
            State::Draining(_) if worker.pending.is_none() => self.draining.note(worker.since, add),
            State::Leased(until) => self.lapses.note(until, add),
            State::Idle => self.idle.note(worker, add),
            State::Overdue if worker.pending.is_none() => {
                self.overdue = if add { self.overdue.saturating_add(1) } else { self.overdue.saturating_sub(1) };
            }
            _ => {}
        }
        if let Some((_, until)) = worker.pending {
            self.lapses.note(until, add);
        }
    }

    /// A worker of whom nothing else changes has become idle or busy.
    pub(super) fn note_idle(&mut self, worker: &Worker, add: bool) {
        self.idle.note(worker, add);
    }

    /// Looks through the workers if something is not known that is asked for all the time.
    pub(super) fn renew(&mut self, workers: &[Worker], starting: bool) {
        let known = self.cold.is_known() && self.warm.is_known() && self.draining.is_known();
        if known && (self.lapses.is_known() || !starting) {
            return;
        }
        let idle = self.idle;
        *self = Self::default();
        for worker in workers {
            self.note(worker, true);
        }
        self.idle = idle;
    }

    /// The same for an idle timeout, in nanoseconds.
    pub(super) fn renew_idle(&mut self, workers: &[Worker], now: Timestamp, timeout: u64) {
        if !self.idle.holds(now, timeout) {
            self.idle = Idle::of(workers, now, timeout);
        }
    }

    /// Idle workers that an idle timeout lets go at `now`, and when the next may go: whatever they were told, and of those
    /// that were told nothing.
    pub(super) fn idle(&self, workers: &[Worker], now: Timestamp, timeout: u64) -> (u32, [Option<Timestamp>; 2]) {
        let idle = if self.idle.holds(now, timeout) { self.idle } else { Idle::of(workers, now, timeout) };
        (idle.free, [idle.due(idle.held), idle.due(idle.untold)])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_first_is_the_earliest_where_it_is_known(
            steps in prop::collection::vec((0_u64..12, any::<bool>()), 1..60),
        ) {
            let (mut first, mut all) = (First::default(), Vec::new());
            for (secs, add) in steps {
                let at = Timestamp::from_secs(secs);
                if !add && !all.contains(&at) {
                    continue;
                }
                first.note(at, add);
                match all.iter().position(|one| *one == at).filter(|_| !add) {
                    Some(position) => drop(all.remove(position)),
                    None => all.push(at),
                }
                if let Ok(earliest) = first.get() {
                    prop_assert_eq!(earliest, all.iter().min().copied());
                }
                prop_assert!(first.is_known() || !all.is_empty(), "of none it is known");
            }
        }
    }
}
