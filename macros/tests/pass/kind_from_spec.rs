//! A kind that is made from its specification, with every attribute of a kind.

use bowline_macros::{Object, Schema};
use bowline_runtime::api::error::FieldError;
use bowline_runtime::api::value::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A team of sorters.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Object)]
#[serde(default, rename_all = "camelCase")]
#[object(
    group = "post.example.org",
    version = "v1beta2",
    kind = "SortingParty",
    singular = "party",
    short("sp", "sort"),
    categories("all"),
    scope = Cluster,
    status = PartyStatus,
    scale(spec = "/spec/sorters", status = "/status/sorters", selector = "/status/labelSelector"),
    column(name = "Sorters", type = "integer", path = "/spec/sorters"),
    column(name = "Mood", render = mood),
    column(name = "Age", type = "date", path = "/metadata/creationTimestamp", wide),
    default = fill,
    validate = check,
    validate_update = check_change
)]
pub struct PartySpec {
    /// How many sort.
    #[object(required, min = 1)]
    pub sorters: i32,
}

/// What the team does.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct PartyStatus {
    /// How many are there.
    pub sorters: Option<i32>,
    /// How to find them.
    pub label_selector: Option<String>,
}

/// A kind with the fewest attributes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Object)]
#[serde(default)]
#[object(version = "v1")]
pub(crate) struct InboxSpec {}

fn mood(_: &Value, now: Timestamp) -> String {
    format!("fine at {now}")
}
fn fill(object: &mut Value) {
    object["spec"]["sorters"] = 2.into();
}
fn check(_: &Value) -> Vec<FieldError> {
    vec![FieldError::required("spec.sorters", "")]
}
fn check_change(_: &Value, _: &Value) -> Vec<FieldError> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use bowline_runtime::api::object::{ColumnSource, Object as _, Scope};
    use serde_json::json;

    use super::*;

    #[test]
    fn the_declaration_reaches_the_registry_entry() {
        let kind = SortingParty::kind();
        assert_eq!(kind.api_version(), "post.example.org/v1beta2");
        assert_eq!((kind.kind, kind.plural, kind.singular), ("SortingParty", "parties", "party"));
        assert_eq!(
            (kind.short_names, kind.categories, kind.scope),
            (&["sp", "sort"][..], &["all"][..], Scope::Cluster)
        );
        assert_eq!(
            kind.columns.iter().map(|column| (column.name, column.kind, column.wide)).collect::<Vec<_>>(),
            [("Sorters", "integer", false), ("Mood", "string", false), ("Age", "date", true),]
        );
        let ColumnSource::Render(render) = kind.columns[1].source else { panic!("a function") };
        assert_eq!(render(&Value::Null, Timestamp::EPOCH), "fine at 1970-01-01T00:00:00Z");
        assert_eq!(kind.scale.expect("a scale").selector, "/status/labelSelector");
        let mut object = json!({});
        kind.default.expect("a function")(&mut object);
        assert_eq!(object, json!({"spec": {"sorters": 2}}));
        assert_eq!(kind.validate.expect("a function")(&object).len(), 1);
        assert!(kind.has_status && kind.validate_update.is_some());
        let root = (kind.root)();
        assert_eq!(root.doc, "A team of sorters.");
        assert_eq!(
            root.fields.iter().map(|field| (field.name, field.required)).collect::<Vec<_>>(),
            [("metadata", false), ("spec", true), ("status", false),]
        );
    }

    #[test]
    fn what_is_left_out_follows_the_name() {
        let kind = Inbox::kind();
        assert_eq!(
            (kind.api_version().as_str(), kind.kind, kind.plural, kind.singular),
            ("v1", "Inbox", "inboxes", "inbox")
        );
        assert!(kind.namespaced() && !kind.has_status && kind.scale.is_none() && kind.columns.is_empty());
    }

    #[test]
    fn an_object_crosses_the_wire() {
        let wire = json!({
            "apiVersion": "post.example.org/v1beta2",
            "kind": "SortingParty",
            "metadata": {"name": "night"},
            "spec": {"sorters": 3},
            "status": {"labelSelector": "a=b"},
        });
        let party: SortingParty = serde_json::from_value(wire.clone()).expect("deserialises");
        assert_eq!(party.spec.sorters, 3);
        assert_eq!(party.to_value(), wire);
        assert_eq!(party.key().to_string(), "parties.post.example.org/night");
    }
}
