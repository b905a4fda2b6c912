//! Reading a table whose every error names the setting.
//!
//! Serde's derive says what it expected but not for which setting, and its ways of being lenient (`flatten`, `untagged`)
//! lose the line as well. Here each setting's own visitor knows its name, so the error is raised where the value stands
//! and every format adds the position it knows.

use core::fmt;
use core::marker::PhantomData;
use core::time::Duration;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, Expected, MapAccess, Unexpected, Visitor};

use crate::config::{Precision, Preset};
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

impl Scalar for i32 {
    const EXPECTED: &'static str = "a whole number, such as 0 or -1";

    fn whole(number: u64) -> Option<Self> {
        Self::try_from(number).ok()
    }

    fn negative(number: i64) -> Option<Self> {
        Self::try_from(number).ok()
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
