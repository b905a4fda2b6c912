//! In which order workers leave, come back, or have been at something for too long; and when what they were told lapses.
//!
//! Every worker has one turn among those of its kind, so the first of a kind, and the first few, are found without a look
//! at the others.

use super::tree::{Slot, Tree};
use super::{State, Worker};
use crate::observation::WorkerId;
use crate::time::Timestamp;

/// Workers of one kind stand in the order in which they are chosen.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Kind {
    /// Starting from nothing and from standby: the latest first.
    Cold,
    Warm,
    /// The longest idle first.
    Idle,
    /// Ready and not idle: the least busy first, then who has been so the longest.
    Busy,
    /// The latest first.
    Draining,
    /// By id.
    Overdue,
    Loading,
    Standby,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Turn {
    /// It was told something and has not been seen to do it.
    told: bool,
    kind: Kind,
    slots: u32,
    /// Since when it is of that kind, in nanoseconds; where the latest comes first, all bits the other way round.
    pub(super) at: u64,
    pub(super) id: WorkerId,
}

impl Turn {
    pub(super) const fn of(worker: &Worker) -> Self {
        let since = worker.since.as_nanos();
        let (kind, slots, at) = match worker.state {
            State::Starting { warm: false } => (Kind::Cold, 0, !since),
            State::Starting { warm: true } => (Kind::Warm, 0, !since),
            State::Idle => (Kind::Idle, 0, since),
            State::Busy(slots) => (Kind::Busy, slots, since),
            State::Unknown | State::Leased(_) => (Kind::Busy, u32::MAX, since),
            State::Draining(_) => (Kind::Draining, 0, !since),
            State::Overdue => (Kind::Overdue, 0, 0),
            State::Standby => (Kind::Standby, 0, 0),
            State::Prewarming => (Kind::Loading, 0, 0),
        };
        Self { told: worker.pending.is_some(), kind, slots, at, id: worker.id }
    }

    pub(super) const fn since(self) -> Timestamp {
        match self.kind {
            Kind::Cold | Kind::Warm | Kind::Draining => Timestamp::from_nanos(!self.at),
            _ => Timestamp::from_nanos(self.at),
        }
    }

    const fn group(self) -> (bool, Kind) {
        (self.told, self.kind)
    }
}

/// What is asked for at every evaluation.
#[derive(Clone, Copy, Debug, Default)]
struct Firsts {
    cold: Option<(Timestamp, Slot)>,
    warm: Option<(Timestamp, Slot)>,
    /// Of those that were told nothing.
    draining: Option<(Timestamp, Slot)>,
    lapse: Option<(Timestamp, Slot)>,
}

impl Firsts {
    /// The one of a worker's kind.
    const fn of(&mut self, turn: Turn) -> Option<&mut Option<(Timestamp, Slot)>> {
        match turn.kind {
            Kind::Cold => Some(&mut self.cold),
            Kind::Warm => Some(&mut self.warm),
            Kind::Draining if !turn.told => Some(&mut self.draining),
            _ => None,
        }
    }
}

/// The idle workers by an idle timeout.
#[derive(Clone, Copy, Debug, Default)]
struct Idle {
    /// In nanoseconds; `None` if nobody has asked.
    timeout: Option<u64>,
    /// When somebody last asked, …
    seen: Timestamp,
    /// … how many could go then, …
    free: u32,
    /// … and since when the first of the others is idle, by whether it was told anything; `None` if that may have changed.
    held: Option<[Option<Timestamp>; 2]>,
}

impl Idle {
    /// Whether it is at `now` as it was when somebody asked.
    fn holds(&self, now: Timestamp, timeout: u64) -> bool {
        let held = |since: Option<Timestamp>| since.is_none_or(|since| since.plus(timeout) > now);
        self.timeout == Some(timeout) && now >= self.seen && self.held.is_some_and(|[a, b]| held(a) && held(b))
    }

    fn note(&mut self, turn: Turn, add: bool) {
        self.held = None;
        if self.timeout.is_some_and(|timeout| turn.since().plus(timeout) <= self.seen) {
            self.free = if add { self.free.saturating_add(1) } else { self.free.saturating_sub(1) };
        }
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Turns {
    order: Tree<Turn>,
    /// When commands lapse and leases end; of each worker the first of them.
    lapses: Tree<Timestamp>,
    firsts: Firsts,
    idle: Idle,
}

impl Turns {
    pub(super) const OF_NOBODY: &'static Self = &Self {
        order: Tree::new(),
        lapses: Tree::new(),
        firsts: Firsts { cold: None, warm: None, draining: None, lapse: None },
        idle: Idle { timeout: None, seen: Timestamp::ORIGIN, free: 0, held: None },
    };

    pub(super) fn add_slot(&mut self) {
        self.order.add_slot();
        self.lapses.add_slot();
    }

    pub(super) fn clear(&mut self) {
        self.order.clear();
        self.lapses.clear();
    }

    /// Lists a worker as it is now, or no more.
    pub(super) fn list(&mut self, slot: Slot, worker: Option<&Worker>) {
        let (before, turn) = (self.order.key(slot), worker.map(Turn::of));
        if before != turn {
            self.order.set(slot, turn);
            for (turn, add) in [(before, false), (turn, true)] {
                if let Some(turn) = turn {
                    self.note(slot, turn, add);
                }
            }
        }
        let (before, lapse) = (self.lapses.key(slot), worker.and_then(Worker::lapses));
        if before != lapse {
            self.lapses.set(slot, lapse);
            self.firsts.lapse = self.lapses.first(|_, _| true);
        }
    }

    fn note(&mut self, slot: Slot, turn: Turn, add: bool) {
        if turn.kind == Kind::Idle {
            self.idle.note(turn, add);
            return;
        }
        let Some(first) = self.firsts.of(turn) else { return };
        let this = (turn.since(), slot);
        if add {
            *first = Some(first.map_or(this, |first| first.min(this)));
        } else if *first == Some(this) {
            let next = match turn.kind {
                Kind::Draining => self.last(false, Kind::Draining),
                kind => [false, true].into_iter().filter_map(|told| self.last(told, kind)).min(),
            };
            if let Some(first) = self.firsts.of(turn) {
                *first = next;
            }
        }
    }

    /// Those of a kind in the order of their turns.
    pub(super) fn each(&self, told: bool, kind: Kind) -> impl Iterator<Item = (Turn, Slot)> {
        let group = (told, kind);
        self.order.each_from(move |turn, _| turn.group() >= group).take_while(move |(turn, _)| turn.group() == group)
    }

    /// The same in the opposite order.
    pub(super) fn each_back(&self, told: bool, kind: Kind) -> impl Iterator<Item = (Turn, Slot)> {
        let group = (told, kind);
        self.order
            .each_back_from(move |turn, _| turn.group() <= group)
            .take_while(move |(turn, _)| turn.group() == group)
    }

    /// All that were told something.
    pub(super) fn each_told(&self) -> impl Iterator<Item = (Turn, Slot)> {
        self.order.each_from(|turn, _| turn.told)
    }

    fn last(&self, told: bool, kind: Kind) -> Option<(Timestamp, Slot)> {
        let last = self.order.last(|turn, _| turn.group() <= (told, kind));
        last.filter(|(turn, _)| turn.group() == (told, kind)).map(|(turn, slot)| (turn.since(), slot))
    }

    /// The worker that has been starting the longest, from nothing or from standby, and since when.
    pub(super) const fn first_start(&self, warm: bool) -> Option<(Timestamp, Slot)> {
        if warm { self.firsts.warm } else { self.firsts.cold }
    }

    /// Since when the first of those drains that were told nothing more.
    pub(super) fn first_drain(&self) -> Option<Timestamp> {
        self.firsts.draining.map(|(since, _)| since)
    }

    /// Since when the first of those drains that were told nothing more and have not done so for `span` nanoseconds at `now`.
    pub(super) fn first_drain_within(&self, now: Timestamp, span: u64) -> Option<Timestamp> {
        let first = self.first_drain().filter(|since| since.plus(span) <= now);
        if first.is_none() {
            return self.first_drain();
        }
        let group = (false, Kind::Draining);
        let within = move |turn: Turn| turn.group() < group || turn.group() == group && turn.since().plus(span) > now;
        let last = self.order.last(|turn, _| within(turn)).filter(|(turn, _)| turn.group() == group);
        last.map(|(turn, _)| turn.since())
    }

    /// When a command next lapses or a lease ends, and whose.
    pub(super) const fn first_lapse(&self) -> Option<(Timestamp, Slot)> {
        self.firsts.lapse
    }

    /// The same after one of them.
    pub(super) fn lapse_after(&self, last: (Timestamp, Slot)) -> Option<(Timestamp, Slot)> {
        self.lapses.first(|until, slot| (until, slot) > last)
    }

    /// The idle workers that an idle timeout keeps at `at`, or all.
    fn held(&self, at: Option<Timestamp>, timeout: u64, told: bool) -> impl Iterator<Item = (Turn, Slot)> {
        let group = (told, Kind::Idle);
        let held = move |turn: Turn| at.is_none_or(|at| turn.since().plus(timeout) > at);
        let from = move |turn: Turn| turn.group() > group || turn.group() == group && held(turn);
        self.order.each_from(move |turn, _| from(turn)).take_while(move |(turn, _)| turn.group() == group)
    }

    /// Notes how many idle workers an idle timeout lets go at `now` and who is next, where that is not known.
    pub(super) fn look_at_idle(&mut self, now: Timestamp, timeout: u64) {
        if !self.idle.holds(now, timeout) {
            self.idle = self.idle_at(now, timeout);
        }
    }

    fn idle_at(&self, now: Timestamp, timeout: u64) -> Idle {
        let known = self.idle.timeout == Some(timeout) && now >= self.idle.seen;
        let (mut free, seen) = if known { (self.idle.free, Some(self.idle.seen)) } else { (0, None) };
        let held = [false, true].map(|told| {
            // Those that could not go when somebody asked and can now, and the first that still cannot.
            let mut turns = self.held(seen, timeout, told).map(|(turn, _)| turn.since());
            turns.find(|since| {
                let due = since.plus(timeout) <= now;
                free = free.saturating_add(u32::from(due));
                !due
            })
        });
        Idle { timeout: Some(timeout), seen: now, free, held: Some(held) }
    }

    /// Idle workers that an idle timeout lets go at `now`, and when the next may go: whatever they were told, and of those
    /// that were told nothing. Those of some slots have other turns now than they are listed by.
    pub(super) fn idle(
        &self,
        now: Timestamp,
        timeout: u64,
        stale: &[Slot],
        turn_of: impl Fn(Slot) -> Option<Turn>,
    ) -> (u32, [Option<Timestamp>; 2]) {
        let Idle { mut free, held, .. } =
            if self.idle.holds(now, timeout) { self.idle } else { self.idle_at(now, timeout) };
        let [mut untold, told] = held.unwrap_or_default();
        if !stale.is_empty() {
            let due = |turn: Option<Turn>| {
                let idle = turn.filter(|turn| turn.group() == (false, Kind::Idle));
                idle.map(|turn| turn.since().plus(timeout))
            };
            let listed = self.held(Some(now), timeout, false).find(|(turn, slot)| turn_of(*slot) == Some(*turn));
            untold = listed.map(|(turn, _)| turn.since());
            for slot in stale {
                let [was, is] = [self.order.key(*slot), turn_of(*slot)];
                free = free.saturating_add(u32::from(due(is).is_some_and(|due| due <= now)));
                free = free.saturating_sub(u32::from(due(was).is_some_and(|due| due <= now)));
                let since = is.filter(|_| due(is) > Some(now)).map(Turn::since);
                untold = untold.into_iter().chain(since).min();
            }
        }
        let all = untold.into_iter().chain(told).min();
        (free, [all, untold].map(|since| since.map(|since| since.plus(timeout))))
    }
}
