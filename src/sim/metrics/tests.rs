use std::vec;

use super::*;
use crate::config::Config;
use crate::observation::FailureCause;
use crate::policy::RunPod;
use crate::recorder::Record;
use crate::sim::tests::heard::Heard;
use crate::sim::{Outcome, Plan, Request, Service, Workload, simulate, simulate_recorded, simulate_with};

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn workload(requests: &[(u64, u64)]) -> Workload {
    let request =
        |&(arrival, service): &(u64, u64)| Request { arrival: Timestamp::from_secs(arrival), service: secs(service) };
    Workload::from_requests("test", requests.iter().map(request).collect()).unwrap()
}

fn options(metrics: Metrics) -> Options {
    Options { metrics, prepared: true, ..Options::default() }
}

/// What a fixed pool of one is told, with the time in seconds that it bears.
fn told(requests: &[(u64, u64)], options: &Options) -> Vec<(u64, Observation)> {
    let service = Service { concurrency: 1, target: secs(1) };
    simulate_with(&workload(requests), service, Heard::new(Plan::fixed(1)), options, &mut ()).1.told
}

fn of_requests(told: Vec<(u64, Observation)>) -> Vec<(u64, Observation)> {
    let about_workers = |seen: &Observation| matches!(seen, Observation::Worker { .. });
    told.into_iter().filter(|(_, seen)| !about_workers(seen)).collect()
}

#[test]
fn a_scrape_finds_the_queue_what_is_served_and_what_has_come() {
    let metrics = Metrics { told: Told::Gauges, every: secs(10), ..Metrics::default() };
    let told = told(&[(1, 8), (2, 8), (3, 8)], &options(metrics));
    let gauges = |at, depth, age: Option<u64>, serving| {
        [(at, Observation::queue(depth, age.map(secs))), (at, Observation::in_flight(serving))]
    };
    let count = |at, count| (at, Observation::Requests { count, over: secs(10) });
    let mut expected = vec![];
    expected.extend(gauges(0, 0, None, 0));
    expected.extend(gauges(10, 1, Some(7), 1));
    expected.push(count(10, 3));
    expected.extend(gauges(20, 0, None, 1));
    expected.push(count(20, 0));
    assert_eq!(of_requests(told.clone()), expected);
    let of_worker: Vec<_> = told
        .into_iter()
        .filter_map(|(at, seen)| if let Observation::Worker { event, .. } = seen { Some((at, event)) } else { None })
        .collect();
    // Between the scrapes nobody knows.
    let expected =
        [(0, WorkerEvent::Ordered), (0, WorkerEvent::Ready), (10, WorkerEvent::Busy(1)), (20, WorkerEvent::Busy(1))];
    assert_eq!(of_worker, expected);
}

#[test]
fn gauges_beside_events_count_nothing_twice() {
    let both = Metrics { told: Told::Both, every: secs(10), ..Metrics::default() };
    let requests = [(1, 8), (2, 8), (3, 8)];
    let mut heard = told(&requests, &options(both));
    let gauge = |seen: &Observation| matches!(seen, Observation::Queue { .. } | Observation::InFlight { .. });
    let gauges: Vec<_> = heard.iter().filter(|(_, seen)| gauge(seen)).map(|(at, _)| *at).collect();
    assert_eq!(gauges, [0, 0, 10, 10, 20, 20]);
    heard.retain(|(_, seen)| !gauge(seen));
    assert_eq!(heard, told(&requests, &options(Metrics::default())));
}

#[test]
fn what_comes_late_bears_the_time_at_which_it_was_true() {
    let metrics = Metrics { late: secs(4), ..Metrics::default() };
    let late = of_requests(told(&[(1, 2), (9, 2)], &options(metrics)));
    let mut expected = of_requests(told(&[(1, 2), (9, 2)], &options(Metrics::default())));
    // The run is over before the last two arrive.
    expected.truncate(late.len());
    assert_eq!(late, expected);
    assert!((4..7).contains(&late.len()), "{late:?}");
}

#[test]
fn a_lost_scrape_leaves_its_count_to_the_next_one() {
    let requests: Vec<_> = (0..2_000).map(|second| (second, 1)).collect();
    let metrics = Metrics { told: Told::Gauges, lost: Share::new(0.3).unwrap(), ..Metrics::default() };
    let told = of_requests(told(&requests, &options(metrics)));
    let counts = told.iter().filter_map(|(at, seen)| match seen {
        Observation::Requests { count, over } => Some((*at, *count, over.as_secs())),
        _ => None,
    });
    let (mut scrapes, mut last, mut sum) = (0, 0, 0);
    for (at, count, over) in counts {
        assert_eq!((at - over, over % 5), (last, 0));
        // One request a second, the one of the first instant included.
        sum += u64::from(count);
        assert_eq!(sum, at + 1);
        (last, scrapes) = (at, scrapes + 1);
    }
    assert!((250..310).contains(&scrapes), "seven of ten of 400: {scrapes}");
}

#[test]
fn events_are_lost_as_often_as_is_said_and_all_of_them_in_a_gap() {
    let requests: Vec<_> = (0..4_000).map(|second| (second, 1)).collect();
    let arrivals = |metrics| {
        let told = of_requests(told(&requests, &options(metrics)));
        told.iter().filter(|(_, seen)| *seen == Observation::arrived(1)).map(|(at, _)| *at).collect::<Vec<_>>()
    };
    let kept = arrivals(Metrics { lost: Share::new(0.25).unwrap(), ..Metrics::default() }).len();
    assert!((2_900..3_100).contains(&kept), "{kept}");
    let gaps = Outages { every: secs(500), lasts: secs(60) };
    let kept = arrivals(Metrics { gaps, ..Metrics::default() });
    let missing = 4_000 - kept.len();
    assert!(missing > 0 && missing % 60 == 0, "{missing}");
    let longest = kept.windows(2).map(|pair| pair[1] - pair[0]).max();
    assert_eq!(longest, Some(61));
}

fn reported(metrics: Metrics) -> (Outcome, Vec<Report>) {
    let config = Config::runpod(RunPod::request_count(1), 0, 4, secs(30)).unwrap();
    let requests: Vec<_> = (0..300).map(|number| (number * 2, 1)).collect();
    let mut reports = vec![];
    let mut sink = |record: &Record| {
        if let Record::Reported { report, refused, .. } = record {
            assert_eq!(*refused, None);
            reports.push((**report).clone());
        }
    };
    let options = options(Metrics { told: Told::Reports, ..metrics });
    let outcome = simulate_recorded(&workload(&requests), &config, &options, &mut (), &mut sink);
    assert_eq!(outcome, simulate(&workload(&requests), &config, &options, &mut ()));
    (outcome, reports)
}

#[test]
fn load_balancers_report_what_went_through_each_of_them() {
    let (outcome, reports) = reported(Metrics { observers: 3, ..Metrics::default() });
    assert_eq!((outcome.finished, outcome.refused), (300, 0));
    let arrived = |observer| {
        let own = reports.iter().filter(|report| report.observer.0 == observer);
        own.map(|report| report.arrived).sum::<u64>()
    };
    let each = [arrived(0), arrived(1), arrived(2)];
    // The last ones came after the last report.
    assert!((295..=300).contains(&each.iter().sum::<u64>()), "{each:?}");
    assert!(each.iter().all(|count| (75..125).contains(count)), "{each:?}");
}

#[test]
fn reports_that_are_lost_are_sent_again() {
    let lossy = Metrics { observers: 2, lost: Share::new(0.4).unwrap(), ..Metrics::default() };
    let (outcome, reports) = reported(lossy);
    assert_eq!(outcome.finished, 300);
    for observer in 0..2 {
        let mut own: Vec<_> =
            reports.iter().filter(|report| report.observer.0 == observer).map(|report| report.sequence).collect();
        own.sort_unstable();
        assert!(own.windows(2).all(|pair| pair[1] == pair[0] + 1), "{own:?}");
        assert!(own.len() > 100, "{own:?}");
    }
}

#[test]
fn a_load_balancer_that_restarts_has_forgotten_what_it_counted() {
    let (outcome, reports) = reported(Metrics { restarts: secs(100), ..Metrics::default() });
    assert_eq!(outcome.finished, 300);
    let incarnations = reports.iter().map(|report| report.incarnation).max().unwrap();
    assert!((3..12).contains(&incarnations), "{incarnations}");
    let arrived: u64 = reports.iter().map(|report| report.arrived).sum();
    assert!((270..300).contains(&arrived), "{arrived}");
    assert!(reports.iter().all(|report| report.over <= secs(5)));
}

const fn worker(id: u64, event: WorkerEvent) -> Observation {
    Observation::worker(WorkerId(id), event)
}

#[test]
fn what_a_lost_worker_was_serving_is_in_flight_no_longer() {
    let at = Timestamp::from_secs;
    let mut gauges = Gauges::new(Metrics { told: Told::Gauges, ..Metrics::default() }, secs(1), 1);
    let started = Observation::started(Duration::ZERO);
    let finished = Observation::finished(secs(1));
    gauges.observe(at(1), Observation::arrived(9));
    let steps: [(&[Observation], u32); 9] = [
        (&[started, worker(0, WorkerEvent::Busy(1)), started, worker(0, WorkerEvent::Busy(2))], 2),
        (&[started, worker(1, WorkerEvent::Busy(1))], 3),
        (&[worker(0, WorkerEvent::Gone)], 1),
        (&[started, worker(1, WorkerEvent::Busy(2)), finished, worker(1, WorkerEvent::Busy(1))], 1),
        (&[finished, worker(1, WorkerEvent::Idle)], 0),
        (&[started, worker(1, WorkerEvent::Busy(1)), started, worker(2, WorkerEvent::Busy(1))], 2),
        (&[worker(1, WorkerEvent::Failed(FailureCause::Crash)), finished, worker(2, WorkerEvent::Idle)], 0),
        (&[started, worker(3, WorkerEvent::Busy(1)), started, worker(4, WorkerEvent::Busy(1)), finished], 1),
        (&[worker(3, WorkerEvent::Idle), worker(4, WorkerEvent::Gone)], 0),
    ];
    for (seen, in_flight) in steps {
        for seen in seen {
            gauges.observe(at(2), *seen);
        }
        assert_eq!(gauges.scrape(at(3), false)[1], Observation::in_flight(in_flight), "{seen:?}");
    }
}

#[test]
fn the_scrape_after_a_lost_one_finds_what_workers_do() {
    let at = Timestamp::from_secs;
    let metrics = Metrics { told: Told::Gauges, every: secs(10), lost: Share::ONE, ..Metrics::default() };
    let mut telling = Telling::new(Heard::new(Plan::fixed(1)), &options(metrics), secs(1));
    let (busy, idle) = (worker(0, WorkerEvent::Busy(2)), worker(1, WorkerEvent::Idle));
    assert!(telling.observe(at(1), busy) && telling.observe(at(1), idle));
    telling.decide(at(10), &mut Commands::default());
    assert_eq!(telling.inner.told, []);
    telling.metrics.lost = Share::ZERO;
    telling.decide(at(20), &mut Commands::default());
    assert_eq!(telling.inner.told[..2], [(20, busy), (20, idle)]);
    // What has ended is told at once, and its load forgotten.
    let gone = worker(0, WorkerEvent::Gone);
    assert!(telling.observe(at(21), busy) && telling.observe(at(22), gone));
    telling.decide(at(30), &mut Commands::default());
    let of_workers: Vec<_> =
        telling.inner.told.iter().skip(2).filter(|(_, seen)| *seen == busy || *seen == gone).collect();
    assert_eq!(of_workers, [&(22, gone)]);
    // A report goes through as it is.
    let report = crate::report::Reporter::new(crate::observation::ObserverId(1), 1, secs(1), at(30)).report(at(40));
    let before = telling.inner.told.len();
    assert!(telling.report(at(40), &report));
    assert!(telling.inner.told.len() > before);
}

#[test]
fn what_spreads_is_under_way_and_may_wake_somebody() {
    let at = Timestamp::from_secs;
    let telling = |metrics| Telling::new(Heard::new(Plan::fixed(0)), &options(metrics), secs(1));
    let mut spread = telling(Metrics { spread: secs(5), ..Metrics::default() });
    assert!(!spread.may_wake(), "nothing is under way");
    spread.observe(at(1), Observation::arrived(1));
    let late = Chance::of(0, "metrics.spread").below(5_000_000_001);
    assert_eq!(spread.next_wakeup(), Some(at(1).saturating_add(Duration::from_nanos(late))));
    assert!(spread.may_wake());
    // Who owns the pool hears of a start that failed at once, however requests are told of.
    let mut scraped = telling(Metrics { told: Told::Gauges, ..Metrics::default() });
    assert!(scraped.may_wake(), "the next scrape finds it");
    let failed = Observation::StartFailed { count: 1, cause: FailureCause::Quota };
    scraped.observe(at(1), failed);
    assert_eq!(scraped.inner.told, [(1, failed)]);
}
