//! The ConfigMap: configuration that pods read.

use std::collections::BTreeMap;

use bowline_macros::Object;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::api::error::FieldError;
use crate::api::meta::ObjectMeta;
use crate::api::validate::rules;
use crate::api::value::ByteString;

/// Configuration that pods read as files or variables.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Object)]
#[serde(default, rename_all = "camelCase")]
#[object(
    whole, version = "v1", plural = "configmaps", short("cm"), scope = Namespaced,
    validate = validate, validate_update = validate_update,
    column(name = "Data", type = "integer", render = crate::api::columns::data),
    column(name = "Age", type = "string", render = crate::api::columns::age)
)]
pub struct ConfigMap {
    /// Standard metadata.
    pub metadata: ObjectMeta,
    /// Texts by key.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub data: BTreeMap<String, String>,
    /// Bytes by key; a key may not stand in `data`, too.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub binary_data: BTreeMap<String, ByteString>,
    /// Whether the data may no longer change.
    pub immutable: Option<bool>,
}

/// The most bytes that the data of one ConfigMap or Secret may have: what one object may weigh in etcd.
pub(super) const DATA_BYTES_MAX: usize = 1024 * 1024;

fn validate(value: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut total = 0;
    for (field, other) in [("data", "binaryData"), ("binaryData", "data")] {
        for (key, item) in value[field].as_object().into_iter().flatten() {
            let path = format!("{field}[{key}]");
            errors.extend(rules::config_key(key).into_iter().map(|detail| rules::invalid_text(&path, key, detail)));
            if field == "data" && value[other].get(key).is_some() {
                errors.push(rules::invalid_text(&path, key, format!("duplicate of key present in {other}")));
            }
            total += item.as_str().map_or(0, str::len);
        }
    }
    if total > DATA_BYTES_MAX {
        errors.push(rules::too_long("", DATA_BYTES_MAX));
    }
    errors
}

fn validate_update(old: &Value, new: &Value) -> Vec<FieldError> {
    rules::frozen(old, new, &["data", "binaryData"])
}
