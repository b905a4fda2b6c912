//! Replays a workload through the autoscaler and shows what it would have done: how long requests would have waited,
//! what the workers would have cost, and why each decision was made.
//!
//! ```text
//! cargo run --release --example replay
//! cargo run --release --example replay -- traffic.csv --config autoscaler.yaml --cold-start 45s --log text
//! ```
//!
//! It also goes through the flight log of a service again: the same decisions, or those of another configuration.
//!
//! ```text
//! cargo run --release --example replay -- --flight-log incident.jsonl
//! cargo run --release --example replay -- --flight-log incident.jsonl --config other.yaml
//! ```
#![allow(clippy::float_arithmetic, clippy::arithmetic_side_effects, reason = "numbers for people, no decisions")]
#![allow(clippy::cast_precision_loss, reason = "counts of requests and seconds are far below 2^53")]
#![allow(clippy::std_instead_of_core, reason = "examples have the standard library")]

use std::error::Error;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use plimsoll::config::{Effective, Override};
use plimsoll::sim::{simulate, simulate_recorded};
use plimsoll::{Config, Preset};

use crate::difference::Differences;
use crate::failure::Failure;
use crate::log::Log;
use crate::record::{LogFormat, Record};
use crate::run::Run;
use crate::setup::Setup;

#[path = "support/bound.rs"]
mod bound;
#[path = "support/difference.rs"]
mod difference;
#[path = "support/failure.rs"]
mod failure;
#[path = "support/flight.rs"]
mod flight;
#[path = "support/human.rs"]
mod human;
#[path = "support/input.rs"]
mod input;
#[path = "support/log.rs"]
mod log;
#[path = "support/output.rs"]
mod output;
#[path = "support/record.rs"]
mod record;
#[path = "support/report.rs"]
mod report;
#[path = "support/run.rs"]
mod run;
#[path = "support/setup.rs"]
mod setup;

/// Replays a workload through the autoscaler and shows what it would have done, what it would have cost and why
#[derive(Debug, Parser)]
#[command(name = "replay", after_help = AFTER_HELP)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
struct Args {
    /// Workload as CSV: `arrival_ms,service_ms[,pool]` or `t_s,requests` [default: a built-in hour of an LLM service]
    workload: Option<PathBuf>,

    /// Configuration, in the format that its ending names: .yaml, .yml, .toml or .json
    #[arg(long, value_name = "FILE", conflicts_with = "preset")]
    config: Option<PathBuf>,
    /// A configuration by name [default: outpost-gpu]
    #[arg(long, value_name = "NAME", value_parser = presets())]
    preset: Option<Preset>,
    /// How many requests a worker serves at a time [default: as configured]
    #[arg(long, value_name = "N")]
    concurrency: Option<u32>,
    /// Print every setting, its value and where that came from (as JSON with --json), and replay nothing
    #[arg(long)]
    explain_config: bool,

    #[command(flatten)]
    setup: Setup,

    /// Go through a flight log again, and say of every decision whether it comes out the same; with a configuration, what
    /// it would have decided instead
    #[arg(long, value_name = "FILE", conflicts_with_all = SIMULATED)]
    flight_log: Option<PathBuf>,
    /// Write a flight log of the replay: each observation and decision, as lines of JSON
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,

    /// Folder for the report
    #[arg(long, value_name = "DIR", default_value = "replay-report")]
    out: PathBuf,
    /// Write no report
    #[arg(long)]
    no_report: bool,
    /// Print each decision (of a flight log: each that differs) as text or as a line of JSON
    #[arg(long, value_name = "FORMAT")]
    log: Option<LogFormat>,
    /// Print the summary as one line of JSON, not as a table
    #[arg(long)]
    json: bool,
    /// Print no table and no progress
    #[arg(short, long)]
    quiet: bool,
}

/// The configuration, if none is given.
const DEFAULT: Preset = Preset::OutpostGpu;

const AFTER_HELP: &str = "\
Times are seconds, or a number with ms, s, m or h: 20s, 250ms, 1.5.
The exit code is 0, 2 if something given cannot be used, 1 if the output cannot be written, or 3 if a flight log is not
reproduced under its own configuration.";

/// What is of no use for a flight log.
const SIMULATED: [&str; 14] = [
    "workload",
    "platform",
    "record",
    "cold_start",
    "warm_start",
    "start_spread",
    "seed",
    "price",
    "pool",
    "service",
    "divide",
    "max_requests",
    "out",
    "no_report",
];

fn presets() -> impl TypedValueParser<Value = Preset> {
    let value = |preset: Preset| PossibleValue::new(preset.name()).help(preset.description());
    PossibleValuesParser::new(Preset::ALL.map(value)).try_map(|name| name.parse::<Preset>())
}

fn main() -> ExitCode {
    failure::exit(replay(&Args::parse()))
}

fn replay(args: &Args) -> Result<(), Failure> {
    let effective = configured(args)?;
    if args.explain_config {
        return explain(&effective, args.json);
    }
    let config = effective.into_config();
    if let Some(log) = &args.flight_log {
        return replay_flight(args, &Log::file(log), config);
    }
    let workload = input::workload(args.workload.as_deref(), &args.setup.read_options()).map_err(Failure::Input)?;
    let options = args.setup.options().map_err(Failure::Input)?;
    let expected = setup::expectations(&workload, &config, options.mean_cold_start())
        .map_err(|error| Failure::Input(error.to_string()))?;

    let mut out = BufWriter::new(io::stdout().lock());
    let mut record = Record::new(&config, args.log, args.quiet, &mut out);
    let outcome = match &args.record {
        None => simulate(&workload, &config, &options, &mut record),
        Some(path) => {
            let mut log = flight::Writer::new(path)?;
            let outcome = simulate_recorded(&workload, &config, &options, &mut record, &mut |record| log.write(record));
            log.close()?;
            outcome
        }
    };
    let Record { events, decisions, failed, .. } = record.close();
    failed.map_or(Ok(()), Err)?;

    let run = Run {
        over_bound: bound::over(&workload, &config, &options, &outcome),
        workload: name(args.workload.as_deref(), workload.name(), args.setup.pool),
        under: under(args),
        lints: config.lint(&expected),
        notice: args.workload.is_none().then_some(input::HOUR_NOTICE),
        config,
        options,
        outcome,
        events,
        decisions,
    };
    let unwritable = |error: Box<dyn Error>| {
        Failure::Output(format!("{}: the report cannot be written: {error}", args.out.display()))
    };
    let report = if args.no_report { None } else { Some(output::page(&run, &args.out).map_err(unwritable)?) };
    if args.json {
        writeln!(out, "{}", run.json(report.as_deref()).map_err(io::Error::from)?)?;
    } else if !args.quiet {
        output::table(&run, report.as_deref(), &mut out)?;
    }
    Ok(out.flush()?)
}

/// Goes through a flight log again; under `config` if the command line says anything about it.
fn replay_flight(args: &Args, log: &Log, config: Config) -> Result<(), Failure> {
    let given = args.config.is_some() || args.preset.is_some() || args.concurrency.is_some();
    let mut out = BufWriter::new(io::stdout().lock());
    let mut differences = Differences::new(args.log, &mut out);
    let summary = flight::replay(log, given.then(|| (under(args), config)), &mut differences)?;
    if !args.json && !args.quiet {
        differences.table(&summary)?;
    }
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&summary).map_err(io::Error::from)?)?;
    }
    out.flush()?;
    if given || summary.is_reproduced() { Ok(()) } else { Err(Failure::Finding(summary.complaint())) }
}

fn configured(args: &Args) -> Result<Effective, Failure> {
    let effective = match (&args.config, args.preset, &args.flight_log) {
        (Some(file), ..) => input::config(file).map_err(Failure::Input)?,
        (None, Some(preset), _) => preset.into(),
        (None, None, Some(log)) => flight::configuration(&Log::file(log))?.into(),
        (None, None, None) => DEFAULT.into(),
    };
    let Some(slots) = args.concurrency else { return Ok(effective) };
    let changes = serde_json::from_value::<Override>(serde_json::json!({ "concurrency": slots }));
    let refused = |error: String| Failure::Input(format!("--concurrency: {error}"));
    let changes = changes.map_err(|error| refused(error.to_string()))?;
    effective.with_override("--concurrency", changes).map_err(|error| refused(error.to_string()))
}

/// What a heading calls the configuration.
fn under(args: &Args) -> String {
    match (args.preset, args.concurrency) {
        (None, Some(slots)) if args.config.is_none() && args.flight_log.is_some() => format!("--concurrency {slots}"),
        (preset, _) => name(args.config.as_deref(), preset.unwrap_or(DEFAULT).name(), None),
    }
}

fn explain(effective: &Effective, json: bool) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    if json {
        writeln!(out, "{}", serde_json::to_string(effective).map_err(io::Error::from)?)?;
    } else {
        writeln!(out, "{effective}")?;
    }
    Ok(out.flush()?)
}

/// What a heading calls a file: its last part; `otherwise` if there is no file.
fn name(file: Option<&Path>, otherwise: &str, pool: Option<u32>) -> String {
    let file = file.and_then(|file| file.file_name()).map(|name| name.to_string_lossy().into_owned());
    let name = file.unwrap_or_else(|| otherwise.to_owned());
    pool.map_or_else(|| name.clone(), |pool| format!("{name} (pool {pool})"))
}
