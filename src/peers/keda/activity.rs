//! From what the triggers say to whether the object is active (`scale_handler.go`).

use super::{Activity, ScaledObject, Served, Trigger};

impl ScaledObject {
    /// Active: any trigger strictly above its activation, or on fallback. In error: any trigger without a value. With
    /// nothing but cpu and memory triggers, which the HPA reads itself, the object is always active.
    pub(super) fn activity(&self, served: &[Served]) -> Activity {
        let error = served.iter().any(|served| served.error);
        if self.triggers.iter().all(Trigger::is_resource) && !error {
            return Activity { active: true, error };
        }
        let mut triggers = self.triggers.iter().zip(served).filter(|(trigger, _)| !trigger.is_resource());
        let active = triggers
            .any(|(trigger, served)| served.fallback || served.value.is_some_and(|value| value > trigger.activation));
        Activity { active, error }
    }
}
