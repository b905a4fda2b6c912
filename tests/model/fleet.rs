//! Workers by id: from all that each has said and has been told follows what it is doing at any instant.

use std::collections::BTreeMap;

use plimsoll::{Config, FailureCause, WorkerEvent, WorkerId};

use crate::signals::{Nanos, nanos};

/// What a worker was told to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    Stop,
    /// Stop, but stay loaded in standby.
    Park,
    Drain,
    Revive,
}

#[derive(Clone, Copy, Debug)]
enum Mark {
    Says(WorkerEvent),
    /// An order, and until when it waits to be seen done.
    Told(Order, Nanos),
    /// It has taken too long to start.
    GivenUp,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Doing {
    Starting,
    /// It has taken too long to start and is not ready.
    Late,
    /// It is ready and has said nothing of its load.
    Untold,
    Idle,
    Busy,
    Leased(Nanos),
    Draining,
    /// It is being loaded into standby.
    Loading,
    /// It is stopped, loaded, and quick to revive.
    Standby,
}

/// What a worker is at one instant.
#[derive(Clone, Copy, Debug)]
pub struct Worker {
    pub id: WorkerId,
    pub doing: Doing,
    /// Since when it does that; of one that drains, since when its deadline runs.
    pub since: Nanos,
    /// Requests that it serves.
    pub load: u32,
    pub told: Option<(Order, Nanos)>,
    /// It was seen starting before it was ready.
    seen_starting: bool,
    /// It starts from standby.
    warm: bool,
    /// Its last lease has ended at this instant.
    pub leased_until: Option<Nanos>,
}

impl Worker {
    const fn first_heard_of(now: Nanos, id: WorkerId, mark: Mark) -> Self {
        let doing = match mark {
            Mark::Says(WorkerEvent::Ordered) => Doing::Starting,
            Mark::Says(WorkerEvent::Prewarming) => Doing::Loading,
            Mark::Says(WorkerEvent::Standby) => Doing::Standby,
            _ => Doing::Untold,
        };
        Self { id, doing, since: now, load: 0, told: None, seen_starting: false, warm: false, leased_until: None }
    }

    pub const fn is_ready(&self) -> bool {
        matches!(self.doing, Doing::Untold | Doing::Idle | Doing::Busy | Doing::Leased(_))
    }

    /// Loaded or being loaded, and stopped.
    const fn is_loaded(&self) -> bool {
        matches!(self.doing, Doing::Loading | Doing::Standby)
    }

    /// Ready or starting and not told to go, or told to come back.
    pub fn is_committed(&self) -> bool {
        match self.told {
            Some((order, _)) => order == Order::Revive,
            None => self.is_ready() || self.doing == Doing::Starting,
        }
    }

    /// Time passes: a lease ends, an order that was not seen done counts as lost.
    fn pass(&mut self, now: Nanos) {
        if let Doing::Leased(until) = self.doing {
            if until <= now {
                (self.doing, self.since, self.load, self.leased_until) = (Doing::Idle, until, 0, Some(until));
            }
        }
        self.told = self.told.filter(|(_, until)| now < *until);
    }

    fn does(&mut self, now: Nanos, doing: Doing) {
        let starting = matches!(self.doing, Doing::Starting | Doing::Late);
        let leases_on = matches!((self.doing, doing), (Doing::Leased(_), Doing::Leased(_)));
        if self.doing != doing && !leases_on {
            self.since = now;
        }
        self.doing = doing;
        self.seen_starting |= starting && self.is_ready();
    }

    fn serves(&mut self, now: Nanos, load: u32) {
        self.load = load;
        // One that drains goes on draining.
        if self.doing != Doing::Draining {
            self.does(now, if load > 0 { Doing::Busy } else { Doing::Idle });
        }
    }

    fn says(&mut self, now: Nanos, event: WorkerEvent) {
        match event {
            WorkerEvent::Ready if self.doing == Doing::Draining => {
                self.does(now, if self.load > 0 { Doing::Busy } else { Doing::Idle });
            }
            WorkerEvent::Ready if !self.is_ready() => {
                self.load = 0;
                self.does(now, Doing::Untold);
            }
            WorkerEvent::Ordered if self.is_loaded() => {
                self.warm = true;
                self.does(now, Doing::Starting);
            }
            WorkerEvent::Standby => {
                self.load = 0;
                self.does(now, Doing::Standby);
            }
            WorkerEvent::Busy(load) => self.serves(now, load),
            WorkerEvent::Idle => self.serves(now, 0),
            WorkerEvent::Leased(span) => {
                let until = now + nanos(span);
                self.load = 1;
                match self.doing {
                    // Its deadline runs from the end of the lease at the earliest.
                    Doing::Draining => self.since = self.since.max(until),
                    _ => self.does(now, Doing::Leased(until)),
                }
            }
            WorkerEvent::Draining if self.doing != Doing::Draining => {
                // What is not known to be idle is busy.
                let known = matches!(self.doing, Doing::Idle | Doing::Busy);
                self.load = if known { self.load } else { 1 };
                let lease = if let Doing::Leased(until) = self.doing { until } else { now };
                (self.doing, self.since) = (Doing::Draining, lease);
            }
            _ => {}
        }
        // An order is done, or void, when the worker is no more what it was told to stop being.
        self.told = self.told.filter(|(order, _)| match order {
            Order::Stop | Order::Park => {
                matches!(self.doing, Doing::Starting | Doing::Late | Doing::Idle | Doing::Draining)
            }
            Order::Drain => self.is_ready(),
            Order::Revive => matches!(self.doing, Doing::Draining | Doing::Standby),
        });
    }
}

/// What an event has brought to light.
/// What an event has brought to light.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a finding of its own")]
pub struct News {
    pub appeared: bool,
    /// It appeared in standby or on its way there.
    pub loaded: bool,
    /// It was there and out of service, and is back.
    pub returned: bool,
    /// A start has succeeded.
    pub started: bool,
    /// A start has failed.
    pub failed: Option<FailureCause>,
}

/// A start that came, or was given up after so long.
#[derive(Clone, Copy, Debug)]
struct Start {
    took: Nanos,
    came: bool,
    warm: bool,
}

/// Everything that workers have said and were told, in its order.
#[derive(Clone, Debug, Default)]
pub struct Fleet {
    marks: Vec<(Nanos, WorkerId, Mark)>,
}

impl Fleet {
    /// The workers that there are at `now`, by id.
    pub fn workers(&self, now: Nanos) -> Vec<Worker> {
        self.replay(now).0
    }

    /// Lives through everything again: the workers at `now`, and the starts that came or were given up.
    fn replay(&self, now: Nanos) -> (Vec<Worker>, Vec<Start>) {
        let mut workers: BTreeMap<WorkerId, Worker> = BTreeMap::new();
        let mut starts = Vec::new();
        for &(at, id, mark) in &self.marks {
            if let Mark::Says(WorkerEvent::Gone | WorkerEvent::Failed(_)) = mark {
                workers.remove(&id);
                continue;
            }
            let worker = workers.entry(id).or_insert_with(|| Worker::first_heard_of(at, id, mark));
            worker.pass(at);
            let (starting, since) = (worker.doing == Doing::Starting, worker.since);
            match mark {
                Mark::Says(event) => worker.says(at, event),
                Mark::Told(order, until) => worker.told = Some((order, until)),
                Mark::GivenUp => worker.does(at, Doing::Late),
            }
            if starting && (worker.is_ready() || worker.doing == Doing::Late) {
                starts.push(Start { took: at - since, came: worker.is_ready(), warm: worker.warm });
            }
        }
        for worker in workers.values_mut() {
            worker.pass(now);
        }
        (workers.into_values().collect(), starts)
    }

    pub fn worker(&self, now: Nanos, id: WorkerId) -> Option<Worker> {
        self.workers(now).into_iter().find(|worker| worker.id == id)
    }

    /// Whether a worker can say this: the first that is heard of it is that it starts, is ready or in standby; one that
    /// is ready does not start, and one in standby neither serves nor drains.
    pub fn accepts(&self, now: Nanos, id: WorkerId, event: WorkerEvent) -> bool {
        use WorkerEvent::{Busy, Draining, Idle, Leased, Ordered, Prewarming, Ready, Standby};
        match (self.worker(now, id), event) {
            (None, event) => matches!(event, Ordered | Ready | Prewarming | Standby),
            (Some(worker), Ordered) => worker.is_loaded() || matches!(worker.doing, Doing::Starting | Doing::Late),
            (Some(worker), Busy(_) | Idle | Leased(_) | Draining) => !worker.is_loaded(),
            (Some(worker), Prewarming) => worker.doing == Doing::Loading,
            (Some(_), _) => true,
        }
    }

    pub fn says(&mut self, now: Nanos, id: WorkerId, event: WorkerEvent) -> News {
        let before = self.worker(now, id);
        self.marks.push((now, id, Mark::Says(event)));
        let after = self.worker(now, id);
        let was = |doing: Doing| before.is_some_and(|worker| worker.doing == doing);
        let cold = was(Doing::Starting) && before.is_some_and(|worker| !worker.warm);
        let (ready, standby) =
            (after.is_some_and(|after| after.is_ready()), after.is_some_and(|after| after.doing == Doing::Standby));
        let failed = if let WorkerEvent::Failed(cause) = event { Some(cause) } else { None };
        let serves = |worker: Worker| worker.is_ready() || worker.doing == Doing::Starting;
        News {
            appeared: before.is_none(),
            returned: before.is_some_and(|before| !serves(before)) && after.is_some_and(serves),
            loaded: before.is_none() && after.is_some_and(|after| after.is_loaded()),
            // One that is ready or loaded when it is first heard of has started as well. One that was loaded already
            // says nothing of what the provider has.
            started: (ready && (cold || before.is_none())) || (standby && (was(Doing::Loading) || before.is_none())),
            // A ready worker that fails is no failed start, and one that took too long has counted as one already.
            failed: failed.filter(|_| was(Doing::Starting) || was(Doing::Loading)),
        }
    }

    pub fn tell(&mut self, now: Nanos, id: WorkerId, order: Order, until: Nanos) {
        self.marks.push((now, id, Mark::Told(order, until)));
    }

    /// Starts that have taken too long at `now`, and are given up.
    pub fn give_up(&mut self, now: Nanos, config: &Config) -> u32 {
        let (cold, warm) = (self.deadline(config), self.warm_deadline(config));
        let deadline = |worker: &Worker| if worker.warm { warm } else { cold };
        let mut late = self.workers(now);
        late.retain(|worker| worker.doing == Doing::Starting && now >= worker.since + deadline(worker));
        self.marks.extend(late.iter().map(|worker| (now, worker.id, Mark::GivenUp)));
        late.len() as u32
    }

    /// How long a start from nothing may take.
    pub fn deadline(&self, config: &Config) -> Nanos {
        self.learned(false, config)
    }

    fn warm_deadline(&self, config: &Config) -> Nanos {
        self.learned(true, config)
    }

    /// How long a start of one kind may take: four times the slowest of the last sixteen to 32, within the order timeout
    /// and the configured most. One that has taken too long was that slow.
    fn learned(&self, warm: bool, config: &Config) -> Nanos {
        let most = nanos(config.start_timeout());
        let (mut known, mut sixteens) = (0, vec![0]);
        for Start { took, came, .. } in self.replay(Nanos::MAX).1.into_iter().filter(|start| start.warm == warm) {
            if came && known % 16 == 0 {
                sixteens.push(0);
            }
            known += u32::from(came);
            let slowest = sixteens.last_mut().expect("the first");
            *slowest = took.max(*slowest);
        }
        let learned = sixteens.iter().rev().take(2).max().filter(|_| known >= 16);
        learned.map_or(most, |slowest| (slowest * 4).max(nanos(config.order_timeout())).min(most))
    }

    /// Requests that the workers say they serve; nothing is known while one of them has not said, unless it was seen
    /// starting where loads are told.
    pub fn busy(&self, now: Nanos) -> Option<u64> {
        let tells =
            |mark: &Mark| matches!(mark, Mark::Says(WorkerEvent::Busy(_) | WorkerEvent::Idle | WorkerEvent::Leased(_)));
        let told = self.marks.iter().any(|(_, _, mark)| tells(mark));
        let workers = self.workers(now);
        let known = |worker: &Worker| worker.doing != Doing::Untold || (worker.seen_starting && told);
        (!workers.is_empty() && workers.iter().all(known))
            .then(|| workers.iter().map(|worker| u64::from(worker.load)).sum())
    }

    /// Instants at which a lease ends, an order counts as lost, or a worker has been long enough at what it does.
    pub fn due(&self, now: Nanos, config: &Config) -> Vec<Nanos> {
        let (cold, warm) = (self.deadline(config), self.warm_deadline(config));
        let drain = nanos(config.drain_timeout());
        let mut due = Vec::new();
        for worker in self.workers(now) {
            due.extend(worker.told.map(|(_, until)| until));
            match worker.doing {
                Doing::Leased(until) => due.push(until),
                Doing::Starting => due.push(worker.since + if worker.warm { warm } else { cold }),
                Doing::Draining => due.push(worker.since + drain),
                Doing::Idle => due.extend(config.idle_timeout().map(|timeout| worker.since + nanos(timeout))),
                _ => {}
            }
        }
        due
    }

    /// What is to be seen of it, for the test of the test.
    pub fn seen(&self, now: Nanos, config: &Config) -> Vec<&'static str> {
        let workers = self.workers(now);
        let over = workers.iter().any(|worker| worker.leased_until == Some(worker.since));
        let late = workers.iter().any(|worker| worker.doing == Doing::Late);
        let learned = self.deadline(config) < nanos(config.start_timeout());
        let warm = self.replay(now).1.iter().any(|start| start.warm && start.came);
        let seen = [("lease over", over), ("late start", late), ("learned deadline", learned), ("warm start", warm)];
        seen.into_iter().filter(|(_, seen)| *seen).map(|(what, _)| what).collect()
    }
}
