//! The compact form of a service that is parked or folded: what its state differs by from that of one before it.
//!
//! Services that have come to rest are alike: their windows are empty, their timers over, their last event a way to zero.
//! So a few of their states are kept in full as *patterns*, and of every other only what a pattern does not predict. A
//! number that the pattern has as well, at the same place, costs nothing in a run of such numbers; an instant is predicted
//! once it was said once, since the places that agree in the pattern agree here; a new number costs its digits. Nothing is
//! left out: what is unpacked is the same state to the bit, which [`Patterns::pack`]'s caller checks before it lets the
//! original go. Services that are folded have windows and delays of their own, and are less alike.

mod bytes;
mod token;

use alloc::boxed::Box;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use self::bytes::{Packer, Unpacker};
use self::token::{Token, tokens, value};
use crate::time::Timestamp;

/// Patterns kept by one fleet. Each takes some 20 kB.
const MAX_PATTERNS: usize = 16;

/// What is packed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    /// A service at rest: they are much alike.
    Parked,
    /// One that is not: its windows are its own.
    Folded {
        /// Whether it may become a pattern.
        new: bool,
    },
}

impl Form {
    /// A form of no more bytes than this needs no other pattern. What has more to say says more, whatever the pattern.
    fn short(self, tokens: usize) -> usize {
        match self {
            Self::Parked => 80,
            Self::Folded { .. } => (tokens / 4).max(256),
        }
    }

    /// One of more bytes becomes a pattern, …
    fn long(self, tokens: usize) -> usize {
        match self {
            Self::Parked => 96,
            Self::Folded { .. } => self.short(tokens),
        }
    }

    /// … if there is room for one beside so many: half of it stays free for those at rest.
    const fn is_kept_beside(self, patterns: usize) -> bool {
        match self {
            Self::Parked => patterns < MAX_PATTERNS,
            Self::Folded { new } => new && patterns < MAX_PATTERNS / 2,
        }
    }
}

/// A state that others are compared with.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Pattern {
    tokens: Box<[Token]>,
    /// The latest instant that it knows.
    now: u64,
}

/// The states that others are compared with.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Patterns {
    patterns: Vec<Pattern>,
}

impl Patterns {
    /// The compact form of a state that knows `now`, and the pattern that suits it. `hint` is the one to try first. `None`
    /// if it cannot be packed.
    pub(super) fn pack<T: Serialize>(
        &mut self,
        state: &T,
        now: Timestamp,
        hint: usize,
        form: Form,
    ) -> Option<(Box<[u8]>, usize)> {
        let (tokens, now) = (tokens(state).ok()?, now.as_nanos());
        let others = (0..self.patterns.len()).filter(|at| *at != hint);
        let mut best: Option<(Vec<u8>, usize)> = None;
        for at in core::iter::once(hint).chain(others) {
            let Some(pattern) = self.patterns.get(at) else { continue };
            let packed = Packer::pack(&tokens, now, (&pattern.tokens, pattern.now), at);
            if best.as_ref().is_none_or(|(shortest, _)| packed.len() < shortest.len()) {
                best = Some((packed, at));
            }
            if best.as_ref().is_some_and(|(shortest, _)| shortest.len() <= form.short(tokens.len())) {
                break;
            }
        }
        if best.as_ref().is_none_or(|(packed, _)| packed.len() > form.long(tokens.len()))
            && form.is_kept_beside(self.patterns.len())
        {
            let at = self.patterns.len();
            best = Some((Packer::pack(&tokens, now, (&tokens, now), at), at));
            self.patterns.push(Pattern { tokens: tokens.into_boxed_slice(), now });
        }
        best.map(|(packed, at)| (packed.into_boxed_slice(), at))
    }

    pub(super) fn len(&self) -> usize {
        self.patterns.len()
    }

    /// The state that was packed; `None` if these bytes are none.
    pub(super) fn unpack<T: for<'de> Deserialize<'de>>(&self, packed: &[u8]) -> Option<T> {
        let pattern = |at: usize| self.patterns.get(at).map(|pattern| (&*pattern.tokens, pattern.now));
        value(&Unpacker::unpack(packed, pattern)?).ok()
    }
}

#[cfg(test)]
mod tests;
