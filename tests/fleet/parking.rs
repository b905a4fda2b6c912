//! A fleet decides as its autoscalers would alone, parked in between or not.

use std::time::Duration;

use plimsoll::fleet::{Fleet, Profile, Refused};
use plimsoll::policy::RunPod;
use plimsoll::{Autoscaler, Command, Config, Mode, Observation, PoolCounts, Timestamp, WorkerEvent, WorkerId};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::generators::{Case, Step, case, hostile_case};
use crate::{holds, holds_in};

/// A fleet, and beside it each of its services as an autoscaler that is never parked.
struct Beside {
    fleet: Fleet<u32>,
    alone: Vec<Autoscaler>,
    parked: bool,
    woken: bool,
}

impl Beside {
    fn new(cases: &[Case], folded: bool) -> Self {
        let (mut fleet, mut alone) = (Fleet::new(1), Vec::new());
        for (key, case) in (0..).zip(cases) {
            let config = case.knobs.config_from(case.start);
            let profile = Profile::new(config.clone());
            let profile = fleet.add_profile(if folded { profile.folded() } else { profile });
            fleet.insert(key, profile, case.start).unwrap();
            alone.push(Autoscaler::new(config, case.start));
        }
        Self { fleet, alone, parked: false, woken: false }
    }

    fn alone(&mut self, key: u32) -> &mut Autoscaler {
        &mut self.alone[key as usize]
    }

    fn tell(&mut self, key: u32, at: Timestamp, step: &Step) -> Result<(), TestCaseError> {
        let awake = self.fleet.awake();
        let same = |fleet: Result<(), Refused>, alone: Result<(), plimsoll::Rejected>| match (fleet, alone) {
            (Ok(()), Ok(())) => true,
            (Err(Refused::Rejected(fleet)), Err(alone)) => fleet.to_string() == alone.to_string(),
            _ => false,
        };
        match step {
            Step::Observe(fact) => {
                prop_assert!(same(self.fleet.observe(&key, at, *fact), self.alone(key).observe(at, *fact)));
            }
            Step::Report(report) => {
                prop_assert!(same(self.fleet.report(&key, at, report), self.alone(key).report(at, report)));
            }
            Step::Decide => {
                let decided = self.fleet.decide(&key, at).unwrap();
                prop_assert_eq!(decided.decision, self.alone(key).decide(at));
            }
        }
        self.woken |= self.fleet.awake() > awake;
        Ok(())
    }

    /// Whoever is due decides as it would alone; whoever is not has nothing to do.
    fn due(&mut self, at: Timestamp) -> Result<(), TestCaseError> {
        let due: Vec<_> = self.fleet.due(at).collect();
        for decided in due {
            prop_assert_eq!(&decided.decision, &self.alone(decided.key).decide(at), "service {}", decided.key);
        }
        for (key, alone) in (0..).zip(&self.alone) {
            // A clock that jumped back has nothing to say of the others.
            if at < alone.status().at {
                continue;
            }
            let mut alone = alone.clone();
            let unasked = alone.decide(at);
            prop_assert!(unasked.commands.is_empty(), "service {key} should have been due: {unasked}");
            prop_assert_eq!(self.fleet.desired(&key), Some(unasked.desired), "service {}: {}", key, unasked);
        }
        self.parked |= self.fleet.awake() < self.fleet.len();
        Ok(())
    }

    /// Time passes up to `at`, with decisions when they are due; late ones after many, since an order that nobody fulfils
    /// is given again for ever.
    fn run_until(&mut self, at: Timestamp) -> Result<(), TestCaseError> {
        for _ in 0..40 {
            let Some(next) = self.fleet.next_wakeup().filter(|next| *next <= at) else { break };
            self.due(next)?;
        }
        self.due(at)
    }
}

/// Everything that can be said so that a service may come to rest.
fn farewell(by_id: bool) -> Vec<Observation> {
    let gone = (0..6).map(|id| Observation::worker(WorkerId(id), WorkerEvent::Gone));
    let empty = [
        Observation::queue(0, None),
        Observation::in_flight(0),
        Observation::Mode { mode: Mode::Automatic, valid_for: None },
        Observation::Proposal { workers: 0, valid_for: Some(Duration::from_secs(1)) },
    ];
    let counts = (!by_id).then_some(Observation::Pool(PoolCounts::default()));
    gone.chain(empty).chain(counts).collect()
}

/// Cases whose services may go to zero, without grants, which are the fleet's own to tell; and after which steps they are left alone for how long, in minutes.
fn cases(case: impl Strategy<Value = Case>) -> impl Strategy<Value = (Vec<Case>, Vec<(u8, u8, u64)>)> {
    let to_zero = case.prop_map(|mut case| {
        case.knobs.min = 0;
        case.knobs.extras.schedule.clear();
        case.steps.retain(|(_, step)| !matches!(step, Step::Observe(Observation::Grant(_))));
        case
    });
    (vec(to_zero, 1..4), vec((0..5_u8, any::<u8>(), 1..3_000_u64), 60))
}

fn lives_alike(
    (mut cases, rests): (Vec<Case>, Vec<(u8, u8, u64)>),
    tally: &crate::Tally,
    [hostile, folded]: [bool; 2],
) -> Result<(), TestCaseError> {
    for case in &mut cases {
        case.start = Timestamp::ORIGIN;
    }
    let mut beside = Beside::new(&cases, folded);
    let mut steps: Vec<_> =
        (0..).zip(&cases).flat_map(|(key, case)| case.steps.iter().map(move |s| (key, s))).collect();
    steps.sort_by_key(|(_, (at, _))| if hostile { Timestamp::ORIGIN } else { *at });
    let mut late = Duration::ZERO;
    for ((key, (at, step)), (rest, by_id, minutes)) in steps.into_iter().zip(rests.into_iter().cycle()) {
        let at = at.saturating_add(late);
        if !hostile {
            beside.run_until(at)?;
        }
        beside.tell(key, at, step)?;
        beside.due(at)?;
        if rest == 0 && at < Timestamp::from_secs(1 << 33) {
            for fact in farewell(by_id % 2 == 0) {
                beside.tell(key, at, &Step::Observe(fact))?;
            }
            late += Duration::from_secs(minutes * 60);
            beside.run_until(at.saturating_add(Duration::from_secs(minutes * 60)))?;
        }
    }
    for (key, alone) in (0..).zip(&beside.alone) {
        let restored = beside.fleet.autoscaler(&key).unwrap();
        prop_assert_eq!(restored.status(), alone.status());
        prop_assert_eq!(restored.events().next_back(), alone.events().next_back());
    }
    tally.saw("parked", beside.parked);
    tally.saw("woken", beside.woken);
    Ok(())
}

/// Every decision of a service that is parked whenever it is at rest is, byte for byte, that of one that never is, and no
/// service that has anything to do is left out.
#[test]
fn parking_changes_nothing() {
    let interesting = [("parked", 40), ("woken", 25)];
    holds("parking_changes_nothing", cases(case()), &interesting, |case, tally| lives_alike(case, tally, [false; 2]));
}

/// The same with a clock that jumps back and to the end of time.
#[test]
fn parking_changes_nothing_under_a_bad_clock() {
    holds("parking_changes_nothing_under_a_bad_clock", cases(hostile_case()), &[("parked", 40)], |case, tally| {
        lives_alike(case, tally, [true, false])
    });
}

/// To fold takes long, above all where the code is not optimised: one case of so many.
const FOLDED_OF: u32 = if cfg!(debug_assertions) { 32 } else { 8 };

/// Nor does it change anything that a service is folded by each of its decisions.
#[test]
fn folding_changes_nothing() {
    let (asked, interesting) = (ProptestConfig::default().cases.div_ceil(FOLDED_OF), [("parked", 40), ("woken", 25)]);
    holds_in(asked, "folding_changes_nothing", cases(case()), &interesting, |case, tally| {
        lives_alike(case, tally, [false, true])
    });
}

#[test]
fn folding_changes_nothing_under_a_bad_clock() {
    let (asked, name) =
        (ProptestConfig::default().cases.div_ceil(FOLDED_OF), "folding_changes_nothing_under_a_bad_clock");
    holds_in(asked, name, cases(hostile_case()), &[("parked", 40)], |case, tally| lives_alike(case, tally, [true; 2]));
}

/// A service that has done its work goes back to its compact form by itself, whatever happened to it.
#[test]
fn whoever_is_at_rest_is_parked() {
    let config = Config::runpod(RunPod::request_count(4), 0, 5, Duration::from_secs(30)).unwrap();
    let mut fleet = Fleet::new(1);
    let profile = fleet.add_profile(Profile::new(config));
    for key in 0..100_u32 {
        fleet.insert(key, profile, Timestamp::from_secs(u64::from(key))).unwrap();
    }
    assert_eq!(fleet.awake(), 0, "what was never used is not awake");
    let mut now = Timestamp::from_secs(1_000);
    for key in (0..100).step_by(2) {
        fleet.observe(&key, now, Observation::arrived(1 + key % 3)).unwrap();
    }
    assert_eq!(fleet.awake(), 50);
    while fleet.awake() > 0 {
        let due: Vec<_> = fleet.due(now).collect();
        for decided in due {
            let id = WorkerId(u64::from(decided.key));
            for command in decided.decision.commands {
                let events: &[WorkerEvent] = match command {
                    Command::Start { .. } => &[WorkerEvent::Ordered, WorkerEvent::Ready, WorkerEvent::Idle],
                    Command::Stop { .. } => &[WorkerEvent::Gone],
                    other => panic!("{other:?}"),
                };
                for event in events {
                    fleet.observe(&decided.key, now, Observation::worker(id, *event)).unwrap();
                }
                for _ in 0..=decided.key % 3 {
                    if matches!(command, Command::Start { .. }) {
                        fleet.observe(&decided.key, now, Observation::started(Duration::from_millis(40))).unwrap();
                        fleet.observe(&decided.key, now, Observation::finished(Duration::from_millis(70))).unwrap();
                    }
                }
            }
        }
        now = fleet.next_wakeup().unwrap_or(now);
        assert!(now < Timestamp::from_secs(3_000), "{:?}", fleet.autoscaler(&0).unwrap().status());
    }
    assert_eq!(fleet.next_wakeup(), None);
    // A refusal is counted and restored with the rest.
    assert!(fleet.observe(&3, now, Observation::worker(WorkerId(9), WorkerEvent::Idle)).is_err());
    assert_eq!(fleet.due(now).count(), 1);
    assert_eq!((fleet.awake(), fleet.autoscaler(&3).unwrap().status().input.rejected), (0, 1));
}

/// A thousand services that wake in the same instant are served in one call, and nobody else is kept waiting for it.
#[test]
fn a_thousand_wake_at_once() {
    let config = Config::runpod(RunPod::request_count(4), 0, 5, Duration::from_secs(30)).unwrap();
    let mut fleet = Fleet::new(1);
    let profile = fleet.add_profile(Profile::new(config));
    for key in 0..2_000_u32 {
        fleet.insert(key, profile, Timestamp::ORIGIN).unwrap();
    }
    let now = Timestamp::from_secs(100);
    // One was due before all of them, another comes last by its key.
    fleet.observe(&1_999, now, Observation::arrived(1)).unwrap();
    let later = now.saturating_add(Duration::from_secs(1));
    for key in (0..1_000).rev() {
        fleet.observe(&key, later, Observation::arrived(1)).unwrap();
    }
    let first: Vec<_> = fleet.due(later).map(|decided| decided.key).take(10).collect();
    assert_eq!(first, [1_999, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
    // Whoever stops early finds the others first, even if the same ones are busy again.
    fleet.observe(&0, later, Observation::arrived(9)).unwrap();
    let rest: Vec<_> = fleet.due(later).collect();
    let started =
        rest.iter().filter(|decided| matches!(decided.decision.commands[..], [Command::Start { .. }])).count();
    assert_eq!((rest.len(), started), (992, 992), "991 that waited, and one again");
    assert_eq!(fleet.due(later).count(), 0);
}

/// What is asked again and again leaves old timers behind, which are swept out; the one that counts is not.
#[test]
fn who_is_told_again_and_again_is_due_each_time() {
    let config = Config::runpod(RunPod::request_count(4), 0, 5, Duration::from_secs(30)).unwrap();
    let mut fleet = Fleet::new(1);
    let profile = fleet.add_profile(Profile::new(config));
    fleet.insert(1_u32, profile, Timestamp::ORIGIN).unwrap();
    for tick in 1..300 {
        let now = Timestamp::from_millis(298_000 + tick);
        fleet.observe(&1, now, Observation::queue(1, None)).unwrap();
        assert_eq!(fleet.due(now).count(), 1, "at {now}");
    }
    let next = fleet.next_wakeup();
    assert!(next > Some(Timestamp::from_secs(299)), "{next:?}");
    assert_eq!(
        fleet.decide(&1, Timestamp::from_secs(299)).map(|decided| decided.decision.desired),
        Some(1),
        "due or not"
    );
}
