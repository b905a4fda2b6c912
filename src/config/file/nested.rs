//! Settings that are lists or tables of their own.

use alloc::vec::Vec;
use core::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

use super::reader::{Read, table};
use crate::config::{Backoff, Blind, Breaker, Buffer, Cliff, MAX_INTERVALS, StepLimit};
use crate::policy::{MAX_POLICIES, Policy};
use crate::schedule::Interval;
use crate::time::Timestamp;
use crate::time::span::Span;
use crate::units::Share;

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
