//! From an `autoscaling_config` to the nearest native configuration.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::{Aggregation, AutoscalingConfig};
use crate::config::Config;
use crate::error::ConfigError;
use crate::peers::migration::{Change, Migration};
use crate::policy::{ConcurrencyTarget, Policy};

impl AutoscalingConfig {
    /// The nearest native configuration: the concurrency policy, which divides the requests in the system by the same
    /// target.
    ///
    /// # Errors
    /// If a value is beyond what a native configuration holds, such as a delay of more than ten years.
    pub fn migrate(&self) -> Result<Migration, ConfigError> {
        let mut changes = Vec::new();
        let mut change = |setting, becomes: String, effect| changes.push(Change { setting, becomes, effect });
        let policy = ConcurrencyTarget::new(self.target_ongoing_requests).map_or(Policy::External, Policy::Concurrency);
        change(
            "target_ongoing_requests",
            format!("policy concurrency, target {}", self.target_ongoing_requests),
            "the count is the requests over the target, rounded up once: starting replicas count as ordered, and from \
             zero the backlog decides instead of one replica",
        );
        let down = seconds(self.downscale_delay_s);
        let to_zero = self.downscale_to_zero_delay_s.map_or(down, seconds);
        let config = Config::new(policy, self.min_replicas, self.max_replicas)?
            .with_up_delay(seconds(self.upscale_delay_s))?
            .with_down_delay(down)?
            .with_to_zero_delay(to_zero)?;
        change(
            "upscale_delay_s",
            format!("up_delay {} s", self.upscale_delay_s),
            "the least that was wanted throughout the delay is followed, not the last tick's wish, and one calm tick does \
             not start it over",
        );
        change(
            "downscale_delay_s",
            format!("down_delay {} s", self.downscale_delay_s),
            "the most that was wanted during the delay is kept, and one busy tick does not start it over",
        );
        change(
            "downscale_to_zero_delay_s",
            format!("to_zero_delay {} s", to_zero.as_secs_f64()),
            "it counts from the last request and runs beside the down delay, not after it",
        );
        if self.up_factor() != 1.0 || self.down_factor() != 1.0 {
            let effect = "no step is stretched or shortened; up_step and down_step bound steps by time";
            change("upscaling_factor, downscaling_factor", "nothing".into(), effect);
        }
        if self.initial_replicas.is_some() {
            let effect = "a redeployment changes no count; raise min for as long as a start needs it";
            change("initial_replicas", "nothing".into(), effect);
        }
        change(
            "look_back_period_s",
            "nothing".into(),
            "requests are counted as they come and go: nothing is averaged, and no last request keeps a replica for longer",
        );
        change(
            "metrics_interval_s",
            "nothing".into(),
            "the decision is as fresh as the last observation; for scraped gauges see freshness",
        );
        if self.aggregation_function != Aggregation::Mean {
            let effect = "the delays already keep the most, or the least, that was wanted during them";
            change("aggregation_function", "nothing".into(), effect);
        }
        Ok(Migration { config, changes })
    }
}

/// As a duration; the longest one for what does not fit.
fn seconds(value: f64) -> Duration {
    Duration::try_from_secs_f64(value).unwrap_or(Duration::MAX)
}
