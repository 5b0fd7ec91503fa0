//! What becomes of an object on its way into the store.
//!
//! Responsible for: metadata that only the server writes, generations, the division between spec and status,
//! defaulting, validation, ownership of fields. Pure: all facts come in a [`Context`], so that the API, a controller's
//! transaction and a simulation write by the same rules.

use serde_json::{Map, Value};

use super::rules;
use super::status::StatusError;
use crate::api::{FieldError, Key, Kind, Timestamp};
use crate::store::{Op, Precondition, Snapshot, Txn};

/// The facts that a write depends on.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The kind that is written.
    pub kind: &'static Kind,
    /// The state the write is decided from.
    pub snapshot: &'a Snapshot,
    /// The time of the write.
    pub now: Timestamp,
    /// 128 random bits: the UID and the suffix of a generated name come from here.
    pub entropy: u128,
    /// Who writes, for the record of ownership; `None` where the value carries that record already.
    pub manager: Option<&'a str>,
}

/// The characters of a generated name: no vowels and nothing that looks like one, so that no word comes out
/// (`apimachinery/pkg/util/rand`).
const NAME_ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
/// How many of them end a generated name.
const NAME_SUFFIX_LEN: usize = 5;
/// How much of `generateName` stays in front: name and suffix fit a label value of 63 characters.
const NAME_BASE_LEN_MAX: usize = 58;

/// Metadata that only the server writes: what a new object says of it is dropped, and a change of it has no effect.
const SERVER_METADATA: [&str; 7] = [
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "resourceVersion",
    "selfLink",
    "uid",
];

/// Returns the object as it is to be created: named, with its system fields, defaulted, checked.
///
/// # Errors
/// 400 for a body that is no such object, 403 or 404 where its namespace is going or absent, 422 with all mistakes.
pub fn prepare_create(mut value: Value, context: &Context<'_>) -> Result<Value, StatusError> {
    let kind = context.kind;
    check_shape(&mut value, kind)?;
    if keeps_status(kind) {
        copy_field(&mut value, &Value::Null, "status");
    }
    let metadata = metadata_mut(&mut value);
    for field in SERVER_METADATA {
        metadata.remove(field);
    }
    if !kind.namespaced() {
        metadata.remove("namespace");
    }
    if text(metadata, "name").is_empty() && !text(metadata, "generateName").is_empty() {
        let name = generate_name(text(metadata, "generateName"), context.entropy);
        metadata.insert("name".into(), name.into());
    }
    let name = text(metadata, "name").to_owned();
    if name.is_empty() {
        let error = FieldError::required("metadata.name", "name or generateName is required");
        return Err(StatusError::invalid(kind, "", &[error]));
    }
    check_namespace(metadata, &name, context)?;
    metadata.insert("uid".into(), uid(context.entropy).into());
    metadata.insert("creationTimestamp".into(), context.now.whole_secs().to_string().into());
    if counts_generations(kind) {
        metadata.insert("generation".into(), 1.into());
    }
    rules::complete(kind, &mut value);
    refuse(kind, &name, &rules::check(kind, &value))?;
    track(None, &mut value, None, context);
    Ok(value)
}

/// Returns the object as it is to replace `old`: everything but status and what only the server writes is from `new`.
///
/// # Errors
/// 400 where the names differ, 409 where the UID does, 422 with all mistakes.
pub fn prepare_update(mut new: Value, old: &Value, context: &Context<'_>) -> Result<Value, StatusError> {
    let kind = context.kind;
    check_shape(&mut new, kind)?;
    check_identity(&mut new, old, kind)?;
    keep_server_metadata(&mut new, old);
    if keeps_status(kind) {
        copy_field(&mut new, old, "status");
    }
    if is_namespace(kind) {
        // Only the `finalize` subresource changes them.
        copy_field(&mut new, old, "spec");
    }
    rules::complete(kind, &mut new);
    if counts_generations(kind) && desired_changed(kind, &new, old) {
        bump_generation(&mut new);
    }
    check_update(&new, old, kind)?;
    track(Some(old), &mut new, None, context);
    Ok(new)
}

/// Returns `old` with the status, and the annotations, of `new`: a status update never touches the spec.
///
/// Annotations pass because upstream's Deployment controller writes its revision that way.
///
/// # Errors
/// 404 for a kind without status, otherwise as [`prepare_update`].
pub fn prepare_status(mut new: Value, old: &Value, context: &Context<'_>) -> Result<Value, StatusError> {
    let kind = context.kind;
    if !keeps_status(kind) {
        return Err(StatusError::no_subresource(kind, name_of(old)));
    }
    check_shape(&mut new, kind)?;
    check_identity(&mut new, old, kind)?;
    let mut merged = old.clone();
    copy_field(&mut merged, &new, "status");
    let annotations = new.pointer("/metadata/annotations").cloned();
    let managers = new.pointer("/metadata/managedFields").cloned();
    for (field, value) in [("annotations", annotations), ("managedFields", managers)] {
        if let Some(value) = value {
            metadata_mut(&mut merged).insert(field.into(), value);
        }
    }
    rules::complete(kind, &mut merged);
    check_update(&merged, old, kind)?;
    track(Some(old), &mut merged, Some("status"), context);
    Ok(merged)
}

/// Returns a namespace with other `spec.finalizers`: what its controller writes once the content is gone.
///
/// # Errors
/// 404 for any other kind.
pub fn prepare_finalize(finalizers: &[String], old: &Value, kind: &'static Kind) -> Result<Value, StatusError> {
    if !is_namespace(kind) {
        return Err(StatusError::no_subresource(kind, name_of(old)));
    }
    let mut new = old.clone();
    new["spec"]["finalizers"] = finalizers.to_vec().into();
    Ok(new)
}

/// Whether an update leaves nothing to wait for, so that the object goes: it is being deleted, its time is over and
/// no finalizer holds it.
pub fn ends_by_update(kind: &'static Kind, new: &Value) -> bool {
    let metadata = &new["metadata"];
    let held = |pointer: &str| new.pointer(pointer).and_then(Value::as_array).is_some_and(|list| !list.is_empty());
    let going = !metadata["deletionTimestamp"].is_null();
    let over = metadata["deletionGracePeriodSeconds"].as_i64().unwrap_or(0) == 0;
    let content = is_namespace(kind) && held("/spec/finalizers");
    going && over && !content && !held("/metadata/finalizers")
}

/// Returns the transaction that creates a prepared object, unless it exists or its namespace changes meanwhile.
pub fn create_txn(key: Key, value: Value, snapshot: &Snapshot) -> Txn {
    let namespace = namespace_key(&key.namespace);
    let mut ops = Vec::with_capacity(2);
    if let Some(found) = snapshot.get(&namespace).filter(|_| !key.namespace.is_empty()) {
        ops.push(Op::check(namespace, Precondition::Revision(found.revision())));
    }
    ops.push(Op::put(key, Precondition::Absent, value));
    Txn::from(ops)
}

/// Returns the change that makes a prepared update of the object at `revision`, or removes it where nothing holds it.
pub fn update_op(key: Key, kind: &'static Kind, new: Value, revision: u64) -> Op {
    let precondition = Precondition::Revision(revision);
    if ends_by_update(kind, &new) { Op::delete(key, precondition) } else { Op::put(key, precondition, new) }
}

/// Returns the store's key of a namespace.
pub(super) fn namespace_key(namespace: &str) -> Key {
    Key { resource: "namespaces".into(), namespace: "".into(), name: namespace.into() }
}

/// Whether a kind is the core group's Namespace, whose deletion has rules of its own.
pub(super) fn is_namespace(kind: &Kind) -> bool {
    kind.group.is_empty() && kind.kind == "Namespace"
}

/// Returns a version 4 UUID of random bits (RFC 9562, section 5.4).
pub fn uid(entropy: u128) -> String {
    let bits = entropy & !(0xf << 76) & !(0x3 << 62) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{bits:032x}");
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

/// Returns the base, cut to 58 bytes, with five random characters behind it.
pub fn generate_name(base: &str, entropy: u128) -> String {
    let end = (0..=NAME_BASE_LEN_MAX.min(base.len())).rev().find(|end| base.is_char_boundary(*end)).unwrap_or(0);
    let mut name = base[..end].to_owned();
    let mut rest = entropy;
    for _ in 0..NAME_SUFFIX_LEN {
        let count = NAME_ALPHABET.len() as u128;
        name.push(char::from(NAME_ALPHABET[usize::try_from(rest % count).unwrap_or(0)]));
        rest /= count;
    }
    name
}

/// Checks that a body is an object of this kind, and fills in what may be left out of it.
pub(super) fn check_shape(value: &mut Value, kind: &'static Kind) -> Result<(), StatusError> {
    let Some(map) = value.as_object_mut() else {
        return Err(StatusError::bad_request("the body of the request must be a JSON object"));
    };
    for (field, expected) in [("apiVersion", kind.api_version()), ("kind", kind.kind.to_owned())] {
        let found = map.entry(field).or_insert_with(|| expected.clone().into());
        if *found != *expected {
            let message = format!("the {field} in the data ({found}) does not match the expected ({expected})");
            return Err(StatusError::bad_request(message));
        }
    }
    if !map.entry("metadata").or_insert_with(|| Map::new().into()).is_object() {
        return Err(StatusError::bad_request("`metadata` must be an object"));
    }
    Ok(())
}

/// Names an object as the request's path does; one that has another name is refused.
pub(super) fn fill_name(kind: &'static Kind, value: &mut Value, name: &str) -> Result<(), StatusError> {
    check_shape(value, kind)?;
    let metadata = metadata_mut(value);
    let found = text(metadata, "name");
    if !found.is_empty() && found != name {
        let message = format!("the name of the object ({found}) does not match the name on the URL ({name})");
        return Err(StatusError::bad_request(message));
    }
    metadata.insert("name".into(), name.into());
    Ok(())
}

fn check_namespace(metadata: &Map<String, Value>, name: &str, context: &Context<'_>) -> Result<(), StatusError> {
    let kind = context.kind;
    if !kind.namespaced() {
        return Ok(());
    }
    let namespace = text(metadata, "namespace");
    if namespace.is_empty() {
        return Err(StatusError::bad_request("an empty namespace may not be set during creation"));
    }
    match context.snapshot.get(&namespace_key(namespace)) {
        None => Err(StatusError::namespace_not_found(namespace)),
        Some(found) if found.deletion_timestamp().is_some() => {
            Err(StatusError::namespace_terminating(kind, name, namespace))
        }
        Some(_) => Ok(()),
    }
}

/// Checks that a body speaks of the object it is to replace; what it leaves out is filled in.
fn check_identity(new: &mut Value, old: &Value, kind: &'static Kind) -> Result<(), StatusError> {
    let old_metadata = &old["metadata"];
    let metadata = metadata_mut(new);
    for field in ["name", "namespace"] {
        let (found, expected) = (text(metadata, field), old_metadata[field].as_str().unwrap_or_default());
        if found.is_empty() {
            copy_entry(metadata, old_metadata, field);
        } else if found != expected {
            let what = if field == "name" { "name of the object" } else { "namespace of the provided object" };
            let message = format!("the {what} ({found}) does not match the {field} on the URL ({expected})");
            return Err(StatusError::bad_request(message));
        }
    }
    let (found, expected) = (text(metadata, "uid"), old_metadata["uid"].as_str().unwrap_or_default());
    if !found.is_empty() && found != expected {
        let why = format!("Precondition failed: UID in precondition: {found}, UID in object meta: {expected}");
        return Err(StatusError::conflict(kind, name_of(old), &why));
    }
    Ok(())
}

fn keep_server_metadata(new: &mut Value, old: &Value) {
    let metadata = metadata_mut(new);
    for field in SERVER_METADATA {
        copy_entry(metadata, &old["metadata"], field);
    }
    if !metadata.contains_key("managedFields") {
        copy_entry(metadata, &old["metadata"], "managedFields");
    }
}

fn check_update(new: &Value, old: &Value, kind: &'static Kind) -> Result<(), StatusError> {
    let mut errors = rules::check(kind, new);
    errors.extend(rules::check_change(kind, old, new));
    errors.extend(new_finalizers(new, old));
    refuse(kind, name_of(old), &errors)
}

/// An object that is being deleted may lose finalizers, but get no more.
fn new_finalizers(new: &Value, old: &Value) -> Option<FieldError> {
    let list = |value: &Value| value.pointer("/metadata/finalizers").and_then(Value::as_array).cloned();
    old.pointer("/metadata/deletionTimestamp").filter(|time| !time.is_null())?;
    let before = list(old).unwrap_or_default();
    let added: Vec<Value> = list(new).unwrap_or_default().into_iter().filter(|name| !before.contains(name)).collect();
    if added.is_empty() {
        return None;
    }
    let names = added.iter().map(Value::to_string).collect::<Vec<_>>().join(", ");
    let why = "no new finalizers can be added if the object is being deleted, found new finalizers";
    Some(FieldError::forbidden("metadata.finalizers", format!("{why} []string{{{names}}}")))
}

fn refuse(kind: &'static Kind, name: &str, errors: &[FieldError]) -> Result<(), StatusError> {
    if errors.is_empty() { Ok(()) } else { Err(StatusError::invalid(kind, name, errors)) }
}

/// Whether the status is written apart from the rest.
fn keeps_status(kind: &Kind) -> bool {
    kind.has_status || is_namespace(kind)
}

/// Whether `metadata.generation` counts the changes of a kind's desired state; upstream leaves it out of these two.
fn counts_generations(kind: &Kind) -> bool {
    kind.has_status && !(kind.group.is_empty() && matches!(kind.kind, "Namespace" | "Node"))
}

/// Whether anything but metadata and status differs. A Deployment's annotations count too, as upstream.
fn desired_changed(kind: &Kind, new: &Value, old: &Value) -> bool {
    let desired = |value: &Value| {
        let mut map = value.as_object().cloned().unwrap_or_default();
        map.remove("metadata");
        map.remove("status");
        map
    };
    let annotations = "/metadata/annotations";
    desired(new) != desired(old)
        || (kind.group == "apps" && kind.kind == "Deployment" && new.pointer(annotations) != old.pointer(annotations))
}

/// Counts a change of the desired state, or the beginning of a deletion.
pub(super) fn bump_generation(value: &mut Value) {
    let metadata = metadata_mut(value);
    if let Some(generation) = metadata.get("generation").and_then(Value::as_i64).filter(|count| *count > 0) {
        metadata.insert("generation".into(), (generation + 1).into());
    }
}

fn track(old: Option<&Value>, new: &mut Value, subresource: Option<&str>, context: &Context<'_>) {
    if let Some(manager) = context.manager {
        rules::track(old, new, context.kind, manager, subresource, context.now);
    }
}

fn copy_field(into: &mut Value, from: &Value, field: &str) {
    if let Some(map) = into.as_object_mut() {
        copy_entry(map, from, field);
    }
}

fn copy_entry(into: &mut Map<String, Value>, from: &Value, field: &str) {
    match from.get(field) {
        Some(value) => drop(into.insert(field.to_owned(), value.clone())),
        None => drop(into.remove(field)),
    }
}

/// Returns `metadata` of a value whose shape was checked, or that the store holds.
pub(super) fn metadata_mut(value: &mut Value) -> &mut Map<String, Value> {
    value["metadata"].as_object_mut().expect("invariant: the metadata of a checked value is an object")
}

fn text<'a>(metadata: &'a Map<String, Value>, field: &str) -> &'a str {
    metadata.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// Returns `metadata.name`, or an empty text.
pub(super) fn name_of(value: &Value) -> &str {
    value.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default()
}
