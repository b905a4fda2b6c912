//! A deterministic discrete-event pool that replays a workload through the public API: what would the autoscaler have
//! done, what would it have cost, and how long would its users have waited?
//!
//! One FIFO queue, workers with as many slots as the configuration's `concurrency`, cold starts, revivals from standby,
//! drains. The [`Options`] say how well the platform does it and what it costs; by default nothing ever goes wrong. A run
//! has no chance in it but what its seed gives.
//!
//! What the platform tells passes through three layers on its way to whoever decides, each a [`Controller`] around the
//! next: [`Metrics`] (what is told, when, and what is lost), [`Delivery`] (when decisions are asked for, and how their
//! commands arrive) and the [clock](ClockStep). The engine knows nothing of them.
//!
//! A service whose workers are of [several classes](crate::classes) is run by [`simulate_classes`], through the same layers.
//!
//! With the feature `peers` as well, other autoscalers can be put in place of the crate's own: see `sim::peers`.

mod agenda;
mod bound;
mod chance;
mod classes;
mod clock;
mod commands;
mod controller;
mod delivery;
mod engine;
pub mod generate;
mod measure;
mod metrics;
mod mixed;
mod options;
mod outages;
mod outcome;
#[cfg(feature = "peers")]
pub mod peers;
mod prices;
mod reference;
mod requests;
mod simulate;
mod starts;
mod workers;
pub mod workload;

pub use self::classes::{Class, Spot, Stock};
pub use self::clock::ClockStep;
pub use self::commands::{Commands, Decided};
pub use self::controller::{Controller, Plan};
pub use self::delivery::Delivery;
pub use self::metrics::{Metrics, Told};
pub use self::mixed::simulate_classes;
pub use self::options::{OptionError, Options};
pub use self::outages::Outages;
pub use self::outcome::{ClassOutcome, Failures, Outcome, Sample};
#[cfg(feature = "peers")]
pub use self::peers::{Peer, PeerController};
pub use self::prices::{Costs, Prices};
pub use self::reference::{Objective, Reference, References};
pub use self::simulate::{Service, Watch, simulate, simulate_from, simulate_recorded, simulate_with};
pub use self::starts::{StartTime, Starts};
pub use self::workers::Router;
pub use self::workload::{ReadOptions, Request, Workload, WorkloadError};

#[cfg(test)]
mod tests;
