//! What came of each way to run the services: a table on the terminal, a page in a folder.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use comfy_table::{CellAlignment, Table, presets};
use plotters::prelude::*;

use super::world::{Course, Goal, Moment, Terms};
use crate::human::{clock, duration, grouped, short, span};
use crate::page::{BOUND, FAINT, INK, STYLE, colour};
use crate::words::escape;

/// What is looked at of a moment.
type Figure = fn(&Moment) -> usize;
type Drawn<T> = Result<T, Box<dyn Error>>;

const PAGE: &str = "fleet.html";
const WIDTH: u32 = 1_072;
const HEIGHT: u32 = 250;
const HOUR: f64 = 3_600.0;

/// One workload in four ways.
pub(crate) struct Scene {
    pub(crate) name: String,
    pub(crate) services: usize,
    pub(crate) requests: usize,
    pub(crate) terms: Terms,
    pub(crate) budget: u64,
    /// Each service for itself.
    pub(crate) alone: Course,
    /// With one budget for all.
    pub(crate) together: Course,
    /// With one price for all, found for this goal.
    pub(crate) goal: Goal,
    pub(crate) priced: Course,
    /// One worker each.
    pub(crate) kept: Course,
}

impl Scene {
    fn ways(&self) -> [(String, &Course); 4] {
        [
            ("scaled to zero".to_owned(), &self.alone),
            (format!("the same, budget of {}", grouped(self.budget)), &self.together),
            (format!("one price, for {}", self.goal.share), &self.priced),
            ("one worker each".to_owned(), &self.kept),
        ]
    }

    /// What a late request is worth in the end, in worker-seconds.
    fn price(&self) -> u64 {
        self.priced.price.unwrap_or_default().into()
    }

    fn circumstances(&self) -> String {
        format!(
            "{} requests of {} services in {}; cold start {}, idle timeout {}, at most {} workers each, one request at a time.",
            grouped(self.requests as u64),
            grouped(self.services as u64),
            clock(self.alone.end.saturating_since(plimsoll::Timestamp::ORIGIN).as_secs_f64(), false),
            span(self.terms.cold_start),
            span(self.terms.idle_timeout),
            self.terms.max,
        )
    }

    /// Columns after the name of the way.
    fn row(&self, course: &Course) -> [String; 9] {
        let ms = |seconds: f64| match seconds {
            long if long >= 120.0 => span(Duration::from_secs(long.round() as u64)),
            short => duration(short * 1_000.0),
        };
        let share = course.worker_seconds / self.kept.worker_seconds;
        [
            short(course.worker_seconds / 3_600.0),
            format!("{} %", short(share * 100.0)),
            grouped(course.most as u64),
            grouped(course.cold_starts),
            format!("{:.1} %", course.in_time(self.goal.within) * 100.0),
            ms(course.mean()),
            ms(course.quantile(0.5)),
            ms(course.quantile(0.99)),
            ms(course.quantile(1.0)),
        ]
    }
}

const COLUMNS: [&str; 9] =
    ["worker h", "cost", "most workers", "starts", "in time", "mean wait", "median", "p99", "longest"];

/// Writes what a terminal shows of one workload.
pub(crate) fn table(scene: &Scene, out: &mut dyn Write) -> io::Result<()> {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_FULL_CONDENSED);
    table.set_header(std::iter::once("").chain(COLUMNS));
    for (way, course) in scene.ways() {
        table.add_row(std::iter::once(way).chain(scene.row(course)));
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    writeln!(out, "{}\n{}\n{table}", scene.name, scene.circumstances())?;
    let awake = |moment: &Moment| moment.awake;
    writeln!(
        out,
        "On average {} of {} services were awake, the others parked; {} had a ready worker.",
        short(mean(&scene.alone, awake)),
        grouped(scene.services as u64),
        short(mean(&scene.alone, |moment| moment.warm)),
    )?;
    writeln!(
        out,
        "The price found for {} of all requests to start within {} is {} worker-seconds for a late one.",
        scene.goal.share,
        span(scene.goal.within),
        grouped(scene.price()),
    )?;
    if let Some(loss) = &scene.together.loss {
        writeln!(out, "The first that got less than it wanted: {loss}.")?;
    }
    writeln!(out)
}

fn mean(course: &Course, of: impl Fn(&Moment) -> usize) -> f64 {
    course.moments.iter().map(of).sum::<usize>() as f64 / course.moments.len().max(1) as f64
}

/// Writes the page into `folder`, which is made if need be.
pub(crate) fn page(scenes: &[Scene], notice: Option<&str>, folder: &Path) -> Drawn<PathBuf> {
    let mut html = String::from("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    write!(html, "<title>A fleet</title>\n<style>\n{STYLE}h2 {{ font-size: 16px; margin: 8px 0 4px; }}\n")?;
    html.push_str("th:nth-child(2), td:nth-child(2) { text-align: right; }\n");
    html.push_str(
        "th:first-child, td:first-child { text-align: left; padding-left: 0; }\n</style>\n</head>\n<body>\n<main>\n",
    );
    for scene in scenes {
        section(scene, &mut html)?;
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

fn section(scene: &Scene, html: &mut String) -> Drawn<()> {
    writeln!(html, "<h1>{}</h1>\n<p>{}</p>", escape(&scene.name), escape(&scene.circumstances()))?;
    html.push_str("<table>\n<thead><tr><th></th>");
    for column in COLUMNS {
        write!(html, "<th>{column}</th>")?;
    }
    html.push_str("</tr></thead>\n");
    for (number, (way, course)) in scene.ways().into_iter().enumerate() {
        write!(html, "<tr><td>{} {}</td>", badge(number), escape(&way))?;
        for cell in scene.row(course) {
            write!(html, "<td>{cell}</td>")?;
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</table>\n");
    let panels: [(&str, Figure, Option<u64>); 3] = [
        ("Services with a ready worker", |moment| moment.warm, None),
        ("Workers, starting ones included", |moment| moment.workers, Some(scene.budget)),
        ("Requests that wait", |moment| moment.waiting, None),
    ];
    for (title, of, budget) in panels {
        let one_each = (budget.is_some() || title.starts_with("Services")).then_some(scene.services);
        writeln!(html, "<h2>{title}</h2>\n<figure>\n{}\n</figure>", panel(scene, of, budget, one_each)?)?;
    }
    writeln!(
        html,
        "<p>{} is each service for itself: halfway through, half of them move to a second fleet under a new epoch, which \
         changes nothing. {} is one fleet with one budget for all (dashed). {} goes by one price of a late request, found so that {} of all \
         requests start within {}: it is {} worker-seconds in the end. {} is one worker for each service, all the time. \
         A look every minute, against the time since the start as h:mm. On average {} services were awake in the fleet, the others parked.</p>",
        badge(0),
        badge(1),
        badge(2),
        scene.goal.share,
        span(scene.goal.within),
        grouped(scene.price()),
        badge(3),
        short(mean(&scene.alone, |moment| moment.awake)),
    )?;
    if let Some(loss) = &scene.together.loss {
        writeln!(html, "<p>The first that got less than it wanted: {}.</p>", escape(loss))?;
    }
    Ok(())
}

fn badge(number: usize) -> String {
    let RGBColor(red, green, blue) = shade(number);
    format!(
        "<b style=\"background: rgb({red},{green},{blue}); color: #fff; border-radius: 9px; padding: 0 7px\">{}</b>",
        number + 1
    )
}

fn shade(number: usize) -> RGBColor {
    if number == 3 { BOUND } else { colour(number) }
}

/// One figure over time: the ways that change, and what stays.
fn panel(scene: &Scene, of: Figure, budget: Option<u64>, one_each: Option<usize>) -> Drawn<String> {
    let courses = [&scene.alone, &scene.together, &scene.priced];
    let end =
        courses.iter().filter_map(|course| course.moments.last()).map(|moment| moment.at / HOUR).fold(0.1, f64::max);
    let moments = courses.iter().flat_map(|course| course.moments.iter().map(of));
    let highest = moments.chain(one_each).chain(budget.map(|units| units as usize)).max().unwrap_or(1).max(1) as f64;
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (WIDTH, HEIGHT)).into_drawing_area();
        let mut chart = ChartBuilder::on(&area)
            .margin_right(20)
            .margin_top(10)
            .x_label_area_size(28)
            .y_label_area_size(56)
            .build_cartesian_2d(0.0..end, 0.0..highest * 1.06)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(WHITE)
            .bold_line_style(FAINT)
            .axis_style(BOUND)
            .label_style(("sans-serif", 13).into_font().color(&INK))
            .x_labels(9)
            .y_labels(5)
            .x_label_formatter(&|hours| clock(*hours * HOUR, false))
            .y_label_formatter(&|count| short(*count))
            .draw()?;
        for (number, course) in courses.into_iter().enumerate() {
            let points = steps(course, of);
            chart.draw_series(LineSeries::new(points, shade(number).stroke_width(if number == 0 { 2 } else { 1 })))?;
        }
        if let Some(services) = one_each {
            let line = [(0.0, services as f64), (end, services as f64)];
            chart.draw_series(LineSeries::new(line, shade(3).stroke_width(2)))?;
        }
        if let Some(units) = budget {
            let line = [(0.0, units as f64), (end, units as f64)];
            chart.draw_series(DashedLineSeries::new(line, 6, 5, shade(1).stroke_width(1)))?;
        }
        area.present()?;
    }
    Ok(svg)
}

/// What stood at one look stands until the next.
fn steps(course: &Course, of: Figure) -> Vec<(f64, f64)> {
    let pairs = course.moments.iter().zip(course.moments.iter().skip(1).chain(course.moments.last()));
    pairs
        .flat_map(|(moment, next)| [(moment.at / HOUR, of(moment) as f64), (next.at / HOUR, of(moment) as f64)])
        .collect()
}
