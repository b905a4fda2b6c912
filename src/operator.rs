//! What operators have ordered: a mode, reservations, and the bounds that hold at one instant.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::observation::{Grant, Mode, Rejected, ReservationId};
use crate::rare::{Nothing, Rare};
use crate::schedule::Interval;
use crate::time::Timestamp;

/// Reservations that stand at one time, at most.
const MAX_RESERVATIONS: usize = 16;

/// The bounds that hold at one instant.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Limits {
    pub(crate) min: u32,
    pub(crate) max: u32,
    /// The bounds if there were no grant.
    pub(crate) least: u32,
    pub(crate) most: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
struct Reservation {
    id: ReservationId,
    workers: u32,
    start: Timestamp,
    end: Timestamp,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Operator {
    mode: Mode,
    /// When the mode gives way to the automatic one; the end of time if never.
    mode_until: Timestamp,
    /// Sorted by id.
    reservations: Vec<Reservation>,
    /// What a shared budget allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    grant: Option<Grant>,
}

impl Nothing for Operator {
    const NOTHING: &'static Self =
        &Self { mode: Mode::Automatic, mode_until: Timestamp::ORIGIN, reservations: Vec::new(), grant: None };
}

impl Rare<Operator> {
    /// What a shared budget allows from now on.
    pub(crate) fn set_grant(&mut self, grant: Option<Grant>) {
        if self.grant != grant {
            self.grant = grant;
        }
    }
}

impl Operator {
    /// Whether this can be what operators have ordered: what comes from a snapshot may be anything.
    pub(crate) fn is_sound(&self) -> bool {
        let sorted = self.reservations.windows(2).all(|pair| matches!(pair, [a, b] if a.id < b.id));
        sorted && self.reservations.len() <= MAX_RESERVATIONS.saturating_add(1)
    }

    /// The mode at `now`.
    pub(crate) fn mode(&self, now: Timestamp) -> Mode {
        if self.mode_lasts(now) { self.mode } else { Mode::Automatic }
    }

    /// When the mode that stands at `now` gives way, if ever.
    pub(crate) fn mode_until(&self, now: Timestamp) -> Option<Timestamp> {
        let ends = self.mode != Mode::Automatic && self.mode_until < Timestamp::MAX;
        (ends && self.mode_lasts(now)).then_some(self.mode_until)
    }

    fn mode_lasts(&self, now: Timestamp) -> bool {
        now < self.mode_until || self.mode_until == Timestamp::MAX
    }

    pub(crate) const fn set_mode(&mut self, mode: Mode, until: Timestamp) {
        self.mode = mode;
        self.mode_until = until;
    }

    /// Whether another reservation fits.
    pub(crate) fn accepts(&self, now: Timestamp, id: ReservationId) -> Result<(), Rejected> {
        let others = self.reservations.iter().filter(|standing| standing.id != id && standing.end > now).count();
        if others >= MAX_RESERVATIONS { Err(Rejected::TooManyReservations { limit: MAX_RESERVATIONS }) } else { Ok(()) }
    }

    /// At least `workers` from `start` to `end`, in place of what `id` reserved before.
    pub(crate) fn reserve(
        &mut self,
        now: Timestamp,
        id: ReservationId,
        workers: u32,
        start: Timestamp,
        end: Timestamp,
    ) {
        self.reservations.retain(|standing| standing.id != id && standing.end > now);
        if workers > 0 && end > start {
            let at = self.reservations.partition_point(|standing| standing.id < id);
            self.reservations.insert(at, Reservation { id, workers, start, end });
        }
    }

    pub(crate) const fn is_granted(&self) -> bool {
        self.grant.is_some()
    }

    /// What a shared budget allows, where that is less than the bounds do.
    pub(crate) fn grant(&self, limits: Limits) -> Option<Grant> {
        self.grant.filter(|grant| grant.workers < limits.most)
    }

    /// The bounds at `now`. Intervals that ask for it raise their least by `lead` nanoseconds earlier.
    pub(crate) fn limits(&self, now: Timestamp, lead: u64, config: &Config) -> Limits {
        if config.schedule().is_empty() && self.reservations.is_empty() && self.grant.is_none() {
            let (least, most) = (config.min().min(config.max()), config.max());
            return Limits { min: least, max: most, least, most };
        }
        let (mut min, mut max) = ((None, config.min()), (None, config.max()));
        for interval in config.schedule() {
            let rank = Some(interval.priority);
            if let Some(least) = interval.min.filter(|_| least_start(interval, lead) <= now && now < interval.end) {
                min = min.max((rank, least));
            }
            if let Some(most) = interval.max.filter(|_| interval.start <= now && now < interval.end) {
                max = max.max((rank, most));
            }
        }
        let reserved = self.reservations.iter().filter(|standing| standing.start <= now && now < standing.end);
        let least = reserved.map(|standing| standing.workers).fold(min.1, u32::max).min(max.1);
        let granted = self.grant.map_or(u32::MAX, |grant| grant.workers);
        Limits { min: least.min(granted), max: max.1.min(granted), least, most: max.1 }
    }

    /// The first instant after `now` at which mode or bounds change by time alone.
    pub(crate) fn next_change(&self, now: Timestamp, lead: u64, config: &Config) -> Option<Timestamp> {
        if config.schedule().is_empty() && self.reservations.is_empty() {
            return self.mode_until(now);
        }
        let scheduled =
            config.schedule().iter().flat_map(|interval| [least_start(interval, lead), interval.start, interval.end]);
        let reserved = self.reservations.iter().flat_map(|standing| [standing.start, standing.end]);
        let bounds = scheduled.chain(reserved).filter(|at| *at > now);
        bounds.chain(self.mode_until(now)).min()
    }
}

const fn least_start(interval: &Interval, lead: u64) -> Timestamp {
    if interval.ahead { interval.start.minus(lead) } else { interval.start }
}

#[cfg(test)]
mod tests;
