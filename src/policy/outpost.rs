//! QPS per replica with CoDel: the Outpost product document, rule by rule.
//!
//! With `rate` the arrival rate over the long window, `T` the target and `n` the ready replicas:
//!
//! - the ideal count is `⌈rate / T⌉`;
//! - **up** to it when `rate / n > T` and the queue's sojourn is rising (or unknown: a platform that does not report
//!   sojourns is scaled on QPS alone);
//! - **up** to `n + ⌈n / 10⌉` when CoDel says overloaded, whatever the rate. The step is taken from the *ready*
//!   replicas, so nothing more is ordered while it starts, and the next step comes when it has started and did not
//!   help;
//! - **down** when the rate is well below the target and the sojourn minimal: to the count that would carry the rate
//!   at 80 % of its target, so that the survivors are never over it. Minimal means that CoDel is content, p99 is
//!   within its target and nobody waits longer than that.

use serde::{Deserialize, Serialize};

use super::{Because, Inputs, Proposal, Source, Steady};
use crate::units::{MICRO, Rate, div_ceil_count};

/// "Well below the target" is at most this share of it, in percent. A fifth of headroom keeps a count that was right
/// from being given up for the rounding of a rate, and the survivors of a step down from being full at once.
const WELL_BELOW_PERCENT: u64 = 80;

/// CoDel's step, as a share of the ready replicas: one in so many.
const OVERLOAD_STEP: u32 = 10;

/// Scale on queries per second per replica and on queue sojourn.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Outpost {
    /// Queries per second that each replica should handle; above zero. It has no default: benchmark one replica.
    pub target_qps_per_replica: Rate,
}

impl Outpost {
    /// The policy with its one required setting.
    #[must_use]
    pub const fn new(target_qps_per_replica: Rate) -> Self {
        Self { target_qps_per_replica }
    }

    /// Requests that one replica takes within a second: what one started from zero is meant to answer.
    pub(super) fn per_second(self) -> u32 {
        div_ceil_count(self.target_qps_per_replica.as_micros(), MICRO).max(1)
    }

    pub(super) fn propose(self, inputs: &Inputs) -> Proposal {
        if inputs.quiet && inputs.rate.is_some() && !inputs.overloaded {
            return Proposal::exactly(Source::Outpost, Because::Quiet, 0);
        }
        let overload = inputs.ready.saturating_add(inputs.ready.div_ceil(OVERLOAD_STEP).max(1));
        let by_codel = if inputs.overloaded { overload } else { 0 };
        let Some(rate) = inputs.rate else {
            let because = if inputs.overloaded { Because::Overloaded } else { Because::Missing };
            return Proposal { want: by_codel, ..Proposal::blind(Source::Outpost, because) };
        };
        let (by_rate, mut because) = self.up(rate, inputs);
        if by_codel > by_rate {
            because = Because::Overloaded;
        }
        let want = by_rate.max(by_codel);
        let (keep, blind) = self.down(rate, inputs);
        let keep = keep.max(want);
        if because == Because::RateWithinTarget && keep == u32::MAX {
            because = if blind { Because::Missing } else { Because::SojournNotMinimal };
        } else if because == Because::RateWithinTarget && keep < inputs.ready {
            because = Because::RateWellBelow;
        }
        Proposal { source: Source::Outpost, want, keep, because, blind }
    }

    /// While the rate stays in the steps of both counts. The trend does not matter where what is ready carries it, nor where
    /// the waits say that the sojourn has risen.
    pub(super) fn steady(self, inputs: &Inputs, proposal: &Proposal) -> Option<Steady> {
        let ideal = self.replicas_for(inputs.rate?, 100);
        // Without one sojourn in the window nothing says that it has not risen; whether anybody waits matters then.
        let unseen = inputs.p99_over_target.is_none();
        let risen = inputs.p99_over_target != Some(false) || inputs.oldest_over_target || inputs.ready == 0;
        if inputs.quiet || unseen && inputs.backlog == 0 {
            return None;
        }
        let trend = ideal > inputs.ready && !risen;
        let up_to = |count: u32, percent: u64| u64::from(count).saturating_mul(self.carried(percent));
        let down = if proposal.keep == u32::MAX { u64::MAX } else { up_to(proposal.keep, WELL_BELOW_PERCENT) };
        Some(Steady { rate: up_to(ideal, 100).min(down), waits: true, waiting: unseen, trend, ..Steady::ANYWHERE })
    }

    fn up(self, rate: Rate, inputs: &Inputs) -> (u32, Because) {
        let ideal = self.replicas_for(rate, 100);
        if ideal <= inputs.ready {
            (ideal, Because::RateWithinTarget)
        } else if inputs.rising.unwrap_or(true) || inputs.oldest_over_target || inputs.ready == 0 {
            (ideal, Because::RateAboveTarget)
        } else {
            (inputs.ready, Because::SojournCalm)
        }
    }

    /// The count down to which this policy agrees to shrink, and whether a signal for that is missing.
    fn down(self, rate: Rate, inputs: &Inputs) -> (u32, bool) {
        if !inputs.rate_full {
            return (u32::MAX, true);
        }
        // Without one sojourn in the window, an empty queue or no traffic at all says the same.
        let nobody_waits = inputs.backlog == 0 && (inputs.depth == Some(0) || rate == Rate::ZERO);
        let Some(over_target) = inputs.p99_over_target.or(nobody_waits.then_some(false)) else {
            return (u32::MAX, true);
        };
        if over_target || inputs.overloaded || inputs.oldest_over_target {
            return (u32::MAX, false);
        }
        let rate = if rate == Rate::ZERO { rate } else { inputs.rate_with_one_more.unwrap_or(rate) };
        (self.replicas_for(rate, WELL_BELOW_PERCENT), false)
    }

    /// `⌈rate / (percent of the target)⌉`.
    fn replicas_for(self, rate: Rate, percent: u64) -> u32 {
        div_ceil_count(rate.as_micros(), self.carried(percent))
    }

    /// So many percent of a replica's target, in millionths per second.
    const fn carried(self, percent: u64) -> u64 {
        self.target_qps_per_replica.as_micros().saturating_mul(percent) / 100
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Four ready replicas at 2.5 req/s each, ten requests a second, a calm queue.
    fn calm() -> Inputs {
        Inputs {
            rate: rate(10.0),
            rate_with_one_more: rate(10.02),
            rate_full: true,
            ready: 4,
            concurrency: 1,
            depth: Some(0),
            p99_over_target: Some(false),
            rising: Some(false),
            ..Inputs::default()
        }
    }

    fn rate(per_second: f64) -> Option<Rate> {
        Rate::per_second(per_second).ok()
    }

    fn propose(inputs: Inputs) -> (u32, u32, Because) {
        let proposal = Outpost::new(Rate::per_second(2.5).unwrap()).propose(&inputs);
        assert!(proposal.keep >= proposal.want);
        (proposal.want, proposal.keep, proposal.because)
    }

    #[test]
    fn grows_when_the_rate_is_above_target_and_the_sojourn_rises() {
        let busy = Inputs { rate: rate(12.4), rate_with_one_more: rate(12.42), ..calm() };
        assert_eq!(propose(Inputs { rising: Some(true), ..busy }), (5, 7, Because::RateAboveTarget));
        assert_eq!(propose(busy), (4, 7, Because::SojournCalm));
        assert_eq!(propose(Inputs { rising: None, ..busy }).0, 5, "without sojourns QPS decides alone");
    }

    #[test]
    fn grows_by_a_tenth_of_the_ready_when_codel_says_so_whatever_the_rate() {
        assert_eq!(propose(Inputs { overloaded: true, ..calm() }), (5, u32::MAX, Because::Overloaded));
        let large = Inputs { overloaded: true, ready: 40, ..calm() };
        assert_eq!(propose(large).0, 44);
        let unknown = Inputs { rate: None, overloaded: true, ..calm() };
        assert_eq!(propose(unknown).0, 5);
    }

    #[test]
    fn shrinks_only_well_below_the_target_and_with_a_minimal_sojourn() {
        assert_eq!(propose(calm()), (4, 6, Because::RateWithinTarget));
        let idle = Inputs { rate: rate(4.0), rate_with_one_more: rate(4.0), ready: 4, ..calm() };
        assert_eq!(propose(idle), (2, 2, Because::RateWellBelow));
        for waiting in [
            Inputs { p99_over_target: Some(true), ..idle },
            Inputs { overloaded: true, ..idle },
            Inputs { oldest_over_target: true, ..idle },
        ] {
            assert_eq!(propose(waiting).1, u32::MAX);
        }
    }

    #[test]
    fn survivors_are_never_over_the_target() {
        for hundredths in 1..2_000_u32 {
            let qps = f64::from(hundredths) / 100.0;
            let inputs = Inputs { rate: rate(qps), rate_with_one_more: rate(qps), ready: 100, ..calm() };
            let (_, keep, _) = propose(inputs);
            assert!(qps / f64::from(keep) <= 2.5 * 0.8 + 1e-6, "{qps} over {keep}");
        }
    }

    #[test]
    fn what_is_missing_is_never_taken_for_calm() {
        let no_rate = Outpost::new(Rate::per_second(1.0).unwrap()).propose(&Inputs { rate: None, ..calm() });
        assert!(no_rate.blind && no_rate.keep == u32::MAX);
        let no_sojourn = Inputs { p99_over_target: None, rising: None, depth: None, ..calm() };
        assert_eq!(propose(no_sojourn).1, u32::MAX);
        assert_eq!(propose(Inputs { rate: rate(0.0), ..no_sojourn }).1, 0, "no traffic, nobody waits");
    }

    #[test]
    fn it_says_up_to_which_rate_its_counts_stand() {
        let policy = Outpost::new(Rate::per_second(2.0).unwrap());
        let calm = Inputs { p99_over_target: Some(false), ..Inputs::default() };
        let inputs = Inputs { rate: Rate::per_second(5.0).ok(), ready: 3, ..calm };
        // Three carry six per second; that two are enough holds up to less.
        let kept = |keep| {
            let because = Because::RateWithinTarget;
            Proposal { source: Source::Outpost, want: 3, keep, because, blind: false }
        };
        let up_to = |keep| policy.steady(&inputs, &kept(keep)).map(|steady| steady.rate);
        assert_eq!(up_to(u32::MAX), Some(6_000_000));
        let down = up_to(2).unwrap();
        assert_eq!(down, policy.carried(WELL_BELOW_PERCENT) * 2);
        assert!(down < 6_000_000, "{down}");
        let few = Inputs { ready: 2, ..inputs };
        let unseen = Inputs { p99_over_target: None, ..few };
        for open in [Inputs { quiet: true, ..inputs }, Inputs { rate: None, ..inputs }, unseen] {
            assert_eq!(policy.steady(&open, &kept(2)), None, "{open:?}");
        }
        // More than are ready are wanted if the sojourn rises, unless the waits say that it has.
        let trend = |inputs| policy.steady(&inputs, &kept(2)).map(|steady| steady.trend);
        assert_eq!((trend(few), trend(inputs)), (Some(true), Some(false)));
        for risen in [
            Inputs { p99_over_target: Some(true), ..few },
            Inputs { oldest_over_target: true, ..few },
            Inputs { overloaded: true, ..inputs },
            Inputs { p99_over_target: None, backlog: 1, ..few },
        ] {
            let up_to = policy.steady(&risen, &kept(u32::MAX)).map(|steady| (steady.rate, steady.waits, steady.trend));
            assert_eq!(up_to, Some((6_000_000, true, false)), "{risen:?}");
        }
    }
}
