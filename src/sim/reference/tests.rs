use approx::assert_relative_eq;

use super::*;
use crate::sim::generate::{Arrivals, Generated, ServiceTime};

const OBJECTIVE: Duration = Duration::from_millis(100);

fn objective(share: f64) -> Objective {
    Objective { share: Share::new(share).unwrap(), within: OBJECTIVE }
}

fn drawn(arrivals: Arrivals, hours: u64) -> Workload {
    let service = ServiceTime::Exponential(Duration::from_secs(1));
    Generated { arrivals, service, duration: Duration::from_secs(3_600 * hours) }.draw("drawn", 5).unwrap()
}

fn diurnal() -> Workload {
    drawn(Arrivals::Diurnal { least: 0.5, most: 6.0, period: Duration::from_secs(3_600), noise: None }, 1)
}

#[test]
fn who_knows_more_pays_less() {
    for (workload, concurrency) in [(diurnal(), 1), (diurnal(), 8)] {
        let possible = References::of(&workload, concurrency, objective(0.99), &Options::default());
        let hours = |reference: Option<Reference>| reference.unwrap().worker_hours;
        let work = workload.offered_load() * workload.duration().as_secs_f64() / 3_600.0 / f64::from(concurrency);
        assert!(possible.least >= work, "{possible:?}");
        assert!(possible.least <= hours(possible.clairvoyant), "{possible:?}");
        assert!(hours(possible.clairvoyant) < hours(possible.rate_oracle), "{possible:?}");
        assert!(hours(possible.rate_oracle) <= hours(possible.present_oracle) * 1.02, "{possible:?}");
        assert!(hours(possible.rate_oracle) < hours(possible.fixed), "{possible:?}");
        for reference in [possible.clairvoyant, possible.rate_oracle, possible.present_oracle, possible.fixed] {
            assert!(reference.unwrap().within >= 0.99, "{possible:?}");
        }
    }
}

#[test]
fn a_longer_cold_start_costs_the_clairvoyant_more_and_a_fixed_pool_nothing() {
    let workload =
        drawn(Arrivals::Sparse { every: Duration::from_secs(300), requests: 5.0, pause: Duration::from_secs(4) }, 8);
    let of = |secs| {
        let options = Options { cold_start: Duration::from_secs(secs), ..Options::default() };
        References::of(&workload, 1, objective(0.9), &options)
    };
    let (short, long) = (of(2), of(60));
    assert!(short.least < long.least);
    assert!(short.clairvoyant.unwrap().worker_hours < long.clairvoyant.unwrap().worker_hours);
    assert_eq!(short.fixed, long.fixed);
}

#[test]
fn the_bound_by_itself_is_the_one_beside_the_others() {
    let workload = drawn(Arrivals::Poisson { rate: 0.5 }, 1);
    for concurrency in [1, 4] {
        let least = References::of(&workload, concurrency, objective(0.9), &Options::default()).least;
        let bound = References::bound(&workload, concurrency, objective(0.9), &Options::default());
        assert!(least > 0.0 && (bound - least).abs() < 1e-12, "{bound} {least}");
    }
}

#[test]
fn of_two_references_the_cheaper_one_is_kept() {
    let costs = |worker_hours| Reference { worker_hours, within: 1.0, peak_workers: 1 };
    for (best, other, kept) in [(None, 3.0, 3.0), (Some(2.0), 3.0, 2.0), (Some(4.0), 3.0, 3.0)] {
        assert_eq!(cheaper(best.map(costs), costs(other)), costs(kept));
    }
}

#[test]
fn staffing_agrees_with_the_tables() {
    // M/M/10 with a load of 8: a request waits with probability 0.409, and longer than a service time with 0.0554.
    let service = Service { concurrency: 1, target: Duration::from_secs(1) };
    let mut staffing = Staffing::new(0.06, service, 1.0);
    // The load is rounded up by two percent at the most.
    assert_eq!(staffing.workers(8.0), 10);
    assert_eq!(Staffing::new(0.055, service, 1.0).workers(8.0), 11);
    assert_eq!((staffing.workers(0.0), staffing.workers(1e-9)), (0, 1));
    let pairs = Service { concurrency: 4, ..service };
    assert_eq!(Staffing::new(0.06, pairs, 1.0).workers(8.0), 3);
}

#[test]
fn no_requests_need_nobody() {
    let empty = drawn(Arrivals::Poisson { rate: 0.0 }, 1);
    let possible = References::of(&empty, 1, objective(0.99), &Options::default());
    assert_relative_eq!(possible.least, 0.0);
    assert_relative_eq!(possible.clairvoyant.unwrap().worker_hours, 0.0);
}
