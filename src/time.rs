//! Points in time and the way durations are written in configuration.
//!
//! Time enters the library only as an argument called `now`. [`Timestamp`] has no arithmetic operators: every
//! operation saturates, so there is no path that could panic or wrap.

use core::fmt;
use core::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

const NANOS_PER_SEC: u64 = 1_000_000_000;

/// A point in time: nanoseconds since an origin that the caller chooses (a Unix epoch, a process start, a trace's
/// first request). Only differences matter: moving the origin moves every decision with it and changes nothing else.
///
/// In text formats a timestamp is a string of decimal seconds, such as `"12.5"`: it reads well and stays exact for
/// readers whose numbers have 53 bits. In binary formats it is the number of nanoseconds.
///
/// ```
/// use core::time::Duration;
/// use plimsoll::Timestamp;
///
/// let start = Timestamp::from_millis(1_500);
/// let later = start.saturating_add(Duration::from_secs(2));
/// assert_eq!(later.saturating_since(start), Duration::from_secs(2));
/// assert_eq!(start.saturating_since(later), Duration::ZERO);
/// assert_eq!(serde_json::to_string(&later).unwrap(), r#""3.5""#);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The caller's origin.
    pub const ORIGIN: Self = Self(0);
    /// The last representable instant, about 584 years after the origin.
    pub const MAX: Self = Self(u64::MAX);

    /// `nanos` nanoseconds after the origin.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// `millis` milliseconds after the origin, saturating.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// `secs` seconds after the origin, saturating.
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(NANOS_PER_SEC))
    }

    /// The instant `elapsed` after the origin, saturating; `start.elapsed()` fits.
    #[must_use]
    pub const fn from_elapsed(elapsed: Duration) -> Self {
        Self(nanos(elapsed))
    }

    /// Nanoseconds since the origin.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The instant `duration` later, or [`Timestamp::MAX`].
    #[must_use]
    pub const fn saturating_add(self, duration: Duration) -> Self {
        self.plus(nanos(duration))
    }

    /// The time from `earlier` to `self`, or zero if `earlier` is later.
    #[must_use]
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.since(earlier))
    }

    /// From decimal seconds with at most nine decimals, such as `12.5`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        parse_seconds(text).map(Self)
    }

    /// Nanoseconds from `earlier` to `self`, zero if `earlier` is later.
    pub(crate) const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The instant `nanos` later, or the last one.
    pub(crate) const fn plus(self, nanos: u64) -> Self {
        Self(self.0.saturating_add(nanos))
    }

    /// The instant `nanos` earlier, or the origin.
    pub(crate) const fn minus(self, nanos: u64) -> Self {
        Self(self.0.saturating_sub(nanos))
    }
}

impl fmt::Display for Timestamp {
    /// Decimal seconds without trailing zeros: `12.5`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (secs, frac) = (self.0 / NANOS_PER_SEC, self.0 % NANOS_PER_SEC);
        if frac == 0 {
            return write!(f, "{secs}");
        }
        let (mut digits, mut width) = (frac, 9_usize);
        while digits % 10 == 0 {
            digits /= 10;
            width = width.saturating_sub(1);
        }
        write!(f, "{secs}.{digits:0width$}")
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Timestamp({self}s)")
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() { serializer.collect_str(self) } else { serializer.serialize_u64(self.0) }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            deserializer.deserialize_str(SecondsVisitor)
        } else {
            u64::deserialize(deserializer).map(Self)
        }
    }
}

struct SecondsVisitor;

impl de::Visitor<'_> for SecondsVisitor {
    type Value = Timestamp;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a timestamp as a string of decimal seconds with at most nine decimals, such as \"12.5\"")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Timestamp, E> {
        Timestamp::parse(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}

/// How long something has waited: its age at an instant. Kept as a pair, so that an age longer than the time since the
/// caller's origin stays exact.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub(crate) struct Waiting {
    at: Timestamp,
    age: u64,
}

impl Waiting {
    /// It had waited `age` nanoseconds at `at`.
    pub(crate) const fn new(at: Timestamp, age: u64) -> Self {
        Self { at, age }
    }

    pub(crate) const fn age(self, now: Timestamp) -> u64 {
        self.age.saturating_add(now.since(self.at))
    }

    /// When its age reaches `age`, or has been `age` already at the last look.
    pub(crate) const fn reaches(self, age: u64) -> Timestamp {
        self.at.plus(age.saturating_sub(self.age))
    }

    /// Of two, the one that has waited longer.
    pub(crate) fn longer(self, other: Self) -> Self {
        let now = self.at.max(other.at);
        if other.age(now) > self.age(now) { other } else { self }
    }
}

/// The earliest of the instants after a given one. A fold of its own, since a chain of options costs several times as much.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Earliest {
    after: Timestamp,
    at: Option<Timestamp>,
}

impl Earliest {
    /// None yet that is after `now`.
    pub(crate) const fn after(now: Timestamp) -> Self {
        Self { after: now, at: None }
    }

    /// Counts `at` in, if it is after the given instant.
    pub(crate) fn note(&mut self, at: Timestamp) {
        if at > self.after && self.at.is_none_or(|earliest| at < earliest) {
            self.at = Some(at);
        }
    }

    /// Counts `at` in, if there is one.
    pub(crate) fn note_some(&mut self, at: Option<Timestamp>) {
        if let Some(at) = at {
            self.note(at);
        }
    }

    pub(crate) const fn get(self) -> Option<Timestamp> {
        self.at
    }
}

/// `"12.5"` in nanoseconds; `None` if it is not plain decimal seconds or does not fit.
fn parse_seconds(text: &str) -> Option<u64> {
    u64::try_from(parse_billionths(text)?).ok()
}

/// A plain decimal number in billionths; `None` if it has a sign, an exponent or more than nine decimals.
fn parse_billionths(text: &str) -> Option<u128> {
    let (whole, frac) = text.split_once('.').unwrap_or((text, "0"));
    let all_digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    if !all_digits(whole) || !all_digits(frac) || frac.len() > 9 {
        return None;
    }
    let missing = u32::try_from(9_usize.checked_sub(frac.len())?).ok()?;
    let frac = frac.parse::<u128>().ok()?.checked_mul(10_u128.checked_pow(missing)?)?;
    u128::from(whole.parse::<u64>().ok()?).checked_mul(u128::from(NANOS_PER_SEC))?.checked_add(frac)
}

/// A duration in nanoseconds, saturating at 584 years.
pub(crate) const fn nanos(duration: Duration) -> u64 {
    duration.as_secs().saturating_mul(NANOS_PER_SEC).saturating_add(duration.subsec_nanos() as u64)
}

/// Writes a duration the way an operator would say it: `340 ms`, `31 s`, `1.5 s`, `12 min`, `2 h 5 min`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Human(pub(crate) u64);

impl fmt::Display for Human {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (micros, millis, secs) = (self.0 / 1_000, self.0 / 1_000_000, self.0 / NANOS_PER_SEC);
        match () {
            () if self.0 == 0 => f.write_str("0 s"),
            () if millis == 0 => write!(f, "{micros} µs"),
            () if secs == 0 => write!(f, "{millis} ms"),
            () if secs < 10 && millis % 1_000 >= 100 => write!(f, "{secs}.{} s", millis % 1_000 / 100),
            () if secs < 120 => write!(f, "{secs} s"),
            () if secs < 7_200 && secs % 60 == 0 => write!(f, "{} min", secs / 60),
            () if secs < 7_200 => write!(f, "{} min {} s", secs / 60, secs % 60),
            () if secs % 3_600 < 60 => write!(f, "{} h", secs / 3_600),
            () => write!(f, "{} h {} min", secs / 3_600, secs % 3_600 / 60),
        }
    }
}

/// Durations in configuration: plain seconds (`300`, `1.5`) or a string with units (`"90s"`, `"5m"`, `"1h30m"`,
/// `"250ms"`, `"5 minutes"`). Written as whole seconds where that is exact, as a string otherwise.
pub(crate) mod span {
    use alloc::format;
    use alloc::string::String;

    use super::{Deserialize, Deserializer, Duration, NANOS_PER_SEC, Serialize, Serializer, Timestamp, de, fmt, nanos};

    const EXPECTED: &str = "seconds (300) or a string with units, such as \"90s\", \"5m\", \"1h30m\" or \"250ms\"";

    /// A [`Duration`] that reads and writes as described above.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub(crate) struct Span(pub(crate) Duration);

    pub(crate) fn serialize<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        Span(*value).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        Span::deserialize(deserializer).map(|span| span.0)
    }

    impl Serialize for Span {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let nanos = nanos(self.0);
            match text(nanos) {
                Some(text) => serializer.serialize_str(&text),
                None => serializer.serialize_u64(nanos / NANOS_PER_SEC),
            }
        }
    }

    /// How a duration that is not a whole number of seconds is written.
    pub(crate) fn text(nanos: u64) -> Option<String> {
        if nanos % NANOS_PER_SEC == 0 {
            None
        } else if nanos % 1_000_000 == 0 {
            Some(format!("{}ms", nanos / 1_000_000))
        } else {
            Some(format!("{}s", Timestamp(nanos)))
        }
    }

    impl<'de> Deserialize<'de> for Span {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_any(SpanVisitor).map(Self)
        }
    }

    struct SpanVisitor;

    impl de::Visitor<'_> for SpanVisitor {
        type Value = Duration;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(EXPECTED)
        }

        fn visit_u64<E: de::Error>(self, secs: u64) -> Result<Duration, E> {
            Ok(Duration::from_secs(secs))
        }

        fn visit_i64<E: de::Error>(self, secs: i64) -> Result<Duration, E> {
            u64::try_from(secs)
                .map(Duration::from_secs)
                .map_err(|_| E::invalid_value(de::Unexpected::Signed(secs), &self))
        }

        fn visit_f64<E: de::Error>(self, secs: f64) -> Result<Duration, E> {
            Duration::try_from_secs_f64(secs).map_err(|_| E::invalid_value(de::Unexpected::Float(secs), &self))
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Duration, E> {
            parse(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
        }
    }

    /// One or more `number unit` pairs (`1h30m`, `5 minutes`), or a bare number of seconds.
    pub(crate) fn parse(text: &str) -> Option<Duration> {
        let mut rest = text.trim();
        if let Some(nanos) = super::parse_seconds(rest) {
            return Some(Duration::from_nanos(nanos));
        }
        let mut total: u64 = 0;
        while !rest.is_empty() {
            let number = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
            let (value, tail) = rest.split_at_checked(number)?;
            let tail = tail.trim_start();
            let unit_len = tail.find(|c: char| !c.is_alphabetic()).unwrap_or(tail.len());
            let (unit, tail) = tail.split_at_checked(unit_len)?;
            total = total.checked_add(scaled(super::parse_billionths(value)?, unit_nanos(unit)?)?)?;
            rest = tail.trim_start();
        }
        (!text.trim().is_empty()).then(|| Duration::from_nanos(total))
    }

    fn scaled(billionths: u128, unit: u64) -> Option<u64> {
        let product = billionths.checked_mul(u128::from(unit))?;
        u64::try_from(product.checked_div(u128::from(NANOS_PER_SEC))?).ok()
    }

    fn unit_nanos(unit: &str) -> Option<u64> {
        Some(match unit {
            "ns" => 1,
            "us" | "µs" => 1_000,
            "ms" => 1_000_000,
            "s" | "sec" | "secs" | "second" | "seconds" => NANOS_PER_SEC,
            "m" | "min" | "mins" | "minute" | "minutes" => 60_000_000_000,
            "h" | "hour" | "hours" => 3_600_000_000_000,
            "d" | "day" | "days" => 86_400_000_000_000,
            _ => return None,
        })
    }
}

/// As [`span`], for a duration that may be absent.
pub(crate) mod optional_span {
    use super::span::Span;
    use super::{Deserialize, Deserializer, Duration, Serialize, Serializer};

    #[expect(clippy::ref_option, reason = "the signature that serde calls")]
    pub(crate) fn serialize<S: Serializer>(value: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        value.map(Span).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<Span>::deserialize(deserializer)?.map(|span| span.0))
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn timestamps_keep_every_nanosecond_through_text() {
        for nanos in [0, 1, 10, 999_999_999, 1_000_000_000, 1_795_000_000_123_456_789, u64::MAX] {
            let text = serde_json::to_string(&Timestamp(nanos)).unwrap();
            assert_eq!(serde_json::from_str::<Timestamp>(&text).unwrap(), Timestamp(nanos), "{text}");
        }
        for bad in ["\"\"", "\"-1\"", "\"1.\"", "\"1.0000000001\"", "\"99999999999999999999\"", "1.5", "\"+1\""] {
            assert!(serde_json::from_str::<Timestamp>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn durations_read_as_people_write_them() {
        let secs = |s: f64| Some(Duration::from_secs_f64(s));
        for (text, want) in [
            ("90s", secs(90.0)),
            ("5m", secs(300.0)),
            ("1h30m", secs(5_400.0)),
            ("250ms", secs(0.25)),
            ("2d", secs(172_800.0)),
            ("1.5h", secs(5_400.0)),
            ("20000000001ns", Some(Duration::from_nanos(20_000_000_001))),
            ("34560000001ms", Some(Duration::from_millis(34_560_000_001))),
            ("5 minutes", secs(300.0)),
            ("30 seconds", secs(30.0)),
            ("300", secs(300.0)),
            ("", None),
            ("5 parsecs", None),
            ("m", None),
            ("-5s", None),
            ("2-5 minutes", None),
            ("99999999999d", None),
        ] {
            assert_eq!(span::parse(text), want, "{text:?}");
        }
    }

    #[test]
    fn durations_write_in_the_words_of_an_operator() {
        let human: Vec<_> = [0, 1_500, 340_000_000, 1_500_000_000, 31_000_000_000, 300_000_000_000, 7_500_000_000_000]
            .into_iter()
            .map(|nanos| Human(nanos).to_string())
            .collect();
        assert_eq!(human, ["0 s", "1 µs", "340 ms", "1.5 s", "31 s", "5 min", "2 h 5 min"]);
        // Where one way of saying it ends and the next begins.
        for (millis, words) in [
            (9_999, "9.9 s"),
            (10_900, "10 s"),
            (2_099, "2 s"),
            (2_100, "2.1 s"),
            (119_000, "119 s"),
            (120_000, "2 min"),
            (121_000, "2 min 1 s"),
            (7_199_000, "119 min 59 s"),
            (7_200_000, "2 h"),
            (7_259_000, "2 h"),
            (7_260_000, "2 h 1 min"),
        ] {
            assert_eq!(Human(millis * 1_000_000).to_string(), words);
        }
    }

    #[test]
    fn spans_are_read_in_every_unit_and_from_fractions() {
        let read = |json: &str| serde_json::from_str::<span::Span>(json).map(|span| span.0).map_err(|e| e.to_string());
        assert_eq!(read("\"3us\""), Ok(Duration::from_micros(3)));
        assert_eq!(read("\"3 µs 4ns\""), Ok(Duration::from_nanos(3_004)));
        assert_eq!(read("1.5"), Ok(Duration::from_millis(1_500)));
        assert!(read("-1").unwrap_err().contains("integer `-1`"), "{:?}", read("-1"));
        let signed = toml::from_str::<alloc::collections::BTreeMap<String, span::Span>>("a = 300").unwrap();
        assert_eq!(signed["a"].0, Duration::from_secs(300), "TOML's numbers have signs");
        assert!(read("-1.5").is_err() && read("[]").unwrap_err().contains("such as \"90s\""), "{:?}", read("[]"));
        assert_eq!(alloc::format!("{:?}", Timestamp::from_millis(1_500)), "Timestamp(1.5s)");
        let refused = serde_json::from_str::<Timestamp>("[]").unwrap_err().to_string();
        assert!(refused.contains("seconds"), "{refused}");
    }
}
