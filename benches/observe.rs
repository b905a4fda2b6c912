//! What one observation costs, by kind. The target is a microsecond; an allocation would show here first.
#![expect(clippy::unwrap_used, reason = "a bench panics where it fails")]

use core::hint::black_box;
use core::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use plimsoll::policy::Outpost;
use plimsoll::{Autoscaler, Config, Observation, Policy, Rate, Timestamp, WorkerEvent, WorkerId};

const TICK: Duration = Duration::from_micros(700);

/// Four workers whose replicas are meant for so many requests per second each.
fn autoscaler(target: f64) -> Autoscaler {
    let policy = Policy::Outpost(Outpost::new(Rate::per_second(target).unwrap()));
    let mut autoscaler = Autoscaler::new(Config::new(policy, 4, 40).unwrap(), Timestamp::ORIGIN);
    for id in 0..4 {
        autoscaler.observe(Timestamp::ORIGIN, Observation::worker(WorkerId(id), WorkerEvent::Ready)).unwrap();
        autoscaler.observe(Timestamp::ORIGIN, Observation::worker(WorkerId(id), WorkerEvent::Idle)).unwrap();
    }
    autoscaler
}

/// Repeats a few observations, each a moment after the one before.
fn bench(c: &mut Criterion, name: &str, target: f64, observations: &[Observation]) {
    let mut group = c.benchmark_group("observe");
    group.throughput(Throughput::Elements(observations.len() as u64));
    group.bench_function(name, |bencher| {
        let (mut autoscaler, mut now) = (autoscaler(target), Timestamp::ORIGIN);
        bencher.iter(|| {
            for observation in observations {
                now = now.saturating_add(TICK);
                autoscaler.observe(now, black_box(*observation)).unwrap();
            }
        });
    });
    group.finish();
}

fn observe(c: &mut Criterion) {
    let started = |millis| Observation::started(Duration::from_millis(millis));
    let worker = |event| Observation::worker(WorkerId(2), event);
    let service = Observation::finished(Duration::from_millis(340));
    let request = [Observation::arrived(1), started(20), service];
    let with_load = [request[0], request[1], worker(WorkerEvent::Busy(1)), service, worker(WorkerEvent::Idle)];
    // 476 requests per second, which four replicas carry at 200 each, and cannot at 2.5.
    bench(c, "request", 200.0, &request);
    bench(c, "request_and_worker", 200.0, &with_load);
    bench(c, "request_beyond_the_target", 2.5, &request);
    bench(c, "gauge", 2.5, &[Observation::queue(7, Some(Duration::from_millis(80))), Observation::in_flight(3)]);
    bench(c, "count", 2.5, &[Observation::Requests { count: 40, over: TICK }]);
}

criterion_group!(benches, observe);
criterion_main!(benches);
