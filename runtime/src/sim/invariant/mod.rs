//! The promises, one `invariant_*` function each, checked after every step of a simulation.
//!
//! What a promise needs to remember of earlier steps is in a [`Witness`], which only reads the store, and holds the
//! names and constants that it checks by as literals where the controllers' own would make it believe them.

mod cron_job;
mod deletion;
mod deployment;
mod job;
mod rest;

use std::sync::Arc;

use crate::api::Timestamp;
use crate::api::kinds::Pod;
use crate::control::Propagation;
use crate::store::Snapshot;

pub use rest::at_rest;

/// Who took a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A controller.
    Controller,
    /// A host: an agent, or the programs it runs.
    Host,
    /// A user.
    User,
    /// Nobody: time passed.
    Time,
}

/// A step, seen from outside.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// The store before it.
    pub before: &'a Snapshot,
    /// The store after it.
    pub after: &'a Snapshot,
    /// When it was.
    pub now: Timestamp,
    /// Who took it.
    pub cause: Cause,
}

/// A promise that broke.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{promise}: {what}")]
pub struct Violation {
    /// The name of its function.
    pub promise: &'static str,
    /// What was seen.
    pub what: String,
}

/// A promise: what of it broke, if anything.
type Promise = fn(&mut Witness, &Scene<'_>) -> Result<(), String>;

/// All promises that hold at every step.
const PROMISES: [(&str, Promise); 8] = [
    ("invariant_a_rolling_update_keeps_its_limits", deployment::invariant_a_rolling_update_keeps_its_limits),
    ("invariant_recreate_never_runs_two_versions", deployment::invariant_recreate_never_runs_two_versions),
    ("invariant_a_job_runs_no_more_than_parallelism", job::invariant_a_job_runs_no_more_than_parallelism),
    ("invariant_a_job_loses_no_success", job::invariant_a_job_loses_no_success),
    ("invariant_a_job_stays_within_its_backoff_limit", job::invariant_a_job_stays_within_its_backoff_limit),
    ("invariant_a_scheduled_time_starts_one_run", cron_job::invariant_a_scheduled_time_starts_one_run),
    ("invariant_runs_keep_their_concurrency_policy", cron_job::invariant_runs_keep_their_concurrency_policy),
    ("invariant_nothing_is_deleted_unasked", deletion::invariant_nothing_is_deleted_unasked),
];

/// What promises remember of earlier steps.
#[derive(Clone, Debug, Default)]
pub struct Witness {
    rollouts: deployment::Rollouts,
    jobs: job::Jobs,
    runs: cron_job::Runs,
    deletions: deletion::Deletions,
}

impl Witness {
    /// Notes that a user deletes an object.
    pub fn asked(&mut self, uid: &str, propagation: Propagation) {
        self.deletions.asked(uid, propagation);
    }

    /// Checks every promise after a step.
    ///
    /// # Errors
    /// The first promise that broke.
    pub fn check(&mut self, scene: &Scene<'_>) -> Result<(), Violation> {
        for (name, promise) in PROMISES {
            promise(self, scene).map_err(|what| Violation { promise: name, what })?;
        }
        Ok(())
    }
}

/// Returns the pods that an owner controls.
fn pods_of(snapshot: &Snapshot, owner: &str) -> Vec<Arc<Pod>> {
    let owned = snapshot.owned_by(owner).filter(|stored| stored.controller_uid() == Some(owner));
    owned.filter(|stored| &*stored.key().resource == "pods").filter_map(|stored| stored.typed().ok()).collect()
}

fn uid(meta: &crate::api::ObjectMeta) -> &str {
    meta.uid.as_deref().unwrap_or_default()
}
