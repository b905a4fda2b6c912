//! What may be wrong with settings, and what to do about it.

use alloc::string::String;
use core::time::Duration;

use super::Capacity;
use crate::error::ConfigError;
use crate::time::{Human, nanos};

/// What is wrong with [`Settings`](super::Settings).
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// None, or more than are told apart.
    #[error("classes holds {count}: give between 1 and {most}, and put together those that differ little")]
    Count {
        /// How many.
        count: usize,
        /// How many there may be.
        most: usize,
    },
    /// No name, or that of another.
    #[error(
        "classes[{class}].name ({name:?}) must be a name of its own: explanations and files tell classes apart by it"
    )]
    Name {
        /// Which, counted from zero.
        class: usize,
        /// The name given.
        name: String,
    },
    /// Nothing of what there must be at least one.
    #[error("classes[{class}].{setting} (0) must be above zero: {remedy}")]
    Zero {
        /// Which, counted from zero.
        class: usize,
        /// The setting.
        setting: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// More than the class may have.
    #[error(
        "classes[{class}].{setting} ({value}) must be at most its limit ({limit}): lower the {setting} or raise the limit"
    )]
    AboveLimit {
        /// Which, counted from zero.
        class: usize,
        /// The setting.
        setting: &'static str,
        /// Its value.
        value: u32,
        /// The limit.
        limit: u32,
    },
    /// Both given and to be learned.
    #[error(
        "classes[{class}] gives capacity ({capacity}) and prior ({prior}): leave capacity out to have it learned, or prior to have it fixed"
    )]
    GivenAndLearned {
        /// Which, counted from zero.
        class: usize,
        /// The capacity given.
        capacity: Capacity,
        /// The prior given.
        prior: Capacity,
    },
    /// A cold start that cannot be.
    #[error("classes[{class}].cold_start ({}) must be above zero and at most {}: give the time from order to readiness, such as \"90s\"", Human(nanos(*value)), Human(nanos(*most)))]
    ColdStart {
        /// Which, counted from zero.
        class: usize,
        /// The value given.
        value: Duration,
        /// The most it may be.
        most: Duration,
    },
    /// A stay that cannot be.
    #[error("waiting.stay ({}) must be above zero and at most {}: give the time for which a worker usually stays, such as \"30m\"", Human(nanos(*value)), Human(nanos(*most)))]
    Stay {
        /// The value given.
        value: Duration,
        /// The most it may be.
        most: Duration,
    },
    /// Standby workers of no class.
    #[error(
        "service.standby ({workers}) has no class: leave it out, and give `standby` to the class whose workers are to be kept loaded"
    )]
    ServiceStandby {
        /// The value given.
        workers: u32,
    },
    /// The service itself, or what a class makes of it.
    #[error(transparent)]
    Service(#[from] ConfigError),
}
