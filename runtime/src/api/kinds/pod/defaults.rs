//! Defaults of pods that depend on more than one field.

use serde_json::{Map, Value, json};

use crate::api::default::{fill, set};

/// Sets the defaults of a pod that its template would not get.
pub(super) fn pod(value: &mut Value) {
    template_defaults(value.pointer_mut("/spec"));
    let Some(spec) = value.get_mut("spec") else {
        return;
    };
    let host_network = spec["hostNetwork"] == Value::Bool(true);
    for container in containers(spec) {
        requests_from_limits(container);
        if host_network {
            for port in container.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
                if port["hostPort"].as_i64().unwrap_or(0) == 0 && port["containerPort"].is_i64() {
                    let number = port["containerPort"].clone();
                    port["hostPort"] = number;
                }
            }
        }
    }
    if value["status"]["phase"].is_null() {
        set(value, &["status", "phase"], json!("Pending"));
    }
}

/// Sets the defaults that pods and templates of pods share; `spec` is a pod's specification, if there is one.
pub(crate) fn template_defaults(spec: Option<&mut Value>) {
    let Some(spec) = spec else { return };
    for container in containers(spec) {
        let image = container["image"].as_str().unwrap_or_default();
        let policy = if has_latest_tag(image) { "Always" } else { "IfNotPresent" };
        fill(container, "imagePullPolicy", policy);
    }
    for volume in spec.get_mut("volumes").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Value::Object(map) = volume
            && map.iter().all(|(name, source)| name == "name" || source.is_null())
        {
            map.insert("emptyDir".to_owned(), Value::Object(Map::new()));
        }
    }
    // The two names of one field are kept equal, as the API server does.
    let account = ["serviceAccountName", "serviceAccount"].into_iter().find_map(|name| {
        let account = spec[name].as_str()?;
        (!account.is_empty()).then(|| account.to_owned())
    });
    if let Some(account) = account {
        fill(spec, "serviceAccountName", account.as_str());
        fill(spec, "serviceAccount", account.as_str());
    }
}

fn containers(spec: &mut Value) -> impl Iterator<Item = &mut Value> {
    let names = ["initContainers", "containers", "ephemeralContainers"];
    let map = spec.as_object_mut().into_iter().flat_map(|map| map.iter_mut());
    map.filter(move |(name, _)| names.contains(&name.as_str()))
        .filter_map(|(_, list)| list.as_array_mut())
        .flatten()
        .filter(|item| item.is_object())
}

/// Asks for as much as a container may use, where it does not say what it asks for.
fn requests_from_limits(container: &mut Value) {
    let Some(limits) = container["resources"]["limits"].as_object().cloned() else {
        return;
    };
    let Some(resources) = container.get_mut("resources") else {
        return;
    };
    for (name, limit) in limits {
        if resources["requests"].get(&name).is_none_or(Value::is_null) {
            set(resources, &["requests", &name], limit);
        }
    }
}

/// Whether an image's tag is `latest`, in words or for want of any tag or digest.
fn has_latest_tag(image: &str) -> bool {
    if image.contains('@') {
        return false;
    }
    let name = image.rsplit('/').next().unwrap_or_default();
    name.split_once(':').is_none_or(|(_, tag)| tag == "latest")
}
