//! The way of a decision to the platform: how often one is asked for, and how its commands arrive.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::chance::Chance;
use super::commands::{Commands, Decided};
use super::controller::Controller;
use super::options::Options;
use crate::adapter::{Fence, Order};
use crate::classes::ClassId;
use crate::decision::Command;
use crate::observation::Observation;
use crate::report::Report;
use crate::time::{Timestamp, nanos, span};
use crate::units::Share;

/// The way of a decision to the platform. By default one is asked for whenever something may have changed, and its
/// commands are carried out at once, each once.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Delivery {
    /// Decisions are asked for once in so long, from the start on, whatever happens between. Zero: at once.
    #[serde(with = "span")]
    pub every: Duration,
    /// How long a command takes to arrive.
    #[serde(with = "span")]
    pub late: Duration,
    /// By how much longer it takes at the most, each duration as likely as the others: commands overtake each other.
    #[serde(with = "span")]
    pub spread: Duration,
    /// This share of the commands arrives twice.
    pub twice: Share,
    /// How much later they arrive for the second time. 30 s by default, the visibility timeout of Amazon SQS.
    #[serde(with = "span")]
    pub again_after: Duration,
    /// The platform looks at no sequence number: it carries out whatever arrives, as often as it arrives.
    pub unguarded: bool,
}

impl Default for Delivery {
    fn default() -> Self {
        Self {
            every: Duration::ZERO,
            late: Duration::ZERO,
            spread: Duration::ZERO,
            twice: Share::ZERO,
            again_after: Duration::from_secs(30),
            unguarded: false,
        }
    }
}

/// Carries the commands of a controller to the platform.
#[derive(Debug)]
pub(super) struct Carrying<C> {
    inner: C,
    delivery: Delivery,
    spread: Chance,
    twice: Chance,
    /// How long a command is worth carrying out.
    patience: u64,
    /// When a decision is asked for next.
    next: Timestamp,
    desired: u32,
    /// Under way, by when they arrive.
    line: BTreeMap<(Timestamp, u64), Parcel>,
    /// How many have been sent.
    sent: u64,
    fence: Fence,
    /// The numbers of commands that have arrived once and will arrive again.
    known: BTreeSet<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Parcel {
    /// To whom.
    class: Option<ClassId>,
    order: Order,
    number: u64,
    /// The decision had a sequence number.
    sequenced: bool,
    doubled: bool,
}

impl<C: Controller> Carrying<C> {
    /// A command that arrives later than `patience` after its decision is void, since it is given again.
    pub(super) fn new(inner: C, options: &Options, patience: Duration) -> Self {
        Self {
            delivery: options.delivery,
            spread: Chance::of(options.seed, "delivery.spread"),
            twice: Chance::of(options.seed, "delivery.twice"),
            patience: nanos(patience),
            next: Timestamp::ORIGIN,
            desired: inner.desired(),
            inner,
            line: BTreeMap::new(),
            sent: 0,
            fence: Fence::default(),
            known: BTreeSet::new(),
        }
    }

    pub(super) fn into_inner(self) -> C {
        self.inner
    }

    fn send(&mut self, now: Timestamp, (class, command): (Option<ClassId>, Command), sequence: Option<u64>) {
        let void_at = now.plus(self.patience);
        let order = Order { command, at: now, sequence: sequence.unwrap_or(0), void_at };
        let mut late = nanos(self.delivery.late);
        if !self.delivery.spread.is_zero() {
            late = late.saturating_add(self.spread.below(nanos(self.delivery.spread).saturating_add(1)));
        }
        let doubled = self.delivery.twice > Share::ZERO && self.twice.millionths() < self.delivery.twice.as_micros();
        let parcel = Parcel { class, order, number: self.sent, sequenced: sequence.is_some(), doubled };
        let first = now.plus(late);
        for copy in 0..=u64::from(doubled) {
            let arrives = first.plus(copy.saturating_mul(nanos(self.delivery.again_after)));
            self.line.insert((arrives, self.sent.saturating_mul(2).saturating_add(copy)), parcel);
        }
        self.sent = self.sent.saturating_add(1);
    }

    /// Whether the platform carries out what has arrived.
    fn admits(&mut self, now: Timestamp, parcel: &Parcel) -> bool {
        if self.delivery.unguarded {
            return true;
        }
        let again = parcel.doubled && !self.known.insert(parcel.number) && self.known.remove(&parcel.number);
        !again && (!parcel.sequenced || self.fence.admits(now, &parcel.order))
    }
}

impl<C: Controller> Controller for Carrying<C> {
    fn observe(&mut self, now: Timestamp, observation: Observation) -> bool {
        self.inner.observe(now, observation)
    }

    fn observe_class(&mut self, now: Timestamp, class: ClassId, observation: Observation) -> bool {
        self.inner.observe_class(now, class, observation)
    }

    fn report(&mut self, now: Timestamp, report: &Report) -> bool {
        self.inner.report(now, report)
    }

    fn next_wakeup(&self) -> Option<Timestamp> {
        let arrival = self.line.first_key_value().map(|((at, _), _)| *at);
        let asked = if self.delivery.every.is_zero() { self.inner.next_wakeup() } else { Some(self.next) };
        arrival.into_iter().chain(asked).min()
    }

    fn desired(&self) -> u32 {
        if self.delivery.every.is_zero() { self.inner.desired() } else { self.desired }
    }

    fn decide(&mut self, now: Timestamp, commands: &mut Commands) -> Option<Decided> {
        let mut decision = None;
        if self.delivery.every.is_zero() || self.next <= now {
            self.next = now.saturating_add(self.delivery.every);
            let mut given = Commands::default();
            decision = self.inner.decide(now, &mut given);
            self.desired = self.inner.desired();
            let sequence = decision.as_ref().map(Decided::sequence);
            for command in given.0 {
                self.send(now, command, sequence);
            }
        }
        while let Some(arrived) = self.line.first_entry().filter(|entry| entry.key().0 <= now) {
            let parcel = arrived.remove();
            if self.admits(now, &parcel) {
                commands.0.push((parcel.class, parcel.order.command));
            }
        }
        decision
    }

    /// What is under way may start one, and so may the next decision.
    fn may_wake(&self) -> bool {
        self.inner.may_wake() || self.inner.desired() > 0 || !self.line.is_empty()
    }
}

#[cfg(test)]
mod tests;
