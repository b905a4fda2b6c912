//! Days on which classes matter, with exact instants and the lines that an operator reads.

use std::time::Duration;

use plimsoll::classes::{Capacity, Class, ClassId, MixedPool, Price, Reason, Refused, Settings};
use plimsoll::policy::RunPod;
use plimsoll::{Command, Config, FailureCause, Mode, Observation, Timestamp, WorkerEvent, WorkerId};

use super::world::{Turn, World};

fn class(name: &str, price: f64, limit: u32) -> Class {
    Class::new(name, Price::per_hour(price).unwrap(), limit)
}

fn at(secs: u64) -> Timestamp {
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
fn spot_beside_a_floor_on_demand_and_stand_ins_while_it_starts_and_is_taken_back() {
    let (spot, on_demand) = (class("spot", 1.0, 8), class("on demand", 3.0, 8));
    let settings = Settings::spot_with_fallback(Config::fixed(4).unwrap(), spot, on_demand, 1, true).unwrap();
    let mut world = World::new(settings, Duration::from_secs(30));
    for line in lines(&mut world, 60, Turn::Pass) {
        println!("{line}");
    }
    for line in lines(&mut world, 60, Turn::Stock(0, false)) {
        println!("{line}");
    }
    for line in lines(&mut world, 1, Turn::Storm) {
        println!("{line}");
    }
    for line in lines(&mut world, 100, Turn::Stock(0, true)) {
        println!("{line}");
    }
    for line in lines(&mut world, 200, Turn::Pass) {
        println!("{line}");
    }
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
