//! Kubernetes' quantities: `500m`, `10`, `1k`, `100Mi`.

use alloc::format;
use alloc::string::String;
use core::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

const NANOS: i128 = 1_000_000_000;
const NANOS_PER_MILLI: i128 = 1_000_000;
/// Larger ones count as this: the most that Kubernetes keeps, 2^63 - 1 of the unit.
const MOST: i128 = i64::MAX as i128 * NANOS;

/// An exact amount in billionths; what is finer is rounded away from zero, as Kubernetes does.
///
/// ```
/// use plimsoll::peers::kubernetes::Quantity;
///
/// let milli = |text: &str| text.parse::<Quantity>().map(|quantity| quantity.milli());
/// assert_eq!(milli("500m")?, 500);
/// assert_eq!(milli("1k")?, 1_000_000);
/// assert_eq!(milli("100Mi")?, 104_857_600_000);
/// assert_eq!("0.05".parse::<Quantity>()?.to_string(), "50m");
/// assert!(milli("10%").is_err());
/// # Ok::<(), plimsoll::peers::kubernetes::NotAQuantity>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Quantity(i128);

/// A text that is no quantity.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{text:?} is no quantity: write a number, with a suffix if need be, such as 10, 500m, 1k or 100Mi")]
pub struct NotAQuantity {
    /// The text.
    pub text: String,
}

impl Quantity {
    /// So many thousandths.
    #[must_use]
    pub const fn from_milli(milli: i64) -> Self {
        Self((milli as i128).saturating_mul(NANOS_PER_MILLI))
    }

    /// In thousandths, rounded up.
    #[must_use]
    pub fn milli(self) -> i64 {
        let milli = self.0.saturating_neg().div_euclid(NANOS_PER_MILLI).saturating_neg();
        milli.clamp(i64::MIN.into(), i64::MAX.into()) as i64
    }

    /// As a double, the way Kubernetes makes one: the whole number of its written form times the unit of that.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        let (number, unit) = self.canonical();
        match unit {
            "n" => number as f64 * 1e-9,
            "u" => number as f64 * 1e-6,
            "m" => number as f64 * 1e-3,
            _ => number as f64,
        }
    }

    /// A whole number and the largest of the units one, milli, micro and nano that allows it.
    fn canonical(self) -> (i128, &'static str) {
        for (unit, name) in [(NANOS, ""), (NANOS_PER_MILLI, "m"), (1_000, "u")] {
            if self.0.checked_rem(unit) == Some(0) {
                return (self.0.checked_div(unit).unwrap_or(0), name);
            }
        }
        (self.0, "n")
    }

    fn parse(text: &str) -> Option<Self> {
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let end = unsigned.find(|c: char| c != '.' && !c.is_ascii_digit()).unwrap_or(unsigned.len());
        let (number, suffix) = unsigned.split_at_checked(end)?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
            return None;
        }
        let digits = [whole, fraction].concat();
        let digits = digits.trim_start_matches('0');
        let unit = unit(suffix)?;
        // `digits × 10^exponent × factor` billionths, rounded up.
        let exponent = i64::from(unit.exponent).checked_add(9)?.checked_sub(i64::try_from(fraction.len()).ok()?)?;
        let nanos = if digits.is_empty() { 0 } else { scaled(digits, unit.factor, exponent)?.min(MOST) };
        Some(Self(if negative { nanos.saturating_neg() } else { nanos }))
    }
}

/// `digits × factor × 10^exponent`, rounded up; `None` only for what is written too long.
fn scaled(digits: &str, factor: i128, exponent: i64) -> Option<i128> {
    if digits.len() > 60 {
        return None;
    }
    let mut value = match digits.parse::<i128>() {
        Ok(number) => number.checked_mul(factor),
        Err(_) => None,
    };
    let Some(mut amount) = value.take() else { return Some(MOST) };
    let mut inexact = false;
    for _ in 0..exponent.unsigned_abs().min(80) {
        if exponent > 0 {
            let Some(larger) = amount.checked_mul(10) else { return Some(MOST) };
            amount = larger;
        } else {
            inexact |= amount.checked_rem(10) != Some(0);
            amount = amount.checked_div(10)?;
        }
    }
    Some(amount.saturating_add(i128::from(inexact)))
}

struct Unit {
    factor: i128,
    exponent: i16,
}

fn unit(suffix: &str) -> Option<Unit> {
    let decimal = |exponent| Some(Unit { factor: 1, exponent });
    let binary = |power: u32| Some(Unit { factor: 1024_i128.checked_pow(power)?, exponent: 0 });
    match suffix {
        "" => decimal(0),
        "n" => decimal(-9),
        "u" => decimal(-6),
        "m" => decimal(-3),
        "k" => decimal(3),
        "M" => decimal(6),
        "G" => decimal(9),
        "T" => decimal(12),
        "P" => decimal(15),
        "E" => decimal(18),
        "Ki" => binary(1),
        "Mi" => binary(2),
        "Gi" => binary(3),
        "Ti" => binary(4),
        "Pi" => binary(5),
        "Ei" => binary(6),
        _ => decimal(suffix.strip_prefix(['e', 'E'])?.parse().ok()?),
    }
}

impl core::str::FromStr for Quantity {
    type Err = NotAQuantity;

    fn from_str(text: &str) -> Result<Self, NotAQuantity> {
        Self::parse(text).ok_or_else(|| NotAQuantity { text: text.into() })
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (number, unit) = self.canonical();
        write!(f, "{number}{unit}")
    }
}

impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Visitor)
    }
}

/// A quantity is a string; plain numbers are taken as they are written.
struct Visitor;

impl de::Visitor<'_> for Visitor {
    type Value = Quantity;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a quantity such as 10, \"500m\", \"1k\" or \"100Mi\"")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Quantity, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Quantity, E> {
        self.visit_str(&format!("{number}"))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Quantity, E> {
        self.visit_str(&format!("{number}"))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Quantity, E> {
        self.visit_str(&format!("{number}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_read_exactly_to_thousandths() {
        for (text, milli) in [
            ("0", 0),
            ("10", 10_000),
            ("500m", 500),
            ("0.5", 500),
            (".5", 500),
            ("5.", 5_000),
            ("1k", 1_000_000),
            ("1e3", 1_000_000),
            ("12E2", 1_200_000),
            ("2M", 2_000_000_000),
            ("3G", 3_000_000_000_000),
            ("4T", 4_000_000_000_000_000),
            ("5P", 5_000_000_000_000_000_000),
            ("1E", 1_000_000_000_000_000_000_i64.saturating_mul(1_000)),
            ("3Ki", 3_072_000),
            ("2Ti", 2_199_023_255_552_000),
            ("3Pi", 3_377_699_720_527_872_000),
            ("0.001Ei", 1_152_921_504_606_846_976),
            ("-1E", i64::MIN),
            ("100Mi", 104_857_600_000),
            ("1.5Gi", 1_610_612_736_000),
            ("-2", -2_000),
            ("+2", 2_000),
            ("100u", 1),
            ("1n", 1),
            ("-100u", 0),
            ("0.0000000001", 1),
            ("9223372036854775807", i64::MAX),
            ("1e400", i64::MAX),
            ("1e-400", 1),
            ("99999999999999999999999999999999999999999", i64::MAX),
        ] {
            assert_eq!(text.parse::<Quantity>().map(Quantity::milli), Ok(milli), "{text}");
        }
        let long = |digits: usize| "9".repeat(digits).parse::<Quantity>().map(Quantity::milli).ok();
        assert_eq!((long(60), long(61)), (Some(i64::MAX), None), "nobody writes so much");
        for text in ["", ".", "-", "m", "10%", "1 k", "1K", "1.2.3", "1e", "1ee3", "NaN", "inf", "0x10", "١", "1e99999"]
        {
            assert!(text.parse::<Quantity>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_quantity_becomes_a_double_by_its_written_form() {
        for (text, double) in
            [("0.1", 100.0 * 1e-3), ("50m", 50.0 * 1e-3), ("0.0005", 500.0 * 1e-6), ("5n", 5.0 * 1e-9), ("2", 2.0)]
        {
            assert_eq!(text.parse::<Quantity>().unwrap().as_f64().to_bits(), f64::to_bits(double), "{text}");
        }
    }

    #[test]
    fn numbers_are_taken_as_written() {
        let read = |json: &str| serde_json::from_str::<Quantity>(json).unwrap();
        assert_eq!([read("10"), read("0.5"), read("\"1k\"")].map(Quantity::milli), [10_000, 500, 1_000_000]);
        assert_eq!(serde_json::to_string(&read("0.05")).unwrap(), r#""50m""#);
        assert_eq!(read("-3").milli(), -3_000);
        let error = serde_json::from_str::<Quantity>("true").unwrap_err().to_string();
        assert!(error.contains("expected a quantity such as 10, \"500m\""), "{error}");
    }
}
