//! The nearest native configuration.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use super::parameters::{Metric, Parameters};
use super::scale::TICK;
use super::window::Aggregation;
use crate::config::{Config, StepLimit};
use crate::error::{ConfigError, Setting};
use crate::peers::migration::{Change, Migration};
use crate::policy::{ConcurrencyTarget, Outpost, Policy};
use crate::time::{Human, nanos};
use crate::units::Rate;

/// The most workers where the peer has no limit: what its own scale-up rate makes of one pod in one tick.
const MOST: u32 = 1_000;

impl Parameters {
    /// The nearest native configuration, and what it changes: a concurrency target (an Outpost policy for requests per
    /// second) with a down delay in the place of the windows, and one delay in the place of the three before zero.
    ///
    /// ```
    /// use plimsoll::peers::knative::Parameters;
    ///
    /// let migration = Parameters { max_scale: 20, ..Parameters::default() }.migrate()?;
    /// assert_eq!((migration.config.min(), migration.config.max()), (0, 20));
    /// assert_eq!(migration.config.to_zero_delay().as_secs(), 90);
    /// assert!(migration.changes.iter().any(|change| change.setting == "panic-threshold-percentage"));
    /// # Ok::<(), plimsoll::ConfigError>(())
    /// ```
    ///
    /// # Errors
    /// If a value fits no native setting; none that [`Parameters::validate`] accepts is known.
    pub fn migrate(&self) -> Result<Migration, ConfigError> {
        let mut changes = Vec::new();
        let policy = self.policy(&mut changes)?;
        let min = if self.enable_scale_to_zero { self.min_scale } else { self.min_scale.max(1) };
        let limits = [self.max_scale, self.max_scale_limit, MOST.max(min)];
        let max = limits.into_iter().find(|&limit| limit > 0).unwrap_or(MOST);
        if self.max_scale == 0 {
            changes.push(Change {
                setting: "max-scale",
                becomes: format!("max {max}"),
                effect: "the cost has a bound, which only you know: set it",
            });
        }
        let (_, total) = self.per_pod();
        let slots =
            if self.container_concurrency > 0 { self.container_concurrency } else { (total.ceil() as u32).max(1) };
        if self.container_concurrency == 0 {
            changes.push(Change {
                setting: "containerConcurrency",
                becomes: format!("concurrency {slots}"),
                effect: "a worker is taken to have so many slots; set what it really takes at a time",
            });
        }
        let config = Config::new(policy, min, max)?.with_concurrency(slots)?;
        let config = self.with_delays(config, &mut changes)?;
        let config = self.with_steps(config, &mut changes)?;
        self.without_counterpart(&mut changes);
        Ok(Migration { config, changes })
    }

    fn policy(&self, changes: &mut Vec<Change>) -> Result<Policy, ConfigError> {
        let (target, _) = self.per_pod();
        let target = target.clamp(0.01, 1e9);
        let (policy, becomes, effect) = match self.metric {
            Metric::Concurrency => {
                let unusable = |_| ConfigError::Zero { setting: Setting::ConcurrencyTarget };
                let policy = Policy::Concurrency(ConcurrencyTarget::new(target).map_err(unusable)?);
                let effect = "the requests in the system at the instant count, waiting ones included, instead of \
                              averages over windows";
                (policy, format!("concurrency target {target}"), effect)
            }
            Metric::Rps => {
                let unusable = |_| ConfigError::Zero { setting: Setting::TargetQpsPerReplica };
                let policy = Policy::Outpost(Outpost::new(Rate::per_second(target).map_err(unusable)?));
                let effect = "grows while the queue's sojourn rises too, or CoDel finds a standing queue; shrinks to \
                              80 % of the target";
                (policy, format!("outpost target {target} per second"), effect)
            }
        };
        changes.push(Change { setting: "target", becomes, effect });
        Ok(policy)
    }

    fn with_delays(&self, config: Config, changes: &mut Vec<Change>) -> Result<Config, ConfigError> {
        let down = self.stable_window.max(self.scale_down_delay);
        let after_window = self.scale_to_zero_grace_period.max(self.scale_to_zero_pod_retention_period);
        let to_zero = self.stable_window.saturating_add(after_window).max(down);
        changes.push(Change {
            setting: "stable-window",
            becomes: format!("window {}, down_delay {}", human(self.stable_window), human(down)),
            effect: "the count falls once less was wanted for the whole delay, instead of with a sliding average; \
                     missing metrics lower nothing, not even after a gap",
        });
        if !self.scale_down_delay.is_zero() {
            changes.push(Change {
                setting: "scale-down-delay",
                becomes: format!("down_delay {}", human(down)),
                effect: "exact in time, instead of in buckets of 2 s on top of the average",
            });
        }
        changes.push(Change {
            setting: "scale-to-zero-grace-period",
            becomes: format!("to_zero_delay {}", human(to_zero)),
            effect: "one delay, counted from the last request, instead of a window of zeros, a time of activity and a \
                     grace after it",
        });
        changes.push(Change {
            setting: "progress-deadline",
            becomes: format!("start_timeout {}", human(self.progress_deadline)),
            effect: "a worker that is not ready by then is replaced, instead of all of them going to zero",
        });
        let shortest = Duration::from_secs(1);
        config
            .with_window(self.stable_window)?
            .with_down_delay(down)?
            .with_to_zero_delay(to_zero)?
            .with_start_timeout(self.progress_deadline.max(shortest))
    }

    fn with_steps(&self, mut config: Config, changes: &mut Vec<Change>) -> Result<Config, ConfigError> {
        let percent = |share: f64| (share * 100.0).ceil() as u32;
        let (up, down) = (percent(self.max_scale_up_rate - 1.0), percent(1.0 - 1.0 / self.max_scale_down_rate));
        let step = |percent| format!("{percent} % per {}", human(TICK));
        let limited = up < 1_000 && up > 0;
        if limited {
            config = config.with_up_step(StepLimit::percent(up, TICK))?;
        }
        changes.push(Change {
            setting: "max-scale-up-rate",
            becomes: if limited { ["up_step ", &step(up)].concat() } else { String::from("nothing") },
            effect: if limited {
                "counted from the workers there are, starting ones included, instead of the ready ones"
            } else {
                "so high a rate bounds nothing but max does"
            },
        });
        if (1..100).contains(&down) {
            config = config.with_down_step(StepLimit::percent(down, TICK))?;
            changes.push(Change {
                setting: "max-scale-down-rate",
                becomes: ["down_step ", &step(down)].concat(),
                effect: "counted from the workers there are, starting ones included, instead of the ready ones",
            });
        }
        Ok(config)
    }

    fn without_counterpart(&self, changes: &mut Vec<Change>) {
        let nothing = |setting, effect| Change { setting, becomes: "nothing".to_string(), effect };
        changes.push(nothing(
            "panic-threshold-percentage",
            "there is no second mode: what is wanted counts at once, a spike of an instant included, unless an up_delay \
             is set; what goes down waits for the down delay, not for a window that every tick over a threshold restarts",
        ));
        if self.metric_aggregation_algorithm != Aggregation::Linear {
            changes.push(nothing("metric-aggregation-algorithm", "no average is taken that could be weighted"));
        }
        if self.target_burst_capacity != 0.0 {
            changes.push(nothing(
                "target-burst-capacity",
                "no requests are routed here: whoever queues them while no worker is free stands where the activator stood",
            ));
        }
        if self.activation_scale > 1 {
            changes.push(nothing(
                "activation-scale",
                "from zero as many are started as the backlog calls for; a buffer keeps idle ones beside them",
            ));
        }
        if self.initial_scale > self.min_scale.max(1) {
            changes.push(nothing("initial-scale", "a pool begins with min and follows demand at once"));
        }
    }
}

const fn human(duration: Duration) -> Human {
    Human(nanos(duration))
}
