//! What a fleet costs: an event and its decision among a million services, waking and parking, folding, a budget for a
//! million, and its timers in a heap and in a wheel.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "a bench panics where it fails"
)]

use core::cmp::Reverse;
use core::num::NonZeroU32;
use core::time::Duration;
use std::collections::BinaryHeap;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use plimsoll::fleet::{Budget, Claim, Fleet, Kind, Profile};
use plimsoll::policy::{Outpost, RunPod};
use plimsoll::{Config, Observation, Policy, Rate, Timestamp, WorkerEvent, WorkerId};

const SERVICES: u64 = 1_000_000;
const ACTIVE: u64 = 10_000;

/// A million services, of which one in a hundred has a worker and serves.
fn fleet() -> (Fleet<u64>, u64) {
    let config = Config::runpod(RunPod::request_count(4), 0, 5, Duration::from_secs(30)).unwrap();
    let mut fleet = Fleet::new(1);
    let profile = fleet.add_profile(Profile::new(config.with_event_log(4)));
    for key in 0..SERVICES {
        fleet.insert(key, profile, Timestamp::ORIGIN).unwrap();
    }
    let now = 100_000;
    for key in (0..SERVICES).step_by((SERVICES / ACTIVE) as usize) {
        let at = Timestamp::from_millis(now);
        fleet.observe(&key, at, Observation::arrived(1)).unwrap();
        for event in [WorkerEvent::Ordered, WorkerEvent::Ready, WorkerEvent::Idle] {
            fleet.observe(&key, at, Observation::worker(WorkerId(key), event)).unwrap();
        }
        fleet.observe(&key, at, Observation::started(Duration::ZERO)).unwrap();
        fleet.observe(&key, at, Observation::finished(Duration::from_millis(50))).unwrap();
    }
    assert_eq!(fleet.due(Timestamp::from_millis(now)).count() as u64, ACTIVE);
    (fleet, now)
}

fn events(c: &mut Criterion) {
    let (mut fleet, mut now) = fleet();
    let mut next = 0_u64;
    // Every active service in turn, so that each is met once a second of its own time.
    c.bench_function("fleet/event_and_what_is_due", |bencher| {
        bencher.iter(|| {
            next += 1;
            if next % 10 == 0 {
                now += 1;
            }
            let (key, at) = ((next % ACTIVE) * (SERVICES / ACTIVE), Timestamp::from_millis(now));
            let fact = match next / ACTIVE % 3 {
                0 => Observation::arrived(1),
                1 => Observation::started(Duration::from_millis(1)),
                _ => Observation::finished(Duration::from_millis(50)),
            };
            fleet.observe(&key, at, fact).unwrap();
            if next % 10 == 0 { fleet.due(at).count() } else { 0 }
        });
    });
}

fn wake_and_park(c: &mut Criterion) {
    let config = Config::runpod(RunPod::request_count(4), 0, 5, Duration::from_secs(30)).unwrap();
    let mut fleet = Fleet::new(1);
    let profile = fleet.add_profile(Profile::new(config));
    fleet.insert(0_u64, profile, Timestamp::ORIGIN).unwrap();
    let mut now = Timestamp::from_secs(100);
    fleet.observe(&0, now, Observation::queue(0, None)).unwrap();
    while let Some(at) = fleet.next_wakeup() {
        now = at;
        assert!(fleet.due(at).count() <= 1);
    }
    // A refused observation is the least that a parked service can be woken for.
    c.bench_function("fleet/wake_decide_and_park", |bencher| {
        bencher.iter(|| {
            let refused = fleet.observe(&0, now, Observation::worker(WorkerId(1), WorkerEvent::Idle));
            (refused.is_err(), fleet.due(now).count())
        });
    });
    assert_eq!(fleet.awake(), 0);
}

/// A service of some traffic that is folded by each of its decisions, and one that is not.
fn folding(c: &mut Criterion) {
    let outpost = Outpost::new(Rate::per_second(2.5).unwrap());
    let config = Config::new(Policy::Outpost(outpost), 1, 200).unwrap();
    for (name, folds) in [("fleet/unfold_decide_and_fold", true), ("fleet/decide", false)] {
        let mut fleet = Fleet::new(1);
        let profile = Profile::new(config.clone());
        let profile = fleet.add_profile(if folds { profile.folded() } else { profile });
        fleet.insert(0, profile, Timestamp::ORIGIN).unwrap();
        let mut now = Timestamp::ORIGIN;
        for request in 0..200 {
            for (after, fact) in [
                (180, Observation::arrived(1)),
                (0, Observation::started(Duration::from_micros(request * 37 % 900))),
                (150, Observation::finished(Duration::from_millis(150))),
            ] {
                now = now.saturating_add(Duration::from_millis(after));
                fleet.observe(&0, now, fact).unwrap();
            }
            let _ = fleet.due(now).count();
        }
        c.bench_function(name, |bencher| bencher.iter(|| fleet.decide(&0, now)));
    }
}

/// A million claims of three classes, of which two thirds of the budget can be had.
fn budget(c: &mut Criterion) {
    let small = |number: u64, below: u64| (number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33) as u32 % below as u32;
    let claims: Vec<Claim> = (0..SERVICES)
        .map(|n| Claim {
            wanted: small(n, 40),
            floor: u32::from(n % 7 == 0),
            weight: NonZeroU32::new(1 + small(n + 1, 8)).unwrap(),
            priority: small(n + 2, 3) as u8,
            units: NonZeroU32::new(1 + small(n + 3, 4)).unwrap(),
            ..Claim::new(0)
        })
        .collect();
    let wanted: u64 = claims.iter().map(|claim| u64::from(claim.wanted) * u64::from(claim.units.get())).sum();
    let one_class: Vec<Claim> = claims.iter().map(|claim| Claim { priority: 0, ..*claim }).collect();
    let mut group = c.benchmark_group("fleet/budget_for_a_million");
    group.sample_size(20);
    let budget = Budget::of(Kind(0), wanted * 2 / 3);
    group.bench_function("three_classes", |bencher| bencher.iter(|| budget.allocate(&claims)));
    group.bench_function("one_class", |bencher| bencher.iter(|| budget.allocate(&one_class)));
    group.finish();
}

/// A timing wheel of four levels of 256 slots, of a millisecond and more; what lies beyond is sorted in when the last level
/// turns. As in Varghese and Lauck, "Hashed and Hierarchical Timing Wheels", 1987, scheme 7.
struct Wheel {
    slots: Vec<Vec<(u64, u64)>>,
    now: u64,
}

impl Wheel {
    fn new() -> Self {
        Self { slots: vec![Vec::new(); 4 * 256], now: 0 }
    }

    fn arm(&mut self, at: u64, key: u64) {
        let ahead = (at.max(self.now) ^ self.now).max(1);
        let level = ((63 - ahead.leading_zeros() as usize) / 8).min(3);
        self.slots[level * 256 + ((at >> (8 * level)) & 255) as usize].push((at, key));
    }

    fn due(&mut self, now: u64, due: &mut Vec<u64>) {
        while self.now <= now {
            for level in (1..4).rev() {
                if self.now & ((1 << (8 * level)) - 1) == 0 {
                    let slot = level * 256 + ((self.now >> (8 * level)) & 255) as usize;
                    for (at, key) in core::mem::take(&mut self.slots[slot]) {
                        self.arm(at, key);
                    }
                }
            }
            let mut slot = core::mem::take(&mut self.slots[(self.now & 255) as usize]);
            slot.sort_unstable();
            due.extend(slot.into_iter().map(|(_, key)| key));
            self.now += 1;
        }
    }
}

/// Ten thousand timers of up to five minutes; every one that comes up is set anew.
fn timers(c: &mut Criterion) {
    let span = |n: u64| 1 + (n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) % 300_000;
    let mut group = c.benchmark_group("fleet/timers_for_one_second");
    group.bench_function("heap", |bencher| {
        let mut heap = BinaryHeap::new();
        (0..ACTIVE).for_each(|key| heap.push(Reverse((Timestamp::from_millis(span(key)), key))));
        let (mut now, mut serial) = (0, ACTIVE);
        bencher.iter(|| {
            let mut came = 0;
            // Asked a hundred times a second.
            for _ in 0..100 {
                now += 10;
                while let Some(Reverse((_, key))) = heap.pop_if_due(Timestamp::from_millis(now)) {
                    serial += 1;
                    came += 1;
                    heap.push(Reverse((Timestamp::from_millis(now + span(serial)), key)));
                }
            }
            came
        });
    });
    group.bench_function("wheel", |bencher| {
        let mut wheel = Wheel::new();
        (0..ACTIVE).for_each(|key| wheel.arm(span(key), key));
        let (mut now, mut serial, mut due) = (0, ACTIVE, Vec::new());
        bencher.iter(|| {
            let mut came = 0;
            for _ in 0..100 {
                now += 10;
                wheel.due(now, &mut due);
                for key in due.drain(..) {
                    serial += 1;
                    came += 1;
                    wheel.arm(now + span(serial), key);
                }
            }
            came
        });
    });
    group.finish();
    let mut group = c.benchmark_group("fleet/arm_and_drain_a_thousand_of_one_instant");
    group.bench_function("heap", |bencher| {
        let heap: BinaryHeap<_> =
            (0..ACTIVE).map(|key| Reverse((Timestamp::from_millis(span(key) + 5_000), key))).collect();
        bencher.iter_batched_ref(
            || heap.clone(),
            |heap| {
                (0..1_000).for_each(|key| heap.push(Reverse((Timestamp::from_millis(4_000), key))));
                let mut came = 0;
                while heap.pop_if_due(Timestamp::from_millis(4_000)).is_some() {
                    came += 1;
                }
                came
            },
            BatchSize::SmallInput,
        );
    });
    group.bench_function("wheel", |bencher| {
        let wheel = || {
            let mut wheel = Wheel::new();
            wheel.due(3_999, &mut Vec::new());
            (0..ACTIVE).for_each(|key| wheel.arm(span(key) + 5_000, key));
            wheel
        };
        bencher.iter_batched_ref(
            wheel,
            |wheel| {
                (0..1_000).for_each(|key| wheel.arm(4_000, key));
                let mut due = Vec::new();
                wheel.due(4_000, &mut due);
                due.len()
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

trait PopIfDue<T> {
    fn pop_if_due(&mut self, now: Timestamp) -> Option<T>;
}

impl PopIfDue<Reverse<(Timestamp, u64)>> for BinaryHeap<Reverse<(Timestamp, u64)>> {
    fn pop_if_due(&mut self, now: Timestamp) -> Option<Reverse<(Timestamp, u64)>> {
        if self.peek().is_some_and(|Reverse((at, _))| *at <= now) { self.pop() } else { None }
    }
}

criterion_group!(benches, timers, budget, wake_and_park, folding, events);
criterion_main!(benches);
