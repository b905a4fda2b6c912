//! What services take in memory and in time, measured: parked ones, and what that makes of ten million; and a million of
//! which one in a hundred is active.
#![expect(clippy::unwrap_used, clippy::arithmetic_side_effects, clippy::panic, reason = "a test panics where it fails")]
#![expect(clippy::disallowed_methods, reason = "the time that a call takes is what is measured")]

use core::time::Duration;
use std::time::Instant;

use allocation_counter::measure;
use plimsoll::fleet::{Fleet, Profile};
use plimsoll::policy::{Outpost, RunPod};
use plimsoll::{Command, Config, Observation, Policy, Rate, Timestamp, WorkerEvent, WorkerId};

/// As many as a test has time for; what one takes does not depend on how many there are.
const SERVICES: u64 = if cfg!(debug_assertions) { 1_000 } else { 20_000 };
const KEY: u64 = size_of::<u64>() as u64;

/// Keys as hashes are: in no order that a tree would like or mind.
fn keys() -> impl Iterator<Item = u64> {
    (1..=SERVICES).map(|n| n.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(23).wrapping_mul(0xBF58_476D_1CE4_E5B9))
}

/// Has one service wake, serve and go back to zero, at odd instants of its own, and come to rest.
fn live(fleet: &mut Fleet<u64>, key: u64, from: u64) {
    let noise = key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 30;
    let mut now = from + noise;
    let at = Timestamp::from_nanos;
    fleet.observe(&key, at(now), Observation::arrived(1 + (key % 2) as u32)).unwrap();
    while fleet.awake() > 0 {
        for decided in fleet.due(at(now)).collect::<Vec<_>>() {
            for command in decided.decision.commands {
                let id = WorkerId(key);
                let mut see = |nanos: u64, fact| {
                    now += nanos;
                    fleet.observe(&key, at(now), fact).unwrap();
                };
                match command {
                    Command::Start { .. } => {
                        see(50_000_017, Observation::worker(id, WorkerEvent::Ordered));
                        see(3_000_000_000 + noise, Observation::worker(id, WorkerEvent::Ready));
                        for _ in 0..=key % 2 {
                            see(1_203, Observation::worker(id, WorkerEvent::Busy(1)));
                            see(31, Observation::started(Duration::from_nanos(3_050_001_251 + noise)));
                            see(80_000_000 + noise % 1_000_003, Observation::finished(Duration::from_millis(80)));
                            see(0, Observation::worker(id, WorkerEvent::Idle));
                        }
                    }
                    Command::Stop { .. } => see(1_500_000_211, Observation::worker(id, WorkerEvent::Gone)),
                    other => panic!("{other:?}"),
                }
            }
        }
        now = fleet.next_wakeup().map_or(now, |at| at.as_nanos().max(now));
    }
}

/// A service that has lived and is parked takes some 100 bytes for what it keeps and 55 for its place among the others,
/// beside its key; one that was never used only the latter. So a million take 0.17 GB, and ten million 1.7 GB.
#[test]
fn ten_million_parked_services_take_less_than_two_and_a_half_gigabytes() {
    let secs = Duration::from_secs;
    let outpost = Outpost::new(Rate::per_second(2.5).unwrap());
    let configs = [
        ("RunPod's request count", Config::runpod(RunPod::request_count(4), 0, 5, secs(30)).unwrap()),
        ("Outpost", Config::new(Policy::Outpost(outpost), 0, 5).unwrap().with_idle_timeout(secs(30)).unwrap()),
    ];
    // An hour of some day of 2026, in nanoseconds since 1970.
    let start = 1_795_000_000_000_000_000;
    for (name, config) in configs {
        let mut new = Fleet::new(1);
        let profile = new.add_profile(Profile::new(config.clone()));
        let taken =
            measure(|| (0..SERVICES).for_each(|key| new.insert(key, profile, Timestamp::from_nanos(start)).unwrap()));
        let unused = taken.bytes_current.unsigned_abs() / SERVICES - KEY;

        let mut lived = Fleet::new(1);
        let profile = lived.add_profile(Profile::new(config));
        let taken = measure(|| {
            for key in keys() {
                lived.insert(key, profile, Timestamp::from_nanos(start)).unwrap();
                for times in 0..=key % 3 {
                    live(&mut lived, key, start + 1_000_000_000_000 * (1 + times));
                }
            }
        });
        assert_eq!(lived.awake(), 0);
        let each = taken.bytes_current.unsigned_abs() / SERVICES - KEY;
        println!("{name}: {each} B beside the key for one that has lived, {unused} B for one that was never used");
        let ten_million = (each + KEY) * 10_000_000;
        // Among few services the patterns that the others are compared with weigh more.
        let few = if cfg!(debug_assertions) { 200 } else { 0 };
        assert!(ten_million < 2_500_000_000 + few * 10_000_000, "{name}: ten million would take {ten_million} B");
        assert!(each <= 160 + few, "{name}: {each} B beside the key");
        assert!(unused <= 64, "{name}: {unused} B beside the key for one that was never used");
    }
}

/// Services of which one in a hundred is active; a debug build makes do with fewer.
const ALL: u64 = if cfg!(debug_assertions) { 20_000 } else { 1_000_000 };
const ACTIVE: u64 = ALL / 100;

/// A million services, one in a hundred of which is active at one event a second, take less than 400 MB and 5 % of a core.
#[test]
fn a_million_services_of_which_one_in_a_hundred_is_active() {
    let config = Config::runpod(RunPod::request_count(4), 0, 5, Duration::from_secs(30)).unwrap();
    let mut fleet = Fleet::new(1);
    let profile = fleet.add_profile(Profile::new(config.with_event_log(4)));
    let active: Vec<u64> = keys().take(usize::try_from(ACTIVE).unwrap()).collect();
    let start = Timestamp::from_secs(100);
    let taken = measure(|| {
        for n in 1..=ALL {
            let key = n.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(23).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            fleet.insert(key, profile, Timestamp::ORIGIN).unwrap();
        }
        for key in &active {
            fleet.observe(key, start, Observation::arrived(1)).unwrap();
            for event in [WorkerEvent::Ordered, WorkerEvent::Ready, WorkerEvent::Idle] {
                fleet.observe(key, start, Observation::worker(WorkerId(*key), event)).unwrap();
            }
            fleet.observe(key, start, Observation::started(Duration::ZERO)).unwrap();
            fleet.observe(key, start, Observation::finished(Duration::from_millis(50))).unwrap();
        }
        assert_eq!(fleet.due(start).count() as u64, ACTIVE);
    });
    assert_eq!(fleet.awake() as u64, ACTIVE);
    let each = taken.bytes_current.unsigned_abs() / ALL;
    println!("{each} B for each of {ALL} services, {ACTIVE} of them active");
    assert!(each * 1_000_000 < 400_000_000);

    // Half a minute, a second at a time; what is due is asked for a hundred times a second. The best second counts, since
    // other programs run here too.
    let (mut best, mut all, mut decisions) = (Duration::MAX, Duration::ZERO, 0);
    for second in 1..=30 {
        let begun = Instant::now();
        for (slice, some) in (0..).zip(active.chunks(active.len().div_ceil(100))) {
            let now = Timestamp::from_millis(100_000 + second * 1_000 + slice * 10);
            for key in some {
                let fact = match second % 3 {
                    0 => Observation::finished(Duration::from_millis(50)),
                    1 => Observation::arrived(1),
                    _ => Observation::started(Duration::from_millis(1)),
                };
                fleet.observe(key, now, fact).unwrap();
            }
            decisions += fleet.due(now).count();
        }
        best = best.min(begun.elapsed());
        all += begun.elapsed();
    }
    let share = |spent: Duration| spent.as_micros() * 1_000_000 / u128::from(ALL);
    println!(
        "for a million: {} ms of each second at best, {} ms on average; {decisions} decisions in 30 s",
        share(best) / 1_000,
        share(all) / 30_000
    );
    assert_eq!(fleet.awake() as u64, ACTIVE);
    assert!(cfg!(debug_assertions) || share(best) < 50_000, "{} us of a second", share(best));
}
