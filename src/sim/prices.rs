//! What a run costs: prices by what a worker does, what is billed of them, and the bill itself.
#![expect(
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    reason = "money is for people; no decision rests on it"
)]

use core::time::Duration;
use std::vec;
use std::vec::Vec;

use serde::{Deserialize, Serialize};

use super::options::Options;
use super::workers::{State, Worker};
use crate::time::{Timestamp, nanos, span};

/// What is paid beside [`Options::price_per_hour`]. The default is that price for whatever is starting, ready or
/// draining, to the nanosecond, and nothing for standby workers and for starts.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Prices {
    /// Of the hourly price, what a worker costs that is starting or being loaded into standby. 1: a machine is paid for
    /// from its order on.
    pub starting: f64,
    /// The same for a ready worker that serves nothing.
    pub idle: f64,
    /// The same for a ready worker that serves something.
    pub busy: f64,
    /// The same for a draining worker.
    pub draining: f64,
    /// The same for a standby worker, such as the price of its disk. 0: it is stopped.
    pub standby: f64,
    /// Time from a worker's order (or revival) until it is gone (or in standby) is billed in multiples of this, rounded
    /// up, at the price of what it did last. Zero: exactly.
    #[serde(with = "span")]
    pub billed_by: Duration,
    /// The least time that is billed of it.
    #[serde(with = "span")]
    pub least: Duration,
    /// The price of one cold start, into standby as well, whatever becomes of it: its traffic, its licence.
    pub cold_start: f64,
}

impl Default for Prices {
    fn default() -> Self {
        Self {
            starting: 1.0,
            idle: 1.0,
            busy: 1.0,
            draining: 1.0,
            standby: 0.0,
            billed_by: Duration::ZERO,
            least: Duration::ZERO,
            cold_start: 0.0,
        }
    }
}

impl Prices {
    /// The shares of the hourly price, in the order of the bill.
    const fn shares(&self) -> [f64; STATES] {
        [self.starting, self.idle, self.busy, self.draining, self.standby]
    }

    /// All numbers that must be prices.
    pub(super) const fn numbers(&self) -> [(&'static str, f64); 6] {
        [
            ("prices.starting", self.starting),
            ("prices.idle", self.idle),
            ("prices.busy", self.busy),
            ("prices.draining", self.draining),
            ("prices.standby", self.standby),
            ("prices.cold_start", self.cold_start),
        ]
    }
}

/// What was paid for what.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Costs {
    /// Workers starting or being loaded into standby.
    pub starting: f64,
    /// Ready workers that served nothing.
    pub idle: f64,
    /// Ready workers that served something.
    pub busy: f64,
    /// Draining workers.
    pub draining: f64,
    /// Standby workers.
    pub standby: f64,
    /// What was billed beyond the time that workers were there.
    pub rounding: f64,
    /// Starts.
    pub cold_starts: f64,
}

impl Costs {
    /// All of it.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.starting + self.idle + self.busy + self.draining + self.standby + self.rounding + self.cold_starts
    }

    /// By hours in each state, at one price.
    pub(super) fn of_hours(hours: [f64; STATES], price: f64) -> Self {
        Self::at(hours, Prices::default().shares(), price)
    }

    fn at(hours: [f64; STATES], shares: [f64; STATES], price: f64) -> Self {
        let mut parts = hours;
        for (part, share) in parts.iter_mut().zip(shares) {
            *part *= share * price;
        }
        let [starting, idle, busy, draining, standby] = parts;
        Self { starting, idle, busy, draining, standby, ..Self::default() }
    }
}

/// How many kinds of paid time there are.
pub(super) const STATES: usize = 5;
const STANDBY: usize = 4;

/// The bill of a run, kept worker by worker, since each is rounded by itself.
#[derive(Debug)]
pub(super) struct Bill {
    prices: Prices,
    /// The hourly price of each class.
    classes: Vec<f64>,
    /// Nanoseconds in each state, and those that rounding adds, by class.
    sums: Vec<[[u128; STATES]; 2]>,
    spans: Vec<Span>,
    /// By class.
    cold_starts: Vec<u64>,
}

/// Of one worker: since when it has done what it does, and when the span that is rounded began.
#[derive(Clone, Copy, Debug, Default)]
struct Span {
    since: Timestamp,
    began: Timestamp,
}

impl Bill {
    /// If there is more to it than hours and a price.
    pub(super) fn new(options: &Options) -> Option<Self> {
        let plain = options.prices == Prices::default() && options.classes.is_empty();
        let mut classes: Vec<f64> = options.classes.iter().map(|class| class.price_per_hour).collect();
        if classes.is_empty() {
            classes.push(options.price_per_hour);
        }
        let sums = vec![[[0; STATES]; 2]; classes.len()];
        let cold_starts = vec![0; classes.len()];
        (!plain).then_some(Self { prices: options.prices, classes, sums, spans: Vec::new(), cold_starts })
    }

    pub(super) fn cold_start(&mut self, class: u8) {
        if let Some(count) = self.cold_starts.get_mut(usize::from(class)) {
            *count = count.saturating_add(1);
        }
    }

    /// A worker has become another.
    pub(super) fn changed(&mut self, now: Timestamp, at: usize, old: Worker, new: Worker) {
        let (was, is) = (paid(old), paid(new));
        if was == is {
            return;
        }
        if at >= self.spans.len() {
            self.spans.resize(at.saturating_add(1), Span::default());
        }
        let Some(span) = self.spans.get_mut(at) else { return };
        let Span { since, began } = *span;
        let (rounded, will_be) = (is_rounded(was), is_rounded(is));
        *span = Span { since: now, began: if rounded && will_be { began } else { now } };
        let Some((sums, state)) = self.sums.get_mut(usize::from(old.class)).zip(was) else { return };
        let [exact, rounding] = sums;
        let add = |sums: &mut [u128; STATES], nanos: u64| {
            if let Some(sum) = sums.get_mut(state) {
                *sum = sum.saturating_add(nanos.into());
            }
        };
        add(exact, now.since(since));
        if rounded && !will_be {
            let length = now.since(began);
            let step = nanos(self.prices.billed_by).max(1);
            let billed = length.div_ceil(step).saturating_mul(step).max(nanos(self.prices.least));
            add(rounding, billed.saturating_sub(length));
        }
    }

    /// Closes the bill: what is still there is billed up to now. What was paid, and for each class the hours of workers, of
    /// standby ones, and what was paid.
    pub(super) fn close(mut self, now: Timestamp, workers: &[Worker]) -> (Costs, Vec<([f64; 2], Costs)>) {
        for (at, worker) in workers.iter().enumerate() {
            self.changed(now, at, *worker, Worker { state: State::Gone, ..*worker });
        }
        let shares = self.prices.shares();
        let mut parts = [0.0; STATES];
        let all: u64 = self.cold_starts.iter().sum();
        let mut costs = Costs { cold_starts: all as f64 * self.prices.cold_start, ..Costs::default() };
        let mut classes = Vec::with_capacity(self.classes.len());
        for (([exact, rounding], price), starts) in self.sums.iter().zip(&self.classes).zip(&self.cold_starts) {
            let hours = exact.map(|nanos| nanos as f64 / HOUR);
            let rounding_of = |(nanos, share): (&u128, f64)| *nanos as f64 / HOUR * share * price;
            classes.push((
                [hours.iter().take(STANDBY).sum(), hours.iter().skip(STANDBY).sum()],
                Costs {
                    rounding: rounding.iter().zip(shares).map(rounding_of).sum(),
                    cold_starts: *starts as f64 * self.prices.cold_start,
                    ..Costs::at(hours, shares, *price)
                },
            ));
            for (((part, exact), rounding), share) in parts.iter_mut().zip(exact).zip(rounding).zip(shares) {
                *part += *exact as f64 / HOUR * share * price;
                costs.rounding += *rounding as f64 / HOUR * share * price;
            }
        }
        [costs.starting, costs.idle, costs.busy, costs.draining, costs.standby] = parts;
        (costs, classes)
    }
}

const HOUR: f64 = 3.6e12;

/// The kind of time that is paid for, if any.
const fn paid(worker: Worker) -> Option<usize> {
    match worker.state {
        State::Starting | State::Prewarming => Some(0),
        State::Ready if worker.busy == 0 => Some(1),
        State::Ready => Some(2),
        State::Draining => Some(3),
        State::Standby => Some(STANDBY),
        State::Gone => None,
    }
}

/// Standby time is no machine time: nothing is rounded there.
fn is_rounded(paid: Option<usize>) -> bool {
    paid.is_some_and(|state| state != STANDBY)
}

#[cfg(test)]
mod tests;
