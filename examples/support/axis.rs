//! The axes: one of time that all panels share, linear and logarithmic ones, each with round ticks.

use std::ops::Range;

use plotters::coord::combinators::{IntoLogRange, LogCoord};
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, ValueFormatter};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::Ranged;

use super::super::{clock, short};
use super::Frame;
use super::bucket::Bucket;

/// The time axis all panels share.
pub(super) struct Timeline {
    pub(super) range: Range<f64>,
    pub(super) step: f64,
}

impl Timeline {
    const STEPS: [u32; 22] = [
        1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 28_800, 43_200, 86_400,
        172_800, 604_800, 1_209_600,
    ];
    const MAX_STEPS: f64 = 13.0;

    pub(super) fn of(buckets: &[Bucket]) -> Option<Self> {
        let range = buckets.first()?.start..buckets.last()?.end;
        let least = (range.end - range.start) / Self::MAX_STEPS;
        let step = Self::STEPS.map(f64::from).into_iter().find(|step| *step >= least).unwrap_or(least);
        Some(Self { range, step })
    }

    pub(super) fn axis(&self) -> Axis {
        let first = (self.range.start / self.step).ceil() * self.step;
        let ticks =
            (0_u8..=20).map(|i| first + f64::from(i) * self.step).take_while(|t| *t <= self.range.end).collect();
        let seconds = self.step < 60.0;
        let label = Box::new(move |t| clock(t, seconds));
        Axis { scale: Scale::Linear(self.range.clone().into()), ticks, label }
    }

    /// Where a time lies in the drawing.
    pub(super) fn x(&self, frame: &Frame, t_s: f64) -> f64 {
        let share = (t_s - self.range.start) / (self.range.end - self.range.start);
        f64::from(frame.left) + share * f64::from(frame.right - frame.left)
    }

    pub(super) const fn unit(&self) -> &'static str {
        match (self.step < 60.0, self.range.end > 86_400.0) {
            (true, _) => "time since the start, h:mm:ss",
            (false, false) => "time since the start, h:mm",
            (false, true) => "time since the start, days and h:mm",
        }
    }
}

/// An axis that brings its own ticks.
pub(super) struct Axis {
    scale: Scale,
    ticks: Vec<f64>,
    label: Box<dyn Fn(f64) -> String>,
}

enum Scale {
    Linear(RangedCoordf64),
    Log(LogCoord<f64>),
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        match &self.scale {
            Scale::Linear(scale) => scale.map(value, limit),
            Scale::Log(scale) => scale.map(value, limit),
        }
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() { Vec::new() } else { self.ticks.clone() }
    }

    fn range(&self) -> Range<f64> {
        match &self.scale {
            Scale::Linear(scale) => scale.range(),
            Scale::Log(scale) => scale.range(),
        }
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, value: &f64) -> String {
        (self.label)(*value)
    }
}

/// A linear axis from zero with round ticks and a little room above the highest value.
pub(super) fn linear(highest: f64, least_step: f64) -> Axis {
    let highest = highest.max(least_step);
    let steps = (-1..15).flat_map(|decade| [1.0, 2.0, 5.0].map(|digit| digit * ten(decade)));
    let step = steps.into_iter().find(|step| *step >= least_step && highest / step <= 5.0).unwrap_or(highest);
    let ticks = (0_u32..=5).map(|i| f64::from(i) * step).take_while(|v| *v <= highest * 1.08).collect();
    let (unit, suffix) = match highest {
        millions if millions >= 1e6 => (1e6, "M"),
        thousands if thousands >= 1e4 => (1e3, "k"),
        _ => (1.0, ""),
    };
    let label = Box::new(move |v| if v > 0.0 { format!("{}{suffix}", short(v / unit)) } else { short(v) });
    Axis { scale: Scale::Linear((0.0..highest * 1.08).into()), ticks, label }
}

/// A logarithmic axis over decades of milliseconds; what lies below it is drawn on its lower end.
pub(super) fn logarithmic(decades: Vec<f64>, below: bool) -> Axis {
    let (low, high) = (decades.first().copied().unwrap_or(1.0), decades.last().copied().unwrap_or(10.0));
    let label = Box::new(move |ms| {
        let sign = if below && ms <= low { "≤" } else { "" };
        if ms >= 999.5 { format!("{sign}{} s", ms / 1_000.0) } else { format!("{sign}{ms} ms") }
    });
    Axis { scale: Scale::Log((low..high).log_scale().into()), ticks: decades, label }
}

fn ten(exponent: i32) -> f64 {
    let power = (0..exponent.abs()).fold(1.0, |power, _| power * 10.0);
    if exponent < 0 { 1.0 / power } else { power }
}

/// Powers of ten, in milliseconds, around all the values, the lowest below them; at least two decades.
pub(super) fn decades(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let values: Vec<f64> = values.filter(|ms| *ms > 0.0).collect();
    let powers = || (-3..=12).map(ten);
    let lowest = values.iter().copied().reduce(f64::min).unwrap_or(10.0);
    let highest = values.iter().copied().reduce(f64::max).unwrap_or(10.0);
    let start = powers().take_while(|power| *power < lowest).last().unwrap_or(0.001);
    let end = powers().find(|power| *power >= highest).unwrap_or(1e12).max(start * 100.0);
    powers().filter(|power| (start..=end).contains(power)).collect()
}
