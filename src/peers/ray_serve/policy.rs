//! From a load to a count: the wish, the factors and the delay (`autoscaling_policy.py`).

use serde::{Deserialize, Serialize};

use super::AutoscalingConfig;
use crate::peers::exact;

/// Seconds by which a delay may be missed and is over all the same.
const TOLERANCE_S: f64 = 1e-6;

/// How long one direction has been wished for.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "the peer's two fields")]
pub struct Delay {
    /// Ticks in a row: upwards positive, downwards negative.
    pub counter: i64,
    /// The clock at the first of them.
    #[serde(with = "exact::optional")]
    pub since: Option<f64>,
}

/// What one decision rests on.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Inputs {
    /// The wall clock in seconds.
    pub(super) now: f64,
    /// Requests queued and running.
    pub(super) total: f64,
    /// Replicas running; those that start are not seen.
    pub(super) running: u32,
    /// The target so far.
    pub(super) target: i64,
    /// The wish of a policy of one's own.
    pub(super) wish: Option<f64>,
}

/// The count before the bounds.
///
/// - Nothing runs, something waits: `max(⌈up factor⌉, target)`, and the delay is not touched.
/// - Otherwise the wish is `running × (total / (target_ongoing_requests × running))`, or the target if nothing runs.
/// - Nothing runs: the wish itself, past the delay if it is above zero.
pub(super) fn decide(config: &AutoscalingConfig, delay: &mut Delay, inputs: &Inputs) -> i64 {
    let Inputs { total, running, target, .. } = *inputs;
    if running == 0 && total > 0.0 {
        return whole(config.up_factor().ceil()).max(target);
    }
    let count = f64::from(running);
    let load = || count * (total / (config.target_ongoing_requests * count));
    let wish = inputs.wish.unwrap_or_else(|| if running == 0 { target as f64 } else { load() });
    let wanted = smoothed(config, wish, running);
    if running == 0 && wanted > 0 { wanted } else { delay.apply(config, inputs.now, wanted.max(0), target) }
}

/// The step from the running replicas to the wish, times its factor; at least one down if a step down is wished for.
fn smoothed(config: &AutoscalingConfig, wish: f64, running: u32) -> i64 {
    if running == 0 {
        return whole(wish.ceil());
    }
    let running = f64::from(running);
    let step = wish - running;
    let factor = if step > 0.0 { config.up_factor() } else { config.down_factor() };
    let wanted = (running + factor * step).ceil();
    if wish.ceil() < running && wanted == running { whole(wanted - 1.0) } else { whole(wanted) }
}

impl Delay {
    /// The count once the delay of its direction is over, the target until then. The wish of the tick that ends the
    /// delay counts, whatever the earlier ones were; an equal or contrary wish starts over.
    fn apply(&mut self, config: &AutoscalingConfig, now: f64, wanted: i64, target: i64) -> i64 {
        if wanted == target {
            *self = Self::default();
            return target;
        }
        let up = wanted > target;
        if up && self.counter < 0 || !up && self.counter > 0 {
            *self = Self::default();
        }
        self.counter = self.counter.saturating_add(if up { 1 } else { -1 });
        let (wait, wanted) = match (up, target) {
            (true, _) => (config.upscale_delay_s, wanted),
            (false, 1) => (config.downscale_to_zero_delay_s.unwrap_or(config.downscale_delay_s), wanted),
            (false, _) => (config.downscale_delay_s, wanted.max(1)),
        };
        let since = *self.since.get_or_insert(now);
        if now - since + TOLERANCE_S < wait {
            return target;
        }
        *self = Self::default();
        wanted
    }
}

/// A whole number, held to what fits; nothing for what is no number.
const fn whole(number: f64) -> i64 {
    number as i64
}
