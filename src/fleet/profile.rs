//! What services share: a configuration, and a place in the budget.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::budget::{Claim, Kind};
use crate::autoscaler::{Autoscaler, Needs};
use crate::config::Config;
use crate::signal::Learned;
use crate::time::Timestamp;

/// A configuration, and what its services count for in a budget. Kept once, however many services share it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Profile {
    config: Arc<Config>,
    weight: NonZeroU32,
    priority: u8,
    units: NonZeroU32,
    kind: Kind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    prior: Option<Box<Learned>>,
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    folded: bool,
}

impl Profile {
    /// This configuration, with weight one in the lowest priority class, one unit of the default kind per worker.
    #[must_use]
    pub fn new(config: impl Into<Arc<Config>>) -> Self {
        Self {
            config: config.into(),
            weight: NonZeroU32::MIN,
            priority: 0,
            units: NonZeroU32::MIN,
            kind: Kind(0),
            prior: None,
            folded: false,
        }
    }

    /// The share among those of the same class.
    #[must_use]
    pub const fn with_weight(mut self, weight: NonZeroU32) -> Self {
        self.weight = weight;
        self
    }

    /// The priority class: higher goes before lower.
    #[must_use]
    pub const fn with_priority(mut self, priority: u8) -> Self {
        self.priority = priority;
        self
    }

    /// How many units of which kind one worker takes.
    #[must_use]
    pub const fn with_units(mut self, units: NonZeroU32, kind: Kind) -> Self {
        self.units = units;
        self.kind = kind;
        self
    }

    /// What objectives of services that are added with this profile begin with: see [`Fleet::learned`](super::Fleet::learned).
    #[must_use]
    pub fn with_prior(mut self, learned: Learned) -> Self {
        self.prior = Some(Box::new(learned));
        self
    }

    /// Keeps its services in a compact form while nobody touches them, whatever they do: the setting for a great many services
    /// that stand and wait, or are told of now and then.
    ///
    /// A service is *folded* by each of its decisions, and unfolded when it is observed or due. Its decisions stay the same to
    /// the bit. One of a few workers takes some 270 to 400 bytes in place of three or four thousand, 550 to 630 with an objective;
    /// events of its log come on top (see [`Config::with_event_log`]). To unfold and fold it takes some 60 µs, as long as
    /// several hundred decisions. While a [budget](super::Fleet::set_budget) limits its kind of workers a service stays as it is.
    #[must_use]
    pub const fn folded(mut self) -> Self {
        self.folded = true;
        self
    }

    pub(super) const fn is_folded(&self) -> bool {
        self.folded
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The same, to be kept.
    pub(super) fn shared(&self) -> Arc<Config> {
        Arc::clone(&self.config)
    }

    pub(super) fn set_config(&mut self, config: Arc<Config>) {
        self.config = config;
    }

    /// The kind of capacity that its workers take.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    pub(super) const fn claim(&self, needs: Needs) -> Claim {
        let Self { weight, priority, units, kind, .. } = *self;
        Claim { wanted: needs.wanted, floor: needs.least, cap: needs.most, weight, priority, units, kind }
    }
}

/// The number of a profile in its fleet.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProfileId(u32);

impl ProfileId {
    pub(super) fn of(position: usize) -> Self {
        Self(u32::try_from(position).unwrap_or(u32::MAX))
    }

    pub(super) fn of_list<T>(self, list: &[T]) -> Option<&T> {
        list.get(usize::try_from(self.0).ok()?)
    }

    pub(super) fn of_list_mut<T>(self, list: &mut [T]) -> Option<&mut T> {
        list.get_mut(usize::try_from(self.0).ok()?)
    }
}

/// A profile, and what is known of its services.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) profile: Profile,
    /// A service of which nothing is observed does nothing, ever: at no time of its schedule, if it has one.
    pub(super) still: bool,
    /// The patterns that last suited one of its services that was parked, and one that was folded.
    pub(super) pattern: usize,
    pub(super) folded_pattern: usize,
    /// How often one of its services was folded, and how often that made a pattern.
    folds: u64,
    folded_patterns: u32,
}

impl Known {
    pub(super) fn new(profile: Profile) -> Self {
        let still = is_still(&profile.config);
        Self { profile, still, pattern: 0, folded_pattern: 0, folds: 0, folded_patterns: 0 }
    }

    /// Another of its services is folded: whether it may become a pattern. The first have not lived for long, so of one pattern
    /// it may be the first, of the next the sixteenth or a later one, and so on.
    pub(super) fn next_may_be_pattern(&mut self) -> bool {
        self.folds = self.folds.saturating_add(1);
        self.folds.checked_shr(self.folded_patterns.saturating_mul(4)).unwrap_or(0) > 0
    }

    pub(super) const fn folded_by(&mut self, pattern: usize, new: bool) {
        self.folded_pattern = pattern;
        self.folded_patterns = self.folded_patterns.saturating_add(new as u32);
    }

    /// Another price of a late request: the configuration with it, if it goes by one.
    pub(super) fn priced(&self, price: NonZeroU32) -> Option<Arc<Config>> {
        Some(Arc::new(Config::clone(&self.profile.config).with_price(price)?))
    }

    pub(super) fn autoscaler(&self, now: Timestamp) -> Autoscaler {
        let autoscaler = Autoscaler::slim(self.profile.shared(), now);
        match &self.profile.prior {
            Some(learned) => autoscaler.with_prior(learned),
            None => autoscaler,
        }
    }
}

/// Only the bounds of a schedule depend on when it is asked, so without one it is enough to look at one start.
fn is_still(config: &Config) -> bool {
    let mut autoscaler = Autoscaler::new(config.clone(), Timestamp::ORIGIN);
    let mut now = Timestamp::ORIGIN;
    // Without an observation there are only so many wake-ups; an empty service has but the end of its first window.
    for _ in 0..4 {
        let decision = autoscaler.decide(now);
        if decision.desired > 0 || !decision.is_idle() {
            return false;
        }
        match decision.next_wakeup {
            None => return config.schedule().is_empty(),
            Some(at) => now = at,
        }
    }
    false
}
