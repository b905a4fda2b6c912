//! What the trials come to: goals met, and cost against others.
#![allow(clippy::disallowed_methods, reason = "logarithms of numbers for people")]

use std::collections::BTreeMap;

use serde::Serialize;

use crate::rules::PRICES;
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
    /// Changes of direction within five minutes, per hour.
    pub(crate) reversals: f64,
    /// Cost and so much for each late request, over the least of any other autoscaler: at each of the prices.
    pub(crate) priced: [f64; 2],
}

/// One scenario: the bound, the objective's trial and the cheapest other that met the share.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Pairing {
    pub(crate) scenario: String,
    pub(crate) objective: Trial,
    pub(crate) best: Option<Trial>,
    /// Worker-seconds below which nobody keeps the share.
    pub(crate) bound: f64,
}

/// All of it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Quality {
    pub(crate) share: f64,
    pub(crate) scores: Vec<Score>,
    pub(crate) pairings: Vec<Pairing>,
    /// Scenarios in which some other autoscaler met the share, and those in which both did.
    pub(crate) others_met: usize,
    pub(crate) both_met: usize,
    /// Geometric mean over the latter: the objective's cost over that of the cheapest other that met it there.
    pub(crate) against_each: f64,
    /// The cheapest single other that met as many, and the objective's cost over its.
    pub(crate) single: Option<(String, f64)>,
}

impl Quality {
    /// `bounds` are in worker-seconds, by scenario.
    pub(crate) fn of(trials: &[Trial], bounds: &BTreeMap<String, f64>, share: f64, name: &str) -> Self {
        let met = |trial: &&Trial| trial.in_time >= share;
        let of = |rule: &str| trials.iter().filter(|trial| trial.rule == rule).collect::<Vec<_>>();
        let mut names: Vec<(&str, bool)> = Vec::new();
        for trial in trials {
            if !names.iter().any(|(name, _)| *name == trial.rule) {
                names.push((&trial.rule, trial.objective));
            }
        }
        let others = || trials.iter().filter(|trial| !trial.objective);
        let least = |scenario: &str, price: u32| {
            let there = others().filter(|trial| trial.scenario == scenario);
            there.map(|trial| trial.priced(price)).fold(f64::INFINITY, f64::min)
        };
        let score = |(rule, objective): (&str, bool)| {
            let own = of(rule);
            let over = |trial: &&Trial| trial.cost / bounds.get(&trial.scenario).copied().unwrap_or(f64::NAN);
            Score {
                rule: rule.to_owned(),
                objective,
                met: own.iter().copied().filter(met).count(),
                over_bound: geometric(own.iter().map(over)),
                reversals: own.iter().map(|trial| trial.reversals).sum::<f64>() / own.len().max(1) as f64,
                priced: PRICES.map(|price| {
                    geometric(own.iter().map(|trial| trial.priced(price) / least(&trial.scenario, price)))
                }),
            }
        };
        let mut scores: Vec<_> = names.into_iter().map(score).collect();
        let pairings: Vec<_> = of(name)
            .into_iter()
            .map(|objective| {
                let there = others().filter(|trial| trial.scenario == objective.scenario).filter(met);
                Pairing {
                    scenario: objective.scenario.clone(),
                    objective: objective.clone(),
                    best: there.min_by(|a, b| a.cost.total_cmp(&b.cost)).cloned(),
                    bound: bounds.get(&objective.scenario).copied().unwrap_or(f64::NAN),
                }
            })
            .collect();
        let both = pairings.iter().filter(|pairing| met(&&pairing.objective));
        let ratios: Vec<f64> =
            both.filter_map(|pairing| Some(pairing.objective.cost / pairing.best.as_ref()?.cost)).collect();
        let goal = scores.iter().find(|score| score.rule == name).map_or(0, |score| score.met);
        let as_many = scores.iter().filter(|score| !score.objective && score.met >= goal);
        let single = as_many.min_by(|a, b| a.over_bound.total_cmp(&b.over_bound)).map(|score| {
            let own = of(name);
            let theirs = |trial: &&Trial| of(&score.rule).into_iter().find(|other| other.scenario == trial.scenario);
            let ratios = own.iter().filter_map(|trial| Some(trial.cost / theirs(trial)?.cost));
            (score.rule.clone(), geometric(ratios))
        });
        scores.sort_by(|a, b| b.met.cmp(&a.met).then(a.over_bound.total_cmp(&b.over_bound)));
        Self {
            share,
            scores,
            others_met: pairings.iter().filter(|pairing| pairing.best.is_some()).count(),
            both_met: ratios.len(),
            against_each: geometric(ratios.into_iter()),
            pairings,
            single,
        }
    }
}

/// Not a number if there are none.
fn geometric(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0_u32), |(sum, count), value| (sum + value.ln(), count + 1));
    (sum / f64::from(count)).exp()
}
