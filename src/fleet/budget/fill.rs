//! Weighted max-min fairness within one class: the level up to which everybody is filled, and whole workers from it.

use alloc::vec::Vec;
use core::cmp::Ordering;

/// How many breakpoints are looked at to choose the next pivot.
const SAMPLE: usize = 31;

/// One claim's part in a class, in workers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share {
    /// The claim's position.
    pub(super) claim: u32,
    /// No less than so many, …
    pub(super) low: u32,
    /// … and no more than so many.
    pub(super) high: u32,
    pub(super) weight: u32,
    /// Of one worker.
    pub(super) units: u32,
    pub(super) granted: u32,
}

impl Share {
    /// So many workers, in capacity units.
    pub(super) const fn units_of(&self, workers: u32) -> u64 {
        (workers as u64).saturating_mul(self.units as u64)
    }

    pub(super) const fn least(&self) -> u64 {
        self.units_of(self.low)
    }

    const fn most(&self) -> u64 {
        self.units_of(self.high)
    }

    const fn taken(&self) -> u64 {
        self.units_of(self.granted)
    }

    const fn wants_more(&self) -> bool {
        self.granted < self.high
    }

    fn give(&mut self, workers: u32, left: &mut u64) {
        self.granted = self.granted.saturating_add(workers);
        *left = left.saturating_sub(u64::from(workers).saturating_mul(u64::from(self.units)));
    }
}

/// Units per weight, as a fraction.
#[derive(Clone, Copy, Debug)]
struct Level {
    units: u64,
    weight: u32,
}

impl Level {
    /// This level against the one at which `weight` has `units`.
    fn cmp(self, units: u64, weight: u32) -> Ordering {
        let here = u128::from(self.units).saturating_mul(u128::from(weight));
        here.cmp(&u128::from(units).saturating_mul(u128::from(self.weight)))
    }
}

/// Grants so much of `budget` as is wanted and gives what is left. The least of all together must fit.
pub(super) fn fill(shares: &mut [Share], budget: u64) -> u64 {
    let wanted = shares.iter().fold(0, |sum: u64, share| sum.saturating_add(share.most()));
    if wanted <= budget {
        for share in shares {
            share.granted = share.high;
        }
        return budget.saturating_sub(wanted);
    }
    let Filled { mut filling, weight } = level(shares, budget);
    let taken = |shares: &[Share]| shares.iter().fold(0, |sum: u64, share| sum.saturating_add(share.taken()));
    // Those that are being filled share what the others leave by weight.
    let rest = budget.saturating_sub(taken(shares));
    let mut left = rest;
    for (remainder, at) in &mut filling {
        let Some(share) = shares.get_mut(*at as usize) else { continue };
        let part = u128::from(rest).saturating_mul(u128::from(share.weight));
        let worker = u128::from(weight).saturating_mul(u128::from(share.units));
        let (workers, over) = div_rem(part, worker);
        share.give(u32::try_from(workers).unwrap_or(u32::MAX).min(share.high), &mut left);
        *remainder = u32::try_from(div_rem(over << 32, worker).0).unwrap_or(u32::MAX);
    }
    let filling = by_remainder(&filling, shares, left);
    for at in filling {
        if let Some(share) = shares.get_mut(at as usize).filter(|share| share.wants_more()) {
            let fits = u64::from(share.units) <= left;
            share.give(u32::from(fits), &mut left);
        }
    }
    buy_what_is_left(shares, left)
}

/// What a level leaves to divide.
struct Filled {
    /// Those that the level lies within the limits of, by position, with nothing granted yet. Of all others it is known
    /// whether they are granted their least or their most.
    filling: Vec<(u32, u32)>,
    /// Their weights together.
    weight: u64,
}

/// Finds between which limits the level lies, by quickselect over the levels at which a share begins and ends to be
/// filled: in each round at least one of them, and mostly half of them, is passed.
fn level(shares: &mut [Share], budget: u64) -> Filled {
    let (mut lower, mut upper) = (Level { units: 0, weight: 1 }, None::<Level>);
    let mut filled = Filled { filling: Vec::new(), weight: 0 };
    let mut settled: u128 = 0;
    let mut open: Vec<u32> = Vec::with_capacity(shares.len());
    for (share, at) in shares.iter_mut().zip(0_u32..) {
        share.granted = share.low;
        if share.low < share.high {
            open.push(at);
        } else {
            settled = settled.saturating_add(u128::from(share.least()));
        }
    }
    while !open.is_empty() {
        let Some(pivot) = pivot(&open, shares, lower, upper) else { break };
        let (mut fixed, mut weight) = (settled, u128::from(filled.weight));
        for share in open.iter().filter_map(|at| shares.get(*at as usize)) {
            if pivot.cmp(share.most(), share.weight).is_ge() {
                fixed = fixed.saturating_add(u128::from(share.most()));
            } else if pivot.cmp(share.least(), share.weight).is_le() {
                fixed = fixed.saturating_add(u128::from(share.least()));
            } else {
                weight = weight.saturating_add(u128::from(share.weight));
            }
        }
        let filling = weight.saturating_mul(u128::from(pivot.units));
        let scaled = |units: u128| units.saturating_mul(u128::from(pivot.weight));
        if scaled(fixed).saturating_add(filling) <= scaled(u128::from(budget)) {
            lower = pivot;
        } else {
            upper = Some(pivot);
        }
        let below = |units: u64, weight: u32| upper.is_none_or(|upper| upper.cmp(units, weight).is_gt());
        open.retain(|at| {
            let Some(share) = shares.get_mut(*at as usize) else { return false };
            if lower.cmp(share.most(), share.weight).is_ge() {
                settled = settled.saturating_add(u128::from(share.most()));
                share.granted = share.high;
                return false;
            }
            if !below(share.least(), share.weight) {
                settled = settled.saturating_add(u128::from(share.least()));
                return false;
            }
            let begun = lower.cmp(share.least(), share.weight).is_ge();
            if begun && !below(share.most(), share.weight) {
                filled.filling.push((0, *at));
                filled.weight = filled.weight.saturating_add(u64::from(share.weight));
                share.granted = 0;
                return false;
            }
            true
        });
    }
    filled
}

/// About the median of the levels between `lower` and `upper` at which one of these begins or ends to be filled.
fn pivot(open: &[u32], shares: &[Share], lower: Level, upper: Option<Level>) -> Option<Level> {
    let mut sample: Vec<Level> = Vec::with_capacity(SAMPLE.saturating_mul(2));
    let stride = open.len().checked_div(SAMPLE).unwrap_or(0).max(1);
    for share in open.iter().step_by(stride).filter_map(|at| shares.get(*at as usize)) {
        for units in [share.least(), share.most()] {
            let above = lower.cmp(units, share.weight).is_lt();
            if above && upper.is_none_or(|upper| upper.cmp(units, share.weight).is_gt()) {
                sample.push(Level { units, weight: share.weight });
            }
        }
    }
    sample.sort_unstable_by(|a, b| a.cmp(b.units, b.weight));
    sample.get(sample.len() / 2).copied()
}

/// The positions of those whose remainders are the largest; only so many as may get a worker for it.
fn by_remainder(filling: &[(u32, u32)], shares: &[Share], left: u64) -> Vec<u32> {
    let share = |at: u32| shares.get(at as usize);
    let mut keys: Vec<u64> = filling
        .iter()
        .filter(|(_, at)| share(*at).is_some_and(Share::wants_more))
        .map(|(remainder, at)| (u64::from(!remainder) << 32) | u64::from(*at))
        .collect();
    let units = |(_, at): &(u32, u32)| share(*at).map_or(1, |share| u64::from(share.units));
    let (least, most) = (filling.iter().map(units).min(), filling.iter().map(units).max());
    if least == most {
        // All cost the same, so it is known how many fit.
        let fit = left.checked_div(least.unwrap_or(1)).and_then(|fit| usize::try_from(fit).ok()).unwrap_or(0);
        if fit < keys.len() {
            let _ = keys.select_nth_unstable(fit);
            keys.truncate(fit);
        }
    } else {
        keys.sort_unstable();
    }
    keys.into_iter().map(|key| u32::try_from(key & u64::from(u32::MAX)).unwrap_or(u32::MAX)).collect()
}

/// What is left is less than one worker of those that wait for one: whoever it still buys workers gets them, in turn.
fn buy_what_is_left(shares: &mut [Share], mut left: u64) -> u64 {
    let waiting = |share: &&mut Share| share.wants_more();
    let Some(least) = shares.iter().filter(|share| share.wants_more()).map(|share| u64::from(share.units)).min() else {
        return left;
    };
    for share in shares.iter_mut().filter(waiting) {
        if left < least {
            break;
        }
        let fit = left.checked_div(u64::from(share.units)).unwrap_or(0);
        let more = u64::from(share.high.saturating_sub(share.granted)).min(fit);
        share.give(u32::try_from(more).unwrap_or(u32::MAX), &mut left);
    }
    left
}

/// Quotient and remainder; what fits 64 bits is much quicker.
fn div_rem(part: u128, whole: u128) -> (u128, u128) {
    if let (Ok(part), Ok(whole)) = (u64::try_from(part), u64::try_from(whole)) {
        return (part.checked_div(whole).unwrap_or(0).into(), part.checked_rem(whole).unwrap_or(0).into());
    }
    (part.checked_div(whole).unwrap_or(0), part.checked_rem(whole).unwrap_or(0))
}
