//! The decision and its explanation: data first, words from the data.

mod text;

use alloc::vec::Vec;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::guard::{GUARDS, Guard, Stage};
use crate::observation::{Grant, Mode};
pub use crate::placement::Command;
use crate::policy::{Because, MAX_PROPOSALS, Policy, Proposal};
use crate::provider::Trouble;
use crate::signal::Signals;
use crate::time::{Timestamp, optional_span, span};

/// The outcome of one evaluation.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Decision {
    /// When it was asked for.
    pub at: Timestamp,
    /// Grows with everything that is observed and every change by time. Who executes commands later than they are given
    /// refuses those of a smaller number than it has seen: a newer decision may have taken them back.
    pub sequence: u64,
    /// How many workers there should be.
    pub desired: u32,
    /// What the platform should do about it now. Each command is given once.
    pub commands: Vec<Command>,
    /// In the observe mode, what would have been commanded; the same again until the platform has done it by itself.
    pub would: Vec<Command>,
    /// How the count stands at this instant.
    pub explanation: Explanation,
    /// The last event, now or before: how the count changed, or that workers vanished. It is what commands given now
    /// answer to. `None` before the first, or if the configuration keeps no events.
    pub last_change: Option<Explanation>,
    /// The instant at which something could change without a new observation; `None` if nothing could.
    pub next_wakeup: Option<Timestamp>,
}

impl Decision {
    /// Whether there is anything to do.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.commands.is_empty()
    }
}

/// What one count rests on: every signal used, every proposal, what every guard did, which one bound.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Explanation {
    /// The instant it speaks of.
    pub at: Timestamp,
    /// The count before.
    pub count: u32,
    /// Every policy's proposal, in the configuration's order, then one from outside, then the buffer's.
    pub proposals: [Option<Proposal>; MAX_PROPOSALS],
    /// Where the policies together would go from the count before: the largest `want` if it is above, the largest
    /// `keep` if it is below. (Of several observations at one instant: from the count after the earlier ones.)
    pub proposed: u32,
    /// The guards in their order.
    pub stages: [Stage; GUARDS],
    /// The count after.
    pub desired: u32,
    /// What decided it.
    pub bound: Reason,
    /// Since when the policies have wanted another count than the one before.
    pub pressed_since: Option<Timestamp>,
    /// What would change, and when, if the signals stay as they are.
    pub outlook: Option<Outlook>,
    /// Why the workers that are missing are not simply ordered.
    pub trouble: Option<Trouble>,
    /// Since when demand has been over a cliff: the down delay is a longer one.
    pub cliff_since: Option<Timestamp>,
    /// Until when too little has been seen since the start to shrink.
    pub settling_until: Option<Timestamp>,
    /// The signals.
    pub signals: Signals,
    /// The settings that the words need.
    pub terms: Terms,
}

impl Explanation {
    /// Applies the stages in order to the proposal: always the desired count.
    #[must_use]
    pub fn fold(&self) -> u32 {
        self.stages.iter().fold(self.proposed, |count, stage| stage.effect.apply(count))
    }

    /// Whether the count changed.
    #[must_use]
    pub const fn is_change(&self) -> bool {
        self.count != self.desired
    }

    /// The stable code of what decided the count.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.bound.code()
    }
}

/// What decided a count.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// A policy, and no guard objected.
    Policy(Because),
    /// A guard.
    Guard(Guard),
    /// Workers appeared that nobody had ordered; they were taken over instead of being stopped.
    Adopted,
    /// Workers went that nobody had told to; they are replaced.
    Vanished,
}

impl Reason {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Policy(because) => because.code(),
            Self::Guard(guard) => guard.code(),
            Self::Adopted => "adopted",
            Self::Vanished => "vanished",
        }
    }
}

/// A change to come, if the signals stay as they are.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Outlook {
    /// The guard whose wait is running.
    pub guard: Guard,
    /// The count it will then allow.
    pub count: u32,
    /// When.
    pub at: Timestamp,
}

/// The settings that an explanation mentions, as they were when it was made.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Terms {
    /// The policy whose proposal counted.
    pub policy: Option<Policy>,
    /// The least workers.
    pub min: u32,
    /// The most workers.
    pub max: u32,
    /// The grant of a shared budget, where it allows less than the bounds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<Grant>,
    /// The operator's mode.
    pub mode: Mode,
    /// When it gives way to the automatic one, if ever.
    pub mode_until: Option<Timestamp>,
    /// The up delay.
    #[serde(with = "span")]
    pub up_delay: Duration,
    /// The down delay.
    #[serde(with = "span")]
    pub down_delay: Duration,
    /// The to-zero delay.
    #[serde(with = "span")]
    pub to_zero_delay: Duration,
    /// The idle timeout, if there is one.
    #[serde(with = "optional_span")]
    pub idle_timeout: Option<Duration>,
    /// The sojourn target.
    #[serde(with = "span")]
    pub sojourn_target: Duration,
}
