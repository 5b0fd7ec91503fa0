//! Whose an object is.

use std::sync::{Arc, OnceLock};

use serde_json::Value;

use crate::api::kinds::builtin;
use crate::api::{Key, Kinds};
use crate::store::{Snapshot, Stored};

/// Holds an object until its dependents are gone.
pub(super) const FOREGROUND: &str = "foregroundDeletion";
/// Holds an object until its dependents have been let go.
pub(super) const ORPHAN: &str = "orphan";

/// An owner as a reference tells of it.
#[derive(Clone, Debug)]
pub(super) struct Owner {
    pub(super) uid: String,
    /// Its key; `None` for a kind that is not known here.
    pub(super) key: Option<Key>,
    pub(super) state: State,
}

/// What there is of an owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It is there.
    Solid,
    /// It is gone.
    Absent,
    /// It goes once this object is gone.
    Waiting,
}

fn kinds() -> &'static Kinds {
    static KINDS: OnceLock<Kinds> = OnceLock::new();
    KINDS.get_or_init(builtin)
}

/// Returns the owners of an object.
pub(super) fn owners(snapshot: &Snapshot, stored: &Stored) -> Vec<Owner> {
    references(&stored.value()).iter().map(|reference| owner(snapshot, stored, reference)).collect()
}

/// Returns the owner references of an object.
pub(super) fn references(object: &Value) -> &[Value] {
    object["metadata"]["ownerReferences"].as_array().map_or(&[], Vec::as_slice)
}

fn owner(snapshot: &Snapshot, stored: &Stored, reference: &Value) -> Owner {
    let text = |field: &str| reference[field].as_str().unwrap_or_default();
    let kind = kinds().find(text("apiVersion"), text("kind"));
    let key = kind.map(|kind| kind.key(&stored.key().namespace, text("name")));
    let found = key.as_ref().and_then(|key| snapshot.get(key)).filter(|owner| owner.uid() == text("uid"));
    let state = match (&key, found) {
        (None, _) => State::Solid,
        (_, None) => State::Absent,
        (_, Some(owner)) if is_deleting_dependents(owner) => State::Waiting,
        _ => State::Solid,
    };
    Owner { uid: text("uid").to_owned(), key, state }
}

/// Whether an object is being deleted in the foreground.
pub(super) fn is_deleting_dependents(stored: &Stored) -> bool {
    stored.deletion_timestamp().is_some() && has_finalizer(stored, FOREGROUND)
}

/// Whether a finalizer holds an object.
pub(super) fn has_finalizer(stored: &Stored, name: &str) -> bool {
    stored.finalizers().any(|finalizer| finalizer == name)
}

/// Returns the objects of an owner, those of other namespaces left out.
pub(super) fn dependents<'a>(snapshot: &'a Snapshot, owner: &Stored) -> Vec<&'a Arc<Stored>> {
    let namespace = &owner.key().namespace;
    let near = |stored: &&Arc<Stored>| namespace.is_empty() || stored.key().namespace == *namespace;
    snapshot.owned_by(owner.uid()).filter(near).collect()
}

/// Whether a dependent holds the foreground deletion of its owner.
pub(super) fn blocks(dependent: &Stored, owner: &Stored) -> bool {
    references(&dependent.value())
        .iter()
        .any(|reference| reference["uid"] == owner.uid() && reference["blockOwnerDeletion"] == true)
}
