//! Compares policies on the same workload: what each costs, how long its users wait, and what would have been possible.
//!
//! ```text
//! cargo run --release --example compare
//! cargo run --release --example compare -- traffic.csv --config autoscaler.yaml --peer hpa.yaml --cold-start 45s
//! ```
//!
//! Without a workload it takes two hours of real LLM services; without a policy, other autoscalers at their stock settings
//! and some native configurations.
#![allow(clippy::float_arithmetic, clippy::arithmetic_side_effects, reason = "numbers for people, no decisions")]
#![allow(clippy::cast_precision_loss, reason = "counts of requests and seconds are far below 2^53")]
#![allow(clippy::std_instead_of_core, reason = "examples have the standard library")]

use std::error::Error;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use plimsoll::Share;
use plimsoll::sim::{Objective, Options, ReadOptions, Workload};

#[path = "support/comparison.rs"]
mod comparison;
#[path = "support/contenders.rs"]
mod contenders;
#[path = "support/contest.rs"]
mod contest;
#[path = "support/failure.rs"]
mod failure;
#[path = "support/input.rs"]
mod input;
#[path = "support/page.rs"]
mod page;
#[path = "support/parallel.rs"]
mod parallel;
#[path = "support/summary.rs"]
mod summary;
#[path = "support/words.rs"]
mod words;

use failure::Failure;

/// Compares policies on the same workload: cost, waiting, and what would have been possible
#[derive(Debug, Parser)]
#[command(name = "compare", after_help = AFTER_HELP)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
struct Args {
    /// Workloads as CSV, or folders of them: `arrival_ms,service_ms[,pool]` or `t_s,requests`; what is only so for one file is
    /// said after its name, such as `web.csv,divide=100,service=1s` [default: two built-in hours]
    #[arg(value_parser = source)]
    workloads: Vec<Source>,

    /// A native configuration: .yaml, .yml, .toml or .json; may be given again
    #[arg(long, value_name = "FILE")]
    config: Vec<PathBuf>,
    /// Another autoscaler's configuration under its name, such as `knative: {annotations: …}`: .yaml, .yml or .json; may be
    /// given again
    #[arg(long, value_name = "FILE")]
    peer: Vec<PathBuf>,

    /// The objective: this share of the requests …
    #[arg(long, value_name = "SHARE", value_parser = input::share, default_value = "0.99")]
    share: Share,
    /// … starts within this time
    #[arg(long, value_name = "TIME", value_parser = input::duration, default_value = "1s")]
    within: Duration,
    /// Requests that a worker serves at a time
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    concurrency: u32,
    /// How the simulated platform behaves and what it costs: .yaml, .yml, .toml or .json
    #[arg(long, value_name = "FILE", conflicts_with = "cold_start")]
    platform: Option<PathBuf>,
    /// From a worker's order to its first request
    #[arg(long, value_name = "TIME", value_parser = input::duration, default_value = "30s")]
    cold_start: Duration,
    /// The seed of all chance [default: 0, or the platform's]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// The most workers of a policy that is not given
    #[arg(long, value_name = "N", default_value_t = 200)]
    max: u32,

    /// Service time of each request (`t_s,requests` files; 20 ms unless given)
    #[arg(long, value_name = "TIME", value_parser = input::duration)]
    service: Option<Duration>,
    /// Divide the number of requests (`t_s,requests` files)
    #[arg(long, value_name = "N")]
    divide: Option<u64>,
    /// Take each pool of a file for a service of its own, and add them up (files with a `pool` column)
    #[arg(long, requires = "workloads")]
    pools: bool,

    /// Folder for the report
    #[arg(long, value_name = "DIR", default_value = "compare-report")]
    out: PathBuf,
    /// Write no report
    #[arg(long)]
    no_report: bool,
    /// Print one line of JSON for each workload, not tables
    #[arg(long)]
    json: bool,
    /// Print no progress
    #[arg(short, long)]
    quiet: bool,
}

const AFTER_HELP: &str = "\
Worker hours count from a worker's order until it is gone. `÷ bound` is them over the worker hours that no policy can go
below and keep the objective, on workers that are all alike and never fail. The arrivals of `t_s,requests` files are drawn
within each row by the seed. Times are seconds, or a number with ms, s, m or h: 20s, 250ms, 1.5.
The exit code is 0, or 2 if something given cannot be used, or 1 if the output cannot be written.";

fn main() -> ExitCode {
    failure::exit(compare(&Args::parse()))
}

fn compare(args: &Args) -> Result<(), Failure> {
    let mut out = BufWriter::new(io::stdout().lock());
    let given = contenders::given(&args.config, &args.peer).map_err(Failure::Input)?;
    let mut contests = Vec::new();
    let options = platform(args).map_err(Failure::Input)?;
    for workload in workloads(args, options.seed).map_err(Failure::Input)? {
        let objective = Objective { share: args.share, within: args.within };
        let contenders = if given.is_empty() {
            contenders::usual(&workload, args.concurrency, args.max, objective).map_err(Failure::Input)?
        } else {
            given.clone()
        };
        let result = contest::hold(&workload, &contenders, args.concurrency, objective, &options, args.quiet)
            .map_err(Failure::Input)?;
        if args.json {
            writeln!(out, "{}", serde_json::to_string(&result).map_err(io::Error::from)?)?;
        } else {
            contest::table(&result, &mut out)?;
        }
        contests.push(result);
    }
    if contests.len() > 1 && !args.json {
        if args.pools { contest::totals(&contests, &mut out)? } else { summary::table(&contests, &mut out)? }
    }
    let notice = args.workloads.is_empty().then_some(input::HOUR_NOTICE);
    if !args.no_report {
        let unwritable = |error: Box<dyn Error>| {
            Failure::Output(format!("{}: the report cannot be written: {error}", args.out.display()))
        };
        let path = comparison::page(&contests, notice, &args.out).map_err(unwritable)?;
        if !args.json {
            writeln!(out, "Report: {}", path.display())?;
        }
    }
    if let Some(notice) = notice.filter(|_| !args.json) {
        writeln!(out, "{notice}")?;
    }
    Ok(out.flush()?)
}

fn platform(args: &Args) -> Result<Options, String> {
    let mut options = Options::default();
    options.cold_start = args.cold_start;
    if let Some(path) = &args.platform {
        options = input::platform(path)?;
    }
    options.seed = args.seed.unwrap_or(options.seed);
    Ok(options)
}

/// Arrivals that are only counted are drawn: evenly spaced ones would keep step with whoever looks at round seconds.
fn workloads(args: &Args, seed: u64) -> Result<Vec<Workload>, String> {
    let mut options = ReadOptions::default().with_drawn(seed);
    if let Some(service) = args.service {
        options = options.with_service(service);
    }
    if let Some(divide) = args.divide {
        options = options.with_divide_by(divide);
    }
    if args.workloads.is_empty() {
        return input::hours(&options);
    }
    let mut workloads = Vec::new();
    for source in &args.workloads {
        let mut options = options;
        if let Some(service) = source.service {
            options = options.with_service(service);
        }
        if let Some(divide) = source.divide {
            options = options.with_divide_by(divide);
        }
        for path in files(&source.path)? {
            if args.pools {
                workloads.append(&mut input::pools(&path, &options)?);
            } else {
                workloads.push(input::workload(Some(&path), &options)?);
            }
        }
    }
    Ok(workloads)
}

/// A file, or the workloads in a folder in the order of their names.
fn files(path: &Path) -> Result<Vec<PathBuf>, String> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = std::fs::read_dir(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut found: Vec<_> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|ending| ending == "csv"))
        .collect();
    if found.is_empty() {
        return Err(format!("{}: there is no .csv file in this folder", path.display()));
    }
    found.sort();
    Ok(found)
}

/// A workload as it is named on the command line, and how to read it where that differs.
#[derive(Debug, Clone)]
struct Source {
    path: PathBuf,
    service: Option<Duration>,
    divide: Option<u64>,
}

fn source(text: &str) -> Result<Source, String> {
    let mut parts = text.split(',');
    let path = parts.next().unwrap_or_default().into();
    let mut source = Source { path, service: None, divide: None };
    for part in parts {
        match part.split_once('=') {
            Some(("service", time)) => source.service = Some(input::duration(time)?),
            Some(("divide", number)) => {
                source.divide = Some(number.parse().map_err(|_| format!("divide={number}: expected a whole number"))?);
            }
            _ => return Err(format!("`{part}`: after a file's name expected service=TIME or divide=N")),
        }
    }
    Ok(source)
}
