//! No input makes an emulation panic, and the bounds hold whatever it is told.
#![expect(clippy::indexing_slicing, clippy::float_arithmetic, reason = "a test panics where it fails")]

use std::collections::{BTreeMap, BTreeSet};

use plimsoll::Timestamp;
use plimsoll::peers::keda::{Annotations, Behavior, Fallback, Keda, Poll, ScaledObject, Trigger};
use plimsoll::peers::ray_serve::{
    Aggregation, AutoscalingConfig, Deployment, Direction, Holder, RayServe, Report, Reports, Sample, Sampler,
};
use plimsoll::peers::skyserve::{Mode, Replica, ReplicaPolicy, SkyServe, Status, TargetQps};
use proptest::prelude::*;

/// Any double, with those that break arithmetic more often than chance has them.
fn double() -> impl Strategy<Value = f64> {
    let odd = [0.0, -0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN_POSITIVE, -1.0, 60.0];
    prop_oneof![
        any::<f64>(),
        (0..100_000_u32).prop_map(|millis| f64::from(millis) / 1e3),
        prop::sample::select(odd.to_vec())
    ]
}

fn count() -> impl Strategy<Value = u32> {
    prop_oneof![0..12_u32, any::<u32>()]
}

fn trigger() -> impl Strategy<Value = Trigger> {
    (1..=i64::MAX, any::<i64>(), any::<bool>()).prop_map(|(target, activation, value)| {
        let trigger = if value { Trigger::value(target) } else { Trigger::average_value(target) };
        trigger.with_activation(activation)
    })
}

prop_compose! {
    fn scaled_object()(
        min in 0..10_u32,
        more in 1..=u32::MAX,
        idle in prop::option::of(0..10_u32),
        periods in any::<(u32, u32)>(),
        fallback in prop::option::of((any::<u32>(), any::<u32>(), 0..4_usize)),
        triggers in prop::collection::vec(trigger(), 1..4),
    ) -> ScaledObject {
        let behaviors = [
            Behavior::Static,
            Behavior::CurrentReplicas,
            Behavior::CurrentReplicasIfHigher,
            Behavior::CurrentReplicasIfLower,
        ];
        ScaledObject {
            min_replica_count: min,
            max_replica_count: min.saturating_add(more),
            idle_replica_count: idle.filter(|idle| *idle < min),
            cooldown_period: periods.0,
            initial_cooldown_period: periods.1,
            fallback: fallback.map(|(failure_threshold, replicas, behavior)| Fallback {
                failure_threshold,
                replicas,
                behavior: behaviors[behavior],
            }),
            triggers,
            ..ScaledObject::default()
        }
    }
}

fn status() -> impl Strategy<Value = Status> {
    prop::sample::select(vec![
        Status::Pending,
        Status::Provisioning,
        Status::Starting,
        Status::Ready,
        Status::NotReady,
        Status::ShuttingDown,
        Status::Failed,
        Status::Preempted,
        Status::Unknown,
    ])
}

prop_compose! {
    fn replica()(
        id in any::<u64>(),
        status in status(),
        version in count(),
        switches in any::<(bool, bool)>(),
        accelerator in prop::option::of(prop::sample::select(vec!["L4", "A100", ":", ""])),
        running_jobs in count(),
    ) -> Replica {
        let mut replica = Replica::new(id, status);
        replica.version = version;
        (replica.is_spot, replica.unrecoverable) = switches;
        replica.accelerator = accelerator.map(str::to_owned);
        replica.running_jobs = running_jobs;
        replica
    }
}

fn target() -> impl Strategy<Value = TargetQps> {
    let named = (prop::sample::select(vec!["L4", "A100:8", ":", ""]), 0.0..1e300);
    prop_oneof![
        Just(TargetQps::Fixed),
        prop_oneof![Just(0.0), 0.0..1e300, Just(f64::MIN_POSITIVE)].prop_map(TargetQps::PerReplica),
        prop::collection::vec(named, 1..4).prop_map(|rates| {
            TargetQps::ByAccelerator(rates.into_iter().map(|(name, rate)| (name.to_owned(), rate)).collect())
        }),
    ]
}

prop_compose! {
    fn replica_policy()(
        min in count(),
        more in count(),
        target in target(),
        num_overprovision in count(),
        delays in (-1e300..1e300, -100.0..1e4),
        base in prop::option::of(count()),
        dynamic in prop::option::of(any::<bool>()),
        threshold in prop::option::of(count()),
        pool in any::<bool>(),
    ) -> ReplicaPolicy {
        let by_kind = matches!(target, TargetQps::ByAccelerator(_));
        ReplicaPolicy {
            min_replicas: min,
            max_replicas: Some(min.saturating_add(more)),
            target_qps_per_replica: if pool { TargetQps::Fixed } else { target },
            num_overprovision,
            upscale_delay_seconds: delays.0,
            downscale_delay_seconds: delays.1,
            base_ondemand_fallback_replicas: base.filter(|_| !pool && !by_kind),
            dynamic_ondemand_fallback: dynamic.filter(|_| !pool && !by_kind),
            queue_length_threshold: threshold.filter(|_| pool),
        }
    }
}

prop_compose! {
    fn autoscaling_config()(
        min in count(),
        more in 1..=u32::MAX,
        initial in prop::option::of(any::<u32>()),
        target in prop_oneof![Just(f64::MIN_POSITIVE), 1e-3..1e9, Just(f64::MAX)],
        delays in (0.0..100.0, 0.0..1e300, prop::option::of(0.0..10.0)),
        factors in (prop::option::of(1e-300..1e300), prop::option::of(1e-3..10.0)),
        periods in (1e-9..1e9, 1e-9..1e9),
        function in 0..3_usize,
    ) -> AutoscalingConfig {
        let max = min.saturating_add(more);
        AutoscalingConfig {
            min_replicas: min,
            initial_replicas: initial.filter(|initial| (min..=max).contains(initial)),
            max_replicas: max,
            target_ongoing_requests: target,
            upscale_delay_s: delays.0,
            downscale_delay_s: delays.1,
            downscale_to_zero_delay_s: delays.2,
            upscaling_factor: factors.0,
            downscaling_factor: factors.1,
            look_back_period_s: periods.0,
            metrics_interval_s: periods.1,
            aggregation_function: [Aggregation::Mean, Aggregation::Max, Aggregation::Min][function],
            ..AutoscalingConfig::default()
        }
    }
}

fn restored<T: serde::Serialize + serde::de::DeserializeOwned>(state: &T) -> T {
    serde_json::from_str(&serde_json::to_string(state).unwrap()).unwrap()
}

proptest! {
    #[test]
    fn keda_survives_anything(
        object in scaled_object(),
        created in any::<u64>(),
        polls in prop::collection::vec((any::<u64>(), prop::collection::vec(any::<Option<i64>>(), 3), count(), count(), any::<[bool; 4]>()), 0..20),
    ) {
        let triggers = object.triggers.len();
        let mut keda = Keda::new(object, Timestamp::from_nanos(created)).unwrap();
        for (now, readings, replicas, ready, [paused, paused_scale_in, paused_scale_out, force_activation]) in polls {
            let annotations = Annotations { paused, paused_scale_in, paused_scale_out, force_activation };
            let poll = Poll::new(&readings[..triggers.min(3)], replicas).with_ready(ready).with_annotations(annotations);
            let outcome = keda.tick(Timestamp::from_nanos(now), &poll).unwrap();
            let highest = keda.object().min_replica_count.max(1);
            prop_assert!(outcome.set_replicas.is_none_or(|count| count <= highest && !paused));
            prop_assert_eq!(&restored(&keda), &keda);
        }
    }

    #[test]
    fn ray_serve_survives_anything(
        config in autoscaling_config(),
        capacity in prop::option::of(0.0..=100.0),
        rising in any::<bool>(),
        gang_size in prop::option::of(1..=u32::MAX),
        ticks in prop::collection::vec((double(), double(), count(), prop::option::of(double())), 0..30),
    ) {
        let target_capacity_direction = rising.then_some(Direction::Up);
        let deployment = Deployment { target_capacity: capacity, target_capacity_direction, gang_size };
        let mut own = RayServe::new(config, deployment).unwrap();
        for (now, total, running, wish) in ticks {
            let outcome = match wish {
                Some(wish) => own.tick_with(now, total, running, wish),
                None => own.tick(now, total, running),
            };
            prop_assert!(outcome.target <= own.config().max_replicas);
            prop_assert_eq!(format!("{:?}", restored(&own)), format!("{own:?}"));
        }
    }

    #[test]
    fn samples_survive_anything(
        config in autoscaling_config(),
        samples in prop::collection::vec((double(), double(), prop::collection::btree_map(0..4_u64, double(), 0..4)), 0..20),
        made_up in prop::collection::vec((double(), double()), 0..8),
        clocks in prop::collection::vec(double(), 8),
    ) {
        let (mut sampler, mut reports) = (Sampler::default(), Reports::default());
        let series: Vec<Sample> = made_up.iter().map(|(at, value)| Sample { at: *at, value: *value }).collect();
        let odd = Report { at: clocks[0], queued: series.clone(), running: BTreeMap::from([(2, series)]) };
        reports.handle_reports(clocks[1], 9, Holder::Proxy, odd.clone());
        reports.replica_reports(2, odd);
        for (now, queued, running) in samples {
            sampler.sample(&config, now, queued, running);
            reports.handle_reports(clocks[2], 1, Holder::Unknown, sampler.report(&config, clocks[3]));
            reports.replica_reports(1, sampler.report(&config, now));
            let load = reports.load(config.aggregation_function, &BTreeSet::from([0, 1, 2]), clocks[4]);
            prop_assert_eq!(format!("{:?}", restored(&reports)), format!("{reports:?}"));
            prop_assert_eq!(format!("{:?}", restored(&sampler)), format!("{sampler:?}"));
            RayServe::new(config.clone(), Deployment::default()).unwrap().tick(clocks[5], load.total, 2);
        }
        reports.sweep(&config, clocks[6], &BTreeSet::from([1]));
        reports.replica_stopped(2);
    }

    #[test]
    fn skyserve_survives_anything(
        policy in replica_policy(),
        other in replica_policy(),
        steps in prop::collection::vec((double(), prop::collection::vec(double(), 0..30), prop::collection::vec(replica(), 0..10), any::<u64>(), any::<bool>()), 0..15),
        update in prop::option::of((0..15_usize, count(), any::<bool>())),
    ) {
        let mut service = SkyServe::new(&policy).unwrap();
        let most = policy.max().max(other.max());
        for (number, (now, arrivals, rows, waiting, active)) in steps.into_iter().enumerate() {
            service.report(now, arrivals);
            if let Some((_, version, rolling)) = update.filter(|(at, _, _)| *at == number) {
                let mode = if rolling { Mode::Rolling } else { Mode::BlueGreen };
                let _failure = service.update(&other, version, mode, waiting);
            }
            let active: &[u32] = if active { &[1, 7] } else { &[] };
            if let Ok(decision) = service.tick(&rows, active, waiting) {
                prop_assert!(decision.stop.iter().all(|id| rows.iter().any(|row| row.id == *id)));
            }
            prop_assert!(service.target() <= most);
            prop_assert_eq!(format!("{:?}", restored(&service)), format!("{service:?}"));
        }
    }
}
