//! The pods that a Job makes.

use serde_json::json;

use crate::api::Object;
use crate::api::kinds::{EnvVar, Job, Pod};
use crate::control::owner::{owner_reference, uid};
use crate::control::{Action, Importance, pods};

use super::indexes;

/// Holds an ended pod until it is counted.
pub(super) const TRACKING: &str = "batch.kubernetes.io/job-tracking";
/// The longest name that a pod of an index gets before its random end.
const NAME_MAX: usize = 57;

/// Creates a pod, for an index where the Job has such.
pub(super) fn create(job: &Job, index: Option<i32>) -> Action {
    let meta = &job.metadata;
    let stem = match index {
        Some(index) => {
            let end = format!("-{index}");
            let stem: String = meta.name.chars().take(NAME_MAX - end.len()).collect();
            format!("{stem}{end}")
        }
        None => meta.name.clone(),
    };
    let mut pod =
        pods::from_template(&job.spec.template, meta.namespace.as_deref(), &format!("{stem}-"), owner_reference(job));
    let labels = [
        ("batch.kubernetes.io/controller-uid", uid(meta)),
        ("batch.kubernetes.io/job-name", meta.name.as_str()),
        ("controller-uid", uid(meta)),
        ("job-name", meta.name.as_str()),
    ];
    pod.metadata.labels.extend(labels.map(|(key, value)| (key.to_owned(), value.to_owned())));
    if !pod.metadata.finalizers.iter().any(|name| name == TRACKING) {
        pod.metadata.finalizers.push(TRACKING.to_owned());
    }
    if let Some(index) = index {
        number(&mut pod, index, &stem);
    }
    Action::Create { object: pod.to_value() }
}

/// Tells a pod its index: by annotation, label, host name and environment.
fn number(pod: &mut Pod, index: i32, stem: &str) {
    pod.metadata.annotations.insert(indexes::INDEX.to_owned(), index.to_string());
    pod.metadata.labels.insert(indexes::INDEX.to_owned(), index.to_string());
    pod.spec.hostname = Some(stem.to_owned());
    for container in pod.spec.init_containers.iter_mut().chain(&mut pod.spec.containers) {
        if !container.env.iter().any(|variable| variable.name == "JOB_COMPLETION_INDEX") {
            let value = Some(index.to_string());
            container.env.push(EnvVar { name: "JOB_COMPLETION_INDEX".to_owned(), value, ..EnvVar::default() });
        }
    }
}

/// Whether a pod is still to be counted.
pub(super) fn is_tracked(pod: &Pod) -> bool {
    pod.metadata.finalizers.iter().any(|name| name == TRACKING)
}

/// Lets go of a pod.
pub(super) fn release(pod: &Pod) -> Action {
    let kept: Vec<&String> = pod.metadata.finalizers.iter().filter(|name| *name != TRACKING).collect();
    let kept = if kept.is_empty() { serde_json::Value::Null } else { json!(kept) };
    Action::Patch { key: pod.key(), patch: json!({ "metadata": { "finalizers": kept } }) }
}

/// Stops a pod and tells so.
pub(super) fn stop(job: &Job, pod: &Pod) -> [Action; 2] {
    let message = format!("Deleted pod: {}", pod.metadata.name);
    let told =
        Action::Event { on: job.key(), importance: Importance::Normal, reason: "SuccessfulDelete".into(), message };
    [pods::deletion(pod), told]
}
