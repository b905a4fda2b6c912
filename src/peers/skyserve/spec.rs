//! A service's `replica_policy`: SkyServe's parameters and their defaults.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Variant;
use crate::peers::exact::{self, Exact};
use crate::peers::invalid::Invalid;

/// A service's parameters, under SkyServe's names. The defaults are those of `sky/serve/constants.py` and
/// `sky/serve/service_spec.py`, 0.14.1.
///
/// | parameter | default |
/// |---|---|
/// | `min_replicas` | required in a file; 1 here |
/// | `max_replicas` | `min_replicas` |
/// | `target_qps_per_replica` | none: the size is fixed |
/// | `num_overprovision` | 0 |
/// | `upscale_delay_seconds`, `downscale_delay_seconds` | 300, 1200 |
/// | `base_ondemand_fallback_replicas`, `dynamic_ondemand_fallback` | none: no fallback |
/// | `queue_length_threshold` | 1, for pools |
///
/// It reads as the `replica_policy` of a service; see [`Service`](super::Service) for the section around it. The window
/// of 60 s and the periods of 20 s and 5 s cannot be configured.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(try_from = "super::service::File")]
#[expect(clippy::exhaustive_structs, reason = "plain data; `..Default::default()` keeps a literal short")]
pub struct ReplicaPolicy {
    /// The least replicas; may be 0.
    pub min_replicas: u32,
    /// The most replicas; the least if none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_replicas: Option<u32>,
    /// Requests per second of one replica. 0 is accepted, and every decision then fails.
    #[serde(skip_serializing_if = "TargetQps::is_fixed")]
    pub target_qps_per_replica: TargetQps,
    /// Replicas beyond the target.
    pub num_overprovision: u32,
    /// How long more must have been wanted. Negative ones are accepted and are none.
    #[serde(serialize_with = "exact::serialize")]
    pub upscale_delay_seconds: f64,
    /// How long less must have been wanted. Negative ones are accepted and are none.
    #[serde(serialize_with = "exact::serialize")]
    pub downscale_delay_seconds: f64,
    /// Replicas that are always on demand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_ondemand_fallback_replicas: Option<u32>,
    /// Whether on-demand replicas stand in for spot ones that are not ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dynamic_ondemand_fallback: Option<bool>,
    /// The service is a pool that scales on its queue: jobs that may wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue_length_threshold: Option<u32>,
}

impl Default for ReplicaPolicy {
    fn default() -> Self {
        Self {
            min_replicas: 1,
            max_replicas: None,
            target_qps_per_replica: TargetQps::Fixed,
            num_overprovision: 0,
            upscale_delay_seconds: 300.0,
            downscale_delay_seconds: 1_200.0,
            base_ondemand_fallback_replicas: None,
            dynamic_ondemand_fallback: None,
            queue_length_threshold: None,
        }
    }
}

impl ReplicaPolicy {
    /// The most replicas.
    #[must_use]
    pub const fn max(&self) -> u32 {
        match self.max_replicas {
            Some(max) => max,
            None => self.min_replicas,
        }
    }

    /// Which autoscaler the service gets: queue length for a pool, else fallback if it has any, else instance-aware for
    /// a map of rates, else the request rate.
    #[must_use]
    pub const fn variant(&self) -> Variant {
        if self.queue_length_threshold.is_some() {
            Variant::QueueLength
        } else if self.uses_fallback() {
            Variant::Fallback
        } else if matches!(self.target_qps_per_replica, TargetQps::ByAccelerator(_)) {
            Variant::InstanceAware
        } else {
            Variant::RequestRate
        }
    }

    pub(super) const fn uses_fallback(&self) -> bool {
        self.base_ondemand_fallback_replicas.is_some() || self.dynamic_ondemand_fallback.is_some()
    }

    pub(super) fn check(&self) -> Result<(), Invalid> {
        let (min, max) = (self.min_replicas, self.max());
        if min > max {
            let value = format!("{min}, of at most {max}");
            let remedy = "lower min_replicas or raise max_replicas";
            return Err(Invalid::new("min_replicas", value, "must be at most max_replicas", remedy));
        }
        for (setting, delay) in [
            ("upscale_delay_seconds", self.upscale_delay_seconds),
            ("downscale_delay_seconds", self.downscale_delay_seconds),
        ] {
            if !delay.is_finite() {
                return Err(Invalid::new(setting, delay, "must be a number", "give seconds, such as 300"));
            }
        }
        let rates: &[(String, f64)] = match &self.target_qps_per_replica {
            TargetQps::Fixed => &[],
            TargetQps::PerReplica(rate) => &[(String::new(), *rate)],
            TargetQps::ByAccelerator(rates) => {
                if rates.is_empty() {
                    let (rule, remedy) = ("must hold at least one rate", "give one, such as {L4: 2.5}");
                    return Err(Invalid::new("target_qps_per_replica", "{}", rule, remedy));
                }
                if self.uses_fallback() {
                    let rule = "does not go with on-demand fallback";
                    let remedy = "give one rate for every replica, or no fallback";
                    return Err(Invalid::new("target_qps_per_replica", "a map", rule, remedy));
                }
                rates
            }
        };
        if let Some((_, rate)) = rates.iter().find(|(_, rate)| !(rate.is_finite() && *rate >= 0.0)) {
            let remedy = "give requests per second, such as 2.5";
            return Err(Invalid::new("target_qps_per_replica", rate, "must not be negative", remedy));
        }
        if self.queue_length_threshold.is_some() && (self.uses_fallback() || !self.target_qps_per_replica.is_fixed()) {
            let remedy = "a pool scales on its queue: leave the rate and the fallback out";
            return Err(Invalid::new("queue_length_threshold", "given", "is for pools", remedy));
        }
        Ok(())
    }
}

/// Requests per second of one replica.
#[derive(Clone, PartialEq, Debug, Default)]
#[expect(clippy::exhaustive_enums, reason = "the peer's three forms")]
pub enum TargetQps {
    /// None: the service has a fixed size.
    #[default]
    Fixed,
    /// The same for all.
    PerReplica(f64),
    /// By accelerator, in the order of the file: the first that fits counts.
    ByAccelerator(Vec<(String, f64)>),
}

impl TargetQps {
    fn is_fixed(&self) -> bool {
        *self == Self::Fixed
    }

    /// The rate of a replica with that accelerator: by its exact name, else by the first name whose part before the
    /// colon is the accelerator's, else the smallest there is.
    pub(super) fn of(&self, accelerator: Option<&str>) -> f64 {
        let Self::ByAccelerator(rates) = self else { return self.largest() };
        let exactly = || rates.iter().find(|(name, _)| Some(name.as_str()) == accelerator);
        let by_kind = || rates.iter().find(|(name, _)| accelerator.is_some() && name.split(':').next() == accelerator);
        exactly().or_else(by_kind).map_or_else(|| self.extreme(|one, other| one < other), |(_, rate)| *rate)
    }

    pub(super) fn largest(&self) -> f64 {
        self.extreme(|one, other| one > other)
    }

    fn extreme(&self, better: impl Fn(f64, f64) -> bool) -> f64 {
        match self {
            Self::Fixed => 0.0,
            Self::PerReplica(rate) => *rate,
            Self::ByAccelerator(rates) => {
                let rates = rates.iter().map(|(_, rate)| *rate);
                rates.reduce(|one, other| if better(other, one) { other } else { one }).unwrap_or(0.0)
            }
        }
    }
}

impl Serialize for TargetQps {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Fixed => serializer.serialize_none(),
            Self::PerReplica(rate) => exact::serialize(rate, serializer),
            Self::ByAccelerator(rates) => serializer.collect_map(rates.iter().map(|(name, rate)| (name, Exact(*rate)))),
        }
    }
}

impl<'de> Deserialize<'de> for TargetQps {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = TargetQps;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("requests per second, such as 2.5, or a map of them by accelerator")
            }

            fn visit_unit<E>(self) -> Result<TargetQps, E> {
                Ok(TargetQps::Fixed)
            }

            fn visit_none<E>(self) -> Result<TargetQps, E> {
                Ok(TargetQps::Fixed)
            }

            fn visit_u64<E>(self, rate: u64) -> Result<TargetQps, E> {
                Ok(TargetQps::PerReplica(rate as f64))
            }

            fn visit_i64<E>(self, rate: i64) -> Result<TargetQps, E> {
                Ok(TargetQps::PerReplica(rate as f64))
            }

            fn visit_f64<E>(self, rate: f64) -> Result<TargetQps, E> {
                Ok(TargetQps::PerReplica(rate))
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<TargetQps, E> {
                let rate = text.parse::<f64>();
                rate.map(TargetQps::PerReplica).map_err(|_| E::invalid_value(serde::de::Unexpected::Str(text), &self))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<TargetQps, A::Error> {
                let mut rates = Vec::new();
                while let Some((name, rate)) = map.next_entry::<String, Exact>()? {
                    rates.push((name, rate.0));
                }
                Ok(TargetQps::ByAccelerator(rates))
            }
        }

        deserializer.deserialize_any(Either)
    }
}
