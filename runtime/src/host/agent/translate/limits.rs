//! From resource requirements to the engine's limits.

use crate::api::Quantity;
use crate::api::kinds::{Pod, ResourceRequirements};
use crate::host::engine::Limits;

/// The pod's own limit is the sum of its containers', and only if every one of them has one
/// (`cm/helpers_linux.go`, ResourceConfigForPod).
pub(super) fn pod_limits(pod: &Pod) -> Limits {
    let all: Vec<Limits> = pod.spec.containers.iter().map(|container| limits(container.resources.as_ref())).collect();
    let sum = |part: fn(&Limits) -> Option<u64>| all.iter().map(part).sum::<Option<u64>>();
    let request: u64 = all.iter().filter_map(|limits| limits.cpu_request_milli).sum();
    Limits {
        memory_bytes: sum(|limits| limits.memory_bytes),
        cpu_request_milli: (request > 0).then_some(request),
        cpu_limit_milli: sum(|limits| limits.cpu_limit_milli),
        pids: None,
    }
}

/// Returns the limits of one container.
pub(super) fn limits(resources: Option<&ResourceRequirements>) -> Limits {
    let Some(resources) = resources else { return Limits::default() };
    let milli = |quantity: &Quantity| u64::try_from(quantity.milli()).ok().filter(|value| *value > 0);
    let limit = resources.limits.get("cpu").and_then(milli);
    Limits {
        memory_bytes: resources
            .limits
            .get("memory")
            .and_then(|limit| u64::try_from(limit.bytes()).ok())
            .filter(|value| *value > 0),
        cpu_request_milli: resources.requests.get("cpu").and_then(milli).or(limit),
        cpu_limit_milli: limit,
        pids: None,
    }
}
