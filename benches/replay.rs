//! What the simulator costs: a recorded hour of an LLM code service, replayed through the public API.
#![expect(clippy::unwrap_used, reason = "a bench panics where it fails")]

use core::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use plimsoll::policy::Outpost;
use plimsoll::sim::generate::{Arrivals, Generated, ServiceTime};
use plimsoll::sim::{Options, Plan, ReadOptions, Service, Workload, simulate, simulate_with};
use plimsoll::{Config, Policy, Preset, Rate};

const HOUR: &[u8] = include_bytes!("../data/llm_code_azure2023.csv");

fn replay(c: &mut Criterion) {
    let workload = Workload::read("llm_code_azure2023.csv", HOUR, &ReadOptions::default()).unwrap();
    let mut group = c.benchmark_group("replay");
    group.sample_size(10).throughput(Throughput::Elements(workload.requests().len() as u64));
    for preset in [Preset::OutpostGpu, Preset::RunpodHighPerformance] {
        let config = preset.config();
        group.bench_function(preset.name(), |bencher| {
            bencher.iter(|| simulate(&workload, &config, &Options::default(), &mut ()));
        });
    }
    // The simulator alone: a fixed pool decides nothing.
    let service = Service { concurrency: 1, target: Duration::from_secs(1) };
    group.bench_function("fixed", |bencher| {
        bencher.iter(|| simulate_with(&workload, service, Plan::fixed(40), &Options::default(), &mut ()));
    });
    group.finish();

    // A service within its target: 40 requests a second of a second each, for half a day, on up to 64 workers.
    let steady = Generated {
        arrivals: Arrivals::Poisson { rate: 40.0 },
        service: ServiceTime::Lognormal { mean: Duration::from_secs(1), cv: 0.5 },
        duration: Duration::from_secs(43_200),
    };
    let workload = steady.draw("steady", 1).unwrap();
    let policy = Policy::Outpost(Outpost::new(Rate::per_second(0.8).unwrap()));
    let config = Config::new(policy, 1, 64).unwrap();
    let mut group = c.benchmark_group("steady");
    group.sample_size(10).throughput(Throughput::Elements(workload.requests().len() as u64));
    group.bench_function("outpost", |bencher| {
        bencher.iter(|| simulate(&workload, &config, &Options::default(), &mut ()));
    });
    group.finish();
}

criterion_group!(benches, replay);
criterion_main!(benches);
