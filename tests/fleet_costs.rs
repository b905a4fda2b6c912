//! What services take in memory and in time, measured: parked ones, and what that makes of ten million; and a million of
//! which one in a hundred is active.
#![expect(clippy::unwrap_used, clippy::arithmetic_side_effects, clippy::panic, reason = "a test panics where it fails")]
#![expect(clippy::disallowed_methods, reason = "the time that a call takes is what is measured")]

use core::num::NonZeroU32;
use core::time::Duration;
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use allocation_counter::measure;
use plimsoll::fleet::{Budget, Claim, Fleet, Kind, Profile};
use plimsoll::policy::{Objective, Outpost, RunPod};
use plimsoll::{Command, Config, Observation, Policy, PoolCounts, Rate, Timestamp, WorkerEvent, WorkerId};

/// As many as a test has time for; what one takes does not depend on how many there are.
const SERVICES: u64 = if cfg!(debug_assertions) { 4_000 } else { 20_000 };
const KEY: u64 = size_of::<u64>() as u64;

/// Keys as hashes are: in no order that a tree would like or mind.
fn keys() -> impl Iterator<Item = u64> {
    (1..=SERVICES).map(|n| n.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(23).wrapping_mul(0xBF58_476D_1CE4_E5B9))
}

/// Has one service wake, serve and go back to zero, at odd instants of its own, and come to rest.
fn live(fleet: &mut Fleet<u64>, key: u64, from: u64) {
    let noise = key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 30;
    let (mut now, mut born) = (from + noise, 0);
    let at = Timestamp::from_nanos;
    fleet.observe(&key, at(now), Observation::arrived(1 + (key % 2) as u32)).unwrap();
    while fleet.awake() > 0 {
        for decided in fleet.due(at(now)).collect::<Vec<_>>() {
            for command in decided.decision.commands {
                let mut see = |nanos: u64, fact| {
                    now += nanos;
                    fleet.observe(&key, at(now), fact).unwrap();
                };
                match command {
                    Command::Start { .. } => {
                        born += 1;
                        let id = WorkerId(from % 1_000_003 + born);
                        see(50_000_017, Observation::worker(id, WorkerEvent::Ordered));
                        see(3_000_000_000 + noise, Observation::worker(id, WorkerEvent::Ready));
                        for _ in 0..=key % 2 {
                            see(1_203, Observation::worker(id, WorkerEvent::Busy(1)));
                            see(31, Observation::started(Duration::from_nanos(3_050_001_251 + noise)));
                            see(80_000_000 + noise % 1_000_003, Observation::finished(Duration::from_millis(80)));
                            see(0, Observation::worker(id, WorkerEvent::Idle));
                        }
                    }
                    Command::Stop { id, .. } => see(1_500_000_211, Observation::worker(id, WorkerEvent::Gone)),
                    other => panic!("{other:?}"),
                }
            }
        }
        now = fleet.next_wakeup().map_or(now, |at| at.as_nanos().max(now));
    }
}

/// A service that has lived and is parked takes some 40 to 90 bytes for what it keeps and 40 for its place among the others,
/// beside its key; one that was never used only the latter. So a million take 0.13 GB, and ten million 1.3 GB.
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
        let few = if cfg!(debug_assertions) { 20 } else { 0 };
        assert!(ten_million < 2_500_000_000 + few * 10_000_000, "{name}: ten million would take {ten_million} B");
        assert!(each <= 128 + few, "{name}: {each} B beside the key");
        assert!(unused <= 64, "{name}: {unused} B beside the key for one that was never used");
    }
}

/// One minute of a service of a few workers, each of which reports to its fleet in its own way.
type Minute = fn(&mut Fleet<u64>, key: u64, minute: u64);

/// What a platform that scrapes its services tells of one.
fn counted(fleet: &mut Fleet<u64>, key: u64, minute: u64) {
    let drawn = |salt: u64, below: u64| {
        u32::try_from(((key + salt) * 31 + minute * 17) * 2_654_435_761 % 4_294_967_291 % below)
    };
    let (now, ready) = (Timestamp::from_secs(60 * minute), fleet.desired(&key).unwrap());
    let facts = [
        Observation::Pool(PoolCounts { ready, idle: Some(ready.min(1)), ..PoolCounts::default() }),
        Observation::queue(drawn(1, 5).unwrap(), Some(Duration::from_micros(drawn(2, 30_000).unwrap().into()))),
        Observation::in_flight(drawn(3, 4).unwrap()),
        Observation::Requests { count: 100 + drawn(4, 200).unwrap(), over: Duration::from_secs(60) },
    ];
    for fact in facts {
        fleet.observe(&key, now, fact).unwrap();
    }
    assert!(fleet.due(now).count() > 0);
}

/// What one tells that reports every request.
fn told(fleet: &mut Fleet<u64>, key: u64, minute: u64) {
    let mut now = 60_000_000_000 * minute + key * 1_000_003;
    let ready = fleet.desired(&key).unwrap();
    let pool = Observation::Pool(PoolCounts { ready, ..PoolCounts::default() });
    fleet.observe(&key, Timestamp::from_nanos(now), pool).unwrap();
    for request in 0..4 {
        let noise = (key * 31 + minute * 17 + request) * 2_654_435_761 % 1_000_003;
        let wait = Duration::from_nanos(noise * 9);
        let service = Duration::from_nanos(300_000_000 + noise * 97);
        for fact in [Observation::arrived(1), Observation::started(wait), Observation::finished(service)] {
            now += 10_000_000 + noise;
            fleet.observe(&key, Timestamp::from_nanos(now), fact).unwrap();
            let _ = fleet.due(Timestamp::from_nanos(now)).count();
        }
    }
}

/// A service that has workers and traffic takes less than half a kilobyte where its profile has it folded, and with all that
/// an objective learns less than two thirds of one. What they are compared with is there once, so the second half of them
/// says what one takes.
#[test]
fn folded_services_take_less_than_half_a_kilobyte() {
    // Among few services what they are compared with weighs more, if some of it came with the second half.
    let (half, few) = if cfg!(debug_assertions) { (30, 1_500) } else { (900, 0) };
    let outpost = Policy::Outpost(Outpost::new(Rate::per_second(2.5).unwrap()));
    let price = Policy::Objective(Objective::price(10, Duration::from_millis(100)));
    let cases: [(_, _, Minute, _); 4] = [
        ("Outpost, by counts", outpost, counted, 370),
        ("Outpost, by each request", outpost, told, 450),
        ("a price, by counts", price, counted, 700),
        ("a price, by each request", price, told, 550),
    ];
    for (name, policy, minute, most) in cases {
        let config = Arc::new(Config::new(policy, 1, 200).unwrap().with_event_log(1));
        let [folded, unfolded] = [true, false].map(|folds| {
            let mut fleet = Fleet::new(1);
            let profile = Profile::new(Arc::clone(&config));
            let profile = fleet.add_profile(if folds { profile.folded() } else { profile });
            let mut live = |keys: core::ops::Range<u64>, start: u64| {
                for key in keys.clone() {
                    fleet.insert(key, profile, Timestamp::from_secs(60 * start)).unwrap();
                }
                for at in 1..8 {
                    keys.clone().for_each(|key| minute(&mut fleet, key, start + at));
                }
            };
            live(0..half, 0);
            measure(|| live(half..half * 2, 10)).bytes_current.unsigned_abs() / half - KEY
        });
        println!("{name}: {folded} B each, not folded {unfolded} B");
        assert!(folded <= most + few, "{name}: {folded} B each");
        assert!(folded < unfolded / 2, "{name}: {folded} B each, and not folded {unfolded} B");
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

    // Half a minute, a second at a time; what is due is asked for a hundred times a second.
    let (mut took, mut decisions) = ([Duration::MAX; 3], 0);
    for second in 1..=30 {
        let begun = spent();
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
        let least = took.get_mut(usize::try_from(second % 3).unwrap()).unwrap();
        *least = spent().saturating_sub(begun).min(*least);
    }
    // Each kind of second at its least disturbed: what else runs takes from the caches and the memory that both share.
    let share = took.iter().sum::<Duration>() / 3;
    let sorted = (0..5).map(|_| sorting()).min().unwrap();
    println!("{share:?} of each second for {ALL} services, {sorted:?} to sort as many numbers");
    println!("{decisions} decisions in 30 s");
    assert_eq!(fleet.awake() as u64, ACTIVE);
    // Where a machine is slow, so is the sorting, which takes a third of that.
    let most = Duration::from_millis(50).max(sorted * 3);
    assert!(cfg!(debug_assertions) || share < most, "{share:?} of each second, {sorted:?} to sort");
}

/// A million claims of three classes, or of one, on two thirds of what they want, are granted in less than 100 ms.
#[test]
fn a_million_services_share_a_budget() {
    let count = |number: u64, below: u64| u32::try_from(drawn(number) % below).unwrap();
    let positive = |number: u64, below: u64| NonZeroU32::new(1 + count(number, below)).unwrap();
    for classes in [3, 1] {
        let claims: Vec<Claim> = (0..ALL)
            .map(|n| Claim {
                floor: u32::from(n % 7 == 0),
                weight: positive(n + 1, 8),
                priority: u8::try_from(count(n + 2, classes)).unwrap(),
                units: positive(n + 3, 4),
                ..Claim::new(count(n, 40))
            })
            .collect();
        let wanted: u64 = claims.iter().map(|claim| u64::from(claim.wanted) * u64::from(claim.units.get())).sum();
        let budget = Budget::of(Kind(0), wanted * 2 / 3);
        let (mut best, mut sorted) = (Duration::MAX, Duration::MAX);
        for _ in 0..5 {
            let begun = spent();
            let grants = budget.allocate(&claims);
            best = best.min(spent().saturating_sub(begun));
            sorted = sorted.min(sorting());
            let taken: u64 =
                claims.iter().zip(grants).map(|(c, grant)| u64::from(c.units.get()) * u64::from(grant)).sum();
            assert!(taken <= wanted * 2 / 3 && wanted * 2 / 3 - taken < 4, "{taken}");
        }
        println!("{best:?} for {ALL} claims in {classes} classes, {sorted:?} to sort as many numbers");
        // Where a machine is slow, or busy, so is the sorting, which takes an eighth of that.
        let most = Duration::from_millis(100).max(sorted * 8);
        assert!(cfg!(debug_assertions) || best < most, "{best:?}, {sorted:?} to sort");
    }
}

/// A number that looks drawn, below 2^31.
const fn drawn(number: u64) -> u64 {
    number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33
}

/// What sorting as many numbers as there are services takes, which tells how fast the machine is just now.
fn sorting() -> Duration {
    let begun = spent();
    let mut keys: Vec<u64> = (0..ALL).map(drawn).collect();
    keys.sort_unstable();
    let took = spent().saturating_sub(begun);
    assert!(keys.is_sorted());
    took
}

/// The time that this thread has had a processor, where the system tells, since other programs run here too.
fn spent() -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanos = told.as_deref().and_then(|text| text.split(' ').next()?.parse().ok());
    nanos.map_or_else(|| Instant::now().duration_since(*START), Duration::from_nanos)
}

static START: LazyLock<Instant> = LazyLock::new(Instant::now);
