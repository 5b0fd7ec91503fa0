//! Where a pod may or should run: affinity, tolerations, spreading.

use crate::api::meta::LabelSelector;
use bowline_macros::Schema;
use serde::{Deserialize, Serialize};

/// Preferences and demands on where a pod runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct Affinity {
    /// By labels of hosts.
    pub node_affinity: Option<NodeAffinity>,
    /// Near other pods.
    pub pod_affinity: Option<PodAffinity>,
    /// Away from other pods.
    pub pod_anti_affinity: Option<PodAntiAffinity>,
}

/// Affinity by labels of hosts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct NodeAffinity {
    /// What a host must have.
    pub required_during_scheduling_ignored_during_execution: Option<NodeSelector>,
    /// What a host should have.
    pub preferred_during_scheduling_ignored_during_execution: Vec<PreferredSchedulingTerm>,
}

/// Alternatives, one of which must hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
#[object(atomic)]
pub struct NodeSelector {
    /// The alternatives.
    #[object(required, min_items = 1)]
    pub node_selector_terms: Vec<NodeSelectorTerm>,
}

/// Requirements on a host, all of which must hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
#[object(atomic)]
pub struct NodeSelectorTerm {
    /// On labels.
    pub match_expressions: Vec<NodeSelectorRequirement>,
    /// On fields.
    pub match_fields: Vec<NodeSelectorRequirement>,
}

/// A requirement on one label or field.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct NodeSelectorRequirement {
    /// Label key or field path.
    #[object(required)]
    pub key: String,
    /// How to compare.
    #[object(required, one_of = ["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"])]
    pub operator: String,
    /// Values to compare with.
    pub values: Vec<String>,
}

/// A preference with its weight.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct PreferredSchedulingTerm {
    /// Weight from 1 to 100.
    #[object(required, min = 1, max = 100)]
    pub weight: i32,
    /// The preference.
    pub preference: NodeSelectorTerm,
}

/// Demands and preferences to run near other pods.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct PodAffinity {
    /// Pods that must be near.
    pub required_during_scheduling_ignored_during_execution: Vec<PodAffinityTerm>,
    /// Pods that should be near.
    pub preferred_during_scheduling_ignored_during_execution: Vec<WeightedPodAffinityTerm>,
}

/// Demands and preferences to run away from other pods.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct PodAntiAffinity {
    /// Pods that must be away.
    pub required_during_scheduling_ignored_during_execution: Vec<PodAffinityTerm>,
    /// Pods that should be away.
    pub preferred_during_scheduling_ignored_during_execution: Vec<WeightedPodAffinityTerm>,
}

/// A preference with its weight.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct WeightedPodAffinityTerm {
    /// Weight from 1 to 100.
    #[object(required, min = 1, max = 100)]
    pub weight: i32,
    /// The preference.
    #[object(required)]
    pub pod_affinity_term: PodAffinityTerm,
}

/// A set of pods and what counts as near.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct PodAffinityTerm {
    /// Labels of the pods.
    pub label_selector: Option<LabelSelector>,
    /// Namespaces of the pods.
    pub namespaces: Vec<String>,
    /// Host label; equal values are near.
    #[object(required)]
    pub topology_key: String,
    /// Labels of the pods' namespaces.
    pub namespace_selector: Option<LabelSelector>,
    /// Labels whose values must equal this pod's.
    pub match_label_keys: Vec<String>,
    /// Labels whose values must differ from this pod's.
    pub mismatch_label_keys: Vec<String>,
}

/// A taint that a pod puts up with.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct Toleration {
    /// Key of the taint; empty for all.
    pub key: Option<String>,
    /// How the value is compared; `Equal` if empty.
    #[object(one_of = ["Exists", "Equal", "Lt", "Gt"])]
    pub operator: Option<String>,
    /// Value of the taint.
    pub value: Option<String>,
    /// Effect of the taint; empty for all.
    #[object(one_of = ["NoSchedule", "PreferNoSchedule", "NoExecute"])]
    pub effect: Option<String>,
    /// Seconds a `NoExecute` taint is tolerated; for ever if empty.
    pub toleration_seconds: Option<i64>,
}

/// How to spread pods over groups of hosts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct TopologySpreadConstraint {
    /// The largest difference between groups.
    #[object(required, min = 1)]
    pub max_skew: i32,
    /// Host label that makes the groups.
    #[object(required)]
    pub topology_key: String,
    /// What to do when it cannot be kept.
    #[object(required, one_of = ["DoNotSchedule", "ScheduleAnyway"])]
    pub when_unsatisfiable: String,
    /// Pods that are counted.
    pub label_selector: Option<LabelSelector>,
    /// The fewest groups.
    #[object(min = 1)]
    pub min_domains: Option<i32>,
    /// Whether affinity narrows the hosts that count.
    #[object(one_of = ["Honor", "Ignore"])]
    pub node_affinity_policy: Option<String>,
    /// Whether taints narrow the hosts that count.
    #[object(one_of = ["Honor", "Ignore"])]
    pub node_taints_policy: Option<String>,
    /// Labels whose values must equal this pod's.
    pub match_label_keys: Vec<String>,
}
