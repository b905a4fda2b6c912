//! The demand cliff: a fall that is too steep to be one has the down delay be a longer one.

use core::time::Duration;

use super::{Demand, Guards};
use crate::config::{Cliff, Config};
use crate::time::{Timestamp, nanos};

impl Guards {
    /// Since when demand has been over a cliff, as of the last evaluation.
    pub(crate) fn cliff_since(&self) -> Option<Timestamp> {
        self.fell.map(|(at, _)| at)
    }

    /// The down delay that holds now.
    pub(crate) fn down_delay(&self, config: &Config) -> Duration {
        let cliff = config.cliff().filter(|_| self.fell.is_some());
        cliff.map_or(config.down_delay(), |cliff| cliff.down_delay.max(config.down_delay()))
    }

    /// Looks for a fall of demand that is too steep to be one, and for its end.
    pub(super) fn watch_cliff(&mut self, demand: &Demand, cliff: Cliff) {
        let Demand { now, keep, blind, .. } = *demand;
        let fallen_from = |level: u32| cliff.fall.is_reached(level.saturating_sub(keep), level);
        // Who is blind does not see demand come back.
        let unseen = blind || keep == u32::MAX;
        let back = |level: u32| !unseen && !fallen_from(level);
        if self.fell.is_some_and(|(at, level)| now >= at.plus(nanos(cliff.down_delay)) || back(level)) {
            self.fell = None;
            self.demand.flatten();
        }
        if unseen {
            return;
        }
        self.stood(now, keep, cliff);
        let highest = self.demand.highest();
        if self.fell.is_none() && highest > 0 && fallen_from(highest) {
            self.fell = Some((now, highest));
        }
    }

    /// Demand was down to `keep` until `now`; `u32::MAX` if that was not seen.
    pub(crate) fn stood(&mut self, now: Timestamp, keep: u32, cliff: Cliff) {
        if keep < u32::MAX {
            self.demand.update(now, keep, nanos(cliff.within));
        }
    }
}
