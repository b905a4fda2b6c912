//! What decides in a simulation: an autoscaler, a plan that was made beforehand, or anything else that can.

use core::time::Duration;
use std::boxed::Box;
use std::string::ToString;
use std::vec::Vec;

use super::commands::{Commands, Decided};
use crate::autoscaler::Autoscaler;
use crate::classes::ClassId;
use crate::decision::Command;
use crate::observation::{Observation, WorkerEvent, WorkerId};
use crate::recorder::Record;
use crate::report::Report;
use crate::time::Timestamp;

/// Decides in a [simulation](super::simulate_with).
pub trait Controller {
    /// Something became true. False if it was refused.
    fn observe(&mut self, now: Timestamp, observation: Observation) -> bool;

    /// Something became true of a worker of a class, of a start or of a request that it served: the class by its place in
    /// [`Options::classes`](super::Options::classes), 0 if there are none. Unless it is written, classes are not told apart.
    fn observe_class(&mut self, now: Timestamp, class: ClassId, observation: Observation) -> bool {
        let _ = class;
        self.observe(now, observation)
    }

    /// The next instant at which it wants to be asked.
    fn next_wakeup(&self) -> Option<Timestamp>;

    /// How many workers there should be, as of the last call.
    fn desired(&self) -> u32;

    /// Decides: adds its commands to `commands`, and explains itself if it can.
    fn decide(&mut self, now: Timestamp, commands: &mut Commands) -> Option<Decided>;

    /// Whether it wants to be asked when one of its workers has become idle and nothing else has happened to them.
    fn minds_idle(&self) -> bool {
        true
    }

    /// An observer reported what it counted over a while, where that is how requests are told of. False if it was
    /// refused. Unless it is written, the report becomes gauges and a count: enough for whoever has one observer.
    fn report(&mut self, now: Timestamp, report: &Report) -> bool {
        let depth = report.depth.map(|depth| Observation::queue(depth, report.oldest_age));
        let in_flight = report.in_flight.map(Observation::in_flight);
        let count = u32::try_from(report.arrived).unwrap_or(u32::MAX);
        let requests = (!report.over.is_zero()).then_some(Observation::Requests { count, over: report.over });
        let mut accepted = true;
        for observation in [depth, in_flight, requests].into_iter().flatten() {
            accepted &= self.observe(now, observation);
        }
        accepted
    }

    /// Whether those that wait may hope for a worker although none is wanted now: a loop looks at them from time to
    /// time. The run then goes on for them after its end.
    fn may_wake(&self) -> bool {
        false
    }
}

/// Tells what is true, of a class or of the service as a whole.
pub(super) fn tell<C: Controller>(
    controller: &mut C,
    now: Timestamp,
    (class, observation): (Option<ClassId>, Observation),
) -> bool {
    match class {
        Some(class) => controller.observe_class(now, class, observation),
        None => controller.observe(now, observation),
    }
}

impl<C: Controller + ?Sized> Controller for Box<C> {
    fn observe(&mut self, now: Timestamp, observation: Observation) -> bool {
        (**self).observe(now, observation)
    }

    fn observe_class(&mut self, now: Timestamp, class: ClassId, observation: Observation) -> bool {
        (**self).observe_class(now, class, observation)
    }

    fn next_wakeup(&self) -> Option<Timestamp> {
        (**self).next_wakeup()
    }

    fn desired(&self) -> u32 {
        (**self).desired()
    }

    fn decide(&mut self, now: Timestamp, commands: &mut Commands) -> Option<Decided> {
        (**self).decide(now, commands)
    }

    fn minds_idle(&self) -> bool {
        (**self).minds_idle()
    }

    fn report(&mut self, now: Timestamp, report: &Report) -> bool {
        (**self).report(now, report)
    }

    fn may_wake(&self) -> bool {
        (**self).may_wake()
    }
}

/// An autoscaler that may keep a flight log.
pub(super) struct Native<'a> {
    pub(super) autoscaler: Autoscaler,
    pub(super) sink: Option<&'a mut dyn FnMut(&Record)>,
}

impl Native<'_> {
    /// Not inlined, so that nothing is made ready for it where no log is kept.
    #[inline(never)]
    fn observe_and_record(&mut self, now: Timestamp, observation: Observation) -> bool {
        let outcome = self.autoscaler.observe(now, observation);
        if let Some(sink) = &mut self.sink {
            sink(&Record::observed(now, observation, outcome));
        }
        outcome.is_ok()
    }
}

impl Controller for Native<'_> {
    #[inline]
    fn observe(&mut self, now: Timestamp, observation: Observation) -> bool {
        if self.sink.is_some() {
            return self.observe_and_record(now, observation);
        }
        self.autoscaler.observe(now, observation).is_ok()
    }

    fn report(&mut self, now: Timestamp, report: &Report) -> bool {
        let outcome = self.autoscaler.report(now, report);
        if let Some(sink) = &mut self.sink {
            let refused = outcome.err().map(|rejected| rejected.to_string());
            sink(&Record::Reported { at: now, report: Box::new(report.clone()), refused });
        }
        outcome.is_ok()
    }

    fn next_wakeup(&self) -> Option<Timestamp> {
        self.autoscaler.earliest_wakeup()
    }

    fn desired(&self) -> u32 {
        self.autoscaler.desired()
    }

    fn minds_idle(&self) -> bool {
        !self.autoscaler.is_placed()
    }

    fn decide(&mut self, now: Timestamp, commands: &mut Commands) -> Option<Decided> {
        let Some(sink) = &mut self.sink else {
            let decision = self.autoscaler.decide_if_changed(now);
            commands.extend(decision.iter().flat_map(|decision| &decision.commands).copied());
            return decision.map(Decided::Pool);
        };
        let decision = self.autoscaler.decide(now);
        sink(&Record::decided(now, &decision));
        commands.extend(decision.commands.iter().copied());
        Some(decision.into())
    }
}

/// So many workers from each instant on, whatever happens: a fixed pool, or what somebody who knew it all would do.
///
/// ```
/// use plimsoll::Timestamp;
/// use plimsoll::sim::{Controller, Plan};
///
/// let plan = Plan::new(vec![(Timestamp::ORIGIN, 2), (Timestamp::from_secs(60), 5)]);
/// assert_eq!((plan.desired(), plan.next_wakeup()), (2, Some(Timestamp::from_secs(60))));
/// ```
#[derive(Clone, Debug)]
pub struct Plan {
    /// In order of time.
    steps: Vec<(Timestamp, u32)>,
    /// How many of them have begun.
    begun: usize,
    desired: u32,
    roster: Roster,
}

impl Plan {
    /// The count that holds from each instant on, zero before the first; put in order of time if they are not.
    #[must_use]
    pub fn new(mut steps: Vec<(Timestamp, u32)>) -> Self {
        steps.sort_by_key(|(at, _)| *at);
        let mut plan = Self { steps, begun: 0, desired: 0, roster: Roster::default() };
        plan.pass_to(Timestamp::ORIGIN);
        plan
    }

    /// The same count all the time.
    #[must_use]
    pub fn fixed(workers: u32) -> Self {
        Self::new([(Timestamp::ORIGIN, workers)].to_vec())
    }

    fn pass_to(&mut self, now: Timestamp) {
        while let Some((_, count)) = self.steps.get(self.begun).filter(|(at, _)| *at <= now) {
            self.desired = *count;
            self.begun = self.begun.saturating_add(1);
        }
    }
}

impl Controller for Plan {
    fn observe(&mut self, now: Timestamp, observation: Observation) -> bool {
        self.roster.observe(now, observation);
        true
    }

    fn next_wakeup(&self) -> Option<Timestamp> {
        self.steps.get(self.begun).map(|(at, _)| *at).into_iter().chain(self.roster.retry).min()
    }

    fn desired(&self) -> u32 {
        self.desired
    }

    fn decide(&mut self, now: Timestamp, commands: &mut Commands) -> Option<Decided> {
        self.pass_to(now);
        self.roster.bring_to(now, self.desired, ORDERED_ONES_LAST, commands);
        None
    }
}

/// Workers that are let go together: starting ones and idle ones by stopping, busy ones by draining.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Turn {
    Starting,
    Idle,
    Busy,
}

/// As most platforms do it: who serves nobody goes before who does.
#[cfg_attr(
    not(any(test, feature = "peers")),
    expect(dead_code, reason = "for controllers that leave the choice to a platform")
)]
pub(super) const LEAST_USEFUL_FIRST: [Turn; 3] = [Turn::Starting, Turn::Idle, Turn::Busy];
/// Who has ordered a worker knowing when it will be needed stops no other for it.
const ORDERED_ONES_LAST: [Turn; 3] = [Turn::Idle, Turn::Busy, Turn::Starting];

/// How long after a refused start the next try comes: the first back-off of Kubernetes, and of this crate.
const RETRY: Duration = Duration::from_secs(10);

/// The workers there are, for controllers that decide a count and leave it to others whom it concerns. Of those whose
/// turn it is the highest id goes first: the latest ordered, and the one to which requests go last.
#[derive(Clone, Debug, Default)]
pub(super) struct Roster {
    /// By id; in a simulation ids count from zero.
    workers: Vec<Life>,
    /// Ordered, and not heard of since but that it was refused.
    ordered: u32,
    /// Of those, the refused ones, and when they are ordered again.
    refused: u32,
    retry: Option<Timestamp>,
    pub(super) starting: u32,
    pub(super) ready: u32,
    /// Requests in service on ready workers.
    pub(super) busy: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Life {
    Starting,
    Ready(u32),
    /// Leaving, gone, or never there.
    Gone,
}

impl Life {
    const fn turn(self) -> Option<Turn> {
        match self {
            Self::Starting => Some(Turn::Starting),
            Self::Ready(0) => Some(Turn::Idle),
            Self::Ready(_) => Some(Turn::Busy),
            Self::Gone => None,
        }
    }
}

impl Roster {
    pub(super) fn observe(&mut self, now: Timestamp, observation: Observation) {
        let (id, event) = match observation {
            Observation::Worker { id, event } => (id, event),
            Observation::StartFailed { count, .. } => {
                self.refused = self.refused.saturating_add(count);
                self.retry = self.retry.or(Some(now.saturating_add(RETRY)));
                return;
            }
            _ => return,
        };
        if event == WorkerEvent::Ordered {
            self.ordered = self.ordered.saturating_sub(1);
        }
        let next = match (event, self.life(id)) {
            (WorkerEvent::Ordered, _) => Life::Starting,
            (WorkerEvent::Busy(slots), Life::Ready(_)) => Life::Ready(slots),
            (WorkerEvent::Ready, Life::Starting) | (WorkerEvent::Idle, Life::Ready(_)) => Life::Ready(0),
            (WorkerEvent::Ready | WorkerEvent::Busy(_) | WorkerEvent::Idle, life) => life,
            _ => Life::Gone,
        };
        self.set(id, next);
    }

    fn life(&self, id: WorkerId) -> Life {
        usize::try_from(id.0).ok().and_then(|at| self.workers.get(at)).copied().unwrap_or(Life::Gone)
    }

    fn set(&mut self, id: WorkerId, life: Life) {
        let Ok(at) = usize::try_from(id.0) else { return };
        if at >= self.workers.len() {
            self.workers.resize(at.saturating_add(1), Life::Gone);
        }
        let Some(slot) = self.workers.get_mut(at) else { return };
        let old = core::mem::replace(slot, life);
        match old {
            Life::Starting => self.starting = self.starting.saturating_sub(1),
            Life::Ready(slots) => {
                self.ready = self.ready.saturating_sub(1);
                self.busy = self.busy.saturating_sub(u64::from(slots));
            }
            Life::Gone => {}
        }
        match life {
            Life::Starting => self.starting = self.starting.saturating_add(1),
            Life::Ready(slots) => {
                self.ready = self.ready.saturating_add(1);
                self.busy = self.busy.saturating_add(u64::from(slots));
            }
            Life::Gone => {}
        }
    }

    /// Starting and ready workers.
    pub(super) const fn committed(&self) -> u32 {
        self.starting.saturating_add(self.ready)
    }

    /// The ready workers, and how many requests each has in service.
    #[cfg(feature = "peers")]
    pub(super) fn ready_workers(&self) -> impl Iterator<Item = (u64, u32)> {
        (0..).zip(&self.workers).filter_map(|(id, life)| match life {
            Life::Ready(slots) => Some((id, *slots)),
            Life::Starting | Life::Gone => None,
        })
    }

    /// The commands that make it so many; who goes first is for `order` to say.
    pub(super) fn bring_to(
        &mut self,
        now: Timestamp,
        desired: u32,
        order: [Turn; 3],
        commands: &mut impl Extend<Command>,
    ) {
        if self.retry.is_some_and(|at| at <= now) {
            self.ordered = self.ordered.saturating_sub(self.refused);
            (self.refused, self.retry) = (0, None);
        }
        let committed = self.committed();
        let missing = desired.saturating_sub(committed).saturating_sub(self.ordered);
        if missing > 0 {
            commands.extend([Command::Start { count: missing }]);
            self.ordered = self.ordered.saturating_add(missing);
        }
        let mut surplus = committed.saturating_sub(desired);
        for turn in order {
            let mut at = self.workers.len();
            while surplus > 0 && at > 0 {
                at = at.saturating_sub(1);
                if self.workers.get(at).and_then(|life| life.turn()) != Some(turn) {
                    continue;
                }
                let id = WorkerId(at as u64);
                commands.extend([match turn {
                    Turn::Busy => Command::Drain { id },
                    Turn::Starting | Turn::Idle => Command::Stop { id, to_standby: false, cut_off: false },
                }]);
                self.set(id, Life::Gone);
                surplus = surplus.saturating_sub(1);
            }
        }
    }
}

#[cfg(test)]
mod tests;
