//! What spares a pass through all stages: a demand that certainly leaves the count what it is goes to the delays alone.

use super::{Demand, Guards, tolerate};
use crate::config::{Blind, Config};
use crate::operator::Limits;
use crate::time::{Timestamp, nanos};

/// What of a demand stays what it is while only requests come, start and finish.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Terms {
    count: u32,
    limits: Limits,
    settling: bool,
    /// By how much a demand may differ from the count and be none to change it.
    slack: u32,
    /// The two delays, in nanoseconds.
    up_delay: u64,
    down_delay: u64,
    /// The count may move only so far within a period.
    steps: bool,
}

impl Guards {
    /// Takes a demand to the delays, where nothing but delays, tolerance and bounds stands between it and the count. True
    /// if it certainly leaves the count what it is; otherwise [`apply`](Self::apply) must have it at the same instant.
    pub(crate) fn stays(&mut self, demand: &Demand, config: &Config) -> bool {
        let Demand { now, count, settling, limits, backlog_workers, held_workers, .. } = *demand;
        if self.woke_at(now) {
            return false;
        }
        let (want, _) = self.see(demand, config);
        self.wake_on(now, count, backlog_workers);
        let (want, keep, _) = tolerate(demand, want, count, false, config);
        self.update(now, want, keep, config);
        let grows = want > count && count < limits.max && self.up.reached(nanos(config.up_delay())) > count;
        let lower = keep < count && count > limits.min && !settling && held_workers < count;
        let shrinks = lower && !self.down.reached(nanos(self.down_delay(config))) < count;
        !(grows || shrinks)
    }

    /// The terms of a demand, as long as count and circumstances stay what they are. The guards [are
    /// simple](Self::are_simple).
    pub(crate) fn terms(count: u32, limits: Limits, settling: bool, config: &Config) -> Terms {
        let slack = config.tolerance().of_count(count);
        let (up_delay, down_delay) = (nanos(config.up_delay()), nanos(config.down_delay()));
        let steps = config.up_step().is_some() || config.down_step().is_some();
        Terms { count, limits, settling, slack, up_delay, down_delay, steps }
    }

    /// The same as [`stays`](Self::stays) and [`next_change`](Self::next_change) together, on terms, where nobody is blind and
    /// nothing that waits has woken the pool: the instant before which no guard lets the count move by time alone. `None` if
    /// a guard may let it move now.
    #[inline]
    pub(crate) fn reckon(
        &mut self,
        now: Timestamp,
        (want, keep): (u32, u32),
        held: u32,
        terms: &Terms,
        config: &Config,
    ) -> Option<Timestamp> {
        if self.woke_at(now) {
            return None;
        }
        (self.last_peak, self.woken) = (None, None);
        let &Terms { count, limits, settling, slack, up_delay, down_delay, steps } = terms;
        let level = |other: u32| if other.abs_diff(count) <= slack { count } else { other };
        let (want, keep) = (level(want), level(keep));
        self.up.update(now, want, up_delay);
        self.down.update(now, !keep, down_delay);
        let mut next = Timestamp::MAX;
        if want > count && count < limits.most {
            let (reached, due) = self.up.ahead(up_delay);
            if count < limits.max && reached > count {
                return None;
            }
            next = due;
        }
        if keep < count && count > limits.min {
            let (reached, due) = self.down.ahead(down_delay);
            if !settling && held < count && !reached < count {
                return None;
            }
            next = next.min(due);
        }
        if steps {
            return Some(self.next_change(now, count, limits, config).unwrap_or(Timestamp::MAX));
        }
        Some(next)
    }

    /// Time has passed to `now` under the same demand.
    pub(crate) fn stand(&mut self, now: Timestamp, config: &Config) {
        self.update(now, self.up.demand(), !self.down.demand(), config);
    }

    /// Whether nothing else stands between them, an operator's mode and a surplus aside.
    pub(crate) const fn are_simple(config: &Config) -> bool {
        config.cliff().is_none() && !matches!(config.blind(), Blind::LastPeak(_))
    }
}
