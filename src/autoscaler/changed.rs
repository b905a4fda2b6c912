//! Whether there is anything new since somebody asked last.
//!
//! After a decision it is known until when nothing changes without an observation: its wake-up. Whoever asks before that, or
//! after observations that were only counted, is told so at the cost of a few comparisons.

use alloc::vec::Vec;

use super::Autoscaler;
use crate::decision::{Command, Decision};
use crate::signal::Quantiles;
use crate::time::{Earliest, Timestamp};

/// The first instants after the present one at which time alone changes something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Ahead {
    /// What the oldest request's wait says.
    pub(super) age: Option<Timestamp>,
    /// What a slice's end takes out of a window.
    pub(super) slice: Option<Timestamp>,
    /// Other signals, or commands, whatever the guards do.
    pub(super) fact: Option<Timestamp>,
    /// What the guards let through.
    pub(super) step: Option<Timestamp>,
}

impl Ahead {
    pub(super) fn change(self) -> Option<Timestamp> {
        let mut next = Earliest::after(Timestamp::ORIGIN);
        for at in [self.age, self.slice, self.fact, self.step] {
            next.note_some(at);
        }
        next.get()
    }
}

/// What is known of the decision given last, and from it of the next. Follows from the calls; the default knows nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Asked {
    /// Its count; `None` before the first.
    given: Option<u32>,
    /// As long as nothing is observed, nothing changes before this instant, …
    until: Timestamp,
    /// … which is this one.
    wakeup: Option<Timestamp>,
    /// As long as count, bounds and workers stay what they are, nothing is to be commanded before this instant.
    placed_until: Timestamp,
    /// What comes next, as long as nothing is evaluated, observed or commanded.
    ahead: Option<Ahead>,
    /// What was shown of the window, if that holds as long as nothing is observed.
    quantiles: Option<Quantiles>,
}

impl Asked {
    /// Something was evaluated: only the count given last is still known.
    pub(super) const fn forget(&mut self) {
        (self.until, self.placed_until) = (Timestamp::ORIGIN, Timestamp::ORIGIN);
        self.ahead = None;
    }

    /// An observation was counted.
    pub(super) const fn counted(&mut self) {
        self.until = Timestamp::ORIGIN;
        self.ahead = None;
    }

    pub(super) const fn look_ahead(&mut self, ahead: Ahead) {
        self.ahead = Some(ahead);
    }

    /// A worker has become idle and may go at `due`. One that has become busy calls for no command, and without an idle
    /// timeout one that has become idle was let go before or is wanted.
    pub(super) fn idle_until(&mut self, due: Timestamp) {
        self.placed_until = self.placed_until.min(due);
    }

    /// Before when no command is called for, as long as count, bounds and workers stay; an instant that has passed if that
    /// is not known.
    pub(super) const fn placed_until(&self) -> Timestamp {
        self.placed_until
    }
}

impl Autoscaler {
    /// The decision at `now` if there is anything new in it; for platforms that ask often. `None` means that
    /// [`decide`](Self::decide) would have given the count of the decision given last, no command, and in the observe mode none
    /// that it would have given. The first call after [`new`](Self::new) or [`restore`](Self::restore) always gives one.
    ///
    /// Time has passed all the same: what is observed and decided later is what it would be after `decide`. An explanation
    /// may have grown older or changed without anything following from it; who wants to see it asks `decide`. When to
    /// ask again at the latest is for [`next_wakeup`](Self::next_wakeup) to say.
    ///
    /// ```
    /// use plimsoll::{Autoscaler, Command, Config, Observation, Policy, Timestamp, policy::RunPod};
    ///
    /// let config = Config::new(Policy::RunPod(RunPod::request_count(4)), 0, 10)?;
    /// let mut autoscaler = Autoscaler::new(config, Timestamp::ORIGIN);
    /// let at = Timestamp::from_millis;
    ///
    /// autoscaler.observe(at(5), Observation::queue(9, None))?;
    /// let decision = autoscaler.decide_if_changed(at(5)).expect("nine requests wait");
    /// assert_eq!(decision.commands, [Command::Start { count: 3 }]);
    ///
    /// // A millisecond later three are still enough.
    /// assert_eq!(autoscaler.decide_if_changed(at(6)), None);
    /// autoscaler.observe(at(7), Observation::queue(10, None))?;
    /// assert_eq!(autoscaler.decide_if_changed(at(7)), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use = "the commands are given once"]
    pub fn decide_if_changed(&mut self, now: Timestamp) -> Option<Decision> {
        let stands = self.asked.given == Some(self.state.count) && now >= self.state.now;
        let calm = self.is_calm(now) || (stands && self.lives_on(now));
        if !stands || !(calm || now < self.asked.until) {
            return self.decide_anew(now);
        }
        if !(self.calm.placed && calm) && now >= self.asked.placed_until {
            return self.place_anew(now, calm);
        }
        self.pass(now, calm);
        None
    }

    /// Time passes, and nothing changes by it: what is shown of it is evaluated when somebody looks.
    fn pass(&mut self, now: Timestamp, calm: bool) {
        if calm {
            self.state.estimators.advance_within(now);
        } else {
            self.pass_to(now);
        }
        self.state.now = now;
        self.calm.counted |= self.state.last.at < now;
    }

    /// The same while nothing is calm.
    fn pass_to(&mut self, now: Timestamp) {
        if now > self.state.now {
            self.close_reports();
            self.state.now = now;
            self.state.estimators.advance(now);
        }
    }

    /// The count stands, and what is to be commanded is not known.
    #[inline(never)]
    fn place_anew(&mut self, now: Timestamp, calm: bool) -> Option<Decision> {
        self.pass(now, calm);
        let (commands, would) = self.place(now);
        if commands.is_empty() && would.is_empty() {
            self.asked.placed_until = self.next_placement(now).unwrap_or(Timestamp::MAX);
            return None;
        }
        // What has only been counted was counted before the commands, which no evaluation looks at.
        self.settle();
        Some(self.explained((commands, would)))
    }

    #[inline(never)]
    fn decide_anew(&mut self, now: Timestamp) -> Option<Decision> {
        let (commands, would) = self.act(now);
        if self.asked.given != Some(self.state.count) || !commands.is_empty() || !would.is_empty() {
            return Some(self.explained((commands, would)));
        }
        let now = self.state.now;
        if !self.stood_still(now) {
            self.calm_down(now);
        }
        self.note_wakeup(now, true);
        None
    }

    /// Lives up to `now` and gives the commands, and what they would be.
    pub(super) fn act(&mut self, now: Timestamp) -> (Vec<Command>, Vec<Command>) {
        let now = self.clamp(now);
        let still = !self.calm.counted && (self.is_calm(now) || now < self.asked.until);
        if !still {
            self.lives_on(now);
            self.advance(now);
            if self.state.last.at < now || self.calm.counted {
                self.evaluate(now);
            }
        } else if self.state.last.at < now {
            self.look_again(now);
        }
        if now < self.asked.placed_until { (Vec::new(), Vec::new()) } else { self.place(now) }
    }

    /// Brings the last evaluation up to `now`, to which nothing has been observed and time has changed nothing: ages and the
    /// like, and the instant to which the delays count. What was said of the time to come holds.
    fn look_again(&mut self, now: Timestamp) {
        // Where a guard holds something, by how much may change with time, though not what comes of it.
        let free = self.state.last.is_free() && !self.state.guards.is_waking();
        let plainly = free && self.calm.simple && self.is_calm(now);
        self.pass_to(now);
        if plainly {
            self.state.estimators.refresh(now, &self.config, false, &mut self.state.last.inputs);
            self.state.guards.stand(now, &self.config);
            self.state.last.at = now;
            debug_assert!(
                {
                    let mut evaluated = self.clone();
                    evaluated.evaluate(now);
                    evaluated.state == self.state
                },
                "what is looked at again is all that changed"
            );
            return;
        }
        let (calm, asked, count) = (self.calm, self.asked, self.state.count);
        self.evaluate(now);
        debug_assert_eq!(self.state.count, count, "before anything is due");
        (self.calm, self.asked) = (calm, asked);
    }

    /// The present decision with these commands, and what they would be.
    pub(super) fn explained(&mut self, (commands, would): (Vec<Command>, Vec<Command>)) -> Decision {
        let now = self.state.now;
        if !commands.is_empty() {
            self.asked.forget();
        }
        if !commands.is_empty() || !self.stood_still(now) {
            self.calm_down(now);
        }
        let quantiles = self.asked.quantiles.filter(|_| self.is_known_until(now));
        let quantiles = quantiles.unwrap_or_else(|| self.state.estimators.quantiles(now, &self.config));
        let next_wakeup = self.note_wakeup(now, would.is_empty());
        self.asked.quantiles = self.state.estimators.holds_quantiles().then_some(quantiles);
        self.asked.given = Some(self.state.count);
        Decision {
            at: now,
            sequence: self.state.sequence,
            desired: self.state.count,
            commands,
            would,
            explanation: self.explain_with(&self.state.last, quantiles),
            last_change: self.state.events.iter().next_back().copied(),
            next_wakeup,
        }
    }

    /// Remembers until when nothing changes; not while commands are shown that nobody is given.
    fn note_wakeup(&mut self, now: Timestamp, placed: bool) -> Option<Timestamp> {
        if self.is_known_until(now) {
            return self.asked.wakeup;
        }
        let placement = self.next_placement(now);
        let wakeup = self.change_after(now).into_iter().chain(placement).min();
        self.asked.quantiles = None;
        if placed {
            self.asked.placed_until = placement.unwrap_or(Timestamp::MAX);
            (self.asked.until, self.asked.wakeup) = (wakeup.unwrap_or(Timestamp::MAX), wakeup);
        }
        wakeup
    }

    /// The first instants after `now`, that of the latest call, at which time alone changes something.
    pub(super) fn ahead(&self, now: Timestamp) -> Ahead {
        let ahead = self.asked.ahead.unwrap_or_else(|| self.look_ahead(now));
        debug_assert_eq!(ahead, self.look_ahead(now), "what was found before still holds");
        ahead
    }

    /// Whether nothing has been observed or has changed since the wake-up was found.
    fn is_known_until(&self, now: Timestamp) -> bool {
        !self.calm.counted && now < self.asked.until
    }

    /// The instant at which something could change without a new observation, after the latest call; `None` if nothing
    /// could. Calling earlier is harmless.
    #[must_use]
    pub fn next_wakeup(&self) -> Option<Timestamp> {
        let now = self.state.now;
        if self.is_known_until(now) {
            return self.asked.wakeup;
        }
        self.change_after(now).into_iter().chain(self.next_placement(now)).min()
    }
}
