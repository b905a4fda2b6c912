//! Looks on while a replay runs: shows the progress, writes the decision log, keeps the scaling events.

use std::io::{self, IsTerminal, Write};

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use plimsoll::sim::Watch;
use plimsoll::{Command, Config, Decision, Explanation, Timestamp};
use serde::Serialize;

use crate::human::{clock, command};
use crate::report::Event;

/// How decisions are written, one per line.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum LogFormat {
    /// `0:12:34  3 → 5: the reason  [start 2]`
    Text,
    /// One JSON object with the time, the count before and after, the reason, the commands and all signals
    Json,
}

/// What happens while a replay runs.
pub(crate) struct Record<'a> {
    log: Option<LogFormat>,
    out: &'a mut dyn Write,
    /// The first error in writing the log; nothing is written after it.
    pub(crate) failed: Option<io::Error>,
    bar: ProgressBar,
    count: u32,
    pub(crate) events: Vec<Event>,
    pub(crate) decisions: u64,
}

/// A line of the JSON log.
#[derive(Serialize)]
struct Line<'a> {
    at: Timestamp,
    from: u32,
    to: u32,
    code: &'a str,
    reason: &'a str,
    commands: &'a [Command],
    explanation: &'a Explanation,
}

impl<'a> Record<'a> {
    pub(crate) fn new(config: &Config, log: Option<LogFormat>, quiet: bool, out: &'a mut dyn Write) -> Self {
        // A log that scrolls by on the same terminal is progress enough.
        let hidden = quiet || (log.is_some() && io::stdout().is_terminal());
        let target = if hidden { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let bar = ProgressBar::with_draw_target(Some(0), target);
        if let Ok(style) = ProgressStyle::with_template("replaying {wide_bar} {human_pos} of {human_len} requests") {
            bar.set_style(style);
        }
        Self { log, out, failed: None, bar, count: config.min(), events: Vec::new(), decisions: 0 }
    }

    /// Takes the progress bar away.
    pub(crate) fn close(self) -> Self {
        self.bar.finish_and_clear();
        self
    }

    fn write(&mut self, decision: &Decision, reason: &str) -> io::Result<()> {
        let (from, to) = (self.count, decision.desired);
        match self.log {
            None => Ok(()),
            Some(LogFormat::Text) => {
                let time = clock(seconds(decision.at), true);
                let count = if from == to { to.to_string() } else { format!("{from} → {to}") };
                let commands: Vec<_> = decision.commands.iter().map(command).collect();
                let commands = if commands.is_empty() { String::new() } else { format!("  [{}]", commands.join(", ")) };
                writeln!(self.out, "{time}  {count}: {reason}{commands}")
            }
            Some(LogFormat::Json) => {
                let Decision { at, commands, explanation, .. } = decision;
                let line = Line { at: *at, from, to, code: explanation.code(), reason, commands, explanation };
                serde_json::to_writer(&mut self.out, &line)?;
                writeln!(self.out)
            }
        }
    }
}

impl Watch for Record<'_> {
    fn decision(&mut self, decision: &Decision) {
        let text = decision.to_string();
        // The text begins with the count, which has a place of its own here.
        let reason = text.split_once(": ").map_or(text.as_str(), |(_, reason)| reason);
        if self.failed.is_none() {
            self.failed = self.write(decision, reason).err();
        }
        if decision.desired != self.count {
            self.events.push(Event {
                t_s: seconds(decision.at),
                from: self.count,
                to: decision.desired,
                code: decision.explanation.code().to_owned(),
                text: reason.to_owned(),
            });
        }
        self.count = decision.desired;
        self.decisions += 1;
    }

    fn progress(&mut self, arrived: usize, total: usize) {
        self.bar.set_length(total as u64);
        self.bar.set_position(arrived as u64);
    }
}

const fn seconds(at: Timestamp) -> f64 {
    at.saturating_since(Timestamp::ORIGIN).as_secs_f64()
}
