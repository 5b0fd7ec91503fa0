//! What a Deployment's decision is made from.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::api::kinds::{Deployment, Pod, ReplicaSet};
use crate::api::{Key, Object};
use crate::control::owner::{self, Claimed, uid};
use crate::store::Snapshot;

/// The ReplicaSets of a Deployment and their pods.
#[derive(Debug, Default)]
pub struct Observed {
    pub(super) sets: Claimed<ReplicaSet>,
    /// All pods, those that are stopping included, by the UID of the ReplicaSet.
    pub(super) pods: BTreeMap<String, Vec<Arc<Pod>>>,
    /// Names of ReplicaSets in the namespace that are somebody else's.
    pub(super) taken: BTreeSet<String>,
}

/// Reads a Deployment, its ReplicaSets and their pods.
pub(super) fn observe(snapshot: &Snapshot, key: &Key) -> Option<(Observed, Arc<Deployment>)> {
    let deployment = snapshot.typed_get::<Deployment>(&key.namespace, &key.name)?;
    let sets: Claimed<ReplicaSet> = owner::claim(snapshot, &deployment.metadata, &deployment.spec.selector);
    let of_set = |set: &Arc<ReplicaSet>| (uid(&set.metadata).to_owned(), owner::controlled(snapshot, &set.metadata));
    let pods = sets.mine.iter().map(of_set).collect();
    let mine: BTreeSet<&str> = sets.mine.iter().map(|set| set.metadata.name.as_str()).collect();
    let taken = snapshot
        .list_in(&ReplicaSet::kind().resource(), &key.namespace)
        .map(|stored| stored.key().name.to_string())
        .filter(|name| name.starts_with(&*key.name) && !mine.contains(name.as_str()))
        .collect();
    Some((Observed { sets, pods, taken }, deployment))
}

/// Names the Deployment whose old pod has gone: the Recreate strategy waits for that.
pub(super) fn of_pod(snapshot: &Snapshot, key: &Key) -> Vec<Key> {
    if snapshot.get(key).is_some() {
        return vec![];
    }
    // The pod is gone and with it the reference to its ReplicaSet; all that wait in its namespace are few.
    let deployments = owner::in_namespace::<Deployment>(snapshot, &key.namespace).into_iter();
    deployments
        .filter(|deployment| super::limits::is_recreate(&deployment.spec))
        .map(|deployment| deployment.key())
        .collect()
}

/// Names the Deployments that may want to take over a ReplicaSet nobody controls.
pub(super) fn adopters(snapshot: &Snapshot, key: &Key) -> Vec<Key> {
    let Some(set) = snapshot.typed_get::<ReplicaSet>(&key.namespace, &key.name) else { return vec![] };
    if set.metadata.controller().is_some() {
        return vec![];
    }
    let deployments = owner::in_namespace::<Deployment>(snapshot, &key.namespace).into_iter();
    let matching = deployments.filter(|deployment| deployment.spec.selector.matches(&set.metadata.labels));
    matching.map(|deployment| deployment.key()).collect()
}
