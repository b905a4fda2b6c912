//! State that survives.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::learn::Work;
use super::part::{Kept, Part};
use super::{MixedPool, Settings};
use crate::autoscaler::{Autoscaler, RestoreError, Snapshot};
use crate::observation::PoolCounts;
use crate::time::Timestamp;

/// Everything that a [`MixedPool`] knows, at one instant: plain data for any self-describing serde format. Each class and
/// the planner stand in it as a [`Snapshot`] of their own, with the version that says who reads it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoolSnapshot {
    settings: Settings,
    planner: Snapshot,
    classes: Vec<Kept>,
    work: Work,
    told: PoolCounts,
    now: Timestamp,
    sequence: u64,
    refused: u64,
}

impl PoolSnapshot {
    /// The settings that it was taken with.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }
}

impl MixedPool {
    /// Everything that it knows, to be kept until it is [restored](Self::restore).
    #[must_use]
    pub fn snapshot(&self) -> PoolSnapshot {
        PoolSnapshot {
            settings: self.settings.clone(),
            planner: self.planner.snapshot(),
            classes: self.parts.iter().map(Part::keep).collect(),
            work: self.work,
            told: self.told,
            now: self.now,
            sequence: self.sequence,
            refused: self.refused,
        }
    }

    /// The pool of which `snapshot` was taken: its decisions go on as if it had never stopped.
    ///
    /// # Errors
    /// If it cannot be a snapshot: it names the part that is wrong.
    pub fn restore(snapshot: PoolSnapshot) -> Result<Self, RestoreError> {
        let PoolSnapshot { settings, planner, classes, work, told, now, sequence, refused } = snapshot;
        let unsound = |part| RestoreError::Unsound { part };
        let planner = Autoscaler::restore(planner)?;
        if planner.config() != settings.service() {
            return Err(unsound("planner"));
        }
        if classes.len() != settings.classes().len() {
            return Err(unsound("classes"));
        }
        let parts = settings.ids().zip(settings.classes()).zip(classes).map(|((id, class), kept)| {
            let config = settings.class_config(id).ok()?;
            Part::restored(kept, &config, class)
        });
        let parts = parts.collect::<Option<Vec<_>>>().ok_or(unsound("classes"))?;
        Ok(Self { settings, planner, parts, work, told, now, sequence, refused })
    }

    /// Goes on with other settings from `now` on. Classes are known by their names: the workers of one that is not among
    /// the new settings are forgotten, so let them go first, by a limit of one and a rank behind all others.
    pub fn reconfigure(&mut self, now: Timestamp, settings: Settings) {
        let now = self.live(now);
        let mut parts = Vec::with_capacity(settings.classes().len());
        for (id, class) in settings.ids().zip(settings.classes()) {
            let Ok(config) = settings.class_config(id) else { continue };
            let known = self.settings.id(&class.name).and_then(|known| known.of(&self.parts).cloned());
            parts.push(match known {
                Some(mut part) => {
                    part.reconfigure(now, config, class);
                    part
                }
                None => Part::new(config, class, now),
            });
        }
        self.planner.reconfigure(now, settings.service().clone());
        (self.parts, self.settings) = (parts, settings);
        self.sequence = self.sequence.saturating_add(1);
        self.tell(0, false);
    }
}
