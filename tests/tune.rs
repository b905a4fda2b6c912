//! The tune example from end to end: its binary is run as a user runs it, on small workloads.
#![allow(clippy::unwrap_used, reason = "these are tests, their helpers too")]
#![allow(clippy::float_arithmetic, clippy::arithmetic_side_effects, reason = "numbers to compare with")]

use core::fmt::Write as _;
use core::time::Duration;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use plimsoll::recorder::Record;
use plimsoll::sim::{Options, ReadOptions, Workload, simulate_recorded};
use plimsoll::{Config, Observation, Timestamp};
use serde_json::Value;

/// Cargo builds examples before it runs tests, next to the tests' own binaries.
fn binary(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    let binary = profile.join("examples").join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(binary.exists(), "{} is missing: run all tests, or cargo build --example {name}", binary.display());
    binary
}

/// A folder of this test's own, with the workload `small.csv`: ten minutes, 850 requests, three at once.
fn folder(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("tune").join(test);
    if folder.exists() {
        fs::remove_dir_all(&folder).unwrap();
    }
    fs::create_dir_all(&folder).unwrap();
    let mut csv = "arrival_ms,service_ms\n".to_owned();
    for i in 0..850_u64 {
        writeln!(csv, "{},{}", i * 700 + i * i * 37 % 650, 1_000 + i * 7_919 % 2_000).unwrap();
    }
    fs::write(folder.join("small.csv"), csv).unwrap();
    folder
}

/// Few runs, few of them at a time.
const SMALL: [&str; 9] =
    ["small.csv", "--cold-start", "5s", "--max", "20", "--budget", "16", "--quiet", "--policy=runpod-queue-delay"];

fn tune(folder: &Path, args: &[&str]) -> Output {
    Command::new(binary("tune")).args(args).current_dir(folder).output().unwrap()
}

/// What a run that must succeed prints.
fn printed(folder: &Path, args: &[&str]) -> String {
    let output = tune(folder, args);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{args:?}: {errors}");
    assert_eq!(errors, "", "{args:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn found(folder: &Path, args: &[&str]) -> Value {
    serde_json::from_str(&printed(folder, &[args, &["--json"]].concat())).unwrap()
}

fn written(folder: &Path, file: &str) -> String {
    fs::read_to_string(folder.join(file)).unwrap()
}

#[test]
fn the_same_seed_gives_the_same_bytes_on_any_number_of_threads() {
    let folder = folder("bytes");
    let run = |seed, threads, out| {
        let args = ["--policy=concurrency", "--seed", seed, "--threads", threads, "--out", out];
        (
            printed(&folder, &[&SMALL[..], &args, &["--json"]].concat()),
            ["recommended.yaml", "tune.html"].map(|file| written(&folder, &format!("{out}/{file}"))),
        )
    };
    let one = run("7", "1", "one");
    assert_eq!(one, run("7", "3", "other"));
    assert_ne!(one.0, run("8", "3", "third").0);
    assert!(!one.1[1].contains("NaN") && one.1[1].ends_with("</html>\n"));
}

/// The figures that are stated come out again: those of the whole workload by the replay example, those of what was held
/// out by counting in a flight log.
#[test]
fn the_recommended_file_does_what_it_says() {
    let folder = folder("recommended");
    let found = found(&folder, &SMALL);
    let file = written(&folder, "tune-report/recommended.yaml");
    let args = ["small.csv", "--config", "tune-report/recommended.yaml", "--cold-start", "5s", "--json", "--no-report"];
    let output = Command::new(binary("replay")).args(args).current_dir(&folder).output().unwrap();
    let replayed: Value = serde_json::from_slice(&output.stdout).unwrap();
    let whole = &found["whole"];
    for (here, there) in [
        ("replica_hours", "replica_hours"),
        ("within_target", "within_target"),
        ("cold_starts", "cold_starts"),
        ("peak_workers", "peak_workers"),
    ] {
        assert_eq!(whole[here], replayed[there], "{here}");
    }
    let hours = whole["replica_hours"].as_f64().unwrap();
    assert!(file.contains(&format!("All of it, from an empty pool: {hours:.2} worker hours")), "{file}");

    let config: Config = serde_saphyr::from_str(&file).unwrap();
    let workload = fs::File::open(folder.join("small.csv")).unwrap();
    let workload = Workload::read("small.csv", workload, &ReadOptions::default()).unwrap();
    let mut options = Options::default();
    options.cold_start = Duration::from_secs(5);
    let split = Timestamp::from_elapsed(Duration::from_secs_f64(found["held_out_s"][0].as_f64().unwrap()));
    let (mut arrived, mut in_time) = (0_u64, 0_u64);
    simulate_recorded(&workload, &config, &options, &mut (), &mut |record| {
        let Record::Observed { at, observation, .. } = record else { return };
        match observation {
            Observation::Arrived { count, .. } if *at >= split => arrived += u64::from(*count),
            Observation::Started { sojourn, .. } if *sojourn <= Duration::from_secs(1) => {
                in_time += u64::from(
                    at.saturating_since(Timestamp::from_elapsed(*sojourn)) >= split.saturating_since(Timestamp::ORIGIN),
                );
            }
            _ => {}
        }
    });
    let held = &found["policies"][0]["held_out"];
    assert_eq!(held["requests"], arrived);
    let within = f64::from(u32::try_from(in_time).unwrap()) / f64::from(u32::try_from(arrived).unwrap());
    assert!((held["within"].as_f64().unwrap() - within).abs() < 1e-9, "{held}: {in_time} of {arrived}");
}

/// Nothing that was tried is better than what was recommended, and nothing is below the bound.
#[test]
fn the_cheapest_that_keeps_the_objective_is_chosen() {
    let folder = folder("cheapest");
    let found = found(&folder, &[&SMALL[..], &["--policy=runpod-request-count"]].concat());
    let hours = |of: &Value| of["verdict"]["worker_hours"].as_f64().unwrap();
    let policies = found["policies"].as_array().unwrap();
    assert_eq!(policies.len(), 2);
    let chosen = policies.iter().find(|policy| policy["policy"] == found["recommended"]).unwrap();
    let verdict = &chosen["verdict"];
    for figure in ["within", "within_at_least", "within_bad_day"] {
        assert!(verdict[figure].as_f64().unwrap() >= 0.99, "{figure}: {verdict}");
    }
    let least = found["possible"]["least"].as_f64().unwrap();
    assert!(hours(chosen) > least);
    for policy in policies {
        for tried in policy["tried"].as_array().unwrap() {
            let keeps = tried["verdict"]["keeps_objective"].as_bool().unwrap();
            assert!(!keeps || hours(tried) > hours(chosen) * 0.997, "{tried} is cheaper than {chosen}");
        }
    }
    for reason in found["reasons"].as_array().unwrap() {
        assert!(reason["why"].as_str().is_some_and(|why| why.len() > 10), "{reason}");
    }
    let reasons = found["reasons"].as_array().unwrap();
    // Some value is needed: another one costs more, or misses the objective.
    let worse = |other: &Value| other["keeps_objective"] == false || other["costs_more"].as_f64() > Some(0.01);
    let matters = |reason: &Value| worse(&reason["halved"]) || worse(&reason["doubled"]);
    assert!(reasons.iter().any(matters), "{reasons:?}");
}

#[test]
fn a_given_configuration_is_begun_with_and_its_other_settings_stay() {
    let folder = folder("given");
    let yaml = "replica_policy: {max_replicas: 30, target_qps_per_replica: 0.1}\nfreshness: 30s\nstandby: 1\n";
    fs::write(folder.join("service.yaml"), yaml).unwrap();
    let args = ["small.csv", "--cold-start", "5s", "--budget", "8", "--quiet", "--config", "service.yaml"];
    let found = found(&folder, &args);
    let policy = &found["policies"][0];
    assert_eq!((&policy["policy"], found["policies"].as_array().map(Vec::len)), (&"outpost".into(), Some(1)));
    let given = &policy["as_given"]["verdict"];
    assert_eq!(given, &policy["tried"][0]["verdict"]);
    assert!(policy["verdict"]["worker_hours"].as_f64() < given["worker_hours"].as_f64());
    let config: Config = serde_saphyr::from_str(&written(&folder, "tune-report/recommended.yaml")).unwrap();
    assert_eq!((config.max(), config.standby(), config.freshness()), (30, 1, Duration::from_secs(30)));
    assert_eq!(config.sojourn_target(), Duration::from_secs(1));
    let table = printed(&folder, &args);
    for part in ["as it was given", "→ outpost", "Recommended: outpost", "Held out, minutes 7 to 10"] {
        assert!(table.contains(part), "{part} is not in:\n{table}");
    }
}

#[test]
fn an_objective_out_of_reach_is_refused_with_what_stands_in_the_way() {
    let folder = folder("impossible");
    let bursts: Vec<_> = (0..480_u64).map(|i| format!("{},500", i / 20 * 7_200_000)).collect();
    fs::write(folder.join("bursts.csv"), format!("arrival_ms,service_ms\n{}\n", bursts.join("\n"))).unwrap();
    let asleep = ["bursts.csv", "--min", "0", "--share", "0.95", "--within", "100ms", "--cold-start", "5s"];
    let asleep = [&asleep[..], &["--quiet", "--budget", "8", "--policy", "concurrency"]].concat();
    let small = ["small.csv", "--max", "1", "--cold-start", "5s", "--quiet", "--budget", "8", "--policy", "outpost"];
    let cases: [(&[&str], &[&str]); 2] = [
        (&small, &["max (1) is too low", "raise --max (", " all the time just keep it)"]),
        (&asleep, &["a worker takes 5 s to start and a request may wait for 100 ms", "leave --min out"]),
    ];
    for (args, parts) in cases {
        let output = tune(&folder, args);
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{args:?}: {message}");
        assert!(message.starts_with("error: no configuration keeps the objective"), "{message}");
        let page = written(&folder, "tune-report/tune.html");
        for part in [parts, &["nearest: "]].concat() {
            assert!(message.contains(part), "{args:?}: {part:?} is not in: {message}");
            assert!(page.contains(part), "{part:?} is not on the page");
        }
        assert!(!folder.join("tune-report/recommended.yaml").exists());
        fs::remove_dir_all(folder.join("tune-report")).unwrap();
    }
}

#[test]
fn what_cannot_be_used_is_named_with_what_to_do() {
    let folder = folder("refused");
    fs::write(folder.join("short.csv"), "arrival_ms,service_ms\n0,10\n60000,10\n").unwrap();
    fs::write(folder.join("few.csv"), "arrival_ms,service_ms\n0,10\n9000000,10\n").unwrap();
    fs::write(folder.join("fixed.yaml"), "replicas: 3\n").unwrap();
    fs::write(folder.join("low.yaml"), "replica_policy: {max_replicas: 9, target_qps_per_replica: 1}\n").unwrap();
    let cases: [(&[&str], &[&str]); 12] = [
        (&["none.csv"], &["none.csv: cannot be opened", "check the path"]),
        (&["short.csv"], &["short.csv: 1 min are too short", "--hold-out"]),
        (&["few.csv"], &["cannot show 99 % in time", "231", "lower --share"]),
        (&["small.csv", "--hold-out", "0.9"], &["--hold-out", "0.04 to 0.75"]),
        (&["small.csv", "--share", "1.5"], &["--share", "between 0 and 1"]),
        (&["small.csv", "--p99", "1s", "--share", "0.9"], &["--p99", "cannot be used with"]),
        (&["small.csv", "--within", "soon"], &["--within", "expected seconds"]),
        (&["small.csv", "--within", "0"], &["--within", "more than zero"]),
        (&["small.csv", "--policy", "fixed"], &["--policy", "outpost", "concurrency"]),
        (&["small.csv", "--config", "fixed.yaml"], &["--config", "--policy"]),
        (&["small.csv", "--config", "low.yaml", "--min", "10"], &["min (10) must be at most max (9)"]),
        (&["small.csv", "--budget", "2"], &["--budget", "8"]),
    ];
    for (args, parts) in cases {
        let output = tune(&folder, &[args, &["--quiet"]].concat());
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {message}");
        assert_eq!(output.stdout, b"", "{args:?}");
        for part in parts {
            assert!(message.contains(part), "{args:?}: {part:?} is not in: {message}");
        }
    }
    assert!(!folder.join("tune-report").exists(), "nothing is written");
}

#[test]
fn results_that_cannot_be_written_are_an_error_of_their_own() {
    let folder = folder("unwritable");
    fs::write(folder.join("file"), "in the way").unwrap();
    let output = tune(&folder, &[&SMALL[..], &["--out", "file"]].concat());
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.starts_with("error: file: the results cannot be written"), "{message}");
}
