use alloc::string::ToString;

use super::*;
use crate::config::Config;
use crate::policy::Policy;

const KIND: Kind = Kind(0);

/// Who shares a budget of so many units, one a worker.
struct Bench {
    grants: Grants<u32>,
    profile: Profile,
}

impl Bench {
    fn new(units: u64) -> Self {
        let mut grants = Grants::default();
        assert!(!grants.are_any());
        grants.set_budget(&Budget::of(KIND, units), core::iter::empty());
        assert!(grants.are_any() && grants.settle().is_empty());
        Self { grants, profile: Profile::new(Config::new(Policy::External, 0, 20).unwrap()) }
    }

    /// What a service is told that wants so many, has so many, and so many more on their way out; and whether all is to be
    /// shared out anew.
    fn wants(&mut self, key: u32, [wanted, staying, leaving]: [u32; 3]) -> (Option<u32>, bool) {
        let told =
            self.grants.update(&key, &self.profile, Needs { wanted, most: 20, staying, leaving, ..Needs::default() });
        (told.map(|grant| grant.workers), self.grants.is_unsettled())
    }

    fn settle(&mut self) -> Vec<(u32, u32)> {
        self.grants.settle().into_iter().map(|(key, grant)| (key, grant.workers)).collect()
    }
}

#[test]
fn while_there_is_room_it_is_granted_at_once() {
    let mut bench = Bench::new(8);
    assert_eq!(bench.wants(1, [5, 0, 0]), (Some(5), false));
    assert_eq!(bench.wants(1, [5, 5, 0]), (None, false), "it has been told");
    assert_eq!(bench.wants(2, [3, 0, 0]), (Some(3), false), "exactly what is left");
    assert_eq!(bench.wants(1, [2, 5, 0]), (Some(2), false), "who wants less gives it back");
    assert_eq!(bench.wants(3, [0, 0, 0]), (None, false), "who wants and has nothing needs no word of it");
    let holds = |bench: &Bench| [1, 2, 3].map(|key| bench.grants.holds(KIND, &key));
    assert_eq!(holds(&bench), [true, true, false]);
    assert_eq!(bench.wants(1, [0, 0, 0]), (Some(0), false));
    assert_eq!(holds(&bench), [false, true, false]);
}

#[test]
fn what_does_not_fit_is_shared_out_when_something_has_changed() {
    let mut bench = Bench::new(8);
    bench.wants(1, [8, 0, 0]);
    bench.wants(1, [8, 8, 0]);
    assert_eq!(bench.wants(2, [8, 0, 0]), (Some(0), true));
    assert_eq!(bench.settle(), [(1, 4)], "what is to come waits until as much has gone");
    assert_eq!(bench.wants(1, [8, 8, 0]), (None, false), "nothing has changed");
    assert_eq!(bench.wants(1, [8, 4, 4]), (None, true));
    assert!(bench.settle().is_empty(), "they are still there");
    assert_eq!(bench.wants(1, [8, 4, 0]), (None, true));
    assert_eq!(bench.settle(), [(2, 4)]);
}

#[test]
fn more_than_there_may_be_is_shared_out_anew_although_nobody_waits() {
    let mut bench = Bench::new(8);
    bench.wants(1, [8, 0, 0]);
    assert_eq!(bench.wants(1, [3, 9, 0]), (Some(3), true));
}

#[test]
fn workers_on_their_way_out_take_part_in_what_there_is_room_for() {
    let mut bench = Bench::new(8);
    let leaving = Needs { wanted: 2, most: 2, leaving: 3, ..Needs::default() };
    assert_eq!(bench.grants.update(&1, &bench.profile, leaving).map(|grant| grant.workers), Some(2));
    bench.wants(2, [20, 0, 0]);
    // Two and six are due, of which three leave room for five: four each, three of the first's on their way out.
    assert_eq!(bench.settle(), [(1, 1), (2, 4)]);
}

#[test]
fn who_goes_leaves_its_part_to_those_who_wait() {
    let mut bench = Bench::new(8);
    bench.wants(1, [5, 0, 0]);
    bench.grants.forget(KIND, &1);
    assert!(!bench.grants.is_unsettled() && !bench.grants.holds(KIND, &1), "nobody waits");

    bench.wants(1, [8, 8, 0]);
    bench.wants(2, [8, 0, 0]);
    bench.settle();
    bench.grants.forget(KIND, &3);
    assert!(!bench.grants.is_unsettled(), "it had nothing");
    bench.grants.forget(KIND, &1);
    assert!(bench.grants.is_unsettled());
    assert_eq!(bench.settle(), [(2, 8)]);
}

#[test]
fn who_comes_with_workers_counts_with_them() {
    let mut bench = Bench::new(8);
    bench.grants.seed(&1, &bench.profile, Needs { wanted: 8, most: 20, staying: 8, ..Needs::default() });
    assert!(bench.grants.is_unsettled());
    assert_eq!(bench.settle(), [(1, 8)]);
    assert_eq!(bench.wants(2, [1, 0, 0]), (Some(0), true));
}

#[test]
fn a_shortage_names_who_has_most_of_the_rest() {
    let mut bench = Bench::new(10);
    for (key, workers) in [(2, 2), (3, 1), (4, 4), (5, 3)] {
        bench.wants(key, [workers, 0, 0]);
    }
    bench.wants(6, [2, 0, 0]);
    bench.wants(1, [8, 0, 0]);
    let told = bench.grants.shortage(KIND, &1).unwrap().to_string();
    assert_eq!(told, "wants 8, granted 0: budget of 10 shared with 4 (4), 5 (3), 2 (2) and 1 more");
    assert_eq!(bench.grants.shortage(KIND, &4), None);
}
