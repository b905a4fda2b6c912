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

mod crest;
mod stages;
mod sustained;

use serde::{Deserialize, Serialize};

use self::crest::Crest;
pub(crate) use self::stages::Stages;
use self::sustained::Sustained;
use crate::config::{Blind, Cliff, Config, StepLimit};
use crate::observation::Mode;
use crate::operator::Limits;
use crate::time::{Earliest, Timestamp, nanos};

/// A lapse of demand undoes progress of the up delay as fast as demand makes it: demand that is there for most of the
/// time is answered, since a worker too few hurts its users at once.
const UP_SETBACK: u8 = 1;
/// A relapse undoes progress of the down delay nine times as fast: demand must be low for nine tenths of the time,
/// since a worker too many only costs, and load that comes and goes would have the pool flap.
const DOWN_SETBACK: u8 = 9;

/// The stages, in their order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Guard {
    /// Blindness never lowers the count.
    Freshness,
    /// To zero after the to-zero delay, from zero at once.
    ZeroGate,
    /// Close to the count is the count.
    Tolerance,
    /// A queue beside idle workers orders none.
    Surplus,
    /// Wanted throughout the up delay.
    UpDelay,
    /// Not wanted throughout the down delay.
    DownDelay,
    /// So far per period.
    StepLimit,
    /// Only workers that have been idle for long enough.
    IdleTimeout,
    /// An operator's order.
    Mode,
    /// Between min and max.
    Bounds,
}

impl Guard {
    /// All of them, in their order.
    const ALL: [Self; GUARDS] = [
        Self::Freshness,
        Self::ZeroGate,
        Self::Tolerance,
        Self::Surplus,
        Self::UpDelay,
        Self::DownDelay,
        Self::StepLimit,
        Self::IdleTimeout,
        Self::Mode,
        Self::Bounds,
    ];

    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Freshness => "freshness",
            Self::ZeroGate => "zero_gate",
            Self::Tolerance => "tolerance",
            Self::Surplus => "surplus",
            Self::UpDelay => "up_delay",
            Self::DownDelay => "down_delay",
            Self::StepLimit => "step_limit",
            Self::IdleTimeout => "idle_timeout",
            Self::Mode => "mode",
            Self::Bounds => "bounds",
        }
    }
}

/// What a stage does to a count.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Effect {
    /// Nothing.
    Pass,
    /// Not below.
    AtLeast(u32),
    /// Not above.
    AtMost(u32),
    /// This count.
    Exactly(u32),
}

impl Effect {
    /// The count after the effect.
    #[must_use]
    pub const fn apply(self, count: u32) -> u32 {
        match self {
            Self::AtLeast(least) if count < least => least,
            Self::AtMost(most) if count > most => most,
            Self::Exactly(exact) => exact,
            _ => count,
        }
    }
}

/// One guard's part in a decision.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Stage {
    /// The guard.
    pub guard: Guard,
    /// What it did.
    pub effect: Effect,
    /// The count after it.
    pub count: u32,
}

/// How many guards there are.
pub const GUARDS: usize = 10;

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

/// What of a demand stays what it is while only requests come, start and finish.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Terms {
    count: u32,
    limits: Limits,
    settling: bool,
    /// By how much a demand may differ from the count and be none to change it.
    slack: u32,
    /// The two delays, in nanoseconds.
    up_delay: u64,
    down_delay: u64,
    /// The count may move only so far within a period.
    steps: bool,
}

/// The count at the start of a step limit's period.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
struct Period {
    start: Timestamp,
    base: u32,
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

    /// Since when demand has been over a cliff, as of the last evaluation.
    pub(crate) fn cliff_since(&self) -> Option<Timestamp> {
        self.fell.map(|(at, _)| at)
    }

    /// The down delay that holds now.
    pub(crate) fn down_delay(&self, config: &Config) -> core::time::Duration {
        let cliff = config.cliff().filter(|_| self.fell.is_some());
        cliff.map_or(config.down_delay(), |cliff| cliff.down_delay.max(config.down_delay()))
    }

    /// Looks for a fall of demand that is too steep to be one, and for its end.
    fn watch_cliff(&mut self, demand: &Demand, cliff: Cliff) {
        let Demand { now, keep, blind, .. } = *demand;
        let fallen_from = |level: u32| cliff.fall.is_reached(level.saturating_sub(keep), level);
        // Who is blind does not see demand come back.
        let unseen = blind || keep == u32::MAX;
        let back = |level: u32| !unseen && !fallen_from(level);
        if self.fell.is_some_and(|(at, level)| now >= at.plus(nanos(cliff.down_delay)) || back(level)) {
            self.fell = None;
            self.demand.flatten();
        }
        if unseen {
            return;
        }
        self.stood(now, keep, cliff);
        let highest = self.demand.highest();
        if self.fell.is_none() && highest > 0 && fallen_from(highest) {
            self.fell = Some((now, highest));
        }
    }

    /// Demand was down to `keep` until `now`; `u32::MAX` if that was not seen.
    pub(crate) fn stood(&mut self, now: Timestamp, keep: u32, cliff: Cliff) {
        if keep < u32::MAX {
            self.demand.update(now, keep, nanos(cliff.within));
        }
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

    /// Takes a demand to the delays, where nothing but delays, tolerance and bounds stands between it and the count. True
    /// if it certainly leaves the count what it is; otherwise [`apply`](Self::apply) must have it at the same instant.
    pub(crate) fn stays(&mut self, demand: &Demand, config: &Config) -> bool {
        let Demand { now, count, settling, limits, backlog_workers, held_workers, .. } = *demand;
        if self.woke_at(now) {
            return false;
        }
        let (want, _) = self.see(demand, config);
        self.wake_on(now, count, backlog_workers);
        let (want, keep, _) = tolerate(demand, want, count, false, config);
        self.update(now, want, keep, config);
        let grows = want > count && count < limits.max && self.up.reached(nanos(config.up_delay())) > count;
        let lower = keep < count && count > limits.min && !settling && held_workers < count;
        let shrinks = lower && !self.down.reached(nanos(self.down_delay(config))) < count;
        !(grows || shrinks)
    }

    /// The terms of a demand, as long as count and circumstances stay what they are. The guards [are
    /// simple](Self::are_simple).
    pub(crate) fn terms(count: u32, limits: Limits, settling: bool, config: &Config) -> Terms {
        let slack = config.tolerance().of_count(count);
        let (up_delay, down_delay) = (nanos(config.up_delay()), nanos(config.down_delay()));
        let steps = config.up_step().is_some() || config.down_step().is_some();
        Terms { count, limits, settling, slack, up_delay, down_delay, steps }
    }

    /// The same as [`stays`](Self::stays) and [`next_change`](Self::next_change) together, on terms, where nobody is blind and
    /// nothing that waits has woken the pool: the instant before which no guard lets the count move by time alone. `None` if
    /// a guard may let it move now.
    #[inline]
    pub(crate) fn reckon(
        &mut self,
        now: Timestamp,
        (want, keep): (u32, u32),
        held: u32,
        terms: &Terms,
        config: &Config,
    ) -> Option<Timestamp> {
        if self.woke_at(now) {
            return None;
        }
        (self.last_peak, self.woken) = (None, None);
        let &Terms { count, limits, settling, slack, up_delay, down_delay, steps } = terms;
        let level = |other: u32| if other.abs_diff(count) <= slack { count } else { other };
        let (want, keep) = (level(want), level(keep));
        self.up.update(now, want, up_delay);
        self.down.update(now, !keep, down_delay);
        let mut next = Timestamp::MAX;
        if want > count && count < limits.most {
            let (reached, due) = self.up.ahead(up_delay);
            if count < limits.max && reached > count {
                return None;
            }
            next = due;
        }
        if keep < count && count > limits.min {
            let (reached, due) = self.down.ahead(down_delay);
            if !settling && held < count && !reached < count {
                return None;
            }
            next = next.min(due);
        }
        if steps {
            return Some(self.next_change(now, count, limits, config).unwrap_or(Timestamp::MAX));
        }
        Some(next)
    }

    /// Time has passed to `now` under the same demand.
    pub(crate) fn stand(&mut self, now: Timestamp, config: &Config) {
        self.update(now, self.up.demand(), !self.down.demand(), config);
    }

    /// Whether nothing else stands between them, an operator's mode and a surplus aside.
    pub(crate) const fn are_simple(config: &Config) -> bool {
        config.cliff().is_none() && !matches!(config.blind(), Blind::LastPeak(_))
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

    /// Whether the pool woke from zero at this instant.
    pub(crate) fn woke_at(&self, now: Timestamp) -> bool {
        self.woken.is_some_and(|(at, _)| at == now)
    }

    /// Whether the backlog that the pool woke for still counts.
    pub(crate) const fn is_waking(&self) -> bool {
        self.woken.is_some()
    }

    /// Of the workers that the pool woke for before this instant, those that the backlog still calls for: zero if it woke for
    /// none, `None` if it wakes at this very instant.
    pub(crate) fn floor(&self, now: Timestamp) -> Option<u32> {
        self.woken.map_or(Some(0), |(at, floor)| (at < now).then_some(floor))
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

    /// When the running period of a step limit ends, if it holds the count.
    pub(crate) fn step_until(&self, up: bool, config: &Config) -> Option<Timestamp> {
        let (period, limit) =
            if up { (self.up_period, config.up_step()) } else { (self.down_period, config.down_step()) };
        Some(ends(period?, limit?))
    }

    /// Of the workers that the pool woke for, those that the backlog still calls for.
    fn wake_on(&mut self, now: Timestamp, count: u32, backlog_workers: u32) -> u32 {
        let Some((at, floor)) = self.woken.filter(|_| backlog_workers > 0) else {
            self.woken = self.woken.filter(|(at, _)| *at == now);
            return 0;
        };
        // At the waking instant the backlog may still be growing; afterwards as many stay as it still calls for.
        let floor = if at == now { backlog_workers } else { floor.min(backlog_workers).min(count) };
        self.woken = (at == now || floor > 0).then_some((at, floor));
        floor
    }

    /// The zero gate's effect, and whether it lets the count pass the delays.
    fn zero_gate(&mut self, demand: &Demand, want: u32, proposed: u32) -> (Effect, bool) {
        let Demand { now, count, quiet, backlog_workers, limits, .. } = *demand;
        if count == 0 && (backlog_workers > 0 || want > 0) {
            self.woken = Some((now, backlog_workers));
            return (Effect::AtLeast(want.max(backlog_workers).max(1)), true);
        }
        let floor = self.wake_on(now, count, backlog_workers);
        if floor > 0 {
            return (Effect::AtLeast(floor), floor > count);
        }
        if proposed == 0 && count > 0 && limits.min == 0 {
            // After a cliff silence is what the outage looks like.
            return if quiet && self.fell.is_none() { (Effect::Exactly(0), true) } else { (Effect::AtLeast(1), false) };
        }
        (Effect::Pass, false)
    }

    fn step_limit(&self, demand: &Demand, proposed: u32, config: &Config) -> Effect {
        let Demand { now, count, .. } = *demand;
        let base = |period: Option<Period>, limit: StepLimit| match period {
            Some(period) if now < ends(period, limit) => period.base,
            _ => count,
        };
        if let (true, Some(limit)) = (proposed > count, config.up_step()) {
            let base = base(self.up_period, limit);
            return Effect::AtMost(base.saturating_add(limit.step(base)).max(count));
        }
        if let (true, Some(limit)) = (proposed < count, config.down_step()) {
            let base = base(self.down_period, limit);
            return Effect::AtLeast(base.saturating_sub(limit.step(base)).min(count));
        }
        Effect::Pass
    }

    /// The count has grown to `count`: whatever was wanted below it must be wanted for a whole down delay from now.
    pub(crate) fn grown(&mut self, now: Timestamp, count: u32) {
        self.down.restart_above(now, !count);
    }

    /// Opens a step limit's period at its first change, and has the opposite delay begin anew.
    fn remember(&mut self, now: Timestamp, from: u32, to: u32, config: &Config) {
        let (period, limit) = match to.cmp(&from) {
            core::cmp::Ordering::Greater => {
                self.grown(now, to);
                (&mut self.up_period, config.up_step())
            }
            core::cmp::Ordering::Less => {
                self.up.restart_above(now, to);
                (&mut self.down_period, config.down_step())
            }
            core::cmp::Ordering::Equal => return,
        };
        let Some(limit) = limit else { return };
        if period.is_none_or(|period| now >= ends(period, limit)) {
            *period = Some(Period { start: now, base: from });
        }
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

const fn ends(period: Period, limit: StepLimit) -> Timestamp {
    period.start.plus(nanos(limit.period))
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
