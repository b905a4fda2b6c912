//! What the configuration after a change must keep: figures as such, or in relation to those before.

use plimsoll::sim::Outcome;
use serde::Serialize;

use crate::input;
use crate::measures::{Measure, Unit};

/// A limit as it was given, and what it means.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Limit {
    given: String,
    bound: Bound,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Bound {
    /// The figure itself.
    At(f64),
    /// So much more than before, as a share of it.
    Share(f64),
    /// So much more than before.
    More(f64),
}

impl Bound {
    fn allowed(self, before: f64) -> f64 {
        match self {
            Self::At(value) => value,
            Self::Share(share) => before * (1.0 + share),
            Self::More(more) => before + more,
        }
    }
}

/// The limits of a command line.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Limits on AFTER: as such (100ms), or against BEFORE (+5%, -10%, +20ms, +0)")]
pub(crate) struct Limits {
    /// Fail if p99 of the sojourn is longer
    #[arg(long, value_name = "TIME", value_parser = seconds, allow_hyphen_values = true)]
    max_p99: Option<Limit>,
    /// Fail if any sojourn is longer
    #[arg(long, value_name = "TIME", value_parser = seconds, allow_hyphen_values = true)]
    max_sojourn: Option<Limit>,
    /// Fail if a smaller share of the requests starts in time: 99% or 0.99, or -0.5% for half a point less than BEFORE
    #[arg(long, value_name = "SHARE", value_parser = share, allow_hyphen_values = true)]
    min_within: Option<Limit>,
    /// Fail if it costs more
    #[arg(long, value_name = "PRICE", value_parser = amount, allow_hyphen_values = true)]
    max_cost: Option<Limit>,
    /// Fail if workers run for more hours
    #[arg(long, value_name = "HOURS", value_parser = amount, allow_hyphen_values = true)]
    max_worker_hours: Option<Limit>,
    /// Fail if more requests are cut off
    #[arg(long, value_name = "N", value_parser = count, allow_hyphen_values = true)]
    max_lost: Option<Limit>,
    /// Fail if more requests still wait at the end
    #[arg(long, value_name = "N", value_parser = count, allow_hyphen_values = true)]
    max_unserved: Option<Limit>,
    /// Fail if more workers start cold
    #[arg(long, value_name = "N", value_parser = count, allow_hyphen_values = true)]
    max_cold_starts: Option<Limit>,
    /// Fail if the count changes more often
    #[arg(long, value_name = "N", value_parser = count, allow_hyphen_values = true)]
    max_events: Option<Limit>,
    /// Fail if the count turns round more often
    #[arg(long, value_name = "N", value_parser = count, allow_hyphen_values = true)]
    max_reversals: Option<Limit>,
    /// Fail if more workers run at once
    #[arg(long, value_name = "N", value_parser = count, allow_hyphen_values = true)]
    max_peak: Option<Limit>,
}

/// What came of one limit.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Verdict {
    pub(crate) limit: &'static str,
    pub(crate) given: String,
    pub(crate) allowed: f64,
    pub(crate) value: f64,
    pub(crate) kept: bool,
    #[serde(skip)]
    unit: Unit,
}

impl Limits {
    fn given(&self) -> impl Iterator<Item = (&'static str, Measure, &Limit)> {
        let all = [
            ("--max-p99", Measure::P99, &self.max_p99),
            ("--max-sojourn", Measure::Longest, &self.max_sojourn),
            ("--min-within", Measure::Within, &self.min_within),
            ("--max-cost", Measure::Cost, &self.max_cost),
            ("--max-worker-hours", Measure::WorkerHours, &self.max_worker_hours),
            ("--max-lost", Measure::Lost, &self.max_lost),
            ("--max-unserved", Measure::Unserved, &self.max_unserved),
            ("--max-cold-starts", Measure::ColdStarts, &self.max_cold_starts),
            ("--max-events", Measure::Events, &self.max_events),
            ("--max-reversals", Measure::Reversals, &self.max_reversals),
            ("--max-peak", Measure::Peak, &self.max_peak),
        ];
        all.into_iter().filter_map(|(name, measure, limit)| Some((name, measure, limit.as_ref()?)))
    }

    /// Each limit that was given, and whether it is kept.
    pub(crate) fn judge(&self, before: &Outcome, after: &Outcome) -> Vec<Verdict> {
        let judge = |(limit, measure, given): (&'static str, Measure, &Limit)| {
            let (allowed, value) = (given.bound.allowed(measure.of(before)), measure.of(after));
            let kept = if measure == Measure::Within { value >= allowed } else { value <= allowed };
            Verdict { limit, given: given.given.clone(), allowed, value, kept, unit: measure.unit() }
        };
        self.given().map(judge).collect()
    }
}

impl Verdict {
    /// `--max-cost +5%: 9.03, allowed 8.97`
    pub(crate) fn words(&self) -> String {
        let (value, allowed) = (self.unit.words(self.value), self.unit.words(self.allowed));
        // What is broken by less than the words can tell is told in full.
        let full = value == allowed && !self.kept;
        let (value, allowed) = if full { (self.value.to_string(), self.allowed.to_string()) } else { (value, allowed) };
        let allowed = if self.given == allowed { String::new() } else { format!(", allowed {allowed}") };
        format!("{} {}: {value}{allowed}", self.limit, self.given)
    }
}

const RELATIVE: &str = "or a change against BEFORE such as +5% or -10%";

/// Reads a limit: a signed one is a change, in percent or as such; `read` reads what has no sign.
fn limit(text: &str, expected: &str, read: &dyn Fn(&str) -> Option<f64>) -> Result<Limit, String> {
    let trimmed = text.trim();
    let signed = [('+', 1.0), ('-', -1.0), ('−', -1.0)];
    let change = signed.iter().find_map(|(sign, factor)| Some((trimmed.strip_prefix(*sign)?, *factor)));
    let number = |text: &str| text.trim_end().parse::<f64>().ok().filter(|value| value.is_finite() && *value >= 0.0);
    let bound = match change {
        Some((size, factor)) => match size.strip_suffix('%') {
            Some(percent) => number(percent).map(|percent| Bound::Share(factor * percent / 100.0)),
            None => read(size).map(|more| Bound::More(factor * more)),
        },
        None => read(trimmed).map(Bound::At),
    };
    let refused = || format!("expected {expected}, {RELATIVE}");
    bound.map(|bound| Limit { given: trimmed.to_owned(), bound }).ok_or_else(refused)
}

fn number(text: &str) -> Option<f64> {
    // A second sign is none.
    let digits = text.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    text.parse::<f64>().ok().filter(|value| digits && value.is_finite())
}

fn seconds(text: &str) -> Result<Limit, String> {
    let read = |text: &str| input::duration(text).ok().map(|time| time.as_secs_f64());
    limit(text, "a time such as 100ms or 1.5s", &read)
}

fn amount(text: &str) -> Result<Limit, String> {
    limit(text, "a number such as 12.5", &number)
}

fn count(text: &str) -> Result<Limit, String> {
    limit(text, "a whole number such as 20", &|text| text.parse::<u32>().ok().map(f64::from))
}

/// A change of a share is in points: 99 % less 0.5 % is 98.5 %.
fn share(text: &str) -> Result<Limit, String> {
    let read = |text: &str| match text.strip_suffix('%') {
        Some(percent) => number(percent.trim_end()).map(|percent| percent / 100.0),
        None => number(text),
    };
    let points = |limit: Limit| match limit.bound {
        Bound::Share(share) => Limit { bound: Bound::More(share), ..limit },
        _ => limit,
    };
    let limit = limit(text, "a share such as 99% or 0.99", &|text| read(text).filter(|share| *share <= 1.0))?;
    Ok(points(limit))
}
