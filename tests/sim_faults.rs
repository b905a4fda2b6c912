//! The simulator under random troubles: whatever a platform does to an autoscaler, some things always hold.
#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]
#![expect(clippy::arithmetic_side_effects, clippy::float_arithmetic, reason = "a test may overflow loudly")]

use core::ops::Range;
use core::time::Duration;

use plimsoll::classes::{Capacity, Price, Settings};
use plimsoll::policy::RunPod;
use plimsoll::sim::generate::{Arrivals, Generated, ServiceTime};
use plimsoll::sim::peers::{Kind, Peer, Stock};
use plimsoll::sim::{
    Class, ClockStep, Delivery, Metrics, Options, Outages, Outcome, Prices, Router, Service, Spot, StartTime, Starts,
    Stock as Stocked, Told, Workload, simulate, simulate_classes, simulate_with,
};
use plimsoll::{Config, Preset, Share};
use proptest::prelude::*;
use proptest::sample::select;

const TARGET: Duration = Duration::from_secs(1);

fn seconds(range: Range<u64>) -> impl Strategy<Value = Duration> {
    range.prop_map(Duration::from_secs)
}

fn share(most: u32) -> impl Strategy<Value = Share> {
    (0..most).prop_map(|percent| Share::new(f64::from(percent) / 100.0).unwrap())
}

/// Long enough to be of use now and then: a pool whose workers live for seconds takes weeks for an hour's requests.
fn life() -> impl Strategy<Value = Duration> {
    prop_oneof![Just(Duration::ZERO), seconds(60..900)]
}

/// Half of the time never.
fn outages() -> impl Strategy<Value = Outages> {
    let some = (seconds(60..600), seconds(1..120)).prop_map(|(every, lasts)| Outages { every, lasts });
    prop_oneof![Just(Outages::NONE), some]
}

prop_compose! {
    fn starts()(
        takes in prop_oneof![
            Just(StartTime::Uniform),
            (0.0..3.0_f64).prop_map(|cv| StartTime::Lognormal { cv }),
            Just(StartTime::Quantiles([0, 5, 9, 60].map(Duration::from_secs).to_vec())),
        ],
        shares in [share(12), share(12), share(12), share(12), share(12), share(12), share(30)],
        shortages in outages(),
    ) -> Starts {
        let mut starts = Starts::default();
        (starts.takes, starts.shortages) = (takes, shortages);
        [
            starts.crash, starts.timeout, starts.hang, starts.preempted, starts.quota, starts.stock_out, starts.slow,
        ] = shares;
        starts
    }
}

prop_compose! {
    fn metrics()(
        told in select(vec![Told::Events, Told::Gauges, Told::Both, Told::Reports]),
        every in seconds(1..20),
        late in seconds(0..10),
        spread in seconds(0..10),
        lost in share(30),
        gaps in outages(),
        observers in 1..4_u32,
        restarts in seconds(0..500),
    ) -> Metrics {
        let mut metrics = Metrics::default();
        (metrics.told, metrics.every, metrics.late, metrics.spread) = (told, every, late, spread);
        (metrics.lost, metrics.gaps, metrics.observers, metrics.restarts) = (lost, gaps, observers, restarts);
        metrics
    }
}

prop_compose! {
    fn delivery()(
        every in seconds(0..30), late in seconds(0..10), spread in seconds(0..10), twice in share(50), unguarded: bool,
    ) -> Delivery {
        let mut delivery = Delivery::default();
        (delivery.every, delivery.late, delivery.spread) = (every, late, spread);
        (delivery.twice, delivery.unguarded) = (twice, unguarded);
        delivery
    }
}

fn classes() -> impl Strategy<Value = Vec<Class>> {
    let slots = prop::option::of(0..5_u32);
    let class = (0.2..4.0_f64, 0.0..9.0_f64, 0..9_u32, life(), slots).prop_map(|(speed, price, limit, life, slots)| {
        let mut class = Class::default();
        (class.speed, class.price_per_hour, class.limit, class.mean_life) = (speed, price, limit, life);
        class.slots = slots;
        class
    });
    prop::collection::vec(class, 0..4)
}

prop_compose! {
    fn options()(
        (cold_start, seed, retries, slowdown) in (seconds(0..90), any::<u64>(), 0..3_u32, share(50)),
        (starts, metrics, delivery, classes) in (starts(), metrics(), delivery(), classes()),
        (mean_life, notice, freezes) in (life(), seconds(0..120), outages()),
        router in select(vec![Router::LowestId, Router::LeastLoaded, Router::Random]),
        (billed_by, standby) in (seconds(0..300), 0.0..1.0_f64),
        steps in prop::collection::vec((0..1_200_u64, -900..900_i64), 0..3),
    ) -> Options {
        let mut options = Options::default();
        (options.cold_start, options.seed, options.retries, options.slowdown) = (cold_start, seed, retries, slowdown);
        (options.starts, options.metrics, options.delivery) = (starts, metrics, delivery);
        (options.classes, options.freezes, options.router) = (classes, freezes, router);
        let (mut spot, mut prices) = (Spot::default(), Prices::default());
        (spot.mean_life, spot.notice) = (mean_life, notice);
        (prices.billed_by, prices.standby) = (billed_by, standby);
        (options.spot, options.prices) = (spot, prices);
        let step = |(at, by_seconds)| ClockStep { at: Duration::from_secs(at), by_seconds };
        options.clock = steps.into_iter().map(step).collect();
        options
    }
}

prop_compose! {
    fn workload()(rate in 0.01..2.0_f64, millis in 1..20_000_u64, seconds in 60..1_200_u64, seed: u64) -> Workload {
        let (arrivals, mean) = (Arrivals::Poisson { rate }, Duration::from_millis(millis));
        let service = ServiceTime::Lognormal { mean, cv: 1.0 };
        Generated { arrivals, service, duration: Duration::from_secs(seconds) }.draw("random", seed).unwrap()
    }
}

fn config() -> impl Strategy<Value = Config> {
    let count =
        (1..5_u32, 0..3_u32, 1..20_u32, 1..5_u32, 0..2_u32).prop_map(|(requests, min, more, slots, standby)| {
            let config = Config::runpod(RunPod::request_count(requests), min, min + more, Duration::from_secs(20));
            config.unwrap().with_standby(standby).with_concurrency(slots).unwrap()
        });
    prop_oneof![count, select(Preset::ALL.to_vec()).prop_map(Preset::config)]
}

/// What is true of every run.
fn check(outcome: &Outcome, options: &Options) {
    let ends = outcome.finished + outcome.lost + outcome.unserved;
    assert_eq!(ends, outcome.requests, "every request ends somehow");
    assert!((0.0..=1.0).contains(&outcome.within_target));
    assert!(outcome.cost.is_finite() && outcome.cost >= 0.0 && outcome.costs.rounding >= 0.0);
    let close = (outcome.costs.total() - outcome.cost).abs() <= 1e-9 * outcome.cost.max(1.0);
    assert!(close, "{:?} is {}", outcome.costs, outcome.cost);
    let most = |class: &Class| class.stock.iter().map(|stock| stock.limit).fold(class.limit, u32::max);
    let limit: u64 = options.classes.iter().map(|class| u64::from(most(class))).sum();
    assert!(options.classes.is_empty() || u64::from(outcome.peak_workers) <= limit);
    assert!(options.retries > 0 || outcome.retried == 0);
}

/// A pool of so many classes, and machines that are what they are.
fn pool(config: &Config, options: &Options) -> (Settings, Options) {
    let mut options = options.clone();
    options.classes.truncate(3);
    if options.classes.is_empty() {
        options.classes.push(Class::default());
    }
    let mut classes = Vec::new();
    for (at, machine) in options.classes.iter_mut().enumerate() {
        machine.name = format!("class {at}");
        let price = Price::per_hour(machine.price_per_hour).unwrap();
        let mut class = plimsoll::classes::Class::new(&*machine.name, price, 6);
        // Of some it is known, of others it is learned, and of the last it is wrong.
        class.capacity = (at != 1).then(|| Capacity::new(machine.speed).unwrap());
        class.standby = config.standby().min(1);
        class.slots = machine.slots.filter(|slots| *slots > 0);
        machine.limit = machine.limit.max(1);
        if at == 2 {
            machine.speed /= 2.0;
        }
        classes.push(class);
    }
    let settings = Settings::new(config.clone().with_standby(0), classes).unwrap();
    (settings, options)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_pool_of_classes_bears_them_too(
        workload in workload(), config in config(), options in options(), storm in 0..1_200_u64,
    ) {
        let (settings, mut options) = pool(&config, &options);
        options.classes[0].taken_back = vec![Duration::from_secs(storm)];
        options.classes[0].stock = vec![
            Stocked { from: Duration::from_secs(storm), limit: 0 },
            Stocked { from: Duration::from_secs(storm + 300), limit: 5 },
        ];
        let outcome = simulate_classes(&workload, &settings, &options, &mut ()).unwrap();
        check(&outcome, &options);
        let whole: f64 = outcome.classes.iter().map(|class| class.costs.total()).sum();
        prop_assert!((whole - outcome.cost).abs() <= 1e-9 * outcome.cost.max(1.0));
        let again = simulate_classes(&workload, &settings, &options, &mut ()).unwrap();
        prop_assert_eq!(outcome, again);
    }

    #[test]
    fn troubles_lose_no_request_and_break_nothing(
        workload in workload(), config in config(), options in options(),
    ) {
        options.check().unwrap();
        let outcome = simulate(&workload, &config, &options, &mut ());
        check(&outcome, &options);
        let again = simulate(&workload, &config, &options, &mut ());
        prop_assert_eq!(outcome, again, "a run is a function of its seed");
    }

    #[test]
    fn troubles_break_no_peer(
        workload in workload(), kind in select(Kind::ALL.to_vec()), options in options(), concurrency in 1..5_u32,
    ) {
        let stock = Stock { concurrency, mean_service: Duration::from_secs(2), min: 1, max: 20 };
        let service = Service { concurrency, target: TARGET };
        let run = || {
            let peer = Peer::defaults(kind, &stock).controller(service).unwrap();
            simulate_with(&workload, service, peer, &options, &mut ()).0
        };
        let outcome = run();
        check(&outcome, &options);
        prop_assert_eq!(outcome, run());
    }

    #[test]
    fn commands_that_come_twice_change_nothing(
        workload in workload(), config in config(), twice in share(100), again_after in seconds(0..90), seed: u64,
    ) {
        let mut options = Options::default();
        options.seed = seed;
        let plain = simulate(&workload, &config, &options, &mut ());
        (options.delivery.twice, options.delivery.again_after) = (twice, again_after);
        prop_assert_eq!(simulate(&workload, &config, &options, &mut ()), plain);
    }

    #[test]
    fn a_trouble_that_never_comes_changes_nothing(workload in workload(), config in config(), seed: u64) {
        let mut options = Options::default();
        options.seed = seed;
        let plain = simulate(&workload, &config, &options, &mut ());
        // Each is switched on, and set to nothing.
        (options.starts.slow_factor, options.starts.gives_up_after) = (9, Duration::from_secs(1));
        (options.metrics.every, options.metrics.observers) = (Duration::from_secs(1), 9);
        options.delivery.again_after = Duration::from_secs(1);
        options.clock.push(ClockStep { at: Duration::from_secs(100), by_seconds: 0 });
        options.spot.notice = Duration::from_secs(60);
        (options.retries, options.freezes.every) = (3, Duration::from_secs(60));
        options.starts.shortages.lasts = Duration::from_secs(60);
        prop_assert_eq!(simulate(&workload, &config, &options, &mut ()), plain);
    }

    #[test]
    fn bounds_hold_where_orders_are_guarded(
        workload in workload(), config in config(), mut options in options(),
    ) {
        // Late news of what was ordered is another matter: here the platform says at once what it does.
        (options.delivery.unguarded, options.delivery.late, options.delivery.spread) =
            (false, Duration::ZERO, Duration::ZERO);
        let outcome = simulate(&workload, &config, &options, &mut ());
        prop_assert!(outcome.peak_workers <= config.max(), "{} of {}", outcome.peak_workers, config.max());
    }
}
