//! The annotations by which Deployment and ReplicaSets keep revisions and sizes, as `kubectl rollout` reads them.

use std::collections::BTreeMap;

use crate::api::ObjectMeta;

/// Number of the version, counted up with each rollout.
pub(super) const REVISION: &str = "deployment.kubernetes.io/revision";
/// The numbers that a ReplicaSet had before, when a rollback used it again.
pub(super) const HISTORY: &str = "deployment.kubernetes.io/revision-history";
/// The Deployment's replicas when the ReplicaSet was last sized.
pub(super) const DESIRED: &str = "deployment.kubernetes.io/desired-replicas";
/// The most pods of the whole Deployment when the ReplicaSet was last sized.
pub(super) const MAX: &str = "deployment.kubernetes.io/max-replicas";
/// The label that tells the pods of versions apart.
pub(super) const HASH: &str = "pod-template-hash";

/// Annotations of a Deployment that its ReplicaSets do not get.
const NOT_COPIED: [&str; 6] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    HISTORY,
    DESIRED,
    MAX,
    "deprecated.deployment.rollback.to",
];

/// The longest history, in characters: the oldest numbers go first.
const HISTORY_MAX: usize = 2000;

/// Returns the annotations that a Deployment hands on.
pub(super) fn inherited(meta: &ObjectMeta) -> BTreeMap<String, String> {
    meta.annotations
        .iter()
        .filter(|(key, _)| !NOT_COPIED.contains(&key.as_str()))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// Returns the revision; zero for an object that has none.
pub(super) fn revision(meta: &ObjectMeta) -> i64 {
    number(meta, REVISION).unwrap_or(0)
}

/// Returns an annotation as a number.
pub(super) fn number(meta: &ObjectMeta, key: &str) -> Option<i64> {
    meta.annotations.get(key)?.parse().ok()
}

/// Returns the annotations by which a ReplicaSet remembers the Deployment's size.
pub(super) fn sizes(replicas: i32, max: i32) -> [(&'static str, String); 2] {
    [(DESIRED, replicas.to_string()), (MAX, max.to_string())]
}

/// Returns what changes in a ReplicaSet's annotations when it is, or becomes again, the newest.
pub(super) fn renewed(deployment: &ObjectMeta, set: &ObjectMeta, newest: i64) -> BTreeMap<String, String> {
    let mut changes = inherited(deployment);
    let old = revision(set);
    if old < newest {
        changes.insert(REVISION.to_owned(), newest.to_string());
        if old > 0 {
            let mut history: Vec<&str> = set.annotations.get(HISTORY).map_or(vec![], |text| text.split(',').collect());
            let old = old.to_string();
            history.push(&old);
            while history.join(",").len() > HISTORY_MAX {
                history.remove(0);
            }
            changes.insert(HISTORY.to_owned(), history.join(","));
        }
    }
    changes.retain(|key, value| set.annotations.get(key) != Some(value));
    changes
}
