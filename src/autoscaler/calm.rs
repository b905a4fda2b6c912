//! What makes an evaluation needless.
//!
//! Most observations of a busy service tell of requests that come, start and finish, and change no proposal: the rate
//! stays within the step of its count, nobody waits too long. An evaluation that finds the demand it found before changes
//! nothing but the inputs that are shown. So it is said after an evaluation up to where that holds: between which numbers,
//! and as long as what the waits say is what it was, overload or not. Within it observations are only counted; the first that
//! leaves it evaluates, as does whoever looks.
//!
//! What leaves it is *followed* if it can be: demand changes and the count does not. Then only what requests change is read
//! again, the policies propose and the delays take note; it is a third of an evaluation. Where a wanted number follows from the
//! requests in the system it is *reckoned*: it goes to the delays, and nothing is read again.
//!
//! Time is followed in the same way: to ages of the oldest request at which nothing is proposed anew, and to the ends of slices.
//!
//! A gauge is counted in the same way as the events whose count it sets, and looked at for the same reasons.
//!
//! This is exact, not an approximation: the test beside this file compares it with evaluating at every observation.

mod extent;

use alloc::borrow::Cow;
use core::hash::{Hash, Hasher};

use super::Autoscaler;
use super::state::State;
use crate::guard::{Demand, Guards, Terms};
use crate::observation::{Mode, Observation, WorkerEvent, WorkerId};
use crate::signal::{Minded, Verdicts};
use crate::time::{Timestamp, nanos};

/// Up to where demand stays what it is. The default is calm at no instant.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a finding of its own")]
pub(super) struct Calm {
    /// Nothing changes by time alone before this instant, …
    until: Timestamp,
    /// … nor, but that a slice ends, before this one, …
    turns_until: Timestamp,
    /// … nor, whatever the guards do, before this one, …
    signals_until: Timestamp,
    /// … nor, what has been active or overloaded of late aside, before this one.
    facts_until: Timestamp,
    /// When anything next changes by time alone, as long as nothing has been counted.
    change: Option<Timestamp>,
    /// Nobody waits for so long, in nanoseconds, or the rules have taken note of it.
    age: u64,
    /// What of the waits is minded, and what they said at the last look; …
    minded: Minded,
    verdicts: Verdicts,
    /// … they cannot say anything else as long as nobody has waited for so long when it starts. Zero if that is not known.
    wait: u64,
    /// The least of the ages that rules take note of, in nanoseconds.
    least_age: u64,
    /// It is known up to where the proposals stand.
    proposed: bool,
    /// Arrivals in the rate's open slice, in millionths of a request, at the last look, …
    open: u64,
    /// … and at the most.
    arrivals: u64,
    /// Requests in the system, at the least and at the most.
    requests: (u64, u64),
    /// Requests that wait, at the least.
    backlog: u64,
    /// Nothing but delays, tolerance and bounds stands between a demand and the count.
    pub(super) simple: bool,
    /// The only proposal is that of one policy which goes by the requests in the system, on these terms.
    reckons: Option<Terms>,
    /// No more idle workers may go before this instant, if there is an idle timeout, …
    idle: Timestamp,
    /// … than all but so many.
    held: u32,
    /// The workers are those that the count calls for: which of them serve calls for no command.
    pub(super) placed: bool,
    /// Somebody may be taking requests.
    attended: bool,
    /// Every request is told of by events.
    by_events: bool,
    /// Something has been counted and not evaluated.
    pub(super) counted: bool,
}

impl Calm {
    /// Something changes at `due`.
    fn before(&mut self, due: Timestamp) {
        (self.until, self.turns_until) = (self.until.min(due), self.turns_until.min(due));
    }
}

impl Autoscaler {
    /// Takes in an observation that calls for no evaluation. False if it may call for one; then nothing has changed, but that
    /// some time has passed if it is an observation that is always accepted.
    pub(super) fn count_only(&mut self, now: Timestamp, observation: &Observation) -> bool {
        if now < self.state.now {
            return false;
        }
        let calm = self.is_calm(now);
        let waited = match *observation {
            Observation::Arrived { queue: None, .. } | Observation::Finished { .. } => 0,
            Observation::Started { sojourn, queue: None } => nanos(sojourn),
            Observation::Worker { id, event } => {
                let slots = match event {
                    WorkerEvent::Busy(slots @ 1..) => slots,
                    WorkerEvent::Idle => 0,
                    _ => return false,
                };
                return calm && self.calm.by_events && self.load_only(now, id, slots);
            }
            _ => return false,
        };
        if !((calm || self.lives_on(now)) && self.calm.by_events) {
            return false;
        }
        let before = self.state.now;
        self.counted(now);
        if self.state.estimators.learns() {
            self.count_and_learn((before, now), observation);
            return true;
        }
        if waited < self.calm.wait {
            let clamped = self.state.estimators.count_at_rest(now, observation);
            self.state.input.contradictions = self.state.input.contradictions.saturating_add(u64::from(clamped));
            if !self.is_within() {
                self.go_on((before, now), true);
            }
            debug_assert!(self.stands(now), "what was counted changes no proposal");
            return true;
        }
        // Whoever has waited for so long may have woken CoDel.
        self.calm.wait = 0;
        let (state, calm) = (&mut self.state, &self.calm);
        let clamped = state.estimators.count(now, observation, calm.attended, &state.pool, &self.config);
        self.state.input.contradictions = self.state.input.contradictions.saturating_add(u64::from(clamped));
        let same = self.goes_on(now, observation);
        if !(same && self.is_within()) {
            self.go_on((before, now), same);
        }
        debug_assert!(self.stands(now), "what was counted changes no proposal");
        true
    }

    /// The same for a gauge of the one queue or of the slots, which sets what events count.
    pub(super) fn gauge_only(&mut self, now: Timestamp, observation: &Observation) -> bool {
        if !matches!(observation, Observation::Queue { queue: None, .. } | Observation::InFlight { .. }) {
            return false;
        }
        let calm = now >= self.state.now && (self.is_calm(now) || self.lives_on(now));
        if !calm || self.state.estimators.empties(observation) {
            return false;
        }
        let before = self.state.now;
        self.state.estimators.advance_within(now);
        self.note_counted(now);
        let (state, attended) = (&mut self.state, self.calm.attended);
        state.estimators.gauge(now, observation, attended, &state.pool, &self.config);
        self.calm.by_events &= state.estimators.is_told_by_events(attended);
        let same = self.ages_are_known(now) && self.goes_on(now, observation);
        if !(same && self.is_within()) {
            self.go_on((before, now), same);
        }
        debug_assert!(self.stands(now), "what was counted changes no proposal");
        true
    }

    /// Says when the oldest request, which a gauge has set, next comes to an age that the rules take note of. True if the
    /// proposals are known to stand until then.
    fn ages_are_known(&mut self, now: Timestamp) -> bool {
        let waited = self.state.estimators.oldest_age(now).unwrap_or(0);
        self.calm.age = if waited < self.calm.least_age {
            self.calm.least_age
        } else {
            // It says something before anybody starts.
            self.calm.wait = 0;
            self.ages().filter(|age| *age > waited).min().unwrap_or(u64::MAX)
        };
        self.calm.proposed
    }

    /// Whether the proposals are those that were made last, unless the count has just changed.
    fn stands(&self, now: Timestamp) -> bool {
        let last = &self.state.last;
        let inputs = self.state.estimators.inputs(now, &self.state.pool, &self.config);
        !self.calm.counted || self.propose(&inputs).proposals == last.proposals
    }

    /// Whether the rate, one request more counted in, and the requests in the system are within their limits.
    #[inline]
    fn is_within(&self) -> bool {
        let (arrivals, requests) = self.state.estimators.counted();
        let (least, most) = self.calm.requests;
        arrivals <= self.calm.arrivals && requests >= least && requests <= most
    }

    /// Whether the waits say what they said after an observation that was counted.
    #[expect(clippy::inline_always, reason = "it is asked after each observation under load")]
    #[inline(always)]
    fn goes_on(&mut self, now: Timestamp, observation: &Observation) -> bool {
        if matches!(observation, Observation::Started { .. }) {
            // Another one is the oldest now, and has not been for any time.
            self.calm.age = self.calm.least_age;
        }
        let enough = self.state.estimators.backlog() >= self.calm.backlog;
        let verdicts = self.state.estimators.verdicts(now, &self.calm.minded);
        self.calm.proposed && enough && verdicts == self.calm.verdicts
    }

    /// What was counted last, after an instant before, is reckoned, followed or evaluated, since it may change a proposal.
    /// `same` says that the waits say what they said.
    #[inline(never)]
    fn go_on(&mut self, (before, now): (Timestamp, Timestamp), same: bool) {
        let (arrivals, requests) = self.state.estimators.counted();
        let stays = if same && arrivals <= self.calm.arrivals { self.reckon(now, requests) } else { None };
        if stays == Some(true) {
            return;
        }
        self.stood(before);
        if stays.is_some() || !self.follow(now) {
            self.settle();
            self.calm_down(now);
        }
    }

    /// The demand that was evaluated last stood until `now`, which a look at what comes after it does not tell a cliff.
    fn stood(&mut self, now: Timestamp) {
        let Some(cliff) = self.config.cliff() else { return };
        let stood = || self.state.last.proposals.iter().flatten();
        let keep = stood().map(|proposal| proposal.keep).max().filter(|_| !stood().any(|proposal| proposal.blind));
        self.state.guards.stood(now, keep.unwrap_or(u32::MAX), cliff);
    }

    /// The same, where time alone changes it next: then what has only been counted needs no evaluation of its own.
    pub(super) fn stand(&mut self) {
        if self.calm.counted {
            if self.state.last.count != self.state.last.desired {
                // What was wanted last is not what is shown: that is the reason of the change.
                return self.settle();
            }
            let now = self.state.now;
            self.state.guards.stand(now, &self.config);
            self.stood(now);
        }
    }

    #[inline(never)]
    fn verdicts(&self, now: Timestamp) -> Verdicts {
        self.state.estimators.verdicts(now, &self.calm.minded)
    }

    /// Lives up to `now`, or a part of the way, where time alone changes nothing but what is read again. True if that is the
    /// whole way, or all but what is calm.
    #[inline(never)]
    pub(super) fn lives_on(&mut self, now: Timestamp) -> bool {
        while now >= self.calm.until {
            if !self.turns(now) {
                return false;
            }
        }
        self.is_calm(now) || self.grows_old(now)
    }

    /// Lives up to the end of a slice by `now`, if nothing else happens before or then: as [`follow`](Self::follow) does for
    /// an observation. False if it is to be evaluated.
    fn turns(&mut self, now: Timestamp) -> bool {
        let estimators = &self.state.estimators;
        let at = estimators.slice_ends();
        let due = at <= now && at < self.calm.turns_until && estimators.windows_move();
        if !due || !self.calm.simple || estimators.learns() || self.is_granted() || !self.is_young(at) {
            return false;
        }
        self.state.now = at;
        self.state.sequence = self.state.sequence.saturating_add(1);
        self.state.estimators.advance(at);
        self.state.last.inputs.rate_full = self.state.estimators.is_rate_full();
        self.calm.counted = true;
        self.asked.counted();
        self.hear_until(at);
        // The rate is read again.
        self.calm.open = u64::MAX;
        if self.is_counted_on(at) {
            // The rate says nothing to those who go by the requests in the system: nothing but time passes for the delays.
            self.state.guards.stand(at, &self.config);
        } else if !self.follow(at) {
            self.settle();
            return false;
        }
        self.hold_until(at);
        true
    }

    /// Whether the wanted number goes by the requests in the system, and the waits say at `now` what they said.
    fn is_counted_on(&self, now: Timestamp) -> bool {
        let calm = &self.calm;
        let plain = calm.reckons.is_some() && calm.proposed && calm.backlog == 0 && !self.state.guards.is_waking();
        plain && self.verdicts(now) == calm.verdicts
    }

    /// Lives up to the last age on the way to `now` that the oldest request comes to, if at none anything is proposed anew. False
    /// if that is not all; then nothing has changed.
    pub(super) fn grows_old(&mut self, now: Timestamp) -> bool {
        if now >= self.calm.until || !self.calm.proposed || self.verdicts(now) != self.calm.verdicts {
            return false;
        }
        while self.calm.age < u64::MAX && !self.is_calm(now) {
            // Until then the demand certainly stood; the caller goes on from there.
            self.state.now = self.state.now.max(self.state.estimators.oldest_reaches(self.calm.age).unwrap_or(now));
            self.calm.age = self.ages().filter(|age| *age > self.calm.age).min().unwrap_or(u64::MAX);
            self.state.sequence = self.state.sequence.saturating_add(1);
        }
        // What the waits say may change before anybody starts who has waited for long.
        self.calm.wait = 0;
        self.state.estimators.advance_within(self.state.now);
        self.calm.counted = true;
        self.asked.counted();
        true
    }

    /// The same for an objective, which learns from each. Not inlined, so that it costs the others nothing.
    #[inline(never)]
    fn count_and_learn(&mut self, span: (Timestamp, Timestamp), observation: &Observation) {
        let (_, now) = span;
        let (state, calm) = (&mut self.state, &mut self.calm);
        let before = state.estimators.before(&state.pool);
        let clamped = state.estimators.count(now, observation, calm.attended, &state.pool, &self.config);
        state.estimators.learn(now, observation, before, &state.pool, &self.config);
        state.input.contradictions = state.input.contradictions.saturating_add(u64::from(clamped));
        // What comes after a silence is looked at earlier than was said.
        let due = state.estimators.next_plan().unwrap_or(Timestamp::MAX);
        calm.before(due);
        (calm.signals_until, calm.facts_until) = (calm.signals_until.min(due), calm.facts_until.min(due));
        let same = self.goes_on(now, observation) && due > now;
        if !(same && self.is_within()) {
            self.go_on(span, same);
        }
    }

    /// Whether time alone has changed nothing by `now`.
    #[inline]
    pub(super) fn is_calm(&self, now: Timestamp) -> bool {
        // Only where all is plain does anything hold until then.
        now < self.calm.until && self.state.estimators.is_younger(self.calm.age, now)
    }

    /// Whether the oldest request has not come by `now` to an age that the rules take note of.
    fn is_young(&self, now: Timestamp) -> bool {
        self.state.estimators.oldest_reaches(self.calm.age).is_none_or(|at| now < at)
    }

    /// A worker's load alone never changes the count: who has just become idle may not go yet, and who has become busy
    /// may no longer.
    fn load_only(&mut self, now: Timestamp, id: WorkerId, slots: u32) -> bool {
        let due = self.config.idle_timeout().map_or(Timestamp::MAX, |timeout| now.saturating_add(timeout));
        if due <= now {
            return false;
        }
        let Some(active) = self.state.pool.load(now, id, slots) else { return false };
        self.counted(now);
        if active {
            self.state.estimators.active(now);
        }
        if slots == 0 {
            self.asked.idle_until(due);
        }
        if slots == 0 && due < self.calm.idle {
            self.calm.idle = due;
            if self.state.guards.keeps_below(self.state.count) {
                self.calm.before(due);
            }
        }
        true
    }

    fn counted(&mut self, now: Timestamp) {
        self.state.estimators.advance_arrivals(now);
        self.note_counted(now);
    }

    const fn note_counted(&mut self, now: Timestamp) {
        self.state.now = now;
        self.state.input.accepted = self.state.input.accepted.saturating_add(1);
        self.state.sequence = self.state.sequence.saturating_add(1);
        self.calm.counted = true;
        self.asked.counted();
    }

    /// Takes what the requests call for to the delays. True if it leaves the count what it is; otherwise it is to be
    /// evaluated.
    fn follow(&mut self, now: Timestamp) -> bool {
        // A budget is told at once what is wanted of it, and a plan is made when it is due.
        if !self.calm.simple || self.is_granted() || self.state.estimators.plan_due(now) {
            return false;
        }
        let (state, config) = (&mut self.state, &self.config);
        let (open, _) = state.estimators.counted();
        state.estimators.refresh(now, config, open != self.calm.open, &mut state.last.inputs);
        self.calm.open = open;
        debug_assert_eq!(
            state.last.inputs,
            state.estimators.inputs(now, &state.pool, config),
            "what is refreshed is all that changed"
        );
        state.estimators.note(now, &state.last.inputs);
        let proposed = self.propose(&self.state.last.inputs);
        let surplus = self.state.last.inputs.surplus;
        if !surplus && proposed.proposals == self.state.last.proposals && !self.state.guards.is_waking() {
            // The demand is what it was, so nothing but time passes for the delays.
            self.state.guards.stand(now, &self.config);
            self.calm_requests(now);
            return true;
        }
        (self.state.last.proposals, self.state.last.deciding) = (proposed.proposals, proposed.deciding);
        let demand = self.demand(now, &self.state.last.inputs, &proposed);
        let demand = Demand { held_workers: self.held(now), ..demand };
        let plain = demand.surplus.is_none() && demand.mode == Mode::Automatic;
        if !plain || !self.state.guards.stays(&demand, &self.config) {
            return false;
        }
        self.hold_until(now);
        self.calm_requests(now);
        true
    }

    /// Takes what so many requests call for to the delays, where nothing else can change a proposal: it needs no signal. Says
    /// whether that leaves the count what it is; `None` if more than the requests matters, and then nothing has changed.
    fn reckon(&mut self, now: Timestamp, requests: u64) -> Option<bool> {
        let held = self.held(now);
        #[cfg(debug_assertions)]
        debug_assert!(self.calm.reckons.is_none_or(|terms| terms == self.terms(now)), "count and circumstances stand");
        let terms = self.calm.reckons.as_ref().filter(|_| self.calm.proposed && self.calm.backlog == 0)?;
        let policy = self.config.policies().first()?;
        let (want, keep, steady) = policy.of_requests(requests, self.state.last.inputs.concurrency)?;
        let proposal = self.state.last.proposals.first_mut()?.as_mut()?;
        (proposal.want, proposal.keep) = (want, keep);
        #[cfg(debug_assertions)]
        let plainly = self.reckoned_plainly(now, (want, keep));
        let next = self.state.guards.reckon(now, (want, keep), held, terms, &self.config);
        #[cfg(debug_assertions)]
        debug_assert!(plainly == (next, self.state.guards.clone()), "what the terms leave out says nothing");
        let Some(next) = next else { return Some(false) };
        self.hold_until_step(next);
        self.calm.requests = steady.requests;
        Some(true)
    }

    /// On which terms the guards have a demand at `now`.
    fn terms(&self, now: Timestamp) -> Terms {
        Guards::terms(self.state.count, self.limits(now), now < self.watched_from(), &self.config)
    }

    /// What comes of a demand, and what the guards then are, without terms.
    #[cfg(debug_assertions)]
    fn reckoned_plainly(&self, now: Timestamp, (want, keep): (u32, u32)) -> (Option<Timestamp>, Guards) {
        let demand = Demand { held_workers: self.held(now), ..self.plain_demand(now, want, keep) };
        let mut guards = self.state.guards.clone();
        let stays = guards.stays(&demand, &self.config);
        let next = guards.next_change(now, demand.count, demand.limits, &self.config).unwrap_or(Timestamp::MAX);
        (stays.then_some(next), guards)
    }

    /// Ready workers that the idle timeout certainly does not let go yet.
    fn held(&self, now: Timestamp) -> u32 {
        if now < self.calm.idle { self.calm.held } else { 0 }
    }

    /// The state with what has only been counted evaluated.
    pub(super) fn settled(&self) -> Cow<'_, State> {
        if !self.calm.counted {
            return Cow::Borrowed(&self.state);
        }
        let mut settled = self.clone();
        settled.settle();
        Cow::Owned(settled.state)
    }

    /// Evaluates what has only been counted.
    pub(super) fn settle(&mut self) {
        if self.calm.counted {
            self.evaluate(self.state.now);
        }
    }

    /// Whether workers that become busy or idle call for no command yet, as long as nothing else happens.
    #[cfg(feature = "sim")]
    pub(crate) fn is_placed(&self) -> bool {
        self.calm.placed || self.state.now < self.asked.placed_until()
    }

    /// The first instant after `now`, that of the latest call, at which signals, guards or commands change by time alone.
    pub(super) fn change_after(&self, now: Timestamp) -> Option<Timestamp> {
        if self.stood_still(now) { self.calm.change } else { self.ahead(now).change() }
    }

    /// Whether neither observations nor time have changed anything since the last evaluation.
    pub(super) fn stood_still(&self, now: Timestamp) -> bool {
        !self.calm.counted && self.is_calm(now)
    }

    /// An instant before which nothing changes without another observation: the [next](Self::next_wakeup), or an earlier
    /// one that takes less to find. Only what has been counted makes it earlier, so that whoever is woken in vain is not
    /// woken so again by time alone; and no slice's end does of which nothing leaves a window.
    pub(crate) fn earliest_wakeup(&self) -> Option<Timestamp> {
        let (state, calm, placed_until) = (&self.state, &self.calm, self.asked.placed_until());
        let overdue = state.estimators.oldest_reaches(calm.age).unwrap_or(Timestamp::MAX);
        let next = calm.until.min(overdue);
        // At the end of time nothing is to come.
        if !(calm.counted && state.now < next && state.estimators.windows_move()) {
            return self.wakeup_anew();
        }
        if calm.placed || placed_until == Timestamp::MAX {
            return Some(next);
        }
        let placement = if placed_until > state.now { Some(placed_until) } else { self.next_placement(state.now) };
        let next = next.min(placement.unwrap_or(Timestamp::MAX));
        (next > state.now).then_some(next)
    }

    /// Not inlined, so that to ask after each observation costs no more than what is known.
    #[inline(never)]
    fn wakeup_anew(&self) -> Option<Timestamp> {
        self.next_wakeup()
    }
}

/// Equal if the same calls lead to the same decisions from here on.
impl PartialEq for Autoscaler {
    fn eq(&self, other: &Self) -> bool {
        self.config == other.config && self.settled() == other.settled()
    }
}

impl Eq for Autoscaler {}

impl Hash for Autoscaler {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.config.hash(state);
        self.settled().hash(state);
    }
}

#[cfg(test)]
mod tests;
