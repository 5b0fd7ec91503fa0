//! The status of a pod: a pure function of the pod, what is observed of it, and the time.
//!
//! Follows the kubelet (`kubelet_pods.go`, generateAPIPodStatus). The phase is in [`super::phase`]; here is what is put
//! together of it.

use crate::api::kinds::{Container, ContainerStatus, HostIP, Pod, PodIP, PodStatus};
use crate::api::{Time, Timestamp};

use super::conditions::conditions;
use super::container_status::container_status;
use super::observed::{Observed, Sandbox};
use super::phase::{is_overdue, is_terminal, phase};

/// The addresses of the node a pod runs on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeAddresses {
    /// The node's own address.
    pub host_ip: String,
}

/// Returns the status a pod should have in the store. Given back as the pod's own, it stays the same.
pub fn status(observed: &Observed, pod: &Pod, node: &NodeAddresses, now: Timestamp) -> PodStatus {
    let old = pod.status.clone().unwrap_or_default();
    let mut next = old.clone();
    next.observed_generation = pod.metadata.generation.or(old.observed_generation);
    next.start_time = old.start_time.or(Some(Time::from(now)));
    next.host_ip = Some(node.host_ip.clone());
    next.host_ips = vec![HostIP { ip: node.host_ip.clone() }];
    if pod.spec.host_network == Some(true) {
        next.pod_ip = Some(node.host_ip.clone());
        next.pod_ips = vec![PodIP { ip: node.host_ip.clone() }];
    }
    // Of a pod that is over and released nothing new can be known.
    if !is_terminal(pod) || observed.sandbox != Sandbox::None {
        next.init_container_statuses = list(observed, pod, &pod.spec.init_containers, &old.init_container_statuses);
        next.container_statuses = list(observed, pod, &pod.spec.containers, &old.container_statuses);
    }
    if !is_terminal(pod) {
        let phase = phase(observed, pod);
        next.phase = Some(phase.as_str().to_owned());
        if is_overdue(pod, now) && !phase.is_terminal() {
            next.phase = Some("Failed".to_owned());
            next.reason = Some("DeadlineExceeded".to_owned());
            next.message = Some("Pod was active on the node longer than the specified deadline".to_owned());
        }
    }
    conditions(&mut next, observed, pod, now);
    next
}

fn list(observed: &Observed, pod: &Pod, containers: &[Container], old: &[ContainerStatus]) -> Vec<ContainerStatus> {
    let known = |name: &str| old.iter().find(|known| known.name == name);
    containers.iter().map(|container| container_status(observed, pod, container, known(&container.name))).collect()
}
