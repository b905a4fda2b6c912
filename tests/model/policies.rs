//! What each policy wants, from the signals, as its own documentation says.

use plimsoll::config::Buffer;
use plimsoll::policy::{Because, Outpost, RunPodScaling};
use plimsoll::{Config, Policy};

use crate::signals::{Signals, nanos};

/// One policy's proposal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wish {
    pub want: u32,
    pub keep: u32,
    pub because: Because,
    pub blind: bool,
    /// Whatever the requests do.
    pub told: bool,
}

impl Wish {
    const fn exactly(count: u32, because: Because) -> Self {
        Self { want: count, keep: count, because, blind: false, told: false }
    }

    /// It cannot see all that it needs: it does not agree to shrink.
    const fn blind(want: u32, because: Because) -> Self {
        Self { want, keep: u32::MAX, because, blind: true, told: false }
    }
}

/// Every policy's wish in the configuration's order, then that from outside, then the buffer's.
pub fn wishes(signals: &Signals, config: &Config) -> Vec<Wish> {
    let outside = !config.policies().contains(&Policy::External) && signals.external.is_some();
    let policies = config.policies().iter().chain(outside.then_some(&Policy::External));
    let wishes = policies.map(|policy| wish(policy, signals, config.concurrency()));
    wishes.chain(config.buffer().map(|setting| buffer(setting, signals, config.concurrency()))).collect()
}

fn wish(policy: &Policy, signals: &Signals, concurrency: u32) -> Wish {
    let (requests, known) = in_system(signals);
    let by_requests =
        |count, because| if known { Wish::exactly(count, because) } else { Wish::blind(count, Because::Missing) };
    match policy {
        Policy::Fixed(count) => Wish { told: true, ..Wish::exactly(*count, Because::Fixed) },
        Policy::External => {
            let wish = signals.external.map(|count| Wish::exactly(count, Because::Proposed));
            Wish { told: true, ..wish.unwrap_or(Wish::blind(0, Because::NoProposal)) }
        }
        Policy::Outpost(policy) => outpost(*policy, signals),
        Policy::RunPod(_) | Policy::Concurrency(_) if signals.quiet && known => Wish::exactly(0, Because::Quiet),
        Policy::RunPod(policy) => match policy.scaling {
            RunPodScaling::RequestCount(per_worker) => {
                by_requests(ceil(requests, u64::from(per_worker)), Because::RequestCount)
            }
            RunPodScaling::QueueDelay(delay) => {
                let long = |wait: Option<u64>| wait.is_some_and(|wait| wait > nanos(delay));
                let too_long = long(signals.oldest_age) || long(signals.last_wait);
                if signals.backlog > signals.free_slots && too_long {
                    let wish = Wish::exactly(signals.ready + 1, Because::QueueDelay);
                    return Wish { keep: u32::MAX, blind: !known, ..wish };
                }
                let keep = ceil(requests, u64::from(concurrency));
                Wish { want: u32::from(requests > 0), ..by_requests(keep, Because::QueueWithinDelay) }
            }
            _ => unreachable!("no other scaling"),
        },
        Policy::Concurrency(policy) => {
            by_requests(ceil(requests * 1_000_000, micros(policy.target())), Because::RequestCount)
        }
        _ => unreachable!("no other policy"),
    }
}

fn outpost(policy: Outpost, signals: &Signals) -> Wish {
    let replicas = |rate: u64, percent: u64| ceil(rate, policy.target_qps_per_replica.as_micros() * percent / 100);
    let ready = signals.ready;
    if signals.quiet && signals.rate.is_some() && !signals.overloaded {
        return Wish::exactly(0, Because::Quiet);
    }
    // By CoDel a tenth more than are ready, whatever the rate.
    let by_codel = if signals.overloaded { ready + ready.div_ceil(10).max(1) } else { 0 };
    let Some(rate) = signals.rate else {
        return Wish::blind(by_codel, if signals.overloaded { Because::Overloaded } else { Because::Missing });
    };
    // By the rate, if the sojourn rises or is not known.
    let ideal = replicas(rate, 100);
    let feels = signals.rising != Some(false) || signals.oldest_over_target || ready == 0;
    let (by_rate, reason) = match (ideal > ready, feels) {
        (true, true) => (ideal, Because::RateAboveTarget),
        (true, false) => (ready, Because::SojournCalm),
        (false, _) => (ideal, Because::RateWithinTarget),
    };
    let want = by_rate.max(by_codel);
    // Down at 80 % of the target, if nobody waits too long; without sojourns an empty queue or no traffic says so.
    let nobody_waits = signals.backlog == 0 && (signals.depth == Some(0) || rate == 0);
    let over = signals.p99_over_target.or(nobody_waits.then_some(false));
    let minimal = over.map(|over| !over && !signals.overloaded && !signals.oldest_over_target);
    let (keep, blind) = match minimal.filter(|_| signals.rate_full) {
        None => (u32::MAX, true),
        Some(false) => (u32::MAX, false),
        Some(true) => {
            let rate = if rate == 0 { 0 } else { signals.rate_with_one_more.unwrap_or(rate) };
            (replicas(rate, 80).max(want), false)
        }
    };
    let because = match reason {
        _ if by_codel > by_rate => Because::Overloaded,
        Because::RateWithinTarget if blind => Because::Missing,
        Because::RateWithinTarget if keep == u32::MAX => Because::SojournNotMinimal,
        Because::RateWithinTarget if keep < ready => Because::RateWellBelow,
        reason => reason,
    };
    Wish { want, keep, because, blind, told: false }
}

/// Idle workers above those that the requests in the system occupy, while there are any or always.
fn buffer(setting: Buffer, signals: &Signals, concurrency: u32) -> Wish {
    let (requests, known) = in_system(signals);
    let occupied = ceil(requests, u64::from(concurrency));
    let share = setting.percent.map_or(0, |percent| ceil(u64::from(occupied) * u64::from(percent), 100));
    let above = if occupied > 0 || setting.always { setting.workers.unwrap_or(0).max(share) } else { 0 };
    let count = occupied + above;
    if known { Wish::exactly(count, Because::Buffer) } else { Wish::blind(count, Because::Missing) }
}

/// Workers that the requests certainly waiting call for.
pub fn backlog_workers(backlog: u64, config: &Config) -> u32 {
    let concurrency = config.concurrency();
    let per_worker = |policy: &Policy| match policy {
        // As many as it takes within a second.
        Policy::Outpost(policy) => ceil(policy.target_qps_per_replica.as_micros(), 1_000_000).max(concurrency),
        Policy::RunPod(policy) => match policy.scaling {
            RunPodScaling::RequestCount(per_worker) => per_worker,
            _ => concurrency,
        },
        Policy::Concurrency(policy) => u32::try_from(micros(policy.target()) / 1_000_000).unwrap_or(u32::MAX).max(1),
        _ => concurrency,
    };
    ceil(backlog, u64::from(config.policies().iter().map(per_worker).min().expect("a policy")))
}

/// Requests in the system as far as known, and whether all of them are.
fn in_system(signals: &Signals) -> (u64, bool) {
    let known = signals.depth.is_some() && signals.in_flight.is_some();
    (signals.depth.unwrap_or(0) + signals.in_flight.unwrap_or(0), known)
}

fn micros(number: f64) -> u64 {
    (number * 1e6).round() as u64
}

fn ceil(count: u64, per: u64) -> u32 {
    u32::try_from(count.div_ceil(per)).unwrap_or(u32::MAX)
}
