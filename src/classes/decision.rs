//! A decision about several classes, and one line of plain text for people.
//!
//! `2 × A100 spot + 1 × A100: cheapest for 11 req/s (3 wanted); H100 out of stock until +50 s`

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Display, Formatter};

use serde::{Deserialize, Serialize};

use super::amounts::Thousandths;
use super::learn::LEARNED;
use super::{Capacity, ClassId, Price};
use crate::decision::{Command, Explanation};
use crate::observation::FailureCause;
use crate::provider::{Measure, Trouble};
use crate::time::{Human, Timestamp};

/// The outcome of one evaluation.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Decision {
    /// When it was asked for.
    pub at: Timestamp,
    /// Grows with everything that is observed and every change by time.
    pub sequence: u64,
    /// How many reference workers are wanted.
    pub wanted: u32,
    /// What decided how they are made up.
    pub reason: Reason,
    /// Every class, in the order of the settings.
    pub classes: Vec<ClassCount>,
    /// What the plan costs for an hour.
    pub price: Price,
    /// What the plan has less than is wanted, in thousandths of a reference worker.
    pub short: u64,
    /// What the platform should do about it now. Each command is given once.
    pub commands: Vec<ClassCommand>,
    /// In the observe mode, what would have been commanded.
    pub would: Vec<ClassCommand>,
    /// Why so many reference workers are wanted.
    pub plan: Explanation,
    /// The instant at which something could change without a new observation; `None` if nothing could.
    pub next_wakeup: Option<Timestamp>,
}

/// One class's part.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ClassCount {
    /// Which class.
    pub class: ClassId,
    /// Its name.
    pub name: String,
    /// What one worker counts for.
    pub capacity: Capacity,
    /// Of the requests from which that is learned, how many have been served; `None` once it is known, or if it is given.
    pub learning: Option<u32>,
    /// How many workers it is to have in the end.
    pub planned: u32,
    /// How many it is to have now: beside the planned ones, those that are kept or ordered until the plan is ready.
    pub count: u32,
    /// Workers that are ready and stay.
    pub ready: u32,
    /// Workers that are ordered or starting.
    pub starting: u32,
    /// Why it cannot be asked for more as usual.
    pub trouble: Option<Trouble>,
    /// It would have more workers, were it not for that.
    pub passed_over: bool,
}

/// A command to one class.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ClassCommand {
    /// Of which class the worker is, or is to be.
    pub class: ClassId,
    /// What to do.
    pub command: Command,
}

/// What decided how the wanted capacity is made up.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// No worker is wanted.
    Idle,
    /// It costs the least.
    Cheapest,
    /// The classes' order, then the price.
    InOrder,
    /// It is ready sooner than what costs less, and capacity is missing.
    Soonest,
    /// What runs does; to exchange it would save too little.
    Stays,
    /// A class that would have been taken has nothing to give.
    Fallback,
    /// All classes together have not enough.
    Short,
}

impl Reason {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Cheapest => "cheapest",
            Self::InOrder => "in_order",
            Self::Soonest => "soonest",
            Self::Stays => "stays",
            Self::Fallback => "fallback",
            Self::Short => "short",
        }
    }
}

impl Decision {
    /// Whether there is anything to do.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.commands.is_empty()
    }

    /// The stable code of what decided how the wanted capacity is made up; why it is wanted has a code of its own, in
    /// [`plan`](Self::plan).
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.reason.code()
    }

    /// `2 × A100 spot + 1 × A100`, of the counts that `of` gives.
    fn mix(&self, f: &mut Formatter<'_>, of: impl Fn(&ClassCount) -> u32) -> Result<bool, fmt::Error> {
        let mut any = false;
        for class in self.classes.iter().filter(|class| of(class) > 0) {
            write!(f, "{}{} × {}", if any { " + " } else { "" }, of(class), class.name)?;
            any = true;
        }
        Ok(any)
    }
}

impl Display for Decision {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if !self.mix(f, |class| class.planned)? {
            f.write_str("no worker")?;
        }
        f.write_str(match self.reason {
            Reason::Idle => ": none is wanted",
            Reason::Cheapest => ": cheapest for ",
            Reason::InOrder => ": first in order for ",
            Reason::Soonest => ": soonest at its price for ",
            Reason::Stays => ": what runs is cheap enough for ",
            Reason::Fallback => ": next best for ",
            Reason::Short => ": all that can be had for ",
        })?;
        match (self.reason, self.plan.signals.arrival_rate) {
            (Reason::Idle, _) => {}
            (_, Some(rate)) => write!(f, "{rate} req/s ({} wanted)", self.wanted)?,
            (_, None) => write!(f, "{} wanted", self.wanted)?,
        }
        if self.short > 0 {
            write!(f, "; {} short", Thousandths(self.short))?;
        }
        for class in self.classes.iter().filter(|class| class.passed_over) {
            let Some(trouble) = class.trouble else { continue };
            write!(f, "; {} {}", class.name, shortage(trouble.cause))?;
            match trouble.measure {
                Measure::Probe => f.write_str(", one worker at a time is tried")?,
                _ => write!(f, " until +{}", Human(trouble.at.since(self.at)))?,
            }
        }
        if self.classes.iter().any(|class| class.count > class.planned) {
            f.write_str("; until that is ready ")?;
            self.mix(f, |class| class.count.saturating_sub(class.planned))?;
            f.write_str(" beside it")?;
        }
        for class in &self.classes {
            if let Some(served) = class.learning.filter(|_| class.count > 0) {
                write!(
                    f,
                    "; {} counts as {} (learning: {served} of {LEARNED} completions)",
                    class.name, class.capacity
                )?;
            }
        }
        Ok(())
    }
}

const fn shortage(cause: FailureCause) -> &'static str {
    match cause {
        FailureCause::StockOut => "out of stock",
        FailureCause::Quota => "at its quota",
        FailureCause::Preempted => "taken back",
        FailureCause::Crash => "crashing",
        FailureCause::Timeout => "too slow to start",
    }
}
