//! What a Job's decision is made from.

use std::sync::Arc;

use crate::api::Key;
use crate::api::kinds::{Job, Pod};
use crate::control::owner::{self, Claimed};
use crate::store::Snapshot;

/// The pods of a Job.
#[derive(Debug, Default)]
pub struct Observed {
    pub(super) pods: Claimed<Pod>,
}

/// Reads a Job and its pods.
pub(super) fn observe(snapshot: &Snapshot, key: &Key) -> Option<(Observed, Arc<Job>)> {
    let job = snapshot.typed_get::<Job>(&key.namespace, &key.name)?;
    let pods = match &job.spec.selector {
        Some(selector) => owner::claim(snapshot, &job.metadata, selector),
        None => Claimed { mine: owner::controlled(snapshot, &job.metadata), ..Claimed::default() },
    };
    Some((Observed { pods }, job))
}
