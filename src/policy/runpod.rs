//! Queue delay and request count: RunPod's two scaling types.
//!
//! - **Queue delay** (`d`, 4 s): when a request has waited longer than `d`, one worker more than are ready. It is one
//!   more than *ready*, so nothing further is ordered until it has started; if requests still wait then, the next one
//!   follows. Requests that the free slots of ready workers could take call for no other worker. Shrinks to the workers
//!   that the requests in the system occupy.
//! - **Request count** (`v`): `⌈(queued + in flight) / v⌉`, both ways.
//!
//! RunPod's idle timeout decides when a worker that is no longer wanted goes; see the configuration's `idle_timeout`.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Because, Inputs, Proposal, Source, Steady};
use crate::time::{nanos, span};
use crate::units::div_ceil_count;

/// What makes the pool grow.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum RunPodScaling {
    /// A request has waited longer than this.
    #[serde(with = "span")]
    QueueDelay(Duration),
    /// So many requests in the system per worker; at least one.
    RequestCount(u32),
}

/// Scale on the queue, as RunPod does.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct RunPod {
    /// The scaling type and its value.
    pub scaling: RunPodScaling,
}

impl RunPod {
    /// RunPod's default: a request has waited longer than four seconds.
    pub const DEFAULT_QUEUE_DELAY: Duration = Duration::from_secs(4);

    /// Queue-delay scaling.
    #[must_use]
    pub const fn queue_delay(delay: Duration) -> Self {
        Self { scaling: RunPodScaling::QueueDelay(delay) }
    }

    /// Request-count scaling.
    #[must_use]
    pub const fn request_count(requests_per_worker: u32) -> Self {
        Self { scaling: RunPodScaling::RequestCount(requests_per_worker) }
    }

    pub(super) fn propose(self, inputs: &Inputs) -> Proposal {
        let (requests, known) = inputs.in_system();
        if inputs.quiet && known {
            return Proposal::exactly(Source::RunPod, Because::Quiet, 0);
        }
        let (want, keep, because) = match self.scaling {
            RunPodScaling::QueueDelay(delay) if is_late(nanos(delay), inputs) => {
                (inputs.ready.saturating_add(1), u32::MAX, Because::QueueDelay)
            }
            scaling => {
                let (want, keep) = self.counts(requests, inputs.concurrency);
                let because = match scaling {
                    RunPodScaling::QueueDelay(_) => Because::QueueWithinDelay,
                    RunPodScaling::RequestCount(_) => Because::RequestCount,
                };
                (want, keep, because)
            }
        };
        if known {
            return Proposal { source: Source::RunPod, want, keep, because, blind: false };
        }
        let because = if because == Because::QueueDelay { because } else { Because::Missing };
        Proposal { want, ..Proposal::blind(Source::RunPod, because) }
    }

    /// What so many requests in the system ask for at the least, and down to which count they agree to shrink, while none of
    /// them has waited too long.
    pub(super) fn counts(self, requests: u64, concurrency: u32) -> (u32, u32) {
        let keep = div_ceil_count(requests, u64::from(self.backlog_per_worker(concurrency)));
        match self.scaling {
            RunPodScaling::QueueDelay(_) => (u32::from(requests > 0), keep),
            RunPodScaling::RequestCount(_) => (keep, keep),
        }
    }

    /// While the requests in the system occupy as many workers; how many they are does not matter while one has waited too
    /// long.
    pub(super) fn steady(self, inputs: &Inputs) -> Option<Steady> {
        if matches!(self.scaling, RunPodScaling::QueueDelay(delay) if is_late(nanos(delay), inputs)) {
            return Some(Steady::ANYWHERE);
        }
        self.steady_at(inputs.in_system().0, inputs.concurrency)
    }

    pub(super) fn steady_at(self, requests: u64, concurrency: u32) -> Option<Steady> {
        let per_worker = u64::from(self.backlog_per_worker(concurrency)).max(1);
        let most = requests.div_ceil(per_worker).checked_mul(per_worker)?;
        let least = if most == 0 { 0 } else { most.saturating_sub(per_worker).saturating_add(1) };
        Some(Steady { requests: (least, most), ..Steady::ANYWHERE })
    }

    pub(super) const fn backlog_per_worker(self, concurrency: u32) -> u32 {
        match self.scaling {
            RunPodScaling::QueueDelay(_) => concurrency,
            RunPodScaling::RequestCount(per_worker) => per_worker,
        }
    }

    /// The age at which a waiting request has waited too long.
    pub(super) const fn overdue_age(self) -> Option<u64> {
        match self.scaling {
            RunPodScaling::QueueDelay(delay) => Some(nanos(delay).saturating_add(1)),
            RunPodScaling::RequestCount(_) => None,
        }
    }
}

/// Whether a request has waited for longer, and nobody is free to take it.
fn is_late(delay: u64, inputs: &Inputs) -> bool {
    let longest = inputs.oldest_age.max(inputs.last_wait);
    inputs.backlog > inputs.free_slots && longest.is_some_and(|wait| wait > delay)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn inputs(depth: u64, in_flight: u64, oldest: Option<u64>) -> Inputs {
        Inputs {
            ready: 2,
            concurrency: 1,
            depth: Some(depth),
            backlog: depth,
            in_flight: Some(in_flight),
            oldest_age: oldest,
            ..Inputs::default()
        }
    }

    #[test]
    fn request_count_divides_what_is_in_the_system() {
        let propose = |inputs| RunPod::request_count(4).propose(&inputs);
        for (queued, in_flight, count) in [(0, 0, 0), (0, 1, 1), (3, 1, 1), (4, 1, 2), (100, 4, 26)] {
            let proposal = propose(inputs(queued, in_flight, None));
            assert_eq!((proposal.want, proposal.keep, proposal.blind), (count, count, false));
        }
        let unknown = propose(Inputs { in_flight: None, ..inputs(8, 0, None) });
        assert_eq!((unknown.want, unknown.keep, unknown.blind), (2, u32::MAX, true));
    }

    #[test]
    fn queue_delay_adds_one_to_the_ready_when_a_request_has_waited_longer() {
        let propose = |inputs| RunPod::queue_delay(RunPod::DEFAULT_QUEUE_DELAY).propose(&inputs);
        let waiting = propose(inputs(3, 2, Some(4 * SECOND)));
        assert_eq!((waiting.want, waiting.keep, waiting.because), (1, 5, Because::QueueWithinDelay));
        let overdue = propose(inputs(3, 2, Some(4 * SECOND + 1)));
        assert_eq!((overdue.want, overdue.keep, overdue.because), (3, u32::MAX, Because::QueueDelay));
        let behind = propose(Inputs { last_wait: Some(9 * SECOND), ..inputs(3, 2, Some(0)) });
        assert_eq!(behind.want, 3, "those behind a request that waited too long wait too long");
        assert_eq!(propose(inputs(0, 0, None)).want, 0);
        let free = propose(Inputs { free_slots: 3, ..inputs(3, 0, Some(9 * SECOND)) });
        assert_eq!((free.want, free.because), (1, Because::QueueWithinDelay), "three slots are free for the three");
    }

    #[test]
    fn it_says_up_to_where_its_count_stands() {
        // Seven requests of three each are three workers, and so are nine.
        let three = RunPod::request_count(3).steady(&inputs(4, 3, None));
        assert_eq!(three, Some(Steady { requests: (7, 9), ..Steady::ANYWHERE }));
        let none = RunPod::request_count(3).steady(&inputs(0, 0, None));
        assert_eq!(none, Some(Steady { requests: (0, 0), ..Steady::ANYWHERE }));
        let delay = RunPod::queue_delay(Duration::from_secs(4));
        assert_eq!(delay.steady(&inputs(1, 4, None)), Some(Steady { requests: (5, 5), ..Steady::ANYWHERE }));
        // Who left last waited too long, and others wait behind: one more than are ready, however many there are.
        let late = Inputs { last_wait: Some(4 * SECOND + 1), ..inputs(1, 4, None) };
        assert_eq!(delay.steady(&late), Some(Steady::ANYWHERE));
        assert_eq!((delay.overdue_age(), RunPod::request_count(3).overdue_age()), (Some(4 * SECOND + 1), None));
    }
}
