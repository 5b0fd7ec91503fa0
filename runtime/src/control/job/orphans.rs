//! Pods that are held for a Job that is gone.
//!
//! A Job that is deleted in the background leaves pods with the tracking finalizer behind; nobody counts them any more,
//! so they are let go.

use crate::api::kinds::{Job, Pod};
use crate::api::{Key, Timestamp};
use crate::control::registered::is;
use crate::control::{Action, Change, Registered};
use crate::store::Snapshot;

use super::make;

/// Returns the controller that lets the pods of gone Jobs go.
pub fn orphan_pods() -> Registered {
    Registered { name: "job-orphan-pods", route, decide, refused: None, parallel: 16 }
}

fn route(snapshot: &Snapshot, change: &Change<'_>) -> Vec<Key> {
    if is(Pod::kind(), &change.key.resource) {
        return vec![change.key.clone()];
    }
    match (change.old, change.new) {
        (Some(job), None) if is(Job::kind(), &change.key.resource) => {
            snapshot.owned_by(job.uid()).map(|stored| stored.key().clone()).collect()
        }
        _ => vec![],
    }
}

fn decide(snapshot: &Snapshot, key: &Key, _now: Timestamp) -> Option<Vec<Action>> {
    let pod = snapshot.typed_get::<Pod>(&key.namespace, &key.name).filter(|pod| make::is_tracked(pod))?;
    let owner = pod.metadata.controller().filter(|owner| owner.kind == Job::kind().kind);
    let alive = owner.is_some_and(|owner| {
        let job = snapshot.get(&Job::kind().key(&key.namespace, &owner.name));
        job.is_some_and(|job| job.uid() == owner.uid)
    });
    Some(if alive { vec![] } else { vec![make::release(&pod)] })
}
