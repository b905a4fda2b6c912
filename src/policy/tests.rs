use alloc::string::ToString;

use super::*;

#[test]
fn codes_are_the_names_in_the_log() {
    for because in [
        Because::Fixed,
        Because::Proposed,
        Because::NoProposal,
        Because::RateAboveTarget,
        Because::Overloaded,
        Because::RateWithinTarget,
        Because::SojournCalm,
        Because::RateWellBelow,
        Because::SojournNotMinimal,
        Because::QueueDelay,
        Because::QueueWithinDelay,
        Because::RequestCount,
        Because::Quiet,
        Because::Buffer,
        Because::Missing,
    ] {
        assert_eq!(serde_json::to_value(because).unwrap(), because.code());
        assert_eq!(because.to_string(), because.code());
    }
}

#[test]
fn a_policy_is_named_as_in_a_file() {
    let rate = Rate::per_second(2.5).unwrap();
    for (policy, name) in [
        (Policy::Fixed(3), "fixed"),
        (Policy::Outpost(Outpost::new(rate)), "outpost"),
        (Policy::RunPod(RunPod::request_count(4)), "runpod"),
        (Policy::Concurrency(ConcurrencyTarget::new(0.7).unwrap()), "concurrency"),
        (Policy::External, "external"),
    ] {
        assert_eq!(policy.name(), name);
        assert!(serde_json::to_string(&policy).unwrap().contains(name));
    }
}

/// What one worker that is started from zero is meant to answer.
#[test]
fn each_policy_says_how_much_of_a_backlog_one_worker_takes() {
    let per_worker = |policy: Policy| policy.backlog_per_worker(3);
    assert_eq!((per_worker(Policy::Fixed(9)), per_worker(Policy::External)), (3, 3));
    assert_eq!(per_worker(Policy::RunPod(RunPod::request_count(5))), 5);
    assert_eq!(per_worker(Policy::RunPod(RunPod::queue_delay(RunPod::DEFAULT_QUEUE_DELAY))), 3);
    let outpost = |rate| Policy::Outpost(Outpost::new(Rate::per_second(rate).unwrap()));
    assert_eq!((per_worker(outpost(7.5)), per_worker(outpost(0.5))), (8, 3), "a second's worth, or all its slots");
    let concurrency = |target| Policy::Concurrency(ConcurrencyTarget::new(target).unwrap());
    assert_eq!((per_worker(concurrency(6.9)), per_worker(concurrency(0.7))), (6, 1));
}

#[test]
fn an_objective_that_does_not_see_all_requests_wants_its_plan_and_lets_nobody_go() {
    let plan = Plan {
        workers: 3,
        because: Because::Headroom,
        forecast_millis: 2_000,
        headroom_millis: 1_000,
        queue_millis: 0,
        lead_millis: 30_000,
        completions: LEARNED,
    };
    let objective = Policy::Objective(Objective::price(100, core::time::Duration::ZERO));
    let planned = Inputs { plan: Some(plan), depth: Some(0), ..Inputs::default() };
    let proposal = objective.propose(&planned);
    assert_eq!((proposal.want, proposal.keep, proposal.because), (3, u32::MAX, Because::Missing));
    let requests = |in_flight: u64| {
        let inputs = Inputs { in_flight: Some(in_flight), ..planned };
        let proposal = objective.propose(&inputs);
        assert_eq!((proposal.want, proposal.keep, proposal.because), (3, 3, Because::Headroom));
        objective.steady(&inputs, &proposal).map(|steady| (steady.rate, steady.requests))
    };
    assert_eq!(requests(0), Some((u64::MAX, (0, 0))), "the first to come is answered at once");
    assert_eq!(requests(7), Some((u64::MAX, (1, u64::MAX))), "of others the ticks take note");
}
