use std::vec;

use super::*;
use crate::observation::FailureCause;

const NOW: Timestamp = Timestamp::from_secs(100);

fn seen(events: &[(u64, WorkerEvent)]) -> Roster {
    let mut roster = Roster::default();
    for (id, event) in events {
        roster.observe(NOW, Observation::worker(WorkerId(*id), *event));
    }
    roster
}

#[test]
fn starting_workers_go_first_then_idle_then_busy_ones_by_draining() {
    use WorkerEvent::{Busy, Ordered, Ready};
    let events = [(0, Ordered), (0, Ready), (0, Busy(2)), (1, Ordered), (1, Ready), (2, Ordered), (3, Ordered)];
    let stop = |id| Command::Stop { id: WorkerId(id), to_standby: false, cut_off: false };
    let mut roster = seen(&events);
    assert_eq!((roster.starting, roster.ready, roster.busy), (2, 2, 2));
    #[cfg(feature = "peers")]
    assert_eq!(roster.ready_workers().collect::<Vec<_>>(), [(0, 2), (1, 0)]);
    // What is said twice, or too early, changes nothing.
    roster.observe(NOW, Observation::worker(WorkerId(0), Ready));
    roster.observe(NOW, Observation::worker(WorkerId(3), Busy(1)));
    assert_eq!((roster.starting, roster.ready, roster.busy), (2, 2, 2));
    let mut commands = vec![];
    roster.bring_to(NOW, 0, LEAST_USEFUL_FIRST, &mut commands);
    assert_eq!(commands, [stop(3), stop(2), stop(1), Command::Drain { id: WorkerId(0) }]);
    assert_eq!((roster.committed(), roster.busy), (0, 0));
    commands.clear();
    roster.bring_to(NOW, 0, LEAST_USEFUL_FIRST, &mut commands);
    assert_eq!(commands, []);
    // What a draining worker still does changes nothing.
    roster.observe(NOW, Observation::worker(WorkerId(0), Busy(1)));
    roster.bring_to(NOW, 2, LEAST_USEFUL_FIRST, &mut commands);
    assert_eq!(commands, [Command::Start { count: 2 }]);
    // What is on its way is not ordered again, what was refused is, after a while.
    roster.bring_to(NOW, 2, LEAST_USEFUL_FIRST, &mut commands);
    roster.observe(NOW, Observation::worker(WorkerId(4), Ordered));
    roster.bring_to(NOW, 2, LEAST_USEFUL_FIRST, &mut commands);
    assert_eq!(commands.len(), 1);
    roster.observe(NOW, Observation::StartFailed { count: 1, cause: FailureCause::Quota });
    roster.bring_to(NOW.saturating_add(Duration::from_secs(9)), 2, LEAST_USEFUL_FIRST, &mut commands);
    assert_eq!(commands.len(), 1);
    roster.bring_to(NOW.saturating_add(RETRY), 2, LEAST_USEFUL_FIRST, &mut commands);
    assert_eq!(commands[1..], [Command::Start { count: 1 }]);
}

/// Takes what it hears, but no queue of 13.
#[derive(Default)]
struct Listener {
    heard: Vec<Observation>,
    own_words: bool,
}

impl Controller for Listener {
    fn observe(&mut self, _: Timestamp, observation: Observation) -> bool {
        self.heard.push(observation);
        !matches!(observation, Observation::Queue { depth: 13, .. })
    }

    fn next_wakeup(&self) -> Option<Timestamp> {
        None
    }

    fn desired(&self) -> u32 {
        0
    }

    fn decide(&mut self, _: Timestamp, _: &mut Commands) -> Option<Decided> {
        None
    }

    fn minds_idle(&self) -> bool {
        self.own_words
    }

    fn may_wake(&self) -> bool {
        self.own_words
    }
}

#[test]
fn a_report_becomes_gauges_and_a_count() {
    use crate::observation::ObserverId;
    use crate::report::Reporter;

    let mut reporter = Reporter::new(ObserverId(1), 1, Duration::from_secs(1), Timestamp::ORIGIN);
    reporter.arrived(4);
    reporter.queue(2, None);
    reporter.in_flight(3);
    let report = reporter.report(Timestamp::from_secs(10));
    let mut boxed: Box<Listener> = Box::default();
    assert!(boxed.report(Timestamp::from_secs(10), &report));
    let count = Observation::Requests { count: 4, over: Duration::from_secs(10) };
    assert_eq!(boxed.heard, [Observation::queue(2, None), Observation::in_flight(3), count]);
    let too_many = Report { depth: Some(13), in_flight: None, ..report.clone() };
    assert!(!boxed.report(Timestamp::from_secs(20), &too_many), "one part was refused");
    let at_once = Report { over: Duration::ZERO, depth: None, in_flight: None, ..report };
    assert!(boxed.report(Timestamp::from_secs(20), &at_once));
    assert_eq!(boxed.heard.len(), 5, "a count over no time says nothing");
}

#[test]
fn who_stands_before_a_controller_passes_on_what_it_minds() {
    let told = |own_words| Listener { own_words, ..Listener::default() };
    for own_words in [true, false] {
        let boxed: Box<dyn Controller> = Box::new(told(own_words));
        assert_eq!((boxed.minds_idle(), boxed.may_wake()), (own_words, own_words));
        let clock = super::super::clock::Clock::new(told(own_words), &[]);
        assert_eq!(clock.may_wake(), own_words);
    }
    assert!(Plan::fixed(1).minds_idle() && !Plan::fixed(1).may_wake());
}

#[test]
fn a_plan_is_put_in_order_and_followed() {
    let mut plan = Plan::new(vec![(Timestamp::from_secs(9), 1), (Timestamp::from_secs(3), 4)]);
    assert_eq!((plan.desired(), plan.next_wakeup()), (0, Some(Timestamp::from_secs(3))));
    let mut commands = Commands::default();
    assert_eq!(plan.decide(Timestamp::from_secs(5), &mut commands), None);
    assert_eq!((plan.desired(), commands.0), (4, vec![(None, Command::Start { count: 4 })]));
    assert_eq!(plan.next_wakeup(), Some(Timestamp::from_secs(9)));
    plan.decide(Timestamp::from_secs(9), &mut Commands::default());
    assert_eq!((plan.desired(), plan.next_wakeup()), (1, None));
}

/// A plan that believes nothing.
struct Deaf(Plan);

impl Controller for Deaf {
    fn observe(&mut self, now: Timestamp, observation: Observation) -> bool {
        !self.0.observe(now, observation)
    }

    fn next_wakeup(&self) -> Option<Timestamp> {
        self.0.next_wakeup()
    }

    fn desired(&self) -> u32 {
        self.0.desired()
    }

    fn decide(&mut self, now: Timestamp, commands: &mut Commands) -> Option<Decided> {
        self.0.decide(now, commands)
    }
}

#[test]
fn what_a_controller_refuses_is_counted() {
    use crate::sim::{Options, Request, Service, Workload, simulate_with};

    let request = Request { arrival: Timestamp::from_secs(30), service: Duration::from_secs(1) };
    let workload = Workload::from_requests("one", vec![request]).unwrap();
    let service = Service { concurrency: 1, target: Duration::from_secs(1) };
    let refused = |deaf: bool| {
        let plan = Plan::fixed(1);
        let outcome = if deaf {
            simulate_with(&workload, service, Deaf(plan), &Options::default(), &mut ()).0
        } else {
            simulate_with(&workload, service, plan, &Options::default(), &mut ()).0
        };
        outcome.refused
    };
    assert_eq!(refused(false), 0);
    // Ordered, ready, and of the request that it arrived, started and finished, and what it made of the worker.
    assert!(refused(true) >= 5, "{}", refused(true));
}

#[test]
fn idle_workers_matter_until_there_are_as_many_as_there_should_be() {
    use WorkerEvent::{Gone, Idle, Ordered, Ready};
    let config = crate::config::Config::new(crate::policy::Policy::External, 1, 3).unwrap();
    let autoscaler = Autoscaler::new(config, NOW);
    let mut native = Native { autoscaler, sink: None };
    for observation in [Observation::arrived(1), Observation::started(Duration::ZERO)] {
        native.observe(NOW, observation);
    }
    assert!(native.minds_idle());
    for event in [Ordered, Ready, Idle] {
        native.observe(NOW, Observation::worker(WorkerId(0), event));
    }
    assert!(!native.minds_idle());
    native.observe(NOW, Observation::worker(WorkerId(0), Gone));
    assert!(native.minds_idle());
}
