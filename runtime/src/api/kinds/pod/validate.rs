//! Rules of pods and their templates that span several fields, with Kubernetes' wording.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Volume;
use super::validate_container::container;
use crate::api::error::{FieldError, FieldErrorKind};
use crate::api::meta::LabelSelector;
use crate::api::schema::{Schema, Type};
use crate::api::validate::rules::{invalid, invalid_text, not_supported};

/// The kind that a template of pods belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// A ReplicaSet: pods that are always restarted.
    ReplicaSet,
    /// A Deployment: pods that are always restarted.
    Deployment,
    /// A Job: pods that end.
    Job,
}

/// Checks a pod.
pub(super) fn pod(value: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    spec("spec", &value["spec"], &mut errors);
    errors
}

/// Checks the template at `path` (`spec.template`, or that of a CronJob's Jobs), and that the selector beside it finds
/// its pods. What the schema has found is not said again.
pub(crate) fn check_template(owner: Owner, value: &Value, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let template = path.split('.').fold(value, |value, name| &value[name]);
    if template.is_null() {
        return vec![FieldError::required(path, "")];
    }
    if !template.is_object() {
        return errors; // The schema names the wrong type.
    }
    if owner != Owner::Job {
        selector(owner, &value["spec"]["selector"], template, path, &mut errors);
    }
    let spec_path = format!("{path}.spec");
    let pod = &template["spec"];
    if pod.is_null() {
        errors.push(FieldError::required(&spec_path, ""));
        return errors;
    }
    spec(&spec_path, pod, &mut errors);
    let policy = pod["restartPolicy"].as_str().unwrap_or_default();
    let policy_path = format!("{spec_path}.restartPolicy");
    match owner {
        Owner::Job if !matches!(policy, "OnFailure" | "Never") => {
            errors.push(FieldError::required(policy_path, "valid values: \"OnFailure\", \"Never\""));
        }
        Owner::ReplicaSet | Owner::Deployment if policy != "Always" => {
            errors.push(not_supported(policy_path, &pod["restartPolicy"], &["Always"]));
        }
        _ => {}
    }
    if owner != Owner::Job && !pod["activeDeadlineSeconds"].is_null() {
        let detail = "activeDeadlineSeconds in ReplicaSet is not Supported";
        errors.push(FieldError::forbidden(format!("{spec_path}.activeDeadlineSeconds"), detail));
    }
    errors
}

fn selector(owner: Owner, selector: &Value, template: &Value, path: &str, errors: &mut Vec<FieldError>) {
    if selector.is_null() {
        return; // The schema asks for it.
    }
    let Ok(parsed) = serde_json::from_value::<LabelSelector>(selector.clone()) else {
        return;
    };
    if parsed == LabelSelector::default() {
        let kind = if owner == Owner::Deployment { "deployment" } else { "replicaset" };
        errors.push(invalid("spec.selector", selector, format!("empty selector is invalid for {kind}")));
        return;
    }
    let labels = &template["metadata"]["labels"];
    let parsed_labels: BTreeMap<String, String> = serde_json::from_value(labels.clone()).unwrap_or_default();
    if !parsed.matches(&parsed_labels) {
        let detail = "`selector` does not match template `labels`";
        errors.push(invalid(format!("{path}.metadata.labels"), labels, detail));
    }
}

/// Checks a pod's specification.
fn spec(path: &str, spec: &Value, errors: &mut Vec<FieldError>) {
    let volumes = volumes(&format!("{path}.volumes"), &spec["volumes"], errors);
    let mut names = BTreeSet::new();
    let mut port_names = BTreeSet::new();
    for list in ["initContainers", "containers", "ephemeralContainers"] {
        let mut here: BTreeSet<&str> = BTreeSet::new();
        for (index, item) in spec[list].as_array().into_iter().flatten().enumerate() {
            let path = format!("{path}.{list}[{index}]");
            let name = item["name"].as_str().unwrap_or_default();
            // Twins in one list were found by the schema.
            let twin = name.is_empty() || !here.insert(name);
            if !twin && !names.insert(name) {
                errors.push(FieldError::new(
                    FieldErrorKind::Duplicate,
                    format!("{path}.name"),
                    item["name"].to_string(),
                    "",
                ));
            }
            container(&path, item, list == "initContainers", &volumes, errors);
            if list == "containers" {
                for (index, port) in item["ports"].as_array().into_iter().flatten().enumerate() {
                    let name = port["name"].as_str().unwrap_or_default();
                    if !name.is_empty() && !port_names.insert((item["name"].as_str(), name.to_owned())) {
                        let path = format!("{path}.ports[{index}].name");
                        errors.push(FieldError::new(FieldErrorKind::Duplicate, path, port["name"].to_string(), ""));
                    }
                }
            }
        }
    }
    let grace = format!("{path}.terminationGracePeriodSeconds");
    if spec["terminationGracePeriodSeconds"].as_i64().is_some_and(|seconds| seconds < 0) {
        errors.push(invalid(grace, &spec["terminationGracePeriodSeconds"], "must be greater than or equal to 0"));
    }
    let mut problems = Vec::new();
    crate::api::validate::metadata::label_map(&format!("{path}.nodeSelector"), &spec["nodeSelector"], &mut problems);
    errors.extend(problems);
}

/// Checks the volumes and returns their names.
fn volumes(path: &str, volumes: &Value, errors: &mut Vec<FieldError>) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (index, volume) in volumes.as_array().into_iter().flatten().enumerate() {
        let path = format!("{path}[{index}]");
        names.extend(volume["name"].as_str().map(str::to_owned));
        let sources: Vec<&str> = sources().filter(|source| !volume[source].is_null()).collect();
        for source in sources.iter().skip(1) {
            errors.push(FieldError::forbidden(format!("{path}.{source}"), "may not specify more than 1 volume type"));
        }
        if sources.is_empty() && volume.is_object() {
            errors.push(FieldError::required(&path, "must specify a volume type"));
        }
        if let Some(host) = volume["hostPath"]["path"].as_str() {
            backsteps(&format!("{path}.hostPath.path"), host, errors);
        }
        for (source, name) in [("configMap", "name"), ("secret", "secretName")] {
            let source_path = format!("{path}.{source}");
            let source = &volume[source];
            if source.is_object() && source[name].as_str().unwrap_or_default().is_empty() {
                errors.push(FieldError::required(format!("{source_path}.{name}"), ""));
            }
            for (index, item) in source["items"].as_array().into_iter().flatten().enumerate() {
                let file = item["path"].as_str().unwrap_or_default();
                relative(&format!("{source_path}.items[{index}].path"), file, errors);
            }
        }
        let medium = &volume["emptyDir"]["medium"];
        if medium
            .as_str()
            .is_some_and(|medium| !medium.is_empty() && medium != "Memory" && !medium.starts_with("HugePages"))
        {
            errors.push(not_supported(format!("{path}.emptyDir.medium"), medium, &["", "Memory"]));
        }
    }
    names
}

/// Returns the names of all volume sources, which are the fields of a volume but its name.
fn sources() -> impl Iterator<Item = &'static str> {
    let fields = match Volume::TYPE {
        Type::Struct(volume) => volume().fields,
        _ => &[],
    };
    fields.iter().map(|field| field.name).filter(|name| *name != "name")
}

fn backsteps(path: &str, text: &str, errors: &mut Vec<FieldError>) {
    if text.split('/').any(|part| part == "..") {
        errors.push(invalid_text(path, text, "must not contain '..'"));
    }
}

/// Checks a path below a volume's root.
pub(super) fn relative(path: &str, text: &str, errors: &mut Vec<FieldError>) {
    if text.starts_with('/') {
        errors.push(invalid_text(path, text, "must be a relative path"));
    }
    backsteps(path, text, errors);
    if text.starts_with("..") && !text.starts_with("../") && text != ".." {
        errors.push(invalid_text(path, text, "must not start with '..'"));
    }
}
