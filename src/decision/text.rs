//! One line of plain text for people.
//!
//! `3 → 5: 12.4 req/s at 2.5 per replica wants 5; sojourn p99 340 ms > 100 ms for 31 s; up delay 30 s met`

use core::fmt::{self, Display, Formatter};
use core::time::Duration;

use super::{Command, Decision, Explanation, Reason};
use crate::guard::{Effect, Guard, Stage};
use crate::observation::{Grant, Mode};
use crate::policy::{Because, Goal, LEARNED, Objective, Policy, Proposal, RunPod, RunPodScaling, Source};
use crate::provider::Measure;
use crate::time::{Human, nanos};

impl Display for Decision {
    /// The change, if there is one at this instant, or if commands are given now that answer to an earlier one;
    /// otherwise how the count stands. What is out of the ordinary is so now. Where only idle workers are let go, those
    /// that are stopped are named.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let grows = |command: &Command| !matches!(command, Command::Stop { .. } | Command::Prewarm { .. });
        let idle_timeout = self.explanation.terms.idle_timeout;
        let answers = self.commands.iter().any(|command| grows(command) || idle_timeout.is_none());
        match &self.last_change {
            Some(change) if answers && !self.explanation.is_change() => {
                change.outcome(f)?;
                write!(f, " ({} ago)", Human(self.at.since(change.at)))?;
                self.explanation.circumstances(f)?;
            }
            _ => self.explanation.fmt(f)?,
        }
        let Some(idle_timeout) = idle_timeout else { return Ok(()) };
        let idle = self.commands.iter().filter_map(|command| match command {
            Command::Stop { id, cut_off: false, .. } => Some(id),
            _ => None,
        });
        for (position, id) in idle.enumerate() {
            f.write_str(if position == 0 { "; stops " } else { ", " })?;
            id.fmt(f)?;
            if position == 0 {
                write!(f, " (not ready, or idle for {})", human(idle_timeout))?;
            }
        }
        Ok(())
    }
}

impl Display for Explanation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.outcome(f)?;
        if matches!(self.bound, Reason::Adopted | Reason::Vanished) { Ok(()) } else { self.circumstances(f) }
    }
}

impl Explanation {
    /// The count and its reason.
    fn outcome(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.bound {
            Reason::Adopted => {
                write!(f, "{} → {}: workers appeared that were not ordered", self.count, self.desired)
            }
            Reason::Vanished => {
                write!(f, "{}: workers failed or vanished that were not told to go; they are replaced", self.count)
            }
            _ if self.is_change() => self.change(f),
            _ => self.hold(f),
        }
    }

    /// What is out of the ordinary.
    fn circumstances(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.signals.surplus {
            match self.signals.backlog {
                1 => f.write_str("; 1 request waits")?,
                n => write!(f, "; {n} requests wait")?,
            }
            f.write_str(" beside idle workers: look at the router")?;
        }
        if let Some(since) = self.cliff_since {
            write!(f, "; demand fell off a cliff {} ago", Human(self.at.since(since)))?;
        }
        if let Some(trouble) = self.trouble {
            let last = trouble.cause.words();
            let until = Human(trouble.at.since(self.at));
            match trouble.measure {
                Measure::BackOff => write!(f, "; the last start {last}, next try in {until}")?,
                Measure::Open => write!(f, "; breaker open for {until}, the last start {last}")?,
                Measure::Probe => write!(f, "; the last start {last}, one worker at a time is tried")?,
            }
        }
        let named =
            self.bound == Reason::Guard(Guard::Mode) || self.is_change() && self.effect(Guard::Mode) != Effect::Pass;
        if self.terms.mode != Mode::Automatic && !named {
            write!(f, "; mode {}", self.terms.mode)?;
        }
        Ok(())
    }

    /// The proposal that counted: the largest in the direction taken.
    fn deciding(&self) -> Option<&Proposal> {
        let all = self.proposals.iter().flatten();
        if self.proposed < self.count || self.desired < self.count {
            all.max_by_key(|proposal| proposal.keep)
        } else {
            all.max_by_key(|proposal| proposal.want)
        }
    }

    fn change(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} → {}: ", self.count, self.desired)?;
        let up = self.desired > self.count;
        match (self.count, self.signals.backlog) {
            (0, 0) => {
                self.reason(f)?;
                let wakes = |stage: &Stage| stage.guard == Guard::ZeroGate && stage.count > 0;
                f.write_str(if self.stages.iter().any(wakes) { "; wakes from zero at once" } else { "" })?;
            }
            (0, _) => {
                self.waiting(f)?;
                f.write_str("; wakes from zero at once")?;
            }
            _ => self.reason(f)?,
        }
        for stage in &self.stages {
            match (stage.guard, stage.effect) {
                (Guard::Freshness, Effect::AtLeast(least)) if up => {
                    write!(f, "; at least {least} while a signal is missing or stale")?;
                }
                (Guard::ZeroGate, Effect::Exactly(0)) => {
                    write!(f, "; to-zero delay {} met", human(self.terms.to_zero_delay))?;
                }
                (Guard::UpDelay, Effect::Pass)
                    if stage.count > self.count && self.count > 0 && !self.terms.up_delay.is_zero() =>
                {
                    write!(f, "; up delay {} met", human(self.terms.up_delay))?;
                }
                (Guard::UpDelay, Effect::AtMost(most)) if up && most >= self.desired => {
                    write!(f, "; {most} wanted throughout the up delay of {}", human(self.terms.up_delay))?;
                }
                (Guard::DownDelay, Effect::Pass)
                    if stage.count < self.count && self.desired > 0 && !self.terms.down_delay.is_zero() =>
                {
                    write!(f, "; down delay {} met", human(self.terms.down_delay))?;
                }
                (Guard::DownDelay, Effect::AtLeast(least)) if !up && least <= self.desired => {
                    write!(f, "; {least} wanted within the down delay of {}", human(self.terms.down_delay))?;
                }
                (Guard::StepLimit, Effect::AtMost(count) | Effect::AtLeast(count)) => {
                    write!(f, "; step limit allows {count}")?;
                }
                (Guard::IdleTimeout, Effect::AtLeast(count)) if !up && count <= self.desired => {
                    write!(f, "; {count} have not been idle for long enough")?;
                }
                (Guard::Mode, effect) if effect != Effect::Pass => write!(f, "; by the mode {}", self.terms.mode)?,
                (Guard::Bounds, Effect::AtMost(_)) => match self.terms.grant {
                    Some(grant) => write!(f, "; wants {}, {}", self.before_bounds(), Granted(grant))?,
                    None => write!(f, "; max {} binds", self.terms.max)?,
                },
                (Guard::Bounds, Effect::AtLeast(_)) => write!(f, "; min {} binds", self.terms.min)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// The count that would be if there were no bounds.
    fn before_bounds(&self) -> u32 {
        self.stages.iter().rev().find(|stage| stage.guard != Guard::Bounds).map_or(self.proposed, |stage| stage.count)
    }

    /// What a guard did.
    fn effect(&self, guard: Guard) -> Effect {
        self.stages.iter().find(|stage| stage.guard == guard).map_or(Effect::Pass, |stage| stage.effect)
    }

    fn hold(&self, f: &mut Formatter<'_>) -> fmt::Result {
        // At zero the requests that wait have a say of their own.
        let wakes = self.stages.iter().find(|stage| stage.guard == Guard::ZeroGate && self.count == 0);
        let wants = wakes.map_or(self.proposed, |stage| stage.count.max(self.proposed));
        if wants == self.count {
            write!(f, "{}: ", self.count)?;
            self.reason(f)?;
        } else {
            write!(f, "held at {} by ", self.count)?;
            match self.bound {
                Reason::Guard(Guard::Freshness) => match self.settling_until {
                    Some(until) => {
                        let left = Human(until.since(self.at));
                        write!(f, "freshness (the window since the start is full in {left})")?;
                    }
                    None => f.write_str("freshness (a signal is missing or stale)")?,
                },
                Reason::Guard(Guard::Surplus) => f.write_str("the idle workers beside the queue")?,
                Reason::Guard(Guard::Mode) => write!(f, "the mode {}", self.terms.mode)?,
                Reason::Guard(Guard::ZeroGate) => f.write_str("the to-zero delay")?,
                Reason::Guard(Guard::Tolerance) => f.write_str("the tolerance")?,
                Reason::Guard(Guard::UpDelay) => f.write_str("the up delay")?,
                Reason::Guard(Guard::DownDelay) => f.write_str("the down delay")?,
                Reason::Guard(Guard::StepLimit) => f.write_str("the step limit")?,
                Reason::Guard(Guard::IdleTimeout) => f.write_str("the idle timeout")?,
                Reason::Guard(Guard::Bounds) => match (self.effect(Guard::Bounds), self.terms.grant) {
                    (Effect::AtMost(_), Some(grant)) => write!(f, "the budget; {}", Granted(grant))?,
                    (Effect::AtMost(_), None) => write!(f, "max {}", self.terms.max)?,
                    _ => write!(f, "min {}", self.terms.min)?,
                },
                Reason::Policy(_) | Reason::Adopted | Reason::Vanished => f.write_str("the policies")?,
            }
            if let Some(outlook) = self.outlook {
                write!(f, " until +{}", Human(outlook.at.since(self.at)))?;
            }
            write!(f, "; wants {wants}: ")?;
            return if self.count == 0 && self.signals.backlog > 0 { self.waiting(f) } else { self.reason(f) };
        }
        if let Some(outlook) = self.outlook {
            write!(f, "; {} in {}", Goes(outlook.count), Human(outlook.at.since(self.at)))?;
            f.write_str(if outlook.count == 0 { " unless a request comes" } else { "" })?;
        }
        Ok(())
    }

    fn waiting(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.signals.backlog {
            1 => f.write_str("1 request waits and there is no worker"),
            n => write!(f, "{n} requests wait and there is no worker"),
        }
    }

    /// Why the policies want what they want.
    fn reason(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Some(proposal) = self.deciding() else { return f.write_str("no policy has a say") };
        match (proposal.because, self.terms.policy) {
            (Because::Fixed, _) => write!(f, "fixed at {}", proposal.want),
            (Because::Proposed, _) => write!(f, "{} proposed from outside", proposal.want),
            (Because::NoProposal, _) => f.write_str("no proposal from outside stands"),
            (Because::Quiet, _) => write!(f, "no request for {}", human(self.terms.to_zero_delay)),
            (Because::Missing, _) if proposal.source != Source::Buffer || proposal.want <= self.count => {
                self.missing(f, proposal.source)
            }
            (Because::Buffer | Because::Missing, _) => {
                write!(f, "{} in the system and a buffer want {}", self.in_system(), proposal.want)
            }
            (Because::QueueDelay, policy) => self.queue_delay(f, proposal, policy),
            (Because::QueueWithinDelay, _) => {
                write!(f, "nobody waits too long; {} in the system", self.in_system())
            }
            (Because::RequestCount, policy) => self.request_count(f, proposal, policy),
            (Because::Overloaded, _) => {
                f.write_str("CoDel finds a standing queue")?;
                self.sojourn(f)?;
                write!(f, "; wants {}", proposal.want)
            }
            (
                Because::Headroom
                | Because::Reserve
                | Because::PriceCap
                | Because::Peak
                | Because::Drain
                | Because::Hold
                | Because::Lull
                | Because::LastWorker
                | Because::Prewarm
                | Because::Learning,
                policy,
            ) => self.objective(f, proposal, policy),
            (because, policy) => self.rate(f, proposal, because, policy),
        }
    }

    fn rate(&self, f: &mut Formatter<'_>, p: &Proposal, because: Because, policy: Option<Policy>) -> fmt::Result {
        match self.signals.arrival_rate {
            Some(rate) => write!(f, "{rate} req/s")?,
            None => f.write_str("unknown rate")?,
        }
        if let Some(Policy::Outpost(outpost)) = policy {
            write!(f, " at {} per replica", outpost.target_qps_per_replica)?;
        }
        match because {
            Because::RateAboveTarget => write!(f, " wants {}", p.want)?,
            Because::SojournCalm => f.write_str(" is above target, but the sojourn is not rising")?,
            Because::RateWellBelow if p.keep == 0 => return f.write_str(" needs none"),
            Because::RateWellBelow => write!(f, " needs no more than {}", p.keep)?,
            Because::SojournNotMinimal => f.write_str(" needs no more, but the sojourn is not minimal")?,
            _ => f.write_str(" fits")?,
        }
        self.sojourn(f)
    }

    /// `; sojourn p99 340 ms > 100 ms for 31 s`
    fn sojourn(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let target = human(self.terms.sojourn_target);
        match (self.signals.sojourn_p99, self.signals.oldest_age) {
            (Some(p99), _) if self.signals.sojourn_over_target == Some(true) => {
                write!(f, "; sojourn p99 {} > {target}", human(p99))?;
                match self.signals.over_target_since {
                    Some(since) if since < self.at => write!(f, " for {}", Human(self.at.since(since))),
                    _ => Ok(()),
                }
            }
            (_, Some(age)) if !age.is_zero() => write!(f, "; oldest waits {}", human(age)),
            (Some(Duration::ZERO), _) => f.write_str("; nobody waits"),
            (Some(p99), _) => write!(f, "; sojourn p99 {} ≤ {target}", human(p99)),
            (None, _) => Ok(()),
        }
    }

    /// Names what the deciding policy needs and does not have.
    fn missing(&self, f: &mut Formatter<'_>, source: Source) -> fmt::Result {
        let signals = &self.signals;
        let known = signals.arrival_rate.is_some() || signals.queue_depth.is_some() || signals.in_flight.is_some();
        if !known && !signals.stale && signals.sojourn_over_target.is_none() {
            return f.write_str("nothing observed yet");
        }
        let needed = match source {
            Source::Outpost => {
                [("arrival rate", signals.arrival_rate.is_none()), ("sojourn", signals.sojourn_over_target.is_none())]
            }
            _ => [("queue depth", signals.queue_depth.is_none()), ("in flight", signals.in_flight.is_none())],
        };
        if needed.iter().all(|(_, missing)| !missing) {
            return f.write_str("less than a window of arrivals seen");
        }
        f.write_str(if signals.stale { "stale or missing:" } else { "missing:" })?;
        for (position, (name, _)) in needed.iter().filter(|(_, missing)| *missing).enumerate() {
            write!(f, "{}{name}", if position == 0 { " " } else { ", " })?;
        }
        Ok(())
    }

    fn queue_delay(&self, f: &mut Formatter<'_>, p: &Proposal, policy: Option<Policy>) -> fmt::Result {
        f.write_str("a request has waited")?;
        let delay = match policy {
            Some(Policy::RunPod(RunPod { scaling: RunPodScaling::QueueDelay(delay), .. })) => delay,
            _ => Duration::ZERO,
        };
        // A wait that has only just become too long reads best without its own figure.
        let wait = self.signals.oldest_age.max(self.signals.last_wait).unwrap_or_default();
        if wait.as_millis() > delay.as_millis() {
            write!(f, " {},", human(wait))?;
        }
        write!(f, " longer than {}; wants {}", human(delay), p.want)
    }

    fn request_count(&self, f: &mut Formatter<'_>, p: &Proposal, policy: Option<Policy>) -> fmt::Result {
        write!(f, "{} in the system", self.in_system())?;
        match policy {
            Some(Policy::RunPod(runpod)) => {
                if let RunPodScaling::RequestCount(per_worker) = runpod.scaling {
                    write!(f, " at {per_worker} per worker")?;
                }
            }
            Some(Policy::Concurrency(target)) => write!(f, " at {} per worker", target.target())?,
            _ => {}
        }
        write!(f, " wants {}", p.want)
    }

    /// `6.2 busy slots expected in 31 s and 4.1 more for 99 % in time want 11`
    fn objective(&self, f: &mut Formatter<'_>, p: &Proposal, policy: Option<Policy>) -> fmt::Result {
        let Some(plan) = self.signals.plan else { return f.write_str("no plan yet") };
        if plan.completions < LEARNED {
            write!(f, "learning: {} of {LEARNED} completions; ", plan.completions)?;
        }
        match (p.because, p.want) {
            (Because::LastWorker, 0) => return f.write_str("nobody came for longer than a worker is worth keeping"),
            (Because::LastWorker, _) => return f.write_str("the last worker stays for who may come soon"),
            (Because::Prewarm, want) => {
                return write!(f, "requests come again after such a silence: {want} ready for them");
            }
            (Because::Drain, want) => {
                return write!(f, "{} wait and would make later ones late; {want} work that off", self.signals.backlog);
            }
            _ => {}
        }
        write!(
            f,
            "{} busy slots expected in {}",
            Slots(plan.forecast_millis),
            human(Duration::from_millis(plan.lead_millis.into()))
        )?;
        if p.because == Because::Peak {
            f.write_str(", no more than the highest of late")?;
        } else {
            match p.because {
                Because::Reserve => write!(f, " and a standing reserve of {}", Slots(plan.headroom_millis))?,
                _ => write!(f, " and {} more", Slots(plan.headroom_millis))?,
            }
            if plan.queue_millis > 0 {
                write!(f, ", of which {} may wait,", Slots(plan.queue_millis))?;
            }
            match policy {
                Some(Policy::Objective(Objective { goal: Goal::ShareUpTo { share, price }, .. }))
                    if p.because == Because::PriceCap =>
                {
                    write!(f, " for {price} worker-seconds per late request, too little for {share} in time,")?;
                }
                Some(Policy::Objective(Objective {
                    goal: Goal::Share(share) | Goal::ShareUpTo { share, .. }, ..
                })) => {
                    write!(f, " for {share} in time")?;
                }
                Some(Policy::Objective(Objective { goal: Goal::Price(price), .. })) => {
                    write!(f, " at {price} worker-seconds per late request")?;
                }
                _ => {}
            }
        }
        match p.because {
            Because::Hold => write!(f, "; {} wanted within a cold start", p.want),
            Because::Lull => write!(f, "; {} wanted within a minute, and fewer only by chance", p.want),
            _ => write!(f, " want {}", p.want),
        }
    }

    fn in_system(&self) -> u64 {
        self.signals.queue_depth.unwrap_or(0).saturating_add(self.signals.in_flight.unwrap_or(0))
    }
}

/// Thousandths of a slot, to a tenth.
struct Slots(u32);

impl Display for Slots {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let tenths = self.0.saturating_add(50) / 100;
        write!(f, "{}.{}", tenths / 10, tenths % 10)
    }
}

/// `granted 5: budget of 64 shared with 11 others`
struct Granted(Grant);

impl Display for Granted {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Grant { workers, budget, others } = self.0;
        write!(f, "granted {workers}: budget of {budget}")?;
        match others {
            0 => Ok(()),
            1 => f.write_str(" shared with another"),
            _ => write!(f, " shared with {others} others"),
        }
    }
}

struct Goes(u32);

impl Display for Goes {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.0 == 0 { f.write_str("to zero") } else { write!(f, "to {}", self.0) }
    }
}

const fn human(duration: Duration) -> Human {
    Human(nanos(duration))
}

#[cfg(test)]
mod tests;
