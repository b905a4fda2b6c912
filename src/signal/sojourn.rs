//! What the requests' waits and services say, over one sliding window of slices.
//!
//! - **Exceedance**: per slice, how many sojourns were seen and how many above the target. `p99 > target` is exactly
//!   `over × 100 > n` (nearest rank): no quantile, no error, and it merges by addition.
//! - **Trend**: the window is cut in two halves. The sojourn is *rising* if the newer half's mean exceeds the older
//!   half's by more than an eighth, or if p99 exceeds its target: a sojourn pinned above its target has risen and not
//!   come back. An eighth is twice the edge error of a window of twelve slices.
//! - **Quantiles** come from the [`sketch`](super::sketch), for people; the minimum is exact.

use alloc::boxed::Box;
use core::hash::{Hash, Hasher};

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
    const OF_NOTHING: Self = Self {
        sojourns: 0,
        over_target: 0,
        sojourn_sum: 0,
        newer_sojourns: 0,
        newer_sum: 0,
        sojourn_min: None,
        services: 0,
        service_sum: 0,
    };

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

/// The window. What the waits say has room of its own, made by the first request that is told of by an event: a service whose
/// requests are only counted needs none.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub(crate) struct SojournWindow {
    slice: u64,
    open_start: Timestamp,
    open: u8,
    /// Of the sketch.
    buckets_per_octave: u32,
    seen: Option<Box<Seen>>,
}

/// What has been seen in it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Seen {
    slices: [Slice; SLICES],
    /// Of all slices: an evaluation reads them, an observation adds to them, and the end of a slice sums them anew.
    totals: Totals,
    sketch: Sketch,
}

impl Seen {
    fn new(buckets_per_octave: u32) -> Self {
        Self { slices: [Slice::default(); SLICES], totals: Totals::default(), sketch: Sketch::new(buckets_per_octave) }
    }

    fn sum_up(&mut self, open: usize) {
        let mut totals = Totals::default();
        for (position, slice) in self.slices.iter().enumerate() {
            let sojourns = u64::from(slice.sojourns);
            totals.sojourns = totals.sojourns.saturating_add(sojourns);
            totals.over_target = totals.over_target.saturating_add(u64::from(slice.over_target));
            totals.sojourn_sum = totals.sojourn_sum.saturating_add(slice.sojourn_sum);
            if age(position, open) < SLICES / 2 {
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
}

/// How many slices ago the one at `position` was open.
fn age(position: usize, open: usize) -> usize {
    let ahead = || open.saturating_add(SLICES).saturating_sub(position);
    open.checked_sub(position).unwrap_or_else(ahead)
}

impl SojournWindow {
    pub(crate) const fn new(origin: Timestamp, slice: u64, buckets_per_octave: u32) -> Self {
        Self { slice, open_start: origin, open: 0, buckets_per_octave, seen: None }
    }

    /// Makes good what a snapshot leaves out; false if it cannot be one with this slice and precision.
    pub(crate) fn restore(&mut self, slice: u64, buckets_per_octave: u32) -> bool {
        let open = usize::from(self.open);
        let sound = self.seen.as_mut().is_none_or(|seen| {
            seen.sum_up(open);
            seen.sketch.restore(buckets_per_octave)
        });
        if self.seen.as_ref().is_some_and(|seen| **seen == Seen::new(buckets_per_octave)) {
            self.seen = None;
        }
        sound && self.slice == slice && open < SLICES && self.buckets_per_octave == buckets_per_octave
    }

    /// Moves what was seen to slices of another length, each slice whole to where its middle falls.
    pub(crate) fn set_slice(&mut self, now: Timestamp, slice: u64) {
        let (open, open_ago, old) = (usize::from(self.open), now.since(self.open_start), self.slice);
        (self.slice, self.open, self.open_start) = (slice, 0, now);
        let Some(seen) = &mut self.seen else { return };
        let mut slices = [Slice::default(); SLICES];
        for (position, seen) in seen.slices.iter().enumerate() {
            let age = u64::try_from(age(position, open)).unwrap_or(u64::MAX);
            // The open slice's middle is in its part so far.
            let middle = match age.checked_sub(1) {
                None => open_ago / 2,
                Some(closed) => open_ago.saturating_add(closed.saturating_mul(old)).saturating_add(old / 2),
            };
            let back = usize::try_from(middle.checked_div(slice).unwrap_or(0)).unwrap_or(SLICES);
            let to = SLICES.checked_sub(back).map(|to| if to == SLICES { 0 } else { to });
            if let Some(slot) = to.filter(|_| back < SLICES).and_then(|to| slices.get_mut(to)) {
                slot.add(seen);
            }
        }
        seen.slices = slices;
        seen.sum_up(0);
    }

    /// Another sojourn counts as too long: of those seen, as many as the sketch says.
    pub(crate) fn set_target(&mut self, target: u64) {
        let Some(seen) = &mut self.seen else { return };
        let (above, of) = seen.sketch.above(target);
        for slice in &mut seen.slices {
            let over = u128::from(slice.sojourns).saturating_mul(u128::from(above)).checked_div(u128::from(of));
            slice.over_target = over.and_then(|over| u32::try_from(over).ok()).unwrap_or(0).min(slice.sojourns);
        }
        seen.sum_up(self.open.into());
    }

    pub(crate) fn set_precision(&mut self, buckets_per_octave: u32) {
        self.buckets_per_octave = buckets_per_octave;
        if let Some(seen) = &mut self.seen {
            seen.sketch = seen.sketch.with_precision(buckets_per_octave);
        }
    }

    #[expect(clippy::inline_always, reason = "once for each request, and there mostly is something")]
    #[inline(always)]
    /// Takes the room in advance.
    pub(crate) fn make_room(&mut self) {
        self.seen();
    }

    fn seen(&mut self) -> &mut Seen {
        self.seen.get_or_insert_with(|| Box::new(Seen::new(self.buckets_per_octave)))
    }

    /// A request waited `nanos`; `target` is the sojourn that counts as too long.
    pub(crate) fn sojourn(&mut self, nanos: u64, target: u64) {
        let open = usize::from(self.open);
        let seen = self.seen();
        seen.sketch.insert(nanos);
        // A full slice counts no further, so that the totals are always those of the slices.
        if let Some(slice) = seen.slices.get_mut(open).filter(|slice| slice.sojourns < u32::MAX) {
            slice.sojourn_min = if slice.sojourns == 0 { nanos } else { slice.sojourn_min.min(nanos) };
            slice.sojourns = slice.sojourns.saturating_add(1);
            slice.over_target = slice.over_target.saturating_add(u32::from(nanos > target));
            slice.sojourn_sum = slice.sojourn_sum.saturating_add(nanos);
            seen.totals.sojourn(nanos, target);
        }
    }

    /// A request was served in `nanos`.
    pub(crate) fn service(&mut self, nanos: u64) {
        let open = usize::from(self.open);
        let seen = self.seen();
        if let Some(slice) = seen.slices.get_mut(open).filter(|slice| slice.services < u32::MAX) {
            slice.services = slice.services.saturating_add(1);
            slice.service_sum = slice.service_sum.saturating_add(nanos);
            seen.totals.services = seen.totals.services.saturating_add(1);
            seen.totals.service_sum = seen.totals.service_sum.saturating_add(nanos);
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
            if let Some(seen) = &mut self.seen {
                seen.slices = [Slice::default(); SLICES];
                seen.totals = Totals::default();
                seen.sketch.clear();
            }
            // As if every slice had been closed one by one, so that the halves turn at the same instants.
            for _ in 0..ended.checked_rem(SLICES as u64).unwrap_or(0) {
                self.open = following(self.open);
            }
            return;
        }
        for _ in 0..ended {
            self.close();
        }
        if let Some(seen) = &mut self.seen {
            seen.sum_up(self.open.into());
        }
    }

    fn close(&mut self) {
        self.open = following(self.open);
        let open = usize::from(self.open);
        let Some(seen) = &mut self.seen else { return };
        if let Some(slice) = seen.slices.get_mut(open) {
            *slice = Slice::default();
        }
        if open == 0 || open == SLICES / 2 {
            seen.sketch.turn();
        }
    }

    /// When the window may next change by time alone.
    pub(crate) fn next_change(&self) -> Option<Timestamp> {
        let totals = self.totals();
        let empty = totals.sojourns == 0 && totals.services == 0;
        if empty { None } else { Some(self.open_start.plus(self.slice)) }
    }

    /// When the open slice ends.
    pub(crate) const fn slice_ends(&self) -> Timestamp {
        self.open_start.plus(self.slice)
    }

    /// The window's sums.
    pub(crate) fn totals(&self) -> &Totals {
        self.seen.as_ref().map_or(&Totals::OF_NOTHING, |seen| &seen.totals)
    }

    /// The sojourn's median and 99th percentile from the sketch, in nanoseconds.
    pub(crate) fn p50_p99(&self) -> [Option<u64>; 2] {
        self.seen.as_ref().map_or([None; 2], |seen| seen.sketch.quantiles([500, 990]))
    }
}

/// What they are written down as: whether there was room for what has been seen is no part of what they are.
impl PartialEq for SojournWindow {
    fn eq(&self, other: &Self) -> bool {
        let nothing = |seen: &Seen| *seen == Seen::new(self.buckets_per_octave);
        let same = match (&self.seen, &other.seen) {
            (Some(seen), Some(others)) => seen == others,
            (Some(seen), None) | (None, Some(seen)) => nothing(seen),
            (None, None) => true,
        };
        let frame = |window: &Self| (window.slice, window.open_start, window.open, window.buckets_per_octave);
        same && frame(self) == frame(other)
    }
}

impl Eq for SojournWindow {}

impl Hash for SojournWindow {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.slice, self.open_start, self.open, self.buckets_per_octave).hash(state);
        self.totals().hash(state);
    }
}

/// The window as a snapshot has it, whether anything has been seen in it or not.
#[derive(Serialize, Deserialize)]
struct Written {
    slice: u64,
    slices: [Slice; SLICES],
    open: u8,
    open_start: Timestamp,
    sketch: Sketch,
}

impl From<SojournWindow> for Written {
    fn from(window: SojournWindow) -> Self {
        let SojournWindow { slice, open_start, open, buckets_per_octave, seen } = window;
        let Seen { slices, sketch, .. } = seen.map_or_else(|| Seen::new(buckets_per_octave), |seen| *seen);
        Self { slice, slices, open, open_start, sketch }
    }
}

impl From<Written> for SojournWindow {
    /// [`restore`](Self::restore) makes good what is not written.
    fn from(written: Written) -> Self {
        let Written { slice, slices, open, open_start, sketch } = written;
        let buckets_per_octave = sketch.per_octave();
        Self {
            slice,
            open_start,
            open,
            buckets_per_octave,
            seen: Some(Box::new(Seen { slices, totals: Totals::default(), sketch })),
        }
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
