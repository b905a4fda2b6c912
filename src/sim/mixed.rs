//! A pool of several classes in the simulator.

use std::format;
use std::vec::Vec;

use super::classes::Class;
use super::commands::{Commands, Decided};
use super::controller::Controller;
use super::options::{OptionError, Options};
use super::outcome::Outcome;
use super::simulate::{Link, Service, Watch};
use super::workload::Workload;
use crate::classes::{ClassId, MixedPool, Settings};
use crate::observation::{Observation, WorkerEvent};
use crate::report::Report;
use crate::time::Timestamp;

/// Replays a workload under a [`MixedPool`] and says what happened, by class as well.
///
/// The [`classes`](Options::classes) of the options say what the machines are like: how fast they really are, what they
/// cost, how long they take to start, how many there are and from when to when, and when they are taken back. What the pool
/// takes them for is in its settings. Without any, the machines are what the settings say ([`Class::of`]). The count of the
/// outcome's `scaling_events` and `reversals` is in reference workers. [`Watch::classes`] sees every decision.
///
/// ```
/// use core::time::Duration;
/// use plimsoll::classes::{Class, Price, Settings};
/// use plimsoll::sim::{self, Options, Request, Stock, Workload, simulate_classes};
/// use plimsoll::{Config, Timestamp};
///
/// let request = |s| Request { arrival: Timestamp::from_secs(s), service: Duration::from_secs(1) };
/// let workload = Workload::from_requests("an hour", (0..3_600).map(request).collect())?;
/// let price = |price| Price::per_hour(price);
/// let classes = vec![Class::new("spot", price(1.0)?, 8).spot(), Class::new("on demand", price(3.0)?, 8)];
/// let settings = Settings::new(Config::fixed(2)?, classes)?;
///
/// // Spot is there for the first half.
/// let mut options = Options::default();
/// options.classes = sim::Class::of(&settings);
/// options.classes[0].stock = vec![Stock { from: Duration::from_secs(1_800), limit: 0 }];
/// options.classes[0].taken_back = vec![Duration::from_secs(1_800)];
/// let outcome = simulate_classes(&workload, &settings, &options, &mut ())?;
/// assert_eq!([0, 1].map(|class| outcome.classes[class].replica_hours), [1.0, 1.0]);
/// assert_eq!((outcome.cost, outcome.classes[0].failures.preempted), (4.0, 2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// If the options' classes are not those of the settings, by their names and in their order, or an option makes no sense.
pub fn simulate_classes(
    workload: &Workload,
    settings: &Settings,
    options: &Options,
    watch: &mut dyn Watch,
) -> Result<Outcome, OptionError> {
    let mut options = options.clone();
    if options.classes.is_empty() {
        options.classes = Class::of(settings);
    }
    let names: Vec<&str> = settings.classes().iter().map(|class| class.name.as_str()).collect();
    let given: Vec<&str> = options.classes.iter().map(|class| class.name.as_str()).collect();
    if names != given {
        let rule = "give the classes of the settings, by their names and in their order, or none to take them as they are there";
        return Err(OptionError { option: "classes".into(), value: format!("{given:?}"), rule });
    }
    options.check()?;
    let config = settings.service();
    let target = options.within.unwrap_or(config.sojourn_target());
    let service = Service { concurrency: config.concurrency(), target };
    let link = Link { options: &options, target: config.sojourn_target(), patience: config.order_timeout() };
    let pool = MixedPool::new(settings.clone(), Timestamp::ORIGIN);
    let (mut outcome, mixed) = link.run(workload, service, Mixed { pool, news: None }, watch);
    outcome.events = mixed.pool.events().copied().collect();
    Ok(outcome)
}

/// A pool of several classes, asked again at the instant at which something happened to its workers: what one class refuses
/// another has.
struct Mixed {
    pool: MixedPool,
    /// When something happened since it was asked.
    news: Option<Timestamp>,
}

impl Controller for Mixed {
    fn observe(&mut self, now: Timestamp, observation: Observation) -> bool {
        self.pool.observe(now, observation).is_ok()
    }

    fn observe_class(&mut self, now: Timestamp, class: ClassId, observation: Observation) -> bool {
        let capacity = self.pool.capacity(class);
        let accepted = self.pool.observe_class(now, class, observation).is_ok();
        let load = matches!(
            observation,
            Observation::Finished { .. } | Observation::Worker { event: WorkerEvent::Busy(_) | WorkerEvent::Idle, .. }
        );
        if !load || self.pool.capacity(class) != capacity {
            self.news = Some(now);
        }
        accepted
    }

    fn report(&mut self, now: Timestamp, report: &Report) -> bool {
        self.pool.report(now, report).is_ok()
    }

    fn next_wakeup(&self) -> Option<Timestamp> {
        self.news.into_iter().chain(self.pool.next_wakeup()).min()
    }

    fn desired(&self) -> u32 {
        self.pool.wanted()
    }

    fn decide(&mut self, now: Timestamp, commands: &mut Commands) -> Option<Decided> {
        self.news = None;
        let decision = self.pool.decide(now);
        for given in &decision.commands {
            commands.push_to(given.class, given.command);
        }
        Some(Decided::Classes(decision))
    }
}

#[cfg(test)]
mod tests;
