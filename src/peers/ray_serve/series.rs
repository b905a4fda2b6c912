//! Samples over time: what is kept, how several are merged, and what number comes of them (`metrics_utils.py`,
//! `autoscaling_metrics_merge.py`).

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::peers::exact::Exact;

/// One sample.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(from = "(Exact, Exact)", into = "(Exact, Exact)")]
#[expect(clippy::exhaustive_structs, reason = "a time and a value")]
pub struct Sample {
    /// When it was taken, in seconds.
    pub at: f64,
    /// What it was.
    pub value: f64,
}

impl From<(Exact, Exact)> for Sample {
    fn from((at, value): (Exact, Exact)) -> Self {
        Self { at: at.0, value: value.0 }
    }
}

impl From<Sample> for (Exact, Exact) {
    fn from(sample: Sample) -> Self {
        (Exact(sample.at), Exact(sample.value))
    }
}

/// Samples in the order in which they were taken.
pub type Series = Vec<Sample>;

/// How the merged samples become one number.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Aggregation {
    /// The time-weighted mean.
    #[default]
    Mean,
    /// The largest sample.
    Max,
    /// The smallest sample.
    Min,
}

/// Keeps what is newer than `start`. A series whose last sample is older goes as a whole; one whose last sample is
/// exactly that old becomes empty and stays.
///
/// Returns whether the series stays.
pub(super) fn prune(series: &mut Series, start: f64) -> bool {
    if series.last().is_none_or(|last| last.at < start) {
        return false;
    }
    series.retain(|sample| sample.at > start);
    true
}

/// The sum of several step functions, each of which starts from 0.
///
/// No series with samples: nothing. One: itself. More: the sum at every sample that changes its series' value, with its
/// time rounded to 10 ms, half away from zero; of several sums at one such time the last stays. A series' leading zeros
/// change nothing and so leave no trace.
#[must_use]
pub fn merge(series: &[&[Sample]]) -> Series {
    let mut sources: Vec<(&[Sample], f64)> = samples(series).map(|series| (series, 0.0)).collect();
    if let [(only, _)] = sources.as_slice() {
        return only.to_vec();
    }
    let mut merged = Series::new();
    let mut sum = 0.0;
    while let Some((source, head)) = earliest(&sources) {
        let Some((rest, last)) = sources.get_mut(source) else { break };
        *rest = rest.get(1..).unwrap_or(&[]);
        if head.value == *last {
            continue;
        }
        sum += head.value - *last;
        *last = head.value;
        let at = (head.at * 100.0).round() / 100.0;
        match merged.last_mut() {
            Some(newest) if newest.at == at => newest.value = sum,
            _ => merged.push(Sample { at, value: sum }),
        }
    }
    merged
}

/// The earliest of the next samples of all sources; of equals that of the first.
fn earliest(sources: &[(&[Sample], f64)]) -> Option<(usize, Sample)> {
    let mut earliest: Option<(usize, Sample)> = None;
    for (source, (rest, _)) in sources.iter().enumerate() {
        let Some(&head) = rest.first() else { continue };
        if earliest.is_none_or(|(_, known)| head.at < known.at) {
            earliest = Some((source, head));
        }
    }
    earliest
}

/// Those that hold samples.
fn samples<'a>(series: &'a [&'a [Sample]]) -> impl Iterator<Item = &'a [Sample]> {
    series.iter().copied().filter(|series| !series.is_empty())
}

/// One number for several series at `now`.
///
/// The merged function counts from `start` to its last sample, and that sample for the time since (a millisecond if its
/// clock is ahead). `start` is the first sample, or with several series the latest of their first samples, if that is
/// not after the last. The mean carries the value at `start` in; max and min look only at samples from `start` on.
#[must_use]
pub fn aggregate(function: Aggregation, series: &[&[Sample]], now: f64) -> f64 {
    let merged = merge(series);
    let (Some(first), Some(last)) = (merged.first(), merged.last()) else { return 0.0 };
    let tail = now - last.at;
    let end = last.at + if tail <= 0.0 { 0.001 } else { tail };
    let firsts = samples(series).filter_map(|series| series.first());
    let aligned = firsts.map(|first| first.at).fold(f64::NEG_INFINITY, f64::max);
    let start = if aligned <= last.at && aligned > first.at { aligned } else { first.at };
    let counted = merged.iter().filter(|sample| sample.at >= start).map(|sample| sample.value);
    match function {
        Aggregation::Mean => mean(&merged, start, end),
        Aggregation::Max => counted.reduce(|most, value| if value > most { value } else { most }).unwrap_or(0.0),
        Aggregation::Min => counted.reduce(|least, value| if value < least { value } else { least }).unwrap_or(0.0),
    }
}

/// The integral of the step function over `[start, end]` over its length, summed up step by step.
fn mean(merged: &[Sample], start: f64, end: f64) -> f64 {
    let (mut weighted, mut length, mut value, mut since) = (0.0, 0.0, 0.0, start);
    let mut add = |value: f64, from: f64, to: f64| {
        let lasted = to - from;
        if lasted > 0.0 {
            weighted += value * lasted;
            length += lasted;
        }
    };
    for sample in merged {
        if sample.at <= start {
            value = sample.value;
        } else if sample.at >= end {
            break;
        } else {
            add(value, since, sample.at);
            (value, since) = (sample.value, sample.at);
        }
    }
    add(value, since, end);
    if length > 0.0 { weighted / length } else { 0.0 }
}
