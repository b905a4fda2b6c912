//! What the forecasts' errors so far say of whether an objective can be kept.

use core::time::Duration;

use super::{Forecast, HANDFUL, capped};
use crate::fixed::{ONE, ratio, times};
use crate::policy::{Objective, Outlook};
use crate::units::{MICRO, Share, div_ceil_count};

impl Forecast {
    /// What the share that is asked for takes, and what as many workers as there may be would keep; nothing before the service
    /// is known.
    pub(in crate::signal) fn outlook(&self, objective: &Objective, concurrency: u32, most: u32) -> Option<Outlook> {
        let asked = objective.asked()?;
        if self.completions < HANDFUL {
            return None;
        }
        let slot = u64::from(concurrency).saturating_mul(MICRO).max(1);
        let forecast = u64::from(self.plan.forecast_millis).saturating_mul(1_000);
        let may = ratio(u64::from(Share::ONE.as_micros().saturating_sub(asked.as_micros())), ONE, MICRO);
        let spread = self.strays.cheapest(may);
        let (unit, errors) = (spread.unit(forecast), self.strays.by(spread));
        let (room, lack) =
            (u64::from(most).saturating_mul(slot), |a: u64, b: u64| ratio(a.saturating_sub(b), 256, unit));
        let error = signed(lack(room, forecast)).saturating_sub(signed(lack(forecast, room)));
        let late = times(MICRO, errors.above(error));
        let strays = signed(unit).saturating_mul(errors.exceeded_by(may)) / 256;
        let needs = div_ceil_count(forecast.saturating_add_signed(strays), slot);
        let expected = div_ceil_count(forecast, slot);
        let reserve = needs.saturating_sub(expected);
        // Requests that are late without the reserve and not with it, in millionths per second.
        let spare = signed(lack(u64::from(expected).saturating_mul(slot), forecast));
        let spared = times(self.strays.per_second(self.ledger.requests()), errors.above(spare).saturating_sub(may));
        Some(Outlook {
            asked,
            kept: self.ledger.kept(),
            most,
            most_keep: Share::from_micros(1_000_000_u32.saturating_sub(capped(late))),
            needs,
            reserve,
            price: (reserve > 0 && spared > 0)
                .then(|| capped(u64::from(reserve).saturating_mul(MICRO).div_ceil(spared))),
            price_cap: objective.price_cap(),
            lead: Duration::from_millis(self.plan.lead_millis.into()),
        })
    }
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
