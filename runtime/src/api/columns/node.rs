//! Cells of Nodes.

use serde_json::Value;

use super::{NONE, Timestamp, UNKNOWN, condition, or_none, text};

/// Returns whether the host is ready, and whether it takes no further pods.
pub fn status(value: &Value, _: Timestamp) -> String {
    let word = match condition(value, "Ready").map(|condition| text(&condition["status"])) {
        Some("True") => "Ready",
        Some(_) => "NotReady",
        None => "Unknown",
    };
    if value["spec"]["unschedulable"] == Value::Bool(true) {
        format!("{word},SchedulingDisabled")
    } else {
        word.to_owned()
    }
}

/// Returns the roles that labels give to the host.
pub fn roles(value: &Value, _: Timestamp) -> String {
    let labels = value["metadata"]["labels"].as_object().into_iter().flatten();
    let mut roles: Vec<&str> = labels
        .filter_map(|(key, value)| match key.strip_prefix("node-role.kubernetes.io/") {
            Some(role) => Some(role),
            None => (key == "kubernetes.io/role").then(|| text(value)),
        })
        .filter(|role| !role.is_empty())
        .collect();
    roles.sort_unstable();
    roles.dedup();
    or_none(&roles.join(","))
}

fn address(value: &Value, type_: &str) -> String {
    let mut addresses = value["status"]["addresses"].as_array().into_iter().flatten();
    addresses.find(|address| address["type"] == type_).map_or(NONE, |address| text(&address["address"])).to_owned()
}

fn info(value: &Value, field: &str) -> String {
    let found = text(&value["status"]["nodeInfo"][field]);
    if found.is_empty() { UNKNOWN.to_owned() } else { found.to_owned() }
}

/// Returns the address inside the network of hosts.
pub fn internal_ip(value: &Value, _: Timestamp) -> String {
    address(value, "InternalIP")
}
/// Returns the address outside.
pub fn external_ip(value: &Value, _: Timestamp) -> String {
    address(value, "ExternalIP")
}
/// Returns the name of the operating system.
pub fn os_image(value: &Value, _: Timestamp) -> String {
    info(value, "osImage")
}
/// Returns the version of the kernel.
pub fn kernel_version(value: &Value, _: Timestamp) -> String {
    info(value, "kernelVersion")
}
/// Returns the version of the container runtime.
pub fn container_runtime(value: &Value, _: Timestamp) -> String {
    info(value, "containerRuntimeVersion")
}
