//! The example that measures how well an objective decides, from end to end.
#![allow(clippy::unwrap_used, reason = "these are tests")]

use std::fs;

#[path = "program/run.rs"]
mod run;

#[test]
fn an_objective_is_held_against_others() {
    let folder = run::folder("quality", "sparse");
    let out = run::printed("quality", &folder, &["sparse", "--share", "0.9", "--quiet"]);
    for expected in
        ["objective 90 %", "price 10", "HPA 70 %, down 300 s", "90 % kept, of 6", "by some other, chosen for each"]
    {
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
    assert_eq!(found["goals"][0]["met"], objective["met"]);
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

#[test]
fn each_share_is_held_against_what_keeps_the_same() {
    let folder = run::folder("quality", "shares");
    let args = ["sparse", "--share", "0.9,0.8", "--brief", "--quiet"];
    let table = run::printed("quality", &folder, &[&args[..], &["--markdown"]].concat());
    assert!(table.contains("\n| 90 % ") && table.contains("\n| 80 % ") && !table.contains("J at 10"), "{table}");
    let found: serde_json::Value =
        serde_json::from_str(&run::printed("quality", &folder, &[&args[..], &["--json"]].concat())).unwrap();
    let goals = found["goals"].as_array().unwrap();
    let met = |goal: &serde_json::Value, key: &str| goal[key].as_u64().unwrap();
    assert!(
        met(&goals[0], "met") <= met(&goals[1], "met") && met(&goals[0], "others_met") <= met(&goals[1], "others_met")
    );
    for goal in goals {
        assert!(met(goal, "both_met") <= met(goal, "met").min(met(goal, "others_met")), "{goal}");
        let single = &goal["single"];
        assert!(single.is_null() || met(single, "met") >= met(goal, "met"), "{goal}");
    }
    // Neither prices nor bounds.
    assert!(found["pairings"][0]["bound"].is_null() && found["scores"].as_array().unwrap().len() == 2 + 6, "{found}");
}
