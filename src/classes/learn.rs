//! What a worker of a class can do, learned from the requests that it served.
//!
//! With `s` the slots of a worker and `m` the mean service time, a class whose capacity `c` is given shows how much work a
//! request is: `w = c × m / s`, in reference workers × time. A worker of another class then has the capacity `s × w / m`,
//! both means taken over the same requests of that class, so that a change of the requests does not look like one of the
//! workers. Requests are taken to be of the same mix on every class: where they are routed by what they need, give the
//! capacities instead.

use serde::{Deserialize, Serialize};

use super::Capacity;

/// Requests of a class that must have been served before it counts what was learned. The mean of fifty service times that
/// scatter as much as they last is within 14 % (one standard error); a tenth of that many is noise.
pub const LEARNED: u32 = 50;

/// Requests over which the mean runs: within 6 % when full, and it follows a new release within some hundred requests.
const SPAN: u32 = 256;

/// The capacity in use changes when what is learned differs from it by more than one in so many: less is scatter, and
/// workers would be exchanged for it.
const CHANGE: u64 = 10;

/// A mean over the latest of many times.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mean {
    count: u32,
    /// In nanoseconds.
    mean: u64,
}

impl Mean {
    fn add(&mut self, time: u64) {
        self.count = self.count.saturating_add(1);
        let weight = u64::from(self.count.min(SPAN));
        let step = self.mean.abs_diff(time).checked_div(weight).unwrap_or(0);
        self.mean = if time >= self.mean { self.mean.saturating_add(step) } else { self.mean.saturating_sub(step) };
    }

    /// Once it is known.
    fn known(&self) -> Option<u64> {
        (self.count >= LEARNED && self.mean > 0).then_some(self.mean)
    }
}

/// The work that a request is, in nanoseconds of a thousandth of a reference worker.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Work {
    mean: Mean,
    /// Requests that have been served by workers of unknown capacity since the last by one of known capacity.
    age: u32,
}

impl Work {
    /// A request was served within `service` by a worker of known capacity with so many slots.
    pub(super) fn known_by(&mut self, service: u64, capacity: Capacity, slots: u32) {
        let work = u128::from(service).saturating_mul(u128::from(capacity.as_thousandths()));
        self.mean.add(u64::try_from(work.checked_div(u128::from(slots)).unwrap_or(0)).unwrap_or(u64::MAX));
        self.age = 0;
    }

    /// The work of a request of these days, if there has been one.
    fn of_late(&self) -> Option<u64> {
        self.mean.known().filter(|_| self.age <= LEARNED)
    }
}

/// The requests of one class whose capacity is learned.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Learner {
    service: Mean,
    /// What was known of the work of a request when each of them was served.
    work: Mean,
}

impl Learner {
    /// A request was served within `service`. It counts while it is known what work a request is.
    pub(super) fn served(&mut self, service: u64, work: &mut Work) {
        work.age = work.age.saturating_add(1);
        if let Some(of_late) = work.of_late() {
            self.service.add(service);
            self.work.add(of_late);
        }
    }

    /// Requests served, as far as they count for being known.
    pub(super) fn progress(&self) -> u32 {
        self.service.count.min(LEARNED)
    }

    /// What a worker with so many slots can do.
    pub(super) fn capacity(&self, slots: u32) -> Option<Capacity> {
        let work = u128::from(slots).saturating_mul(u128::from(self.work.known()?));
        let thousandths = work.checked_div(u128::from(self.service.known()?))?;
        Some(Capacity::from_thousandths(u64::try_from(thousandths).unwrap_or(u64::MAX)))
    }
}

/// Whether a capacity has been learned that is to replace the one in use.
pub(super) fn differs(used: Capacity, learned: Capacity) -> bool {
    let (used, learned) = (u64::from(used.as_thousandths()), u64::from(learned.as_thousandths()));
    used.abs_diff(learned).saturating_mul(CHANGE) > used
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work(service: u64, times: u32) -> Work {
        let mut work = Work::default();
        (0..times).for_each(|_| work.known_by(service, Capacity::ONE, 2));
        work
    }

    fn learned(service: u64, times: u32, work: &mut Work) -> Option<u32> {
        let mut learner = Learner::default();
        (0..times).for_each(|_| learner.served(service, work));
        learner.capacity(4).map(Capacity::as_thousandths)
    }

    #[test]
    fn twice_as_fast_with_twice_the_slots_is_worth_four() {
        let known = || work(2_000_000, 50);
        assert_eq!(learned(1_000_000, 49, &mut known()), None);
        assert_eq!(learned(1_000_000, 50, &mut known()), Some(4_000));
        assert_eq!(learned(1_000_000, 50, &mut work(2_000_000, 49)), None);
        assert_eq!(learned(0, 50, &mut known()), None, "no time at all says nothing");
        let mut work = Work::default();
        work.known_by(u64::MAX, Capacity::ONE, 0);
        assert_eq!(work.mean.mean, 0);
    }

    #[test]
    fn requests_that_become_longer_are_no_slower_workers() {
        let (mut work, mut learner) = (work(2_000, 50), Learner::default());
        for round in 1..2_000 {
            work.known_by(2_000 * round, Capacity::ONE, 2);
            learner.served(1_000 * round, &mut work);
        }
        let capacity = learner.capacity(2).map(Capacity::as_thousandths);
        assert!(capacity.is_some_and(|held| (1_700..=2_000).contains(&held)), "{capacity:?}");
        // What the work is was long ago: nothing more is learned.
        for _ in 0..1_000 {
            learner.served(1, &mut work);
        }
        assert!(learner.capacity(2).is_some_and(|held| held.as_thousandths() < 3_000));
    }

    #[test]
    fn the_mean_is_that_of_all_and_then_of_the_latest() {
        let mut mean = Mean::default();
        for time in [10, 20, 30] {
            mean.add(time);
        }
        assert_eq!(mean.mean, 20);
        (0..300).for_each(|_| mean.add(1_000));
        (0..2_000).for_each(|_| mean.add(3_000));
        assert!(mean.mean > 2_700, "{}", mean.mean);
        for time in [u64::MAX, 0] {
            mean.add(time);
        }
        assert_eq!(mean.count, 2_305);
    }

    #[test]
    fn what_differs_by_a_tenth_is_scatter() {
        let capacity = Capacity::from_thousandths;
        assert!(!differs(capacity(1_000), capacity(1_100)) && differs(capacity(1_000), capacity(1_101)));
        assert!(!differs(capacity(1_000), capacity(900)) && differs(capacity(1_000), capacity(899)));
    }
}
