//! What to do about a ReplicaSet.

use std::cmp::Ordering;
use std::sync::Arc;

use bowline_macros::controller;

use crate::api::kinds::{Pod, ReplicaSet};
use crate::api::{Key, Object, Timestamp};
use crate::control::{Action, Blocker, Importance, owner, pods};
use crate::store::Snapshot;

use super::observe::{self, Observed};
use super::{rank, status};

/// Lists the steps that bring the number of pods to the wanted one.
#[controller(name = "replicaset-controller", kind = ReplicaSet, owns(Pod), watches(Pod => observe::adopters), observe = observe::observe)]
pub fn decide(observed: &Observed, desired: &ReplicaSet, now: Timestamp) -> Vec<Action> {
    let mut actions = owner::settle(&observed.pods, desired);
    let active: Vec<Arc<Pod>> = observed.pods.mine.iter().filter(|pod| pods::active(pod)).cloned().collect();
    if desired.metadata.deletion_timestamp.is_none() {
        actions.extend(scale(observed, &active, desired, now));
    }
    let status = status::status(&active, desired, now);
    if desired.status.as_ref() != Some(&status) {
        actions.push(Action::Status { key: desired.key(), status: to_json(&status) });
    }
    if actions.is_empty() {
        actions.extend(wait(&active, desired, now));
    }
    actions
}

fn scale(observed: &Observed, active: &[Arc<Pod>], desired: &ReplicaSet, now: Timestamp) -> Vec<Action> {
    // Pods about to be taken over count at once, or one too many would be made.
    let adopted = observed.pods.orphans.iter().filter(|pod| pods::active(pod)).count();
    let wanted = usize::try_from(desired.spec.replicas.unwrap_or(1)).unwrap_or(0);
    match (active.len() + adopted).cmp(&wanted) {
        Ordering::Less => (active.len() + adopted..wanted).map(|_| create(desired)).collect(),
        Ordering::Equal => vec![],
        Ordering::Greater => {
            let surplus = (active.len() + adopted - wanted).min(active.len());
            let mut ranked = active.to_vec();
            rank::worst_first(&mut ranked, &observed.related, desired.spec.min_ready_seconds.unwrap_or(0), now);
            ranked[..surplus].iter().flat_map(|pod| stop(desired, pod)).collect()
        }
    }
}

fn create(desired: &ReplicaSet) -> Action {
    let meta = &desired.metadata;
    let prefix = format!("{}-", meta.name);
    let owner = owner::owner_reference(desired);
    let pod = pods::from_template(&desired.spec.template, meta.namespace.as_deref(), &prefix, owner);
    Action::Create { object: pod.to_value() }
}

fn stop(desired: &ReplicaSet, pod: &Pod) -> [Action; 2] {
    let message = format!("Deleted pod: {}", pod.metadata.name);
    let told =
        Action::Event { on: desired.key(), importance: Importance::Normal, reason: "SuccessfulDelete".into(), message };
    [pods::deletion(pod), told]
}

fn wait(active: &[Arc<Pod>], desired: &ReplicaSet, now: Timestamp) -> Option<Action> {
    let min_ready = desired.spec.min_ready_seconds.unwrap_or(0);
    let soon: Vec<Timestamp> =
        active.iter().filter_map(|pod| pods::available_from(pod, min_ready)).filter(|from| *from > now).collect();
    if let Some(first) = soon.iter().min() {
        return Some(Action::Wait { on: Blocker::MinReady { pods: soon.len() }, until: Some(*first) });
    }
    let ready = active.iter().filter(|pod| pods::ready(pod)).count();
    let not_ready = Blocker::PodsNotReady { ready, wanted: active.len() };
    (ready < active.len()).then_some(Action::Wait { on: not_ready, until: None })
}

/// Puts the reason why pods cannot be created into the status.
pub fn refused(snapshot: &Snapshot, key: &Key, error: &str, now: Timestamp) -> Vec<Action> {
    let Some((observed, desired)) = observe::observe(snapshot, key) else { return vec![] };
    let active: Vec<Arc<Pod>> = observed.pods.mine.iter().filter(|pod| pods::active(pod)).cloned().collect();
    let status = status::with_failure(status::status(&active, &desired, now), error, now);
    if desired.status.as_ref() == Some(&status) {
        return vec![];
    }
    vec![Action::Status { key: key.clone(), status: to_json(&status) }]
}

/// Returns a status as it is stored: without what is not set.
pub(in crate::control) fn to_json<T: serde::Serialize>(status: &T) -> serde_json::Value {
    let mut value = serde_json::to_value(status).expect("invariant: a declared status serialises");
    crate::api::object::strip_absent(&mut value);
    value
}
