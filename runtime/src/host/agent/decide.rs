//! What to do next about one pod: a pure function of what is observed, the pod and the time.
//!
//! The rules are the kubelet's (`kuberuntime_manager.go`, `computePodActions`). Restarts of a container that ran are
//! not here: its supervisor does them, also while the daemon is away.

use std::time::Duration;

use super::observed::{Observed, Sandbox};
use super::status::{has_ended, is_terminal};
use crate::api::Timestamp;
use crate::api::kinds::{Container, Pod};
use crate::host::engine::{ContainerPhase, PodState};

/// One thing to do. Idempotent: doing it twice is doing it once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Make namespaces, cgroup and supervisor.
    StartSandbox,
    /// Remove what is left of a sandbox whose supervisor is gone.
    RemoveLost,
    /// See that a container's image is here.
    Pull {
        /// The container.
        container: String,
    },
    /// Start a container.
    Start {
        /// The container.
        container: String,
        /// The number of this start.
        attempt: u32,
    },
    /// Stop a container whose declaration changed.
    Stop {
        /// The container.
        container: String,
    },
    /// Stop everything of the pod.
    StopAll {
        /// How long it may take.
        grace: Duration,
    },
    /// Remove the sandbox with everything in it but the logs.
    Release,
    /// Tell the store that nothing of a deleted pod runs any more.
    ConfirmDeletion,
    /// Nothing can be done before then.
    Wait {
        /// What for.
        on: Blocker,
        /// When to look again even if nothing happens.
        until: Option<Timestamp>,
    },
}

/// Why a pod waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Blocker {
    /// A container cannot start for this reason.
    Container {
        /// The container.
        name: String,
        /// The kubelet's word.
        reason: String,
    },
    /// An init container has not ended yet.
    Init {
        /// The container.
        name: String,
    },
    /// An image is being fetched.
    Image {
        /// The container.
        name: String,
    },
    /// The sandbox could not be made.
    Sandbox,
    /// The pod's time is not over.
    ActiveDeadline,
}

/// Returns the next steps; empty when everything that is to run runs.
pub fn decide(observed: &Observed, pod: &Pod, now: Timestamp) -> Vec<Action> {
    if let Some(deletion) = pod.metadata.deletion_timestamp {
        let meta = &pod.metadata;
        // What was confirmed and is held by a finalizer needs nothing more.
        let confirmed = meta.deletion_grace_period_seconds == Some(0) && !meta.finalizers.is_empty();
        let last = (!confirmed).then_some(Action::ConfirmDeletion);
        return end(observed, deletion.0.since(now), last);
    }
    let deadline = active_deadline(pod);
    if is_terminal(pod) || has_ended(observed, pod) || deadline.is_some_and(|at| at <= now) {
        // Nothing is taken away before the store knows how it ended.
        let grace = Duration::from_secs(grace_seconds(pod));
        return if observed.status_written { end_quietly(observed, grace) } else { Vec::new() };
    }
    if let Some(trouble) = observed.trouble("").filter(|trouble| trouble.retry.is_none_or(|retry| retry > now)) {
        return vec![Action::Wait { on: Blocker::Sandbox, until: trouble.retry }];
    }
    let state = match &observed.sandbox {
        Sandbox::Lost(_) => return vec![Action::RemoveLost, Action::StartSandbox],
        Sandbox::None => {
            let mut actions = vec![Action::StartSandbox];
            actions.extend(containers(observed, pod, &PodState::default(), now));
            return actions;
        }
        Sandbox::Alive(state) => state,
    };
    let mut actions = containers(observed, pod, state, now);
    if let Some(until) = deadline {
        actions.push(Action::Wait { on: Blocker::ActiveDeadline, until: Some(until) });
    }
    actions
}

/// Stops what runs, releases the sandbox, then does `last`.
fn end(observed: &Observed, grace: Duration, last: Option<Action>) -> Vec<Action> {
    let mut actions = end_quietly(observed, grace);
    if !matches!(observed.sandbox, Sandbox::Alive(_)) {
        actions.extend(last);
    }
    actions
}

fn end_quietly(observed: &Observed, grace: Duration) -> Vec<Action> {
    match &observed.sandbox {
        Sandbox::None => Vec::new(),
        Sandbox::Lost(_) => vec![Action::RemoveLost],
        Sandbox::Alive(state) if state.containers.iter().any(|container| runs(&container.phase)) => {
            vec![Action::StopAll { grace }]
        }
        // What its containers ended with is told before they are gone.
        Sandbox::Alive(_) if !observed.status_written => Vec::new(),
        Sandbox::Alive(_) => vec![Action::Release],
    }
}

fn runs(phase: &ContainerPhase) -> bool {
    !matches!(phase, ContainerPhase::Exited(_))
}

/// Decides about init containers one by one, then about the others together.
fn containers(observed: &Observed, pod: &Pod, state: &PodState, now: Timestamp) -> Vec<Action> {
    let spec = &pod.spec;
    let begun = spec.containers.iter().any(|container| observed.container(&container.name).is_some());
    if !begun {
        for init in &spec.init_containers {
            match observed.container(&init.name).map(|found| &found.phase) {
                Some(ContainerPhase::Exited(exit)) if exit.succeeded() => {}
                Some(ContainerPhase::Waiting { .. } | ContainerPhase::Running { .. })
                    if state.container(&init.name).is_some() =>
                {
                    return vec![Action::Wait { on: Blocker::Init { name: init.name.clone() }, until: None }];
                }
                _ => return start(observed, pod, init, now),
            }
        }
    }
    spec.containers
        .iter()
        .flat_map(|container| match state.container(&container.name) {
            None if finished(observed, pod, container) => Vec::new(),
            None => start(observed, pod, container, now),
            Some(found) if found.spec_hash != spec_hash(container) && runs(&found.phase) => {
                vec![Action::Stop { container: container.name.clone() }]
            }
            Some(found) if found.spec_hash != spec_hash(container) => start(observed, pod, container, now),
            Some(_) => Vec::new(),
        })
        .collect()
}

/// Whether a container of a lost sandbox is not to be started again by the pod's restart policy.
fn finished(observed: &Observed, pod: &Pod, container: &Container) -> bool {
    let Some(past) = observed.past.container(&container.name) else { return false };
    let ContainerPhase::Exited(exit) = &past.phase else { return false };
    match pod.spec.restart_policy.as_deref() {
        Some("Never") => true,
        Some("OnFailure") => exit.succeeded(),
        _ => false,
    }
}

fn start(observed: &Observed, pod: &Pod, container: &Container, now: Timestamp) -> Vec<Action> {
    if let Some(trouble) = observed.trouble(&container.name)
        && trouble.retry.is_none_or(|retry| retry > now)
    {
        let on = Blocker::Container { name: container.name.clone(), reason: trouble.reason.clone() };
        return vec![Action::Wait { on, until: trouble.retry }];
    }
    let note = observed.notes.get(&container.name);
    if note.is_some_and(|note| note.pulling) {
        return vec![Action::Wait { on: Blocker::Image { name: container.name.clone() }, until: None }];
    }
    if !note.is_some_and(|note| note.image_ready) {
        return vec![Action::Pull { container: container.name.clone() }];
    }
    let recorded = recorded_attempts(pod, &container.name);
    let attempt = observed.container(&container.name).map(|known| known.attempt + 1).or(recorded).unwrap_or(0);
    vec![Action::Start { container: container.name.clone(), attempt }]
}

/// Returns the next attempt by what the status says, for a pod whose sandbox vanished without a trace.
fn recorded_attempts(pod: &Pod, name: &str) -> Option<u32> {
    let status = pod.status.as_ref()?;
    let known = status.container_statuses.iter().chain(&status.init_container_statuses).find(|known| known.name == name)?;
    let ran = known.state.as_ref().is_some_and(|state| state.running.is_some() || state.terminated.is_some());
    let ran = ran || known.last_state.as_ref().is_some_and(|state| state.terminated.is_some());
    ran.then(|| u32::try_from(known.restart_count).unwrap_or(0) + 1)
}

/// Returns when `activeDeadlineSeconds` is over.
fn active_deadline(pod: &Pod) -> Option<Timestamp> {
    let seconds = u64::try_from(pod.spec.active_deadline_seconds?).ok()?;
    let started = pod.status.as_ref()?.start_time?;
    Some(started.0 + Duration::from_secs(seconds))
}

/// Returns the pod's grace in seconds; 30 if it does not say.
pub fn grace_seconds(pod: &Pod) -> u64 {
    pod.spec.termination_grace_period_seconds.and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(30)
}

/// Returns the hash of a container's declaration: another hash is another container.
pub fn spec_hash(container: &Container) -> String {
    use sha2::{Digest as _, Sha256};
    let text = serde_json::to_vec(container).expect("invariant: a container serialises");
    Sha256::digest(&text).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
