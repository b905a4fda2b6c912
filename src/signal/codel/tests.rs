use std::path::PathBuf;
use std::{env, fs, println};

use alloc::string::String;
use alloc::vec::Vec;

use super::*;

#[derive(serde::Deserialize)]
struct File {
    scenarios: Vec<Scenario>,
}

#[derive(serde::Deserialize)]
struct Scenario {
    name: String,
    target_ns: u64,
    interval_ns: u64,
    events: Vec<Vec<u64>>,
    marks_at: Vec<usize>,
    state_changes_at: Vec<usize>,
    count_at_mark: Vec<u32>,
}

/// The vectors that `PLIMSOLL_CONFORMANCE` names, or the project's own copy.
fn vectors(file: &str) -> File {
    let folder = env::var_os("PLIMSOLL_CONFORMANCE")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/conformance"), PathBuf::from);
    let path = folder.join(file);
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap()
}

#[test]
fn codel_reproduces_every_recorded_scenario() {
    let file = vectors("codel.json");
    let mut steps = 0;
    for scenario in &file.scenarios {
        let (mut codel, mut marks, mut changes, mut counts) = (Codel::default(), Vec::new(), Vec::new(), Vec::new());
        for (index, event) in scenario.events.iter().enumerate() {
            let before = codel.state().0;
            let now = Timestamp::from_nanos(event[0]);
            if event.len() == 1 {
                codel.queue_empty();
            } else if codel.dequeue(now, event[1], scenario.target_ns, scenario.interval_ns) {
                marks.push(index);
                counts.push(codel.state().1);
            }
            if codel.state().0 != before {
                changes.push(index);
            }
        }
        assert_eq!(marks, scenario.marks_at, "marks of {}", scenario.name);
        assert_eq!(changes, scenario.state_changes_at, "state changes of {}", scenario.name);
        assert_eq!(counts, scenario.count_at_mark, "counts of {}", scenario.name);
        assert_eq!(codel.marks(), marks.len() as u64, "{}", scenario.name);
        steps += scenario.events.len();
    }
    println!("codel.json: {} scenarios, {steps} steps compared", file.scenarios.len());
    assert!(file.scenarios.len() >= 60 && steps > 10_000, "the vectors are not all there");
}

#[test]
fn a_verdict_expires_when_the_queue_falls_silent() {
    let (target, interval) = (100, 1_000);
    let mut codel = Codel::default();
    for now in (0..=2_000).step_by(100) {
        codel.dequeue(Timestamp::from_nanos(now), 500, target, interval);
    }
    let expiry = Timestamp::from_nanos(2_000 + 16 * interval);
    assert_eq!(codel.expiry(interval, false), Some(expiry));
    assert!(codel.overloaded(expiry.minus(1), interval, false));
    assert!(!codel.overloaded(expiry, interval, false));
    assert!(codel.overloaded(expiry, interval, true), "a queue that is known to stand is not silent");
    codel.queue_empty();
    assert!(!codel.overloaded(Timestamp::from_nanos(2_001), interval, true));
}

#[test]
fn the_ends_of_time_do_no_harm() {
    let mut codel = Codel::default();
    for now in [0, u64::MAX - 1, u64::MAX, u64::MAX] {
        codel.dequeue(Timestamp::from_nanos(now), u64::MAX, 1, u64::MAX);
    }
    for now in [0, u64::MAX] {
        codel.dequeue(Timestamp::from_nanos(now), 0, 0, 0);
    }
}

#[test]
fn it_rests_while_no_sojourn_is_above_target() {
    let (mut codel, at) = (Codel::default(), Timestamp::from_millis);
    let (target, interval) = (5_000_000, 100_000_000);
    assert!(codel.is_at_rest());
    codel.dequeue(at(0), target, target, interval);
    assert!(!codel.is_at_rest(), "one was");
    assert!(codel.dequeue(at(100), target, target, interval), "for an interval: it drops");
    assert!(!codel.is_at_rest());
    codel.first_above_time = None;
    assert!(!codel.is_at_rest(), "until it drops no more");
    codel.queue_empty();
    assert!(codel.is_at_rest());
}

#[test]
fn when_a_request_last_left_is_forgotten_unless_a_verdict_stands() {
    let (target, interval) = (5, 100);
    let at = Timestamp::from_nanos;
    let mut codel = Codel::default();
    codel.passed(at(1_000));
    codel.forget_what_is_over();
    assert_eq!(codel, Codel::default());
    for now in [2_000, 2_200] {
        codel.dequeue(at(now), 50, target, interval);
    }
    let standing = codel.clone();
    assert!(standing.overloaded(at(2_201), interval, false));
    codel.forget_what_is_over();
    assert_eq!(codel, standing);
}
