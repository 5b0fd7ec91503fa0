//! Where a pod is to run.

use std::collections::BTreeMap;
use std::sync::Arc;

use bowline_macros::controller;

use crate::api::kinds::{Node, Pod, PodCondition};
use crate::api::{Key, Object, Time, Timestamp};
use crate::control::replica_set::to_json;
use crate::control::{Action, Blocker, Importance, Registered, pods};
use crate::store::Snapshot;

/// The nodes a pod may be given to.
#[derive(Debug, Default)]
pub struct Observed {
    nodes: Vec<Candidate>,
}

#[derive(Debug)]
struct Candidate {
    name: String,
    labels: BTreeMap<String, String>,
    ready: bool,
    cordoned: bool,
    /// The pods on it that have not ended.
    pods: usize,
}

/// Returns the scheduler.
pub fn scheduler() -> Registered {
    Registered::of::<PodController>().parallel(1)
}

fn observe(snapshot: &Snapshot, key: &Key) -> Option<(Observed, Arc<Pod>)> {
    let pod = snapshot.typed_get::<Pod>(&key.namespace, &key.name)?;
    if pods::node(&pod).is_some() || !pods::active(&pod) {
        return None;
    }
    let nodes = snapshot.typed_list::<Node>().map(|node| candidate(snapshot, &node)).collect();
    Some((Observed { nodes }, pod))
}

fn candidate(snapshot: &Snapshot, node: &Node) -> Candidate {
    let name = node.metadata.name.clone();
    let conditions = node.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let typed = snapshot.pods_on(&name).filter_map(|stored| stored.typed::<Pod>().ok());
    Candidate {
        labels: node.metadata.labels.clone(),
        ready: conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True"),
        cordoned: node.spec.unschedulable.unwrap_or(false) || node.metadata.deletion_timestamp.is_some(),
        pods: typed.filter(|pod| !pods::succeeded(pod) && !pods::failed(pod)).count(),
        name,
    }
}

/// Names the pods that have no node: one may have become free for them.
fn unscheduled(snapshot: &Snapshot, _node: &Key) -> Vec<Key> {
    let pods = snapshot.typed_list::<Pod>();
    pods.filter(|pod| pods::node(pod).is_none() && pods::active(pod)).map(|pod| pod.key()).collect()
}

/// Binds a pod to the best node, or says why there is none.
#[controller(name = "default-scheduler", kind = Pod, watches(Node => unscheduled), observe = observe)]
pub fn decide(observed: &Observed, desired: &Pod, now: Timestamp) -> Vec<Action> {
    let fitting = observed.nodes.iter().filter(|node| obstacle(node, desired).is_none());
    if let Some(best) = fitting.min_by_key(|node| (node.pods, node.name.clone())) {
        let meta = &desired.metadata;
        let message = format!(
            "Successfully assigned {}/{} to {}",
            meta.namespace.as_deref().unwrap_or_default(),
            meta.name,
            best.name
        );
        let told =
            Action::Event { on: desired.key(), importance: Importance::Normal, reason: "Scheduled".into(), message };
        return vec![Action::Bind { pod: desired.key(), node: best.name.clone() }, told];
    }
    let message = failure(observed, desired);
    let mut actions = report(desired, &message, now);
    actions.push(Action::Wait { on: Blocker::NoNode { message }, until: None });
    actions
}

/// Returns what speaks against a node, in the scheduler's words.
fn obstacle(node: &Candidate, pod: &Pod) -> Option<&'static str> {
    if node.cordoned {
        return Some("node(s) were unschedulable");
    }
    if !node.ready {
        return Some("node(s) had untolerated taint {node.kubernetes.io/not-ready: }");
    }
    let selected = pod.spec.node_selector.iter().all(|(key, value)| node.labels.get(key) == Some(value));
    (!selected).then_some("node(s) didn't match Pod's node affinity/selector")
}

fn failure(observed: &Observed, pod: &Pod) -> String {
    if observed.nodes.is_empty() {
        return "no nodes available to schedule pods".to_owned();
    }
    let mut obstacles: BTreeMap<&str, usize> = BTreeMap::new();
    for node in &observed.nodes {
        *obstacles.entry(obstacle(node, pod).unwrap_or_default()).or_default() += 1;
    }
    let mut reasons: Vec<String> = obstacles.iter().map(|(text, count)| format!("{count} {text}")).collect();
    reasons.sort();
    format!("0/{} nodes are available: {}.", observed.nodes.len(), reasons.join(", "))
}

/// Tells about the failure once, until its reason changes.
fn report(pod: &Pod, message: &str, now: Timestamp) -> Vec<Action> {
    let mut status = pod.status.clone().unwrap_or_default();
    let old = status.conditions.iter().find(|condition| condition.type_ == "PodScheduled").cloned();
    if old.as_ref().is_some_and(|old| old.status == "False" && old.message.as_deref() == Some(message)) {
        return vec![];
    }
    let since =
        old.filter(|old| old.status == "False").and_then(|old| old.last_transition_time).unwrap_or(Time::from(now));
    status.conditions.retain(|condition| condition.type_ != "PodScheduled");
    status.conditions.push(PodCondition {
        type_: "PodScheduled".to_owned(),
        status: "False".to_owned(),
        reason: Some("Unschedulable".to_owned()),
        message: Some(message.to_owned()),
        last_transition_time: Some(since),
        ..PodCondition::default()
    });
    let told = Action::Event {
        on: pod.key(),
        importance: Importance::Warning,
        reason: "FailedScheduling".into(),
        message: message.to_owned(),
    };
    vec![Action::Status { key: pod.key(), status: to_json(&status) }, told]
}
