//! Nothing goes that nobody asked to go.

use std::collections::BTreeMap;

use crate::api::kinds::{CronJob, Job, Pod, ReplicaSet};
use crate::control::job::is_finished;
use crate::control::{Propagation, pods};
use crate::store::Stored;

use super::{Cause, Scene, Witness, pods_of};

/// The objects that may go, by uid: those that users deleted, and those that went for a good reason.
#[derive(Clone, Debug, Default)]
pub(super) struct Deletions {
    allowed: BTreeMap<String, Propagation>,
}

impl Deletions {
    pub(super) fn asked(&mut self, uid: &str, propagation: Propagation) {
        self.allowed.entry(uid.to_owned()).or_insert(propagation);
    }

    /// Whether an owner's end is a reason to go, too.
    fn takes_along(&self, owner: &str) -> bool {
        self.allowed.get(owner).is_some_and(|propagation| *propagation != Propagation::Orphan)
    }
}

/// An object is only deleted if a user deleted it or what it belongs to, or its controller has a reason of the kind.
pub(super) fn invariant_nothing_is_deleted_unasked(witness: &mut Witness, scene: &Scene<'_>) -> Result<(), String> {
    if scene.cause == Cause::User {
        return Ok(());
    }
    for stored in scene.before.iter().filter(|stored| &*stored.key().resource != "events") {
        let after = scene.after.get(stored.key()).filter(|after| after.uid() == stored.uid());
        let goes = after.is_none_or(|after| after.deletion_timestamp().is_some());
        if !goes || witness.deletions.allowed.contains_key(stored.uid()) {
            continue;
        }
        if !may_go(&witness.deletions, scene, stored) {
            let owner = stored.controller_uid().and_then(|uid| scene.after.iter().find(|owner| owner.uid() == uid));
            let owner = owner.map_or("none".to_owned(), |owner| format!("{} {}", owner.key(), owner.value()["status"]));
            return Err(format!("`{}` is deleted, and nobody asked for that; its owner: {owner}", stored.key()));
        }
        witness.deletions.asked(stored.uid(), Propagation::Background);
    }
    Ok(())
}

fn may_go(deletions: &Deletions, scene: &Scene<'_>, stored: &Stored) -> bool {
    let owner = stored.controller_uid();
    if owner.is_some_and(|owner| deletions.takes_along(owner)) {
        return true;
    }
    let owner = owner.and_then(|uid| scene.before.iter().find(|owner| owner.uid() == uid));
    match &*stored.key().resource {
        "pods" => owner.is_some_and(|owner| pod_may_go(scene, stored, owner)),
        // Old versions without pods go by `revisionHistoryLimit`.
        "replicasets.apps" => owner.is_some() && stored.typed::<ReplicaSet>().is_ok_and(|set| is_empty(&set)),
        "jobs.batch" => stored.typed::<Job>().is_ok_and(|job| job_may_go(&job, owner.map(|owner| &**owner))),
        _ => false,
    }
}

fn is_empty(set: &ReplicaSet) -> bool {
    set.spec.replicas == Some(0) && set.status.as_ref().is_none_or(|status| status.replicas == 0)
}

/// A pod goes when there are more than wanted, or when its Job is over or suspended.
fn pod_may_go(scene: &Scene<'_>, pod: &Stored, owner: &Stored) -> bool {
    let active = |snapshot| pods_of(snapshot, owner.uid()).iter().filter(|pod| pods::active(pod)).count();
    let wanted = |replicas: Option<i32>| usize::try_from(replicas.unwrap_or(1)).unwrap_or(0);
    // The wish of the step before counts, since that is what was decided from; it must be kept after the step.
    if &*owner.key().resource == "replicasets.apps" {
        let Ok(set) = owner.typed::<ReplicaSet>() else { return false };
        let ended = pod.typed::<Pod>().is_ok_and(|pod| pods::succeeded(&pod) || pods::failed(&pod));
        return !ended && active(scene.after) >= wanted(set.spec.replicas);
    }
    let current = scene.after.get(owner.key()).and_then(|owner| owner.typed::<Job>().ok());
    current.is_some_and(|job| {
        let conditions = job.status.iter().flat_map(|status| &status.conditions);
        let verdict = ["FailureTarget", "SuccessCriteriaMet"];
        let mut over = conditions.filter(|condition| condition.status == "True");
        let surplus = job.spec.completions.is_some_and(|completions| {
            let left = completions - job.status.as_ref().and_then(|status| status.succeeded).unwrap_or(0);
            active(scene.before) > usize::try_from(left).unwrap_or(0)
        });
        // An index that another pod has completed is surplus, too.
        let indexed = job.spec.completion_mode.as_deref() == Some("Indexed");
        let suspended = job.spec.suspend == Some(true);
        suspended || surplus || indexed || over.any(|condition| verdict.contains(&condition.type_.as_str()))
    })
}

/// A finished Job goes by its time to live or its CronJob's limits, an active one by the policy Replace.
fn job_may_go(job: &Job, owner: Option<&Stored>) -> bool {
    let owner = owner.and_then(|owner| owner.typed::<CronJob>().ok());
    if is_finished(job) {
        return owner.is_some() || job.spec.ttl_seconds_after_finished.is_some();
    }
    owner.is_some_and(|owner| owner.spec.concurrency_policy.as_deref() == Some("Replace"))
}
