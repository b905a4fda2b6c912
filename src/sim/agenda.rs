//! What will happen in a run, soonest first.

use std::collections::BinaryHeap;
use std::vec::Vec;

use core::cmp::Reverse;

use super::workers::Event;
use crate::time::Timestamp;

/// How many of the next events are kept in order.
const NEAR: usize = 64;

/// What will happen, soonest first: the next events in order, the others in a heap. A pool of some dozens of workers has few
/// events ahead, and to put one in its place among those costs a third of what a heap's does.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    /// The next events, the very next one at the end; never empty while there are others.
    near: Vec<Event>,
    /// All others, none of which comes before one of those.
    far: BinaryHeap<Reverse<Event>>,
}

impl Agenda {
    pub(super) fn push(&mut self, event: Event) {
        // Few are of one instant: those are told apart afterwards.
        let mut at = self.near.partition_point(|near| near.at > event.at);
        while self.near.get(at).is_some_and(|near| *near > event) {
            at = at.saturating_add(1);
        }
        if at == 0 && !self.far.is_empty() {
            return self.far.push(Reverse(event));
        }
        if self.near.len() >= NEAR {
            return self.push_out(at, event);
        }
        self.near.insert(at, event);
    }

    /// The same where there is no room: half of the next events become later ones, which makes room for as many.
    #[inline(never)]
    fn push_out(&mut self, at: usize, event: Event) {
        self.near.insert(at, event);
        self.far.extend(self.near.drain(..NEAR / 2).map(Reverse));
    }

    /// When the next event happens.
    pub(super) fn next_at(&self) -> Option<Timestamp> {
        self.near.last().map(|event| event.at)
    }

    /// The next event, if it happens then.
    pub(super) fn pop_at(&mut self, at: Timestamp) -> Option<Event> {
        let event = *self.near.last().filter(|event| event.at == at)?;
        self.near.pop();
        if self.near.is_empty() && !self.far.is_empty() {
            self.refill();
        }
        Some(event)
    }

    #[inline(never)]
    fn refill(&mut self) {
        while let Some(Reverse(event)) = self.far.pop() {
            self.near.push(event);
            if self.near.len() == NEAR / 2 {
                break;
            }
        }
        self.near.reverse();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.near.is_empty()
    }

    /// In any order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Event> {
        self.near.iter().chain(self.far.iter().map(|Reverse(event)| event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::chance::Chance;
    use crate::sim::workers::Kind;

    #[test]
    fn events_come_in_order_however_many_are_ahead() {
        for (most, spread) in [(3, 5), (50, 1_000), (64, 50), (65, 50), (1_000, 5_000), (1_000, 3)] {
            let (mut agenda, mut heap) = (Agenda::default(), BinaryHeap::new());
            let (mut chance, mut now) = (Chance::of(most, "agenda"), Timestamp::ORIGIN);
            for sequence in 0..20_000 {
                if heap.len() < usize::try_from(chance.below(most)).unwrap() {
                    let worker = usize::try_from(chance.below(4)).unwrap();
                    let kind = if worker == 0 { Kind::Thaw } else { Kind::Started { worker, life: 0 } };
                    let event = Event { at: now.plus(chance.below(spread)), kind, sequence };
                    agenda.push(event);
                    heap.push(Reverse(event));
                } else if let Some(Reverse(next)) = heap.pop() {
                    now = next.at;
                    assert_eq!((agenda.next_at(), agenda.pop_at(now.plus(1))), (Some(now), None));
                    assert_eq!(agenda.pop_at(now), Some(next));
                }
                assert_eq!((agenda.is_empty(), agenda.iter().count()), (heap.is_empty(), heap.len()));
            }
        }
    }
}
