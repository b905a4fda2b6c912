//! Modal's autoscaler settings. Containers by concurrent inputs, a buffer, and an idle window are native rules, so there
//! is nothing to emulate: the settings load and migrate.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use serde::Deserialize;

use super::invalid::Invalid;
use super::migration::{Change, Migration};
use crate::config::{Buffer, Config};
use crate::error::ConfigError;
use crate::policy::{ConcurrencyTarget, Policy};

/// The autoscaler settings of a function, under Modal's names; the deprecated ones (`keep_warm`, `concurrency_limit`,
/// `container_idle_timeout`, `allow_concurrent_inputs`) are read as well.
///
/// | setting | default |
/// |---|---|
/// | `min_containers`, `buffer_containers` | 0, 0 |
/// | `max_containers` | none at Modal; required here, since a native configuration bounds the cost |
/// | `scaledown_window` | 60 s |
/// | `max_concurrent_inputs` | 1 |
/// | `target_concurrent_inputs` | `max_concurrent_inputs` |
///
/// ```
/// use plimsoll::peers::modal::Autoscaler;
///
/// let settings: Autoscaler =
///     serde_json::from_str(r#"{"max_containers": 20, "buffer_containers": 2, "max_concurrent_inputs": 8}"#)?;
/// let config = settings.migrate()?.config;
/// assert_eq!((config.max(), config.concurrency()), (20, 8));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(try_from = "File")]
#[non_exhaustive]
pub struct Autoscaler {
    /// Containers kept warm.
    pub min_containers: u32,
    /// The most containers.
    pub max_containers: u32,
    /// Idle containers beside the busy ones, while the function is active.
    pub buffer_containers: u32,
    /// Seconds for which a container stays when it is idle.
    pub scaledown_window: u32,
    /// Inputs that one container serves at a time at the most.
    pub max_concurrent_inputs: u32,
    /// Inputs that one container should have.
    pub target_concurrent_inputs: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(alias = "keep_warm")]
    min_containers: Option<u32>,
    #[serde(alias = "concurrency_limit")]
    max_containers: Option<u32>,
    buffer_containers: Option<u32>,
    #[serde(alias = "container_idle_timeout")]
    scaledown_window: Option<u32>,
    #[serde(alias = "max_inputs", alias = "allow_concurrent_inputs")]
    max_concurrent_inputs: Option<u32>,
    #[serde(alias = "target_inputs")]
    target_concurrent_inputs: Option<u32>,
}

impl TryFrom<File> for Autoscaler {
    type Error = Invalid;

    fn try_from(file: File) -> Result<Self, Invalid> {
        let Some(max) = file.max_containers else {
            let remedy =
                "Modal knows no limit, a native configuration bounds the cost: give the most you would pay for";
            return Err(Invalid::new("max_containers", "nothing", "is required", remedy));
        };
        let min = file.min_containers.unwrap_or(0);
        if max == 0 || min > max {
            let (rule, remedy) =
                ("must be in order, with a maximum above zero", "lower min_containers or raise the other");
            return Err(Invalid::new("min_containers..max_containers", format!("{min}..{max}"), rule, remedy));
        }
        let most = file.max_concurrent_inputs.unwrap_or(1);
        let target = file.target_concurrent_inputs.unwrap_or(most);
        if target == 0 || target > most {
            let rule = "must be above zero and at most max_concurrent_inputs";
            let remedy = "a container cannot be meant to have more inputs than it takes";
            return Err(Invalid::new("target_concurrent_inputs", format!("{target} of {most}"), rule, remedy));
        }
        let scaledown_window = file.scaledown_window.unwrap_or(60);
        if scaledown_window == 0 {
            return Err(Invalid::new("scaledown_window", 0, "must be above zero", "give seconds, such as 60"));
        }
        Ok(Self {
            min_containers: min,
            max_containers: max,
            buffer_containers: file.buffer_containers.unwrap_or(0),
            scaledown_window,
            max_concurrent_inputs: most,
            target_concurrent_inputs: target,
        })
    }
}

impl Autoscaler {
    /// The native configuration: the concurrency policy with a buffer and an idle timeout.
    ///
    /// # Errors
    /// If a value is beyond what a native configuration holds.
    pub fn migrate(&self) -> Result<Migration, ConfigError> {
        let mut changes = Vec::new();
        let mut change = |setting, becomes: String, effect| changes.push(Change { setting, becomes, effect });
        let target = ConcurrencyTarget::new(self.target_concurrent_inputs.into());
        let window = Duration::from_secs(self.scaledown_window.into());
        let policy = target.map_or(Policy::External, Policy::Concurrency);
        let mut config = Config::new(policy, self.min_containers, self.max_containers)?
            .with_concurrency(self.max_concurrent_inputs)?
            .with_idle_timeout(window)?
            .with_down_delay(window)?;
        change(
            "scaledown_window",
            format!("idle_timeout and down_delay {} s", self.scaledown_window),
            "a worker goes once it has been idle for so long and has not been needed for as long",
        );
        if self.buffer_containers > 0 {
            config = config.with_buffer(Buffer::workers(self.buffer_containers))?;
            change(
                "buffer_containers",
                format!("buffer of {} workers", self.buffer_containers),
                "idle workers above the occupied ones while there are requests; with none the pool goes to its minimum",
            );
        }
        if self.target_concurrent_inputs < self.max_concurrent_inputs {
            change(
                "target_concurrent_inputs",
                format!("policy concurrency, target {}", self.target_concurrent_inputs),
                "waiting requests count as well as running ones",
            );
        }
        Ok(Migration { config, changes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(json: &str) -> Result<Autoscaler, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn the_settings_become_native_ones() {
        let json = r#"{"min_containers": 1, "max_containers": 9, "buffer_containers": 2, "scaledown_window": 120,
            "max_concurrent_inputs": 10, "target_concurrent_inputs": 8}"#;
        let migration = load(json).unwrap().migrate().unwrap();
        let config = migration.config;
        assert_eq!((config.min(), config.max(), config.concurrency()), (1, 9, 10));
        assert_eq!(config.idle_timeout(), Some(Duration::from_secs(120)));
        assert_eq!(config.buffer(), Some(Buffer::workers(2)));
        assert_eq!(config.policies(), [Policy::Concurrency(ConcurrencyTarget::new(8.0).unwrap())]);
        let names: Vec<_> = migration.changes.iter().map(|change| change.setting).collect();
        assert_eq!(names, ["scaledown_window", "buffer_containers", "target_concurrent_inputs"]);
    }

    #[test]
    fn what_is_not_set_is_not_spoken_of() {
        let migration = load(r#"{"min_containers": 2, "max_containers": 2}"#).unwrap().migrate().unwrap();
        assert_eq!((migration.config.min(), migration.config.buffer()), (2, None));
        let names: Vec<_> = migration.changes.iter().map(|change| change.setting).collect();
        assert_eq!(names, ["scaledown_window"]);
    }

    #[test]
    fn deprecated_names_are_read() {
        let old =
            r#"{"keep_warm": 1, "concurrency_limit": 9, "container_idle_timeout": 120, "allow_concurrent_inputs": 4}"#;
        let new = r#"{"min_containers": 1, "max_containers": 9, "scaledown_window": 120, "max_inputs": 4}"#;
        assert_eq!(load(old).unwrap(), load(new).unwrap());
    }

    #[test]
    fn errors_say_what_to_do() {
        for (json, part) in [
            ("{}", "max_containers (nothing) is required: Modal knows no limit"),
            (r#"{"min_containers": 2, "max_containers": 1}"#, "(2..1) must be in order"),
            (r#"{"max_containers": 1, "target_inputs": 2}"#, "target_concurrent_inputs (2 of 1) must be"),
            (r#"{"max_containers": 1, "scaledown_window": 0}"#, "scaledown_window (0) must be above zero"),
            (r#"{"max_containers": 1, "gpu": "L4"}"#, "unknown field `gpu`"),
        ] {
            let error = load(json).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }
}
