//! CoDel (Controlled Delay), RFC 8289 section 5, in its marking variant.
//!
//! A queue is *good* if it drains within an interval and *bad* (standing) if the least sojourn stays above the target
//! for a whole interval. The packet queue of the RFC would drop; here a drop is a *mark*, and the dropping state is the
//! verdict **overloaded**. The rules, by the names of the RFC's pseudocode:
//!
//! - `first_above_time = now + INTERVAL` when a sojourn first reaches `TARGET`; any sojourn below it clears it (5.4);
//! - at a sojourn above target at or after `first_above_time` the dropping state begins with a mark (5.5);
//! - inside it the next mark comes at `drop_next`, which then moves by `INTERVAL / sqrt(count)` (5.5, control law);
//! - on re-entry within 16 intervals the count goes on from where it was: `count = count - lastcount` if that is more
//!   than one (5.5);
//! - an empty queue ends both the stretch and the dropping state (5.6). A link finds its queue empty when it has
//!   nothing to send; a pool does when a slot is free and nothing waits, not when its last free slot takes the last
//!   request.
//!
//! `floor(INTERVAL / sqrt(count))` is computed exactly, as the integer square root of `INTERVAL² / count`.
//!
//! A verdict also *expires*: if nothing has left the queue for 16 intervals (the RFC's own measure of "recent") and
//! nothing is known to wait, the queue has fallen silent and the last verdict says nothing about it any more.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// How many intervals a verdict or a count stays meaningful (RFC 8289 section 5.5, `16*INTERVAL`).
const RECENT_INTERVALS: u64 = 16;

/// The state machine. Its two parameters are passed in, so that a change of configuration keeps the state.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Codel {
    /// When the dropping state may begin; `None` while below target.
    first_above_time: Option<Timestamp>,
    /// When the next mark is due, in the dropping state; the last schedule, outside it.
    drop_next: Timestamp,
    count: u32,
    lastcount: u32,
    dropping: bool,
    last_dequeue: Timestamp,
    marks: u64,
}

impl Codel {
    /// A request left the queue at `now` after waiting `sojourn` nanoseconds. True if CoDel marks it.
    pub(crate) fn dequeue(&mut self, now: Timestamp, sojourn: u64, target: u64, interval: u64) -> bool {
        self.last_dequeue = now;
        let above_long_enough = self.above_long_enough(now, sojourn, target, interval);
        let mark = if self.dropping {
            self.stay_dropping(now, above_long_enough, interval)
        } else {
            above_long_enough && self.enter_dropping(now, interval)
        };
        self.marks = self.marks.saturating_add(u64::from(mark));
        mark
    }

    /// The same for a sojourn below target while nothing [stands](Self::is_at_rest).
    pub(crate) const fn passed(&mut self, now: Timestamp) {
        self.last_dequeue = now;
    }

    /// The queue ran empty.
    pub(crate) const fn queue_empty(&mut self) {
        self.first_above_time = None;
        self.dropping = false;
    }

    /// Whether the queue is overloaded at `now`; `waiting` says that requests are known to be in it.
    pub(crate) fn overloaded(&self, now: Timestamp, interval: u64, waiting: bool) -> bool {
        self.dropping && (waiting || now < self.expires(interval))
    }

    /// When the verdict lapses unless another request leaves the queue; `None` if there is none to lapse.
    pub(crate) fn expiry(&self, interval: u64, waiting: bool) -> Option<Timestamp> {
        (self.dropping && !waiting).then(|| self.expires(interval))
    }

    /// No verdict that is given at `now` or later lapses before this instant.
    pub(crate) const fn lapses_from(now: Timestamp, interval: u64) -> Timestamp {
        now.plus(interval.saturating_mul(RECENT_INTERVALS))
    }

    /// Whether no sojourn of late was above target.
    pub(crate) const fn is_at_rest(&self) -> bool {
        self.first_above_time.is_none() && !self.dropping
    }

    /// When a request last left the queue matters to a verdict only.
    pub(crate) const fn forget_what_is_over(&mut self) {
        if !self.dropping {
            self.last_dequeue = Timestamp::ORIGIN;
        }
    }

    /// Requests marked so far.
    pub(crate) const fn marks(&self) -> u64 {
        self.marks
    }

    const fn expires(&self, interval: u64) -> Timestamp {
        self.last_dequeue.plus(interval.saturating_mul(RECENT_INTERVALS))
    }

    /// RFC 8289 `dodequeue`: has the sojourn been above target for an interval?
    fn above_long_enough(&mut self, now: Timestamp, sojourn: u64, target: u64, interval: u64) -> bool {
        if sojourn < target {
            self.first_above_time = None;
            return false;
        }
        match self.first_above_time {
            None => {
                self.first_above_time = Some(now.plus(interval));
                false
            }
            Some(first_above_time) => now >= first_above_time,
        }
    }

    fn stay_dropping(&mut self, now: Timestamp, above_long_enough: bool, interval: u64) -> bool {
        if !above_long_enough {
            self.dropping = false;
            return false;
        }
        let due = now >= self.drop_next;
        if due {
            self.count = self.count.saturating_add(1);
            self.drop_next = control_law(self.drop_next, self.count, interval);
        }
        due
    }

    fn enter_dropping(&mut self, now: Timestamp, interval: u64) -> bool {
        self.dropping = true;
        let delta = self.count.saturating_sub(self.lastcount);
        let recent = now < self.drop_next.plus(interval.saturating_mul(RECENT_INTERVALS));
        self.count = if delta > 1 && recent { delta } else { 1 };
        self.drop_next = control_law(now, self.count, interval);
        self.lastcount = self.count;
        true
    }
}

/// RFC 8289 `control_law`: `t + INTERVAL / sqrt(count)`, rounded down.
fn control_law(t: Timestamp, count: u32, interval: u64) -> Timestamp {
    let square = u128::from(interval).saturating_mul(u128::from(interval));
    let step = square.checked_div(u128::from(count)).unwrap_or(square).isqrt();
    t.plus(u64::try_from(step).unwrap_or(u64::MAX))
}

#[cfg(test)]
impl Codel {
    pub(crate) const fn state(&self) -> (bool, u32) {
        (self.dropping, self.count)
    }
}

#[cfg(test)]
mod tests;
