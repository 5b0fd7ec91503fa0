//! What is reported about a pod and its containers.

use std::collections::BTreeMap;

use crate::api::kinds::ResourceRequirements;
use crate::api::value::{Quantity, Time};
use bowline_macros::Schema;
use serde::{Deserialize, Serialize};

/// What was last seen of a pod.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct PodStatus {
    /// Generation that the host has acted on.
    pub observed_generation: Option<i64>,
    /// `Pending`, `Running`, `Succeeded`, `Failed` or `Unknown`.
    #[object(one_of = ["Pending", "Running", "Succeeded", "Failed", "Unknown"])]
    pub phase: Option<String>,
    /// Conditions such as `Ready` and `PodScheduled`.
    #[object(list_map = "type")]
    pub conditions: Vec<PodCondition>,
    /// One sentence on why the pod is in this state.
    pub message: Option<String>,
    /// One word on why the pod is in this state.
    pub reason: Option<String>,
    /// Host on which room is being made.
    pub nominated_node_name: Option<String>,
    /// Address of the host.
    #[serde(rename = "hostIP")]
    pub host_ip: Option<String>,
    /// Addresses of the host.
    #[serde(rename = "hostIPs")]
    pub host_ips: Vec<HostIP>,
    /// Address of the pod.
    #[serde(rename = "podIP")]
    pub pod_ip: Option<String>,
    /// Addresses of the pod.
    #[serde(rename = "podIPs")]
    #[object(list_map = "ip")]
    pub pod_ips: Vec<PodIP>,
    /// When the host accepted the pod.
    pub start_time: Option<Time>,
    /// State of the init containers.
    pub init_container_statuses: Vec<ContainerStatus>,
    /// State of the containers.
    pub container_statuses: Vec<ContainerStatus>,
    /// State of the ephemeral containers.
    pub ephemeral_container_statuses: Vec<ContainerStatus>,
    /// `Guaranteed`, `Burstable` or `BestEffort`.
    #[object(one_of = ["Guaranteed", "Burstable", "BestEffort"])]
    pub qos_class: Option<String>,
    /// State of a change of resources.
    pub resize: Option<String>,
    /// State of claims on devices.
    #[object(list_map = "name")]
    pub resource_claim_statuses: Vec<PodResourceClaimStatus>,
    /// State of extended resources backed by claims.
    pub extended_resource_claim_status: Option<PodExtendedResourceClaimStatus>,
    /// Resources set aside for the pod.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub allocated_resources: BTreeMap<String, Quantity>,
    /// Resources in force for the pod.
    pub resources: Option<ResourceRequirements>,
    /// Host resources taken by claims.
    pub node_allocatable_resource_claim_statuses: Vec<NodeAllocatableResourceClaimStatus>,
    /// Trouble with volumes.
    #[object(list_map = "name")]
    pub volume_health: Vec<PodVolumeHealth>,
}

/// A condition of a pod.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct PodCondition {
    /// What the condition is about.
    #[serde(rename = "type")]
    #[object(required)]
    pub type_: String,
    /// Generation that the condition was seen at.
    pub observed_generation: Option<i64>,
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

/// What was last seen of a container.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct ContainerStatus {
    /// Name of the container.
    #[object(required)]
    pub name: String,
    /// Present state.
    pub state: Option<ContainerState>,
    /// How the run before ended.
    pub last_state: Option<ContainerState>,
    /// Whether it is ready.
    pub ready: bool,
    /// How often it was started again.
    pub restart_count: i32,
    /// Image it runs.
    pub image: String,
    /// Digest of the image.
    #[serde(rename = "imageID")]
    pub image_id: String,
    /// Identity, `<runtime>://<id>`.
    #[serde(rename = "containerID")]
    pub container_id: Option<String>,
    /// Whether it has started.
    pub started: Option<bool>,
    /// Resources set aside.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub allocated_resources: BTreeMap<String, Quantity>,
    /// Resources in force.
    pub resources: Option<ResourceRequirements>,
    /// Mounts as they are.
    #[object(list_map = "mountPath")]
    pub volume_mounts: Vec<VolumeMountStatus>,
    /// User it started as.
    pub user: Option<ContainerUser>,
    /// Health of devices.
    #[object(list_map = "name")]
    pub allocated_resources_status: Vec<ResourceStatus>,
    /// Signal it is stopped with.
    pub stop_signal: Option<String>,
}

/// The state of a container; at most one of the fields.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct ContainerState {
    /// It does not run yet, or again.
    pub waiting: Option<ContainerStateWaiting>,
    /// It runs.
    pub running: Option<ContainerStateRunning>,
    /// It has ended.
    pub terminated: Option<ContainerStateTerminated>,
}

/// Why a container does not run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct ContainerStateWaiting {
    /// One word, for example `CrashLoopBackOff`.
    pub reason: Option<String>,
    /// One sentence.
    pub message: Option<String>,
}

/// Since when a container runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct ContainerStateRunning {
    /// When it was started.
    pub started_at: Option<Time>,
}

/// How a container ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct ContainerStateTerminated {
    /// Exit code of the process.
    pub exit_code: i32,
    /// Signal that ended it.
    pub signal: Option<i32>,
    /// One word, for example `Completed`, `Error`, `OOMKilled`.
    pub reason: Option<String>,
    /// Its termination message.
    pub message: Option<String>,
    /// When it was started.
    pub started_at: Option<Time>,
    /// When it ended.
    pub finished_at: Option<Time>,
    /// Identity, `<runtime>://<id>`.
    #[serde(rename = "containerID")]
    pub container_id: Option<String>,
}

/// The user a container started as.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct ContainerUser {
    /// On Linux.
    pub linux: Option<LinuxContainerUser>,
}

/// Ids of a process.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct LinuxContainerUser {
    /// User id.
    pub uid: i64,
    /// Group id.
    pub gid: i64,
    /// Further groups.
    pub supplemental_groups: Vec<i64>,
}

/// A mount as it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct VolumeMountStatus {
    /// Name of the volume.
    #[object(required)]
    pub name: String,
    /// Path in the container.
    #[object(required)]
    pub mount_path: String,
    /// Whether it is read-only.
    pub read_only: Option<bool>,
    /// Whether mounts below are read-only.
    pub recursive_read_only: Option<String>,
    /// State of the volume.
    pub volume_status: Option<VolumeStatus>,
}

/// The state of a volume.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct VolumeStatus {
    /// State of an image volume.
    pub image: Option<ImageVolumeStatus>,
}

/// The state of an image volume.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct ImageVolumeStatus {
    /// Digest of the image.
    pub image_ref: String,
}

/// Health of one device resource.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct ResourceStatus {
    /// Name of the resource.
    #[object(required)]
    pub name: String,
    /// Health of each device.
    #[object(list_map = "resourceID")]
    pub resources: Vec<ResourceHealth>,
}

/// Health of one device.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct ResourceHealth {
    /// Identifier of the device.
    #[serde(rename = "resourceID")]
    #[object(required)]
    pub resource_id: String,
    /// `Healthy`, `Unhealthy` or `Unknown`.
    pub health: Option<String>,
    /// One sentence.
    pub message: Option<String>,
}

/// An address of the host.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct HostIP {
    /// The address.
    pub ip: String,
}

/// An address of the pod.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct PodIP {
    /// The address.
    pub ip: String,
}

/// The claim made for an entry of `spec.resourceClaims`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct PodResourceClaimStatus {
    /// Name of the entry.
    #[object(required)]
    pub name: String,
    /// Name of the claim.
    pub resource_claim_name: Option<String>,
}

/// The claim made for extended resources.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct PodExtendedResourceClaimStatus {
    /// Which container's request it serves.
    pub request_mappings: Vec<ContainerExtendedResourceRequest>,
    /// Name of the claim.
    pub resource_claim_name: String,
}

/// A container's request served by a claim.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct ContainerExtendedResourceRequest {
    /// Name of the container.
    pub container_name: String,
    /// Name of the resource.
    pub resource_name: String,
    /// Name of the request in the claim.
    pub request_name: String,
}

/// Host resources taken by a claim.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct NodeAllocatableResourceClaimStatus {
    /// Name of the claim.
    pub resource_claim_name: String,
    /// Containers that use it.
    #[object(list_set)]
    pub containers: Vec<String>,
    /// Resources allocated.
    pub mapping: Vec<NodeAllocatableMappedResources>,
    /// Resources needed on top.
    pub overhead: Vec<NodeAllocatableOverheadResources>,
}

/// A host resource allocated for a claim.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct NodeAllocatableMappedResources {
    /// Name of the resource.
    pub name: String,
    /// How much.
    pub quantity: Quantity,
}

/// A host resource needed on top of a claim.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct NodeAllocatableOverheadResources {
    /// Name of the resource.
    pub name: String,
    /// How much for the pod.
    pub per_pod: Option<Quantity>,
    /// How much for each container.
    pub per_container: Option<Quantity>,
}

/// Trouble with one volume.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct PodVolumeHealth {
    /// Name of the volume.
    #[object(required)]
    pub name: String,
    /// When it began.
    pub last_transition_time: Option<Time>,
    /// What is wrong.
    pub health_conditions: Vec<VolumeHealthCondition>,
}

/// One trouble with a volume.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct VolumeHealthCondition {
    /// Class of the trouble.
    pub status: String,
    /// One word for programs.
    pub reason: String,
    /// One sentence for people.
    pub message: Option<String>,
}
