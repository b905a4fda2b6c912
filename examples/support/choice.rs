//! Which decision of a flight log is meant.

use std::time::Duration;

use plimsoll::recorder::{Player, Record};
use plimsoll::{Decision, Timestamp};

use crate::Failure;
use crate::human::{clock, span};
use crate::log::Log;

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choice {
    /// The decision that was furthest below what was wanted, in the time that lacked the most worker hours.
    Instructive,
    /// The last one until so long after the log begins.
    At(Duration),
    /// The last one until this instant on the log's own clock.
    Clock(Timestamp),
    /// The first with this number.
    Sequence(u64),
    /// The one on this line.
    Line(u64),
    /// So many changes of the count into the log; from the end if negative.
    Event(i64),
}

/// The decision that is meant.
#[derive(Debug, Clone)]
pub(crate) struct Chosen {
    pub(crate) line: u64,
    /// When the log begins.
    pub(crate) start: Timestamp,
    /// Why this one, if nobody asked for it.
    pub(crate) why: Option<String>,
    /// If less was decided than wanted: when there were as many, how many then, and on which line.
    pub(crate) reached: Option<(Timestamp, u32, u64)>,
}

/// A decision in passing.
#[derive(Debug, Clone, Copy)]
struct Seen {
    line: u64,
    at: Timestamp,
    sequence: u64,
    /// The count differs from that of the decision before.
    changed: bool,
    desired: u32,
    /// Workers wanted beyond those decided.
    lacking: u32,
}

impl Choice {
    /// Looks for it. What is decided is taken as it stands in the log.
    pub(crate) fn find(self, log: &Log) -> Result<Chosen, Failure> {
        let (mut start, mut seen) = (None, Vec::<Seen>::new());
        log.read(&mut |line, record| {
            match record {
                Record::Head(_) if start.is_none() => {
                    let mut player = Player::new();
                    player.play(record).map_err(|error| log.at(line, &error.to_string()))?;
                    start = player.autoscaler().map(|autoscaler| autoscaler.status().at);
                }
                Record::Decided { decision, .. } => {
                    let changed = seen.last().is_some_and(|last| last.desired != decision.desired)
                        || decision.explanation.is_change();
                    seen.push(Seen::new(line, decision, changed));
                }
                _ => {}
            }
            Ok(())
        })?;
        let start = start.ok_or_else(|| log.at(1, &plimsoll::recorder::PlayError::NoHead.to_string()))?;
        let (chosen, why) = self.pick(&seen, start).map_err(|why| Failure::Input(format!("{}: {why}", log.name())))?;
        Ok(Chosen { line: chosen.line, start, why, reached: reached(&seen, chosen) })
    }

    fn pick(self, seen: &[Seen], start: Timestamp) -> Result<(&Seen, Option<String>), String> {
        let (Some(first), Some(last)) = (seen.first(), seen.last()) else {
            return Err("the log holds no decision".to_owned());
        };
        let (found, refused) = match self {
            Self::Instructive => {
                let (seen, why) = instructive(seen, last);
                return Ok((seen, Some(why)));
            }
            Self::At(time) => {
                let found = seen.iter().rev().find(|seen| seen.at.saturating_since(start) <= time);
                let earliest = clock(first.at.saturating_since(start).as_secs_f64(), true);
                (found, format!("--at {}: the first decision is at {earliest}", span(time)))
            }
            Self::Clock(at) => {
                let found = seen.iter().rev().find(|seen| seen.at <= at);
                let refused = format!("--at @{at}: the decisions go from @{} to @{}", first.at, last.at);
                (found.filter(|_| at <= last.at), refused)
            }
            Self::Sequence(number) => {
                let refused = format!(
                    "no decision has the sequence number {number}: they go from {} to {}, with gaps; --at and --line find \
                     one as well",
                    first.sequence, last.sequence
                );
                (seen.iter().find(|seen| seen.sequence == number), refused)
            }
            Self::Line(line) => {
                let next = seen.iter().find(|seen| seen.line > line).unwrap_or(last).line;
                let refused = format!("line {line} is no decision; the nearest one from there on is on line {next}");
                (seen.iter().find(|seen| seen.line == line), refused)
            }
            Self::Event(number) => {
                let changes = || seen.iter().filter(|seen| seen.changed);
                let before = usize::try_from(number.unsigned_abs()).unwrap_or(usize::MAX).checked_sub(1);
                let nth = |before| if number > 0 { changes().nth(before) } else { changes().nth_back(before) };
                let times = changes().count();
                let refused =
                    format!("--event {number}: the count changes {times} times; give 1 for the first, -1 for the last");
                (before.and_then(nth), refused)
            }
        };
        found.map(|found| (found, None)).ok_or(refused)
    }
}

impl Seen {
    const fn new(line: u64, decision: &Decision, changed: bool) -> Self {
        let Decision { at, sequence, desired, explanation, .. } = decision;
        let lacking = explanation.proposed.saturating_sub(*desired);
        Self { line, at: *at, sequence: *sequence, changed, desired: *desired, lacking }
    }
}

/// When there were as many as this decision wanted, if it did not get them.
fn reached(seen: &[Seen], chosen: &Seen) -> Option<(Timestamp, u32, u64)> {
    let wanted = chosen.desired.saturating_add(chosen.lacking);
    let later = seen.iter().find(|seen| seen.line > chosen.line && seen.desired >= wanted)?;
    (chosen.lacking > 0).then_some((later.at, later.desired, later.line))
}

/// The decision that teaches the most, and why.
fn instructive<'a>(seen: &'a [Seen], last: &'a Seen) -> (&'a Seen, String) {
    let mut worst: Option<(u128, &Seen)> = None;
    let mut from = 0;
    for stretch in seen.chunk_by(|one, next| (one.lacking > 0) == (next.lacking > 0)) {
        let end = seen.get(from + stretch.len()).unwrap_or(last).at;
        from += stretch.len();
        let ends = stretch.iter().skip(1).map(|next| next.at).chain([end]);
        let lacked = stretch
            .iter()
            .zip(ends)
            .map(|(seen, end)| u128::from(seen.lacking) * end.saturating_since(seen.at).as_nanos());
        let lacked = lacked.sum::<u128>();
        // The first of the furthest below.
        let furthest = stretch.iter().rev().max_by_key(|seen| seen.lacking).filter(|seen| seen.lacking > 0);
        if let Some(furthest) = furthest.filter(|_| worst.is_none_or(|(most, _)| lacked > most)) {
            worst = Some((lacked, furthest));
        }
    }
    if let Some((_, seen)) = worst {
        return (seen, "where the count was furthest below what was wanted".to_owned());
    }
    match seen.iter().rev().find(|seen| seen.changed) {
        Some(change) => (change, "the last change of the count".to_owned()),
        None => (last, "the last decision".to_owned()),
    }
}
