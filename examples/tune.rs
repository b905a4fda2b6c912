//! Finds the configuration that keeps an objective on a workload at the least cost, and says why each value is what it is.
//!
//! ```text
//! cargo run --release --example tune
//! cargo run --release --example tune -- traffic.csv --policy outpost --share 0.99 --within 100ms --cold-start 45s
//! ```
//!
//! Without a workload it takes an hour of a real LLM service. It chooses by the first two thirds and checks on the last.
#![allow(clippy::float_arithmetic, clippy::arithmetic_side_effects, reason = "numbers for people, no decisions")]
#![allow(clippy::cast_precision_loss, reason = "counts of requests and seconds are far below 2^53")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "positions on a grid and counts; a cast from a float saturates"
)]
#![allow(clippy::std_instead_of_core, reason = "examples have the standard library")]

use std::error::Error;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use clap::builder::RangedU64ValueParser;
use plimsoll::sim::{Objective, Options, ReadOptions, Workload};
use plimsoll::{Config, Policy, Share};

#[path = "support/tune/advice.rs"]
mod advice;
#[path = "support/failure.rs"]
mod failure;
#[path = "support/tune/findings.rs"]
mod findings;
#[path = "support/input.rs"]
mod input;
#[path = "support/page.rs"]
mod page;
#[path = "support/parallel.rs"]
mod parallel;
#[path = "support/tune/picture.rs"]
mod picture;
#[path = "support/tune/search.rs"]
mod search;
#[path = "support/tune/space.rs"]
mod space;
#[path = "support/tune/telling.rs"]
mod telling;
#[path = "support/tune/trial.rs"]
mod trial;
#[path = "support/words.rs"]
mod words;

use failure::Failure;
use findings::{Findings, Task};
use space::Kind;
use trial::Ground;

/// Finds the configuration that keeps an objective at the least cost
#[derive(Debug, Parser)]
#[command(name = "tune", after_help = AFTER_HELP)]
struct Args {
    /// A workload as CSV: `arrival_ms,service_ms[,pool]` or `t_s,requests` [default: a built-in hour]
    workload: Option<PathBuf>,

    /// What to tune; may be given again [default: the policy of --config, or each of them]
    #[arg(long, value_enum)]
    policy: Vec<Kind>,
    /// Begin with this configuration, and keep its settings that are not tuned: .yaml, .yml, .toml or .json
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// The objective: this share of the requests …
    #[arg(long, value_name = "SHARE", value_parser = input::share, default_value = "0.99")]
    share: Share,
    /// … starts within this time
    #[arg(long, value_name = "TIME", value_parser = input::duration, default_value = "1s")]
    within: Duration,
    /// Short for --share 0.99 --within TIME
    #[arg(long, value_name = "TIME", value_parser = input::duration, conflicts_with_all = ["share", "within"])]
    p99: Option<Duration>,
    /// Requests that a worker serves at a time [default: that of --config, or 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    concurrency: Option<u32>,
    /// From a worker's order to its first request
    #[arg(long, value_name = "TIME", value_parser = input::duration, default_value = "30s")]
    cold_start: Duration,
    /// The least workers, not to be tuned: 0 for a service that must scale to zero
    #[arg(long, value_name = "N")]
    min: Option<u32>,
    /// The most workers that you would pay for [default: that of --config, or 200]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    max: Option<u32>,

    /// The share of the workload, at its end, that is not chosen by but checked on; as 0.25 or 1/4
    #[arg(long, value_name = "SHARE", value_parser = part, default_value = "1/3")]
    hold_out: f64,
    /// How many configurations to try, shared between the policies; a few more for each refine the end. More may find a
    /// cheaper one, above all where traffic comes in bursts
    #[arg(long, value_name = "RUNS", default_value_t = 240, value_parser = RangedU64ValueParser::<usize>::new().range(8..=1_000_000))]
    budget: usize,
    /// Where the search begins: the same seed gives the same bytes
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Runs at a time, which changes nothing but the time it takes [default: the processors there are]
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..=1_024))]
    threads: Option<usize>,

    /// Service time of each request (`t_s,requests` files; 20 ms unless given)
    #[arg(long, value_name = "TIME", value_parser = input::duration)]
    service: Option<Duration>,
    /// Divide the number of requests (`t_s,requests` files)
    #[arg(long, value_name = "N")]
    divide: Option<u64>,

    /// Folder for recommended.yaml and tune.html
    #[arg(long, value_name = "DIR", default_value = "tune-report")]
    out: PathBuf,
    /// Print one line of JSON, not a table
    #[arg(long)]
    json: bool,
    /// Print no progress
    #[arg(short, long)]
    quiet: bool,
}

const AFTER_HELP: &str = "\
A configuration is chosen if it keeps the objective surely (by the lower end of a 90 % confidence interval, from how much
the blocks of the workload differ), and on a bad day too: starts take half as long again, requests a tenth longer, and the
long ones come at other times. Worker hours count from a worker's order until it is gone. Times are seconds, or a number with ms, s, m or h: 20s, 250ms, 1.5.
A recommendation that misses the objective on what was held out says so.
The exit code is 0, or 3 if no configuration keeps the objective, or 2 if something given cannot be used, or 1 if the
output cannot be written.";

/// Reads a share that may be a fraction.
fn part(text: &str) -> Result<f64, String> {
    let number = |text: &str| text.trim().parse::<f64>().ok();
    let value = match text.split_once('/') {
        Some((over, under)) => number(over).zip(number(under)).map(|(over, under)| over / under),
        None => number(text),
    };
    let usable = value.filter(|value| (0.04..=0.75).contains(value));
    usable.ok_or_else(|| "expected a share from 0.04 to 0.75, such as 1/3 or 0.25".to_owned())
}

fn main() -> ExitCode {
    failure::exit(tune(&Args::parse()))
}

fn tune(args: &Args) -> Result<(), Failure> {
    let (base, kinds) = base(args).map_err(Failure::Input)?;
    let mut options = Options::default();
    options.cold_start = args.cold_start;
    let ground = workload(args)
        .and_then(|workload| Ground::new(workload, objective(args), options, args.hold_out, args.seed))
        .map_err(Failure::Input)?;
    let task = Task {
        ground,
        base,
        kinds,
        min: args.min,
        budget: args.budget,
        seed: args.seed,
        threads: args.threads.unwrap_or_else(parallel::processors),
        quiet: args.quiet,
        replayed: args.workload.as_ref().map(|path| path.display().to_string()),
    };
    let findings = Findings::of(task).map_err(Failure::Input)?;

    let notice = args.workload.is_none().then_some(input::CHAT_NOTICE);
    let unwritable = |error: Box<dyn Error>| {
        Failure::Output(format!("{}: the results cannot be written: {error}", args.out.display()))
    };
    let page = picture::page(&findings, notice, &args.out).map_err(unwritable)?;
    if let Some(file) = &findings.file {
        std::fs::write(args.out.join("recommended.yaml"), file).map_err(|error| unwritable(error.into()))?;
    }
    let mut out = BufWriter::new(io::stdout().lock());
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&findings.json()).map_err(io::Error::from)?)?;
    } else {
        findings.table(&mut out)?;
        if findings.file.is_some() {
            writeln!(out, "Configuration: {}", args.out.join("recommended.yaml").display())?;
        }
        writeln!(out, "Report: {}", page.display())?;
        if let Some(notice) = notice {
            writeln!(out, "{notice}")?;
        }
    }
    out.flush()?;
    if findings.chosen.is_none() { Err(Failure::Finding(findings.refusal())) } else { Ok(()) }
}

fn objective(args: &Args) -> Objective {
    match args.p99 {
        Some(within) => Objective { share: Share::new(0.99).unwrap_or(args.share), within },
        None => Objective { share: args.share, within: args.within },
    }
}

fn workload(args: &Args) -> Result<Workload, String> {
    let mut options = ReadOptions::default();
    if let Some(service) = args.service {
        options = options.with_service(service);
    }
    if let Some(divide) = args.divide {
        options = options.with_divide_by(divide);
    }
    match &args.workload {
        Some(path) => input::workload(Some(path), &options),
        None => input::chat(&options),
    }
}

/// The configuration around what is tuned, and what is.
fn base(args: &Args) -> Result<(Config, Vec<Kind>), String> {
    let given = args.config.as_ref().map(|path| input::config(path).map(plimsoll::config::Effective::into_config));
    let given = given.transpose()?;
    let mut kinds: Vec<Kind> = Kind::ALL.into_iter().filter(|kind| args.policy.contains(kind)).collect();
    if let Some(config) = given.as_ref().filter(|_| kinds.is_empty()) {
        let names = Kind::ALL.map(Kind::name).join(", ");
        kinds.push(Kind::of(config).ok_or_else(|| {
            format!(
                "--config: its policies cannot be tuned together: say which one to tune instead, with --policy {names}"
            )
        })?);
    }
    if kinds.is_empty() {
        kinds = Kind::ALL.into();
    }
    let within = objective(args).within;
    if within.is_zero() {
        return Err(
            "--within: found 0, expected more than zero: give a request time to find a free slot, such as 100ms".into(),
        );
    }
    let made = || -> Result<Config, plimsoll::ConfigError> {
        let config = match given {
            Some(config) => config,
            None => Config::new(Policy::External, 0, args.max.unwrap_or(200))?,
        };
        let max = args.max.unwrap_or(config.max());
        let min = args.min.unwrap_or(config.min().min(max));
        let slots = args.concurrency.unwrap_or(config.concurrency());
        config.with_bounds(min, max)?.with_concurrency(slots)?.with_sojourn_target(within)
    };
    Ok((made().map_err(|error| error.to_string())?, kinds))
}
