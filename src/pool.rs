//! The pool as it is observed: workers by id or counts by state, and what has been commanded but not yet seen done.
//!
//! *Committed* = starting + ready, orders under way included. A worker told to stop or drain has left the committed
//! count already; a standby, draining or failed one was never in it.

use alloc::vec::Vec;
use core::time::Duration;

use crate::observation::{FailureCause, PoolCounts, Rejected, WorkerEvent, WorkerId};
use crate::time::{Timestamp, Waiting};

/// How many workers are tracked by id at most; a larger pool reports counts.
const MAX_WORKERS: u32 = 1_000_000;

/// What a worker is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    /// Ordered; `warm` if it is being revived from standby.
    Starting {
        warm: bool,
    },
    /// Ready, and nothing is known of its load: counts as busy.
    Unknown,
    Idle,
    Busy(u32),
    Draining(u32),
    Prewarming,
    Standby,
}

impl State {
    const fn name(self) -> &'static str {
        match self {
            Self::Starting { .. } => "starting",
            Self::Unknown => "ready",
            Self::Idle => "idle",
            Self::Busy(_) => "busy",
            Self::Draining(_) => "draining",
            Self::Prewarming => "prewarming",
            Self::Standby => "standby",
        }
    }

    const fn is_ready(self) -> bool {
        matches!(self, Self::Unknown | Self::Idle | Self::Busy(_))
    }
}

/// A command whose effect has not been observed yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Pending {
    Stop,
    /// Stop, but stay loaded in standby.
    Park,
    Drain,
    Revive,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Worker {
    pub(crate) id: WorkerId,
    pub(crate) state: State,
    /// Since when it is in that state (idle since, draining since, ordered at).
    pub(crate) since: Timestamp,
    /// What it was told, and when that lapses unless it is seen done.
    pub(crate) pending: Option<(Pending, Timestamp)>,
    pub(crate) queue_depth: u32,
    pub(crate) oldest: Option<Waiting>,
    /// Moving average of its own queue's sojourn, in nanoseconds; `None` before the first.
    pub(crate) sojourn: Option<u64>,
}

impl Worker {
    const fn new(id: WorkerId, state: State, now: Timestamp) -> Self {
        Self { id, state, since: now, pending: None, queue_depth: 0, oldest: None, sojourn: None }
    }

    /// Counts towards the committed count.
    pub(crate) const fn is_committed(&self) -> bool {
        match self.pending {
            Some((Pending::Stop | Pending::Park | Pending::Drain, _)) => false,
            Some((Pending::Revive, _)) => true,
            None => matches!(self.state, State::Starting { .. } | State::Unknown | State::Idle | State::Busy(_)),
        }
    }

    const fn slots(&self) -> u32 {
        match self.state {
            State::Busy(n) | State::Draining(n) => n,
            _ => 0,
        }
    }
}

/// Whether a wait until `until` is over. The end of time never comes.
const fn lapsed(until: Timestamp, now: Timestamp) -> bool {
    until.as_nanos() <= now.as_nanos() && until.as_nanos() < Timestamp::MAX.as_nanos()
}

/// Orders that no observation has confirmed yet, and when they count as lost.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Outstanding {
    count: u32,
    until: Timestamp,
}

impl Outstanding {
    const fn at(self, now: Timestamp) -> u32 {
        if lapsed(self.until, now) { 0 } else { self.count }
    }

    /// `under_way` of them are still outstanding; so many more come.
    const fn add(&mut self, now: Timestamp, under_way: u32, count: u32, timeout: u64) {
        self.count = under_way.saturating_add(count);
        self.until = now.plus(timeout);
    }

    const fn confirm(&mut self, count: u32) {
        self.count = self.count.saturating_sub(count);
    }

    const fn lapse(self) -> Option<Timestamp> {
        if self.count > 0 { Some(self.until) } else { None }
    }
}

/// How many workers are in each state.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Census {
    pub(crate) ready: u32,
    /// Ready and known to serve nothing; `None` if the platform cannot tell.
    pub(crate) idle: Option<u32>,
    pub(crate) starting: u32,
    pub(crate) draining: u32,
    pub(crate) standby: u32,
}

/// Start durations of one kind, cold or warm.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Starts {
    pub(crate) count: u64,
    sum: u64,
}

impl Starts {
    const fn add(&mut self, nanos: u64) {
        self.count = self.count.saturating_add(1);
        self.sum = self.sum.saturating_add(nanos);
    }

    pub(crate) fn mean(&self) -> Option<Duration> {
        self.sum.checked_div(self.count).map(Duration::from_nanos)
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Pool {
    /// Sorted by id. Empty for platforms that report counts.
    workers: Vec<Worker>,
    census: Census,
    /// Requests that workers themselves report as being served; `None` without such reports.
    busy_slots: u64,
    unknown_load: u32,
    prewarming: u32,
    /// Committed workers by id (what was told to stop is out already).
    committed_by_id: u32,
    /// Whether the platform has ever reported its pool. Until it does, it is taken at its word: what was ordered is
    /// there.
    seen: bool,
    /// No command to a worker lapses before this instant.
    earliest_lapse: Option<Timestamp>,
    /// Workers that the count calls for and that have not been seen, whether their order has been given or not:
    /// what appears beyond them was ordered by nobody.
    expected: Outstanding,
    orders: Outstanding,
    prewarms: Outstanding,
    /// Workers let go or revived by count, not yet seen in the counts.
    releases: Outstanding,
    revivals: Outstanding,
    pub(crate) failed: u64,
    pub(crate) last_failure: Option<FailureCause>,
    pub(crate) cold_starts: Starts,
    pub(crate) warm_starts: Starts,
    /// Requests waiting in queues of single workers, and the oldest of them with its owner.
    replica_depth: u64,
    replica_queues: bool,
    replica_oldest: Option<(Waiting, WorkerId)>,
}

impl Pool {
    /// Workers by state, as observed.
    pub(crate) const fn census(&self) -> Census {
        self.census
    }

    /// Whether the platform has ever reported its pool.
    pub(crate) const fn is_seen(&self) -> bool {
        self.seen
    }

    pub(crate) fn workers(&self) -> &[Worker] {
        &self.workers
    }

    pub(crate) fn by_id(&self) -> bool {
        !self.workers.is_empty()
    }

    /// Starting + ready, orders under way included, departures under way not.
    pub(crate) fn committed(&self, now: Timestamp) -> u32 {
        let observed = if self.by_id() {
            self.committed_by_id
        } else {
            // In 64 bits, so that nothing is cut off before the releases are taken out.
            let there = u64::from(self.observed()).saturating_add(u64::from(self.revivals.at(now)));
            u32::try_from(there.saturating_sub(u64::from(self.releases.at(now)))).unwrap_or(u32::MAX)
        };
        observed.saturating_add(self.under_way(self.orders, now))
    }

    /// What is under way: nothing lapses while the platform reports no pool.
    const fn under_way(&self, outstanding: Outstanding, now: Timestamp) -> u32 {
        if self.seen { outstanding.at(now) } else { outstanding.count }
    }

    /// Standby workers that can still be revived.
    pub(crate) fn standby(&self, now: Timestamp) -> u32 {
        if self.by_id() {
            let held = self.workers.iter().filter(|w| w.state == State::Standby && w.pending.is_none()).count();
            u32::try_from(held).unwrap_or(u32::MAX)
        } else {
            self.census.standby.saturating_sub(self.revivals.at(now))
        }
    }

    /// Workers told to become standby that have not yet.
    pub(crate) fn parking(&self) -> u32 {
        let parking = |worker: &&Worker| matches!(worker.pending, Some((Pending::Park, _)));
        u32::try_from(self.workers.iter().filter(parking).count()).unwrap_or(u32::MAX)
    }

    /// Workers revived by count that no observation has confirmed yet.
    pub(crate) const fn revivals(&self, now: Timestamp) -> u32 {
        self.revivals.at(now)
    }

    /// Workers let go by count that no observation has confirmed yet.
    pub(crate) const fn releases(&self, now: Timestamp) -> u32 {
        self.releases.at(now)
    }

    /// Orders that no observation has confirmed yet.
    pub(crate) const fn orders(&self, now: Timestamp) -> u32 {
        if self.seen { self.orders.at(now) } else { 0 }
    }

    /// Workers on their way into standby.
    pub(crate) const fn prewarming(&self, now: Timestamp) -> u32 {
        self.under_way(self.prewarms, now).saturating_add(self.prewarming)
    }

    /// Requests being served according to the workers; `None` while any worker's load is unknown.
    pub(crate) fn busy_slots(&self) -> Option<u64> {
        if self.by_id() { (self.unknown_load == 0).then_some(self.busy_slots) } else { None }
    }

    pub(crate) fn worker(&self, id: WorkerId) -> Option<&Worker> {
        self.position(id).ok().and_then(|at| self.workers.get(at))
    }

    fn position(&self, id: WorkerId) -> Result<usize, usize> {
        // Ids mostly grow, so the end is the likeliest place.
        match self.workers.last() {
            Some(last) if last.id < id => Err(self.workers.len()),
            _ => self.workers.binary_search_by_key(&id, |worker| worker.id),
        }
    }

    // What is observed ------------------------------------------------------------------------------------------

    /// Whether counts by state can be taken over.
    pub(crate) fn accepts_counts(&self, counts: PoolCounts) -> Result<(), Rejected> {
        if self.by_id() {
            let workers = u32::try_from(self.workers.len()).unwrap_or(u32::MAX);
            return Err(Rejected::CountsBesideIds { workers });
        }
        if let Some(idle) = counts.idle.filter(|idle| *idle > counts.ready) {
            return Err(Rejected::IdleAboveReady { idle, ready: counts.ready });
        }
        Ok(())
    }

    /// Takes over counts by state. True if workers appeared that nobody ordered.
    pub(crate) fn count(&mut self, now: Timestamp, counts: PoolCounts) -> bool {
        let seen = |census: &Census| census.ready.saturating_add(census.starting);
        let before = seen(&self.census);
        let standby_before = self.census.standby;
        self.census = Census {
            ready: counts.ready,
            idle: counts.idle,
            starting: counts.starting,
            draining: counts.draining,
            standby: counts.standby,
        };
        let after = seen(&self.census);
        // A growing count confirms orders, a shrinking one confirms releases.
        let (grown, shrunk) = (after.saturating_sub(before), before.saturating_sub(after));
        let revived = grown.min(self.revivals.at(now));
        let unordered = grown > self.expected.at(now);
        self.expected.confirm(grown);
        self.revivals.confirm(revived);
        self.orders.confirm(grown.saturating_sub(revived));
        self.releases.confirm(shrunk);
        let loading = standby_before.saturating_add(self.prewarming);
        self.prewarming = counts.prewarming;
        self.prewarms.confirm(counts.standby.saturating_add(counts.prewarming).saturating_sub(loading));
        self.failed = self.failed.max(u64::from(counts.failed));
        self.seen = true;
        unordered
    }

    /// Whether a worker's event fits what is known of it.
    pub(crate) fn accepts(&self, id: WorkerId, event: WorkerEvent) -> Result<(), Rejected> {
        match self.worker(id) {
            Some(worker) => transition(worker.state, event).map(|_| ()).map_err(|event| Rejected::ImpossibleEvent {
                id,
                state: worker.state.name(),
                event,
            }),
            None if first_state(event).is_none() => Err(Rejected::UnknownWorker { id }),
            None if self.workers.len() >= MAX_WORKERS as usize => Err(Rejected::TooManyWorkers { limit: MAX_WORKERS }),
            None => Ok(()),
        }
    }

    /// Takes over a worker's event, if it fits. True if the worker appeared although nobody ordered it.
    pub(crate) fn event(&mut self, now: Timestamp, id: WorkerId, event: WorkerEvent) -> bool {
        match self.position(id) {
            Ok(at) => {
                self.known(now, at, event);
                false
            }
            Err(at) => first_state(event).is_some_and(|state| self.appeared(now, at, id, state)),
        }
    }

    fn appeared(&mut self, now: Timestamp, at: usize, id: WorkerId, state: State) -> bool {
        if self.workers.is_empty() {
            self.census = Census { idle: Some(0), ..Census::default() };
        }
        let into_standby = matches!(state, State::Prewarming | State::Standby);
        let unordered = !into_standby && self.expected.at(now) == 0;
        if into_standby {
            self.prewarms.confirm(1);
        } else {
            self.orders.confirm(1);
            self.expected.confirm(1);
        }
        self.seen = true;
        let worker = Worker::new(id, state, now);
        self.tally(&worker, true);
        self.workers.insert(at, worker);
        unordered
    }

    fn known(&mut self, now: Timestamp, at: usize, event: WorkerEvent) {
        let Some(&old) = self.workers.get(at) else { return };
        let Ok(next) = transition(old.state, event) else { return };
        if let WorkerEvent::Failed(cause) = event {
            self.failed = self.failed.saturating_add(1);
            self.last_failure = Some(cause);
        }
        self.tally(&old, false);
        let Some(state) = next else {
            self.workers.remove(at);
            self.forget_queue(&old);
            return;
        };
        if let (State::Starting { warm }, true) = (old.state, state.is_ready()) {
            let starts = if warm { &mut self.warm_starts } else { &mut self.cold_starts };
            starts.add(now.since(old.since));
        }
        let mut new = old;
        let same_kind = core::mem::discriminant(&state) == core::mem::discriminant(&old.state);
        new.since = if same_kind { old.since } else { now };
        new.state = state;
        new.pending = old.pending.filter(|(pending, _)| still_pending(*pending, state));
        self.tally(&new, true);
        if let Some(slot) = self.workers.get_mut(at) {
            *slot = new;
        }
    }

    /// Ordered workers that will not come. They stay outstanding until the order timeout ends and are then ordered
    /// again: a provider that refuses is not asked in a loop.
    pub(crate) const fn start_failed(&mut self, count: u32, cause: FailureCause) {
        self.seen = true;
        self.failed = self.failed.saturating_add(count as u64);
        self.last_failure = Some(cause);
    }

    /// Adds a worker to the sums, or takes it out.
    fn tally(&mut self, worker: &Worker, add: bool) {
        let step = |sum: &mut u32| *sum = if add { sum.saturating_add(1) } else { sum.saturating_sub(1) };
        match worker.state {
            State::Starting { .. } => step(&mut self.census.starting),
            State::Draining(_) => step(&mut self.census.draining),
            State::Prewarming => step(&mut self.prewarming),
            State::Standby => step(&mut self.census.standby),
            State::Unknown | State::Idle | State::Busy(_) => step(&mut self.census.ready),
        }
        if worker.state == State::Idle {
            self.census.idle.iter_mut().for_each(step);
        }
        if worker.state == State::Unknown {
            step(&mut self.unknown_load);
        }
        if worker.is_committed() {
            step(&mut self.committed_by_id);
        }
        let slots = u64::from(worker.slots());
        self.busy_slots =
            if add { self.busy_slots.saturating_add(slots) } else { self.busy_slots.saturating_sub(slots) };
    }

    /// The count calls for so many workers: those not seen yet are expected until `timeout` has passed.
    pub(crate) const fn expect(&mut self, now: Timestamp, count: u32, timeout: u64) {
        let expected = self.expected.at(now);
        let missing = count.saturating_sub(self.observed()).saturating_sub(expected);
        if self.seen && missing > 0 {
            self.expected.add(now, expected, missing, timeout);
        }
    }

    /// Ready and starting workers, whatever they have been told.
    pub(crate) const fn observed(&self) -> u32 {
        self.census.ready.saturating_add(self.census.starting)
    }

    // What is commanded -----------------------------------------------------------------------------------------

    pub(crate) const fn ordered(&mut self, now: Timestamp, count: u32, timeout: u64) {
        self.orders.add(now, self.under_way(self.orders, now), count, timeout);
    }

    pub(crate) const fn prewarmed(&mut self, now: Timestamp, count: u32, timeout: u64) {
        self.prewarms.add(now, self.under_way(self.prewarms, now), count, timeout);
    }

    pub(crate) const fn released(&mut self, now: Timestamp, count: u32, timeout: u64) {
        if self.seen {
            self.releases.add(now, self.under_way(self.releases, now), count, timeout);
        } else {
            self.orders.confirm(count);
        }
    }

    pub(crate) const fn revived(&mut self, now: Timestamp, count: u32, timeout: u64) {
        self.revivals.add(now, self.under_way(self.revivals, now), count, timeout);
    }

    /// Worker `id` was told something that lapses at `until`.
    pub(crate) fn told(&mut self, id: WorkerId, pending: Option<(Pending, Timestamp)>) {
        let Some(&old) = self.position(id).ok().and_then(|at| self.workers.get(at)) else { return };
        self.tally(&old, false);
        let new = Worker { pending, ..old };
        if let Some((_, until)) = pending {
            self.note_lapse(until);
        }
        self.tally(&new, true);
        if let Some(slot) = self.position(id).ok().and_then(|at| self.workers.get_mut(at)) {
            *slot = new;
        }
    }

    /// Forgets commands whose effect did not show in time, so that nothing stays stuck on a lost message.
    pub(crate) fn lapse(&mut self, now: Timestamp) {
        if self.earliest_lapse.is_none_or(|at| at > now) {
            return;
        }
        self.earliest_lapse = None;
        for at in 0..self.workers.len() {
            let Some(&worker) = self.workers.get(at) else { break };
            match worker.pending {
                Some((_, until)) if lapsed(until, now) => self.told(worker.id, None),
                Some((_, until)) => self.note_lapse(until),
                None => {}
            }
        }
    }

    fn note_lapse(&mut self, until: Timestamp) {
        self.earliest_lapse = Some(self.earliest_lapse.map_or(until, |at| at.min(until)));
    }

    /// When a command next lapses.
    pub(crate) fn next_lapse(&self, now: Timestamp) -> Option<Timestamp> {
        let outstanding = if self.seen {
            [self.orders, self.prewarms, self.releases, self.revivals].map(Outstanding::lapse)
        } else {
            [None; 4]
        };
        outstanding.into_iter().flatten().chain(self.earliest_lapse).filter(|at| *at > now).min()
    }

    // Queues of single workers ----------------------------------------------------------------------------------

    /// Requests joined (positive) or left the queue of worker `id`.
    pub(crate) fn replica_arrived(&mut self, now: Timestamp, id: WorkerId, count: u32) {
        self.with_queue(id, |worker| {
            worker.queue_depth = worker.queue_depth.saturating_add(count);
            if worker.queue_depth > 0 && worker.oldest.is_none() {
                worker.oldest = Some(Waiting::new(now, 0));
            }
        });
    }

    /// False if none was known to wait there.
    pub(crate) fn replica_left(&mut self, now: Timestamp, id: WorkerId, wait: u64) -> bool {
        let mut expected = true;
        self.with_queue(id, |worker| {
            expected = worker.queue_depth > 0;
            worker.queue_depth = worker.queue_depth.saturating_sub(1);
            worker.oldest = (worker.queue_depth > 0).then_some(Waiting::new(now, 0));
            let mean = worker.sojourn.unwrap_or(wait);
            // Moving average with weight 1/8, in integers.
            worker.sojourn = Some(mean.saturating_sub(mean / 8).saturating_add(wait / 8));
        });
        expected
    }

    pub(crate) fn replica_gauge(&mut self, now: Timestamp, id: WorkerId, depth: u32, oldest_age: Option<u64>) {
        self.with_queue(id, |worker| {
            worker.queue_depth = depth;
            let oldest = oldest_age.map(|age| Waiting::new(now, age)).or(worker.oldest);
            worker.oldest = (depth > 0).then_some(oldest.unwrap_or(Waiting::new(now, 0)));
        });
    }

    fn with_queue(&mut self, id: WorkerId, change: impl FnOnce(&mut Worker)) {
        let Some(worker) = self.position(id).ok().and_then(|at| self.workers.get_mut(at)) else { return };
        let before = worker.queue_depth;
        change(worker);
        let (after, oldest) = (worker.queue_depth, worker.oldest);
        self.replica_queues = true;
        self.replica_depth = self.replica_depth.saturating_sub(u64::from(before)).saturating_add(u64::from(after));
        self.note_oldest(id, oldest);
    }

    fn forget_queue(&mut self, worker: &Worker) {
        self.replica_depth = self.replica_depth.saturating_sub(u64::from(worker.queue_depth));
        self.note_oldest(worker.id, None);
    }

    /// Keeps the oldest wait of all single queues; looks through them only when its owner's wait has changed.
    fn note_oldest(&mut self, id: WorkerId, oldest: Option<Waiting>) {
        let oldest_of_all = |workers: &[Worker]| {
            let waits = workers.iter().filter_map(|worker| Some((worker.oldest?, worker.id)));
            waits.reduce(|a, b| if a.0.longer(b.0) == a.0 { a } else { b })
        };
        self.replica_oldest = match (self.replica_oldest, oldest) {
            (Some((_, owner)), _) if owner == id => oldest_of_all(&self.workers),
            (Some(known), Some(oldest)) if known.0.longer(oldest) == known.0 => Some(known),
            (_, Some(oldest)) => Some((oldest, id)),
            (known, None) => known,
        };
    }

    pub(crate) fn replica_depth(&self) -> Option<u64> {
        self.replica_queues.then_some(self.replica_depth)
    }

    /// Workers whose own queue stands out: sojourn above `target` and twice the service's mean.
    pub(crate) fn standing_out(&self, mean: Option<u64>, target: u64) -> Vec<WorkerId> {
        let Some(mean) = mean else { return Vec::new() };
        let stands_out = |worker: &&Worker| {
            worker.sojourn.is_some_and(|sojourn| sojourn > target && sojourn >= mean.saturating_mul(2))
        };
        self.workers.iter().filter(stands_out).map(|worker| worker.id).collect()
    }

    pub(crate) fn replica_oldest(&self) -> Option<Waiting> {
        self.replica_oldest.map(|(oldest, _)| oldest)
    }
}

/// The state of a worker whose first event this is.
const fn first_state(event: WorkerEvent) -> Option<State> {
    match event {
        WorkerEvent::Ordered => Some(State::Starting { warm: false }),
        WorkerEvent::Ready => Some(State::Unknown),
        WorkerEvent::Prewarming => Some(State::Prewarming),
        WorkerEvent::Standby => Some(State::Standby),
        _ => None,
    }
}

/// The state that follows an event: `None` if the worker is gone, the event's name if it cannot be.
fn transition(state: State, event: WorkerEvent) -> Result<Option<State>, &'static str> {
    let standby = matches!(state, State::Prewarming | State::Standby);
    let next = match event {
        WorkerEvent::Gone | WorkerEvent::Failed(_) => return Ok(None),
        WorkerEvent::Ordered => match state {
            State::Prewarming | State::Standby => State::Starting { warm: true },
            State::Starting { .. } => state,
            _ => return Err("starting"),
        },
        WorkerEvent::Ready => match state {
            State::Idle | State::Busy(_) => state,
            State::Draining(0) => State::Idle,
            State::Draining(slots) => State::Busy(slots),
            _ => State::Unknown,
        },
        WorkerEvent::Busy(_) | WorkerEvent::Idle if standby => return Err("busy or idle"),
        WorkerEvent::Draining if standby => return Err("draining"),
        WorkerEvent::Busy(slots) => match (state, slots) {
            (State::Draining(_), _) => State::Draining(slots),
            (_, 0) => State::Idle,
            (_, _) => State::Busy(slots),
        },
        WorkerEvent::Idle if matches!(state, State::Draining(_)) => State::Draining(0),
        WorkerEvent::Idle => State::Idle,
        WorkerEvent::Draining => match state {
            State::Draining(_) => state,
            State::Busy(slots) => State::Draining(slots),
            State::Idle => State::Draining(0),
            // Nothing is known of its load: it counts as busy.
            _ => State::Draining(1),
        },
        WorkerEvent::Prewarming if state != State::Prewarming => return Err("prewarming"),
        WorkerEvent::Prewarming => state,
        WorkerEvent::Standby => State::Standby,
    };
    Ok(Some(next))
}

/// Whether a command is still waiting to be seen done in a state.
const fn still_pending(pending: Pending, state: State) -> bool {
    match pending {
        Pending::Stop | Pending::Park => matches!(state, State::Starting { .. } | State::Idle | State::Draining(_)),
        Pending::Drain => state.is_ready(),
        Pending::Revive => matches!(state, State::Standby | State::Draining(_)),
    }
}

#[cfg(test)]
mod tests;
