//! Days on which classes matter, with exact instants and the lines that an operator reads.

use std::time::Duration;

use plimsoll::classes::{Capacity, Class, ClassId, MixedPool, Price, Reason, Refused, Settings};
use plimsoll::policy::RunPod;
use plimsoll::{Command, Config, Mode, Observation, Timestamp, WorkerEvent, WorkerId};

use super::world::{Turn, World};

fn class(name: &str, price: f64, limit: u32) -> Class {
    Class::new(name, Price::per_hour(price).unwrap(), limit)
}

const fn at(secs: u64) -> Timestamp {
    Timestamp::from_secs(secs)
}

/// Settles, and says how.
fn lines(world: &mut World, secs: u64, turn: Turn) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    world.turn(Duration::from_secs(secs), turn, |world, decision| {
        let counts: Vec<u32> = decision.classes.iter().map(|class| class.count).collect();
        let line = format!("{} {counts:?} {decision}", world.now);
        if all.last() != Some(&line) {
            all.push(line);
        }
    });
    all
}

#[test]
fn spot_beside_a_floor_on_demand_with_stand_ins_through_a_storm() {
    let (spot, on_demand) = (class("spot", 1.0, 8), class("on demand", 3.0, 8));
    let settings = Settings::spot_with_fallback(Config::fixed(4).unwrap(), spot, on_demand, 1, true).unwrap();
    let mut world = World::new(settings, Duration::from_secs(30));
    let plan = "3 × spot + 1 × on demand: first in order for 4 wanted";
    let bridged = format!("[3, 4] {plan}; until that is ready 3 × on demand beside it");
    assert_eq!(lines(&mut world, 0, Turn::Pass), [format!("0 {bridged}")]);
    assert_eq!(lines(&mut world, 60, Turn::Pass), [format!("30 [3, 1] {plan}"), format!("60 [3, 1] {plan}")]);
    // All spot workers are taken back: those in their place are ordered at that instant.
    lines(&mut world, 60, Turn::Stock(0, false));
    assert_eq!(
        lines(&mut world, 1, Turn::Storm),
        ["121 [0, 4] 4 × on demand: next best for 4 wanted; spot taken back until +7.8 s"]
    );
    // It is asked again and again, and nobody is let go for that.
    let asked = lines(&mut world, 20, Turn::Stock(0, true));
    assert_eq!(asked[0], format!("128.85010805 {bridged}"));
    assert_eq!(asked[1], "128.85010805 [0, 4] 4 × on demand: next best for 4 wanted; spot out of stock until +8.6 s");
    // There are some again: three are ordered, and the others go when they are ready.
    let back = lines(&mut world, 60, Turn::Pass);
    assert_eq!(back[0], "151 [0, 4] 4 × on demand: next best for 4 wanted; spot out of stock until +1.9 s");
    assert_eq!(back[1], format!("152.950177256 {bridged}"));
    assert_eq!(back[2], format!("182.950177256 [3, 1] {plan}"));
}

#[test]
fn in_order_the_first_that_has_stock() {
    let service = Config::runpod(RunPod::request_count(1), 0, 6, Duration::from_secs(30)).unwrap();
    let gpus = ["L4", "A5000", "RTX 3090"].map(|name| class(name, 0.0, 4));
    let mut world = World::new(Settings::in_order(service, gpus).unwrap(), Duration::from_secs(20));
    world.turn(Duration::ZERO, Turn::Stock(1, false), |_, _| {});
    assert_eq!(
        lines(&mut world, 5, Turn::Arrive(6)),
        [
            "5 [4, 2, 0] 4 × L4 + 2 × A5000: first in order for 0.6 req/s (6 wanted)",
            "5 [4, 0, 2] 4 × L4 + 2 × RTX 3090: next best for 0.6 req/s (6 wanted); A5000 out of stock until +9.8 s",
        ]
    );
}

#[test]
fn a_worker_is_worth_what_it_was_seen_to_do() {
    let classes = vec![class("A100", 3.0, 8), class("H100", 5.0, 8).learned(Capacity::new(1.5).unwrap())];
    let mut pool = MixedPool::new(Settings::new(Config::fixed(4).unwrap(), classes).unwrap(), at(0));
    assert_eq!(pool.decide(at(0)).to_string(), "4 × A100: cheapest for 4 wanted");
    for (class, millis, times) in [(0, 1_000, 50), (1, 480, 12)] {
        for _ in 0..times {
            pool.observe_class(at(1), ClassId(class), Observation::finished(Duration::from_millis(millis))).unwrap();
        }
    }
    let decision = pool.decide(at(1));
    assert_eq!((decision.classes[1].learning, decision.classes[1].capacity.to_string().as_str()), (Some(12), "1.5"));
    for _ in 0..38 {
        pool.observe_class(at(1), ClassId(1), Observation::finished(Duration::from_millis(480))).unwrap();
    }
    let decision = pool.decide(at(2));
    assert_eq!((decision.classes[1].learning, decision.classes[1].capacity.to_string().as_str()), (None, "2.08"));
    // Two at 5 do what four at 3 do: both are there until the two are ready.
    assert_eq!(decision.classes.iter().map(|class| class.count).collect::<Vec<_>>(), [4, 2]);
    assert_eq!((decision.price.to_string().as_str(), decision.code()), ("10", "cheapest"));
}

#[test]
fn what_is_still_being_learned_is_said() {
    let classes = vec![class("A100", 3.0, 1), class("H100", 5.0, 8).learned(Capacity::new(1.5).unwrap())];
    let mut pool = MixedPool::new(Settings::new(Config::fixed(4).unwrap(), classes).unwrap(), at(0));
    // Nothing can be learned before it is known how much work a request is.
    for class in [vec![1; 3], vec![0; 50], vec![1; 12]].concat() {
        pool.observe_class(at(0), ClassId(class), Observation::finished(Duration::from_millis(480))).unwrap();
    }
    assert_eq!(
        pool.decide(at(0)).to_string(),
        "1 × A100 + 2 × H100: cheapest for 4 wanted; H100 counts as 1.5 (learning: 12 of 50 completions)"
    );
}

#[test]
fn too_little_is_said_to_be_too_little() {
    let settings = Settings::new(Config::fixed(4).unwrap(), vec![class("A100", 3.0, 1), class("L4", 1.0, 1)]).unwrap();
    let decision = MixedPool::new(settings, at(0)).decide(at(0));
    assert_eq!(decision.to_string(), "1 × A100 + 1 × L4: all that can be had for 4 wanted; 2 short");
    assert_eq!((decision.reason, decision.short, decision.code()), (Reason::Short, 2_000, "short"));
}

#[test]
fn what_is_there_already_is_taken_over() {
    let service = Config::runpod(RunPod::request_count(4), 1, 8, Duration::from_secs(30)).unwrap();
    let classes = vec![class("A100", 3.0, 8), class("H100", 5.0, 8).with_capacity(Capacity::new(2.0).unwrap())];
    let mut pool = MixedPool::new(Settings::new(service, classes).unwrap(), at(0));
    for (class, id) in [(0, 1), (1, 1), (1, 2)] {
        pool.observe_class(at(0), ClassId(class), Observation::worker(WorkerId(id), WorkerEvent::Ready)).unwrap();
    }
    let decision = pool.decide(at(0));
    assert_eq!((decision.wanted, decision.commands.len()), (5, 0), "{decision}");
    assert_eq!(decision.classes.iter().map(|class| class.planned).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn who_only_observes_says_what_would_be_done() {
    let settings = Settings::new(Config::fixed(2).unwrap(), vec![class("A100", 3.0, 8)]).unwrap();
    let mut pool = MixedPool::new(settings, at(0));
    pool.observe(at(0), Observation::Mode { mode: Mode::Observe, valid_for: Some(Duration::from_secs(5)) }).unwrap();
    let decision = pool.decide(at(1));
    assert_eq!((decision.commands.len(), decision.would[0].command), (0, Command::Start { count: 2 }));
    assert_eq!(pool.decide(at(2)).would, decision.would);
    assert_eq!(decision.next_wakeup, Some(at(5)));
    assert_eq!(pool.decide(at(5)).commands, decision.would);
}

#[test]
fn another_release_of_the_settings_keeps_the_workers_by_their_classes_names() {
    let service = Config::fixed(3).unwrap();
    let settings = Settings::new(service.clone(), vec![class("A100", 3.0, 8), class("L4", 4.0, 8)]).unwrap();
    let mut world = World::new(settings, Duration::from_secs(20));
    world.turn(Duration::from_secs(30), Turn::Pass, |_, _| {});
    let swapped = Settings::new(service, vec![class("L4", 4.0, 8), class("A100", 3.0, 2)]).unwrap();
    world.pool.reconfigure(at(40), swapped);
    let decision = world.pool.decide(at(40));
    assert_eq!(decision.classes.iter().map(|class| (class.planned, class.count)).collect::<Vec<_>>(), [(1, 1), (2, 2)]);
    let text = serde_json::to_string(&world.pool.snapshot()).unwrap();
    let mut restored = MixedPool::restore(serde_json::from_str(&text).unwrap()).unwrap();
    assert_eq!(restored.decide(at(50)), world.pool.decide(at(50)));
}

#[test]
fn a_snapshot_that_cannot_be_one_is_refused() {
    let settings = Settings::new(Config::fixed(1).unwrap(), vec![class("one", 1.0, 2), class("two", 2.0, 2)]).unwrap();
    let kept = serde_json::to_value(MixedPool::new(settings, at(0)).snapshot()).unwrap();
    let refused = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut changed = kept.clone();
        change(&mut changed);
        let snapshot = serde_json::from_value(changed).map_err(|error| error.to_string());
        snapshot.and_then(|snapshot| MixedPool::restore(snapshot).map_err(|error| error.to_string())).unwrap_err()
    };
    let part = |part: &str| {
        format!("the snapshot's {part} cannot be: it was changed or damaged; start without it, or restore an older one")
    };
    assert_eq!(refused(&|kept| drop(kept["classes"].as_array_mut().unwrap().pop())), part("classes"));
    assert_eq!(refused(&|kept| kept["classes"][0]["capacity"] = 7.into()), part("classes"));
    assert_eq!(refused(&|kept| kept["settings"]["classes"][0]["limit"] = 3.into()), part("classes"));
    assert_eq!(refused(&|kept| kept["settings"]["service"]["max"] = 3.into()), part("planner"));
    assert!(
        refused(&|kept| kept["settings"]["classes"][0]["limit"] = 0.into())
            .contains("classes[0].limit (0) must be above zero")
    );
}

#[test]
fn settings_say_what_is_wrong_with_them() {
    let wrong = |classes: Vec<Class>| Settings::new(Config::fixed(1).unwrap(), classes).unwrap_err().to_string();
    let one = || class("one", 1.0, 2);
    assert_eq!(wrong(vec![]), "classes holds 0: give between 1 and 16, and put together those that differ little");
    assert_eq!(
        wrong(vec![one(), one()]),
        "classes[1].name (\"one\") must be a name of its own: explanations and files tell classes apart by it"
    );
    assert_eq!(
        wrong(vec![Class { slots: Some(0), ..one() }]),
        "classes[0].slots (0) must be above zero: a worker serves at least one request at a time"
    );
    assert_eq!(
        wrong(vec![Class { standby: 3, ..one() }]),
        "classes[0].standby (3) must be at most its limit (2): lower the standby or raise the limit"
    );
    assert_eq!(
        wrong(vec![Class { prior: Some(Capacity::ONE), ..one() }]),
        "classes[0] gives capacity (1) and prior (1): leave capacity out to have it learned, or prior to have it fixed"
    );
    assert!(
        wrong(vec![Class { cold_start: Some(Duration::ZERO), ..one() }])
            .starts_with("classes[0].cold_start (0 s) must be above zero")
    );
    let standby = Config::fixed(1).unwrap().with_standby(2);
    assert!(
        Settings::new(standby, vec![one()]).unwrap_err().to_string().starts_with("service.standby (2) has no class")
    );
    let unknown = r#"{"service": {"replicas": 1}, "classes": [{"name": "a", "price": 1, "limit": 1, "colour": 3}]}"#;
    assert!(serde_json::from_str::<Settings>(unknown).unwrap_err().to_string().contains("unknown field `colour`"));
}

#[test]
fn settings_come_back_from_a_file_as_they_were() {
    let classes = vec![class("A100", 3.2, 8).spot(), class("H100", 5.0, 8).learned(Capacity::new(1.5).unwrap())];
    let settings = Settings::new(Config::fixed(4).unwrap(), classes).unwrap().with_stand_ins(true);
    let text = serde_json::to_string(&settings).unwrap();
    assert_eq!(serde_json::from_str::<Settings>(&text).unwrap(), settings);
}

#[test]
fn what_is_said_of_workers_needs_their_class() {
    let settings = Settings::new(Config::fixed(1).unwrap(), vec![class("one", 1.0, 2)]).unwrap();
    let mut pool = MixedPool::new(settings, at(0));
    let ready = Observation::worker(WorkerId(1), WorkerEvent::Ready);
    assert_eq!(pool.observe(at(1), ready), Err(Refused::OfAClass));
    assert_eq!(pool.observe_class(at(1), ClassId(0), Observation::arrived(1)), Err(Refused::OfTheService));
    let unknown = pool.observe_class(at(1), ClassId(1), ready).unwrap_err().to_string();
    assert_eq!(
        unknown,
        "class 1 is not among the settings' 1 classes: classes are counted from 0, in the settings' order"
    );
    assert_eq!(pool.status().input.rejected, 3);
}
