//! The discrete-event loop: a FIFO queue in front of a simulated pool, driven only through the public API.

use core::cmp::Reverse;
use core::time::Duration;
use std::collections::{BinaryHeap, VecDeque};

use super::chance::Chance;
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
    Engine::new(workload, config, options).run(watch)
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
    Engine { sink: Some(sink), ..Engine::new(workload, config, options) }.run(watch)
}

struct Engine<'a> {
    workload: &'a Workload,
    options: &'a Options,
    autoscaler: Autoscaler,
    /// Takes the flight log, if one is kept.
    sink: Option<&'a mut dyn FnMut(&Record)>,
    workers: Workers,
    queue: VecDeque<Request>,
    /// What will happen, soonest first.
    agenda: BinaryHeap<Reverse<Event>>,
    sequence: u64,
    now: Timestamp,
    measure: Measure,
    chance: Chance,
    desired: u32,
    /// Something happened to the pool: ask for a decision although the count stands.
    pool_changed: bool,
}

impl<'a> Engine<'a> {
    fn new(workload: &'a Workload, config: &Config, options: &'a Options) -> Self {
        Self {
            workload,
            options,
            autoscaler: Autoscaler::new(config.clone(), Timestamp::ORIGIN),
            sink: None,
            workers: Workers::new(config.concurrency()),
            queue: VecDeque::new(),
            agenda: BinaryHeap::new(),
            sequence: 0,
            now: Timestamp::ORIGIN,
            measure: Measure::new(workload, config, options),
            chance: Chance::new(options.seed, 0),
            desired: config.min(),
            pool_changed: true,
        }
    }

    fn run(mut self, watch: &mut dyn Watch) -> Outcome {
        // The queue's owner lives and has seen nothing yet: zero is known, not missing.
        self.tell(Observation::arrived(0));
        self.decide(watch);
        let requests = self.workload.requests();
        let end = Timestamp::from_elapsed(self.workload.duration());
        let mut arrived = 0;
        loop {
            let arrival = requests.get(arrived).map(|request| request.arrival);
            let event = self.agenda.peek().map(|Reverse(event)| event.at);
            let wakeup = self.autoscaler.next_wakeup();
            let Some(next) = [arrival, event, wakeup].into_iter().flatten().min() else { break };
            if next > end && self.is_over(arrival) {
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
            if woken || self.pool_changed || self.autoscaler.desired() != self.desired {
                self.decide(watch);
            }
        }
        watch.progress(requests.len(), requests.len());
        self.pass_to(end.max(self.now));
        self.measure.finish(&self.autoscaler, self.queue.len())
    }

    /// Nothing more will come, and nobody is being served, waited for or hoped for.
    fn is_over(&self, arrival: Option<Timestamp>) -> bool {
        let serving = self.agenda.iter().any(|event| matches!(event.0.kind, Kind::Finish { .. }));
        let hope = !self.agenda.is_empty() || self.autoscaler.desired() > 0;
        arrival.is_none() && !serving && (self.queue.is_empty() || !hope)
    }

    fn pass_to(&mut self, next: Timestamp) {
        let waiting = self.queue.len();
        self.measure.pass(self.now, next, self.workers.tally(), self.workers.capacity(), waiting);
        self.now = next;
    }

    fn tell(&mut self, observation: Observation) {
        let outcome = self.autoscaler.observe(self.now, observation);
        if let Some(sink) = &mut self.sink {
            sink(&Record::observed(self.now, observation, outcome));
        }
        self.measure.refused(outcome.is_err());
    }

    fn tell_worker(&mut self, worker: usize, event: WorkerEvent) {
        self.pool_changed |= !matches!(event, WorkerEvent::Busy(_));
        self.tell(Observation::worker(id(worker), event));
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
        let decision = self.autoscaler.decide(self.now);
        if let Some(sink) = &mut self.sink {
            sink(&Record::decided(self.now, &decision));
        }
        self.measure.decided(self.desired, decision.desired);
        let news = self.desired != decision.desired || !decision.commands.is_empty();
        self.desired = decision.desired;
        for command in &decision.commands {
            self.carry_out(*command);
        }
        if news {
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
        let after = self.spread(self.options.cold_start);
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
