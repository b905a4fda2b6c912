//! A controller that follows a plan and keeps what it is told.

use std::vec::Vec;

use crate::decision::Command;
use crate::observation::Observation;
use crate::sim::{Commands, Controller, Decided, Plan};
use crate::time::Timestamp;

/// Keeps a plan, and everything that it is told.
pub(in crate::sim) struct Heard {
    pub(in crate::sim) plan: Plan,
    pub(in crate::sim) told: Vec<(u64, Observation)>,
    /// Commands to be given at an instant, in seconds.
    pub(in crate::sim) orders: Vec<(u64, Command)>,
}

impl Heard {
    pub(in crate::sim) fn new(plan: Plan) -> Self {
        Self { plan, told: Vec::new(), orders: Vec::new() }
    }
}

impl Controller for Heard {
    fn observe(&mut self, now: Timestamp, observation: Observation) -> bool {
        self.told.push((now.as_nanos() / 1_000_000_000, observation));
        self.plan.observe(now, observation)
    }

    fn next_wakeup(&self) -> Option<Timestamp> {
        let order = self.orders.first().map(|(at, _)| Timestamp::from_secs(*at));
        self.plan.next_wakeup().into_iter().chain(order).min()
    }

    fn desired(&self) -> u32 {
        self.plan.desired()
    }

    fn decide(&mut self, now: Timestamp, commands: &mut Commands) -> Option<Decided> {
        while self.orders.first().is_some_and(|(at, _)| Timestamp::from_secs(*at) <= now) {
            commands.push(self.orders.remove(0).1);
        }
        self.plan.decide(now, commands)
    }
}
