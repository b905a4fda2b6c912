//! From a `replica_policy` to the nearest native configuration.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::{ReplicaPolicy, Service, TargetQps};
use crate::config::{Buffer, Config};
use crate::error::{ConfigError, Setting};
use crate::peers::migration::{Change, Migration};
use crate::policy::{Outpost, Policy, RunPod};
use crate::units::Rate;

impl Service {
    /// As [`ReplicaPolicy::migrate`], with what else the section holds.
    ///
    /// # Errors
    /// As [`ReplicaPolicy::migrate`].
    pub fn migrate(&self) -> Result<Migration, ConfigError> {
        let mut migration = self.replica_policy.migrate()?;
        migration.changes.extend(self.beside.iter().map(|setting| Change {
            setting,
            becomes: "nothing".into(),
            effect: "it decides no count: it stays with the platform that starts the workers",
        }));
        Ok(migration)
    }
}

impl ReplicaPolicy {
    /// The nearest native configuration: the Outpost policy at the same rate, and for a pool one worker for every job.
    ///
    /// # Errors
    /// If a value is beyond what a native configuration holds: no replica at the most, a target of no requests, a delay
    /// of more than ten years.
    pub fn migrate(&self) -> Result<Migration, ConfigError> {
        let mut changes = Vec::new();
        let mut change = |setting, becomes: String, effect| changes.push(Change { setting, becomes, effect });
        let policy = self.native_policy()?;
        match &self.target_qps_per_replica {
            _ if self.queue_length_threshold.is_some() => change(
                "queue_length_threshold",
                "policy runpod, request_count 1".into(),
                "a worker for every job, running ones included, at once instead of one more worker per delay",
            ),
            TargetQps::Fixed => {}
            TargetQps::PerReplica(rate) => change(
                "target_qps_per_replica",
                format!("policy outpost, target_qps_per_replica {rate}"),
                "the same division, but it grows only while requests wait, shrinks only well below the target, and also \
                 grows when CoDel finds a standing queue",
            ),
            TargetQps::ByAccelerator(_) => change(
                "target_qps_per_replica",
                "policy outpost, at the smallest of the rates".into(),
                "all replicas count as the slowest kind: on faster ones the pool is larger than it need be",
            ),
        }
        let delay = |seconds: f64| Duration::try_from_secs_f64(seconds.max(0.0));
        let up = delay(self.upscale_delay_seconds).unwrap_or(Duration::MAX);
        let down = delay(self.downscale_delay_seconds).unwrap_or(Duration::MAX);
        let config = Config::new(policy, self.min_replicas, self.max())?.with_up_delay(up)?.with_down_delay(down)?;
        change(
            "upscale_delay_seconds",
            format!("up_delay {} s", up.as_secs_f64()),
            "exact to the instant, not ticks of 20 s (which fire up to almost 40 s early); the least that was wanted \
             throughout is followed",
        );
        change(
            "downscale_delay_seconds",
            format!("down_delay {} s", down.as_secs_f64()),
            "exact to the instant; the most that was wanted during it is kept, and a restart forgets nothing",
        );
        if self.uses_fallback() {
            change(
                "base_ondemand_fallback_replicas, dynamic_ondemand_fallback",
                "nothing".into(),
                "there is one kind of worker: keep the base as a second service, or choose the kind where workers start",
            );
        }
        let config = if self.num_overprovision > 0 {
            change(
                "num_overprovision",
                format!("buffer of {} workers, always", self.num_overprovision),
                "idle workers above the occupied ones, within max_replicas",
            );
            config.with_buffer(Buffer::workers(self.num_overprovision).always())?
        } else {
            config
        };
        Ok(Migration { config, changes })
    }

    fn native_policy(&self) -> Result<Policy, ConfigError> {
        if self.queue_length_threshold.is_some() {
            return Ok(Policy::RunPod(RunPod::request_count(1)));
        }
        if self.target_qps_per_replica == TargetQps::Fixed {
            return Ok(Policy::Fixed(self.min_replicas));
        }
        // No accelerator has no name, so its rate is the smallest there is.
        let zero = ConfigError::Zero { setting: Setting::TargetQpsPerReplica };
        let rate = Rate::per_second(self.target_qps_per_replica.of(None)).map_err(|_| zero)?;
        Ok(Policy::Outpost(Outpost::new(rate)))
    }
}
