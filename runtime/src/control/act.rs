//! Turns the actions of one decision into one transaction.
//!
//! Every object that is touched must still be at the revision that the decision saw, the decided object included: a
//! decision that was overtaken changes nothing and is made anew. No policy here: an action leaves nothing to choose.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::api::{Key, Timestamp};
use crate::store::events::{Importance, Recorder, Told};
use crate::store::{Op, Precondition, Snapshot, Txn};

use super::prepare::{PrepareError, Preparer};
use super::{Action, Blocker};

/// What one decision comes to.
#[derive(Debug, Default)]
pub(super) struct Round {
    /// The changes; empty where there is nothing to do.
    pub(super) txn: Txn,
    /// Why there is no more to do.
    pub(super) waits: Vec<(Blocker, Option<Timestamp>)>,
    /// Why an action cannot be carried out. Where it is a creation, the decision's other creations are left out, too.
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
    pub(super) preparer: &'a Preparer,
}

/// The objects of a transaction as they will be; `None` is one that goes.
type Changes = BTreeMap<Key, Option<Value>>;

/// Puts a transaction together.
pub(super) fn transact(scene: &Scene<'_>, actions: &[Action], recorder: &mut Recorder) -> Round {
    let mut round = Round::default();
    let mut changes = Changes::new();
    if let Err(error) = create_all(scene, actions, recorder, &mut changes) {
        changes.clear();
        refuse(scene, recorder, &mut changes, &mut round, "FailedCreate", &format!("Error creating: {error}"));
        round.refused = Some(error.to_string());
    }
    for action in actions {
        match action {
            Action::Create { .. } => {}
            Action::Wait { on, until } => round.waits.push((on.clone(), *until)),
            Action::Event { on, importance, reason, message } => {
                let told = Told {
                    component: scene.controller,
                    host: None,
                    field_path: None,
                    importance: *importance,
                    reason,
                    message,
                };
                tell(scene, &mut changes, recorder, on, &told);
            }
            _ => change(scene, action, recorder, &mut changes, &mut round),
        }
    }
    round.txn = transaction(scene, changes);
    round
}

fn create_all(
    scene: &Scene<'_>,
    actions: &[Action],
    recorder: &mut Recorder,
    changes: &mut Changes,
) -> Result<(), PrepareError> {
    for action in actions {
        let Action::Create { object } = action else { continue };
        let taken = |key: &Key| changes.contains_key(key);
        let (key, value) = scene.preparer.create(scene.snapshot, object, taken, scene.now)?;
        if &*key.resource == "pods" {
            let message = format!("Created pod: {}", key.name);
            let told = Told {
                component: scene.controller,
                host: None,
                field_path: None,
                importance: Importance::Normal,
                reason: "SuccessfulCreate",
                message: &message,
            };
            tell(scene, changes, recorder, scene.key, &told);
        }
        changes.insert(key, Some(value));
    }
    Ok(())
}

/// Returns an object as the actions before have left it.
fn current(scene: &Scene<'_>, changes: &Changes, key: &Key) -> Option<Value> {
    match changes.get(key) {
        Some(changed) => changed.clone(),
        None => scene.snapshot.get(key).map(|stored| Value::clone(&stored.value())),
    }
}

fn change(scene: &Scene<'_>, action: &Action, recorder: &mut Recorder, changes: &mut Changes, round: &mut Round) {
    let Some(key) = action.target() else { return };
    let deletion = if let Action::Delete { uid, .. } = action { Some(uid) } else { None };
    let Some(object) = current(scene, changes, key) else {
        // What is to be deleted and is not there is as it should be.
        round.stale |= deletion.is_none();
        return;
    };
    if deletion.is_some_and(|uid| object["metadata"]["uid"] != **uid) {
        return;
    }
    match scene.preparer.change(scene.snapshot, action, &object, scene.now) {
        Ok(changed) => drop(changes.insert(key.clone(), changed)),
        Err(error) => {
            refuse(scene, recorder, changes, round, "FailedUpdate", &format!("Error changing {key}: {error}"));
            round.refused = Some(error.to_string());
        }
    }
}

fn refuse(
    scene: &Scene<'_>,
    recorder: &mut Recorder,
    changes: &mut Changes,
    round: &mut Round,
    reason: &str,
    message: &str,
) {
    if round.refused.is_none() {
        let told = Told {
            component: scene.controller,
            host: None,
            field_path: None,
            importance: Importance::Warning,
            reason,
            message,
        };
        tell(scene, changes, recorder, scene.key, &told);
    }
}

fn tell(scene: &Scene<'_>, changes: &mut Changes, recorder: &mut Recorder, on: &Key, told: &Told<'_>) {
    let about =
        current(scene, changes, on).or_else(|| scene.snapshot.get(on).map(|stored| Value::clone(&stored.value())));
    let Some(about) = about.filter(|_| is_open(scene.snapshot, &on.namespace)) else { return };
    let known = |key: &Key| scene.snapshot.get(key).map(|stored| Value::clone(&stored.value()));
    if let Some((key, value)) = recorder.record(known, &about, told, scene.now) {
        changes.insert(key, Some(value));
    }
}

fn namespace(name: &str) -> Key {
    Key { resource: "namespaces".into(), namespace: "".into(), name: name.into() }
}

/// Whether a namespace takes new objects; events about cluster-wide objects are always taken.
fn is_open(snapshot: &Snapshot, name: &str) -> bool {
    name.is_empty() || snapshot.get(&namespace(name)).is_some_and(|stored| stored.deletion_timestamp().is_none())
}

/// Adds the preconditions. The decided object is held fast even if it does not change itself, and so are the
/// namespaces that get a new object: none may be added to one that is going.
fn transaction(scene: &Scene<'_>, mut changes: Changes) -> Txn {
    let unchanged = |key: &Key, new: &Value| scene.snapshot.get(key).is_some_and(|stored| *stored.value() == *new);
    changes.retain(|key, change| match change {
        Some(value) => !unchanged(key, value),
        None => scene.snapshot.get(key).is_some(),
    });
    if changes.is_empty() {
        return Txn::new();
    }
    let created = changes.keys().filter(|key| scene.snapshot.get(key).is_none() && !key.namespace.is_empty());
    let mut held: Vec<Key> = created.map(|key| namespace(&key.namespace)).collect();
    held.push(scene.key.clone());
    held.sort();
    held.dedup();
    let mut ops = Vec::with_capacity(changes.len() + held.len());
    for key in held.into_iter().filter(|key| !changes.contains_key(key)) {
        if let Some(stored) = scene.snapshot.get(&key) {
            let revision = stored.revision();
            ops.push(Op::check(key, Precondition::Revision(revision)));
        }
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
