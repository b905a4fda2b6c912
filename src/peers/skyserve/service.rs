//! The `service` section of a task, as its users have it.

use alloc::string::String;
use alloc::vec::Vec;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{ReplicaPolicy, TargetQps};
use crate::peers::exact::Exact;
use crate::peers::invalid::Invalid;

/// A task's `service` section, or the `pool` one.
///
/// ```
/// use plimsoll::peers::skyserve::{Service, Variant};
///
/// let yaml = "
/// readiness_probe: /health
/// replica_policy:
///   min_replicas: 2
///   max_replicas: 5
///   target_qps_per_replica: 1.5
///   dynamic_ondemand_fallback: true
/// ";
/// let service: Service = serde_saphyr::from_str(yaml)?;
/// assert_eq!(service.replica_policy.variant(), Variant::Fallback);
/// assert_eq!(service.beside, ["readiness_probe"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(try_from = "Section")]
#[non_exhaustive]
pub struct Service {
    /// What scales it. From `replicas: n` it is a policy of exactly so many.
    pub replica_policy: ReplicaPolicy,
    /// What else the section holds, by name: nothing of it decides a count.
    pub beside: Vec<&'static str>,
}

/// The `replica_policy` as a file has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    min_replicas: Option<u32>,
    max_replicas: Option<u32>,
    #[serde(default)]
    target_qps_per_replica: TargetQps,
    num_overprovision: Option<u32>,
    upscale_delay_seconds: Option<Exact>,
    downscale_delay_seconds: Option<Exact>,
    base_ondemand_fallback_replicas: Option<u32>,
    dynamic_ondemand_fallback: Option<bool>,
    queue_length_threshold: Option<u32>,
    spot_placer: Option<String>,
}

impl TryFrom<File> for ReplicaPolicy {
    type Error = Invalid;

    fn try_from(file: File) -> Result<Self, Invalid> {
        let Some(min_replicas) = file.min_replicas else {
            let remedy = "give the least replicas, such as 1";
            return Err(Invalid::new("min_replicas", "nothing", "is required in a replica_policy", remedy));
        };
        if let Some(placer) = file.spot_placer {
            let remedy = "where replicas go is not emulated: leave it out";
            return Err(Invalid::new("spot_placer", placer, "is not supported", remedy));
        }
        let default = Self::default();
        let policy = Self {
            min_replicas,
            max_replicas: file.max_replicas,
            target_qps_per_replica: file.target_qps_per_replica,
            num_overprovision: file.num_overprovision.unwrap_or(default.num_overprovision),
            upscale_delay_seconds: file.upscale_delay_seconds.map_or(default.upscale_delay_seconds, f64::from),
            downscale_delay_seconds: file.downscale_delay_seconds.map_or(default.downscale_delay_seconds, f64::from),
            base_ondemand_fallback_replicas: file.base_ondemand_fallback_replicas,
            dynamic_ondemand_fallback: file.dynamic_ondemand_fallback,
            queue_length_threshold: file.queue_length_threshold,
        };
        policy.check()?;
        if policy.target_qps_per_replica == TargetQps::Fixed
            && policy.queue_length_threshold.is_none()
            && policy.min_replicas != policy.max()
        {
            let rule = "is required while min_replicas and max_replicas differ";
            let remedy = "give the requests per second of one replica, such as 2.5";
            return Err(Invalid::new("target_qps_per_replica", "nothing", rule, remedy));
        }
        Ok(policy)
    }
}

/// The section as a file has it. What is ignored is listed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Section {
    replica_policy: Option<ReplicaPolicy>,
    replicas: Option<u32>,
    workers: Option<u32>,
    min_workers: Option<u32>,
    max_workers: Option<u32>,
    queue_length_threshold: Option<u32>,
    upscale_delay_seconds: Option<Exact>,
    downscale_delay_seconds: Option<Exact>,
    readiness_probe: Option<IgnoredAny>,
    load_balancing_policy: Option<IgnoredAny>,
    ports: Option<IgnoredAny>,
    tls: Option<IgnoredAny>,
}

impl TryFrom<Section> for Service {
    type Error = Invalid;

    fn try_from(section: Section) -> Result<Self, Invalid> {
        let pool = section.pool()?;
        let fixed = |count| ReplicaPolicy { min_replicas: count, ..ReplicaPolicy::default() };
        let replica_policy = match (section.replica_policy, section.replicas.map(fixed), pool) {
            (Some(policy), None, None) | (None, Some(policy), None) | (None, None, Some(policy)) => policy,
            (None, None, None) => fixed(1),
            _ => {
                let rule = "say the same thing";
                let remedy = "keep one of replica_policy, replicas and the workers of a pool";
                return Err(Invalid::new("replica_policy, replicas, workers", "several", rule, remedy));
            }
        };
        replica_policy.check()?;
        let beside = [
            ("readiness_probe", section.readiness_probe.is_some()),
            ("load_balancing_policy", section.load_balancing_policy.is_some()),
            ("ports", section.ports.is_some()),
            ("tls", section.tls.is_some()),
        ];
        let beside = beside.into_iter().filter_map(|(name, there)| there.then_some(name)).collect();
        Ok(Self { replica_policy, beside })
    }
}

impl Section {
    /// The policy of a pool, if this is one: `workers`, or at least `min_workers` and at most `max_workers`.
    fn pool(&self) -> Result<Option<ReplicaPolicy>, Invalid> {
        let default = ReplicaPolicy::default();
        let scales = self.max_workers.is_some() || self.queue_length_threshold.is_some();
        let count = self.workers.or(self.min_workers);
        let Some(count) = count else {
            let delays = self.upscale_delay_seconds.is_some() || self.downscale_delay_seconds.is_some();
            if scales || delays {
                let remedy = "give workers or min_workers, or move the delays into a replica_policy";
                return Err(Invalid::new("workers", "nothing", "is required for a pool", remedy));
            }
            return Ok(None);
        };
        if self.workers.is_some() && self.min_workers.is_some() {
            let (rule, remedy) = ("say the same thing", "keep one of them");
            return Err(Invalid::new("workers, min_workers", "both", rule, remedy));
        }
        Ok(Some(ReplicaPolicy {
            min_replicas: count,
            max_replicas: self.max_workers,
            queue_length_threshold: scales.then(|| self.queue_length_threshold.unwrap_or(1)),
            upscale_delay_seconds: self.upscale_delay_seconds.map_or(default.upscale_delay_seconds, f64::from),
            downscale_delay_seconds: self.downscale_delay_seconds.map_or(default.downscale_delay_seconds, f64::from),
            ..default
        }))
    }
}
