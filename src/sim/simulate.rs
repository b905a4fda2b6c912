//! Runs a simulation: under an autoscaler, or under anything else that decides.

use core::time::Duration;

use super::clock::Clock;
use super::controller::{Controller, Native};
use super::delivery::Carrying;
use super::engine::Engine;
use super::metrics::Telling;
use super::options::Options;
use super::outcome::Outcome;
use super::workload::Workload;
use crate::autoscaler::Autoscaler;
use crate::classes;
use crate::config::Config;
use crate::decision::Decision;
use crate::recorder::{Beginning, Head, Record};
use crate::time::Timestamp;

/// Looks on while a simulation runs. Each method does nothing unless it is written.
pub trait Watch {
    /// The autoscaler decided something: the count changed or there are commands.
    fn decision(&mut self, decision: &Decision) {
        let _ = decision;
    }

    /// A [`MixedPool`](crate::classes::MixedPool) was asked: its decision, whether anything is to be done or not.
    fn classes(&mut self, decision: &classes::Decision) {
        let _ = decision;
    }

    /// So many of `total` requests have arrived.
    fn progress(&mut self, arrived: usize, total: usize) {
        let _ = (arrived, total);
    }

    /// A request that arrived `sojourn` ago is taken by a worker: whoever is told of it, and again if it was cut off and
    /// is tried again.
    fn started(&mut self, now: Timestamp, sojourn: Duration) {
        let _ = (now, sojourn);
    }
}

impl Watch for () {}

/// Replays a workload under a configuration and says what happened.
///
/// ```
/// use core::time::Duration;
/// use plimsoll::sim::{Options, Request, Workload, simulate};
/// use plimsoll::{Config, Timestamp, policy::RunPod};
///
/// let request = |s| Request { arrival: Timestamp::from_secs(s), service: Duration::from_secs(1) };
/// let workload = Workload::from_requests("two", vec![request(0), request(100)])?;
/// let config = Config::runpod(RunPod::request_count(1), 0, 1, Duration::from_secs(30))?;
/// let outcome = simulate(&workload, &config, &Options::default(), &mut ());
/// assert_eq!((outcome.finished, outcome.cold_starts), (2, 2));
/// assert_eq!(outcome.sojourn_max, Duration::from_secs(20));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn simulate(workload: &Workload, config: &Config, options: &Options, watch: &mut dyn Watch) -> Outcome {
    simulate_from(workload, Autoscaler::new(config.clone(), Timestamp::ORIGIN), options, watch).0
}

/// The same with an autoscaler that knows something already, as [with a prior](Autoscaler::with_prior), and gives it back
/// with what it has [learned](Autoscaler::learned). It is to be as new otherwise: no time has passed, and there are no workers.
pub fn simulate_from(
    workload: &Workload,
    autoscaler: Autoscaler,
    options: &Options,
    watch: &mut dyn Watch,
) -> (Outcome, Autoscaler) {
    let config = autoscaler.config().clone();
    native(workload, &config, options, Native { autoscaler, sink: None }, watch)
}

/// As [`simulate`], with a flight log of it: `sink` gets a [record](crate::recorder) of every call.
pub fn simulate_recorded(
    workload: &Workload,
    config: &Config,
    options: &Options,
    watch: &mut dyn Watch,
    sink: &mut dyn FnMut(&Record),
) -> Outcome {
    let begins = Beginning::New { at: Timestamp::ORIGIN, config: Box::new(config.clone()) };
    sink(&Record::Head(Head::new(begins)));
    let controller = Native { autoscaler: Autoscaler::new(config.clone(), Timestamp::ORIGIN), sink: Some(sink) };
    native(workload, config, options, controller, watch).0
}

fn native(
    workload: &Workload,
    config: &Config,
    options: &Options,
    controller: Native<'_>,
    watch: &mut dyn Watch,
) -> (Outcome, Autoscaler) {
    let target = options.within.unwrap_or(config.sojourn_target());
    let service = Service { concurrency: config.concurrency(), target };
    let link = Link { options, target: config.sojourn_target(), patience: config.order_timeout() };
    let (mut outcome, controller) = link.run(workload, service, controller, watch);
    outcome.events = controller.autoscaler.events().copied().collect();
    (outcome, controller.autoscaler)
}

/// Of the service that is simulated, whoever scales it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_structs, reason = "slots and a target are all there is to it")]
pub struct Service {
    /// Requests that one worker serves at once, unless its class says otherwise; zero counts as one.
    pub concurrency: u32,
    /// The sojourn above which a request has waited too long.
    pub target: Duration,
}

/// Replays a workload under anything that decides, and gives it back with the outcome.
pub fn simulate_with<C: Controller>(
    workload: &Workload,
    service: Service,
    controller: C,
    options: &Options,
    watch: &mut dyn Watch,
) -> (Outcome, C) {
    Link { options, target: service.target, patience: Duration::MAX }.run(workload, service, controller, watch)
}

/// What lies between the platform and the controller.
pub(super) struct Link<'a> {
    pub(super) options: &'a Options,
    /// The controller's sojourn target.
    pub(super) target: Duration,
    /// After how long the controller gives a command again.
    pub(super) patience: Duration,
}

impl Link<'_> {
    pub(super) fn run<C: Controller>(
        &self,
        workload: &Workload,
        service: Service,
        controller: C,
        watch: &mut dyn Watch,
    ) -> (Outcome, C) {
        let options = self.options;
        if options.is_direct() {
            return Engine::new(workload, service, options, controller).run(watch);
        }
        let carrying = Carrying::new(Clock::new(controller, &options.clock), options, self.patience);
        let telling = Telling::new(carrying, options, self.target);
        let (outcome, telling) = Engine::new(workload, service, options, telling).run(watch);
        (outcome, telling.into_inner().into_inner().into_inner())
    }
}
