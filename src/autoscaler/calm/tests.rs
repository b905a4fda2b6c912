use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::autoscaler::changed::Asked;
use crate::config::{Blind, Cliff, Config, StepLimit};
use crate::decision::{Command, Decision};
use crate::observation::{FailureCause, Grant, PoolCounts};
use crate::policy::{Buffer, ConcurrencyTarget, Objective, Outpost, Policy, RunPod};
use crate::units::{Rate, Share};

/// A small platform: requests wait in one queue, workers start late, and all of it is told by events.
struct Platform {
    lazy: Autoscaler,
    /// The same, evaluated at every observation.
    eager: Autoscaler,
    now: Timestamp,
    queue: Vec<Timestamp>,
    /// Requests in service by worker; starting ones have none.
    workers: BTreeMap<u64, Option<u32>>,
    next: u64,
    /// The count of the decision given last.
    given: Option<u32>,
    /// Workers are told of by counts.
    by_count: bool,
    counted: u32,
    /// Of those that were counted the ones after which nothing was proposed anew.
    unread: u32,
}

/// Has the next call evaluate everything.
fn forget(autoscaler: &mut Autoscaler) {
    (autoscaler.calm, autoscaler.asked) = (Calm::default(), Asked::default());
}

impl Platform {
    fn new(config: Config) -> Self {
        let autoscaler = Autoscaler::new(config, Timestamp::ORIGIN);
        Self {
            lazy: autoscaler.clone(),
            eager: autoscaler,
            now: Timestamp::ORIGIN,
            queue: Vec::new(),
            workers: BTreeMap::new(),
            next: 0,
            given: None,
            by_count: false,
            counted: 0,
            unread: 0,
        }
    }

    fn tell(&mut self, observation: Observation) {
        let lazily = self.lazy.observe(self.now, observation);
        let read = self.lazy.state.last.inputs.in_system().0 == self.lazy.state.estimators.counted().1;
        assert_eq!(self.lazy.has_only_counted(), self.lazy.calm.counted);
        self.counted += u32::from(self.lazy.calm.counted);
        self.unread += u32::from(self.lazy.calm.counted && !read);
        forget(&mut self.eager);
        let eagerly = self.eager.observe(self.now, observation);
        assert_eq!(lazily, eagerly);
        assert_eq!(self.lazy.desired(), self.eager.desired(), "after {observation:?} at {}", self.now);
        if self.lazy.is_granted() {
            let needs = self.eager.needs();
            assert_eq!(self.lazy.needs(), needs);
            let told = |it: &Autoscaler| it.wanted.clamp(needs.least, needs.most);
            assert_eq!(told(&self.lazy), told(&self.eager), "a budget is told at once: after {observation:?}");
        }
    }

    fn worker(&mut self, id: u64, event: WorkerEvent) {
        self.tell(Observation::worker(WorkerId(id), event));
    }

    /// Lets as many wait and be served as there is room for.
    fn serve(&mut self) {
        while let Some((&id, &slots)) = self
            .workers
            .iter()
            .find(|(_, slots)| slots.is_some_and(|slots| slots < 2))
            .filter(|_| !self.queue.is_empty())
        {
            let sojourn = self.now.saturating_since(self.queue.remove(0));
            self.tell(Observation::started(sojourn));
            let slots = slots.unwrap_or(0) + 1;
            self.workers.insert(id, Some(slots));
            self.worker(id, WorkerEvent::Busy(slots));
        }
    }

    fn decide(&mut self) {
        assert_eq!(self.lazy.next_wakeup(), self.eager.next_wakeup());
        assert_eq!(self.lazy.status(), self.eager.status());
        assert_eq!(self.lazy.needs(), self.eager.needs());
        let decision = self.lazy.decide(self.now);
        forget(&mut self.eager);
        assert_eq!(decision, self.eager.decide(self.now));
        self.carry_out(decision);
    }

    /// Asks for what is new: a decision if and only if it has another count than the last, or commands.
    fn ask(&mut self) {
        forget(&mut self.eager);
        let due = self.eager.decide(self.now);
        let new = self.given != Some(due.desired) || !due.commands.is_empty() || !due.would.is_empty();
        let given = self.lazy.decide_if_changed(self.now);
        assert_eq!(given, new.then_some(due), "at {}, {:?} was given last", self.now, self.given);
        assert_eq!(self.lazy.next_wakeup(), self.eager.next_wakeup());
        if let Some(decision) = given {
            self.carry_out(decision);
        }
    }

    fn carry_out(&mut self, decision: Decision) {
        self.given = Some(decision.desired);
        for command in decision.commands {
            match command {
                Command::Start { .. } if self.by_count => {}
                Command::Start { count } => {
                    for _ in 0..count {
                        self.workers.insert(self.next, None);
                        self.worker(self.next, WorkerEvent::Ordered);
                        self.next += 1;
                    }
                }
                Command::Stop { id, .. } => {
                    self.workers.remove(&id.0);
                    self.worker(id.0, WorkerEvent::Gone);
                }
                Command::Drain { id } => self.worker(id.0, WorkerEvent::Draining),
                Command::Revive { id } => self.worker(id.0, WorkerEvent::Ready),
                _ => {}
            }
        }
    }

    /// Who is told nothing more wakes when it would wake if it were evaluated every time, and is never twice in turn woken
    /// before that.
    fn wait(&self) {
        let (mut lazy, mut eager) = (self.lazy.clone(), self.eager.clone());
        // Nothing is left to be done now.
        let _ = (lazy.decide(self.now), eager.decide(self.now));
        let (mut known, mut early) = (lazy.desired(), false);
        for _ in 0..40 {
            let (woken, due) = (lazy.earliest_wakeup(), eager.next_wakeup());
            if early || woken == due {
                assert_eq!(woken, due, "woken in vain at {}, and again", lazy.state.now);
            }
            early = woken != due;
            let Some(at) = woken else {
                assert_eq!(due, None);
                return;
            };
            assert!(due.is_none_or(|due| at <= due), "woken at {at}, due at {due:?}");
            let decision = lazy.decide_if_changed(at);
            let before = core::mem::replace(&mut known, lazy.desired());
            if early {
                assert_eq!(decision, None, "before anything is due");
                continue;
            }
            forget(&mut eager);
            let due = eager.decide(at);
            assert_eq!(known, due.desired);
            let new = known != before || !due.commands.is_empty() || !due.would.is_empty();
            assert_eq!(decision, new.then_some(due));
        }
    }

    fn act(&mut self, act: Act) {
        let chosen = |workers: &BTreeMap<u64, Option<u32>>, which: usize, busy: bool| {
            let fits = workers.iter().filter(|(_, slots)| if busy { **slots > Some(0) } else { slots.is_none() });
            let fits: Vec<_> = fits.map(|(id, _)| *id).collect();
            (!fits.is_empty()).then(|| fits[which % fits.len()])
        };
        match act {
            Act::Arrive(count) => {
                self.queue.extend((0..count).map(|_| self.now));
                self.tell(Observation::arrived(count));
                self.serve();
            }
            Act::Finish(which) => {
                if let Some(id) = chosen(&self.workers, which, true) {
                    let slots = self.workers[&id].map_or(0, |slots| slots - 1);
                    self.workers.insert(id, Some(slots));
                    self.tell(Observation::finished(Duration::from_millis(200)));
                    self.worker(id, if slots == 0 { WorkerEvent::Idle } else { WorkerEvent::Busy(slots) });
                    self.serve();
                }
            }
            Act::Ready(which) => {
                if let Some(id) = chosen(&self.workers, which, false) {
                    self.workers.insert(id, Some(0));
                    self.worker(id, WorkerEvent::Ready);
                    self.worker(id, WorkerEvent::Idle);
                    self.serve();
                }
            }
            Act::Fail(which) => {
                if let Some(id) = chosen(&self.workers, which, which % 2 == 0) {
                    self.workers.remove(&id);
                    self.worker(id, WorkerEvent::Failed(FailureCause::Crash));
                }
            }
            Act::Grant(workers) => {
                self.tell(Observation::Grant(workers.map(|workers| Grant { workers, budget: 9, others: 1 })));
            }
            Act::Mode(mode) => self.tell(Observation::Mode { mode, valid_for: None }),
            Act::Gauge(off, age) => {
                let depth = u32::try_from(self.queue.len()).unwrap_or(u32::MAX);
                let known = self.queue.first().map(|since| self.now.saturating_since(*since));
                let age = age.map_or(known, |millis| Some(Duration::from_millis(millis)));
                self.tell(Observation::queue(depth.saturating_add_signed(off), age));
            }
            Act::Slots(off) => {
                let busy = self.workers.values().flatten().sum::<u32>();
                self.tell(Observation::in_flight(busy.saturating_add_signed(off)));
            }
            Act::Counted(count) => {
                self.tell(Observation::Requests { count, over: Duration::from_millis(700) });
            }
            Act::Pool(ready, starting) => {
                self.tell(Observation::Pool(PoolCounts { ready, starting, ..PoolCounts::default() }));
            }
            Act::Restart => {
                let kept = serde_json::to_string(&self.lazy.snapshot()).unwrap();
                let other = serde_json::to_string(&self.eager.snapshot()).unwrap();
                let same = kept.bytes().zip(other.bytes()).take_while(|(one, two)| one == two).count();
                assert!(kept == other, "…{} is …{}", &kept[same.max(200) - 200..][..260], &other[same..][..60]);
                assert!(self.lazy == self.eager, "what has been counted is part of the state");
                self.lazy = Autoscaler::restore(serde_json::from_str(&kept).unwrap()).unwrap();
                self.given = None;
            }
            Act::Decide => self.decide(),
            Act::Ask => self.ask(),
            Act::Wait => self.wait(),
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Arrive(u32),
    Finish(usize),
    Ready(usize),
    Fail(usize),
    /// So many more wait than do, for so long; the first of them, if that is not said.
    Gauge(i32, Option<u64>),
    Slots(i32),
    Counted(u32),
    /// Nothing but counts is told of workers.
    Pool(u32, u32),
    Grant(Option<u32>),
    Mode(Mode),
    Restart,
    Decide,
    Ask,
    Wait,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        40 => (0_u32..3).prop_map(Act::Arrive),
        60 => any::<usize>().prop_map(Act::Finish),
        8 => any::<usize>().prop_map(Act::Ready),
        1 => any::<usize>().prop_map(Act::Fail),
        10 => (-1_i32..3, prop::option::of(0_u64..1_500)).prop_map(|(off, age)| Act::Gauge(off, age)),
        10 => (-1_i32..2).prop_map(Act::Slots),
        1 => prop::option::of(0_u32..6).prop_map(Act::Grant),
        1 => prop::sample::select(&[Mode::Automatic, Mode::GrowOnly, Mode::Hold, Mode::Observe]).prop_map(Act::Mode),
        1 => Just(Act::Restart),
        8 => Just(Act::Decide),
        20 => Just(Act::Ask),
        2 => Just(Act::Wait),
    ]
}

fn policy() -> impl Strategy<Value = Policy> {
    prop_oneof![
        (1_u32..80)
            .prop_map(|tenths| Policy::Outpost(Outpost::new(Rate::per_second(f64::from(tenths) / 10.0).unwrap()))),
        prop::sample::select(&[40_u64, 700])
            .prop_map(|millis| Policy::RunPod(RunPod::queue_delay(Duration::from_millis(millis)))),
        (1_u32..5).prop_map(|count| Policy::RunPod(RunPod::request_count(count))),
        (1_u32..40).prop_map(|tenths| Policy::Concurrency(ConcurrencyTarget::new(f64::from(tenths) / 10.0).unwrap())),
        (0_u32..4).prop_map(Policy::Fixed),
        prop::sample::select(&[0.9, 0.99]).prop_map(|share| Policy::Objective(Objective::share(
            Share::new(share).unwrap(),
            Duration::from_millis(100)
        ))),
        (1_u32..100).prop_map(|price| Policy::Objective(Objective::price(price, Duration::from_millis(400)))),
    ]
}

/// Of a platform that scrapes.
fn scraped() -> impl Strategy<Value = Act> {
    let age = || prop::option::of(prop_oneof![0_u64..1_500, prop::sample::select(&[0_u64, 100, 101, 400, 700, 1_100])]);
    prop_oneof![
        40 => (0_i32..4, age()).prop_map(|(off, age)| Act::Gauge(off, age)),
        40 => (0_i32..5).prop_map(Act::Slots),
        6 => (0_u32..20).prop_map(Act::Counted),
        6 => (0_u32..5, 0_u32..2).prop_map(|(ready, starting)| Act::Pool(ready, starting)),
        2 => (0_u32..3).prop_map(Act::Arrive),
        1 => prop::option::of(0_u32..6).prop_map(Act::Grant),
        1 => Just(Act::Restart),
        6 => Just(Act::Decide),
        20 => Just(Act::Ask),
        2 => Just(Act::Wait),
    ]
}

/// What can be set, and how far apart things happen.
fn case(act: impl Strategy<Value = Act>) -> impl Strategy<Value = (Config, Vec<(u64, Act)>)> {
    let delay = || prop::sample::select(&[0_u64, 300, 5_000]);
    let settings = (
        prop::collection::vec(policy(), 1..3),
        (0_u32..3, 2_u32..8),
        (delay(), delay(), 500_u64..20_000),
        prop::option::of(prop_oneof![1 => Just(0), 9 => 500_u64..9_000]),
        prop::option::of(1_u32..3),
        (prop::sample::select(&[12_000_u64, 60_000]), prop::sample::select(&[100_u64, 400])),
        prop::option::of(1_u32..3),
        prop::option::weighted(0.2, any::<bool>()),
    );
    let config = settings.prop_filter_map(
        "refused",
        |(policies, (min, max), (up, down, zero), idle, buffer, (window, target), step, steep)| {
            let (first, more) = policies.split_first()?;
            let millis = Duration::from_millis;
            let mut config = Config::new(*first, min, max).ok()?.with_concurrency(2).ok()?;
            for policy in more {
                config = config.with_policy(*policy).ok()?;
            }
            config = config.with_up_delay(millis(up)).ok()?.with_down_delay(millis(down)).ok()?;
            config = config.with_to_zero_delay(millis(zero)).ok()?.with_window(millis(window)).ok()?;
            config = config.with_sojourn_target(millis(target)).ok()?;
            if let Some(workers) = step {
                let limit = StepLimit::workers(workers, millis(2_000));
                config = config.with_up_step(limit).ok()?.with_down_step(limit).ok()?;
                config = config.with_tolerance(Share::new(0.2).ok()?);
            }
            if let Some(idle) = idle {
                config = config.with_idle_timeout(millis(idle)).ok()?;
            }
            config = match steep {
                Some(true) => {
                    config.with_cliff(Cliff::new(Share::new(0.5).ok()?, millis(5_000), millis(9_000))).ok()?
                }
                Some(false) => config.with_blind(Blind::LastPeak(millis(9_000))).ok()?,
                None => config,
            };
            if let Some(workers) = buffer {
                config = config.with_buffer(Buffer::workers(workers)).ok()?;
            }
            Some(config)
        },
    );
    // Mostly moments, seldom long enough for a delay to pass.
    let gap = prop_oneof![4 => 0_u64..20, 30 => 0_u64..400, 2 => 0_u64..3_000, 1 => 0_u64..40_000];
    (config, prop::collection::vec((gap, act), 1..400))
}

/// What happens one after the other, so many milliseconds apart, and then silence.
fn lives(mut platform: Platform, acts: Vec<(u64, Act)>) {
    platform.decide();
    for (gap, act) in acts {
        platform.now = platform.now.saturating_add(Duration::from_millis(gap));
        platform.act(act);
    }
    platform.wait();
    platform.decide();
    platform.wait();
}

proptest! {
    #[test]
    fn what_is_only_counted_changes_nothing((config, acts) in case(act())) {
        let mut platform = Platform::new(config);
        platform.tell(Observation::arrived(0));
        lives(platform, acts);
    }

    #[test]
    fn gauges_that_are_only_counted_change_nothing((config, acts) in case(scraped())) {
        let mut platform = Platform { by_count: true, ..Platform::new(config) };
        for first in [Act::Pool(2, 0), Act::Gauge(0, None), Act::Slots(1)] {
            platform.act(first);
        }
        lives(platform, acts);
    }
}

#[test]
fn a_service_that_is_scraped_is_mostly_counted() {
    for policy in [
        Policy::Outpost(Outpost::new(Rate::per_second(50.0).unwrap())),
        Policy::RunPod(RunPod::queue_delay(Duration::from_secs(4))),
        Policy::RunPod(RunPod::request_count(9)),
        Policy::Concurrency(ConcurrencyTarget::new(9.0).unwrap()),
        Policy::Fixed(4),
    ] {
        let mut platform = Platform { by_count: true, ..Platform::new(Config::new(policy, 1, 8).unwrap()) };
        for first in [Act::Pool(4, 0), Act::Gauge(1, None), Act::Slots(2), Act::Counted(30), Act::Decide] {
            platform.act(first);
        }
        for step in 0..1_000 {
            platform.now = Timestamp::from_millis(1_000 + step * 10);
            platform.act(if step % 2 == 0 { Act::Gauge(2, Some(80)) } else { Act::Slots(3) });
        }
        assert!(platform.counted >= 990, "{policy:?}: {} of a thousand", platform.counted);
    }
}

/// A request is in service and nothing else will happen: a window's slices end without end, and nothing with them.
#[test]
fn a_request_in_service_wakes_nobody_for_ever() {
    let policy = Policy::Outpost(Outpost::new(Rate::per_second(10.0).unwrap()));
    let mut platform = Platform::new(Config::new(policy, 0, 8).unwrap());
    platform.tell(Observation::arrived(0));
    platform.act(Act::Arrive(1));
    platform.decide();
    platform.act(Act::Ready(0));
    platform.decide();
    platform.wait();
    let mut wakeups = Vec::new();
    while let Some(at) = platform.lazy.earliest_wakeup() {
        wakeups.push(at);
        assert!(platform.lazy.decide_if_changed(at).is_none());
        assert!(wakeups.len() < 30, "still woken: {wakeups:?}");
    }
    // The ends of the slices of a minute, and when a worker that never came is given up and ordered again.
    let slices = (1..=13).map(|slice| slice * 5);
    assert_eq!(wakeups, slices.chain([360, 365]).map(Timestamp::from_secs).collect::<Vec<_>>());
}

/// How many of a thousand observations were counted, and after how many nothing was proposed anew. A request comes every
/// 10 ms, and one finishes every so many.
fn of_a_thousand(policy: Policy, max: u32, every: u64) -> (u64, u64) {
    let mut platform =
        Platform::new(Config::new(policy, 4, max).and_then(|config| config.with_concurrency(2)).unwrap());
    platform.tell(Observation::arrived(0));
    platform.decide();
    (0..4).for_each(|_| platform.act(Act::Ready(0)));
    platform.act(Act::Arrive(3));
    let mut told = 0;
    for step in 0..8_000_u64 {
        platform.now = Timestamp::from_millis(100 + step * 10);
        platform.act(Act::Arrive(1));
        if step % every == 0 {
            platform.act(Act::Finish(0));
        }
        if step == 6_500 {
            (platform.counted, platform.unread, told) = (0, 0, platform.lazy.state.input.accepted);
        }
    }
    let told = platform.lazy.state.input.accepted - told;
    (u64::from(platform.counted) * 1_000 / told, u64::from(platform.unread) * 1_000 / told)
}

#[test]
fn a_busy_service_is_mostly_counted() {
    for policy in [
        Policy::Outpost(Outpost::new(Rate::per_second(50.0).unwrap())),
        Policy::RunPod(RunPod::queue_delay(Duration::from_secs(4))),
        Policy::Concurrency(ConcurrencyTarget::new(2.0).unwrap()),
        Policy::Fixed(4),
        Policy::Objective(Objective::price(100, Duration::from_millis(100))),
    ] {
        let (counted, unread) = of_a_thousand(policy, 8, 1);
        assert!(counted >= 975 && unread >= 390, "{policy:?}: {counted} and {unread} of a thousand");
    }
}

/// There are as many workers as there may be, and each request that comes moves what is wanted.
#[test]
fn an_overloaded_service_is_followed() {
    for policy in [
        Policy::Outpost(Outpost::new(Rate::per_second(10.0).unwrap())),
        Policy::RunPod(RunPod::request_count(1)),
        Policy::Concurrency(ConcurrencyTarget::new(0.5).unwrap()),
        Policy::Objective(Objective::price(100, Duration::from_millis(100))),
    ] {
        let (counted, unread) = of_a_thousand(policy, 4, 2);
        assert!(counted >= 960 && unread >= 390, "{policy:?}: {counted} and {unread} of a thousand");
    }
}

/// One idle worker, and one wanted.
fn settled() -> Autoscaler {
    let policy = Policy::Concurrency(ConcurrencyTarget::new(2.0).unwrap());
    let mut autoscaler = Autoscaler::new(Config::new(policy, 1, 3).unwrap(), Timestamp::ORIGIN);
    let decision = autoscaler.decide_if_changed(Timestamp::ORIGIN);
    assert!(decision.is_some(), "the first is always given");
    for event in [WorkerEvent::Ordered, WorkerEvent::Ready, WorkerEvent::Idle] {
        autoscaler.observe(Timestamp::ORIGIN, Observation::worker(WorkerId(0), event)).unwrap();
    }
    for observation in [Observation::arrived(1), Observation::started(Duration::ZERO)] {
        autoscaler.observe(Timestamp::ORIGIN, observation).unwrap();
    }
    autoscaler
}

#[test]
fn only_what_is_new_is_decided() {
    let mut autoscaler = settled();
    // Without time or an observation, and with both.
    assert_eq!(autoscaler.decide_if_changed(Timestamp::ORIGIN), None);
    assert_eq!(autoscaler.decide_if_changed(Timestamp::from_secs(1)), None);
    assert!(autoscaler.calm.counted && autoscaler.state.now == Timestamp::from_secs(1));
    autoscaler.observe(Timestamp::from_secs(2), Observation::arrived(1)).unwrap();
    assert_eq!(autoscaler.decide_if_changed(Timestamp::from_secs(3)), None);
    // Whoever goes back is told what holds now, and it is counted.
    assert_eq!(autoscaler.decide_if_changed(Timestamp::ORIGIN), None);
    assert_eq!((autoscaler.state.now, autoscaler.state.input.clock_regressions), (Timestamp::from_secs(3), 1));
    // A worker that is gone is replaced, at the same count.
    autoscaler.observe(Timestamp::ORIGIN, Observation::worker(WorkerId(0), WorkerEvent::Gone)).unwrap();
    let decision = autoscaler.decide_if_changed(Timestamp::from_secs(4)).unwrap();
    assert_eq!((decision.desired, &decision.commands[..]), (1, &[Command::Start { count: 1 }][..]));
    // Where commands are only shown, what they would be is new as well, every time.
    let mut watched = settled();
    let observe = Observation::Mode { mode: Mode::Observe, valid_for: None };
    watched.observe(Timestamp::ORIGIN, observe).unwrap();
    watched.observe(Timestamp::ORIGIN, Observation::worker(WorkerId(0), WorkerEvent::Gone)).unwrap();
    for secs in 0..3 {
        let decision = watched.decide_if_changed(Timestamp::from_secs(secs)).unwrap();
        assert_eq!((&decision.commands[..], &decision.would[..]), (&[][..], &[Command::Start { count: 1 }][..]));
    }
}

/// One worker more than there may be serves on, and goes when it has been idle for long enough, counted or not.
#[test]
fn who_has_become_idle_is_let_go_at_its_timeout() {
    let config = Config::fixed(1).and_then(|config| config.with_idle_timeout(Duration::from_secs(10))).unwrap();
    let config = config.with_window(Duration::from_secs(3_600)).unwrap();
    let mut autoscaler = Autoscaler::new(config, Timestamp::ORIGIN);
    let tell = |autoscaler: &mut Autoscaler, secs, observation| {
        autoscaler.observe(Timestamp::from_secs(secs), observation).unwrap();
    };
    for id in [0, 1].map(WorkerId) {
        for event in [WorkerEvent::Ready, WorkerEvent::Busy(1)] {
            tell(&mut autoscaler, 0, Observation::worker(id, event));
        }
        tell(&mut autoscaler, 0, Observation::arrived(1));
        tell(&mut autoscaler, 0, Observation::started(Duration::ZERO));
    }
    assert_eq!(autoscaler.decide(Timestamp::ORIGIN).commands, []);
    tell(&mut autoscaler, 1, Observation::finished(Duration::from_secs(1)));
    tell(&mut autoscaler, 1, Observation::worker(WorkerId(1), WorkerEvent::Idle));
    assert!(autoscaler.calm.counted, "all of that is only counted");
    for secs in [1, 2, 10] {
        assert_eq!(autoscaler.decide_if_changed(Timestamp::from_secs(secs)), None);
    }
    assert!(autoscaler.is_calm(Timestamp::from_secs(11)), "nothing else happens then");
    let decision = autoscaler.decide_if_changed(Timestamp::from_secs(11)).unwrap();
    let stop = Command::Stop { id: WorkerId(1), to_standby: false, cut_off: false };
    assert_eq!((decision.desired, &decision.commands[..]), (1, &[stop][..]));
}

#[cfg(feature = "sim")]
#[test]
fn workers_are_placed_while_there_are_as_many_as_the_count_says() {
    let mut autoscaler = settled();
    assert!(autoscaler.is_placed());
    autoscaler.observe(Timestamp::ORIGIN, Observation::worker(WorkerId(0), WorkerEvent::Gone)).unwrap();
    assert!(!autoscaler.is_placed());
}

#[test]
fn equal_ones_have_equal_configurations_and_states() {
    let hash = |autoscaler: &Autoscaler| {
        let mut hasher = std::hash::DefaultHasher::new();
        autoscaler.hash(&mut hasher);
        hasher.finish()
    };
    let one = Autoscaler::new(Config::fixed(2).unwrap(), Timestamp::ORIGIN);
    let mut later = one.clone();
    later.observe(Timestamp::ORIGIN, Observation::arrived(1)).unwrap();
    let mut other = one.clone();
    other.config = Config::fixed(2).unwrap().with_up_delay(Duration::from_secs(1)).unwrap().into();
    assert!(one == one.clone() && hash(&one) == hash(&one.clone()));
    for different in [later, other] {
        assert!(one != different && hash(&one) != hash(&different));
    }
}

#[test]
fn after_a_change_a_cliff_remembers_what_was_wanted_last() {
    // The count rises, and at the same instant less is wanted again: the proposals that are shown are those of the rise.
    let config = Config::runpod(RunPod::request_count(1), 0, 20, Duration::from_secs(600)).unwrap();
    let cliff = Cliff::new(Share::new(0.5).unwrap(), Duration::from_secs(60), Duration::from_secs(90));
    let config = config.with_cliff(cliff).unwrap().with_down_delay(Duration::from_secs(300)).unwrap();
    let mut autoscaler = Autoscaler::new(config, Timestamp::ORIGIN);
    let early = Timestamp::from_secs(1);
    autoscaler.observe(early, Observation::arrived(1)).unwrap();
    autoscaler.observe(early, Observation::started(Duration::ZERO)).unwrap();
    let now = Timestamp::from_secs(10);
    let mut tell = |observation: Observation| autoscaler.observe(now, observation).unwrap();
    tell(Observation::arrived(8));
    (0..8).for_each(|_| tell(Observation::started(Duration::ZERO)));
    (0..8).for_each(|_| tell(Observation::finished(Duration::from_secs(1))));
    assert_eq!(autoscaler.decide_if_changed(now).map(|decision| decision.desired), Some(9));
    for millis in [10_050, 10_200, 40_000, 80_000] {
        let later = Timestamp::from_nanos(millis * 1_000_000);
        let mut settled = autoscaler.clone();
        settled.settle();
        assert_eq!(autoscaler.decide_if_changed(later), settled.decide_if_changed(later), "at {millis} ms");
        assert!(autoscaler == settled, "at {millis} ms");
    }
}
