use alloc::string::{String, ToString};

use super::super::{Outlook, Terms};
use super::*;
use crate::guard::{GUARDS, Stage};
use crate::policy::{ConcurrencyTarget, MAX_PROPOSALS, Outpost, Plan, RunPod, Source};
use crate::signal::Signals;
use crate::time::Timestamp;
use crate::units::{Rate, Share};

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
    let bound = stages.iter().rev().find(|stage| stage.effect != Effect::Pass);
    let bound = bound.map_or(Reason::Policy(proposal.because), |stage| Reason::Guard(stage.guard));
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
            grant: None,
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

/// A decision under `change`, made 90 s after it, with `commands`.
fn decision(explanation: &Explanation, change: &Explanation, commands: &[Command]) -> Decision {
    Decision {
        at: at(1_000),
        sequence: 7,
        desired: explanation.desired,
        commands: commands.to_vec(),
        would: alloc::vec![],
        explanation: *explanation,
        last_change: Some(Explanation { at: at(910), ..*change }),
        next_wakeup: None,
    }
}

#[test]
fn commands_that_come_later_name_the_change_that_they_answer_to() {
    let (policy, proposal) = outpost(5, 7, Because::RateAboveTarget);
    let (change, stands) = (explanation(3, policy, proposal, &[]), explanation(5, policy, proposal, &[]));
    let line = |idle_timeout, commands: &[Command]| {
        let mut stands = stands;
        stands.terms.idle_timeout = idle_timeout;
        decision(&stands, &change, commands).to_string()
    };
    let stop = Command::Stop { id: crate::observation::WorkerId(4), to_standby: false, cut_off: false };
    assert!(
        line(None, &[Command::Start { count: 1 }]).starts_with("3 → 5: ") && line(None, &[stop]).starts_with("3 → 5: ")
    );
    assert!(line(None, &[Command::Start { count: 1 }]).contains(" (90 s ago)"), "{}", line(None, &[stop]));
    assert!(line(None, &[]).starts_with("5: "));
    // Where only idle workers are let go, a stop answers to nothing but the worker's own time.
    let timeout = Some(millis(30_000));
    assert!(
        line(timeout, &[stop]).starts_with("5: ")
            && line(timeout, &[stop]).ends_with("; stops w4 (not ready, or idle for 30 s)")
    );
    assert!(line(timeout, &[Command::Prewarm { count: 1 }]).starts_with("5: "));
    assert!(line(timeout, &[stop, Command::Start { count: 1 }]).starts_with("3 → 5: "));
    assert!(decision(&stands, &change, &[]).is_idle() && !decision(&stands, &change, &[stop]).is_idle());
    assert_eq!((change.fold(), change.code(), stands.code()), (5, "rate_above_target", "rate_above_target"));
}

#[test]
fn of_several_proposals_the_one_that_counts_in_the_direction_taken_is_named() {
    let (policy, wants) = outpost(5, 5, Because::RateAboveTarget);
    let keeps = Proposal { source: Source::External, want: 2, keep: 6, because: Because::Proposed, blind: false };
    let both = |count, effects: &[(Guard, Effect)]| {
        let mut explanation = explanation(count, policy, wants, effects);
        explanation.proposals[1] = Some(keeps);
        explanation
    };
    assert!(text(&both(4, &[])).contains("wants 5"), "up: what wants most");
    assert!(text(&both(5, &[])).contains("wants 5"));
    assert!(text(&both(8, &[])).contains("2 proposed from outside"), "down: what keeps most");
    assert!(text(&both(8, &[(Guard::DownDelay, Effect::AtLeast(8))])).contains("2 proposed from outside"));
    assert!(text(&both(4, &[(Guard::Mode, Effect::Exactly(3))])).contains("2 proposed from outside"));
}

#[test]
fn what_a_guard_did_in_the_other_direction_is_not_said() {
    let (policy, proposal) = outpost(2, 4, Because::RateWellBelow);
    let line = |effects: &[(Guard, Effect)]| text(&explanation(6, policy, proposal, effects));
    assert!(line(&[]).ends_with("; down delay 5 min met"), "{}", line(&[]));
    let idle = line(&[(Guard::IdleTimeout, Effect::AtLeast(5))]);
    assert!(idle.ends_with("; down delay 5 min met; 5 have not been idle for long enough"), "{idle}");
    let blind = line(&[(Guard::Freshness, Effect::AtLeast(5))]);
    assert!(!blind.contains("while a signal is missing"), "{blind}");
    // The mode goes below what the idle timeout would hold.
    let mode = line(&[(Guard::IdleTimeout, Effect::AtLeast(5)), (Guard::Mode, Effect::Exactly(3))]);
    assert!(!mode.contains("idle for long enough") && mode.starts_with("6 → 3: "), "{mode}");
    // Min raises what the up delay had lowered.
    let (policy, proposal) = outpost(9, 9, Because::RateAboveTarget);
    let effects = [
        (Guard::UpDelay, Effect::AtMost(4)),
        (Guard::IdleTimeout, Effect::AtLeast(5)),
        (Guard::Bounds, Effect::AtLeast(6)),
    ];
    let raised = text(&explanation(3, policy, proposal, &effects));
    assert!(raised.starts_with("3 → 6: ") && raised.ends_with("; min 0 binds"), "{raised}");
    assert!(!raised.contains("throughout the up delay") && !raised.contains("idle for long enough"), "{raised}");
    let lowered = [(Guard::UpDelay, Effect::AtMost(8)), (Guard::Mode, Effect::Exactly(2))];
    let lowered = text(&explanation(3, policy, proposal, &lowered));
    assert!(!lowered.contains("throughout the up delay"), "{lowered}");
}

#[test]
fn zero_is_left_and_reached_in_words_of_its_own() {
    let (policy, proposal) = outpost(1, 1, Because::RateAboveTarget);
    let mut wake = explanation(0, policy, proposal, &[(Guard::ZeroGate, Effect::AtLeast(1))]);
    assert!(text(&wake).ends_with("; wakes from zero at once"), "{}", text(&wake));
    let (_, none) = outpost(0, 0, Because::RateWithinTarget);
    let least = text(&explanation(0, policy, none, &[(Guard::Bounds, Effect::AtLeast(2))]));
    assert!(least.starts_with("0 → 2: ") && !least.contains("wakes"), "{least}");
    let gone = text(&explanation(2, policy, proposal, &[(Guard::ZeroGate, Effect::Exactly(0))]));
    assert!(gone.ends_with("; to-zero delay 10 min met"), "{gone}");
    wake = explanation(0, policy, proposal, &[(Guard::Bounds, Effect::AtMost(0))]);
    assert!(text(&wake).starts_with("held at 0 by max 10; wants 1: 12.4 req/s"), "{}", text(&wake));
    wake.signals.backlog = 2;
    assert!(text(&wake).ends_with("; wants 1: 2 requests wait and there is no worker"), "{}", text(&wake));
}

#[test]
fn the_sojourn_is_told_by_what_is_known_of_it() {
    let (policy, calm) = outpost(3, 5, Because::SojournCalm);
    let mut held = explanation(3, policy, calm, &[]);
    assert!(text(&held).contains(" is above target, but the sojourn is not rising; "));
    held.signals.over_target_since = Some(at(1_000));
    assert!(text(&held).ends_with("; sojourn p99 340 ms > 100 ms"), "{}", text(&held));
    held.signals.sojourn_over_target = Some(false);
    held.signals.sojourn_p99 = Some(millis(90));
    held.signals.oldest_age = Some(Duration::ZERO);
    assert!(text(&held).ends_with("; sojourn p99 90 ms ≤ 100 ms"), "{}", text(&held));
    held.signals.oldest_age = Some(millis(70));
    assert!(text(&held).ends_with("; oldest waits 70 ms"), "{}", text(&held));
    let minimal = explanation(3, policy, outpost(0, u32::MAX, Because::SojournNotMinimal).1, &[]);
    assert!(text(&minimal).contains(" needs no more, but the sojourn is not minimal; "));
}

#[test]
fn what_is_missing_is_named_by_what_the_policy_needs() {
    let (policy, blind) = outpost(0, u32::MAX, Because::Missing);
    let mut explanation = explanation(3, policy, Proposal { blind: true, ..blind }, &[]);
    assert_eq!(text(&explanation), "3: less than a window of arrivals seen");
    explanation.signals.arrival_rate = None;
    assert_eq!(text(&explanation), "3: missing: arrival rate");
    explanation.signals.sojourn_over_target = None;
    assert_eq!(text(&explanation), "3: missing: arrival rate, sojourn");
    for (depth, in_flight) in [(None, Some(1)), (Some(1), None)] {
        (explanation.signals.queue_depth, explanation.signals.in_flight) = (depth, in_flight);
        assert_eq!(text(&explanation), "3: missing: arrival rate, sojourn");
    }
    (explanation.signals.queue_depth, explanation.signals.in_flight) = (None, None);
    assert_eq!(text(&explanation), "3: nothing observed yet");
    let buffer = Proposal { source: Source::Buffer, want: 5, ..blind };
    explanation.proposals[0] = Some(buffer);
    (explanation.proposed, explanation.desired, explanation.signals.in_flight) = (5, 5, Some(4));
    assert!(text(&explanation).contains("4 in the system and a buffer want 5"), "{}", text(&explanation));
}

#[test]
fn a_wait_that_is_just_too_long_has_no_figure_of_its_own() {
    let delay = Policy::RunPod(RunPod::queue_delay(RunPod::DEFAULT_QUEUE_DELAY));
    let mut overdue = explanation(3, delay, outpost(4, u32::MAX, Because::QueueDelay).1, &[]);
    overdue.terms.up_delay = Duration::ZERO;
    overdue.signals.oldest_age = Some(millis(4_000));
    assert_eq!(text(&overdue), "3 → 4: a request has waited longer than 4 s; wants 4");
}

#[test]
fn the_code_of_a_reason_is_that_of_what_decided() {
    assert_eq!(Reason::Policy(Because::RateAboveTarget).code(), "rate_above_target");
    assert_eq!(Reason::Guard(Guard::UpDelay).code(), "up_delay");
    assert_eq!((Reason::Adopted.code(), Reason::Vanished.code()), ("adopted", "vanished"));
    for guard in GUARD_ORDER {
        assert_eq!(serde_json::to_value(guard).unwrap(), guard.code());
    }
}

#[test]
fn a_budget_that_binds_says_what_is_wanted_and_how_many_share_it() {
    let (policy, proposal) = outpost(8, 9, Because::RateAboveTarget);
    let shared = |count: u32, others: u32| {
        let mut told = explanation(count, policy, proposal, &[(Guard::Bounds, Effect::AtMost(5))]);
        told.terms.grant = Some(Grant { workers: 5, budget: 64, others });
        (told.terms.up_delay, told.signals.sojourn_over_target) = (Duration::ZERO, None);
        (told.signals.sojourn_p99, told.signals.arrival_rate) = (None, Rate::per_second(20.0).ok());
        text(&told)
    };
    let grows = "3 → 5: 20 req/s at 2.5 per replica wants 8; wants 8, granted 5: budget of 64";
    for (others, words) in [(0, ""), (1, " shared with another"), (2, " shared with 2 others")] {
        assert_eq!(shared(3, others), alloc::format!("{grows}{words}"));
    }
    assert_eq!(
        shared(5, 11),
        "held at 5 by the budget; granted 5: budget of 64 shared with 11 others; wants 8: 20 req/s at 2.5 per replica wants 8"
    );
}

/// What is said of a plan that counts at `count`.
fn planned(objective: Objective, count: u32, because: Because, want: u32, completions: u32) -> String {
    let proposal = Proposal { source: Source::Objective, want, keep: want, because, blind: false };
    let mut told = explanation(count, Policy::Objective(objective), proposal, &[]);
    (told.terms.up_delay, told.terms.down_delay, told.terms.to_zero_delay) = Default::default();
    told.signals.backlog = 7;
    told.signals.plan = Some(Plan {
        workers: want,
        because,
        forecast_millis: 6_249,
        headroom_millis: 14_050,
        queue_millis: 0,
        lead_millis: 31_000,
        completions,
    });
    text(&told)
}

#[test]
fn an_objective_says_what_it_expects_and_what_it_adds() {
    let share = Objective::share(Share::new(0.99).unwrap(), millis(100));
    let price = Objective::price(100, millis(100));
    let both = share.up_to(30);
    let expects = "6.2 busy slots expected in 31 s";
    for (objective, because, words) in [
        (share, Because::Headroom, " and 14.1 more for 99 % in time want 11"),
        (price, Because::Headroom, " and 14.1 more at 100 worker-seconds per late request want 11"),
        (share, Because::Reserve, " and a standing reserve of 14.1 for 99 % in time want 11"),
        (both, Because::Headroom, " and 14.1 more for 99 % in time want 11"),
        (
            both,
            Because::PriceCap,
            " and 14.1 more for 30 worker-seconds per late request, too little for 99 % in time, want 11",
        ),
        (share, Because::Peak, ", no more than the highest of late want 11"),
        (share, Because::Hold, " and 14.1 more for 99 % in time; 11 wanted within a cold start"),
        (share, Because::Lull, " and 14.1 more for 99 % in time; 11 wanted within a minute, and fewer only by chance"),
    ] {
        assert_eq!(planned(objective, 9, because, 11, LEARNED), alloc::format!("9 → 11: {expects}{words}"));
        let learning = alloc::format!("9 → 11: learning: 199 of 200 completions; {expects}{words}");
        assert_eq!(planned(objective, 9, because, 11, LEARNED - 1), learning);
    }
    let says = |count: u32, because: Because, want: u32| planned(share, count, because, want, LEARNED);
    assert_eq!(says(9, Because::Drain, 11), "9 → 11: 7 wait and would make later ones late; 11 work that off");
    assert_eq!(says(1, Because::LastWorker, 1), "1: the last worker stays for who may come soon");
    assert_eq!(says(1, Because::Prewarm, 2), "1 → 2: requests come again after such a silence: 2 ready for them");
    assert_eq!(says(1, Because::LastWorker, 0), "1 → 0: nobody came for longer than a worker is worth keeping");
}
