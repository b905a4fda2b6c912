//! A clock that is set: what the controller takes for the present.

use core::time::Duration;
use std::vec::Vec;

use serde::{Deserialize, Serialize};

use super::commands::{Commands, Decided};
use super::controller::Controller;
use crate::classes::ClassId;
use crate::observation::Observation;
use crate::report::Report;
use crate::time::{Timestamp, span};

/// The clock by which the controller is driven is set: by so many seconds, forward or back. Requests and workers take no
/// notice.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "when and by how much is all there is to it")]
pub struct ClockStep {
    /// When, measured from the start of the run.
    #[serde(with = "span")]
    pub at: Duration,
    /// By how many seconds; less than zero is back.
    pub by_seconds: i64,
}

/// Drives a controller by a clock that is set now and then.
#[derive(Debug)]
pub(super) struct Clock<C> {
    inner: C,
    /// When, and the sum of all steps up to then in nanoseconds.
    steps: Vec<(Timestamp, i64)>,
    /// The present, as it is.
    now: Timestamp,
}

impl<C> Clock<C> {
    pub(super) fn new(inner: C, steps: &[ClockStep]) -> Self {
        let mut sorted: Vec<_> = steps.iter().map(|step| (Timestamp::from_elapsed(step.at), step.by_seconds)).collect();
        sorted.sort_by_key(|(at, _)| *at);
        let mut sum = 0_i64;
        let added = |(at, by): (Timestamp, i64)| {
            sum = sum.saturating_add(by.saturating_mul(1_000_000_000));
            (at, sum)
        };
        Self { inner, steps: sorted.into_iter().map(added).collect(), now: Timestamp::ORIGIN }
    }

    pub(super) fn into_inner(self) -> C {
        self.inner
    }

    /// By how much the clock is ahead.
    fn ahead(&self, at: Timestamp) -> i64 {
        self.steps.iter().rev().find(|(step, _)| *step <= at).map_or(0, |(_, sum)| *sum)
    }

    /// What the clock shows.
    fn show(&self, at: Timestamp) -> Timestamp {
        shifted(at, self.ahead(at))
    }
}

const fn shifted(at: Timestamp, by: i64) -> Timestamp {
    if by < 0 { at.minus(by.unsigned_abs()) } else { at.plus(by.unsigned_abs()) }
}

impl<C: Controller> Controller for Clock<C> {
    fn observe(&mut self, now: Timestamp, observation: Observation) -> bool {
        self.now = self.now.max(now);
        self.inner.observe(self.show(now), observation)
    }

    fn observe_class(&mut self, now: Timestamp, class: ClassId, observation: Observation) -> bool {
        self.now = self.now.max(now);
        self.inner.observe_class(self.show(now), class, observation)
    }

    fn report(&mut self, now: Timestamp, report: &Report) -> bool {
        self.now = self.now.max(now);
        self.inner.report(self.show(now), report)
    }

    fn next_wakeup(&self) -> Option<Timestamp> {
        let step = self.steps.iter().map(|(at, _)| *at).find(|at| *at > self.now);
        let wanted = self.inner.next_wakeup();
        // What it would have done before, by a clock that has been set forward, it does now.
        let wanted = wanted.map(|at| shifted(at, self.ahead(self.now).saturating_neg()).max(self.now));
        wanted.into_iter().chain(step).min()
    }

    fn desired(&self) -> u32 {
        self.inner.desired()
    }

    fn decide(&mut self, now: Timestamp, commands: &mut Commands) -> Option<Decided> {
        self.now = self.now.max(now);
        self.inner.decide(self.show(now), commands)
    }

    fn may_wake(&self) -> bool {
        self.inner.may_wake()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::Plan;

    const fn at(secs: u64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    fn plan(steps: &[ClockStep]) -> Clock<Plan> {
        Clock::new(Plan::new([(at(0), 1), (at(100), 2)].to_vec()), steps)
    }

    const fn step(at: u64, by_seconds: i64) -> ClockStep {
        ClockStep { at: Duration::from_secs(at), by_seconds }
    }

    #[test]
    fn a_clock_that_is_set_forward_makes_it_happen_at_once() {
        let mut clock = plan(&[step(90, -5), step(60, 50)]);
        assert_eq!(clock.next_wakeup(), Some(at(60)));
        clock.decide(at(60), &mut Commands::default());
        assert_eq!((clock.desired(), clock.show(at(60)), clock.show(at(91))), (2, at(110), at(136)));
        assert_eq!(clock.next_wakeup(), Some(at(90)));
    }

    #[test]
    fn a_clock_that_is_set_back_puts_it_off() {
        let mut clock = plan(&[step(60, -50)]);
        clock.decide(at(60), &mut Commands::default());
        assert_eq!((clock.show(at(61)), clock.next_wakeup()), (at(11), Some(at(150))));
        clock.decide(at(149), &mut Commands::default());
        assert_eq!(clock.desired(), 1);
        clock.decide(at(150), &mut Commands::default());
        assert_eq!((clock.desired(), clock.next_wakeup()), (2, None));
        assert_eq!(plan(&[step(0, i64::MIN), step(1, i64::MIN)]).show(at(5)), Timestamp::ORIGIN);
    }
}
