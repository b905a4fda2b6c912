//! From an evaluation to its explanation, and everything at a glance.

use core::time::Duration;

use super::Autoscaler;
use super::state::Evaluation;
use crate::decision::{Explanation, Outlook, Reason, Terms};
use crate::guard::Guard;
use crate::policy::Inputs;
use crate::signal::{Quantiles, Signals};
use crate::status::{Replicas, Starts, Status, Timers};
use crate::time::{Timestamp, nanos};
use crate::units::Share;

impl Autoscaler {
    /// Everything at a glance, as of the latest call.
    #[must_use]
    pub fn status(&self) -> Status {
        let (now, census) = (self.state.now, self.state.pool.census());
        let inputs = self.state.estimators.inputs(now, &self.state.pool, &self.config);
        let signals = self.signals(now, &inputs);
        let outlook = self.state.guards.outlook(self.state.count, self.limits(now), &self.config);
        let due = |guard: Guard| outlook.filter(|(by, _, _)| *by == guard).map(|(_, _, at)| at);
        Status {
            at: now,
            desired: self.state.count,
            committed: self.state.pool.committed(now),
            replicas: Replicas {
                ready: census.ready,
                idle: census.idle,
                starting: census.starting,
                draining: census.draining,
                standby: census.standby,
                overdue: census.overdue,
                ordered: self.state.pool.orders(now),
            },
            request_latency: signals.request_latency(),
            timers: Timers {
                up: due(Guard::UpDelay),
                down: due(Guard::DownDelay),
                to_zero: self.to_zero_at(now, &inputs),
                worker: self.next_placement(now),
                order: self.state.pool.next_lapse(now, &self.config),
                mode: self.state.operator.mode_until(now),
            },
            outlook: self.state.estimators.outlook(&self.config, self.limits(now).max),
            mode: self.state.operator.mode(now),
            trouble: self.state.provider.trouble(now),
            starts: Starts {
                cold: self.state.pool.cold_starts.count,
                cold_mean: self.state.pool.cold_starts.mean(),
                warm: self.state.pool.warm_starts.count,
                warm_mean: self.state.pool.warm_starts.mean(),
                deadline: Duration::from_nanos(self.state.pool.start_deadline(&self.config)),
                success: Share::from_micros(self.state.provider.success()),
            },
            codel_marks: self.state.estimators.codel_marks(),
            standing_out: self.state.pool.standing_out(
                self.state.estimators.sojourn_mean(now, &self.config),
                nanos(self.config.sojourn_target()),
            ),
            input: self.state.input,
            failures: self.state.pool.failed,
            last_failure: self.state.pool.last_failure,
            signals,
        }
    }

    pub(super) fn signals(&self, now: Timestamp, inputs: &Inputs) -> Signals {
        self.state.estimators.view(now, inputs, self.state.estimators.quantiles(now, &self.config), &self.config)
    }

    pub(super) fn explain(&self, evaluation: &Evaluation) -> Explanation {
        self.explain_with(evaluation, self.state.estimators.quantiles(evaluation.at, &self.config))
    }

    /// The same where the quantiles are known.
    pub(super) fn explain_with(&self, evaluation: &Evaluation, quantiles: Quantiles) -> Explanation {
        let &Evaluation { at, count, proposals, ref stages, desired, .. } = evaluation;
        let bound = match stages.last_effect() {
            Some(guard) => Reason::Guard(guard),
            // Waking is the zero gate's doing even where it agrees with the policies.
            None if count == 0 && desired > 0 => Reason::Guard(Guard::ZeroGate),
            None => policy_reason(evaluation),
        };
        let (config, limits) = (&self.config, self.limits(at));
        Explanation {
            at,
            count,
            proposals,
            proposed: stages.proposed,
            stages: stages.all(),
            desired,
            bound,
            pressed_since: evaluation.pressed_since,
            outlook: self.outlook(evaluation, bound),
            trouble: self.state.provider.trouble(at),
            cliff_since: self.state.guards.cliff_since(),
            settling_until: Some(self.watched_from()).filter(|until| *until > at),
            signals: self.state.estimators.view(at, &evaluation.inputs, quantiles, config),
            terms: Terms {
                policy: evaluation.deciding,
                min: limits.min,
                max: limits.max,
                grant: self.state.operator.grant(limits),
                mode: self.state.operator.mode(at),
                mode_until: self.state.operator.mode_until(at),
                up_delay: config.up_delay(),
                down_delay: self.state.guards.down_delay(config),
                to_zero_delay: config.to_zero_delay(),
                idle_timeout: config.idle_timeout(),
                sojourn_target: config.sojourn_target(),
            },
        }
    }

    /// What would change, and when, if the signals stayed as they are.
    fn outlook(&self, evaluation: &Evaluation, bound: Reason) -> Option<Outlook> {
        let (at, config) = (evaluation.at, &self.config);
        let up = evaluation.stages.proposed > self.state.count;
        let (guard, count, due) = match bound {
            Reason::Guard(Guard::StepLimit) => {
                (Guard::StepLimit, evaluation.stages.proposed, self.state.guards.step_until(up, config)?)
            }
            Reason::Guard(Guard::Mode) => {
                (Guard::Mode, evaluation.stages.proposed, self.state.operator.mode_until(at)?)
            }
            Reason::Guard(Guard::ZeroGate | Guard::UpDelay | Guard::DownDelay) | Reason::Policy(_) => {
                let by_delay = self.state.guards.outlook(self.state.count, self.limits(at), config);
                let to_zero = self.to_zero_at(at, &evaluation.inputs).map(|due| (Guard::ZeroGate, 0, due));
                match (by_delay, to_zero) {
                    (Some(delay), Some(zero)) if delay.1 == 0 || zero.2 < delay.2 => zero,
                    (Some(delay), _) => delay,
                    (None, zero) => zero?,
                }
            }
            _ => return None,
        };
        (due > at).then_some(Outlook { guard, count, at: due })
    }
}

/// The reason of the policy that counts in the direction taken.
fn policy_reason(evaluation: &Evaluation) -> Reason {
    let all = evaluation.proposals.iter().flatten();
    let deciding = if evaluation.stages.proposed < evaluation.count {
        all.max_by_key(|proposal| proposal.keep)
    } else {
        all.max_by_key(|proposal| proposal.want)
    };
    deciding.map_or(Reason::Adopted, |proposal| Reason::Policy(proposal.because))
}
