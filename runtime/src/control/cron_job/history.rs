//! What a CronJob knows of its past runs: which are active, which succeeded, which are old enough to go.

use std::sync::Arc;

use crate::api::Object;
use crate::api::kinds::{CronJob, CronJobStatus, Job, ObjectReference};
use crate::control::job::{finished, is_finished};
use crate::control::owner::uid;
use crate::control::{Action, Importance, Propagation};

/// Tells about something.
pub(super) fn tell(about: &CronJob, importance: Importance, reason: &'static str, message: String) -> Action {
    Action::Event { on: about.key(), importance, reason: reason.into(), message }
}

/// Deletes a Job and tells so.
pub(super) fn delete(about: &CronJob, job: &Job) -> [Action; 2] {
    let told = tell(about, Importance::Normal, "SuccessfulDelete", format!("Deleted job {}", job.metadata.name));
    let uid = uid(&job.metadata).to_owned();
    [Action::Delete { key: job.key(), uid, propagation: Propagation::Background }, told]
}

/// Brings the status up to date and tells what has ended since.
pub(super) fn follow(desired: &CronJob, jobs: &[Arc<Job>], status: &mut CronJobStatus) -> Vec<Action> {
    let mut actions = Vec::new();
    for active in &status.active {
        let job = jobs.iter().find(|job| job.metadata.uid == active.uid);
        let name = active.name.as_deref().unwrap_or_default();
        match (job, job.and_then(|job| finished(job))) {
            (None, _) => {
                actions.push(tell(
                    desired,
                    Importance::Normal,
                    "MissingJob",
                    format!("Active job went missing: {name}"),
                ));
            }
            (_, Some(condition)) => {
                let message = format!("Saw completed job: {name}, condition: {}", condition.type_);
                actions.push(tell(desired, Importance::Normal, "SawCompletedJob", message));
            }
            _ => {}
        }
    }
    status.active = jobs.iter().filter(|job| !is_finished(job)).map(|job| reference(job)).collect();
    let completed = jobs.iter().filter_map(|job| job.status.as_ref()?.completion_time);
    status.last_successful_time = completed.chain(status.last_successful_time).max();
    actions
}

fn reference(job: &Job) -> ObjectReference {
    ObjectReference {
        api_version: Some(Job::kind().api_version()),
        kind: Some(Job::kind().kind.to_owned()),
        name: Some(job.metadata.name.clone()),
        namespace: job.metadata.namespace.clone(),
        uid: job.metadata.uid.clone(),
        ..ObjectReference::default()
    }
}

/// Deletes the oldest finished Jobs, where there are more than the limits say.
pub(super) fn clean_up(desired: &CronJob, jobs: &[Arc<Job>]) -> Vec<Action> {
    let spec = &desired.spec;
    let ended = |name: &str| -> Vec<&Arc<Job>> {
        let of_type = |job: &&Arc<Job>| finished(job).is_some_and(|condition| condition.type_ == name);
        let mut ended: Vec<&Arc<Job>> =
            jobs.iter().filter(of_type).filter(|job| job.metadata.deletion_timestamp.is_none()).collect();
        // A Job that never started has no place in the order and counts as the newest.
        ended.sort_by_key(|job| {
            let started = job.status.as_ref().and_then(|status| status.start_time);
            (started.is_none(), started, job.metadata.name.clone())
        });
        ended
    };
    let limits = [("Complete", spec.successful_jobs_history_limit), ("Failed", spec.failed_jobs_history_limit)];
    let mut actions = Vec::new();
    for (name, limit) in limits {
        let Some(limit) = limit.and_then(|limit| usize::try_from(limit).ok()) else { continue };
        let ended = ended(name);
        let surplus = ended.len().saturating_sub(limit);
        actions.extend(ended[..surplus].iter().flat_map(|job| delete(desired, job)));
    }
    actions
}
