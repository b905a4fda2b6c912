//! Explains one decision of a flight log in full: what was seen, what each policy wanted, what each guard made of it; and
//! what would have had to be otherwise for another decision, found by going through the log again.
//!
//! ```text
//! cargo run --release --example explain
//! cargo run --release --example explain -- service.jsonl --at 12m30s
//! ```
#![allow(clippy::float_arithmetic, clippy::arithmetic_side_effects, reason = "numbers for people, no decisions")]
#![allow(clippy::cast_precision_loss, reason = "counts of requests and seconds are far below 2^53")]
#![allow(clippy::std_instead_of_core, reason = "examples have the standard library")]

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use plimsoll::Timestamp;
use serde_json::json;

use crate::account::time;
use crate::choice::{Choice, Chosen};
use crate::counterfactual::{Finding, Findings, Trial};
use crate::failure::Failure;
use crate::human::span;
use crate::log::Log;
use crate::scene::Scene;

#[path = "support/account.rs"]
mod account;
#[path = "support/choice.rs"]
mod choice;
#[path = "support/counterfactual.rs"]
mod counterfactual;
#[path = "support/failure.rs"]
mod failure;
#[path = "support/human.rs"]
mod human;
#[path = "support/knobs.rs"]
mod knobs;
#[path = "support/log.rs"]
mod log;
#[path = "support/scene.rs"]
mod scene;

/// Explains one decision of a flight log in full, and what would have had to be otherwise for another one
#[derive(Debug, Parser)]
#[command(name = "explain", after_help = AFTER_HELP)]
struct Args {
    /// A flight log, such as `replay --record` writes [default: a built-in incident]
    log: Option<PathBuf>,

    /// The last decision until so long after the log begins, or until @SECONDS on its own clock
    #[arg(long, value_name = "TIME", value_parser = moment, group = "which")]
    at: Option<Choice>,
    /// The first decision with this sequence number
    #[arg(long, value_name = "N", group = "which")]
    sequence: Option<u64>,
    /// The decision on this line of the log, as `replay --flight-log` lists them
    #[arg(long, value_name = "N", group = "which")]
    line: Option<u64>,
    /// The K-th change of the count; -1 is the last
    #[arg(long, value_name = "K", group = "which", allow_negative_numbers = true)]
    event: Option<i64>,

    /// Go through at least so many records before the decision again, if there are so many (at most twice as many)
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    reach: usize,
    /// Explain the decision only, and try nothing
    #[arg(long)]
    no_trials: bool,
    /// Print one line of JSON
    #[arg(long)]
    json: bool,
}

const AFTER_HELP: &str = "\
Times are seconds or have units: 90, 12m30s, 1h. Without a choice it explains the decision that was furthest below what
was wanted, or the last change of the count.
The exit code is 0, 2 if something given cannot be used, 1 if the output cannot be written, or 3 if the log is not
reproduced up to the decision, so that nothing can be said about it.";

/// The log that is built in: traffic grows fivefold, and the up delay keeps the pool small.
const INCIDENT: Log =
    Log::BuiltIn { name: "tests/recorded/incident.jsonl", text: include_str!("../tests/recorded/incident.jsonl") };

/// `12m30s` after the log begins, or `@1795000123.5` on its own clock.
fn moment(text: &str) -> Result<Choice, String> {
    let Some(clock) = text.trim().strip_prefix('@') else { return since_start(text).map(Choice::At) };
    let seconds = clock.parse::<f64>().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let expected = "expected seconds on the clock of the log, such as @1795000123.5".to_owned();
    seconds.map(|seconds| Choice::Clock(Timestamp::from_elapsed(seconds))).ok_or(expected)
}

/// `12m30s`, or seconds.
fn since_start(text: &str) -> Result<Duration, String> {
    let expected = || "expected a time since the log begins, such as 90, 90s, 12m30s or 1h".to_owned();
    let trimmed = text.trim();
    if let Ok(seconds) = trimmed.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).map_err(|_| expected());
    }
    let (mut rest, mut total) = (trimmed, 0.0);
    while !rest.is_empty() {
        let (number, tail) = rest.split_at(rest.find(|c: char| c.is_ascii_alphabetic()).ok_or_else(expected)?);
        let (unit, tail) = tail.split_at(tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len()));
        let unit = match unit {
            "ms" => 0.001,
            "s" => 1.0,
            "m" | "min" => 60.0,
            "h" => 3_600.0,
            "d" => 86_400.0,
            _ => return Err(expected()),
        };
        total += number.trim().parse::<f64>().map_err(|_| expected())? * unit;
        rest = tail.trim_start();
    }
    Duration::try_from_secs_f64(total).ok().filter(|_| !trimmed.is_empty()).ok_or_else(expected)
}

fn main() -> ExitCode {
    failure::exit(explain(&Args::parse()))
}

fn explain(args: &Args) -> Result<(), Failure> {
    let log = args.log.as_deref().map_or(INCIDENT, Log::file);
    let chosen = choice(args).find(&log)?;
    let scene = Scene::find(&log, &chosen, args.reach)?;
    let findings = if args.no_trials { None } else { Some(counterfactual::all(&scene).map_err(Failure::Input)?) };
    let mut out = BufWriter::new(io::stdout().lock());
    if args.json {
        writeln!(out, "{}", as_json(&log, &chosen, &scene, findings.as_ref()))?;
    } else {
        heading(&log, &chosen, &scene, &mut out)?;
        account::print(&scene, &mut out)?;
        if let Some(findings) = &findings {
            print(&scene, findings, &mut out)?;
        }
    }
    Ok(out.flush()?)
}

const fn choice(args: &Args) -> Choice {
    match args {
        Args { at: Some(choice), .. } => *choice,
        Args { sequence: Some(number), .. } => Choice::Sequence(*number),
        Args { line: Some(number), .. } => Choice::Line(*number),
        Args { event: Some(number), .. } => Choice::Event(*number),
        _ => Choice::Instructive,
    }
}

fn heading(log: &Log, chosen: &Chosen, scene: &Scene, out: &mut dyn Write) -> io::Result<()> {
    let at = time(scene, scene.decision.at);
    writeln!(out, "{}, line {}: {at} after it begins, sequence {}", log.name(), scene.line, scene.decision.sequence)?;
    if let Some(why) = &chosen.why {
        writeln!(out, "Chosen as {why}; choose another with --at, --line, --sequence or --event.")?;
    }
    writeln!(out, "\n  {}\n", scene.decision)?;
    if let Some((at, count, line)) = chosen.reached {
        let later = span(at.saturating_since(scene.decision.at));
        writeln!(out, "As it went, there were {count} at {}, {later} later (--line {line}).\n", time(scene, at))?;
    }
    if scene.explained.at != scene.decision.at {
        let before = span(scene.decision.at.saturating_since(scene.explained.at));
        writeln!(out, "The count changed by itself {before} before; this is how:\n  {}\n", scene.explained)?;
    }
    Ok(())
}

fn print(scene: &Scene, findings: &Findings, out: &mut dyn Write) -> io::Result<()> {
    let desired = scene.decision.desired;
    writeln!(out, "\nWhat would have made it another decision than {desired}, each by itself:")?;
    if findings.changes.is_empty() {
        writeln!(out, "  nothing that was tried")?;
    }
    let mut bound = true;
    for (number, finding) in findings.changes.iter().enumerate() {
        if bound && !finding.bound && number > 0 {
            writeln!(out, "What did not decide it, and would have changed it as well:")?;
        }
        bound = finding.bound;
        for line in sentences(scene, finding) {
            writeln!(out, "  {line}")?;
        }
    }
    if !findings.indifferent.is_empty() {
        writeln!(out, "No difference at either end of its range: {}.", findings.indifferent.join(", "))?;
    }
    if !findings.untried.is_empty() {
        writeln!(out, "Not tried: {}.", findings.untried.join(", "))?;
    }
    let Findings { runs, records, from_line, .. } = findings;
    writeln!(
        out,
        "Found by going through lines {from_line} to {} again {runs} times ({records} records), each time with one \
         setting\nchanged wherever it stood so. Requests, workers and orders of the time stay what they were: it is what \
         would\nhave been wanted in that situation, not what other workers would have done to the queue.",
        scene.line
    )
}

/// What one finding says, a line each.
fn sentences(scene: &Scene, finding: &Finding) -> Vec<String> {
    let Finding { of, was, least, full, earlier, orders, .. } = finding;
    let instead = format!(" ready or ordered, not {},", scene.status.committed);
    let of_what = if *orders { instead.as_str() } else { "" };
    let since = |trial: &Trial| match trial.since {
        Some(since) if trial.earlier_s >= 1.0 => format!(", since {}", time(scene, since)),
        _ => String::new(),
    };
    let with = |trial: &Trial| match trial.beyond {
        Some(beyond) => format!("{of} {} {beyond}", trial.words),
        None if trial.words.is_empty() => format!("without {of}"),
        None => format!("{of} {}", trial.words),
    };
    let with = |trial: &Trial| {
        let with = with(trial);
        if trial.words.is_empty() { with } else { format!("with {with}") }
    };
    let was = if was.is_empty() { String::new() } else { format!(" (it was {was})") };
    let mut lines = Vec::new();
    if let Some(trial) = least {
        lines.push(format!("{}{of_what} {}{was}{}", trial.workers, with(trial), since(trial)));
    }
    if let Some(trial) = full {
        lines.push(format!("{} {}{}", trial.workers, with(trial), since(trial)));
    }
    for trial in earlier {
        let before = span(Duration::try_from_secs_f64(trial.earlier_s).unwrap_or_default());
        lines.push(format!("{} already {before} earlier {}{was}", trial.workers, with(trial)));
    }
    lines
}

fn as_json(log: &Log, chosen: &Chosen, scene: &Scene, findings: Option<&Findings>) -> serde_json::Value {
    let formulas = scene.explained.proposals.iter().enumerate();
    let formulas = formulas.filter_map(|(number, proposal)| Some(account::formula(scene, number, proposal.as_ref()?)));
    json!({
        "flight_log": log.name(),
        "line": scene.line,
        "t_s": scene.decision.at.saturating_since(scene.start).as_secs_f64(),
        "chosen": chosen.why,
        "reached_s": chosen.reached.map(|(at, ..)| at.saturating_since(scene.start).as_secs_f64()),
        "text": scene.decision.to_string(),
        "decision": scene.decision,
        "explained": scene.explained,
        "formulas": formulas.collect::<Vec<_>>(),
        "status": scene.status,
        "counterfactuals": findings,
    })
}
