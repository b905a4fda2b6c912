//! One worker: its states, and the events that lead from one to another.

use serde::{Deserialize, Serialize};

use crate::observation::{WorkerEvent, WorkerId};
use crate::time::{Timestamp, Waiting};

/// What a worker is doing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub(crate) enum State {
    /// Ordered; `warm` if it is being revived from standby.
    Starting {
        warm: bool,
    },
    /// Ready, and nothing is known of its load: counts as busy.
    Unknown,
    Idle,
    Busy(u32),
    /// Busy until then, as the platform has said; idle afterwards.
    Leased(Timestamp),
    /// It took too long to start, counts as failed and is told to stop. Should it become ready after all, it is there.
    Overdue,
    Draining(u32),
    Prewarming,
    Standby,
}

impl State {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Starting { .. } => "starting",
            Self::Unknown => "ready",
            Self::Idle => "idle",
            Self::Busy(_) => "busy",
            Self::Leased(_) => "leased",
            Self::Overdue => "overdue",
            Self::Draining(_) => "draining",
            Self::Prewarming => "prewarming",
            Self::Standby => "standby",
        }
    }

    pub(crate) const fn is_ready(self) -> bool {
        matches!(self, Self::Unknown | Self::Idle | Self::Busy(_) | Self::Leased(_))
    }

    /// Ready, or on its way there in time.
    pub(super) const fn is_in_service(self) -> bool {
        self.is_ready() || matches!(self, Self::Starting { .. })
    }
}

/// A command whose effect has not been observed yet.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub(crate) enum Pending {
    Stop,
    /// Stop, but stay loaded in standby.
    Park,
    Drain,
    Revive,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub(crate) struct Worker {
    pub(crate) id: WorkerId,
    pub(crate) state: State,
    /// Since when it is in that state (idle since, draining since, ordered at).
    pub(crate) since: Timestamp,
    /// It was seen starting before it was ready.
    pub(crate) started: bool,
    /// What it was told, and when that lapses unless it is seen done.
    pub(crate) pending: Option<(Pending, Timestamp)>,
    pub(crate) queue_depth: u32,
    pub(crate) oldest: Option<Waiting>,
    /// Moving average of its own queue's sojourn, in nanoseconds; `None` before the first.
    pub(crate) sojourn: Option<u64>,
}

impl Worker {
    pub(super) const fn new(id: WorkerId, state: State, now: Timestamp) -> Self {
        Self { id, state, since: now, started: false, pending: None, queue_depth: 0, oldest: None, sojourn: None }
    }

    /// Counts towards the committed count.
    pub(crate) const fn is_committed(&self) -> bool {
        match self.pending {
            Some((Pending::Stop | Pending::Park | Pending::Drain, _)) => false,
            Some((Pending::Revive, _)) => true,
            None => self.state.is_ready() || matches!(self.state, State::Starting { .. }),
        }
    }

    /// When what it was told lapses or its lease ends, whichever comes first.
    pub(super) fn lapses(&self) -> Option<Timestamp> {
        let told = self.pending.map(|(_, until)| until);
        if let State::Leased(until) = self.state { Some(told.map_or(until, |told| told.min(until))) } else { told }
    }

    pub(super) const fn slots(&self) -> u32 {
        match self.state {
            State::Busy(n) | State::Draining(n) => n,
            State::Leased(_) => 1,
            _ => 0,
        }
    }
}

/// The state of a worker whose first event this is.
pub(super) const fn first_state(event: WorkerEvent) -> Option<State> {
    match event {
        WorkerEvent::Ordered => Some(State::Starting { warm: false }),
        WorkerEvent::Ready => Some(State::Unknown),
        WorkerEvent::Prewarming => Some(State::Prewarming),
        WorkerEvent::Standby => Some(State::Standby),
        _ => None,
    }
}

/// The state that follows an event: `None` if the worker is gone, the event's name if it cannot be.
pub(super) fn transition(now: Timestamp, state: State, event: WorkerEvent) -> Result<Option<State>, &'static str> {
    let standby = matches!(state, State::Prewarming | State::Standby);
    let next = match event {
        WorkerEvent::Gone | WorkerEvent::Failed(_) => return Ok(None),
        WorkerEvent::Ordered => match state {
            State::Prewarming | State::Standby => State::Starting { warm: true },
            State::Starting { .. } | State::Overdue => state,
            _ => return Err("starting"),
        },
        WorkerEvent::Ready => match state {
            State::Idle | State::Busy(_) | State::Leased(_) => state,
            State::Draining(0) => State::Idle,
            State::Draining(slots) => State::Busy(slots),
            _ => State::Unknown,
        },
        WorkerEvent::Busy(_) | WorkerEvent::Idle | WorkerEvent::Leased(_) if standby => return Err("busy or idle"),
        WorkerEvent::Draining if standby => return Err("draining"),
        WorkerEvent::Busy(slots) => match (state, slots) {
            (State::Draining(_), _) => State::Draining(slots),
            (_, 0) => State::Idle,
            (_, _) => State::Busy(slots),
        },
        WorkerEvent::Leased(_) if matches!(state, State::Draining(_)) => State::Draining(1),
        WorkerEvent::Leased(span) => State::Leased(now.saturating_add(span)),
        WorkerEvent::Idle if matches!(state, State::Draining(_)) => State::Draining(0),
        WorkerEvent::Idle => State::Idle,
        WorkerEvent::Draining => match state {
            State::Draining(_) => state,
            State::Busy(slots) => State::Draining(slots),
            State::Idle => State::Draining(0),
            // Of a leased or overdue one, or one of whom nothing is known, the load is not known: it counts as busy.
            _ => State::Draining(1),
        },
        WorkerEvent::Prewarming if state != State::Prewarming => return Err("prewarming"),
        WorkerEvent::Prewarming => state,
        WorkerEvent::Standby => State::Standby,
    };
    Ok(Some(next))
}

/// Whether a command is still waiting to be seen done in a state.
pub(super) const fn still_pending(pending: Pending, state: State) -> bool {
    match pending {
        Pending::Stop | Pending::Park => {
            matches!(state, State::Starting { .. } | State::Overdue | State::Idle | State::Draining(_))
        }
        Pending::Drain => state.is_ready(),
        Pending::Revive => matches!(state, State::Standby | State::Draining(_)),
    }
}
