//! How long a Job waits after failures.

use std::sync::Arc;
use std::time::Duration;

use crate::api::Timestamp;
use crate::api::kinds::{Job, Pod};
use crate::control::pods;

/// The delay after the first failure, which doubles with each further one, and the longest one: those of Kubernetes'
/// current code (its documents still say six minutes).
const BACKOFF: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(600));

/// What the pods say about failures in a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Failures {
    /// How many pods failed since the last one that succeeded.
    pub(super) in_a_row: u32,
    /// When the last of them ended.
    last: Timestamp,
}

impl Failures {
    /// Counts the failed pods that ended after the last success, or in the same second: times are stored in whole ones. Pods that are gone are not known any more.
    pub(super) fn of(all: &[Arc<Pod>]) -> Self {
        let last_success = all.iter().filter(|pod| pods::succeeded(pod)).map(|pod| pods::finished_at(pod)).max();
        let ended = all.iter().filter(|pod| pods::failed(pod)).map(|pod| pods::finished_at(pod));
        ended
            .filter(|ended| last_success.is_none_or(|success| *ended >= success))
            .fold(Self::default(), |so_far, ended| Self { in_a_row: so_far.in_a_row + 1, last: so_far.last.max(ended) })
    }

    /// Returns when the next pod may start; `None` where it may now.
    pub(super) fn until(self, now: Timestamp) -> Option<Timestamp> {
        let doublings = self.in_a_row.checked_sub(1)?;
        let delay = BACKOFF.0.saturating_mul(1_u32.checked_shl(doublings).unwrap_or(u32::MAX)).min(BACKOFF.1);
        Some(self.last + delay).filter(|until| *until > now)
    }
}

/// Whether containers were restarted in place too often; counts only for `restartPolicy: OnFailure`.
pub(super) fn restarted_too_often(job: &Job, all: &[Arc<Pod>]) -> bool {
    if job.spec.template.spec.restart_policy.as_deref() != Some("OnFailure") {
        return false;
    }
    let at_work = all.iter().filter(|pod| matches!(pods::phase(pod), "Running" | "Pending"));
    let restarts: i32 = at_work.map(|pod| pods::restarts(pod)).sum();
    match job.spec.backoff_limit.unwrap_or(6) {
        0 => restarts > 0,
        limit => restarts >= limit,
    }
}
