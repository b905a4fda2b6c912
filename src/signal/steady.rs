//! What it takes for observations of requests to be counted without a look at what they mean.

use super::Estimators;
use super::codel::Codel;
use crate::config::Config;
use crate::observation::Observation;
use crate::policy::Inputs;
use crate::pool::Pool;
use crate::time::{Timestamp, nanos};

/// What of the waits is minded by anybody.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Minded {
    /// The sojourn target and CoDel's interval, in nanoseconds.
    pub(crate) target: u64,
    pub(crate) interval: u64,
    /// A wait that is too long for a rule of its own, in nanoseconds.
    pub(crate) overdue: u64,
    /// The slots of ready workers.
    pub(crate) slots: u64,
    /// Whether a rule minds CoDel's verdict and the oldest request.
    pub(crate) waits: bool,
    /// Whether one minds the trend.
    pub(crate) trend: bool,
}

/// What the waits say: as long as that is what it was, and numbers stay in their steps, no proposal changes. One byte, since
/// it is compared after each observation.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Verdicts(u8);

impl Verdicts {
    /// Since when one in a hundred waits too long is remembered, whoever minds it.
    const P99_OVER_TARGET: u8 = 1;
    const NO_SOJOURN: u8 = 2;
    const OLDEST_OVER_TARGET: u8 = 4;
    const OVERLOADED: u8 = 8;
    const LATE: u8 = 16;
    const SURPLUS: u8 = 32;
    const RISING: u8 = 64;

    /// Somebody has waited too long for a rule of its own, and nobody is free.
    pub(crate) const fn late(self) -> bool {
        self.0 & Self::LATE != 0
    }
}

impl Estimators {
    /// Whether the requests that wait and are served are known, by events or by gauges, and nothing is missing or waits in a
    /// queue of its own.
    pub(crate) fn is_plain(&self, pool: &Pool) -> bool {
        let known = self.queue.is_known() && self.in_flight.count().is_some() && !self.arrivals.is_held_back();
        known && self.reports.is_none() && pool.replica_depth().is_none()
    }

    /// Whether, besides, every request is told of by events. `attended` says that somebody may be taking requests, from now on as
    /// well.
    pub(crate) const fn is_told_by_events(&self, attended: bool) -> bool {
        self.queue.is_counted(attended) && self.arrivals.is_counted() && self.in_flight.is_counted()
    }

    /// Whether a gauge finds nothing where something was, when silence and verdicts may be over at once: a request that an
    /// event tells of has been there until then.
    pub(crate) fn empties(&self, observation: &Observation) -> bool {
        let (backlog, busy) = (self.queue.backlog(), self.in_flight.count().unwrap_or(0));
        match *observation {
            Observation::Queue { depth: 0, .. } => backlog > 0 && (busy == 0 || !self.codel.is_at_rest()),
            Observation::InFlight { count: 0 } => busy > 0 && backlog == 0,
            _ => false,
        }
    }

    /// Takes in a gauge where all is [plain](Self::is_plain), between the ends of slices, as [`record`](Self::record) does.
    pub(crate) fn gauge(
        &mut self,
        now: Timestamp,
        observation: &Observation,
        attended: bool,
        pool: &Pool,
        config: &Config,
    ) {
        if attended {
            self.queue.taken();
        }
        match *observation {
            Observation::Queue { depth, oldest_age, .. } => {
                self.queue.gauge(now, depth, oldest_age.map(nanos));
                self.active_if(depth > 0, now);
            }
            Observation::InFlight { count } => {
                self.in_flight.gauge(now, count);
                self.active_if(count > 0, now);
            }
            _ => {}
        }
        if !self.codel.is_at_rest() {
            self.note_empty(pool, config);
        }
    }

    /// Whether no sojourn of late was above target, neither for a while nor for one in a hundred.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.codel.is_at_rest() && self.sojourn.totals().p99_over_target() == Some(false)
    }

    /// Moves the windows to `now`, before the [end of a slice](Self::slice_ends).
    pub(crate) fn advance_within(&mut self, now: Timestamp) {
        if self.arrivals.is_events() {
            self.arrivals.advance_short(now);
        }
    }

    /// The same where every request is told of by events.
    pub(crate) fn advance_arrivals(&mut self, now: Timestamp) {
        self.arrivals.advance_short(now);
    }

    /// Takes in an observation of requests where all is [plain](Self::is_plain) and [at rest](Self::is_at_rest), between the
    /// ends of slices, with no sojourn that reaches the target: as [`count`](Self::count) does, without what then says
    /// nothing.
    #[expect(clippy::inline_always, reason = "what is observed is looked at once, not in each of three functions")]
    #[inline(always)]
    pub(crate) fn count_at_rest(&mut self, now: Timestamp, observation: &Observation) -> bool {
        match *observation {
            Observation::Arrived { count, .. } => {
                self.arrivals.count(now, count);
                self.queue.arrived(now, count, false);
                self.active_if(count > 0, now);
                false
            }
            Observation::Started { sojourn, .. } => {
                let wait = nanos(sojourn);
                let expected = self.queue.left(now, wait);
                self.in_flight.started();
                self.sojourn.sojourn(wait, u64::MAX);
                self.codel.passed(now);
                self.active(now);
                !expected
            }
            Observation::Finished { service } => {
                self.sojourn.service(nanos(service));
                self.active(now);
                !self.in_flight.finished()
            }
            _ => false,
        }
    }

    /// Takes in an observation of requests where all is [plain](Self::is_plain), between the ends of slices, as
    /// [`record`](Self::record) does. True if it contradicts what was known and was clamped.
    #[expect(clippy::inline_always, reason = "as above: a tenth of a counted observation")]
    #[inline(always)]
    pub(crate) fn count(
        &mut self,
        now: Timestamp,
        observation: &Observation,
        attended: bool,
        pool: &Pool,
        config: &Config,
    ) -> bool {
        let clamped = match *observation {
            Observation::Started { sojourn, .. } => {
                let wait = nanos(sojourn);
                let expected = self.queue.left(now, wait);
                self.in_flight.started();
                self.dequeued(now, wait, config);
                !expected
            }
            Observation::Arrived { count, .. } if !attended => {
                self.arrivals.count(now, count);
                self.queue.arrived(now, count, true);
                self.active_if(count > 0, now);
                false
            }
            _ => self.count_at_rest(now, observation),
        };
        if !self.codel.is_at_rest() {
            self.note_empty(pool, config);
        }
        clamped
    }

    /// What the waits say at `now`, where all is [plain](Self::is_plain).
    #[expect(clippy::inline_always, reason = "it is asked for after each observation under load")]
    #[inline(always)]
    pub(crate) fn verdicts(&self, now: Timestamp, minded: &Minded) -> Verdicts {
        let &Minded { interval, waits, trend, .. } = minded;
        let (totals, backlog) = (self.sojourn.totals(), self.queue.backlog());
        let p99 = match totals.p99_over_target() {
            Some(true) => Verdicts::P99_OVER_TARGET,
            Some(false) => 0,
            None => Verdicts::NO_SOJOURN,
        };
        let mut says = p99;
        if backlog > 0 {
            says |= self.backlog_says(now, minded, p99);
        }
        if waits && self.codel.overloaded(now, interval, backlog > 0) {
            says |= Verdicts::OVERLOADED;
        }
        if trend && totals.rising() == Some(true) {
            says |= Verdicts::RISING;
        }
        Verdicts(says)
    }

    /// The same of those that wait, since most of the time nobody does.
    fn backlog_says(&self, now: Timestamp, minded: &Minded, p99: u8) -> u8 {
        let &Minded { target, interval, overdue, slots, waits, .. } = minded;
        let age = self.queue.oldest().map_or(0, |oldest| oldest.age(now));
        let nobody_free = self.queue.backlog() > slots.saturating_sub(self.in_flight.count().unwrap_or(0));
        let old = age >= target.saturating_add(interval);
        let late = age.max(self.queue.last_wait().unwrap_or(0)) >= overdue;
        let says = |holds: bool, what: u8| if holds { what } else { 0 };
        // Where one in a hundred waits too long, the oldest says nothing more.
        says(waits && p99 != Verdicts::P99_OVER_TARGET && age > target, Verdicts::OLDEST_OVER_TARGET)
            | says(waits && old && nobody_free, Verdicts::OVERLOADED)
            | says(late && nobody_free, Verdicts::LATE)
            | says(old && !nobody_free, Verdicts::SURPLUS)
    }

    /// Brings `inputs` up to date where all is [plain](Self::is_plain), between the ends of slices and while time alone
    /// changes nothing: as [`inputs`](Self::inputs) would find them. `arrived` says that requests have come since they were.
    pub(crate) fn refresh(&self, now: Timestamp, config: &Config, arrived: bool, inputs: &mut Inputs) {
        let (target, interval) = (nanos(config.sojourn_target()), nanos(config.codel_interval()));
        let totals = self.sojourn.totals();
        let backlog = self.queue.backlog();
        let busy = self.in_flight.count().unwrap_or(0);
        let slots = u64::from(inputs.ready).saturating_mul(u64::from(inputs.concurrency));
        if arrived {
            inputs.rate = self.arrivals.rate();
            inputs.rate_with_one_more = self.arrivals.rate_with_one_more();
        }
        inputs.depth = self.queue.depth();
        inputs.backlog = backlog;
        inputs.in_flight = self.in_flight.count();
        inputs.free_slots = slots.saturating_sub(busy);
        inputs.oldest_age = self.queue.oldest().filter(|_| backlog > 0).map(|oldest| oldest.age(now));
        inputs.last_wait = self.queue.last_wait();
        let overdue = inputs.oldest_age.is_some_and(|age| age >= target.saturating_add(interval));
        let stuck = overdue && backlog > inputs.free_slots;
        inputs.overloaded = stuck || self.codel.overloaded(now, interval, backlog > 0);
        inputs.oldest_over_target = inputs.oldest_age.is_some_and(|age| age > target);
        inputs.p99_over_target = totals.p99_over_target();
        inputs.rising = totals.rising();
        inputs.surplus = overdue && backlog > 0 && backlog <= inputs.free_slots;
    }

    /// When the oldest request of those that wait will have waited for `age` nanoseconds.
    pub(crate) fn oldest_reaches(&self, age: u64) -> Option<Timestamp> {
        self.queue.oldest().map(|oldest| oldest.reaches(age))
    }

    /// The same where all is [plain](Self::is_plain), which takes two comparisons less.
    #[inline]
    pub(crate) fn is_younger(&self, age: u64, now: Timestamp) -> bool {
        self.queue.counted_oldest().is_none_or(|oldest| now < oldest.reaches(age))
    }

    /// How long the oldest request of those that wait has waited.
    pub(crate) fn oldest_age(&self, now: Timestamp) -> Option<u64> {
        self.queue.oldest().map(|oldest| oldest.age(now))
    }

    /// An instant before which neither the last verdict lapses nor the system is quiet, whatever the requests do from `now`
    /// on.
    pub(crate) fn silent_until(&self, now: Timestamp, config: &Config) -> Timestamp {
        let interval = nanos(config.codel_interval());
        let lapses = self.codel.expiry(interval, self.queue.backlog() > 0);
        // Whoever is in the system has it active until now at the least.
        let active = if self.counted().1 > 0 { now } else { self.last_activity };
        let quiet = active.plus(nanos(config.to_zero_delay()));
        lapses.unwrap_or_else(|| Codel::lapses_from(now, interval)).min(quiet)
    }

    /// Whether the rate is that of a whole window, or none.
    pub(crate) const fn is_rate_full(&self) -> bool {
        self.arrivals.is_full() || !self.arrivals.is_heard()
    }

    /// When the next slice of a window may end that decisions rest on.
    pub(crate) fn slice_ends(&self) -> Timestamp {
        self.arrivals.slice_ends().min(self.sojourn.slice_ends())
    }

    /// Whether anything is in the windows that leaves them by time alone.
    pub(crate) fn windows_move(&self) -> bool {
        self.sojourn.next_change().is_some() || self.arrivals.next_change().is_some()
    }

    /// How many arrivals the open slice may hold, in millionths, so that the rate does not exceed `rate`, one request more
    /// counted in. Where they are not told by events, the rate changes with the reports of them alone.
    pub(crate) fn arrivals_up_to(&self, rate: u64) -> u64 {
        if self.arrivals.is_events() { self.arrivals.open_up_to(rate) } else { u64::MAX }
    }

    /// Requests that certainly wait.
    pub(crate) const fn backlog(&self) -> u64 {
        self.queue.backlog()
    }

    /// Arrivals in the open slice, in millionths, and requests in the system.
    pub(crate) fn counted(&self) -> (u64, u64) {
        let in_flight = self.in_flight.count().unwrap_or(0);
        (self.arrivals.open(), self.queue.depth().unwrap_or(0).saturating_add(in_flight))
    }
}
