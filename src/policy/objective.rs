//! An objective or a price, and nothing else to set: how many workers make so large a share of the requests start in
//! time, or as many as are worth their price.
//!
//! In busy slots, with `W` what a request may wait, `H` the lead (a cold start and a tick, less `W`: where that is nothing, all
//! that is needed is there to be seen), `s` the mean service time,
//! `X` the demand now, `λ` the arrival rate over some sixteen service times, or a lead if that is longer, `ν` the one that is
//! expected over the lead: `λ`, and of what the rate over two service times is above it as much as stayed of earlier
//! surges (`signal/forecast/surges.rs`):
//!
//! - **forecast** `m = X·e^(−H/s) + ν·s·(1 − e^(−H/s))`: what of today's requests will still be there, and what will have
//!   come. Demand is forecast, not backlog: a queue that grew while a worker started orders nothing twice.
//! - **headroom** `z(q)·√(m + 1)`, where `z` is the quantile of how far demand strayed from its forecast, *as arriving
//!   requests saw it*, of late. So `q` is a share of requests, whatever the shape of the traffic: where surges come again
//!   and again, most requests come in them, and the headroom is a standing reserve. Where they are as large whatever is
//!   expected, `z` is told in slots, not roots (`signal/forecast/strays.rs`).
//! - **allowance** `q`: with an objective four times the share that may be late, as the count is rounded up and kept for a
//!   cold start; corrected by what was in fact late: [caution](Circumstances::caution) `u` makes it `q·e^(−u)`.
//! - **price** `p` of a late request, without correction: the greater of two counts. A slot costs `1/c` a second and serves
//!   `P(X > cn)/s` requests that find no other, so that `q = s / (p·c)`: right where surges outlast their requests. But whoever
//!   comes while others wait waits as well: with `n` workers `λ·P(X ≥ cn·(1 + W/2s))` a second are late, and the least of
//!   `n + p·λ·P` is right where demand only fluctuates. Neither contains the other.
//! - **price cap**: with a share for no more than a price, no more headroom than costs least at that price, `n + p·λ·P` with
//!   `λ` the greater of the rate now and the mean one. What is asked for beyond that is out of reach, and not chased.
//! - **peak**: not above the highest demand of late and half its root. What never was needs no reserve.
//! - **queue**: who waits no longer than `W` is in time. A surge of two service times leaves twice as many waiting as it
//!   exceeds the slots by, and `W/s` of them for each slot are in time: so `(m + z·√(m + 1)) / (1 + a)` slots do, where
//!   `a = min(W/2s, max(1/2, W/H))·(5 − u)/7`: a surge may last longer, until help comes, and the more was late, the less is left
//!   to the queue. Not below the load `λ·s`, where a queue would grow without end, and half its root, or `5·s/W` where that
//!   is less: of n slots' queue (M/M/n) no more than `e^(−(n − λs)·W/s)` wait for longer. Of a price's counts only the second
//!   leaves anything to it, as nothing says when surges last longer.
//! - **drain**: a backlog `B` that will still be there when a worker ordered now is ready, and not be served in time, makes all
//!   that come later late. To order `k` slots more for it costs `k·(H + 5 s)` and saves `p·ν·B·s/k`:
//!   `k = √(p·ν·B·s/(H + 5 s))`, at most `B`.
//! - **hold**: counts are kept for the time of a cold start (no longer: a start that is billed from its order costs as much).
//! - **lull**: a count that is lower than the one before by no more than half a deviation `√(m + 1)/2`, which is chance, is
//!   not followed before it has been so for a minute, and one that is lower by more only so far.
//! - **silence**: when nobody is there, a worker costs its time `t`, one that comes back a start `H`, a gap that ends without
//!   one `H + p·L`, where `L` came at the end of earlier silences before a start could be in time for them. In which stretches
//!   to have one follows from the gaps that were seen and one that was not, as likely to be over within as long again as not:
//!   `min Σ t·P(gap longer) + H·P(gap up to a return) + (H + p·L)·P(gap ends without)`, so that between timers there is none,
//!   and one is ordered a cold start before the next. With an objective `p` is the least at which starts from zero make
//!   `(5 − u)/7` of what may be late so.
//!
//! Sources: the news-vendor's quantile; Lin, Wierman, Andrew and Thereska, "Dynamic right-sizing" (2011) for holding at
//! break-even; Gibbs and Candès, "Adaptive conformal inference" (2021) for the correction; Gandhi, Harchol-Balter,
//! Raghunathan and Kozuch, "`AutoScale`" (2012) for idle workers that are let go last in, first out; Shahrad and others,
//! "Serverless in the Wild" (2020) for workers that are back before gaps end.

mod goal;

use serde::{Deserialize, Serialize};

pub use self::goal::{Goal, Objective};
use super::{Because, Inputs, Proposal, Source, Steady};
use crate::fixed::{ONE, decay, ratio, times};
use crate::units::{MICRO, div_ceil_count};

/// What a late request is taken to be worth in a drain, and the allowance, times the share that may be late.
const ALLOWANCE: u64 = 4;
/// `e²`, by which caution at its least widens the allowance, in 2⁻³² ths.
const E_SQUARED: u64 = 31_735_754_293;
/// Caution goes from −2 to 5.
pub(crate) const CAUTION: u64 = 7;
/// Service times that a surge is taken to last: those who came with it are served, and as long again for those who waited.
const SURGE: u64 = 2;
/// Free slots times the service times in what may be waited: all but `e⁻⁵` are in time then, in millionths.
const TAIL: u64 = 5 * MICRO;
/// The widest allowance: a count below the median of demand has a queue most of the time.
const WIDEST: u64 = ONE / 2;
/// Added to the lead in a drain: what of a backlog goes within five seconds is not worth a worker.
const SOON: u64 = 5_000_000_000;

/// What is known when a count is planned. Demand is counted in millionths of a busy slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Circumstances {
    /// Demand now.
    pub(crate) demand: u64,
    /// Arrivals over some sixteen service times, and those that are expected over the lead, in millionths per second.
    pub(crate) rate: u64,
    pub(crate) coming: u64,
    /// The mean service time, in nanoseconds.
    pub(crate) service: u64,
    /// Whether it was measured, and not only on a handful of requests.
    pub(crate) measured: bool,
    /// How far ahead to look, in nanoseconds.
    pub(crate) lead: u64,
    /// The highest demand of late.
    pub(crate) highest: u64,
    /// How much less may be risked than the objective alone allows: `u`, in 2⁻³² ths above its least, −2.
    pub(crate) caution: u64,
    /// Slots of one worker.
    pub(crate) concurrency: u32,
    pub(crate) ready: u32,
    pub(crate) starting: u32,
    /// Requests waiting.
    pub(crate) waiting: u64,
    /// What errors are told in.
    pub(crate) spread: Spread,
}

/// What errors of a forecast are told in: whether demand strays further the more is expected.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Spread {
    /// In `√(m + 1)`, as chance has it.
    #[default]
    Roots,
    /// In slots: not at all.
    Slots,
}

impl Spread {
    /// One of them, in millionths of a slot.
    pub(crate) const fn unit(self, forecast: u64) -> u64 {
        match self {
            Self::Roots => deviation(forecast),
            Self::Slots => MICRO,
        }
    }
}

/// A count, its reason, and the demand that it is for, in millionths of a busy slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Draft {
    pub(crate) forecast: u64,
    pub(crate) headroom: u64,
    /// How much of both may wait.
    pub(crate) queue: u64,
    pub(crate) workers: u32,
    pub(crate) because: Because,
}

impl Draft {
    /// The same, where more is asked for than is worth its price.
    pub(crate) const fn dear(self) -> Self {
        let because = match self.because {
            Because::Headroom | Because::Reserve => Because::PriceCap,
            because => because,
        };
        Self { because, ..self }
    }
}

/// How many may wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Queue {
    /// With a share the fewer the more was late, with a price nobody.
    Share,
    /// As many as can be in time.
    Whole,
}

/// How many workers there should be, and why.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Plan {
    /// The count.
    pub workers: u32,
    /// Which term it is.
    pub because: Because,
    /// The demand that is forecast, in thousandths of a busy slot.
    pub forecast_millis: u32,
    /// What is added to it, in thousandths of a busy slot.
    pub headroom_millis: u32,
    /// How much of both may wait in the queue and be in time, in thousandths of a busy slot.
    pub queue_millis: u32,
    /// How far ahead it looks, in milliseconds.
    pub lead_millis: u32,
    /// Completions from which the service time was learned; the first [`LEARNED`] of them say little.
    pub completions: u32,
}

/// So many completions make a mean service time that can be relied on: its standard error is then below a tenth of the
/// standard deviation.
pub const LEARNED: u32 = 200;

impl Objective {
    /// The share of requests, in 2⁻³² ths, that may find demand above the plan.
    pub(crate) fn allowance(&self, known: &Circumstances) -> u64 {
        let allowance = match self.may_be_late() {
            Some(late) => {
                let least = times(ratio(late.saturating_mul(ALLOWANCE), ONE, MICRO), E_SQUARED);
                times(least, decay(known.caution, ONE))
            }
            None => ratio(ONE, known.service / 1_000, self.worth(0).saturating_mul(u64::from(known.concurrency))),
        };
        allowance.min(WIDEST)
    }

    /// What it would cost at a price in worker-seconds if all that come were late, in millionths of a worker-second per second.
    pub(crate) fn all_late(price: u32, known: &Circumstances) -> u64 {
        u64::from(price).saturating_mul(known.rate)
    }

    /// The plan, if demand strays from its forecast by `error` 256ths of a unit, and part of it may wait.
    pub(crate) fn draft(&self, known: &Circumstances, error: i64, queue: Queue) -> Draft {
        let (forecast, slots) = strayed(known, error);
        let peak = whole(known.highest.saturating_add(deviation(known.highest) / 2)).max(known.highest);
        let (slots, because) = match known.spread {
            _ if slots > peak => (peak, Because::Peak),
            Spread::Slots if slots > forecast => (slots, Because::Reserve),
            _ => (slots, Because::Headroom),
        };
        let busy = self.without_queue(known, slots, queue);
        let workers = div_ceil_count(busy, u64::from(known.concurrency).saturating_mul(MICRO));
        let drain = self.drain(known);
        let (workers, because) = if drain > workers { (drain, Because::Drain) } else { (workers, because) };
        let (headroom, queue) = (slots.saturating_sub(forecast), slots.saturating_sub(busy));
        Draft { forecast, headroom, queue, workers, because }
    }

    /// What it costs to provide for such an error where demand is what comes, in millionths of a worker-second per second. So
    /// it grows with what comes less than what may be late does, and more load never asks for fewer workers.
    pub(crate) fn reserve(&self, known: &Circumstances, error: i64) -> i64 {
        let load = known.spread.unit(per_second(known.rate, known.service));
        let room = known.service.saturating_add(self.queue(known) / SURGE).max(1);
        let slots = u64::from(known.concurrency);
        let of_one = ratio(load, known.service, room.saturating_mul(slots));
        i64::try_from(of_one).unwrap_or(i64::MAX).saturating_mul(error) / 256
    }

    /// The slots that are needed where some of the demand may wait.
    fn without_queue(&self, known: &Circumstances, slots: u64, queue: Queue) -> u64 {
        let bold = match queue {
            Queue::Whole => ONE.saturating_mul(CAUTION),
            Queue::Share if self.may_be_late().is_some() => ONE.saturating_mul(CAUTION).saturating_sub(known.caution),
            Queue::Share => 0,
        };
        if !known.measured || bold == 0 {
            return slots;
        }
        let patience = ratio(self.queue(known), bold, ONE.saturating_mul(CAUTION)) / SURGE;
        let busy = ratio(slots, known.service, known.service.saturating_add(patience).max(1));
        let load = per_second(known.rate, known.service);
        let free = (deviation(load) / 2).min(ratio(TAIL, known.service, self.patience()));
        busy.max(load.saturating_add(free).min(slots))
    }

    /// How much of what may be waited is left to a queue, in nanoseconds: no more than a service time, since surges last longer
    /// than two, but where help comes within a lead, as much more as that is shorter.
    fn queue(&self, known: &Circumstances) -> u64 {
        let helped = ratio(self.patience(), known.service.saturating_mul(SURGE), known.lead);
        self.patience().min(known.service.max(helped))
    }

    /// The count that works off a backlog.
    fn drain(&self, known: &Circumstances) -> u32 {
        let Circumstances { service, lead, concurrency, .. } = *known;
        let slots = u64::from(concurrency).saturating_mul(MICRO);
        let load = per_second(known.coming, service);
        let served = |workers: u32, nanos: u64| ratio(slots.saturating_mul(u64::from(workers)), nanos, service.max(1));
        let come = known.waiting.saturating_mul(MICRO).saturating_add(per_second(known.coming, lead));
        // Those who are served before they are late wait for nobody.
        let until = lead.saturating_add(self.patience());
        let backlog = come.saturating_sub(served(known.ready, until)).saturating_sub(served(known.starting, until / 2));
        if backlog <= MICRO || !known.measured {
            return 0;
        }
        // worth × load × backlog / (lead + 5 s), in millionths squared.
        let saved = u128::from(ratio(self.worth(service), load, MICRO));
        let cost = u128::from(lead.saturating_add(SOON) / 1_000).max(1);
        let square = saved.saturating_mul(u128::from(backlog)).saturating_mul(u128::from(MICRO)).checked_div(cost);
        let extra = u64::try_from(square.map_or(0, u128::isqrt)).unwrap_or(u64::MAX).min(backlog);
        div_ceil_count(load.saturating_add(extra), slots)
    }

    pub(super) fn propose(inputs: &Inputs) -> Proposal {
        let (source, (_, known)) = (Source::Objective, inputs.in_system());
        let Some(plan) = inputs.plan else { return Proposal::blind(source, Because::Missing) };
        let because = plan.because;
        if known {
            Proposal::exactly(source, because, plan.workers)
        } else {
            Proposal { want: plan.workers, ..Proposal::blind(source, Because::Missing) }
        }
    }

    /// Plans are made at ticks, and when a request comes where none was.
    pub(super) fn steady(inputs: &Inputs) -> Steady {
        let requests = if inputs.in_system().0 == 0 { (0, 0) } else { (1, u64::MAX) };
        Steady { requests, ..Steady::ANYWHERE }
    }
}

/// The demand that is expected a lead ahead, from demand and rate now. As long as nobody knows how long requests take, they
/// stay.
pub(crate) fn forecast(known: &Circumstances, demand: u64, rate: u64) -> u64 {
    if !known.measured {
        return demand;
    }
    let stays = decay(known.lead, known.service);
    let comes = times(per_second(rate, known.service), ONE.saturating_sub(stays));
    times(demand, stays).saturating_add(comes)
}

/// The forecast, and what demand is if it strays from it by so many 256ths of a unit.
fn strayed(known: &Circumstances, error: i64) -> (u64, u64) {
    let forecast = forecast(known, known.demand, known.coming);
    let headroom = i64::try_from(known.spread.unit(forecast)).unwrap_or(i64::MAX).saturating_mul(error) / 256;
    (forecast, forecast.saturating_add_signed(headroom))
}

/// `√(m + 1)`: the standard deviation of Poisson demand, and of one request where none is expected.
pub(crate) const fn deviation(demand: u64) -> u64 {
    demand.saturating_add(MICRO).saturating_mul(MICRO).isqrt()
}

/// Without what is less than a slot.
const fn whole(slots: u64) -> u64 {
    slots.saturating_sub(slots % MICRO)
}

/// What comes in `nanos` at a rate.
fn per_second(rate: u64, nanos: u64) -> u64 {
    ratio(rate, nanos, 1_000_000_000)
}

#[cfg(test)]
mod tests;
