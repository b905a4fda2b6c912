//! The delays, counted in ticks.

use core::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::TICK_S;

/// Ticks in a row that wanted more or less, and how many it takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Hysteresis {
    pub(super) up: u64,
    pub(super) down: u64,
    pub(super) up_ticks: i64,
    pub(super) down_ticks: i64,
}

impl Hysteresis {
    /// Delays become ticks of 20 s, cut off, also while ticks are 5 s apart. A negative delay is none.
    pub(super) fn new(up_delay_s: f64, down_delay_s: f64) -> Self {
        let ticks = |delay: f64| (delay / TICK_S).trunc() as i64;
        Self { up: 0, down: 0, up_ticks: ticks(up_delay_s), down_ticks: ticks(down_delay_s) }
    }

    /// The new target. From zero at once; otherwise the wish of the tick at which so many in a row have wanted more (or
    /// less). One that wants the contrary, or what there is, starts over.
    pub(super) fn apply(&mut self, wanted: u32, target: u32) -> u32 {
        let reached = |ticks: u64, threshold: i64| i64::try_from(ticks).is_ok_and(|ticks| ticks >= threshold);
        if target == 0 {
            return wanted;
        }
        match wanted.cmp(&target) {
            Ordering::Equal => (self.up, self.down) = (0, 0),
            Ordering::Greater => {
                (self.up, self.down) = (self.up.saturating_add(1), 0);
                if reached(self.up, self.up_ticks) {
                    self.up = 0;
                    return wanted;
                }
            }
            Ordering::Less => {
                (self.up, self.down) = (0, self.down.saturating_add(1));
                if reached(self.down, self.down_ticks) {
                    self.down = 0;
                    return wanted;
                }
            }
        }
        target
    }
}
