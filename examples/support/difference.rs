//! Decisions of a flight log that come out otherwise: each as a line, the first of them as a table, and the sum of all.

use std::io::{self, Write};

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use plimsoll::{Command, Decision, Timestamp};
use serde::Serialize;

use crate::flight::Summary;
use crate::human::{clock, command};
use crate::record::LogFormat;

/// How many differences the table lists before it says how many more there are.
const MAX_ROWS: usize = 40;
/// The width of the table, in characters.
const WIDTH: u16 = 140;

/// A decision that comes out otherwise.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Difference {
    /// Of the log.
    line: u64,
    at: Option<Timestamp>,
    /// Since the autoscaler began, in seconds.
    t_s: f64,
    recorded: Side,
    replayed: Side,
}

/// What was decided, and why.
#[derive(Clone, Debug, Default, Serialize)]
struct Side {
    desired: Option<u32>,
    code: &'static str,
    text: String,
    commands: Vec<Command>,
}

impl Side {
    fn new(decision: &Decision) -> Self {
        Self {
            desired: Some(decision.desired),
            code: decision.explanation.code(),
            text: decision.to_string(),
            commands: decision.commands.clone(),
        }
    }

    fn words(&self) -> String {
        let commands: Vec<_> = self.commands.iter().map(command).collect();
        let commands = if commands.is_empty() { String::new() } else { format!("  [{}]", commands.join(", ")) };
        format!("{}{commands}", self.text)
    }
}

impl Difference {
    pub(crate) fn of_decisions(line: u64, start: Timestamp, recorded: &Decision, replayed: &Decision) -> Self {
        let t_s = recorded.at.saturating_since(start).as_secs_f64();
        let (mut then, mut now) = (Side::new(recorded), Side::new(replayed));
        if then.words() == now.words() {
            // What differs is not in the words.
            let json = |decision| serde_json::to_string(decision).unwrap_or_default();
            let (one, other) = (json(recorded), json(replayed));
            let from = one.bytes().zip(other.bytes()).position(|(a, b)| a != b).unwrap_or(0).saturating_sub(40);
            let excerpt = |json: &str| json.chars().skip(from).take(120).collect();
            (then.text, now.text) = (excerpt(&one), excerpt(&other));
        }
        Self { line, at: Some(recorded.at), t_s, recorded: then, replayed: now }
    }

    pub(crate) fn of_observation(line: u64, text: String) -> Self {
        let replayed = Side { text, ..Side::default() };
        Self { line, at: None, t_s: 0.0, recorded: Side::default(), replayed }
    }
}

/// Takes the differences one by one.
pub(crate) struct Differences<'a> {
    log: Option<LogFormat>,
    out: &'a mut dyn Write,
    rows: Vec<Difference>,
    /// Further differences that are not in `rows`.
    more: u64,
    /// The two counts of the last decision, if it differed.
    last: Option<(Option<u32>, Option<u32>)>,
}

impl<'a> Differences<'a> {
    pub(crate) fn new(log: Option<LogFormat>, out: &'a mut dyn Write) -> Self {
        Self { log, out, rows: Vec::new(), more: 0, last: None }
    }

    pub(crate) fn add(&mut self, difference: Difference) -> io::Result<()> {
        match self.log {
            None => {}
            Some(LogFormat::Text) => {
                let (time, line) = (clock(difference.t_s, true), difference.line);
                let (recorded, replayed) = (difference.recorded.words(), difference.replayed.words());
                writeln!(self.out, "{time}  line {line}\n  recorded  {recorded}\n  instead   {replayed}")?;
            }
            Some(LogFormat::Json) => {
                serde_json::to_writer(&mut self.out, &difference)?;
                writeln!(self.out)?;
            }
        }
        // Of several in a row with the same two counts the table has the first.
        let counts = Some((difference.recorded.desired, difference.replayed.desired));
        if self.rows.len() < MAX_ROWS && counts != self.last {
            self.rows.push(difference);
        } else {
            self.more += 1;
        }
        self.last = counts;
        Ok(())
    }

    /// A decision came out the same.
    pub(crate) const fn agree(&mut self) {
        self.last = None;
    }

    /// Writes the table, what it sums up to, and what must be said about the log.
    pub(crate) fn table(&mut self, summary: &Summary) -> io::Result<()> {
        let under = summary.config.as_deref().unwrap_or("the recorded configuration");
        writeln!(self.out, "{} under {under}", summary.flight_log)?;
        if !self.rows.is_empty() && self.log.is_none() {
            let mut table = Table::new();
            table.load_preset(presets::UTF8_FULL).set_content_arrangement(ContentArrangement::Dynamic).set_width(WIDTH);
            table.set_header(["Time", "Line", "As recorded", &format!("Under {under}")]);
            for row in &self.rows {
                table.add_row([clock(row.t_s, true), row.line.to_string(), row.recorded.words(), row.replayed.words()]);
            }
            if let Some(line) = table.column_mut(1) {
                line.set_cell_alignment(CellAlignment::Right);
            }
            writeln!(self.out, "{table}")?;
            if self.more > 0 {
                let more = self.more;
                writeln!(self.out, "and {more} more, most with the same counts as the one before: see --log text")?;
            }
        }
        summary.sum_up(self.out)
    }
}

impl Summary {
    /// Whether every record came out as it stands in the log.
    pub(crate) const fn is_reproduced(&self) -> bool {
        self.differ == 0 && self.refused_otherwise == 0
    }

    /// Why the log is not reproduced, with the first line that is not.
    pub(crate) fn complaint(&self) -> String {
        let (line, then, now) = self.first_difference.as_ref().map_or((0, "", ""), |difference| {
            (difference.line, difference.recorded.text.as_str(), difference.replayed.text.as_str())
        });
        format!(
            "{}, line {line}: not reproduced: the log has `{then}`, the replay `{now}`; {} of {} decisions differ; if \
             another release wrote the log, replay it with that one",
            self.flight_log, self.differ, self.decisions
        )
    }

    fn sum_up(&self, out: &mut dyn Write) -> io::Result<()> {
        let duration = clock(self.duration_s, true);
        let (observations, refused, decisions) = (self.observations, self.refused_observations, self.decisions);
        writeln!(out, "{observations} observations ({refused} refused), {decisions} decisions in {duration}")?;
        if self.config.is_none() {
            if self.is_reproduced() {
                writeln!(out, "Every decision is reproduced, byte for byte.")?;
            } else {
                writeln!(out, "{} decisions are not reproduced.", self.differ)?;
            }
        } else {
            let first = self.first_difference.as_ref();
            let first = first.map(|first| format!(", the first at {} (line {})", clock(first.t_s, true), first.line));
            writeln!(out, "{} decisions differ{}", self.differ, first.unwrap_or_default())?;
            let (then, now) = (self.worker_hours_recorded, self.worker_hours_replayed);
            writeln!(out, "Worker-hours wanted: {then:.2} as recorded, {now:.2} instead")?;
            if self.refused_otherwise > 0 {
                writeln!(out, "{} observations are refused otherwise", self.refused_otherwise)?;
            }
            if self.reconfigurations > 0 {
                writeln!(out, "{} recorded reconfigurations are left out", self.reconfigurations)?;
            }
        }
        for line in &self.cut_off {
            writeln!(
                out,
                "Line {line} is cut off, as by a crash of the process that wrote it: all before it is replayed"
            )?;
        }
        Ok(())
    }
}
