use serde_json::json;

use super::rules::check;
use super::{pod, with};

#[test]
fn pods_are_checked_as_a_whole() {
    check("no containers", with(pod(), "/spec/containers", json!([])), &["spec.containers: Required value"]);
    check(
        "twins",
        with(pod(), "/spec/containers/9", json!({ "name": "web", "image": "a:1" })),
        &["spec.containers[1].name: Duplicate value: \"web\""],
    );
    check(
        "twins in two lists",
        with(pod(), "/spec/initContainers", json!([{ "name": "web", "image": "a:1" }])),
        &["spec.containers[0].name: Duplicate value: \"web\""],
    );
    check(
        "mounts",
        with(
            with(pod(), "/spec/volumes", json!([{ "name": "a" }])),
            "/spec/containers/0/volumeMounts",
            json!([{ "name": "a", "mountPath": "/a" }, { "name": "b", "mountPath": "/b" }, { "name": "a", "mountPath": "/a" }]),
        ),
        &[
            "spec.containers[0].volumeMounts[2].mountPath: Duplicate value: \"/a\"",
            "spec.containers[0].volumeMounts[1].name: Not found: \"b\"",
        ],
    );
    check(
        "two sources",
        with(pod(), "/spec/volumes", json!([{ "name": "a", "emptyDir": {}, "hostPath": { "path": "/" } }])),
        &["spec.volumes[0].emptyDir: Forbidden: may not specify more than 1 volume type"],
    );
    check(
        "a path that climbs",
        with(pod(), "/spec/volumes", json!([{ "name": "a", "hostPath": { "path": "/a/../b" } }])),
        &["spec.volumes[0].hostPath.path: Invalid value: \"/a/../b\": must not contain '..'"],
    );
    check(
        "requests above limits",
        with(
            pod(),
            "/spec/containers/0/resources",
            json!({ "limits": { "cpu": "1" }, "requests": { "cpu": "1500m" } }),
        ),
        &[
            "spec.containers[0].resources.requests: Invalid value: \"1500m\": must be less than or equal to cpu limit of 1",
        ],
    );
    check(
        "a bare resource",
        with(pod(), "/spec/containers/0/resources/requests", json!({ "cores": "1" })),
        &[
            "spec.containers[0].resources.requests: Invalid value: \"cores\": must be a standard resource for containers",
        ],
    );
    check(
        "variables",
        with(
            pod(),
            "/spec/containers/0/env",
            json!([
                { "name": "A=B" }, { "name": "B", "value": "x", "valueFrom": { "fieldRef": { "fieldPath": "metadata.name" } } },
                { "name": "C", "valueFrom": {} }, { "name": "D", "valueFrom": { "secretKeyRef": { "name": "s", "key": "a/b" } } },
            ]),
        ),
        &[
            "spec.containers[0].env[0].name: Invalid value: \"A=B\": a valid environment variable name must consist only of printable ASCII characters other than '='",
            "spec.containers[0].env[3].valueFrom.secretKeyRef.key: Invalid value: \"a/b\": a valid config key must consist of alphanumeric characters, '-', \
             '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')",
            "spec.containers[0].env[1].valueFrom: Invalid value: may not be specified when `value` is not empty",
            "spec.containers[0].env[2].valueFrom: Invalid value: must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`",
        ],
    );
    check(
        "port names",
        with(
            pod(),
            "/spec/containers/0/ports",
            json!([{ "name": "http", "containerPort": 80 }, { "name": "http", "containerPort": 81 }]),
        ),
        &["spec.containers[0].ports[1].name: Duplicate value: \"http\""],
    );
    check(
        "the same port by another protocol is another port",
        with(
            pod(),
            "/spec/containers/0/ports",
            json!([{ "containerPort": 53, "protocol": "UDP" }, { "containerPort": 53 }]),
        ),
        &[],
    );
}

#[test]
fn sources_of_variables_and_handlers_of_probes_are_checked() {
    let source = |source: serde_json::Value| {
        with(pod(), "/spec/containers/0/env", json!([{ "name": "A", "valueFrom": source }]))
    };
    check("a label", source(json!({ "fieldRef": { "fieldPath": "metadata.labels['app']" } })), &[]);
    check(
        "a field that no variable shows",
        source(json!({ "fieldRef": { "fieldPath": "spec.hostname" } })),
        &[
            "spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Unsupported value: \"spec.hostname\": supported values: \
           \"metadata.name\", \"metadata.namespace\", \"metadata.uid\", \"spec.nodeName\", \"spec.serviceAccountName\", \
           \"status.hostIP\", \"status.hostIPs\", \"status.podIP\", \"status.podIPs\"",
        ],
    );
    check(
        "a resource that no variable shows",
        source(json!({ "resourceFieldRef": { "resource": "limits.disk" } })),
        &[
            "spec.containers[0].env[0].valueFrom.resourceFieldRef.resource: Unsupported value: \"limits.disk\": supported \
           values: \"limits.cpu\", \"limits.ephemeral-storage\", \"limits.memory\", \"requests.cpu\", \
           \"requests.ephemeral-storage\", \"requests.memory\"",
        ],
    );
    let probe = json!({ "exec": { "command": ["true"] }, "tcpSocket": { "port": 80 }, "successThreshold": 2 });
    check(
        "two handlers",
        with(pod(), "/spec/containers/0/livenessProbe", probe),
        &[
            "spec.containers[0].livenessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type",
            "spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1",
        ],
    );
    check(
        "a probe of what ends",
        with(pod(), "/spec/initContainers", json!([{ "name": "i", "image": "i:1", "readinessProbe": { "exec": {} } }])),
        &["spec.initContainers[0].readinessProbe: Forbidden: may not be set for init containers without \
           restartPolicy=Always"],
    );
}
