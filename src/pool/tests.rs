use alloc::string::ToString;
use core::time::Duration;

use super::*;
use crate::config::Config;
use crate::observation::PoolCounts;

const TIMEOUT: u64 = 60_000_000_000;

fn config() -> Config {
    Config::fixed(1).unwrap().with_start_timeout(Duration::from_secs(3_600)).unwrap()
}

fn at(secs: u64) -> Timestamp {
    Timestamp::from_secs(secs)
}

/// Tells events of workers, each a second after the other.
fn pool(events: &[(u64, WorkerEvent)]) -> Pool {
    let mut pool = Pool::default();
    for (secs, (id, event)) in (1..).zip(events) {
        pool.accepts(at(secs), WorkerId(*id), *event).unwrap();
        pool.event(at(secs), WorkerId(*id), *event);
    }
    pool
}

#[test]
fn workers_are_counted_by_state() {
    use WorkerEvent::{Busy, Draining, Failed, Gone, Idle, Ordered, Prewarming, Ready, Standby};
    let pool = pool(&[
        (1, Ordered),
        (2, Ready),
        (3, Ready),
        (3, Idle),
        (4, Ready),
        (4, Busy(3)),
        (5, Ready),
        (5, Draining),
        (6, Standby),
        (7, Prewarming),
        (8, Ready),
        (8, Gone),
        (9, Ordered),
        (9, Failed(FailureCause::Crash)),
    ]);
    let census = Census { ready: 3, idle: Some(1), starting: 1, draining: 1, standby: 1, overdue: 0 };
    assert_eq!((pool.census(), pool.committed(at(99))), (census, 4));
    assert_eq!((pool.failed, pool.last_failure), (1, Some(FailureCause::Crash)));
    assert_eq!((pool.standby(at(99)), pool.prewarming(at(99))), (1, 1));
    assert_eq!(pool.busy_slots(), None, "worker 2 never said what it does");
}

#[test]
fn a_worker_seen_starting_serves_nothing_until_it_says_so_where_loads_are_told() {
    use WorkerEvent::{Busy, Ordered, Ready};
    let told = [(1, Ordered), (1, Ready), (1, Busy(2))];
    assert_eq!(pool(&told[..2]).busy_slots(), None, "nobody's load was ever told");
    assert_eq!(pool(&[told[0], told[1], told[2], (2, Ordered), (2, Ready)]).busy_slots(), Some(2));
    assert_eq!(pool(&[told[0], told[1], told[2], (2, Ready)]).busy_slots(), None, "it was there before");
    // One that took too long was seen starting as well.
    let mut slow = pool(&[told[0], told[1], told[2], (2, Ordered)]);
    assert_eq!(slow.lapse(at(3_604), &config()), 1);
    slow.event(at(3_605), WorkerId(2), Ready);
    assert_eq!(slow.busy_slots(), Some(2));
}

#[test]
fn events_that_cannot_be_are_refused_by_name() {
    let pool = pool(&[(1, WorkerEvent::Ordered), (2, WorkerEvent::Standby), (3, WorkerEvent::Ready)]);
    let refused = |id, event| pool.accepts(at(9), WorkerId(id), event).unwrap_err().to_string();
    assert_eq!(refused(9, WorkerEvent::Idle), "worker w9 is not known: report `Ordered` or `Ready` for it first");
    assert_eq!(
        refused(2, WorkerEvent::Busy(1)),
        "worker w2 is standby and cannot become busy or idle: report what lies between, or `Gone`"
    );
    assert!(refused(3, WorkerEvent::Ordered).contains("ready and cannot become starting"));
    assert!(refused(1, WorkerEvent::Prewarming).contains("starting and cannot become prewarming"));
    let counts = PoolCounts { ready: 1, ..PoolCounts::default() };
    assert!(pool.accepts_counts(counts).unwrap_err().to_string().contains("3 workers are known by id"));
    let idle = PoolCounts { ready: 1, idle: Some(2), ..PoolCounts::default() };
    assert!(Pool::default().accepts_counts(idle).unwrap_err().to_string().contains("2 idle workers among 1 ready"));
}

#[test]
fn a_report_lost_on_the_way_is_made_good_by_the_next() {
    let pool = pool(&[(1, WorkerEvent::Ordered), (1, WorkerEvent::Busy(2)), (1, WorkerEvent::Busy(1))]);
    assert_eq!((pool.census().ready, pool.census().starting, pool.busy_slots()), (1, 0, Some(1)));
    assert_eq!(pool.cold_starts.mean(), Some(Duration::from_secs(1)));
}

#[test]
fn the_time_of_a_state_is_that_of_its_first_report() {
    let pool = pool(&[(1, WorkerEvent::Ready), (1, WorkerEvent::Idle), (1, WorkerEvent::Idle)]);
    assert_eq!(pool.worker(WorkerId(1)).unwrap().since, at(2));
}

#[test]
fn warm_starts_are_measured_apart_from_cold_ones() {
    let pool = pool(&[
        (1, WorkerEvent::Standby),
        (1, WorkerEvent::Ordered),
        (1, WorkerEvent::Idle),
        (2, WorkerEvent::Ordered),
        (3, WorkerEvent::Ready),
        (2, WorkerEvent::Ready),
    ]);
    assert_eq!((pool.warm_starts.count, pool.warm_starts.mean()), (1, Some(Duration::from_secs(1))));
    assert_eq!((pool.cold_starts.count, pool.cold_starts.mean()), (1, Some(Duration::from_secs(2))));
}

#[test]
fn orders_count_until_they_show_or_lapse() {
    let mut pool = pool(&[(1, WorkerEvent::Ready)]);
    pool.expect(at(10), 4, TIMEOUT);
    pool.ordered(at(10), 3, TIMEOUT);
    assert_eq!(pool.committed(at(10)), 4);
    assert!(!pool.event(at(11), WorkerId(2), WorkerEvent::Ordered).unordered, "it was ordered");
    assert_eq!((pool.committed(at(11)), pool.orders(at(11))), (4, 2));
    assert_eq!(pool.next_lapse(at(11), &config()), Some(at(70)));
    assert_eq!((pool.committed(at(69)), pool.committed(at(70))), (4, 2));
    assert!(pool.event(at(71), WorkerId(3), WorkerEvent::Ready).unordered, "nobody waits for it any more");
}

#[test]
fn a_worker_that_comes_back_is_the_one_that_was_called_for() {
    use WorkerEvent::{Draining, Ready};
    let mut pool = pool(&[(1, Ready), (1, Draining)]);
    pool.expect(at(3), 1, TIMEOUT);
    assert!(!pool.event(at(4), WorkerId(1), Ready).unordered);
    assert!(pool.event(at(5), WorkerId(2), Ready).unordered, "nobody called for another");
}

#[test]
fn a_platform_that_reports_no_pool_is_taken_at_its_word() {
    let mut pool = Pool::default();
    pool.ordered(at(0), 3, TIMEOUT);
    assert_eq!((pool.committed(at(9_999)), pool.next_lapse(at(0), &config())), (3, None));
    pool.released(at(10_000), 1, TIMEOUT);
    assert_eq!(pool.committed(at(99_999)), 2);
}

#[test]
fn counts_confirm_what_was_commanded() {
    let mut pool = Pool::default();
    let counts = |ready, starting| PoolCounts { ready, starting, ..PoolCounts::default() };
    assert!(pool.count(at(0), counts(2, 0)).unordered, "two that nobody ordered");
    pool.ordered(at(1), 3, TIMEOUT);
    assert!(!pool.count(at(2), counts(2, 0)).unordered, "a count from before the order");
    assert_eq!(pool.committed(at(2)), 5);
    pool.count(at(3), counts(2, 2));
    assert_eq!((pool.committed(at(3)), pool.orders(at(3))), (5, 1));
    pool.count(at(4), counts(4, 1));
    assert_eq!((pool.committed(at(4)), pool.orders(at(4))), (5, 0));
    pool.released(at(5), 2, TIMEOUT);
    assert_eq!(pool.committed(at(5)), 3);
    pool.count(at(6), counts(4, 1));
    assert_eq!(pool.committed(at(6)), 3);
    pool.count(at(7), counts(3, 0));
    assert_eq!(pool.committed(at(7)), 3);
}

#[test]
fn a_worker_told_to_go_is_not_committed_until_the_command_lapses() {
    let mut pool = pool(&[(1, WorkerEvent::Ready), (1, WorkerEvent::Idle), (2, WorkerEvent::Ready)]);
    pool.told(WorkerId(1), Some((Pending::Stop, at(60))));
    assert_eq!((pool.committed(at(10)), pool.next_lapse(at(10), &config())), (1, Some(at(60))));
    pool.lapse(at(59), &config());
    assert_eq!(pool.committed(at(59)), 1);
    pool.lapse(at(60), &config());
    assert_eq!((pool.committed(at(60)), pool.next_lapse(at(60), &config())), (2, None));
    pool.told(WorkerId(1), Some((Pending::Stop, at(120))));
    pool.event(at(61), WorkerId(1), WorkerEvent::Busy(1));
    assert_eq!(pool.committed(at(61)), 2, "it took a request instead: it stays");
}

#[test]
fn queues_of_single_workers_add_up_and_the_one_that_stands_out_is_named() {
    let mut pool = pool(&[(1, WorkerEvent::Ready), (2, WorkerEvent::Ready), (3, WorkerEvent::Ready)]);
    assert_eq!(pool.replica_depth(), None);
    pool.replica_gauge(at(10), WorkerId(1), 4, Some(7_000_000_000));
    pool.replica_arrived(at(12), WorkerId(2), 2);
    assert_eq!(pool.replica_depth(), Some(6));
    assert_eq!(pool.replica_oldest().unwrap().age(at(12)), 9_000_000_000);
    pool.replica_gauge(at(13), WorkerId(1), 0, None);
    assert_eq!(pool.replica_oldest().unwrap().age(at(13)), 1_000_000_000);
    assert!(pool.replica_left(at(14), WorkerId(2), 800) && !pool.replica_left(at(14), WorkerId(1), 100));
    assert_eq!(pool.standing_out(Some(400), 500), [WorkerId(2)]);
    assert_eq!(pool.standing_out(Some(401), 500), []);
    pool.event(at(15), WorkerId(2), WorkerEvent::Gone);
    assert_eq!((pool.replica_depth(), pool.replica_oldest()), (Some(0), None));
}

/// A platform may count its workers first and name them later: what was counted is nobody's any more.
#[test]
fn what_was_counted_does_not_stay_beside_workers_by_id() {
    let mut pool = Pool::default();
    pool.count(at(1), PoolCounts { starting: 3, prewarming: 2, ..PoolCounts::default() });
    pool.event(at(2), WorkerId(1), WorkerEvent::Ready);
    let late = pool.lapse(at(9_000), &config());
    assert_eq!((late, pool.census().overdue, pool.next_lapse(at(2), &config())), (0, 0, None));
    assert_eq!(pool.prewarming(at(2)), 0);
}

/// What a worker's reports make of it, from each state.
#[test]
fn a_worker_goes_from_state_to_state_as_it_reports() {
    use WorkerEvent::{Busy, Draining, Idle, Leased, Ordered, Prewarming, Ready, Standby};
    let minute = Duration::from_secs(60);
    let after = |events: &[WorkerEvent]| {
        let events: Vec<_> = events.iter().map(|event| (1, *event)).collect();
        pool(&events).worker(WorkerId(1)).unwrap().state
    };
    assert_eq!(after(&[Ordered, Ordered]), State::Starting { warm: false }, "it starts but once");
    assert_eq!(after(&[Standby, Ordered]), State::Starting { warm: true });
    assert_eq!(after(&[Prewarming, Ordered]), State::Starting { warm: true });
    assert_eq!(after(&[Prewarming, Standby]), State::Standby);
    assert_eq!(after(&[Ready, Idle, Ready]), State::Idle, "what is known is not forgotten");
    assert_eq!(after(&[Ready, Busy(2), Ready]), State::Busy(2));
    assert_eq!(after(&[Ready, Leased(minute), Ready]), State::Leased(at(62)));
    assert_eq!(after(&[Ready, Busy(2), Busy(0)]), State::Idle);
    // One that drains goes on draining whatever it says of its load, until it is ready again.
    assert_eq!(after(&[Ready, Busy(2), Draining]), State::Draining(2));
    assert_eq!(after(&[Ready, Idle, Draining]), State::Draining(0));
    assert_eq!(after(&[Ready, Draining]), State::Draining(1), "nothing is known of it: it counts as busy");
    assert_eq!(after(&[Ready, Busy(2), Draining, Draining]), State::Draining(2));
    assert_eq!(after(&[Ready, Busy(2), Draining, Busy(1)]), State::Draining(1));
    assert_eq!(after(&[Ready, Busy(2), Draining, Leased(minute)]), State::Draining(1));
    assert_eq!(after(&[Ready, Busy(2), Draining, Idle]), State::Draining(0));
    assert_eq!(after(&[Ready, Busy(2), Draining, Ready]), State::Busy(2));
    assert_eq!(after(&[Ready, Busy(2), Draining, Idle, Ready]), State::Idle);
}

#[test]
fn what_a_worker_in_standby_cannot_do_is_refused() {
    let pool = pool(&[(1, WorkerEvent::Standby), (2, WorkerEvent::Prewarming)]);
    for id in [1, 2] {
        let leased = WorkerEvent::Leased(Duration::ZERO);
        for event in [WorkerEvent::Busy(1), WorkerEvent::Idle, leased, WorkerEvent::Draining] {
            assert!(pool.accepts(at(9), WorkerId(id), event).is_err(), "{id} {event:?}");
        }
    }
    assert!(pool.accepts(at(9), WorkerId(1), WorkerEvent::Prewarming).is_err());
    pool.accepts(at(9), WorkerId(2), WorkerEvent::Prewarming).unwrap();
}

#[test]
fn the_slowest_start_of_late_is_remembered_for_one_to_two_generations() {
    let mut starts = Starts::default();
    (0..15).for_each(|_| starts.add(7));
    assert_eq!((starts.slowest(), starts.lead()), (None, 7), "too few are no measure: the mean");
    starts.add(30);
    assert_eq!((starts.slowest(), starts.lead()), (Some(30), 30));
    (0..16).for_each(|_| starts.add(5));
    assert_eq!(starts.slowest(), Some(30));
    starts.add(6);
    assert_eq!(starts.slowest(), Some(6), "two generations are over");
    starts.exceeded(20);
    assert_eq!(starts.slowest(), Some(20), "one that is not ready yet has taken longer already");
    starts.exceeded(10);
    assert_eq!((starts.slowest(), starts.count), (Some(20), 33));
}

#[test]
fn a_load_tells_whether_anybody_was_or_is_serving() {
    use WorkerEvent::{Idle, Ready};
    let mut pool = pool(&[(1, Ready), (1, Idle), (2, Ready), (2, Idle)]);
    let mut load = |id, slots| pool.load(at(9), WorkerId(id), slots);
    assert_eq!(load(1, 0), Some(false), "idle, as it was");
    assert_eq!([load(1, 2), load(2, 0), load(1, 1), load(1, 0)], [Some(true); 4], "the last one served until now");
    assert_eq!(load(1, 0), Some(false));
    assert_eq!(load(3, 1), None, "nobody of that name");
}

#[test]
fn the_pool_is_placed_if_it_is_what_the_count_says_and_nothing_is_on_its_way() {
    use WorkerEvent::{Draining, Gone, Idle, Leased, Ordered, Ready};
    let two = [(1, Ready), (1, Idle), (2, Ready), (2, Idle)];
    let with = |more: &[(u64, WorkerEvent)]| pool(&[&two[..], more].concat());
    assert!(with(&[]).is_placed(at(9), 2));
    assert!(!with(&[]).is_placed(at(9), 1) && !with(&[]).is_placed(at(9), 3));
    assert!(!Pool::default().is_placed(at(9), 0), "none is known by id");
    assert!(!with(&[(1, Gone), (2, Gone)]).is_placed(at(9), 0));
    assert!(!with(&[(3, Ready), (3, Draining)]).is_placed(at(9), 2));
    assert!(!with(&[(2, Leased(Duration::from_secs(60)))]).is_placed(at(9), 2), "the lease will end");
    let mut ordered = with(&[]);
    ordered.ordered(at(9), 1, TIMEOUT);
    assert!(!ordered.is_placed(at(9), 3));
    let mut overdue = with(&[(3, Ordered)]);
    assert_eq!(overdue.lapse(at(3_605), &config()), 1);
    overdue.earliest_lapse = None;
    assert!(!overdue.is_placed(at(3_605), 2));
}

#[test]
fn a_million_workers_are_the_most() {
    let ready = |id| Worker::new(WorkerId(id), State::Idle, at(0));
    let mut pool = Pool { workers: (0..MAX_WORKERS.into()).map(ready).collect(), ..Pool::default() };
    assert!(pool.restore());
    let another = || WorkerId(u64::from(MAX_WORKERS));
    let refused = pool.accepts(at(1), another(), WorkerEvent::Ready);
    assert_eq!(refused, Err(Rejected::TooManyWorkers { limit: MAX_WORKERS }));
    assert_eq!(pool.accepts(at(1), WorkerId(0), WorkerEvent::Gone), Ok(()));
    let mut beyond = Pool { workers: (0..=MAX_WORKERS.into()).map(ready).collect(), ..Pool::default() };
    assert!(!beyond.restore());
    let mut disordered = Pool { workers: [2, 1].map(ready).into_iter().collect(), ..Pool::default() };
    assert!(!disordered.restore());
}

#[test]
fn workers_are_expected_until_their_time_is_up() {
    let mut pool = pool(&[(1, WorkerEvent::Ordered), (1, WorkerEvent::Ready)]);
    let until = |pool: &Pool, secs: u64, count: u32| pool.expects_until(at(secs), count);
    assert_eq!(until(&pool, 10, 1), Some(Timestamp::MAX), "it is there");
    assert_eq!(until(&pool, 10, 3), None, "two are missing");
    pool.expect(at(10), 3, TIMEOUT);
    assert_eq!([3, 4].map(|count| until(&pool, 69, count)), [Some(at(70)), None]);
    assert_eq!(until(&pool, 70, 3), None);
    assert_eq!(until(&Pool::default(), 10, 3), Some(Timestamp::MAX), "whoever is never reported is not missed");
}

#[test]
fn when_what_is_done_would_have_lapsed_is_forgotten() {
    let mut pool = Pool::default();
    pool.ordered(at(1), 2, TIMEOUT);
    let ordered = pool.clone();
    pool.forget_what_is_over();
    assert_eq!(pool, ordered, "two are still to come");
    pool.orders.confirm(2);
    pool.forget_what_is_over();
    assert_eq!(pool, Pool::default());
}

/// Whatever happens to workers, what is found of them without a look at all is what a look at all finds.
mod orders {
    use core::cmp::Reverse;

    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    const IDLE: u64 = 7_000_000_000;
    /// Another idle timeout, as of a configuration that was changed.
    const SHORT_IDLE: u64 = 3_000_000_000;
    const DRAIN: u64 = 6_000_000_000;

    #[derive(Clone, Copy, Debug)]
    enum Act {
        Event(u64, WorkerEvent),
        Load(u64, u32),
        Told(u64, Option<Pending>),
        Queue(u64, Option<u64>),
        Lapse,
        /// Asked with a timeout, so many seconds ago.
        Idle(u64, u64),
        Restore,
    }

    /// Small numbers in a row, or as if they were drawn from all there are.
    fn id(number: u64) -> WorkerId {
        WorkerId(if number < 9 { number } else { number.wrapping_mul(0x9E37_79B9_7F4A_7C15) })
    }

    fn act() -> impl Strategy<Value = Act> {
        use WorkerEvent::{Busy, Draining, Gone, Idle, Leased, Ordered, Prewarming, Ready, Standby};
        let lease = |secs| Leased(Duration::from_secs(secs));
        let event = select(vec![
            Ordered,
            Ordered,
            Ready,
            Ready,
            Idle,
            Idle,
            Busy(2),
            lease(5),
            lease(2),
            Draining,
            Standby,
            Prewarming,
            Gone,
        ]);
        let told =
            select(vec![None, Some(Pending::Stop), Some(Pending::Park), Some(Pending::Drain), Some(Pending::Revive)]);
        prop_oneof![
            8 => (0..18_u64, event).prop_map(|(id, event)| Act::Event(id, event)),
            4 => (0..18_u64, 0..3_u32).prop_map(|(id, slots)| Act::Load(id, slots)),
            2 => (0..18_u64, told).prop_map(|(id, told)| Act::Told(id, told)),
            2 => (0..18_u64, prop::option::of(0..9_u64)).prop_map(|(id, age)| Act::Queue(id, age)),
            2 => Just(Act::Lapse),
            2 => (select(vec![IDLE, SHORT_IDLE]), 0..4_u64).prop_map(|(timeout, ago)| Act::Idle(timeout, ago)),
            1 => Just(Act::Restore),
        ]
    }

    fn leaving(workers: &[Worker], now: Timestamp, timeout: Option<u64>) -> Vec<(WorkerId, State)> {
        let rank = |worker: &Worker| match worker.state {
            _ if worker.pending.is_some() => None,
            State::Starting { .. } => Some((0, 0, Timestamp::MAX.since(worker.since))),
            State::Idle if now.since(worker.since) >= timeout.unwrap_or(0) => Some((1, 0, worker.since.as_nanos())),
            State::Busy(slots) if timeout.is_none() => Some((2, slots, worker.since.as_nanos())),
            State::Unknown | State::Leased(_) if timeout.is_none() => Some((2, u32::MAX, worker.since.as_nanos())),
            _ => None,
        };
        let mut all: Vec<_> =
            workers.iter().filter_map(|worker| Some((rank(worker)?, worker.id, worker.state))).collect();
        all.sort_unstable_by_key(|(rank, id, _)| (*rank, *id));
        all.into_iter().map(|(_, id, state)| (id, state)).collect()
    }

    fn returning(workers: &[Worker]) -> Vec<WorkerId> {
        let rank = |worker: &Worker| match (worker.state, worker.pending) {
            (State::Draining(_), None)
            | (_, Some((Pending::Drain, _)))
            | (State::Idle, Some((Pending::Stop | Pending::Park, _))) => Some((0, Reverse(worker.since), worker.id)),
            (State::Standby, None) => Some((1, Reverse(Timestamp::ORIGIN), worker.id)),
            _ => None,
        };
        let mut all: Vec<_> = workers.iter().filter_map(rank).collect();
        all.sort_unstable();
        all.into_iter().map(|(_, _, id)| id).collect()
    }

    /// How many are idle for long enough, and when the next of the others will be, of all and of those told nothing.
    fn idle(workers: &[Worker], now: Timestamp, timeout: u64) -> (u32, [Option<Timestamp>; 2]) {
        let idle: Vec<_> = workers.iter().filter(|worker| worker.state == State::Idle).collect();
        let due = |worker: &&&Worker| worker.since.plus(timeout) > now;
        let next = |told: bool| {
            let held = idle.iter().filter(due).filter(|worker| told || worker.pending.is_none());
            held.map(|worker| worker.since.plus(timeout)).min()
        };
        (u32::try_from(idle.iter().filter(|worker| !due(worker)).count()).unwrap(), [next(true), next(false)])
    }

    fn check(pool: &Pool, now: Timestamp, config: &Config) {
        let all: Vec<_> = pool.workers().iter().copied().collect();
        assert!(all.is_sorted_by(|a, b| a.id < b.id) && all.len() == pool.workers().len());
        for number in 0..18 {
            let there = all.iter().find(|worker| worker.id == id(number));
            assert_eq!(pool.worker(id(number)), there);
        }
        let turns = pool.workers.turns();
        for warm in [false, true] {
            let starting = all.iter().filter(|worker| worker.state == State::Starting { warm });
            assert_eq!(turns.first_start(warm).map(|(since, _)| since), starting.map(|worker| worker.since).min());
        }
        let draining =
            all.iter().filter(|worker| matches!(worker.state, State::Draining(_)) && worker.pending.is_none());
        assert_eq!(turns.first_drain(), draining.clone().map(|worker| worker.since).min());
        let late = |worker: &&&Worker| worker.since.plus(DRAIN) <= now;
        let ids: Vec<_> = draining.clone().filter(|worker| late(&worker)).map(|worker| worker.id).collect();
        assert_eq!(pool.late_drains(now, DRAIN), ids);
        let next = draining.filter(|worker| !late(&worker)).map(|worker| worker.since.plus(DRAIN)).min();
        assert_eq!(pool.next_late_drain(now, DRAIN), next);
        let told = all.iter().filter_map(|worker| Some(worker.pending?.1));
        let leased =
            all.iter().filter_map(|worker| if let State::Leased(until) = worker.state { Some(until) } else { None });
        assert_eq!(turns.first_lapse().map(|(until, _)| until), told.chain(leased).min());
        let overdue = all.iter().filter(|worker| worker.state == State::Overdue && worker.pending.is_none());
        assert_eq!(pool.overdue_untold(), overdue.map(|worker| worker.id).collect::<Vec<_>>());
        let staying = all.iter().filter(|worker| worker.is_committed() && worker.state.is_ready());
        assert_eq!(pool.staying() as usize, staying.count());
        let waits = all.iter().filter_map(|worker| Some((worker.oldest?, worker.id)));
        assert_eq!(pool.workers.longest_wait(), waits.reduce(|a, b| if a.0.longer(b.0) == a.0 { a } else { b }));
        for most in [1, 3, 99] {
            let first = |mut all: Vec<WorkerId>| {
                all.truncate(most as usize);
                all
            };
            assert_eq!(pool.returning(most), first(returning(&all)));
            for timeout in [None, Some(IDLE)] {
                let mut found = leaving(&all, now, timeout);
                found.truncate(most as usize);
                assert_eq!(pool.clone().leaving(now, most, timeout), found, "{timeout:?}");
            }
        }
        let mut looked_at = pool.clone();
        looked_at.workers.look_at_loads();
        for timeout in [IDLE, SHORT_IDLE] {
            assert_eq!(pool.idle(now, timeout), idle(&all, now, timeout), "at {now}");
            assert_eq!(looked_at.idle(now, timeout), idle(&all, now, timeout), "at {now}");
        }
        let mut afresh = restored(pool);
        assert_eq!(pool, &afresh);
        assert_eq!(pool.next_lapse(now, config), afresh.next_lapse(now, config));
        assert_eq!(looked_at.lapse(now, config), afresh.lapse(now, config));
        assert_eq!(looked_at, afresh);
    }

    fn restored(pool: &Pool) -> Pool {
        let mut pool: Pool = serde_json::from_str(&serde_json::to_string(pool).unwrap()).unwrap();
        assert!(pool.restore());
        pool
    }

    proptest! {
        #[test]
        fn they_are_what_a_look_at_all_finds(acts in prop::collection::vec((0..4_u64, act()), 1..150)) {
            let config = config().with_order_timeout(Duration::from_secs(9)).unwrap();
            let config = config.with_start_timeout(Duration::from_secs(12)).unwrap();
            let (mut pool, mut secs) = (Pool::default(), 0);
            for (gap, act) in acts {
                secs += gap;
                let now = at(secs);
                match act {
                    Act::Event(number, event) => {
                        if pool.accepts(now, id(number), event).is_ok() {
                            pool.event(now, id(number), event);
                        }
                    }
                    Act::Load(number, slots) => drop(pool.load(now, id(number), slots)),
                    Act::Told(number, told) => pool.told(id(number), told.map(|told| (told, at(secs + 9)))),
                    Act::Queue(number, age) => pool.replica_gauge(now, id(number), 1, age.map(|age| age * 1_000_000_000)),
                    Act::Idle(timeout, ago) => pool.look_at_idle(at(secs.saturating_sub(ago)), timeout),
                    Act::Lapse => drop(pool.lapse(now, &config)),
                    Act::Restore => pool = restored(&pool),
                }
                check(&pool, now, &config);
            }
        }
    }
}
