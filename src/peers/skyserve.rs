//! SkyServe: requests per second over a target per replica, with a delay for either direction; spot replicas with
//! on-demand ones in their place; replicas of several kinds; pools that scale on their queue.
//!
//! Emulated: 0.14.1 (`sky/serve/autoscalers.py`), all four autoscalers with updates of the service and of its versions.
//!
//! Time is in seconds as a double, as the peer has it, and enters only with [`SkyServe::report`]: a tick does not look at
//! the clock, its delays are numbers of ticks.
//!
//! - The load balancer reports the stamps of all arrivals since its last report every [`REPORT_PERIOD`]; nothing else
//!   ages the window.
//! - The controller calls [`SkyServe::tick`], and again after [`SkyServe::next_tick`].

mod fallback;
mod hysteresis;
mod instance_aware;
mod migrate;
mod queue_length;
mod replicas;
mod service;
mod spec;
mod window;

use alloc::vec::Vec;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use self::hysteresis::Hysteresis;
pub use self::replicas::{Replica, Status};
use self::replicas::{len, outdated, to_stop};
pub use self::service::Service;
pub use self::spec::{ReplicaPolicy, TargetQps};
use self::window::Window;
use crate::peers::invalid::Invalid;

/// How often the load balancer reports; its first report comes after 5 s.
pub const REPORT_PERIOD: Duration = Duration::from_secs(20);

/// Seconds between ticks. Delays are divided by it, also while ticks are closer.
const TICK_S: f64 = 20.0;
const TICK: Duration = Duration::from_secs(20);
/// The same while no replica is wanted.
const TICK_AT_ZERO: Duration = Duration::from_secs(5);

/// Which autoscaler a service has.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Variant {
    /// On requests per second.
    RequestRate,
    /// The same, split into spot and on-demand replicas.
    Fallback,
    /// The same, with a rate for every kind of replica.
    InstanceAware,
    /// On the length of a queue.
    QueueLength,
}

impl Variant {
    /// Whether one that runs is taken for the `other`: the request rate is the others' ancestor, and an autoscaler is
    /// replaced only by one of a class that it does not belong to.
    fn passes_for(self, other: Self) -> bool {
        self == other || other == Self::RequestRate && matches!(self, Self::Fallback | Self::InstanceAware)
    }
}

/// How an update proceeds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Mode {
    /// Old replicas go as new ones become ready.
    #[default]
    Rolling,
    /// Old replicas go once the new version is active.
    BlueGreen,
}

/// One service.
///
/// ```
/// use plimsoll::peers::skyserve::{ReplicaPolicy, Replica, SkyServe, Status, TargetQps};
///
/// let policy = ReplicaPolicy {
///     max_replicas: Some(10),
///     target_qps_per_replica: TargetQps::PerReplica(0.5),
///     upscale_delay_seconds: 40.0,
///     ..ReplicaPolicy::default()
/// };
/// let mut service = SkyServe::new(&policy)?;
/// let ready = [Replica::new(1, Status::Ready)];
///
/// // Sixty-one requests of the last minute are just over two replicas' worth.
/// service.report(60.0, (0..61).map(f64::from));
/// let first = service.tick(&ready, &[1], 0)?;
/// assert_eq!((first.wanted, service.target(), first.launch.plain), (Some(3), 1, 0));
/// // A delay of 40 s is two ticks, the first of which has been: 20 s later.
/// assert_eq!(service.tick(&ready, &[1], 0)?.launch.plain, 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SkyServe {
    variant: Variant,
    min: u32,
    max: u32,
    overprovision: u32,
    target_qps: TargetQps,
    base_ondemand: u32,
    dynamic_ondemand: bool,
    queue_length_threshold: u32,
    target: u32,
    hysteresis: Hysteresis,
    window: Window,
    version: u32,
    /// The last version of which a replica has been ready.
    ever_ready: u32,
    mode: Mode,
}

/// What one tick comes to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Decision {
    /// What was wanted before the delays; nothing if the tick ended early because the version cannot run.
    pub wanted: Option<u32>,
    /// Replicas to launch.
    pub launch: Launch,
    /// Replicas to stop, in this order.
    pub stop: Vec<u64>,
}

/// Replicas to launch.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Launch {
    /// As the task has them.
    pub plain: u32,
    /// On spot instances.
    pub spot: u32,
    /// On demand.
    pub on_demand: u32,
}

/// Where the peer raises instead of deciding. The state is what it leaves behind, and no decision is applied.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// A target of no requests per second.
    #[error("target_qps_per_replica is 0: the rate cannot be divided by it")]
    ZeroTarget,
    /// A map of rates where one is needed.
    #[error("target_qps_per_replica is a map: an update of an instance-aware service fails half way")]
    TargetIsAMap,
    /// More replicas to stop than there are.
    #[error("{asked} replicas to stop of {there}: base_ondemand_fallback_replicas is above the target")]
    TooFewToStop {
        /// How many were to be stopped.
        asked: u64,
        /// Of how many.
        there: usize,
        /// What was wanted before the delays.
        wanted: u32,
    },
    /// An update to a service without fallback.
    #[error("the service has no on-demand fallback any more: the update fails half way")]
    NoFallback,
}

impl SkyServe {
    /// A service at its first version, as it starts and after every restart of its controller.
    ///
    /// # Errors
    /// If the policy breaks one of the rules of SkyServe's own validation.
    pub fn new(policy: &ReplicaPolicy) -> Result<Self, Invalid> {
        policy.check()?;
        Ok(Self::fresh(policy))
    }

    fn fresh(policy: &ReplicaPolicy) -> Self {
        Self {
            variant: policy.variant(),
            min: policy.min_replicas,
            max: policy.max(),
            overprovision: policy.num_overprovision,
            target_qps: policy.target_qps_per_replica.clone(),
            base_ondemand: policy.base_ondemand_fallback_replicas.unwrap_or(0),
            dynamic_ondemand: policy.dynamic_ondemand_fallback.unwrap_or(false),
            queue_length_threshold: policy.queue_length_threshold.unwrap_or(1),
            target: policy.min_replicas,
            hysteresis: Hysteresis::new(policy.upscale_delay_seconds, policy.downscale_delay_seconds),
            window: Window::default(),
            version: 1,
            ever_ready: 0,
            mode: Mode::Rolling,
        }
    }

    /// The autoscaler in force.
    #[must_use]
    pub const fn variant(&self) -> Variant {
        self.variant
    }

    /// The replicas that there should be, without overprovision.
    #[must_use]
    pub const fn target(&self) -> u32 {
        self.target
    }

    /// The replicas that there should be.
    #[must_use]
    pub const fn final_target(&self) -> u32 {
        self.target.saturating_add(self.overprovision)
    }

    /// Ticks in a row that wanted more, and that wanted less.
    #[must_use]
    pub const fn counters(&self) -> (u64, u64) {
        (self.hysteresis.up, self.hysteresis.down)
    }

    /// How many such ticks it takes, for either.
    #[must_use]
    pub const fn thresholds(&self) -> (i64, i64) {
        (self.hysteresis.up_ticks, self.hysteresis.down_ticks)
    }

    /// Requests in the window.
    #[must_use]
    pub fn window(&self) -> usize {
        self.window.len()
    }

    /// How long after this tick the next one comes.
    #[must_use]
    pub const fn next_tick(&self) -> Duration {
        if self.final_target() == 0 { TICK_AT_ZERO } else { TICK }
    }

    /// The load balancer's report: when requests arrived, in its order, with the controller's clock at `now`.
    pub fn report(&mut self, now: f64, arrivals: impl IntoIterator<Item = f64>) {
        self.window.report(now, arrivals);
    }

    /// One tick: from the replicas' table, the versions that serve and, for a pool, the jobs that wait.
    ///
    /// Once a version cannot run (one of its replicas failed for good before any was ready) nothing is decided. Otherwise
    /// what is outdated goes, and the delays, launches and stops follow; of `existing` replicas of this version, ready or
    /// on their way, `final - existing` are launched or the surplus is stopped.
    ///
    /// # Errors
    /// Where the peer raises.
    pub fn tick(&mut self, rows: &[Replica], active_versions: &[u32], waiting: u64) -> Result<Decision, Failure> {
        let mut own = rows.iter().filter(|row| row.version == self.version);
        if own.clone().any(Replica::is_ready) {
            self.ever_ready = self.version;
        }
        if self.ever_ready < self.version && own.any(|row| row.unrecoverable) {
            return Ok(Decision::default());
        }
        let version = (self.version, self.mode, u64::from(self.final_target()));
        let mut stop = outdated(rows, version, active_versions)?;
        let wanted = match self.variant {
            Variant::InstanceAware => self.clipped(self.wanted_by_instance(rows)),
            _ => self.wanted(waiting)?,
        };
        self.target = self.hysteresis.apply(wanted, self.target);
        let existing = rows.iter().filter(|row| row.version == self.version && row.exists()).collect();
        let decision = self.fill(existing).map_err(|failure| failure.with_wanted(wanted))?;
        stop.extend(decision.stop);
        Ok(Decision { wanted: Some(wanted), stop, ..decision })
    }

    /// From the replicas that exist to those that there should be.
    fn fill(&self, existing: Vec<&Replica>) -> Result<Decision, Failure> {
        if self.variant == Variant::Fallback {
            return self.split(&existing);
        }
        let (wanted, there) = (u64::from(self.final_target()), len(existing.len()));
        let mut decision = Decision::default();
        decision.launch.plain = u32::try_from(wanted.saturating_sub(there)).unwrap_or(u32::MAX);
        let surplus = there.saturating_sub(wanted);
        decision.stop = match self.variant {
            Variant::InstanceAware => self.slowest(existing, surplus)?,
            Variant::QueueLength => queue_length::idle(existing, surplus)?,
            _ => to_stop(existing, surplus)?,
        };
        Ok(decision)
    }

    /// What is wanted before the delays, without a look at the replicas: from the queue, or
    /// `⌈(requests / 60) / target_qps⌉`; the least replicas without a target.
    fn wanted(&self, waiting: u64) -> Result<u32, Failure> {
        if self.variant == Variant::QueueLength {
            return Ok(self.clipped(self.wanted_by_queue(waiting)));
        }
        match &self.target_qps {
            TargetQps::Fixed => Ok(self.min),
            TargetQps::ByAccelerator(_) => Err(Failure::TargetIsAMap),
            TargetQps::PerReplica(0.0) => Err(Failure::ZeroTarget),
            TargetQps::PerReplica(target) => Ok(self.clipped((self.window.rate() / target).ceil())),
        }
    }

    /// Within the bounds.
    fn clipped(&self, count: f64) -> u32 {
        self.min.max(self.max.min(count as u32))
    }

    /// A new version of the service, or the same one again. The autoscaler is replaced only if the running one does not
    /// pass for the new kind; it then keeps the window and what has been ready, and starts at the least replicas.
    ///
    /// In this order: a version that is newer brings its bounds and mode; the target becomes what is wanted at once, by
    /// the *old* rate or threshold; the counters start over, with the new delays; the new rate, threshold or fallback
    /// counts from then on. Overprovision stays what it was.
    ///
    /// # Errors
    /// Where the peer raises, half way: what came before is done.
    pub fn update(&mut self, policy: &ReplicaPolicy, version: u32, mode: Mode, waiting: u64) -> Result<(), Failure> {
        let variant = policy.variant();
        if !self.variant.passes_for(variant) {
            let window = core::mem::take(&mut self.window);
            *self = Self { window, ever_ready: self.ever_ready, ..Self::fresh(policy) };
        }
        if version > self.version {
            (self.version, self.mode) = (version, mode);
            (self.min, self.max) = (policy.min_replicas, policy.max());
            self.target = self.clipped(self.target.into());
        }
        self.target = self.wanted(waiting)?;
        self.hysteresis = Hysteresis::new(policy.upscale_delay_seconds, policy.downscale_delay_seconds);
        match self.variant {
            Variant::QueueLength => self.queue_length_threshold = policy.queue_length_threshold.unwrap_or(1),
            _ => self.target_qps.clone_from(&policy.target_qps_per_replica),
        }
        if self.variant == Variant::Fallback {
            self.base_ondemand = policy.base_ondemand_fallback_replicas.unwrap_or(0);
            if !policy.uses_fallback() {
                return Err(Failure::NoFallback);
            }
            self.dynamic_ondemand = policy.dynamic_ondemand_fallback.unwrap_or(false);
        }
        Ok(())
    }
}

impl Failure {
    const fn with_wanted(self, wanted: u32) -> Self {
        match self {
            Self::TooFewToStop { asked, there, .. } => Self::TooFewToStop { asked, there, wanted },
            other => other,
        }
    }
}

#[cfg(test)]
mod tests;
