//! Settings as other products have them.

use alloc::vec::Vec;

use super::Capacity;
use super::error::SettingsError;
use super::settings::{Class, Settings};
use crate::config::Config;
use crate::policy::Outpost;
use crate::units::Rate;

impl Settings {
    /// RunPod's multiple GPU types: the classes in this order, each called on for what those before it do not have,
    /// whatever they cost.
    ///
    /// ```
    /// use core::time::Duration;
    /// use plimsoll::classes::{Class, Price, Settings};
    /// use plimsoll::{Config, policy::RunPod};
    ///
    /// let service = Config::runpod(RunPod::request_count(4), 0, 10, Duration::from_secs(30))?;
    /// let gpus = ["L4", "A5000", "RTX 3090"].map(|name| Class::new(name, Price::default(), 10));
    /// let settings = Settings::in_order(service, gpus)?;
    /// assert_eq!(settings.classes()[2].rank, 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Settings::new`].
    pub fn in_order(service: Config, classes: impl IntoIterator<Item = Class>) -> Result<Self, SettingsError> {
        let ranked = classes.into_iter().zip((0..=u8::MAX).chain(core::iter::repeat(u8::MAX)));
        Self::new(service, ranked.map(|(class, rank)| Class { rank, ..class }).collect())
    }

    /// SkyServe's spot replicas: `base` on-demand replicas (`base_ondemand_fallback_replicas`) and the others on spot; with
    /// `dynamic` (`dynamic_ondemand_fallback`) on-demand replicas for as long as spot ones are missing, without it none
    /// beyond the base. As there, fewer are on demand if fewer are wanted at all.
    ///
    /// ```
    /// use plimsoll::classes::{Class, Price, Settings};
    /// use plimsoll::{Config, Rate, policy::Outpost};
    ///
    /// let service = Config::outpost(Outpost::new(Rate::per_second(2.5)?), 1, 8)?;
    /// let (spot, on_demand) = (Class::new("spot", Price::per_hour(1.0)?, 8), Class::new("on demand", Price::per_hour(3.0)?, 8));
    /// let settings = Settings::spot_with_fallback(service, spot, on_demand, 2, true)?;
    /// assert!(settings.stand_ins() && settings.classes()[0].spot);
    /// assert_eq!(settings.classes()[1].floor, 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Settings::new`].
    pub fn spot_with_fallback(
        service: Config,
        spot: Class,
        on_demand: Class,
        base: u32,
        dynamic: bool,
    ) -> Result<Self, SettingsError> {
        let limit = if dynamic { on_demand.limit } else { base.min(on_demand.limit) };
        let mut classes: Vec<Class> = [Class { rank: 0, ..spot.spot() }].into();
        if limit > 0 {
            classes.push(Class { rank: 1, floor: base, limit, ..on_demand });
        }
        Ok(Self::new(service, classes)?.with_stand_ins(dynamic))
    }

    /// SkyServe's `target_qps_per_replica` as a map: a rate for a replica of each class. A reference worker is one of the
    /// first class, `min` and `max` count in those, and the delays are the [Outpost](Config::outpost) defaults.
    ///
    /// ```
    /// use plimsoll::classes::{Class, Price, Settings};
    /// use plimsoll::Rate;
    ///
    /// let of = |name: &str, price, qps| Ok((Class::new(name, Price::per_hour(price)?, 8), Rate::per_second(qps)?));
    /// let rates: Vec<_> = [of("L4", 0.8, 2.5), of("A100", 3.7, 10.0)].into_iter().collect::<Result<_, Box<dyn std::error::Error>>>()?;
    /// let settings = Settings::target_qps(0, 20, rates)?;
    /// assert_eq!(settings.classes()[1].capacity.map(|held| held.to_string()).as_deref(), Some("4"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Settings::new`], and if a rate is zero.
    pub fn target_qps(
        min: u32,
        max: u32,
        rates: impl IntoIterator<Item = (Class, Rate)>,
    ) -> Result<Self, SettingsError> {
        let (mut classes, mut reference) = (Vec::new(), None);
        for (at, (class, rate)) in rates.into_iter().enumerate() {
            if rate == Rate::ZERO {
                let remedy = "benchmark one worker of the class and give the rate it should handle, such as 2.5";
                return Err(SettingsError::Zero { class: at, setting: "target_qps_per_replica", remedy });
            }
            let per_reference = u128::from(reference.get_or_insert(rate).as_micros());
            let thousandths = u128::from(rate.as_micros()).saturating_mul(1_000).checked_div(per_reference);
            let thousandths = u64::try_from(thousandths.unwrap_or(0)).unwrap_or(u64::MAX);
            classes.push(Class { prior: None, ..class.with_capacity(Capacity::from_thousandths(thousandths)) });
        }
        let Some(reference) = reference else { return Self::new(Config::fixed(1)?, classes) };
        Self::new(Config::outpost(Outpost::new(reference), min, max)?, classes)
    }
}
