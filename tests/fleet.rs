//! Many autoscalers under one roof: parking, budgets, shards, and what they cost.

#![expect(
    unreachable_pub,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and its helpers are not seen to be tests"
)]

#[path = "fleet/budget.rs"]
mod budget;
#[path = "laws/generators.rs"]
#[expect(dead_code, reason = "the laws use more of it")]
mod generators;
#[path = "fleet/parking.rs"]
mod parking;
#[path = "fleet/prices.rs"]
mod prices;
#[path = "fleet/shards.rs"]
mod shards;
#[path = "fleet/site.rs"]
mod site;

use std::cell::RefCell;
use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{FileFailurePersistence, TestCaseResult, TestRunner};

/// How many cases something was seen in.
#[derive(Default)]
struct Tally(RefCell<BTreeMap<&'static str, u32>>);

impl Tally {
    fn saw(&self, what: &'static str, times: bool) {
        *self.0.borrow_mut().entry(what).or_default() += u32::from(times);
    }
}

/// Tries a law on many cases. Each of `interesting` must have been seen in so many percent of them.
fn holds<T: std::fmt::Debug>(
    name: &'static str,
    cases: impl Strategy<Value = T>,
    interesting: &[(&'static str, u32)],
    law: impl Fn(T, &Tally) -> TestCaseResult,
) {
    holds_in(ProptestConfig::default().cases, name, cases, interesting, law);
}

/// The same in so many cases.
fn holds_in<T: std::fmt::Debug>(
    asked: u32,
    name: &'static str,
    cases: impl Strategy<Value = T>,
    interesting: &[(&'static str, u32)],
    law: impl Fn(T, &Tally) -> TestCaseResult,
) {
    let config = ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("proptest-regressions"))),
        source_file: Some(file!()),
        test_name: Some(name),
        max_global_rejects: 1_000_000,
        cases: asked,
        ..ProptestConfig::default()
    };
    let tally = Tally::default();
    if let Err(error) = TestRunner::new(config).run(&cases, |case| law(case, &tally)) {
        panic!("{name}: {error}");
    }
    for (what, percent) in interesting {
        let seen = tally.0.borrow().get(what).copied().unwrap_or(0);
        assert!(asked < 100 || seen * 100 >= asked * percent, "{name}: `{what}` in {seen} of {asked} cases only");
    }
}
