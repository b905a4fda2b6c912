//! Up to where the last evaluation holds.

use super::Calm;
use crate::autoscaler::Autoscaler;
use crate::autoscaler::changed::Ahead;
use crate::guard::Guards;
use crate::observation::Mode;
use crate::placement;
use crate::policy::{Buffer, Policy, Steady};
use crate::signal::Minded;
use crate::time::{Timestamp, nanos};

impl Autoscaler {
    /// How long somebody may wait until the rules take note of it.
    pub(super) fn ages(&self) -> impl Iterator<Item = u64> + '_ {
        let Minded { target, interval, .. } = self.calm.minded;
        let own = self.config.policies().iter().filter_map(Policy::overdue_age);
        own.chain([target.saturating_add(1), target.saturating_add(interval)])
    }

    /// Says up to where the last evaluation holds, which was at `now`.
    pub(in crate::autoscaler) fn calm_down(&mut self, now: Timestamp) {
        if self.may_calm_down(now) {
            self.look_at_idle(now);
            let ahead = self.ahead(now);
            self.calm_down_from(now, ahead);
        } else {
            self.calm = Calm::default();
        }
    }

    fn may_calm_down(&self, now: Timestamp) -> bool {
        let state = &self.state;
        let inputs = &state.last.inputs;
        // After a change the proposals shown are those that led to it.
        let changed = state.last.count != state.last.desired;
        let trouble = inputs.quiet || inputs.lost || inputs.surplus;
        let attended = self.is_attended(now);
        let plain = state.estimators.is_plain(&state.pool) && !trouble && !changed;
        // A pool that is never reported is attended as soon as time passes.
        plain
            && state.count > 0
            // Where it never holds for any time, what comes next is not looked for.
            && state.estimators.silent_until(now, &self.config) > now
            && (attended || state.pool.is_seen())
            && state.pool.expects_until(now, self.expected_workers(now)).is_some()
    }

    fn calm_down_from(&mut self, now: Timestamp, ahead: Ahead) {
        let (state, config) = (&self.state, &self.config);
        let expected = state.pool.expects_until(now, self.expected_workers(now)).unwrap_or(now);
        let facts_until = ahead.fact.map_or(expected, |fact| fact.min(expected));
        let (held, idle) = placement::held(&state.pool, now, config);
        let idle = idle.unwrap_or(Timestamp::MAX);
        let simple = Guards::are_simple(config) && state.operator.mode(now) == Mode::Automatic;
        let placed = self.placed(now);
        let (open, _) = self.state.estimators.counted();
        let change = ahead.change();
        let alone = matches!(self.config.policies(), [policy] if policy.is_of_requests());
        let alone = alone && self.config.buffer().is_none();
        let others = self.state.last.inputs.external.is_some() || self.state.estimators.learns() || self.is_granted();
        self.calm = Calm {
            facts_until,
            change,
            open,
            simple,
            reckons: (simple && alone && !others).then(|| self.terms(now)),
            idle,
            held,
            placed,
            attended: self.is_attended(now),
            by_events: self.state.estimators.is_told_by_events(self.is_attended(now)),
            minded: self.minded(),
            ..Calm::default()
        };
        self.hear_until(now);
        self.hold_until_step(ahead.step.unwrap_or(Timestamp::MAX));
        if self.calm.until > now {
            self.calm_requests(now);
        } else {
            self.calm = Calm::default();
        }
    }

    /// Says before when time alone changes no signal, as of `now`, but that slices end.
    pub(super) fn hear_until(&mut self, now: Timestamp) {
        let silent = self.state.estimators.silent_until(now, &self.config);
        self.calm.signals_until = self.calm.facts_until.min(silent);
    }

    /// Says before when time alone changes nothing, as of `now`: neither facts nor guards, nor a worker that may go.
    pub(super) fn hold_until(&mut self, now: Timestamp) {
        self.hold_until_step(self.next_step(now).unwrap_or(Timestamp::MAX));
    }

    /// The same where it is known before when the guards change nothing.
    #[inline]
    pub(super) fn hold_until_step(&mut self, step: Timestamp) {
        let (state, calm) = (&self.state, &mut self.calm);
        let idle = if state.guards.keeps_below(state.count) { calm.idle } else { Timestamp::MAX };
        calm.turns_until = calm.signals_until.min(idle).min(step);
        calm.until = calm.turns_until.min(state.estimators.slice_ends());
    }

    fn has_several_delays(&self) -> bool {
        let mut own = self.config.policies().iter().filter_map(Policy::overdue_age);
        own.any(|age| age != self.calm.minded.overdue)
    }

    fn minded(&self) -> Minded {
        let (config, inputs) = (&self.config, &self.state.last.inputs);
        let own = config.policies().iter().filter_map(Policy::overdue_age).min();
        Minded {
            target: nanos(config.sojourn_target()),
            interval: nanos(config.codel_interval()),
            overdue: own.unwrap_or(u64::MAX),
            slots: u64::from(inputs.ready).saturating_mul(u64::from(inputs.concurrency)),
            waits: false,
            trend: false,
        }
    }

    /// Says up to where what the requests do changes no demand.
    pub(super) fn calm_requests(&mut self, now: Timestamp) {
        let waited = self.state.estimators.oldest_age(now).unwrap_or(0);
        let beyond = |age: u64| if age > waited { age } else { u64::MAX };
        let (mut least, mut age) = (u64::MAX, u64::MAX);
        for next in self.ages() {
            (least, age) = (least.min(next), age.min(beyond(next)));
        }
        (self.calm.least_age, self.calm.age) = (least, age);
        // As long as what is left of the backlog that the pool woke for calls for as many workers, it need not be seen.
        let floor = self.state.guards.floor(now);
        let steady = floor.and_then(|_| self.steady());
        self.calm.backlog = match floor.unwrap_or(0).checked_sub(1) {
            None => u64::from(steady.is_some_and(|steady| steady.waiting)),
            Some(below) => u64::from(below).saturating_mul(self.backlog_per_worker().into()).saturating_add(1),
        };
        (self.calm.proposed, self.calm.wait) = (false, 0);
        let Some(steady) = steady else { return };
        (self.calm.minded.waits, self.calm.minded.trend) = (steady.waits, steady.trend);
        self.calm.verdicts = self.verdicts(now);
        let late = self.calm.verdicts.late();
        if late && self.has_several_delays() {
            // Of rules that find requests late at different ages the verdict knows the first.
            return;
        }
        self.calm.proposed = true;
        let plain = !late && !steady.trend && self.calm.attended && self.calm.backlog == 0;
        let rests = plain && waited < least && self.state.estimators.is_at_rest();
        let Minded { target, overdue, .. } = self.calm.minded;
        self.calm.wait = if rests { overdue.min(target) } else { 0 };
        self.calm.arrivals = self.state.estimators.arrivals_up_to(steady.rate);
        self.calm.requests = steady.requests;
    }

    fn steady(&self) -> Option<Steady> {
        let (inputs, proposals) = (&self.state.last.inputs, &self.state.last.proposals);
        let mut steady = Steady::ANYWHERE;
        for (policy, proposal) in self.config.policies().iter().zip(proposals.iter().flatten()) {
            steady = steady.and(policy.steady(inputs, proposal)?);
        }
        if self.config.buffer().is_some() {
            steady = steady.and(Buffer::steady(inputs)?);
        }
        Some(steady)
    }

    /// Whether the workers are those that the count calls for, and none is on its way anywhere.
    fn placed(&self, now: Timestamp) -> bool {
        // With an idle timeout it matters since when each is idle, once fewer are wanted.
        let held = self.config.idle_timeout().is_some() && self.state.guards.keeps_below(self.state.count);
        !held && self.config.standby() == 0 && self.state.pool.is_placed(now, self.state.count)
    }
}
