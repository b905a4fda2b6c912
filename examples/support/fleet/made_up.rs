//! Services that nobody has: most are hardly ever called, a few often, and now and then many at once.

use std::time::Duration;

use plimsoll::Timestamp;
use plimsoll::sim::{Request, Workload, WorkloadError};

const HOURS: u64 = 4;
const MILLIS: u64 = HOURS * 3_600_000;

/// SplitMix64 (Steele, Lea and Flood, 2014).
struct Dice(u64);

impl Dice {
    const fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, most: u64) -> u64 {
        self.roll() % most.max(1)
    }
}

/// So many services over four hours. The n-th is called some 4,000 / n times, and at least twice, in visits of a few calls;
/// every half hour one in ten is called in the same second.
pub(crate) fn services(count: usize) -> Result<Vec<Workload>, WorkloadError> {
    let service = |number: usize| {
        let mut dice = Dice(number as u64);
        let service = 20 + dice.below(1_500);
        let mut calls = Vec::new();
        let visits = 2 + 1_300 / (number as u64 + 1);
        for _ in 0..visits {
            let mut at = dice.below(MILLIS);
            for _ in 0..=dice.below(5) {
                calls.push(at);
                at += dice.below(4_000);
            }
        }
        if dice.below(10) == 0 {
            calls.extend((1..2 * HOURS).map(|half| half * 1_800_000 + number as u64 % 1_000));
        }
        calls.sort_unstable();
        let request = |at| {
            let service = Duration::from_millis(1 + service / 2 + dice.below(service));
            Request { arrival: Timestamp::from_millis(at), service }
        };
        Workload::from_requests(format!("service {number}"), calls.into_iter().map(request).collect())
    };
    (0..count).map(service).collect()
}
