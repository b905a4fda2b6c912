//! The autoscaler proper: from two averages to a count, in stable or in panic mode.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::parameters::ParameterError;
use super::window::MaxWindow;
use crate::time::{Timestamp, nanos, span};
use crate::units::exact;

/// The period of the autoscaler's loop, and the bucket of the scale-down delay.
pub(super) const TICK: Duration = Duration::from_secs(2);

/// What one autoscaler is told to do; the peer's `DeciderSpec`.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeciderSpec {
    /// Concurrency (or requests per second) wanted per pod.
    #[serde(with = "exact")]
    pub target_value: f64,
    /// What one pod can take, before utilization; it is used for the excess burst capacity alone.
    #[serde(with = "exact")]
    pub total_value: f64,
    /// Burst that must fit beside the present load; 0 is off, -1 without limit.
    #[serde(with = "exact")]
    pub target_burst_capacity: f64,
    /// Panic begins when so many times the ready pods are wanted.
    #[serde(with = "exact")]
    pub panic_threshold: f64,
    /// At most so many times the ready pods.
    #[serde(with = "exact")]
    pub max_scale_up_rate: f64,
    /// At least the ready pods divided by this.
    #[serde(with = "exact")]
    pub max_scale_down_rate: f64,
    /// How long panic lasts after the last tick over the threshold.
    #[serde(with = "span")]
    pub stable_window: Duration,
    /// How long a lower count must have been wanted. Read at creation only.
    #[serde(with = "span")]
    pub scale_down_delay: Duration,
    /// At least so many pods while there is any load; 0 and 1 are off.
    pub activation_scale: u32,
    /// Somebody can still send requests: no route has moved on.
    pub reachable: bool,
}

impl DeciderSpec {
    fn validate(&self) -> Result<(), ParameterError> {
        let above_zero = |field, value: f64| {
            let remedy = "give the load that one pod should have, such as 70";
            ParameterError::number(field, value, value.is_finite() && value > 0.0, "be above zero", remedy)
        };
        above_zero("target_value", self.target_value)?;
        above_zero("total_value", self.total_value)?;
        let more_than_one = |field, value: f64| {
            let remedy = "at 1 and below it could never change the count";
            ParameterError::number(field, value, value.is_finite() && value > 1.0, "be above 1", remedy)
        };
        more_than_one("max_scale_up_rate", self.max_scale_up_rate)?;
        more_than_one("max_scale_down_rate", self.max_scale_down_rate)?;
        more_than_one("panic_threshold", self.panic_threshold)?;
        super::parameters::burst_capacity("target_burst_capacity", self.target_burst_capacity)
    }
}

/// The averages that one tick sees, summed over the pods.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Averages {
    /// Over the stable window.
    pub stable: f64,
    /// Over the panic window.
    pub panic: f64,
}

/// What one tick decided.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Decision {
    /// Wanted pods, before the bounds. Below zero if the pods report less than was proxied to them.
    pub desired: i32,
    /// Excess burst capacity; below zero the activator stays in the path.
    pub excess_burst_capacity: i32,
}

/// Why a tick decided nothing. Nothing changes then, panic included.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NoDecision {
    /// The ready pods could not be counted.
    #[error("the ready pods could not be counted")]
    NoReadyCount,
    /// There are no metrics.
    #[error("the metric windows hold no data")]
    NoData,
}

/// One autoscaler and its state.
///
/// Source: Knative, `pkg/autoscaler/scaling/autoscaler.go`. Per tick, with `r = max(1, ready)`:
///
/// - `up = ⌈max_scale_up_rate × r⌉`; `down = ⌊r / max_scale_down_rate⌋`, 0 if unreachable;
/// - `ds = ⌈stable / target⌉`, `dp = ⌈panic / target⌉`; `S = min(max(ds, down), up)`, `P` the same with `dp`;
/// - an activation scale above `S` (`P`) replaces it while `ds` (`dp`) is above zero, whatever the rate limit says;
/// - `dp / r >= panic_threshold` starts panic or prolongs it; it ends when that was longer than the stable window ago;
/// - wanted is `S`; in panic the largest of `S` and `P` ever since panic began;
/// - with a scale-down delay (while reachable) the largest of the last `⌈delay / 2 s⌉` wall-clock buckets of 2 s;
/// - excess burst capacity is `⌊ready × total - burst - panic⌋`, or 0 and -1 with the burst capacities of these values.
///
/// ```
/// use plimsoll::Timestamp;
/// use plimsoll::peers::knative::{Averages, Decider, Parameters};
///
/// let spec = Parameters::default().decider(true);
/// let mut decider = Decider::new(spec, Timestamp::ORIGIN, Some(1))?;
/// let load = Averages { stable: 80.0, panic: 80.0 };
/// let decision = decider.tick(Timestamp::from_secs(2), Some(1), Some(load))?;
/// assert_eq!(decision.desired, 2);
/// assert!(decider.panicking(), "one pod, and a load over one pod's target");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Decider {
    spec: DeciderSpec,
    panic_since: Option<Timestamp>,
    max_panic_pods: i32,
    delay: Option<MaxWindow>,
}

impl Decider {
    /// An autoscaler created at `now` with so many pods ready (`None`: they could not be counted). With more than one it
    /// begins in panic.
    ///
    /// # Errors
    /// If the specification holds an unusable value.
    pub fn new(spec: DeciderSpec, now: Timestamp, ready: Option<u32>) -> Result<Self, ParameterError> {
        spec.validate()?;
        let ready = count(ready.unwrap_or(0));
        let delay = (!spec.scale_down_delay.is_zero()).then(|| MaxWindow::new(spec.scale_down_delay, TICK));
        Ok(Self { spec, panic_since: (ready > 1).then_some(now), max_panic_pods: ready, delay })
    }

    /// Takes another specification from now on, but for the scale-down delay.
    ///
    /// # Errors
    /// If it holds an unusable value; the old one then stays.
    pub fn update(&mut self, spec: DeciderSpec) -> Result<(), ParameterError> {
        spec.validate()?;
        self.spec = spec;
        Ok(())
    }

    /// One tick of the loop, every 2 s, with the pods ready now and the averages of the windows.
    ///
    /// # Errors
    /// If either is missing (an average that is no number counts as missing): then nothing changes.
    pub fn tick(
        &mut self,
        now: Timestamp,
        ready: Option<u32>,
        averages: Option<Averages>,
    ) -> Result<Decision, NoDecision> {
        let ready = f64::from(ready.ok_or(NoDecision::NoReadyCount)?);
        let usable = |load: &Averages| load.stable.is_finite() && load.panic.is_finite();
        let load = averages.filter(usable).ok_or(NoDecision::NoData)?;
        let (spec, pods) = (self.spec, ready.max(1.0));
        let stable = (load.stable / spec.target_value).ceil();
        let panic = (load.panic / spec.target_value).ceil();
        self.move_mode(now, panic / pods >= spec.panic_threshold);
        let mut desired = spec.limited(stable, pods);
        if self.panicking() {
            desired = desired.max(spec.limited(panic, pods)).max(self.max_panic_pods);
            self.max_panic_pods = desired;
        }
        if let Some(delay) = self.delay.as_mut().filter(|_| spec.reachable) {
            desired = delay.record(now, desired);
        }
        Ok(Decision { desired, excess_burst_capacity: spec.excess_burst_capacity(ready, load.panic) })
    }

    fn move_mode(&mut self, now: Timestamp, over: bool) {
        if over {
            self.panic_since = Some(now);
        } else if self.panic_since.is_some_and(|since| now.since(since) > nanos(self.spec.stable_window)) {
            self.panic_since = None;
            self.max_panic_pods = 0;
        }
    }

    /// What it is told to do.
    #[must_use]
    pub const fn spec(&self) -> DeciderSpec {
        self.spec
    }

    /// In panic mode, in which the count does not fall.
    #[must_use]
    pub const fn panicking(&self) -> bool {
        self.panic_since.is_some()
    }

    /// The last tick that was over the threshold, in panic mode.
    #[must_use]
    pub const fn panic_since(&self) -> Option<Timestamp> {
        self.panic_since
    }

    /// The most pods wanted in this panic.
    #[must_use]
    pub const fn max_panic_pods(&self) -> i32 {
        self.max_panic_pods
    }
}

impl DeciderSpec {
    /// A raw count within the rates, or the activation scale above them.
    fn limited(&self, raw: f64, pods: f64) -> i32 {
        let up = (self.max_scale_up_rate * pods).ceil();
        let down = if self.reachable { (pods / self.max_scale_down_rate).floor() } else { 0.0 };
        let limited = raw.max(down).min(up) as i32;
        let activated = self.activation_scale > 1 && raw > 0.0;
        if activated { limited.max(count(self.activation_scale)) } else { limited }
    }

    fn excess_burst_capacity(&self, ready: f64, panic: f64) -> i32 {
        if self.target_burst_capacity > 0.0 {
            (ready * self.total_value - self.target_burst_capacity - panic).floor() as i32
        } else if self.target_burst_capacity < 0.0 {
            -1
        } else {
            0
        }
    }
}

/// The peer counts in 32 bits with a sign.
pub(super) fn count(pods: u32) -> i32 {
    i32::try_from(pods).unwrap_or(i32::MAX)
}
