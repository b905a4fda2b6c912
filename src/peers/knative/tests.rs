//! The defaults, the entries of the differences page, and what holds for any input.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::config::{Config, StepLimit};

const fn at(seconds: u64) -> Timestamp {
    Timestamp::from_secs(1_000 + seconds)
}

fn window(seconds: u64) -> Buckets {
    Buckets::new(Duration::from_secs(seconds), Kpa::SCRAPE, Aggregation::Linear).unwrap()
}

fn decider(change: impl FnOnce(&mut DeciderSpec), ready: u32) -> Decider {
    let mut spec = DeciderSpec { target_value: 10.0, ..Parameters::default().decider(true) };
    change(&mut spec);
    Decider::new(spec, at(0), Some(ready)).unwrap()
}

fn desired(decider: &mut Decider, seconds: u64, ready: u32, value: f64) -> i32 {
    let load = Averages { stable: value, panic: value };
    decider.tick(at(seconds), Some(ready), Some(load)).unwrap().desired
}

/// Surprise 1.
#[test]
fn one_second_of_idleness_decides_between_zero_pods_and_no_data() {
    let mut kpa = Kpa::new(Parameters::default(), at(0), Some(1)).unwrap();
    kpa.record(at(0), 50.0, 0.0).unwrap();
    let mut later = kpa.clone();
    assert_eq!(kpa.tick(at(60), &Inputs::ready(1)).unwrap().decision.desired, 0);
    assert_eq!(later.tick(at(61), &Inputs::ready(1)), Err(NoDecision::NoData));
}

/// Surprise 2.
#[test]
fn a_gap_counts_as_zeros_once_data_returns() {
    let mut window = window(10);
    (0..5).for_each(|second| window.record(at(second), 10.0));
    assert_eq!(window.average(at(8)).to_string(), "10", "four seconds of silence are left out");
    window.record(at(8), 10.0);
    assert_eq!(window.average(at(8)).to_string(), "6.666667", "and now three of them are zeros");
}

/// Surprise 3.
#[test]
fn a_single_pod_panics_at_any_load_over_its_target() {
    let mut decider = decider(|_| (), 1);
    desired(&mut decider, 2, 1, 10.1);
    assert!(decider.panicking(), "⌈1.01⌉ / 1 >= 2");
}

/// Surprise 4.
#[test]
fn one_tick_over_the_threshold_holds_the_count_for_a_stable_window() {
    let mut decider = decider(|_| (), 1);
    assert_eq!(desired(&mut decider, 2, 1, 100.0), 10);
    assert_eq!(desired(&mut decider, 62, 10, 0.0), 10, "60 s later to the second");
    assert_eq!(desired(&mut decider, 64, 10, 0.0), 5);
}

/// Surprise 5.
#[test]
fn a_restart_with_two_pods_panics_for_a_minute() {
    let mut decider = decider(|_| (), 2);
    assert!(decider.panicking());
    assert_eq!(desired(&mut decider, 60, 2, 0.0), 2);
}

/// Surprise 6.
#[test]
fn the_activation_scale_passes_the_rate_limit() {
    let limit = |spec: &mut DeciderSpec| (spec.activation_scale, spec.max_scale_up_rate) = (50, 2.0);
    assert_eq!(desired(&mut decider(limit, 1), 2, 1, 1.0), 50);
}

/// Surprise 6.
#[test]
fn a_delay_of_five_seconds_is_four_to_six() {
    let dropped_at = |start: u64| {
        let mut decider = decider(|spec| spec.scale_down_delay = Duration::from_secs(5), 1);
        desired(&mut decider, start, 5, 30.0);
        (start..start + 10).find(|&second| desired(&mut decider, second, 5, 15.0) == 2).unwrap() - start
    };
    assert_eq!((dropped_at(100), dropped_at(101)), (6, 5));
}

/// Surprise 6.
#[test]
fn a_changed_scale_down_delay_is_not_looked_at() {
    let mut decider = decider(|_| (), 1);
    let mut spec = decider.spec();
    spec.scale_down_delay = Duration::from_secs(300);
    decider.update(spec).unwrap();
    desired(&mut decider, 2, 5, 30.0);
    assert_eq!(desired(&mut decider, 4, 5, 15.0), 2);
}

#[test]
fn an_average_that_is_no_number_is_missing() {
    let mut decider = decider(|_| (), 1);
    for (stable, panic) in [(f64::NAN, 1.0), (1.0, f64::INFINITY)] {
        assert_eq!(decider.tick(at(2), Some(1), Some(Averages { stable, panic })), Err(NoDecision::NoData));
    }
}

#[test]
fn a_smaller_value_in_the_same_bucket_leaves_no_trace() {
    let recorded = |values: &[i32]| {
        let mut window = MaxWindow::new(Duration::from_secs(10), Kpa::TICK);
        for value in values {
            assert_eq!(window.record(at(0), *value), 5);
        }
        window
    };
    assert_eq!(recorded(&[5, 3]), recorded(&[5]));
}

/// Surprise 7.
#[test]
fn an_old_maximum_comes_back_with_reachability() {
    let mut decider = decider(|spec| spec.scale_down_delay = Duration::from_secs(60), 1);
    let reachable = decider.spec();
    assert_eq!(desired(&mut decider, 2, 9, 90.0), 9);
    decider.update(DeciderSpec { reachable: false, ..reachable }).unwrap();
    assert_eq!(desired(&mut decider, 4, 9, 0.0), 0);
    decider.update(reachable).unwrap();
    assert_eq!(desired(&mut decider, 6, 1, 0.0), 9);
}

/// Surprise 8.
#[test]
fn a_longer_window_dilutes_with_zeros_that_never_were() {
    let mut window = window(10);
    window.record(at(0), 12.0);
    assert_eq!(window.average(at(0)).to_string(), "12");
    window.resize(at(0), Duration::from_secs(12)).unwrap();
    assert_eq!(window.average(at(0)).to_string(), "1.2", "one second of data counts as ten");
}

#[test]
fn a_resized_window_has_its_own_length() {
    let mut longer = window(10);
    longer.record(at(0), 12.0);
    longer.resize(at(0), Duration::from_secs(60)).unwrap();
    assert_eq!((longer.is_empty(at(60)), longer.is_empty(at(61))), (false, true));
    let mut late = window(10);
    late.record(at(0), 12.0);
    late.resize(at(15), Duration::from_secs(60)).unwrap();
    late.record(at(15), 6.0);
    assert_eq!(late.average(at(15)), 6.0, "what was older than the old window is forgotten");
}

#[test]
fn a_pass_is_written_as_it_is_read() {
    let parameters = Parameters { scale_to_zero_grace_period: Duration::from_secs(30), ..Parameters::default() };
    let mut reconciler =
        Reconciler::resumed(parameters.reconciler(), at(0), 5, (Activity::Active, Reason::Ready), Mode::Serve, true);
    let seen = Seen {
        desired: 0,
        excess_burst_capacity: 0,
        ready: 1,
        activator_answers: true,
        reachability: Reachability::Reachable,
    };
    let pass = reconciler.reconcile(at(50), &seen);
    assert_eq!(pass.requeue_after, Some(Duration::from_secs(10)));
    assert_eq!(serde_json::from_str::<Reconciled>(&serde_json::to_string(&pass).unwrap()).unwrap(), pass);
}

/// Surprise 9.
#[test]
fn the_way_to_zero_has_three_timers() {
    let spec = Parameters::default().reconciler();
    let active = (Activity::Active, Reason::Ready);
    let mut reconciler = Reconciler::resumed(spec, at(0), 5, active, Mode::Serve, true);
    let (capacity, ready) = (0, 1);
    let mut pass = |seconds, desired| {
        let seen = Seen {
            desired,
            excess_burst_capacity: capacity,
            ready,
            activator_answers: true,
            reachability: Reachability::Reachable,
        };
        reconciler.reconcile(at(seconds), &seen)
    };
    assert_eq!(pass(50, 0).applied, Some(1), "a pod stays until it was active for 60 s");
    assert_eq!((pass(60, 0).applied, pass(89, 0).applied, pass(90, 0).applied), (None, None, Some(0)));
}

/// Surprise 10.
#[test]
fn a_running_sum_forgets_what_is_small() {
    let mut window = window(10);
    window.record(at(0), 1e16);
    window.record(at(1), 1.0);
    window.record(at(11), 0.0);
    assert_eq!(window.average(at(10)).to_string(), "0", "the bucket of the second 1 holds 1");
}

#[test]
fn a_sample_at_zero_ticks_at_once() {
    let mut kpa = Kpa::new(Parameters::default(), at(0), Some(0)).unwrap();
    assert!(!kpa.record(at(0), 1.0, 0.0).unwrap(), "nothing is decided yet");
    assert_eq!(kpa.tick(at(60), &Inputs::ready(0)).unwrap().decision.desired, 0);
    assert!(kpa.record(at(61), 1.0, 0.0).unwrap());
    assert_eq!(
        kpa.record(at(61), f64::NAN, 0.0).unwrap_err().to_string(),
        "the sample (NaN) must be finite: leave it out if there was none"
    );
}

#[test]
fn what_an_activator_reports_as_well_counts_once() {
    let mut kpa = Kpa::new(Parameters::default(), at(0), Some(1)).unwrap();
    for second in 0..60 {
        kpa.record(at(second), 800.0, 660.0).unwrap();
    }
    assert_eq!(kpa.tick(at(60), &Inputs::ready(2)).unwrap().decision.desired, 2, "140 over 70");
}

#[test]
fn other_parameters_count_from_the_next_tick() {
    let mut kpa = Kpa::new(Parameters::default(), at(0), Some(1)).unwrap();
    for second in 0..60 {
        kpa.record(at(second), 70.0, 0.0).unwrap();
    }
    assert_eq!(kpa.tick(at(60), &Inputs::ready(1)).unwrap().decision.desired, 1);
    let closer = Parameters { target: Some(50.0), ..Parameters::default() };
    kpa.reconfigure(closer.clone(), at(60)).unwrap();
    assert_eq!(*kpa.parameters(), closer);
    assert_eq!(kpa.tick(at(60), &Inputs::ready(1)).unwrap().decision.desired, 2, "70 over 35");
    let wrong = Parameters { target: Some(0.0), ..closer.clone() };
    assert!(kpa.reconfigure(wrong, at(61)).is_err());
    assert_eq!(*kpa.parameters(), closer);
}

/// `target.go`: which of the limit, the target and the defaults is the total, and how much of it is aimed at.
#[test]
fn what_a_pod_should_take_is_found_in_order() {
    let parameters =
        |container_concurrency, target| Parameters { container_concurrency, target, ..Parameters::default() };
    assert_eq!(parameters(8, None).per_pod(), (5.6, 8.0));
    assert_eq!(parameters(8, Some(4.0)).per_pod(), (2.8, 4.0));
    assert_eq!(parameters(8, Some(20.0)).per_pod(), (5.6, 8.0), "no more than the limit");
    assert_eq!(parameters(0, Some(20.0)).per_pod(), (14.0, 20.0));
    let rps = Parameters { metric: Metric::Rps, ..parameters(8, Some(20.0)) };
    assert_eq!(rps.per_pod(), (14.0, 20.0), "which is one of requests at a time");
    assert_eq!(Parameters { target: None, ..rps.clone() }.per_pod(), (140.0, 200.0));
    let half = Parameters { target_utilization_percentage: Some(50.0), ..rps };
    assert_eq!(half.per_pod(), (10.0, 20.0));
    let whole = Parameters { container_concurrency_target_percentage: 1.0, ..Parameters::default() };
    assert_eq!(whole.per_pod(), (100.0, 100.0), "up to 1 it is a fraction");
    let none = Parameters { target_burst_capacity: 0.0, ..Parameters::default() };
    assert_eq!(none.activators(5), Some(5), "⌈5 × 100 / 100⌉");
}

#[test]
fn a_parameter_out_of_range_is_named() {
    let refused = |change: fn(&mut Parameters)| {
        let mut parameters = Parameters::default();
        change(&mut parameters);
        parameters.validate().unwrap_err().to_string()
    };
    for (error, part) in [
        (refused(|p| p.container_concurrency_target_percentage = 0.0), "target-percentage (0) must be above 0"),
        (refused(|p| p.container_concurrency_target_percentage = 100.5), "target-percentage (100.5) must be above 0"),
        (refused(|p| p.container_concurrency_target_percentage = -5.0), "target-percentage (-5) must be above 0"),
        (
            refused(|p| {
                (p.container_concurrency_target_percentage, p.container_concurrency_target_default) = (0.5, 0.015);
            }),
            "container-concurrency-target-default (0.015) must be at least 0.01 after its percentage",
        ),
        (refused(|p| p.activator_capacity = f64::INFINITY), "activator-capacity (inf) must be at least 1"),
        (refused(|p| p.activator_capacity = 0.5), "activator-capacity (0.5) must be at least 1"),
        (
            refused(|p| (p.max_scale, p.activation_scale) = (3, 5)),
            "activation-scale (5) must be from min-scale to max-scale",
        ),
        (
            refused(|p| (p.min_scale, p.activation_scale) = (3, 2)),
            "activation-scale (2) must be from min-scale to max-scale",
        ),
    ] {
        assert!(error.contains(part), "{error}");
    }
    let enough = Parameters { container_concurrency_target_default: 0.02, ..Parameters::default() };
    assert_eq!(enough.validate(), Ok(()), "0.7 of it");
}

#[test]
fn a_revision_goes_on_with_the_replicas_there_are() {
    let resumed = |replicas| Kpa::resumed(Parameters::default(), at(0), replicas).unwrap();
    let four = resumed(4);
    assert_eq!((four.replicas(), four.reconciler().mode(), four.decider().panicking()), (4, Mode::Serve, true));
    let mut none = resumed(0);
    assert_eq!((none.replicas(), none.reconciler().activity()), (0, Activity::Inactive));
    none.record(at(1), 3.0, 0.0).unwrap();
    assert_eq!(none.tick(at(1), &Inputs::ready(0)).unwrap().replicas, 1);
}

#[test]
fn without_a_scrape_target_no_data_is_no_load() {
    let parameters = Parameters { target_burst_capacity: -1.0, ..Parameters::default() };
    assert_eq!(parameters.activators(3), None);
    let mut kpa = Kpa::new(parameters, at(0), Some(1)).unwrap();
    let decision = kpa.tick(at(2), &Inputs::ready(1)).unwrap().decision;
    assert_eq!((decision.desired, decision.excess_burst_capacity), (0, -1));
    assert_eq!(Parameters::default().activators(3), Some(6), "⌈(3 × 100 + 211) / 100⌉");
}

#[test]
fn a_window_that_cannot_be_is_refused() {
    for (window, granularity) in [(0, 1), (5, 0), (1, 2), (3_601, 1)] {
        let [window, granularity] = [window, granularity].map(Duration::from_secs);
        assert!(Buckets::new(window, granularity, Aggregation::Linear).is_err());
    }
    assert!(Buckets::new(Duration::from_secs(3_600), Kpa::SCRAPE, Aggregation::Linear).is_ok());
    for rate in [1.0, 0.5, f64::INFINITY] {
        let spec = DeciderSpec { max_scale_up_rate: rate, ..Parameters::default().decider(true) };
        let error = Decider::new(spec, at(0), None).unwrap_err().to_string();
        assert!(error.contains("must be above 1: at 1 and below it could never change the count"), "{error}");
    }
    let spec = DeciderSpec { target_value: 0.0, ..Parameters::default().decider(true) };
    assert_eq!(
        Decider::new(spec, at(0), None).unwrap_err().to_string(),
        "target_value (0) must be above zero: give the load that one pod should have, such as 70"
    );
}

#[test]
fn a_migration_names_what_is_lost() {
    let migration = |parameters: Parameters| parameters.migrate().unwrap();
    let found = migration(Parameters {
        container_concurrency: 4,
        min_scale: 2,
        max_scale: 30,
        scale_down_delay: Duration::from_secs(900),
        max_scale_up_rate: 2.0,
        max_scale_down_rate: 1.5,
        activation_scale: 3,
        initial_scale: 5,
        metric_aggregation_algorithm: Aggregation::WeightedExponential,
        ..Parameters::default()
    });
    let expected: Config = serde_json::from_str(
        r#"{"min": 2, "max": 30, "concurrency": 4, "policy": {"concurrency": {"target": 2.8}}, "window": "60s",
            "down_delay": "15m", "to_zero_delay": "15m", "start_timeout": "10m",
            "up_step": {"percent": 100, "period": "2s"}, "down_step": {"percent": 34, "period": "2s"}}"#,
    )
    .unwrap();
    assert_eq!(found.config, expected);
    let named: Vec<_> = found.changes.iter().map(|change| change.setting).collect();
    assert_eq!(
        named,
        [
            "target",
            "stable-window",
            "scale-down-delay",
            "scale-to-zero-grace-period",
            "progress-deadline",
            "max-scale-up-rate",
            "max-scale-down-rate",
            "panic-threshold-percentage",
            "metric-aggregation-algorithm",
            "target-burst-capacity",
            "activation-scale",
            "initial-scale"
        ]
    );
    let rps = migration(Parameters { metric: Metric::Rps, enable_scale_to_zero: false, ..Parameters::default() });
    assert_eq!(
        (rps.config.min(), rps.config.max(), rps.changes[0].becomes.as_str()),
        (1, 1_000, "outpost target 140 per second")
    );
}

#[test]
fn a_migration_leaves_out_what_changes_nothing() {
    let changes = |parameters: Parameters| {
        let migration = parameters.migrate().unwrap();
        let becomes = |setting: &str| {
            migration.changes.iter().find(|change| change.setting == setting).map(|change| change.becomes.clone())
        };
        let named = ["activation-scale", "initial-scale", "max-scale-up-rate"].map(becomes);
        (named, migration.config)
    };
    for (rate, step) in [(1.0, None), (10.99, Some(999)), (11.0, None), (1_000.0, None)] {
        let parameters = Parameters { max_scale_up_rate: rate, ..Parameters::default() };
        let (named, config) = changes(parameters);
        let becomes = step.map_or_else(|| "nothing".to_string(), |percent| format!("up_step {percent} % per 2 s"));
        assert_eq!(named, [None, None, Some(becomes)], "{rate}");
        assert_eq!(config.up_step(), step.map(|percent| StepLimit::percent(percent, Kpa::TICK)));
    }
    let few = Parameters { container_concurrency: 8, target: Some(4.0), ..Parameters::default() };
    assert_eq!(changes(few).1.concurrency(), 8, "what a pod takes, not what it should have");
}

/// Any number, those that are none included.
fn number() -> impl Strategy<Value = f64> {
    prop_oneof![8 => 0.0..500.0, 1 => any::<f64>(), 1 => proptest::num::f64::ANY]
}

fn parameters() -> impl Strategy<Value = Parameters> {
    let counts = (0..4_u32, 0..20_u32, 1..5_u32, 1..4_u32);
    let rates = (1.01..20.0, 1.01..20.0, prop_oneof![Just(-1.0), Just(0.0), 0.0..300.0], 0.01..200.0);
    let times = (6..90_u64, 1.0..=100.0, 0..20_u64, 0..50_u64);
    (counts, rates, times, any::<[bool; 3]>()).prop_map(|(counts, rates, times, [zero, weighted, rps])| Parameters {
        min_scale: counts.0,
        max_scale: if counts.1 < counts.0 { 0 } else { counts.1 },
        initial_scale: counts.2,
        activation_scale: if counts.3 > counts.0 && (counts.1 == 0 || counts.1 >= 4) { counts.3 } else { 1 },
        max_scale_up_rate: rates.0,
        max_scale_down_rate: rates.1,
        target_burst_capacity: rates.2,
        target: Some(rates.3),
        stable_window: Duration::from_secs(times.0),
        panic_window_percentage: times.1,
        scale_down_delay: Duration::from_secs(times.2),
        scale_to_zero_pod_retention_period: Duration::from_secs(times.3),
        enable_scale_to_zero: zero,
        metric_aggregation_algorithm: if weighted { Aggregation::WeightedExponential } else { Aggregation::Linear },
        metric: if rps { Metric::Rps } else { Metric::Concurrency },
        ..Parameters::default()
    })
}

#[derive(Clone, Debug)]
enum Step {
    Record(f64, f64),
    Tick(Inputs),
    Reconcile(Inputs),
    Reconfigure(Box<Parameters>),
}

fn steps() -> impl Strategy<Value = Vec<(Timestamp, Step)>> {
    let reachability =
        prop_oneof![Just(Reachability::Reachable), Just(Reachability::Unknown), Just(Reachability::Unreachable)];
    let ready = proptest::option::of(prop_oneof![9 => 0..20_u32, 1 => any::<u32>()]);
    let inputs = (ready, any::<bool>(), reachability).prop_map(|(ready, activator_answers, reachability)| Inputs {
        ready,
        activator_answers,
        reachability,
    });
    let step = prop_oneof![
        6 => (number(), prop_oneof![Just(0.0), number()]).prop_map(|(value, proxied)| Step::Record(value, proxied)),
        6 => inputs.clone().prop_map(Step::Tick),
        2 => inputs.prop_map(Step::Reconcile),
        1 => parameters().prop_map(|parameters| Step::Reconfigure(Box::new(parameters))),
    ];
    // Mostly forwards, sometimes back, sometimes to the ends of time.
    let time = prop_oneof![18 => 0..200_000_u64, 1 => Just(0), 1 => Just(u64::MAX)];
    let timed = (time, step).prop_map(|(millis, step)| (Timestamp::from_millis(millis), step));
    proptest::collection::vec(timed, 0..60).prop_perturb(|mut steps, mut random| {
        if random.random::<u8>() < 200 {
            steps.sort_by_key(|(now, _)| *now);
        }
        steps
    })
}

fn apply(kpa: &mut Kpa, now: Timestamp, step: &Step) -> (Option<Outcome>, Option<Reconciled>) {
    match step {
        Step::Record(value, proxied) => {
            let _ = kpa.record(now, *value, *proxied);
            (None, None)
        }
        Step::Tick(inputs) => (kpa.tick(now, inputs).ok(), None),
        Step::Reconcile(inputs) => (None, Some(kpa.reconcile(now, inputs))),
        Step::Reconfigure(parameters) => {
            kpa.reconfigure((**parameters).clone(), now).unwrap();
            (None, None)
        }
    }
}

proptest! {
    /// Totality, determinism and restoring, at any input; and bounds, but that the peer has a revision begin with its
    /// initial scale whatever the most is.
    #[test]
    fn any_input_is_decided_about_alike_before_and_after_a_restore(
        parameters in parameters(), ready in proptest::option::of(0..9_u32), steps in steps(), cut in 0..60_usize,
    ) {
        let mut kpa = Kpa::new(parameters, steps.first().map_or(at(0), |step| step.0), ready).unwrap();
        let mut twin = kpa.clone();
        for (index, (now, step)) in steps.iter().enumerate() {
            if index == cut {
                let mut binary = Vec::new();
                ciborium::into_writer(&twin, &mut binary).unwrap();
                twin = ciborium::from_reader(binary.as_slice()).unwrap();
                twin = serde_json::from_str(&serde_json::to_string(&twin).unwrap()).unwrap();
                let spoiled = format!("{kpa:?}").contains("NaN");
                prop_assert!(twin == kpa || spoiled);
            }
            let found = apply(&mut kpa, *now, step);
            prop_assert_eq!(found, apply(&mut twin, *now, step));
            if let (Some(outcome), _) = found {
                let most = kpa.parameters().max_scale;
                let written = outcome.reconciled.applied.map_or(0, |count| u32::try_from(count).unwrap());
                prop_assert!(most == 0 || written <= most.max(kpa.parameters().initial_scale));
            }
        }
    }

    #[test]
    fn a_decider_takes_any_numbers(
        numbers in proptest::array::uniform6(number()), scale in any::<u32>(), ready in any::<u32>(),
        loads in proptest::collection::vec((any::<u64>(), number(), number()), 0..20),
    ) {
        let [target_value, total_value, target_burst_capacity, panic_threshold, up, down] = numbers;
        let spec = DeciderSpec {
            target_value, total_value, target_burst_capacity, panic_threshold, max_scale_up_rate: up,
            max_scale_down_rate: down, stable_window: Duration::MAX, scale_down_delay: Duration::MAX,
            activation_scale: scale, reachable: true,
        };
        if let Ok(mut decider) = Decider::new(spec, at(0), Some(ready)) {
            for (now, stable, panic) in loads {
                let _ = decider.tick(Timestamp::from_nanos(now), Some(ready), Some(Averages { stable, panic }));
            }
        }
    }

    #[test]
    fn any_annotation_is_taken_or_refused(
        name in "[a-z-]{0,12}|target|window|scale-down-delay|min-?[sS]cale|class|metric",
        value in ".{0,12}|[0-9.]{1,6}(ms|s|m|h|)|-?[0-9]{1,20}",
    ) {
        let map = |key: String| BTreeMap::from([(key, value.clone())]);
        let annotations = map(format!("autoscaling.knative.dev/{name}"));
        let _ = load(&annotations, 3, &map(name)).map(|parameters| parameters.migrate().unwrap());
    }

    #[test]
    fn parameters_are_written_as_they_are_read(parameters in parameters()) {
        let written = serde_json::to_string(&parameters).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Parameters>(&written).unwrap(), &parameters);
        let yaml: Parameters = serde_saphyr::from_str(&serde_saphyr::to_string(&parameters).unwrap()).unwrap();
        prop_assert_eq!(yaml, parameters);
    }
}
