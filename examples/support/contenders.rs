//! Who takes part in a comparison: what was given, or else other autoscalers at their stock settings and the native rules.

use std::path::{Path, PathBuf};
use std::time::Duration;

use plimsoll::policy::{ConcurrencyTarget, Objective, Outpost, RunPod};
use plimsoll::sim::peers::{Kind, Stock};
use plimsoll::sim::{self, Peer, Workload};
use plimsoll::{Config, Policy, Rate};

use crate::contest::{Contender, Rule};
use crate::input;

/// The configurations given on the command line.
pub(crate) fn given(configs: &[PathBuf], peers: &[PathBuf]) -> Result<Vec<Contender>, String> {
    let mut contenders = Vec::new();
    for path in configs {
        let config = Box::new(input::config(path)?.into_config());
        contenders.push(Contender { name: name(path), rule: Rule::Native(config) });
    }
    for path in peers {
        let peer = Box::new(peer(path)?);
        contenders.push(Contender { name: format!("{} ({})", peer.name(), name(path)), rule: Rule::Peer(peer) });
    }
    Ok(contenders)
}

fn peer(path: &Path) -> Result<Peer, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: cannot be read: {error}", path.display()))?;
    // JSON is YAML too.
    serde_saphyr::from_str(&text).map_err(|error| format!("{}: {}", path.display(), error.without_snippet()))
}

fn name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}

/// Five other autoscalers at their stock settings and five native rules, for a service such as this. One of those is told the
/// objective and nothing else.
pub(crate) fn usual(
    workload: &Workload,
    concurrency: u32,
    max: u32,
    asked: sim::Objective,
) -> Result<Vec<Contender>, String> {
    let requests = u32::try_from(workload.requests().len().max(1)).unwrap_or(u32::MAX);
    let work = workload.requests().iter().fold(Duration::ZERO, |sum, request| sum.saturating_add(request.service));
    let mean = (work / requests).max(Duration::from_millis(1));
    let stock = Stock { concurrency, mean_service: mean, min: 0, max };
    let peers = Kind::ALL.into_iter().map(|kind| Contender {
        name: format!("{}, stock", kind.name()),
        rule: Rule::Peer(Box::new(Peer::defaults(kind, &stock))),
    });
    let mut contenders: Vec<_> = peers.collect();
    let capacity = 0.8 * f64::from(concurrency) / mean.as_secs_f64();
    let rate = Rate::per_second(capacity).map_err(|error| error.to_string())?;
    let target = ConcurrencyTarget::new(0.7 * f64::from(concurrency)).map_err(|error| error.to_string())?;
    let seconds = Duration::from_secs;
    let native = [
        (
            "Outpost, 80 %, 30 s up, 300 s down",
            Config::new(Policy::Outpost(Outpost::new(rate)), 0, max)
                .and_then(|config| config.with_up_delay(seconds(30))?.with_down_delay(seconds(300))),
        ),
        ("RunPod, queue delay 4 s, idle 5 s", Config::runpod(RunPod::queue_delay(seconds(4)), 0, max, seconds(5))),
        ("RunPod, request count 1, idle 60 s", Config::runpod(RunPod::request_count(1), 0, max, seconds(60))),
        (
            "concurrency 70 %, 120 s down",
            Config::new(Policy::Concurrency(target), 0, max).and_then(|config| config.with_down_delay(seconds(120))),
        ),
    ];
    let told = Config::objective(Objective::share(asked.share, asked.within), 0, max);
    let native = native.map(|(name, config)| (name.to_owned(), config));
    for (name, config) in native
        .into_iter()
        .chain([(format!("objective, {} % in time", f64::from(asked.share.as_micros()) / 10_000.0), told)])
    {
        let config =
            config.and_then(|config| config.with_concurrency(concurrency)).map_err(|error| error.to_string())?;
        contenders.push(Contender { name, rule: Rule::Native(Box::new(config)) });
    }
    Ok(contenders)
}
