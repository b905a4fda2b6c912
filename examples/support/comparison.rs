//! Writes comparisons as one self-contained HTML page: for each workload the frontier of cost against waiting, the table,
//! and each policy's capacity over time above the load. A policy has one number and one colour throughout.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use plotters::coord::Shift;
use plotters::prelude::*;

use crate::contest::{Contest, Course, Row};
use crate::page::{BOUND, FAINT, INK, LOAD, STYLE, colour, round_ticks};
use crate::words::{escape, references, short, time};

type Drawn<T> = Result<T, Box<dyn Error>>;
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// The page's name in its folder.
const PAGE: &str = "comparison.html";
const WIDTH: u32 = 1_072;
/// Shares below this are drawn here: nobody late has no place on a logarithmic scale.
const LEAST_LATE: f64 = 0.000_5;

/// Writes the page into `folder`, which is made if need be.
pub(crate) fn page(contests: &[Contest], notice: Option<&str>, folder: &Path) -> Drawn<PathBuf> {
    let mut html = String::from("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    write!(html, "<title>Policies compared</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n")?;
    for contest in contests {
        section(contest, &mut html)?;
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

fn section(contest: &Contest, html: &mut String) -> Drawn<()> {
    writeln!(html, "<h1>{}</h1>", escape(&contest.workload))?;
    writeln!(html, "<p>{}</p>", escape(&contest.circumstances()))?;
    write!(html, "<figure>\n{}\n<figcaption>", frontier(contest)?)?;
    write!(
        html,
        "Further left is cheaper, further down is less waiting; the numbers are those of the table. Hollow: "
    )?;
    write!(html, "who knows more than a policy can. Dashed: the bound, left of which nobody keeps the objective, ")?;
    writeln!(
        html,
        "and the objective. A share of no late requests is drawn at the lower edge.</figcaption>\n</figure>"
    )?;
    table(contest, html)?;
    writeln!(html, "<figure>\n{}\n<figcaption>", courses(contest)?)?;
    writeln!(
        html,
        "Grey: the slots that the arriving work needs. Lines: the slots of ready workers. Each panel has a scale of its own.</figcaption>\n</figure>"
    )?;
    Ok(())
}

fn table(contest: &Contest, html: &mut String) -> Drawn<()> {
    html.push_str(
        "<table>\n<thead><tr><th></th><th>policy</th><th>worker h</th><th>÷ bound</th><th>cost</th><th>in time</th>",
    );
    html.push_str("<th>p50</th><th>p99</th><th>max</th><th>unserved</th><th>starts</th><th>changes</th><th>peak</th></tr></thead>\n");
    for row in &contest.rows {
        let (number, RGBColor(red, green, blue)) = (row.number + 1, colour(row.number));
        let kept = if row.keeps_objective { " ✓" } else { "" };
        write!(html, "<tr><td><b style=\"background: rgb({red},{green},{blue})\">{number}</b></td>")?;
        write!(html, "<td>{}</td><td>{:.2}</td><td>{:.2}</td>", escape(&row.name), row.worker_hours, row.over_bound)?;
        write!(html, "<td>{:.2}</td>", row.cost)?;
        write!(html, "<td>{:.2} %{kept}</td><td>{}</td>", row.within * 100.0, time(row.sojourn_p50_s))?;
        write!(html, "<td>{}</td><td>{}</td>", time(row.sojourn_p99_s), time(row.sojourn_max_s))?;
        write!(html, "<td>{}</td><td>{}</td>", row.unserved, row.cold_starts)?;
        writeln!(html, "<td>{}</td><td>{}</td></tr>", row.changes, row.peak_workers)?;
    }
    for (name, reference) in references(&contest.possible) {
        write!(html, "<tr class=\"possible\"><td></td><td>{name}</td>")?;
        match reference {
            Some(reference) => {
                let over = reference.worker_hours / contest.possible.least;
                write!(html, "<td>{:.2}</td><td>{over:.2}</td><td></td>", reference.worker_hours)?;
                writeln!(html, "<td>{:.2} % ✓</td><td colspan=\"7\"></td></tr>", reference.within * 100.0)?;
            }
            None => writeln!(html, "<td colspan=\"11\">cannot keep the objective</td></tr>")?,
        }
    }
    write!(html, "<tr class=\"possible\"><td></td><td>bound</td><td>{:.2}</td><td>1.00</td>", contest.possible.least)?;
    writeln!(html, "<td colspan=\"9\"></td></tr>\n</table>")?;
    Ok(())
}

/// Cost against waiting, both on logarithmic scales.
fn frontier(contest: &Contest) -> Drawn<String> {
    let late = |within: f64| (1.0 - within).max(LEAST_LATE);
    let others = references(&contest.possible).into_iter().filter_map(|(name, reference)| Some((name, reference?)));
    let hours =
        contest.rows.iter().map(|row| row.worker_hours).chain(others.clone().map(|(_, other)| other.worker_hours));
    let hours = hours.chain([contest.possible.least]).filter(|hours| *hours > 0.0);
    let (least, most) = hours.fold((f64::MAX, 0.0_f64), |(least, most), hours| (least.min(hours), most.max(hours)));
    if least > most {
        return Ok("<p>Nothing to draw: no policy had any worker.</p>".to_owned());
    }
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (WIDTH, 460)).into_drawing_area();
        let (x, y) = (least / 1.3..most * 1.3, LEAST_LATE..1.2);
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
            .y_desc(format!("requests that waited longer than {}, logarithmic", time(contest.within_s)))
            .x_label_formatter(&|hours| short(*hours))
            .y_label_formatter(&|share| format!("{} %", short(share * 100.0)))
            .draw()?;
        let objective = (1.0 - contest.share).max(LEAST_LATE);
        for line in [
            [(contest.possible.least, y.start), (contest.possible.least, y.end)],
            [(x.start, objective), (x.end, objective)],
        ] {
            chart.draw_series(DashedLineSeries::new(line, 6, 5, BOUND.stroke_width(1)))?;
        }
        for (name, other) in others {
            let at = (other.worker_hours, late(other.within));
            let name = Text::new(name, (10, -6), ("sans-serif", 13).into_font().color(&BOUND));
            chart.draw_series([EmptyElement::at(at) + Circle::new((0, 0), 6, BOUND.stroke_width(2)) + name])?;
        }
        for row in &contest.rows {
            let at = (row.worker_hours.max(x.start), late(row.within));
            chart.draw_series([Circle::new(at, 7, colour(row.number).filled())])?;
            let number = Text::new((row.number + 1).to_string(), (9, -16), ("sans-serif", 16).into_font().color(&INK));
            chart.draw_series([EmptyElement::at(at) + number])?;
        }
        root.present()?;
    }
    Ok(svg)
}

/// A panel for each policy: its ready slots over time, above the slots that the work needs.
fn courses(contest: &Contest) -> Drawn<String> {
    const PANEL: u32 = 118;
    let end = contest.hours.max(f64::MIN_POSITIVE);
    let panels = u32::try_from(contest.rows.len()).unwrap_or(u32::MAX);
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (WIDTH, panels * PANEL + 40)).into_drawing_area();
        let mut rest = root.clone();
        for (at, row) in contest.rows.iter().enumerate() {
            let last = at + 1 == contest.rows.len();
            let (panel, below) = rest.split_vertically(PANEL + if last { 40 } else { 0 });
            rest = below;
            course(&panel, row, end, last)?;
        }
        root.present()?;
    }
    Ok(svg)
}

fn course(panel: &Area<'_>, row: &Row, end: f64, last: bool) -> Drawn<()> {
    let top = row.course.iter().fold(1.0_f64, |top, at: &Course| top.max(at.capacity).max(at.load));
    let mut chart = ChartBuilder::on(panel)
        .margin_right(14)
        .margin_top(6)
        .caption(format!("{}  {}", row.number + 1, row.name), ("sans-serif", 15).into_font().color(&INK))
        .x_label_area_size(if last { 44 } else { 4 })
        .y_label_area_size(84)
        .build_cartesian_2d(0.0..end, 0.0..top * 1.05)?;
    let mut mesh = chart.configure_mesh();
    mesh.light_line_style(TRANSPARENT)
        .bold_line_style(FAINT)
        .axis_style(BOUND)
        .y_labels(4)
        .x_labels(if last { 12 } else { 0 })
        .label_style(("sans-serif", 14).into_font().color(&INK))
        .y_desc("slots")
        .y_label_formatter(&|slots| short(*slots));
    if last {
        mesh.x_desc("hours").x_label_formatter(&|hours| short(*hours));
    }
    mesh.draw()?;
    let load = row.course.iter().map(|at| (at.hours, at.load));
    chart.draw_series(AreaSeries::new(load, 0.0, LOAD))?;
    // A line that is flat from each bucket to the next.
    let next = row.course.iter().skip(1).map(|at| at.hours).chain([end]);
    let steps = row.course.iter().zip(next).flat_map(|(at, next)| [(at.hours, at.capacity), (next, at.capacity)]);
    chart.draw_series(LineSeries::new(steps, colour(row.number).stroke_width(2)))?;
    Ok(())
}
