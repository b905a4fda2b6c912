//! What each policy comes to over several workloads, in one table.
#![allow(clippy::disallowed_methods, reason = "logarithms of numbers for people")]

use std::io::{self, Write};

use comfy_table::{Cell, CellAlignment, Table, presets};

use crate::contest::Contest;
use crate::words::references;

/// One line of it: a policy, or what knows more than a policy can.
struct Line {
    name: String,
    /// Worker hours over the bound and the share in time on each workload; nothing where the objective cannot be kept.
    cells: Vec<Option<(f64, f64)>>,
}

/// On every workload worker hours over those of the bound and the share in time.
pub(crate) fn table(contests: &[Contest], out: &mut dyn Write) -> io::Result<()> {
    let Some(first) = contests.first() else { return Ok(()) };
    let mut table = Table::new();
    table.load_preset(presets::UTF8_FULL_CONDENSED);
    let files = contests.iter().map(|contest| short(&contest.workload));
    let heads =
        ["÷ bound, in time".to_owned()].into_iter().chain(files).chain(["kept".to_owned(), "÷ bound".to_owned()]);
    table.set_header(heads);
    let share = first.share;
    for line in lines(contests) {
        let known: Vec<_> = line.cells.iter().flatten().collect();
        let kept = known.iter().filter(|(_, within)| *within >= share).count();
        let mut cells = vec![line.name];
        cells.extend(line.cells.iter().map(|cell| match cell {
            Some((over, within)) => {
                format!("{over:.2}  {:.2} % {}", within * 100.0, if *within >= share { '✓' } else { ' ' })
            }
            None => "cannot".to_owned(),
        }));
        cells.push(format!("{kept} of {}", contests.len()));
        let mean = known.iter().map(|(over, _)| over.ln()).sum::<f64>() / known.len().max(1) as f64;
        cells.push(if known.len() == contests.len() { format!("{:.2}", mean.exp()) } else { String::new() });
        let mut cells = cells.into_iter();
        let name = cells.next().map(Cell::new);
        table.add_row(name.into_iter().chain(cells.map(|text| Cell::new(text).set_alignment(CellAlignment::Right))));
    }
    writeln!(out, "{table}")?;
    writeln!(
        out,
        "The last column is the geometric mean. ✓ keeps the objective: {} % in time.",
        (share * 1e6).round() / 1e4
    )
}

/// The policies, those that keep more objectives first and then the cheaper, and the references after them.
fn lines(contests: &[Contest]) -> Vec<Line> {
    let policies = contests.first().map_or(0, |contest| contest.rows.len());
    let mut lines: Vec<(usize, f64, Line)> = Vec::new();
    for number in 0..policies {
        let rows: Vec<_> =
            contests.iter().filter_map(|contest| contest.rows.iter().find(|row| row.number == number)).collect();
        let Some(name) = rows.first().map(|row| row.name.clone()) else { continue };
        let kept = rows.iter().filter(|row| row.keeps_objective).count();
        let hours = rows.iter().map(|row| row.over_bound.ln()).sum();
        let cells = rows.iter().map(|row| Some((row.over_bound, row.within))).collect();
        lines.push((kept, hours, Line { name, cells }));
    }
    lines.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.total_cmp(&b.1)));
    let mut lines: Vec<_> = lines.into_iter().map(|(_, _, line)| line).collect();
    for which in 0..4 {
        let on = |contest: &Contest| references(&contest.possible).get(which).copied();
        let Some((name, _)) = contests.first().and_then(on) else { continue };
        let cell = |contest: &Contest| {
            let (_, reference) = on(contest)?;
            reference.map(|reference| (reference.worker_hours / contest.possible.least, reference.within))
        };
        lines.push(Line { name: format!("({name})"), cells: contests.iter().map(cell).collect() });
    }
    lines
}

/// The file's name without folder and ending, as far as it fits a column.
fn short(workload: &str) -> String {
    let file = workload.rsplit('/').next().unwrap_or(workload);
    file.split('.').next().unwrap_or(file).to_owned()
}
