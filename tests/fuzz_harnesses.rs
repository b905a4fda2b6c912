//! The fuzz harnesses without a fuzzer: every committed seed, and a few thousand inputs made from them.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test panics where it fails")]

#[expect(
    unreachable_pub,
    clippy::float_arithmetic,
    reason = "in its own crate, `fuzz`, the harness is public and draws shares as it likes"
)]
#[path = "../fuzz/src/harness.rs"]
mod harness;

use std::path::Path;
use std::{fs, panic};

/// How many generated inputs each harness gets. The first half is noise, the second half mutated seeds.
const GENERATED: u64 = 3_000;

#[test]
fn operations() {
    run("operations", harness::operations);
}

#[test]
fn config() {
    run("config", harness::config);
}

#[test]
fn workload() {
    run("workload", harness::workload);
}

#[test]
fn report() {
    run("report", harness::report);
}

#[test]
fn recorder() {
    run("recorder", harness::recorder);
}

#[test]
fn snapshot() {
    run("snapshot", harness::snapshot);
}

fn run(target: &str, harness: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut paths: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() >= 5, "{} holds the seeds", folder.display());
    let seeds: Vec<_> = paths.iter().map(|path| fs::read(path).unwrap()).collect();
    for (path, seed) in paths.iter().zip(&seeds) {
        check(harness, seed, &path.display().to_string());
    }
    for number in 0..GENERATED {
        let mut chance = Chance(number);
        let input = if number < GENERATED / 2 { chance.noise() } else { chance.mutant(&seeds) };
        check(harness, &input, &format!("generated input {number}"));
    }
}

/// Runs one input and, if it fails, says which one it was and how to keep it.
fn check(harness: fn(&[u8]), input: &[u8], name: &str) {
    let outcome = panic::catch_unwind(|| harness(input));
    assert!(outcome.is_ok(), "{name} fails, see above; its bytes: {:?}", input.escape_ascii().to_string());
}

/// `SplitMix64`: the same inputs on every machine.
struct Chance(u64);

impl Chance {
    const fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `limit`, zero for an empty range.
    fn below(&mut self, limit: usize) -> usize {
        let limit = u64::try_from(limit).unwrap();
        usize::try_from(self.draw().checked_rem(limit).unwrap_or(0)).unwrap()
    }

    const fn byte(&mut self) -> u8 {
        self.draw().to_le_bytes()[0]
    }

    fn noise(&mut self) -> Vec<u8> {
        (0..self.below(400)).map(|_| self.byte()).collect()
    }

    /// A seed with a few pieces changed, taken out, doubled or replaced by a piece of another seed.
    fn mutant(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut input = seeds[self.below(seeds.len())].clone();
        for _ in 0..=self.below(4) {
            let from = self.below(input.len());
            let piece = from..from.saturating_add(self.below(8)).min(input.len());
            match self.below(5) {
                0 => input.iter_mut().skip(from).take(1).for_each(|byte| *byte = self.byte()),
                1 => drop(input.drain(piece)),
                2 => input.extend_from_within(piece),
                3 => input.insert(from, *b"0123456789.-,:\n \"e{}[]".get(self.below(22)).unwrap()),
                _ => {
                    let other = &seeds[self.below(seeds.len())];
                    let start = self.below(other.len());
                    let end = start.saturating_add(self.below(40)).min(other.len());
                    input.splice(piece, other[start..end].iter().copied());
                }
            }
        }
        input
    }
}
