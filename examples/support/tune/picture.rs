//! Writes what was found as one self-contained HTML page: the frontier of cost against waiting that the recommended
//! configuration was chosen from, what it does over time, held-out part included, and what each value is worth.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::advice::{self, Line, Other};
use super::findings::{Findings, Tuned};
use super::space::Kind;
use super::trial::{BLOCKS, Figures, Ground, Verdict};
use crate::page::{BOUND, FAINT, INK, LOAD, STYLE, colour, round_ticks};
use crate::words::{escape, percent, references, short, time};

type Drawn<T> = Result<T, Box<dyn Error>>;

const PAGE: &str = "tune.html";
const WIDTH: u32 = 1_072;
/// Shares below this are drawn here: nobody late has no place on a logarithmic scale.
const LEAST_LATE: f64 = 0.000_2;
const HELD: RGBColor = RGBColor(0xee, 0xf4, 0xfa);

fn number(kind: Kind) -> usize {
    Kind::ALL.iter().position(|other| *other == kind).unwrap_or(0)
}

/// Writes the page into `folder`, which is made if need be.
pub(crate) fn page(findings: &Findings, notice: Option<&str>, folder: &Path) -> Drawn<PathBuf> {
    let name = escape(findings.task.ground.whole.name());
    let mut html = String::from("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    write!(html, "<title>{name} tuned</title>\n<style>\n{STYLE}{OWN_STYLE}</style>\n</head>\n<body>\n<main>\n")?;
    writeln!(html, "<h1>{name}</h1>\n<p>{}</p>", escape(&findings.circumstances()))?;
    match findings.recommended() {
        Some(chosen) => recommendation(findings, chosen, &mut html)?,
        None => writeln!(html, "<pre class=\"refusal\">{}</pre>", escape(&findings.refusal()))?,
    }
    let heading = if findings.chosen.is_some() { "What it was chosen from" } else { "What was tried" };
    writeln!(html, "<h2>{heading}</h2>\n<figure>\n{}\n<figcaption>", frontier(findings)?)?;
    let ground = &findings.task.ground;
    writeln!(
        html,
        "{} configurations on {}, a dot each; further left is cheaper, further down is less waiting. Strong: keeps the \
         objective surely, and on a bad day. Lines: the frontier of each policy. Hollow: references that know more than \
         a policy can. Dashed: the bound, left of which nobody keeps the objective, and the objective. Less than {} late is \
         drawn at the lower edge, and what costs far more is left out.</figcaption>\n</figure>",
        findings.runs(),
        findings.minutes(ground.warm, ground.split),
        percent(LEAST_LATE)
    )?;
    policies(findings, &mut html)?;
    if let (Some(chosen), Some(_)) = (findings.recommended(), &findings.whole) {
        writeln!(html, "<h2>What it does over time</h2>\n<figure>\n{}\n<figcaption>", course(findings, chosen)?)?;
        writeln!(
            html,
            "The whole workload under the recommended configuration, from an empty pool. Grey: the slots that the arriving \
             work needs; line: the slots of ready workers; below, the 99th percentile of the sojourn. Shaded: held out. The \
             time before the dotted line is for the pool to come up and does not count; waiting may reach beyond the panel there.</figcaption>\n</figure>"
        )?;
        if let Some(file) = &findings.file {
            writeln!(html, "<h2>recommended.yaml</h2>\n<pre>{}</pre>", escape(file))?;
        }
    }
    if let Some(notice) = notice {
        writeln!(html, "<footer>{}</footer>", escape(notice))?;
    }
    html.push_str("</main>\n</body>\n</html>\n");
    fs::create_dir_all(folder)?;
    let path = folder.join(PAGE);
    fs::write(&path, html)?;
    Ok(path)
}

fn badge(kind: Kind) -> String {
    let RGBColor(red, green, blue) = colour(number(kind));
    format!("<b style=\"background: rgb({red},{green},{blue})\">{}</b>", number(kind) + 1)
}

fn recommendation(findings: &Findings, chosen: &Tuned, html: &mut String) -> Drawn<()> {
    let kind = chosen.space.kind;
    writeln!(html, "<p class=\"chosen\">Recommended: {} <strong>{}</strong></p>", badge(kind), kind.name())?;
    html.push_str("<table class=\"values\">\n<thead><tr><th></th><th>setting</th><th>value</th><th>halved</th>");
    html.push_str("<th>worker h</th><th>in time</th><th>doubled</th><th>worker h</th><th>in time</th></tr></thead>\n");
    for line in &findings.lines {
        let Line { setting, value, why, halved, doubled } = line;
        write!(html, "<tr><td></td><td>{setting}</td><td><strong>{}</strong></td>", escape(value))?;
        for other in [halved, doubled] {
            other_value(other.as_ref(), &findings.task.ground, html)?;
        }
        html.push_str("</tr>\n");
        writeln!(html, "<tr class=\"why\"><td></td><td colspan=\"8\">{}</td></tr>", escape(why))?;
    }
    html.push_str("</table>\n");
    for lint in &findings.lints {
        writeln!(html, "<p>Advice: {}</p>", escape(&lint.to_string()))?;
    }
    writeln!(html, "<p>Held out, {}.</p>", escape(&findings.held_out(&chosen.held)))?;
    Ok(())
}

fn other_value(other: Option<&Other>, ground: &Ground, html: &mut String) -> Drawn<()> {
    let Some(Other { value, costs_more, verdict }) = other else {
        html.push_str("<td>–</td><td></td><td></td>");
        return Ok(());
    };
    let class = if verdict.keeps_objective { "kept" } else { "missed" };
    let mark = if verdict.keeps_objective { "✓" } else { "✗" };
    let costs_more = format!("{:+.1} %", costs_more * 100.0).replace('-', "−");
    write!(html, "<td>{}</td><td>{costs_more}</td>", escape(value))?;
    let (share, which) = advice::deciding(verdict, ground);
    write!(html, "<td class=\"{class}\">{}{which} {mark}</td>", percent(share))?;
    Ok(())
}

fn policies(findings: &Findings, html: &mut String) -> Drawn<()> {
    html.push_str("<table>\n<thead><tr><th></th><th>best of each policy</th><th>worker h</th><th>÷ bound</th>");
    html.push_str("<th>in time</th><th>surely</th><th>bad day</th>");
    html.push_str("<th>held out: h</th><th>÷ bound</th><th>in time</th></tr></thead>\n");
    let share = findings.task.ground.objective.share.as_f64();
    let mark = |within: f64| if within >= share { " ✓" } else { "" };
    let row = |head: String, verdict: Verdict, held: &Figures, html: &mut String| -> Drawn<()> {
        let figures = verdict.figures;
        let over = figures.worker_hours / findings.possible.least;
        write!(html, "<tr>{head}<td>{:.2}</td><td>{over:.2}</td>", figures.worker_hours)?;
        for within in [Some(figures.within), Some(figures.within_at_least), verdict.within_bad_day] {
            let words = within.map_or_else(String::new, |within| format!("{}{}", percent(within), mark(within)));
            write!(html, "<td>{words}</td>")?;
        }
        let over = held.worker_hours / findings.possible_held.least;
        write!(html, "<td>{:.2}</td><td>{over:.2}</td>", held.worker_hours)?;
        writeln!(html, "<td>{}{}</td></tr>", percent(held.within), mark(held.within))?;
        Ok(())
    };
    for Tuned { space, best, held, start, .. } in &findings.tuned {
        let words = escape(&space.words(&best.values));
        let head = format!("<td>{}</td><td>{}<br><small>{words}</small></td>", badge(space.kind), space.kind.name());
        row(head, best.verdict, held, html)?;
        if let Some((verdict, held)) = start {
            row("<td></td><td>as it was given</td>".to_owned(), *verdict, held, html)?;
        }
    }
    let both = references(&findings.possible).into_iter().zip(references(&findings.possible_held));
    for ((name, reference), (_, held)) in both {
        write!(html, "<tr class=\"possible\"><td></td><td>{name}</td>")?;
        for (reference, least, between) in
            [(reference, findings.possible.least, "<td></td><td></td>"), (held, findings.possible_held.least, "")]
        {
            match reference {
                Some(it) => {
                    write!(html, "<td>{:.2}</td><td>{:.2}</td>", it.worker_hours, it.worker_hours / least)?;
                    write!(html, "<td>{} ✓</td>{between}", percent(it.within))?;
                }
                None => write!(html, "<td colspan=\"3\">cannot keep the objective</td>{between}")?,
            }
        }
        html.push_str("</tr>\n");
    }
    write!(html, "<tr class=\"possible\"><td></td><td>bound</td><td>{:.2}</td><td>1.00</td>", findings.possible.least)?;
    writeln!(html, "<td colspan=\"3\"></td><td>{:.2}</td><td>1.00</td><td></td></tr>", findings.possible_held.least)?;
    html.push_str("</table>\n");
    Ok(())
}

/// Cost against waiting of everything tried, both on logarithmic scales.
fn frontier(findings: &Findings) -> Drawn<String> {
    let late = |within: f64| (1.0 - within).clamp(LEAST_LATE, 1.0);
    let others: Vec<_> =
        references(&findings.possible).into_iter().filter_map(|(name, other)| Some((name, other?))).collect();
    let tried = findings.tuned.iter().flat_map(|tuned| &tuned.tried).map(|tried| tried.verdict.figures.worker_hours);
    let hours = tried.chain(others.iter().map(|(_, other)| other.worker_hours)).chain([findings.possible.least]);
    let (least, most) = hours
        .filter(|hours| *hours > 0.0)
        .fold((f64::MAX, 0.0_f64), |(least, most), hours| (least.min(hours), most.max(hours)));
    if least > most {
        return Ok("<p>Nothing to draw: no configuration had any worker.</p>".to_owned());
    }
    // What is far below the bound, or far above all that anybody would choose, says nothing more about the choice.
    let best = findings.tuned.iter().map(|tuned| tuned.best.verdict.figures.worker_hours);
    let dearest = best.chain(others.iter().map(|(_, other)| other.worker_hours)).fold(0.0_f64, f64::max);
    let x = least.max(findings.possible.least / 2.0) / 1.1..most.min(dearest * 1.4) * 1.05;
    let y = LEAST_LATE..1.3;
    let ground = &findings.task.ground;
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (WIDTH, 520)).into_drawing_area();
        let mut chart = ChartBuilder::on(&root)
            .margin(14)
            .x_label_area_size(52)
            .y_label_area_size(84)
            .build_cartesian_2d(x.clone().log_scale().with_key_points(round_ticks(&x)), y.clone().log_scale())?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(FAINT)
            .axis_style(BOUND)
            .label_style(("sans-serif", 15).into_font().color(&INK))
            .x_desc("worker hours, logarithmic")
            .y_desc(format!(
                "requests that waited longer than {}, logarithmic",
                time(ground.objective.within.as_secs_f64())
            ))
            .x_label_formatter(&|hours| short(*hours))
            .y_label_formatter(&|share| format!("{} %", short(share * 100.0)))
            .draw()?;
        let objective = (1.0 - ground.objective.share.as_f64()).max(LEAST_LATE);
        for line in [
            [(findings.possible.least, y.start), (findings.possible.least, y.end)],
            [(x.start, objective), (x.end, objective)],
        ] {
            chart.draw_series(DashedLineSeries::new(line, 6, 5, BOUND.stroke_width(1)))?;
        }
        for Tuned { space, tried, .. } in &findings.tuned {
            let colour = colour(number(space.kind));
            let mut points: Vec<_> = tried
                .iter()
                .map(|tried| {
                    let figures = tried.verdict.figures;
                    (figures.worker_hours, late(figures.within), tried.verdict.keeps_objective)
                })
                .filter(|(hours, ..)| x.contains(hours))
                .collect();
            points.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
            chart.draw_series(points.iter().map(|(hours, late, keeps)| {
                let style = if *keeps { colour.mix(0.9).filled() } else { colour.mix(0.25).filled() };
                Circle::new((*hours, *late), if *keeps { 4 } else { 3 }, style)
            }))?;
            let mut steps: Vec<(f64, f64)> = Vec::new();
            let mut lowest = f64::MAX;
            for (hours, late, _) in points {
                if late < lowest {
                    steps.extend(steps.last().map(|(_, before)| (hours, *before)));
                    steps.push((hours, late));
                    lowest = late;
                }
            }
            chart.draw_series(LineSeries::new(steps, colour.stroke_width(2)))?;
        }
        for (name, other) in &others {
            let at = (other.worker_hours, late(other.within));
            // A name that would not fit to the right of its mark is to the left.
            let (side, offset) = if at.0 > x.end * 0.85 { (HPos::Right, -14) } else { (HPos::Left, 14) };
            let style = ("sans-serif", 13).into_font().color(&INK).pos(Pos::new(side, VPos::Center));
            let name = Text::new(*name, (offset, 0), style);
            chart.draw_series([EmptyElement::at(at) + Circle::new((0, 0), 6, INK.stroke_width(2)) + name])?;
        }
        for tuned in &findings.tuned {
            let kind = tuned.space.kind;
            let figures = tuned.best.verdict.figures;
            let at = (figures.worker_hours.max(x.start), late(figures.within));
            let recommended = findings.recommended().is_some_and(|chosen| chosen.space.kind == kind);
            let (size, edge) = if recommended { (11, 3) } else { (9, 1) };
            let colour = colour(number(kind));
            let label =
                Text::new((number(kind) + 1).to_string(), (-4, -7), ("sans-serif", 15).into_font().color(&WHITE));
            let disc = Circle::new((0, 0), size, colour.filled());
            let ring = Circle::new((0, 0), size, if recommended { INK } else { WHITE }.stroke_width(edge));
            chart.draw_series([EmptyElement::at(at) + disc + ring])?;
            chart.draw_series([EmptyElement::at(at) + label])?;
        }
        root.present()?;
    }
    Ok(svg)
}

/// The recommended configuration over time: slots above the load, and the waiting below.
fn course(findings: &Findings, chosen: &Tuned) -> Drawn<String> {
    let Some(outcome) = &findings.whole else { return Ok(String::new()) };
    let ground = &findings.task.ground;
    let minute = |block: usize| ground.block.as_secs_f64() * block as f64 / 60.0;
    let (warm, split, end) = (minute(ground.warm), minute(ground.split), minute(BLOCKS));
    let samples: Vec<_> = outcome.samples.iter().filter(|sample| sample.t_s / 60.0 <= end).collect();
    let colour = colour(number(chosen.space.kind));
    let target = ground.objective.within.as_secs_f64();
    let most = samples.iter().fold(1.0_f64, |top, at| top.max(at.capacity).max(at.offered_load)) * 1.08;
    // As long as the pool comes up, waiting may reach far beyond the panel.
    let counted = samples.iter().filter(|sample| sample.t_s / 60.0 >= warm);
    let longest = counted.filter_map(|at| at.sojourn_p99_s).fold(target * 1.5, f64::max) * 1.1;
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (WIDTH, 420)).into_drawing_area();
        let (above, below) = root.split_vertically(230);
        for (area, top, what, last) in [(&above, most, "slots", false), (&below, longest, "sojourn p99, s", true)] {
            let mut chart = ChartBuilder::on(area)
                .margin_right(14)
                .margin_top(10)
                .x_label_area_size(if last { 46 } else { 8 })
                .y_label_area_size(84)
                .build_cartesian_2d(0.0..end, 0.0..top)?;
            chart.draw_series([Rectangle::new([(split, 0.0), (end, top)], HELD.filled())])?;
            let mut mesh = chart.configure_mesh();
            mesh.light_line_style(TRANSPARENT)
                .bold_line_style(FAINT)
                .axis_style(BOUND)
                .y_labels(5)
                .x_labels(if last { 12 } else { 0 })
                .label_style(("sans-serif", 14).into_font().color(&INK))
                .y_desc(what)
                .y_label_formatter(&|value| short(*value));
            if last {
                mesh.x_desc("minutes").x_label_formatter(&|minutes| short(*minutes));
            }
            mesh.draw()?;
            chart.draw_series(DashedLineSeries::new([(warm, 0.0), (warm, top)], 2, 4, INK.stroke_width(1)))?;
            if last {
                chart.draw_series(DashedLineSeries::new(
                    [(0.0, target), (end, target)],
                    6,
                    5,
                    BOUND.stroke_width(1),
                ))?;
                let width = outcome.bucket.as_secs_f64() / 60.0;
                chart.draw_series(samples.iter().filter_map(|at| {
                    let (start, sojourn) = (at.t_s / 60.0, at.sojourn_p99_s.filter(|sojourn| *sojourn > 0.0)?.min(top));
                    Some(Rectangle::new([(start, 0.0), (start + width, sojourn)], colour.filled()))
                }))?;
            } else {
                let load = samples.iter().map(|at| (at.t_s / 60.0, at.offered_load));
                chart.draw_series(AreaSeries::new(load, 0.0, LOAD))?;
                let next = samples.iter().skip(1).map(|at| at.t_s / 60.0).chain([end]);
                let steps = samples.iter().zip(next);
                let steps = steps.flat_map(|(at, next)| [(at.t_s / 60.0, at.capacity), (next, at.capacity)]);
                chart.draw_series(LineSeries::new(steps, colour.stroke_width(2)))?;
                let label = Text::new(
                    "held out",
                    (split + end / 200.0, top * 0.97),
                    ("sans-serif", 14).into_font().color(&INK),
                );
                chart.draw_series([label])?;
            }
        }
        root.present()?;
    }
    Ok(svg)
}

const OWN_STYLE: &str = "\
h2 { font-size: 17px; margin: 20px 0 6px; }
.chosen { font-size: 18px; color: #1a1a1a; margin: 12px 0 8px; }
.chosen b { display: inline-block; min-width: 22px; text-align: center; color: #fff; border-radius: 11px; }
.values tr:not(.why) td { border-bottom: 0; }
.why td { color: #555; text-align: left; white-space: normal; padding-top: 0; }
.missed { color: #b00020; }
small { color: #555; }
td:nth-child(2) { white-space: normal; }
.refusal { border-left: 4px solid #b00020; }
pre { background: #f6f6f6; padding: 12px 16px; white-space: pre-wrap; font: 12px/1.4 ui-monospace, Menlo, Consolas, 'Liberation Mono', monospace; }
";
