//! Tells of what was found: a table for people, JSON for programs.

use std::io::{self, Write};

use comfy_table::{Cell, CellAlignment, Table, presets};
use plimsoll::sim::Reference;
use serde_json::{Value, json};

use super::advice::Line;
use super::findings::{Findings, Tuned};
use super::search::Tried;
use super::space::Space;
use super::trial::{BLOCKS, Figures, Verdict};
use crate::words::{percent, references};

impl Findings {
    /// What was found, for people.
    pub(crate) fn table(&self, out: &mut dyn Write) -> io::Result<()> {
        let ground = &self.task.ground;
        writeln!(out, "{}: {}", ground.whole.name(), self.circumstances())?;
        writeln!(
            out,
            "{} configurations tried on {}; {} held out",
            self.runs(),
            self.minutes(ground.warm, ground.split),
            self.minutes(ground.split, BLOCKS)
        )?;
        let mut table = Table::new();
        table.load_preset(presets::UTF8_FULL_CONDENSED);
        table.set_header([
            "best of each policy",
            "worker h",
            "÷ bound",
            "in time",
            "surely",
            "bad day",
            "held out: h",
            "÷ bound",
            "in time",
        ]);
        let share = ground.objective.share.as_f64();
        let mut row = |name: String, verdict: Verdict, held: &Figures| {
            let figures = verdict.figures;
            let kept = |within: f64| format!("{} {}", percent(within), if within >= share { "✓" } else { " " });
            table.add_row([
                name,
                format!("{:.2}", figures.worker_hours),
                format!("{:.2}", figures.worker_hours / self.possible.least),
                kept(figures.within),
                kept(figures.within_at_least),
                verdict.within_bad_day.map_or_else(String::new, kept),
                format!("{:.2}", held.worker_hours),
                format!("{:.2}", held.worker_hours / self.possible_held.least),
                kept(held.within),
            ]);
        };
        for (at, Tuned { space, best, held, start, .. }) in self.tuned.iter().enumerate() {
            let arrow = if self.chosen == Some(at) { "→" } else { " " };
            row(format!("{arrow} {}", space.kind.name()), best.verdict, held);
            if let Some((verdict, held)) = start {
                row("  as it was given".to_owned(), *verdict, held);
            }
        }
        let both = references(&self.possible).into_iter().zip(references(&self.possible_held));
        for ((name, reference), (_, of_held)) in both {
            let cells = |reference: Option<Reference>, least: f64| match reference {
                Some(reference) => [
                    format!("{:.2}", reference.worker_hours),
                    format!("{:.2}", reference.worker_hours / least),
                    format!("{} ✓", percent(reference.within)),
                ],
                None => ["cannot".to_owned(), String::new(), String::new()],
            };
            let [hours, over, within] = cells(reference, self.possible.least);
            let [held_hours, held_over, held_within] = cells(of_held, self.possible_held.least);
            table.add_row([
                format!("  ({name})"),
                hours,
                over,
                within,
                String::new(),
                String::new(),
                held_hours,
                held_over,
                held_within,
            ]);
        }
        let (least, held) = (self.possible.least, self.possible_held.least);
        let mut cells = vec![Cell::new("  (bound)"), Cell::new(format!("{least:.2}")), Cell::new("1.00")];
        cells.extend(["", "", ""].map(Cell::new));
        cells.extend([Cell::new(format!("{held:.2}")), Cell::new("1.00")]);
        table.add_row(cells);
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        writeln!(out, "{table}")?;
        let Some(chosen) = self.recommended() else { return Ok(()) };
        writeln!(out, "Recommended: {}", chosen.space.kind.name())?;
        for Line { setting, value, why, .. } in &self.lines {
            writeln!(out, "  {setting} {value}: {why}")?;
        }
        for lint in &self.lints {
            writeln!(out, "  advice: {lint}")?;
        }
        writeln!(out, "Held out, {}.", self.held_out(&chosen.held))
    }

    /// What was found, for programs. Times are in seconds.
    pub(crate) fn json(&self) -> Value {
        let ground = &self.task.ground;
        let seconds = |blocks: usize| blocks as f64 * ground.block.as_secs_f64();
        let settings = |space: &Space, tried: &Tried| -> Value {
            let settings = space.settings(&tried.values);
            settings
                .into_iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(name, value)| (name.to_owned(), value))
                .collect()
        };
        let tuned = |Tuned { space, tried, best, held, start }: &Tuned| {
            let tried: Vec<_> = tried
                .iter()
                .map(|tried| json!({"settings": settings(space, tried), "verdict": tried.verdict}))
                .collect();
            json!({
                "policy": space.kind, "settings": settings(space, best), "verdict": best.verdict, "held_out": held,
                "as_given": start.map(|(verdict, held)| json!({"verdict": verdict, "held_out": held})), "tried": tried,
            })
        };
        json!({
            "workload": ground.whole.name(),
            "requests": ground.whole.requests().len(),
            "share": ground.objective.share.as_f64(),
            "within_s": ground.objective.within.as_secs_f64(),
            "concurrency": self.task.base.concurrency(),
            "cold_start_s": ground.options.cold_start.as_secs_f64(),
            "seed": self.task.seed,
            "chosen_by_s": [seconds(ground.warm), seconds(ground.split)],
            "held_out_s": [seconds(ground.split), seconds(BLOCKS)],
            "possible": self.possible,
            "possible_held_out": self.possible_held,
            "policies": self.tuned.iter().map(tuned).collect::<Vec<_>>(),
            "recommended": self.recommended().map(|chosen| chosen.space.kind),
            "reasons": self.lines,
            "lints": self.lints,
            "whole": self.whole,
            "obstacles": self.obstacles,
        })
    }
}
