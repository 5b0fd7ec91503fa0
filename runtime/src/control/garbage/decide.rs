//! What to do about an object that has owners, or is one and goes.

use serde_json::{Value, json};

use crate::api::{Key, Timestamp};
use crate::control::{Action, Blocker, Change, Propagation, Registered};
use crate::store::{Snapshot, Stored};

use super::owners::{
    FOREGROUND, ORPHAN, Owner, State, blocks, dependents, has_finalizer, is_deleting_dependents, owners, references,
};

/// Returns the garbage collector.
pub fn garbage_collector() -> Registered {
    Registered { name: "garbage-collector", route, decide, refused: None, parallel: 16 }
}

/// Whether the owner references of an object changed, be it only in what they block.
fn have_other_references(old: &Stored, new: &Stored) -> bool {
    let has_any = |stored: &Stored| stored.owner_uids().next().is_some();
    (has_any(old) || has_any(new)) && references(&old.value()) != references(&new.value())
}

/// Brings up an object with owners; and, when one goes, those that it owns and those that wait for it.
fn route(snapshot: &Snapshot, change: &Change<'_>) -> Vec<Key> {
    let mut keys = Vec::new();
    if let Some(new) = change.new {
        if new.owner_uids().next().is_some() || has_finalizer(new, FOREGROUND) || has_finalizer(new, ORPHAN) {
            keys.push(new.key().clone());
        }
        if is_deleting_dependents(new) {
            keys.extend(dependents(snapshot, new).iter().map(|stored| stored.key().clone()));
        }
    }
    if let Some(old) = change.old {
        let gone = change.new.is_none_or(|new| new.uid() != old.uid());
        if gone {
            keys.extend(dependents(snapshot, old).iter().map(|stored| stored.key().clone()));
        }
        if gone || change.new.is_some_and(|new| have_other_references(old, new)) {
            keys.extend(
                owners(snapshot, old)
                    .into_iter()
                    .filter(|owner| owner.state == State::Waiting)
                    .filter_map(|owner| owner.key),
            );
        }
    }
    keys
}

/// Decides about one object. The rules are those of `pkg/controller/garbagecollector`, less its guesses at what its
/// caches may not show yet: a snapshot shows all.
fn decide(snapshot: &Snapshot, key: &Key, _now: Timestamp) -> Option<Vec<Action>> {
    let stored = snapshot.get(key)?;
    if stored.deletion_timestamp().is_some() {
        if has_finalizer(stored, ORPHAN) {
            return Some(orphan(snapshot, stored));
        }
        return Some(if has_finalizer(stored, FOREGROUND) { foreground(snapshot, stored) } else { vec![] });
    }
    let owners = owners(snapshot, stored);
    let with = |state: State| owners.iter().filter(move |owner| owner.state == state);
    if owners.is_empty() {
        return Some(vec![]);
    }
    if with(State::Solid).next().is_some() {
        let lost: Vec<&Owner> = owners.iter().filter(|owner| owner.state != State::Solid).collect();
        return Some(if lost.is_empty() { vec![] } else { vec![forget(stored, &lost)] });
    }
    let dependents = dependents(snapshot, stored);
    let (mut actions, mut propagation) = (vec![], Propagation::Background);
    if with(State::Waiting).next().is_some() && !dependents.is_empty() {
        propagation = Propagation::Foreground;
        // In a circle each would wait for the next for ever: this one stops blocking its owners.
        if dependents.iter().any(|dependent| is_deleting_dependents(dependent)) {
            actions.push(unblock(stored));
        }
    } else if has_finalizer(stored, ORPHAN) {
        propagation = Propagation::Orphan;
    } else if has_finalizer(stored, FOREGROUND) {
        propagation = Propagation::Foreground;
    }
    actions.push(Action::Delete { key: key.clone(), uid: stored.uid().to_owned(), propagation });
    Some(actions)
}

/// Lets all dependents go, then the object.
fn orphan(snapshot: &Snapshot, stored: &Stored) -> Vec<Action> {
    let own = Owner { uid: stored.uid().to_owned(), key: None, state: State::Absent };
    let dependents = dependents(snapshot, stored);
    let mut actions: Vec<Action> = dependents.iter().map(|dependent| forget(dependent, &[&own])).collect();
    actions.push(without_finalizer(stored, ORPHAN));
    actions
}

/// Lets the object go once no dependent holds it.
fn foreground(snapshot: &Snapshot, stored: &Stored) -> Vec<Action> {
    let holding = dependents(snapshot, stored).into_iter().filter(|dependent| blocks(dependent, stored)).count();
    if holding == 0 {
        return vec![without_finalizer(stored, FOREGROUND)];
    }
    vec![Action::Wait { on: Blocker::Dependents { objects: holding }, until: None }]
}

fn forget(stored: &Stored, lost: &[&Owner]) -> Action {
    let value = stored.value();
    let kept: Vec<&Value> =
        references(&value).iter().filter(|reference| lost.iter().all(|owner| reference["uid"] != owner.uid)).collect();
    patch_list(stored, "ownerReferences", &kept)
}

fn unblock(stored: &Stored) -> Action {
    let mut references = references(&stored.value()).to_vec();
    for reference in &mut references {
        reference["blockOwnerDeletion"] = json!(false);
    }
    patch_list(stored, "ownerReferences", &references.iter().collect::<Vec<_>>())
}

fn without_finalizer(stored: &Stored, name: &str) -> Action {
    let kept: Vec<Value> = stored.finalizers().filter(|finalizer| *finalizer != name).map(Value::from).collect();
    patch_list(stored, "finalizers", &kept.iter().collect::<Vec<_>>())
}

fn patch_list(stored: &Stored, field: &str, list: &[&Value]) -> Action {
    let list = if list.is_empty() { Value::Null } else { json!(list) };
    Action::Patch { key: stored.key().clone(), patch: json!({ "metadata": { field: list } }) }
}
