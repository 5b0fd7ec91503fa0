//! Counting a Job's pods.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::api::kinds::{Job, Pod};
use crate::control::pods;

use super::{indexes, make};

/// The pods of a Job by what they count for.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Neither ended nor stopping.
    pub(super) active: Vec<Arc<Pod>>,
    /// Told to stop, and not ended.
    pub(super) stopping: Vec<Arc<Pod>>,
    /// Ended, and not counted before this decision.
    pub(super) news: Vec<Arc<Pod>>,
    /// All successes, those of this decision included.
    pub(super) succeeded: i32,
    /// All failures, those of this decision included.
    pub(super) failed: i32,
    /// The completed indexes, of an Indexed Job.
    pub(super) indexes: BTreeSet<i32>,
}

impl Tally {
    /// Counts; `ending` says that the Job has its verdict, so that pods it stops have failed.
    pub(super) fn of(job: &Job, all: &[Arc<Pod>], ending: bool) -> Self {
        let status = job.status.clone().unwrap_or_default();
        let completions = job.spec.completions.unwrap_or(0);
        let mut tally = Self {
            succeeded: status.succeeded.unwrap_or(0),
            failed: status.failed.unwrap_or(0),
            indexes: indexes::parse(status.completed_indexes.as_deref().unwrap_or(""), completions),
            ..Self::default()
        };
        for pod in all {
            if pods::active(pod) {
                tally.active.push(Arc::clone(pod));
            } else if !pods::succeeded(pod) && !pods::failed(pod) {
                tally.stopping.push(Arc::clone(pod));
            }
            if !make::is_tracked(pod) {
                continue;
            }
            if pods::succeeded(pod) {
                tally.succeeded += 1;
                tally.indexes.extend(indexes::of(pod).filter(|index| *index < completions));
            } else if has_failed(job, pod, ending) {
                tally.failed += 1;
            } else {
                continue;
            }
            tally.news.push(Arc::clone(pod));
        }
        if indexes::is_indexed(job) {
            // An index counts once, however many pods completed it.
            tally.succeeded = i32::try_from(tally.indexes.len()).unwrap_or(i32::MAX);
        }
        tally
    }
}

/// Whether a pod counts as a failure: it ended so, or it was told to stop and may be replaced before it has.
fn has_failed(job: &Job, pod: &Pod, ending: bool) -> bool {
    if pods::failed(pod) {
        return true;
    }
    let early = job.spec.pod_replacement_policy.as_deref() != Some("Failed");
    // A pod without a node never ends by itself.
    pods::terminating(pod) && (early || ending || pods::node(pod).is_none())
}
