//! A deterministic discrete-event pool that replays a workload through the public API: what would the autoscaler have
//! done, what would it have cost, and how long would its users have waited?
//!
//! One FIFO queue, workers with as many slots as the configuration's `concurrency`, requests to the lowest-numbered
//! worker with a free slot, cold starts, revivals from standby, drains. A run has no chance in it but what its seed
//! gives.
//!
//! With the feature `peers` as well, other autoscalers can be put in place of the crate's own: see `sim::peers`.

mod bound;
mod chance;
mod controller;
mod engine;
pub mod generate;
mod options;
mod outcome;
#[cfg(feature = "peers")]
pub mod peers;
mod reference;
mod workers;
pub mod workload;

pub use self::controller::{Controller, Plan};
pub use self::engine::{Service, Watch, simulate, simulate_recorded, simulate_with};
pub use self::options::Options;
pub use self::outcome::{Outcome, Sample};
#[cfg(feature = "peers")]
pub use self::peers::{Peer, PeerController};
pub use self::reference::{Objective, Reference, References};
pub use self::workload::{ReadOptions, Request, Workload, WorkloadError};

#[cfg(test)]
mod tests;
