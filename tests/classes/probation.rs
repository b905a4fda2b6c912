//! A class on probation: its breaker has been open, and lets one worker at a time through to see whether there are any.
//!
//! While it is tried the others cover all that is wanted, whatever becomes of it; success brings the class back at once, and
//! failure begins a longer pause.

use std::time::Duration;

use plimsoll::classes::{Class, ClassCommand, ClassId, Decision, MixedPool, Price, Settings};
use plimsoll::provider::{Measure, Trouble};
use plimsoll::{Command, Config, FailureCause, Mode, Observation, Policy, Timestamp, WorkerEvent, WorkerId};
use proptest::prelude::*;

use super::world::World;
use super::{cases, settings, turns};

const CHEAP: ClassId = ClassId(0);
const DEAR: ClassId = ClassId(1);
/// The breaker opens at five failures within five minutes, for one minute.
const PAUSE: Duration = Duration::from_secs(60);
/// A start may take as long as ten minutes, so an order that nothing is heard of is one for as long.
const PATIENCE: Duration = Duration::from_secs(600);

fn service(wanted: u32) -> Config {
    Config::new(Policy::Fixed(wanted), 0, 8).unwrap()
}

fn class(name: &str, price: f64) -> Class {
    Class::new(name, Price::per_hour(price).unwrap(), 8)
}

/// A pool whose cheap class has refused so often that its breaker is open, and whose dear one has what is wanted.
struct Probation {
    pool: MixedPool,
    now: Timestamp,
    ids: u64,
}

impl Probation {
    fn new(wanted: u32) -> Self {
        Self::of(wanted, 0)
    }

    /// With so many ready workers of the cheap class.
    fn of(wanted: u32, cheap: u64) -> Self {
        let settings = Settings::new(service(wanted), vec![class("cheap", 1.0), class("dear", 3.0)]).unwrap();
        let mut new = Self { pool: MixedPool::new(settings, Timestamp::ORIGIN), now: Timestamp::ORIGIN, ids: 0 };
        for _ in 0..cheap {
            new.comes_up(CHEAP);
        }
        for _ in 0..5 {
            new.refused();
        }
        let decision = new.decide();
        let open = Timestamp::ORIGIN.saturating_add(PAUSE);
        assert_eq!(trouble(&decision), Some((Measure::Open, open)));
        new.obey(&decision);
        for _ in 0..starts(&decision, DEAR) {
            new.is_ready();
        }
        assert!(new.decide().is_idle());
        new
    }

    /// And the pause is over.
    fn tried(wanted: u32) -> (Self, Decision) {
        let mut new = Self::new(wanted);
        new.now = Timestamp::ORIGIN.saturating_add(PAUSE);
        let decision = new.decide();
        (new, decision)
    }

    fn decide(&mut self) -> Decision {
        self.pool.decide(self.now)
    }

    fn after(&mut self, pause: Duration) -> Decision {
        self.now = self.now.saturating_add(pause);
        self.decide()
    }

    fn tell(&mut self, class: ClassId, observation: Observation) {
        self.pool.observe_class(self.now, class, observation).unwrap();
    }

    fn refused(&mut self) {
        self.tell(CHEAP, Observation::StartFailed { count: 1, cause: FailureCause::StockOut });
    }

    fn worker(&mut self, class: ClassId, id: u64, event: WorkerEvent) {
        self.tell(class, Observation::worker(WorkerId(id), event));
    }

    fn comes_up(&mut self, class: ClassId) {
        self.ids += 1;
        self.worker(class, self.ids, WorkerEvent::Ready);
        self.worker(class, self.ids, WorkerEvent::Idle);
    }

    /// One of the dear class, of those that were ordered.
    fn is_ready(&mut self) {
        let first = self.ids + 1 - u64::from(self.pool.class_status(DEAR).unwrap().replicas.starting);
        self.worker(DEAR, first, WorkerEvent::Ready);
        self.worker(DEAR, first, WorkerEvent::Idle);
    }

    /// Orders are taken, workers that are told to stop are gone.
    fn obey(&mut self, decision: &Decision) {
        for ClassCommand { class, command, .. } in &decision.commands {
            match *command {
                Command::Start { count } => {
                    for _ in 0..count {
                        self.ids += 1;
                        self.worker(*class, self.ids, WorkerEvent::Ordered);
                    }
                }
                Command::Stop { id, .. } => self.worker(*class, id.0, WorkerEvent::Gone),
                other => panic!("{other:?} has no place here"),
            }
        }
    }

    fn want(&mut self, wanted: u32) {
        let mode = Observation::Mode { mode: Mode::Fixed(wanted), valid_for: None };
        self.pool.observe(self.now, mode).unwrap();
    }
}

fn starts(decision: &Decision, class: ClassId) -> u32 {
    let of = |given: &ClassCommand| match given.command {
        Command::Start { count } if given.class == class => count,
        _ => 0,
    };
    decision.commands.iter().map(of).sum()
}

fn trouble(decision: &Decision) -> Option<(Measure, Timestamp)> {
    decision.classes[0].trouble.map(|Trouble { measure, at, .. }| (measure, at))
}

fn planned(decision: &Decision) -> Vec<u32> {
    decision.classes.iter().map(|class| class.planned).collect()
}

fn counts(decision: &Decision) -> Vec<u32> {
    decision.classes.iter().map(|class| class.count).collect()
}

#[test]
fn it_is_tried_by_one_worker_when_the_pause_is_over_and_not_before() {
    let mut pool = Probation::new(3);
    let early = pool.after(PAUSE.saturating_sub(Duration::from_nanos(1)));
    assert!(early.is_idle() && early.classes[0].passed_over, "{early}");
    assert_eq!((planned(&early), counts(&early)), (vec![0, 3], vec![0, 3]));
    assert_eq!(early.next_wakeup, Some(Timestamp::ORIGIN.saturating_add(PAUSE)));
    let tried = pool.after(Duration::from_nanos(1));
    assert_eq!(tried.commands.len(), 1);
    assert_eq!(tried.commands[0].class, CHEAP);
    assert_eq!(tried.commands[0].command, Command::Start { count: 1 });
    // The three that run stay until it is ready.
    assert_eq!((planned(&tried), counts(&tried)), (vec![1, 2], vec![1, 3]));
    assert_eq!(
        tried.to_string(),
        "1 × cheap + 2 × dear: next best for 3 wanted; cheap out of stock, one worker at a time is tried; \
         until that is ready 1 × dear beside it"
    );
}

#[test]
fn there_is_no_second_one_while_it_is_tried_and_others_cover_what_is_wanted_more() {
    for seen in [false, true] {
        let (mut pool, tried) = Probation::tried(3);
        if seen {
            pool.obey(&tried);
        }
        pool.want(6);
        let more = pool.after(Duration::from_secs(10));
        assert_eq!((starts(&more, CHEAP), starts(&more, DEAR)), (0, 2), "{more}");
        assert_eq!((planned(&more), counts(&more)), (vec![1, 5], vec![1, 5]));
        pool.obey(&more);
        assert!(pool.after(Duration::from_secs(40)).is_idle());
    }
}

#[test]
fn one_that_is_never_heard_of_is_followed_by_another_after_as_long_as_a_start_may_take() {
    let (mut pool, _) = Probation::tried(3);
    let before = pool.after(PATIENCE.saturating_sub(Duration::from_nanos(1)));
    assert_eq!((starts(&before, CHEAP), trouble(&before).map(|(measure, _)| measure)), (0, Some(Measure::Probe)));
    // It is not counted on any more, and not asked for either.
    assert_eq!((planned(&before), counts(&before)), (vec![0, 3], vec![0, 3]));
    let again = pool.after(Duration::from_nanos(1));
    assert_eq!((starts(&again, CHEAP), counts(&again)), (1, vec![1, 3]));
}

#[test]
fn it_may_come_whatever_is_wanted_meanwhile() {
    let (mut pool, tried) = Probation::tried(3);
    pool.obey(&tried);
    // Nobody is wanted: the workers that run go, the one that is tried is let be, since its answer is worth having.
    pool.want(0);
    let none = pool.after(Duration::from_secs(1));
    assert_eq!((planned(&none), counts(&none)), (vec![0, 0], vec![1, 0]), "{none}");
    assert!(none.commands.iter().all(|given| given.class == DEAR), "{none:?}");
    pool.obey(&none);
    let tried = pool.ids;
    pool.worker(CHEAP, tried, WorkerEvent::Ready);
    pool.worker(CHEAP, tried, WorkerEvent::Idle);
    let known = pool.after(Duration::from_secs(1));
    assert_eq!((trouble(&known), counts(&known)), (None, vec![0, 0]), "{known}");
    assert_eq!(known.commands.len(), 1, "it has answered, and goes");
}

#[test]
fn outside_of_a_probation_whoever_starts_is_let_go_when_it_is_not_wanted() {
    let settings = Settings::new(service(3), vec![class("cheap", 1.0), class("dear", 3.0)]).unwrap();
    let mut new = Probation { pool: MixedPool::new(settings, Timestamp::ORIGIN), now: Timestamp::ORIGIN, ids: 0 };
    let all = new.decide();
    new.obey(&all);
    // Nor is a back-off a probation.
    for refused in [false, true] {
        let mut pool = Probation { pool: new.pool.clone(), ..new };
        if refused {
            pool.refused();
        }
        pool.want(0);
        let none = pool.decide();
        assert_eq!(trouble(&none).map(|(measure, _)| measure), refused.then_some(Measure::BackOff));
        assert_eq!((counts(&none), none.commands.len()), (vec![0, 0], 3), "{none}");
    }
}

#[test]
fn success_brings_the_class_back_at_once() {
    let (mut pool, tried) = Probation::tried(3);
    pool.obey(&tried);
    let id = pool.ids;
    pool.now = pool.now.saturating_add(Duration::from_secs(30));
    pool.worker(CHEAP, id, WorkerEvent::Ready);
    pool.worker(CHEAP, id, WorkerEvent::Idle);
    let back = pool.decide();
    assert_eq!((trouble(&back), back.classes[0].passed_over), (None, false));
    assert_eq!((planned(&back), starts(&back, CHEAP)), (vec![3, 0], 2), "{back}");
    // One of the others goes for the one that is ready, and the rest when the two are.
    assert_eq!(counts(&back), [3, 2]);
    pool.obey(&back);
    for id in [id + 1, id + 2] {
        pool.worker(CHEAP, id, WorkerEvent::Ready);
        pool.worker(CHEAP, id, WorkerEvent::Idle);
    }
    assert_eq!(counts(&pool.decide()), [3, 0]);
}

#[test]
fn failure_begins_a_longer_pause_each_time_up_to_five_minutes() {
    let (mut pool, mut tried) = Probation::tried(3);
    let mut waits = Vec::new();
    for round in 0..7 {
        assert_eq!(starts(&tried, CHEAP), 1, "round {round}: {tried}");
        // Refused at once, or taken and then lost.
        if round % 2 == 0 {
            pool.refused();
        } else {
            pool.obey(&tried);
            let id = pool.ids;
            pool.worker(CHEAP, id, WorkerEvent::Failed(FailureCause::StockOut));
        }
        let closed = pool.decide();
        // The others cover all of it at that instant, as if nothing had been tried.
        assert_eq!((planned(&closed), counts(&closed), closed.is_idle()), (vec![0, 3], vec![0, 3], true), "{closed}");
        let (measure, until) = trouble(&closed).unwrap();
        assert_eq!(measure, Measure::Open);
        waits.push(until.saturating_since(pool.now));
        pool.now = until;
        tried = pool.decide();
    }
    // Of the back-off of 20, 40, 80 … 300 s, less a quarter at the most, only what exceeds the pause is seen.
    for (wait, most) in waits.iter().zip([60, 60, 80, 160, 300, 300, 300]) {
        let most = Duration::from_secs(most);
        assert!(*wait <= most && *wait >= (most * 3 / 4).max(PAUSE), "{waits:?}");
    }
}

#[test]
fn those_of_the_class_that_run_stay_and_one_more_is_tried() {
    let mut pool = Probation::of(5, 2);
    let closed = pool.decide();
    assert_eq!((planned(&closed), counts(&closed)), (vec![2, 3], vec![2, 3]));
    let tried = pool.after(PAUSE);
    assert_eq!((planned(&tried), counts(&tried), starts(&tried, CHEAP)), (vec![3, 2], vec![3, 3], 1));
    pool.obey(&tried);
    assert_eq!(counts(&pool.after(Duration::from_secs(1))), [3, 3]);
}

#[test]
fn those_that_are_not_tried_go_when_nobody_is_wanted() {
    let mut pool = Probation::of(5, 2);
    pool.now = Timestamp::ORIGIN.saturating_add(PAUSE);
    pool.want(0);
    let none = pool.decide();
    assert_eq!(trouble(&none).map(|(measure, _)| measure), Some(Measure::Probe));
    assert_eq!((counts(&none), none.commands.len()), (vec![0, 0], 5), "{none}");
}

#[test]
fn taken_back_workers_open_the_breaker_too() {
    let settings = Settings::new(service(3), vec![class("cheap", 1.0).spot(), class("dear", 3.0)]).unwrap();
    let mut pool = Probation { pool: MixedPool::new(settings, Timestamp::ORIGIN), now: Timestamp::ORIGIN, ids: 0 };
    for secs in 1..=5 {
        pool.now = Timestamp::from_secs(secs);
        pool.comes_up(CHEAP);
        let id = pool.ids;
        pool.worker(CHEAP, id, WorkerEvent::Failed(FailureCause::Preempted));
    }
    let (measure, at) = trouble(&pool.decide()).unwrap();
    assert_eq!((measure, at), (Measure::Open, Timestamp::from_secs(65)));
}

proptest! {
    #![proptest_config(cases())]

    /// On a platform that runs out of stock again and again: nothing is ordered while a class is closed, and on probation one.
    #[test]
    fn nothing_is_ordered_while_it_is_closed_and_on_probation_one_at_a_time(
        settings in settings(), turns in turns(), cold_start in 1_u64..60,
    ) {
        let mut world = World::new(settings, Duration::from_secs(cold_start));
        let mut wrong = None;
        // When a class was last tried, in which probation.
        let mut tried = [None; 5];
        for (pause, turn) in turns {
            world.turn(Duration::from_millis(pause), turn, |world, decision| {
                for (class, tried) in decision.classes.iter().zip(&mut tried) {
                    let count = starts(decision, class.class);
                    let allowed = match class.trouble {
                        None => u32::MAX,
                        Some(Trouble { measure: Measure::Probe, at, .. }) => {
                            let under_way = tried.is_some_and(|(of, when): (Timestamp, Timestamp)| {
                                of == at && world.now.saturating_since(when) < Duration::from_secs(60)
                            });
                            if count > 0 {
                                *tried = Some((at, world.now));
                            }
                            u32::from(!under_way)
                        }
                        Some(_) => 0,
                    };
                    if count > allowed {
                        wrong = Some((class.name.clone(), decision.clone()));
                    }
                }
            });
        }
        prop_assert!(wrong.is_none(), "{wrong:#?}");
    }
}
