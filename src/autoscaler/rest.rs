//! An autoscaler at rest: nothing to do, nothing to wait for, and little to remember.

use alloc::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Autoscaler;
use super::calm::Calm;
use super::changed::Asked;
use super::state::State;
use crate::config::Config;
use crate::observation::Mode;
use crate::time::Timestamp;

/// What is kept of an autoscaler: everything but its configuration. Of one at rest nor the events before the last, and instants
/// that nothing will ask for any more.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Kept(State);

impl Kept {
    /// The latest instant that it knows.
    pub(crate) const fn now(&self) -> Timestamp {
        self.0.now
    }

    /// With what is not written down made good; `None` if it cannot be what an autoscaler of this configuration keeps.
    pub(crate) fn revived(mut self, config: &Config) -> Option<Self> {
        self.0.restore(config).ok().map(|()| self)
    }
}

impl Autoscaler {
    /// Whether no worker is there or wanted, nothing waits, nobody has ordered anything, and nothing would change by time
    /// alone: so the windows are empty and no wait is running.
    pub(crate) fn is_at_rest(&self) -> bool {
        let (now, state) = (self.state.now, &self.state);
        let empty = state.count == 0 && state.pool.committed(now) == 0 && state.pool.workers().is_empty();
        empty && state.operator.mode(now) == Mode::Automatic && self.next_wakeup().is_none()
    }

    /// What is kept of it at rest.
    pub(crate) fn keep(&self) -> Kept {
        let mut state = self.settled().into_owned();
        state.events.slim();
        state.estimators.forget_what_is_over();
        state.pool.forget_what_is_over();
        Kept(state)
    }

    /// Everything but its configuration.
    pub(crate) fn fold(&self) -> Kept {
        Kept(self.settled().into_owned())
    }

    /// The autoscaler of which this was kept.
    pub(crate) fn from_kept(config: Arc<Config>, kept: Kept) -> Option<Self> {
        let state = kept.revived(&config)?.0;
        let wanted = state.last.stages.wanted();
        Some(Self { config, state, calm: Calm::default(), asked: Asked::default(), wanted })
    }

    /// The same with a configuration that it shares, if it is equal.
    pub(crate) fn sharing(mut self, config: &Arc<Config>) -> Option<Self> {
        let same = self.config == *config;
        self.config = Arc::clone(config);
        same.then_some(self)
    }

    /// Whether what was observed last was only counted: it calls for no decision.
    pub(crate) const fn has_only_counted(&self) -> bool {
        self.calm.counted
    }
}

#[cfg(test)]
mod tests;
