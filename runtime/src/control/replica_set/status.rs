//! A ReplicaSet's status, counted from its pods.

use std::sync::Arc;

use crate::api::kinds::{Pod, ReplicaSet, ReplicaSetStatus};
use crate::api::meta::Condition;
use crate::api::{Time, Timestamp};
use crate::control::pods;

/// The condition that says that pods cannot be created or deleted.
const FAILURE: &str = "ReplicaFailure";

/// Counts the active pods.
pub(super) fn status(active: &[Arc<Pod>], desired: &ReplicaSet, now: Timestamp) -> ReplicaSetStatus {
    let min_ready = desired.spec.min_ready_seconds.unwrap_or(0);
    let template = &desired.spec.template.metadata.labels;
    let count =
        |test: &dyn Fn(&Pod) -> bool| i32::try_from(active.iter().filter(|pod| test(pod)).count()).unwrap_or(i32::MAX);
    let old = desired.status.clone().unwrap_or_default();
    let mut conditions = old.conditions;
    if count(&|_| true) >= desired.spec.replicas.unwrap_or(1) {
        conditions.retain(|condition| condition.type_ != FAILURE);
    }
    ReplicaSetStatus {
        replicas: count(&|_| true),
        fully_labeled_replicas: Some(count(&|pod| {
            template.iter().all(|(key, value)| pod.metadata.labels.get(key) == Some(value))
        })),
        ready_replicas: Some(count(&pods::ready)),
        available_replicas: Some(count(&|pod| pods::available(pod, min_ready, now))),
        observed_generation: desired.metadata.generation,
        conditions,
        ..ReplicaSetStatus::default()
    }
}

/// Returns the status with the news that a pod could not be created.
pub(super) fn with_failure(mut status: ReplicaSetStatus, message: &str, now: Timestamp) -> ReplicaSetStatus {
    // The first reason stays: another wording of the same trouble would be news for ever.
    if status.conditions.iter().any(|condition| condition.type_ == FAILURE && condition.status == "True") {
        return status;
    }
    status.conditions.retain(|condition| condition.type_ != FAILURE);
    status.conditions.push(Condition {
        type_: FAILURE.to_owned(),
        status: "True".to_owned(),
        last_transition_time: Some(Time::from(now)),
        reason: Some("FailedCreate".to_owned()),
        message: Some(message.to_owned()),
        ..Condition::default()
    });
    status
}
