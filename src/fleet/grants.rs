//! How a budget's grants reach the services: shrinking at once, growing when there is room.
//!
//! A service counts with what its cap allows or what it has, whichever is more, and beside that with the workers that are
//! on their way out. While nobody is short, a service that wants more is granted it as soon as it fits. Otherwise what all
//! want is shared out by [`Budget::allocate`], which gives each its target; then the same function, with what is there as
//! floors, says how much of it there is room for.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt;

use super::budget::{Budget, Claim, Kind};
use super::profile::{Known, Profile};
use crate::autoscaler::Needs;
use crate::observation::Grant;

/// How many of the others a shortage names.
const NAMED: usize = 3;

/// What is granted, by kind.
#[derive(Clone, Debug)]
pub(super) struct Grants<K> {
    pots: BTreeMap<Kind, Pot<K>>,
}

impl<K> Default for Grants<K> {
    fn default() -> Self {
        Self { pots: BTreeMap::new() }
    }
}

/// One kind's units and who has them.
#[derive(Clone, Debug)]
struct Pot<K> {
    budget: u64,
    holds: BTreeMap<K, Hold>,
    /// Units that the holds count with.
    used: u64,
    /// How many have less than they want.
    short: usize,
    /// Something has changed since it was shared out.
    unsettled: bool,
}

/// One service's part.
#[derive(Clone, Copy, Debug)]
struct Hold {
    cap: u32,
    /// Whether the service has been told of it.
    told: bool,
    needs: Needs,
    /// What it asks for, with its place in the budget.
    claim: Claim,
}

impl Hold {
    fn units(&self, workers: u32) -> u64 {
        u64::from(workers).saturating_mul(u64::from(self.claim.units.get()))
    }

    /// Workers that it may have at the most as things stand, those on their way out included.
    fn workers(&self) -> u32 {
        self.cap.max(self.needs.staying).saturating_add(self.needs.leaving)
    }

    const fn present(&self) -> u32 {
        self.needs.staying.saturating_add(self.needs.leaving)
    }

    fn is_short(&self) -> bool {
        self.cap < self.claim.most()
    }

    fn is_empty(&self) -> bool {
        self.workers() == 0 && !self.is_short()
    }
}

impl<K: Ord + Clone> Pot<K> {
    fn put(&mut self, key: &K, hold: Hold) {
        self.take(key);
        self.used = self.used.saturating_add(hold.units(hold.workers()));
        self.short = self.short.saturating_add(usize::from(hold.is_short()));
        self.holds.insert(key.clone(), hold);
    }

    fn take(&mut self, key: &K) -> Option<Hold> {
        let hold = self.holds.remove(key)?;
        self.used = self.used.saturating_sub(hold.units(hold.workers()));
        self.short = self.short.saturating_sub(usize::from(hold.is_short()));
        Some(hold)
    }

    fn grant(&self, workers: u32) -> Grant {
        let others = u32::try_from(self.holds.len().saturating_sub(1)).unwrap_or(u32::MAX);
        Grant { workers, budget: self.budget, others }
    }

    /// Takes over what a service needs now. Its cap, if it has another one or was never told.
    fn update(&mut self, key: &K, claim: Claim, needs: Needs) -> Option<Grant> {
        let before = self.take(key);
        let cap = before.map_or(0, |hold| hold.cap);
        let told = before.is_some_and(|hold| hold.told);
        let mut hold = Hold { cap, told, needs, claim };
        let wanted = claim.most();
        if wanted < cap {
            hold.cap = wanted;
        } else if wanted > cap && self.short == 0 {
            let granted = Hold { cap: wanted, ..hold };
            if self.used.saturating_add(granted.units(granted.workers())) <= self.budget {
                hold = granted;
            }
        }
        // Somebody waits, and it is not for the same as before; or there is more than there may be.
        let same =
            before.is_some_and(|before| before.needs == needs && before.cap == hold.cap && before.claim == claim);
        let above = self.used.saturating_add(hold.units(hold.workers())) > self.budget;
        let waits = self.short > 0 || hold.is_short();
        self.unsettled |= !same && (waits || above);
        // Who has nothing and wants nothing needs no word of it.
        let tell = hold.cap != cap || !told && !hold.is_empty();
        hold.told = true;
        if !hold.is_empty() {
            self.put(key, hold);
        }
        tell.then(|| self.grant(hold.cap))
    }

    /// Shares the units out anew; who has another cap than before.
    fn settle(&mut self, kind: Kind) -> Vec<(K, Grant)> {
        self.unsettled = false;
        let budget = Budget::of(kind, self.budget);
        let holds: Vec<Hold> = self.holds.values().copied().collect();
        let claims: Vec<Claim> = holds.iter().map(|hold| hold.claim).collect();
        let targets = budget.allocate(&claims);
        // What there is must go before anything comes.
        let claims: Vec<Claim> = holds
            .iter()
            .zip(&targets)
            .map(|(hold, target)| {
                let most = target.saturating_add(hold.needs.leaving).max(hold.present());
                Claim { wanted: most, floor: hold.present(), cap: u32::MAX, ..hold.claim }
            })
            .collect();
        let rooms = budget.allocate(&claims);
        let mut changed = Vec::new();
        let (mut used, mut short) = (0_u64, 0_usize);
        for ((key, hold), (target, room)) in self.holds.iter_mut().zip(targets.into_iter().zip(rooms)) {
            let cap = target.min(room.saturating_sub(hold.needs.leaving));
            if cap != hold.cap || !hold.told {
                (hold.cap, hold.told) = (cap, true);
                changed.push(key.clone());
            }
            used = used.saturating_add(hold.units(hold.workers()));
            short = short.saturating_add(usize::from(hold.is_short()));
        }
        (self.used, self.short) = (used, short);
        let granted = |key: K| self.holds.get(&key).map(|hold| hold.cap).map(|cap| (key, self.grant(cap)));
        changed.into_iter().filter_map(granted).collect()
    }
}

impl<K: Ord + Clone> Grants<K> {
    /// Has these units shared from now on. What services have already is granted until it is shared out. Those that no
    /// budget limits any more are given back.
    pub(super) fn set_budget<'a>(
        &mut self,
        budget: &Budget,
        awake: impl Iterator<Item = (&'a K, &'a Known, Needs)>,
    ) -> Vec<K>
    where
        K: 'a,
    {
        let before = core::mem::take(&mut self.pots);
        for (kind, units) in budget.kinds() {
            let pot = Pot { budget: units, holds: BTreeMap::new(), used: 0, short: 0, unsettled: true };
            self.pots.insert(kind, pot);
        }
        for (key, known, needs) in awake {
            let kind = known.profile.kind();
            let Some(pot) = self.pots.get_mut(&kind) else { continue };
            let old = before.get(&kind).and_then(|pot| pot.holds.get(key)).copied();
            // Told anew, for the budget's size.
            let cap = old.map_or(needs.staying, |hold| hold.cap);
            let hold = Hold { cap, told: false, needs, claim: known.profile.claim(needs) };
            pot.put(key, hold);
        }
        let freed = before.into_iter().filter(|(kind, _)| !self.pots.contains_key(kind));
        freed.flat_map(|(_, pot)| pot.holds.into_keys()).collect()
    }

    /// Takes over what a service needs now. Its grant, if that is another one.
    pub(super) fn update(&mut self, key: &K, profile: &Profile, needs: Needs) -> Option<Grant> {
        self.pots.get_mut(&profile.kind())?.update(key, profile.claim(needs), needs)
    }

    /// Whether any kind is limited.
    pub(super) fn are_any(&self) -> bool {
        !self.pots.is_empty()
    }

    pub(super) fn limits(&self, kind: Kind) -> bool {
        self.pots.contains_key(&kind)
    }

    /// A service comes with what it has.
    pub(super) fn seed(&mut self, key: &K, profile: &Profile, needs: Needs) {
        if let Some(pot) = self.pots.get_mut(&profile.kind()) {
            pot.put(key, Hold { cap: needs.staying, told: false, needs, claim: profile.claim(needs) });
            pot.unsettled = true;
        }
    }

    /// The service is gone.
    pub(super) fn forget(&mut self, kind: Kind, key: &K) {
        if let Some(pot) = self.pots.get_mut(&kind) {
            pot.unsettled |= pot.take(key).is_some() && pot.short > 0;
        }
    }

    /// Whether the service counts with anything.
    pub(super) fn holds(&self, kind: Kind, key: &K) -> bool {
        self.pots.get(&kind).is_some_and(|pot| pot.holds.contains_key(key))
    }

    pub(super) fn is_unsettled(&self) -> bool {
        self.pots.values().any(|pot| pot.unsettled)
    }

    /// Shares out anew what is to be shared out anew; who has another grant than before.
    pub(super) fn settle(&mut self) -> Vec<(K, Grant)> {
        let unsettled = self.pots.iter_mut().filter(|(_, pot)| pot.unsettled);
        unsettled.flat_map(|(kind, pot)| pot.settle(*kind)).collect()
    }

    pub(super) fn shortage(&self, kind: Kind, key: &K) -> Option<Shortage<K>> {
        let pot = self.pots.get(&kind)?;
        let hold = pot.holds.get(key).filter(|hold| hold.is_short())?;
        let mut others: Vec<Holder<K>> = pot
            .holds
            .iter()
            .filter(|(other, hold)| *other != key && hold.workers() > 0)
            .map(|(key, hold)| Holder { key: key.clone(), units: hold.units(hold.workers()) })
            .collect();
        others.sort_by_key(|holder| core::cmp::Reverse(holder.units));
        let more = others.len().saturating_sub(NAMED);
        others.truncate(NAMED);
        Some(Shortage { wanted: hold.claim.most(), granted: hold.cap, budget: pot.budget, kind, others, more })
    }
}

/// Why a service has less than it wants.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Shortage<K> {
    /// Workers that it wants.
    pub wanted: u32,
    /// Workers that it is granted.
    pub granted: u32,
    /// The budget, in units.
    pub budget: u64,
    /// Of which kind.
    pub kind: Kind,
    /// Who has most of the rest, the largest first.
    pub others: Vec<Holder<K>>,
    /// How many others there are beside those.
    pub more: usize,
}

/// One of those who share a budget.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Holder<K> {
    /// The service.
    pub key: K,
    /// Units that it has or may have.
    pub units: u64,
}

impl<K: fmt::Display> fmt::Display for Shortage<K> {
    /// `wants 8, granted 5: budget of 64 shared with video (40), search (12), mail (4) and 2 more`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "wants {}, granted {}: budget of {}", self.wanted, self.granted, self.budget)?;
        for (position, Holder { key, units }) in self.others.iter().enumerate() {
            write!(f, "{}{key} ({units})", if position == 0 { " shared with " } else { ", " })?;
        }
        if self.more > 0 {
            write!(f, " and {} more", self.more)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
