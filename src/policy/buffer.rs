//! Idle workers above those that the requests in the system occupy: `⌈requests / concurrency⌉ + buffer`.

use serde::{Deserialize, Serialize};

use super::{Because, Inputs, Proposal, Source, Steady};
use crate::units::{MICRO, div_ceil_count, percent_of};

/// Idle workers above those that the requests in the system occupy, as Modal's `buffer_containers`.
///
/// Three knobs keep capacity that nobody uses yet. `min` is a floor under the whole pool. `standby` workers are stopped
/// and loaded: they cost less and answer later. The buffer runs and rides on top of demand.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Buffer {
    /// So many workers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workers: Option<u32>,
    /// So many percent of the occupied ones, rounded up; with both, the larger.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent: Option<u32>,
    /// Also while there is no request; the pool then never goes to zero. Otherwise only while it is active.
    pub always: bool,
}

impl Buffer {
    /// So many workers, while the service is active.
    #[must_use]
    pub const fn workers(workers: u32) -> Self {
        Self { workers: Some(workers), percent: None, always: false }
    }

    /// So many percent of the occupied workers, while the service is active.
    #[must_use]
    pub const fn percent(percent: u32) -> Self {
        Self { workers: None, percent: Some(percent), always: false }
    }

    /// Also while there is no request.
    #[must_use]
    pub const fn always(mut self) -> Self {
        self.always = true;
        self
    }

    /// How many idle workers go with so many occupied ones.
    pub(crate) fn above(&self, occupied: u32) -> u32 {
        if occupied == 0 && !self.always {
            return 0;
        }
        self.workers.max(self.percent.map(|percent| percent_of(occupied, percent))).unwrap_or(0)
    }

    pub(crate) fn steady(inputs: &Inputs) -> Option<Steady> {
        Steady::of_requests(inputs.in_system().0, u64::from(inputs.concurrency).saturating_mul(MICRO))
    }

    pub(crate) fn propose(&self, inputs: &Inputs) -> Proposal {
        let (requests, known) = inputs.in_system();
        let occupied = div_ceil_count(requests, u64::from(inputs.concurrency));
        let count = occupied.saturating_add(self.above(occupied));
        if known {
            Proposal::exactly(Source::Buffer, Because::Buffer, count)
        } else {
            Proposal { want: count, ..Proposal::blind(Source::Buffer, Because::Missing) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(buffer: Buffer, requests: u64) -> u32 {
        let inputs = Inputs { depth: Some(0), in_flight: Some(requests), concurrency: 2, ..Inputs::default() };
        let proposal = buffer.propose(&inputs);
        assert_eq!((proposal.want, proposal.blind), (proposal.keep, false));
        proposal.want
    }

    #[test]
    fn the_buffer_rides_on_the_occupied_workers() {
        assert_eq!([0, 1, 7].map(|requests| count(Buffer::workers(2), requests)), [0, 3, 6]);
        assert_eq!([0, 7].map(|requests| count(Buffer::workers(2).always(), requests)), [2, 6]);
        assert_eq!([2, 41].map(|requests| count(Buffer::percent(10), requests)), [2, 24]);
        let both = Buffer { percent: Some(50), ..Buffer::workers(3) };
        assert_eq!([2, 20].map(|requests| count(both, requests)), [4, 15]);
    }

    #[test]
    fn what_is_missing_is_not_zero() {
        let inputs = Inputs { depth: Some(4), concurrency: 1, ..Inputs::default() };
        let proposal = Buffer::workers(1).propose(&inputs);
        assert_eq!((proposal.want, proposal.keep, proposal.blind), (5, u32::MAX, true));
    }

    #[test]
    fn it_stands_while_as_many_workers_are_occupied() {
        let inputs = Inputs { depth: Some(0), in_flight: Some(7), concurrency: 2, ..Inputs::default() };
        assert_eq!(Buffer::steady(&inputs).map(|steady| steady.requests), Some((7, 8)));
    }
}
