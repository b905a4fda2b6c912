//! Fixed-point quantities: the only file in which a floating-point number meets the state machine.
//!
//! Rates are kept in millionths of a request per second and shares in millionths, so that state compares, hashes and
//! survives JSON exactly, and every target computes the same bits.
#![expect(
    clippy::float_arithmetic,
    reason = "the door through which floats enter and leave; nothing behind it uses them"
)]

use core::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// One request, in the unit in which request mass and rates are counted.
pub(crate) const MICRO: u64 = 1_000_000;

/// A rate in requests per second, held as whole millionths: 0 to 1 billion requests per second.
///
/// ```
/// use plimsoll::Rate;
/// assert_eq!(Rate::per_second(2.5).unwrap().to_string(), "2.5");
/// assert!(Rate::per_second(f64::NAN).is_err());
/// assert!(Rate::per_second(-1.0).is_err());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Rate(u64);

/// A number that is no rate: negative, not finite, or above a billion requests per second.
#[derive(Clone, Copy, PartialEq, Debug, thiserror::Error)]
#[error("{value} is no rate: give requests per second between 0 and 1e9")]
pub struct NotARate {
    /// The number as it was given.
    pub value: f64,
}

impl Rate {
    /// No requests.
    pub const ZERO: Self = Self(0);
    const MAX_MICROS: u64 = 1_000_000_000_000_000;

    /// `value` requests per second, rounded to the nearest millionth.
    ///
    /// # Errors
    /// If `value` is negative, not finite or above 1e9.
    pub fn per_second(value: f64) -> Result<Self, NotARate> {
        micros_of(value).map(Self).ok_or(NotARate { value })
    }

    /// A rate of so many millionths of a request per second, saturating at a billion requests per second.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        if micros > Self::MAX_MICROS { Self(Self::MAX_MICROS) } else { Self(micros) }
    }

    /// Millionths of a request per second.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// Requests per second, for display.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        to_f64(self.0)
    }
}

impl fmt::Display for Rate {
    /// Requests per second with at most two decimals.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hundredths(f, self.0.saturating_add(5_000) / 10_000)
    }
}

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0 % MICRO == 0 && serializer.is_human_readable() {
            serializer.serialize_u64(self.0 / MICRO)
        } else {
            serializer.serialize_f64(self.as_f64())
        }
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::per_second(f64::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// A share between 0 and 1, held as whole millionths.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Share(u32);

/// A number that is no share: negative, above one or not a number.
#[derive(Clone, Copy, PartialEq, Debug, thiserror::Error)]
#[error("{value} is no share: give a number between 0 and 1, such as 0.1 for 10 %")]
pub struct NotAShare {
    /// The number as it was given.
    pub value: f64,
}

impl Share {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// All of it.
    pub const ONE: Self = Self(1_000_000);
    /// 10 %.
    pub(crate) const TENTH: Self = Self(100_000);
    /// 99 %.
    pub(crate) const NINETY_NINE: Self = Self(990_000);

    /// `value` of one, rounded to the nearest millionth.
    ///
    /// # Errors
    /// If `value` is not between 0 and 1.
    pub fn new(value: f64) -> Result<Self, NotAShare> {
        if (0.0..=1.0).contains(&value) {
            u32::try_from(millionths(value)).map(Self).map_err(|_| NotAShare { value })
        } else {
            Err(NotAShare { value })
        }
    }

    /// `numerator / denominator`, at most one; `None` for an empty denominator.
    pub(crate) fn of(numerator: u64, denominator: u64) -> Option<Self> {
        let parts = u128::from(numerator).saturating_mul(u128::from(MICRO)).checked_div(u128::from(denominator))?;
        Some(Self(u32::try_from(parts).unwrap_or(u32::MAX).min(1_000_000)))
    }

    /// Millionths.
    #[must_use]
    pub const fn as_micros(self) -> u32 {
        self.0
    }

    /// The share as a number between 0 and 1, for display.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        to_f64(u64::from(self.0))
    }

    /// So many millionths, at most all of them.
    pub(crate) fn from_micros(micros: u32) -> Self {
        Self(u32::try_from(MICRO).map_or(micros, |whole| micros.min(whole)))
    }

    /// Whether `part` is at least this share of `whole`.
    pub(crate) fn is_reached(self, part: u32, whole: u32) -> bool {
        u64::from(part).saturating_mul(MICRO) >= u64::from(whole).saturating_mul(u64::from(self.0))
    }

    /// This share of `whole`, rounded down.
    pub(crate) fn of_count(self, whole: u32) -> u32 {
        let parts = u64::from(whole).saturating_mul(u64::from(self.0)) / MICRO;
        u32::try_from(parts).unwrap_or(u32::MAX)
    }
}

impl fmt::Display for Share {
    /// As a percentage.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hundredths(f, u64::from(self.0) / 100)?;
        f.write_str(" %")
    }
}

impl Serialize for Share {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.as_f64())
    }
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(f64::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// A number as it was given, kept exactly in text too: as a number where every reader gets the same one back, as a string
/// where some would round it, or where JSON has no number for it (NaN and the infinities).
pub(crate) mod exact {
    use alloc::format;
    use alloc::string::String;

    use super::{Deserialize, Deserializer, Serializer, de};

    /// A product of so few digits and a small power of ten is rounded once, by any reader.
    const DIGITS: usize = 14;
    const EXPONENTS: core::ops::RangeInclusive<i32> = -6..=14;

    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected a number, or one in quotes")]
    enum Written {
        Number(f64),
        Text(String),
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
    pub(crate) fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            return serializer.serialize_f64(*value);
        }
        let text = format!("{value:e}");
        let plain = text.split_once('e').is_some_and(|(digits, exponent)| {
            let digits = digits.bytes().filter(u8::is_ascii_digit).count();
            digits <= DIGITS && exponent.parse().is_ok_and(|exponent| EXPONENTS.contains(&exponent))
        });
        if plain { serializer.serialize_f64(*value) } else { serializer.collect_str(&format_args!("{value:?}")) }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        if !deserializer.is_human_readable() {
            return f64::deserialize(deserializer);
        }
        match Written::deserialize(deserializer)? {
            Written::Number(number) => Ok(number),
            Written::Text(text) => {
                text.parse().map_err(|_| de::Error::invalid_value(de::Unexpected::Str(&text), &"a number"))
            }
        }
    }
}

/// So many percent of a count, rounded up.
pub(crate) fn percent_of(count: u32, percent: u32) -> u32 {
    let scaled = u64::from(count).saturating_mul(u64::from(percent)).div_ceil(100);
    u32::try_from(scaled).unwrap_or(u32::MAX)
}

/// `ceil(numerator / denominator)` as a worker count, saturating; a zero denominator counts as one.
pub(crate) fn div_ceil_count(numerator: u64, denominator: u64) -> u32 {
    u32::try_from(numerator.div_ceil(denominator.max(1))).unwrap_or(u32::MAX)
}

/// Millionths of a number between 0 and a billion, rounded; `None` for any other.
pub(crate) fn micros_of(value: f64) -> Option<u64> {
    (value.is_finite() && (0.0..=1e9).contains(&value)).then(|| millionths(value))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "callers have checked the range")]
fn millionths(value: f64) -> u64 {
    (value * 1e6 + 0.5) as u64
}

#[expect(clippy::cast_precision_loss, reason = "for display and files; exact below 2^53 millionths")]
pub(crate) fn to_f64(micros: u64) -> f64 {
    micros as f64 / 1e6
}

/// Writes hundredths as a decimal number without trailing zeros.
pub(crate) fn write_hundredths(f: &mut fmt::Formatter<'_>, hundredths: u64) -> fmt::Result {
    let (whole, frac) = (hundredths / 100, hundredths % 100);
    match (frac, frac % 10) {
        (0, _) => write!(f, "{whole}"),
        (_, 0) => write!(f, "{whole}.{}", frac / 10),
        _ => write!(f, "{whole}.{frac:02}"),
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn rates_keep_their_millionths_through_json() {
        for micros in [0, 1, 2_500_000, 12_345_678, 999_999_999_999_999] {
            let text = serde_json::to_string(&Rate(micros)).unwrap();
            assert_eq!(serde_json::from_str::<Rate>(&text).unwrap(), Rate(micros), "{text}");
        }
    }

    #[test]
    fn hostile_numbers_are_refused() {
        for bad in [f64::NAN, f64::INFINITY, -f64::MIN_POSITIVE, -1.0, 1.1e9] {
            assert!(Rate::per_second(bad).is_err(), "{bad}");
        }
        for bad in [f64::NAN, f64::INFINITY, -0.1, 1.000_001] {
            assert!(Share::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn display_rounds_to_hundredths() {
        let text = |micros| Rate(micros).to_string();
        assert_eq!([text(12_400_000), text(2_004_999), text(2_005_000)], ["12.4", "2", "2.01"]);
        assert_eq!(Share(125_000).to_string(), "12.5 %");
    }
}
