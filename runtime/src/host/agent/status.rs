//! The status of a pod: a pure function of the pod, what is observed of it, and the time.
//!
//! Phase and conditions follow the kubelet (`kubelet_pods.go` getPhase, `status/generate.go`).

use crate::api::kinds::{
    Container, ContainerState, ContainerStateRunning, ContainerStateTerminated, ContainerStateWaiting, ContainerStatus,
    HostIP, Pod, PodCondition, PodIP, PodStatus,
};
use crate::api::{Time, Timestamp};

use super::observed::{Observed, Sandbox};
use crate::host::engine::{ContainerPhase, ContainerState as Seen, Exit};

/// The addresses of the node a pod runs on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeAddresses {
    /// The node's own address.
    pub host_ip: String,
}

/// Whether the stored phase is one that is never left.
pub fn is_terminal(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed"))
}

/// Whether every container has ended for good, or an init container has failed for good.
pub fn has_ended(observed: &Observed, pod: &Pod) -> bool {
    matches!(phase(observed, pod), Phase::Succeeded | Phase::Failed)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Pending,
    Running,
    Succeeded,
    Failed,
}

fn phase(observed: &Observed, pod: &Pod) -> Phase {
    let never = pod.spec.restart_policy.as_deref() == Some("Never");
    let always = !matches!(pod.spec.restart_policy.as_deref(), Some("Never" | "OnFailure"));
    let ended = |container: &Container| match observed.container(&container.name).map(|seen| &seen.phase) {
        Some(ContainerPhase::Exited(exit)) => Some(exit.succeeded()),
        _ => None,
    };
    if pod.metadata.deletion_timestamp.is_some() && !is_alive(observed) {
        // Whatever its restart policy, a pod that was told to stop and has stopped is over (kubelet: podIsTerminal);
        // a Job that holds it by a finalizer waits for that.
        let succeeded = pod.spec.containers.iter().all(|container| ended(container) == Some(true));
        return if succeeded { Phase::Succeeded } else { Phase::Failed };
    }
    let begun = pod.spec.containers.iter().any(|container| observed.container(&container.name).is_some());
    if !begun {
        let failed = pod.spec.init_containers.iter().any(|init| ended(init) == Some(false));
        return if failed && never { Phase::Failed } else { Phase::Pending };
    }
    // Every container that has run counts as stopped while it waits for a restart; one that never ran is waiting.
    let waiting = pod.spec.containers.iter().any(|container| {
        observed.container(&container.name).is_none_or(|seen| matches!(seen.phase, ContainerPhase::Waiting { .. }) && seen.last_exit.is_none())
    });
    if waiting {
        return Phase::Pending;
    }
    let ends: Option<Vec<bool>> = pod.spec.containers.iter().map(ended).collect();
    match ends {
        Some(ends) if !always && ends.iter().all(|succeeded| *succeeded) => Phase::Succeeded,
        Some(_) if never => Phase::Failed,
        _ => Phase::Running,
    }
}

/// Whether a container runs or is going to without the agent.
fn is_alive(observed: &Observed) -> bool {
    let Sandbox::Alive(state) = &observed.sandbox else { return false };
    state.containers.iter().any(|container| !matches!(container.phase, ContainerPhase::Exited(_)))
}

/// Returns the status a pod should have in the store.
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
    let list = |containers: &[Container], old: &[ContainerStatus], init: bool| -> Vec<ContainerStatus> {
        containers
            .iter()
            .map(|container| {
                let old = old.iter().find(|known| known.name == container.name);
                container_status(observed, pod, container, old, init)
            })
            .collect()
    };
    let overdue = past_deadline(pod, now);
    if !is_terminal(pod) {
        next.init_container_statuses = list(&pod.spec.init_containers, &old.init_container_statuses, true);
        next.container_statuses = list(&pod.spec.containers, &old.container_statuses, false);
        let phase = phase(observed, pod);
        if overdue && !matches!(phase, Phase::Succeeded | Phase::Failed) {
            next.phase = Some("Failed".into());
            next.reason = Some("DeadlineExceeded".into());
            next.message = Some("Pod was active on the node longer than the specified deadline".into());
        } else {
            next.phase = Some(format!("{phase:?}"));
        }
    } else if !matches!(observed.sandbox, Sandbox::None) {
        // Ended, but its containers are still being stopped: keep telling how each of them ended.
        next.container_statuses = list(&pod.spec.containers, &old.container_statuses, false);
    }
    conditions(&mut next, observed, pod, now);
    next
}

fn past_deadline(pod: &Pod, now: Timestamp) -> bool {
    let limit = pod.spec.active_deadline_seconds.and_then(|seconds| u64::try_from(seconds).ok());
    let started = pod.status.as_ref().and_then(|status| status.start_time);
    limit.zip(started).is_some_and(|(seconds, started)| now.since(started.0).as_secs() >= seconds)
}

fn container_status(
    observed: &Observed,
    pod: &Pod,
    container: &Container,
    old: Option<&ContainerStatus>,
    init: bool,
) -> ContainerStatus {
    let note = observed.notes.get(&container.name);
    let image_id = note.map(|note| note.image_id.clone()).filter(|id| !id.is_empty());
    let mut status = ContainerStatus {
        name: container.name.clone(),
        image: container.image.clone().unwrap_or_default(),
        image_id: image_id.or_else(|| old.map(|old| old.image_id.clone())).unwrap_or_default(),
        ..ContainerStatus::default()
    };
    let Some(seen) = observed.container(&container.name) else {
        if let Some(old) = old.filter(|old| old.state.as_ref().is_some_and(|state| state.terminated.is_some())) {
            // What ended before this daemon came is not forgotten.
            return old.clone();
        }
        status.state = Some(waiting(observed, pod, container, init));
        status.started = Some(false);
        return status;
    };
    let id = |attempt: u32| format!("bowline://{}/{}/{attempt}", pod.metadata.uid.as_deref().unwrap_or_default(), container.name);
    status.restart_count = i32::try_from(seen.attempt).unwrap_or(i32::MAX);
    status.last_state = seen.last_exit.as_ref().map(|exit| terminated(exit, id(exit.attempt)));
    status.container_id = Some(id(seen.attempt));
    match &seen.phase {
        ContainerPhase::Running { started, .. } => {
            status.started = Some(true);
            status.ready = !init;
            let started_at = Some(Time::from(Timestamp::from_system(*started)));
            status.state = Some(ContainerState { running: Some(ContainerStateRunning { started_at }), ..Default::default() });
        }
        ContainerPhase::Exited(exit) => {
            status.started = Some(false);
            status.ready = init && exit.succeeded();
            status.state = Some(match observed.trouble(&container.name) {
                Some(_) => waiting(observed, pod, container, init),
                None => terminated(exit, id(exit.attempt)),
            });
        }
        ContainerPhase::Waiting { reason, message, .. } => {
            status.started = Some(false);
            let message = restart_message(pod, container, reason, message);
            status.state = Some(wait_state(reason, &message));
            if let Some(exit) = &seen.last_exit {
                // The attempt that is waited for has not begun: the id is that of the last one.
                status.container_id = Some(id(exit.attempt));
                status.restart_count = i32::try_from(exit.attempt).unwrap_or(i32::MAX);
            }
        }
    }
    status
}

/// Returns the kubelet's text for a crash loop: who is held back, and for how long.
fn restart_message(pod: &Pod, container: &Container, reason: &str, message: &str) -> String {
    if reason != "CrashLoopBackOff" || message.contains(" pod=") {
        return message.to_owned();
    }
    let meta = &pod.metadata;
    let (namespace, uid) = (meta.namespace.as_deref().unwrap_or_default(), meta.uid.as_deref().unwrap_or_default());
    let head = message.split(" restarting").next().unwrap_or(message);
    format!("{head} restarting failed container={} pod={}_{namespace}({uid})", container.name, meta.name)
}

fn waiting(observed: &Observed, pod: &Pod, container: &Container, init: bool) -> ContainerState {
    if let Some(trouble) = observed.trouble(&container.name).or_else(|| observed.trouble("")) {
        return wait_state(&trouble.reason, &trouble.message);
    }
    let before = pod.spec.init_containers.iter().position(|known| known.name == container.name);
    let held = if init { before.is_some_and(|index| index > 0) } else { !pod.spec.init_containers.is_empty() };
    wait_state(if held { "PodInitializing" } else { "ContainerCreating" }, "")
}

fn wait_state(reason: &str, message: &str) -> ContainerState {
    let message = (!message.is_empty()).then(|| message.to_owned());
    let waiting = ContainerStateWaiting { reason: Some(reason.to_owned()), message };
    ContainerState { waiting: Some(waiting), ..ContainerState::default() }
}

fn terminated(exit: &Exit, id: String) -> ContainerState {
    let time = |at| Some(Time::from(Timestamp::from_system(at)));
    let terminated = ContainerStateTerminated {
        exit_code: exit.code,
        signal: (exit.signal != 0).then_some(exit.signal),
        reason: Some(exit.reason.clone()),
        message: (!exit.message.is_empty()).then(|| exit.message.clone()),
        started_at: time(exit.started),
        finished_at: time(exit.finished),
        container_id: Some(id),
    };
    ContainerState { terminated: Some(terminated), ..ContainerState::default() }
}

fn conditions(next: &mut PodStatus, observed: &Observed, pod: &Pod, now: Timestamp) {
    let phase = next.phase.clone().unwrap_or_default();
    let sandbox = matches!(observed.sandbox, Sandbox::Alive(_));
    set(next, "PodReadyToStartContainers", sandbox, None, None, now);
    let begun = pod.spec.containers.iter().any(|container| observed.container(&container.name).is_some());
    let waiting: Vec<&str> = pod
        .spec
        .init_containers
        .iter()
        .filter(|init| !matches!(observed.container(&init.name), Some(Seen { phase: ContainerPhase::Exited(exit), .. }) if exit.succeeded()))
        .map(|init| init.name.as_str())
        .collect();
    if phase == "Succeeded" || begun || waiting.is_empty() {
        let reason = (phase == "Succeeded").then_some("PodCompleted");
        set(next, "Initialized", true, reason, None, now);
    } else {
        let message = format!("containers with incomplete status: [{}]", waiting.join(" "));
        set(next, "Initialized", false, Some("ContainersNotInitialized"), Some(message), now);
    }
    let (ready, reason, message) = readiness(next, &phase);
    set(next, "ContainersReady", ready, reason, message.clone(), now);
    set(next, "Ready", ready, reason, message, now);
}

fn readiness(status: &PodStatus, phase: &str) -> (bool, Option<&'static str>, Option<String>) {
    match phase {
        "Succeeded" => return (false, Some("PodCompleted"), None),
        "Failed" => return (false, Some("PodFailed"), None),
        _ => {}
    }
    let unready: Vec<&str> =
        status.container_statuses.iter().filter(|container| !container.ready).map(|container| container.name.as_str()).collect();
    if unready.is_empty() {
        return (true, None, None);
    }
    let message = format!("containers with unready status: [{}]", unready.join(" "));
    (false, Some("ContainersNotReady"), Some(message))
}

/// Sets a condition; its time moves only when its status does.
fn set(status: &mut PodStatus, kind: &str, holds: bool, reason: Option<&str>, message: Option<String>, now: Timestamp) {
    let word = if holds { "True" } else { "False" };
    let known = status.conditions.iter().position(|condition| condition.type_ == kind);
    let since = known.map(|index| &status.conditions[index]).filter(|condition| condition.status == word);
    let condition = PodCondition {
        type_: kind.to_owned(),
        status: word.to_owned(),
        last_transition_time: since.and_then(|condition| condition.last_transition_time).or(Some(Time::from(now))),
        reason: reason.map(str::to_owned),
        message,
        ..PodCondition::default()
    };
    match known {
        Some(index) => status.conditions[index] = condition,
        None => status.conditions.push(condition),
    }
}
