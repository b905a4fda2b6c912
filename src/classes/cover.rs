//! The least cost at which workers of several kinds cover a capacity: a covering knapsack with bounds.
//!
//! Depth-first branch and bound over the kinds, the cheapest per capacity first, most workers first; what is left over is
//! bounded below by its linear relaxation, which takes the rest of the kinds in the same order and the last worker in part.
//! The first solution that it meets takes whole workers in that order, so it costs less than one worker more than any
//! other could. So does whatever is found when the search is given up, after [`NODES`] steps of O(kinds) each: with prices
//! and capacities as they are in practice it ends long before, with the least cost there is.
//!
//! Of several that cost the same it is the one with the most workers of the cheapest kind, then of the next: so it stays
//! what it is when other workers than its own are taken away.

use alloc::vec;
use alloc::vec::Vec;

/// Steps after which the search is given up: some hundred microseconds with sixteen kinds.
const NODES: u32 = 4_096;

/// Workers of one kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Kind {
    /// Of one worker; a worker without any is never taken.
    pub(super) capacity: u32,
    /// Of one worker.
    pub(super) price: u64,
    /// How many there are.
    pub(super) most: u32,
}

impl Kind {
    pub(super) fn capacity_of(&self, workers: u32) -> u64 {
        u64::from(self.capacity).saturating_mul(u64::from(workers))
    }

    pub(super) fn price_of(&self, workers: u32) -> u128 {
        u128::from(self.price).saturating_mul(u128::from(workers))
    }
}

/// Workers of each kind that together have a capacity of `need`, at the least cost; all there are if that is too little.
pub(super) fn cover(need: u64, kinds: &[Kind]) -> Vec<u32> {
    let all: u64 = kinds.iter().map(|kind| kind.capacity_of(kind.most)).fold(0, u64::saturating_add);
    if all <= need {
        return kinds.iter().map(|kind| if kind.capacity == 0 { 0 } else { kind.most }).collect();
    }
    let mut order: Vec<usize> = (0..kinds.len()).collect();
    order.retain(|at| kinds.get(*at).is_some_and(|kind| kind.capacity > 0 && kind.most > 0));
    order.sort_by(|one, other| by_price_per_capacity(kinds.get(*one), kinds.get(*other)));
    let sorted: Vec<Kind> = order.iter().filter_map(|at| kinds.get(*at).copied()).collect();
    let mut search = Search { counts: vec![0; sorted.len()], best: None, nodes: 0, kinds: sorted };
    search.descend(0, need, 0);
    let mut counts = vec![0; kinds.len()];
    for (at, count) in order.into_iter().zip(search.best.map_or(Vec::new(), |(_, counts)| counts)) {
        if let Some(slot) = counts.get_mut(at) {
            *slot = count;
        }
    }
    counts
}

fn by_price_per_capacity(one: Option<&Kind>, other: Option<&Kind>) -> core::cmp::Ordering {
    let (Some(one), Some(other)) = (one, other) else { return core::cmp::Ordering::Equal };
    let crossed = |price: u64, capacity: u32| u128::from(price).saturating_mul(u128::from(capacity));
    crossed(one.price, other.capacity).cmp(&crossed(other.price, one.capacity))
}

struct Search {
    kinds: Vec<Kind>,
    counts: Vec<u32>,
    best: Option<(u128, Vec<u32>)>,
    nodes: u32,
}

impl Search {
    /// Tries every count of the kind at `at`, the most first, with `cost` paid for those before it.
    fn descend(&mut self, at: usize, need: u64, cost: u128) {
        if need == 0 {
            if self.best.as_ref().is_none_or(|(least, _)| cost < *least) {
                let mut counts = self.counts.clone();
                counts.iter_mut().skip(at).for_each(|count| *count = 0);
                self.best = Some((cost, counts));
            }
            return;
        }
        let Some(&kind) = self.kinds.get(at) else { return };
        let next = at.saturating_add(1);
        let enough = u32::try_from(need.div_ceil(u64::from(kind.capacity.max(1)))).unwrap_or(u32::MAX);
        for count in (0..=kind.most.min(enough)).rev() {
            let rest = need.saturating_sub(kind.capacity_of(count));
            let paid = cost.saturating_add(kind.price_of(count));
            let Some(more) = self.bound(next, rest) else { return };
            if self.best.as_ref().is_some_and(|(least, _)| paid.saturating_add(more) >= *least) {
                // With fewer of the cheapest that is left the bound only grows, but for the one that is too much.
                if kind.capacity_of(count) > need {
                    continue;
                }
                return;
            }
            self.nodes = self.nodes.saturating_add(1);
            if self.nodes > NODES && self.best.is_some() {
                return;
            }
            if let Some(slot) = self.counts.get_mut(at) {
                *slot = count;
            }
            self.descend(next, rest, paid);
        }
    }

    /// What the kinds from `from` on take at the least for `need`; `None` if they do not have it.
    fn bound(&self, from: usize, need: u64) -> Option<u128> {
        let (mut need, mut cost) = (need, 0_u128);
        for kind in self.kinds.iter().skip(from) {
            let all = kind.capacity_of(kind.most);
            if all >= need {
                let part = u128::from(kind.price).saturating_mul(u128::from(need));
                let part = part.div_ceil(u128::from(kind.capacity.max(1)));
                return Some(cost.saturating_add(part));
            }
            need = need.saturating_sub(all);
            cost = cost.saturating_add(kind.price_of(kind.most));
        }
        (need == 0).then_some(cost)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn kinds() -> impl Strategy<Value = Vec<Kind>> {
        let capacity = prop_oneof![3 => 1..12_u32, 2 => (1..12_u32).prop_map(|n| n * 250), 1 => Just(0)];
        let price = prop_oneof![4 => 0..12_u64, 1 => 0..1_000_u64];
        let kind = (capacity, price, 0..6_u32).prop_map(|(capacity, price, most)| Kind { capacity, price, most });
        prop::collection::vec(kind, 0..5)
    }

    fn cost(kinds: &[Kind], counts: &[u32]) -> u128 {
        kinds.iter().zip(counts).map(|(kind, count)| kind.price_of(*count)).sum()
    }

    fn capacity(kinds: &[Kind], counts: &[u32]) -> u64 {
        kinds.iter().zip(counts).map(|(kind, count)| kind.capacity_of(*count)).sum()
    }

    /// The same by trying everything.
    fn least(kinds: &[Kind], need: u64) -> Option<u128> {
        let Some((kind, rest)) = kinds.split_first() else { return (need == 0).then_some(0) };
        let tries = (0..=kind.most).filter_map(|count| {
            least(rest, need.saturating_sub(kind.capacity_of(count))).map(|cost| cost + kind.price_of(count))
        });
        tries.min()
    }

    proptest! {
        #[test]
        fn it_is_the_least_cost_there_is(kinds in kinds(), need in prop_oneof![0..60_u64, 0..12_000_u64]) {
            let counts = cover(need, &kinds);
            prop_assert!(counts.iter().zip(&kinds).all(|(count, kind)| *count <= kind.most));
            if let Some(least) = least(&kinds, need) {
                prop_assert!(capacity(&kinds, &counts) >= need);
                prop_assert_eq!(cost(&kinds, &counts), least, "{:?}", counts);
            } else {
                let all: Vec<u32> = kinds.iter().map(|kind| kind.most).collect();
                prop_assert_eq!(capacity(&kinds, &counts), capacity(&kinds, &all));
            }
        }

        #[test]
        fn it_is_the_same_where_only_others_are_taken_away(
            kinds in kinds(), need in 0..12_000_u64, gone in prop::collection::vec(0..6_u32, 5),
        ) {
            let counts = cover(need, &kinds);
            let fewer: Vec<Kind> = kinds.iter().zip(&counts).zip(gone).map(|((kind, count), gone)| {
                Kind { most: kind.most.saturating_sub(gone).max(*count), ..*kind }
            }).collect();
            prop_assert_eq!(cover(need, &fewer), counts);
        }

        #[test]
        fn given_up_it_is_still_within_one_worker(
            kinds in prop::collection::vec((900..1_100_u32, 900_000..1_100_000_u64, 0..400_u32), 16),
            need in 0..6_000_000_u64,
        ) {
            let kinds: Vec<Kind> =
                kinds.into_iter().map(|(capacity, price, most)| Kind { capacity, price, most }).collect();
            let counts = cover(need, &kinds);
            let all: u64 = kinds.iter().map(|kind| kind.capacity_of(kind.most)).sum();
            prop_assert!(capacity(&kinds, &counts) >= need.min(all));
            let search = Search { kinds: sorted(&kinds), counts: Vec::new(), best: None, nodes: 0 };
            if let Some(bound) = search.bound(0, need) {
                let dearest = kinds.iter().map(|kind| u128::from(kind.price)).max().unwrap_or(0);
                prop_assert!(cost(&kinds, &counts) < bound + dearest.max(1) + 1);
            }
        }
    }

    fn sorted(kinds: &[Kind]) -> Vec<Kind> {
        let mut kinds = kinds.to_vec();
        kinds.sort_by(|one, other| by_price_per_capacity(Some(one), Some(other)));
        kinds
    }

    #[test]
    fn two_small_ones_beside_a_large_one_or_a_second_large_one() {
        let kinds = |price| [Kind { capacity: 2_500, price: 40, most: 9 }, Kind { capacity: 1_000, price, most: 9 }];
        assert_eq!(cover(4_500, &kinds(17)), [1, 2]);
        assert_eq!(cover(4_500, &kinds(21)), [2, 0]);
        assert_eq!(cover(0, &kinds(17)), [0, 0]);
        assert_eq!(cover(u64::MAX, &kinds(17)), [9, 9]);
    }

    #[test]
    fn huge_numbers_take_no_longer_and_do_not_overflow() {
        let kind = Kind { capacity: u32::MAX, price: u64::MAX, most: u32::MAX };
        let counts = cover(u64::MAX / 2, &[kind; 16]);
        assert!(capacity(&[kind; 1], &counts[..1]) <= u64::MAX / 2 + u64::from(u32::MAX));
        assert_eq!(cover(u64::MAX, &[kind]), [u32::MAX]);
    }
}
