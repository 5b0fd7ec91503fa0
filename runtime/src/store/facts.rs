//! What can be told of an object without reading all of it.
//!
//! Responsible for: the few facts that indexes and watches ask of every object, and parts of an object's text. Never
//! knows a kind, except that pods name their node.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::api::Timestamp;

/// What is asked of every object, too often to read its text for it.
#[derive(Default)]
pub(super) struct Facts {
    pub(super) uid: Box<str>,
    pub(super) owners: Box<[Owner]>,
    pub(super) finalizers: Box<[Box<str>]>,
    pub(super) deletion_timestamp: Option<Timestamp>,
    pub(super) node_name: Option<Box<str>>,
}

/// An owner reference.
pub(super) struct Owner {
    pub(super) uid: Box<str>,
    pub(super) controller: bool,
}

impl Facts {
    pub(super) fn of_value(value: &Value) -> Self {
        let metadata = value.get("metadata");
        let node = value.get("spec").and_then(|spec| spec.get("nodeName"));
        Self::of_fields(|name| metadata?.get(name).map(Cow::Borrowed), node)
    }

    /// Returns the same as [`Facts::of_value`] for the text of a value, or `None` for a text that is no object with a
    /// `metadata` object.
    pub(super) fn of_text(text: &str) -> Option<Self> {
        let outline = Outline::read(text)?;
        let metadata = members(outline.0.get("metadata")?.get())?;
        let read = |raw: &RawValue| serde_json::from_str::<Value>(raw.get()).ok();
        let node = outline.0.get("spec").and_then(|spec| read(members(spec.get())?.get("nodeName")?));
        Some(Self::of_fields(|name| read(metadata.get(name)?).map(Cow::Owned), node.as_ref()))
    }

    /// A field of a wrong type is no fact; the object can still be read as what it is.
    fn of_fields<'a>(field: impl Fn(&str) -> Option<Cow<'a, Value>>, node: Option<&Value>) -> Self {
        let owner = |owner: &Value| {
            let controller = owner.get("controller") == Some(&Value::Bool(true));
            Some(Owner { uid: owner.get("uid")?.as_str()?.into(), controller })
        };
        fn items<'v>(list: &'v Option<Cow<'_, Value>>) -> impl Iterator<Item = &'v Value> {
            list.as_deref().and_then(Value::as_array).into_iter().flatten()
        }
        let (owners, finalizers) = (field("ownerReferences"), field("finalizers"));
        Self {
            uid: field("uid").as_deref().and_then(Value::as_str).unwrap_or_default().into(),
            owners: items(&owners).filter_map(owner).collect(),
            finalizers: items(&finalizers).filter_map(|name| Some(name.as_str()?.into())).collect(),
            deletion_timestamp: field("deletionTimestamp").as_deref().and_then(|time| time.as_str()?.parse().ok()),
            node_name: node.and_then(Value::as_str).map(Into::into),
        }
    }
}

/// The members of an object, each as its text.
pub(super) struct Outline<'a>(Members<'a>);

type Members<'a> = BTreeMap<Cow<'a, str>, &'a RawValue>;

/// A member name, borrowed where it holds no escapes.
#[derive(Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(transparent)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

fn members(text: &str) -> Option<Members<'_>> {
    let named: BTreeMap<Name<'_>, &RawValue> = serde_json::from_str(text).ok()?;
    Some(named.into_iter().map(|(name, value)| (name.0, value)).collect())
}

impl<'a> Outline<'a> {
    /// Reads the outline of an object; `None` for a text that is none.
    pub(super) fn read(text: &'a str) -> Option<Self> {
        members(text).map(Self)
    }

    pub(super) fn metadata_field(&self, field: &str) -> Option<&'a str> {
        Some(members(self.0.get("metadata")?.get())?.get(field)?.get())
    }

    pub(super) fn declaration_hash(&self) -> Option<u64> {
        let mut hasher = DefaultHasher::new();
        for (name, value) in self.0.iter().filter(|(name, _)| !matches!(&***name, "metadata" | "status")) {
            (name, value.get()).hash(&mut hasher);
        }
        for (name, value) in members(self.0.get("metadata")?.get())? {
            match &*name {
                "resourceVersion" => {}
                "managedFields" => {
                    let entries: Vec<&RawValue> = serde_json::from_str(value.get()).ok()?;
                    for entry in entries {
                        let of_status = members(entry.get())?
                            .get("subresource")
                            .is_some_and(|subresource| subresource.get() == "\"status\"");
                        if !of_status {
                            entry.get().hash(&mut hasher);
                        }
                    }
                }
                _ => (name, value.get()).hash(&mut hasher),
            }
        }
        Some(hasher.finish())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(case: &str, one: &str, other: &str, same: bool) {
        let hash = |text| Outline::read(text).expect("an object").declaration_hash().expect("a hash");
        assert_eq!(hash(one) == hash(other), same, "{case}");
    }

    #[test]
    fn a_declaration_is_all_but_the_status() {
        let base = r#"{"data":{"a":"1"},"metadata":{"name":"x","resourceVersion":"1"}}"#;
        check("revision", base, r#"{"data":{"a":"1"},"metadata":{"name":"x","resourceVersion":"2"}}"#, true);
        check("status", base, r#"{"data":{"a":"1"},"metadata":{"name":"x"},"status":{"b":1}}"#, true);
        check("data", base, r#"{"data":{"a":"2"},"metadata":{"name":"x"}}"#, false);
        check("label", base, r#"{"data":{"a":"1"},"metadata":{"labels":{"a":"b"},"name":"x"}}"#, false);
        let managed =
            |entry: &str| format!(r#"{{"data":{{"a":"1"}},"metadata":{{"managedFields":[{entry}],"name":"x"}}}}"#);
        let none = managed("");
        check("status manager", &none, &managed(r#"{"manager":"a","subresource":"status"}"#), true);
        check("another manager", &none, &managed(r#"{"manager":"a"}"#), false);
    }

    #[test]
    fn an_object_that_was_read_back_has_the_facts_it_was_written_with() {
        let shown = |facts: &Facts| {
            let owners: Vec<_> = facts.owners.iter().map(|owner| (owner.uid.clone(), owner.controller)).collect();
            format!(
                "{} {owners:?} {:?} {:?} {:?}",
                facts.uid, facts.finalizers, facts.deletion_timestamp, facts.node_name
            )
        };
        for value in [
            json!({"metadata": {"uid": "a", "ownerReferences": [{"uid": "b", "controller": true}, {"uid": "c"}],
                "finalizers": ["x"], "deletionTimestamp": "2026-01-31T09:00:00Z"}, "spec": {"nodeName": "n"}}),
            json!({"metadata": {"uid": "a", "ownerReferences": [{"uid": null}, {"uid": "b", "controller": null}],
                "finalizers": [1, "x"], "deletionTimestamp": 5}, "spec": {"nodeName": 7}}),
            json!({"metadata": {"uid": "a", "ownerReferences": null, "finalizers": "x"}, "spec": 1}),
        ] {
            let read = Facts::of_text(&value.to_string()).expect("an object");
            assert_eq!(shown(&read), shown(&Facts::of_value(&value)));
            assert_eq!(&*read.uid, "a", "one wrong field takes nothing else along");
        }
        assert!(Facts::of_text(r#"{"metadata":1}"#).is_none());
    }

    #[test]
    fn a_field_of_the_metadata_is_found_by_its_text() {
        let text = r#"{"metadata":{"annotations":{"a":"b"},"generation":2},"spec":{"nodeName":"n"}}"#;
        let outline = Outline::read(text).expect("an object");
        assert_eq!(outline.metadata_field("generation"), Some("2"));
        assert_eq!(outline.metadata_field("annotations"), Some(r#"{"a":"b"}"#));
        assert_eq!(outline.metadata_field("uid"), None);
        assert_eq!(Facts::of_text(text).expect("facts").node_name.as_deref(), Some("n"));
    }
}
