//! What observers and scrapes counted since the last tick.

use serde::{Deserialize, Serialize};

use super::scrapes::{Found, Guess};
use super::{Forecast, HANDFUL, MEAN_OF, TICK, View, capped};
use crate::fixed::ratio;
use crate::policy::Objective;
use crate::report::{Report, representative};
use crate::time::{Timestamp, nanos};
use crate::units::MICRO;

/// No platform scrapes less often; what was counted over a longer time was missed for a while, and says less of now.
const LONGEST: u64 = 60_000_000_000;

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
    /// Less than a request, in millionths.
    part: u64,
    /// The longest span of those that were told of together the last time, in nanoseconds.
    period: u64,
    spans: u64,
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
        self.come(now, report.at, report.arrived, nanos(report.over));
        self.seen(since);
        self.started = self.started.saturating_add(sojourns.count());
        self.late = self.late.saturating_add(late);
        self.completions = self.completions.saturating_add(report.services.count);
        self.service = self.service.saturating_add(nanos(report.services.sum));
    }

    /// Adds what a counter says, in millionths: how many requests that makes.
    pub(super) fn count(&mut self, now: Timestamp, millionths: u64, over: u64, since: Option<Timestamp>) -> u64 {
        let all = self.part.saturating_add(millionths);
        let arrived = all / MICRO;
        self.part = all % MICRO;
        self.come(now, now, ratio(arrived, over.min(LONGEST), over.max(1)), over);
        self.seen(since);
        arrived
    }

    /// So many came in a span that ended at `at`.
    fn come(&mut self, now: Timestamp, at: Timestamp, arrived: u64, over: u64) {
        let recent = over.min(LONGEST);
        self.spans = self.spans.max(recent);
        if arrived > 0 {
            self.coming = self.coming.saturating_add(arrived);
            self.until = self.until.max(Some(now.plus(recent)));
            let begin = at.minus(over);
            self.begin = Some(self.begin.map_or(begin, |earliest| earliest.min(begin)));
        }
    }

    /// Before the first of what is told a request was last seen at `since`.
    const fn seen(&mut self, since: Option<Timestamp>) {
        if !self.something {
            (self.something, self.since) = (true, since);
        }
    }

    /// What is told by now, and what of it is still to come stays.
    pub(super) fn take(&mut self, now: Timestamp, last: Timestamp) -> (Self, u64) {
        let left = self.until.map_or(0, |until| until.since(last));
        let come = if left == 0 { self.coming } else { ratio(self.coming, now.since(last).min(left), left) };
        let coming = self.coming.saturating_sub(come);
        let period = if self.something { self.spans } else { self.period };
        let until = self.until.filter(|_| coming > 0);
        (core::mem::replace(self, Self { coming, until, part: self.part, period, ..Self::default() }), come)
    }

    /// How often it is told, in nanoseconds; 0 if it never was.
    pub(super) const fn period(&self) -> u64 {
        self.period
    }

    /// Each arrival is told of as it happens.
    pub(super) const fn at_once(&mut self) {
        self.period = 0;
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

impl Forecast {
    /// An observer counted requests; before that none was seen `since` an instant, if ever. Only sums are kept until the next
    /// tick, so that reports of one instant may come in any order.
    pub(in crate::signal) fn told(
        &mut self,
        now: Timestamp,
        report: &Report,
        since: Option<Timestamp>,
        objective: &Objective,
    ) {
        if report.is_active() {
            self.heard(now, report.arrived);
            self.told.add(now, report, since, objective);
        }
    }

    /// A counter was scraped: so many arrived over a span of so many nanoseconds, in millionths. There are `requests`.
    pub(in crate::signal) fn counted(&mut self, now: Timestamp, millionths: u64, over: u64, requests: u64) {
        if millionths > 0 || requests > 0 || self.scrapes.left_somebody() {
            let arrived = self.told.count(now, millionths, over, self.scrapes.quiet_since());
            self.heard(now, arrived);
            self.scrapes.counted(now, arrived, over);
        }
    }

    /// Is told that so many arrived; it is looked at with the next tick.
    fn heard(&mut self, now: Timestamp, arrived: u64) {
        if self.resting {
            self.slept = self.slept.saturating_add(now.since(self.last));
            self.count(now);
            (self.last, self.resting) = (now, false);
        }
        self.next = self.next.or(Some(Timestamp::MAX)).min(Some(now.plus(TICK)));
        if arrived > 0 {
            self.begin(now);
        }
        self.ledger.arrived(arrived);
    }

    /// What observers counted since the last tick, as if it had been seen now.
    pub(super) fn take_told(&mut self, now: Timestamp, view: &View, objective: &Objective) {
        let (told, come) = self.told.take(now, self.last);
        self.traffic.adds(come);
        let Told { mut started, mut late, completions, service, .. } = told;
        if let Some(guess) = self.guess(now, view, objective) {
            started = started.saturating_add(guess.started);
            late = late.saturating_add(guess.late);
            if let Some((mean, seen)) = guess.service {
                self.completions = self.completions.saturating_add(capped(seen));
                self.serves(mean, seen.min(MEAN_OF));
            }
        }
        if let Some(gap) = told.gap() {
            self.gaps.saw(gap);
        }
        if late > 0 {
            self.traffic.strains(now, self.service);
        }
        self.wakes(now, capped(come), told.gap().unwrap_or(0));
        if let Some(may) = objective.may_be_late().filter(|_| started > 0) {
            self.ledger.told(now, started, late, may);
        }
        if let Some(mean) = service.checked_div(completions) {
            self.completions = self.completions.saturating_add(capped(completions));
            self.serves(mean, completions.min(MEAN_OF));
        }
    }

    /// What scrapes say of requests that nobody told of.
    fn guess(&mut self, now: Timestamp, view: &View, objective: &Objective) -> Option<Guess> {
        let (at, _) = self.scrapes.due()?;
        let age = if view.waiting > 0 { view.oldest.saturating_sub(now.since(at)) } else { 0 };
        let busy = view.requests.saturating_sub(view.waiting);
        let slots = u64::from(view.ready).saturating_mul(u64::from(view.concurrency));
        let known = self.completions >= HANDFUL && busy >= slots;
        let turn = if known { ratio(self.service, view.waiting.saturating_add(1), slots.max(1)) } else { 0 };
        self.scrapes.look(Found { waiting: view.waiting, busy, wait: age.max(turn) }, objective.patience())
    }
}
