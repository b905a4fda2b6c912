//! Worker hours over the fewest that anybody could have had.

use plimsoll::sim::{Objective, Options, Outcome, References, Workload};
use plimsoll::{Config, Share};

/// How many times the [bound](References::bound) for the same share in time the worker hours are; nothing is known of
/// workers that differ, and nothing can be said of no work.
pub(crate) fn over(workload: &Workload, config: &Config, options: &Options, outcome: &Outcome) -> Option<f64> {
    let share = Share::new(outcome.within_target).ok().filter(|_| options.classes.is_empty())?;
    let objective = Objective { share, within: outcome.target };
    let least = References::bound(workload, config.concurrency(), objective, options);
    Some(outcome.replica_hours / least).filter(|_| least > 0.0)
}
