//! The Deployment: equal pods with rolling updates.

use bowline_macros::{Object, Schema};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::pod::{Owner, check_template, template_defaults};
use crate::api::error::FieldError;
use crate::api::kinds::PodTemplateSpec;
use crate::api::meta::LabelSelector;
use crate::api::validate::rules;
use crate::api::value::{IntOrString, Time};

/// Keeps equal pods and replaces them step by step when their template changes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Object)]
#[serde(default, rename_all = "camelCase")]
#[object(
    kind = "Deployment", group = "apps", version = "v1", plural = "deployments", short("deploy"), categories("all"), scope = Namespaced,
    status = DeploymentStatus,
    scale(spec = "/spec/replicas", status = "/status/replicas", selector = "/spec/selector"),
    default = defaults, validate = validate,
    column(name = "Ready", type = "string", render = crate::api::columns::workload::ready_of_desired),
    column(name = "Up-to-date", type = "integer", render = crate::api::columns::workload::updated),
    column(name = "Available", type = "integer", render = crate::api::columns::workload::available),
    column(name = "Age", type = "string", render = crate::api::columns::age),
    column(name = "Containers", type = "string", wide, render = crate::api::columns::workload::containers),
    column(name = "Images", type = "string", wide, render = crate::api::columns::workload::images),
    column(name = "Selector", type = "string", wide, render = crate::api::columns::workload::selector)
)]
pub struct DeploymentSpec {
    /// How many pods.
    #[object(default = 1, min = 0)]
    pub replicas: Option<i32>,
    /// Labels by which the pods are found.
    #[object(required, immutable)]
    pub selector: LabelSelector,
    /// What the pods look like.
    #[object(required)]
    pub template: PodTemplateSpec,
    /// How old pods are replaced by new ones.
    #[object(default_json = "{}")]
    pub strategy: Option<DeploymentStrategy>,
    /// Seconds a pod must be ready to count as available.
    #[object(min = 0)]
    pub min_ready_seconds: Option<i32>,
    /// Old ReplicaSets kept for a rollback.
    #[object(default = 10, min = 0)]
    pub revision_history_limit: Option<i32>,
    /// Whether changes of the template wait.
    pub paused: Option<bool>,
    /// Seconds without progress after which a rollout has failed.
    #[object(default = 600, min = 0)]
    pub progress_deadline_seconds: Option<i32>,
}

/// How old pods are replaced by new ones.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct DeploymentStrategy {
    /// `Recreate` or `RollingUpdate`.
    #[serde(rename = "type")]
    #[object(default = "RollingUpdate", one_of = ["Recreate", "RollingUpdate"])]
    pub type_: Option<String>,
    /// Limits of a rolling update.
    pub rolling_update: Option<RollingUpdateDeployment>,
}

/// Limits of a rolling update.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct RollingUpdateDeployment {
    /// Pods that may be missing, a number or a share of `replicas` rounded down.
    #[object(default = "25%")]
    pub max_unavailable: Option<IntOrString>,
    /// Pods that may be there on top, a number or a share of `replicas` rounded up.
    #[object(default = "25%")]
    pub max_surge: Option<IntOrString>,
}

/// What was last seen of a Deployment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct DeploymentStatus {
    /// Generation that was acted on.
    pub observed_generation: Option<i64>,
    /// Pods there are.
    pub replicas: Option<i32>,
    /// Pods of the present template.
    pub updated_replicas: Option<i32>,
    /// Pods that are ready.
    pub ready_replicas: Option<i32>,
    /// Pods that have been ready for `minReadySeconds`.
    pub available_replicas: Option<i32>,
    /// Pods still missing.
    pub unavailable_replicas: Option<i32>,
    /// Pods that are being stopped.
    pub terminating_replicas: Option<i32>,
    /// Conditions `Available`, `Progressing`, `ReplicaFailure`.
    #[object(list_map = "type")]
    pub conditions: Vec<DeploymentCondition>,
    /// Counter that keeps names of ReplicaSets apart.
    pub collision_count: Option<i32>,
}

/// A condition of a Deployment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct DeploymentCondition {
    /// What the condition is about.
    #[serde(rename = "type")]
    #[object(required)]
    pub type_: String,
    /// `True`, `False` or `Unknown`.
    #[object(required, one_of = ["True", "False", "Unknown"])]
    pub status: String,
    /// When it was last written.
    pub last_update_time: Option<Time>,
    /// When `status` last changed.
    pub last_transition_time: Option<Time>,
    /// One word for programs.
    pub reason: Option<String>,
    /// One sentence for people.
    pub message: Option<String>,
}

fn defaults(value: &mut Value) {
    template_defaults(value.pointer_mut("/spec/template/spec"));
    let Some(strategy) = value.pointer_mut("/spec/strategy") else {
        return;
    };
    if strategy["type"] == "RollingUpdate" && strategy.get("rollingUpdate").is_none_or(Value::is_null) {
        strategy["rollingUpdate"] = json!({});
        crate::api::default::declared::<RollingUpdateDeployment>(&mut strategy["rollingUpdate"]);
    }
}

fn validate(value: &Value) -> Vec<FieldError> {
    let mut errors = check_template(Owner::Deployment, value, "spec.template");
    let spec = &value["spec"];
    let rolling = &spec["strategy"]["rollingUpdate"];
    let path = "spec.strategy.rollingUpdate";
    if spec["strategy"]["type"] == "Recreate" {
        if !rolling.is_null() {
            errors.push(FieldError::forbidden(path, "may not be specified when strategy `type` is 'Recreate'"));
        }
    } else if rolling.is_object() {
        for field in ["maxUnavailable", "maxSurge"] {
            errors.extend(rules::count_or_percent(&format!("{path}.{field}"), &rolling[field]));
        }
        errors.extend(rules::at_most_all(&format!("{path}.maxUnavailable"), &rolling["maxUnavailable"]));
        if errors.is_empty() && rules::is_zero(&rolling["maxUnavailable"]) && rules::is_zero(&rolling["maxSurge"]) {
            let detail = "may not be 0 when `maxSurge` is 0";
            errors.push(FieldError::invalid(
                format!("{path}.maxUnavailable"),
                rolling["maxUnavailable"].to_string(),
                detail,
            ));
        }
    }
    if let (Some(ready), Some(deadline)) =
        (spec["minReadySeconds"].as_i64().or(Some(0)), spec["progressDeadlineSeconds"].as_i64())
        && deadline <= ready
    {
        let detail = "must be greater than minReadySeconds";
        errors.push(FieldError::invalid("spec.progressDeadlineSeconds", deadline.to_string(), detail));
    }
    errors
}
