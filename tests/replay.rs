//! The replay example from end to end: its binary is run as a user runs it.
#![allow(clippy::unwrap_used, reason = "these are tests, their helpers too")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;

#[path = "program/run.rs"]
mod program;

fn folder(test: &str) -> PathBuf {
    program::folder("replay", test)
}

fn replay(folder: &Path, args: &[&str]) -> Output {
    program::run("replay", folder, args)
}

fn printed(folder: &Path, args: &[&str]) -> String {
    program::printed("replay", folder, args)
}

fn summary(folder: &Path, args: &[&str]) -> Value {
    serde_json::from_str(&printed(folder, &[args, &["--json"]].concat())).unwrap()
}

fn page(folder: &Path) -> String {
    fs::read_to_string(folder.join("replay-report").join("report.html")).unwrap()
}

#[test]
fn without_arguments_it_replays_the_built_in_hour() {
    let folder = folder("default");
    let table = printed(&folder, &[]);
    for part in ["outpost-gpu", "8,819", "Sojourn p99", "Cost at 2.5", "report.html", "CC-BY 4.0", "data/NOTICES.md"] {
        assert!(table.contains(part), "{part} is not in:\n{table}");
    }
    let page = page(&folder);
    for part in ["<svg", "8,819", "Sojourn p99", "CC-BY 4.0", "1 request waits and there is no worker", "</html>"] {
        assert!(page.contains(part), "{part} is not in the report");
    }
    assert!(!page.contains("NaN"));
    let files: Vec<_> =
        fs::read_dir(folder.join("replay-report")).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(files, ["report.html"], "nothing unfinished is left");
}

#[test]
fn the_json_log_has_every_decision_with_its_reason() {
    let folder = folder("json");
    let output = printed(&folder, &["--log", "json", "--json"]);
    let mut lines: Vec<Value> = output.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let summary = lines.pop().unwrap();
    assert_eq!((&summary["requests"], &summary["finished"]), (&8819.into(), &8819.into()));
    assert_eq!(
        (&summary["lost"], &summary["unserved"], &summary["refused_observations"]),
        (&0.into(), &0.into(), &0.into())
    );
    assert_eq!(summary["decisions"], lines.len());
    let changes: Vec<_> = lines.iter().filter(|line| line["from"] != line["to"]).collect();
    assert_eq!(summary["scaling_events"], changes.len());
    assert!(changes.iter().filter(|line| line["to"] == 0).count() > 3, "the silences bring it to zero");
    assert_eq!(page(&folder).matches("<tr><td>").count(), changes.len(), "the report has every event");
    let mut count = Value::from(0);
    for line in &lines {
        assert_eq!(line["from"], count, "{line}");
        assert!(line["reason"].as_str().is_some_and(|reason| !reason.trim().is_empty()), "{line}");
        assert!(line["code"].as_str().is_some_and(|code| !code.is_empty()), "{line}");
        assert!(line["from"] != line["to"] || line["commands"].as_array().is_some_and(|all| !all.is_empty()), "{line}");
        count = line["to"].clone();
    }
}

#[test]
fn the_text_log_has_a_line_for_each_decision() {
    let folder = folder("text");
    for preset in ["outpost-gpu", "runpod-batch"] {
        let log = printed(&folder, &["--preset", preset, "--log", "text", "--quiet", "--no-report"]);
        let summary = summary(&folder, &["--preset", preset, "--no-report"]);
        assert_eq!(summary["decisions"], log.lines().count(), "{preset}");
        let changes = log.lines().filter(|line| line.contains(" → ")).count();
        assert_eq!(summary["scaling_events"], changes, "{preset}");
        for line in log.lines() {
            let (time, rest) = line.split_once("  ").unwrap();
            let (_, reason) = rest.split_once(": ").unwrap();
            assert!(time.split(':').all(|part| part.parse::<u32>().is_ok()) && !reason.is_empty(), "{line}");
        }
        assert!(log.starts_with("0:00:00  0 → 1: 1 request waits"), "{log}");
    }
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let (one, other) = (folder("bytes-one"), folder("bytes-other"));
    let args = |seed| ["--log", "json", "--json", "--start-spread", "0.3", "--seed", seed];
    assert_eq!(printed(&one, &args("7")), printed(&other, &args("7")));
    assert_eq!(page(&one), page(&other));
    assert_ne!(printed(&one, &args("7")), printed(&one, &args("8")));
}

#[test]
fn configurations_are_read_in_every_form() {
    let folder = folder("config");
    let files = [
        (
            "outpost.yaml",
            "replica_policy:\n  min_replicas: 0\n  max_replicas: 5\n  target_qps_per_replica: 2\n  \
             upscale_delay_seconds: 15\n  downscale_delay_seconds: 90\n",
            5,
        ),
        ("runpod.toml", "[runpod]\nmin_workers = 1\nmax_workers = 7\nidle_timeout = \"60s\"\nflash_boot = true\n", 7),
        ("runpod.json", r#"{"Min Workers": 1, "Max Workers": 6, "Idle Timeout": 60, "Request Count": 2}"#, 6),
        ("preset.yml", "preset: runpod-balanced\nmax: 12\n", 12),
    ];
    for (name, text, max) in files {
        fs::write(folder.join(name), text).unwrap();
        let summary = summary(&folder, &["--config", name]);
        assert_eq!((&summary["config"], &summary["max_workers"]), (&name.into(), &max.into()));
        assert_eq!(summary["requests"], 8819, "{name}");
        assert!(summary["scaling_events"].as_u64() > Some(0), "{name}");
        assert!(summary["peak_workers"].as_u64() <= Some(max), "{name}");
        assert!(page(&folder).contains(&format!("under {name}")));
    }
}

#[test]
fn the_configuration_is_explained_setting_by_setting() {
    let folder = folder("explain");
    let yaml = "replica_policy:\n  max_replicas: 5\n  target_qps_per_replica: 2\nwindow: 30s\n";
    fs::write(folder.join("service.yaml"), yaml).unwrap();
    let row = |args: &[&str], setting: &str| -> Vec<String> {
        let table = printed(&folder, &[args, &["--explain-config"]].concat());
        assert_eq!(table.lines().count(), 29, "one line for each setting:\n{table}");
        let line = table.lines().find(|line| line.split(' ').next() == Some(setting)).unwrap();
        line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).map(str::to_owned).collect()
    };
    let file = ["--config", "service.yaml", "--concurrency", "3"];
    assert_eq!(row(&file, "max"), ["max", "5", "file"]);
    assert_eq!(row(&file, "window"), ["window", "30 s", "file"]);
    assert_eq!(row(&file, "down_delay"), ["down_delay", "20 min", "default of replica_policy"]);
    assert_eq!(row(&file, "concurrency"), ["concurrency", "3", "override by --concurrency"]);
    assert_eq!(row(&file, "freshness"), ["freshness", "60 s", "default"]);
    assert_eq!(row(&[], "down_delay"), ["down_delay", "2 min", "preset outpost-gpu"]);
    assert_eq!(row(&["--preset", "runpod-batch"], "max"), ["max", "20", "preset runpod-batch"]);

    let json = summary(&folder, &[&file[..], &["--explain-config"]].concat());
    assert_eq!(json["concurrency"], serde_json::json!({"value": 3, "origin": "override", "name": "--concurrency"}));
    assert_eq!(json["window"], serde_json::json!({"value": 30, "origin": "file"}));
    assert!(!folder.join("replay-report").exists(), "nothing is replayed");
    let missing = replay(&folder, &["--config", "none.yaml", "--explain-config"]);
    assert_eq!((missing.status.code(), missing.stdout), (Some(2), vec![]));
}

#[test]
fn what_the_command_line_says_is_done() {
    let folder = folder("options");
    let rows: Vec<_> = (0..300).map(|i| format!("{},800", i * 150)).collect();
    fs::write(folder.join("short.csv"), format!("arrival_ms,service_ms\n{}\n", rows.join("\n"))).unwrap();
    let with = |args: &[&str]| summary(&folder, &[args, &["--no-report"]].concat());
    let of = |args: &[&str]| with(&[&["short.csv"], args].concat());
    let usual = of(&[]);
    assert!(!folder.join("replay-report").exists(), "no report, no folder");
    for same in [["--cold-start", "20"], ["--cold-start", "20000ms"], ["--warm-start", "0.1m"], ["--price", "2.5"]] {
        assert_eq!(of(&same), usual, "{same:?}");
    }
    let faster = of(&["--cold-start", "1.5s"]);
    assert!(faster["sojourn_p99_s"].as_f64() < usual["sojourn_p99_s"].as_f64());
    assert_ne!(of(&["--concurrency", "8"]), usual);
    let free = of(&["--price", "0"]);
    assert_eq!((&free["cost"], &free["replica_hours"]), (&0.0.into(), &usual["replica_hours"]));
    assert_eq!(printed(&folder, &["short.csv", "--quiet", "--no-report"]), "");

    fs::write(folder.join("rates.csv"), "t_s,requests\n0,100\n60,0\n120,50\n").unwrap();
    fs::write(folder.join("pools.csv"), "arrival_ms,service_ms,pool\n0,5,0\n10,5,1\n20,5,1\n").unwrap();
    assert_eq!(with(&["rates.csv", "--service", "2s"])["requests"], 150);
    assert_eq!(with(&["rates.csv", "--divide", "10"])["requests"], 15);
    assert_eq!(with(&["pools.csv", "--pool", "1"])["requests"], 2);
    let table = printed(&folder, &["rates.csv", "--out", "deep/er"]);
    assert!(table.contains("rates.csv under outpost-gpu") && !table.contains("CC-BY"), "{table}");
    assert!(folder.join("deep").join("er").join("report.html").exists());
}

/// The kept flight log; the tests of the recorder say how it came about.
fn incident() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded/incident.jsonl")).unwrap()
}

const SHORTER: &str = "replica_policy: {min_replicas: 1, max_replicas: 10, target_qps_per_replica: 2.5, \
                       upscale_delay_seconds: 30}\n";

#[test]
fn what_was_recorded_is_reproduced() {
    let folder = folder("reproduced");
    for preset in ["outpost-gpu", "runpod-high-performance"] {
        let simulate = ["--preset", preset, "--no-report", "--json"];
        let plain = printed(&folder, &simulate);
        assert_eq!(printed(&folder, &[&simulate[..], &["--record", "hour.jsonl"]].concat()), plain, "{preset}");
        let summary = summary(&folder, &["--flight-log", "hour.jsonl"]);
        assert!(summary["observations"].as_u64() > Some(30_000), "{summary}");
        assert!(summary["decisions"].as_u64() > Some(500), "{summary}");
        assert_eq!((&summary["differ"], &summary["config"]), (&0.into(), &Value::Null));
    }
    fs::write(folder.join("incident.jsonl"), incident()).unwrap();
    let words = printed(&folder, &["--flight-log", "incident.jsonl"]);
    assert!(words.contains("38 decisions in 0:11:40\nEvery decision is reproduced, byte for byte.\n"), "{words}");
    assert_eq!(printed(&folder, &["--flight-log", "incident.jsonl", "--quiet", "--log", "json"]), "");
    let settings = printed(&folder, &["--flight-log", "incident.jsonl", "--explain-config"]);
    assert!(settings.lines().any(|line| line.starts_with("up_delay ") && line.contains("5 min")), "{settings}");
}

#[test]
fn another_configuration_shows_decision_by_decision_what_it_changes() {
    let folder = folder("what-if");
    fs::write(folder.join("incident.jsonl"), incident()).unwrap();
    fs::write(folder.join("other.yaml"), SHORTER).unwrap();
    let log = ["--flight-log", "incident.jsonl"];
    let what_if = [&log[..], &["--config", "other.yaml"]].concat();
    let words = printed(&folder, &what_if);
    for part in [
        "incident.jsonl under other.yaml",
        "As recorded",
        "held at 1 by the up delay until",
        "up delay 30 s met",
        "the first at 0:01:",
        "Worker-hours wanted: ",
        "1 recorded reconfigurations are left out",
    ] {
        assert!(words.contains(part), "{part} is not in:\n{words}");
    }
    let json = printed(&folder, &[&what_if[..], &["--log", "json", "--json"]].concat());
    let mut lines: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let summary = lines.pop().unwrap();
    assert_eq!(summary["differ"], lines.len());
    assert_eq!(summary["first_difference"], lines[0]);
    assert!(summary["worker_hours_replayed"].as_f64() > summary["worker_hours_recorded"].as_f64());
    let recorded: Vec<_> = incident().lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect();
    for line in &lines {
        let number = usize::try_from(line["line"].as_u64().unwrap()).unwrap();
        let decision = &recorded[number - 1]["decided"]["decision"];
        assert_eq!((&line["at"], &line["recorded"]["desired"]), (&decision["at"], &decision["desired"]));
        assert_eq!(line["recorded"]["commands"], decision["commands"]);
        assert!(line["replayed"]["text"].as_str().is_some_and(|text| !text.is_empty()), "{line}");
    }
    let text = printed(&folder, &[&what_if[..], &["--log", "text", "--quiet"]].concat());
    assert_eq!(text.lines().filter(|line| line.starts_with("  instead   ")).count(), lines.len());

    let preset = self::summary(&folder, &[&log[..], &["--preset", "outpost-gpu"]].concat());
    assert_eq!(preset["config"], "outpost-gpu");
    let slots = self::summary(&folder, &[&log[..], &["--concurrency", "9"]].concat());
    assert_eq!(slots["config"], "--concurrency 9");
    assert_eq!(slots["worker_hours_recorded"], preset["worker_hours_recorded"]);
}

/// What a crash leaves is replayed up to the crash, by itself or with what the next process appended.
#[test]
fn a_log_that_breaks_off_is_replayed_up_to_there() {
    let folder = folder("cut");
    let whole = incident();
    let head = whole.lines().next().unwrap();
    let run = |text: &str| {
        fs::write(folder.join("cut.jsonl"), text).unwrap();
        (summary(&folder, &["--flight-log", "cut.jsonl"]), printed(&folder, &["--flight-log", "cut.jsonl"]))
    };
    let cut = &whole[..whole.len() - 700];
    let last = cut.lines().count();
    let (json, words) = run(cut);
    assert_eq!(
        (&json["cut_off"], &json["differ"], &json["starts"]),
        (&serde_json::json!([last]), &0.into(), &2.into())
    );
    assert!(words.contains(&format!("Line {last} is cut off, as by a crash")), "{words}");
    let (json, _) = run(&format!("{cut}\n\n{head}\n"));
    assert_eq!((&json["cut_off"], &json["starts"]), (&serde_json::json!([last]), &3.into()));
    let (json, _) = run(&whole[..whole.len() - 1]);
    assert_eq!(json["cut_off"], serde_json::json!([]), "only the line's end is missing");
}

#[test]
fn a_log_that_is_not_reproduced_is_named_with_its_line() {
    let folder = folder("differs");
    let whole = incident();
    let (number, line) = (1..).zip(whole.lines()).filter(|(_, line)| line.starts_with(r#"{"decided"#)).nth(5).unwrap();
    let refused = (1..).zip(whole.lines()).find(|(_, line)| line.contains(r#""refused""#)).unwrap();
    let cases = [
        (whole.replacen(line, &line.replacen(r#""sequence":"#, r#""sequence":9"#, 1), 1), number, "\"sequence\":9", 1),
        (whole.replacen(line, &line.replacen(r#""desired":1"#, r#""desired":4"#, 1), 1), number, "the log has `", 1),
        (whole.replacen("is not usable", "is usable", 1), refused.0, "arrival rate NaN is not usable", 0),
    ];
    for (text, number, part, decisions) in cases {
        fs::write(folder.join("other.jsonl"), text).unwrap();
        let output = replay(&folder, &["--flight-log", "other.jsonl", "--json"]);
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{message}");
        assert!(message.starts_with(&format!("error: other.jsonl, line {number}: not reproduced: ")), "{message}");
        assert!(
            message.contains(part) && message.contains(&format!("; {decisions} of 38 decisions differ")),
            "{message}"
        );
        let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(summary["first_difference"]["line"], number);
    }
}

#[test]
fn a_damaged_log_is_refused_with_line_and_remedy() {
    let folder = folder("damaged");
    let whole = incident();
    let lines: Vec<_> = whole.lines().collect();
    let with = |number: usize, line: &str| {
        let mut lines = lines.clone();
        lines[number - 1] = line;
        lines.join("\n")
    };
    let files = [
        ("empty.jsonl", "\n".to_owned()),
        ("headless.jsonl", lines[1..].join("\n")),
        ("newer.jsonl", with(1, &lines[0].replacen(r#""version":1"#, r#""version":7"#, 1))),
        ("word.jsonl", with(9, "soon")),
        ("cut.jsonl", with(9, &lines[8][..20])),
        ("cuts.jsonl", lines[..4].join("\n") + "\n{\n{\n"),
        ("kind.jsonl", with(9, r#"{"heard":{}}"#)),
        ("head.jsonl", lines[0][..90].to_owned()),
        ("workload.csv", "arrival_ms,service_ms\n0,5\n".to_owned()),
    ];
    for (name, text) in files {
        fs::write(folder.join(name), text).unwrap();
    }
    let cases: [(&[&str], &[&str]); 14] = [
        (&["none.jsonl"], &["none.jsonl: cannot be opened", "check the path"]),
        (&["empty.jsonl"], &["empty.jsonl: the file has no record"]),
        (&["headless.jsonl"], &["headless.jsonl, line 1: a flight log begins with its head"]),
        (&["newer.jsonl"], &["newer.jsonl, line 1", "version 7", "reads version 1 only", "release that wrote it"]),
        (&["word.jsonl"], &["word.jsonl, line 9, column 1: expected value", "head -n 8 word.jsonl"]),
        (&["cut.jsonl"], &["cut.jsonl, line 9, column 20: EOF", "head -n 8 cut.jsonl"]),
        (&["cuts.jsonl"], &["cuts.jsonl, line 5, column 1: EOF", "head -n 4 cuts.jsonl"]),
        (&["kind.jsonl"], &["kind.jsonl, line 9", "unknown variant `heard`", "head -n 8"]),
        (&["head.jsonl"], &["head.jsonl, line 1", "expected a flight log from its beginning"]),
        (&["workload.csv"], &["workload.csv, line 1", "expected a flight log"]),
        (&["word.jsonl", "--cold-start", "5s"], &["cannot be used with", "--cold-start"]),
        (&["word.jsonl", "workload.csv"], &["cannot be used with"]),
        (&["word.jsonl", "--record", "again.jsonl"], &["cannot be used with", "--record"]),
        (&["word.jsonl", "--config", "none.yaml"], &["none.yaml: cannot be read"]),
    ];
    for (args, parts) in cases {
        let output = replay(&folder, &[&["--flight-log"], args].concat());
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {message}");
        assert_eq!(output.stdout, b"", "{args:?}");
        for part in parts {
            assert!(message.contains(part), "{args:?}: {part:?} is not in: {message}");
        }
    }
    let output = replay(&folder, &["--record", "no/folder/here.jsonl", "--no-report"]);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.starts_with("error: no/folder/here.jsonl: the flight log cannot be written: "), "{message}");
}

#[test]
fn advice_is_shown() {
    let folder = folder("advice");
    let table = printed(&folder, &["--preset", "runpod-low-cost"]);
    assert!(table.contains("raise max to"), "{table}");
    assert!(page(&folder).contains("raise max to"));
    let summary = summary(&folder, &["--preset", "runpod-low-cost"]);
    assert_eq!(summary["lints"][0]["code"], "max_too_low");
}

#[test]
fn help_lists_the_presets() {
    let folder = folder("help");
    let help = printed(&folder, &["--help"]);
    for preset in plimsoll::Preset::ALL {
        assert!(help.contains(preset.name()) && help.contains(preset.description()), "{preset} is not in:\n{help}");
    }
}

/// One message that says where and what, exit code 2, and no trace of a result.
#[test]
fn what_cannot_be_used_is_refused() {
    let files = [
        ("empty.csv", ""),
        ("word.csv", "arrival_ms,service_ms\n0,5\n7,soon\n"),
        ("short.csv", "arrival_ms,service_ms\n0,5\n7\n"),
        ("unsorted.csv", "arrival_ms,service_ms\n9,5\n7,5\n"),
        ("column.csv", "arrival_ms,duration\n0,5\n"),
        ("header.csv", "time,duration\n0,5\n"),
        ("one.csv", "arrival_ms,service_ms\n0,5\n"),
        ("rates.csv", "t_s,requests\n0,9\n60,9\n"),
        ("range.yaml", "runpod:\n  max_workers: 3\n  idle_timeout: 2-5 minutes\n"),
        ("bounds.yaml", "min: 5\nmax: 3\npolicy:\n  outpost:\n    target_qps_per_replica: 2\n"),
        ("word.toml", "[runpod]\nmax_workers = 3\nidle_timeout = \"soon\"\n"),
        ("unknown.json", "{\n  \"max\": 3,\n  \"maximum\": 4\n}"),
        ("empty.yaml", "\n"),
        ("plain.txt", "max: 3\n"),
    ];
    let cases: [(&[&str], &[&str]); 24] = [
        (&["empty.csv"], &["empty.csv", "is empty", "arrival_ms"]),
        (&["word.csv"], &["word.csv, line 3, column `service_ms`", "found \"soon\"", "expected a whole number"]),
        (&["short.csv"], &["short.csv, line 3", "found 1 fields, expected 2"]),
        (&["unsorted.csv"], &["unsorted.csv, line 3, column `arrival_ms`", "found 7 after 9", "in order of time"]),
        (&["column.csv"], &["column.csv, line 1", "column `service_ms` is missing"]),
        (&["header.csv"], &["header.csv, line 1", "expected a header with column `arrival_ms`"]),
        (&["none.csv"], &["none.csv", "cannot be opened", "check the path"]),
        (&["."], &["reading failed"]),
        (&["one.csv", "--divide", "2"], &["one.csv, line 1", "--divide is for rate-level files"]),
        (&["rates.csv", "--pool", "2"], &["rates.csv, line 1", "--pool is for request-level files"]),
        (
            &["rates.csv", "--max-requests", "10"],
            &["rates.csv, line 3", "10 requests", "allow more with --max-requests"],
        ),
        (&["--pool", "1"], &["column `pool` is missing"]),
        (&["--config", "range.yaml"], &["range.yaml, line 3", "idle_timeout (2-5 minutes) is a range"]),
        (&["--config", "bounds.yaml"], &["bounds.yaml", "min (5) must be at most max (3)"]),
        (&["--config", "word.toml"], &["word.toml, line 3, column 16", "expected idle_timeout as seconds"]),
        (&["--config", "unknown.json"], &["unknown.json, line 3", "unknown field `maximum`"]),
        (&["--config", "empty.yaml"], &["empty.yaml", "is empty"]),
        (&["--config", "plain.txt"], &["plain.txt", ".yaml, .yml, .toml or .json"]),
        (&["--config", "none.yaml"], &["none.yaml", "cannot be read"]),
        (&["--config", "range.yaml", "--preset", "outpost-gpu"], &["cannot be used with"]),
        (&["--preset", "outpost"], &["outpost", "runpod-low-cost", "outpost-development"]),
        (&["--cold-start", "5 parsecs"], &["5 parsecs", "such as 20s, 250ms or 1.5"]),
        (&["--start-spread", "2"], &["between 0 and 1"]),
        (&["--concurrency", "0"], &["--concurrency", "must be above zero"]),
    ];
    let folder = folder("refused");
    for (name, text) in files {
        fs::write(folder.join(name), text).unwrap();
    }
    for (args, parts) in cases {
        for args in [args.to_vec(), [args, &["--json", "--log", "json"]].concat()] {
            let output = replay(&folder, &args);
            let message = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(2), "{args:?}: {message}");
            assert_eq!(output.stdout, b"", "{args:?}");
            assert!(message.starts_with("error: ") && message.matches("error:").count() == 1, "{args:?}: {message}");
            for part in parts {
                assert!(message.contains(part), "{args:?}: {part:?} is not in: {message}");
            }
            assert!(!folder.join("replay-report").exists(), "{args:?} leaves a folder");
        }
    }
}

/// A platform with some of every trouble.
const PLATFORM: &str = "\
cold_start: 15s
price_per_hour: 3.6
retries: 2
slowdown: 0.1
router: least_loaded
starts: { takes: { lognormal: { cv: 0.5 } }, crash: 0.2, shortages: { every: 10m, lasts: 1m } }
spot: { mean_life: 5m, notice: 20s }
prices: { billed_by: 1m, standby: 0.1 }
metrics: { told: gauges, every: 5s, lost: 0.05 }
delivery: { late: 500ms, twice: 0.1 }
clock: [{ at: 20m, by_seconds: -30 }]
";

#[test]
fn a_platform_is_read_from_a_file() {
    let folder = folder("platform");
    fs::write(folder.join("spot.yaml"), PLATFORM).unwrap();
    fs::write(folder.join("plain.toml"), "cold_start = 20\nwarm_start = \"2s\"\nprice_per_hour = 2.5\n").unwrap();
    let with = |args: &[&str]| summary(&folder, &[args, &["--no-report"]].concat());
    assert_eq!(with(&["--platform", "plain.toml"]), with(&[]));
    let troubled = with(&["--platform", "spot.yaml"]);
    let count = |what: &Value| what.as_u64().unwrap();
    assert!(count(&troubled["failures"]["crash"]) > 0 && count(&troubled["failures"]["preempted"]) > 0, "{troubled}");
    assert!(troubled["costs"]["rounding"].as_f64() > Some(0.0), "{troubled}");
    let ends = ["finished", "lost", "unserved"].map(|end| count(&troubled[end]));
    assert_eq!(ends.into_iter().sum::<u64>(), 8819);
    assert_ne!(with(&["--platform", "spot.yaml", "--seed", "1"]), troubled);
    let table = printed(&folder, &["--platform", "spot.yaml", "--no-report"]);
    assert!(table.contains("Failures") && table.contains("crashed"), "{table}");

    // Of workers that differ there is no bound, and nothing is said of it.
    fs::write(folder.join("classes.yaml"), "classes: [{name: owned, limit: 1}, {name: rented, speed: 2}]\n").unwrap();
    assert_eq!(with(&["--platform", "classes.yaml"])["over_bound"], Value::Null);
    assert!(!printed(&folder, &["--platform", "classes.yaml", "--no-report"]).contains("÷ bound"));
    assert!(table.contains("÷ bound for "), "{table}");

    fs::write(folder.join("word.yaml"), "cold_start: 15s\nstart:\n  crash: 0.2\n").unwrap();
    fs::write(folder.join("price.json"), "{\"price_per_hour\": -1}").unwrap();
    let cases: [(&[&str], &str); 4] = [
        (&["--platform", "word.yaml"], "error: word.yaml, line 2, column 1: unknown field `start`"),
        (&["--platform", "price.json"], "error: price.json: price_per_hour = -1: a price is a number from 0 up"),
        (&["--platform", "none.yaml"], "error: none.yaml: cannot be read"),
        (&["--platform", "spot.yaml", "--cold-start", "5s"], "cannot be used with"),
    ];
    for (args, part) in cases {
        let output = replay(&folder, args);
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && message.contains(part), "{args:?}: {message}");
    }
}

#[test]
fn a_report_that_cannot_be_written_is_an_error_of_its_own() {
    let folder = folder("unwritable");
    fs::write(folder.join("file"), "in the way").unwrap();
    let output = replay(&folder, &["--out", "file"]);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.starts_with("error: file: the report cannot be written"), "{message}");
    assert_eq!(output.stdout, b"");
}
