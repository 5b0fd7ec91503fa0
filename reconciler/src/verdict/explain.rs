//! Why an object is not healthy: what the pods below it say.

use bowline_runtime::store::{Snapshot, Stored};
use serde_json::Value;

/// How far below an object its pods may stand: CronJob, Job, Pod.
const DEPTH_MAX: usize = 3;

/// Returns what the newest troubled pod below an object says, for example
/// `pod web-5d9c7-x2x4f, container web: CrashLoopBackOff: back-off 10s restarting failed container`.
pub fn explain(snapshot: &Snapshot, object: &Stored) -> Option<String> {
    let mut pods = Vec::new();
    collect(snapshot, object, DEPTH_MAX, &mut pods);
    pods.sort_by_key(|pod| std::cmp::Reverse(pod.created_revision()));
    pods.iter().find_map(|pod| trouble(&pod.value()).map(|text| format!("pod {}, {text}", pod.key().name)))
}

fn collect<'a>(snapshot: &'a Snapshot, object: &'a Stored, depth: usize, pods: &mut Vec<&'a Stored>) {
    if &*object.key().resource == "pods" {
        pods.push(object);
        return;
    }
    if depth > 0 {
        for child in snapshot.owned_by(object.uid()) {
            collect(snapshot, child, depth - 1, pods);
        }
    }
}

/// Returns the first problem of a pod: a container that waits for a bad reason or ended with an error, a pod that
/// cannot be placed, or a pod that failed.
fn trouble(pod: &Value) -> Option<String> {
    for list in ["/status/initContainerStatuses", "/status/containerStatuses"] {
        let statuses = pod.pointer(list).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        if let Some(text) = statuses.iter().find_map(container_trouble) {
            return Some(text);
        }
    }
    let conditions = pod.pointer("/status/conditions").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let unplaced = conditions.iter().find(|condition| {
        condition.get("type").and_then(Value::as_str) == Some("PodScheduled")
            && condition.get("status").and_then(Value::as_str) == Some("False")
    });
    if let Some(condition) = unplaced {
        return condition.get("message").and_then(Value::as_str).map(str::to_owned);
    }
    let failed = pod.pointer("/status/phase").and_then(Value::as_str) == Some("Failed");
    let message = pod.pointer("/status/message").and_then(Value::as_str).unwrap_or("failed");
    failed.then(|| message.to_owned())
}

fn container_trouble(status: &Value) -> Option<String> {
    let name = status.get("name").and_then(Value::as_str).unwrap_or_default();
    let text = |pointer: &str| status.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let reason = text("/state/waiting/reason");
    if !matches!(reason, "" | "ContainerCreating" | "PodInitializing") {
        let last = ended(status, "/lastState/terminated").map(|end| format!("; last run {end}")).unwrap_or_default();
        return Some(format!("container {name}: {reason}: {}{last}", text("/state/waiting/message")));
    }
    ended(status, "/state/terminated").map(|end| format!("container {name}: {end}"))
}

/// Returns how a run ended, if it ended badly.
fn ended(status: &Value, pointer: &str) -> Option<String> {
    let end = status.pointer(pointer)?;
    let code = end.get("exitCode").and_then(Value::as_i64).filter(|code| *code != 0)?;
    let text = |key: &str| end.get(key).and_then(Value::as_str).unwrap_or_default().trim();
    let message = text("message");
    let colon = if message.is_empty() { "" } else { ": " };
    Some(format!("ended with code {code} ({}){colon}{message}", text("reason")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(case: &str, status: Value, expected: Option<&str>) {
        assert_eq!(trouble(&json!({ "status": status })).as_deref(), expected, "{case}");
    }

    #[test]
    fn the_first_bad_container_is_named_with_its_reason() {
        check(
            "fine",
            json!({"phase": "Running", "containerStatuses": [{"name": "a", "state": {"running": {}}}]}),
            None,
        );
        check(
            "crash loop",
            json!({"containerStatuses": [{"name": "web",
                "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}},
                "lastState": {"terminated": {"exitCode": 2, "reason": "Error", "message": "no file\n"}}}]}),
            Some("container web: CrashLoopBackOff: back-off 10s; last run ended with code 2 (Error): no file"),
        );
        check(
            "not placed",
            json!({"conditions": [{"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available"}]}),
            Some("0/1 nodes are available"),
        );
        check(
            "starting",
            json!({"containerStatuses": [{"name": "a", "state": {"waiting": {"reason": "ContainerCreating"}}}]}),
            None,
        );
    }
}
