//! One budget for many services: who is granted how many workers of what there is.
//!
//! [`Budget::allocate`] is a pure function. In this order, and never above the budget of a kind:
//!
//! 1. **floors**, of higher priority classes first where even the floors do not fit;
//! 2. what is **wanted**, class by class: a lower class gets what the higher ones leave;
//! 3. within a class **weighted max-min fairness** in capacity units: there is one level λ such that every service has
//!    `λ × weight` units, but no less than its floor and no more than it wants (Bertsekas and Gallager, *Data Networks*,
//!    section 6.5.2; floors are lower limits, not a share that comes on top);
//! 4. **whole workers**: rounded down, and what that leaves over goes to the largest remainders, compared to 2⁻³² of a
//!    worker, at a tie to the earlier claim; then, in the order of the claims, to whoever it still buys a worker.
//!
//! So a grant is less than one worker below its fair share, and above it by no more than a worker of those that still
//! wait; nothing is left that would buy a worker for somebody who wants one. The cost is linear in the number of claims but for the sorting of those remainders that get a worker.

mod fill;

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use self::fill::{Share, fill};

/// A kind of capacity with a budget of its own, such as one GPU model.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Kind(pub u16);

/// What one service asks of the budget.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "callers may build it from their own numbers")]
pub struct Claim {
    /// Workers wanted.
    pub wanted: u32,
    /// Workers that are granted before anybody else's wishes, wanted or not.
    pub floor: u32,
    /// Workers that are granted at the most; it goes before the floor.
    pub cap: u32,
    /// The share within the class: twice the weight, twice the units.
    pub weight: NonZeroU32,
    /// Higher goes before lower.
    pub priority: u8,
    /// Capacity units that one worker takes.
    pub units: NonZeroU32,
    /// What kind of units.
    pub kind: Kind,
}

impl Claim {
    /// `wanted` workers of one unit each, of the default kind, with weight one in the lowest class, no floor and no cap.
    #[must_use]
    pub const fn new(wanted: u32) -> Self {
        let one = NonZeroU32::MIN;
        Self { wanted, floor: 0, cap: u32::MAX, weight: one, priority: 0, units: one, kind: Kind(0) }
    }

    /// The floor, within the cap.
    pub(crate) fn least(&self) -> u32 {
        self.floor.min(self.cap)
    }

    /// What is granted if there is enough.
    pub(crate) fn most(&self) -> u32 {
        self.wanted.max(self.floor).min(self.cap)
    }
}

/// Capacity units by kind. A kind without an entry is not limited.
///
/// ```
/// use core::num::NonZeroU32;
/// use plimsoll::fleet::{Budget, Claim, Kind};
///
/// // Eight workers' worth: the important service is served first, the other two share what is left by weight.
/// let budget = Budget::of(Kind(0), 8);
/// let heavy = Claim { weight: NonZeroU32::new(2).unwrap(), ..Claim::new(10) };
/// let claims = [Claim { priority: 1, ..Claim::new(2) }, heavy, Claim::new(10)];
/// assert_eq!(budget.allocate(&claims), [2, 4, 2]);
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Budget {
    units: BTreeMap<Kind, u64>,
}

impl Budget {
    /// So many units of one kind.
    #[must_use]
    pub fn of(kind: Kind, units: u64) -> Self {
        Self::default().with(kind, units)
    }

    /// So many units of another kind as well.
    #[must_use]
    pub fn with(mut self, kind: Kind, units: u64) -> Self {
        self.units.insert(kind, units);
        self
    }

    /// The units of a kind; `None` if it is not limited.
    #[must_use]
    pub fn units(&self, kind: Kind) -> Option<u64> {
        self.units.get(&kind).copied()
    }

    /// The kinds that are limited, each with its units.
    pub fn kinds(&self) -> impl Iterator<Item = (Kind, u64)> {
        self.units.iter().map(|(kind, units)| (*kind, *units))
    }

    /// Workers granted to each claim, in their order; what is guaranteed stands with [`Claim`]'s module.
    #[must_use]
    pub fn allocate(&self, claims: &[Claim]) -> Vec<u32> {
        let mut grants: Vec<u32> = claims.iter().map(Claim::most).collect();
        let mut classes: Vec<(Kind, Vec<Share>)> =
            self.classes(claims).into_iter().map(|((kind, _), class)| (kind, class)).collect();
        for classes in classes.chunk_by_mut(|(one, _), (other, _)| one == other) {
            let mut left = classes.first().and_then(|(kind, _)| self.units(*kind)).unwrap_or(u64::MAX);
            for (_, class) in &mut *classes {
                left = floors(class, claims, left);
            }
            for (_, class) in classes {
                let floors = class.iter().fold(0, |units: u64, share| units.saturating_add(share.least()));
                left = fill(class, left.saturating_add(floors));
                for share in class {
                    if let Some(grant) = grants.get_mut(share.claim as usize) {
                        *grant = share.granted;
                    }
                }
            }
        }
        grants
    }

    /// The claims on limited kinds, by kind and class, the highest class first.
    fn classes(&self, claims: &[Claim]) -> BTreeMap<(Kind, Reverse<u8>), Vec<Share>> {
        let mut classes: BTreeMap<(Kind, Reverse<u8>), Vec<Share>> = BTreeMap::new();
        let limited = |claim: &Claim| self.units.contains_key(&claim.kind);
        for (claim, at) in claims.iter().zip(0_u32..).filter(|(claim, _)| limited(claim)) {
            let share = Share {
                claim: at,
                low: 0,
                high: claim.most(),
                weight: claim.weight.get(),
                units: claim.units.get(),
                granted: 0,
            };
            classes.entry((claim.kind, Reverse(claim.priority))).or_default().push(share);
        }
        classes
    }
}

/// Grants a class its floors, as far as what is left goes, and gives what then is left.
fn floors(class: &mut [Share], claims: &[Claim], left: u64) -> u64 {
    let least = |share: &Share| claims.get(share.claim as usize).map_or(0, Claim::least);
    let needed = class.iter().fold(0, |units: u64, share| units.saturating_add(share.units_of(least(share))));
    if needed <= left {
        for share in class {
            share.low = least(share);
        }
        return left.saturating_sub(needed);
    }
    let mut floors: Vec<Share> = class.iter().map(|share| Share { high: least(share), ..*share }).collect();
    let left = fill(&mut floors, left);
    for (share, floor) in class.iter_mut().zip(floors) {
        share.low = floor.granted;
    }
    left
}

#[cfg(test)]
mod tests;
