//! The plan's view of a change.

use serde_json::{Value, json};

use super::super::fixtures::{SECRET, WORKLOAD};
use super::{containers, workload};
use crate::api::diff::{diff, render_changes};

#[track_caller]
fn check(case: &str, old: &Value, new: &Value, expected: &str) {
    assert_eq!(render_changes(&diff(old, new, &WORKLOAD)), expected, "{case}");
}

#[test]
fn versions_that_mean_the_same_do_not_differ() {
    let one = |cpu: Value| containers(&json!([{"name": "a", "resources": {"limits": {"cpu": cpu}}}]));
    check("quantity", &one(json!("0.5")), &one(json!("500m")), "");
    check("quantity as a number", &one(json!(2)), &one(json!("2000m")), "");
    check(
        "time",
        &workload(&json!({"deadline": "2026-01-01T01:00:00+01:00"})),
        &workload(&json!({"deadline": "2026-01-01T00:00:00Z"})),
        "",
    );
    check("null and absent", &workload(&json!({"replicas": null})), &workload(&json!({})), "");
    check(
        "empty list and absent",
        &containers(&json!([{"name": "a", "args": []}])),
        &containers(&json!([{"name": "a"}])),
        "",
    );
    let mut server = workload(&json!({}));
    server["metadata"] = json!({"name": "w", "namespace": "n", "uid": "u", "resourceVersion": "3", "generation": 2, "labels": {},
        "creationTimestamp": "2026-01-01T00:00:00Z", "managedFields": [{"manager": "x"}]});
    server["status"] = json!({"replicas": 3});
    check("what the server writes", &workload(&json!({})), &server, "");
    check(
        "defaulted key",
        &containers(&json!([{"name": "a", "ports": [{"containerPort": 80, "protocol": "TCP"}]}])),
        &containers(&json!([{"name": "a", "ports": [{"containerPort": 80, "protocol": "TCP"}]}])),
        "",
    );
    check(
        "quantities in an atomic list",
        &workload(&json!({"template": {"spec": {"tolerations": [{"key": "a", "operator": null}]}}})),
        &workload(&json!({"template": {"spec": {"tolerations": [{"key": "a"}]}}})),
        "",
    );
}

#[test]
fn each_changed_field_is_named_by_its_path() {
    check(
        "scalars",
        &workload(&json!({"replicas": 1, "paused": true})),
        &workload(&json!({"replicas": 3, "strategy": {"type": "R"}})),
        "- spec.paused: true\n~ spec.replicas: 1 -> 3\n+ spec.strategy: {\"type\":\"R\"}\n",
    );
    check(
        "list items by key",
        &containers(
            &json!([{"name": "web", "image": "1", "ports": [{"containerPort": 80, "protocol": "TCP"}], "env": [{"name": "A", "value": "1"}]}]),
        ),
        &containers(
            &json!([{"name": "web", "image": "2", "ports": [{"containerPort": 80, "protocol": "TCP", "hostPort": 8080}], "env": [{"name": "B", "value": "2"}]}]),
        ),
        "- spec.template.spec.containers[name=web].env[name=A]: {\"name\":\"A\",\"value\":\"1\"}\n\
         + spec.template.spec.containers[name=web].env[name=B]: {\"name\":\"B\",\"value\":\"2\"}\n\
         ~ spec.template.spec.containers[name=web].image: \"1\" -> \"2\"\n\
         + spec.template.spec.containers[name=web].ports[containerPort=80,protocol=TCP].hostPort: 8080\n",
    );
    check(
        "atomic lists whole, or place by place",
        &workload(
            &json!({"template": {"spec": {"containers": [{"name": "a", "args": ["x"]}], "tolerations": [{"key": "a"}]}}}),
        ),
        &workload(
            &json!({"template": {"spec": {"containers": [{"name": "a", "args": ["x", "y"]}], "tolerations": [{"key": "b"}]}}}),
        ),
        "~ spec.template.spec.containers[name=a].args: [\"x\"] -> [\"x\",\"y\"]\n\
         ~ spec.template.spec.tolerations[0].key: \"a\" -> \"b\"\n",
    );
    check(
        "atomic structs and maps field by field",
        &workload(
            &json!({"selector": {"matchLabels": {"app.io/x": "1"}}, "template": {"spec": {"nodeSelector": {"a": "1"}}}}),
        ),
        &workload(
            &json!({"selector": {"matchLabels": {"app.io/x": "2"}}, "template": {"spec": {"nodeSelector": {"a": "2"}}}}),
        ),
        "~ spec.selector.matchLabels[app.io/x]: \"1\" -> \"2\"\n~ spec.template.spec.nodeSelector[a]: \"1\" -> \"2\"\n",
    );
    check(
        "type",
        &workload(&json!({"template": 1})),
        &workload(&json!({"template": {"spec": {}}})),
        "~ spec.template: 1 -> {\"spec\":{}}\n",
    );
}

#[test]
fn a_new_order_is_one_change() {
    check(
        "containers",
        &containers(&json!([{"name": "a"}, {"name": "b"}, {"name": "gone"}])),
        &containers(&json!([{"name": "b"}, {"name": "a"}])),
        "- spec.template.spec.containers[name=gone]: {\"name\":\"gone\"}\n\
         ~ spec.template.spec.containers: [\"name=a\",\"name=b\"] -> [\"name=b\",\"name=a\"]\n",
    );
    let finalizers = |list: Value| json!({"metadata": {"finalizers": list}});
    check("sets have no order", &finalizers(json!(["a", "b"])), &finalizers(json!(["b", "a"])), "");
    check(
        "sets",
        &finalizers(json!(["a"])),
        &finalizers(json!(["b"])),
        "- metadata.finalizers[a]: \"a\"\n+ metadata.finalizers[b]: \"b\"\n",
    );
}

#[test]
fn secrets_show_that_they_changed_and_nothing_else() {
    let old = json!({"metadata": {"name": "s"}, "data": {"same": "eA==", "changed": "b2xk", "gone": "b2xk"}});
    let new = json!({
        "metadata": {"name": "s", "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{\"data\":\"bmV3\"}"}},
        "data": {"same": "eA==\n", "changed": "bmV3", "new": "bmV3"}
    });
    let changes = diff(&old, &new, &SECRET);
    assert_eq!(
        render_changes(&changes),
        "~ data[changed]: \"(sensitive)\" -> \"(sensitive)\"\n\
         - data[gone]: \"(sensitive)\"\n\
         + data[new]: \"(sensitive)\"\n\
         + metadata.annotations: {\"kubectl.kubernetes.io/last-applied-configuration\":\"(sensitive)\"}\n"
    );
    assert!(changes[..3].iter().all(|change| change.sensitive));
    let created = render_changes(&diff(&json!({}), &new, &SECRET));
    assert!(!created.contains("bmV3"), "{created}");
    let odd = render_changes(&diff(&json!({"data": "b2xk"}), &json!({"data": ["bmV3"]}), &SECRET));
    assert_eq!(odd, "~ data: \"(sensitive)\" -> \"(sensitive)\"\n");
}
