//! Flight logs: one is written while a replay runs, or one is gone through again, under another configuration too.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use plimsoll::recorder::{Played, Player, Record};
use plimsoll::{Config, Decision, Timestamp};
use serde::Serialize;

use crate::Failure;
use crate::difference::{Difference, Differences};
use crate::log::Log;

/// Writes a flight log.
pub(crate) struct Writer {
    path: PathBuf,
    file: BufWriter<File>,
    failed: Option<io::Error>,
}

impl Writer {
    pub(crate) fn new(path: &Path) -> Result<Self, Failure> {
        let file = File::create(path).map_err(|error| unwritable(path, &error))?;
        Ok(Self { path: path.to_owned(), file: BufWriter::new(file), failed: None })
    }

    /// One line. Nothing is written after the first error.
    pub(crate) fn write(&mut self, record: &Record) {
        if self.failed.is_none() {
            let line = serde_json::to_writer(&mut self.file, record).map_err(io::Error::from);
            self.failed = line.and_then(|()| writeln!(self.file)).err();
        }
    }

    pub(crate) fn close(mut self) -> Result<(), Failure> {
        let failed = self.failed.take().or_else(|| self.file.flush().err());
        failed.map_or(Ok(()), |error| Err(unwritable(&self.path, &error)))
    }
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    Failure::Output(format!("{}: the flight log cannot be written: {error}", path.display()))
}

/// What is known when the log has been gone through. Times are in seconds.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Summary {
    pub(crate) flight_log: String,
    /// The other configuration; none if the log was replayed under its own.
    pub(crate) config: Option<String>,
    pub(crate) duration_s: f64,
    /// How often an autoscaler began.
    pub(crate) starts: u64,
    pub(crate) observations: u64,
    pub(crate) refused_observations: u64,
    pub(crate) reconfigurations: u64,
    pub(crate) decisions: u64,
    /// Decisions that came out otherwise.
    pub(crate) differ: u64,
    /// Observations that were refused then and not now, or now and not then.
    pub(crate) refused_otherwise: u64,
    pub(crate) first_difference: Option<Difference>,
    pub(crate) worker_hours_recorded: f64,
    pub(crate) worker_hours_replayed: f64,
    /// Lines that end in the midst of a record, as when the process that wrote them crashed.
    pub(crate) cut_off: Vec<u64>,
}

/// The configuration at the beginning of a log.
pub(crate) fn configuration(log: &Log) -> Result<Config, Failure> {
    log.head().map(|head| head.config().clone())
}

/// Goes through a log; under its own configuration unless another is given, with its name.
pub(crate) fn replay(
    log: &Log,
    other: Option<(String, Config)>,
    differences: &mut Differences<'_>,
) -> Result<Summary, Failure> {
    let (config, player) = match other {
        None => (None, Player::new()),
        Some((name, config)) => (Some(name), Player::under(config)),
    };
    let summary = Summary { flight_log: log.name(), config, ..Summary::default() };
    let mut flight = Flight { player, summary, differences, start: Timestamp::ORIGIN, last: None };
    let cut_off = log.read(&mut |number, record| flight.play(number, record).map_err(|why| log.at(number, &why))?)?;
    Ok(Summary { cut_off, ..flight.summary })
}

struct Flight<'a, 'b> {
    player: Player,
    summary: Summary,
    differences: &'a mut Differences<'b>,
    /// When the autoscaler began.
    start: Timestamp,
    /// The instant of the last decision, and the count then and now.
    last: Option<(Timestamp, u32, u32)>,
}

impl Flight<'_, '_> {
    /// The outer error is the log's, the inner one that of the output.
    fn play(&mut self, number: u64, record: &Record) -> Result<Result<(), Failure>, String> {
        let played = self.player.play(record).map_err(|error| error.to_string())?;
        match (record, played) {
            (_, Played::Begun) => {
                self.summary.starts += 1;
                self.last = None;
                self.start = self.player.autoscaler().map_or(Timestamp::ORIGIN, |autoscaler| autoscaler.status().at);
            }
            (Record::Observed { .. }, Played::Observed { refused, same }) => {
                self.summary.observations += 1;
                self.summary.refused_observations += u64::from(refused.is_some());
                self.summary.refused_otherwise += u64::from(!same);
                if !same && self.summary.config.is_none() {
                    let refused = refused.map_or_else(|| "is accepted now".to_owned(), |why| why.to_string());
                    let why = format!("this observation was not refused, or otherwise; the replay says: {refused}");
                    self.summary.first_difference.get_or_insert_with(|| Difference::of_observation(number, why));
                }
            }
            (Record::Decided { decision: recorded, .. }, Played::Decided { decision, .. }) => {
                return self.decided(number, recorded, &decision).map_err(|error| error.to_string());
            }
            (_, Played::Reconfigured) => self.summary.reconfigurations += 1,
            _ => return Err("this release's replay does not know this record".to_owned()),
        }
        Ok(Ok(()))
    }

    fn decided(
        &mut self,
        number: u64,
        recorded: &Decision,
        now: &Decision,
    ) -> Result<Result<(), Failure>, serde_json::Error> {
        let summary = &mut self.summary;
        summary.decisions += 1;
        if let Some((at, then, replayed)) = self.last.replace((recorded.at, recorded.desired, now.desired)) {
            let seconds = recorded.at.saturating_since(at).as_secs_f64();
            summary.duration_s += seconds;
            summary.worker_hours_recorded += f64::from(then) * seconds / 3_600.0;
            summary.worker_hours_replayed += f64::from(replayed) * seconds / 3_600.0;
        }
        // Under its own configuration every byte counts; under another one, what is done.
        let differs = if summary.config.is_some() {
            (recorded.desired, &recorded.commands) != (now.desired, &now.commands)
        } else {
            serde_json::to_string(recorded)? != serde_json::to_string(now)?
        };
        if !differs {
            self.differences.agree();
            return Ok(Ok(()));
        }
        summary.differ += 1;
        let difference = Difference::of_decisions(number, self.start, recorded, now);
        summary.first_difference.get_or_insert_with(|| difference.clone());
        Ok(self.differences.add(difference).map_err(Failure::from))
    }
}
