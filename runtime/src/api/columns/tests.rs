use serde_json::{Value, json};

use super::*;
use crate::api::kinds::builtin;

#[test]
fn ages_are_written_in_at_most_two_units() {
    const DAY: i64 = 86_400;
    for (seconds, expected) in [
        (-2, "<invalid>"),
        (-1, "0s"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (125, "2m5s"),
        (599, "9m59s"),
        (600, "10m"),
        (10_799, "179m"),
        (10_800, "3h"),
        (11_000, "3h3m"),
        (28_800, "8h"),
        (172_799, "47h"),
        (172_800, "2d"),
        (3 * DAY + 4 * 3600, "3d4h"),
        (8 * DAY, "8d"),
        (729 * DAY, "729d"),
        (730 * DAY, "2y"),
        (731 * DAY, "2y1d"),
        (2920 * DAY, "8y"),
    ] {
        assert_eq!(human_duration(seconds), expected, "{seconds}");
    }
}

#[track_caller]
fn check_pod(case: &str, pod: Value, expected: [&str; 3]) {
    let now = "2026-01-01T00:10:00Z".parse().expect("parses");
    let cells = [pod::ready(&pod, now), pod::status(&pod, now), pod::restarts(&pod, now)];
    assert_eq!(cells, expected, "{case}");
}

#[test]
fn a_pod_shows_what_kubectl_would_show() {
    let spec = json!({ "containers": [{ "name": "a" }, { "name": "b" }], "initContainers": [{ "name": "i" }] });
    let running = json!({ "ready": true, "state": { "running": {} } });
    let done = json!({ "state": { "terminated": { "exitCode": 0, "reason": "Completed" } } });
    let crashed = json!({
        "restartCount": 3,
        "state": { "waiting": { "reason": "CrashLoopBackOff" } },
        "lastState": { "terminated": { "exitCode": 1, "finishedAt": "2026-01-01T00:05:00Z" } },
    });
    check_pod("pending", json!({ "spec": spec, "status": { "phase": "Pending" } }), ["0/2", "Pending", "0"]);
    check_pod(
        "initialising",
        json!({ "spec": spec, "status": { "phase": "Pending", "initContainerStatuses": [{ "state": { "running": {} } }] } }),
        ["0/2", "Init:0/1", "0"],
    );
    check_pod(
        "init container failed",
        json!({ "spec": spec, "status": { "phase": "Pending", "initContainerStatuses": [{ "restartCount": 1, "state": { "terminated": { "exitCode": 2 } } }] } }),
        ["0/2", "Init:ExitCode:2", "1"],
    );
    check_pod(
        "running",
        json!({ "spec": spec, "status": { "phase": "Running", "initContainerStatuses": [done], "containerStatuses": [running, running] } }),
        ["2/2", "Running", "0"],
    );
    check_pod(
        "crashing",
        json!({ "spec": spec, "status": { "phase": "Running", "initContainerStatuses": [done], "containerStatuses": [crashed, running] } }),
        ["1/2", "CrashLoopBackOff", "3 (5m ago)"],
    );
    check_pod(
        "one container done",
        json!({ "spec": spec, "status": { "phase": "Running", "containerStatuses": [done, running] } }),
        ["1/2", "NotReady", "0"],
    );
    check_pod(
        "completed",
        json!({ "spec": spec, "status": { "phase": "Succeeded", "containerStatuses": [done, done] } }),
        ["0/2", "Completed", "0"],
    );
    check_pod(
        "terminating",
        json!({ "metadata": { "deletionTimestamp": "2026-01-01T00:00:00Z" }, "spec": spec, "status": { "phase": "Running" } }),
        ["0/2", "Terminating", "0"],
    );
}

#[test]
fn every_column_of_every_kind_renders_an_empty_object() {
    for kind in builtin().iter() {
        assert_eq!(cells(kind, &json!({}), Timestamp::EPOCH).len(), kind.columns.len(), "{}", kind.kind);
        assert_eq!(cells(kind, &json!("no object"), Timestamp::EPOCH).len(), kind.columns.len(), "{}", kind.kind);
    }
}
