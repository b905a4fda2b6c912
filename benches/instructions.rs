//! What single operations cost, in instructions: `instructions CASE TIMES` does one thing so often, for callgrind to count.
//! `ci/instructions.sh` does that for every case, takes what two runs differ by, and compares it with what was committed.
//! Without arguments it names the cases, and tries each.
#![expect(clippy::unwrap_used, reason = "a bench panics where it fails")]

use core::hint::black_box;
use core::time::Duration;

use plimsoll::policy::{ConcurrencyTarget, Outpost, RunPod};
use plimsoll::sim::{Options, Plan, ReadOptions, Service, Workload, simulate, simulate_with};
use plimsoll::{
    Autoscaler, Command, Config, Mode, Observation, Policy, PoolCounts, Preset, Rate, Timestamp, WorkerEvent, WorkerId,
};

const TICK: Duration = Duration::from_micros(700);
const HOUR: &[u8] = include_bytes!("../data/llm_code_azure2023.csv");

/// What is done so many times, and how many operations each time is.
type Case = (&'static str, u64, fn(u64));

const CASES: [Case; 29] = [
    // 476 requests per second, which four replicas carry at 200 each, and cannot at 2.5.
    ("observe: request within the target", 3, |times| requests(counted(outpost(200.0)), times)),
    ("observe: request beyond the target", 3, |times| requests(counted(outpost(2.5)), times)),
    ("observe: request, each moving the wanted count", 3, |times| requests_one_by_one(counted(queue_delay()), times)),
    ("observe: request and worker", 5, |times| requests_and_worker(by_id(outpost(200.0), 4), times)),
    ("observe: worker, of 10", 2, |times| loads(by_id(outpost(200.0), 10), times)),
    ("observe: worker, of 1,000", 2, |times| loads(by_id(outpost(200.0), 1_000), times)),
    ("observe: gauge", 2, |times| gauges(counted(outpost(2.5)), times)),
    ("observe and decide: a gauge while 10 workers come and go", 1, |times| gauges_and_decisions(moving(10), times)),
    ("observe and decide: the same of 1,000", 1, |times| gauges_and_decisions(moving(1_000), times)),
    ("observe and decide: the same of 100,000", 1, |times| gauges_and_decisions(moving(100_000), times)),
    ("observe: of 10 that start, the first is ready and goes, and one is ordered", 3, |times| starts(10, times)),
    ("observe: the same of 1,000", 3, |times| starts(1_000, times)),
    ("observe: the same of 100,000", 3, |times| starts(100_000, times)),
    ("observe: of 10 with ids like hashes, one goes and another comes", 2, |times| strangers(10, times)),
    ("observe: the same of 1,000 with ids like hashes", 2, |times| strangers(1_000, times)),
    ("observe: the same of 100,000 with ids like hashes", 2, |times| strangers(100_000, times)),
    ("observe and decide: of 10, the longest idle is stopped, and one comes", 4, |times| stops(10, times)),
    ("observe and decide: the same of 1,000 that are idle", 4, |times| stops(1_000, times)),
    ("observe and decide: the same of 100,000 that are idle", 4, |times| stops(100_000, times)),
    ("decide: nothing changed", 1, |times| decisions(busy(4), times, Duration::ZERO)),
    ("decide: a microsecond later, four policies", 1, |times| decisions(busy(4), times, Duration::from_micros(1))),
    ("decide: the same with 100 workers", 1, |times| decisions(busy(100), times, Duration::from_micros(1))),
    ("decide: after 2 s", 1, |times| decisions(busy(4), times, Duration::from_secs(2))),
    ("decide_if_changed: nothing changed", 1, |times| asked(busy(4), times, Duration::ZERO)),
    ("decide_if_changed: a microsecond later", 1, |times| asked(busy(100), times, Duration::from_micros(1))),
    ("decide_if_changed: after each step of a request", 3, |times| asked_each(by_id(outpost(200.0), 4), times)),
    ("simulate: outpost-gpu, a request", 8_819, |times| replays(Preset::OutpostGpu, times)),
    ("simulate: runpod-high-performance, a request", 8_819, |times| replays(Preset::RunpodHighPerformance, times)),
    ("simulate: a fixed pool, a request", 8_819, fixed),
];

fn outpost(target: f64) -> Config {
    Config::new(Policy::Outpost(Outpost::new(Rate::per_second(target).unwrap())), 4, 2_000).unwrap()
}

fn queue_delay() -> Config {
    Config::new(Policy::RunPod(RunPod::queue_delay(RunPod::DEFAULT_QUEUE_DELAY)), 0, 40).unwrap()
}

/// Four workers, reported by count.
fn counted(config: Config) -> Autoscaler {
    let mut autoscaler = Autoscaler::new(config, Timestamp::ORIGIN);
    let pool = Observation::Pool(PoolCounts { ready: 4, ..PoolCounts::default() });
    autoscaler.observe(Timestamp::ORIGIN, pool).unwrap();
    requests_before(autoscaler)
}

/// So many idle workers, reported by id.
fn by_id(config: Config, workers: u64) -> Autoscaler {
    let mut autoscaler = Autoscaler::new(config, Timestamp::ORIGIN);
    for id in (0..workers).map(WorkerId) {
        for event in [WorkerEvent::Ready, WorkerEvent::Idle] {
            autoscaler.observe(Timestamp::ORIGIN, Observation::worker(id, event)).unwrap();
        }
    }
    requests_before(autoscaler)
}

/// Requests have been seen to come, to start and to finish.
fn requests_before(mut autoscaler: Autoscaler) -> Autoscaler {
    for observation in [Observation::arrived(1), Observation::started(TICK), Observation::finished(TICK)] {
        autoscaler.observe(Timestamp::ORIGIN, observation).unwrap();
    }
    autoscaler
}

/// Four policies over ten seconds of traffic, with so many workers, each serving one request.
fn busy(workers: u64) -> Autoscaler {
    let config = outpost(2.5)
        .with_policy(Policy::RunPod(RunPod::queue_delay(RunPod::DEFAULT_QUEUE_DELAY)))
        .and_then(|config| config.with_policy(Policy::RunPod(RunPod::request_count(4))))
        .and_then(|config| config.with_policy(Policy::Concurrency(ConcurrencyTarget::new(0.7).unwrap())))
        .and_then(|config| config.with_idle_timeout(Duration::from_secs(60)))
        .unwrap();
    let mut autoscaler = by_id(config, workers);
    for millis in (0..10_000).step_by(25) {
        let waited = Observation::started(Duration::from_millis(millis % 90));
        for observation in [Observation::arrived(1), waited, Observation::finished(Duration::from_millis(300))] {
            autoscaler.observe(Timestamp::from_millis(millis), observation).unwrap();
        }
    }
    // All orders are out, so that what follows is the same every time.
    let _ = autoscaler.decide(Timestamp::from_secs(10));
    autoscaler
}

fn observe(mut autoscaler: Autoscaler, times: u64, observations: &[Observation]) {
    let mut now = Timestamp::from_secs(1);
    for _ in 0..times {
        for observation in observations {
            now = now.saturating_add(TICK);
            autoscaler.observe(now, black_box(*observation)).unwrap();
        }
    }
}

const fn request() -> [Observation; 3] {
    let started = Observation::started(Duration::from_millis(20));
    [Observation::arrived(1), started, Observation::finished(Duration::from_millis(340))]
}

fn requests(autoscaler: Autoscaler, times: u64) {
    observe(autoscaler, times, &request());
}

/// Another one is in the system all the time: the workers that they occupy are one and two in turns.
fn requests_one_by_one(mut autoscaler: Autoscaler, times: u64) {
    for observation in [Observation::arrived(1), Observation::started(Duration::ZERO)] {
        autoscaler.observe(Timestamp::from_secs(1), observation).unwrap();
    }
    requests(autoscaler, times);
}

fn requests_and_worker(autoscaler: Autoscaler, times: u64) {
    let [arrived, started, finished] = request();
    let worker = |event| Observation::worker(WorkerId(2), event);
    let all = [arrived, started, worker(WorkerEvent::Busy(1)), finished, worker(WorkerEvent::Idle)];
    observe(autoscaler, times, &all);
}

fn loads(autoscaler: Autoscaler, times: u64) {
    let worker = |event| Observation::worker(WorkerId(7), event);
    observe(autoscaler, times, &[worker(WorkerEvent::Busy(1)), worker(WorkerEvent::Idle)]);
}

fn gauges(autoscaler: Autoscaler, times: u64) {
    let queue = Observation::queue(7, Some(Duration::from_millis(80)));
    observe(autoscaler, times, &[queue, Observation::in_flight(3)]);
}

/// So many workers, far more than are wanted: idle, and kept by an idle timeout. One starts and one drains.
fn moving(workers: u64) -> Autoscaler {
    let config = Config::new(Policy::Outpost(Outpost::new(Rate::per_second(200.0).unwrap())), 4, 200_000)
        .and_then(|config| config.with_idle_timeout(Duration::from_secs(3_600)))
        .and_then(|config| config.with_down_delay(Duration::ZERO))
        .unwrap();
    let mut autoscaler = by_id(config, workers);
    for event in [
        Observation::worker(WorkerId(workers), WorkerEvent::Ordered),
        Observation::worker(WorkerId(0), WorkerEvent::Draining),
    ] {
        autoscaler.observe(Timestamp::from_secs(1), event).unwrap();
    }
    let _ = autoscaler.decide(Timestamp::from_secs(1));
    autoscaler
}

/// A microsecond apart: nothing is due meanwhile.
fn gauges_and_decisions(mut autoscaler: Autoscaler, times: u64) {
    let mut now = Timestamp::from_secs(1);
    for _ in 0..times {
        now = now.saturating_add(Duration::from_micros(1));
        autoscaler.observe(now, black_box(Observation::queue(7, None))).unwrap();
        let _ = black_box(&autoscaler.decide(now));
    }
}

/// So many workers at most.
fn crowd() -> Autoscaler {
    let config = Config::new(Policy::Outpost(Outpost::new(Rate::per_second(200.0).unwrap())), 4, 200_000).unwrap();
    Autoscaler::new(config, Timestamp::ORIGIN)
}

/// Tells of a worker, a microsecond after what was told last.
fn tell(autoscaler: &mut Autoscaler, now: &mut Timestamp, id: u64, event: WorkerEvent) {
    *now = now.saturating_add(Duration::from_micros(1));
    autoscaler.observe(*now, black_box(Observation::worker(WorkerId(id), event))).unwrap();
}

/// Of so many workers that start one after the other, the first becomes ready and goes, and another one is ordered.
fn starts(workers: u64, times: u64) {
    let (mut autoscaler, mut now) = (crowd(), Timestamp::ORIGIN);
    (0..workers).for_each(|id| tell(&mut autoscaler, &mut now, id, WorkerEvent::Ordered));
    for (first, next) in (0..times).zip(workers..) {
        tell(&mut autoscaler, &mut now, first, WorkerEvent::Ready);
        tell(&mut autoscaler, &mut now, first, WorkerEvent::Gone);
        tell(&mut autoscaler, &mut now, next, WorkerEvent::Ordered);
    }
}

/// Of so many workers whose ids are in no order, one goes and another one comes.
fn strangers(workers: u64, times: u64) {
    let (mut autoscaler, mut now) = (crowd(), Timestamp::ORIGIN);
    let id = |number: u64| number.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(32);
    (0..workers).for_each(|number| tell(&mut autoscaler, &mut now, id(number), WorkerEvent::Ready));
    for (first, next) in (0..times).zip(workers..) {
        tell(&mut autoscaler, &mut now, id(first), WorkerEvent::Gone);
        tell(&mut autoscaler, &mut now, id(next), WorkerEvent::Ready);
    }
}

/// Of so many idle workers there is one too many: who has been idle the longest goes, and another one comes.
fn stops(workers: u64, times: u64) {
    let (mut autoscaler, mut now) = (crowd(), Timestamp::ORIGIN);
    for id in 0..workers {
        tell(&mut autoscaler, &mut now, id, WorkerEvent::Ready);
        tell(&mut autoscaler, &mut now, id, WorkerEvent::Idle);
    }
    let mode = Mode::Fixed(u32::try_from(workers).unwrap());
    autoscaler.observe(now, Observation::Mode { mode, valid_for: None }).unwrap();
    for (first, next) in (0..times).zip(workers..) {
        tell(&mut autoscaler, &mut now, next, WorkerEvent::Ready);
        tell(&mut autoscaler, &mut now, next, WorkerEvent::Idle);
        let stop = Command::Stop { id: WorkerId(first), to_standby: false, cut_off: false };
        assert_eq!(autoscaler.decide(now).commands, [stop]);
        tell(&mut autoscaler, &mut now, first, WorkerEvent::Gone);
    }
}

fn decisions(mut autoscaler: Autoscaler, times: u64, apart: Duration) {
    let mut now = Timestamp::from_secs(10);
    for _ in 0..times {
        now = now.saturating_add(apart);
        let _ = black_box(&autoscaler.decide(now));
    }
}

fn asked(mut autoscaler: Autoscaler, times: u64, apart: Duration) {
    let mut now = Timestamp::from_secs(10);
    for _ in 0..times {
        now = now.saturating_add(apart);
        let _ = black_box(&autoscaler.decide_if_changed(now));
    }
}

fn asked_each(mut autoscaler: Autoscaler, times: u64) {
    let mut now = Timestamp::from_secs(1);
    for _ in 0..times {
        for observation in request() {
            now = now.saturating_add(TICK);
            autoscaler.observe(now, black_box(observation)).unwrap();
            let _ = black_box(&autoscaler.decide_if_changed(now));
        }
    }
}

fn hour() -> Workload {
    Workload::read("llm_code_azure2023.csv", HOUR, &ReadOptions::default()).unwrap()
}

fn replays(preset: Preset, times: u64) {
    let workload = hour();
    for _ in 0..times {
        black_box(simulate(&workload, &preset.config(), &Options::default(), &mut ()));
    }
}

fn fixed(times: u64) {
    let workload = hour();
    let service = Service { concurrency: 1, target: Duration::from_secs(1) };
    for _ in 0..times {
        black_box(simulate_with(&workload, service, Plan::fixed(40), &Options::default(), &mut ()));
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with("--"));
    let asked = arguments.next();
    let times = arguments.next().map_or(1, |times| times.parse().unwrap());
    for (name, operations, run) in CASES {
        match asked.as_deref() {
            None => {
                run(times);
                println!("{operations}\t{name}");
            }
            Some(asked) if asked == name => run(times),
            Some(_) => {}
        }
    }
}
