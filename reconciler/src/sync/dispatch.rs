//! Decides which Application is looked at when: events of the store, timers, and no Application twice at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bowline_runtime::api::Key;
use bowline_runtime::api::kinds::Application;
use bowline_runtime::store::{Event, Snapshot, Stored, WatchFilter};
use tokio::task::JoinSet;

use super::index::Index;
use super::queue::Queue;
use super::{Shared, lock, pass};
use crate::plan::OWNER;

/// How far a pod may stand below the object that an Application applied: CronJob, Job, Pod.
const OWNERS_MAX: usize = 3;

/// Runs passes as events and timers ask for them.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut queue = Queue::default();
    let mut passes = JoinSet::new();
    loop {
        let snapshot = shared.config.store.snapshot();
        let Ok(mut watcher) = shared.config.store.watch(Some(snapshot.revision()), WatchFilter::all()) else {
            continue;
        };
        // After a start, or a watch that fell behind, nothing remembered can be relied on.
        lock(&shared.memory).clear();
        lock(&shared.dirty).clear();
        let mut index = Index::default();
        for stored in snapshot.list(&Application::kind().resource()) {
            index.put(stored);
            queue.add(stored.key().clone());
        }
        loop {
            while let Some(key) = queue.take() {
                let shared = shared.clone();
                passes.spawn_blocking(move || {
                    let outcome = pass::run(&shared, &key);
                    (key, outcome)
                });
            }
            let now = shared.now();
            let pause = queue.next_due().map_or(Duration::from_secs(3600), |at| at.since(now));
            tokio::select! {
                event = watcher.next() => {
                    let Ok(event) = event else { break };
                    note(&shared, &event, &mut index, &mut queue);
                    while let Ok(Some(event)) = watcher.try_next() {
                        note(&shared, &event, &mut index, &mut queue);
                    }
                }
                Some(done) = passes.join_next() => match done {
                    Ok((key, outcome)) => queue.done(key, outcome, shared.now()),
                    // Cancelled: the daemon is leaving.
                    Err(error) if error.is_cancelled() => {}
                    Err(error) => tracing::error!(%error, "a pass ended unexpectedly"),
                },
                () = tokio::time::sleep(pause) => queue.wake(shared.now()),
            }
        }
    }
}

/// Finds the Applications that an event concerns, and tells their memories which object changed.
pub(super) fn note(shared: &Shared, event: &Event, index: &mut Index, queue: &mut Queue) {
    let object = event.object();
    match &*object.key().resource {
        "applications.bowline.dev" => {
            if event.is_delete() {
                lock(&shared.memory).remove(object.key());
                lock(&shared.dirty).remove(object.key());
                lock(&shared.newest).remove(object.key());
                index.remove(object.key());
            } else {
                index.put(object);
            }
            if declaration_changed(event) {
                queue.add(object.key().clone());
            }
            index.dependents(object.key()).for_each(|key| queue.add(key.clone()));
        }
        "gitrepositories.bowline.dev" if revision_changed(event) => {
            index.readers(object.key()).for_each(|key| queue.add(key.clone()));
        }
        _ => {}
    }
    let before = event.old().and_then(|old| owner(old));
    let owners: BTreeSet<Key> = before.into_iter().chain(owner(object)).collect();
    for owner in owners.into_iter().filter(|owner| index.has(owner)) {
        dirty(shared, &owner, object.key(), queue);
    }
    if object.owner_uids().next().is_some() {
        above(shared, &shared.config.store.snapshot(), object, queue);
    }
}

/// Whether a repository's event says anything to those who read it: its note of a request alone does not.
fn revision_changed(event: &Event) -> bool {
    let facts = |value: &serde_json::Value| {
        ["/status/revision", "/status/conditions", "/metadata/generation"]
            .map(|pointer| value.pointer(pointer).cloned())
    };
    event.is_delete() || event.old().is_none_or(|old| facts(&old.value()) != facts(&event.object().value()))
}

fn dirty(shared: &Shared, application: &Key, object: &Key, queue: &mut Queue) {
    lock(&shared.dirty).entry(application.clone()).or_default().insert(object.clone());
    queue.add(application.clone());
}

/// Whether an Application's event is more than its own status.
fn declaration_changed(event: &Event) -> bool {
    fn facts(stored: &Stored) -> impl PartialEq + '_ {
        let text = |field| stored.metadata_text(field);
        (stored.uid(), stored.deletion_timestamp(), text("generation"), text("annotations"))
    }
    event.is_delete() || event.old().is_none_or(|old| facts(old) != facts(event.object()))
}

/// Returns the Application that an object is annotated with; none for what a controller made, because controllers
/// copy annotations (a Deployment's to its ReplicaSets).
fn owner(object: &Stored) -> Option<Key> {
    if object.owner_uids().next().is_some() {
        return None;
    }
    let annotations: BTreeMap<String, String> = serde_json::from_str(object.metadata_text("annotations")?).ok()?;
    let (namespace, name) = annotations.get(OWNER)?.split_once('/')?;
    Some(Application::kind().key(namespace, name))
}

/// A pod says why its Deployment is not healthy: what it says concerns the Application of its owner's owner.
fn above(shared: &Shared, snapshot: &Snapshot, object: &Stored, queue: &mut Queue) {
    let mut parent = controller(&object.value(), shared).and_then(|key| snapshot.get(&key));
    for _ in 0..OWNERS_MAX {
        let Some(found) = parent else { return };
        if let Some(application) = owner(found) {
            return dirty(shared, &application, found.key(), queue);
        }
        parent = controller(&found.value(), shared).and_then(|key| snapshot.get(&key));
    }
}

fn controller(object: &serde_json::Value, shared: &Shared) -> Option<Key> {
    let owners = object.pointer("/metadata/ownerReferences")?.as_array()?;
    let owner = owners.iter().find(|owner| owner.get("controller") == Some(&serde_json::Value::Bool(true)))?;
    let text = |key: &str| owner.get(key).and_then(serde_json::Value::as_str);
    let kind = shared.config.kinds.find(text("apiVersion")?, text("kind")?)?;
    let namespace = object.pointer("/metadata/namespace").and_then(serde_json::Value::as_str).unwrap_or_default();
    Some(kind.key(namespace, text("name")?))
}
