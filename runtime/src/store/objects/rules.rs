//! The rules of a kind as the write path applies them.
//!
//! Responsible for: calling what the declaration of a kind says about defaults, values, unknown fields and ownership,
//! in one place. Holds no rule of its own but one: a field that is not declared is not stored.

use serde_json::Value;

use crate::api::merge::track_update;
use crate::api::{FieldError, Kind, Struct, Timestamp, Type, default, strict, validate};

/// Sets what the object leaves to its kind, and writes every value in its one canonical form.
pub(super) fn complete(kind: &'static Kind, value: &mut Value) {
    default::apply(kind, value);
    strict::canonical(kind, value);
}

/// Returns all mistakes in an object.
pub(super) fn check(kind: &'static Kind, value: &Value) -> Vec<FieldError> {
    validate::object(kind, value)
}

/// Returns all mistakes in a change.
pub(super) fn check_change(kind: &'static Kind, old: &Value, new: &Value) -> Vec<FieldError> {
    validate::update(kind, old, new)
}

/// Returns a sentence for each field that the kind does not declare.
pub(super) fn unknown(kind: &'static Kind, value: &Value) -> Vec<String> {
    let fields = strict::unknown_fields(kind, value);
    let text = |field: strict::UnknownField| match field.nearest {
        Some(nearest) => format!("unknown field \"{}\" (did you mean \"{nearest}\"?)", field.path),
        None => format!("unknown field \"{}\"", field.path),
    };
    fields.into_iter().map(text).collect()
}

/// Returns a sentence for each field in use that is stored and has no effect.
pub(super) fn not_enforced(kind: &'static Kind, value: &Value) -> Vec<String> {
    strict::warnings(kind, value)
}

/// Records who wrote which fields.
pub(super) fn track(
    old: Option<&Value>,
    new: &mut Value,
    kind: &'static Kind,
    manager: &str,
    subresource: Option<&str>,
    now: Timestamp,
) {
    track_update(old, new, kind, manager, subresource, now);
}

/// Removes the fields that the kind does not declare.
pub(super) fn remove_unknown(kind: &'static Kind, value: &mut Value) {
    prune_struct((kind.root)(), value, &["apiVersion", "kind"]);
}

fn prune_struct(declared: &'static Struct, value: &mut Value, also: &[&str]) {
    let Some(map) = value.as_object_mut() else { return };
    map.retain(|name, item| match declared.field(name) {
        Some(field) => {
            prune(field.ty, item);
            true
        }
        None => also.contains(&name.as_str()),
    });
}

fn prune(ty: Type, value: &mut Value) {
    match ty {
        Type::Struct(declared) => prune_struct(declared(), value, &[]),
        Type::List(item) => value.as_array_mut().into_iter().flatten().for_each(|entry| prune(*item, entry)),
        Type::Map(item) => {
            value.as_object_mut().into_iter().flatten().for_each(|(_, entry)| prune(*item, entry));
        }
        _ => {}
    }
}
