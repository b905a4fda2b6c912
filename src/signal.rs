//! Signals: what estimators make of observations. Each is O(1) per observation, of fixed size, and changes by time alone
//! only at instants that it can name, which is what makes every decision exact in time.

mod codel;
mod queue;
mod rate;
mod reports;
mod sketch;
mod sojourn;

use alloc::boxed::Box;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use self::codel::Codel;
use self::queue::{InFlight, Queue};
use self::rate::{Arrivals, SLICES};
pub(crate) use self::reports::News;
use self::reports::{Heard, Reports, sum};
use self::sojourn::{SojournWindow, Totals};
use crate::config::{Config, Precision};
use crate::grid::{COMPACT_BUCKETS, DEFAULT_BUCKETS};
use crate::observation::{Observation, Rejected, WorkerId};
use crate::policy::{Inputs, Policy};
use crate::pool::Pool;
use crate::report::Report;
use crate::time::{Timestamp, Waiting, nanos, optional_span};
use crate::units::{MICRO, Rate, Share};

/// What the signals said at one instant. Missing is `None`, which is never the same as zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Signals {
    /// Arrivals per second over the long window.
    pub arrival_rate: Option<Rate>,
    /// Arrivals per second over the short window, a tenth of the long one.
    pub arrival_rate_short: Option<Rate>,
    /// Arrivals per second and ready replica.
    pub qps_per_replica: Option<Rate>,
    /// Requests waiting.
    pub queue_depth: Option<u64>,
    /// Requests that certainly wait: the queue depth, or what arrived while no worker was ready.
    pub backlog: u64,
    /// How long the first of them has waited, at the least.
    #[serde(with = "optional_span")]
    pub oldest_age: Option<Duration>,
    /// How long the last request that left the queue had waited, while others wait behind it.
    #[serde(with = "optional_span")]
    pub last_wait: Option<Duration>,
    /// Requests being served.
    pub in_flight: Option<u64>,
    /// Median sojourn in the window, from the sketch.
    #[serde(with = "optional_span")]
    pub sojourn_p50: Option<Duration>,
    /// 99th percentile of the sojourn in the window, from the sketch.
    #[serde(with = "optional_span")]
    pub sojourn_p99: Option<Duration>,
    /// Least sojourn in the window, exact.
    #[serde(with = "optional_span")]
    pub sojourn_min: Option<Duration>,
    /// Mean sojourn in the window, exact.
    #[serde(with = "optional_span")]
    pub sojourn_mean: Option<Duration>,
    /// Whether p99 exceeds its target: counted exactly, not read from the sketch.
    pub sojourn_over_target: Option<bool>,
    /// Since when it has, if it does.
    pub over_target_since: Option<Timestamp>,
    /// Whether the sojourn is rising: the newer half of the window's mean exceeds the older half's by an eighth, or p99
    /// exceeds its target.
    pub sojourn_rising: Option<bool>,
    /// `CoDel` finds a standing queue, or a queue from which nothing is taken.
    pub overloaded: bool,
    /// Mean service time in the window.
    #[serde(with = "optional_span")]
    pub service_time: Option<Duration>,
    /// Arrival rate × service time, in thousandths of a busy slot.
    pub offered_load_millis: Option<u64>,
    /// Requests in flight over the slots of ready workers.
    pub utilisation: Option<Share>,
    /// Some signal has outlived its freshness.
    pub stale: bool,
    /// Requests wait too long although slots are free for all of them: the router leaves workers idle.
    pub surplus: bool,
}

impl Signals {
    /// Mean request latency: sojourn and service time.
    #[must_use]
    pub fn request_latency(&self) -> Option<Duration> {
        Some(self.sojourn_mean?.saturating_add(self.service_time?))
    }
}

/// All estimators of one service.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub(crate) struct Estimators {
    arrivals: Arrivals,
    queue: Queue,
    in_flight: InFlight,
    sojourn: SojournWindow,
    codel: Codel,
    /// What several observers report; nothing until the first does.
    reports: Option<Box<Reports>>,
    /// The start, from which the slices of reports are counted.
    started: Timestamp,
    /// A proposal from outside and the instant at which it ends.
    external: Option<(u32, Timestamp)>,
    /// When a request was last seen anywhere in the system; the start, before the first.
    last_activity: Timestamp,
    /// Whether a request was ever seen anywhere. Until then, whoever reports arrivals says that the system is empty.
    ever_active: bool,
    /// Since when p99 has exceeded its target.
    over_target_since: Option<Timestamp>,
}

impl Estimators {
    pub(crate) fn new(config: &Config, now: Timestamp) -> Self {
        let (slice, buckets) = shape(config);
        Self {
            arrivals: Arrivals::new(now, slice),
            queue: Queue::default(),
            in_flight: InFlight::default(),
            sojourn: SojournWindow::new(now, slice, buckets),
            codel: Codel::default(),
            reports: None,
            started: now,
            external: None,
            last_activity: now,
            ever_active: false,
            over_target_since: None,
        }
    }

    /// Makes good what a snapshot leaves out; false if it cannot be one of this configuration.
    pub(crate) fn restore(&mut self, config: &Config) -> bool {
        let (slice, buckets) = shape(config);
        let reports = self.reports.as_ref().is_none_or(|reports| reports.is_sound(slice));
        reports && self.arrivals.restore(slice) && self.sojourn.restore(slice, buckets)
    }

    /// Goes on with what has been seen under another configuration. With another window what observers report begins anew.
    pub(crate) fn reconfigure(&mut self, now: Timestamp, from: &Config, to: &Config) {
        let (slice, buckets) = shape(to);
        if shape(from).0 != slice {
            self.arrivals = self.arrivals.with_slice(now, slice);
            self.sojourn.set_slice(now, slice);
            (self.reports, self.started) = (None, now);
        }
        if from.precision() != to.precision() {
            self.sojourn.set_precision(buckets);
        }
        if from.sojourn_target() != to.sojourn_target() {
            self.sojourn.set_target(nanos(to.sojourn_target()));
        }
    }

    /// Moves the windows to `now`.
    pub(crate) fn advance(&mut self, now: Timestamp) {
        self.arrivals.advance(now);
        self.sojourn.advance(now);
    }

    /// Takes in one observation that has been found acceptable. True if it contradicts what was known and was clamped.
    pub(crate) fn record(
        &mut self,
        now: Timestamp,
        observation: &Observation,
        pool: &mut Pool,
        attended: bool,
        config: &Config,
    ) -> bool {
        let mut expected = true;
        match *observation {
            Observation::Arrived { count, queue } => {
                self.arrivals.arrived(now, count, config.event_freshness().map(nanos));
                match queue {
                    None => self.queue.arrived(now, count, !attended),
                    Some(id) => pool.replica_arrived(now, id, count),
                }
                self.active_if(count > 0, now);
            }
            Observation::Started { sojourn, queue } => {
                let wait = nanos(sojourn);
                expected = self.left(now, wait, queue, pool);
                self.in_flight.started();
                self.dequeued(now, wait, config);
            }
            Observation::Finished { service } => {
                self.sojourn.service(nanos(service));
                expected = self.in_flight.finished();
                self.active_if(true, now);
            }
            Observation::Abandoned { wait, queue } => {
                expected = self.left(now, nanos(wait), queue, pool);
                self.dequeued(now, nanos(wait), config);
            }
            Observation::Queue { depth, oldest_age, queue } => {
                let age = oldest_age.map(nanos);
                match queue {
                    None => self.queue.gauge(now, depth, age),
                    Some(id) => pool.replica_gauge(now, id, depth, age),
                }
                self.active_if(depth > 0, now);
            }
            Observation::InFlight { count } => {
                self.in_flight.gauge(now, count);
                self.active_if(count > 0, now);
            }
            Observation::Requests { count, over } => {
                self.arrivals.reported(now, nanos(over), u64::from(count).saturating_mul(MICRO));
                self.active_if(count > 0, now);
            }
            Observation::ArrivalRate { per_second } => {
                let rate = Rate::per_second(per_second).unwrap_or_default();
                let over = self.arrivals.since_report(now);
                let mass = u128::from(rate.as_micros()).saturating_mul(u128::from(over)) / 1_000_000_000;
                self.arrivals.reported(now, over, u64::try_from(mass).unwrap_or(u64::MAX));
                self.active_if(rate != Rate::ZERO, now);
            }
            Observation::Proposal { workers, valid_for } => {
                let until = valid_for.map_or(Timestamp::MAX, |span| now.saturating_add(span));
                self.external = Some((workers, until));
            }
            Observation::Worker { .. }
            | Observation::StartFailed { .. }
            | Observation::Pool(_)
            | Observation::Mode { .. }
            | Observation::Reserve { .. } => {}
        }
        self.note_empty(pool, config);
        !expected
    }

    /// Whether a report is acceptable, and news. Changes nothing.
    pub(crate) fn accepts(&self, now: Timestamp, report: &Report, config: &Config) -> Result<News, Rejected> {
        Reports::accepts(self.reports.as_deref(), now, report, shape(config).0, config)
    }

    /// Takes in a report that has been found acceptable, and news.
    pub(crate) fn take(&mut self, now: Timestamp, report: &Report, config: &Config) {
        let new = || Box::new(Reports::new(self.started, shape(config).0));
        self.reports.get_or_insert_with(new).take(now, report, config);
    }

    /// What the observers say.
    fn heard(&self, now: Timestamp, config: &Config) -> Heard {
        self.reports.as_ref().map_or_else(Heard::default, |reports| reports.heard(now, config))
    }

    /// A worker was seen serving.
    pub(crate) const fn active(&mut self, now: Timestamp) {
        self.last_activity = now;
        self.ever_active = true;
    }

    const fn active_if(&mut self, active: bool, now: Timestamp) {
        if active {
            self.active(now);
        }
    }

    fn left(&mut self, now: Timestamp, wait: u64, queue: Option<WorkerId>, pool: &mut Pool) -> bool {
        match queue {
            None => self.queue.left(now, wait),
            Some(id) => pool.replica_left(now, id, wait),
        }
    }

    fn dequeued(&mut self, now: Timestamp, wait: u64, config: &Config) {
        let (target, interval) = (nanos(config.sojourn_target()), nanos(config.codel_interval()));
        self.sojourn.sojourn(wait, target);
        self.codel.dequeue(now, wait, target, interval);
        self.active_if(true, now);
    }

    /// The queue is empty in `CoDel`'s sense when somebody asks for a request and finds none: nothing waits and a slot is
    /// free. A queue that is emptied by the last free slot has not run empty.
    fn note_empty(&mut self, pool: &Pool, config: &Config) {
        let slots = u64::from(pool.census().ready).saturating_mul(u64::from(config.concurrency()));
        let busy = self.in_flight.count().or_else(|| pool.busy_slots());
        if self.depth(pool) == Some(0) && busy.is_none_or(|busy| busy < slots) {
            self.codel.queue_empty();
        }
    }

    /// Requests waiting in the central queue and those of single workers, as far as known.
    fn depth(&self, pool: &Pool) -> Option<u64> {
        match (self.queue.depth(), pool.replica_depth()) {
            (Some(central), Some(replicas)) => Some(central.saturating_add(replicas)),
            (central, replicas) => central.or(replicas),
        }
    }

    fn fresh_depth(&self, now: Timestamp, pool: &Pool, config: &Config, heard: &Heard) -> Option<u64> {
        if heard.depth.stale || is_past(self.queue.stale_at(nanos(config.freshness())), now) {
            return None;
        }
        sum(self.depth(pool), heard.depth.sum).or_else(|| self.nothing_yet(now, config, heard))
    }

    fn fresh_in_flight(&self, now: Timestamp, pool: &Pool, config: &Config, heard: &Heard) -> Option<u64> {
        if heard.in_flight.stale || is_past(self.in_flight.stale_at(nanos(config.freshness())), now) {
            return None;
        }
        let known = sum(self.in_flight.count(), heard.in_flight.sum).or_else(|| pool.busy_slots());
        // Where there is nobody to serve, nothing is served.
        known.or_else(|| pool.is_deserted().then_some(0)).or_else(|| self.nothing_yet(now, config, heard))
    }

    /// Zero, if arrivals are reported and none has ever come.
    fn nothing_yet(&self, now: Timestamp, config: &Config, heard: &Heard) -> Option<u64> {
        let told = self.fresh_rate(now, config, heard).is_some();
        (told && !self.ever_active && heard.active.is_none()).then_some(0)
    }

    /// Arrivals by events and counts and by reports; `None` if a part of them is missing.
    fn fresh_rate(&self, now: Timestamp, config: &Config, heard: &Heard) -> Option<Rate> {
        let own = self.arrivals.rate();
        if own.is_some() && is_past(self.arrivals_stale_at(config), now) {
            return None;
        }
        match self.reports.as_ref().filter(|_| heard.present) {
            None => own,
            Some(reports) => reports.rate(heard, 0).map(|rate| plus(rate, own)),
        }
    }

    /// The same, had one request more come.
    fn rate_with_one_more(&self, heard: &Heard) -> Option<Rate> {
        let own = self.arrivals.rate_with_one_more();
        match self.reports.as_ref().filter(|_| heard.present) {
            None => own,
            Some(reports) if own.is_some() => reports.rate(heard, 0).map(|rate| plus(rate, own)),
            Some(reports) => reports.rate(heard, MICRO),
        }
    }

    fn short_rate(&self, now: Timestamp, config: &Config, heard: &Heard) -> Option<Rate> {
        let own = self.arrivals.short_rate();
        if own.is_some() && is_past(self.arrivals_stale_at(config), now) {
            return None;
        }
        match self.reports.as_ref().filter(|_| heard.present) {
            None => own,
            Some(reports) => reports.short_rate(heard).map(|rate| plus(rate, own)),
        }
    }

    /// The sums over the window, of events and of reports.
    fn totals(&self, heard: &Heard) -> Totals {
        let mut totals = self.sojourn.totals();
        if let Some(reports) = &self.reports {
            totals.merge(&reports.totals(heard));
        }
        totals
    }

    /// Median and 99th percentile of whichever has seen more: events, or reports.
    fn p50_p99(&self, heard: &Heard) -> [Option<u64>; 2] {
        let reports =
            self.reports.as_ref().filter(|reports| reports.totals(heard).sojourns > self.sojourn.totals().sojourns);
        reports.map_or_else(|| self.sojourn.p50_p99(), |reports| reports.p50_p99(heard))
    }

    fn arrivals_stale_at(&self, config: &Config) -> Option<Timestamp> {
        self.arrivals.stale_at(nanos(config.freshness()), config.event_freshness().map(nanos))
    }

    fn oldest(&self, pool: &Pool, heard: &Heard) -> Option<Waiting> {
        let all = [self.queue.oldest(), pool.replica_oldest(), heard.oldest];
        all.into_iter().flatten().reduce(Waiting::longer)
    }

    /// A proposal from outside, while it stands.
    pub(crate) fn external(&self, now: Timestamp) -> Option<u32> {
        self.external.filter(|(_, until)| now < *until || *until == Timestamp::MAX).map(|(workers, _)| workers)
    }

    /// Requests that certainly wait.
    fn backlog(&self, pool: &Pool, heard: &Heard) -> u64 {
        let reported = heard.depth.sum.unwrap_or(0);
        self.queue.backlog().saturating_add(pool.replica_depth().unwrap_or(0)).saturating_add(reported)
    }

    /// A worker is ready: arrivals may be taken from now on.
    pub(crate) const fn attended(&mut self) {
        self.queue.attended();
    }

    /// When the system will have been quiet for the to-zero delay; `None` while a request is in it or nothing is known.
    pub(crate) fn quiet_at(&self, now: Timestamp, pool: &Pool, config: &Config) -> Option<Timestamp> {
        self.quiet(now, pool, config, &self.heard(now, config))
    }

    fn quiet(&self, now: Timestamp, pool: &Pool, config: &Config, heard: &Heard) -> Option<Timestamp> {
        let depth = self.fresh_depth(now, pool, config, heard);
        let in_flight = self.fresh_in_flight(now, pool, config, heard);
        let arrivals = self.fresh_rate(now, config, heard);
        let known = arrivals.is_some() || (depth.is_some() && in_flight.is_some());
        let empty = depth.unwrap_or(0) == 0 && in_flight.unwrap_or(0) == 0 && self.backlog(pool, heard) == 0;
        let last = heard.active.map_or(self.last_activity, |active| active.max(self.last_activity));
        (known && empty).then(|| last.plus(nanos(config.to_zero_delay())))
    }

    /// Remembers since when p99 has exceeded its target.
    pub(crate) fn note(&mut self, now: Timestamp, inputs: &Inputs) {
        let over = inputs.p99_over_target == Some(true);
        self.over_target_since = if over { self.over_target_since.or(Some(now)) } else { None };
    }

    pub(crate) const fn over_target_since(&self) -> Option<Timestamp> {
        self.over_target_since
    }

    pub(crate) const fn set_over_target_since(&mut self, since: Option<Timestamp>) {
        self.over_target_since = since;
    }

    /// What the policies need, in integers.
    pub(crate) fn inputs(&self, now: Timestamp, pool: &Pool, config: &Config) -> Inputs {
        let (target, interval) = (nanos(config.sojourn_target()), nanos(config.codel_interval()));
        let heard = &self.heard(now, config);
        let depth = self.fresh_depth(now, pool, config, heard);
        let oldest_age = self.oldest(pool, heard).filter(|_| depth != Some(0)).map(|oldest| oldest.age(now));
        let totals = self.totals(heard);
        let (ready, in_flight) = (pool.census().ready, self.fresh_in_flight(now, pool, config, heard));
        let slots = u64::from(ready).saturating_mul(u64::from(config.concurrency()));
        let free_slots = in_flight.map_or(0, |busy| slots.saturating_sub(busy));
        let backlog = self.backlog(pool, heard);
        let overdue = oldest_age.is_some_and(|age| age >= target.saturating_add(interval));
        let stuck = backlog > free_slots && overdue;
        let waiting = depth.is_some_and(|depth| depth > 0);
        let standing = self.reports.as_ref().is_some_and(|reports| reports.overloaded(heard, target, interval));
        Inputs {
            rate: self.fresh_rate(now, config, heard),
            rate_with_one_more: self.rate_with_one_more(heard),
            // The rate of reports is that of a whole window, or none.
            rate_full: self.arrivals.is_full() || !self.arrivals.is_heard(),
            ready,
            concurrency: config.concurrency(),
            free_slots,
            depth,
            backlog,
            in_flight,
            oldest_age,
            last_wait: self.queue.last_wait(),
            overloaded: stuck || standing || self.codel.overloaded(now, interval, waiting),
            oldest_over_target: oldest_age.is_some_and(|age| age > target),
            p99_over_target: totals.p99_over_target(),
            rising: totals.rising(),
            quiet: is_past(self.quiet(now, pool, config, heard), now),
            external: self.external(now),
            lost: heard.stale || self.is_lost(now, config),
            surplus: backlog > 0 && backlog <= free_slots && overdue,
        }
    }

    /// Whether a signal that used to come has outlived its freshness.
    fn is_lost(&self, now: Timestamp, config: &Config) -> bool {
        let freshness = nanos(config.freshness());
        let gauges = [self.queue.stale_at(freshness), self.in_flight.stale_at(freshness)];
        gauges.into_iter().chain([self.arrivals_stale_at(config)]).any(|at| is_past(at, now))
    }

    /// The first instant after `now` at which a signal may change by time alone.
    pub(crate) fn next_change(&self, now: Timestamp, pool: &Pool, config: &Config) -> Option<Timestamp> {
        let (target, interval) = (nanos(config.sojourn_target()), nanos(config.codel_interval()));
        let freshness = nanos(config.freshness());
        let heard = &self.heard(now, config);
        let waiting = self.fresh_depth(now, pool, config, heard).is_some_and(|depth| depth > 0);
        let by_age = self.oldest(pool, heard).into_iter().flat_map(|oldest| {
            let overdue = config.policies().iter().filter_map(Policy::overdue_age);
            let ages = [target.saturating_add(1), target.saturating_add(interval)];
            ages.into_iter().chain(overdue).map(move |age| oldest.reaches(age))
        });
        [
            self.arrivals.next_change(),
            self.arrivals_stale_at(config),
            self.queue.stale_at(freshness),
            self.in_flight.stale_at(freshness),
            self.sojourn.next_change(),
            self.codel.expiry(interval, waiting),
            self.external.map(|(_, until)| until).filter(|until| *until != Timestamp::MAX),
            self.quiet(now, pool, config, heard),
            heard.next_change,
        ]
        .into_iter()
        .flatten()
        .chain(by_age)
        .filter(|at| *at > now)
        .min()
    }

    /// Everything a person may want to see.
    pub(crate) fn view(&self, now: Timestamp, inputs: &Inputs, config: &Config) -> Signals {
        let heard = &self.heard(now, config);
        let totals = self.totals(heard);
        let [p50, p99] = self.p50_p99(heard);
        let service = totals.service_mean();
        let slots = u64::from(inputs.ready).saturating_mul(u64::from(config.concurrency()));
        let per_replica = |rate: Rate| rate.as_micros().checked_div(u64::from(inputs.ready)).map(Rate::from_micros);
        let load = |rate: Rate, service: u64| {
            let micros = u128::from(rate.as_micros()).saturating_mul(u128::from(service)) / 1_000_000_000;
            u64::try_from(micros / 1_000).unwrap_or(u64::MAX)
        };
        Signals {
            arrival_rate: inputs.rate,
            arrival_rate_short: self.short_rate(now, config, heard),
            qps_per_replica: inputs.rate.and_then(per_replica),
            queue_depth: inputs.depth,
            backlog: inputs.backlog,
            oldest_age: inputs.oldest_age.map(Duration::from_nanos),
            last_wait: inputs.last_wait.map(Duration::from_nanos),
            in_flight: inputs.in_flight,
            sojourn_p50: p50.map(Duration::from_nanos),
            sojourn_p99: p99.map(Duration::from_nanos),
            sojourn_min: totals.sojourn_min.map(Duration::from_nanos),
            sojourn_mean: totals.sojourn_mean().map(Duration::from_nanos),
            sojourn_over_target: inputs.p99_over_target,
            over_target_since: self.over_target_since,
            sojourn_rising: inputs.rising,
            overloaded: inputs.overloaded,
            service_time: service.map(Duration::from_nanos),
            offered_load_millis: inputs.rate.zip(service).map(|(rate, service)| load(rate, service)),
            utilisation: inputs.in_flight.and_then(|busy| Share::of(busy, slots)),
            stale: inputs.lost,
            surplus: inputs.surplus,
        }
    }

    /// The mean sojourn over the service's window, in nanoseconds.
    pub(crate) fn sojourn_mean(&self, now: Timestamp, config: &Config) -> Option<u64> {
        self.totals(&self.heard(now, config)).sojourn_mean()
    }

    /// Requests that `CoDel` has marked since the start.
    pub(crate) const fn codel_marks(&self) -> u64 {
        self.codel.marks()
    }
}

/// The length of a window's slice, and a sketch's buckets per octave.
fn shape(config: &Config) -> (u64, u32) {
    let slice = nanos(config.window()).checked_div(SLICES as u64).unwrap_or(1);
    let buckets = match config.precision() {
        Precision::Default => DEFAULT_BUCKETS,
        Precision::Compact => COMPACT_BUCKETS,
    };
    (slice, buckets)
}

fn plus(rate: Rate, other: Option<Rate>) -> Rate {
    Rate::from_micros(rate.as_micros().saturating_add(other.map_or(0, Rate::as_micros)))
}

fn is_past(at: Option<Timestamp>, now: Timestamp) -> bool {
    at.is_some_and(|at| at <= now)
}
