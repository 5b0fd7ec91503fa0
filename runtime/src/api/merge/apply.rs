//! Server-side apply, and the record of ownership that every other write leaves.
//!
//! A manager states the fields it cares about; the object gets them, fields it no longer states go unless someone
//! else owns them, and a field that another manager set to another value is a conflict. Pure: the time is an
//! argument, nothing is stored, defaulting and validation are the caller's.

use serde_json::{Map, Value};

use super::combine::{merge_into, prune_object, without_nulls};
use super::managers::{Identity, Managers};
use super::owned::{compare, reset_field, stated, strip};
use super::shape::Slot;
use crate::api::object::Kind;
use crate::api::value::Timestamp;

/// Metadata that only the server writes: a manifest that carries it states nothing about it.
const SERVER_METADATA: [&str; 8] = [
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
];

/// A field that another manager owns with another value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The owner as it is printed, for example `"kubectl" using apps/v1`.
    pub manager: String,
    /// The field, for example `.spec.replicas`.
    pub path: String,
}

impl Conflict {
    /// Returns the message of the cause, whose reason is [`ApplyError::CONFLICT_CAUSE`] and whose field is `path`.
    pub fn message(&self) -> String {
        format!("conflict with {}", self.manager)
    }
}

/// Why a manifest cannot be applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// Others own fields that the manifest would change; the answer is 409 with one cause for each.
    #[error("{}", conflict_text(.0))]
    Conflict(Vec<Conflict>),
    /// The manifest tries to set ownership itself; the answer is 400.
    #[error("metadata.managedFields must be nil")]
    ManagedFields,
    /// The manifest cannot be matched with the schema, for example a list states one item twice; the answer is 400.
    #[error("failed to create typed patch object ({object}; {version}, Kind={kind}): {}", .problems.join("\n"))]
    Malformed {
        /// The object as `namespace/name`.
        object: String,
        /// Its `apiVersion`.
        version: String,
        /// Its kind.
        kind: &'static str,
        /// What is wrong, each with its path.
        problems: Vec<String>,
    },
    /// The live object's record of ownership cannot be read; the answer is 500.
    #[error(
        "failed to decode managed fields of the live object: {0}: reset them with an update that sets `metadata.managedFields` to `[{{}}]`"
    )]
    UnreadableManagers(String),
}

impl ApplyError {
    /// The reason of a conflict's causes in a `Status`.
    pub const CONFLICT_CAUSE: &'static str = "FieldManagerConflict";

    /// Returns the HTTP status code.
    pub fn code(&self) -> u16 {
        match self {
            Self::Conflict(_) => 409,
            Self::ManagedFields | Self::Malformed { .. } => 400,
            Self::UnreadableManagers(_) => 500,
        }
    }
}

fn conflict_text(conflicts: &[Conflict]) -> String {
    if let [only] = conflicts {
        return format!("Apply failed with 1 conflict: {}: {}", only.message(), only.path);
    }
    let mut lines = Vec::new();
    let mut last = None;
    for conflict in conflicts {
        if last != Some(&conflict.manager) {
            lines.push(format!("conflicts with {}:", conflict.manager));
            last = Some(&conflict.manager);
        }
        lines.push(format!("- {}", conflict.path));
    }
    format!("Apply failed with {} conflicts: {}", conflicts.len(), lines.join("\n"))
}

/// Applies what `manager` states in `config` to the live object and returns the result, not yet defaulted.
///
/// An apply that changes neither the object nor its ownership returns a value equal to `live`. A null in `config`
/// states nothing. With `force`, ownership of conflicting fields moves to `manager`. Metadata that the server writes
/// is taken from `live`; preconditions in `config` (`uid`, `resourceVersion`) are the caller's to check.
///
/// # Errors
/// See [`ApplyError`].
pub fn apply(
    live: Option<&Value>,
    config: &Value,
    kind: &'static Kind,
    manager: &str,
    force: bool,
    subresource: Option<&str>,
    now: Timestamp,
) -> Result<Value, ApplyError> {
    if !managers_in(config).is_empty() {
        return Err(ApplyError::ManagedFields);
    }
    let config = prepare(config, kind, subresource);
    let root = Slot::root(kind);
    let mut problems = Vec::new();
    let mut wanted = stated(root, &config, &mut problems);
    if !problems.is_empty() {
        return Err(malformed(&config, kind, problems));
    }
    strip(&mut wanted, kind, subresource);

    let me = Identity::applier(kind, manager, subresource);
    let mut merged = live.cloned().unwrap_or_else(|| Value::Object(Map::new()));
    merge_into(root, &mut merged, &config);
    // The common case first: nothing else needs to be read when nothing is new.
    if let Some(live) = live
        && *live == merged
        && Managers::fields_in(managers_in(live), &me).unwrap_or_default() == wanted
    {
        return Ok(merged);
    }

    let mut managers = live
        .map(|live| Managers::read(managers_in(live)))
        .transpose()
        .map_err(ApplyError::UnreadableManagers)?
        .unwrap_or_default();
    if let Some(live) = live
        && managers.is_empty()
    {
        managers.claim_untracked(kind, compare(kind, None, live, None).added, now);
    }
    let last = managers.fields(&me).filter(|last| **last != wanted).cloned();
    managers.put(me.clone(), wanted);
    if let Some(last) = last {
        prune_object(kind, &mut merged, &last, &managers.all_fields());
    }
    if let Some(live) = live {
        let change = compare(kind, Some(live), &merged, subresource);
        let conflicts = managers.conflicts(&me, &change);
        if !force && !conflicts.is_empty() {
            return Err(ApplyError::Conflict(conflicts));
        }
        managers.yield_to(&me, &change);
        if *live == merged && !managers.changed() {
            return Ok(merged);
        }
    }
    managers.touch(&me, now);
    let list = take_managers(&mut merged);
    set_managers(&mut merged, managers.write(list));
    Ok(merged)
}

/// Records in `new` which fields a create, update or non-apply patch by `manager` changed.
///
/// `new` may carry the ownership its writer read; if it carries none, that of `old` holds, and `[{}]` resets it. A
/// write that changes nothing leaves ownership and times as they are in `old`. At most ten updaters are kept apart.
pub fn track_update(
    old: Option<&Value>,
    new: &mut Value,
    kind: &'static Kind,
    manager: &str,
    subresource: Option<&str>,
    now: Timestamp,
) {
    let carried = take_managers(new);
    let reset = matches!(carried.as_slice(), [Value::Object(entry)] if entry.is_empty());
    let own = if subresource.is_some() || reset { None } else { Managers::read(&carried).ok() };
    let (mut managers, list) = match own.filter(|own| !own.is_empty()) {
        Some(own) => (own, carried),
        None if reset => (Managers::default(), Vec::new()),
        None => {
            let list = old.map(managers_in).unwrap_or_default().to_vec();
            // Ownership that cannot be read is lost here, as in Kubernetes: a plain write must always be possible.
            Managers::read(&list).map_or_else(|_| (Managers::default(), Vec::new()), |managers| (managers, list))
        }
    };

    let change = compare(kind, old, new, subresource);
    let me = Identity::updater(kind, manager, subresource);
    managers.yield_to(&me, &change);
    managers.drop_removed(&me, &change);
    let written = change.written();
    if !written.is_empty() {
        let mine = managers.fields(&me).cloned().unwrap_or_default().union(&written);
        managers.put(me.clone(), mine);
        managers.touch(&me, now);
        managers.cap();
    } else if !managers.changed() {
        return set_managers(new, Value::Array(list));
    }
    set_managers(new, managers.write(list));
}

/// Returns the part of a manifest that is merged: no nulls, nothing that only the server or another subresource writes.
fn prepare(config: &Value, kind: &Kind, subresource: Option<&str>) -> Value {
    let mut config = without_nulls(config);
    if let Some(map) = config.as_object_mut() {
        if let Some(reset) = reset_field(kind, subresource) {
            map.remove(reset);
        }
        if let Some(metadata) = map.get_mut("metadata").and_then(Value::as_object_mut) {
            for name in SERVER_METADATA {
                metadata.remove(name);
            }
        }
    }
    config
}

fn malformed(config: &Value, kind: &Kind, problems: Vec<String>) -> ApplyError {
    let text = |pointer: &str| config.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (namespace, name) = (text("/metadata/namespace"), text("/metadata/name"));
    ApplyError::Malformed {
        object: format!("{namespace}/{name}"),
        version: kind.api_version(),
        kind: kind.kind,
        problems,
    }
}

fn managers_in(object: &Value) -> &[Value] {
    object.pointer("/metadata/managedFields").and_then(Value::as_array).map_or(&[][..], Vec::as_slice)
}

fn take_managers(object: &mut Value) -> Vec<Value> {
    match object.pointer_mut("/metadata/managedFields").map(Value::take) {
        Some(Value::Array(list)) => list,
        _ => Vec::new(),
    }
}

fn set_managers(object: &mut Value, managers: Value) {
    let Some(object) = object.as_object_mut() else { return };
    let metadata = object.entry("metadata").or_insert_with(|| Value::Object(Map::new()));
    if let Some(metadata) = metadata.as_object_mut() {
        if managers.as_array().is_some_and(Vec::is_empty) {
            metadata.remove("managedFields");
        } else {
            metadata.insert("managedFields".to_owned(), managers);
        }
    }
}
