//! The step limit: how far the count may move within a period.

use core::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::{Demand, Effect, Guards};
use crate::config::{Config, StepLimit};
use crate::time::{Timestamp, nanos};

/// The count at the start of a step limit's period.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub(super) struct Period {
    start: Timestamp,
    base: u32,
}

impl Guards {
    /// When the running period of a step limit ends, if it holds the count.
    pub(crate) fn step_until(&self, up: bool, config: &Config) -> Option<Timestamp> {
        let (period, limit) =
            if up { (self.up_period, config.up_step()) } else { (self.down_period, config.down_step()) };
        Some(ends(period?, limit?))
    }

    pub(super) fn step_limit(&self, demand: &Demand, proposed: u32, config: &Config) -> Effect {
        let Demand { now, count, .. } = *demand;
        let base = |period: Option<Period>, limit: StepLimit| match period {
            Some(period) if now < ends(period, limit) => period.base,
            _ => count,
        };
        if let (true, Some(limit)) = (proposed > count, config.up_step()) {
            let base = base(self.up_period, limit);
            return Effect::AtMost(base.saturating_add(limit.step(base)).max(count));
        }
        if let (true, Some(limit)) = (proposed < count, config.down_step()) {
            let base = base(self.down_period, limit);
            return Effect::AtLeast(base.saturating_sub(limit.step(base)).min(count));
        }
        Effect::Pass
    }

    /// Opens a step limit's period at its first change, and has the opposite delay begin anew.
    pub(super) fn remember(&mut self, now: Timestamp, from: u32, to: u32, config: &Config) {
        let (period, limit) = match to.cmp(&from) {
            Ordering::Greater => {
                self.grown(now, to);
                (&mut self.up_period, config.up_step())
            }
            Ordering::Less => {
                self.up.restart_above(now, to);
                (&mut self.down_period, config.down_step())
            }
            Ordering::Equal => return,
        };
        let Some(limit) = limit else { return };
        if period.is_none_or(|period| now >= ends(period, limit)) {
            *period = Some(Period { start: now, base: from });
        }
    }
}

const fn ends(period: Period, limit: StepLimit) -> Timestamp {
    period.start.plus(nanos(limit.period))
}
