//! What a run is measured by.
use core::time::Duration;
use std::string::String;
use std::vec::Vec;

use serde::Serialize;

use super::prices::Costs;
use crate::decision::Explanation;
use crate::observation::FailureCause;

/// What happened.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[non_exhaustive]
pub struct Outcome {
    /// The workload's name.
    pub workload: String,
    /// How long the run was.
    #[serde(with = "crate::time::span")]
    pub duration: Duration,
    /// Requests that arrived.
    pub requests: u64,
    /// Requests that were served.
    pub finished: u64,
    /// Requests cut off by a stop or a failure, and not tried again.
    pub lost: u64,
    /// Requests cut off and tried again, each as often as it was.
    pub retried: u64,
    /// Requests still waiting at the end.
    pub unserved: u64,
    /// Median sojourn, exact.
    #[serde(with = "crate::time::span")]
    pub sojourn_p50: Duration,
    /// 99th percentile of the sojourn, exact.
    #[serde(with = "crate::time::span")]
    pub sojourn_p99: Duration,
    /// Longest sojourn.
    #[serde(with = "crate::time::span")]
    pub sojourn_max: Duration,
    /// The sojourn target.
    #[serde(with = "crate::time::span")]
    pub target: Duration,
    /// Share of requests whose sojourn was within the target.
    pub within_target: f64,
    /// Workers ordered cold, those into standby not counted.
    pub cold_starts: u64,
    /// Workers revived from standby.
    pub warm_starts: u64,
    /// Hours of starting, ready and draining workers.
    pub replica_hours: f64,
    /// Hours of standby workers.
    pub standby_hours: f64,
    /// Starts refused and workers that failed, by cause. Of preempted ones some had been ready.
    pub failures: Failures,
    /// What was paid; by default the price of the replica hours.
    pub cost: f64,
    /// What it was paid for.
    pub costs: Costs,
    /// What became of each class of machines, in the order of [`Options::classes`](super::Options::classes); empty if there
    /// are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<ClassOutcome>,
    /// The most workers starting and ready at once, those into standby not counted.
    pub peak_workers: u32,
    /// Changes of the count.
    pub scaling_events: u64,
    /// Changes in the other direction than the one before.
    pub reversals: u64,
    /// Observations that the autoscaler refused; none, if the simulator is right.
    pub refused: u64,
    /// The width of a bucket.
    #[serde(with = "crate::time::span")]
    pub bucket: Duration,
    /// The course of the run, a bucket each.
    #[serde(skip)]
    pub samples: Vec<Sample>,
    /// The last scaling events, with their reasons, as many as the configuration keeps.
    #[serde(skip)]
    pub events: Vec<Explanation>,
}

/// What became of one class of machines.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct ClassOutcome {
    /// Its name.
    pub name: String,
    /// Its workers ordered cold, those into standby not counted.
    pub cold_starts: u64,
    /// Its workers that failed, and starts that were refused to who asked for this class.
    pub failures: Failures,
    /// Hours of its starting, ready and draining workers.
    pub replica_hours: f64,
    /// Hours of its standby workers.
    pub standby_hours: f64,
    /// What it was paid for.
    pub costs: Costs,
}

/// How many starts and workers failed, by cause.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each is the cause of its name")]
pub struct Failures {
    pub crash: u64,
    pub timeout: u64,
    pub quota: u64,
    pub stock_out: u64,
    pub preempted: u64,
}

impl Failures {
    pub(super) const fn count(&mut self, cause: FailureCause, more: u32) {
        let count = match cause {
            FailureCause::Crash => &mut self.crash,
            FailureCause::Timeout => &mut self.timeout,
            FailureCause::Quota => &mut self.quota,
            FailureCause::StockOut => &mut self.stock_out,
            FailureCause::Preempted => &mut self.preempted,
        };
        *count = count.saturating_add(more as u64);
    }
}

/// One bucket of a run. Counts of workers and the depth are means over it.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Sample {
    /// Its start, in seconds.
    pub t_s: f64,
    /// Requests that arrived, per second.
    pub arrivals_per_s: f64,
    /// Work that arrived, in busy slots.
    pub offered_load: f64,
    /// Slots of ready workers.
    pub capacity: f64,
    /// Workers starting or being loaded into standby.
    pub starting: f64,
    /// Ready workers that serve nothing.
    pub idle: f64,
    /// Ready workers that serve something.
    pub busy: f64,
    /// Draining workers.
    pub draining: f64,
    /// Standby workers.
    pub standby: f64,
    /// Requests waiting.
    pub queue_depth: f64,
    /// 99th percentile of the sojourns that ended in it, in seconds.
    pub sojourn_p99_s: Option<f64>,
}
