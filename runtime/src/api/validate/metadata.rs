//! Checks of what every object carries: names, labels, annotations, owners, finalizers, and of label selectors.

use serde_json::Value;

use super::rules::{IMMUTABLE, invalid, invalid_text, too_long};
use crate::api::error::FieldError;
use crate::api::names;
use crate::api::object::Kind;

/// The most bytes that all annotations of an object may have.
const ANNOTATIONS_BYTES_MAX: usize = 256 * 1024;

/// The finalizers that need no domain.
const STANDARD_FINALIZERS: [&str; 3] = ["kubernetes", "orphan", "foregroundDeletion"];

/// Checks the metadata of a top-level object.
pub fn object(kind: &Kind, meta: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let text = |field: &str| meta[field].as_str().filter(|text| !text.is_empty());
    match (text("name"), text("generateName")) {
        (Some(name), _) => errors
            .extend(names::dns_subdomain(name).into_iter().map(|detail| invalid_text("metadata.name", name, detail))),
        (None, Some(prefix)) => {
            // What is appended to a prefix is alphanumeric, so a prefix may end in a hyphen.
            let whole = format!("{prefix}a");
            errors.extend(
                names::dns_subdomain(&whole)
                    .into_iter()
                    .map(|detail| invalid_text("metadata.generateName", prefix, detail)),
            );
        }
        (None, None) => errors.push(FieldError::required("metadata.name", "name or generateName is required")),
    }
    match text("namespace") {
        Some(_) if !kind.namespaced() => {
            errors.push(FieldError::forbidden("metadata.namespace", "not allowed on this type"))
        }
        Some(name) => errors
            .extend(names::dns_label(name).into_iter().map(|detail| invalid_text("metadata.namespace", name, detail))),
        None if kind.namespaced() => errors.push(FieldError::required("metadata.namespace", "")),
        None => {}
    }
    errors.extend(owners(&meta["ownerReferences"]));
    for finalizer in meta["finalizers"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        let faults = names::qualified_name(finalizer);
        errors.extend(faults.iter().map(|detail| invalid_text("metadata.finalizers", finalizer, detail.clone())));
        if faults.is_empty() && !finalizer.contains('/') && !STANDARD_FINALIZERS.contains(&finalizer) {
            let detail = "name is neither a standard finalizer name nor is it fully qualified";
            errors.push(invalid_text("metadata.finalizers", finalizer, detail));
        }
    }
    errors
}

/// Refuses a second controller.
fn owners(owners: &Value) -> Option<FieldError> {
    let mut controllers =
        owners.as_array().into_iter().flatten().filter(|owner| owner["controller"] == Value::Bool(true));
    let first = controllers.next()?["name"].as_str().unwrap_or_default();
    let second = controllers.next()?["name"].as_str().unwrap_or_default();
    let detail = format!(
        "Only one reference can have Controller set to true. Found \"true\" in references for {first} and {second}"
    );
    Some(invalid("metadata.ownerReferences", owners, detail))
}

/// Checks the labels and annotations of an object or a template; `path` leads to its metadata.
pub fn labels_and_annotations(path: &str, meta: &Value, errors: &mut Vec<FieldError>) {
    label_map(&format!("{path}.labels"), &meta["labels"], errors);
    let path = format!("{path}.annotations");
    let mut total = 0;
    for (key, value) in meta["annotations"].as_object().into_iter().flatten() {
        let faults = names::qualified_name(&key.to_lowercase());
        errors.extend(faults.into_iter().map(|detail| invalid_text(&path, key, detail)));
        total += key.len() + value.as_str().map_or(0, str::len);
    }
    if total > ANNOTATIONS_BYTES_MAX {
        errors.push(too_long(path, ANNOTATIONS_BYTES_MAX));
    }
}

/// Checks keys and values of labels.
pub fn label_map(path: &str, labels: &Value, errors: &mut Vec<FieldError>) {
    for (key, value) in labels.as_object().into_iter().flatten() {
        errors.extend(names::qualified_name(key).into_iter().map(|detail| invalid_text(path, key, detail)));
        if let Some(value) = value.as_str() {
            errors.extend(names::label_value(value).into_iter().map(|detail| invalid_text(path, value, detail)));
        }
    }
}

/// Checks a label selector.
pub fn selector(path: &str, selector: &Value, errors: &mut Vec<FieldError>) {
    label_map(&format!("{path}.matchLabels"), &selector["matchLabels"], errors);
    for (index, requirement) in selector["matchExpressions"].as_array().into_iter().flatten().enumerate() {
        let path = format!("{path}.matchExpressions[{index}]");
        let values = requirement["values"].as_array().map_or(&[][..], Vec::as_slice);
        match requirement["operator"].as_str() {
            Some("In" | "NotIn") if values.is_empty() => {
                let detail = "must be specified when `operator` is 'In' or 'NotIn'";
                errors.push(FieldError::required(format!("{path}.values"), detail));
            }
            Some("Exists" | "DoesNotExist") if !values.is_empty() => {
                let detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
                errors.push(FieldError::forbidden(format!("{path}.values"), detail));
            }
            _ => {}
        }
        if let Some(key) = requirement["key"].as_str().filter(|key| !key.is_empty()) {
            errors.extend(
                names::qualified_name(key).into_iter().map(|detail| invalid_text(&format!("{path}.key"), key, detail)),
            );
        }
        for (index, value) in values.iter().enumerate().filter_map(|(index, value)| Some((index, value.as_str()?))) {
            let path = format!("{path}.values[{index}]");
            errors.extend(names::label_value(value).into_iter().map(|detail| invalid_text(&path, value, detail)));
        }
    }
}

/// Checks a change of metadata: identity stays, and a dying object gets no new finalizers.
pub fn change(old: &Value, new: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for field in ["name", "namespace", "uid"] {
        if old[field].is_string() && new[field].is_string() && old[field] != new[field] {
            errors.push(invalid(format!("metadata.{field}"), &new[field], IMMUTABLE));
        }
    }
    if old["deletionTimestamp"].is_string() {
        let names = |meta: &Value| meta["finalizers"].as_array().cloned().unwrap_or_default();
        let before = names(old);
        let added: Vec<String> =
            names(new).iter().filter(|name| !before.contains(name)).map(Value::to_string).collect();
        if !added.is_empty() {
            let found = added.join(", ");
            let detail = format!(
                "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{found}}}"
            );
            errors.push(FieldError::forbidden("metadata.finalizers", detail));
        }
    }
    errors
}
