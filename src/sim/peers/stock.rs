//! The settings that peers come with.

use core::time::Duration;
use std::boxed::Box;

use super::{Kind, Peer};
use crate::peers::keda::{ScaledObject, Trigger};
use crate::peers::knative::Parameters;
use crate::peers::kubernetes::{self as hpa, MetricSpec, MetricTarget, Quantity, Spec};
use crate::peers::ray_serve::AutoscalingConfig;
use crate::peers::skyserve::{ReplicaPolicy, TargetQps};

/// A service for which a peer is set up with what it comes with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_structs, reason = "plain data: a peer at its defaults needs to know no more")]
pub struct Stock {
    /// Requests that one worker serves at once; zero counts as one.
    pub concurrency: u32,
    /// How long one request holds its slot on average. SkyServe alone asks for it.
    pub mean_service: Duration,
    /// The least workers. The HPA makes one of zero.
    pub min: u32,
    /// The most workers; at least one, and at least the least.
    pub max: u32,
}

impl Peer {
    /// A peer at its defaults. What has none is 70 % of the concurrency per worker, as Knative has it; for Ray Serve
    /// all of it, for SkyServe 80 % of the requests that a worker can serve per second.
    ///
    /// | peer | target per worker | up, down |
    /// |---|---|---|
    /// | Knative | 70 % of the concurrency | windows of 60 s and 6 s |
    /// | Kubernetes HPA | the same, of a `Pods` metric | at once, 300 s |
    /// | KEDA | the same, in all; polled every 30 s | as the HPA; to zero 300 s |
    /// | Ray Serve | the concurrency | 30 s, 600 s |
    /// | SkyServe | 0.8 × concurrency / mean service, per second | 300 s, 1200 s |
    #[must_use]
    pub fn defaults(kind: Kind, stock: &Stock) -> Self {
        let Stock { min, mean_service, .. } = *stock;
        let (slots, max) = (stock.concurrency.max(1), stock.max.max(min).max(1));
        let milli = i64::from(slots).saturating_mul(700);
        let settings = hpa::Controller::default();
        let count = |workers: u32| i32::try_from(workers).unwrap_or(i32::MAX);
        match kind {
            Kind::Knative => Self::Knative(Box::new(Parameters {
                container_concurrency: slots,
                min_scale: min,
                max_scale: max,
                ..Parameters::default()
            })),
            Kind::Kubernetes => {
                let target = MetricTarget::average_value(Quantity::from_milli(milli));
                let metrics = [MetricSpec::pods("concurrency", target)].to_vec();
                let spec = Spec { min_replicas: Some(count(min.max(1))), ..Spec::new(count(max), metrics) };
                Self::Kubernetes { spec: Box::new(spec), settings }
            }
            Kind::Keda => {
                let object = ScaledObject {
                    min_replica_count: min,
                    max_replica_count: max,
                    triggers: [Trigger::average_value(milli)].to_vec(),
                    ..ScaledObject::default()
                };
                Self::Keda { object: Box::new(object), settings }
            }
            Kind::RayServe => Self::RayServe(Box::new(AutoscalingConfig {
                min_replicas: min,
                max_replicas: max,
                target_ongoing_requests: f64::from(slots),
                ..AutoscalingConfig::default()
            })),
            Kind::SkyServe => {
                let mean = mean_service.as_secs_f64().max(1e-9);
                Self::SkyServe(Box::new(ReplicaPolicy {
                    min_replicas: min,
                    max_replicas: Some(max),
                    target_qps_per_replica: TargetQps::PerReplica(0.8 * f64::from(slots) / mean),
                    ..ReplicaPolicy::default()
                }))
            }
        }
    }
}
