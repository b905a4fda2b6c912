//! What the service is learned to do, for [objectives](crate::policy::Objective): its service time, its demand and rates,
//! how far they stray from their forecast, what was late, and how long nobody comes.
//!
//! It looks at the service at ticks, of a second or a little more, and sleeps while there is nothing to look at. A service
//! that was seen for a minute has a plan that can be used, from priors that are said beside each part; all are forgotten
//! by a twelfth every hour, so that half of what is known is of the last eight hours.

mod draft;
mod errors;
mod gaps;
mod hold;
mod last;
mod learned;
mod ledger;
mod outlook;
mod past;
mod scrapes;
mod silence;
mod strays;
mod surges;
mod told;
mod traffic;

use serde::{Deserialize, Serialize};

use self::gaps::Gaps;
use self::hold::Hold;
pub use self::learned::Learned;
use self::ledger::Ledger;
use self::past::{Made, Past, SPACING};
use self::scrapes::Scrapes;
use self::silence::Keep;
use self::strays::Strays;
use self::surges::Surges;
use self::told::Told;
use self::traffic::{Demand, Traffic};
use crate::fixed::ratio;
use crate::policy::{Because, Circumstances, Draft, LEARNED, Objective, Plan, Spread, deviation, forecast};
use crate::time::{Timestamp, nanos};
use crate::units::MICRO;

const SECOND: u64 = 1_000_000_000;
const HOUR: u64 = 3_600 * SECOND;
/// A tick is a second, the pace of a cautious control loop, or a 64th of the longest time that matters.
const TICK: u64 = SECOND;
const TICKS: u64 = 64;
/// Without a request a tick may be so small a part of the time since the last.
const PAUSES: u64 = 8;
/// A service time is the mean of the first 333, then moves by 0.3 % with each.
const MEAN_OF: u64 = 333;
/// Before so many were measured, at which the error of the mean is below a quarter of the deviation, it is not relied on.
const HANDFUL: u32 = 20;
/// Before one was measured: a second of service, half a minute of cold start.
const SERVICE: u64 = SECOND;
const COLD_START: u64 = 30 * SECOND;
const FORSAKEN: u64 = nanos(Objective::LONGEST_KEEP);
/// Hours after which next to nothing is remembered: by the hundredth a five-thousandth is left.
const FORGOTTEN: u64 = 100;

/// What is known of the pool and the queue at a tick.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct View {
    pub(super) requests: u64,
    pub(super) waiting: u64,
    /// How long the oldest has waited, in nanoseconds.
    pub(super) oldest: u64,
    pub(super) ready: u32,
    pub(super) starting: u32,
    pub(super) concurrency: u32,
    /// The slow end of measured cold starts, in nanoseconds; zero before one was.
    pub(super) cold_start: u64,
    pub(super) last_activity: Timestamp,
    /// A queue stands, as `CoDel` has it.
    pub(super) overloaded: bool,
}

/// All that is learned of one service.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub(super) struct Forecast {
    /// The next tick, or while it sleeps the end of the last worker's time.
    next: Option<Timestamp>,
    /// There is nothing to look at until a request comes.
    resting: bool,
    /// For how long it slept since the last tick, in nanoseconds.
    slept: u64,
    /// The last one, and the first.
    last: Timestamp,
    began: Option<Timestamp>,
    /// When something was last forgotten.
    faded: Timestamp,
    /// Mean service time in nanoseconds, and how many it was learned from.
    service: u64,
    completions: u32,
    traffic: Traffic,
    past: Past,
    surges: Surges,
    strays: Strays,
    /// The highest demand of late, in millionths.
    highest: u64,
    /// Since when a queue stands.
    standing: Option<Timestamp>,
    ledger: Ledger,
    gaps: Gaps,
    /// Requests that came after a silence, and until when they would have been late without a worker.
    woke: Option<(u32, Timestamp)>,
    told: Told,
    scrapes: Scrapes,
    hold: Hold,
    lull: Hold,
    plan: Plan,
}

impl Forecast {
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            next: None,
            resting: true,
            slept: 0,
            last: now,
            began: None,
            faded: now,
            service: SERVICE,
            completions: 0,
            traffic: Traffic::default(),
            past: Past::default(),
            surges: Surges::default(),
            strays: Strays::new(),
            highest: 0,
            standing: None,
            ledger: Ledger::new(now),
            gaps: Gaps::default(),
            woke: None,
            told: Told::default(),
            scrapes: Scrapes::default(),
            hold: Hold::new(now),
            lull: Hold::new(now),
            plan: Plan {
                workers: 0,
                because: Because::Headroom,
                forecast_millis: 0,
                headroom_millis: 0,
                queue_millis: 0,
                lead_millis: 0,
                completions: 0,
            },
        }
    }

    pub(super) const fn plan(&self) -> Plan {
        self.plan
    }

    pub(super) const fn next(&self) -> Option<Timestamp> {
        self.next
    }

    /// So many requests arrived; with them there are `requests`. Before that nobody was there `since` an instant, if so.
    pub(super) fn arrived(&mut self, now: Timestamp, count: u32, requests: u64, since: Option<Timestamp>) {
        if count == 0 {
            return;
        }
        self.touched(now);
        if let Some(since) = since.filter(|_| self.began.is_some()) {
            self.gaps.saw(now.since(since));
        }
        self.begin(now);
        self.told.at_once();
        self.wakes(now, count, since.map_or(0, |since| now.since(since)));
        self.traffic.came(count.into(), requests);
        self.ledger.arrived(count.into());
        if since.is_some() {
            self.next = self.next.min(Some(now.plus(TICK)));
        }
    }

    /// Something happens after a while in which nothing did: nothing strayed from its forecast until now.
    fn touched(&mut self, now: Timestamp) {
        if self.resting {
            self.slept = self.slept.saturating_add(now.since(self.last));
            self.count(now);
            (self.next, self.last, self.resting) = (Some(now), now, false);
        }
    }

    /// The first request, if it is.
    const fn begin(&mut self, now: Timestamp) {
        if self.began.is_none() {
            (self.began, self.faded) = (Some(now), now);
        }
    }

    /// Requests took so long on average, in nanoseconds.
    fn serves(&mut self, service: u64, completions: u64) {
        let weight = u64::from(self.completions).clamp(1, MEAN_OF);
        let (up, down) = (service.saturating_sub(self.service), self.service.saturating_sub(service));
        let part = |difference: u64| ratio(difference, completions.min(weight), weight);
        self.service = self.service.saturating_add(part(up)).saturating_sub(part(down)).max(1);
    }

    /// A request started after `wait` nanoseconds, and left the queue empty or not.
    pub(super) fn started(&mut self, now: Timestamp, wait: u64, empty: bool, objective: &Objective) {
        self.touched(now);
        self.scrapes.told();
        let late = wait > objective.patience();
        if wait > self.longest_in_step(objective) {
            self.traffic.strains(now, self.service);
        }
        if let Some(may) = objective.may_be_late() {
            self.ledger.started(now, late, empty, may);
        }
    }

    /// A request finished after `service` nanoseconds of it.
    pub(super) fn finished(&mut self, now: Timestamp, service: u64) {
        self.touched(now);
        self.scrapes.told();
        self.completions = self.completions.saturating_add(1);
        self.serves(service, 1);
    }

    /// A queue in which somebody waits for longer, in nanoseconds, is more than what has come of late.
    fn longest_in_step(&self, objective: &Objective) -> u64 {
        objective.patience().min(self.service)
    }

    fn tick_length(&self, cold_start: u64) -> u64 {
        (self.service.max(cold_start) / TICKS).max(TICK)
    }

    /// Looks at the service, if it is time to.
    pub(super) fn tick(&mut self, now: Timestamp, view: &View, objective: &Objective) {
        if self.next.is_none_or(|next| next > now) {
            return;
        }
        let cold_start = if view.cold_start == 0 { COLD_START } else { view.cold_start };
        let tick = self.tick_length(cold_start);
        self.fade(now);
        self.take_told(now, view, objective);
        // What is seen only now and then is as old as that before it is acted upon.
        let look = tick.max(self.told.period());
        let lead = cold_start.saturating_add(look).saturating_sub(objective.patience());
        let elapsed = now.since(self.last);
        let arrived = self.count(now);
        if view.waiting > 0 && view.oldest > self.longest_in_step(objective) {
            self.traffic.strains(now, self.service);
        }
        let Demand { now: demand, mean, most } = self.traffic.demand(now, view.requests);
        self.highest = self.highest.max(most);
        let rates = self.rates(now);
        let mut known = Circumstances {
            demand,
            rate: rates[0],
            coming: self.coming(rates),
            service: self.service,
            measured: self.completions >= HANDFUL,
            lead,
            highest: self.highest,
            caution: objective.may_be_late().map_or(0, |may| self.ledger.caution(may)),
            concurrency: view.concurrency,
            ready: view.ready,
            starting: view.starting,
            waiting: view.waiting,
            spread: Spread::Roots,
        };
        // An objective is a share of requests, and counts what they saw; a price is paid by the second.
        let seen = match objective.may_be_late() {
            Some(_) => [(most, arrived.min(1)), (mean, arrived.saturating_sub(1))],
            None => [(mean, elapsed / SECOND), (mean, 0)],
        };
        if objective.may_be_late().is_none() {
            self.strays.slept(core::mem::take(&mut self.slept) / SECOND);
        }
        // What gathers before the first worker is there is no demand that any forecast could be held to.
        if known.measured || view.ready > 0 {
            // Where there is time to wait for a start, what is needed now is all there is to forecast.
            self.past.remember(Made { at: now, demand, rates, arrivals: self.traffic.arrivals() }, lead);
            for (demand, weight) in seen {
                self.judge(now, &known, demand, weight);
            }
            self.follow(now, lead);
        }
        known.highest = self.highest;
        self.strays.expected(forecast(&known, known.demand, known.coming), elapsed);
        known.spread = self.strays.cheapest(objective.allowance(&known));
        let Draft { forecast, headroom, queue, workers: planned, because } = self.draft(&known, objective);
        // A queue that has stood for a lead while nothing is on its way says that the model is wrong.
        let alarm = view.ready.saturating_add(view.ready.div_ceil(10));
        self.standing = view.overloaded.then(|| self.standing.unwrap_or(now));
        let stands = self.standing.is_some_and(|since| now.since(since) >= lead);
        let alarmed = stands && view.starting == 0 && alarm > planned;
        let (planned, because) = if alarmed { (alarm, Because::Overloaded) } else { (planned, because) };
        let held = self.hold.highest(now, planned, cold_start.saturating_add(look));
        let because = if held > planned { Because::Hold } else { because };
        let slots = u64::from(view.concurrency).saturating_mul(MICRO);
        let chance = (deviation(forecast) / 2).checked_div(slots).map_or(0, capped);
        let steady = self.lull.steadied(now, held, self.plan.workers, chance);
        let (held, because) = if steady > held { (steady, Because::Lull) } else { (held, because) };
        let kept = self.keeps_last(now, view, objective, cold_start, held);
        let (workers, because) = match kept {
            Some(Keep::Again(_)) => (held.max(1), Because::Prewarm),
            Some(Keep::Until(_)) if held <= 1 => (1, Because::LastWorker),
            Some(Keep::Gone(_)) => (0, Because::LastWorker),
            _ => (held, because),
        };
        let silent = matches!(because, Because::LastWorker | Because::Prewarm);
        let because = if self.completions < LEARNED && workers > 0 && !silent { Because::Learning } else { because };
        self.plan = Plan {
            workers,
            because,
            forecast_millis: capped(forecast / 1_000),
            headroom_millis: capped(headroom / 1_000),
            queue_millis: capped(queue / 1_000),
            lead_millis: capped(lead / 1_000_000),
            completions: self.completions,
        };
        // Where nothing happens demand only fades, ever more slowly.
        let silence = now.since(view.last_activity);
        let pause = tick.max(silence / PAUSES);
        let gone = view.requests == 0 && !self.told.is_coming();
        let faded = gone && self.traffic.is_faded();
        let still = (faded || silence > FORSAKEN) && held == planned;
        if faded {
            self.traffic.forget();
        }
        self.resting = still || pause > tick;
        let pause = (!still).then_some(now.plus(pause));
        let until = kept.map(|kept| view.last_activity.plus(kept.until()));
        self.next = until.filter(|until| *until < Timestamp::MAX).into_iter().chain(pause).min();
        self.last = now;
    }

    /// Forgets what is long past.
    fn fade(&mut self, now: Timestamp) {
        let hours = now.since(self.faded) / HOUR;
        for _ in 0..hours.min(FORGOTTEN) {
            self.strays.fade();
            self.surges.fade();
            self.ledger.fade();
            self.gaps.fade();
            self.highest = self.highest.saturating_sub(self.highest / 6);
        }
        self.faded = self.faded.plus(hours.saturating_mul(HOUR));
    }

    /// Takes the arrivals since the last tick into the counts: how many they were.
    fn count(&mut self, now: Timestamp) -> u64 {
        self.traffic.count(now.since(self.last), self.service, self.lead())
    }

    /// Arrivals per second in millionths, the long rate and the short one.
    fn rates(&self, now: Timestamp) -> [u64; 2] {
        let age = self.began.map_or(0, |began| now.since(began)).saturating_add(TICK);
        self.traffic.rates(age, self.service, self.lead())
    }

    /// How far ahead the last plan looked, in nanoseconds.
    fn lead(&self) -> u64 {
        u64::from(self.plan.lead_millis).saturating_mul(1_000_000)
    }

    /// Arrivals per second that are expected over the next lead, in millionths.
    fn coming(&self, rates: [u64; 2]) -> u64 {
        self.surges.coming(rates, traffic::short(self.service))
    }

    /// Compares demand with what was forecast a lead ago.
    fn judge(&mut self, now: Timestamp, known: &Circumstances, demand: u64, weight: u64) {
        let Some(past) = self.past.due(now, known.lead) else { return };
        self.strays.saw(forecast(known, past.demand, self.coming(past.rates)), demand, weight);
    }

    /// Learns how much stayed of the surge that there was a lead ago.
    fn follow(&mut self, now: Timestamp, lead: u64) {
        let Some(past) = self.past.due(now, lead).filter(|past| past.at < now) else { return };
        let came = self.traffic.arrivals().saturating_sub(past.arrivals).saturating_mul(MICRO);
        self.surges.saw(past.rates, traffic::short(self.service), ratio(came, SECOND, now.since(past.at).max(1)));
    }
}

fn capped(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod traps;
