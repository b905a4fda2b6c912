//! How many workers of each class: the wanted capacity at the least cost, and what bridges the way there.
//!
//! [`mix`] is a pure function. What it gives in the end, `planned`:
//!
//! 1. **floors** first, of each class in turn, as far as they are wanted;
//! 2. **rank by rank**: a class of a higher rank number gets what those before it do not have;
//! 3. within a rank the **least cost** that covers what is left (an exact search, see the source of `cover` for its cost),
//!    unless what runs already does at little more: running workers are exchanged only where that saves more than a
//!    share of what the exchanged ones cost. While ready workers have less than is wanted, a worker that is not ready
//!    costs its [`wait`](Offer::wait) as well, so that one which comes sooner may be the cheaper one. When nothing is
//!    missing any more the prices alone count, and what costs less takes its place without anybody waiting.
//!
//! What it calls for meanwhile, `counts`, is that and, until those of the plan that are ready have the wanted capacity:
//!
//! 4. **what runs beside the plan**, ready workers before starting ones, as much as is missing;
//! 5. **stand-ins** for spot workers of the plan that are not ready, if they are asked for: workers of other classes, in
//!    the same order, that are ordered now and let go when the spot workers are ready.
//!
//! A class's `most` is never exceeded. Whoever calls for `counts` and asks again without anything having changed gets the
//! same.

use alloc::vec;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::cover::{Kind, cover};
use crate::units::Share;

/// One worker of the reference class, in the unit of capacity.
pub const REFERENCE: u32 = 1_000;

/// Rounds in which what is called for settles; two are enough but for contrived prices.
const ROUNDS: u32 = 8;

/// What one class has to offer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_structs, reason = "callers may build it from their own numbers")]
pub struct Offer {
    /// Of one worker, in thousandths of a reference worker.
    pub capacity: u32,
    /// Of one worker, in any unit that all classes share.
    pub price: u64,
    /// Lower goes before higher.
    pub rank: u8,
    /// Workers that are taken before those of other classes, as far as they are wanted.
    pub floor: u32,
    /// Workers that can be had: the limit, or what is there while no more can be ordered.
    pub most: u32,
    /// Workers that are called for and there, starting or ready.
    pub running: u32,
    /// Those of them that are ready.
    pub ready: u32,
    /// Others may stand in for it, and it for nobody.
    pub spot: bool,
    /// What its cold start costs, in the unit of the price: added to it for each worker that is not ready while capacity is
    /// missing. 0 where the price alone decides.
    pub wait: u64,
}

/// What is asked of the classes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_structs, reason = "callers may build it from their own numbers")]
pub struct Order {
    /// Capacity, in thousandths of a reference worker.
    pub wanted: u64,
    /// Whether others are ordered to stand in for spot workers that are not ready.
    pub stand_ins: bool,
    /// Running workers are exchanged where that saves more than this share of what they cost.
    pub saving: Share,
}

/// Workers of each class, in their order.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Mix {
    /// In the end.
    pub planned: Vec<u32>,
    /// Now: with what is kept, and ordered to stand in, until the plan is ready.
    pub counts: Vec<u32>,
    /// What the plan has less than is wanted, in thousandths of a reference worker.
    pub short: u64,
    /// A cheaper plan would exchange running workers and save too little.
    pub stays: bool,
}

/// Shares what is wanted out among the classes; see the [module](self) for what is guaranteed.
///
/// ```
/// use plimsoll::Share;
/// use plimsoll::classes::{Offer, Order, mix};
///
/// let one = Offer { capacity: 1_000, price: 30, rank: 0, floor: 0, most: 10, running: 0, ready: 0, spot: false, wait: 0 };
/// let spot = Offer { price: 10, most: 2, spot: true, ..one };
/// let large = Offer { capacity: 2_500, price: 60, ..one };
/// let order = Order { wanted: 4_000, stand_ins: false, saving: Share::ZERO };
/// // Spot has two and no more. For the rest one large worker costs as much as two others, and is cheaper per capacity.
/// assert_eq!(mix(&order, &[spot, one, large]).planned, [2, 0, 1]);
/// // Two at 29 cost less than one at 60.
/// assert_eq!(mix(&order, &[spot, Offer { price: 29, ..one }, large]).planned, [2, 2, 0]);
/// // They start later, which is worth 2 for each while nothing is ready.
/// assert_eq!(mix(&order, &[spot, Offer { price: 29, wait: 2, ..one }, large]).planned, [2, 0, 1]);
/// ```
#[must_use]
pub fn mix(order: &Order, asked: &[Offer]) -> Mix {
    let mut offers = asked.to_vec();
    let ready: Vec<u32> = offers.iter().map(|offer| offer.ready.min(offer.running).min(offer.most)).collect();
    if capacity(&offers, &ready) >= order.wanted {
        for offer in &mut offers {
            offer.wait = 0;
        }
    }
    let mut mix = Mix::default();
    for _ in 0..ROUNDS {
        mix = once(order, &offers);
        // What is called for now runs when it is asked again.
        let settled = offers.iter().zip(&mix.counts).all(|(offer, count)| offer.running == *count);
        for (offer, count) in offers.iter_mut().zip(&mix.counts) {
            (offer.running, offer.ready) = (*count, offer.ready.min(*count));
        }
        if settled {
            break;
        }
    }
    // What stands in may take a place in the plan: the spot workers that it has it of are not ordered for nothing.
    for ((offer, planned), count) in
        asked.iter().zip(&mix.planned).zip(&mut mix.counts).filter(|((offer, _), _)| offer.spot)
    {
        *count = (*count).min((*planned).max(offer.running));
    }
    mix
}

fn once(order: &Order, offers: &[Offer]) -> Mix {
    let (planned, stays) = plan(order, offers);
    let running = |offer: &Offer| offer.running.min(offer.most);
    let ready = |offer: &Offer| offer.ready.min(running(offer));
    let of = |each: &dyn Fn(&Offer, u32) -> u32| -> Vec<u32> {
        offers.iter().zip(&planned).map(|(offer, planned)| each(offer, *planned)).collect()
    };
    let missing = order.wanted.saturating_sub(capacity(offers, &of(&|offer, planned| planned.min(ready(offer)))));
    // What is ready goes on, what starts may go on starting.
    let ready_beside = of(&|offer, planned| ready(offer).saturating_sub(planned));
    let kept = take(missing, offers, &ready_beside);
    let missing = missing.saturating_sub(capacity(offers, &kept));
    let mut starting = of(&|offer, planned| running(offer).saturating_sub(planned.max(ready(offer))));
    if order.stand_ins {
        let spot = of(&|offer, planned| if offer.spot { planned.saturating_sub(ready(offer)) } else { 0 });
        let bridged = capacity(offers, &kept).saturating_add(capacity(offers, &take(missing, offers, &starting)));
        let open = missing.saturating_add(capacity(offers, &kept)).min(capacity(offers, &spot)).saturating_sub(bridged);
        let taken = sum(&sum(&planned, &kept), &starting);
        let room = offers.iter().zip(&taken);
        let room: Vec<u32> =
            room.map(|(offer, taken)| if offer.spot { 0 } else { offer.most.saturating_sub(*taken) }).collect();
        starting = sum(&starting, &by_rank(open, offers, &room));
    }
    let kept = sum(&kept, &take(missing, offers, &starting));
    Mix { counts: sum(&planned, &kept), short: order.wanted.saturating_sub(capacity(offers, &planned)), planned, stays }
}

/// The workers that are to have the wanted capacity in the end, and whether they are dearer than they might be.
fn plan(order: &Order, offers: &[Offer]) -> (Vec<u32>, bool) {
    let (mut counts, mut left, mut stays) = (vec![0; offers.len()], order.wanted, false);
    for rank in ranks(offers) {
        for (offer, count) in offers.iter().zip(&mut counts).filter(|(offer, _)| offer.rank == rank) {
            let enough = u32::try_from(left.div_ceil(u64::from(offer.capacity.max(1)))).unwrap_or(u32::MAX);
            *count = if offer.capacity == 0 { 0 } else { offer.floor.min(offer.most).min(enough) };
            left = left.saturating_sub(u64::from(offer.capacity).saturating_mul(u64::from(*count)));
        }
    }
    for rank in ranks(offers) {
        let open: Vec<Open> = offers
            .iter()
            .zip(&counts)
            .map(|(offer, floor)| {
                let open = |workers: u32| if offer.rank == rank { workers.saturating_sub(*floor) } else { 0 };
                let running = offer.running.min(offer.most);
                Open { most: open(offer.most), running: open(running), ready: open(offer.ready.min(running)) }
            })
            .collect();
        let (taken, stayed) = level(left, order.saving, offers, &open);
        left = left.saturating_sub(capacity(offers, &taken));
        counts = sum(&counts, &taken);
        stays |= stayed;
    }
    (counts, stays)
}

/// What may be taken of one class.
#[derive(Clone, Copy, Default)]
struct Open {
    most: u32,
    running: u32,
    ready: u32,
}

/// Of one rank: the least cost, or what runs where that costs little more.
fn level(need: u64, saving: Share, offers: &[Offer], open: &[Open]) -> (Vec<u32>, bool) {
    let of = |each: fn(&Open) -> u32| -> Vec<u32> { open.iter().map(each).collect() };
    let (running, ready) = (of(|open| open.running), of(|open| open.ready));
    let least = choose(need, offers, &ready, &of(|open| open.most));
    if running.iter().all(|workers| *workers == 0) {
        return (least, false);
    }
    let none = vec![0; offers.len()];
    let more = of(|open| open.most.saturating_sub(open.running));
    let more = choose(need.saturating_sub(capacity(offers, &running)), offers, &none, &more);
    let staying = choose(need, offers, &ready, &sum(&running, &more));
    let saved = cost(offers, &ready, &staying).saturating_sub(cost(offers, &ready, &least));
    // What is too much either way is not exchanged.
    let used = staying.iter().zip(&running).map(|(staying, running)| *staying.min(running));
    let exchanged: Vec<u32> = used.zip(&least).map(|(used, least)| used.saturating_sub(*least)).collect();
    let worth = price(offers, &exchanged).saturating_mul(u128::from(saving.as_micros()));
    if saved.saturating_mul(1_000_000) > worth { (least, false) } else { (staying, saved > 0) }
}

/// As much as is needed of what there is, at the least cost; who is not ready is waited for.
fn choose(need: u64, offers: &[Offer], ready: &[u32], most: &[u32]) -> Vec<u32> {
    if offers.iter().all(|offer| offer.wait == 0) {
        return take(need, offers, most);
    }
    let both = || offers.iter().zip(ready).zip(most);
    let kind = |offer: &Offer, wait: u64, most: u32| {
        let price = offer.price.saturating_add(wait);
        Kind { capacity: offer.capacity, price, most }
    };
    let there = both().map(|((offer, ready), most)| kind(offer, 0, *ready.min(most)));
    let awaited = both().map(|((offer, ready), most)| kind(offer, offer.wait, most.saturating_sub(*ready)));
    let taken = cover(need, &there.chain(awaited).collect::<Vec<_>>());
    let (there, awaited) = taken.split_at(offers.len().min(taken.len()));
    sum(there, awaited)
}

/// Of so many workers of each class, of whom so many are ready: their prices, and what it costs to wait for the others.
fn cost(offers: &[Offer], ready: &[u32], counts: &[u32]) -> u128 {
    let awaited =
        offers.iter().zip(ready).zip(counts).map(|((offer, ready), count)| {
            u128::from(offer.wait).saturating_mul(u128::from(count.saturating_sub(*ready)))
        });
    price(offers, counts).saturating_add(awaited.fold(0, u128::saturating_add))
}

/// As much as is needed of what can be ordered, rank by rank at the least cost.
fn by_rank(need: u64, offers: &[Offer], most: &[u32]) -> Vec<u32> {
    let (mut counts, mut left) = (vec![0; offers.len()], need);
    for rank in ranks(offers) {
        let of_rank: Vec<u32> =
            offers.iter().zip(most).map(|(offer, most)| if offer.rank == rank { *most } else { 0 }).collect();
        let taken = choose(left, offers, &vec![0; offers.len()], &of_rank);
        left = left.saturating_sub(capacity(offers, &taken));
        counts = sum(&counts, &taken);
    }
    counts
}

/// As much as is needed of what there is, at the least cost.
fn take(need: u64, offers: &[Offer], most: &[u32]) -> Vec<u32> {
    let kinds = offers.iter().zip(most);
    let kinds: Vec<Kind> =
        kinds.map(|(offer, most)| Kind { capacity: offer.capacity, price: offer.price, most: *most }).collect();
    cover(need, &kinds)
}

fn ranks(offers: &[Offer]) -> Vec<u8> {
    let mut ranks: Vec<u8> = offers.iter().map(|offer| offer.rank).collect();
    ranks.sort_unstable();
    ranks.dedup();
    ranks
}

fn sum(one: &[u32], other: &[u32]) -> Vec<u32> {
    one.iter().zip(other).map(|(one, other)| one.saturating_add(*other)).collect()
}

/// Of so many workers of each class, in thousandths of a reference worker.
pub(super) fn capacity(offers: &[Offer], counts: &[u32]) -> u64 {
    let each =
        offers.iter().zip(counts).map(|(offer, count)| u64::from(offer.capacity).saturating_mul(u64::from(*count)));
    each.fold(0, u64::saturating_add)
}

pub(super) fn price(offers: &[Offer], counts: &[u32]) -> u128 {
    let each =
        offers.iter().zip(counts).map(|(offer, count)| u128::from(offer.price).saturating_mul(u128::from(*count)));
    each.fold(0, u128::saturating_add)
}

#[cfg(test)]
mod tests;
