//! The examples diff and explain from end to end: their binaries are run as a user runs them, and what explain says would
//! have been otherwise is tried by another way.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "these are tests, their helpers too")]
#![allow(clippy::arithmetic_side_effects, clippy::float_arithmetic, reason = "small numbers of a test")]

use core::cell::RefCell;
use core::time::Duration;
use std::fs;
use std::path::Path;

use plimsoll::config::StepLimit;
use plimsoll::policy::{Outpost, RunPod};
use plimsoll::recorder::{Beginning, Head, Player, Record, Recorder};
use plimsoll::{
    Autoscaler, Config, FailureCause, Mode, Observation, Policy, Rate, ReservationId, Share, Timestamp, WorkerEvent,
    WorkerId,
};
use serde_json::{Value, json};

#[path = "program/run.rs"]
mod program;

fn diff(folder: &Path, args: &[&str]) -> Value {
    serde_json::from_str(&program::printed("diff", folder, &[args, &["--json"]].concat())).unwrap()
}

fn explain(folder: &Path, args: &[&str]) -> Value {
    serde_json::from_str(&program::printed("explain", folder, &[args, &["--json"]].concat())).unwrap()
}

/// The message of a run that must end with this exit code.
fn message(name: &str, folder: &Path, args: &[&str], code: i32) -> String {
    let output = program::run(name, folder, args);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{args:?}: {message}");
    assert!(message.starts_with("error: ") && message.matches("error:").count() == 1, "{args:?}: {message}");
    message
}

/// `short.csv`: so many requests of the hour that is built in.
fn beginning(folder: &Path, requests: usize) {
    let hour = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/llm_code_azure2023.csv");
    let hour = fs::read_to_string(hour).unwrap();
    let short: Vec<_> = hour.lines().take(requests + 1).collect();
    fs::write(folder.join("short.csv"), short.join("\n")).unwrap();
}

// diff ----------------------------------------------------------------------------------------------------------

#[test]
fn diff_without_arguments_shows_what_one_setting_buys() {
    let folder = program::folder("diff", "default");
    let words = program::printed("diff", &folder, &[]);
    for part in [
        "llm_code_azure2023.csv: 8,819 requests",
        "to_zero_delay ┆ 2 min (preset outpost-gpu) ┆ 4 min (file)",
        "Sojourn p99",
        "The counts part ",
        "1 → 0: no request for 2 min",
        "held at 1 by the to-zero delay until",
        "Advice on AFTER:",
        "CC-BY 4.0",
    ] {
        assert!(words.contains(part), "{part} is not in:\n{words}");
    }
    assert!(!words.contains("Limits"), "none was given");
    let json = diff(&folder, &[]);
    assert_eq!((&json["kept"], &json["limits"]), (&true.into(), &json!([])));
    assert_eq!(json["settings"].as_array().unwrap().len(), 1);
    assert_eq!(json["settings"][0]["after"], json!({"value": 240, "from": {"origin": "file"}}));
    assert_eq!(program::printed("diff", &folder, &["--quiet"]), "");
}

/// The figures are those of the replay, each configuration by itself.
#[test]
fn diff_agrees_with_the_replay() {
    let folder = program::folder("diff", "replay");
    fs::write(folder.join("after.yaml"), "preset: outpost-gpu\nmin: 1\nup_delay: 0\n").unwrap();
    beginning(&folder, 1_200);
    let pool = ["--cold-start", "35s", "--start-spread", "0.2", "--seed", "3", "--price", "4"];
    let given = ["preset:outpost-gpu", "after.yaml", "--workload", "short.csv"];
    let json = diff(&folder, &[&given[..], &pool].concat());
    let replay = |config: &[&str]| -> Value {
        let args = [&["short.csv"], config, &pool, &["--json", "--no-report"]].concat();
        serde_json::from_str(&program::printed("replay", &folder, &args)).unwrap()
    };
    for (side, run) in
        [("before", replay(&["--preset", "outpost-gpu"])), ("after", replay(&["--config", "after.yaml"]))]
    {
        for (figure, name) in [
            ("cost", "cost"),
            ("worker_hours", "replica_hours"),
            ("over_bound", "over_bound"),
            ("sojourn_p99_s", "sojourn_p99_s"),
            ("within", "within_target"),
            ("reversals", "reversals"),
            ("scaling_events", "scaling_events"),
            ("peak_workers", "peak_workers"),
        ] {
            let value = run[name].as_f64();
            assert!(value.is_some() && json["figures"][figure][side].as_f64() == value, "{side} {figure}: {json}");
        }
    }
}

/// Worker hours over the least that the same share in time could have cost: in hand for two requests, and not said of
/// workers that are not alike.
#[test]
fn diff_says_how_far_each_is_above_the_bound() {
    let folder = program::folder("diff", "bound");
    let pool = |count: u32| format!("{{\"policy\": {{\"fixed\": {count}}}, \"max\": 3, \"min\": 0}}");
    fs::write(folder.join("one.json"), pool(1)).unwrap();
    fs::write(folder.join("three.json"), pool(3)).unwrap();
    // One worker at least from when the first request is late, at 30.1 s, until the second is done at 80 s: to stay for
    // the 10 s between them costs less than another start of 20 s.
    fs::write(folder.join("work.csv"), "arrival_ms,service_ms\n30000,10000\n50000,30000\n").unwrap();
    fs::write(folder.join("alike.yaml"), "cold_start: 20s\n").unwrap();
    fs::write(folder.join("classes.yaml"), "classes: [{name: owned, limit: 1}, {name: rented, speed: 2}]\n").unwrap();
    let given = ["one.json", "three.json", "--workload", "work.csv", "--platform"];
    let on = |platform: &'static str| [&given[..], &[platform]].concat();
    let figures = diff(&folder, &on("alike.yaml"))["figures"].clone();
    for side in ["before", "after"] {
        let figure = |name: &str| figures[name][side].as_f64().unwrap();
        assert_eq!(figures["within"][side], json!(1.0));
        let least = figure("worker_hours") / figure("over_bound") * 3_600.0;
        assert!((least - 69.9).abs() < 1e-6, "{side}: {least} s: {figures}");
    }
    let words = program::printed("diff", &folder, &on("alike.yaml"));
    let row = words.lines().find(|line| line.contains("÷ bound for its share in time")).unwrap();
    assert!(row.contains("(+200 %)"), "{row}");

    let figures = diff(&folder, &on("classes.yaml"))["figures"].clone();
    assert_eq!(figures["over_bound"], json!({"before": null, "after": null}));
    assert!(!program::printed("diff", &folder, &on("classes.yaml")).contains("÷ bound"));
}

/// Where the counts part, for how long, and what each side says: against both decision logs of the replay.
#[test]
fn diff_finds_where_the_counts_part() {
    let folder = program::folder("diff", "partings");
    fs::write(folder.join("after.yaml"), "preset: outpost-gpu\nup_delay: 25s\n").unwrap();
    beginning(&folder, 3_000);
    let json = diff(&folder, &["preset:outpost-gpu", "after.yaml", "--workload", "short.csv", "--first", "1000"]);
    let changes = |config: &[&str]| -> Vec<(f64, u64)> {
        let args = [&["short.csv"], config, &["--log", "json", "--no-report", "--quiet"]].concat();
        let log = program::printed("replay", &folder, &args);
        let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.map(|line| (line["at"].as_str().unwrap().parse().unwrap(), line["to"].as_u64().unwrap())).collect()
    };
    let sides = [changes(&["--preset", "outpost-gpu"]), changes(&["--config", "after.yaml"])];
    let count =
        |side: usize, at: f64| sides[side].iter().rev().find(|(since, _)| *since <= at).map_or(0, |(_, to)| *to);
    let partings = json["apart"]["first"].as_array().unwrap();
    assert_eq!(json["apart"]["times"], partings.len());
    assert!(partings.len() > 5, "{json}");
    let mut instants: Vec<_> = sides.iter().flatten().map(|(at, _)| *at).collect();
    instants.sort_by(f64::total_cmp);
    let apart = |at: f64| {
        partings.iter().any(|parting| {
            let from = parting["t_s"].as_f64().unwrap();
            from <= at && at < from + parting["lasts_s"].as_f64().unwrap() - 1e-9
        })
    };
    for at in instants {
        assert_eq!(count(0, at) != count(1, at), apart(at), "at {at} s");
    }
    for parting in partings {
        let at = parting["t_s"].as_f64().unwrap();
        assert_eq!(parting["counts"], json!([count(0, at), count(1, at)]));
        for side in 0..2 {
            let text = parting["sides"][side]["text"].as_str().unwrap();
            let desired = count(side, at).to_string();
            let stands = [format!("{desired}: "), format!("held at {desired} "), format!(" → {desired}: ")];
            assert!(stands.iter().any(|stands| text.contains(stands)), "{at} s: {desired} and {text}");
        }
    }
}

#[test]
fn diff_judges_limits_by_its_exit_code() {
    let folder = program::folder("diff", "limits");
    beginning(&folder, 1_200);
    fs::write(folder.join("longer.yaml"), "preset: outpost-gpu\nto_zero_delay: 4m\n").unwrap();
    let given = ["preset:outpost-gpu", "longer.yaml", "--workload", "short.csv"];
    let with = |args: &[&'static str]| [&given[..], args].concat();
    let figures = diff(&folder, &given)["figures"].clone();
    let figure = |name: &str| ["before", "after"].map(|side| figures[name][side].as_f64().unwrap());
    assert_eq!((figure("reversals"), figure("peak_workers")), ([4.0, 2.0], [5.0, 5.0]));
    // It costs 0.6 % more, p99 is 25 % less, and 4.7 % more of the requests are in time.
    let kept: [&[&str]; 5] = [
        &["--max-cost", "+0.7%", "--max-p99", "-24%", "--min-within", "34%", "--max-reversals", "2"],
        &["--max-cost", "1.07", "--max-p99", "25.2s", "--min-within", "+4%", "--max-events", "-2"],
        &["--max-cost", "+0.01", "--max-p99", "-8s", "--min-within", "0.33", "--max-cold-starts", "6"],
        &["--max-lost", "0", "--max-unserved", "+0", "--max-peak", "+0%", "--max-reversals", "-50%"],
        &["--max-worker-hours", "0.43", "--max-sojourn", "27s", "--min-within", "-0.5%"],
    ];
    for args in kept {
        assert_eq!(diff(&folder, &with(args))["kept"], true, "{args:?}");
    }
    let broken: [(&[&str], &str); 8] = [
        (&["--max-cost", "+0.5%"], "--max-cost +0.5%: 1.07, allowed 1.06"),
        (&["--max-cost", "1"], "--max-cost 1: 1.07, allowed 1.00"),
        (&["--max-p99", "-26%"], "--max-p99 -26%: 25.1 s, allowed 24.8 s"),
        (&["--max-p99", "100ms"], "--max-p99 100ms: 25.1 s, allowed 100 ms"),
        (&["--min-within", "99%"], "--min-within 99%: 34 %, allowed 99 %"),
        (&["--min-within", "+5%"], "--min-within +5%: 34 %, allowed 34.3 %"),
        (&["--max-reversals", "1"], "--max-reversals 1: 2"),
        (&["--max-peak", "-1"], "--max-peak -1: 5, allowed 4"),
    ];
    for (args, part) in broken {
        let words = message("diff", &folder, &with(args), 3);
        assert!(words.contains("longer.yaml breaks 1 of 1 limits: ") && words.contains(part), "{args:?}: {words}");
    }
    let several = with(&["--max-cost", "1", "--max-reversals", "1", "--max-lost", "0"]);
    let output = program::run("diff", &folder, &[&several[..], &["--json"]].concat());
    assert_eq!(output.status.code(), Some(3));
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["limits"].as_array().unwrap().iter().filter(|limit| limit["kept"] == false).count(), 2);
    assert_eq!(json["limits"][0]["value"].as_f64(), Some(figure("cost")[1]));
    let words = program::run("diff", &folder, &several);
    let words = String::from_utf8(words.stdout).unwrap();
    assert!(words.contains("BROKEN  --max-cost 1: 1.07") && words.contains("kept    --max-lost 0: 0"), "{words}");
}

#[test]
fn diff_takes_a_workload_and_its_own_time() {
    let folder = program::folder("diff", "workload");
    fs::write(folder.join("rates.csv"), "t_s,requests\n0,100\n60,0\n120,50\n").unwrap();
    let json =
        diff(&folder, &["preset:outpost-gpu", "preset:runpod-batch", "--workload", "rates.csv", "--within", "30s"]);
    assert_eq!((&json["requests"], &json["within_s"]), (&150.into(), &30.0.into()));
    assert!(json["settings"].as_array().unwrap().iter().any(|setting| setting["setting"] == "policies"));
    let same = ["preset:outpost-gpu", "preset:outpost-gpu", "--workload", "rates.csv"];
    let none = diff(&folder, &[&same[..], &["--max-p99", "+0%", "--max-cost", "+0"]].concat());
    let same = program::printed("diff", &folder, &same);
    assert!(same.contains("No setting differs.") && same.contains("The counts are the same throughout."), "{same}");
    assert_eq!((&none["apart"]["times"], &none["kept"]), (&0.into(), &true.into()));
}

#[test]
fn diff_refuses_what_cannot_be_used() {
    let folder = program::folder("diff", "refused");
    fs::write(folder.join("bounds.yaml"), "min: 5\nmax: 3\npolicy: {fixed: 3}\n").unwrap();
    let ok = "preset:outpost-gpu";
    let cases: [(&[&str], &str); 10] = [
        (&[ok], "<AFTER>"),
        (&[ok, "preset:outpost"], "outpost-development"),
        (&[ok, "none.yaml"], "none.yaml: cannot be read"),
        (&["bounds.yaml", ok], "min (5) must be at most max (3)"),
        (&[ok, ok, "--workload", "none.csv"], "none.csv: cannot be opened"),
        (&["--max-cost", "much"], "expected a number such as 12.5, or a change against BEFORE such as +5%"),
        (&["--max-cost", "+-5"], "expected a number such as 12.5"),
        (&["--max-p99", "fast"], "expected a time such as 100ms"),
        (&["--max-lost", "1.5"], "expected a whole number"),
        (&["--min-within", "120%"], "expected a share such as 99% or 0.99"),
    ];
    for (args, part) in cases {
        let words = message("diff", &folder, args, 2);
        assert!(words.contains(part), "{args:?}: {part} is not in {words}");
    }
}

// explain -------------------------------------------------------------------------------------------------------

#[test]
fn explain_without_arguments_explains_the_incident() {
    let folder = program::folder("explain", "default");
    let words = program::printed("explain", &folder, &[]);
    for part in [
        "tests/recorded/incident.jsonl, line 26: 0:02:20 after it begins, sequence 18",
        "held at 1 by the up delay until +3 min 40 s; wants 5: 12 req/s at 2.5 per replica wants 5",
        "As it went, there were 5 at 0:07:20, 5 min later (--line 80).",
        "⌈12 req/s ÷ 2.5 per replica⌉ = 5",
        "│ up delay     ┆ at most 1 ┆ 1 ◂    ┆ up_delay 5 min ",
        "│ bounds       ┆ passes 1  ┆ 1      ┆ min 1, max 10 ",
        "Timers: up delay at 0:06:00 (in 3 min 40 s).",
        "Next wake-up: at 0:03:20 (in 1 min).",
        "  2 with up_delay 1 min 20 s or less (it was 5 min)\n  5 with up_delay 0 s\n",
        "workers and orders of the time stay what they were",
    ] {
        assert!(words.contains(part), "{part} is not in:\n{words}");
    }
    assert!(!program::printed("explain", &folder, &["--no-trials"]).contains("each by itself"));
    let json = explain(&folder, &[]);
    assert_eq!((&json["line"], &json["reached_s"]), (&26.into(), &440.0.into()));
    assert_eq!(json["decision"]["explanation"]["stages"].as_array().unwrap().len(), 10);
    // The same change, and how much earlier a shorter delay would have brought it.
    let event = program::printed("explain", &folder, &["--event", "4"]);
    assert!(event.contains("5 already 2 min 30 s earlier with up_delay 2 min 30 s (it was 5 min)"), "{event}");
    // A change between two decisions is explained as it happened.
    let between = program::printed("explain", &folder, &["--event", "-1"]);
    assert!(between.contains("The count changed by itself 10 s before"), "{between}");
    assert!(between.contains("7 already 15 s earlier with up_delay 15 s (it was 30 s)"), "{between}");
    assert!(between.contains("lines 1 to 122 again"), "the process that goes on is no break: {between}");
}

#[test]
fn explain_finds_the_decision_that_is_asked_for() {
    let folder = program::folder("explain", "which");
    let line = |args: &[&str]| explain(&folder, &[args, &["--no-trials"]].concat())["line"].as_u64().unwrap();
    assert_eq!(line(&["--at", "6m"]), 63);
    assert_eq!(line(&["--at", "6m19s"]), 63);
    assert_eq!(line(&["--at", "380"]), 67);
    assert_eq!(line(&["--at", "100h"]), 137);
    assert_eq!(line(&["--at", "@379.5"]), 63);
    assert_eq!(line(&["--sequence", "43"]), 63);
    assert_eq!(line(&["--line", "80"]), 80);
    assert_eq!(line(&["--event", "1"]), 63);
    assert_eq!(line(&["--event", "-6"]), 63);
}

#[test]
fn explain_refuses_what_cannot_be_used() {
    let folder = program::folder("explain", "refused");
    let incident =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded/incident.jsonl")).unwrap();
    let lines: Vec<_> = incident.lines().collect();
    fs::write(folder.join("head.jsonl"), lines[0]).unwrap();
    fs::write(folder.join("headless.jsonl"), lines[1..].join("\n")).unwrap();
    fs::write(folder.join("word.jsonl"), format!("{}\nsoon\n", lines[..8].join("\n"))).unwrap();
    let cases: [(&[&str], &str); 12] = [
        (&["--at", "@1795000000"], "--at @1795000000: the decisions go from @0 to @720"),
        (&["--at", "@noon"], "such as @1795000123.5"),
        (&["none.jsonl"], "none.jsonl: cannot be opened"),
        (&["head.jsonl"], "head.jsonl: the log holds no decision"),
        (&["headless.jsonl"], "headless.jsonl, line 1: a flight log begins with its head"),
        (&["word.jsonl"], "word.jsonl, line 9, column 1: expected value"),
        (&["--line", "3"], "line 3 is no decision; the nearest one from there on is on line 6"),
        (&["--event", "7"], "the count changes 6 times"),
        (&["--event", "0"], "give 1 for the first, -1 for the last"),
        (&["--sequence", "1"], "they go from 0 to 103"),
        (&["--at", "soon"], "such as 90, 90s, 12m30s or 1h"),
        (&["--at", "5m", "--line", "26"], "cannot be used with"),
    ];
    for (args, part) in cases {
        let words = message("explain", &folder, args, 2);
        assert!(words.contains(part), "{args:?}: {part} is not in {words}");
    }
    // What another release decided otherwise is not explained by this one.
    let other = incident.replacen(r#""sequence":18,"desired":1"#, r#""sequence":18,"desired":2"#, 1);
    fs::write(folder.join("other.jsonl"), other).unwrap();
    let words = message("explain", &folder, &["other.jsonl", "--line", "26"], 3);
    assert!(words.contains("other.jsonl, line 26: not reproduced"), "{words}");
}

/// A log that `tell` makes, one line of JSON for each record.
fn recorded(config: Config, tell: impl FnOnce(&mut Recorder<&dyn Fn(&Record)>)) -> Vec<Record> {
    let records = RefCell::new(Vec::new());
    let sink = |record: &Record| records.borrow_mut().push(record.clone());
    tell(&mut Recorder::new(config, Timestamp::ORIGIN, &sink));
    records.into_inner()
}

/// `waiting` requests wait and `served` are served, at this instant; then a decision, whose orders are carried out.
fn load(recorder: &mut Recorder<&dyn Fn(&Record)>, at: u64, waiting: u32, served: u32) {
    let now = Timestamp::from_secs(at);
    recorder.observe(now, Observation::queue(waiting, (waiting > 0).then_some(Duration::from_secs(1)))).unwrap();
    recorder.observe(now, Observation::in_flight(served)).unwrap();
    drop(recorder.decide(now));
}

fn per_request(min: u32, max: u32) -> Config {
    Config::new(Policy::RunPod(RunPod::request_count(1)), min, max).unwrap()
}

/// Which decision of each log, what must be found, and the log.
fn scenarios() -> Vec<(&'static str, &'static str, Vec<Record>)> {
    let bounds = recorded(per_request(1, 3), |recorder| {
        load(recorder, 5, 0, 1);
        load(recorder, 20, 6, 1);
    });
    let hold = recorded(per_request(1, 10), |recorder| {
        load(recorder, 5, 0, 1);
        let hold = Observation::Mode { mode: Mode::Hold, valid_for: Some(Duration::from_secs(600)) };
        recorder.observe(Timestamp::from_secs(10), hold).unwrap();
        load(recorder, 20, 4, 1);
    });
    let reserve = recorded(per_request(1, 10), |recorder| {
        let id = ReservationId(7);
        let (after, valid_for) = (Duration::ZERO, Duration::from_secs(600));
        recorder.observe(Timestamp::from_secs(3), Observation::Reserve { id, workers: 4, after, valid_for }).unwrap();
        load(recorder, 5, 0, 1);
    });
    let step = per_request(1, 10).with_up_step(StepLimit::workers(1, Duration::from_secs(60))).unwrap();
    let step = recorded(step, |recorder| {
        load(recorder, 5, 0, 1);
        load(recorder, 20, 7, 1);
    });
    let down = recorded(per_request(0, 10).with_down_delay(Duration::from_secs(120)).unwrap(), |recorder| {
        load(recorder, 5, 6, 0);
        for at in [30, 60, 90, 120, 150] {
            load(recorder, at, 0, 2);
        }
    });
    let tolerance = per_request(1, 50).with_tolerance(Share::new(0.2).unwrap());
    let tolerance = recorded(tolerance, |recorder| {
        load(recorder, 5, 10, 0);
        load(recorder, 20, 2, 10);
    });
    let outpost = Config::new(Policy::Outpost(Outpost::new(Rate::per_second(2.0).unwrap())), 1, 10).unwrap();
    let outpost = recorded(outpost.with_up_delay(Duration::from_secs(45)).unwrap(), |recorder| {
        recorder.observe(Timestamp::from_secs(0), Observation::worker(WorkerId(1), WorkerEvent::Ready)).unwrap();
        for at in (10..=120).step_by(10) {
            let (count, over) = (if at > 70 { 90 } else { 10 }, Duration::from_secs(10));
            recorder.observe(Timestamp::from_secs(at), Observation::Requests { count, over }).unwrap();
            load(recorder, at, if at > 70 { 50 } else { 0 }, 1);
        }
    });
    // Nothing is to be had, and the next try waits.
    let refused = recorded(Config::fixed(3).unwrap(), |recorder| {
        drop(recorder.decide(Timestamp::ORIGIN));
        let failed = Observation::StartFailed { count: 3, cause: FailureCause::StockOut };
        recorder.observe(Timestamp::from_secs(1), failed).unwrap();
        drop(recorder.decide(Timestamp::from_secs(5)));
    });
    vec![
        ("refused", "backoff.first", refused),
        ("bounds", "max", bounds),
        ("hold", "the operator's mode hold", hold),
        ("reserve", "any reservation", reserve),
        ("step", "up_step", step),
        ("down", "down_delay", down),
        ("tolerance", "tolerance", tolerance),
        ("outpost", "up_delay", outpost),
    ]
}

/// What a log decides in the end with one value changed in its configurations, or with some observations left out: how
/// many workers, and how many are ready or ordered.
fn decides(records: &[Record], keep: &dyn Fn(&Observation) -> bool, change: &dyn Fn(&mut Value)) -> [u32; 2] {
    let autoscaler = after(records, keep, change);
    [autoscaler.desired(), autoscaler.status().committed]
}

/// The autoscaler at the end of such a log.
fn after(records: &[Record], keep: &dyn Fn(&Observation) -> bool, change: &dyn Fn(&mut Value)) -> Autoscaler {
    let mut player = Player::new();
    for record in records {
        let record = match record {
            Record::Head(head) => {
                let mut config = serde_json::to_value(head.config()).unwrap();
                change(&mut config);
                let config = Box::new(serde_json::from_value(config).unwrap());
                Record::Head(Head::new(Beginning::New { at: Timestamp::ORIGIN, config }))
            }
            Record::Observed { observation, .. } if !keep(observation) => continue,
            other => other.clone(),
        };
        player.play(&record).unwrap();
    }
    player.autoscaler().unwrap().clone()
}

/// Since when the count has been what it is or beyond, up or down, in seconds.
fn since(autoscaler: &Autoscaler, up: bool) -> f64 {
    let desired = autoscaler.desired();
    let beyond = |count: u32| if up { count >= desired } else { count <= desired };
    // From the last change that led here; from the beginning if there is none.
    let change = autoscaler.events().rev().find(|event| !beyond(event.count));
    change.map_or(0.0, |change| change.at.saturating_since(Timestamp::ORIGIN).as_secs_f64())
}

/// The value one step nearer to what it was.
fn nearer(value: &Value, was: &Value) -> Value {
    let thousandths = |value: &Value| (value.as_f64().unwrap() * 1_000.0).round();
    match (value, was) {
        (Value::Number(number), _) if number.is_u64() => {
            let (value, was) = (number.as_u64().unwrap(), was.as_u64().unwrap());
            json!(if value < was { value + 1 } else { value - 1 })
        }
        (Value::Number(_), _) => {
            let step = if thousandths(value) < thousandths(was) { 1.0 } else { -1.0 };
            json!((thousandths(value) + step) / 1_000.0)
        }
        (Value::String(text), _) => {
            let millis: u64 = text.strip_suffix("ms").unwrap().parse().unwrap();
            let was = was.as_u64().map_or_else(
                || was.as_str().unwrap().strip_suffix("ms").unwrap().parse().unwrap(),
                |seconds| seconds * 1_000,
            );
            json!(format!("{}ms", if millis < was { millis + 1 } else { millis - 1 }))
        }
        _ => panic!("{value} is no number"),
    }
}

/// Tries every value that was found by another way: it decides as stated, and its neighbour as recorded. How many that
/// were.
fn verify(name: &str, records: &[Record], explained: &Value) -> usize {
    let all = |_: &Observation| true;
    let base = decides(records, &all, &|_| ());
    assert_eq!(explained["decision"]["desired"], base[0], "{name}");
    let Record::Head(head) = &records[0] else { panic!("a log begins with its head") };
    let settings = serde_json::to_value(head.config()).unwrap();
    let mut tried = 0;
    for finding in explained["counterfactuals"]["changes"].as_array().unwrap() {
        let of = finding["of"].as_str().unwrap();
        let figure = usize::from(finding["orders"] == true);
        let recorded = base[figure];
        let Some(pointer) = finding["pointer"].as_str() else {
            let without = |observation: &Observation| match observation {
                Observation::Mode { .. } => !of.contains("mode"),
                Observation::Reserve { .. } => !of.contains("reservation"),
                _ => true,
            };
            let workers = decides(records, &without, &|_| ())[figure];
            assert_eq!(workers, finding["least"]["workers"], "{name}: {of}");
            tried += 1;
            continue;
        };
        let (table, key) = pointer.rsplit_once('/').unwrap();
        let with = |value: &Value| {
            let change = |config: &mut Value| {
                let table = config.pointer_mut(table).and_then(Value::as_object_mut).unwrap();
                match value {
                    Value::Null => drop(table.remove(key)),
                    value => drop(table.insert(key.into(), value.clone())),
                }
            };
            after(records, &all, &change)
        };
        let workers = |value: &Value| {
            let autoscaler = with(value);
            [autoscaler.desired(), autoscaler.status().committed][figure]
        };
        let was = settings.pointer(pointer);
        for (trial, alone) in [(&finding["least"], true), (&finding["full"], false)] {
            if trial.is_null() {
                continue;
            }
            assert_eq!(workers(&trial["value"]), trial["workers"], "{name}: {of} {trial}");
            assert_ne!(trial["workers"], recorded, "{name}: {of}");
            tried += 1;
            if let Some(was) = was.filter(|_| !trial["value"].is_null() && !trial["value"].is_object()) {
                let nearer = workers(&nearer(&trial["value"], was));
                assert_ne!(nearer, trial["workers"], "{name}: {of} {trial}");
                assert!(!alone || nearer == recorded, "{name}: {of} {trial}: {nearer}");
            }
        }
        for trial in finding["earlier"].as_array().unwrap() {
            let other = with(&trial["value"]);
            let up = explained["explained"]["desired"].as_u64() >= explained["explained"]["count"].as_u64();
            let earlier = since(&after(records, &all, &|_| ()), up) - since(&other, up);
            assert_eq!(other.desired(), recorded, "{name}: {of} {trial}");
            assert!(
                earlier > 0.0 && (earlier - trial["earlier_s"].as_f64().unwrap()).abs() < 1e-6,
                "{name}: {of} {trial}"
            );
            tried += 1;
        }
    }
    tried
}

#[test]
fn what_explain_says_would_have_been_is_so() {
    let folder = program::folder("explain", "trials");
    let mut tried = 0;
    for (name, of, records) in scenarios() {
        let text: Vec<_> = records.iter().map(|record| serde_json::to_string(record).unwrap()).collect();
        fs::write(folder.join(name), text.join("\n")).unwrap();
        let json = explain(&folder, &[name, "--line", &records.len().to_string()]);
        let first = &json["counterfactuals"]["changes"][0];
        assert_eq!((&first["of"], &first["bound"]), (&of.into(), &true.into()), "{name}: what held it comes first");
        tried += verify(name, &records, &json);
    }
    assert!(tried > 40, "{tried}");
}

/// The same of real logs: the incident's, and those of replays.
#[test]
fn what_explain_says_of_whole_logs_is_so() {
    let folder = program::folder("explain", "logs");
    let incident =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded/incident.jsonl")).unwrap();
    fs::write(folder.join("incident.jsonl"), incident).unwrap();
    beginning(&folder, 300);
    for preset in ["outpost-gpu", "runpod-balanced"] {
        let log = format!("{preset}.jsonl");
        let record = ["short.csv", "--preset", preset, "--record", &log, "--no-report", "--quiet"];
        assert_eq!(program::printed("replay", &folder, &record), "");
    }
    let mut tried = 0;
    for (log, which) in [
        ("incident.jsonl", vec![]),
        ("incident.jsonl", vec!["--event", "1"]),
        ("incident.jsonl", vec!["--event", "4"]),
        ("outpost-gpu.jsonl", vec![]),
        ("outpost-gpu.jsonl", vec!["--event", "2"]),
        ("runpod-balanced.jsonl", vec![]),
        ("runpod-balanced.jsonl", vec!["--event", "-1"]),
    ] {
        let json = explain(&folder, &[&[log], &which[..]].concat());
        let line = usize::try_from(json["line"].as_u64().unwrap()).unwrap();
        let text = fs::read_to_string(folder.join(log)).unwrap();
        let records: Vec<_> = text.lines().take(line).map(|line| serde_json::from_str(line).unwrap()).collect();
        tried += verify(log, &records, &json);
    }
    assert!(tried > 40, "{tried}");
}

#[test]
fn the_same_input_explains_itself_in_the_same_bytes() {
    let folder = program::folder("explain", "bytes");
    for args in [&["--event", "4"][..], &["--event", "4", "--json"]] {
        assert_eq!(program::printed("explain", &folder, args), program::printed("explain", &folder, args));
    }
    beginning(&folder, 300);
    let args = ["preset:runpod-batch", "preset:outpost-gpu", "--workload", "short.csv", "--json"];
    assert_eq!(program::printed("diff", &folder, &args), program::printed("diff", &folder, &args));
}

/// A long way is cut short: it is gone through again from a state in its midst.
#[test]
fn explain_goes_back_no_further_than_it_is_told() {
    let folder = program::folder("explain", "reach");
    let of = |args: &[&str]| explain(&folder, args)["counterfactuals"].clone();
    let (whole, cut) = (of(&[]), of(&["--reach", "3"]));
    assert_eq!((&whole["from_line"], &whole["records"]), (&1.into(), &26.into()));
    assert_eq!((&cut["from_line"], &cut["records"]), (&22.into(), &5.into()));
    assert_eq!(cut["changes"][0], whole["changes"][0], "the delay is known from the state");
}
