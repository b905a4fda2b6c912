//! Compares two configurations on one workload: what each costs and what its users wait, where they part and why, and
//! whether the second keeps stated limits. Made for continuous integration: a broken limit is an exit code.
//!
//! ```text
//! cargo run --release --example diff
//! cargo run --release --example diff -- before.yaml after.yaml --workload traffic.csv --max-p99 2s --max-cost +5%
//! ```
#![allow(clippy::float_arithmetic, clippy::arithmetic_side_effects, reason = "numbers for people, no decisions")]
#![allow(clippy::cast_precision_loss, reason = "counts of requests and seconds are far below 2^53")]
#![allow(clippy::std_instead_of_core, reason = "examples have the standard library")]

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use plimsoll::Preset;
use plimsoll::config::{Effective, Lint};
use plimsoll::sim::Workload;
use serde_json::json;

use crate::failure::Failure;
use crate::human::{clock, grouped, span};
use crate::limits::{Limits, Verdict};
use crate::measures::Measure;
use crate::partings::{Course, Partings};
use crate::setup::Setup;

#[path = "support/bound.rs"]
mod bound;
#[path = "support/failure.rs"]
mod failure;
#[path = "support/human.rs"]
mod human;
#[path = "support/input.rs"]
mod input;
#[path = "support/limits.rs"]
mod limits;
#[path = "support/measures.rs"]
mod measures;
#[path = "support/partings.rs"]
mod partings;
#[path = "support/setup.rs"]
mod setup;

/// Compares two configurations on one workload: cost, waiting, where they part and why, and whether limits are kept
#[derive(Debug, Parser)]
#[command(name = "diff", after_help = AFTER_HELP)]
struct Args {
    /// The configuration as it is: .yaml, .yml, .toml or .json, or preset:NAME [default: preset:outpost-gpu]
    #[arg(requires = "after")]
    before: Option<String>,
    /// The configuration as it would be [default: the same, whose last worker stays for 4 min]
    after: Option<String>,

    /// Workload as CSV: `arrival_ms,service_ms[,pool]` or `t_s,requests` [default: a built-in hour of an LLM service]
    #[arg(long, value_name = "FILE")]
    workload: Option<PathBuf>,
    /// A request is in time if it starts within this [default: the sojourn target of AFTER]
    #[arg(long, value_name = "TIME", value_parser = input::duration)]
    within: Option<Duration>,
    /// Show so many of the instants at which the counts part
    #[arg(long, value_name = "N", default_value_t = 5)]
    first: usize,
    /// Print one line of JSON, not tables
    #[arg(long)]
    json: bool,
    /// Print nothing but what breaks a limit
    #[arg(short, long, conflicts_with = "json")]
    quiet: bool,

    #[command(flatten)]
    setup: Setup,
    #[command(flatten)]
    limits: Limits,
}

const AFTER_HELP: &str = "\
Times are seconds, or a number with ms, s, m or h: 20s, 250ms, 1.5. Both configurations meet the same requests and the
same chance.
The exit code is 0 if every limit is kept, 3 if one is broken, 2 if something given cannot be used, or 1 if the output
cannot be written.";

/// What is compared if nothing is given: one setting, which buys waiting for money.
const BEFORE: Preset = Preset::OutpostGpu;
const AFTER: &str = "preset: outpost-gpu\nto_zero_delay: 4m\n";
const AFTER_NAME: &str = "preset:outpost-gpu with to_zero_delay 4m";

fn long(seconds: f64) -> String {
    span(Duration::try_from_secs_f64(seconds).unwrap_or_default())
}

/// The width of the table of partings, in characters.
const WIDTH: u16 = 140;

fn main() -> ExitCode {
    failure::exit(diff(&Args::parse()))
}

/// One of the two.
struct Side {
    name: String,
    effective: Effective,
    course: Course,
    /// Worker hours over those of the bound for its share in time, where all workers are alike.
    over_bound: Option<f64>,
}

fn diff(args: &Args) -> Result<(), Failure> {
    let [before, after] = configurations(args).map_err(Failure::Input)?;
    let workload = input::workload(args.workload.as_deref(), &args.setup.read_options()).map_err(Failure::Input)?;
    let mut options = args.setup.options().map_err(Failure::Input)?;
    let expected = setup::expectations(&workload, after.1.config(), options.mean_cold_start());
    let lints = after.1.config().lint(&expected.map_err(|error| Failure::Input(error.to_string()))?);
    let within = args.within.unwrap_or_else(|| after.1.config().sojourn_target());
    options.within = Some(within);
    let run = |(name, effective): (String, Effective)| {
        let course = Course::run(&workload, effective.config(), &options);
        let over_bound = bound::over(&workload, effective.config(), &options, &course.outcome);
        Side { name, effective, course, over_bound }
    };
    let sides = [run(before), run(after)];
    let words = |side: usize, instants: &[_]| {
        let config = sides.get(side).map(|side| side.effective.config());
        config.map_or_else(Vec::new, |config| partings::words(&workload, config, &options, instants))
    };
    let [before, after] = &sides;
    let partings = partings::find([&before.course, &after.course], args.first, &words);
    let verdicts = args.limits.judge(&before.course.outcome, &after.course.outcome);
    let cost = setup::cost(&options);
    let difference =
        Difference { workload: &workload, sides: [before, after], within, cost, partings, verdicts, lints };

    match write(args, &difference) {
        // Whoever has read enough still wants the exit code.
        Ok(()) | Err(Failure::Closed) => difference.verdict(),
        Err(failure) => Err(failure),
    }
}

fn write(args: &Args, difference: &Difference<'_>) -> Result<(), Failure> {
    let mut out = BufWriter::new(io::stdout().lock());
    if args.json {
        writeln!(out, "{}", difference.json())?;
    } else if !args.quiet {
        difference.print(&mut out)?;
        if args.workload.is_none() {
            writeln!(out, "{}", input::HOUR_NOTICE)?;
        }
    }
    Ok(out.flush()?)
}

/// Both configurations with their names.
fn configurations(args: &Args) -> Result<[(String, Effective); 2], String> {
    let (Some(before), Some(after)) = (&args.before, &args.after) else {
        let after = serde_saphyr::from_str(AFTER).map_err(|error| error.to_string())?;
        return Ok([(format!("preset:{BEFORE}"), BEFORE.into()), (AFTER_NAME.to_owned(), after)]);
    };
    Ok([(before.clone(), configuration(before)?), (after.clone(), configuration(after)?)])
}

/// From a file, or by the name of a preset.
fn configuration(given: &str) -> Result<Effective, String> {
    match given.strip_prefix("preset:") {
        Some(name) => Ok(name.parse::<Preset>().map_err(|error| error.to_string())?.into()),
        None => input::config(Path::new(given)),
    }
}

/// Everything that is known in the end.
struct Difference<'a> {
    workload: &'a Workload,
    sides: [&'a Side; 2],
    within: Duration,
    /// What the cost is of, in words.
    cost: String,
    partings: Partings,
    verdicts: Vec<Verdict>,
    lints: Vec<Lint>,
}

impl Difference<'_> {
    fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        let [before, after] = self.sides;
        let workload = self.workload;
        let hours = workload.duration().as_secs_f64() / 3_600.0;
        writeln!(out, "{}: {} requests in {hours:.1} h", workload.name(), grouped(workload.requests().len() as u64))?;
        writeln!(out, "BEFORE  {}\nAFTER   {}\n", before.name, after.name)?;
        self.settings(out)?;
        self.figures(out)?;
        self.parted(out)?;
        if !self.lints.is_empty() {
            writeln!(out, "\nAdvice on AFTER:")?;
        }
        for lint in &self.lints {
            writeln!(out, "  - {lint}")?;
        }
        if !self.verdicts.is_empty() {
            writeln!(out, "\nLimits:")?;
        }
        for verdict in &self.verdicts {
            writeln!(out, "  {} {}", if verdict.kept { "kept   " } else { "BROKEN " }, verdict.words())?;
        }
        Ok(())
    }

    /// The settings that differ, with where each value came from.
    fn settings(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut table = Table::new();
        table.load_preset(presets::UTF8_FULL_CONDENSED).set_header(["Setting", "BEFORE", "AFTER"]);
        let [before, after] = self.sides.map(|side| side.effective.settings());
        let mut differ = false;
        for ((setting, one, from), (_, other, origin)) in before.zip(after).filter(|(a, b)| a.1 != b.1) {
            differ = true;
            table.add_row([setting.name().to_owned(), format!("{one} ({from})"), format!("{other} ({origin})")]);
        }
        if differ { writeln!(out, "{table}") } else { writeln!(out, "No setting differs.") }
    }

    fn figures(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut table = Table::new();
        table.load_preset(presets::UTF8_FULL_CONDENSED).set_header(["", "BEFORE", "AFTER", "Change"]);
        let within = human::words(self.within);
        for measure in Measure::ALL {
            let [one, other] = self.sides.map(|side| measure.of(&side.course.outcome));
            if matches!(measure, Measure::StandbyHours | Measure::WarmStarts) && one == 0.0 && other == 0.0 {
                continue;
            }
            let label = match measure {
                Measure::Cost => self.cost.clone(),
                _ => measure.label(&within),
            };
            let unit = measure.unit();
            table.add_row([label, unit.words(one), unit.words(other), measure.change(one, other)]);
            if let (Measure::WorkerHours, [Some(one), Some(other)]) = (measure, self.sides.map(|side| side.over_bound))
            {
                let label = "÷ bound for its share in time".to_owned();
                table.add_row([label, unit.words(one), unit.words(other), measure.change(one, other)]);
            }
        }
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        writeln!(out, "{table}")
    }

    fn parted(&self, out: &mut dyn Write) -> io::Result<()> {
        let partings = &self.partings;
        if partings.times == 0 {
            return writeln!(out, "The counts are the same throughout.");
        }
        let (apart, longest) = (long(partings.seconds), long(partings.longest_s));
        let (more, fewer) = (partings.more_worker_hours, partings.fewer_worker_hours);
        let times = if partings.times == 1 { "once".to_owned() } else { format!("{} times", partings.times) };
        writeln!(out, "\nThe counts part {times}, for {apart} in all, {longest} at the longest.")?;
        writeln!(
            out,
            "AFTER wants {more:.2} worker hours more there, and {fewer:.2} less. By what they stand on then:"
        )?;
        for cause in partings.causes.iter().take(5) {
            let [one, other] = cause.codes;
            writeln!(out, "  {:>3} × {}: BEFORE by {one}, AFTER by {other}", cause.times, long(cause.seconds))?;
        }
        if partings.first.is_empty() {
            return Ok(());
        }
        let mut table = Table::new();
        table.load_preset(presets::UTF8_FULL).set_content_arrangement(ContentArrangement::Dynamic).set_width(WIDTH);
        table.set_header(["Time", "Apart for, by up to", "BEFORE", "AFTER"]);
        for parting in &partings.first {
            let [one, other] = &parting.sides;
            table.add_row([
                clock(parting.t_s, true),
                format!("{}, by {}", long(parting.lasts_s), parting.most),
                one.text.clone(),
                other.text.clone(),
            ]);
        }
        writeln!(out, "{table}")?;
        let more = partings.times - partings.first.len();
        if more > 0 { writeln!(out, "and {more} more: see --first") } else { Ok(()) }
    }

    fn json(&self) -> serde_json::Value {
        let [before, after] = self.sides;
        let settings: Vec<_> = (before.effective.settings().zip(after.effective.settings()))
            .filter(|(one, other)| one.1 != other.1)
            .map(|((setting, one, from), (_, other, origin))| {
                json!({
                    "setting": setting.name(),
                    "before": {"value": one, "from": from},
                    "after": {"value": other, "from": origin},
                })
            })
            .collect();
        let figures = Measure::ALL.map(|measure| {
            let of = |side: &Side| measure.of(&side.course.outcome);
            (measure.name().to_owned(), json!({"before": of(before), "after": of(after)}))
        });
        let over_bound = json!({"before": before.over_bound, "after": after.over_bound});
        let figures = figures.into_iter().chain([("over_bound".to_owned(), over_bound)]);
        json!({
            "workload": self.workload.name(),
            "requests": self.workload.requests().len(),
            "before": before.name,
            "after": after.name,
            "within_s": self.within.as_secs_f64(),
            "settings": settings,
            "figures": figures.collect::<serde_json::Map<_, _>>(),
            "apart": self.partings,
            "lints": self.lints,
            "limits": self.verdicts,
            "kept": self.verdicts.iter().all(|verdict| verdict.kept),
        })
    }

    fn verdict(&self) -> Result<(), Failure> {
        let broken: Vec<_> = self.verdicts.iter().filter(|verdict| !verdict.kept).map(Verdict::words).collect();
        if broken.is_empty() {
            return Ok(());
        }
        let [_, after] = self.sides;
        Err(Failure::Finding(format!(
            "{} breaks {} of {} limits: {}",
            after.name,
            broken.len(),
            self.verdicts.len(),
            broken.join("; ")
        )))
    }
}
