//! Guards: the stages between what is wanted and what is decided, in one fixed order.
//!
//! 1. **freshness** – blindness never lowers the count, nor does what has not been watched for a whole window;
//! 2. **zero gate** – waking from zero is immediate and sized for the backlog; going to zero waits for the to-zero delay;
//! 3. **tolerance** – a demand close to the count is no demand to change it;
//! 4. **surplus** – a queue beside idle workers is the router's doing and orders no worker;
//! 5. **up delay**, 6. **down delay** – what was wanted throughout the delay, exact in time; after a demand cliff the
//!    down delay is a longer one;
//! 7. **step limit** – how far the count may move within a period;
//! 8. **idle timeout** – with one, only workers that have been idle for it are given up;
//! 9. **mode** – an operator's order: grow only, shrink only, hold, a fixed count;
//! 10. **bounds** – min and max as they hold at this instant, last and unconditional.
//!
//! The order is the argument: what is unknown must not reach the timers as a demand (1 before 5 and 6); a request at
//! zero must not wait for them (2 before 5); noise and a router's fault must not run them (3 and 4 before 5); a step is
//! taken of what the delays allow (7 after 6); which workers can go matters only for as many as may (8 after 7); an
//! operator's word outranks all of them (9 after 8); and nothing may come after the bounds.

mod cliff;
mod crest;
mod reckoned;
mod stages;
mod step;
mod sustained;
mod zero;

use serde::{Deserialize, Serialize};

use self::crest::Crest;
pub(crate) use self::reckoned::Terms;
pub(crate) use self::stages::Stages;
pub use self::stages::{Effect, GUARDS, Guard, Stage};
use self::step::Period;
use self::sustained::Sustained;
use crate::config::{Blind, Config};
use crate::observation::Mode;
use crate::operator::Limits;
use crate::time::{Earliest, Timestamp, nanos};

/// A lapse of demand undoes progress of the up delay as fast as demand makes it: demand that is there for most of the
/// time is answered, since a worker too few hurts its users at once.
const UP_SETBACK: u8 = 1;
/// A relapse undoes progress of the down delay nine times as fast: demand must be low for nine tenths of the time,
/// since a worker too many only costs, and load that comes and goes would have the pool flap.
const DOWN_SETBACK: u8 = 9;

/// What is wanted, and the circumstances that guards look at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Demand {
    pub(crate) now: Timestamp,
    /// The count so far.
    pub(crate) count: u32,
    pub(crate) want: u32,
    /// What is wanted by rules that have not lost a signal.
    pub(crate) firm: u32,
    pub(crate) keep: u32,
    /// A policy cannot see what it needs.
    pub(crate) blind: bool,
    /// Less than a whole window has been seen since the start.
    pub(crate) settling: bool,
    /// A queue beside idle workers may not raise the count above this.
    pub(crate) surplus: Option<u32>,
    /// No request for the whole to-zero delay.
    pub(crate) quiet: bool,
    /// Workers that the requests certainly waiting call for.
    pub(crate) backlog_workers: u32,
    /// Ready workers that the idle timeout does not let go yet.
    pub(crate) held_workers: u32,
    pub(crate) mode: Mode,
    pub(crate) limits: Limits,
}

impl Demand {
    /// The proposal: where the policies would go from the present count.
    pub(crate) const fn proposed(&self) -> u32 {
        if self.want > self.count {
            self.want
        } else if self.keep < self.count {
            self.keep
        } else {
            self.count
        }
    }
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub(crate) struct Guards {
    up: Sustained,
    /// Over complemented counts: "at most k" is "at least !k".
    down: Sustained,
    up_period: Option<Period>,
    down_period: Option<Period>,
    /// When the pool woke from zero, and how many of the workers that it woke for the backlog still calls for.
    woken: Option<(Timestamp, u32)>,
    /// The counts of late, for a blind policy that asks for the last peak.
    counts: Crest,
    /// Their highest when blindness began.
    last_peak: Option<u32>,
    /// Demand of late, for a cliff to be seen.
    demand: Crest,
    /// When demand fell off a cliff, and from which level.
    fell: Option<(Timestamp, u32)>,
}

/// The stages being collected.
struct Fold {
    count: u32,
    stages: Stages,
}

impl Fold {
    fn stage(&mut self, guard: Guard, effect: Effect) {
        let count = effect.apply(self.count);
        let effect = if count == self.count { Effect::Pass } else { effect };
        self.count = count;
        self.stages.set(guard, effect);
    }
}

impl Guards {
    pub(crate) const fn new(now: Timestamp) -> Self {
        Self {
            up: Sustained::new(now, UP_SETBACK),
            down: Sustained::new(now, DOWN_SETBACK),
            up_period: None,
            down_period: None,
            woken: None,
            counts: Crest::new(now),
            last_peak: None,
            demand: Crest::new(now),
            fell: None,
        }
    }

    /// Whether these can be guards: what comes from a snapshot may be anything.
    pub(crate) fn is_sound(&self) -> bool {
        self.up.is_sound(UP_SETBACK) && self.down.is_sound(DOWN_SETBACK)
    }

    /// What is wanted in view of what is missing, and the effect that says so.
    fn see(&mut self, demand: &Demand, config: &Config) -> (u32, Effect) {
        let Demand { now, count, want, firm, blind, settling, .. } = *demand;
        if let Blind::LastPeak(within) = config.blind() {
            self.counts.update(now, count, nanos(within));
        }
        self.last_peak = if blind { self.last_peak.or_else(|| Some(self.counts.highest())) } else { None };
        if !blind {
            return (want, if settling { Effect::AtLeast(count) } else { Effect::Pass });
        }
        let (least, most) = match config.blind() {
            Blind::Hold => (0, firm),
            Blind::GrowOnly => (0, want),
            Blind::Floor(workers) => (workers, want),
            Blind::LastPeak(_) => (self.last_peak.unwrap_or(0), want),
        };
        let seen = want.min(most.max(count)).max(least);
        let effect = if seen < want { Effect::AtMost(seen.max(count)) } else { Effect::AtLeast(seen.max(count)) };
        (seen, effect)
    }

    /// Takes a proposal through all stages, to a count, and remembers what the next one will need.
    pub(crate) fn apply(&mut self, demand: &Demand, config: &Config) -> (Stages, u32) {
        let Demand { now, count, limits, .. } = *demand;
        if let Some(cliff) = config.cliff() {
            self.watch_cliff(demand, cliff);
        }
        let proposed = demand.proposed();
        let mut fold = Fold { count: proposed, stages: Stages::none(proposed) };

        let (want, freshness) = self.see(demand, config);
        fold.stage(Guard::Freshness, freshness);
        let (gate, express) = self.zero_gate(demand, want, fold.count);
        fold.stage(Guard::ZeroGate, gate);
        let (want, keep, tolerance) = tolerate(demand, want, fold.count, express, config);
        fold.stage(Guard::Tolerance, tolerance);
        let surplus = demand.surplus.filter(|_| !express).map(|most| most.max(count));
        let want = surplus.map_or(want, |most| want.min(most));
        fold.stage(Guard::Surplus, surplus.map_or(Effect::Pass, Effect::AtMost));

        self.update(now, want, keep, config);
        let most = self.up.reached(nanos(config.up_delay())).max(count);
        // What is wanted above max is for the bounds to cut.
        let up = if express || most >= limits.most { Effect::Pass } else { Effect::AtMost(most) };
        fold.stage(Guard::UpDelay, up);
        let least = (!self.down.reached(nanos(self.down_delay(config)))).min(count);
        // At min there is nothing to wait for: the bounds hold it.
        let down = if express || count <= limits.min { Effect::Pass } else { Effect::AtLeast(least) };
        fold.stage(Guard::DownDelay, down);

        let waking = express && fold.count > count;
        let step = if waking { Effect::Pass } else { self.step_limit(demand, fold.count, config) };
        fold.stage(Guard::StepLimit, step);
        fold.stage(Guard::IdleTimeout, Effect::AtLeast(demand.held_workers.min(count)));
        fold.stage(Guard::Mode, order(demand.mode, count));
        let wanted = fold.count;
        let bounds = if fold.count < limits.min { Effect::AtLeast(limits.min) } else { Effect::AtMost(limits.max) };
        fold.stage(Guard::Bounds, bounds);

        // What only a grant takes is wanted as before: nothing begins anew.
        if fold.count >= count || wanted < count || limits.max == limits.most {
            self.remember(now, count, fold.count, config);
        }
        if let Blind::LastPeak(within) = config.blind() {
            self.counts.update(now, fold.count, nanos(within));
        }
        if fold.count != count {
            // What is wanted in view of the new count is another demand than what was wanted in view of the old one.
            let demand = &Demand { count: fold.count, ..*demand };
            let (want, freshness) = self.see(demand, config);
            let (_, express) = self.zero_gate(demand, want, freshness.apply(demand.proposed()));
            let (want, keep, _) = tolerate(demand, want, fold.count, express, config);
            let surplus = demand.surplus.filter(|_| !express).map(|most| most.max(fold.count));
            let want = surplus.map_or(want, |most| want.min(most));
            self.update(now, want, keep, config);
        }
        if fold.count == 0 {
            // What is held at zero has not woken.
            self.woken = None;
        }
        (fold.stages, fold.count)
    }

    fn update(&mut self, now: Timestamp, want: u32, keep: u32, config: &Config) {
        self.up.update(now, want, nanos(config.up_delay()));
        self.down.update(now, !keep, nanos(self.down_delay(config)));
    }

    /// The first instant after `now` at which a guard would let the count move although nothing is observed.
    pub(crate) fn next_change(&self, now: Timestamp, count: u32, limits: Limits, config: &Config) -> Option<Timestamp> {
        let mut next = Earliest::after(now);
        if count < limits.most && self.wants_above(count) {
            next.note_some(self.up.next_change(nanos(config.up_delay())));
            next.note_some(self.step_until(true, config));
        }
        if count > limits.min && self.keeps_below(count) {
            next.note_some(self.down.next_change(nanos(self.down_delay(config))));
            next.note_some(self.step_until(false, config));
        }
        next.note_some(self.fell.zip(config.cliff()).map(|((at, _), cliff)| at.plus(nanos(cliff.down_delay))));
        next.get()
    }

    const fn wants_above(&self, count: u32) -> bool {
        self.up.is_above(count)
    }

    pub(crate) const fn keeps_below(&self, count: u32) -> bool {
        self.down.is_above(!count)
    }

    /// Since when more (or fewer) than `count` workers have been wanted.
    pub(crate) fn pressed_since(&self, count: u32) -> Option<Timestamp> {
        self.up.above_since(count).or_else(|| self.down.above_since(!count))
    }

    /// Where the count will go if the signals stay as they are, and when: by the delays alone.
    pub(crate) fn outlook(&self, count: u32, limits: Limits, config: &Config) -> Option<(Guard, u32, Timestamp)> {
        let up = self.up.next_above(count, nanos(config.up_delay())).filter(|_| count < limits.max);
        if let Some((to, at)) = up {
            return Some((Guard::UpDelay, to.min(limits.max), at));
        }
        let (to, at) = self.down.next_above(!count, nanos(self.down_delay(config))).filter(|_| count > limits.min)?;
        Some((Guard::DownDelay, (!to).max(limits.min), at))
    }

    /// The count has grown to `count`: whatever was wanted below it must be wanted for a whole down delay from now.
    pub(crate) fn grown(&mut self, now: Timestamp, count: u32) {
        self.down.restart_above(now, !count);
    }
}

/// What an operator's mode makes of any proposal.
const fn order(mode: Mode, count: u32) -> Effect {
    match mode {
        Mode::Automatic | Mode::Observe => Effect::Pass,
        Mode::GrowOnly => Effect::AtLeast(count),
        Mode::ShrinkOnly => Effect::AtMost(count),
        Mode::Hold => Effect::Exactly(count),
        Mode::Fixed(workers) => Effect::Exactly(workers),
    }
}

/// Demand within the tolerance of the count becomes the count: for the timers and for the fold.
fn tolerate(demand: &Demand, want: u32, proposed: u32, express: bool, config: &Config) -> (u32, u32, Effect) {
    let Demand { count, keep, blind, .. } = *demand;
    let keep = if blind { u32::MAX } else { keep };
    let slack = config.tolerance().of_count(count);
    let close = |other: u32| other.abs_diff(count) <= slack;
    let level = |other: u32| if close(other) { count } else { other };
    let effect = if !express && close(proposed) { Effect::Exactly(count) } else { Effect::Pass };
    (level(want), level(keep), effect)
}

#[cfg(test)]
mod tests;
