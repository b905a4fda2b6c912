//! Workers of several classes for one service: accelerators of several kinds, spot beside on demand.
//!
//! A [`MixedPool`] decides in two steps. How much capacity is wanted is what an ordinary
//! [`Autoscaler`] decides, with its policies, delays and bounds, in *reference workers* (a worker of
//! capacity 1): it sees the whole traffic of the service, and the workers of all classes as the reference workers that they
//! are worth. How that capacity is made up is what [`mix`](fn@mix) decides: at the least cost within the limits of the classes,
//! passing over those whose provider refuses at present. Each class then is a pool of its own, with its orders, back-off,
//! breaker, drains and standby workers.
//!
//! - **Out of stock.** A start that fails closes a class for its back-off, as always; what it would have had is ordered of
//!   the next best in the same decision. When it may be asked again it is, and its workers replace the others once they are
//!   ready: no worker goes before those that stay have the wanted capacity.
//! - **Spot.** A floor of on-demand workers is a class's `floor`. A spot worker that is taken back counts as a refusal, so
//!   others are ordered at that same instant. With `stand_ins` other workers are ordered, too, for as long as spot workers
//!   start.
//! - **Cold starts.** By default they count for nothing. With `waiting` a class that is ready sooner may be taken before a
//!   cheaper one while capacity is missing, and makes room for it afterwards: see [`Waiting`].
//! - **Speed.** A class whose capacity is not given learns it from the service times of its requests.
//!
//! Bounds, as the service has them, hold for what is wanted. The plan exceeds that by less than one worker for each rank
//! that it calls on, and never a class's limit. While workers are exchanged both the old and the new ones are paid for.
//!
//! ```
//! use plimsoll::classes::{Class, ClassId, MixedPool, Price, Settings};
//! use plimsoll::{Command, Config, FailureCause, Observation, Timestamp};
//!
//! let classes = vec![
//!     Class::new("A100 spot", Price::per_hour(1.2)?, 8).spot(),
//!     Class::new("A100", Price::per_hour(3.0)?, 8),
//! ];
//! let mut pool = MixedPool::new(Settings::new(Config::fixed(3)?, classes)?, Timestamp::ORIGIN);
//! let decision = pool.decide(Timestamp::ORIGIN);
//! assert_eq!(decision.to_string(), "3 × A100 spot: cheapest for 3 wanted");
//! assert_eq!(decision.commands[0].class, ClassId(0));
//! assert_eq!(decision.commands[0].command, Command::Start { count: 3 });
//!
//! // Spot has two of them, and then no more.
//! let now = Timestamp::from_secs(2);
//! for id in 0..2 {
//!     pool.observe_class(now, ClassId(0), Observation::worker(plimsoll::WorkerId(id), plimsoll::WorkerEvent::Ordered))?;
//! }
//! let refused = Observation::StartFailed { count: 1, cause: FailureCause::StockOut };
//! pool.observe_class(now, ClassId(0), refused)?;
//! let decision = pool.decide(now);
//! assert_eq!(
//!     decision.to_string(),
//!     "2 × A100 spot + 1 × A100: next best for 3 wanted; A100 spot out of stock until +8.6 s"
//! );
//! assert_eq!(decision.next_wakeup, decision.classes[0].trouble.map(|trouble| trouble.at));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod amounts;
mod cover;
mod decision;
mod error;
mod learn;
mod making;
pub mod mix;
mod part;
mod planner;
mod preset;
mod settings;
mod snapshot;
mod waiting;

use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

pub use self::amounts::{Capacity, NotACapacity, NotAPrice, Price};
pub use self::decision::{ClassCommand, ClassCount, Decision, Reason};
pub use self::error::SettingsError;
pub use self::learn::LEARNED;
use self::learn::Work;
pub use self::mix::{Mix, Offer, Order, REFERENCE, mix};
use self::part::Part;
pub use self::settings::{Class, Settings};
pub use self::snapshot::PoolSnapshot;
pub use self::waiting::Waiting;
use crate::autoscaler::Autoscaler;
use crate::decision::Explanation;
use crate::observation::{Mode, Observation, PoolCounts, Rejected};
use crate::report::Report;
use crate::status::Status;
use crate::time::{Timestamp, nanos};

/// A class, by its place in the settings.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClassId(pub u8);

impl fmt::Display for ClassId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "class {}", self.0)
    }
}

/// Why a call was refused. Nothing has changed but the count of refusals.
#[derive(Clone, Copy, PartialEq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// There is no such class.
    #[error("{class} is not among the settings' {classes} classes: classes are counted from 0, in the settings' order")]
    UnknownClass {
        /// The class given.
        class: ClassId,
        /// How many there are.
        classes: usize,
    },
    /// A worker, or a count of workers, was spoken of without its class.
    #[error("workers need a class: tell observe_class each worker's events, or the counts of each class")]
    OfAClass,
    /// What concerns the whole service was told of a class.
    #[error("only workers, failed starts and finished requests are of one class: give other facts to observe")]
    OfTheService,
    /// The queue of a single worker.
    #[error("workers of several classes share one queue: leave `queue` out, and add up what their own queues hold")]
    QueueOfAWorker,
    /// What is said makes no sense, or does not fit what is known.
    #[error(transparent)]
    Rejected(#[from] Rejected),
}

/// Decides how many workers of each class a service should have. See the [module](self).
///
/// It is told of requests by [`observe`](Self::observe) or [`report`](Self::report), and of workers, by their ids within
/// their class or by counts of it, by [`observe_class`](Self::observe_class). No call panics, and the same calls give the same decisions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MixedPool {
    settings: Settings,
    /// Decides how many reference workers are wanted. Its own commands are not used.
    planner: Autoscaler,
    parts: Vec<Part>,
    /// The work that a request is.
    work: Work,
    /// What the planner was last told of the workers.
    told: PoolCounts,
    /// The latest instant that was ever given.
    now: Timestamp,
    sequence: u64,
    refused: u64,
}

impl MixedPool {
    /// A pool that starts at `now`. Tell it of workers that exist already: they are taken over, not stopped.
    #[must_use]
    pub fn new(settings: Settings, now: Timestamp) -> Self {
        let planner = Autoscaler::new(settings.service().clone(), now);
        // The settings were tried when they were made.
        let configs = settings.ids().filter_map(|id| settings.class_config(id).ok());
        let parts = configs.zip(settings.classes()).map(|(config, class)| Part::new(config, class, now)).collect();
        let (work, told) = (Work::default(), PoolCounts::default());
        let mut pool = Self { settings, planner, parts, work, told, now, sequence: 0, refused: 0 };
        pool.tell(0, true);
        pool
    }

    /// Takes in one fact about the service as a whole: its requests, or an operator's orders, in reference workers.
    ///
    /// # Errors
    /// If it is about workers, or makes no sense; then nothing has changed but the count of refusals.
    pub fn observe(&mut self, now: Timestamp, observation: Observation) -> Result<(), Refused> {
        let outcome = match observation {
            Observation::Worker { .. } | Observation::StartFailed { .. } | Observation::Pool(_) => {
                Err(Refused::OfAClass)
            }
            Observation::Arrived { queue: Some(_), .. }
            | Observation::Started { queue: Some(_), .. }
            | Observation::Abandoned { queue: Some(_), .. }
            | Observation::Queue { queue: Some(_), .. } => Err(Refused::QueueOfAWorker),
            _ => Ok(()),
        };
        self.count(outcome)?;
        let now = self.live(now);
        let outcome = self.planner.observe(now, observation);
        self.count(outcome.map_err(Refused::from))?;
        self.accepted();
        Ok(())
    }

    /// Takes in what one observer counted, as [`Autoscaler::report`] does.
    ///
    /// # Errors
    /// As [`Autoscaler::report`].
    pub fn report(&mut self, now: Timestamp, report: &Report) -> Result<(), Refused> {
        let now = self.live(now);
        let outcome = self.planner.report(now, report);
        self.count(outcome.map_err(Refused::from))?;
        self.accepted();
        Ok(())
    }

    /// Takes in one fact about the workers of a class; or about a request that one of them has finished, from which its
    /// capacity is learned. Of such a request the service as a whole is told, too.
    ///
    /// The workers of a class are known by their ids ([`Observation::Worker`]), or by how many there are in each state
    /// ([`Observation::Pool`]), as it is with an [`Autoscaler`]: then its commands say how many are to be let go or brought
    /// back, and the platform chooses which. One class may be known by ids and another by counts.
    ///
    /// # Errors
    /// If there is no such class, or the fact is not about workers or does not fit what is known of them; then nothing has
    /// changed but the count of refusals.
    pub fn observe_class(&mut self, now: Timestamp, class: ClassId, observation: Observation) -> Result<(), Refused> {
        let of_workers = matches!(
            observation,
            Observation::Worker { .. }
                | Observation::StartFailed { .. }
                | Observation::Pool(_)
                | Observation::Finished { .. }
        );
        self.count(if of_workers { Ok(()) } else { Err(Refused::OfTheService) })?;
        let known = usize::from(class.0) < self.parts.len();
        self.count(if known { Ok(()) } else { Err(Refused::UnknownClass { class, classes: self.parts.len() }) })?;
        let now = self.live(now);
        let spot = self.settings.class(class).is_some_and(|class| class.spot);
        let Some(part) = class.of_mut(&mut self.parts) else { return Ok(()) };
        let outcome = part.observe(now, spot, observation);
        let capacity = u64::from(part.capacity.as_thousandths());
        let adopted = self.count(outcome.map_err(Refused::from))?;
        if let Observation::Finished { service } = observation {
            let outcome = self.planner.observe(now, observation);
            self.count(outcome.map_err(Refused::from))?;
            self.learn(class, nanos(service));
        }
        self.tell(capacity.saturating_mul(u64::from(adopted)), false);
        self.accepted();
        Ok(())
    }

    /// The decision at `now`. Asking again repeats no command.
    #[must_use = "the commands are given once"]
    pub fn decide(&mut self, now: Timestamp) -> Decision {
        let now = self.live(now);
        if self.planner.mode() == Mode::Observe {
            let (would, made) = self.clone().act(now);
            return self.explained(&made, Vec::new(), would);
        }
        let (commands, made) = self.act(now);
        self.explained(&made, commands, Vec::new())
    }

    /// The instant at which something could change without a new observation, after the latest call; `None` if nothing
    /// could. Calling earlier is harmless.
    #[must_use]
    pub fn next_wakeup(&self) -> Option<Timestamp> {
        let parts = self.parts.iter().filter_map(Part::next_wakeup);
        parts.chain(self.planner.next_change_by_time()).filter(|at| *at > self.now).min()
    }

    /// How many reference workers are wanted, as of the latest call.
    #[must_use]
    pub const fn wanted(&self) -> u32 {
        self.planner.desired()
    }

    /// The last changes of how many reference workers are wanted, oldest first, as many as the service's configuration keeps.
    #[must_use]
    pub fn events(&self) -> impl DoubleEndedIterator<Item = &Explanation> + ExactSizeIterator {
        self.planner.events()
    }

    /// The settings.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The service at a glance, its workers counted in reference workers, as of the latest call.
    #[must_use]
    pub fn status(&self) -> Status {
        let mut status = self.planner.status();
        status.input.rejected = self.refused;
        status
    }

    /// One class at a glance, as of the latest call; `None` if there is no such class.
    #[must_use]
    pub fn class_status(&self, class: ClassId) -> Option<Status> {
        class.of(&self.parts).map(|part| part.autoscaler().status())
    }

    /// What a worker of a class counts for; `None` if there is no such class.
    #[must_use]
    pub fn capacity(&self, class: ClassId) -> Option<Capacity> {
        class.of(&self.parts).map(|part| part.capacity)
    }

    // Time ------------------------------------------------------------------------------------------------------

    /// Lives through the time up to `now`, stopping at every instant at which anything changes; an earlier `now` counts as
    /// the latest one.
    fn live(&mut self, now: Timestamp) -> Timestamp {
        let now = now.max(self.now);
        while let Some(at) = self.next_change().filter(|at| *at <= now) {
            self.sequence = self.sequence.saturating_add(1);
            self.step(at);
        }
        self.step(now);
        now
    }

    fn step(&mut self, now: Timestamp) {
        self.now = now;
        self.planner.live(now);
        for part in &mut self.parts {
            part.live(now);
        }
        self.tell(0, false);
    }

    fn next_change(&self) -> Option<Timestamp> {
        let parts = self.parts.iter().filter_map(Part::next_change);
        parts.chain(self.planner.next_change_by_time()).filter(|at| *at > self.now).min()
    }

    const fn accepted(&mut self) {
        self.sequence = self.sequence.saturating_add(1);
    }

    fn count<T>(&mut self, outcome: Result<T, Refused>) -> Result<T, Refused> {
        self.refused = self.refused.saturating_add(u64::from(outcome.is_err()));
        outcome
    }
}
