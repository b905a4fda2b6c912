use alloc::string::ToString;
use alloc::vec::Vec;

use super::*;
use crate::config::{Expectations, LintCode};

#[test]
fn every_preset_keeps_the_rules_that_every_configuration_keeps() {
    for preset in Preset::ALL {
        let text = serde_json::to_string(&preset.config()).unwrap();
        assert_eq!(serde_json::from_str::<Config>(&text).unwrap(), preset.config(), "{preset}");
        assert_eq!(Config::from(preset), preset.config());
        assert!(!preset.description().is_empty());
    }
}

#[test]
fn names_are_stable_and_read_back() {
    assert_eq!(
        Preset::ALL.map(Preset::name),
        [
            "runpod-low-cost",
            "runpod-balanced",
            "runpod-high-performance",
            "runpod-batch",
            "runpod-low-latency",
            "outpost-api",
            "outpost-gpu",
            "outpost-development",
            "objective"
        ]
    );
    assert_eq!(NAMES.split(", ").collect::<Vec<_>>(), Preset::ALL.map(Preset::name), "the error lists all of them");
    for preset in Preset::ALL {
        assert_eq!(preset.name().parse(), Ok(preset));
        let text = serde_json::to_string(&preset).unwrap();
        assert_eq!(serde_json::from_str::<Preset>(&text).unwrap(), preset);
        let file = serde_json::json!({ "preset": preset });
        assert_eq!(serde_json::from_value::<Config>(file).unwrap(), preset.config());
    }
    assert_eq!(Preset::from_name("outpost"), None);
    assert_eq!(
        "gpu".parse::<Preset>().unwrap_err().to_string(),
        "preset (gpu) is not known: choose one of runpod-low-cost, runpod-balanced, runpod-high-performance, \
         runpod-batch, runpod-low-latency, outpost-api, outpost-gpu, outpost-development, objective"
    );
}

#[test]
fn runpod_presets_are_what_its_constructor_gives() {
    let secs = Duration::from_secs;
    let queue_delay = RunPod::queue_delay(RunPod::DEFAULT_QUEUE_DELAY);
    let built = |policy, min, max, idle| Config::runpod(policy, min, max, secs(idle)).unwrap();
    assert_eq!(Preset::RunpodLowCost.config(), built(queue_delay, 0, 3, 60));
    assert_eq!(Preset::RunpodBalanced.config(), built(queue_delay, 1, 10, 300));
    assert_eq!(Preset::RunpodHighPerformance.config(), built(queue_delay, 2, 20, 600).with_standby(1));
    assert_eq!(Preset::RunpodBatch.config(), built(RunPod::request_count(4), 0, 20, 30));
    assert_eq!(Preset::RunpodLowLatency.config(), built(RunPod::request_count(1), 1, 10, 600).with_standby(1));
}

#[test]
fn outpost_presets_are_what_its_constructor_gives() {
    let secs = Duration::from_secs;
    let built = |qps, min, max, up, down| {
        let policy = Outpost::new(Rate::per_second(qps).unwrap());
        let config = Config::outpost(policy, min, max).unwrap();
        config.with_up_delay(secs(up)).unwrap().with_down_delay(secs(down)).unwrap()
    };
    let api = built(100.0, 2, 20, 30, 300).with_concurrency(100);
    assert_eq!(Preset::OutpostApi.config(), api.unwrap());
    let gpu = built(2.0, 0, 8, 10, 120).with_concurrency(4).unwrap().with_to_zero_delay(secs(120));
    assert_eq!(Preset::OutpostGpu.config(), gpu.unwrap());
    let development = built(10.0, 0, 2, 10, 60).with_concurrency(10).unwrap().with_to_zero_delay(secs(60));
    assert_eq!(Preset::OutpostDevelopment.config(), development.unwrap());
}

/// Peak and mean in requests per second, service time in ms, cold start in s, latency target in ms if there is one.
fn workload(peak: f64, mean: f64, service: u64, start: u64, target: Option<u64>) -> Expectations {
    let expected = Expectations::default()
        .with_peak_qps(Rate::per_second(peak).unwrap())
        .with_mean_qps(Rate::per_second(mean).unwrap())
        .with_service_time(Duration::from_millis(service))
        .with_cold_start(Duration::from_secs(start));
    Expectations { latency_target: target.map(Duration::from_millis), ..expected }
}

#[test]
fn no_preset_lints_on_the_workload_it_is_for() {
    for (preset, expected) in [
        (Preset::RunpodLowCost, workload(1.0, 0.05, 2_000, 30, None)),
        (Preset::RunpodBalanced, workload(5.0, 1.0, 2_000, 60, None)),
        (Preset::RunpodHighPerformance, workload(40.0, 15.0, 500, 60, Some(500))),
        (Preset::RunpodBatch, workload(2.0, 0.5, 10_000, 20, None)),
        (Preset::RunpodLowLatency, workload(20.0, 5.0, 500, 60, Some(100))),
        (Preset::OutpostApi, workload(1_500.0, 300.0, 50, 5, Some(5_000))),
        (Preset::OutpostGpu, workload(15.0, 2.0, 1_500, 20, Some(5_000))),
        (Preset::OutpostDevelopment, workload(15.0, 0.1, 200, 20, None)),
    ] {
        assert_eq!(preset.config().lint(&expected), [], "{preset}");
    }
}

#[test]
fn scaling_to_zero_says_what_it_costs() {
    let codes = |preset: Preset, expected: &Expectations| -> Vec<_> {
        preset.config().lint(expected).into_iter().map(|lint| lint.code).collect()
    };
    let interactive = workload(15.0, 2.0, 1_500, 20, Some(1_000));
    assert_eq!(
        codes(Preset::OutpostGpu, &interactive),
        [LintCode::ReactionSlowerThanTarget],
        "by design: 30 s for 1 s"
    );
    for preset in Preset::ALL {
        let from_zero = preset.config().min() == 0;
        let want = if from_zero { &[LintCode::ColdStartUnknown][..] } else { &[] };
        assert_eq!(codes(preset, &Expectations::default()), want, "{preset}");
    }
}

#[test]
fn the_objective_preset_is_what_its_constructor_gives() {
    let objective = Objective::share(Share::new(0.99).unwrap(), Duration::from_millis(100));
    assert_eq!(Preset::Objective.config(), Config::objective(objective, 0, 10).unwrap());
}

#[test]
fn an_objective_is_refused_with_what_to_write_instead() {
    let refused = |objective: Objective| Config::objective(objective, 0, 10).unwrap_err().to_string();
    let at_once = refused(Objective::price(10, Duration::ZERO));
    assert_eq!(
        at_once,
        "objective.within (0) must be above zero: give the time within which a request is to start, such as 100ms"
    );
    let beside =
        Config::fixed(1).and_then(|config| config.with_policy(Policy::Objective(Objective::price(10, Duration::ZERO))));
    assert_eq!(beside.unwrap_err().to_string(), at_once, "also beside other policies");
    let free = refused(Objective::price(0, Duration::from_millis(100)));
    assert!(free.ends_with("give the worker-seconds that sparing a late request is worth, such as 100"), "{free}");
    let objective = Objective::price(100, Duration::from_millis(100));
    let twice = Config::objective(objective, 0, 10).and_then(|config| config.with_policy(Policy::Objective(objective)));
    assert_eq!(twice, Err(ConfigError::TwoObjectives));
}
