//! What a pod's status says, in Kubernetes' terms.

use std::time::Duration;

use crate::api::kinds::{Pod, PodCondition, PodTemplateSpec};
use crate::api::{Object, ObjectMeta, OwnerReference, Timestamp};

/// Returns the phase; a pod without one is pending.
pub(super) fn phase(pod: &Pod) -> &str {
    pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or("Pending")
}

/// Whether all containers ended with success.
pub(crate) fn succeeded(pod: &Pod) -> bool {
    phase(pod) == "Succeeded"
}

/// Whether the pod ended with a failure.
pub(crate) fn failed(pod: &Pod) -> bool {
    phase(pod) == "Failed"
}

/// Whether the pod was told to stop.
pub(crate) fn terminating(pod: &Pod) -> bool {
    pod.metadata.deletion_timestamp.is_some()
}

/// Whether the pod counts as one that runs or will run.
pub(crate) fn active(pod: &Pod) -> bool {
    !succeeded(pod) && !failed(pod) && !terminating(pod)
}

fn condition<'a>(pod: &'a Pod, name: &str) -> Option<&'a PodCondition> {
    pod.status.as_ref()?.conditions.iter().find(|condition| condition.type_ == name)
}

/// Whether the pod is ready.
pub(super) fn ready(pod: &Pod) -> bool {
    condition(pod, "Ready").is_some_and(|condition| condition.status == "True")
}

/// Returns since when a ready pod is ready.
pub(super) fn ready_since(pod: &Pod) -> Option<Timestamp> {
    condition(pod, "Ready").filter(|condition| condition.status == "True")?.last_transition_time.map(|time| time.0)
}

/// Returns when a ready pod is or was available: ready for `min_ready` seconds.
pub(super) fn available_from(pod: &Pod, min_ready: i32) -> Option<Timestamp> {
    if !ready(pod) {
        return None;
    }
    match u64::try_from(min_ready) {
        Ok(secs) if secs > 0 => Some(ready_since(pod)? + Duration::from_secs(secs)),
        _ => Some(Timestamp::EPOCH),
    }
}

/// Whether the pod has been ready for `min_ready` seconds.
pub(crate) fn available(pod: &Pod, min_ready: i32, now: Timestamp) -> bool {
    available_from(pod, min_ready).is_some_and(|from| from <= now)
}

/// Returns the restarts of all containers together, init containers included.
pub(super) fn restarts(pod: &Pod) -> i32 {
    let Some(status) = &pod.status else { return 0 };
    status
        .init_container_statuses
        .iter()
        .chain(&status.container_statuses)
        .map(|container| container.restart_count)
        .sum()
}

/// Returns the most restarts that a single container had.
pub(super) fn restarts_max(pod: &Pod) -> i32 {
    let statuses = pod.status.iter().flat_map(|status| &status.container_statuses);
    statuses.map(|container| container.restart_count).max().unwrap_or(0)
}

/// Returns the node; `None` for a pod that has none yet.
pub(crate) fn node(pod: &Pod) -> Option<&str> {
    pod.spec.node_name.as_deref().filter(|node| !node.is_empty())
}

/// Returns when the last container of a finished pod ended, or the best guess at it.
pub(super) fn finished_at(pod: &Pod) -> Timestamp {
    let statuses = pod.status.iter().flat_map(|status| &status.container_statuses);
    let ended = statuses.filter_map(|container| container.state.as_ref()?.terminated.as_ref()?.finished_at);
    let not_ready = || condition(pod, "Ready").filter(|condition| condition.status == "False")?.last_transition_time;
    let meta = &pod.metadata;
    ended
        .max()
        .or_else(not_ready)
        .or(meta.deletion_timestamp)
        .or(meta.creation_timestamp)
        .map_or(Timestamp::EPOCH, |time| time.0)
}

/// Returns when an object was created.
pub(super) fn created(meta: &ObjectMeta) -> Timestamp {
    meta.creation_timestamp.map_or(Timestamp::EPOCH, |time| time.0)
}

/// Makes a pod from a template: its labels, annotations and finalizers, its spec, and an owner.
pub(super) fn from_template(
    template: &PodTemplateSpec,
    namespace: Option<&str>,
    prefix: &str,
    owner: OwnerReference,
) -> Pod {
    Pod {
        metadata: ObjectMeta {
            generate_name: Some(prefix.to_owned()),
            namespace: namespace.map(str::to_owned),
            labels: template.metadata.labels.clone(),
            annotations: template.metadata.annotations.clone(),
            finalizers: template.metadata.finalizers.clone(),
            owner_references: vec![owner],
            ..ObjectMeta::default()
        },
        spec: template.spec.clone(),
        status: None,
    }
}

/// Returns the name of a pod with its UID, for a deletion.
pub(super) fn deletion(pod: &Pod) -> super::Action {
    super::Action::Delete {
        key: pod.key(),
        uid: super::owner::uid(&pod.metadata).to_owned(),
        propagation: super::Propagation::Background,
    }
}
