//! What to do about a namespace.

use std::collections::BTreeMap;
use std::sync::Arc;

use bowline_macros::controller;
use serde_json::{Value, json};

use crate::api::kinds::Namespace;
use crate::api::{Key, Object, Time, Timestamp};
use crate::control::registered::is;
use crate::control::{Action, Blocker, Change, Propagation, Registered};
use crate::store::Snapshot;

const CONTENT: &str = "NamespaceContentRemaining";
const FINALIZERS: &str = "NamespaceFinalizersRemaining";

/// What is in a namespace that goes.
#[derive(Debug, Default)]
pub struct Observed {
    content: Vec<Item>,
}

#[derive(Debug)]
struct Item {
    key: Key,
    uid: String,
    going: bool,
    finalizers: Vec<String>,
}

/// Returns the controller; every change in a namespace that goes brings the namespace up.
pub fn namespace_controller() -> Registered {
    Registered { route, ..Registered::of::<NamespaceController>() }
}

fn route(snapshot: &Snapshot, change: &Change<'_>) -> Vec<Key> {
    if is(Namespace::kind(), &change.key.resource) {
        return vec![change.key.clone()];
    }
    let key = Namespace::kind().key("", &change.key.namespace);
    let going = snapshot.get(&key).is_some_and(|namespace| namespace.deletion_timestamp().is_some());
    if going { vec![key] } else { vec![] }
}

fn observe(snapshot: &Snapshot, key: &Key) -> Option<(Observed, Arc<Namespace>)> {
    let namespace = snapshot.typed_get::<Namespace>("", &key.name)?;
    namespace.metadata.deletion_timestamp?;
    let inside = snapshot.iter().filter(|stored| stored.key().namespace == key.name);
    let content = inside.map(|stored| Item {
        key: stored.key().clone(),
        uid: stored.uid().to_owned(),
        going: stored.deletion_timestamp().is_some(),
        finalizers: stored.finalizers().map(str::to_owned).collect(),
    });
    Some((Observed { content: content.collect() }, namespace))
}

/// Lists the steps that empty a namespace: all pods, then all else, then the namespace itself.
#[controller(name = "namespace-controller", kind = Namespace, observe = observe)]
pub fn decide(observed: &Observed, desired: &Namespace, now: Timestamp) -> Vec<Action> {
    let (pods, others): (Vec<&Item>, Vec<&Item>) =
        observed.content.iter().partition(|item| &*item.key.resource == "pods");
    let next = if pods.is_empty() { others } else { pods };
    let mut actions: Vec<Action> = next
        .iter()
        .filter(|item| !item.going)
        .map(|item| Action::Delete {
            key: item.key.clone(),
            uid: item.uid.clone(),
            propagation: Propagation::Background,
        })
        .collect();
    if observed.content.is_empty() {
        if desired.spec.finalizers.iter().any(|name| name == "kubernetes") {
            actions.push(Action::Finalize { key: desired.key() });
        }
        return actions;
    }
    if let Some(status) = status(observed, desired, now) {
        actions.push(Action::Status { key: desired.key(), status });
    }
    actions.push(Action::Wait { on: Blocker::NamespaceContent { left: count(observed) }, until: None });
    actions
}

fn count(observed: &Observed) -> String {
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for item in &observed.content {
        *kinds.entry(&item.key.resource).or_default() += 1;
    }
    kinds.iter().map(|(kind, count)| format!("{kind}: {count}")).collect::<Vec<_>>().join(", ")
}

/// Returns the status with what is left, or `None` where it says so already.
fn status(observed: &Observed, desired: &Namespace, now: Timestamp) -> Option<Value> {
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    let mut finalizers: BTreeMap<&str, usize> = BTreeMap::new();
    for item in observed.content.iter().filter(|item| item.going) {
        *kinds.entry(&item.key.resource).or_default() += 1;
        for name in &item.finalizers {
            *finalizers.entry(name).or_default() += 1;
        }
    }
    let kinds: Vec<String> =
        kinds.iter().map(|(kind, count)| format!("{kind} has {count} resource instances")).collect();
    let finalizers: Vec<String> =
        finalizers.iter().map(|(name, count)| format!("{name} in {count} resource instances")).collect();
    let content = match kinds.is_empty() {
        true => ("False", "ContentRemoved", "All content successfully removed".to_owned()),
        false => ("True", "SomeResourcesRemain", format!("Some resources are remaining: {}", kinds.join(", "))),
    };
    let held = match finalizers.is_empty() {
        true => ("False", "ContentHasNoFinalizers", "All content-preserving finalizers finished".to_owned()),
        false => {
            let message = format!("Some content in the namespace has finalizers remaining: {}", finalizers.join(", "));
            ("True", "SomeFinalizersRemain", message)
        }
    };
    let mut status = serde_json::to_value(desired.status.clone().unwrap_or_default()).ok()?;
    let before = status.clone();
    for (name, (value, reason, message)) in [(CONTENT, content), (FINALIZERS, held)] {
        set(&mut status, name, value, reason, &message, now);
    }
    crate::api::object::strip_absent(&mut status);
    let mut before = before;
    crate::api::object::strip_absent(&mut before);
    (status != before).then_some(status)
}

fn set(status: &mut Value, name: &str, value: &str, reason: &str, message: &str, now: Timestamp) {
    let mut list = status["conditions"].as_array().cloned().unwrap_or_default();
    let old = list.iter().find(|condition| condition["type"] == name).cloned();
    let same = old.as_ref().is_some_and(|old| old["status"] == value);
    let since = old.filter(|_| same).map_or(json!(Time::from(now)), |old| old["lastTransitionTime"].clone());
    list.retain(|condition| condition["type"] != name);
    list.push(
        json!({ "type": name, "status": value, "reason": reason, "message": message, "lastTransitionTime": since }),
    );
    list.sort_by_key(|condition| condition["type"].as_str().map(str::to_owned));
    status["conditions"] = Value::Array(list);
}
