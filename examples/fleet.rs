//! A fleet of services that scale to zero, against every one of them kept at one worker: how many are warm at each moment,
//! what they cost, what their users wait, alone, with one budget for all and at one price for all.
//!
//! ```text
//! cargo run --release --example fleet
//! cargo run --release --example fleet -- traffic.csv --budget 20 --cold-start 30s --idle-timeout 2m
//! ```
//!
//! Without a workload it takes eight hours of 66 real functions, and as many services as `--services` says that are made up.
//! Halfway through half of the services move to a second fleet, under a new epoch: it makes no difference.
#![allow(clippy::float_arithmetic, clippy::arithmetic_side_effects, reason = "numbers for people, no decisions")]
#![allow(clippy::cast_precision_loss, reason = "counts of requests and seconds are far below 2^53")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "positions on a page and counts; a cast from a float saturates"
)]
#![allow(clippy::std_instead_of_core, reason = "examples have the standard library")]

use std::error::Error;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use plimsoll::Share;
use plimsoll::sim::{ReadOptions, Workload};

#[path = "support/failure.rs"]
mod failure;
#[path = "support/human.rs"]
mod human;
#[path = "support/input.rs"]
mod input;
#[path = "support/fleet/made_up.rs"]
mod made_up;
#[path = "support/page.rs"]
mod page;
#[path = "support/fleet/telling.rs"]
mod telling;
#[path = "support/words.rs"]
mod words;
#[path = "support/fleet/world.rs"]
mod world;

use failure::Failure;
use telling::Scene;
use world::{Course, Goal, Terms, World};

const FUNCTIONS: &[u8] = include_bytes!("../data/serverless_fleet_azure2019.csv");
const FUNCTIONS_NAME: &str = "serverless_fleet_azure2019.csv";
const NOTICE: &str = "Data: Azure Functions trace 2019, Microsoft, CC-BY 4.0, a selection; places within the minute and service \
                      times are derived. See data/NOTICES.md and data/README.md.";

/// Shows what a fleet of services that scale to zero costs, and what its users wait
#[derive(Debug, Parser)]
#[command(name = "fleet")]
struct Args {
    /// A workload of many services as CSV: `arrival_ms,service_ms,pool` [default: built-in functions, and made-up services]
    workload: Option<PathBuf>,
    /// How many services to make up beside the built-in ones
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    services: usize,
    /// Workers that all services may have together in the run with a budget [default: a quarter of the services]
    #[arg(long, value_name = "N")]
    budget: Option<u64>,
    /// The most workers of one service
    #[arg(long, value_name = "N", default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    max: u32,
    /// From a worker's order to its first request
    #[arg(long, value_name = "TIME", value_parser = input::duration, default_value = "5s")]
    cold_start: Duration,
    /// How long a worker must be idle before it is stopped
    #[arg(long, value_name = "TIME", value_parser = input::duration, default_value = "2m")]
    idle_timeout: Duration,
    /// The share of all requests together that the price of a late one is found for
    #[arg(long, value_name = "SHARE", value_parser = input::share, default_value = "0.8")]
    share: Share,
    /// Who starts within this is in time
    #[arg(long, value_name = "TIME", value_parser = input::duration, default_value = "1s")]
    within: Duration,
    /// Folder for fleet.html
    #[arg(long, value_name = "DIR", default_value = "fleet-report")]
    out: PathBuf,
    /// Print no progress
    #[arg(short, long)]
    quiet: bool,
}

fn main() -> ExitCode {
    failure::exit(fleet(&Args::parse()))
}

fn fleet(args: &Args) -> Result<(), Failure> {
    let scenes = workloads(args)
        .and_then(|all| {
            all.into_iter().map(|(name, services)| scene(args, name, &services)).collect::<Result<Vec<_>, _>>()
        })
        .map_err(Failure::Input)?;
    let unwritable =
        |error: Box<dyn Error>| Failure::Output(format!("{}: the page cannot be written: {error}", args.out.display()));
    let notice = args.workload.is_none().then_some(NOTICE);
    let page = telling::page(&scenes, notice, &args.out).map_err(unwritable)?;
    let mut out = BufWriter::new(io::stdout().lock());
    for scene in &scenes {
        telling::table(scene, &mut out)?;
    }
    writeln!(out, "Report: {}", page.display())?;
    if let Some(notice) = notice {
        writeln!(out, "{notice}")?;
    }
    out.flush()?;
    Ok(())
}

fn workloads(args: &Args) -> Result<Vec<(String, Vec<Workload>)>, String> {
    let options = ReadOptions::default();
    if let Some(path) = &args.workload {
        return Ok(vec![(path.display().to_string(), input::pools(path, &options)?)]);
    }
    let functions = Workload::read_pools(FUNCTIONS_NAME, FUNCTIONS, &options).map_err(|error| error.to_string())?;
    let mut all = vec![(FUNCTIONS_NAME.to_owned(), functions)];
    if args.services > 0 {
        let made_up = made_up::services(args.services).map_err(|error| error.to_string())?;
        all.push((format!("{} made-up services", human::grouped(args.services as u64)), made_up));
    }
    Ok(all)
}

/// Runs one workload in four ways.
fn scene(args: &Args, name: String, services: &[Workload]) -> Result<Scene, String> {
    let requests: usize = services.iter().map(|service| service.requests().len()).sum();
    let budget = args.budget.unwrap_or(services.len().div_ceil(4) as u64);
    let Args { max, cold_start, idle_timeout, .. } = *args;
    let terms = Terms { max, cold_start, idle_timeout, budget: None, goal: None };
    let goal = Goal { share: args.share, within: args.within };
    let progress =
        if args.quiet { indicatif::ProgressBar::hidden() } else { indicatif::ProgressBar::new(3 * requests as u64) };
    progress.set_style(
        indicatif::ProgressStyle::with_template("{prefix} {wide_bar} {human_pos}/{human_len} requests, {eta} left")
            .map_err(|error| error.to_string())?,
    );
    progress.set_prefix(name.clone());
    let run =
        |budget, goal| World::new(services, Terms { budget, goal, ..terms.clone() }).map(|world| world.run(&progress));
    let (alone, together, priced) = (run(None, None)?, run(Some(budget), None)?, run(None, Some(goal))?);
    progress.finish_and_clear();
    let kept = Course::of_one_each(services, together.end);
    Ok(Scene { name, services: services.len(), requests, terms, budget, alone, together, goal, priced, kept })
}
