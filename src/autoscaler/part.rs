//! An autoscaler as a part of something larger: what it is asked beside its decisions.

use core::time::Duration;

use super::Autoscaler;
use crate::decision::Explanation;
use crate::observation::{FailureCause, Mode, WorkerId};
use crate::placement;
use crate::pool::Census;
use crate::provider::Trouble;
use crate::time::Timestamp;

/// The workers that there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Staff {
    /// Starting and ready, orders under way included, departures under way not.
    pub(crate) committed: u32,
    /// Those of them that are ready.
    pub(crate) ready: u32,
    /// As observed, whatever they have been told.
    pub(crate) census: Census,
    /// Starting and ready as observed.
    pub(crate) in_service: u32,
    /// Those of them that have not been told to go.
    pub(crate) staying: u32,
    /// Called for and not seen yet.
    pub(crate) unseen: u32,
    /// On their way out or in standby, and quick to bring back.
    pub(crate) revivable: u32,
}

/// How many workers more can be ordered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Room {
    /// Up to the maximum.
    Open,
    /// One, as a probe, and why no more.
    One(Trouble),
    /// None for now, and why.
    None(Trouble),
}

impl Autoscaler {
    /// Lives up to `now`, and gives no commands.
    pub(crate) fn live(&mut self, now: Timestamp) {
        let now = now.max(self.state.now);
        self.advance(now);
        if self.state.last.at < now || self.calm.counted {
            self.evaluate(now);
        }
    }

    /// When anything next changes by time alone, commands aside.
    pub(crate) fn next_change_by_time(&self) -> Option<Timestamp> {
        self.change_after(self.state.now)
    }

    /// How the count stands.
    pub(crate) fn explanation(&self) -> Explanation {
        self.explain(&self.state.last)
    }

    /// The operator's mode.
    pub(crate) fn mode(&self) -> Mode {
        self.state.operator.mode(self.state.now)
    }

    pub(crate) fn staff(&self) -> Staff {
        let (pool, now) = (&self.state.pool, self.state.now);
        let census = pool.census();
        let staying = pool.in_service().saturating_sub(pool.releases(now));
        let ready = if pool.by_id() {
            pool.staying()
        } else {
            // What is let go by count is taken to be of those that start, as it is by id.
            census.ready.min(staying)
        };
        Staff {
            committed: pool.committed(now),
            ready,
            census,
            in_service: pool.in_service(),
            staying,
            unseen: pool.unseen(now),
            revivable: census
                .ready
                .saturating_sub(ready)
                .saturating_add(census.draining)
                .saturating_add(census.standby),
        }
    }

    /// Whether a worker is known.
    pub(crate) fn knows(&self, id: WorkerId) -> bool {
        self.state.pool.worker(id).is_some()
    }

    /// Workers that have failed.
    pub(crate) const fn failures(&self) -> u64 {
        self.state.pool.failed
    }

    /// The mean of the cold starts that were measured, if there were any.
    pub(crate) fn mean_cold_start(&self) -> Option<Duration> {
        self.state.pool.cold_starts.mean()
    }

    /// Whether more can be ordered.
    pub(crate) fn room(&self) -> Room {
        let (provider, now) = (&self.state.provider, self.state.now);
        match provider.trouble(now) {
            None => Room::Open,
            // Only as a probe.
            Some(trouble) => {
                let patience = placement::patience(&self.state.pool, &self.config);
                if provider.allows(now, 1, patience) > 0 { Room::One(trouble) } else { Room::None(trouble) }
            }
        }
    }

    /// The provider took a worker back that was ready: it is taken at its word that it has none to give for a while. How
    /// many of those that are ordered come is another matter.
    pub(crate) fn preempted(&mut self) {
        self.asked.forget();
        self.state.provider.failed(self.state.now, 0, FailureCause::Preempted, &self.config);
    }
}
