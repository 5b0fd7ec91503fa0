//! Which pods are the first to go.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::api::Timestamp;
use crate::api::kinds::Pod;
use crate::control::pods;

/// The annotation by which a user says how dear a pod is.
const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";

/// Sorts pods so that those to stop first come first.
///
/// Kubernetes' order (`controller_utils.go`, `ActivePodsWithRanks`): without node, pending, not ready, low deletion
/// cost, many related pods on the node, ready for a short time, often restarted, young. Times count in powers of two,
/// so that among pods of about one age the UID decides, not a second. One rule more: among ready pods those that are
/// not available yet go first, so that a scale-down never takes an available pod while there is another.
pub(in crate::control) fn worst_first(
    pods: &mut [Arc<Pod>],
    related: &BTreeMap<String, usize>,
    min_ready: i32,
    now: Timestamp,
) {
    pods.sort_by_cached_key(|pod| {
        let node = pods::node(pod);
        let phase = match pods::phase(pod) {
            "Running" => 2,
            "Unknown" => 1,
            _ => 0,
        };
        let ready = pods::ready(pod);
        let neighbours = node.and_then(|node| related.get(node)).copied().unwrap_or(0);
        (
            node.is_some(),
            phase,
            (ready, pods::available(pod, min_ready, now)),
            deletion_cost(pod),
            Reverse(if ready { neighbours } else { 0 }),
            pods::ready_since(pod).map(|since| age_rank(since, now)),
            Reverse(pods::restarts_max(pod)),
            age_rank(pods::created(&pod.metadata), now),
            pod.metadata.uid.clone(),
        )
    });
}

fn deletion_cost(pod: &Pod) -> i32 {
    pod.metadata.annotations.get(DELETION_COST).and_then(|cost| cost.parse().ok()).unwrap_or(0)
}

/// Returns the power of two of an age in nanoseconds; -1 for none.
fn age_rank(since: Timestamp, now: Timestamp) -> i64 {
    let nanos = now.since(since).as_nanos();
    nanos.checked_ilog2().map_or(-1, i64::from)
}
