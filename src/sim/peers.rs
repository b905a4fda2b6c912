//! The emulated [peers] on the simulated pool, each driven as its own metrics and loops drive it, so that they can be
//! compared with native policies on the same workload.
//!
//! A [`Peer`] is a peer's own configuration; [`Peer::controller`] makes what [`simulate_with`](super::simulate_with)
//! takes. RunPod and Modal need none of this: their rules are native configurations.
//!
//! ```
//! use plimsoll::sim::peers::{Kind, Peer, Stock};
//! use plimsoll::sim::{Options, Request, Service, Workload, simulate_with};
//! use plimsoll::Timestamp;
//! use std::time::Duration;
//!
//! let request = |i: u64| Request { arrival: Timestamp::from_millis(i * 250), service: Duration::from_secs(2) };
//! let workload = Workload::from_requests("four a second", (0..1_000).map(request).collect())?;
//! let stock = Stock { concurrency: 1, mean_service: Duration::from_secs(2), min: 1, max: 100 };
//! let service = Service { concurrency: 1, target: Duration::from_secs(1) };
//! for kind in Kind::ALL {
//!     let peer = Peer::defaults(kind, &stock);
//!     let (outcome, _) = simulate_with(&workload, service, peer.controller(service)?, &Options::default(), &mut ());
//!     assert_eq!(outcome.finished, 1_000, "{}", peer.name());
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is given to all of them
//!
//! Unless the [options](super::Options) say otherwise, metrics are exact and never late or lost, and a router fills the
//! lowest-numbered worker first. There is one central queue; of a surplus, starting workers go first, then idle ones, then busy ones, which finish what they serve.
//! So a peer is no worse here than its rule makes it, and better than where its metrics, its router or its choice of a
//! victim are worse than that.
//!
//! # How each is driven
//!
//! The modules say what each peer is shown, when its loops come round, and where that is simpler than the peer:
//! [`knative`], [`kubernetes`], [`keda`], [`ray_serve`], [`skyserve`]. What is true of all: loops start with the run
//! and never drift; a worker that fails is ordered again at once, one whose start is refused
//! after 10 s.
#![allow(
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    reason = "metrics are doubles, as the peers have them; the counts that follow from them are the emulations'"
)]

pub mod keda;
pub mod knative;
pub mod kubernetes;
mod pool;
pub mod ray_serve;
pub mod skyserve;
mod stock;
#[cfg(test)]
mod tests;

use std::boxed::Box;
use std::collections::BTreeMap;
use std::string::String;

use serde::Deserialize;
use thiserror::Error;

pub use self::stock::Stock;
use super::commands::{Commands, Decided};
use super::controller::Controller;
use super::simulate::Service;
use crate::observation::Observation;
use crate::peers::keda::{Annotations, Keda, ScaledObject};
use crate::peers::knative::{LoadError, ParameterError, Parameters};
use crate::peers::kubernetes::{self as hpa, Spec, SpecError};
use crate::peers::ray_serve::AutoscalingConfig;
use crate::peers::skyserve::ReplicaPolicy;
use crate::peers::{self, Invalid};
use crate::time::Timestamp;

/// A peer and its own configuration.
///
/// It reads as its users have it, under the peer's name: for `knative` the `annotations` of a revision, its
/// `containerConcurrency` and the ConfigMap's data as `configMap`; for `kubernetes` and `keda` the manifest; for
/// `ray_serve` the `autoscaling_config`; for `skyserve` the `service` section of a task.
///
/// ```
/// use plimsoll::sim::Peer;
///
/// let peer: Peer = serde_json::from_str(
///     r#"{"knative": {"annotations": {"autoscaling.knative.dev/max-scale": "20"}, "containerConcurrency": 8}}"#,
/// )?;
/// assert_eq!(peer.name(), "Knative");
/// let peer: Peer = serde_json::from_str(r#"{"ray_serve": {"max_replicas": 10, "target_ongoing_requests": 2}}"#)?;
/// assert_eq!(peer.name(), "Ray Serve");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(try_from = "File")]
#[non_exhaustive]
pub enum Peer {
    /// Knative's KPA.
    Knative(Box<Parameters>),
    /// Kubernetes' HPA.
    Kubernetes {
        /// What one autoscaler is told.
        spec: Box<Spec>,
        /// The controller's flags.
        settings: hpa::Controller,
    },
    /// KEDA and the HPA that it makes.
    Keda {
        /// The scaled object.
        object: Box<ScaledObject>,
        /// The flags of the HPA's controller.
        settings: hpa::Controller,
    },
    /// Ray Serve.
    RayServe(Box<AutoscalingConfig>),
    /// SkyServe's request-rate autoscaler.
    SkyServe(Box<ReplicaPolicy>),
}

/// Which peer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each is the peer of its name")]
pub enum Kind {
    Knative,
    Kubernetes,
    Keda,
    RayServe,
    SkyServe,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Knative, Self::Kubernetes, Self::Keda, Self::RayServe, Self::SkyServe];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Knative => "Knative",
            Self::Kubernetes => "Kubernetes HPA",
            Self::Keda => "KEDA",
            Self::RayServe => "Ray Serve",
            Self::SkyServe => "SkyServe",
        }
    }
}

/// Why a peer was refused.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum PeerError {
    /// Annotations or a ConfigMap of Knative's do not read.
    #[error(transparent)]
    Annotations(#[from] LoadError),
    /// A parameter that Knative would refuse.
    #[error(transparent)]
    Knative(#[from] ParameterError),
    /// A setting that Kubernetes would refuse.
    #[error(transparent)]
    Kubernetes(#[from] SpecError),
    /// A setting that the peer would refuse, or that cannot be simulated.
    #[error(transparent)]
    Setting(#[from] Invalid),
}

impl Peer {
    /// Which one it is.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Knative(_) => Kind::Knative,
            Self::Kubernetes { .. } => Kind::Kubernetes,
            Self::Keda { .. } => Kind::Keda,
            Self::RayServe(_) => Kind::RayServe,
            Self::SkyServe(_) => Kind::SkyServe,
        }
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.kind().name()
    }

    /// What decides in a simulation of that service, new at its start.
    ///
    /// # Errors
    /// If the peer would refuse its configuration, it cannot be simulated, or it is for another concurrency.
    pub fn controller(&self, service: Service) -> Result<PeerController, PeerError> {
        let drive = match self {
            Self::Knative(parameters) => {
                let (limit, slots) = (parameters.container_concurrency, service.concurrency.max(1));
                if limit > 0 && limit != slots {
                    let remedy = "simulate a service of that concurrency, or leave the limit out and give a target";
                    return Err(Invalid::new("containerConcurrency", limit, "is not the service's", remedy).into());
                }
                Drive::Knative(Box::new(knative::Knative::new((**parameters).clone())?))
            }
            Self::Kubernetes { spec, settings } => {
                kubernetes::check(spec)?;
                Drive::Kubernetes(Box::new(kubernetes::Kubernetes::new((**spec).clone(), *settings)?))
            }
            Self::Keda { object, settings } => {
                keda::check(object)?;
                let keda = Keda::new((**object).clone(), Timestamp::ORIGIN)?;
                Drive::Keda(Box::new(keda::Keda::new(keda, *settings)?))
            }
            Self::RayServe(config) => Drive::RayServe(Box::new(ray_serve::RayServe::new((**config).clone())?)),
            Self::SkyServe(policy) => Drive::SkyServe(Box::new(skyserve::SkyServe::new(policy)?)),
        };
        Ok(PeerController(drive))
    }
}

/// A peer that [decides](Controller) in a simulation. Its commands name workers by ids that count from zero.
#[derive(Clone, Debug)]
pub struct PeerController(Drive);

#[derive(Clone, Debug)]
enum Drive {
    Knative(Box<knative::Knative>),
    Kubernetes(Box<kubernetes::Kubernetes>),
    Keda(Box<keda::Keda>),
    RayServe(Box<ray_serve::RayServe>),
    SkyServe(Box<skyserve::SkyServe>),
}

/// The same call of whichever it is.
macro_rules! each {
    ($drive:expr, $own:ident => $call:expr) => {
        match $drive {
            Drive::Knative($own) => $call,
            Drive::Kubernetes($own) => $call,
            Drive::Keda($own) => $call,
            Drive::RayServe($own) => $call,
            Drive::SkyServe($own) => $call,
        }
    };
}

impl Controller for PeerController {
    fn observe(&mut self, now: Timestamp, observation: Observation) -> bool {
        each!(&mut self.0, own => own.observe(now, observation))
    }

    fn next_wakeup(&self) -> Option<Timestamp> {
        each!(&self.0, own => own.next_wakeup())
    }

    fn desired(&self) -> u32 {
        each!(&self.0, own => own.desired())
    }

    fn decide(&mut self, now: Timestamp, commands: &mut Commands) -> Option<Decided> {
        each!(&mut self.0, own => own.decide(now, commands))
    }

    fn may_wake(&self) -> bool {
        each!(&self.0, own => own.may_wake())
    }
}

/// A peer as its users have it.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum File {
    Knative(Revision),
    Kubernetes(Box<hpa::Manifest>),
    Keda(Box<peers::keda::Manifest>),
    RayServe(Box<AutoscalingConfig>),
    #[serde(rename = "skyserve")]
    SkyServe(Box<peers::skyserve::Service>),
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Revision {
    annotations: BTreeMap<String, String>,
    container_concurrency: u32,
    config_map: BTreeMap<String, String>,
}

impl TryFrom<File> for Peer {
    type Error = PeerError;

    fn try_from(file: File) -> Result<Self, PeerError> {
        let settings = hpa::Controller::default();
        Ok(match file {
            File::Knative(Revision { annotations, container_concurrency, config_map }) => {
                Self::Knative(Box::new(peers::knative::load(&annotations, container_concurrency, &config_map)?))
            }
            File::Kubernetes(manifest) => Self::Kubernetes { spec: Box::new(manifest.spec()?), settings },
            File::Keda(manifest) => {
                if manifest.annotations != Annotations::NONE {
                    let remedy = "it is done by hand: leave it out to see what the service does by itself";
                    let rule = "is not simulated";
                    return Err(Invalid::new("autoscaling.keda.sh annotation", "given", rule, remedy).into());
                }
                Self::Keda { object: Box::new(manifest.spec), settings }
            }
            File::RayServe(config) => Self::RayServe(config),
            File::SkyServe(service) => Self::SkyServe(Box::new(service.replica_policy)),
        })
    }
}
