//! The zero gate: from zero at once and as far as the backlog calls for, to zero after the to-zero delay.

use super::{Demand, Effect, Guards};
use crate::time::Timestamp;

impl Guards {
    /// Whether the pool woke from zero at this instant.
    pub(crate) fn woke_at(&self, now: Timestamp) -> bool {
        self.woken.is_some_and(|(at, _)| at == now)
    }

    /// Whether the backlog that the pool woke for still counts.
    pub(crate) const fn is_waking(&self) -> bool {
        self.woken.is_some()
    }

    /// Of the workers that the pool woke for before this instant, those that the backlog still calls for: zero if it woke for
    /// none, `None` if it wakes at this very instant.
    pub(crate) fn floor(&self, now: Timestamp) -> Option<u32> {
        self.woken.map_or(Some(0), |(at, floor)| (at < now).then_some(floor))
    }

    /// Of the workers that the pool woke for, those that the backlog still calls for.
    pub(super) fn wake_on(&mut self, now: Timestamp, count: u32, backlog_workers: u32) -> u32 {
        let Some((at, floor)) = self.woken.filter(|_| backlog_workers > 0) else {
            self.woken = self.woken.filter(|(at, _)| *at == now);
            return 0;
        };
        // At the waking instant the backlog may still be growing; afterwards as many stay as it still calls for.
        let floor = if at == now { backlog_workers } else { floor.min(backlog_workers).min(count) };
        self.woken = (at == now || floor > 0).then_some((at, floor));
        floor
    }

    /// The zero gate's effect, and whether it lets the count pass the delays.
    pub(super) fn zero_gate(&mut self, demand: &Demand, want: u32, proposed: u32) -> (Effect, bool) {
        let Demand { now, count, quiet, backlog_workers, limits, .. } = *demand;
        if count == 0 && (backlog_workers > 0 || want > 0) {
            self.woken = Some((now, backlog_workers));
            return (Effect::AtLeast(want.max(backlog_workers).max(1)), true);
        }
        let floor = self.wake_on(now, count, backlog_workers);
        if floor > 0 {
            return (Effect::AtLeast(floor), floor > count);
        }
        if proposed == 0 && count > 0 && limits.min == 0 {
            // After a cliff silence is what the outage looks like.
            return if quiet && self.fell.is_none() { (Effect::Exactly(0), true) } else { (Effect::AtLeast(1), false) };
        }
        (Effect::Pass, false)
    }
}
