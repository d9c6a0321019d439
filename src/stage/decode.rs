//! A serde deserializer over `Node` whose errors know the path of what is wrong.

use serde::de::{
    self, DeserializeOwned, DeserializeSeed, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use crate::base::node::{Key, Node, NodeValue};

/// Why a node does not decode.
#[derive(Debug)]
pub(super) struct Error {
    /// The part that is wrong; of an unknown or missing key, the map.
    pub(super) path: String,
    pub(super) what: What,
    /// Whether an unknown name is a choice, not a key.
    pub(super) is_variant: bool,
}

#[derive(Debug)]
pub(super) enum What {
    Unknown { name: String, expected: Vec<&'static str> },
    Missing(String),
    Other(String),
}

impl Error {
    fn other(message: impl Into<String>) -> Self {
        Self { path: String::new(), what: What::Other(message.into()), is_variant: false }
    }

    fn expected(what: &str, found: &Node) -> Self {
        Self::other(format!("expected {what}, found {}", found.describe()))
    }

    fn below(mut self, segment: &str) -> Self {
        self.path = match self.path.as_str() {
            "" => segment.to_owned(),
            path if path.starts_with('[') => format!("{segment}{path}"),
            path => format!("{segment}.{path}"),
        };
        self
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.what {
            What::Unknown { name, .. } => write!(f, "unknown `{name}`"),
            What::Missing(field) => write!(f, "`{field}` is missing"),
            What::Other(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for Error {}

impl de::Error for Error {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self::other(message.to_string())
    }

    fn invalid_type(unexpected: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::other(format!("expected {expected}, found {unexpected}"))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self {
            path: String::new(),
            what: What::Unknown { name: field.into(), expected: expected.to_vec() },
            is_variant: false,
        }
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self {
            path: String::new(),
            what: What::Unknown { name: variant.into(), expected: expected.to_vec() },
            is_variant: true,
        }
    }

    fn missing_field(field: &'static str) -> Self {
        Self { path: String::new(), what: What::Missing(field.into()), is_variant: false }
    }
}

/// Decodes a node.
pub(super) fn from_node<T: DeserializeOwned>(node: &Node) -> Result<T, Error> {
    T::deserialize(Source(node))
}

macro_rules! whole_numbers {
    ($($method:ident $visit:ident $type:ty, $what:literal;)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            match &self.0.value {
                NodeValue::Int(value) => match <$type>::try_from(*value) {
                    Ok(value) => visitor.$visit(value),
                    Err(_) => Err(Error::expected($what, self.0)),
                },
                // `1.0e3` is a whole number to a person.
                #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and small")]
                NodeValue::Float(value) if value.fract() == 0.0 && value.abs() < 9.0e15 => {
                    match <$type>::try_from(*value as i64) {
                        Ok(value) => visitor.$visit(value),
                        Err(_) => Err(Error::expected($what, self.0)),
                    }
                }
                _ => Err(Error::expected($what, self.0)),
            }
        })*
    };
}

/// The node as a deserializer; a type of its own keeps the error private.
struct Source<'de>(&'de Node);

impl<'de> de::Deserializer<'de> for Source<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.0.value {
            NodeValue::Null => visitor.visit_unit(),
            NodeValue::Bool(value) => visitor.visit_bool(*value),
            NodeValue::Int(value) => visitor.visit_i64(*value),
            NodeValue::Float(value) => visitor.visit_f64(*value),
            NodeValue::String(text) => visitor.visit_borrowed_str(text),
            NodeValue::List(items) => visitor.visit_seq(Items { items: items.iter(), index: 0 }),
            NodeValue::Map(entries) => visitor.visit_map(Entries { entries: entries.iter(), current: None }),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.0.value {
            NodeValue::Bool(value) => visitor.visit_bool(*value),
            _ => Err(Error::expected("`true` or `false`", self.0)),
        }
    }

    whole_numbers! {
        deserialize_i8 visit_i8 i8, "a whole number from -128 to 127";
        deserialize_i16 visit_i16 i16, "a whole number";
        deserialize_i32 visit_i32 i32, "a whole number";
        deserialize_i64 visit_i64 i64, "a whole number";
        deserialize_u8 visit_u8 u8, "a whole number from 0 to 255";
        deserialize_u16 visit_u16 u16, "a whole number that is not negative";
        deserialize_u32 visit_u32 u32, "a whole number that is not negative";
        deserialize_u64 visit_u64 u64, "a whole number that is not negative";
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.0.value {
            #[expect(clippy::cast_precision_loss, reason = "what a person writes is small")]
            NodeValue::Int(value) => visitor.visit_f64(*value as f64),
            NodeValue::Float(value) if value.is_finite() => visitor.visit_f64(*value),
            _ => Err(Error::expected("a number", self.0)),
        }
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.0.value {
            NodeValue::String(text) => visitor.visit_borrowed_str(text),
            _ => Err(Error::expected("a text", self.0)),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.0.value {
            NodeValue::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.0.value {
            NodeValue::Null => visitor.visit_unit(),
            _ => Err(Error::expected("nothing", self.0)),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.0.value {
            NodeValue::List(items) => visitor.visit_seq(Items { items: items.iter(), index: 0 }),
            _ => Err(Error::expected("a list", self.0)),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Error> {
        match &self.0.value {
            NodeValue::List(items) if items.len() == len => visitor.visit_seq(Items { items: items.iter(), index: 0 }),
            _ => Err(Error::expected(&format!("a list of {len}"), self.0)),
        }
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.0.value {
            NodeValue::Map(entries) => visitor.visit_map(Entries { entries: entries.iter(), current: None }),
            // `with:` with nothing below it.
            NodeValue::Null => visitor.visit_map(Entries { entries: [].iter(), current: None }),
            _ => Err(Error::expected("a map", self.0)),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match &self.0.value {
            NodeValue::String(name) => visitor.visit_enum(Choice { name, content: None }),
            NodeValue::Map(entries) if entries.len() == 1 => {
                let (key, node) = &entries[0];
                visitor.visit_enum(Choice { name: &key.name, content: Some(node) })
            }
            NodeValue::Map(_) => Err(Error::other(format!(
                "expected a map with one key, one of {}",
                crate::base::plural::list(variants)
            ))),
            _ => Err(Error::expected(&format!("one of {}", crate::base::plural::list(variants)), self.0)),
        }
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }
}

struct Items<'de> {
    items: std::slice::Iter<'de, Node>,
    index: usize,
}

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        let item = loop {
            let Some(item) = self.items.next() else { return Ok(None) };
            self.index += 1;
            if !item.is_gone() {
                break item;
            }
        };
        seed.deserialize(Source(item)).map(Some).map_err(|error| error.below(&format!("[{}]", self.index - 1)))
    }
}

struct Entries<'de> {
    entries: std::slice::Iter<'de, (Key, Node)>,
    current: Option<(&'de Key, &'de Node)>,
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let Some((key, node)) = self.entries.next() else { return Ok(None) };
        self.current = Some((key, node));
        seed.deserialize(key.name.as_str().into_deserializer()).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let (key, node) = self.current.take().expect("serde asks for the key first");
        seed.deserialize(Source(node)).map_err(|error| error.below(&key.name))
    }
}

struct Choice<'de> {
    name: &'de str,
    content: Option<&'de Node>,
}

impl<'de> EnumAccess<'de> for Choice<'de> {
    type Error = Error;
    type Variant = Content<'de>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Content<'de>), Error> {
        let variant = seed.deserialize(self.name.into_deserializer()).map_err(|mut error: Error| {
            // `{uppercase: …}`: what is wrong is the key, below the map that the choice is written as.
            error.is_variant = true;
            error
        })?;
        Ok((variant, Content { name: self.name, node: self.content }))
    }
}

struct Content<'de> {
    name: &'de str,
    node: Option<&'de Node>,
}

impl<'de> Content<'de> {
    fn node(&self) -> Result<&'de Node, Error> {
        self.node.ok_or_else(|| Error::other(format!("`{0}` needs a value: `{{{0}: …}}`", self.name)))
    }
}

impl<'de> VariantAccess<'de> for Content<'de> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        match self.node.map(|node| &node.value) {
            None | Some(NodeValue::Null) => Ok(()),
            Some(NodeValue::Map(entries)) if entries.is_empty() => Ok(()),
            Some(_) => Err(Error::other(format!("`{}` takes no value", self.name))),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        // A bare name stands for its defaults: `- html` is `- html: {}`.
        static EMPTY: Node =
            Node { span: crate::base::span::Span { start: 0, end: 0 }, value: NodeValue::Map(Vec::new()) };
        let node = self.node.unwrap_or(&EMPTY);
        seed.deserialize(Source(node)).map_err(|error| error.below(self.name))
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Error> {
        de::Deserializer::deserialize_tuple(Source(self.node()?), len, visitor).map_err(|error| error.below(self.name))
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, Error> {
        de::Deserializer::deserialize_map(Source(self.node()?), visitor).map_err(|error| error.below(self.name))
    }
}
