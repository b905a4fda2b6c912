//! Workers of several classes: what always holds, and the days on which it matters.

#![expect(
    unreachable_pub,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and its helpers are not seen to be tests"
)]

#[path = "classes/counted.rs"]
mod counted;
#[path = "classes/damage.rs"]
mod damage;
#[path = "classes/presets.rs"]
mod presets;
#[path = "classes/probation.rs"]
mod probation;
#[path = "classes/scenarios.rs"]
mod scenarios;
#[path = "classes/waiting.rs"]
mod waiting;
#[path = "classes/world.rs"]
mod world;

use std::time::Duration;

use plimsoll::classes::{Capacity, Class, ClassId, Decision, MixedPool, PoolSnapshot, Price, Settings, Waiting};
use plimsoll::policy::{Outpost, RunPod};
use plimsoll::{
    Command, Config, FailureCause, Mode, Observation, Policy, PoolCounts, Rate, Share, Timestamp, WorkerEvent, WorkerId,
};
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::FileFailurePersistence;

use world::{State, Turn, World};

/// A case is a whole history here: a quarter as many as elsewhere.
fn cases() -> ProptestConfig {
    let all = ProptestConfig::default();
    ProptestConfig {
        cases: all.cases.div_ceil(4),
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("proptest-regressions"))),
        ..all
    }
}

fn class() -> impl Strategy<Value = Class> {
    let capacity = weighted(0.8, select(vec![0.25, 0.5, 1.0, 1.0, 1.7, 2.5, 4.0]));
    let price = select(vec![0.0, 0.8, 1.0, 2.2, 3.0, 5.5]);
    // None that would be given up too early: that of the platform is up to a minute.
    let cold_start = weighted(0.5, (60_u64..300).prop_map(Duration::from_secs));
    (capacity, price, 1_u32..8, 0_u8..3, 0_u32..3, any::<bool>(), cold_start).prop_map(
        |(capacity, price, limit, rank, floor, spot, cold_start)| Class {
            cold_start,
            capacity: capacity.map(|capacity| Capacity::new(capacity).unwrap()),
            rank: rank / 2,
            floor: (floor / 2).min(limit),
            spot,
            ..Class::new("", Price::per_hour(price).unwrap(), limit)
        },
    )
}

fn settings() -> impl Strategy<Value = Settings> {
    let policy = prop_oneof![
        (0_u32..9).prop_map(Policy::Fixed),
        select(vec![0.5, 2.5]).prop_map(|qps| Policy::Outpost(Outpost::new(Rate::per_second(qps).unwrap()))),
        (1_u32..6).prop_map(|count| Policy::RunPod(RunPod::request_count(count))),
        Just(Policy::RunPod(RunPod::queue_delay(Duration::from_secs(4)))),
    ];
    let delays = (select(vec![0_u64, 10, 45]), select(vec![0_u64, 30, 300]), weighted(0.4, select(vec![0_u64, 20])));
    let saving = select(vec![0.0, 0.1, 0.5]);
    let waiting = weighted(0.4, (select(vec![0.5, 10.0, 200.0]), 60_u64..3_600));
    (policy, 0_u32..3, 1_u32..12, delays, prop::collection::vec(class(), 1..5), any::<bool>(), (saving, waiting))
        .prop_map(|(policy, min, more, (up, down, idle), mut classes, stand_ins, (saving, waiting))| {
            let mut service = Config::new(policy, min, min + more)
                .and_then(|config| config.with_up_delay(Duration::from_secs(up)))
                .and_then(|config| config.with_down_delay(Duration::from_secs(down)))
                .unwrap();
            if let Some(idle) = idle {
                service = service.with_idle_timeout(Duration::from_secs(idle)).unwrap();
            }
            for (at, class) in classes.iter_mut().enumerate() {
                class.name = format!("class {at}");
            }
            let saving = Share::new(saving).unwrap();
            let settings =
                Settings::new(service, classes).unwrap().with_stand_ins(stand_ins).with_exchange_saving(saving);
            let Some((price, stay)) = waiting else { return settings };
            let waiting = Waiting { price: Price::per_hour(price).unwrap(), stay: Duration::from_secs(stay) };
            settings.with_waiting(waiting).unwrap()
        })
}

fn cause() -> impl Strategy<Value = FailureCause> {
    select(FailureCause::ALL.to_vec())
}

/// What is told of the service or of a class, however absurd.
#[derive(Clone, Debug)]
enum Told {
    Service(Observation),
    Class(u8, Observation),
    Ask,
}

fn told() -> impl Strategy<Value = Told> {
    let id = || (0_u64..8).prop_map(WorkerId);
    let event = prop_oneof![
        4 => Just(WorkerEvent::Ordered),
        6 => Just(WorkerEvent::Ready),
        4 => Just(WorkerEvent::Idle),
        3 => (0_u32..3).prop_map(WorkerEvent::Busy),
        1 => (0_u64..90).prop_map(|secs| WorkerEvent::Leased(Duration::from_secs(secs))),
        2 => Just(WorkerEvent::Draining),
        1 => Just(WorkerEvent::Prewarming),
        1 => Just(WorkerEvent::Standby),
        2 => Just(WorkerEvent::Gone),
        4 => cause().prop_map(WorkerEvent::Failed),
    ];
    let counts = (0_u32..9, 0_u32..9, 0_u32..4, weighted(0.5, 0_u32..9)).prop_map(|(ready, starting, failed, idle)| {
        Observation::Pool(PoolCounts { ready, starting, failed, idle, ..PoolCounts::default() })
    });
    let of_a_class = prop_oneof![
        12 => (id(), event).prop_map(|(id, event)| Observation::worker(id, event)),
        3 => (0_u32..5, cause()).prop_map(|(count, cause)| Observation::StartFailed { count, cause }),
        3 => (0_u64..3_000).prop_map(|millis| Observation::finished(Duration::from_millis(millis))),
        2 => counts,
        1 => Just(Observation::arrived(1)),
    ]
    .boxed();
    let mode =
        select(vec![Mode::Automatic, Mode::Hold, Mode::Fixed(4), Mode::Fixed(90), Mode::Observe, Mode::GrowOnly]);
    let of_the_service = prop_oneof![
        6 => (0_u32..40).prop_map(Observation::arrived),
        3 => (0_u64..9_000).prop_map(|millis| Observation::started(Duration::from_millis(millis))),
        2 => (0_u32..30).prop_map(|depth| Observation::queue(depth, Some(Duration::from_secs(depth.into())))),
        1 => (0_u32..30).prop_map(Observation::in_flight),
        1 => (0_u32..30).prop_map(|workers| Observation::Proposal { workers, valid_for: Some(Duration::from_secs(40)) }),
        1 => mode.prop_map(|mode| Observation::Mode { mode, valid_for: Some(Duration::from_secs(60)) }),
        1 => Just(Observation::ArrivalRate { per_second: f64::NAN }),
        1 => Just(Observation::worker(WorkerId(1), WorkerEvent::Ready)),
        1 => Just(Observation::Arrived { count: 1, queue: Some(WorkerId(1)) }),
    ]
    .boxed();
    prop_oneof![
        5 => of_the_service.prop_map(Told::Service),
        9 => (0_u8..5, of_a_class).prop_map(|(class, observation)| Told::Class(class, observation)),
        5 => Just(Told::Ask),
    ]
}

fn gap() -> impl Strategy<Value = i64> {
    prop_oneof![4 => Just(0_i64), 6 => 0..3_000_000_000_i64, 5 => 0..120_000_000_000_i64, 1 => 0..5_000_000_000_000_i64]
}

type Stream = Vec<(Timestamp, Told)>;

fn stream_of(gaps: impl Strategy<Value = i64>) -> impl Strategy<Value = Stream> {
    prop::collection::vec((gaps, told()), 1..70).prop_map(|steps| {
        let mut now = 0_u64;
        let timed = |(gap, told)| {
            now = now.saturating_add_signed(gap);
            (Timestamp::from_nanos(now), told)
        };
        steps.into_iter().map(timed).collect()
    })
}

fn stream() -> impl Strategy<Value = Stream> {
    stream_of(gap())
}

/// With a clock that jumps back, and to the end of time.
fn hostile_stream() -> impl Strategy<Value = Stream> {
    let backwards = (1_i64..2_000_000_000_000).prop_map(|nanos| -nanos);
    stream_of(prop_oneof![200 => gap(), 20 => backwards, 1 => Just(i64::MAX), 1 => Just(i64::MIN)])
}

fn play(pool: &mut MixedPool, steps: &[(Timestamp, Told)], mut look: impl FnMut(&MixedPool, Decision)) {
    for (now, told) in steps {
        match told {
            Told::Service(observation) => drop(pool.observe(*now, *observation)),
            Told::Class(class, observation) => drop(pool.observe_class(*now, ClassId(*class), *observation)),
            Told::Ask => {
                let decision = pool.decide(*now);
                look(pool, decision);
            }
        }
    }
}

fn decisions(pool: &mut MixedPool, steps: &[(Timestamp, Told)]) -> Vec<Decision> {
    let mut all = Vec::new();
    play(pool, steps, |_, decision| all.push(decision));
    all
}

fn new(settings: &Settings) -> MixedPool {
    MixedPool::new(settings.clone(), Timestamp::ORIGIN)
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn bounds_always_hold(settings in settings(), steps in hostile_stream()) {
        let (min, max) = (settings.service().min(), settings.service().max());
        let mut wrong = None;
        play(&mut new(&settings), &steps, |_, decision| {
            let within = (min..=max).contains(&decision.wanted);
            let each = decision.classes.iter().zip(settings.classes());
            let limits = each.clone().all(|(count, class)| count.planned <= count.count && count.count <= class.limit);
            let ordered = decision.commands.iter().all(|given| match given.command {
                Command::Start { count } => count <= settings.class(given.class).unwrap().limit,
                _ => true,
            });
            // Rank by rank no more than a worker above what is wanted.
            let planned: u64 = each.map(|(count, _)| u64::from(count.capacity.as_thousandths()) * u64::from(count.planned)).sum();
            let largest = decision.classes.iter().map(|count| u64::from(count.capacity.as_thousandths())).max().unwrap();
            let near = planned < u64::from(decision.wanted) * 1_000 + 2 * largest;
            let missing = (u64::from(decision.wanted) * 1_000).saturating_sub(planned) == decision.short;
            if !(within && limits && ordered && near && missing) {
                wrong = Some(decision);
            }
        });
        prop_assert!(wrong.is_none(), "{wrong:#?}");
    }

    #[test]
    fn same_input_same_bytes(settings in settings(), steps in hostile_stream()) {
        let (mut one, mut other) = (new(&settings), new(&settings));
        prop_assert_eq!(decisions(&mut one, &steps), decisions(&mut other, &steps));
        prop_assert_eq!(serde_json::to_string(&one.snapshot()).unwrap(), serde_json::to_string(&other.snapshot()).unwrap());
    }

    #[test]
    fn restore_continues(settings in settings(), steps in stream(), cut in any::<prop::sample::Index>()) {
        let (before, after) = steps.split_at(cut.index(steps.len()));
        let mut pool = new(&settings);
        decisions(&mut pool, before);
        let text = serde_json::to_string(&pool.snapshot()).unwrap();
        let mut restored = MixedPool::restore(serde_json::from_str::<PoolSnapshot>(&text).unwrap()).unwrap();
        let mut bytes = Vec::new();
        ciborium::into_writer(&pool.snapshot(), &mut bytes).unwrap();
        let mut from_bytes = MixedPool::restore(ciborium::from_reader::<PoolSnapshot, _>(&bytes[..]).unwrap()).unwrap();
        let want = decisions(&mut pool, after);
        prop_assert_eq!(&decisions(&mut restored, after), &want);
        prop_assert_eq!(&decisions(&mut from_bytes, after), &want);
    }

    #[test]
    fn asking_again_repeats_nothing(settings in settings(), steps in hostile_stream()) {
        let mut wrong = None;
        let mut pool = new(&settings);
        for at in 0..steps.len() {
            decisions(&mut pool, &steps[at..=at]);
            let now = steps[at].0;
            let first = pool.decide(now);
            let again = pool.decide(now);
            let same = again.classes.iter().zip(&first.classes).all(|(a, b)| (a.planned, a.count) == (b.planned, b.count));
            if !again.is_idle() || !same {
                wrong = Some((first, again));
                break;
            }
        }
        prop_assert!(wrong.is_none(), "{wrong:#?}");
    }

    #[test]
    fn cadence_changes_nothing(settings in settings(), steps in stream(), extra in prop::collection::vec(1_u64..60_000_000_000, 1..40)) {
        // Whoever asks at every wake-up and whoever asks in between as well.
        let run = |asked: &[u64]| {
            let (mut pool, mut now) = (new(&settings), Timestamp::ORIGIN);
            let mut commands = vec![(now, 0, pool.decide(now).commands)];
            let mut asked = asked.iter().map(|after| Timestamp::from_nanos(*after)).peekable();
            for (at, told) in steps.iter().cloned() {
                loop {
                    let wakeup = pool.next_wakeup();
                    let extra = asked.peek().copied();
                    let Some(next) = wakeup.into_iter().chain(extra).filter(|next| *next <= at).min() else { break };
                    if extra == Some(next) {
                        asked.next();
                    }
                    now = now.max(next);
                    let decision = pool.decide(now);
                    if !decision.is_idle() {
                        commands.push((now, decision.wanted, decision.commands));
                    }
                }
                now = now.max(at);
                decisions(&mut pool, &[(now, told)]);
                let decision = pool.decide(now);
                commands.push((now, decision.wanted, decision.commands));
            }
            commands
        };
        let mut sums: Vec<u64> = extra.iter().scan(0_u64, |sum, step| { *sum += step; Some(*sum) }).collect();
        sums.dedup();
        prop_assert_eq!(run(&sums), run(&[]));
    }

    #[test]
    fn wakeup_moves(settings in settings(), steps in stream()) {
        let mut pool = new(&settings);
        for at in 0..steps.len() {
            decisions(&mut pool, &steps[at..=at]);
            let now = steps[at].0;
            let decision = pool.decide(now);
            prop_assert!(decision.next_wakeup.is_none_or(|next| next > now), "{:?} at {now}", decision.next_wakeup);
            prop_assert_eq!(decision.next_wakeup, pool.next_wakeup());
            // Before it nothing changes, and without it nothing ever does.
            let quiet = decision.next_wakeup.map_or(Timestamp::from_secs(10_000_000), |next| Timestamp::from_nanos(next.as_nanos() - 1));
            let mut later = pool.clone();
            let then = later.decide(quiet.max(now));
            prop_assert!(then.is_idle() && then.wanted == decision.wanted, "{decision:#?} and then {then:#?}");
            prop_assert_eq!(
                then.classes.iter().map(|class| (class.planned, class.count)).collect::<Vec<_>>(),
                decision.classes.iter().map(|class| (class.planned, class.count)).collect::<Vec<_>>()
            );
        }
    }

    #[test]
    fn bad_input_changes_nothing(settings in settings(), steps in hostile_stream()) {
        let mut pool = new(&settings);
        for (now, told) in steps {
            let before = pool.clone();
            let refused = match told {
                Told::Service(observation) => pool.observe(now, observation).is_err(),
                Told::Class(class, observation) => pool.observe_class(now, ClassId(class), observation).is_err(),
                Told::Ask => { drop(pool.decide(now)); false }
            };
            if refused {
                prop_assert_eq!(pool.status().input.rejected, before.status().input.rejected + 1);
                let (mut one, mut other) = (before, pool.clone());
                let (one, other) = (one.decide(now), other.decide(now));
                prop_assert_eq!((one.wanted, one.classes, one.commands), (other.wanted, other.classes, other.commands));
            }
        }
    }
}

fn turns() -> impl Strategy<Value = Vec<(u64, Turn)>> {
    let turn = prop_oneof![
        5 => (0_u32..30).prop_map(Turn::Arrive),
        6 => any::<u8>().prop_map(Turn::Flip),
        2 => (any::<u8>(), cause()).prop_map(|(n, cause)| Turn::Lose(n, cause)),
        1 => Just(Turn::Storm),
        3 => (any::<u8>(), any::<bool>()).prop_map(|(class, there)| Turn::Stock(class, there)),
        3 => Just(Turn::Pass),
    ];
    prop::collection::vec((prop_oneof![0_u64..5_000, 0_u64..90_000], turn), 1..60)
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn busy_is_never_stopped(settings in settings(), turns in turns(), cold_start in 1_u64..60) {
        let mut world = World::new(settings, Duration::from_secs(cold_start));
        let mut wrong = None;
        for (pause, turn) in turns {
            world.turn(Duration::from_millis(pause), turn, |world, decision| {
                for given in &decision.commands {
                    if let Command::Stop { id, .. } = given.command {
                        if world.workers.get(&(given.class, id.0)) == Some(&State::Busy) {
                            wrong = Some((*given, decision.to_string()));
                        }
                    }
                }
            });
        }
        prop_assert!(wrong.is_none(), "{wrong:?}");
    }

    #[test]
    fn ready_replacements_come_before_stops(settings in settings(), turns in turns(), cold_start in 1_u64..60, counted: bool) {
        let mut world = World::counted(settings, Duration::from_secs(cold_start), counted);
        let mut wrong = None;
        for (pause, turn) in turns {
            world.turn(Duration::from_millis(pause), turn, |world, decision| {
                let wanted = u64::from(decision.wanted) * 1_000;
                if world.ready_after(decision) < world.ready().min(wanted) {
                    wrong = Some(decision.clone());
                }
            });
        }
        prop_assert!(wrong.is_none(), "{wrong:#?}");
    }

    #[test]
    fn limits_hold_for_what_exists(settings in settings(), turns in turns(), cold_start in 1_u64..60, counted: bool) {
        let mut world = World::counted(settings.clone(), Duration::from_secs(cold_start), counted);
        let mut wrong = None;
        for (pause, turn) in turns {
            world.turn(Duration::from_millis(pause), turn, |world, _| {
                for (id, class) in settings.ids().zip(settings.classes()) {
                    let there = |state: &State| *state != State::Draining;
                    let count = world.workers.iter().filter(|(key, state)| key.0 == id && there(state)).count();
                    if count > class.limit as usize {
                        wrong = Some((class.name.clone(), count));
                    }
                }
            });
        }
        prop_assert!(wrong.is_none(), "{wrong:?}");
    }

    /// With stock everywhere, and time: what is wanted is there, and nothing beside it.
    #[test]
    fn it_settles_at_the_plan(settings in settings(), turns in turns(), cold_start in 1_u64..60, counted: bool) {
        let classes = u8::try_from(settings.classes().len()).unwrap();
        let mut world = World::counted(settings, Duration::from_secs(cold_start), counted);
        for (pause, turn) in turns {
            world.turn(Duration::from_millis(pause), turn, |_, _| {});
        }
        for class in 0..classes {
            world.turn(Duration::ZERO, Turn::Stock(class, true), |_, _| {});
        }
        // Whoever serves ends, so that nobody is kept for it.
        while let Some(at) = world.workers.values().filter(|state| matches!(state, State::Idle | State::Busy)).position(|state| *state == State::Busy) {
            world.turn(Duration::ZERO, Turn::Flip(u8::try_from(at).unwrap()), |_, _| {});
        }
        let mut last = None;
        for _ in 0..40 {
            world.turn(Duration::from_secs(300), Turn::Pass, |_, decision| last = Some(decision.clone()));
        }
        let last = last.unwrap();
        for class in &last.classes {
            prop_assert_eq!((class.count, class.ready, class.starting), (class.planned, class.planned, 0), "{:#?}", last);
        }
    }
}
