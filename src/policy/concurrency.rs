//! Requests in the system over a target per worker: `⌈(in flight + queued) / target⌉`, both ways.
//!
//! The delays of the configuration smooth it: the up delay follows what has been wanted throughout, the down delay
//! keeps the most that was wanted.

use serde::{Deserialize, Serialize};

use super::{Because, Inputs, Proposal, Source, Steady};
use crate::units::{MICRO, Rate, div_ceil_count};

/// Scale on how many requests each worker has, waiting ones included.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ConcurrencyTarget {
    /// Requests per worker, above zero; it may be a fraction (0.7 of a slot).
    #[serde(rename = "target")]
    target: Rate,
}

impl ConcurrencyTarget {
    /// `target` requests per worker, in millionths the same as a rate.
    ///
    /// # Errors
    /// If `target` is negative, not finite or above 1e9.
    pub fn new(target: f64) -> Result<Self, crate::units::NotARate> {
        Rate::per_second(target).map(|target| Self { target })
    }

    /// Requests per worker.
    #[must_use]
    pub fn target(self) -> f64 {
        self.target.as_f64()
    }

    pub(crate) const fn is_zero(self) -> bool {
        self.target.as_micros() == 0
    }

    /// Whole requests per worker, at least one.
    pub(super) fn per_worker(self) -> u32 {
        u32::try_from(self.target.as_micros() / MICRO).unwrap_or(u32::MAX).max(1)
    }

    pub(super) fn steady(self, requests: u64) -> Option<Steady> {
        Steady::of_requests(requests, self.target.as_micros())
    }

    /// What so many requests in the system ask for.
    pub(super) fn count(self, requests: u64) -> u32 {
        div_ceil_count(requests.saturating_mul(MICRO), self.target.as_micros())
    }

    pub(super) fn propose(self, inputs: &Inputs) -> Proposal {
        let (requests, known) = inputs.in_system();
        if inputs.quiet && known {
            return Proposal::exactly(Source::Concurrency, Because::Quiet, 0);
        }
        let count = self.count(requests);
        if known {
            Proposal::exactly(Source::Concurrency, Because::RequestCount, count)
        } else {
            Proposal { want: count, ..Proposal::blind(Source::Concurrency, Because::Missing) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_in_the_system_are_divided_by_the_target() {
        let propose = |target: f64, in_flight| {
            let inputs = Inputs { depth: Some(1), in_flight: Some(in_flight), ..Inputs::default() };
            ConcurrencyTarget::new(target).unwrap().propose(&inputs).want
        };
        assert_eq!([propose(0.7, 6), propose(1.0, 6), propose(100.0, 199)], [10, 7, 2]);
    }

    #[test]
    fn it_stands_while_the_quotient_does() {
        let inputs = Inputs { depth: Some(1), in_flight: Some(6), ..Inputs::default() };
        let steady = ConcurrencyTarget::new(3.0).unwrap().steady(inputs.in_system().0);
        assert_eq!(steady.map(|steady| steady.requests), Some((7, 9)));
    }
}
