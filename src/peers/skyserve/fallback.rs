//! Spot replicas with on-demand ones in their place.

use alloc::vec::Vec;

use super::replicas::{Replica, to_stop};
use super::{Decision, Failure, SkyServe};

impl SkyServe {
    /// With `S = final - base` spot replicas wanted (it may be negative) and
    /// `D = min(base + (dynamic ? max(0, S - ready spot) : 0), target)` on demand: launches what is missing of either,
    /// stops what is too much, spot first. Overprovision is of spot only.
    pub(super) fn split(&self, rows: &[&Replica]) -> Result<Decision, Failure> {
        let mut decision = Decision::default();
        let (spot, on_demand): (Vec<&Replica>, Vec<&Replica>) = rows.iter().partition(|row| row.is_spot);
        let base = i64::from(self.base_ondemand);
        let wanted_spot = i64::from(self.final_target()).saturating_sub(base);
        let ready = i64::try_from(spot.iter().filter(|row| row.is_ready()).count()).unwrap_or(i64::MAX);
        let missing = if self.dynamic_ondemand { wanted_spot.saturating_sub(ready).max(0) } else { 0 };
        let wanted_on_demand = base.saturating_add(missing).min(i64::from(self.target));
        decision.launch.spot = share(spot, wanted_spot, &mut decision.stop)?;
        decision.launch.on_demand = share(on_demand, wanted_on_demand, &mut decision.stop)?;
        Ok(decision)
    }
}

/// How many to launch of one kind. What is too much goes to `stop`; fewer than none wanted is more than there are.
fn share(rows: Vec<&Replica>, wanted: i64, stop: &mut Vec<u64>) -> Result<u32, Failure> {
    let there = i64::try_from(rows.len()).unwrap_or(i64::MAX);
    if wanted >= there {
        return Ok(u32::try_from(wanted.saturating_sub(there)).unwrap_or(u32::MAX));
    }
    stop.extend(to_stop(rows, there.abs_diff(wanted))?);
    Ok(0)
}
