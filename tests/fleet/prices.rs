//! One price for all services of a fleet.

use std::time::Duration;

use plimsoll::fleet::{Fleet, Profile, ProfileId, Refused};
use plimsoll::policy::Objective;
use plimsoll::{Autoscaler, Config, Decision, Observation, Share, Timestamp};

fn config(price: u32) -> Config {
    Config::objective(Objective::price(price, Duration::from_secs(1)), 0, 4).unwrap()
}

fn profile(price: u32, folds: bool) -> Profile {
    let profile = Profile::new(config(price));
    if folds { profile.folded() } else { profile }
}

fn fleet(folds: bool) -> (Fleet<u32>, ProfileId) {
    let mut fleet = Fleet::new(1);
    let profile = fleet.add_profile(profile(10, folds));
    (fleet, profile)
}

/// A request comes, starts at once and takes a second.
const fn facts() -> [Observation; 3] {
    [Observation::arrived(1), Observation::started(Duration::ZERO), Observation::finished(Duration::from_secs(1))]
}

fn alone(autoscaler: &mut Autoscaler, now: Timestamp) -> Decision {
    for fact in facts() {
        autoscaler.observe(now, fact).unwrap();
    }
    autoscaler.decide(now)
}

fn under_a_roof(fleet: &mut Fleet<u32>, key: u32, now: Timestamp) -> Decision {
    for fact in facts() {
        fleet.observe(&key, now, fact).unwrap();
    }
    fleet.decide(&key, now).unwrap().decision
}

/// What a price has a hand in; a decision's number also counts how often it was reconfigured.
fn told(decision: &Decision) -> (u32, Option<Timestamp>, String) {
    (decision.desired, decision.next_wakeup, decision.explanation.to_string())
}

#[test]
fn a_new_price_is_that_of_all_services_of_its_profile_and_of_no_other() {
    [false, true].into_iter().for_each(prices_change);
}

fn prices_change(folds: bool) {
    let (mut fleet, its) = fleet(folds);
    let [other, new] = [11, 4_000].map(|price| fleet.add_profile(profile(price, folds)));
    let at = Timestamp::from_secs;
    let mut alike: Vec<_> = (0..3).map(|_| Autoscaler::new(config(10), Timestamp::ORIGIN)).collect();
    for (key, profile) in [(0, its), (1, its), (2, its), (3, other)] {
        fleet.insert(key, profile, Timestamp::ORIGIN).unwrap();
    }
    // Service 0 is in use, service 1 has been and is parked, service 2 never was.
    for key in [1, 0] {
        let now = at(if key == 0 { 40_000 } else { 1 });
        assert_eq!(under_a_roof(&mut fleet, key, now), alone(&mut alike[key as usize], now));
        let mut wakeup = fleet.next_wakeup();
        while let Some(now) = wakeup.filter(|now| key == 1 && *now < at(40_000)) {
            fleet.due(now).for_each(drop);
            let _ = alike[1].decide(now);
            wakeup = fleet.next_wakeup();
        }
    }
    assert_eq!(fleet.awake(), 1);
    fleet.set_price(its, at(40_001), 4_000).unwrap();
    assert_eq!(fleet.awake(), 1, "nobody is woken for it");
    for autoscaler in &mut alike {
        autoscaler.reconfigure(at(40_001), config(4_000));
    }
    assert_eq!(fleet.autoscaler(&0).as_ref(), Some(&alike[0]), "it is reconfigured like any other");
    assert_eq!(fleet.due(at(40_001)).map(|decided| decided.key).collect::<Vec<_>>(), [0], "and it is due");
    for key in [0, 1, 2] {
        let now = at(40_002 + u64::from(key));
        let autoscaler = &mut alike[key as usize];
        assert_eq!(told(&under_a_roof(&mut fleet, key, now)), told(&alone(autoscaler, now)), "{key}");
        assert_eq!(fleet.autoscaler(&key).unwrap().config(), &config(4_000));
    }
    assert_eq!(fleet.autoscaler(&3).unwrap().config(), &config(11));
    fleet.insert(4, its, at(50_000)).unwrap();
    fleet.insert(5, new, at(50_000)).unwrap();
    assert_eq!(fleet.autoscaler(&4), fleet.autoscaler(&5), "and of those that are still to come");
}

#[test]
fn a_price_that_cannot_be_is_refused_and_nothing_changes() {
    let (mut fleet, profile) = fleet(false);
    let share = Objective::share(Share::new(0.9).unwrap(), Duration::from_secs(1));
    let unpriced = fleet.add_profile(Profile::new(Config::objective(share, 0, 4).unwrap()));
    let mut larger = Fleet::<u32>::new(1);
    let unknown = (1..5).map(|price| larger.add_profile(Profile::new(config(price)))).last().unwrap();
    fleet.insert(0, profile, Timestamp::ORIGIN).unwrap();
    let before = fleet.autoscaler(&0);
    let now = Timestamp::from_secs(1);
    for (profile, price, refused) in
        [(profile, 0, Refused::ZeroPrice), (unpriced, 9, Refused::NoPrice), (unknown, 9, Refused::UnknownProfile)]
    {
        assert_eq!(fleet.set_price(profile, now, price), Err(refused));
    }
    assert_eq!(fleet.autoscaler(&0), before);
    assert!(Refused::NoPrice.to_string().contains("objective"));
}
