//! What makes an evaluation needless.
//!
//! Most observations of a busy service tell of requests that come, start and finish, and change no proposal: the rate
//! stays within the step of its count, nobody waits too long. An evaluation that finds the demand it found before changes
//! nothing but the inputs that are shown. So it is said after an evaluation up to where that holds. Within it observations
//! are only counted; the first that leaves it evaluates, as does whoever looks.
//!
//! This is exact, not an approximation: the test beside this file compares it with evaluating at every observation.

use alloc::borrow::Cow;
use core::hash::{Hash, Hasher};

use super::Autoscaler;
use super::state::State;
use crate::observation::{Observation, WorkerEvent, WorkerId};
use crate::policy::{Buffer, Policy, Steady};
use crate::time::{Timestamp, nanos};

/// Up to where demand stays what it is. The default is calm at no instant.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Calm {
    /// Nothing changes by time alone before this instant.
    until: Timestamp,
    /// Nobody waits for so long, in nanoseconds, …
    age: u64,
    /// … nor has waited for so long when it starts.
    wait: u64,
    /// The sojourn target, in nanoseconds.
    target: u64,
    /// Arrivals in the rate's open slice, in millionths of a request, at the most.
    arrivals: u64,
    /// Requests in the system, at the least and at the most.
    requests: (u64, u64),
    /// The workers are those that the count calls for: which of them serve calls for no command.
    placed: bool,
    /// Something has been counted and not evaluated.
    pub(super) counted: bool,
}

impl Autoscaler {
    /// Takes in an observation that calls for no evaluation. False if it may call for one; then nothing has changed.
    pub(super) fn count_only(&mut self, now: Timestamp, observation: &Observation) -> bool {
        let calm = &self.calm;
        if now < self.state.now || !self.is_calm(now) {
            return false;
        }
        match *observation {
            Observation::Arrived { queue: None, .. } | Observation::Finished { .. } => {}
            Observation::Started { sojourn, queue: None } if nanos(sojourn) < calm.wait => {}
            Observation::Worker { id, event: WorkerEvent::Busy(slots @ 1..) } if calm.placed => {
                return self.load_only(now, id, slots);
            }
            Observation::Worker { id, event: WorkerEvent::Idle } if calm.placed => return self.load_only(now, id, 0),
            _ => return false,
        }
        self.counted(now);
        let clamped = self.state.estimators.count(now, observation, self.calm.target);
        self.state.input.contradictions = self.state.input.contradictions.saturating_add(u64::from(clamped));
        let (arrivals, requests) = self.state.estimators.counted();
        let calm = &self.calm;
        if arrivals > calm.arrivals || requests < calm.requests.0 || requests > calm.requests.1 {
            self.settle();
            self.calm_down(now, |autoscaler| autoscaler.next_change(now));
        }
        true
    }

    /// Whether time alone has changed nothing by `now`.
    pub(super) fn is_calm(&self, now: Timestamp) -> bool {
        now < self.calm.until && self.state.estimators.oldest_reaches(self.calm.age).is_none_or(|at| now < at)
    }

    fn load_only(&mut self, now: Timestamp, id: WorkerId, slots: u32) -> bool {
        let Some(active) = self.state.pool.load(now, id, slots) else { return false };
        self.counted(now);
        if active {
            self.state.estimators.active(now);
        }
        true
    }

    fn counted(&mut self, now: Timestamp) {
        self.state.now = now;
        self.state.estimators.advance_within(now);
        self.state.input.accepted = self.state.input.accepted.saturating_add(1);
        self.state.sequence = self.state.sequence.saturating_add(1);
        self.calm.counted = true;
    }

    /// The state with what has only been counted evaluated.
    pub(super) fn settled(&self) -> Cow<'_, State> {
        if !self.calm.counted {
            return Cow::Borrowed(&self.state);
        }
        let mut settled = self.clone();
        settled.settle();
        Cow::Owned(settled.state)
    }

    /// Evaluates what has only been counted.
    pub(super) fn settle(&mut self) {
        if self.calm.counted {
            self.evaluate(self.state.now);
        }
    }

    /// Whether workers that become busy or idle call for no command, as long as nothing else happens.
    #[cfg(feature = "sim")]
    pub(crate) const fn is_placed(&self) -> bool {
        self.calm.placed
    }

    /// An instant before which nothing changes without another observation: the [next](Self::next_wakeup), or an earlier
    /// one that takes less to find.
    pub(crate) fn earliest_wakeup(&self) -> Option<Timestamp> {
        if !self.calm.placed {
            return self.next_wakeup();
        }
        let overdue = self.state.estimators.oldest_reaches(self.calm.age);
        Some(overdue.map_or(self.calm.until, |at| at.min(self.calm.until)))
    }

    /// Says up to where the last evaluation holds, which was at `now`; `change` is the first instant after it at which
    /// anything changes by time alone.
    pub(super) fn calm_down(&mut self, now: Timestamp, change: impl FnOnce(&Self) -> Option<Timestamp>) {
        self.calm = self.calm_after(now, change).unwrap_or_default();
    }

    fn calm_after(&self, now: Timestamp, change: impl FnOnce(&Self) -> Option<Timestamp>) -> Option<Calm> {
        let (state, config) = (&self.state, &self.config);
        let inputs = &state.last.inputs;
        let trouble = inputs.overloaded || inputs.quiet || inputs.lost || inputs.surplus;
        // After a change the proposals shown are those that led to it.
        let changed = state.last.count != state.last.desired;
        let expected = self.expected_workers(now) <= state.pool.in_service() || !state.pool.is_seen();
        let plain = state.estimators.is_plain(&state.pool) && inputs.p99_over_target == Some(false) && !trouble;
        if !plain || !expected || changed || state.count == 0 || state.guards.is_waking() || !self.is_attended(now) {
            return None;
        }
        let mut steady = Steady::ANYWHERE;
        for (policy, proposal) in config.policies().iter().zip(state.last.proposals.iter().flatten()) {
            steady = steady.and(policy.steady(inputs, proposal)?);
        }
        if config.buffer().is_some() {
            steady = steady.and(Buffer::steady(inputs)?);
        }
        let overdue = config.policies().iter().filter_map(Policy::overdue_age).min().unwrap_or(u64::MAX);
        let target = nanos(config.sojourn_target());
        // Who is active now is quiet a whole delay later at the earliest.
        let quiet = now.plus(nanos(config.to_zero_delay()));
        let age = overdue.min(target.saturating_add(1));
        let waits = state.estimators.oldest_reaches(age).is_some_and(|at| at <= now);
        let until = change(self).into_iter().chain([state.estimators.slice_ends(), quiet]).min()?;
        (until > now && !waits).then(|| Calm {
            until,
            age,
            wait: overdue.min(target),
            target,
            arrivals: state.estimators.arrivals_up_to(steady.rate),
            requests: steady.requests,
            placed: self.placed(now),
            counted: false,
        })
    }

    /// Whether the workers are those that the count calls for, and none is on its way anywhere.
    fn placed(&self, now: Timestamp) -> bool {
        // With an idle timeout it matters since when each is idle, once fewer are wanted.
        let held = self.config.idle_timeout().is_some() && self.state.guards.keeps_below(self.state.count);
        !held && self.config.standby() == 0 && self.state.pool.is_placed(now, self.state.count)
    }
}

/// Equal if the same calls lead to the same decisions from here on.
impl PartialEq for Autoscaler {
    fn eq(&self, other: &Self) -> bool {
        self.config == other.config && self.settled() == other.settled()
    }
}

impl Eq for Autoscaler {}

impl Hash for Autoscaler {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.config.hash(state);
        self.settled().hash(state);
    }
}

#[cfg(test)]
mod tests;
