//! What becomes of the objective on platforms with troubles: the same scenarios, each under one of them.

use std::time::Duration;

use indicatif::ProgressBar;
use plimsoll::Share;
use plimsoll::sim::{Options, Router, StartTime, Told};
use serde::Serialize;

use crate::parallel;
use crate::rules::Rule;
use crate::score::geometric;
use crate::suite::Scenario;
use crate::table::{Table, percent, three};
use crate::trial::{self, Trial};

/// So many cold starts take half or twice as long as all that follow.
const MISLEADING: u32 = 20;

/// What a platform does to a service with such a cold start.
type Trouble = fn(&mut Options, Duration);

const TROUBLES: [(&str, Trouble); 8] = [
    ("none", |_, _| {}),
    ("cold starts between half and twice as long", |options, mean| {
        // Equally likely in their logarithm; their mean is 1.09 times that of the others here.
        let factors = [0.5, core::f64::consts::FRAC_1_SQRT_2, 1.0, core::f64::consts::SQRT_2, 2.0];
        options.starts.takes = StartTime::Quantiles(factors.map(|factor| mean.mul_f64(factor)).to_vec());
    }),
    ("the first 20 cold starts half as long as the rest", |options, _| {
        (options.starts.first, options.starts.first_percent) = (MISLEADING, 50);
    }),
    ("the first 20 cold starts twice as long", |options, _| {
        (options.starts.first, options.starts.first_percent) = (MISLEADING, 200);
    }),
    ("5 % of starts crash", |options, _| options.starts.crash = Share::new(0.05).unwrap_or(Share::ZERO)),
    ("gauges scraped every 5 s, no events", |options, _| options.metrics.told = Told::Gauges),
    ("a load balancer's report every 5 s, no events", |options, _| options.metrics.told = Told::Reports),
    ("the least loaded worker takes the next request", |options, _| options.router = Router::LeastLoaded),
];

/// One trouble on all scenarios.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) trouble: &'static str,
    pub(crate) met: usize,
    pub(crate) scenarios: usize,
    /// Cost over that without trouble: its geometric mean, and the most with its scenario.
    pub(crate) cost: f64,
    pub(crate) dearest: (f64, String),
    /// The share in time: the median, and the least with its scenario.
    pub(crate) median: f64,
    pub(crate) least: (f64, String),
}

/// How many runs it takes.
pub(crate) fn runs(scenarios: &[Scenario<'_>]) -> usize {
    scenarios.len() * TROUBLES.len()
}

pub(crate) fn rows(scenarios: &[Scenario<'_>], share: f64, progress: &ProgressBar) -> Result<Vec<Row>, String> {
    let rule = Rule::Share(share);
    let work: Vec<_> =
        TROUBLES.iter().flat_map(|(_, trouble)| scenarios.iter().map(move |it| (*trouble, it))).collect();
    let trials = parallel::map(&work, parallel::processors(), progress, |(trouble, scenario)| {
        let mut options = Options::default();
        trouble(&mut options, scenario.cold_start);
        trial::run_under(&rule, scenario, options)
    });
    let trials = trials.into_iter().collect::<Result<Vec<_>, _>>()?;
    let clean = trials.get(..scenarios.len()).unwrap_or_default();
    let troubled = TROUBLES.iter().zip(trials.chunks(scenarios.len().max(1)));
    Ok(troubled.map(|((trouble, _), trials)| row(trouble, trials, clean, share)).collect())
}

fn row(trouble: &'static str, trials: &[Trial], clean: &[Trial], share: f64) -> Row {
    let ratios = || trials.iter().zip(clean).map(|(trial, clean)| (trial.cost / clean.cost, trial.scenario.clone()));
    let mut shares: Vec<_> = trials.iter().map(|trial| (trial.in_time, trial.scenario.clone())).collect();
    shares.sort_by(|a, b| a.0.total_cmp(&b.0));
    Row {
        trouble,
        met: trials.iter().filter(|trial| trial.in_time >= share).count(),
        scenarios: trials.len(),
        cost: geometric(ratios().map(|(ratio, _)| ratio)),
        dearest: ratios().max_by(|a, b| a.0.total_cmp(&b.0)).unwrap_or_default(),
        median: shares.get(shares.len() / 2).map_or(f64::NAN, |(share, _)| *share),
        least: shares.into_iter().next().unwrap_or_default(),
    }
}

pub(crate) fn table(rows: &[Row], share: f64) -> Table {
    let kept = format!("{} kept, of {}", percent(share), rows.first().map_or(0, |row| row.scenarios));
    let mut table = Table::new(["trouble", &kept, "cost ÷ without", "the dearest", "in time, median", "the least"]);
    for row in rows {
        let in_time = |share: f64| format!("{:.2} %", share * 100.0);
        table.row([
            row.trouble.to_owned(),
            row.met.to_string(),
            three(row.cost),
            format!("{:.2} ({})", row.dearest.0, row.dearest.1),
            in_time(row.median),
            format!("{} ({})", in_time(row.least.0), row.least.1),
        ]);
    }
    table
}
