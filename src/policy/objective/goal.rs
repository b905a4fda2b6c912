//! What is asked for: a share in time, a price, or the share for no more than a price.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::fixed::ratio;
use crate::time::{nanos, span};
use crate::units::{MICRO, Share};

/// Scale so that requests start in time, by what the service has been seen to do.
///
/// ```
/// use core::time::Duration;
/// use plimsoll::{Config, Share, policy::Objective};
///
/// // 99 % of the requests start within 100 ms.
/// let objective = Objective::share(Share::new(0.99)?, Duration::from_millis(100));
/// let config = Config::objective(objective, 0, 40)?.with_concurrency(8)?;
/// assert_eq!(config.sojourn_target(), Duration::from_millis(100));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "Table", into = "Table")]
#[non_exhaustive]
pub struct Objective {
    /// A request that starts within this is in time.
    pub within: Duration,
    /// What is asked for.
    pub goal: Goal,
}

/// What is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Goal {
    /// This share of the requests starts in time.
    Share(Share),
    /// To spare one request being late is worth so many worker-seconds.
    Price(u32),
    /// The share, as long as to spare one request being late costs no more than the price.
    ShareUpTo {
        /// This share of the requests starts in time.
        share: Share,
        /// In worker-seconds.
        price: u32,
    },
}

/// As it is written: `{within: 100ms, share: 0.99}`, `{within: 100ms, price: 100}`, or with both.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[serde(with = "span")]
    within: Duration,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    share: Option<Share>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    price: Option<u32>,
}

impl TryFrom<Table> for Objective {
    type Error = &'static str;

    fn try_from(table: Table) -> Result<Self, Self::Error> {
        let goal = match (table.share, table.price) {
            (Some(share), None) => Goal::Share(share),
            (None, Some(price)) => Goal::Price(price),
            (Some(share), Some(price)) => Goal::ShareUpTo { share, price },
            (None, None) => {
                return Err("an objective has a share, such as 0.99, a price, such as 100 worker-seconds, or both");
            }
        };
        Ok(Self { within: table.within, goal })
    }
}

impl From<Objective> for Table {
    fn from(objective: Objective) -> Self {
        let (share, price) = match objective.goal {
            Goal::Share(share) => (Some(share), None),
            Goal::Price(price) => (None, Some(price)),
            Goal::ShareUpTo { share, price } => (Some(share), Some(price)),
        };
        Self { within: objective.within, share, price }
    }
}

impl Objective {
    /// Whoever was asked for nothing for so long keeps no worker: it is longer than gaps within a working day.
    pub const LONGEST_KEEP: Duration = Duration::from_secs(4 * 3_600);

    /// This share of the requests starts within `within`.
    #[must_use]
    pub const fn share(share: Share, within: Duration) -> Self {
        Self { within, goal: Goal::Share(share) }
    }

    /// A request that does not start within `within` costs as much as so many seconds of one worker.
    #[must_use]
    pub const fn price(worker_seconds: u32, within: Duration) -> Self {
        Self { within, goal: Goal::Price(worker_seconds) }
    }

    /// The share for no more than so many worker-seconds for each late request less: what costs more is out of reach, and said
    /// to be so instead of being chased. With a price, the lower of both.
    #[must_use]
    pub const fn up_to(self, worker_seconds: u32) -> Self {
        let goal = match self.goal {
            Goal::Price(price) if price < worker_seconds => Goal::Price(price),
            Goal::Price(_) => Goal::Price(worker_seconds),
            Goal::Share(share) | Goal::ShareUpTo { share, .. } => Goal::ShareUpTo { share, price: worker_seconds },
        };
        Self { goal, ..self }
    }

    /// The share that is asked for, if one is.
    pub(crate) const fn asked(&self) -> Option<Share> {
        match self.goal {
            Goal::Share(share) | Goal::ShareUpTo { share, .. } => Some(share),
            Goal::Price(_) => None,
        }
    }

    /// The most that one late request less may cost where a share is asked for, in worker-seconds.
    pub(crate) const fn price_cap(&self) -> Option<u32> {
        match self.goal {
            Goal::ShareUpTo { price, .. } => Some(price),
            Goal::Share(_) | Goal::Price(_) => None,
        }
    }

    /// The share of requests that may be late, in millionths; `None` with a price.
    pub(crate) const fn may_be_late(&self) -> Option<u64> {
        match self.asked() {
            Some(share) => Some(1_000_000_u64.saturating_sub(share.as_micros() as u64)),
            None => None,
        }
    }

    /// What sparing one late request is worth, in millionths of a worker-second.
    pub(crate) fn worth(&self, service: u64) -> u64 {
        let stated = |price: u32| u64::from(price).saturating_mul(MICRO);
        // The price at which the news-vendor's rule would risk this share.
        let implied = || ratio(service / 1_000, MICRO, self.may_be_late().unwrap_or(0).max(1));
        match self.goal {
            Goal::Price(price) => stated(price),
            Goal::Share(_) => implied(),
            Goal::ShareUpTo { price, .. } => stated(price).min(implied()),
        }
    }

    /// In nanoseconds.
    pub(crate) const fn patience(&self) -> u64 {
        nanos(self.within)
    }
}
