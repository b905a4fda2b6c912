//! Queues of single workers.

use std::collections::BTreeMap;

use plimsoll::{Observation, WorkerEvent, WorkerId};

use crate::signals::{Nanos, nanos};

#[derive(Default)]
pub struct Queues {
    queues: BTreeMap<WorkerId, Queue>,
    /// Whether any was ever spoken of.
    known: bool,
}

#[derive(Default)]
struct Queue {
    depth: u64,
    /// How long the first had waited, and when.
    oldest: Option<(Nanos, Nanos)>,
}

impl Queues {
    /// Takes in what concerns the queue of a single worker, which goes with it. False if it is about another.
    pub fn take(&mut self, now: Nanos, what: &Observation) -> bool {
        if let Observation::Worker { id, event: WorkerEvent::Gone | WorkerEvent::Failed(_) } = what {
            self.queues.remove(id);
        }
        let (Observation::Arrived { queue: Some(id), .. }
        | Observation::Started { queue: Some(id), .. }
        | Observation::Abandoned { queue: Some(id), .. }
        | Observation::Queue { queue: Some(id), .. }) = what
        else {
            return false;
        };
        self.known = true;
        let queue = self.queues.entry(*id).or_default();
        match *what {
            Observation::Arrived { count, .. } => queue.depth += u64::from(count),
            Observation::Queue { depth, oldest_age, .. } => {
                queue.depth = u64::from(depth);
                queue.oldest = oldest_age.map(|age| (now, nanos(age))).or(queue.oldest);
            }
            // Those behind the one that leaves have waited since now at least.
            _ => (queue.depth, queue.oldest) = (queue.depth.saturating_sub(1), None),
        }
        queue.oldest = (queue.depth > 0).then(|| queue.oldest.unwrap_or((now, 0)));
        true
    }

    /// Requests that wait in all of them.
    pub fn depth(&self) -> Option<u64> {
        self.known.then(|| self.queues.values().map(|queue| queue.depth).sum())
    }

    /// How long the first of all has waited.
    pub fn age(&self, now: Nanos) -> Option<Nanos> {
        self.queues.values().filter_map(|queue| queue.oldest).map(|(at, age)| age + (now - at)).max()
    }
}
