//! Requests on their way: those that wait, those that are held back, and those that may have to be served again.

use std::collections::BTreeMap;
use std::vec::Vec;

use super::chance::seconds;
use super::workload::Request;
use crate::time::{Timestamp, nanos};
use crate::units::Share;

/// A request that waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Waiting {
    /// When it arrived: its sojourn counts from then on.
    pub(super) arrival: Timestamp,
    /// When it came to the queue, as the queue's owner sees it.
    pub(super) since: Timestamp,
    /// In nanoseconds, on a worker of speed 1 that serves nothing else.
    pub(super) service: u64,
    /// How often it has been cut off.
    pub(super) attempts: u32,
    /// Where its last sojourn is kept, once it has one.
    pub(super) place: u32,
}

impl Waiting {
    pub(super) const fn new(request: Request) -> Self {
        let (arrival, service) = (request.arrival, nanos(request.service));
        Self { arrival, since: arrival, service, attempts: 0, place: 0 }
    }

    /// Where its sojourn is kept if it had one before.
    pub(super) fn place(&self) -> Option<usize> {
        if self.attempts == 0 { None } else { usize::try_from(self.place).ok() }
    }
}

/// How long a request takes that starts beside `others`, on a worker of this speed.
pub(super) fn service_time(service: u64, others: u32, slowdown: Share, speed: f64) -> u64 {
    let alone = if is_usual(speed) { service } else { scaled(service, speed) };
    if others == 0 || slowdown == Share::ZERO {
        return alone;
    }
    let factor = u128::from(slowdown.as_micros()).saturating_mul(others.into()).saturating_add(1_000_000);
    u64::try_from(u128::from(alone).saturating_mul(factor) / 1_000_000).unwrap_or(u64::MAX)
}

#[expect(clippy::float_cmp, reason = "only exactly 1 changes nothing")]
const fn is_usual(speed: f64) -> bool {
    speed == 1.0
}

#[expect(clippy::float_arithmetic, reason = "a speed is a real number")]
fn scaled(service: u64, speed: f64) -> u64 {
    nanos(seconds(core::time::Duration::from_nanos(service).as_secs_f64() / speed))
}

/// The requests in service, so that those which are cut off can be served again.
#[derive(Debug, Default)]
pub(super) struct Held(BTreeMap<(usize, u64), Waiting>);

impl Held {
    /// A worker took a request; `sequence` is that of its end.
    pub(super) fn take(&mut self, worker: usize, sequence: u64, waiting: Waiting) {
        self.0.insert((worker, sequence), waiting);
    }

    /// It is served.
    pub(super) fn finish(&mut self, worker: usize, sequence: u64) {
        self.0.remove(&(worker, sequence));
    }

    /// All that a worker has is cut off, in the order in which it was taken.
    pub(super) fn cut_off(&mut self, worker: usize) -> Vec<Waiting> {
        let mut rest = self.0.split_off(&(worker, 0));
        let mut others = rest.split_off(&(worker.saturating_add(1), 0));
        self.0.append(&mut others);
        rest.into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_takes_longer_beside_others_and_less_on_a_faster_worker() {
        const LONG: u64 = 1_234_567_890_123_456_789;
        let slowdown = Share::new(0.25).unwrap();
        assert_eq!([0, 1, 4].map(|others| service_time(1_000, others, slowdown, 1.0)), [1_000, 1_250, 2_000]);
        assert_eq!([0, 1, 4].map(|others| service_time(1_000, others, slowdown, 2.0)), [500, 625, 1_000]);
        assert_eq!(service_time(1_000, 9, Share::ZERO, 0.5), 2_000);
        assert_eq!(service_time(u64::MAX, 9, Share::ONE, 1.0), u64::MAX);
        assert_eq!(service_time(LONG, 0, Share::ZERO, 1.0), LONG, "seconds would be rounded");
    }

    #[test]
    fn what_a_worker_has_is_cut_off_and_nothing_else() {
        let waiting = |service| Waiting {
            service,
            ..Waiting::new(Request { arrival: Timestamp::ORIGIN, service: core::time::Duration::ZERO })
        };
        let mut held = Held::default();
        for (worker, sequence) in [(1, 8), (2, 5), (2, 9), (2, 7), (3, 6)] {
            held.take(worker, sequence, waiting(sequence));
        }
        held.finish(2, 9);
        assert_eq!(held.cut_off(2), [waiting(5), waiting(7)]);
        assert_eq!(held.cut_off(2), []);
        assert_eq!((held.cut_off(3), held.cut_off(1)), (std::vec![waiting(6)], std::vec![waiting(8)]));
    }
}
