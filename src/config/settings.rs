//! What a configuration holds, setting by setting.

use core::time::Duration;

use super::{Backoff, Blind, Breaker, Buffer, Cliff, Config, Precision, StepLimit};
use crate::policy::{Objective, Policy};
use crate::schedule::Interval;
use crate::units::Share;

/// The Outpost document's P99 target.
const DEFAULT_SOJOURN_TARGET: Duration = Duration::from_millis(100);

impl Config {
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

    /// The sojourn target: what was set, or the time within which an objective wants its requests started, or 100 ms.
    #[must_use]
    pub fn sojourn_target(&self) -> Duration {
        let wanted = || self.sought().map(|objective| objective.within);
        self.sojourn_target.or_else(wanted).unwrap_or(DEFAULT_SOJOURN_TARGET)
    }

    /// The objective among the policies, if there is one.
    pub(crate) fn sought(&self) -> Option<&Objective> {
        self.policies.iter().find_map(|policy| match policy {
            Policy::Objective(objective) => Some(objective),
            _ => None,
        })
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

    /// How long an observer may be silent before it counts as gone.
    #[must_use]
    pub const fn observer_timeout(&self) -> Duration {
        self.observer_timeout
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

    /// The buffer, if there is one.
    #[must_use]
    pub const fn buffer(&self) -> Option<Buffer> {
        self.buffer
    }

    /// What to do while a signal is missing or stale.
    #[must_use]
    pub const fn blind(&self) -> Blind {
        self.blind
    }

    /// The demand cliff, if it is looked for.
    #[must_use]
    pub const fn cliff(&self) -> Option<Cliff> {
        self.cliff
    }

    /// How long a worker may take to start at the most.
    #[must_use]
    pub const fn start_timeout(&self) -> Duration {
        self.start_timeout
    }

    /// How failed orders are repeated.
    #[must_use]
    pub const fn backoff(&self) -> Backoff {
        self.backoff
    }

    /// When ordering stops altogether.
    #[must_use]
    pub const fn breaker(&self) -> Breaker {
        self.breaker
    }

    /// Bounds that change with time.
    #[must_use]
    pub fn schedule(&self) -> &[Interval] {
        &self.schedule
    }
}
