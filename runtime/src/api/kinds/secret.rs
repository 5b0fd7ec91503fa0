//! The Secret: configuration that must not be shown.

use std::collections::BTreeMap;

use bowline_macros::Object;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::config_map::DATA_BYTES_MAX;
use crate::api::default::set;
use crate::api::error::FieldError;
use crate::api::meta::ObjectMeta;
use crate::api::validate::rules;
use crate::api::value::ByteString;

/// Configuration that pods read and nobody else sees.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Object)]
#[serde(default, rename_all = "camelCase")]
#[object(
    whole, version = "v1", plural = "secrets", scope = Namespaced,
    default = defaults, validate = validate, validate_update = validate_update,
    column(name = "Type", type = "string", path = "/type"),
    column(name = "Data", type = "integer", render = crate::api::columns::data),
    column(name = "Age", type = "string", render = crate::api::columns::age)
)]
pub struct Secret {
    /// Standard metadata.
    pub metadata: ObjectMeta,
    /// Whether the data may no longer change.
    pub immutable: Option<bool>,
    /// Bytes by key.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[object(sensitive)]
    pub data: BTreeMap<String, ByteString>,
    /// Texts by key; moved into `data` on write.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[object(sensitive)]
    pub string_data: BTreeMap<String, String>,
    /// What the Secret is for.
    #[serde(rename = "type")]
    #[object(default = "Opaque", immutable)]
    pub type_: Option<String>,
}

/// Moves `stringData` into `data`, where it wins over what stands there.
fn defaults(value: &mut Value) {
    let Some(texts) = value.as_object_mut().and_then(|map| map.remove("stringData")) else {
        return;
    };
    for (key, text) in texts.as_object().into_iter().flatten() {
        if let Some(text) = text.as_str() {
            set(value, &["data", key], Value::String(ByteString::from(text).to_string()));
        }
    }
}

fn validate(value: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut total = 0;
    for (key, item) in value["data"].as_object().into_iter().flatten() {
        let path = format!("data[{key}]");
        errors.extend(rules::config_key(key).into_iter().map(|detail| rules::invalid_text(&path, key, detail)));
        total += item.as_str().map_or(0, |text| text.len() / 4 * 3);
    }
    if total > DATA_BYTES_MAX {
        errors.push(rules::too_long("data", DATA_BYTES_MAX));
    }
    for key in required_keys(value["type"].as_str().unwrap_or_default()) {
        if value["data"].get(key).is_none() {
            errors.push(FieldError::required(format!("data[{key}]"), ""));
        }
    }
    errors
}

/// Returns the keys that a Secret of this type must have.
fn required_keys(type_: &str) -> &'static [&'static str] {
    match type_ {
        "kubernetes.io/dockerconfigjson" => &[".dockerconfigjson"],
        "kubernetes.io/dockercfg" => &[".dockercfg"],
        "kubernetes.io/tls" => &["tls.crt", "tls.key"],
        "kubernetes.io/ssh-auth" => &["ssh-privatekey"],
        _ => &[],
    }
}

fn validate_update(old: &Value, new: &Value) -> Vec<FieldError> {
    rules::frozen(old, new, &["data"])
}
