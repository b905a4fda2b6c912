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
use plimsoll::sim::{ReadOptions, Workload};
use plimsoll::{Config, FailureCause, Rate, Timestamp};

#[path = "support/failure.rs"]
mod failure;
#[path = "support/human.rs"]
mod human;
#[path = "support/classes/world.rs"]
mod world;

use failure::Failure;
use world::{Course, Nature, SLOTS, Troubles, World};

const CHAT: &[u8] = include_bytes!("../data/llm_chat_azure2023.csv");
const CHAT_NAME: &str = "llm_chat_azure2023.csv";
const NOTICE: &str = "Data: Azure LLM inference trace 2023, Microsoft, CC-BY 4.0; service times are derived. See data/NOTICES.md and data/README.md.";

/// How often the counts are shown.
const STEP: Duration = Duration::from_secs(180);
/// The classes' places.
const SPOT: usize = 0;
const ON_DEMAND: usize = 1;

fn main() -> ExitCode {
    failure::exit(classes())
}

fn classes() -> Result<(), Failure> {
    let input = |error: Box<dyn Error>| Failure::Input(error.to_string());
    let workload = Workload::read(CHAT_NAME, CHAT, &ReadOptions::default()).map_err(|error| input(error.into()))?;
    let mut out = BufWriter::new(io::stdout().lock());
    let (mixed, plain) = (mixed().map_err(input)?, on_demand_alone().map_err(input)?);

    let minute = |minutes: u64| Timestamp::from_secs(minutes * 60);
    let troubles = Troubles {
        out_of_stock: vec![
            (SPOT, minute(12), minute(24)),
            (ON_DEMAND, minute(14), minute(20)),
            (SPOT, minute(38), minute(42)),
        ],
        storms: vec![(SPOT, minute(16)), (SPOT, minute(38))],
    };
    writeln!(
        out,
        "Spot has no stock from 12 to 24 and 38 to 42 min, on demand none from 14 to 20 min; all spot workers are taken back at 16 and 38 min.\n"
    )?;
    let (mut rows, mut next) = (Vec::new(), Timestamp::ORIGIN);
    // Each time that another reason or other classes' troubles decide, as it stands when the instant is over.
    let mut decided: Vec<Decision> = Vec::new();
    let course = World::new(mixed.clone(), natures(&mixed), workload.requests(), &troubles).run(|decision, waiting| {
        if decision.at >= next {
            rows.push(row(decision, waiting));
            next = decision.at.saturating_add(STEP);
        }
        if decided.last().is_some_and(|last| last.at == decision.at) {
            decided.pop();
        }
        if decided.last().is_none_or(|last| grounds(last) != grounds(decision)) {
            decided.push(decision.clone());
        }
    });
    let course = course.map_err(|error| input(error.into()))?;
    let trouble_free = Troubles::default();
    let alone = World::new(plain.clone(), natures(&plain), workload.requests(), &trouble_free).run(|_, _| {});
    let alone = alone.map_err(|error| input(error.into()))?;

    writeln!(out, "{}\n", counts(&mixed, rows))?;
    for decision in decided {
        writeln!(out, "{}  {decision}", clock(decision.at))?;
    }
    writeln!(
        out,
        "\n{}",
        summary(&[("spot first", &mixed, &course), ("all on demand, never out of stock", &plain, &alone)])
    )?;
    let (cost, other) = (cost(&mixed, &course), cost(&plain, &alone));
    writeln!(
        out,
        "{} less than all on demand; {} spot workers were taken back, and {} requests served anew.",
        human::percent(1.0 - cost / other),
        course.lost_workers,
        course.again
    )?;
    writeln!(out, "{NOTICE}")?;
    out.flush()?;
    Ok(())
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
fn natures(settings: &Settings) -> Vec<Nature> {
    let nature = |class: &Class| match class.name.as_str() {
        "H100" => Nature { speed: 2.2, cold_start: Duration::from_secs(75) },
        _ => Nature { speed: 1.0, cold_start: Duration::from_secs(45) },
    };
    settings.classes().iter().map(nature).collect()
}

/// What decided, however many workers it is.
fn grounds(decision: &Decision) -> (Reason, Vec<Option<FailureCause>>) {
    let cause = |class: &ClassCount| class.trouble.filter(|_| class.passed_over).map(|trouble| trouble.cause);
    (decision.reason, decision.classes.iter().map(cause).collect())
}

fn clock(at: Timestamp) -> String {
    human::clock(at.saturating_since(Timestamp::ORIGIN).as_secs_f64(), true)
}

fn row(decision: &Decision, waiting: usize) -> Vec<String> {
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

fn summary(runs: &[(&str, &Settings, &Course)]) -> Table {
    let rows = runs.iter().map(|(name, settings, course)| {
        let hours = course.seconds.iter().sum::<f64>() / 3_600.0;
        let wait = |share: f64| {
            let place = (course.waits.len() as f64 * share) as usize;
            human::duration(course.waits.get(place).copied().unwrap_or(0.0) * 1_000.0)
        };
        let waits = [wait(0.5), wait(0.95), wait(0.99)];
        let head = [(*name).to_owned(), format!("{:.2}", cost(settings, course)), format!("{hours:.1}")];
        head.into_iter().chain(waits).collect()
    });
    let head = ["", "Cost", "Worker hours", "Sojourn p50", "p95", "p99"].map(str::to_owned);
    table(head.into(), rows.collect())
}

fn table(head: Vec<String>, rows: Vec<Vec<String>>) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED).set_header(head).add_rows(rows);
    table.column_iter_mut().skip(1).for_each(|column| column.set_cell_alignment(CellAlignment::Right));
    table
}

fn cost(settings: &Settings, course: &Course) -> f64 {
    let each = settings.classes().iter().zip(&course.seconds);
    each.map(|(class, seconds)| class.price.as_f64() * seconds / 3_600.0).sum()
}
