//! What a cold start costs beside the price.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Capacity, Price, REFERENCE};
use crate::time::{nanos, span};

/// What it is worth that workers are ready sooner, so that a class which starts faster may be taken before a cheaper one.
///
/// While ready workers have less than is wanted, each worker that is not ready counts with
///
/// ```text
/// its price + price × its capacity × (its cold start − the fastest class's) / stay
/// ```
///
/// for an hour: what is lost because it comes later than the fastest could, spread over the time for which it stays. Classes
/// that start equally fast are told apart by their prices alone, and so are all classes once nothing is missing: then what
/// costs less is ordered, and takes the place of what was ready sooner when it is ready itself, if that saves enough
/// ([`with_exchange_saving`](super::Settings::with_exchange_saving)). What starts already goes on starting until there is enough. A
/// class's rank goes before all of this: where the fast one is to come first whatever it costs, give it a lower rank instead.
///
/// Where demand comes in bursts that are shorter than the stay, what came sooner would be exchanged for what is cheaper and
/// hardly used: raise the saving from which on workers are exchanged above what the faster class costs more.
///
/// A cold start is what the class's [`cold_start`](super::Class::cold_start) says, or else the mean of those that were measured, or
/// as long as the fastest where neither is known yet.
///
/// ```
/// use plimsoll::classes::{MixedPool, Settings};
/// use plimsoll::Timestamp;
///
/// let settings: Settings = serde_json::from_str(
///     r#"{
///         "service": {"replicas": 3},
///         "classes": [
///             {"name": "slow", "price": 2.0, "limit": 8, "capacity": 1, "cold_start": "4m"},
///             {"name": "fast", "price": 2.6, "limit": 8, "capacity": 1, "cold_start": "1m"}
///         ],
///         "waiting": {"price": 10, "stay": "30m"}
///     }"#,
/// )?;
/// // 3 min at 10 an hour over half an hour are 1 an hour: 2.0 + 1 is more than 2.6.
/// let decision = MixedPool::new(settings, Timestamp::ORIGIN).decide(Timestamp::ORIGIN);
/// assert_eq!(decision.to_string(), "3 × fast: soonest at its price for 3 wanted");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "what waiting costs and over how long is all there is to it")]
pub struct Waiting {
    /// What is lost in an hour in which the capacity of one reference worker is missing.
    pub price: Price,
    /// How long a worker usually stays, at the least the service's down delay.
    #[serde(with = "span")]
    pub stay: Duration,
}

impl Waiting {
    /// What it costs, for an hour of its stay, that a worker comes so much later.
    pub(super) fn costs(&self, capacity: Capacity, later: Duration) -> u64 {
        let lost = u128::from(self.price.as_micros()).saturating_mul(u128::from(capacity.as_thousandths()));
        let stay = u128::from(nanos(self.stay)).saturating_mul(u128::from(REFERENCE));
        let lost = lost.saturating_mul(u128::from(nanos(later))).checked_div(stay);
        u64::try_from(lost.unwrap_or(0)).unwrap_or(u64::MAX)
    }
}
