//! What an observation does that calls for an evaluation: whether it fits, whom it concerns, and what of it is an event.

use super::Autoscaler;
use crate::decision::Reason;
use crate::guard::Effect;
use crate::observation::{Observation, Rejected, WorkerEvent};
use crate::policy::MAX_PROPOSALS;
use crate::pool::Seen;
use crate::time::Timestamp;
use crate::units::Rate;

impl Autoscaler {
    /// The same where it calls for an evaluation. Not inlined, so that to count costs no more than that.
    #[inline(never)]
    pub(super) fn take_in(&mut self, now: Timestamp, observation: Observation) -> Result<(), Rejected> {
        if self.gauge_only(now, &observation) {
            return Ok(());
        }
        if let Err(rejected) = self.accepts(now.max(self.state.now), &observation) {
            self.state.input.rejected = self.state.input.rejected.saturating_add(1);
            return Err(rejected);
        }
        let now = self.clamp(now);
        self.settle();
        self.advance(now);
        self.close_reports();
        self.state.input.accepted = self.state.input.accepted.saturating_add(1);
        self.state.sequence = self.state.sequence.saturating_add(1);
        let attended = self.is_attended(now);
        if attended {
            self.state.estimators.attended();
        }
        let seen = self.record(now, &observation, attended);
        self.note_seen(now, seen);
        self.lapse(now);
        self.expect_workers(now);
        self.evaluate(now);
        self.calm_down(now);
        Ok(())
    }

    /// Whether an observation makes sense and fits what is known. Changes nothing.
    pub(super) fn accepts(&self, now: Timestamp, observation: &Observation) -> Result<(), Rejected> {
        match *observation {
            Observation::Worker { id, event } => self.state.pool.accepts(now, id, event),
            Observation::Reserve { id, workers: 1.., .. } => self.state.operator.accepts(now, id),
            Observation::Pool(counts) => self.state.pool.accepts_counts(counts),
            Observation::ArrivalRate { per_second } => {
                Rate::per_second(per_second).map(|_| ()).map_err(|_| Rejected::BadRate { per_second })
            }
            Observation::Requests { count, over } if over.is_zero() => Err(Rejected::EmptySpan { count }),
            Observation::Arrived { queue: Some(id), .. }
            | Observation::Started { queue: Some(id), .. }
            | Observation::Abandoned { queue: Some(id), .. }
            | Observation::Queue { queue: Some(id), .. } => {
                self.state.pool.worker(id).map(|_| ()).ok_or(Rejected::UnknownWorker { id })
            }
            _ => Ok(()),
        }
    }

    /// Takes in an observation that was found acceptable.
    pub(super) fn record(&mut self, now: Timestamp, observation: &Observation, attended: bool) -> Seen {
        match *observation {
            Observation::Worker { id, event } => {
                let serves = matches!(event, WorkerEvent::Busy(1..) | WorkerEvent::Leased(_));
                if serves || self.state.pool.busy_slots().unwrap_or(0) > 0 {
                    self.state.estimators.active(now);
                }
                return self.state.pool.event(now, id, event);
            }
            Observation::Pool(counts) => return self.state.pool.count(now, counts),
            Observation::StartFailed { count, cause } => {
                self.state.pool.start_failed(count, cause);
                return Seen { failed: Some((count, cause)), ..Seen::default() };
            }
            Observation::Mode { mode, valid_for } => {
                self.state.operator.set_mode(mode, valid_for.map_or(Timestamp::MAX, |span| now.saturating_add(span)));
            }
            Observation::Grant(grant) => self.state.operator.set_grant(grant),
            Observation::Reserve { id, workers, after, valid_for } => {
                let start = now.saturating_add(after);
                self.state.operator.reserve(now, id, workers, start, start.saturating_add(valid_for));
            }
            _ => {
                let clamped =
                    self.state.estimators.record(now, observation, &mut self.state.pool, attended, &self.config);
                self.state.input.contradictions = self.state.input.contradictions.saturating_add(u64::from(clamped));
            }
        }
        Seen::default()
    }

    /// Whether somebody may be taking requests, so that arrivals alone do not make a queue. A pool that is never
    /// reported is taken at its word, from the instant after it woke.
    pub(super) fn is_attended(&self, now: Timestamp) -> bool {
        if self.state.pool.is_seen() {
            self.state.pool.census().ready > 0
        } else {
            self.state.count > 0 && !self.state.guards.woke_at(now)
        }
    }

    /// What was seen of the pool goes to whom it concerns.
    pub(super) fn note_seen(&mut self, now: Timestamp, seen: Seen) {
        if let Some((count, cause)) = seen.failed {
            self.fail_starts(now, count, cause);
        }
        if seen.started > 0 {
            self.state.provider.succeeded(now);
        }
        let there = self.state.pool.in_service().min(self.limits(now).max);
        if seen.unordered && there > self.state.count {
            // Workers that nobody ordered are taken over, so that the policies decide about them as about any others.
            self.drifted(now, there, Reason::Adopted);
            self.state.guards.grown(now, there);
        }
        if seen.vanished > 0 && self.state.pool.in_service() < self.state.count {
            self.drifted(now, self.state.count, Reason::Vanished);
        }
    }

    /// The pool was changed by somebody else; the count is `count` from now on.
    pub(super) fn drifted(&mut self, now: Timestamp, count: u32, why: Reason) {
        let mut event = self.explain(&self.state.last);
        event.at = now;
        event.count = self.state.count;
        event.proposals = [None; MAX_PROPOSALS];
        event.proposed = count;
        event.desired = count;
        event.bound = why;
        for stage in &mut event.stages {
            stage.effect = Effect::Pass;
            stage.count = count;
        }
        self.state.count = count;
        // Many that vanish at one instant are one event.
        if self
            .state
            .events
            .iter()
            .next_back()
            .is_some_and(|last| last.at == now && last.bound == why && !last.is_change())
        {
            self.state.events.forget_last();
        }
        self.state.events.push(&event);
    }
}
