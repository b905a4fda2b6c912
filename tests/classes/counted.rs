//! Classes whose workers are told by how many there are in each state.

use std::time::Duration;

use plimsoll::classes::{Class, ClassCommand, ClassId, Decision, MixedPool, Price, Refused, Settings};
use plimsoll::policy::RunPod;
use plimsoll::{Command, Config, Mode, Observation, Policy, PoolCounts, Rejected, Timestamp, WorkerEvent, WorkerId};

const SPOT: ClassId = ClassId(0);
const DEAR: ClassId = ClassId(1);

fn class(name: &str, price: f64) -> Class {
    Class::new(name, Price::per_hour(price).unwrap(), 8)
}

fn pool(wanted: u32, classes: Vec<Class>) -> MixedPool {
    let service = Config::new(Policy::Fixed(wanted), 0, 8).unwrap();
    MixedPool::new(Settings::new(service, classes).unwrap(), Timestamp::ORIGIN)
}

fn spot_and_dear(wanted: u32) -> MixedPool {
    pool(wanted, vec![class("spot", 1.0).spot(), class("dear", 3.0)])
}

const fn at(secs: u64) -> Timestamp {
    Timestamp::from_secs(secs)
}

fn count(pool: &mut MixedPool, secs: u64, class: ClassId, (starting, ready, failed): (u32, u32, u32)) {
    let counts = PoolCounts { starting, ready, failed, idle: Some(ready), ..PoolCounts::default() };
    pool.observe_class(at(secs), class, Observation::Pool(counts)).unwrap();
}

fn commands(decision: &Decision) -> Vec<(ClassId, Command)> {
    decision.commands.iter().map(|ClassCommand { class, command, .. }| (*class, *command)).collect()
}

fn counts(decision: &Decision) -> Vec<u32> {
    decision.classes.iter().map(|class| class.count).collect()
}

/// Three ready workers of the first class, and time has passed.
fn three() -> MixedPool {
    let mut pool = spot_and_dear(3);
    assert_eq!(commands(&pool.decide(at(0))), [(SPOT, Command::Start { count: 3 })]);
    count(&mut pool, 1, SPOT, (3, 0, 0));
    assert!(pool.decide(at(1)).is_idle());
    count(&mut pool, 30, SPOT, (0, 3, 0));
    let decision = pool.decide(at(30));
    assert_eq!((decision.is_idle(), decision.classes[0].ready), (true, 3));
    pool
}

#[test]
fn they_are_started_and_released_by_count() {
    let mut pool = three();
    let fewer = Observation::Mode { mode: Mode::Fixed(1), valid_for: None };
    pool.observe(at(100), fewer).unwrap();
    let decision = pool.decide(at(100));
    assert_eq!((counts(&decision), commands(&decision)), (vec![1, 0], vec![(SPOT, Command::Release { count: 2 })]));
    // They go one after the other, as they were told to: nobody was taken back.
    for (secs, ready) in [(101, 2), (102, 1)] {
        count(&mut pool, secs, SPOT, (0, ready, 0));
        let decision = pool.decide(at(secs));
        assert_eq!((decision.is_idle(), decision.classes[0].trouble), (true, None), "{decision}");
    }
}

#[test]
fn spot_workers_that_are_gone_were_taken_back() {
    let mut pool = three();
    count(&mut pool, 100, SPOT, (0, 1, 0));
    let decision = pool.decide(at(100));
    assert_eq!(decision.to_string(), "1 × spot + 2 × dear: next best for 3 wanted; spot taken back until +7.8 s");
    assert_eq!(commands(&decision), [(DEAR, Command::Start { count: 2 })]);
}

#[test]
fn who_is_said_to_have_failed_and_who_is_not_of_spot_is_replaced_by_its_like() {
    let mut pool = three();
    count(&mut pool, 100, SPOT, (0, 2, 1));
    let decision = pool.decide(at(100));
    assert_eq!((decision.classes[0].trouble, commands(&decision)), (None, vec![(SPOT, Command::Start { count: 1 })]));

    let mut pool = self::pool(3, vec![class("usual", 1.0), class("dear", 3.0)]);
    let _ = pool.decide(at(0));
    count(&mut pool, 30, SPOT, (0, 3, 0));
    count(&mut pool, 100, SPOT, (0, 2, 0));
    let decision = pool.decide(at(100));
    assert_eq!((decision.classes[0].trouble, commands(&decision)), (None, vec![(SPOT, Command::Start { count: 1 })]));
}

#[test]
fn what_is_there_already_is_taken_over() {
    let service = Config::runpod(RunPod::request_count(4), 1, 8, Duration::from_secs(30)).unwrap();
    let settings = Settings::new(service, vec![class("one", 1.0), class("other", 1.05)]).unwrap();
    let mut pool = MixedPool::new(settings, at(0));
    count(&mut pool, 0, SPOT, (0, 2, 0));
    count(&mut pool, 0, DEAR, (0, 1, 0));
    let decision = pool.decide(at(0));
    assert_eq!((decision.wanted, counts(&decision), decision.is_idle()), (3, vec![2, 1], true), "{decision}");
}

#[test]
fn standby_workers_are_brought_back_by_count() {
    let mut pool = pool(2, vec![Class { standby: 2, ..class("loaded", 1.0) }]);
    let first = pool.decide(at(0));
    assert!(commands(&first).contains(&(SPOT, Command::Prewarm { count: 2 })), "{first:?}");
    let told = PoolCounts { ready: 2, idle: Some(2), standby: 2, ..PoolCounts::default() };
    pool.observe_class(at(60), SPOT, Observation::Pool(told)).unwrap();
    assert!(pool.decide(at(60)).is_idle());
    pool.observe(at(90), Observation::Mode { mode: Mode::Fixed(4), valid_for: None }).unwrap();
    assert!(commands(&pool.decide(at(90))).contains(&(SPOT, Command::ReviveAny { count: 2 })));
}

#[test]
fn one_class_may_be_counted_beside_another_that_is_not() {
    let mut pool = three();
    pool.observe_class(at(100), DEAR, Observation::worker(WorkerId(7), WorkerEvent::Ready)).unwrap();
    count(&mut pool, 101, SPOT, (0, 3, 0));
    let beside = pool.observe_class(at(102), DEAR, Observation::Pool(PoolCounts::default()));
    assert_eq!(beside, Err(Refused::Rejected(Rejected::CountsBesideIds { workers: 1 })));
    assert_eq!(pool.observe(at(102), Observation::Pool(PoolCounts::default())), Err(Refused::OfAClass));
    // The one that nobody had ordered is taken over and then exchanged for a cheaper one: it goes by its id.
    assert_eq!(commands(&pool.decide(at(102))), [(SPOT, Command::Start { count: 1 })]);
    count(&mut pool, 130, SPOT, (0, 4, 0));
    let decision = pool.decide(at(130));
    assert_eq!(commands(&decision), [(DEAR, Command::Drain { id: WorkerId(7) })], "what it serves is not known");
}

/// A health check that fails for a while takes nobody back, and who was told to go may be one who was ready.
#[test]
fn workers_that_are_only_not_ready_were_not_taken_back() {
    let mut pool = three();
    count(&mut pool, 100, SPOT, (1, 2, 0));
    let decision = pool.decide(at(100));
    assert_eq!((decision.is_idle(), decision.classes[0].trouble), (true, None), "{decision}");

    let mut pool = three();
    pool.observe(at(100), Observation::Mode { mode: Mode::Fixed(5), valid_for: None }).unwrap();
    assert_eq!(commands(&pool.decide(at(100))), [(SPOT, Command::Start { count: 2 })]);
    count(&mut pool, 101, SPOT, (2, 3, 0));
    pool.observe(at(200), Observation::Mode { mode: Mode::Fixed(3), valid_for: None }).unwrap();
    assert_eq!(commands(&pool.decide(at(200))), [(SPOT, Command::Release { count: 2 })]);
    count(&mut pool, 201, SPOT, (2, 1, 0));
    let decision = pool.decide(at(201));
    assert_eq!((decision.is_idle(), decision.classes[0].trouble), (true, None), "{decision}");
}
