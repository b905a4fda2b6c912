//! What a setting holds, for programs and for people.

use alloc::string::ToString;
use core::fmt;
use core::time::Duration;

use serde::Serialize;

use super::flow::Flow;
use crate::config::{Backoff, Blind, Breaker, Buffer, Cliff, Precision, StepLimit};
use crate::policy::Policy;
use crate::schedule::Interval;
use crate::time::{Human, nanos, span};
use crate::units::Share;

/// What a setting holds. It serialises as a file would have it, and prints in the same way on one line, but for
/// durations (`5 min` instead of `300`, which a file may say as well) and a schedule, of which only the length is shown.
///
/// ```
/// use core::time::Duration;
/// use plimsoll::config::{Backoff, Value};
///
/// assert_eq!(Value::Duration(Duration::from_secs(300)).to_string(), "5 min");
/// let backoff = Value::Backoff(Backoff::default());
/// assert_eq!(backoff.to_string(), "{first: 10, most: 300, seed: 0}");
/// assert_eq!(serde_json::to_string(&backoff)?, r#"{"first":10,"most":300,"seed":0}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Value<'a> {
    /// Not set, and there is no default.
    None,
    /// A number of things.
    Count(u32),
    /// A duration.
    Duration(#[serde(with = "span")] Duration),
    /// A share.
    Share(Share),
    /// A limit on steps.
    Step(StepLimit),
    /// How finely quantiles are kept.
    Precision(Precision),
    /// The policies.
    Policies(&'a [Policy]),
    /// The buffer.
    Buffer(Buffer),
    /// What to do while a signal is missing.
    Blind(Blind),
    /// The demand cliff.
    Cliff(Cliff),
    /// How orders are repeated.
    Backoff(Backoff),
    /// When ordering stops.
    Breaker(Breaker),
    /// Bounds that change with time.
    Schedule(&'a [Interval]),
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Duration(duration) => {
                let human = Human(nanos(*duration)).to_string();
                // What would not read back as itself has been rounded, and stands as it is written.
                if span::parse(&human) == Some(*duration) { f.write_str(&human) } else { self.serialize(Flow(f)) }
            }
            Self::Schedule([_]) => f.write_str("1 interval"),
            Self::Schedule(intervals) => write!(f, "{} intervals", intervals.len()),
            _ => self.serialize(Flow(f)),
        }
    }
}
