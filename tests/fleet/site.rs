//! A simulated site: pools that do as they are told, late, and workers that fail or leave by themselves.

use std::collections::BTreeMap;
use std::time::Duration;

use plimsoll::fleet::{Decided, Fleet};
use plimsoll::{Command, FailureCause, Observation, Timestamp, WorkerEvent, WorkerId};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Life {
    /// The order is under way.
    Coming,
    Starting,
    Ready {
        busy: bool,
    },
    Draining,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Worker {
    life: Life,
    told_to_go: bool,
    /// Told to stay after all, and not heard of since.
    told_to_stay: bool,
}

impl Worker {
    const fn new(life: Life) -> Self {
        Self { life, told_to_go: false, told_to_stay: false }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Change {
    Ordered,
    Ready,
    Gone,
    Drained,
}

/// How long things take, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Habits {
    pub order: u64,
    pub start: u64,
    pub stop: u64,
    pub drain: u64,
}

pub struct Site {
    pub fleet: Fleet<u32>,
    pub now: Timestamp,
    habits: Habits,
    workers: BTreeMap<(u32, u64), Worker>,
    changes: BTreeMap<(Timestamp, u64), ((u32, u64), Change)>,
    serial: u64,
    /// Every decision with commands, in their order.
    pub log: Vec<Decided<u32>>,
    /// A busy worker was told to go while an idle one was not.
    pub fault: Option<String>,
}

impl Site {
    pub fn new(fleet: Fleet<u32>, now: Timestamp, habits: Habits) -> Self {
        let (workers, changes) = (BTreeMap::new(), BTreeMap::new());
        Self { fleet, now, habits, workers, changes, serial: 0, log: Vec::new(), fault: None }
    }

    /// Workers of one service, those under way and those on their way out included.
    pub fn workers(&self, key: u32) -> u32 {
        self.workers.range((key, 0)..=(key, u64::MAX)).count() as u32
    }

    pub fn observe(&mut self, key: u32, fact: Observation) {
        self.fleet.observe(&key, self.now, fact).unwrap();
    }

    /// Time passes up to `at`; `check` looks at every moment between.
    pub fn run_until(&mut self, at: Timestamp, check: &mut dyn FnMut(&Self)) {
        loop {
            let change = self.changes.keys().next().map(|(at, _)| *at);
            let next = change.into_iter().chain(self.fleet.next_wakeup()).min();
            let Some(next) = next.filter(|next| *next <= at) else { break };
            self.now = self.now.max(next);
            while let Some((due, (worker, change))) = self.changes.first_key_value().map(|(at, change)| (*at, *change))
            {
                if due.0 > self.now {
                    break;
                }
                self.changes.remove(&due);
                self.change(worker, change);
            }
            self.decide();
            check(self);
        }
        self.now = self.now.max(at);
        self.decide();
        check(self);
    }

    pub fn decide(&mut self) {
        let due: Vec<_> = self.fleet.due(self.now).collect();
        for decided in due {
            for command in &decided.decision.commands {
                self.obey(decided.key, *command);
            }
            if !decided.decision.commands.is_empty() {
                self.log.push(decided);
            }
        }
    }

    fn later(&mut self, millis: u64, worker: (u32, u64), change: Change) {
        self.serial += 1;
        let at = self.now.saturating_add(Duration::from_millis(millis));
        self.changes.insert((at, self.serial), (worker, change));
    }

    fn obey(&mut self, key: u32, command: Command) {
        match command {
            Command::Start { count } => {
                for _ in 0..count {
                    self.serial += 1;
                    let worker = (key, self.serial);
                    self.workers.insert(worker, Worker::new(Life::Coming));
                    self.later(self.habits.order, worker, Change::Ordered);
                }
            }
            Command::Stop { id, .. } => self.go(key, id, self.habits.stop, Change::Gone),
            Command::Drain { id } => {
                let idle = |worker: &Worker| {
                    worker.life == Life::Ready { busy: false } && !worker.told_to_go && !worker.told_to_stay
                };
                let one = self.workers.range((key, 0)..=(key, u64::MAX)).find(|(_, worker)| idle(worker));
                let drained = self.workers.get(&(key, id.0));
                if let Some((idle, _)) = one.filter(|_| drained.is_some_and(|drained| !idle(drained))) {
                    self.fault = Some(format!("service {key} drains {id} before the idle {}", idle.1));
                }
                self.go(key, id, self.habits.drain, Change::Drained);
            }
            Command::Revive { id } => {
                if let Some(worker) = self.workers.get_mut(&(key, id.0)) {
                    (worker.told_to_go, worker.told_to_stay) = (false, true);
                    if worker.life == Life::Draining {
                        worker.life = Life::Ready { busy: true };
                        self.see((key, id.0), WorkerEvent::Ready);
                    }
                }
            }
            // Before any worker was seen: so many orders are taken back.
            Command::Release { count } => {
                let coming = |(id, worker): (&(u32, u64), &Worker)| (worker.life == Life::Coming).then_some(*id);
                let coming: Vec<_> = self.workers.range((key, 0)..=(key, u64::MAX)).filter_map(coming).collect();
                for worker in coming.into_iter().take(count as usize) {
                    self.workers.remove(&worker);
                }
            }
            other => panic!("{other:?}"),
        }
    }

    fn go(&mut self, key: u32, id: WorkerId, millis: u64, change: Change) {
        if let Some(worker) = self.workers.get_mut(&(key, id.0)) {
            worker.told_to_go = true;
            self.later(millis, (key, id.0), change);
        }
    }

    fn see(&mut self, (key, id): (u32, u64), event: WorkerEvent) {
        self.fleet.observe(&key, self.now, Observation::worker(WorkerId(id), event)).unwrap();
    }

    fn change(&mut self, worker: (u32, u64), change: Change) {
        let Some(state) = self.workers.get_mut(&worker) else { return };
        match (change, state.life) {
            (Change::Ordered, _) => {
                state.life = Life::Starting;
                self.see(worker, WorkerEvent::Ordered);
                self.later(self.habits.start, worker, Change::Ready);
            }
            (Change::Ready, Life::Starting) => {
                state.life = Life::Ready { busy: false };
                self.see(worker, WorkerEvent::Ready);
                self.see(worker, WorkerEvent::Idle);
            }
            (Change::Drained, Life::Ready { .. }) if state.told_to_go => {
                state.life = Life::Draining;
                self.see(worker, WorkerEvent::Draining);
                self.later(self.habits.stop, worker, Change::Gone);
            }
            (Change::Gone, _) if state.told_to_go || state.life == Life::Draining => {
                self.workers.remove(&worker);
                self.see(worker, WorkerEvent::Gone);
            }
            _ => {}
        }
    }

    /// Something befalls the `nth` worker of a service, if there is one.
    pub fn befall(&mut self, key: u32, nth: usize, event: WorkerEvent) {
        let all: Vec<_> = self.workers.range((key, 0)..=(key, u64::MAX)).map(|(id, worker)| (*id, *worker)).collect();
        let Some((id, worker)) = all.get(nth % all.len().max(1)).copied() else { return };
        let ready = matches!(worker.life, Life::Ready { .. });
        match event {
            WorkerEvent::Failed(_) if worker.life != Life::Coming => {
                self.workers.remove(&id);
                self.see(id, WorkerEvent::Failed(FailureCause::Crash));
            }
            WorkerEvent::Busy(slots) if ready => {
                self.workers
                    .insert(id, Worker { life: Life::Ready { busy: slots > 0 }, told_to_stay: false, ..worker });
                self.see(id, event);
            }
            // The platform takes it out by itself.
            WorkerEvent::Draining if ready => {
                self.workers.insert(id, Worker { life: Life::Draining, told_to_go: true, ..worker });
                self.see(id, WorkerEvent::Draining);
                self.later(self.habits.drain, id, Change::Gone);
            }
            _ => {}
        }
    }
}
