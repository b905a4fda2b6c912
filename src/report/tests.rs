use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;

const TARGET: Duration = Duration::from_millis(100);

fn digest(sojourns: &[Duration]) -> Digest {
    let mut digest = Digest::new(TARGET);
    for sojourn in sojourns {
        digest.record(*sojourn);
    }
    digest
}

fn bytes(digest: &Digest) -> (usize, usize) {
    let mut binary = Vec::new();
    ciborium::into_writer(digest, &mut binary).unwrap();
    (serde_json::to_string(digest).unwrap().len(), binary.len())
}

proptest! {
    #[test]
    fn merging_is_as_recording(
        parts in prop::collection::vec(prop::collection::vec(0_u64..20_000_000_000, 0..60), 1..6),
        per_mille in 1_u16..=1_000,
    ) {
        let part = |part: &Vec<u64>| part.iter().copied().map(Duration::from_nanos).collect::<Vec<_>>();
        let parts: Vec<Vec<Duration>> = parts.iter().map(part).collect();
        let mut all: Vec<Duration> = parts.concat();
        let mut merged = Digest::new(TARGET);
        for part in parts.iter().rev() {
            merged.merge(&digest(part)).unwrap();
        }
        prop_assert_eq!(&merged, &digest(&all));
        prop_assert_eq!(merged.check(), Ok(()));
        prop_assert_eq!(merged.over_target(), all.iter().filter(|sojourn| **sojourn > TARGET).count() as u64);
        all.sort_unstable();
        let rank = (all.len() * usize::from(per_mille)).div_ceil(1_000).max(1);
        let exact = all.get(rank - 1).copied();
        prop_assert_eq!(merged.min(), all.first().copied());
        prop_assert_eq!(merged.quantile(per_mille).is_some(), exact.is_some());
        if let Some(exact) = exact.filter(|exact| *exact >= Duration::from_millis(1)) {
            let error = merged.quantile(per_mille).unwrap().as_secs_f64() / exact.as_secs_f64() - 1.0;
            prop_assert!(error.abs() <= 0.13, "{error}");
        }
        let back: Digest = serde_json::from_str(&serde_json::to_string(&merged).unwrap()).unwrap();
        prop_assert_eq!(back, merged);
    }
}

#[test]
fn a_digest_is_as_small_as_stated() {
    let (mut near, mut full) = (Digest::new(TARGET), Digest::new(TARGET));
    for nth in 0..60_000_u64 {
        near.record(Duration::from_micros(20_000 + nth));
    }
    for bucket in 0..BUCKETS {
        let sojourn = representative(u8::try_from(bucket).unwrap());
        full.merge(&Digest { count: 65_535, ..digest(&[sojourn]) }).unwrap();
        full.buckets.last_mut().unwrap().1 = 65_535;
    }
    let (near, full) = (bytes(&near), bytes(&full));
    std::println!(
        "within two octaves {near:?} bytes of JSON and CBOR, of all there is {full:?}, empty {:?}",
        bytes(&digest(&[]))
    );
    assert!(near.0 <= 200 && near.1 <= 120, "{near:?}");
    assert!(full.0 <= 1_200 && full.1 <= 800, "{full:?}");
}

#[test]
fn what_cannot_be_a_digest_is_refused_by_its_part() {
    let honest = || digest(&[Duration::from_millis(3), Duration::from_millis(250), Duration::from_secs(2)]);
    let refusal = |change: fn(&mut Digest)| {
        let mut digest = honest();
        change(&mut digest);
        match digest.check() {
            Err(Rejected::BadDigest { part }) => part,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(honest().check(), Ok(()));
    assert_eq!(refusal(|digest| digest.count = 4), "count");
    assert_eq!(refusal(|digest| digest.over_target = 1), "count above the target");
    assert_eq!(refusal(|digest| digest.over_target = 3), "count above the target");
    assert_eq!(refusal(|digest| digest.buckets.reverse()), "list of buckets");
    assert_eq!(refusal(|digest| digest.buckets.push((93, 1))), "list of buckets");
    assert_eq!(refusal(|digest| digest.buckets = vec![(9, 1), (9, 2)]), "list of buckets", "one twice");
    assert_eq!(refusal(|digest| digest.buckets[0].1 = 0), "list of buckets", "an empty one");
    assert_eq!(refusal(|digest| digest.min = None), "least");
    assert_eq!(refusal(|digest| digest.sum = Duration::from_millis(8)), "sum");
    assert_eq!(Digest { sum: Duration::from_millis(9), ..honest() }.check(), Ok(()), "three of the least");
    let nothing = Digest { sum: Duration::from_millis(1), ..Digest::new(TARGET) };
    assert_eq!(nothing.check(), Err(Rejected::BadDigest { part: "sum" }), "of no request");
    let other = Digest::new(Duration::from_secs(1));
    assert_eq!(honest().merge(&other), Ok(()), "nothing adds nothing");
    let mut other = other;
    other.record(TARGET);
    assert_eq!(honest().merge(&other), Err(Rejected::OtherTarget { given: Duration::from_secs(1), target: TARGET }));
}

#[test]
fn a_reporter_counts_from_report_to_report() {
    let mut reporter = Reporter::new(ObserverId(7), 3, TARGET, Timestamp::from_secs(10));
    reporter.arrived(2);
    reporter.started(Duration::from_millis(120));
    reporter.finished(Duration::from_millis(900));
    reporter.queue(1, Some(Duration::from_millis(5)));
    reporter.in_flight(1);
    let first = reporter.report(Timestamp::from_secs(15));
    assert_eq!((first.sequence, first.over, first.arrived, first.depth), (0, Duration::from_secs(5), 2, Some(1)));
    assert_eq!((first.sojourns.over_target(), first.services.count), (1, 1));
    let second = reporter.report(Timestamp::from_secs(21));
    assert_eq!((second.sequence, second.over, second.arrived), (1, Duration::from_secs(6), 0));
    assert_eq!((second.sojourns.count(), second.in_flight, second.incarnation), (0, Some(1), 3));
    let text = serde_json::to_string(&second).unwrap();
    assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), second, "{text}");
    assert_eq!(reporter.report(Timestamp::ORIGIN).over, Duration::ZERO, "a clock that went back");
}

/// Each way in which a report may speak of a request, and what speaks of none.
#[test]
fn a_report_is_active_if_any_request_shows_in_it() {
    let mut reporter = Reporter::new(ObserverId(1), 1, TARGET, Timestamp::ORIGIN);
    reporter.queue(0, None);
    let quiet = reporter.report(Timestamp::from_secs(5));
    let quiet = Report { in_flight: Some(0), ..quiet };
    assert!(!quiet.is_active());
    assert!(!Report { depth: None, in_flight: None, ..quiet.clone() }.is_active());
    assert!(Report { depth: Some(1), ..quiet.clone() }.is_active());
    assert!(Report { in_flight: Some(1), ..quiet.clone() }.is_active());
    assert!(Report { arrived: 1, ..quiet.clone() }.is_active());
    assert!(Report { sojourns: digest(&[Duration::ZERO]), ..quiet.clone() }.is_active());
    assert!(Report { services: Services { count: 1, sum: Duration::ZERO }, ..quiet }.is_active());
}

#[test]
fn a_report_tells_what_was_served_and_begins_anew_after_it() {
    let mut reporter = Reporter::new(ObserverId(1), 1, TARGET, Timestamp::ORIGIN);
    reporter.arrived(2);
    reporter.started(Duration::from_millis(40));
    reporter.started(Duration::from_millis(250));
    reporter.finished(Duration::from_secs(2));
    let report = reporter.report(Timestamp::from_secs(5));
    assert_eq!(report.services, Services { count: 1, sum: Duration::from_secs(2) });
    assert_eq!((report.sojourns.sum(), report.sojourns.over_target()), (Duration::from_millis(290), 1));
    assert_eq!((report.arrived, report.sequence), (2, 0));
    let next = reporter.report(Timestamp::from_secs(9));
    assert_eq!((next.sequence, next.arrived, next.services), (1, 0, Services::default()));
    assert_eq!(next.over, Duration::from_secs(4));
    assert_eq!((next.sojourns.sum(), next.sojourns.min()), (Duration::ZERO, None));
}
