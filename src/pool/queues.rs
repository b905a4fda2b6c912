//! Queues of single workers: how deep they are together, which request in them is the oldest, and whose stands out.

use alloc::vec::Vec;

use super::{Pool, Worker};
use crate::observation::WorkerId;
use crate::time::{Timestamp, Waiting};

impl Pool {
    /// Requests joined (positive) or left the queue of worker `id`.
    pub(crate) fn replica_arrived(&mut self, now: Timestamp, id: WorkerId, count: u32) {
        self.with_queue(id, |worker| {
            worker.queue_depth = worker.queue_depth.saturating_add(count);
            if worker.queue_depth > 0 && worker.oldest.is_none() {
                worker.oldest = Some(Waiting::new(now, 0));
            }
        });
    }

    /// False if none was known to wait there.
    pub(crate) fn replica_left(&mut self, now: Timestamp, id: WorkerId, wait: u64) -> bool {
        let mut expected = true;
        self.with_queue(id, |worker| {
            expected = worker.queue_depth > 0;
            worker.queue_depth = worker.queue_depth.saturating_sub(1);
            worker.oldest = (worker.queue_depth > 0).then_some(Waiting::new(now, 0));
            let mean = worker.sojourn.unwrap_or(wait);
            // Moving average with weight 1/8, in integers.
            worker.sojourn = Some(mean.saturating_sub(mean / 8).saturating_add(wait / 8));
        });
        expected
    }

    pub(crate) fn replica_gauge(&mut self, now: Timestamp, id: WorkerId, depth: u32, oldest_age: Option<u64>) {
        self.with_queue(id, |worker| {
            worker.queue_depth = depth;
            let oldest = oldest_age.map(|age| Waiting::new(now, age)).or(worker.oldest);
            worker.oldest = (depth > 0).then_some(oldest.unwrap_or(Waiting::new(now, 0)));
        });
    }

    fn with_queue(&mut self, id: WorkerId, change: impl FnOnce(&mut Worker)) {
        let Some(at) = self.workers.find(id) else { return };
        let Some(mut worker) = self.workers.get(at).copied() else { return };
        let before = worker.queue_depth;
        change(&mut worker);
        let (after, oldest) = (worker.queue_depth, worker.oldest);
        self.workers.put(at, worker);
        self.replica_queues = true;
        self.replica_depth = self.replica_depth.saturating_sub(u64::from(before)).saturating_add(u64::from(after));
        self.note_oldest(id, oldest);
    }

    pub(super) fn forget_queue(&mut self, worker: &Worker) {
        self.replica_depth = self.replica_depth.saturating_sub(u64::from(worker.queue_depth));
        self.note_oldest(worker.id, None);
    }

    /// Keeps the oldest wait of all single queues; finds it anew only when its owner's wait has changed.
    fn note_oldest(&mut self, id: WorkerId, oldest: Option<Waiting>) {
        self.replica_oldest = match (self.replica_oldest, oldest) {
            (Some((_, owner)), _) if owner == id => self.workers.longest_wait(),
            (Some(known), Some(oldest)) if known.0.longer(oldest) == known.0 => Some(known),
            (_, Some(oldest)) => Some((oldest, id)),
            (known, None) => known,
        };
    }

    pub(crate) fn replica_depth(&self) -> Option<u64> {
        self.replica_queues.then_some(self.replica_depth)
    }

    /// Workers whose own queue stands out: sojourn above `target` and twice the service's mean.
    pub(crate) fn standing_out(&self, mean: Option<u64>, target: u64) -> Vec<WorkerId> {
        let Some(mean) = mean else { return Vec::new() };
        let stands_out = |worker: &&Worker| {
            worker.sojourn.is_some_and(|sojourn| sojourn > target && sojourn >= mean.saturating_mul(2))
        };
        self.workers.iter().filter(stands_out).map(|worker| worker.id).collect()
    }

    pub(crate) fn replica_oldest(&self) -> Option<Waiting> {
        self.replica_oldest.map(|(oldest, _)| oldest)
    }
}
