//! Snapshots: what they weigh, what is refused, and that a hostile one does no harm.
#![expect(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "a test panics where it fails")]

use core::time::Duration;

use plimsoll::policy::{Outpost, RunPod};
use plimsoll::report::Reporter;
use plimsoll::{
    Autoscaler, Config, FailureCause, Mode, Observation, ObserverId, Policy, Rate, ReservationId, Snapshot, Timestamp,
    WorkerEvent, WorkerId,
};
use serde_json::{Value, json};

const fn at(secs: u64) -> Timestamp {
    Timestamp::from_secs(secs)
}

/// Ten minutes of traffic on four workers, with everything that leaves a trace in the state.
fn lived(event_log: u16) -> Autoscaler {
    let config = Config::new(Policy::Outpost(Outpost::new(Rate::per_second(2.5).unwrap())), 0, 20)
        .and_then(|config| config.with_policy(Policy::RunPod(RunPod::request_count(2))))
        .and_then(|config| config.with_up_delay(Duration::from_secs(7)))
        .unwrap()
        .with_event_log(event_log);
    let mut autoscaler = Autoscaler::new(config, at(0));
    let mut tell = |secs, observation| autoscaler.observe(at(secs), observation).unwrap();
    for id in (0..4).map(WorkerId) {
        for event in [WorkerEvent::Ordered, WorkerEvent::Ready, WorkerEvent::Busy(1)] {
            tell(1 + id.0, Observation::worker(id, event));
        }
    }
    for secs in 10..600 {
        tell(secs, Observation::arrived(u32::try_from(secs % 17).unwrap()));
        tell(secs, Observation::started(Duration::from_millis(secs % 300)));
        tell(secs, Observation::finished(Duration::from_millis(400 + secs)));
    }
    tell(600, Observation::StartFailed { count: 2, cause: FailureCause::StockOut });
    let hour = Duration::from_secs(3_600);
    tell(601, Observation::Reserve { id: ReservationId(1), workers: 2, after: Duration::ZERO, valid_for: hour });
    tell(602, Observation::Mode { mode: Mode::GrowOnly, valid_for: Some(hour) });
    for id in [1, 2] {
        let mut reporter = Reporter::new(ObserverId(id), 1, Duration::from_millis(100), at(590));
        for secs in [595, 600, 603] {
            reporter.arrived(id * secs);
            reporter.started(Duration::from_millis(secs));
            reporter.queue(3, Some(Duration::from_millis(secs)));
            autoscaler.report(at(603), &reporter.report(at(secs))).unwrap();
        }
    }
    let _ = autoscaler.decide(at(603));
    autoscaler
}

fn binary(autoscaler: &Autoscaler) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(&autoscaler.snapshot(), &mut bytes).unwrap();
    bytes
}

#[test]
fn a_snapshot_is_as_small_as_stated() {
    let json = |autoscaler: &Autoscaler| serde_json::to_string(&autoscaler.snapshot()).unwrap().len();
    let (small, large) = (lived(0), lived(64));
    println!("without events: {} bytes of JSON, {} of CBOR", json(&small), binary(&small).len());
    println!("with {} events: {} bytes of JSON, {} of CBOR", large.events().len(), json(&large), binary(&large).len());
    assert!(json(&small) < 16_000 && binary(&small).len() < 12_000);
}

#[test]
fn a_snapshot_says_first_which_version_it_is() {
    let text = serde_json::to_string(&lived(4).snapshot()).unwrap();
    assert!(text.starts_with(r#"{"version":1,"config":{"#), "{}", &text[..60]);
    let newer = text.replacen(r#""version":1"#, r#""version":2"#, 1);
    let error = serde_json::from_str::<Snapshot>(&newer).unwrap_err().to_string();
    let expected = "invalid value: integer `2`, expected version 1, the only one that this release reads: restore it with \
                    the release that wrote it";
    assert!(error.starts_with(expected), "{error}");
}

#[test]
fn a_count_outside_the_bounds_is_refused() {
    // Two workers are reserved.
    for count in [1, 21] {
        let mut snapshot = serde_json::to_value(lived(4).snapshot()).unwrap();
        for path in ["/state/count", "/state/last/desired"] {
            *snapshot.pointer_mut(path).unwrap() = json!(count);
        }
        let error = Autoscaler::restore(serde_json::from_value(snapshot).unwrap()).unwrap_err().to_string();
        let expected = format!("the snapshot's count ({count}) lies outside its own bounds (2 to 20)");
        assert!(error.starts_with(&expected), "{error}");
    }
}

#[test]
fn what_cannot_be_a_snapshot_is_refused_by_name() {
    let refusal = |path: &str, value: Value| {
        let mut snapshot = serde_json::to_value(lived(4).snapshot()).unwrap();
        *snapshot.pointer_mut(path).unwrap_or_else(|| panic!("{path}")) = value;
        let restored = serde_json::from_value::<Snapshot>(snapshot).map(Autoscaler::restore);
        restored.map_or_else(|error| error.to_string(), |restored| restored.unwrap_err().to_string())
    };
    let unsound = |part: &str| {
        format!("the snapshot's {part} cannot be: it was changed or damaged; start without it, or restore an older one")
    };
    assert_eq!(refusal("/state/estimators/arrivals/long/slice", json!(1)), unsound("signals"));
    assert_eq!(refusal("/state/estimators/sojourn/sketch/current/counts", json!([1, 2])), unsound("signals"));
    assert_eq!(refusal("/state/estimators/reports/slice", json!(1)), unsound("signals"));
    assert_eq!(refusal("/state/estimators/reports/observers/1/id", json!(1)), unsound("signals"));
    assert_eq!(refusal("/state/reported/opening/count", json!(9)), unsound("evaluation"));
    assert_eq!(refusal("/state/guards/up/len", json!(17)), unsound("guards"));
    assert_eq!(refusal("/state/provider/recent_len", json!(17)), unsound("provider"));
    assert_eq!(refusal("/state/events/capacity", json!(65_535)), unsound("event log"));
    assert_eq!(refusal("/state/pool/workers/0/id", json!(9)), unsound("pool"));
    assert_eq!(refusal("/state/count", json!(7)), unsound("evaluation"));
    assert!(refusal("/config/max", json!(0)).starts_with("max (0) must be above zero"));
    // Each condition of each part by itself.
    for (path, value, part) in [
        ("/state/estimators/arrivals/long/oldest", json!(12), "signals"),
        ("/state/estimators/arrivals/long/filled", json!(200), "signals"),
        ("/state/estimators/arrivals/short/slice", json!(1), "signals"),
        ("/state/estimators/arrivals/short/oldest", json!(12), "signals"),
        ("/state/estimators/arrivals/short/filled", json!(200), "signals"),
        ("/state/estimators/sojourn/slice", json!(1), "signals"),
        ("/state/estimators/sojourn/open", json!(12), "signals"),
        ("/state/estimators/sojourn/sketch/per_octave", json!(12), "signals"),
        ("/state/estimators/sojourn/sketch/current/scale", json!(32), "signals"),
        ("/state/estimators/sojourn/sketch/previous/counts", json!([1, 2]), "signals"),
        ("/state/estimators/sojourn/sketch/previous/scale", json!(32), "signals"),
        ("/state/estimators/reports/halves", json!([1, 2]), "signals"),
        ("/state/guards/down/len", json!(17), "guards"),
        ("/state/guards/up/setback", json!(2), "guards"),
        ("/state/reported/opening/guards/up/len", json!(17), "evaluation"),
        ("/state/reported/opening/guards/down/len", json!(17), "evaluation"),
        ("/state/reported/opening/last/desired", json!(7), "evaluation"),
        ("/state/reported/opening/last/at", json!("604"), "evaluation"),
        ("/state/last/desired", json!(7), "evaluation"),
        ("/state/last/at", json!("604"), "evaluation"),
        ("/state/started", json!("604"), "evaluation"),
        ("/state/events/capacity", json!(3), "event log"),
    ] {
        assert_eq!(refusal(path, value), unsound(part), "{path}");
    }
    // More than any autoscaler would have kept, though of the right kind.
    let many = |path: &str, count: usize, number: fn(&mut Value, usize)| {
        let snapshot = serde_json::to_value(lived(4).snapshot()).unwrap();
        let one = snapshot.pointer(path).and_then(|list| list.get(0)).cloned().unwrap();
        let all: Vec<_> = (0..count).map(|at| (one.clone(), at)).collect();
        let all = all.into_iter().map(|(mut one, at)| {
            number(&mut one, at);
            one
        });
        refusal(path, all.collect())
    };
    assert_eq!(many("/state/events/events", 5, |_, _| ()), unsound("event log"));
    assert_eq!(many("/state/estimators/reports/observers", 65, |one, at| one["id"] = at.into()), unsound("signals"));
}

/// Every number of a snapshot in turn is replaced by the worst there are. Whatever is not refused goes on without a
/// panic, keeps its bounds and takes no longer than another.
#[test]
fn a_hostile_snapshot_does_no_harm() {
    let honest = serde_json::to_value(lived(2).snapshot()).unwrap();
    let mut paths = Vec::new();
    leaves(&honest, &mut String::new(), &mut paths);
    let (mut refused, mut restored) = (0, 0);
    for path in paths {
        for evil in
            [json!(0), json!(1), json!(u32::MAX), json!(u64::MAX), json!("18446744073.7"), json!("0"), json!(null)]
        {
            let mut snapshot = honest.clone();
            *snapshot.pointer_mut(&path).unwrap() = evil;
            let read = serde_json::from_value::<Snapshot>(snapshot).ok();
            let Some(mut autoscaler) = read.and_then(|snapshot| Autoscaler::restore(snapshot).ok()) else {
                refused += 1;
                continue;
            };
            restored += 1;
            live_on(&mut autoscaler);
        }
    }
    println!("{refused} refused, {restored} restored");
    assert!(refused > 500 && restored > 500);
}

fn live_on(autoscaler: &mut Autoscaler) {
    for secs in [604, 605, 700, 4_000, 100_000_000, 18_446_744_073] {
        for observation in [
            Observation::arrived(3),
            Observation::worker(WorkerId(2), WorkerEvent::Idle),
            Observation::worker(WorkerId(7), WorkerEvent::Ready),
            Observation::started(Duration::from_millis(30)),
            Observation::finished(Duration::from_millis(30)),
        ] {
            let _ = autoscaler.observe(at(secs), observation);
        }
        let mut reporter = Reporter::new(ObserverId(2), 1, Duration::from_millis(100), at(secs - 5));
        reporter.arrived(40);
        let _ = autoscaler.report(at(secs), &reporter.report(at(secs)));
        let decision = autoscaler.decide(at(secs));
        let terms = &decision.explanation.terms;
        assert!((terms.min..=terms.max).contains(&decision.desired));
        assert_eq!(decision.explanation.fold(), decision.desired);
        let _ = (autoscaler.status(), decision.to_string());
    }
}

/// The paths of everything that is no list or table.
fn leaves(value: &Value, path: &mut String, paths: &mut Vec<String>) {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(name, child)| (name.clone(), child)).collect(),
        // Of a long list of alike ones the first few say enough.
        Value::Array(items) => items.iter().take(3).enumerate().map(|(at, child)| (at.to_string(), child)).collect(),
        _ => return paths.push(path.clone()),
    };
    for (name, child) in children {
        let length = path.len();
        path.push('/');
        path.push_str(&name);
        leaves(child, path, paths);
        path.truncate(length);
    }
}
