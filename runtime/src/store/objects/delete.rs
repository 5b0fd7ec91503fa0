//! How an object goes: at once, after its grace, or when its finalizers let it.
//!
//! Responsible for: Kubernetes' deletion rules (`apiserver/pkg/registry/rest/delete.go`, the pod's and the
//! namespace's strategies). Pure; the time is an argument.

use std::time::Duration;

use serde_json::{Value, json};

use super::prepare::{bump_generation, ends_by_update, is_namespace, metadata_mut, name_of};
use super::status::StatusError;
use crate::api::{Kind, Timestamp};

/// How an object is to go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteOptions {
    /// Seconds a pod gets to end; `None` for what its spec says. Other kinds have no grace.
    pub grace: Option<i64>,
    /// What happens to the objects it owns; `None` for what its finalizers say, else background.
    pub propagation: Option<Propagation>,
    /// Only the object with this UID.
    pub uid: Option<String>,
    /// Only the object at this revision.
    pub resource_version: Option<String>,
    /// Whether everything is checked and nothing happens.
    pub dry_run: bool,
}

/// What happens to the objects that a deleted one owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagation {
    /// They are collected once it is gone.
    Background,
    /// They are collected first.
    Foreground,
    /// They stay and lose their owner.
    Orphan,
}

/// The finalizer that holds an object until its dependents are gone.
pub const FINALIZER_FOREGROUND: &str = "foregroundDeletion";
/// The finalizer that holds an object until its dependents were released.
pub const FINALIZER_ORPHAN: &str = "orphan";

/// What a deletion does to the stored object.
#[derive(Clone, Debug, PartialEq)]
pub enum Removal {
    /// It goes at once.
    Now,
    /// It becomes this value, and goes when its time is over and its finalizers are gone.
    Later(Value),
    /// It is going already, and this deletion hurries nothing.
    Already,
}

/// Decides what a deletion does to the object `old`.
///
/// # Errors
/// 409 where a precondition does not hold.
pub fn prepare_delete(
    kind: &'static Kind,
    old: &Value,
    options: &DeleteOptions,
    now: Timestamp,
) -> Result<Removal, StatusError> {
    check_preconditions(kind, old, options)?;
    if is_namespace(kind) {
        return Ok(delete_namespace(kind, old, options, now));
    }
    let mut new = old.clone();
    let graceful = match going_grace(old) {
        Some(grace) => match options.grace.map(at_least_zero).filter(|shorter| *shorter < grace) {
            None => return Ok(Removal::Already),
            Some(shorter) => {
                shorten(&mut new, grace, shorter);
                true
            }
        },
        None => match pod_grace(kind, old, options).filter(|_| deletion_time(old).is_none()) {
            None => false,
            Some(grace) => {
                mark(&mut new, now, grace);
                true
            }
        },
    };
    let finalizers = finalizers_after(old, options);
    set_finalizers(&mut new, &finalizers);
    if !graceful && !finalizers.is_empty() && deletion_time(old).is_none() {
        mark(&mut new, now, 0);
    }
    Ok(if ends_by_update(kind, &new) || (!graceful && finalizers.is_empty()) {
        Removal::Now
    } else if new == *old {
        Removal::Already
    } else {
        Removal::Later(new)
    })
}

/// A namespace first turns `Terminating`; its controller empties it and then its `spec.finalizers`.
fn delete_namespace(kind: &'static Kind, old: &Value, options: &DeleteOptions, now: Timestamp) -> Removal {
    if deletion_time(old).is_some() {
        return if ends_by_update(kind, old) { Removal::Now } else { Removal::Already };
    }
    let mut new = old.clone();
    metadata_mut(&mut new).insert("deletionTimestamp".into(), now.whole_secs().to_string().into());
    new["status"]["phase"] = json!("Terminating");
    set_finalizers(&mut new, &finalizers_after(old, options));
    if ends_by_update(kind, &new) { Removal::Now } else { Removal::Later(new) }
}

fn check_preconditions(kind: &'static Kind, old: &Value, options: &DeleteOptions) -> Result<(), StatusError> {
    let wanted = [("UID", "uid", &options.uid), ("ResourceVersion", "resourceVersion", &options.resource_version)];
    for (label, field, wanted) in wanted {
        let found = old["metadata"][field].as_str().unwrap_or_default();
        if let Some(wanted) = wanted.as_deref().filter(|wanted| *wanted != found) {
            let why =
                format!("Precondition failed: {label} in precondition: {wanted}, {label} in object meta: {found}");
            return Err(StatusError::conflict(kind, name_of(old), &why));
        }
    }
    Ok(())
}

fn deletion_time(value: &Value) -> Option<Timestamp> {
    value.pointer("/metadata/deletionTimestamp")?.as_str()?.parse().ok()
}

/// Returns the grace of an object that is going already.
fn going_grace(value: &Value) -> Option<i64> {
    deletion_time(value)?;
    value.pointer("/metadata/deletionGracePeriodSeconds")?.as_i64()
}

/// Returns the grace that a pod gets; `None` for every other kind.
fn pod_grace(kind: &Kind, old: &Value, options: &DeleteOptions) -> Option<i64> {
    if !(kind.group.is_empty() && kind.kind == "Pod") {
        return None;
    }
    let spec = &old["spec"];
    let unscheduled = spec["nodeName"].as_str().unwrap_or_default().is_empty();
    let finished = matches!(old.pointer("/status/phase").and_then(Value::as_str), Some("Succeeded" | "Failed"));
    if unscheduled || finished {
        return Some(0);
    }
    Some(at_least_zero(options.grace.or_else(|| spec["terminationGracePeriodSeconds"].as_i64()).unwrap_or(0)))
}

/// A negative grace means the shortest one there is.
fn at_least_zero(grace: i64) -> i64 {
    if grace < 0 { 1 } else { grace }
}

/// Begins the deletion: the object is to be gone `grace` seconds from now.
fn mark(value: &mut Value, now: Timestamp, grace: i64) {
    let until = now.whole_secs() + Duration::from_secs(grace.unsigned_abs());
    let metadata = metadata_mut(value);
    metadata.insert("deletionTimestamp".into(), until.to_string().into());
    metadata.insert("deletionGracePeriodSeconds".into(), grace.into());
    bump_generation(value);
}

/// Brings the end of a deletion under way closer.
fn shorten(value: &mut Value, before: i64, after: i64) {
    let Some(until) = deletion_time(value) else { return };
    let until = until - Duration::from_secs(before.abs_diff(after));
    let metadata = metadata_mut(value);
    metadata.insert("deletionTimestamp".into(), until.to_string().into());
    metadata.insert("deletionGracePeriodSeconds".into(), after.into());
}

/// Returns the finalizers with those that carry out the propagation: what the options say, else what is there.
fn finalizers_after(old: &Value, options: &DeleteOptions) -> Vec<String> {
    let list = old.pointer("/metadata/finalizers").and_then(Value::as_array);
    let texts = list.into_iter().flatten().filter_map(Value::as_str);
    let Some(propagation) = options.propagation else { return texts.map(str::to_owned).collect() };
    let others = texts.filter(|name| !matches!(*name, FINALIZER_FOREGROUND | FINALIZER_ORPHAN));
    let mut finalizers: Vec<String> = others.map(str::to_owned).collect();
    match propagation {
        Propagation::Background => {}
        Propagation::Foreground => finalizers.push(FINALIZER_FOREGROUND.to_owned()),
        Propagation::Orphan => finalizers.push(FINALIZER_ORPHAN.to_owned()),
    }
    finalizers
}

fn set_finalizers(value: &mut Value, finalizers: &[String]) {
    let metadata = metadata_mut(value);
    if finalizers.is_empty() {
        metadata.remove("finalizers");
    } else {
        metadata.insert("finalizers".into(), finalizers.to_vec().into());
    }
}
