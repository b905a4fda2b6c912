//! Writes what a replay did as one self-contained HTML page: a summary, charts over time, every scaling event.
//!
//! The page is described by plain data ([`Report`]), so nothing here depends on how a replay is run.

#![allow(unreachable_pub, reason = "the module is made to be included by path")]
#![allow(clippy::float_arithmetic, clippy::arithmetic_side_effects, reason = "pixels, not decisions")]
#![allow(clippy::std_instead_of_core, reason = "examples have the standard library")]

use std::error::Error;
use std::io::Write;

use crate::human::{clock, duration, short};

#[path = "chart.rs"]
mod chart;

/// How many scaling events the table lists before it says how many more there were.
const MAX_EVENT_ROWS: usize = 500;

/// Everything the page shows.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// The heading: which workload under which policy.
    pub title: String,
    /// One line under the heading: cold start, concurrency, seed.
    pub subtitle: String,
    /// Label and value of each headline number.
    pub summary: Vec<(String, String)>,
    /// The configuration as text, already formatted.
    pub config: String,
    /// Advice about the configuration; may be empty.
    pub lints: Vec<String>,
    /// Width of a sample bucket in seconds.
    pub bucket_s: f64,
    /// One sample per bucket, in time order.
    pub samples: Vec<Sample>,
    /// The sojourn p99 to stay under, in milliseconds. Not drawn unless it is positive and finite.
    pub target_ms: f64,
    /// The most workers the policy may ask for.
    pub max_workers: u32,
    /// Every change of the wanted number of workers.
    pub events: Vec<Event>,
    /// What must be said about the data; may be empty.
    pub notice: String,
}

/// What one bucket of time looked like.
#[derive(Debug, Clone, Default)]
pub struct Sample {
    /// Start of the bucket, in seconds since the start of the replay.
    pub t_s: f64,
    /// Busy slots the arriving work needs, in erlangs.
    pub offered_load: f64,
    /// Requests arriving per second.
    pub arrivals_per_s: f64,
    /// Slots of the ready workers: workers times concurrency.
    pub capacity_slots: f64,
    /// Replicas that are still starting.
    pub starting: f64,
    /// Ready replicas without work.
    pub ready_idle: f64,
    /// Ready replicas with work.
    pub ready_busy: f64,
    /// Replicas finishing their last work.
    pub draining: f64,
    /// Replicas kept on standby.
    pub standby: f64,
    /// Requests waiting for a slot.
    pub queue_depth: f64,
    /// The 99th percentile of the sojourn time of the requests whose wait ended in the bucket, if there were any.
    pub sojourn_p99_ms: Option<f64>,
}

/// One change of the wanted number of workers.
#[derive(Debug, Clone, Default)]
pub struct Event {
    /// When, in seconds since the start of the replay.
    pub t_s: f64,
    /// Workers wanted before.
    pub from: u32,
    /// Workers wanted after.
    pub to: u32,
    /// Short code of the reason.
    pub code: String,
    /// The reason in one line.
    pub text: String,
}

/// Writes the report as one HTML page that refers to nothing outside itself.
///
/// # Errors
///
/// When the samples are not in time order, when a time is not finite, when there are samples but the bucket width is
/// not positive, or when `out` cannot be written to.
pub fn write_html(report: &Report, out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    check(report)?;
    let title = escape(&report.title);
    write!(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n")?;
    writeln!(out, "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">")?;
    write!(out, "<title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n")?;
    write!(out, "<header>\n<h1>{title}</h1>\n<p>{}</p>\n</header>\n", escape(&report.subtitle))?;
    write_summary(&report.summary, out)?;
    write_lints(&report.lints, out)?;
    write_charts(report, out)?;
    write_events(&report.events, out)?;
    if !report.config.is_empty() {
        let config = escape(&report.config);
        writeln!(out, "<details>\n<summary>Configuration</summary>\n<pre>{config}</pre>\n</details>")?;
    }
    if !report.notice.is_empty() {
        writeln!(out, "<footer>{}</footer>", escape(&report.notice))?;
    }
    write!(out, "</main>\n</body>\n</html>\n")?;
    Ok(())
}

fn check(report: &Report) -> Result<(), Box<dyn Error>> {
    let mut times = report.samples.iter().map(|sample| sample.t_s).chain(report.events.iter().map(|event| event.t_s));
    if !times.all(f64::is_finite) {
        return Err("the report has a sample or an event at a time that is not finite".into());
    }
    if !report.samples.is_sorted_by(|a, b| a.t_s < b.t_s) {
        return Err("the samples of the report are not in time order".into());
    }
    let width_is_usable = report.bucket_s.is_finite() && report.bucket_s > 0.0;
    if !report.samples.is_empty() && !width_is_usable {
        return Err(format!("the bucket width of the report is {} s, not a positive number", report.bucket_s).into());
    }
    Ok(())
}

fn write_summary(rows: &[(String, String)], out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(out, "<dl>")?;
    for (label, value) in rows {
        writeln!(out, "<div><dt>{}</dt><dd>{}</dd></div>", escape(label), escape(value))?;
    }
    writeln!(out, "</dl>")?;
    Ok(())
}

fn write_lints(lints: &[String], out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    if lints.is_empty() {
        return Ok(());
    }
    writeln!(out, "<section class=\"advice\">\n<h2>Advice on this configuration</h2>\n<ul>")?;
    for lint in lints {
        writeln!(out, "<li>{}</li>", escape(lint))?;
    }
    writeln!(out, "</ul>\n</section>")?;
    Ok(())
}

fn write_charts(report: &Report, out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    match chart::draw(report)? {
        None => writeln!(out, "<p class=\"empty\">No data: the replay produced no samples.</p>")?,
        Some(chart::Drawing { svg, caption }) => {
            writeln!(out, "<figure>\n{svg}\n<figcaption>{}</figcaption>\n</figure>", escape(&caption))?;
        }
    }
    Ok(())
}

fn write_events(events: &[Event], out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    writeln!(out, "<details>\n<summary>Scaling events ({})</summary>", events.len())?;
    if events.is_empty() {
        writeln!(out, "<p>The number of workers never changed.</p>\n</details>")?;
        return Ok(());
    }
    writeln!(
        out,
        "<table>\n<thead><tr><th>Time</th><th>Workers</th><th>Code</th><th>Reason</th></tr></thead>\n<tbody>"
    )?;
    for event in events.iter().take(MAX_EVENT_ROWS) {
        let (class, arrow) = match event.to.cmp(&event.from) {
            std::cmp::Ordering::Greater => ("up", "▲"),
            std::cmp::Ordering::Less => ("down", "▼"),
            std::cmp::Ordering::Equal => ("", ""),
        };
        write!(out, "<tr><td>{}</td><td>{} → {} ", clock(event.t_s, true), event.from, event.to)?;
        write!(out, "<span class=\"{class}\">{arrow}</span></td><td><code>{}</code></td>", escape(&event.code))?;
        writeln!(out, "<td>{}</td></tr>", escape(&event.text))?;
    }
    writeln!(out, "</tbody>\n</table>")?;
    if let Some(more) = events.len().checked_sub(MAX_EVENT_ROWS).filter(|more| *more > 0) {
        writeln!(out, "<p>and {more} more</p>")?;
    }
    writeln!(out, "</details>")?;
    Ok(())
}

/// The text with every character replaced that HTML or SVG could mistake for markup.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

const STYLE: &str = "\
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0; background: #fff; color: #1a1a1a; line-height: 1.45;
  font: 15px/1.45 system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'Liberation Sans', Arial, sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 32px 24px 48px; }
header { border-bottom: 2px solid #1a1a1a; padding-bottom: 12px; margin-bottom: 20px; }
h1 { font-size: 26px; line-height: 1.2; margin: 0; overflow-wrap: anywhere; }
header p { margin: 6px 0 0; color: #555; }
h2 { font-size: 15px; margin: 0 0 4px; }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(158px, 1fr)); gap: 14px 20px; margin: 0 0 24px; }
dl div { border-left: 3px solid #d9d9d9; padding-left: 10px; }
dt { color: #555; font-size: 13px; }
dd { margin: 0; font-size: 19px; font-weight: 600; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.advice { background: #fdf6e7; border-left: 4px solid #e69f00; padding: 10px 16px; margin: 0 0 24px; }
.advice ul { margin: 0; padding-left: 20px; }
.empty { border: 1px dashed #999; color: #555; padding: 48px; text-align: center; }
figure { margin: 0 0 24px; }
figure svg { display: block; width: 100%; height: auto; }
figure text { font-family: inherit; font-variant-numeric: tabular-nums; }
figcaption { color: #555; font-size: 13px; margin-top: 6px; }
figure svg > text, figure svg > path { pointer-events: none; }
.columns rect { fill: #000; fill-opacity: 0; }
.columns rect:hover { fill-opacity: 0.14; }
.events path:hover { fill: #000; }
details, footer { border-top: 1px solid #d9d9d9; padding: 10px 0; }
footer { color: #555; font-size: 13px; }
summary { cursor: pointer; font-weight: 600; }
table { border-collapse: collapse; width: 100%; margin-top: 8px; font-size: 13px; font-variant-numeric: tabular-nums; }
th { text-align: left; border-bottom: 1px solid #1a1a1a; }
th, td { padding: 3px 16px 3px 0; vertical-align: top; }
td { border-bottom: 1px solid #ececec; }
td:nth-child(-n+3) { white-space: nowrap; }
td:last-child { overflow-wrap: anywhere; }
.up { color: #009e73; }
.down { color: #e69f00; }
pre, code { font: 13px/1.4 ui-monospace, 'Cascadia Mono', Menlo, Consolas, 'Liberation Mono', monospace; }
pre { background: #f6f6f6; padding: 12px 16px; white-space: pre-wrap; overflow-wrap: anywhere; }
@media print {
  main { max-width: none; padding: 0; }
  h1 { font-size: 20px; }
  header, dl, .advice { margin-bottom: 10px; }
  dl { grid-template-columns: repeat(6, 1fr); gap: 8px 12px; }
  dd { font-size: 15px; }
  .advice { font-size: 13px; padding: 6px 12px; }
  figure { margin: 0; break-inside: avoid; }
  figure svg { max-height: 6.6in; }
}
";
