//! Lints: what a configuration allows and its owner probably does not want.
//!
//! Every [`Config`] is usable by itself. Whether it suits a workload depends on what the workload is, which only its
//! owner can say; the more is said, the more is found. These are the documents' own "common pitfalls", in numbers.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::Config;
use crate::error::Setting;
use crate::policy::Policy;
use crate::time::{Human, nanos};
use crate::units::{Rate, div_ceil_count};

/// `min` is too high if it is more than so many times what the mean needs.
const WIDE_FACTOR: u32 = 3;

/// A reaction is slow if it takes more than so many times the latency target.
const SLOW_FACTOR: u32 = 10;

/// What is expected of a workload. Whatever is not stated is not judged.
///
/// ```
/// use core::time::Duration;
/// use plimsoll::config::{Config, Expectations, LintCode};
/// use plimsoll::{Policy, Rate, policy::Outpost};
///
/// let policy = Policy::Outpost(Outpost::new(Rate::per_second(2.5)?));
/// let config = Config::new(policy, 1, 3)?;
/// let expected =
///     Expectations::default().with_peak_qps(Rate::per_second(12.0)?).with_cold_start(Duration::from_secs(20));
/// let lints = config.lint(&expected);
/// assert_eq!(lints[0].code, LintCode::MaxTooLow);
/// assert_eq!(
///     lints[0].to_string(),
///     "max (3) carries 7.5 req/s at 2.5 per worker; the stated peak is 12: raise max to 5 or more"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Expectations {
    /// The highest rate that should be served.
    pub peak_qps: Option<Rate>,
    /// The rate over a day.
    pub mean_qps: Option<Rate>,
    /// How long a worker is occupied by one request.
    pub service_time: Option<Duration>,
    /// How long a worker takes from its order to its first request.
    pub cold_start: Option<Duration>,
    /// How long a request may wait.
    pub latency_target: Option<Duration>,
}

impl Expectations {
    /// The highest rate that should be served.
    #[must_use]
    pub const fn with_peak_qps(mut self, rate: Rate) -> Self {
        self.peak_qps = Some(rate);
        self
    }

    /// The rate over a day.
    #[must_use]
    pub const fn with_mean_qps(mut self, rate: Rate) -> Self {
        self.mean_qps = Some(rate);
        self
    }

    /// How long a worker is occupied by one request.
    #[must_use]
    pub const fn with_service_time(mut self, time: Duration) -> Self {
        self.service_time = Some(time);
        self
    }

    /// How long a worker takes from its order to its first request.
    #[must_use]
    pub const fn with_cold_start(mut self, time: Duration) -> Self {
        self.cold_start = Some(time);
        self
    }

    /// How long a request may wait.
    #[must_use]
    pub const fn with_latency_target(mut self, target: Duration) -> Self {
        self.latency_target = Some(target);
        self
    }
}

/// What a lint is about: stable codes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LintCode {
    /// `max` does not carry the stated peak.
    MaxTooLow,
    /// `min` alone carries the stated peak, or many times the stated mean.
    MinTooHigh,
    /// Requests come faster than all workers together can serve them.
    BoundsCannotHoldLoad,
    /// A worker is given up sooner than it starts.
    IdleTimeoutBelowColdStart,
    /// Workers will be started, and nobody has said how long that takes.
    ColdStartUnknown,
    /// Help comes long after the latency target is missed.
    ReactionSlowerThanTarget,
    /// The pool grows more slowly than it shrinks.
    UpDelayAboveDownDelay,
    /// CoDel cannot tell a standing queue from one that is about to drain.
    SojournTargetAboveCodelInterval,
    /// A replica overflows before it reaches its target rate.
    TargetAboveCapacity,
}

impl LintCode {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::MaxTooLow => "max_too_low",
            Self::MinTooHigh => "min_too_high",
            Self::BoundsCannotHoldLoad => "bounds_cannot_hold_load",
            Self::IdleTimeoutBelowColdStart => "idle_timeout_below_cold_start",
            Self::ColdStartUnknown => "cold_start_unknown",
            Self::ReactionSlowerThanTarget => "reaction_slower_than_target",
            Self::UpDelayAboveDownDelay => "up_delay_above_down_delay",
            Self::SojournTargetAboveCodelInterval => "sojourn_target_above_codel_interval",
            Self::TargetAboveCapacity => "target_above_capacity",
        }
    }
}

impl fmt::Display for LintCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// One finding.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[non_exhaustive]
pub struct Lint {
    /// What it is about.
    pub code: LintCode,
    /// The setting to look at first.
    pub setting: Setting,
    /// What will happen, with the numbers.
    pub message: String,
    /// What to do.
    pub remedy: String,
}

impl fmt::Display for Lint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.message, self.remedy)
    }
}

impl Lint {
    fn new(code: LintCode, setting: Setting, message: String, remedy: impl Into<String>) -> Self {
        Self { code, setting, message, remedy: remedy.into() }
    }
}

impl Config {
    /// What probably is not meant, given what is expected of the workload; empty if nothing is found.
    #[must_use]
    pub fn lint(&self, expected: &Expectations) -> Vec<Lint> {
        let mut lints = Vec::new();
        lints.extend(self.max_too_low(expected));
        lints.extend(self.min_too_high(expected));
        lints.extend(self.bounds_cannot_hold_load(expected));
        lints.extend(self.idle_timeout_below_cold_start(expected));
        lints.extend(self.cold_start_unknown(expected));
        lints.extend(self.reaction_slower_than_target(expected));
        lints.extend(self.up_delay_above_down_delay());
        lints.extend(self.sojourn_target_above_codel_interval());
        lints.extend(self.target_above_capacity(expected));
        lints
    }

    /// Whether the count can change at all.
    const fn scales(&self) -> bool {
        self.min < self.max
    }

    /// How long a worker that is no longer wanted stays, and the setting that decides it.
    fn stay(&self) -> (Setting, Duration) {
        match self.idle_timeout {
            Some(idle) if idle >= self.down_delay => (Setting::IdleTimeout, idle),
            _ => (Setting::DownDelay, self.down_delay),
        }
    }

    /// The rate at which the first of the Outpost policies asks for another worker.
    fn target_qps(&self) -> Option<Rate> {
        let targets = self.policies.iter().filter_map(|policy| match policy {
            Policy::Outpost(outpost) => Some(outpost.target_qps_per_replica),
            _ => None,
        });
        targets.min()
    }

    /// What one worker's slots can serve.
    fn served_by_one(&self, expected: &Expectations) -> Option<Carried> {
        let time = expected.service_time?;
        let micros = u128::from(self.concurrency).saturating_mul(ONE_REQUEST).checked_div(u128::from(nanos(time)))?;
        let rate = Rate::from_micros(u64::try_from(micros).unwrap_or(u64::MAX));
        Some(Carried { rate, how: format!("with {} at a time and {} each", self.concurrency, human(time)) })
    }

    /// What one worker is meant to carry: its target rate, unless its slots serve less.
    fn carried_by_one(&self, expected: &Expectations) -> Option<Carried> {
        let by_target = self.target_qps().map(|rate| Carried { rate, how: format!("at {rate} per worker") });
        by_target.into_iter().chain(self.served_by_one(expected)).min_by_key(|carried| carried.rate)
    }

    fn max_too_low(&self, expected: &Expectations) -> Option<Lint> {
        let (peak, one) = (expected.peak_qps?, self.carried_by_one(expected)?);
        let needed = one.workers_for(peak);
        (needed > self.max).then(|| {
            let message = format!("max ({}) carries {}; the stated peak is {peak}", self.max, one.by(self.max));
            Lint::new(LintCode::MaxTooLow, Setting::Max, message, format!("raise max to {needed} or more"))
        })
    }

    fn min_too_high(&self, expected: &Expectations) -> Option<Lint> {
        // A single worker may be there for its warmth, and a fixed pool is sized for its peak.
        if self.min < 2 || !self.scales() {
            return None;
        }
        let one = self.carried_by_one(expected)?;
        let for_mean = expected.mean_qps.map(|mean| one.workers_for(mean).max(1));
        let peak = expected.peak_qps.filter(|peak| one.workers_for(*peak) <= self.min);
        let mean = expected.mean_qps.filter(|_| for_mean < Some(self.min.div_ceil(WIDE_FACTOR)));
        let why = match (peak, mean) {
            (Some(peak), _) => format!("the stated peak is {peak}, so it never grows"),
            (None, Some(mean)) => format!("the stated mean is {mean}"),
            (None, None) => return None,
        };
        let quiet = for_mean.unwrap_or(1).min(self.min.saturating_sub(1));
        let message = format!("min ({}) carries {}; {why}", self.min, one.by(self.min));
        let remedy = format!("lower min to {quiet} and let the pool grow, or set max to min to keep it fixed");
        Some(Lint::new(LintCode::MinTooHigh, Setting::Min, message, remedy))
    }

    fn bounds_cannot_hold_load(&self, expected: &Expectations) -> Option<Lint> {
        let (mean, time) = (expected.mean_qps?, expected.service_time?);
        let load = u128::from(mean.as_micros()).saturating_mul(u128::from(nanos(time)));
        let worker = u128::from(self.concurrency).saturating_mul(ONE_REQUEST);
        (load > worker.saturating_mul(u128::from(self.max))).then(|| {
            let room = u64::from(self.max).saturating_mul(u64::from(self.concurrency));
            let (at_once, needed) = (load.div_ceil(ONE_REQUEST), load.div_ceil(worker.max(1)));
            let message = format!(
                "max ({}) at concurrency ({}) is room for {room} at once; the stated mean of {mean} req/s at {} each \
                 occupies {at_once}, so the queue grows without end",
                self.max,
                self.concurrency,
                human(time),
            );
            let remedy = format!("raise max above {needed}, or concurrency if a worker can take more");
            Lint::new(LintCode::BoundsCannotHoldLoad, Setting::Max, message, remedy)
        })
    }

    fn idle_timeout_below_cold_start(&self, expected: &Expectations) -> Vec<Lint> {
        // An objective keeps its workers itself for as long as they are worth it.
        let judged = self.scales() && self.sought().is_none();
        let Some(start) = expected.cold_start.filter(|_| judged) else { return Vec::new() };
        let to_zero = self.to_zero_delay.filter(|_| self.min == 0);
        let to_zero = to_zero.map(|delay| match self.idle_timeout {
            Some(idle) if idle > delay => (Setting::IdleTimeout, idle),
            _ => (Setting::ToZeroDelay, delay),
        });
        let mut stays = Vec::from([self.stay()]);
        stays.extend(to_zero.filter(|to_zero| *to_zero != self.stay()));
        let below = stays.into_iter().filter(|(_, stay)| *stay < start);
        let lint = |(setting, stay): (Setting, Duration)| {
            let message = format!(
                "{setting} ({}) is shorter than the stated cold start ({}): a worker is given up sooner than it \
                 starts, only to be started again",
                human(stay),
                human(start),
            );
            let remedy = format!("raise {setting} to {} or more; a few cold starts are usual", human(start));
            Lint::new(LintCode::IdleTimeoutBelowColdStart, setting, message, remedy)
        };
        below.map(lint).collect()
    }

    fn cold_start_unknown(&self, expected: &Expectations) -> Option<Lint> {
        let judged = self.min == 0 || *expected != Expectations::default();
        (expected.cold_start.is_none() && self.scales() && judged).then(|| {
            let (setting, message) = if self.min == 0 {
                let message =
                    "min (0) lets requests wait for a worker to start; how long that takes is not accounted for";
                (Setting::Min, message.to_string())
            } else {
                let message = format!(
                    "max ({}) lets the pool grow; how long a worker takes to start is not accounted for",
                    self.max
                );
                (Setting::Max, message)
            };
            let remedy = "measure the time from a worker's order to its first request, and state it as the cold start";
            Lint::new(LintCode::ColdStartUnknown, setting, message, remedy)
        })
    }

    fn reaction_slower_than_target(&self, expected: &Expectations) -> Option<Lint> {
        let target = expected.latency_target.filter(|_| self.scales())?;
        // The first policy to ask is followed. A worker in standby is there without the cold start.
        let waited = self.policies.iter().map(|policy| policy.overdue_age().map_or(0, |age| age.saturating_sub(1)));
        let start = expected.cold_start.filter(|_| self.standby == 0).unwrap_or_default();
        let parts = [
            (Setting::UpDelay, "up_delay", self.up_delay),
            (Setting::QueueDelay, "queue_delay", Duration::from_nanos(waited.min().unwrap_or(0))),
            (Setting::Standby, "cold start", start),
        ];
        let total = parts.iter().fold(Duration::ZERO, |sum, (_, _, part)| sum.saturating_add(*part));
        if total <= target.saturating_mul(SLOW_FACTOR) {
            return None;
        }
        let named = parts.iter().filter(|(_, _, part)| !part.is_zero());
        let named: Vec<_> = named.map(|(_, name, part)| format!("{name} {}", human(*part))).collect();
        let message = format!(
            "another worker takes {} to help ({}); the stated latency target is {}",
            human(total),
            named.join(" + "),
            human(target),
        );
        let (setting, ..) = parts.into_iter().max_by_key(|(_, _, part)| *part)?;
        let remedy = match setting {
            Setting::UpDelay => "lower up_delay, or keep spare workers with a higher min or a lower target",
            Setting::QueueDelay => "lower queue_delay, or scale on request_count",
            _ => "keep workers ready (min) or in standby (flash boot), or make them start faster",
        };
        Some(Lint::new(LintCode::ReactionSlowerThanTarget, setting, message, remedy))
    }

    fn up_delay_above_down_delay(&self) -> Option<Lint> {
        let (name, down) = self.stay();
        (self.scales() && self.up_delay > down).then(|| {
            let (up, down) = (human(self.up_delay), human(down));
            let message =
                format!("up_delay ({up}) exceeds {name} ({down}): the pool grows more slowly than it shrinks");
            let remedy =
                format!("lower up_delay to {down} or less: a worker too few hurts at once, one too many costs");
            Lint::new(LintCode::UpDelayAboveDownDelay, Setting::UpDelay, message, remedy)
        })
    }

    fn sojourn_target_above_codel_interval(&self) -> Option<Lint> {
        self.target_qps().filter(|_| self.sojourn_target() > self.codel_interval).map(|_| {
            let message = format!(
                "sojourn_target ({}) exceeds codel_interval ({}): a queue that is about to drain looks like one that stands",
                human(self.sojourn_target()),
                human(self.codel_interval),
            );
            let usual = human(self.sojourn_target().saturating_mul(10));
            let remedy = format!("raise codel_interval to {usual}: RFC 8289 has the target at 5 to 10 % of the interval");
            Lint::new(LintCode::SojournTargetAboveCodelInterval, Setting::SojournTarget, message, remedy)
        })
    }

    fn target_above_capacity(&self, expected: &Expectations) -> Option<Lint> {
        let (target, one) = (self.target_qps()?, self.served_by_one(expected)?);
        (target > one.rate).then(|| {
            let message = format!(
                "target_qps_per_replica ({target}) is more than a worker serves, {}: in between the queue grows and \
                 QPS does not call for help, only CoDel does",
                one.by(1),
            );
            let remedy = format!(
                "lower target_qps_per_replica below {}, or raise concurrency if a worker can take more",
                one.rate
            );
            Lint::new(LintCode::TargetAboveCapacity, Setting::TargetQpsPerReplica, message, remedy)
        })
    }
}

/// What one worker carries, and how that is known.
struct Carried {
    rate: Rate,
    how: String,
}

impl Carried {
    fn workers_for(&self, rate: Rate) -> u32 {
        div_ceil_count(rate.as_micros(), self.rate.as_micros())
    }

    /// What so many carry together, in words.
    fn by(&self, workers: u32) -> String {
        let rate = Rate::from_micros(self.rate.as_micros().saturating_mul(u64::from(workers)));
        format!("{rate} req/s {}", self.how)
    }
}

const fn human(duration: Duration) -> Human {
    Human(nanos(duration))
}

/// One request, in the unit of a rate times a service time: millionths per second times nanoseconds.
const ONE_REQUEST: u128 = 1_000_000_000_000_000;

#[cfg(test)]
mod tests;
