use alloc::string::{String, ToString};

use super::super::{Outlook, Terms};
use super::*;
use crate::guard::{GUARDS, Stage};
use crate::policy::{ConcurrencyTarget, MAX_PROPOSALS, Outpost, RunPod, Source};
use crate::signal::Signals;
use crate::time::Timestamp;
use crate::units::Rate;

fn at(secs: u64) -> Timestamp {
    Timestamp::from_secs(secs)
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const GUARD_ORDER: [Guard; GUARDS] = [
    Guard::Freshness,
    Guard::ZeroGate,
    Guard::Tolerance,
    Guard::Surplus,
    Guard::UpDelay,
    Guard::DownDelay,
    Guard::StepLimit,
    Guard::IdleTimeout,
    Guard::Mode,
    Guard::Bounds,
];

/// An explanation of `policy` wanting `want` (and keeping `keep`) from `count`, after the given effects.
fn explanation(count: u32, policy: Policy, proposal: Proposal, effects: &[(Guard, Effect)]) -> Explanation {
    let proposed = if proposal.want > count { proposal.want } else { count.min(proposal.keep) };
    let mut desired = proposed;
    let stages = GUARD_ORDER.map(|guard| {
        let effect = effects.iter().find(|(named, _)| *named == guard).map_or(Effect::Pass, |(_, effect)| *effect);
        desired = effect.apply(desired);
        Stage { guard, effect, count: desired }
    });
    let bound = Explanation::last_effect(&stages).map_or(Reason::Policy(proposal.because), Reason::Guard);
    let mut proposals = [None; MAX_PROPOSALS];
    proposals[0] = Some(proposal);
    Explanation {
        at: at(1_000),
        count,
        proposals,
        proposed,
        stages,
        desired,
        bound,
        pressed_since: Some(at(969)),
        outlook: None,
        trouble: None,
        cliff_since: None,
        settling_until: None,
        signals: Signals {
            arrival_rate: Rate::per_second(12.4).ok(),
            sojourn_p99: Some(millis(340)),
            sojourn_over_target: Some(true),
            over_target_since: Some(at(969)),
            queue_depth: Some(9),
            in_flight: Some(3),
            ..Signals::default()
        },
        terms: Terms {
            policy: Some(policy),
            min: 0,
            max: 10,
            mode: Mode::Automatic,
            mode_until: None,
            up_delay: millis(30_000),
            down_delay: millis(300_000),
            to_zero_delay: millis(600_000),
            idle_timeout: None,
            sojourn_target: millis(100),
        },
    }
}

fn outpost(want: u32, keep: u32, because: Because) -> (Policy, Proposal) {
    let policy = Policy::Outpost(Outpost::new(Rate::per_second(2.5).unwrap()));
    (policy, Proposal { source: Source::Outpost, want, keep, because, blind: false })
}

fn text(explanation: &Explanation) -> String {
    let line = explanation.to_string();
    assert!(!line.contains('\n'));
    line
}

#[test]
fn growth_names_the_rate_the_sojourn_and_the_delay_that_was_met() {
    let (policy, proposal) = outpost(5, 7, Because::RateAboveTarget);
    assert_eq!(
        text(&explanation(3, policy, proposal, &[])),
        "3 → 5: 12.4 req/s at 2.5 per replica wants 5; sojourn p99 340 ms > 100 ms for 31 s; up delay 30 s met"
    );
}

#[test]
fn a_hold_names_the_guard_and_when_it_ends() {
    let (policy, proposal) = outpost(5, 7, Because::RateAboveTarget);
    let mut held = explanation(3, policy, proposal, &[(Guard::UpDelay, Effect::AtMost(3))]);
    held.outlook = Some(Outlook { guard: Guard::UpDelay, count: 5, at: at(1_012) });
    assert_eq!(
        text(&held),
        "held at 3 by the up delay until +12 s; wants 5: 12.4 req/s at 2.5 per replica wants 5; \
         sojourn p99 340 ms > 100 ms for 31 s"
    );
    let full =
        explanation(10, policy, Proposal { want: 14, keep: 18, ..proposal }, &[(Guard::Bounds, Effect::AtMost(10))]);
    assert!(text(&full).starts_with("held at 10 by max 10; wants 14: "));
    let low = explanation(2, policy, outpost(0, 0, Because::RateWellBelow).1, &[(Guard::Bounds, Effect::AtLeast(2))]);
    assert!(text(&low).starts_with("held at 2 by min 0; wants 0: 12.4 req/s at 2.5 per replica needs none"));
}

#[test]
fn every_guard_that_holds_is_named() {
    let (policy, proposal) = outpost(0, 1, Because::RateWellBelow);
    for (guard, words) in [
        (Guard::Freshness, "freshness (a signal is missing or stale)"),
        (Guard::ZeroGate, "the to-zero delay"),
        (Guard::Tolerance, "the tolerance"),
        (Guard::DownDelay, "the down delay"),
        (Guard::StepLimit, "the step limit"),
        (Guard::IdleTimeout, "the idle timeout"),
    ] {
        let held = explanation(3, policy, proposal, &[(guard, Effect::AtLeast(3))]);
        assert!(text(&held).starts_with(&alloc::format!("held at 3 by {words}; wants 1: ")), "{}", text(&held));
    }
}

#[test]
fn guards_that_changed_a_change_say_how() {
    let (policy, proposal) = outpost(9, 9, Because::Overloaded);
    let effects = [(Guard::UpDelay, Effect::AtMost(8)), (Guard::StepLimit, Effect::AtMost(6))];
    assert_eq!(
        text(&explanation(3, policy, proposal, &effects)),
        "3 → 6: CoDel finds a standing queue; sojourn p99 340 ms > 100 ms for 31 s; wants 9; \
         8 wanted throughout the up delay of 30 s; step limit allows 6"
    );
    let (policy, proposal) = outpost(0, 1, Because::RateWellBelow);
    let down = explanation(6, policy, proposal, &[(Guard::DownDelay, Effect::AtLeast(4))]);
    assert!(text(&down).ends_with(
        "needs no more than 1; sojourn p99 340 ms > 100 ms for 31 s; 4 wanted within the down delay of 5 min"
    ));
}

#[test]
fn waking_and_going_to_zero_read_as_what_they_are() {
    let (policy, proposal) = outpost(1, 1, Because::RateAboveTarget);
    let mut wake = explanation(0, policy, proposal, &[(Guard::ZeroGate, Effect::AtLeast(3))]);
    wake.signals.backlog = 3;
    assert_eq!(text(&wake), "0 → 3: 3 requests wait and there is no worker; wakes from zero at once");
    wake.signals.backlog = 1;
    assert!(text(&wake).contains("1 request waits and"));
    let quiet = explanation(2, policy, outpost(0, 0, Because::Quiet).1, &[]);
    assert_eq!(text(&quiet), "2 → 0: no request for 10 min");
    let mut waiting = explanation(1, policy, outpost(0, 4, Because::RateWithinTarget).1, &[]);
    waiting.outlook = Some(Outlook { guard: Guard::ZeroGate, count: 0, at: at(1_045) });
    assert!(text(&waiting).ends_with("; to zero in 45 s unless a request comes"), "{}", text(&waiting));
}

#[test]
fn the_other_policies_name_what_they_count() {
    let delay = Policy::RunPod(RunPod::queue_delay(RunPod::DEFAULT_QUEUE_DELAY));
    let proposal = outpost(4, u32::MAX, Because::QueueDelay).1;
    let mut overdue = explanation(3, delay, proposal, &[]);
    overdue.signals.oldest_age = Some(millis(5_230));
    overdue.terms.up_delay = Duration::ZERO;
    assert_eq!(text(&overdue), "3 → 4: a request has waited 5.2 s, longer than 4 s; wants 4");
    let count = Policy::RunPod(RunPod::request_count(4));
    let mut many = explanation(1, count, outpost(3, 3, Because::RequestCount).1, &[]);
    many.terms.up_delay = Duration::ZERO;
    assert_eq!(text(&many), "1 → 3: 12 in the system at 4 per worker wants 3");
    let target = Policy::Concurrency(ConcurrencyTarget::new(0.7).unwrap());
    let same = explanation(3, target, outpost(3, 3, Because::RequestCount).1, &[]);
    assert_eq!(text(&same), "3: 12 in the system at 0.7 per worker wants 3");
    let missing = Proposal { source: Source::Concurrency, blind: true, ..outpost(0, u32::MAX, Because::Missing).1 };
    let mut blind = explanation(3, target, missing, &[]);
    blind.signals.queue_depth = None;
    assert_eq!(text(&blind), "3: missing: queue depth");
    blind.signals.in_flight = None;
    blind.signals.stale = true;
    assert_eq!(text(&blind), "3: stale or missing: queue depth, in flight");
}
