//! What is known after a replay, and its headline numbers: as one JSON object for programs, in words for people.

use std::path::Path;
use std::time::Duration;

use plimsoll::Config;
use plimsoll::config::Lint;
use plimsoll::sim::{ClassOutcome, Costs, Failures, Options, Outcome};
use serde::Serialize;

use crate::human::{grouped, percent, short, words};
use crate::report::Event;
use crate::setup;

/// A finished replay.
#[derive(Debug)]
pub(crate) struct Run {
    /// What was replayed, in a word or two.
    pub(crate) workload: String,
    /// The preset's name or the configuration's file.
    pub(crate) under: String,
    pub(crate) config: Config,
    pub(crate) options: Options,
    pub(crate) outcome: Outcome,
    /// Worker hours over those of the bound for the same share in time, where all workers are alike.
    pub(crate) over_bound: Option<f64>,
    /// Changes of the count, with their reasons.
    pub(crate) events: Vec<Event>,
    /// How often the count changed or there was something to do.
    pub(crate) decisions: u64,
    pub(crate) lints: Vec<Lint>,
    /// What must be said about the data.
    pub(crate) notice: Option<&'static str>,
}

/// The summary as it is written in JSON. Durations are in seconds.
#[derive(Debug, Serialize)]
struct Summary<'a> {
    workload: &'a str,
    config: &'a str,
    duration_s: f64,
    requests: u64,
    finished: u64,
    lost: u64,
    retried: u64,
    unserved: u64,
    sojourn_p50_s: f64,
    sojourn_p99_s: f64,
    sojourn_max_s: f64,
    sojourn_target_s: f64,
    within_target: f64,
    cold_starts: u64,
    warm_starts: u64,
    replica_hours: f64,
    over_bound: Option<f64>,
    standby_hours: f64,
    price_per_hour: f64,
    cost: f64,
    costs: &'a Costs,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    classes: &'a [ClassOutcome],
    failures: &'a Failures,
    peak_workers: u32,
    max_workers: u32,
    decisions: u64,
    scaling_events: u64,
    reversals: u64,
    refused_observations: u64,
    lints: &'a [Lint],
    report: Option<&'a Path>,
}

impl Run {
    /// The heading.
    pub(crate) fn title(&self) -> String {
        format!("{} under {}", self.workload, self.under)
    }

    /// The circumstances, in one line.
    pub(crate) fn subtitle(&self) -> String {
        let Options { warm_start, start_spread, seed, .. } = self.options;
        let cold_start = words(self.options.mean_cold_start());
        let mut parts = vec![format!("{} of traffic", long(self.outcome.duration)), format!("cold start {cold_start}")];
        if self.config.standby() > 0 {
            parts.push(format!("warm start {}", words(warm_start)));
        }
        if start_spread.as_micros() > 0 {
            parts.push(format!("starts vary by ±{start_spread}, seed {seed}"));
        }
        parts.push(format!("{} at a time per worker", self.config.concurrency()));
        parts.push(format!("{} to {} workers", self.config.min(), self.config.max()));
        parts.join(" · ")
    }

    /// The headline numbers with their labels.
    pub(crate) fn rows(&self) -> Vec<(String, String)> {
        let outcome = &self.outcome;
        let replicas = format!("{:.2}", outcome.replica_hours);
        let hours = match self.config.standby() {
            0 => ("Replica hours".to_owned(), replicas),
            _ => ("Replica + standby hours".to_owned(), format!("{replicas} + {:.2}", outcome.standby_hours)),
        };
        let mut rows = vec![
            ("Requests".to_owned(), grouped(outcome.requests)),
            ("Sojourn p50".to_owned(), words(outcome.sojourn_p50)),
            ("Sojourn p99".to_owned(), words(outcome.sojourn_p99)),
            ("Sojourn max".to_owned(), words(outcome.sojourn_max)),
            (format!("Sojourn ≤ {}", words(outcome.target)), percent(outcome.within_target)),
            (
                "Cold / warm starts".to_owned(),
                format!("{} / {}", grouped(outcome.cold_starts), grouped(outcome.warm_starts)),
            ),
            hours,
        ];
        if let Some(over) = self.over_bound {
            rows.push((format!("÷ bound for {} in time", percent(outcome.within_target)), format!("{over:.2}")));
        }
        rows.extend([(setup::cost(&self.options), format!("{:.2}", outcome.cost))]);
        for (class, number) in outcome.classes.iter().zip(1..) {
            let name = if class.name.is_empty() { format!("class {number}") } else { class.name.clone() };
            let paid = format!("{:.2} for {:.2} h", class.costs.total(), class.replica_hours);
            rows.push((format!("… {name}"), paid));
        }
        rows.extend([
            ("Peak workers".to_owned(), format!("{} of {}", outcome.peak_workers, self.config.max())),
            ("Scaling events".to_owned(), grouped(outcome.scaling_events)),
            ("Direction reversals".to_owned(), grouped(outcome.reversals)),
            ("Lost / unserved".to_owned(), format!("{} / {}", grouped(outcome.lost), grouped(outcome.unserved))),
        ]);
        if outcome.retried > 0 {
            rows.push(("Tried again".to_owned(), grouped(outcome.retried)));
        }
        let Failures { crash, timeout, quota, stock_out, preempted, .. } = outcome.failures;
        let causes = [
            (crash, "crashed"),
            (timeout, "timed out"),
            (quota, "over quota"),
            (stock_out, "out of stock"),
            (preempted, "preempted"),
        ];
        let failed = causes.iter().filter(|(count, _)| *count > 0);
        let failed: Vec<_> = failed.map(|(count, cause)| format!("{} {cause}", grouped(*count))).collect();
        if !failed.is_empty() {
            rows.push(("Failures".to_owned(), failed.join(", ")));
        }
        rows
    }

    /// The summary as one line of JSON.
    pub(crate) fn json(&self, report: Option<&Path>) -> Result<String, serde_json::Error> {
        let outcome = &self.outcome;
        serde_json::to_string(&Summary {
            workload: &self.workload,
            config: &self.under,
            duration_s: outcome.duration.as_secs_f64(),
            requests: outcome.requests,
            finished: outcome.finished,
            lost: outcome.lost,
            retried: outcome.retried,
            unserved: outcome.unserved,
            sojourn_p50_s: outcome.sojourn_p50.as_secs_f64(),
            sojourn_p99_s: outcome.sojourn_p99.as_secs_f64(),
            sojourn_max_s: outcome.sojourn_max.as_secs_f64(),
            sojourn_target_s: outcome.target.as_secs_f64(),
            within_target: outcome.within_target,
            cold_starts: outcome.cold_starts,
            warm_starts: outcome.warm_starts,
            replica_hours: outcome.replica_hours,
            over_bound: self.over_bound,
            standby_hours: outcome.standby_hours,
            price_per_hour: self.options.price_per_hour,
            cost: outcome.cost,
            costs: &outcome.costs,
            classes: &outcome.classes,
            failures: &outcome.failures,
            peak_workers: outcome.peak_workers,
            max_workers: self.config.max(),
            decisions: self.decisions,
            scaling_events: outcome.scaling_events,
            reversals: outcome.reversals,
            refused_observations: outcome.refused,
            lints: &self.lints,
            report,
        })
    }
}

/// A long duration in the unit that suits it.
fn long(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    match seconds {
        s if s < 120.0 => format!("{} s", short(s)),
        s if s < 7_200.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_800.0 => format!("{} h", short(s / 3_600.0)),
        s => format!("{} days", short(s / 86_400.0)),
    }
}
