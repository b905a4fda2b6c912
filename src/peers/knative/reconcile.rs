//! The reconciler above the autoscaler: bounds, scale to zero, and whether the revision is active.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::{Timestamp, nanos, span};

/// The count is not known: nothing was decided yet.
pub const UNKNOWN: i32 = -1;

/// Added to the progress deadline before an activation is given up, so that the deployment reports first.
const ACTIVATION_BUFFER: Duration = Duration::from_secs(30);
/// When to look again after the revision has turned inactive with the activator in the path already.
const INACTIVE_REQUEUE: Duration = Duration::from_secs(3);

/// Whether requests can reach the revision.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reachability {
    /// A route points at it.
    #[default]
    Reachable,
    /// Not known yet; treated as reachable.
    Unknown,
    /// No route points at it.
    Unreachable,
}

/// The revision's state.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activity {
    /// Too few pods are ready (`Active=Unknown`).
    Activating,
    /// Enough pods are ready (`Active=True`).
    Active,
    /// There is nothing to do (`Active=False`).
    Inactive,
}

/// Why the revision is in its state.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Reason {
    /// Active.
    Ready,
    /// Activating: requests wait.
    Queued,
    /// Inactive: there are no requests.
    NoTraffic,
    /// Inactive: pods did not become ready in time.
    TimedOut,
}

/// Who answers requests.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The pods.
    Serve,
    /// The activator, which holds requests until a pod is there.
    Proxy,
}

/// What the reconciler is told to do.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReconcilerSpec {
    /// Zero pods are allowed.
    pub enable_scale_to_zero: bool,
    /// The least pods while reachable.
    pub min_scale: u32,
    /// The most pods; 0 is no limit.
    pub max_scale: u32,
    /// Pods to begin with.
    pub initial_scale: u32,
    /// How long it must have been active before it may turn inactive.
    #[serde(with = "span")]
    pub stable_window: Duration,
    /// How long the activator must have been in the path before the last pod goes.
    #[serde(with = "span")]
    pub scale_to_zero_grace_period: Duration,
    /// How long the last pod stays at least.
    #[serde(with = "span")]
    pub scale_to_zero_pod_retention_period: Duration,
    /// How long an activation may take, but for 30 s.
    #[serde(with = "span")]
    pub progress_deadline: Duration,
    /// The activator is always in the path (burst capacity -1), so that it need not be probed.
    pub always_proxied: bool,
}

/// What one pass of the reconciler sees.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    /// What the autoscaler wants, or [`UNKNOWN`].
    pub desired: i32,
    /// Its excess burst capacity.
    pub excess_burst_capacity: i32,
    /// Pods ready now.
    pub ready: u32,
    /// The activator answers a probe: it is in the path.
    pub activator_answers: bool,
    /// Whether requests can reach the revision.
    pub reachability: Reachability,
}

/// What one pass of the reconciler did.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Reconciled {
    /// The count within the bounds, or [`UNKNOWN`].
    pub want: i32,
    /// The count written to the target, if it changed.
    pub applied: Option<i32>,
    /// When to look again at the latest, whatever happens until then.
    #[serde(with = "maybe_span")]
    pub requeue_after: Option<Duration>,
    /// The activator did not answer: it is probed in the background every second for at most 45 s.
    pub probe_started: bool,
}

/// The reconciler and its state.
///
/// Source: Knative, `pkg/reconciler/autoscaling/kpa/{scaler,kpa}.go`. A pass takes the count from the state before it,
/// then sets the mode, then the activity. With `G` the grace period and `L` the pod retention (0 if unreachable), zero
/// is applied
///
/// - while activating: after more than the progress deadline and 30 s;
/// - while active: never. After a stable window of activity the revision turns inactive; before that it keeps one pod;
/// - while inactive, if the activator answers: when inactive for `max(G, L)`, or for `L` and proxied for `G`.
///
/// A change of the reason alone restarts the time for which a state has lasted.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Reconciler {
    spec: ReconcilerSpec,
    /// The target's count.
    replicas: i32,
    activity: Activity,
    reason: Reason,
    activity_since: Timestamp,
    mode: Mode,
    mode_since: Timestamp,
    initialized: bool,
}

impl Reconciler {
    /// A new revision: activating with its initial scale, behind the activator.
    #[must_use]
    pub fn new(spec: ReconcilerSpec, now: Timestamp) -> Self {
        let replicas = super::scale::count(spec.initial_scale.max(spec.min_scale));
        Self::resumed(spec, now, replicas, (Activity::Activating, Reason::Queued), Mode::Proxy, false)
    }

    /// A revision found in a state that it has been in since `now`.
    #[must_use]
    pub const fn resumed(
        spec: ReconcilerSpec,
        now: Timestamp,
        replicas: i32,
        (activity, reason): (Activity, Reason),
        mode: Mode,
        initialized: bool,
    ) -> Self {
        Self { spec, replicas, activity, reason, activity_since: now, mode, mode_since: now, initialized }
    }

    /// Takes another specification from now on.
    pub const fn update(&mut self, spec: ReconcilerSpec) {
        self.spec = spec;
    }

    /// One pass. The peer makes one when the count wanted or the sign of the excess burst capacity changes, when pods
    /// become ready or go, and when it asked for one.
    pub fn reconcile(&mut self, now: Timestamp, seen: &Seen) -> Reconciled {
        let mut pass = Reconciled { want: seen.desired, applied: None, requeue_after: None, probe_started: false };
        if seen.desired >= 0 || self.activity == Activity::Activating {
            let bounded = self.bounded(seen);
            let apply = if bounded == 0 { self.to_zero(now, seen, &mut pass) } else { Some(bounded) };
            if let Some(count) = apply {
                pass.want = count;
                pass.applied = (count != self.replicas).then_some(count);
                self.replicas = count;
            }
        }
        self.set_mode(now, seen, pass.want);
        self.set_activity(now, seen, pass.want);
        pass
    }

    /// Between min scale and max scale, and at least the initial scale until that has been reached.
    fn bounded(&self, seen: &Seen) -> i32 {
        let unreachable = seen.reachability == Reachability::Unreachable;
        let (mut least, most) = (self.least(seen), super::scale::count(self.spec.max_scale));
        if self.spec.initial_scale > 1 && !self.initialized && !unreachable {
            least = least.max(super::scale::count(self.spec.initial_scale));
        }
        if seen.desired < least {
            least
        } else if most > 0 && seen.desired > most {
            most
        } else {
            seen.desired
        }
    }

    fn least(&self, seen: &Seen) -> i32 {
        if seen.reachability == Reachability::Unreachable { 0 } else { super::scale::count(self.spec.min_scale) }
    }

    /// What to apply when nothing is wanted; `None` if nothing.
    fn to_zero(&self, now: Timestamp, seen: &Seen, pass: &mut Reconciled) -> Option<i32> {
        let (spec, lasted) = (&self.spec, now.since(self.activity_since));
        if !spec.enable_scale_to_zero {
            return Some(1);
        }
        pass.want = 0;
        match self.activity {
            Activity::Activating => {
                let timeout = spec.progress_deadline.saturating_add(ACTIVATION_BUFFER);
                if lasted > nanos(timeout) {
                    return Some(0);
                }
                pass.want = UNKNOWN;
                pass.requeue_after = Some(timeout);
                None
            }
            Activity::Active => {
                let rest = nanos(spec.stable_window).saturating_sub(lasted);
                if rest > 0 {
                    pass.requeue_after = Some(Duration::from_nanos(rest));
                    return Some(1);
                }
                pass.requeue_after = (self.mode == Mode::Proxy).then_some(INACTIVE_REQUEUE);
                None
            }
            Activity::Inactive => {
                if !spec.always_proxied && !seen.activator_answers {
                    pass.probe_started = true;
                    return None;
                }
                let rest = self.rest_of_grace(now, seen, lasted);
                if rest == 0 {
                    return Some(0);
                }
                pass.requeue_after = Some(Duration::from_nanos(rest));
                None
            }
        }
    }

    /// How long the last pod still stays, in nanoseconds, `lasted` after the revision turned inactive.
    fn rest_of_grace(&self, now: Timestamp, seen: &Seen, lasted: u64) -> u64 {
        let unreachable = seen.reachability == Reachability::Unreachable;
        let retention = if unreachable { 0 } else { nanos(self.spec.scale_to_zero_pod_retention_period) };
        let grace = nanos(self.spec.scale_to_zero_grace_period);
        if lasted >= grace.max(retention) {
            0
        } else if lasted < retention {
            retention.saturating_sub(lasted)
        } else {
            let proxied = if self.mode == Mode::Proxy { now.since(self.mode_since) } else { 0 };
            grace.saturating_sub(proxied)
        }
    }

    fn set_mode(&mut self, now: Timestamp, seen: &Seen, want: i32) {
        let mode = if want > 0 && seen.excess_burst_capacity >= 0 { Mode::Serve } else { Mode::Proxy };
        if mode != self.mode {
            self.mode = mode;
            self.mode_since = now;
        }
    }

    fn set_activity(&mut self, now: Timestamp, seen: &Seen, want: i32) {
        let initial = super::scale::count(self.spec.initial_scale);
        let least_ready = self.least(seen).max(if self.initialized { 1 } else { initial });
        let enough = super::scale::count(seen.ready) >= least_ready;
        self.initialized |= enough;
        let wanted = want > 0 || self.activity != Activity::Inactive;
        let (activity, reason) = if want == 0 || least_ready == 0 {
            let timed_out = self.activity == Activity::Activating && least_ready > 0;
            (Activity::Inactive, if timed_out { Reason::TimedOut } else { Reason::NoTraffic })
        } else if !wanted {
            return;
        } else if enough {
            (Activity::Active, Reason::Ready)
        } else {
            (Activity::Activating, Reason::Queued)
        };
        if (activity, reason) != (self.activity, self.reason) {
            (self.activity, self.reason, self.activity_since) = (activity, reason, now);
        }
    }

    /// The target's count, as last written.
    #[must_use]
    pub const fn replicas(&self) -> i32 {
        self.replicas
    }

    /// The revision's state.
    #[must_use]
    pub const fn activity(&self) -> Activity {
        self.activity
    }

    /// Why it is in that state.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        self.reason
    }

    /// Who answers requests.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// The initial scale was reached once.
    #[must_use]
    pub const fn initialized(&self) -> bool {
        self.initialized
    }
}

/// A duration that may be absent.
mod maybe_span {
    use core::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::time::span::Span;

    #[expect(clippy::ref_option, reason = "the signature that serde calls")]
    pub(super) fn serialize<S: Serializer>(value: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        value.map(Span).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        Option::<Span>::deserialize(deserializer).map(|span| span.map(|span| span.0))
    }
}
