use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};

use super::*;
use crate::policy::{ConcurrencyTarget, Policy};

fn deployment(config: AutoscalingConfig) -> RayServe {
    RayServe::new(config, Deployment::default()).unwrap()
}

fn up_to(max_replicas: u32) -> AutoscalingConfig {
    AutoscalingConfig { max_replicas, upscale_delay_s: 0.0, downscale_delay_s: 0.0, ..AutoscalingConfig::default() }
}

fn series(samples: &[(f64, f64)]) -> Series {
    samples.iter().map(|(at, value)| Sample { at: *at, value: *value }).collect()
}

#[test]
fn an_exact_load_overshoots_by_one() {
    let mut own = deployment(AutoscalingConfig { target_ongoing_requests: 1.0, ..up_to(100) });
    assert_eq!(own.tick(0.0, 29.0, 7).target, 30);
    assert_eq!(own.tick(0.1, 29.0, 30).target, 29, "and then shrinks again");
}

#[test]
fn from_zero_it_asks_for_one_however_deep_the_queue() {
    let mut own = deployment(AutoscalingConfig { min_replicas: 0, upscale_delay_s: 30.0, ..up_to(100) });
    assert_eq!(own.tick(0.0, 5_000.0, 0).target, 1);
    assert_eq!(own.tick(10.0, 5_000.0, 1).target, 1, "and then waits the whole delay");
    assert_eq!(own.tick(40.0, 5_000.0, 1).target, 100);
}

#[test]
fn while_none_runs_the_target_never_falls() {
    let mut own = deployment(AutoscalingConfig { initial_replicas: Some(8), ..up_to(10) });
    assert_eq!(own.tick(1e9, 0.0, 0).target, 8);
}

#[test]
fn the_wall_clock_is_believed() {
    let mut own = deployment(AutoscalingConfig { upscale_delay_s: 10.0, ..up_to(10) });
    assert_eq!(own.tick(100.0, 8.0, 1).target, 1);
    assert_eq!(own.tick(95.0, 8.0, 1).target, 1);
    assert_eq!(own.tick(109.0, 8.0, 1).target, 1, "a step back prolongs");
    assert_eq!(own.tick(5_000.0, 8.0, 1).target, 4, "a jump ahead fires");
}

#[test]
fn the_last_tick_decides_and_an_equal_one_starts_over() {
    let mut own = deployment(AutoscalingConfig { upscale_delay_s: 10.0, ..up_to(10) });
    for tick in 0..10 {
        own.tick(f64::from(tick), 20.0, 1);
    }
    assert_eq!(own.clone().tick(10.0, 3.0, 1).target, 2, "ten seconds of ten, and the last wish was two");
    own.tick(10.0, 2.0, 1);
    assert_eq!(own.tick(11.0, 20.0, 1).target, 1, "one calm tick, and the delay starts over");
}

#[test]
fn idle_time_before_the_first_request_vanishes_beside_another_series() {
    let idle_then_busy = series(&[(0.0, 0.0), (20.0, 10.0)]);
    let mean = |all: &[&[Sample]]| aggregate(Aggregation::Mean, all, 30.0);
    assert!((mean(&[&idle_then_busy]) - 10.0 / 3.0).abs() < 1e-9);
    assert_eq!(mean(&[&idle_then_busy, &series(&[(0.0, 0.0)])]), 10.0);
}

/// In doubles the order of a sum is in its last bits, and of two equal numbers Python keeps the first.
#[test]
fn of_equals_the_first_comes_first() {
    let at_once = [series(&[(1.0, 1e16)]), series(&[(1.0, 1.0)]), series(&[(1.0, 1.0)])];
    let [large, one, other] = at_once.each_ref().map(Vec::as_slice);
    assert_eq!(merge(&[large, one, other]), series(&[(1.0, 1e16)]), "each one is lost beside the large one");
    assert_eq!(merge(&[one, other, large]), series(&[(1.0, 1e16 + 2.0)]));
    let zeros = series(&[(0.0, 0.0), (1.0, -0.0)]);
    let signs = [Aggregation::Max, Aggregation::Min].map(|of| aggregate(of, &[&zeros], 2.0).is_sign_positive());
    assert_eq!(signs, [true, true]);
}

#[test]
fn what_lasted_no_time_does_not_weigh() {
    let mean = |samples: &[(f64, f64)], now| aggregate(Aggregation::Mean, &[&series(samples)], now);
    assert_eq!(mean(&[(0.0, 1.0), (1.0, f64::INFINITY), (1.0, 2.0)], 2.0), 1.5);
    assert_eq!(mean(&[(1e17, 5.0)], 1e17), 0.0, "a millisecond later is the same instant so far away");
}

#[test]
fn max_does_not_see_a_value_carried_in() {
    let (long, late) = (series(&[(0.0, 9.0), (11.0, 1.0)]), series(&[(10.0, 2.0)]));
    assert_eq!(merge(&[&long, &late]), series(&[(0.0, 9.0), (10.0, 11.0), (11.0, 3.0)]));
    let later = series(&[(10.5, 2.0), (12.0, 1.0)]);
    assert_eq!(aggregate(Aggregation::Max, &[&series(&[(0.0, 9.0), (10.0, 1.0)]), &later], 13.0), 3.0);
}

#[test]
fn one_replica_report_hides_the_counts_of_all_handles() {
    let config = AutoscalingConfig::default();
    let (mut handle, mut replica, mut reports) = (Sampler::default(), Sampler::default(), Reports::default());
    handle.sample(&config, 0.0, 0.0, BTreeMap::from([(1, 50.0), (2, 50.0)]));
    reports.handle_reports(0.0, 7, Holder::Unknown, handle.report(&config, 0.0));
    let running = BTreeSet::from([1, 2]);
    assert_eq!(reports.load(Aggregation::Mean, &running, 0.0).total, 100.0);
    replica.sample(&config, 0.0, 0.0, BTreeMap::from([(1, 1.0)]));
    reports.replica_reports(1, replica.report(&config, 0.0));
    assert_eq!(reports.load(Aggregation::Mean, &running, 0.0).total, 1.0);
}

#[test]
fn of_two_reports_with_one_stamp_the_first_counts() {
    let report = |queued, running| Report {
        at: 1.0,
        queued: series(&[(1.0, queued)]),
        running: BTreeMap::from([(1, series(&[(1.0, running)]))]),
    };
    let (mut reports, running) = (Reports::default(), BTreeSet::from([1]));
    reports.handle_reports(1.0, 7, Holder::Unknown, report(3.0, 0.0));
    reports.handle_reports(2.0, 7, Holder::Unknown, report(5.0, 0.0));
    assert_eq!(reports.load(Aggregation::Max, &running, 2.0).queued, 3.0);
    let own = |value| Report { queued: Series::new(), ..report(0.0, value) };
    reports.replica_reports(1, own(4.0));
    reports.replica_reports(1, own(9.0));
    assert_eq!(reports.load(Aggregation::Max, &running, 2.0).total, 7.0);
}

#[test]
fn a_silent_handle_is_forgotten_after_two_intervals() {
    let config = AutoscalingConfig::default();
    let (mut handle, mut reports) = (Sampler::default(), Reports::default());
    handle.sample(&config, 0.0, 3.0, BTreeMap::new());
    reports.handle_reports(0.0, 7, Holder::Unknown, handle.report(&config, 0.0));
    reports.sweep(&config, 19.9, &BTreeSet::new());
    assert_eq!(reports.load(Aggregation::Mean, &BTreeSet::new(), 19.9).queued, 3.0);
    reports.sweep(&config, 20.0, &BTreeSet::new());
    assert_eq!(reports, Reports::default());
}

#[test]
fn a_stopped_replica_is_forgotten() {
    let config = AutoscalingConfig::default();
    let (mut replica, mut reports) = (Sampler::default(), Reports::default());
    replica.sample(&config, 0.0, 0.0, BTreeMap::from([(1, 4.0)]));
    reports.replica_reports(1, replica.report(&config, 0.0));
    assert_eq!(reports.load(Aggregation::Mean, &BTreeSet::from([1]), 0.0).total, 4.0);
    reports.replica_stopped(1);
    assert_eq!(reports, Reports::default());
}

#[test]
fn initial_replicas_count_anew_at_every_redeployment() {
    let config = AutoscalingConfig { initial_replicas: Some(2), ..up_to(20) };
    let mut own = deployment(config.clone());
    assert_eq!(own.tick(0.0, 30.0, 2).target, 15);
    own.register(config.clone(), Deployment::default(), false).unwrap();
    assert_eq!(own.target(), 15);
    own.register(config, Deployment::default(), true).unwrap();
    assert_eq!(own.target(), 2);
}

#[test]
fn a_wish_for_none_where_none_runs_waits_its_delay() {
    let slow = AutoscalingConfig { min_replicas: 0, initial_replicas: Some(5), downscale_delay_s: 600.0, ..up_to(10) };
    let mut own = deployment(slow);
    assert_eq!(own.tick_with(0.0, 0.0, 0, 0.0).target, 5);
    assert_eq!(own.tick_with(600.0, 0.0, 0, 0.0).target, 1);
}

#[test]
fn a_delay_of_as_long_as_it_may_be_missed_by_is_none() {
    let mut own = deployment(AutoscalingConfig { upscale_delay_s: 1e-6, ..up_to(10) });
    assert_eq!(own.tick(0.0, 8.0, 1).target, 4);
}

#[test]
fn any_registration_starts_the_delay_over() {
    let config = AutoscalingConfig { upscale_delay_s: 10.0, ..up_to(10) };
    let mut own = deployment(config.clone());
    own.tick(0.0, 8.0, 1);
    own.register(config, Deployment::default(), false).unwrap();
    assert_eq!(own.tick(10.0, 8.0, 1).target, 1);
}

#[test]
fn the_delays_to_zero_add_up() {
    let slow = AutoscalingConfig { min_replicas: 0, initial_replicas: Some(5), downscale_delay_s: 600.0, ..up_to(10) };
    let mut own = deployment(slow);
    assert_eq!(own.tick(0.0, 0.0, 5).target, 5);
    assert_eq!(own.tick(600.0, 0.0, 5).target, 1);
    assert_eq!(own.tick(600.1, 0.0, 1).target, 1);
    assert_eq!(own.tick(1_200.2, 0.0, 1).target, 0);
}

#[test]
fn a_residue_of_load_keeps_a_replica() {
    let mut own = deployment(AutoscalingConfig { min_replicas: 0, ..up_to(10) });
    assert_eq!(own.tick(1e6, 1e-9, 1).target, 1);
}

#[test]
fn a_factor_above_one_overshoots() {
    let mut own = deployment(AutoscalingConfig { upscaling_factor: Some(2.0), ..up_to(100) });
    assert_eq!(own.tick(0.0, 8.0, 1).target, 7, "four were needed");
}

#[test]
fn gangs_come_whole() {
    let gangs = Deployment { gang_size: Some(4), ..Deployment::default() };
    let mut own = RayServe::new(up_to(20), gangs).unwrap();
    assert_eq!(own.tick(0.0, 10.0, 1).target, 8);
}

fn load(json: &str) -> Result<AutoscalingConfig, String> {
    serde_json::from_str(json).map_err(|error| error.to_string())
}

#[test]
fn a_configuration_loads_with_the_peers_defaults() {
    assert_eq!(load("{}").unwrap(), AutoscalingConfig::default());
    let old = load(r#"{"smoothing_factor": 0.5, "upscale_smoothing_factor": 0.8}"#).unwrap();
    assert_eq!((old.up_factor(), old.down_factor()), (0.8, 0.5));
    let default = r#"{"policy": {"policy_function": "ray.serve.autoscaling_policy:default_autoscaling_policy"}}"#;
    assert!(load(default).is_ok());
    let written = serde_json::to_string(&old).unwrap();
    assert_eq!(load(&written).unwrap(), old);
    assert_eq!(old.sampling_period(), Duration::from_secs(6));
    assert_eq!((old.report_period(), old.stale_after_s()), (Duration::from_secs(10), 20.0));
    let often = AutoscalingConfig { metrics_interval_s: 2.5, ..old };
    assert_eq!(
        (often.sampling_period(), often.report_period()),
        (Duration::from_millis(2_500), often.sampling_period())
    );
    assert_eq!(often.stale_after_s(), 10.0, "at least");
    let auto = AutoscalingConfig { max_replicas: 100, ..AutoscalingConfig::default() };
    assert_eq!(AutoscalingConfig::auto(), auto);
}

#[test]
fn what_is_wrong_or_not_supported_is_named() {
    for (json, part) in [
        (r#"{"max_replicas": 0}"#, "max_replicas (0) must be above zero"),
        (r#"{"min_replicas": 2}"#, "min_replicas (2) must be at most max_replicas"),
        (r#"{"initial_replicas": 2}"#, "initial_replicas (2, of 1 to 1) must be within"),
        (r#"{"target_ongoing_requests": 0}"#, "target_ongoing_requests (0) must be above zero"),
        (r#"{"upscale_delay_s": -1}"#, "upscale_delay_s (-1) must not be negative"),
        (r#"{"policy": {"policy_function": "mine:policy"}}"#, "policy (mine:policy) is not supported"),
        (r#"{"look_back_period_s": "nan"}"#, "look_back_period_s (NaN) must be above zero"),
        (r#"{"target_num_ongoing_requests_per_replica": 1}"#, "unknown field"),
    ] {
        let error = load(json).unwrap_err();
        assert!(error.contains(part), "{error}");
    }
    let half = Deployment { target_capacity: Some(101.0), ..Deployment::default() };
    let error = RayServe::new(AutoscalingConfig::default(), half).unwrap_err();
    let text = "target_capacity (101) must be between 0 and 100: give a percentage, or leave it out";
    assert_eq!(error.to_string(), text);
}

#[test]
fn it_migrates_to_the_concurrency_policy() {
    let config = AutoscalingConfig { initial_replicas: Some(1), downscale_to_zero_delay_s: Some(900.0), ..up_to(9) };
    let migration = config.migrate().unwrap();
    let native = migration.config;
    assert_eq!(native.policies(), [Policy::Concurrency(ConcurrencyTarget::new(2.0).unwrap())]);
    assert_eq!((native.min(), native.max(), native.to_zero_delay()), (1, 9, Duration::from_secs(900)));
    assert!(migration.changes.iter().any(|change| change.setting == "initial_replicas" && change.becomes == "nothing"));
    let plain: Vec<_> = migration.changes.iter().map(|change| change.setting).collect();
    let config = AutoscalingConfig {
        initial_replicas: None,
        upscaling_factor: Some(1.5),
        aggregation_function: Aggregation::Max,
        ..config
    };
    let other: Vec<_> = config.migrate().unwrap().changes.iter().map(|change| change.setting).collect();
    let only = |one: &[&'static str], two: &[&'static str]| -> Vec<_> {
        one.iter().copied().filter(|setting| !two.contains(setting)).collect()
    };
    assert_eq!(only(&plain, &other), ["initial_replicas"]);
    assert_eq!(only(&other, &plain), ["upscaling_factor, downscaling_factor", "aggregation_function"]);
    let slower = AutoscalingConfig { downscaling_factor: Some(0.5), ..up_to(9) };
    assert!(slower.migrate().unwrap().changes.iter().any(|change| change.setting.contains("downscaling_factor")));
}
