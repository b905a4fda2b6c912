//! Law `same_input_same_bytes` across builds and targets: what this build decides is what the golden log says. The
//! script `ci/targets/run.sh` holds other processors to the same log.
//!
//! A difference is a change of behaviour. If it is meant, run `BLESS=1 cargo test --test targets` and say it in the
//! CHANGELOG under **Behaviour**.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::float_arithmetic,
    clippy::cast_possible_truncation,
    clippy::struct_excessive_bools,
    clippy::missing_const_for_fn,
    reason = "a test says loudly what is wrong"
)]

#[expect(unreachable_pub, reason = "in its own crate, `ci/targets`, the module is public")]
#[path = "../ci/targets/src/streams.rs"]
mod streams;

use std::path::Path;
use std::{env, fs};

#[test]
fn same_input_same_bytes() {
    let got = streams::golden();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("ci/targets/golden.txt");
    if env::var_os("BLESS").is_some() {
        fs::write(&path, &got).unwrap();
    }
    let want = fs::read_to_string(&path).unwrap_or_default();
    let line = got.lines().zip(want.lines()).position(|(got, want)| got != want);
    let line = line.unwrap_or_else(|| got.lines().count().min(want.lines().count()));
    assert!(
        got == want,
        "{} differs at line {}:\n  was {}\n  is  {}\n\
         If this is meant: BLESS=1 cargo test --test targets, and a line under Behaviour in CHANGELOG.md.",
        path.display(),
        line + 1,
        want.lines().nth(line).unwrap_or("(nothing)"),
        got.lines().nth(line).unwrap_or("(nothing)"),
    );

    // A stream in full is what its hash is made of: where a target differs, the two can be compared.
    let full = streams::in_full(2);
    let hash = full
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    assert!(got.contains(&format!("stream 2 Hostile hash {hash:016x}\n")), "{hash:016x}");
}
