//! From a peer's configuration to the nearest native one, with everything that changes.

use alloc::string::String;
use alloc::vec::Vec;

use crate::config::Config;

/// The nearest native configuration, and what it changes.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Migration {
    /// The proposal. It is a starting point: replay it on a recorded workload beside the peer.
    pub config: Config,
    /// What is different afterwards, one entry for every setting that has no exact counterpart.
    pub changes: Vec<Change>,
}

/// One difference.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Change {
    /// The peer's setting, under the peer's name.
    pub setting: &'static str,
    /// What it becomes; "nothing" if it has no counterpart.
    pub becomes: String,
    /// What the user will notice.
    pub effect: &'static str,
}
