//! Decides how many workers a pool should have, and says why.
//!
//! Plimsoll is the scaling decision alone: a deterministic state machine that is told, with time stamps, what happened
//! to requests and workers, and answers how many workers there should be, which ones to stop, why, and when to ask
//! again. The same crate decides in production, replays an incident and tests a configuration on yesterday's traffic.
//!
//! ```
//! use std::time::Duration;
//! use plimsoll::{Autoscaler, Command, Config, Observation, Timestamp};
//!
//! // The Outpost product's configuration as its document has it; RunPod's table and presets work the same way.
//! let config: Config = serde_json::from_str(
//!     r#"{"replica_policy": {"min_replicas": 0, "max_replicas": 10, "target_qps_per_replica": 2.5,
//!         "upscale_delay_seconds": 30, "downscale_delay_seconds": 300}}"#,
//! )?;
//! let mut autoscaler = Autoscaler::new(config, Timestamp::ORIGIN);
//!
//! let now = Timestamp::from_secs(7);
//! autoscaler.observe(now, Observation::arrived(1))?;
//! let decision = autoscaler.decide(now);
//! assert_eq!(decision.commands, [Command::Start { count: 1 }]);
//! assert_eq!(
//!     decision.to_string(),
//!     "0 → 1: 1 request waits and there is no worker; wakes from zero at once"
//! );
//! assert!(decision.next_wakeup > Some(now));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What it does not do
//!
//! It performs no I/O, reads no clock, starts no thread, draws no random number and allocates nothing for an observation (but
//! to remember one worker more than ever before; in a [`fleet`], to make room for what is told the first time). It is `no_std`
//! with `alloc`. No call panics, whatever it is given. It does not route requests, and it does not know the price of a worker,
//! unless workers are of several [`classes`].
//!
//! # How a decision comes about
//!
//! ```text
//! observe(now, Observation) ─► signals ─► policies ─► guards ─► placement ─► Decision
//!                              rate       want,       8, fixed   which        desired, commands,
//!                              sojourn    keep        order,     workers      explanation,
//!                              CoDel …                bounds last             next wake-up
//! ```
//!
//! - [`observation`]: what a platform may say, in events or in gauges and counts;
//! - [`report`](mod@report): what several load balancers may say of one service, in any order;
//! - [`Signals`]: rates, queue, CoDel (RFC 8289), sojourn over a sliding window;
//! - [`policy`]: from signals to the count wanted;
//! - [`guard`]: what may change that count, in one fixed order;
//! - [`decision`]: the outcome, its explanation, and the commands that bring the pool there;
//! - [`config`]: every setting, its default and the reason for it, presets and lints;
//! - [`status`]: the view for dashboards and operators;
//! - [`recorder`]: a log of everything observed and decided, and its replay, under another configuration too;
//! - [`adapter`]: a clock, a pool and a driver, for those who want them;
//! - [`fleet`]: many autoscalers under one roof, parked when at rest, with one budget, split and merged by key ranges;
//! - [`classes`]: workers of several classes for one service, at the least cost, through stock-outs and preemption;
//! - `calendar`, with the feature of that name: weekly schedules in a time zone, resolved to intervals;
//! - `peers`, with the feature of that name: other autoscalers' rules, exact to the recorded step;
//! - `sim`, with the feature of that name: a simulated pool that replays workloads, under the peers too.
//!
//! # Time
//!
//! Every signal changes by time alone only at instants that it can name: the ends of window slices, the moments at
//! which a waiting request grows too old, a verdict or a report expires. A call first lives through all such instants
//! since the last one, in order, and only then takes in what is new. So a decision does not depend on how often it is
//! asked for, every delay is exact, and [`Decision::next_wakeup`] misses nothing. After a long silence there are only
//! so many such instants, whatever its length.
//!
//! # When things go wrong
//!
//! Workers that do not start, providers that refuse, signals that stop, operators that intervene, processes that
//! restart: [`failures`] says for each what is done, what is seen and what can be configured.
//!
//! # Laws
//!
//! What holds for every configuration, every policy and every input, however hostile, is written as tests of these
//! names in `tests/laws.rs`: `bounds_always_hold`, `same_input_same_bytes`, `cadence_changes_nothing`, `wakeup_moves`,
//! `time_translation_changes_nothing`, `clock_regression_is_clamped`, `sleep_is_cheap`, `more_load_never_fewer`,
//! `constant_load_settles`, `never_orders_twice`, `never_shrinks_blind`, `zero_is_a_value`, `waking_is_immediate`,
//! `delays_are_exact`, `busy_is_never_stopped`, `restore_continues`, `reconfigure_keeps_timers`, `reports_commute`,
//! `explanation_folds`, `bad_input_changes_nothing`.
//!
//! # Features
//!
//! - `std` (default): the system clock adapter; nothing else needs it.
//! - `sim`: the simulator and the workload reader.
//! - `calendar`: weekly schedules in a time zone, daylight saving included; it brings `jiff` and a time-zone database.
//! - `peers`: the rules of Knative, Kubernetes' HPA, KEDA, Ray Serve and SkyServe, to compare with and to migrate from.
#![cfg_attr(not(any(feature = "std", test)), no_std)]
#![cfg_attr(
    test,
    allow(
        clippy::arithmetic_side_effects,
        clippy::float_arithmetic,
        clippy::cast_precision_loss,
        reason = "tests may overflow loudly and compare against plain floating point"
    )
)]

extern crate alloc;

pub mod adapter;
mod autoscaler;
#[cfg(feature = "calendar")]
pub mod calendar;
pub mod classes;
pub mod config;
pub mod decision;
pub mod error;
#[doc = include_str!("failures.md")]
pub mod failures {}
mod fixed;
pub mod fleet;
mod grid;
pub mod guard;
pub mod observation;
mod operator;
#[cfg(feature = "peers")]
pub mod peers;
mod placement;
pub mod policy;
mod pool;
pub mod provider;
mod rare;
pub mod recorder;
pub mod report;
pub mod schedule;
mod signal;
#[cfg(feature = "sim")]
pub mod sim;
pub mod status;
mod time;
mod units;

pub use crate::autoscaler::{Autoscaler, RestoreError, Snapshot};
pub use crate::config::{Config, Preset};
pub use crate::decision::{Command, Decision, Explanation};
pub use crate::error::ConfigError;
pub use crate::observation::{
    FailureCause, Grant, Mode, Observation, ObserverId, PoolCounts, Rejected, ReservationId, WorkerEvent, WorkerId,
};
pub use crate::policy::Policy;
pub use crate::report::Report;
pub use crate::signal::{Learned, Signals};
pub use crate::status::Status;
pub use crate::time::Timestamp;
pub use crate::units::{NotARate, NotAShare, Rate, Share};

/// The README's examples, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
