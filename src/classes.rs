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
mod learn;
pub mod mix;
mod part;
mod preset;
mod settings;
mod snapshot;

use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

pub use self::amounts::{Capacity, NotACapacity, NotAPrice, Price};
pub use self::decision::{ClassCommand, ClassCount, Decision, Reason};
pub use self::learn::LEARNED;
use self::learn::Work;
use self::mix::price;
pub use self::mix::{Mix, Offer, Order, REFERENCE, mix};
use self::part::Part;
pub use self::settings::{Class, Settings, SettingsError};
pub use self::snapshot::PoolSnapshot;
use crate::autoscaler::Autoscaler;
use crate::observation::{Mode, Observation, PoolCounts, Rejected};
use crate::report::Report;
use crate::status::Status;
use crate::time::{Timestamp, nanos};

/// Telling the planner of the workers may change what it wants, which may change what it is told: so often at the most. More
/// than a few take a policy that asks for more workers than it sees, and a pool that has more than it shows.
const ROUNDS: u32 = 64;

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
    /// A worker was spoken of without its class.
    #[error("an observation of workers needs their class: give it to observe_class")]
    OfAClass,
    /// What concerns the whole service was told of a class.
    #[error(
        "only workers, failed starts, pool counts and finished requests are of one class: give the others to observe"
    )]
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
/// It is told of requests by [`observe`](Self::observe) or [`report`](Self::report), and of workers, each by its id within
/// its class, by [`observe_class`](Self::observe_class). No call panics, and the same calls give the same decisions.
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
        let Some(part) = class.of_mut(&mut self.parts) else { return Ok(()) };
        let outcome = part.observe(now, observation);
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

    // The planner -----------------------------------------------------------------------------------------------

    /// Tells the planner of the workers, if they are others than it was last told of: the capacity of all classes in
    /// reference workers, no more than it wants or has wanted. What is there beyond that stands in for something, or is part
    /// of a worker; only `adopted` capacity, which nobody had ordered, it is to take over.
    fn tell(&mut self, adopted: u64, first: bool) {
        let mut adopted = u32::try_from(adopted.div_ceil(u64::from(REFERENCE))).unwrap_or(u32::MAX);
        let mut first = first;
        for _ in 0..ROUNDS {
            // Those that it gives up are there until they have gone.
            let most = self.planner.desired().saturating_add(adopted);
            let counts = self.counts(most.max(self.told.ready.saturating_add(self.told.starting)));
            if counts == self.told && !first {
                return;
            }
            (self.told, first, adopted) = (counts, false, 0);
            // Never refused, but by a planner that comes from a damaged snapshot.
            let _ = self.planner.observe(self.now, Observation::Pool(counts));
        }
    }

    /// All workers as reference workers, at most so many of them in service.
    fn counts(&self, most: u32) -> PoolCounts {
        let (mut ready, mut busy, mut starting, mut draining) = (0_u64, 0_u64, 0_u64, 0_u64);
        for part in &self.parts {
            let (staff, capacity) = (part.staff(), u64::from(part.capacity.as_thousandths()));
            let add = |sum: &mut u64, workers: u32| {
                *sum = sum.saturating_add(capacity.saturating_mul(u64::from(workers)));
            };
            add(&mut ready, staff.ready);
            add(&mut busy, staff.ready.saturating_sub(staff.idle));
            add(&mut starting, staff.committed.saturating_sub(staff.ready));
            add(&mut draining, staff.draining);
        }
        // Part of a reference worker is nobody but where there is no more: then it is the one who serves.
        let whole = |thousandths: u64| {
            let whole = thousandths.checked_div(u64::from(REFERENCE)).unwrap_or(0).max(u64::from(thousandths > 0));
            u32::try_from(whole).unwrap_or(u32::MAX)
        };
        let ready = whole(ready).min(most);
        let busy = u32::try_from(busy.div_ceil(u64::from(REFERENCE))).unwrap_or(u32::MAX);
        PoolCounts {
            ready,
            idle: Some(ready.saturating_sub(busy)),
            starting: whole(starting).min(most.saturating_sub(ready)),
            draining: whole(draining),
            ..PoolCounts::default()
        }
    }

    /// A request was served on a worker of a class.
    fn learn(&mut self, class: ClassId, service: u64) {
        let (slots, known) = (self.settings.slots(class), self.settings.is_reference(class));
        match class.of_mut(&mut self.parts) {
            Some(part) if known => self.work.known_by(service, part.capacity, slots),
            Some(part) => part.learn(service, slots, &mut self.work),
            None => {}
        }
    }

    // The classes -----------------------------------------------------------------------------------------------

    /// Gives the commands, and how what is wanted is made up.
    fn act(&mut self, now: Timestamp) -> (Vec<ClassCommand>, MadeUp) {
        let mut commands = Vec::new();
        for _ in 1..ROUNDS {
            let made = self.foresee(now);
            commands.extend(self.carry_out(now, &made.mix));
            let wanted = self.planner.desired();
            self.tell(0, false);
            if self.planner.desired() == wanted {
                return (commands, made);
            }
        }
        let made = self.foresee(now);
        commands.extend(self.carry_out(now, &made.mix));
        (commands, made)
    }

    /// How what is wanted is made up when all that can be had at once is there: a worker that is brought back is ready at
    /// once, and others need not be ordered.
    fn foresee(&self, now: Timestamp) -> MadeUp {
        let mut made = self.make_up();
        if self.parts.iter().all(|part| part.staff().revivable == 0) {
            return made;
        }
        let mut trial = self.clone();
        for _ in 0..ROUNDS {
            if trial.carry_out(now, &made.mix).is_empty() {
                break;
            }
            made = trial.make_up();
        }
        made
    }

    fn carry_out(&mut self, now: Timestamp, mix: &Mix) -> Vec<ClassCommand> {
        let mut commands = Vec::new();
        for ((part, count), class) in self.parts.iter_mut().zip(&mix.counts).zip(self.settings.ids()) {
            part.aim(now, *count);
            commands.extend(part.commands(now).into_iter().map(|command| ClassCommand { class, command }));
        }
        commands
    }

    /// How what is wanted is made up now.
    fn make_up(&self) -> MadeUp {
        let wanted = u64::from(self.planner.desired()).saturating_mul(u64::from(REFERENCE));
        let (stand_ins, saving) = (self.settings.stand_ins(), self.settings.exchange_saving());
        let order = Order { wanted, stand_ins, saving };
        let both = self.parts.iter().zip(self.settings.classes()).map(|(part, class)| part.offer(class));
        let (offers, limits): (Vec<Offer>, Vec<u32>) = both.unzip();
        let mut made = mix(&order, &offers);
        for ((part, offer), count) in self.parts.iter().zip(&offers).zip(&mut made.counts) {
            *count = if part.probes() { offer.running.max(*count) } else { *count };
        }
        let passed_over = (0..offers.len()).map(|at| {
            let (offer, limit) = (offers.get(at)?, *limits.get(at)?);
            let mut willing = offers.clone();
            willing.get_mut(at).filter(|_| offer.most < limit)?.most = limit;
            Some(mix(&order, &willing).planned.get(at) > made.planned.get(at))
        });
        let passed_over = passed_over.map(|more| more == Some(true)).collect();
        MadeUp { offers, mix: made, passed_over }
    }

    fn explained(&self, made: &MadeUp, commands: Vec<ClassCommand>, would: Vec<ClassCommand>) -> Decision {
        let MadeUp { offers, mix, passed_over } = made;
        let wanted = self.planner.desired();
        let classes = self.settings.ids().zip(self.settings.classes().iter().zip(&self.parts)).zip(0_usize..);
        let classes = classes.map(|((id, (class, part)), at)| {
            let staff = part.staff();
            let learns = !self.settings.is_reference(id) && part.learner.progress() < LEARNED;
            ClassCount {
                class: id,
                name: class.name.clone(),
                capacity: part.capacity,
                learning: learns.then(|| part.learner.progress()),
                planned: mix.planned.get(at).copied().unwrap_or(0),
                count: mix.counts.get(at).copied().unwrap_or(0),
                ready: staff.ready,
                starting: staff.committed.saturating_sub(staff.ready),
                trouble: part.trouble(),
                passed_over: passed_over.get(at).copied().unwrap_or(false),
            }
        });
        let ranked = self.settings.classes().windows(2).any(|pair| matches!(pair, [a, b] if a.rank != b.rank));
        let reason = match () {
            () if wanted == 0 => Reason::Idle,
            () if mix.short > 0 => Reason::Short,
            () if passed_over.contains(&true) => Reason::Fallback,
            () if mix.stays => Reason::Stays,
            () if ranked => Reason::InOrder,
            () => Reason::Cheapest,
        };
        Decision {
            at: self.now,
            sequence: self.sequence,
            wanted,
            reason,
            classes: classes.collect(),
            price: Price::of(price(offers, &mix.planned)),
            short: mix.short,
            commands,
            would,
            plan: self.planner.explanation(),
            next_wakeup: self.next_wakeup(),
        }
    }
}

/// How what is wanted is made up, and of what.
struct MadeUp {
    offers: Vec<Offer>,
    mix: Mix,
    /// Of each class whether it would have more, were its provider willing.
    passed_over: Vec<bool>,
}
