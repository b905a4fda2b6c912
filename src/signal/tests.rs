use core::time::Duration;

use super::*;
use crate::observation::WorkerEvent;
use crate::policy::Outpost;

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// One worker with one slot, of which nobody knows whether it is busy.
struct Bench {
    estimators: Estimators,
    pool: Pool,
    config: Config,
}

impl Bench {
    fn new() -> Self {
        let policy = Outpost::new(Rate::per_second(10.0).unwrap());
        let millis = Duration::from_millis;
        let config = Config::outpost(policy, 0, 5).unwrap().with_sojourn_target(millis(10)).unwrap();
        let config = config.with_codel_interval(millis(100)).unwrap();
        let mut pool = Pool::default();
        pool.event(at(0), WorkerId(1), WorkerEvent::Ready);
        Self { estimators: Estimators::new(&config, at(0)), pool, config }
    }

    fn see(&mut self, millis: u64, observation: Observation) {
        self.estimators.advance(at(millis));
        self.estimators.record(at(millis), &observation, &mut self.pool, true, &self.config);
    }
}

#[test]
fn nobody_is_known_to_be_quiet_while_a_part_of_the_system_is_unknown() {
    let mut bench = Bench::new();
    let quiet_at = |bench: &Bench| bench.estimators.quiet_at(at(1_000), &bench.pool, &bench.config);
    bench.see(1_000, Observation::queue(0, None));
    assert_eq!(quiet_at(&bench), None, "somebody may be served");
    bench.see(1_000, Observation::in_flight(0));
    assert_eq!(quiet_at(&bench), Some(at(0).plus(nanos(bench.config.to_zero_delay()))));
}

#[test]
fn a_verdict_lapses_by_time_alone_once_nobody_waits() {
    let mut bench = Bench::new();
    let next = |bench: &Bench, now: u64| {
        bench.estimators.next_change(at(now), &bench.pool, &bench.config).into_iter().flatten().min()
    };
    bench.see(5_000, Observation::arrived(4));
    for nth in 1..=3 {
        bench.see(5_000 + nth * 100, Observation::started(Duration::from_millis(nth * 100)));
        bench.see(5_099 + nth * 100, Observation::finished(Duration::from_millis(99)));
    }
    assert!(bench.estimators.codel.overloaded(at(5_400), 100_000_000, false));
    assert_eq!(next(&bench, 6_000), Some(at(10_000)), "while one waits only the end of a slice changes anything");
    // The last takes the only slot, so the queue has not run empty; sixteen intervals without another are silence.
    bench.see(6_000, Observation::started(Duration::from_secs(1)));
    assert!(bench.estimators.codel.overloaded(at(6_000), 100_000_000, false));
    assert_eq!(next(&bench, 6_000), Some(at(7_600)));
}
