//! What is assumed of the pool that is simulated.

use core::time::Duration;
use std::string::String;
use std::vec::Vec;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::classes::{Class, MOST as MOST_CLASSES, Spot};
use super::clock::ClockStep;
use super::delivery::Delivery;
use super::metrics::Metrics;
use super::outages::Outages;
use super::prices::Prices;
use super::starts::{self, StartTime, Starts};
use super::workers::Router;
use crate::time::{optional_span, span};
use crate::units::Share;

/// How the simulated pool behaves, and what it costs. The default is a platform without any trouble: whatever is added,
/// is added in one of the parts, and nothing that is not asked for changes by it.
///
/// ```
/// use plimsoll::sim::Options;
///
/// let options: Options = serde_json::from_str(
///     r#"{
///         "cold_start": "45s",
///         "starts": {"takes": {"lognormal": {"cv": 0.5}}, "crash": 0.05},
///         "prices": {"billed_by": "1m"}
///     }"#,
/// )?;
/// options.check()?;
/// assert_eq!(options.starts.crash.as_f64(), 0.05);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Options {
    /// From order to readiness.
    #[serde(with = "span")]
    pub cold_start: Duration,
    /// From revival to readiness, for a standby worker.
    #[serde(with = "span")]
    pub warm_start: Duration,
    /// Each start takes its mean plus or minus up to this share of it, drawn from the seed.
    pub start_spread: Share,
    /// The only source of chance. Each use has numbers of its own: what is switched on disturbs nothing else.
    pub seed: u64,
    /// The price of one worker that is starting, ready or draining, for an hour.
    pub price_per_hour: f64,
    /// A sojourn up to this is in time; absent, up to the configuration's target.
    #[serde(with = "optional_span")]
    pub within: Option<Duration>,
    /// Workers that are ordered at the very beginning are ready at once, as if they had been ordered before it.
    pub prepared: bool,
    /// The width of the buckets in which the course of the run is kept; chosen from the length if zero.
    #[serde(with = "span")]
    pub bucket: Duration,
    /// How long starts take and which of them fail.
    pub starts: Starts,
    /// What is paid beside the hourly price.
    pub prices: Prices,
    /// Kinds of machines, those to be taken first in front; none means machines that are all alike, at
    /// [`price_per_hour`](Self::price_per_hour).
    pub classes: Vec<Class>,
    /// Machines that are taken back.
    pub spot: Spot,
    /// How often a request that was cut off is tried again, from its beginning and at the end of the queue; its sojourn
    /// then lasts from its arrival to its last start. Zero: it is lost at once.
    pub retries: u32,
    /// By which share of itself a request's service time grows for each other request that its worker serves when it
    /// starts: `service × (1 + slowdown × others)`. It keeps the service time that it starts with.
    pub slowdown: Share,
    /// Who takes the next request.
    pub router: Router,
    /// Times at which what arrives is not seen: the load balancer is frozen. Those who arrive wait, and all come to the
    /// queue when it is over.
    pub freezes: Outages,
    /// What the platform tells of requests, and when that arrives.
    pub metrics: Metrics,
    /// The way of decisions to the platform.
    pub delivery: Delivery,
    /// The controller's clock is set.
    pub clock: Vec<ClockStep>,
}

impl Default for Options {
    /// A cold start of 20 s, a warm one of 2 s, no spread, a price of one per worker and hour, an empty pool, no trouble.
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
            starts: Starts::default(),
            prices: Prices::default(),
            classes: Vec::new(),
            spot: Spot::default(),
            retries: 0,
            slowdown: Share::ZERO,
            router: Router::LowestId,
            freezes: Outages::NONE,
            metrics: Metrics::default(),
            delivery: Delivery::default(),
            clock: Vec::new(),
        }
    }
}

/// An option that makes no sense. A simulation runs under it nevertheless, and takes the nearest that does.
#[derive(Clone, PartialEq, Debug, Error)]
#[error("{option} = {value}: {rule}")]
#[non_exhaustive]
pub struct OptionError {
    /// The option.
    pub option: String,
    /// The value given.
    pub value: String,
    /// What it must be, and what to do.
    pub rule: &'static str,
}

impl Options {
    /// Whether the controller is told everything at once, and obeyed at once.
    pub(super) fn is_direct(&self) -> bool {
        self.metrics == Metrics::default() && self.delivery == Delivery::default() && self.clock.is_empty()
    }

    /// How long a cold start takes on average: [`cold_start`](Self::cold_start), or the mean of those that were measured.
    #[must_use]
    pub fn mean_cold_start(&self) -> Duration {
        match &self.starts.takes {
            StartTime::Uniform | StartTime::Lognormal { .. } => self.cold_start,
            StartTime::Quantiles(quantiles) => starts::mean(quantiles),
        }
    }

    /// Whether every number is one that can be meant.
    ///
    /// ```
    /// use plimsoll::sim::Options;
    ///
    /// let mut options = Options::default();
    /// options.price_per_hour = -2.5;
    /// let error = options.check().unwrap_err().to_string();
    /// assert_eq!(error, "price_per_hour = -2.5: a price is a number from 0 up: give 0 if it costs nothing");
    /// ```
    ///
    /// # Errors
    /// The first option that is not.
    pub fn check(&self) -> Result<(), OptionError> {
        let prices = [("price_per_hour", self.price_per_hour)].into_iter().chain(self.prices.numbers());
        for (option, price) in prices {
            check_price(option.into(), price)?;
        }
        let rule = |holds: bool, option: &str, value: String, rule: &'static str| {
            if holds { Ok(()) } else { Err(OptionError { option: option.into(), value, rule }) }
        };
        let sum: u64 = self.starts.failing().iter().map(|(_, share)| u64::from(share.as_micros())).sum();
        let failing = "the shares of starts that fail must not add up to more than 1: lower one of them";
        rule(sum <= 1_000_000, "starts", std::format!("{} in all", micros(sum)), failing)?;
        let cv_rule = "give a coefficient of variation between 0 and 100";
        match &self.starts.takes {
            StartTime::Uniform => {}
            StartTime::Lognormal { cv } => {
                rule((0.0..=100.0).contains(cv), "starts.takes.lognormal.cv", cv.to_string(), cv_rule)?;
            }
            StartTime::Quantiles(quantiles) => {
                let rising = "give at least one quantile, the least first: leave it out for uniform starts";
                let sound = !quantiles.is_empty() && quantiles.is_sorted();
                rule(sound, "starts.takes.quantiles", std::format!("{quantiles:?}"), rising)?;
            }
        }
        let many = "there may be 256 classes at the most: put together those that differ little";
        rule(self.classes.len() <= MOST_CLASSES, "classes", self.classes.len().to_string(), many)?;
        for (at, class) in self.classes.iter().enumerate() {
            check_price(std::format!("classes[{at}].price_per_hour"), class.price_per_hour)?;
            let speed = "a speed is a number above 0, such as 1.5 for a machine that serves in two thirds of the time";
            let option = std::format!("classes[{at}].speed");
            rule(class.speed > 0.0 && class.speed.is_finite(), &option, class.speed.to_string(), speed)?;
        }
        Ok(())
    }
}

fn check_price(option: String, price: f64) -> Result<(), OptionError> {
    let rule = "a price is a number from 0 up: give 0 if it costs nothing";
    if price >= 0.0 && price.is_finite() { Ok(()) } else { Err(OptionError { option, value: price.to_string(), rule }) }
}

/// Millionths as a decimal number.
fn micros(sum: u64) -> String {
    let text = std::format!("{}.{:06}", sum / 1_000_000, sum % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').into()
}
