//! Policies: from signals to the count that is wanted, before any guard.
//!
//! A policy answers with two numbers. `want` is the least count it asks for: above the present count, it proposes to
//! grow. `keep` is the count down to which it agrees to shrink, never below `want`: the gap between them is the
//! policy's dead band. Of several policies the largest `want` wins going up, and the largest `keep` going down, so that
//! all must agree to shrink.

mod buffer;
mod concurrency;
mod objective;
mod outlook;
mod outpost;
mod runpod;

use core::fmt;

use serde::{Deserialize, Serialize};

pub use self::buffer::Buffer;
pub use self::concurrency::ConcurrencyTarget;
pub(crate) use self::objective::{CAUTION, Circumstances, Draft, Queue, Spread, deviation, forecast};
pub use self::objective::{Goal, LEARNED, Objective, Plan};
pub use self::outlook::Outlook;
pub use self::outpost::Outpost;
pub use self::runpod::{RunPod, RunPodScaling};
use crate::units::{MICRO, Rate};

/// How many policies one configuration may combine.
pub const MAX_POLICIES: usize = 4;
/// How many proposals one evaluation has at most: the policies', one from outside, the buffer's.
pub const MAX_PROPOSALS: usize = MAX_POLICIES + 2;

/// A rule that proposes a worker count. Plain data: a configuration file can hold any of them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Policy {
    /// Exactly so many workers.
    Fixed(u32),
    /// QPS per replica and CoDel over the queue's sojourn, as Outpost describes it.
    Outpost(Outpost),
    /// Queue delay or request count, as RunPod describes it.
    #[serde(rename = "runpod")]
    RunPod(RunPod),
    /// Requests in the system over a target per worker.
    Concurrency(ConcurrencyTarget),
    /// A share of requests that start in time, or a price for each that does not; the rest is learned.
    Objective(Objective),
    /// Whatever the caller proposes by [`Observation::Proposal`](crate::Observation::Proposal). Listed as a policy, its
    /// absence is blindness; unlisted, a proposal joins while there is one.
    External,
}

impl Policy {
    /// The policy's stable name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Fixed(_) => "fixed",
            Self::Outpost(_) => "outpost",
            Self::RunPod(_) => "runpod",
            Self::Concurrency(_) => "concurrency",
            Self::Objective(_) => "objective",
            Self::External => "external",
        }
    }

    pub(crate) fn propose(&self, inputs: &Inputs) -> Proposal {
        match self {
            Self::Fixed(count) => Proposal::exactly(Source::Fixed, Because::Fixed, *count),
            Self::Outpost(policy) => policy.propose(inputs),
            Self::RunPod(policy) => policy.propose(inputs),
            Self::Concurrency(policy) => policy.propose(inputs),
            Self::Objective(_) => Objective::propose(inputs),
            Self::External => {
                let absent = Proposal::blind(Source::External, Because::NoProposal);
                inputs.external.map_or(absent, |count| Proposal::exactly(Source::External, Because::Proposed, count))
            }
        }
    }

    /// How many waiting requests one worker started from zero is meant to answer.
    pub(crate) fn backlog_per_worker(&self, concurrency: u32) -> u32 {
        match self {
            Self::Outpost(policy) => policy.per_second().max(concurrency),
            Self::RunPod(policy) => policy.backlog_per_worker(concurrency),
            Self::Concurrency(policy) => policy.per_worker(),
            Self::Fixed(_) | Self::Objective(_) | Self::External => concurrency,
        }
    }

    /// Whether it goes by the requests in the system, and by how long they wait.
    pub(crate) const fn is_of_requests(&self) -> bool {
        matches!(self, Self::RunPod(_) | Self::Concurrency(_))
    }

    /// The two numbers of its proposal by so many requests in the system, and up to where they stay what they are; `None` if
    /// it goes by anything else.
    pub(crate) fn of_requests(&self, requests: u64, concurrency: u32) -> Option<(u32, u32, Steady)> {
        match self {
            Self::RunPod(policy) => {
                let (want, keep) = policy.counts(requests, concurrency);
                Some((want, keep, policy.steady_at(requests, concurrency)?))
            }
            Self::Concurrency(policy) => {
                let count = policy.count(requests);
                Some((count, count, policy.steady(requests)?))
            }
            _ => None,
        }
    }

    /// Up to where `proposal`, which was made for these inputs, stays what it is; `None` if that cannot be told.
    pub(crate) fn steady(&self, inputs: &Inputs, proposal: &Proposal) -> Option<Steady> {
        match self {
            Self::Fixed(_) | Self::External => Some(Steady::ANYWHERE),
            Self::Outpost(policy) => policy.steady(inputs, proposal),
            Self::RunPod(policy) => policy.steady(inputs),
            Self::Concurrency(policy) => policy.steady(inputs.in_system().0),
            Self::Objective(_) => Some(Objective::steady(inputs)),
        }
    }

    /// The age of the oldest waiting request at which the proposal changes by time alone.
    pub(crate) const fn overdue_age(&self) -> Option<u64> {
        match self {
            Self::RunPod(policy) => policy.overdue_age(),
            _ => None,
        }
    }
}

/// Up to where a proposal stays what it is, as long as what the waits say stays what it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Steady {
    /// The arrival rate, one request more counted in, in millionths per second.
    pub(crate) rate: u64,
    /// Requests in the system, at the least and at the most.
    pub(crate) requests: (u64, u64),
    /// Whether CoDel's verdict and how long the oldest request has waited make a difference.
    pub(crate) waits: bool,
    /// Whether the sojourn's trend does.
    pub(crate) trend: bool,
    /// It takes that a request waits.
    pub(crate) waiting: bool,
}

impl Steady {
    /// Whatever the requests do.
    pub(crate) const ANYWHERE: Self =
        Self { rate: u64::MAX, requests: (0, u64::MAX), waits: false, trend: false, waiting: false };

    /// While `⌈requests / per worker⌉` stays what it is; `per_worker` in millionths of a request.
    fn of_requests(requests: u64, per_worker: u64) -> Option<Self> {
        let per_worker = per_worker.max(1);
        let workers = requests.checked_mul(MICRO)?.div_ceil(per_worker);
        let least =
            workers.checked_sub(1).map_or(0, |below| (below.saturating_mul(per_worker) / MICRO).saturating_add(1));
        Some(Self { requests: (least, workers.checked_mul(per_worker)? / MICRO), ..Self::ANYWHERE })
    }

    /// Both.
    pub(crate) fn and(self, other: Self) -> Self {
        let requests = (self.requests.0.max(other.requests.0), self.requests.1.min(other.requests.1));
        Self {
            rate: self.rate.min(other.rate),
            requests,
            waits: self.waits || other.waits,
            trend: self.trend || other.trend,
            waiting: self.waiting || other.waiting,
        }
    }
}

/// What the signals say at one instant, in integers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a finding of its own")]
pub(crate) struct Inputs {
    /// Arrival rate over the long window; missing is not zero.
    pub(crate) rate: Option<Rate>,
    /// The same, had one request more come.
    pub(crate) rate_with_one_more: Option<Rate>,
    /// A whole window has been seen since the last gap.
    pub(crate) rate_full: bool,
    pub(crate) ready: u32,
    pub(crate) concurrency: u32,
    /// Slots of ready workers that serve nothing: what waits there is for the router to hand out, and calls for no
    /// worker more. Zero while the requests in flight are unknown.
    pub(crate) free_slots: u64,
    pub(crate) depth: Option<u64>,
    /// Requests that certainly wait.
    pub(crate) backlog: u64,
    pub(crate) in_flight: Option<u64>,
    /// How long the oldest request has waited at least, in nanoseconds, if one waits.
    pub(crate) oldest_age: Option<u64>,
    /// The last sojourn, while others wait behind it.
    pub(crate) last_wait: Option<u64>,
    /// CoDel's verdict, a stuck queue included.
    pub(crate) overloaded: bool,
    /// The oldest waiting request is past the sojourn target.
    pub(crate) oldest_over_target: bool,
    pub(crate) p99_over_target: Option<bool>,
    pub(crate) rising: Option<bool>,
    /// No request for the whole to-zero delay: demand is zero, whatever a window still averages.
    pub(crate) quiet: bool,
    pub(crate) external: Option<u32>,
    /// A signal that used to come has outlived its freshness.
    pub(crate) lost: bool,
    /// Requests have waited too long although slots are free for all of them.
    pub(crate) surplus: bool,
    /// What an objective plans.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) plan: Option<Plan>,
}

impl Inputs {
    /// Requests in the system as far as known, and whether all of them are known.
    pub(crate) fn in_system(&self) -> (u64, bool) {
        let known = self.depth.is_some() && self.in_flight.is_some();
        (self.depth.unwrap_or(0).saturating_add(self.in_flight.unwrap_or(0)), known)
    }
}

/// Which policy a proposal came from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Source {
    /// [`Policy::Fixed`].
    Fixed,
    /// [`Policy::Outpost`].
    Outpost,
    /// [`Policy::RunPod`].
    #[serde(rename = "runpod")]
    RunPod,
    /// [`Policy::Concurrency`].
    Concurrency,
    /// [`Policy::Objective`].
    Objective,
    /// A proposal from outside.
    External,
    /// The configuration's buffer.
    Buffer,
}

/// Why a policy proposes what it does: stable codes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Because {
    /// The count is fixed.
    Fixed,
    /// The caller proposed it.
    Proposed,
    /// The caller is expected to propose and has not.
    NoProposal,
    /// QPS per replica exceeds its target and the sojourn is rising.
    RateAboveTarget,
    /// CoDel finds a standing queue, whatever the rate.
    Overloaded,
    /// The rate fits the replicas there are.
    RateWithinTarget,
    /// The rate exceeds its target but the queue does not feel it.
    SojournCalm,
    /// The rate is well below the target and the sojourn minimal.
    RateWellBelow,
    /// The rate is well below the target but requests wait too long to give up a replica.
    SojournNotMinimal,
    /// A request has waited longer than the queue delay.
    QueueDelay,
    /// No request waits too long.
    QueueWithinDelay,
    /// So many requests are in the system.
    RequestCount,
    /// No request for the whole to-zero delay.
    Quiet,
    /// So many workers are occupied, and idle ones belong beside them.
    Buffer,
    /// Demand is forecast, and headroom for how far it strays.
    Headroom,
    /// Demand is forecast, and a standing reserve for surges that are as large whatever is forecast.
    Reserve,
    /// More is asked for than a late request less is worth.
    PriceCap,
    /// No more than ever was needed of late.
    Peak,
    /// A backlog is to be worked off.
    Drain,
    /// So many were planned within the time of a cold start.
    Hold,
    /// So many were planned within a minute, and fewer since by no more than chance.
    Lull,
    /// Whether the last worker stays, by the gaps between requests.
    LastWorker,
    /// Requests come again after silences of this length.
    Prewarm,
    /// The service time is learned from few completions yet.
    Learning,
    /// A signal that the policy needs is missing.
    Missing,
}

impl Because {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Fixed => "fixed",
            Self::Proposed => "proposed",
            Self::NoProposal => "no_proposal",
            Self::RateAboveTarget => "rate_above_target",
            Self::Overloaded => "overloaded",
            Self::RateWithinTarget => "rate_within_target",
            Self::SojournCalm => "sojourn_calm",
            Self::RateWellBelow => "rate_well_below",
            Self::SojournNotMinimal => "sojourn_not_minimal",
            Self::QueueDelay => "queue_delay",
            Self::QueueWithinDelay => "queue_within_delay",
            Self::RequestCount => "request_count",
            Self::Quiet => "quiet",
            Self::Buffer => "buffer",
            Self::Headroom => "headroom",
            Self::Reserve => "reserve",
            Self::PriceCap => "price_cap",
            Self::Peak => "peak",
            Self::Drain => "drain",
            Self::Hold => "hold",
            Self::Lull => "lull",
            Self::LastWorker => "last_worker",
            Self::Prewarm => "prewarm",
            Self::Learning => "learning",
            Self::Missing => "missing",
        }
    }
}

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// What one policy wants, before any guard.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Proposal {
    /// Whose proposal it is.
    pub source: Source,
    /// The least count it asks for.
    pub want: u32,
    /// The count down to which it agrees to shrink; `u32::MAX` (in text formats absent) if to none.
    #[serde(with = "or_none")]
    pub keep: u32,
    /// Why.
    pub because: Because,
    /// A signal it needs is missing or stale: it cannot agree to shrink.
    pub blind: bool,
}

impl Proposal {
    pub(crate) const fn exactly(source: Source, because: Because, count: u32) -> Self {
        Self { source, want: count, keep: count, because, blind: false }
    }

    pub(crate) const fn blind(source: Source, because: Because) -> Self {
        Self { source, want: 0, keep: u32::MAX, because, blind: true }
    }

    /// Asks for what it asks for by half of what it needs to know.
    pub(crate) fn is_partial(&self) -> bool {
        self.blind && self.because == Because::Missing
    }

    /// Asks whatever the requests do.
    pub(crate) const fn is_told(&self) -> bool {
        matches!(self.source, Source::Fixed | Source::External)
    }
}

/// `u32::MAX` as an absent number.
mod or_none {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
    pub(super) fn serialize<S: Serializer>(keep: &u32, serializer: S) -> Result<S::Ok, S::Error> {
        (*keep != u32::MAX).then_some(*keep).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
        Option::<u32>::deserialize(deserializer).map(|keep| keep.unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests;
