//! What gauges and a counter of arrivals say of requests that nobody told of one by one.
//!
//! Between two scrapes in which `n` requests came, and before and after which `w` waited and `b` were being served:
//!
//! - `n + w − w'` started. Who came at the instant of a scrape would have waited for as long as the first in the queue had, or
//!   until as many were served as were before him, the longer of both. What the two scrapes say of those between them is
//!   taken to be true of half of them each: arrivals see what an observer sees at any instant.
//! - `started + b − b'` were served, in `(b + b')/2` slots all the while: slot seconds over requests is their mean service time
//!   (Little's law). As much is known of it as requests were seen in service: where they take 10 ms, one scrape in five
//!   hundred sees one of a request a second.
//!
//! Whoever tells of starts or ends by events as well is believed, and nothing is guessed.

use serde::{Deserialize, Serialize};

use super::HANDFUL;
use crate::fixed::ratio;
use crate::time::Timestamp;

/// What a scrape found.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub(super) struct Found {
    pub(super) waiting: u64,
    pub(super) busy: u64,
    /// How long who came then would wait, in nanoseconds.
    pub(super) wait: u64,
}

/// What follows from two of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Guess {
    pub(super) started: u64,
    pub(super) late: u64,
    /// A mean service time in nanoseconds, and of how many requests in service it is.
    pub(super) service: Option<(u64, u64)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub(super) struct Scrapes {
    /// The last one that was looked at, and when somebody was last there or came, if nobody was left.
    before: Found,
    quiet_since: Option<Timestamp>,
    /// What was counted since, in spans of so many nanoseconds together, and the latest instant of it.
    arrived: u64,
    over: u64,
    at: Option<Timestamp>,
    /// Events told of starts or ends.
    told: bool,
    /// Since the service time was last guessed: requests in service by the number of scrapes, doubled; their time; and how many
    /// were served.
    seen: u64,
    busy: u64,
    served: u64,
}

impl Scrapes {
    /// So many arrived in a span that ended at `now`.
    pub(super) fn counted(&mut self, now: Timestamp, arrived: u64, over: u64) {
        self.arrived = self.arrived.saturating_add(arrived);
        self.over = self.over.saturating_add(over);
        self.at = self.at.max(Some(now));
    }

    /// An event told of a start or an end.
    pub(super) const fn told(&mut self) {
        self.told = true;
    }

    /// Whether somebody was there when it was last looked at.
    pub(super) const fn left_somebody(&self) -> bool {
        self.before.waiting > 0 || self.before.busy > 0
    }

    /// Since when nobody has been seen, if somebody ever was and nobody was left.
    pub(super) const fn quiet_since(&self) -> Option<Timestamp> {
        self.quiet_since
    }

    /// When there was a scrape that has not been looked at, and over how long.
    pub(super) fn due(&self) -> Option<(Timestamp, u64)> {
        self.at.map(|at| (at, self.over))
    }

    /// What follows from what was found, if a request must not wait longer than `patience`.
    pub(super) fn look(&mut self, found: Found, patience: u64) -> Option<Guess> {
        let (at, over) = self.due()?;
        let nobody = found.waiting == 0 && found.busy == 0;
        self.quiet_since = Some(at).filter(|_| nobody);
        let (before, arrived, told) = (self.before, self.arrived, self.told);
        (self.before, self.arrived, self.over, self.at, self.told) = (found, 0, 0, None, false);
        if told {
            (self.seen, self.busy, self.served) = (0, 0, 0);
            return None;
        }
        let started = before.waiting.saturating_add(arrived).saturating_sub(found.waiting);
        let late = ratio(started, [before, found].iter().map(|it| u64::from(it.wait > patience)).sum(), 2);
        let in_service = before.busy.saturating_add(found.busy);
        self.seen = self.seen.saturating_add(in_service);
        self.busy = self.busy.saturating_add(in_service.saturating_mul(over));
        self.served = self.served.saturating_add(before.busy.saturating_add(started).saturating_sub(found.busy));
        let (seen, twice) = (self.seen / 2, self.served.saturating_mul(2));
        let enough = seen >= HANDFUL.into() && self.served >= HANDFUL.into();
        let service = self.busy.checked_div(twice).filter(|_| enough);
        let service = service.map(|mean| (mean, seen));
        if service.is_some() {
            (self.seen, self.busy, self.served) = (0, 0, 0);
        }
        Some(Guess { started, late, service })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn found(waiting: u64, busy: u64, wait_millis: u64) -> Found {
        Found { waiting, busy, wait: wait_millis * 1_000_000 }
    }

    /// One scrape after another, five seconds apart.
    fn guess(scrapes: &mut Scrapes, arrived: u64, found: Found) -> Guess {
        scrapes.counted(Timestamp::ORIGIN, arrived, 5 * SECOND);
        scrapes.look(found, SECOND / 10).unwrap()
    }

    #[test]
    fn nothing_was_scraped_and_nothing_is_guessed() {
        let mut scrapes = Scrapes::default();
        assert_eq!(scrapes.look(found(3, 3, 3_000), SECOND), None);
        assert!(!scrapes.left_somebody());
    }

    #[test]
    fn who_waited_too_long_was_late() {
        let mut scrapes = Scrapes::default();
        let started_late = |guess: Guess| (guess.started, guess.late);
        assert_eq!(started_late(guess(&mut scrapes, 40, found(0, 9, 0))), (40, 0));
        assert_eq!(
            started_late(guess(&mut scrapes, 40, found(30, 9, 1_000))),
            (10, 5),
            "half see the one, half the other"
        );
        assert_eq!(started_late(guess(&mut scrapes, 40, found(10, 9, 101))), (60, 60));
        assert_eq!(started_late(guess(&mut scrapes, 20, found(0, 9, 100))), (30, 15), "a tenth of a second is in time");
        assert_eq!(started_late(guess(&mut scrapes, 0, found(8, 9, 100))), (0, 0), "no counter is as good as that");
    }

    #[test]
    fn the_mean_service_time_is_slot_seconds_over_requests() {
        let mut scrapes = Scrapes::default();
        let mut mean = |arrived: u64| guess(&mut scrapes, arrived, found(0, 8, 0)).service;
        assert_eq!([8, 40].map(&mut mean), [None; 2], "twelve were seen, which says little");
        // What they took before the first is taken to be half of five seconds.
        assert_eq!(mean(40), Some((SECOND * 5 / 4, 20)));
        assert_eq!([40, 40].map(&mut mean), [None; 2], "and anew");
        assert_eq!(mean(40), Some((SECOND, 24)), "eight in service all the while, forty served in five seconds");
    }

    #[test]
    fn who_tells_events_is_believed() {
        let mut scrapes = Scrapes::default();
        scrapes.counted(Timestamp::ORIGIN, 9, SECOND);
        scrapes.told();
        assert_eq!(scrapes.look(found(0, 9, 0), SECOND), None);
        assert_eq!(guess(&mut scrapes, 5, found(0, 9, 0)).started, 5, "and guessed anew when that is over");
    }
}
