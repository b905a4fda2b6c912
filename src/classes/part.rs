//! One class within a pool: its workers, and what is known of them.

use alloc::vec::Vec;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::learn::{Learner, Work, differs};
use super::mix::Offer;
use super::settings::{Class, Settings};
use super::{Capacity, ClassId};
use crate::autoscaler::{Autoscaler, Room, Snapshot, Staff};
use crate::config::Config;
use crate::decision::Command;
use crate::observation::{FailureCause, Mode, Observation, Rejected, WorkerEvent};
use crate::provider::{Measure, Trouble};
use crate::time::Timestamp;

/// An autoscaler that is told its count.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Part {
    workers: Autoscaler,
    pub(super) learner: Learner,
    pub(super) capacity: Capacity,
    /// When ready workers were last taken back: many at one instant are one refusal.
    preempted: Option<Timestamp>,
}

/// What is kept of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kept {
    workers: Snapshot,
    learner: Learner,
    capacity: Capacity,
    preempted: Option<Timestamp>,
}

impl Part {
    pub(super) fn new(config: Config, class: &Class, now: Timestamp) -> Self {
        let mut workers = Autoscaler::new(config, now);
        order(&mut workers, now, 0);
        Self { workers, learner: Learner::default(), capacity: Settings::prior(class), preempted: None }
    }

    pub(super) fn keep(&self) -> Kept {
        let Self { ref workers, learner, capacity, preempted } = *self;
        Kept { workers: workers.snapshot(), learner, capacity, preempted }
    }

    /// The part of which this was kept; `None` if it cannot be one of this configuration.
    pub(super) fn restored(kept: Kept, config: &Config, class: &Class) -> Option<Self> {
        let Kept { workers, learner, capacity, preempted } = kept;
        let workers = Autoscaler::restore(workers).ok()?;
        let told = matches!(workers.mode(), Mode::Fixed(count) if count == workers.desired());
        let given = class.capacity.is_none_or(|given| given == capacity);
        (workers.config() == config && told && given).then_some(Self { workers, learner, capacity, preempted })
    }

    /// Goes on under other settings.
    pub(super) fn reconfigure(&mut self, now: Timestamp, config: Config, class: &Class) {
        self.workers.reconfigure(now, config);
        let count = self.workers.desired();
        order(&mut self.workers, now, count);
        if let Some(given) = class.capacity {
            self.capacity = given;
        }
    }

    /// Takes in what was observed of workers or orders. How many workers appeared that nobody had ordered.
    pub(super) fn observe(&mut self, now: Timestamp, spot: bool, observation: Observation) -> Result<u32, Rejected> {
        let before = self.workers.staff();
        let (new, lost) = match observation {
            Observation::Worker { id, event } => {
                let ready_before = before.ready;
                let new = !self.workers.knows(id);
                self.workers.observe(now, observation)?;
                let preempted = event == WorkerEvent::Failed(FailureCause::Preempted);
                (new, preempted && self.workers.staff().ready < ready_before)
            }
            Observation::Pool(counts) => {
                let failed = self.workers.failures();
                self.workers.observe(now, observation)?;
                // Who was to stay, has gone and is not said to have failed was taken back.
                let fewer = before.staying > self.workers.staff().staying && counts.ready < before.census.ready;
                (true, spot && fewer && self.workers.failures() == failed)
            }
            Observation::Finished { .. } => return Ok(0),
            _ => {
                self.workers.observe(now, observation)?;
                (false, false)
            }
        };
        if lost && self.preempted != Some(now) {
            self.preempted = Some(now);
            self.workers.preempted();
        }
        let after = self.workers.staff();
        let grown = after.in_service.saturating_sub(before.in_service);
        let most = self.workers.config().max();
        let adopted = if new && grown > before.unseen {
            after.in_service.min(most).saturating_sub(self.workers.desired()).min(grown)
        } else {
            0
        };
        if adopted > 0 {
            self.aim(now, self.workers.desired().saturating_add(adopted));
        }
        Ok(adopted)
    }

    /// One of its workers with so many slots has served a request: what is learned replaces the capacity in use, where it
    /// differs.
    pub(super) fn learn(&mut self, service: u64, slots: u32, work: &mut Work) {
        self.learner.served(service, work);
        let learned = self.learner.capacity(slots);
        self.capacity = learned.filter(|learned| differs(self.capacity, *learned)).unwrap_or(self.capacity);
    }

    pub(super) fn live(&mut self, now: Timestamp) {
        self.workers.live(now);
    }

    pub(super) fn next_change(&self) -> Option<Timestamp> {
        self.workers.next_change_by_time()
    }

    /// The same, commands included.
    pub(super) fn next_wakeup(&self) -> Option<Timestamp> {
        self.workers.next_wakeup()
    }

    pub(super) const fn autoscaler(&self) -> &Autoscaler {
        &self.workers
    }

    pub(super) fn staff(&self) -> Staff {
        self.workers.staff()
    }

    /// One worker is on its way to see whether the provider has any. It may come, whatever is planned: while it is not
    /// known what became of it, there is no other.
    pub(super) fn probes(&self) -> bool {
        let staff = self.workers.staff();
        staff.committed > staff.ready && self.trouble().is_some_and(|trouble| trouble.measure == Measure::Probe)
    }

    pub(super) fn trouble(&self) -> Option<Trouble> {
        match self.workers.room() {
            Room::Open => None,
            Room::One(trouble) | Room::None(trouble) => Some(trouble),
        }
    }

    /// How long its workers take to start, as far as that is known.
    pub(super) fn cold_start(&self, class: &Class) -> Option<Duration> {
        class.cold_start.or_else(|| self.workers.mean_cold_start())
    }

    /// What it has to offer, and how many it would have if its provider were willing; `wait` is what its cold start costs.
    pub(super) fn offer(&self, class: &Class, wait: u64) -> (Offer, u32) {
        let staff = self.workers.staff();
        // Orders beyond what is called for make up for starts that fail: they are not workers to count on. Ready workers
        // are, whether they are called for or not: an idle timeout may keep them.
        let running = staff.committed.min(self.workers.desired().max(staff.ready)).min(class.limit);
        let most = match self.workers.room() {
            Room::Open => class.limit,
            Room::One(_) => staff.committed.saturating_add(1),
            Room::None(_) => staff.committed,
        };
        let offer = Offer {
            capacity: self.capacity.as_thousandths(),
            price: class.price.as_micros(),
            rank: class.rank,
            floor: class.floor,
            most: most.min(class.limit).max(running),
            running,
            ready: staff.ready.min(running),
            spot: class.spot,
            wait,
        };
        (offer, class.limit)
    }

    /// Is to have so many workers from now on.
    pub(super) fn aim(&mut self, now: Timestamp, count: u32) {
        if self.workers.desired() != count {
            order(&mut self.workers, now, count);
        }
    }

    /// The commands that bring it there.
    pub(super) fn commands(&mut self, now: Timestamp) -> Vec<Command> {
        self.workers.decide(now).commands
    }
}

/// Never refused: it is an operator's order.
fn order(workers: &mut Autoscaler, now: Timestamp, count: u32) {
    let _ = workers.observe(now, Observation::Mode { mode: Mode::Fixed(count), valid_for: None });
}

impl ClassId {
    pub(super) fn of<T>(self, list: &[T]) -> Option<&T> {
        list.get(usize::from(self.0))
    }

    pub(super) fn of_mut<T>(self, list: &mut [T]) -> Option<&mut T> {
        list.get_mut(usize::from(self.0))
    }
}
