//! How long a pod takes from its object in the store to its processes; printed, not judged: a busy host is slow.

use std::time::{Duration, Instant};

use serde_json::json;

use super::rig::Rig;
use crate::host::engine::tests::unable;

/// How many pods are started for the figure.
const RUNS: usize = 50;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pod_of_two_containers_starts_at_once() {
    if unable("a_pod_of_two_containers_starts_at_once") {
        return;
    }
    let rig = Rig::new().await;
    let sleep = |name: &str| json!({ "name": name, "command": ["/bin/sleep", "600"] });
    let (mut executed, mut told): (Vec<Duration>, Vec<Duration>) = (Vec::new(), Vec::new());
    for number in 0..RUNS {
        let name = format!("fast-{number}");
        let begin = Instant::now();
        let began = std::time::SystemTime::now();
        let uid = rig.pod(&name, json!({ "containers": [sleep("a"), sleep("b")] })).await;
        rig.phase(&name, "Running").await;
        told.push(begin.elapsed());
        let handle = crate::host::agent::world::lock(&rig.agent().world.handles).get(&uid).cloned().expect("a handle");
        let state = handle.status().await.expect("a state");
        let started = state.containers.iter().filter_map(|container| match &container.phase {
            crate::host::engine::ContainerPhase::Running { started, .. } => started.duration_since(began).ok(),
            _ => None,
        });
        executed.push(started.max().expect("both run"));
        rig.delete(&name, Some(0)).await;
        rig.gone(&name).await;
    }
    for (what, times) in [("executed", &mut executed), ("told to the store", &mut told)] {
        times.sort();
        println!(
            "pod object to both containers {what}: p50 {:.1?}, p99 {:.1?}",
            times[RUNS / 2],
            times[RUNS * 99 / 100]
        );
    }
    rig.end().await;
}
