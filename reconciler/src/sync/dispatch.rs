//! Decides which Application is looked at when: events of the store, timers, and no Application twice at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bowline_runtime::api::kinds::Application;
use bowline_runtime::api::{Key, Timestamp};
use bowline_runtime::store::{Event, Snapshot, Stored, WatchFilter};
use tokio::task::JoinSet;

use super::{PASSES_MAX, Shared, lock, pass};
use crate::plan::OWNER;

/// The first wait after a pass that failed, doubled for each further one up to [`RETRY_MAX`].
const RETRY_MIN: Duration = Duration::from_secs(2);
/// The longest wait after passes that fail.
const RETRY_MAX: Duration = Duration::from_secs(300);
/// How far a pod may stand below the object that an Application applied: CronJob, Job, Pod.
const OWNERS_MAX: usize = 3;

/// Which Applications wait, run, or are due later.
#[derive(Default)]
struct Queue {
    ready: BTreeSet<Key>,
    running: BTreeSet<Key>,
    /// Asked for again while they run.
    again: BTreeSet<Key>,
    due: BTreeMap<Key, Timestamp>,
    failures: BTreeMap<Key, u32>,
}

impl Queue {
    fn add(&mut self, key: Key) {
        if self.running.contains(&key) {
            self.again.insert(key);
        } else {
            self.ready.insert(key);
        }
    }

    fn take(&mut self) -> Option<Key> {
        if self.running.len() >= PASSES_MAX {
            return None;
        }
        let key = self.ready.pop_first()?;
        self.due.remove(&key);
        self.running.insert(key.clone());
        Some(key)
    }

    fn done(&mut self, key: Key, outcome: Result<Option<Timestamp>, pass::PassError>, now: Timestamp) {
        self.running.remove(&key);
        let until = match outcome {
            Ok(until) => {
                self.failures.remove(&key);
                until
            }
            Err(error) => {
                let failures = self.failures.entry(key.clone()).or_default();
                *failures = failures.saturating_add(1);
                tracing::warn!(application = %key, %error, "the pass failed and is tried again");
                Some(now + RETRY_MIN.saturating_mul(1 << (*failures - 1).min(16)).min(RETRY_MAX))
            }
        };
        if let Some(until) = until {
            self.due.insert(key.clone(), until);
        }
        if self.again.remove(&key) {
            self.ready.insert(key);
        }
    }

    fn wake(&mut self, now: Timestamp) {
        let due: Vec<Key> = self.due.iter().filter(|(_, at)| **at <= now).map(|(key, _)| key.clone()).collect();
        for key in due {
            self.due.remove(&key);
            self.add(key);
        }
    }
}

/// Runs passes as events and timers ask for them.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut queue = Queue::default();
    let mut passes = JoinSet::new();
    loop {
        let snapshot = shared.config.store.snapshot();
        let Ok(mut watcher) = shared.config.store.watch(Some(snapshot.revision()), WatchFilter::all()) else { continue };
        // After a start, or a watch that fell behind, nothing remembered can be relied on.
        lock(&shared.memory).clear();
        lock(&shared.dirty).clear();
        for stored in snapshot.list(&Application::kind().resource()) {
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
            let pause = queue.due.values().min().map_or(Duration::from_secs(3600), |at| at.since(now));
            tokio::select! {
                event = watcher.next() => {
                    let Ok(event) = event else { break };
                    note(&shared, &event, &mut queue);
                    while let Ok(Some(event)) = watcher.try_next() {
                        note(&shared, &event, &mut queue);
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
fn note(shared: &Shared, event: &Event, queue: &mut Queue) {
    let snapshot = shared.config.store.snapshot();
    let object = event.object();
    match &*object.key().resource {
        "applications.bowline.dev" => {
            if event.is_delete() {
                lock(&shared.memory).remove(object.key());
                lock(&shared.dirty).remove(object.key());
            }
            if declaration_changed(event) {
                queue.add(object.key().clone());
            }
            dependents(&snapshot, object, queue);
        }
        "gitrepositories.bowline.dev" => {
            for application in snapshot.list_in("applications.bowline.dev", &object.key().namespace) {
                let source = application.value().pointer("/spec/source/name").and_then(serde_json::Value::as_str);
                if source == Some(&*object.key().name) {
                    queue.add(application.key().clone());
                }
            }
        }
        _ => {}
    }
    let before = event.old().and_then(|old| owner(old));
    for owner in before.into_iter().chain(owner(object)).collect::<BTreeSet<_>>() {
        dirty(shared, &owner, object.key(), queue);
    }
    above(shared, &snapshot, object, queue);
}

fn dirty(shared: &Shared, application: &Key, object: &Key, queue: &mut Queue) {
    lock(&shared.dirty).entry(application.clone()).or_default().insert(object.clone());
    queue.add(application.clone());
}

/// Whether an Application's event is more than its own status.
fn declaration_changed(event: &Event) -> bool {
    let facts = |value: &serde_json::Value| {
        ["/metadata/generation", "/metadata/annotations", "/metadata/deletionTimestamp", "/metadata/uid"]
            .map(|pointer| value.pointer(pointer).cloned())
    };
    event.is_delete() || event.old().is_none_or(|old| facts(old.value()) != facts(event.object().value()))
}

/// Wakes the Applications that wait for this one.
fn dependents(snapshot: &Snapshot, object: &Stored, queue: &mut Queue) {
    for other in snapshot.list_in("applications.bowline.dev", &object.key().namespace) {
        let depends = other.value().pointer("/spec/dependsOn").and_then(serde_json::Value::as_array);
        let named = |entry: &serde_json::Value| entry.get("name").and_then(serde_json::Value::as_str) == Some(&*object.key().name);
        if depends.is_some_and(|entries| entries.iter().any(named)) {
            queue.add(other.key().clone());
        }
    }
}

/// Returns the Application that an object is annotated with; none for what a controller made, because controllers
/// copy annotations (a Deployment's to its ReplicaSets).
fn owner(object: &Stored) -> Option<Key> {
    if object.owner_uids().next().is_some() {
        return None;
    }
    let id = object.value().get("metadata")?.get("annotations")?.get(OWNER)?.as_str()?;
    let (namespace, name) = id.split_once('/')?;
    Some(Application::kind().key(namespace, name))
}

/// A pod says why its Deployment is not healthy: what it says concerns the Application of its owner's owner.
fn above(shared: &Shared, snapshot: &Snapshot, object: &Stored, queue: &mut Queue) {
    let mut current = object.value().clone();
    for _ in 0..OWNERS_MAX {
        let Some(key) = controller(&current, shared) else { return };
        let Some(parent) = snapshot.get(&key) else { return };
        if let Some(application) = owner(parent) {
            return dirty(shared, &application, parent.key(), queue);
        }
        current = parent.value().clone();
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

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        Application::kind().key("a", name)
    }

    #[test]
    fn an_application_runs_once_at_a_time_and_again_when_asked_meanwhile() {
        let mut queue = Queue::default();
        queue.add(key("x"));
        assert_eq!(queue.take(), Some(key("x")));
        queue.add(key("x"));
        assert_eq!(queue.take(), None, "it is running");
        queue.done(key("x"), Ok(None), Timestamp::EPOCH);
        assert_eq!(queue.take(), Some(key("x")));
    }

    #[test]
    fn failures_back_off_and_a_success_forgets_them() {
        let mut queue = Queue::default();
        let mut waits = Vec::new();
        for _ in 0..3 {
            queue.add(key("x"));
            queue.take();
            queue.done(key("x"), Err(pass::PassError::Gone), Timestamp::EPOCH);
            waits.push(queue.due[&key("x")].secs());
        }
        assert_eq!(waits, [2, 4, 8]);
        queue.wake(Timestamp::from_secs(8));
        queue.take();
        queue.done(key("x"), Ok(None), Timestamp::EPOCH);
        assert!(queue.failures.is_empty());
    }
}
