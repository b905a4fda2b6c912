pub(super) mod heard;
mod troubles;

use core::time::Duration;
use std::vec;
use std::vec::Vec;

use approx::assert_relative_eq;

use super::*;
use crate::config::Config;
use crate::decision::{Command, Decision};
use crate::observation::WorkerId;
use crate::policy::RunPod;
use crate::recorder::Record;
use crate::schedule::Interval;
use crate::time::Timestamp;
use crate::units::Share;

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// Requests as (arrival, service) in seconds.
fn workload(requests: &[(u64, u64)]) -> Workload {
    let request =
        |&(arrival, service): &(u64, u64)| Request { arrival: Timestamp::from_secs(arrival), service: secs(service) };
    Workload::from_requests("test", requests.iter().map(request).collect()).unwrap()
}

fn run(requests: &[(u64, u64)], config: &Config, options: &Options) -> Outcome {
    simulate(&workload(requests), config, options, &mut ())
}

/// One worker, ready after 20 s, meets three requests of which two wait for it.
fn three_requests(bucket: Duration) -> Outcome {
    let options = Options { price_per_hour: 2.0, bucket, ..Options::default() };
    run(&[(10, 5), (12, 5), (40, 10)], &Config::fixed(1).unwrap(), &options)
}

#[test]
fn a_run_is_summed_up_exactly() {
    let outcome = three_requests(Duration::ZERO);
    assert_eq!((outcome.workload.as_str(), outcome.duration, outcome.bucket), ("test", secs(50), secs(1)));
    assert_eq!((outcome.requests, outcome.finished, outcome.lost, outcome.unserved), (3, 3, 0, 0));
    // The first waits from 10 to 20, the second from 12 to 25, the third not at all.
    assert_eq!((outcome.sojourn_p50, outcome.sojourn_p99, outcome.sojourn_max), (secs(10), secs(13), secs(13)));
    assert_relative_eq!(outcome.within_target, 1.0 / 3.0);
    assert_eq!((outcome.cold_starts, outcome.warm_starts, outcome.peak_workers, outcome.refused), (1, 0, 1, 0));
    assert_eq!((outcome.scaling_events, outcome.reversals), (0, 0));
    assert_relative_eq!(outcome.replica_hours, 50.0 / 3_600.0);
    assert_relative_eq!(outcome.cost, 100.0 / 3_600.0);
    assert_relative_eq!(outcome.standby_hours, 0.0);
}

#[test]
fn the_course_of_a_run_is_kept_in_buckets() {
    let outcome = three_requests(secs(10));
    let nothing = Sample::default();
    let expected = [
        Sample { t_s: 0.0, starting: 1.0, ..nothing },
        // One waits for 10 s, the other for 8 s; 10 s of work arrive.
        Sample { t_s: 10.0, starting: 1.0, arrivals_per_s: 0.2, offered_load: 1.0, queue_depth: 1.8, ..nothing },
        Sample { t_s: 20.0, busy: 1.0, capacity: 1.0, queue_depth: 0.5, sojourn_p99_s: Some(13.0), ..nothing },
        Sample { t_s: 30.0, idle: 1.0, capacity: 1.0, ..nothing },
        Sample {
            t_s: 40.0,
            busy: 1.0,
            capacity: 1.0,
            arrivals_per_s: 0.1,
            offered_load: 1.0,
            sojourn_p99_s: Some(0.0),
            ..nothing
        },
    ];
    assert_eq!(outcome.samples, expected);
    // The last bucket is cut short: its means are those of the time that there was.
    let last = three_requests(secs(40)).samples.pop().unwrap();
    assert_eq!(last, Sample { t_s: 40.0, ..expected[4] });
}

#[test]
fn buckets_that_become_too_many_are_merged_without_loss() {
    let outcome = three_requests(Duration::from_millis(1));
    assert_eq!((outcome.bucket, outcome.samples.len()), (Duration::from_millis(8), 6_250));
    let width = 0.008;
    let sum = |of: fn(&Sample) -> f64| outcome.samples.iter().map(of).sum::<f64>() * width;
    assert_relative_eq!(sum(|sample| sample.arrivals_per_s), 3.0, max_relative = 1e-9);
    assert_relative_eq!(sum(|sample| sample.offered_load), 20.0, max_relative = 1e-9);
    assert_relative_eq!(sum(|sample| sample.queue_depth), 23.0, max_relative = 1e-9);
    assert_relative_eq!(sum(|sample| sample.starting), 20.0, max_relative = 1e-9);
    assert_relative_eq!(sum(|sample| sample.busy), 20.0, max_relative = 1e-9);
    assert_relative_eq!(sum(|sample| sample.capacity), 30.0, max_relative = 1e-9);
    let waits: Vec<_> = outcome.samples.iter().filter_map(|s| Some((s.t_s, s.sojourn_p99_s?))).collect();
    assert_eq!(waits, [(20.0, 10.0), (25.0, 13.0), (40.0, 0.0)]);
    assert_relative_eq!(outcome.replica_hours, 50.0 / 3_600.0);
}

/// Two workers, of which only one is allowed from 100 s on; both are busy then.
fn shrinking(until: u64, config: &Config) -> Outcome {
    let interval = Interval::new(Timestamp::from_secs(100), Timestamp::from_secs(until)).with_max(1);
    let config = config.clone().with_schedule(vec![interval]).unwrap();
    run(&[(50, 200), (51, 300), (1_000, 1)], &config, &Options::default())
}

#[test]
fn a_draining_worker_finishes_what_it_has_and_is_gone() {
    let outcome = shrinking(5_000, &Config::fixed(2).unwrap().with_drain_timeout(secs(600)).unwrap());
    assert_eq!((outcome.finished, outcome.lost, outcome.cold_starts, outcome.warm_starts), (3, 0, 2, 0));
    assert_eq!((outcome.scaling_events, outcome.peak_workers, outcome.refused), (1, 2, 0));
    // Told to drain at 100 s, it serves until 250 s or 351 s.
    let draining: f64 =
        outcome.samples.iter().map(|sample| sample.draining).sum::<f64>() * outcome.bucket.as_secs_f64();
    let ends = [150.0, 251.0];
    assert!(ends.iter().any(|end| (draining - end).abs() < 1e-6), "{draining}");
    assert_relative_eq!(outcome.replica_hours, (1_001.0 + 100.0 + draining) / 3_600.0, max_relative = 1e-9);
}

#[test]
fn a_drain_past_its_deadline_loses_what_it_serves() {
    let outcome = shrinking(5_000, &Config::fixed(2).unwrap().with_drain_timeout(secs(60)).unwrap());
    assert_eq!((outcome.finished, outcome.lost, outcome.unserved), (2, 1, 0));
    assert_relative_eq!(outcome.replica_hours, (1_001.0 + 160.0) / 3_600.0, max_relative = 1e-9);
}

#[test]
fn a_draining_worker_is_brought_back_without_a_start() {
    let outcome = shrinking(110, &Config::fixed(2).unwrap().with_drain_timeout(secs(600)).unwrap());
    assert_eq!((outcome.finished, outcome.lost, outcome.cold_starts, outcome.warm_starts), (3, 0, 2, 0));
    assert_eq!((outcome.scaling_events, outcome.reversals), (2, 1));
    assert_relative_eq!(outcome.replica_hours, 2_002.0 / 3_600.0, max_relative = 1e-9);
}

#[test]
fn a_standby_worker_answers_after_a_warm_start() {
    let config = Config::runpod(RunPod::request_count(1), 0, 1, secs(30)).unwrap().with_standby(1);
    let outcome = run(&[(100, 10), (200, 10)], &config, &Options::default());
    assert_eq!((outcome.cold_starts, outcome.warm_starts, outcome.finished), (0, 2, 2));
    assert_eq!((outcome.sojourn_p50, outcome.sojourn_max, outcome.duration), (secs(2), secs(2), secs(212)));
    // Loaded from 0 to 20 s, awake from 100 to 142 s and from 200 to 212 s, in standby between.
    assert_relative_eq!(outcome.replica_hours, (20.0 + 42.0 + 12.0) / 3_600.0, max_relative = 1e-9);
    assert_relative_eq!(outcome.standby_hours, (80.0 + 58.0) / 3_600.0, max_relative = 1e-9);
    assert_eq!((outcome.scaling_events, outcome.reversals, outcome.peak_workers), (3, 2, 1));
}

#[test]
fn starts_spread_as_the_seed_says() {
    let options = Options { start_spread: Share::new(0.5).unwrap(), ..Options::default() };
    let wait = run(&[(0, 1)], &Config::fixed(1).unwrap(), &options).sojourn_max;
    // The second number of SplitMix64's published sequence for the seed 0 is 6e789e6aa1b965f4; modulo 20 s + 1 ns.
    assert_eq!(wait, secs(10) + Duration::from_nanos(0x6e78_9e6a_a1b9_65f4 % 20_000_000_001));
    let other = run(&[(0, 1)], &Config::fixed(1).unwrap(), &Options { seed: 1, ..options }).sojourn_max;
    assert!(other != wait && (secs(10)..=secs(30)).contains(&other), "{other:?}");
}

#[test]
fn a_worker_serves_as_many_at_once_as_it_has_slots() {
    let config = Config::fixed(2).unwrap().with_concurrency(2).unwrap();
    let outcome = run(&[(30, 10), (30, 10), (30, 10), (30, 10), (30, 10)], &config, &Options::default());
    assert_eq!((outcome.sojourn_p50, outcome.sojourn_max, outcome.duration), (Duration::ZERO, secs(10), secs(50)));
    assert_relative_eq!(outcome.samples[35].capacity, 4.0);
    assert_relative_eq!(outcome.samples[35].queue_depth, 1.0);
    assert_relative_eq!(outcome.samples[45].busy, 1.0);
}

#[test]
fn who_is_never_served_is_said() {
    let config = Config::fixed(1).unwrap();
    let closed = Interval::new(Timestamp::ORIGIN, Timestamp::MAX).with_max(0);
    let outcome = run(&[(5, 1), (6, 1)], &config.with_schedule(vec![closed]).unwrap(), &Options::default());
    assert_eq!((outcome.requests, outcome.finished, outcome.unserved, outcome.cold_starts), (2, 0, 2, 0));
    assert_eq!((outcome.duration, outcome.sojourn_max), (secs(6), Duration::ZERO));
}

#[derive(Default)]
struct Notes {
    decisions: Vec<(u64, Vec<Command>)>,
    progress: Vec<(usize, usize)>,
    sojourns: Vec<(u64, Duration)>,
}

impl Watch for Notes {
    fn decision(&mut self, decision: &Decision) {
        self.decisions.push((decision.at.as_nanos() / 1_000_000_000, decision.commands.clone()));
    }

    fn progress(&mut self, arrived: usize, total: usize) {
        self.progress.push((arrived, total));
    }

    fn started(&mut self, now: Timestamp, sojourn: Duration) {
        self.sojourns.push((now.as_nanos() / 1_000_000_000, sojourn));
    }
}

#[test]
fn a_watcher_sees_the_decisions_that_change_something() {
    let config = Config::runpod(RunPod::request_count(1), 0, 1, secs(30)).unwrap();
    let mut notes = Notes::default();
    simulate(&workload(&[(5, 10), (200, 1)]), &config, &Options::default(), &mut notes);
    let start = (5, vec![Command::Start { count: 1 }]);
    let stop = (65, vec![Command::Stop { id: WorkerId(0), to_standby: false, cut_off: false }]);
    assert_eq!(notes.decisions[..2], [start, stop]);
    assert_eq!(notes.decisions[2], (200, vec![Command::Start { count: 1 }]));
    assert_eq!(notes.progress, [(2, 2)]);
    assert_eq!(notes.sojourns, [(25, secs(20)), (220, secs(20))]);
    let mut notes = Notes::default();
    let many: Vec<_> = (0..2_050).map(|at| (at, 1)).collect();
    simulate(&workload(&many), &Config::fixed(1).unwrap(), &Options::default(), &mut notes);
    assert_eq!(notes.progress, [(1_024, 2_050), (2_048, 2_050), (2_050, 2_050)]);
}

#[test]
fn a_recorded_run_is_the_same_run() {
    let (config, options) = (Config::fixed(1).unwrap(), Options::default());
    let mut records = Vec::new();
    let mut sink = |record: &Record| records.push(record.clone());
    let recorded = simulate_recorded(&workload(&[(5, 10)]), &config, &options, &mut (), &mut sink);
    assert_eq!(recorded, run(&[(5, 10)], &config, &options));
    assert!(matches!(records[0], Record::Head(_)));
    assert!(records.len() > 8, "{}", records.len());
}

#[test]
fn who_is_told_everything_at_once_is_told_directly() {
    assert!(Options::default().is_direct());
    let late = Metrics { late: secs(1), ..Metrics::default() };
    assert!(!Options { metrics: late, ..Options::default() }.is_direct());
}
