//! The discrete-event loop: a FIFO queue in front of a simulated pool, driven only through the public API.

mod pool;

use core::time::Duration;
use std::collections::VecDeque;
use std::vec::Vec;

use super::agenda::Agenda;
use super::chance::Chance;
use super::classes::Classes;
use super::commands::{Commands, Decided};
use super::controller::Controller;
use super::measure::Measure;
use super::options::Options;
use super::outages::Timeline;
use super::outcome::{ClassOutcome, Outcome};
use super::prices::Bill;
use super::requests::{Held, Waiting, service_time};
use super::simulate::{Service, Watch};
use super::starts::Draws;
use super::workers::{Event, Kind, Worker, Workers, id};
use super::workload::{Request, Workload};
use crate::classes::ClassId;
use crate::observation::{Observation, WorkerEvent};
use crate::time::{Timestamp, nanos};

/// How long after its end, and after the last request that was served, a run goes on for those that wait; beside two
/// cold starts.
const PATIENCE: Duration = Duration::from_secs(24 * 3_600);

pub(super) struct Engine<'a, C> {
    workload: &'a Workload,
    options: &'a Options,
    controller: C,
    /// The controller's commands, while they are carried out.
    commands: Commands,
    workers: Workers,
    classes: Classes,
    queue: VecDeque<Waiting>,
    /// Requests that have arrived unseen.
    unseen: Vec<Waiting>,
    /// Requests in service, where those that are cut off are tried again.
    held: Option<Held>,
    agenda: Agenda,
    sequence: u64,
    now: Timestamp,
    measure: Measure,
    bill: Option<Bill>,
    draws: Draws,
    lives: Chance,
    freezes: Timeline,
    desired: u32,
    /// When a request was taken from the queue last.
    served: Timestamp,
    /// Something happened to the pool: ask for a decision although the count stands.
    pool_changed: bool,
}

/// The end of time, 584 years from the beginning.
const NEVER: Timestamp = Timestamp::MAX;

impl<'a, C: Controller> Engine<'a, C> {
    pub(super) fn new(workload: &'a Workload, service: Service, options: &'a Options, controller: C) -> Self {
        let (seed, classes) = (options.seed, Classes::new(options));
        Self {
            workload,
            options,
            desired: controller.desired(),
            controller,
            commands: Commands::default(),
            workers: Workers::new(classes.slots(service.concurrency), options.router, seed),
            classes,
            queue: VecDeque::new(),
            unseen: Vec::new(),
            held: (options.retries > 0).then(Held::default),
            agenda: Agenda::default(),
            sequence: 0,
            now: Timestamp::ORIGIN,
            measure: Measure::new(workload, service.target, options),
            bill: Bill::new(options),
            draws: Draws::new(options),
            lives: Chance::of(seed, "spot"),
            freezes: Timeline::new(options.freezes, Chance::of(seed, "freezes")),
            served: Timestamp::ORIGIN,
            pool_changed: true,
        }
    }

    pub(super) fn run(mut self, watch: &mut dyn Watch) -> (Outcome, C) {
        // The queue's owner lives and has seen nothing yet: zero is known, not missing.
        self.tell(Observation::arrived(0));
        for (class, at) in self.classes.taken_back().collect::<Vec<_>>() {
            self.schedule(nanos(at), Kind::TakenBack { class });
        }
        self.decide(watch);
        let requests = self.workload.requests();
        let end = Timestamp::from_elapsed(self.workload.duration());
        let mut arrived = 0;
        loop {
            let arrival = requests.get(arrived).map(|request| request.arrival);
            let event = self.agenda.next_at().unwrap_or(NEVER);
            let wakeup = self.controller.next_wakeup();
            let next = arrival.unwrap_or(NEVER).min(event).min(wakeup.unwrap_or(NEVER));
            // What takes longer than time lasts happens at its end.
            if next == NEVER && arrival.is_none() && wakeup.is_none() && self.agenda.is_empty() {
                break;
            }
            if next > end && self.is_over(arrival, next.since(end.max(self.served))) {
                break;
            }
            self.pass_to(next);
            let woken = wakeup == Some(next);
            while let Some(event) = self.agenda.pop_at(next) {
                self.happen(event);
            }
            while let Some(request) = requests.get(arrived).filter(|request| request.arrival == next) {
                arrived = arrived.saturating_add(1);
                self.arrive(*request);
                if arrived % 1_024 == 0 {
                    watch.progress(arrived, requests.len());
                }
            }
            if !self.queue.is_empty() {
                self.serve(watch);
            }
            if woken || self.pool_changed || self.controller.desired() != self.desired {
                self.decide(watch);
            }
        }
        watch.progress(requests.len(), requests.len());
        self.pass_to(end.max(self.now));
        let (costs, by_class) = self.bill.map(|bill| bill.close(self.now, self.workers.all())).unzip();
        let mut outcome = self.measure.finish(self.queue.len(), costs);
        if !self.options.classes.is_empty() {
            let each = self.classes.account().zip(by_class.unwrap_or_default());
            outcome.classes = each
                .map(|((name, cold_starts, failures), ([replica_hours, standby_hours], costs))| ClassOutcome {
                    name,
                    cold_starts,
                    failures,
                    replica_hours,
                    standby_hours,
                    costs,
                })
                .collect();
        }
        (outcome, self.controller)
    }

    /// Nothing more will come, and nobody is being served, waited for or hoped for. Hope ends when nobody has been
    /// served for as long as `without`.
    fn is_over(&self, arrival: Option<Timestamp>, without: u64) -> bool {
        let serving = self.agenda.iter().any(|event| matches!(event.kind, Kind::Finish { .. } | Kind::Thaw));
        let patience = nanos(PATIENCE.saturating_add(self.options.cold_start.saturating_mul(2)));
        let may_start = self.controller.desired() > 0 || self.controller.may_wake();
        let hope = (!self.agenda.is_empty() || may_start) && without <= patience;
        arrival.is_none() && !serving && (self.queue.is_empty() || !hope)
    }

    fn pass_to(&mut self, next: Timestamp) {
        let waiting = self.queue.len().saturating_add(self.unseen.len());
        self.measure.pass(self.now, next, &self.workers, waiting);
        self.now = next;
    }

    fn tell(&mut self, observation: Observation) {
        let accepted = self.controller.observe(self.now, observation);
        self.measure.refused(!accepted);
    }

    fn tell_of(&mut self, class: u8, observation: Observation) {
        let accepted = self.controller.observe_class(self.now, ClassId(class), observation);
        self.measure.refused(!accepted);
    }

    fn tell_worker(&mut self, worker: usize, event: WorkerEvent) {
        let class = self.workers.get(worker).map_or(0, |worker| worker.class);
        self.tell_worker_of(class, worker, event);
    }

    fn tell_worker_of(&mut self, class: u8, worker: usize, event: WorkerEvent) {
        self.tell_of(class, Observation::worker(id(worker), event));
        self.pool_changed |= match event {
            WorkerEvent::Busy(_) => false,
            WorkerEvent::Idle => self.controller.minds_idle(),
            _ => true,
        };
    }

    fn schedule(&mut self, after: u64, kind: Kind) {
        self.sequence = self.sequence.saturating_add(1);
        self.agenda.push(Event { at: self.now.plus(after), kind, sequence: self.sequence });
    }

    fn arrive(&mut self, request: Request) {
        self.measure.arrived(self.now, request.service);
        if let Some(end) = self.freezes.until(self.now) {
            if self.unseen.is_empty() {
                self.schedule(end.since(self.now), Kind::Thaw);
            }
            self.unseen.push(Waiting::new(request));
        } else {
            self.queue.push_back(Waiting::new(request));
            self.tell(Observation::arrived(1));
        }
    }

    /// What has arrived unseen comes to the queue.
    fn thaw(&mut self) {
        let count = u32::try_from(self.unseen.len()).unwrap_or(u32::MAX);
        let since = self.now;
        self.queue.extend(self.unseen.drain(..).map(|waiting| Waiting { since, ..waiting }));
        self.tell(Observation::arrived(count));
    }

    /// Hands waiting requests to free slots.
    fn serve(&mut self, watch: &mut dyn Watch) {
        while !self.queue.is_empty() {
            let Some(worker) = self.workers.next_free() else { return };
            let Some(mut waiting) = self.queue.pop_front() else { return };
            let place = self.measure.started(self.now, waiting.arrival, waiting.place());
            let waited = self.now.saturating_since(waiting.arrival);
            watch.started(self.now, waited);
            self.served = self.now;
            let Some(state) = self.change(worker, |w| w.busy = w.busy.saturating_add(1)) else { return };
            // Few have been cut off or have arrived unseen.
            let seen = waiting.since != waiting.arrival;
            self.tell(Observation::started(if seen { self.now.saturating_since(waiting.since) } else { waited }));
            self.tell_worker_of(state.class, worker, WorkerEvent::Busy(state.busy));
            let (others, speed) = (state.busy.saturating_sub(1), self.classes.speed(state.class));
            let service = service_time(waiting.service, others, self.options.slowdown, speed);
            self.schedule(service, Kind::Finish { worker, life: state.life, service });
            if let Some(held) = &mut self.held {
                waiting.place = u32::try_from(place).unwrap_or(u32::MAX);
                held.take(worker, self.sequence, waiting);
            }
        }
    }

    fn happen(&mut self, event: Event) {
        let is_meant = |worker: usize, life: u32| self.workers.get(worker).filter(|w| w.life == life);
        match event.kind {
            Kind::Finish { worker, life, service } if is_meant(worker, life).is_some() => {
                if let Some(held) = &mut self.held {
                    held.finish(worker, event.sequence);
                }
                self.finish(worker, service);
            }
            Kind::Started { worker, life } => {
                if let Some(old) = is_meant(worker, life) {
                    self.ready(worker, old);
                }
            }
            Kind::Notice { worker, life } => {
                if let Some(old) = is_meant(worker, life) {
                    self.notice(worker, old);
                }
            }
            Kind::Failed { worker, life, cause } if is_meant(worker, life).is_some() => self.fail(worker, cause),
            Kind::Thaw => self.thaw(),
            Kind::TakenBack { class } => self.take_back(class),
            Kind::Finish { .. } | Kind::Failed { .. } => {}
        }
    }

    /// Changes a worker, and what is paid for it.
    fn change(&mut self, worker: usize, change: impl FnOnce(&mut Worker)) -> Option<Worker> {
        let (old, new) = self.workers.change(worker, change)?;
        if let Some(bill) = &mut self.bill {
            bill.changed(self.now, worker, old, new);
        }
        Some(new)
    }

    fn decide(&mut self, watch: &mut dyn Watch) {
        self.pool_changed = false;
        let mut commands = core::mem::take(&mut self.commands);
        let decision = self.controller.decide(self.now, &mut commands);
        let desired = self.controller.desired();
        self.measure.decided(self.desired, desired);
        let news = self.desired != desired || !commands.is_empty();
        self.desired = desired;
        for (class, command) in commands.0.drain(..) {
            self.carry_out(class, command);
        }
        self.commands = commands;
        match decision {
            Some(Decided::Pool(decision)) if news => watch.decision(&decision),
            Some(Decided::Classes(decision)) => watch.classes(&decision),
            _ => {}
        }
        self.serve(watch);
    }
}
