//! The ten guards in their order, each from the history of what was wanted and of how the count moved.

use plimsoll::config::{Blind, Cliff, StepLimit};
use plimsoll::guard::GUARDS;
use plimsoll::{Config, Mode};

use crate::signals::{Nanos, nanos};

/// What is wanted, and the circumstances.
#[derive(Clone, Copy, Debug)]
pub struct Demand {
    pub now: Nanos,
    /// The count before.
    pub count: u32,
    pub want: u32,
    /// What is wanted by rules that have not lost a signal.
    pub firm: u32,
    pub keep: u32,
    pub blind: bool,
    /// Less than a window has been seen since the start.
    pub settling: bool,
    /// The most that is wanted while requests wait beside idle workers.
    pub surplus: Option<u32>,
    pub quiet: bool,
    pub backlog_workers: u32,
    /// Ready workers that the idle timeout does not let go.
    pub held_workers: u32,
    pub mode: Mode,
    pub min: u32,
    pub max: u32,
}

impl Demand {
    pub fn proposed(&self) -> u32 {
        if self.want > self.count { self.want } else { self.count.min(self.keep) }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    Up,
    Down,
}

impl Way {
    /// Whether a demand asks for `level` or for more in this direction.
    fn asks(self, demand: u32, level: u32) -> bool {
        if self == Self::Up { demand >= level } else { demand <= level }
    }
}

#[derive(Clone, Copy, Debug)]
enum Mark {
    /// From now on so many are wanted, and the delay is that.
    Demand(Nanos, u32, Nanos),
    /// The count moved against the delay, to so many: what is beyond begins anew.
    Moved(Nanos, u32),
}

/// Everything that was wanted in one direction.
#[derive(Clone, Debug)]
struct Delay {
    way: Way,
    /// How many times faster a lapse undoes progress than demand makes it.
    setback: u64,
    marks: Vec<Mark>,
}

impl Delay {
    /// How long `level` has been asked for at `now`, less the setbacks of its lapses. When demand falls, what it does not
    /// ask for any more has the progress of one delay at the most.
    fn progress(&self, level: u32, now: Nanos) -> Nanos {
        let (mut progress, mut at, mut asked, mut last) = (0, 0, false, None);
        let pass = |progress: Nanos, time: Nanos, asked| {
            if asked { progress + time } else { progress.saturating_sub(self.setback * time) }
        };
        for mark in &self.marks {
            match *mark {
                Mark::Demand(then, demand, delay) => {
                    progress = pass(progress, then - at, asked);
                    let asks = self.way.asks(demand, level);
                    let fell = last.is_some_and(|last| !self.way.asks(demand, last));
                    if fell && !asks {
                        progress = progress.min(delay);
                    }
                    (at, asked, last) = (then, asks, Some(demand));
                }
                Mark::Moved(then, to) => {
                    progress = pass(progress, then - at, asked);
                    at = then;
                    if !self.way.asks(to, level) {
                        progress = 0;
                    }
                }
            }
        }
        pass(progress, now - at, asked)
    }

    fn want(&mut self, now: Nanos, demand: u32, delay: Nanos) {
        let last = self.marks.last().copied();
        if !matches!(last, Some(Mark::Demand(_, level, so_long)) if (level, so_long) == (demand, delay)) {
            self.marks.push(Mark::Demand(now, demand, delay));
        }
    }

    /// Every count that was ever asked for, as far as demand asks for it now.
    fn levels(&self) -> Vec<u32> {
        let demands = self.marks.iter().filter_map(|mark| match mark {
            Mark::Demand(_, demand, _) => Some(*demand),
            Mark::Moved(..) => None,
        });
        let mut levels: Vec<u32> = demands.collect();
        let Some(&now) = levels.last() else { return levels };
        levels.retain(|level| self.way.asks(now, *level));
        levels.sort_unstable();
        levels.dedup();
        levels
    }

    /// The furthest count that was asked for throughout the delay.
    fn reached(&self, now: Nanos, delay: Nanos) -> Option<u32> {
        let levels = self.levels();
        let reached = levels.into_iter().filter(|level| self.progress(*level, now) >= delay);
        if self.way == Way::Up { reached.max() } else { reached.min() }
    }

    /// When each count will have been asked for throughout the delay if demand stays.
    fn due(&self, now: Nanos, delay: Nanos) -> impl Iterator<Item = Nanos> {
        let left = self.levels().into_iter().map(move |level| delay.saturating_sub(self.progress(level, now)));
        left.map(move |left| now + left).collect::<Vec<_>>().into_iter()
    }
}

/// The count went from one number to another, and that limit held in its direction.
#[derive(Clone, Copy, Debug)]
struct Change {
    at: Nanos,
    from: u32,
    to: u32,
    limit: Option<StepLimit>,
}

/// What has been, as far as the guards look back.
#[derive(Clone, Debug)]
pub struct Guards {
    start: Nanos,
    up: Delay,
    down: Delay,
    /// Every change of the count by the guards.
    changes: Vec<Change>,
    /// When the pool woke from zero, and how many of those workers the backlog still calls for.
    woken: Option<(Nanos, u32)>,
    /// The count at every evaluation.
    counts: Vec<(Nanos, u32)>,
    /// The highest count of late when blindness began.
    last_peak: Option<u32>,
    /// What was kept, since the last cliff ended.
    kept: Vec<(Nanos, u32)>,
    /// When demand fell off a cliff, and from where.
    fell: Option<(Nanos, u32)>,
}

impl Guards {
    pub fn new(start: Nanos) -> Self {
        Self {
            start,
            up: Delay { way: Way::Up, setback: 1, marks: Vec::new() },
            down: Delay { way: Way::Down, setback: 9, marks: Vec::new() },
            changes: Vec::new(),
            woken: None,
            counts: vec![(start, 0)],
            last_peak: None,
            kept: vec![(start, 0)],
            fell: None,
        }
    }

    pub fn woke_at(&self, now: Nanos) -> bool {
        self.woken.is_some_and(|(at, _)| at == now)
    }

    /// The count has grown to `to` without the guards: less must be wanted for a whole delay from now.
    pub fn grown(&mut self, now: Nanos, to: u32) {
        self.down.marks.push(Mark::Moved(now, to));
    }

    /// The count after each guard.
    pub fn apply(&mut self, demand: &Demand, config: &Config) -> [u32; GUARDS] {
        let Demand { now, count, min, max, .. } = *demand;
        if let Some(cliff) = config.cliff() {
            self.watch_cliff(demand, cliff);
        }
        let (want, seen) = self.see(demand, config);
        let (gated, express) = self.gate(demand, want, seen);

        // Close to the count is the count, and a queue beside idle workers orders none.
        let tolerated = if express { gated } else { level(gated, count, config) };
        let fairly = tolerated.min(most(demand, express));
        self.want(demand, config);

        let reached = self.up.reached(now, nanos(config.up_delay())).unwrap_or(0).max(count);
        // What is wanted above max is for the bounds to cut.
        let up = if express || reached >= max { fairly } else { fairly.min(reached) };
        let reached = self.down.reached(now, self.down_delay(config)).unwrap_or(u32::MAX).min(count);
        // At min there is nothing to wait for.
        let down = if express || count <= min { up } else { up.max(reached) };
        let step = if express && down > count { down } else { self.step(now, count, down, config) };
        let idle = step.max(demand.held_workers.min(count));
        let mode = match demand.mode {
            Mode::GrowOnly => idle.max(count),
            Mode::ShrinkOnly => idle.min(count),
            Mode::Hold => count,
            Mode::Fixed(workers) => workers,
            _ => idle,
        };
        let bounded = mode.max(min).min(max);

        if bounded != count {
            let limit = if bounded > count { config.up_step() } else { config.down_step() };
            self.changes.push(Change { at: now, from: count, to: bounded, limit });
            let against = if bounded > count { &mut self.down } else { &mut self.up };
            against.marks.push(Mark::Moved(now, bounded));
            // Seen from the new count another number may be wanted than from the old one.
            self.want(&Demand { count: bounded, ..*demand }, config);
        }
        // What is held at zero has not woken.
        self.woken = self.woken.filter(|_| bounded > 0);
        note(&mut self.counts, now, bounded);
        [seen, gated, tolerated, fairly, up, down, step, idle, mode, bounded]
    }

    /// For the timers too what is close to the count is the count, and a queue beside idle workers orders none.
    fn want(&mut self, demand: &Demand, config: &Config) {
        let Demand { now, count, .. } = *demand;
        let mut circumstances = self.clone();
        let (want, seen) = circumstances.see(demand, config);
        let (_, express) = circumstances.gate(demand, want, seen);
        let keep = if demand.blind { u32::MAX } else { demand.keep };
        let down_delay = self.down_delay(config);
        self.up.want(now, level(want, count, config).min(most(demand, express)), nanos(config.up_delay()));
        self.down.want(now, level(keep, count, config), down_delay);
    }

    /// Instants from `now` on at which something may change if the signals stay as they are.
    pub fn due(&self, now: Nanos, config: &Config) -> Vec<Nanos> {
        let limits = [config.up_step(), config.down_step()].into_iter().flatten();
        let periods = limits.flat_map(|limit| self.changes.iter().map(move |change| change.at + nanos(limit.period)));
        let cliff = self.fell.zip(config.cliff()).map(|((at, _), cliff)| at + nanos(cliff.down_delay));
        let delays = self.up.due(now, nanos(config.up_delay())).chain(self.down.due(now, self.down_delay(config)));
        delays.chain(periods).chain(cliff).collect()
    }

    /// The down delay; after a cliff a longer one.
    fn down_delay(&self, config: &Config) -> Nanos {
        let cliff = config.cliff().filter(|_| self.fell.is_some());
        cliff.map_or(0, |cliff| nanos(cliff.down_delay)).max(nanos(config.down_delay()))
    }

    /// Blindness never lowers the count, nor does what has not been watched for a whole window. What is wanted in view
    /// of what is missing, and the count after this guard.
    fn see(&mut self, demand: &Demand, config: &Config) -> (u32, u32) {
        let Demand { now, count, want, firm, .. } = *demand;
        let proposed = demand.proposed();
        note(&mut self.counts, now, count);
        if !demand.blind {
            self.last_peak = None;
            return (want, if demand.settling { proposed.max(count) } else { proposed });
        }
        let want = match config.blind() {
            // A rule that has lost a signal asks for nothing more.
            Blind::Hold => want.min(firm.max(count)),
            Blind::GrowOnly => want,
            Blind::Floor(workers) => want.max(workers),
            Blind::LastPeak(within) => {
                let highest = highest(&self.counts, self.start, now, nanos(within));
                want.max(*self.last_peak.get_or_insert(highest))
            }
            _ => unreachable!("no other"),
        };
        (want, want.max(count))
    }

    /// From zero at once and enough for the backlog; to zero when it has been quiet. Whether it is past every delay.
    fn gate(&mut self, demand: &Demand, want: u32, proposed: u32) -> (u32, bool) {
        let Demand { now, count, backlog_workers, .. } = *demand;
        if count == 0 && (backlog_workers > 0 || want > 0) {
            self.woken = Some((now, backlog_workers));
            return (proposed.max(want).max(backlog_workers).max(1), true);
        }
        if backlog_workers > 0 {
            if let Some((at, floor)) = self.woken {
                // While it wakes the backlog may grow; later as many stay as it still calls for.
                let floor = if at == now { backlog_workers } else { floor.min(backlog_workers).min(count) };
                self.woken = Some((at, floor));
                if floor > 0 {
                    return (proposed.max(floor), floor > count);
                }
            }
        }
        self.woken = self.woken.filter(|(at, _)| *at == now);
        if proposed > 0 || count == 0 || demand.min > 0 {
            (proposed, false)
        } else if demand.quiet && self.fell.is_none() {
            (0, true)
        } else {
            (1, false)
        }
    }

    /// So far within a period, which begins with its first change.
    fn step(&self, now: Nanos, count: u32, to: u32, config: &Config) -> u32 {
        let grows = to > count;
        let Some(limit) = (if grows { config.up_step() } else { config.down_step() }) else { return to };
        let mut period: Option<(Nanos, u32)> = None;
        for change in self.changes.iter().filter(|change| (change.to > change.from) == grows) {
            let Some(limit) = change.limit else { continue };
            if period.is_none_or(|(start, _)| change.at >= start + nanos(limit.period)) {
                period = Some((change.at, change.from));
            }
        }
        let base = period.filter(|(start, _)| now < start + nanos(limit.period)).map_or(count, |(_, base)| base);
        let step = step(limit, base);
        // What was passed already is not taken back.
        if grows { to.min(base.saturating_add(step).max(count)) } else { to.max(base.saturating_sub(step).min(count)) }
    }

    /// Demand that has fallen by a share of its highest of late has fallen off a cliff, until it is back or the long delay
    /// is over. Who is blind sees neither.
    fn watch_cliff(&mut self, demand: &Demand, cliff: Cliff) {
        let Demand { now, keep, .. } = *demand;
        let unseen = demand.blind || keep == u32::MAX;
        let share = u64::from(cliff.fall.as_micros());
        let fallen_from = |level: u32| u64::from(level.saturating_sub(keep)) * 1_000_000 >= u64::from(level) * share;
        if let Some((at, level)) = self.fell {
            if now >= at + nanos(cliff.down_delay) || !(unseen || fallen_from(level)) {
                self.fell = None;
                let (_, last) = *self.kept.last().expect("the first");
                self.kept = vec![(self.start, last)];
            }
        }
        if unseen {
            return;
        }
        note(&mut self.kept, now, keep);
        let highest = highest(&self.kept, self.start, now, nanos(cliff.within));
        if self.fell.is_none() && highest > 0 && fallen_from(highest) {
            self.fell = Some((now, highest));
        }
    }
}

/// A demand within the tolerance of the count is the count.
fn level(to: u32, count: u32, config: &Config) -> u32 {
    let slack = u64::from(count) * u64::from(config.tolerance().as_micros()) / 1_000_000;
    if u64::from(to.abs_diff(count)) <= slack { count } else { to }
}

/// The most that a queue beside idle workers may ask for, unless the pool wakes.
fn most(demand: &Demand, express: bool) -> u32 {
    demand.surplus.filter(|_| !express).map_or(u32::MAX, |most| most.max(demand.count))
}

fn note(levels: &mut Vec<(Nanos, u32)>, now: Nanos, level: u32) {
    if levels.last().is_none_or(|(_, last)| *last != level) {
        levels.push((now, level));
    }
}

/// The highest level within a window of twelve slices that are counted from the start, the present one among them.
fn highest(levels: &[(Nanos, u32)], start: Nanos, now: Nanos, within: Nanos) -> u32 {
    let slice = (within / 12).max(1);
    let from = start + ((now - start) / slice).saturating_sub(11) * slice;
    let before = levels.iter().rfind(|(at, _)| *at < from).map(|(_, level)| *level);
    let since = levels.iter().filter(|(at, _)| *at >= from).map(|(_, level)| *level);
    since.chain(before).max().unwrap_or(0)
}

/// How far a count may move: of both limits the larger.
fn step(limit: StepLimit, base: u32) -> u32 {
    let share = limit.percent.map(|percent| (u64::from(base) * u64::from(percent)).div_ceil(100));
    limit.workers.map(u64::from).max(share).map_or(u32::MAX, |step| u32::try_from(step).expect("a small pool"))
}
