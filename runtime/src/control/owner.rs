//! Who controls whom: owner references, adoption and release.

use std::sync::Arc;

use serde_json::json;

use crate::api::{LabelSelector, Object, ObjectMeta, OwnerReference};
use crate::store::Snapshot;

use super::Action;

/// Returns the reference by which `owner` controls an object.
pub fn owner_reference<T: Object>(owner: &T) -> OwnerReference {
    OwnerReference {
        api_version: T::kind().api_version(),
        kind: T::kind().kind.to_owned(),
        name: owner.meta().name.clone(),
        uid: uid(owner.meta()).to_owned(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    }
}

/// Returns the UID, or an empty text for an object that was never stored.
pub(super) fn uid(meta: &ObjectMeta) -> &str {
    meta.uid.as_deref().unwrap_or("")
}

/// The objects that an owner controls or should control, by its selector.
#[derive(Debug)]
pub(super) struct Claimed<T> {
    /// Controlled and selected.
    pub(super) mine: Vec<Arc<T>>,
    /// Selected, and controlled by nobody.
    pub(super) orphans: Vec<Arc<T>>,
    /// Controlled, but not selected.
    pub(super) strangers: Vec<Arc<T>>,
}

impl<T> Default for Claimed<T> {
    fn default() -> Self {
        Self { mine: Vec::new(), orphans: Vec::new(), strangers: Vec::new() }
    }
}

/// Sorts the objects of the owner's namespace by what they are to it.
pub(super) fn claim<T: Object>(snapshot: &Snapshot, owner: &ObjectMeta, selector: &LabelSelector) -> Claimed<T> {
    let mut claimed = Claimed::default();
    let namespace = owner.namespace.as_deref().unwrap_or("");
    for stored in snapshot.list_in(&T::kind().resource(), namespace) {
        let controller = stored.controller_uid();
        let selected = selector.matches(stored.labels());
        let list = match (controller, selected) {
            (Some(controller), true) if controller == uid(owner) => &mut claimed.mine,
            (Some(controller), false) if controller == uid(owner) => &mut claimed.strangers,
            (None, true) => &mut claimed.orphans,
            _ => continue,
        };
        list.extend(stored.typed().ok());
    }
    claimed
}

/// Returns the objects of a type that an owner controls, in key order.
pub(super) fn controlled<T: Object>(snapshot: &Snapshot, owner: &ObjectMeta) -> Vec<Arc<T>> {
    let owned = snapshot.owned_by(uid(owner)).filter(|stored| super::registered::is(T::kind(), &stored.key().resource));
    owned
        .filter(|stored| stored.controller_uid() == Some(uid(owner)))
        .filter_map(|stored| stored.typed().ok())
        .collect()
}

/// Takes orphans over and lets strangers go; an owner that is being deleted, or an object that is, changes nothing.
pub(super) fn settle<T: Object, O: Object>(claimed: &Claimed<T>, owner: &O) -> Vec<Action> {
    if owner.meta().deletion_timestamp.is_some() {
        return vec![];
    }
    let staying = |object: &&Arc<T>| object.meta().deletion_timestamp.is_none();
    let adopt = claimed.orphans.iter().filter(staying).map(|object| {
        let mut owners = object.meta().owner_references.clone();
        owners.push(owner_reference(owner));
        Action::Patch { key: object.key(), patch: json!({ "metadata": { "ownerReferences": owners } }) }
    });
    let release = claimed.strangers.iter().filter(staying).map(|object| {
        let mut owners = object.meta().owner_references.clone();
        owners.retain(|reference| reference.uid != uid(owner.meta()));
        let owners = if owners.is_empty() { serde_json::Value::Null } else { json!(owners) };
        Action::Patch { key: object.key(), patch: json!({ "metadata": { "ownerReferences": owners } }) }
    });
    adopt.chain(release).collect()
}

/// Returns the objects of a type in a namespace, by name.
pub(super) fn in_namespace<T: Object>(snapshot: &Snapshot, namespace: &str) -> Vec<Arc<T>> {
    let resource = T::kind().resource();
    snapshot.list_in(&resource, namespace).filter_map(|stored| stored.typed().ok()).collect()
}
