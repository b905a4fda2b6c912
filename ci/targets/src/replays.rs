//! What each preset decides on real workloads, in integers and codes only: the logs in `tests/golden/`.

use core::fmt::Write as _;
use core::time::Duration;
use std::io::Read;

use plimsoll::sim::{Options, ReadOptions, Watch, Workload, simulate};
use plimsoll::{Decision, Preset, Timestamp};

/// A preset, the workload it is replayed on, and for how many minutes the log goes.
pub type Replay = (Preset, &'static str, u64);

/// In the order of the logs' names.
pub const REPLAYS: [Replay; 7] = [
    (Preset::OutpostDevelopment, "llm_code_azure2023.csv", 20),
    (Preset::OutpostGpu, "llm_code_azure2023.csv", 60),
    (Preset::RunpodBalanced, "llm_code_azure2023.csv", 20),
    (Preset::RunpodBatch, "serverless_apps_azure2021.csv", 30),
    (Preset::RunpodHighPerformance, "llm_chat_azure2023.csv", 10),
    (Preset::RunpodLowCost, "serverless_apps_azure2021.csv", 60),
    (Preset::RunpodLowLatency, "llm_code_azure2023.csv", 10),
];

/// Collects one line per decision: instant, count before and after, what decided, commands.
#[derive(Default)]
struct Log {
    text: String,
    until: Option<Timestamp>,
}

impl Watch for Log {
    fn decision(&mut self, decision: &Decision) {
        if self.until.is_some_and(|until| decision.at > until) {
            return;
        }
        let explanation = &decision.explanation;
        assert_eq!(explanation.fold(), decision.desired);
        let commands = serde_json::to_string(&decision.commands).unwrap();
        let (from, to, code) = (explanation.count, decision.desired, explanation.code());
        writeln!(self.text, "{} {from}->{to} {code} {commands}", decision.at).unwrap();
    }
}

/// The decisions of the first `minutes` of the workload in `file`, whose bytes are `input`.
///
/// # Panics
/// If the workload cannot be read or a request gets lost.
pub fn log(preset: Preset, file: &str, input: impl Read, minutes: u64) -> String {
    let workload = Workload::read(file, input, &ReadOptions::default()).unwrap();
    let mut log = Log { until: Some(Timestamp::from_secs(minutes * 60)), ..Log::default() };
    let mut how = Options::default();
    how.cold_start = Duration::from_secs(20);
    let outcome = simulate(&workload, &preset.config(), &how, &mut log);
    assert_eq!((outcome.refused, outcome.lost, outcome.unserved), (0, 0, 0), "{preset} on {file}");
    assert_eq!(outcome.finished, outcome.requests);
    log.text
}
