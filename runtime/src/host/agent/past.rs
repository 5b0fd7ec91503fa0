//! What a pod's stored status still tells of containers that no sandbox knows any more, as after a reboot.
//!
//! [`past_of`] is pure and reads only what [`super::status`] wrote.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::observed::Observed;
use super::phase::is_terminal;
use super::status::status;
use super::world::{World, lock};
use crate::api::kinds::{ContainerStateTerminated, ContainerStatus, Pod, PodStatus};
use crate::api::{Time, Timestamp};
use crate::host::engine::{Adopted, ContainerPhase, ContainerState, Exit, PodState};

/// Returns the containers that have run by the pod's status. One that was running is one whose end nobody saw:
/// `ContainerStatusUnknown`, code 137, as the kubelet has it.
pub fn past_of(status: &PodStatus, now: Timestamp) -> PodState {
    let all = status.init_container_statuses.iter().chain(&status.container_statuses);
    PodState { containers: all.filter_map(|known| container(known, now)).collect(), stop_deadline: None }
}

/// Corrects what the store says of pods whose processes are gone, before anybody relies on it: after a reboot or a
/// `down` their last statuses still tell that they run and are ready.
pub(super) async fn correct(world: &World, node_name: &str) {
    let snapshot = world.snapshot();
    for stored in snapshot.pods_on(node_name) {
        let runs = matches!(lock(&world.found).get(stored.uid()), Some(Adopted::Alive(_)));
        let Ok(pod) = stored.typed::<Pod>() else { continue };
        let Some(known) = pod.status.as_ref().filter(|_| !runs && !is_terminal(&pod)) else { continue };
        let observed = Observed { past: past_of(known, world.now()), ..Observed::default() };
        let wanted = status(&observed, &pod, world.addresses(), world.now());
        if *known != wanted {
            world.write_status(stored, &pod, &wanted).await;
        }
    }
}

fn container(known: &ContainerStatus, now: Timestamp) -> Option<ContainerState> {
    let attempt = u32::try_from(known.restart_count).unwrap_or(0);
    let state = known.state.as_ref();
    let last = known.last_state.as_ref().and_then(|state| state.terminated.as_ref());
    let exit = if let Some(running) = state.and_then(|state| state.running.as_ref()) {
        unknown(attempt, running.started_at, now)
    } else {
        exit_of(state.and_then(|state| state.terminated.as_ref()).or(last)?, attempt)
    };
    Some(ContainerState {
        name: known.name.clone(),
        attempt,
        spec_hash: String::new(),
        phase: ContainerPhase::Exited(exit.clone()),
        restart_count: attempt,
        last_exit: Some(exit),
    })
}

fn unknown(attempt: u32, started: Option<Time>, now: Timestamp) -> Exit {
    Exit {
        attempt,
        code: 137,
        signal: 0,
        oom: false,
        started: system_time(started.unwrap_or(Time::from(now)).0),
        finished: system_time(now),
        reason: Exit::UNKNOWN.to_owned(),
        message: "The container could not be located when the pod was terminated".to_owned(),
    }
}

fn exit_of(terminated: &ContainerStateTerminated, attempt: u32) -> Exit {
    let time = |time: Option<Time>| time.map_or(UNIX_EPOCH, |time| system_time(time.0));
    let reason = terminated.reason.clone().unwrap_or_default();
    Exit {
        attempt,
        code: terminated.exit_code,
        signal: terminated.signal.unwrap_or(0),
        oom: reason == Exit::OOM_KILLED,
        started: time(terminated.started_at),
        finished: time(terminated.finished_at),
        reason,
        message: terminated.message.clone().unwrap_or_default(),
    }
}

fn system_time(at: Timestamp) -> SystemTime {
    UNIX_EPOCH + Duration::from_micros(u64::try_from(at.micros()).unwrap_or(0))
}
