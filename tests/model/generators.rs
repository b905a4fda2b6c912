//! What happens: operations, and when.

use std::fmt;
use std::time::Duration;

use plimsoll::{Config, FailureCause, Mode, Observation, PoolCounts, ReservationId, WorkerEvent};
use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;

use crate::settings::{Settings, settings, span};

/// One thing that happens.
#[derive(Clone, Copy, Debug)]
pub enum Op {
    Observe(Observation),
    /// The platform counts what was asked for, some of it starting yet.
    AsOrdered {
        starting: u32,
        idle: Option<u32>,
        standby: u32,
    },
    Workers(Deed),
    /// The same of the queue of one of the workers that were ever heard of.
    OwnQueue {
        which: usize,
        what: Observation,
    },
    Decide,
    /// Another configuration holds from now on.
    Reconfigure(usize),
    /// The process ends, and another goes on from the snapshot of the first.
    Restart,
}

/// What happens among workers that are known by id.
#[derive(Clone, Copy, Debug)]
pub enum Deed {
    /// The platform does what the last decision commanded.
    Obeys,
    /// Others appear, of whom this is the first that is heard.
    Appear { count: u32, event: WorkerEvent },
    /// All that are starting say this, and all that are being loaded are in standby.
    Started(WorkerEvent),
    /// All that are in standby start.
    Woken,
    /// One that was ever heard of says this, or one that was never heard of.
    One { which: usize, event: WorkerEvent },
}

/// Configurations, of which the first holds at the start, and what happens: after so long, or at the next wake-up.
#[derive(Clone)]
pub struct Case {
    pub start: u64,
    settings: (Settings, Settings),
    pub ops: Vec<(Option<Duration>, Op)>,
}

impl Case {
    pub fn configs(&self) -> Vec<Config> {
        let (first, other) = &self.settings;
        vec![first.config(self.start), other.clone().instead_of(first).config(self.start)]
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for config in self.configs() {
            writeln!(f, "from {} with {}", self.start, serde_json::to_string(&config).map_err(|_| fmt::Error)?)?;
        }
        for (index, (gap, op)) in self.ops.iter().enumerate() {
            match gap {
                Some(gap) => writeln!(f, "  {index}: after {gap:?} {op:?}")?,
                None => writeln!(f, "  {index}: at the wake-up {op:?}")?,
            }
        }
        Ok(())
    }
}

pub fn case() -> impl Strategy<Value = Case> {
    let start = select(vec![0_u64, 7_000_000_000, 1_234_567_890_123]);
    let ops = prop_oneof![vec((gap(), counted()), 1..40), ops_by_id()];
    let settings = (settings(), settings());
    (start, settings, ops).prop_map(|(start, settings, ops)| Case { start, settings, ops })
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
        1 => (0_usize..2).prop_map(Op::Reconfigure),
        1 => (1_u32..3, select(FailureCause::ALL.to_vec()))
            .prop_map(|(count, cause)| Op::Observe(Observation::StartFailed { count, cause })),
        1 => operator().prop_map(Op::Observe),
    ]
}

fn counted() -> impl Strategy<Value = Op> {
    prop_oneof![
        15 => op(),
        3 => (0_u32..3, weighted(0.6, 0_u32..4), 0_u32..3)
            .prop_map(|(starting, idle, standby)| Op::AsOrdered { starting, idle, standby }),
        1 => counts().prop_map(|counts| Op::Observe(Observation::Pool(counts))),
    ]
}

fn named() -> impl Strategy<Value = Op> {
    let deed = prop_oneof![
        4 => Just(Deed::Obeys),
        1 => (1_u32..7, select(vec![WorkerEvent::Ordered, WorkerEvent::Ready, WorkerEvent::Standby]))
            .prop_map(|(count, event)| Deed::Appear { count, event }),
        3 => started().prop_map(Deed::Started),
        1 => Just(Deed::Woken),
        8 => (any::<usize>(), event()).prop_map(|(which, event)| Deed::One { which, event }),
    ];
    prop_oneof![
        30 => op(),
        20 => deed.prop_map(Op::Workers),
        2 => (any::<usize>(), load()).prop_map(|(which, what)| Op::OwnQueue { which, what }),
        1 => counts().prop_map(|counts| Op::Observe(Observation::Pool(counts))),
    ]
}

/// What happens in a pool whose workers are named. Now and then so many start that their deadline is learned, or some
/// have just become idle when fewer are called for.
fn ops_by_id() -> impl Strategy<Value = Vec<(Option<Duration>, Op)>> {
    let many = (gap(), 16_u32..20, (1_u64..3_000).prop_map(Duration::from_millis), started());
    let many = many.prop_map(|(gap, count, took, event)| {
        let appear = Op::Workers(Deed::Appear { count, event: WorkerEvent::Ordered });
        vec![(gap, appear), (Some(took), Op::Workers(Deed::Started(event)))]
    });
    let idle = (gap(), 1_u32..6, [gap(), gap()], 0_u32..3, span()).prop_map(|(gap, count, later, workers, span)| {
        let appear = Op::Workers(Deed::Appear { count, event: WorkerEvent::Ready });
        let fixed = Observation::Mode { mode: Mode::Fixed(workers), valid_for: Some(span) };
        let idle = (0..count as usize).map(|which| Op::Workers(Deed::One { which, event: WorkerEvent::Idle }));
        let idle = idle.map(|op| (Some(Duration::ZERO), op));
        let ops =
            [(gap, appear)].into_iter().chain(idle).chain([(later[0], Op::Observe(fixed)), (later[1], Op::Decide)]);
        ops.collect::<Vec<_>>()
    });
    let one = (gap(), named()).prop_map(|op| vec![op]);
    vec(prop_oneof![60 => one, 1 => many, 1 => idle], 1..40).prop_map(|ops| ops.concat())
}

fn started() -> impl Strategy<Value = WorkerEvent> {
    select(vec![WorkerEvent::Ready, WorkerEvent::Idle, WorkerEvent::Idle, WorkerEvent::Busy(1)])
}

fn event() -> impl Strategy<Value = WorkerEvent> {
    prop_oneof![
        1 => Just(WorkerEvent::Ordered),
        2 => Just(WorkerEvent::Ready),
        3 => (0_u32..4).prop_map(WorkerEvent::Busy),
        3 => Just(WorkerEvent::Idle),
        2 => wait().prop_map(WorkerEvent::Leased),
        2 => Just(WorkerEvent::Draining),
        1 => Just(WorkerEvent::Prewarming),
        1 => Just(WorkerEvent::Standby),
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
    (0_u32..9, weighted(0.5, 0_u32..9), 0_u32..4, [0_u32..2, 0_u32..2, 0_u32..3], failed).prop_map(
        |(ready, idle, starting, [draining, prewarming, standby], failed)| {
            let idle = idle.map(|idle| idle.min(ready));
            PoolCounts { ready, idle, starting, draining, prewarming, standby, failed }
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
