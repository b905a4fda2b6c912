use core::time::Duration;

use alloc::vec;

use super::*;
use crate::observation::{PoolCounts, WorkerEvent};
use crate::policy::{Policy, RunPod};
use crate::rare::Rare;

/// With a provider who has never failed.
fn place(pool: &mut Pool, now: Timestamp, desired: u32, config: &Config) -> Vec<Command> {
    super::place(pool, &mut Rare::new(), now, (desired, config.max()), config)
}

fn next_change(pool: &Pool, now: Timestamp, desired: u32, config: &Config) -> Option<Timestamp> {
    super::next_change(pool, &Rare::<Provider>::new(), now, desired, config)
}

fn at(secs: u64) -> Timestamp {
    Timestamp::from_secs(secs)
}

fn pool(events: &[(u64, u64, WorkerEvent)]) -> Pool {
    let mut pool = Pool::default();
    for (secs, id, event) in events {
        pool.event(at(*secs), WorkerId(*id), *event);
    }
    pool
}

fn config() -> Config {
    Config::new(Policy::External, 0, 10).unwrap()
}

fn idle_timeout(secs: u64) -> Config {
    Config::runpod(RunPod::request_count(1), 0, 10, Duration::from_secs(secs)).unwrap()
}

const fn stop(id: u64) -> Command {
    Command::Stop { id: WorkerId(id), to_standby: false, cut_off: false }
}

const fn park(id: u64) -> Command {
    Command::Stop { id: WorkerId(id), to_standby: true, cut_off: false }
}

/// Two idle since 30 and 20, one busy, one unknown, one starting.
fn mixed() -> Pool {
    use WorkerEvent::{Busy, Idle, Ordered, Ready};
    pool(&[
        (1, 1, Ready),
        (30, 1, Idle),
        (2, 2, Ready),
        (20, 2, Idle),
        (3, 3, Ready),
        (10, 3, Busy(2)),
        (4, 4, Ready),
        (5, 5, Ordered),
        (6, 6, Ordered),
    ])
}

#[test]
fn the_latest_ordered_goes_first_then_the_longest_idle() {
    assert_eq!(place(&mut mixed(), at(100), 2, &idle_timeout(30)), [stop(6), stop(5), stop(2), stop(1)]);
    let mut pool = mixed();
    assert_eq!(place(&mut pool, at(100), 5, &idle_timeout(30)), [stop(6)]);
    assert_eq!(place(&mut pool, at(100), 5, &idle_timeout(30)), [], "given once");
}

#[test]
fn with_an_idle_timeout_only_idle_workers_past_it_are_named() {
    let (mut pool, config) = (mixed(), idle_timeout(30));
    assert_eq!(place(&mut pool, at(49), 0, &config), [stop(6), stop(5)]);
    assert_eq!(next_change(&pool, at(49), 0, &config), Some(at(50)));
    assert_eq!(place(&mut pool, at(50), 0, &config), [stop(2)]);
    assert_eq!(next_change(&pool, at(50), 0, &config), Some(at(60)));
    assert_eq!(place(&mut pool, at(60), 0, &config), [stop(1)]);
    assert_eq!(next_change(&pool, at(60), 0, &config), None, "busy and unknown ones are never named");
}

#[test]
fn without_an_idle_timeout_busy_workers_drain_the_least_busy_first() {
    let drain = |id| Command::Drain { id: WorkerId(id) };
    let commands = place(&mut mixed(), at(100), 0, &config());
    assert_eq!(commands, [stop(6), stop(5), stop(2), stop(1), drain(3), drain(4)]);
}

#[test]
fn a_drain_past_its_deadline_is_cut_off_once() {
    let mut pool = pool(&[(1, 1, WorkerEvent::Ready), (2, 1, WorkerEvent::Busy(1)), (10, 1, WorkerEvent::Draining)]);
    let config = config().with_drain_timeout(Duration::from_secs(60)).unwrap();
    assert_eq!((place(&mut pool, at(69), 0, &config), next_change(&pool, at(69), 0, &config)), (vec![], Some(at(70))));
    let cut_off = Command::Stop { id: WorkerId(1), to_standby: false, cut_off: true };
    assert_eq!(place(&mut pool, at(70), 0, &config), [cut_off]);
    assert_eq!(place(&mut pool, at(71), 0, &config), []);
}

#[test]
fn a_start_that_took_too_long_is_stopped_once() {
    let mut pool = pool(&[(1, 1, WorkerEvent::Ordered), (2, 2, WorkerEvent::Ready)]);
    let config = config().with_start_timeout(Duration::from_secs(60)).unwrap();
    assert_eq!(place(&mut pool, at(60), 2, &config), []);
    assert_eq!(pool.lapse(at(61), &config), 1);
    assert_eq!(place(&mut pool, at(61), 1, &config), [stop(1)]);
    assert_eq!(place(&mut pool, at(62), 1, &config), []);
}

/// Where a drain gets no time at all, a lease still has its own.
#[test]
fn a_lease_is_not_cut_off_before_its_end() {
    let lease = WorkerEvent::Leased(Duration::from_secs(30));
    let mut pool = pool(&[(1, 1, WorkerEvent::Ready), (2, 1, lease), (10, 1, WorkerEvent::Draining)]);
    let config = config().with_drain_timeout(Duration::ZERO).unwrap();
    assert_eq!((place(&mut pool, at(31), 0, &config), next_change(&pool, at(31), 0, &config)), (vec![], Some(at(32))));
    let cut_off = Command::Stop { id: WorkerId(1), to_standby: false, cut_off: true };
    assert_eq!(place(&mut pool, at(32), 0, &config), [cut_off]);
}

#[test]
fn the_quickest_come_first() {
    use WorkerEvent::{Draining, Ready, Standby};
    let revive = |id| Command::Revive { id: WorkerId(id) };
    let mut pool =
        pool(&[(1, 1, Ready), (8, 1, Draining), (2, 2, Ready), (9, 2, Draining), (3, 7, Standby), (4, 6, Standby)]);
    let commands = place(&mut pool, at(10), 5, &config());
    assert_eq!(commands, [revive(2), revive(1), revive(6), revive(7), Command::Start { count: 1 }]);
    assert_eq!(pool.committed(at(10)), 5);
    assert_eq!(place(&mut pool, at(10), 5, &config()), [], "given once");
}

#[test]
fn a_drain_that_was_only_commanded_is_taken_back_before_anything_is_started() {
    let mut pool = pool(&[(1, 1, WorkerEvent::Ready), (2, 1, WorkerEvent::Busy(1))]);
    assert_eq!(place(&mut pool, at(3), 0, &config()), [Command::Drain { id: WorkerId(1) }]);
    assert_eq!(place(&mut pool, at(4), 1, &config()), [Command::Revive { id: WorkerId(1) }]);
}

#[test]
fn flash_boot_keeps_stopped_workers_within_max() {
    use WorkerEvent::{Idle, Ready};
    let config = config().with_standby(2);
    let mut pool = pool(&[(1, 1, Ready), (2, 1, Idle), (1, 2, Ready), (2, 2, Idle), (1, 3, Ready), (3, 3, Idle)]);
    // Two of the three become standby instead of going; nothing need be loaded for it.
    assert_eq!(place(&mut pool, at(10), 0, &config), [park(1), park(2), stop(3)]);
    for id in [1, 2] {
        pool.event(at(11), WorkerId(id), WorkerEvent::Standby);
    }
    pool.event(at(11), WorkerId(3), WorkerEvent::Gone);
    assert_eq!(place(&mut pool, at(12), 0, &config), []);
    let revive = |id| Command::Revive { id: WorkerId(id) };
    let expected = [revive(1), revive(2), Command::Start { count: 7 }, Command::Prewarm { count: 1 }];
    assert_eq!(place(&mut pool, at(13), 9, &config), expected, "nine workers leave room for one in standby");
}

/// Flash boot with a single worker, as RunPod's defaults have it: the one that goes makes the room that it takes.
#[test]
fn at_max_an_idle_worker_becomes_the_standby_one() {
    let config = idle_timeout(30).with_bounds(0, 1).unwrap().with_standby(1);
    let mut pool = pool(&[(1, 1, WorkerEvent::Ready), (2, 1, WorkerEvent::Idle)]);
    assert_eq!(place(&mut pool, at(31), 0, &config), []);
    assert_eq!(place(&mut pool, at(32), 0, &config), [park(1)], "and nothing is loaded in its place");
}

#[test]
fn orders_under_way_are_let_go_before_workers_that_are_there() {
    let (mut pool, config) = (mixed(), config());
    assert_eq!(place(&mut pool, at(50), 9, &config), [Command::Start { count: 3 }]);
    assert_eq!(place(&mut pool, at(51), 6, &config), [], "the three orders are the surplus, and have no name yet");
    pool.event(at(52), WorkerId(7), WorkerEvent::Ordered);
    assert_eq!(place(&mut pool, at(52), 6, &config), [stop(7)]);
}

#[test]
fn a_platform_that_counts_gets_counts() {
    let mut pool = Pool::default();
    let counts = |idle| PoolCounts { ready: 5, idle, standby: 1, ..PoolCounts::default() };
    pool.count(at(0), counts(None));
    let grow = [Command::ReviveAny { count: 1 }, Command::Start { count: 1 }];
    assert_eq!(place(&mut pool, at(1), 7, &config()), grow);
    assert_eq!(place(&mut pool, at(1), 7, &config()), []);
    let mut pool = Pool::default();
    pool.count(at(0), counts(Some(2)));
    assert_eq!(place(&mut pool, at(1), 1, &idle_timeout(30)), [Command::Release { count: 2 }], "three are busy");
    assert_eq!(place(&mut pool, at(1), 1, &idle_timeout(30)), [], "given once");
    assert_eq!(held(&pool, at(1), &idle_timeout(30)), (3, None));
}

#[test]
fn the_idle_timeout_holds_what_is_not_idle_for_long_enough() {
    let pool = mixed();
    assert_eq!(held(&pool, at(49), &idle_timeout(30)), (4, Some(at(50))));
    assert_eq!(held(&pool, at(50), &idle_timeout(30)), (3, Some(at(60))));
    assert_eq!(held(&pool, at(60), &idle_timeout(30)), (2, None));
    assert_eq!(held(&pool, at(60), &config()), (0, None));
}

#[test]
fn a_huge_count_does_not_make_commands_repeat() {
    let mut pool = Pool::default();
    pool.count(at(0), PoolCounts { starting: u32::MAX, standby: 9, ..PoolCounts::default() });
    assert_eq!(place(&mut pool, at(1), 0, &config()), [Command::Release { count: u32::MAX }]);
    assert_eq!(place(&mut pool, at(2), 2, &config()), [Command::ReviveAny { count: 2 }]);
    assert_eq!(place(&mut pool, at(3), 2, &config()), []);

    // More than a count can hold: ready and starting together, and what was revived and ordered beside them.
    let mut pool = Pool::default();
    pool.count(at(0), PoolCounts { ready: u32::MAX, starting: 3, standby: 2, ..PoolCounts::default() });
    pool.revived(at(0), 2, u64::MAX);
    pool.ordered(at(0), 5, u64::MAX);
    assert_eq!(place(&mut pool, at(1), 8, &config()), [Command::Release { count: u32::MAX - 8 + 3 }]);
    assert_eq!(place(&mut pool, at(1), 8, &config()), []);
    let mut pool = Pool::default();
    pool.count(at(0), PoolCounts { ready: u32::MAX, starting: u32::MAX, ..PoolCounts::default() });
    assert_eq!(place(&mut pool, at(1), 8, &config()), [Command::Release { count: u32::MAX }]);
    assert_eq!(place(&mut pool, at(1), 8, &config()), []);
}
