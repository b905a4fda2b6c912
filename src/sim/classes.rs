//! Classes of workers: different machines for one service, each with its speed, its price and how many there are.

use core::time::Duration;
use std::string::String;
use std::vec;
use std::vec::Vec;

use serde::{Deserialize, Serialize};

use super::options::Options;
use super::outcome::Failures;
use super::starts::spans;
use crate::classes::{self, ClassId, Settings};
use crate::observation::FailureCause;
use crate::time::{Timestamp, optional_span, span};

/// Machines of one kind.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Class {
    /// What it is called, for people.
    pub name: String,
    /// Service times are divided by this.
    pub speed: f64,
    /// The price of one worker for an hour.
    pub price_per_hour: f64,
    /// At most so many at once, standby ones included; what is ordered beyond goes to the next class in the list.
    pub limit: u32,
    /// As [`Spot::mean_life`].
    #[serde(with = "span")]
    pub mean_life: Duration,
    /// Requests that one worker serves at once; absent, as many as one of the service. Zero counts as one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slots: Option<u32>,
    /// From order to readiness; absent, as [`Options::cold_start`]. Spread, failures and slow starts are those of all.
    #[serde(with = "optional_span", skip_serializing_if = "Option::is_none")]
    pub cold_start: Option<Duration>,
    /// How the limit changes in the course of the run, in any order. Workers that are there stay.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stock: Vec<Stock>,
    /// When all its workers but those in standby are taken back at once, without a notice.
    #[serde(with = "spans", skip_serializing_if = "Vec::is_empty")]
    pub taken_back: Vec<Duration>,
}

/// From when on there may be how many at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "when and how many is all there is to it")]
pub struct Stock {
    /// Measured from the start of the run.
    #[serde(with = "span")]
    pub from: Duration,
    /// As [`Class::limit`], in its place.
    pub limit: u32,
}

impl Default for Class {
    /// The usual speed at a price of one, as many as are wanted, never preempted, started as any other.
    fn default() -> Self {
        Self {
            name: String::new(),
            speed: 1.0,
            price_per_hour: 1.0,
            limit: u32::MAX,
            mean_life: Duration::ZERO,
            slots: None,
            cold_start: None,
            stock: Vec::new(),
            taken_back: Vec::new(),
        }
    }
}

/// Machines that their provider takes back; by default it never does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Spot {
    /// How long a worker is left alone on average, exponentially distributed and not less than a second, counted from
    /// its order or revival. Zero: for ever. Of no effect where [`Options::classes`] say it themselves.
    #[serde(with = "span")]
    pub mean_life: Duration,
    /// How long before its end it is told to finish, takes no more requests, and cannot be brought back. 30 s to 2 min
    /// with the great clouds; zero by default, as where a machine is simply gone.
    #[serde(with = "span")]
    pub notice: Duration,
}

impl Class {
    /// Machines that are what a pool's settings take them for: at their price and with their cold start, with as many slots,
    /// as fast as their capacity (or the prior) says with those, and as many as are asked for, since it is the pool that keeps
    /// the limit.
    #[must_use]
    #[expect(clippy::float_arithmetic, reason = "a speed is a real number")]
    pub fn of(settings: &Settings) -> Vec<Self> {
        let concurrency = settings.service().concurrency();
        let class = |class: &classes::Class| {
            let capacity = class.capacity.or(class.prior).unwrap_or(classes::Capacity::ONE).as_f64();
            let slots = class.slots.unwrap_or(concurrency);
            Self {
                name: class.name.clone(),
                speed: if slots == concurrency {
                    capacity
                } else {
                    capacity * f64::from(concurrency) / f64::from(slots)
                },
                price_per_hour: class.price.as_f64(),
                slots: class.slots,
                cold_start: class.cold_start,
                ..Self::default()
            }
        };
        settings.classes().iter().map(class).collect()
    }

    /// How many there may be at `now`.
    fn limit_at(&self, now: Timestamp) -> u32 {
        let begun = self.stock.iter().filter(|stock| Timestamp::from_elapsed(stock.from) <= now);
        begun.max_by_key(|stock| stock.from).map_or(self.limit, |stock| stock.limit)
    }
}

/// Which class a new worker gets, and how many there are of each.
#[derive(Debug)]
pub(super) struct Classes {
    list: Vec<Class>,
    present: Vec<u32>,
    /// Cold starts, those into standby not counted.
    started: Vec<u64>,
    failures: Vec<Failures>,
}

impl Classes {
    pub(super) fn new(options: &Options) -> Self {
        let mut list = options.classes.clone();
        // As many as a worker's record can tell apart.
        list.truncate(MOST);
        if list.is_empty() {
            list.push(Class { mean_life: options.spot.mean_life, ..Class::default() });
        }
        let (present, started, failures) =
            (vec![0; list.len()], vec![0; list.len()], vec![Failures::default(); list.len()]);
        Self { list, present, started, failures }
    }

    /// The class of which one more is to be had: the one that is asked for, or else the first.
    pub(super) fn open(&self, now: Timestamp, asked: Option<ClassId>) -> Option<u8> {
        let mut all = (0..=u8::MAX).zip(self.list.iter().zip(&self.present));
        let is_asked = |at: u8| asked.is_none_or(|asked| asked.0 == at);
        all.find(|(at, (class, present))| is_asked(*at) && **present < class.limit_at(now)).map(|(at, _)| at)
    }

    /// One more is there.
    pub(super) fn take(&mut self, class: u8, cold: bool) {
        let class = usize::from(class);
        if let Some(present) = self.present.get_mut(class) {
            *present = present.saturating_add(1);
        }
        if let Some(started) = self.started.get_mut(class) {
            *started = started.saturating_add(u64::from(cold));
        }
    }

    /// Some were refused or have failed.
    pub(super) fn failed(&mut self, class: u8, cause: FailureCause, count: u32) {
        if let Some(failures) = self.failures.get_mut(usize::from(class)) {
            failures.count(cause, count);
        }
    }

    /// Cold starts and failures, by class.
    pub(super) fn account(self) -> impl Iterator<Item = (String, u64, Failures)> {
        self.list
            .into_iter()
            .zip(self.started)
            .zip(self.failures)
            .map(|((class, started), failures)| (class.name, started, failures))
    }

    /// When all workers of a class are taken back.
    pub(super) fn taken_back(&self) -> impl Iterator<Item = (u8, Duration)> + use<'_> {
        let each = (0..=u8::MAX).zip(&self.list);
        each.flat_map(|(at, class)| class.taken_back.iter().map(move |when| (at, *when)))
    }

    /// Of its own, if it has one.
    pub(super) fn cold_start(&self, class: u8) -> Option<Duration> {
        self.list.get(usize::from(class)).and_then(|class| class.cold_start)
    }

    /// One is gone.
    pub(super) fn give_back(&mut self, class: u8) {
        if let Some(present) = self.present.get_mut(usize::from(class)) {
            *present = present.saturating_sub(1);
        }
    }

    /// Requests that a worker of each class serves at once, by default so many.
    pub(super) fn slots(&self, usual: u32) -> Vec<u32> {
        self.list.iter().map(|class| class.slots.unwrap_or(usual).max(1)).collect()
    }

    pub(super) fn speed(&self, class: u8) -> f64 {
        self.list.get(usize::from(class)).map_or(1.0, |class| class.speed)
    }

    pub(super) fn mean_life(&self, class: u8) -> Duration {
        self.list.get(usize::from(class)).map_or(Duration::ZERO, |class| class.mean_life)
    }
}

/// The most classes there may be.
pub(super) const MOST: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_worker_is_of_the_first_class_that_has_one() {
        let class = |name: &str, limit| Class { name: name.into(), limit, ..Class::default() };
        let options = Options { classes: vec![class("owned", 2), class("rented", 1)], ..Options::default() };
        let mut classes = Classes::new(&options);
        let take = |classes: &mut Classes, asked: Option<u8>| {
            let open = classes.open(Timestamp::ORIGIN, asked.map(ClassId));
            open.inspect(|class| classes.take(*class, true))
        };
        assert_eq!([(); 4].map(|()| take(&mut classes, None)), [Some(0), Some(0), Some(1), None]);
        classes.give_back(0);
        assert_eq!([(); 2].map(|()| take(&mut classes, None)), [Some(0), None]);
        classes.give_back(0);
        assert_eq!([1, 0, 0, 2].map(|asked| take(&mut classes, Some(asked))), [None, Some(0), None, None]);
        let mut one = Classes::new(&Options::default());
        assert_eq!([(); 2].map(|()| take(&mut one, None)), [Some(0), Some(0)]);
    }

    #[test]
    fn the_latest_stock_that_has_begun_is_the_limit() {
        let at = |secs| Stock { from: Duration::from_secs(secs), limit: 9 };
        let class = Class { limit: 5, stock: vec![at(30), Stock { limit: 0, ..at(10) }], ..Class::default() };
        assert_eq!([0, 9, 10, 29, 30, 99].map(|secs| class.limit_at(Timestamp::from_secs(secs))), [5, 5, 0, 0, 9, 9]);
    }
}
