//! The configuration: every value of [`Config`] is usable.
//!
//! | setting | default | why |
//! |---|---|---|
//! | `min` | 0 | nothing is paid for that nobody asked for; 1 in a `replica_policy`, as Outpost's document says |
//! | `max` | required | it is the bound on cost, and only the owner knows it; 1 in a `runpod` table, as RunPod's document says |
//! | `concurrency` | 1 | the safe reading of an unknown worker: one request at a time |
//! | `up_delay` | 0 s | a missing worker hurts at once; the presets for slow workers set one; 5 min in a `replica_policy` |
//! | `down_delay` | 5 min | Kubernetes' and KEDA's own: longer than most lulls and most cold starts; 20 min in a `replica_policy`, the idle timeout in a `runpod` table |
//! | `to_zero_delay` | the down delay | the last worker is not worth less than the others |
//! | `idle_timeout` | none | without it a surplus worker goes when the down delay allows; 30 s in a `runpod` table |
//! | `standby` | 0 | flash boot is off unless asked for |
//! | `drain_timeout` | 5 min | as long as a long request of an LLM server may take |
//! | `order_timeout` | 1 min | four scrapes of 15 s: an order that nobody has seen by then was lost |
//! | `tolerance` | 0 | the policies have dead bands of their own; a tolerance would stop 20 → 21 for ever |
//! | `up_step`, `down_step` | none | bounds and delays suffice for most; steps are for shared capacity |
//! | `window` | 60 s | SkyServe's and Knative's: long enough to count, short enough to follow |
//! | `sojourn_target` | 100 ms | the Outpost document's P99 target |
//! | `codel_interval` | 1 s | RFC 8289 section 4.3: the target is 5 to 10 % of the interval |
//! | `freshness` | 60 s | four scrapes of 15 s |
//! | `event_freshness` | none | the queue's owner reports every request, so its silence is zero traffic |
//! | `precision` | default | 4 % on every quantile shown |
//! | `event_log` | 64 | an evening of scaling events |
//!
//! A configuration file gives the settings by these names, and the policy in one of five ways:
//!
//! | written as | what it is |
//! |---|---|
//! | `policies: [{outpost: {target_qps_per_replica: 2.5}}]` | up to four [`Policy`] values (`policy:` for a single one); `max` is required |
//! | `preset: outpost-gpu` | a [`Preset`]: every other setting may stand beside it and overrides it |
//! | `replica_policy: {max_replicas: 10, target_qps_per_replica: 2}` | Outpost's autoscaling as its document has it; delays of 300 s and 1200 s |
//! | `replicas: 3` | Outpost's fixed replicas |
//! | `runpod: {max_workers: 3, idle_timeout: 60}` | RunPod's table; also at the top level under its own names (`Max Workers: 3`) |
//!
//! Settings that the chosen way does not give may stand beside it; the same thing said twice is refused. A
//! configuration is written back in the first way with every value it has, and reads back as itself.

mod file;
mod lint;
mod preset;

use alloc::vec::Vec;
use core::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::lint::{Expectations, Lint, LintCode};
pub use self::preset::Preset;
use crate::error::{ConfigError, Setting};
use crate::policy::{MAX_POLICIES, Outpost, Policy, RunPod, RunPodScaling};
use crate::units::Share;

/// The longest delay, timeout or window: ten years, far from the end of time.
pub(crate) const LONGEST: Duration = Duration::from_secs(10 * 366 * 86_400);
/// The shortest order timeout: a command that is repeated faster than that is a storm.
pub(crate) const SHORTEST_ORDER_TIMEOUT: Duration = Duration::from_secs(1);
/// The shortest window: its slices are a tenth of a millisecond.
pub(crate) const SHORTEST_WINDOW: Duration = Duration::from_millis(120);

/// A limit on how far the count may move within a period, counted from the first change in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct StepLimit {
    /// At most so many workers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workers: Option<u32>,
    /// At most so many percent of the count at the period's start, rounded up. With both, the larger step is allowed,
    /// as with Kubernetes' `selectPolicy: Max`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<u32>,
    /// The period.
    #[serde(with = "crate::time::span")]
    pub period: Duration,
}

impl StepLimit {
    /// At most `workers` per `period`.
    #[must_use]
    pub const fn workers(workers: u32, period: Duration) -> Self {
        Self { workers: Some(workers), percent: None, period }
    }

    /// At most `percent` of the count per `period`.
    #[must_use]
    pub const fn percent(percent: u32, period: Duration) -> Self {
        Self { workers: None, percent: Some(percent), period }
    }

    /// How far a count of `base` may move.
    pub(crate) fn step(&self, base: u32) -> u32 {
        let relative = self.percent.map(|percent| {
            let scaled = u64::from(base).saturating_mul(u64::from(percent)).div_ceil(100);
            u32::try_from(scaled).unwrap_or(u32::MAX)
        });
        self.workers.max(relative).unwrap_or(u32::MAX)
    }
}

/// How finely quantiles are kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Precision {
    /// At most 4 % relative error from 1 ms to 1 h.
    #[default]
    Default,
    /// At most 13 %, in a third of the space.
    Compact,
}

/// What an autoscaler is told to do. Every value is usable: whatever could be wrong is refused when it is set.
///
/// ```
/// use core::time::Duration;
/// use plimsoll::{Config, Policy, Rate, policy::Outpost};
///
/// let policy = Policy::Outpost(Outpost::new(Rate::per_second(2.5)?));
/// let config = Config::new(policy, 0, 10)?.with_up_delay(Duration::from_secs(30))?;
/// assert_eq!(config.max(), 10);
///
/// let error = Config::new(policy, 5, 3).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "min (5) must be at most max (3): no worker count satisfies both; lower min or raise max"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "file::ConfigFile", into = "file::ConfigFile")]
pub struct Config {
    min: u32,
    max: u32,
    concurrency: u32,
    policies: Vec<Policy>,
    up_delay: Duration,
    down_delay: Duration,
    to_zero_delay: Option<Duration>,
    idle_timeout: Option<Duration>,
    standby: u32,
    drain_timeout: Duration,
    order_timeout: Duration,
    tolerance: Share,
    up_step: Option<StepLimit>,
    down_step: Option<StepLimit>,
    window: Duration,
    sojourn_target: Duration,
    codel_interval: Duration,
    freshness: Duration,
    event_freshness: Option<Duration>,
    precision: Precision,
    event_log: u16,
}

impl Config {
    /// One policy between `min` and `max` workers, everything else at its default.
    ///
    /// # Errors
    /// If `max` is zero or below `min`, or the policy holds an unusable value.
    pub fn new(policy: Policy, min: u32, max: u32) -> Result<Self, ConfigError> {
        Self::unset().with_bounds(min, max)?.with_policy(policy)
    }

    /// Every default, and no policy yet: never handed out like this.
    const fn unset() -> Self {
        Self {
            min: 0,
            max: 1,
            concurrency: 1,
            policies: Vec::new(),
            up_delay: Duration::ZERO,
            down_delay: Duration::from_secs(300),
            to_zero_delay: None,
            idle_timeout: None,
            standby: 0,
            drain_timeout: Duration::from_secs(300),
            order_timeout: Duration::from_secs(60),
            tolerance: Share::ZERO,
            up_step: None,
            down_step: None,
            window: Duration::from_secs(60),
            sojourn_target: Duration::from_millis(100),
            codel_interval: Duration::from_secs(1),
            freshness: Duration::from_secs(60),
            event_freshness: None,
            precision: Precision::Default,
            event_log: 64,
        }
    }

    /// Exactly `count` workers; one that fails is replaced at once.
    ///
    /// # Errors
    /// If `count` is zero.
    pub fn fixed(count: u32) -> Result<Self, ConfigError> {
        Self::new(Policy::Fixed(count), count, count)
    }

    /// The Outpost product's settings, with its defaults for the delays: up 300 s, down 1200 s.
    ///
    /// # Errors
    /// As [`Config::new`].
    pub fn outpost(policy: Outpost, min_replicas: u32, max_replicas: u32) -> Result<Self, ConfigError> {
        Self::new(Policy::Outpost(policy), min_replicas, max_replicas)?
            .with_up_delay(Duration::from_secs(300))?
            .with_down_delay(Duration::from_secs(1_200))
    }

    /// The RunPod product's settings: no up delay, and workers go when they have been idle for `idle_timeout`
    /// (RunPod's default is 30 s).
    ///
    /// # Errors
    /// As [`Config::new`].
    pub fn runpod(policy: RunPod, min: u32, max: u32, idle_timeout: Duration) -> Result<Self, ConfigError> {
        Self::new(Policy::RunPod(policy), min, max)?.with_idle_timeout(idle_timeout)?.with_down_delay(idle_timeout)
    }

    /// Adds a policy: the largest proposal wins going up, all must agree going down.
    ///
    /// # Errors
    /// If there are four already, or the policy holds an unusable value.
    pub fn with_policy(mut self, policy: Policy) -> Result<Self, ConfigError> {
        if self.policies.len() >= MAX_POLICIES {
            return Err(ConfigError::TooManyPolicies { limit: MAX_POLICIES });
        }
        let zero = |setting| Err(ConfigError::Zero { setting });
        match policy {
            Policy::Outpost(outpost) if outpost.target_qps_per_replica.as_micros() == 0 => {
                return zero(Setting::TargetQpsPerReplica);
            }
            Policy::Concurrency(target) if target.is_zero() => return zero(Setting::ConcurrencyTarget),
            Policy::RunPod(RunPod { scaling: RunPodScaling::RequestCount(0) }) => return zero(Setting::RequestCount),
            Policy::RunPod(RunPod { scaling: RunPodScaling::QueueDelay(delay) }) => {
                at_most_longest(Setting::QueueDelay, delay)?;
            }
            _ => {}
        }
        self.policies.push(policy);
        Ok(self)
    }

    /// The least and the most workers. They hold at every decision.
    ///
    /// # Errors
    /// If `max` is zero or below `min`.
    pub fn with_bounds(mut self, min: u32, max: u32) -> Result<Self, ConfigError> {
        if max == 0 {
            return Err(ConfigError::Zero { setting: Setting::Max });
        }
        if min > max {
            return Err(ConfigError::MinAboveMax { min, max });
        }
        self.min = min;
        self.max = max;
        Ok(self)
    }

    /// How many requests one worker serves at a time.
    ///
    /// # Errors
    /// If it is zero.
    pub fn with_concurrency(mut self, slots: u32) -> Result<Self, ConfigError> {
        if slots == 0 {
            return Err(ConfigError::Zero { setting: Setting::Concurrency });
        }
        self.concurrency = slots;
        Ok(self)
    }

    /// How long demand must have been above the count before it may follow.
    ///
    /// # Errors
    /// If it is longer than ten years.
    pub fn with_up_delay(mut self, delay: Duration) -> Result<Self, ConfigError> {
        self.up_delay = at_most_longest(Setting::UpDelay, delay)?;
        Ok(self)
    }

    /// How long demand must have been below the count before it may follow.
    ///
    /// # Errors
    /// If it is longer than ten years.
    pub fn with_down_delay(mut self, delay: Duration) -> Result<Self, ConfigError> {
        self.down_delay = at_most_longest(Setting::DownDelay, delay)?;
        Ok(self)
    }

    /// How long no request must have come before the last worker may go. Unless it is set it is the down delay.
    ///
    /// # Errors
    /// If it is longer than ten years.
    pub fn with_to_zero_delay(mut self, delay: Duration) -> Result<Self, ConfigError> {
        self.to_zero_delay = Some(at_most_longest(Setting::ToZeroDelay, delay)?);
        Ok(self)
    }

    /// How long a worker must have been idle before it may be stopped. With it only idle workers are ever let go;
    /// without it a surplus worker that is busy is drained.
    ///
    /// # Errors
    /// If it is longer than ten years.
    pub fn with_idle_timeout(mut self, timeout: Duration) -> Result<Self, ConfigError> {
        self.idle_timeout = Some(at_most_longest(Setting::IdleTimeout, timeout)?);
        Ok(self)
    }

    /// Flash boot: how many stopped, loaded workers to keep in standby.
    #[must_use]
    pub const fn with_standby(mut self, workers: u32) -> Self {
        self.standby = workers;
        self
    }

    /// How long a draining worker may take to finish before it is stopped with what it has.
    ///
    /// # Errors
    /// If it is longer than ten years.
    pub fn with_drain_timeout(mut self, timeout: Duration) -> Result<Self, ConfigError> {
        self.drain_timeout = at_most_longest(Setting::DrainTimeout, timeout)?;
        Ok(self)
    }

    /// How long a command may take to show in what is observed before it counts as lost and is given again.
    ///
    /// # Errors
    /// If it is shorter than a second or longer than ten years.
    pub fn with_order_timeout(mut self, timeout: Duration) -> Result<Self, ConfigError> {
        if timeout < SHORTEST_ORDER_TIMEOUT {
            let setting = Setting::OrderTimeout;
            return Err(ConfigError::TooShort { setting, value: timeout, least: SHORTEST_ORDER_TIMEOUT });
        }
        self.order_timeout = at_most_longest(Setting::OrderTimeout, timeout)?;
        Ok(self)
    }

    /// A demand within this share of the present count is no demand to change it.
    #[must_use]
    pub const fn with_tolerance(mut self, tolerance: Share) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// How far the count may grow within a period.
    ///
    /// # Errors
    /// If it allows no step, has no period, or the period is longer than ten years.
    pub fn with_up_step(mut self, limit: StepLimit) -> Result<Self, ConfigError> {
        self.up_step = Some(usable_step(Setting::UpStep, limit)?);
        Ok(self)
    }

    /// How far the count may shrink within a period.
    ///
    /// # Errors
    /// If it allows no step, has no period, or the period is longer than ten years.
    pub fn with_down_step(mut self, limit: StepLimit) -> Result<Self, ConfigError> {
        self.down_step = Some(usable_step(Setting::DownStep, limit)?);
        Ok(self)
    }

    /// The window over which rates and sojourns are measured; the short window is a tenth of it.
    ///
    /// # Errors
    /// If it is shorter than 120 ms or longer than ten years.
    pub fn with_window(mut self, window: Duration) -> Result<Self, ConfigError> {
        if window < SHORTEST_WINDOW {
            let setting = Setting::Window;
            return Err(ConfigError::TooShort { setting, value: window, least: SHORTEST_WINDOW });
        }
        self.window = at_most_longest(Setting::Window, window)?;
        Ok(self)
    }

    /// The sojourn that p99 should stay under; also CoDel's target.
    ///
    /// # Errors
    /// If it is zero or longer than ten years.
    pub fn with_sojourn_target(mut self, target: Duration) -> Result<Self, ConfigError> {
        if target.is_zero() {
            return Err(ConfigError::Zero { setting: Setting::SojournTarget });
        }
        self.sojourn_target = at_most_longest(Setting::SojournTarget, target)?;
        Ok(self)
    }

    /// CoDel's interval: how long the sojourn must stand above the target.
    ///
    /// # Errors
    /// If it is zero or longer than ten years.
    pub fn with_codel_interval(mut self, interval: Duration) -> Result<Self, ConfigError> {
        if interval.is_zero() {
            return Err(ConfigError::Zero { setting: Setting::CodelInterval });
        }
        self.codel_interval = at_most_longest(Setting::CodelInterval, interval)?;
        Ok(self)
    }

    /// How long a gauge or a scraped count speaks for the present.
    ///
    /// # Errors
    /// If it is zero or longer than ten years.
    pub fn with_freshness(mut self, freshness: Duration) -> Result<Self, ConfigError> {
        if freshness.is_zero() {
            return Err(ConfigError::Zero { setting: Setting::Freshness });
        }
        self.freshness = at_most_longest(Setting::Freshness, freshness)?;
        Ok(self)
    }

    /// How long the silence of an event source is zero traffic. For a reporter that can die by itself: it then sends
    /// `Arrived { count: 0 }` as a sign of life.
    ///
    /// # Errors
    /// If it is zero or longer than ten years.
    pub fn with_event_freshness(mut self, freshness: Duration) -> Result<Self, ConfigError> {
        if freshness.is_zero() {
            return Err(ConfigError::Zero { setting: Setting::EventFreshness });
        }
        self.event_freshness = Some(at_most_longest(Setting::EventFreshness, freshness)?);
        Ok(self)
    }

    /// How finely quantiles are kept.
    #[must_use]
    pub const fn with_precision(mut self, precision: Precision) -> Self {
        self.precision = precision;
        self
    }

    /// How many scaling events are remembered.
    #[must_use]
    pub const fn with_event_log(mut self, events: u16) -> Self {
        self.event_log = events;
        self
    }

    /// The least workers.
    #[must_use]
    pub const fn min(&self) -> u32 {
        self.min
    }

    /// The most workers.
    #[must_use]
    pub const fn max(&self) -> u32 {
        self.max
    }

    /// Requests that one worker serves at a time.
    #[must_use]
    pub const fn concurrency(&self) -> u32 {
        self.concurrency
    }

    /// The policies, at least one.
    #[must_use]
    pub fn policies(&self) -> &[Policy] {
        &self.policies
    }

    /// The up delay.
    #[must_use]
    pub const fn up_delay(&self) -> Duration {
        self.up_delay
    }

    /// The down delay.
    #[must_use]
    pub const fn down_delay(&self) -> Duration {
        self.down_delay
    }

    /// The to-zero delay: what was set, or the down delay.
    #[must_use]
    pub fn to_zero_delay(&self) -> Duration {
        self.to_zero_delay.unwrap_or(self.down_delay)
    }

    /// The idle timeout, if there is one.
    #[must_use]
    pub const fn idle_timeout(&self) -> Option<Duration> {
        self.idle_timeout
    }

    /// Standby workers to keep (flash boot).
    #[must_use]
    pub const fn standby(&self) -> u32 {
        self.standby
    }

    /// The drain timeout.
    #[must_use]
    pub const fn drain_timeout(&self) -> Duration {
        self.drain_timeout
    }

    /// The order timeout.
    #[must_use]
    pub const fn order_timeout(&self) -> Duration {
        self.order_timeout
    }

    /// The tolerance.
    #[must_use]
    pub const fn tolerance(&self) -> Share {
        self.tolerance
    }

    /// The limit on growth, if there is one.
    #[must_use]
    pub const fn up_step(&self) -> Option<StepLimit> {
        self.up_step
    }

    /// The limit on shrinking, if there is one.
    #[must_use]
    pub const fn down_step(&self) -> Option<StepLimit> {
        self.down_step
    }

    /// The measuring window.
    #[must_use]
    pub const fn window(&self) -> Duration {
        self.window
    }

    /// The sojourn target.
    #[must_use]
    pub const fn sojourn_target(&self) -> Duration {
        self.sojourn_target
    }

    /// CoDel's interval.
    #[must_use]
    pub const fn codel_interval(&self) -> Duration {
        self.codel_interval
    }

    /// How long gauges and counts stay fresh.
    #[must_use]
    pub const fn freshness(&self) -> Duration {
        self.freshness
    }

    /// How long the silence of an event source is zero traffic; without end if `None`.
    #[must_use]
    pub const fn event_freshness(&self) -> Option<Duration> {
        self.event_freshness
    }

    /// How finely quantiles are kept.
    #[must_use]
    pub const fn precision(&self) -> Precision {
        self.precision
    }

    /// How many scaling events are remembered.
    #[must_use]
    pub const fn event_log(&self) -> u16 {
        self.event_log
    }
}

fn at_most_longest(setting: Setting, value: Duration) -> Result<Duration, ConfigError> {
    if value > LONGEST { Err(ConfigError::TooLong { setting, value, most: LONGEST }) } else { Ok(value) }
}

fn usable_step(setting: Setting, limit: StepLimit) -> Result<StepLimit, ConfigError> {
    if limit.workers.unwrap_or(0) == 0 && limit.percent.unwrap_or(0) == 0 || limit.period.is_zero() {
        return Err(ConfigError::Zero { setting });
    }
    at_most_longest(setting, limit.period)?;
    Ok(limit)
}
