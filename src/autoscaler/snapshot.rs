//! State that survives: a snapshot of everything, versioned and self-describing.
//!
//! A [`Snapshot`] is plain data for any self-describing serde format: JSON to look at, CBOR to store. It says first of
//! which version it is. What can be counted again is left out of it. [`Autoscaler::restore`](crate::Autoscaler::restore)
//! believes nothing: a snapshot that cannot be one is refused by name, whatever it holds, and none makes a later call
//! panic or take longer than it should.

use core::fmt;

use serde::de::{Error as _, Unexpected};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::state::State;
use crate::config::Config;

/// The version that this crate writes; it reads all from 1 up to it.
const VERSION: u16 = 1;

/// Everything that an autoscaler knows, at one instant.
///
/// ```
/// use plimsoll::{Autoscaler, Config, Observation, Snapshot, Timestamp};
///
/// let mut autoscaler = Autoscaler::new(Config::fixed(2)?, Timestamp::ORIGIN);
/// autoscaler.observe(Timestamp::from_secs(1), Observation::arrived(3))?;
/// let kept = serde_json::to_string(&autoscaler.snapshot())?;
///
/// // The process ends, another one begins.
/// let mut restored = Autoscaler::restore(serde_json::from_str::<Snapshot>(&kept)?)?;
/// assert_eq!(restored.decide(Timestamp::from_secs(2)), autoscaler.decide(Timestamp::from_secs(2)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    version: Version,
    pub(super) config: Config,
    pub(super) state: State,
}

impl Snapshot {
    pub(super) const fn new(config: Config, state: State) -> Self {
        Self { version: Version, config, state }
    }

    /// The configuration that it was taken with.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }
}

/// Stands first, so that a snapshot of another version is refused as such and not for what it looks like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Version;

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u16(VERSION)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u16::deserialize(deserializer)? {
            VERSION => Ok(Self),
            other => Err(D::Error::invalid_value(Unexpected::Unsigned(other.into()), &Known)),
        }
    }
}

struct Known;

impl serde::de::Expected for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "version {VERSION}, the only one that this release reads: restore it with the release that wrote it")
    }
}

/// Why a snapshot was refused. Nothing is lost: start without it, or restore an older one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// A part of it cannot have been written by this crate.
    #[error("the snapshot's {part} cannot be: it was changed or damaged; start without it, or restore an older one")]
    Unsound {
        /// Which part.
        part: &'static str,
    },
    /// The count lies outside the configuration's bounds.
    #[error("the snapshot's count ({count}) lies outside its own bounds ({min} to {max}): it was changed or damaged")]
    OutOfBounds {
        /// The count.
        count: u32,
        /// The least at its instant.
        min: u32,
        /// The most at its instant.
        max: u32,
    },
}
