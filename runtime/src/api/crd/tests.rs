use std::collections::BTreeMap;

use bowline_macros::{Object, Schema};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::*;
use crate::api::value::{IntOrString, Quantity, Time, Timestamp};

/// A post office.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Object)]
#[serde(default, rename_all = "camelCase")]
#[object(
    group = "post.example.org",
    version = "v1alpha1",
    short("po"),
    categories("all"),
    scope = Cluster,
    status = OfficeStatus,
    scale(spec = "/spec/counters", status = "/status/counters", selector = "/status/labelSelector"),
    column(name = "Counters", type = "integer", path = "/spec/counters"),
    column(name = "Mood", render = mood),
    column(name = "First", path = "/spec/letters/0/sender", wide)
)]
pub struct PostOfficeSpec {
    /// How many counters are open.
    #[object(required, min = 1, max = 9)]
    pub counters: i32,
    /// Where it stands.
    #[object(immutable, format = "dns-label")]
    pub town: Option<String>,
    /// Which days.
    #[object(default = "Weekdays", one_of = ["Weekdays", "Always"])]
    pub open: Option<String>,
    /// The letters in it.
    #[object(list_map("sender", "class"), min_items = 1)]
    pub letters: Vec<Letter>,
    /// Who has a key.
    #[object(list_set, max_len = 8)]
    pub keys: Vec<String>,
    /// Prices by class.
    #[object(atomic)]
    pub prices: BTreeMap<String, Quantity>,
    /// The share that is lost.
    pub lost: Option<IntOrString>,
    /// The colour.
    #[object(not_enforced = "bowline has no paint")]
    pub colour: Option<String>,
    /// Anything.
    pub notes: Option<Value>,
}

/// A letter.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct Letter {
    /// Who wrote it.
    #[object(immutable)]
    pub sender: String,
    /// How fast it goes.
    #[object(default = "second")]
    pub class: Option<Class>,
    /// What it holds.
    pub enclosed: Option<Box<Letter>>,
}

/// How fast a letter goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Fast.
    #[default]
    First,
    /// Slow.
    Second,
}

/// What goes on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct OfficeStatus {
    /// How many counters are open.
    pub counters: i64,
    /// How to find them.
    pub label_selector: String,
    /// Since when.
    pub since: Option<Time>,
}

fn mood(_: &Value, now: Timestamp) -> String {
    now.to_string()
}

/// Checks the JSON at `pointer` of the definition.
#[track_caller]
fn check(case: &str, pointer: &str, expected: Value) {
    assert_eq!(crd(PostOffice::kind()).pointer(pointer), Some(&expected), "{case}");
}

/// Checks the schema of one field of the specification.
#[track_caller]
fn check_field(field: &str, expected: Value) {
    let properties = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties";
    check(field, &format!("{properties}/{field}"), expected);
}

#[test]
fn names_and_scope_come_from_the_kind() {
    check("name", "/metadata/name", json!("postoffices.post.example.org"));
    check("scope", "/spec/scope", json!("Cluster"));
    let names = json!({
        "kind": "PostOffice", "listKind": "PostOfficeList", "plural": "postoffices", "singular": "postoffice",
        "shortNames": ["po"], "categories": ["all"],
    });
    check("names", "/spec/names", names);
}

#[test]
fn subresources_and_columns_have_paths() {
    let subresources = json!({
        "status": {},
        "scale": {
            "specReplicasPath": ".spec.counters", "statusReplicasPath": ".status.counters",
            "labelSelectorPath": ".status.labelSelector",
        },
    });
    check("subresources", "/spec/versions/0/subresources", subresources);
    let columns = json!([
        {"name": "Counters", "type": "integer", "jsonPath": ".spec.counters"},
        {"name": "First", "type": "string", "jsonPath": ".spec.letters[0].sender", "priority": 1},
    ]);
    check("a rendered column is left out", "/spec/versions/0/additionalPrinterColumns", columns);
    assert_eq!(json_path("/metadata/annotations/a.b~1c"), ".metadata.annotations['a.b/c']");
}

#[test]
fn the_root_requires_the_specification_only() {
    let root = "/spec/versions/0/schema/openAPIV3Schema";
    check("description", &format!("{root}/description"), json!("A post office."));
    check("required", &format!("{root}/required"), json!(["spec"]));
    check("metadata", &format!("{root}/properties/metadata"), json!({"type": "object"}));
    let since = json!({"type": "string", "format": "date-time", "description": "Since when."});
    check("status", &format!("{root}/properties/status/properties/since"), since);
    check("spec", &format!("{root}/properties/spec/required"), json!(["counters"]));
}

#[test]
fn scalars_carry_their_rules() {
    check_field(
        "counters",
        json!({"type": "integer", "format": "int32", "minimum": 1, "maximum": 9, "description": "How many counters are open."}),
    );
    check_field(
        "town",
        json!({
            "type": "string", "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "maxLength": 63, "description": "Where it stands.",
            "x-kubernetes-validations": [{"rule": "self == oldSelf", "message": "field is immutable"}],
        }),
    );
    check_field(
        "open",
        json!({"type": "string", "enum": ["Weekdays", "Always"], "default": "Weekdays", "description": "Which days."}),
    );
    check_field(
        "lost",
        json!({
            "anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": true,
            "description": "The share that is lost.",
        }),
    );
    check_field(
        "colour",
        json!({"type": "string", "description": "The colour.\n\nStored, but without effect: bowline has no paint."}),
    );
    check_field("notes", json!({"x-kubernetes-preserve-unknown-fields": true, "description": "Anything."}));
}

#[test]
fn collections_say_how_they_merge() {
    check_field(
        "keys",
        json!({
            "type": "array", "items": {"type": "string", "maxLength": 8}, "x-kubernetes-list-type": "set",
            "description": "Who has a key.",
        }),
    );
    check_field(
        "prices",
        json!({
            "type": "object", "x-kubernetes-map-type": "atomic", "description": "Prices by class.",
            "additionalProperties": {
                "anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": true,
                "pattern": QUANTITY_PATTERN,
            },
        }),
    );
    check_field(
        "letters",
        json!({
            "type": "array", "minItems": 1, "description": "The letters in it.",
            "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["sender", "class"],
            "items": {
                "type": "object", "description": "A letter.", "required": ["sender"],
                "properties": {
                    "sender": {"type": "string", "description": "Who wrote it."},
                    "class": {
                        "type": "string", "enum": ["first", "second"], "default": "second",
                        "description": "How fast it goes.",
                    },
                    "enclosed": {
                        "type": "object", "x-kubernetes-preserve-unknown-fields": true, "description": "What it holds.",
                    },
                },
            },
        }),
    );
}
