//! Looks for the cheapest configuration that keeps the objective: first all over the grid, then around the best.
//!
//! 1. A third of the runs goes to points of a Halton sequence, which fills the space more evenly than chance does, shifted by
//!    the seed.
//! 2. A pattern search begins at the best of them: every value one step up and down, and all together where each alone is
//!    better; the best is taken while it is better, then the steps are halved. What is left of the runs begins at the next
//!    best point.
//! 3. The best has each value halved and doubled, as long as that improves it, and each put back to what is usual, where
//!    that makes no difference.
//!
//! Everything is tried in batches that do not depend on each other, so the number of threads changes nothing.

use std::collections::BTreeMap;

use indicatif::ProgressBar;

use super::space::{Space, Values};
use super::trial::{Ground, Verdict, mixed};
use crate::parallel;

/// Bases of the Halton sequence, one for each knob.
const PRIMES: [u64; 8] = [2, 3, 5, 7, 11, 13, 17, 19];
/// A value goes back to the usual one where that costs no more than this share: less is not worth a line in a file.
const NO_DIFFERENCE: f64 = 0.002;

/// A configuration that was tried.
#[derive(Debug, Clone)]
pub(crate) struct Tried {
    pub(crate) values: Values,
    pub(crate) verdict: Verdict,
}

/// A value halved or doubled, and what came of it.
#[derive(Debug, Clone)]
pub(crate) struct Changed {
    pub(crate) value: u64,
    pub(crate) verdict: Verdict,
}

/// A search in one space.
pub(crate) struct Search<'a> {
    pub(crate) space: &'a Space,
    ground: &'a Ground,
    threads: usize,
    progress: &'a ProgressBar,
    seen: BTreeMap<Values, Verdict>,
    /// In the order in which they were tried.
    pub(crate) tried: Vec<Tried>,
    budget: usize,
}

impl<'a> Search<'a> {
    pub(crate) const fn new(space: &'a Space, ground: &'a Ground, threads: usize, progress: &'a ProgressBar) -> Self {
        Self { space, ground, threads, progress, seen: BTreeMap::new(), tried: Vec::new(), budget: 0 }
    }

    /// Searches with so many runs, and a few more at the end.
    pub(crate) fn run(&mut self, budget: usize, seed: u64) -> Result<Tried, String> {
        self.budget = budget;
        let mut first: Vec<Values> = self.space.start.iter().cloned().collect();
        first.push(self.space.safe());
        first.extend((0..budget / 3).map(|number| self.halton(number as u64, seed)));
        self.batch(&first)?;
        let mut starts = self.ranked();
        starts.reverse();
        while self.left() > 0 {
            let Some(start) = starts.pop() else { break };
            self.descend(start)?;
        }
        let mut best = self.ranked().into_iter().next().ok_or("nothing was tried: raise --budget")?;
        best = self.polish(best)?;
        self.simplify(best)
    }

    fn left(&self) -> usize {
        self.budget.saturating_sub(self.tried.len())
    }

    /// Everything tried, the best first; of equals the earliest.
    fn ranked(&self) -> Vec<Tried> {
        let mut tried = self.tried.clone();
        tried.sort_by(|a, b| {
            let (a, b) = (a.verdict.rank(), b.verdict.rank());
            a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)).then(a.2.total_cmp(&b.2))
        });
        tried
    }

    /// Tries those that were not tried before.
    fn batch(&mut self, all: &[Values]) -> Result<(), String> {
        let mut new: Vec<Values> = Vec::new();
        for values in all {
            if !self.seen.contains_key(values) && !new.contains(values) {
                new.push(values.clone());
            }
        }
        let (space, ground) = (self.space, self.ground);
        let verdicts = parallel::map(&new, self.threads, self.progress, |values| {
            space.config(values).map(|config| ground.judge(&config))
        });
        for (values, verdict) in new.into_iter().zip(verdicts) {
            let verdict = verdict?;
            self.seen.insert(values.clone(), verdict);
            self.tried.push(Tried { values, verdict });
        }
        Ok(())
    }

    /// The best of these, if it is better than `than`.
    fn improved(&mut self, all: &[Values], than: &Tried) -> Result<Option<Tried>, String> {
        self.batch(all)?;
        let mut best = than.clone();
        for values in all {
            if let Some(verdict) = self.seen.get(values).filter(|verdict| verdict.is_better_than(&best.verdict)) {
                best = Tried { values: values.clone(), verdict: *verdict };
            }
        }
        Ok((best.values != than.values).then_some(best))
    }

    fn halton(&self, number: u64, seed: u64) -> Values {
        let knobs = self.space.knobs.iter().zip(PRIMES).enumerate();
        let value = |(position, (knob, base)): (usize, (&super::space::Knob, u64))| {
            let (mut rest, mut place, mut share) = (number + 1, 1.0, 0.0);
            while rest > 0 {
                place /= base as f64;
                share += place * (rest % base) as f64;
                rest /= base;
            }
            let shift = (mixed(seed.wrapping_add(position as u64)) >> 11) as f64 / (1_u64 << 53) as f64;
            let at = ((share + shift) % 1.0 * knob.grid.len() as f64) as usize;
            knob.grid.get(at.min(knob.grid.len().saturating_sub(1))).copied().unwrap_or(0)
        };
        knobs.map(value).collect()
    }

    fn descend(&mut self, start: Tried) -> Result<(), String> {
        let mut best = start;
        let mut part = 4;
        while self.left() > 0 {
            let (mut around, mut finest) = (Vec::new(), true);
            for (position, knob) in self.space.knobs.iter().enumerate() {
                let step = (knob.grid.len() / part).max(1);
                finest &= step == 1;
                let Some(value) = best.values.get(position) else { continue };
                let at = knob.grid.partition_point(|other| other < value);
                let lower = at.checked_sub(step).and_then(|at| knob.grid.get(at));
                for other in lower.into_iter().chain(knob.grid.get(at + step)) {
                    around.push((position, *other));
                }
            }
            around.truncate(self.left());
            let mut all: Vec<_> = around.iter().map(|(at, value)| with(&best.values, *at, *value)).collect();
            self.batch(&all)?;
            // Every value goes where it alone is better, all at once.
            let mut together = best.values.clone();
            let mut moved = vec![best.verdict; together.len()];
            for ((position, value), values) in around.iter().zip(&all) {
                let (Some(verdict), Some(least)) = (self.seen.get(values), moved.get_mut(*position)) else { continue };
                if verdict.is_better_than(least) {
                    *least = *verdict;
                    together = with(&together, *position, *value);
                }
            }
            all.push(together);
            match self.improved(&all, &best)? {
                Some(better) => best = better,
                None if finest => break,
                None => part *= 2,
            }
        }
        Ok(())
    }

    fn polish(&mut self, start: Tried) -> Result<Tried, String> {
        let mut best = start;
        for _ in 0..8 {
            let around: Vec<_> = (0..self.space.knobs.len())
                .flat_map(|position| self.changes(&best.values, position))
                .flatten()
                .filter(|(position, value)| self.space.knobs.get(*position).is_some_and(|knob| knob.covers(*value)))
                .map(|(position, value)| with(&best.values, position, value))
                .collect();
            match self.improved(&around, &best)? {
                Some(better) => best = better,
                None => break,
            }
        }
        Ok(best)
    }

    fn simplify(&mut self, start: Tried) -> Result<Tried, String> {
        let mut best = start;
        if !best.verdict.keeps_objective {
            return Ok(best);
        }
        let limit = best.verdict.figures.worker_hours * (1.0 + NO_DIFFERENCE);
        for (position, knob) in self.space.knobs.iter().enumerate() {
            let Some(usual) = knob.usual.filter(|usual| best.values.get(position) != Some(usual)) else { continue };
            let values = with(&best.values, position, usual);
            self.batch(std::slice::from_ref(&values))?;
            let verdict = self.seen.get(&values).copied();
            if let Some(verdict) = verdict.filter(|it| it.keeps_objective && it.figures.worker_hours <= limit) {
                best = Tried { values, verdict };
            }
        }
        Ok(best)
    }

    /// One value halved, and doubled, by its position.
    fn changes(&self, values: &[u64], position: usize) -> [Option<(usize, u64)>; 2] {
        let Some((knob, value)) = self.space.knobs.get(position).zip(values.get(position)) else { return [None; 2] };
        if knob.grid.len() < 2 {
            return [None; 2];
        }
        [knob.half(*value), knob.double(*value)].map(|changed| changed.map(|value| (position, value)))
    }

    /// What each value halved, and doubled, leads to, in the order of the knobs.
    pub(crate) fn sensitivity(&mut self, values: &[u64]) -> Result<Vec<[Option<Changed>; 2]>, String> {
        let changes: Vec<_> = (0..self.space.knobs.len()).map(|position| self.changes(values, position)).collect();
        let all: Vec<_> =
            changes.iter().flatten().flatten().map(|(position, value)| with(values, *position, *value)).collect();
        self.batch(&all)?;
        let of = |(position, value): (usize, u64)| {
            let verdict = *self.seen.get(&with(values, position, value))?;
            Some(Changed { value, verdict })
        };
        Ok(changes.into_iter().map(|both| both.map(|change| change.and_then(of))).collect())
    }
}

fn with(values: &[u64], position: usize, value: u64) -> Values {
    let mut values = values.to_vec();
    if let Some(slot) = values.get_mut(position) {
        *slot = value;
    }
    values
}
