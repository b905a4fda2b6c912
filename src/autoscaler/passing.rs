//! What time does: it is lived through from one change to the next.

use super::Autoscaler;
use super::changed::Ahead;
use crate::observation::FailureCause;
use crate::operator::Limits;
use crate::placement;
use crate::policy::Inputs;
use crate::time::{Earliest, Timestamp};

impl Autoscaler {
    pub(super) fn clamp(&mut self, now: Timestamp) -> Timestamp {
        if now < self.state.now {
            self.state.input.clock_regressions = self.state.input.clock_regressions.saturating_add(1);
        }
        now.max(self.state.now)
    }

    /// Lives through the time up to `now`, stopping at every instant at which anything changes. There are only so many
    /// of them without an observation, whatever the time that passes.
    pub(super) fn advance(&mut self, now: Timestamp) {
        if now > self.state.now {
            self.close_reports();
        }
        if self.is_calm(now) {
            self.state.now = now;
            self.state.estimators.advance(now);
            return;
        }
        if now == self.state.now {
            self.settle();
            return;
        }
        self.stand();
        loop {
            let ahead = self.look_ahead(self.state.now);
            let Some(at) = ahead.change().filter(|at| *at <= now && *at > self.state.now) else {
                self.settle();
                self.asked.look_ahead(ahead);
                break;
            };
            self.state.now = at;
            self.state.sequence = self.state.sequence.saturating_add(1);
            if self.lapse(at) {
                self.expect_workers(at);
            }
            self.state.estimators.advance(at);
            self.evaluate(at);
        }
        self.state.now = now;
        self.state.estimators.advance(now);
    }

    /// Gives up what has taken too long. True if that was a start, which then is to be replaced.
    pub(super) fn lapse(&mut self, now: Timestamp) -> bool {
        let late = self.state.pool.lapse(now, &self.config);
        self.fail_starts(now, late, FailureCause::Timeout);
        late > 0
    }

    pub(super) fn fail_starts(&mut self, now: Timestamp, count: u32, cause: FailureCause) {
        if count > 0 {
            self.state.provider.failed(now, count, cause, &self.config);
        }
    }

    /// The first instants after `now` at which time alone changes something.
    pub(super) fn look_ahead(&self, now: Timestamp) -> Ahead {
        let (state, config) = (&self.state, &self.config);
        let [age, slice, signal] = state.estimators.next_change(now, &state.pool, config);
        let mut next = Earliest::after(now);
        next.note_some(signal);
        if state.guards.keeps_below(state.count) {
            next.note_some(placement::held(&state.pool, now, config).1);
        }
        next.note_some(state.pool.next_lapse(now, config));
        next.note_some(state.operator.next_change(now, self.lead(), config));
        next.note(self.watched_from());
        next.note_some(state.provider.next_change(now));
        Ahead { age, slice, fact: next.get(), step: self.next_step(now) }
    }

    /// The first instant after `now` at which time alone changes what the guards let through.
    pub(super) fn next_step(&self, now: Timestamp) -> Option<Timestamp> {
        self.state.guards.next_change(now, self.state.count, self.limits(now), &self.config)
    }

    pub(super) fn next_placement(&self, now: Timestamp) -> Option<Timestamp> {
        placement::next_change(&self.state.pool, &self.state.provider, now, self.state.count, &self.config)
    }

    /// When a whole window has been seen since the start: before that the count does not shrink.
    pub(super) fn watched_from(&self) -> Timestamp {
        self.state.started.saturating_add(self.config.window())
    }

    /// The bounds at `now`.
    pub(super) fn limits(&self, now: Timestamp) -> Limits {
        self.state.operator.limits(now, self.lead(), &self.config)
    }

    /// How long before an interval of the schedule its workers are ordered, in nanoseconds.
    pub(super) fn lead(&self) -> u64 {
        if self.config.schedule().is_empty() { 0 } else { self.state.pool.cold_starts.lead() }
    }

    pub(super) fn to_zero_at(&self, now: Timestamp, inputs: &Inputs) -> Option<Timestamp> {
        let busy = inputs.backlog > 0 || inputs.depth > Some(0) || inputs.in_flight > Some(0);
        if busy || self.state.count == 0 || now < self.watched_from() || self.limits(now).min > 0 {
            return None;
        }
        let blind = self.state.last.proposals.iter().flatten().any(|proposal| proposal.blind);
        let held = blind || self.state.guards.cliff_since().is_some();
        self.state.estimators.quiet_at(now, &self.state.pool, &self.config).filter(|at| !held && *at > now)
    }
}
