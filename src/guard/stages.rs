//! What all guards did to one proposal.

use super::{Effect, GUARDS, Guard, Stage};

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
