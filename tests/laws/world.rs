//! A ledger that knows which commands a pool may be given, and a pool that obeys, for closed loops.

use std::collections::BTreeMap;
use std::time::Duration;

use plimsoll::{
    Autoscaler, Command, Config, Decision, FailureCause, Observation, PoolCounts, Timestamp, WorkerEvent, WorkerId,
};

use crate::generators::Grain;

/// A worker as last observed, with the slots it serves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Doing {
    Starting,
    /// Ready, and its load is not known.
    Unknown,
    Idle,
    Busy(u32),
    Leased(Timestamp),
    Draining(u32),
    Prewarming,
    Standby,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    doing: Doing,
    since: Timestamp,
    /// The last command it was given, and when that lapses.
    told: Option<(Command, Timestamp)>,
}

impl Seen {
    fn told(&self, now: Timestamp) -> Option<Command> {
        self.told.filter(|(_, until)| now < *until).map(|(command, _)| command)
    }

    fn leaves(&self, now: Timestamp) -> bool {
        matches!(self.told(now), Some(Command::Stop { .. } | Command::Drain { .. }))
    }

    fn is_revived(&self, now: Timestamp) -> bool {
        matches!(self.told(now), Some(Command::Revive { .. }))
    }
}

/// What has been observed of workers by id, against which every command is checked.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    workers: BTreeMap<WorkerId, Seen>,
}

impl Ledger {
    /// Leases end by time alone.
    fn pass_time(&mut self, now: Timestamp) {
        for seen in self.workers.values_mut() {
            if let Doing::Leased(until) = seen.doing
                && until <= now
            {
                (seen.doing, seen.since) = (Doing::Idle, until);
            }
        }
    }

    /// Takes over an event that the autoscaler has accepted.
    pub fn saw(&mut self, now: Timestamp, id: WorkerId, event: WorkerEvent) {
        self.pass_time(now);
        let old = self.workers.get(&id).copied();
        let doing = match (event, old.map(|seen| seen.doing)) {
            (WorkerEvent::Gone | WorkerEvent::Failed(_), _) => {
                self.workers.remove(&id);
                return;
            }
            (WorkerEvent::Ordered, _) => Doing::Starting,
            (WorkerEvent::Prewarming, _) => Doing::Prewarming,
            (WorkerEvent::Standby, _) => Doing::Standby,
            (WorkerEvent::Ready, Some(known @ (Doing::Idle | Doing::Busy(_) | Doing::Leased(_)))) => known,
            (WorkerEvent::Ready, Some(Doing::Draining(0))) => Doing::Idle,
            (WorkerEvent::Ready, Some(Doing::Draining(slots))) => Doing::Busy(slots),
            (WorkerEvent::Ready, _) => Doing::Unknown,
            (WorkerEvent::Draining, Some(Doing::Busy(slots) | Doing::Draining(slots)))
            | (WorkerEvent::Busy(slots), Some(Doing::Draining(_))) => Doing::Draining(slots),
            (WorkerEvent::Draining, Some(Doing::Idle)) | (WorkerEvent::Idle, Some(Doing::Draining(_))) => {
                Doing::Draining(0)
            }
            (WorkerEvent::Draining, _) | (WorkerEvent::Leased(_), Some(Doing::Draining(_))) => Doing::Draining(1),
            (WorkerEvent::Leased(span), _) => Doing::Leased(now.saturating_add(span)),
            (WorkerEvent::Idle | WorkerEvent::Busy(0), _) => Doing::Idle,
            (WorkerEvent::Busy(slots), _) => Doing::Busy(slots),
            _ => return,
        };
        let same = |seen: &Seen| std::mem::discriminant(&seen.doing) == std::mem::discriminant(&doing);
        let since = old.filter(same).map_or(now, |seen| seen.since);
        // A command is done, or void, when the worker is seen in a state that it does not speak of.
        let told = old.and_then(|seen| seen.told).filter(|(command, _)| match command {
            Command::Revive { .. } => matches!(doing, Doing::Standby | Doing::Draining(_)),
            Command::Drain { .. } => matches!(doing, Doing::Unknown | Doing::Idle | Doing::Busy(_) | Doing::Leased(_)),
            _ => matches!(doing, Doing::Starting | Doing::Idle | Doing::Draining(_)),
        });
        self.workers.insert(id, Seen { doing, since, told });
    }

    /// Notes a decision's commands; an error names the first that the pool should not have been given.
    pub fn told(&mut self, decision: &Decision, config: &Config) -> Result<(), String> {
        let now = decision.at;
        self.pass_time(now);
        let mut faults = Vec::new();
        for command in &decision.commands {
            let (Command::Stop { id, .. } | Command::Drain { id } | Command::Revive { id }) = *command else {
                continue;
            };
            let Some(seen) = self.workers.get_mut(&id) else {
                faults.push(format!("{command:?} to a worker that does not exist"));
                continue;
            };
            let lasted = now.saturating_since(seen.since);
            let idle_enough = config.idle_timeout().is_none_or(|timeout| lasted >= timeout);
            let fits = match (*command, seen.doing) {
                (Command::Stop { cut_off: true, to_standby, .. }, Doing::Draining(_)) => {
                    !to_standby && lasted >= config.drain_timeout()
                }
                (Command::Stop { cut_off: false, to_standby, .. }, Doing::Starting) => !to_standby,
                (Command::Stop { cut_off: false, .. }, Doing::Idle) => idle_enough,
                (Command::Drain { .. }, Doing::Busy(_) | Doing::Unknown | Doing::Leased(_)) => {
                    config.idle_timeout().is_none()
                }
                (Command::Revive { .. }, doing) => match doing {
                    Doing::Draining(_) | Doing::Standby => true,
                    // A drain that the worker has not begun is taken back.
                    Doing::Busy(_) | Doing::Unknown | Doing::Idle | Doing::Leased(_) => seen.leaves(now),
                    Doing::Starting | Doing::Prewarming => false,
                },
                _ => false,
            };
            if !fits || (seen.told(now) == Some(*command)) {
                faults.push(format!("{command:?} to {seen:?}"));
            }
            seen.told = Some((*command, now.saturating_add(config.order_timeout())));
        }
        let starts = decision.commands.iter().any(|command| matches!(command, Command::Start { .. }));
        let forgotten = self
            .workers
            .values()
            .find(|seen| matches!(seen.doing, Doing::Draining(_)) && !seen.is_revived(now) && !seen.leaves(now));
        if let (true, Some(seen)) = (starts, forgotten) {
            faults.push(format!("a start, although {seen:?} could be revived"));
        }
        faults.into_iter().next().map_or(Ok(()), |fault| Err(format!("at {now}: {fault}")))
    }

    /// How many workers may at the least and at the most count as committed, orders aside.
    pub fn committed(&self, now: Timestamp, start_timeout: Duration) -> (usize, usize) {
        let count = |fits: &dyn Fn(&Seen) -> bool| self.workers.values().filter(|seen| fits(seen)).count();
        let up = |seen: &Seen| match seen.doing {
            Doing::Starting => now.saturating_since(seen.since) < start_timeout,
            Doing::Unknown | Doing::Idle | Doing::Busy(_) | Doing::Leased(_) => true,
            Doing::Draining(_) | Doing::Prewarming | Doing::Standby => false,
        };
        let sure = count(&|seen| up(seen) && !seen.leaves(now));
        let possible = count(&|seen| up(seen) || seen.is_revived(now));
        (sure, possible)
    }
}

/// How long things take in a [`World`].
#[derive(Clone, Debug)]
pub struct Habits {
    /// From a command to its first visible effect.
    pub answer: Duration,
    /// Cold starts, in turn.
    pub cold: Vec<Duration>,
    pub warm: Duration,
    pub drain: Duration,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Life {
    /// Ordered, and not visible yet.
    Ordered,
    Starting,
    Idle,
    Busy,
    Draining,
    Prewarming,
    Standby,
}

#[derive(Clone, Copy, Debug)]
enum Change {
    Appears,
    Prewarms,
    Ready,
    Stops { to_standby: bool },
    Drains,
    Drained,
    Revives,
}

/// An autoscaler and a pool that does as it is told. Decisions are taken at every observation and every wake-up.
pub struct World {
    pub autoscaler: Autoscaler,
    pub now: Timestamp,
    pub ledger: Ledger,
    /// The count after every decision that changed it.
    pub counts: Vec<(Timestamp, u32)>,
    /// Workers ordered so far, standby aside.
    pub started: u32,
    /// Decisions taken without an observation of its user.
    pub wakeups: u32,
    /// The first command that the ledger objects to.
    pub fault: Option<String>,
    grain: Grain,
    habits: Habits,
    workers: BTreeMap<u64, (Life, bool)>,
    changes: BTreeMap<(Timestamp, u64), (u64, Change)>,
    serial: u64,
}

impl World {
    pub fn new(config: Config, start: Timestamp, grain: Grain, habits: Habits) -> Self {
        Self {
            autoscaler: Autoscaler::new(config, start),
            now: start,
            ledger: Ledger::default(),
            counts: Vec::new(),
            started: 0,
            wakeups: 0,
            fault: None,
            grain,
            habits,
            workers: BTreeMap::new(),
            changes: BTreeMap::new(),
            serial: 0,
        }
    }

    /// `count` idle workers are there already.
    pub fn with_workers(mut self, count: u32) -> Self {
        for _ in 0..count {
            let id = self.add(Life::Starting);
            self.change(id, Change::Ready);
        }
        self
    }

    /// The platform reports its pool as it is now, even if it is empty.
    pub fn report_pool(&mut self) {
        if self.grain == Grain::Counts {
            self.report_counts();
        }
    }

    /// Time passes up to `at`; then the user observes something.
    pub fn observe(&mut self, at: Timestamp, observation: Observation) {
        self.run_until(at);
        self.tell(observation);
        self.decide();
    }

    /// Several facts at one instant, before the next decision.
    pub fn observe_all(&mut self, at: Timestamp, observations: &[Observation]) {
        self.run_until(at);
        for observation in observations {
            self.tell(*observation);
        }
        self.decide();
    }

    /// Time passes up to `at`, with decisions at wake-ups only.
    pub fn run_until(&mut self, at: Timestamp) {
        while let Some(next) = self.next_event().filter(|next| *next <= at) {
            self.step_to(next);
        }
        self.now = self.now.max(at);
    }

    /// The next instant at which something happens by itself; goes there. False if nothing ever will.
    pub fn step(&mut self) -> bool {
        let next = self.next_event();
        if let Some(next) = next {
            self.step_to(next);
        }
        next.is_some()
    }

    fn next_event(&self) -> Option<Timestamp> {
        let change = self.changes.keys().next().map(|(at, _)| *at);
        change.into_iter().chain(self.autoscaler.next_wakeup()).min()
    }

    fn step_to(&mut self, at: Timestamp) {
        self.now = at;
        self.wakeups += 1;
        let status = || (self.autoscaler.status().timers, self.counts.iter().rev().take(4));
        assert!(self.wakeups < 100_000, "wake-ups without end at {at}: {:?}", status());
        while let Some((key, (id, change))) = self.changes.first_key_value().map(|(key, value)| (*key, *value)) {
            if key.0 > at {
                break;
            }
            self.changes.remove(&key);
            self.change(id, change);
        }
        self.decide();
    }

    fn tell(&mut self, observation: Observation) {
        let accepted = self.autoscaler.observe(self.now, observation).is_ok();
        if let (true, Observation::Worker { id, event }) = (accepted, observation) {
            self.ledger.saw(self.now, id, event);
        }
    }

    pub fn decide(&mut self) {
        let decision = self.autoscaler.decide(self.now);
        if let Err(fault) = self.ledger.told(&decision, self.autoscaler.config()) {
            self.fault.get_or_insert(fault);
        }
        if self.counts.last().is_none_or(|(_, count)| *count != decision.desired) {
            self.counts.push((self.now, decision.desired));
        }
        for command in decision.commands {
            self.obey(command);
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Start { count } => {
                self.started += count;
                for _ in 0..count {
                    let id = self.add(Life::Ordered);
                    self.after(self.habits.answer, id, Change::Appears);
                }
            }
            Command::Prewarm { count } => {
                for _ in 0..count {
                    let id = self.add(Life::Prewarming);
                    self.after(self.habits.answer, id, Change::Prewarms);
                }
            }
            Command::Revive { id } => self.leave(id.0, false, Change::Revives),
            Command::Drain { id } => self.leave(id.0, true, Change::Drains),
            Command::Stop { id, to_standby, .. } => self.leave(id.0, true, Change::Stops { to_standby }),
            Command::ReviveAny { count } => {
                for id in self.first(count, &[Life::Standby]) {
                    self.leave(id, false, Change::Revives);
                }
            }
            Command::Release { count } => {
                for id in self.first(count, &[Life::Ordered, Life::Starting, Life::Idle, Life::Busy]) {
                    self.leave(id, true, Change::Stops { to_standby: false });
                }
            }
            _ => {}
        }
    }

    fn add(&mut self, life: Life) -> u64 {
        let id = self.serial;
        self.serial += 1;
        self.workers.insert(id, (life, false));
        id
    }

    fn leave(&mut self, id: u64, leaves: bool, change: Change) {
        if let Some((_, leaving)) = self.workers.get_mut(&id) {
            *leaving = leaves;
        }
        self.after(self.habits.answer, id, change);
    }

    /// The first so many workers in one of these states, in the order of the states, that are not leaving.
    fn first(&self, count: u32, states: &[Life]) -> Vec<u64> {
        let staying = |state| {
            let fits = move |(_, worker): &(&u64, &(Life, bool))| **worker == (state, false);
            self.workers.iter().filter(fits).map(|(id, _)| *id)
        };
        states.iter().copied().flat_map(staying).take(count as usize).collect()
    }

    fn after(&mut self, wait: Duration, id: u64, change: Change) {
        self.serial += 1;
        self.changes.insert((self.now.saturating_add(wait), self.serial), (id, change));
    }

    fn change(&mut self, id: u64, change: Change) {
        let Some((life, leaving)) = self.workers.get(&id).copied() else { return };
        let cold = |id: u64| self.habits.cold[usize::try_from(id).unwrap_or(0) % self.habits.cold.len()];
        let (next, events): (_, &[WorkerEvent]) = match (change, life) {
            (Change::Appears, Life::Ordered) => {
                self.after(cold(id), id, Change::Ready);
                (Some(Life::Starting), &[WorkerEvent::Ordered])
            }
            (Change::Prewarms, Life::Prewarming) => {
                self.after(cold(id), id, Change::Stops { to_standby: true });
                (Some(Life::Prewarming), &[WorkerEvent::Prewarming])
            }
            (Change::Ready, Life::Starting) | (Change::Revives, Life::Draining) => {
                (Some(Life::Idle), &[WorkerEvent::Ready, WorkerEvent::Idle])
            }
            (Change::Stops { to_standby: true }, _) => (Some(Life::Standby), &[WorkerEvent::Standby]),
            (Change::Stops { to_standby: false }, Life::Ordered) => (None, &[]),
            (Change::Stops { to_standby: false }, _) | (Change::Drained, Life::Draining) => {
                (None, &[WorkerEvent::Gone])
            }
            (Change::Drains, Life::Idle | Life::Busy) => {
                self.after(self.habits.drain, id, Change::Drained);
                (Some(Life::Draining), &[WorkerEvent::Draining])
            }
            (Change::Revives, Life::Standby) => {
                self.after(self.habits.warm, id, Change::Ready);
                (Some(Life::Starting), &[WorkerEvent::Ordered])
            }
            _ => return,
        };
        match next {
            Some(life) => self.workers.insert(id, (life, leaving && life != Life::Standby)),
            None => self.workers.remove(&id),
        };
        self.report(id, events);
    }

    /// What a worker does by itself: the `nth` that is ready serves so many requests, or fails.
    pub fn set_slots(&mut self, at: Timestamp, nth: usize, slots: u32) {
        self.run_until(at);
        let ready = self.first(u32::MAX, &[Life::Idle, Life::Busy]);
        let Some(id) = ready.get(nth % ready.len().max(1)).copied() else { return };
        let life = if slots == 0 { Life::Idle } else { Life::Busy };
        self.workers.insert(id, (life, false));
        self.report(id, &[WorkerEvent::Busy(slots)]);
        self.decide();
    }

    pub fn fail(&mut self, at: Timestamp, nth: usize) {
        self.run_until(at);
        let all: Vec<_> = self.first(u32::MAX, &[Life::Starting, Life::Idle, Life::Busy]);
        let Some(id) = all.get(nth % all.len().max(1)).copied() else { return };
        self.workers.remove(&id);
        self.report(id, &[WorkerEvent::Failed(FailureCause::Crash)]);
        self.decide();
    }

    fn report(&mut self, id: u64, events: &[WorkerEvent]) {
        match self.grain {
            Grain::Ids => {
                for event in events {
                    self.tell(Observation::worker(WorkerId(id), *event));
                }
            }
            Grain::Counts => self.report_counts(),
            Grain::Silent => {}
        }
    }

    fn report_counts(&mut self) {
        let counts = PoolCounts {
            ready: self.having(Life::Idle) + self.having(Life::Busy),
            idle: Some(self.having(Life::Idle)),
            starting: self.having(Life::Starting),
            draining: self.having(Life::Draining),
            prewarming: self.having(Life::Prewarming),
            standby: self.having(Life::Standby),
            failed: 0,
        };
        self.tell(Observation::Pool(counts));
    }

    fn having(&self, life: Life) -> u32 {
        u32::try_from(self.workers.values().filter(|(state, _)| *state == life).count()).unwrap_or(u32::MAX)
    }

    /// Workers that are on their way or ready, and not told to leave.
    pub fn staying(&self) -> u32 {
        let states = [Life::Ordered, Life::Starting, Life::Idle, Life::Busy];
        u32::try_from(self.first(u32::MAX, &states).len()).unwrap_or(u32::MAX)
    }
}
