//! What stands in for a trigger that fails (`fallback.go`).

use serde::{Deserialize, Serialize};

use super::{Error, Keda, MetricType, Trigger};

/// What to serve in place of a trigger that fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "plain data with the peer's three fields")]
pub struct Fallback {
    /// It is served after more failures in a row than this.
    pub failure_threshold: u32,
    /// The replicas that the HPA is to ask for.
    pub replicas: u32,
    /// How they relate to those there are.
    #[serde(default)]
    pub behavior: Behavior,
}

/// How the fallback's replicas relate to those there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Behavior {
    /// The fallback's replicas.
    #[default]
    Static,
    /// Those there are.
    CurrentReplicas,
    /// The larger of the two.
    CurrentReplicasIfHigher,
    /// The smaller of the two.
    CurrentReplicasIfLower,
}

/// What one trigger hands to the HPA.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Served {
    /// The value in thousandths, unless the trigger is in error.
    pub value: Option<i64>,
    /// It is the fallback's.
    pub fallback: bool,
    /// The trigger failed, and nothing stands in for it.
    pub error: bool,
    /// Failures in a row; not counted without a fallback.
    pub failures: Option<u32>,
}

impl Keda {
    /// What the trigger of that number hands to the HPA: its value, or the fallback's for one that failed.
    ///
    /// Every poll asks this of every trigger, and so does every metric query of the HPA: both move the same counter, so
    /// that the failure threshold is a number of neither.
    ///
    /// # Errors
    /// If there is no such trigger.
    pub fn query(&mut self, index: usize, reading: Option<i64>, replicas: u32, ready: u32) -> Result<Served, Error> {
        let triggers = self.object.triggers.len();
        let Some(trigger) = self.object.triggers.get(index) else {
            return Err(Error::NoSuchTrigger { index, triggers });
        };
        let Some(fallback) = self.object.fallback.filter(|_| !trigger.is_resource()) else {
            return Ok(Served { value: reading, fallback: false, error: reading.is_none(), failures: None });
        };
        let failures = match reading {
            Some(_) => 0,
            None => self.failures.get(index).copied().unwrap_or(0).saturating_add(1),
        };
        if let Some(counter) = self.failures.get_mut(index) {
            *counter = failures;
        }
        let stands_in = reading.is_none() && failures > fallback.failure_threshold;
        let value = if stands_in { fallback.value(trigger, replicas, ready) } else { reading };
        let fallback = stands_in && value.is_some();
        Ok(Served { value, fallback, error: value.is_none(), failures: Some(failures) })
    }
}

impl Fallback {
    /// The value that makes the HPA ask for these replicas: `target × n`, and for a `Value` target, which the HPA
    /// multiplies by the ready pods, divided by them; none if no pod is ready. Cut off below thousandths.
    fn value(self, trigger: &Trigger, replicas: u32, ready: u32) -> Option<i64> {
        let wanted = match self.behavior {
            Behavior::Static => self.replicas,
            Behavior::CurrentReplicas => replicas,
            Behavior::CurrentReplicasIfHigher => replicas.max(self.replicas),
            Behavior::CurrentReplicasIfLower => replicas.min(self.replicas),
        };
        let mut wanted = f64::from(wanted);
        if trigger.metric_type == MetricType::Value {
            if ready == 0 {
                return None;
            }
            wanted /= f64::from(ready);
        }
        let target = trigger.target as f64 / 1_000.0;
        Some((target * 1_000.0 * wanted) as i64)
    }
}
