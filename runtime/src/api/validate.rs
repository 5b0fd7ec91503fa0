//! Validation by schema: types, required fields, limits, list keys, metadata; then the kind's own rules.
//!
//! Returns every mistake at once and never panics on any JSON. Values of sensitive fields are not shown.

pub mod metadata;
pub mod rules;

use std::collections::BTreeSet;

use serde_json::Value;

use self::rules::{IMMUTABLE, invalid, not_supported, too_long};
use super::error::{FieldError, FieldErrorKind};
use super::object::{Kind, strip_absent};
use super::schema::{Field, Format, ListKind, Struct, Type};
use super::value::{ByteString, Duration, Quantity, Timestamp};
use super::{names, strict};

/// Lists what is wrong with an object; `value` has its defaults.
pub fn object(kind: &Kind, value: &Value) -> Vec<FieldError> {
    let mut walk = Walk { errors: Vec::new(), sensitive: false };
    if !value.is_object() {
        walk.wrong_type("", "object", value);
        return walk.errors;
    }
    walk.structure("", (kind.root)(), value);
    let mut errors = walk.errors;
    errors.extend(metadata::object(kind, &value["metadata"]));
    if let Some(validate) = kind.validate {
        errors.extend(validate(value));
    }
    unique(errors)
}

/// Lists what is wrong with a change; both values have their defaults. Values that mean the same are no change.
pub fn update(kind: &Kind, old: &Value, new: &Value) -> Vec<FieldError> {
    let normal = |value: &Value| {
        let mut value = value.clone();
        strict::canonical(kind, &mut value);
        strip_absent(&mut value);
        value
    };
    let (old, new) = (&normal(old), &normal(new));
    let mut errors = metadata::change(&old["metadata"], &new["metadata"]);
    immutable("", (kind.root)(), old, new, &mut errors);
    if let Some(validate) = kind.validate_update {
        errors.extend(validate(old, new));
    }
    unique(errors)
}

/// Drops repetitions: a rule of a kind may find what the schema has found.
fn unique(mut errors: Vec<FieldError>) -> Vec<FieldError> {
    let mut seen = BTreeSet::new();
    errors.retain(|error| {
        let required = error.kind == FieldErrorKind::Required;
        seen.insert(if required { format!("{}: required", error.path) } else { error.to_string() })
    });
    errors
}

fn immutable(path: &str, structure: &Struct, old: &Value, new: &Value, errors: &mut Vec<FieldError>) {
    for field in structure.fields {
        let (before, after) = (&old[field.name], &new[field.name]);
        if before.is_null() || before == after {
            continue;
        }
        let path = child(path, field.name);
        if field.immutable {
            let shown = if field.sensitive { &Value::Null } else { after };
            errors.push(invalid(path, shown, IMMUTABLE));
        } else if let Type::Struct(inner) = field.ty {
            immutable(&path, inner(), before, after, errors);
        }
    }
}

/// Returns the path of a field.
pub(super) fn child(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// Whether a value counts as not given: Go's zero text and null.
pub(super) fn absent(value: Option<&Value>) -> bool {
    value.is_none_or(|value| value.is_null() || value.as_str() == Some(""))
}

/// A walk over one object.
struct Walk {
    errors: Vec<FieldError>,
    sensitive: bool,
}

impl Walk {
    fn wrong_type(&mut self, path: &str, wanted: &str, value: &Value) {
        let found = match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(number) if number.is_f64() => "number",
            Value::Number(_) => "integer",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        let shown = match value {
            Value::Array(_) | Value::Object(_) => String::new(),
            _ => self.shown(value),
        };
        let detail = format!("must be of type {wanted}, not {found}");
        self.errors.push(FieldError::new(FieldErrorKind::TypeInvalid, path, shown, detail));
    }

    fn shown(&self, value: &Value) -> String {
        if self.sensitive { String::new() } else { value.to_string() }
    }

    fn invalid(&mut self, path: &str, value: &Value, detail: impl Into<String>) {
        let shown = self.shown(value);
        self.errors.push(FieldError::invalid(path, shown, detail));
    }

    fn structure(&mut self, path: &str, structure: &Struct, value: &Value) {
        let Value::Object(map) = value else {
            return self.wrong_type(path, "object", value);
        };
        for field in structure.fields {
            let item = map.get(field.name);
            let path = child(path, field.name);
            let empty = matches!((&field.ty, item), (Type::List(_), Some(Value::Array(items))) if items.is_empty());
            if field.required && (absent(item) || empty) {
                self.errors.push(FieldError::required(path, ""));
                continue;
            }
            if let Some(item) = item.filter(|item| !item.is_null()) {
                let outer = self.sensitive;
                self.sensitive |= field.sensitive;
                self.field(&path, field, item);
                self.sensitive = outer;
            }
        }
        match structure.name {
            "ObjectMeta" => metadata::labels_and_annotations(path, value, &mut self.errors),
            "LabelSelector" => metadata::selector(path, value, &mut self.errors),
            _ => {}
        }
    }

    fn field(&mut self, path: &str, field: &Field, value: &Value) {
        let before = self.errors.len();
        self.value(path, &field.ty, value);
        if self.errors.len() > before {
            return;
        }
        let rules = &field.rules;
        match value {
            Value::String(text) => self.text(path, field, text, value),
            Value::Number(number) => {
                let number = number.as_i64().unwrap_or(i64::MAX);
                let (low, high) = (rules.min.unwrap_or(i64::MIN), rules.max.unwrap_or(i64::MAX));
                if !(low..=high).contains(&number) {
                    let detail = match (rules.min, rules.max) {
                        (Some(min), Some(max)) => {
                            format!("must be between {min} and {max}, inclusive")
                        }
                        (None, Some(max)) => format!("must be less than or equal to {max}"),
                        (min, None) => {
                            format!("must be greater than or equal to {}", min.unwrap_or(low))
                        }
                    };
                    self.invalid(path, value, detail);
                }
            }
            Value::Array(items) => self.list(path, field, items),
            _ => {}
        }
    }

    fn text(&mut self, path: &str, field: &Field, text: &str, value: &Value) {
        let rules = &field.rules;
        if let Some(max) = rules.max_len.filter(|max| text.len() > *max) {
            self.errors.push(too_long(path, max));
        }
        // An empty text is Go's way of not giving one.
        if text.is_empty() {
            return;
        }
        if !rules.one_of.is_empty() && !rules.one_of.contains(&text) {
            self.errors.push(not_supported(path, value, rules.one_of));
        }
        if rules.format != Format::Any {
            for detail in names::check(rules.format, text) {
                self.invalid(path, value, detail);
            }
        }
        if let Some(min) = rules.min_text {
            let below = match field.ty {
                Type::Duration => {
                    matches!((text.parse::<Duration>(), min.parse::<Duration>()), (Ok(span), Ok(min)) if span < min)
                }
                Type::Quantity => {
                    matches!((text.parse::<Quantity>(), min.parse::<Quantity>()), (Ok(amount), Ok(min)) if amount < min)
                }
                _ => false,
            };
            if below {
                self.invalid(path, value, format!("must be greater than or equal to {min}"));
            }
        }
    }

    fn list(&mut self, path: &str, field: &Field, items: &[Value]) {
        if let Some(min) = field.rules.min_items.filter(|min| items.len() < *min) {
            self.errors.push(FieldError::required(
                path,
                format!("must have at least {min} item{}", if min == 1 { "" } else { "s" }),
            ));
        }
        // What a status says was observed, and twins may be observed.
        if path.starts_with("status.") {
            return;
        }
        let mut seen = BTreeSet::new();
        for (index, item) in items.iter().enumerate() {
            let key = match field.list {
                ListKind::Atomic => continue,
                ListKind::Set => item.to_string(),
                ListKind::Map { keys, .. } => key_of(field, keys, item),
            };
            if !seen.insert(key) {
                let (path, shown) = match field.list {
                    ListKind::Map { keys: [key], .. } => (format!("{path}[{index}].{key}"), self.shown(&item[key])),
                    _ => (format!("{path}[{index}]"), self.shown(item)),
                };
                self.errors.push(FieldError::new(FieldErrorKind::Duplicate, path, shown, ""));
            }
        }
    }

    fn value(&mut self, path: &str, ty: &Type, value: &Value) {
        match (ty, value) {
            (Type::Any, _)
            | (Type::String, Value::String(_))
            | (Type::Boolean, Value::Bool(_))
            | (Type::Number, Value::Number(_))
            | (Type::IntOrString, Value::String(_)) => {}
            (Type::Enum(values), Value::String(text)) => {
                if !values.contains(&text.as_str()) {
                    self.errors.push(not_supported(path, value, values));
                }
            }
            (Type::Int32 | Type::IntOrString, Value::Number(number)) => {
                self.integer(path, number, value, i32::MIN.into(), i32::MAX.into())
            }
            (Type::Int64, Value::Number(number)) => self.integer(path, number, value, i64::MIN, i64::MAX),
            (Type::Quantity, Value::String(_) | Value::Number(_)) => {
                if let Err(error) = serde_json::from_value::<Quantity>(value.clone()) {
                    self.invalid(path, value, error.to_string());
                }
            }
            (Type::Time | Type::MicroTime, Value::String(text)) => {
                if let Err(error) = text.parse::<Timestamp>() {
                    self.invalid(path, value, error.to_string());
                }
            }
            (Type::Duration, Value::String(text)) => {
                if let Err(error) = text.parse::<Duration>() {
                    self.invalid(path, value, error.to_string());
                }
            }
            (Type::Bytes, Value::String(text)) => {
                if let Err(error) = text.parse::<ByteString>() {
                    self.invalid(path, &Value::Null, error.to_string());
                }
            }
            (Type::Struct(inner), _) => self.structure(path, inner(), value),
            (Type::List(inner), Value::Array(items)) => {
                for (index, item) in items.iter().enumerate() {
                    self.value(&format!("{path}[{index}]"), inner, item);
                }
            }
            (Type::Map(inner), Value::Object(map)) => {
                for (key, item) in map.iter().filter(|(_, item)| !item.is_null()) {
                    self.value(&format!("{path}[{key}]"), inner, item);
                }
            }
            (Type::Quantity, _) => self.wrong_type(path, "quantity", value),
            (Type::IntOrString, _) => self.wrong_type(path, "integer or string", value),
            (Type::Int32 | Type::Int64, _) => self.wrong_type(path, "integer", value),
            (Type::Number, _) => self.wrong_type(path, "number", value),
            (Type::Boolean, _) => self.wrong_type(path, "boolean", value),
            (Type::List(_), _) => self.wrong_type(path, "array", value),
            (Type::Map(_), _) => self.wrong_type(path, "object", value),
            (Type::String | Type::Enum(_) | Type::Time | Type::MicroTime | Type::Duration | Type::Bytes, _) => {
                self.wrong_type(path, "string", value);
            }
        }
    }

    fn integer(&mut self, path: &str, number: &serde_json::Number, value: &Value, low: i64, high: i64) {
        match number.as_i64() {
            Some(number) if (low..=high).contains(&number) => {}
            None if number.is_f64() => self.wrong_type(path, "integer", value),
            _ => self.invalid(path, value, format!("must be between {low} and {high}, inclusive")),
        }
    }
}

/// Returns what tells an item of a list map from its siblings; absent keys count with their default.
fn key_of(field: &Field, keys: &[&str], item: &Value) -> String {
    let declared = match field.ty {
        Type::List(Type::Struct(inner)) => Some(inner()),
        _ => None,
    };
    let part = |key: &&str| {
        let default = || declared.and_then(|inner| inner.field(key)).and_then(|field| field.default).unwrap_or("null");
        if absent(item.get(key)) { default().to_owned() } else { item[key].to_string() }
    };
    keys.iter().map(part).collect::<Vec<_>>().join("\0")
}
