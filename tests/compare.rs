//! The comparison from end to end: its binary is run as a user runs it.
#![allow(clippy::unwrap_used, reason = "these are tests, their helpers too")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Cargo builds examples before it runs tests, next to the tests' own binaries.
fn binary() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    let binary = profile.join("examples").join(format!("compare{}", std::env::consts::EXE_SUFFIX));
    assert!(binary.exists(), "{} is missing: run all tests, or cargo build --example compare", binary.display());
    binary
}

fn printed(folder: &Path, args: &[&str]) -> String {
    let output =
        Command::new(binary()).args(args).args(["--quiet", "--no-report"]).current_dir(folder).output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{args:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn each_pool_is_a_service_of_its_own_on_the_platform_that_was_given() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compare");
    fs::create_dir_all(&folder).unwrap();
    let rows: Vec<_> = (0..600).map(|i| format!("{},900,{}", i * 500, i % 3)).collect();
    fs::write(folder.join("apps.csv"), format!("arrival_ms,service_ms,pool\n{}\n", rows.join("\n"))).unwrap();
    let platform = "cold_start: 10s\nretries: 9\nspot: {mean_life: 2m}\nprices: {billed_by: 1m}\n";
    fs::write(folder.join("spot.yaml"), platform).unwrap();
    let args = ["apps.csv", "--pools", "--platform", "spot.yaml"];
    let json = printed(&folder, &[&args[..], &["--json"]].concat());
    let contests: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names: Vec<_> = contests.iter().map(|contest| contest["workload"].as_str().unwrap()).collect();
    assert_eq!(names, ["apps.csv (pool 0)", "apps.csv (pool 1)", "apps.csv (pool 2)"]);
    for row in contests.iter().flat_map(|contest| contest["rows"].as_array().unwrap()) {
        assert!(row["failures"]["preempted"].as_u64() > Some(0), "{row}");
        assert!(row["cost"].as_f64() > row["worker_hours"].as_f64(), "minutes are rounded up: {row}");
    }
    let table = printed(&folder, &args);
    assert!(table.contains("all 3 services together: 600 requests"), "{table}");
    assert!(table.contains(" of 3 "), "{table}");
    // One workload, all pools together, without the flag; another seed, another run.
    let one = printed(&folder, &["apps.csv", "--platform", "spot.yaml", "--json"]);
    assert_eq!(one.lines().count(), 1);
    assert_ne!(printed(&folder, &["apps.csv", "--platform", "spot.yaml", "--json", "--seed", "5"]), one);
}
