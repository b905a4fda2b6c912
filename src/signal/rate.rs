//! Arrival rate over a sliding window, in slices, O(1) per observation.
//!
//! A window of length `W` is cut into [`SLICES`] slices. The estimate is the larger of
//!
//! - the mean over the closed slices, `sum(closed) / (closed × slice)`, unbiased and constant between slice ends, and
//! - the same with the open slice in place of the oldest, which rises at once when a burst arrives and never exceeds
//!   the mean under a constant load.
//!
//! So the estimate changes only at an arrival or at a slice's end, which is what lets a decision be exact in time.
//! Mass is counted in millionths of a request.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;
use crate::units::{MICRO, Rate};

/// Slices in a window. Twelve keep the window's edge within 8 % of its length.
pub(crate) const SLICES: usize = 12;

/// The short window is this many times shorter than the long one (a tenth, as Knative's panic window is of its stable
/// window).
const SHORT: u64 = 10;

/// How arrivals are reported, which decides what silence means.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
enum Source {
    /// Every request is reported by the queue's owner: silence is zero traffic.
    Events,
    /// Counts are scraped: silence is a missing report, and the window moves only with the reports.
    Reports,
}

/// The arrival rate over the long and the short window.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub(crate) struct Arrivals {
    long: Window,
    short: Window,
    /// How and when arrivals were last reported; `None` before the first report: missing is not zero.
    heard: Option<(Source, Timestamp)>,
    /// Events come again after a silence that was too long to be zero traffic: what was held back comes with them, so
    /// the estimate begins anew a slice later.
    resumes: Option<Timestamp>,
}

impl Arrivals {
    /// Windows anchored at `origin`; `slice` is the length of the long window's slices, a multiple of ten.
    pub(crate) fn new(origin: Timestamp, slice: u64) -> Self {
        Self {
            long: Window::new(origin, slice),
            short: Window::new(origin, (slice / SHORT).max(1)),
            heard: None,
            resumes: None,
        }
    }

    /// Event: `count` requests arrived at `now`. `freshness` is how long the silence of events is zero traffic.
    pub(crate) fn arrived(&mut self, now: Timestamp, count: u32, freshness: Option<u64>) {
        if self.is_events() && self.stale_at(u64::MAX, freshness).is_some_and(|at| at <= now) {
            self.resumes = Some(now.plus(self.long.slice));
        }
        self.heard = Some((Source::Events, now));
        let held_back = self.resumes.is_some();
        for window in [&mut self.long, &mut self.short] {
            window.advance(now);
            if held_back {
                continue;
            }
            window.add(u64::from(count).saturating_mul(MICRO));
        }
    }

    /// The same where [every arrival counts](Self::is_counted) and the windows have been moved to `now`.
    pub(crate) fn count(&mut self, now: Timestamp, count: u32) {
        self.heard = Some((Source::Events, now));
        let mass = u64::from(count).saturating_mul(MICRO);
        self.long.add(mass);
        self.short.add(mass);
    }

    /// Report: request mass that arrived during the `over` nanoseconds before `now`.
    pub(crate) fn reported(&mut self, now: Timestamp, over: u64, mass: u64) {
        let gap = match self.heard {
            Some((Source::Reports, last)) => now.since(last).saturating_sub(over),
            _ => u64::MAX,
        };
        self.heard = Some((Source::Reports, now));
        self.resumes = None;
        for window in [&mut self.long, &mut self.short] {
            window.advance(now);
            // What no report covers is unknown, not zero: begin anew.
            if gap > window.slice {
                window.clear(0);
            }
            window.add_span(now, over, mass);
        }
    }

    /// The time since the last report at `now`, at most the long window, for a gauge that states no span.
    pub(crate) fn since_report(&self, now: Timestamp) -> u64 {
        let longest = self.long.slice.saturating_mul(SLICES as u64);
        match self.heard {
            Some((_, last)) if last < now => now.since(last).min(longest),
            _ => longest,
        }
    }

    /// Makes good what a snapshot leaves out; false if it cannot be one with this slice.
    pub(crate) fn restore(&mut self, slice: u64) -> bool {
        self.long.restore(slice) && self.short.restore((slice / SHORT).max(1))
    }

    /// The same spread over slices of another length.
    pub(crate) fn with_slice(&self, now: Timestamp, slice: u64) -> Self {
        let (long, short) = (self.long.with_slice(now, slice), self.short.with_slice(now, (slice / SHORT).max(1)));
        Self { long, short, heard: self.heard, resumes: self.resumes }
    }

    /// Moves windows fed by events to `now`.
    pub(crate) fn advance(&mut self, now: Timestamp) {
        if self.is_events() {
            self.long.advance(now);
            self.short.advance(now);
        }
        if self.resumes.is_some_and(|at| at <= now) {
            self.resumes = None;
            self.long.clear(0);
            self.short.clear(0);
        }
    }

    /// The same where the long window's slice has not ended.
    pub(crate) fn advance_short(&mut self, now: Timestamp) {
        self.short.advance(now);
    }

    /// When the estimate may next change by time alone.
    pub(crate) fn next_change(&self) -> Option<Timestamp> {
        let slice = if self.is_events() { self.long.next_change() } else { None };
        slice.into_iter().chain(self.resumes).min()
    }

    /// Whether every arrival is told of, and none is held back.
    pub(crate) const fn is_counted(&self) -> bool {
        self.is_events() && self.resumes.is_none()
    }

    /// Whether events are held back after a silence.
    pub(crate) const fn is_held_back(&self) -> bool {
        self.resumes.is_some()
    }

    /// When the open slice of the long window ends, if that is more than time that passes between reports.
    pub(crate) const fn slice_ends(&self) -> Timestamp {
        if self.is_events() { self.long.open_start.plus(self.long.slice) } else { Timestamp::MAX }
    }

    /// What the open slice of the long window holds.
    pub(crate) const fn open(&self) -> u64 {
        self.long.open
    }

    /// What it may hold so that the rate, one request more counted in, does not exceed `rate`.
    pub(crate) fn open_up_to(&self, rate: u64) -> u64 {
        self.long.open_up_to(rate)
    }

    /// Whether anybody has reported arrivals.
    pub(crate) const fn is_heard(&self) -> bool {
        self.heard.is_some()
    }

    /// Whether a whole window has been seen since the last gap: before that a low rate says nothing.
    pub(crate) const fn is_full(&self) -> bool {
        self.resumes.is_none() && self.long.filled == FULL
    }

    /// The rate over the long window.
    pub(crate) fn rate(&self) -> Option<Rate> {
        self.known().and_then(|()| self.long.rate(0))
    }

    /// The rate over the long window had it seen one request more: the least by which a rate must fall before it has
    /// fallen at all, since a window's edges may cut one request in or out.
    pub(crate) fn rate_with_one_more(&self) -> Option<Rate> {
        self.known().and_then(|()| self.long.rate(MICRO))
    }

    /// The rate over the short window.
    pub(crate) fn short_rate(&self) -> Option<Rate> {
        self.known().and_then(|()| self.short.rate(0))
    }

    /// Whether there is an estimate.
    pub(crate) const fn is_known(&self) -> bool {
        self.heard.is_some() && self.resumes.is_none()
    }

    fn known(&self) -> Option<()> {
        self.is_known().then_some(())
    }

    /// When the signal goes stale, given how long reports and events stay fresh; `None` if never.
    pub(crate) fn stale_at(&self, reports: u64, events: Option<u64>) -> Option<Timestamp> {
        match self.heard? {
            (Source::Reports, last) => Some(last.plus(reports)),
            (Source::Events, last) => events.map(|deadline| last.plus(deadline)),
        }
    }

    pub(crate) const fn is_events(&self) -> bool {
        matches!(self.heard, Some((Source::Events, _)))
    }
}

/// One sliding window of request mass.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
struct Window {
    slice: u64,
    closed: [u64; SLICES],
    /// The position of the oldest closed slice, which the next one replaces.
    oldest: u8,
    /// How many closed slices have been seen.
    filled: u8,
    /// Of the closed slices.
    #[serde(skip)]
    sum: u64,
    open: u64,
    open_start: Timestamp,
}

impl Window {
    const fn new(origin: Timestamp, slice: u64) -> Self {
        Self { slice, closed: [0; SLICES], oldest: 0, filled: 0, sum: 0, open: 0, open_start: origin }
    }

    /// Makes good what a snapshot leaves out; false if it cannot be one of a window with this slice.
    fn restore(&mut self, slice: u64) -> bool {
        self.sum = self.closed.iter().fold(0, |sum, mass| sum.saturating_add(*mass));
        self.slice == slice && self.oldest < FULL && self.filled <= FULL
    }

    const fn clear(&mut self, filled: u8) {
        self.closed = [0; SLICES];
        self.sum = 0;
        self.open = 0;
        self.filled = filled;
    }

    const fn add(&mut self, mass: u64) {
        self.open = self.open.saturating_add(mass);
    }

    fn advance(&mut self, now: Timestamp) {
        let since = now.since(self.open_start);
        if since < self.slice {
            return;
        }
        let ended = since.checked_div(self.slice).unwrap_or(0);
        if ended > SLICES as u64 {
            self.clear(FULL);
        } else {
            for _ in 0..ended {
                self.close();
            }
        }
        self.open_start = self.open_start.plus(ended.saturating_mul(self.slice));
    }

    fn close(&mut self) {
        if let Some(slot) = self.closed.get_mut(usize::from(self.oldest)) {
            self.sum = self.sum.saturating_sub(*slot).saturating_add(self.open);
            *slot = self.open;
        }
        self.open = 0;
        self.oldest = following(self.oldest);
        self.filled = self.filled.saturating_add(1).min(FULL);
    }

    /// Spreads `mass` evenly over the `over` nanoseconds before `now`, which have then been seen.
    fn add_span(&mut self, now: Timestamp, over: u64, mass: u64) {
        self.spread(now, 0, over, mass);
        self.has_seen(now, over);
    }

    /// The closed slices that lie wholly in the `over` nanoseconds before `now` have been seen.
    fn has_seen(&mut self, now: Timestamp, over: u64) {
        let slices = over.saturating_sub(now.since(self.open_start)).checked_div(self.slice).unwrap_or(0);
        self.filled = self.filled.max(u8::try_from(slices).unwrap_or(FULL).min(FULL));
    }

    /// Spreads `mass` evenly over the time from `from` to `to` nanoseconds before `now`. Works in time before `now`, so
    /// that nothing depends on where the origin is.
    fn spread(&mut self, now: Timestamp, to: u64, from: u64, mass: u64) {
        // The part of `mass` that lies between `newer` and `older` nanoseconds ago.
        let share = |newer: u64, older: u64| {
            let overlap = older.clamp(to, from).saturating_sub(newer.clamp(to, from));
            let span = u128::from(from.saturating_sub(to));
            let part = u128::from(mass).saturating_mul(u128::from(overlap)).checked_div(span);
            u64::try_from(part.unwrap_or(0)).unwrap_or(u64::MAX)
        };
        let mut start_ago = now.since(self.open_start);
        self.open = self.open.saturating_add(share(0, start_ago));
        let mut position = usize::from(self.oldest);
        for _ in 0..SLICES {
            let end_ago = start_ago;
            if from <= end_ago {
                break;
            }
            start_ago = end_ago.saturating_add(self.slice);
            position = position.checked_sub(1).unwrap_or(SLICES.saturating_sub(1));
            let added = share(end_ago, start_ago);
            if let Some(slot) = self.closed.get_mut(position) {
                *slot = slot.saturating_add(added);
                self.sum = self.sum.saturating_add(added);
            }
        }
    }

    /// The same mass over slices of another length, the open one of which begins now.
    fn with_slice(&self, now: Timestamp, slice: u64) -> Self {
        let mut other = Self::new(now, slice);
        let open_ago = now.since(self.open_start);
        other.spread(now, 0, open_ago.max(1), self.open);
        let (mut position, mut end_ago) = (usize::from(self.oldest), open_ago);
        for _ in 0..self.filled {
            position = position.checked_sub(1).unwrap_or(SLICES.saturating_sub(1));
            let start_ago = end_ago.saturating_add(self.slice);
            other.spread(now, end_ago, start_ago, self.closed.get(position).copied().unwrap_or(0));
            end_ago = start_ago;
        }
        other.has_seen(now, end_ago);
        other
    }

    const fn next_change(&self) -> Option<Timestamp> {
        // An empty window changes by becoming a whole one.
        let settled = self.sum == 0 && self.open == 0 && self.filled == FULL;
        if settled { None } else { Some(self.open_start.plus(self.slice)) }
    }

    /// The estimate described above with `extra` mass added; `None` before anything was seen.
    fn rate(&self, extra: u64) -> Option<Rate> {
        let closed = self.sum.saturating_add(extra);
        let closed = per_second(closed, u64::from(self.filled).saturating_mul(self.slice));
        let (staying, span) = self.beside_open();
        let with_open = staying.saturating_add(self.open).saturating_add(extra);
        closed.max(per_second(with_open, span)).map(Rate::from_micros)
    }

    /// The mass that counts beside the open slice, and the time in which it and the open slice count.
    fn beside_open(&self) -> (u64, u64) {
        let leaving =
            if self.filled == FULL { self.closed.get(usize::from(self.oldest)).copied().unwrap_or(0) } else { 0 };
        let slices = u64::from(self.filled).saturating_add(1).min(SLICES as u64);
        (self.sum.saturating_sub(leaving), slices.saturating_mul(self.slice))
    }

    /// The mass that the open slice may hold so that the second estimate, one request more counted in, is at most `rate`.
    fn open_up_to(&self, rate: u64) -> u64 {
        let (staying, span) = self.beside_open();
        let mass = match rate.checked_mul(span) {
            Some(scaled) => scaled / 1_000_000_000,
            None => {
                u64::try_from(u128::from(rate).saturating_mul(u128::from(span)) / 1_000_000_000).unwrap_or(u64::MAX)
            }
        };
        mass.saturating_sub(staying).saturating_sub(MICRO)
    }
}

/// [`SLICES`] as the type that counts them.
#[expect(clippy::cast_possible_truncation, reason = "twelve fits")]
const FULL: u8 = SLICES as u8;

/// The next position in a ring of [`SLICES`].
pub(crate) const fn following(position: u8) -> u8 {
    match position.checked_add(1) {
        Some(next) if next < FULL => next,
        _ => 0,
    }
}

pub(super) fn per_second(mass: u64, span: u64) -> Option<u64> {
    // Up to some 18,000 requests fit into 64 bits, whose division takes a fraction of the time.
    if let Some(scaled) = mass.checked_mul(1_000_000_000) {
        return scaled.checked_div(span);
    }
    let scaled = u128::from(mass).saturating_mul(1_000_000_000).checked_div(u128::from(span))?;
    Some(u64::try_from(scaled).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn arrivals() -> Arrivals {
        Arrivals::new(Timestamp::ORIGIN, 5 * SECOND)
    }

    fn rate(arrivals: &Arrivals) -> f64 {
        arrivals.rate().unwrap().as_f64()
    }

    #[test]
    fn missing_is_not_zero() {
        let mut arrivals = arrivals();
        assert_eq!((arrivals.rate(), arrivals.short_rate()), (None, None));
        arrivals.arrived(at(0), 0, None);
        assert_eq!(arrivals.rate(), Some(Rate::ZERO));
    }

    #[test]
    fn a_constant_load_is_measured_exactly_at_all_times() {
        let mut arrivals = arrivals();
        for millis in (0..300_000).step_by(250) {
            arrivals.arrived(at(millis), 1, None);
            if millis >= 60_000 {
                approx::assert_relative_eq!(rate(&arrivals), 4.0);
                approx::assert_relative_eq!(arrivals.short_rate().unwrap().as_f64(), 4.0);
            }
        }
    }

    #[test]
    fn a_burst_shows_at_once_and_leaves_with_the_window() {
        let mut arrivals = arrivals();
        arrivals.arrived(at(0), 0, None);
        arrivals.advance(at(100_000));
        arrivals.arrived(at(100_000), 120, None);
        approx::assert_relative_eq!(rate(&arrivals), 2.0);
        arrivals.advance(at(164_999));
        approx::assert_relative_eq!(rate(&arrivals), 2.0);
        arrivals.advance(at(165_000));
        approx::assert_relative_eq!(rate(&arrivals), 0.0);
        assert_eq!(arrivals.next_change(), None, "an empty window needs no wake-up");
    }

    #[test]
    fn scraped_counts_give_a_steady_rate_between_scrapes() {
        let mut arrivals = arrivals();
        for scrape in 1..20 {
            let now = at(scrape * 15_000);
            arrivals.reported(now, 15 * SECOND, 45 * MICRO);
            approx::assert_relative_eq!(rate(&arrivals), 3.0, max_relative = 1e-6);
            arrivals.advance(at(scrape * 15_000 + 14_000));
            approx::assert_relative_eq!(rate(&arrivals), 3.0, max_relative = 1e-6);
        }
        arrivals.reported(at(3_600_000), 15 * SECOND, 15 * MICRO);
        approx::assert_relative_eq!(rate(&arrivals), 1.0, max_relative = 1e-6);
    }

    #[test]
    fn neither_a_gap_nor_what_was_held_back_in_it_is_taken_for_traffic() {
        let minute = Some(60 * SECOND);
        let mut arrivals = arrivals();
        for millis in (0..120_000).step_by(250) {
            arrivals.arrived(at(millis), 1, minute);
        }
        assert!(arrivals.is_full());
        // Ten minutes later all of it comes at once, and then the usual traffic.
        for millis in (720_000..725_000).step_by(250) {
            arrivals.arrived(at(millis), if millis == 720_000 { 2_400 } else { 1 }, minute);
            assert_eq!((arrivals.rate(), arrivals.is_full()), (None, false));
        }
        assert_eq!(arrivals.next_change(), Some(at(725_000)));
        for millis in (725_000..790_000).step_by(250) {
            arrivals.advance(at(millis));
            arrivals.arrived(at(millis), 1, minute);
            assert!(rate(&arrivals) <= 4.01, "{} at {millis}", rate(&arrivals));
        }
        assert!(arrivals.is_full());
        approx::assert_relative_eq!(rate(&arrivals), 4.0, max_relative = 0.01);
    }

    #[test]
    fn the_ends_of_time_do_no_harm() {
        let mut arrivals = arrivals();
        for now in [Timestamp::ORIGIN, Timestamp::MAX, Timestamp::MAX] {
            arrivals.arrived(now, u32::MAX, None);
            arrivals.reported(now, u64::MAX, u64::MAX);
            arrivals.reported(now, 1, u64::MAX);
        }
        assert!(arrivals.rate().is_some());
    }

    #[test]
    fn arrivals_are_counted_where_events_tell_of_all_of_them() {
        let mut arrivals = arrivals();
        assert_eq!((arrivals.is_counted(), arrivals.open()), (false, 0));
        arrivals.arrived(at(0), 3, None);
        assert_eq!((arrivals.is_counted(), arrivals.open()), (true, 3 * MICRO));
        arrivals.count(at(1), 2);
        assert_eq!(arrivals.open(), 5 * MICRO);
        arrivals.resumes = Some(at(9));
        assert!(!arrivals.is_counted(), "what comes is held back");
        arrivals.reported(at(10), SECOND, MICRO);
        assert!(!arrivals.is_counted(), "others report");
    }
}
