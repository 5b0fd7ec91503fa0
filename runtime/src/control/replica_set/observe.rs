//! What a ReplicaSet's decision is made from.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::api::kinds::{Pod, ReplicaSet};
use crate::api::{Key, Object};
use crate::control::owner::{self, Claimed};
use crate::control::pods;
use crate::store::Snapshot;

/// The pods of a ReplicaSet.
#[derive(Debug, Default)]
pub struct Observed {
    pub(super) pods: Claimed<Pod>,
    /// How many active pods of this ReplicaSet and its siblings (one Deployment's) are on each node.
    pub(super) related: BTreeMap<String, usize>,
}

/// Reads a ReplicaSet and its pods.
pub(super) fn observe(snapshot: &Snapshot, key: &Key) -> Option<(Observed, Arc<ReplicaSet>)> {
    let replica_set = snapshot.typed_get::<ReplicaSet>(&key.namespace, &key.name)?;
    let pods = owner::claim(snapshot, &replica_set.metadata, &replica_set.spec.selector);
    let related = related(snapshot, &replica_set, &pods.mine);
    Some((Observed { pods, related }, replica_set))
}

fn related(snapshot: &Snapshot, replica_set: &ReplicaSet, mine: &[Arc<Pod>]) -> BTreeMap<String, usize> {
    let mut nodes = BTreeMap::new();
    let mut count = |list: &[Arc<Pod>]| {
        for pod in list.iter().filter(|pod| pods::active(pod)) {
            if let Some(node) = pods::node(pod) {
                *nodes.entry(node.to_owned()).or_default() += 1;
            }
        }
    };
    count(mine);
    if let Some(deployment) = replica_set.metadata.controller() {
        for sibling in snapshot.owned_by(&deployment.uid).filter_map(|stored| stored.typed::<ReplicaSet>().ok()) {
            if sibling.metadata.uid != replica_set.metadata.uid {
                count(&owner::controlled(snapshot, &sibling.metadata));
            }
        }
    }
    nodes
}

/// Names the ReplicaSets that may want to take over a pod nobody controls.
pub(super) fn adopters(snapshot: &Snapshot, key: &Key) -> Vec<Key> {
    let Some(pod) = snapshot.typed_get::<Pod>(&key.namespace, &key.name) else { return vec![] };
    if pod.metadata.controller().is_some() {
        return vec![];
    }
    let sets = owner::in_namespace::<ReplicaSet>(snapshot, &key.namespace).into_iter();
    sets.filter(|set| set.spec.selector.matches(&pod.metadata.labels)).map(|set| set.key()).collect()
}
