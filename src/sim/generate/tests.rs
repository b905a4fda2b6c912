use approx::assert_relative_eq;

use super::*;

const HOUR: Duration = Duration::from_secs(3_600);

fn generated(arrivals: Arrivals, duration: Duration) -> Generated {
    Generated { arrivals, service: ServiceTime::Exponential(Duration::from_secs(1)), duration }
}

fn draw(arrivals: Arrivals, duration: Duration) -> Workload {
    generated(arrivals, duration).draw("drawn", 7).unwrap()
}

/// Arrivals per second in each span of this length.
fn rates(workload: &Workload, span: Duration) -> Vec<f64> {
    let spans = workload.duration().as_nanos().div_ceil(span.as_nanos());
    let mut counts = std::vec![0.0; usize::try_from(spans).unwrap()];
    for request in workload.requests() {
        counts[usize::try_from(u128::from(request.arrival.as_nanos()) / span.as_nanos()).unwrap()] += 1.0;
    }
    counts.into_iter().map(|count| count / span.as_secs_f64()).collect()
}

#[test]
fn a_poisson_process_has_its_rate_and_a_variance_like_its_mean() {
    let workload = draw(Arrivals::Poisson { rate: 20.0 }, HOUR);
    let rates = rates(&workload, Duration::from_secs(1));
    let mean = rates.iter().sum::<f64>() / 3_600.0;
    let variance = rates.iter().map(|rate| (rate - mean) * (rate - mean)).sum::<f64>() / 3_600.0;
    assert_relative_eq!(mean, 20.0, max_relative = 0.02);
    assert_relative_eq!(variance, 20.0, max_relative = 0.1);
    assert_relative_eq!(workload.offered_load(), 20.0, max_relative = 0.03);
}

#[test]
fn a_day_begins_low_and_is_highest_at_noon() {
    let day = Arrivals::Diurnal { least: 1.0, most: 30.0, period: 24 * HOUR, noise: None };
    let rates = rates(&draw(day, 24 * HOUR), HOUR);
    assert!(rates[0] < 1.5 && rates[23] < 1.5, "{rates:?}");
    assert_relative_eq!(rates[12], 30.0, max_relative = 0.05);
    // (½)^1.5 of the way at six.
    assert_relative_eq!(rates[5..7].iter().sum::<f64>() / 2.0, 11.25, max_relative = 0.05);
    let noisy = Arrivals::Diurnal { least: 10.0, most: 10.0, period: HOUR, noise: Some(4.0) };
    let minutes = self::rates(&draw(noisy, 24 * HOUR), Duration::from_secs(60));
    let mean = minutes.iter().sum::<f64>() / 1_440.0;
    let cv = (minutes.iter().map(|rate| (rate - mean) * (rate - mean)).sum::<f64>() / 1_440.0).sqrt() / mean;
    assert_relative_eq!(mean, 10.0, max_relative = 0.05);
    assert_relative_eq!(cv, 0.5, max_relative = 0.1);
}

#[test]
fn a_crowd_climbs_stays_and_decays() {
    let (every, climb, flat, decay) =
        (HOUR, Duration::from_secs(20), Duration::from_secs(300), Duration::from_secs(120));
    let spikes = Arrivals::Spikes { base: 5.0, peak: 50.0, every, jitter: Duration::ZERO, climb, flat, decay };
    let rates = rates(&draw(spikes, 2 * HOUR), Duration::from_secs(10));
    let mean = |from: usize, to: usize| rates[from..to].iter().sum::<f64>() / (to - from) as f64;
    assert_relative_eq!(mean(0, 360), 5.0, max_relative = 0.05);
    assert_relative_eq!(mean(362, 392), 50.0, max_relative = 0.05);
    // One time constant after the peak: 5 + 45/e.
    assert_relative_eq!(mean(403, 405), 21.6, max_relative = 0.15);
    assert_relative_eq!(mean(452, 720), 5.0, max_relative = 0.06);
}

/// The rates themselves, without the chance of arrivals.
#[test]
fn a_rate_follows_its_formula() {
    let secs = Duration::from_secs;
    let follow = |arrivals: &Arrivals, rates: &[(f64, f64)]| {
        let mut pattern = Pattern::new(arrivals, 1e4, Chance::new(1, 1));
        for &(at, rate) in rates {
            assert_relative_eq!(pattern.rate(at), rate, max_relative = 1e-9);
        }
    };
    let day = Arrivals::Diurnal { least: 2.0, most: 10.0, period: secs(400), noise: None };
    let six = 2.0 + 8.0 * 0.5 * 0.5_f64.sqrt();
    follow(&day, &[(0.0, 2.0), (100.0, six), (200.0, 10.0), (300.0, six), (400.0, 2.0), (600.0, 10.0)]);
    let (every, climb, flat, decay) = (secs(100), secs(10), secs(20), secs(5));
    let crowd = Arrivals::Spikes { base: 1.0, peak: 11.0, every, jitter: Duration::ZERO, climb, flat, decay };
    // Climbs from 100 to 110 s, stays to 130 s, is over after five times the decay, at 155 s; the next begins at 255 s.
    let late = |constants: f64| 1.0 + 10.0 * libm::exp(-constants);
    let first = [(0.0, 1.0), (99.0, 1.0), (105.0, 6.0), (110.0, 11.0), (120.0, 11.0), (135.0, late(1.0))];
    let second = [(150.0, late(4.0)), (156.0, 1.0), (254.0, 1.0), (257.5, 3.5), (270.0, 11.0), (290.0, late(1.0))];
    follow(&crowd, &[first, second].concat());
}

#[test]
fn two_rates_take_turns_for_as_long_as_they_are_said_to() {
    let (calm_for, busy_for) = (Duration::from_secs(600), Duration::from_secs(120));
    let arrivals = Arrivals::MarkovModulated { calm: 2.0, busy: 20.0, calm_for, busy_for };
    let rates = rates(&draw(arrivals, 200 * HOUR), Duration::from_secs(20));
    let busy = rates.iter().filter(|rate| **rate > 9.0).count() as f64 / rates.len() as f64;
    assert_relative_eq!(busy, 1.0 / 6.0, max_relative = 0.12);
    assert!(rates[0] < 9.0, "it begins calm");
}

#[test]
fn sessions_have_their_number_of_requests() {
    let (every, pause) = (Duration::from_secs(900), Duration::from_secs(8));
    let workload = draw(Arrivals::Sparse { every, requests: 15.0, pause }, 1_000 * HOUR);
    assert_relative_eq!(workload.requests().len() as f64, 60_000.0, max_relative = 0.05);
    assert!(workload.requests().is_sorted_by_key(|request| request.arrival));
}

#[test]
fn a_seed_gives_one_workload_and_its_length_is_the_window() {
    let poisson = generated(Arrivals::Poisson { rate: 3.0 }, HOUR);
    let one = poisson.draw("one", 1).unwrap();
    assert_eq!(one, poisson.draw("one", 1).unwrap());
    assert_ne!(one.requests(), poisson.draw("one", 2).unwrap().requests());
    assert_eq!(one.duration(), HOUR);
    let empty = draw(Arrivals::Poisson { rate: 0.0 }, HOUR);
    assert_eq!((empty.requests().len(), empty.duration()), (0, HOUR));
}

#[test]
fn what_cannot_be_drawn_is_refused_by_name() {
    let refused = |arrivals| generated(arrivals, HOUR).draw("x", 0).unwrap_err().to_string();
    let rule = "give requests per second between 0 and 1e9";
    assert_eq!(refused(Arrivals::Poisson { rate: f64::NAN }), std::format!("rate = NaN: {rule}"));
    assert_eq!(refused(Arrivals::Poisson { rate: -1.0 }), std::format!("rate = -1: {rule}"));
    assert_eq!(
        refused(Arrivals::Poisson { rate: 1e6 }),
        "some 3600000000 requests are to be expected, at most 50000000 are generated: lower the rate or shorten it"
    );
    let sparse = Arrivals::Sparse { every: Duration::ZERO, requests: 2.0, pause: HOUR };
    assert_eq!(refused(sparse), "every = 0: give a time above zero");
    let service = ServiceTime::Lognormal { mean: HOUR, cv: -0.5 };
    let poisson = Generated { service, ..generated(Arrivals::Poisson { rate: 1.0 }, HOUR) };
    let error = poisson.draw("x", 0).unwrap_err().to_string();
    assert_eq!(error, "cv = -0.5: give a coefficient of variation between 0 and 100");
}

#[test]
fn a_description_reads_as_it_is_written() {
    let text = r#"{"arrivals": {"spikes": {"base": 3, "peak": 45, "every": "30m", "jitter": "90m", "climb": "20s",
        "flat": "5m", "decay": "2m"}}, "service": {"lognormal": {"mean": "1s", "cv": 1}}, "duration": "12h"}"#;
    let read: Generated = serde_json::from_str(text).unwrap();
    assert_eq!(serde_json::from_str::<Generated>(&serde_json::to_string(&read).unwrap()).unwrap(), read);
    assert!(read.draw("flash", 1).unwrap().requests().len() > 100_000);
}
