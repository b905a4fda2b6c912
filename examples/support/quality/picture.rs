//! One page: each scenario's cost over the bound, for the objective and the cheapest other that keeps it, and the trials as
//! CSV beside it.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use plotters::prelude::*;

use crate::page::{BOUND, FAINT, INK, STYLE, colour};
use crate::score::{Goal, Pairing, Quality};
use crate::table::percent;
use crate::telling;
use crate::trial::Trial;

type Drawn<T> = Result<T, Box<dyn Error>>;

const PAGE: &str = "quality.html";
const TRIALS: &str = "trials.csv";
const WIDTH: u32 = 1_072;
const CAPTION: &str = "Each workload with one request to a worker (left three) and eight, and cold starts of 2, 30 and 120 s. \
                       Blue: the objective; hollow where it was not kept. Orange: the cheapest other that kept it.";
/// Scenarios of one workload.
const SCENARIOS: usize = 6;

pub(crate) fn page(quality: &Quality, trials: &[Trial], folder: &Path) -> Drawn<PathBuf> {
    fs::create_dir_all(folder)?;
    let mut csv = csv::Writer::from_path(folder.join(TRIALS))?;
    for trial in trials {
        csv.serialize(trial)?;
    }
    csv.flush()?;
    let mut html = String::from("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    writeln!(html, "<title>How well an objective decides</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>")?;
    let (share, scenarios) = (percent(quality.share), quality.pairings.len());
    writeln!(html, "<h1>{share} in time, and nothing else to set</h1>")?;
    if let Some(goal) = quality.goals.first() {
        let Goal { met, others_met, both_met, against_each, .. } = goal;
        write!(html, "<p>Of {scenarios} scenarios the objective keeps {met}, some other autoscaler {others_met}. ")?;
        write!(html, "In the {both_met} that both keep the objective costs {against_each:.3} of the cheapest of ")?;
        writeln!(html, "them, chosen for each scenario afterwards.</p>")?;
    }
    // Without bounds there is nothing to draw it over.
    if quality.pairings.iter().any(|pairing| pairing.bound.is_some()) {
        let chart = chart(&quality.pairings, quality.share)?;
        writeln!(html, "<figure>\n{chart}\n<figcaption>{CAPTION}</figcaption>\n</figure>")?;
    }
    writeln!(html, "{}<p>{}</p>", telling::goals(quality).html(), telling::SETTINGS)?;
    for table in [telling::against(quality), telling::reversals(quality)] {
        html.push_str(&table.html());
    }
    html.push_str(&telling::scores(quality).html());
    writeln!(html, "<p>{}</p>", telling::PRICED)?;
    html.push_str(&telling::pairs(quality).html());
    html.push_str("</main>\n</body>\n</html>\n");
    let path = folder.join(PAGE);
    fs::write(&path, html)?;
    Ok(path)
}

fn chart(pairings: &[Pairing], share: f64) -> Drawn<String> {
    let over = |trial: &Trial, pairing: &Pairing| trial.cost / pairing.bound.unwrap_or(f64::NAN);
    let all = pairings.iter().flat_map(|pairing| {
        [Some(over(&pairing.objective, pairing)), pairing.best.as_ref().map(|best| over(best, pairing))]
    });
    let top = all.flatten().filter(|ratio| ratio.is_finite()).fold(2.0, f64::max) * 1.2;
    let end = pairings.len() as f64;
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (WIDTH, 480)).into_drawing_area();
        let mut chart = ChartBuilder::on(&root)
            .margin(14)
            .x_label_area_size(40)
            .y_label_area_size(76)
            .build_cartesian_2d(0.0..end, (0.9..top).log_scale())?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(FAINT)
            .axis_style(BOUND)
            .x_labels(0)
            .label_style(("sans-serif", 15).into_font().color(&INK))
            .y_desc("cost ÷ bound, logarithmic")
            .y_label_formatter(&|ratio| format!("{ratio}"))
            .draw()?;
        for (group, pairings) in pairings.chunks(SCENARIOS).enumerate() {
            let left = (group * SCENARIOS) as f64;
            if group > 0 {
                chart.draw_series(LineSeries::new([(left, 0.9), (left, top)], FAINT))?;
            }
            let name = pairings.first().and_then(|pairing| pairing.scenario.split(',').next()).unwrap_or_default();
            let name = Text::new(name.to_owned(), (-24, 12), ("sans-serif", 15).into_font().color(&INK));
            chart.draw_series([EmptyElement::at((left + SCENARIOS as f64 / 2.0, 0.9)) + name])?;
            for (at, pairing) in pairings.iter().enumerate() {
                let x = left + at as f64 + 0.5;
                if let Some(best) = &pairing.best {
                    chart.draw_series([Circle::new((x, over(best, pairing)), 4, colour(1).filled())])?;
                }
                let own = (x, over(&pairing.objective, pairing));
                let kept = pairing.objective.in_time >= share;
                let style = if kept { colour(0).filled() } else { colour(0).stroke_width(2) };
                chart.draw_series([Circle::new(own, 5, style)])?;
            }
        }
        root.present()?;
    }
    Ok(svg)
}
