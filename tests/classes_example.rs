//! The classes example from end to end: its binary is run as a user runs it.
#![allow(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "these are tests, their helpers too")]

#[path = "program/run.rs"]
mod run;

#[test]
fn spot_is_shown_beside_all_on_demand() {
    let folder = run::folder("classes", "shown");
    let out = run::printed("classes", &folder, &[]);
    for expected in [
        "6 × L40S spot + 2 × L40S: cheapest for",
        "until that is ready 6 × L40S beside it",
        "L40S spot taken back until",
        "L40S out of stock until",
        "learning: 0 of 50 completions",
        "all on demand, never out of stock",
        "% less than all on demand; 15 spot workers were taken back",
    ] {
        assert!(out.contains(expected), "{expected:?} is missing:\n{out}");
    }
    assert_eq!(out, run::printed("classes", &folder, &[]), "the same input gives the same bytes");
}
