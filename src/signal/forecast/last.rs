//! Whether workers stay in a silence, or are back before its end, by what earlier ones were like.

use super::past::SPACING;
use super::silence::Keep;
use super::{FORSAKEN, Forecast, View};
use crate::fixed::{ONE, ratio};
use crate::policy::{CAUTION, Objective};
use crate::time::Timestamp;
use crate::units::MICRO;

impl Forecast {
    /// So many came after nobody had for so long, in nanoseconds.
    pub(super) fn wakes(&mut self, now: Timestamp, count: u32, silence: u64) {
        if let Some((woke, _)) = self.woke.take_if(|(_, until)| now > *until) {
            self.gaps.woke(woke);
        }
        let lead = self.lead();
        match &mut self.woke {
            Some((woke, _)) => *woke = woke.saturating_add(count),
            None if silence >= lead / SPACING => self.woke = Some((count, Timestamp::MAX)),
            _ => {}
        }
    }

    /// Whether workers stay, or are back, although nobody is there; `None` while somebody is.
    pub(super) fn keeps_last(
        &mut self,
        now: Timestamp,
        view: &View,
        objective: &Objective,
        cold_start: u64,
        held: u32,
    ) -> Option<Keep> {
        // Who comes later finds the worker that was ordered for the first of them in time.
        let late_for = cold_start.saturating_sub(objective.patience());
        if let Some((count, until)) = self.woke {
            if until == Timestamp::MAX {
                self.woke = Some((count, now.plus(late_for)));
            } else if now >= until {
                self.gaps.woke(count);
                self.woke = None;
            }
        }
        if view.requests > 0 {
            return None;
        }
        let (silence, start) = (now.since(view.last_activity), cold_start / 1_000);
        let late = if late_for == 0 { 0 } else { self.gaps.late() };
        let cap = objective.price_cap().map(|price| start.saturating_add(late.saturating_mul(price.into())));
        let kept = match objective.may_be_late() {
            Some(_) if held > 1 => Keep::Until(FORSAKEN),
            Some(may) => {
                // The bolder, the more of what may be late may be so by starts from zero.
                let bold = CAUTION.saturating_mul(ONE).saturating_sub(self.ledger.caution(may));
                let budget = ratio(self.ledger.requests().saturating_mul(may), bold, CAUTION.saturating_mul(ONE));
                self.gaps.within_budget(start, late, budget, cap).at(silence, cold_start)
            }
            None => {
                let missed = ratio(objective.worth(self.service), late, MICRO);
                self.gaps.cheapest(start, missed, held, silence)
            }
        };
        Some(kept.at_most(silence, FORSAKEN))
    }
}
