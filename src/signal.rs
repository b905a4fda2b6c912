//! Signals: what estimators make of observations. Each is O(1) per observation, of fixed size, and changes by time alone
//! only at instants that it can name, which is what makes every decision exact in time.

mod codel;
mod forecast;
mod fresh;
mod inputs;
mod queue;
mod rate;
mod reports;
mod sketch;
mod sojourn;
mod steady;
mod view;

use alloc::boxed::Box;

use serde::{Deserialize, Serialize};

use self::codel::Codel;
pub use self::forecast::Learned;
use self::forecast::{Forecast, View};
use self::queue::{InFlight, Queue};
use self::rate::{Arrivals, SLICES};
pub(crate) use self::reports::News;
use self::reports::{Heard, Reports};
use self::sojourn::SojournWindow;
pub(crate) use self::steady::{Minded, Verdicts};
pub(crate) use self::view::Quantiles;
pub use self::view::Signals;
use crate::config::{Config, Precision};
use crate::grid::{COMPACT_BUCKETS, DEFAULT_BUCKETS};
use crate::observation::{Observation, Rejected, WorkerId};
use crate::policy::{Inputs, Outlook};
use crate::pool::Pool;
use crate::report::Report;
use crate::time::{Timestamp, nanos};
use crate::units::{MICRO, Rate};

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
    /// What is learned for an objective, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    forecast: Option<Box<Forecast>>,
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
            forecast: config.sought().map(|_| Box::new(Forecast::new(now))),
        }
    }

    /// Takes the room for what waits say.
    pub(crate) fn make_room(&mut self) {
        self.sojourn.make_room();
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
        self.forecast = self.forecast.take().filter(|_| to.sought().is_some());
        if to.sought().is_some() {
            self.forecast.get_or_insert_with(|| Box::new(Forecast::new(now)));
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
        let before = self.before(pool);
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
                let mass = u64::from(count).saturating_mul(MICRO);
                self.arrivals.reported(now, nanos(over), mass);
                self.active_if(count > 0, now);
                self.learn_count(now, mass, nanos(over), pool);
            }
            Observation::ArrivalRate { per_second } => {
                let rate = Rate::per_second(per_second).unwrap_or_default();
                let over = self.arrivals.since_report(now);
                let mass = u128::from(rate.as_micros()).saturating_mul(u128::from(over)) / 1_000_000_000;
                let mass = u64::try_from(mass).unwrap_or(u64::MAX);
                self.arrivals.reported(now, over, mass);
                self.active_if(rate != Rate::ZERO, now);
                self.learn_count(now, mass, over, pool);
            }
            Observation::Proposal { workers, valid_for } => {
                let until = valid_for.map_or(Timestamp::MAX, |span| now.saturating_add(span));
                self.external = Some((workers, until));
            }
            Observation::Worker { .. }
            | Observation::StartFailed { .. }
            | Observation::Pool(_)
            | Observation::Mode { .. }
            | Observation::Reserve { .. }
            | Observation::Grant(_) => {}
        }
        self.note_empty(pool, config);
        self.learn(now, observation, before, pool, config);
        !expected
    }

    /// Requests in the system, and when the last was active, before an observation that an objective learns from.
    pub(crate) fn before(&self, pool: &Pool) -> Option<(u64, Timestamp)> {
        self.learns().then(|| (self.requests(pool), self.last_activity))
    }

    /// Tells what is learned for an objective, if there is one.
    pub(crate) fn learn(
        &mut self,
        now: Timestamp,
        observation: &Observation,
        before: Option<(u64, Timestamp)>,
        pool: &Pool,
        config: &Config,
    ) {
        let Some((objective, (was, active))) = config.sought().zip(before) else { return };
        let (requests, empty) = (self.requests(pool), self.depth(pool) == Some(0));
        let since = (was == 0 && self.ever_active).then_some(active);
        let Some(forecast) = &mut self.forecast else { return };
        match *observation {
            Observation::Arrived { count, .. } => forecast.arrived(now, count, requests, since),
            Observation::Started { sojourn, .. } => forecast.started(now, nanos(sojourn), empty, objective),
            Observation::Abandoned { wait, .. } => forecast.started(now, nanos(wait), empty, objective),
            Observation::Finished { service } => forecast.finished(now, nanos(service)),
            _ => {}
        }
    }

    /// The same of a counter or a rate: arrivals in millionths, over so many nanoseconds.
    fn learn_count(&mut self, now: Timestamp, millionths: u64, over: u64, pool: &Pool) {
        let requests = self.requests(pool);
        if let Some(forecast) = &mut self.forecast {
            forecast.counted(now, millionths, over, requests);
        }
    }

    /// Requests in the system, as far as known.
    fn requests(&self, pool: &Pool) -> u64 {
        self.depth(pool).unwrap_or(0).saturating_add(self.in_flight.count().unwrap_or(0))
    }

    /// Whether there is an objective to learn for.
    pub(crate) const fn learns(&self) -> bool {
        self.forecast.is_some()
    }

    /// When it is time to plan for an objective, if there is one.
    pub(crate) fn next_plan(&self) -> Option<Timestamp> {
        self.forecast.as_ref().and_then(|forecast| forecast.next())
    }

    /// What an objective has learned that holds for others; `None` without one, and before the first request.
    pub(crate) fn learned(&self) -> Option<Learned> {
        self.forecast.as_ref()?.learned()
    }

    /// Begins with what was learned of others.
    pub(crate) fn believe(&mut self, learned: &Learned) {
        if let Some(forecast) = &mut self.forecast {
            forecast.believe(learned);
        }
    }

    /// What an objective with a share can be expected to keep, with so many workers at the most.
    pub(crate) fn outlook(&self, config: &Config, most: u32) -> Option<Outlook> {
        self.forecast.as_ref()?.outlook(config.sought()?, config.concurrency(), most)
    }

    /// Whether it is.
    pub(crate) fn plan_due(&self, now: Timestamp) -> bool {
        self.next_plan().is_some_and(|next| next <= now)
    }

    /// Plans for an objective, if there is one and it is time to.
    pub(crate) fn plan(&mut self, now: Timestamp, pool: &Pool, config: &Config) {
        if !self.plan_due(now) {
            return;
        }
        let interval = nanos(config.codel_interval());
        let heard = &self.heard(now, config);
        let known = self.known(now, pool, config, heard);
        let waiting = known.depth.unwrap_or(known.backlog);
        let census = pool.census();
        let view = View {
            requests: waiting.saturating_add(known.in_flight.unwrap_or(0)),
            waiting,
            oldest: known.oldest.filter(|_| waiting > 0).map_or(0, |oldest| oldest.age(now)),
            ready: census.ready,
            starting: census.starting,
            concurrency: config.concurrency(),
            cold_start: pool.cold_starts.lead(),
            last_activity: heard.active.map_or(self.last_activity, |active| active.max(self.last_activity)),
            overloaded: self.codel.overloaded(now, interval, waiting > 0),
        };
        if let Some((forecast, objective)) = self.forecast.as_mut().zip(config.sought()) {
            forecast.tick(now, &view, objective);
        }
    }

    /// Whether a report is acceptable, and news. Changes nothing.
    pub(crate) fn accepts(&self, now: Timestamp, report: &Report, config: &Config) -> Result<News, Rejected> {
        Reports::accepts(self.reports.as_deref(), now, report, shape(config).0, config)
    }

    /// Takes in a report that has been found acceptable, and news.
    pub(crate) fn take(&mut self, now: Timestamp, report: &Report, config: &Config) {
        self.learn_of(now, report, config);
        let new = || Box::new(Reports::new(self.started, shape(config).0));
        self.reports.get_or_insert_with(new).take(now, report, config);
    }

    /// An objective learns from reports too.
    fn learn_of(&mut self, now: Timestamp, report: &Report, config: &Config) {
        let Some((forecast, objective)) = self.forecast.as_mut().zip(config.sought()) else { return };
        let since = self.reports.as_ref().and_then(|reports| reports.active());
        let since = since.max(self.ever_active.then_some(self.last_activity));
        forecast.told(now, report, since, objective);
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

    #[expect(clippy::inline_always, reason = "once for each request, and it has little to do")]
    #[inline(always)]
    fn dequeued(&mut self, now: Timestamp, wait: u64, config: &Config) {
        let (target, interval) = (nanos(config.sojourn_target()), nanos(config.codel_interval()));
        self.sojourn.sojourn(wait, target);
        if wait < target && self.codel.is_at_rest() {
            self.codel.passed(now);
        } else {
            self.codel.dequeue(now, wait, target, interval);
        }
        self.active(now);
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

    /// A proposal from outside, while it stands.
    pub(crate) fn external(&self, now: Timestamp) -> Option<u32> {
        self.external.filter(|(_, until)| now < *until || *until == Timestamp::MAX).map(|(workers, _)| workers)
    }

    /// A worker is ready: arrivals may be taken from now on.
    pub(crate) const fn attended(&mut self) {
        self.queue.attended();
    }

    /// When the system will have been quiet for the to-zero delay; `None` while a request is in it or nothing is known.
    pub(crate) fn quiet_at(&self, now: Timestamp, pool: &Pool, config: &Config) -> Option<Timestamp> {
        self.known(now, pool, config, &self.heard(now, config)).quiet_at
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

    /// The mean sojourn over the service's window, in nanoseconds.
    pub(crate) fn sojourn_mean(&self, now: Timestamp, config: &Config) -> Option<u64> {
        self.totals(&self.heard(now, config)).sojourn_mean()
    }

    /// What nothing will ask for any more.
    pub(crate) const fn forget_what_is_over(&mut self) {
        self.codel.forget_what_is_over();
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

fn is_past(at: Option<Timestamp>, now: Timestamp) -> bool {
    at.is_some_and(|at| at <= now)
}

#[cfg(test)]
mod tests;
