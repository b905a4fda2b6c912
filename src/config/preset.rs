//! Presets: configurations for a purpose, each value with its reason.
//!
//! Those named `runpod-*` are the RunPod document's three example blocks and its two strategies, with one number chosen
//! from each range. Those named `outpost-*` are the Outpost document's three examples, for which it gives titles only.

use alloc::string::String;
use alloc::vec;
use core::fmt;
use core::str::FromStr;
use core::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::file::FLASH_BOOT_WORKERS;
use super::{Config, Origin};
use crate::error::{ConfigError, Setting};
use crate::policy::{Objective, Outpost, Policy, RunPod};
use crate::units::{MICRO, Rate, Share};

/// A configuration for a purpose, by name. It is plain data: start from [`Preset::config`] and change what differs, or
/// write `preset: outpost-gpu` in a configuration file and the differences beside it.
///
/// ```
/// use plimsoll::{Config, Preset};
///
/// let config = Preset::OutpostGpu.config().with_bounds(1, 4)?;
/// let file = r#"{"preset": "outpost-gpu", "min": 1, "max": 4}"#;
/// assert_eq!(serde_json::from_str::<Config>(file)?, config);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Preset {
    /// RunPod's "low cost, occasional use": 0 to 3 workers, idle timeout 60 s, queue delay 4 s.
    ///
    /// The document has 1-3 workers and 30-60 s, the upper end of both is taken: a worker is paid for only while it
    /// runs, so a higher maximum costs nothing until it is needed, and the longer timeout starts the model fewer times
    /// ("Idle Timeout too low: can cause thrashing").
    RunpodLowCost,
    /// RunPod's "balanced performance and cost": 1 to 10 workers, idle timeout 5 min, queue delay 4 s.
    ///
    /// The document has 5-10 workers and 2-5 min: the upper ends again, since traffic that is "moderate, variable"
    /// returns within minutes and the bound is meant for its peaks.
    RunpodBalanced,
    /// RunPod's "high-performance": 2 to 20 workers, idle timeout 10 min, flash boot, queue delay 4 s.
    ///
    /// The document has "2+", "20+" and 5-10 min. The two open ends start at the number that it names, and cost is no
    /// reason here to give up a warm worker early.
    RunpodHighPerformance,
    /// RunPod's "batch processing": 0 to 20 workers, idle timeout 30 s, four requests per worker.
    ///
    /// "A higher Max Workers" is 20, the number that the document calls high; "a lower Idle Timeout" is 30 s, the lowest
    /// that it recommends. Request count rather than queue delay, since every job of a batch waits longer than four
    /// seconds and that says nothing about how many workers the batch needs; four jobs to a worker, since one worker
    /// for each would spend as long in starting as in working.
    RunpodBatch,
    /// RunPod's "consistent low latency": 1 to 10 workers, idle timeout 10 min, flash boot, one request per worker.
    ///
    /// "At least 1" worker "to avoid cold starts", and flash boot "to pre-warm additional workers". One request per
    /// worker rather than queue delay: with the latter the pool would start to help after four seconds of waiting. Ten
    /// workers as in the balanced block and ten minutes as in the high-performance one.
    RunpodLowLatency,
    /// Outpost's "high-throughput API": 2 to 20 replicas at 100 req/s each, 100 at a time, up 30 s, down 5 min.
    ///
    /// 100 req/s is the document's lightweight proxy, and 100 at a time keeps that rate possible up to a second per
    /// request. Two replicas, so that one may fail. Up after 30 s, half of the measuring window: what is over by then
    /// was a burst, and such a replica starts in seconds. Down after 5 min, since a replica that is cheap to start is
    /// also cheap to give up; the document's 20 min are for the expensive ones.
    OutpostApi,
    /// Outpost's "GPU model serving", for a model that starts in about 20 s: 0 to 8 replicas at 2 req/s each, 4 at a
    /// time, up 10 s, down and to zero 2 min.
    ///
    /// 2 req/s is the careful end of the document's 2-5 for LLM inference ("start conservative"), and 4 at a time is
    /// what a request of one or two seconds needs for it. Up after 10 s, half a cold start: help that is ordered for a
    /// shorter spike comes when it is over. Down after six cold starts: "long enough to avoid repeatedly paying cold
    /// start costs", and short against what an idle accelerator costs. The sojourn target stays at the document's
    /// 100 ms, and the interval at ten times that.
    OutpostGpu,
    /// Outpost's "development / staging (scale-to-zero)": 0 to 2 replicas at 10 req/s each, 10 at a time, up 10 s, down
    /// and to zero 1 min.
    ///
    /// Two replicas, so that what breaks with more than one breaks here first. 10 req/s is more than a developer makes
    /// and less than a load test. The delays are the shortest that do not stop a replica between two clicks.
    OutpostDevelopment,
    /// An objective and nothing else to set: 99 % of the requests start within 100 ms, on 0 to 10 workers.
    ///
    /// 99 % and 100 ms are the Outpost document's own goal ("P99 queue latency under 100 ms"), ten the maximum of its
    /// example. There are no delays and no idle timeout to choose: how long a worker stays is learned.
    Objective,
}

impl Preset {
    /// Every preset.
    pub const ALL: [Self; 9] = [
        Self::RunpodLowCost,
        Self::RunpodBalanced,
        Self::RunpodHighPerformance,
        Self::RunpodBatch,
        Self::RunpodLowLatency,
        Self::OutpostApi,
        Self::OutpostGpu,
        Self::OutpostDevelopment,
        Self::Objective,
    ];

    /// The name in a configuration file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RunpodLowCost => "runpod-low-cost",
            Self::RunpodBalanced => "runpod-balanced",
            Self::RunpodHighPerformance => "runpod-high-performance",
            Self::RunpodBatch => "runpod-batch",
            Self::RunpodLowLatency => "runpod-low-latency",
            Self::OutpostApi => "outpost-api",
            Self::OutpostGpu => "outpost-gpu",
            Self::OutpostDevelopment => "outpost-development",
            Self::Objective => "objective",
        }
    }

    /// The preset of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|preset| preset.name() == name)
    }

    /// What it is for, in a line.
    #[must_use]
    pub const fn description(self) -> &'static str {
        match self {
            Self::RunpodLowCost => "personal projects, tests and occasional use: nothing runs between requests",
            Self::RunpodBalanced => "production with moderate, variable traffic: one worker always runs",
            Self::RunpodHighPerformance => "high traffic or strict latency: two workers always run, one stands by",
            Self::RunpodBatch => "batch jobs: many workers while there is work, none between batches",
            Self::RunpodLowLatency => "consistent low latency: a worker for each request, one warm and one standing by",
            Self::OutpostApi => "a high-throughput API of light requests: at least two replicas",
            Self::OutpostGpu => "a model on an accelerator that starts in about 20 s: scales to zero",
            Self::OutpostDevelopment => "development and staging: small, and zero when nobody works",
            Self::Objective => "99 % of the requests start within 100 ms: all else is learned",
        }
    }

    /// Where the settings that it sets come from; all others are at their defaults.
    pub(super) fn origins(self) -> impl Iterator<Item = (Setting, Origin)> {
        let own: &[Setting] = match self {
            Self::RunpodLowCost | Self::RunpodBalanced | Self::RunpodBatch | Self::Objective => &[Setting::IdleTimeout],
            Self::RunpodHighPerformance | Self::RunpodLowLatency => &[Setting::IdleTimeout, Setting::Standby],
            Self::OutpostApi => &[Setting::Concurrency, Setting::UpDelay],
            Self::OutpostGpu | Self::OutpostDevelopment => {
                &[Setting::Concurrency, Setting::UpDelay, Setting::ToZeroDelay]
            }
        };
        let all = [Setting::Min, Setting::Max, Setting::Policies, Setting::DownDelay];
        all.into_iter().chain(own.iter().copied()).map(move |setting| (setting, Origin::Preset(self)))
    }

    /// The configuration itself.
    #[must_use]
    pub fn config(self) -> Config {
        let queue_delay = RunPod::queue_delay(RunPod::DEFAULT_QUEUE_DELAY);
        let secs = Duration::from_secs;
        match self {
            Self::RunpodLowCost => runpod(queue_delay, 0, 3, secs(60)),
            Self::RunpodBalanced => runpod(queue_delay, 1, 10, secs(300)),
            Self::RunpodHighPerformance => runpod(queue_delay, 2, 20, secs(600)).with_standby(FLASH_BOOT_WORKERS),
            Self::RunpodBatch => runpod(RunPod::request_count(4), 0, 20, secs(30)),
            Self::RunpodLowLatency => {
                runpod(RunPod::request_count(1), 1, 10, secs(600)).with_standby(FLASH_BOOT_WORKERS)
            }
            Self::OutpostApi => Config { min: 2, max: 20, concurrency: 100, ..outpost(100, secs(30), secs(300)) },
            Self::OutpostGpu => {
                Config { max: 8, concurrency: 4, to_zero_delay: Some(secs(120)), ..outpost(2, secs(10), secs(120)) }
            }
            Self::OutpostDevelopment => {
                Config { max: 2, concurrency: 10, to_zero_delay: Some(secs(60)), ..outpost(10, secs(10), secs(60)) }
            }
            Self::Objective => {
                let objective = Objective::share(Share::NINETY_NINE, Duration::from_millis(100));
                Config {
                    max: 10,
                    policies: vec![Policy::Objective(objective)],
                    idle_timeout: Some(Duration::ZERO),
                    down_delay: Duration::ZERO,
                    ..Config::unset()
                }
            }
        }
    }
}

/// As [`Config::runpod`], for values that need no check; a test holds every preset against the rules.
fn runpod(policy: RunPod, min: u32, max: u32, idle_timeout: Duration) -> Config {
    Config {
        min,
        max,
        policies: vec![Policy::RunPod(policy)],
        idle_timeout: Some(idle_timeout),
        down_delay: idle_timeout,
        ..Config::unset()
    }
}

/// Outpost's policy for `qps` requests per second and replica, with its two delays.
fn outpost(qps: u32, up_delay: Duration, down_delay: Duration) -> Config {
    let target = Rate::from_micros(u64::from(qps).saturating_mul(MICRO));
    Config { policies: vec![Policy::Outpost(Outpost::new(target))], up_delay, down_delay, ..Config::unset() }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Preset {
    type Err = ConfigError;

    /// The preset of that name; the error lists the names there are.
    fn from_str(name: &str) -> Result<Self, ConfigError> {
        Self::from_name(name).ok_or_else(|| ConfigError::UnknownPreset { name: name.into(), known: NAMES })
    }
}

impl From<Preset> for Config {
    fn from(preset: Preset) -> Self {
        preset.config()
    }
}

impl Serialize for Preset {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Preset {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// The names, for the error.
const NAMES: &str = "runpod-low-cost, runpod-balanced, runpod-high-performance, runpod-batch, runpod-low-latency, \
                     outpost-api, outpost-gpu, outpost-development, objective";

#[cfg(test)]
mod tests;
