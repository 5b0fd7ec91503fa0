//! What a manifest says that has no effect or must not be seen: unknown fields, fields not enforced, secrets;
//! and the canonical form of values.

use serde_json::{Map, Number, Value};

use super::object::Kind;
use super::schema::{Struct, Type};
use super::validate::child;
use super::value::{ByteString, Duration, MicroTime, Quantity, Time};

/// A field that the kind does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownField {
    /// Where it stands, for example `spec.template.spec.containers[0].imagePullPolcy`.
    pub path: String,
    /// The field that was probably meant.
    pub nearest: Option<&'static str>,
}

impl std::fmt::Display for UnknownField {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "unknown field \"{}\"", self.path)?;
        self.nearest.map_or(Ok(()), |nearest| write!(f, ", did you mean `{nearest}`?"))
    }
}

/// Lists the fields that the kind does not have, in the order of the document.
pub fn unknown_fields(kind: &Kind, value: &Value) -> Vec<UnknownField> {
    let mut found = Vec::new();
    unknown("", &Type::Struct(kind.root), value, &mut found);
    found
}

fn unknown(path: &str, ty: &Type, value: &Value, found: &mut Vec<UnknownField>) {
    match (ty, value) {
        (Type::Struct(inner), Value::Object(map)) => {
            let structure = inner();
            for (name, item) in map {
                let here = child(path, name);
                match structure.field(name) {
                    Some(field) => unknown(&here, &field.ty, item, found),
                    None if path.is_empty() && matches!(name.as_str(), "apiVersion" | "kind") => {}
                    None => found.push(UnknownField { path: here, nearest: nearest(name, structure) }),
                }
            }
        }
        (Type::List(inner), Value::Array(items)) => {
            for (index, item) in items.iter().enumerate() {
                unknown(&format!("{path}[{index}]"), inner, item, found);
            }
        }
        (Type::Map(inner), Value::Object(map)) => {
            for (key, item) in map {
                unknown(&format!("{path}[{key}]"), inner, item, found);
            }
        }
        _ => {}
    }
}

/// Returns the field whose name is closest, if it is close enough to be what was meant.
fn nearest(name: &str, structure: &Struct) -> Option<&'static str> {
    let names = structure.fields.iter().map(|field| field.name);
    let (distance, best) = names.map(|known| (distance(name, known), known)).min_by_key(|(distance, _)| *distance)?;
    (distance <= name.chars().count().max(3) / 3).then_some(best)
}

/// Returns how many letters must be changed, added, dropped or swapped with their neighbour; case does not count.
fn distance(left: &str, right: &str) -> usize {
    let letters = |text: &str| text.chars().take(64).map(|letter| letter.to_ascii_lowercase()).collect::<Vec<_>>();
    let (left, right) = (letters(left), letters(right));
    let mut rows = vec![vec![0; right.len() + 1]; left.len() + 1];
    for (index, row) in rows.iter_mut().enumerate() {
        row[0] = index;
    }
    for (index, cell) in rows[0].iter_mut().enumerate() {
        *cell = index;
    }
    for i in 1..=left.len() {
        for j in 1..=right.len() {
            let same = usize::from(left[i - 1] != right[j - 1]);
            let mut best = (rows[i - 1][j] + 1).min(rows[i][j - 1] + 1).min(rows[i - 1][j - 1] + same);
            if i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[left.len()][right.len()]
}

/// Lists the fields in use that have no effect, as `path: stored, not enforced: why`.
///
/// A field counts as in use when it says something: not null, false, zero, empty, or its default. So the list is
/// the same before and after defaulting, but for defaults that a kind computes.
pub fn warnings(kind: &Kind, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    not_enforced("", &Type::Struct(kind.root), value, &mut found);
    found
}

fn not_enforced(path: &str, ty: &Type, value: &Value, found: &mut Vec<String>) {
    match (ty, value) {
        (Type::Struct(inner), Value::Object(map)) => {
            for field in inner().fields {
                let Some(item) = map.get(field.name).filter(|item| says_something(item)) else {
                    continue;
                };
                let path = child(path, field.name);
                // A status is written by controllers; nobody is to be warned of it.
                if path == "status" {
                    continue;
                }
                match field.not_enforced {
                    Some(why) => {
                        let default = field.default.and_then(|default| serde_json::from_str::<Value>(default).ok());
                        if default.as_ref() != Some(item) {
                            found.push(format!("{path}: stored, not enforced: {why}"));
                        }
                    }
                    None => not_enforced(&path, &field.ty, item, found),
                }
            }
        }
        (Type::List(inner), Value::Array(items)) => {
            for (index, item) in items.iter().enumerate() {
                not_enforced(&format!("{path}[{index}]"), inner, item, found);
            }
        }
        (Type::Map(inner), Value::Object(map)) => {
            for (key, item) in map {
                not_enforced(&format!("{path}[{key}]"), inner, item, found);
            }
        }
        _ => {}
    }
}

fn says_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(set) => *set,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(_) => true,
    }
}

/// What stands in for a secret value.
pub const MASKED: &str = "(sensitive)";
/// What stands in for a secret value before it changed.
pub const MASKED_BEFORE: &str = "(sensitive, before)";
/// What stands in for a secret value after it changed.
pub const MASKED_AFTER: &str = "(sensitive, after)";

/// Replaces secret values by [`MASKED`]; keys stay.
pub fn mask(kind: &Kind, value: &mut Value) {
    let mut other = value.clone();
    mask_change(kind, value, &mut other);
}

/// Replaces secret values of two states of an object, so that equal ones show equal and changed ones changed.
///
/// The marks do not depend on the values: a hash of a short secret would give it away.
pub fn mask_change(kind: &Kind, old: &mut Value, new: &mut Value) {
    mask_pair(&Type::Struct(kind.root), Some(old), Some(new), false);
    // A manifest that `kubectl apply` has seen carries a copy of itself.
    for value in [old, new] {
        if has_sensitive((kind.root)())
            && let Some(copy) =
                value.pointer_mut("/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration")
        {
            *copy = Value::String(MASKED.to_owned());
        }
    }
}

fn has_sensitive(structure: &Struct) -> bool {
    structure.fields.iter().any(|field| field.sensitive)
}

fn mask_pair(ty: &Type, old: Option<&mut Value>, new: Option<&mut Value>, sensitive: bool) {
    if sensitive && !both_objects(old.as_deref(), new.as_deref()) {
        return mask_leaf(old, new);
    }
    match ty {
        Type::Struct(inner) => {
            let (mut old, mut new) = (old.and_then(Value::as_object_mut), new.and_then(Value::as_object_mut));
            for field in inner().fields {
                let before = old.as_mut().and_then(|map| map.get_mut(field.name));
                let after = new.as_mut().and_then(|map| map.get_mut(field.name));
                if before.is_some() || after.is_some() {
                    mask_pair(&field.ty, before, after, sensitive || field.sensitive);
                }
            }
        }
        Type::Map(inner) => {
            let (mut old, mut new) = (old.and_then(Value::as_object_mut), new.and_then(Value::as_object_mut));
            let names = |map: &Option<&mut Map<String, Value>>| {
                map.iter().flat_map(|map| map.keys().cloned()).collect::<Vec<_>>()
            };
            let mut keys = names(&old);
            keys.extend(names(&new).into_iter().filter(|key| old.as_ref().is_none_or(|map| !map.contains_key(key))));
            for key in keys {
                let before = old.as_mut().and_then(|map| map.get_mut(&key));
                mask_pair(inner, before, new.as_mut().and_then(|map| map.get_mut(&key)), sensitive);
            }
        }
        Type::List(inner) => {
            let mut old = old.and_then(Value::as_array_mut).map_or(&mut [][..], Vec::as_mut_slice).iter_mut();
            let mut new = new.and_then(Value::as_array_mut).map_or(&mut [][..], Vec::as_mut_slice).iter_mut();
            loop {
                let (before, after) = (old.next(), new.next());
                if before.is_none() && after.is_none() {
                    break;
                }
                mask_pair(inner, before, after, sensitive);
            }
        }
        _ => {}
    }
}

/// Whether the values are objects as far as they are there, so that their keys can be told apart.
fn both_objects(old: Option<&Value>, new: Option<&Value>) -> bool {
    old.into_iter().chain(new).all(Value::is_object)
}

fn mask_leaf(old: Option<&mut Value>, new: Option<&mut Value>) {
    let text = |text: &str| Value::String(text.to_owned());
    match (old, new) {
        (Some(old), Some(new)) if old != new => (*old, *new) = (text(MASKED_BEFORE), text(MASKED_AFTER)),
        (old, new) => old.into_iter().chain(new).for_each(|value| *value = text(MASKED)),
    }
}

/// Writes quantities, times, durations and bytes canonically, so that equal values are equal texts. What does not
/// parse stays as it is.
pub fn canonical(kind: &Kind, value: &mut Value) {
    canonical_value(&Type::Struct(kind.root), value);
}

fn canonical_value(ty: &Type, value: &mut Value) {
    match (ty, &mut *value) {
        (Type::Struct(inner), Value::Object(map)) => {
            let structure = inner();
            for (name, item) in map {
                if let Some(field) = structure.field(name) {
                    canonical_value(&field.ty, item);
                }
            }
        }
        (Type::List(inner), Value::Array(items)) => items.iter_mut().for_each(|item| canonical_value(inner, item)),
        (Type::Map(inner), Value::Object(map)) => map.values_mut().for_each(|item| canonical_value(inner, item)),
        (Type::Int32 | Type::Int64, Value::Number(number)) => {
            // `3.0` is 3 to kubectl; beyond 2^53 a float no longer tells integers apart.
            if let Some(float) =
                number.as_f64().filter(|float| number.is_f64() && float.fract() == 0.0 && float.abs() < 9e15)
            {
                *number = Number::from(float as i64);
            }
        }
        (Type::Quantity, Value::String(_) | Value::Number(_)) => rewrite::<Quantity>(value),
        (Type::Time, Value::String(_)) => rewrite::<Time>(value),
        (Type::MicroTime, Value::String(_)) => rewrite::<MicroTime>(value),
        (Type::Duration, Value::String(_)) => rewrite::<Duration>(value),
        (Type::Bytes, Value::String(_)) => rewrite::<ByteString>(value),
        _ => {}
    }
}

fn rewrite<T: serde::de::DeserializeOwned + std::fmt::Display>(value: &mut Value) {
    if let Ok(parsed) = serde_json::from_value::<T>(value.clone()) {
        *value = Value::String(parsed.to_string());
    }
}
