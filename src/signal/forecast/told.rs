//! What observers counted since the last tick.

use serde::{Deserialize, Serialize};

use crate::policy::Objective;
use crate::report::{Report, representative};
use crate::time::{Timestamp, nanos};

/// Sums, so that the order does not matter.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub(super) struct Told {
    /// Anything at all.
    something: bool,
    /// When a request was last seen before, and the earliest start of a span in which one arrived.
    since: Option<Timestamp>,
    begin: Option<Timestamp>,
    /// Requests that started, and those of them that were late.
    pub(super) started: u64,
    pub(super) late: u64,
    /// Requests that were served, and for how many nanoseconds together.
    pub(super) completions: u64,
    pub(super) service: u64,
}

impl Told {
    /// Adds what a report says; before it a request was last seen at `since`.
    pub(super) fn add(&mut self, report: &Report, since: Option<Timestamp>, objective: &Objective) {
        let sojourns = &report.sojourns;
        let late = if sojourns.target() == objective.within {
            sojourns.over_target()
        } else {
            // To the error of a digest's quantiles.
            let late = sojourns.buckets().iter().filter(|(bucket, _)| representative(*bucket) > objective.within);
            late.fold(0, |sum: u64, (_, count)| sum.saturating_add(*count))
        };
        if report.arrived > 0 {
            let begin = report.at.minus(nanos(report.over));
            self.begin = Some(self.begin.map_or(begin, |earliest| earliest.min(begin)));
        }
        if !self.something {
            (self.something, self.since) = (true, since);
        }
        self.started = self.started.saturating_add(sojourns.count());
        self.late = self.late.saturating_add(late);
        self.completions = self.completions.saturating_add(report.services.count);
        self.service = self.service.saturating_add(nanos(report.services.sum));
    }

    /// For how long nobody had come before, in nanoseconds.
    pub(super) fn gap(&self) -> Option<u64> {
        self.since.zip(self.begin).map(|(since, begin)| begin.since(since))
    }
}
