//! What a budget guarantees while workers come and go.

use std::num::NonZeroU32;
use std::time::Duration;

use plimsoll::fleet::{Budget, Claim, Fleet, Kind, Profile};
use plimsoll::policy::{ConcurrencyTarget, RunPod};
use plimsoll::{Command, Config, FailureCause, Grant, Observation, Policy, Timestamp, WorkerEvent};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::holds;
use crate::site::{Habits, Site};

/// What happens to one service of a site.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// So many requests are in the system.
    Demand(u32),
    Befalls(usize, WorkerEvent),
    Nothing,
}

fn event() -> impl Strategy<Value = Event> {
    let befalls = prop_oneof![
        4 => (0..3_u32).prop_map(WorkerEvent::Busy),
        1 => Just(WorkerEvent::Draining),
        1 => Just(WorkerEvent::Failed(FailureCause::Crash)),
    ];
    prop_oneof![
        5 => (0..12_u32).prop_map(Event::Demand),
        1 => Just(Event::Demand(0)),
        4 => (any::<usize>(), befalls).prop_map(|(nth, event)| Event::Befalls(nth, event)),
        1 => Just(Event::Nothing),
    ]
}

#[derive(Clone, Debug)]
struct Service {
    min: u32,
    up_delay: u64,
    idle_timeout: Option<u64>,
    weight: u32,
    priority: u8,
    units: u32,
    kind: u16,
}

impl Service {
    fn profile(&self) -> Profile {
        let policy = Policy::Concurrency(ConcurrencyTarget::new(1.0).unwrap());
        let mut config = Config::new(policy, self.min, 10)
            .and_then(|config| config.with_up_delay(Duration::from_secs(self.up_delay)))
            .and_then(|config| config.with_down_delay(Duration::from_secs(15)))
            .unwrap();
        if let Some(timeout) = self.idle_timeout {
            config = config.with_idle_timeout(Duration::from_secs(timeout)).unwrap();
        }
        let profile = Profile::new(config);
        // Whoever is granted something is not folded, and decides the same.
        let profile = if self.weight == 1 { profile.folded() } else { profile };
        profile
            .with_weight(NonZeroU32::new(self.weight).unwrap())
            .with_priority(self.priority)
            .with_units(NonZeroU32::new(self.units).unwrap(), Kind(self.kind))
    }
}

fn service() -> impl Strategy<Value = Service> {
    let min = prop_oneof![3 => Just(0_u32), 1 => 1..3_u32];
    let idle = prop_oneof![2 => Just(None), 1 => (1..40_u64).prop_map(Some)];
    (min, select(vec![0, 0, 10]), idle, 1..4_u32, 0..2_u8, 1..4_u32, 0..2_u16).prop_map(
        |(min, up_delay, idle_timeout, weight, priority, units, kind)| Service {
            min,
            up_delay,
            idle_timeout,
            weight,
            priority,
            units,
            kind,
        },
    )
}

#[derive(Clone, Debug)]
struct Scene {
    services: Vec<Service>,
    budgets: [u64; 2],
    habits: Habits,
    events: Vec<(usize, u64, Event)>,
}

fn scene() -> impl Strategy<Value = Scene> {
    let habits = (0..4_000_u64, 0..20_000_u64, 0..8_000_u64, 0..30_000_u64)
        .prop_map(|(order, start, stop, drain)| Habits { order, start, stop, drain });
    let millis = prop_oneof![Just(0_u64), 1..3_000_u64, 3_000..60_000_u64];
    (vec(service(), 1..6), [0..40_u64, 0..40_u64], habits, vec((any::<usize>(), millis, event()), 1..80))
        .prop_map(|(services, budgets, habits, events)| Scene { services, budgets, habits, events })
}

impl Scene {
    fn site(&self) -> Site {
        let mut fleet = Fleet::new(1);
        fleet.set_budget(Timestamp::ORIGIN, &self.budget());
        for (key, service) in (0..).zip(&self.services) {
            let profile = fleet.add_profile(service.profile());
            fleet.insert(key, profile, Timestamp::ORIGIN).unwrap();
        }
        Site::new(fleet, Timestamp::ORIGIN, self.habits)
    }

    fn budget(&self) -> Budget {
        Budget::of(Kind(0), self.budgets[0]).with(Kind(1), self.budgets[1])
    }

    /// Units that exist or are under way, by kind.
    fn used(&self, site: &Site) -> [u64; 2] {
        let mut used = [0; 2];
        for (key, service) in (0..).zip(&self.services) {
            used[service.kind as usize] += u64::from(site.workers(key)) * u64::from(service.units);
        }
        used
    }

    fn run(&self, site: &mut Site, check: &mut dyn FnMut(&Site)) {
        for (nth, millis, event) in &self.events {
            site.run_until(site.now.saturating_add(Duration::from_millis(*millis)), check);
            let key = (nth % self.services.len()) as u32;
            match *event {
                Event::Demand(requests) => {
                    site.observe(key, Observation::queue(requests, None));
                    site.observe(key, Observation::in_flight(0));
                }
                Event::Befalls(nth, event) => site.befall(key, nth, event),
                Event::Nothing => {}
            }
            site.decide();
            check(site);
        }
        site.run_until(site.now.saturating_add(Duration::from_secs(50)), check);
    }
}

/// Workers that exist, those under way and those on their way out never take more than there is, whatever happens: stops
/// come before starts. Idle workers go before busy ones.
#[test]
fn never_a_moment_above_the_budget() {
    let interesting = [("full", 40), ("lost", 20)];
    holds("never_a_moment_above_the_budget", scene(), &interesting, |scene, tally| {
        let mut site = scene.site();
        let (mut worst, mut full) = ([0; 2], false);
        scene.run(&mut site, &mut |site| {
            let used = scene.used(site);
            worst = [worst[0].max(used[0]), worst[1].max(used[1])];
            full |= (0..2).any(|kind| used[kind] > 0 && used[kind] + 2 >= scene.budgets[kind]);
        });
        prop_assert!((0..2).all(|kind| worst[kind] <= scene.budgets[kind]), "{worst:?} of {:?}", scene.budgets);
        prop_assert_eq!(&site.fault, &None);
        tally.saw("full", full);
        let lost = |decided: &plimsoll::fleet::Decided<u32>| {
            let change = decided.decision.last_change;
            change.is_some_and(|change| change.desired < change.count && change.to_string().contains("granted"))
        };
        tally.saw("lost", site.log.iter().any(lost));
        Ok(())
    });
}

/// Once nothing changes any more, everybody has what the pure function gives, and those who have less say so.
#[test]
fn everybody_ends_up_with_the_fair_share() {
    holds("everybody_ends_up_with_the_fair_share", scene(), &[("short", 20)], |scene, tally| {
        let mut site = scene.site();
        scene.run(&mut site, &mut |_| {});
        let demands: Vec<u32> = (0..scene.services.len() as u32).map(|key| (key * 5 + 2) % 9).collect();
        for _ in 0..20 {
            for (key, requests) in (0..).zip(&demands) {
                // Everybody says again what waits, so that nothing is stale; nobody is busy.
                site.observe(key, Observation::queue(*requests, None));
                site.observe(key, Observation::in_flight(0));
                for nth in 0..12 {
                    site.befall(key, nth, WorkerEvent::Busy(0));
                }
            }
            site.run_until(site.now.saturating_add(Duration::from_secs(20)), &mut |_| {});
        }
        let claim = |(service, requests): (&Service, &u32)| Claim {
            wanted: (*requests).max(service.min),
            floor: service.min,
            cap: 10,
            weight: NonZeroU32::new(service.weight).unwrap(),
            priority: service.priority,
            units: NonZeroU32::new(service.units).unwrap(),
            kind: Kind(service.kind),
        };
        let claims: Vec<Claim> = scene.services.iter().zip(&demands).map(claim).collect();
        let shares = scene.budget().allocate(&claims);
        let desired: Vec<u32> = (0..shares.len() as u32).map(|key| site.fleet.desired(&key).unwrap()).collect();
        prop_assert_eq!(&desired, &shares, "{:?}", claims);
        for ((key, claim), share) in (0..).zip(&claims).zip(&shares) {
            let short = *share < claim.wanted;
            prop_assert_eq!(site.fleet.shortage(&key).is_some(), short);
            if short {
                let why = site.fleet.decide(&key, site.now).unwrap().decision.explanation.to_string();
                prop_assert!(why.contains(&format!("granted {share}: budget of ")), "{why}");
            }
            tally.saw("short", short);
        }
        Ok(())
    });
}

fn small(max: u32, priority: u8) -> Profile {
    let config = Config::runpod(RunPod::request_count(1), 0, max, Duration::from_secs(30)).unwrap();
    Profile::new(config).with_priority(priority)
}

fn wants(fleet: &mut Fleet<&'static str>, key: &'static str, now: Timestamp, requests: u32) {
    fleet.observe(&key, now, Observation::queue(requests, None)).unwrap();
    fleet.observe(&key, now, Observation::in_flight(0)).unwrap();
}

/// The loss of a grant is explained to the service that lost it, in one line.
#[test]
fn the_loss_of_a_grant_is_explained() {
    let mut fleet = Fleet::new(1);
    let (low, high) = (fleet.add_profile(small(10, 0)), fleet.add_profile(small(10, 1)));
    let now = Timestamp::from_secs(10);
    for (key, profile) in [("mail", low), ("search", low), ("video", high)] {
        fleet.insert(key, profile, Timestamp::ORIGIN).unwrap();
    }
    fleet.set_budget(now, &Budget::of(Kind(0), 8));
    wants(&mut fleet, "mail", now, 8);
    let decided: Vec<_> = fleet.due(now).collect();
    assert_eq!(decided[0].decision.commands, [Command::Start { count: 8 }], "nobody else wants any");
    assert_eq!(fleet.shortage(&"mail"), None);

    // A higher class comes: the count goes down at once, and the other one waits until workers have gone.
    let later = Timestamp::from_secs(20);
    wants(&mut fleet, "video", later, 5);
    let decided: Vec<_> = fleet.due(later).map(|decided| (decided.key, decided.decision)).collect();
    let of = |key: &str| decided.iter().find(|(other, _)| *other == key).map(|(_, decision)| decision).unwrap();
    assert_eq!(
        of("mail").to_string(),
        "8 → 3: 8 in the system at 1 per worker wants 8; wants 8, granted 3: budget of 8 shared with another"
    );
    assert_eq!(of("mail").commands, [Command::Release { count: 5 }]);
    assert_eq!(of("video").desired, 5, "a pool that is never reported is taken at its word");
    assert_eq!(fleet.shortage(&"mail").unwrap().to_string(), "wants 8, granted 3: budget of 8 shared with video (5)");
    let standing = fleet.decide(&"mail", Timestamp::from_secs(21)).unwrap().decision;
    assert_eq!(
        standing.to_string(),
        "held at 3 by the budget; granted 3: budget of 8 shared with another; wants 8: 8 in the system at 1 per worker wants 8"
    );
    assert_eq!(standing.explanation.terms.grant, Some(Grant { workers: 3, budget: 8, others: 1 }));
    assert_eq!(standing.explanation.fold(), 3);

    // Without a budget everybody has what it wants.
    fleet.set_budget(Timestamp::from_secs(22), &Budget::default());
    let decided: Vec<_> = fleet.due(Timestamp::from_secs(22)).collect();
    assert_eq!(decided.iter().find(|decided| decided.key == "mail").unwrap().decision.desired, 8);
}

/// Workers that exist when a budget is set are granted first, as far as it goes.
#[test]
fn a_budget_begins_with_what_is_there() {
    let mut fleet = Fleet::new(1);
    let profile = fleet.add_profile(small(10, 0));
    for key in ["mail", "search"] {
        fleet.insert(key, profile, Timestamp::ORIGIN).unwrap();
    }
    let now = Timestamp::from_secs(10);
    wants(&mut fleet, "mail", now, 6);
    assert_eq!(fleet.due(now).map(|decided| decided.decision.desired).collect::<Vec<_>>(), [6]);
    fleet.set_budget(now, &Budget::of(Kind(0), 8));
    wants(&mut fleet, "search", now, 6);
    let _ = fleet.due(now).count();
    assert_eq!((fleet.desired(&"mail"), fleet.desired(&"search")), (Some(4), Some(4)));
    fleet.set_budget(now, &Budget::of(Kind(0), 3));
    let _ = fleet.due(now).count();
    assert_eq!((fleet.desired(&"mail"), fleet.desired(&"search")), (Some(2), Some(1)));
}

/// Whoever is given up, or counts as another kind from now on, leaves its units to those that wait.
#[test]
fn who_leaves_leaves_its_share() {
    let now = Timestamp::from_secs(10);
    let shared = || {
        let mut fleet = Fleet::new(1);
        let profile = fleet.add_profile(small(10, 0));
        for key in ["mail", "search"] {
            fleet.insert(key, profile, Timestamp::ORIGIN).unwrap();
        }
        fleet.set_budget(now, &Budget::of(Kind(0), 8));
        wants(&mut fleet, "mail", now, 6);
        wants(&mut fleet, "search", now, 6);
        let _ = fleet.due(now).count();
        assert_eq!((fleet.desired(&"mail"), fleet.desired(&"search")), (Some(4), Some(4)));
        fleet
    };
    let mut fleet = shared();
    assert_eq!(fleet.remove(&"mail").map(|autoscaler| autoscaler.desired()), Some(4));
    let _ = fleet.due(now).count();
    assert_eq!((fleet.desired(&"search"), fleet.len(), fleet.awake(), fleet.is_empty()), (Some(6), 1, 1, false));
    assert!(fleet.remove(&"mail").is_none());

    let mut fleet = shared();
    let elsewhere = fleet.add_profile(small(10, 0).with_units(NonZeroU32::MIN, Kind(1)));
    fleet.reconfigure(&"mail", now, elsewhere).unwrap();
    let _ = fleet.due(now).count();
    assert_eq!((fleet.desired(&"mail"), fleet.desired(&"search")), (Some(6), Some(6)), "the other kind is not limited");
}
