//! What may change in a pod that exists, with Kubernetes' wording.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::api::error::FieldError;
use crate::api::object::strip_absent;

/// Checks a change of a pod.
pub(super) fn pod(old: &Value, new: &Value) -> Vec<FieldError> {
    check_update(&old["spec"], &new["spec"])
}

/// Checks a change of a pod's specification: nearly all of it stays as it was.
///
/// Binding a pod to a host does not come this way.
fn check_update(old: &Value, new: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut wanted = new.clone();
    take_over(&mut wanted, old, "activeDeadlineSeconds");
    if new["terminationGracePeriodSeconds"] == 1
        && old["terminationGracePeriodSeconds"].as_i64().is_some_and(|seconds| seconds < 0)
    {
        take_over(&mut wanted, old, "terminationGracePeriodSeconds");
    }
    let list = |value: &Value, field: &str| value[field].as_array().cloned().unwrap_or_default();
    let (before, after) = (list(old, "tolerations"), list(new, "tolerations"));
    if before.iter().all(|toleration| after.contains(toleration)) {
        take_over(&mut wanted, old, "tolerations");
    }
    let (before, after) = (list(old, "schedulingGates"), list(new, "schedulingGates"));
    if after.iter().all(|gate| before.contains(gate)) {
        take_over(&mut wanted, old, "schedulingGates");
    }
    for field in ["containers", "initContainers"] {
        let before = list(old, field);
        for (index, item) in wanted.get_mut(field).and_then(Value::as_array_mut).into_iter().flatten().enumerate() {
            if let Some(before) =
                before.get(index).filter(|_| item["image"].as_str().is_some_and(|image| !image.is_empty()))
            {
                take_over(item, before, "image");
            }
        }
    }
    let mut old_spec = old.clone();
    strip_absent(&mut old_spec);
    strip_absent(&mut wanted);
    if old_spec != wanted {
        let changed = changed_fields(&old_spec, &wanted).join(", ");
        let detail = "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,\
                      `spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),\
                      `spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";
        errors.push(FieldError::forbidden("spec", format!("{detail}\nchanged: {changed}")));
    }
    errors
}

/// Sets a field to what it was, so that it does not count as changed.
fn take_over(new: &mut Value, old: &Value, field: &str) {
    if let Value::Object(map) = new {
        match old.get(field) {
            Some(before) => map.insert(field.to_owned(), before.clone()),
            None => map.remove(field),
        };
    }
}

fn changed_fields(old: &Value, new: &Value) -> Vec<String> {
    let keys =
        |value: &Value| value.as_object().map(|map| map.keys().cloned().collect::<BTreeSet<_>>()).unwrap_or_default();
    keys(old).union(&keys(new)).filter(|key| old[*key] != new[*key]).map(|key| format!("spec.{key}")).collect()
}
