//! What is kept of one service: as little as what it does allows.

use alloc::boxed::Box;

use super::pack::{Form, Patterns};
use super::profile::{Known, ProfileId};
use crate::autoscaler::{Autoscaler, Kept};
use crate::config::Config;
use crate::signal::Learned;
use crate::time::Timestamp;

#[derive(Clone, Debug)]
pub(super) enum Slot {
    /// Nothing was ever observed of it.
    New {
        profile: ProfileId,
        since: Timestamp,
    },
    /// At rest, in its compact form.
    Parked {
        profile: ProfileId,
        packed: Box<[u8]>,
    },
    /// Not at rest, in its compact form.
    Folded(Box<Folded>),
    Awake(Box<Awake>),
}

#[derive(Clone, Debug)]
pub(super) struct Folded {
    profile: ProfileId,
    packed: Box<[u8]>,
    desired: u32,
    armed: Option<Timestamp>,
}

#[derive(Clone, Debug)]
pub(super) struct Awake {
    pub(super) autoscaler: Autoscaler,
    pub(super) profile: ProfileId,
    /// The timer that counts; others of this service are void.
    pub(super) armed: Option<Timestamp>,
}

impl Slot {
    pub(super) fn awake(autoscaler: Autoscaler, profile: ProfileId) -> Self {
        Self::Awake(Box::new(Awake { autoscaler, profile, armed: None }))
    }

    pub(super) const fn profile(&self) -> ProfileId {
        match self {
            Self::New { profile, .. } | Self::Parked { profile, .. } => *profile,
            Self::Folded(folded) => folded.profile,
            Self::Awake(awake) => awake.profile,
        }
    }

    pub(super) const fn profile_mut(&mut self) -> &mut ProfileId {
        match self {
            Self::New { profile, .. } | Self::Parked { profile, .. } => profile,
            Self::Folded(folded) => &mut folded.profile,
            Self::Awake(awake) => &mut awake.profile,
        }
    }

    /// At rest: it has no worker and no timer.
    pub(super) const fn is_parked(&self) -> bool {
        matches!(self, Self::New { .. } | Self::Parked { .. })
    }

    pub(super) const fn armed(&self) -> Option<Timestamp> {
        match self {
            Self::New { .. } | Self::Parked { .. } => None,
            Self::Folded(folded) => folded.armed,
            Self::Awake(awake) => awake.armed,
        }
    }

    pub(super) const fn desired(&self) -> u32 {
        match self {
            Self::New { .. } | Self::Parked { .. } => 0,
            Self::Folded(folded) => folded.desired,
            Self::Awake(awake) => awake.autoscaler.desired(),
        }
    }

    /// Its autoscaler, as it stands.
    pub(super) fn autoscaler(&self, profiles: &[Known], patterns: &Patterns) -> Option<Autoscaler> {
        let packed = match self {
            Self::New { profile, since } => return Some(profile.of_list(profiles)?.autoscaler(*since)),
            Self::Awake(awake) => return Some(awake.autoscaler.clone()),
            Self::Parked { packed, .. } => packed,
            Self::Folded(folded) => &folded.packed,
        };
        let config = self.profile().of_list(profiles)?.profile.shared();
        Autoscaler::from_kept(config, patterns.unpack(packed)?)
    }

    /// What its objective has learned; nothing, without a look, if nothing was ever observed.
    pub(super) fn learned(&self, profiles: &[Known], patterns: &Patterns) -> Option<Learned> {
        match self {
            Self::New { .. } => None,
            Self::Awake(awake) => awake.autoscaler.learned(),
            Self::Parked { .. } | Self::Folded(_) => self.autoscaler(profiles, patterns)?.learned(),
        }
    }

    /// Restores the autoscaler, if it is not there. True if the service was parked; `None` if it cannot be.
    pub(super) fn wake(&mut self, profiles: &[Known], patterns: &Patterns) -> Option<bool> {
        if matches!(self, Self::Awake(_)) {
            return Some(false);
        }
        let (autoscaler, profile, armed) = (self.autoscaler(profiles, patterns)?, self.profile(), self.armed());
        let parked = self.is_parked();
        *self = Self::Awake(Box::new(Awake { autoscaler, profile, armed }));
        Some(parked)
    }

    /// Parks a service at rest. True if that was possible.
    pub(super) fn park(&mut self, known: &mut Known, patterns: &mut Patterns) -> bool {
        let Self::Awake(awake) = self else { return false };
        if !awake.autoscaler.is_at_rest() {
            return false;
        }
        let kept = awake.autoscaler.keep();
        let packed = packed(&kept, (known.pattern, Form::Parked), known.profile.config(), patterns);
        let Some((packed, pattern)) = packed else { return false };
        known.pattern = pattern;
        *self = Self::Parked { profile: awake.profile, packed };
        true
    }

    /// Gives up the room of a service that is not at rest, until it is touched again.
    pub(super) fn fold(&mut self, known: &mut Known, patterns: &mut Patterns) {
        let Self::Awake(awake) = self else { return };
        let (form, others) = (Form::Folded { new: known.next_may_be_pattern() }, patterns.len());
        let packed = packed(&awake.autoscaler.fold(), (known.folded_pattern, form), known.profile.config(), patterns);
        let Some((packed, pattern)) = packed else { return };
        known.folded_by(pattern, pattern == others);
        let (profile, desired, armed) = (awake.profile, awake.autoscaler.desired(), awake.armed);
        *self = Self::Folded(Box::new(Folded { profile, packed, desired, armed }));
    }
}

/// The compact form and its pattern, if it gives the same autoscaler back.
fn packed(
    kept: &Kept,
    (hint, form): (usize, Form),
    config: &Config,
    patterns: &mut Patterns,
) -> Option<(Box<[u8]>, usize)> {
    let (packed, pattern) = patterns.pack(kept, kept.now(), hint, form)?;
    let back = patterns.unpack::<Kept>(&packed)?.revived(config)?;
    (back == *kept).then_some((packed, pattern))
}
