//! What a decision would have been, had one thing been otherwise: found by going through the log again.
//!
//! Every setting is tried at both ends of its range. Where an end decides otherwise, bisection finds two neighbouring
//! values of which one decides as recorded and the other does not; both are tried, so what is said about them holds
//! whatever lies between.

use plimsoll::guard::{Effect, Guard};
use plimsoll::{Mode, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};

use crate::knobs::{self, Knob, Part};
use crate::scene::{Change, Rerun, Scene};

/// No more runs than this.
const MOST_RUNS: u64 = 5_000;

/// One way in which the decision would have been another, or the same one earlier.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Finding {
    /// The setting's name, or what else would not have been.
    pub(crate) of: String,
    /// Where it is in a configuration, if it is a setting.
    pub(crate) pointer: Option<String>,
    pub(crate) was: String,
    /// Whether it decided the count.
    pub(crate) bound: bool,
    /// Speaks of workers ready or ordered, not of the count.
    pub(crate) orders: bool,
    /// The least change that makes a difference.
    pub(crate) least: Option<Trial>,
    /// The least change that gives what was wanted, if that is another one.
    pub(crate) full: Option<Trial>,
    /// Values with which the same count would have come earlier.
    pub(crate) earlier: Vec<Trial>,
}

impl Default for Finding {
    /// Something that held the count, and was not a setting.
    fn default() -> Self {
        Self {
            of: String::new(),
            pointer: None,
            was: String::new(),
            bound: true,
            orders: false,
            least: None,
            full: None,
            earlier: Vec::new(),
        }
    }
}

/// A value that was tried, and what came of it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Trial {
    pub(crate) words: String,
    /// As a configuration has it; `null` for a setting that is left out.
    pub(crate) value: Value,
    /// Whether a value further away from the present one does as well, as far as was tried.
    pub(crate) beyond: Option<&'static str>,
    pub(crate) workers: u32,
    /// Since when there would have been so many.
    pub(crate) since: Option<Timestamp>,
    /// By how much earlier that is, in seconds.
    pub(crate) earlier_s: f64,
}

/// All that was found.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Findings {
    pub(crate) changes: Vec<Finding>,
    /// Settings that make no difference at either end.
    pub(crate) indifferent: Vec<String>,
    /// Settings that could not be tried, and why.
    pub(crate) untried: Vec<String>,
    pub(crate) runs: u64,
    pub(crate) records: usize,
    pub(crate) from_line: u64,
}

/// Goes through everything that can be changed by itself.
pub(crate) fn all(scene: &Scene) -> Result<Findings, String> {
    let mut search = Search::new(scene)?;
    search.operator()?;
    search.alternatives();
    for knob in knobs::all(&scene.config, search.wanted.unwrap_or(0)) {
        if knob.part != Part::Orders || scene.explained.trouble.is_some() {
            search.knob(&knob);
        }
    }
    let (base, up) = (search.base.desired, search.up);
    let ahead = |trial: &Trial| if up { trial.workers > base } else { trial.workers < base };
    // What held it comes first, then what leads where it should have gone, then the same earlier.
    search
        .changes
        .sort_by_key(|Finding { bound, least, .. }| (!bound, least.is_none(), !least.as_ref().is_some_and(ahead)));
    Ok(Findings {
        changes: search.changes,
        indifferent: search.indifferent,
        untried: search.untried,
        runs: scene.runs(),
        records: scene.reach(),
        from_line: scene.from,
    })
}

struct Search<'a> {
    scene: &'a Scene,
    /// As recorded.
    base: Rerun,
    /// What was wanted, if it was not decided.
    wanted: Option<u32>,
    /// Whether more is wanted, or there is more than before.
    up: bool,
    changes: Vec<Finding>,
    indifferent: Vec<String>,
    untried: Vec<String>,
}

impl<'a> Search<'a> {
    fn new(scene: &'a Scene) -> Result<Self, String> {
        let base = scene.rerun(&Change::Nothing)?;
        let explained = &scene.explained;
        // Where a step is taken, what is wanted is the whole way.
        let wanted = Some(explained.proposed).filter(|proposed| *proposed != base.desired);
        let up = wanted.map_or(explained.desired >= explained.count, |wanted| wanted > base.desired);
        let (changes, indifferent, untried) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Self { scene, base, wanted, up, changes, indifferent, untried })
    }

    /// By whose doing the count is what it is.
    fn is_bound(&self, part: Part) -> bool {
        let explained = &self.scene.explained;
        match part {
            Part::Guard(guard) => {
                let acts = explained.stages.iter().any(|stage| stage.guard == guard && stage.effect != Effect::Pass);
                let runs = explained.outlook.is_some_and(|outlook| outlook.guard == guard);
                // A change that a delay has let through has waited for it.
                let waited = explained.is_change()
                    && match guard {
                        Guard::UpDelay => explained.desired > explained.count && explained.count > 0,
                        Guard::DownDelay => explained.desired < explained.count,
                        _ => false,
                    };
                acts || runs || waited
            }
            Part::Orders => true,
            Part::Policy => false,
        }
    }

    /// One run, unless there were too many or it is told other things than the one recorded.
    fn run(&self, change: &Change) -> Result<Rerun, &'static str> {
        if self.scene.runs() >= MOST_RUNS {
            return Err("too many runs");
        }
        let run = self.scene.rerun(change).map_err(|_| "does not go with the other settings")?;
        if run.refused_otherwise != self.base.refused_otherwise {
            return Err("other observations would have been refused");
        }
        Ok(run)
    }

    fn trial(&self, words: String, value: Value, orders: bool, run: &Rerun) -> Trial {
        let workers = figure(orders, run);
        // Only on the way that was wanted does it matter when.
        let ahead = if self.up { workers >= self.base.desired } else { workers <= self.base.desired };
        let since = run.since(workers, self.up).filter(|_| ahead && !orders);
        let reached = self.base.since(workers, self.up).unwrap_or(self.scene.decision.at);
        let earlier_s = since.map_or(0.0, |since| reached.saturating_since(since).as_secs_f64());
        Trial { words, value, beyond: None, workers, since, earlier_s }
    }

    /// An operator's orders, taken away.
    fn operator(&mut self) -> Result<(), String> {
        let terms = &self.scene.explained.terms;
        let mode =
            (terms.mode != Mode::Automatic).then(|| (Change::NoMode, format!("the operator's mode {}", terms.mode)));
        let reserved = self.scene.reserved.then(|| (Change::NoReservation, "any reservation".to_owned()));
        for (change, of) in mode.into_iter().chain(reserved) {
            let run = self.scene.rerun(&change)?;
            if run.desired == self.base.desired && run.committed == self.base.committed {
                self.indifferent.push(of);
                continue;
            }
            let orders = run.desired == self.base.desired;
            let least = Some(self.trial(String::new(), Value::Null, orders, &run));
            self.changes.push(Finding { of, orders, least, ..Finding::default() });
        }
        Ok(())
    }

    /// Settings that are no number: left out, or another choice.
    fn alternatives(&mut self) {
        let config = &self.scene.config;
        let json = serde_json::to_value(config).unwrap_or_default();
        let left_out = [
            ("schedule", !config.schedule().is_empty(), Part::Guard(Guard::Bounds)),
            ("up_step", config.up_step().is_some(), Part::Guard(Guard::StepLimit)),
            ("down_step", config.down_step().is_some(), Part::Guard(Guard::StepLimit)),
            ("idle_timeout", config.idle_timeout().is_some(), Part::Guard(Guard::IdleTimeout)),
            ("cliff", config.cliff().is_some(), Part::Guard(Guard::DownDelay)),
            ("buffer", config.buffer().is_some(), Part::Policy),
        ];
        for (name, _, part) in left_out.into_iter().filter(|(_, given, _)| *given) {
            self.alternative(&json, name, None, part);
        }
        let is_blind = self.scene.explained.proposals.iter().flatten().any(|proposal| proposal.blind);
        if is_blind && self.is_bound(Part::Guard(Guard::Freshness)) {
            self.alternative(&json, "blind", Some(json!("grow_only")), Part::Guard(Guard::Freshness));
        }
    }

    fn alternative(&mut self, json: &Value, name: &str, to: Option<Value>, part: Part) {
        let pointer = format!("/{name}");
        let from = json.pointer(&pointer).cloned();
        // A schedule can be long.
        let was = from.as_ref().map(Value::to_string).filter(|was| was.len() < 80).unwrap_or_default();
        if from == to {
            return;
        }
        let change = Change::Set { pointer: pointer.clone(), from, to: to.clone() };
        match self.run(&change) {
            Err(why) => self.untried.push(format!("{name} ({why})")),
            Ok(run) if run.desired == self.base.desired => {
                let with = to.map_or_else(|| format!("leaving out {name}"), |to| format!("{name}: {to}"));
                self.indifferent.push(with);
            }
            Ok(run) => {
                let words = to.as_ref().map_or_else(|| "left out".to_owned(), Value::to_string);
                let least = Some(self.trial(words, to.unwrap_or(Value::Null), false, &run));
                let (of, pointer, bound) = (name.to_owned(), Some(pointer), self.is_bound(part));
                self.changes.push(Finding { of, pointer, was, bound, least, ..Finding::default() });
            }
        }
    }

    /// Turns one setting down and up.
    fn knob(&mut self, knob: &Knob) {
        let orders = knob.part == Part::Orders;
        let (before, mut tried) = (self.changes.len(), false);
        for end in [knob.least, knob.most] {
            if end == knob.now {
                continue;
            }
            match self.run(&knob.turned(end)) {
                Err(why) => self.untried.push(format!("{} {} ({why})", knob.name, knob.unit.words(end))),
                Ok(run) => {
                    tried = true;
                    self.turned(knob, end, orders, &run);
                }
            }
        }
        if tried && self.changes.len() == before {
            self.indifferent.push(knob.name.clone());
        }
    }

    /// One end of a setting's range, and what lies on the way to it.
    fn turned(&mut self, knob: &Knob, end: u64, orders: bool, at_end: &Rerun) {
        let base = figure(orders, &self.base);
        let further = if end < knob.now { "or less" } else { "or more" };
        let beyond = |value: u64| (value != end).then_some(further);
        let mut finding = Finding {
            of: knob.name.clone(),
            pointer: Some(knob.pointer.clone()),
            was: knob.unit.words(knob.now),
            bound: self.is_bound(knob.part),
            orders,
            ..Finding::default()
        };
        if figure(orders, at_end) != base {
            let found = self.bisect(knob, end, &|run| figure(orders, run) != base);
            finding.least =
                found.map(|(value, run)| Trial { beyond: beyond(value), ..self.at(knob, value, orders, &run) });
            let wanted = self.wanted.filter(|_| !orders);
            let there = |count: u32| wanted.is_some_and(|want| if self.up { count >= want } else { count <= want });
            let reaches = |run: &Rerun| there(run.desired);
            let is_full = finding.least.as_ref().is_some_and(|least| there(least.workers));
            if reaches(at_end) && !is_full {
                let found = self.bisect(knob, end, &reaches);
                finding.full =
                    found.map(|(value, run)| Trial { beyond: beyond(value), ..self.at(knob, value, orders, &run) });
            }
        } else if !orders && self.scene.explained.is_change() {
            let half = knob.now.midpoint(end);
            for value in [half, end] {
                if let Ok(run) = self.run(&knob.turned(value)) {
                    let trial = self.at(knob, value, false, &run);
                    if trial.workers == base && trial.earlier_s > 0.0 {
                        finding.earlier.push(trial);
                    }
                }
            }
        }
        if finding.least.is_some() || !finding.earlier.is_empty() {
            self.changes.push(finding);
        }
    }

    fn at(&self, knob: &Knob, value: u64, orders: bool, run: &Rerun) -> Trial {
        self.trial(knob.unit.words(value), knob.unit.json(value), orders, run)
    }

    /// The value next to one with which `differs` is false, on the way from now to `end`, where it is true.
    fn bisect(&self, knob: &Knob, end: u64, differs: &dyn Fn(&Rerun) -> bool) -> Option<(u64, Rerun)> {
        let (mut same, mut other) = (knob.now, end);
        let mut found = None;
        while same.abs_diff(other) > 1 {
            let middle = same.midpoint(other);
            let run = self.run(&knob.turned(middle)).ok()?;
            if differs(&run) {
                (other, found) = (middle, Some(run));
            } else {
                same = middle;
            }
        }
        let run = found.or_else(|| self.run(&knob.turned(other)).ok())?;
        Some((other, run))
    }
}

/// What is ordered differs where the count does not.
const fn figure(orders: bool, run: &Rerun) -> u32 {
    if orders { run.committed } else { run.desired }
}

impl Knob {
    fn turned(&self, value: u64) -> Change {
        Change::Set { pointer: self.pointer.clone(), from: self.written.clone(), to: Some(self.unit.json(value)) }
    }
}
