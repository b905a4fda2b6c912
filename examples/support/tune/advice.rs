//! Why a recommended value is what it is, the file that says so, and what stands in the way where there is none.

use std::fmt::Write as _;

use plimsoll::config::Config;
use serde::Serialize;
use serde_json::Value;

use super::search::Changed;
use super::space::{Knob, Space};
use super::trial::{Figures, Ground, Verdict};
use crate::words::{percent, time};

/// What costs so little more or less costs the same.
const SAME: f64 = 0.002;

/// A recommended value with its reason.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Line {
    pub(crate) setting: &'static str,
    pub(crate) value: String,
    pub(crate) why: String,
    pub(crate) halved: Option<Other>,
    pub(crate) doubled: Option<Other>,
}

/// What another value would lead to.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Other {
    pub(crate) value: String,
    /// Worker hours over those of the recommended value, less one.
    pub(crate) costs_more: f64,
    #[serde(flatten)]
    pub(crate) verdict: Verdict,
}

impl Line {
    pub(crate) fn new(
        knob: &Knob,
        value: u64,
        chosen: &Verdict,
        changed: [Option<Changed>; 2],
        ground: &Ground,
    ) -> Self {
        let other = |changed: Changed| Other {
            value: knob.text(changed.value),
            costs_more: changed.verdict.figures.worker_hours / chosen.figures.worker_hours.max(f64::MIN_POSITIVE) - 1.0,
            verdict: changed.verdict,
        };
        let [halved, doubled] = changed.map(|changed| changed.map(other));
        let why = why(knob, value, halved.as_ref(), doubled.as_ref(), ground);
        Self { setting: knob.name, value: knob.text(value), why, halved, doubled }
    }
}

fn why(knob: &Knob, value: u64, halved: Option<&Other>, doubled: Option<&Other>, ground: &Ground) -> String {
    if knob.grid.len() < 2 {
        return "given, not tuned".to_owned();
    }
    let same = |other: &Other| other.verdict.keeps_objective && other.costs_more.abs() <= SAME;
    let misses = |other: &Other| !other.verdict.keeps_objective;
    let cheaper = |other: &Other| other.verdict.keeps_objective && other.costs_more < -SAME;
    let lead = match (halved, doubled) {
        (None, None) => "no other value to compare with".to_owned(),
        (halved, doubled) if halved.is_none_or(same) && doubled.is_none_or(same) => {
            let usual = if knob.usual == Some(value) { ", so it is left as it is" } else { "" };
            format!("makes no difference here{usual}")
        }
        (Some(halved), None) if misses(halved) => "as low as the objective allows".to_owned(),
        (Some(halved), Some(doubled)) if misses(halved) && !misses(doubled) => {
            "as low as the objective allows".to_owned()
        }
        (None, Some(doubled)) if misses(doubled) => "as high as the objective allows".to_owned(),
        (Some(halved), Some(doubled)) if misses(doubled) && !misses(halved) => {
            "as high as the objective allows".to_owned()
        }
        (Some(halved), Some(doubled)) if misses(halved) && misses(doubled) => {
            "the objective is kept between the two".to_owned()
        }
        (Some(halved), _) if cheaper(halved) => beyond(knob, value / 2),
        (_, Some(doubled)) if cheaper(doubled) => beyond(knob, value * 2),
        _ => "the cheapest".to_owned(),
    };
    let sides =
        [(if value == 1 { "none" } else { "halved" }, halved), (if value == 0 { "more" } else { "doubled" }, doubled)];
    let said: Vec<_> = sides
        .into_iter()
        .filter_map(|(word, other)| other.map(|other| format!("{word} ({}) {}", other.value, effect(other, ground))))
        .collect();
    if said.is_empty() { lead } else { format!("{lead}: {}", said.join("; ")) }
}

/// Why a value stands although another one costs less.
fn beyond(knob: &Knob, other: u64) -> String {
    if knob.covers(other) {
        "near the cheapest".to_owned()
    } else {
        "at the end of what was tried: beyond it, it would be fitted to this recording".to_owned()
    }
}

fn effect(other: &Other, ground: &Ground) -> String {
    match shortfall(&other.verdict, ground) {
        Some(how) => how,
        None if other.costs_more.abs() <= SAME => "costs the same".to_owned(),
        None => {
            let word = if other.costs_more > 0.0 { "more" } else { "less" };
            format!("costs {:.1} % {word}", other.costs_more.abs() * 100.0)
        }
    }
}

/// The share that decides whether the objective is kept, and what share it is if not that of the recording.
pub(crate) fn deciding(verdict: &Verdict, ground: &Ground) -> (f64, &'static str) {
    let share = ground.objective.share.as_f64();
    let Figures { within, within_at_least, .. } = verdict.figures;
    match verdict.within_bad_day {
        _ if verdict.keeps_objective || within < share => (within, ""),
        Some(bad_day) if within_at_least >= share => (bad_day, " on a bad day"),
        _ => (within_at_least, " surely"),
    }
}

/// How a configuration misses the objective, if it does.
fn shortfall(verdict: &Verdict, ground: &Ground) -> Option<String> {
    let share = ground.objective.share.as_f64();
    let Figures { within, within_at_least, .. } = verdict.figures;
    if verdict.keeps_objective {
        None
    } else if within < share {
        Some(format!("misses it, {} in time", percent(within)))
    } else if within_at_least < share {
        Some(format!("keeps it by chance, {} in time, but surely only {}", percent(within), percent(within_at_least)))
    } else {
        Some(format!("misses it on a bad day, {} in time", percent(verdict.within_bad_day.unwrap_or(0.0))))
    }
}

/// The configuration as a file, with what is above each value; read back before it is returned.
pub(crate) fn file(
    head: &str,
    space: &Space,
    values: &[u64],
    lines: &[Line],
    given: &[(&str, String)],
) -> Result<String, String> {
    let config = space.config(values)?;
    let mut text = String::new();
    for line in head.lines() {
        // A command stays on one line.
        if line.is_empty() || line.starts_with("cargo ") {
            text.push_str(format!("# {line}").trim_end());
            text.push('\n');
        } else {
            wrapped(&mut text, line);
        }
    }
    let settings = space.settings(values);
    let mut done = Vec::new();
    for (name, value) in settings.iter().filter(|(_, value)| !value.is_null()) {
        let own = |line: &&Line| line.setting == *name || (*name == "policies" && is_of_the_policy(line.setting));
        let line = lines.iter().find(own);
        let why = match (line, *name) {
            (Some(line), _) => line.why.clone(),
            (None, "down_delay") => "as the idle timeout, as RunPod has it".to_owned(),
            (None, _) => String::new(),
        };
        write_setting(&mut text, name, value, &why)?;
        done.push(*name);
    }
    let unset = settings.iter().filter(|(_, value)| value.is_null()).map(|(name, _)| *name);
    for name in unset {
        if let Some(line) = lines.iter().find(|line| line.setting == name) {
            let instead = if name == "to_zero_delay" { "unset, so that the down delay holds" } else { "none" };
            text.push('\n');
            wrapped(&mut text, &format!("{name} ({instead}) {}", line.why));
        }
    }
    // Whatever else is not as the library has it by itself.
    let plain = Config::new(plimsoll::Policy::External, 0, 1).map_err(|error| error.to_string())?;
    let (all, plain) = (object(&config)?, object(&plain)?);
    let differs =
        |name: &str, value: &Value| plain.get(name) != Some(value) || given.iter().any(|(own, _)| *own == name);
    for (name, value) in all.iter().filter(|(name, value)| !done.contains(&name.as_str()) && differs(name, value)) {
        let why = given.iter().find(|(own, _)| own == name).map_or("given, not tuned", |(_, why)| why);
        write_setting(&mut text, name, value, why)?;
    }
    let read: Config = serde_saphyr::from_str(&text).map_err(|error| error.without_snippet().to_string())?;
    if read == config { Ok(text) } else { Err("the written configuration reads as another one".to_owned()) }
}

fn is_of_the_policy(setting: &str) -> bool {
    matches!(setting, "target_qps_per_replica" | "queue_delay" | "request_count" | "target")
}

fn object(config: &Config) -> Result<serde_json::Map<String, Value>, String> {
    match serde_json::to_value(config) {
        Ok(Value::Object(map)) => Ok(map),
        _ => Err("the configuration cannot be written".to_owned()),
    }
}

fn write_setting(text: &mut String, name: &str, value: &Value, why: &str) -> Result<(), String> {
    text.push('\n');
    wrapped(text, why);
    let value = match value {
        Value::String(value) => value.clone(),
        other => flow(other),
    };
    writeln!(text, "{name}: {value}").map_err(|error| error.to_string())
}

/// YAML on one line, without the quotes that JSON needs.
fn flow(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::Object(map) => {
            let pairs: Vec<_> = map.iter().map(|(key, value)| format!("{key}: {}", flow(value))).collect();
            format!("{{{}}}", pairs.join(", "))
        }
        Value::String(text) if text.chars().all(|c| c.is_ascii_alphanumeric()) => text.clone(),
        other => other.to_string(),
    }
}

/// A comment, wrapped.
fn wrapped(text: &mut String, comment: &str) {
    let mut line = String::new();
    for word in comment.split(' ') {
        if line.chars().count() + word.chars().count() > 110 {
            text.extend(["#", &line, "\n"]);
            line.clear();
        }
        line.push(' ');
        line.push_str(word);
    }
    if !line.trim().is_empty() {
        text.extend(["#", &line, "\n"]);
    }
}

/// What keeps every configuration from the objective, and what to do about it. `enough` is the best fixed count.
pub(crate) fn obstacles(
    ground: &Ground,
    space: &Space,
    nearest: &Verdict,
    min: Option<u32>,
    enough: Option<u32>,
) -> Result<Vec<String>, String> {
    let config = space.config(&space.knobs.iter().filter_map(|knob| knob.grid.first().copied()).collect::<Vec<_>>())?;
    let (share, within) = (ground.objective.share.as_f64(), time(ground.objective.within.as_secs_f64()));
    let (max, cold_start) = (config.max(), time(ground.options.cold_start.as_secs_f64()));
    let always = Config::new(plimsoll::Policy::Fixed(max), max, max)
        .and_then(|fixed| fixed.with_concurrency(config.concurrency()))
        .map_err(|error| error.to_string())?;
    let always = ground.judge(&always);
    let mut found = Vec::new();
    if !always.keeps_objective {
        let how = shortfall(&always, ground).unwrap_or_default();
        let enough = enough.map_or_else(String::new, |count| format!(" ({count} all the time just keep it)"));
        found.push(format!(
            "max ({max}) is too low: so many workers, all the time, and still the objective is out of reach ({how}): \
             raise --max{enough}, or --concurrency if a worker can take more"
        ));
        return Ok(found);
    }
    if let Some(min) = min {
        if ground.options.cold_start > ground.objective.within {
            found.push(format!(
                "a worker takes {cold_start} to start and a request may wait for {within}: whoever needs a worker beyond \
                 those that are there is late. min is fixed at {min}: leave --min out, allow more time with --within, or \
                 make workers start faster"
            ));
        } else {
            found.push(format!("min is fixed at {min}: leave --min out"));
        }
    }
    if nearest.figures.within >= share {
        found.push(format!(
            "the nearest {}: requests are late in clumps, so that a part this short proves little; give a longer \
             workload, or a smaller --hold-out",
            shortfall(nearest, ground).unwrap_or_default()
        ));
    }
    if found.is_empty() {
        found.push(
            "none of the settings that were tried is enough: raise --budget, or allow another --policy".to_owned(),
        );
    }
    Ok(found)
}
