//! What the planner is told of the workers, and what is learned of them.

use super::{ClassId, MixedPool, REFERENCE};
use crate::observation::{Observation, PoolCounts};

/// Telling the planner of the workers may change what it wants, which may change what it is told: so often at the most. More
/// than a few take a policy that asks for more workers than it sees, and a pool that has more than it shows.
pub(super) const ROUNDS: u32 = 64;

impl MixedPool {
    /// Tells the planner of the workers, if they are others than it was last told of: the capacity of all classes in
    /// reference workers, no more than it wants or has wanted. What is there beyond that stands in for something, or is part
    /// of a worker; only `adopted` capacity, which nobody had ordered, it is to take over.
    pub(super) fn tell(&mut self, adopted: u64, first: bool) {
        let mut adopted = u32::try_from(adopted.div_ceil(u64::from(REFERENCE))).unwrap_or(u32::MAX);
        let mut first = first;
        for _ in 0..ROUNDS {
            // Those that it gives up are there until they have gone.
            let most = self.planner.desired().saturating_add(adopted);
            let counts = self.counts(most.max(self.told.ready.saturating_add(self.told.starting)));
            if counts == self.told && !first {
                return;
            }
            (self.told, first, adopted) = (counts, false, 0);
            // Never refused, but by a planner that comes from a damaged snapshot.
            let _ = self.planner.observe(self.now, Observation::Pool(counts));
        }
    }

    /// All workers as reference workers, at most so many of them in service.
    fn counts(&self, most: u32) -> PoolCounts {
        let (mut ready, mut busy, mut starting, mut draining) = (0_u64, 0_u64, 0_u64, 0_u64);
        for part in &self.parts {
            let (staff, capacity) = (part.staff(), u64::from(part.capacity.as_thousandths()));
            let idle = staff.census.idle.unwrap_or(0);
            let add = |sum: &mut u64, workers: u32| {
                *sum = sum.saturating_add(capacity.saturating_mul(u64::from(workers)));
            };
            add(&mut ready, staff.census.ready);
            add(&mut busy, staff.census.ready.saturating_sub(idle));
            add(&mut starting, staff.in_service.saturating_sub(staff.census.ready));
            add(&mut draining, staff.census.draining);
        }
        // Part of a reference worker is nobody but where there is no more: then it is the one who serves.
        let whole = |thousandths: u64| {
            let whole = thousandths.checked_div(u64::from(REFERENCE)).unwrap_or(0).max(u64::from(thousandths > 0));
            u32::try_from(whole).unwrap_or(u32::MAX)
        };
        let ready = whole(ready).min(most);
        let busy = u32::try_from(busy.div_ceil(u64::from(REFERENCE))).unwrap_or(u32::MAX);
        PoolCounts {
            ready,
            idle: Some(ready.saturating_sub(busy)),
            starting: whole(starting).min(most.saturating_sub(ready)),
            draining: whole(draining),
            ..PoolCounts::default()
        }
    }

    /// A request was served on a worker of a class.
    pub(super) fn learn(&mut self, class: ClassId, service: u64) {
        let (slots, known) = (self.settings.slots(class), self.settings.is_reference(class));
        match class.of_mut(&mut self.parts) {
            Some(part) if known => self.work.known_by(service, part.capacity, slots),
            Some(part) => part.learn(service, slots, &mut self.work),
            None => {}
        }
    }
}
