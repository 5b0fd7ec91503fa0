//! The Node: a host that runs pods.

use std::collections::BTreeMap;

use bowline_macros::{Object, Schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::api::default::set;
use crate::api::meta::ObjectMeta;
use crate::api::value::{Quantity, Time};

/// A host that runs pods.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Object)]
#[serde(default, rename_all = "camelCase")]
#[object(
    whole, version = "v1", plural = "nodes", short("no"), scope = Cluster,
    default = defaults,
    column(name = "Status", type = "string", render = crate::api::columns::node::status),
    column(name = "Roles", type = "string", render = crate::api::columns::node::roles),
    column(name = "Age", type = "string", render = crate::api::columns::age),
    column(name = "Version", type = "string", path = "/status/nodeInfo/kubeletVersion"),
    column(name = "Internal-IP", type = "string", wide, render = crate::api::columns::node::internal_ip),
    column(name = "External-IP", type = "string", wide, render = crate::api::columns::node::external_ip),
    column(name = "OS-Image", type = "string", wide, render = crate::api::columns::node::os_image),
    column(name = "Kernel-Version", type = "string", wide, render = crate::api::columns::node::kernel_version),
    column(name = "Container-Runtime", type = "string", wide, render = crate::api::columns::node::container_runtime)
)]
pub struct Node {
    /// Standard metadata.
    pub metadata: ObjectMeta,
    /// What the host is to be.
    #[object(default_json = "{}")]
    pub spec: NodeSpec,
    /// What the host last reported.
    pub status: Option<NodeStatus>,
}

/// What a host is to be.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct NodeSpec {
    /// Addresses for pods.
    #[serde(rename = "podCIDR")]
    pub pod_cidr: Option<String>,
    /// Addresses for pods, one range a family.
    #[serde(rename = "podCIDRs")]
    #[object(list_set)]
    pub pod_cidrs: Vec<String>,
    /// Identity of the machine at its provider.
    #[serde(rename = "providerID")]
    pub provider_id: Option<String>,
    /// Whether no further pods are to be placed here.
    pub unschedulable: Option<bool>,
    /// Marks that keep pods away.
    #[object(not_enforced = "taints keep no pod away yet")]
    pub taints: Vec<Taint>,
    /// Deprecated; kept, not used.
    pub config_source: Option<NodeConfigSource>,
    /// Deprecated; kept, not used.
    #[serde(rename = "externalID")]
    pub external_id: Option<String>,
    /// Who has switched off preemption on this host.
    pub pod_preemption_policy: Option<NodePodPreemptionPolicy>,
}

/// Who has switched off preemption on a host.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct NodePodPreemptionPolicy {
    /// Parties that want none when a pod is resized.
    pub disable_resize_preemption: Vec<String>,
}

/// Where a host's configuration comes from; deprecated.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct NodeConfigSource {
    /// The ConfigMap.
    pub config_map: Option<ConfigMapNodeConfigSource>,
}

/// A ConfigMap with a host's configuration; deprecated.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct ConfigMapNodeConfigSource {
    /// Namespace of the ConfigMap.
    #[object(required)]
    pub namespace: String,
    /// Name of the ConfigMap.
    #[object(required)]
    pub name: String,
    /// Identity of the ConfigMap.
    pub uid: Option<String>,
    /// Revision of the ConfigMap.
    pub resource_version: Option<String>,
    /// Key with the configuration.
    #[object(required)]
    pub kubelet_config_key: String,
}

/// A mark that keeps pods away that do not tolerate it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct Taint {
    /// Key of the taint.
    #[object(required)]
    pub key: String,
    /// Value of the taint.
    pub value: Option<String>,
    /// What happens to pods that do not tolerate it.
    #[object(required, one_of = ["NoSchedule", "PreferNoSchedule", "NoExecute"])]
    pub effect: String,
    /// When it was set.
    pub time_added: Option<Time>,
}

/// What a host last reported.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct NodeStatus {
    /// Resources the host has.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub capacity: BTreeMap<String, Quantity>,
    /// Resources pods may use.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub allocatable: BTreeMap<String, Quantity>,
    /// Deprecated; kept, not used.
    pub phase: Option<String>,
    /// Conditions such as `Ready`.
    #[object(list_map = "type")]
    pub conditions: Vec<NodeCondition>,
    /// Addresses of the host.
    #[object(list_map = "type")]
    pub addresses: Vec<NodeAddress>,
    /// Ports of the daemon on the host.
    pub daemon_endpoints: Option<NodeDaemonEndpoints>,
    /// Identity and versions.
    pub node_info: Option<NodeSystemInfo>,
    /// Images on the host.
    pub images: Vec<ContainerImage>,
    /// Volumes in use.
    pub volumes_in_use: Vec<String>,
    /// Volumes attached.
    pub volumes_attached: Vec<AttachedVolume>,
    /// Deprecated; kept, not used.
    pub config: Option<NodeConfigStatus>,
    /// Container runtimes and what they can do.
    pub runtime_handlers: Vec<NodeRuntimeHandler>,
    /// What the host can do.
    pub features: Option<NodeFeatures>,
    /// Names of things the host can do.
    pub declared_features: Vec<String>,
}

/// A condition of a host.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct NodeCondition {
    /// What the condition is about.
    #[serde(rename = "type")]
    #[object(required)]
    pub type_: String,
    /// `True`, `False` or `Unknown`.
    #[object(required, one_of = ["True", "False", "Unknown"])]
    pub status: String,
    /// When it was last reported.
    pub last_heartbeat_time: Option<Time>,
    /// When `status` last changed.
    pub last_transition_time: Option<Time>,
    /// One word for programs.
    pub reason: Option<String>,
    /// One sentence for people.
    pub message: Option<String>,
}

/// An address of a host.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct NodeAddress {
    /// `InternalIP`, `ExternalIP`, `Hostname` and the like.
    #[serde(rename = "type")]
    #[object(required)]
    pub type_: String,
    /// The address.
    #[object(required)]
    pub address: String,
}

/// Ports of the daemon on a host.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct NodeDaemonEndpoints {
    /// Where pods' logs and commands are served.
    pub kubelet_endpoint: Option<DaemonEndpoint>,
}

/// A port of a daemon.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct DaemonEndpoint {
    /// The port.
    #[serde(rename = "Port")]
    pub port: i32,
}

/// Identity and versions of a host.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct NodeSystemInfo {
    /// Identity in the cluster's eyes.
    #[serde(rename = "machineID")]
    pub machine_id: String,
    /// Identity in the firmware's eyes.
    #[serde(rename = "systemUUID")]
    pub system_uuid: String,
    /// Identity of the present boot.
    #[serde(rename = "bootID")]
    pub boot_id: String,
    /// Version of the kernel.
    pub kernel_version: String,
    /// Name of the operating system.
    pub os_image: String,
    /// Version of the container runtime.
    pub container_runtime_version: String,
    /// Version of the agent.
    pub kubelet_version: String,
    /// Deprecated; empty.
    pub kube_proxy_version: String,
    /// For example `linux`.
    pub operating_system: String,
    /// For example `amd64`.
    pub architecture: String,
    /// Swap of the host.
    pub swap: Option<NodeSwapStatus>,
    /// Whether the agent runs in a user namespace.
    pub running_in_user_namespace: Option<bool>,
}

/// Swap of a host.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct NodeSwapStatus {
    /// Bytes of swap.
    pub capacity: Option<i64>,
}

/// An image on a host.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct ContainerImage {
    /// Names of the image.
    pub names: Vec<String>,
    /// Bytes it takes.
    pub size_bytes: Option<i64>,
}

/// A volume attached to a host.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct AttachedVolume {
    /// Name of the volume.
    pub name: String,
    /// Device it shows up as.
    pub device_path: String,
}

/// State of a host's configuration; deprecated.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct NodeConfigStatus {
    /// Configuration to use next.
    pub assigned: Option<NodeConfigSource>,
    /// Configuration in use.
    pub active: Option<NodeConfigSource>,
    /// Configuration to fall back to.
    pub last_known_good: Option<NodeConfigSource>,
    /// What is wrong.
    pub error: Option<String>,
}

/// A container runtime of a host.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct NodeRuntimeHandler {
    /// Name; empty for the default one.
    pub name: Option<String>,
    /// What it can do.
    pub features: Option<NodeRuntimeHandlerFeatures>,
}

/// What a container runtime can do.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct NodeRuntimeHandlerFeatures {
    /// Whether read-only mounts can be recursive.
    pub recursive_read_only_mounts: Option<bool>,
    /// Whether pods can have a user namespace.
    pub user_namespaces: Option<bool>,
}

/// What a host can do.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct NodeFeatures {
    /// Whether `supplementalGroupsPolicy` has an effect.
    pub supplemental_groups_policy: Option<bool>,
}

/// What pods may use is all there is, unless told otherwise.
fn defaults(value: &mut Value) {
    let capacity = value["status"]["capacity"].clone();
    if capacity.is_object() && value["status"]["allocatable"].is_null() {
        set(value, &["status", "allocatable"], capacity);
    }
}
