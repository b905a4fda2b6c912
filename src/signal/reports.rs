//! What several observers report, merged so that neither the order nor the repetition of reports matters.
//!
//! Everything kept is a function of the set of reports taken in: sums, least and greatest values, and bits that say which
//! they are. Only what is *read* depends on `now` as well, and only by two limits, the freshness and the observer timeout.
//!
//! - **Who**: per observer and incarnation the greatest sequence number and a 64-bit mask of those below it (the
//!   anti-replay window of RFC 4303 section 3.4.3), the gauges that came with it, and the latest end of a span.
//! - **When**: time is cut into slices of a twelfth of the window, from the start on. A ring holds [`RING`] of them up to
//!   the newest end of a span: twelve for the window and twelve for reports that come late. A report's arrivals are spread
//!   evenly over its span: up to the end of each slice, `⌊arrived × (end - start) / over⌋` of them, so that the shares add
//!   up to the whole. Its sojourns and services go to the slice in which the span ends: counts, sums and least are exact.
//! - **Rate**: the *frontier* is the least of the latest ends of the observers that are there; up to it everything is
//!   known. The rate is the mean over the twelve whole slices that end at the frontier, or over any twelve that end later
//!   if that is more: an observer that reports later than the others does not look like a fall of traffic, and a burst
//!   shows at once. While a number is missing within the window (judged by the mean time between an observer's reports),
//!   or an observer is stale, the rate is missing.
//! - **Sojourns**: over the twelve slices up to the newest end of a span. Quantiles, for people, over half a window to a
//!   whole one.
//! - **Overload**: RFC 8289 section 5.2 asks whether the sojourn has stayed above the target for an interval. The digests'
//!   form of it: in every slice that touches the last interval, the least sojourn of those seen stood at or above the
//!   target, and at least one was seen. An empty queue (all depths zero) ends it, as in section 5.6.

mod reading;

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use core::array;

use serde::{Deserialize, Serialize};

pub(super) use self::reading::{Heard, sum};
use super::rate::SLICES;
use crate::config::Config;
use crate::observation::{ObserverId, Rejected};
use crate::report::{BUCKETS, Report};
use crate::time::{Timestamp, Waiting, nanos};
use crate::units::MICRO;

/// Slices kept: a window, and another for what comes late.
const RING_LEN: usize = 2 * SLICES;
const RING: u64 = RING_LEN as u64;
/// Slices in a window.
const WINDOW: u64 = SLICES as u64;
/// Slices in half a window.
const HALF: u64 = WINDOW / 2;
/// Half windows that touch the ring.
const HALVES_LEN: usize = 5;
const HALVES: u64 = HALVES_LEN as u64;
/// Time before the start that spans may reach into, in slices.
const LEAD: u64 = 2 * RING;
/// Observers and incarnations that are told apart.
const MOST: usize = 64;

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
struct Slice {
    mass: u64,
    sojourns: u64,
    over_target: u64,
    sojourn_sum: u64,
    /// Of no meaning without a sojourn.
    sojourn_min: u64,
    services: u64,
    service_sum: u64,
}

/// One incarnation of one observer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
struct Observer {
    id: ObserverId,
    incarnation: u64,
    /// The least and the greatest sequence number.
    lowest: u64,
    highest: u64,
    /// Bit `n` is set if number `highest - n` was taken in.
    seen: u64,
    /// The earliest start of a span, and the latest end.
    first: u64,
    latest: Timestamp,
    /// The gauges that came with the greatest number.
    depth: Option<u32>,
    oldest: Option<Waiting>,
    in_flight: Option<u32>,
}

/// Whether a report is news.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum News {
    /// It was not known.
    New,
    /// It has been taken in before.
    Doubled,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub(crate) struct Reports {
    /// The start, from which slices are counted.
    anchor: Timestamp,
    slice: u64,
    ring: [Slice; RING_LEN],
    /// What the digests hold, per half window.
    halves: Box<[u32]>,
    /// The newest end of a span, in nanoseconds since [`LEAD`] slices before the start.
    newest: u64,
    /// The first slice that was seen as a whole.
    since: u64,
    active: Option<Timestamp>,
    /// Sorted by id and incarnation.
    observers: Vec<Observer>,
}

impl Reports {
    /// Nothing yet.
    pub(super) fn new(anchor: Timestamp, slice: u64) -> Self {
        Self {
            anchor,
            slice: slice.max(1),
            ring: [Slice::default(); RING_LEN],
            halves: vec![0; BUCKETS.saturating_mul(HALVES_LEN)].into_boxed_slice(),
            newest: 0,
            since: u64::MAX,
            active: None,
            observers: Vec::new(),
        }
    }

    /// Whether this can be what observers reported: what comes from a snapshot may be anything.
    pub(super) fn is_sound(&self, slice: u64) -> bool {
        let rises = |pair: &[Observer]| matches!(pair, [a, b] if (a.id, a.incarnation) < (b.id, b.incarnation));
        self.slice == slice
            && self.halves.len() == BUCKETS.saturating_mul(HALVES_LEN)
            && self.observers.len() <= MOST
            && self.observers.windows(2).all(rises)
    }

    // Taking in ------------------------------------------------------------------------------------------------

    /// Whether a report makes sense and can still be placed. `reports` are those taken in so far, if any.
    pub(crate) fn accepts(
        reports: Option<&Self>,
        now: Timestamp,
        report: &Report,
        slice: u64,
        config: &Config,
    ) -> Result<News, Rejected> {
        let Report { observer, sequence, at, over, .. } = *report;
        if over.is_zero() || over > config.window() {
            return Err(Rejected::BadSpan { over, window: config.window() });
        }
        let ahead = at.saturating_since(now);
        if nanos(ahead) > slice {
            return Err(Rejected::TooEarly { observer, ahead, most: core::time::Duration::from_nanos(slice) });
        }
        if report.sojourns.count() > 0 && report.sojourns.target() != config.sojourn_target() {
            let (given, target) = (report.sojourns.target(), config.sojourn_target());
            return Err(Rejected::OtherTarget { given, target });
        }
        report.sojourns.check()?;
        let Some(reports) = reports else { return Ok(News::New) };
        let late = Rejected::TooLate { observer, sequence };
        let known = reports.position(report).ok().and_then(|at| reports.observers.get(at));
        if let Some((known, back)) = known.and_then(|known| Some((known, known.highest.checked_sub(sequence)?))) {
            match u32::try_from(back).ok().and_then(|back| known.seen.checked_shr(back)) {
                None => return Err(late),
                Some(seen) if seen & 1 == 1 => return Ok(News::Doubled),
                Some(_) => {}
            }
        }
        if reports.slice_of_end(at).saturating_add(WINDOW) <= reports.top() {
            return Err(late);
        }
        let full = known.is_none() && reports.observers.len() >= MOST;
        if full && !(0..MOST).any(|at| reports.is_over(at, now, config)) {
            return Err(Rejected::TooManyObservers { limit: MOST });
        }
        Ok(News::New)
    }

    /// Takes in a report that is news.
    pub(crate) fn take(&mut self, now: Timestamp, report: &Report, config: &Config) {
        let end = self.place(report.at);
        let start = end.saturating_sub(nanos(report.over));
        self.reach(end);
        self.since = self.since.min(start.div_ceil(self.slice));
        self.spread(start, end, report.arrived.saturating_mul(MICRO));
        self.count(report);
        if report.is_active() {
            self.active = self.active.max(Some(report.at));
        }
        self.observe(now, start, report, config);
    }

    fn observe(&mut self, now: Timestamp, first: u64, report: &Report, config: &Config) {
        let Report { observer: id, incarnation, sequence, at, .. } = *report;
        let oldest = report.depth.filter(|depth| *depth > 0);
        let oldest = oldest.map(|_| Waiting::new(at, report.oldest_age.map_or(0, nanos)));
        let (depth, in_flight) = (report.depth, report.in_flight);
        let (lowest, highest, latest) = (sequence, sequence, at);
        let new = Observer { id, incarnation, lowest, highest, seen: 1, first, latest, depth, oldest, in_flight };
        let known = self.position(report).ok().and_then(|at| self.observers.get_mut(at));
        let Some(known) = known else {
            if self.observers.len() >= MOST {
                let mut over = array::from_fn::<_, MOST, _>(|at| self.is_over(at, now, config)).into_iter();
                self.observers.retain(|_| !over.next().unwrap_or(false));
            }
            let place = self.position(report).unwrap_or_else(|place| place);
            self.observers.insert(place, new);
            return;
        };
        known.lowest = known.lowest.min(sequence);
        known.first = known.first.min(first);
        known.latest = known.latest.max(at);
        if let Some(back) = known.highest.checked_sub(sequence) {
            known.seen |= u32::try_from(back).ok().and_then(|back| 1_u64.checked_shl(back)).unwrap_or(0);
            return;
        }
        let ahead = u32::try_from(sequence.saturating_sub(known.highest)).unwrap_or(u32::MAX);
        known.seen = known.seen.checked_shl(ahead).unwrap_or(0) | 1;
        known.highest = sequence;
        (known.depth, known.oldest, known.in_flight) = (depth, oldest, in_flight);
    }

    fn position(&self, report: &Report) -> Result<usize, usize> {
        let key = (report.observer, report.incarnation);
        self.observers.binary_search_by_key(&key, |known| (known.id, known.incarnation))
    }

    /// The ring reaches to `end` at least; slices that it leaves behind are empty again.
    fn reach(&mut self, end: u64) {
        let before = self.top();
        self.newest = self.newest.max(end);
        let top = self.top();
        for new in before.max(top.saturating_sub(RING)).saturating_add(1)..=top {
            if let Some(slice) = slot(&mut self.ring, new) {
                *slice = Slice::default();
            }
        }
        let (before, top) = (before / HALF, top / HALF);
        for new in before.max(top.saturating_sub(HALVES)).saturating_add(1)..=top {
            if let Some(half) = half(&mut self.halves, new) {
                half.fill(0);
            }
        }
    }

    /// Spreads `mass` evenly over the time from `start` to `end`.
    fn spread(&mut self, start: u64, end: u64, mass: u64) {
        let over = u128::from(end.saturating_sub(start).max(1));
        let until = |at: u64| {
            let part = u128::from(at.clamp(start, end).saturating_sub(start));
            let share = u128::from(mass).saturating_mul(part).checked_div(over).unwrap_or(0);
            u64::try_from(share).unwrap_or(u64::MAX)
        };
        let last = end.saturating_sub(1).checked_div(self.slice).unwrap_or(0);
        let first = start.checked_div(self.slice).unwrap_or(0).max(last.saturating_sub(WINDOW));
        let mut placed = 0;
        for index in first..=last {
            let upto = if index == last { mass } else { until(index.saturating_add(1).saturating_mul(self.slice)) };
            if let Some(slice) = slot(&mut self.ring, index) {
                slice.mass = slice.mass.saturating_add(upto.saturating_sub(placed));
            }
            placed = upto;
        }
    }

    /// Puts what the digest and the services say where the span ends.
    fn count(&mut self, report: &Report) {
        let index = self.slice_of_end(report.at);
        let (digest, services) = (&report.sojourns, report.services);
        if let Some(slice) = slot(&mut self.ring, index) {
            if let Some(min) = digest.min().map(nanos) {
                slice.sojourn_min = if slice.sojourns == 0 { min } else { slice.sojourn_min.min(min) };
            }
            slice.sojourns = slice.sojourns.saturating_add(digest.count());
            slice.over_target = slice.over_target.saturating_add(digest.over_target());
            slice.sojourn_sum = slice.sojourn_sum.saturating_add(nanos(digest.sum()));
            slice.services = slice.services.saturating_add(services.count);
            slice.service_sum = slice.service_sum.saturating_add(nanos(services.sum));
        }
        if let Some(half) = half(&mut self.halves, index / HALF) {
            for (bucket, more) in digest.buckets() {
                if let Some(count) = half.get_mut(usize::from(*bucket)) {
                    *count = count.saturating_add(u32::try_from(*more).unwrap_or(u32::MAX));
                }
            }
        }
    }

    // Time -----------------------------------------------------------------------------------------------------

    /// Nanoseconds since [`LEAD`] slices before the start.
    const fn place(&self, at: Timestamp) -> u64 {
        at.plus(self.slice.saturating_mul(LEAD)).since(self.anchor)
    }

    /// The slice that a span ending at `at` ends in.
    fn slice_of_end(&self, at: Timestamp) -> u64 {
        self.place(at).saturating_sub(1).checked_div(self.slice).unwrap_or(0)
    }

    /// The newest slice.
    fn top(&self) -> u64 {
        self.newest.saturating_sub(1).checked_div(self.slice).unwrap_or(0)
    }

    /// Whether a greater incarnation of the same observer is known.
    fn is_former(&self, at: usize) -> bool {
        let next = at.checked_add(1).and_then(|next| self.observers.get(next));
        self.observers.get(at).zip(next).is_some_and(|(one, next)| one.id == next.id)
    }

    /// Whether an observer is gone, or was replaced, and nothing of it can come late any more.
    fn is_over(&self, at: usize, now: Timestamp, config: &Config) -> bool {
        self.observers.get(at).is_some_and(|known| {
            let gone = known.latest.plus(nanos(config.observer_timeout())) <= now;
            let closed = self.slice_of_end(known.latest).saturating_add(WINDOW) <= self.top();
            (gone || self.is_former(at)) && closed
        })
    }

    /// Whether reports of this observer are missing within the window, as far as the mask tells.
    fn has_gaps(&self, known: &Observer) -> bool {
        let numbers = known.highest.saturating_sub(known.lowest).saturating_add(1);
        let lived = self.place(known.latest).saturating_sub(known.first);
        // As many numbers as fall into the window and the slice that is open, at the mean time between reports.
        let window = u128::from(self.slice).saturating_mul(u128::from(WINDOW).saturating_add(1));
        let within = window.saturating_mul(numbers.into()).div_ceil(u128::from(lived).max(1));
        let within = u32::try_from(within).unwrap_or(u32::MAX).min(u32::try_from(numbers).unwrap_or(u32::MAX));
        let expected = 1_u64.checked_shl(within).map_or(u64::MAX, |bit| bit.saturating_sub(1));
        known.seen & expected != expected
    }

    fn at(&self, index: u64) -> Slice {
        let at = usize::try_from(index.checked_rem(RING).unwrap_or(0)).unwrap_or(0);
        self.ring.get(at).copied().unwrap_or_default()
    }
}

fn slot(ring: &mut [Slice; RING_LEN], index: u64) -> Option<&mut Slice> {
    ring.get_mut(usize::try_from(index.checked_rem(RING)?).ok()?)
}

fn half(halves: &mut [u32], half: u64) -> Option<&mut [u32]> {
    let from = usize::try_from(half.checked_rem(HALVES)?).ok()?.checked_mul(BUCKETS)?;
    halves.get_mut(from..from.checked_add(BUCKETS)?)
}
