use alloc::string::String;
use alloc::vec;
use alloc::{format, vec::Vec};

use proptest::prelude::*;
use serde_json::json;

use super::flow::Flow;
use super::*;
use crate::policy::{Objective, Policy};
use crate::schedule::Interval;
use crate::time::{Timestamp, span};
use crate::units::Share;

const EVERY_WAY: [&str; 14] = [
    r#"{"max": 10, "policy": {"outpost": {"target_qps_per_replica": 2.5}}}"#,
    r#"{"min": 1, "max": 10, "policies": [{"fixed": 2}, "external"], "up_delay": "90s", "blind": {"floor": 2}}"#,
    r#"{"preset": "outpost-gpu"}"#,
    r#"{"preset": "runpod-low-latency", "max": 3, "policies": ["external"], "idle_timeout": 5}"#,
    r#"{"replica_policy": {"max_replicas": 10, "target_qps_per_replica": 2}}"#,
    r#"{"replica_policy": {"target_qps_per_replica": 2, "upscale_delay": 3}, "max": 10, "down_delay": 7}"#,
    r#"{"replicas": 3, "concurrency": 4}"#,
    r#"{"runpod": null}"#,
    r#"{"runpod": {"max_workers": 3, "idle_timeout": 60, "flash_boot": "On"}, "window": 30}"#,
    r#"{"runpod": {"Max Workers": 3, "request_count": 4}, "idle_timeout": 60, "down_delay": 20}"#,
    r#"{"Max Workers": 3}"#,
    r#"{"Min Workers": 1, "Max Workers": 3, "Idle Timeout": 60, "Flash Boot": true, "Queue Delay": 2}"#,
    r#"{"Request Count": 4, "Idle Timeout": null, "standby": 2}"#,
    r#"{"Queue Delay": 4, "max": 2, "to_zero_delay": 1}"#,
];

/// A document that gives every setting by its own name, with a value that is no default.
fn every_setting() -> serde_json::Value {
    json!({
        "min": 1, "max": 10, "concurrency": 4, "policies": ["external", {"runpod": {"scaling": {"request_count": 4}}}],
        "up_delay": 10, "down_delay": "1550ms", "to_zero_delay": "1h30m", "idle_timeout": 31, "standby": 1,
        "drain_timeout": 120, "order_timeout": 1.5, "tolerance": 0.1,
        "up_step": {"workers": 4, "percent": 100, "period": "15s"}, "down_step": {"percent": 10, "period": 60},
        "window": 30, "sojourn_target": "50ms", "codel_interval": "500ms", "freshness": 15, "event_freshness": 5,
        "observer_timeout": 90, "precision": "compact", "event_log": 8, "buffer": {"percent": 10}, "blind": {"last_peak": "1h"},
        "cliff": {"fall": 0.5, "within": 60, "down_delay": 900}, "start_timeout": 100,
        "backoff": {"first": 1, "most": 2, "seed": 3}, "breaker": {"failures": 3, "within": 9, "pause": 8},
        "schedule": [{"start": "0", "end": "3600", "max": 2}, {"start": "7200", "end": "9000", "min": 1}],
    })
}

#[track_caller]
fn read(text: &str) -> Effective {
    serde_json::from_str(text).unwrap()
}

#[track_caller]
fn with(effective: Effective, by: &'static str, text: &str) -> Result<Effective, String> {
    let changes = serde_json::from_str::<Override>(text).map_err(|error| error.to_string())?;
    effective.with_override(by, changes).map_err(|error| error.to_string())
}

/// Settings that are neither at the crate's default nor follow another, with their values and origins.
#[track_caller]
fn set(effective: &Effective) -> Vec<String> {
    let is_set = |origin| !matches!(origin, Origin::Default | Origin::Follows(_));
    let settings = effective.settings().filter(|(.., origin)| is_set(*origin));
    settings.map(|(setting, value, origin)| format!("{setting} {value}: {origin}")).collect()
}

mod layers {
    use super::*;

    #[test]
    fn the_defaults_are_defaults() {
        let effective = read(EVERY_WAY[0]);
        assert_eq!(set(&effective), ["max 10: file", "policies [{outpost: {target_qps_per_replica: 2.5}}]: file"]);
        assert_eq!(effective.origin(Setting::Min), Some(Origin::Default));
        assert_eq!(effective.origin(Setting::ToZeroDelay), Some(Origin::Follows(Setting::DownDelay)));
    }

    #[test]
    fn a_preset_owns_what_it_describes_even_where_it_repeats_a_default() {
        let effective = read(r#"{"preset": "outpost-api"}"#);
        assert_eq!(effective, Effective::from(Preset::OutpostApi));
        assert_eq!(
            set(&effective),
            [
                "min 2: preset outpost-api",
                "max 20: preset outpost-api",
                "concurrency 100: preset outpost-api",
                "policies [{outpost: {target_qps_per_replica: 100}}]: preset outpost-api",
                "up_delay 30 s: preset outpost-api",
                "down_delay 5 min: preset outpost-api",
            ]
        );
        let effective = read(EVERY_WAY[3]);
        assert_eq!(
            set(&effective),
            [
                "min 1: preset runpod-low-latency",
                "max 3: file",
                "policies [external]: file",
                "down_delay 10 min: preset runpod-low-latency",
                "idle_timeout 5 s: file",
                "standby 1: preset runpod-low-latency",
            ]
        );
    }

    #[test]
    fn presets_own_everything_that_differs_from_the_defaults() {
        let unset = Config::unset();
        for preset in Preset::ALL {
            let effective = Effective::from(preset);
            for ((setting, value, origin), (_, default)) in effective.settings().zip(settings(&unset)) {
                let owned = origin == Origin::Preset(preset);
                let follows = setting == Setting::ToZeroDelay && effective.config.to_zero_delay.is_none();
                assert!(value == default || owned || follows, "{preset}: {setting} is {origin}");
            }
        }
    }

    #[test]
    fn a_replica_policy_has_defaults_of_its_own() {
        assert_eq!(
            set(&read(EVERY_WAY[4])),
            [
                "min 1: default of replica_policy",
                "max 10: file",
                "policies [{outpost: {target_qps_per_replica: 2}}]: file",
                "up_delay 5 min: default of replica_policy",
                "down_delay 20 min: default of replica_policy",
            ]
        );
        assert_eq!(
            set(&read(EVERY_WAY[5])),
            [
                "min 1: default of replica_policy",
                "max 10: file",
                "policies [{outpost: {target_qps_per_replica: 2}}]: file",
                "up_delay 3 s: file",
                "down_delay 7 s: file",
            ]
        );
        let delays = r#"{"replica_policy": {"max_replicas": 9, "target_qps_per_replica": 2, "upscale_delay_seconds": 3,
                                            "downscale_delay_seconds": 8}}"#;
        assert_eq!(set(&read(delays))[3..], ["up_delay 3 s: file", "down_delay 8 s: file"]);
    }

    #[test]
    fn fixed_replicas_are_written_in_the_file() {
        assert_eq!(
            set(&read(EVERY_WAY[6])),
            ["min 3: file", "max 3: file", "concurrency 4: file", "policies [{fixed: 3}]: file"]
        );
    }

    #[test]
    fn a_runpod_table_has_defaults_of_its_own() {
        let scaling = "policies [{runpod: {scaling: {queue_delay: 4}}}]";
        let all = |max: &str| {
            vec![
                "min 0: default of runpod".into(),
                format!("max {max}"),
                format!("{scaling}: default of runpod"),
                "down_delay 30 s: default of runpod".into(),
                "idle_timeout 30 s: default of runpod".into(),
                "standby 0: default of runpod".into(),
            ]
        };
        assert_eq!(set(&read(EVERY_WAY[7])), all("1: default of runpod"));
        assert_eq!(set(&read(EVERY_WAY[10])), all("3: file"));
        assert_eq!(
            set(&read(EVERY_WAY[8])),
            [
                "min 0: default of runpod",
                "max 3: file",
                &format!("{scaling}: default of runpod"),
                "down_delay 60 s: file",
                "idle_timeout 60 s: file",
                "standby 1: file",
                "window 30 s: file",
            ]
        );
        assert_eq!(
            set(&read(EVERY_WAY[9])),
            [
                "min 0: default of runpod",
                "max 3: file",
                "policies [{runpod: {scaling: {request_count: 4}}}]: file",
                "down_delay 20 s: file",
                "idle_timeout 60 s: file",
                "standby 0: default of runpod",
            ]
        );
        assert_eq!(
            set(&read(EVERY_WAY[11])),
            [
                "min 1: file",
                "max 3: file",
                "policies [{runpod: {scaling: {queue_delay: 2}}}]: file",
                "down_delay 60 s: file",
                "idle_timeout 60 s: file",
                "standby 1: file",
            ]
        );
        assert_eq!(
            set(&read(EVERY_WAY[12])),
            [
                "min 0: default of runpod",
                "max 1: default of runpod",
                "policies [{runpod: {scaling: {request_count: 4}}}]: file",
                "down_delay 30 s: default of runpod",
                "idle_timeout 30 s: default of runpod",
                "standby 2: file",
            ]
        );
    }

    #[test]
    fn a_configuration_from_code_is_told_from_the_defaults() {
        let config = Config::new(Policy::Fixed(1), 0, 1).unwrap().with_window(Duration::from_secs(30)).unwrap();
        let effective = Effective::from(config.clone());
        assert_eq!(set(&effective), ["max 1: code", "policies [{fixed: 1}]: code", "window 30 s: code"]);
        assert_eq!(Config::from(effective), config);
        let config = config.with_down_delay(Duration::ZERO).unwrap();
        let effective = Effective::from(config);
        assert_eq!(effective.origin(Setting::ToZeroDelay), Some(Origin::Follows(Setting::DownDelay)));
    }
}

mod files {
    use super::*;

    #[test]
    fn what_a_config_is_read_from_gives_the_same_configuration() {
        for text in EVERY_WAY {
            assert_eq!(read(text).config(), &serde_json::from_str::<Config>(text).unwrap(), "{text}");
            let yaml: Effective = serde_saphyr::from_str(text).unwrap();
            assert_eq!(yaml, read(text));
        }
        let toml: Effective = toml::from_str("preset = 'outpost-gpu'\n[up_step]\nworkers = 1\nperiod = '1m'").unwrap();
        assert_eq!(toml.origin(Setting::UpStep), Some(Origin::File));
    }

    #[test]
    fn what_a_config_refuses_is_refused_in_the_same_words() {
        for text in [
            "{}",
            r#"{"min": 5, "max": 3, "policy": {"fixed": 2}}"#,
            r#"{"policy": {"fixed": 2}}"#,
            r#"{"preset": "outpost-gpu", "replicas": 3}"#,
            r#"{"preset": "outpost"}"#,
            r#"{"preset": "outpost-gpu", "maximum": 3}"#,
            r#"{"runpod": {"max_workers": 3}, "max": 3}"#,
            r#"{"Max Workers": 3, "Idle Timeout": "2-5 minutes"}"#,
        ] {
            let error = serde_json::from_str::<Effective>(text).unwrap_err().to_string();
            assert_eq!(error, serde_json::from_str::<Config>(text).unwrap_err().to_string(), "{text}");
        }
    }

    #[test]
    fn every_setting_has_an_origin_and_the_name_it_has_in_a_file() {
        let document = every_setting();
        let effective: Effective = serde_json::from_value(document.clone()).unwrap();
        let mut names: Vec<_> = effective.settings().map(|(setting, ..)| setting.name()).collect();
        assert!(effective.settings().all(|(.., origin)| origin == Origin::File), "{effective}");
        names.sort_unstable();
        let keys: Vec<_> = document.as_object().unwrap().keys().map(String::as_str).collect();
        let written = serde_json::to_value(effective.config()).unwrap();
        assert_eq!(names, written.as_object().unwrap().keys().collect::<Vec<_>>(), "as it is written back");
        assert_eq!(names, keys);

        let unset = Config::unset();
        for ((setting, value), (_, default)) in settings(effective.config()).into_iter().zip(settings(&unset)) {
            assert_ne!(value, default, "{setting}: the test would not see it");
            let single = format!(r#"{{"{setting}": {}}}"#, document[setting.name()]);
            let over = with(Effective::from(Preset::RunpodBalanced), "test", &single).unwrap();
            assert_eq!(over.origin(setting), Some(Origin::Override("test")));
            assert!(over.settings().any(|(of, held, _)| (of, held) == (setting, value)));
            let others = over.settings().filter(|(.., origin)| *origin == Origin::Override("test")).count();
            assert_eq!(others, 1, "{setting}");
        }
    }

    #[test]
    fn parts_of_settings_have_no_origin() {
        let effective = Effective::from(Preset::OutpostGpu);
        for setting in [Setting::QueueDelay, Setting::Preset, Setting::Replicas, Setting::BackoffMost] {
            assert_eq!(effective.origin(setting), None);
        }
    }
}

mod overrides {
    use super::*;

    #[test]
    fn a_preset_is_overridden_setting_by_setting() {
        let effective = with(Effective::from(Preset::OutpostGpu), "flags", r#"{"max": 20, "down_delay": "2m"}"#);
        let effective = effective.unwrap();
        let same = Preset::OutpostGpu.config().with_bounds(0, 20).unwrap();
        assert_eq!(effective.config(), &same);
        assert_eq!(
            set(&effective),
            [
                "min 0: preset outpost-gpu",
                "max 20: override by flags",
                "concurrency 4: preset outpost-gpu",
                "policies [{outpost: {target_qps_per_replica: 2}}]: preset outpost-gpu",
                "up_delay 10 s: preset outpost-gpu",
                "down_delay 2 min: override by flags",
                "to_zero_delay 2 min: preset outpost-gpu",
            ]
        );
    }

    #[test]
    fn the_later_of_two_wins_where_both_speak() {
        let first = with(read(EVERY_WAY[6]), "environment", r#"{"max": 20, "min": 2}"#).unwrap();
        let second = with(first, "flags", r#"{"max": 9, "policy": "external", "window": null}"#).unwrap();
        assert_eq!(
            set(&second),
            [
                "min 2: override by environment",
                "max 9: override by flags",
                "concurrency 4: file",
                "policies [external]: override by flags",
            ]
        );
        assert_eq!((second.config().min(), second.config().max()), (2, 9));
        let same = second.clone().with_override("nobody", Override::default());
        assert_eq!(same, Ok(second));
    }

    #[test]
    fn every_way_of_writing_a_configuration_can_be_overridden() {
        for text in EVERY_WAY {
            let changes = serde_json::from_value::<Override>(every_setting()).unwrap();
            let effective = read(text).with_override("flags", changes).unwrap();
            assert_eq!(effective.config(), &serde_json::from_value(every_setting()).unwrap(), "{text}");
            assert!(effective.settings().all(|(.., origin)| origin == Origin::Override("flags")), "{text}");
        }
    }

    #[test]
    fn what_follows_keeps_following_until_it_is_set() {
        let changed = with(read(EVERY_WAY[0]), "flags", r#"{"down_delay": 7}"#).unwrap();
        let of = |effective: &Effective| {
            let mut settings = effective.settings();
            settings
                .find(|(setting, ..)| *setting == Setting::ToZeroDelay)
                .map(|(_, value, origin)| (value.to_string(), origin.to_string()))
        };
        assert_eq!(of(&changed), Some(("7 s".into(), "as down_delay".into())));
        let changed = with(changed, "flags", r#"{"to_zero_delay": 8}"#).unwrap();
        assert_eq!(of(&changed), Some(("8 s".into(), "override by flags".into())));
    }

    #[test]
    fn the_sojourn_target_follows_an_objective_until_it_is_set() {
        let of = |effective: &Effective| {
            let mut settings = effective.settings();
            let target = settings.find(|(setting, ..)| *setting == Setting::SojournTarget);
            target.map(|(_, value, origin)| (value.to_string(), origin.to_string())).unwrap()
        };
        let file = read(r#"{"max": 5, "policies": [{"objective": {"within": "2s", "share": 0.99}}]}"#);
        assert_eq!(of(&file), ("2 s".into(), "as policies".into()));
        let tighter = with(file, "flags", r#"{"policies": [{"objective": {"within": "1s", "share": 0.99}}]}"#).unwrap();
        assert_eq!(of(&tighter), ("1 s".into(), "as policies".into()));
        let set = with(tighter.clone(), "flags", r#"{"sojourn_target": 3}"#).unwrap();
        assert_eq!(of(&set), ("3 s".into(), "override by flags".into()));
        let without = with(tighter, "flags", r#"{"policies": ["external"]}"#).unwrap();
        assert_eq!(of(&without), ("100 ms".into(), "default".into()));
        let code = Config::objective(Objective::share(Share::NINETY_NINE, Duration::from_secs(2)), 0, 5).unwrap();
        assert_eq!(of(&code.into()), ("2 s".into(), "as policies".into()));
    }

    #[test]
    fn they_keep_the_rules_of_every_configuration() {
        for (text, message) in [
            (r#"{"max": 0}"#, "max (0) must be above zero: allow at least one worker"),
            (
                r#"{"min": 9}"#,
                "min (9) must be at most max (8): no worker count satisfies both; lower min or raise max",
            ),
            (r#"{"window": "1ms"}"#, "window (1 ms) must be at least 120 ms: give a longer duration"),
            (r#"{"down_delay": "9000d"}"#, "down_delay (216000 h) must be at most 87840 h: give a shorter duration"),
            (r#"{"policies": []}"#, "policies is required"),
            (
                r#"{"policies": [{"runpod": {"scaling": {"request_count": 0}}}]}"#,
                "request_count (0) must be above zero",
            ),
            (r#"{"policy": {"fixed": 1}, "policies": [{"fixed": 1}]}"#, "policy and policies both set the policy"),
            (r#"{"maximum": 3}"#, "unknown field `maximum`, expected one of `min`, `max`"),
            (r#"{"max": "many"}"#, "expected max as a whole number"),
            (r#"{"max": 1, "max": 2}"#, "max is given twice: keep one"),
            ("[]", "expected a configuration"),
        ] {
            let error = with(Effective::from(Preset::OutpostGpu), "flags", text).unwrap_err();
            assert!(error.contains(message), "{text}: {error}");
        }
    }

    #[test]
    fn an_empty_value_leaves_a_setting_as_it_is() {
        let file = r#"{"max": 3, "policy": "external", "blind": "grow_only",
                       "schedule": [{"start": "0", "end": "3600", "max": 2}]}"#;
        let changed = with(read(file), "flags", r#"{"blind": null, "schedule": null, "max": 4}"#).unwrap();
        assert_eq!((changed.config().max(), changed.config().blind()), (4, crate::config::Blind::GrowOnly));
        assert_eq!((changed.config().schedule().len(), changed.origin(Setting::Schedule)), (1, Some(Origin::File)));
    }

    #[test]
    fn what_describes_a_whole_configuration_is_refused() {
        let settings = "write min, max, policies, idle_timeout, down_delay and standby";
        for (text, part, remedy) in [
            (r#"{"max": 3, "preset": "outpost-gpu"}"#, "preset", "start from the preset, or name it in the file"),
            (r#"{"replicas": 3}"#, "replicas", "write min, max and policies"),
            (
                r#"{"replica_policy": {"max_replicas": 3}}"#,
                "replica_policy",
                "write min, max, policies, up_delay and down_delay",
            ),
            (r#"{"runpod": {"max_workers": 3}}"#, "runpod", settings),
            (r#"{"Max Workers": 3}"#, "Max Workers", settings),
            (r#"{"policy": "external", "Idle Timeout": 3}"#, "Idle Timeout", settings),
        ] {
            let want = format!("{part} is not for an override, which changes single settings: {remedy}");
            assert_eq!(with(Effective::from(Preset::OutpostGpu), "flags", text), Err(want));
        }
    }
}

mod output {
    use super::*;

    #[test]
    fn the_table_is_aligned_and_has_a_line_for_each_setting() {
        let table = with(read(EVERY_WAY[4]), "flags", r#"{"up_step": {"percent": 50, "period": "1m"}}"#).unwrap();
        let want = "\
min               1                                         default of replica_policy
max               10                                        file
concurrency       1                                         default
policies          [{outpost: {target_qps_per_replica: 2}}]  file
up_delay          5 min                                     default of replica_policy
down_delay        20 min                                    default of replica_policy
to_zero_delay     20 min                                    as down_delay
idle_timeout      none                                      default
standby           0                                         default";
        let table = table.to_string();
        assert!(table.starts_with(want), "{table}");
    }

    #[test]
    fn the_table_of_every_preset_is_aligned() {
        for preset in Preset::ALL {
            let effective = Effective::from(preset);
            let rows = effective.settings().map(|(.., origin)| origin.to_string());
            let table = effective.to_string();
            let columns: Vec<_> = table.lines().zip(rows).map(|(line, origin)| line.len() - origin.len()).collect();
            assert!(columns.windows(2).all(|two| two[0] == two[1]), "{table}");
        }
    }

    #[test]
    fn a_value_that_is_very_wide_stands_out_alone() {
        let effective: Effective = serde_json::from_value(every_setting()).unwrap();
        for (line, (setting, value, origin)) in effective.to_string().lines().zip(effective.settings()) {
            let value = value.to_string();
            let width = value.chars().count();
            let gap = " ".repeat(if width > WIDEST { 2 } else { 42 - width });
            assert_eq!(line, format!("{:16}  {value}{gap}{origin}", setting.name()));
        }
    }

    #[test]
    fn what_is_printed_can_be_written_in_a_file() {
        let documents = EVERY_WAY.map(read).into_iter().chain([serde_json::from_value(every_setting()).unwrap()]);
        for effective in documents.chain(Preset::ALL.map(Effective::from)) {
            let is_written = |value, origin| {
                !matches!(value, Value::None | Value::Schedule(_)) && !matches!(origin, Origin::Follows(_))
            };
            let lines = effective.settings().filter(|(_, value, origin)| is_written(*value, *origin));
            let file: Vec<_> = lines.map(|(setting, value, _)| format!("{setting}: {value}\n")).collect();
            let read: Config = serde_saphyr::from_str(&file.concat()).unwrap();
            let schedule = effective.config().schedule().to_vec();
            let target = |config: Config| {
                let target = config.sojourn_target();
                config.with_sojourn_target(target).unwrap()
            };
            let read = target(read.with_schedule(schedule).unwrap());
            assert_eq!(read, target(effective.into_config()), "a default is written out");
        }
    }

    #[test]
    fn what_is_serialised_can_be_written_in_a_file() {
        for effective in [read(EVERY_WAY[5]), serde_json::from_value(every_setting()).unwrap()] {
            let rows = serde_json::to_value(&effective).unwrap();
            let values = rows.as_object().unwrap().iter().map(|(name, row)| (name.clone(), row["value"].clone()));
            let read: Config = serde_json::from_value(values.collect()).unwrap();
            let want = effective.config().clone();
            let (to_zero_delay, target) = (want.to_zero_delay(), want.sojourn_target());
            let want = want.with_to_zero_delay(to_zero_delay).unwrap().with_sojourn_target(target).unwrap();
            assert_eq!(read, want, "what follows is written out");
        }
    }

    #[test]
    fn it_serialises_with_stable_codes() {
        let effective = with(read(EVERY_WAY[4]), "flags", r#"{"max": 3}"#).unwrap();
        let rows = serde_json::to_value(&effective).unwrap();
        assert_eq!(rows["max"], json!({"value": 3, "origin": "override", "name": "flags"}));
        assert_eq!(rows["min"], json!({"value": 1, "origin": "document", "name": "replica_policy"}));
        assert_eq!(rows["to_zero_delay"], json!({"value": 1_200, "origin": "follows", "name": "down_delay"}));
        assert_eq!(rows["idle_timeout"], json!({"value": null, "origin": "default"}));
        assert_eq!(rows["schedule"], json!({"value": null, "origin": "default"}));
        let policies = json!([{"outpost": {"target_qps_per_replica": 2}}]);
        assert_eq!(rows["policies"], json!({"value": policies, "origin": "file"}));
        let codes = [(Origin::Code, json!({"origin": "code"})), (Origin::File, json!({"origin": "file"}))];
        for (origin, want) in codes {
            assert_eq!(serde_json::to_value(origin).unwrap(), want);
        }
        let preset = serde_json::to_value(Origin::Preset(Preset::OutpostApi)).unwrap();
        assert_eq!(preset, json!({"origin": "preset", "name": "outpost-api"}));
    }

    #[test]
    fn a_schedule_is_counted() {
        let at = Timestamp::from_secs;
        let intervals = [Interval::new(at(0), at(1)).with_max(2), Interval::new(at(2), at(3))];
        assert_eq!(Value::Schedule(&intervals[..1]).to_string(), "1 interval");
        assert_eq!(Value::Schedule(&intervals).to_string(), "2 intervals");
        assert_eq!(serde_json::to_value(Value::Schedule(&intervals)).unwrap(), json!(intervals));
    }

    proptest! {
        #[test]
        fn durations_print_what_they_are(nanos in prop_oneof![
            any::<u64>(),
            (0..10_000_u64).prop_map(|millis| millis * 1_000_000),
            (0..1_000_000_u64).prop_map(|secs| secs * 1_000_000_000),
            0..10_000_000_u64,
        ]) {
            let duration = Duration::from_nanos(nanos);
            let printed = Value::Duration(duration).to_string();
            prop_assert_eq!(span::parse(&printed), Some(duration), "{}", printed);
        }
    }
}

/// Every form that serde knows, those included that no setting has today.
#[test]
fn flow_writes_every_form() {
    #[derive(Serialize)]
    struct Unit;
    #[derive(Serialize)]
    struct Pair(u8, i64);
    #[derive(Serialize)]
    struct Name(&'static str);
    struct Bytes(&'static [u8]);
    impl Serialize for Bytes {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_bytes(self.0)
        }
    }
    #[derive(Serialize)]
    enum Form {
        Unit,
        One(f64),
        Two(bool, char),
        Named { a: Option<u8>, b: () },
    }
    struct Line<T>(T);
    impl<T: Serialize> fmt::Display for Line<T> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.serialize(Flow(f))
        }
    }

    assert_eq!(Line((Unit, Pair(1, -2), Some("text"))).to_string(), "[null, [1, -2], text]");
    let forms = [Form::Unit, Form::One(2.5), Form::Two(true, 'c'), Form::Named { a: None, b: () }];
    assert_eq!(Line(forms).to_string(), "[Unit, {One: 2.5}, {Two: [true, c]}, {Named: {a: null, b: null}}]");
    assert_eq!(Line(BTreeMap::from([("k", vec![1_u8, 2]), ("l", vec![])])).to_string(), "{k: [1, 2], l: []}");
    assert_eq!(Line((Name("n"), Bytes(&[1, 2]))).to_string(), "[n, [1, 2]]");
}
