//! The nearest native configuration.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use super::Hpa;
use super::behavior::{PolicyKind, Rules, SelectPolicy};
use super::replicas::Target;
use crate::config::{Config, LONGEST, StepLimit};
use crate::error::ConfigError;
use crate::peers::migration::{Change, Migration};
use crate::policy::Policy;
use crate::time::{Human, nanos};
use crate::units::Share;

impl Hpa {
    /// The nearest native configuration, and what it changes. A metric is only a name: nothing says whether it counts
    /// requests, bytes or shares of a CPU. So the policy is [`Policy::External`], to which the caller proposes what its
    /// own formula says, between native delays, steps and bounds.
    ///
    /// ```
    /// use plimsoll::peers::kubernetes::{Controller, Hpa, Spec};
    ///
    /// let migration = Hpa::new(Spec::new(20, vec![]), Controller::default())?.migrate()?;
    /// assert_eq!((migration.config.min(), migration.config.max()), (1, 20));
    /// assert_eq!(migration.config.down_delay().as_secs(), 300);
    /// assert_eq!(migration.changes[0].becomes, "policy external");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If a value fits no native setting; none that [`Hpa::new`] accepts is known.
    pub fn migrate(&self) -> Result<Migration, ConfigError> {
        let count = |replicas: i32| u32::try_from(replicas).unwrap_or(0);
        let (min, max) = (count(self.spec.min()), count(self.spec.max_replicas));
        let mut changes = Vec::new();
        self.metrics(&mut changes);
        let config = Config::new(Policy::External, min, max)?;
        let config = self.with_tolerance(config, &mut changes);
        let config = match &self.rules {
            None => self.with_plain_limits(config, &mut changes)?,
            Some(_) => self.with_behavior(config, &mut changes)?,
        };
        changes.push(Change {
            setting: "minReplicas",
            becomes: format!("min {min}"),
            effect: "zero workers with a min above are started again, instead of switching the autoscaler off; with min 0 \
                     the last one goes after a to_zero_delay without requests, which must be reported for that",
        });
        changes.push(Change {
            setting: "horizontal-pod-autoscaler-sync-period",
            becomes: "nothing".to_string(),
            effect: "decisions follow observations and their own wake-ups; calling more often changes nothing",
        });
        Ok(Migration { config, changes })
    }

    /// What its behaviour becomes, if it has one.
    pub(in crate::peers) fn with_behavior(
        &self,
        config: Config,
        changes: &mut Vec<Change>,
    ) -> Result<Config, ConfigError> {
        let Some(rules) = &self.rules else { return Ok(config) };
        with_down(with_up(config, &rules.up, changes)?, &rules.down, changes)
    }

    fn metrics(&self, changes: &mut Vec<Change>) {
        let on_resource = |target: &Target| matches!(target, Target::Utilization { .. } | Target::PerPod { .. });
        changes.push(Change {
            setting: "metrics",
            becomes: "policy external".to_string(),
            effect: "propose what your formula says by Observation::Proposal, with a validity, so that a silent source \
                     holds the count; if a metric counts requests in the system, the policy concurrency is nearer, if it \
                     counts requests per second, outpost",
        });
        if self.targets.iter().any(on_resource) {
            changes.push(Change {
                setting: "horizontal-pod-autoscaler-cpu-initialization-period",
                becomes: "nothing".to_string(),
                effect: "whether a starting worker's load counts is for the formula to say; starting workers count as \
                         ordered, so that they are not ordered again",
            });
        }
    }

    fn with_tolerance(&self, config: Config, changes: &mut Vec<Change>) -> Config {
        let tolerance = self.calculator.tolerance.up.min(self.calculator.tolerance.down);
        let share = Share::new(tolerance.clamp(0.0, 1.0)).unwrap_or(Share::ZERO);
        changes.push(Change {
            setting: "tolerance",
            becomes: format!("tolerance {}", share.as_f64()),
            effect: "of the count, the same in both directions and with its edge inside: a tenth holds no change of a \
                     pool of less than ten",
        });
        config.with_tolerance(share)
    }

    fn with_plain_limits(&self, config: Config, changes: &mut Vec<Change>) -> Result<Config, ConfigError> {
        let (window, period) = (self.controller.downscale_stabilization, self.controller.sync_period);
        changes.push(Change {
            setting: "horizontal-pod-autoscaler-downscale-stabilization",
            becomes: format!("down_delay {}", human(window)),
            effect: "an earlier proposal can hold the count but not raise it; a short relapse sets the delay back \
                     instead of beginning it anew",
        });
        changes.push(Change {
            setting: "the scale-up limit of max(2 × current, 4)",
            becomes: format!("up_step of 100 % or 4 workers per {}", human(period)),
            effect: "from 1, 2 and 3 it grows to 5, 6 and 7 at once, instead of 4, 4 and 6; waking from zero has no limit",
        });
        let step = StepLimit { workers: Some(4), percent: Some(100), period };
        config.with_down_delay(window)?.with_up_step(step)
    }
}

fn with_up(config: Config, rules: &Rules, changes: &mut Vec<Change>) -> Result<Config, ConfigError> {
    let disabled = rules.select == SelectPolicy::Disabled;
    let delay = if disabled { LONGEST } else { rules.stabilization };
    changes.push(delay_change("behavior.scaleUp.stabilizationWindowSeconds", "up_delay", delay, disabled));
    let config = config.with_up_delay(delay)?;
    let (step, exact) = step(rules);
    changes.push(step_change("behavior.scaleUp.policies", "up_step", step, exact));
    step.map_or(Ok(config.clone()), |step| config.with_up_step(step))
}

fn with_down(config: Config, rules: &Rules, changes: &mut Vec<Change>) -> Result<Config, ConfigError> {
    let disabled = rules.select == SelectPolicy::Disabled;
    let delay = if disabled { LONGEST } else { rules.stabilization };
    changes.push(delay_change("behavior.scaleDown.stabilizationWindowSeconds", "down_delay", delay, disabled));
    let config = config.with_down_delay(delay)?;
    let (step, exact) = step(rules);
    let step = step.filter(|step| step.percent.is_none_or(|percent| percent < 100));
    changes.push(step_change("behavior.scaleDown.policies", "down_step", step, exact));
    step.map_or(Ok(config.clone()), |step| config.with_down_step(step))
}

fn delay_change(setting: &'static str, name: &str, delay: Duration, disabled: bool) -> Change {
    let effect = if disabled {
        "there is no such switch: a delay of ten years holds the count instead, but requests at zero and bounds move it"
    } else {
        "the change must have been wanted throughout, exact in time; a short relapse sets the delay back instead of \
         beginning it anew"
    };
    Change { setting, becomes: format!("{name} {}", human(delay)), effect }
}

fn step_change(setting: &'static str, name: &str, step: Option<StepLimit>, exact: bool) -> Change {
    let becomes = step.map_or_else(
        || String::from("nothing"),
        |step| {
            let workers = step.workers.map(|workers| format!(" {workers} workers")).unwrap_or_default();
            let percent = step.percent.map(|percent| format!(" {percent} %")).unwrap_or_default();
            let or = if step.workers.is_some() && step.percent.is_some() { " or" } else { "" };
            format!("{name} of{workers}{or}{percent} per {}", human(step.period))
        },
    );
    let effect = match (step, exact) {
        (None, _) => "nothing is limited that the bounds would not",
        (Some(_), true) => "a period begins with its first change, instead of sliding; waking from zero has no limit",
        (Some(_), false) => {
            "of several policies one limit is left: with Max the largest change within the shortest period, with Min the \
             first policy; a period begins with its first change, instead of sliding"
        }
    };
    Change { setting, becomes, effect }
}

/// One native limit for the policies of a direction, and whether it says the same.
fn step(rules: &Rules) -> (Option<StepLimit>, bool) {
    let count = |value: i32| u32::try_from(value).unwrap_or(0);
    let of = |kind| move |value: &&super::ScalingPolicy| value.kind == kind;
    let policies = match rules.select {
        SelectPolicy::Disabled => return (None, true),
        SelectPolicy::Max => rules.policies.as_slice(),
        SelectPolicy::Min => rules.policies.get(..1).unwrap_or(&[]),
    };
    let most = |kind| policies.iter().filter(of(kind)).map(|policy| count(policy.value)).max();
    let periods = || policies.iter().map(|policy| count(policy.period_seconds));
    let Some((shortest, longest)) = periods().min().zip(periods().max()) else { return (None, true) };
    let exact = shortest == longest && policies.len() == rules.policies.len();
    let period = Duration::from_secs(shortest.into());
    (Some(StepLimit { workers: most(PolicyKind::Pods), percent: most(PolicyKind::Percent), period }), exact)
}

const fn human(duration: Duration) -> Human {
    Human(nanos(duration))
}
