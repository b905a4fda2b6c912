//! Bounds that change with time: intervals that are already resolved to instants.
//!
//! A configuration holds a list of [`Interval`]s, an operator adds reservations. Each may state a least and a most
//! worker count for its span. At any instant, for the least and for the most apart, the highest priority that states
//! one decides; among equals the larger least and the larger most. Where nobody speaks, the configuration's own `min` and `max`
//! stand. Should the least then exceed the most, the most holds: it is the bound on cost.
//!
//! Weekly schedules in a time zone become such intervals by the helper `calendar`, outside the core.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// The bounds of one span of time.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Interval {
    /// The first instant at which it holds.
    pub start: Timestamp,
    /// The first instant at which it holds no more.
    pub end: Timestamp,
    /// The least workers; where absent, others decide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<u32>,
    /// The most workers; zero closes the service. Where absent, others decide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<u32>,
    /// Of several intervals that speak at once the highest priority decides. The configuration's own bounds are below
    /// all of them.
    #[serde(default)]
    pub priority: i32,
    /// Raise the least ahead of `start` by the measured cold start, so that the workers are ready when the announced
    /// load comes.
    #[serde(default)]
    pub ahead: bool,
}

impl Interval {
    /// A span that states nothing yet.
    #[must_use]
    pub const fn new(start: Timestamp, end: Timestamp) -> Self {
        Self { start, end, min: None, max: None, priority: 0, ahead: false }
    }

    /// At least so many workers.
    #[must_use]
    pub const fn with_min(mut self, workers: u32) -> Self {
        self.min = Some(workers);
        self
    }

    /// At most so many workers.
    #[must_use]
    pub const fn with_max(mut self, workers: u32) -> Self {
        self.max = Some(workers);
        self
    }

    /// With this priority instead of 0.
    #[must_use]
    pub const fn with_priority(mut self, priority: i32) -> Self {
        self.priority = priority;
        self
    }

    /// With its least raised ahead of the start by the measured cold start.
    #[must_use]
    pub const fn ahead(mut self) -> Self {
        self.ahead = true;
        self
    }
}
