//! Checks that several kinds share, with Kubernetes' wording.

use serde_json::Value;

use crate::api::error::{FieldError, FieldErrorKind};
use crate::api::names;
use crate::api::value::IntOrString;

/// The message for a value that may not change.
pub const IMMUTABLE: &str = "field is immutable";

/// Returns an error that shows a text in quotes.
pub fn invalid_text(path: &str, text: &str, detail: impl Into<String>) -> FieldError {
    FieldError::invalid(path, Value::from(text).to_string(), detail)
}

/// Returns an error that shows a JSON value.
pub fn invalid(path: impl Into<String>, value: &Value, detail: impl Into<String>) -> FieldError {
    FieldError::invalid(path, value.to_string(), detail)
}

/// Returns an error for a value that is none of the supported ones.
pub fn not_supported(path: impl Into<String>, value: &Value, supported: &[&str]) -> FieldError {
    let list = supported.iter().map(|item| format!("{item:?}")).collect::<Vec<_>>().join(", ");
    FieldError::new(FieldErrorKind::NotSupported, path, value.to_string(), format!("supported values: {list}"))
}

/// Returns an error for something with more than `max` bytes.
pub fn too_long(path: impl Into<String>, max: usize) -> FieldError {
    FieldError::new(FieldErrorKind::TooLong, path, "", format!("may not be more than {max} bytes"))
}

/// Returns what keeps a text from being a key of a ConfigMap or Secret.
pub fn config_key(key: &str) -> Vec<String> {
    names::config_key(key)
}

/// Refuses changes of an object that says `immutable: true` of itself.
pub fn frozen(old: &Value, new: &Value, fields: &[&str]) -> Vec<FieldError> {
    const DETAIL: &str = "field is immutable when `immutable` is set";
    if old["immutable"] != Value::Bool(true) {
        return Vec::new();
    }
    let absent = |value: &Value| value.is_null() || value.as_object().is_some_and(serde_json::Map::is_empty);
    let mut errors = Vec::new();
    if new["immutable"] != Value::Bool(true) {
        errors.push(FieldError::forbidden("immutable", DETAIL));
    }
    for field in fields {
        if old[field] != new[field] && !(absent(&old[field]) && absent(&new[field])) {
            errors.push(FieldError::forbidden(*field, DETAIL));
        }
    }
    errors
}

fn int_or_string(value: &Value) -> Option<IntOrString> {
    serde_json::from_value(value.clone()).ok()
}

/// Checks a count that is a number of zero or more, or a percentage; absent is fine.
pub fn count_or_percent(path: &str, value: &Value) -> Vec<FieldError> {
    match int_or_string(value) {
        Some(IntOrString::Int(number)) if number < 0 => {
            vec![invalid(path, value, "must be greater than or equal to 0")]
        }
        Some(text @ IntOrString::String(_)) if text.percent().is_none() => {
            let detail = "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for \
                          validation is '[0-9]+%')";
            vec![invalid(path, value, detail)]
        }
        _ => Vec::new(),
    }
}

/// Checks that a percentage is not above one hundred.
pub fn at_most_all(path: &str, value: &Value) -> Option<FieldError> {
    let percent = int_or_string(value)?.percent()?;
    (percent > 100).then(|| invalid(path, value, "must not be greater than 100%"))
}

/// Whether a count or percentage is zero.
pub fn is_zero(value: &Value) -> bool {
    match int_or_string(value) {
        Some(IntOrString::Int(number)) => number == 0,
        Some(text) => text.percent() == Some(0),
        None => false,
    }
}
