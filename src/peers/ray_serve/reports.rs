//! Who counts the requests, and what the controller makes of it (`router.py`, `autoscaling_state.py`).
//!
//! A handle queues requests and sends them to replicas: it samples both counts. A replica may count its own as well.
//! Both keep their samples for the look-back period and report them every metrics interval.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::series::{Sample, Series, aggregate, prune};
use super::{Aggregation, AutoscalingConfig};
use crate::peers::exact;

/// The samples of one handle, or of one replica about itself.
///
/// Nothing is kept beyond the look-back period, and no series without a sample in it.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sampler {
    queued: Option<Series>,
    running: BTreeMap<u64, Series>,
    #[serde(with = "exact")]
    queued_now: f64,
    #[serde(with = "exact::map")]
    running_now: BTreeMap<u64, f64>,
}

/// What a handle or a replica sends to the controller.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "plain data: a simulator may make one up")]
pub struct Report {
    /// The sender's clock.
    #[serde(with = "exact")]
    pub at: f64,
    /// Requests that waited; empty from a replica.
    pub queued: Series,
    /// Requests that ran, by replica.
    pub running: BTreeMap<u64, Series>,
}

impl Sampler {
    /// Takes a sample: the requests waiting, and those running at each replica. To be called every
    /// [`sampling_period`](AutoscalingConfig::sampling_period).
    pub fn sample(&mut self, config: &AutoscalingConfig, now: f64, queued: f64, running: BTreeMap<u64, f64>) {
        self.queued.get_or_insert_default().push(Sample { at: now, value: queued });
        for (replica, value) in &running {
            self.running.entry(*replica).or_default().push(Sample { at: now, value: *value });
        }
        (self.queued_now, self.running_now) = (queued, running);
        self.prune(config, now);
    }

    /// The report, to be sent every [`report_period`](AutoscalingConfig::report_period), and at once when a request is
    /// queued while there is no replica. What has no series any more is told by its present value.
    pub fn report(&mut self, config: &AutoscalingConfig, now: f64) -> Report {
        self.prune(config, now);
        let present = |value| Series::from([Sample { at: now, value }]);
        let queued = self.queued.clone().unwrap_or_else(|| present(self.queued_now));
        let series = |(replica, value): (&u64, &f64)| {
            (*replica, self.running.get(replica).cloned().unwrap_or_else(|| present(*value)))
        };
        Report { at: now, queued, running: self.running_now.iter().map(series).collect() }
    }

    fn prune(&mut self, config: &AutoscalingConfig, now: f64) {
        let start = now - config.look_back_period_s;
        if self.queued.as_mut().is_some_and(|series| !prune(series, start)) {
            self.queued = None;
        }
        self.running.retain(|_, series| prune(series, start));
    }
}

/// Where a handle lives.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Holder {
    /// In a proxy: its reports go when the proxy is gone.
    Proxy,
    /// In a replica of another deployment: likewise.
    Replica,
    /// Elsewhere: its reports go only when they are stale.
    #[default]
    Unknown,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FromHandle {
    report: Report,
    holder: Holder,
    /// The controller's clock.
    #[serde(with = "exact")]
    received: f64,
}

/// The reports that the controller holds, one of every handle and replica.
///
/// ```
/// use std::collections::{BTreeMap, BTreeSet};
/// use plimsoll::peers::ray_serve::{AutoscalingConfig, Holder, Reports, Sampler};
///
/// let config = AutoscalingConfig::default();
/// let (mut handle, mut reports) = (Sampler::default(), Reports::default());
/// // Handle 1 has three requests queued and four at replica 7, samples them and reports.
/// handle.sample(&config, 100.0, 3.0, BTreeMap::from([(7, 4.0)]));
/// reports.handle_reports(100.0, 1, Holder::Proxy, handle.report(&config, 100.0));
/// // At every tick: forget who is gone, then ask for the load.
/// reports.sweep(&config, 100.1, &BTreeSet::from([1]));
/// assert_eq!(reports.load(config.aggregation_function, &BTreeSet::from([7]), 100.1).total, 7.0);
/// ```
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reports {
    handles: BTreeMap<u64, FromHandle>,
    replicas: BTreeMap<u64, Report>,
}

/// What is known of the load.
#[derive(Clone, Copy, PartialEq, Debug)]
#[non_exhaustive]
pub struct Load {
    /// Requests queued and running.
    pub total: f64,
    /// Requests queued.
    pub queued: f64,
}

impl Reports {
    /// A handle's report; of several the one with the latest stamp counts.
    pub fn handle_reports(&mut self, now: f64, handle: u64, holder: Holder, report: Report) {
        if self.handles.get(&handle).is_none_or(|known| report.at > known.report.at) {
            self.handles.insert(handle, FromHandle { report, holder, received: now });
        }
    }

    /// A replica's report about itself.
    pub fn replica_reports(&mut self, replica: u64, report: Report) {
        if self.replicas.get(&replica).is_none_or(|known| report.at > known.at) {
            self.replicas.insert(replica, report);
        }
    }

    /// A replica has stopped.
    pub fn replica_stopped(&mut self, replica: u64) {
        self.replicas.remove(&replica);
    }

    /// Forgets handles whose holder is gone, and those not heard from for too long. The controller does so at every
    /// tick.
    pub fn sweep(&mut self, config: &AutoscalingConfig, now: f64, alive: &BTreeSet<u64>) {
        self.handles.retain(|handle, from| {
            let gone = from.holder != Holder::Unknown && !alive.contains(handle);
            !gone && now - from.received < config.stale_after_s()
        });
    }

    /// The load: what the running replicas report of themselves, or, if none of them reports a sample, what the handles
    /// sent to them; and what waits at the handles. One report of one replica hides the counts of all handles.
    #[must_use]
    pub fn load(&self, function: Aggregation, running: &BTreeSet<u64>, now: f64) -> Load {
        let own = self.replicas.iter().filter(|(replica, _)| running.contains(replica));
        let mut counted: Vec<&Series> = own.flat_map(|(_, report)| report.running.values()).collect();
        if counted.iter().all(|series| series.is_empty()) {
            let sent = self.handles.values().flat_map(|from| &from.report.running);
            counted = sent.filter(|(replica, _)| running.contains(replica)).map(|(_, series)| series).collect();
        }
        let queued: Vec<&[Sample]> = self.handles.values().map(|from| from.report.queued.as_slice()).collect();
        let all: Vec<&[Sample]> = counted.into_iter().map(Vec::as_slice).chain(queued.iter().copied()).collect();
        Load { total: aggregate(function, &all, now), queued: aggregate(function, &queued, now) }
    }
}
