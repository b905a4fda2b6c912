//! Services that move between fleets while requests come.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use plimsoll::fleet::{AdoptError, Decided, Fence, Fleet, FleetSnapshot, Profile};
use plimsoll::policy::{Objective, RunPod};
use plimsoll::{Autoscaler, Config, Learned, Observation, Timestamp};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::generators::{Case, Step, case};
use crate::holds;

/// Through text, through bytes, or as it is.
fn carried(snapshot: FleetSnapshot<u32>, way: u8) -> FleetSnapshot<u32> {
    match way % 4 {
        0 => snapshot,
        1 => serde_json::from_str(&serde_json::to_string(&snapshot).unwrap()).unwrap(),
        2 => {
            let mut bytes = Vec::new();
            ciborium::into_writer(&snapshot, &mut bytes).unwrap();
            ciborium::from_reader(&bytes[..]).unwrap()
        }
        _ => snapshot.expanded(),
    }
}

/// `folds` has every second service folded.
fn fleet_of(cases: &[Case], folds: bool) -> Fleet<u32> {
    let mut fleet = Fleet::new(1);
    for (key, case) in (0..).zip(cases) {
        let profile = Profile::new(case.knobs.config_from(Timestamp::ORIGIN));
        let profile = fleet.add_profile(if folds && key % 2 == 0 { profile.folded() } else { profile });
        fleet.insert(key, profile, Timestamp::ORIGIN).unwrap();
    }
    fleet
}

fn tell(fleet: &mut Fleet<u32>, key: u32, at: Timestamp, step: &Step) -> Option<Decided<u32>> {
    match step {
        Step::Observe(fact) => {
            let _ = fleet.observe(&key, at, *fact);
        }
        Step::Report(report) => {
            let _ = fleet.report(&key, at, report);
        }
        Step::Decide => return fleet.decide(&key, at),
    }
    None
}

/// Moves services between two fleets under traffic: no decision differs from a single fleet's, and what a fleet decides
/// that has lost a service is refused.
#[test]
fn moving_services_changes_no_decision() {
    let moves = vec((0..4_u8, 0..6_u32, 0..6_u32, any::<bool>(), any::<u8>()), 120);
    let cases = (vec(case(), 2..6), moves);
    holds("moving_services_changes_no_decision", cases, &[("moved", 60), ("fenced", 20)], |(cases, moves), tally| {
        let mut single = fleet_of(&cases, false);
        // To fold takes long: in one case of eight.
        let folds = moves.first().is_some_and(|(.., drawn)| drawn % 8 == 0);
        let mut halves = [fleet_of(&cases, folds), Fleet::new(2)];
        let (mut homes, mut fence, mut epoch) = (BTreeMap::new(), Fence::new(), 2);
        let (mut any_moved, mut fenced) = (false, false);
        let mut steps: Vec<_> = (0..).zip(&cases).flat_map(|(key, c)| c.steps.iter().map(move |s| (key, s))).collect();
        steps.sort_by_key(|(_, (at, _))| *at);
        for ((key, (at, step)), (move_it, from, to, forth, way)) in steps.into_iter().zip(moves.into_iter().cycle()) {
            if move_it == 0 {
                let (giver, heir) = if forth { (0, 1) } else { (1, 0) };
                let taken = halves[giver].split_off(&from, Some(&to).filter(|to| **to > from));
                epoch += 1;
                for key in taken.keys() {
                    homes.insert(*key, heir);
                    any_moved = true;
                }
                halves[heir].adopt(*at, carried(taken, way), epoch).unwrap();
                prop_assert_eq!(halves[heir].epoch(), epoch);
            }
            let home = *homes.get(&key).unwrap_or(&0);
            let alone = tell(&mut single, key, *at, step);
            let here = tell(&mut halves[home], key, *at, step);
            prop_assert_eq!(alone.map(|decided| decided.decision), here.map(|decided| decided.decision));
            let mut all: BTreeMap<u32, _> = single.due(*at).map(|decided| (decided.key, decided.decision)).collect();
            let mut both = BTreeMap::new();
            for half in &mut halves {
                for decided in half.due(*at) {
                    prop_assert!(fence.admits(&decided), "epoch {} of service {}", decided.epoch, decided.key);
                    let mut old = decided.clone();
                    old.epoch -= 1;
                    prop_assert!(!fence.admits(&old));
                    fenced = true;
                    both.insert(decided.key, decided.decision);
                }
            }
            // What has moved, or has not, may be asked once more than the other: nothing is then to be done, and the other
            // says the same.
            let keys: BTreeSet<u32> = all.keys().chain(both.keys()).copied().collect();
            for key in keys {
                let Some(home) = halves.iter_mut().find(|half| half.desired(&key).is_some()) else { continue };
                let (fleet, fewer, more) = match (all.contains_key(&key), both.contains_key(&key)) {
                    (true, false) => (home, &mut both, &all),
                    (false, true) => (&mut single, &mut all, &both),
                    _ => continue,
                };
                prop_assert!(more[&key].commands.is_empty(), "service {} is to be due", key);
                fewer.insert(key, fleet.decide(&key, *at).unwrap().decision);
            }
            prop_assert_eq!(both, all);
        }
        let lengths = halves[0].len() + halves[1].len();
        prop_assert_eq!(lengths, single.len());
        tally.saw("moved", any_moved);
        tally.saw("fenced", fenced);
        Ok(())
    });
}

fn fleet(epoch: u64, keys: std::ops::Range<u32>) -> Fleet<u32> {
    let config = Config::runpod(RunPod::request_count(4), 0, 5, Duration::from_secs(30)).unwrap();
    let mut fleet = Fleet::new(epoch);
    let profile = fleet.add_profile(Profile::new(config));
    for key in keys {
        fleet.insert(key, profile, Timestamp::ORIGIN).unwrap();
    }
    fleet
}

#[test]
fn what_cannot_be_taken_over_is_refused_and_nothing_changes() {
    let now = Timestamp::from_secs(5);
    let (mut ours, mut theirs) = (fleet(3, 0..10), fleet(5, 5..20));
    theirs.observe(&12, now, Observation::arrived(2)).unwrap();
    let _ = theirs.due(now).count();
    let overlapping = theirs.snapshot();
    assert_eq!(ours.adopt(now, overlapping, 6), Err(AdoptError::KnownService { position: 0 }));
    let taken = theirs.split_off(&10, None);
    assert_eq!((theirs.len(), taken.len(), taken.epoch()), (5, 10, 5));
    for epoch in [2, 5] {
        let refused = ours.adopt(now, taken.clone(), epoch).unwrap_err();
        assert_eq!(refused, AdoptError::OldEpoch { epoch, theirs: 5, ours: 3 });
    }
    assert_eq!((ours.len(), ours.epoch()), (10, 3));
    ours.adopt(now, taken, 6).unwrap();
    assert_eq!((ours.len(), ours.awake(), ours.epoch()), (20, 1, 6));
    assert_eq!(ours.desired(&12), Some(1));
    assert_eq!(
        theirs.observe(&12, now, Observation::arrived(1)).unwrap_err().to_string().split(':').next(),
        Some("no service has this key")
    );
}

#[test]
fn a_fleet_goes_on_under_its_own_epoch_or_a_later_one() {
    let (mut ours, mut theirs) = (fleet(5, 0..0), fleet(1, 0..4));
    let now = Timestamp::from_secs(5);
    let none = theirs.split_off(&3, Some(&1));
    assert!(none.is_empty() && theirs.len() == 4, "there is nothing from three up to one");
    let taken = theirs.split_off(&1, Some(&3));
    assert_eq!((taken.is_empty(), taken.keys().copied().collect::<Vec<_>>()), (false, vec![1, 2]));
    let refused = ours.adopt(now, taken.clone(), 4).unwrap_err();
    assert_eq!(refused, AdoptError::OldEpoch { epoch: 4, theirs: 1, ours: 5 });
    ours.adopt(now, taken, 5).unwrap();
    assert_eq!([&ours, &theirs].map(|fleet| fleet.keys().copied().collect::<Vec<_>>()), [[1, 2], [0, 3]]);
}

/// Profiles are numbered by each fleet in its own way.
#[test]
fn whoever_moves_keeps_its_profile() {
    let now = Timestamp::from_secs(5);
    let config = Config::runpod(RunPod::request_count(1), 0, 9, Duration::from_secs(30)).unwrap();
    let mut theirs = Fleet::new(1);
    let profile = theirs.add_profile(Profile::new(config));
    theirs.insert(7, profile, Timestamp::ORIGIN).unwrap();
    let mut ours = fleet(1, 0..3);
    ours.adopt(now, theirs.snapshot(), 2).unwrap();
    for key in [1, 7] {
        ours.observe(&key, now, Observation::queue(12, None)).unwrap();
        ours.observe(&key, now, Observation::in_flight(0)).unwrap();
    }
    let _ = ours.due(now).count();
    assert_eq!([1, 7].map(|key| ours.desired(&key)), [Some(3), Some(9)]);
}

/// Whatever stands in a snapshot, it is refused by name or does no harm.
#[test]
fn a_damaged_snapshot_does_no_harm() {
    let mut whole = fleet(1, 0..3);
    let mut now = Timestamp::from_secs(100);
    whole.observe(&1, now, Observation::queue(1, None)).unwrap();
    whole.observe(&1, now, Observation::in_flight(0)).unwrap();
    let _ = whole.due(now).count();
    whole.observe(&1, now, Observation::queue(0, None)).unwrap();
    while let Some(next) = whole.next_wakeup() {
        now = next;
        let _ = whole.due(now).count();
    }
    assert_eq!(whole.awake(), 0);
    let text = serde_json::to_string(&whole.snapshot()).unwrap();
    let from = text.find("\"packed\":[").unwrap() + "\"packed\":[".len();
    let until = from + text[from..].find(']').unwrap();
    let bytes: Vec<u8> = text[from..until].split(',').map(|byte| byte.parse().unwrap()).collect();
    let (mut refused, mut taken) = (0, 0);
    for at in 0..bytes.len() {
        for change in [1_u8, 2, 64, 128, 255] {
            let mut damaged = bytes.clone();
            damaged[at] ^= change;
            let damaged = damaged.iter().map(u8::to_string).collect::<Vec<_>>().join(",");
            let damaged: FleetSnapshot<u32> =
                serde_json::from_str(&format!("{}{damaged}{}", &text[..from], &text[until..])).unwrap();
            let mut other = Fleet::new(0);
            match other.adopt(now, damaged, 2) {
                Err(AdoptError::Unsound { position: 1 }) => {
                    assert!(other.is_empty());
                    refused += 1;
                }
                Err(other) => panic!("{other}"),
                Ok(()) => {
                    other.observe(&1, now, Observation::arrived(1)).unwrap();
                    assert!(other.due(now).count() <= 2);
                    taken += 1;
                }
            }
        }
    }
    assert!(refused > 0 && taken > 0, "{refused} refused, {taken} taken over");
}

#[test]
fn new_services_begin_with_what_those_of_their_profile_learned() {
    let config = Config::objective(Objective::price(20, Duration::from_millis(100)), 0, 4).unwrap();
    let mut fleet = Fleet::new(1);
    let profile = fleet.add_profile(Profile::new(config.clone()));
    let other =
        fleet.add_profile(Profile::new(Config::objective(Objective::price(9, Duration::from_secs(1)), 0, 1).unwrap()));
    assert_eq!(fleet.learned(profile), None, "nobody was ever there");
    let mut all = Learned::default();
    for key in 0..20_u32 {
        fleet.insert(key, profile, Timestamp::ORIGIN).unwrap();
        let mut alone = Autoscaler::new(config.clone(), Timestamp::ORIGIN);
        for minute in 0..u64::from(key % 4) {
            let now = Timestamp::from_secs(minute * 60 + 1);
            for seen in [
                Observation::arrived(1),
                Observation::started(Duration::ZERO),
                Observation::finished(Duration::from_secs(3)),
            ] {
                fleet.observe(&key, now, seen).unwrap();
                alone.observe(now, seen).unwrap();
            }
        }
        if let Some(learned) = alone.learned() {
            all.add(&learned);
        }
    }
    for due in 0..200 {
        fleet.due(Timestamp::from_secs(due * 600)).for_each(drop);
    }
    let learned = fleet.learned(profile).unwrap();
    assert_eq!(learned.service_mean(), Some(Duration::from_secs(3)));
    assert_eq!(learned.service_mean(), all.service_mean());
    assert_eq!(fleet.learned(other), None);

    let taught = fleet.add_profile(Profile::new(config.clone()).with_prior(learned.clone()));
    assert_ne!(taught, profile);
    fleet.insert(100, taught, Timestamp::ORIGIN).unwrap();
    let new = Autoscaler::new(config, Timestamp::ORIGIN).with_prior(&learned);
    assert_eq!(fleet.autoscaler(&100), Some(new));
    let snapshot = carried(fleet.snapshot(), 1);
    let mut moved = Fleet::new(2);
    moved.adopt(Timestamp::ORIGIN, snapshot, 2).unwrap();
    assert_eq!(moved.autoscaler(&100), fleet.autoscaler(&100), "a profile keeps its prior");
}
