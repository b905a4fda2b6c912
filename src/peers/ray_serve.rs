//! Ray Serve: ongoing requests over a target per replica, with a delay for either direction.
//!
//! Emulated: 2.60.0 (`autoscaling_policy.py`, `_private/autoscaling_state.py`, `_private/router.py`,
//! `_private/metrics_utils.py`), the reference path, which adds in sequence. Not emulated: which replicas are stopped,
//! and policies of one's own, whose wishes are taken instead.
//!
//! Time is in seconds as a double, as the peer has it: its delays are differences of the wall clock with a tolerance of
//! 1e-6 s, and its samples are merged on a grid of 10 ms.
//!
//! The controller calls [`RayServe::tick`] every [`RayServe::PERIOD`]. The load that it is given comes from
//! [`Reports`], which holds what handles and replicas sampled with a [`Sampler`].

mod config;
mod migrate;
mod policy;
mod reports;
mod series;

use core::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::config::AutoscalingConfig;
pub use self::policy::Delay;
use self::policy::{Inputs, decide};
pub use self::reports::{Holder, Load, Report, Reports, Sampler};
pub use self::series::{Aggregation, Sample, Series, aggregate, merge};
use crate::peers::exact;
use crate::peers::invalid::Invalid;

/// What a deployment has beside its `autoscaling_config`.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "plain data; `..Default::default()` keeps a literal short")]
pub struct Deployment {
    /// The share of its replicas that the whole application should have now, in percent; all of them if none.
    #[serde(with = "exact::optional")]
    pub target_capacity: Option<f64>,
    /// Whether that share rises or falls.
    pub target_capacity_direction: Option<Direction>,
    /// Replicas that come and go together.
    pub gang_size: Option<u32>,
}

/// Where the target capacity is going.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[non_exhaustive]
pub enum Direction {
    /// Up: the lower bound is `initial_replicas`.
    Up,
    /// Down.
    Down,
}

/// One deployment.
///
/// ```
/// use plimsoll::peers::ray_serve::{AutoscalingConfig, Deployment, RayServe};
///
/// let config: AutoscalingConfig =
///     serde_json::from_str(r#"{"max_replicas": 10, "upscale_delay_s": 3, "target_ongoing_requests": 2}"#)?;
/// let mut deployment = RayServe::new(config, Deployment::default())?;
/// assert_eq!(deployment.target(), 1);
///
/// // Nine requests at one replica: five are wished for, and after three seconds of it they are wanted.
/// assert_eq!(deployment.tick(0.0, 9.0, 1).target, 1);
/// assert_eq!(deployment.tick(2.9, 9.0, 1).target, 1);
/// assert_eq!(deployment.tick(3.0, 9.0, 1).target, 5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RayServe {
    config: AutoscalingConfig,
    deployment: Deployment,
    target: u32,
    delay: Delay,
}

/// What one tick comes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Outcome {
    /// The count before the bounds.
    pub raw: u32,
    /// The replicas that there should be.
    pub target: u32,
}

impl RayServe {
    /// The controller's loop.
    pub const PERIOD: Duration = Duration::from_millis(100);

    /// A deployment as it is registered for the first time: at `initial_replicas` or the lower bound.
    ///
    /// # Errors
    /// If a value breaks one of the rules of Ray's own validation.
    pub fn new(config: AutoscalingConfig, deployment: Deployment) -> Result<Self, Invalid> {
        check(&config, &deployment)?;
        let target = config.initial_replicas.unwrap_or(0);
        let mut own = Self { config, deployment, target: 0, delay: Delay::default() };
        own.target = own.bounded(i64::from(target));
        Ok(own)
    }

    /// The parameters.
    #[must_use]
    pub const fn config(&self) -> &AutoscalingConfig {
        &self.config
    }

    /// The replicas that there should be.
    #[must_use]
    pub const fn target(&self) -> u32 {
        self.target
    }

    /// How long one direction has been wished for.
    #[must_use]
    pub const fn delay(&self) -> Delay {
        self.delay
    }

    /// One tick: `total` requests queued and running, and so many replicas running. Starting replicas are not running.
    pub fn tick(&mut self, now: f64, total: f64, running: u32) -> Outcome {
        self.step(now, total, running, None)
    }

    /// One tick under a policy of one's own, which wishes for so many replicas. Waking from zero, factors, delays and
    /// bounds apply to it all the same.
    pub fn tick_with(&mut self, now: f64, total: f64, running: u32, wish: f64) -> Outcome {
        self.step(now, total, running, Some(wish))
    }

    /// The deployment is registered again with another configuration. The delay starts over, the bounds act at once, and
    /// with `redeployed` (its own configuration, actor options or version changed) `initial_replicas` counts anew.
    ///
    /// # Errors
    /// As [`RayServe::new`]; nothing changes then.
    pub fn register(
        &mut self,
        config: AutoscalingConfig,
        deployment: Deployment,
        redeployed: bool,
    ) -> Result<(), Invalid> {
        check(&config, &deployment)?;
        let initial = config.initial_replicas.filter(|_| redeployed);
        (self.config, self.deployment, self.delay) = (config, deployment, Delay::default());
        self.target = self.bounded(i64::from(initial.unwrap_or(self.target)));
        Ok(())
    }

    fn step(&mut self, now: f64, total: f64, running: u32, wish: Option<f64>) -> Outcome {
        let gang = self.deployment.gang_size.map(|size| i64::from(size.max(1)));
        let target = i64::from(self.target);
        let shown = if self.config.min_replicas == 0 && gang == Some(target) { 1 } else { target };
        let raw = decide(&self.config, &mut self.delay, &Inputs { now, total, running, target: shown, wish });
        let raw = gang.map_or(raw, |size| whole_gangs(raw, size));
        self.target = self.bounded(raw);
        Outcome { raw: u32::try_from(raw.max(0)).unwrap_or(u32::MAX), target: self.target }
    }

    /// Within the bounds, each of them times the target capacity. While that rises, `initial_replicas` is the lower one.
    fn bounded(&self, raw: i64) -> u32 {
        let rising = self.deployment.target_capacity_direction == Some(Direction::Up);
        let initial = self.config.initial_replicas.filter(|_| rising);
        let lower = self.at_capacity(initial.unwrap_or(self.config.min_replicas));
        let upper = self.at_capacity(self.config.max_replicas);
        let raw = u32::try_from(raw.max(0)).unwrap_or(u32::MAX);
        lower.max(upper.min(raw))
    }

    /// `count × capacity / 100`, half rounded up, at least one unless either is zero.
    fn at_capacity(&self, count: u32) -> u32 {
        let Some(percent) = self.deployment.target_capacity.filter(|percent| *percent != 100.0) else { return count };
        if percent == 0.0 || count == 0 {
            return 0;
        }
        let share = (f64::from(count) * percent / 100.0 + 0.5).floor();
        (share as u32).max(1)
    }
}

/// Up to the next multiple of the gang's size.
fn whole_gangs(count: i64, size: i64) -> i64 {
    let beyond = count.checked_rem(size).unwrap_or(0);
    if beyond == 0 { count } else { count.saturating_add(size.saturating_sub(beyond)) }
}

fn check(config: &AutoscalingConfig, deployment: &Deployment) -> Result<(), Invalid> {
    config.check()?;
    if let Some(percent) = deployment.target_capacity.filter(|percent| !(0.0..=100.0).contains(percent)) {
        let rule = "must be between 0 and 100";
        return Err(Invalid::new("target_capacity", percent, rule, "give a percentage, or leave it out"));
    }
    if deployment.gang_size == Some(0) {
        return Err(Invalid::new("gang_size", 0, "must be above zero", "leave it out if replicas come one by one"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
