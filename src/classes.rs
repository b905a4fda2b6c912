//! Workers of several classes for one service.

mod cover;
pub mod mix;
pub use self::mix::{Mix, Offer, Order, mix};
