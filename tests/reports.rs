//! Several load balancers that report on one service, from end to end.
#![expect(clippy::unwrap_used, reason = "a test panics where it fails")]

use core::time::Duration;

use plimsoll::policy::Outpost;
use plimsoll::report::Reporter;
use plimsoll::{Autoscaler, Config, Observation, ObserverId, Policy, Rate, Rejected, Report, Timestamp};

const TARGET: Duration = Duration::from_millis(100);
const SECOND: u64 = 1_000_000_000;

const fn secs(secs: u64) -> Timestamp {
    Timestamp::from_secs(secs)
}

fn config() -> Config {
    Config::new(Policy::Outpost(Outpost::new(Rate::per_second(2.5).unwrap())), 0, 50).unwrap()
}

fn autoscaler() -> Autoscaler {
    Autoscaler::new(config(), Timestamp::ORIGIN)
}

const fn reporter(id: u64) -> Reporter {
    Reporter::new(ObserverId(id), 1, TARGET, Timestamp::ORIGIN)
}

/// One stream of 40 requests per second, told as a whole in events, and split among three load balancers whose reports
/// come at their own, uneven times.
#[test]
fn three_reporters_say_what_the_whole_stream_says() {
    let (mut whole, mut split) = (autoscaler(), autoscaler());
    whole.observe(Timestamp::ORIGIN, Observation::queue(0, None)).unwrap();
    let mut reporters = [1, 2, 3].map(reporter);
    let (mut depths, mut draw) = ([0_u32; 3], 8289_u64);
    let mut random = move |limit: u64| {
        draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (draw >> 33) % limit
    };
    let mut due = [5, 5, 5].map(|secs: u64| secs * SECOND);
    let mut on_the_way: Vec<(u64, Report)> = Vec::new();
    let mut worst = 0.0_f64;
    for nth in 0..9_600_u64 {
        let at = nth * SECOND / 40;
        let now = Timestamp::from_nanos(at);
        // Two thirds of the traffic go to the first.
        let to = [0, 0, 0, 0, 1, 2][usize::try_from(random(6)).unwrap()];
        whole.observe(now, Observation::arrived(1)).unwrap();
        reporters[to].arrived(1);
        depths[to] += 1;
        if depths[to] > 3 {
            let sojourn = Duration::from_millis(random(101) + if random(40) == 0 { 100 } else { 0 });
            whole.observe(now, Observation::started(sojourn)).unwrap();
            reporters[to].started(sojourn);
            depths[to] -= 1;
        }
        for lb in 0..3 {
            if at >= due[lb] {
                reporters[lb].queue(depths[lb], None);
                let report = reporters[lb].report(now);
                on_the_way.push((at + random(2 * SECOND), report.clone()));
                on_the_way.push((at + random(4 * SECOND), report));
                due[lb] = at + 4 * SECOND + random(2 * SECOND);
            }
        }
        on_the_way.retain(|(arrives, report)| {
            if *arrives <= at {
                split.report(now, report).unwrap();
            }
            *arrives > at
        });
        if at > 90 * SECOND {
            let rate = |autoscaler: &Autoscaler| autoscaler.status().signals.arrival_rate.unwrap().as_f64();
            let _ = (whole.decide(now), split.decide(now));
            worst = worst.max((rate(&split) / 40.0 - 1.0).abs());
        }
    }
    // A last report of each, at one instant: what has not come yet comes with it.
    let end = 240 * SECOND;
    for lb in (0..3).rev() {
        reporters[lb].queue(depths[lb], None);
        on_the_way.push((end, reporters[lb].report(Timestamp::from_nanos(end))));
    }
    let end = Timestamp::from_nanos(end);
    for (_, report) in on_the_way.iter().rev() {
        split.report(end, report).unwrap();
    }
    let _ = (whole.decide(end), split.decide(end));
    let (whole, split) = (whole.status(), split.status());
    println!("the rate was off by {:.1} % at most; {:?}", worst * 100.0, split.input);
    assert!(worst < 0.05, "{worst}");
    assert!(split.input.doubled > 100 && split.input.rejected == 0, "{:?}", split.input);
    assert_eq!(split.signals.queue_depth, whole.signals.queue_depth);
    assert_eq!(split.signals.queue_depth, Some(depths.iter().map(|depth| u64::from(*depth)).sum()));
    assert_eq!(split.signals.sojourn_over_target, whole.signals.sojourn_over_target);
    assert_eq!(split.signals.sojourn_over_target, Some(true));
    assert_eq!(split.signals.overloaded, whole.signals.overloaded);
    let p99 = |status: &plimsoll::Status| status.signals.sojourn_p99.unwrap().as_secs_f64();
    assert!((p99(&split) / p99(&whole) - 1.0).abs() < 0.17, "both read from a histogram");
}

/// What is counted above the target decides exactly: at one in a hundred p99 is met, at one more it is not.
#[test]
fn exceedance_is_exact_over_all_observers() {
    for over in [6_u64, 7] {
        let (mut autoscaler, mut reporters) = (autoscaler(), [1, 2, 3].map(reporter));
        for nth in 0..600_u64 {
            let late = nth % 100 == 0 && nth / 100 < over || nth == 599 && over > 6;
            let sojourn = if late { TARGET + Duration::from_nanos(1) } else { TARGET };
            reporters[usize::try_from(nth % 3).unwrap()].started(sojourn);
        }
        for reporter in &mut reporters {
            autoscaler.report(secs(5), &reporter.report(secs(4))).unwrap();
        }
        assert_eq!(autoscaler.status().signals.sojourn_over_target, Some(over > 6), "{over} of 600");
        assert_eq!(autoscaler.status().signals.sojourn_min, Some(TARGET));
    }
}

/// An observer that is silent is stale, then gone, both by themselves and at an instant that was named.
#[test]
fn a_silent_observer_goes_stale_and_then_does_not_count() {
    let (mut autoscaler, mut one, mut other) = (autoscaler(), reporter(1), reporter(2));
    for second in (5..=600).step_by(5) {
        for (reporter, until) in [(&mut one, 600), (&mut other, 100)] {
            if second <= until {
                reporter.arrived(10);
                reporter.queue(2, None);
                autoscaler.report(secs(second), &reporter.report(secs(second))).unwrap();
            }
        }
        let _ = autoscaler.decide(secs(second));
        let signals = autoscaler.status().signals;
        let expected = if second < 160 {
            Some(4)
        } else if second < 400 {
            None
        } else {
            Some(2)
        };
        assert_eq!(signals.queue_depth, expected, "at {second} s");
        assert_eq!(signals.stale, expected.is_none());
        assert_eq!(signals.arrival_rate.is_none(), expected.is_none());
    }
    let mut alone = autoscaler.clone();
    let mut named = Vec::new();
    while let Some(wake) = alone.next_wakeup().filter(|wake| *wake <= secs(900)) {
        let before = alone.status().signals.stale;
        let _ = alone.decide(wake);
        if alone.status().signals.stale != before {
            named.push(wake);
        }
    }
    assert_eq!(named, [secs(660), secs(900)]);
}

/// One that restarts is recognised: its gauges are void at once, what it counted is not.
#[test]
fn a_restart_replaces_the_gauges() {
    let (mut autoscaler, mut before) = (autoscaler(), reporter(1));
    before.arrived(60);
    before.queue(9, None);
    autoscaler.report(secs(10), &before.report(secs(10))).unwrap();
    before.queue(8, None);
    let late = before.report(secs(11));
    let mut after = Reporter::new(ObserverId(1), 2, TARGET, secs(11));
    after.queue(1, None);
    autoscaler.report(secs(13), &after.report(secs(13))).unwrap();
    assert_eq!(autoscaler.status().signals.queue_depth, Some(1));
    autoscaler.report(secs(14), &late).unwrap();
    assert_eq!(autoscaler.status().signals.queue_depth, Some(1));
    assert_eq!(autoscaler.status().signals.arrival_rate, Some(Rate::per_second(6.0).unwrap()));
}

/// A number that is missing makes the rate missing until it comes: it may have held any traffic.
#[test]
fn a_lost_report_is_not_silence() {
    let (mut autoscaler, mut reporter) = (autoscaler(), reporter(1));
    let mut lost = None;
    for second in (5..=200).step_by(5) {
        reporter.arrived(50);
        let report = reporter.report(secs(second));
        if second == 100 {
            lost = Some(report);
        } else {
            autoscaler.report(secs(second), &report).unwrap();
        }
        let rate = autoscaler.status().signals.arrival_rate;
        assert_eq!(rate.is_some(), !(105..165).contains(&second), "at {second} s");
        if second == 130 {
            let mut repaired = autoscaler.clone();
            repaired.report(secs(second), lost.as_ref().unwrap()).unwrap();
            assert_eq!(repaired.status().signals.arrival_rate, Some(Rate::per_second(10.0).unwrap()));
        }
    }
    let late = autoscaler.report(secs(200), lost.as_ref().unwrap()).unwrap_err();
    assert!(matches!(late, Rejected::TooLate { .. }), "{late}");
}

/// What makes no sense is refused with what to do about it.
#[test]
fn refusals_teach() {
    let fresh = autoscaler;
    let mut autoscaler = autoscaler();
    let mut honest = reporter(1);
    honest.started(TARGET);
    let honest = honest.report(secs(5));
    let mut refusal = |report: &Report| autoscaler.report(secs(5), report).unwrap_err().to_string();
    assert_eq!(
        refusal(&Report { over: Duration::ZERO, ..honest.clone() }),
        "a report over 0 s cannot be placed: report spans above zero and up to the window (60 s)"
    );
    assert_eq!(
        refusal(&Report { at: secs(11), ..honest.clone() }),
        "a report of o1 is 6 s ahead: its clock and the autoscaler's must agree to 5 s"
    );
    // The edges are inside: a slice ahead, a span of the whole window, and a target of which nothing was counted.
    for edge in [
        Report { at: secs(10), ..honest.clone() },
        Report { over: Duration::from_secs(60), ..honest.clone() },
        Reporter::new(ObserverId(1), 1, TARGET * 2, secs(1)).report(secs(2)),
    ] {
        assert_eq!(fresh().report(secs(5), &edge), Ok(()), "{edge:?}");
    }
    let mut other = Reporter::new(ObserverId(1), 1, TARGET * 2, secs(1));
    other.started(TARGET);
    assert_eq!(
        refusal(&other.report(secs(2))),
        "sojourns counted against 200 ms do not add to those against 100 ms: give every Reporter the autoscaler's \
         sojourn_target"
    );
    for id in 0..64 {
        autoscaler.report(secs(5), &Report { observer: ObserverId(id), ..honest.clone() }).unwrap();
    }
    let one_more = |at| Report { observer: ObserverId(64), at, ..honest.clone() };
    assert_eq!(
        autoscaler.report(secs(5), &one_more(secs(5))).unwrap_err().to_string(),
        "64 observers are known already: give one id to each load balancer and keep it over restarts"
    );
    // One of those that are there goes on; the others are gone after the observer timeout and make room.
    let at = secs(5 + 300);
    autoscaler.report(at, &Report { sequence: 1, at, ..honest.clone() }).unwrap_or_default();
    assert_eq!(autoscaler.report(at, &one_more(at)), Ok(()));
}

/// The digests' form of `CoDel`: a least sojourn that stands above the target is a standing queue, an empty queue ends it.
#[test]
fn a_standing_queue_shows_in_digests() {
    let (mut autoscaler, mut reporter) = (autoscaler(), reporter(1));
    let mut tell = |second, sojourn, depth| {
        reporter.started(Duration::from_millis(sojourn));
        reporter.started(Duration::from_millis(900));
        reporter.queue(depth, None);
        autoscaler.report(secs(second), &reporter.report(secs(second))).unwrap();
        autoscaler.status().signals.overloaded
    };
    assert!(!tell(5, 20, 4), "one passed at once: a burst that drains");
    assert!(tell(10, 150, 4));
    assert!(!tell(15, 150, 0), "the queue is empty");
    assert!(!tell(20, 99, 4));
}

/// What the status says of a service that two load balancers report on.
#[test]
fn the_status_shows_what_reports_say_of_waits_and_work() {
    let mut autoscaler = autoscaler();
    let mut reporters = [1, 2].map(reporter);
    for end in (5..=60).step_by(5) {
        for reporter in &mut reporters {
            reporter.arrived(10);
            for _ in 0..10 {
                reporter.started(Duration::from_millis(40));
                reporter.finished(Duration::from_millis(1_500));
            }
            reporter.queue(1, Some(Duration::from_secs(2)));
            reporter.in_flight(6);
            autoscaler.report(secs(end), &reporter.report(secs(end))).unwrap();
        }
    }
    let _ = autoscaler.decide(secs(60));
    let signals = autoscaler.status().signals;
    let rate = Rate::per_second(4.0).ok();
    assert_eq!((signals.arrival_rate, signals.arrival_rate_short), (rate, rate));
    assert_eq!((signals.queue_depth, signals.in_flight), (Some(2), Some(12)));
    assert_eq!(
        (signals.sojourn_mean, signals.sojourn_min),
        (Some(Duration::from_millis(40)), Some(Duration::from_millis(40)))
    );
    assert_eq!(signals.service_time, Some(Duration::from_millis(1_500)));
    assert_eq!(signals.request_latency(), Some(Duration::from_millis(1_540)));
    assert_eq!((signals.offered_load_millis, signals.sojourn_over_target), (Some(6_000), Some(false)));
    // While one is silent, the last rates are those of the time that both have told of.
    for end in [65, 70, 75, 80] {
        reporters[0].arrived(10);
        autoscaler.report(secs(end), &reporters[0].report(secs(end))).unwrap();
    }
    let _ = autoscaler.decide(secs(80));
    assert_eq!(autoscaler.status().signals.arrival_rate_short, rate);
}

#[test]
fn observers_that_are_gone_make_room_for_new_ones_and_no_others_do() {
    let mut autoscaler = autoscaler();
    let mut told = |id: u64, at: u64, reporter: &mut Reporter| {
        reporter.queue(1, None);
        let report = reporter.report(secs(at));
        autoscaler.report(secs(at), &report).map_err(|refused| (id, refused))?;
        let _ = autoscaler.decide(secs(at));
        Ok::<_, (u64, Rejected)>(autoscaler.status().signals.queue_depth)
    };
    let mut reporters: Vec<Reporter> = (0..64).map(reporter).collect();
    for (id, one) in (0..).zip(&mut reporters) {
        told(id, 5, one).unwrap();
    }
    assert!(told(64, 6, &mut reporter(64)).is_err(), "sixty-four report already");
    // Every third of them goes on.
    for at in (10..=600).step_by(5) {
        for (id, one) in (0..).zip(&mut reporters).step_by(3) {
            told(id, at, one).unwrap();
        }
        let mut new = Reporter::new(ObserverId(64), 1, TARGET, secs(at.saturating_sub(5)));
        assert!(
            at >= 305 || told(64, at, &mut new).is_err(),
            "who is silent at {at} s may come back within five minutes"
        );
    }
    assert_eq!(
        told(64, 601, &mut Reporter::new(ObserverId(64), 1, TARGET, secs(596))).unwrap(),
        Some(23),
        "twenty-two, and the new one"
    );
    for (id, one) in (0..).zip(&mut reporters).step_by(3) {
        assert_eq!(told(id, 602, one).unwrap(), Some(23));
    }
}
