//! Starting workers of a pool that reports counts only: how many began when.
//!
//! The oldest are taken to become ready first. At most [`COHORTS`] beginnings are told apart; for a further one the two
//! oldest become one, whose workers are all given the time of the later ones.

use serde::{Deserialize, Serialize};

use crate::rare::Nothing;
use crate::time::Timestamp;

const COHORTS: usize = 8;

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
struct Cohort {
    since: Timestamp,
    workers: u32,
    overdue: bool,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub(super) struct Cohorts {
    /// Oldest first; unused ones at the end hold no worker.
    cohorts: [Cohort; COHORTS],
}

impl Nothing for Cohorts {
    const NOTHING: &'static Self =
        &Self { cohorts: [Cohort { since: Timestamp::ORIGIN, workers: 0, overdue: false }; COHORTS] };
}

impl Cohorts {
    /// So many workers are starting at `now`, in all.
    pub(super) fn starting(&mut self, now: Timestamp, workers: u32) {
        let before = self.cohorts.iter().map(|cohort| u64::from(cohort.workers)).sum::<u64>();
        let mut leaving = before.saturating_sub(u64::from(workers));
        for cohort in &mut self.cohorts {
            let here = leaving.min(u64::from(cohort.workers));
            cohort.workers = cohort.workers.saturating_sub(u32::try_from(here).unwrap_or(u32::MAX));
            leaving = leaving.saturating_sub(here);
        }
        self.close_ranks();
        let new = u32::try_from(u64::from(workers).saturating_sub(before)).unwrap_or(0);
        if new == 0 {
            return;
        }
        let free = self.cohorts.iter().position(|cohort| cohort.workers == 0);
        let last = free.unwrap_or(COHORTS).checked_sub(1).and_then(|at| self.cohorts.get_mut(at));
        if let Some(last) = last.filter(|last| last.since == now && !last.overdue) {
            last.workers = last.workers.saturating_add(new);
            return;
        }
        if free.is_none() {
            let oldest = self.cohorts.first().map_or(0, |cohort| cohort.workers);
            self.cohorts.rotate_left(1);
            if let Some(next) = self.cohorts.first_mut() {
                next.workers = next.workers.saturating_add(oldest);
            }
        }
        if let Some(slot) = self.cohorts.get_mut(free.unwrap_or(COHORTS.saturating_sub(1))) {
            *slot = Cohort { since: now, workers: new, overdue: false };
        }
    }

    /// Those whose time is up at `now`, seen for the first time.
    pub(super) fn lapse(&mut self, now: Timestamp, deadline: u64) -> u32 {
        let late = |cohort: &&mut Cohort| cohort.workers > 0 && !cohort.overdue && now.since(cohort.since) >= deadline;
        let mut lapsed = 0_u32;
        for cohort in self.cohorts.iter_mut().filter(late) {
            cohort.overdue = true;
            lapsed = lapsed.saturating_add(cohort.workers);
        }
        lapsed
    }

    pub(super) fn overdue(&self) -> u32 {
        let overdue = self.cohorts.iter().filter(|cohort| cohort.overdue).map(|cohort| cohort.workers);
        overdue.fold(0, u32::saturating_add)
    }

    /// When the next of them will have taken too long.
    pub(super) fn due(&self, deadline: u64) -> Option<Timestamp> {
        let waiting = self.cohorts.iter().filter(|cohort| cohort.workers > 0 && !cohort.overdue);
        waiting.map(|cohort| cohort.since.plus(deadline)).min()
    }

    fn close_ranks(&mut self) {
        self.cohorts.sort_by_key(|cohort| cohort.workers == 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    const MINUTE: u64 = 60_000_000_000;

    #[test]
    fn the_oldest_are_ready_first_and_one_that_is_stuck_blocks_no_other() {
        let mut cohorts = Cohorts::default();
        cohorts.starting(at(0), 2);
        cohorts.starting(at(30), 5);
        assert_eq!((cohorts.due(MINUTE), cohorts.lapse(at(59), MINUTE)), (Some(at(60)), 0));
        cohorts.starting(at(59), 4);
        assert_eq!((cohorts.lapse(at(60), MINUTE), cohorts.lapse(at(60), MINUTE), cohorts.overdue()), (1, 0, 1));
        assert_eq!(cohorts.due(MINUTE), Some(at(90)));
        cohorts.starting(at(70), 0);
        assert_eq!((cohorts.overdue(), cohorts.due(MINUTE)), (0, None));
    }

    #[test]
    fn of_more_beginnings_than_are_told_apart_the_oldest_become_one() {
        let mut cohorts = Cohorts::default();
        for secs in 0..20_u32 {
            cohorts.starting(at(u64::from(secs)), secs + 1);
            cohorts.starting(at(u64::from(secs)), secs + 1);
        }
        assert_eq!((cohorts.due(MINUTE), cohorts.lapse(at(71), MINUTE)), (Some(at(72)), 0));
        assert_eq!((cohorts.lapse(at(72), MINUTE), cohorts.lapse(at(1_000), MINUTE)), (13, 7));
        cohorts.starting(at(1_001), 1);
        assert_eq!(cohorts.overdue(), 1);
    }
}
