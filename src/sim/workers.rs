//! The simulated pool: workers with slots, cold and warm starts, drains and a standby tier.

use std::collections::BTreeSet;
use std::vec::Vec;

use crate::observation::WorkerId;
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
    /// Ready workers with a free slot. Requests go to the lowest id, so that idle workers gather at the other end.
    free: BTreeSet<usize>,
    tally: Tally,
    slots: u32,
}

impl Workers {
    pub(super) fn new(slots: u32) -> Self {
        Self { slots, ..Self::default() }
    }

    pub(super) const fn tally(&self) -> Tally {
        self.tally
    }

    /// Slots of ready workers.
    pub(super) fn capacity(&self) -> u64 {
        u64::from(self.tally.ready_idle.saturating_add(self.tally.ready_busy)).saturating_mul(u64::from(self.slots))
    }

    pub(super) fn get(&self, at: usize) -> Option<Worker> {
        self.all.get(at).copied()
    }

    pub(super) fn add(&mut self, state: State) -> usize {
        let at = self.all.len();
        self.all.push(Worker { state: State::Gone, busy: 0, life: 0 });
        self.change(at, |worker| worker.state = state);
        at
    }

    /// The ready worker that takes the next request.
    pub(super) fn next_free(&self) -> Option<usize> {
        self.free.first().copied()
    }

    /// Changes a worker and keeps the sums.
    pub(super) fn change(&mut self, at: usize, change: impl FnOnce(&mut Worker)) -> Option<Worker> {
        let old = self.get(at)?;
        self.count(old, false);
        let worker = self.all.get_mut(at)?;
        change(worker);
        let new = *worker;
        self.count(new, true);
        if new.state == State::Ready && new.busy < self.slots {
            self.free.insert(at);
        } else {
            self.free.remove(&at);
        }
        Some(new)
    }

    const fn count(&mut self, worker: Worker, add: bool) {
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
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Event {
    pub(super) at: Timestamp,
    pub(super) kind: Kind,
    /// Keeps events of one instant in the order in which they were caused.
    pub(super) sequence: u64,
}

/// What will happen; of one instant, slots are freed before workers become ready.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Kind {
    Finish { worker: usize, life: u32, service: u64 },
    Started { worker: usize, life: u32 },
}
