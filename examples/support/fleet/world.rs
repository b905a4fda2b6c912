//! Many services and their pools under one fleet: every request waits for a worker of its own service.
#![allow(clippy::indexing_slicing, reason = "services are numbered by their places")]

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};
use std::time::Duration;

use indicatif::ProgressBar;
use plimsoll::fleet::{Budget, Fence, Fleet, Kind, Profile, ProfileId, SharedPrice};
use plimsoll::policy::{Objective, RunPod};
use plimsoll::sim::Workload;
use plimsoll::{Command, Config, Observation, Share, Timestamp, WorkerEvent, WorkerId};

/// How often the course is looked at.
pub(crate) const STEP: Duration = Duration::from_secs(60);

/// Under which terms a fleet runs.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    pub(crate) max: u32,
    pub(crate) cold_start: Duration,
    pub(crate) idle_timeout: Duration,
    pub(crate) budget: Option<u64>,
    /// What all services are to keep together, in place of an idle timeout.
    pub(crate) goal: Option<Goal>,
}

/// This share of all requests starts within a time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Goal {
    pub(crate) share: Share,
    pub(crate) within: Duration,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Course {
    pub(crate) end: Timestamp,
    pub(crate) moments: Vec<Moment>,
    /// From a worker's order until it is gone.
    pub(crate) worker_seconds: f64,
    /// What each request waited, in seconds, sorted.
    pub(crate) waits: Vec<f64>,
    pub(crate) cold_starts: u64,
    /// The most workers at any moment.
    pub(crate) most: usize,
    /// The first time that a service lost workers to others, in words.
    pub(crate) loss: Option<String>,
    /// The price that was found last.
    pub(crate) price: Option<u32>,
}

/// How things stand at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) at: f64,
    /// Services with a ready worker.
    pub(crate) warm: usize,
    pub(crate) workers: usize,
    /// Services that the fleet does not keep parked.
    pub(crate) awake: usize,
    /// Requests that wait.
    pub(crate) waiting: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Event {
    Arrives { service: usize, held: Duration },
    Ready { service: usize, id: u64 },
    Finishes { service: usize, id: u64, held: Duration },
    Look,
}

#[derive(Debug)]
struct Worker {
    since: Timestamp,
    state: State,
    leaves: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Starting,
    Idle,
    Busy,
}

#[derive(Debug, Default)]
struct Pool {
    queue: VecDeque<(Timestamp, Duration)>,
    workers: BTreeMap<u64, Worker>,
}

pub(crate) struct World {
    terms: Terms,
    /// Two fleets; the services from the boundary on are the second's, once it has taken them over.
    fleets: [Fleet<usize>; 2],
    boundary: usize,
    fence: Fence<usize>,
    pools: Vec<Pool>,
    warm: BTreeSet<usize>,
    events: BinaryHeap<Reverse<(Timestamp, u64, Event)>>,
    serial: u64,
    workers: usize,
    waiting: usize,
    arriving: usize,
    profile: ProfileId,
    shared: Option<SharedPrice>,
    /// Requests that started since the price was last looked at, and late ones of them.
    started: (u64, u64),
    course: Course,
}

impl World {
    pub(crate) fn new(services: &[Workload], terms: Terms) -> Result<Self, String> {
        let shared = terms.goal.map(|goal| SharedPrice::new(goal.share, Timestamp::ORIGIN));
        let config = match (shared, terms.goal) {
            (Some(shared), Some(goal)) => {
                Config::objective(Objective::price(shared.price(), goal.within), 0, terms.max)
            }
            _ => Config::runpod(RunPod::request_count(1), 0, terms.max, terms.idle_timeout),
        };
        let config = config.map_err(|error| error.to_string())?;
        let mut fleet = Fleet::new(1);
        let profile = fleet.add_profile(Profile::new(config.with_event_log(2)));
        if let Some(units) = terms.budget {
            fleet.set_budget(Timestamp::ORIGIN, &Budget::of(Kind(0), units));
        }
        let mut world = Self {
            terms,
            fleets: [fleet, Fleet::new(1)],
            boundary: services.len(),
            fence: Fence::new(),
            pools: Vec::new(),
            warm: BTreeSet::new(),
            events: BinaryHeap::new(),
            serial: 0,
            workers: 0,
            waiting: 0,
            arriving: 0,
            profile,
            shared,
            started: (0, 0),
            course: Course::default(),
        };
        for (service, workload) in services.iter().enumerate() {
            world.fleets[0].insert(service, profile, Timestamp::ORIGIN).map_err(|error| error.to_string())?;
            world.pools.push(Pool::default());
            world.arriving += workload.requests().len();
            for request in workload.requests() {
                world.later(request.arrival, Event::Arrives { service, held: request.service });
            }
        }
        world.later(Timestamp::ORIGIN, Event::Look);
        Ok(world)
    }

    /// Lives through everything.
    pub(crate) fn run(mut self, progress: &ProgressBar) -> Course {
        let mut last = Timestamp::ORIGIN;
        let halfway = self.arriving / 2;
        loop {
            let wakeup = self.fleets.iter().filter_map(Fleet::next_wakeup).min();
            let event = self.events.peek().map(|Reverse((at, ..))| *at);
            let Some(now) = wakeup.into_iter().chain(event).min() else { break };
            last = last.max(now);
            while self.events.peek().is_some_and(|Reverse((at, ..))| *at <= now) {
                let Some(Reverse((_, _, event))) = self.events.pop() else { break };
                if matches!(event, Event::Arrives { .. }) {
                    progress.inc(1);
                }
                self.happens(now, event);
            }
            self.decide(now);
            // With a budget or a price for all, all stay in one fleet.
            let alone = self.terms.budget.is_none() && self.shared.is_none();
            if self.arriving == halfway && alone && self.boundary == self.pools.len() {
                self.move_half(now);
            }
        }
        self.course.end = last;
        self.course.waits.sort_by(f64::total_cmp);
        self.course
    }

    fn later(&mut self, at: Timestamp, event: Event) {
        self.serial += 1;
        self.events.push(Reverse((at, self.serial, event)));
    }

    fn observe(&mut self, service: usize, now: Timestamp, fact: Observation) {
        let fleet = &mut self.fleets[usize::from(service >= self.boundary)];
        // Everything that is said here fits what is known.
        let refused = fleet.observe(&service, now, fact).err();
        debug_assert!(refused.is_none(), "{refused:?}");
    }

    /// The upper half of the services goes to the second fleet.
    fn move_half(&mut self, now: Timestamp) {
        self.boundary = self.pools.len() / 2;
        let [first, second] = &mut self.fleets;
        let taken = first.split_off(&self.boundary, None);
        let adopted = second.adopt(now, taken, first.epoch() + 1);
        debug_assert!(adopted.is_ok(), "{adopted:?}");
    }

    /// Tells the price what was late, and the fleet what came of it.
    fn price(&mut self, now: Timestamp) {
        let (started, late) = core::mem::take(&mut self.started);
        let Some(shared) = &mut self.shared else { return };
        if let Some(price) = shared.told(now, started, late) {
            let refused = self.fleets[0].set_price(self.profile, now, price).err();
            debug_assert!(refused.is_none(), "{refused:?}");
        }
        self.course.price = Some(shared.price());
    }

    fn decide(&mut self, now: Timestamp) {
        let due: Vec<_> = self.fleets.iter_mut().flat_map(|fleet| fleet.due(now).collect::<Vec<_>>()).collect();
        for decided in due {
            if !self.fence.admits(&decided) {
                continue;
            }
            if self.course.loss.is_none() && self.fleets[0].shortage(&decided.key).is_some() {
                self.course.loss = self.fleets[0].shortage(&decided.key).map(|why| why.to_string());
            }
            for command in decided.decision.commands {
                self.obey(decided.key, now, command);
            }
        }
    }

    fn obey(&mut self, service: usize, now: Timestamp, command: Command) {
        match command {
            Command::Start { count } => {
                for _ in 0..count {
                    self.serial += 1;
                    let id = self.serial;
                    self.pools[service]
                        .workers
                        .insert(id, Worker { since: now, state: State::Starting, leaves: false });
                    self.workers += 1;
                    self.course.cold_starts += 1;
                    self.course.most = self.course.most.max(self.workers);
                    self.observe(service, now, Observation::worker(WorkerId(id), WorkerEvent::Ordered));
                    self.later(now.saturating_add(self.terms.cold_start), Event::Ready { service, id });
                }
            }
            Command::Stop { id, .. } => self.gone(service, now, id.0),
            Command::Drain { id } => {
                if let Some(worker) = self.pools[service].workers.get_mut(&id.0) {
                    worker.leaves = true;
                    self.observe(service, now, Observation::worker(id, WorkerEvent::Draining));
                }
            }
            Command::Revive { id } => {
                if let Some(worker) = self.pools[service].workers.get_mut(&id.0) {
                    worker.leaves = false;
                    self.observe(service, now, Observation::worker(id, WorkerEvent::Ready));
                }
            }
            // Only pools that report counts are told these.
            _ => {}
        }
    }

    fn gone(&mut self, service: usize, now: Timestamp, id: u64) {
        let Some(worker) = self.pools[service].workers.remove(&id) else { return };
        self.workers -= 1;
        self.course.worker_seconds += now.saturating_since(worker.since).as_secs_f64();
        self.note_warmth(service);
        self.observe(service, now, Observation::worker(WorkerId(id), WorkerEvent::Gone));
    }

    fn note_warmth(&mut self, service: usize) {
        if self.pools[service].workers.values().any(|worker| worker.state != State::Starting) {
            self.warm.insert(service);
        } else {
            self.warm.remove(&service);
        }
    }

    fn happens(&mut self, now: Timestamp, event: Event) {
        match event {
            Event::Arrives { service, held } => {
                self.arriving -= 1;
                self.observe(service, now, Observation::arrived(1));
                self.pools[service].queue.push_back((now, held));
                self.waiting += 1;
                if self.pools[service].workers.is_empty() {
                    // Whoever owns the queue knows what is in it: from here on it is counted by events.
                    let depth = self.pools[service].queue.len() as u32;
                    self.observe(service, now, Observation::queue(depth, None));
                }
                let idle = self.pools[service].workers.iter().find(|(_, w)| w.state == State::Idle && !w.leaves);
                if let Some(id) = idle.map(|(id, _)| *id) {
                    self.serve(service, now, id);
                }
            }
            Event::Ready { service, id } => {
                if let Some(worker) = self.pools[service].workers.get_mut(&id) {
                    worker.state = State::Idle;
                    self.note_warmth(service);
                    self.observe(service, now, Observation::worker(WorkerId(id), WorkerEvent::Ready));
                    self.serve(service, now, id);
                }
            }
            Event::Finishes { service, id, held } => {
                self.observe(service, now, Observation::finished(held));
                let Some(worker) = self.pools[service].workers.get_mut(&id) else { return };
                worker.state = State::Idle;
                if worker.leaves { self.gone(service, now, id) } else { self.serve(service, now, id) }
            }
            Event::Look => {
                self.price(now);
                self.course.moments.push(Moment {
                    at: now.saturating_since(Timestamp::ORIGIN).as_secs_f64(),
                    warm: self.warm.len(),
                    workers: self.workers,
                    awake: self.fleets.iter().map(Fleet::awake).sum(),
                    waiting: self.waiting,
                });
                if self.arriving > 0 || self.workers > 0 {
                    self.later(now.saturating_add(STEP), Event::Look);
                }
            }
        }
    }

    /// An idle worker takes the first request that waits, or says that it is idle.
    fn serve(&mut self, service: usize, now: Timestamp, id: u64) {
        let pool = &mut self.pools[service];
        let (Some(worker), next) = (pool.workers.get_mut(&id), pool.queue.pop_front()) else { return };
        let Some((since, held)) = next else {
            self.observe(service, now, Observation::worker(WorkerId(id), WorkerEvent::Idle));
            return;
        };
        worker.state = State::Busy;
        self.waiting -= 1;
        let sojourn = now.saturating_since(since);
        self.course.waits.push(sojourn.as_secs_f64());
        let late = self.terms.goal.is_some_and(|goal| sojourn > goal.within);
        self.started = (self.started.0 + 1, self.started.1 + u64::from(late));
        self.observe(service, now, Observation::worker(WorkerId(id), WorkerEvent::Busy(1)));
        self.observe(service, now, Observation::started(sojourn));
        self.later(now.saturating_add(held), Event::Finishes { service, id, held });
    }
}

impl Course {
    /// Every service has one worker all the time.
    pub(crate) fn of_one_each(services: &[Workload], end: Timestamp) -> Self {
        let mut waits = Vec::new();
        for service in services {
            let mut free = Timestamp::ORIGIN;
            for request in service.requests() {
                let start = free.max(request.arrival);
                waits.push(start.saturating_since(request.arrival).as_secs_f64());
                free = start.saturating_add(request.service);
            }
        }
        waits.sort_by(f64::total_cmp);
        let seconds = end.saturating_since(Timestamp::ORIGIN).as_secs_f64();
        let worker_seconds = seconds * services.len() as f64;
        Self { end, worker_seconds, waits, most: services.len(), ..Self::default() }
    }

    pub(crate) fn mean(&self) -> f64 {
        self.waits.iter().sum::<f64>() / self.waits.len().max(1) as f64
    }

    /// The share of the requests that started within so long.
    pub(crate) fn in_time(&self, within: Duration) -> f64 {
        let in_time = self.waits.partition_point(|wait| *wait <= within.as_secs_f64());
        in_time as f64 / self.waits.len().max(1) as f64
    }

    /// What so large a share of the requests waits at the most.
    pub(crate) fn quantile(&self, share: f64) -> f64 {
        let rank = (self.waits.len() as f64 * share).ceil() as usize;
        self.waits.get(rank.max(1) - 1).copied().unwrap_or(0.0)
    }
}
