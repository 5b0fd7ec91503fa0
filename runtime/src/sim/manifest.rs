//! Objects that simulations are made with.

use serde_json::{Value, json};

/// Returns a Deployment of one container in the namespace `default`; `more` is merged into its spec.
pub fn deployment(name: &str, replicas: i32, image: &str, more: Value) -> Value {
    let mut value = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": name, "namespace": "default" },
        "spec": {
            "replicas": replicas,
            "selector": { "matchLabels": { "app": name } },
            "template": {
                "metadata": { "labels": { "app": name } },
                "spec": { "containers": [{ "name": "main", "image": image }] },
            },
        },
    });
    json_patch::merge(&mut value["spec"], &more);
    value
}

/// Returns a Job of one container in the namespace `default`; `more` is merged into its spec.
pub fn job(name: &str, more: Value) -> Value {
    let containers = json!([{ "name": "main", "image": "one" }]);
    let mut value = json!({
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": { "name": name, "namespace": "default" },
        "spec": { "template": { "spec": { "restartPolicy": "Never", "containers": containers } } },
    });
    json_patch::merge(&mut value["spec"], &more);
    value
}
