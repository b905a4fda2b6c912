//! Many autoscalers, each through a long stream of observations drawn from a seed, in integers only.
//!
//! A stream is a small platform under a changing load that carries out the commands it is given, more or less, and
//! reports in events, in gauges and counts, or in anything at all. A new observation belongs into [`any_observation`],
//! a new setting into [`SETTINGS`], a new policy into [`any_policy`] and [`POLICIES`].

use core::fmt::{Display, Write as _};
use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

use plimsoll::config::{Precision, StepLimit};
use plimsoll::policy::{ConcurrencyTarget, Outpost, RunPod};
use plimsoll::{
    Autoscaler, Command, Config, ConfigError, Decision, FailureCause, Observation, Policy, PoolCounts, Preset, Rate,
    Rejected, Share, Timestamp, WorkerEvent, WorkerId,
};
use serde_json::to_string as json;

/// Streams that are written out, and the decisions in each.
const WRITTEN: (u32, u32) = (21, 20);
/// Streams of which a hash is kept, and the decisions in each.
const HASHED: (u32, u32) = (126, 220);

/// The golden log: a few streams line by line, then one line with a hash for each of many, then what occurred in them.
#[must_use]
pub fn golden() -> String {
    let mut text = String::new();
    let mut tally = Tally::default();
    for number in 0..WRITTEN.0 {
        let log = Run::new(number, Detail::Lines, &mut tally).finish(WRITTEN.1);
        text.push_str(&log.text);
    }
    for number in 0..HASHED.0 {
        let log = Run::new(number, Detail::Hash, &mut tally).finish(HASHED.1);
        writeln!(text, "{} hash {:016x}", log.name, log.hash.0).unwrap();
    }
    for ((kind, name), count) in &tally.0 {
        writeln!(text, "{kind} {name}: {count}").unwrap();
    }
    text
}

/// One of the hashed streams, with everything that its hash is made of.
#[must_use]
pub fn in_full(number: u32) -> String {
    Run::new(number, Detail::All, &mut Tally::default()).finish(HASHED.1).text
}

// The log -------------------------------------------------------------------------------------------------------------

/// How much of a stream becomes text. All of it goes into the hash.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Detail {
    Hash,
    Lines,
    All,
}

struct Log {
    name: String,
    detail: Detail,
    text: String,
    hash: Fnv,
}

impl Log {
    fn line(&mut self, line: impl Display) {
        self.write(self.detail != Detail::Hash, line);
    }

    /// A long line that only the hash and the full text need.
    fn aside(&mut self, line: impl Display) {
        self.write(self.detail == Detail::All, line);
    }

    fn write(&mut self, shown: bool, line: impl Display) {
        let line = format!("{line}\n");
        self.hash.add(line.as_bytes());
        if shown {
            self.text.push_str(&line);
        }
    }
}

/// FNV-1a, 64 bits.
struct Fnv(u64);

impl Fnv {
    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

/// What occurred in all streams together, and how often: a golden log that never saw a thing proves nothing about it.
#[derive(Default)]
struct Tally(BTreeMap<(&'static str, &'static str), u64>);

impl Tally {
    fn add(&mut self, kind: &'static str, name: &'static str) {
        *self.0.entry((kind, name)).or_default() += 1;
    }
}

// One stream ----------------------------------------------------------------------------------------------------------

/// How a platform reports.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Grain {
    /// Every request and every worker.
    Events,
    /// Gauges, counters, and either workers or their counts.
    Gauges,
    /// Everything, and anything else as well: a clock that goes back, huge numbers, workers nobody knows.
    Hostile,
}

struct Run<'a> {
    draw: Draw,
    grain: Grain,
    autoscaler: Autoscaler,
    platform: Platform,
    now: Timestamp,
    /// Requests per second at present.
    load: u64,
    log: Log,
    tally: &'a mut Tally,
}

impl<'a> Run<'a> {
    fn new(number: u32, detail: Detail, tally: &'a mut Tally) -> Self {
        let mut draw = Draw(u64::from(number));
        let grain = [Grain::Events, Grain::Gauges, Grain::Hostile][number as usize % 3];
        let name = format!("stream {number} {grain:?}");
        let mut log = Log { name, detail, text: String::new(), hash: Fnv(0xcbf2_9ce4_8422_2325) };
        log.line(log.name.clone());

        let config = any_config(&mut draw, number as usize / 3, &mut log);
        let written = json(&config).unwrap();
        log.line(format_args!("config {written}"));
        let read: Result<Config, _> = serde_json::from_str(&written);
        assert_eq!(read.ok().as_ref(), Some(&config), "a configuration reads back as itself: {written}");

        let start = match (grain, draw.below(8)) {
            (Grain::Hostile, 0) => Timestamp::from_nanos(u64::MAX - draw.below(1 << 44)),
            (_, 1 | 2) => Timestamp::from_nanos(1_795_000_000_000_000_000 + draw.below(1_000_000_000)),
            _ => Timestamp::ORIGIN,
        };
        let platform = Platform::new(&mut draw, grain, config.concurrency());
        Self { draw, grain, autoscaler: Autoscaler::new(config, start), platform, now: start, load: 3, log, tally }
    }

    fn finish(mut self, decisions: u32) -> Log {
        for number in 1..=decisions {
            self.step();
            if number % 16 == 0 {
                self.log.aside(json(&self.autoscaler.status()).unwrap());
            }
        }
        self.log.line(format_args!("status {}", json(&self.autoscaler.status()).unwrap()));
        for event in self.autoscaler.events() {
            self.log.aside(event);
        }
        self.log
    }

    /// Some time, what happens in it, and a decision.
    fn step(&mut self) {
        let (before, quiet) = (self.now, self.pass());
        if self.draw.one_in(24) {
            self.load = self.draw.of(&[0, 0, 1, 1, 3, 6, 12, 40]);
        }
        let span = self.now.saturating_since(before);
        let arrived = if quiet { 0 } else { self.platform.arrivals(&mut self.draw, self.load, span) };
        let facts = self.platform.live(&mut self.draw, self.now, arrived, span);
        for fact in facts {
            self.observe(fact);
        }
        let strange = if self.grain == Grain::Hostile { self.draw.below(4) } else { u64::from(self.draw.one_in(64)) };
        for _ in 0..strange {
            let observation = any_observation(&mut self.draw);
            self.observe(observation);
        }
        let now = self.present();
        let decision = self.autoscaler.decide(now);
        self.write(&decision);
        for command in &decision.commands {
            self.platform.apply(&mut self.draw, decision.at, command);
        }
    }

    /// Lets time pass; whether it was too long for anything to arrive in it.
    fn pass(&mut self) -> bool {
        let draw = &mut self.draw;
        let (span, quiet) = match draw.below(24) {
            0 => (draw.of(&[30, 90, 600, 3_600, 30_000]) * SECOND + draw.below(SECOND), true),
            1 => (draw.below(2), true),
            2..=5 => {
                let wakeup = self.autoscaler.next_wakeup().unwrap_or(Timestamp::ORIGIN);
                (nanos(wakeup.saturating_since(self.now)), true)
            }
            6 => (draw.below(60 * SECOND), false),
            _ => (draw.below(2 * SECOND), false),
        };
        self.now = self.now.saturating_add(Duration::from_nanos(span));
        quiet
    }

    /// What the clock shows.
    fn present(&mut self) -> Timestamp {
        match self.grain {
            Grain::Hostile if self.draw.one_in(8) => {
                let back = self.draw.of(&[1, 1_000_000, 5 * SECOND, u64::MAX]);
                Timestamp::from_nanos(self.now.as_nanos().saturating_sub(back))
            }
            _ => self.now,
        }
    }

    fn observe(&mut self, observation: Observation) {
        let now = self.present();
        self.tally.add("observation", observation_name(&observation));
        if let Err(rejected) = self.autoscaler.observe(now, observation) {
            self.log.line(format_args!("{} rejected: {rejected}", now.as_nanos()));
            self.tally.add("rejected", rejected_name(&rejected));
        }
    }

    /// Instant, count before and after, stable code, words, commands, next wake-up.
    fn write(&mut self, decision: &Decision) {
        let explanation = &decision.explanation;
        assert_eq!(explanation.fold(), decision.desired, "explanation_folds");
        let (at, from, to) = (decision.at.as_nanos(), explanation.count, decision.desired);
        let (code, commands) = (explanation.code(), json(&decision.commands).unwrap());
        let wakeup = decision.next_wakeup.map_or_else(|| "never".to_owned(), |at| at.as_nanos().to_string());
        self.log.line(format_args!("{at} {from}->{to} {code} | {decision} | {commands} | {wakeup}"));
        self.log.aside(explanation);
        self.log.aside(json(decision).unwrap());
        self.tally.add("code", code);
        self.tally.add("last change", decision.last_change.as_ref().map_or("none", |change| change.code()));
        for proposal in explanation.proposals.iter().flatten() {
            self.tally.add("because", proposal.because.code());
        }
        for command in &decision.commands {
            self.tally.add("command", command_name(command));
        }
    }
}

// The platform --------------------------------------------------------------------------------------------------------

const SECOND: u64 = 1_000_000_000;
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

struct Platform {
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
    fn new(draw: &mut Draw, grain: Grain, slots: u32) -> Self {
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
    fn arrivals(&mut self, draw: &mut Draw, load: u64, span: Duration) -> u32 {
        let room = MOST_WAITING.saturating_sub(self.waiting.len()).min(300) as u64;
        let expected = u128::from(load) * span.as_nanos() * 2 / u128::from(SECOND);
        let most = u64::try_from(expected).unwrap_or(u64::MAX).min(room);
        u32::try_from(draw.below(most + 1)).unwrap()
    }

    /// What happens up to `now`, as it is reported then.
    fn live(&mut self, draw: &mut Draw, now: Timestamp, arrived: u32, over: Duration) -> Vec<Observation> {
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
    fn apply(&mut self, draw: &mut Draw, now: Timestamp, command: &Command) {
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

// Names for the tally -------------------------------------------------------------------------------------------------

const fn observation_name(observation: &Observation) -> &'static str {
    match observation {
        Observation::Arrived { .. } => "arrived",
        Observation::Started { .. } => "started",
        Observation::Finished { .. } => "finished",
        Observation::Abandoned { .. } => "abandoned",
        Observation::Queue { .. } => "queue",
        Observation::InFlight { .. } => "in_flight",
        Observation::Requests { .. } => "requests",
        Observation::ArrivalRate { .. } => "arrival_rate",
        Observation::Worker { event, .. } => match event {
            WorkerEvent::Ordered => "worker ordered",
            WorkerEvent::Ready => "worker ready",
            WorkerEvent::Busy(_) => "worker busy",
            WorkerEvent::Idle => "worker idle",
            WorkerEvent::Draining => "worker draining",
            WorkerEvent::Prewarming => "worker prewarming",
            WorkerEvent::Standby => "worker standby",
            WorkerEvent::Gone => "worker gone",
            WorkerEvent::Failed(_) => "worker failed",
            _ => "worker, not named here",
        },
        Observation::StartFailed { .. } => "start_failed",
        Observation::Pool(_) => "pool",
        Observation::Proposal { .. } => "proposal",
        _ => "not named here",
    }
}

const fn rejected_name(rejected: &Rejected) -> &'static str {
    match rejected {
        Rejected::UnknownWorker { .. } => "unknown_worker",
        Rejected::ImpossibleEvent { .. } => "impossible_event",
        Rejected::BadRate { .. } => "bad_rate",
        Rejected::EmptySpan { .. } => "empty_span",
        Rejected::IdleAboveReady { .. } => "idle_above_ready",
        Rejected::CountsBesideIds { .. } => "counts_beside_ids",
        Rejected::TooManyWorkers { .. } => "too_many_workers",
        _ => "not named here",
    }
}

const fn command_name(command: &Command) -> &'static str {
    match command {
        Command::Start { .. } => "start",
        Command::Revive { .. } => "revive",
        Command::ReviveAny { .. } => "revive_any",
        Command::Drain { .. } => "drain",
        Command::Stop { cut_off: true, .. } => "stop, cut off",
        Command::Stop { to_standby: true, .. } => "stop, to standby",
        Command::Stop { .. } => "stop",
        Command::Release { .. } => "release",
        Command::Prewarm { .. } => "prewarm",
        _ => "not named here",
    }
}

// Anything at all -----------------------------------------------------------------------------------------------------

/// Every kind of observation, mostly with small numbers.
fn any_observation(draw: &mut Draw) -> Observation {
    match draw.below(14) {
        0 => Observation::Arrived { count: count(draw), queue: maybe(draw, worker) },
        1 => Observation::Started { sojourn: span(draw), queue: maybe(draw, worker) },
        2 => Observation::Finished { service: span(draw) },
        3 => Observation::Abandoned { wait: span(draw), queue: maybe(draw, worker) },
        4 => Observation::Queue { depth: count(draw), oldest_age: maybe(draw, span), queue: maybe(draw, worker) },
        5 => Observation::InFlight { count: count(draw) },
        6 => Observation::Requests { count: count(draw), over: span(draw) },
        7 => Observation::ArrivalRate { per_second: number(draw) },
        8..=10 => Observation::Worker { id: worker(draw), event: worker_event(draw) },
        11 => Observation::StartFailed { count: count(draw), cause: cause(draw) },
        12 => Observation::Pool(PoolCounts {
            ready: count(draw),
            idle: maybe(draw, count),
            starting: count(draw),
            draining: count(draw),
            prewarming: count(draw),
            standby: count(draw),
            failed: count(draw),
        }),
        _ if draw.one_in(8) => Observation::Proposal { workers: count(draw), valid_for: None },
        _ => Observation::Proposal { workers: count(draw), valid_for: Some(span(draw)) },
    }
}

fn worker_event(draw: &mut Draw) -> WorkerEvent {
    match draw.below(9) {
        0 => WorkerEvent::Ordered,
        1 => WorkerEvent::Ready,
        2 => WorkerEvent::Busy(count(draw)),
        3 => WorkerEvent::Idle,
        4 => WorkerEvent::Draining,
        5 => WorkerEvent::Prewarming,
        6 => WorkerEvent::Standby,
        7 => WorkerEvent::Gone,
        _ => WorkerEvent::Failed(cause(draw)),
    }
}

fn cause(draw: &mut Draw) -> FailureCause {
    use FailureCause::{Crash, Preempted, Quota, StockOut, Timeout};
    draw.of(&[Crash, Timeout, Quota, StockOut, Preempted])
}

fn worker(draw: &mut Draw) -> WorkerId {
    WorkerId(match draw.below(32) {
        0 => u64::MAX,
        small => small % 12,
    })
}

/// A count, mostly small.
fn count(draw: &mut Draw) -> u32 {
    match draw.below(64) {
        0 => u32::MAX,
        1 => u32::try_from(draw.below(1 << 32)).unwrap(),
        small => u32::try_from(small % 16).unwrap(),
    }
}

/// A duration of any size, the usual ones more often.
fn span(draw: &mut Draw) -> Duration {
    let count = draw.below(256);
    match draw.below(16) {
        0 => Duration::from_nanos(count),
        1 => Duration::from_micros(count),
        2 => Duration::from_secs(count * 60),
        3 => Duration::from_secs(count * 86_400),
        4 => draw.of(&[Duration::ZERO, Duration::MAX, Duration::from_nanos(u64::MAX)]),
        5..=8 => Duration::from_secs(count % 32),
        _ => Duration::from_millis(count),
    }
}

/// A number that may be no rate.
fn number(draw: &mut Draw) -> f64 {
    match draw.below(16) {
        0 => draw.of(&[f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, -1.0, -0.0]),
        1 => draw.of(&[f64::MIN_POSITIVE, f64::EPSILON, 1e9, 1e9 + 1.0, 0.000_000_5]),
        2 => f64::from_bits(draw.next()),
        3 | 4 => 0.0,
        _ => f64::from(u32::try_from(draw.below(1 << 20)).unwrap()) / 3_000.0,
    }
}

fn maybe<T>(draw: &mut Draw, make: impl Fn(&mut Draw) -> T) -> Option<T> {
    draw.one_in(4).then(|| make(draw))
}

// Configurations ------------------------------------------------------------------------------------------------------

type Setting = fn(&mut Draw, Config) -> Result<Config, ConfigError>;

/// Each policy gets its streams.
const POLICIES: [fn(&mut Draw) -> Policy; 6] = [
    |draw| Policy::Fixed(count(draw) % 40),
    |draw| Policy::Outpost(Outpost::new(Rate::from_micros(1 + draw.below(12_000_000)))),
    |draw| Policy::RunPod(RunPod::queue_delay(delay(draw))),
    |draw| Policy::RunPod(RunPod::request_count(1 + count(draw) % 12)),
    |draw| {
        let tenths = 1 + u32::try_from(draw.below(80)).unwrap();
        ConcurrencyTarget::new(f64::from(tenths) / 10.0).map_or(Policy::External, Policy::Concurrency)
    },
    |_| Policy::External,
];

fn any_policy(draw: &mut Draw) -> Policy {
    draw.of(&POLICIES)(draw)
}

/// Every setting, drawn for a third of the configurations. A value may be refused.
const SETTINGS: [Setting; 21] = [
    |draw, config| config.with_policy(any_policy(draw)),
    |draw, config| config.with_policy(any_policy(draw)),
    |draw, config| config.with_bounds(count(draw) % 6, u32::try_from(draw.below(150)).unwrap()),
    |draw, config| config.with_concurrency(count(draw) % 8),
    |draw, config| config.with_up_delay(delay(draw)),
    |draw, config| config.with_down_delay(delay(draw)),
    |draw, config| config.with_to_zero_delay(delay(draw)),
    |draw, config| config.with_idle_timeout(delay(draw)),
    |draw, config| Ok(config.with_standby(count(draw) % 6)),
    |draw, config| config.with_drain_timeout(delay(draw)),
    |draw, config| config.with_order_timeout(delay(draw)),
    |draw, config| {
        let tolerance = f64::from(u32::try_from(draw.below(40)).unwrap()) / 100.0;
        Ok(config.with_tolerance(Share::new(tolerance).unwrap_or_default()))
    },
    |draw, config| config.with_up_step(StepLimit::workers(count(draw) % 8, delay(draw))),
    |draw, config| config.with_down_step(StepLimit::percent(count(draw) % 90, delay(draw))),
    |draw, config| config.with_window(delay(draw)),
    |draw, config| config.with_sojourn_target(Duration::from_millis(draw.below(2_000))),
    |draw, config| config.with_codel_interval(Duration::from_millis(draw.below(5_000))),
    |draw, config| config.with_freshness(delay(draw)),
    |draw, config| config.with_event_freshness(delay(draw)),
    |_, config| Ok(config.with_precision(Precision::Compact)),
    |draw, config| Ok(config.with_event_log(u16::try_from(draw.below(20)).unwrap())),
];

/// The policy that is this stream's turn, or a preset, with some of the settings changed.
fn any_config(draw: &mut Draw, turn: usize, log: &mut Log) -> Config {
    let mut config = match POLICIES.get(turn % (POLICIES.len() + 1)) {
        Some(policy) => Config::new(policy(draw), 0, 60).unwrap(),
        None => draw.of(&Preset::ALL).config(),
    };
    for setting in SETTINGS {
        if draw.one_in(3) {
            match setting(draw, config.clone()) {
                Ok(changed) => config = changed,
                Err(error) => log.line(format_args!("refused: {error}")),
            }
        }
    }
    config
}

/// A delay or window that is meant, now and then any duration.
fn delay(draw: &mut Draw) -> Duration {
    if draw.one_in(12) {
        return span(draw);
    }
    draw.of(&[0, 500, 4_000, 10_000, 30_000, 60_000, 300_000].map(Duration::from_millis))
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

// Chance --------------------------------------------------------------------------------------------------------------

/// `SplitMix64`.
struct Draw(u64);

impl Draw {
    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    const fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    const fn one_in(&mut self, many: u64) -> bool {
        self.below(many) == 0
    }

    fn of<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.below(values.len() as u64) as usize]
    }
}
