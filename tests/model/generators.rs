//! Configurations of a few spans, so that deadlines meet, and operations.

use std::fmt;
use std::time::Duration;

use plimsoll::config::{Backoff, Blind, Breaker, Buffer, Cliff, StepLimit};
use plimsoll::policy::{ConcurrencyTarget, Outpost, RunPod};
use plimsoll::schedule::Interval;
use plimsoll::{
    Config, FailureCause, Mode, Observation, Policy, PoolCounts, Rate, ReservationId, Share, Timestamp, WorkerEvent,
};
use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;

/// One thing that happens.
#[derive(Clone, Copy, Debug)]
pub enum Op {
    Observe(Observation),
    /// The platform counts what was asked for, some of it starting yet.
    AsOrdered {
        starting: u32,
        idle: Option<u32>,
    },
    Workers(Deed),
    Decide,
    /// The process ends, and another goes on from the snapshot of the first.
    Restart,
}

/// What happens among workers that are known by id.
#[derive(Clone, Copy, Debug)]
pub enum Deed {
    /// The platform does what the last decision commanded.
    Obeys,
    /// Others appear, starting or ready.
    Appear { count: u32, ready: bool },
    /// All that are starting say this.
    Started(WorkerEvent),
    /// One that was ever heard of says this, or one that was never heard of.
    One { which: usize, event: WorkerEvent },
}

/// From when and for how long which min and max hold, with which priority.
type Span = (Duration, Duration, Option<u32>, Option<u32>, i32);

/// A configuration, and what happens: after so long, or at the next wake-up.
#[derive(Clone)]
pub struct Case {
    pub start: u64,
    pub policies: Vec<Policy>,
    pub bounds: (u32, u32, u32),
    pub delays: [Duration; 2],
    pub to_zero_delay: Option<Duration>,
    pub window: Duration,
    pub codel: (Duration, Duration),
    pub freshness: (Duration, Option<Duration>),
    /// The timeouts of orders, starts and drains, and of idleness.
    pub pool: (Duration, Duration, Duration, Option<Duration>),
    pub shaping: (f64, Option<StepLimit>, Option<StepLimit>, Option<Buffer>),
    pub blind: Blind,
    pub cliff: Option<(f64, Duration, Duration)>,
    pub provider: (Backoff, Breaker),
    pub schedule: Vec<Span>,
    pub ops: Vec<(Option<Duration>, Op)>,
}

impl Case {
    pub fn config(&self) -> Config {
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
                .with_backoff(self.provider.0)?
                .with_breaker(self.provider.1)?
                .with_schedule(self.schedule.iter().map(|interval| self.interval(*interval)).collect())?;
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

    fn interval(&self, (after, lasts, min, max, priority): Span) -> Interval {
        let start = Timestamp::from_nanos(self.start).saturating_add(after);
        let mut interval = Interval::new(start, start.saturating_add(lasts)).with_priority(priority);
        (interval.min, interval.max) = (min.map(|min| max.map_or(min, |max| min.min(max))), max);
        interval
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "from {} with {}", self.start, serde_json::to_string(&self.config()).map_err(|_| fmt::Error)?)?;
        for (index, (gap, op)) in self.ops.iter().enumerate() {
            match gap {
                Some(gap) => writeln!(f, "  {index}: after {gap:?} {op:?}")?,
                None => writeln!(f, "  {index}: at the wake-up {op:?}")?,
            }
        }
        Ok(())
    }
}

/// A few spans, so that their ends meet.
fn span() -> impl Strategy<Value = Duration> {
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

pub fn case() -> impl Strategy<Value = Case> {
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
    let more = (blind, cliff, (backoff, breaker), schedule);
    let start = select(vec![0_u64, 7_000_000_000, 1_234_567_890_123]);
    let ops = prop_oneof![vec((gap(), counted()), 1..40), ops_by_id()];
    (
        start,
        vec(policy(), 1..3),
        bounds,
        [delay(), delay()],
        weighted(0.4, delay()),
        (window, codel),
        (freshness, pool),
        shaping,
        more,
        ops,
    )
        .prop_map(|(start, policies, bounds, delays, to_zero_delay, windows, timeouts, shaping, more, ops)| Case {
            start,
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
            ops,
        })
}

fn gap() -> impl Strategy<Value = Option<Duration>> {
    prop_oneof![
        3 => Just(Some(Duration::ZERO)),
        2 => Just(Some(Duration::from_nanos(1))),
        3 => (1_u64..3_000).prop_map(|millis| Some(Duration::from_millis(millis))),
        4 => span().prop_map(Some),
        4 => Just(None),
        1 => (100_u64..1_000).prop_map(|secs| Some(Duration::from_secs(secs))),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => load().prop_map(Op::Observe),
        4 => Just(Op::Decide),
        1 => Just(Op::Restart),
        1 => (1_u32..3, select(FailureCause::ALL.to_vec()))
            .prop_map(|(count, cause)| Op::Observe(Observation::StartFailed { count, cause })),
        1 => operator().prop_map(Op::Observe),
    ]
}

fn counted() -> impl Strategy<Value = Op> {
    prop_oneof![
        15 => op(),
        3 => (0_u32..3, weighted(0.6, 0_u32..4)).prop_map(|(starting, idle)| Op::AsOrdered { starting, idle }),
        1 => counts().prop_map(|counts| Op::Observe(Observation::Pool(counts))),
    ]
}

fn named() -> impl Strategy<Value = Op> {
    let deed = prop_oneof![
        4 => Just(Deed::Obeys),
        1 => (1_u32..7, weighted(0.3, Just(()))).prop_map(|(count, ready)| Deed::Appear { count, ready: ready.is_some() }),
        3 => started().prop_map(Deed::Started),
        8 => (any::<usize>(), event()).prop_map(|(which, event)| Deed::One { which, event }),
    ];
    prop_oneof![
        30 => op(),
        20 => deed.prop_map(Op::Workers),
        1 => counts().prop_map(|counts| Op::Observe(Observation::Pool(counts))),
    ]
}

/// What happens in a pool whose workers are named. Now and then so many start that their deadline is learned.
fn ops_by_id() -> impl Strategy<Value = Vec<(Option<Duration>, Op)>> {
    let many = (gap(), 16_u32..20, (1_u64..3_000).prop_map(Duration::from_millis), started());
    let many = many.prop_map(|(gap, count, took, event)| {
        let appear = Op::Workers(Deed::Appear { count, ready: false });
        vec![(gap, appear), (Some(took), Op::Workers(Deed::Started(event)))]
    });
    let one = (gap(), named()).prop_map(|op| vec![op]);
    vec(prop_oneof![60 => one, 1 => many], 1..40).prop_map(|ops| ops.concat())
}

fn started() -> impl Strategy<Value = WorkerEvent> {
    select(vec![WorkerEvent::Ready, WorkerEvent::Idle, WorkerEvent::Busy(1)])
}

fn event() -> impl Strategy<Value = WorkerEvent> {
    prop_oneof![
        1 => Just(WorkerEvent::Ordered),
        2 => Just(WorkerEvent::Ready),
        3 => (0_u32..4).prop_map(WorkerEvent::Busy),
        3 => Just(WorkerEvent::Idle),
        2 => wait().prop_map(WorkerEvent::Leased),
        2 => Just(WorkerEvent::Draining),
        1 => Just(WorkerEvent::Gone),
        1 => select(FailureCause::ALL.to_vec()).prop_map(WorkerEvent::Failed),
    ]
}

fn count() -> impl Strategy<Value = u32> {
    prop_oneof![1 => Just(0), 4 => 1_u32..6, 1 => 6_u32..12]
}

fn wait() -> impl Strategy<Value = Duration> {
    prop_oneof![1 => Just(Duration::ZERO), 2 => (0_u64..4_000).prop_map(Duration::from_millis), 2 => span()]
}

fn load() -> impl Strategy<Value = Observation> {
    prop_oneof![
        6 => count().prop_map(Observation::arrived),
        5 => wait().prop_map(Observation::started),
        3 => wait().prop_map(Observation::finished),
        1 => wait().prop_map(Observation::abandoned),
        3 => (count(), weighted(0.5, wait())).prop_map(|(depth, age)| Observation::queue(depth, age)),
        3 => count().prop_map(Observation::in_flight),
        2 => (count(), weighted(0.6, span()))
            .prop_map(|(workers, valid_for)| Observation::Proposal { workers, valid_for }),
    ]
}

fn counts() -> impl Strategy<Value = PoolCounts> {
    let failed = prop_oneof![3 => Just(0_u32), 1 => 1_u32..4];
    (0_u32..9, weighted(0.5, 0_u32..9), 0_u32..4, 0_u32..2, failed).prop_map(
        |(ready, idle, starting, draining, failed)| {
            let idle = idle.map(|idle| idle.min(ready));
            PoolCounts { ready, idle, starting, draining, failed, ..PoolCounts::default() }
        },
    )
}

fn operator() -> impl Strategy<Value = Observation> {
    let mode = prop_oneof![
        2 => Just(Mode::Automatic),
        1 => Just(Mode::GrowOnly),
        1 => Just(Mode::ShrinkOnly),
        1 => Just(Mode::Hold),
        1 => (0_u32..10).prop_map(Mode::Fixed),
        1 => Just(Mode::Observe),
    ];
    let spans = || prop_oneof![1 => Just(Duration::ZERO), 2 => span()];
    prop_oneof![
        (mode, weighted(0.7, spans())).prop_map(|(mode, valid_for)| Observation::Mode { mode, valid_for }),
        (0_u32..3, 0_u32..9, spans(), spans()).prop_map(|(id, workers, after, valid_for)| {
            Observation::Reserve { id: ReservationId(id), workers, after, valid_for }
        }),
    ]
}
