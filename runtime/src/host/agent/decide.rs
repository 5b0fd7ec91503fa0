//! What to do next about one pod: a pure function of what is observed, the pod and the time.
//!
//! The rules are the kubelet's (`kuberuntime_manager.go`, `computePodActions`). Restarts of a container that ran are
//! not here: its supervisor does them, also while the daemon is away.

use std::time::Duration;

use super::observed::{Note, Observed, Sandbox, Volumes};
use super::phase::{Restarts, active_deadline, is_overdue, is_terminal, phase};
use crate::api::Timestamp;
use crate::api::kinds::{Container, Pod};
use crate::host::engine::{ContainerPhase, PodState};

/// The shortest grace of a pod whose deletion has one (kubelet, minimumGracePeriodInSeconds).
const GRACE_MIN: Duration = Duration::from_secs(2);
/// A deletion's time is stored in whole seconds, rounded down: so much may be missing.
const ROUNDED: Duration = Duration::from_secs(1);

/// One thing to do. Idempotent: doing it twice is doing it once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Make namespaces, cgroup and supervisor.
    StartSandbox,
    /// Remove what is left of a sandbox whose supervisor is gone.
    RemoveLost,
    /// Make what containers mount.
    PrepareVolumes,
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

impl Action {
    /// Returns when a wait ends by itself.
    pub fn until(&self) -> Option<Timestamp> {
        match self {
            Self::Wait { until, .. } => *until,
            _ => None,
        }
    }
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
    /// The volumes could not be prepared.
    Volumes,
    /// How everything ended is not in the store yet.
    Status,
    /// The pod's time is not over.
    ActiveDeadline,
    /// Nothing of the pod runs any more; somebody else holds its object.
    Finalizer {
        /// The first of the finalizers.
        name: String,
    },
}

/// Returns the next steps; empty when everything that is to run runs.
pub fn decide(observed: &Observed, pod: &Pod, now: Timestamp) -> Vec<Action> {
    if let Some(grace) = deletion_grace(pod, now) {
        let mut actions = end(observed, grace);
        if !matches!(observed.sandbox, Sandbox::Alive(_)) {
            actions.push(confirm(pod));
        }
        return actions;
    }
    if is_terminal(pod) || phase(observed, pod).is_terminal() || is_overdue(pod, now) {
        if !observed.status_written {
            // Nothing is taken away before the store knows how it ended.
            return vec![Action::Wait { on: Blocker::Status, until: None }];
        }
        return end(observed, Duration::from_secs(grace_seconds(pod)));
    }
    let mut actions = match &observed.sandbox {
        Sandbox::Lost(_) => vec![Action::RemoveLost],
        Sandbox::None => run(observed, pod, &PodState::default(), now),
        Sandbox::Alive(state) => run(observed, pod, state, now),
    };
    if let Some(until) = active_deadline(pod) {
        actions.push(Action::Wait { on: Blocker::ActiveDeadline, until: Some(until) });
    }
    actions
}

/// Stops what runs, then releases the sandbox.
fn end(observed: &Observed, grace: Duration) -> Vec<Action> {
    match &observed.sandbox {
        Sandbox::None => Vec::new(),
        Sandbox::Lost(_) => vec![Action::RemoveLost],
        Sandbox::Alive(state) if state.containers.iter().any(|container| runs(&container.phase)) => {
            vec![Action::StopAll { grace }]
        }
        // What its containers ended with is told before they are gone.
        Sandbox::Alive(_) if !observed.status_written => vec![Action::Wait { on: Blocker::Status, until: None }],
        Sandbox::Alive(_) => vec![Action::Release],
    }
}

/// Confirms a deletion once; after that the object waits for its finalizers only.
fn confirm(pod: &Pod) -> Action {
    let confirmed = pod.metadata.deletion_grace_period_seconds == Some(0);
    match pod.metadata.finalizers.as_slice() {
        [first, ..] if confirmed => Action::Wait { on: Blocker::Finalizer { name: first.clone() }, until: None },
        _ => Action::ConfirmDeletion,
    }
}

fn runs(phase: &ContainerPhase) -> bool {
    !matches!(phase, ContainerPhase::Exited(_))
}

/// Brings up what is to run: volumes and sandbox, then init containers one by one, then the others together.
fn run(observed: &Observed, pod: &Pod, state: &PodState, now: Timestamp) -> Vec<Action> {
    let mut actions = containers(observed, pod, state, now);
    if !actions.iter().any(|action| matches!(action, Action::Start { .. } | Action::Pull { .. })) {
        return actions;
    }
    let mut before = Vec::new();
    match &observed.volumes {
        Volumes::Failed(trouble) if trouble.holds(now) => {
            return vec![Action::Wait { on: Blocker::Volumes, until: trouble.retry }];
        }
        Volumes::Ready => {}
        Volumes::Unknown | Volumes::Failed(_) => before.push(Action::PrepareVolumes),
    }
    if observed.sandbox == Sandbox::None {
        if let Some(trouble) = observed.sandbox_trouble.as_ref().filter(|trouble| trouble.holds(now)) {
            return vec![Action::Wait { on: Blocker::Sandbox, until: trouble.retry }];
        }
        before.push(Action::StartSandbox);
    }
    actions.splice(0..0, before);
    actions
}

/// Decides about init containers one by one, then about the others together.
///
/// Init containers belong to a sandbox: a new one runs them again, unless nothing is left to be started in it.
fn containers(observed: &Observed, pod: &Pod, state: &PodState, now: Timestamp) -> Vec<Action> {
    let spec = &pod.spec;
    let regular =
        || spec.containers.iter().flat_map(|container| regular(observed, pod, state, container, now)).collect();
    if spec.containers.iter().any(|container| state.container(&container.name).is_some()) {
        return regular();
    }
    if spec.containers.iter().all(|container| is_done(observed, pod, container)) {
        return Vec::new();
    }
    for init in &spec.init_containers {
        match state.container(&init.name).map(|found| &found.phase) {
            Some(ContainerPhase::Exited(exit)) if exit.succeeded() => {}
            Some(ContainerPhase::Waiting { .. } | ContainerPhase::Running { .. }) => {
                return vec![Action::Wait { on: Blocker::Init { name: init.name.clone() }, until: None }];
            }
            Some(ContainerPhase::Exited(_)) | None => return start(observed, init, now),
        }
    }
    regular()
}

fn regular(observed: &Observed, pod: &Pod, state: &PodState, container: &Container, now: Timestamp) -> Vec<Action> {
    let Some(found) = state.container(&container.name) else {
        return if is_done(observed, pod, container) { Vec::new() } else { start(observed, container, now) };
    };
    match &found.phase {
        ContainerPhase::Running { .. } | ContainerPhase::Waiting { .. } if found.spec_hash != spec_hash(container) => {
            vec![Action::Stop { container: container.name.clone() }]
        }
        // A supervisor leaves one alone that it was told to stop: that was for a declaration that changed.
        ContainerPhase::Exited(exit) if observed.is_replaced(&container.name) || Restarts::of(pod).apply_to(exit) => {
            start(observed, container, now)
        }
        _ => Vec::new(),
    }
}

/// Whether a container of an earlier sandbox has ended and is not to be started again.
fn is_done(observed: &Observed, pod: &Pod, container: &Container) -> bool {
    match observed.past.container(&container.name).map(|past| &past.phase) {
        Some(ContainerPhase::Exited(exit)) => !Restarts::of(pod).apply_to(exit),
        _ => false,
    }
}

fn start(observed: &Observed, container: &Container, now: Timestamp) -> Vec<Action> {
    let name = container.name.clone();
    let note = observed.note(container);
    if let Some(trouble) = note.and_then(|note| note.trouble.as_ref()).filter(|trouble| trouble.holds(now)) {
        return vec![Action::Wait {
            on: Blocker::Container { name, reason: trouble.reason.clone() },
            until: trouble.retry,
        }];
    }
    match note {
        Some(Note { pulling: true, .. }) => vec![Action::Wait { on: Blocker::Image { name }, until: None }],
        Some(Note { image_ready: true, .. }) => {
            let attempt = observed.container(&container.name).map_or(0, |known| known.attempt + 1);
            vec![Action::Start { container: name, attempt }]
        }
        _ => vec![Action::Pull { container: name }],
    }
}

/// Returns how long a pod that is being deleted still has; `None` for one that is not.
///
/// The end is the stored one: no restart of the daemon puts it off, and its supervisor shortens a grace only.
fn deletion_grace(pod: &Pod, now: Timestamp) -> Option<Duration> {
    let deletion = pod.metadata.deletion_timestamp?;
    if pod.metadata.deletion_grace_period_seconds.unwrap_or(0) == 0 {
        return Some(Duration::ZERO);
    }
    Some((deletion.0 + ROUNDED).since(now).max(GRACE_MIN))
}

/// Returns the pod's grace in seconds; 30 if it does not say.
pub fn grace_seconds(pod: &Pod) -> u64 {
    pod.spec.termination_grace_period_seconds.and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(30)
}

/// Returns the hash of what makes a container another one: name and image, as the kubelet's `HashContainer`. All else
/// of a pod cannot change, and a field that a later version adds must not restart anything.
pub fn spec_hash(container: &Container) -> String {
    use sha2::{Digest as _, Sha256};
    let mut hash = Sha256::new();
    hash.update(&container.name);
    hash.update([0]);
    hash.update(container.image.as_deref().unwrap_or_default());
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
