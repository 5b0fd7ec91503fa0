//! The ReplicaSet: a number of equal pods.

use bowline_macros::{Object, Schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::pod::{Owner, check_template, template_defaults};
use crate::api::error::FieldError;
use crate::api::kinds::PodTemplateSpec;
use crate::api::meta::{Condition, LabelSelector};

/// Keeps a number of equal pods.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Object)]
#[serde(default, rename_all = "camelCase")]
#[object(
    kind = "ReplicaSet", group = "apps", version = "v1", plural = "replicasets", short("rs"), categories("all"), scope = Namespaced,
    status = ReplicaSetStatus,
    scale(spec = "/spec/replicas", status = "/status/replicas", selector = "/spec/selector"),
    default = defaults, validate = validate,
    column(name = "Desired", type = "integer", render = crate::api::columns::workload::desired),
    column(name = "Current", type = "integer", render = crate::api::columns::workload::current),
    column(name = "Ready", type = "integer", render = crate::api::columns::workload::ready),
    column(name = "Age", type = "string", render = crate::api::columns::age),
    column(name = "Containers", type = "string", wide, render = crate::api::columns::workload::containers),
    column(name = "Images", type = "string", wide, render = crate::api::columns::workload::images),
    column(name = "Selector", type = "string", wide, render = crate::api::columns::workload::selector)
)]
pub struct ReplicaSetSpec {
    /// How many pods.
    #[object(default = 1, min = 0)]
    pub replicas: Option<i32>,
    /// Seconds a pod must be ready to count as available.
    #[object(min = 0)]
    pub min_ready_seconds: Option<i32>,
    /// Labels by which the pods are found.
    #[object(required, immutable)]
    pub selector: LabelSelector,
    /// What the pods look like.
    pub template: PodTemplateSpec,
}

/// What was last seen of a ReplicaSet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct ReplicaSetStatus {
    /// Pods there are.
    pub replicas: i32,
    /// Pods that carry all labels of the template.
    pub fully_labeled_replicas: Option<i32>,
    /// Pods that are ready.
    pub ready_replicas: Option<i32>,
    /// Pods that have been ready for `minReadySeconds`.
    pub available_replicas: Option<i32>,
    /// Pods that are being stopped.
    pub terminating_replicas: Option<i32>,
    /// Generation that was acted on.
    pub observed_generation: Option<i64>,
    /// Conditions such as `ReplicaFailure`.
    #[object(list_map = "type")]
    pub conditions: Vec<Condition>,
}

fn defaults(value: &mut Value) {
    template_defaults(value.pointer_mut("/spec/template/spec"));
}

fn validate(value: &Value) -> Vec<FieldError> {
    check_template(Owner::ReplicaSet, value, "spec.template")
}
