//! What an autoscaler would have of a budget that it shares.

use super::Autoscaler;

/// What is asked of a budget, and what is taken of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Needs {
    /// Workers wanted, as if there were no grant.
    pub(crate) wanted: u32,
    /// The bounds, as if there were no grant.
    pub(crate) least: u32,
    pub(crate) most: u32,
    /// Workers that are committed or in standby, and those beside them that are on their way out.
    pub(crate) staying: u32,
    pub(crate) leaving: u32,
}

impl Autoscaler {
    /// Whether a grant stands.
    pub(crate) fn is_granted(&self) -> bool {
        self.state.operator.is_granted()
    }

    /// What it needs of a budget, as of the latest call. Standby workers are wanted beside the others.
    pub(crate) fn needs(&self) -> Needs {
        if self.calm.counted {
            let mut settled = self.clone();
            settled.settle();
            return settled.needs();
        }
        let limits = self.limits(self.state.now);
        let wanted = self.wanted.max(limits.least).saturating_add(self.config.standby()).min(limits.most);
        let (present, staying) = self.state.pool.present_and_staying(self.state.now);
        Needs { wanted, least: limits.least, most: limits.most, staying, leaving: present.saturating_sub(staying) }
    }
}
