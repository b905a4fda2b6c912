//! The workers by id. A worker keeps its slot as long as it is there, and its orders (by id, by turn, by when a command
//! lapses) are of slots: nobody moves when another one comes or goes. Slots are used again, so room is taken only when
//! there are more workers than there ever were.
//!
//! It is written down as, equal to and hashed as a list of workers in the order of their ids; all else follows from them.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::hash::{Hash, Hasher};

use serde::ser::SerializeSeq;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Worker;
use super::tree::{NOBODY, Slot, Tree};
use super::turns::{Turn, Turns};
use crate::observation::WorkerId;
use crate::time::{Timestamp, Waiting};

#[derive(Clone, Copy, Debug)]
struct Place {
    worker: Worker,
    /// Its load may be another than its turn says.
    stale: bool,
}

#[derive(Clone, Debug, Default)]
struct Orders {
    ids: Tree<WorkerId>,
    /// By the last bits of an id, the slot of the worker that came last of those that have them. Ids mostly are numbers in a
    /// row, and then it is the only one.
    hints: Vec<Slot>,
    /// Slots of nobody.
    free: Vec<Slot>,
    turns: Turns,
    /// By the oldest request in a worker's own queue.
    waits: Tree<Wait>,
    /// Slots whose turns are to be looked at again.
    stale: Vec<Slot>,
}

/// When the oldest request in a worker's queue came, which may be before the origin; the same instants in the order of ids.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Wait {
    after_origin: bool,
    at: u64,
    id: WorkerId,
}

impl Wait {
    fn of(worker: &Worker) -> Option<Self> {
        let oldest = worker.oldest?;
        let age = oldest.age(Timestamp::ORIGIN);
        let at = oldest.reaches(age).as_nanos();
        Some(Self { after_origin: at >= age, at: at.wrapping_sub(age), id: worker.id })
    }
}

/// All of it but a list takes no room before the first worker.
#[derive(Clone, Default)]
pub(crate) struct Roster {
    /// Those of nobody among them. Empty when there is nobody.
    places: Vec<Place>,
    orders: Option<Box<Orders>>,
}

impl Orders {
    fn mask(&self) -> u64 {
        (self.hints.len() as u64).saturating_sub(1)
    }

    fn hint(&mut self, id: WorkerId) -> Option<&mut Slot> {
        let at = id.0 & self.mask();
        self.hints.get_mut(usize::try_from(at).ok()?)
    }

    /// Room for as many as there are places, in everything that could need it later.
    fn make_room(&mut self, places: &[Place]) {
        self.ids.add_slot();
        self.turns.add_slot();
        self.waits.add_slot();
        self.free.reserve(places.len());
        self.stale.reserve(places.len().saturating_sub(self.stale.len()));
        if self.hints.len() < places.len().saturating_mul(2) {
            let most = places.len().saturating_mul(2).next_power_of_two().max(8);
            self.hints.clear();
            self.hints.resize(most, NOBODY);
            for (slot, place) in (0..).zip(places) {
                if let Some(hint) = self.hint(place.worker.id) {
                    *hint = slot;
                }
            }
        }
    }
}

impl Roster {
    pub(crate) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.places.len().saturating_sub(self.orders.as_ref().map_or(0, |orders| orders.free.len()))
    }

    pub(super) fn find(&self, id: WorkerId) -> Option<Slot> {
        let orders = self.orders.as_deref()?;
        let hint = *orders.hints.get(usize::try_from(id.0 & orders.mask()).ok()?)?;
        match self.places.get(hint as usize) {
            Some(place) if place.worker.id == id => Some(hint),
            _ => orders.ids.find(id),
        }
    }

    /// The worker of a slot that is somebody's.
    pub(super) fn get(&self, slot: Slot) -> Option<&Worker> {
        self.places.get(slot as usize).map(|place| &place.worker)
    }

    /// The same, for its load. Its turn is found again when somebody asks.
    pub(super) fn load_of(&mut self, slot: Slot) -> Option<&mut Worker> {
        let place = self.places.get_mut(slot as usize)?;
        if !place.stale {
            place.stale = true;
            self.orders.as_mut()?.stale.push(slot);
        }
        Some(&mut place.worker)
    }

    pub(super) fn insert(&mut self, worker: Worker) {
        let orders = self.orders.get_or_insert_default();
        let slot = if let Some(slot) = orders.free.pop() {
            slot
        } else {
            let Ok(slot) = Slot::try_from(self.places.len()) else { return };
            self.places.push(Place { worker, stale: false });
            orders.make_room(&self.places);
            slot
        };
        orders.ids.set(slot, Some(worker.id));
        if let Some(hint) = orders.hint(worker.id) {
            *hint = slot;
        }
        self.put(slot, worker);
    }

    pub(super) fn put(&mut self, slot: Slot, worker: Worker) {
        let (Some(place), Some(orders)) = (self.places.get_mut(slot as usize), &mut self.orders) else { return };
        place.worker = worker;
        orders.turns.list(slot, Some(&worker));
        let wait = Wait::of(&worker);
        if orders.waits.key(slot) != wait {
            orders.waits.set(slot, wait);
        }
    }

    pub(super) fn remove(&mut self, slot: Slot) {
        let (Some(place), Some(orders)) = (self.places.get(slot as usize), &mut self.orders) else { return };
        if let Some(hint) = orders.hint(place.worker.id).filter(|hint| **hint == slot) {
            *hint = NOBODY;
        }
        orders.ids.set(slot, None);
        orders.turns.list(slot, None);
        orders.waits.set(slot, None);
        orders.free.push(slot);
        if orders.free.len() == self.places.len() {
            self.places.clear();
            orders.ids.clear();
            orders.turns.clear();
            orders.waits.clear();
            orders.free.clear();
            orders.stale.clear();
        }
    }

    /// The one in whose own queue the oldest request waits.
    pub(super) fn longest_wait(&self) -> Option<(Waiting, WorkerId)> {
        let (wait, slot) = self.orders.as_ref()?.waits.first(|_, _| true)?;
        Some((self.get(slot)?.oldest?, wait.id))
    }

    /// In the order of their ids.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Worker> {
        let slots = self.orders.iter().flat_map(|orders| orders.ids.all());
        // Before it was found to be out of order, as it was given.
        let given = if self.is_in_order() { &[][..] } else { &self.places };
        slots.filter_map(|slot| self.get(slot)).chain(given.iter().map(|place| &place.worker))
    }

    /// Brings the turns up to date with the loads.
    pub(super) fn look_at_loads(&mut self) {
        let Some(orders) = self.orders.as_deref_mut() else { return };
        for slot in orders.stale.drain(..) {
            if let Some(place) = self.places.get_mut(slot as usize) {
                place.stale = false;
                // Not one who has left the slot meanwhile.
                if orders.ids.key(slot).is_some() {
                    orders.turns.list(slot, Some(&place.worker));
                }
            }
        }
    }

    /// Idle workers that an idle timeout of so many nanoseconds lets go at `now`, and when the next of those that are idle may
    /// go: whatever they were told, and of those that were told nothing.
    pub(super) fn idle(&self, now: Timestamp, timeout: u64) -> (u32, [Option<Timestamp>; 2]) {
        let Some(orders) = &self.orders else { return (0, [None; 2]) };
        orders
            .turns
            .idle(now, timeout, &orders.stale, |slot| orders.ids.key(slot).and_then(|_| self.get(slot)).map(Turn::of))
    }

    pub(super) fn turns(&self) -> &Turns {
        self.orders.as_ref().map_or(Turns::OF_NOBODY, |orders| &orders.turns)
    }

    pub(super) fn turns_mut(&mut self) -> Option<&mut Turns> {
        self.orders.as_mut().map(|orders| &mut orders.turns)
    }

    /// Whether the list that it was made from was in order.
    pub(super) fn is_in_order(&self) -> bool {
        self.orders.is_some() || self.is_empty()
    }
}

/// A list that is in order; of any other nothing can be found.
impl FromIterator<Worker> for Roster {
    fn from_iter<I: IntoIterator<Item = Worker>>(workers: I) -> Self {
        let workers: Vec<_> = workers.into_iter().collect();
        let mut roster = Self::default();
        if workers.is_sorted_by(|a, b| a.id < b.id) {
            for worker in workers {
                roster.insert(worker);
            }
        } else {
            roster.places = workers.into_iter().map(|worker| Place { worker, stale: false }).collect();
        }
        roster
    }
}

impl PartialEq for Roster {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl Eq for Roster {}

impl Hash for Roster {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.len().hash(state);
        self.iter().for_each(|worker| worker.hash(state));
    }
}

impl fmt::Debug for Roster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl Serialize for Roster {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.len()))?;
        self.iter().try_for_each(|worker| list.serialize_element(worker))?;
        list.end()
    }
}

impl<'de> Deserialize<'de> for Roster {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::<Worker>::deserialize(deserializer).map(Self::from_iter)
    }
}
