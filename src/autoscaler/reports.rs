//! Reports of observers, taken in so that their order does not matter: those of one instant are one change.
//!
//! The count has a history, so two reports that are evaluated one after the other could lead elsewhere than in the other
//! order. So what an evaluation changes is kept as it was when an instant's first report came, and every further report of
//! that instant is evaluated from there.

use serde::{Deserialize, Serialize};

use super::Autoscaler;
use super::state::Evaluation;
use crate::decision::Explanation;
use crate::guard::Guards;
use crate::observation::Rejected;
use crate::pool::Outstanding;
use crate::report::Report;
use crate::signal::News;
use crate::time::Timestamp;

/// What an autoscaler keeps once it has been sent a report.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub(super) struct Reported {
    /// Everything that an evaluation changes, before the first report of the present instant.
    opening: Option<Opening>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
struct Opening {
    count: u32,
    guards: Guards,
    last: Evaluation,
    expected: Outstanding,
    over_target_since: Option<Timestamp>,
    /// What the evaluation since then did to the event log.
    pushed: bool,
    forgot: Option<Explanation>,
}

impl Reported {
    /// Whether this can be it: what comes from a snapshot may be anything.
    pub(super) fn is_sound(&self, now: Timestamp) -> bool {
        self.opening.as_ref().is_none_or(|opening| {
            opening.guards.is_sound() && opening.last.desired == opening.count && opening.last.at <= now
        })
    }
}

impl Autoscaler {
    /// Takes in what one observer counted over a span of time. Like an observation it is cheap and never a decision by
    /// itself. Reports may come late, doubled, and in any order, see [`report`](crate::report): those that are given at one
    /// instant lead to the same state in whatever order they come (but for what a full event log has dropped meanwhile).
    ///
    /// # Errors
    /// If the report makes no sense, comes too late, or there are too many observers; then nothing has changed but the
    /// count of refusals in the [status](Self::status).
    pub fn report(&mut self, now: Timestamp, report: &Report) -> Result<(), Rejected> {
        let news = match self.state.estimators.accepts(now.max(self.state.now), report, &self.config) {
            Ok(news) => news,
            Err(rejected) => {
                self.state.input.rejected = self.state.input.rejected.saturating_add(1);
                return Err(rejected);
            }
        };
        let now = self.clamp(now);
        self.settle();
        self.advance(now);
        if news == News::Doubled {
            self.state.input.doubled = self.state.input.doubled.saturating_add(1);
            return Ok(());
        }
        self.state.input.accepted = self.state.input.accepted.saturating_add(1);
        self.state.sequence = self.state.sequence.saturating_add(1);
        if !self.rewind() {
            self.open();
        }
        self.state.estimators.take(now, report, &self.config);
        self.evaluate(now);
        Ok(())
    }

    /// Keeps what the evaluation of an instant's first report will change.
    fn open(&mut self) {
        let opening = Opening {
            count: self.state.count,
            guards: self.state.guards.clone(),
            last: self.state.last,
            expected: self.state.pool.expected(),
            over_target_since: self.state.estimators.over_target_since(),
            pushed: false,
            forgot: None,
        };
        self.state.reported.get_or_insert_default().opening = Some(opening);
    }

    /// Back to where the present instant's reports began, if it has any.
    pub(super) fn rewind(&mut self) -> bool {
        let Some(opening) = self.state.reported.as_mut().and_then(|reported| reported.opening.as_mut()) else {
            return false;
        };
        self.state.count = opening.count;
        self.state.guards.clone_from(&opening.guards);
        self.state.last = opening.last;
        self.state.pool.set_expected(opening.expected);
        self.state.estimators.set_over_target_since(opening.over_target_since);
        if core::mem::take(&mut opening.pushed) {
            self.state.events.forget_last();
        }
        if let Some(event) = opening.forgot.take() {
            self.state.events.push(&event);
        }
        true
    }

    /// Something else happens: what the instant's reports have led to stays.
    pub(super) fn close_reports(&mut self) {
        if let Some(reported) = &mut self.state.reported {
            reported.opening = None;
        }
    }

    /// The evaluation of a report changes the event log.
    pub(super) fn note_event(&mut self, forgot: Option<&Explanation>, pushed: bool) {
        if let Some(opening) = self.state.reported.as_mut().and_then(|reported| reported.opening.as_mut()) {
            (opening.forgot, opening.pushed) = (forgot.copied(), pushed);
        }
    }
}
