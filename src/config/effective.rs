//! The effective configuration: what holds, setting by setting, and where each value came from.

mod flow;
mod value;

use alloc::collections::BTreeMap;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use serde::{Deserialize, Serialize, Serializer};

pub use self::value::Value;
use super::file::ConfigFile;
use super::{Config, Preset, StepLimit};
use crate::error::{ConfigError, Setting};

/// Values wider than this do not widen their column: those of a single policy fit.
const WIDEST: usize = 50;

/// Where settings came from; those that are not in it are at the crate's defaults.
pub(super) type Origins = BTreeMap<Setting, Origin>;

/// A finished [`Config`] that knows where each of its values came from. Built in layers, each on top of the last:
///
/// 1. the crate's defaults, and on them a preset or a product's document with its own;
/// 2. what is written in a file: an `Effective` is read from whatever a [`Config`] is read from;
/// 3. any number of [`Override`]s, each of which changes single settings.
///
/// It serialises as a table from each setting to its value, as a file would have it, and its origin. That is for
/// dashboards and is not read back; the [`config`](Self::config) is.
///
/// ```
/// use plimsoll::config::{Effective, Origin, Override};
/// use plimsoll::error::Setting;
///
/// let file = r#"{"preset": "outpost-gpu", "min": 1}"#;
/// let flags = r#"{"max": 20, "down_delay": "10m"}"#;
/// let effective = serde_json::from_str::<Effective>(file)?
///     .with_override("the command line", serde_json::from_str::<Override>(flags)?)?;
///
/// assert_eq!(effective.config().max(), 20);
/// assert_eq!(effective.origin(Setting::Max), Some(Origin::Override("the command line")));
/// assert_eq!(effective.origin(Setting::Min), Some(Origin::File));
///
/// let table = effective.to_string();
/// let lines: Vec<_> = table.lines().collect();
/// assert_eq!(lines[0], "min               1                                         file");
/// assert_eq!(lines[4], "up_delay          10 s                                      preset outpost-gpu");
/// assert_eq!(lines[5], "down_delay        10 min                                    override by the command line");
///
/// let json = serde_json::to_value(&effective)?;
/// assert_eq!(json["down_delay"]["value"], 600);
/// assert_eq!(json["down_delay"]["origin"], "override");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(try_from = "ConfigFile")]
pub struct Effective {
    config: Config,
    origins: Origins,
}

impl Effective {
    /// The configuration that holds.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// The configuration that holds, without its origins.
    #[must_use]
    pub fn into_config(self) -> Config {
        self.config
    }

    /// Changes what `changes` gives and nothing else. `by` says who or what wants it so; later overrides win.
    ///
    /// ```
    /// use plimsoll::Preset;
    /// use plimsoll::config::{Effective, Override};
    ///
    /// let effective = Effective::from(Preset::OutpostGpu);
    /// let changes: Override = serde_json::from_str(r#"{"min": 12}"#)?;
    /// let error = effective.with_override("the environment", changes).unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "min (12) must be at most max (8): no worker count satisfies both; lower min or raise max"
    /// );
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If a value is unusable, by itself or with what it does not change.
    pub fn with_override(mut self, by: &'static str, changes: Override) -> Result<Self, ConfigError> {
        self.origins.extend(changes.0.written().map(|setting| (setting, Origin::Override(by))));
        self.config = changes.0.change(self.config)?;
        Ok(self)
    }

    /// Where a setting's value came from; `None` for what is no setting by itself, such as `queue_delay`, which is a
    /// part of `policies`.
    ///
    /// ```
    /// use plimsoll::Preset;
    /// use plimsoll::config::{Effective, Origin};
    /// use plimsoll::error::Setting;
    ///
    /// let effective = Effective::from(Preset::RunpodBalanced);
    /// assert_eq!(effective.origin(Setting::IdleTimeout), Some(Origin::Preset(Preset::RunpodBalanced)));
    /// assert_eq!(effective.origin(Setting::Window), Some(Origin::Default));
    /// assert_eq!(effective.origin(Setting::ToZeroDelay), Some(Origin::Follows(Setting::DownDelay)));
    /// assert_eq!(effective.origin(Setting::QueueDelay), None);
    /// ```
    #[must_use]
    pub fn origin(&self, setting: Setting) -> Option<Origin> {
        self.settings().find(|(of, ..)| *of == setting).map(|(.., origin)| origin)
    }

    /// Every setting with its value and its origin, in the order of the table.
    ///
    /// ```
    /// use plimsoll::Preset;
    /// use plimsoll::config::{Effective, Origin};
    ///
    /// let effective = Effective::from(Preset::OutpostGpu);
    /// let set: Vec<_> = effective
    ///     .settings()
    ///     .filter(|(.., origin)| matches!(origin, Origin::Preset(_)))
    ///     .map(|(setting, value, _)| format!("{setting}: {value}"))
    ///     .collect();
    /// assert_eq!(
    ///     set,
    ///     [
    ///         "min: 0",
    ///         "max: 8",
    ///         "concurrency: 4",
    ///         "policies: [{outpost: {target_qps_per_replica: 2}}]",
    ///         "up_delay: 10 s",
    ///         "down_delay: 2 min",
    ///         "to_zero_delay: 2 min",
    ///     ]
    /// );
    /// ```
    pub fn settings(&self) -> impl Iterator<Item = (Setting, Value<'_>, Origin)> {
        settings(&self.config).into_iter().map(|(setting, value)| {
            let origin = match setting {
                Setting::ToZeroDelay if self.config.to_zero_delay.is_none() => Origin::Follows(Setting::DownDelay),
                Setting::SojournTarget if self.config.sojourn_target.is_none() && self.config.sought().is_some() => {
                    Origin::Follows(Setting::Policies)
                }
                _ => self.origins.get(&setting).copied().unwrap_or(Origin::Default),
            };
            (setting, value, origin)
        })
    }
}

/// Every setting of a configuration and what it holds.
pub(super) fn settings(config: &Config) -> [(Setting, Value<'_>); 29] {
    let some = |duration: Option<Duration>| duration.map_or(Value::None, Value::Duration);
    let step = |limit: Option<StepLimit>| limit.map_or(Value::None, Value::Step);
    // Taken apart as a whole, so that no setting is forgotten.
    let Config {
        min,
        max,
        concurrency,
        policies,
        up_delay,
        down_delay,
        to_zero_delay,
        idle_timeout,
        standby,
        drain_timeout,
        order_timeout,
        tolerance,
        up_step,
        down_step,
        window,
        sojourn_target: _,
        codel_interval,
        freshness,
        event_freshness,
        observer_timeout,
        precision,
        event_log,
        buffer,
        blind,
        cliff,
        start_timeout,
        backoff,
        breaker,
        schedule,
    } = config;
    [
        (Setting::Min, Value::Count(*min)),
        (Setting::Max, Value::Count(*max)),
        (Setting::Concurrency, Value::Count(*concurrency)),
        (Setting::Policies, Value::Policies(policies)),
        (Setting::UpDelay, Value::Duration(*up_delay)),
        (Setting::DownDelay, Value::Duration(*down_delay)),
        (Setting::ToZeroDelay, Value::Duration(to_zero_delay.unwrap_or(*down_delay))),
        (Setting::IdleTimeout, some(*idle_timeout)),
        (Setting::Standby, Value::Count(*standby)),
        (Setting::DrainTimeout, Value::Duration(*drain_timeout)),
        (Setting::OrderTimeout, Value::Duration(*order_timeout)),
        (Setting::Tolerance, Value::Share(*tolerance)),
        (Setting::UpStep, step(*up_step)),
        (Setting::DownStep, step(*down_step)),
        (Setting::Window, Value::Duration(*window)),
        (Setting::SojournTarget, Value::Duration(config.sojourn_target())),
        (Setting::CodelInterval, Value::Duration(*codel_interval)),
        (Setting::Freshness, Value::Duration(*freshness)),
        (Setting::EventFreshness, some(*event_freshness)),
        (Setting::ObserverTimeout, Value::Duration(*observer_timeout)),
        (Setting::Precision, Value::Precision(*precision)),
        (Setting::EventLog, Value::Count(u32::from(*event_log))),
        (Setting::Buffer, buffer.map_or(Value::None, Value::Buffer)),
        (Setting::Blind, Value::Blind(*blind)),
        (Setting::Cliff, cliff.map_or(Value::None, Value::Cliff)),
        (Setting::StartTimeout, Value::Duration(*start_timeout)),
        (Setting::Backoff, Value::Backoff(*backoff)),
        (Setting::Breaker, Value::Breaker(*breaker)),
        (Setting::Schedule, if schedule.is_empty() { Value::None } else { Value::Schedule(schedule) }),
    ]
}

/// As a file that gives this configuration.
impl TryFrom<ConfigFile> for Effective {
    type Error = ConfigError;

    fn try_from(file: ConfigFile) -> Result<Self, ConfigError> {
        let origins = file.origins();
        Ok(Self { config: file.try_into()?, origins })
    }
}

impl From<Preset> for Effective {
    fn from(preset: Preset) -> Self {
        Self { config: preset.config(), origins: preset.origins().collect() }
    }
}

/// A configuration that was built in code does not know where its values came from: those that are not the crate's
/// defaults count as [`Origin::Code`], and so do its policies and `max`, which have none.
///
/// ```
/// use plimsoll::config::{Effective, Origin};
/// use plimsoll::error::Setting;
/// use plimsoll::{Config, Policy};
///
/// let effective = Effective::from(Config::new(Policy::External, 0, 10)?);
/// assert_eq!(effective.origin(Setting::Max), Some(Origin::Code));
/// assert_eq!(effective.origin(Setting::Min), Some(Origin::Default));
/// # Ok::<(), plimsoll::ConfigError>(())
/// ```
impl From<Config> for Effective {
    fn from(config: Config) -> Self {
        let defaults = Config::unset();
        let is_code = |&((setting, value), (_, default)): &((Setting, _), (_, _))| {
            value != default || matches!(setting, Setting::Max | Setting::Policies)
        };
        let origins = settings(&config).into_iter().zip(settings(&defaults)).filter(is_code);
        let origins = origins.map(|((setting, _), _)| (setting, Origin::Code)).collect();
        Self { config, origins }
    }
}

impl From<Effective> for Config {
    fn from(effective: Effective) -> Self {
        effective.config
    }
}

/// A table for people: setting, value and origin, one setting to a line.
impl fmt::Display for Effective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: Vec<_> =
            self.settings().map(|(setting, value, origin)| (setting.name(), value.to_string(), origin)).collect();
        let names = rows.iter().map(|(name, ..)| name.len()).max().unwrap_or(0);
        let widths = rows.iter().map(|(_, value, _)| value.chars().count());
        let values = widths.filter(|width| *width <= WIDEST).max().unwrap_or(0);
        for (row, (name, value, origin)) in rows.iter().enumerate() {
            let newline = if row == 0 { "" } else { "\n" };
            write!(f, "{newline}{name:names$}  {value:values$}  {origin}")?;
        }
        Ok(())
    }
}

impl Serialize for Effective {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Row<'a> {
            value: Value<'a>,
            #[serde(flatten)]
            origin: Origin,
        }

        serializer.collect_map(self.settings().map(|(setting, value, origin)| (setting, Row { value, origin })))
    }
}

/// Where a value came from.
///
/// It serialises as a stable code (`{"origin": "default"}`), with the name of what it came from where it has one
/// (`{"origin": "preset", "name": "outpost-gpu"}`).
///
/// ```
/// use plimsoll::config::Effective;
/// use plimsoll::error::Setting;
///
/// let document = r#"{"replica_policy": {"max_replicas": 4, "target_qps_per_replica": 2.5}}"#;
/// let effective: Effective = serde_json::from_str(document)?;
/// let origin = |setting| effective.origin(setting).map(|origin| origin.to_string());
/// assert_eq!(origin(Setting::Max).as_deref(), Some("file"));
/// assert_eq!(origin(Setting::DownDelay).as_deref(), Some("default of replica_policy"));
/// assert_eq!(origin(Setting::Window).as_deref(), Some("default"));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "origin", content = "name")]
#[non_exhaustive]
pub enum Origin {
    /// The crate's default: nobody asked for anything else.
    Default,
    /// The preset of this name sets it.
    Preset(Preset),
    /// A product's document has a default of its own for it: `replica_policy` for Outpost's, `runpod` for RunPod's.
    Document(&'static str),
    /// It is set in code; see `From<Config>` for [`Effective`].
    Code,
    /// It is written in the file, by its own name or by a product's.
    File,
    /// An override of this name set it.
    Override(&'static str),
    /// It was not set, and is whatever this other setting is.
    Follows(Setting),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Preset(preset) => write!(f, "preset {preset}"),
            Self::Document(document) => write!(f, "default of {document}"),
            Self::Code => f.write_str("code"),
            Self::File => f.write_str("file"),
            Self::Override(by) => write!(f, "override by {by}"),
            Self::Follows(setting) => write!(f, "as {setting}"),
        }
    }
}

/// Changes to single settings of a configuration: a partial file, which need not say what the policy is. `policies`
/// replaces all policies; an empty value (`null`) changes nothing. What a document derived stays as it is: a new
/// `idle_timeout` does not move the down delay that RunPod's idle timeout has set.
///
/// ```
/// use plimsoll::Preset;
/// use plimsoll::config::{Effective, Override};
///
/// // A variable of the environment, say.
/// let changes: Override = serde_json::from_str(r#"{"max": 3, "idle_timeout": "90s"}"#)?;
/// let effective = Effective::from(Preset::RunpodBatch).with_override("the environment", changes)?;
/// assert_eq!(effective.config().max(), 3);
///
/// let error = serde_json::from_str::<Override>(r#"{"replicas": 3}"#).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "replicas is not for an override, which changes single settings: write min, max and policies"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default, Debug, Deserialize)]
#[serde(try_from = "ConfigFile")]
pub struct Override(ConfigFile);

impl TryFrom<ConfigFile> for Override {
    type Error = ConfigError;

    fn try_from(file: ConfigFile) -> Result<Self, ConfigError> {
        file.only_settings()?;
        Ok(Self(file))
    }
}

#[cfg(test)]
mod tests;
