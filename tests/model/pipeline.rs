//! The whole pipeline: at every instant at which anything may change, everything is looked at again.

use std::collections::BTreeSet;
use std::rc::Rc;

use plimsoll::decision::Command;
use plimsoll::guard::GUARDS;
use plimsoll::policy::RunPodScaling;
use plimsoll::{Config, Mode, Observation, Policy};

use crate::guards::{Demand, Guards};
use crate::policies::{Wish, backlog_workers, wishes};
use crate::pool::Pool;
use crate::signals::{Nanos, Signals, Told, nanos, signals};

/// What a decision says of the count.
#[derive(Clone, Debug)]
pub struct Shown {
    pub at: Nanos,
    /// The count before the instant.
    pub before: u32,
    pub wishes: Vec<Wish>,
    pub proposed: u32,
    pub stages: [u32; GUARDS],
    pub desired: u32,
}

#[derive(Clone, Debug)]
pub struct Model {
    pub config: Rc<Config>,
    start: Nanos,
    now: Nanos,
    told: Vec<Told>,
    /// Instants at which anything may change by time alone.
    agenda: BTreeSet<Nanos>,
    guards: Guards,
    pub pool: Pool,
    pub count: u32,
    pub shown: Shown,
    pub signals: Signals,
}

/// What a decision would say at one instant.
#[derive(Debug)]
struct Said {
    count: u32,
    wishes: Option<Vec<Wish>>,
    commands: Vec<Command>,
}

impl Said {
    fn differs(&self, other: &Self) -> bool {
        let wishes = self.wishes.is_some() && other.wishes.is_some() && self.wishes != other.wishes;
        wishes || self.count != other.count || self.commands != other.commands
    }
}

impl Model {
    pub fn new(config: &Config, start: Nanos) -> Self {
        let shown = Shown { at: start, before: 0, wishes: vec![], proposed: 0, stages: [0; GUARDS], desired: 0 };
        let mut model = Self {
            config: Rc::new(config.clone()),
            start,
            now: start,
            told: Vec::new(),
            agenda: BTreeSet::new(),
            guards: Guards::new(start),
            pool: Pool::default(),
            count: 0,
            shown,
            signals: Signals::default(),
        };
        model.count = model.bounds(start).0;
        (model.shown.before, model.shown.desired) = (model.count, model.count);
        model.look_ahead(start, start, None);
        model.evaluate(start);
        model
    }

    /// Lives through the time up to `now`. The first change of what a decision would say, if it comes before `quiet_until`.
    pub fn advance(&mut self, now: Nanos, quiet_until: Nanos) -> Option<String> {
        let mut broken = None;
        while let Some(at) = self.agenda.range(self.now + 1..).next().copied().filter(|at| *at <= now) {
            let before = self.said();
            self.now = at;
            if self.pool.lapse(at, &self.config) {
                self.expect(at);
            }
            self.evaluate(at);
            let after = self.said();
            if at < quiet_until && before.differs(&after) && broken.is_none() {
                broken = Some(format!("at {at}: from {before:?} to {after:?}"));
            }
        }
        self.now = now;
        broken
    }

    /// What a decision would say and command.
    fn said(&self) -> Said {
        let max = self.bounds(self.now).1;
        let commands = self.pool.clone().place(self.now, self.count, max, &self.config);
        // How a change came about is said of its instant only.
        let settled = self.shown.before == self.shown.desired;
        Said { count: self.count, wishes: settled.then(|| self.shown.wishes.clone()), commands }
    }

    pub fn observe(&mut self, now: Nanos, what: Observation) {
        let attended =
            if self.pool.seen { self.pool.ready(now) > 0 } else { self.count > 0 && !self.guards.woke_at(now) };
        self.told.push(Told { at: now, what, attended, staff: self.pool.staff(now), config: self.config.clone() });
        self.look_ahead(now, now, Some(&what));
        let unordered = self.pool.observe(now, &what, &self.config.clone());
        // Workers that nobody ordered are taken over.
        let there = self.pool.in_service(now).min(self.bounds(now).1);
        if unordered && there > self.count {
            self.count = there;
            self.guards.grown(now, there);
        }
        self.pool.lapse(now, &self.config);
        self.expect(now);
        self.evaluate(now);
    }

    /// The commands of a decision at the present instant.
    pub fn decide(&mut self, now: Nanos) -> Vec<Command> {
        if self.shown.at < now {
            self.evaluate(now);
        }
        let commands = self.pool.place(now, self.count, self.bounds(now).1, &self.config);
        self.agenda.extend(self.pool.due(now, &self.config));
        commands
    }

    pub fn hears_of_own_queues(&self) -> bool {
        let arrivals = |told: &Told| matches!(told.what, Observation::Arrived { queue: Some(_), .. });
        self.told.iter().any(arrivals)
    }

    pub fn mode(&self, now: Nanos) -> Mode {
        let last = self.told.iter().rev().find_map(|told| match told.what {
            Observation::Mode { mode, valid_for } => Some((mode, valid_for.map(|span| told.at + nanos(span)))),
            _ => None,
        });
        last.filter(|(_, until)| until.is_none_or(|until| now < until)).map_or(Mode::Automatic, |(mode, _)| mode)
    }

    /// Min and max at `now`: of the intervals that speak the one of the highest priority, then the larger count; above that
    /// what is reserved; and max holds against min.
    pub fn bounds(&self, now: Nanos) -> (u32, u32) {
        let speaks = |interval: &&plimsoll::schedule::Interval| {
            (interval.start.as_nanos()..interval.end.as_nanos()).contains(&now)
        };
        let speaking = || self.config.schedule().iter().filter(speaks);
        let least = speaking().filter_map(|interval| Some((interval.priority, interval.min?))).max();
        let most = speaking().filter_map(|interval| Some((interval.priority, interval.max?))).max();
        let mut min = least.map_or(self.config.min(), |(_, min)| min);
        let max = most.map_or(self.config.max(), |(_, max)| max);
        for (index, told) in self.told.iter().enumerate() {
            let Observation::Reserve { id, workers, after, valid_for } = told.what else { continue };
            let replaced = self.told[index + 1..]
                .iter()
                .any(|later| matches!(later.what, Observation::Reserve { id: again, .. } if again == id));
            let from = told.at + nanos(after);
            if !replaced && (from..from + nanos(valid_for)).contains(&now) {
                min = min.max(workers);
            }
        }
        (min.min(max), max)
    }

    fn expect(&mut self, now: Nanos) {
        self.pool.expect(now, self.count, self.bounds(now).1, &self.config);
    }

    /// From the signals to the count.
    fn evaluate(&mut self, now: Nanos) {
        let config = self.config.clone();
        self.signals = signals(now, self.start, &self.told, self.pool.staff(now), &config);
        let wishes = wishes(&self.signals, &config);
        let (min, max) = self.bounds(now);
        let want = wishes.iter().map(|wish| wish.want).max().expect("a wish");
        // Of the rules that have lost a signal only what they say for certain counts as firm.
        let partial = |wish: &&Wish| wish.blind && wish.because == plimsoll::policy::Because::Missing;
        let firm = wishes.iter().filter(|wish| !(self.signals.lost && partial(wish)));
        let told = wishes.iter().filter(|wish| wish.told).map(|wish| wish.want).max().unwrap_or(0);
        let demand = Demand {
            now,
            count: self.count,
            want,
            firm: firm.map(|wish| wish.want).max().unwrap_or(0),
            keep: wishes.iter().map(|wish| wish.keep).max().expect("a wish").max(want),
            blind: wishes.iter().any(|wish| wish.blind),
            settling: now < self.start + nanos(config.window()),
            surplus: self.signals.surplus.then_some(told),
            quiet: self.signals.quiet,
            backlog_workers: backlog_workers(self.signals.backlog, &config),
            held_workers: self.pool.held(now, &config),
            mode: self.mode(now),
            min,
            max,
        };
        let count = self.count;
        let stages = self.guards.apply(&demand, &config);
        self.count = *stages.last().expect("the bounds");
        if self.count > count {
            self.expect(now);
        }
        self.agenda.extend(self.guards.due(now, &config));
        self.agenda.extend(self.pool.due(now, &config));
        // What happens at one instant is one change, and its reason stays what it was.
        let same_instant = self.shown.at == now && self.shown.desired == count;
        let before = if same_instant { self.shown.before } else { count };
        if before == count || self.count != count {
            let (proposed, desired) = (demand.proposed(), self.count);
            self.shown = Shown { at: now, before, wishes, proposed, stages, desired };
        }
    }

    /// Goes on with another configuration.
    pub fn reconfigure(&mut self, now: Nanos, config: &Config) {
        if *self.config == *config {
            return;
        }
        self.config = Rc::new(config.clone());
        self.look_ahead(now, self.start, None);
        for told in self.told.clone() {
            self.look_ahead(now, told.at, Some(&told.what));
        }
        if self.pool.lapse(now, config) {
            self.expect(now);
        }
        self.evaluate(now);
    }

    /// Notes every instant after `now` at which something may change because of what was told at `at`, or began then.
    fn look_ahead(&mut self, now: Nanos, at: Nanos, what: Option<&Observation>) {
        let age = match what {
            Some(Observation::Queue { oldest_age, .. }) => oldest_age.map_or(0, nanos),
            _ => 0,
        };
        let config = &self.config;
        let (target, interval) = (nanos(config.sojourn_target()), nanos(config.codel_interval()));
        let delays = config.policies().iter().filter_map(|policy| match policy {
            Policy::RunPod(policy) => match policy.scaling {
                RunPodScaling::QueueDelay(delay) => Some(nanos(delay) + 1),
                _ => None,
            },
            _ => None,
        });
        let ages = [target + 1, target + interval].into_iter().chain(delays).map(|at| at.saturating_sub(age));
        let event_freshness = config.event_freshness().map_or(0, nanos);
        let spans = [nanos(config.freshness()), event_freshness, nanos(config.to_zero_delay()), 16 * interval];
        let slice = nanos(config.window()) / 12;
        let open = self.start + (at - self.start) / slice * slice;
        let slices =
            (1..=14).map(|slices| open + slices * slice).chain([at + slice, self.start + nanos(config.window())]);
        let cliff = config.cliff().map(|cliff| nanos(cliff.within));
        let told = match what {
            Some(Observation::Proposal { valid_for, .. } | Observation::Mode { valid_for, .. }) => {
                vec![valid_for.map_or(0, nanos)]
            }
            Some(Observation::Reserve { after, valid_for, .. }) => {
                vec![nanos(*after), nanos(*after) + nanos(*valid_for)]
            }
            _ => vec![],
        };
        let spans = ages.chain(spans).chain(told).chain(cliff).map(|span| at + span);
        let schedule = config.schedule().iter().flat_map(|interval| [interval.start, interval.end]);
        let due: Vec<_> = spans.chain(slices).chain(schedule.map(plimsoll::Timestamp::as_nanos)).collect();
        self.agenda.extend(due.into_iter().filter(|due| *due > now));
    }
}
