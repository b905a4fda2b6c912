//! Anything at all: every kind of observation, mostly with small numbers.

use core::time::Duration;

use plimsoll::report::Reporter;
use plimsoll::{
    FailureCause, Grant, Mode, Observation, ObserverId, PoolCounts, Report, ReservationId, Timestamp, WorkerEvent,
    WorkerId,
};

/// Every kind of observation, mostly with small numbers.
pub(super) fn any_observation(draw: &mut Draw) -> Observation {
    match draw.below(18) {
        0 => Observation::Arrived { count: count(draw), queue: maybe(draw, worker) },
        1 => Observation::Started { sojourn: span(draw), queue: maybe(draw, worker) },
        2 => Observation::Finished { service: span(draw) },
        3 => Observation::Abandoned { wait: span(draw), queue: maybe(draw, worker) },
        4 => Observation::Queue { depth: count(draw), oldest_age: maybe(draw, span), queue: maybe(draw, worker) },
        5 => Observation::InFlight { count: count(draw) },
        6 => Observation::Requests { count: count(draw), over: span(draw) },
        7 => Observation::ArrivalRate { per_second: number(draw) },
        8..=10 => Observation::Worker { id: worker(draw), event: worker_event(draw) },
        11 => Observation::StartFailed { count: count(draw), cause: cause(draw) },
        12 => Observation::Pool(PoolCounts {
            ready: count(draw),
            idle: maybe(draw, count),
            starting: count(draw),
            draining: count(draw),
            prewarming: count(draw),
            standby: count(draw),
            failed: count(draw),
        }),
        13 | 14 => Observation::Mode { mode: mode(draw), valid_for: maybe(draw, span) },
        15 => Observation::Reserve {
            id: ReservationId(count(draw) % 9),
            workers: count(draw),
            after: if draw.one_in(2) { Duration::ZERO } else { span(draw) },
            valid_for: span(draw),
        },
        16 => Observation::Grant(grant(draw)),
        _ if draw.one_in(8) => Observation::Proposal { workers: count(draw), valid_for: None },
        _ => Observation::Proposal { workers: count(draw), valid_for: Some(span(draw)) },
    }
}

/// What a shared budget allows, as often as not whatever max does.
fn grant(draw: &mut Draw) -> Option<Grant> {
    let granted = draw.one_in(2);
    granted.then(|| Grant { workers: count(draw), budget: draw.next(), others: count(draw) })
}

/// An operator's order, mostly to go on as ever.
fn mode(draw: &mut Draw) -> Mode {
    match draw.below(10) {
        0 => Mode::GrowOnly,
        1 => Mode::ShrinkOnly,
        2 => Mode::Hold,
        3 => Mode::Fixed(count(draw)),
        4 => Mode::Observe,
        _ => Mode::Automatic,
    }
}

/// A report of an observer that may or may not be known, about now, with or without sense.
pub(super) fn any_report(draw: &mut Draw, now: Timestamp, target: Duration) -> Report {
    let begin = Timestamp::from_nanos(now.as_nanos().saturating_sub(draw.below(40_000_000_000)));
    let target = if draw.one_in(12) { span(draw) } else { target };
    let mut reporter = Reporter::new(ObserverId(draw.below(20)), draw.below(3), target, begin);
    reporter.arrived(u64::from(count(draw)));
    for _ in 0..draw.below(6) {
        reporter.started(span(draw));
        reporter.finished(span(draw));
    }
    if draw.one_in(2) {
        reporter.queue(count(draw), maybe(draw, span));
        reporter.in_flight(count(draw));
    }
    let end = now.as_nanos().saturating_add(if draw.one_in(8) { draw.below(20_000_000_000) } else { 0 });
    let mut report = reporter.report(Timestamp::from_nanos(end));
    report.sequence = draw.below(100);
    report
}

fn worker_event(draw: &mut Draw) -> WorkerEvent {
    match draw.below(10) {
        0 => WorkerEvent::Ordered,
        1 => WorkerEvent::Ready,
        2 => WorkerEvent::Busy(count(draw)),
        3 => WorkerEvent::Idle,
        4 => WorkerEvent::Draining,
        5 => WorkerEvent::Prewarming,
        6 => WorkerEvent::Standby,
        7 => WorkerEvent::Gone,
        8 => WorkerEvent::Leased(span(draw)),
        _ => WorkerEvent::Failed(cause(draw)),
    }
}

pub(super) fn cause(draw: &mut Draw) -> FailureCause {
    use FailureCause::{Crash, Preempted, Quota, StockOut, Timeout};
    draw.of(&[Crash, Timeout, Quota, StockOut, Preempted])
}

fn worker(draw: &mut Draw) -> WorkerId {
    WorkerId(match draw.below(32) {
        0 => u64::MAX,
        small => small % 12,
    })
}

/// A count, mostly small.
pub(super) fn count(draw: &mut Draw) -> u32 {
    match draw.below(64) {
        0 => u32::MAX,
        1 => u32::try_from(draw.below(1 << 32)).unwrap(),
        small => u32::try_from(small % 16).unwrap(),
    }
}

/// A duration of any size, the usual ones more often.
pub(super) fn span(draw: &mut Draw) -> Duration {
    let count = draw.below(256);
    match draw.below(16) {
        0 => Duration::from_nanos(count),
        1 => Duration::from_micros(count),
        2 => Duration::from_secs(count * 60),
        3 => Duration::from_secs(count * 86_400),
        4 => draw.of(&[Duration::ZERO, Duration::MAX, Duration::from_nanos(u64::MAX)]),
        5..=8 => Duration::from_secs(count % 32),
        _ => Duration::from_millis(count),
    }
}

/// A number that may be no rate.
fn number(draw: &mut Draw) -> f64 {
    match draw.below(16) {
        0 => draw.of(&[f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, -1.0, -0.0]),
        1 => draw.of(&[f64::MIN_POSITIVE, f64::EPSILON, 1e9, 1e9 + 1.0, 0.000_000_5]),
        2 => f64::from_bits(draw.next()),
        3 | 4 => 0.0,
        _ => f64::from(u32::try_from(draw.below(1 << 20)).unwrap()) / 3_000.0,
    }
}

fn maybe<T>(draw: &mut Draw, make: impl Fn(&mut Draw) -> T) -> Option<T> {
    draw.one_in(4).then(|| make(draw))
}

/// `SplitMix64`.
pub(super) struct Draw(pub(super) u64);

impl Draw {
    pub(super) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) const fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    pub(super) const fn one_in(&mut self, many: u64) -> bool {
        self.below(many) == 0
    }

    pub(super) fn of<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.below(values.len() as u64) as usize]
    }
}
