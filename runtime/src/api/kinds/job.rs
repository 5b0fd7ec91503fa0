//! The Job: pods that run to completion.

use bowline_macros::{Object, Schema};
use serde::{Deserialize, Serialize};

use super::job_validate::{defaults, validate, validate_update};
use crate::api::kinds::PodTemplateSpec;
use crate::api::meta::{LabelSelector, ObjectMeta};
use crate::api::value::Time;

/// Runs pods until a number of them has succeeded.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Object)]
#[serde(default, rename_all = "camelCase")]
#[object(
    kind = "Job", group = "batch", version = "v1", plural = "jobs", categories("all"), scope = Namespaced,
    status = JobStatus, default = defaults, validate = validate, validate_update = validate_update,
    column(name = "Status", type = "string", render = crate::api::columns::job::status),
    column(name = "Completions", type = "string", render = crate::api::columns::job::completions),
    column(name = "Duration", type = "string", render = crate::api::columns::job::duration),
    column(name = "Age", type = "string", render = crate::api::columns::age),
    column(name = "Containers", type = "string", wide, render = crate::api::columns::workload::containers),
    column(name = "Images", type = "string", wide, render = crate::api::columns::workload::images),
    column(name = "Selector", type = "string", wide, render = crate::api::columns::workload::selector)
)]
pub struct JobSpec {
    /// The most pods at a time; 1 if empty.
    #[object(min = 0)]
    pub parallelism: Option<i32>,
    /// Pods that must succeed; empty means any success ends the Job.
    #[object(min = 0)]
    pub completions: Option<i32>,
    /// Seconds from the start after which the Job has failed.
    #[object(min = 0)]
    pub active_deadline_seconds: Option<i64>,
    /// What the failure of a pod means.
    #[object(not_enforced = "every failed pod counts toward `backoffLimit`")]
    pub pod_failure_policy: Option<PodFailurePolicy>,
    /// When the Job has succeeded early.
    #[object(not_enforced = "a Job succeeds when all its completions have")]
    pub success_policy: Option<SuccessPolicy>,
    /// Failures after which the Job has failed.
    #[object(min = 0)]
    pub backoff_limit: Option<i32>,
    /// Failures of one index after which that index has failed.
    #[object(min = 0, not_enforced = "failures are counted for the Job as a whole")]
    pub backoff_limit_per_index: Option<i32>,
    /// Failed indexes after which the Job has failed.
    #[object(min = 0, not_enforced = "failures are counted for the Job as a whole")]
    pub max_failed_indexes: Option<i32>,
    /// Labels by which the pods are found; made up if empty.
    pub selector: Option<LabelSelector>,
    /// Whether `selector` and labels are the author's business.
    pub manual_selector: Option<bool>,
    /// What the pods look like.
    #[object(required)]
    pub template: PodTemplateSpec,
    /// Seconds after the end when the Job is deleted.
    #[object(min = 0)]
    pub ttl_seconds_after_finished: Option<i32>,
    /// `NonIndexed`, or `Indexed` to number the pods.
    #[object(default = "NonIndexed", one_of = ["NonIndexed", "Indexed"])]
    pub completion_mode: Option<String>,
    /// Whether no pods run for now.
    #[object(default = false)]
    pub suspend: Option<bool>,
    /// When a failed pod is replaced.
    #[object(one_of = ["TerminatingOrFailed", "Failed"])]
    pub pod_replacement_policy: Option<String>,
    /// Controller that runs the Job.
    #[object(max_len = 63, not_enforced = "Jobs are run by the one Job controller")]
    pub managed_by: Option<String>,
    /// How the pods are scheduled together.
    #[object(not_enforced = "pods are scheduled one by one")]
    pub scheduling: Option<JobSchedulingConfiguration>,
}

/// What Jobs made from a template look like.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct JobTemplateSpec {
    /// Labels and annotations of the Jobs.
    #[serde(skip_serializing_if = "ObjectMeta::is_empty")]
    pub metadata: ObjectMeta,
    /// Specification of the Jobs.
    #[object(required)]
    pub spec: JobSpec,
}

/// Rules on what the failure of a pod means; the first that applies decides.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct PodFailurePolicy {
    /// The rules.
    pub rules: Vec<PodFailurePolicyRule>,
}

/// A rule on the failure of a pod; exactly one of the tests.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct PodFailurePolicyRule {
    /// What the failure means.
    #[object(required, one_of = ["FailJob", "FailIndex", "Ignore", "Count"])]
    pub action: String,
    /// Applies by exit code.
    pub on_exit_codes: Option<PodFailurePolicyOnExitCodesRequirement>,
    /// Applies by condition.
    pub on_pod_conditions: Vec<PodFailurePolicyOnPodConditionsPattern>,
}

/// A test of exit codes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct PodFailurePolicyOnExitCodesRequirement {
    /// Container to look at; all if empty.
    pub container_name: Option<String>,
    /// `In` or `NotIn`.
    #[object(required, one_of = ["In", "NotIn"])]
    pub operator: String,
    /// The exit codes.
    #[object(list_set, min_items = 1)]
    pub values: Vec<i32>,
}

/// A test of a condition.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct PodFailurePolicyOnPodConditionsPattern {
    /// Type of the condition.
    #[serde(rename = "type")]
    #[object(required)]
    pub type_: String,
    /// Its status; `True` if empty.
    pub status: Option<String>,
}

/// Rules on when a Job has succeeded early.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct SuccessPolicy {
    /// The rules; one is enough.
    #[object(min_items = 1)]
    pub rules: Vec<SuccessPolicyRule>,
}

/// A rule on when a Job has succeeded early.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct SuccessPolicyRule {
    /// Indexes that must have succeeded, such as `0-2,5`.
    pub succeeded_indexes: Option<String>,
    /// How many of them must have succeeded.
    #[object(min = 1)]
    pub succeeded_count: Option<i32>,
}

/// How the pods of a Job are scheduled together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct JobSchedulingConfiguration {
    /// Whether all or single pods are placed.
    pub scheduling_policy: Option<WorkloadPodGroupSchedulingPolicy>,
    /// Where the pods may be placed.
    pub scheduling_constraints: Option<WorkloadPodGroupSchedulingConstraints>,
    /// How the pods are disrupted.
    pub disruption_mode: Option<WorkloadPodGroupDisruptionMode>,
    /// Devices that the pods share.
    #[object(list_map = "name")]
    pub resource_claims: Vec<WorkloadPodGroupResourceClaim>,
}

/// How a group is scheduled; exactly one of the fields.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct WorkloadPodGroupSchedulingPolicy {
    /// Pod by pod.
    pub basic: Option<WorkloadPodGroupBasicSchedulingPolicy>,
    /// All together.
    pub gang: Option<WorkloadPodGroupGangSchedulingPolicy>,
}

/// Scheduling pod by pod.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct WorkloadPodGroupBasicSchedulingPolicy {}

/// Scheduling all together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct WorkloadPodGroupGangSchedulingPolicy {
    /// The fewest pods that may be placed.
    #[object(min = 1)]
    pub min_count: Option<i32>,
}

/// Where a group may be placed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct WorkloadPodGroupSchedulingConstraints {
    /// Host labels.
    pub topology: Vec<TopologyConstraint>,
}

/// A host label that all pods of a group share.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct TopologyConstraint {
    /// The label.
    #[object(required)]
    pub key: String,
}

/// How a group is disrupted; exactly one of the fields.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct WorkloadPodGroupDisruptionMode {
    /// Pod by pod.
    pub single: Option<WorkloadPodGroupSingleDisruptionMode>,
    /// All together.
    pub all: Option<WorkloadPodGroupAllDisruptionMode>,
}

/// Disruption pod by pod.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct WorkloadPodGroupSingleDisruptionMode {}

/// Disruption all together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct WorkloadPodGroupAllDisruptionMode {}

/// A claim on devices that a group shares.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct WorkloadPodGroupResourceClaim {
    /// Name, unique in the group.
    #[object(required, format = "dns-label")]
    pub name: String,
    /// Name of a ResourceClaim.
    pub resource_claim_name: Option<String>,
    /// Name of a template that a claim is made from.
    pub resource_claim_template_name: Option<String>,
}

/// What was last seen of a Job.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct JobStatus {
    /// Conditions `Complete`, `Failed`, `Suspended` and their forerunners.
    pub conditions: Vec<JobCondition>,
    /// When the Job was started or resumed.
    pub start_time: Option<Time>,
    /// When the Job was complete.
    pub completion_time: Option<Time>,
    /// Pods pending and running.
    pub active: Option<i32>,
    /// Pods that succeeded.
    pub succeeded: Option<i32>,
    /// Pods that failed.
    pub failed: Option<i32>,
    /// Pods that are being stopped.
    pub terminating: Option<i32>,
    /// Indexes that succeeded, such as `0-2,5`.
    pub completed_indexes: Option<String>,
    /// Indexes that failed for good.
    pub failed_indexes: Option<String>,
    /// Ended pods that are not in the counters yet.
    pub uncounted_terminated_pods: Option<UncountedTerminatedPods>,
    /// Active pods that are ready.
    pub ready: Option<i32>,
}

/// A condition of a Job.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct JobCondition {
    /// What the condition is about.
    #[serde(rename = "type")]
    #[object(required)]
    pub type_: String,
    /// `True`, `False` or `Unknown`.
    #[object(required, one_of = ["True", "False", "Unknown"])]
    pub status: String,
    /// When it was last checked.
    pub last_probe_time: Option<Time>,
    /// When `status` last changed.
    pub last_transition_time: Option<Time>,
    /// One word for programs.
    pub reason: Option<String>,
    /// One sentence for people.
    pub message: Option<String>,
}

/// Ended pods that are not in the counters yet, by UID.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct UncountedTerminatedPods {
    /// Pods that succeeded.
    #[object(list_set)]
    pub succeeded: Vec<String>,
    /// Pods that failed.
    #[object(list_set)]
    pub failed: Vec<String>,
}
