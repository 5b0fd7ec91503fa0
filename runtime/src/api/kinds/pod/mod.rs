//! The Pod: containers that run together on one host, and everything its specification can say.
//!
//! Never decides or starts anything. Start reading at [`PodSpec`], then [`Container`]; the rules that span
//! several fields are in [`validate`], the computed defaults in [`defaults`].

mod affinity;
mod container;
mod defaults;
mod env;
mod probe;
mod resources;
mod security;
mod status;
mod update;
mod validate;
mod validate_container;
mod volume;
mod volume_claim;
mod volume_cloud;
mod volume_network;
mod volume_projected;

pub use affinity::*;
pub use container::*;
pub use env::*;
pub use probe::*;
pub use resources::*;
pub use security::*;
pub use status::*;
pub use volume::*;
pub use volume_claim::*;
pub use volume_cloud::*;
pub use volume_network::*;
pub use volume_projected::*;

pub(crate) use defaults::template_defaults;
pub(crate) use validate::{Owner, check_template};

use std::collections::BTreeMap;

use crate::api::kinds::LocalObjectReference;
use crate::api::meta::ObjectMeta;
use crate::api::value::Quantity;
use bowline_macros::{Object, Schema};
use serde::{Deserialize, Serialize};

/// A group of containers that share a host, its network and volumes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Object)]
#[serde(default, rename_all = "camelCase")]
#[object(
    kind = "Pod", version = "v1", plural = "pods", short("po"), categories("all"), scope = Namespaced, status = PodStatus,
    default = defaults::pod, validate = validate::pod, validate_update = update::pod,
    column(name = "Ready", type = "string", render = crate::api::columns::pod::ready),
    column(name = "Status", type = "string", render = crate::api::columns::pod::status),
    column(name = "Restarts", type = "string", render = crate::api::columns::pod::restarts),
    column(name = "Age", type = "string", render = crate::api::columns::age),
    column(name = "IP", type = "string", wide, render = crate::api::columns::pod::ip),
    column(name = "Node", type = "string", wide, render = crate::api::columns::pod::node),
    column(name = "Nominated Node", type = "string", wide, render = crate::api::columns::pod::nominated_node),
    column(name = "Readiness Gates", type = "string", wide, render = crate::api::columns::pod::readiness_gates)
)]
pub struct PodSpec {
    /// Volumes that containers may mount.
    #[object(list_map = "name")]
    pub volumes: Vec<Volume>,
    /// Containers that run to completion, one after the other, before the others start.
    #[object(list_map = "name")]
    pub init_containers: Vec<Container>,
    /// Containers that run side by side; at least one.
    #[object(required, min_items = 1, list_map = "name")]
    pub containers: Vec<Container>,
    /// Containers added to a running pod for debugging.
    #[object(list_map = "name", not_enforced = "ephemeral containers are not started yet")]
    pub ephemeral_containers: Vec<EphemeralContainer>,
    /// Whether containers that ended are started again: `Always`, `OnFailure` or `Never`.
    #[object(default = "Always", one_of = ["Always", "OnFailure", "Never"])]
    pub restart_policy: Option<String>,
    /// Seconds between the request to stop and the kill.
    #[object(default = 30)]
    pub termination_grace_period_seconds: Option<i64>,
    /// Seconds after which a running pod is stopped and counted as failed.
    #[object(min = 1, max = 2147483647)]
    pub active_deadline_seconds: Option<i64>,
    /// Where the pod's DNS settings come from.
    #[object(default = "ClusterFirst", one_of = ["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"], not_enforced = "pods have no DNS of their own yet")]
    pub dns_policy: Option<String>,
    /// Labels that the host must carry.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[object(atomic)]
    pub node_selector: BTreeMap<String, String>,
    /// ServiceAccount the pod runs as.
    #[object(not_enforced = "pods get no API credentials yet")]
    pub service_account_name: Option<String>,
    /// Deprecated alias of `serviceAccountName`.
    #[object(not_enforced = "pods get no API credentials yet")]
    pub service_account: Option<String>,
    /// Whether API credentials are mounted.
    #[object(not_enforced = "pods get no API credentials yet")]
    pub automount_service_account_token: Option<bool>,
    /// Host the pod is bound to; empty until the scheduler has chosen.
    pub node_name: Option<String>,
    /// Whether the pod uses the host's network instead of its own.
    pub host_network: Option<bool>,
    /// Whether the pod sees the host's processes.
    #[serde(rename = "hostPID")]
    #[object(not_enforced = "a pod cannot share the host's processes yet")]
    pub host_pid: Option<bool>,
    /// Whether the pod shares the host's IPC objects.
    #[serde(rename = "hostIPC")]
    #[object(not_enforced = "a pod cannot share the host's IPC yet")]
    pub host_ipc: Option<bool>,
    /// Whether the containers see each other's processes.
    #[object(not_enforced = "containers of a pod do not share a process namespace yet")]
    pub share_process_namespace: Option<bool>,
    /// Security settings for all containers.
    #[object(default_json = "{}")]
    pub security_context: Option<PodSecurityContext>,
    /// Secrets with registry credentials.
    #[object(list_map = "name", not_enforced = "images are pulled without credentials yet")]
    pub image_pull_secrets: Vec<LocalObjectReference>,
    /// The pod's host name; the pod's name if empty.
    #[object(format = "dns-label")]
    pub hostname: Option<String>,
    /// Domain between host name and namespace in the pod's full name.
    #[object(format = "dns-label", not_enforced = "pods have no DNS of their own yet")]
    pub subdomain: Option<String>,
    /// Preferences and demands on where the pod runs.
    #[object(not_enforced = "the scheduler looks at `nodeSelector` only")]
    pub affinity: Option<Affinity>,
    /// Scheduler that binds the pod.
    #[object(default = "default-scheduler", not_enforced = "there is one scheduler")]
    pub scheduler_name: Option<String>,
    /// Taints that the pod puts up with.
    #[object(not_enforced = "taints keep no pod away yet")]
    pub tolerations: Vec<Toleration>,
    /// Further lines for `/etc/hosts`.
    #[object(list_map = "ip", not_enforced = "`/etc/hosts` is not extended yet")]
    pub host_aliases: Vec<HostAlias>,
    /// Name of the pod's priority class.
    #[object(not_enforced = "no pod is preempted yet")]
    pub priority_class_name: Option<String>,
    /// The pod's priority; higher ones are more important.
    #[object(not_enforced = "no pod is preempted yet")]
    pub priority: Option<i32>,
    /// DNS settings, merged into those of `dnsPolicy`.
    #[object(not_enforced = "pods have no DNS of their own yet")]
    pub dns_config: Option<PodDNSConfig>,
    /// Conditions that must hold for the pod to be ready.
    #[object(not_enforced = "readiness follows the containers only")]
    pub readiness_gates: Vec<PodReadinessGate>,
    /// Container runtime to use.
    #[object(format = "dns-subdomain", not_enforced = "there is one container runtime")]
    pub runtime_class_name: Option<String>,
    /// Whether Services show up as environment variables.
    #[object(default = true, not_enforced = "there are no Services yet")]
    pub enable_service_links: Option<bool>,
    /// Whether the pod may displace others.
    #[object(one_of = ["PreemptLowerPriority", "Never"], not_enforced = "no pod is preempted yet")]
    pub preemption_policy: Option<String>,
    /// Resources that the runtime itself needs.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[object(not_enforced = "there is one container runtime, which has no declared overhead")]
    pub overhead: BTreeMap<String, Quantity>,
    /// How to spread pods over the hosts.
    #[object(
        list_map("topologyKey", "whenUnsatisfiable"),
        patch_key = "topologyKey",
        not_enforced = "the scheduler looks at `nodeSelector` only"
    )]
    pub topology_spread_constraints: Vec<TopologySpreadConstraint>,
    /// Whether the kernel's host name is the full name.
    #[serde(rename = "setHostnameAsFQDN")]
    #[object(not_enforced = "pods have no DNS of their own yet")]
    pub set_hostname_as_fqdn: Option<bool>,
    /// Operating system of the containers.
    pub os: Option<PodOS>,
    /// Whether the pod uses the host's user namespace; true if empty.
    #[object(not_enforced = "pods run in the host's user namespace")]
    pub host_users: Option<bool>,
    /// Gates that must be removed before the pod is scheduled.
    #[object(list_map = "name", not_enforced = "the scheduler does not wait for gates")]
    pub scheduling_gates: Vec<PodSchedulingGate>,
    /// Devices that are allocated before the pod starts.
    #[object(list_map = "name", not_enforced = "dynamic resource allocation is not served")]
    pub resource_claims: Vec<PodResourceClaim>,
    /// Resources of the pod as a whole.
    #[object(not_enforced = "limits are set on containers, not on the pod")]
    pub resources: Option<ResourceRequirements>,
    /// Host name the kernel shows, whatever DNS says.
    #[object(not_enforced = "the host name is that of `hostname` or the pod")]
    pub hostname_override: Option<String>,
    /// Group that is scheduled together.
    #[object(not_enforced = "pods are scheduled one by one")]
    pub scheduling_group: Option<PodSchedulingGroup>,
    /// Who answers a request to evict the pod.
    #[object(list_map = "name", not_enforced = "evictions are not negotiated")]
    pub eviction_responders: Vec<EvictionResponder>,
}

/// What pods made from a template look like.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct PodTemplateSpec {
    /// Labels and annotations of the pods.
    #[serde(skip_serializing_if = "ObjectMeta::is_empty")]
    pub metadata: ObjectMeta,
    /// Specification of the pods.
    #[object(required)]
    pub spec: PodSpec,
}

/// The operating system of a pod.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct PodOS {
    /// `linux` or `windows`.
    #[object(required, one_of = ["linux", "windows"])]
    pub name: String,
}

/// A condition that takes part in a pod's readiness.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct PodReadinessGate {
    /// Type of the condition.
    #[object(required, format = "qualified-name")]
    pub condition_type: String,
}

/// A reason not to schedule a pod yet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct PodSchedulingGate {
    /// Name of the gate.
    #[object(required, format = "qualified-name")]
    pub name: String,
}

/// The group a pod is scheduled with.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct PodSchedulingGroup {
    /// Name of the group.
    #[object(format = "dns-subdomain")]
    pub pod_group_name: Option<String>,
}

/// A party that answers a request to evict a pod.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct EvictionResponder {
    /// Domain-prefixed name.
    #[object(required, format = "qualified-name")]
    pub name: String,
    /// Higher ones are asked first.
    #[object(required, min = 0, max = 100000)]
    pub priority: i32,
}

/// One line of `/etc/hosts`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct HostAlias {
    /// The address.
    #[object(required)]
    pub ip: String,
    /// Names for the address.
    pub hostnames: Vec<String>,
}

/// DNS settings of a pod.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct PodDNSConfig {
    /// Addresses of name servers.
    pub nameservers: Vec<String>,
    /// Search domains.
    pub searches: Vec<String>,
    /// Resolver options.
    pub options: Vec<PodDNSConfigOption>,
}

/// A resolver option.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct PodDNSConfigOption {
    /// Name of the option.
    pub name: Option<String>,
    /// Its value.
    pub value: Option<String>,
}
