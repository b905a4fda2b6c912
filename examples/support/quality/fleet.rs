//! Many small services at one price: 66 real functions, each scaled by itself, against one setting for all of them.

use std::path::Path;
use std::time::Duration;

use indicatif::ProgressBar;
use plimsoll::Learned;
use plimsoll::sim::{Options, ReadOptions, Workload};
use serde::Serialize;

use crate::rules::{self, Rule};
use crate::suite::{Load, Scenario};
use crate::table::{Table, percent, two};
use crate::trial::{self, Trial};
use crate::{input, parallel};

/// What a late request is worth, in worker-seconds.
const PRICES: [u32; 4] = [1_000, 300, 100, 30];
/// A request that waits longer has met a cold start or a queue.
const WITHIN: Duration = Duration::from_millis(100);

/// One rule on the whole fleet.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Whole {
    pub(crate) rule: String,
    pub(crate) objective: bool,
    /// Worker-seconds over the work there was, if all slots are used.
    pub(crate) cost: f64,
    pub(crate) in_time: f64,
}

/// One price, and the cheapest other with no less in time.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) concurrency: u32,
    #[serde(rename = "cold_start_s")]
    pub(crate) cold_start: u64,
    pub(crate) price: Whole,
    /// The same price, where each service begins with what all others have learned.
    pub(crate) with_priors: Whole,
    pub(crate) cheapest: Option<Whole>,
}

/// The services whose names contain `part`.
pub(crate) fn loads(part: &str) -> Result<Vec<Load>, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/serverless_fleet_azure2019.csv");
    let mut pools = input::pools(&path, &ReadOptions::default())?;
    pools.retain(|pool| pool.name().contains(part));
    if pools.is_empty() {
        return Err(format!("no service of the fleet is called `{part}`: there are (pool 0) to (pool 65)"));
    }
    Ok(pools.into_iter().map(|workload| Load { name: "fleet", within: WITHIN, price_cap: None, workload }).collect())
}

/// Everything that somebody who tunes others would try.
fn contenders() -> Vec<Rule> {
    rules::grid()
}

fn platforms() -> impl Iterator<Item = (u32, Duration)> {
    [4, 1].into_iter().flat_map(|slots| [2, 30].map(move |seconds| (slots, Duration::from_secs(seconds))))
}

/// How many runs it takes.
pub(crate) fn runs(loads: &[Load]) -> usize {
    platforms().count() * (contenders().len() + 2 * PRICES.len()) * loads.len()
}

pub(crate) fn rows(loads: &[Load], progress: &ProgressBar) -> Result<Vec<Row>, String> {
    let contenders = contenders();
    let mut rows = Vec::new();
    for (concurrency, cold_start) in platforms() {
        let scenarios: Vec<_> = loads.iter().map(|load| Scenario { load, concurrency, cold_start }).collect();
        let work: Vec<_> = contenders.iter().flat_map(|rule| scenarios.iter().map(move |it| (rule, it))).collect();
        let trials = parallel::map(&work, parallel::processors(), progress, |(rule, it)| trial::run(rule, it));
        let trials = trials.into_iter().collect::<Result<Vec<_>, _>>()?;
        let counted: Vec<_> = loads.iter().map(|load| trial::counted(&load.workload)).collect();
        let requests = counted.iter().flat_map(Workload::requests);
        let (count, work) = requests.fold((0.0, 0.0), |(count, work), request| {
            (count + 1.0, work + request.service.as_secs_f64() / f64::from(concurrency))
        });
        let whole = |rule: &Rule, trials: &[Trial]| Whole {
            rule: rule.name(),
            objective: rule.is_objective(),
            cost: trials.iter().map(|trial| trial.cost).sum::<f64>() / work,
            in_time: 1.0 - trials.iter().map(|trial| trial.late as f64).sum::<f64>() / count,
        };
        let others = contenders.iter().zip(trials.chunks(loads.len().max(1)));
        let others: Vec<_> = others.map(|(rule, trials)| whole(rule, trials)).collect();
        for price in PRICES.map(Rule::Price) {
            let (alone, learned) = priced(&price, &scenarios, &[], progress)?;
            let (with_priors, _) = priced(&price, &scenarios, &of_others(&learned), progress)?;
            let (alone, with_priors) = (whole(&price, &alone), whole(&price, &with_priors));
            let as_good = others.iter().filter(|other| other.in_time >= alone.in_time);
            let cheapest = as_good.min_by(|a, b| a.cost.total_cmp(&b.cost)).cloned();
            rows.push(Row { concurrency, cold_start: cold_start.as_secs(), price: alone, with_priors, cheapest });
        }
    }
    Ok(rows)
}

/// A price on each service, beginning with what is known to it, if anything, and what each has learned.
fn priced(
    price: &Rule,
    scenarios: &[Scenario<'_>],
    priors: &[Learned],
    progress: &ProgressBar,
) -> Result<(Vec<Trial>, Vec<Learned>), String> {
    let work: Vec<_> = scenarios.iter().enumerate().map(|(at, scenario)| (scenario, priors.get(at))).collect();
    let trials = parallel::map(&work, parallel::processors(), progress, |(scenario, prior)| {
        trial::run_from(price, scenario, Options::default(), *prior)
    });
    let trials = trials.into_iter().collect::<Result<Vec<_>, _>>()?;
    Ok(trials.into_iter().map(|(trial, learned)| (trial, learned.unwrap_or_default())).unzip())
}

/// For each what all but itself have learned.
fn of_others(learned: &[Learned]) -> Vec<Learned> {
    let others = |at: usize| learned.iter().enumerate().filter(move |(other, _)| *other != at);
    let sum = |at: usize| {
        others(at).fold(Learned::default(), |mut sum, (_, more)| {
            sum.add(more);
            sum
        })
    };
    (0..learned.len()).map(sum).collect()
}

pub(crate) fn table(rows: &[Row]) -> Table {
    let mut table = Table::new([
        "slots, cold start",
        "rule",
        "in time",
        "cost ÷ work",
        "with priors: in time",
        "cost ÷ work",
        "cheapest other with no less in time",
        "in time",
        "cost ÷ work",
        "cost ÷ its",
    ]);
    let percent = |share: f64| percent((share * 1e3).round() / 1e3);
    for Row { concurrency, cold_start, price, with_priors, cheapest } in rows {
        let cells = [
            format!("{concurrency}, {cold_start} s"),
            price.rule.clone(),
            percent(price.in_time),
            two(Some(price.cost)),
            percent(with_priors.in_time),
            two(Some(with_priors.cost)),
        ];
        let other = cheapest.as_ref().map_or_else(
            || ["none".to_owned(), String::new(), String::new(), String::new()],
            |other| {
                [other.rule.clone(), percent(other.in_time), two(Some(other.cost)), two(Some(price.cost / other.cost))]
            },
        );
        table.row(cells.into_iter().chain(other));
    }
    table
}
