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

/// The objective's cost over a reference's: the geometric mean where both keep the share, and in how many scenarios that is.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Against {
    pub(crate) reference: &'static str,
    pub(crate) smooth: (f64, usize),
    pub(crate) others: (f64, usize),
    pub(crate) all: (f64, usize),
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

/// Against each reference that there is.
pub(crate) fn against(pairings: &[Pairing], oracles: &[Oracles], share: f64) -> Vec<Against> {
    let costs = |pairing: &Pairing| {
        let oracle = oracles.iter().find(|oracle| oracle.scenario == pairing.scenario);
        [oracle.and_then(|oracle| oracle.future), oracle.and_then(|oracle| oracle.present), pairing.bound]
    };
    let kept = || pairings.iter().filter(|pairing| pairing.objective.in_time >= share);
    let over = |at: usize, wanted: &[bool]| {
        let there = kept().filter(|pairing| wanted.contains(&suite::is_smooth(&pairing.scenario)));
        let ratio = |pairing: &Pairing| Some(pairing.objective.cost / costs(pairing).get(at).copied().flatten()?);
        let ratios: Vec<f64> = there.filter_map(ratio).collect();
        (geometric(ratios.iter().copied()), ratios.len())
    };
    let references = ["who knows the future rate", "who knows the present rate", "the bound"];
    let all = references.into_iter().enumerate().map(|(at, reference)| Against {
        reference,
        smooth: over(at, &[true]),
        others: over(at, &[false]),
        all: over(at, &[true, false]),
    });
    all.filter(|against| against.all.1 > 0).collect()
}
