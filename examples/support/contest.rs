//! Lets contenders scale the same workload, and compares what came of it.

use std::io::{self, Write};
use std::thread;

use comfy_table::{Cell, CellAlignment, Table, presets};
use indicatif::{ProgressBar, ProgressStyle};
use plimsoll::Config;
use plimsoll::sim::{
    Failures, Objective, Options, Outcome, Peer, Reference, References, Sample, Service, Workload, simulate,
    simulate_with,
};
use serde::Serialize;

use crate::parallel;
use crate::words::{references, time};

/// Who scales.
#[derive(Debug, Clone)]
pub(crate) struct Contender {
    pub(crate) name: String,
    pub(crate) rule: Rule,
}

#[derive(Debug, Clone)]
pub(crate) enum Rule {
    Native(Box<Config>),
    Peer(Box<Peer>),
}

/// What came of one contender. Times are in seconds.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    /// Its number among the contenders, from zero: the same on every workload.
    #[serde(skip)]
    pub(crate) number: usize,
    pub(crate) name: String,
    pub(crate) worker_hours: f64,
    /// Worker hours over those of the bound.
    pub(crate) over_bound: f64,
    /// The share of requests in time.
    pub(crate) within: f64,
    pub(crate) keeps_objective: bool,
    pub(crate) sojourn_p50_s: f64,
    pub(crate) sojourn_p99_s: f64,
    pub(crate) sojourn_max_s: f64,
    pub(crate) cost: f64,
    pub(crate) lost: u64,
    pub(crate) retried: u64,
    pub(crate) unserved: u64,
    pub(crate) failures: Failures,
    pub(crate) cold_starts: u64,
    pub(crate) changes: u64,
    pub(crate) reversals: u64,
    pub(crate) peak_workers: u32,
    #[serde(skip)]
    pub(crate) course: Vec<Course>,
}

/// A moment of a run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Course {
    pub(crate) hours: f64,
    /// Slots of ready workers.
    pub(crate) capacity: f64,
    /// Slots that the arriving work needs.
    pub(crate) load: f64,
}

/// All that came of one workload.
#[derive(Debug, Serialize)]
pub(crate) struct Contest {
    pub(crate) workload: String,
    pub(crate) requests: usize,
    pub(crate) hours: f64,
    pub(crate) concurrency: u32,
    pub(crate) cold_start_s: f64,
    pub(crate) share: f64,
    pub(crate) within_s: f64,
    pub(crate) possible: References,
    pub(crate) rows: Vec<Row>,
}

/// Runs them all, as many at a time as there are processors.
pub(crate) fn hold(
    workload: &Workload,
    contenders: &[Contender],
    concurrency: u32,
    objective: Objective,
    options: &Options,
    quiet: bool,
) -> Result<Contest, String> {
    let progress = if quiet { ProgressBar::hidden() } else { ProgressBar::new(contenders.len() as u64) };
    if let Ok(style) = ProgressStyle::with_template("{msg} [{bar:30}] {pos} of {len} runs, {elapsed}") {
        progress.set_style(style.progress_chars("=> "));
    }
    progress.set_message(workload.name().to_owned());
    let (outcomes, possible) = thread::scope(|scope| {
        let possible = scope.spawn(|| References::of(workload, concurrency, objective, options));
        let outcomes = parallel::map(contenders, parallel::processors(), &progress, |contender| {
            run(workload, contender, concurrency, objective, options)
        });
        (outcomes, possible.join())
    });
    progress.finish_and_clear();
    let possible = possible.map_err(|_| "the references were not computed")?;
    let mut rows = Vec::new();
    for (number, (outcome, contender)) in outcomes.into_iter().zip(contenders).enumerate() {
        rows.push(Row { number, ..row(&contender.name, &outcome?, possible.least, objective) });
    }
    rows.sort_by(|a, b| a.worker_hours.total_cmp(&b.worker_hours));
    Ok(Contest {
        workload: workload.name().to_owned(),
        requests: workload.requests().len(),
        hours: workload.duration().as_secs_f64() / 3_600.0,
        concurrency,
        cold_start_s: options.mean_cold_start().as_secs_f64(),
        share: objective.share.as_f64(),
        within_s: objective.within.as_secs_f64(),
        possible,
        rows,
    })
}

fn run(
    workload: &Workload,
    contender: &Contender,
    concurrency: u32,
    objective: Objective,
    options: &Options,
) -> Result<Outcome, String> {
    match &contender.rule {
        Rule::Native(config) => {
            if config.concurrency() != concurrency {
                let own = config.concurrency();
                return Err(format!(
                    "{}: concurrency {own}, compared at {concurrency}: use --concurrency",
                    contender.name
                ));
            }
            let mut options = options.clone();
            options.within = Some(objective.within);
            Ok(simulate(workload, config, &options, &mut ()))
        }
        Rule::Peer(peer) => {
            let service = Service { concurrency, target: objective.within };
            let controller = peer.controller(service).map_err(|error| format!("{}: {error}", contender.name))?;
            Ok(simulate_with(workload, service, controller, options, &mut ()).0)
        }
    }
}

fn row(name: &str, outcome: &Outcome, least: f64, objective: Objective) -> Row {
    Row {
        number: 0,
        name: name.to_owned(),
        worker_hours: outcome.replica_hours,
        over_bound: if least > 0.0 { outcome.replica_hours / least } else { f64::NAN },
        within: outcome.within_target,
        keeps_objective: outcome.within_target >= objective.share.as_f64(),
        sojourn_p50_s: outcome.sojourn_p50.as_secs_f64(),
        sojourn_p99_s: outcome.sojourn_p99.as_secs_f64(),
        sojourn_max_s: outcome.sojourn_max.as_secs_f64(),
        cost: outcome.cost,
        lost: outcome.lost,
        retried: outcome.retried,
        unserved: outcome.unserved,
        failures: outcome.failures,
        cold_starts: outcome.cold_starts,
        changes: outcome.scaling_events,
        reversals: outcome.reversals,
        peak_workers: outcome.peak_workers,
        course: outcome.samples.iter().map(course).collect(),
    }
}

fn course(sample: &Sample) -> Course {
    Course { hours: sample.t_s / 3_600.0, capacity: sample.capacity, load: sample.offered_load }
}

impl Contest {
    /// What was compared, in one line.
    pub(crate) fn circumstances(&self) -> String {
        format!(
            "{} requests in {:.1} h; {} at a time per worker, cold start {}; objective: {} % within {}",
            self.requests,
            self.hours,
            self.concurrency,
            time(self.cold_start_s),
            (self.share * 1e6).round() / 1e4,
            time(self.within_s)
        )
    }
}

/// The comparison as a table, what was possible at its end.
pub(crate) fn table(contest: &Contest, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}: {}", contest.workload, contest.circumstances())?;
    let mut table = Table::new();
    table.load_preset(presets::UTF8_FULL_CONDENSED);
    table.set_header([
        "policy", "worker h", "÷ bound", "cost", "in time", "p50", "p99", "max", "unserved", "starts", "changes",
        "peak",
    ]);
    for row in &contest.rows {
        let kept = if row.keeps_objective { "✓" } else { " " };
        table.add_row([
            row.name.clone(),
            format!("{:.2}", row.worker_hours),
            format!("{:.2}", row.over_bound),
            format!("{:.2}", row.cost),
            format!("{:.2} % {kept}", row.within * 100.0),
            time(row.sojourn_p50_s),
            time(row.sojourn_p99_s),
            time(row.sojourn_max_s),
            row.unserved.to_string(),
            row.cold_starts.to_string(),
            row.changes.to_string(),
            row.peak_workers.to_string(),
        ]);
    }
    let possible = &contest.possible;
    for (name, reference) in references(possible) {
        let Some(Reference { worker_hours, within, peak_workers, .. }) = reference else {
            table.add_row([format!("({name})"), "cannot keep it".to_owned()]);
            continue;
        };
        let mut cells = vec![
            format!("({name})"),
            format!("{worker_hours:.2}"),
            format!("{:.2}", worker_hours / possible.least),
            String::new(),
            format!("{:.2} % ✓", within * 100.0),
        ];
        cells.resize(11, String::new());
        cells.push(peak_workers.to_string());
        table.add_row(cells);
    }
    table.add_row([Cell::new("(bound)"), Cell::new(format!("{:.2}", possible.least)), Cell::new("1.00")]);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    writeln!(out, "{table}")
}

/// What each policy comes to over several services.
pub(crate) fn totals(contests: &[Contest], out: &mut dyn Write) -> io::Result<()> {
    let requests: usize = contests.iter().map(|contest| contest.requests).sum();
    writeln!(out, "all {} services together: {requests} requests", contests.len())?;
    let policies = contests.first().map_or(0, |contest| contest.rows.len());
    let mut sums = vec![Total::default(); policies];
    for contest in contests {
        for row in &contest.rows {
            let Some(sum) = sums.get_mut(row.number) else { continue };
            sum.name.clone_from(&row.name);
            sum.worker_hours += row.worker_hours;
            sum.cost += row.cost;
            sum.in_time += row.within * contest.requests as f64;
            sum.kept += usize::from(row.keeps_objective);
            sum.unserved += row.unserved;
            sum.cold_starts += row.cold_starts;
        }
    }
    sums.sort_by(|a, b| a.worker_hours.total_cmp(&b.worker_hours));
    let mut table = Table::new();
    table.load_preset(presets::UTF8_FULL_CONDENSED);
    table.set_header(["policy", "worker h", "cost", "in time", "services in time", "unserved", "starts"]);
    for sum in sums {
        table.add_row([
            sum.name,
            format!("{:.2}", sum.worker_hours),
            format!("{:.2}", sum.cost),
            format!("{:.2} %", sum.in_time / requests.max(1) as f64 * 100.0),
            format!("{} of {}", sum.kept, contests.len()),
            sum.unserved.to_string(),
            sum.cold_starts.to_string(),
        ]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    writeln!(out, "{table}")
}

/// Of one policy over several services.
#[derive(Debug, Clone, Default)]
struct Total {
    name: String,
    worker_hours: f64,
    cost: f64,
    in_time: f64,
    kept: usize,
    unserved: u64,
    cold_starts: u64,
}
