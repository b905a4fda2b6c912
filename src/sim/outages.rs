//! What happens now and then and lasts a while: shortages, frozen load balancers, gaps in the metrics.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::chance::{Chance, seconds};
use crate::time::{Timestamp, nanos, span};

/// Something that happens now and then and lasts a while; by default never.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "how often and how long is all there is to it")]
pub struct Outages {
    /// The mean time from the end of one (or the start of the run) to the beginning of the next, exponentially
    /// distributed. Zero: it never happens.
    #[serde(with = "span")]
    pub every: Duration,
    /// How long each lasts.
    #[serde(with = "span")]
    pub lasts: Duration,
}

impl Outages {
    /// Never.
    pub const NONE: Self = Self { every: Duration::ZERO, lasts: Duration::ZERO };

    /// Whether it ever happens.
    #[must_use]
    pub const fn happen(&self) -> bool {
        !self.every.is_zero() && !self.lasts.is_zero()
    }
}

/// The outages of a run, drawn as time goes on.
#[derive(Debug)]
pub(super) struct Timeline {
    outages: Outages,
    chance: Chance,
    begin: Timestamp,
    end: Timestamp,
}

impl Timeline {
    pub(super) fn new(outages: Outages, chance: Chance) -> Self {
        let mut timeline = Self { outages, chance, begin: Timestamp::MAX, end: Timestamp::MAX };
        if outages.happen() {
            timeline.end = Timestamp::ORIGIN;
            timeline.turn();
        }
        timeline
    }

    /// When the outage ends that is going on at `now`; asked for growing times.
    #[inline]
    pub(super) fn until(&mut self, now: Timestamp) -> Option<Timestamp> {
        // Most runs have none.
        if now < self.begin {
            return None;
        }
        while self.end <= now && self.end < Timestamp::MAX {
            self.turn();
        }
        (self.begin <= now && now < self.end).then_some(self.end)
    }

    fn turn(&mut self) {
        let mean = self.outages.every.as_secs_f64();
        self.begin = self.end.saturating_add(seconds(self.chance.exponential(mean)));
        self.end = self.begin.plus(nanos(self.outages.lasts));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outages_come_as_often_and_last_as_long_as_they_are_said_to() {
        let outages = Outages { every: Duration::from_secs(90), lasts: Duration::from_secs(10) };
        let mut timeline = Timeline::new(outages, Chance::of(3, "test"));
        let (mut down, mut turns, mut last) = (0_u32, 0_u32, None);
        for second in 0..1_000_000 {
            let until = timeline.until(Timestamp::from_secs(second));
            down += u32::from(until.is_some());
            turns += u32::from(until.is_some() && until != last);
            last = until.or(last);
        }
        assert!((97_000..103_000).contains(&down), "{down}");
        assert!((9_700..10_300).contains(&turns), "{turns}");
        let mut never = Timeline::new(Outages { every: Duration::ZERO, ..outages }, Chance::of(3, "test"));
        assert_eq!([0, u64::MAX].map(|at| never.until(Timestamp::from_nanos(at))), [None, None]);
    }
}
