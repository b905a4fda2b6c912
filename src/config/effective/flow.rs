//! Writes a value on one line, as YAML has it: `{percent: 50, period: 60}`. JSON without most of the quotes.

use core::fmt::{self, Display, Formatter};

use serde::ser::{self, Serialize, Serializer};

/// Serialises into a formatter.
pub(super) struct Flow<'a, 'b>(pub(super) &'a mut Formatter<'b>);

/// A list or table that is being written.
pub(super) struct Items<'a, 'b> {
    f: &'a mut Formatter<'b>,
    first: bool,
    close: &'static str,
}

impl<'a, 'b> Flow<'a, 'b> {
    fn open(self, open: &str, close: &'static str) -> Result<Items<'a, 'b>, fmt::Error> {
        self.0.write_str(open)?;
        Ok(Items { f: self.0, first: true, close })
    }

    /// Opens the table of one entry that holds a variant's content.
    fn variant(self, name: &str, open: &str, close: &'static str) -> Result<Items<'a, 'b>, fmt::Error> {
        write!(self.0, "{{{name}: ")?;
        self.open(open, close)
    }
}

impl Items<'_, '_> {
    fn item(&mut self, value: &(impl Serialize + ?Sized)) -> fmt::Result {
        if !self.first {
            self.f.write_str(", ")?;
        }
        self.first = false;
        value.serialize(Flow(self.f))
    }

    fn value(&mut self, value: &(impl Serialize + ?Sized)) -> fmt::Result {
        self.f.write_str(": ")?;
        value.serialize(Flow(self.f))
    }

    fn close(self) -> fmt::Result {
        self.f.write_str(self.close)
    }
}

macro_rules! plain {
    ($($method:ident: $type:ty,)*) => {$(
        fn $method(self, value: $type) -> fmt::Result {
            Display::fmt(&value, self.0)
        }
    )*};
}

impl<'a, 'b> Serializer for Flow<'a, 'b> {
    type Ok = ();
    type Error = fmt::Error;
    type SerializeSeq = Items<'a, 'b>;
    type SerializeTuple = Items<'a, 'b>;
    type SerializeTupleStruct = Items<'a, 'b>;
    type SerializeTupleVariant = Items<'a, 'b>;
    type SerializeMap = Items<'a, 'b>;
    type SerializeStruct = Items<'a, 'b>;
    type SerializeStructVariant = Items<'a, 'b>;

    plain! {
        serialize_bool: bool,
        serialize_i8: i8,
        serialize_i16: i16,
        serialize_i32: i32,
        serialize_i64: i64,
        serialize_u8: u8,
        serialize_u16: u16,
        serialize_u32: u32,
        serialize_u64: u64,
        serialize_f32: f32,
        serialize_f64: f64,
        serialize_char: char,
    }

    fn serialize_str(self, text: &str) -> fmt::Result {
        self.0.write_str(text)
    }

    fn serialize_bytes(self, bytes: &[u8]) -> fmt::Result {
        bytes.serialize(self)
    }

    fn serialize_none(self) -> fmt::Result {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> fmt::Result {
        value.serialize(self)
    }

    fn serialize_unit(self) -> fmt::Result {
        self.0.write_str("null")
    }

    fn serialize_unit_struct(self, _: &'static str) -> fmt::Result {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> fmt::Result {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> fmt::Result {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> fmt::Result {
        let mut items = self.variant(variant, "", "}")?;
        items.item(value)?;
        items.close()
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Items<'a, 'b>, fmt::Error> {
        self.open("[", "]")
    }

    fn serialize_tuple(self, _: usize) -> Result<Items<'a, 'b>, fmt::Error> {
        self.open("[", "]")
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Items<'a, 'b>, fmt::Error> {
        self.open("[", "]")
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Items<'a, 'b>, fmt::Error> {
        self.variant(variant, "[", "]}")
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Items<'a, 'b>, fmt::Error> {
        self.open("{", "}")
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Items<'a, 'b>, fmt::Error> {
        self.open("{", "}")
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Items<'a, 'b>, fmt::Error> {
        self.variant(variant, "{", "}}")
    }
}

macro_rules! lists {
    ($($of:ident: $method:ident,)*) => {$(
        impl ser::$of for Items<'_, '_> {
            type Ok = ();
            type Error = fmt::Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> fmt::Result {
                self.item(value)
            }

            fn end(self) -> fmt::Result {
                self.close()
            }
        }
    )*};
}
lists! {
    SerializeSeq: serialize_element,
    SerializeTuple: serialize_element,
    SerializeTupleStruct: serialize_field,
    SerializeTupleVariant: serialize_field,
}

macro_rules! tables {
    ($($of:ident,)*) => {$(
        impl ser::$of for Items<'_, '_> {
            type Ok = ();
            type Error = fmt::Error;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> fmt::Result {
                self.item(name)?;
                self.value(value)
            }

            fn end(self) -> fmt::Result {
                self.close()
            }
        }
    )*};
}
tables! {
    SerializeStruct,
    SerializeStructVariant,
}

impl ser::SerializeMap for Items<'_, '_> {
    type Ok = ();
    type Error = fmt::Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> fmt::Result {
        self.item(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> fmt::Result {
        self.value(value)
    }

    fn end(self) -> fmt::Result {
        self.close()
    }
}
