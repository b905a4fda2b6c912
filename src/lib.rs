//! Plimsoll.
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
pub mod config;
pub mod decision;
pub mod error;
pub mod guard;
pub mod observation;
mod placement;
pub mod policy;
mod pool;
mod signal;
#[cfg(feature = "sim")]
pub mod sim;
pub mod status;
mod time;
mod units;

pub use crate::autoscaler::Autoscaler;
pub use crate::config::{Config, Preset};
pub use crate::decision::{Command, Decision, Explanation};
pub use crate::error::ConfigError;
pub use crate::observation::{FailureCause, Observation, PoolCounts, Rejected, WorkerEvent, WorkerId};
pub use crate::policy::Policy;
pub use crate::signal::Signals;
pub use crate::status::Status;
pub use crate::time::Timestamp;
pub use crate::units::{NotARate, NotAShare, Rate, Share};
