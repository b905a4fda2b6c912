//! One decision of a flight log, and the stretch of the log that leads to it: to be gone through again with something
//! changed.

use std::cell::Cell;

use plimsoll::recorder::{Beginning, Head, Played, Player, Record};
use plimsoll::{Autoscaler, Config, Decision, Explanation, Mode, Observation, Status, Timestamp};
use serde_json::Value;

use crate::Failure;
use crate::choice::Chosen;
use crate::log::Log;

/// When each kind of fact was last told, as far as the log goes back.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Told {
    pub(crate) arrivals: Option<Timestamp>,
    pub(crate) queue: Option<Timestamp>,
    pub(crate) in_flight: Option<Timestamp>,
    pub(crate) sojourns: Option<Timestamp>,
    pub(crate) workers: Option<Timestamp>,
    pub(crate) reports: Option<Timestamp>,
}

/// A decision with everything that led to it.
pub(crate) struct Scene {
    /// When the log begins.
    pub(crate) start: Timestamp,
    pub(crate) line: u64,
    pub(crate) decision: Decision,
    /// The evaluation to be explained: that of the decision, or of a change that came by itself just before it.
    pub(crate) explained: Explanation,
    pub(crate) status: Status,
    pub(crate) config: Config,
    pub(crate) told: Told,
    /// Whether a reservation was made on the way.
    pub(crate) reserved: bool,
    /// The line from which on it is gone through again.
    pub(crate) from: u64,
    origin: Player,
    records: Vec<Record>,
    runs: Cell<u64>,
}

/// What is changed in what happened, by itself.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Change {
    Nothing,
    /// A setting, in every configuration in which it stood at `from`.
    Set {
        pointer: String,
        from: Option<Value>,
        to: Option<Value>,
    },
    /// No operator's mode.
    NoMode,
    /// No reservation.
    NoReservation,
}

/// What then comes of it.
#[derive(Debug, Clone)]
pub(crate) struct Rerun {
    pub(crate) desired: u32,
    /// Workers ready or on their way, what is ordered at this decision included.
    pub(crate) committed: u32,
    /// The counts from each instant on.
    counts: Vec<(Timestamp, u32)>,
    /// Observations that are refused and were not, or the other way round.
    pub(crate) refused_otherwise: u64,
}

impl Scene {
    /// Goes through the log up to the decision. Of what leads there, at least `reach` records are kept if there are so
    /// many, at most twice as many.
    pub(crate) fn find(log: &Log, chosen: &Chosen, reach: usize) -> Result<Self, Failure> {
        let mut way = Way::new(reach.max(1));
        let mut found = None;
        log.read_until(&mut |line, record| {
            let before = way.last_decision;
            let played = way.take(line, record).map_err(|why| log.at(line, &why))?;
            if line < chosen.line {
                return Ok(core::ops::ControlFlow::Continue(()));
            }
            if let (Record::Decided { decision, .. }, Played::Decided { same, .. }) = (record, played) {
                if !same {
                    return Err(Failure::Finding(format!(
                        "{}, line {line}: not reproduced: if another release wrote the log, explain it with that one; \
                         replay --flight-log shows the first line that differs",
                        log.name()
                    )));
                }
                found = Some(((**decision).clone(), before));
            }
            Ok(core::ops::ControlFlow::Break(()))
        })?;
        let refused = || Failure::Input(format!("{}, line {}: no decision", log.name(), chosen.line));
        let (decision, before) = found.ok_or_else(refused)?;
        let autoscaler = way.player.autoscaler().ok_or_else(refused)?;
        // What changed the count by itself since the decision before.
        let by_itself = decision.last_change.filter(|change| {
            !decision.explanation.is_change() && change.is_change() && before.is_some_and(|before| change.at > before)
        });
        Ok(Self {
            start: chosen.start,
            line: chosen.line,
            explained: by_itself.unwrap_or(decision.explanation),
            status: autoscaler.status(),
            config: autoscaler.config().clone(),
            told: way.told,
            reserved: way.reserved,
            from: way.lines.first().copied().unwrap_or(chosen.line),
            origin: way.origin,
            records: way.records,
            runs: Cell::new(0),
            decision,
        })
    }

    /// How often it was gone through again.
    pub(crate) fn runs(&self) -> u64 {
        self.runs.get()
    }

    /// How many records that is each time.
    pub(crate) fn reach(&self) -> usize {
        self.records.len()
    }

    /// Goes through it again. The requests, the workers and the orders of the time stay what they were.
    pub(crate) fn rerun(&self, change: &Change) -> Result<Rerun, String> {
        self.runs.set(self.runs.get() + 1);
        let mut run = Run { player: self.origin.clone(), counts: Vec::new(), refused_otherwise: 0, desired: None };
        run.begin(change, self.start)?;
        for record in &self.records {
            match record {
                Record::Head(head) => {
                    if let Beginning::New { at, config } = &head.begins {
                        let config = Box::new(change.applied(config)?);
                        run.play(&Record::Head(Head::new(Beginning::New { at: *at, config })))?;
                    } else {
                        run.play(record)?;
                        run.begin(change, self.start)?;
                    }
                }
                Record::Reconfigured { at, config } => {
                    let config = Box::new(change.applied(config)?);
                    run.play(&Record::Reconfigured { at: *at, config })?;
                }
                Record::Observed { observation: Observation::Mode { .. }, .. } if *change == Change::NoMode => {}
                Record::Observed { observation: Observation::Reserve { .. }, .. }
                    if *change == Change::NoReservation => {}
                _ => run.play(record)?,
            }
        }
        let status = run.player.autoscaler().map(Autoscaler::status);
        let status = status.ok_or("nothing was gone through")?;
        Ok(Rerun {
            desired: status.desired,
            committed: status.committed,
            counts: run.counts,
            refused_otherwise: run.refused_otherwise,
        })
    }
}

impl Rerun {
    /// Since when the count has been `count` or beyond it, up or down; `None` if it is not in the end.
    pub(crate) fn since(&self, count: u32, up: bool) -> Option<Timestamp> {
        let beyond = |(_, there): &&(Timestamp, u32)| if up { *there >= count } else { *there <= count };
        self.counts.iter().rev().take_while(beyond).last().map(|(at, _)| *at)
    }
}

impl Change {
    /// The configuration with the change, if it is one of a setting that stands as expected.
    fn applied(&self, config: &Config) -> Result<Config, String> {
        let Self::Set { pointer, from, to } = self else { return Ok(config.clone()) };
        let mut json = serde_json::to_value(config).map_err(|error| error.to_string())?;
        if json.pointer(pointer) != from.as_ref() {
            return Ok(config.clone());
        }
        let (table, name) = pointer.rsplit_once('/').unwrap_or(("", pointer));
        if let Some(Value::Object(table)) = json.pointer_mut(table) {
            match to {
                Some(value) => drop(table.insert(name.to_owned(), value.clone())),
                None => drop(table.remove(name)),
            }
        }
        serde_json::from_value(json).map_err(|error| error.to_string())
    }
}

/// A run under way.
struct Run {
    player: Player,
    counts: Vec<(Timestamp, u32)>,
    refused_otherwise: u64,
    desired: Option<u32>,
}

impl Run {
    /// Applies the change to an autoscaler that lives already.
    fn begin(&mut self, change: &Change, start: Timestamp) -> Result<(), String> {
        let Some(autoscaler) = self.player.autoscaler() else { return Ok(()) };
        let at = autoscaler.status().at;
        let config = change.applied(autoscaler.config())?;
        if config != *autoscaler.config() {
            self.play(&Record::Reconfigured { at, config: Box::new(config) })?;
        }
        if *change == Change::NoMode {
            let observation = Observation::Mode { mode: Mode::Automatic, valid_for: None };
            self.play(&Record::observed(at, observation, Ok(())))?;
        }
        if self.counts.is_empty() {
            let desired = self.player.autoscaler().map(Autoscaler::desired);
            let event = self.player.autoscaler().and_then(|autoscaler| autoscaler.events().next_back().copied());
            // Since its last event, if it remembers any.
            let since = event.filter(|event| Some(event.desired) == desired).map_or(start, |event| event.at);
            self.counts.extend(desired.map(|desired| (since, desired)));
            self.desired = desired;
        }
        Ok(())
    }

    fn play(&mut self, record: &Record) -> Result<(), String> {
        let played = self.player.play(record).map_err(|error| error.to_string())?;
        if let Played::Observed { same: false, .. } = played {
            self.refused_otherwise += 1;
        }
        let Some(autoscaler) = self.player.autoscaler() else { return Ok(()) };
        let desired = autoscaler.desired();
        if self.desired.replace(desired) != Some(desired) {
            // The change has an instant of its own: it may have come by itself since the record before.
            let event = autoscaler.events().next_back().filter(|event| event.desired == desired);
            let at = event.map_or_else(|| autoscaler.status().at, |event| event.at);
            self.counts.push((at, desired));
        }
        Ok(())
    }
}

/// Walks along a log, and keeps the last stretch of the way.
struct Way {
    reach: usize,
    player: Player,
    /// As it was before the records that are kept.
    origin: Player,
    /// As it was in the midst of them.
    middle: Player,
    records: Vec<Record>,
    lines: Vec<u64>,
    told: Told,
    reserved: bool,
    last_decision: Option<Timestamp>,
}

impl Way {
    fn new(reach: usize) -> Self {
        Self {
            reach,
            player: Player::new(),
            origin: Player::new(),
            middle: Player::new(),
            records: Vec::new(),
            lines: Vec::new(),
            told: Told::default(),
            reserved: false,
            last_decision: None,
        }
    }

    fn take(&mut self, line: u64, record: &Record) -> Result<Played, String> {
        if let Record::Head(head) = record {
            if self.goes_on(head) {
                return Ok(Played::Begun);
            }
            *self = Self::new(self.reach);
        }
        if self.records.len() == self.reach {
            self.middle = self.player.clone();
        } else if self.records.len() == self.reach.saturating_mul(2) {
            self.records.drain(..self.reach);
            self.lines.drain(..self.reach);
            self.origin = core::mem::replace(&mut self.middle, self.player.clone());
        }
        self.records.push(record.clone());
        self.lines.push(line);
        self.note(record);
        self.player.play(record).map_err(|error| error.to_string())
    }

    /// Whether another process, or another file, goes on exactly where this one is.
    fn goes_on(&self, head: &Head) -> bool {
        let mut next = Player::new();
        // What cannot be restored is refused where it is played.
        self.player.autoscaler().is_some()
            && next.play(&Record::Head(head.clone())).is_ok()
            && next.autoscaler() == self.player.autoscaler()
    }

    fn note(&mut self, record: &Record) {
        let told = &mut self.told;
        match record {
            Record::Observed { at, observation, refused: None } => match observation {
                Observation::Arrived { .. } | Observation::Requests { .. } | Observation::ArrivalRate { .. } => {
                    told.arrivals = Some(*at);
                }
                Observation::Queue { .. } => told.queue = Some(*at),
                Observation::InFlight { .. } => told.in_flight = Some(*at),
                Observation::Started { .. } | Observation::Abandoned { .. } => told.sojourns = Some(*at),
                Observation::Worker { .. } | Observation::Pool(_) | Observation::StartFailed { .. } => {
                    told.workers = Some(*at);
                }
                Observation::Reserve { .. } => self.reserved = true,
                _ => {}
            },
            Record::Reported { at, refused: None, .. } => told.reports = Some(*at),
            Record::Decided { decision, .. } => self.last_decision = Some(decision.at),
            _ => {}
        }
    }
}
