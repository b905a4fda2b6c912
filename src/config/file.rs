//! The configuration as a file has it: this crate's own settings, or one of the two products' documents as it stands.
//!
//! Nothing is decided here: every value goes through the constructors of [`Config`], where the rules are.

mod layers;
mod nested;
mod reader;

use alloc::vec::Vec;
use core::time::Duration;

use serde::de::{Deserialize, Deserializer, Error, Expected, Unexpected};

use self::reader::{Read, Scalar, table};
use super::{Backoff, Blind, Breaker, Buffer, Cliff, Config, Precision, Preset, StepLimit};
use crate::error::{ConfigError, Setting};
use crate::policy::{Outpost, Policy, RunPod, RunPodScaling};
use crate::schedule::Interval;
use crate::time::span::Span;
use crate::units::{Rate, Share};

/// How many workers stand by with flash boot on. RunPod's document has a switch and no number. One is what its own
/// scaling can use: it adds one worker at a time, and the one that stands by is replaced as soon as it is taken.
pub(super) const FLASH_BOOT_WORKERS: u32 = 1;

table! {
    /// A configuration file.
    struct ConfigFile: "a configuration, such as {max: 10, policy: {outpost: {target_qps_per_replica: 2.5}}}" {
        min: u32 = "min",
        max: u32 = "max",
        concurrency: u32 = "concurrency",
        policy: Policy = "policy",
        policies: Vec<Policy> = "policies",
        preset: Preset = "preset",
        replica_policy: ReplicaPolicy = "replica_policy",
        replicas: u32 = "replicas",
        runpod: RunPodTable = "runpod",
        up_delay: Span = "up_delay",
        down_delay: Span = "down_delay",
        to_zero_delay: Span = "to_zero_delay",
        idle_timeout: Span = "idle_timeout",
        standby: u32 = "standby",
        drain_timeout: Span = "drain_timeout",
        order_timeout: Span = "order_timeout",
        tolerance: Share = "tolerance",
        up_step: StepLimit = "up_step",
        down_step: StepLimit = "down_step",
        window: Span = "window",
        sojourn_target: Span = "sojourn_target",
        codel_interval: Span = "codel_interval",
        freshness: Span = "freshness",
        event_freshness: Span = "event_freshness",
        observer_timeout: Span = "observer_timeout",
        precision: Precision = "precision",
        event_log: u16 = "event_log",
        buffer: Buffer = "buffer",
        blind: Blind = "blind",
        cliff: Cliff = "cliff",
        start_timeout: Span = "start_timeout",
        backoff: Backoff = "backoff",
        breaker: Breaker = "breaker",
        schedule: Vec<Interval> = "schedule",
        min_workers: u32 = "Min Workers",
        max_workers: u32 = "Max Workers",
        worker_idle_timeout: Span = "Idle Timeout",
        flash_boot: FlashBoot = "Flash Boot",
        queue_delay: Span = "Queue Delay",
        request_count: u32 = "Request Count",
    }
}

table! {
    /// Outpost's autoscaling, by its document's names and with its defaults.
    struct ReplicaPolicy: "a replica_policy, such as {max_replicas: 10, target_qps_per_replica: 2.5}" {
        min_replicas: u32 = "min_replicas",
        max_replicas: u32 = "max_replicas",
        target_qps_per_replica: Rate = "target_qps_per_replica",
        upscale_delay: Span = "upscale_delay_seconds" | "upscale_delay",
        downscale_delay: Span = "downscale_delay_seconds" | "downscale_delay",
    }
}

table! {
    /// RunPod's table, by its document's names and with its defaults.
    struct RunPodTable: "a runpod table, such as {max_workers: 3, idle_timeout: 60}" {
        min_workers: u32 = "min_workers" | "Min Workers",
        max_workers: u32 = "max_workers" | "Max Workers",
        idle_timeout: Span = "idle_timeout" | "Idle Timeout",
        flash_boot: FlashBoot = "flash_boot" | "Flash Boot",
        queue_delay: Span = "queue_delay" | "Queue Delay",
        request_count: u32 = "request_count" | "Request Count",
    }
}

/// RunPod's switch, as the number of workers that stand by.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub(super) struct FlashBoot(u32);

impl Scalar for FlashBoot {
    const EXPECTED: &'static str = "On, Off, or the number of workers to keep in standby";

    fn whole(number: u64) -> Option<Self> {
        u32::try_from(number).ok().map(Self)
    }

    fn switch(on: bool) -> Option<Self> {
        Some(Self(if on { FLASH_BOOT_WORKERS } else { 0 }))
    }

    fn text<E: Error>(text: &str, expected: &dyn Expected) -> Result<Self, E> {
        let is = |words: [&str; 3]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
        let on = if is(["on", "enabled", "true"]) {
            Some(true)
        } else if is(["off", "disabled", "false"]) {
            Some(false)
        } else {
            None
        };
        on.and_then(Self::switch).ok_or_else(|| E::invalid_value(Unexpected::Str(text), expected))
    }
}

impl<'de> Read<'de> for ReplicaPolicy {
    fn read<D: Deserializer<'de>>(_: &'static str, deserializer: D) -> Result<Option<Self>, D::Error> {
        Self::deserialize(deserializer).map(Some)
    }
}

impl<'de> Read<'de> for RunPodTable {
    fn read<D: Deserializer<'de>>(_: &'static str, deserializer: D) -> Result<Option<Self>, D::Error> {
        Option::deserialize(deserializer).map(|table| Some(table.unwrap_or_default()))
    }
}

impl TryFrom<ConfigFile> for Config {
    type Error = ConfigError;

    fn try_from(mut file: ConfigFile) -> Result<Self, ConfigError> {
        file.one_description()?;
        let base = file.described()?;
        file.override_in(base)
    }
}

impl ConfigFile {
    /// The parts that can describe the policy, as they are called in the file, and which of them are there.
    const fn descriptions(&self) -> [(&'static str, bool); 12] {
        [
            ("preset", self.preset.is_some()),
            ("policy", self.policy.is_some()),
            ("policies", self.policies.is_some()),
            ("replica_policy", self.replica_policy.is_some()),
            ("replicas", self.replicas.is_some()),
            ("runpod", self.runpod.is_some()),
            ("Min Workers", self.min_workers.is_some()),
            ("Max Workers", self.max_workers.is_some()),
            ("Idle Timeout", self.worker_idle_timeout.is_some()),
            ("Flash Boot", self.flash_boot.is_some()),
            ("Queue Delay", self.queue_delay.is_some()),
            ("Request Count", self.request_count.is_some()),
        ]
    }

    /// Refuses a second description of the policy. A preset's own policies may be replaced.
    fn one_description(&self) -> Result<(), ConfigError> {
        let is_runpod = |name: &str| name.contains(' ');
        let is_native = |name: &str| name == "policy" || name == "policies";
        let mut first = None;
        for (second, _) in self.descriptions().into_iter().filter(|(_, present)| *present) {
            match first {
                None => first = Some(second),
                Some("preset") if is_native(second) => first = Some(second),
                Some(first) if is_runpod(first) && is_runpod(second) => {}
                Some(first) => return Err(ConfigError::Conflict { first, second, what: "the policy" }),
            }
        }
        Ok(())
    }

    /// The configuration that the description alone gives. Takes what it uses of the other settings.
    fn described(&mut self) -> Result<Config, ConfigError> {
        let policies = self.own_policies();
        if let Some(preset) = self.preset.take() {
            let config = preset.config();
            return policies.map_or(Ok(config.clone()), |policies| with_policies(config, policies));
        }
        if let Some(policies) = policies {
            let max = self.max.ok_or(ConfigError::Missing {
                setting: Setting::Max,
                within: "",
                remedy: "it bounds the cost, so only you know it; write the most workers you would pay for, as max: 10",
            })?;
            let base = Config::unset().with_bounds(self.min.unwrap_or(0), max)?;
            return with_policies(base, policies);
        }
        if let Some(table) = self.replica_policy.take() {
            return self.outpost(&table);
        }
        if let Some(count) = self.replicas.take() {
            return self.fixed(count);
        }
        if let Some(table) = self.runpod.take() {
            return self.runpod(&table, |nested, _| nested);
        }
        let table = RunPodTable {
            min_workers: self.min_workers.take(),
            max_workers: self.max_workers.take(),
            idle_timeout: self.worker_idle_timeout.take(),
            flash_boot: self.flash_boot.take(),
            queue_delay: self.queue_delay.take(),
            request_count: self.request_count.take(),
        };
        if table.is_empty() {
            return Err(NO_POLICY);
        }
        self.runpod(&table, |_, top| top)
    }

    fn own_policies(&mut self) -> Option<Vec<Policy>> {
        self.policies.take().or_else(|| self.policy.take().map(|policy| [policy].into()))
    }

    fn outpost(&mut self, table: &ReplicaPolicy) -> Result<Config, ConfigError> {
        let least = (self.min.take(), "min", table.min_replicas, "replica_policy.min_replicas");
        let most = (self.max.take(), "max", table.max_replicas, "replica_policy.max_replicas");
        let up = "replica_policy.upscale_delay_seconds";
        let up = once((self.up_delay.take(), "up_delay", table.upscale_delay, up), "the up delay")?;
        let down = "replica_policy.downscale_delay_seconds";
        let down = once((self.down_delay.take(), "down_delay", table.downscale_delay, down), "the down delay")?;
        let missing = |setting, remedy| ConfigError::Missing { setting, within: "replica_policy", remedy };
        let min = once(least, LEAST)?.unwrap_or(1);
        let max = once(most, MOST)?.ok_or(missing(
            Setting::Max,
            "it bounds the cost, so only you know it; write the most replicas you would pay for, as max_replicas: 10",
        ))?;
        let target = table.target_qps_per_replica.ok_or(missing(
            Setting::TargetQpsPerReplica,
            "benchmark one replica and write the rate it should handle, as target_qps_per_replica: 2.5",
        ))?;
        let config = Config::outpost(Outpost::new(target), min, max)?;
        let config = set(config, up, Config::with_up_delay)?;
        set(config, down, Config::with_down_delay)
    }

    fn fixed(&self, count: u32) -> Result<Config, ConfigError> {
        once((self.min, "min", Some(count), "replicas"), LEAST)?;
        once((self.max, "max", Some(count), "replicas"), MOST)?;
        if count == 0 {
            return Err(ConfigError::Zero { setting: Setting::Replicas });
        }
        Config::fixed(count)
    }

    /// `named` chooses between a setting's name in a nested table and its name at the top level.
    fn runpod(
        &mut self,
        table: &RunPodTable,
        named: impl Fn(&'static str, &'static str) -> &'static str,
    ) -> Result<Config, ConfigError> {
        let name = named("runpod.min_workers", "Min Workers");
        let min = once((self.min.take(), "min", table.min_workers, name), LEAST)?.unwrap_or(0);
        let name = named("runpod.max_workers", "Max Workers");
        let max = once((self.max.take(), "max", table.max_workers, name), MOST)?.unwrap_or(1);
        let name = named("runpod.idle_timeout", "Idle Timeout");
        let idle = (self.idle_timeout.take(), "idle_timeout", table.idle_timeout, name);
        let idle = once(idle, "the idle timeout")?.map_or(DEFAULT_IDLE_TIMEOUT, |span| span.0);
        let name = named("runpod.flash_boot", "Flash Boot");
        let flash_boot = table.flash_boot.map(|flash_boot| flash_boot.0);
        let standby = once((self.standby.take(), "standby", flash_boot, name), "the standby workers")?;
        let scaling = match (table.queue_delay, table.request_count) {
            (Some(_), Some(_)) => {
                let first = named("runpod.queue_delay", "Queue Delay");
                let second = named("runpod.request_count", "Request Count");
                return Err(ConfigError::Conflict { first, second, what: "the scaling type" });
            }
            (None, Some(count)) => RunPodScaling::RequestCount(count),
            (delay, None) => RunPodScaling::QueueDelay(delay.map_or(RunPod::DEFAULT_QUEUE_DELAY, |span| span.0)),
        };
        let config = Config::runpod(RunPod { scaling }, min, max, idle)?;
        Ok(config.with_standby(standby.unwrap_or(0)))
    }

    /// The settings that the description left, on top of `config`.
    fn override_in(self, config: Config) -> Result<Config, ConfigError> {
        let (min, max) = (self.min.unwrap_or(config.min), self.max.unwrap_or(config.max));
        let config = config.with_bounds(min, max)?;
        let config = set(config, self.concurrency, Config::with_concurrency)?;
        let config = set(config, self.up_delay, Config::with_up_delay)?;
        let config = set(config, self.down_delay, Config::with_down_delay)?;
        let config = set(config, self.to_zero_delay, Config::with_to_zero_delay)?;
        let config = set(config, self.idle_timeout, Config::with_idle_timeout)?;
        let config = set(config, self.standby, |config, workers| Ok(config.with_standby(workers)))?;
        let config = set(config, self.drain_timeout, Config::with_drain_timeout)?;
        let config = set(config, self.order_timeout, Config::with_order_timeout)?;
        let config = set(config, self.tolerance, |config, share| Ok(config.with_tolerance(share)))?;
        let config = set(config, self.up_step, Config::with_up_step)?;
        let config = set(config, self.down_step, Config::with_down_step)?;
        let config = set(config, self.window, Config::with_window)?;
        let config = set(config, self.sojourn_target, Config::with_sojourn_target)?;
        let config = set(config, self.codel_interval, Config::with_codel_interval)?;
        let config = set(config, self.freshness, Config::with_freshness)?;
        let config = set(config, self.event_freshness, Config::with_event_freshness)?;
        let config = set(config, self.observer_timeout, Config::with_observer_timeout)?;
        let config = set(config, self.precision, |config, precision| Ok(config.with_precision(precision)))?;
        let config = set(config, self.event_log, |config, events| Ok(config.with_event_log(events)))?;
        let config = set(config, self.buffer, Config::with_buffer)?;
        let config = set(config, self.blind, Config::with_blind)?;
        let config = set(config, self.cliff, Config::with_cliff)?;
        let config = set(config, self.start_timeout, Config::with_start_timeout)?;
        let config = set(config, self.backoff, Config::with_backoff)?;
        let config = set(config, self.breaker, Config::with_breaker)?;
        set(config, self.schedule, Config::with_schedule)
    }
}

impl RunPodTable {
    const fn is_empty(&self) -> bool {
        self.min_workers.is_none()
            && self.max_workers.is_none()
            && self.idle_timeout.is_none()
            && self.flash_boot.is_none()
            && self.queue_delay.is_none()
            && self.request_count.is_none()
    }
}

impl From<Config> for ConfigFile {
    fn from(config: Config) -> Self {
        Self {
            min: Some(config.min),
            max: Some(config.max),
            concurrency: Some(config.concurrency),
            policies: Some(config.policies),
            up_delay: Some(Span(config.up_delay)),
            down_delay: Some(Span(config.down_delay)),
            to_zero_delay: config.to_zero_delay.map(Span),
            idle_timeout: config.idle_timeout.map(Span),
            standby: Some(config.standby),
            drain_timeout: Some(Span(config.drain_timeout)),
            order_timeout: Some(Span(config.order_timeout)),
            tolerance: Some(config.tolerance),
            up_step: config.up_step,
            down_step: config.down_step,
            window: Some(Span(config.window)),
            sojourn_target: config.sojourn_target.map(Span),
            codel_interval: Some(Span(config.codel_interval)),
            freshness: Some(Span(config.freshness)),
            event_freshness: config.event_freshness.map(Span),
            observer_timeout: Some(Span(config.observer_timeout)),
            precision: Some(config.precision),
            event_log: Some(config.event_log),
            buffer: config.buffer,
            blind: Some(config.blind),
            cliff: config.cliff,
            start_timeout: Some(Span(config.start_timeout)),
            backoff: Some(config.backoff),
            breaker: Some(config.breaker),
            schedule: (!config.schedule.is_empty()).then_some(config.schedule),
            ..Self::default()
        }
    }
}

/// `config` with these policies instead of its own.
fn with_policies(mut config: Config, policies: Vec<Policy>) -> Result<Config, ConfigError> {
    if policies.is_empty() {
        return Err(NO_POLICY);
    }
    config.policies.clear();
    policies.into_iter().try_fold(config, Config::with_policy)
}

/// A setting's native value and name, and a document's value and name for it: whichever is there.
fn once<T>(
    (native, first, document, second): (Option<T>, &'static str, Option<T>, &'static str),
    what: &'static str,
) -> Result<Option<T>, ConfigError> {
    if native.is_some() && document.is_some() {
        return Err(ConfigError::Conflict { first, second, what });
    }
    Ok(native.or(document))
}

/// `config` with `value`, if there is one.
fn set<T: Into<V>, V>(
    config: Config,
    value: Option<T>,
    with: impl FnOnce(Config, V) -> Result<Config, ConfigError>,
) -> Result<Config, ConfigError> {
    match value {
        Some(value) => with(config, value.into()),
        None => Ok(config),
    }
}

impl From<Span> for Duration {
    fn from(span: Span) -> Self {
        span.0
    }
}

/// RunPod's default.
const DEFAULT_IDLE_TIMEOUT: Duration = Duration::from_secs(30);

const LEAST: &str = "the least workers";
const MOST: &str = "the most workers";

const NO_POLICY: ConfigError = ConfigError::Missing {
    setting: Setting::Policies,
    within: "",
    remedy: "write one of policies, preset, replica_policy, replicas and runpod, such as preset: outpost-gpu",
};

#[cfg(test)]
mod tests;
