//! What is possible on a workload: references that every run can be measured against, from what nobody can beat to what
//! anybody could have had.
//!
//! | reference | knows | cost |
//! |---|---|---|
//! | least | every arrival, may serve in any order and move requests | a bound: no policy costs less |
//! | clairvoyant | every arrival | the cheapest of the bound's own plans that keeps the objective, under real queueing |
//! | rate oracle | the arrival rate of all times, not the arrivals | Erlang's C formula, ordered a cold start ahead |
//! | present oracle | the arrival rate of now, exactly | the same without looking ahead, with the best hold time |
//! | fixed | how it will end | the least constant count that keeps the objective |
//!
//! All but the first are runs of the simulator on workers that are all alike, without any trouble: of the options only the
//! mean cold start and the slowdown count. They begin with the workers they want: no policy is charged for what
//! was ordered before the window, and these are not either.
#![expect(clippy::float_arithmetic, clippy::cast_precision_loss, reason = "no decision of the library rests on it")]

use core::time::Duration;
use std::vec::Vec;

use serde::Serialize;

use super::bound::Certain;
use super::controller::Plan;
use super::options::Options;
use super::simulate::{Service, simulate_with};
use super::workload::Workload;
use crate::time::{Timestamp, nanos};
use crate::units::Share;

/// What is asked of a service: so large a share of its requests starts within so long.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_structs, reason = "a share and a time are all there is to it")]
pub struct Objective {
    /// The share of all requests.
    pub share: Share,
    /// The longest sojourn that is in time.
    pub within: Duration,
}

/// A run that knows more than any policy can.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
#[non_exhaustive]
pub struct Reference {
    /// Hours of workers, starts and drains included.
    pub worker_hours: f64,
    /// The share of requests in time.
    pub within: f64,
    /// The most workers at once.
    pub peak_workers: u32,
}

/// What is possible on a workload.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
#[non_exhaustive]
pub struct References {
    /// Worker hours that no policy goes below.
    pub least: f64,
    /// Knows every arrival; `None` where the objective cannot be kept, as for the others.
    pub clairvoyant: Option<Reference>,
    /// Knows the arrival rate of all times.
    pub rate_oracle: Option<Reference>,
    /// Knows the arrival rate of now.
    pub present_oracle: Option<Reference>,
    /// Knows how many workers are enough.
    pub fixed: Option<Reference>,
}

impl References {
    /// Computes them all: a few dozen runs of the simulator.
    ///
    /// ```
    /// use core::time::Duration;
    /// use plimsoll::Share;
    /// use plimsoll::sim::generate::{Arrivals, Generated, ServiceTime};
    /// use plimsoll::sim::{Objective, Options, References};
    ///
    /// let (arrivals, service) = (Arrivals::Poisson { rate: 5.0 }, ServiceTime::Exponential(Duration::from_secs(1)));
    /// let workload = Generated { arrivals, service, duration: Duration::from_secs(1_800) }.draw("steady", 1)?;
    /// let objective = Objective { share: Share::new(0.99)?, within: Duration::from_millis(100) };
    /// let possible = References::of(&workload, 1, objective, &Options::default());
    /// let fixed = possible.fixed.ok_or("some constant count is enough")?;
    /// assert!(possible.least < fixed.worker_hours && fixed.within >= 0.99);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn of(workload: &Workload, concurrency: u32, objective: Objective, options: &Options) -> Self {
        let trial = Trial::new(workload, concurrency, objective, options);
        let rates = Rates::of(workload, &trial.options);
        let certain = Certain::new(workload, concurrency, options.mean_cold_start(), objective.within);
        Self {
            least: hours(&certain, objective),
            clairvoyant: trial.clairvoyant(&certain),
            rate_oracle: trial.of_all_times(&rates),
            present_oracle: trial.of_now(&rates),
            fixed: trial.fixed(),
        }
    }

    /// Those alone who know the arrival rate: of [all times](Self::rate_oracle), and of [now](Self::present_oracle).
    #[must_use]
    pub fn oracles(
        workload: &Workload,
        concurrency: u32,
        objective: Objective,
        options: &Options,
    ) -> [Option<Reference>; 2] {
        let trial = Trial::new(workload, concurrency, objective, options);
        let rates = Rates::of(workload, &trial.options);
        [trial.of_all_times(&rates), trial.of_now(&rates)]
    }

    /// The [bound](Self::least) alone, without a run of the simulator.
    #[must_use]
    pub fn bound(workload: &Workload, concurrency: u32, objective: Objective, options: &Options) -> f64 {
        hours(&Certain::new(workload, concurrency, options.mean_cold_start(), objective.within), objective)
    }
}

fn hours(certain: &Certain, objective: Objective) -> f64 {
    certain.least(objective.share.as_f64()) / 3_600.0
}

struct Trial<'a> {
    workload: &'a Workload,
    service: Service,
    share: f64,
    options: Options,
}

impl<'a> Trial<'a> {
    fn new(workload: &'a Workload, concurrency: u32, objective: Objective, options: &Options) -> Self {
        Self {
            workload,
            service: Service { concurrency: concurrency.max(1), target: objective.within },
            share: objective.share.as_f64(),
            options: Options {
                cold_start: options.mean_cold_start(),
                slowdown: options.slowdown,
                prepared: true,
                bucket: Duration::MAX,
                ..Options::default()
            },
        }
    }

    fn of_all_times(&self, rates: &Rates) -> Option<Reference> {
        self.oracle(rates, nanos(self.options.cold_start), &[0])
    }

    fn of_now(&self, rates: &Rates) -> Option<Reference> {
        self.oracle(rates, 0, &rates.holds)
    }

    fn run(&self, plan: Plan) -> Reference {
        let (outcome, _) = simulate_with(self.workload, self.service, plan, &self.options, &mut ());
        Reference {
            worker_hours: outcome.replica_hours,
            within: outcome.within_target,
            peak_workers: outcome.peak_workers,
        }
    }

    fn keeps(&self, reference: &Reference) -> bool {
        reference.within >= self.share
    }

    /// The least constant count: more workers never start a request later under one queue in order of arrival.
    fn fixed(&self) -> Option<Reference> {
        let (mut low, mut high) = (0_u32, 1_u32);
        let mut best = self.run(Plan::fixed(high));
        while !self.keeps(&best) {
            if high >= 1 << 16 {
                return None;
            }
            (low, high) = (high, high.saturating_mul(2));
            best = self.run(Plan::fixed(high));
        }
        while high.saturating_sub(low) > 1 {
            let middle = low.midpoint(high);
            let reference = self.run(Plan::fixed(middle));
            if self.keeps(&reference) {
                (high, best) = (middle, reference);
            } else {
                low = middle;
            }
        }
        Some(best)
    }

    /// The cheapest of the bound's plans, at growing prices of a late request and by what must or may be served at once.
    fn clairvoyant(&self, certain: &Certain) -> Option<Reference> {
        let at_once = Certain::new(self.workload, self.service.concurrency, self.options.cold_start, Duration::ZERO);
        let mut best: Option<Reference> = None;
        for certain in [certain, &at_once] {
            let mut price = 0.1;
            while price < 1e6 {
                let reference = self.run(self.ahead(certain.plan(price)));
                if self.keeps(&reference) {
                    best = Some(cheaper(best, reference));
                    break;
                }
                price *= 2.0;
            }
        }
        best
    }

    /// Each level's workers are ordered a cold start before they are wanted.
    fn ahead(&self, changes: Vec<(f64, i32)>) -> Plan {
        let cold_start = self.options.cold_start.as_secs_f64();
        let early = |(at, change): (f64, i32)| (if change > 0 { (at - cold_start).max(0.0) } else { at }, change);
        let mut changes: Vec<_> = changes.into_iter().map(early).collect();
        changes.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)));
        let mut count = 0_i32;
        let step = |(at, change): (f64, i32)| {
            count = count.saturating_add(change);
            let at = Timestamp::from_elapsed(Duration::try_from_secs_f64(at).unwrap_or_default());
            (at, u32::try_from(count).unwrap_or(0))
        };
        Plan::new(changes.into_iter().map(step).collect())
    }

    /// The cheapest run that staffs by the rate, with `ahead` nanoseconds of foresight and any of the times to hold.
    fn oracle(&self, rates: &Rates, ahead: u64, holds: &[u64]) -> Option<Reference> {
        let mut best = None;
        for hold in holds {
            // The strictest first: where it does not keep the objective, none does.
            let mut kept = false;
            for factor in [0.01, 0.1, 0.3, 1.0, 2.0, 4.0] {
                let late = ((1.0 - self.share) * factor).clamp(1e-9, 0.5);
                let reference = self.run(rates.plan(late, self.service, ahead, *hold));
                if self.keeps(&reference) {
                    kept = true;
                    best = Some(cheaper(best, reference));
                } else if kept || factor < 0.02 {
                    break;
                }
            }
        }
        best
    }
}

fn cheaper(best: Option<Reference>, other: Reference) -> Reference {
    best.filter(|best| best.worker_hours <= other.worker_hours).unwrap_or(other)
}

/// The arrival rate over time, as well as it can be told from the arrivals: over bins, each averaged with its neighbours.
struct Rates {
    per_second: Vec<f64>,
    /// The width of a bin.
    bin: u64,
    service: f64,
    /// Times to hold that are worth trying.
    holds: [u64; 4],
}

/// Bins on each side that a bin's rate is averaged with.
const NEIGHBOURS: usize = 10;
/// How many bins there are at the most.
const BINS: u64 = 40_000;

impl Rates {
    fn of(workload: &Workload, options: &Options) -> Self {
        let total = nanos(workload.duration()).max(1);
        let bin = (total / BINS).max(3_000_000_000);
        let bins = usize::try_from(total.div_ceil(bin)).unwrap_or(1).saturating_add(1);
        // Sums up to each bin.
        let mut sums = std::vec![0_u64; bins.saturating_add(1)];
        let mut work = Duration::ZERO;
        for request in workload.requests() {
            let at = request
                .arrival
                .as_nanos()
                .checked_div(bin)
                .and_then(|at| usize::try_from(at).ok())
                .unwrap_or(usize::MAX);
            if let Some(count) = sums.get_mut(at.saturating_add(1)) {
                *count = count.saturating_add(1);
            }
            work = work.saturating_add(request.service);
        }
        let mut sum = 0_u64;
        for count in &mut sums {
            sum = sum.saturating_add(*count);
            *count = sum;
        }
        let rate = |at: usize| {
            let (from, to) = (at.saturating_sub(NEIGHBOURS), at.saturating_add(NEIGHBOURS).saturating_add(1).min(bins));
            let count = sums.get(to).zip(sums.get(from)).map_or(0, |(to, from)| to.saturating_sub(*from));
            count as f64 / (to.saturating_sub(from) as f64 * bin as f64 / 1e9)
        };
        let cold = nanos(options.cold_start);
        Self {
            per_second: (0..bins).map(rate).collect(),
            bin,
            service: work.as_secs_f64() / (workload.requests().len().max(1) as f64),
            holds: [cold, cold.saturating_mul(4), 300_000_000_000, 1_800_000_000_000],
        }
    }

    /// The count at each instant: the most that is wanted up to `ahead` later or has been up to `hold` before.
    fn plan(&self, late: f64, service: Service, ahead: u64, hold: u64) -> Plan {
        let mut staffing = Staffing::new(late, service, self.service);
        let counts: Vec<u32> = self.per_second.iter().map(|rate| staffing.workers(rate * self.service)).collect();
        let bins = |span: u64| usize::try_from(span.div_ceil(self.bin)).unwrap_or(usize::MAX);
        let (ahead, hold) = (bins(ahead), bins(hold));
        let mut steps = Vec::new();
        let mut last = None;
        // The window's candidates for its largest count, each less than the ones before it.
        let mut window: std::collections::VecDeque<(usize, u32)> = std::collections::VecDeque::new();
        let mut seen = 0_usize;
        for at in 0..counts.len() {
            while let Some(&count) = counts.get(seen).filter(|_| seen <= at.saturating_add(ahead)) {
                while window.back().is_some_and(|(_, other)| *other <= count) {
                    window.pop_back();
                }
                window.push_back((seen, count));
                seen = seen.saturating_add(1);
            }
            while window.front().is_some_and(|(since, _)| since.saturating_add(hold) < at) {
                window.pop_front();
            }
            let count = window.front().map_or(0, |(_, count)| *count);
            if last != Some(count) {
                last = Some(count);
                steps.push((Timestamp::from_nanos((at as u64).saturating_mul(self.bin)), count));
            }
        }
        Plan::new(steps)
    }
}

/// How many workers an offered load needs: the least slots `m` with `C(m, R)·e^(−(m−R)·W/s) ≤ late`, where `C` is
/// Erlang's C formula, the probability of having to wait in a queue with exponential service.
struct Staffing {
    late: f64,
    slots: u32,
    /// The sojourn that is in time, in service times.
    within: f64,
    /// What has been computed, by the load in steps of two percent.
    known: std::collections::BTreeMap<i64, u32>,
}

impl Staffing {
    fn new(late: f64, service: Service, mean: f64) -> Self {
        let within = if mean > 0.0 { service.target.as_secs_f64() / mean } else { 0.0 };
        Self { late, slots: service.concurrency.max(1), within, known: std::collections::BTreeMap::new() }
    }

    fn workers(&mut self, load: f64) -> u32 {
        if load <= 0.0 {
            return 0;
        }
        #[expect(clippy::cast_possible_truncation, reason = "a small number of steps")]
        let step = (libm::log(load) * 50.0).ceil() as i64;
        if let Some(workers) = self.known.get(&step) {
            return *workers;
        }
        let load = libm::exp(step as f64 / 50.0);
        // Erlang's B formula by its recursion, and C from it.
        let (mut blocked, mut slots) = (1.0, 0_u32);
        while slots < 1 << 20 {
            slots = slots.saturating_add(1);
            let m = f64::from(slots);
            blocked = load * blocked / (m + load * blocked);
            if m <= load {
                continue;
            }
            let waits = blocked / (1.0 - load / m * (1.0 - blocked));
            if waits * libm::exp(-(m - load) * self.within) <= self.late {
                break;
            }
        }
        let workers = slots.div_ceil(self.slots);
        self.known.insert(step, workers);
        workers
    }
}

#[cfg(test)]
mod tests;
