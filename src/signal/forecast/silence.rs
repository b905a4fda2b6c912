//! When there is a worker for whoever ends a silence.

use super::gaps::{BINS, edge, lower};
use super::{SECOND, SPACING};

/// The stretches of a silence, bins of its length, in which there is a worker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Watch(u64);

/// Whether there is to be a worker at one instant of a silence.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Keep {
    /// It stays until the silence is so long, in nanoseconds.
    Until(u64),
    /// The same of one that was let go and is back.
    Again(u64),
    /// There is none before the silence is so long.
    Gone(u64),
}

impl Keep {
    /// There is none until somebody comes.
    pub(super) const GONE: Self = Self::Gone(u64::MAX);

    /// How long the silence is when that ends, in nanoseconds.
    pub(super) const fn until(self) -> u64 {
        match self {
            Self::Until(silence) | Self::Again(silence) | Self::Gone(silence) => silence,
        }
    }

    /// The same, but that after as long as `most` it is gone for good.
    pub(super) fn at_most(self, silence: u64, most: u64) -> Self {
        match self {
            _ if silence >= most => Self::GONE,
            Self::Until(until) => Self::Until(until.min(most)),
            Self::Again(until) => Self::Again(until.min(most)),
            Self::Gone(until) if until < most => Self::Gone(until),
            Self::Gone(_) => Self::GONE,
        }
    }
}

impl Watch {
    pub(super) const ALWAYS: Self = Self(u64::MAX);
    pub(super) const NEVER: Self = Self(0);

    pub(super) fn with(self, bin: usize, there: bool) -> Self {
        Self(self.0 | u64::from(there) << bin)
    }

    pub(super) const fn covers(self, bin: usize) -> bool {
        self.0 >> bin & 1 == 1
    }

    /// What holds when the silence is so long: a worker stays for an eighth of a lead at the least, before which it is no
    /// silence, is ordered a lead before the stretch that it is to be there for, and is not let go for less than that.
    pub(super) fn at(self, silence: u64, lead: u64) -> Keep {
        let (mut began, mut until) = (0, (lead / SPACING).max(SECOND));
        for bin in (0..BINS).filter(|bin| self.covers(*bin)) {
            let (from, end) = (lower(bin).saturating_sub(lead), edge(bin.saturating_add(1)));
            if from <= until {
                until = until.max(end);
            } else if silence >= until {
                (began, until) = (from, end);
            }
        }
        match began {
            _ if silence >= until => Keep::GONE,
            _ if silence < began => Keep::Gone(began),
            0 => Keep::Until(until),
            _ => Keep::Again(until),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_is_ordered_a_lead_before_the_stretch_that_it_is_for() {
        let twice = (0..24).chain(36..38).fold(Watch::NEVER, |watch, bin| watch.with(bin, true));
        let (stays, back, ends) = (edge(24), lower(36), edge(38));
        let lead = 30_000_000_000;
        for (silence, keep) in [
            (0, Keep::Until(stays)),
            (stays - 1, Keep::Until(stays)),
            (stays, Keep::Gone(back - lead)),
            (back - lead - 1, Keep::Gone(back - lead)),
            (back - lead, Keep::Again(ends)),
            (ends - 1, Keep::Again(ends)),
            (ends, Keep::GONE),
        ] {
            assert_eq!(twice.at(silence, lead), keep, "{silence}");
        }
        let near = (0..24).chain(26..28).fold(Watch::NEVER, |watch, bin| watch.with(bin, true));
        let between = lower(26) - edge(24);
        assert_eq!(near.at(0, between), Keep::Until(edge(28)), "what is shorter than a start is no time to be gone");
        assert_eq!(near.at(0, between - 1), Keep::Until(edge(24)));
    }

    #[test]
    fn it_stays_while_there_is_no_silence_yet_and_is_gone_for_good_in_the_end() {
        let seconds = |silence: u64, lead: u64| Watch::NEVER.at(silence * SECOND, lead * SECOND);
        assert_eq!([0, 9].map(|silence| seconds(silence, 80)), [Keep::Until(10 * SECOND); 2], "an eighth of a lead");
        assert_eq!(seconds(10, 80), Keep::GONE);
        assert_eq!([0, 1].map(|silence| seconds(silence, 2)), [Keep::Until(SECOND), Keep::GONE], "shorter is no gap");
        let at_most = |keep: Keep, silence: u64| keep.at_most(silence, 100);
        assert_eq!([Keep::Gone(100), Keep::Gone(99)].map(|keep| at_most(keep, 20)), [Keep::GONE, Keep::Gone(99)]);
        assert_eq!([40, 400].map(|until| at_most(Keep::Until(until), 10)), [40, 100].map(Keep::Until));
        assert_eq!([40, 400].map(|until| at_most(Keep::Again(until), 30)), [40, 100].map(Keep::Again));
        assert_eq!([99, 100].map(|silence| at_most(Keep::Until(400), silence)), [Keep::Until(100), Keep::GONE]);
        assert_eq!([Keep::Until(1), Keep::Again(2), Keep::Gone(3)].map(Keep::until), [1, 2, 3]);
    }
}
