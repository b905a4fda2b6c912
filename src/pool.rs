//! The pool as it is observed: workers by id or counts by state, and what has been commanded but not yet seen done.
//!
//! *Committed* = starting + ready, orders under way included. A worker told to stop or drain has left the committed
//! count already; a standby, draining or failed one was never in it.

mod choice;
mod cohorts;
mod counts;
mod lapse;
mod outstanding;
mod queues;
mod roster;
mod starts;
mod tree;
mod turns;
mod worker;

use serde::{Deserialize, Serialize};

use self::cohorts::Cohorts;
pub(crate) use self::outstanding::Outstanding;
use self::roster::Roster;
use self::starts::Starts;
use self::tree::Slot;
pub(crate) use self::worker::{Pending, State, Worker};
use self::worker::{first_state, still_pending, transition};
use crate::observation::{FailureCause, Rejected, WorkerEvent, WorkerId};
use crate::rare::Rare;
use crate::time::{Timestamp, Waiting};

/// How many workers are tracked by id at most; a larger pool reports counts.
const MAX_WORKERS: u32 = 1_000_000;

/// How many workers are in each state.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Census {
    pub(crate) ready: u32,
    /// Ready and known to serve nothing; `None` if the platform cannot tell.
    pub(crate) idle: Option<u32>,
    pub(crate) starting: u32,
    pub(crate) draining: u32,
    pub(crate) standby: u32,
    /// Of the starting ones (by count) or beside them (by id), those that took too long.
    pub(crate) overdue: u32,
}

/// What an observation of the pool brought to light.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Seen {
    /// Workers appeared that nobody had ordered.
    pub(crate) unordered: bool,
    /// So many starting workers became ready.
    pub(crate) started: u32,
    /// So many starts failed, and why.
    pub(crate) failed: Option<(u32, FailureCause)>,
    /// So many workers went, or failed when they were ready, that nobody had told to.
    pub(crate) vanished: u32,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Pool {
    /// Empty for platforms that report counts.
    workers: Roster,
    census: Census,
    /// Requests that workers themselves report as being served; `None` without such reports.
    #[serde(skip)]
    busy_slots: u64,
    #[serde(skip)]
    unknown_load: u32,
    /// Of the workers that were seen starting, those that are ready and of whose load nothing has been said.
    #[serde(skip)]
    untold_load: u32,
    /// Whether any worker's load was ever told. Where it is, a worker that has started serves nothing until it says so.
    tells_load: bool,
    prewarming: u32,
    /// Committed workers by id (what was told to stop is out already).
    #[serde(skip)]
    committed_by_id: u32,
    /// Those of them that are ready.
    #[serde(skip)]
    staying_by_id: u32,
    /// Standby workers that have been told nothing, and workers told to become one that have not yet; by id.
    #[serde(skip)]
    standby_by_id: u32,
    #[serde(skip)]
    parking: u32,
    /// Whether the platform has ever reported its pool. Until it does, it is taken at its word: what was ordered is
    /// there.
    seen: bool,
    /// No command to a worker lapses before this instant.
    earliest_lapse: Option<Timestamp>,
    /// Workers that the count calls for and that have not been seen, whether their order has been given or not:
    /// what appears beyond them was ordered by nobody.
    expected: Outstanding,
    /// Starting workers of a pool that reports counts.
    cohorts: Rare<Cohorts>,
    orders: Outstanding,
    prewarms: Outstanding,
    /// Workers let go or revived by count, not yet seen in the counts.
    releases: Outstanding,
    revivals: Outstanding,
    pub(crate) failed: u64,
    /// Failed workers that the last counts reported.
    failed_seen: u32,
    pub(crate) last_failure: Option<FailureCause>,
    pub(crate) cold_starts: Starts,
    pub(crate) warm_starts: Starts,
    /// Requests waiting in queues of single workers, and the oldest of them with its owner.
    #[serde(skip)]
    replica_depth: u64,
    replica_queues: bool,
    replica_oldest: Option<(Waiting, WorkerId)>,
}

impl Pool {
    /// Takes the room for what is known of workers that are only counted.
    pub(crate) fn make_room(&mut self) {
        self.cohorts.make_room();
    }

    /// Counts again what a snapshot leaves out; false if its workers cannot be.
    pub(crate) fn restore(&mut self) -> bool {
        if !self.workers.is_in_order() || self.workers.len() > MAX_WORKERS as usize {
            return false;
        }
        (self.busy_slots, self.unknown_load, self.untold_load) = (0, 0, 0);
        (self.committed_by_id, self.staying_by_id) = (0, 0);
        (self.standby_by_id, self.parking, self.replica_depth) = (0, 0, 0);
        if self.by_id() {
            (self.census, self.prewarming) = (Census { idle: Some(0), ..Census::default() }, 0);
            self.cohorts = Rare::new();
        }
        let workers = core::mem::take(&mut self.workers);
        for worker in workers.iter() {
            self.tally(worker, true);
            self.replica_depth = self.replica_depth.saturating_add(u64::from(worker.queue_depth));
        }
        self.workers = workers;
        true
    }

    /// Workers by state, as observed.
    pub(crate) const fn census(&self) -> Census {
        self.census
    }

    /// Whether the platform has ever reported its pool.
    pub(crate) const fn is_seen(&self) -> bool {
        self.seen
    }

    /// Whether the platform has reported its pool, and nobody in it can be serving.
    pub(crate) const fn is_deserted(&self) -> bool {
        self.seen && self.census.ready == 0 && self.census.draining == 0
    }

    pub(crate) const fn workers(&self) -> &Roster {
        &self.workers
    }

    pub(crate) fn by_id(&self) -> bool {
        !self.workers.is_empty()
    }

    /// Starting + ready, orders under way included, departures under way not.
    pub(crate) fn committed(&self, now: Timestamp) -> u32 {
        u32::try_from(self.all_committed(now)).unwrap_or(u32::MAX)
    }

    /// How many of the committed ones are beyond `most` and have been seen. What was ordered or revived by count and has
    /// not shown yet is the first to go, as soon as it is there.
    pub(crate) fn surplus(&self, now: Timestamp, most: u32) -> u32 {
        let unseen = u64::from(self.orders(now)).saturating_add(u64::from(self.revivals(now)));
        let surplus = self.all_committed(now).saturating_sub(u64::from(most)).saturating_sub(unseen);
        u32::try_from(surplus).unwrap_or(u32::MAX)
    }

    /// Ready and not told to go; by id.
    pub(crate) const fn staying(&self) -> u32 {
        self.staying_by_id
    }

    /// The committed ones, who may be more than one observed count can hold.
    fn all_committed(&self, now: Timestamp) -> u64 {
        let observed = if self.by_id() {
            u64::from(self.committed_by_id)
        } else {
            // What was let go is of those in service; what was revived comes from elsewhere.
            let Census { ready, starting, overdue, .. } = self.census;
            let in_service = u64::from(ready).saturating_add(u64::from(starting)).saturating_sub(u64::from(overdue));
            let staying = in_service.saturating_sub(u64::from(self.releases.at(now)));
            staying.saturating_add(u64::from(self.revivals.at(now)))
        };
        observed.saturating_add(u64::from(self.under_way(self.orders, now)))
    }

    /// What is under way: nothing lapses while the platform reports no pool.
    const fn under_way(&self, outstanding: Outstanding, now: Timestamp) -> u32 {
        if self.seen { outstanding.at(now) } else { outstanding.count }
    }

    /// Standby workers that can still be revived.
    pub(crate) fn standby(&self, now: Timestamp) -> u32 {
        if self.by_id() { self.standby_by_id } else { self.census.standby.saturating_sub(self.revivals.at(now)) }
    }

    /// Workers told to become standby that have not yet.
    pub(crate) const fn parking(&self) -> u32 {
        self.parking
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
        let known = self.unknown_load == 0 && (self.untold_load == 0 || self.tells_load);
        (self.by_id() && known).then_some(self.busy_slots)
    }

    pub(crate) fn worker(&self, id: WorkerId) -> Option<&Worker> {
        self.workers.find(id).and_then(|at| self.workers.get(at))
    }

    // What is observed ------------------------------------------------------------------------------------------

    /// Whether a worker's event fits what is known of it.
    pub(crate) fn accepts(&self, now: Timestamp, id: WorkerId, event: WorkerEvent) -> Result<(), Rejected> {
        match self.worker(id) {
            Some(worker) => transition(now, worker.state, event)
                .map(|_| ())
                .map_err(|event| Rejected::ImpossibleEvent { id, state: worker.state.name(), event }),
            None if first_state(event).is_none() => Err(Rejected::UnknownWorker { id }),
            None if self.workers.len() >= MAX_WORKERS as usize => Err(Rejected::TooManyWorkers { limit: MAX_WORKERS }),
            None => Ok(()),
        }
    }

    /// Takes over a worker's event, if it fits.
    pub(crate) fn event(&mut self, now: Timestamp, id: WorkerId, event: WorkerEvent) -> Seen {
        if let Some(at) = self.workers.find(id) {
            return self.known(now, at, event);
        }
        let Some(state) = first_state(event) else { return Seen::default() };
        let unordered = self.appeared(now, id, state);
        // One that is ready when it is first heard of has started, whoever ordered it.
        let started = u32::from(state == State::Standby || state.is_ready());
        Seen { unordered, started, ..Seen::default() }
    }

    fn appeared(&mut self, now: Timestamp, id: WorkerId, state: State) -> bool {
        if self.workers.is_empty() {
            // What was counted as starting or being loaded is known by id from now on, or not at all.
            (self.census, self.prewarming) = (Census { idle: Some(0), ..Census::default() }, 0);
            self.cohorts = Rare::new();
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
        self.workers.insert(worker);
        unordered
    }

    fn known(&mut self, now: Timestamp, at: Slot, event: WorkerEvent) -> Seen {
        let mut seen = Seen::default();
        let Some(&old) = self.workers.get(at) else { return seen };
        let Ok(next) = transition(now, old.state, event) else { return seen };
        let starting = matches!(old.state, State::Starting { .. });
        let loading = old.state == State::Prewarming;
        match event {
            WorkerEvent::Failed(cause) if starting || loading => seen.failed = Some((1, cause)),
            WorkerEvent::Gone | WorkerEvent::Failed(_) if old.is_committed() && old.pending.is_none() => {
                seen.vanished = 1;
            }
            _ => {}
        }
        if let WorkerEvent::Failed(cause) = event {
            // One that took too long to start has counted as failed already.
            self.failed = self.failed.saturating_add(u64::from(old.state != State::Overdue));
            self.last_failure = Some(cause);
        }
        let Some(state) = next else {
            self.tally(&old, false);
            self.workers.remove(at);
            self.forget_queue(&old);
            return seen;
        };
        // A worker that was loaded already says nothing of what the provider has.
        let cold = matches!(old.state, State::Starting { warm: false });
        seen.started = u32::from(cold && state.is_ready() || loading && state == State::Standby);
        if let (State::Starting { warm }, true) = (old.state, state.is_ready()) {
            let starts = if warm { &mut self.warm_starts } else { &mut self.cold_starts };
            starts.add(now.since(old.since));
        }
        let mut new = old;
        let same_kind = core::mem::discriminant(&state) == core::mem::discriminant(&old.state);
        new.since = match (old.state, event, state) {
            // A drain's deadline runs from the end of a lease at the earliest.
            (State::Leased(until), _, State::Draining(_)) => until.max(now),
            (_, WorkerEvent::Leased(span), State::Draining(_)) => old.since.max(now.saturating_add(span)),
            _ if same_kind => old.since,
            _ => now,
        };
        // One that was draining, in standby or given up, and is in service again, is one of those that were called for.
        self.expected.confirm(u32::from(!old.state.is_in_service() && state.is_in_service()));
        new.state = state;
        new.started |= (starting || old.state == State::Overdue) && state.is_ready();
        self.tells_load |= matches!(event, WorkerEvent::Busy(_) | WorkerEvent::Idle | WorkerEvent::Leased(_));
        if let State::Leased(until) = state {
            self.note_lapse(until);
        }
        new.pending = old.pending.filter(|(pending, _)| still_pending(*pending, state));
        self.replace(at, &old, new);
        seen
    }

    /// A worker that is idle or busy, and was told nothing, serves so many requests from now on. Whether anybody was or is
    /// serving; `None` if it is no such worker, and then nothing has changed.
    pub(crate) fn load(&mut self, now: Timestamp, id: WorkerId, slots: u32) -> Option<bool> {
        let serving = slots > 0 || self.busy_slots().unwrap_or(0) > 0;
        let at = self.workers.find(id)?;
        let before = match self.workers.get(at).filter(|worker| worker.pending.is_none())?.state {
            State::Idle => 0,
            State::Busy(slots) => slots,
            _ => return None,
        };
        let worker = self.workers.load_of(at)?;
        worker.state = if slots == 0 { State::Idle } else { State::Busy(slots) };
        if (before == 0) != (slots == 0) {
            worker.since = now;
            if let Some(idle) = &mut self.census.idle {
                *idle = if slots == 0 { idle.saturating_add(1) } else { idle.saturating_sub(1) };
            }
        }
        self.busy_slots = self.busy_slots.saturating_sub(u64::from(before)).saturating_add(u64::from(slots));
        self.tells_load = true;
        Some(serving)
    }

    /// Whether the workers, by id, are as many as the count says, none is on its way and none was told anything.
    pub(crate) fn is_placed(&self, now: Timestamp, count: u32) -> bool {
        let quiet = self.census.draining == 0 && self.census.overdue == 0 && self.earliest_lapse.is_none();
        self.by_id() && quiet && self.orders.at(now) == 0 && self.committed(now) == count
    }

    /// Ordered workers that will not come. When they are ordered again is for the back-off to say.
    pub(crate) const fn start_failed(&mut self, count: u32, cause: FailureCause) {
        self.seen = true;
        self.orders.confirm(count);
        self.expected.confirm(count);
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
            State::Overdue => step(&mut self.census.overdue),
            State::Unknown | State::Idle | State::Busy(_) | State::Leased(_) => step(&mut self.census.ready),
        }
        if worker.state == State::Idle {
            self.census.idle.iter_mut().for_each(step);
        }
        if worker.state == State::Unknown {
            step(if worker.started { &mut self.untold_load } else { &mut self.unknown_load });
        }
        if worker.is_committed() {
            step(&mut self.committed_by_id);
            if worker.state.is_ready() {
                step(&mut self.staying_by_id);
            }
        }
        match worker.pending {
            None if worker.state == State::Standby => step(&mut self.standby_by_id),
            Some((Pending::Park, _)) => step(&mut self.parking),
            _ => {}
        }
        let slots = u64::from(worker.slots());
        self.busy_slots =
            if add { self.busy_slots.saturating_add(slots) } else { self.busy_slots.saturating_sub(slots) };
    }

    /// The count calls for so many workers: those not seen yet are expected until `timeout` has passed.
    pub(crate) fn expect(&mut self, now: Timestamp, count: u32, timeout: u64) {
        let expected = self.expected.at(now);
        let missing = count.saturating_sub(self.in_service()).saturating_sub(expected);
        if self.seen && missing > 0 {
            self.expected.add(now, expected, missing, timeout);
        }
    }

    /// Until when the count may call for so many workers without one of them being missing: beyond those in service they are
    /// expected for so long. `None` if one is missing now.
    pub(crate) fn expects_until(&self, now: Timestamp, count: u32) -> Option<Timestamp> {
        let beyond = count.saturating_sub(self.in_service());
        if !self.seen || beyond == 0 {
            return Some(Timestamp::MAX);
        }
        (beyond <= self.expected.at(now)).then_some(self.expected.until)
    }

    /// How many of those that the count calls for have not been seen.
    pub(crate) const fn unseen(&self, now: Timestamp) -> u32 {
        self.expected.at(now)
    }

    pub(crate) const fn expected(&self) -> Outstanding {
        self.expected
    }

    /// What is expected is what it was before.
    pub(crate) const fn set_expected(&mut self, expected: Outstanding) {
        self.expected = expected;
    }

    /// Ready and starting workers, whatever they have been told.
    const fn observed(&self) -> u32 {
        self.census.ready.saturating_add(self.census.starting)
    }

    /// The same without those that took too long to start.
    pub(crate) fn in_service(&self) -> u32 {
        if self.workers.is_empty() { self.observed().saturating_sub(self.census.overdue) } else { self.observed() }
    }

    /// When what is under way would have lapsed says nothing once nothing is.
    pub(crate) fn forget_what_is_over(&mut self) {
        let all = [&mut self.expected, &mut self.orders, &mut self.prewarms, &mut self.releases, &mut self.revivals];
        for over in all.into_iter().filter(|outstanding| outstanding.count == 0) {
            *over = Outstanding::default();
        }
    }

    /// Workers that exist or may come, in whatever state, told to go or not. Of them those that are committed or meant for
    /// standby; the others are on their way out.
    pub(crate) fn present_and_staying(&self, now: Timestamp) -> (u32, u32) {
        let present = self.present(now);
        let standby = self.standby(now).saturating_add(self.parking()).saturating_add(self.prewarming(now));
        (present, self.committed(now).saturating_add(standby).min(present))
    }

    fn present(&self, now: Timestamp) -> u32 {
        let there = if self.by_id() {
            u32::try_from(self.workers.len()).unwrap_or(u32::MAX)
        } else {
            let counted = [self.census.draining, self.census.standby, self.prewarming];
            counted.into_iter().fold(self.observed(), u32::saturating_add)
        };
        let coming = self.under_way(self.orders, now).saturating_add(self.under_way(self.prewarms, now));
        there.saturating_add(coming)
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
        let Some(at) = self.workers.find(id) else { return };
        let Some(&old) = self.workers.get(at) else { return };
        if let Some((_, until)) = pending {
            self.note_lapse(until);
        }
        self.replace(at, &old, Worker { pending, ..old });
    }

    /// Worker `at` is another than it was.
    fn replace(&mut self, at: Slot, old: &Worker, new: Worker) {
        self.tally(old, false);
        self.tally(&new, true);
        self.workers.put(at, new);
    }
}

#[cfg(test)]
mod tests;
