//! Samples made ready for drawing: cleaned, and merged where they would be narrower than a pixel.

#![allow(clippy::cast_precision_loss, reason = "counts of samples are far below 2^53")]

use super::super::{Sample, clock, duration, short};
use super::STATES;

/// One or more samples, cleaned of what cannot be drawn.
pub(super) struct Bucket {
    pub(super) start: f64,
    pub(super) end: f64,
    pub(super) load: f64,
    pub(super) arrivals: f64,
    pub(super) capacity: f64,
    /// Replicas in the order of [`STATES`].
    pub(super) states: [f64; 5],
    pub(super) queue: f64,
    pub(super) p99: Option<f64>,
}

/// Merges every `size` samples into a bucket: means, but the worst queue depth and sojourn.
pub(super) fn merge(samples: &[Sample], size: usize, width: f64) -> Vec<Bucket> {
    let ends = samples.iter().skip(size).step_by(size).map(|sample| Some(sample.t_s)).chain([None]);
    samples.chunks(size).zip(ends).filter_map(|(chunk, end)| Bucket::of(chunk, end, width)).collect()
}

impl Bucket {
    fn of(samples: &[Sample], end: Option<f64>, width: f64) -> Option<Self> {
        let (first, last) = (samples.first()?, samples.last()?);
        let mean = |value: fn(&Sample) -> f64| {
            samples.iter().map(|sample| drawable(value(sample))).sum::<f64>() / samples.len() as f64
        };
        Some(Self {
            start: first.t_s,
            end: end.unwrap_or(last.t_s + width),
            load: mean(|s| s.offered_load),
            arrivals: mean(|s| s.arrivals_per_s),
            capacity: mean(|s| s.capacity_slots),
            states: [
                mean(|s| s.ready_busy),
                mean(|s| s.ready_idle),
                mean(|s| s.starting),
                mean(|s| s.draining),
                mean(|s| s.standby),
            ],
            queue: peak(samples.iter().map(|s| s.queue_depth)),
            p99: samples.iter().filter_map(|s| s.sojourn_p99_ms).filter(|ms| ms.is_finite()).reduce(f64::max),
        })
    }

    pub(super) const fn middle(&self) -> f64 {
        f64::midpoint(self.start, self.end)
    }

    /// What the tooltip says about the bucket.
    pub(super) fn tooltip(&self) -> String {
        let states: Vec<String> = STATES
            .iter()
            .zip(self.states)
            .filter(|(_, count)| *count > 0.0)
            .map(|((name, _), count)| format!("{} {name}", short(count)))
            .collect();
        let replicas = if states.is_empty() { "none".to_owned() } else { states.join(", ") };
        format!(
            "{}\nload {} of {} slots, {} requests/s\nreplicas: {replicas}\nsojourn p99 {}, queue {}",
            clock(self.start, true),
            short(self.load),
            short(self.capacity),
            short(self.arrivals),
            self.p99.map_or_else(|| "–".to_owned(), duration),
            short(self.queue),
        )
    }
}

const fn drawable(value: f64) -> f64 {
    if value.is_finite() { value.max(0.0) } else { 0.0 }
}

pub(super) fn peak(values: impl Iterator<Item = f64>) -> f64 {
    values.map(drawable).fold(0.0, f64::max)
}
