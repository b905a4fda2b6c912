//! Many autoscalers under one roof, still without I/O.
//!
//! A [`Fleet`] keeps one [`Autoscaler`] per service under the caller's own key. Whatever is observed goes to
//! [`observe`](Fleet::observe) with that key; [`due`](Fleet::due) then gives the decisions of those services, and only
//! those, of which something was observed or whose wake-up has come. Each decision is the one that the service's
//! autoscaler would make alone.
//!
//! - **Parked services.** Most services of a large fleet are at zero and silent. A service at rest (no worker, nothing
//!   waiting, windows empty, no wait running, mode automatic) is *parked*: what is kept of it is a byte string of some
//!   40 to 90 bytes, from which the next observation restores the very same autoscaler. Only the scaling events before the
//!   last are forgotten. One that was never used keeps no more than its instant of birth.
//! - **Folded services.** A [profile](Profile::folded) may have its services kept in such a form whatever they do, until they
//!   are observed or due: some 400 bytes each, with their windows and delays.
//! - **Profiles.** A configuration, and the service's place in a budget, is kept once for all services that share it, and
//!   what new ones [begin with](Profile::with_prior): what objectives of others like them have learned.
//! - **One price** ([`SharedPrice`]): what a late request of any of them is worth, found by what they leave late together.
//! - **One budget** ([`Budget`]): what all services of a kind may have together. See [`Fleet::set_budget`].
//! - **Shards.** A fleet is [split](Fleet::split_off) by key ranges and [taken over](Fleet::adopt) by another process, under
//!   fencing epochs.
//!
//! ```
//! use core::time::Duration;
//! use plimsoll::fleet::{Fleet, Profile};
//! use plimsoll::policy::RunPod;
//! use plimsoll::{Command, Config, Observation, Timestamp};
//!
//! let config = Config::runpod(RunPod::request_count(4), 0, 10, Duration::from_secs(30))?;
//! let mut fleet = Fleet::new(1);
//! let small = fleet.add_profile(Profile::new(config));
//! for key in 0..1_000 {
//!     fleet.insert(key, small, Timestamp::ORIGIN)?;
//! }
//! assert_eq!((fleet.len(), fleet.awake()), (1_000, 0));
//!
//! let now = Timestamp::from_secs(90);
//! fleet.observe(&7, now, Observation::arrived(1))?;
//! let due: Vec<_> = fleet.due(now).collect();
//! assert_eq!(due.len(), 1);
//! assert_eq!((due[0].key, &due[0].decision.commands[..]), (7, &[Command::Start { count: 1 }][..]));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod budget;
mod grants;
mod pack;
mod price;
mod profile;
mod shard;
mod slot;
mod timers;

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::num::NonZeroU32;

pub use self::budget::{Budget, Claim, Kind};
use self::grants::Grants;
pub use self::grants::{Holder, Shortage};
use self::pack::Patterns;
pub use self::price::SharedPrice;
use self::profile::Known;
pub use self::profile::{Profile, ProfileId};
pub use self::shard::{AdoptError, Fence, FleetSnapshot};
use self::slot::{Awake, Slot};
use self::timers::Timers;
use crate::autoscaler::Autoscaler;
use crate::decision::Decision;
use crate::observation::{Grant, Observation, Rejected};
use crate::report::Report;
use crate::signal::Learned;
use crate::time::Timestamp;

/// Settling a budget may change what is wanted, which may have to be settled again: so often within one call at the most.
const ROUNDS: u32 = 4;

/// Many autoscalers, each under the caller's key. See the [module](self).
#[derive(Clone, Debug)]
pub struct Fleet<K> {
    epoch: u64,
    profiles: Vec<Known>,
    services: BTreeMap<K, Slot>,
    awake: usize,
    timers: Timers<K>,
    patterns: Patterns,
    grants: Grants<K>,
}

/// A decision of one service of a fleet.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Decided<K> {
    /// The service.
    pub key: K,
    /// The fleet's epoch: whoever executes commands refuses those of an epoch before the latest it has seen for this
    /// service, see [`Fence`].
    pub epoch: u64,
    /// The decision.
    pub decision: Decision,
}

/// Why a fleet refused a call. Nothing has changed, but for the count of refusals of an observation.
#[derive(Clone, Copy, PartialEq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// No service of this key.
    #[error("no service has this key: insert it first, or ask the fleet that its range was split off to")]
    UnknownService,
    /// A service of this key is there.
    #[error("a service has this key already: remove it first, or give it another profile")]
    KnownService,
    /// A profile of another fleet, or of none.
    #[error("the fleet has no such profile: use what its add_profile returned")]
    UnknownProfile,
    /// A profile without a price.
    #[error(
        "the profile's services do not go by a price of a late request: give it a configuration with an objective that has one"
    )]
    NoPrice,
    /// No price at all.
    #[error("a late request must be worth something: the price is 0 worker-seconds")]
    ZeroPrice,
    /// The service's autoscaler refused the observation.
    #[error(transparent)]
    Rejected(#[from] Rejected),
}

impl<K: Ord + Clone> Fleet<K> {
    /// A fleet without services. Its epoch goes with every decision; it only matters where several processes share the
    /// services between them, see [`adopt`](Self::adopt).
    #[must_use]
    pub fn new(epoch: u64) -> Self {
        Self {
            epoch,
            profiles: Vec::new(),
            services: BTreeMap::new(),
            awake: 0,
            timers: Timers::new(),
            patterns: Patterns::default(),
            grants: Grants::default(),
        }
    }

    /// Keeps a profile for the services that will share it.
    pub fn add_profile(&mut self, profile: Profile) -> ProfileId {
        let known = Known::new(profile);
        if let Some(at) = self.profiles.iter().position(|other| other.profile == known.profile) {
            return ProfileId::of(at);
        }
        self.profiles.push(known);
        ProfileId::of(self.profiles.len().saturating_sub(1))
    }

    /// Adds a service that is watched from `now` on.
    ///
    /// # Errors
    /// If the key is taken, or the profile is not this fleet's.
    pub fn insert(&mut self, key: K, profile: ProfileId, now: Timestamp) -> Result<(), Refused> {
        let known = profile.of_list(&self.profiles).ok_or(Refused::UnknownProfile)?;
        if self.services.contains_key(&key) {
            return Err(Refused::KnownService);
        }
        if known.still {
            self.services.insert(key, Slot::New { profile, since: now });
            return Ok(());
        }
        let autoscaler = known.autoscaler(now);
        self.services.insert(key.clone(), Slot::awake(autoscaler, profile));
        self.awake = self.awake.saturating_add(1);
        self.touched(&key, now, true);
        Ok(())
    }

    /// Gives a service up and returns its autoscaler; `None` if there is none.
    pub fn remove(&mut self, key: &K) -> Option<Autoscaler> {
        self.wake(key)?;
        self.awake = self.awake.saturating_sub(1);
        match self.services.remove(key)? {
            Slot::Awake(awake) => {
                if let Some(known) = awake.profile.of_list(&self.profiles) {
                    self.grants.forget(known.profile.kind(), key);
                }
                Some(awake.autoscaler)
            }
            _ => None,
        }
    }

    /// Takes in one fact about one service, as [`Autoscaler::observe`] does. Grants are the fleet's own to tell, see
    /// [`set_budget`](Self::set_budget): one that is told here does not stand.
    ///
    /// # Errors
    /// If there is no such service, or its autoscaler refuses the observation.
    pub fn observe(&mut self, key: &K, now: Timestamp, observation: Observation) -> Result<(), Refused> {
        let awake = self.wake(key).ok_or(Refused::UnknownService)?;
        let outcome = awake.autoscaler.observe(now, observation);
        self.touched(key, now, true);
        Ok(outcome?)
    }

    /// Takes in what one observer counted of one service, as [`Autoscaler::report`] does.
    ///
    /// # Errors
    /// If there is no such service, or its autoscaler refuses the report.
    pub fn report(&mut self, key: &K, now: Timestamp, report: &Report) -> Result<(), Refused> {
        let awake = self.wake(key).ok_or(Refused::UnknownService)?;
        let outcome = awake.autoscaler.report(now, report);
        self.touched(key, now, true);
        Ok(outcome?)
    }

    /// Goes on with another profile for one service, as [`Autoscaler::reconfigure`] does.
    ///
    /// # Errors
    /// If there is no such service, or the profile is not this fleet's.
    pub fn reconfigure(&mut self, key: &K, now: Timestamp, profile: ProfileId) -> Result<(), Refused> {
        let known = profile.of_list(&self.profiles).ok_or(Refused::UnknownProfile)?;
        let config = known.profile.shared();
        let awake = self.wake(key).ok_or(Refused::UnknownService)?;
        awake.autoscaler.reconfigure(now, config);
        let before = core::mem::replace(&mut awake.profile, profile);
        if let Some(before) = before.of_list(&self.profiles).filter(|_| before != profile) {
            self.grants.forget(before.profile.kind(), key);
        }
        self.touched(key, now, true);
        Ok(())
    }

    /// Has all services of a profile go by this price of a late request from `now` on, in worker-seconds: see [`SharedPrice`].
    /// What they have learned stays, as with [`Autoscaler::reconfigure`]. Those that are parked go by it when they wake.
    ///
    /// # Errors
    /// If the profile is not this fleet's, has no objective with a price, or the price is zero.
    pub fn set_price(&mut self, profile: ProfileId, now: Timestamp, price: u32) -> Result<(), Refused> {
        let known = profile.of_list(&self.profiles).ok_or(Refused::UnknownProfile)?;
        let price = NonZeroU32::new(price).ok_or(Refused::ZeroPrice)?;
        let config = known.priced(price).ok_or(Refused::NoPrice)?;
        // Whoever is folded is unfolded with the price that it has gone by so far.
        for key in self.keys_of(|slot| slot.profile() == profile && !slot.is_parked()) {
            if let Some(awake) = self.wake(&key) {
                awake.autoscaler.reconfigure(now, Arc::clone(&config));
            }
            self.touched(&key, now, true);
        }
        if let Some(known) = profile.of_list_mut(&mut self.profiles) {
            known.profile.set_config(config);
        }
        Ok(())
    }

    /// The decisions that are due at `now`: of the services of which something was observed that may matter, and of those
    /// whose wake-up has come, in the order of those instants and then of the keys. Each service comes at most once, so a
    /// call ends; whoever stops early finds the rest at the next call, before what has become due since.
    ///
    /// What a [budget](Self::set_budget) grants is settled first, and again when the others are through.
    pub const fn due(&mut self, now: Timestamp) -> Due<'_, K> {
        Due { fleet: self, now, rounds: ROUNDS }
    }

    /// One service's decision at `now`, due or not; `None` if there is no such service.
    pub fn decide(&mut self, key: &K, now: Timestamp) -> Option<Decided<K>> {
        self.settle(now);
        self.wake(key)?;
        self.decided(key.clone(), now, None)
    }

    /// The earliest instant at which [`due`](Self::due) could give anything without a further observation; `None` if it
    /// could give nothing. Calling earlier is harmless.
    #[must_use]
    pub fn next_wakeup(&self) -> Option<Timestamp> {
        self.timers.first()
    }

    /// What the objectives of this profile's services have learned together, for a [prior](Profile::with_prior) of services that
    /// are still to come; `None` if it has no objective, or no request ever came. It looks at every service of the fleet.
    #[must_use]
    pub fn learned(&self, profile: ProfileId) -> Option<Learned> {
        let mut all: Option<Learned> = None;
        for slot in self.services.values().filter(|slot| slot.profile() == profile) {
            if let Some(learned) = slot.learned(&self.profiles, &self.patterns) {
                all.get_or_insert_default().add(&learned);
            }
        }
        all
    }

    /// A copy of one service's autoscaler as it stands, for its status, events or snapshot.
    #[must_use]
    pub fn autoscaler(&self, key: &K) -> Option<Autoscaler> {
        self.services.get(key)?.autoscaler(&self.profiles, &self.patterns)
    }

    /// How many workers one service should have, as of the latest call.
    #[must_use]
    pub fn desired(&self, key: &K) -> Option<u32> {
        self.services.get(key).map(Slot::desired)
    }

    /// The services' keys, in order.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.services.keys()
    }

    /// How many services there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.services.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.services.is_empty()
    }

    /// How many of them are not parked.
    #[must_use]
    pub const fn awake(&self) -> usize {
        self.awake
    }

    /// The epoch that goes with every decision.
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Has all services share these capacity units from `now` on, or takes all budgets back with an empty one.
    ///
    /// Every service asks for what it wants, in the place that its [profile](Profile) gives it, and is told by
    /// [`Observation::Grant`] what it gets; [`Budget::allocate`] says how that is shared out. A grant that shrinks is a cap
    /// at once. One that grows waits until there is room for it: as long as workers that were told to go are there, their
    /// units are taken. So the workers that exist, those under way and the caps together are never above the budget,
    /// whatever anybody wants (but for a budget that is lowered, until as many workers have gone). Within a service idle
    /// workers go before busy ones, as always. A service that gets less than it wants says so in its explanation, and
    /// [`shortage`](Self::shortage) says who has the rest.
    ///
    /// Workers that nobody ordered are not taken over while a budget stands, unless there is a grant for them: report what
    /// exists already before the budget is set.
    pub fn set_budget(&mut self, now: Timestamp, budget: &Budget) {
        // Whoever is granted something is asked what it needs all the time.
        let profiles = &self.profiles;
        let limited = |slot: &Slot| {
            let kind = slot.profile().of_list(profiles).map(|known| known.profile.kind());
            kind.and_then(|kind| budget.units(kind)).is_some()
        };
        for key in self.keys_of(|slot| !slot.is_parked() && limited(slot)) {
            self.wake(&key);
        }
        let awake = self.services.iter().filter_map(|(key, slot)| match slot {
            Slot::Awake(awake) => Some((key, awake.profile.of_list(&self.profiles)?, awake.autoscaler.needs())),
            _ => None,
        });
        let freed = self.grants.set_budget(budget, awake);
        for key in freed {
            self.grant(&key, now, None);
        }
        self.settle(now);
    }

    /// Why one service has less than it wants, and who has the rest; `None` if it has what it wants.
    #[must_use]
    pub fn shortage(&self, key: &K) -> Option<Shortage<K>> {
        let Slot::Awake(awake) = self.services.get(key)? else { return None };
        self.grants.shortage(awake.profile.of_list(&self.profiles)?.profile.kind(), key)
    }

    // Parking ---------------------------------------------------------------------------------------------------

    /// The service's autoscaler, restored if it was parked.
    fn wake(&mut self, key: &K) -> Option<&mut Awake> {
        let slot = self.services.get_mut(key)?;
        if slot.wake(&self.profiles, &self.patterns)? {
            self.awake = self.awake.saturating_add(1);
        }
        if let Slot::Awake(awake) = slot { Some(awake) } else { None }
    }

    fn keys_of(&self, is_one: impl Fn(&Slot) -> bool) -> Vec<K> {
        self.services.iter().filter(|(_, slot)| is_one(slot)).map(|(key, _)| key.clone()).collect()
    }

    /// Parks a service at rest; another one is folded, if its profile says so. What a budget grants stays as it is.
    fn let_rest(&mut self, key: &K, decided: &Decision) {
        let Some(slot) = self.services.get_mut(key) else { return };
        let Some(known) = slot.profile().of_list_mut(&mut self.profiles) else { return };
        let (kind, folds) = (known.profile.kind(), known.profile.is_folded());
        let silent = decided.desired == 0 && decided.next_wakeup.is_none();
        if silent && !self.grants.holds(kind, key) && slot.park(known, &mut self.patterns) {
            self.awake = self.awake.saturating_sub(1);
        } else if folds && !self.grants.limits(kind) {
            slot.fold(known, &mut self.patterns);
        }
    }

    // Time ------------------------------------------------------------------------------------------------------

    /// The service's autoscaler was told something at `now`.
    fn touched(&mut self, key: &K, now: Timestamp, observed: bool) {
        let Some(Slot::Awake(awake)) = self.services.get_mut(key) else { return };
        let counted = observed && awake.autoscaler.has_only_counted();
        // What was only counted calls for no decision, but may bring the next wake-up closer.
        let due = if counted { awake.autoscaler.earliest_wakeup() } else { Some(now) };
        // Whoever is to be folded comes up once more.
        let folds = || awake.profile.of_list(&self.profiles).is_some_and(|known| known.profile.is_folded());
        let due = due.or_else(|| folds().then_some(now));
        self.timers.arm(key, &mut awake.armed, due);
        let shares = !counted && (self.grants.are_any() || awake.autoscaler.is_granted());
        self.timers.sweep(self.awake, |key, at| is_armed(&self.services, key, at));
        if shares {
            self.share(key, now);
        }
    }

    /// Decides for a service that is awake, and parks it if it has come to rest; only if its timer is this one, if there is
    /// one.
    fn decided(&mut self, key: K, now: Timestamp, timer: Option<Timestamp>) -> Option<Decided<K>> {
        if timer.is_some() && self.services.get(&key)?.armed() != timer {
            return None;
        }
        self.wake(&key)?;
        let Some(Slot::Awake(awake)) = self.services.get_mut(&key) else { return None };
        let decision = awake.autoscaler.decide(now);
        awake.armed = None;
        self.timers.arm(&key, &mut awake.armed, decision.next_wakeup);
        if self.grants.are_any() {
            self.share(&key, now);
        }
        self.let_rest(&key, &decision);
        Some(Decided { key, epoch: self.epoch, decision })
    }

    // Budget ----------------------------------------------------------------------------------------------------

    /// Tells the budget what the service needs now, and the service what it is granted at once.
    fn share(&mut self, key: &K, now: Timestamp) {
        for _ in 0..ROUNDS {
            let Some(Slot::Awake(awake)) = self.services.get(key) else { return };
            let Some(known) = awake.profile.of_list(&self.profiles) else { return };
            if !self.grants.limits(known.profile.kind()) {
                // What a budget that stands no more has left behind.
                if awake.autoscaler.is_granted() {
                    self.grant(key, now, None);
                }
                return;
            }
            match self.grants.update(key, &known.profile, awake.autoscaler.needs()) {
                Some(grant) => self.grant(key, now, Some(grant)),
                None => return,
            }
        }
    }

    /// Shares the budgets out anew where anybody waits and anything has changed.
    fn settle(&mut self, now: Timestamp) {
        for (key, grant) in self.grants.settle() {
            self.grant(&key, now, Some(grant));
            self.share(&key, now);
        }
    }

    fn grant(&mut self, key: &K, now: Timestamp, grant: Option<Grant>) {
        let Some(Slot::Awake(awake)) = self.services.get_mut(key) else { return };
        // A grant is always acceptable.
        let _ = awake.autoscaler.observe(now, Observation::Grant(grant));
        self.timers.arm(key, &mut awake.armed, Some(now));
    }
}

fn is_armed<K: Ord>(services: &BTreeMap<K, Slot>, key: &K, at: Timestamp) -> bool {
    services.get(key).and_then(Slot::armed) == Some(at)
}

/// The decisions that are due, one after the other. See [`Fleet::due`].
#[derive(Debug)]
pub struct Due<'a, K> {
    fleet: &'a mut Fleet<K>,
    now: Timestamp,
    rounds: u32,
}

impl<K: Ord + Clone> Iterator for Due<'_, K> {
    type Item = Decided<K>;

    fn next(&mut self) -> Option<Decided<K>> {
        loop {
            if self.rounds > 0 && self.fleet.grants.is_unsettled() {
                self.rounds = self.rounds.saturating_sub(1);
                self.fleet.settle(self.now);
            }
            let (key, at) = self.fleet.timers.pop(self.now)?;
            if let Some(decided) = self.fleet.decided(key, self.now, Some(at)) {
                return Some(decided);
            }
        }
    }
}
