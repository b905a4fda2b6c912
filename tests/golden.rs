//! Golden decision logs: what each preset decided on real workloads, in integers and codes only.
//!
//! A difference is a change of behaviour. If it is meant, run `BLESS=1 cargo test --test golden` and say it in the
//! CHANGELOG under **Behaviour**.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::std_instead_of_core,
    reason = "a test says loudly what is wrong"
)]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, fs};

use plimsoll::sim::{Options, ReadOptions, Watch, Workload, simulate};
use plimsoll::{Decision, Preset, Timestamp};

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

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn log(preset: Preset, file: &str, minutes: u64) -> String {
    let input = fs::File::open(project("data").join(file)).unwrap();
    let workload = Workload::read(file, input, &ReadOptions::default()).unwrap();
    let mut log = Log { until: Some(Timestamp::from_secs(minutes * 60)), ..Log::default() };
    let mut how = Options::default();
    how.cold_start = Duration::from_secs(20);
    let outcome = simulate(&workload, &preset.config(), &how, &mut log);
    assert_eq!((outcome.refused, outcome.lost, outcome.unserved), (0, 0, 0), "{preset} on {file}");
    assert_eq!(outcome.finished, outcome.requests);
    log.text
}

#[test]
fn decisions_are_those_of_the_golden_logs() {
    for (preset, file, minutes) in [
        (Preset::OutpostGpu, "llm_code_azure2023.csv", 60),
        (Preset::OutpostDevelopment, "llm_code_azure2023.csv", 20),
        (Preset::RunpodLowCost, "serverless_apps_azure2021.csv", 60),
        (Preset::RunpodBalanced, "llm_code_azure2023.csv", 20),
        (Preset::RunpodHighPerformance, "llm_chat_azure2023.csv", 10),
        (Preset::RunpodBatch, "serverless_apps_azure2021.csv", 30),
        (Preset::RunpodLowLatency, "llm_code_azure2023.csv", 10),
    ] {
        let got = log(preset, file, minutes);
        assert!(!got.is_empty(), "{preset} decided nothing on {file}");
        let path = project("tests/golden").join(format!("{preset}.txt"));
        if env::var_os("BLESS").is_some() {
            fs::write(&path, &got).unwrap();
        }
        let want = fs::read_to_string(&path).unwrap_or_default();
        let line = got.lines().zip(want.lines()).position(|(got, want)| got != want);
        let line = line.unwrap_or_else(|| got.lines().count().min(want.lines().count()));
        assert!(
            got == want,
            "{preset} on {file} differs from {} at line {}:\n  was {}\n  is  {}\n\
             If this is meant: BLESS=1 cargo test --test golden, and a line under Behaviour in CHANGELOG.md.",
            path.display(),
            line + 1,
            want.lines().nth(line).unwrap_or("(nothing)"),
            got.lines().nth(line).unwrap_or("(nothing)"),
        );
    }
}
