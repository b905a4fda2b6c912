//! A file as one layer of an effective configuration: which settings it gives, and what it changes in others.

use super::reader::Table;
use super::{ConfigFile, with_policies};
use crate::config::Config;
use crate::config::effective::{Origin, Origins, settings};
use crate::error::{ConfigError, Setting};

impl ConfigFile {
    /// Where everything comes from in the configuration that this file describes.
    pub(in crate::config) fn origins(&self) -> Origins {
        let by_default = |document, settings: &'static [Setting]| {
            settings.iter().map(move |setting| (*setting, Origin::Document(document)))
        };
        let mut origins = Origins::new();
        if let Some(preset) = self.preset {
            origins.extend(preset.origins());
        }
        if self.replica_policy.is_some() {
            origins.extend(by_default("replica_policy", OUTPOST_DEFAULTS));
        }
        let is_runpod = self.runpod.is_some() || self.given().any(|key| key.contains(' '));
        if is_runpod {
            origins.extend(by_default("runpod", RUNPOD_DEFAULTS));
        }
        let written = |key| settings_of(key).map(|setting| (setting, Origin::File));
        origins.extend(self.replica_policy.iter().flat_map(Table::given).flat_map(written));
        origins.extend(self.runpod.iter().flat_map(Table::given).flat_map(written));
        origins.extend(self.given().flat_map(written));
        // RunPod's idle timeout is the down delay as well.
        if is_runpod && origins.get(&Setting::IdleTimeout) == Some(&Origin::File) {
            origins.insert(Setting::DownDelay, Origin::File);
        }
        origins
    }

    /// The settings that are written at the top level.
    pub(in crate::config) fn written(&self) -> impl Iterator<Item = Setting> {
        self.given().flat_map(settings_of)
    }

    /// Refuses what describes a configuration as a whole.
    pub(in crate::config) fn only_settings(&self) -> Result<(), ConfigError> {
        let whole = |(part, present): (&'static str, bool)| match part {
            _ if !present => None,
            "policy" | "policies" => None,
            "preset" => Some((part, "start from the preset, or name it in the file")),
            "replicas" => Some((part, "write min, max and policies")),
            "replica_policy" => Some((part, "write min, max, policies, up_delay and down_delay")),
            _ => Some((part, "write min, max, policies, idle_timeout, down_delay and standby")),
        };
        if let Some((part, remedy)) = self.descriptions().into_iter().find_map(whole) {
            return Err(ConfigError::NotAnOverride { part, remedy });
        }
        self.one_description()
    }

    /// `config` with the settings that this file gives.
    pub(in crate::config) fn change(mut self, config: Config) -> Result<Config, ConfigError> {
        match self.own_policies() {
            Some(policies) => self.override_in(with_policies(config, policies)?),
            None => self.override_in(config),
        }
    }
}

/// What Outpost's document has defaults for.
const OUTPOST_DEFAULTS: &[Setting] = &[Setting::Min, Setting::UpDelay, Setting::DownDelay];

/// What RunPod's document has defaults for.
const RUNPOD_DEFAULTS: &[Setting] =
    &[Setting::Min, Setting::Max, Setting::Policies, Setting::DownDelay, Setting::IdleTimeout, Setting::Standby];

/// The settings that a key of a file sets by itself, in whichever table it stands.
fn settings_of(key: &'static str) -> impl Iterator<Item = Setting> {
    let products: &[Setting] = match key {
        "replicas" => &[Setting::Min, Setting::Max, Setting::Policies],
        "min_replicas" | "min_workers" | "Min Workers" => &[Setting::Min],
        "max_replicas" | "max_workers" | "Max Workers" => &[Setting::Max],
        "policy" | "target_qps_per_replica" | "queue_delay" | "Queue Delay" | "request_count" | "Request Count" => {
            &[Setting::Policies]
        }
        "upscale_delay_seconds" => &[Setting::UpDelay],
        "downscale_delay_seconds" => &[Setting::DownDelay],
        "Idle Timeout" => &[Setting::IdleTimeout],
        "flash_boot" | "Flash Boot" => &[Setting::Standby],
        _ => &[],
    };
    let native = settings(&Config::unset()).map(|(setting, _)| setting).into_iter();
    native.filter(move |setting| setting.name() == key).chain(products.iter().copied())
}
