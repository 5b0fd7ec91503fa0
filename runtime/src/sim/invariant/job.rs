//! What a Job promises.

use std::collections::{BTreeMap, BTreeSet};

use crate::api::kinds::{Job, Pod};
use crate::control::pods;

use super::{Scene, Witness, pods_of, uid};

/// Holds a pod until its Job has counted it.
const TRACKING: &str = "batch.kubernetes.io/job-tracking";

/// The successes that were seen before their Job was over: by Job, by pod, the completion index.
pub(super) type Jobs = BTreeMap<String, BTreeMap<String, Option<i32>>>;

fn is_tracked(pod: &Pod) -> bool {
    pod.metadata.finalizers.iter().any(|name| name == TRACKING)
}

/// Whether one of these conditions holds.
fn holds(job: &Job, names: &[&str]) -> bool {
    let conditions = job.status.iter().flat_map(|status| &status.conditions);
    conditions.into_iter().any(|condition| names.contains(&condition.type_.as_str()) && condition.status == "True")
}

fn index(pod: &Pod) -> Option<i32> {
    pod.metadata.annotations.get("batch.kubernetes.io/job-completion-index")?.parse().ok()
}

/// A Job never has more active pods than `parallelism`.
pub(super) fn invariant_a_job_runs_no_more_than_parallelism(_: &mut Witness, scene: &Scene<'_>) -> Result<(), String> {
    for job in scene.after.typed_list::<Job>() {
        let all = pods_of(scene.after, uid(&job.metadata));
        let active = all.iter().filter(|pod| pods::active(pod)).count();
        let stopping = all.iter().filter(|pod| pods::terminating(pod) && !pods::succeeded(pod) && !pods::failed(pod));
        let late = job.spec.pod_replacement_policy.as_deref() == Some("Failed");
        let count = active + if late { stopping.count() } else { 0 };
        let most = usize::try_from(job.spec.parallelism.unwrap_or(1)).unwrap_or(0);
        if count > most {
            return Err(format!("`{}` has {count} pods, at most {most} are allowed", job.metadata.name));
        }
    }
    Ok(())
}

/// A pod that succeeded while its Job was not over is counted, once, however it goes.
pub(super) fn invariant_a_job_loses_no_success(witness: &mut Witness, scene: &Scene<'_>) -> Result<(), String> {
    for job in scene.after.typed_list::<Job>() {
        let seen = witness.jobs.entry(uid(&job.metadata).to_owned()).or_default();
        let pods = pods_of(scene.after, uid(&job.metadata));
        let uncounted: Vec<_> = pods.iter().filter(|pod| is_tracked(pod) && pods::succeeded(pod)).collect();
        if !holds(&job, &["Complete", "Failed"]) {
            seen.extend(uncounted.iter().map(|pod| (uid(&pod.metadata).to_owned(), index(pod))));
        }
        let status = job.status.clone().unwrap_or_default();
        let counted = usize::try_from(status.succeeded.unwrap_or(0)).unwrap_or(0);
        let due = |pod: &str| !uncounted.iter().any(|open| uid(&open.metadata) == pod);
        let due: Vec<Option<i32>> = seen.iter().filter(|(pod, _)| due(pod)).map(|(_, index)| *index).collect();
        let indexed = job.spec.completion_mode.as_deref() == Some("Indexed");
        let due = if indexed { due.iter().collect::<BTreeSet<_>>().len() } else { due.len() };
        if counted != due {
            return Err(format!("`{}` counts {counted} successes of {due}", job.metadata.name));
        }
    }
    Ok(())
}

/// A Job that has failed too often, or is over, starts no more pods.
pub(super) fn invariant_a_job_stays_within_its_backoff_limit(_: &mut Witness, scene: &Scene<'_>) -> Result<(), String> {
    for job in scene.before.typed_list::<Job>() {
        let owner = uid(&job.metadata);
        let before = pods_of(scene.before, owner);
        let is_new = |pod: &Pod| before.iter().all(|known| known.metadata.uid != pod.metadata.uid);
        let Some(new) = pods_of(scene.after, owner).into_iter().find(|pod| is_new(pod)) else { continue };
        let (name, pod) = (&job.metadata.name, &new.metadata.name);
        if holds(&job, &["Complete", "Failed", "FailureTarget", "SuccessCriteriaMet"]) {
            return Err(format!("`{name}` is over and starts `{pod}`"));
        }
        let counted = job.status.as_ref().and_then(|status| status.failed).unwrap_or(0);
        let uncounted = before.iter().filter(|pod| is_tracked(pod) && pods::failed(pod)).count();
        let failed = usize::try_from(counted).unwrap_or(0) + uncounted;
        let limit = usize::try_from(job.spec.backoff_limit.unwrap_or(6)).unwrap_or(0);
        if failed > limit {
            return Err(format!("`{name}` has {failed} failures, may have {limit}, and starts `{pod}`"));
        }
    }
    Ok(())
}
