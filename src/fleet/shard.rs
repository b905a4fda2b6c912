//! Shards: a fleet is split and taken over by key ranges, and written down, under fencing epochs.
//!
//! Whoever coordinates the processes hands out epochs, each greater than all before (a lease's number, a consensus log's
//! index). A process that takes services over does so under a new one. What it decides from then on carries that epoch; the
//! decisions of a process that has not noticed that it lost them carry an older one, and the [`Fence`] of whoever executes
//! commands refuses them.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::pack::{Form, Patterns};
use super::profile::{Known, Profile, ProfileId};
use super::slot::Slot;
use super::{Decided, Fleet};
use crate::autoscaler::{Autoscaler, Kept, RestoreError, Snapshot};
use crate::time::Timestamp;

/// The release that writes: the compact form of parked services is that of one release.
const RELEASE: &str = env!("CARGO_PKG_VERSION");

/// Some services of a fleet with everything that is known of them, at one instant. Plain data for any self-describing serde
/// format. Parked services stay in their compact form, which only the release reads that wrote it;
/// [`expanded`](Self::expanded) writes each as a [`Snapshot`] of its own for a later one.
///
/// Budgets are not part of it: they are those of the fleet that takes the services over.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FleetSnapshot<K> {
    release: String,
    epoch: u64,
    profiles: Vec<Profile>,
    patterns: Patterns,
    services: Vec<(K, Service)>,
}

/// One service, with the number of its profile.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Service {
    New { profile: ProfileId, since: Timestamp },
    Parked { profile: ProfileId, packed: Box<[u8]> },
    Awake { profile: ProfileId, due: Option<Timestamp>, snapshot: Box<Snapshot> },
}

impl<K> FleetSnapshot<K> {
    /// How many services it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.services.len()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.services.is_empty()
    }

    /// The epoch under which these services were last decided for.
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The services' keys, in order.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.services.iter().map(|(key, _)| key)
    }

    /// The same with every parked service as a [`Snapshot`] of its own: some kilobytes each, for another release to read.
    #[must_use]
    pub fn expanded(mut self) -> Self {
        for (_, service) in &mut self.services {
            let Service::Parked { profile, packed } = service else { continue };
            let kept = self.patterns.unpack::<Kept>(packed);
            let config = profile.of_list(&self.profiles).map(Profile::shared);
            if let Some(autoscaler) = kept.zip(config).and_then(|(kept, config)| Autoscaler::from_kept(config, kept)) {
                let snapshot = Box::new(autoscaler.snapshot());
                *service = Service::Awake { profile: *profile, due: autoscaler.next_wakeup(), snapshot };
            }
        }
        self.patterns = Patterns::default();
        self
    }
}

/// Why services were not taken over. Nothing has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdoptError {
    /// The epoch is not new.
    #[error(
        "epoch {epoch} is not new: these services were decided for under {theirs}, this fleet's under {ours}; take a greater one from whoever coordinates"
    )]
    OldEpoch {
        /// The epoch given.
        epoch: u64,
        /// That of the services.
        theirs: u64,
        /// That of this fleet.
        ours: u64,
    },
    /// One of the services is here already.
    #[error("service {position} of the snapshot is in this fleet already: split it off or remove it first")]
    KnownService {
        /// Which, counted from zero in the order of the keys.
        position: usize,
    },
    /// Another release wrote parked services in its own compact form.
    #[error(
        "the snapshot's parked services are in the form of another release: have that release write it with expanded()"
    )]
    OtherRelease,
    /// A service cannot be what this crate wrote.
    #[error("service {position} of the snapshot cannot be restored: it was changed or damaged; take an older snapshot")]
    Unsound {
        /// Which, counted from zero in the order of the keys.
        position: usize,
    },
    /// A service's own snapshot cannot be restored.
    #[error("service {position} of the snapshot: {error}")]
    Restore {
        /// Which, counted from zero in the order of the keys.
        position: usize,
        /// Why.
        error: RestoreError,
    },
}

impl<K: Ord + Clone> Fleet<K> {
    /// Everything that is known of all services, which stay.
    #[must_use]
    pub fn snapshot(&self) -> FleetSnapshot<K> {
        let services =
            self.services.iter().filter_map(|(key, slot)| Some((key.clone(), self.written(slot)?))).collect();
        self.holding(services)
    }

    /// Takes the services from key `from` up to, and without, `until` out of this fleet: from now on it knows them no more,
    /// and another one may [adopt](Self::adopt) them.
    #[must_use = "the services are in it, and nowhere else"]
    pub fn split_off(&mut self, from: &K, until: Option<&K>) -> FleetSnapshot<K> {
        let mut taken = self.services.split_off(from);
        if let Some(until) = until {
            let mut rest = taken.split_off(until.max(from));
            self.services.append(&mut rest);
        }
        for (key, slot) in &taken {
            if slot.is_parked() {
                continue;
            }
            self.awake = self.awake.saturating_sub(1);
            if let Some(known) = slot.profile().of_list(&self.profiles) {
                self.grants.forget(known.profile.kind(), key);
            }
        }
        let services = taken.into_iter().filter_map(|(key, slot)| Some((key, self.written(&slot)?))).collect();
        self.holding(services)
    }

    /// A service as a snapshot has it.
    fn written(&self, slot: &Slot) -> Option<Service> {
        let profile = slot.profile();
        Some(match slot {
            Slot::New { since, .. } => Service::New { profile, since: *since },
            Slot::Parked { packed, .. } => Service::Parked { profile, packed: packed.clone() },
            Slot::Folded(_) | Slot::Awake(_) => {
                let autoscaler = slot.autoscaler(&self.profiles, &self.patterns)?;
                Service::Awake { profile, due: slot.armed(), snapshot: Box::new(autoscaler.snapshot()) }
            }
        })
    }

    fn holding(&self, services: Vec<(K, Service)>) -> FleetSnapshot<K> {
        FleetSnapshot {
            release: RELEASE.to_string(),
            epoch: self.epoch,
            profiles: self.profiles.iter().map(|known| known.profile.clone()).collect(),
            patterns: self.patterns.clone(),
            services,
        }
    }

    /// Takes services over from another fleet at `now`. Their decisions go on as if they had never moved. From now on this
    /// fleet decides under `epoch`, which must be greater than that under which the services were last decided for, and not
    /// smaller than its own.
    ///
    /// # Errors
    /// If the epoch is not new, a service is here already, or the snapshot cannot be one: it names the service.
    pub fn adopt(&mut self, now: Timestamp, snapshot: FleetSnapshot<K>, epoch: u64) -> Result<(), AdoptError> {
        if epoch <= snapshot.epoch || epoch < self.epoch {
            return Err(AdoptError::OldEpoch { epoch, theirs: snapshot.epoch, ours: self.epoch });
        }
        let FleetSnapshot { release, profiles, patterns, services, .. } = snapshot;
        let packed = services.iter().any(|(_, service)| matches!(service, Service::Parked { .. }));
        if packed && release != RELEASE {
            return Err(AdoptError::OtherRelease);
        }
        // A fleet that has parked nothing yet goes on with the patterns that it is given.
        let same_patterns = self.patterns.len() == 0;
        let (mut ours, mut known) = (if same_patterns { patterns.clone() } else { self.patterns.clone() }, Vec::new());
        known.extend(profiles.into_iter().map(Known::new));
        let mut slots: Vec<(K, Slot, Option<Timestamp>)> = Vec::with_capacity(services.len());
        for (position, (key, service)) in services.into_iter().enumerate() {
            let unsorted = slots.last().is_some_and(|(before, _, _)| *before >= key);
            if self.services.contains_key(&key) || unsorted {
                return Err(AdoptError::KnownService { position });
            }
            let profile = service.profile();
            let theirs = profile.of_list_mut(&mut known).ok_or(AdoptError::Unsound { position })?;
            let (slot, due) = match service {
                Service::New { since, .. } if theirs.still => (Slot::New { profile, since }, None),
                Service::New { since, .. } => (Slot::awake(theirs.autoscaler(since), profile), Some(now)),
                Service::Awake { snapshot, due, .. } => {
                    let restored = Autoscaler::restore(*snapshot);
                    let autoscaler = restored.map_err(|error| AdoptError::Restore { position, error })?;
                    let autoscaler = autoscaler.sharing(&theirs.profile.shared());
                    (Slot::awake(autoscaler.ok_or(AdoptError::Unsound { position })?, profile), due)
                }
                Service::Parked { packed, .. } => {
                    let kept: Option<Kept> = patterns.unpack(&packed);
                    let kept = kept.and_then(|kept| kept.revived(theirs.profile.config()));
                    let kept = kept.ok_or(AdoptError::Unsound { position })?;
                    let repacked = if same_patterns {
                        Some((packed, theirs.pattern))
                    } else {
                        ours.pack(&kept, kept.now(), theirs.pattern, Form::Parked)
                    };
                    let restored = Autoscaler::from_kept(theirs.profile.shared(), kept);
                    let autoscaler = restored.ok_or(AdoptError::Unsound { position })?;
                    match repacked.filter(|_| autoscaler.is_at_rest()) {
                        Some((packed, pattern)) => {
                            theirs.pattern = pattern;
                            (Slot::Parked { profile, packed }, None)
                        }
                        None => (Slot::awake(autoscaler, profile), Some(now)),
                    }
                }
            };
            slots.push((key, slot, due));
        }
        self.patterns = ours;
        self.epoch = epoch;
        let profiles: Vec<ProfileId> = known.into_iter().map(|known| self.add_profile(known.profile)).collect();
        for (key, mut slot, due) in slots {
            if let Some(ours) = slot.profile().of_list(&profiles) {
                *slot.profile_mut() = *ours;
            }
            let needs = match &slot {
                Slot::Awake(awake) => Some((awake.profile, awake.autoscaler.needs())),
                _ => None,
            };
            self.services.insert(key.clone(), slot);
            let Some((profile, needs)) = needs else { continue };
            self.awake = self.awake.saturating_add(1);
            if let Some(known) = profile.of_list(&self.profiles) {
                self.grants.seed(&key, &known.profile, needs);
            }
            if let Some(Slot::Awake(awake)) = self.services.get_mut(&key) {
                self.timers.arm(&key, &mut awake.armed, due);
            }
            self.share(&key, now);
        }
        Ok(())
    }
}

impl Service {
    const fn profile(&self) -> ProfileId {
        match self {
            Self::New { profile, .. } | Self::Parked { profile, .. } | Self::Awake { profile, .. } => *profile,
        }
    }
}

/// Refuses commands of a process that has lost the service, and those that a newer decision may have taken back. One for
/// whoever executes commands.
#[derive(Clone, Debug, Default)]
pub struct Fence<K> {
    /// The latest epoch and sequence of each service.
    seen: BTreeMap<K, (u64, u64)>,
}

impl<K: Ord + Clone> Fence<K> {
    /// A fence that has seen nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self { seen: BTreeMap::new() }
    }

    /// Whether the decision's commands may be executed: it is not of an earlier epoch than one seen before for this service,
    /// nor, in the same epoch, of a smaller sequence.
    pub fn admits(&mut self, decided: &Decided<K>) -> bool {
        let this = (decided.epoch, decided.decision.sequence);
        match self.seen.get_mut(&decided.key) {
            Some(seen) if this < *seen => return false,
            Some(seen) => *seen = this,
            None => {
                self.seen.insert(decided.key.clone(), this);
            }
        }
        true
    }
}
