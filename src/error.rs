//! What can be wrong with a configuration. Every error names the setting, the value and the rule, and says what to do.

use alloc::string::String;
use core::fmt;
use core::time::Duration;

use serde::{Serialize, Serializer};

use crate::policy::MAX_POLICIES;
use crate::time::{Human, Timestamp, nanos};

/// A setting, by the name it has in a configuration file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each is the setting of its name, described at `Config`")]
pub enum Setting {
    Min,
    Max,
    Concurrency,
    UpDelay,
    DownDelay,
    ToZeroDelay,
    IdleTimeout,
    Standby,
    DrainTimeout,
    OrderTimeout,
    Tolerance,
    UpStep,
    DownStep,
    Window,
    SojournTarget,
    CodelInterval,
    Freshness,
    EventFreshness,
    ObserverTimeout,
    Precision,
    EventLog,
    TargetQpsPerReplica,
    ConcurrencyTarget,
    RequestCount,
    QueueDelay,
    ObjectiveWithin,
    ObjectivePrice,
    Policies,
    Preset,
    Replicas,
    Buffer,
    Blind,
    BlindLastPeak,
    Cliff,
    CliffFall,
    CliffWithin,
    CliffDownDelay,
    StartTimeout,
    Backoff,
    BackoffFirst,
    BackoffMost,
    Breaker,
    BreakerFailures,
    BreakerWithin,
    BreakerPause,
    Schedule,
}

impl Setting {
    /// The name in a configuration file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Min => "min",
            Self::Max => "max",
            Self::Concurrency => "concurrency",
            Self::UpDelay => "up_delay",
            Self::DownDelay => "down_delay",
            Self::ToZeroDelay => "to_zero_delay",
            Self::IdleTimeout => "idle_timeout",
            Self::Standby => "standby",
            Self::DrainTimeout => "drain_timeout",
            Self::OrderTimeout => "order_timeout",
            Self::Tolerance => "tolerance",
            Self::UpStep => "up_step",
            Self::DownStep => "down_step",
            Self::Window => "window",
            Self::SojournTarget => "sojourn_target",
            Self::CodelInterval => "codel_interval",
            Self::Freshness => "freshness",
            Self::EventFreshness => "event_freshness",
            Self::ObserverTimeout => "observer_timeout",
            Self::Precision => "precision",
            Self::EventLog => "event_log",
            Self::TargetQpsPerReplica => "target_qps_per_replica",
            Self::ConcurrencyTarget => "concurrency target",
            Self::RequestCount => "request_count",
            Self::QueueDelay => "queue_delay",
            Self::ObjectiveWithin => "objective.within",
            Self::ObjectivePrice => "objective.price",
            Self::Policies => "policies",
            Self::Preset => "preset",
            Self::Replicas => "replicas",
            Self::Buffer => "buffer",
            Self::Blind => "blind",
            Self::BlindLastPeak => "blind.last_peak",
            Self::Cliff => "cliff",
            Self::CliffFall => "cliff.fall",
            Self::CliffWithin => "cliff.within",
            Self::CliffDownDelay => "cliff.down_delay",
            Self::StartTimeout => "start_timeout",
            Self::Backoff => "backoff",
            Self::BackoffFirst => "backoff.first",
            Self::BackoffMost => "backoff.most",
            Self::Breaker => "breaker",
            Self::Schedule => "schedule",
            Self::BreakerFailures => "breaker.failures",
            Self::BreakerWithin => "breaker.within",
            Self::BreakerPause => "breaker.pause",
        }
    }

    /// What to do about a value of zero.
    const fn instead_of_zero(self) -> &'static str {
        match self {
            Self::Max => "allow at least one worker; to stop the service, set min to 0 and send it no requests",
            Self::Replicas => "give at least 1; to follow the traffic instead, write a replica_policy",
            Self::Concurrency => "a worker serves at least one request at a time",
            Self::UpStep | Self::DownStep => {
                "give `workers` or `percent` above zero and a period, or leave the limit out"
            }
            Self::TargetQpsPerReplica => "benchmark one replica and give the rate it should handle, such as 2.5",
            Self::ConcurrencyTarget | Self::RequestCount => "give the requests that one worker should have, such as 1",
            Self::SojournTarget => "no queue is always empty; 100ms is the usual target",
            Self::CodelInterval => "ten to twenty times the sojourn target is usual",
            Self::ObjectiveWithin => "give the time within which a request is to start, such as 100ms",
            Self::ObjectivePrice => "give the worker-seconds that sparing a late request is worth, such as 100",
            Self::Buffer => "give `workers` or `percent` above zero, or leave the buffer out",
            Self::BlindLastPeak => "give the time in which the last peak is looked for, such as \"1h\"",
            Self::CliffFall => "give a share such as 0.5, or leave the cliff out",
            Self::CliffWithin => "give the time of a fall that is too steep, such as \"1m\", or leave the cliff out",
            Self::CliffDownDelay => "give the down delay after a cliff, such as \"15m\", or leave the cliff out",
            Self::BackoffFirst | Self::BackoffMost => "give a wait such as \"10s\"",
            Self::BreakerFailures => "give the failures at which it opens, such as 5",
            Self::EventFreshness => "leave it out if the silence of events is zero traffic",
            _ => "give a duration such as \"60s\"",
        }
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Setting {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// Why a configuration was refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// `min` exceeds `max`.
    #[error("min ({min}) must be at most max ({max}): no worker count satisfies both; lower min or raise max")]
    MinAboveMax {
        /// The value of `min`.
        min: u32,
        /// The value of `max`.
        max: u32,
    },
    /// A setting that must be positive is zero.
    #[error("{setting} (0) must be above zero: {}", setting.instead_of_zero())]
    Zero {
        /// The setting.
        setting: Setting,
    },
    /// A duration is too short.
    #[error("{setting} ({}) must be at least {}: give a longer duration", Human(nanos(*value)), Human(nanos(*least)))]
    TooShort {
        /// The setting.
        setting: Setting,
        /// Its value.
        value: Duration,
        /// The least it may be.
        least: Duration,
    },
    /// A duration is too long.
    #[error("{setting} ({}) must be at most {}: give a shorter duration", Human(nanos(*value)), Human(nanos(*most)))]
    TooLong {
        /// The setting.
        setting: Setting,
        /// Its value.
        value: Duration,
        /// The most it may be.
        most: Duration,
    },
    /// A number is too large.
    #[error("{setting} ({value}) must be at most {most}: give a smaller number")]
    TooMany {
        /// The setting.
        setting: Setting,
        /// Its value.
        value: u32,
        /// The most it may be.
        most: u32,
    },
    /// A required setting is missing.
    #[error("{setting} is required{}: {remedy}", Within(within))]
    Missing {
        /// The setting.
        setting: Setting,
        /// The part of the file it belongs to.
        within: &'static str,
        /// What to write.
        remedy: &'static str,
    },
    /// Two parts of a file say the same thing.
    #[error("{first} and {second} both set {what}: keep one of them")]
    Conflict {
        /// One part.
        first: &'static str,
        /// The other.
        second: &'static str,
        /// What both of them set.
        what: &'static str,
    },
    /// A part of a file that describes a configuration as a whole, in an override.
    #[error("{part} is not for an override, which changes single settings: {remedy}")]
    NotAnOverride {
        /// The part.
        part: &'static str,
        /// What to write instead.
        remedy: &'static str,
    },
    /// The preset is unknown.
    #[error("preset ({name}) is not known: choose one of {known}")]
    UnknownPreset {
        /// The name given.
        name: String,
        /// The names there are.
        known: &'static str,
    },
    /// More intervals than a configuration may hold.
    #[error("schedule has more than {limit} intervals: give those of the next days, and the others by reconfiguring")]
    TooManyIntervals {
        /// The limit.
        limit: usize,
    },
    /// The first wait of the back-off exceeds the longest.
    #[error(
        "backoff.first ({}) must be at most backoff.most ({}): lower first or raise most",
        Human(nanos(*first)), Human(nanos(*most))
    )]
    BackoffFirstAboveMost {
        /// The first wait.
        first: Duration,
        /// The longest wait.
        most: Duration,
    },
    /// The bounds of an interval exclude each other.
    #[error(
        "schedule holds an interval from {start} to {end}: its min ({min}) must be at most its max ({max}); lower min or raise max"
    )]
    IntervalMinAboveMax {
        /// Its start.
        start: Timestamp,
        /// Its end.
        end: Timestamp,
        /// Its least workers.
        min: u32,
        /// Its most workers.
        max: u32,
    },
    /// An interval that ends before it starts.
    #[error(
        "schedule holds an interval from {start} to {end}: its end must be after its start; correct them or leave it out"
    )]
    EmptyInterval {
        /// Its start.
        start: Timestamp,
        /// Its end.
        end: Timestamp,
    },
    /// A second objective: one service has one.
    #[error("policies holds two objectives: what is learned serves one; keep the stricter")]
    TwoObjectives,
    /// More policies than may be combined.
    #[error("policies has more than {limit} entries: combine at most {MAX_POLICIES}")]
    TooManyPolicies {
        /// The limit.
        limit: usize,
    },
}

struct Within(&'static str);

impl fmt::Display for Within {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, " in {}", self.0) }
    }
}
