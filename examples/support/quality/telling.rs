//! What the comparison with others comes to, in tables.

use crate::oracle::Against;
use crate::rules::PRICES;
use crate::score::{Goal, Pairing, Quality};
use crate::table::{Table, percent, three, two};
use crate::trial::Trial;

/// Below the shares.
pub(crate) const SETTINGS: &str = "By some other: one chosen for each scenario afterwards. One setting for all: of other autoscalers the cheapest that \
    keeps as many as the objective, or if none does the one that keeps most.";

/// Below the scores.
pub(crate) const PRICED: &str =
    "J: worker-seconds and 10 or 100 for each late request, over the least of any other autoscaler here.";

/// What every rule comes to.
pub(crate) fn scores(quality: &Quality) -> Table {
    let kept = format!("{} kept, of {}", percent(quality.share), quality.pairings.len());
    let [low, high] = PRICES.map(|price| format!("J at {price}"));
    let mut table = Table::new(["rule", &kept, "cost ÷ bound", &low, &high, "reversals/h"]);
    for score in &quality.scores {
        let [low, high] = score.priced.map(|priced| format!("{priced:.3}"));
        let over_bound = two(Some(score.over_bound));
        table.row([&score.rule, &score.met.to_string(), &over_bound, &low, &high, &format!("{:.1}", score.reversals)]);
    }
    table
}

/// Each share against what keeps the same.
pub(crate) fn goals(quality: &Quality) -> Table {
    let kept = format!("kept, of {}", quality.pairings.len());
    let mut table = Table::new([
        "objective",
        &kept,
        "by some other",
        "by both",
        "cost ÷ the cheapest's",
        "one setting for all",
        "keeps",
        "cost ÷ its",
    ]);
    for Goal { share, met, others_met, both_met, against_each, single, .. } in &quality.goals {
        let counts = [met, others_met, both_met].map(ToString::to_string);
        let single = single.as_ref().map_or_else(
            || ["none".to_owned(), String::new(), String::new()],
            |single| [single.rule.clone(), single.met.to_string(), two(Some(single.ratio))],
        );
        let numbers = counts.into_iter().chain([three(*against_each)]).chain(single);
        table.row(core::iter::once(percent(*share)).chain(numbers));
    }
    table
}

/// What was not kept, and what the objective says of it itself at the end.
pub(crate) fn missed(quality: &Quality) -> Table {
    let mut table = Table::new(["not kept", "in time", "what it says of it at the end"]);
    let missed =
        quality.pairings.iter().map(|pairing| &pairing.objective).filter(|trial| trial.in_time < quality.share);
    for Trial { scenario, in_time, outlook, .. } in missed {
        table.row([scenario.clone(), format!("{:.2} %", in_time * 100.0), outlook.clone().unwrap_or_default()]);
    }
    table
}

/// How often the objective changes its mind.
pub(crate) fn reversals(quality: &Quality) -> Table {
    let mut table = Table::new(["reversals per hour, cold start", "kept by both", "objective", "cheapest other there"]);
    for reversals in &quality.reversals {
        let rates = [reversals.objective, reversals.cheapest].map(|rate| format!("{rate:.1}"));
        let cells = [reversals.cold_start.clone(), reversals.scenarios.to_string()];
        table.row(cells.into_iter().chain(rates));
    }
    table
}

/// The objective's cost over what is possible for those who know more.
pub(crate) fn against(quality: &Quality) -> Table {
    let mut table = Table::new(["cost ÷ that of", "smooth workloads", "others", "all"]);
    for Against { reference, smooth, others, all } in &quality.against {
        let cell = |(ratio, scenarios): &(f64, usize)| format!("{} ({scenarios})", three(*ratio));
        table.row([(*reference).to_owned(), cell(smooth), cell(others), cell(all)]);
    }
    table
}

/// Scenario by scenario.
pub(crate) fn pairs(quality: &Quality) -> Table {
    let mut table = Table::new([
        "scenario",
        "in time",
        "÷ bound",
        "reversals/h",
        "cheapest other that keeps it",
        "its ÷ bound",
        "its reversals/h",
        "cost ÷ its",
    ]);
    for Pairing { scenario, objective, best, bound } in &quality.pairings {
        let kept = if objective.in_time >= quality.share { '✓' } else { ' ' };
        let over = |cost: f64| two(bound.map(|bound| cost / bound));
        let cells = [
            scenario.clone(),
            format!("{:.2} % {kept}", objective.in_time * 100.0),
            over(objective.cost),
            format!("{:.1}", objective.reversals),
        ];
        let other = best.as_ref().map_or_else(
            || ["none".to_owned(), String::new(), String::new(), String::new()],
            |best| {
                let ratio = two(Some(objective.cost / best.cost));
                [best.rule.clone(), over(best.cost), format!("{:.1}", best.reversals), ratio]
            },
        );
        table.row(cells.into_iter().chain(other));
    }
    table
}
