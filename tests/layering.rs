//! The modules form layers: each imports only from layers below its own.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test panics where it fails")]

use core::iter;
use std::fs;
use std::path::{Path, PathBuf};

/// From the bottom up. Modules of one layer do not know each other.
const LAYERS: &[&[&str]] = &[
    &["time", "units", "grid", "fixed", "rare"],
    &["observation", "policy", "schedule"],
    &["report"],
    &["error"],
    &["config"],
    &["operator", "provider"],
    &["pool", "guard"],
    &["signal", "placement"],
    &["decision"],
    &["status"],
    &["autoscaler"],
    &["recorder"],
    &["adapter", "calendar", "peers", "fleet", "classes"],
    &["sim"],
];

#[test]
fn imports_only_go_down() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for path in files(&source).into_iter().filter(|path| path.extension().is_some_and(|kind| kind == "rs")) {
        let inside = path.strip_prefix(&source).unwrap().with_extension("");
        let module = inside.iter().next().unwrap().to_str().unwrap();
        if module == "lib" {
            continue;
        }
        for (number, line) in fs::read_to_string(&path).unwrap().lines().enumerate() {
            let code = line.split("//").next().unwrap_or("");
            for import in code.split("crate::").skip(1) {
                let used = import.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or("");
                let allowed = used == module || layer(used) < layer(module);
                assert!(allowed, "{}:{}: {module} must not use {used}: {line}", path.display(), number + 1);
            }
        }
    }
}

fn layer(module: &str) -> usize {
    let found = LAYERS.iter().position(|layer| layer.contains(&module));
    found.unwrap_or_else(|| panic!("give {module:?} a place in LAYERS, and import things from the module they are in"))
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { iter::once(path).collect() }).collect()
}
