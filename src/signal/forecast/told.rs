//! What observers counted since the last tick.

use serde::{Deserialize, Serialize};

use crate::fixed::ratio;
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
    /// Requests that arrived and have not been counted yet: they are taken to come evenly until an instant, a span later than
    /// they did, so that what came in five seconds does not look like a surge of one.
    coming: u64,
    until: Option<Timestamp>,
    /// Requests that were served, and for how many nanoseconds together.
    pub(super) completions: u64,
    pub(super) service: u64,
}

impl Told {
    /// Adds what a report says; before it a request was last seen at `since`.
    pub(super) fn add(&mut self, now: Timestamp, report: &Report, since: Option<Timestamp>, objective: &Objective) {
        let sojourns = &report.sojourns;
        let late = if sojourns.target() == objective.within {
            sojourns.over_target()
        } else {
            // To the error of a digest's quantiles.
            let late = sojourns.buckets().iter().filter(|(bucket, _)| representative(*bucket) > objective.within);
            late.fold(0, |sum: u64, (_, count)| sum.saturating_add(*count))
        };
        if report.arrived > 0 {
            self.coming = self.coming.saturating_add(report.arrived);
            self.until = self.until.max(Some(now.plus(nanos(report.over))));
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

    /// What is told by now, and what of it is still to come stays.
    pub(super) fn take(&mut self, now: Timestamp, last: Timestamp) -> (Self, u64) {
        let left = self.until.map_or(0, |until| until.since(last));
        let come = if left == 0 { self.coming } else { ratio(self.coming, now.since(last).min(left), left) };
        let coming = self.coming.saturating_sub(come);
        let until = self.until.filter(|_| coming > 0);
        (core::mem::replace(self, Self { coming, until, ..Self::default() }), come)
    }

    /// Whether requests have yet to be counted.
    pub(super) const fn is_coming(&self) -> bool {
        self.coming > 0
    }

    /// For how long nobody had come before, in nanoseconds.
    pub(super) fn gap(&self) -> Option<u64> {
        self.since.zip(self.begin).map(|(since, begin)| begin.since(since))
    }
}
