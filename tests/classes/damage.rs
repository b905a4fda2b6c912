//! Snapshots that were changed by somebody: whatever is not refused goes on without a panic and keeps its bounds.

use std::time::Duration;

use plimsoll::classes::{ClassId, MixedPool, PoolSnapshot, Price, Settings};
use plimsoll::policy::RunPod;
use plimsoll::{Config, FailureCause, Observation, Timestamp, WorkerEvent, WorkerId};
use serde_json::{Value, json};

use super::Class;

/// Ten minutes on three classes, with everything that leaves a trace in the state.
fn lived() -> MixedPool {
    let service = Config::runpod(RunPod::request_count(2), 1, 9, Duration::from_secs(30)).unwrap().with_event_log(2);
    let price = |price| Price::per_hour(price).unwrap();
    let mut learned = Class::new("learned", price(5.0), 4);
    learned.capacity = None;
    let classes = vec![Class::new("spot", price(1.0), 4).spot(), Class::new("on demand", price(3.0), 4), learned];
    let mut pool = MixedPool::new(Settings::new(service, classes).unwrap().with_stand_ins(true), Timestamp::ORIGIN);
    for secs in 1..600 {
        let (now, id) = (Timestamp::from_secs(secs), WorkerId(secs % 5));
        let class = ClassId(u8::try_from(secs % 3).unwrap());
        let _ = pool.observe(now, Observation::arrived(2));
        for event in [WorkerEvent::Ready, WorkerEvent::Busy(1), WorkerEvent::Idle] {
            let _ = pool.observe_class(now, class, Observation::worker(id, event));
        }
        let _ = pool.observe_class(now, class, Observation::finished(Duration::from_millis(300 + secs)));
        let _ = pool.decide(now);
    }
    let now = Timestamp::from_secs(600);
    let gone = Observation::worker(WorkerId(0), WorkerEvent::Failed(FailureCause::Preempted));
    pool.observe_class(now, ClassId(0), gone).unwrap();
    let refused = Observation::StartFailed { count: 2, cause: FailureCause::StockOut };
    pool.observe_class(now, ClassId(1), refused).unwrap();
    let _ = pool.decide(now);
    pool
}

fn live_on(pool: &mut MixedPool) {
    for secs in [600, 601, 700, 4_000, 100_000_000, 18_446_744_073] {
        let now = Timestamp::from_secs(secs);
        let _ = pool.observe(now, Observation::arrived(3));
        for class in (0..3).map(ClassId) {
            for observation in [
                Observation::worker(WorkerId(2), WorkerEvent::Idle),
                Observation::worker(WorkerId(7), WorkerEvent::Ready),
                Observation::finished(Duration::from_millis(30)),
            ] {
                let _ = pool.observe_class(now, class, observation);
            }
        }
        let decision = pool.decide(now);
        for (count, class) in decision.classes.iter().zip(pool.settings().classes()) {
            assert!(count.planned <= count.count && count.count <= class.limit, "{decision:#?}");
        }
        assert!(decision.plan.terms.min <= decision.wanted && decision.wanted <= decision.plan.terms.max);
        let _ = (pool.status(), pool.class_status(ClassId(1)), decision.to_string());
    }
}

#[test]
fn a_hostile_snapshot_does_no_harm() {
    let honest = serde_json::to_value(lived().snapshot()).unwrap();
    let mut paths = Vec::new();
    leaves(&honest, &mut String::new(), &mut paths);
    // What is inside of each autoscaler's snapshot is tried in tests/snapshots.rs: here some of it.
    let beside = |path: &str| !path.contains("/estimators/") && !path.contains("/events/") && !path.contains("/last/");
    let paths: Vec<_> =
        paths.iter().enumerate().filter(|(at, path)| beside(path) || at % 37 == 0).map(|(_, path)| path).collect();
    let (mut refused, mut restored) = (0, 0);
    for path in paths {
        for evil in [json!(0), json!(u32::MAX), json!(u64::MAX), json!("18446744073.7"), json!(null)] {
            let mut snapshot = honest.clone();
            *snapshot.pointer_mut(path).unwrap() = evil;
            let read = serde_json::from_value::<PoolSnapshot>(snapshot).ok();
            let Some(mut pool) = read.and_then(|snapshot| MixedPool::restore(snapshot).ok()) else {
                refused += 1;
                continue;
            };
            restored += 1;
            live_on(&mut pool);
        }
    }
    assert!(refused > 200 && restored > 200, "{refused} refused, {restored} restored");
}

/// The paths of everything that is no list or table.
fn leaves(value: &Value, path: &mut String, paths: &mut Vec<String>) {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(name, child)| (name.clone(), child)).collect(),
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
