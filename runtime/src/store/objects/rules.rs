//! The rules of a kind as the write path applies them.
//!
//! Responsible for: calling what the declaration of a kind says about defaults, values, unknown fields and ownership,
//! in one place. Holds no rule of its own but one: a field that is not declared is not stored.

use serde_json::Value;

use crate::api::merge::track_update;
use crate::api::{FieldError, Kind, ListKind, Struct, Timestamp, Type};

/// Sets what the object leaves to its kind.
pub(super) fn default(kind: &'static Kind, value: &mut Value) {
    if let Some(hook) = kind.default {
        hook(value);
    }
}

/// Returns all mistakes in an object.
pub(super) fn validate(kind: &'static Kind, value: &Value) -> Vec<FieldError> {
    kind.validate.map(|hook| hook(value)).unwrap_or_default()
}

/// Returns all mistakes in a change.
pub(super) fn validate_update(kind: &'static Kind, old: &Value, new: &Value) -> Vec<FieldError> {
    kind.validate_update.map(|hook| hook(old, new)).unwrap_or_default()
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

/// Removes the fields that the kind does not declare and returns their paths, in the order of the object.
pub(super) fn remove_unknown(kind: &'static Kind, value: &mut Value) -> Vec<String> {
    let mut paths = Vec::new();
    prune_struct((kind.root)(), value, "", &mut paths, &["apiVersion", "kind"]);
    paths
}

fn prune_struct(declared: &'static Struct, value: &mut Value, at: &str, paths: &mut Vec<String>, also: &[&str]) {
    let Some(map) = value.as_object_mut() else { return };
    map.retain(|name, item| {
        let path = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
        match declared.field(name) {
            Some(field) => {
                prune(field.ty, field.list, item, &path, paths);
                true
            }
            None if also.contains(&name.as_str()) => true,
            None => {
                paths.push(path);
                false
            }
        }
    });
}

fn prune(ty: Type, list: ListKind, value: &mut Value, at: &str, paths: &mut Vec<String>) {
    match ty {
        Type::Struct(declared) => prune_struct(declared(), value, at, paths, &[]),
        Type::List(item) => {
            for (index, entry) in value.as_array_mut().into_iter().flatten().enumerate() {
                prune(*item, list, entry, &format!("{at}[{index}]"), paths);
            }
        }
        Type::Map(item) => {
            for (name, entry) in value.as_object_mut().into_iter().flatten() {
                prune(*item, list, entry, &format!("{at}.{name}"), paths);
            }
        }
        _ => {}
    }
}
