//! What the platform tells of requests: events, scraped gauges or reports, complete and in time or not.

mod gauges;

use core::time::Duration;
use std::boxed::Box;
use std::collections::BTreeMap;
use std::vec::Vec;

use serde::{Deserialize, Serialize};

use self::gauges::Gauges;
use super::chance::Chance;
use super::commands::{Commands, Decided};
use super::controller::{Controller, tell};
use super::options::Options;
use super::outages::{Outages, Timeline};
use crate::classes::ClassId;
use crate::observation::{Observation, WorkerEvent, WorkerId};
use crate::report::Report;
use crate::time::{Timestamp, nanos, span};
use crate::units::Share;

/// What the platform tells of requests, and of how many each worker serves. What becomes of workers is always told at
/// once: platforms have other ways for that. By default every event is told, in time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Metrics {
    /// In which form.
    pub told: Told,
    /// How often gauges are scraped and reports are made; 5 s by default, a usual scrape interval of autoscalers (of
    /// reports see [`Reporter`](crate::report::Reporter)). At least a millisecond.
    #[serde(with = "span")]
    pub every: Duration,
    /// How long what is told takes to arrive. It bears the time at which it was true.
    #[serde(with = "span")]
    pub late: Duration,
    /// By how much longer it takes at the most, each duration as likely as the others: news overtake each other.
    #[serde(with = "span")]
    pub spread: Duration,
    /// This share of the events, scrapes or reports is lost. A scraped counter goes on counting, and the next
    /// difference covers the longer time; a report is sent again a period later, until it arrives.
    pub lost: Share,
    /// Times in which everything is lost.
    pub gaps: Outages,
    /// How many load balancers report; at least one.
    pub observers: u32,
    /// The mean time from the beginning or a restart of a load balancer to its (next) restart, exponentially distributed
    /// and at least a second. What it has counted since its last report is lost. Zero: none restarts.
    #[serde(with = "span")]
    pub restarts: Duration,
}

/// The form in which the platform tells of requests.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Told {
    /// Each arrival, start and end as it happens.
    #[default]
    Events,
    /// Gauges of the queue, of the requests in service and of what each worker serves, and the difference of a counter
    /// of arrivals, scraped now and then.
    Gauges,
    /// Events, and the gauges (without the counter, which would count everything twice) beside them.
    Both,
    /// [Reports](crate::Report) of load balancers, each of what went through it. Autoscalers that take none in see
    /// gauges instead; give them one observer.
    Reports,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            told: Told::Events,
            every: Duration::from_secs(5),
            late: Duration::ZERO,
            spread: Duration::ZERO,
            lost: Share::ZERO,
            gaps: Outages::NONE,
            observers: 1,
            restarts: Duration::ZERO,
        }
    }
}

/// Something that is true of a class, or of the service as a whole.
type Fact = (Option<ClassId>, Observation);

/// What arrives together, or not at all.
#[derive(Debug)]
enum News {
    Told(Vec<Fact>),
    Report(Box<Report>),
}

/// Tells a controller what happens.
#[derive(Debug)]
pub(super) struct Telling<C> {
    inner: C,
    metrics: Metrics,
    late: Chance,
    lost: Chance,
    gaps: Timeline,
    gauges: Gauges,
    /// What each worker serves, where that has changed since the last scrape.
    loads: BTreeMap<WorkerId, (Option<ClassId>, u32)>,
    /// When the next scrape is, if there are any.
    scrape: Option<Timestamp>,
    /// Under way, by when they arrive, with the time at which they were true.
    line: BTreeMap<(Timestamp, u64), (Timestamp, News)>,
    sent: u64,
    /// Reports that have been lost and are sent again.
    unsent: Vec<Report>,
}

impl<C: Controller> Telling<C> {
    /// A sojourn above `target` counts as too long in reports.
    pub(super) fn new(inner: C, options: &Options, target: Duration) -> Self {
        let (metrics, seed) = (options.metrics, options.seed);
        Self {
            inner,
            metrics,
            late: Chance::of(seed, "metrics.spread"),
            lost: Chance::of(seed, "metrics.lost"),
            gaps: Timeline::new(metrics.gaps, Chance::of(seed, "metrics.gaps")),
            gauges: Gauges::new(metrics, target, seed),
            loads: BTreeMap::new(),
            scrape: (metrics.told != Told::Events).then_some(Timestamp::ORIGIN),
            line: BTreeMap::new(),
            sent: 0,
            unsent: Vec::new(),
        }
    }

    pub(super) fn into_inner(self) -> C {
        self.inner
    }

    const fn tells_events(&self) -> bool {
        matches!(self.metrics.told, Told::Events | Told::Both)
    }

    /// Nothing arrives that is sent now.
    fn is_lost(&mut self, now: Timestamp) -> bool {
        let lost = self.metrics.lost > Share::ZERO && self.lost.millionths() < self.metrics.lost.as_micros();
        self.gaps.until(now).is_some() || lost
    }

    fn send(&mut self, now: Timestamp, news: News) {
        let mut late = nanos(self.metrics.late);
        if !self.metrics.spread.is_zero() {
            late = late.saturating_add(self.late.below(nanos(self.metrics.spread).saturating_add(1)));
        }
        self.sent = self.sent.saturating_add(1);
        self.line.insert((now.plus(late), self.sent), (now, news));
    }

    /// An event, unless it is lost or takes its time.
    fn happened(&mut self, now: Timestamp, fact: Fact) -> bool {
        if self.is_lost(now) {
            return true;
        }
        if self.metrics.late.is_zero() && self.metrics.spread.is_zero() {
            return tell(&mut self.inner, now, fact);
        }
        self.send(now, News::Told([fact].to_vec()));
        true
    }

    fn take_scrape(&mut self, now: Timestamp) {
        let mut told: Vec<_> = core::mem::take(&mut self.loads)
            .into_iter()
            .map(|(id, (class, busy))| {
                let event = if busy == 0 { WorkerEvent::Idle } else { WorkerEvent::Busy(busy) };
                (class, Observation::worker(id, event))
            })
            .collect();
        if self.metrics.told == Told::Reports {
            self.send(now, News::Told(told));
            let mut unsent = core::mem::take(&mut self.unsent);
            unsent.extend(self.gauges.reports(now));
            for report in unsent {
                if self.is_lost(now) {
                    self.unsent.push(report);
                } else {
                    self.send(now, News::Report(Box::new(report)));
                }
            }
        } else if self.is_lost(now) {
            // The next scrape finds all of it.
            let load = |(class, observation)| match observation {
                Observation::Worker { id, event: WorkerEvent::Busy(busy) } => Some((id, (class, busy))),
                Observation::Worker { id, .. } => Some((id, (class, 0))),
                _ => None,
            };
            self.loads.extend(told.into_iter().filter_map(load));
        } else {
            let gauges = self.gauges.scrape(now, self.metrics.told == Told::Gauges);
            told.extend(gauges.into_iter().map(|gauge| (None, gauge)));
            self.send(now, News::Told(told));
        }
    }

    fn hear(&mut self, now: Timestamp, fact: Fact) -> bool {
        let (class, observation) = fact;
        if self.scrape.is_some() {
            self.gauges.observe(now, observation);
        }
        let (load, ends) = match observation {
            Observation::Worker { id, event } => match event {
                WorkerEvent::Busy(busy) => (Some((id, (class, busy))), None),
                WorkerEvent::Idle => (Some((id, (class, 0))), None),
                WorkerEvent::Gone | WorkerEvent::Failed(_) | WorkerEvent::Standby => (None, Some(id)),
                _ => return tell(&mut self.inner, now, fact),
            },
            Observation::StartFailed { .. } => return tell(&mut self.inner, now, fact),
            _ => (None, None),
        };
        if let Some(id) = ends {
            self.loads.remove(&id);
            return tell(&mut self.inner, now, fact);
        }
        if !self.tells_events() {
            self.loads.extend(load);
            return true;
        }
        self.happened(now, fact)
    }

    fn period(&self) -> u64 {
        nanos(self.metrics.every).max(1_000_000)
    }

    /// What has arrived is told, with the time at which it was true.
    fn deliver(&mut self, now: Timestamp) {
        while let Some(arrived) = self.line.first_entry().filter(|entry| entry.key().0 <= now) {
            let (at, news) = arrived.remove();
            match news {
                News::Told(facts) => facts.into_iter().for_each(|fact| {
                    tell(&mut self.inner, at, fact);
                }),
                News::Report(report) => {
                    self.inner.report(now, &report);
                }
            }
        }
    }
}

impl<C: Controller> Controller for Telling<C> {
    fn observe(&mut self, now: Timestamp, observation: Observation) -> bool {
        self.hear(now, (None, observation))
    }

    fn observe_class(&mut self, now: Timestamp, class: ClassId, observation: Observation) -> bool {
        self.hear(now, (Some(class), observation))
    }

    fn report(&mut self, now: Timestamp, report: &Report) -> bool {
        self.inner.report(now, report)
    }

    fn next_wakeup(&self) -> Option<Timestamp> {
        let arrival = self.line.first_key_value().map(|((at, _), _)| *at);
        [arrival, self.scrape, self.inner.next_wakeup()].into_iter().flatten().min()
    }

    fn desired(&self) -> u32 {
        self.inner.desired()
    }

    fn decide(&mut self, now: Timestamp, commands: &mut Commands) -> Option<Decided> {
        if self.scrape.is_some_and(|at| at <= now) {
            self.take_scrape(now);
            self.scrape = Some(now.plus(self.period()));
        }
        self.deliver(now);
        self.inner.decide(now, commands)
    }

    /// What is under way, or found by the next scrape, may make it start one.
    fn may_wake(&self) -> bool {
        self.inner.may_wake() || !self.line.is_empty() || self.scrape.is_some()
    }
}

#[cfg(test)]
mod tests;
