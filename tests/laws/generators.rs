//! Configurations and streams of observations, friendly and hostile.

use std::time::Duration;

use plimsoll::config::{Backoff, Blind, Breaker, Buffer, Cliff, Precision, StepLimit};
use plimsoll::policy::{ConcurrencyTarget, Objective, Outpost, RunPod};
use plimsoll::report::{Digest, Services};
use plimsoll::schedule::Interval;
use plimsoll::{
    Config, FailureCause, Grant, Mode, Observation, ObserverId, Policy, PoolCounts, Rate, Report, ReservationId, Share,
    Timestamp, WorkerEvent, WorkerId,
};
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;

/// Every setting of a configuration, so that a law can pin the ones that it speaks of.
#[derive(Clone, Debug)]
pub struct Knobs {
    pub policies: Vec<Policy>,
    pub min: u32,
    pub max: u32,
    pub concurrency: u32,
    pub up_delay: Duration,
    pub down_delay: Duration,
    pub to_zero_delay: Option<Duration>,
    pub idle_timeout: Option<Duration>,
    pub standby: u32,
    pub drain_timeout: Duration,
    pub order_timeout: Duration,
    pub tolerance: f64,
    pub up_step: Option<StepLimit>,
    pub down_step: Option<StepLimit>,
    pub window: Duration,
    pub sojourn_target: Duration,
    pub codel_interval: Duration,
    pub freshness: Duration,
    pub event_freshness: Option<Duration>,
    pub precision: Precision,
    pub start_timeout: Duration,
    pub extras: Extras,
}

/// What most configurations leave out. Intervals are given as if the start were the origin.
#[derive(Clone, Debug, Default)]
pub struct Extras {
    pub buffer: Option<Buffer>,
    pub blind: Blind,
    pub cliff: Option<Cliff>,
    pub backoff: Backoff,
    pub breaker: Breaker,
    pub schedule: Vec<Interval>,
    pub observer_timeout: Option<Duration>,
}

impl Knobs {
    /// The same without buffer, cliff, schedule and the like.
    pub fn plain(mut self) -> Self {
        self.extras = Extras::default();
        self
    }

    pub fn config(&self) -> Config {
        self.config_from(Timestamp::ORIGIN)
    }

    /// The most workers that any interval allows.
    pub fn most(&self) -> u32 {
        self.extras.schedule.iter().filter_map(|interval| interval.max).fold(self.max, u32::max)
    }

    pub fn config_from(&self, start: Timestamp) -> Config {
        let from_start = |at: Timestamp| start.saturating_add(at.saturating_since(Timestamp::ORIGIN));
        let shifted = |interval: &Interval| {
            let mut interval = *interval;
            (interval.start, interval.end) = (from_start(interval.start), from_start(interval.end));
            interval
        };
        let build = || {
            let (first, rest) = self.policies.split_first().expect("at least one policy");
            let mut config = Config::new(*first, self.min, self.max)?
                .with_concurrency(self.concurrency)?
                .with_up_delay(self.up_delay)?
                .with_down_delay(self.down_delay)?
                .with_standby(self.standby)
                .with_drain_timeout(self.drain_timeout)?
                .with_order_timeout(self.order_timeout)?
                .with_tolerance(Share::new(self.tolerance).expect("a share"))
                .with_window(self.window)?
                .with_sojourn_target(self.sojourn_target)?
                .with_codel_interval(self.codel_interval)?
                .with_freshness(self.freshness)?
                .with_precision(self.precision)
                .with_start_timeout(self.start_timeout)?
                .with_blind(self.extras.blind)?
                .with_backoff(self.extras.backoff)?
                .with_breaker(self.extras.breaker)?
                .with_schedule(self.extras.schedule.iter().map(shifted).collect())?;
            if let Some(timeout) = self.extras.observer_timeout {
                config = config.with_observer_timeout(timeout)?;
            }
            if let Some(buffer) = self.extras.buffer {
                config = config.with_buffer(buffer)?;
            }
            if let Some(cliff) = self.extras.cliff {
                config = config.with_cliff(cliff)?;
            }
            for policy in rest {
                config = config.with_policy(*policy)?;
            }
            if let Some(delay) = self.to_zero_delay {
                config = config.with_to_zero_delay(delay)?;
            }
            if let Some(timeout) = self.idle_timeout {
                config = config.with_idle_timeout(timeout)?;
            }
            if let Some(limit) = self.up_step {
                config = config.with_up_step(limit)?;
            }
            if let Some(limit) = self.down_step {
                config = config.with_down_step(limit)?;
            }
            if let Some(freshness) = self.event_freshness {
                config = config.with_event_freshness(freshness)?;
            }
            Ok::<_, plimsoll::ConfigError>(config)
        };
        build().expect("the generator makes usable configurations only")
    }

    pub fn to_zero(&self) -> Duration {
        self.to_zero_delay.unwrap_or(self.down_delay)
    }
}

pub fn knobs() -> BoxedStrategy<Knobs> {
    knobs_of(prop::collection::vec(policy(), 1..=4))
}

pub fn knobs_of(policies: impl Strategy<Value = Vec<Policy>> + 'static) -> BoxedStrategy<Knobs> {
    let size = (1_u32..=40).prop_flat_map(|max| {
        let min = prop_oneof![5 => Just(0), 3 => 0..=max, 1 => Just(max)];
        (min, Just(max), 1_u32..=8)
    });
    let delays = (span(), span(), weighted(0.5, span()), weighted(0.4, span()));
    let pool = (prop_oneof![2 => Just(0_u32), 1 => 1_u32..5], span(), positive(span()));
    let shape = (select(vec![0.0, 0.0, 0.05, 0.3]), weighted(0.3, step()), weighted(0.3, step()));
    let windows = (
        select(vec![120_u64, 1_000, 12_000, 60_000, 61_337]).prop_map(Duration::from_millis),
        select(vec![1_u64, 100, 2_000]).prop_map(Duration::from_millis),
        select(vec![100_u64, 1_000, 7_000]).prop_map(Duration::from_millis),
        prop_oneof![Just(Duration::from_secs(60)), positive(span())],
        weighted(0.2, positive(span())),
        select(vec![Precision::Default, Precision::Compact]),
    );
    let more = (positive(span()), prop_oneof![2 => Just(Extras::default()), 3 => extras().boxed()]);
    (policies, size, delays, pool, shape, windows, more)
        .prop_map(|(policies, size, delays, pool, shape, windows, more)| Knobs {
            policies: with_one_objective(policies),
            min: size.0,
            max: size.1,
            concurrency: size.2,
            up_delay: delays.0,
            down_delay: delays.1,
            to_zero_delay: delays.2,
            idle_timeout: delays.3,
            standby: pool.0,
            drain_timeout: pool.1,
            order_timeout: pool.2.max(Duration::from_secs(1)),
            tolerance: shape.0,
            up_step: shape.1,
            down_step: shape.2,
            window: windows.0,
            sojourn_target: windows.1,
            codel_interval: windows.2,
            freshness: windows.3,
            event_freshness: windows.4,
            precision: windows.5,
            start_timeout: more.0,
            extras: more.1,
        })
        .boxed()
}

/// A configuration holds one objective at the most.
fn with_one_objective(mut policies: Vec<Policy>) -> Vec<Policy> {
    let mut seen = false;
    policies.retain(|policy| !(matches!(policy, Policy::Objective(_)) && core::mem::replace(&mut seen, true)));
    policies
}

fn extras() -> impl Strategy<Value = Extras> {
    let buffer = weighted(0.3, (1_u32..4, any::<bool>(), any::<bool>())).prop_map(|buffer| {
        buffer.map(|(workers, by_workers, always)| {
            let buffer = if by_workers { Buffer::workers(workers) } else { Buffer::percent(workers * 20) };
            if always { buffer.always() } else { buffer }
        })
    });
    let blind = prop_oneof![
        Just(Blind::Hold),
        Just(Blind::GrowOnly),
        (0_u32..50).prop_map(Blind::Floor),
        positive(span()).prop_map(Blind::LastPeak),
    ];
    let share = select(vec![0.01, 0.3, 0.5, 0.9, 1.0]).prop_map(|share| Share::new(share).expect("a share"));
    let cliff = weighted(0.4, (share, positive(span()), positive(span())));
    let cliff = cliff.prop_map(|cliff| cliff.map(|(fall, within, delay)| Cliff::new(fall, within, delay)));
    let backoff = (positive(span()), positive(span()), any::<u64>())
        .prop_map(|(first, more, seed)| Backoff::new(first, first + more).with_seed(seed));
    let breaker = (1_u32..6, positive(span()), positive(span()))
        .prop_map(|(failures, within, pause)| Breaker::new(failures, within, pause));
    let bounds = (weighted(0.6, 0_u32..30), weighted(0.5, 0_u32..30));
    let interval = (span(), positive(span()), bounds, -1_i32..2, any::<bool>()).prop_map(
        |(after, lasts, (min, max), priority, ahead)| {
            let start = Timestamp::ORIGIN.saturating_add(after * 5);
            let mut interval = Interval::new(start, start.saturating_add(lasts * 5)).with_priority(priority);
            interval.min = min.map(|min| max.map_or(min, |max: u32| min.min(max)));
            (interval.max, interval.ahead) = (max, ahead);
            interval
        },
    );
    let schedule = prop_oneof![1 => Just(vec![]), 1 => prop::collection::vec(interval, 1..5)];
    let rest = (schedule, weighted(0.4, positive(span())));
    (buffer, blind, cliff, backoff, breaker, rest).prop_map(
        |(buffer, blind, cliff, backoff, breaker, (schedule, observer_timeout))| Extras {
            buffer,
            blind,
            cliff,
            backoff,
            breaker,
            schedule,
            observer_timeout,
        },
    )
}

/// Every native policy.
pub fn policy() -> impl Strategy<Value = Policy> {
    prop_oneof![1 => (0_u32..50).prop_map(Policy::Fixed), 1 => Just(Policy::External), 4 => traffic_policy()]
}

/// The policies that follow traffic.
pub fn traffic_policy() -> impl Strategy<Value = Policy> {
    let rate = |per_second| Rate::per_second(per_second).expect("a rate");
    prop_oneof![
        select(vec![0.01, 0.5, 2.5, 40.0]).prop_map(move |qps| Policy::Outpost(Outpost::new(rate(qps)))),
        span().prop_map(|delay| Policy::RunPod(RunPod::queue_delay(delay))),
        (1_u32..10).prop_map(|count| Policy::RunPod(RunPod::request_count(count))),
        select(vec![0.7, 1.0, 3.0, 100.0])
            .prop_map(|target| Policy::Concurrency(ConcurrencyTarget::new(target).expect("a target"))),
        (positive(span()), goal(), select(vec![None, None, Some(1_u32), Some(100)])).prop_map(|(within, goal, cap)| {
            let objective = match goal {
                Ok(share) => Objective::share(Share::new(share).expect("a share"), within),
                Err(price) => Objective::price(price, within),
            };
            Policy::Objective(cap.map_or(objective, |cap| objective.up_to(cap)))
        }),
    ]
}

/// A share in time, or a price.
fn goal() -> impl Strategy<Value = Result<f64, u32>> {
    select(vec![Ok(0.0), Ok(0.9), Ok(0.99), Ok(1.0), Err(1), Err(100)])
}

/// From nothing to ten minutes, round and odd.
pub fn span() -> impl Strategy<Value = Duration> {
    prop_oneof![
        2 => Just(Duration::ZERO),
        3 => (1_u64..60).prop_map(Duration::from_secs),
        2 => (1_u64..600).prop_map(Duration::from_secs),
        1 => (1_u64..3_000_000_000).prop_map(Duration::from_nanos),
    ]
}

pub fn positive(spans: impl Strategy<Value = Duration>) -> impl Strategy<Value = Duration> {
    spans.prop_map(|span| span.max(Duration::from_nanos(1)))
}

fn step() -> impl Strategy<Value = StepLimit> {
    (1_u32..6, any::<bool>(), positive(span())).prop_map(|(step, by_workers, period)| {
        if by_workers { StepLimit::workers(step, period) } else { StepLimit::percent(step * 20, period) }
    })
}

/// What a platform does next.
#[derive(Clone, Debug)]
pub enum Step {
    Observe(Observation),
    Report(Report),
    Decide,
}

/// A configuration and what happens to it.
#[derive(Clone, Debug)]
pub struct Case {
    pub knobs: Knobs,
    pub start: Timestamp,
    pub steps: Vec<(Timestamp, Step)>,
}

/// A stream in the order of time, of whatever content.
pub fn case() -> impl Strategy<Value = Case> {
    case_of(gap().boxed())
}

/// The same with a clock that jumps back, and to the end of time.
pub fn hostile_case() -> impl Strategy<Value = Case> {
    let backwards = (1_i64..2_000_000_000_000).prop_map(|nanos| -nanos);
    let gap = prop_oneof![200 => gap(), 20 => backwards, 1 => Just(i64::MAX), 1 => Just(i64::MIN)];
    case_of(gap.boxed())
}

fn case_of(gap: BoxedStrategy<i64>) -> impl Strategy<Value = Case> {
    // Boxed: a strategy of strategies takes much of a test thread's stack.
    let step = prop_oneof![
        12 => observation().prop_map(|observation| Told::Step(Step::Observe(observation))),
        4 => Just(Told::Step(Step::Decide)),
        3 => heard().prop_map(Told::Heard).boxed(),
    ]
    .boxed();
    let start = prop_oneof![Just(0_u64), 0..2_000_000_000_000_u64];
    let steps = prop::collection::vec((gap, step), 1..60);
    (knobs().boxed(), start, select(vec![Grain::Ids, Grain::Counts, Grain::Silent]), steps).prop_map(
        |(knobs, start, grain, steps)| {
            let (mut now, mut sequences) = (start, [0_u64; 3]);
            let target = knobs.sojourn_target;
            let timed = |(gap, step): (i64, Told)| {
                now = now.saturating_add_signed(gap);
                let step = match step {
                    Told::Step(step) => step,
                    Told::Heard(heard) => Step::Report(heard.report(now, target, &mut sequences)),
                };
                (Timestamp::from_nanos(now), step)
            };
            let last = (0, Told::Step(Step::Decide));
            let steps = steps.into_iter().filter(|(_, step)| grain.tells(step)).chain([last]).map(timed).collect();
            Case { knobs, start: Timestamp::from_nanos(start), steps }
        },
    )
}

/// Nanoseconds until the next step: at once, soon, later, and sometimes much later.
pub fn gap() -> impl Strategy<Value = i64> {
    prop_oneof![
        60 => Just(0),
        10 => 1_i64..1_000,
        120 => (1_i64..5_000).prop_map(|millis| millis * 1_000_000),
        60 => (1_i64..400).prop_map(|secs| secs * 1_000_000_000),
        10 => (1_i64..48).prop_map(|hours| hours * 3_600_000_000_000),
        1 => Just(31_557_600_000_000_000),
    ]
}

/// How a platform speaks of its workers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Grain {
    /// By id.
    Ids,
    /// By counts.
    Counts,
    /// Not at all.
    Silent,
}

impl Grain {
    fn tells(self, step: &Told) -> bool {
        let Told::Step(Step::Observe(observation)) = step else { return true };
        match observation {
            Observation::Worker { .. } => self == Self::Ids,
            Observation::Pool(_) => self == Self::Counts,
            _ => true,
        }
    }
}

pub fn grain() -> impl Strategy<Value = Grain> {
    select(vec![Grain::Ids, Grain::Counts, Grain::Silent])
}

/// Anything a platform could say, sense or nonsense.
pub fn observation() -> BoxedStrategy<Observation> {
    prop_oneof![
        10 => load().boxed(),
        8 => worker_event(),
        4 => pool_counts(),
        1 => (1_u32..4, cause()).prop_map(|(count, cause)| Observation::StartFailed { count, cause }),
        1 => (count(), prop_oneof![3 => wait(), 1 => Just(Duration::ZERO)])
            .prop_map(|(count, over)| Observation::Requests { count, over }),
        1 => select(vec![f64::NAN, -1.0, f64::INFINITY, 1e300, 1e9, -0.0])
            .prop_map(|per_second| Observation::ArrivalRate { per_second }),
        1 => operator(),
    ]
    .boxed()
}

/// What an operator orders, and what a shared budget grants.
pub fn operator() -> impl Strategy<Value = Observation> {
    let mode = prop_oneof![
        3 => Just(Mode::Automatic),
        1 => Just(Mode::GrowOnly),
        1 => Just(Mode::ShrinkOnly),
        1 => Just(Mode::Hold),
        1 => (0_u32..50).prop_map(Mode::Fixed),
        1 => Just(Mode::Observe),
    ];
    let reservation = (0_u32..20, 0_u32..30, prop_oneof![Just(Duration::ZERO), span()], span());
    let grant = (prop_oneof![3 => 0_u32..40, 1 => count()], any::<u64>(), 0_u32..9);
    let grant = grant.prop_map(|(workers, budget, others)| Grant { workers, budget, others });
    prop_oneof![
        (mode, weighted(0.7, wait())).prop_map(|(mode, valid_for)| Observation::Mode { mode, valid_for }),
        weighted(0.7, grant).prop_map(Observation::Grant),
        reservation.prop_map(|(id, workers, after, valid_for)| {
            Observation::Reserve { id: ReservationId(id), workers, after, valid_for }
        }),
    ]
}

/// Facts about requests, and proposals from outside: what makes load.
pub fn load() -> impl Strategy<Value = Observation> {
    let queue = || weighted(0.15, worker());
    prop_oneof![
        4 => (count(), queue()).prop_map(|(count, queue)| Observation::Arrived { count, queue }),
        4 => (wait(), queue()).prop_map(|(sojourn, queue)| Observation::Started { sojourn, queue }),
        3 => wait().prop_map(|service| Observation::Finished { service }),
        1 => (wait(), queue()).prop_map(|(wait, queue)| Observation::Abandoned { wait, queue }),
        3 => (count(), weighted(0.5, wait()), queue())
            .prop_map(|(depth, oldest_age, queue)| Observation::Queue { depth, oldest_age, queue }),
        3 => count().prop_map(Observation::in_flight),
        2 => (count(), positive(span())).prop_map(|(count, over)| Observation::Requests { count, over }),
        2 => (0.0..200.0_f64).prop_map(|per_second| Observation::ArrivalRate { per_second }),
        2 => (count(), weighted(0.6, wait()))
            .prop_map(|(workers, valid_for)| Observation::Proposal { workers, valid_for }),
    ]
}

pub fn worker_event() -> impl Strategy<Value = Observation> {
    let event = prop_oneof![
        4 => Just(WorkerEvent::Ordered),
        5 => Just(WorkerEvent::Ready),
        4 => (0_u32..4).prop_map(WorkerEvent::Busy),
        5 => Just(WorkerEvent::Idle),
        2 => Just(WorkerEvent::Draining),
        1 => Just(WorkerEvent::Prewarming),
        1 => Just(WorkerEvent::Standby),
        1 => Just(WorkerEvent::Gone),
        1 => wait().prop_map(WorkerEvent::Leased),
        1 => cause().prop_map(WorkerEvent::Failed),
    ];
    (worker(), event).prop_map(|(id, event)| Observation::worker(id, event))
}

fn pool_counts() -> impl Strategy<Value = Observation> {
    let failed = prop_oneof![9 => Just(0_u32), 1 => 1_u32..4];
    (0_u32..12, weighted(0.5, 0_u32..8), 0_u32..4, 0_u32..3, 0_u32..3, failed).prop_map(
        |(ready, idle, starting, draining, standby, failed)| {
            Observation::Pool(PoolCounts { ready, idle, starting, draining, prewarming: 0, standby, failed })
        },
    )
}

fn worker() -> impl Strategy<Value = WorkerId> {
    (0_u64..6).prop_map(WorkerId)
}

fn cause() -> impl Strategy<Value = FailureCause> {
    select(vec![FailureCause::Crash, FailureCause::Quota, FailureCause::Preempted])
}

fn count() -> impl Strategy<Value = u32> {
    prop_oneof![20 => Just(0), 60 => 1_u32..30, 20 => 1_u32..400, 1 => Just(u32::MAX)]
}

fn wait() -> impl Strategy<Value = Duration> {
    prop_oneof![
        20 => (0_u64..300).prop_map(Duration::from_millis),
        20 => (0_u64..60).prop_map(Duration::from_secs),
        1 => Just(Duration::MAX),
    ]
}

/// A step before its time is known.
#[derive(Clone, Debug)]
enum Told {
    Step(Step),
    Heard(Heard),
}

/// A report before its time and its target are known.
#[derive(Clone, Debug)]
pub struct Heard {
    pub observer: u64,
    pub incarnation: u64,
    /// How much its number is ahead of the last one, and how long ago its span ended.
    pub ahead: i64,
    pub ago: i64,
    pub over: Duration,
    pub arrived: u64,
    pub gauges: (Option<u32>, Option<Duration>, Option<u32>),
    pub sojourns: Vec<Duration>,
    pub services: Vec<Duration>,
}

impl Heard {
    fn report(self, now: u64, target: Duration, sequences: &mut [u64; 3]) -> Report {
        let last = &mut sequences[usize::try_from(self.observer).expect("small") % 3];
        *last = last.saturating_add_signed(self.ahead);
        let at = Timestamp::from_nanos(now.saturating_add_signed(-self.ago));
        self.numbered(*last, at, target)
    }

    pub fn numbered(self, sequence: u64, at: Timestamp, target: Duration) -> Report {
        let mut sojourns = Digest::new(target);
        for sojourn in &self.sojourns {
            sojourns.record(*sojourn);
        }
        let sum = self.services.iter().fold(Duration::ZERO, |sum, service| sum.saturating_add(*service));
        Report {
            observer: ObserverId(self.observer),
            incarnation: self.incarnation,
            sequence,
            at,
            over: self.over,
            arrived: self.arrived,
            depth: self.gauges.0,
            oldest_age: self.gauges.1,
            in_flight: self.gauges.2,
            sojourns,
            services: Services { count: self.services.len() as u64, sum },
        }
    }
}

/// A report of one of a few observers, sense or nonsense.
pub fn heard() -> BoxedStrategy<Heard> {
    let who = (0_u64..3, prop_oneof![9 => Just(1_u64), 1 => 0_u64..4]);
    let ahead = prop_oneof![16 => Just(1_i64), 2 => Just(0), 2 => -3_i64..70, 1 => Just(i64::MAX), 1 => Just(i64::MIN)];
    let ago = prop_oneof![
        4 => Just(0_i64),
        4 => 0_i64..20_000_000_000,
        1 => -6_000_000_000_i64..0,
        1 => 0_i64..200_000_000_000,
        1 => Just(i64::MAX),
    ];
    let over = prop_oneof![
        6 => (1_u64..30_000).prop_map(Duration::from_millis),
        3 => (1_u64..130).prop_map(Duration::from_millis),
        1 => wait(),
    ];
    let arrived = prop_oneof![9 => count().prop_map(u64::from), 1 => Just(u64::MAX)];
    let gauges = (weighted(0.6, count()), weighted(0.5, wait()), weighted(0.6, count()));
    let waits = || prop::collection::vec(wait(), 0..6);
    (who, ahead, ago, over, arrived, gauges, waits(), waits())
        .prop_map(|((observer, incarnation), ahead, ago, over, arrived, gauges, sojourns, services)| Heard {
            observer,
            incarnation,
            ahead,
            ago,
            over,
            arrived,
            gauges,
            sojourns,
            services,
        })
        .boxed()
}

/// Anything that could be told at an early instant.
pub fn told() -> impl Strategy<Value = Step> {
    let at = prop_oneof![0..2_000_000_000_000_u64, 0..u64::MAX];
    let report = (heard(), at, select(vec![1_u64, 100, 2_000]), any::<u64>());
    prop_oneof![
        3 => observation().prop_map(Step::Observe),
        1 => report.prop_map(|(heard, at, target, sequence)| {
            Step::Report(heard.numbered(sequence, Timestamp::from_nanos(at), Duration::from_millis(target)))
        }),
    ]
}
