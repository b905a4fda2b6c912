use super::*;
use crate::config::Config;
use crate::sim::{Request, Workload, simulate};

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn share(value: f64) -> Share {
    Share::new(value).unwrap()
}

fn options(starts: Starts) -> Options {
    Options { starts, seed: 11, ..Options::default() }
}

/// What becomes of 20,000 orders, one a second.
fn fates(options: &Options) -> Vec<Fate> {
    let mut draws = Draws::new(options);
    (0..20_000).map(|second| draws.cold(Timestamp::from_secs(second), None, options)).collect()
}

fn count(fates: &[Fate], of: impl Fn(&Fate) -> bool) -> usize {
    fates.iter().filter(|fate| of(fate)).count()
}

#[test]
fn as_many_starts_fail_as_are_said_to() {
    let starts = Starts { crash: share(0.05), hang: share(0.02), quota: share(0.1), ..Starts::default() };
    let fates = fates(&options(starts));
    let crashed = count(&fates, |fate| *fate == Fate::Fails(20_000_000_000, FailureCause::Crash));
    let hanging = count(&fates, |fate| *fate == Fate::Hangs);
    let refused = count(&fates, |fate| *fate == Fate::Refused(FailureCause::Quota));
    assert_eq!([crashed, hanging, refused], [1_021, 400, 2_006], "of 1,000, 400 and 2,000 to be expected");
    assert_eq!(count(&fates, |fate| *fate == Fate::Ready(20_000_000_000)), 20_000 - crashed - hanging - refused);
}

#[test]
fn each_cause_comes_where_it_was_asked_for() {
    let ready_after = 20_000_000_000;
    for (starts, fate) in [
        (Starts { crash: Share::ONE, ..Starts::default() }, Fate::Fails(ready_after, FailureCause::Crash)),
        (Starts { hang: Share::ONE, ..Starts::default() }, Fate::Hangs),
        (Starts { preempted: Share::ONE, ..Starts::default() }, Fate::Fails(ready_after, FailureCause::Preempted)),
        (Starts { quota: Share::ONE, ..Starts::default() }, Fate::Refused(FailureCause::Quota)),
        (Starts { stock_out: Share::ONE, ..Starts::default() }, Fate::Refused(FailureCause::StockOut)),
    ] {
        assert!(fates(&options(starts)).iter().all(|drawn| *drawn == fate), "{fate:?}");
    }
}

#[test]
fn the_first_starts_can_mislead() {
    for (first_percent, takes) in [(50, 10_000_000_000), (200, 40_000_000_000)] {
        let fates = fates(&options(Starts { first: 3, first_percent, ..Starts::default() }));
        assert!(fates[..3].iter().all(|fate| *fate == Fate::Ready(takes)), "{:?}", fates.first());
        assert!(fates[3..].iter().all(|fate| *fate == Fate::Ready(20_000_000_000)));
    }
    assert!(
        fates(&options(Starts { first: 3, ..Starts::default() }))
            .iter()
            .all(|fate| *fate == Fate::Ready(20_000_000_000))
    );
}

#[test]
fn a_timeout_shows_when_the_platform_gives_up() {
    let starts = Starts { timeout: Share::ONE, gives_up_after: secs(90), ..Starts::default() };
    let expected = Fate::Fails(90_000_000_000, FailureCause::Timeout);
    assert!(fates(&options(starts)).iter().all(|fate| *fate == expected));
}

#[test]
fn one_trouble_does_not_shift_the_numbers_of_another() {
    let calm = Starts { takes: StartTime::Lognormal { cv: 0.7 }, ..Starts::default() };
    let troubled = Starts { quota: share(0.3), slow: share(0.1), ..calm.clone() };
    let expected = fates(&options(calm));
    let mut expected = expected.iter().map(|fate| if let Fate::Ready(after) = fate { *after } else { 0 });
    let mut slow = 0;
    for fate in fates(&options(troubled)) {
        // What is refused takes no time, and none of the numbers that times are drawn from.
        if let Fate::Ready(after) = fate {
            let expected = expected.next().unwrap();
            assert!(after == expected || after == 5 * expected, "{after} for {expected}");
            slow += usize::from(after != expected);
        }
    }
    assert!((1_300..1_500).contains(&slow), "{slow}");
}

#[test]
fn measured_cold_starts_are_read_and_written_as_spans() {
    let read: StartTime = serde_json::from_str(r#"{"quantiles": ["20s", 31, "1m"]}"#).unwrap();
    assert_eq!(read, StartTime::Quantiles([20, 31, 60].map(secs).to_vec()));
    let written = serde_json::to_string(&read).unwrap();
    assert_eq!(serde_json::from_str::<StartTime>(&written).unwrap(), read, "{written}");
}

#[test]
fn measured_cold_starts_come_as_they_were_measured() {
    let quantiles = [10, 12, 20, 40].map(secs).to_vec();
    let fates = fates(&options(Starts { takes: StartTime::Quantiles(quantiles.clone()), ..Starts::default() }));
    let between = |from: u64, to: u64| {
        count(&fates, |fate| matches!(fate, Fate::Ready(at) if (from * 1_000_000_000..to * 1_000_000_000).contains(at)))
    };
    let [low, middle, high] = [between(10, 12), between(12, 20), between(20, 40)];
    assert_eq!(low + middle + high, 20_000);
    assert!([low, middle, high].iter().all(|count| (6_500..6_850).contains(count)), "{low} {middle} {high}");
    // (11 + 16 + 30) / 3
    assert_eq!((mean(&quantiles), mean(&[secs(7)]), mean(&[])), (secs(19), secs(7), secs(0)));
    let one = Draws::new(&Options::default()).between(&[secs(7)]);
    assert_eq!((one, Draws::new(&Options::default()).between(&[])), (7_000_000_000, 0));
}

#[test]
fn a_lognormal_start_has_the_mean_that_was_given() {
    let starts = Starts { takes: StartTime::Lognormal { cv: 1.0 }, ..Starts::default() };
    let total: u64 = fates(&options(starts)).iter().map(|fate| if let Fate::Ready(at) = fate { *at } else { 0 }).sum();
    assert!((19_500..20_500).contains(&(total / 20_000 / 1_000_000)), "{total}");
}

#[test]
fn in_a_shortage_nothing_is_to_be_had() {
    let shortages = Outages { every: secs(900), lasts: secs(100) };
    let fates = fates(&options(Starts { shortages, ..Starts::default() }));
    let refused = count(&fates, |fate| *fate == Fate::Refused(FailureCause::StockOut));
    assert!(refused % 100 == 0 && (1_000..3_500).contains(&refused), "{refused}");
    assert_eq!(count(&fates, |fate| matches!(fate, Fate::Ready(_))), 20_000 - refused);
}

#[test]
fn what_fails_is_counted_by_cause_and_ordered_again() {
    let request = Request { arrival: Timestamp::from_secs(7_000), service: secs(1) };
    let workload = Workload::from_requests("test", vec![request]).unwrap();
    let starts = Starts { crash: share(0.4), stock_out: share(0.2), ..Starts::default() };
    let outcome = simulate(&workload, &Config::fixed(20).unwrap(), &options(starts), &mut ());
    let failures = outcome.failures;
    assert_eq!((outcome.finished, outcome.sojourn_max), (1, Duration::ZERO));
    assert!(failures.crash > 0 && failures.stock_out > 0, "{failures:?}");
    assert_eq!((failures.timeout, failures.quota, failures.preempted), (0, 0, 0));
    // Whoever crashed was a worker, whoever was refused was none; more are ordered than needed while some do not come.
    assert!(outcome.cold_starts >= 20 + failures.crash, "{} {failures:?}", outcome.cold_starts);
    assert_eq!(outcome.refused, 0);
}
