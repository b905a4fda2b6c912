//! Deterministic simulation of a pool that replays recorded workloads.

pub mod workload;

pub use workload::{ReadOptions, Request, Workload, WorkloadError};
