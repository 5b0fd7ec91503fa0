//! The status of one container. Pure; words and defaults are the kubelet's (`kubelet_pods.go`,
//! convertToAPIContainerStatuses).

use std::time::Duration;

use crate::api::kinds::{
    Container, ContainerState, ContainerStateRunning, ContainerStateTerminated, ContainerStateWaiting, ContainerStatus,
    Pod,
};
use crate::api::{Time, Timestamp};

use super::observed::Observed;
use crate::host::engine::{ContainerPhase, Exit};

/// A restart that is due sooner is none that is worth a line: the container shows how it ended until it runs again.
const WAIT_MIN: Duration = Duration::from_secs(1);

/// Returns the status of a container; `old` is what the store has of it.
pub(super) fn container_status(
    observed: &Observed,
    pod: &Pod,
    container: &Container,
    old: Option<&ContainerStatus>,
) -> ContainerStatus {
    let init = is_init(pod, container);
    let note = observed.note(container);
    let image_id = note.map(|note| note.image_id.clone()).filter(|id| !id.is_empty());
    let mut status = ContainerStatus {
        name: container.name.clone(),
        image: container.image.clone().unwrap_or_default(),
        image_id: image_id.or_else(|| old.map(|old| old.image_id.clone())).unwrap_or_default(),
        started: Some(false),
        ..ContainerStatus::default()
    };
    let Some(seen) = observed.container(&container.name) else {
        status.state = Some(waiting(observed, pod, container));
        return status;
    };
    let uid = pod.metadata.uid.as_deref().unwrap_or_default();
    let id = |attempt: u32| format!("bowline://{uid}/{}/{attempt}", container.name);
    let mut attempt = seen.attempt;
    // While a container waits or has ended, the engine's last exit is that of the state itself.
    let last = seen.last_exit.as_ref();
    match &seen.phase {
        ContainerPhase::Running { started, .. } => {
            status.started = Some(observed.has_started(container));
            status.ready = !init && observed.is_ready(container);
            let started_at = Some(Time::from(Timestamp::from_system(*started)));
            let running = ContainerStateRunning { started_at };
            status.state = Some(ContainerState { running: Some(running), ..ContainerState::default() });
            status.last_state = last.map(|exit| terminated(exit, id(exit.attempt)));
        }
        ContainerPhase::Exited(exit) => {
            attempt = exit.attempt;
            status.ready = init && exit.succeeded();
            if note.is_some_and(|note| note.trouble.is_some()) {
                status.state = Some(waiting(observed, pod, container));
                status.last_state = Some(terminated(exit, id(exit.attempt)));
            } else {
                status.state = Some(terminated(exit, id(exit.attempt)));
                status.last_state = old.and_then(|old| earlier(old, exit));
            }
        }
        ContainerPhase::Waiting { reason, message, until } => match last {
            None => status.state = Some(waiting(observed, pod, container)),
            Some(exit) => {
                // The attempt that is waited for has not begun.
                attempt = exit.attempt;
                let wait = until.and_then(|until| until.duration_since(exit.finished).ok());
                if wait.is_some_and(|wait| wait >= WAIT_MIN) {
                    status.state = Some(wait_state(reason, message));
                    status.last_state = Some(terminated(exit, id(exit.attempt)));
                } else {
                    status.state = Some(terminated(exit, id(exit.attempt)));
                    status.last_state = old.and_then(|old| earlier(old, exit));
                }
            }
        },
    }
    status.restart_count = i32::try_from(attempt).unwrap_or(i32::MAX);
    let ran = status.state.as_ref().is_some_and(|state| state.waiting.is_none()) || status.last_state.is_some();
    status.container_id = ran.then(|| id(attempt));
    status
}

/// Returns how the attempt before `exit` ended, by what the store has.
fn earlier(old: &ContainerStatus, exit: &Exit) -> Option<ContainerState> {
    let id = |state: &ContainerState| state.terminated.as_ref()?.container_id.clone();
    let suffix = format!("/{}", exit.attempt);
    let other = |state: &&ContainerState| id(state).is_some_and(|id| !id.ends_with(&suffix));
    let shown = old.state.as_ref().filter(other);
    shown.or_else(|| old.last_state.as_ref().filter(other)).cloned()
}

fn is_init(pod: &Pod, container: &Container) -> bool {
    pod.spec.init_containers.iter().any(|known| known.name == container.name)
}

/// Returns why a container has not started: its trouble, else that others come first or that it is being made.
fn waiting(observed: &Observed, pod: &Pod, container: &Container) -> ContainerState {
    if let Some(trouble) = observed.trouble(container) {
        return wait_state(&trouble.reason, &trouble.message);
    }
    let held = !pod.spec.init_containers.is_empty();
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
