//! Which of the workers with a free slot takes the next request.

use std::collections::BTreeSet;
use std::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::sim::chance::Chance;

/// Which of the workers with a free slot takes the next request.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Router {
    /// The one ordered first. Idle workers gather at the other end and can go; the default, since it is what an
    /// autoscaler needs of a router.
    #[default]
    LowestId,
    /// The one that serves the fewest requests, of several the one ordered first.
    LeastLoaded,
    /// Any, with equal chances.
    Random,
}

/// The workers with a free slot, in the order that the router needs.
#[derive(Debug)]
pub(super) enum Free {
    Lowest(Bits),
    Least(BTreeSet<(u32, usize)>),
    Random(Bag, Chance),
}

impl Default for Free {
    fn default() -> Self {
        Self::Lowest(Bits::default())
    }
}

impl Free {
    pub(super) fn new(router: Router, seed: u64) -> Self {
        match router {
            Router::LowestId => Self::Lowest(Bits::default()),
            Router::LeastLoaded => Self::Least(BTreeSet::new()),
            Router::Random => Self::Random(Bag::default(), Chance::of(seed, "router")),
        }
    }

    /// The one that takes the next request.
    #[inline]
    pub(super) fn next(&mut self) -> Option<usize> {
        if let Self::Lowest(bits) = self { bits.first() } else { self.next_of_others() }
    }

    #[inline(never)]
    fn next_of_others(&mut self) -> Option<usize> {
        match self {
            Self::Lowest(bits) => bits.first(),
            Self::Least(set) => set.first().map(|(_, at)| *at),
            Self::Random(bag, chance) => bag.any(chance),
        }
    }

    /// A worker had and has so many requests in service, if it had and has a free slot.
    #[inline]
    pub(super) fn update(&mut self, at: usize, old: Option<u32>, new: Option<u32>) {
        match self {
            Self::Lowest(bits) if old.is_some() != new.is_some() => bits.set(at, new.is_some()),
            Self::Lowest(_) => {}
            Self::Least(_) | Self::Random(..) => self.update_others(at, old, new),
        }
    }

    #[inline(never)]
    fn update_others(&mut self, at: usize, old: Option<u32>, new: Option<u32>) {
        match self {
            Self::Least(set) => {
                if let Some(busy) = old {
                    set.remove(&(busy, at));
                }
                if let Some(busy) = new {
                    set.insert((busy, at));
                }
            }
            Self::Random(bag, _) if old.is_some() != new.is_some() => bag.set(at, new.is_some()),
            Self::Lowest(_) | Self::Random(..) => {}
        }
    }
}

/// A set of small numbers: a bit each, and above them a bit for each word that is not empty. Few have more than a word of
/// those.
#[derive(Debug, Default)]
pub(super) struct Bits {
    words: Vec<u64>,
    above: Vec<u64>,
}

impl Bits {
    #[inline]
    fn set(&mut self, at: usize, there: bool) {
        // Above, only whether it is empty is known.
        if !set_bit(&mut self.words, at, there) {
            set_bit(&mut self.above, at / 64, there);
        }
    }

    fn first(&self) -> Option<usize> {
        let lowest = |words: &[u64], at: usize| {
            let bit = words.get(at)?.trailing_zeros() as usize;
            Some(at.saturating_mul(64).saturating_add(bit))
        };
        let above = self.above.iter().position(|word| *word != 0)?;
        lowest(&self.words, lowest(&self.above, above)?)
    }
}

#[inline(never)]
fn grow(words: &mut Vec<u64>, word: usize) {
    words.resize(word.saturating_add(1), 0);
}

/// Whether others are in the same word.
#[inline]
fn set_bit(words: &mut Vec<u64>, at: usize, there: bool) -> bool {
    let (word, bit) = (at / 64, 1_u64 << (at % 64));
    if word >= words.len() {
        grow(words, word);
    }
    let Some(slot) = words.get_mut(word) else { return true };
    let others = *slot & !bit;
    *slot = if there { others | bit } else { others };
    others != 0
}

/// A set of which any member can be drawn.
#[derive(Debug, Default)]
pub(super) struct Bag {
    members: Vec<usize>,
    /// Where each number stands among the members, plus one.
    places: Vec<usize>,
}

impl Bag {
    fn set(&mut self, at: usize, there: bool) {
        if at >= self.places.len() {
            self.places.resize(at.saturating_add(1), 0);
        }
        let Some(place) = self.places.get_mut(at) else { return };
        if there {
            self.members.push(at);
            *place = self.members.len();
            return;
        }
        let index = core::mem::take(place).saturating_sub(1);
        if index < self.members.len() {
            self.members.swap_remove(index);
        }
        let moved = self.members.get(index).and_then(|moved| self.places.get_mut(*moved));
        if let Some(place) = moved {
            *place = index.saturating_add(1);
        }
    }

    fn any(&self, chance: &mut Chance) -> Option<usize> {
        let index = usize::try_from(chance.below(self.members.len() as u64)).unwrap_or(0);
        self.members.get(index).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Workers that come and go at random, as a router sees them and as a plain list has them.
    fn compare(router: Router, check: impl Fn(&[(u32, usize)], usize)) {
        let (mut free, mut chance) = (Free::new(router, 1), Chance::of(7, "test"));
        let mut list: Vec<(u32, usize)> = Vec::new();
        for _ in 0..20_000 {
            let at = usize::try_from(chance.below(300_000)).unwrap() % 5_000 * 61;
            let busy = u32::try_from(chance.below(4)).unwrap();
            let old = list.iter().position(|(_, other)| *other == at).map(|index| list.swap_remove(index).0);
            let new = (busy > 0 && list.len() < 40).then_some(busy);
            free.update(at, old, new);
            list.extend(new.map(|busy| (busy, at)));
            match free.next() {
                Some(next) => check(&list, next),
                None => assert!(list.is_empty()),
            }
            // They leave again before long.
            if list.len() == 40 {
                let (busy, at) = list.swap_remove(0);
                free.update(at, Some(busy), None);
            }
        }
    }

    #[test]
    fn each_router_takes_whom_it_is_named_for() {
        compare(Router::LowestId, |list, next| {
            assert_eq!(Some(next), list.iter().map(|(_, at)| *at).min());
        });
        compare(Router::LeastLoaded, |list, next| {
            assert_eq!(Some(next), list.iter().min().map(|(_, at)| *at));
        });
        compare(Router::Random, |list, next| assert!(list.iter().any(|(_, at)| *at == next)));
    }

    #[test]
    fn chance_has_no_favourites() {
        let mut free = Free::new(Router::Random, 5);
        (0..4).for_each(|at| free.update(at, None, Some(0)));
        let mut counts = [0_u32; 4];
        for _ in 0..40_000 {
            counts[free.next().unwrap()] += 1;
        }
        assert!(counts.iter().all(|count| (9_700..10_300).contains(count)), "{counts:?}");
    }
}
