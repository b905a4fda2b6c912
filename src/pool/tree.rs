//! Slots in the order of their keys: put in, taken out and looked up in a number of steps that grows with the logarithm of
//! how many there are.
//!
//! A tree in which each slot stands below those of a greater height, and its height is drawn from its number (a treap). So
//! nothing has to be balanced, and neither growing nor falling keys make it deep. Every slot has its place in one list,
//! whether it is in the tree or not: nothing is allocated when it comes or goes.

use alloc::vec::Vec;

/// The number of a worker's place.
pub(super) type Slot = u32;

/// No slot. A list never becomes so long.
pub(super) const NOBODY: Slot = Slot::MAX;

#[derive(Clone, Copy, Debug)]
struct Node<K> {
    /// `None` if it is not in the tree.
    key: Option<K>,
    before: Slot,
    after: Slot,
}

/// From where a slot hangs.
#[derive(Clone, Copy)]
enum Branch {
    Root,
    Before(Slot),
    After(Slot),
}

#[derive(Clone, Debug)]
pub(super) struct Tree<K> {
    root: Slot,
    nodes: Vec<Node<K>>,
}

impl<K> Default for Tree<K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K> Tree<K> {
    pub(super) const fn new() -> Self {
        Self { root: NOBODY, nodes: Vec::new() }
    }
}

/// Every number has another height, and those of neighbours have nothing in common.
const fn height(slot: Slot) -> u32 {
    let mixed = (slot ^ (slot >> 16)).wrapping_mul(0x7FEB_352D);
    let mixed = (mixed ^ (mixed >> 15)).wrapping_mul(0x846C_A68B);
    mixed ^ (mixed >> 16)
}

impl<K: Copy + Ord> Tree<K> {
    /// Makes room for one slot more.
    pub(super) fn add_slot(&mut self) {
        self.nodes.push(Node { key: None, before: NOBODY, after: NOBODY });
    }

    /// No slot is left, but room for as many as before.
    pub(super) fn clear(&mut self) {
        self.root = NOBODY;
        self.nodes.clear();
    }

    fn get(&self, slot: Slot) -> Option<&Node<K>> {
        self.nodes.get(slot as usize)
    }

    fn listed(&self, slot: Slot) -> Option<(K, &Node<K>)> {
        self.get(slot).and_then(|node| Some((node.key?, node)))
    }

    /// The key by which a slot is listed.
    pub(super) fn key(&self, slot: Slot) -> Option<K> {
        self.get(slot)?.key
    }

    /// Lists a slot by another key, or no more.
    pub(super) fn set(&mut self, slot: Slot, key: Option<K>) {
        self.take_out(slot);
        if let Some(key) = key {
            self.put_in(slot, key);
        }
    }

    fn put_in(&mut self, slot: Slot, key: K) {
        let (mut branch, mut below) = (Branch::Root, self.root);
        while let Some(node) = self.get(below).filter(|_| height(below) > height(slot)) {
            let before = (Some(key), slot) < (node.key, below);
            (branch, below) =
                if before { (Branch::Before(below), node.before) } else { (Branch::After(below), node.after) };
        }
        // What hangs there is parted: what comes before it goes to its one side, the rest to the other.
        self.hang(branch, slot);
        let (mut earlier, mut later) = (Branch::Before(slot), Branch::After(slot));
        while let Some(&node) = self.get(below) {
            if (node.key, below) < (Some(key), slot) {
                self.hang(earlier, below);
                (earlier, below) = (Branch::After(below), node.after);
            } else {
                self.hang(later, below);
                (later, below) = (Branch::Before(below), node.before);
            }
        }
        self.hang(earlier, NOBODY);
        self.hang(later, NOBODY);
        if let Some(node) = self.nodes.get_mut(slot as usize) {
            node.key = Some(key);
        }
    }

    fn take_out(&mut self, slot: Slot) {
        let Some(&node) = self.get(slot).filter(|node| node.key.is_some()) else { return };
        let (mut branch, mut at) = (Branch::Root, self.root);
        while let Some(other) = self.get(at).filter(|_| at != slot) {
            let before = (node.key, slot) < (other.key, at);
            (branch, at) = if before { (Branch::Before(at), other.before) } else { (Branch::After(at), other.after) };
        }
        // What hung on its two sides becomes one, the higher above the lower.
        let (mut earlier, mut later) = (node.before, node.after);
        while let (Some(first), Some(last)) = (self.get(earlier), self.get(later)) {
            if height(earlier) > height(later) {
                let next = first.after;
                self.hang(branch, earlier);
                (branch, earlier) = (Branch::After(earlier), next);
            } else {
                let next = last.before;
                self.hang(branch, later);
                (branch, later) = (Branch::Before(later), next);
            }
        }
        self.hang(branch, if earlier == NOBODY { later } else { earlier });
        if let Some(node) = self.nodes.get_mut(slot as usize) {
            node.key = None;
        }
    }

    fn hang(&mut self, branch: Branch, slot: Slot) {
        let place = match branch {
            Branch::Root => Some(&mut self.root),
            Branch::Before(above) => self.nodes.get_mut(above as usize).map(|node| &mut node.before),
            Branch::After(above) => self.nodes.get_mut(above as usize).map(|node| &mut node.after),
        };
        if let Some(place) = place {
            *place = slot;
        }
    }

    /// The slot listed by a key that no other has.
    pub(super) fn find(&self, key: K) -> Option<Slot> {
        let mut at = self.root;
        while let Some((known, node)) = self.listed(at) {
            at = match key.cmp(&known) {
                core::cmp::Ordering::Equal => return Some(at),
                core::cmp::Ordering::Less => node.before,
                core::cmp::Ordering::Greater => node.after,
            };
        }
        None
    }

    /// The first that `from` applies to, which is so for none before it and all after it.
    pub(super) fn first(&self, from: impl Fn(K, Slot) -> bool) -> Option<(K, Slot)> {
        let (mut at, mut found) = (self.root, None);
        while let Some((key, node)) = self.listed(at) {
            if from(key, at) {
                (found, at) = (Some((key, at)), node.before);
            } else {
                at = node.after;
            }
        }
        found
    }

    /// The last that `to` applies to, which is so for all before it and none after it.
    pub(super) fn last(&self, to: impl Fn(K, Slot) -> bool) -> Option<(K, Slot)> {
        let (mut at, mut found) = (self.root, None);
        while let Some((key, node)) = self.listed(at) {
            if to(key, at) {
                (found, at) = (Some((key, at)), node.after);
            } else {
                at = node.before;
            }
        }
        found
    }

    /// From the first that `from` applies to, in order.
    pub(super) fn each_from(&self, from: impl Fn(K, Slot) -> bool) -> impl Iterator<Item = (K, Slot)> {
        // The next one is looked for when somebody asks, unlike with `successors`.
        let mut last = None;
        let next = move || {
            last = last.map_or_else(|| self.first(&from), |last| self.first(|key, slot| (key, slot) > last));
            last
        };
        core::iter::from_fn(next).fuse()
    }

    /// From the last that `to` applies to, in the opposite order.
    pub(super) fn each_back_from(&self, to: impl Fn(K, Slot) -> bool) -> impl Iterator<Item = (K, Slot)> {
        let mut first = None;
        let next = move || {
            first = first.map_or_else(|| self.last(&to), |first| self.last(|key, slot| (key, slot) < first));
            first
        };
        core::iter::from_fn(next).fuse()
    }

    /// All slots in order.
    pub(super) fn all(&self) -> All<'_, K> {
        let mut all = All { tree: self, above: Vec::new() };
        all.descend(self.root);
        all
    }
}

/// All slots of a tree in order.
#[derive(Debug)]
pub(super) struct All<'a, K> {
    tree: &'a Tree<K>,
    /// Those whose turn comes once all before them have had theirs.
    above: Vec<Slot>,
}

impl<K: Copy + Ord> All<'_, K> {
    fn descend(&mut self, mut slot: Slot) {
        while let Some(node) = self.tree.get(slot) {
            self.above.push(slot);
            slot = node.before;
        }
    }
}

impl<K: Copy + Ord> Iterator for All<'_, K> {
    type Item = Slot;

    fn next(&mut self) -> Option<Slot> {
        let slot = self.above.pop()?;
        self.descend(self.tree.get(slot)?.after);
        Some(slot)
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    impl<K: Copy + Ord> Tree<K> {
        fn depth(&self, slot: Slot) -> usize {
            self.get(slot).map_or(0, |node| 1 + self.depth(node.before).max(self.depth(node.after)))
        }

        /// Whether each slot stands below those of a greater height, and nobody is left where nobody is listed.
        fn is_in_shape(&self) -> bool {
            self.nodes.iter().zip(0..).filter(|(node, _)| node.key.is_some()).all(|(node, slot)| {
                let lower = |below: Slot| below == NOBODY || self.key(below).is_some() && height(below) < height(slot);
                lower(node.before) && lower(node.after)
            })
        }
    }

    proptest! {
        #[test]
        fn it_is_a_sorted_set(steps in prop::collection::vec((0..40_u32, prop::option::of(0..12_u64), 0..13_u64), 0..200)) {
            let (mut tree, mut set) = (Tree::default(), BTreeSet::new());
            (0..40).for_each(|_| tree.add_slot());
            for (slot, key, bound) in steps {
                set.retain(|(_, other)| *other != slot);
                set.extend(key.map(|key| (key, slot)));
                tree.set(slot, key);
                prop_assert_eq!(tree.key(slot), key);
                prop_assert!(tree.is_in_shape());
                let sorted: Vec<_> = set.iter().copied().collect();
                prop_assert!(tree.all().eq(sorted.iter().map(|(_, slot)| *slot)));
                let from = sorted.iter().filter(|(key, _)| *key >= bound).copied();
                prop_assert!(tree.each_from(|key, _| key >= bound).eq(from));
                let back = sorted.iter().rev().filter(|(key, _)| *key < bound).copied();
                prop_assert!(tree.each_back_from(|key, _| key < bound).eq(back));
                let found = tree.find(bound).map(|slot| (bound, slot));
                prop_assert!(found.map_or(sorted.iter().all(|(key, _)| *key != bound), |found| set.contains(&found)));
            }
            tree.clear();
            prop_assert_eq!((tree.all().next(), tree.find(0), tree.key(0)), (None, None, None));
        }
    }

    /// Twice the natural logarithm is what to expect on average, and some four times that of the deepest.
    #[test]
    fn it_is_not_deep_in_whatever_order_keys_come() {
        const SLOTS: u32 = 100_000;
        let orders: [fn(u32) -> u32; 4] =
            [|n| n, |n| SLOTS - n, |n| n.wrapping_mul(0x9E37_79B9), |n| if n % 2 == 0 { n } else { SLOTS * 2 - n }];
        for (order, key) in orders.into_iter().enumerate() {
            let mut tree = Tree::default();
            for slot in 0..SLOTS {
                tree.add_slot();
                tree.set(slot, Some(key(slot)));
            }
            let depth = tree.depth(tree.root);
            assert!(depth < 60, "{depth} in order {order}");
        }
    }
}
