//! From a scaled object to the nearest native configuration.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::{Behavior, MetricType, ScaledObject, Trigger};
use crate::config::{Blind, Config};
use crate::error::ConfigError;
use crate::peers::kubernetes::{Controller, Hpa};
use crate::peers::migration::{Change, Migration};
use crate::policy::{ConcurrencyTarget, Policy};

/// The HPA's default before it follows a fall.
const HPA_STABILIZATION: Duration = Duration::from_secs(300);

impl ScaledObject {
    /// The nearest native configuration: one state machine for what KEDA and its HPA do between them.
    ///
    /// A single trigger that counts waiting work becomes the concurrency policy. Anything else stays a number that the
    /// platform computes, `⌈value / target⌉`, and is handed in as [`Observation::Proposal`](crate::Observation::Proposal).
    ///
    /// # Errors
    /// If a value is beyond what a native configuration holds, such as a cooldown of more than ten years.
    pub fn migrate(&self) -> Result<Migration, ConfigError> {
        let mut changes = Vec::new();
        let mut change = |setting, becomes: String, effect| changes.push(Change { setting, becomes, effect });
        let policy = self.policy();
        let becomes = if policy == Policy::External { "policy external" } else { "policy concurrency" };
        change(
            "triggers",
            becomes.into(),
            "requests are observed, not polled: the count follows a burst at once and from zero goes to what the backlog \
             needs instead of to max(1, minReplicaCount)",
        );
        let min = self.idle_replica_count.unwrap_or(self.min_replica_count);
        if let Some(idle) = self.idle_replica_count {
            let becomes = format!("min {idle}");
            change(
                "idleReplicaCount",
                becomes,
                "there is one minimum: activity no longer lifts the pool to minReplicaCount at once, load does",
            );
        }
        let mut config = Config::new(policy, min, self.max_replica_count)?
            .with_down_delay(HPA_STABILIZATION)?
            .with_to_zero_delay(Duration::from_secs(self.cooldown_period.into()))?;
        change(
            "pollingInterval",
            "nothing".into(),
            "there is no poll: every delay is exact, and the next wake-up says when to ask",
        );
        change(
            "cooldownPeriod",
            format!("to_zero_delay {} s", self.cooldown_period),
            "it counts from the last request, also while a trigger fails, and also for a service that was never active",
        );
        if self.initial_cooldown_period > 0 {
            change(
                "initialCooldownPeriod",
                "nothing".into(),
                "nothing shrinks before a whole window has been seen since the start; the to-zero delay then counts",
            );
        }
        let hpa = self.behavior.as_ref().and_then(|_| Hpa::new(self.hpa(), Controller::default()).ok());
        if let Some(hpa) = hpa {
            config = hpa.with_behavior(config, &mut changes)?;
        } else {
            changes.push(Change {
                setting: "advanced.horizontalPodAutoscalerConfig",
                becomes: format!("down_delay {} s", HPA_STABILIZATION.as_secs()),
                effect: "the HPA's default stabilization",
            });
        }
        if self.restore_to_original_replica_count {
            changes.push(Change {
                setting: "advanced.restoreToOriginalReplicaCount",
                becomes: "nothing".into(),
                effect: "a configuration that is removed leaves the pool as it is",
            });
        }
        let Some(fallback) = self.fallback else {
            return Ok(Migration { config, changes });
        };
        let (blind, becomes) = match fallback.behavior {
            Behavior::Static | Behavior::CurrentReplicasIfHigher => {
                (Blind::Floor(fallback.replicas), format!("blind floor {}", fallback.replicas))
            }
            Behavior::CurrentReplicas | Behavior::CurrentReplicasIfLower => (Blind::Hold, "blind hold".into()),
        };
        changes.push(Change {
            setting: "fallback",
            becomes,
            effect: "it holds as soon as a signal is stale, not after a number of failures, and it never lowers the count",
        });
        Ok(Migration { config: config.with_blind(blind)?, changes })
    }

    fn policy(&self) -> Policy {
        let [trigger] = self.triggers.as_slice() else { return Policy::External };
        let counts_work = QUEUES.contains(&trigger.kind.as_str()) && trigger.metric_type == MetricType::AverageValue;
        let target = counts_work.then(|| concurrency(trigger)).flatten();
        target.map_or(Policy::External, Policy::Concurrency)
    }
}

fn concurrency(trigger: &Trigger) -> Option<ConcurrencyTarget> {
    ConcurrencyTarget::new(trigger.target as f64 / 1_000.0).ok()
}

/// Scalers whose value is work that waits.
const QUEUES: [&str; 8] =
    ["kafka", "rabbitmq", "aws-sqs-queue", "azure-queue", "azure-servicebus", "redis", "nats-jetstream", "temporal"];
