//! What a platform may say: one timestamped fact at a time, in two grains that mix freely.
//!
//! *Events* come from the owner of the queue (a request arrived, started, finished, was abandoned; a worker changed
//! its state). *Gauges and counts* come from scraped metrics (queue depth, requests in flight, requests since the last
//! scrape, workers by state).

use core::fmt;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::{Human, nanos, optional_span, span};
use crate::units::exact;

/// The platform's own name for a worker.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WorkerId(pub u64);

impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "w{}", self.0)
    }
}

/// One fact, given to [`Autoscaler::observe`](crate::Autoscaler::observe) together with its time.
///
/// `queue` names the worker whose own queue the fact speaks of; `None` is the service's central queue.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Observation {
    /// Event: `count` requests arrived and wait. Zero is a fact too: "the reporter lives and saw nothing".
    Arrived {
        /// How many arrived together (or the sum of their costs).
        count: u32,
        /// Whose queue they joined.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        queue: Option<WorkerId>,
    },
    /// Event: a worker took a request from the queue.
    Started {
        /// How long it had waited.
        #[serde(with = "span")]
        sojourn: Duration,
        /// Whose queue it left.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        queue: Option<WorkerId>,
    },
    /// Event: a request was served and freed its slot.
    Finished {
        /// How long it held the slot.
        #[serde(with = "span")]
        service: Duration,
    },
    /// Event: a request left the queue unserved.
    Abandoned {
        /// How long it had waited.
        #[serde(with = "span")]
        wait: Duration,
        /// Whose queue it left.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        queue: Option<WorkerId>,
    },
    /// Gauge: requests waiting now.
    Queue {
        /// How many wait.
        depth: u32,
        /// How long the first of them has waited, if the platform knows.
        #[serde(default, skip_serializing_if = "Option::is_none", with = "optional_span")]
        oldest_age: Option<Duration>,
        /// Whose queue this is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        queue: Option<WorkerId>,
    },
    /// Gauge: requests being served now.
    InFlight {
        /// How many slots are busy.
        count: u32,
    },
    /// Count: requests that arrived during the last `over`, as a scraped counter's difference.
    Requests {
        /// How many arrived.
        count: u32,
        /// The span they arrived in, ending now.
        #[serde(with = "span")]
        over: Duration,
    },
    /// Gauge: the arrival rate since the last report, as a metrics system computes it.
    ArrivalRate {
        /// Requests per second; negative, infinite and NaN are refused.
        #[serde(with = "exact")]
        per_second: f64,
    },
    /// Event: a worker changed its state.
    Worker {
        /// Which worker.
        id: WorkerId,
        /// What happened to it.
        event: WorkerEvent,
    },
    /// Event: orders failed before any worker had an id.
    StartFailed {
        /// How many ordered workers will not come.
        count: u32,
        /// Why.
        cause: FailureCause,
    },
    /// Counts: the pool as a platform without worker ids sees it.
    Pool(PoolCounts),
    /// A worker count from outside (a forecast, a schedule, a custom formula). It joins the policies' proposals before
    /// the guards, until it is replaced or expires.
    Proposal {
        /// How many workers it wants.
        workers: u32,
        /// How long it stands; without end if absent.
        #[serde(default, skip_serializing_if = "Option::is_none", with = "optional_span")]
        valid_for: Option<Duration>,
    },
    /// An operator's order: how far the decisions are left to the policies.
    Mode {
        /// The mode.
        mode: Mode,
        /// How long it stands; then the automatic one returns. Without end if absent.
        #[serde(default, skip_serializing_if = "Option::is_none", with = "optional_span")]
        valid_for: Option<Duration>,
    },
    /// An operator's order: at least so many workers for a while, within max.
    Reserve {
        /// Its name; the same name again replaces what it reserved before.
        id: ReservationId,
        /// How many workers; zero takes the reservation back.
        workers: u32,
        /// How long until it begins.
        #[serde(default, with = "span")]
        after: Duration,
        /// How long it lasts from then on; a reservation of no time takes back what stood under its name.
        #[serde(with = "span")]
        valid_for: Duration,
    },
    /// What a budget shared with other services allows, until the next grant; `None` for whatever max allows. It lowers max
    /// and, where it must, min; what the service wants is found as if there were none.
    Grant(Option<Grant>),
}

/// So many workers of a budget.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "whoever shares a budget out builds it")]
pub struct Grant {
    /// Workers, starting and standby ones included.
    pub workers: u32,
    /// Capacity units of the whole budget.
    pub budget: u64,
    /// How many other services have a part of it.
    pub others: u32,
}

impl Observation {
    /// `count` requests arrived at the central queue.
    #[must_use]
    pub const fn arrived(count: u32) -> Self {
        Self::Arrived { count, queue: None }
    }

    /// A request from the central queue was taken by a worker after it had waited `sojourn`.
    #[must_use]
    pub const fn started(sojourn: Duration) -> Self {
        Self::Started { sojourn, queue: None }
    }

    /// A request was served after `service`.
    #[must_use]
    pub const fn finished(service: Duration) -> Self {
        Self::Finished { service }
    }

    /// A request left the central queue unserved after `wait`.
    #[must_use]
    pub const fn abandoned(wait: Duration) -> Self {
        Self::Abandoned { wait, queue: None }
    }

    /// `depth` requests wait in the central queue, the first of them for `oldest_age`.
    #[must_use]
    pub const fn queue(depth: u32, oldest_age: Option<Duration>) -> Self {
        Self::Queue { depth, oldest_age, queue: None }
    }

    /// `count` requests are being served.
    #[must_use]
    pub const fn in_flight(count: u32) -> Self {
        Self::InFlight { count }
    }

    /// Worker `id` changed its state.
    #[must_use]
    pub const fn worker(id: WorkerId, event: WorkerEvent) -> Self {
        Self::Worker { id, event }
    }
}

/// How far decisions are left to the policies. Bounds hold in every mode.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Mode {
    /// The policies decide.
    #[default]
    Automatic,
    /// The count may grow and does not shrink.
    GrowOnly,
    /// The count may shrink and does not grow, not even from zero.
    ShrinkOnly,
    /// The count stays where it is, at zero as well.
    Hold,
    /// So many workers, whatever the policies want.
    Fixed(u32),
    /// Decides and commands nothing: what it would command stands in the decision.
    Observe,
}

impl Mode {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Automatic => "automatic",
            Self::GrowOnly => "grow_only",
            Self::ShrinkOnly => "shrink_only",
            Self::Hold => "hold",
            Self::Fixed(_) => "fixed",
            Self::Observe => "observe",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(workers) => write!(f, "fixed at {workers}"),
            mode => f.write_str(mode.code()),
        }
    }
}

/// An operator's own name for a reservation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReservationId(pub u32);

/// The name of somebody who sends [reports](crate::Report), such as a load balancer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ObserverId(pub u64);

impl fmt::Display for ObserverId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "o{}", self.0)
    }
}

/// What happened to one worker.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WorkerEvent {
    /// It was ordered and is starting (or, from standby, being revived).
    Ordered,
    /// It can take requests; whether it has any is not known until `Busy` or `Idle` says so.
    Ready,
    /// It serves so many requests; zero is the same as [`Idle`](Self::Idle).
    Busy(u32),
    /// It serves nothing.
    Idle,
    /// It is taken for so long from now, whatever it serves: busy until then, idle afterwards unless it says otherwise.
    #[serde(with = "span")]
    Leased(Duration),
    /// It takes no more requests and finishes those it has.
    Draining,
    /// It was ordered into standby and is being loaded.
    Prewarming,
    /// It is stopped but loaded, quick to revive.
    Standby,
    /// It exists no more, as intended.
    Gone,
    /// It exists no more, against intent.
    Failed(FailureCause),
}

/// Why a worker failed or did not start.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FailureCause {
    /// It crashed.
    Crash,
    /// It was not ready in time.
    Timeout,
    /// The account may not have more.
    Quota,
    /// The provider has no more.
    StockOut,
    /// The provider took it back.
    Preempted,
}

impl FailureCause {
    /// Every cause, in the order of their numbers.
    pub const ALL: [Self; 5] = [Self::Crash, Self::Timeout, Self::Quota, Self::StockOut, Self::Preempted];

    /// What happened, in words that follow "the last start".
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Crash => "crashed",
            Self::Timeout => "took too long",
            Self::Quota => "exceeded the quota",
            Self::StockOut => "found no stock",
            Self::Preempted => "was preempted",
        }
    }
}

/// Workers by state, for platforms that count them without naming them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "callers build it from their own counts, with `..Default::default()`")]
pub struct PoolCounts {
    /// Ready workers, idle or busy.
    pub ready: u32,
    /// Of those, how many serve nothing; absent if the platform cannot tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle: Option<u32>,
    /// Ordered and not ready yet.
    pub starting: u32,
    /// Finishing what they have.
    pub draining: u32,
    /// Being loaded into standby.
    pub prewarming: u32,
    /// Stopped, loaded, quick to revive.
    pub standby: u32,
    /// Failed and not replaced by the platform itself.
    pub failed: u32,
}

/// Why an observation was refused. A refused observation changes nothing but the count of refusals.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Rejected {
    /// The worker was never ordered nor ready, or is gone.
    #[error("worker {id} is not known: report `Ordered` or `Ready` for it first")]
    UnknownWorker {
        /// The name given.
        id: WorkerId,
    },
    /// The event does not fit the worker's state.
    #[error("worker {id} is {state} and cannot become {event}: report what lies between, or `Gone`")]
    ImpossibleEvent {
        /// The worker.
        id: WorkerId,
        /// Its state, in the words of the status.
        state: &'static str,
        /// The event's name.
        event: &'static str,
    },
    /// The number is no rate.
    #[error("arrival rate {per_second} is not usable: give requests per second between 0 and 1e9")]
    BadRate {
        /// The number given.
        per_second: f64,
    },
    /// A count of requests over no time has no rate.
    #[error("{count} requests over no time have no rate: give the span that the count covers")]
    EmptySpan {
        /// The count given.
        count: u32,
    },
    /// More workers idle than ready.
    #[error("{idle} idle workers among {ready} ready ones: idle must be at most ready")]
    IdleAboveReady {
        /// Idle workers given.
        idle: u32,
        /// Ready workers given.
        ready: u32,
    },
    /// Counts for a pool whose workers are known by id.
    #[error("pool counts refused: {workers} workers are known by id, whose events say more; report one or the other")]
    CountsBesideIds {
        /// Workers known by id.
        workers: u32,
    },
    /// The pool already holds as many workers as are tracked.
    #[error("more than {limit} workers: the pool is larger than this autoscaler tracks by id; report counts instead")]
    TooManyWorkers {
        /// How many are tracked at most.
        limit: u32,
    },
    /// As many reservations stand as are kept.
    #[error("{limit} reservations stand already: take one back with `workers: 0`, or use its id again")]
    TooManyReservations {
        /// How many are kept at most.
        limit: usize,
    },
    /// A report that covers no time, or more than the window.
    #[error("a report over {} cannot be placed: report spans above zero and up to the window ({})", Human(nanos(*over)), Human(nanos(*window)))]
    BadSpan {
        /// The span given.
        over: Duration,
        /// The window.
        window: Duration,
    },
    /// A report from before what is still open, or so old that it cannot be told from one that was taken in.
    #[error(
        "report {sequence} of {observer} is too late: send reports within the window, and resend none older than the last 64"
    )]
    TooLate {
        /// Whose report.
        observer: ObserverId,
        /// Its number.
        sequence: u64,
    },
    /// A report from the future.
    #[error("a report of {observer} is {} ahead: its clock and the autoscaler's must agree to {}", Human(nanos(*ahead)), Human(nanos(*most)))]
    TooEarly {
        /// Whose report.
        observer: ObserverId,
        /// How far ahead it is.
        ahead: Duration,
        /// How far it may be.
        most: Duration,
    },
    /// The digest counts another sojourn as too long.
    #[error("sojourns counted against {} do not add to those against {}: give every Reporter the autoscaler's sojourn_target", Human(nanos(*given)), Human(nanos(*target)))]
    OtherTarget {
        /// The digest's target.
        given: Duration,
        /// The target here.
        target: Duration,
    },
    /// The digest cannot be one: its numbers contradict each other.
    #[error("the digest's {part} cannot be: make digests with Digest::record or a Reporter, and send them unchanged")]
    BadDigest {
        /// Which part.
        part: &'static str,
    },
    /// As many observers are known as are kept.
    #[error("{limit} observers are known already: give one id to each load balancer and keep it over restarts")]
    TooManyObservers {
        /// How many are kept at most.
        limit: usize,
    },
}
