//! What operators order and configure: modes, schedules, reservations, buffers, and the files that say so.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::std_instead_of_core,
    reason = "a test says loudly what is wrong"
)]

use std::time::Duration;

use plimsoll::config::{Backoff, Blind, Breaker, Cliff, Precision, StepLimit};
use plimsoll::guard::Guard;
use plimsoll::policy::{Buffer, ConcurrencyTarget, RunPod};
use plimsoll::schedule::Interval;
use plimsoll::{
    Autoscaler, Command, Config, Decision, Mode, Observation, Policy, PoolCounts, Preset, Rejected, ReservationId,
    Share, Timestamp, WorkerEvent, WorkerId,
};

const MINUTE: Duration = Duration::from_secs(60);

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

const fn at(secs: u64) -> Timestamp {
    Timestamp::from_secs(secs)
}

const fn start(count: u32) -> Command {
    Command::Start { count }
}

/// An autoscaler, and the clock on the wall in seconds.
struct Service {
    autoscaler: Autoscaler,
    secs: u64,
}

impl Service {
    fn new(config: Config) -> Self {
        Self { autoscaler: Autoscaler::new(config, at(0)), secs: 0 }
    }

    /// At `secs` on the clock.
    const fn at(&mut self, secs: u64) -> &mut Self {
        self.secs = secs;
        self
    }

    fn tell(&mut self, observation: Observation) -> &mut Self {
        self.autoscaler.observe(at(self.secs), observation).unwrap();
        self
    }

    fn wanted(&mut self, workers: u32) -> &mut Self {
        self.tell(Observation::Proposal { workers, valid_for: None })
    }

    fn ready(&mut self, ready: u32) -> &mut Self {
        self.tell(Observation::Pool(PoolCounts { ready, ..PoolCounts::default() }))
    }

    fn requests(&mut self, queued: u32, in_flight: u32) -> &mut Self {
        self.tell(Observation::queue(queued, None)).tell(Observation::in_flight(in_flight))
    }

    fn mode(&mut self, mode: Mode, valid_for: Option<Duration>) -> &mut Self {
        self.tell(Observation::Mode { mode, valid_for })
    }

    fn reserve(&mut self, id: u32, workers: u32, after: Duration, valid_for: Duration) -> &mut Self {
        self.tell(Observation::Reserve { id: ReservationId(id), workers, after, valid_for })
    }

    fn decide(&mut self) -> Decision {
        self.autoscaler.decide(at(self.secs))
    }

    fn desired(&mut self) -> u32 {
        self.decide().desired
    }

    fn line(&mut self) -> String {
        self.decide().to_string()
    }

    /// Every change up to `secs`, by asking at every wake-up and never else.
    fn changes_until(&mut self, secs: u64) -> Vec<(u64, u32)> {
        let mut changes = vec![];
        while let Some(now) = self.autoscaler.next_wakeup().filter(|wakeup| *wakeup <= at(secs)) {
            let before = self.autoscaler.desired();
            let desired = self.autoscaler.decide(now).desired;
            if desired != before {
                changes.push((now.as_nanos() / 1_000_000_000, desired));
            }
        }
        self.at(secs);
        changes
    }
}

/// As many workers as somebody outside wants, at once in both directions.
fn told(min: u32, max: u32) -> Config {
    Config::new(Policy::External, min, max).unwrap().with_down_delay(Duration::ZERO).unwrap()
}

/// A service that has run with three workers for longer than its window.
fn running(config: Config) -> Service {
    let mut service = Service::new(config);
    service.at(1).wanted(3).ready(3).at(100).wanted(3).decide();
    service
}

// Modes -----------------------------------------------------------------------------------------------------------

#[test]
fn grow_only_lets_the_count_grow_and_not_shrink_until_it_expires() {
    let mut service = running(told(0, 10));
    service.mode(Mode::GrowOnly, Some(MINUTE)).wanted(5);
    assert_eq!(service.line(), "3 → 5: 5 proposed from outside; mode grow_only");
    service.at(110).ready(5).wanted(2);
    assert_eq!(service.line(), "held at 5 by the mode grow_only until +50 s; wants 2: 2 proposed from outside");
    assert_eq!((service.decide().next_wakeup, service.autoscaler.status().timers.mode), (Some(at(160)), Some(at(160))));
    assert_eq!(service.changes_until(200), [(160, 2)]);
    assert_eq!(service.autoscaler.status().mode, Mode::Automatic);
}

#[test]
fn shrink_only_lets_the_count_shrink_and_not_grow_even_from_zero() {
    let mut service = running(told(0, 10));
    service.mode(Mode::ShrinkOnly, None).wanted(5);
    assert_eq!(service.line(), "held at 3 by the mode shrink_only; wants 5: 5 proposed from outside");
    assert_eq!(service.wanted(2).desired(), 2);

    let mut asleep = Service::new(told(0, 10));
    asleep.at(1).mode(Mode::ShrinkOnly, None).tell(Observation::arrived(2));
    assert_eq!((asleep.desired(), asleep.decide().commands), (0, vec![]));
    assert_eq!(asleep.line(), "held at 0 by the mode shrink_only; wants 2: 2 requests wait and there is no worker");
    asleep.at(9).mode(Mode::Automatic, None);
    assert_eq!(asleep.line(), "0 → 2: 2 requests wait and there is no worker; wakes from zero at once");
}

#[test]
fn hold_keeps_a_service_at_zero_whatever_comes() {
    let mut service = Service::new(told(0, 10));
    service.at(1).mode(Mode::Hold, Some(MINUTE)).tell(Observation::arrived(2));
    assert_eq!((service.desired(), service.autoscaler.status().timers.mode), (0, Some(at(61))));
    assert_eq!(
        service.line(),
        "held at 0 by the mode hold until +60 s; wants 2: 2 requests wait and there is no worker"
    );
    let decision = service.at(61).decide();
    assert_eq!((decision.desired, decision.commands), (2, vec![start(2)]));
}

#[test]
fn a_fixed_count_is_taken_at_once_past_every_delay_and_stays_within_the_bounds() {
    let slow = || told(1, 10).with_up_delay(MINUTE).unwrap().with_down_delay(5 * MINUTE).unwrap();
    let mut service = running(slow());
    assert_eq!(service.desired(), 3);
    service.mode(Mode::Fixed(5), Some(MINUTE));
    assert_eq!(service.line(), "3 → 5: 3 proposed from outside; by the mode fixed at 5");
    service.at(101).mode(Mode::Fixed(50), Some(MINUTE));
    assert_eq!(service.line(), "5 → 10: 3 proposed from outside; by the mode fixed at 50; max 10 binds");
    service.at(102).ready(10);
    assert_eq!(service.line(), "held at 10 by max 10; wants 3: 3 proposed from outside; mode fixed at 50");
    service.at(103).mode(Mode::Fixed(0), None);
    assert_eq!(service.line(), "10 → 1: 3 proposed from outside; by the mode fixed at 0; min 1 binds");
    service.at(104).ready(1);
    assert_eq!(service.line(), "held at 1 by min 1; wants 3: 3 proposed from outside; mode fixed at 0");
}

#[test]
fn an_observer_commands_nothing_and_says_what_it_would() {
    let mut service = Service::new(told(0, 10));
    service.at(1).mode(Mode::Observe, Some(MINUTE)).wanted(3);
    for _ in 0..2 {
        let decision = service.decide();
        assert_eq!((decision.desired, decision.commands, decision.would), (3, vec![], vec![start(3)]));
        let line = "0 → 3: 3 proposed from outside; wakes from zero at once; mode observe";
        assert_eq!(decision.explanation.to_string(), line);
    }
    service.at(5).ready(2);
    assert_eq!(service.decide().would, [start(1)], "the platform did part of it by itself");
    assert_eq!(service.line(), "3: 3 proposed from outside; mode observe");
    let decision = service.at(61).decide();
    assert_eq!((&decision.commands, &decision.would), (&vec![start(1)], &vec![]));
    assert_eq!(decision.to_string(), "0 → 3: 3 proposed from outside; wakes from zero at once (60 s ago)");
}

#[test]
fn leaving_a_mode_acts_at_once_if_the_delays_have_been_met_meanwhile() {
    let mut service = running(told(0, 10).with_up_delay(30 * secs(1)).unwrap().with_down_delay(MINUTE).unwrap());
    service.at(200).mode(Mode::Hold, Some(secs(90))).wanted(7);
    assert_eq!(service.changes_until(400), [(290, 7)]);
    assert_eq!(
        service.autoscaler.events().last().unwrap().to_string(),
        "3 → 7: 7 proposed from outside; up delay 30 s met"
    );
    service.at(400).mode(Mode::Hold, Some(secs(50))).wanted(2).ready(7);
    assert_eq!(service.changes_until(500), [(460, 2)], "the down delay has still to run");
}

// Schedules -------------------------------------------------------------------------------------------------------

#[test]
fn intervals_change_the_bounds_at_their_instants() {
    let hours = vec![Interval::new(at(1_000), at(2_000)).with_min(4), Interval::new(at(3_000), at(4_000)).with_max(2)];
    let mut service = running(told(0, 10).with_schedule(hours).unwrap());
    assert_eq!(service.decide().next_wakeup, Some(at(1_000)));
    assert_eq!(service.changes_until(1_000), [(1_000, 4)]);
    service.ready(4).at(1_001);
    assert_eq!(service.line(), "held at 4 by min 4; wants 3: 3 proposed from outside");
    assert_eq!(service.autoscaler.next_wakeup(), Some(at(2_000)));
    assert_eq!(service.changes_until(5_000), [(2_000, 3), (3_000, 2), (4_000, 3)]);
    let events: Vec<_> = service.autoscaler.events().skip(1).map(ToString::to_string).collect();
    assert_eq!(
        events,
        [
            "3 → 4: 3 proposed from outside; min 4 binds",
            "4 → 3: 3 proposed from outside",
            "3 → 2: 3 proposed from outside; max 2 binds",
            "2 → 3: 3 proposed from outside",
        ]
    );
}

#[test]
fn the_highest_priority_decides_the_larger_bound_among_equals_and_max_over_min() {
    let span = || Interval::new(at(1_000), at(2_000));
    let count = |schedule: Vec<Interval>| {
        running(told(0, 10).with_schedule(schedule).unwrap()).changes_until(1_500).last().map_or(3, |(_, count)| *count)
    };
    assert_eq!(count(vec![span().with_min(6), span().with_min(4).with_priority(1)]), 4, "priority");
    assert_eq!(count(vec![span().with_min(4), span().with_min(6)]), 6, "the larger least");
    assert_eq!(count(vec![span().with_max(1), span().with_max(2)]), 2, "the larger most");
    assert_eq!(count(vec![span().with_min(4).with_priority(9), span().with_max(1)]), 1, "the bound on cost");
    assert_eq!(count(vec![span().with_min(40)]), 10, "within the configuration's own most");
    assert_eq!(count(vec![span().with_min(15).with_max(20)]), 15, "an interval may raise the most as well");
    assert_eq!(count(vec![span()]), 3, "states nothing");
}

#[test]
fn a_least_that_is_wanted_ahead_is_raised_by_the_measured_cold_start_earlier() {
    let hours = vec![Interval::new(at(1_000), at(2_000)).with_min(4).ahead()];
    let mut service = Service::new(told(0, 10).with_schedule(hours).unwrap());
    service.at(1).wanted(1).decide();
    service.tell(Observation::worker(WorkerId(1), WorkerEvent::Ordered));
    service.at(31).tell(Observation::worker(WorkerId(1), WorkerEvent::Ready));
    assert_eq!(service.changes_until(2_100), [(970, 4), (2_000, 1)]);
    assert_eq!(service.autoscaler.events().nth(1).unwrap().to_string(), "1 → 4: 1 proposed from outside; min 4 binds");
}

#[test]
fn an_interval_with_no_worker_at_most_closes_the_service() {
    let closed = vec![Interval::new(at(1_000), at(2_000)).with_max(0)];
    let mut service = running(told(1, 10).with_schedule(closed).unwrap());
    assert_eq!(service.decide().next_wakeup, Some(at(1_000)));
    let decision = service.at(1_000).decide();
    assert_eq!((decision.desired, decision.commands), (0, vec![Command::Release { count: 3 }]));
    service.ready(0).at(1_500).tell(Observation::arrived(2));
    assert_eq!(service.line(), "held at 0 by max 0; wants 3: 2 requests wait and there is no worker");
    let decision = service.at(2_000).decide();
    assert_eq!(decision.to_string(), "0 → 3: 2 requests wait and there is no worker; wakes from zero at once");
    assert_eq!(decision.commands, [start(3)]);
}

// Reservations ----------------------------------------------------------------------------------------------------

#[test]
fn a_reservation_holds_for_its_time_within_max_and_can_be_replaced_and_taken_back() {
    let mut service = running(told(0, 10));
    service.at(200).reserve(1, 6, MINUTE, secs(100));
    assert_eq!(service.decide().next_wakeup, Some(at(260)));
    assert_eq!(service.changes_until(500), [(260, 6), (360, 3)]);
    assert_eq!(service.autoscaler.events().nth(1).unwrap().to_string(), "3 → 6: 3 proposed from outside; min 6 binds");
    service.reserve(1, 60, Duration::ZERO, secs(100));
    assert_eq!(service.desired(), 10, "within max");
    service.reserve(1, 5, Duration::ZERO, secs(50));
    assert_eq!(service.desired(), 5, "the same name again replaces it");
    service.reserve(2, 4, Duration::ZERO, secs(500));
    assert_eq!((service.desired(), service.changes_until(600)), (5, vec![(550, 4)]), "of two the larger");
    service.reserve(2, 0, Duration::ZERO, Duration::ZERO);
    assert_eq!(service.desired(), 3, "taken back");
}

#[test]
fn sixteen_reservations_stand_and_the_next_is_refused_with_advice() {
    let mut service = running(told(0, 10));
    for id in 0..16 {
        service.reserve(id, 1, Duration::ZERO, secs(100));
    }
    let another = Observation::Reserve { id: ReservationId(99), workers: 1, after: Duration::ZERO, valid_for: MINUTE };
    let refused = service.autoscaler.observe(at(100), another).unwrap_err();
    assert_eq!(refused, Rejected::TooManyReservations { limit: 16 });
    assert_eq!(
        refused.to_string(),
        "16 reservations stand already: take one back with `workers: 0`, or use its id again"
    );
    service.reserve(7, 2, Duration::ZERO, secs(100));
    // Nobody has asked since they expired.
    assert_eq!(service.autoscaler.observe(at(700), another), Ok(()));
}

// The buffer ------------------------------------------------------------------------------------------------------

fn buffered(buffer: Buffer, min: u32) -> Service {
    let config = Config::new(Policy::RunPod(RunPod::request_count(1)), min, 10).unwrap();
    let config = config.with_down_delay(Duration::ZERO).unwrap().with_buffer(buffer).unwrap();
    let mut service = Service::new(config);
    service.at(100);
    service
}

#[test]
fn a_buffer_rides_on_demand_beside_min_and_standby() {
    let counts = |buffer, min| {
        let mut service = buffered(buffer, min);
        [0, 1, 4, 9].map(|busy| service.requests(0, busy).desired())
    };
    assert_eq!(counts(Buffer::workers(2), 0), [0, 3, 6, 10], "while active");
    assert_eq!(counts(Buffer::workers(2).always(), 0), [2, 3, 6, 10]);
    assert_eq!(counts(Buffer::percent(50), 0), [0, 2, 6, 10]);
    assert_eq!(counts(Buffer::workers(2), 4), [4, 4, 6, 10], "min is a floor under the whole");

    let config = Config::new(Policy::RunPod(RunPod::request_count(1)), 0, 10).unwrap().with_standby(1);
    let mut service = Service::new(config.with_buffer(Buffer::workers(2)).unwrap());
    let decision = service.at(100).requests(0, 1).decide();
    assert_eq!(decision.commands, [start(3), Command::Prewarm { count: 1 }], "standby workers are beside the buffer");
    assert_eq!(decision.to_string(), "0 → 3: 1 in the system and a buffer want 3; wakes from zero at once");
}

#[test]
fn a_buffer_that_is_always_there_says_that_it_is_the_buffer() {
    let config = Config::new(Policy::External, 0, 10).unwrap().with_buffer(Buffer::workers(2).always()).unwrap();
    assert_eq!(Service::new(config).line(), "0 → 2: 0 in the system and a buffer want 2; wakes from zero at once");
}

// Files -----------------------------------------------------------------------------------------------------------

fn file(setting: &str) -> Result<Config, String> {
    let text = format!(r#"{{"max": 10, "policy": "external", {setting}}}"#);
    serde_json::from_str(&text).map_err(|error| error.to_string().split(" at line").next().unwrap().to_owned())
}

#[test]
fn every_setting_reads_from_a_file_and_is_written_back() {
    let base = || Config::new(Policy::External, 0, 10).unwrap();
    let fifth = Buffer::percent(20).always();
    let cliff = Cliff::new(Share::new(0.5).unwrap(), MINUTE, 15 * MINUTE);
    let interval = Interval::new(at(100), at(200)).with_min(3).with_max(5).with_priority(-2).ahead();
    for (text, config) in [
        (r#""buffer": {"workers": 2}"#, base().with_buffer(Buffer::workers(2))),
        (r#""buffer": {"percent": 20, "always": true}"#, base().with_buffer(fifth)),
        (r#""blind": "hold""#, base().with_blind(Blind::Hold)),
        (r#""blind": "grow_only""#, base().with_blind(Blind::GrowOnly)),
        (r#""blind": {"floor": 3}"#, base().with_blind(Blind::Floor(3))),
        (r#""blind": {"last_peak": "1h"}"#, base().with_blind(Blind::LastPeak(60 * MINUTE))),
        (r#""cliff": {"fall": 0.5, "within": "1m", "down_delay": "15m"}"#, base().with_cliff(cliff)),
        (r#""start_timeout": "90s""#, base().with_start_timeout(secs(90))),
        (r#""backoff": {"first": 1}"#, base().with_backoff(Backoff::new(secs(1), 5 * MINUTE))),
        (r#""backoff": {"seed": 7}"#, base().with_backoff(Backoff::default().with_seed(7))),
        (r#""breaker": {"failures": 3}"#, base().with_breaker(Breaker::new(3, 5 * MINUTE, MINUTE))),
        (
            r#""schedule": [{"start": "100", "end": "200", "min": 3, "max": 5, "priority": -2, "ahead": true}]"#,
            base().with_schedule(vec![interval]),
        ),
        (r#""schedule": [], "buffer": null, "blind": null, "cliff": null"#, Ok(base())),
    ] {
        let config = config.unwrap();
        assert_eq!(file(text).as_ref(), Ok(&config), "{text}");
        let written = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<Config>(&written).unwrap(), config, "{written}");
    }
}

#[test]
fn a_value_out_of_its_range_is_refused_by_the_settings_name_with_the_rule_and_what_to_do() {
    for (text, error) in [
        (
            r#""buffer": {"workers": 0}"#,
            "buffer (0) must be above zero: give `workers` or `percent` above zero, or leave the buffer out",
        ),
        (
            r#""blind": {"last_peak": 0}"#,
            "blind.last_peak (0) must be above zero: give the time in which the last peak is looked for, such as \"1h\"",
        ),
        (
            r#""blind": {"last_peak": 400000000}"#,
            "blind.last_peak (111111 h 6 min) must be at most 87840 h: give a shorter duration",
        ),
        (
            r#""cliff": {"fall": 0, "within": 60, "down_delay": 900}"#,
            "cliff.fall (0) must be above zero: give a share such as 0.5, or leave the cliff out",
        ),
        (
            r#""cliff": {"fall": 0.5, "within": 0, "down_delay": 900}"#,
            "cliff.within (0) must be above zero: give the time of a fall that is too steep, such as \"1m\", or leave \
             the cliff out",
        ),
        (r#""start_timeout": 0"#, "start_timeout (0) must be above zero: give a duration such as \"60s\""),
        (r#""backoff": {"first": 0}"#, "backoff.first (0) must be above zero: give a wait such as \"10s\""),
        (
            r#""backoff": {"first": "10m"}"#,
            "backoff.first (10 min) must be at most backoff.most (5 min): lower first or raise most",
        ),
        (
            r#""breaker": {"failures": 0}"#,
            "breaker.failures (0) must be above zero: give the failures at which it opens, such as 5",
        ),
        (r#""breaker": {"failures": 17}"#, "breaker.failures (17) must be at most 16: give a smaller number"),
        (r#""breaker": {"pause": 0}"#, "breaker.pause (0) must be above zero: give a duration such as \"60s\""),
        (
            r#""schedule": [{"start": "100", "end": "200", "min": 3, "max": 2}]"#,
            "schedule holds an interval from 100 to 200: its min (3) must be at most its max (2); lower min or raise max",
        ),
        (
            r#""schedule": [{"start": "200", "end": "200", "min": 3}]"#,
            "schedule holds an interval from 200 to 200: its end must be after its start; correct them or leave it out",
        ),
    ] {
        assert_eq!(file(text), Err(error.to_owned()), "{text}");
    }
    let many = vec![Interval::new(at(1), at(2)); 129];
    assert_eq!(
        Config::new(Policy::External, 0, 1).unwrap().with_schedule(many).unwrap_err().to_string(),
        "schedule has more than 128 intervals: give those of the next days, and the others by reconfiguring"
    );
}

#[test]
fn a_value_of_the_wrong_kind_is_refused_with_what_belongs_there() {
    let ways = "expected blind as \"hold\", \"grow_only\", {floor: 3} or {last_peak: 1h}";
    for (text, error) in [
        (r#""buffer": 2"#, "invalid type: integer `2`, expected a buffer, such as {workers: 2}".to_owned()),
        (
            r#""buffer": {"worker": 2}"#,
            "unknown field `worker`, expected one of `workers`, `percent`, `always`".to_owned(),
        ),
        (
            r#""buffer": {"workers": -1}"#,
            "invalid value: integer `-1`, expected workers as a whole number, 0 or more, such as 3".to_owned(),
        ),
        (r#""blind": "freeze""#, format!("invalid value: string \"freeze\", {ways}")),
        (r#""blind": 3"#, format!("invalid type: integer `3`, {ways}")),
        (r#""blind": {}"#, format!("invalid type: map, {ways}")),
        (
            r#""blind": {"floor": 3, "last_peak": "1h"}"#,
            "blind has both floor and last_peak: keep one of them".to_owned(),
        ),
        (
            r#""cliff": {"fall": 0.5, "within": "1m"}"#,
            "down_delay is required in cliff: give the down delay after a cliff, such as 15m".to_owned(),
        ),
        (
            r#""cliff": {"fall": 50}"#,
            "invalid value: integer `50`, expected fall as a share between 0 and 1, such as 0.1 for 10 %".to_owned(),
        ),
        (r#""backoff": {"frist": 1}"#, "unknown field `frist`, expected one of `first`, `most`, `seed`".to_owned()),
        (
            r#""schedule": {}"#,
            "invalid type: map, expected schedule as a list, such as [{start: \"3600\", end: \"7200\", min: 3}]"
                .to_owned(),
        ),
        (r#""schedule": [{"start": "1"}]"#, "end is required in an interval of schedule".to_owned()),
        (
            r#""schedule": [{"start": "2026-01-01T00:00:00Z"}]"#,
            "invalid value: string \"2026-01-01T00:00:00Z\", expected start as a string of seconds since the caller's \
             origin, such as \"12.5\""
                .to_owned(),
        ),
        (
            r#""schedule": [{"mni": 1}]"#,
            "unknown field `mni`, expected one of `start`, `end`, `min`, `max`, `priority`, `ahead`".to_owned(),
        ),
    ] {
        assert_eq!(file(text), Err(error), "{text}");
    }
}

/// Asks for nothing but what is there, with a to-zero delay and nothing else in the way.
fn quiet_pool(down_delay: u64) -> Service {
    let config = Config::new(Policy::RunPod(RunPod::request_count(1)), 0, 5).unwrap();
    let config = config.with_to_zero_delay(secs(300)).unwrap().with_down_delay(secs(down_delay)).unwrap();
    let mut service = Service::new(config);
    service.at(10).tell(Observation::arrived(1)).tell(Observation::started(secs(0)));
    service.tell(Observation::Pool(PoolCounts { ready: 1, ..PoolCounts::default() }));
    service.at(20).tell(Observation::finished(secs(10)));
    service
}

#[test]
fn the_status_says_when_the_pool_may_go_to_zero_and_it_goes_then() {
    let mut service = quiet_pool(60);
    let to_zero = |service: &Service| service.autoscaler.status().timers.to_zero;
    // For the first window nothing is known of the time before.
    assert_eq!((to_zero(&service), service.autoscaler.desired()), (None, 1));
    let _ = service.at(59).autoscaler.decide(at(59));
    assert_eq!(to_zero(&service), None);
    let _ = service.at(60).autoscaler.decide(at(60));
    assert_eq!(to_zero(&service), Some(at(320)));
    assert_eq!(service.autoscaler.decide(at(319)).desired, 1);
    assert_eq!(to_zero(&service), Some(at(320)));
    let decision = service.autoscaler.decide(at(320));
    assert_eq!((decision.desired, to_zero(&service)), (0, None));
    // A request in the system stops the wait, a least count above zero does away with it.
    let mut service = quiet_pool(60);
    service.at(100).tell(Observation::arrived(1));
    let _ = service.autoscaler.decide(at(100));
    assert_eq!(to_zero(&service), None);
    let mut service = quiet_pool(60);
    let reserve = Observation::Reserve { id: ReservationId(1), workers: 1, after: secs(0), valid_for: secs(900) };
    service.at(100).tell(reserve);
    let _ = service.autoscaler.decide(at(100));
    assert_eq!(to_zero(&service), None);
}

#[test]
fn the_outlook_is_whichever_of_the_delays_ends_first() {
    for (down_delay, count, due) in [(60, 0, 320), (900, 0, 320)] {
        let mut service = quiet_pool(down_delay);
        let outlook = service.at(200).autoscaler.decide(at(200)).explanation.outlook.unwrap();
        assert_eq!((outlook.count, outlook.at), (count, at(due)), "{down_delay}");
    }
}

#[test]
fn of_two_policies_the_one_that_counts_in_the_direction_taken_is_named() {
    let counts = Policy::RunPod(RunPod::request_count(2));
    let decide = |policies: [Policy; 2], proposed: u32| {
        let [first, second] = policies;
        let config = Config::new(first, 1, 9).unwrap().with_policy(second).unwrap();
        let config = config.with_up_delay(secs(0)).unwrap().with_down_delay(secs(0)).unwrap();
        let mut service = Service::new(config);
        service.at(5).wanted(proposed).tell(Observation::queue(0, None)).tell(Observation::InFlight { count: 8 });
        let up = service.autoscaler.decide(at(5));
        service.at(90).tell(Observation::queue(0, None)).tell(Observation::InFlight { count: 0 });
        service.wanted(proposed.min(3));
        let down = service.autoscaler.decide(at(90));
        [up, down].map(|decision| (decision.desired, decision.explanation.terms.policy.unwrap()))
    };
    for policies in [[counts, Policy::External], [Policy::External, counts]] {
        assert_eq!(decide(policies, 7), [(7, Policy::External), (3, Policy::External)]);
        assert_eq!(decide(policies, 2), [(4, counts), (2, Policy::External)]);
    }
}

#[test]
fn what_does_not_fit_the_pool_is_refused_and_changes_nothing() {
    let mut service = Service::new(Config::fixed(1).unwrap());
    service.at(5).tell(Observation::worker(WorkerId(1), WorkerEvent::Ready));
    let before = service.autoscaler.clone();
    let unknown = Some(WorkerId(9));
    let refused = [
        (Observation::Pool(PoolCounts { ready: 1, ..PoolCounts::default() }), Rejected::CountsBesideIds { workers: 1 }),
        (Observation::Arrived { count: 1, queue: unknown }, Rejected::UnknownWorker { id: WorkerId(9) }),
        (Observation::Started { sojourn: secs(1), queue: unknown }, Rejected::UnknownWorker { id: WorkerId(9) }),
        (Observation::Abandoned { wait: secs(1), queue: unknown }, Rejected::UnknownWorker { id: WorkerId(9) }),
        (
            Observation::Queue { depth: 1, oldest_age: None, queue: unknown },
            Rejected::UnknownWorker { id: WorkerId(9) },
        ),
    ];
    for (observation, why) in refused {
        assert_eq!(service.autoscaler.observe(at(6), observation), Err(why));
    }
    assert_eq!(service.autoscaler.status().input.rejected, 5);
    assert_eq!(service.autoscaler.status().signals, before.status().signals);
}

#[test]
fn the_status_says_since_when_requests_wait_too_long_and_in_whose_queue() {
    let config = Config::new(Policy::RunPod(RunPod::request_count(1)), 2, 9).unwrap();
    let mut service = Service::new(config);
    for id in [1, 2] {
        service.at(5).tell(Observation::worker(WorkerId(id), WorkerEvent::Ready));
    }
    let mut waited = |secs_: u64, id: u64, millis: u64| {
        let queue = Some(WorkerId(id));
        service.at(secs_).tell(Observation::Arrived { count: 1, queue });
        service.tell(Observation::Started { sojourn: Duration::from_millis(millis), queue });
        let _ = service.autoscaler.decide(at(secs_));
        service.autoscaler.status()
    };
    for secs in 10..18 {
        assert_eq!(waited(secs, 1, 10).signals.over_target_since, None);
    }
    let status = waited(20, 2, 400);
    assert_eq!(status.signals.over_target_since, Some(at(20)));
    assert_eq!((status.standing_out, status.signals.sojourn_over_target), (vec![WorkerId(2)], Some(true)));
    assert_eq!(waited(30, 1, 10).signals.over_target_since, Some(at(20)));
    // A window later the one that waited too long is forgotten.
    assert_eq!(waited(85, 1, 10).signals.over_target_since, None);
}

#[test]
fn fewer_events_are_kept_from_a_reconfiguration_on() {
    let config = |events| Config::new(Policy::External, 0, 9).unwrap().with_event_log(events);
    let mut service = Service::new(config(8).with_up_delay(secs(0)).unwrap());
    for secs in 1..=5 {
        service.at(secs).wanted(u32::try_from(secs).unwrap());
    }
    assert_eq!(service.autoscaler.events().count(), 5);
    service.autoscaler.reconfigure(at(6), config(2).with_up_delay(secs(0)).unwrap());
    let kept: Vec<_> = service.autoscaler.events().map(|event| event.desired).collect();
    assert_eq!(kept, [4, 5]);
    service.at(7).wanted(7);
    let kept: Vec<_> = service.autoscaler.events().map(|event| event.desired).collect();
    assert_eq!(kept, [5, 7]);
}

#[test]
fn the_outlook_of_a_step_limit_is_the_end_of_its_period() {
    let config = Config::new(Policy::External, 1, 9).unwrap().with_up_delay(secs(0)).unwrap();
    let mut service = Service::new(config.with_up_step(StepLimit::workers(1, MINUTE)).unwrap());
    service.at(100).wanted(5);
    assert_eq!(service.autoscaler.desired(), 2);
    let outlook = service.autoscaler.decide(at(110)).explanation.outlook.unwrap();
    assert_eq!((outlook.guard, outlook.count, outlook.at), (Guard::StepLimit, 5, at(160)));
    assert_eq!(service.autoscaler.decide(at(160)).desired, 3);
    // Going down has a period of its own.
    let config = Config::new(Policy::External, 1, 9).unwrap().with_down_delay(secs(0)).unwrap();
    let config = config.with_up_delay(secs(0)).unwrap().with_down_step(StepLimit::workers(1, MINUTE)).unwrap();
    let mut service = Service::new(config);
    service.at(100).wanted(5);
    service.at(200).wanted(1);
    let outlook = service.autoscaler.decide(at(210)).explanation.outlook.unwrap();
    assert_eq!(
        (service.autoscaler.desired(), outlook.guard, outlook.count, outlook.at),
        (4, Guard::StepLimit, 1, at(260))
    );
}

#[test]
fn the_outlook_is_the_down_delay_where_it_ends_before_the_silence_is_long_enough() {
    let config = Config::new(Policy::External, 0, 9).unwrap().with_to_zero_delay(secs(300)).unwrap();
    let config = config.with_up_delay(secs(0)).unwrap().with_down_delay(MINUTE).unwrap();
    let mut service = Service::new(config);
    service.at(10).tell(Observation::arrived(1)).tell(Observation::started(secs(0))).wanted(4);
    service.tell(Observation::Pool(PoolCounts { ready: 4, ..PoolCounts::default() }));
    service.at(20).tell(Observation::finished(secs(10)));
    service.at(100).wanted(2);
    let outlook = service.autoscaler.decide(at(101)).explanation.outlook.unwrap();
    assert_eq!((outlook.guard, outlook.count, outlook.at), (Guard::DownDelay, 2, at(160)));
    assert_eq!(service.autoscaler.status().timers.to_zero, Some(at(320)));
}

#[test]
fn the_bounds_of_settings_are_allowed_and_what_is_beyond_is_not() {
    let config = || Config::new(Policy::External, 0, 9).unwrap();
    let longest = secs(10 * 366 * 86_400);
    config().with_up_delay(longest).unwrap();
    assert!(config().with_up_delay(longest + secs(1)).is_err());
    config().with_backoff(Backoff::new(MINUTE, MINUTE)).unwrap();
    assert!(config().with_backoff(Backoff::new(2 * MINUTE, MINUTE)).is_err());
    config().with_breaker(Breaker::new(16, MINUTE, MINUTE)).unwrap();
    assert!(config().with_breaker(Breaker::new(17, MINUTE, MINUTE)).is_err());
    let hours = |count: u64| (0..count).map(|hour| Interval::new(at(hour * 3_600), at(hour * 3_600 + 1))).collect();
    config().with_schedule(hours(128)).unwrap();
    assert!(config().with_schedule(hours(129)).is_err());
    let none = Policy::Concurrency(ConcurrencyTarget::new(0.0).unwrap());
    assert!(config().with_policy(none).is_err());
    config().with_policy(Policy::RunPod(RunPod::queue_delay(longest))).unwrap();
    assert!(config().with_policy(Policy::RunPod(RunPod::queue_delay(longest + secs(1)))).is_err());
    let cliff = config().with_cliff(Cliff::new(Share::new(0.5).unwrap(), MINUTE, secs(0))).unwrap_err().to_string();
    assert_eq!(
        cliff,
        "cliff.down_delay (0) must be above zero: give the down delay after a cliff, such as \"15m\", or leave the cliff out"
    );
    let set = config().with_event_freshness(MINUTE).unwrap().with_precision(Precision::Compact);
    assert_eq!((set.event_freshness(), set.precision()), (Some(MINUTE), Precision::Compact));
}

#[test]
fn every_preset_says_what_it_is_for() {
    let lines: std::collections::BTreeSet<_> = Preset::ALL.into_iter().map(Preset::description).collect();
    assert_eq!(lines.len(), Preset::ALL.len());
    assert!(Preset::OutpostGpu.description().contains("accelerator"), "{}", Preset::OutpostGpu.description());
}
