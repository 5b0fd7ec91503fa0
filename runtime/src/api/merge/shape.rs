//! How a value is walked: which parts are told apart, which are one leaf, and when two values mean the same.
//!
//! The only place where merging and diffing look at a schema. Never changes a value.

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::fieldset::{Element, Scalar};
use crate::api::object::Kind;
use crate::api::schema::{Field, ListKind, Struct, Type};
use crate::api::value::{Duration, Quantity, Timestamp};

/// A place in a schema.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    /// The type of the values that stand here.
    pub(crate) ty: Type,
    /// How a list that stands here merges.
    pub(crate) list: ListKind,
    /// Whether the value is owned as a whole.
    pub(crate) atomic: bool,
    /// Whether the value is secret.
    pub(crate) sensitive: bool,
}

/// What a walk does with a value.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    /// One value, changed as a whole.
    Leaf,
    /// An object whose declared fields are told apart.
    Struct(&'static Struct),
    /// An object with free keys; the slot is that of every value.
    Map(Slot),
    /// A list of distinct scalars.
    Set,
    /// A list whose items are told apart by key fields.
    Keyed(Keys),
}

/// The identity of a list's items.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keys {
    /// The fields that identify an item.
    pub(crate) names: &'static [&'static str],
    /// The field that identifies an item in a strategic merge patch; empty for none.
    pub(crate) patch_key: &'static str,
    /// The slot of every item.
    pub(crate) item: Slot,
}

impl Slot {
    /// The slot of a value that no declaration covers: maps merge, lists are leaves.
    pub(crate) const ANY: Self = Self { ty: Type::Any, list: ListKind::Atomic, atomic: false, sensitive: false };

    /// Returns the slot of a whole object.
    pub(crate) fn root(kind: &Kind) -> Self {
        Self { ty: Type::Struct(kind.root), ..Self::ANY }
    }

    /// Returns the slot of a declared field; a secret struct's fields are secret.
    pub(crate) fn field(self, field: &Field) -> Self {
        Self { ty: field.ty, list: field.list, atomic: field.atomic, sensitive: self.sensitive || field.sensitive }
    }

    /// Returns the slot of the field with this name, [`Slot::ANY`] where none is declared.
    pub(crate) fn member(self, of: &Struct, name: &str) -> Self {
        of.field(name).map_or(Self { sensitive: self.sensitive, ..Self::ANY }, |field| self.field(field))
    }

    /// Returns the slot of the items of a list or the values of a map of this type.
    pub(crate) fn item(self, ty: &Type) -> Self {
        Self { ty: *ty, sensitive: self.sensitive, ..Self::ANY }
    }

    /// Returns how to walk these values together; any of another JSON type than declared makes them one leaf.
    pub(crate) fn shape(self, values: [Option<&Value>; 2]) -> Shape {
        let all = |accept: fn(&Value) -> bool| values.into_iter().flatten().all(accept);
        match self.ty {
            Type::Struct(of) if !self.atomic && !of().atomic && all(Value::is_object) => Shape::Struct(of()),
            Type::Map(value) if !self.atomic && all(Value::is_object) => Shape::Map(self.item(value)),
            Type::Any if !self.atomic && all(Value::is_object) => Shape::Map(self.item(&Type::Any)),
            Type::List(item) if all(Value::is_array) => match self.list {
                ListKind::Atomic => Shape::Leaf,
                ListKind::Set => Shape::Set,
                ListKind::Map { keys, patch_key } => {
                    Shape::Keyed(Keys { names: keys, patch_key, item: self.item(item) })
                }
            },
            _ => Shape::Leaf,
        }
    }

    /// Whether two values mean the same: quantities, times and numbers by value, an absent field like a null one.
    pub(crate) fn same(self, a: &Value, b: &Value) -> bool {
        if a == b {
            return true;
        }
        match (self.ty, a, b) {
            (Type::Struct(of), Value::Object(a), Value::Object(b)) => same_maps(a, b, |name| self.member(of(), name)),
            (Type::Map(item), Value::Object(a), Value::Object(b)) => same_maps(a, b, |_| self.item(item)),
            (Type::Any, Value::Object(a), Value::Object(b)) => same_maps(a, b, |_| Self::ANY),
            (Type::List(item), Value::Array(a), Value::Array(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| self.item(item).same(a, b))
            }
            _ => same_scalars(self.ty, a, b),
        }
    }
}

fn same_maps(a: &Map<String, Value>, b: &Map<String, Value>, slot: impl Fn(&str) -> Slot) -> bool {
    a.keys()
        .chain(b.keys().filter(|name| !a.contains_key(*name)))
        .all(|name| slot(name).same(a.get(name).unwrap_or(&Value::Null), b.get(name).unwrap_or(&Value::Null)))
}

fn same_scalars(ty: Type, a: &Value, b: &Value) -> bool {
    match ty {
        Type::Int32 | Type::Int64 | Type::Number | Type::Any | Type::IntOrString => {
            matches!((a.as_f64(), b.as_f64()), (Some(a), Some(b)) if a == b)
        }
        Type::Quantity => same_parsed(parsed::<Quantity>(a), parsed::<Quantity>(b)),
        Type::Duration => same_parsed(parsed::<Duration>(a), parsed::<Duration>(b)),
        Type::Time | Type::MicroTime => same_parsed(time(a), time(b)),
        Type::Bytes => {
            let text = |value: &'_ Value| value.as_str().map(|text| text.split_ascii_whitespace().collect::<String>());
            same_parsed(text(a), text(b))
        }
        _ => false,
    }
}

fn same_parsed<T: PartialEq>(a: Option<T>, b: Option<T>) -> bool {
    a.is_some() && a == b
}

fn parsed<T: DeserializeOwned>(value: &Value) -> Option<T> {
    T::deserialize(value).ok()
}

fn time(value: &Value) -> Option<Timestamp> {
    value.as_str().and_then(|text| text.parse().ok())
}

impl Keys {
    /// Returns the element of an item. A key field that is absent takes its declared default (`protocol`: `TCP`).
    ///
    /// # Errors
    /// With the name of the key field that is absent and has no default.
    pub(crate) fn element(&self, item: &Value) -> Result<Element, &'static str> {
        let mut pairs = Vec::with_capacity(self.names.len());
        for &name in self.names {
            let scalar = match item.get(name) {
                Some(value) if !value.is_null() => Scalar::of(value),
                _ => self.default(name).ok_or(name)?,
            };
            pairs.push((Cow::Borrowed(name), scalar));
        }
        pairs.sort();
        Ok(Element::Key(pairs))
    }

    fn default(&self, name: &str) -> Option<Scalar> {
        let Type::Struct(of) = self.item.ty else { return None };
        of().field(name).and_then(|field| field.default).and_then(Scalar::from_json)
    }
}

/// Pairs the items of a list with their elements; an item without its key is told by its place.
pub(crate) fn elements(shape: Shape, list: &[Value]) -> Vec<(Element, &Value)> {
    list.iter().enumerate().map(|(place, item)| (element(shape, place, item), item)).collect()
}

/// Returns the element of one item of a list.
pub(crate) fn element(shape: Shape, place: usize, item: &Value) -> Element {
    match shape {
        Shape::Set => Element::Value(Scalar::of(item)),
        Shape::Keyed(keys) => keys.element(item).unwrap_or(Element::Index(place as u64)),
        _ => Element::Index(place as u64),
    }
}

/// Whether two lists have items of the same identity in the same places: then no identities need to be built.
pub(crate) fn aligned(shape: Shape, a: &[Value], b: &[Value]) -> bool {
    let Shape::Keyed(keys) = shape else { return false };
    let same = |a: &Value, b: &Value| keys.names.iter().all(|name| a.get(*name) == b.get(*name));
    let identified = |item: &Value| keys.names.first().is_some_and(|name| present(item.get(*name)).is_some());
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| identified(a) && same(a, b))
}

/// Returns the slot of the items of a list of this shape.
pub(crate) fn item_slot(shape: Shape) -> Slot {
    match shape {
        Shape::Keyed(keys) => keys.item,
        _ => Slot::ANY,
    }
}

/// Whether a value is absent in all but name.
pub(crate) fn present(value: Option<&Value>) -> Option<&Value> {
    value.filter(|value| !value.is_null())
}
