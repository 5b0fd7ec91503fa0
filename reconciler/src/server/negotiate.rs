//! The forms in which an object can be sent: itself, a row of a table, its metadata.
//!
//! Responsible for: reading `Accept` (`apiserver/pkg/endpoints/handlers/negotiation`) and making the form. Pure.

use std::borrow::Cow;
use std::sync::Arc;

use bowline_runtime::api::{Kind, Timestamp, columns};
use bowline_runtime::store::Stored;
use bowline_runtime::store::objects::StatusError;
use serde_json::{Value, json};

use super::refusal;

/// The form that a client wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum View {
    /// The object.
    Whole,
    /// `meta.k8s.io` Table, as `kubectl get` prints.
    Table {
        /// The version of `meta.k8s.io`.
        version: &'static str,
        /// What of the object comes with its row.
        include: Include,
    },
    /// `meta.k8s.io` PartialObjectMetadata.
    Metadata {
        /// The version of `meta.k8s.io`.
        version: &'static str,
    },
}

/// What comes with a row (`includeObject`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Include {
    /// Its metadata.
    Metadata,
    /// All of it.
    Object,
    /// Nothing.
    None,
}

/// Chooses the first form of `Accept` that there is; an empty text takes anything.
///
/// # Errors
/// 406 where there is none, 400 for an unknown `includeObject`.
pub(super) fn view(accept: &str, include: Option<&str>) -> Result<View, StatusError> {
    if accept.trim().is_empty() {
        return Ok(View::Whole);
    }
    let include = match include {
        None | Some("" | "Metadata") => Include::Metadata,
        Some("Object") => Include::Object,
        Some("None") => Include::None,
        Some(other) => return Err(refusal::parameter("includeObject", other, "use `None`, `Metadata` or `Object`")),
    };
    accept.split(',').find_map(|range| one(range, include)).ok_or_else(refusal::not_acceptable)
}

fn one(range: &str, include: Include) -> Option<View> {
    let mut parts = range.split(';').map(str::trim);
    if !matches!(parts.next(), Some("application/json" | "application/*" | "*/*")) {
        return None;
    }
    let (mut kind, mut group, mut version) = ("", "", "");
    for (name, value) in parts.filter_map(|part| part.split_once('=')) {
        match name {
            "as" => kind = value,
            "g" => group = value,
            "v" => version = value,
            _ => {}
        }
    }
    if kind.is_empty() {
        return Some(View::Whole);
    }
    let version = match (group, version) {
        ("meta.k8s.io", "v1") => "meta.k8s.io/v1",
        ("meta.k8s.io", "v1beta1") => "meta.k8s.io/v1beta1",
        _ => return None,
    };
    match kind {
        "Table" => Some(View::Table { version, include }),
        "PartialObjectMetadata" | "PartialObjectMetadataList" => Some(View::Metadata { version }),
        _ => None,
    }
}

/// What can be shown: an object as it is stored, or a value.
pub(super) trait Item {
    /// Returns the whole as JSON text.
    fn text(&self) -> Cow<'_, [u8]>;
    /// Calls `read` with the value.
    fn with<R>(&self, read: impl FnOnce(&Value) -> R) -> R;
}

impl Item for Value {
    fn text(&self) -> Cow<'_, [u8]> {
        text(self).into()
    }
    fn with<R>(&self, read: impl FnOnce(&Value) -> R) -> R {
        read(self)
    }
}

impl Item for Arc<Stored> {
    fn text(&self) -> Cow<'_, [u8]> {
        self.json().as_bytes().into()
    }
    fn with<R>(&self, read: impl FnOnce(&Value) -> R) -> R {
        read(&self.value())
    }
}

impl View {
    /// Returns one object in this form; `head` tells whether a table names its columns.
    pub(super) fn object(self, kind: &Kind, value: &Value, now: Timestamp, head: bool) -> Value {
        match self {
            Self::Whole => value.clone(),
            Self::Metadata { version } => metadata(version, value),
            Self::Table { version, include } => {
                let version_of = value.pointer("/metadata/resourceVersion").cloned().unwrap_or_default();
                table(
                    version,
                    kind,
                    vec![row(version, include, kind, value, now)],
                    json!({"resourceVersion": version_of}),
                    head,
                )
            }
        }
    }

    /// Does as [`View::object`] and returns text: what is stored as it is wanted is not read for it.
    pub(super) fn object_text<'a>(self, kind: &Kind, item: &'a impl Item, now: Timestamp, head: bool) -> Cow<'a, [u8]> {
        match self {
            Self::Whole => item.text(),
            _ => item.with(|value| text(&self.object(kind, value, now, head))).into(),
        }
    }

    /// Returns a list in this form as text; `metadata` is the list's own.
    pub(super) fn list<'a, I: Item + 'a>(
        self,
        kind: &Kind,
        items: impl Iterator<Item = &'a I>,
        metadata_of_list: Value,
        now: Timestamp,
    ) -> Vec<u8> {
        match self {
            Self::Table { version, include } => {
                let rows = items.map(|item| item.with(|value| row(version, include, kind, value, now))).collect();
                text(&table(version, kind, rows, metadata_of_list, true))
            }
            Self::Whole => {
                whole_list(&format!("{}List", kind.kind), &kind.api_version(), &metadata_of_list, items.map(Item::text))
            }
            Self::Metadata { version } => {
                let items = items.map(|item| item.with(|value| text(&metadata(version, value))).into());
                whole_list("PartialObjectMetadataList", version, &metadata_of_list, items)
            }
        }
    }

    /// Returns a bookmark: nothing but a revision, and whether it ends the initial events.
    pub(super) fn bookmark(self, kind: &Kind, revision: u64, initial_end: bool) -> Value {
        let mut object = json!({"metadata": {"resourceVersion": revision.to_string()}});
        if initial_end {
            object["metadata"]["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        let mut name = |api_version: &str, kind: &str| {
            object["apiVersion"] = api_version.into();
            object["kind"] = kind.into();
        };
        match self {
            Self::Whole => name(&kind.api_version(), kind.kind),
            Self::Metadata { version } => name(version, "PartialObjectMetadata"),
            Self::Table { version, .. } => {
                name(&kind.api_version(), kind.kind);
                let rows = vec![json!({"cells": vec![""; kind.columns.len() + 1], "object": object})];
                return table(version, kind, rows, json!({"resourceVersion": revision.to_string()}), false);
            }
        }
        object
    }
}

/// Writes a list piece by piece: a large one is never held twice as values.
fn whole_list<'a>(
    kind: &str,
    api_version: &str,
    metadata: &Value,
    items: impl Iterator<Item = Cow<'a, [u8]>>,
) -> Vec<u8> {
    let mut out = text(&json!({"kind": kind, "apiVersion": api_version, "metadata": metadata}));
    out.pop();
    out.extend_from_slice(b",\"items\":[");
    for (index, item) in items.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(&item);
    }
    out.extend_from_slice(b"]}");
    out
}

fn text(value: &Value) -> Vec<u8> {
    serde_json::to_vec(value).expect("invariant: a JSON value serialises")
}

fn metadata(version: &str, value: &Value) -> Value {
    json!({"kind": "PartialObjectMetadata", "apiVersion": version, "metadata": value["metadata"]})
}

fn table(version: &str, kind: &Kind, rows: Vec<Value>, metadata: Value, head: bool) -> Value {
    let mut table = json!({"kind": "Table", "apiVersion": version, "metadata": metadata, "rows": rows});
    table["columnDefinitions"] = if head { heads(kind) } else { Value::Null };
    table
}

fn heads(kind: &Kind) -> Value {
    let head = |name: &str, ty: &str, format: &str, priority: u8| json!({"name": name, "type": ty, "format": format, "description": "", "priority": priority});
    let first = head("Name", "string", "name", 0);
    let columns = kind.columns.iter().map(|column| head(column.name, column.kind, "", u8::from(column.wide)));
    std::iter::once(first).chain(columns).collect()
}

fn row(version: &str, include: Include, kind: &Kind, value: &Value, now: Timestamp) -> Value {
    let name = value.pointer("/metadata/name").cloned().unwrap_or_default();
    let cells = columns::cells(kind, value, now).into_iter().zip(kind.columns).map(|(cell, column)| {
        let number = (column.kind == "integer").then(|| cell.parse::<i64>().ok()).flatten();
        number.map_or(Value::String(cell), Value::from)
    });
    let mut row = json!({"cells": std::iter::once(name).chain(cells).collect::<Vec<_>>()});
    match include {
        Include::None => {}
        Include::Metadata => row["object"] = metadata(version, value),
        Include::Object => row["object"] = value.clone(),
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(accept: &str, expected: &str) {
        let found = match view(accept, None) {
            Ok(View::Whole) => "whole".to_owned(),
            Ok(View::Table { version, .. }) => format!("table {version}"),
            Ok(View::Metadata { version }) => format!("metadata {version}"),
            Err(error) => error.code.to_string(),
        };
        assert_eq!(found, expected, "{accept}");
    }

    #[test]
    fn the_first_form_that_there_is_wins() {
        check("", "whole");
        check("*/*", "whole");
        check("application/vnd.kubernetes.protobuf,application/json", "whole");
        check("application/vnd.kubernetes.protobuf, */*", "whole");
        check("application/json;as=Table;v=v1;g=meta.k8s.io,application/json", "table meta.k8s.io/v1");
        check(
            "application/json;as=Table;v=v2;g=meta.k8s.io,application/json;as=Table;g=meta.k8s.io;v=v1beta1",
            "table meta.k8s.io/v1beta1",
        );
        check("application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1", "metadata meta.k8s.io/v1");
        check("application/json;as=Banana;g=meta.k8s.io;v=v1,application/json", "whole");
        check("application/cbor", "406");
        check("text/html", "406");
    }
}
