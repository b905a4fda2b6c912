//! The request window: the arrivals of the last minute, as far as reports have told of them.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::peers::exact;

/// Its length in seconds; also the divisor of the rate, however young the service is.
pub(super) const WINDOW_S: f64 = 60.0;

/// Arrival times in seconds, in the order in which they were reported.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Window(#[serde(with = "exact::list")] Vec<f64>);

impl Window {
    /// Appends a report's arrivals and then drops everything before the leftmost place whose stamp is not older than the
    /// window: an arrival exactly as old stays. The place is found by halving, whether the stamps are in order or not.
    pub(super) fn report(&mut self, now: f64, arrivals: impl IntoIterator<Item = f64>) {
        self.0.extend(arrivals);
        let (edge, mut from, mut to) = (now - WINDOW_S, 0_usize, self.0.len());
        while from < to {
            let middle = from.midpoint(to);
            if self.0.get(middle).is_some_and(|stamp| *stamp < edge) {
                from = middle.saturating_add(1);
            } else {
                to = middle;
            }
        }
        self.0.drain(..from);
    }

    /// Requests in the window.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Requests per second.
    pub(super) fn rate(&self) -> f64 {
        self.len() as f64 / WINDOW_S
    }
}
