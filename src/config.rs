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
//! | `sojourn_target` | the objective's `within`, 100 ms without one | what is late for the policy is late for the report; the Outpost document's P99 target |
//! | `codel_interval` | 1 s | RFC 8289 section 4.3: the target is 5 to 10 % of the interval |
//! | `freshness` | 60 s | four scrapes of 15 s |
//! | `event_freshness` | none | the queue's owner reports every request, so its silence is zero traffic |
//! | `observer_timeout` | 5 min | Kubernetes' own before it gives up a node that it cannot reach: by then a load balancer that is silent was replaced |
//! | `precision` | default | 4 % on every quantile shown |
//! | `event_log` | 64 | an evening of scaling events |
//! | `buffer` | none | idle workers above demand are a choice between cost and the first wait |
//! | `blind` | `hold` | nothing is done on half of what a rule needs to know |
//! | `cliff` | none | only the owner knows how fast the own traffic can really end |
//! | `start_timeout` | 10 min | Kubernetes' `progressDeadlineSeconds`; less once cold starts have been measured |
//! | `backoff` | 10 s to 5 min | Kubernetes' own for crashing containers |
//! | `breaker` | 5 failures in 5 min, 1 min | one cause at its fifth step, or several at once; then a cold start's time |
//! | `schedule` | none | the bounds are the same at all times |
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
//!
//! An [`Effective`] configuration is read from the same files, takes [`Override`]s from flags or the environment, and
//! tells of every value where it came from.

mod effective;
mod file;
mod lint;
mod preset;
mod settings;
mod values;

use alloc::vec::Vec;
use core::num::NonZeroU32;
use core::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::effective::{Effective, Origin, Override, Value};
pub use self::lint::{Expectations, Lint, LintCode};
pub use self::preset::Preset;
pub use self::values::{Backoff, Blind, Breaker, Cliff, Precision, StepLimit};
use crate::error::{ConfigError, Setting};
pub use crate::policy::Buffer;
use crate::policy::{Goal, MAX_POLICIES, Objective, Outpost, Policy, RunPod, RunPodScaling};
use crate::schedule::Interval;
use crate::units::Share;

/// The longest delay, timeout or window: ten years, far from the end of time.
pub(crate) const LONGEST: Duration = Duration::from_secs(10 * 366 * 86_400);
/// The shortest order timeout: a command that is repeated faster than that is a storm.
pub(crate) const SHORTEST_ORDER_TIMEOUT: Duration = Duration::from_secs(1);
/// Intervals that one configuration may hold: a week's worth by the hour would be too many to look through at every step.
const MAX_INTERVALS: usize = 128;
/// Failures that a breaker can count: as many as are remembered.
pub(crate) const MAX_BREAKER_FAILURES: u32 = 16;
/// The shortest window: its slices are a tenth of a millisecond.
pub(crate) const SHORTEST_WINDOW: Duration = Duration::from_millis(120);

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
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
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
    sojourn_target: Option<Duration>,
    codel_interval: Duration,
    freshness: Duration,
    event_freshness: Option<Duration>,
    observer_timeout: Duration,
    precision: Precision,
    event_log: u16,
    buffer: Option<Buffer>,
    blind: Blind,
    cliff: Option<Cliff>,
    start_timeout: Duration,
    backoff: Backoff,
    breaker: Breaker,
    schedule: Vec<Interval>,
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
            sojourn_target: None,
            codel_interval: Duration::from_secs(1),
            freshness: Duration::from_secs(60),
            event_freshness: None,
            observer_timeout: Duration::from_secs(300),
            precision: Precision::Default,
            event_log: 64,
            buffer: None,
            blind: Blind::Hold,
            cliff: None,
            start_timeout: Duration::from_secs(600),
            backoff: Backoff::new(Duration::from_secs(10), Duration::from_secs(300)),
            breaker: Breaker::new(5, Duration::from_secs(300), Duration::from_secs(60)),
            schedule: Vec::new(),
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

    /// An objective or a price, and nothing else to set: it keeps the counts itself for as long as they are worth it, so
    /// that there are no delays, and only idle workers are let go.
    ///
    /// # Errors
    /// As [`Config::new`].
    pub fn objective(objective: Objective, min: u32, max: u32) -> Result<Self, ConfigError> {
        Self::new(Policy::Objective(objective), min, max)?
            .with_idle_timeout(Duration::ZERO)?
            .with_down_delay(Duration::ZERO)
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
            Policy::Objective(objective) => {
                positive(Setting::ObjectiveWithin, objective.within)?;
                if matches!(objective.goal, Goal::Price(0) | Goal::ShareUpTo { price: 0, .. }) {
                    return zero(Setting::ObjectivePrice);
                }
                if self.sought().is_some() {
                    return Err(ConfigError::TwoObjectives);
                }
            }
            Policy::RunPod(RunPod { scaling: RunPodScaling::QueueDelay(delay) }) => {
                at_most_longest(Setting::QueueDelay, delay)?;
            }
            _ => {}
        }
        self.policies.push(policy);
        Ok(self)
    }

    /// Another price of a late request, in worker-seconds; `None` without an objective that has one.
    pub(crate) fn with_price(mut self, price: NonZeroU32) -> Option<Self> {
        let goals = self.policies.iter_mut().filter_map(|policy| match policy {
            Policy::Objective(Objective { goal: Goal::Price(goal), .. }) => Some(goal),
            _ => None,
        });
        *goals.last()? = price.get();
        Some(self)
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
    /// without it a surplus worker that is busy is drained. A platform that counts its workers and does not say how many
    /// are idle keeps that rule itself: what it is told to release is idle workers first.
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

    /// The sojourn that p99 should stay under; also CoDel's target. Without it, an objective's `within`.
    ///
    /// # Errors
    /// If it is zero or longer than ten years.
    pub fn with_sojourn_target(mut self, target: Duration) -> Result<Self, ConfigError> {
        self.sojourn_target = Some(positive(Setting::SojournTarget, target)?);
        Ok(self)
    }

    /// CoDel's interval: how long the sojourn must stand above the target.
    ///
    /// # Errors
    /// If it is zero or longer than ten years.
    pub fn with_codel_interval(mut self, interval: Duration) -> Result<Self, ConfigError> {
        self.codel_interval = positive(Setting::CodelInterval, interval)?;
        Ok(self)
    }

    /// How long a gauge or a scraped count speaks for the present.
    ///
    /// # Errors
    /// If it is zero or longer than ten years.
    pub fn with_freshness(mut self, freshness: Duration) -> Result<Self, ConfigError> {
        self.freshness = positive(Setting::Freshness, freshness)?;
        Ok(self)
    }

    /// How long the silence of an event source is zero traffic. For a reporter that can die by itself: it then sends
    /// `Arrived { count: 0 }` as a sign of life.
    ///
    /// # Errors
    /// If it is zero or longer than ten years.
    pub fn with_event_freshness(mut self, freshness: Duration) -> Result<Self, ConfigError> {
        self.event_freshness = Some(positive(Setting::EventFreshness, freshness)?);
        Ok(self)
    }

    /// How long an observer that sends [reports](crate::Report) may be silent before it counts as gone. While it is silent
    /// for longer than the freshness, what it used to tell is missing and the count does not fall.
    ///
    /// # Errors
    /// If it is zero or longer than ten years.
    pub fn with_observer_timeout(mut self, timeout: Duration) -> Result<Self, ConfigError> {
        self.observer_timeout = positive(Setting::ObserverTimeout, timeout)?;
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

    /// Idle workers above those that requests occupy.
    ///
    /// # Errors
    /// If it holds no worker.
    pub fn with_buffer(mut self, buffer: Buffer) -> Result<Self, ConfigError> {
        if buffer.workers.unwrap_or(0) == 0 && buffer.percent.unwrap_or(0) == 0 {
            return Err(ConfigError::Zero { setting: Setting::Buffer });
        }
        self.buffer = Some(buffer);
        Ok(self)
    }

    /// What to do while a signal is missing or stale.
    ///
    /// # Errors
    /// If a last peak is looked for within no time, or longer than ten years.
    pub fn with_blind(mut self, blind: Blind) -> Result<Self, ConfigError> {
        if let Blind::LastPeak(within) = blind {
            positive(Setting::BlindLastPeak, within)?;
        }
        self.blind = blind;
        Ok(self)
    }

    /// A longer down delay after a fall of demand that is too steep to be one.
    ///
    /// # Errors
    /// If the fall is zero, or one of its times is zero or longer than ten years.
    pub fn with_cliff(mut self, cliff: Cliff) -> Result<Self, ConfigError> {
        if cliff.fall == Share::ZERO {
            return Err(ConfigError::Zero { setting: Setting::CliffFall });
        }
        positive(Setting::CliffWithin, cliff.within)?;
        positive(Setting::CliffDownDelay, cliff.down_delay)?;
        self.cliff = Some(cliff);
        Ok(self)
    }

    /// How long a worker may take to start at the most; after that it counts as failed. Once cold starts have been
    /// measured it is four times the slowest of them, if that is less.
    ///
    /// # Errors
    /// If it is zero or longer than ten years.
    pub fn with_start_timeout(mut self, timeout: Duration) -> Result<Self, ConfigError> {
        self.start_timeout = positive(Setting::StartTimeout, timeout)?;
        Ok(self)
    }

    /// How failed orders are repeated.
    ///
    /// # Errors
    /// If a wait is zero or longer than ten years, or the first is longer than the longest.
    pub fn with_backoff(mut self, backoff: Backoff) -> Result<Self, ConfigError> {
        positive(Setting::BackoffFirst, backoff.first)?;
        positive(Setting::BackoffMost, backoff.most)?;
        if backoff.first > backoff.most {
            return Err(ConfigError::BackoffFirstAboveMost { first: backoff.first, most: backoff.most });
        }
        self.backoff = backoff;
        Ok(self)
    }

    /// When ordering stops altogether.
    ///
    /// # Errors
    /// If it opens at no failure, or one of its times is zero or longer than ten years.
    pub fn with_breaker(mut self, breaker: Breaker) -> Result<Self, ConfigError> {
        if breaker.failures == 0 {
            return Err(ConfigError::Zero { setting: Setting::BreakerFailures });
        }
        if breaker.failures > MAX_BREAKER_FAILURES {
            let (value, most) = (breaker.failures, MAX_BREAKER_FAILURES);
            return Err(ConfigError::TooMany { setting: Setting::BreakerFailures, value, most });
        }
        positive(Setting::BreakerWithin, breaker.within)?;
        positive(Setting::BreakerPause, breaker.pause)?;
        self.breaker = breaker;
        Ok(self)
    }

    /// Bounds that change with time; within them the configuration's own do not count.
    ///
    /// # Errors
    /// If there are too many, one ends before it starts, or its min exceeds its max.
    pub fn with_schedule(mut self, schedule: Vec<Interval>) -> Result<Self, ConfigError> {
        if schedule.len() > MAX_INTERVALS {
            return Err(ConfigError::TooManyIntervals { limit: MAX_INTERVALS });
        }
        for interval in &schedule {
            let (start, end) = (interval.start, interval.end);
            if start >= end {
                return Err(ConfigError::EmptyInterval { start, end });
            }
            match (interval.min, interval.max) {
                (Some(min), Some(max)) if min > max => {
                    return Err(ConfigError::IntervalMinAboveMax { start, end, min, max });
                }
                _ => {}
            }
        }
        self.schedule = schedule;
        Ok(self)
    }
}

fn at_most_longest(setting: Setting, value: Duration) -> Result<Duration, ConfigError> {
    if value > LONGEST { Err(ConfigError::TooLong { setting, value, most: LONGEST }) } else { Ok(value) }
}

/// Above zero and at most the longest.
fn positive(setting: Setting, value: Duration) -> Result<Duration, ConfigError> {
    if value.is_zero() { Err(ConfigError::Zero { setting }) } else { at_most_longest(setting, value) }
}

fn usable_step(setting: Setting, limit: StepLimit) -> Result<StepLimit, ConfigError> {
    if limit.workers.unwrap_or(0) == 0 && limit.percent.unwrap_or(0) == 0 || limit.period.is_zero() {
        return Err(ConfigError::Zero { setting });
    }
    at_most_longest(setting, limit.period)?;
    Ok(limit)
}
