//! Reads what a replay starts from: the workload, the configuration, durations on the command line.
//!
//! Every error is one line that names the file, the place in it and what was expected.

use std::error::Error;
use std::fs::File;
use std::path::Path;
use std::time::Duration;

use plimsoll::Share;
use plimsoll::config::Effective;
use plimsoll::sim::{Options, ReadOptions, Workload, WorkloadError};
use serde::de::DeserializeOwned;

/// The hour that is built in: the one file of `data/` with bursts, silences and service times of its own.
const HOUR: &[u8] = include_bytes!("../../data/llm_code_azure2023.csv");
const HOUR_NAME: &str = "llm_code_azure2023.csv";

const CHAT: &[u8] = include_bytes!("../../data/llm_chat_azure2023.csv");
const CHAT_NAME: &str = "llm_chat_azure2023.csv";

/// What must be said wherever the built-in hour is shown.
#[allow(dead_code, reason = "not every example that includes this needs it")]
pub(crate) const HOUR_NOTICE: &str = "Data: Azure LLM inference trace 2023 (code), Microsoft, CC-BY 4.0, changed: \
                                      service times are derived from tokens. See data/NOTICES.md and data/README.md.";

/// The same for the hour of steady traffic alone.
#[allow(dead_code, reason = "not every example that includes this needs it")]
pub(crate) const CHAT_NOTICE: &str = "Data: Azure LLM inference trace 2023 (conversation), Microsoft, CC-BY 4.0, changed: \
                                      service times are derived from tokens. See data/NOTICES.md and data/README.md.";

/// Reads a workload file, or the built-in hour.
#[allow(dead_code, reason = "not every example that includes this needs it")]
pub(crate) fn workload(path: Option<&Path>, options: &ReadOptions) -> Result<Workload, String> {
    match path {
        None => Workload::read(HOUR_NAME, HOUR, options).map_err(|error| explained(&error)),
        Some(path) => {
            let (name, file) = open(path)?;
            Workload::read(&name, file, options).map_err(|error| explained(&error))
        }
    }
}

/// Reads each pool of a workload file as a workload of its own.
#[allow(dead_code, reason = "not every example that includes this needs it")]
pub(crate) fn pools(path: &Path, options: &ReadOptions) -> Result<Vec<Workload>, String> {
    let (name, file) = open(path)?;
    Workload::read_pools(&name, file, options).map_err(|error| explained(&error))
}

fn open(path: &Path) -> Result<(String, File), String> {
    let name = path.display().to_string();
    let file = File::open(path).map_err(|error| format!("{name}: cannot be opened: {error}; check the path"))?;
    Ok((name, file))
}

fn explained(error: &WorkloadError) -> String {
    let cause = error.source().map(|cause| format!(" ({cause})")).unwrap_or_default();
    as_on_the_command_line(&format!("{error}{cause}"))
}

/// The hour of bursts, and one of steady traffic.
#[allow(dead_code, reason = "not every example that includes this needs it")]
pub(crate) fn hours(options: &ReadOptions) -> Result<Vec<Workload>, String> {
    let read = |(name, data)| Workload::read(name, data, options);
    let all = [(HOUR_NAME, HOUR), (CHAT_NAME, CHAT)].into_iter().map(read).collect::<Result<Vec<_>, _>>();
    all.map_err(|error| as_on_the_command_line(&error.to_string()))
}

/// The hour of steady traffic.
#[allow(dead_code, reason = "not every example that includes this needs it")]
pub(crate) fn chat(options: &ReadOptions) -> Result<Workload, String> {
    Workload::read(CHAT_NAME, CHAT, options).map_err(|error| as_on_the_command_line(&error.to_string()))
}

/// The library names its own options; whoever reads the message knows those of the command line.
fn as_on_the_command_line(message: &str) -> String {
    let names = [("divide_by", "divide"), ("max_requests", "max-requests"), ("service", "service"), ("pool", "pool")];
    names.into_iter().fold(message.to_owned(), |message, (library, option)| {
        message.replace(&format!("`ReadOptions::with_{library}`"), &format!("--{option}"))
    })
}

/// Reads a configuration file, in the format that its ending names.
#[allow(dead_code, reason = "not every example that includes this needs it")]
pub(crate) fn config(path: &Path) -> Result<Effective, String> {
    settings(path, "settings such as preset: outpost-gpu")
}

/// Reads how the simulated platform behaves and what it costs.
#[allow(dead_code, reason = "not every example that includes this needs it")]
pub(crate) fn platform(path: &Path) -> Result<Options, String> {
    let options: Options = settings(path, "settings such as cold_start: 45s")?;
    options.check().map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(options)
}

fn settings<T: DeserializeOwned>(path: &Path, expected: &str) -> Result<T, String> {
    let name = path.display();
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_ascii_lowercase();
    let read: fn(&str) -> Result<T, Flaw> = match ending.as_str() {
        "yaml" | "yml" => yaml,
        "toml" => toml,
        "json" => json,
        _ => return Err(format!("{name}: the ending tells the format, expected .yaml, .yml, .toml or .json")),
    };
    let text = std::fs::read_to_string(path).map_err(|error| format!("{name}: cannot be read: {error}"))?;
    if text.trim().is_empty() {
        return Err(format!("{name}: the file is empty, expected {expected}"));
    }
    read(&text).map_err(|Flaw { place, message }| match place {
        Some((line, column)) => format!("{name}, line {line}, column {column}: {message}"),
        None => format!("{name}: {message}"),
    })
}

/// What is wrong with a configuration, and at which line and column if that is known.
struct Flaw {
    place: Option<(u64, u64)>,
    message: String,
}

fn yaml<T: DeserializeOwned>(text: &str) -> Result<T, Flaw> {
    serde_saphyr::from_str(text).map_err(|error| {
        let place = error.location().map(|place| (place.line(), place.column()));
        Flaw { place, message: without_place(&error.without_snippet().to_string()) }
    })
}

fn json<T: DeserializeOwned>(text: &str) -> Result<T, Flaw> {
    serde_json::from_str(text).map_err(|error: serde_json::Error| {
        let place = (error.line() > 0).then_some((error.line() as u64, error.column() as u64));
        Flaw { place, message: without_place(&error.to_string()) }
    })
}

fn toml<T: DeserializeOwned>(text: &str) -> Result<T, Flaw> {
    toml::from_str(text).map_err(|error: toml::de::Error| {
        let before = error.span().and_then(|span| text.get(..span.start));
        let place = before.map(|before| {
            let column = before.rsplit('\n').next().unwrap_or_default().chars().count();
            (before.matches('\n').count() as u64 + 1, column as u64 + 1)
        });
        Flaw { place, message: error.message().replace('\n', ", ") }
    })
}

/// The message without the position at its end, which stands in front already.
fn without_place(message: &str) -> String {
    let end = message.rfind(" at line ").unwrap_or(message.len());
    message.get(..end).unwrap_or(message).replace('\n', ", ")
}

/// Reads a duration: seconds, or a number with a unit.
#[allow(dead_code, reason = "not every example that includes this needs it")]
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let (number, unit) = text.split_at(text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len()));
    let unit = match unit {
        "ms" => Some(0.001),
        "" | "s" => Some(1.0),
        "m" | "min" => Some(60.0),
        "h" => Some(3_600.0),
        _ => None,
    };
    let seconds = number.trim_end().parse::<f64>().ok().zip(unit).map(|(number, unit)| number * unit);
    let parsed = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    parsed.ok_or_else(|| "expected seconds, or a number with ms, s, m or h, such as 20s, 250ms or 1.5".to_owned())
}

/// Reads a share.
#[allow(dead_code, reason = "not every example that includes this needs it")]
pub(crate) fn share(text: &str) -> Result<Share, String> {
    let number = text.parse().map_err(|_| "expected a number between 0 and 1, such as 0.2".to_owned())?;
    Share::new(number).map_err(|error| error.to_string())
}
