//! Defaults by schema, then those that a kind computes from its other fields.

use serde_json::{Map, Value};

use super::object::Kind;
use super::schema::{Schema, Struct, Type};
use super::strict;
use super::validate::absent;

/// Sets what the object leaves open and writes its values canonically ([`strict::canonical`]).
///
/// Running it again changes nothing; a value of the wrong type is left alone. A Job gets selector and labels only once
/// it has its UID.
pub fn apply(kind: &Kind, value: &mut Value) {
    structure((kind.root)(), value);
    if let Some(default) = kind.default {
        default(value);
    }
    strict::canonical(kind, value);
}

/// Sets the declared defaults of a value of type `T`.
pub fn declared<T: Schema>(value: &mut Value) {
    walk(&T::TYPE, value);
}

/// Sets the value that a path of field names leads to and makes the objects on the way; does nothing where the
/// way is barred by something that is no object.
pub fn set(value: &mut Value, path: &[&str], new: Value) {
    let Some((name, rest)) = path.split_first() else {
        *value = new;
        return;
    };
    if value.is_null() {
        *value = Value::Object(Map::new());
    }
    if let Value::Object(map) = value {
        set(map.entry(*name).or_insert(Value::Null), rest, new);
    }
}

/// Sets a field of an object that is absent, null or empty; does nothing to what is no object.
pub fn fill(value: &mut Value, name: &str, new: impl Into<Value>) {
    if let Value::Object(map) = value
        && absent(map.get(name))
    {
        map.insert(name.to_owned(), new.into());
    }
}

fn structure(structure: &Struct, value: &mut Value) {
    let Value::Object(map) = value else { return };
    for field in structure.fields {
        if let Some(default) = field.default
            && absent(map.get(field.name))
        {
            let default = serde_json::from_str(default).expect("invariant: the derive checks that a default is JSON");
            map.insert(field.name.to_owned(), default);
        }
        if let Some(item) = map.get_mut(field.name) {
            walk(&field.ty, item);
        }
    }
}

fn walk(ty: &Type, value: &mut Value) {
    match (ty, value) {
        (Type::Struct(inner), value) => structure(inner(), value),
        (Type::List(inner), Value::Array(items)) => items.iter_mut().for_each(|item| walk(inner, item)),
        (Type::Map(inner), Value::Object(map)) => map.values_mut().for_each(|item| walk(inner, item)),
        _ => {}
    }
}
