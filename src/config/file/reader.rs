//! Reading a table whose every error names the setting.
//!
//! Serde's derive says what it expected but not for which setting, and its ways of being lenient (`flatten`, `untagged`)
//! lose the line as well. Here each setting's own visitor knows its name, so the error is raised where the value stands
//! and every format adds the position it knows.

use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;
use core::time::Duration;

use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeSeed, Error, Expected, MapAccess, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

use crate::config::{Backoff, Blind, Breaker, Buffer, Cliff, MAX_INTERVALS, Precision, Preset, StepLimit};
use crate::policy::{MAX_POLICIES, Policy};
use crate::schedule::Interval;
use crate::time::Timestamp;
use crate::time::span::{self, Span};
use crate::units::{Rate, Share};

/// Defines a table of a document: a struct of options and its reader. Each entry is `field: Type = "key" | "alias"`.
macro_rules! table {
    (
        $(#[$meta:meta])*
        struct $name:ident: $what:literal {
            $($field:ident: $type:ty = $key:literal $(| $alias:literal)*,)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, serde::Serialize)]
        pub(super) struct $name {
            $(
                #[serde(skip_serializing_if = "Option::is_none")]
                pub(super) $field: Option<$type>,
            )*
        }

        impl $crate::config::file::reader::Table for $name {
            fn given(&self) -> impl Iterator<Item = &'static str> {
                let keys = [$(($key, self.$field.is_some()),)*];
                keys.into_iter().filter_map(|(key, given)| given.then_some(key))
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Table;

                impl<'de> serde::de::Visitor<'de> for Table {
                    type Value = $name;

                    fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                        f.write_str($what)
                    }

                    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<$name, A::Error> {
                        const KEYS: &[&str] = &[$($key, $($alias,)*)*];
                        let mut table = $name::default();
                        while let Some(key) = map.next_key_seed($crate::config::file::reader::Key(KEYS))? {
                            match key {
                                $($key $(| $alias)* => {
                                    let names = &[$key $(, $alias)*];
                                    $crate::config::file::reader::entry(&mut map, key, names, &mut table.$field)?;
                                })*
                                _ => {}
                            }
                        }
                        Ok(table)
                    }
                }

                deserializer.deserialize_any(Table)
            }
        }
    };
}
pub(super) use table;

/// A table of a document.
pub(super) trait Table {
    /// The keys that it has a value for, by their first names.
    fn given(&self) -> impl Iterator<Item = &'static str>;
}

/// Reads a key, one of those known.
pub(super) struct Key(pub(super) &'static [&'static str]);

impl<'de> DeserializeSeed<'de> for Key {
    type Value = &'static str;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<&'static str, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for Key {
    type Value = &'static str;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a setting")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<&'static str, E> {
        self.0.iter().find(|key| **key == text).copied().ok_or_else(|| E::unknown_field(text, self.0))
    }
}

/// Reads the value of `key` into `slot`; an empty value (`null`) leaves it unset.
pub(super) fn entry<'de, A: MapAccess<'de>, T: Read<'de>>(
    map: &mut A,
    key: &'static str,
    names: &[&str],
    slot: &mut Option<T>,
) -> Result<(), A::Error> {
    let value = map.next_value_seed(Value(key, PhantomData))?;
    if slot.is_some() {
        return Err(A::Error::custom(format_args!("{} is given twice: keep one", names.join(" or "))));
    }
    *slot = value;
    Ok(())
}

struct Value<T>(&'static str, PhantomData<T>);

impl<'de, T: Read<'de>> DeserializeSeed<'de> for Value<T> {
    type Value = Option<T>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<T>, D::Error> {
        T::read(self.0, deserializer)
    }
}

/// Something that a setting may hold.
pub(super) trait Read<'de>: Sized {
    fn read<D: Deserializer<'de>>(key: &'static str, deserializer: D) -> Result<Option<Self>, D::Error>;
}

/// Something written as one number, word or switch.
pub(super) trait Scalar: Sized {
    /// What to write, after "expected max as".
    const EXPECTED: &'static str;
    /// Whether RunPod's document gives such values as ranges.
    const RANGES: bool = true;

    fn whole(_: u64) -> Option<Self> {
        None
    }

    fn negative(_: i64) -> Option<Self> {
        None
    }

    fn decimal(_: f64) -> Option<Self> {
        None
    }

    fn switch(_: bool) -> Option<Self> {
        None
    }

    fn text<E: Error>(text: &str, expected: &dyn Expected) -> Result<Self, E> {
        Err(E::invalid_type(Unexpected::Str(text), expected))
    }
}

impl<'de, T: Scalar> Read<'de> for T {
    fn read<D: Deserializer<'de>>(key: &'static str, deserializer: D) -> Result<Option<Self>, D::Error> {
        deserializer.deserialize_any(Named(key, PhantomData))
    }
}

struct Named<T>(&'static str, PhantomData<T>);

impl<'de, T: Scalar> Visitor<'de> for Named<T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} as {}", self.0, T::EXPECTED)
    }

    fn visit_bool<E: Error>(self, on: bool) -> Result<Option<T>, E> {
        T::switch(on).map(Some).ok_or_else(|| E::invalid_type(Unexpected::Bool(on), &self))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Option<T>, E> {
        T::whole(number).map(Some).ok_or_else(|| E::invalid_value(Unexpected::Unsigned(number), &self))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Option<T>, E> {
        match u64::try_from(number) {
            Ok(number) => self.visit_u64(number),
            Err(_) => T::negative(number).map(Some).ok_or_else(|| E::invalid_value(Unexpected::Signed(number), &self)),
        }
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Option<T>, E> {
        T::decimal(number).map(Some).ok_or_else(|| E::invalid_value(Unexpected::Float(number), &self))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Option<T>, E> {
        if let Some(choice) = range(text).filter(|_| T::RANGES) {
            let key = self.0;
            return Err(E::custom(format_args!("{key} ({text}) is a range: choose one number, such as {choice}")));
        }
        T::text(text, &self).map(Some)
    }

    fn visit_unit<E: Error>(self) -> Result<Option<T>, E> {
        Ok(None)
    }

    fn visit_none<E: Error>(self) -> Result<Option<T>, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<T>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// The last number of a range as RunPod's document writes them (`1-3`, `2+`, `2-5 minutes`), or `None` for anything
/// else.
fn range(text: &str) -> Option<&str> {
    let starts_with_digit = |part: &str| part.starts_with(|c: char| c.is_ascii_digit());
    let bounds = ['-', '–', '+'];
    if !starts_with_digit(text.trim_start()) || !text.contains(bounds) {
        return None;
    }
    text.rsplit(bounds).map(str::trim).find(|part| starts_with_digit(part))
}

impl Scalar for u32 {
    const EXPECTED: &'static str = "a whole number, 0 or more, such as 3";

    fn whole(number: u64) -> Option<Self> {
        Self::try_from(number).ok()
    }
}

impl Scalar for u16 {
    const EXPECTED: &'static str = "a whole number from 0 to 65535, such as 64";

    fn whole(number: u64) -> Option<Self> {
        Self::try_from(number).ok()
    }
}

impl Scalar for Span {
    const EXPECTED: &'static str = "seconds (300) or a string with units, such as \"90s\", \"5m\" or \"250ms\"";

    fn whole(number: u64) -> Option<Self> {
        Some(Self(Duration::from_secs(number)))
    }

    fn decimal(number: f64) -> Option<Self> {
        Duration::try_from_secs_f64(number).ok().map(Self)
    }

    fn text<E: Error>(text: &str, expected: &dyn Expected) -> Result<Self, E> {
        span::parse(text).map(Self).ok_or_else(|| E::invalid_value(Unexpected::Str(text), expected))
    }
}

impl Scalar for Rate {
    const EXPECTED: &'static str = "requests per second between 0 and 1e9, such as 2.5";

    fn whole(number: u64) -> Option<Self> {
        Self::decimal(f64::from(u32::try_from(number).ok()?))
    }

    fn decimal(number: f64) -> Option<Self> {
        Self::per_second(number).ok()
    }
}

impl Scalar for Share {
    const EXPECTED: &'static str = "a share between 0 and 1, such as 0.1 for 10 %";

    fn whole(number: u64) -> Option<Self> {
        Self::decimal(f64::from(u32::try_from(number).ok()?))
    }

    fn decimal(number: f64) -> Option<Self> {
        Self::new(number).ok()
    }
}

impl Scalar for Preset {
    const EXPECTED: &'static str = "the name of a preset, such as \"outpost-gpu\"";

    fn text<E: Error>(text: &str, _: &dyn Expected) -> Result<Self, E> {
        text.parse().map_err(E::custom)
    }
}

impl Scalar for bool {
    const EXPECTED: &'static str = "true or false";

    fn switch(on: bool) -> Option<Self> {
        Some(on)
    }
}

impl Scalar for u64 {
    const EXPECTED: &'static str = "a whole number, 0 or more, such as 7";

    fn whole(number: u64) -> Option<Self> {
        Some(number)
    }
}

impl Scalar for Timestamp {
    const EXPECTED: &'static str = "a string of seconds since the caller's origin, such as \"12.5\"";
    const RANGES: bool = false;

    fn text<E: Error>(text: &str, expected: &dyn Expected) -> Result<Self, E> {
        Self::parse(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), expected))
    }
}

impl Scalar for Precision {
    const EXPECTED: &'static str = "\"default\" or \"compact\"";

    fn text<E: Error>(text: &str, expected: &dyn Expected) -> Result<Self, E> {
        match text {
            "default" => Ok(Self::Default),
            "compact" => Ok(Self::Compact),
            _ => Err(E::invalid_value(Unexpected::Str(text), expected)),
        }
    }
}

/// Values whose own reader says enough.
macro_rules! as_derived {
    ($($type:ty),*) => {$(
        impl<'de> Read<'de> for $type {
            fn read<D: Deserializer<'de>>(_: &'static str, deserializer: D) -> Result<Option<Self>, D::Error> {
                Option::deserialize(deserializer)
            }
        }
    )*};
}
as_derived!(Policy);

impl<'de> Read<'de> for Vec<Policy> {
    fn read<D: Deserializer<'de>>(_: &'static str, deserializer: D) -> Result<Option<Self>, D::Error> {
        deserializer.deserialize_any(Policies).map(Some)
    }
}

struct Policies;

impl<'de> Visitor<'de> for Policies {
    type Value = Vec<Policy>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("policies as a list, such as [{outpost: {target_qps_per_replica: 2.5}}]")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<Policy>, A::Error> {
        let mut policies = Vec::new();
        while let Some(policy) = list.next_element()? {
            // One more than may be combined is enough to say so.
            if policies.len() <= MAX_POLICIES {
                policies.push(policy);
            }
        }
        Ok(policies)
    }
}

table! {
    /// A [`StepLimit`] as it is written.
    struct Step: "a step limit, such as {percent: 50, period: 1m}" {
        workers: u32 = "workers",
        percent: u32 = "percent",
        period: Span = "period",
    }
}

impl<'de> Read<'de> for StepLimit {
    fn read<D: Deserializer<'de>>(key: &'static str, deserializer: D) -> Result<Option<Self>, D::Error> {
        let Some(step) = Option::<Step>::deserialize(deserializer)? else { return Ok(None) };
        let Some(Span(period)) = step.period else {
            let remedy = "give the time in which the step may be made, such as 1m";
            return Err(D::Error::custom(format_args!("period is required in {key}: {remedy}")));
        };
        Ok(Some(Self { workers: step.workers, percent: step.percent, period }))
    }
}

/// Reads a setting that is a table of its own: `table` is what stands there, and `value` what it makes of it.
macro_rules! nested {
    ($type:ty as $table:ident: |$key:ident, $read:ident| $value:expr) => {
        impl<'de> Read<'de> for $type {
            fn read<D: Deserializer<'de>>($key: &'static str, deserializer: D) -> Result<Option<Self>, D::Error> {
                let Some($read) = Option::<$table>::deserialize(deserializer)? else { return Ok(None) };
                let value: Result<Self, Required> = $value;
                value.map(Some).map_err(|Required(name, remedy)| {
                    D::Error::custom(format_args!("{name} is required in {}: {remedy}", $key))
                })
            }
        }
    };
}

/// A part that may not be left out, and what to write.
struct Required(&'static str, &'static str);

table! {
    /// A [`Buffer`] as it is written.
    struct BufferTable: "a buffer, such as {workers: 2}" {
        workers: u32 = "workers",
        percent: u32 = "percent",
        always: bool = "always",
    }
}
nested!(Buffer as BufferTable: |key, read| {
    Ok(Self { workers: read.workers, percent: read.percent, always: read.always.unwrap_or(false) })
});

table! {
    /// A [`Cliff`] as it is written.
    struct CliffTable: "a cliff, such as {fall: 0.5, within: 1m, down_delay: 15m}" {
        fall: Share = "fall",
        within: Span = "within",
        down_delay: Span = "down_delay",
    }
}
nested!(Cliff as CliffTable: |key, read| match (read.fall, read.within, read.down_delay) {
    (None, ..) => Err(Required("fall", "give the share by which demand must fall, such as 0.5")),
    (_, None, _) => Err(Required("within", "give the time of a fall that is too steep, such as 1m")),
    (.., None) => Err(Required("down_delay", "give the down delay after a cliff, such as 15m")),
    (Some(fall), Some(Span(within)), Some(Span(down_delay))) => Ok(Self { fall, within, down_delay }),
});

table! {
    /// A [`Backoff`] as it is written.
    struct BackoffTable: "a back-off, such as {first: 10s, most: 5m, seed: 7}" {
        first: Span = "first",
        most: Span = "most",
        seed: u64 = "seed",
    }
}
nested!(Backoff as BackoffTable: |key, read| {
    let Self { first, most, seed } = Self::default();
    let (first, most) = (read.first.map_or(first, |span| span.0), read.most.map_or(most, |span| span.0));
    Ok(Self { first, most, seed: read.seed.unwrap_or(seed) })
});

table! {
    /// A [`Breaker`] as it is written.
    struct BreakerTable: "a breaker, such as {failures: 5, within: 5m, pause: 1m}" {
        failures: u32 = "failures",
        within: Span = "within",
        pause: Span = "pause",
    }
}
nested!(Breaker as BreakerTable: |key, read| {
    let Self { failures, within, pause } = Self::default();
    let (within, pause) = (read.within.map_or(within, |span| span.0), read.pause.map_or(pause, |span| span.0));
    Ok(Self { failures: read.failures.unwrap_or(failures), within, pause })
});

impl<'de> Read<'de> for Blind {
    fn read<D: Deserializer<'de>>(_: &'static str, deserializer: D) -> Result<Option<Self>, D::Error> {
        deserializer.deserialize_any(BlindWays)
    }
}

table! {
    /// The ways to be blind that have a value.
    struct BlindTable: "blind as \"hold\", \"grow_only\", {floor: 3} or {last_peak: 1h}" {
        floor: u32 = "floor",
        last_peak: Span = "last_peak",
    }
}

struct BlindWays;

impl<'de> Visitor<'de> for BlindWays {
    type Value = Option<Blind>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("blind as \"hold\", \"grow_only\", {floor: 3} or {last_peak: 1h}")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Option<Blind>, E> {
        match text {
            "hold" => Ok(Some(Blind::Hold)),
            "grow_only" => Ok(Some(Blind::GrowOnly)),
            _ => Err(E::invalid_value(Unexpected::Str(text), &self)),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Option<Blind>, A::Error> {
        let table = BlindTable::deserialize(MapAccessDeserializer::new(map))?;
        match (table.floor, table.last_peak) {
            (Some(workers), None) => Ok(Some(Blind::Floor(workers))),
            (None, Some(Span(within))) => Ok(Some(Blind::LastPeak(within))),
            (Some(_), Some(_)) => Err(A::Error::custom("blind has both floor and last_peak: keep one of them")),
            (None, None) => Err(A::Error::invalid_type(Unexpected::Map, &self)),
        }
    }

    fn visit_unit<E: Error>(self) -> Result<Option<Blind>, E> {
        Ok(None)
    }
}

table! {
    /// An [`Interval`] as it is written.
    struct IntervalTable: "an interval, such as {start: \"3600\", end: \"7200\", min: 3}" {
        start: Timestamp = "start",
        end: Timestamp = "end",
        min: u32 = "min",
        max: u32 = "max",
        priority: i32 = "priority",
        ahead: bool = "ahead",
    }
}

impl Scalar for i32 {
    const EXPECTED: &'static str = "a whole number, such as 0 or -1";

    fn whole(number: u64) -> Option<Self> {
        Self::try_from(number).ok()
    }

    fn negative(number: i64) -> Option<Self> {
        Self::try_from(number).ok()
    }
}

impl<'de> Read<'de> for Vec<Interval> {
    fn read<D: Deserializer<'de>>(_: &'static str, deserializer: D) -> Result<Option<Self>, D::Error> {
        // In binary formats a time stamp is a number, which in a text would be taken for seconds.
        if !deserializer.is_human_readable() {
            return Option::deserialize(deserializer);
        }
        deserializer.deserialize_any(Intervals)
    }
}

struct Intervals;

impl<'de> Visitor<'de> for Intervals {
    type Value = Option<Vec<Interval>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("schedule as a list, such as [{start: \"3600\", end: \"7200\", min: 3}]")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Option<Vec<Interval>>, A::Error> {
        let mut intervals = Vec::new();
        while let Some(IntervalTable { start, end, min, max, priority, ahead }) = list.next_element()? {
            let required = |name| A::Error::custom(format_args!("{name} is required in an interval of schedule"));
            let start = start.ok_or_else(|| required("start"))?;
            let end = end.ok_or_else(|| required("end"))?;
            let (priority, ahead) = (priority.unwrap_or(0), ahead.unwrap_or(false));
            // One more than a configuration may hold is enough to say so.
            if intervals.len() <= MAX_INTERVALS {
                intervals.push(Interval { start, end, min, max, priority, ahead });
            }
        }
        Ok(Some(intervals))
    }

    fn visit_unit<E: Error>(self) -> Result<Option<Vec<Interval>>, E> {
        Ok(None)
    }
}
