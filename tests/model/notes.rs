//! What was seen in a case: for people, and for the test of the test.

use std::collections::BTreeSet;

use plimsoll::guard::Effect;
use plimsoll::provider::Measure;
use plimsoll::{Command, Timestamp};

use crate::Pair;

/// What must have been seen in half a percent of many cases: a comparison of nothing is not kept.
pub const INTERESTING: [&str; 32] = [
    "freshness",
    "zero_gate",
    "tolerance",
    "surplus",
    "up_delay",
    "down_delay",
    "step_limit",
    "idle_timeout",
    "mode",
    "bounds",
    "start",
    "release",
    "revive",
    "drain",
    "stop",
    "cut off",
    "lease over",
    "late start",
    "warm start",
    "park",
    "prewarm",
    "revive any",
    "learned deadline",
    "adopted",
    "vanished",
    "own queue",
    "reconfigured",
    "overloaded",
    "cliff",
    "back-off",
    "breaker",
    "probe",
];

/// What was seen in one case, for people and for the test of the test.
#[derive(Default)]
pub struct Notes {
    pub lines: Option<Vec<String>>,
    pub seen: BTreeSet<&'static str>,
}

impl Notes {
    pub fn note(&mut self, pair: &Pair, what: &str) {
        let decision = pair.autoscaler.clone().decide(Timestamp::from_nanos(pair.now));
        if let Some(lines) = &mut self.lines {
            let (at, model) = (decision.at, &pair.model);
            lines.push(format!("{at}: {what}\n    {decision}; the model: {} by {:?}", model.count, model.shown.stages));
        }
        let guards = decision.explanation.stages.iter().filter(|stage| stage.effect != Effect::Pass);
        self.seen.extend(guards.map(|stage| stage.guard.code()));
        self.seen.extend(decision.commands.iter().map(|command| match command {
            Command::Start { .. } => "start",
            Command::Release { .. } => "release",
            Command::ReviveAny { .. } => "revive any",
            Command::Prewarm { .. } => "prewarm",
            Command::Stop { to_standby: true, .. } => "park",
            Command::Revive { .. } => "revive",
            Command::Drain { .. } => "drain",
            Command::Stop { cut_off: true, .. } => "cut off",
            _ => "stop",
        }));
        let last = pair.autoscaler.events().next_back().map(|event| event.bound.code());
        self.seen.extend(last.filter(|code| ["adopted", "vanished"].contains(code)));
        self.seen.extend(pair.model.pool.fleet.seen(pair.now, pair.autoscaler.config()));
        self.seen.extend((*pair.autoscaler.config() != pair.configs[0]).then_some("reconfigured"));
        self.seen.extend(pair.model.hears_of_own_queues().then_some("own queue"));
        let signals = &decision.explanation.signals;
        self.seen.extend(signals.overloaded.then_some("overloaded"));
        self.seen.extend(decision.explanation.cliff_since.map(|_| "cliff"));
        self.seen.extend(decision.explanation.trouble.map(|trouble| match trouble.measure {
            Measure::BackOff => "back-off",
            Measure::Open => "breaker",
            _ => "probe",
        }));
    }
}
