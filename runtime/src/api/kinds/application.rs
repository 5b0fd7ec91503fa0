//! The Application: a directory of a repository that is kept applied.

use bowline_macros::{Object, Schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::InventoryEntry;
use crate::api::error::FieldError;
use crate::api::meta::Condition;
use crate::api::validate::rules;
use crate::api::value::{Duration, IntOrString, Time};

/// Keeps the manifests of one directory of a repository applied.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Object)]
#[serde(default, rename_all = "camelCase")]
#[object(
    kind = "Application", group = "bowline.dev", version = "v1alpha1", plural = "applications", short("app"), scope = Namespaced,
    status = ApplicationStatus, validate = validate,
    column(name = "Ready", type = "string", render = crate::api::columns::ready_condition),
    column(name = "Health", type = "string", render = crate::api::columns::application::health),
    column(name = "Applied", type = "string", render = crate::api::columns::application::applied),
    column(name = "Healthy", type = "string", render = crate::api::columns::application::healthy),
    column(name = "Message", type = "string", render = crate::api::columns::ready_message),
    column(name = "Age", type = "string", render = crate::api::columns::age),
    column(name = "Seen", type = "string", wide, render = crate::api::columns::application::seen),
    column(name = "Path", type = "string", wide, path = "/spec/path")
)]
pub struct ApplicationSpec {
    /// Where the manifests come from.
    #[object(required)]
    pub source: ApplicationSource,
    /// Directory in the repository, relative to its root.
    #[object(default = ".")]
    pub path: Option<String>,
    /// Namespace of objects that name none.
    #[object(default = "default", format = "dns-label")]
    pub target_namespace: Option<String>,
    /// Whether objects that left the repository are deleted.
    #[object(default = true)]
    pub prune: Option<bool>,
    /// The most objects one commit may delete, a number or a share of all; more are held until a person agrees.
    #[object(default = "50%")]
    pub deletion_budget: Option<IntOrString>,
    /// Whether nothing is applied for now.
    pub suspend: Option<bool>,
    /// How long objects may take to become healthy before a commit is rejected.
    #[object(default = "5m", min = "1s")]
    pub timeout: Option<Duration>,
    /// How often everything is compared afresh, besides changes that are noticed at once.
    #[object(default = "10m", min = "10s")]
    pub interval: Option<Duration>,
    /// Applications of this namespace that must be healthy first.
    #[object(list_map = "name")]
    pub depends_on: Vec<ApplicationDependency>,
}

/// Where an application's manifests come from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct ApplicationSource {
    /// Name of a GitRepository in the same namespace.
    #[object(required, format = "dns-subdomain")]
    pub name: String,
}

/// An application that must be healthy first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct ApplicationDependency {
    /// Name of the Application.
    #[object(required, format = "dns-subdomain")]
    pub name: String,
}

/// What became of the latest commits.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct ApplicationStatus {
    /// Generation that was acted on.
    pub observed_generation: Option<i64>,
    /// Conditions `Ready`, `Reconciling`, `Stalled`, `Healthy`.
    #[object(list_map = "type")]
    pub conditions: Vec<Condition>,
    /// How far which commit has come.
    pub revision: Option<ApplicationRevision>,
    /// Hash of the objects that were applied; an equal hash means no work.
    pub inputs: Option<String>,
    /// Objects that belong to the application; written before the first is created.
    pub inventory: Vec<InventoryEntry>,
    /// Health of each object.
    pub resources: Vec<ApplicationResource>,
    /// Counts by health.
    pub summary: Option<ApplicationSummary>,
    /// The worst health of all objects.
    #[object(one_of = ["Healthy", "Progressing", "Degraded", "Suspended", "Missing"])]
    pub health: Option<String>,
    /// What waits for a person's word.
    pub held: Option<ApplicationHold>,
    /// When something was last applied.
    pub last_applied_time: Option<Time>,
    /// Last value of the annotation that asks for a pass.
    pub last_handled_reconcile_at: Option<String>,
}

/// How far which commit has come.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct ApplicationRevision {
    /// The newest commit there is.
    pub seen: Option<String>,
    /// The newest commit that a plan was made for.
    pub planned: Option<String>,
    /// The commit whose objects are applied.
    pub applied: Option<String>,
    /// The last commit that all objects were healthy at; what a rejected one falls back to.
    pub healthy: Option<String>,
    /// The last commit that was refused.
    pub rejected: Option<RejectedRevision>,
}

/// A commit that was refused, and why.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct RejectedRevision {
    /// The commit.
    #[object(required)]
    pub commit: String,
    /// One word for programs.
    pub reason: Option<String>,
    /// What is wrong, with file and line where there is one.
    pub message: Option<String>,
    /// When it was refused.
    pub time: Option<Time>,
}

/// The health of one object.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct ApplicationResource {
    /// API group; empty for the core group.
    pub group: Option<String>,
    /// Kind of the object.
    #[object(required)]
    pub kind: String,
    /// Namespace of the object.
    pub namespace: Option<String>,
    /// Name of the object.
    #[object(required)]
    pub name: String,
    /// `Healthy`, `Progressing`, `Degraded`, `Suspended` or `Missing`.
    #[object(one_of = ["Healthy", "Progressing", "Degraded", "Suspended", "Missing"])]
    pub health: Option<String>,
    /// One sentence on why.
    pub message: Option<String>,
}

/// How many objects are in which state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct ApplicationSummary {
    /// All objects.
    pub total: i32,
    /// Objects that are as they should be.
    pub healthy: i32,
    /// Objects on their way.
    pub progressing: i32,
    /// Objects that have failed.
    pub degraded: i32,
    /// Objects that were told to pause.
    pub suspended: i32,
    /// Objects that are not there.
    pub missing: i32,
}

/// A step that waits for a person's word.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct ApplicationHold {
    /// Commit that asks for it.
    #[object(required)]
    pub commit: String,
    /// One word for programs, for example `DeletionBudgetExceeded`.
    pub reason: Option<String>,
    /// What would happen and how to agree.
    pub message: Option<String>,
    /// Objects that would be deleted.
    pub deletions: Vec<String>,
}

fn validate(value: &Value) -> Vec<FieldError> {
    let spec = &value["spec"];
    let mut errors = rules::count_or_percent("spec.deletionBudget", &spec["deletionBudget"]);
    errors.extend(rules::at_most_all("spec.deletionBudget", &spec["deletionBudget"]));
    let path = spec["path"].as_str().unwrap_or_default();
    if path.starts_with('/') || path.split('/').any(|part| part == "..") {
        let detail = "must be a relative path without `..`";
        errors.push(FieldError::invalid("spec.path", spec["path"].to_string(), detail));
    }
    let own = value["metadata"]["name"].as_str();
    for (index, dependency) in spec["dependsOn"].as_array().into_iter().flatten().enumerate() {
        if own.is_some() && dependency["name"].as_str() == own {
            let path = format!("spec.dependsOn[{index}].name");
            errors.push(FieldError::invalid(
                path,
                dependency["name"].to_string(),
                "must not be the application itself",
            ));
        }
    }
    errors
}
