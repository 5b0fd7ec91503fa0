//! The Namespace: a scope for names.

use bowline_macros::{Object, Schema};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::api::default::set;
use crate::api::error::FieldError;
use crate::api::meta::{Condition, ObjectMeta};
use crate::api::{names, validate::rules};

/// A scope for names of objects.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Object)]
#[serde(default, rename_all = "camelCase")]
#[object(
    whole, version = "v1", plural = "namespaces", short("ns"), scope = Cluster,
    default = defaults, validate = validate,
    column(name = "Status", type = "string", path = "/status/phase"),
    column(name = "Age", type = "string", render = crate::api::columns::age)
)]
pub struct Namespace {
    /// Standard metadata.
    pub metadata: ObjectMeta,
    /// What the namespace is to be.
    #[object(default_json = "{}")]
    pub spec: NamespaceSpec,
    /// What was last seen.
    pub status: Option<NamespaceStatus>,
}

/// What a namespace is to be.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct NamespaceSpec {
    /// Names that must be removed before the namespace may go.
    pub finalizers: Vec<String>,
}

/// What was last seen of a namespace.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct NamespaceStatus {
    /// `Active` or `Terminating`.
    #[object(one_of = ["Active", "Terminating"])]
    pub phase: Option<String>,
    /// Conditions of a deletion under way.
    #[object(list_map = "type")]
    pub conditions: Vec<Condition>,
}

/// Sets the label with the namespace's own name and the finalizer and phase that every namespace has.
fn defaults(value: &mut Value) {
    let name = value["metadata"]["name"].clone();
    if name.as_str().is_some_and(|name| !name.is_empty()) {
        set(value, &["metadata", "labels", "kubernetes.io/metadata.name"], name);
    }
    // A namespace that is being removed keeps its phase, and with it an emptied list of finalizers.
    if value["status"]["phase"].is_null() {
        set(value, &["status", "phase"], json!("Active"));
        if value["spec"]["finalizers"].is_null() {
            set(value, &["spec", "finalizers"], json!(["kubernetes"]));
        }
    }
}

/// A namespace's name is a label; that it is a subdomain has been checked.
fn validate(value: &Value) -> Vec<FieldError> {
    let name = value["metadata"]["name"].as_str().unwrap_or_default();
    if name.is_empty() || !names::dns_subdomain(name).is_empty() {
        return Vec::new();
    }
    names::dns_label(name).into_iter().map(|detail| rules::invalid_text("metadata.name", name, detail)).collect()
}
