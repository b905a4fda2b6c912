//! The charts of a report: four panels over one time axis, in one SVG.

#![allow(clippy::cast_precision_loss, reason = "counts of buckets and events are far below 2^53")]
#![allow(clippy::cast_possible_truncation, reason = "pixels are integers, and casts from floats saturate")]

use std::error::Error;
use std::fmt::Write;

use plotters::coord::Shift;
use plotters::prelude::*;

use self::axis::{Axis, Timeline, decades, linear, logarithmic};
use self::bucket::{Bucket, merge, peak};
use self::markers::{DIRECTIONS, clusters, mark_events};
use super::{Report, duration, escape, short};

#[path = "axis.rs"]
mod axis;
#[path = "bucket.rs"]
mod bucket;
#[path = "markers.rs"]
mod markers;

// Sizes are in units of half a pixel at full width, for the backend rounds every coordinate to an integer.
const WIDTH: u32 = 2_000;
const LEFT: u32 = 160;
const RIGHT: u32 = 68;
const TITLE: u32 = 76;
const TIME_LABELS: u32 = 58;
const TIME_TITLE: u32 = 28;
const TICK: u32 = 8;
/// Room for the event markers under the time axis: the labels start two tick lengths below the axis.
const MARKER_TICK: u32 = 26;
const TEXT: f64 = 25.0;
/// The backend divides font sizes by this.
const FONT_FACTOR: f64 = 1.24;

/// More buckets than this are merged: they would be narrower than a pixel.
const MAX_BUCKETS: usize = 1_200;

// The palette of Okabe and Ito, one colour per thing; blue is work, whether offered or under way.
const BLACK_INK: RGBColor = RGBColor(0x1a, 0x1a, 0x1a);
const GREY_INK: RGBColor = RGBColor(0x55, 0x55, 0x55);
const AXIS: RGBColor = RGBColor(0x8c, 0x8c, 0x8c);
const GRID: RGBColor = RGBColor(0xe4, 0xe4, 0xe4);
const WORK: RGBColor = RGBColor(0x00, 0x72, 0xb2);
const IDLE: RGBColor = RGBColor(0x56, 0xb4, 0xe9);
const STARTING: RGBColor = RGBColor(0xf0, 0xe4, 0x42);
const DRAINING: RGBColor = RGBColor(0x99, 0x99, 0x99);
const STANDBY: RGBColor = RGBColor(0xd6, 0xd6, 0xd6);
const OVER: RGBColor = RGBColor(0xd5, 0x5e, 0x00);
const QUEUE: RGBColor = RGBColor(0xcc, 0x79, 0xa7);
const UP: RGBColor = RGBColor(0x00, 0x9e, 0x73);
const DOWN: RGBColor = RGBColor(0xe6, 0x9f, 0x00);

const STATES: [(&str, RGBColor); 5] =
    [("busy", WORK), ("idle", IDLE), ("starting", STARTING), ("draining", DRAINING), ("standby", STANDBY)];

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Panel<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<Axis, Axis>>;
type Drawn<T> = Result<T, Box<dyn Error>>;

/// The charts and what to say under them.
#[derive(Debug)]
pub(super) struct Drawing {
    pub(super) svg: String,
    pub(super) caption: String,
}

/// Draws the charts, or nothing when there are no samples.
pub(super) fn draw(report: &Report) -> Drawn<Option<Drawing>> {
    let merged = report.samples.len().div_ceil(MAX_BUCKETS).max(1);
    let buckets = merge(&report.samples, merged, report.bucket_s);
    let Some(time) = Timeline::of(&buckets) else { return Ok(None) };
    let target = Some(report.target_ms).filter(|ms| ms.is_finite() && *ms > 0.0);

    let heights = [460, 530, 490, 400];
    let mut svg = String::new();
    let mut overlay = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (WIDTH, heights.iter().sum())).into_drawing_area();
        let (load, rest) = root.split_vertically(heights[0]);
        let (replicas, rest) = rest.split_vertically(heights[1]);
        let (sojourn, queue) = rest.split_vertically(heights[2]);
        let first = draw_load(&load, &time, &buckets, &mut overlay)?;
        draw_replicas(&replicas, &time, &buckets, report, &mut overlay)?;
        draw_sojourn(&sojourn, &time, &buckets, target, &mut overlay)?;
        let last = draw_queue(&queue, &time, &buckets, &mut overlay)?;
        root.present()?;
        let columns = columns(&first, last.bottom, &time, &buckets)?;
        overlay.insert_str(0, &columns);
    }
    let body = svg.trim_end().strip_suffix("</svg>").ok_or("the drawing is not a complete SVG document")?;
    let svg = format!("{body}{overlay}</svg>");
    Ok(Some(Drawing { svg, caption: caption(merged, report.bucket_s) }))
}

fn caption(merged: usize, bucket_s: f64) -> String {
    let width = if bucket_s >= 120.0 { format!("{} min", short(bucket_s / 60.0)) } else { format!("{bucket_s} s") };
    let steps = match merged {
        1 => format!("Each step is a bucket of {width}."),
        _ => format!(
            "Each step is the mean of {merged} buckets of {width}; for sojourn p99 and queue depth it is the worst."
        ),
    };
    format!("{steps} Point at a chart for the numbers, at a triangle for the reason of a scaling event.")
}
/// Where the plot of a panel lies in the drawing.
struct Frame {
    left: i32,
    right: i32,
    top: i32,
    bottom: i32,
}

impl Frame {
    fn of(panel: &Panel<'_, '_>) -> Self {
        let (x, y) = panel.plotting_area().get_pixel_range();
        Self { left: x.start, right: x.end, top: y.start.min(y.end), bottom: y.start.max(y.end) }
    }
}

/// What a panel is called and how its axes are labelled.
struct Layout<'a> {
    title: &'a str,
    unit: &'a str,
    time_tick: u32,
    time_title: bool,
}

/// Starts a panel: title, grid, axes.
fn panel<'a, 'b>(
    area: &'a Area<'b>,
    time: &Timeline,
    height: Axis,
    layout: &Layout<'_>,
    overlay: &mut String,
) -> Drawn<Panel<'a, 'b>> {
    let below = TIME_LABELS + 2 * (layout.time_tick - TICK) + if layout.time_title { TIME_TITLE } else { 0 };
    let mut panel = ChartBuilder::on(area)
        .margin_top(TITLE)
        .margin_right(RIGHT)
        .set_label_area_size(LabelAreaPosition::Left, LEFT)
        .set_label_area_size(LabelAreaPosition::Bottom, below)
        .build_cartesian_2d(time.axis(), height)?;
    let font = ("sans-serif", TEXT * FONT_FACTOR).into_font();
    panel
        .configure_mesh()
        .bold_line_style(GRID.stroke_width(2))
        .light_line_style(TRANSPARENT)
        .axis_style(AXIS.stroke_width(2))
        .label_style(font.clone().color(&BLACK_INK))
        .axis_desc_style(font.color(&GREY_INK))
        .set_tick_mark_size(LabelAreaPosition::Left, TICK)
        .set_tick_mark_size(LabelAreaPosition::Bottom, layout.time_tick)
        .x_desc(if layout.time_title { time.unit() } else { "" })
        .y_desc(layout.unit)
        .draw()?;
    let frame = Frame::of(&panel);
    writeln!(
        overlay,
        "<text x=\"{}\" y=\"{}\" font-size=\"30\" font-weight=\"600\" fill=\"{}\">{}</text>",
        frame.left,
        frame.top - 24,
        hex(BLACK_INK),
        escape(layout.title)
    )?;
    Ok(panel)
}

fn hex(RGBColor(red, green, blue): RGBColor) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

const FILLED: &str = "■";
const LINE: &str = "━";
const DASHES: &str = "╍╍";
const DOT: &str = "●";

/// One entry of a legend: the mark, its colour, the name.
type Key<'a> = (&'a str, RGBColor, &'a str);

/// A legend at the right end of the title line of a panel.
fn legend(frame: &Frame, keys: &[Key<'_>], overlay: &mut String) -> Drawn<()> {
    let (x, y, ink) = (frame.right, frame.top - 24, hex(BLACK_INK));
    write!(overlay, "<text x=\"{x}\" y=\"{y}\" font-size=\"{TEXT}\" text-anchor=\"end\" fill=\"{ink}\">")?;
    for (index, (mark, colour, name)) in keys.iter().enumerate() {
        let gap = if index == 0 { 0 } else { 28 };
        write!(overlay, "<tspan dx=\"{gap}\" fill=\"{}\">{mark}</tspan>", hex(*colour))?;
        write!(overlay, "<tspan dx=\"8\">{}</tspan>", escape(name))?;
    }
    writeln!(overlay, "</text>")?;
    Ok(())
}

/// A thin dashed line over the whole width at a height in the drawing.
fn dashed_line(frame: &Frame, y: i32, colour: RGBColor, overlay: &mut String) -> Drawn<()> {
    let (left, right, colour) = (frame.left, frame.right, hex(colour));
    let style = "stroke-width=\"3\" stroke-dasharray=\"14 10\"";
    writeln!(overlay, "<path d=\"M{left} {y}H{right}\" fill=\"none\" stroke=\"{colour}\" {style}/>")?;
    Ok(())
}

/// A message in the middle of a panel that has nothing to draw.
fn note(frame: &Frame, text: &str, overlay: &mut String) -> Drawn<()> {
    let (x, y) = ((frame.left + frame.right) / 2, (frame.top + frame.bottom) / 2);
    let ink = hex(GREY_INK);
    writeln!(
        overlay,
        "<text x=\"{x}\" y=\"{y}\" font-size=\"{TEXT}\" text-anchor=\"middle\" fill=\"{ink}\">{text}</text>"
    )?;
    Ok(())
}

/// The outline of a step curve; a run of equal values takes two points.
fn steps(buckets: &[Bucket], value: impl Fn(&Bucket) -> f64) -> Vec<(f64, f64)> {
    let mut outline: Vec<(f64, f64)> = Vec::new();
    for bucket in buckets {
        let height = value(bucket);
        match outline.last_mut() {
            Some((end, last)) if last.total_cmp(&height).is_eq() => *end = bucket.end,
            _ => outline.extend([(bucket.start, height), (bucket.end, height)]),
        }
    }
    outline
}

/// The stretches of buckets in which something is present.
fn stretches(buckets: &[Bucket], present: impl Fn(&Bucket) -> bool + Copy) -> impl Iterator<Item = &[Bucket]> {
    buckets.chunk_by(move |a, b| present(a) == present(b)).filter(move |run| run.first().is_some_and(present))
}

fn draw_load(area: &Area<'_>, time: &Timeline, buckets: &[Bucket], overlay: &mut String) -> Drawn<Frame> {
    let axis = linear(peak(buckets.iter().flat_map(|b| [b.load, b.capacity])), 0.1);
    let layout = Layout { title: "Load against capacity", unit: "slots", time_tick: TICK, time_title: false };
    let mut panel = panel(area, time, axis, &layout, overlay)?;
    for run in stretches(buckets, |b| b.load > 0.0) {
        panel.draw_series(
            AreaSeries::new(steps(run, |b| b.load), 0.0, WORK.mix(0.75)).border_style(WORK.stroke_width(2)),
        )?;
    }
    panel.draw_series(LineSeries::new(steps(buckets, |b| b.capacity), BLACK_INK.stroke_width(3)))?;
    let frame = Frame::of(&panel);
    let keys =
        [(FILLED, WORK, "offered load: busy slots needed"), (LINE, BLACK_INK, "capacity: slots of ready replicas")];
    legend(&frame, &keys, overlay)?;
    Ok(frame)
}

fn draw_replicas(
    area: &Area<'_>,
    time: &Timeline,
    buckets: &[Bucket],
    report: &Report,
    overlay: &mut String,
) -> Drawn<()> {
    let highest = peak(buckets.iter().map(|b| b.states.iter().sum()));
    let limit = f64::from(report.max_workers);
    // A limit far above what was used would flatten everything else.
    let limit_fits = limit <= 4.0 * highest.max(1.0);
    let axis = linear(if limit_fits { highest.max(limit) } else { highest }, 1.0);
    let time_tick = if report.events.is_empty() { TICK } else { MARKER_TICK };
    let layout = Layout { title: "Replicas by state", unit: "replicas", time_tick, time_title: false };
    let mut panel = panel(area, time, axis, &layout, overlay)?;
    let frame = Frame::of(&panel);
    let directions = DIRECTIONS.map(|direction| (direction, clusters(&frame, time, &report.events, direction.order)));
    for (direction, clusters) in &directions {
        let faint = (30.0 / clusters.len().max(1) as f64).clamp(0.15, 0.5);
        let (top, style) = (panel.y_range().end, direction.colour.mix(faint).stroke_width(2));
        let times = clusters.iter().filter_map(|cluster| Some(cluster.first()?.t_s));
        panel.draw_series(times.map(|t| PathElement::new([(t, 0.0), (t, top)], style)))?;
    }
    let mut keys = draw_states(&mut panel, buckets)?;
    if limit_fits {
        dashed_line(&frame, panel.backend_coord(&(time.range.start, limit)).1, GREY_INK, overlay)?;
    }
    let limit = format!("max {}{}", report.max_workers, if limit_fits { "" } else { " (off scale)" });
    keys.push((DASHES, GREY_INK, &limit));
    for (direction, clusters) in directions.iter().filter(|(_, clusters)| !clusters.is_empty()) {
        mark_events(&frame, time, direction, clusters, overlay)?;
        keys.push((direction.mark, direction.colour, direction.name));
    }
    legend(&frame, &keys, overlay)
}

/// Stacks the replicas by state, and returns the legend of the states that occur.
fn draw_states(panel: &mut Panel<'_, '_>, buckets: &[Bucket]) -> Drawn<Vec<Key<'static>>> {
    let mut keys = Vec::new();
    // From the top of the stack down: every state covers what was drawn before it, up to its own height.
    for (index, (name, colour)) in STATES.into_iter().enumerate().rev() {
        let height = |b: &Bucket| b.states.iter().take(index + 1).sum::<f64>();
        let present = |b: &Bucket| b.states.get(index).is_some_and(|count| *count > 0.0);
        for run in stretches(buckets, present) {
            panel.draw_series(AreaSeries::new(steps(run, height), 0.0, colour.filled()))?;
        }
        if buckets.iter().any(present) {
            keys.insert(0, (FILLED, colour, name));
        }
    }
    Ok(keys)
}

fn draw_sojourn(
    area: &Area<'_>,
    time: &Timeline,
    buckets: &[Bucket],
    target: Option<f64>,
    overlay: &mut String,
) -> Drawn<()> {
    let decades = decades(buckets.iter().filter_map(|b| b.p99).chain(target));
    let (low, high) = (decades.first().copied().unwrap_or(1.0), decades.last().copied().unwrap_or(10.0));
    let layout = Layout { title: "Sojourn p99", unit: "p99 (log scale)", time_tick: TICK, time_title: false };
    let below = buckets.iter().filter_map(|b| b.p99).any(|ms| ms < low);
    let mut panel = panel(area, time, logarithmic(decades, below), &layout, overlay)?;
    let frame = Frame::of(&panel);
    let over = |ms: f64| target.is_some_and(|target| ms > target);
    let mut keys: Vec<Key<'_>> = vec![(DOT, GREY_INK, if target.is_some() { "within target" } else { "p99" })];
    let target_name = target.map(|target| format!("target {}", duration(target)));
    if let (Some(target), Some(name)) = (target, &target_name) {
        let corners = [(time.range.start, high), (time.range.end, target)];
        panel.draw_series([Rectangle::new(corners, OVER.mix(0.06).filled())])?;
        dashed_line(&frame, panel.backend_coord(&(time.range.start, target)).1, OVER, overlay)?;
        keys.extend([(DOT, OVER, "over target"), (DASHES, OVER, name.as_str())]);
    }
    for run in stretches(buckets, |b| b.p99.is_some()) {
        let line = run.iter().filter_map(|b| Some((b.middle(), b.p99?.max(low))));
        panel.draw_series(LineSeries::new(line, GREY_INK.mix(0.5).stroke_width(2)))?;
    }
    let small = if buckets.len() > 300 { 4 } else { 7 };
    panel.draw_series(buckets.iter().filter_map(|b| Some((b.middle(), b.p99?))).map(|(t, ms)| {
        let (radius, colour) = if over(ms) { (small + 2, OVER) } else { (small, GREY_INK) };
        Circle::new((t, ms.max(low)), radius, colour.filled())
    }))?;
    if buckets.iter().all(|b| b.p99.is_none()) {
        note(&frame, "no request was started", overlay)?;
    }
    legend(&frame, &keys, overlay)
}

fn draw_queue(area: &Area<'_>, time: &Timeline, buckets: &[Bucket], overlay: &mut String) -> Drawn<Frame> {
    let highest = peak(buckets.iter().map(|b| b.queue));
    let axis = linear(highest, 1.0);
    let layout = Layout { title: "Queue depth", unit: "requests", time_tick: TICK, time_title: true };
    let mut panel = panel(area, time, axis, &layout, overlay)?;
    for run in stretches(buckets, |b| b.queue > 0.0) {
        let style = QUEUE.stroke_width(2);
        panel.draw_series(AreaSeries::new(steps(run, |b| b.queue), 0.0, QUEUE.mix(0.7)).border_style(style))?;
    }
    let frame = Frame::of(&panel);
    if highest <= 0.0 {
        note(&frame, "no request waited", overlay)?;
    }
    legend(&frame, &[(FILLED, QUEUE, "requests waiting for a slot")], overlay)?;
    Ok(frame)
}

/// Invisible columns over all panels, one per bucket, that tell its numbers on hover.
fn columns(first: &Frame, bottom: i32, time: &Timeline, buckets: &[Bucket]) -> Drawn<String> {
    let mut columns = String::from("<g class=\"columns\">\n");
    for bucket in buckets {
        let (x, end) = (time.x(first, bucket.start), time.x(first, bucket.end));
        let (y, width, height) = (first.top, end - x, bottom - first.top);
        write!(columns, "<rect x=\"{x:.1}\" y=\"{y}\" width=\"{width:.1}\" height=\"{height}\">")?;
        writeln!(columns, "<title>{}</title></rect>", escape(&bucket.tooltip()))?;
    }
    columns.push_str("</g>\n");
    Ok(columns)
}
