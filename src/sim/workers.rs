//! The simulated pool: workers with slots, cold and warm starts, drains and a standby tier.

mod router;

use core::cmp::Ordering;
use std::vec::Vec;

use self::router::Free;
pub use self::router::Router;
use crate::observation::{FailureCause, WorkerId};
use crate::time::Timestamp;

/// What a simulated worker is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    /// On its way to being ready.
    Starting,
    /// On its way into standby.
    Prewarming,
    Ready,
    Draining,
    Standby,
    Gone,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Worker {
    pub(super) state: State,
    pub(super) busy: u32,
    /// Counts its starts and stops, so that an event meant for an earlier life is recognised.
    pub(super) life: u32,
    /// Of which class it is.
    pub(super) class: u8,
    /// Its provider has announced that it will take it back.
    pub(super) doomed: bool,
}

impl Worker {
    /// What it serves, if it has a free slot.
    fn free(&self, slots: u32) -> Option<u32> {
        (self.state == State::Ready && self.busy < slots).then_some(self.busy)
    }
}

/// How many workers are in each state.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Tally {
    pub(super) starting: u32,
    pub(super) prewarming: u32,
    pub(super) ready_idle: u32,
    pub(super) ready_busy: u32,
    pub(super) draining: u32,
    pub(super) standby: u32,
}

/// All workers there have been, by id; the id is the position.
#[derive(Debug, Default)]
pub(super) struct Workers {
    all: Vec<Worker>,
    /// Ready workers with a free slot.
    free: Free,
    tally: Tally,
    /// Requests that one worker serves at once, by class.
    slots: Vec<u32>,
    /// Slots of ready workers.
    capacity: u64,
    /// How often a worker's state has changed, whatever it serves.
    changes: u64,
}

impl Workers {
    pub(super) fn new(slots: Vec<u32>, router: Router, seed: u64) -> Self {
        Self { slots, free: Free::new(router, seed), ..Self::default() }
    }

    pub(super) fn all(&self) -> &[Worker] {
        &self.all
    }

    pub(super) const fn tally(&self) -> &Tally {
        &self.tally
    }

    /// How often a worker's state has changed, whatever it serves. As long as it does not, neither do the sums, but that
    /// ready workers become busy or idle.
    pub(super) const fn changes(&self) -> u64 {
        self.changes
    }

    /// Slots of ready workers.
    pub(super) const fn capacity(&self) -> u64 {
        self.capacity
    }

    pub(super) fn get(&self, at: usize) -> Option<Worker> {
        self.all.get(at).copied()
    }

    /// One that is not there yet.
    pub(super) fn add(&mut self, class: u8) -> usize {
        self.all.push(Worker { state: State::Gone, busy: 0, life: 0, class, doomed: false });
        self.all.len().saturating_sub(1)
    }

    /// The ready worker that takes the next request.
    pub(super) fn next_free(&mut self) -> Option<usize> {
        self.free.next()
    }

    /// Changes a worker and keeps the sums: what it was and what it is.
    pub(super) fn change(&mut self, at: usize, change: impl FnOnce(&mut Worker)) -> Option<(Worker, Worker)> {
        let worker = self.all.get_mut(at)?;
        let old = *worker;
        change(worker);
        let new = *worker;
        let slots = self.slots.get(usize::from(new.class)).copied().unwrap_or(1);
        if old.state == new.state {
            self.count_load(old, new);
        } else {
            self.count(old, slots, false);
            self.count(new, slots, true);
            self.changes = self.changes.saturating_add(1);
        }
        self.free.update(at, old.free(slots), new.free(slots));
        Some((old, new))
    }

    /// The same where only what it serves has changed, twice in the life of each request.
    #[inline]
    const fn count_load(&mut self, old: Worker, new: Worker) {
        let Tally { ready_idle, ready_busy, .. } = &mut self.tally;
        match (old.state, old.busy, new.busy) {
            (State::Ready, 0, 1..) => {
                (*ready_idle, *ready_busy) = (ready_idle.saturating_sub(1), ready_busy.saturating_add(1));
            }
            (State::Ready, 1.., 0) => {
                (*ready_idle, *ready_busy) = (ready_idle.saturating_add(1), ready_busy.saturating_sub(1));
            }
            _ => {}
        }
    }

    #[inline(never)]
    fn count(&mut self, worker: Worker, slots: u32, add: bool) {
        if worker.state == State::Ready {
            let slots = u64::from(slots);
            self.capacity = if add { self.capacity.saturating_add(slots) } else { self.capacity.saturating_sub(slots) };
        }
        let field = match worker.state {
            State::Starting => &mut self.tally.starting,
            State::Prewarming => &mut self.tally.prewarming,
            State::Ready if worker.busy == 0 => &mut self.tally.ready_idle,
            State::Ready => &mut self.tally.ready_busy,
            State::Draining => &mut self.tally.draining,
            State::Standby => &mut self.tally.standby,
            State::Gone => return,
        };
        *field = if add { field.saturating_add(1) } else { field.saturating_sub(1) };
    }
}

/// A worker's name for the autoscaler.
pub(super) const fn id(at: usize) -> WorkerId {
    WorkerId(at as u64)
}

/// The position of a worker that the autoscaler named.
pub(super) fn position(id: WorkerId) -> usize {
    usize::try_from(id.0).unwrap_or(usize::MAX)
}

/// Something that will happen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Event {
    pub(super) at: Timestamp,
    pub(super) kind: Kind,
    /// Keeps events of one instant in the order in which they were caused.
    pub(super) sequence: u64,
}

impl Ord for Event {
    /// Field by field; few are of one instant, so that instants are mostly all that is compared.
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        let of_one_instant = || self.kind.cmp(&other.kind).then(self.sequence.cmp(&other.sequence));
        self.at.cmp(&other.at).then_with(of_one_instant)
    }
}

impl PartialOrd for Event {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// What will happen; of one instant, slots are freed before workers become ready, and what is there before what fails.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Kind {
    /// A request is served.
    Finish { worker: usize, life: u32, service: u64 },
    /// A start is over.
    Started { worker: usize, life: u32 },
    /// A worker's provider says that it will take it back.
    Notice { worker: usize, life: u32 },
    /// A worker is there no more.
    Failed { worker: usize, life: u32, cause: FailureCause },
    /// Requests that nobody has seen arrive are seen.
    Thaw,
    /// All workers of a class are taken back.
    TakenBack { class: u8 },
}
