use core::time::Duration;
use std::string::ToString;
use std::{format, vec};

use proptest::prelude::*;

use super::*;
use crate::peers::keda::Trigger;
use crate::peers::knative::{Metric, Parameters};
use crate::peers::kubernetes::{MetricTarget, Quantity};
use crate::peers::ray_serve::Aggregation;
use crate::peers::skyserve::TargetQps;
use crate::sim::generate::{Arrivals, Generated, ServiceTime};
use crate::sim::{Options, Outcome, Request, Workload, simulate_with};

/// A controller and what it wanted, from when on.
struct Traced<C> {
    inner: C,
    wanted: Vec<(Timestamp, u32)>,
}

impl<C: Controller> Controller for Traced<C> {
    fn observe(&mut self, now: Timestamp, observation: Observation) -> bool {
        self.inner.observe(now, observation)
    }

    fn next_wakeup(&self) -> Option<Timestamp> {
        self.inner.next_wakeup()
    }

    fn desired(&self) -> u32 {
        self.inner.desired()
    }

    fn decide(&mut self, now: Timestamp, commands: &mut Commands) -> Option<Decided> {
        let decision = self.inner.decide(now, commands);
        let desired = self.inner.desired();
        if self.wanted.last().is_none_or(|(_, last)| *last != desired) {
            self.wanted.push((now, desired));
        }
        decision
    }

    fn may_wake(&self) -> bool {
        self.inner.may_wake()
    }
}

const SERVICE: Service = Service { concurrency: 1, target: Duration::from_secs(1) };
/// One slot, a second each.
const STOCK: Stock = Stock { concurrency: 1, mean_service: Duration::from_secs(1), min: 0, max: 50 };

fn run<C: Controller>(workload: &Workload, inner: C) -> (Outcome, Vec<(Timestamp, u32)>) {
    let traced = Traced { inner, wanted: vec![] };
    let (outcome, traced) = simulate_with(workload, SERVICE, traced, &Options::default(), &mut ());
    assert_eq!((outcome.finished, outcome.refused, outcome.lost), (outcome.requests, 0, 0));
    (outcome, traced.wanted)
}

fn stock(kind: Kind, min: u32) -> PeerController {
    Peer::defaults(kind, &Stock { min, ..STOCK }).controller(SERVICE).unwrap()
}

/// A request every second from the first instant to the last, each of so many seconds.
fn steady(spans: &[(u64, u64, u64)]) -> Workload {
    let requests = spans.iter().flat_map(|(from, to, service)| {
        let service = Duration::from_secs(*service);
        (*from..*to).map(move |at| Request { arrival: Timestamp::from_secs(at), service })
    });
    Workload::from_requests("steady", requests.collect()).unwrap()
}

/// In whole seconds.
fn seconds(wanted: &[(Timestamp, u32)]) -> Vec<(u64, u32)> {
    wanted.iter().map(|(at, count)| (at.as_nanos() / 1_000_000_000, *count)).collect()
}

#[test]
fn knative_settles_where_load_over_target_is() {
    let (_, wanted) = run(&steady(&[(0, 1_200, 10)]), stock(Kind::Knative, 0));
    let (at, count) = wanted.iter().rfind(|(at, _)| *at < Timestamp::from_secs(1_190)).unwrap();
    // Ten in service at 70 % of one each.
    assert_eq!(*count, 15);
    assert!(*at < Timestamp::from_secs(300), "{wanted:?}");
}

#[test]
fn knative_goes_to_zero_after_its_window_and_wakes_at_once() {
    let arrival = Timestamp::from_millis(400_300);
    let requests = vec![Request { arrival, service: Duration::from_secs(1) }];
    let (outcome, wanted) = run(&Workload::from_requests("one", requests).unwrap(), stock(Kind::Knative, 0));
    // Ready at 20 s, inactive after a window of activity, and gone at the next tick: the activator, in the path ever
    // since, has had its grace. A request wakes one by 1 / 0.7.
    assert_eq!(wanted, [(Timestamp::ORIGIN, 1), (Timestamp::from_secs(82), 0), (arrival, 2)]);
    assert_eq!(outcome.sojourn_max, Duration::from_secs(20));
}

#[test]
fn knative_reconciles_when_pods_become_ready_and_when_it_asked_for_it() {
    let requests = vec![Request { arrival: Timestamp::from_secs(400), service: Duration::from_secs(1) }];
    let traced = Traced { inner: stock(Kind::Knative, 0), wanted: vec![] };
    let options = Options { cold_start: Duration::from_secs(21), ..Options::default() };
    let workload = Workload::from_requests("one", requests).unwrap();
    let (_, traced) = simulate_with(&workload, SERVICE, traced, &options, &mut ());
    // Active from 21 s on, inactive at 81 s, between two ticks, and gone at the next one.
    assert_eq!(seconds(&traced.wanted)[..2], [(0, 1), (82, 0)]);
}

#[test]
fn a_late_sample_is_a_rate_all_the_same() {
    let parameters = Parameters { metric: Metric::Rps, target: Some(10.0), ..Parameters::default() };
    let mut peer = knative::Knative::new(parameters).unwrap();
    for _ in 0..100 {
        peer.observe(Timestamp::from_millis(500), Observation::arrived(1));
    }
    peer.decide(Timestamp::from_secs(2), &mut Commands::default());
    assert_eq!(peer.desired(), 8, "a hundred within 2 s, at seven per second each");
}

#[test]
fn who_looks_at_what_waits_may_wake() {
    let wakes = |kind| stock(kind, u32::from(kind == Kind::Kubernetes)).may_wake();
    let kinds = [Kind::Knative, Kind::Kubernetes, Kind::RayServe, Kind::Keda, Kind::SkyServe];
    assert_eq!(kinds.map(wakes), [true, true, true, false, false], "nothing waits, and nothing has come");
    for kind in [Kind::Keda, Kind::SkyServe] {
        let mut peer = stock(kind, 0);
        peer.observe(Timestamp::ORIGIN, Observation::arrived(1));
        assert!(peer.may_wake(), "{kind:?}");
        for tick in 0..2 {
            peer.decide(Timestamp::from_secs(45 * tick), &mut Commands::default());
        }
        assert!(peer.may_wake(), "{kind:?}: what was reported still counts");
    }
}

#[test]
fn the_hpa_holds_a_high_recommendation_for_300_s() {
    let (_, wanted) = run(&steady(&[(0, 600, 10), (600, 1_800, 1)]), stock(Kind::Kubernetes, 1));
    let fall = wanted.windows(2).find(|pair| pair[1].1 < pair[0].1).unwrap()[1];
    // The backlog of the start is forgotten 300 s after its last pass, then the load of 10 after the pass at 600 s.
    assert!(fall.0 >= Timestamp::from_secs(315), "{wanted:?}");
    let at_600 = wanted.iter().rfind(|(at, _)| *at <= Timestamp::from_secs(600)).unwrap().1;
    let after = wanted.iter().find(|(at, _)| *at > Timestamp::from_secs(600)).unwrap();
    assert_eq!(at_600, 15);
    assert_eq!(after.0, Timestamp::from_secs(915), "{wanted:?}");
    assert_eq!(wanted.last().unwrap().1, 2);
    assert!(wanted.iter().all(|(at, _)| at.as_nanos() % 15_000_000_000 == 0));
}

#[test]
fn keda_wakes_at_a_poll_and_goes_to_zero_past_the_cooldown() {
    let requests = vec![
        Request { arrival: Timestamp::from_secs(1), service: Duration::from_secs(5) },
        Request { arrival: Timestamp::from_secs(500), service: Duration::from_secs(5) },
    ];
    let (outcome, wanted) = run(&Workload::from_requests("two", requests).unwrap(), stock(Kind::Keda, 0));
    // The HPA of that instant adds another by 1 / 0.7, and holds it for 300 s after the last pass with one in service.
    assert_eq!(seconds(&wanted)[..3], [(0, 0), (30, 2), (360, 0)]);
    assert_eq!(seconds(&wanted)[3..], [(510, 2)]);
    assert_eq!(outcome.sojourn_max, Duration::from_secs(49));
}

#[test]
fn ray_serve_waits_30_s_once_a_replica_runs() {
    let (_, wanted) = run(&steady(&[(0, 300, 4)]), stock(Kind::RayServe, 1));
    assert_eq!(wanted[0], (Timestamp::ORIGIN, 1));
    assert_eq!(wanted[1].0, Timestamp::from_secs(50), "{wanted:?}");
    assert!(wanted[1].1 > 4, "the backlog counts: {wanted:?}");
}

#[test]
fn skyserve_waits_300_s_less_a_tick() {
    let (_, wanted) = run(&steady(&[(1, 600, 1)]), stock(Kind::SkyServe, 1));
    // 61 requests are in the window of the report at 65 s, so that the tick at 80 s is the first of fifteen.
    assert_eq!(seconds(&wanted)[..2], [(0, 1), (360, 2)]);
}

#[test]
fn skyserve_wakes_at_the_first_tick_after_a_report() {
    let requests = vec![Request { arrival: Timestamp::from_secs(30), service: Duration::from_secs(1) }];
    let (outcome, wanted) = run(&Workload::from_requests("one", requests).unwrap(), stock(Kind::SkyServe, 0));
    assert_eq!(seconds(&wanted), [(0, 0), (45, 1)]);
    assert_eq!(outcome.sojourn_max, Duration::from_secs(35));
}

#[test]
fn who_may_never_be_served_is_given_up() {
    let object = ScaledObject {
        triggers: vec![Trigger::average_value(1_000).with_activation(5_000)],
        ..ScaledObject::default()
    };
    let peer = Peer::Keda { object: Box::new(object), settings: hpa::Controller::default() };
    let workload = steady(&[(0, 3, 1)]);
    let (outcome, _) =
        simulate_with(&workload, SERVICE, peer.controller(SERVICE).unwrap(), &Options::default(), &mut ());
    assert_eq!((outcome.finished, outcome.unserved), (0, 3));

    // Every activation takes longer than Knative waits for it.
    let options = Options { cold_start: Duration::from_secs(700), ..Options::default() };
    let (outcome, _) = simulate_with(&workload, SERVICE, stock(Kind::Knative, 0), &options, &mut ());
    assert!(outcome.finished + outcome.unserved == 3 && outcome.duration < Duration::from_secs(100_000));
}

#[test]
fn what_cannot_be_simulated_is_refused_with_a_remedy() {
    let refused = |json: &str| match serde_json::from_str::<Peer>(json) {
        Ok(peer) => peer.controller(SERVICE).unwrap_err().to_string(),
        Err(error) => error.to_string(),
    };
    for (json, text) in [
        (r#"{"knative": {"containerConcurrency": 8}}"#, "containerConcurrency (8) is not the service's"),
        (r#"{"knative": {"annotations": {"autoscaling.knative.dev/min-scal": "1"}}}"#, "correct its name"),
        (
            r#"{"kubernetes": {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
                "spec": {"maxReplicas": 3}}}"#,
            "metrics[].type (Resource) is of a kind that is not simulated",
        ),
        (
            r#"{"keda": {"spec": {"triggers": [{"type": "cpu", "metadata": {"value": "50"}}]}}}"#,
            "triggers[].type (cpu) is of a kind that is not simulated",
        ),
        (
            r#"{"keda": {"metadata": {"annotations": {"autoscaling.keda.sh/paused": "true"}},
                "spec": {"triggers": [{"type": "rabbitmq", "metadata": {"value": "5"}}]}}}"#,
            "is not simulated",
        ),
        (r#"{"ray_serve": {"max_replicas": 0}}"#, "max_replicas (0) must be above zero"),
        (
            r#"{"skyserve": {"replica_policy": {"min_replicas": 1, "max_replicas": 3, "target_qps_per_replica": 2,
                "dynamic_ondemand_fallback": true}}}"#,
            "is more than one rate for replicas that are all alike",
        ),
    ] {
        let message = refused(json);
        assert!(message.contains(text), "{json}: {message}");
    }
}

/// The table of [`Peer::defaults`], at two slots, requests of half a second and 3 to 9 workers.
#[test]
fn a_peer_at_its_defaults_has_the_settings_of_the_table() {
    let stock = Stock { concurrency: 2, mean_service: Duration::from_millis(500), min: 3, max: 9 };
    for kind in Kind::ALL {
        match Peer::defaults(kind, &stock) {
            Peer::Knative(parameters) => {
                assert_eq!((parameters.min_scale, parameters.max_scale, parameters.per_pod()), (3, 9, (1.4, 2.0)));
            }
            Peer::Kubernetes { spec, .. } => {
                assert_eq!((spec.min_replicas, spec.max_replicas), (Some(3), 9));
                let target = spec.metrics[0].pods.as_ref().unwrap().target;
                assert_eq!(target, MetricTarget::average_value(Quantity::from_milli(1_400)));
            }
            Peer::Keda { object, .. } => {
                assert_eq!((object.min_replica_count, object.max_replica_count), (3, 9));
                assert_eq!(object.triggers, [Trigger::average_value(1_400)]);
            }
            Peer::RayServe(config) => {
                assert_eq!((config.min_replicas, config.max_replicas, config.target_ongoing_requests), (3, 9, 2.0));
            }
            Peer::SkyServe(policy) => {
                assert_eq!((policy.min_replicas, policy.max()), (3, 9));
                assert_eq!(policy.target_qps_per_replica, TargetQps::PerReplica(3.2));
            }
        }
    }
    let names = Kind::ALL.map(Kind::name);
    assert_eq!(names, ["Knative", "Kubernetes HPA", "KEDA", "Ray Serve", "SkyServe"]);
}

#[test]
fn peers_read_as_their_users_have_them() {
    for (json, kind) in [
        (r#"{"knative": {"annotations": {"autoscaling.knative.dev/target": "5"}}}"#, Kind::Knative),
        (
            r#"{"kubernetes": {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
                "metadata": {"name": "web"}, "spec": {"maxReplicas": 3, "metrics": [{"type": "Pods",
                "pods": {"metric": {"name": "q"}, "target": {"type": "AverageValue", "averageValue": "700m"}}}]}}}"#,
            Kind::Kubernetes,
        ),
        (
            r#"{"keda": {"spec": {"maxReplicaCount": 4, "triggers": [{"type": "prometheus",
                "metadata": {"threshold": "0.7"}}]}}}"#,
            Kind::Keda,
        ),
        (r#"{"ray_serve": {"min_replicas": 0, "max_replicas": 9}}"#, Kind::RayServe),
        (
            r#"{"skyserve": {"replica_policy": {"min_replicas": 0, "max_replicas": 9,
                "target_qps_per_replica": 0.8}}}"#,
            Kind::SkyServe,
        ),
    ] {
        let peer: Peer = serde_json::from_str(json).unwrap();
        assert_eq!((peer.kind(), peer.name()), (kind, kind.name()));
        run(&steady(&[(0, 20, 2)]), peer.controller(SERVICE).unwrap());
    }
}

#[test]
fn a_boxed_controller_is_the_controller() {
    let workload = steady(&[(0, 100, 3)]);
    let boxed: Box<dyn Controller> = Box::new(stock(Kind::Keda, 0));
    assert_eq!(run(&workload, boxed), run(&workload, stock(Kind::Keda, 0)));
}

prop_compose! {
    fn ray_config()(
        min in 0..3_u32,
        tenths in 5..40_u32,
        up in prop::sample::select(vec![0.0, 0.25, 1.0, 7.3, 30.0]),
        down in prop::sample::select(vec![0.0, 0.25, 11.1, 60.0]),
        to_zero in prop::option::of(0..50_u32),
        factors in prop::option::of((2..30_u32, 2..30_u32)),
        look_back in prop::sample::select(vec![3.0, 13.7, 30.0]),
        interval in prop::sample::select(vec![0.25, 1.05, 4.0, 10.0]),
        function in prop::sample::select(vec![Aggregation::Mean, Aggregation::Max, Aggregation::Min]),
    ) -> AutoscalingConfig {
        let tenth = |number: u32| f64::from(number) / 10.0;
        AutoscalingConfig {
            min_replicas: min,
            max_replicas: 12,
            target_ongoing_requests: tenth(tenths),
            upscale_delay_s: up,
            downscale_delay_s: down,
            downscale_to_zero_delay_s: to_zero.map(tenth),
            upscaling_factor: factors.map(|(up, _)| tenth(up)),
            downscaling_factor: factors.map(|(_, down)| tenth(down)),
            look_back_period_s: look_back,
            metrics_interval_s: interval,
            aggregation_function: function,
            ..AutoscalingConfig::default()
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn ticks_left_out_change_nothing(config in ray_config(), busy in 0.1..4.0_f64, seed: u64, whole: bool) {
        let service = if whole { ServiceTime::Constant(Duration::from_secs(2)) } else {
            ServiceTime::Exponential(Duration::from_millis(1_700))
        };
        let span = Duration::from_secs(60);
        let arrivals = Arrivals::MarkovModulated { calm: 0.03, busy, calm_for: span, busy_for: span };
        let workload = Generated { arrivals, service, duration: Duration::from_secs(400) }.draw("any", seed).unwrap();
        let some = ray_serve::RayServe::new(config.clone()).unwrap();
        let all = ray_serve::RayServe::new(config).unwrap().thorough();
        let options = Options { cold_start: Duration::from_millis(3_130), ..Options::default() };
        let run = |inner| {
            let (outcome, traced) =
                simulate_with(&workload, SERVICE, Traced { inner, wanted: vec![] }, &options, &mut ());
            (outcome, traced.wanted)
        };
        let (some, all) = (run(some), run(all));
        prop_assert_eq!(&some.1, &all.1);
        prop_assert_eq!(format!("{:?}", some.0.samples), format!("{:?}", all.0.samples));
    }
}
