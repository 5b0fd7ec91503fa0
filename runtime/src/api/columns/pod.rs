//! Cells of Pods. Ready, Status and Restarts come from one pass over the containers, as in Kubernetes' printer.

use serde_json::Value;

use super::{Timestamp, condition, count, elapsed, human_duration, or_none, text, time};

/// Returns how many containers are ready, of how many.
pub fn ready(value: &Value, _: Timestamp) -> String {
    let summary = Summary::of(value);
    format!("{}/{}", summary.ready, summary.total)
}

/// Returns what the pod does, in one word.
pub fn status(value: &Value, _: Timestamp) -> String {
    Summary::of(value).reason
}

/// Returns how often containers were started again, and how long ago the last of them had ended.
pub fn restarts(value: &Value, now: Timestamp) -> String {
    let summary = Summary::of(value);
    match summary.last_restart {
        Some(last) if summary.restarts != 0 => {
            format!("{} ({} ago)", summary.restarts, human_duration(elapsed(last, now)))
        }
        _ => summary.restarts.to_string(),
    }
}

/// Returns the address of the pod.
pub fn ip(value: &Value, _: Timestamp) -> String {
    let status = &value["status"];
    let first = text(&status["podIPs"][0]["ip"]);
    or_none(if first.is_empty() { text(&status["podIP"]) } else { first })
}

/// Returns the host of the pod.
pub fn node(value: &Value, _: Timestamp) -> String {
    or_none(text(&value["spec"]["nodeName"]))
}

/// Returns the host on which room is being made.
pub fn nominated_node(value: &Value, _: Timestamp) -> String {
    or_none(text(&value["status"]["nominatedNodeName"]))
}

/// Returns how many readiness gates are open, of how many.
pub fn readiness_gates(value: &Value, _: Timestamp) -> String {
    let gates = value["spec"]["readinessGates"].as_array().map_or(&[][..], Vec::as_slice);
    let open = |gate: &&Value| {
        condition(value, text(&gate["conditionType"])).is_some_and(|condition| condition["status"] == "True")
    };
    if gates.is_empty() { or_none("") } else { format!("{}/{}", gates.iter().filter(open).count(), gates.len()) }
}

/// What one pass over the containers finds.
struct Summary {
    reason: String,
    ready: usize,
    total: usize,
    restarts: i64,
    last_restart: Option<Timestamp>,
}

fn items(value: &Value) -> impl DoubleEndedIterator<Item = &Value> + ExactSizeIterator {
    value.as_array().map_or(&[][..], Vec::as_slice).iter()
}

/// Whether an init container is a sidecar, which goes on running.
fn is_sidecar(pod: &Value, name: &Value) -> bool {
    items(&pod["spec"]["initContainers"])
        .any(|container| container["name"] == *name && container["restartPolicy"] == "Always")
}

impl Summary {
    fn of(pod: &Value) -> Self {
        let status = &pod["status"];
        let mut reason = text(&status["phase"]).to_owned();
        if let Some(text) = status["reason"].as_str().filter(|reason| !reason.is_empty()) {
            text.clone_into(&mut reason);
        }
        if let Some(scheduled) =
            condition(pod, "PodScheduled").filter(|scheduled| scheduled["reason"] == "SchedulingGated")
        {
            text(&scheduled["reason"]).clone_into(&mut reason);
        }
        let sidecars =
            items(&pod["spec"]["initContainers"]).filter(|container| container["restartPolicy"] == "Always").count();
        let total = items(&pod["spec"]["containers"]).len() + sidecars;
        let mut summary = Self { reason, ready: 0, total, restarts: 0, last_restart: None };
        let sidecars = summary.init_containers(pod);
        let initialized = condition(pod, "Initialized").is_some_and(|condition| condition["status"] == "True");
        match sidecars {
            Ok(sidecars) => summary.containers(pod, sidecars),
            Err(sidecars) if initialized => summary.containers(pod, sidecars),
            Err(_) => {}
        }
        summary.deletion(pod);
        summary
    }

    /// Counts the init containers. Returns the restarts of sidecars and the last of them, as an error if an init
    /// container is not through.
    fn init_containers(&mut self, pod: &Value) -> Result<Restarts, Restarts> {
        let total = items(&pod["spec"]["initContainers"]).len();
        let mut sidecars = Restarts::default();
        for (index, container) in items(&pod["status"]["initContainerStatuses"]).enumerate() {
            self.count(container);
            let sidecar = is_sidecar(pod, &container["name"]);
            if sidecar {
                sidecars.add(container);
            }
            let (terminated, waiting) = (&container["state"]["terminated"], &container["state"]["waiting"]);
            let waits_for = text(&waiting["reason"]);
            self.reason = match () {
                () if terminated.is_object() && count(&terminated["exitCode"]) == 0 => continue,
                () if sidecar && container["started"] == Value::Bool(true) => {
                    self.ready += usize::from(container["ready"] == Value::Bool(true));
                    continue;
                }
                () if terminated.is_object() => format!("Init:{}", ending(terminated)),
                () if !waits_for.is_empty() && waits_for != "PodInitializing" => {
                    format!("Init:{waits_for}")
                }
                () => format!("Init:{index}/{total}"),
            };
            return Err(sidecars);
        }
        Ok(sidecars)
    }

    fn containers(&mut self, pod: &Value, sidecars: Restarts) {
        // Restarts of init containers that are through no longer count.
        (self.restarts, self.last_restart) = (sidecars.count, sidecars.last);
        let mut running = false;
        for container in items(&pod["status"]["containerStatuses"]).rev() {
            self.count(container);
            let state = &container["state"];
            let waits_for = text(&state["waiting"]["reason"]);
            if !waits_for.is_empty() {
                waits_for.clone_into(&mut self.reason);
            } else if state["terminated"].is_object() {
                self.reason = ending(&state["terminated"]);
            } else if container["ready"] == Value::Bool(true) && state["running"].is_object() {
                running = true;
                self.ready += 1;
            }
        }
        if self.reason == "Completed" && running {
            let ready = condition(pod, "Ready").is_some_and(|condition| condition["status"] == "True");
            self.reason = if ready { "Running" } else { "NotReady" }.to_owned();
        }
    }

    fn deletion(&mut self, pod: &Value) {
        if pod["metadata"]["deletionTimestamp"].is_null() {
            return;
        }
        if pod["status"]["reason"] == "NodeLost" {
            self.reason = "Unknown".to_owned();
        } else if !matches!(text(&pod["status"]["phase"]), "Succeeded" | "Failed") {
            self.reason = "Terminating".to_owned();
        }
    }

    fn count(&mut self, container: &Value) {
        let mut all = Restarts { count: self.restarts, last: self.last_restart };
        all.add(container);
        (self.restarts, self.last_restart) = (all.count, all.last);
    }
}

/// Restarts, and when the last run before a restart had ended.
#[derive(Clone, Copy, Default)]
struct Restarts {
    count: i64,
    last: Option<Timestamp>,
}

impl Restarts {
    fn add(&mut self, container: &Value) {
        self.count += count(&container["restartCount"]);
        self.last = self.last.max(time(&container["lastState"]["terminated"]["finishedAt"]));
    }
}

/// Returns how a container ended, in one word.
fn ending(terminated: &Value) -> String {
    let reason = text(&terminated["reason"]);
    match count(&terminated["signal"]) {
        _ if !reason.is_empty() => reason.to_owned(),
        0 => format!("ExitCode:{}", count(&terminated["exitCode"])),
        signal => format!("Signal:{signal}"),
    }
}
