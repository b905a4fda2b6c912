//! The edge: a clock, a pool of workers, and a driver that joins them with the state machine.
//!
//! These are the only traits, and the state machine knows none of them. A platform with its own loop calls
//! [`Autoscaler`] directly and needs none of this.
//!
//! ```
//! use plimsoll::adapter::{Driver, ManualClock, Order, WorkerPool};
//! use plimsoll::{Autoscaler, Command, Config, FailureCause, Observation, PoolCounts, Timestamp};
//!
//! /// A pool whose workers start at once.
//! struct Instant(u32);
//!
//! impl WorkerPool for Instant {
//!     fn apply(&mut self, order: &Order) -> Result<(), FailureCause> {
//!         match order.command {
//!             Command::Start { count } => self.0 += count,
//!             Command::Release { count } => self.0 -= count,
//!             _ => {}
//!         }
//!         Ok(())
//!     }
//!
//!     fn report(&mut self, now: Timestamp, tell: &mut dyn FnMut(Timestamp, Observation)) {
//!         tell(now, Observation::Pool(PoolCounts { ready: self.0, ..PoolCounts::default() }));
//!     }
//! }
//!
//! let clock = ManualClock::new(Timestamp::ORIGIN);
//! let autoscaler = Autoscaler::new(Config::fixed(3)?, Timestamp::ORIGIN);
//! let mut driver = Driver::new(clock, Instant(0), autoscaler);
//! driver.step();
//! assert_eq!(driver.pool().0, 3);
//! # Ok::<(), plimsoll::ConfigError>(())
//! ```

use alloc::vec::Vec;
use core::cell::Cell;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::autoscaler::Autoscaler;
use crate::config::Config;
use crate::decision::{Command, Decision};
use crate::observation::{FailureCause, Observation, Rejected};
use crate::recorder::{Record, Recorder};
use crate::time::Timestamp;

/// Tells the time. It should not go back; where it does, the state machine takes the last instant for the present one.
pub trait Clock {
    /// The present.
    fn now(&self) -> Timestamp;
}

/// Carries out commands and reports what its workers do.
pub trait WorkerPool {
    /// Carries out one command, or says why it cannot. It need not wait for the effect: that is reported later. A pool
    /// that carries commands out later than they are given asks a [`Fence`] first; and whenever it does, it stops no
    /// worker that has taken a request since.
    ///
    /// # Errors
    /// The cause, if the command cannot be carried out. It is given again: a start after the back-off, any other after
    /// the order timeout.
    fn apply(&mut self, order: &Order) -> Result<(), FailureCause>;

    /// Tells everything that has happened since the last call, each fact with its time.
    fn report(&mut self, now: Timestamp, tell: &mut dyn FnMut(Timestamp, Observation));
}

/// A command with what is needed to carry it out late, or not at all.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Order {
    /// The command.
    pub command: Command,
    /// When it was given.
    pub at: Timestamp,
    /// The sequence number of its decision.
    pub sequence: u64,
    /// When it counts as lost, and is given again.
    pub void_at: Timestamp,
}

impl Order {
    /// The orders that a decision gives, under the configuration it was taken with.
    pub fn of<'a>(decision: &'a Decision, config: &Config) -> impl Iterator<Item = Self> + use<'a> {
        let void_at = decision.at.saturating_add(config.order_timeout());
        let order =
            move |command: &Command| Self { command: *command, at: decision.at, sequence: decision.sequence, void_at };
        decision.commands.iter().map(order)
    }
}

/// Refuses orders that have been overtaken: by a newer decision's, or by time.
///
/// ```
/// use std::time::Duration;
/// use plimsoll::adapter::{Fence, Order};
/// use plimsoll::{Autoscaler, Config, Timestamp};
///
/// let mut autoscaler = Autoscaler::new(Config::fixed(1)?, Timestamp::ORIGIN);
/// let decision = autoscaler.decide(Timestamp::ORIGIN);
/// let order = Order::of(&decision, autoscaler.config()).next().unwrap();
/// let mut fence = Fence::default();
/// assert!(fence.admits(Timestamp::from_secs(1), &order));
/// assert!(!fence.admits(order.void_at, &order), "it is given again at that instant");
/// # Ok::<(), plimsoll::ConfigError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Fence {
    latest: u64,
}

impl Fence {
    /// Whether to carry out `order` at `now`.
    pub fn admits(&mut self, now: Timestamp, order: &Order) -> bool {
        let admitted = order.sequence >= self.latest && now < order.void_at;
        if admitted {
            self.latest = order.sequence;
        }
        admitted
    }
}

/// A clock that is moved by hand, for tests and replays.
#[derive(Debug, Default)]
pub struct ManualClock {
    now: Cell<Timestamp>,
}

impl ManualClock {
    /// A clock that stands at `now`.
    #[must_use]
    pub const fn new(now: Timestamp) -> Self {
        Self { now: Cell::new(now) }
    }

    /// Moves the clock on.
    pub fn advance(&self, by: Duration) {
        self.now.set(self.now.get().saturating_add(by));
    }

    /// Sets the clock, backwards too.
    pub fn set(&self, now: Timestamp) {
        self.now.set(now);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.now.get()
    }
}

impl<C: Clock + ?Sized> Clock for &C {
    fn now(&self) -> Timestamp {
        (**self).now()
    }
}

/// The operating system's monotonic clock, with its origin where it was made: it never goes back.
#[cfg(feature = "std")]
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    origin: std::time::Instant,
}

#[cfg(feature = "std")]
impl SystemClock {
    /// A clock whose origin is now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this adapter is where the clock is read")]
    pub fn new() -> Self {
        Self { origin: std::time::Instant::now() }
    }
}

#[cfg(feature = "std")]
impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(feature = "std")]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_elapsed(self.origin.elapsed())
    }
}

/// What a driver drives: an [`Autoscaler`], or a [`Recorder`] that keeps a flight log of one.
pub trait Machine {
    /// As [`Autoscaler::observe`].
    ///
    /// # Errors
    /// As [`Autoscaler::observe`].
    fn observe(&mut self, now: Timestamp, observation: Observation) -> Result<(), Rejected>;

    /// As [`Autoscaler::decide`].
    #[must_use = "the commands are given once"]
    fn decide(&mut self, now: Timestamp) -> Decision;

    /// The autoscaler, to look at.
    fn autoscaler(&self) -> &Autoscaler;
}

impl Machine for Autoscaler {
    fn observe(&mut self, now: Timestamp, observation: Observation) -> Result<(), Rejected> {
        self.observe(now, observation)
    }

    fn decide(&mut self, now: Timestamp) -> Decision {
        self.decide(now)
    }

    fn autoscaler(&self) -> &Autoscaler {
        self
    }
}

impl<S: FnMut(&Record)> Machine for Recorder<S> {
    fn observe(&mut self, now: Timestamp, observation: Observation) -> Result<(), Rejected> {
        self.observe(now, observation)
    }

    fn decide(&mut self, now: Timestamp) -> Decision {
        self.decide(now)
    }

    fn autoscaler(&self) -> &Autoscaler {
        self.autoscaler()
    }
}

/// Joins a clock, a pool and an autoscaler, or the recorder of one. It has no loop of its own: call
/// [`step`](Self::step) when something happened and at the wake-up that the last step named.
#[derive(Debug)]
pub struct Driver<C, P, M = Autoscaler> {
    clock: C,
    pool: P,
    machine: M,
}

/// What one step did.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Step {
    /// The decision.
    pub decision: Decision,
    /// Commands that the pool could not carry out, and why.
    pub failed: Vec<(Command, FailureCause)>,
    /// What the pool reported and the autoscaler refused.
    pub rejected: Vec<Rejected>,
}

impl<C: Clock, P: WorkerPool, M: Machine> Driver<C, P, M> {
    /// Joins the three.
    pub const fn new(clock: C, pool: P, machine: M) -> Self {
        Self { clock, pool, machine }
    }

    /// Tells the autoscaler of something that happened now, such as a request that arrived.
    ///
    /// # Errors
    /// As [`Autoscaler::observe`].
    pub fn observe(&mut self, observation: Observation) -> Result<(), Rejected> {
        self.machine.observe(self.clock.now(), observation)
    }

    /// Takes in what the pool reports, decides, and has the pool carry it out.
    pub fn step(&mut self) -> Step {
        let now = self.clock.now();
        let (machine, mut rejected) = (&mut self.machine, Vec::new());
        self.pool.report(now, &mut |at, observation| rejected.extend(machine.observe(at, observation).err()));
        let decision = machine.decide(now);
        let mut failed = Vec::new();
        let orders: Vec<_> = Order::of(&decision, machine.autoscaler().config()).collect();
        for order in orders {
            if let Err(cause) = self.pool.apply(&order) {
                if let Command::Start { count } = order.command {
                    // A refused order is a fact like any other; the back-off paces the next try.
                    rejected.extend(machine.observe(now, Observation::StartFailed { count, cause }).err());
                }
                failed.push((order.command, cause));
            }
        }
        Step { decision, failed, rejected }
    }

    /// How long to sleep if nothing happens before; `None` for as long as nothing happens.
    pub fn sleep(&self) -> Option<Duration> {
        self.autoscaler().next_wakeup().map(|at| at.saturating_since(self.clock.now()))
    }

    /// The autoscaler, to look at its status and events.
    pub fn autoscaler(&self) -> &Autoscaler {
        self.machine.autoscaler()
    }

    /// The pool.
    pub const fn pool(&self) -> &P {
        &self.pool
    }

    /// The pool, to change it.
    pub const fn pool_mut(&mut self) -> &mut P {
        &mut self.pool
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::observation::PoolCounts;
    use crate::policy::{Policy, RunPod};
    use crate::recorder::Player;

    /// Refuses the first orders for want of quota; its workers are ready a second after their order.
    struct Scarce {
        refusals: u32,
        starting: Vec<Timestamp>,
        ready: u32,
    }

    impl WorkerPool for Scarce {
        fn apply(&mut self, order: &Order) -> Result<(), FailureCause> {
            if self.refusals > 0 {
                self.refusals -= 1;
                return Err(FailureCause::Quota);
            }
            match order.command {
                Command::Start { count } => (0..count).for_each(|_| self.starting.push(order.at)),
                Command::Release { count } => self.ready -= count,
                _ => {}
            }
            Ok(())
        }

        fn report(&mut self, now: Timestamp, tell: &mut dyn FnMut(Timestamp, Observation)) {
            let due = |at: &Timestamp| now.saturating_since(*at) >= Duration::from_secs(1);
            self.ready += u32::try_from(self.starting.iter().filter(|at| due(at)).count()).unwrap();
            self.starting.retain(|at| !due(at));
            let starting = u32::try_from(self.starting.len()).unwrap();
            tell(now, Observation::Pool(PoolCounts { ready: self.ready, starting, ..PoolCounts::default() }));
        }
    }

    #[test]
    fn a_driver_waits_out_a_refused_order_and_tries_again() {
        let config = Config::new(Policy::RunPod(RunPod::request_count(1)), 2, 5).unwrap();
        let clock = ManualClock::new(Timestamp::from_secs(100));
        let pool = Scarce { refusals: 1, starting: vec![], ready: 0 };
        let autoscaler = Autoscaler::new(config, clock.now());
        let mut driver = Driver::new(&clock, pool, autoscaler);

        let first = driver.step();
        assert_eq!(first.failed, [(Command::Start { count: 2 }, FailureCause::Quota)]);
        assert!(driver.step().decision.commands.is_empty(), "a provider that refuses is not asked in a loop");
        let backoff = driver.sleep().unwrap();
        assert!((Duration::from_millis(7_500)..=Duration::from_secs(10)).contains(&backoff), "{backoff:?}");
        clock.advance(backoff);
        assert_eq!(driver.step().decision.commands, [Command::Start { count: 2 }]);
        clock.advance(Duration::from_secs(1));
        driver.step();
        assert_eq!((driver.pool().ready, driver.autoscaler().status().failures), (2, 2));
    }

    #[test]
    fn a_recorder_can_be_driven_and_its_log_plays_back() {
        let clock = ManualClock::new(Timestamp::from_secs(100));
        let mut records = Vec::new();
        let recorder =
            Recorder::new(Config::fixed(2).unwrap(), clock.now(), |record: &Record| records.push(record.clone()));
        let pool = Scarce { refusals: 1, starting: vec![], ready: 0 };
        let mut driver = Driver::new(&clock, pool, recorder);
        for _ in 0..4 {
            let step = driver.step();
            assert_eq!(step.rejected, []);
            clock.advance(driver.sleep().unwrap_or(Duration::from_secs(1)));
        }
        assert_eq!(driver.autoscaler().status().failures, 2);
        let decided = records.iter().filter(|record| matches!(record, Record::Decided { .. })).count();
        assert_eq!(decided, 4);
        let mut player = Player::new();
        assert!(records.iter().all(|record| player.play(record).unwrap().is_same()));
    }

    #[test]
    fn a_clock_that_goes_back_does_no_harm() {
        let clock = ManualClock::new(Timestamp::from_secs(100));
        let config = Config::fixed(1).unwrap();
        let pool = Scarce { refusals: 0, starting: vec![], ready: 1 };
        let mut driver = Driver::new(&clock, pool, Autoscaler::new(config, clock.now()));
        driver.step();
        clock.set(Timestamp::from_secs(50));
        let step = driver.step();
        assert_eq!(step.decision.at, Timestamp::from_secs(100));
        assert!(driver.autoscaler().status().input.clock_regressions > 0);
    }

    #[test]
    fn a_fence_refuses_what_was_overtaken_by_a_newer_order_or_by_time() {
        let order = |sequence, secs| Order {
            command: Command::Start { count: 1 },
            at: Timestamp::from_secs(secs),
            sequence,
            void_at: Timestamp::from_secs(secs + 60),
        };
        let (early, late) = (order(7, 100), order(8, 110));
        let mut fence = Fence::default();
        assert!(fence.admits(Timestamp::from_secs(101), &early) && fence.admits(Timestamp::from_secs(102), &early));
        assert!(!fence.admits(Timestamp::from_secs(160), &early), "it is given again at that instant");
        assert!(!fence.admits(Timestamp::from_secs(161), &early));
        assert!(fence.admits(Timestamp::from_secs(159), &late));
        assert!(!fence.admits(Timestamp::from_secs(120), &early), "a newer one has been carried out");
    }

    #[test]
    fn what_is_observed_through_a_driver_is_of_the_clock_s_instant() {
        let clock = ManualClock::new(Timestamp::from_secs(100));
        let config = Config::new(Policy::RunPod(RunPod::request_count(1)), 0, 5).unwrap();
        let pool = Scarce { refusals: 0, starting: vec![], ready: 0 };
        let mut driver = Driver::new(&clock, pool, Autoscaler::new(config, clock.now()));
        clock.advance(Duration::from_secs(3));
        driver.observe(Observation::queue(2, None)).unwrap();
        assert_eq!(driver.autoscaler().status().signals.queue_depth, Some(2));
        assert_eq!(
            driver.observe(Observation::ArrivalRate { per_second: -1.0 }).unwrap_err(),
            Rejected::BadRate { per_second: -1.0 }
        );
        driver.pool_mut().refusals = 1;
        let step = driver.step();
        assert_eq!((step.decision.at, step.failed.len()), (Timestamp::from_secs(103), 1));
    }

    #[test]
    fn the_system_clock_goes_on_from_its_origin() {
        let clock = SystemClock::default();
        let first = clock.now();
        std::thread::sleep(Duration::from_millis(2));
        let passed = clock.now().saturating_since(first);
        assert!((Duration::from_millis(2)..Duration::from_secs(600)).contains(&passed), "{passed:?}");
        assert!(first < Timestamp::from_secs(600));
    }
}
