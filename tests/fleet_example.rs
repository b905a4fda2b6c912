//! The fleet example from end to end: its binary is run as a user runs it.
#![allow(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "these are tests, their helpers too")]

use core::fmt::Write as _;
use std::fs;

#[path = "program/run.rs"]
mod run;

/// Three services: one that is called all the time, one now and then, one once.
fn small() -> String {
    let mut calls: Vec<(u64, u64, u32)> = (0..300).map(|n| (n * 2_000, 900, 0)).collect();
    calls.extend((0..4).map(|n| (17 + n * 150_000, 2_500, 1)));
    calls.extend((0..6).map(|n| (200_000 + n, 4_000, 2)));
    calls.sort_unstable();
    let mut csv = "arrival_ms,service_ms,pool\n".to_owned();
    for (arrival, service, pool) in calls {
        writeln!(csv, "{arrival},{service},{pool}").unwrap();
    }
    csv
}

#[test]
fn a_fleet_is_shown_against_one_worker_each() {
    let folder = run::folder("fleet", "shown");
    fs::write(folder.join("small.csv"), small()).unwrap();
    let args = ["small.csv", "--quiet", "--budget", "3", "--idle-timeout", "20s", "--share", "0.99"];
    let out = run::printed("fleet", &folder, &args);
    for expected in [
        "scaled to zero",
        "the same, budget of 3",
        "one price, for 99 %",
        "one worker each",
        "310 requests of 3 services",
        "awake",
    ] {
        assert!(out.contains(expected), "{expected:?} is missing:\n{out}");
    }
    // Six requests at once want six workers, and there are three in all.
    assert!(out.contains(": budget of 3"), "{out}");
    let page = fs::read_to_string(folder.join("fleet-report/fleet.html")).unwrap();
    assert_eq!(page.matches("<svg").count(), 3);
    assert!(page.contains("Services with a ready worker") && page.contains("budget of 3"));

    // In eleven minutes the price moves by too little to be told.
    assert!(out.contains("99 % of all requests to start within 1 s is 3,000 worker-seconds for a late one."), "{out}");

    let again = run::printed("fleet", &folder, &args);
    assert_eq!(out, again, "the same input gives the same bytes");
    assert_eq!(page, fs::read_to_string(folder.join("fleet-report/fleet.html")).unwrap());
}

#[test]
fn what_cannot_be_read_is_said_in_one_line() {
    let folder = run::folder("fleet", "refused");
    let output = run::run("fleet", &folder, &["missing.csv", "--quiet"]);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(errors.contains("missing.csv") && errors.lines().count() == 1, "{errors}");
}
