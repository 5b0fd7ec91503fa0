//! A Deployment's status: counts, and what its conditions say about availability and progress.

use std::time::Duration;

use crate::api::kinds::{Deployment, DeploymentCondition, DeploymentStatus};
use crate::api::{Time, Timestamp};

use super::limits::Limits;
use super::sets::Sets;

const AVAILABLE: &str = "Available";
const PROGRESSING: &str = "Progressing";
const FAILURE: &str = "ReplicaFailure";
/// Reason of a complete rollout.
const COMPLETE: &str = "NewReplicaSetAvailable";
/// Reason of a rollout that made no progress in time.
const TIMED_OUT: &str = "ProgressDeadlineExceeded";
const PAUSED: &str = "DeploymentPaused";

/// What happened to the newest ReplicaSet in this decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// Nothing.
    None,
    /// It is made in this decision.
    Created(String),
    /// It existed already.
    Found(String),
}

/// Counts the pods of all ReplicaSets by their statuses.
pub(super) fn counts(sets: &Sets, desired: &Deployment, limits: Limits, now: Timestamp) -> DeploymentStatus {
    let of = |set: &super::sets::Set| set.object.status.clone().unwrap_or_default();
    let sum = |field: &dyn Fn(&crate::api::kinds::ReplicaSetStatus) -> i32| {
        sets.all().map(|set| field(&of(set))).sum::<i32>()
    };
    let replicas = sum(&|status| status.replicas);
    let available = sum(&|status| status.available_replicas.unwrap_or(0));
    let old = desired.status.clone().unwrap_or_default();
    let mut status = DeploymentStatus {
        observed_generation: desired.metadata.generation,
        replicas: Some(replicas),
        updated_replicas: Some(sets.new.as_ref().map_or(0, |new| of(new).replicas)),
        ready_replicas: Some(sum(&|status| status.ready_replicas.unwrap_or(0))),
        available_replicas: Some(available),
        unavailable_replicas: Some((replicas - available).max(0)),
        conditions: old.conditions,
        collision_count: old.collision_count,
        ..DeploymentStatus::default()
    };
    let condition = if available >= limits.min_available() {
        condition(AVAILABLE, "True", "MinimumReplicasAvailable", "Deployment has minimum availability.", now)
    } else {
        condition(
            AVAILABLE,
            "False",
            "MinimumReplicasUnavailable",
            "Deployment does not have minimum availability.",
            now,
        )
    };
    set(&mut status, condition);
    status
}

/// Whether every pod is of the newest version and available, and no other is left.
pub(super) fn is_complete(desired: &Deployment, status: &DeploymentStatus) -> bool {
    let wanted = Some(desired.spec.replicas.unwrap_or(1));
    status.updated_replicas == wanted
        && status.replicas == wanted
        && status.available_replicas == wanted
        && status.observed_generation >= desired.metadata.generation
}

/// Returns how long a rollout may go without progress; `None` for ever.
pub(super) fn deadline(desired: &Deployment) -> Option<Duration> {
    let secs = desired.spec.progress_deadline_seconds.filter(|secs| *secs != i32::MAX)?;
    u64::try_from(secs).ok().map(Duration::from_secs)
}

/// Notes that the Deployment was paused or goes on again.
pub(super) fn note_pause(status: &mut DeploymentStatus, desired: &Deployment, now: Timestamp) {
    if deadline(desired).is_none() {
        return;
    }
    let reason = reason(status);
    let paused = desired.spec.paused.unwrap_or(false);
    let known = reason.as_deref() == Some(PAUSED);
    if reason.as_deref() == Some(TIMED_OUT) || paused == known {
        return;
    }
    let (reason, message) =
        if paused { (PAUSED, "Deployment is paused") } else { ("DeploymentResumed", "Deployment is resumed") };
    set(status, condition(PROGRESSING, "Unknown", reason, message, now));
}

/// Notes how the rollout goes.
pub(super) fn note_progress(
    status: &mut DeploymentStatus,
    sets: &Sets,
    desired: &Deployment,
    news: &News,
    now: Timestamp,
) {
    let Some(deadline) = deadline(desired) else {
        status.conditions.retain(|condition| condition.type_ != PROGRESSING);
        return;
    };
    match news {
        News::Created(name) => {
            let message = format!("Created new replica set \"{name}\"");
            set(status, condition(PROGRESSING, "True", "NewReplicaSetCreated", &message, now));
        }
        News::Found(name) if progressing(status).is_none() => {
            let message = format!("Found new replica set \"{name}\"");
            set(status, condition(PROGRESSING, "True", "FoundNewReplicaSet", &message, now));
        }
        _ => {}
    }
    let settled = status.replicas == status.updated_replicas && reason(status).as_deref() == Some(COMPLETE);
    if settled {
        return;
    }
    let subject = match &sets.new {
        Some(new) => format!("ReplicaSet \"{}\"", new.name()),
        None => format!("Deployment \"{}\"", desired.metadata.name),
    };
    if is_complete(desired, status) {
        set(status, condition(PROGRESSING, "True", COMPLETE, &format!("{subject} has successfully progressed."), now));
    } else if has_progressed(desired, status) {
        let mut next = condition(PROGRESSING, "True", "ReplicaSetUpdated", &format!("{subject} is progressing."), now);
        // Progress restarts the deadline even where the condition says the same as before.
        if let Some(current) = progressing(status).filter(|current| current.status == "True") {
            next.last_transition_time = current.last_transition_time;
        }
        status.conditions.retain(|condition| condition.type_ != PROGRESSING);
        status.conditions.push(next);
    } else if is_late(status, deadline, now) {
        set(status, condition(PROGRESSING, "False", TIMED_OUT, &format!("{subject} has timed out progressing."), now));
    }
}

/// Hands on that a ReplicaSet cannot make pods.
pub(super) fn note_failures(status: &mut DeploymentStatus, sets: &Sets, now: Timestamp) {
    let failing = |set: &super::sets::Set| {
        let conditions = set.object.status.as_ref().map(|status| status.conditions.clone()).unwrap_or_default();
        conditions.into_iter().find(|condition| condition.type_ == FAILURE)
    };
    match sets.new.as_ref().and_then(failing).or_else(|| sets.all().find_map(failing)) {
        Some(failure) => {
            let (reason, message) = (failure.reason.unwrap_or_default(), failure.message.unwrap_or_default());
            set(status, condition(FAILURE, &failure.status, &reason, &message, now));
        }
        None => status.conditions.retain(|condition| condition.type_ != FAILURE),
    }
}

/// Returns when the rollout is late, if it makes no progress; `None` where no deadline runs.
pub(super) fn late_at(status: &DeploymentStatus, desired: &Deployment) -> Option<Timestamp> {
    let deadline = deadline(desired)?;
    let current = progressing(status)?;
    if matches!(current.reason.as_deref(), Some(COMPLETE | TIMED_OUT | PAUSED)) {
        return None;
    }
    // One second more, since stored times are cut to whole seconds.
    Some(current.last_update_time?.0 + deadline + Duration::from_secs(1))
}

fn is_late(status: &DeploymentStatus, deadline: Duration, now: Timestamp) -> bool {
    let Some(current) = progressing(status) else { return false };
    match current.reason.as_deref() {
        Some(COMPLETE) => false,
        Some(TIMED_OUT) => true,
        _ => current.last_update_time.is_some_and(|time| time.0 + deadline < now),
    }
}

/// Whether the counts are nearer to the wanted ones than when they were last stored.
fn has_progressed(desired: &Deployment, status: &DeploymentStatus) -> bool {
    let old = desired.status.clone().unwrap_or_default();
    let number = |field: Option<i32>| field.unwrap_or(0);
    let left = |status: &DeploymentStatus| number(status.replicas) - number(status.updated_replicas);
    number(status.updated_replicas) > number(old.updated_replicas)
        || left(status) < left(&old)
        || number(status.ready_replicas) > number(old.ready_replicas)
        || number(status.available_replicas) > number(old.available_replicas)
}

fn progressing(status: &DeploymentStatus) -> Option<&DeploymentCondition> {
    status.conditions.iter().find(|condition| condition.type_ == PROGRESSING)
}

fn reason(status: &DeploymentStatus) -> Option<String> {
    progressing(status)?.reason.clone()
}

fn condition(name: &str, value: &str, reason: &str, message: &str, now: Timestamp) -> DeploymentCondition {
    DeploymentCondition {
        type_: name.to_owned(),
        status: value.to_owned(),
        last_update_time: Some(Time::from(now)),
        last_transition_time: Some(Time::from(now)),
        reason: Some(reason.to_owned()),
        message: Some(message.to_owned()),
    }
}

/// Sets a condition; one that says the same stays, and its time of transition is that of its status.
fn set(status: &mut DeploymentStatus, mut condition: DeploymentCondition) {
    if let Some(current) = status.conditions.iter().find(|current| current.type_ == condition.type_) {
        if current.status == condition.status && current.reason == condition.reason {
            return;
        }
        if current.status == condition.status {
            condition.last_transition_time = current.last_transition_time;
        }
    }
    status.conditions.retain(|current| current.type_ != condition.type_);
    status.conditions.push(condition);
}
