//! Many autoscalers under one roof, still without I/O.

pub mod budget;

pub use self::budget::{Budget, Claim, Kind};
