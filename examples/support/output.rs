//! Shows a finished replay: a table on the terminal, a page in a folder.

use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use comfy_table::{CellAlignment, Table, presets};

use crate::report::{Report, Sample, write_html};
use crate::run::Run;

/// The page's name in its folder.
const PAGE: &str = "report.html";

/// Writes the table, the advice, where the report is and what must be said about the data.
pub(crate) fn table(run: &Run, report: Option<&Path>, out: &mut dyn Write) -> io::Result<()> {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_FULL_CONDENSED);
    for (label, value) in run.rows() {
        table.add_row([label, value]);
    }
    if let Some(values) = table.column_mut(1) {
        values.set_cell_alignment(CellAlignment::Right);
    }
    writeln!(out, "{}\n{}\n{table}", run.title(), run.subtitle())?;
    if !run.lints.is_empty() {
        writeln!(out, "Advice on this configuration:")?;
    }
    for lint in &run.lints {
        writeln!(out, "  - {lint}")?;
    }
    if let Some(report) = report {
        writeln!(out, "Report: {}", report.display())?;
    }
    if let Some(notice) = run.notice {
        writeln!(out, "{notice}")?;
    }
    Ok(())
}

/// Writes the page into `folder`, which is made if need be; a page that cannot be completed leaves nothing behind.
pub(crate) fn page(run: &Run, folder: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let report = report(run)?;
    let mut html = Vec::new();
    write_html(&report, &mut html)?;
    fs::create_dir_all(folder)?;
    let path = folder.join(PAGE);
    let unfinished = folder.join(format!(".{PAGE}.{}", std::process::id()));
    let written = fs::write(&unfinished, &html).and_then(|()| fs::rename(&unfinished, &path));
    if let Err(error) = written {
        let _ = fs::remove_file(&unfinished);
        return Err(error.into());
    }
    Ok(path)
}

fn report(run: &Run) -> Result<Report, Box<dyn Error>> {
    let outcome = &run.outcome;
    let sample = |sample: &plimsoll::sim::Sample| Sample {
        t_s: sample.t_s,
        offered_load: sample.offered_load,
        arrivals_per_s: sample.arrivals_per_s,
        capacity_slots: sample.capacity,
        starting: sample.starting,
        ready_idle: sample.idle,
        ready_busy: sample.busy,
        draining: sample.draining,
        standby: sample.standby,
        queue_depth: sample.queue_depth,
        sojourn_p99_ms: sample.sojourn_p99_s.map(|seconds| seconds * 1_000.0),
    };
    Ok(Report {
        title: run.title(),
        subtitle: run.subtitle(),
        summary: run.rows(),
        config: serde_saphyr::to_string(&run.config)?,
        lints: run.lints.iter().map(ToString::to_string).collect(),
        bucket_s: outcome.bucket.as_secs_f64(),
        samples: outcome.samples.iter().map(sample).collect(),
        target_ms: outcome.target.as_secs_f64() * 1_000.0,
        max_workers: run.config.max(),
        events: run.events.clone(),
        notice: run.notice.unwrap_or_default().to_owned(),
    })
}
