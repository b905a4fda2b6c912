use alloc::string::{String, ToString};

use super::*;
use crate::policy::{Outpost, Policy, RunPod};
use crate::units::Rate;

fn policy(min: u32, max: u32, target: f64) -> ReplicaPolicy {
    ReplicaPolicy {
        min_replicas: min,
        max_replicas: Some(max),
        target_qps_per_replica: TargetQps::PerReplica(target),
        upscale_delay_seconds: 0.0,
        downscale_delay_seconds: 0.0,
        ..ReplicaPolicy::default()
    }
}

fn kinds(min: u32) -> ReplicaPolicy {
    let rates = TargetQps::ByAccelerator(vec![("L4".into(), 0.5), ("A100".into(), 2.0)]);
    ReplicaPolicy { target_qps_per_replica: rates, ..policy(min, 10, 1.0) }
}

fn rows(count: u64, status: Status) -> Vec<Replica> {
    (1..=count).map(|id| Replica::new(id, status)).collect()
}

/// So many requests within the minute before `now`.
fn load(service: &mut SkyServe, now: f64, requests: usize) {
    service.report(now, core::iter::repeat_n(now - 1.0, requests));
}

#[test]
fn an_instance_aware_service_never_leaves_zero() {
    let mut service = SkyServe::new(&kinds(0)).unwrap();
    load(&mut service, 60.0, 10_000);
    assert_eq!(service.tick(&[], &[], 0).unwrap().launch, Launch::default());
}

#[test]
fn every_update_of_an_instance_aware_service_fails_half_way() {
    let mut service = SkyServe::new(&kinds(1)).unwrap();
    let slower = ReplicaPolicy { upscale_delay_seconds: 400.0, ..kinds(3) };
    assert_eq!(service.update(&slower, 2, Mode::Rolling, 0), Err(Failure::TargetIsAMap));
    assert_eq!((service.target(), service.thresholds()), (3, (0, 0)), "bounds are new, delays are old");
}

#[test]
fn a_change_to_instance_aware_drops_the_target() {
    let mut service = SkyServe::new(&policy(1, 10, 1.0)).unwrap();
    load(&mut service, 60.0, 300);
    service.tick(&[], &[], 0).unwrap();
    assert_eq!(service.target(), 5);
    service.update(&kinds(1), 2, Mode::Rolling, 0).unwrap_err();
    assert_eq!((service.variant(), service.target()), (Variant::InstanceAware, 1));
}

#[test]
fn a_change_of_kind_begins_anew_where_the_old_one_is_no_ancestor() {
    let base = ReplicaPolicy { base_ondemand_fallback_replicas: Some(1), ..policy(1, 10, 1.0) };
    let pool = ReplicaPolicy { queue_length_threshold: Some(2), ..ReplicaPolicy::default() };
    for (old, new, variant) in [
        (&policy(1, 10, 1.0), &base, Variant::Fallback),
        (&policy(1, 10, 1.0), &pool, Variant::QueueLength),
        (&pool, &policy(1, 10, 1.0), Variant::RequestRate),
        (&pool, &base, Variant::Fallback),
    ] {
        let mut service = SkyServe::new(old).unwrap();
        service.update(new, 2, Mode::Rolling, 0).unwrap();
        assert_eq!(service.variant(), variant, "{old:?}");
    }
}

#[test]
fn a_change_of_kind_remembers_what_has_been_ready() {
    let base = ReplicaPolicy { base_ondemand_fallback_replicas: Some(1), ..policy(1, 10, 1.0) };
    let mut service = SkyServe::new(&policy(1, 10, 1.0)).unwrap();
    service.tick(&rows(1, Status::Ready), &[1], 0).unwrap();
    service.update(&base, 1, Mode::Rolling, 0).unwrap();
    let mut lost = rows(1, Status::Failed);
    lost[0].unrecoverable = true;
    assert_eq!(service.tick(&lost, &[1], 0).unwrap().wanted, Some(1), "a version that has run once is not given up");
}

#[test]
fn an_unknown_kind_counts_as_the_slowest() {
    let rates = TargetQps::ByAccelerator(vec![("A100".into(), 2.0), ("L4".into(), 0.5), ("T4".into(), 1.0)]);
    assert_eq!((rates.of(None), rates.of(Some("V100")), rates.largest()), (0.5, 0.5, 2.0));
}

#[test]
fn dead_replicas_inflate_the_target() {
    let mut service = SkyServe::new(&kinds(1)).unwrap();
    let mut mixed = rows(4, Status::Failed);
    mixed[0].status = Status::Ready;
    load(&mut service, 60.0, 60);
    assert_eq!(service.tick(&mixed, &[1], 0).unwrap().wanted, Some(5), "half a request per second is missing");
}

#[test]
fn starting_replicas_count_on_the_way_up_only() {
    let mut service = SkyServe::new(&kinds(1)).unwrap();
    let mut coming = rows(3, Status::Starting);
    coming[0].status = Status::Ready;
    load(&mut service, 60.0, 89);
    assert_eq!(service.tick(&coming, &[1], 0).unwrap().wanted, Some(1), "just below what is coming up");
    load(&mut service, 200.0, 90);
    assert_eq!(service.tick(&coming, &[1], 0).unwrap().wanted, Some(3), "and at it");
}

#[test]
fn a_serving_replica_goes_before_a_pending_one() {
    let mut service = SkyServe::new(&kinds(1)).unwrap();
    let mut mixed = rows(2, Status::Ready);
    mixed[1].status = Status::Pending;
    mixed[1].accelerator = Some("A100".into());
    assert_eq!(service.tick(&mixed, &[1], 0).unwrap().stop, [1]);
}

#[test]
fn a_base_above_the_target_launches_nothing_at_all() {
    let base = ReplicaPolicy { base_ondemand_fallback_replicas: Some(2), ..policy(1, 5, 1.0) };
    let mut service = SkyServe::new(&base).unwrap();
    let failure = Failure::TooFewToStop { asked: 1, there: 0, wanted: 1 };
    assert_eq!(service.tick(&[], &[], 0), Err(failure));
}

#[test]
fn an_update_to_no_fallback_is_not_understood() {
    let base = ReplicaPolicy { base_ondemand_fallback_replicas: Some(1), ..policy(1, 5, 1.0) };
    let mut service = SkyServe::new(&base).unwrap();
    assert_eq!(service.update(&policy(1, 5, 1.0), 2, Mode::Rolling, 0), Err(Failure::NoFallback));
    assert_eq!(service.variant(), Variant::Fallback);
}

#[test]
fn an_update_divides_by_the_old_rate_once_more() {
    let mut service = SkyServe::new(&policy(1, 100, 1.0)).unwrap();
    load(&mut service, 60.0, 600);
    service.update(&policy(1, 100, 5.0), 2, Mode::Rolling, 0).unwrap();
    assert_eq!(service.target(), 10, "two would do");
    assert_eq!(service.tick(&[], &[], 0).unwrap().wanted, Some(2));
}

#[test]
fn an_update_to_an_older_version_moves_the_target_too() {
    let slow = ReplicaPolicy { upscale_delay_seconds: 400.0, ..policy(1, 100, 1.0) };
    let mut service = SkyServe::new(&slow).unwrap();
    load(&mut service, 60.0, 600);
    service.update(&slow, 1, Mode::Rolling, 0).unwrap();
    assert_eq!(service.target(), 10, "past the delay");
}

#[test]
fn a_restart_stops_the_surplus_and_rebuilds_it() {
    let mut service = SkyServe::new(&policy(1, 10, 1.0)).unwrap();
    assert_eq!(service.tick(&rows(5, Status::Ready), &[1], 0).unwrap().stop, [5, 4, 3, 2]);
    load(&mut service, 60.0, 300);
    assert_eq!(service.tick(&rows(1, Status::Ready), &[1], 0).unwrap().launch.plain, 4);
}

#[test]
fn a_restart_after_an_update_launches_and_stops_for_ever() {
    let mut service = SkyServe::new(&policy(2, 10, 1.0)).unwrap();
    let mut third: Vec<Replica> = rows(4, Status::Ready);
    for row in &mut third {
        row.version = 3;
    }
    for _ in 0..100 {
        let decision = service.tick(&third, &[3], 0).unwrap();
        assert_eq!((decision.launch.plain, decision.stop.len()), (2, 2));
    }
}

#[test]
fn a_delay_is_almost_a_tick_too_short() {
    let slow = ReplicaPolicy { upscale_delay_seconds: 39.0, ..policy(1, 10, 1.0) };
    let mut service = SkyServe::new(&slow).unwrap();
    load(&mut service, 60.0, 300);
    service.tick(&rows(1, Status::Ready), &[1], 0).unwrap();
    assert_eq!(service.target(), 5, "39 s of delay act at the first tick");
}

#[test]
fn the_window_is_closed_at_both_ends_and_ages_by_reports_only() {
    let mut service = SkyServe::new(&policy(1, 10, 1.0 / 60.0)).unwrap();
    service.report(60.0, [0.0, 30.0, 60.0]);
    assert_eq!(service.window(), 3, "0 s is exactly 60 s old");
    service.tick(&[], &[], 0).unwrap();
    assert_eq!(service.window(), 3, "and stays while nobody reports");
    service.report(60.1, []);
    assert_eq!(service.window(), 2);
}

#[test]
fn running_jobs_do_not_count() {
    let pool = ReplicaPolicy {
        target_qps_per_replica: TargetQps::Fixed,
        queue_length_threshold: Some(1),
        ..policy(0, 10, 1.0)
    };
    let mut service = SkyServe::new(&pool).unwrap();
    let mut busy = rows(5, Status::Ready);
    for row in &mut busy {
        row.running_jobs = 1;
    }
    assert_eq!(service.tick(&busy, &[1], 0).unwrap().stop, [0_u64; 0]);
    assert_eq!(service.tick(&busy, &[1], 4).unwrap().launch.plain, 0, "four wait, five are busy, one is wanted");
}

#[test]
fn a_rate_for_exactly_seven_asks_for_eight() {
    let mut service = SkyServe::new(&policy(1, 10, 0.15)).unwrap();
    load(&mut service, 60.0, 63);
    assert_eq!(service.tick(&[], &[], 0).unwrap().wanted, Some(8));
}

#[test]
fn a_target_of_zero_is_accepted_and_never_decides() {
    let mut service = SkyServe::new(&policy(1, 10, 0.0)).unwrap();
    assert_eq!(service.tick(&[], &[], 0), Err(Failure::ZeroTarget));
}

fn read(yaml: &str) -> Result<Service, String> {
    serde_saphyr::from_str(yaml).map_err(|error| error.to_string())
}

#[test]
fn a_service_section_loads_as_its_users_have_it() {
    let service = read(
        "
        readiness_probe: {path: /health, initial_delay_seconds: 600}
        load_balancing_policy: instance_aware_least_load
        replica_policy:
          min_replicas: 0
          max_replicas: 4
          target_qps_per_replica: {'H100:1': 2.5, 'A100:1': 1.25}
          upscale_delay_seconds: 30
        ",
    )
    .unwrap();
    let policy = service.replica_policy.clone();
    let rates = vec![("H100:1".to_string(), 2.5), ("A100:1".to_string(), 1.25)];
    assert_eq!(policy.target_qps_per_replica, TargetQps::ByAccelerator(rates));
    assert_eq!((policy.variant(), policy.downscale_delay_seconds), (Variant::InstanceAware, 1_200.0));
    assert_eq!(service.beside, ["readiness_probe", "load_balancing_policy"]);
    let written = serde_json::to_string(&policy).unwrap();
    assert_eq!(serde_json::from_str::<ReplicaPolicy>(&written).unwrap(), policy);
    let fixed = read("{readiness_probe: /, replicas: 3}").unwrap().replica_policy;
    assert_eq!((fixed.min_replicas, fixed.max(), fixed.variant()), (3, 3, Variant::RequestRate));
    let pool = read("{min_workers: 1, max_workers: 4, queue_length_threshold: 2}").unwrap().replica_policy;
    assert_eq!((pool.variant(), pool.max()), (Variant::QueueLength, 4));
    assert_eq!(read("{workers: 2}").unwrap().replica_policy.variant(), Variant::RequestRate);
    let slow = "{workers: 2, max_workers: 3, upscale_delay_seconds: 30, downscale_delay_seconds: '60'}";
    let slow = read(slow).unwrap().replica_policy;
    assert_eq!((slow.min_replicas, slow.max()), (2, 3));
    assert_eq!((slow.upscale_delay_seconds, slow.downscale_delay_seconds), (30.0, 60.0));
    assert_eq!(read("{ports: 8080}").unwrap().replica_policy, ReplicaPolicy::default(), "one replica");
    let rate = |rate: &str| {
        let written = alloc::format!("replica_policy: {{min_replicas: 1, target_qps_per_replica: {rate}}}");
        read(&written).unwrap().replica_policy.target_qps_per_replica
    };
    for written in ["2", "2.0", "'2'"] {
        assert_eq!(rate(written), TargetQps::PerReplica(2.0), "{written}");
    }
    assert_eq!(rate("null"), TargetQps::Fixed);
}

#[test]
fn what_is_wrong_or_not_supported_is_named() {
    for (yaml, part) in [
        ("replica_policy: {max_replicas: 2}", "min_replicas (nothing) is required in a replica_policy"),
        ("replica_policy: {min_replicas: 3, max_replicas: 2}", "min_replicas (3, of at most 2) must be at most"),
        ("replica_policy: {min_replicas: 1, max_replicas: 2}", "target_qps_per_replica (nothing) is required while"),
        (
            "replica_policy: {min_replicas: 1, target_qps_per_replica: {}}",
            "target_qps_per_replica ({}) must hold at least one rate",
        ),
        (
            "replica_policy: {min_replicas: 1, target_qps_per_replica: {L4: 1}, dynamic_ondemand_fallback: true}",
            "target_qps_per_replica (a map) does not go with on-demand fallback",
        ),
        ("replica_policy: {min_replicas: 1, target_qps_per_replica: -1}", "target_qps_per_replica (-1) must not be"),
        ("replica_policy: {min_replicas: 1, spot_placer: dynamic_fallback}", "spot_placer (dynamic_fallback) is not"),
        ("{replicas: 1, replica_policy: {min_replicas: 1}}", "replica_policy, replicas, workers (several)"),
        ("{max_workers: 3}", "workers (nothing) is required for a pool"),
        ("{queue_length_threshold: 3}", "workers (nothing) is required for a pool"),
        ("{upscale_delay_seconds: 3}", "workers (nothing) is required for a pool"),
        ("{downscale_delay_seconds: 3}", "workers (nothing) is required for a pool"),
        ("{workers: 3, min_workers: 3}", "workers, min_workers (both) say the same thing: keep one of them"),
        ("{replica_policy: {min_replicas: 1, qps: 3}}", "unknown field `qps`"),
        (
            "replica_policy: {min_replicas: 1, upscale_delay_seconds: 'inf'}",
            "upscale_delay_seconds (inf) must be a number: give seconds, such as 300",
        ),
        ("replica_policy: {min_replicas: 1, downscale_delay_seconds: 'nan'}", "downscale_delay_seconds (NaN) must be"),
        (
            "replica_policy: {min_replicas: 1, queue_length_threshold: 2, target_qps_per_replica: 1}",
            "queue_length_threshold (given) is for pools: a pool scales on its queue: leave the rate",
        ),
        (
            "replica_policy: {min_replicas: 1, queue_length_threshold: 2, dynamic_ondemand_fallback: true}",
            "queue_length_threshold (given) is for pools",
        ),
        (
            "replica_policy: {min_replicas: 1, target_qps_per_replica: fast}",
            "expected requests per second, such as 2.5, or a map of them by accelerator",
        ),
        ("{replica_polciy: {min_replicas: 1}}", "unknown field `replica_polciy`"),
    ] {
        let error = read(yaml).unwrap_err();
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn it_migrates_to_the_outpost_policy() {
    let native = |policy: &ReplicaPolicy| policy.migrate().unwrap().config.policies().to_vec();
    let outpost = |rate| Policy::Outpost(Outpost::new(Rate::per_second(rate).unwrap()));
    assert_eq!(native(&policy(1, 10, 2.5)), [outpost(2.5)]);
    assert_eq!(native(&kinds(1)), [outpost(0.5)], "the slowest kind");
    let pool = ReplicaPolicy { queue_length_threshold: Some(1), ..ReplicaPolicy::default() };
    assert_eq!(native(&pool), [Policy::RunPod(RunPod::request_count(1))]);
    assert_eq!(native(&ReplicaPolicy::default()), [Policy::Fixed(1)]);
    assert!(policy(1, 10, 0.0).migrate().is_err());
    let spot = ReplicaPolicy { dynamic_ondemand_fallback: Some(true), num_overprovision: 2, ..policy(1, 10, 1.0) };
    let setting = |policy: &ReplicaPolicy, setting: &str| {
        let changes = policy.migrate().unwrap().changes;
        changes.into_iter().find(|change| change.setting == setting).map(|change| change.becomes)
    };
    let rate = "target_qps_per_replica";
    assert_eq!(setting(&pool, "queue_length_threshold").as_deref(), Some("policy runpod, request_count 1"));
    assert_eq!((setting(&pool, rate), setting(&pool, "num_overprovision")), (None, None));
    assert_eq!(setting(&ReplicaPolicy::default(), "queue_length_threshold"), None);
    assert_eq!(setting(&policy(1, 10, 2.5), rate).as_deref(), Some("policy outpost, target_qps_per_replica 2.5"));
    assert_eq!(setting(&kinds(1), rate).as_deref(), Some("policy outpost, at the smallest of the rates"));
    let delayed = |seconds| ReplicaPolicy { upscale_delay_seconds: seconds, ..policy(1, 10, 1.0) };
    let delay = |seconds| delayed(seconds).migrate().unwrap().config.up_delay();
    assert_eq!([delay(40.0), delay(-1.0)], [Duration::from_secs(40), Duration::ZERO]);
    let migration = spot.migrate().unwrap();
    assert_eq!(migration.config.buffer(), Some(crate::config::Buffer::workers(2).always()));
    let names: Vec<_> = migration.changes.iter().map(|change| change.setting).collect();
    assert!(names.contains(&"num_overprovision"), "{names:?}");
    let section = read("{readiness_probe: /, replicas: 3}").unwrap().migrate().unwrap();
    assert!(section.changes.iter().any(|change| change.setting == "readiness_probe"));
}
