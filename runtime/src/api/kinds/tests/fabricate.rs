//! Makes a value of any type that can be deserialised from a map of known fields, with every field set.
//!
//! A `k8s-openapi` struct names its fields when it asks to be deserialised, so this finds all of them, and no list of
//! fields is kept here.

use serde::de::value::{Error, StrDeserializer};
use serde::de::{DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor};

/// A source that answers every question with a value.
#[derive(Clone, Copy)]
pub struct Fabricate {
    /// `apiVersion` and `kind` of the outermost object.
    pub root: Option<(&'static str, &'static str)>,
    /// Whether numbers are 0 and booleans false, which Go leaves out and Rust must not.
    pub zero: bool,
    /// What a text stands for.
    pub text: Text,
}

/// What a text stands for.
#[derive(Clone, Copy, PartialEq)]
pub enum Text {
    Plain,
    ApiVersion,
    Kind,
    Quantity,
    Time,
    MicroTime,
    Bytes,
    FieldsV1,
    Nothing,
}

impl Fabricate {
    fn answer(self) -> &'static str {
        match (self.text, self.root) {
            (Text::ApiVersion, Some((version, _))) => version,
            (Text::Kind, Some((_, kind))) => kind,
            (Text::Quantity, _) => "1500m",
            (Text::Time, _) => "2026-01-31T09:00:00Z",
            (Text::MicroTime, _) => "2026-01-31T09:00:00.000001Z",
            (Text::Bytes, _) => "AAEC",
            _ => "text",
        }
    }
    fn inner(self, text: Text) -> Self {
        Self { root: None, text, ..self }
    }
}

macro_rules! numbers {
    ($($method:ident => $visit:ident),*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            visitor.$visit(if self.zero { 0 } else { 7 })
        })*
    };
}

impl<'de> Deserializer<'de> for Fabricate {
    type Error = Error;

    numbers! {
        deserialize_i8 => visit_i8, deserialize_i16 => visit_i16, deserialize_i32 => visit_i32, deserialize_i64 => visit_i64,
        deserialize_u8 => visit_u8, deserialize_u16 => visit_u16, deserialize_u32 => visit_u32, deserialize_u64 => visit_u64
    }
    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_bool(!self.zero)
    }
    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_f64(0.5)
    }
    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_f32(0.5)
    }
    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_char('c')
    }
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_str(self.answer())
    }
    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_str(self.answer())
    }
    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_bytes(b"bytes")
    }
    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_bytes(b"bytes")
    }
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }
    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }
    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }
    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Error> {
        let text = match name {
            "Quantity" => Text::Quantity,
            "Time" => Text::Time,
            "MicroTime" => Text::MicroTime,
            "FieldsV1" => Text::FieldsV1,
            // A type without fields, which is kept as any JSON.
            _ => Text::Nothing,
        };
        visitor.visit_newtype_struct(self.inner(text))
    }
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(One(Some(self)))
    }
    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }
    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_map(Fields { from: self, names: &["key"], current: "key" })
    }
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_map(Fields { from: self, names, current: "" })
    }
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Error> {
        Err(serde::de::Error::custom(format!("no enum such as `{name}` is expected")))
    }
    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_str("key")
    }
    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.text {
            // Any JSON: a trie of fields.
            Text::FieldsV1 => {
                visitor.visit_map(Fields { from: self.inner(Text::Plain), names: &["f:spec"], current: "" })
            }
            Text::Quantity => visitor.visit_str(self.answer()),
            Text::Nothing => visitor.visit_map(Fields { from: self, names: &[], current: "" }),
            // A number or a text.
            _ if self.zero => visitor.visit_str("25%"),
            _ => visitor.visit_i32(7),
        }
    }
}

struct One(Option<Fabricate>);

impl<'de> SeqAccess<'de> for One {
    type Error = Error;
    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        self.0.take().map(|from| seed.deserialize(from.inner(from.text))).transpose()
    }
}

struct Fields {
    from: Fabricate,
    names: &'static [&'static str],
    current: &'static str,
}

impl<'de> MapAccess<'de> for Fields {
    type Error = Error;
    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let Some((name, rest)) = self.names.split_first() else {
            return Ok(None);
        };
        (self.current, self.names) = (name, rest);
        let key: StrDeserializer<'_, Error> = name.into_deserializer();
        seed.deserialize(key).map(Some)
    }
    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let from = match (self.current, self.from.root) {
            ("apiVersion", Some(_)) => Fabricate { text: Text::ApiVersion, ..self.from },
            ("kind", Some(_)) => Fabricate { text: Text::Kind, ..self.from },
            // Only the values in the data of a ConfigMap or Secret may be bytes; a plain text does not ask twice.
            ("data" | "binaryData", _) => self.from.inner(Text::Bytes),
            ("key", None) => self.from,
            _ => self.from.inner(Text::Plain),
        };
        seed.deserialize(from)
    }
}
