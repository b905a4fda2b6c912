//! A platform with workers of several classes that start, fail, run out of stock, are taken back, and serve.

use std::collections::BTreeMap;
use std::time::Duration;

use plimsoll::classes::{Class, ClassCommand, ClassId, Decision, MixedPool, Settings};
use plimsoll::{Command, FailureCause, Observation, PoolCounts, Timestamp, WorkerEvent, WorkerId};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    Starting(Timestamp),
    Idle,
    Busy,
    Draining,
}

/// What happens next.
#[derive(Clone, Copy, Debug)]
pub enum Turn {
    /// So many requests come.
    Arrive(u32),
    /// The n-th ready worker begins or ends to serve.
    Flip(u8),
    /// The n-th worker is taken back or crashes.
    Lose(u8, FailureCause),
    /// All workers of spot classes are taken back.
    Storm,
    /// A class has stock, or none.
    Stock(u8, bool),
    /// Nothing but time.
    Pass,
}

pub struct World {
    pub pool: MixedPool,
    pub now: Timestamp,
    pub workers: BTreeMap<(ClassId, u64), State>,
    stock: Vec<bool>,
    /// Of each class how many have failed, where the pool is told counts and no ids.
    counted: Option<Vec<u32>>,
    next: u64,
    cold_start: Duration,
    pub waiting: u32,
    /// How many commands there were to stop or drain while others started.
    pub exchanged: u32,
}

impl World {
    pub fn new(settings: Settings, cold_start: Duration) -> Self {
        let stock = vec![true; settings.classes().len()];
        let (pool, now) = (MixedPool::new(settings, Timestamp::ORIGIN), Timestamp::ORIGIN);
        Self {
            pool,
            now,
            workers: BTreeMap::new(),
            stock,
            counted: None,
            next: 0,
            cold_start,
            waiting: 0,
            exchanged: 0,
        }
    }

    /// The same, with a pool that is told how many workers there are in each state.
    pub fn counted(settings: Settings, cold_start: Duration, counted: bool) -> Self {
        let failed = vec![0; settings.classes().len()];
        Self { counted: counted.then_some(failed), ..Self::new(settings, cold_start) }
    }

    pub fn class(&self, class: ClassId) -> &Class {
        self.pool.settings().class(class).unwrap()
    }

    fn tell(&mut self, class: ClassId, id: u64, event: WorkerEvent) {
        if let Some(failed) = &mut self.counted {
            let failed = &mut failed[usize::from(class.0)];
            // Who is taken back is simply gone.
            *failed += u32::from(matches!(event, WorkerEvent::Failed(cause) if cause != FailureCause::Preempted));
            let failed = *failed;
            let count = |of: &dyn Fn(&State) -> bool| {
                u32::try_from(self.workers.iter().filter(|(key, state)| key.0 == class && of(state)).count()).unwrap()
            };
            let idle = count(&|state| *state == State::Idle);
            let counts = PoolCounts {
                ready: idle + count(&|state| *state == State::Busy),
                idle: Some(idle),
                starting: count(&|state| matches!(state, State::Starting(_))),
                draining: count(&|state| *state == State::Draining),
                failed,
                ..PoolCounts::default()
            };
            return self.pool.observe_class(self.now, class, Observation::Pool(counts)).unwrap();
        }
        self.pool.observe_class(self.now, class, Observation::worker(WorkerId(id), event)).unwrap();
    }

    /// Time passes, with every wake-up on the way, and then something happens.
    pub fn turn(&mut self, pause: Duration, turn: Turn, mut look: impl FnMut(&Self, &Decision)) {
        let until = self.now.saturating_add(pause);
        loop {
            let starts = self.workers.values().filter_map(|state| match state {
                State::Starting(at) => Some(*at),
                _ => None,
            });
            let next = starts.chain(self.pool.next_wakeup()).filter(|at| *at > self.now).min();
            let Some(at) = next.filter(|at| *at <= until) else { break };
            self.now = at;
            self.come_up();
            self.decide(&mut look);
        }
        self.now = until;
        self.come_up();
        self.happens(turn);
        self.decide(&mut look);
    }

    fn come_up(&mut self) {
        let up = |state: &State| matches!(state, State::Starting(at) if *at <= self.now);
        let due: Vec<_> = self.workers.iter().filter(|(_, state)| up(state)).map(|(key, _)| *key).collect();
        for (class, id) in due {
            self.workers.insert((class, id), State::Idle);
            self.tell(class, id, WorkerEvent::Ready);
            self.tell(class, id, WorkerEvent::Idle);
        }
        // Drains end when they are looked at next.
        let drained: Vec<_> =
            self.workers.iter().filter(|(_, state)| **state == State::Draining).map(|(key, _)| *key).collect();
        for (class, id) in drained {
            self.workers.remove(&(class, id));
            self.tell(class, id, WorkerEvent::Gone);
        }
    }

    fn nth(&self, n: u8, of: impl Fn(&State) -> bool) -> Option<(ClassId, u64)> {
        let all: Vec<_> = self.workers.iter().filter(|(_, state)| of(state)).map(|(key, _)| *key).collect();
        all.get(usize::from(n).checked_rem(all.len())?).copied()
    }

    fn happens(&mut self, turn: Turn) {
        match turn {
            Turn::Arrive(count) => {
                self.waiting += count;
                self.pool.observe(self.now, Observation::arrived(count)).unwrap();
            }
            Turn::Flip(n) => {
                let Some(key) = self.nth(n, |state| matches!(state, State::Idle | State::Busy)) else { return };
                let busy = self.workers[&key] == State::Idle;
                self.workers.insert(key, if busy { State::Busy } else { State::Idle });
                self.tell(key.0, key.1, if busy { WorkerEvent::Busy(1) } else { WorkerEvent::Idle });
                if busy && self.waiting > 0 {
                    self.waiting -= 1;
                    self.pool.observe(self.now, Observation::started(Duration::from_millis(5))).unwrap();
                } else if !busy {
                    let finished = Observation::finished(Duration::from_secs(1));
                    self.pool.observe_class(self.now, key.0, finished).unwrap();
                }
            }
            Turn::Lose(n, cause) => {
                let Some(key) = self.nth(n, |_| true) else { return };
                self.workers.remove(&key);
                self.tell(key.0, key.1, WorkerEvent::Failed(cause));
            }
            Turn::Storm => {
                let all: Vec<_> = self.workers.keys().filter(|(class, _)| self.class(*class).spot).copied().collect();
                for key in all {
                    self.workers.remove(&key);
                    self.tell(key.0, key.1, WorkerEvent::Failed(FailureCause::Preempted));
                }
            }
            Turn::Stock(class, there) => {
                let at = usize::from(class) % self.stock.len();
                self.stock[at] = there;
            }
            Turn::Pass => {}
        }
    }

    /// Decides and obeys, until there is nothing more to do.
    pub fn decide(&mut self, look: &mut impl FnMut(&Self, &Decision)) {
        for _ in 0..8 {
            let decision = self.pool.decide(self.now);
            look(self, &decision);
            if decision.is_idle() {
                return;
            }
            let starts = |command: &ClassCommand| matches!(command.command, Command::Start { .. });
            self.exchanged += u32::from(decision.commands.iter().any(starts) && !decision.commands.iter().all(starts));
            for ClassCommand { class, command, .. } in decision.commands {
                self.obey(class, command);
            }
        }
    }

    fn obey(&mut self, class: ClassId, command: Command) {
        match command {
            Command::Start { count } if self.stock[usize::from(class.0)] => {
                for _ in 0..count {
                    self.next += 1;
                    self.workers.insert((class, self.next), State::Starting(self.now.saturating_add(self.cold_start)));
                    self.tell(class, self.next, WorkerEvent::Ordered);
                }
            }
            Command::Start { count } => {
                let refused = Observation::StartFailed { count, cause: FailureCause::StockOut };
                self.pool.observe_class(self.now, class, refused).unwrap();
            }
            Command::Drain { id } => {
                self.workers.insert((class, id.0), State::Draining);
                self.tell(class, id.0, WorkerEvent::Draining);
            }
            Command::Revive { id } => {
                self.workers.insert((class, id.0), State::Idle);
                self.tell(class, id.0, WorkerEvent::Ready);
                self.tell(class, id.0, WorkerEvent::Idle);
            }
            Command::Stop { id, .. } => {
                self.workers.remove(&(class, id.0));
                self.tell(class, id.0, WorkerEvent::Gone);
            }
            // The platform chooses: who starts goes before who is idle, and who serves finishes.
            Command::Release { count } => {
                for _ in 0..count {
                    let of_class = || self.workers.iter().filter(|(key, _)| key.0 == class);
                    let order = |state: &State| match state {
                        State::Starting(_) => 0,
                        State::Idle => 1,
                        State::Busy => 2,
                        State::Draining => 3,
                    };
                    let Some((key, state)) = of_class().min_by_key(|(_, state)| order(state)) else { return };
                    let (key, state) = (*key, *state);
                    match state {
                        State::Draining => return,
                        State::Busy => drop(self.workers.insert(key, State::Draining)),
                        _ => drop(self.workers.remove(&key)),
                    }
                    self.tell(class, key.1, WorkerEvent::Draining);
                }
            }
            other => panic!("{other:?} has no place here"),
        }
    }

    /// Ready workers that `decision` does not send away, in thousandths of a reference worker.
    pub fn ready_after(&self, decision: &Decision) -> u64 {
        let sent = |key: &(ClassId, u64)| {
            decision.commands.iter().any(|given| match given.command {
                Command::Stop { id, .. } | Command::Drain { id } => (given.class, id.0) == *key,
                _ => false,
            })
        };
        let ready = self.workers.iter().filter(|(_, state)| matches!(state, State::Idle | State::Busy));
        let named: u64 = ready.filter(|(key, _)| !sent(key)).map(|((class, _), _)| self.worth(*class)).sum();
        // Of those that are let go by count the ones that start are first.
        let released = decision.commands.iter().map(|given| match given.command {
            Command::Release { count } => {
                let of_class = self.workers.iter().filter(|(key, _)| key.0 == given.class);
                let starting = of_class.filter(|(_, state)| matches!(state, State::Starting(_))).count() as u64;
                self.worth(given.class) * u64::from(count).saturating_sub(starting)
            }
            _ => 0,
        });
        named.saturating_sub(released.sum())
    }

    pub fn ready(&self) -> u64 {
        let ready = self.workers.iter().filter(|(_, state)| matches!(state, State::Idle | State::Busy));
        ready.map(|((class, _), _)| self.worth(*class)).sum()
    }

    fn worth(&self, class: ClassId) -> u64 {
        u64::from(self.pool.capacity(class).unwrap().as_thousandths())
    }
}
