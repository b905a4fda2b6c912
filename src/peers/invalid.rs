//! What can be wrong with a peer's configuration.

use alloc::string::{String, ToString};
use core::fmt;

/// Why a peer's configuration was refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{setting} ({value}) {rule}: {remedy}")]
#[non_exhaustive]
pub struct Invalid {
    /// The setting, under the peer's name.
    pub setting: &'static str,
    /// Its value.
    pub value: String,
    /// The rule that it breaks.
    pub rule: &'static str,
    /// What to do.
    pub remedy: &'static str,
}

impl Invalid {
    pub(crate) fn new(
        setting: &'static str,
        value: impl fmt::Display,
        rule: &'static str,
        remedy: &'static str,
    ) -> Self {
        Self { setting, value: value.to_string(), rule, remedy }
    }

    /// A setting that is there and that no emulation has.
    pub(crate) fn unsupported(setting: &'static str, remedy: &'static str) -> Self {
        Self::new(setting, "given", "is not supported", remedy)
    }
}
