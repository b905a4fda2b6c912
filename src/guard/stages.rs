//! The stages: what each is called, what it does to a count, and what all of them did to one proposal.

use serde::{Deserialize, Serialize};

/// The stages, in their order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Guard {
    /// Blindness never lowers the count.
    Freshness,
    /// To zero after the to-zero delay, from zero at once.
    ZeroGate,
    /// Close to the count is the count.
    Tolerance,
    /// A queue beside idle workers orders none.
    Surplus,
    /// Wanted throughout the up delay.
    UpDelay,
    /// Not wanted throughout the down delay.
    DownDelay,
    /// So far per period.
    StepLimit,
    /// Only workers that have been idle for long enough.
    IdleTimeout,
    /// An operator's order.
    Mode,
    /// Between min and max.
    Bounds,
}

impl Guard {
    /// All of them, in their order.
    const ALL: [Self; GUARDS] = [
        Self::Freshness,
        Self::ZeroGate,
        Self::Tolerance,
        Self::Surplus,
        Self::UpDelay,
        Self::DownDelay,
        Self::StepLimit,
        Self::IdleTimeout,
        Self::Mode,
        Self::Bounds,
    ];

    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Freshness => "freshness",
            Self::ZeroGate => "zero_gate",
            Self::Tolerance => "tolerance",
            Self::Surplus => "surplus",
            Self::UpDelay => "up_delay",
            Self::DownDelay => "down_delay",
            Self::StepLimit => "step_limit",
            Self::IdleTimeout => "idle_timeout",
            Self::Mode => "mode",
            Self::Bounds => "bounds",
        }
    }
}

/// What a stage does to a count.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Effect {
    /// Nothing.
    Pass,
    /// Not below.
    AtLeast(u32),
    /// Not above.
    AtMost(u32),
    /// This count.
    Exactly(u32),
}

impl Effect {
    /// The count after the effect.
    #[must_use]
    pub const fn apply(self, count: u32) -> u32 {
        match self {
            Self::AtLeast(least) if count < least => least,
            Self::AtMost(most) if count > most => most,
            Self::Exactly(exact) => exact,
            _ => count,
        }
    }
}

/// One guard's part in a decision.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Stage {
    /// The guard.
    pub guard: Guard,
    /// What it did.
    pub effect: Effect,
    /// The count after it.
    pub count: u32,
}

/// How many guards there are.
pub const GUARDS: usize = 10;

/// What each guard did, in their order. The counts between them follow from it, and take no room.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Stages {
    pub(crate) proposed: u32,
    effects: [Effect; GUARDS],
}

impl Stages {
    /// Nothing was done to a proposal.
    pub(crate) const fn none(proposed: u32) -> Self {
        Self { proposed, effects: [Effect::Pass; GUARDS] }
    }

    /// From what is written down. Counts that do not follow from the effects are none.
    pub(crate) fn written(proposed: u32, stages: &[Stage; GUARDS]) -> Self {
        Self { proposed, effects: stages.map(|stage| stage.effect) }
    }

    pub(super) fn set(&mut self, guard: Guard, effect: Effect) {
        if let Some(slot) = self.effects.get_mut(guard as usize) {
            *slot = effect;
        }
    }

    /// The stages with the counts between them.
    pub(crate) fn all(&self) -> [Stage; GUARDS] {
        let mut all = Guard::ALL.map(|guard| Stage { guard, effect: Effect::Pass, count: self.proposed });
        if self.effects == [Effect::Pass; GUARDS] {
            return all;
        }
        let mut count = self.proposed;
        for (stage, effect) in all.iter_mut().zip(self.effects) {
            count = effect.apply(count);
            (stage.effect, stage.count) = (effect, count);
        }
        all
    }

    /// The count before the bounds.
    pub(crate) fn wanted(&self) -> u32 {
        let [before @ .., _] = &self.effects;
        before.iter().fold(self.proposed, |count, effect| effect.apply(count))
    }

    /// The guard that changed the proposal last.
    pub(crate) fn last_effect(&self) -> Option<Guard> {
        let last = self.effects.iter().rposition(|effect| *effect != Effect::Pass)?;
        Guard::ALL.get(last).copied()
    }
}
