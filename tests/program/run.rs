//! Runs an example as a user runs it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Cargo builds examples before it runs tests, next to the tests' own binaries.
fn binary(program: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    let binary = profile.join("examples").join(format!("{program}{}", std::env::consts::EXE_SUFFIX));
    assert!(binary.exists(), "{} is missing: run all tests, or cargo build --example {program}", binary.display());
    binary
}

/// An empty folder of one test's own.
pub(crate) fn folder(program: &str, test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(program).join(test);
    if folder.exists() {
        fs::remove_dir_all(&folder).unwrap();
    }
    fs::create_dir_all(&folder).unwrap();
    folder
}

pub(crate) fn run(program: &str, folder: &Path, args: &[&str]) -> Output {
    Command::new(binary(program)).args(args).current_dir(folder).output().unwrap()
}

/// What a run that must succeed prints.
pub(crate) fn printed(program: &str, folder: &Path, args: &[&str]) -> String {
    let output = run(program, folder, args);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{args:?}: {errors}");
    assert_eq!(errors, "", "{args:?}");
    String::from_utf8(output.stdout).unwrap()
}
