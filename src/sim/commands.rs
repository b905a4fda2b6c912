//! What a controller gives: commands to whichever class or to one, and its reasons.

use std::vec::Vec;

use crate::classes::{self, ClassId};
use crate::decision::{Command, Decision};

/// The commands of a [`Controller`](super::Controller), each to a class of workers if it tells them apart.
///
/// ```
/// use plimsoll::Command;
/// use plimsoll::classes::ClassId;
/// use plimsoll::sim::Commands;
///
/// let mut commands = Commands::default();
/// commands.push(Command::Start { count: 2 });
/// commands.push_to(ClassId(1), Command::Start { count: 1 });
/// assert_eq!(commands.iter().map(|(class, _)| class).collect::<Vec<_>>(), [None, Some(ClassId(1))]);
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Commands(pub(super) Vec<(Option<ClassId>, Command)>);

impl Commands {
    /// Adds one to whichever class comes first: who is to be started is of the first class that has one.
    pub fn push(&mut self, command: Command) {
        self.0.push((None, command));
    }

    /// Adds one to a class, by its place in [`Options::classes`](super::Options::classes).
    pub fn push_to(&mut self, class: ClassId, command: Command) {
        self.0.push((Some(class), command));
    }

    /// All of them, in the order in which they are carried out.
    pub fn iter(&self) -> impl Iterator<Item = (Option<ClassId>, Command)> + use<'_> {
        self.0.iter().copied()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Extend<Command> for Commands {
    fn extend<I: IntoIterator<Item = Command>>(&mut self, commands: I) {
        self.0.extend(commands.into_iter().map(|command| (None, command)));
    }
}

/// How a [`Controller`](super::Controller) explains itself.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
#[expect(clippy::large_enum_variant, reason = "there is one at a time, and soon none")]
pub enum Decided {
    /// Of workers that are all alike.
    Pool(Decision),
    /// Of workers of several classes.
    Classes(classes::Decision),
}

impl Decided {
    pub(super) const fn sequence(&self) -> u64 {
        match self {
            Self::Pool(decision) => decision.sequence,
            Self::Classes(decision) => decision.sequence,
        }
    }
}

impl From<Decision> for Decided {
    fn from(decision: Decision) -> Self {
        Self::Pool(decision)
    }
}
