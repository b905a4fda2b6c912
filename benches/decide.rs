//! What one decision costs: when nothing changed, with every signal, with many workers, and after a silence.
#![expect(clippy::unwrap_used, reason = "a bench panics where it fails")]

use core::time::Duration;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use plimsoll::policy::{ConcurrencyTarget, Outpost, RunPod};
use plimsoll::{Autoscaler, Config, Observation, Policy, Rate, Timestamp, WorkerEvent, WorkerId};

/// Four policies over ten seconds of traffic, with so many workers, each serving one request.
fn busy(workers: u64) -> (Autoscaler, Timestamp) {
    let config = Config::new(Policy::Outpost(Outpost::new(Rate::per_second(2.5).unwrap())), 0, 200)
        .and_then(|config| config.with_policy(Policy::RunPod(RunPod::queue_delay(RunPod::DEFAULT_QUEUE_DELAY))))
        .and_then(|config| config.with_policy(Policy::RunPod(RunPod::request_count(4))))
        .and_then(|config| config.with_policy(Policy::Concurrency(ConcurrencyTarget::new(0.7).unwrap())))
        .and_then(|config| config.with_idle_timeout(Duration::from_secs(60)))
        .unwrap();
    let mut autoscaler = Autoscaler::new(config, Timestamp::ORIGIN);
    for id in (0..workers).map(WorkerId) {
        for event in [WorkerEvent::Ordered, WorkerEvent::Ready, WorkerEvent::Busy(1)] {
            autoscaler.observe(Timestamp::ORIGIN, Observation::worker(id, event)).unwrap();
        }
    }
    let mut now = Timestamp::ORIGIN;
    for millis in (0..10_000).step_by(25) {
        now = Timestamp::from_millis(millis);
        autoscaler.observe(now, Observation::arrived(1)).unwrap();
        autoscaler.observe(now, Observation::started(Duration::from_millis(millis % 90))).unwrap();
        autoscaler.observe(now, Observation::finished(Duration::from_millis(300))).unwrap();
    }
    // All orders are out, so that what follows is the same every time.
    let _ = autoscaler.decide(now);
    (autoscaler, now)
}

fn decide(c: &mut Criterion) {
    let mut group = c.benchmark_group("decide");
    let (mut settled, now) = busy(4);
    group.bench_function("nothing_changed", |bencher| bencher.iter(|| settled.decide(now)));
    let after = |(autoscaler, now): (Autoscaler, Timestamp), span: Duration| {
        let at = now.saturating_add(span);
        move |bencher: &mut criterion::Bencher<'_>| {
            let decide = |mut autoscaler: Autoscaler| (autoscaler.decide(at), autoscaler);
            bencher.iter_batched(|| autoscaler.clone(), decide, BatchSize::SmallInput);
        }
    };
    group.bench_function("all_signals", after(busy(4), Duration::from_micros(1)));
    group.bench_function("all_signals_100_workers", after(busy(100), Duration::from_micros(1)));
    group.bench_function("after_2_s", after(busy(4), Duration::from_secs(2)));
    group.bench_function("after_2_h", after(busy(4), Duration::from_secs(7_200)));
    group.finish();
}

criterion_group!(benches, decide);
criterion_main!(benches);
