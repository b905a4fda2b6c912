//! Configurations of a few spans, so that deadlines meet.

use std::time::Duration;

use plimsoll::config::{Backoff, Blind, Breaker, Buffer, Cliff, StepLimit};
use plimsoll::policy::{ConcurrencyTarget, Outpost, RunPod};
use plimsoll::schedule::Interval;
use plimsoll::{Config, Policy, Rate, Share, Timestamp};
use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;

/// From when and for how long which min and max hold, with which priority.
type Span = (Duration, Duration, Option<u32>, Option<u32>, i32);

/// A configuration in the making.
#[derive(Clone, Debug)]
pub struct Settings {
    policies: Vec<Policy>,
    bounds: (u32, u32, u32),
    delays: [Duration; 2],
    to_zero_delay: Option<Duration>,
    window: Duration,
    codel: (Duration, Duration),
    freshness: (Duration, Option<Duration>),
    /// The timeouts of orders, starts and drains, and of idleness.
    pool: (Duration, Duration, Duration, Option<Duration>),
    shaping: (f64, Option<StepLimit>, Option<StepLimit>, Option<Buffer>),
    blind: Blind,
    cliff: Option<(f64, Duration, Duration)>,
    provider: (Backoff, Breaker),
    schedule: Vec<Span>,
    standby: u32,
}

impl Settings {
    /// `start` is when the schedule begins.
    pub fn config(&self, start: u64) -> Config {
        let build = || {
            let share = |share| Share::new(share).expect("a share");
            let mut config = Config::new(self.policies[0], self.bounds.0, self.bounds.1)?
                .with_concurrency(self.bounds.2)?
                .with_up_delay(self.delays[0])?
                .with_down_delay(self.delays[1])?
                .with_window(self.window)?
                .with_sojourn_target(self.codel.0)?
                .with_codel_interval(self.codel.1)?
                .with_freshness(self.freshness.0)?
                .with_order_timeout(self.pool.0)?
                .with_start_timeout(self.pool.1)?
                .with_drain_timeout(self.pool.2)?
                .with_tolerance(share(self.shaping.0))
                .with_blind(self.blind)?
                .with_standby(self.standby)
                .with_backoff(self.provider.0)?
                .with_breaker(self.provider.1)?
                .with_schedule(self.schedule.iter().map(|interval| interval_of(start, *interval)).collect())?;
            for policy in &self.policies[1..] {
                config = config.with_policy(*policy)?;
            }
            if let Some(delay) = self.to_zero_delay {
                config = config.with_to_zero_delay(delay)?;
            }
            if let Some(freshness) = self.freshness.1 {
                config = config.with_event_freshness(freshness)?;
            }
            if let Some(timeout) = self.pool.3 {
                config = config.with_idle_timeout(timeout)?;
            }
            if let Some(limit) = self.shaping.1 {
                config = config.with_up_step(limit)?;
            }
            if let Some(limit) = self.shaping.2 {
                config = config.with_down_step(limit)?;
            }
            if let Some(buffer) = self.shaping.3 {
                config = config.with_buffer(buffer)?;
            }
            if let Some((fall, within, delay)) = self.cliff {
                config = config.with_cliff(Cliff::new(share(fall), within, delay))?;
            }
            Ok::<_, plimsoll::ConfigError>(config)
        };
        build().expect("the generator makes usable configurations only")
    }
}

impl Settings {
    /// The same, but what may not change in a comparison with the past: windows and the sojourn target, whose past is not
    /// kept in full.
    pub const fn instead_of(mut self, other: &Self) -> Self {
        self.window = other.window;
        self.codel.0 = other.codel.0;
        (self.blind, self.cliff) = (other.blind, other.cliff);
        self
    }
}

fn interval_of(start: u64, (after, lasts, min, max, priority): Span) -> Interval {
    let start = Timestamp::from_nanos(start).saturating_add(after);
    let mut interval = Interval::new(start, start.saturating_add(lasts)).with_priority(priority);
    (interval.min, interval.max) = (min.map(|min| max.map_or(min, |max| min.min(max))), max);
    interval
}

/// A few spans, so that their ends meet.
pub fn span() -> impl Strategy<Value = Duration> {
    select(vec![1_u64, 2, 5, 6, 10, 12, 30, 60, 120]).prop_map(Duration::from_secs)
}

fn policy() -> impl Strategy<Value = Policy> {
    let rate = |per_second| Rate::per_second(per_second).expect("a rate");
    prop_oneof![
        1 => (0_u32..10).prop_map(Policy::Fixed),
        1 => Just(Policy::External),
        5 => select(vec![0.1, 0.5, 2.0]).prop_map(move |qps| Policy::Outpost(Outpost::new(rate(qps)))),
        3 => span().prop_map(|delay| Policy::RunPod(RunPod::queue_delay(delay))),
        2 => (1_u32..4).prop_map(|count| Policy::RunPod(RunPod::request_count(count))),
        2 => select(vec![0.7, 1.0, 3.0])
            .prop_map(|target| Policy::Concurrency(ConcurrencyTarget::new(target).expect("a target"))),
    ]
}

fn step() -> impl Strategy<Value = StepLimit> {
    (1_u32..4, any::<bool>(), span()).prop_map(|(step, by_workers, period)| {
        if by_workers { StepLimit::workers(step, period) } else { StepLimit::percent(step * 30, period) }
    })
}

fn buffer() -> impl Strategy<Value = Buffer> {
    (1_u32..4, any::<bool>(), any::<bool>()).prop_map(|(workers, by_workers, always)| {
        let buffer = if by_workers { Buffer::workers(workers) } else { Buffer::percent(workers * 30) };
        if always { buffer.always() } else { buffer }
    })
}

pub fn settings() -> impl Strategy<Value = Settings> {
    let bounds = (1_u32..=8).prop_flat_map(|max| (prop_oneof![2 => Just(0), 1 => 0..=max], Just(max), 1_u32..=3));
    let delay = || prop_oneof![1 => Just(Duration::ZERO), 3 => span()];
    let window = select(vec![12_u64, 60, 61]).prop_map(Duration::from_secs);
    let codel = (select(vec![100_u64, 2_000]), select(vec![500_u64, 1_000, 5_000]));
    let codel = codel.prop_map(|(target, interval)| (Duration::from_millis(target), Duration::from_millis(interval)));
    let freshness = (span(), weighted(0.3, span()));
    let pool = (span(), span(), delay(), weighted(0.5, delay()));
    let shaping = (
        prop_oneof![2 => Just(0.0), 1 => select(vec![0.2, 0.5])],
        weighted(0.25, step()),
        weighted(0.25, step()),
        weighted(0.2, buffer()),
    );
    let blind = prop_oneof![
        2 => Just(Blind::Hold),
        1 => Just(Blind::GrowOnly),
        1 => (0_u32..6).prop_map(Blind::Floor),
        1 => span().prop_map(Blind::LastPeak),
    ];
    let cliff = weighted(0.4, (select(vec![0.3, 0.5, 1.0]), span(), span()));
    let backoff = (span(), span(), any::<u64>());
    let backoff = backoff.prop_map(|(first, more, seed)| Backoff::new(first, first + more).with_seed(seed));
    let breaker = (1_u32..5, span(), span());
    let breaker = breaker.prop_map(|(failures, within, pause)| Breaker::new(failures, within, pause));
    let interval = (delay(), span(), weighted(0.7, 0_u32..6), weighted(0.5, 0_u32..10), 0_i32..2);
    let schedule = prop_oneof![3 => Just(vec![]), 1 => vec(interval, 1..4)];
    let standby = 0_u32..3;
    let more = (blind, cliff, (backoff, breaker), schedule, standby);
    (
        vec(policy(), 1..3),
        bounds,
        [delay(), delay()],
        weighted(0.4, delay()),
        (window, codel),
        (freshness, pool),
        shaping,
        more,
    )
        .prop_map(|(policies, bounds, delays, to_zero_delay, windows, timeouts, shaping, more)| Settings {
            policies,
            bounds,
            delays,
            to_zero_delay,
            window: windows.0,
            codel: windows.1,
            freshness: timeouts.0,
            pool: timeouts.1,
            shaping,
            blind: more.0,
            cliff: more.1,
            provider: more.2,
            schedule: more.3,
            standby: more.4,
        })
}
