//! What is assumed of the pool that is simulated.

use core::time::Duration;

use crate::units::Share;

/// How the simulated pool behaves, and what it costs.
#[derive(Clone, Copy, PartialEq, Debug)]
#[non_exhaustive]
pub struct Options {
    /// From order to readiness.
    pub cold_start: Duration,
    /// From revival to readiness, for a standby worker.
    pub warm_start: Duration,
    /// Each start takes its mean plus or minus up to this share of it, drawn from the seed.
    pub start_spread: Share,
    /// The only source of chance.
    pub seed: u64,
    /// The price of one worker that is starting, ready or draining, for an hour.
    pub price_per_hour: f64,
    /// A sojourn up to this is in time; absent, up to the configuration's target.
    pub within: Option<Duration>,
    /// Workers that are ordered at the very beginning are ready at once, as if they had been ordered before it.
    pub prepared: bool,
    /// The width of the buckets in which the course of the run is kept; chosen from the length if zero.
    pub bucket: Duration,
}

impl Default for Options {
    /// A cold start of 20 s, a warm one of 2 s, no spread, a price of one per worker and hour, an empty pool.
    fn default() -> Self {
        Self {
            cold_start: Duration::from_secs(20),
            warm_start: Duration::from_secs(2),
            start_spread: Share::ZERO,
            seed: 0,
            price_per_hour: 1.0,
            within: None,
            prepared: false,
            bucket: Duration::ZERO,
        }
    }
}
