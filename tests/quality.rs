//! The example that measures how well an objective decides, from end to end.
#![allow(clippy::unwrap_used, reason = "these are tests")]

use std::fs;

#[path = "program/run.rs"]
mod run;

#[test]
fn an_objective_is_held_against_others() {
    let folder = run::folder("quality", "sparse");
    let found = json(&folder, &["sparse", "--share", "0.9"]);
    let score = |rule: &str| found["scores"].as_array().unwrap().iter().find(|score| score["rule"] == rule).unwrap();
    assert!(score("objective 90 %")["met"].as_u64().unwrap() >= 5, "{found}");
    assert_eq!(found["goals"][0]["met"], score("objective 90 %")["met"]);
    assert!(score("price 10")["priced"][0].as_f64() < score("price 10")["priced"][1].as_f64(), "{found}");
    for pairing in found["pairings"].as_array().unwrap() {
        let kept = pairing["objective"]["in_time"].as_f64().unwrap() >= 0.9;
        let cost = pairing["objective"]["cost"].as_f64().unwrap();
        assert!(!kept || cost >= pairing["bound"].as_f64().unwrap(), "{pairing}");
    }
    let page = fs::read_to_string(folder.join("quality-report/quality.html")).unwrap();
    assert_eq!(page.matches("<svg").count(), 1);
    assert!(page.contains("sparse, 8 at a time, 120 s"));

    // The others' trials need not be run again, and nothing else changes.
    let trials = || fs::read_to_string(folder.join("quality-report/trials.csv")).unwrap();
    let first = trials();
    assert_eq!(first.lines().count(), 1 + 6 * (3 + 6));
    let args = ["sparse", "--share", "0.9", "--brief", "--others", "quality-report/trials.csv", "--quiet"];
    let out = run::printed("quality", &folder, &args);
    for expected in ["objective 90 %", "HPA 70 %, down 300 s", "90 % kept, of 6", "by some other"] {
        assert!(out.contains(expected), "{expected:?} is missing:\n{out}");
    }
    let without_prices: Vec<_> = first.lines().filter(|line| !line.contains(",price ")).collect();
    let mut again: Vec<_> =
        without_prices.iter().map(|line| trials().lines().filter(|it| it == line).count()).collect();
    again.dedup();
    assert_eq!((again, trials().lines().count()), (vec![1], without_prices.len()));
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
    let args = ["code", "--share", "0.9,0.8", "--brief"];
    let found = json(&folder, &args);
    let others = ["--others", "quality-report/trials.csv", "--markdown", "--quiet"];
    let table = run::printed("quality", &folder, &[&args[..], &others].concat());
    assert!(table.contains("\n| 90 % ") && table.contains("\n| 80 % ") && !table.contains("J at 10"), "{table}");
    let goals = found["goals"].as_array().unwrap();
    let met = |goal: &serde_json::Value, key: &str| goal[key].as_u64().unwrap();
    assert!(
        met(&goals[0], "met") <= met(&goals[1], "met") && met(&goals[0], "others_met") <= met(&goals[1], "others_met")
    );
    for goal in goals {
        assert!(met(goal, "both_met") <= met(goal, "met").min(met(goal, "others_met")), "{goal}");
        let single = &goal["single"];
        let most = found["scores"].as_array().unwrap().iter().filter(|score| score["objective"] == false);
        let most = most.map(|score| score["met"].as_u64().unwrap()).max().unwrap();
        assert!(goal["share"] != 0.9 || met(single, "met") >= met(goal, "met").min(most), "{goal}");
    }
    // Neither prices nor bounds.
    assert!(found["pairings"][0]["bound"].is_null() && found["scores"].as_array().unwrap().len() == 2 + 6, "{found}");
}

fn json(folder: &std::path::Path, args: &[&str]) -> serde_json::Value {
    serde_json::from_str(&run::printed("quality", folder, &[args, &["--json", "--quiet"]].concat())).unwrap()
}

#[test]
fn an_objective_is_held_against_those_who_know_the_rate() {
    let folder = run::folder("quality", "oracles");
    fs::write(folder.join("nobody.csv"), "scenario,rule,objective,in_time,cost,late,starts,reversals\n").unwrap();
    let args = ["code", "--brief", "--others", "nobody.csv", "--share", "0.9", "--oracles", "oracles.csv"];
    let found = json(&folder, &args);
    let against = found["against"].as_array().unwrap();
    assert_eq!(against.len(), 1, "no staffing by the future rate keeps it, and there is no bound: {against:?}");
    assert_eq!(against[0]["reference"], "who knows the present rate");
    assert_eq!((&against[0]["smooth"][1], &against[0]["others"]), (&0.into(), &against[0]["all"]));
    assert!(against[0]["all"][0].as_f64().unwrap() > 0.5, "{against:?}");
    // They are read the next time, and what is missing is added.
    let oracles = fs::read_to_string(folder.join("oracles.csv")).unwrap();
    assert_eq!(oracles.lines().count(), 1 + 6);
    let (kept, _) = oracles.trim_end().rsplit_once('\n').unwrap();
    fs::write(folder.join("oracles.csv"), format!("{kept}\n")).unwrap();
    assert_eq!(json(&folder, &args), found);
    assert_eq!(fs::read_to_string(folder.join("oracles.csv")).unwrap(), oracles);
}

#[test]
fn troubles_are_compared_with_none() {
    let folder = run::folder("quality", "robust");
    let rows = json(&folder, &["code", "--robust", "--share", "0.9"]);
    let rows = rows.as_array().unwrap();
    assert_eq!((rows.len(), &rows[0]["trouble"], rows[0]["cost"].as_f64()), (8, &"none".into(), Some(1.0)));
    for row in rows {
        assert_eq!(row["scenarios"], 6);
        assert!(row["dearest"][0].as_f64() >= row["cost"].as_f64(), "{row}");
        assert!(row["least"][0].as_f64() <= row["median"].as_f64(), "{row}");
    }
    assert!(rows[1..].iter().all(|row| row["cost"] != rows[0]["cost"]), "a trouble that changes nothing: {rows:?}");
}

#[test]
fn a_fleet_has_a_price_against_one_setting_for_all() {
    let folder = run::folder("quality", "fleet");
    let rows = json(&folder, &["(pool 11)", "--fleet"]);
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), 4 * 4, "four prices on four platforms");
    for row in rows.iter().filter(|row| !row["cheapest"].is_null()) {
        assert!(row["cheapest"]["in_time"].as_f64() >= row["price"]["in_time"].as_f64(), "{row}");
    }
    for platform in rows.chunks(4) {
        let in_time: Vec<_> = platform.iter().map(|row| row["price"]["in_time"].as_f64().unwrap()).collect();
        assert!(in_time[0] >= in_time[3], "a higher price leaves fewer late: {in_time:?}");
    }
    let output = run::run("quality", &folder, &["nobody", "--fleet", "--quiet"]);
    assert_eq!(output.status.code(), Some(2));
}
