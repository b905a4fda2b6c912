use alloc::format;
use alloc::string::{String, ToString};

use proptest::prelude::*;
use serde::de::IntoDeserializer;
use serde::de::value::MapDeserializer;
use serde_json::json;

use super::*;
use crate::config::StepLimit;
use crate::policy::{ConcurrencyTarget, Objective};

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn outpost(qps: f64) -> Policy {
    Policy::Outpost(Outpost::new(Rate::per_second(qps).unwrap()))
}

#[track_caller]
fn json(value: serde_json::Value) -> Config {
    serde_json::from_value(value).unwrap()
}

#[track_caller]
fn yaml(text: &str) -> Config {
    serde_saphyr::from_str(text).unwrap()
}

#[track_caller]
fn refusal(text: &str) -> String {
    serde_json::from_str::<Config>(text).unwrap_err().to_string()
}

/// The refusal of a YAML file, without the excerpt below it.
#[track_caller]
fn yaml_refusal(text: &str) -> String {
    let error = serde_saphyr::from_str::<Config>(text).unwrap_err().to_string();
    error.lines().next().unwrap().into()
}

mod native {
    use super::*;

    #[test]
    fn every_setting_is_read() {
        let config = yaml(
            "
            min: 1
            max: 10
            concurrency: 4
            policies:
              - outpost: {target_qps_per_replica: 2.5}
              - runpod: {scaling: {queue_delay: 4s}}
              - concurrency: {target: 0.7}
              - external
            up_delay: 10
            down_delay: 5m
            to_zero_delay: 1h30m
            idle_timeout: 30 seconds
            standby: 1
            drain_timeout: 2 min
            order_timeout: 1.5
            tolerance: 0.1
            up_step: {workers: 4, percent: 100, period: 15s}
            down_step: {percent: 10, period: 1m}
            window: 30s
            sojourn_target: 50ms
            codel_interval: 500ms
            freshness: 15
            event_freshness: 5
            observer_timeout: 90
            precision: compact
            event_log: 8
            ",
        );
        let step = StepLimit { workers: Some(4), percent: Some(100), period: secs(15) };
        let built = (|| {
            Config::new(outpost(2.5), 1, 10)?
                .with_policy(Policy::RunPod(RunPod::queue_delay(secs(4))))?
                .with_policy(Policy::Concurrency(ConcurrencyTarget::new(0.7).unwrap()))?
                .with_policy(Policy::External)?
                .with_concurrency(4)?
                .with_up_delay(secs(10))?
                .with_down_delay(secs(300))?
                .with_to_zero_delay(secs(5_400))?
                .with_idle_timeout(secs(30))?
                .with_standby(1)
                .with_drain_timeout(secs(120))?
                .with_order_timeout(Duration::from_millis(1_500))?
                .with_tolerance(Share::new(0.1).unwrap())
                .with_up_step(step)?
                .with_down_step(StepLimit::percent(10, secs(60)))?
                .with_window(secs(30))?
                .with_sojourn_target(Duration::from_millis(50))?
                .with_codel_interval(Duration::from_millis(500))?
                .with_freshness(secs(15))?
                .with_event_freshness(secs(5))?
                .with_observer_timeout(secs(90))
        })();
        assert_eq!(config, built.unwrap().with_precision(Precision::Compact).with_event_log(8));
        assert_eq!(config.tolerance(), Share::new(0.1).unwrap());
    }

    /// As from a table whose keys are numbers, or a format that says of each value that it is there.
    #[test]
    fn other_formats_are_read_and_refused_alike() {
        type Failed = serde::de::value::Error;
        let numbers = MapDeserializer::<_, Failed>::new([(1_u32, 2_u32)].into_iter());
        let error = Config::deserialize(numbers).unwrap_err().to_string();
        assert_eq!(error, "invalid type: integer `1`, expected the name of a setting");
        let there = u32::read("max", Present(7_u32.into_deserializer()));
        assert_eq!(there.map_err(|error: Failed| error.to_string()), Ok(Some(7)));
    }

    /// A value that says that it is there.
    struct Present<D>(D);

    impl<'de, D: Deserializer<'de>> Deserializer<'de> for Present<D> {
        type Error = D::Error;

        fn deserialize_any<V: serde::de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            visitor.visit_some(self.0)
        }

        serde::forward_to_deserialize_any! {
            bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct
            newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
        }
    }

    #[test]
    fn what_is_left_out_has_its_default() {
        let config = json(json!({"max": 3, "policy": {"fixed": 2}, "to_zero_delay": null}));
        assert_eq!(config, Config::new(Policy::Fixed(2), 0, 3).unwrap());
        assert_eq!(toml::from_str::<Config>("max = 3\npolicy.fixed = 2").unwrap(), config);
        assert_eq!(json(json!({"max": 3, "policies": [{"fixed": 2}]})), config);
    }

    #[test]
    fn an_objectives_time_is_the_sojourn_target_however_it_is_written() {
        let target = |config: Config| config.sojourn_target();
        let policies = json!([{"objective": {"within": "2s", "share": 0.99}}]);
        assert_eq!(target(json(json!({"max": 3, "policies": policies}))), secs(2));
        assert_eq!(target(json(json!({"max": 3, "policy": {"objective": {"within": 2, "price": 9}}}))), secs(2));
        assert_eq!(target(json(json!({"preset": "objective", "policies": policies}))), secs(2));
        let both = json!([{"outpost": {"target_qps_per_replica": 2}}, policies[0]]);
        assert_eq!(target(json(json!({"max": 3, "policies": both}))), secs(2));
        assert_eq!(target(json(json!({"max": 3, "policies": policies, "sojourn_target": 1}))), secs(1));
        assert_eq!(target(json(json!({"max": 3, "policy": {"fixed": 2}}))), Duration::from_millis(100));
        let written = json(json!({"preset": "objective", "policies": policies, "max": 3}));
        let objective = Objective::share(Share::NINETY_NINE, secs(2));
        assert_eq!(written, Config::objective(objective, 0, 3).unwrap(), "in code as in a file");
    }
}

mod presets {
    use super::*;

    #[test]
    fn settings_beside_a_preset_override_it() {
        let gpu = Preset::OutpostGpu.config();
        assert_eq!(yaml("preset: outpost-gpu"), gpu);
        let changed = yaml("preset: outpost-gpu\nmin: 1\nup_delay: 20s\nstandby: 2");
        assert_eq!(changed, gpu.clone().with_bounds(1, 8).unwrap().with_up_delay(secs(20)).unwrap().with_standby(2));
        assert_eq!(yaml("max: 3\npreset: outpost-gpu"), gpu.with_bounds(0, 3).unwrap());
    }

    #[test]
    fn policies_beside_a_preset_replace_its_own() {
        let changed = yaml("preset: outpost-gpu\npolicies: [{outpost: {target_qps_per_replica: 4}}, external]");
        assert_eq!(changed.policies(), [outpost(4.0), Policy::External]);
        assert_eq!((changed.max(), changed.concurrency(), changed.down_delay()), (8, 4, secs(120)));
        assert_eq!(yaml("preset: outpost-gpu\npolicy: external").policies(), [Policy::External]);
    }
}

mod outpost_document {
    use super::*;

    #[test]
    fn the_document_reads_as_it_stands() {
        let config = yaml(
            "
            replica_policy:
              min_replicas: 0
              max_replicas: 10
              target_qps_per_replica: 5
              upscale_delay_seconds: 60
              downscale_delay_seconds: 600
            ",
        );
        let built = Config::outpost(Outpost::new(Rate::per_second(5.0).unwrap()), 0, 10).unwrap();
        assert_eq!(config, built.with_up_delay(secs(60)).unwrap().with_down_delay(secs(600)).unwrap());
    }

    #[test]
    fn its_defaults_are_the_documents() {
        let config = json(json!({"replica_policy": {"max_replicas": 10, "target_qps_per_replica": 2.5}}));
        assert_eq!((config.min(), config.max()), (1, 10));
        assert_eq!((config.up_delay(), config.down_delay()), (secs(300), secs(1_200)));
        assert_eq!(config.policies(), [outpost(2.5)]);
    }

    #[test]
    fn delays_may_have_units_and_native_settings_may_stand_beside() {
        let config = yaml(
            "
            replica_policy: {max_replicas: 10, target_qps_per_replica: 2, upscale_delay: 5m, downscale_delay: 1h}
            concurrency: 4
            to_zero_delay: 2h
            ",
        );
        assert_eq!((config.up_delay(), config.down_delay()), (secs(300), secs(3_600)));
        assert_eq!((config.concurrency(), config.to_zero_delay()), (4, secs(7_200)));
        let elsewhere = yaml("{min: 0, max: 4, up_delay: 9, replica_policy: {target_qps_per_replica: 2}}");
        assert_eq!((elsewhere.min(), elsewhere.max(), elsewhere.up_delay()), (0, 4, secs(9)), "each said once");
    }

    #[test]
    fn fixed_replicas() {
        assert_eq!(yaml("replicas: 3"), Config::fixed(3).unwrap());
        assert_eq!(yaml("{replicas: 3, drain_timeout: 60}").drain_timeout(), secs(60));
    }
}

mod runpod_document {
    use super::*;

    #[test]
    fn the_table_reads_under_the_documents_own_names_and_under_plain_ones() {
        let queue_delay = RunPod::queue_delay(RunPod::DEFAULT_QUEUE_DELAY);
        let want = Config::runpod(queue_delay, 2, 20, secs(600)).unwrap().with_standby(1);
        let block = "Min Workers: 2\nMax Workers: 20\nIdle Timeout: 10 minutes\nFlash Boot: Enabled\n";
        assert_eq!(yaml(block), want);
        let nested = block.lines().fold(String::from("runpod:\n"), |file, line| format!("{file}  {line}\n"));
        assert_eq!(yaml(&nested), want);
        let plain = json!({"min_workers": 2, "max_workers": 20, "idle_timeout": 600, "flash_boot": true});
        assert_eq!(json(json!({ "runpod": plain })), want);
    }

    #[test]
    fn its_defaults_are_the_documents() {
        let queue_delay = RunPod::queue_delay(secs(4));
        let want = Config::runpod(queue_delay, 0, 1, secs(30)).unwrap();
        for empty in ["runpod: {}", "runpod:", "Min Workers: 0", "Flash Boot: Off"] {
            assert_eq!(yaml(empty), want, "{empty}");
        }
        assert_eq!((want.standby(), want.down_delay()), (0, secs(30)));
    }

    #[test]
    fn both_scaling_types() {
        let scaling = |config: Config| match config.policies() {
            [Policy::RunPod(runpod)] => runpod.scaling,
            other => panic!("{other:?}"),
        };
        assert_eq!(scaling(yaml("runpod: {queue_delay: 2s}")), RunPodScaling::QueueDelay(secs(2)));
        assert_eq!(scaling(yaml("runpod: {request_count: 4}")), RunPodScaling::RequestCount(4));
        assert_eq!(scaling(yaml("Queue Delay: 2")), RunPodScaling::QueueDelay(secs(2)));
        assert_eq!(scaling(yaml("Request Count: 4")), RunPodScaling::RequestCount(4));
    }

    #[test]
    fn flash_boot_is_a_switch_or_a_number_of_standby_workers() {
        for (written, standby) in [
            (json!(true), 1),
            (json!(false), 0),
            (json!("On"), 1),
            (json!("off"), 0),
            (json!("ENABLED"), 1),
            (json!("Disabled"), 0),
            (json!(0), 0),
            (json!(3), 3),
        ] {
            assert_eq!(json(json!({"Flash Boot": written})).standby(), standby, "{written}");
        }
    }

    #[test]
    fn native_settings_may_stand_beside() {
        let config = yaml("{runpod: {min_workers: 1}, max: 5, idle_timeout: 60, standby: 2, down_delay: 90}");
        assert_eq!((config.min(), config.max(), config.standby()), (1, 5, 2));
        assert_eq!((config.idle_timeout(), config.down_delay()), (Some(secs(60)), secs(90)));
    }
}

/// Every message in full: they are what a user sees.
mod refusals {
    use super::*;

    #[test]
    fn a_missing_setting_says_what_to_write() {
        let no_policy = "policies is required: write one of policies, preset, replica_policy, replicas and runpod, such \
                         as preset: outpost-gpu";
        for file in ["{}", r#"{"max": 3}"#, r#"{"max": 3, "policies": []}"#] {
            assert_eq!(refusal(file), no_policy);
        }
        assert_eq!(
            refusal(r#"{"policy": {"outpost": {"target_qps_per_replica": 2}}}"#),
            "max is required: it bounds the cost, so only you know it; write the most workers you would pay for, as \
             max: 10"
        );
        assert_eq!(
            refusal(r#"{"replica_policy": {"target_qps_per_replica": 2}}"#),
            "max is required in replica_policy: it bounds the cost, so only you know it; write the most replicas you \
             would pay for, as max_replicas: 10"
        );
        assert_eq!(
            refusal(r#"{"replica_policy": {"max_replicas": 3}}"#),
            "target_qps_per_replica is required in replica_policy: benchmark one replica and write the rate it should \
             handle, as target_qps_per_replica: 2.5"
        );
        assert_eq!(
            refusal(r#"{"preset": "outpost-gpu", "up_step": {"workers": 1}}"#),
            "period is required in up_step: give the time in which the step may be made, such as 1m at line 1 column 52"
        );
    }

    #[test]
    fn one_description_of_the_policy() {
        for (file, first, second) in [
            ("{policies: [external], policy: external}", "policy", "policies"),
            ("{preset: outpost-gpu, policies: [external], policy: external}", "policy", "policies"),
            ("{preset: outpost-gpu, replicas: 3}", "preset", "replicas"),
            ("{preset: outpost-gpu, replica_policy: {}}", "preset", "replica_policy"),
            ("{preset: outpost-gpu, runpod: {}}", "preset", "runpod"),
            ("{preset: outpost-gpu, Max Workers: 3}", "preset", "Max Workers"),
            ("{preset: outpost-gpu, policy: external, runpod: {}}", "policy", "runpod"),
            ("{policies: [external], replica_policy: {}}", "policies", "replica_policy"),
            ("{replicas: 3, replica_policy: {}}", "replica_policy", "replicas"),
            ("{replicas: 3, runpod: {}}", "replicas", "runpod"),
            ("{runpod: {}, Idle Timeout: 3}", "runpod", "Idle Timeout"),
        ] {
            let want = format!("{first} and {second} both set the policy: keep one of them");
            assert_eq!(yaml_refusal(file), want, "{file}");
        }
    }

    #[test]
    fn the_same_thing_is_said_once() {
        let outpost =
            "max_replicas: 5, min_replicas: 1, target_qps_per_replica: 2, upscale_delay: 1, downscale_delay: 1";
        let outpost = format!("replica_policy: {{{outpost}}}");
        for (native, second, what) in [
            ("min", "replica_policy.min_replicas", "the least workers"),
            ("max", "replica_policy.max_replicas", "the most workers"),
            ("up_delay", "replica_policy.upscale_delay_seconds", "the up delay"),
            ("down_delay", "replica_policy.downscale_delay_seconds", "the down delay"),
        ] {
            let want = format!("{native} and {second} both set {what}: keep one of them");
            assert_eq!(yaml_refusal(&format!("{{{native}: 2, {outpost}}}")), want);
        }
        for (native, nested, top, what) in [
            ("min", "min_workers", "Min Workers", "the least workers"),
            ("max", "max_workers", "Max Workers", "the most workers"),
            ("idle_timeout", "idle_timeout", "Idle Timeout", "the idle timeout"),
            ("standby", "flash_boot", "Flash Boot", "the standby workers"),
        ] {
            let want = format!("{native} and runpod.{nested} both set {what}: keep one of them");
            assert_eq!(yaml_refusal(&format!("{{{native}: 2, runpod: {{{nested}: 2}}}}")), want);
            let want = format!("{native} and {top} both set {what}: keep one of them");
            assert_eq!(yaml_refusal(&format!("{{{native}: 2, {top}: 2}}")), want);
        }
        assert_eq!(
            yaml_refusal("{max: 3, replicas: 3}"),
            "max and replicas both set the most workers: keep one of them"
        );
        assert_eq!(
            yaml_refusal("{min: 3, replicas: 3}"),
            "min and replicas both set the least workers: keep one of them"
        );
        assert_eq!(
            yaml_refusal("runpod: {queue_delay: 4, request_count: 4}"),
            "runpod.queue_delay and runpod.request_count both set the scaling type: keep one of them"
        );
        assert_eq!(
            yaml_refusal("Queue Delay: 4\nRequest Count: 4"),
            "Queue Delay and Request Count both set the scaling type: keep one of them"
        );
        assert_eq!(refusal(r#"{"min": 3, "min": 4}"#), "min is given twice: keep one at line 1 column 20");
        assert_eq!(
            yaml_refusal("replica_policy: {upscale_delay: 1, upscale_delay_seconds: 2}"),
            "error: line 1 column 17: upscale_delay_seconds or upscale_delay is given twice: keep one"
        );
    }

    #[test]
    fn a_range_is_no_number() {
        assert_eq!(
            yaml_refusal("Min Workers: 0\nMax Workers: 1-3\nIdle Timeout: 30-60 seconds\n"),
            "error: line 2 column 14: Max Workers (1-3) is a range: choose one number, such as 3"
        );
        for (key, value, choice) in [
            ("Min Workers", "2+", "2"),
            ("Max Workers", "20+", "20"),
            ("Max Workers", "5 – 10", "10"),
            ("Idle Timeout", "2-5 minutes", "5 minutes"),
            ("Idle Timeout", "30-60 seconds", "60 seconds"),
            ("Flash Boot", "1-2", "2"),
            ("max", "1-3", "3"),
            ("up_delay", "1m-3m", "3m"),
        ] {
            let error = serde_json::from_value::<Config>(json!({ key: value })).unwrap_err().to_string();
            assert_eq!(error, format!("{key} ({value}) is a range: choose one number, such as {choice}"));
        }
        let nested = refusal(r#"{"runpod": {"Max Workers": "5-10"}}"#);
        assert_eq!(nested, "Max Workers (5-10) is a range: choose one number, such as 10 at line 1 column 33");
    }

    #[test]
    fn the_rules_are_those_of_the_constructors() {
        assert_eq!(
            refusal(r#"{"policy": "external", "min": 5, "max": 3}"#),
            "min (5) must be at most max (3): no worker count satisfies both; lower min or raise max"
        );
        assert_eq!(
            refusal(r#"{"preset": "outpost-gpu", "min": 10}"#),
            "min (10) must be at most max (8): no worker count satisfies both; lower min or raise max"
        );
        assert_eq!(
            refusal(r#"{"replicas": 0}"#),
            "replicas (0) must be above zero: give at least 1; to follow the traffic instead, write a replica_policy"
        );
        assert_eq!(
            refusal(r#"{"preset": "outpost-gpu", "window": "10ms"}"#),
            "window (10 ms) must be at least 120 ms: give a longer duration"
        );
        assert_eq!(
            refusal(r#"{"runpod": {"idle_timeout": "4000d"}}"#),
            "idle_timeout (96000 h) must be at most 87840 h: give a shorter duration"
        );
        let five = vec!["external"; 5];
        for count in [five.clone(), vec!["external"; 50]] {
            let error = serde_json::from_value::<Config>(json!({"max": 3, "policies": count})).unwrap_err();
            assert_eq!(error.to_string(), "policies has more than 4 entries: combine at most 4");
        }
        for (key, zero) in [
            ("concurrency", "concurrency (0) must be above zero: a worker serves at least one request at a time"),
            (
                "max",
                "max (0) must be above zero: allow at least one worker; to stop the service, set min to 0 and send \
                     it no requests",
            ),
            (
                "sojourn_target",
                "sojourn_target (0) must be above zero: no queue is always empty; 100ms is the usual \
                                target",
            ),
            (
                "codel_interval",
                "codel_interval (0) must be above zero: ten to twenty times the sojourn target is usual",
            ),
            ("freshness", "freshness (0) must be above zero: give a duration such as \"60s\""),
            ("order_timeout", "order_timeout (0 s) must be at least 1 s: give a longer duration"),
            (
                "event_freshness",
                "event_freshness (0) must be above zero: leave it out if the silence of events is zero \
                                 traffic",
            ),
        ] {
            let error = serde_json::from_value::<Config>(json!({"preset": "outpost-gpu", key: 0})).unwrap_err();
            assert_eq!(error.to_string(), zero);
        }
        assert_eq!(
            refusal(r#"{"preset": "outpost-gpu", "up_step": {"percent": 0, "period": "1m"}}"#),
            "up_step (0) must be above zero: give `workers` or `percent` above zero and a period, or leave the limit out"
        );
        assert_eq!(
            refusal(r#"{"runpod": {"request_count": 0}}"#),
            "request_count (0) must be above zero: give the requests that one worker should have, such as 1"
        );
        assert_eq!(
            refusal(r#"{"replica_policy": {"max_replicas": 3, "target_qps_per_replica": 0}}"#),
            "target_qps_per_replica (0) must be above zero: benchmark one replica and give the rate it should handle, \
             such as 2.5"
        );
    }

    #[test]
    fn an_unknown_setting_shows_those_there_are() {
        assert!(
            refusal(r#"{"max_workers": 3}"#).starts_with("unknown field `max_workers`, expected one of `min`, `max`,")
        );
        assert_eq!(
            yaml_refusal("replica_policy:\n  min_replicas: 1\n  max_replica: 3\n"),
            "error: line 3 column 3: unknown field `max_replica`, expected one of min_replicas, max_replicas, \
             target_qps_per_replica, upscale_delay_seconds, upscale_delay, downscale_delay_seconds, downscale_delay"
        );
        assert_eq!(
            refusal(r#"{"policy": {"outpots": {}}}"#),
            "unknown variant `outpots`, expected one of `fixed`, `outpost`, `runpod`, `concurrency`, `objective`, `external` at line \
             1 column 21"
        );
        assert_eq!(
            refusal(r#"{"preset": "gpu"}"#),
            "preset (gpu) is not known: choose one of runpod-low-cost, runpod-balanced, runpod-high-performance, \
             runpod-batch, runpod-low-latency, outpost-api, outpost-gpu, outpost-development, objective at line 1 column 16"
        );
    }

    #[test]
    fn a_wrong_value_names_the_setting_and_where_it_stands() {
        let count = |key: &str| format!("expected {key} as a whole number, 0 or more, such as 3");
        let span = |key: &str| {
            format!("expected {key} as seconds (300) or a string with units, such as \"90s\", \"5m\" or \"250ms\"")
        };
        for (file, what, expected, column) in [
            (r#"{"max": -3}"#, "invalid value: integer `-3`", count("max"), 10),
            (r#"{"max": "three"}"#, "invalid type: string \"three\"", count("max"), 15),
            (r#"{"max": 2.5}"#, "invalid value: floating point `2.5`", count("max"), 11),
            (r#"{"max": 4294967296}"#, "invalid value: integer `4294967296`", count("max"), 18),
            (r#"{"max": true}"#, "invalid type: boolean `true`", count("max"), 12),
            (r#"{"max": [1]}"#, "invalid type: sequence", count("max"), 9),
            (r#"{"up_delay": -5}"#, "invalid value: integer `-5`", span("up_delay"), 15),
            (r#"{"up_delay": -0.5}"#, "invalid value: floating point `-0.5`", span("up_delay"), 17),
            (r#"{"up_delay": "-5s"}"#, "invalid value: string \"-5s\"", span("up_delay"), 18),
            (r#"{"up_delay": "5 parsecs"}"#, "invalid value: string \"5 parsecs\"", span("up_delay"), 24),
            (r#"{"runpod": {"Idle Timeout": -1}}"#, "invalid value: integer `-1`", span("Idle Timeout"), 30),
            (r#"{"up_step": {"period": -1}}"#, "invalid value: integer `-1`", span("period"), 25),
            (
                r#"{"tolerance": 10}"#,
                "invalid value: integer `10`",
                "expected tolerance as a share between 0 and 1, such as 0.1 for 10 %".into(),
                16,
            ),
            (
                r#"{"replica_policy": {"target_qps_per_replica": -1}}"#,
                "invalid value: integer `-1`",
                "expected target_qps_per_replica as requests per second between 0 and 1e9, such as 2.5".into(),
                48,
            ),
            (
                r#"{"precision": "fine"}"#,
                "invalid value: string \"fine\"",
                "expected precision as \"default\" or \"compact\"".into(),
                20,
            ),
            (
                r#"{"event_log": 70000}"#,
                "invalid value: integer `70000`",
                "expected event_log as a whole number from 0 to 65535, such as 64".into(),
                19,
            ),
            (
                r#"{"Flash Boot": "maybe"}"#,
                "invalid value: string \"maybe\"",
                "expected Flash Boot as On, Off, or the number of workers to keep in standby".into(),
                22,
            ),
            (
                r#"{"preset": 3}"#,
                "invalid value: integer `3`",
                "expected preset as the name of a preset, such as \"outpost-gpu\"".into(),
                12,
            ),
            (
                r#"{"policies": 3}"#,
                "invalid type: integer `3`",
                "expected policies as a list, such as [{outpost: {target_qps_per_replica: 2.5}}]".into(),
                14,
            ),
            (
                r#"{"runpod": 3}"#,
                "invalid type: integer `3`",
                "expected a runpod table, such as {max_workers: 3, idle_timeout: 60}".into(),
                12,
            ),
        ] {
            assert_eq!(refusal(file), format!("{what}, {expected} at line 1 column {column}"));
            // YAML has the same words, and the line; it names the column of the key or of the value.
            let yaml = yaml_refusal(&format!("\n{file}"));
            assert!(yaml.starts_with("error: line 2 column "), "{yaml}");
            assert!(yaml.ends_with(&format!(": {what}, {expected}")), "{yaml}");
        }
        assert!(toml::from_str::<Config>("max = -3").unwrap_err().to_string().contains(&count("max")));
        assert!(
            refusal("[]").starts_with("invalid type: sequence, expected a configuration, such as {max: 10, policy:")
        );
    }
}

mod writing {
    use super::*;

    #[test]
    fn every_value_is_written_under_its_native_name() {
        let config = json(json!({"Max Workers": 3, "to_zero_delay": 0.25}));
        assert_eq!(
            serde_json::to_value(&config).unwrap(),
            json!({
                "min": 0,
                "max": 3,
                "concurrency": 1,
                "policies": [{"runpod": {"scaling": {"queue_delay": 4}}}],
                "up_delay": 0,
                "down_delay": 30,
                "to_zero_delay": "250ms",
                "idle_timeout": 30,
                "standby": 0,
                "drain_timeout": 300,
                "order_timeout": 60,
                "tolerance": 0.0,
                "window": 60,
                "codel_interval": 1,
                "freshness": 60,
                "observer_timeout": 300,
                "precision": "default",
                "backoff": {"first": 10, "most": 300, "seed": 0},
                "blind": "hold",
                "breaker": {"failures": 5, "within": 300, "pause": 60},
                "start_timeout": 600,
                "event_log": 64,
            })
        );
    }

    fn duration(least: u64) -> impl Strategy<Value = Duration> {
        let longest = crate::config::LONGEST;
        prop_oneof![
            (least.div_ceil(1_000_000_000)..=longest.as_secs()).prop_map(secs),
            (least.div_ceil(1_000_000)..86_400_000).prop_map(Duration::from_millis),
            (least..=17_000_000_000_u64).prop_map(Duration::from_nanos),
        ]
    }

    fn rate() -> impl Strategy<Value = Rate> {
        prop_oneof![1_u64..=1_000_000_000_000_000, (1_u64..=1_000).prop_map(|whole| whole.saturating_mul(1_000_000))]
            .prop_map(Rate::from_micros)
    }

    fn policy() -> impl Strategy<Value = Policy> {
        prop_oneof![
            any::<u32>().prop_map(Policy::Fixed),
            rate().prop_map(|rate| Policy::Outpost(Outpost::new(rate))),
            duration(0).prop_map(|delay| Policy::RunPod(RunPod::queue_delay(delay))),
            (1..=u32::MAX).prop_map(|count| Policy::RunPod(RunPod::request_count(count))),
            rate().prop_map(|rate| Policy::Concurrency(ConcurrencyTarget::new(rate.as_f64()).unwrap())),
            Just(Policy::External),
        ]
    }

    fn step() -> impl Strategy<Value = StepLimit> {
        let amounts = (proptest::option::of(1..=u32::MAX), proptest::option::of(1..=u32::MAX));
        let amounts = amounts.prop_filter("a step", |(workers, percent)| workers.or(*percent).is_some());
        (amounts, duration(1)).prop_map(|((workers, percent), period)| StepLimit { workers, percent, period })
    }

    /// Any configuration that the constructors admit.
    fn config() -> impl Strategy<Value = Config> {
        let maybe = proptest::option::of::<BoxedStrategy<Duration>>;
        let counts = (any::<u32>(), 1..=u32::MAX, 1..=u32::MAX, any::<u32>(), any::<u16>(), 0_u32..=1_000_000);
        let policies = proptest::collection::vec(policy(), 1..=4);
        let delays = (duration(0), duration(0), maybe(duration(0).boxed()), maybe(duration(0).boxed()), duration(0));
        let target = maybe(duration(1).boxed());
        let measures = (duration(120_000_000), target, duration(1), duration(1), duration(1_000_000_000));
        let rest =
            (maybe(duration(1).boxed()), proptest::option::of(step()), proptest::option::of(step()), any::<bool>());
        (counts, policies, delays, measures, rest).prop_map(|(counts, policies, delays, measures, rest)| {
            let (min, max, concurrency, standby, event_log, tolerance) = counts;
            let (up_delay, down_delay, to_zero_delay, idle_timeout, drain_timeout) = delays;
            let (window, sojourn_target, codel_interval, freshness, order_timeout) = measures;
            let (event_freshness, up_step, down_step, compact) = rest;
            Config {
                min: min.min(max),
                max,
                concurrency,
                policies,
                up_delay,
                down_delay,
                to_zero_delay,
                idle_timeout,
                standby,
                drain_timeout,
                order_timeout,
                tolerance: Share::of(u64::from(tolerance), 1_000_000).unwrap(),
                up_step,
                down_step,
                window,
                sojourn_target,
                codel_interval,
                freshness,
                event_freshness,
                precision: if compact { Precision::Compact } else { Precision::Default },
                event_log,
                ..Config::unset()
            }
        })
    }

    proptest! {
        #[test]
        fn config_round_trips(config in config()) {
            let json = serde_json::to_string(&config).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Config>(&json).unwrap(), &config, "{}", json);
            let value = serde_json::to_value(&config).unwrap();
            prop_assert_eq!(&serde_json::from_value::<Config>(value).unwrap(), &config);
            let toml = toml::to_string(&config).unwrap();
            prop_assert_eq!(&toml::from_str::<Config>(&toml).unwrap(), &config, "{}", toml);
            let yaml = serde_saphyr::to_string(&config).unwrap();
            prop_assert_eq!(&serde_saphyr::from_str::<Config>(&yaml).unwrap(), &config, "{}", yaml);
        }

        #[test]
        fn any_text_is_read_or_refused(key in "[a-zA-Z_ ]{0,12}|max|up_delay|Idle Timeout|runpod", value in ".{0,12}") {
            let _ = serde_json::from_value::<Config>(json!({ "preset": "outpost-gpu", key: value }));
        }
    }
}
