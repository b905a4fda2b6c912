//! Advice to the router: in which order to fill workers.

use super::Autoscaler;
use crate::observation::WorkerId;
use crate::pool::{State, Worker};

impl Autoscaler {
    /// The workers that may take requests, in the order in which to fill them: send each request to the first that has a
    /// free slot.
    ///
    /// So idle workers gather at the end of the list, stay idle and can be stopped. A router that spreads requests evenly
    /// keeps every worker a little busy: an idle timeout then hardly ever ends, and a stop is a drain. (Gandhi,
    /// Harchol-Balter, Raghunathan and Kozuch, "`AutoScale`", 2012, pack for the same reason.)
    ///
    /// The order is that of the ids, which is stable; workers that drain or were told to go are not in it. It is empty for
    /// platforms that report counts.
    pub fn routing_order(&self) -> impl Iterator<Item = WorkerId> + '_ {
        let takes = |worker: &&Worker| {
            let ready = matches!(worker.state, State::Unknown | State::Idle | State::Busy(_) | State::Leased(_));
            ready && worker.pending.is_none()
        };
        self.state.pool.workers().iter().filter(takes).map(|worker| worker.id)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;
    use core::time::Duration;

    use super::*;
    use crate::config::Config;
    use crate::decision::Command;
    use crate::observation::{Mode, Observation, WorkerEvent};
    use crate::policy::Policy;
    use crate::time::Timestamp;

    #[test]
    fn only_workers_that_may_take_requests_are_in_the_order_of_their_ids() {
        let config = Config::new(Policy::Fixed(4), 0, 9).unwrap().with_idle_timeout(Duration::ZERO).unwrap();
        let mut autoscaler = Autoscaler::new(config, Timestamp::ORIGIN);
        let now = Timestamp::from_secs(1);
        let ready = [3, 4, 6, 7, 9].map(|id| (id, WorkerEvent::Ready));
        let then = [
            (3, WorkerEvent::Busy(2)),
            (4, WorkerEvent::Draining),
            (5, WorkerEvent::Ordered),
            (6, WorkerEvent::Leased(Duration::from_secs(9))),
            (9, WorkerEvent::Idle),
        ];
        for (id, event) in ready.into_iter().chain(then) {
            autoscaler.observe(now, Observation::worker(WorkerId(id), event)).unwrap();
        }
        let order = |autoscaler: &Autoscaler| autoscaler.routing_order().map(|id| id.0).collect::<Vec<_>>();
        assert_eq!(order(&autoscaler), [3, 6, 7, 9]);
        for event in [WorkerEvent::Ready, WorkerEvent::Idle] {
            autoscaler.observe(now, Observation::worker(WorkerId(5), event)).unwrap();
        }
        let mode = Observation::Mode { mode: Mode::Fixed(3), valid_for: None };
        autoscaler.observe(now, mode).unwrap();
        let commands = autoscaler.decide(now).commands;
        let stopped: Vec<_> = commands
            .iter()
            .filter_map(|command| if let Command::Stop { id, .. } = command { Some(id.0) } else { None })
            .collect();
        assert!(!stopped.is_empty() && stopped.iter().all(|id| [5, 9].contains(id)), "{commands:?}");
        assert!(order(&autoscaler).iter().all(|id| !stopped.contains(id)), "who was told to go takes no more");
    }
}
