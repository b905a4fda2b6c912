//! Capacities and prices: read and written as plain numbers, kept as integers.

use core::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::units::{micros_of, to_f64, write_hundredths};

/// What one worker can do, in reference workers: 0.001 to 10,000, held as whole thousandths.
///
/// ```
/// use plimsoll::classes::Capacity;
/// assert_eq!(Capacity::new(2.5).unwrap().to_string(), "2.5");
/// assert!(Capacity::new(0.0).is_err());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Capacity(u32);

/// A number that is no capacity: too small, too large, or not a number.
#[derive(Clone, Copy, PartialEq, Debug, thiserror::Error)]
#[error("{value} is no capacity: give the reference workers that one of the class is worth, between 0.001 and 10000")]
pub struct NotACapacity {
    /// The number as it was given.
    pub value: f64,
}

impl Capacity {
    /// The reference worker itself.
    pub const ONE: Self = Self(super::REFERENCE);
    const MOST: u32 = 10_000_000;

    /// `value` reference workers, rounded to the nearest thousandth.
    ///
    /// # Errors
    /// If `value` is below 0.001 or above 10,000.
    pub fn new(value: f64) -> Result<Self, NotACapacity> {
        let thousandths = micros_of(value).map(|micros| micros.saturating_add(500) / 1_000);
        let thousandths = thousandths.and_then(|thousandths| u32::try_from(thousandths).ok());
        thousandths.filter(|held| (1..=Self::MOST).contains(held)).map(Self).ok_or(NotACapacity { value })
    }

    /// The nearest capacity of so many thousandths.
    #[must_use]
    pub fn from_thousandths(thousandths: u64) -> Self {
        Self(u32::try_from(thousandths).unwrap_or(u32::MAX).clamp(1, Self::MOST))
    }

    /// Thousandths of a reference worker.
    #[must_use]
    pub const fn as_thousandths(self) -> u32 {
        self.0
    }

    /// Reference workers, for display.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        to_f64(u64::from(self.0).saturating_mul(1_000))
    }
}

impl fmt::Display for Capacity {
    /// Reference workers with at most two decimals.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Thousandths(u64::from(self.0)).fmt(f)
    }
}

/// Thousandths, for people.
#[derive(Clone, Copy, Debug)]
pub(super) struct Thousandths(pub(super) u64);

impl fmt::Display for Thousandths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hundredths(f, self.0.saturating_add(5) / 10)
    }
}

impl Serialize for Capacity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        number(u64::from(self.0).saturating_mul(1_000), serializer)
    }
}

impl<'de> Deserialize<'de> for Capacity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(f64::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// What one worker costs for an hour, in whatever currency: 0 to a billion, held as whole millionths.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Price(u64);

/// A number that is no price: negative, not finite, or above a billion.
#[derive(Clone, Copy, PartialEq, Debug, thiserror::Error)]
#[error("{value} is no price: give what one worker costs for an hour, from 0 to 1e9")]
pub struct NotAPrice {
    /// The number as it was given.
    pub value: f64,
}

impl Price {
    /// `value` for an hour, rounded to the nearest millionth.
    ///
    /// # Errors
    /// If `value` is negative, not finite or above a billion.
    pub fn per_hour(value: f64) -> Result<Self, NotAPrice> {
        micros_of(value).map(Self).ok_or(NotAPrice { value })
    }

    /// Millionths for an hour.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// For an hour, for display.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        to_f64(self.0)
    }

    /// So many millionths, as far as they can be held.
    pub(super) fn of(micros: u128) -> Self {
        Self(u64::try_from(micros).unwrap_or(u64::MAX))
    }
}

impl fmt::Display for Price {
    /// With at most two decimals.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hundredths(f, self.0.saturating_add(5_000) / 10_000)
    }
}

impl Serialize for Price {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        number(self.0, serializer)
    }
}

impl<'de> Deserialize<'de> for Price {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::per_hour(f64::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// Whole numbers without a fraction in text.
fn number<S: Serializer>(micros: u64, serializer: S) -> Result<S::Ok, S::Error> {
    if micros % 1_000_000 == 0 && serializer.is_human_readable() {
        serializer.serialize_u64(micros / 1_000_000)
    } else {
        serializer.serialize_f64(to_f64(micros))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_come_back_from_json_as_they_were() {
        for thousandths in [1, 999, 1_000, 2_617, 10_000_000] {
            let text = serde_json::to_string(&Capacity(thousandths)).unwrap();
            assert_eq!(serde_json::from_str::<Capacity>(&text).unwrap(), Capacity(thousandths), "{text}");
        }
        for micros in [0, 1, 2_490_000, 999_999_999_999] {
            let text = serde_json::to_string(&Price(micros)).unwrap();
            assert_eq!(serde_json::from_str::<Price>(&text).unwrap(), Price(micros), "{text}");
        }
    }

    #[test]
    fn what_is_neither_is_refused() {
        for bad in [f64::NAN, f64::INFINITY, -1.0, 0.0, 0.000_4, 10_001.0] {
            assert!(Capacity::new(bad).is_err(), "{bad}");
        }
        for bad in [f64::NAN, f64::INFINITY, -0.1, 1.1e9] {
            assert!(Price::per_hour(bad).is_err(), "{bad}");
        }
        assert_eq!(Capacity::from_thousandths(0).as_thousandths(), 1);
        assert_eq!((Price::per_hour(2.494).unwrap().to_string(), Price::of(u128::MAX).0), ("2.49".into(), u64::MAX));
    }
}
