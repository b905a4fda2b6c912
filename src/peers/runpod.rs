//! RunPod endpoints, as its API has them. Their rules are native ones ([`RunPod`]), so there is
//! nothing to emulate: an endpoint loads and migrates.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::invalid::Invalid;
use super::migration::{Change, Migration};
use crate::config::Config;
use crate::error::ConfigError;
use crate::policy::RunPod;

/// The scaling of an endpoint, under the API's names.
///
/// `workersMax` is required, since it bounds the cost. What else is missing has the default of RunPod's document, as in
/// this crate's own `runpod` table: `workersMin` 0, `idleTimeout` 30 s, queue delay of 4 s, flash boot off. An endpoint
/// that the API returns names all of them.
///
/// ```
/// use plimsoll::peers::runpod::Endpoint;
///
/// let json = r#"{"id": "a1b2", "workersMin": 0, "workersMax": 5, "idleTimeout": 5,
///     "scalerType": "REQUEST_COUNT", "scalerValue": 4, "gpuTypeIds": ["NVIDIA L4"]}"#;
/// let endpoint: Endpoint = serde_json::from_str(json)?;
/// assert_eq!(endpoint.beside, ["gpuTypeIds", "id"]);
/// assert_eq!(endpoint.migrate()?.config.max(), 5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(try_from = "File")]
#[non_exhaustive]
pub struct Endpoint {
    /// The least workers.
    pub workers_min: u32,
    /// The most workers.
    pub workers_max: u32,
    /// Seconds for which a worker stays when it is idle.
    pub idle_timeout: u32,
    /// What makes the pool grow.
    pub scaler_type: ScalerType,
    /// Seconds of waiting, or requests per worker.
    pub scaler_value: u32,
    /// Whether a stopped worker stays loaded.
    pub flashboot: bool,
    /// What else the endpoint holds, by name: nothing of it decides a count.
    pub beside: Vec<&'static str>,
}

/// What makes the pool grow.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum ScalerType {
    /// A request has waited for so many seconds.
    #[default]
    QueueDelay,
    /// So many requests per worker.
    RequestCount,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct File {
    workers_min: Option<u32>,
    workers_max: Option<u32>,
    idle_timeout: Option<u32>,
    scaler_type: Option<ScalerType>,
    scaler_value: Option<u32>,
    #[serde(alias = "flashBoot")]
    flashboot: Option<bool>,
    execution_timeout_ms: Option<IgnoredAny>,
    workers_standby: Option<IgnoredAny>,
    allowed_cuda_versions: Option<IgnoredAny>,
    compute_type: Option<IgnoredAny>,
    cpu_flavor_ids: Option<IgnoredAny>,
    created_at: Option<IgnoredAny>,
    data_center_ids: Option<IgnoredAny>,
    env: Option<IgnoredAny>,
    gpu_count: Option<IgnoredAny>,
    gpu_type_ids: Option<IgnoredAny>,
    id: Option<IgnoredAny>,
    instance_ids: Option<IgnoredAny>,
    name: Option<IgnoredAny>,
    network_volume_id: Option<IgnoredAny>,
    template: Option<IgnoredAny>,
    template_id: Option<IgnoredAny>,
    user_id: Option<IgnoredAny>,
    vcpu_count: Option<IgnoredAny>,
    version: Option<IgnoredAny>,
    workers: Option<IgnoredAny>,
}

impl File {
    fn beside(&self) -> Vec<&'static str> {
        let fields = [
            ("allowedCudaVersions", &self.allowed_cuda_versions),
            ("computeType", &self.compute_type),
            ("cpuFlavorIds", &self.cpu_flavor_ids),
            ("createdAt", &self.created_at),
            ("dataCenterIds", &self.data_center_ids),
            ("env", &self.env),
            ("gpuCount", &self.gpu_count),
            ("gpuTypeIds", &self.gpu_type_ids),
            ("id", &self.id),
            ("instanceIds", &self.instance_ids),
            ("name", &self.name),
            ("networkVolumeId", &self.network_volume_id),
            ("template", &self.template),
            ("templateId", &self.template_id),
            ("userId", &self.user_id),
            ("vcpuCount", &self.vcpu_count),
            ("version", &self.version),
            ("workers", &self.workers),
        ];
        fields.into_iter().filter_map(|(name, field)| field.is_some().then_some(name)).collect()
    }
}

impl TryFrom<File> for Endpoint {
    type Error = Invalid;

    fn try_from(file: File) -> Result<Self, Invalid> {
        if file.execution_timeout_ms.is_some() {
            let remedy = "how long a request may run is for the queue's owner to enforce: leave it out here";
            return Err(Invalid::unsupported("executionTimeoutMs", remedy));
        }
        if file.workers_standby.is_some() {
            let remedy = "how many workers stand by is the native setting `standby`: leave it out here and set that";
            return Err(Invalid::unsupported("workersStandby", remedy));
        }
        let beside = file.beside();
        let Some(workers_max) = file.workers_max else {
            let remedy = "it bounds the cost, so only you know it";
            return Err(Invalid::new("workersMax", "nothing", "is required", remedy));
        };
        let scaler_type = file.scaler_type.unwrap_or_default();
        let scaler_value = match (scaler_type, file.scaler_value) {
            (ScalerType::RequestCount, None) => {
                let remedy = "give the requests that one worker should have, such as 4";
                return Err(Invalid::new("scalerValue", "nothing", "is required with REQUEST_COUNT", remedy));
            }
            (ScalerType::QueueDelay, None) => 4,
            (_, Some(value)) => value,
        };
        let endpoint = Self {
            workers_min: file.workers_min.unwrap_or(0),
            workers_max,
            idle_timeout: file.idle_timeout.unwrap_or(30),
            scaler_type,
            scaler_value,
            flashboot: file.flashboot.unwrap_or(false),
            beside,
        };
        endpoint.check()?;
        Ok(endpoint)
    }
}

impl Endpoint {
    fn check(&self) -> Result<(), Invalid> {
        if self.workers_max == 0 || self.workers_min > self.workers_max {
            let value = format!("{}..{}", self.workers_min, self.workers_max);
            let (rule, remedy) =
                ("must be in order, with a maximum above zero", "lower workersMin or raise workersMax");
            return Err(Invalid::new("workersMin..workersMax", value, rule, remedy));
        }
        if self.scaler_value == 0 {
            let remedy = "give seconds of waiting, or requests per worker, such as 4";
            return Err(Invalid::new("scalerValue", 0, "must be above zero", remedy));
        }
        Ok(())
    }

    /// The native configuration: RunPod's own rule, by RunPod's own numbers.
    ///
    /// # Errors
    /// If a value is beyond what a native configuration holds.
    pub fn migrate(&self) -> Result<Migration, ConfigError> {
        let seconds = |value: u32| Duration::from_secs(value.into());
        let policy = match self.scaler_type {
            ScalerType::QueueDelay => RunPod::queue_delay(seconds(self.scaler_value)),
            ScalerType::RequestCount => RunPod::request_count(self.scaler_value),
        };
        let idle_timeout = seconds(self.idle_timeout);
        let config = Config::runpod(policy, self.workers_min, self.workers_max, idle_timeout)?;
        let mut changes = Vec::from([Change {
            setting: "idleTimeout",
            becomes: format!("idle_timeout and down_delay {} s", self.idle_timeout),
            effect: "a worker goes once it has been idle for so long and has not been needed for as long",
        }]);
        let mut nothing = |setting, effect| changes.push(Change { setting, becomes: String::from("nothing"), effect });
        for name in &self.beside {
            nothing(name, "it decides no count: it stays with the platform that starts the workers");
        }
        if self.flashboot {
            changes.push(Change {
                setting: "flashboot",
                becomes: "standby 1".into(),
                effect: "one stopped, loaded worker is kept: RunPod's switch has no number, and its scaling adds one at a time",
            });
        }
        Ok(Migration { config: config.with_standby(u32::from(self.flashboot)), changes })
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;
    use crate::config::Config;

    fn load(json: &str) -> Result<Endpoint, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn an_endpoint_becomes_the_native_rule_of_the_same_numbers() {
        let endpoint = load(r#"{"workersMin": 1, "workersMax": 3, "idleTimeout": 60, "flashboot": true}"#).unwrap();
        let policy = RunPod::queue_delay(Duration::from_secs(4));
        let config = Config::runpod(policy, 1, 3, Duration::from_secs(60)).unwrap().with_standby(1);
        assert_eq!(endpoint.migrate().unwrap().config, config);
        let counting = load(r#"{"workersMax": 3, "scalerType": "REQUEST_COUNT", "scalerValue": 4}"#).unwrap();
        let config = Config::runpod(RunPod::request_count(4), 0, 3, Duration::from_secs(30)).unwrap();
        assert_eq!(counting.migrate().unwrap().config, config);
    }

    #[test]
    fn what_stays_with_the_platform_is_named() {
        let endpoint = load(r#"{"workersMin": 3, "workersMax": 3, "vcpuCount": 8, "id": "a", "gpuCount": 1}"#).unwrap();
        assert_eq!(endpoint.beside, ["gpuCount", "id", "vcpuCount"]);
        let changes = endpoint.migrate().unwrap().changes;
        for name in endpoint.beside {
            assert!(changes.iter().any(|change| change.setting == name && change.becomes == "nothing"), "{name}");
        }
    }

    #[test]
    fn what_is_not_supported_is_refused_by_name() {
        for (json, part) in [
            (r#"{"workersMax": 3, "executionTimeoutMs": 600000}"#, "executionTimeoutMs (given) is not supported"),
            (r#"{"workersMax": 3, "workersStandby": 1}"#, "workersStandby (given) is not supported"),
            (r#"{"workersMin": 3}"#, "workersMax (nothing) is required: it bounds the cost"),
            (r#"{"workersMin": 3, "workersMax": 2}"#, "workersMin..workersMax (3..2) must be in order"),
            (r#"{"workersMax": 2, "scalerValue": 0}"#, "scalerValue (0) must be above zero"),
            (r#"{"workersMax": 2, "scalerType": "REQUEST_COUNT"}"#, "scalerValue (nothing) is required"),
            (r#"{"workersMax": 2, "scalerType": "LOAD"}"#, "unknown variant `LOAD`"),
            (r#"{"workersMax": 2, "maxWorkers": 2}"#, "unknown field `maxWorkers`"),
        ] {
            let error = load(json).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }
}
