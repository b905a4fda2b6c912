//! What the requests' waits and services say, over one sliding window of slices.
//!
//! - **Exceedance**: per slice, how many sojourns were seen and how many above the target. `p99 > target` is exactly
//!   `over × 100 > n` (nearest rank): no quantile, no error, and it merges by addition.
//! - **Trend**: the window is cut in two halves. The sojourn is *rising* if the newer half's mean exceeds the older
//!   half's by more than an eighth, or if p99 exceeds its target: a sojourn pinned above its target has risen and not
//!   come back. An eighth is twice the edge error of a window of twelve slices.
//! - **Quantiles** come from the [`sketch`](super::sketch), for people; the minimum is exact.

use serde::{Deserialize, Serialize};

use super::rate::{SLICES, following};
use super::sketch::Sketch;
use crate::time::Timestamp;

/// Packed, since there are twelve of them in every service.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[repr(C, packed(4))]
struct Slice {
    sojourns: u32,
    over_target: u32,
    sojourn_sum: u64,
    sojourn_min: u64,
    services: u32,
    service_sum: u64,
}

impl Slice {
    fn add(&mut self, other: &Self) {
        if other.sojourns > 0 {
            let least = if self.sojourns == 0 { u64::MAX } else { self.sojourn_min };
            self.sojourn_min = least.min(other.sojourn_min);
        }
        self.sojourns = self.sojourns.saturating_add(other.sojourns);
        self.over_target = self.over_target.saturating_add(other.over_target);
        self.sojourn_sum = self.sojourn_sum.saturating_add(other.sojourn_sum);
        self.services = self.services.saturating_add(other.services);
        self.service_sum = self.service_sum.saturating_add(other.service_sum);
    }
}

/// Sums over some slices.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Totals {
    pub(super) sojourns: u64,
    pub(super) over_target: u64,
    pub(super) sojourn_sum: u64,
    pub(super) newer_sojourns: u64,
    pub(super) newer_sum: u64,
    pub(super) sojourn_min: Option<u64>,
    pub(super) services: u64,
    pub(super) service_sum: u64,
}

impl Totals {
    /// Adds the sums over other requests of the same time.
    pub(super) fn merge(&mut self, other: &Self) {
        self.sojourns = self.sojourns.saturating_add(other.sojourns);
        self.over_target = self.over_target.saturating_add(other.over_target);
        self.sojourn_sum = self.sojourn_sum.saturating_add(other.sojourn_sum);
        self.newer_sojourns = self.newer_sojourns.saturating_add(other.newer_sojourns);
        self.newer_sum = self.newer_sum.saturating_add(other.newer_sum);
        self.sojourn_min = self.sojourn_min.into_iter().chain(other.sojourn_min).min();
        self.services = self.services.saturating_add(other.services);
        self.service_sum = self.service_sum.saturating_add(other.service_sum);
    }

    /// A request that waited so long has started now.
    fn sojourn(&mut self, nanos: u64, target: u64) {
        self.sojourns = self.sojourns.saturating_add(1);
        self.over_target = self.over_target.saturating_add(u64::from(nanos > target));
        self.sojourn_sum = self.sojourn_sum.saturating_add(nanos);
        self.newer_sojourns = self.newer_sojourns.saturating_add(1);
        self.newer_sum = self.newer_sum.saturating_add(nanos);
        self.shorter(nanos);
    }

    fn shorter(&mut self, nanos: u64) {
        self.sojourn_min = Some(self.sojourn_min.map_or(nanos, |least| least.min(nanos)));
    }

    /// Whether the 99th percentile exceeds the target, exactly; `None` without a sojourn.
    pub(crate) const fn p99_over_target(&self) -> Option<bool> {
        if self.sojourns == 0 { None } else { Some(self.over_target.saturating_mul(100) > self.sojourns) }
    }

    /// Whether the sojourn is rising, as defined above; `None` without a sojourn.
    pub(crate) fn rising(&self) -> Option<bool> {
        let older_sojourns = self.sojourns.saturating_sub(self.newer_sojourns);
        let older_sum = self.sojourn_sum.saturating_sub(self.newer_sum);
        // newer_sum / newer > 9/8 × older_sum / older, without division; never if either half is empty
        let left = u128::from(self.newer_sum).saturating_mul(u128::from(older_sojourns)).saturating_mul(8);
        let right = u128::from(older_sum).saturating_mul(u128::from(self.newer_sojourns)).saturating_mul(9);
        self.p99_over_target().map(|over| over || left > right)
    }

    /// The mean sojourn in nanoseconds.
    pub(crate) const fn sojourn_mean(&self) -> Option<u64> {
        self.sojourn_sum.checked_div(self.sojourns)
    }

    /// The mean service time in nanoseconds.
    pub(crate) const fn service_mean(&self) -> Option<u64> {
        self.service_sum.checked_div(self.services)
    }
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub(crate) struct SojournWindow {
    slice: u64,
    slices: [Slice; SLICES],
    open: usize,
    open_start: Timestamp,
    /// Of all slices: an evaluation reads them, an observation adds to them, and the end of a slice sums them anew.
    #[serde(skip)]
    totals: Totals,
    sketch: Sketch,
}

impl SojournWindow {
    pub(crate) fn new(origin: Timestamp, slice: u64, buckets_per_octave: u32) -> Self {
        Self {
            slice,
            slices: [Slice::default(); SLICES],
            open: 0,
            open_start: origin,
            totals: Totals::default(),
            sketch: Sketch::new(buckets_per_octave),
        }
    }

    /// Makes good what a snapshot leaves out; false if it cannot be one with this slice and precision.
    pub(crate) fn restore(&mut self, slice: u64, buckets_per_octave: u32) -> bool {
        self.sum_up();
        self.slice == slice && self.open < SLICES && self.sketch.restore(buckets_per_octave)
    }

    /// Moves what was seen to slices of another length, each slice whole to where its middle falls.
    pub(crate) fn set_slice(&mut self, now: Timestamp, slice: u64) {
        let (mut slices, open_ago) = ([Slice::default(); SLICES], now.since(self.open_start));
        for (position, seen) in self.slices.iter().enumerate() {
            let age = u64::try_from(self.age(position)).unwrap_or(u64::MAX);
            // The open slice's middle is in its part so far.
            let middle = match age.checked_sub(1) {
                None => open_ago / 2,
                Some(closed) => {
                    open_ago.saturating_add(closed.saturating_mul(self.slice)).saturating_add(self.slice / 2)
                }
            };
            let back = usize::try_from(middle.checked_div(slice).unwrap_or(0)).unwrap_or(SLICES);
            let to = SLICES.checked_sub(back).map(|to| if to == SLICES { 0 } else { to });
            if let Some(slot) = to.filter(|_| back < SLICES).and_then(|to| slices.get_mut(to)) {
                slot.add(seen);
            }
        }
        (self.slices, self.slice, self.open, self.open_start) = (slices, slice, 0, now);
        self.sum_up();
    }

    /// Another sojourn counts as too long: of those seen, as many as the sketch says.
    pub(crate) fn set_target(&mut self, target: u64) {
        let (above, of) = self.sketch.above(target);
        for slice in &mut self.slices {
            let over = u128::from(slice.sojourns).saturating_mul(u128::from(above)).checked_div(u128::from(of));
            slice.over_target = over.and_then(|over| u32::try_from(over).ok()).unwrap_or(0).min(slice.sojourns);
        }
        self.sum_up();
    }

    pub(crate) fn set_precision(&mut self, buckets_per_octave: u32) {
        self.sketch = self.sketch.with_precision(buckets_per_octave);
    }

    /// How many slices ago the one at `position` was open.
    fn age(&self, position: usize) -> usize {
        let ahead = || self.open.saturating_add(SLICES).saturating_sub(position);
        self.open.checked_sub(position).unwrap_or_else(ahead)
    }

    fn sum_up(&mut self) {
        let mut totals = Totals::default();
        for (position, slice) in self.slices.iter().enumerate() {
            let sojourns = u64::from(slice.sojourns);
            totals.sojourns = totals.sojourns.saturating_add(sojourns);
            totals.over_target = totals.over_target.saturating_add(u64::from(slice.over_target));
            totals.sojourn_sum = totals.sojourn_sum.saturating_add(slice.sojourn_sum);
            if self.age(position) < SLICES / 2 {
                totals.newer_sojourns = totals.newer_sojourns.saturating_add(sojourns);
                totals.newer_sum = totals.newer_sum.saturating_add(slice.sojourn_sum);
            }
            if slice.sojourns > 0 {
                totals.shorter(slice.sojourn_min);
            }
            totals.services = totals.services.saturating_add(u64::from(slice.services));
            totals.service_sum = totals.service_sum.saturating_add(slice.service_sum);
        }
        self.totals = totals;
    }

    /// A request waited `nanos`; `target` is the sojourn that counts as too long.
    pub(crate) fn sojourn(&mut self, nanos: u64, target: u64) {
        self.sketch.insert(nanos);
        // A full slice counts no further, so that the totals are always those of the slices.
        if let Some(slice) = self.slices.get_mut(self.open).filter(|slice| slice.sojourns < u32::MAX) {
            slice.sojourn_min = if slice.sojourns == 0 { nanos } else { slice.sojourn_min.min(nanos) };
            slice.sojourns = slice.sojourns.saturating_add(1);
            slice.over_target = slice.over_target.saturating_add(u32::from(nanos > target));
            slice.sojourn_sum = slice.sojourn_sum.saturating_add(nanos);
            self.totals.sojourn(nanos, target);
        }
    }

    /// A request was served in `nanos`.
    pub(crate) fn service(&mut self, nanos: u64) {
        if let Some(slice) = self.slices.get_mut(self.open).filter(|slice| slice.services < u32::MAX) {
            slice.services = slice.services.saturating_add(1);
            slice.service_sum = slice.service_sum.saturating_add(nanos);
            self.totals.services = self.totals.services.saturating_add(1);
            self.totals.service_sum = self.totals.service_sum.saturating_add(nanos);
        }
    }

    /// Moves the window to `now`.
    pub(crate) fn advance(&mut self, now: Timestamp) {
        let since = now.since(self.open_start);
        if since < self.slice {
            return;
        }
        let ended = since.checked_div(self.slice).unwrap_or(0);
        self.open_start = self.open_start.plus(ended.saturating_mul(self.slice));
        if ended >= SLICES as u64 {
            self.slices = [Slice::default(); SLICES];
            self.totals = Totals::default();
            self.sketch.clear();
            // As if every slice had been closed one by one, so that the halves turn at the same instants.
            let turned = usize::try_from(ended.checked_rem(SLICES as u64).unwrap_or(0)).unwrap_or(0);
            (0..turned).for_each(|_| self.open = following(self.open));
            return;
        }
        for _ in 0..ended {
            self.close();
        }
        self.sum_up();
    }

    fn close(&mut self) {
        self.open = following(self.open);
        if let Some(slice) = self.slices.get_mut(self.open) {
            *slice = Slice::default();
        }
        if self.open == 0 || self.open == SLICES / 2 {
            self.sketch.turn();
        }
    }

    /// When the window may next change by time alone.
    pub(crate) const fn next_change(&self) -> Option<Timestamp> {
        let empty = self.totals.sojourns == 0 && self.totals.services == 0;
        if empty { None } else { Some(self.open_start.plus(self.slice)) }
    }

    /// When the open slice ends.
    pub(crate) const fn slice_ends(&self) -> Timestamp {
        self.open_start.plus(self.slice)
    }

    /// The window's sums.
    pub(crate) const fn totals(&self) -> &Totals {
        &self.totals
    }

    /// The sojourn's median and 99th percentile from the sketch, in nanoseconds.
    pub(crate) fn p50_p99(&self) -> [Option<u64>; 2] {
        self.sketch.quantiles([500, 990])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MILLI: u64 = 1_000_000;
    const SLICE: u64 = 5_000 * MILLI;

    fn window() -> SojournWindow {
        SojournWindow::new(Timestamp::ORIGIN, SLICE, crate::grid::DEFAULT_BUCKETS)
    }

    proptest! {
        #[test]
        fn p99_over_target_is_exact(
            sojourns in prop::collection::vec((0_u64..20_000, 0_u64..200), 1..500),
            target in 0_u64..200,
        ) {
            let (mut window, mut now) = (window(), 0);
            let mut kept: Vec<(u64, u64)> = Vec::new();
            for (gap, sojourn) in sojourns {
                now += gap / 20;
                window.advance(Timestamp::from_millis(now));
                window.sojourn(sojourn * MILLI, target * MILLI);
                kept.push((now, sojourn));
            }
            // The open slice and the eleven before it.
            let open = now / 5_000;
            let mut seen: Vec<u64> =
                kept.iter().filter(|(t, _)| t / 5_000 + 12 > open).map(|(_, sojourn)| *sojourn).collect();
            seen.sort_unstable();
            let rank = (seen.len() * 99).div_ceil(100).max(1);
            let totals = window.totals();
            prop_assert_eq!(totals.p99_over_target(), Some(seen[rank - 1] > target));
            prop_assert_eq!(totals.sojourn_min, Some(seen[0] * MILLI));
        }
    }

    #[test]
    fn rising_compares_the_halves_of_the_window() {
        let (mut falling, mut rising) = (window(), window());
        for step in 0..12_u64 {
            let now = Timestamp::from_nanos(step * SLICE);
            falling.advance(now);
            rising.advance(now);
            rising.sojourn((10 + step) * MILLI, 100 * MILLI);
            falling.sojourn((30 - step) * MILLI, 100 * MILLI);
        }
        assert_eq!((rising.totals().rising(), falling.totals().rising()), (Some(true), Some(false)));
        assert_eq!(window().totals().rising(), None);
        falling.sojourn(500 * MILLI, 100 * MILLI);
        assert_eq!(falling.totals().rising(), Some(true), "p99 above its target counts as risen");
        let halves = |older: u64, newer: u64| {
            let mut window = window();
            for step in 0..12_u64 {
                window.advance(Timestamp::from_nanos(step * SLICE));
                window.sojourn(if step < 6 { older } else { newer }, 100 * MILLI);
            }
            window.totals().rising()
        };
        assert_eq!([halves(8, 9), halves(8, 10)], [Some(false), Some(true)], "by more than an eighth");
        assert_eq!(halves(0, 0), Some(false));
    }

    #[test]
    fn silence_empties_the_window() {
        let mut window = window();
        window.sojourn(MILLI, 0);
        window.service(7 * MILLI);
        assert_eq!(window.totals().service_mean(), Some(7 * MILLI));
        window.advance(Timestamp::from_nanos(12 * SLICE - 1));
        assert_eq!(window.totals().sojourns, 1);
        assert_eq!(window.next_change(), Some(Timestamp::from_nanos(12 * SLICE)));
        window.advance(Timestamp::from_nanos(12 * SLICE));
        assert_eq!((*window.totals(), window.next_change(), window.p50_p99()), (Totals::default(), None, [None; 2]));
    }

    /// Sojourns in milliseconds, each at its second.
    fn seen(sojourns: &[(u64, u64)]) -> SojournWindow {
        let mut window = window();
        for (secs, sojourn) in sojourns {
            window.advance(Timestamp::from_secs(*secs));
            window.sojourn(sojourn * MILLI, 1_000 * MILLI);
        }
        window
    }

    /// How many sojourns are left at each second, and the least of them.
    fn left(window: &SojournWindow, secs: &[u64]) -> Vec<(u32, Option<u64>)> {
        let at = |secs: &u64| {
            let mut window = window.clone();
            window.advance(Timestamp::from_secs(*secs));
            let totals = window.totals();
            (u32::try_from(totals.sojourns).unwrap(), totals.sojourn_min.map(|least| least / MILLI))
        };
        secs.iter().map(at).collect()
    }

    #[test]
    fn a_window_of_another_length_keeps_what_was_seen_where_it_was() {
        let sojourns = [(1, 10), (16, 20), (21, 30)];
        let mut window = seen(&sojourns);
        window.advance(Timestamp::from_secs(32));
        // The middles of their slices are 29.5 s, 14.5 s and 9.5 s ago: the second, first and present slice of 10 s.
        window.set_slice(Timestamp::from_secs(32), 10_000 * MILLI);
        let expected = [(3, Some(10)), (2, Some(20)), (2, Some(20)), (1, Some(30)), (1, Some(30)), (0, None)];
        assert_eq!(left(&window, &[131, 132, 141, 142, 151, 152]), expected);
        // Shorter ones: 16.5 s ago is eight slices of 2 s, half of the 4 s of the open one is one of them.
        let mut window = seen(&[(16, 20), (31, 40)]);
        window.advance(Timestamp::from_secs(34));
        window.set_slice(Timestamp::from_secs(34), 2_000 * MILLI);
        assert_eq!(left(&window, &[41, 42, 55, 56]), [(2, Some(20)), (1, Some(40)), (1, Some(40)), (0, None)]);
    }

    #[test]
    fn another_target_counts_what_was_seen_anew() {
        let mut window = seen(&[(1, 10), (2, 10), (3, 300), (4, 10)]);
        assert_eq!((window.totals().over_target, window.totals().p99_over_target()), (0, Some(false)));
        window.set_target(100 * MILLI);
        assert_eq!((window.totals().over_target, window.totals().p99_over_target()), (1, Some(true)));
        assert_eq!(window.totals().sojourns, 4);
        window.set_target(500 * MILLI);
        assert_eq!(window.totals().over_target, 0);
    }
}
