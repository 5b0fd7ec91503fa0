//! What every object carries: names, labels, owners, revisions.

use std::collections::BTreeMap;

use bowline_macros::Schema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::value::Time;

/// Standard metadata of an object (`meta/v1` ObjectMeta).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct ObjectMeta {
    /// Name, unique among the objects of its kind in its namespace.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Prefix from which the server makes a unique name when `name` is empty.
    pub generate_name: Option<String>,
    /// Namespace that the name is unique in.
    pub namespace: Option<String>,
    /// Deprecated URL of the object; kept, never set.
    pub self_link: Option<String>,
    /// Identity of this object in time and space; a later object of the same name has another.
    pub uid: Option<String>,
    /// Store revision of the last change, as an opaque string.
    pub resource_version: Option<String>,
    /// Counter of changes to the desired state.
    pub generation: Option<i64>,
    /// When the object was created.
    pub creation_timestamp: Option<Time>,
    /// When the object is to be gone; set by a graceful deletion.
    pub deletion_timestamp: Option<Time>,
    /// Seconds the object gets to end gracefully.
    pub deletion_grace_period_seconds: Option<i64>,
    /// Key-value pairs for selection.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Free key-value pairs.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Objects this one depends on; when all are gone, it is collected.
    #[object(list_map = "uid")]
    pub owner_references: Vec<OwnerReference>,
    /// Names that must be removed before the object may go.
    #[object(list_set)]
    pub finalizers: Vec<String>,
    /// Which manager set which fields.
    pub managed_fields: Vec<ManagedFieldsEntry>,
}

impl ObjectMeta {
    /// Whether nothing is set, as in most templates.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Returns the reference to the managing controller, if there is one.
    pub fn controller(&self) -> Option<&OwnerReference> {
        self.owner_references.iter().find(|owner| owner.controller == Some(true))
    }
}

/// A reference to an owner (`meta/v1` OwnerReference).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
#[object(atomic)]
pub struct OwnerReference {
    /// API version of the owner.
    #[object(required)]
    pub api_version: String,
    /// Kind of the owner.
    #[object(required)]
    pub kind: String,
    /// Name of the owner.
    #[object(required)]
    pub name: String,
    /// UID of the owner.
    #[object(required)]
    pub uid: String,
    /// Whether the owner manages this object; at most one owner does.
    pub controller: Option<bool>,
    /// Whether a foreground deletion of the owner waits for this object.
    pub block_owner_deletion: Option<bool>,
}

/// One manager's fields (`meta/v1` ManagedFieldsEntry).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct ManagedFieldsEntry {
    /// Who manages the fields.
    pub manager: Option<String>,
    /// `Apply` or `Update`.
    pub operation: Option<String>,
    /// Version the fields are written in.
    pub api_version: Option<String>,
    /// When the manager last changed something.
    pub time: Option<Time>,
    /// Always `FieldsV1`.
    pub fields_type: Option<String>,
    /// The set of fields as a trie of `f:`, `k:`, `v:` and `i:` keys.
    pub fields_v1: Option<Value>,
    /// Subresource the fields were written through.
    pub subresource: Option<String>,
}

/// A query over labels (`meta/v1` LabelSelector); all parts must hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
#[object(atomic)]
pub struct LabelSelector {
    /// Labels that must have exactly these values.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub match_labels: BTreeMap<String, String>,
    /// Requirements with an operator.
    pub match_expressions: Vec<LabelSelectorRequirement>,
}

/// One requirement of a [`LabelSelector`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct LabelSelectorRequirement {
    /// Label key.
    #[object(required)]
    pub key: String,
    /// `In`, `NotIn`, `Exists` or `DoesNotExist`.
    #[object(required, one_of = ["In", "NotIn", "Exists", "DoesNotExist"])]
    pub operator: String,
    /// Values for `In` and `NotIn`; empty for the others.
    pub values: Vec<String>,
}

impl LabelSelector {
    /// Whether a set of labels satisfies the selector; an empty selector matches everything.
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.match_labels.iter().all(|(key, value)| labels.get(key) == Some(value))
            && self.match_expressions.iter().all(|requirement| requirement.matches(labels))
    }
}

impl LabelSelectorRequirement {
    fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        let value = labels.get(&self.key);
        match self.operator.as_str() {
            "In" => value.is_some_and(|value| self.values.contains(value)),
            "NotIn" => value.is_none_or(|value| !self.values.contains(value)),
            "Exists" => value.is_some(),
            "DoesNotExist" => value.is_none(),
            _ => false,
        }
    }
}

/// A condition in a status (`meta/v1` Condition, and the older per-kind conditions that lack some of its fields).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct Condition {
    /// What the condition is about.
    #[serde(rename = "type")]
    #[object(required)]
    pub type_: String,
    /// `True`, `False` or `Unknown`.
    #[object(required)]
    pub status: String,
    /// Generation that the condition was seen at.
    pub observed_generation: Option<i64>,
    /// When `status` last changed.
    pub last_transition_time: Option<Time>,
    /// One word for programs.
    pub reason: Option<String>,
    /// One sentence for people.
    pub message: Option<String>,
}
