//! Configurations: each policy gets its streams, each setting is drawn for a third of them.

use core::time::Duration;

use plimsoll::config::{Backoff, Blind, Breaker, Cliff, Precision, StepLimit};
use plimsoll::policy::{Buffer, ConcurrencyTarget, Objective, Outpost, RunPod};
use plimsoll::schedule::Interval;
use plimsoll::{Config, ConfigError, Policy, Preset, Rate, Share, Timestamp};

use super::Log;
use super::anything::{Draw, count, span};

type Setting = fn(&mut Draw, Config) -> Result<Config, ConfigError>;

/// Each policy gets its streams.
const POLICIES: [fn(&mut Draw) -> Policy; 9] = [
    |draw| Policy::Fixed(count(draw) % 40),
    |draw| Policy::Outpost(Outpost::new(Rate::from_micros(1 + draw.below(12_000_000)))),
    |draw| Policy::RunPod(RunPod::queue_delay(delay(draw))),
    |draw| Policy::RunPod(RunPod::request_count(1 + count(draw) % 12)),
    |draw| {
        let tenths = 1 + u32::try_from(draw.below(80)).unwrap();
        ConcurrencyTarget::new(f64::from(tenths) / 10.0).map_or(Policy::External, Policy::Concurrency)
    },
    |draw| Policy::Objective(Objective::share(share(draw, 101), delay(draw).max(Duration::from_nanos(1)))),
    |draw| Policy::Objective(Objective::price(count(draw), delay(draw).max(Duration::from_nanos(1)))),
    |draw| {
        let objective = Objective::share(share(draw, 101), delay(draw).max(Duration::from_nanos(1)));
        Policy::Objective(objective.up_to(count(draw)))
    },
    |_| Policy::External,
];

fn any_policy(draw: &mut Draw) -> Policy {
    draw.of(&POLICIES)(draw)
}

/// Every setting, drawn for a third of the configurations. A value may be refused.
const SETTINGS: [Setting; 29] = [
    |draw, config| config.with_policy(any_policy(draw)),
    |draw, config| config.with_policy(any_policy(draw)),
    |draw, config| config.with_bounds(count(draw) % 6, u32::try_from(draw.below(150)).unwrap()),
    |draw, config| config.with_concurrency(count(draw) % 8),
    |draw, config| config.with_up_delay(delay(draw)),
    |draw, config| config.with_down_delay(delay(draw)),
    |draw, config| config.with_to_zero_delay(delay(draw)),
    |draw, config| config.with_idle_timeout(delay(draw)),
    |draw, config| Ok(config.with_standby(count(draw) % 6)),
    |draw, config| config.with_drain_timeout(delay(draw)),
    |draw, config| config.with_order_timeout(delay(draw)),
    |draw, config| {
        let tolerance = share(draw, 40);
        Ok(config.with_tolerance(tolerance))
    },
    |draw, config| config.with_up_step(StepLimit::workers(count(draw) % 8, delay(draw))),
    |draw, config| config.with_down_step(StepLimit::percent(count(draw) % 90, delay(draw))),
    |draw, config| config.with_window(delay(draw)),
    |draw, config| config.with_sojourn_target(Duration::from_millis(draw.below(2_000))),
    |draw, config| config.with_codel_interval(Duration::from_millis(draw.below(5_000))),
    |draw, config| config.with_freshness(delay(draw)),
    |draw, config| config.with_event_freshness(delay(draw)),
    |_, config| Ok(config.with_precision(Precision::Compact)),
    |draw, config| config.with_observer_timeout(delay(draw)),
    |draw, config| config.with_start_timeout(delay(draw)),
    |draw, config| config.with_backoff(Backoff::new(delay(draw), delay(draw)).with_seed(draw.below(4))),
    |draw, config| config.with_breaker(Breaker::new(count(draw) % 5, delay(draw), delay(draw))),
    |draw, config| {
        let span = delay(draw);
        config.with_blind(draw.of(&[Blind::Hold, Blind::GrowOnly, Blind::Floor(4), Blind::LastPeak(span)]))
    },
    |draw, config| {
        let fall = share(draw, 101);
        config.with_cliff(Cliff::new(fall, delay(draw), delay(draw)))
    },
    |draw, config| {
        let buffer = if draw.one_in(2) { Buffer::workers(count(draw) % 5) } else { Buffer::percent(count(draw) % 90) };
        config.with_buffer(if draw.one_in(3) { buffer.always() } else { buffer })
    },
    |draw, config| config.with_schedule((0..=draw.below(4)).map(|_| interval(draw)).collect()),
    |draw, config| Ok(config.with_event_log(u16::try_from(draw.below(20)).unwrap())),
];

/// The policy that is this stream's turn, or a preset, with some of the settings changed.
pub(super) fn any_config(draw: &mut Draw, turn: usize, log: &mut Log) -> Config {
    let mut config = match POLICIES.get(turn % (POLICIES.len() + 1)) {
        Some(policy) => Config::new(policy(draw), 0, 60).unwrap_or_else(|error| {
            log.line(format_args!("refused: {error}"));
            Config::new(Policy::Fixed(3), 0, 60).unwrap()
        }),
        None => draw.of(&Preset::ALL).config(),
    };
    for setting in SETTINGS {
        if draw.one_in(3) {
            match setting(draw, config.clone()) {
                Ok(changed) => config = changed,
                Err(error) => log.line(format_args!("refused: {error}")),
            }
        }
    }
    config
}

/// Whole hundredths below `end`.
fn share(draw: &mut Draw, end: u64) -> Share {
    Share::new(f64::from(u32::try_from(draw.below(end)).unwrap()) / 100.0).unwrap_or_default()
}

/// An hour of a day long ago, or of the day on which most streams begin.
fn interval(draw: &mut Draw) -> Interval {
    let day = draw.of(&[0, 1_795_000_000]);
    let start = Timestamp::from_secs(day + draw.below(3_600));
    let interval = Interval::new(start, start.saturating_add(delay(draw).max(Duration::from_secs(1))));
    let interval = if draw.one_in(2) { interval.with_min(count(draw) % 8) } else { interval.with_max(count(draw) % 8) };
    let interval = interval.with_priority(i32::try_from(draw.below(3)).unwrap());
    if draw.one_in(2) { interval.ahead() } else { interval }
}

/// A delay or window that is meant, now and then any duration.
fn delay(draw: &mut Draw) -> Duration {
    if draw.one_in(12) {
        return span(draw);
    }
    draw.of(&[0, 500, 4_000, 10_000, 30_000, 60_000, 300_000].map(Duration::from_millis))
}
