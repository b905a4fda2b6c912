//! The scenarios: eleven workloads, four of them real, each with one and eight requests to a worker and three cold starts.

use std::time::Duration;

use plimsoll::sim::generate::{Arrivals, Generated, ServiceTime};
use plimsoll::sim::{ReadOptions, Request, Workload};

use crate::input;

/// A workload, and within what time its requests are to start.
pub(crate) struct Load {
    pub(crate) name: &'static str,
    pub(crate) within: Duration,
    /// What one late request less may cost under an objective with a share, in worker-seconds.
    pub(crate) price_cap: Option<u32>,
    pub(crate) workload: Workload,
}

/// One of the runs that every contender makes.
#[derive(Clone, Copy)]
pub(crate) struct Scenario<'a> {
    pub(crate) load: &'a Load,
    pub(crate) concurrency: u32,
    pub(crate) cold_start: Duration,
}

impl Scenario<'_> {
    /// `diurnal, 8 at a time, 30 s`
    pub(crate) fn name(&self) -> String {
        format!("{}, {} at a time, {} s", self.load.name, self.concurrency, self.cold_start.as_secs())
    }
}

/// Whether a scenario's workload is steady, or changes slowly: those that staffing by the rate suits.
pub(crate) fn is_smooth(name: &str) -> bool {
    ["steady5,", "steady40,", "diurnal,", "worldcup,"].iter().any(|smooth| name.starts_with(smooth))
}

/// The cold start in a scenario's name, in seconds.
pub(crate) fn cold_start(name: &str) -> u64 {
    let seconds = name.rsplit(", ").next().and_then(|last| last.strip_suffix(" s"));
    seconds.and_then(|seconds| seconds.parse().ok()).unwrap_or_default()
}

const NAMES: [&str; 11] =
    ["steady5", "steady40", "diurnal", "mmpp", "flash", "sparse", "llm", "chat", "code", "worldcup", "servegen"];
/// Of the file of five days: the first four.
const DAYS: Duration = Duration::from_secs(4 * 86_400);

/// Those on which nothing was chosen or changed: two other real ones, later days of a third, and other shapes.
const CHECKS: [&str; 7] = ["apps", "functions", "servegen-late", "mmpp-slow", "spikes", "rare", "diurnal-noisy"];

/// The workloads whose names contain `part`, of those for checking or of the others.
pub(crate) fn loads(part: &str, check: bool) -> Result<Vec<Load>, String> {
    let names: &[&str] = if check { &CHECKS } else { &NAMES };
    let found: Vec<_> = names.iter().copied().filter(|name| name.contains(part)).collect();
    if found.is_empty() {
        return Err(format!("no workload is called `{part}`: there are {}", names.join(", ")));
    }
    found.into_iter().map(load).collect()
}

/// Each workload with both concurrencies and all cold starts.
pub(crate) fn scenarios(loads: &[Load]) -> Vec<Scenario<'_>> {
    let mut scenarios = Vec::new();
    for load in loads {
        for concurrency in [1, 8] {
            for cold_start in [2, 30, 120].map(Duration::from_secs) {
                scenarios.push(Scenario { load, concurrency, cold_start });
            }
        }
    }
    scenarios
}

fn load(name: &'static str) -> Result<Load, String> {
    let (seconds, hours) = (Duration::from_secs, |hours: u64| Duration::from_secs(hours * 3_600));
    let lognormal = |mean| ServiceTime::Lognormal { mean: seconds(mean), cv: 1.0 };
    let tenth = Duration::from_millis(100);
    let drawn = |arrivals, service, duration, seed| {
        Generated { arrivals, service, duration }.draw(name, seed).map_err(|error| format!("{name}: {error}"))
    };
    let exponential = |file: &str, mean: Duration, divide: u64, seed: u64| {
        let options = ReadOptions::default().with_service(mean).with_divide_by(divide).with_drawn(seed);
        with_service(name, &read(file, &options)?, mean, seed)
    };
    let (within, workload) = match name {
        "steady5" => (tenth, drawn(Arrivals::Poisson { rate: 5.0 }, lognormal(1), hours(4), 1)),
        "steady40" => (tenth, drawn(Arrivals::Poisson { rate: 40.0 }, lognormal(1), hours(1), 2)),
        "diurnal" => {
            let arrivals = Arrivals::Diurnal { least: 0.5, most: 10.0, period: hours(24), noise: None };
            (tenth, drawn(arrivals, lognormal(1), hours(24), 3))
        }
        "mmpp" => {
            let (calm_for, busy_for) = (seconds(600), seconds(120));
            let arrivals = Arrivals::MarkovModulated { calm: 2.0, busy: 20.0, calm_for, busy_for };
            (tenth, drawn(arrivals, lognormal(1), hours(12), 4))
        }
        "flash" => {
            let arrivals = Arrivals::Spikes {
                base: 3.0,
                peak: 45.0,
                every: seconds(1_800),
                jitter: seconds(5_400),
                climb: seconds(20),
                flat: seconds(300),
                decay: seconds(120),
            };
            (tenth, drawn(arrivals, lognormal(1), hours(12), 5))
        }
        "sparse" => {
            let arrivals = Arrivals::Sparse { every: seconds(900), requests: 15.0, pause: seconds(8) };
            (tenth, drawn(arrivals, lognormal(2), hours(48), 6))
        }
        "llm" => {
            let arrivals = Arrivals::Diurnal { least: 0.3, most: 3.0, period: hours(24), noise: Some(4.0) };
            (seconds(1), drawn(arrivals, lognormal(8), hours(24), 7))
        }
        "chat" => (seconds(1), read("llm_chat_azure2023.csv", &ReadOptions::default())),
        "code" => (seconds(1), read("llm_code_azure2023.csv", &ReadOptions::default())),
        "worldcup" => (tenth, exponential("web_flashcrowd_worldcup98.csv", seconds(1), 300, 8)),
        "servegen" => {
            let days = exponential("llm_api_bursty_servegen.csv", Duration::from_millis(2_283), 1, 9);
            (seconds(1), days.and_then(|days| part(name, &days, Duration::ZERO, DAYS)))
        }
        "apps" => (seconds(1), read("serverless_apps_azure2021.csv", &ReadOptions::default())),
        "functions" => (seconds(1), read("serverless_fleet_azure2019.csv", &ReadOptions::default())),
        "servegen-late" => {
            let days = exponential("llm_api_bursty_servegen.csv", seconds(4), 1, 19);
            (seconds(1), days.and_then(|days| part(name, &days, hours(7 * 24), hours(10 * 24))))
        }
        "mmpp-slow" => {
            let (calm_for, busy_for) = (seconds(3_000), seconds(900));
            let arrivals = Arrivals::MarkovModulated { calm: 0.5, busy: 6.0, calm_for, busy_for };
            (tenth * 2, drawn(arrivals, ServiceTime::Exponential(seconds(3)), hours(24), 41))
        }
        "spikes" => {
            let (every, jitter) = (seconds(600), seconds(600));
            let (climb, flat, decay) = (seconds(60), seconds(60), seconds(60));
            let arrivals = Arrivals::Spikes { base: 8.0, peak: 40.0, every, jitter, climb, flat, decay };
            (tenth * 2, drawn(arrivals, ServiceTime::Exponential(Duration::from_millis(600)), hours(10), 42))
        }
        "rare" => {
            let service = ServiceTime::Exponential(seconds(5));
            (tenth * 5, drawn(Arrivals::Poisson { rate: 0.02 }, service, hours(48), 43))
        }
        _ => {
            let arrivals = Arrivals::Diurnal { least: 0.05, most: 20.0, period: hours(6), noise: Some(2.0) };
            (tenth * 2, drawn(arrivals, ServiceTime::Exponential(Duration::from_millis(500)), hours(24), 44))
        }
    };
    Ok(Load { name, within, price_cap: None, workload: workload? })
}

fn read(file: &str, options: &ReadOptions) -> Result<Workload, String> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join(file);
    input::workload(Some(&path), options)
}

/// What arrives from `start` to `end`, which ends with the last of them.
fn part(name: &str, workload: &Workload, start: Duration, end: Duration) -> Result<Workload, String> {
    Workload::from_requests(name, workload.between(start, end).requests().to_vec()).map_err(|error| error.to_string())
}

/// The same arrivals with exponential service times: files that count requests do not say how long they took.
fn with_service(name: &str, workload: &Workload, mean: Duration, seed: u64) -> Result<Workload, String> {
    let duration = Duration::from_secs(1);
    let count = workload.requests().len() as f64;
    // As many services as there are arrivals: those of a Poisson process that is long enough.
    let rate = (count * 1.05 + 1_000.0).min(1e9);
    let service = ServiceTime::Exponential(mean);
    let drawn = Generated { arrivals: Arrivals::Poisson { rate }, service, duration }
        .draw(name, seed)
        .map_err(|error| format!("{name}: {error}"))?;
    let requests = workload.requests().iter().zip(drawn.requests());
    let requests = requests.map(|(request, drawn)| Request { service: drawn.service, ..*request });
    Workload::from_requests(name, requests.collect()).map_err(|error| error.to_string())
}
