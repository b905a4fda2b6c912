//! The peers in the simulator, on recorded and on random workloads: bounds, determinism, and nothing but known workers.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test panics where it fails")]
#![expect(clippy::arithmetic_side_effects, clippy::float_arithmetic, reason = "a test may overflow loudly")]

use core::fmt::Write as _;
use core::time::Duration;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::time::Instant;

use plimsoll::peers::knative::{Metric, Parameters};
use plimsoll::peers::kubernetes::Controller as Settings;
use plimsoll::sim::generate::{Arrivals, Generated, ServiceTime};
use plimsoll::sim::peers::{Kind, Peer, Stock};
use plimsoll::sim::{
    Commands, Controller, Decided, Options, Outcome, ReadOptions, Request, Service, Workload, simulate_with,
};
use plimsoll::{Command, Observation, Share, Timestamp, WorkerEvent, WorkerId};
use proptest::prelude::*;

const TARGET: Duration = Duration::from_secs(1);

/// A worker as last told of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Doing {
    Starting,
    Idle,
    Busy,
    Leaving,
}

/// Looks at every command of a controller, and at when it wants to be asked.
struct Checked<C> {
    inner: C,
    bounds: (u32, u32),
    workers: BTreeMap<WorkerId, Doing>,
    wanted: Vec<(Timestamp, u32)>,
}

impl<C: Controller> Checked<C> {
    fn follow(&mut self, id: WorkerId, event: WorkerEvent) {
        let leaves = self.workers.get(&id) == Some(&Doing::Leaving);
        match event {
            WorkerEvent::Ordered => assert_eq!(self.workers.insert(id, Doing::Starting), None),
            WorkerEvent::Gone => assert!(self.workers.remove(&id).is_some()),
            WorkerEvent::Busy(_) if !leaves => *self.workers.get_mut(&id).unwrap() = Doing::Busy,
            WorkerEvent::Ready | WorkerEvent::Idle if !leaves => *self.workers.get_mut(&id).unwrap() = Doing::Idle,
            _ => {}
        }
    }

    fn obey(&mut self, command: Command) {
        let known = |id: &WorkerId| *self.workers.get(id).unwrap_or_else(|| panic!("{command:?}: unknown"));
        match command {
            Command::Start { count } => assert!(count > 0),
            Command::Stop { id, to_standby, .. } => {
                assert!(!to_standby && matches!(known(&id), Doing::Starting | Doing::Idle), "{command:?}");
                self.workers.insert(id, Doing::Leaving);
            }
            Command::Drain { id } => {
                assert_eq!(known(&id), Doing::Busy);
                self.workers.insert(id, Doing::Leaving);
            }
            _ => panic!("{command:?} is none of a count's"),
        }
    }
}

impl<C: Controller> Controller for Checked<C> {
    fn observe(&mut self, now: Timestamp, observation: Observation) -> bool {
        if let Observation::Worker { id, event } = observation {
            self.follow(id, event);
        }
        self.inner.observe(now, observation)
    }

    fn next_wakeup(&self) -> Option<Timestamp> {
        self.inner.next_wakeup()
    }

    fn desired(&self) -> u32 {
        self.inner.desired()
    }

    fn decide(&mut self, now: Timestamp, commands: &mut Commands) -> Option<Decided> {
        let decision = self.inner.decide(now, commands);
        let desired = self.inner.desired();
        assert!((self.bounds.0..=self.bounds.1).contains(&desired), "{desired} at {now:?}");
        assert!(self.inner.next_wakeup().is_some_and(|wakeup| wakeup > now), "time goes on at {now:?}");
        for (_, command) in commands.iter() {
            self.obey(command);
        }
        if self.wanted.last().is_none_or(|(_, last)| *last != desired) {
            self.wanted.push((now, desired));
        }
        decision
    }

    fn may_wake(&self) -> bool {
        self.inner.may_wake()
    }
}

fn run(
    workload: &Workload,
    peer: &Peer,
    service: Service,
    bounds: (u32, u32),
    options: &Options,
) -> (Outcome, Vec<(Timestamp, u32)>) {
    let inner = peer.controller(service).unwrap();
    let checked = Checked { inner, bounds, workers: BTreeMap::new(), wanted: Vec::new() };
    let (outcome, checked) = simulate_with(workload, service, checked, options, &mut ());
    (outcome, checked.wanted)
}

/// What the count of a peer must hold. The HPA knows no zero.
fn bounds(kind: Kind, stock: &Stock) -> (u32, u32) {
    let least = if kind == Kind::Kubernetes { stock.min.max(1) } else { stock.min };
    (least, stock.max)
}

/// The committed workloads: file, how to read it, concurrency.
fn committed() -> [(&'static str, ReadOptions, u32); 5] {
    let as_is = ReadOptions::default();
    let chat_api = as_is.with_service(Duration::from_millis(2_283));
    let web = as_is.with_service(Duration::from_secs(1)).with_divide_by(1_000);
    [
        ("llm_chat_azure2023.csv", as_is, 1),
        ("llm_code_azure2023.csv", as_is, 4),
        ("llm_api_bursty_servegen.csv", chat_api, 8),
        ("serverless_apps_azure2021.csv", as_is, 2),
        ("web_flashcrowd_worldcup98.csv", web, 1),
    ]
}

fn read(file: &str, options: &ReadOptions) -> Workload {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join(file);
    Workload::read(file, File::open(path).unwrap(), options).unwrap()
}

/// What arrives within the first so many seconds.
fn beginning(workload: &Workload, seconds: u64) -> Workload {
    let early = |request: &&Request| request.arrival < Timestamp::from_secs(seconds);
    let requests = workload.requests().iter().take_while(early).copied().collect();
    Workload::from_requests(workload.name(), requests).unwrap()
}

fn stock(workload: &Workload, concurrency: u32) -> Stock {
    let requests = u32::try_from(workload.requests().len()).unwrap().max(1);
    let mean_service = workload.requests().iter().map(|request| request.service).sum::<Duration>() / requests;
    Stock { concurrency, mean_service, min: 0, max: 400 }
}

#[test]
fn peers_serve_the_recorded_workloads() {
    for (file, read_as, concurrency) in committed() {
        let workload = beginning(&read(file, &read_as), 1_800);
        let (stock, service) = (stock(&workload, concurrency), Service { concurrency, target: TARGET });
        for kind in Kind::ALL {
            let peer = Peer::defaults(kind, &stock);
            let run = || run(&workload, &peer, service, bounds(kind, &stock), &Options::default());
            let (outcome, wanted) = run();
            assert_eq!(outcome.finished, outcome.requests, "{file}, {}", peer.name());
            assert_eq!((outcome.refused, outcome.lost, outcome.unserved), (0, 0, 0), "{file}, {}", peer.name());
            assert!(wanted.len() > 1, "{file}, {}: {wanted:?}", peer.name());
            assert_eq!((outcome, wanted), run(), "{file}, {}", peer.name());
        }
    }
}

/// Every count that a peer wanted, and when, as in `tests/golden/peers.txt` (`BLESS=1` rewrites it: a difference is a
/// change of behaviour, for the CHANGELOG): with stock settings, and counting requests per second.
#[test]
fn counts_are_those_of_the_golden_log() {
    let mut log = String::new();
    for (file, read_as, concurrency, seconds) in [
        ("llm_code_azure2023.csv", ReadOptions::default(), 1, 2_400),
        ("llm_api_bursty_servegen.csv", ReadOptions::default().with_service(Duration::from_millis(700)), 3, 200),
    ] {
        let workload = beginning(&read(file, &read_as), seconds);
        let (stock, service) = (stock(&workload, concurrency), Service { concurrency, target: TARGET });
        let rps = Parameters { metric: Metric::Rps, target: Some(0.8), max_scale: stock.max, ..Parameters::default() };
        let peers = Kind::ALL.map(|kind| (Peer::defaults(kind, &stock), bounds(kind, &stock)));
        for (peer, bounds) in peers.into_iter().chain([(Peer::Knative(Box::new(rps)), (0, stock.max))]) {
            let (outcome, wanted) = run(&workload, &peer, service, bounds, &Options::default());
            let Outcome { finished, cold_starts, scaling_events, .. } = outcome;
            let name = peer.name();
            writeln!(log, "{file}, {name}: {finished} finished, {cold_starts} starts, {scaling_events} changes")
                .unwrap();
            for (at, count) in wanted {
                writeln!(log, "{} {count}", at.as_nanos()).unwrap();
            }
        }
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/peers.txt");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &log).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    let line = log.lines().zip(golden.lines()).position(|(is, was)| is != was);
    let line = line.unwrap_or_else(|| log.lines().count().min(golden.lines().count()));
    assert!(
        log == golden,
        "line {} of {}: was {:?}, is {:?}",
        line + 1,
        path.display(),
        golden.lines().nth(line),
        log.lines().nth(line)
    );
}

/// How fast each peer is on each workload: `cargo test --release --test peers_sim -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
#[expect(clippy::disallowed_methods, clippy::cast_precision_loss, reason = "it measures")]
fn speed() {
    for (file, read_as, concurrency) in committed() {
        let workload = read(file, &read_as);
        let (stock, service) = (stock(&workload, concurrency), Service { concurrency, target: TARGET });
        for kind in Kind::ALL {
            let peer = Peer::defaults(kind, &stock);
            let controller = peer.controller(service).unwrap();
            let begun = Instant::now();
            let (outcome, _) = simulate_with(&workload, service, controller, &Options::default(), &mut ());
            let took = begun.elapsed().as_secs_f64();
            println!(
                "{file} {:14} {took:.3} s, {:.0} requests/s; {:.1} % within {TARGET:?}, {:.1} h, at most {}",
                peer.name(),
                outcome.requests as f64 / took,
                outcome.within_target * 100.0,
                outcome.replica_hours,
                outcome.peak_workers,
            );
        }
    }
}

fn arrivals() -> impl Strategy<Value = Arrivals> {
    let span = |most: u64| (1..most).prop_map(Duration::from_secs);
    prop_oneof![
        (0.01..5.0_f64).prop_map(|rate| Arrivals::Poisson { rate }),
        (0.0..0.2_f64, 0.5..8.0_f64, span(300), span(120)).prop_map(|(calm, busy, calm_for, busy_for)| {
            Arrivals::MarkovModulated { calm, busy, calm_for, busy_for }
        }),
        (span(600), 1.0..20.0_f64, span(20)).prop_map(|(every, requests, pause)| Arrivals::Sparse {
            every,
            requests,
            pause
        }),
    ]
}

prop_compose! {
    fn workload()(
        arrivals in arrivals(),
        millis in 1..20_000_u64,
        cv in 0.0..3.0_f64,
        seconds in 60..2_400_u64,
        seed: u64,
    ) -> Workload {
        let service = ServiceTime::Lognormal { mean: Duration::from_millis(millis), cv };
        Generated { arrivals, service, duration: Duration::from_secs(seconds) }.draw("random", seed).unwrap()
    }
}

prop_compose! {
    /// A peer whose delays and periods are not the stock ones, and its bounds.
    fn peer()(
        kind in prop::sample::select(Kind::ALL.to_vec()),
        concurrency in 1..9_u32,
        millis in 1..20_000_u64,
        min in 0..4_u32,
        more in 1..30_u32,
        short: bool,
        seconds in 1..40_u32,
    ) -> (Peer, Service, (u32, u32)) {
        let stock = Stock { concurrency, mean_service: Duration::from_millis(millis), min, max: min + more };
        let mut peer = Peer::defaults(kind, &stock);
        let settings = Settings { sync_period: Duration::from_secs(seconds.into()), ..Settings::default() };
        if short {
            match &mut peer {
                Peer::Knative(parameters) => parameters.stable_window = Duration::from_secs(u64::from(seconds) + 6),
                Peer::Kubernetes { settings: own, .. } => *own = settings,
                Peer::Keda { object, settings: own } => {
                    *own = settings;
                    object.polling_interval = seconds;
                    object.cooldown_period = 2 * seconds;
                }
                Peer::RayServe(config) => {
                    config.upscale_delay_s = 0.3;
                    config.downscale_delay_s = seconds.into();
                    config.metrics_interval_s = f64::from(seconds) / 3.0;
                }
                Peer::SkyServe(policy) => {
                    policy.upscale_delay_seconds = seconds.into();
                    policy.downscale_delay_seconds = seconds.into();
                }
                _ => {}
            }
        }
        (peer, Service { concurrency, target: TARGET }, bounds(kind, &stock))
    }
}

prop_compose! {
    fn options()(cold_millis in 0..90_000_u64, spread in 0..50_u32, seed: u64) -> Options {
        let mut options = Options::default();
        options.start_spread = Share::new(f64::from(spread) / 100.0).unwrap();
        (options.cold_start, options.seed) = (Duration::from_millis(cold_millis), seed);
        options
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn peers_bounds_hold(workload in workload(), (peer, service, bounds) in peer(), options in options()) {
        let (outcome, _) = run(&workload, &peer, service, bounds, &options);
        prop_assert_eq!((outcome.refused, outcome.lost), (0, 0));
        prop_assert_eq!(outcome.finished + outcome.unserved, outcome.requests);
        // Whoever looks at the queue serves it; SkyServe looks at what has arrived.
        prop_assert!(outcome.unserved == 0 || peer.kind() == Kind::SkyServe, "{} unserved", outcome.unserved);
        prop_assert!(outcome.peak_workers <= bounds.1);
    }

    #[test]
    fn peers_are_deterministic(workload in workload(), (peer, service, bounds) in peer(), options in options()) {
        let [once, twice] = [(); 2].map(|()| run(&workload, &peer, service, bounds, &options));
        prop_assert_eq!(once, twice);
    }

    #[test]
    fn peers_do_not_see_what_has_not_come(
        workload in workload(), (peer, service, bounds) in peer(), options in options(), cut in 1..2_400_u64,
    ) {
        let early = beginning(&workload, cut);
        let [whole, part] = [&workload, &early].map(|workload| run(workload, &peer, service, bounds, &options).1);
        let until = |wanted: Vec<(Timestamp, u32)>| {
            let before = wanted.into_iter().filter(|(at, _)| *at < Timestamp::from_secs(cut));
            before.collect::<Vec<_>>()
        };
        let (whole, part) = (until(whole), until(part));
        // The shorter run may end before.
        prop_assert_eq!(&whole[..part.len()], &part[..]);
    }
}
