//! Workloads that are generated: a pattern of arrivals, a distribution of service times, a length and a seed.
//!
//! Arrivals are Poisson processes whose rate follows the pattern, drawn by thinning (Lewis and Shedler, 1979): candidates
//! come at the highest rate, and each is kept with the probability rate ÷ highest rate.
#![expect(clippy::float_arithmetic, clippy::cast_precision_loss, reason = "rates and their draws are real numbers")]

use core::time::Duration;
use std::string::String;
use std::vec::Vec;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::chance::{Chance, seconds};
use super::workload::{Request, Workload};
use crate::time::{Timestamp, span};

/// How requests arrive. Rates are in requests per second.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Arrivals {
    /// At a constant rate, independently of each other.
    Poisson {
        /// The rate.
        rate: f64,
    },
    /// At one of two rates in turn, each for an exponentially distributed time (a Markov-modulated Poisson process).
    MarkovModulated {
        /// The lower rate.
        calm: f64,
        /// The higher rate.
        busy: f64,
        /// How long it is calm on average.
        #[serde(with = "span")]
        calm_for: Duration,
        /// How long it is busy on average.
        #[serde(with = "span")]
        busy_for: Duration,
    },
    /// Over a day from `least` up to `most` and back: `least + (most − least)·(½ − ½·cos 2πt/period)^1.5`.
    Diurnal {
        /// The rate at the beginning of the day.
        least: f64,
        /// The rate in the middle of it.
        most: f64,
        /// The length of a day.
        #[serde(with = "span")]
        period: Duration,
        /// Each minute's rate is multiplied by a gamma-distributed number of mean 1 and this shape (coefficient of
        /// variation `1/√shape`, shape at least 1); absent, it is not.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        noise: Option<f64>,
    },
    /// At a base rate, and now and then a crowd: a climb to the peak, a while at the peak, and an exponential decay.
    Spikes {
        /// The rate between crowds.
        base: f64,
        /// The rate at the height of a crowd.
        peak: f64,
        /// From the end of one crowd's decay to the climb of the next, at the least; an exponential time follows.
        #[serde(with = "span")]
        every: Duration,
        /// The mean of that time.
        #[serde(with = "span")]
        jitter: Duration,
        /// How long the climb takes.
        #[serde(with = "span")]
        climb: Duration,
        /// How long the peak lasts.
        #[serde(with = "span")]
        flat: Duration,
        /// The decay's time constant; after five of them the crowd is gone.
        #[serde(with = "span")]
        decay: Duration,
    },
    /// Sessions that begin independently of each other, each of a geometric number of requests with exponential pauses.
    Sparse {
        /// The mean time from one session's beginning to the next.
        #[serde(with = "span")]
        every: Duration,
        /// The mean number of requests in a session, at least 1.
        requests: f64,
        /// The mean pause between two requests of a session.
        #[serde(with = "span")]
        pause: Duration,
    },
}

/// How long a request holds its slot.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum ServiceTime {
    /// Always as long.
    Constant(#[serde(with = "span")] Duration),
    /// Exponential of this mean.
    Exponential(#[serde(with = "span")] Duration),
    /// Lognormal of this mean and coefficient of variation.
    Lognormal {
        /// The mean.
        #[serde(with = "span")]
        mean: Duration,
        /// Standard deviation over mean.
        cv: f64,
    },
}

/// A workload to be generated.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "a pattern, a distribution and a length are all there is to it")]
pub struct Generated {
    /// How requests arrive.
    pub arrivals: Arrivals,
    /// How long each holds a slot.
    pub service: ServiceTime,
    /// The length of the window.
    #[serde(with = "span")]
    pub duration: Duration,
}

/// Why a workload cannot be generated.
#[derive(Clone, PartialEq, Debug, Error)]
#[non_exhaustive]
pub enum GenerateError {
    /// A number that is no rate, mean or coefficient.
    #[error("{what} = {value}: {rule}")]
    BadNumber {
        /// The field.
        what: &'static str,
        /// The value given.
        value: f64,
        /// What it must be.
        rule: &'static str,
    },
    /// A time that must not be zero.
    #[error("{what} = 0: give a time above zero")]
    NoTime {
        /// The field.
        what: &'static str,
    },
    /// More requests than are kept in memory.
    #[error(
        "some {expected:.0} requests are to be expected, at most {limit} are generated: lower the rate or shorten it"
    )]
    TooMany {
        /// About how many there would be.
        expected: f64,
        /// How many there may be.
        limit: usize,
    },
}

/// The most requests of a generated workload: 1.2 GB.
const MOST: usize = 50_000_000;

impl Generated {
    /// Draws the workload. The same seed gives the same requests, on every machine.
    ///
    /// ```
    /// use core::time::Duration;
    /// use plimsoll::sim::generate::{Arrivals, Generated, ServiceTime};
    ///
    /// let hour = Generated {
    ///     arrivals: Arrivals::Poisson { rate: 5.0 },
    ///     service: ServiceTime::Lognormal { mean: Duration::from_secs(1), cv: 1.0 },
    ///     duration: Duration::from_secs(3_600),
    /// };
    /// let workload = hour.draw("steady", 7)?;
    /// assert!((17_000..19_000).contains(&workload.requests().len()));
    /// assert!((workload.offered_load() - 5.0).abs() < 0.3);
    /// # Ok::<(), plimsoll::sim::generate::GenerateError>(())
    /// ```
    ///
    /// # Errors
    /// If a rate or a mean is none, or if there would be too many requests.
    pub fn draw(&self, name: impl Into<String>, seed: u64) -> Result<Workload, GenerateError> {
        self.check()?;
        let end = self.duration.as_secs_f64();
        let times = match self.arrivals {
            Arrivals::Sparse { every, requests, pause } => {
                sessions(&mut Chance::new(seed, 1), end, every.as_secs_f64(), requests, pause.as_secs_f64())
            }
            _ => thinned(&mut Chance::new(seed, 1), end, &mut Pattern::new(&self.arrivals, end, Chance::new(seed, 2))),
        };
        let mut chance = Chance::new(seed, 3);
        let request = |at: f64| {
            let service = match self.service {
                ServiceTime::Constant(service) => service,
                ServiceTime::Exponential(mean) => seconds(chance.exponential(mean.as_secs_f64())),
                ServiceTime::Lognormal { mean, cv } => seconds(chance.lognormal(mean.as_secs_f64(), cv)),
            };
            Request { arrival: Timestamp::from_elapsed(seconds(at)), service }
        };
        let requests = times.into_iter().map(request).collect();
        Ok(Workload::drawn(name.into(), requests, self.duration))
    }

    fn check(&self) -> Result<(), GenerateError> {
        time("duration", self.duration)?;
        let (ServiceTime::Constant(mean) | ServiceTime::Exponential(mean) | ServiceTime::Lognormal { mean, .. }) =
            self.service;
        time("service", mean)?;
        if let ServiceTime::Lognormal { cv, .. } = self.service {
            number("cv", cv, 0.0, 100.0, "give a coefficient of variation between 0 and 100")?;
        }
        let rate = |what, value| number(what, value, 0.0, 1e9, "give requests per second between 0 and 1e9");
        let highest = match self.arrivals {
            Arrivals::Poisson { rate: constant } => rate("rate", constant)?,
            Arrivals::MarkovModulated { calm, busy, calm_for, busy_for } => {
                time("calm_for", calm_for)?;
                time("busy_for", busy_for)?;
                rate("calm", calm)?.max(rate("busy", busy)?)
            }
            Arrivals::Diurnal { least, most, period, noise } => {
                time("period", period)?;
                if let Some(shape) = noise {
                    number("noise", shape, 1.0, 1e6, "give a gamma shape of at least 1, or leave it out")?;
                }
                rate("least", least)?.max(rate("most", most)?)
            }
            Arrivals::Spikes { base, peak, every, .. } => {
                time("every", every)?;
                rate("base", base)?.max(rate("peak", peak)?)
            }
            Arrivals::Sparse { every, requests, .. } => {
                time("every", every)?;
                number("requests", requests, 1.0, 1e9, "give a mean number of requests of at least 1")?
                    / every.as_secs_f64()
            }
        };
        let expected = highest * self.duration.as_secs_f64();
        if expected > MOST as f64 { Err(GenerateError::TooMany { expected, limit: MOST }) } else { Ok(()) }
    }
}

const fn time(what: &'static str, time: Duration) -> Result<(), GenerateError> {
    if time.is_zero() { Err(GenerateError::NoTime { what }) } else { Ok(()) }
}

fn number(what: &'static str, value: f64, least: f64, most: f64, rule: &'static str) -> Result<f64, GenerateError> {
    if value >= least && value <= most { Ok(value) } else { Err(GenerateError::BadNumber { what, value, rule }) }
}

/// A rate as a function of time that is asked for growing times.
struct Pattern<'a> {
    arrivals: &'a Arrivals,
    chance: Chance,
    /// Never exceeded by the rate.
    highest: f64,
    /// Until when the present phase (calm or busy, a minute's noise, a crowd and the time before it) lasts.
    until: f64,
    /// Busy; the minute's factor; or when the crowd's climb begins.
    phase: f64,
}

impl<'a> Pattern<'a> {
    fn new(arrivals: &'a Arrivals, end: f64, chance: Chance) -> Self {
        let mut pattern = Self { arrivals, chance, highest: 0.0, until: 0.0, phase: 0.0 };
        pattern.highest = match *arrivals {
            Arrivals::Poisson { rate } => rate,
            Arrivals::MarkovModulated { calm, busy, .. } => calm.max(busy),
            Arrivals::Diurnal { least, most, noise: None, .. } => least.max(most),
            // The highest of the factors that will be drawn, each for a minute.
            Arrivals::Diurnal { least, most, noise: Some(shape), .. } => {
                let mut same = pattern.chance.clone();
                let mut highest = 0.0_f64;
                let mut at = 0.0;
                while at <= end {
                    highest = highest.max(same.gamma(shape));
                    at += 60.0;
                }
                least.max(most) * highest
            }
            Arrivals::Spikes { base, peak, .. } => base.max(peak),
            Arrivals::Sparse { .. } => 0.0,
        };
        pattern
    }

    fn rate(&mut self, at: f64) -> f64 {
        match *self.arrivals {
            Arrivals::Poisson { rate } => rate,
            Arrivals::MarkovModulated { calm, busy, calm_for, busy_for } => {
                while self.until <= at {
                    // It begins calm.
                    self.phase = if self.until > 0.0 { 1.0 - self.phase } else { 0.0 };
                    let mean = if self.phase > 0.0 { busy_for } else { calm_for };
                    self.until += self.chance.exponential(mean.as_secs_f64());
                }
                if self.phase > 0.0 { busy } else { calm }
            }
            Arrivals::Diurnal { least, most, period, noise } => {
                while let Some(shape) = noise.filter(|_| self.until <= at) {
                    self.phase = self.chance.gamma(shape);
                    self.until += 60.0;
                }
                let turn = at / period.as_secs_f64();
                let height = 0.5 - 0.5 * libm::cos(core::f64::consts::TAU * turn);
                let rate = least + (most - least) * height * height.sqrt();
                if noise.is_some() { rate * self.phase } else { rate }
            }
            Arrivals::Spikes { base, peak, every, jitter, climb, flat, decay } => {
                let [every, jitter, climb, flat, decay] =
                    [every, jitter, climb, flat, decay].map(|span| span.as_secs_f64());
                while self.until <= at {
                    self.phase = self.until + every + self.chance.exponential(jitter);
                    self.until = self.phase + climb + flat + 5.0 * decay;
                }
                let (into, top) = (at - self.phase, climb + flat);
                let share = match into {
                    _ if into < 0.0 => 0.0,
                    _ if into < climb => into / climb,
                    _ if into < top => 1.0,
                    _ => libm::exp(-(into - top) / decay),
                };
                base + (peak - base) * share
            }
            Arrivals::Sparse { .. } => 0.0,
        }
    }
}

fn thinned(chance: &mut Chance, end: f64, pattern: &mut Pattern<'_>) -> Vec<f64> {
    let (mut times, mut at) = (Vec::new(), 0.0);
    if pattern.highest <= 0.0 {
        return times;
    }
    loop {
        at += chance.exponential(1.0 / pattern.highest);
        if at >= end {
            return times;
        }
        if chance.happens(pattern.rate(at) / pattern.highest) {
            times.push(at);
        }
    }
}

fn sessions(chance: &mut Chance, end: f64, every: f64, requests: f64, pause: f64) -> Vec<f64> {
    let (mut times, mut begin) = (Vec::new(), 0.0);
    loop {
        begin += chance.exponential(every);
        if begin >= end {
            break;
        }
        let mut at = begin;
        loop {
            times.push(at);
            // A geometric number: after each request the session ends with probability 1 ÷ mean.
            if chance.happens(1.0 / requests) {
                break;
            }
            at += chance.exponential(pause);
            if at >= end {
                break;
            }
        }
    }
    times.sort_by(f64::total_cmp);
    times
}

#[cfg(test)]
mod tests;
