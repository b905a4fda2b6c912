//! How well an objective decides without being told anything else: against other autoscalers at their stock settings, or
//! with `--tuned` at some ninety settings, on 66 scenarios.
//!
//! ```text
//! cargo run --release --example quality
//! cargo run --release --example quality -- --check
//! cargo run --release --example quality -- worldcup --tuned
//! ```
#![allow(clippy::float_arithmetic, clippy::arithmetic_side_effects, reason = "numbers for people, no decisions")]
#![allow(clippy::cast_precision_loss, reason = "counts of requests and seconds are far below 2^53")]
#![allow(clippy::std_instead_of_core, reason = "examples have the standard library")]

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use plimsoll::Share;
use plimsoll::sim::{Objective, Options, References};
use serde::Serialize;

#[path = "support/failure.rs"]
mod failure;
#[path = "support/quality/fleet.rs"]
mod fleet;
#[path = "support/input.rs"]
mod input;
#[path = "support/quality/oracle.rs"]
mod oracle;
#[path = "support/page.rs"]
mod page;
#[path = "support/parallel.rs"]
mod parallel;
#[path = "support/quality/picture.rs"]
mod picture;
#[path = "support/quality/robust.rs"]
mod robust;
#[path = "support/quality/rules.rs"]
mod rules;
#[path = "support/quality/score.rs"]
mod score;
#[path = "support/quality/suite.rs"]
mod suite;
#[path = "support/quality/table.rs"]
mod table;
#[path = "support/quality/telling.rs"]
mod telling;
#[path = "support/quality/trial.rs"]
mod trial;
#[path = "support/words.rs"]
mod words;

use failure::Failure;
use oracle::Oracles;
use rules::Rule;
use score::Quality;
use suite::Scenario;
use table::{Style, Table};
use trial::Trial;

/// How well an objective decides, against other autoscalers
#[derive(Debug, Parser)]
#[command(name = "quality", after_help = AFTER_HELP)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
struct Args {
    /// Only workloads whose names contain this, or services of the fleet
    #[arg(default_value = "")]
    workload: String,
    /// The objectives: this share of the requests starts in time. The first is shown in detail
    #[arg(long, value_name = "SHARES", value_parser = input::share, value_delimiter = ',', default_value = "0.99,0.95,0.9")]
    share: Vec<Share>,
    /// Within this time in all workloads, in place of the 100 ms to 1 s of each
    #[arg(long, value_name = "TIME", value_parser = input::duration, conflicts_with = "fleet")]
    within: Option<Duration>,
    /// For no more than so many worker-seconds for each late request less
    #[arg(long, value_name = "PRICE", value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "fleet")]
    price_cap: Option<u32>,
    /// On 42 other scenarios, on which nothing was chosen
    #[arg(long)]
    check: bool,
    /// Tune the others: run each at all the settings that somebody would try, an hour or so of two processors
    #[arg(long)]
    tuned: bool,
    /// Folder for the report, and for the trials as CSV
    #[arg(long, value_name = "DIR", default_value = "quality-report")]
    out: PathBuf,
    /// Take the others' trials from such a CSV instead of running them
    #[arg(long, value_name = "FILE", conflicts_with = "tuned")]
    others: Option<PathBuf>,
    /// What becomes of the first share on platforms with troubles
    #[arg(long, conflicts_with_all = ["tuned", "others", "oracles"])]
    robust: bool,
    /// A price for each late request on 66 small services, against all settings of the others
    #[arg(long, conflicts_with_all = ["tuned", "others", "oracles", "robust", "check"])]
    fleet: bool,
    /// Also against those who know the arrival rate: read from this CSV; what is not there is added, which takes
    /// a minute or two of a processor. They are those of the first share
    #[arg(long, value_name = "FILE")]
    oracles: Option<PathBuf>,
    /// Print one line of JSON, not tables
    #[arg(long)]
    json: bool,
    /// The shares alone: neither prices nor bounds, in half the time
    #[arg(long)]
    brief: bool,
    /// Print the short tables alone, in Markdown
    #[arg(long, conflicts_with = "json")]
    markdown: bool,
    /// Print no progress
    #[arg(short, long)]
    quiet: bool,
}

impl Args {
    const fn style(&self) -> Style {
        if self.markdown { Style::Markdown } else { Style::Lines }
    }
}

const AFTER_HELP: &str = "\
Cost is in worker-seconds, from a worker's order until it is gone; the first ten minutes do not count. The bound is what no
policy can go below and keep the share. The objective is told the time and the share (or the price), and nothing else.
The exit code is 0, or 2 if something given cannot be used, or 1 if the output cannot be written.";

fn main() -> ExitCode {
    failure::exit(quality(&Args::parse()))
}

fn quality(args: &Args) -> Result<(), Failure> {
    let mut out = BufWriter::new(io::stdout().lock());
    if args.fleet {
        return fleet(args, &mut out);
    }
    let mut loads = suite::loads(&args.workload, args.check).map_err(Failure::Input)?;
    for load in &mut loads {
        load.within = args.within.unwrap_or(load.within);
        load.price_cap = args.price_cap;
    }
    let scenarios = suite::scenarios(&loads);
    if args.robust {
        return robust(args, &scenarios, &mut out);
    }
    let shares: Vec<f64> = args.share.iter().map(|share| share.as_f64()).collect();
    let mut rules: Vec<_> = shares.iter().map(|share| Rule::Share(*share)).collect();
    if !args.brief {
        rules.extend(rules::PRICES.map(Rule::Price));
    }
    let mut others = Vec::new();
    match &args.others {
        Some(path) => others = earlier(path, &scenarios).map_err(Failure::Input)?,
        None if args.tuned => rules.extend(rules::grid()),
        None => rules.extend(rules::stock()),
    }
    let work: Vec<_> = scenarios.iter().flat_map(|scenario| rules.iter().map(move |rule| (rule, *scenario))).collect();
    let progress = progress(args.quiet, work.len());
    let trials = parallel::map(&work, parallel::processors(), &progress, |(rule, scenario)| trial::run(rule, scenario));
    let bounded = if args.brief { &[] } else { &scenarios[..] };
    let bounds = args
        .share
        .first()
        .map(|share| parallel::map(bounded, parallel::processors(), &progress, |scenario| bound(scenario, *share)));
    let oracles = oracles(args, &scenarios, &progress)?;
    progress.finish_and_clear();
    let mut trials = trials.into_iter().collect::<Result<Vec<Trial>, _>>().map_err(Failure::Input)?;
    trials.append(&mut others);
    let bounds: BTreeMap<_, _> = scenarios.iter().map(Scenario::name).zip(bounds.unwrap_or_default()).collect();
    let quality = Quality::of(&trials, &bounds, &oracles, &shares);
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&quality).map_err(io::Error::from)?)?;
    } else {
        print(&quality, args, &mut out)?;
    }
    let unwritable = |error: Box<dyn Error>| {
        Failure::Output(format!("{}: the report cannot be written: {error}", args.out.display()))
    };
    let path = picture::page(&quality, &trials, &args.out).map_err(unwritable)?;
    if !args.json && !args.markdown {
        writeln!(out, "Report: {}", path.display())?;
    }
    Ok(out.flush()?)
}

/// The objective on platforms with troubles.
fn robust(args: &Args, scenarios: &[Scenario<'_>], out: &mut dyn Write) -> Result<(), Failure> {
    let Some(share) = args.share.first().map(|share| share.as_f64()) else { return Ok(()) };
    let progress = progress(args.quiet, robust::runs(scenarios));
    let rows = robust::rows(scenarios, share, &progress).map_err(Failure::Input)?;
    progress.finish_and_clear();
    tell(args, &rows, &robust::table(&rows, share), out)
}

/// Prices on many small services.
fn fleet(args: &Args, out: &mut dyn Write) -> Result<(), Failure> {
    let loads = fleet::loads(&args.workload).map_err(Failure::Input)?;
    let progress = progress(args.quiet, fleet::runs(&loads));
    let rows = fleet::rows(&loads, &progress).map_err(Failure::Input)?;
    progress.finish_and_clear();
    tell(args, &rows, &fleet::table(&rows), out)
}

fn tell<T: Serialize>(args: &Args, rows: &[T], table: &Table, out: &mut dyn Write) -> Result<(), Failure> {
    if args.json {
        writeln!(out, "{}", serde_json::to_string(rows).map_err(io::Error::from)?)?;
    } else {
        writeln!(out, "{}", table.text(args.style()))?;
    }
    Ok(out.flush()?)
}

fn print(quality: &Quality, args: &Args, out: &mut dyn Write) -> io::Result<()> {
    let style = args.style();
    if !args.markdown {
        writeln!(out, "{}\n{}", telling::scores(quality).text(style), telling::PRICED)?;
        if args.tuned || args.others.is_some() {
            writeln!(out, "{}", telling::pairs(quality).text(style))?;
        }
    }
    writeln!(out, "{}\n{}\n", telling::goals(quality).text(style), telling::SETTINGS)?;
    let tables = [telling::against(quality), telling::reversals(quality), telling::missed(quality)];
    for table in tables.iter().filter(|table| !table.is_empty()) {
        writeln!(out, "{}\n", table.text(style))?;
    }
    Ok(())
}

/// Of the first share: from the file if it is there.
fn oracles(args: &Args, scenarios: &[Scenario<'_>], progress: &ProgressBar) -> Result<Vec<Oracles>, Failure> {
    let (Some(path), Some(share)) = (&args.oracles, args.share.first()) else { return Ok(Vec::new()) };
    let mut found = Oracles::read(path).map_err(Failure::Input)?;
    let of = |found: &[Oracles], name: &str| found.iter().find(|oracle| oracle.is_of(name, *share)).cloned();
    let missing: Vec<_> = scenarios.iter().filter(|scenario| of(&found, &scenario.name()).is_none()).collect();
    if !missing.is_empty() {
        progress.inc_length(missing.len() as u64);
        found.extend(parallel::map(&missing, parallel::processors(), progress, |it| Oracles::of(it, *share)));
        Oracles::write(path, &found)
            .map_err(|error| Failure::Output(format!("{}: cannot be written: {error}", path.display())))?;
    }
    Ok(scenarios.iter().filter_map(|scenario| of(&found, &scenario.name())).collect())
}

fn bound(scenario: &Scenario<'_>, share: Share) -> f64 {
    let mut options = Options::default();
    options.cold_start = scenario.cold_start;
    let objective = Objective { share, within: scenario.load.within };
    References::bound(&trial::counted(&scenario.load.workload), scenario.concurrency, objective, &options) * 3_600.0
}

/// The others' trials of an earlier run, of these scenarios.
fn earlier(path: &std::path::Path, scenarios: &[Scenario<'_>]) -> Result<Vec<Trial>, String> {
    let unreadable = |error: csv::Error| format!("{}: cannot be read: {error}", path.display());
    let names: Vec<_> = scenarios.iter().map(Scenario::name).collect();
    let mut found = Vec::new();
    for trial in csv::Reader::from_path(path).map_err(unreadable)?.deserialize::<Trial>() {
        let trial = trial.map_err(unreadable)?;
        if !trial.objective && names.contains(&trial.scenario) {
            found.push(trial);
        }
    }
    Ok(found)
}

fn progress(quiet: bool, runs: usize) -> ProgressBar {
    let progress = if quiet { ProgressBar::hidden() } else { ProgressBar::new(runs as u64) };
    if let Ok(style) = ProgressStyle::with_template("[{bar:40}] {pos} of {len} runs, {elapsed}, {eta} left") {
        progress.set_style(style.progress_chars("=> "));
    }
    progress
}
