//! What a scrape or a report finds: the queue, what is in service, and what has been counted since the last one.

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};
use std::vec::Vec;

use super::{Metrics, Told};
use crate::observation::{Observation, ObserverId, WorkerEvent, WorkerId};
use crate::report::{Report, Reporter};
use crate::sim::chance::{Chance, seconds};
use crate::time::{Timestamp, nanos};

/// One load balancer.
#[derive(Debug)]
struct Observer {
    reporter: Reporter,
    id: ObserverId,
    incarnation: u64,
    in_flight: u32,
    /// When it began or last reported.
    since: Timestamp,
    restarts: Chance,
    next_restart: Timestamp,
}

/// The state of the queue, and counters.
#[derive(Debug)]
pub(super) struct Gauges {
    metrics: Metrics,
    target: Duration,
    /// Which load balancer a request comes to.
    route: Chance,
    observers: Vec<Observer>,
    /// Those that wait, in their order: since when, and at which load balancer.
    waiting: VecDeque<(Timestamp, usize)>,
    in_flight: u32,
    /// What each worker serves, and all of it.
    serving: BTreeMap<WorkerId, u32>,
    served: u32,
    /// Arrivals since the last scrape that was told.
    arrived: u32,
    scraped: Timestamp,
}

impl Gauges {
    pub(super) fn new(metrics: Metrics, target: Duration, seed: u64) -> Self {
        let count = if metrics.told == Told::Reports { metrics.observers.max(1) } else { 0 };
        let observer = |number: u32| {
            let id = ObserverId(number.into());
            let mut restarts = Chance::of(seed.wrapping_add(number.into()), "metrics.restarts");
            let next_restart = next_restart(&mut restarts, metrics, Timestamp::ORIGIN);
            let reporter = Reporter::new(id, 0, target, Timestamp::ORIGIN);
            Observer { reporter, id, incarnation: 0, in_flight: 0, since: Timestamp::ORIGIN, restarts, next_restart }
        };
        Self {
            metrics,
            target,
            route: Chance::of(seed, "metrics.observers"),
            observers: (0..count).map(observer).collect(),
            waiting: VecDeque::new(),
            in_flight: 0,
            serving: BTreeMap::new(),
            served: 0,
            arrived: 0,
            scraped: Timestamp::ORIGIN,
        }
    }

    /// Something happened to a request or a worker.
    pub(super) fn observe(&mut self, now: Timestamp, observation: Observation) {
        self.restart(now);
        match observation {
            Observation::Arrived { count, .. } => {
                self.arrived = self.arrived.saturating_add(count);
                for _ in 0..count {
                    let observer = usize::try_from(self.route.below(self.observers.len() as u64)).unwrap_or(0);
                    self.waiting.push_back((now, observer));
                    if let Some(observer) = self.observers.get_mut(observer) {
                        observer.reporter.arrived(1);
                    }
                }
            }
            Observation::Started { sojourn, .. } => {
                self.in_flight = self.in_flight.saturating_add(1);
                let (_, observer) = self.waiting.pop_front().unwrap_or((now, 0));
                if let Some(observer) = self.observers.get_mut(observer) {
                    observer.reporter.started(sojourn);
                    observer.in_flight = observer.in_flight.saturating_add(1);
                }
            }
            Observation::Finished { service } => {
                if let Some(observer) = self.left() {
                    observer.reporter.finished(service);
                }
            }
            Observation::Worker { id, event } => match event {
                WorkerEvent::Busy(busy) => self.serve(id, busy),
                WorkerEvent::Idle => self.serve(id, 0),
                WorkerEvent::Gone | WorkerEvent::Failed(_) | WorkerEvent::Standby => {
                    self.served = self.served.saturating_sub(self.serving.remove(&id).unwrap_or(0));
                    // What it had not finished was cut off.
                    while self.in_flight > self.served {
                        self.left();
                    }
                }
                _ => {}
            },
            _ => {}
        }
    }

    fn serve(&mut self, id: WorkerId, busy: u32) {
        let before = self.serving.insert(id, busy).unwrap_or(0);
        self.served = self.served.saturating_sub(before).saturating_add(busy);
    }

    /// One request less is in service. Whose it was is not known: of the load balancer that has the most.
    fn left(&mut self) -> Option<&mut Observer> {
        self.in_flight = self.in_flight.saturating_sub(1);
        let observer = self.observers.iter_mut().max_by_key(|observer| observer.in_flight)?;
        observer.in_flight = observer.in_flight.saturating_sub(1);
        Some(observer)
    }

    /// What a scrape finds; with the counter's difference if it is asked for.
    pub(super) fn scrape(&mut self, now: Timestamp, counter: bool) -> Vec<Observation> {
        let age = self.waiting.front().map(|(since, _)| now.saturating_since(*since));
        let over = now.saturating_since(self.scraped);
        let mut told =
            [Observation::queue(count(self.waiting.len()), age), Observation::in_flight(self.in_flight)].to_vec();
        if counter && !over.is_zero() {
            told.push(Observation::Requests { count: core::mem::take(&mut self.arrived), over });
            self.scraped = now;
        }
        told
    }

    /// What each load balancer reports.
    pub(super) fn reports(&mut self, now: Timestamp) -> Vec<Report> {
        self.restart(now);
        let waiting = &self.waiting;
        let report = |(index, observer): (usize, &mut Observer)| {
            let mut own = waiting.iter().filter(|(_, at)| *at == index);
            let oldest = own.next().map(|(since, _)| now.saturating_since(*since));
            let depth = if oldest.is_some() { own.count().saturating_add(1) } else { 0 };
            observer.reporter.queue(count(depth), oldest);
            observer.reporter.in_flight(observer.in_flight);
            observer.since = now;
            observer.reporter.report(now)
        };
        // Nobody reports on no time at all.
        self.observers.iter_mut().enumerate().filter(|(_, observer)| observer.since < now).map(report).collect()
    }

    /// Load balancers whose time has come begin anew: they have the same requests, and have counted nothing.
    fn restart(&mut self, now: Timestamp) {
        for observer in &mut self.observers {
            while observer.next_restart <= now {
                let at = observer.next_restart;
                observer.incarnation = observer.incarnation.saturating_add(1);
                observer.reporter = Reporter::new(observer.id, observer.incarnation, self.target, at);
                observer.since = at;
                observer.next_restart = next_restart(&mut observer.restarts, self.metrics, at);
            }
        }
    }
}

fn next_restart(chance: &mut Chance, metrics: Metrics, from: Timestamp) -> Timestamp {
    if metrics.restarts.is_zero() {
        return Timestamp::MAX;
    }
    from.plus(nanos(seconds(chance.exponential(metrics.restarts.as_secs_f64()))).max(1_000_000_000))
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
