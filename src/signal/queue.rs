//! The queue and the slots: how many requests wait, since when, and how many are being served.
//!
//! Both are counters that events move and gauges set. The first request's age is known exactly from a gauge or when
//! the queue was empty before it came; after a request has been taken, the ones behind it are known to have waited
//! since that moment at least. So a queue from which nothing is taken grows old by itself: it is never starved of
//! samples.

use serde::{Deserialize, Serialize};

use crate::time::{Timestamp, Waiting};

/// Requests waiting in one queue.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Queue {
    depth: u64,
    /// Whether the depth is known: requests are seen coming and leaving, or a gauge has set it.
    known: bool,
    /// Whether requests are seen coming.
    arrivals_seen: bool,
    /// When a gauge last set the depth, while no request has been seen leaving.
    gauge_at: Option<Timestamp>,
    oldest: Option<Waiting>,
    /// The sojourn of the last request that left, while others stay behind it.
    last_wait: Option<u64>,
    /// Arrivals while no worker was ready, which nobody can have taken.
    unattended: u64,
}

impl Queue {
    pub(crate) const fn arrived(&mut self, now: Timestamp, count: u32, nobody_ready: bool) {
        self.arrivals_seen = true;
        if count == 0 {
            return;
        }
        self.depth = self.depth.saturating_add(count as u64);
        if nobody_ready {
            self.unattended = self.unattended.saturating_add(count as u64);
        }
        if self.oldest.is_none() {
            self.oldest = Some(Waiting::new(now, 0));
        }
    }

    /// A request left after `wait` nanoseconds. False if none was known to wait.
    pub(crate) fn left(&mut self, now: Timestamp, wait: u64) -> bool {
        if !self.known && !self.arrivals_seen {
            // What leaves without having been seen to come says nothing of what is left.
            return true;
        }
        let expected = self.depth > 0 || !self.known;
        self.known = true;
        self.gauge_at = None;
        self.depth = self.depth.saturating_sub(1);
        self.unattended = self.unattended.saturating_sub(1);
        let stays = self.depth > 0;
        self.oldest = stays.then_some(Waiting::new(now, 0));
        self.last_wait = stays.then_some(wait);
        expected
    }

    pub(crate) fn gauge(&mut self, now: Timestamp, depth: u32, oldest_age: Option<u64>) {
        if !self.known || self.gauge_at.is_some() {
            self.gauge_at = Some(now);
        }
        self.known = true;
        self.depth = u64::from(depth);
        self.unattended = self.depth;
        if depth == 0 {
            self.oldest = None;
            self.last_wait = None;
        } else {
            self.oldest = oldest_age.map(|age| Waiting::new(now, age)).or(self.oldest).or(Some(Waiting::new(now, 0)));
        }
    }

    /// A worker is ready: arrivals may be taken from now on.
    pub(crate) const fn attended(&mut self) {
        self.unattended = 0;
        if !self.known {
            self.depth = 0;
            self.oldest = None;
        }
    }

    /// Whether the depth is known from events alone; where somebody attends, what came unattended is told to be so no more.
    pub(crate) const fn is_counted(&self, attended: bool) -> bool {
        self.known && self.gauge_at.is_none() && (self.unattended == 0 || !attended)
    }

    /// Whether the depth is known.
    pub(crate) const fn is_known(&self) -> bool {
        self.known
    }

    /// Somebody attends, where the depth is [known](Self::is_known).
    pub(crate) const fn taken(&mut self) {
        self.unattended = 0;
    }

    /// Requests waiting, as far as known.
    pub(crate) fn depth(&self) -> Option<u64> {
        self.known.then_some(self.depth)
    }

    /// Requests that certainly wait.
    pub(crate) const fn backlog(&self) -> u64 {
        if self.known { self.depth } else { self.unattended }
    }

    /// The same where [every request is counted](Self::is_counted): then the depth is known.
    pub(crate) const fn counted_oldest(&self) -> Option<Waiting> {
        self.oldest
    }

    /// How long the first of them has waited, at the least.
    pub(crate) const fn oldest(&self) -> Option<Waiting> {
        if self.known || self.unattended > 0 { self.oldest } else { None }
    }

    /// How long the last request to leave had waited, if others wait behind it.
    pub(crate) const fn last_wait(&self) -> Option<u64> {
        self.last_wait
    }

    /// When a depth known only from a gauge goes stale.
    pub(crate) fn stale_at(&self, freshness: u64) -> Option<Timestamp> {
        self.gauge_at.map(|at| at.plus(freshness))
    }
}

/// Requests being served.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub(crate) struct InFlight {
    count: Option<u64>,
    gauge_at: Option<Timestamp>,
}

impl InFlight {
    pub(crate) fn started(&mut self) {
        self.count = Some(self.count.unwrap_or(0).saturating_add(1));
        self.gauge_at = None;
    }

    /// False if none was known to be served.
    pub(crate) const fn finished(&mut self) -> bool {
        match &mut self.count {
            None => true,
            Some(0) => false,
            Some(count) => {
                *count = count.saturating_sub(1);
                true
            }
        }
    }

    pub(crate) fn gauge(&mut self, now: Timestamp, count: u32) {
        if self.count.is_none() || self.gauge_at.is_some() {
            self.gauge_at = Some(now);
        }
        self.count = Some(u64::from(count));
    }

    /// Whether the count is known from events.
    pub(crate) const fn is_counted(&self) -> bool {
        self.count.is_some() && self.gauge_at.is_none()
    }

    pub(crate) const fn count(&self) -> Option<u64> {
        self.count
    }

    pub(crate) fn stale_at(&self, freshness: u64) -> Option<Timestamp> {
        self.gauge_at.map(|at| at.plus(freshness))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    #[test]
    fn a_stuck_queue_grows_old_by_itself() {
        let mut queue = Queue::default();
        queue.gauge(at(0), 0, None);
        queue.arrived(at(10), 3, false);
        assert_eq!(queue.oldest(), Some(Waiting::new(at(10), 0)));
        assert!(queue.left(at(12), 2_000_000_000));
        assert_eq!(
            (queue.depth(), queue.oldest(), queue.last_wait()),
            (Some(2), Some(Waiting::new(at(12), 0)), Some(2_000_000_000))
        );
        queue.left(at(13), 0);
        queue.left(at(13), 0);
        assert_eq!((queue.oldest(), queue.last_wait()), (None, None));
        assert!(!queue.left(at(14), 0), "more left than came");
    }

    #[test]
    fn arrivals_alone_say_nothing_of_a_queue_that_somebody_serves() {
        let mut queue = Queue::default();
        queue.arrived(at(1), 5, true);
        assert_eq!((queue.depth(), queue.backlog(), queue.oldest()), (None, 5, Some(Waiting::new(at(1), 0))));
        queue.attended();
        queue.arrived(at(2), 5, false);
        assert_eq!((queue.depth(), queue.backlog(), queue.oldest()), (None, 0, None));
    }

    #[test]
    fn departures_alone_say_nothing_of_what_is_left() {
        let mut queue = Queue::default();
        assert!(queue.left(at(1), 5) && queue.left(at(2), 5));
        assert_eq!((queue.depth(), queue.backlog()), (None, 0));
    }

    #[test]
    fn a_gauge_goes_stale_but_events_do_not() {
        let mut queue = Queue::default();
        queue.gauge(at(5), 2, Some(3_000_000_000));
        assert_eq!(queue.oldest().unwrap().age(at(6)), 4_000_000_000);
        assert_eq!(queue.oldest().unwrap().reaches(10_000_000_000), at(12));
        assert_eq!(queue.stale_at(60), Some(at(5).plus(60)));
        queue.left(at(6), 1);
        queue.gauge(at(7), 4, None);
        assert_eq!(queue.stale_at(60), None);
    }

    #[test]
    fn slots_are_counted_by_events_and_set_by_gauges() {
        let mut slots = InFlight::default();
        assert!(slots.finished(), "nothing known, nothing contradicted");
        assert_eq!(slots.count(), None);
        slots.started();
        assert!(slots.finished() && !slots.finished());
        slots.gauge(at(1), 7);
        assert_eq!((slots.count(), slots.stale_at(1)), (Some(7), None));
    }

    #[test]
    fn what_is_in_flight_is_counted_once_only_events_tell_of_it() {
        let mut in_flight = InFlight::default();
        assert!(!in_flight.is_counted(), "nothing is known");
        in_flight.gauge(at(0), 3);
        assert!(!in_flight.is_counted(), "a gauge grows old");
        in_flight.started();
        assert!(in_flight.is_counted());
    }
}
