//! What becomes of a proposal: stabilization, limits, bounds, and the memory that they need.

use alloc::vec::Vec;
use core::cmp::Ordering;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::{Timestamp, nanos, span};

/// Which of several policies counts.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub enum SelectPolicy {
    /// The one that allows the largest change.
    #[default]
    Max,
    /// The one that allows the smallest change.
    Min,
    /// None: no change in this direction.
    Disabled,
}

/// What a policy's value counts.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum PolicyKind {
    /// Pods.
    Pods,
    /// Percent of the pods at the start of the period.
    Percent,
}

/// At most so much change within a period.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ScalingPolicy {
    /// What the value counts.
    #[serde(rename = "type")]
    pub kind: PolicyKind,
    /// How much.
    pub value: i32,
    /// Within which time, in seconds.
    pub period_seconds: i32,
}

impl ScalingPolicy {
    const fn period(&self) -> u64 {
        (self.period_seconds.unsigned_abs() as u64).saturating_mul(1_000_000_000)
    }
}

/// The rules of one direction, with every default filled in.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rules {
    /// Which policy counts.
    pub(super) select: SelectPolicy,
    /// The policies.
    pub(super) policies: Vec<ScalingPolicy>,
    /// The change must have been proposed throughout this time.
    #[serde(with = "span")]
    pub(super) stabilization: Duration,
}

/// The rules of both directions.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Both {
    /// For more replicas.
    pub(super) up: Rules,
    /// For fewer.
    pub(super) down: Rules,
}

/// Why the stabilized count differs from the proposal.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Stabilized {
    /// An earlier recommendation was lower, while more were proposed.
    Up,
    /// An earlier recommendation was higher.
    Down,
}

/// What bounded the stabilized count.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Limit {
    /// `minReplicas`.
    Min,
    /// `maxReplicas`.
    Max,
    /// How fast it may grow.
    Up,
    /// How fast it may shrink.
    Down,
}

/// What became of a proposal.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub(super) struct Normalized {
    pub(super) replicas: i32,
    pub(super) stabilized: Option<Stabilized>,
    pub(super) limit: Option<Limit>,
}

/// The bounds and the present count.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scope {
    pub(super) current: i32,
    pub(super) min: i32,
    pub(super) max: i32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Recommendation {
    at: Timestamp,
    replicas: i32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Event {
    at: Timestamp,
    change: i32,
    outdated: bool,
}

/// What was recommended and changed before.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(super) struct History {
    recommendations: Vec<Recommendation>,
    ups: Vec<Event>,
    downs: Vec<Event>,
}

impl History {
    /// The first time an autoscaler is seen, the present count is what was recommended.
    pub(super) fn seed(&mut self, now: Timestamp, current: i32) {
        if self.recommendations.is_empty() {
            self.recommendations.push(Recommendation { at: now, replicas: current });
        }
    }

    /// Without a behavior: the largest recommendation within the window, its far edge included; then at most
    /// `max(2 × current, 4)`, and the bounds. The largest one may be above the present count: it then scales up.
    pub(super) fn normalize(&mut self, now: Timestamp, scope: &Scope, desired: i32, window: Duration) -> Normalized {
        let (mut stable, mut outdated) = (desired, None);
        for (index, earlier) in self.recommendations.iter().enumerate() {
            if now.since(earlier.at) > nanos(window) {
                outdated = Some(index);
            } else {
                stable = stable.max(earlier.replicas);
            }
        }
        self.remember(now, desired, outdated);
        let limit = (2.0 * f64::from(scope.current)).max(4.0) as i32;
        let (most, why) = if scope.max > limit { (limit, Limit::Up) } else { (scope.max, Limit::Max) };
        let (replicas, limit) = if stable < scope.min {
            (scope.min, Some(Limit::Min))
        } else if stable > most {
            (most, Some(why))
        } else {
            (stable, None)
        };
        Normalized { replicas, stabilized: (stable != desired).then_some(Stabilized::Down), limit }
    }

    /// With a behavior: between the least recommendation within the up window and the largest within the down window,
    /// their far edges excluded, as near to the present count as that allows; then what the policies allow, and the
    /// bounds.
    pub(super) fn normalize_with(&mut self, now: Timestamp, scope: &Scope, desired: i32, rules: &Both) -> Normalized {
        let (up_window, down_window) = (nanos(rules.up.stabilization), nanos(rules.down.stabilization));
        let (mut up, mut down, mut outdated) = (desired, desired, None);
        for (index, earlier) in self.recommendations.iter().enumerate() {
            if is_within(now, earlier.at, up_window) {
                up = up.min(earlier.replicas);
            }
            if is_within(now, earlier.at, down_window) {
                down = down.max(earlier.replicas);
            }
            if now.since(earlier.at) > up_window.max(down_window) {
                outdated = Some(index);
            }
        }
        self.remember(now, desired, outdated);
        let stable = scope.current.max(up).min(down);
        let why = if desired >= scope.current { Stabilized::Up } else { Stabilized::Down };
        let (replicas, limit) = self.limited(now, scope, stable, rules);
        Normalized { replicas, stabilized: (stable != desired).then_some(why), limit }
    }

    /// Takes the place of the last recommendation that no window covers, or comes after the others.
    fn remember(&mut self, at: Timestamp, replicas: i32, outdated: Option<usize>) {
        let new = Recommendation { at, replicas };
        match outdated.and_then(|index| self.recommendations.get_mut(index)) {
            Some(old) => *old = new,
            None => self.recommendations.push(new),
        }
    }

    fn limited(&self, now: Timestamp, scope: &Scope, stable: i32, rules: &Both) -> (i32, Option<Limit>) {
        match stable.cmp(&scope.current) {
            Ordering::Greater => {
                let limit = self.up_limit(now, scope.current, &rules.up).max(scope.current);
                let (most, why) = if scope.max > limit { (limit, Limit::Up) } else { (scope.max, Limit::Max) };
                if stable > most { (most, Some(why)) } else { (stable, None) }
            }
            Ordering::Less => {
                let limit = self.down_limit(now, scope.current, &rules.down).min(scope.current);
                let (least, why) = if scope.min < limit { (limit, Limit::Down) } else { (scope.min, Limit::Min) };
                if stable < least { (least, Some(why)) } else { (stable, None) }
            }
            Ordering::Equal => (stable, None),
        }
    }

    /// Per policy, from the count at the period's start: `start + pods` or `⌈start × (1 + percent / 100)⌉`.
    fn up_limit(&self, now: Timestamp, current: i32, rules: &Rules) -> i32 {
        let limits = rules.policies.iter().map(|policy| {
            let start = self.start_of(now, current, policy);
            match policy.kind {
                PolicyKind::Pods => start.wrapping_add(policy.value),
                PolicyKind::Percent => (f64::from(start) * (1.0 + f64::from(policy.value) / 100.0)).ceil() as i32,
            }
        });
        match rules.select {
            SelectPolicy::Disabled => current,
            SelectPolicy::Max => limits.max().unwrap_or(i32::MIN),
            SelectPolicy::Min => limits.min().unwrap_or(i32::MAX),
        }
    }

    /// Per policy, from the count at the period's start: `start - pods` or `⌊start × (1 - percent / 100)⌋`, cut off
    /// towards zero.
    fn down_limit(&self, now: Timestamp, current: i32, rules: &Rules) -> i32 {
        let limits = rules.policies.iter().map(|policy| {
            let start = self.start_of(now, current, policy);
            match policy.kind {
                PolicyKind::Pods => start.wrapping_sub(policy.value),
                PolicyKind::Percent => (f64::from(start) * (1.0 - f64::from(policy.value) / 100.0)) as i32,
            }
        });
        match rules.select {
            SelectPolicy::Disabled => current,
            SelectPolicy::Max => limits.min().unwrap_or(i32::MAX),
            SelectPolicy::Min => limits.max().unwrap_or(i32::MIN),
        }
    }

    /// The count at the start of a policy's period: without what was added since, with what was taken away. Below zero
    /// if others took pods away, which are no events.
    fn start_of(&self, now: Timestamp, current: i32, policy: &ScalingPolicy) -> i32 {
        let changed = |events: &[Event]| {
            let since = events.iter().filter(|event| is_within(now, event.at, policy.period()));
            since.fold(0, |sum: i32, event| sum.wrapping_add(event.change))
        };
        current.wrapping_sub(changed(&self.ups)).wrapping_add(changed(&self.downs))
    }

    /// Remembers a change from `before` to `after`. Events older than the longest period of this direction are marked,
    /// and the last one marked makes room, whatever the periods of the other direction still need.
    pub(super) fn rescaled(&mut self, now: Timestamp, before: i32, after: i32, rules: &Both) {
        let (events, rules) = if after > before { (&mut self.ups, &rules.up) } else { (&mut self.downs, &rules.down) };
        let longest = rules.policies.iter().map(ScalingPolicy::period).max().unwrap_or(0);
        let change = i32::try_from(after.abs_diff(before)).unwrap_or(i32::MAX);
        let new = Event { at: now, change, outdated: false };
        for event in events.iter_mut() {
            event.outdated |= now.since(event.at) > longest;
        }
        match events.iter_mut().rfind(|event| event.outdated) {
            Some(old) => *old = new,
            None => events.push(new),
        }
    }
}

/// `at` is strictly after `now - window`.
fn is_within(now: Timestamp, at: Timestamp, window: u64) -> bool {
    at > now || now.since(at) < window
}
