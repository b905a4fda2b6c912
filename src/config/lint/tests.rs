use alloc::vec;

use super::*;
use crate::config::Preset;
use crate::policy::{ConcurrencyTarget, Outpost, RunPod};

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn qps(rate: f64) -> Rate {
    Rate::per_second(rate).unwrap()
}

/// 1 to `max` workers at 2.5 req/s each.
fn outpost(min: u32, max: u32) -> Config {
    Config::new(Policy::Outpost(Outpost::new(qps(2.5))), min, max).unwrap()
}

/// Scaling on requests in the system: no target rate.
fn by_requests(min: u32, max: u32) -> Config {
    Config::new(Policy::Concurrency(ConcurrencyTarget::new(1.0).unwrap()), min, max).unwrap()
}

/// Nothing that lints by itself: a cold start of 20 s.
fn expected() -> Expectations {
    Expectations::default().with_cold_start(secs(20))
}

/// The findings of one code, as an operator reads them.
#[track_caller]
fn texts(code: LintCode, config: &Config, expected: &Expectations) -> Vec<String> {
    config.lint(expected).into_iter().filter(|lint| lint.code == code).map(|lint| lint.to_string()).collect()
}

#[test]
fn nothing_is_said_about_what_was_not_stated() {
    assert_eq!(outpost(1, 3).lint(&Expectations::default()), []);
    assert_eq!(outpost(1, 3).lint(&expected()), []);
}

#[test]
fn max_too_low() {
    let peak = |rate| expected().with_peak_qps(qps(rate));
    let found = |config: &Config, expected: &Expectations| texts(LintCode::MaxTooLow, config, expected);
    assert_eq!(
        found(&outpost(1, 3), &peak(12.0)),
        ["max (3) carries 7.5 req/s at 2.5 per worker; the stated peak is 12: raise max to 5 or more"]
    );
    assert!(found(&outpost(1, 3), &peak(7.5)).is_empty());
    assert!(!found(&outpost(1, 3), &peak(7.500_001)).is_empty());
    assert!(found(&outpost(1, 5), &peak(12.0)).is_empty(), "the remedy is one");

    let timed = peak(12.0).with_service_time(Duration::from_millis(500));
    assert_eq!(
        found(&by_requests(1, 3), &timed),
        ["max (3) carries 6 req/s with 1 at a time and 500 ms each; the stated peak is 12: raise max to 6 or more"]
    );
    assert!(found(&by_requests(1, 6), &timed).is_empty());
    assert!(found(&by_requests(1, 3).with_concurrency(2).unwrap(), &timed).is_empty());
    assert!(found(&by_requests(1, 3), &peak(12.0)).is_empty(), "what a worker carries is unknown");
    assert!(found(&outpost(1, 5), &timed)[0].contains("500 ms each"), "the slots are less than the target");
    assert!(found(&by_requests(1, 3), &timed.with_service_time(Duration::ZERO)).is_empty());
}

#[test]
fn min_too_high() {
    let peak = |rate| expected().with_peak_qps(qps(rate));
    let mean = |rate| expected().with_mean_qps(qps(rate));
    let found = |config: &Config, expected: &Expectations| texts(LintCode::MinTooHigh, config, expected);
    assert_eq!(
        found(&outpost(5, 10), &peak(10.0)),
        ["min (5) carries 12.5 req/s at 2.5 per worker; the stated peak is 10, so it never grows: lower min to 1 and \
          let the pool grow, or set max to min to keep it fixed"]
    );
    assert!(found(&outpost(5, 10), &peak(12.6)).is_empty());
    assert_eq!(
        found(&outpost(7, 20), &mean(5.0)),
        [
            "min (7) carries 17.5 req/s at 2.5 per worker; the stated mean is 5: lower min to 2 and let the pool grow, or \
          set max to min to keep it fixed"
        ]
    );
    assert!(found(&outpost(6, 20), &mean(5.0)).is_empty(), "three times the need is headroom");
    assert!(found(&outpost(5, 10), &peak(10.0).with_mean_qps(qps(9.9)))[0].contains("lower min to 4"));
    assert!(found(&outpost(1, 10), &peak(1.0)).is_empty(), "one worker is for warmth");
    assert!(found(&outpost(2, 10), &peak(1.0))[0].starts_with("min (2) carries"));
    assert!(found(&outpost(5, 5), &peak(10.0)).is_empty(), "a fixed pool is sized for its peak");
}

#[test]
fn bounds_cannot_hold_load() {
    let load = |rate| expected().with_mean_qps(qps(rate)).with_service_time(Duration::from_millis(500));
    let found = |config: &Config, expected: &Expectations| texts(LintCode::BoundsCannotHoldLoad, config, expected);
    assert_eq!(
        found(&by_requests(1, 3), &load(10.0)),
        [
            "max (3) at concurrency (1) is room for 3 at once; the stated mean of 10 req/s at 500 ms each occupies 5, so \
          the queue grows without end: raise max above 5, or concurrency if a worker can take more"
        ]
    );
    assert!(found(&by_requests(1, 6), &load(10.0)).is_empty());
    assert!(found(&by_requests(1, 3).with_concurrency(2).unwrap(), &load(10.0)).is_empty());
    assert!(!found(&by_requests(1, 3), &load(6.000_001)).is_empty());
    assert!(found(&by_requests(1, 3), &load(6.0)).is_empty());
    assert!(found(&by_requests(1, 3), &expected().with_mean_qps(qps(10.0))).is_empty());
    let extreme = load(1e9).with_service_time(Duration::MAX);
    assert_eq!(found(&by_requests(1, u32::MAX), &extreme).len(), 1);
}

#[test]
fn idle_timeout_below_cold_start() {
    let start = |start| Expectations::default().with_cold_start(secs(start));
    let found = |config: &Config, expected: &Expectations| texts(LintCode::IdleTimeoutBelowColdStart, config, expected);
    let policy = RunPod::queue_delay(secs(4));
    let runpod = Config::runpod(policy, 0, 3, secs(30)).unwrap();
    assert_eq!(
        found(&runpod, &start(45)),
        ["idle_timeout (30 s) is shorter than the stated cold start (45 s): a worker is given up sooner than it \
          starts, only to be started again: raise idle_timeout to 45 s or more; a few cold starts are usual"]
    );
    assert!(found(&runpod, &start(30)).is_empty());
    assert!(found(&runpod, &Expectations::default()).is_empty());
    let slow_down = runpod.with_down_delay(secs(300)).unwrap();
    assert!(found(&slow_down, &start(45)).is_empty(), "the down delay keeps the worker");
    let objective = Preset::Objective.config();
    assert!(found(&objective, &start(45)).is_empty(), "it keeps a worker itself for as long as that is worth it");

    let down = outpost(1, 3).with_down_delay(secs(10)).unwrap();
    assert!(found(&down, &start(20))[0].starts_with("down_delay (10 s) is shorter"));
    assert!(found(&down, &start(10)).is_empty());
    let to_zero = outpost(0, 3).with_to_zero_delay(secs(10)).unwrap();
    assert!(found(&to_zero, &start(20))[0].starts_with("to_zero_delay (10 s) is shorter"));
    assert!(found(&to_zero.clone().with_bounds(1, 3).unwrap(), &start(20)).is_empty(), "it never goes to zero");
    let idle = |timeout| found(&to_zero.clone().with_idle_timeout(secs(timeout)).unwrap(), &start(20));
    assert!(idle(60).is_empty());
    assert!(idle(5)[0].starts_with("to_zero_delay (10 s) is shorter"));
    assert!(idle(10)[0].starts_with("to_zero_delay (10 s) is shorter"), "either would do");
    assert!(idle(11)[0].starts_with("idle_timeout (11 s) is shorter"));
    let fixed = Config::fixed(3).unwrap().with_down_delay(secs(1)).unwrap();
    assert!(found(&fixed, &start(20)).is_empty());
}

#[test]
fn cold_start_unknown() {
    let found = |config: &Config, expected: &Expectations| texts(LintCode::ColdStartUnknown, config, expected);
    let remedy = "measure the time from a worker's order to its first request, and state it as the cold start";
    let zero =
        format!("min (0) lets requests wait for a worker to start; how long that takes is not accounted for: {remedy}");
    assert_eq!(found(&outpost(0, 3), &Expectations::default()), [zero]);
    let stated = Expectations::default().with_peak_qps(qps(5.0));
    let growth = format!("max (3) lets the pool grow; how long a worker takes to start is not accounted for: {remedy}");
    assert_eq!(found(&outpost(1, 3), &stated), [growth]);
    assert!(found(&outpost(1, 3), &Expectations::default()).is_empty());
    assert!(found(&outpost(0, 3), &expected()).is_empty());
    assert!(found(&outpost(3, 3), &stated).is_empty());
}

#[test]
fn reaction_slower_than_target() {
    let target = |millis| expected().with_latency_target(Duration::from_millis(millis));
    let code = LintCode::ReactionSlowerThanTarget;
    let found = |config: &Config, expected: &Expectations| texts(code, config, expected);
    let delayed = outpost(1, 3).with_up_delay(secs(30)).unwrap();
    assert_eq!(
        found(&delayed, &target(1_000)),
        [
            "another worker takes 50 s to help (up_delay 30 s + cold start 20 s); the stated latency target is 1 s: lower \
          up_delay, or keep spare workers with a higher min or a lower target"
        ]
    );
    assert!(found(&delayed, &target(5_000)).is_empty(), "ten times the target is not much more");
    assert_eq!(found(&delayed, &target(4_999)).len(), 1);
    assert!(found(&outpost(1, 3), &target(1_000))[0].ends_with(
        "(cold start 20 s); the stated latency target is 1 s: keep workers ready (min) or in standby (flash boot), or \
         make them start faster"
    ));
    assert!(found(&outpost(1, 3).with_standby(1), &target(1_000)).is_empty());
    let queue = Config::runpod(RunPod::queue_delay(secs(4)), 1, 3, secs(60)).unwrap().with_standby(1);
    assert!(found(&queue, &target(100))[0].ends_with(
        "takes 4 s to help (queue_delay 4 s); the stated latency target is 100 ms: lower queue_delay, or scale on \
         request_count"
    ));
    assert!(found(&queue, &target(400)).is_empty());
    let count = Config::runpod(RunPod::request_count(1), 1, 3, secs(60)).unwrap().with_standby(1);
    assert!(found(&count, &target(100)).is_empty());
    assert!(found(&outpost(3, 3), &target(1_000)).is_empty());
}

#[test]
fn up_delay_above_down_delay() {
    let found = |config: &Config| texts(LintCode::UpDelayAboveDownDelay, config, &Expectations::default());
    let slow = outpost(1, 3).with_up_delay(secs(301)).unwrap();
    assert_eq!(
        found(&slow),
        [
            "up_delay (5 min 1 s) exceeds down_delay (5 min): the pool grows more slowly than it shrinks: lower up_delay \
          to 5 min or less: a worker too few hurts at once, one too many costs"
        ]
    );
    assert!(found(&outpost(1, 3).with_up_delay(secs(300)).unwrap()).is_empty());
    assert!(found(&slow.with_idle_timeout(secs(400)).unwrap()).is_empty(), "the idle timeout keeps the worker");
}

#[test]
fn sojourn_target_above_codel_interval() {
    let code = LintCode::SojournTargetAboveCodelInterval;
    let found = |config: &Config| texts(code, config, &Expectations::default());
    let with_target = |config: Config, target| config.with_sojourn_target(Duration::from_millis(target)).unwrap();
    assert_eq!(
        found(&with_target(outpost(1, 3), 2_000)),
        [
            "sojourn_target (2 s) exceeds codel_interval (1 s): a queue that is about to drain looks like one that stands: \
          raise codel_interval to 20 s: RFC 8289 has the target at 5 to 10 % of the interval"
        ]
    );
    assert!(found(&with_target(outpost(1, 3), 1_000)).is_empty());
    assert!(found(&with_target(by_requests(1, 3), 2_000)).is_empty(), "no policy asks CoDel");
}

#[test]
fn target_above_capacity() {
    let service = |millis| expected().with_service_time(Duration::from_millis(millis));
    let found = |config: &Config, expected: &Expectations| texts(LintCode::TargetAboveCapacity, config, expected);
    assert_eq!(
        found(&outpost(1, 3), &service(500)),
        ["target_qps_per_replica (2.5) is more than a worker serves, 2 req/s with 1 at a time and 500 ms each: in \
          between the queue grows and QPS does not call for help, only CoDel does: lower target_qps_per_replica below \
          2, or raise concurrency if a worker can take more"]
    );
    assert!(found(&outpost(1, 3), &service(400)).is_empty());
    assert!(found(&outpost(1, 3).with_concurrency(2).unwrap(), &service(500)).is_empty());
    assert!(found(&by_requests(1, 3), &service(500)).is_empty());
}

#[test]
fn codes_are_stable_and_findings_serialise() {
    let codes = [
        (LintCode::MaxTooLow, "max_too_low"),
        (LintCode::MinTooHigh, "min_too_high"),
        (LintCode::BoundsCannotHoldLoad, "bounds_cannot_hold_load"),
        (LintCode::IdleTimeoutBelowColdStart, "idle_timeout_below_cold_start"),
        (LintCode::ColdStartUnknown, "cold_start_unknown"),
        (LintCode::ReactionSlowerThanTarget, "reaction_slower_than_target"),
        (LintCode::UpDelayAboveDownDelay, "up_delay_above_down_delay"),
        (LintCode::SojournTargetAboveCodelInterval, "sojourn_target_above_codel_interval"),
        (LintCode::TargetAboveCapacity, "target_above_capacity"),
    ];
    for (code, text) in codes {
        assert_eq!((code.code(), code.to_string().as_str()), (text, text));
        assert_eq!(serde_json::to_value(code).unwrap(), text);
    }
    let lints = outpost(1, 3).lint(&expected().with_peak_qps(qps(12.0)));
    assert_eq!(
        serde_json::to_value(&lints).unwrap(),
        serde_json::json!([{
            "code": "max_too_low",
            "setting": "max",
            "message": "max (3) carries 7.5 req/s at 2.5 per worker; the stated peak is 12",
            "remedy": "raise max to 5 or more",
        }])
    );
}

#[test]
fn extremes_do_not_overflow() {
    let expected = Expectations {
        peak_qps: Some(Rate::from_micros(u64::MAX)),
        mean_qps: Some(Rate::from_micros(u64::MAX)),
        service_time: Some(Duration::MAX),
        cold_start: Some(Duration::MAX),
        latency_target: Some(Duration::MAX),
    };
    let zeros = Expectations {
        peak_qps: Some(Rate::ZERO),
        mean_qps: Some(Rate::ZERO),
        service_time: Some(Duration::ZERO),
        cold_start: Some(Duration::ZERO),
        latency_target: Some(Duration::ZERO),
    };
    let mut configs = vec![outpost(0, u32::MAX).with_concurrency(u32::MAX).unwrap(), by_requests(1, 1)];
    configs.extend(Preset::ALL.map(Preset::config));
    for config in configs {
        for expected in [expected, zeros] {
            let _ = config.lint(&expected);
        }
    }
}
