//! Rules of one container, with Kubernetes' wording.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::validate::relative;
use crate::api::error::{FieldError, FieldErrorKind};
use crate::api::validate::rules::{invalid, invalid_text, not_supported};
use crate::api::value::Quantity;

/// The fields of a pod that a variable may be made from, besides single labels and annotations.
const FIELDS: [&str; 9] = [
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];

/// The resources of a container that a variable may be made from, besides huge pages.
const RESOURCES: [&str; 6] = [
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
];

/// Checks a container; `init` tells whether it runs before the others and ends.
pub(super) fn container(
    path: &str,
    container: &Value,
    init: bool,
    volumes: &BTreeSet<String>,
    errors: &mut Vec<FieldError>,
) {
    match container["image"].as_str() {
        None | Some("") => errors.push(FieldError::required(format!("{path}.image"), "")),
        Some(image) if image.trim() != image => {
            errors.push(invalid_text(&format!("{path}.image"), image, "must not have leading or trailing whitespace"));
        }
        Some(_) => {}
    }
    for (index, variable) in list(&container["env"]) {
        variable_source(&format!("{path}.env[{index}]"), variable, errors);
    }
    for (index, source) in list(&container["envFrom"]) {
        env_from(&format!("{path}.envFrom[{index}]"), source, errors);
    }
    for (index, mount) in list(&container["volumeMounts"]) {
        volume_mount(&format!("{path}.volumeMounts[{index}]"), mount, volumes, errors);
    }
    let sidecar = container["restartPolicy"] == "Always";
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        probe_rules(&format!("{path}.{probe}"), probe, &container[probe], errors);
    }
    for field in ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"] {
        if init && !sidecar && !container[field].is_null() {
            let detail = "may not be set for init containers without restartPolicy=Always";
            errors.push(FieldError::forbidden(format!("{path}.{field}"), detail));
        }
    }
    let security = &container["securityContext"];
    if security["privileged"] == Value::Bool(true) && security["allowPrivilegeEscalation"] == Value::Bool(false) {
        let detail = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true";
        errors.push(invalid(format!("{path}.securityContext"), security, detail));
    }
    resources(&format!("{path}.resources"), &container["resources"], errors);
}

fn list(value: &Value) -> impl Iterator<Item = (usize, &Value)> {
    value.as_array().into_iter().flatten().enumerate()
}

/// Whether a reference has no name; the API server lets such pods in, and they never start.
fn nameless(reference: &Value) -> bool {
    reference.is_object() && reference["name"].as_str().unwrap_or_default().is_empty()
}

fn variable_source(path: &str, variable: &Value, errors: &mut Vec<FieldError>) {
    let path = format!("{path}.valueFrom");
    let source = &variable["valueFrom"];
    let Some(given) = source.as_object() else { return };
    let given = given.values().filter(|item| !item.is_null()).count();
    if variable["value"].as_str().is_some_and(|value| !value.is_empty()) {
        errors.push(FieldError::invalid(&path, "", "may not be specified when `value` is not empty"));
    } else if given == 0 {
        let detail =
            "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`";
        errors.push(FieldError::invalid(&path, "", detail));
    } else if given > 1 {
        errors.push(FieldError::invalid(&path, "", "may not have more than one field specified at a time"));
    }
    for kind in ["configMapKeyRef", "secretKeyRef"] {
        if nameless(&source[kind]) {
            errors.push(FieldError::required(format!("{path}.{kind}.name"), ""));
        }
    }
    if let Some(field) = source["fieldRef"]["fieldPath"].as_str().filter(|field| !field.is_empty()) {
        let keyed = ["metadata.labels['", "metadata.annotations['"];
        let keyed = keyed.iter().any(|prefix| field.starts_with(prefix)) && field.ends_with("']");
        if !keyed && !FIELDS.contains(&field) {
            errors.push(not_supported(format!("{path}.fieldRef.fieldPath"), &Value::from(field), &FIELDS));
        }
    }
    if let Some(resource) = source["resourceFieldRef"]["resource"].as_str().filter(|resource| !resource.is_empty()) {
        let pages = resource.starts_with("limits.hugepages-") || resource.starts_with("requests.hugepages-");
        if !pages && !RESOURCES.contains(&resource) {
            errors.push(not_supported(format!("{path}.resourceFieldRef.resource"), &Value::from(resource), &RESOURCES));
        }
    }
}

fn env_from(path: &str, source: &Value, errors: &mut Vec<FieldError>) {
    let kinds = ["configMapRef", "secretRef"];
    match kinds.iter().filter(|kind| source[**kind].is_object()).count() {
        0 => errors.push(FieldError::invalid(path, "", "must specify one of: `configMapRef` or `secretRef`")),
        1 => {}
        _ => errors.push(FieldError::invalid(path, "", "may not have more than one field specified at a time")),
    }
    for kind in kinds.into_iter().filter(|kind| nameless(&source[kind])) {
        errors.push(FieldError::required(format!("{path}.{kind}.name"), ""));
    }
}

fn volume_mount(path: &str, mount: &Value, volumes: &BTreeSet<String>, errors: &mut Vec<FieldError>) {
    if let Some(name) = mount["name"].as_str().filter(|name| !name.is_empty() && !volumes.contains(*name)) {
        errors.push(FieldError::new(
            FieldErrorKind::NotFound,
            format!("{path}.name"),
            Value::from(name).to_string(),
            "",
        ));
    }
    if mount["mountPath"].as_str().is_some_and(|path| path.contains(':')) {
        errors.push(invalid(format!("{path}.mountPath"), &mount["mountPath"], "must not contain ':'"));
    }
    let sub = mount["subPath"].as_str().unwrap_or_default();
    relative(&format!("{path}.subPath"), sub, errors);
    if !sub.is_empty() && mount["subPathExpr"].as_str().is_some_and(|path| !path.is_empty()) {
        errors.push(invalid(
            format!("{path}.subPathExpr"),
            &mount["subPathExpr"],
            "subPathExpr and subPath are mutually exclusive",
        ));
    }
}

/// Checks that a probe has one handler, and that a liveness probe does not count successes.
fn probe_rules(path: &str, name: &str, probe: &Value, errors: &mut Vec<FieldError>) {
    let Some(map) = probe.as_object() else { return };
    let handlers = ["exec", "httpGet", "tcpSocket", "grpc"];
    let given: Vec<&str> =
        handlers.into_iter().filter(|handler| map.get(*handler).is_some_and(Value::is_object)).collect();
    if given.is_empty() {
        errors.push(FieldError::required(path, "must specify a handler type"));
    }
    for handler in given.iter().skip(1) {
        errors.push(FieldError::forbidden(format!("{path}.{handler}"), "may not specify more than 1 handler type"));
    }
    if name != "readinessProbe" && probe["successThreshold"].as_i64().is_some_and(|count| count != 1) {
        errors.push(invalid(format!("{path}.successThreshold"), &probe["successThreshold"], "must be 1"));
    }
    if name == "readinessProbe" && !probe["terminationGracePeriodSeconds"].is_null() {
        let grace = &probe["terminationGracePeriodSeconds"];
        errors.push(invalid(
            format!("{path}.terminationGracePeriodSeconds"),
            grace,
            "must not be set for readinessProbes",
        ));
    }
}

/// Checks that no amount is below zero, and none asked for above its limit.
fn resources(path: &str, resources: &Value, errors: &mut Vec<FieldError>) {
    let amounts = |field: &str| -> BTreeMap<String, Quantity> {
        serde_json::from_value(resources[field].clone()).unwrap_or_default()
    };
    let (limits, requests) = (amounts("limits"), amounts("requests"));
    for (field, amounts) in [("limits", &limits), ("requests", &requests)] {
        for (name, amount) in amounts {
            let path = format!("{path}.{field}");
            if amount.is_negative() {
                let detail = "must be greater than or equal to 0";
                errors.push(invalid_text(&format!("{path}[{name}]"), &amount.to_string(), detail));
            }
            let faults = crate::api::names::qualified_name(name);
            errors.extend(faults.into_iter().map(|detail| invalid_text(&path, name, detail)));
            let standard =
                matches!(name.as_str(), "cpu" | "memory" | "ephemeral-storage") || name.starts_with("hugepages-");
            if !standard && !name.contains('/') {
                errors.push(invalid_text(&path, name, "must be a standard resource for containers"));
            }
        }
    }
    for (name, request) in &requests {
        if let Some(limit) = limits.get(name).filter(|limit| request > *limit) {
            let detail = format!("must be less than or equal to {name} limit of {limit}");
            errors.push(invalid_text(&format!("{path}.requests"), &request.to_string(), detail));
        }
    }
}
