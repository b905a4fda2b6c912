//! Classes of workers: different machines for one service, each with its speed, its price and how many there are.

use core::time::Duration;
use std::string::String;
use std::vec;
use std::vec::Vec;

use serde::{Deserialize, Serialize};

use super::options::Options;
use crate::time::span;

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
}

impl Default for Class {
    /// The usual speed at a price of one, as many as are wanted, never preempted.
    fn default() -> Self {
        Self { name: String::new(), speed: 1.0, price_per_hour: 1.0, limit: u32::MAX, mean_life: Duration::ZERO }
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

/// Which class a new worker gets, and how many there are of each.
#[derive(Debug)]
pub(super) struct Classes {
    list: Vec<Class>,
    present: Vec<u32>,
}

impl Classes {
    pub(super) fn new(options: &Options) -> Self {
        let mut list = options.classes.clone();
        // As many as a worker's record can tell apart.
        list.truncate(MOST);
        if list.is_empty() {
            list.push(Class { mean_life: options.spot.mean_life, ..Class::default() });
        }
        Self { present: vec![0; list.len()], list }
    }

    /// One more of the first class that has one.
    pub(super) fn take(&mut self) -> Option<u8> {
        let mut open = self.list.iter().zip(&mut self.present).enumerate();
        let (at, (_, present)) = open.find(|(_, (class, present))| **present < class.limit)?;
        *present = present.saturating_add(1);
        u8::try_from(at).ok()
    }

    /// One is gone.
    pub(super) fn give_back(&mut self, class: u8) {
        if let Some(present) = self.present.get_mut(usize::from(class)) {
            *present = present.saturating_sub(1);
        }
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
        assert_eq!([(); 4].map(|()| classes.take()), [Some(0), Some(0), Some(1), None]);
        classes.give_back(0);
        assert_eq!([(); 2].map(|()| classes.take()), [Some(0), None]);
        let mut one = Classes::new(&Options::default());
        assert_eq!((one.take(), one.take()), (Some(0), Some(0)));
    }
}
