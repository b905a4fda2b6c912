//! Many autoscalers under one roof, still without I/O.

pub mod budget;
mod pack;

pub use self::budget::{Budget, Claim, Kind};
