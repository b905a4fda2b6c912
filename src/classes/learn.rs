//! What a worker of a class can do, learned from the requests that it served.
//!
//! With `s` the slots of a worker and `m` the mean service time, the capacity of a class against that of the reference is
//! `(s / m) / (s_ref / m_ref)` times the reference's. Service times are taken to be of the same mix of requests on every
//! class: where requests are routed by what they need, give the capacities instead.

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

/// The service times of one class.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Learner {
    served: u32,
    /// In nanoseconds.
    mean: u64,
}

impl Learner {
    pub(super) fn add(&mut self, service: u64) {
        self.served = self.served.saturating_add(1);
        let weight = u64::from(self.served.min(SPAN));
        let step = self.mean.abs_diff(service).checked_div(weight).unwrap_or(0);
        self.mean = if service >= self.mean { self.mean.saturating_add(step) } else { self.mean.saturating_sub(step) };
    }

    /// Requests served, as far as they count for being known.
    pub(super) fn progress(&self) -> u32 {
        self.served.min(LEARNED)
    }

    /// The mean service time, once it is known.
    fn known(&self) -> Option<u64> {
        (self.served >= LEARNED && self.mean > 0).then_some(self.mean)
    }

    /// What a worker with so many slots can do, against a reference.
    pub(super) fn capacity(&self, slots: u32, reference: &Reference) -> Option<Capacity> {
        let (own, theirs) = (self.known()?, reference.learner.known()?);
        let work = u128::from(slots).saturating_mul(u128::from(theirs)).saturating_mul(u128::from(reference.capacity));
        let pace = u128::from(reference.slots.max(1)).saturating_mul(u128::from(own));
        let thousandths = work.checked_div(pace)?;
        Some(Capacity::from_thousandths(u64::try_from(thousandths).unwrap_or(u64::MAX)))
    }
}

/// What other classes are compared with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reference {
    pub(super) learner: Learner,
    pub(super) slots: u32,
    /// In thousandths of a reference worker.
    pub(super) capacity: u32,
}

/// Whether a capacity has been learned that is to replace the one in use.
pub(super) fn differs(used: Capacity, learned: Capacity) -> bool {
    let (used, learned) = (u64::from(used.as_thousandths()), u64::from(learned.as_thousandths()));
    used.abs_diff(learned).saturating_mul(CHANGE) > used
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(times: impl IntoIterator<Item = u64>) -> Learner {
        let mut learner = Learner::default();
        times.into_iter().for_each(|time| learner.add(time));
        learner
    }

    #[test]
    fn twice_as_fast_with_twice_the_slots_is_worth_four() {
        let reference = Reference { learner: of([2_000_000; 50]), slots: 2, capacity: 1_000 };
        let learned = |times: usize| of(vec![1_000_000; times]).capacity(4, &reference);
        assert_eq!((learned(49), learned(50).map(Capacity::as_thousandths)), (None, Some(4_000)));
        let unknown = Reference { learner: of([2_000_000; 49]), ..reference };
        assert_eq!(of([1_000_000; 50]).capacity(4, &unknown), None);
        assert_eq!(of([0; 90]).capacity(4, &reference), None, "no time at all says nothing");
    }

    #[test]
    fn the_mean_is_that_of_all_and_then_of_the_latest() {
        assert_eq!(of([10, 20, 30]).mean, 20);
        let mut learner = of([1_000; 300]);
        for _ in 0..2_000 {
            learner.add(3_000);
        }
        assert!(learner.mean > 2_700, "{}", learner.mean);
        assert_eq!(of([u64::MAX, 0, u64::MAX]).served, 3);
    }

    #[test]
    fn what_differs_by_a_tenth_is_scatter() {
        let capacity = Capacity::from_thousandths;
        assert!(!differs(capacity(1_000), capacity(1_100)) && differs(capacity(1_000), capacity(1_101)));
        assert!(!differs(capacity(1_000), capacity(900)) && differs(capacity(1_000), capacity(899)));
    }
}
