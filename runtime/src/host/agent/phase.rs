//! The phase of a pod and what follows from it alone: whether it is over, and when its time is up.
//!
//! Pure; the rules are the kubelet's (`kubelet_pods.go`, getPhase).

use std::time::Duration;

use super::observed::{Observed, Sandbox};
use crate::api::Timestamp;
use crate::api::kinds::{Container, Pod};
use crate::host::engine::{ContainerPhase, Exit};

/// Where a pod is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Not every container has begun.
    Pending,
    /// Every container has begun, and not all have ended for good.
    Running,
    /// Every container has ended with success and none is started again.
    Succeeded,
    /// Every container has ended, one of them with a failure, and none is started again.
    Failed,
}

impl Phase {
    /// Returns the word of `status.phase`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Running => "Running",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
        }
    }

    /// Whether it is never left.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed)
    }
}

/// Whether containers that ended are started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restarts {
    /// Whatever they ended with.
    Always,
    /// If they failed.
    OnFailure,
    /// Never.
    Never,
}

impl Restarts {
    /// Reads the pod's restart policy.
    pub fn of(pod: &Pod) -> Self {
        match pod.spec.restart_policy.as_deref() {
            Some("Never") => Self::Never,
            Some("OnFailure") => Self::OnFailure,
            _ => Self::Always,
        }
    }

    /// Whether a regular container that ended so is started again.
    pub fn apply_to(self, exit: &Exit) -> bool {
        match self {
            Self::Always => true,
            Self::OnFailure => !exit.succeeded(),
            Self::Never => false,
        }
    }
}

/// Whether the stored phase is one that is never left.
pub fn is_terminal(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed"))
}

/// Returns when `activeDeadlineSeconds` is over; `None` before the pod was acknowledged.
pub fn active_deadline(pod: &Pod) -> Option<Timestamp> {
    let seconds = u64::try_from(pod.spec.active_deadline_seconds?).ok()?;
    let started = pod.status.as_ref()?.start_time?;
    Some(started.0 + Duration::from_secs(seconds))
}

/// Whether the pod's time is over.
pub fn is_overdue(pod: &Pod, now: Timestamp) -> bool {
    active_deadline(pod).is_some_and(|at| at <= now)
}

/// Whether a container runs, or is going to without the agent.
fn is_alive(observed: &Observed) -> bool {
    let Sandbox::Alive(state) = &observed.sandbox else { return false };
    state.containers.iter().any(|container| !matches!(container.phase, ContainerPhase::Exited(_)))
}

/// Returns the phase by what is observed of the containers.
pub fn phase(observed: &Observed, pod: &Pod) -> Phase {
    let restarts = Restarts::of(pod);
    let exit = |container: &Container| match observed.container(&container.name).map(|seen| &seen.phase) {
        Some(ContainerPhase::Exited(exit)) if !observed.is_replaced(&container.name) => Some(exit),
        _ => None,
    };
    let containers = &pod.spec.containers;
    let begun = containers.iter().any(|container| observed.container(&container.name).is_some());
    let going = pod.metadata.deletion_timestamp.is_some();
    // One that is deleted before all of it began is over once nothing runs (kubelet: TerminatePod). A Job that holds
    // it by a finalizer waits for that.
    let abandoned = if going && !is_alive(observed) { Phase::Failed } else { Phase::Pending };
    if !begun {
        let failed = pod.spec.init_containers.iter().filter_map(exit).any(|exit| !exit.succeeded());
        return if failed && restarts == Restarts::Never { Phase::Failed } else { abandoned };
    }
    // One that waits for a restart counts as stopped; one that never ran is waiting.
    let never_ran = |container: &Container| match observed.container(&container.name) {
        None => true,
        Some(seen) => matches!(seen.phase, ContainerPhase::Waiting { .. }) && seen.last_exit.is_none(),
    };
    if containers.iter().any(never_ran) {
        return abandoned;
    }
    let Some(exits) = containers.iter().map(exit).collect::<Option<Vec<&Exit>>>() else { return Phase::Running };
    // A pod that is being deleted starts nothing again, whatever its policy.
    if !going && exits.iter().any(|exit| restarts.apply_to(exit)) {
        return Phase::Running;
    }
    if exits.iter().all(|exit| exit.succeeded()) { Phase::Succeeded } else { Phase::Failed }
}
