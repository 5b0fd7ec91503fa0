//! What a CronJob promises.

use std::collections::BTreeMap;

use crate::api::kinds::{CronJob, Job};
use crate::control::job::is_finished;

use super::{Scene, Witness, uid};

/// Which Job was started for a CronJob's scheduled time, both by uid.
pub(super) type Runs = BTreeMap<(String, String), String>;

/// A CronJob starts each scheduled time at most once.
pub(super) fn invariant_a_scheduled_time_starts_one_run(
    witness: &mut Witness,
    scene: &Scene<'_>,
) -> Result<(), String> {
    for stored in scene.after.list("jobs.batch") {
        let annotations = &stored.value()["metadata"]["annotations"];
        let at = annotations["batch.kubernetes.io/cronjob-scheduled-timestamp"].as_str();
        let (Some(at), Some(owner)) = (at, stored.controller_uid()) else { continue };
        let first = witness.runs.entry((owner.to_owned(), at.to_owned())).or_insert_with(|| stored.uid().to_owned());
        if first != stored.uid() {
            return Err(format!("`{}` is the second run of {at}", stored.key().name));
        }
    }
    Ok(())
}

/// With Forbid a run never starts beside another; with Replace no two runs go on.
pub(super) fn invariant_runs_keep_their_concurrency_policy(_: &mut Witness, scene: &Scene<'_>) -> Result<(), String> {
    for cron_job in scene.after.typed_list::<CronJob>() {
        let owner = uid(&cron_job.metadata);
        let mine = scene.after.list("jobs.batch").filter(|stored| stored.controller_uid() == Some(owner));
        let jobs: Vec<_> = mine.filter_map(|stored| stored.typed::<Job>().ok()).collect();
        let active = jobs.iter().filter(|job| !is_finished(job));
        let count = match cron_job.spec.concurrency_policy.as_deref() {
            Some("Forbid") => active.count(),
            Some("Replace") => active.filter(|job| job.metadata.deletion_timestamp.is_none()).count(),
            _ => 0,
        };
        if count > 1 {
            return Err(format!("`{}` has {count} active runs", cron_job.metadata.name));
        }
    }
    Ok(())
}
