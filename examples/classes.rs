//! A service on spot, on demand and on a dearer accelerator, on a day on which the first two run out of stock and all spot
//! workers are taken back at once: how many workers of each class there are, why, and what that costs beside the same service
//! all on demand.
//!
//! ```text
//! cargo run --release --example classes
//! ```
//!
//! The requests are a recorded hour of a language model's chat traffic. How much faster the dearer accelerator is nobody says:
//! it is learned.
#![allow(clippy::float_arithmetic, clippy::arithmetic_side_effects, reason = "numbers for people, no decisions")]
#![allow(clippy::cast_precision_loss, reason = "counts of requests and seconds are far below 2^53")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "positions and counts; a cast from a float saturates"
)]
#![allow(clippy::std_instead_of_core, reason = "examples have the standard library")]

use std::error::Error;
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;
use std::time::Duration;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};
use plimsoll::classes::{Capacity, Class, ClassCount, Decision, Price, Reason, Settings};
use plimsoll::policy::Outpost;
use plimsoll::sim::{self, Options, Outcome, ReadOptions, Stock, Watch, Workload, simulate_classes};
use plimsoll::{Config, FailureCause, Rate, Timestamp};

#[path = "support/failure.rs"]
mod failure;
#[path = "support/human.rs"]
mod human;

use failure::Failure;

const CHAT: &[u8] = include_bytes!("../data/llm_chat_azure2023.csv");
const CHAT_NAME: &str = "llm_chat_azure2023.csv";
const NOTICE: &str = "Data: Azure LLM inference trace 2023, Microsoft, CC-BY 4.0; service times are derived. See data/NOTICES.md and data/README.md.";

/// How often the counts are shown.
const STEP: Duration = Duration::from_secs(180);
/// Requests that one worker serves at once.
const SLOTS: u32 = 4;

fn main() -> ExitCode {
    failure::exit(classes())
}

fn classes() -> Result<(), Failure> {
    let input = |error: Box<dyn Error>| Failure::Input(error.to_string());
    let workload = Workload::read(CHAT_NAME, CHAT, &ReadOptions::default()).map_err(|error| input(error.into()))?;
    let mut out = BufWriter::new(io::stdout().lock());
    let (mixed, plain) = (mixed().map_err(input)?, on_demand_alone().map_err(input)?);
    writeln!(
        out,
        "Spot has no stock from 12 to 24 and 38 to 42 min, on demand none from 14 to 20 min; all spot workers are taken back at 16 and 38 min.\n"
    )?;
    let mut look = Look::default();
    let run = |settings: &Settings, options: &Options, watch: &mut dyn Watch| {
        simulate_classes(&workload, settings, options, watch).map_err(|error| input(error.into()))
    };
    let outcome = run(&mixed, &troubled(&mixed), &mut look)?;
    let alone = run(&plain, &machines(&plain), &mut ())?;

    writeln!(out, "{}\n", counts(&mixed, look.rows))?;
    for decision in look.decided {
        writeln!(out, "{}  {decision}", clock(decision.at))?;
    }
    writeln!(out, "\n{}", summary(&[("spot first", &outcome), ("all on demand, never out of stock", &alone)]))?;
    writeln!(out, "{}", bill(&outcome))?;
    writeln!(
        out,
        "{} less than all on demand; {} spot workers were taken back, and {} requests served anew.",
        human::percent(1.0 - outcome.cost / alone.cost),
        outcome.failures.preempted,
        outcome.retried
    )?;
    writeln!(out, "{NOTICE}")?;
    out.flush()?;
    Ok(())
}

/// The counts every few minutes, and each decision that has other grounds than the one before.
#[derive(Default)]
struct Look {
    rows: Vec<Vec<String>>,
    next: Timestamp,
    /// As each stands when its instant is over.
    decided: Vec<Decision>,
}

impl Watch for Look {
    fn classes(&mut self, decision: &Decision) {
        if decision.at >= self.next {
            self.rows.push(row(decision));
            self.next = decision.at.saturating_add(STEP);
        }
        if self.decided.last().is_some_and(|last| last.at == decision.at) {
            self.decided.pop();
        }
        if self.decided.last().is_none_or(|last| grounds(last) != grounds(decision)) {
            self.decided.push(decision.clone());
        }
    }
}

/// How many reference workers are wanted: one has four slots and should have 0.7 req/s.
fn service() -> Result<Config, Box<dyn Error>> {
    let config = Config::outpost(Outpost::new(Rate::per_second(0.7)?), 8, 20)?
        .with_concurrency(SLOTS)?
        .with_up_delay(Duration::from_secs(20))?
        .with_down_delay(Duration::from_secs(180))?;
    Ok(config)
}

fn mixed() -> Result<Settings, Box<dyn Error>> {
    let classes = vec![
        Class::new("L40S spot", Price::per_hour(0.6)?, 8).spot(),
        Class { floor: 2, ..Class::new("L40S", Price::per_hour(1.8)?, 12) },
        Class::new("H100", Price::per_hour(4.5)?, 4).learned(Capacity::new(1.5)?),
    ];
    Ok(Settings::new(service()?, classes)?.with_stand_ins(true))
}

fn on_demand_alone() -> Result<Settings, Box<dyn Error>> {
    Ok(Settings::new(service()?, vec![Class::new("L40S", Price::per_hour(1.8)?, 20)])?)
}

/// What the platform knows of them and the pool does not.
fn machines(settings: &Settings) -> Options {
    let mut options = Options::default();
    options.cold_start = Duration::from_secs(45);
    options.retries = 2;
    options.classes = sim::Class::of(settings);
    for class in options.classes.iter_mut().filter(|class| class.name == "H100") {
        (class.speed, class.cold_start) = (2.2, Some(Duration::from_secs(75)));
    }
    options
}

/// The same on that day.
fn troubled(settings: &Settings) -> Options {
    let minute = |minutes: u64| Duration::from_secs(minutes * 60);
    let mut options = machines(settings);
    for class in &mut options.classes {
        let (none, taken_back) = match class.name.as_str() {
            "L40S spot" => (vec![(12, 24), (38, 42)], vec![minute(16), minute(38)]),
            "L40S" => (vec![(14, 20)], vec![]),
            _ => (vec![], vec![]),
        };
        let steps = |(from, to)| [(from, 0), (to, u32::MAX)].map(|(from, limit)| Stock { from: minute(from), limit });
        (class.stock, class.taken_back) = (none.into_iter().flat_map(steps).collect(), taken_back);
    }
    options
}

/// What decided, however many workers it is.
fn grounds(decision: &Decision) -> (Reason, Vec<Option<FailureCause>>) {
    let cause = |class: &ClassCount| class.trouble.filter(|_| class.passed_over).map(|trouble| trouble.cause);
    (decision.reason, decision.classes.iter().map(cause).collect())
}

fn clock(at: Timestamp) -> String {
    human::clock(at.saturating_since(Timestamp::ORIGIN).as_secs_f64(), true)
}

fn row(decision: &Decision) -> Vec<String> {
    let waiting = decision.plan.signals.queue_depth.unwrap_or(0);
    let staff = decision.classes.iter().map(|class| match class.starting {
        0 => class.ready.to_string(),
        starting => format!("{} + {starting}", class.ready),
    });
    let fast = decision.classes.iter().map(|class| class.capacity).max().map_or(String::new(), |most| most.to_string());
    let head = [clock(decision.at), decision.wanted.to_string()];
    head.into_iter().chain(staff).chain([fast, waiting.to_string()]).collect()
}

fn counts(settings: &Settings, rows: Vec<Vec<String>>) -> Table {
    let names = settings.classes().iter().map(|class| class.name.clone());
    let head = ["Time", "Wanted"].map(str::to_owned).into_iter().chain(names);
    table(head.chain(["H100 counts as".to_owned(), "Waiting".to_owned()]).collect(), rows)
}

fn summary(runs: &[(&str, &Outcome)]) -> Table {
    let rows = runs.iter().map(|(name, outcome)| {
        let waits = [outcome.sojourn_p50, outcome.sojourn_p99, outcome.sojourn_max].map(human::words);
        let head = [(*name).to_owned(), format!("{:.2}", outcome.cost), format!("{:.1}", outcome.replica_hours)];
        head.into_iter().chain(waits).collect()
    });
    let head = ["", "Cost", "Worker hours", "Sojourn p50", "p99", "Longest"].map(str::to_owned);
    table(head.into(), rows.collect())
}

/// What was paid for each class.
fn bill(outcome: &Outcome) -> Table {
    let rows = outcome.classes.iter().map(|class| {
        let hours = format!("{:.1}", class.replica_hours);
        let counts = [class.cold_starts, class.failures.stock_out, class.failures.preempted].map(|n| n.to_string());
        let head = [class.name.clone(), format!("{:.2}", class.costs.total()), hours];
        head.into_iter().chain(counts).collect()
    });
    let head = ["Spot first", "Cost", "Worker hours", "Starts", "Refused", "Taken back"].map(str::to_owned);
    table(head.into(), rows.collect())
}

fn table(head: Vec<String>, rows: Vec<Vec<String>>) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED).set_header(head).add_rows(rows);
    table.column_iter_mut().skip(1).for_each(|column| column.set_cell_alignment(CellAlignment::Right));
    table
}
