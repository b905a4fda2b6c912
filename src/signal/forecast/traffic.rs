//! Who comes: the arrivals as decaying counts, the rates that these are, and the slots that are asked for.

use serde::{Deserialize, Serialize};

use crate::fixed::{ONE, decay, mean_decay, ratio, times};
use crate::time::Timestamp;
use crate::units::MICRO;

const SECOND: u64 = 1_000_000_000;
/// Service times of the long rate and of the short one, and the least of each: one that forgets within a few ticks is noise.
/// The long one forgets no faster than the lead that it is forecast for.
const LONG: (u64, u64) = (16, 8 * SECOND);
const SHORT: (u64, u64) = (2, 2 * SECOND);
/// Service times after a late request in which workers serve what waited, not what comes.
const STRAIN: u64 = 3;

/// Demand, in millionths of a slot: now, as those who came since the last tick saw it on average, and at the most.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Demand {
    pub(super) now: u64,
    pub(super) mean: u64,
    pub(super) most: u64,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub(super) struct Traffic {
    /// All that came, up to the last tick.
    arrivals: u64,
    /// Since the last tick: arrivals; the most requests in the system; and how many arrivals saw how many in it together.
    arrived: u64,
    most: u64,
    saw: (u64, u64),
    /// Decaying counts of arrivals, in millionths, with the service time, the long and the short constant.
    occupancy: u64,
    counts: [u64; 2],
    /// Until when what is in service is what waited.
    strained: Timestamp,
}

impl Traffic {
    /// So many arrived; with them there are `requests`.
    pub(super) fn came(&mut self, count: u64, requests: u64) {
        self.adds(count);
        self.most = self.most.max(requests);
        self.saw = (self.saw.0.saturating_add(count), self.saw.1.saturating_add(count.saturating_mul(requests)));
    }

    /// So many arrived that nobody saw come.
    pub(super) const fn adds(&mut self, count: u64) {
        self.arrived = self.arrived.saturating_add(count);
    }

    /// Somebody waited for long: until some service times later it is not known who would be there if nobody waited.
    pub(super) const fn strains(&mut self, now: Timestamp, service: u64) {
        self.strained = now.plus(service.saturating_mul(STRAIN));
    }

    /// All that came, up to the last tick.
    pub(super) const fn arrivals(&self) -> u64 {
        self.arrivals
    }

    /// Takes the arrivals of `elapsed` nanoseconds into the counts: how many they were.
    pub(super) fn count(&mut self, elapsed: u64, service: u64, lead: u64) -> u64 {
        let arrived = core::mem::take(&mut self.arrived);
        let fresh = arrived.saturating_mul(MICRO);
        let taken = |count: u64, constant: u64| {
            times(count, decay(elapsed, constant)).saturating_add(times(fresh, mean_decay(elapsed, constant)))
        };
        self.occupancy = taken(self.occupancy, service);
        self.arrivals = self.arrivals.saturating_add(arrived);
        let [of_long, of_short] = self.counts;
        self.counts = [taken(of_long, long(service, lead)), taken(of_short, short(service))];
        arrived
    }

    /// Arrivals per second, in millionths, the long rate and the short one, from counts that have run for `age` nanoseconds.
    pub(super) fn rates(&self, age: u64, service: u64, lead: u64) -> [u64; 2] {
        let rate = |count: u64, constant: u64| {
            let full = times(constant, ONE.saturating_sub(decay(age, constant)));
            ratio(count, SECOND, full.max(1))
        };
        let [of_long, of_short] = self.counts;
        [rate(of_long, long(service, lead)), rate(of_short, short(service))]
    }

    /// The slots that would be busy if nobody ever waited. As long as nobody does it is what is there. After that it is not: a
    /// backlog grows and is worked off, and says more of what was missing than of what comes.
    pub(super) fn demand(&mut self, now: Timestamp, requests: u64) -> Demand {
        let most = core::mem::replace(&mut self.most, requests).max(requests);
        let (arrivals, saw) = core::mem::take(&mut self.saw);
        // Two standard deviations of Poisson demand, so that it is rarely too little.
        let deviation = self.occupancy.saturating_mul(MICRO).isqrt();
        let likely = self.occupancy.saturating_add(deviation.saturating_mul(2)).saturating_add(MICRO);
        let limit = if now < self.strained { likely } else { u64::MAX };
        let slots = |requests: u64| requests.saturating_mul(MICRO).min(limit);
        let there = slots(requests);
        let mean = if arrivals == 0 { there } else { ratio(saw, MICRO, arrivals).min(limit) };
        Demand { now: there, mean, most: slots(most) }
    }

    /// Whether next to nothing of who came is left.
    pub(super) fn is_faded(&self) -> bool {
        self.counts.iter().all(|count| *count < MICRO / 64)
    }

    #[cfg(test)]
    pub(super) const fn occupancy(&self) -> u64 {
        self.occupancy
    }

    #[cfg(test)]
    pub(super) const fn counts(&self) -> [u64; 2] {
        self.counts
    }

    #[cfg(test)]
    pub(super) fn is_strained(&self, now: Timestamp) -> bool {
        self.strained > now
    }

    /// Forgets what is left.
    pub(super) const fn forget(&mut self) {
        (self.occupancy, self.counts) = (0, [0; 2]);
    }
}

/// The time constant of the long rate, in nanoseconds.
fn long(service: u64, lead: u64) -> u64 {
    let (times, least) = LONG;
    service.saturating_mul(times).max(least).max(lead)
}

/// That of the short one.
pub(super) fn short(service: u64) -> u64 {
    let (times, least) = SHORT;
    service.saturating_mul(times).max(least)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_follow_over_service_times_and_no_faster_than_ticks() {
        assert_eq!((long(4 * SECOND, 0), short(4 * SECOND)), (64 * SECOND, 8 * SECOND));
        assert_eq!((long(SECOND / 10, 0), short(SECOND / 10)), (8 * SECOND, 2 * SECOND), "the least of each");
        assert_eq!(long(SECOND, 17 * SECOND), 17 * SECOND, "no faster than the lead");
    }

    #[test]
    fn demand_is_what_came_where_somebody_waits() {
        let now = Timestamp::from_secs(1_000);
        let mut traffic = Traffic { occupancy: 100 * MICRO, ..Traffic::default() };
        let all = |now: u64, most: u64| Demand { now: now * MICRO, mean: now * MICRO, most: most * MICRO };
        let both = |slots: u64| all(slots, slots);
        assert_eq!(traffic.demand(now, 500), both(500), "in time is no strain");
        traffic.strains(now, SECOND);
        assert_eq!(traffic.demand(now, 500), both(121), "100, two times their root, and one");
        let soon = |millis: u64| now.plus(millis * 1_000_000);
        assert_eq!(traffic.demand(soon(2_999), 500), both(121), "for three service times");
        assert_eq!(traffic.demand(soon(3_000), 0), all(0, 500), "now, and since it was last asked");
        (1..=4).for_each(|requests| traffic.came(1, requests));
        let seen = traffic.demand(soon(3_000), 0);
        assert_eq!((seen.now, seen.mean, seen.most), (0, 2_500_000, 4 * MICRO), "one after the other saw 1 to 4");
        assert_eq!(traffic.demand(soon(3_000), 0), both(0));
    }
}
