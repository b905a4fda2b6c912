//! The discrete-event loop: a FIFO queue in front of a simulated pool, driven only through the public API.

use core::cmp::Reverse;
use core::time::Duration;
use std::collections::{BinaryHeap, VecDeque};
use std::vec::Vec;

use super::chance::Chance;
use super::controller::{Controller, Native};
use super::options::Options;
use super::outcome::{Measure, Outcome};
use super::workers::{Event, Kind, State, Workers, id, position};
use super::workload::{Request, Workload};
use crate::autoscaler::Autoscaler;
use crate::config::Config;
use crate::decision::{Command, Decision};
use crate::observation::{Observation, WorkerEvent, WorkerId};
use crate::recorder::{Beginning, Head, Record};
use crate::time::{Timestamp, nanos};

/// How long after its end, and after the last request that was served, a run goes on for those that wait; beside two
/// cold starts.
const PATIENCE: Duration = Duration::from_secs(24 * 3_600);

/// Looks on while a simulation runs. Both methods do nothing unless they are written.
pub trait Watch {
    /// The autoscaler decided something: the count changed or there are commands.
    fn decision(&mut self, decision: &Decision) {
        let _ = decision;
    }

    /// So many of `total` requests have arrived.
    fn progress(&mut self, arrived: usize, total: usize) {
        let _ = (arrived, total);
    }
}

impl Watch for () {}

/// Replays a workload under a configuration and says what happened.
///
/// ```
/// use core::time::Duration;
/// use plimsoll::sim::{Options, Request, Workload, simulate};
/// use plimsoll::{Config, Timestamp, policy::RunPod};
///
/// let request = |s| Request { arrival: Timestamp::from_secs(s), service: Duration::from_secs(1) };
/// let workload = Workload::from_requests("two", vec![request(0), request(100)])?;
/// let config = Config::runpod(RunPod::request_count(1), 0, 1, Duration::from_secs(30))?;
/// let outcome = simulate(&workload, &config, &Options::default(), &mut ());
/// assert_eq!((outcome.finished, outcome.cold_starts), (2, 2));
/// assert_eq!(outcome.sojourn_max, Duration::from_secs(20));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn simulate(workload: &Workload, config: &Config, options: &Options, watch: &mut dyn Watch) -> Outcome {
    let controller = Native { autoscaler: Autoscaler::new(config.clone(), Timestamp::ORIGIN), sink: None };
    native(workload, config, options, controller, watch)
}

/// As [`simulate`], with a flight log of it: `sink` gets a [record](crate::recorder) of every call.
pub fn simulate_recorded(
    workload: &Workload,
    config: &Config,
    options: &Options,
    watch: &mut dyn Watch,
    sink: &mut dyn FnMut(&Record),
) -> Outcome {
    let begins = Beginning::New { at: Timestamp::ORIGIN, config: Box::new(config.clone()) };
    sink(&Record::Head(Head::new(begins)));
    let controller = Native { autoscaler: Autoscaler::new(config.clone(), Timestamp::ORIGIN), sink: Some(sink) };
    native(workload, config, options, controller, watch)
}

fn native(
    workload: &Workload,
    config: &Config,
    options: &Options,
    controller: Native<'_>,
    watch: &mut dyn Watch,
) -> Outcome {
    let target = options.within.unwrap_or(config.sojourn_target());
    let service = Service { concurrency: config.concurrency(), target };
    let (mut outcome, controller) = Engine::new(workload, service, options, controller).run(watch);
    outcome.events = controller.autoscaler.events().copied().collect();
    outcome
}

/// Of the service that is simulated, whoever scales it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_structs, reason = "slots and a target are all there is to it")]
pub struct Service {
    /// Requests that one worker serves at once; zero counts as one.
    pub concurrency: u32,
    /// The sojourn above which a request has waited too long.
    pub target: Duration,
}

/// Replays a workload under anything that decides, and gives it back with the outcome.
pub fn simulate_with<C: Controller>(
    workload: &Workload,
    service: Service,
    controller: C,
    options: &Options,
    watch: &mut dyn Watch,
) -> (Outcome, C) {
    Engine::new(workload, service, options, controller).run(watch)
}

struct Engine<'a, C> {
    workload: &'a Workload,
    options: &'a Options,
    controller: C,
    /// The controller's commands, while they are carried out.
    commands: Vec<Command>,
    workers: Workers,
    queue: VecDeque<Request>,
    /// What will happen, soonest first.
    agenda: BinaryHeap<Reverse<Event>>,
    sequence: u64,
    now: Timestamp,
    measure: Measure,
    chance: Chance,
    desired: u32,
    /// When a request was taken from the queue last.
    served: Timestamp,
    /// Something happened to the pool: ask for a decision although the count stands.
    pool_changed: bool,
}

impl<'a, C: Controller> Engine<'a, C> {
    fn new(workload: &'a Workload, service: Service, options: &'a Options, controller: C) -> Self {
        Self {
            workload,
            options,
            desired: controller.desired(),
            controller,
            commands: Vec::new(),
            workers: Workers::new(service.concurrency.max(1)),
            queue: VecDeque::new(),
            agenda: BinaryHeap::new(),
            sequence: 0,
            now: Timestamp::ORIGIN,
            measure: Measure::new(workload, service.target, options),
            chance: Chance::new(options.seed, 0),
            served: Timestamp::ORIGIN,
            pool_changed: true,
        }
    }

    fn run(mut self, watch: &mut dyn Watch) -> (Outcome, C) {
        // The queue's owner lives and has seen nothing yet: zero is known, not missing.
        self.tell(Observation::arrived(0));
        self.decide(watch);
        let requests = self.workload.requests();
        let end = Timestamp::from_elapsed(self.workload.duration());
        let mut arrived = 0;
        loop {
            let arrival = requests.get(arrived).map(|request| request.arrival);
            let event = self.agenda.peek().map(|Reverse(event)| event.at);
            let wakeup = self.controller.next_wakeup();
            let Some(next) = [arrival, event, wakeup].into_iter().flatten().min() else { break };
            if next > end && self.is_over(arrival, next.since(end.max(self.served))) {
                break;
            }
            self.pass_to(next);
            let woken = wakeup == Some(next);
            while let Some(&Reverse(event)) = self.agenda.peek().filter(|event| event.0.at == next) {
                self.agenda.pop();
                self.happen(event.kind);
            }
            while let Some(request) = requests.get(arrived).filter(|request| request.arrival == next) {
                arrived = arrived.saturating_add(1);
                self.arrive(*request);
                if arrived % 1_024 == 0 {
                    watch.progress(arrived, requests.len());
                }
            }
            self.serve();
            if woken || self.pool_changed || self.controller.desired() != self.desired {
                self.decide(watch);
            }
        }
        watch.progress(requests.len(), requests.len());
        self.pass_to(end.max(self.now));
        (self.measure.finish(self.queue.len()), self.controller)
    }

    /// Nothing more will come, and nobody is being served, waited for or hoped for. Hope ends when nobody has been
    /// served for as long as `without`.
    fn is_over(&self, arrival: Option<Timestamp>, without: u64) -> bool {
        let serving = self.agenda.iter().any(|event| matches!(event.0.kind, Kind::Finish { .. }));
        let patience = nanos(PATIENCE.saturating_add(self.options.cold_start.saturating_mul(2)));
        let may_start = self.controller.desired() > 0 || self.controller.may_wake();
        let hope = (!self.agenda.is_empty() || may_start) && without <= patience;
        arrival.is_none() && !serving && (self.queue.is_empty() || !hope)
    }

    fn pass_to(&mut self, next: Timestamp) {
        let waiting = self.queue.len();
        self.measure.pass(self.now, next, self.workers.tally(), self.workers.capacity(), waiting);
        self.now = next;
    }

    fn tell(&mut self, observation: Observation) {
        let accepted = self.controller.observe(self.now, observation);
        self.measure.refused(!accepted);
    }

    fn tell_worker(&mut self, worker: usize, event: WorkerEvent) {
        self.tell(Observation::worker(id(worker), event));
        self.pool_changed |= match event {
            WorkerEvent::Busy(_) => false,
            WorkerEvent::Idle => self.controller.minds_idle(),
            _ => true,
        };
    }

    fn schedule(&mut self, after: u64, kind: Kind) {
        self.sequence = self.sequence.saturating_add(1);
        self.agenda.push(Reverse(Event { at: self.now.plus(after), kind, sequence: self.sequence }));
    }

    fn arrive(&mut self, request: Request) {
        self.measure.arrived(self.now, request.service);
        self.queue.push_back(request);
        self.tell(Observation::arrived(1));
    }

    /// Hands waiting requests to free slots.
    fn serve(&mut self) {
        while let Some(worker) = self.workers.next_free().filter(|_| !self.queue.is_empty()) {
            let Some(request) = self.queue.pop_front() else { return };
            let sojourn = self.now.saturating_since(request.arrival);
            self.measure.started(self.now, sojourn);
            self.served = self.now;
            let Some(state) = self.workers.change(worker, |w| w.busy = w.busy.saturating_add(1)) else { return };
            self.tell(Observation::started(sojourn));
            self.tell_worker(worker, WorkerEvent::Busy(state.busy));
            let service = nanos(request.service);
            self.schedule(service, Kind::Finish { worker, life: state.life, service });
        }
    }

    fn happen(&mut self, kind: Kind) {
        match kind {
            Kind::Finish { worker, life, service } => self.finish(worker, life, service),
            Kind::Started { worker, life } => self.ready(worker, life),
        }
    }

    fn finish(&mut self, worker: usize, life: u32, service: u64) {
        if self.workers.get(worker).is_none_or(|w| w.life != life) {
            return;
        }
        let Some(state) = self.workers.change(worker, |w| w.busy = w.busy.saturating_sub(1)) else { return };
        self.measure.finished();
        self.tell(Observation::finished(Duration::from_nanos(service)));
        match (state.state, state.busy) {
            (State::Draining, 0) => self.leave(worker, State::Gone, WorkerEvent::Gone),
            (_, 0) => self.tell_worker(worker, WorkerEvent::Idle),
            (_, busy) => self.tell_worker(worker, WorkerEvent::Busy(busy)),
        }
    }

    fn ready(&mut self, worker: usize, life: u32) {
        let Some(old) = self.workers.get(worker).filter(|w| w.life == life) else { return };
        if old.state == State::Prewarming {
            self.workers.change(worker, |w| w.state = State::Standby);
            self.tell_worker(worker, WorkerEvent::Standby);
        } else {
            self.workers.change(worker, |w| w.state = State::Ready);
            self.tell_worker(worker, WorkerEvent::Ready);
            self.tell_worker(worker, WorkerEvent::Idle);
        }
    }

    /// A worker ends its present life: events meant for it no longer count.
    fn leave(&mut self, worker: usize, state: State, event: WorkerEvent) {
        let lost = self.workers.get(worker).map_or(0, |w| w.busy);
        self.measure.lost(lost);
        self.workers.change(worker, |w| {
            w.state = state;
            w.busy = 0;
            w.life = w.life.saturating_add(1);
        });
        self.tell_worker(worker, event);
    }

    fn decide(&mut self, watch: &mut dyn Watch) {
        self.pool_changed = false;
        let mut commands = core::mem::take(&mut self.commands);
        let decision = self.controller.decide(self.now, &mut commands);
        let desired = self.controller.desired();
        self.measure.decided(self.desired, desired);
        let news = self.desired != desired || !commands.is_empty();
        self.desired = desired;
        for command in commands.drain(..) {
            self.carry_out(command);
        }
        self.commands = commands;
        if let Some(decision) = decision.filter(|_| news) {
            watch.decision(&decision);
        }
        self.serve();
    }

    fn carry_out(&mut self, command: Command) {
        match command {
            Command::Start { count } => (0..count).for_each(|_| self.start(State::Starting, WorkerEvent::Ordered)),
            Command::Prewarm { count } => {
                (0..count).for_each(|_| self.start(State::Prewarming, WorkerEvent::Prewarming));
            }
            Command::Revive { id } => self.revive(position(id)),
            Command::Drain { id } => self.drain(id),
            Command::Stop { id, to_standby: true, .. } => {
                self.leave(position(id), State::Standby, WorkerEvent::Standby);
            }
            Command::Stop { id, .. } => self.leave(position(id), State::Gone, WorkerEvent::Gone),
            // Commands for platforms that report counts; this one names its workers.
            Command::ReviveAny { .. } | Command::Release { .. } => {}
        }
    }

    fn start(&mut self, state: State, event: WorkerEvent) {
        let worker = self.workers.add(state);
        self.measure.cold_start(state == State::Starting);
        self.tell_worker(worker, event);
        let before = self.options.prepared && self.now == Timestamp::ORIGIN;
        let after = if before { 0 } else { self.spread(self.options.cold_start) };
        self.schedule(after, Kind::Started { worker, life: 0 });
    }

    fn revive(&mut self, worker: usize) {
        let Some(old) = self.workers.get(worker) else { return };
        match old.state {
            State::Draining => {
                self.workers.change(worker, |w| w.state = State::Ready);
                self.tell_worker(worker, WorkerEvent::Ready);
            }
            State::Standby => {
                self.measure.warm_start();
                self.workers.change(worker, |w| w.state = State::Starting);
                self.tell_worker(worker, WorkerEvent::Ordered);
                let after = self.spread(self.options.warm_start);
                self.schedule(after, Kind::Started { worker, life: old.life });
            }
            _ => {}
        }
    }

    fn drain(&mut self, id: WorkerId) {
        let worker = position(id);
        let Some(state) = self.workers.change(worker, |w| w.state = State::Draining) else { return };
        if state.busy == 0 {
            self.leave(worker, State::Gone, WorkerEvent::Gone);
        } else {
            self.tell_worker(worker, WorkerEvent::Draining);
        }
    }

    /// `mean` plus or minus up to the configured share of it.
    fn spread(&mut self, mean: Duration) -> u64 {
        let (mean, share) = (nanos(mean), u64::from(self.options.start_spread.as_micros()));
        if share == 0 {
            return mean;
        }
        let most = u128::from(mean).saturating_mul(u128::from(share)) / 1_000_000;
        let width = u64::try_from(most.saturating_mul(2)).unwrap_or(u64::MAX).saturating_add(1);
        let drawn = self.chance.draw().checked_rem(width).unwrap_or(0);
        mean.saturating_sub(u64::try_from(most).unwrap_or(0)).saturating_add(drawn)
    }
}
