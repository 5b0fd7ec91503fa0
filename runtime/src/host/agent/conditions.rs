//! The conditions of a pod. Pure; reasons and messages are the kubelet's (`status/generate.go`).

use crate::api::kinds::{Pod, PodCondition, PodStatus};
use crate::api::{Time, Timestamp};

use super::observed::{Observed, Sandbox};
use crate::host::engine::ContainerPhase;

/// Sets the conditions of a status whose phase and containers are set. Conditions of others, such as `PodScheduled`,
/// stay.
pub(super) fn conditions(next: &mut PodStatus, observed: &Observed, pod: &Pod, now: Timestamp) {
    let phase = next.phase.clone().unwrap_or_default();
    let sandbox = matches!(observed.sandbox, Sandbox::Alive(_));
    set(next, "PodReadyToStartContainers", Verdict::plain(sandbox), now);
    let initialized = initialized(observed, pod, &phase);
    set(next, "Initialized", initialized, now);
    let ready = readiness(next, &phase);
    set(next, "ContainersReady", ready.clone(), now);
    set(next, "Ready", ready, now);
}

/// What a condition says.
#[derive(Clone)]
struct Verdict {
    holds: bool,
    reason: Option<&'static str>,
    message: Option<String>,
}

impl Verdict {
    fn plain(holds: bool) -> Self {
        Self { holds, reason: None, message: None }
    }
    fn not(reason: &'static str, message: Option<String>) -> Self {
        Self { holds: false, reason: Some(reason), message }
    }
}

fn initialized(observed: &Observed, pod: &Pod, phase: &str) -> Verdict {
    if phase == "Succeeded" {
        return Verdict { reason: Some("PodCompleted"), ..Verdict::plain(true) };
    }
    let done = |name: &str| match observed.container(name).map(|seen| &seen.phase) {
        Some(ContainerPhase::Exited(exit)) => exit.succeeded(),
        _ => false,
    };
    let begun = pod.spec.containers.iter().any(|container| observed.container(&container.name).is_some());
    let names = pod.spec.init_containers.iter().map(|init| init.name.as_str());
    let open: Vec<&str> = names.filter(|name| !done(name)).collect();
    if begun || open.is_empty() {
        return Verdict::plain(true);
    }
    Verdict::not("ContainersNotInitialized", Some(format!("containers with incomplete status: [{}]", open.join(" "))))
}

fn readiness(status: &PodStatus, phase: &str) -> Verdict {
    match phase {
        "Succeeded" => return Verdict::not("PodCompleted", None),
        "Failed" => return Verdict::not("PodFailed", None),
        _ => {}
    }
    let unready = status.container_statuses.iter().filter(|container| !container.ready);
    let names: Vec<&str> = unready.map(|container| container.name.as_str()).collect();
    if names.is_empty() {
        return Verdict::plain(true);
    }
    Verdict::not("ContainersNotReady", Some(format!("containers with unready status: [{}]", names.join(" "))))
}

/// Sets a condition; its time moves only when its status does.
fn set(status: &mut PodStatus, kind: &str, verdict: Verdict, now: Timestamp) {
    let word = if verdict.holds { "True" } else { "False" };
    let known = status.conditions.iter().position(|condition| condition.type_ == kind);
    let since = known.map(|index| &status.conditions[index]).filter(|condition| condition.status == word);
    let condition = PodCondition {
        type_: kind.to_owned(),
        status: word.to_owned(),
        last_transition_time: since.and_then(|condition| condition.last_transition_time).or(Some(Time::from(now))),
        reason: verdict.reason.map(str::to_owned),
        message: verdict.message,
        ..PodCondition::default()
    };
    match known {
        Some(index) => status.conditions[index] = condition,
        None => status.conditions.push(condition),
    }
}
