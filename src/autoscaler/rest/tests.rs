use core::time::Duration;

use crate::autoscaler::Autoscaler;
use crate::config::Config;
use crate::observation::{Mode, Observation, WorkerEvent, WorkerId};
use crate::policy::{Policy, RunPod};
use crate::time::Timestamp;

fn on_demand() -> Config {
    Config::runpod(RunPod::request_count(4), 0, 5, Duration::from_secs(30)).unwrap()
}

/// Told this, and decided for until nothing is to come.
fn settled(config: Config, facts: &[Observation]) -> Autoscaler {
    let mut autoscaler = Autoscaler::new(config, Timestamp::ORIGIN);
    for fact in facts {
        autoscaler.observe(Timestamp::ORIGIN, *fact).unwrap();
    }
    let mut next = autoscaler.decide(Timestamp::ORIGIN).next_wakeup;
    while let Some(at) = next {
        next = autoscaler.decide(at).next_wakeup;
    }
    autoscaler
}

#[test]
fn at_rest_is_who_has_nothing_and_waits_for_nothing() {
    assert!(!Autoscaler::new(on_demand(), Timestamp::ORIGIN).is_at_rest(), "the first window is not over");
    assert!(settled(on_demand(), &[]).is_at_rest());
    let mode = Observation::Mode { mode: Mode::Hold, valid_for: None };
    assert!(!settled(on_demand(), &[mode]).is_at_rest(), "an operator has ordered something");
    let standby = Observation::worker(WorkerId(1), WorkerEvent::Standby);
    let standing_by = settled(on_demand().with_standby(1), &[standby]);
    assert_eq!((standing_by.desired(), standing_by.is_at_rest()), (0, false), "a worker stands by");
    let fixed = settled(Config::new(Policy::Fixed(2), 0, 5).unwrap(), &[]);
    assert_eq!((fixed.desired(), fixed.next_wakeup(), fixed.is_at_rest()), (2, None, false), "two are wanted");
}

#[test]
fn what_is_kept_knows_the_latest_instant() {
    let autoscaler = settled(on_demand(), &[]);
    assert_eq!(autoscaler.keep().now(), autoscaler.state.now);
    assert!(autoscaler.state.now > Timestamp::ORIGIN);
}
