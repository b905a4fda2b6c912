//! Which workers a command goes to.

use alloc::vec::Vec;

use super::turns::Kind;
use super::{Pending, Pool, State, Worker};
use crate::observation::WorkerId;
use crate::time::Timestamp;

impl Pool {
    /// The first `most` that are let go: those that start, the latest ordered first; idle ones, the longest idle first; and
    /// without an idle timeout the others that are ready, the least busy first. With one only those go that have been idle
    /// for so many nanoseconds.
    pub(crate) fn leaving(&mut self, now: Timestamp, most: u32, timeout: Option<u64>) -> Vec<(WorkerId, State)> {
        self.workers.look_at_loads();
        let (turns, most) = (self.workers.turns(), most as usize);
        let starting = [Kind::Cold, Kind::Warm].into_iter().flat_map(|kind| turns.each(false, kind).take(most));
        let mut starting: Vec<_> = starting.collect();
        starting.sort_unstable_by_key(|(turn, _)| (turn.at, turn.id));
        let long_enough = |since: Timestamp| now.since(since) >= timeout.unwrap_or(0);
        let idle = turns.each(false, Kind::Idle).take_while(|(turn, _)| long_enough(turn.since()));
        let busy = timeout.is_none().then(|| turns.each(false, Kind::Busy)).into_iter().flatten();
        let all = starting.into_iter().chain(idle).chain(busy).take(most);
        all.filter_map(|(turn, slot)| Some((turn.id, self.workers.get(slot)?.state))).collect()
    }

    /// The first `most` that can be brought back: those that drain or were told to go and are still there, the latest first,
    /// since they have the most left to give; then those in standby, in the order of their ids.
    pub(crate) fn returning(&self, most: u32) -> Vec<WorkerId> {
        let (turns, most) = (self.workers.turns(), most as usize);
        let told_to_go = |worker: &&Worker| match worker.pending {
            Some((Pending::Drain, _)) => true,
            Some((Pending::Stop | Pending::Park, _)) => worker.state == State::Idle,
            _ => false,
        };
        let told = turns.each_told().filter_map(|(_, slot)| self.workers.get(slot)).filter(told_to_go);
        let told = told.map(|worker| (!worker.since.as_nanos(), worker.id));
        let draining = turns.each(false, Kind::Draining).take(most).map(|(turn, _)| (turn.at, turn.id));
        let mut back: Vec<_> = draining.chain(told).collect();
        back.sort_unstable();
        let standby = turns.each(false, Kind::Standby).map(|(turn, _)| turn.id);
        back.into_iter().map(|(_, id)| id).chain(standby).take(most).collect()
    }

    /// Those that took too long to start, and have not been told to stop.
    pub(crate) fn overdue_untold(&self) -> Vec<WorkerId> {
        if self.census.overdue == 0 {
            return Vec::new();
        }
        self.workers.turns().each(false, Kind::Overdue).map(|(turn, _)| turn.id).collect()
    }

    /// Those that have drained for `deadline` nanoseconds, and were told nothing more. A lease may hold the beginning of a
    /// drain's time off beyond now.
    pub(crate) fn late_drains(&self, now: Timestamp, deadline: u64) -> Vec<WorkerId> {
        let turns = self.workers.turns();
        if turns.first_drain().is_none_or(|since| since.plus(deadline) > now) {
            return Vec::new();
        }
        let draining = turns.each_back(false, Kind::Draining);
        let late = draining.take_while(|(turn, _)| turn.since().plus(deadline) <= now);
        let mut late: Vec<_> = late.map(|(turn, _)| turn.id).collect();
        late.sort_unstable();
        late
    }

    /// When the next of those that drain and were told nothing more will be late.
    pub(crate) fn next_late_drain(&self, now: Timestamp, deadline: u64) -> Option<Timestamp> {
        self.workers.turns().first_drain_within(now, deadline).map(|since| since.plus(deadline))
    }
}
