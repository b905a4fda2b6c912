//! The flight recorder: what was recorded comes out again byte for byte, and what does not is named.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::float_arithmetic,
    clippy::similar_names,
    clippy::std_instead_of_core,
    reason = "a test panics where it fails"
)]

#[expect(dead_code, unreachable_pub, reason = "the laws use all of it")]
#[path = "laws/generators.rs"]
mod generators;
#[path = "recorder/incident.rs"]
mod incident;

use std::path::Path;
use std::time::Duration;
use std::{env, fs};

use generators::{Step, hostile_case, knobs};
use plimsoll::policy::{Outpost, RunPod};
use plimsoll::recorder::{Beginning, Played, Player, Record, Recorder};
use plimsoll::report::Reporter;
use plimsoll::{Autoscaler, Config, Observation, ObserverId, Policy, Rate, Timestamp, WorkerEvent, WorkerId};
use proptest::prelude::*;
use proptest::sample::Index;

const fn at(secs: u64) -> Timestamp {
    Timestamp::from_secs(secs)
}

/// What a program writes that keeps a log.
fn line(record: &Record) -> String {
    serde_json::to_string(record).unwrap() + "\n"
}

fn read(log: &str) -> Vec<Record> {
    log.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// The log as it is written again by a player.
fn replayed(log: &str, player: &mut Player) -> String {
    let mut again = |record: &Record| match (record, player.play(record).unwrap()) {
        (Record::Observed { at, observation, .. }, Played::Observed { refused, .. }) => {
            Record::observed(*at, *observation, refused.map_or(Ok(()), Err))
        }
        (Record::Decided { at, .. }, Played::Decided { decision, .. }) => Record::decided(*at, &decision),
        (record, _) => record.clone(),
    };
    read(log).iter().map(|record| line(&again(record))).collect()
}

proptest! {
    /// Whatever happens, in whatever order and with whatever clock: refused observations, reconfigurations and logs that
    /// begin in the midst of it all included.
    #[test]
    fn every_decision_is_reproduced_byte_for_byte(
        case in hostile_case().boxed(),
        changes in prop::collection::vec((any::<Index>(), knobs().boxed()), 0..3).boxed(),
        resumed in prop::option::of(any::<Index>()),
    ) {
        let config = case.knobs.config_from(case.start);
        let (mut plain, mut decisions) = (Autoscaler::new(config.clone(), case.start), Vec::new());
        let (mut log, mut second) = (String::new(), String::new());
        let mut recorder = Recorder::new(config, case.start, |record: &Record| log.push_str(&line(record)));
        let resumed = resumed.map_or(case.steps.len(), |index| index.index(case.steps.len()));
        let (before, after) = case.steps.split_at(resumed);
        let changes: Vec<_> = changes.iter().map(|(index, knobs)| (index.index(case.steps.len()), knobs)).collect();
        for (number, (now, step)) in before.iter().enumerate() {
            match step {
                Step::Observe(observation) => {
                    let told = (recorder.observe(*now, *observation), plain.observe(*now, *observation));
                    prop_assert!(told.0.is_ok() == told.1.is_ok());
                }
                Step::Report(report) => {
                    let told = (recorder.report(*now, report), plain.report(*now, report));
                    prop_assert!(told.0.is_ok() == told.1.is_ok());
                }
                Step::Decide => {
                    decisions.push(recorder.decide(*now));
                    prop_assert_eq!(decisions.last(), Some(&plain.decide(*now)), "recording changes nothing");
                }
            }
            for (_, knobs) in changes.iter().filter(|(at, _)| *at == number) {
                recorder.reconfigure(*now, knobs.config());
                plain.reconfigure(*now, knobs.config());
            }
        }
        let mut recorder = Recorder::resume(recorder.into_autoscaler(), |record: &Record| second.push_str(&line(record)));
        for (now, step) in after {
            match step {
                Step::Observe(observation) => drop(recorder.observe(*now, *observation)),
                Step::Report(report) => drop(recorder.report(*now, report)),
                Step::Decide => decisions.push(recorder.decide(*now)),
            }
        }
        let last = recorder.into_autoscaler();

        let mut player = Player::new();
        prop_assert_eq!(&replayed(&log, &mut player), &log);
        // Alone, and appended to the first: a head begins anew.
        prop_assert_eq!(&replayed(&second, &mut Player::new()), &second);
        prop_assert_eq!(&replayed(&second, &mut player), &second);
        prop_assert_eq!(player.autoscaler(), Some(&last), "the whole state is the same");

        // Records keep in binary form as well.
        for record in read(&log) {
            let mut bytes = Vec::new();
            ciborium::into_writer(&record, &mut bytes).unwrap();
            let back: Record = ciborium::from_reader(&bytes[..]).unwrap();
            prop_assert_eq!(line(&back), line(&record));
        }
    }

    /// NaN and the infinities, too: an observation that was refused can be read again.
    #[test]
    fn rates_keep_every_bit_in_text(bits in any::<u64>(), plain in 0.0..1e9_f64, sum in 0.0..100.0_f64) {
        for per_second in [f64::from_bits(bits), plain, sum + 0.1, sum * 1e-7, f64::NAN, f64::NEG_INFINITY, -0.0] {
            let text = serde_json::to_string(&Observation::ArrivalRate { per_second }).unwrap();
            let Observation::ArrivalRate { per_second: back } = serde_json::from_str(&text).unwrap() else { panic!() };
            let same = back.to_bits() == per_second.to_bits() || (back.is_nan() && per_second.is_nan());
            prop_assert!(same, "{} through {}", per_second, text);
        }
    }
}

#[test]
fn a_report_is_played_back_with_its_outcome() {
    let mut log = Vec::new();
    let config = Config::new(Policy::Outpost(Outpost::new(Rate::per_second(2.5).unwrap())), 0, 9).unwrap();
    let mut reporter = Reporter::new(ObserverId(1), 1, config.sojourn_target(), at(0));
    let mut recorder = Recorder::new(config, at(0), |record: &Record| log.push(record.clone()));
    let report = reporter.report(at(5));
    recorder.report(at(5), &report).unwrap();
    let early = reporter.report(at(500));
    recorder.report(at(6), &early).unwrap_err();
    drop(recorder);
    let mut player = Player::new();
    for record in &log {
        assert!(player.play(record).unwrap().is_same(), "{record:?}");
    }
    let Some(Record::Reported { refused: Some(_), .. }) = log.last() else { panic!("{log:?}") };
    let Some(Record::Reported { at, report, .. }) = log.pop() else { panic!("no report") };
    let taken = Record::Reported { at, report, refused: None };
    assert!(!player.play(&taken).unwrap().is_same(), "now it is refused, and the log says that it was not");
}

#[test]
fn rates_are_numbers_where_numbers_do() {
    let text = |per_second| serde_json::to_string(&Observation::ArrivalRate { per_second }).unwrap();
    assert_eq!(text(2.5), r#"{"arrival_rate":{"per_second":2.5}}"#);
    assert_eq!(text(0.1 + 0.2), r#"{"arrival_rate":{"per_second":"0.30000000000000004"}}"#);
    assert_eq!(text(f64::NAN), r#"{"arrival_rate":{"per_second":"NaN"}}"#);
    assert_eq!(text(f64::INFINITY), r#"{"arrival_rate":{"per_second":"inf"}}"#);
    let read =
        |number| serde_json::from_str::<Observation>(&format!(r#"{{"arrival_rate":{{"per_second":{number}}}}}"#));
    assert_eq!(read("7").unwrap(), Observation::ArrivalRate { per_second: 7.0 });
    for (bad, why) in
        [("null", "expected a number"), (r#""much""#, r#"invalid value: string "much", expected a number"#)]
    {
        assert!(read(bad).unwrap_err().to_string().contains(why), "{}", read(bad).unwrap_err());
    }
}

/// `BLESS=1 cargo test --test recorder` writes it anew; say so in the CHANGELOG under **Behaviour**.
#[test]
fn the_kept_incident_is_reproduced() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded/incident.jsonl");
    let log = incident::log();
    if env::var_os("BLESS").is_some() {
        fs::write(&path, &log).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap();
    assert!(kept.len() < 200_000, "{} bytes", kept.len());
    let again = replayed(&kept, &mut Player::new());
    for (number, (again, kept)) in (1..).zip(again.lines().zip(kept.lines())) {
        assert!(again == kept, "line {number} is\n{again}\nand was\n{kept}\nIf this is meant: BLESS=1, see above.");
    }
    assert!(log == kept, "the incident is another one: BLESS=1, see above");
    for kind in ["plimsoll_flight_log", "observed", "decided", "reconfigured", "refused", "restored", "NaN"] {
        assert!(kept.contains(&format!("\"{kind}\"")), "{kind} does not occur");
    }
}

#[test]
fn another_configuration_decides_as_if_it_had_been_there() {
    let log = incident::log();
    let records = read(&log);
    let Some(Record::Head(head)) = records.first() else { panic!("no head") };
    assert_eq!(head.config(), &incident::config());
    let other = incident::config().with_up_delay(Duration::from_secs(30)).unwrap();
    let mut direct = None;
    let (mut player, mut earlier, mut reconfigured) = (Player::under(other.clone()), 0, 0);
    for record in &records {
        let played = player.play(record).unwrap();
        match (record, played) {
            (Record::Head(head), Played::Begun) => match &head.begins {
                Beginning::New { at, .. } => direct = Some(Autoscaler::new(other.clone(), *at)),
                _ => break,
            },
            (Record::Observed { at, observation, .. }, Played::Observed { refused, .. }) => {
                // NaN is not even itself.
                let expected = direct.as_mut().unwrap().observe(*at, *observation).err();
                assert_eq!(refused.map(|why| why.to_string()), expected.map(|why| why.to_string()));
            }
            (Record::Decided { at, decision: recorded }, Played::Decided { decision, same }) => {
                assert_eq!(*decision, direct.as_mut().unwrap().decide(*at));
                assert_eq!(same, decision == *recorded);
                earlier += u32::from(decision.desired > recorded.desired);
            }
            (_, Played::Reconfigured) => reconfigured += 1,
            (record, played) => panic!("{record:?} gave {played:?}"),
        }
    }
    assert!(earlier > 5, "a shorter delay would have had more workers at {earlier} decisions");
    assert_eq!(reconfigured, 1, "and no reconfiguration was needed");
    assert_eq!(player.autoscaler().map(Autoscaler::config), Some(&other));
}

#[test]
fn what_begins_in_the_midst_goes_on_under_another_configuration() {
    let config = Config::runpod(RunPod::request_count(1), 0, 9, Duration::from_secs(60)).unwrap();
    let mut autoscaler = Autoscaler::new(config.clone(), at(0));
    autoscaler.observe(at(5), Observation::queue(4, None)).unwrap();
    let mut records = Vec::new();
    let mut recorder = Recorder::resume(autoscaler, |record: &Record| records.push(record.clone()));
    assert_eq!(recorder.decide(at(6)).desired, 4);
    assert_eq!(recorder.autoscaler().desired(), 4);

    let other = config.with_bounds(0, 2).unwrap();
    let mut player = Player::under(other);
    let played: Vec<_> = records.iter().map(|record| player.play(record).unwrap()).collect();
    assert_eq!(played[0], Played::Begun);
    let Played::Decided { decision, same: false } = &played[1] else { panic!("{played:?}") };
    assert_eq!(decision.desired, 2, "the queue is known, the bound is new");
}

#[test]
fn what_is_not_as_recorded_is_said() {
    let mut records = Vec::new();
    let mut recorder = Recorder::new(Config::fixed(1).unwrap(), at(0), |record: &Record| records.push(record.clone()));
    assert!(recorder.observe(at(1), Observation::worker(WorkerId(3), WorkerEvent::Idle)).is_err());
    let _ = recorder.decide(at(2));
    assert!(play(&records).iter().all(Played::is_same));
    let Record::Observed { refused, .. } = &mut records[1] else { panic!() };
    *refused = Some(refused.take().unwrap() + " at once");
    assert!(!play(&records)[1].is_same());
    let Record::Decided { decision, .. } = &mut records[2] else { panic!() };
    decision.sequence += 1;
    assert!(!play(&records)[2].is_same());
}

fn play(records: &[Record]) -> Vec<Played> {
    let mut player = Player::new();
    records.iter().map(|record| player.play(record).unwrap()).collect()
}

#[test]
fn what_is_no_log_is_refused_with_a_remedy() {
    let log = incident::log();
    let head = log.lines().next().unwrap();
    assert!(head.starts_with(r#"{"plimsoll_flight_log":{"version":1,"begins":{"new":{"at":"#), "{head}");
    let refusal = |line: &str| serde_json::from_str::<Record>(line).unwrap_err().to_string();

    // Another version is refused as such, whatever else it holds.
    let newer = r#"{"plimsoll_flight_log":{"version":2,"begins_elsewhere":[]}}"#;
    let why = refusal(newer);
    let expected =
        "a flight log of version 2, and this release reads version 1 only: replay it with the release that wrote it";
    assert!(why.starts_with(expected), "{why}");
    assert!(refusal(r#"{"remarked":{}}"#).contains("unknown variant `remarked`"));
    assert!(refusal(&head.replacen(r#""max":"#, r#""most":"#, 1)).contains("most"));

    let mut player = Player::new();
    let second = read(log.lines().nth(1).unwrap()).pop().unwrap();
    let why = player.play(&second).unwrap_err().to_string();
    assert_eq!(
        why,
        r#"a flight log begins with its head, {"plimsoll_flight_log": …}: give the log from its beginning"#
    );
    assert!(player.autoscaler().is_none());

    // A state that cannot be is refused like any snapshot, and what was played before stays.
    player.play(&read(head)[0]).unwrap();
    let restored = log.lines().find(|line| line.contains(r#""restored""#)).unwrap();
    let mut damaged: serde_json::Value = serde_json::from_str(restored).unwrap();
    *damaged.pointer_mut("/plimsoll_flight_log/begins/restored/state/count").unwrap() = 99.into();
    let why = player.play(&serde_json::from_value(damaged).unwrap()).unwrap_err().to_string();
    assert!(why.starts_with("the snapshot's evaluation cannot be"), "{why}");
    assert!(player.play(&second).unwrap().is_same());
}
