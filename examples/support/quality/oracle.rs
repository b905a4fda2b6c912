//! What those cost who know the arrival rate: of all times, or of now.

use std::fs;
use std::path::Path;

use plimsoll::Share;
use plimsoll::sim::{Objective, Options, References};
use serde::{Deserialize, Serialize};

use crate::score::{Pairing, geometric};
use crate::suite::{self, Scenario};
use crate::trial;

/// Of one scenario, in worker-seconds; none where no staffing by the rate keeps the share.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Oracles {
    pub(crate) scenario: String,
    pub(crate) share: f64,
    /// Who knows the rate of all times.
    pub(crate) future: Option<f64>,
    /// Who knows the rate of now.
    pub(crate) present: Option<f64>,
}

/// The objective's cost over a reference's: the geometric mean where it keeps the share and the reference does.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Against {
    pub(crate) reference: &'static str,
    pub(crate) workloads: &'static str,
    pub(crate) scenarios: usize,
    pub(crate) ratio: f64,
}

impl Oracles {
    pub(crate) fn of(scenario: &Scenario<'_>, share: Share) -> Self {
        let mut options = Options::default();
        options.cold_start = scenario.cold_start;
        let objective = Objective { share, within: scenario.load.within };
        let workload = trial::counted(&scenario.load.workload);
        let oracles = References::oracles(&workload, scenario.concurrency, objective, &options);
        let [future, present] = oracles.map(|oracle| oracle.map(|oracle| oracle.worker_hours * 3_600.0));
        Self { scenario: scenario.name(), share: share.as_f64(), future, present }
    }

    /// Whether it is of this scenario and this share.
    pub(crate) fn is_of(&self, scenario: &str, share: Share) -> bool {
        self.scenario == scenario && (self.share - share.as_f64()).abs() < 1e-9
    }

    /// Those of earlier runs; none if there is no such file.
    pub(crate) fn read(path: &Path) -> Result<Vec<Self>, String> {
        let unreadable = |error: csv::Error| format!("{}: cannot be read: {error}", path.display());
        if !path.exists() {
            return Ok(Vec::new());
        }
        csv::Reader::from_path(path).map_err(unreadable)?.deserialize().collect::<Result<_, _>>().map_err(unreadable)
    }

    pub(crate) fn write(path: &Path, oracles: &[Self]) -> Result<(), csv::Error> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut csv = csv::Writer::from_path(path)?;
        for oracle in oracles {
            csv.serialize(oracle)?;
        }
        Ok(csv.flush()?)
    }
}

/// Against each reference: on smooth workloads, on the others, and on all.
pub(crate) fn against(pairings: &[Pairing], oracles: &[Oracles], share: f64) -> Vec<Against> {
    let oracle = |pairing: &Pairing| oracles.iter().find(|oracle| oracle.scenario == pairing.scenario);
    let costs = |pairing: &Pairing| {
        let oracle = oracle(pairing);
        [oracle.and_then(|oracle| oracle.future), oracle.and_then(|oracle| oracle.present), pairing.bound]
    };
    let smooth = |pairing: &&Pairing| suite::is_smooth(&pairing.scenario);
    let mut found = Vec::new();
    for (at, reference) in ["who knows the future rate", "who knows the present rate", "the bound"].iter().enumerate() {
        let cost = |pairing: &Pairing| costs(pairing).get(at).copied().flatten();
        for (workloads, wanted) in [("smooth", [true, true]), ("others", [false, false]), ("all", [true, false])] {
            let there = pairings.iter().filter(|pairing| wanted.contains(&smooth(pairing)));
            let kept = there.filter(|pairing| pairing.objective.in_time >= share);
            let ratios: Vec<f64> = kept.filter_map(|pairing| Some(pairing.objective.cost / cost(pairing)?)).collect();
            let (scenarios, ratio) = (ratios.len(), geometric(ratios.into_iter()));
            if scenarios > 0 {
                found.push(Against { reference, workloads, scenarios, ratio });
            }
        }
    }
    found
}
