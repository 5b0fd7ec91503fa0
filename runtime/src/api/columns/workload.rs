//! Cells of the kinds that keep pods.

use serde_json::Value;

use super::{Timestamp, count, or_none, text};

/// Returns the wanted number of pods.
pub fn desired(value: &Value, _: Timestamp) -> String {
    count(&value["spec"]["replicas"]).to_string()
}
/// Returns the number of pods there are.
pub fn current(value: &Value, _: Timestamp) -> String {
    count(&value["status"]["replicas"]).to_string()
}
/// Returns the number of pods that are ready.
pub fn ready(value: &Value, _: Timestamp) -> String {
    count(&value["status"]["readyReplicas"]).to_string()
}
/// Returns the number of pods that are ready, of how many.
pub fn ready_of_desired(value: &Value, _: Timestamp) -> String {
    format!("{}/{}", count(&value["status"]["readyReplicas"]), count(&value["spec"]["replicas"]))
}
/// Returns the number of pods of the present template.
pub fn updated(value: &Value, _: Timestamp) -> String {
    count(&value["status"]["updatedReplicas"]).to_string()
}
/// Returns the number of pods that are available.
pub fn available(value: &Value, _: Timestamp) -> String {
    count(&value["status"]["availableReplicas"]).to_string()
}

/// Returns the template's containers; a CronJob's template is inside that of its Jobs.
fn template_containers(value: &Value) -> impl Iterator<Item = &Value> {
    let outer = &value["spec"]["jobTemplate"];
    let spec = if outer.is_object() { &outer["spec"] } else { &value["spec"] };
    spec["template"]["spec"]["containers"].as_array().into_iter().flatten()
}
/// Returns the names of the containers.
pub fn containers(value: &Value, _: Timestamp) -> String {
    template_containers(value).map(|container| text(&container["name"])).collect::<Vec<_>>().join(",")
}
/// Returns the images of the containers.
pub fn images(value: &Value, _: Timestamp) -> String {
    template_containers(value).map(|container| text(&container["image"])).collect::<Vec<_>>().join(",")
}

/// Returns the selector as `kubectl -l` would have it.
pub fn selector(value: &Value, _: Timestamp) -> String {
    let outer = &value["spec"]["jobTemplate"];
    let selector = if outer.is_object() { &outer["spec"]["selector"] } else { &value["spec"]["selector"] };
    let labels = selector["matchLabels"].as_object().into_iter().flatten();
    let mut parts: Vec<String> = labels.map(|(key, value)| format!("{key}={}", text(value))).collect();
    for requirement in selector["matchExpressions"].as_array().into_iter().flatten() {
        let key = text(&requirement["key"]);
        let values: Vec<&str> = requirement["values"].as_array().into_iter().flatten().map(text).collect();
        let values = values.join(",");
        parts.push(match text(&requirement["operator"]) {
            "In" => format!("{key} in ({values})"),
            "NotIn" => format!("{key} notin ({values})"),
            "DoesNotExist" => format!("!{key}"),
            _ => key.to_owned(),
        });
    }
    or_none(&parts.join(","))
}
