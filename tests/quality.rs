//! The example that measures how well an objective decides, from end to end.
#![allow(clippy::unwrap_used, reason = "these are tests")]

use std::fs;

#[path = "program/run.rs"]
mod run;

#[test]
fn an_objective_is_held_against_others() {
    let folder = run::folder("quality", "sparse");
    let out = run::printed("quality", &folder, &["sparse", "--share", "0.9", "--quiet"]);
    for expected in ["objective 90 %", "price 10", "HPA 70 %, down 300 s", "90 % kept, of 6", "some other keeps"] {
        assert!(out.contains(expected), "{expected:?} is missing:\n{out}");
    }
    let page = fs::read_to_string(folder.join("quality-report/quality.html")).unwrap();
    assert_eq!(page.matches("<svg").count(), 1);
    assert!(page.contains("sparse, 8 at a time, 120 s"));

    // The others' trials need not be run again, and nothing else changes.
    let trials = fs::read_to_string(folder.join("quality-report/trials.csv")).unwrap();
    assert_eq!(trials.lines().count(), 1 + 6 * (3 + 6));
    let args = ["sparse", "--share", "0.9", "--json", "--quiet"];
    let first = run::printed("quality", &folder, &args);
    let earlier = run::printed("quality", &folder, &[&args[..], &["--others", "quality-report/trials.csv"]].concat());
    assert_eq!(first, earlier);
    let found: serde_json::Value = serde_json::from_str(&first).unwrap();
    let objective = found["scores"].as_array().unwrap().iter().find(|score| score["rule"] == "objective 90 %").unwrap();
    assert!(objective["met"].as_u64().unwrap() >= 5, "{objective}");
    for pairing in found["pairings"].as_array().unwrap() {
        let kept = pairing["objective"]["in_time"].as_f64().unwrap() >= 0.9;
        let cost = pairing["objective"]["cost"].as_f64().unwrap();
        assert!(!kept || cost >= pairing["bound"].as_f64().unwrap(), "{pairing}");
    }
}

#[test]
fn a_workload_that_there_is_not_shows_those_there_are() {
    let folder = run::folder("quality", "unknown");
    let output = run::run("quality", &folder, &["stedy", "--quiet"]);
    assert_eq!(output.status.code(), Some(2));
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(errors.contains("`stedy`") && errors.contains("steady40") && errors.lines().count() == 1, "{errors}");
}
