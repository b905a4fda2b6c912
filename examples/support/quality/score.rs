//! What the trials come to: shares kept, and cost against others.
#![allow(clippy::disallowed_methods, reason = "logarithms of numbers for people")]

use std::collections::BTreeMap;

use serde::Serialize;

use crate::oracle::{self, Against, Oracles};
use crate::rules::{PRICES, Rule};
use crate::suite;
use crate::trial::Trial;

/// What one rule comes to over all scenarios.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Score {
    pub(crate) rule: String,
    pub(crate) objective: bool,
    /// Scenarios in which the share was kept.
    pub(crate) met: usize,
    /// Geometric mean of the cost over the bound's, whether met or not.
    pub(crate) over_bound: f64,
    /// Changes of direction, per hour.
    pub(crate) reversals: f64,
    /// Cost and so much for each late request, over the least of any other autoscaler: at each of the prices.
    pub(crate) priced: [f64; 2],
}

/// One scenario: the objective's trial and the cheapest other that met the share.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Pairing {
    pub(crate) scenario: String,
    pub(crate) objective: Trial,
    pub(crate) best: Option<Trial>,
    /// Worker-seconds below which nobody keeps the share; not computed for every share.
    pub(crate) bound: Option<f64>,
}

/// One objective for all scenarios, against what keeps the same share.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Goal {
    pub(crate) share: f64,
    /// Scenarios in which the objective kept it, in which some other did, and in which both.
    pub(crate) met: usize,
    pub(crate) others_met: usize,
    pub(crate) both_met: usize,
    /// Geometric mean over the latter: the objective's cost over that of the cheapest other that met it there.
    pub(crate) against_each: f64,
    /// The cheapest single other that met as many, or if none did the one that met the most.
    pub(crate) single: Option<Single>,
    #[serde(skip)]
    pub(crate) pairings: Vec<Pairing>,
}

/// One setting of another autoscaler for all scenarios.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Single {
    pub(crate) rule: String,
    pub(crate) met: usize,
    /// The objective's cost over its, whether met or not.
    pub(crate) ratio: f64,
}

/// All of it, for the first share in detail.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Quality {
    pub(crate) share: f64,
    pub(crate) scores: Vec<Score>,
    pub(crate) pairings: Vec<Pairing>,
    pub(crate) goals: Vec<Goal>,
    pub(crate) reversals: Vec<Reversals>,
    pub(crate) against: Vec<Against>,
}

/// Changes of direction per hour, on average over the scenarios with a cold start in which both kept the share.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Reversals {
    pub(crate) cold_start: String,
    pub(crate) scenarios: usize,
    pub(crate) objective: f64,
    /// The cheapest other's that kept it there.
    pub(crate) cheapest: f64,
}

impl Quality {
    /// `bounds` are in worker-seconds, by scenario; they and the oracles are those of the first share.
    pub(crate) fn of(trials: &[Trial], bounds: &BTreeMap<String, f64>, oracles: &[Oracles], shares: &[f64]) -> Self {
        let share = shares.first().copied().unwrap_or_default();
        let mut goals: Vec<_> = shares.iter().map(|share| Goal::of(trials, *share)).collect();
        let mut pairings = goals.first_mut().map(|goal| core::mem::take(&mut goal.pairings)).unwrap_or_default();
        for pairing in &mut pairings {
            pairing.bound = bounds.get(&pairing.scenario).copied();
        }
        let mut scores: Vec<_> =
            names(trials).into_iter().map(|(rule, own)| Score::of(rule, &own, trials, bounds, share)).collect();
        scores.sort_by(|a, b| b.met.cmp(&a.met).then(a.over_bound.total_cmp(&b.over_bound)));
        let against = oracle::against(&pairings, oracles, share);
        Self { share, scores, goals, reversals: Reversals::of(&pairings, share), against, pairings }
    }
}

impl Reversals {
    fn of(pairings: &[Pairing], share: f64) -> Vec<Self> {
        let mut sums: BTreeMap<u64, (usize, [f64; 2])> = BTreeMap::new();
        for Pairing { scenario, objective, best, .. } in pairings {
            let Some(best) = best.as_ref().filter(|_| objective.in_time >= share) else { continue };
            let (count, [own, cheapest]) = sums.entry(suite::cold_start(scenario)).or_default();
            (*count, *own, *cheapest) = (*count + 1, *own + objective.reversals, *cheapest + best.reversals);
        }
        let mean = |(cold_start, (scenarios, [objective, cheapest])): (u64, (usize, [f64; 2]))| Self {
            cold_start: format!("{cold_start} s"),
            scenarios,
            objective: objective / scenarios as f64,
            cheapest: cheapest / scenarios as f64,
        };
        sums.into_iter().map(mean).collect()
    }
}

impl Score {
    fn of(rule: &str, own: &[&Trial], trials: &[Trial], bounds: &BTreeMap<String, f64>, share: f64) -> Self {
        let least = |scenario: &str, price: u32| {
            let there = trials.iter().filter(|trial| !trial.objective && trial.scenario == scenario);
            there.map(|trial| trial.priced(price)).fold(f64::INFINITY, f64::min)
        };
        let over = |trial: &&Trial| Some(trial.cost / bounds.get(&trial.scenario)?);
        Self {
            rule: rule.to_owned(),
            objective: own.iter().any(|trial| trial.objective),
            met: own.iter().filter(|trial| trial.in_time >= share).count(),
            over_bound: geometric(own.iter().filter_map(over)),
            reversals: own.iter().map(|trial| trial.reversals).sum::<f64>() / own.len().max(1) as f64,
            priced: PRICES
                .map(|price| geometric(own.iter().map(|trial| trial.priced(price) / least(&trial.scenario, price)))),
        }
    }
}

impl Goal {
    fn of(trials: &[Trial], share: f64) -> Self {
        let met = |trial: &&Trial| trial.in_time >= share;
        let rules = names(trials);
        let own = rules.get(Rule::Share(share).name().as_str()).cloned().unwrap_or_default();
        let pairing = |objective: &&Trial| {
            let there = trials.iter().filter(|trial| !trial.objective && trial.scenario == objective.scenario);
            Pairing {
                scenario: objective.scenario.clone(),
                objective: (*objective).clone(),
                best: there.filter(met).min_by(|a, b| a.cost.total_cmp(&b.cost)).cloned(),
                bound: None,
            }
        };
        let pairings: Vec<_> = own.iter().map(pairing).collect();
        let both = pairings.iter().filter(|pairing| met(&&pairing.objective));
        let both: Vec<_> = both.filter_map(|pairing| Some((&pairing.objective, pairing.best.as_ref()?))).collect();
        let kept = own.iter().copied().filter(|trial| met(trial)).count();
        let single = |(rule, others): (&&str, &Vec<&Trial>)| {
            let met = others.iter().filter(|trial| met(trial)).count();
            let there = |trial: &&Trial| others.iter().find(|other| other.scenario == trial.scenario);
            let ratios = own.iter().filter_map(|trial| Some(trial.cost / there(trial)?.cost));
            let is_other = others.iter().all(|trial| !trial.objective);
            is_other.then(|| Single { rule: (*rule).to_owned(), met, ratio: geometric(ratios) })
        };
        // All that met as many are as good as each other, and then the cheapest is the one over which the cost is highest.
        let better = |a: &Single, b: &Single| a.met.min(kept).cmp(&b.met.min(kept)).then(a.ratio.total_cmp(&b.ratio));
        Self {
            share,
            met: kept,
            others_met: pairings.iter().filter(|pairing| pairing.best.is_some()).count(),
            both_met: both.len(),
            against_each: geometric(both.iter().map(|(own, best)| own.cost / best.cost)),
            single: rules.iter().filter_map(single).max_by(better),
            pairings,
        }
    }
}

/// Each rule's trials.
fn names(trials: &[Trial]) -> BTreeMap<&str, Vec<&Trial>> {
    let mut names: BTreeMap<&str, Vec<&Trial>> = BTreeMap::new();
    for trial in trials {
        names.entry(&trial.rule).or_default().push(trial);
    }
    names
}

/// Not a number if there are none.
pub(crate) fn geometric(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0_u32), |(sum, count), value| (sum + value.ln(), count + 1));
    (sum / f64::from(count)).exp()
}
