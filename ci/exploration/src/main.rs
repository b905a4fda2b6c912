//! Explores every interleaving of a small world, and checks the laws at each state.
//!
//! The world: an autoscaler and a pool of at most three workers that serve one request each. Commands are not executed
//! when they are given but later, one by one, in between whatever else may happen: requests arrive, are taken and
//! finished, workers become ready or fail, time passes to the next wake-up or by a second, the process restarts from a
//! snapshot, the configuration changes. The pool is careful as the contract of `WorkerPool` asks: it does not stop a
//! worker that has taken a request, refuses commands that are older than what it has executed, and drops those that
//! have waited for the order timeout.
//!
//! `cargo run --release -- 9` explores to a depth of nine actions and says how many states that were. It fails with
//! the shortest list of actions that leads to a broken law.

use std::env;
use std::fmt;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use plimsoll::adapter::{Fence, Order};
use plimsoll::config::{Backoff, Breaker, Precision};
use plimsoll::policy::RunPod;
use plimsoll::{
    Autoscaler, Command, Config, FailureCause, Observation, Policy, PoolCounts, Timestamp, WorkerEvent, WorkerId,
};
use stateright::{Checker, Model, Property};

const MOST_WORKERS: usize = 3;
const MOST_REQUESTS: u8 = 3;

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Phase {
    Starting,
    Idle,
    Busy,
    Draining,
}

/// What the pool does, and what it has been told and not done yet.
#[derive(Clone, PartialEq, Eq, Hash)]
struct World {
    autoscaler: Autoscaler,
    now: Timestamp,
    workers: Vec<(WorkerId, Phase)>,
    next_id: u64,
    waiting: u8,
    arrived: u8,
    inbox: Vec<Order>,
    fence: Fence,
    second_config: bool,
    /// The first law that was found broken on the way here.
    broken: Option<&'static str>,
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { now, workers, waiting, inbox, broken, .. } = self;
        let inbox: Vec<_> = inbox.iter().map(|order| order.command).collect();
        write!(f, "at {now}: desired {}, {workers:?}, {waiting} waiting, {inbox:?}", self.autoscaler.desired())?;
        broken.map_or(Ok(()), |law| write!(f, ", broken: {law}"))
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Action {
    Arrive,
    Decide,
    /// The pool does, or refuses, the first thing in its inbox.
    Execute,
    Ready(usize),
    Fail(usize),
    Take(usize),
    Finish(usize),
    /// To the next wake-up.
    Wake,
    /// A second passes.
    Tick,
    /// The process ends and another one goes on from its snapshot.
    Restart,
    Reconfigure,
}

impl World {
    fn new(config: Config) -> Self {
        let mut autoscaler = Autoscaler::new(config, Timestamp::ORIGIN);
        // The platform reports by id from the start on.
        let empty = Observation::Pool(PoolCounts::default());
        let told = autoscaler.observe(Timestamp::ORIGIN, empty).and_then(|()| {
            autoscaler.observe(Timestamp::ORIGIN, Observation::queue(0, None))?;
            autoscaler.observe(Timestamp::ORIGIN, Observation::in_flight(0))
        });
        Self {
            autoscaler,
            now: Timestamp::ORIGIN,
            workers: vec![],
            next_id: 1,
            waiting: 0,
            arrived: 0,
            inbox: vec![],
            fence: Fence::default(),
            second_config: false,
            broken: told.err().map(|_| "the first reports are taken"),
        }
    }

    fn holds(&mut self, law: &'static str, holds: bool) {
        if !holds {
            self.broken.get_or_insert(law);
        }
    }

    fn tell(&mut self, observation: Observation) {
        let told = self.autoscaler.observe(self.now, observation);
        self.holds("what is true is taken", told.is_ok());
    }

    fn tell_worker(&mut self, id: WorkerId, event: WorkerEvent) {
        self.tell(Observation::worker(id, event));
    }

    fn decide(&mut self) {
        let decision = self.autoscaler.decide(self.now);
        let terms = decision.explanation.terms;
        self.holds("bounds_always_hold", (terms.min..=terms.max).contains(&decision.desired));
        self.holds("explanation_folds", decision.explanation.fold() == decision.explanation.desired);
        self.holds("explanation_folds", decision.explanation.desired == decision.desired);
        self.holds("wakeup_moves", decision.next_wakeup.is_none_or(|at| at > self.now));
        let again = self.autoscaler.clone().decide(self.now);
        self.holds("asking again repeats nothing", again.commands.is_empty() && again.desired == decision.desired);
        for command in &decision.commands {
            let lawful = match *command {
                Command::Stop { id, cut_off, .. } => match self.phase(id) {
                    Some(Phase::Busy) | None => false,
                    Some(Phase::Draining) => cut_off,
                    Some(Phase::Idle | Phase::Starting) => !cut_off,
                },
                Command::Drain { id } => self.phase(id).is_some(),
                _ => true,
            };
            self.holds("busy_is_never_stopped", lawful);
        }
        self.inbox.extend(Order::of(&decision, self.autoscaler.config()));
        let valid: Vec<_> = self.inbox.iter().filter(|order| self.now < order.void_at).collect();
        let coming = valid.iter().map(|order| match order.command {
            Command::Start { count } => count as usize,
            _ => 0,
        });
        let staying = self.workers.iter().filter(|(_, phase)| *phase != Phase::Draining).count();
        let leaves = |command: &Command| matches!(command, Command::Stop { .. } | Command::Drain { .. });
        let leaving = valid.iter().filter(|order| leaves(&order.command)).count();
        let most = staying + coming.sum::<usize>() - leaving.min(staying);
        self.holds("workers ordered never exceed max", most <= MOST_WORKERS);
        // Somebody waits: there is a worker that stays, or one is on its way, or it is said why not.
        let helped = decision.desired > 0 || terms.max == 0;
        self.holds("nobody waits for nothing", self.waiting == 0 || helped);
        let committed = self.autoscaler.status().committed;
        let ordered = committed >= decision.desired || decision.explanation.trouble.is_some();
        self.holds("what is desired is ordered", ordered);
        let asleep = decision.next_wakeup.is_none() && self.inbox.is_empty() && self.workers.is_empty();
        self.holds("nothing gets stuck", self.waiting == 0 || !asleep);
    }

    fn phase(&self, id: WorkerId) -> Option<Phase> {
        self.workers.iter().find(|(worker, _)| *worker == id).map(|(_, phase)| *phase)
    }

    fn set(&mut self, id: WorkerId, phase: Phase) {
        for worker in self.workers.iter_mut().filter(|(worker, _)| *worker == id) {
            worker.1 = phase;
        }
    }

    fn gone(&mut self, id: WorkerId) {
        self.workers.retain(|(worker, _)| *worker != id);
        self.tell_worker(id, WorkerEvent::Gone);
    }

    fn execute(&mut self) {
        let order = self.inbox.remove(0);
        if !self.fence.admits(self.now, &order) {
            return;
        }
        match order.command {
            Command::Start { count } => {
                for _ in 0..count {
                    let id = WorkerId(self.next_id);
                    self.next_id += 1;
                    self.workers.push((id, Phase::Starting));
                    self.tell_worker(id, WorkerEvent::Ordered);
                }
            }
            Command::Stop { id, cut_off, .. } => match self.phase(id) {
                Some(Phase::Busy) | None => {}
                Some(Phase::Draining) if !cut_off => {}
                Some(_) => self.gone(id),
            },
            Command::Drain { id } => match self.phase(id) {
                Some(Phase::Busy) => {
                    self.set(id, Phase::Draining);
                    self.tell_worker(id, WorkerEvent::Draining);
                }
                Some(Phase::Idle) => self.gone(id),
                _ => {}
            },
            Command::Revive { id } => {
                if self.phase(id) == Some(Phase::Draining) {
                    self.set(id, Phase::Busy);
                    self.tell_worker(id, WorkerEvent::Ready);
                }
            }
            _ => self.broken = Some("a pool known by id is spoken to by id"),
        }
    }

    fn finish(&mut self, id: WorkerId) {
        self.tell(Observation::finished(Duration::from_secs(1)));
        if self.phase(id) == Some(Phase::Draining) {
            self.gone(id);
        } else {
            self.set(id, Phase::Idle);
            self.tell_worker(id, WorkerEvent::Idle);
        }
    }
}

struct Small {
    configs: [Config; 2],
}

impl Model for Small {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World::new(self.configs[0].clone())]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        if world.broken.is_some() {
            return;
        }
        if world.arrived < MOST_REQUESTS {
            actions.push(Action::Arrive);
        }
        actions.extend([Action::Decide, Action::Tick, Action::Restart, Action::Reconfigure]);
        if !world.inbox.is_empty() {
            actions.push(Action::Execute);
        }
        if world.autoscaler.next_wakeup().is_some() {
            actions.push(Action::Wake);
        }
        for (nth, (_, phase)) in world.workers.iter().enumerate() {
            match phase {
                Phase::Starting => actions.extend([Action::Ready(nth), Action::Fail(nth)]),
                Phase::Idle if world.waiting > 0 => actions.push(Action::Take(nth)),
                Phase::Idle => {}
                Phase::Busy | Phase::Draining => actions.extend([Action::Finish(nth), Action::Fail(nth)]),
            }
        }
    }

    fn next_state(&self, last: &World, action: Action) -> Option<World> {
        let mut world = last.clone();
        let id = |nth: usize| last.workers.get(nth).map(|(id, _)| *id);
        match action {
            Action::Arrive => {
                world.arrived += 1;
                world.waiting += 1;
                world.tell(Observation::arrived(1));
            }
            Action::Decide => world.decide(),
            Action::Execute => world.execute(),
            Action::Ready(nth) => {
                world.set(id(nth)?, Phase::Idle);
                world.tell_worker(id(nth)?, WorkerEvent::Ready);
                world.tell_worker(id(nth)?, WorkerEvent::Idle);
            }
            Action::Fail(nth) => {
                let id = id(nth)?;
                let served = matches!(world.phase(id), Some(Phase::Busy | Phase::Draining));
                world.workers.retain(|(worker, _)| *worker != id);
                world.tell_worker(id, WorkerEvent::Failed(FailureCause::Crash));
                if served {
                    // Its request is lost with it, and its slot is free.
                    world.tell(Observation::finished(Duration::ZERO));
                }
            }
            Action::Take(nth) => {
                world.waiting -= 1;
                world.set(id(nth)?, Phase::Busy);
                world.tell(Observation::started(Duration::ZERO));
                world.tell_worker(id(nth)?, WorkerEvent::Busy(1));
            }
            Action::Finish(nth) => world.finish(id(nth)?),
            Action::Wake => {
                world.now = world.autoscaler.next_wakeup()?;
                world.decide();
            }
            Action::Tick => {
                world.now = world.now.saturating_add(Duration::from_secs(1));
                world.decide();
            }
            Action::Restart => {
                let restored = Autoscaler::restore(world.autoscaler.snapshot());
                world.holds("restore_continues", restored.as_ref() == Ok(&last.autoscaler));
                return (world.broken.is_some()).then_some(world);
            }
            Action::Reconfigure => {
                world.second_config = !world.second_config;
                let config = self.configs[usize::from(world.second_config)].clone();
                world.autoscaler.reconfigure(world.now, config);
                let (desired, config) = (world.autoscaler.desired(), world.autoscaler.config());
                let within = (config.min()..=config.max()).contains(&desired);
                world.holds("bounds_always_hold", within);
            }
        }
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![Property::always("every law", |_, world: &World| world.broken.is_none())]
    }
}

fn configs() -> Result<[Config; 2], plimsoll::ConfigError> {
    let seconds = Duration::from_secs;
    let first = Config::new(Policy::RunPod(RunPod::request_count(1)), 0, 3)?
        .with_down_delay(seconds(2))?
        .with_window(seconds(1))?
        .with_order_timeout(seconds(3))?
        .with_start_timeout(seconds(4))?
        .with_drain_timeout(seconds(2))?
        .with_backoff(Backoff::new(seconds(1), seconds(2)))?
        .with_breaker(Breaker::new(2, seconds(10), seconds(2)))?
        .with_precision(Precision::Compact)
        .with_event_log(0);
    let second = first.clone().with_bounds(1, 2)?.with_idle_timeout(seconds(1))?.with_up_delay(seconds(1))?;
    Ok([first, second])
}

fn main() -> ExitCode {
    let depth = env::args().nth(1).and_then(|depth| depth.parse().ok()).unwrap_or(7);
    let configs = match configs() {
        Ok(configs) => configs,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    #[expect(clippy::disallowed_methods, reason = "how long it took is told to whoever waits")]
    let start = Instant::now();
    let checker = Small { configs }.checker().threads(2).target_max_depth(depth).spawn_bfs().join();
    println!(
        "depth {depth}: {} states, {} different, {:.0?}",
        checker.state_count(),
        checker.unique_state_count(),
        start.elapsed()
    );
    match checker.discovery("every law") {
        None => ExitCode::SUCCESS,
        Some(path) => {
            for (world, action) in path.into_vec() {
                println!("{world:?}");
                if let Some(action) = action {
                    println!("    {action:?}");
                }
            }
            ExitCode::FAILURE
        }
    }
}
