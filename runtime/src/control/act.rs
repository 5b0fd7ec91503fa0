//! Turns the actions of one decision into one transaction.
//!
//! Every object that is touched must still be at the revision that the decision saw, the decided object included: a
//! decision that was overtaken changes nothing and is made anew. No policy here: an action leaves nothing to choose.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::api::{Key, Time, Timestamp};
use crate::store::{Op, Precondition, Snapshot, Txn};

use super::event::{Recorder, Told};
use super::prepare::{Deletion, PrepareError, Preparer, delete, is_free, object_of};
use super::{Action, Blocker, Importance};

/// What one decision comes to.
#[derive(Debug, Default)]
pub(super) struct Round {
    /// The changes; empty where there is nothing to do.
    pub(super) txn: Txn,
    /// Why there is no more to do.
    pub(super) waits: Vec<(Blocker, Option<Timestamp>)>,
    /// Why an object could not be created; the other creations of the decision are left out, too.
    pub(super) refused: Option<String>,
    /// Whether an object that was to be changed is not what the decision saw.
    pub(super) stale: bool,
}

/// The places that a transaction is put together from.
pub(super) struct Scene<'a> {
    pub(super) controller: &'static str,
    pub(super) snapshot: &'a Snapshot,
    /// The object that was decided about.
    pub(super) key: &'a Key,
    pub(super) now: Timestamp,
}

/// The objects of a transaction as they will be; `None` is one that goes.
type Changes = BTreeMap<Key, Option<Value>>;

/// Puts a transaction together.
pub(super) fn transact(scene: &Scene<'_>, actions: &[Action], preparer: &mut Preparer, recorder: &mut Recorder) -> Round {
    let mut round = Round::default();
    let mut changes = Changes::new();
    if let Err(error) = create_all(scene, actions, preparer, recorder, &mut changes) {
        changes.clear();
        round.refused = Some(error.to_string());
        let message = format!("Error creating: {error}");
        tell(scene, &mut changes, recorder, scene.key, &Told {
            component: scene.controller,
            importance: Importance::Warning,
            reason: "FailedCreate",
            message: &message,
        });
    }
    for action in actions {
        let applied = match action {
            Action::Create { .. } => true,
            Action::Wait { on, until } => {
                round.waits.push((on.clone(), *until));
                true
            }
            Action::Event { on, importance, reason, message } => {
                let told = Told { component: scene.controller, importance: *importance, reason, message };
                tell(scene, &mut changes, recorder, on, &told);
                true
            }
            Action::Patch { key, patch } => change(scene, &mut changes, key, |object| patch_object(object, patch)),
            Action::Status { key, status } => change(scene, &mut changes, key, |object| object["status"] = status.clone()),
            Action::Bind { pod, node } => change(scene, &mut changes, pod, |object| bind(object, node, scene.now)),
            Action::Delete { key, uid, propagation } => remove(scene, &mut changes, key, uid, |object| {
                delete(key, object, *propagation, scene.now)
            }),
        };
        round.stale |= !applied;
    }
    round.txn = transaction(scene, changes);
    round
}

fn create_all(
    scene: &Scene<'_>,
    actions: &[Action],
    preparer: &mut Preparer,
    recorder: &mut Recorder,
    changes: &mut Changes,
) -> Result<(), PrepareError> {
    for action in actions {
        let Action::Create { object } = action else { continue };
        let (key, value) = preparer.create(scene.snapshot, object.clone(), |key| changes.contains_key(key), scene.now)?;
        if &*key.resource == "pods" {
            let told = Told {
                component: scene.controller,
                importance: Importance::Normal,
                reason: "SuccessfulCreate",
                message: &format!("Created pod: {}", key.name),
            };
            tell(scene, changes, recorder, scene.key, &told);
        }
        changes.insert(key, Some(value));
    }
    Ok(())
}

/// Changes an object; `false` where there is none.
fn change(scene: &Scene<'_>, changes: &mut Changes, key: &Key, with: impl FnOnce(&mut Value)) -> bool {
    let mut object = match (changes.get(key), scene.snapshot.get(key)) {
        (Some(Some(object)), _) => object.clone(),
        (None, Some(stored)) => stored.value().clone(),
        _ => return false,
    };
    with(&mut object);
    let gone = is_free(&object);
    changes.insert(key.clone(), (!gone).then_some(object));
    true
}

/// Deletes an object; `false` where it is another one by now.
fn remove(scene: &Scene<'_>, changes: &mut Changes, key: &Key, uid: &str, with: impl FnOnce(&Value) -> Deletion) -> bool {
    let object = match (changes.get(key), scene.snapshot.get(key)) {
        (Some(Some(object)), _) => object.clone(),
        (None, Some(stored)) => stored.value().clone(),
        _ => return true,
    };
    if object["metadata"]["uid"] != uid {
        return false;
    }
    match with(&object) {
        Deletion::Remove => drop(changes.insert(key.clone(), None)),
        Deletion::Keep(marked) => drop(changes.insert(key.clone(), Some(marked))),
        Deletion::Nothing => {}
    }
    true
}

/// Applies a merge patch to everything but the status; a change of the spec is a new generation.
fn patch_object(object: &mut Value, patch: &Value) {
    let (status, spec) = (object.get("status").cloned(), object.get("spec").cloned());
    json_patch::merge(object, patch);
    if let (Some(status), Some(fields)) = (status, object.as_object_mut()) {
        fields.insert("status".into(), status);
    }
    if object.get("spec") != spec.as_ref() {
        let metadata = object_of(object, "metadata");
        let generation = metadata.get("generation").and_then(Value::as_i64).unwrap_or(0);
        metadata.insert("generation".into(), json!(generation + 1));
    }
}

/// Sets the node and the PodScheduled condition, as the `binding` subresource does.
fn bind(object: &mut Value, node: &str, now: Timestamp) {
    object_of(object, "spec").insert("nodeName".into(), json!(node));
    let status = object_of(object, "status");
    let mut conditions: Vec<Value> = status.get("conditions").and_then(Value::as_array).cloned().unwrap_or_default();
    conditions.retain(|condition| condition["type"] != "PodScheduled");
    conditions.push(json!({ "type": "PodScheduled", "status": "True", "lastProbeTime": null, "lastTransitionTime": Time::from(now) }));
    status.insert("conditions".into(), Value::Array(conditions));
    crate::api::object::strip_absent(object);
}

fn tell(scene: &Scene<'_>, changes: &mut Changes, recorder: &mut Recorder, on: &Key, told: &Told<'_>) {
    let about = match changes.get(on) {
        Some(Some(object)) => Some(object.clone()),
        _ => scene.snapshot.get(on).map(|stored| stored.value().clone()),
    };
    let Some(about) = about.filter(|_| is_open(scene.snapshot, &on.namespace)) else { return };
    if let Some((key, value)) = recorder.record(scene.snapshot, &about, told, scene.now) {
        changes.insert(key, Some(value));
    }
}

/// Whether a namespace takes new objects; events about cluster-wide objects are always taken.
fn is_open(snapshot: &Snapshot, namespace: &str) -> bool {
    let key = Key { resource: "namespaces".into(), namespace: "".into(), name: namespace.into() };
    namespace.is_empty() || snapshot.get(&key).is_some_and(|stored| stored.deletion_timestamp().is_none())
}

/// Adds the preconditions. The decided object is held fast even if it does not change itself.
fn transaction(scene: &Scene<'_>, mut changes: Changes) -> Txn {
    changes.retain(|key, change| change.is_none() || scene.snapshot.get(key).is_none_or(|stored| Some(stored.value()) != change.as_ref()));
    if changes.is_empty() {
        return Txn::new();
    }
    let mut ops = Vec::with_capacity(changes.len() + 1);
    if let Some(stored) = scene.snapshot.get(scene.key).filter(|_| !changes.contains_key(scene.key)) {
        let unchanged = stored.value().clone();
        ops.push(Op::put(scene.key.clone(), Precondition::Revision(stored.revision()), unchanged));
    }
    for (key, change) in changes {
        let precondition = match scene.snapshot.get(&key) {
            // Two decisions may tell the same thing at the same time; the later count wins.
            _ if &*key.resource == "events" => Precondition::Any,
            Some(stored) => Precondition::Revision(stored.revision()),
            None => Precondition::Absent,
        };
        ops.push(match change {
            Some(value) => Op::put(key, precondition, value),
            None => Op::delete(key, precondition),
        });
    }
    ops.into()
}
