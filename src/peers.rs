//! The rules of other autoscalers, exact to the recorded step, to compare with and to migrate from.
//!
//! Each is a self-contained emulation: plain-data parameters under the peer's own names and defaults, a state, and one
//! call per tick of the peer's loop. An emulation is exact, the peer's documented defects included, and is checked
//! against decisions recorded from the peer's real code; [`differences`] lists what a user would rather not inherit.
//!
//! Peers compute in binary floating point, and so do their emulations: only with operations that IEEE 754 defines to
//! the bit. Their signals are not this crate's signals, their loops have their own periods, and none of them obeys the
//! laws, so they stand beside the state machine instead of inside it.
#![allow(
    clippy::float_arithmetic,
    clippy::float_cmp,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "an emulation computes as the peer does"
)]

#[doc = include_str!("peers/differences.md")]
pub mod differences {}

mod exact;
mod invalid;
pub mod keda;
pub mod knative;
pub mod kubernetes;
pub mod migration;
pub mod modal;
pub mod ray_serve;
pub mod runpod;
pub mod skyserve;

pub use self::invalid::Invalid;
