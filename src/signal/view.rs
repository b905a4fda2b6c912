//! The signals of one instant, for people.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::Estimators;
use crate::config::Config;
use crate::policy::{Inputs, Plan};
use crate::time::{Timestamp, optional_span};
use crate::units::{Rate, Share};

/// What the signals said at one instant. Missing is `None`, which is never the same as zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Signals {
    /// Arrivals per second over the long window.
    pub arrival_rate: Option<Rate>,
    /// Arrivals per second over the short window, a tenth of the long one.
    pub arrival_rate_short: Option<Rate>,
    /// Arrivals per second and ready replica.
    pub qps_per_replica: Option<Rate>,
    /// Requests waiting.
    pub queue_depth: Option<u64>,
    /// Requests that certainly wait: the queue depth, or what arrived while no worker was ready.
    pub backlog: u64,
    /// How long the first of them has waited, at the least.
    #[serde(with = "optional_span")]
    pub oldest_age: Option<Duration>,
    /// How long the last request that left the queue had waited, while others wait behind it.
    #[serde(with = "optional_span")]
    pub last_wait: Option<Duration>,
    /// Requests being served.
    pub in_flight: Option<u64>,
    /// Median sojourn in the window, from the sketch.
    #[serde(with = "optional_span")]
    pub sojourn_p50: Option<Duration>,
    /// 99th percentile of the sojourn in the window, from the sketch.
    #[serde(with = "optional_span")]
    pub sojourn_p99: Option<Duration>,
    /// Least sojourn in the window, exact.
    #[serde(with = "optional_span")]
    pub sojourn_min: Option<Duration>,
    /// Mean sojourn in the window, exact.
    #[serde(with = "optional_span")]
    pub sojourn_mean: Option<Duration>,
    /// Whether p99 exceeds its target: counted exactly, not read from the sketch.
    pub sojourn_over_target: Option<bool>,
    /// Since when it has, if it does.
    pub over_target_since: Option<Timestamp>,
    /// Whether the sojourn is rising: the newer half of the window's mean exceeds the older half's by an eighth, or p99
    /// exceeds its target.
    pub sojourn_rising: Option<bool>,
    /// `CoDel` finds a standing queue, or a queue from which nothing is taken.
    pub overloaded: bool,
    /// Mean service time in the window.
    #[serde(with = "optional_span")]
    pub service_time: Option<Duration>,
    /// Arrival rate × service time, in thousandths of a busy slot.
    pub offered_load_millis: Option<u64>,
    /// Requests in flight over the slots of ready workers.
    pub utilisation: Option<Share>,
    /// Some signal has outlived its freshness.
    pub stale: bool,
    /// Requests wait too long although slots are free for all of them: the router leaves workers idle.
    pub surplus: bool,
    /// What an objective plans, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Plan>,
}

/// Median and 99th percentile in nanoseconds, if there is anything of which to be.
pub(crate) type Quantiles = [Option<u64>; 2];

impl Signals {
    /// Mean request latency: sojourn and service time.
    #[must_use]
    pub fn request_latency(&self) -> Option<Duration> {
        Some(self.sojourn_mean?.saturating_add(self.service_time?))
    }
}

impl Estimators {
    /// Median and 99th percentile of the sojourn, in nanoseconds.
    pub(crate) fn quantiles(&self, now: Timestamp, config: &Config) -> Quantiles {
        self.p50_p99(&self.heard(now, config))
    }

    /// Whether they change only with what is observed, and at the ends of slices.
    pub(crate) const fn holds_quantiles(&self) -> bool {
        self.reports.is_none()
    }

    /// Everything a person may want to see.
    pub(crate) fn view(&self, now: Timestamp, inputs: &Inputs, [p50, p99]: Quantiles, config: &Config) -> Signals {
        let heard = &self.heard(now, config);
        let totals = self.totals(heard);
        let service = totals.service_mean();
        let slots = u64::from(inputs.ready).saturating_mul(u64::from(config.concurrency()));
        let per_replica = |rate: Rate| rate.as_micros().checked_div(u64::from(inputs.ready)).map(Rate::from_micros);
        let load = |rate: Rate, service: u64| {
            let micros = u128::from(rate.as_micros()).saturating_mul(u128::from(service)) / 1_000_000_000;
            u64::try_from(micros / 1_000).unwrap_or(u64::MAX)
        };
        Signals {
            arrival_rate: inputs.rate,
            arrival_rate_short: self.short_rate(now, config, heard),
            qps_per_replica: inputs.rate.and_then(per_replica),
            queue_depth: inputs.depth,
            backlog: inputs.backlog,
            oldest_age: inputs.oldest_age.map(Duration::from_nanos),
            last_wait: inputs.last_wait.map(Duration::from_nanos),
            in_flight: inputs.in_flight,
            sojourn_p50: p50.map(Duration::from_nanos),
            sojourn_p99: p99.map(Duration::from_nanos),
            sojourn_min: totals.sojourn_min.map(Duration::from_nanos),
            sojourn_mean: totals.sojourn_mean().map(Duration::from_nanos),
            sojourn_over_target: inputs.p99_over_target,
            over_target_since: self.over_target_since,
            sojourn_rising: inputs.rising,
            overloaded: inputs.overloaded,
            service_time: service.map(Duration::from_nanos),
            offered_load_millis: inputs.rate.zip(service).map(|(rate, service)| load(rate, service)),
            utilisation: inputs.in_flight.and_then(|busy| Share::of(busy, slots)),
            stale: inputs.lost,
            surplus: inputs.surplus,
            plan: inputs.plan,
        }
    }
}
