//! A platform with workers of several classes: a queue in front of them, stock that runs out, and spot workers that are taken
//! back.
#![allow(clippy::indexing_slicing, reason = "classes and requests are numbered by their places")]

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::time::Duration;

use plimsoll::classes::{ClassId, Decision, MixedPool, Refused, Settings};
use plimsoll::sim::Request;
use plimsoll::{Command, FailureCause, Observation, Timestamp, WorkerEvent, WorkerId};

/// Requests that one worker serves at once.
pub(crate) const SLOTS: u32 = 4;

/// What the platform does to a class.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Nature {
    /// Service times are divided by this.
    pub(crate) speed: f64,
    pub(crate) cold_start: Duration,
}

/// What happens on this day, by the class's place.
#[derive(Clone, Debug, Default)]
pub(crate) struct Troubles {
    /// A class that has no stock from here to there.
    pub(crate) out_of_stock: Vec<(usize, Timestamp, Timestamp)>,
    /// All workers of a class are taken back.
    pub(crate) storms: Vec<(usize, Timestamp)>,
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Course {
    /// From a worker's order until it is gone, in seconds, by class.
    pub(crate) seconds: Vec<f64>,
    /// What each request waited, in seconds, sorted.
    pub(crate) waits: Vec<f64>,
    /// Requests that were served twice, since their worker was taken back.
    pub(crate) again: u32,
    pub(crate) lost_workers: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Event {
    Arrives(usize),
    Ready(WorkerKey),
    Finishes(WorkerKey, usize),
    Storm(usize),
}

type WorkerKey = (usize, u64);

#[derive(Debug)]
struct Worker {
    since: Timestamp,
    ready: bool,
    leaves: bool,
    serves: Vec<usize>,
}

pub(crate) struct World<'a> {
    pool: MixedPool,
    requests: &'a [Request],
    natures: Vec<Nature>,
    troubles: &'a Troubles,
    queue: VecDeque<usize>,
    workers: BTreeMap<WorkerKey, Worker>,
    events: BinaryHeap<Reverse<(Timestamp, u64, Event)>>,
    serial: u64,
    ids: u64,
    now: Timestamp,
    course: Course,
}

impl<'a> World<'a> {
    pub(crate) fn new(
        settings: Settings,
        natures: Vec<Nature>,
        requests: &'a [Request],
        troubles: &'a Troubles,
    ) -> Self {
        let course = Course { seconds: vec![0.0; natures.len()], ..Course::default() };
        let mut world = Self {
            pool: MixedPool::new(settings, Timestamp::ORIGIN),
            requests,
            natures,
            troubles,
            queue: VecDeque::new(),
            workers: BTreeMap::new(),
            events: BinaryHeap::new(),
            serial: 0,
            ids: 0,
            now: Timestamp::ORIGIN,
            course,
        };
        for (place, request) in requests.iter().enumerate() {
            world.later(request.arrival, Event::Arrives(place));
        }
        for (class, at) in &troubles.storms {
            world.later(*at, Event::Storm(*class));
        }
        world
    }

    /// Lives until every request has been served, and tells `look` of every decision.
    pub(crate) fn run(mut self, mut look: impl FnMut(&Decision, usize)) -> Result<Course, Refused> {
        self.decide(&mut look)?;
        while let Some(event) = self.events.peek().map(|Reverse((at, ..))| *at) {
            self.now = self.pool.next_wakeup().map_or(event, |at| at.min(event));
            while self.events.peek().is_some_and(|Reverse((at, ..))| *at <= self.now) {
                let Some(Reverse((_, _, event))) = self.events.pop() else { break };
                self.happens(event)?;
            }
            self.serve()?;
            self.decide(&mut look)?;
        }
        for key in self.workers.keys().copied().collect::<Vec<_>>() {
            self.gone(key);
        }
        self.course.waits.sort_by(f64::total_cmp);
        Ok(self.course)
    }

    fn later(&mut self, at: Timestamp, event: Event) {
        self.serial += 1;
        self.events.push(Reverse((at, self.serial, event)));
    }

    fn tell(&mut self, key: WorkerKey, event: WorkerEvent) -> Result<(), Refused> {
        self.pool.observe_class(self.now, class(key.0), Observation::worker(WorkerId(key.1), event))
    }

    fn happens(&mut self, event: Event) -> Result<(), Refused> {
        match event {
            Event::Arrives(place) => {
                self.queue.push_back(place);
                self.pool.observe(self.now, Observation::arrived(1))
            }
            Event::Ready(key) => {
                let Some(worker) = self.workers.get_mut(&key) else { return Ok(()) };
                worker.ready = true;
                self.tell(key, WorkerEvent::Ready)?;
                self.tell(key, WorkerEvent::Idle)
            }
            Event::Finishes(key, place) => self.finishes(key, place),
            Event::Storm(class) => {
                let all: Vec<_> = self.workers.keys().filter(|key| key.0 == class).copied().collect();
                for key in all {
                    self.course.lost_workers += 1;
                    for place in self.gone(key) {
                        self.course.again += 1;
                        self.queue.push_front(place);
                        self.pool.observe(self.now, Observation::arrived(1))?;
                    }
                    self.tell(key, WorkerEvent::Failed(FailureCause::Preempted))?;
                }
                Ok(())
            }
        }
    }

    fn finishes(&mut self, key: WorkerKey, place: usize) -> Result<(), Refused> {
        let Some(worker) = self.workers.get_mut(&key) else { return Ok(()) };
        worker.serves.retain(|served| *served != place);
        let (left, leaves) = (worker.serves.len(), worker.leaves);
        let held = self.held(key.0, place);
        self.pool.observe_class(self.now, class(key.0), Observation::finished(held))?;
        self.tell(key, WorkerEvent::Busy(u32::try_from(left).unwrap_or(u32::MAX)))?;
        if left == 0 && leaves {
            self.gone(key);
            self.tell(key, WorkerEvent::Gone)?;
        }
        Ok(())
    }

    fn held(&self, class: usize, place: usize) -> Duration {
        self.requests[place].service.div_f64(self.natures[class].speed)
    }

    /// Whoever has a free slot takes who has waited the longest.
    fn serve(&mut self) -> Result<(), Refused> {
        let free = |worker: &Worker| worker.ready && !worker.leaves && worker.serves.len() < SLOTS as usize;
        while let Some(place) = self.queue.front().copied() {
            let Some((key, worker)) = self.workers.iter_mut().find(|(_, worker)| free(worker)) else { break };
            let key = *key;
            worker.serves.push(place);
            let busy = u32::try_from(worker.serves.len()).unwrap_or(u32::MAX);
            self.queue.pop_front();
            let waited = self.now.saturating_since(self.requests[place].arrival);
            self.course.waits.push(waited.as_secs_f64());
            self.pool.observe(self.now, Observation::started(waited))?;
            self.tell(key, WorkerEvent::Busy(busy))?;
            let end = self.now.saturating_add(self.held(key.0, place));
            self.later(end, Event::Finishes(key, place));
        }
        Ok(())
    }

    fn decide(&mut self, look: &mut impl FnMut(&Decision, usize)) -> Result<(), Refused> {
        loop {
            let decision = self.pool.decide(self.now);
            look(&decision, self.queue.len());
            if decision.is_idle() {
                return Ok(());
            }
            for given in decision.commands {
                self.obey(usize::from(given.class.0), given.command)?;
            }
        }
    }

    fn obey(&mut self, place: usize, command: Command) -> Result<(), Refused> {
        let id = match command {
            Command::Start { count } => return self.start(place, count),
            Command::Revive { id } | Command::Drain { id } | Command::Stop { id, .. } => id,
            _ => return Ok(()),
        };
        let key = (place, id.0);
        let Some(worker) = self.workers.get_mut(&key) else { return Ok(()) };
        let busy = u32::try_from(worker.serves.len()).unwrap_or(u32::MAX);
        match command {
            Command::Revive { .. } => {
                worker.leaves = false;
                self.tell(key, WorkerEvent::Ready)?;
                self.tell(key, WorkerEvent::Busy(busy))
            }
            Command::Drain { .. } if busy > 0 => {
                worker.leaves = true;
                self.tell(key, WorkerEvent::Draining)
            }
            _ => {
                self.gone(key);
                self.tell(key, WorkerEvent::Gone)
            }
        }
    }

    fn start(&mut self, place: usize, count: u32) -> Result<(), Refused> {
        let closed =
            |(class, from, to): &(usize, Timestamp, Timestamp)| *class == place && *from <= self.now && self.now < *to;
        if self.troubles.out_of_stock.iter().any(closed) {
            let refused = Observation::StartFailed { count, cause: FailureCause::StockOut };
            return self.pool.observe_class(self.now, class(place), refused);
        }
        for _ in 0..count {
            self.ids += 1;
            let (key, worker) =
                ((place, self.ids), Worker { since: self.now, ready: false, leaves: false, serves: Vec::new() });
            self.workers.insert(key, worker);
            self.later(self.now.saturating_add(self.natures[place].cold_start), Event::Ready(key));
            self.tell(key, WorkerEvent::Ordered)?;
        }
        Ok(())
    }

    /// It is paid for until now; what it served is given back.
    fn gone(&mut self, key: WorkerKey) -> Vec<usize> {
        let Some(worker) = self.workers.remove(&key) else { return Vec::new() };
        self.course.seconds[key.0] += self.now.saturating_since(worker.since).as_secs_f64();
        worker.serves
    }
}

fn class(place: usize) -> ClassId {
    ClassId(u8::try_from(place).unwrap_or(u8::MAX))
}
