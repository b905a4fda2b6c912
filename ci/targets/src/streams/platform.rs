//! A small platform that carries out the commands it is given, more or less, and says what happens on it.

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

use plimsoll::{Command, Observation, PoolCounts, Timestamp, WorkerEvent, WorkerId};

use super::Grain;
use super::anything::{Draw, cause};

pub(super) const SECOND: u64 = 1_000_000_000;
/// More workers than this no platform here has.
const MOST_WORKERS: usize = 300;
/// More requests than this wait nowhere.
const MOST_WAITING: usize = 2_000;

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Starting,
    Prewarming,
    Ready,
    Draining,
    Standby,
}

struct Worker {
    state: State,
    /// When it has started.
    due: u64,
    /// When it finishes each request that it serves, and how long that took it.
    serves: Vec<(u64, u64)>,
}

pub(super) struct Platform {
    workers: BTreeMap<u64, Worker>,
    /// When each waiting request arrived.
    waiting: VecDeque<u64>,
    /// What happened outside `live` and is told by the next one.
    untold: Vec<Observation>,
    next_id: u64,
    slots: usize,
    events: bool,
    gauges: bool,
    /// Workers are reported by id, otherwise by their counts.
    by_id: bool,
    /// The arrival rate is a gauge, otherwise a count.
    as_rate: bool,
    /// The age of the oldest request is known.
    with_age: bool,
    cold_start: u64,
    service: u64,
}

impl Platform {
    pub(super) fn new(draw: &mut Draw, grain: Grain, slots: u32) -> Self {
        Self {
            workers: BTreeMap::new(),
            waiting: VecDeque::new(),
            untold: Vec::new(),
            next_id: draw.of(&[1, 1, u64::MAX - 100_000]),
            slots: slots.min(64) as usize,
            events: grain != Grain::Gauges,
            gauges: grain != Grain::Events,
            by_id: grain != Grain::Gauges && !draw.one_in(8) || draw.one_in(2),
            as_rate: draw.one_in(3),
            with_age: draw.one_in(2),
            cold_start: draw.of(&[SECOND / 2, 4 * SECOND, 20 * SECOND, 90 * SECOND]),
            service: draw.of(&[20_000_000, SECOND / 3, SECOND, 4 * SECOND]),
        }
    }

    /// How many requests arrive in `span`.
    pub(super) fn arrivals(&mut self, draw: &mut Draw, load: u64, span: Duration) -> u32 {
        let room = MOST_WAITING.saturating_sub(self.waiting.len()).min(300) as u64;
        let expected = u128::from(load) * span.as_nanos() * 2 / u128::from(SECOND);
        let most = u64::try_from(expected).unwrap_or(u64::MAX).min(room);
        u32::try_from(draw.below(most + 1)).unwrap()
    }

    /// What happens up to `now`, as it is reported then.
    pub(super) fn live(&mut self, draw: &mut Draw, now: Timestamp, arrived: u32, over: Duration) -> Vec<Observation> {
        let at = now.as_nanos();
        let mut told = core::mem::take(&mut self.untold);
        let mut events = Vec::new();
        self.workers_go_on(draw, at, &mut events);
        for _ in 0..arrived {
            self.waiting.push_back(at - draw.below(nanos(over) + 1));
        }
        self.waiting.make_contiguous().sort_unstable();
        if arrived > 0 {
            events.push(Observation::arrived(arrived));
        }
        self.requests_go_on(draw, at, &mut events);
        told.extend(events.into_iter().filter(|event| match event {
            Observation::Worker { .. } => self.by_id,
            _ => self.events,
        }));
        // A scrape fails now and then.
        if self.gauges && !draw.one_in(10) {
            self.scrape(at, arrived, over, &mut told);
        }
        if !self.by_id {
            told.push(Observation::Pool(self.counts()));
        }
        told
    }

    /// Workers start, finish what they serve, fail, and are gone when they have drained.
    fn workers_go_on(&mut self, draw: &mut Draw, at: u64, events: &mut Vec<Observation>) {
        let mut gone = Vec::new();
        for (&id, worker) in &mut self.workers {
            let mut tell = |event| events.push(Observation::worker(WorkerId(id), event));
            match worker.state {
                State::Starting if worker.due <= at => {
                    worker.state = State::Ready;
                    tell(WorkerEvent::Ready);
                    tell(WorkerEvent::Idle);
                }
                State::Prewarming if worker.due <= at => {
                    worker.state = State::Standby;
                    tell(WorkerEvent::Standby);
                }
                _ if draw.one_in(600) => {
                    tell(WorkerEvent::Failed(cause(draw)));
                    gone.push(id);
                }
                State::Draining if worker.serves.iter().all(|(end, _)| *end <= at) => {
                    tell(WorkerEvent::Gone);
                    gone.push(id);
                }
                _ => {}
            }
            let before = worker.serves.len();
            worker.serves.retain(|&(end, service)| {
                if end <= at {
                    events.push(Observation::finished(Duration::from_nanos(service)));
                }
                end > at
            });
            if worker.serves.len() < before && worker.state == State::Ready {
                let event = match u32::try_from(worker.serves.len()).unwrap() {
                    0 => WorkerEvent::Idle,
                    busy => WorkerEvent::Busy(busy),
                };
                events.push(Observation::worker(WorkerId(id), event));
            }
        }
        for id in gone {
            self.workers.remove(&id);
        }
    }

    /// Waiting requests are given up or taken by the slots that are free.
    fn requests_go_on(&mut self, draw: &mut Draw, at: u64, events: &mut Vec<Observation>) {
        if draw.one_in(40)
            && let Some(arrival) = self.waiting.pop_front()
        {
            events.push(Observation::abandoned(Duration::from_nanos(at - arrival)));
        }
        for (&id, worker) in &mut self.workers {
            if worker.state != State::Ready {
                continue;
            }
            let before = worker.serves.len();
            while worker.serves.len() < self.slots {
                let Some(arrival) = self.waiting.pop_front() else { break };
                let service = self.service / 2 + draw.below(self.service);
                worker.serves.push((at.saturating_add(service), service));
                events.push(Observation::started(Duration::from_nanos(at - arrival)));
            }
            if worker.serves.len() > before {
                let busy = u32::try_from(worker.serves.len()).unwrap();
                events.push(Observation::worker(WorkerId(id), WorkerEvent::Busy(busy)));
            }
        }
    }

    fn scrape(&self, at: u64, arrived: u32, over: Duration, told: &mut Vec<Observation>) {
        let age = self.waiting.front().map(|arrival| Duration::from_nanos(at - arrival));
        told.push(Observation::queue(u32::try_from(self.waiting.len()).unwrap(), age.filter(|_| self.with_age)));
        let busy: usize = self.workers.values().map(|worker| worker.serves.len()).sum();
        told.push(Observation::in_flight(u32::try_from(busy).unwrap()));
        if self.as_rate {
            // Thousandths: a quotient of two integers that every target rounds alike.
            let thousandths = u128::from(arrived) * 1_000 * u128::from(SECOND) / over.as_nanos().max(1);
            let thousandths = u32::try_from(thousandths).unwrap_or(u32::MAX);
            told.push(Observation::ArrivalRate { per_second: f64::from(thousandths) / 1_000.0 });
        } else if !over.is_zero() {
            told.push(Observation::Requests { count: arrived, over });
        }
    }

    fn counts(&self) -> PoolCounts {
        let count = |state| self.workers.values().filter(|worker| worker.state == state).count() as u32;
        let idle = |worker: &&Worker| worker.state == State::Ready && worker.serves.is_empty();
        PoolCounts {
            ready: count(State::Ready),
            idle: self.with_age.then(|| self.workers.values().filter(idle).count() as u32),
            starting: count(State::Starting),
            draining: count(State::Draining),
            prewarming: count(State::Prewarming),
            standby: count(State::Standby),
            failed: 0,
        }
    }

    /// Carries out a command, unless it is lost.
    pub(super) fn apply(&mut self, draw: &mut Draw, now: Timestamp, command: &Command) {
        if draw.one_in(20) {
            return;
        }
        match *command {
            Command::Start { count } => self.order(draw, now, count, State::Starting),
            Command::Prewarm { count } => self.order(draw, now, count, State::Prewarming),
            Command::Revive { id } => self.become_state(id.0, now, State::Starting),
            Command::Drain { id } => self.become_state(id.0, now, State::Draining),
            Command::Stop { id, to_standby: true, .. } => self.become_state(id.0, now, State::Standby),
            Command::Stop { id, .. } => {
                self.workers.remove(&id.0);
                self.tell(id.0, WorkerEvent::Gone);
            }
            Command::ReviveAny { count } => {
                for id in self.some(count, |worker| worker.state == State::Standby) {
                    self.become_state(id, now, State::Starting);
                }
            }
            Command::Release { count } => {
                for id in self.some(count, |worker| worker.state == State::Ready && worker.serves.is_empty()) {
                    self.workers.remove(&id);
                }
                for id in self.some(count / 2, |worker| worker.state == State::Ready) {
                    self.become_state(id, now, State::Draining);
                }
            }
            _ => {}
        }
    }

    fn some(&self, count: u32, which: impl Fn(&Worker) -> bool) -> Vec<u64> {
        self.workers.iter().filter(|(_, worker)| which(worker)).map(|(id, _)| *id).take(count as usize).collect()
    }

    fn order(&mut self, draw: &mut Draw, now: Timestamp, count: u32, state: State) {
        for _ in 0..count {
            if self.workers.len() >= MOST_WORKERS || draw.one_in(16) {
                self.untold.push(Observation::StartFailed { count: 1, cause: cause(draw) });
                if self.workers.len() >= MOST_WORKERS {
                    return;
                }
                continue;
            }
            let id = self.next_id;
            self.next_id = id.wrapping_add(1);
            let due = now.as_nanos().saturating_add(self.cold_start / 2 + draw.below(self.cold_start));
            self.workers.insert(id, Worker { state, due, serves: Vec::new() });
            let event = if state == State::Starting { WorkerEvent::Ordered } else { WorkerEvent::Prewarming };
            self.tell(id, event);
        }
    }

    fn become_state(&mut self, id: u64, now: Timestamp, state: State) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        let event = match state {
            State::Starting if worker.state == State::Draining => {
                worker.state = State::Ready;
                self.tell(id, WorkerEvent::Ready);
                return;
            }
            State::Starting | State::Prewarming => WorkerEvent::Ordered,
            State::Ready => WorkerEvent::Ready,
            State::Draining => WorkerEvent::Draining,
            State::Standby => WorkerEvent::Standby,
        };
        worker.state = state;
        worker.due = now.as_nanos().saturating_add(SECOND);
        if state == State::Standby {
            worker.serves.clear();
        }
        self.tell(id, event);
    }

    fn tell(&mut self, id: u64, event: WorkerEvent) {
        if self.by_id {
            self.untold.push(Observation::worker(WorkerId(id), event));
        }
    }
}

pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
