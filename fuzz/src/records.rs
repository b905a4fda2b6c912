//! Flight logs and snapshots, made from bytes.

use core::time::Duration;

use arbitrary::{Result, Unstructured};
use plimsoll::recorder::{Played, Player, Record, Recorder};
use plimsoll::{Autoscaler, Config, Observation, Snapshot, Timestamp};

use super::{any_config, check_json, check_text, instant, observation, span, worker, worker_event};

/// The longest log or snapshot that is read, in bytes.
const MAX_BYTES: usize = 65_536;
/// The most operations on one autoscaler.
const MAX_OPERATIONS: usize = 200;

/// A flight log, once as text and once as the record of a stream of operations: refused line by line with a message, or
/// played; and what was recorded is reproduced.
///
/// # Panics
/// If reading or playing panics, an error has no message, or a decision does not come out as recorded.
pub fn recorder(data: &[u8]) {
    if data.len() <= MAX_BYTES {
        play_text(data);
    }
    // Bytes that run out give zeros; the error type is only for `?`.
    let _ = record(&mut Unstructured::new(data));
}

/// Bytes as a snapshot in JSON (if they begin with a brace) or in CBOR: refused with a message, or restored; what follows
/// it are operations, which the snapshot must survive.
///
/// # Panics
/// If a call panics, a bound does not hold, or the state does not survive being written.
pub fn snapshot(data: &[u8]) {
    if data.len() > MAX_BYTES {
        return;
    }
    let read = if data.first() == Some(&b'{') {
        let mut values = serde_json::Deserializer::from_slice(data).into_iter::<Snapshot>();
        let read = values.next().map(|read| read.map_err(|error| error.to_string()));
        read.map(|read| read.map(|snapshot| (snapshot, data.get(values.byte_offset()..).unwrap_or_default())))
    } else {
        let mut rest = data;
        let read = ciborium::from_reader::<Snapshot, _>(&mut rest).map_err(|error| error.to_string());
        Some(read.map(|snapshot| (snapshot, rest)))
    };
    match read {
        None => {}
        Some(Err(why)) => assert!(!why.trim().is_empty(), "a refusal says why"),
        Some(Ok((snapshot, operations))) => match Autoscaler::restore(snapshot) {
            Err(error) => check_text(&error),
            Ok(autoscaler) => {
                let _ = live_on(autoscaler, &mut Unstructured::new(operations));
            }
        },
    }
}

// Logs ----------------------------------------------------------------------------------------------------------------

fn play_text(data: &[u8]) {
    let mut players = [Player::new(), Player::under(plimsoll::Preset::OutpostGpu.config())];
    for line in data.split(|byte| *byte == b'\n').take(MAX_OPERATIONS) {
        let record = match serde_json::from_slice::<Record>(line) {
            Ok(record) => record,
            Err(error) => {
                assert!(!error.to_string().trim().is_empty(), "a refusal says why");
                continue;
            }
        };
        let text = write(&record);
        assert_eq!(serde_json::from_str(&text).map(|record| write(&record)).ok(), Some(text), "records keep");
        for player in &mut players {
            match player.play(&record) {
                Ok(Played::Decided { decision, .. }) => check(player.autoscaler(), &decision),
                Ok(_) => {}
                Err(error) => check_text(&error),
            }
        }
    }
}

fn write(record: &Record) -> String {
    serde_json::to_string(record).unwrap_or_else(|error| format!("cannot be written: {error}"))
}

fn record(u: &mut Unstructured<'_>) -> Result<()> {
    let start = instant(u)?;
    let Some(config) = any_config(u)? else { return Ok(()) };
    let mut log = Vec::new();
    let mut recorder = Recorder::new(config, start, |record: &Record| log.push(write(record)));
    let mut now = start;
    for _ in 0..MAX_OPERATIONS {
        if u.is_empty() {
            break;
        }
        match step(&mut now, recorder.autoscaler(), u)? {
            Step::Observe(observation) => {
                let _ = recorder.observe(now, observation);
            }
            Step::Decide(at) => {
                let _ = recorder.decide(at);
            }
            Step::Reconfigure(config) => recorder.reconfigure(now, *config),
            Step::Nothing => {}
        }
    }
    let last = recorder.into_autoscaler();
    let mut player = Player::new();
    for line in log {
        let read: core::result::Result<Record, _> = serde_json::from_str(&line);
        let outcome = read.map_err(|error| error.to_string()).and_then(|record| {
            assert_eq!(write(&record), line, "records keep");
            player.play(&record).map_err(|error| error.to_string())
        });
        assert!(outcome.as_ref().is_ok_and(Played::is_same), "{outcome:?} for {line}");
    }
    assert_eq!(player.autoscaler(), Some(&last), "the whole state is reproduced");
    Ok(())
}

// Operations ----------------------------------------------------------------------------------------------------------

enum Step {
    Observe(Observation),
    Decide(Timestamp),
    Reconfigure(Box<Config>),
    Nothing,
}

fn step(now: &mut Timestamp, autoscaler: &Autoscaler, u: &mut Unstructured<'_>) -> Result<Step> {
    Ok(match u.int_in_range(0..=8_u8)? {
        0 => {
            *now = now.saturating_add(span(u)?);
            Step::Nothing
        }
        1 => Step::Decide(*now),
        // A clock that went back.
        2 => Step::Decide(instant(u)?.min(*now)),
        3 => {
            let soon = now.saturating_add(Duration::from_secs(3_600));
            *now = autoscaler.next_wakeup().unwrap_or(soon).max(*now);
            Step::Decide(*now)
        }
        4 => Step::Observe(Observation::worker(worker(u)?, worker_event(u)?)),
        5 => any_config(u)?.map_or(Step::Nothing, |config| Step::Reconfigure(Box::new(config))),
        _ => Step::Observe(observation(u)?),
    })
}

/// A restored autoscaler goes on like any other, whatever it believes to have seen.
fn live_on(mut autoscaler: Autoscaler, u: &mut Unstructured<'_>) -> Result<()> {
    let mut now = autoscaler.status().at;
    survives(&autoscaler);
    for _ in 0..MAX_OPERATIONS {
        if u.is_empty() {
            break;
        }
        match step(&mut now, &autoscaler, u)? {
            Step::Observe(observation) => {
                if let Err(rejected) = autoscaler.observe(now, observation) {
                    check_text(&rejected);
                }
            }
            Step::Decide(at) => decide(&mut autoscaler, at),
            Step::Reconfigure(config) => autoscaler.reconfigure(now, *config),
            Step::Nothing => {}
        }
        let told = autoscaler.status().at;
        assert!(autoscaler.next_wakeup().is_none_or(|at| at > told), "wakeup_moves");
    }
    decide(&mut autoscaler, now);
    survives(&autoscaler);
    decide(&mut autoscaler, Timestamp::MAX);
    Ok(())
}

fn decide(autoscaler: &mut Autoscaler, now: Timestamp) {
    let decision = autoscaler.decide(now);
    check(Some(autoscaler), &decision);
    let mut again = decision;
    again.commands.clear();
    assert_eq!(autoscaler.decide(now), again, "asking again repeats no command and changes nothing");
}

fn check(autoscaler: Option<&Autoscaler>, decision: &plimsoll::Decision) {
    let terms = &decision.explanation.terms;
    assert!((terms.min..=terms.max).contains(&decision.desired), "bounds_always_hold: {decision:?}");
    assert_eq!(decision.explanation.fold(), decision.desired, "explanation_folds: {decision:?}");
    assert_eq!(autoscaler.map(Autoscaler::desired), Some(decision.desired));
    check_text(decision);
    check_json(decision);
}

/// What it knows can be kept, in text and in binary form, and restored.
fn survives(autoscaler: &Autoscaler) {
    let snapshot = autoscaler.snapshot();
    let text = serde_json::to_string(&snapshot).map_err(|error| error.to_string());
    let read = text.and_then(|text| serde_json::from_str(&text).map_err(|error| error.to_string()));
    assert_eq!(restored(read).as_ref(), Ok(autoscaler), "through JSON");
    let mut bytes = Vec::new();
    let written = ciborium::into_writer(&snapshot, &mut bytes).map_err(|error| error.to_string());
    let read = written.and_then(|()| ciborium::from_reader(bytes.as_slice()).map_err(|error| error.to_string()));
    assert_eq!(restored(read).as_ref(), Ok(autoscaler), "through CBOR");
}

fn restored(read: core::result::Result<Snapshot, String>) -> core::result::Result<Autoscaler, String> {
    read.and_then(|snapshot| Autoscaler::restore(snapshot).map_err(|error| error.to_string()))
}
