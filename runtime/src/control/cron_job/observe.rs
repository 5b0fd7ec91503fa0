//! What a CronJob's decision is made from.

use std::sync::Arc;

use crate::api::Key;
use crate::api::kinds::{CronJob, Job};
use crate::control::owner;
use crate::store::Snapshot;

/// The Jobs of a CronJob.
#[derive(Debug, Default)]
pub struct Observed {
    /// By name.
    pub(super) jobs: Vec<Arc<Job>>,
}

/// Reads a CronJob and its Jobs.
pub(super) fn observe(snapshot: &Snapshot, key: &Key) -> Option<(Observed, Arc<CronJob>)> {
    let cron_job = snapshot.typed_get::<CronJob>(&key.namespace, &key.name)?;
    Some((Observed { jobs: owner::controlled(snapshot, &cron_job.metadata) }, cron_job))
}
