//! State as a row of tokens: what serde says of it, without names.

use alloc::vec::Vec;
use core::fmt;

use serde::de::value::U32Deserializer;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess, Visitor,
};
use serde::ser::{
    SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple, SerializeTupleStruct, SerializeTupleVariant,
    Serializer,
};

use serde::{Deserialize, Serialize};

use crate::time::{nanos, span};
use crate::units::Rate;

/// One step through a value. Those that contain others are followed by them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) enum Token {
    None,
    Some,
    /// A field that was left out.
    Missing,
    Bool(bool),
    Number(u64),
    Signed(i64),
    /// A floating-point number that is a whole number of millionths.
    Micros(u64),
    /// Any other, by its bits.
    Float(u64),
    /// A duration as it is written in text, in nanoseconds.
    Span(u64),
    /// So many elements or fields.
    Row(u32),
    /// The variant of that number, and nothing in it.
    Unit(u32),
    /// The variant of that number, and what is in it.
    Variant(u32),
}

impl Token {
    /// How many values it contains.
    pub(super) const fn children(self) -> u32 {
        match self {
            Self::Some | Self::Variant(_) => 1,
            Self::Row(count) => count,
            _ => 0,
        }
    }
}

/// What cannot be said in tokens, or was not said by them.
#[derive(Debug)]
pub(super) struct Unsaid;

impl fmt::Display for Unsaid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("these tokens do not say this value")
    }
}

impl core::error::Error for Unsaid {}

impl serde::ser::Error for Unsaid {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

impl serde::de::Error for Unsaid {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

/// The value's tokens.
pub(super) fn tokens<T: Serialize>(value: &T) -> Result<Vec<Token>, Unsaid> {
    let mut writer = Writer { tokens: Vec::with_capacity(2_048) };
    value.serialize(&mut writer)?;
    Ok(writer.tokens)
}

/// The value that these tokens say.
pub(super) fn value<T: for<'de> Deserialize<'de>>(tokens: &[Token]) -> Result<T, Unsaid> {
    let mut reader = Reader { tokens };
    let value = T::deserialize(&mut reader)?;
    if reader.tokens.is_empty() { Ok(value) } else { Err(Unsaid) }
}

struct Writer {
    tokens: Vec<Token>,
}

impl Writer {
    #[expect(clippy::unnecessary_wraps, reason = "what a serializer's methods return")]
    fn say(&mut self, token: Token) -> Result<(), Unsaid> {
        self.tokens.push(token);
        Ok(())
    }

    /// A row whose length is known at its end.
    fn row(&mut self) -> Row<'_> {
        let at = self.tokens.len();
        self.tokens.push(Token::Row(0));
        Row { writer: self, at, length: 0 }
    }
}

struct Row<'a> {
    writer: &'a mut Writer,
    at: usize,
    length: u32,
}

impl Row<'_> {
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unsaid> {
        self.length = self.length.saturating_add(1);
        value.serialize(&mut *self.writer)
    }

    #[expect(clippy::unnecessary_wraps, reason = "what a serializer's methods return")]
    fn close(self) -> Result<(), Unsaid> {
        if let Some(token) = self.writer.tokens.get_mut(self.at) {
            *token = Token::Row(self.length);
        }
        Ok(())
    }
}

macro_rules! numbers {
    ($($name:ident: $number:ty,)*) => {
        $(fn $name(self, value: $number) -> Result<(), Unsaid> { self.say(Token::Number(value.into())) })*
    };
}

macro_rules! signed {
    ($($name:ident: $number:ty,)*) => {
        $(fn $name(self, value: $number) -> Result<(), Unsaid> { self.say(Token::Signed(value.into())) })*
    };
}

impl<'a> Serializer for &'a mut Writer {
    type Ok = ();
    type Error = Unsaid;
    type SerializeSeq = Row<'a>;
    type SerializeTuple = Row<'a>;
    type SerializeTupleStruct = Row<'a>;
    type SerializeTupleVariant = Row<'a>;
    type SerializeMap = serde::ser::Impossible<(), Unsaid>;
    type SerializeStruct = Row<'a>;
    type SerializeStructVariant = Row<'a>;

    numbers! { serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, }
    signed! { serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64, }

    fn is_human_readable(&self) -> bool {
        false
    }

    fn serialize_bool(self, value: bool) -> Result<(), Unsaid> {
        self.say(Token::Bool(value))
    }

    fn serialize_f32(self, _: f32) -> Result<(), Unsaid> {
        Err(Unsaid)
    }

    fn serialize_f64(self, value: f64) -> Result<(), Unsaid> {
        let micros = Rate::per_second(value).ok().filter(|rate| rate.as_f64().to_bits() == value.to_bits());
        self.say(micros.map_or(Token::Float(value.to_bits()), |rate| Token::Micros(rate.as_micros())))
    }

    fn serialize_char(self, _: char) -> Result<(), Unsaid> {
        Err(Unsaid)
    }

    /// The only text in a state is a duration that is not a whole number of seconds.
    fn serialize_str(self, text: &str) -> Result<(), Unsaid> {
        let span = span::parse(text).ok_or(Unsaid)?;
        if span::text(nanos(span)).as_deref() == Some(text) { self.say(Token::Span(nanos(span))) } else { Err(Unsaid) }
    }

    fn serialize_bytes(self, _: &[u8]) -> Result<(), Unsaid> {
        Err(Unsaid)
    }

    fn serialize_none(self) -> Result<(), Unsaid> {
        self.say(Token::None)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Unsaid> {
        self.say(Token::Some)?;
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Unsaid> {
        self.say(Token::None)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Unsaid> {
        self.say(Token::None)
    }

    fn serialize_unit_variant(self, _: &'static str, variant: u32, _: &'static str) -> Result<(), Unsaid> {
        self.say(Token::Unit(variant))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), Unsaid> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        variant: u32,
        _: &'static str,
        value: &T,
    ) -> Result<(), Unsaid> {
        self.say(Token::Variant(variant))?;
        value.serialize(self)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Row<'a>, Unsaid> {
        Ok(self.row())
    }

    fn serialize_tuple(self, _: usize) -> Result<Row<'a>, Unsaid> {
        Ok(self.row())
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Row<'a>, Unsaid> {
        Ok(self.row())
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        variant: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Row<'a>, Unsaid> {
        self.say(Token::Variant(variant))?;
        Ok(self.row())
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, Unsaid> {
        Err(Unsaid)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Row<'a>, Unsaid> {
        Ok(self.row())
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        variant: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Row<'a>, Unsaid> {
        self.say(Token::Variant(variant))?;
        Ok(self.row())
    }
}

macro_rules! rows {
    ($($kind:ident: $method:ident,)*) => {
        $(impl $kind for Row<'_> {
            type Ok = ();
            type Error = Unsaid;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unsaid> {
                self.element(value)
            }

            fn end(self) -> Result<(), Unsaid> {
                self.close()
            }
        })*
    };
}

rows! {
    SerializeSeq: serialize_element,
    SerializeTuple: serialize_element,
    SerializeTupleStruct: serialize_field,
    SerializeTupleVariant: serialize_field,
}

macro_rules! structs {
    ($($kind:ident,)*) => {
        $(impl $kind for Row<'_> {
            type Ok = ();
            type Error = Unsaid;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, _: &'static str, value: &T) -> Result<(), Unsaid> {
                self.element(value)
            }

            fn skip_field(&mut self, _: &'static str) -> Result<(), Unsaid> {
                self.length = self.length.saturating_add(1);
                self.writer.say(Token::Missing)
            }

            fn end(self) -> Result<(), Unsaid> {
                self.close()
            }
        })*
    };
}

structs! { SerializeStruct, SerializeStructVariant, }

struct Reader<'a> {
    tokens: &'a [Token],
}

impl Reader<'_> {
    fn next(&mut self) -> Result<Token, Unsaid> {
        let (first, rest) = self.tokens.split_first().ok_or(Unsaid)?;
        self.tokens = rest;
        Ok(*first)
    }

    fn row(&mut self) -> Result<u32, Unsaid> {
        if let Token::Row(length) = self.next()? { Ok(length) } else { Err(Unsaid) }
    }
}

impl<'de> Deserializer<'de> for &mut Reader<'_> {
    type Error = Unsaid;

    fn is_human_readable(&self) -> bool {
        false
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unsaid> {
        match self.next()? {
            Token::None => visitor.visit_unit(),
            Token::Some => visitor.visit_some(self),
            Token::Bool(value) => visitor.visit_bool(value),
            Token::Number(value) => visitor.visit_u64(value),
            Token::Signed(value) => visitor.visit_i64(value),
            Token::Micros(micros) => visitor.visit_f64(Rate::from_micros(micros).as_f64()),
            Token::Float(bits) => visitor.visit_f64(f64::from_bits(bits)),
            Token::Span(nanos) => visitor.visit_str(&span::text(nanos).ok_or(Unsaid)?),
            Token::Row(length) => visitor.visit_seq(Elements { reader: self, left: length, field: 0 }),
            Token::Missing | Token::Unit(_) | Token::Variant(_) => Err(Unsaid),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unsaid> {
        match self.next()? {
            Token::None => visitor.visit_none(),
            Token::Some => visitor.visit_some(self),
            _ => Err(Unsaid),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Unsaid> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unsaid> {
        let left = self.row()?;
        visitor.visit_map(Elements { reader: self, left, field: 0 })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unsaid> {
        match self.next()? {
            Token::Unit(variant) | Token::Variant(variant) => visitor.visit_enum(Chosen { reader: self, variant }),
            _ => Err(Unsaid),
        }
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map identifier ignored_any
    }
}

struct Elements<'a, 'b> {
    reader: &'a mut Reader<'b>,
    left: u32,
    /// The number of the next field.
    field: u32,
}

impl<'de> SeqAccess<'de> for Elements<'_, '_> {
    type Error = Unsaid;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Unsaid> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        seed.deserialize(&mut *self.reader).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        usize::try_from(self.left).ok()
    }
}

impl<'de> MapAccess<'de> for Elements<'_, '_> {
    type Error = Unsaid;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Unsaid> {
        while let Some(left) = self.left.checked_sub(1) {
            let field = self.field;
            (self.left, self.field) = (left, field.saturating_add(1));
            if self.reader.tokens.first() == Some(&Token::Missing) {
                self.reader.next()?;
                continue;
            }
            let key: U32Deserializer<Unsaid> = field.into_deserializer();
            return seed.deserialize(key).map(Some);
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Unsaid> {
        seed.deserialize(&mut *self.reader)
    }
}

struct Chosen<'a, 'b> {
    reader: &'a mut Reader<'b>,
    variant: u32,
}

impl<'de> EnumAccess<'de> for Chosen<'_, '_> {
    type Error = Unsaid;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Unsaid> {
        let variant: U32Deserializer<Unsaid> = self.variant.into_deserializer();
        Ok((seed.deserialize(variant)?, self))
    }
}

impl<'de> VariantAccess<'de> for Chosen<'_, '_> {
    type Error = Unsaid;

    fn unit_variant(self) -> Result<(), Unsaid> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Unsaid> {
        seed.deserialize(self.reader)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Unsaid> {
        let left = self.reader.row()?;
        visitor.visit_seq(Elements { reader: self.reader, left, field: 0 })
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, Unsaid> {
        let left = self.reader.row()?;
        visitor.visit_map(Elements { reader: self.reader, left, field: 0 })
    }
}
