//! Values as Go reads them from strings.

use core::time::Duration;

/// A value that is read from a string.
pub(super) trait FromText: Sized {
    /// What the string must be.
    const EXPECTED: &'static str;

    fn from_text(text: &str) -> Option<Self>;
}

impl FromText for f64 {
    const EXPECTED: &'static str = "a number such as 70 or 0.5";

    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok().filter(|number: &Self| number.is_finite())
    }
}

/// A whole number from 0 to 2147483647.
pub(super) struct Whole(pub(super) u32);

impl FromText for Whole {
    const EXPECTED: &'static str = "a whole number from 0 to 2147483647";

    fn from_text(text: &str) -> Option<Self> {
        text.parse::<i32>().ok().and_then(|number| u32::try_from(number).ok()).map(Self)
    }
}

/// True or false.
pub(super) struct Switch(pub(super) bool);

impl FromText for Switch {
    const EXPECTED: &'static str = "true or false";

    fn from_text(text: &str) -> Option<Self> {
        match text {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(Self(true)),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(Self(false)),
            _ => None,
        }
    }
}

impl FromText for Duration {
    const EXPECTED: &'static str = "a duration with units, such as 60s, 1m30s or 500ms";

    /// A sum of decimal numbers, each with a unit: `1h30m`, `1.5h`, `250ms`. Only a zero has no unit.
    fn from_text(text: &str) -> Option<Self> {
        let mut rest = text.strip_prefix('+').unwrap_or(text);
        if rest == "0" {
            return Some(Self::ZERO);
        }
        let mut total = 0_u128;
        while !rest.is_empty() {
            let end = rest.find(|c: char| c != '.' && !c.is_ascii_digit())?;
            let (number, tail) = rest.split_at_checked(end)?;
            let end = tail.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(tail.len());
            let (unit, tail) = tail.split_at_checked(end)?;
            total = total.checked_add(scaled(number, unit)?)?;
            rest = tail;
        }
        let nanos = u64::try_from(total).ok().filter(|_| !text.is_empty() && text != "+")?;
        i64::try_from(nanos).ok().map(|_| Self::from_nanos(nanos))
    }
}

/// A decimal number of a unit in nanoseconds, cut off there.
fn scaled(number: &str, unit: &str) -> Option<u128> {
    let unit = match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
        return None;
    }
    let whole = if whole.is_empty() { 0 } else { whole.parse::<u64>().ok()? };
    let fraction = fraction.get(..fraction.len().min(18))?;
    let digits = if fraction.is_empty() { 0 } else { fraction.parse::<u128>().ok()? };
    let power = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let below = digits.checked_mul(unit)?.checked_div(power)?;
    u128::from(whole).checked_mul(unit)?.checked_add(below)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_in_go() {
        for (text, millis) in [
            ("0", 0),
            ("60s", 60_000),
            ("1m30s", 90_000),
            ("1.5h", 5_400_000),
            (".5s", 500),
            ("2.s", 2_000),
            ("+1s", 1_000),
            ("1h0m5s250ms", 3_605_250),
            ("1000us", 1),
            ("2000000ns", 2),
        ] {
            assert_eq!(Duration::from_text(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "+", "60", "s", ".s", "1.2.3s", "1d", "-1s", "1 s", "999999999999h", "١s", "1s1", "1é"] {
            assert_eq!(Duration::from_text(text), None, "{text}");
        }
    }
}
