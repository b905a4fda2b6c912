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

#[expect(unreachable_pub, reason = "in its own crate, `ci/targets`, the module is public")]
#[path = "../ci/targets/src/replays.rs"]
mod replays;

use std::path::{Path, PathBuf};
use std::{env, fs};

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

#[test]
fn decisions_are_those_of_the_golden_logs() {
    for (preset, file, minutes) in replays::REPLAYS {
        let got = replays::log(preset, file, fs::File::open(project("data").join(file)).unwrap(), minutes);
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
