//! The figures as tables.

use std::io::{self, Write};

use comfy_table::{CellAlignment, Table, presets};

use crate::rules::PRICES;
use crate::score::Quality;

/// What every rule comes to, and the objective's cost where others keep it too.
pub(crate) fn print(quality: &Quality, all: bool, out: &mut dyn Write) -> io::Result<()> {
    let scenarios = quality.pairings.len();
    let percent = (quality.share * 1e6).round() / 1e4;
    let mut table = Table::new();
    table.load_preset(presets::UTF8_FULL_CONDENSED);
    let [low, high] = PRICES;
    table.set_header([
        "rule".to_owned(),
        format!("{percent} % kept, of {scenarios}"),
        "cost ÷ bound".to_owned(),
        format!("J at {low}"),
        format!("J at {high}"),
        "reversals/h".to_owned(),
    ]);
    for score in &quality.scores {
        let priced = score.priced.map(|priced| format!("{priced:.3}"));
        let [first, second] = priced;
        let cells = [score.rule.clone(), score.met.to_string(), format!("{:.2}", score.over_bound), first, second];
        table.add_row(cells.into_iter().chain([format!("{:.1}", score.reversals)]));
    }
    right(&mut table);
    writeln!(out, "{table}")?;
    writeln!(
        out,
        "J: worker-seconds and {low} or {high} for each late request, over the least of any other autoscaler here."
    )?;
    if all {
        let mut table = Table::new();
        table.load_preset(presets::UTF8_FULL_CONDENSED);
        table.set_header(["scenario", "in time", "÷ bound", "cheapest other that keeps it", "its ÷ bound", "ratio"]);
        for pairing in &quality.pairings {
            let own = &pairing.objective;
            let kept = if own.in_time >= quality.share { '✓' } else { ' ' };
            let best = pairing.best.as_ref();
            let other = best.map_or_else(|| "none".to_owned(), |best| best.rule.clone());
            let ratio = |of: f64| best.map_or_else(String::new, |best| format!("{:.2}", best.cost / of));
            table.add_row([
                pairing.scenario.clone(),
                format!("{:.2} % {kept}", own.in_time * 100.0),
                format!("{:.2}", own.cost / pairing.bound),
                other,
                ratio(pairing.bound),
                best.map_or_else(String::new, |best| format!("{:.2}", own.cost / best.cost)),
            ]);
        }
        right(&mut table);
        writeln!(out, "{table}")?;
    }
    let Quality { others_met, both_met, against_each, .. } = quality;
    writeln!(
        out,
        "Of {scenarios} scenarios some other keeps {others_met}. In the {both_met} that both keep the objective costs {against_each:.3} of the cheapest of them, chosen for each scenario afterwards."
    )?;
    if let Some((rule, ratio)) = &quality.single {
        writeln!(out, "The cheapest single other that keeps as many is {rule}: the objective costs {ratio:.2} of it.")?;
    } else {
        writeln!(out, "No single other keeps as many.")?;
    }
    Ok(())
}

fn right(table: &mut Table) {
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
}
