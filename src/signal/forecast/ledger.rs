//! What was late, against what may be.

use serde::{Deserialize, Serialize};

use crate::fixed::{ONE, ratio};
use crate::policy::CAUTION;
use crate::time::Timestamp;
use crate::units::{MICRO, Share};

/// Caution moves by one, and the allowance by e, when a third of what may be late of the remembered requests was.
const GAIN: u64 = 3;
/// The least caution; the most is 5: the allowance is e² times as wide at the most, and e⁵ times as narrow.
const LEAST: i64 = -2;
/// How far a debt is remembered beyond that: a crowd is paid back, and does not dominate for ever.
const DEEPEST: i64 = 20;
/// As many late requests at the least are what may be late: fewer say nothing.
const FEWEST: u64 = 10;
/// Requests that are late within so long of each other are late for one reason.
const EPISODE: u64 = 60_000_000_000;
/// The objective is aimed at with a margin of up to so many millionths of what may be late.
const WIDEST_MARGIN: u64 = 300_000;

/// Keeps account of late requests.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub(super) struct Ledger {
    /// Requests that are remembered, in millionths.
    requests: u64,
    /// Late ones of them, in millionths.
    late: u64,
    /// Late ones above what may be, in millionths.
    debt: i64,
    /// The sum over episodes of the late requests in each, squared: the variance of their sum.
    squares: u64,
    /// Late requests of the present episode, and its end.
    episode: u32,
    ends: Timestamp,
    /// A request found nobody waiting.
    settled: bool,
}

impl Ledger {
    pub(super) const fn new(now: Timestamp) -> Self {
        Self { requests: 0, late: 0, debt: 0, squares: 0, episode: 0, ends: now, settled: false }
    }

    /// So many requests arrived.
    pub(super) const fn arrived(&mut self, count: u64) {
        self.requests = self.requests.saturating_add(count.saturating_mul(MICRO));
    }

    /// One started, late or not, and left the queue empty or not. `may` be late, in millionths of them all.
    pub(super) fn started(&mut self, now: Timestamp, late: bool, empty: bool, may: u64) {
        self.settled |= empty;
        self.counted(now, 1, late.into(), may);
    }

    /// So many started, and so many of them late.
    pub(super) fn told(&mut self, now: Timestamp, started: u64, late: u64, may: u64) {
        self.settled |= late < started;
        self.counted(now, started, late, may);
    }

    fn counted(&mut self, now: Timestamp, started: u64, late: u64, may: u64) {
        // Before anybody was in time, lateness is the start's.
        if !self.settled {
            return;
        }
        if late > 0 {
            self.late = self.late.saturating_add(late.saturating_mul(MICRO));
            if now > self.ends {
                self.squares = self.squares.saturating_add(square(self.episode));
                self.episode = 0;
            }
            self.episode = self.episode.saturating_add(u32::try_from(late).unwrap_or(u32::MAX));
            self.ends = now.plus(EPISODE);
        }
        let unit = self.unit(may);
        let aim = ratio(may, MICRO.saturating_sub(self.margin(may)), MICRO);
        let debt = self
            .debt
            .saturating_add(signed(late.saturating_mul(MICRO)))
            .saturating_sub(signed(started.saturating_mul(aim)));
        self.debt = debt.clamp(unit.saturating_mul(LEAST), unit.saturating_mul(DEEPEST));
    }

    /// How uncertain the late share is, in millionths of what may be late: the standard deviation of its count.
    fn margin(&self, may: u64) -> u64 {
        let deviation = self.squares.saturating_add(square(self.episode)).isqrt().saturating_add(1);
        let budget = ratio(self.requests, may, MICRO.saturating_mul(MICRO)).max(FEWEST);
        ratio(deviation, MICRO, budget).min(WIDEST_MARGIN)
    }

    /// The late requests, in millionths, that move caution by one.
    fn unit(&self, may: u64) -> i64 {
        let budget = ratio(self.requests, may, MICRO).max(FEWEST.saturating_mul(MICRO));
        signed(budget / GAIN)
    }

    /// Caution above its least, in 2⁻³² ths.
    pub(super) fn caution(&self, may: u64) -> u64 {
        let unit = self.unit(may);
        let above = self.debt.saturating_sub(unit.saturating_mul(LEAST)).max(0).unsigned_abs();
        ratio(above, ONE, unit.unsigned_abs()).min(ONE.saturating_mul(CAUTION))
    }

    /// Requests that are remembered.
    pub(super) const fn requests(&self) -> u64 {
        self.requests / MICRO
    }

    /// The share of them that was in time.
    pub(super) fn kept(&self) -> Option<Share> {
        Share::of(self.requests.saturating_sub(self.late), self.requests)
    }

    /// Forgets one part in twelve.
    pub(super) const fn fade(&mut self) {
        self.requests = self.requests.saturating_sub(self.requests.div_ceil(12));
        self.late = self.late.saturating_sub(self.late.div_ceil(12));
        self.squares = self.squares.saturating_sub(self.squares.div_ceil(12));
    }
}

fn square(count: u32) -> u64 {
    u64::from(count).saturating_mul(u64::from(count))
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
