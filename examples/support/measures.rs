//! What a run is measured by, one figure each: how it is read, written and compared.

use plimsoll::sim::Outcome;

use crate::human::{duration, grouped, short};

/// One figure of a run. Times are in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Measure {
    WorkerHours,
    StandbyHours,
    Cost,
    P50,
    P99,
    Longest,
    Within,
    Lost,
    Unserved,
    ColdStarts,
    WarmStarts,
    Events,
    Reversals,
    Peak,
}

/// In what a figure is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Hours, money.
    Amount,
    Seconds,
    /// From zero to one.
    Share,
    Count,
}

impl Measure {
    /// In the order of the table.
    pub(crate) const ALL: [Self; 14] = [
        Self::WorkerHours,
        Self::StandbyHours,
        Self::Cost,
        Self::P50,
        Self::P99,
        Self::Longest,
        Self::Within,
        Self::Lost,
        Self::Unserved,
        Self::ColdStarts,
        Self::WarmStarts,
        Self::Events,
        Self::Reversals,
        Self::Peak,
    ];

    pub(crate) fn of(self, outcome: &Outcome) -> f64 {
        match self {
            Self::WorkerHours => outcome.replica_hours,
            Self::StandbyHours => outcome.standby_hours,
            Self::Cost => outcome.cost,
            Self::P50 => outcome.sojourn_p50.as_secs_f64(),
            Self::P99 => outcome.sojourn_p99.as_secs_f64(),
            Self::Longest => outcome.sojourn_max.as_secs_f64(),
            Self::Within => outcome.within_target,
            Self::Lost => outcome.lost as f64,
            Self::Unserved => outcome.unserved as f64,
            Self::ColdStarts => outcome.cold_starts as f64,
            Self::WarmStarts => outcome.warm_starts as f64,
            Self::Events => outcome.scaling_events as f64,
            Self::Reversals => outcome.reversals as f64,
            Self::Peak => f64::from(outcome.peak_workers),
        }
    }

    /// The stable name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::WorkerHours => "worker_hours",
            Self::StandbyHours => "standby_hours",
            Self::Cost => "cost",
            Self::P50 => "sojourn_p50_s",
            Self::P99 => "sojourn_p99_s",
            Self::Longest => "sojourn_max_s",
            Self::Within => "within",
            Self::Lost => "lost",
            Self::Unserved => "unserved",
            Self::ColdStarts => "cold_starts",
            Self::WarmStarts => "warm_starts",
            Self::Events => "scaling_events",
            Self::Reversals => "reversals",
            Self::Peak => "peak_workers",
        }
    }

    pub(crate) const fn unit(self) -> Unit {
        match self {
            Self::WorkerHours | Self::StandbyHours | Self::Cost => Unit::Amount,
            Self::P50 | Self::P99 | Self::Longest => Unit::Seconds,
            Self::Within => Unit::Share,
            _ => Unit::Count,
        }
    }

    /// For people; `within` is the time in which a request should start.
    pub(crate) fn label(self, within: &str) -> String {
        let label = match self {
            Self::WorkerHours => "Worker hours",
            Self::StandbyHours => "Standby hours",
            Self::Cost => "Cost",
            Self::P50 => "Sojourn p50",
            Self::P99 => "Sojourn p99",
            Self::Longest => "Sojourn max",
            Self::Within => return format!("Sojourn ≤ {within}"),
            Self::Lost => "Lost",
            Self::Unserved => "Unserved",
            Self::ColdStarts => "Cold starts",
            Self::WarmStarts => "Warm starts",
            Self::Events => "Scaling events",
            Self::Reversals => "Direction reversals",
            Self::Peak => "Peak workers",
        };
        label.to_owned()
    }

    /// The change in words; empty if there is none.
    pub(crate) fn change(self, before: f64, after: f64) -> String {
        let (change, unit) = (after - before, self.unit());
        if change == 0.0 {
            return String::new();
        }
        let sign = if change < 0.0 { "−" } else { "+" };
        let amount = match unit {
            Unit::Share => format!("{} points", short(change.abs() * 100.0)),
            _ => unit.words(change.abs()),
        };
        match unit {
            Unit::Amount | Unit::Seconds if before > 0.0 => {
                format!("{sign}{amount} ({sign}{} %)", short(change.abs() / before * 100.0))
            }
            _ => format!("{sign}{amount}"),
        }
    }
}

impl Unit {
    /// A figure in words.
    pub(crate) fn words(self, value: f64) -> String {
        match self {
            Self::Amount => format!("{value:.2}"),
            Self::Seconds => duration(value * 1_000.0),
            // Rounded down: all is not in time unless all is.
            Self::Share => format!("{} %", short((value * 1_000.0).floor() / 10.0)),
            Self::Count => grouped(whole(value)),
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts, and a cast saturates")]
fn whole(value: f64) -> u64 {
    value.round() as u64
}
