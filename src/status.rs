//! The status: what the dashboards of both products show, and what an operator asks next.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::decision::Explanation;
use crate::observation::{FailureCause, Mode, WorkerId};
use crate::policy::Outlook;
use crate::provider::Trouble;
use crate::signal::Signals;
use crate::time::Timestamp;
use crate::units::Share;

/// Everything at a glance.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Status {
    /// The instant it speaks of.
    pub at: Timestamp,
    /// How many workers there should be.
    pub desired: u32,
    /// How many are ready or on their way.
    pub committed: u32,
    /// Replicas by state.
    pub replicas: Replicas,
    /// QPS per replica, sojourn p99, request latency, queue depth, utilisation and the rest.
    pub signals: Signals,
    /// Mean request latency: sojourn and service.
    pub request_latency: Option<Duration>,
    /// Waits that are running, and when they end.
    pub timers: Timers,
    /// Whether the share that an objective asks for can be kept, and what it takes.
    pub outlook: Option<Outlook>,
    /// The operator's mode.
    pub mode: Mode,
    /// Why orders are not given as usual.
    pub trouble: Option<Trouble>,
    /// Starts that have been measured.
    pub starts: Starts,
    /// Requests that `CoDel` has marked.
    pub codel_marks: u64,
    /// Replicas whose own queue stands out: twice the service's mean sojourn and above the target.
    pub standing_out: Vec<WorkerId>,
    /// What was wrong with the input.
    pub input: InputCounts,
    /// Failed workers and orders, and the last cause.
    pub failures: u64,
    /// The cause of the last failure.
    pub last_failure: Option<FailureCause>,
}

/// Replicas by state.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Replicas {
    /// Ready, idle or busy.
    pub ready: u32,
    /// Ready and idle, if that is known.
    pub idle: Option<u32>,
    /// Ordered and not ready yet.
    pub starting: u32,
    /// Finishing what they have.
    pub draining: u32,
    /// Stopped, loaded.
    pub standby: u32,
    /// Took too long to start: they count as failed, and are stopped should they still come.
    pub overdue: u32,
    /// Ordered, and not yet seen by any observation.
    pub ordered: u32,
}

/// Waits that are running, by the instant at which they end.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Timers {
    /// More workers are wanted, and this is when the up delay allows the first.
    pub up: Option<Timestamp>,
    /// Fewer are wanted, and this is when the down delay allows the first to go.
    pub down: Option<Timestamp>,
    /// No request is in the system, and this is when the last worker may go.
    pub to_zero: Option<Timestamp>,
    /// The next idle timeout or drain deadline of a worker.
    pub worker: Option<Timestamp>,
    /// When a command that no observation has confirmed counts as lost, or a starting worker as failed.
    pub order: Option<Timestamp>,
    /// When the operator's mode gives way to the automatic one.
    pub mode: Option<Timestamp>,
}

/// Starts that have been measured from order to readiness.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Starts {
    /// Cold starts.
    pub cold: u64,
    /// Their mean.
    pub cold_mean: Option<Duration>,
    /// Starts from standby (flash boot).
    pub warm: u64,
    /// Their mean.
    pub warm_mean: Option<Duration>,
    /// How long a start may take before it counts as failed.
    pub deadline: Duration,
    /// The share of starts that succeed, of late.
    pub success: Share,
}

/// What was wrong with the input.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct InputCounts {
    /// Observations and reports taken in.
    pub accepted: u64,
    /// Observations and reports refused; they changed nothing.
    pub rejected: u64,
    /// Reports that had been taken in before; they changed nothing.
    pub doubled: u64,
    /// Time stamps before the last one; they counted as the last one.
    pub clock_regressions: u64,
    /// Facts that contradict what was known (more requests left a queue than came) and were clamped.
    pub contradictions: u64,
}

/// The last scaling events, each with the metrics that triggered it. Unless room was made for
/// all, it is made as they come, twice as much each time.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub(crate) struct EventLog {
    events: VecDeque<Explanation>,
    capacity: u16,
}

impl EventLog {
    pub(crate) const fn new(capacity: u16) -> Self {
        Self { events: VecDeque::new(), capacity }
    }

    /// Takes the room for all that are kept.
    pub(crate) fn make_room(&mut self) {
        self.events.reserve_exact(usize::from(self.capacity).saturating_sub(self.events.len()));
    }

    pub(crate) fn push(&mut self, event: &Explanation) {
        if self.capacity == 0 {
            return;
        }
        let (held, most) = (self.events.len(), usize::from(self.capacity));
        if held >= most {
            self.events.pop_front();
        } else if held == self.events.capacity() {
            self.events.reserve_exact(held.clamp(1, most.saturating_sub(held)));
        }
        self.events.push_back(*event);
    }

    /// Whether this can be a log for so many events: what comes from a snapshot may be anything.
    pub(crate) fn is_sound(&self, capacity: u16) -> bool {
        self.capacity == capacity && self.events.len() <= usize::from(capacity)
    }

    /// Keeps so many events from now on.
    pub(crate) fn resize(&mut self, capacity: u16) {
        self.capacity = capacity;
        let surplus = self.events.len().saturating_sub(usize::from(capacity));
        self.events.drain(..surplus);
    }

    /// Forgets all but the last, and holds no room for more than there are.
    pub(crate) fn slim(&mut self) {
        let older = self.events.len().saturating_sub(1);
        self.events.drain(..older);
        self.events.shrink_to_fit();
    }

    /// The last event turned out to be the beginning of another.
    pub(crate) fn forget_last(&mut self) -> Option<Explanation> {
        self.events.pop_back()
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Explanation> + ExactSizeIterator {
        self.events.iter()
    }
}
