//! Containers: what runs, with which arguments, environment, ports and mounts.

use crate::api::kinds::{EnvFromSource, EnvVar, Lifecycle, Probe, ResourceRequirements, SecurityContext};
use bowline_macros::Schema;
use serde::{Deserialize, Serialize};

/// One container of a pod.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct Container {
    /// Name, unique in the pod.
    #[object(required, format = "dns-label")]
    pub name: String,
    /// Image to run.
    pub image: Option<String>,
    /// Program and leading arguments instead of the image's entry point; `$(NAME)` is expanded.
    pub command: Vec<String>,
    /// Arguments instead of the image's; `$(NAME)` is expanded.
    pub args: Vec<String>,
    /// Directory to start in; the image's if empty.
    pub working_dir: Option<String>,
    /// Ports that the container listens on.
    #[object(list_map("containerPort", "protocol"), patch_key = "containerPort")]
    pub ports: Vec<ContainerPort>,
    /// ConfigMaps and Secrets whose keys become environment variables.
    pub env_from: Vec<EnvFromSource>,
    /// Environment variables.
    #[object(list_map = "name")]
    pub env: Vec<EnvVar>,
    /// Resources the container needs and may use.
    #[object(default_json = "{}")]
    pub resources: Option<ResourceRequirements>,
    /// What a change of resources does to the container.
    #[object(not_enforced = "a change of resources makes a new pod")]
    pub resize_policy: Vec<ContainerResizePolicy>,
    /// Restart policy of this container; `Always` on an init container makes it a sidecar.
    #[object(one_of = ["Always", "OnFailure", "Never"], not_enforced = "containers follow the pod's `restartPolicy`; sidecars are not known yet")]
    pub restart_policy: Option<String>,
    /// Rules that decide on a restart by exit code.
    #[object(not_enforced = "containers follow the pod's `restartPolicy`")]
    pub restart_policy_rules: Vec<ContainerRestartRule>,
    /// Volumes to mount.
    #[object(list_map = "mountPath")]
    pub volume_mounts: Vec<VolumeMount>,
    /// Block devices to hand in.
    #[object(list_map = "devicePath", not_enforced = "block devices cannot be handed to a container yet")]
    pub volume_devices: Vec<VolumeDevice>,
    /// Restarts the container when it fails.
    #[object(not_enforced = "probes are not run yet")]
    pub liveness_probe: Option<Probe>,
    /// Takes the container out of service when it fails.
    #[object(not_enforced = "probes are not run yet; a started container counts as ready")]
    pub readiness_probe: Option<Probe>,
    /// Holds the other probes back until it succeeds.
    #[object(not_enforced = "probes are not run yet")]
    pub startup_probe: Option<Probe>,
    /// What to run after the start and before the stop.
    #[object(not_enforced = "hooks are not run yet")]
    pub lifecycle: Option<Lifecycle>,
    /// File whose text becomes the termination message.
    #[object(default = "/dev/termination-log")]
    pub termination_message_path: Option<String>,
    /// Where the termination message comes from.
    #[object(default = "File", one_of = ["File", "FallbackToLogsOnError"])]
    pub termination_message_policy: Option<String>,
    /// When to pull the image; `Always` for tag `latest`, else `IfNotPresent`.
    #[object(one_of = ["Always", "IfNotPresent", "Never"])]
    pub image_pull_policy: Option<String>,
    /// Security settings; they win over the pod's.
    pub security_context: Option<SecurityContext>,
    /// Whether to keep standard input open.
    #[object(not_enforced = "containers run without standard input")]
    pub stdin: Option<bool>,
    /// Whether to close standard input after the first client left.
    #[object(not_enforced = "containers run without standard input")]
    pub stdin_once: Option<bool>,
    /// Whether to give the container a terminal.
    pub tty: Option<bool>,
}

/// A container added to a running pod for debugging.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct EphemeralContainer {
    /// Name, unique in the pod.
    #[object(required, format = "dns-label")]
    pub name: String,
    /// Image to run.
    pub image: Option<String>,
    /// Program and leading arguments instead of the image's entry point.
    pub command: Vec<String>,
    /// Arguments instead of the image's.
    pub args: Vec<String>,
    /// Directory to start in; the image's if empty.
    pub working_dir: Option<String>,
    /// Not allowed here.
    #[object(list_map("containerPort", "protocol"), patch_key = "containerPort")]
    pub ports: Vec<ContainerPort>,
    /// ConfigMaps and Secrets whose keys become environment variables.
    pub env_from: Vec<EnvFromSource>,
    /// Environment variables.
    #[object(list_map = "name")]
    pub env: Vec<EnvVar>,
    /// Not allowed here.
    #[object(default_json = "{}")]
    pub resources: Option<ResourceRequirements>,
    /// Not allowed here.
    pub resize_policy: Vec<ContainerResizePolicy>,
    /// Not allowed here.
    #[object(one_of = ["Always", "OnFailure", "Never"])]
    pub restart_policy: Option<String>,
    /// Not allowed here.
    pub restart_policy_rules: Vec<ContainerRestartRule>,
    /// Volumes to mount.
    #[object(list_map = "mountPath")]
    pub volume_mounts: Vec<VolumeMount>,
    /// Block devices to hand in.
    #[object(list_map = "devicePath")]
    pub volume_devices: Vec<VolumeDevice>,
    /// Not allowed here.
    pub liveness_probe: Option<Probe>,
    /// Not allowed here.
    pub readiness_probe: Option<Probe>,
    /// Not allowed here.
    pub startup_probe: Option<Probe>,
    /// Not allowed here.
    pub lifecycle: Option<Lifecycle>,
    /// File whose text becomes the termination message.
    #[object(default = "/dev/termination-log")]
    pub termination_message_path: Option<String>,
    /// Where the termination message comes from.
    #[object(default = "File", one_of = ["File", "FallbackToLogsOnError"])]
    pub termination_message_policy: Option<String>,
    /// When to pull the image.
    #[object(one_of = ["Always", "IfNotPresent", "Never"])]
    pub image_pull_policy: Option<String>,
    /// Security settings; they win over the pod's.
    pub security_context: Option<SecurityContext>,
    /// Whether to keep standard input open.
    pub stdin: Option<bool>,
    /// Whether to close standard input after the first client left.
    pub stdin_once: Option<bool>,
    /// Whether to give the container a terminal.
    pub tty: Option<bool>,
    /// Container whose processes the new one sees.
    pub target_container_name: Option<String>,
}

/// A port that a container listens on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct ContainerPort {
    /// Name that others may refer to.
    #[object(format = "port-name")]
    pub name: Option<String>,
    /// Port on the host that leads here.
    #[object(min = 0, max = 65535, not_enforced = "ports are not forwarded from the host yet")]
    pub host_port: Option<i32>,
    /// Port number in the container.
    #[object(required, min = 1, max = 65535)]
    pub container_port: i32,
    /// `TCP`, `UDP` or `SCTP`.
    #[object(default = "TCP", one_of = ["TCP", "UDP", "SCTP"])]
    pub protocol: Option<String>,
    /// Address on the host to bind `hostPort` to.
    #[serde(rename = "hostIP")]
    #[object(not_enforced = "ports are not forwarded from the host yet")]
    pub host_ip: Option<String>,
}

/// What a change of one resource does to a running container.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct ContainerResizePolicy {
    /// `cpu` or `memory`.
    #[object(required, one_of = ["cpu", "memory"])]
    pub resource_name: String,
    /// `NotRequired` or `RestartContainer`.
    #[object(required, one_of = ["NotRequired", "RestartContainer"])]
    pub restart_policy: String,
}

/// A rule that decides on a container's restart.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct ContainerRestartRule {
    /// What to do when the rule applies.
    #[object(required, one_of = ["Restart", "RestartAllContainers"])]
    pub action: String,
    /// Exit codes that the rule applies to.
    pub exit_codes: Option<ContainerRestartRuleOnExitCodes>,
}

/// A test of an exit code.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct ContainerRestartRuleOnExitCodes {
    /// `In` or `NotIn`.
    #[object(required, one_of = ["In", "NotIn"])]
    pub operator: String,
    /// The exit codes.
    #[object(list_set)]
    pub values: Vec<i32>,
}

/// A volume seen in a container.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct VolumeMount {
    /// Name of the volume.
    #[object(required)]
    pub name: String,
    /// Whether the mount is read-only.
    pub read_only: Option<bool>,
    /// Whether mounts below are read-only, too.
    #[object(one_of = ["Disabled", "IfPossible", "Enabled"], not_enforced = "mounts below a read-only mount keep their own mode")]
    pub recursive_read_only: Option<String>,
    /// Path in the container; it may not contain `:`.
    #[object(required)]
    pub mount_path: String,
    /// Path in the volume to mount instead of its root.
    pub sub_path: Option<String>,
    /// How mounts travel between host and container.
    #[object(one_of = ["None", "HostToContainer", "Bidirectional"], not_enforced = "mounts do not propagate")]
    pub mount_propagation: Option<String>,
    /// Like `subPath`, with `$(NAME)` expanded.
    #[object(not_enforced = "a volume is mounted as a whole")]
    pub sub_path_expr: Option<String>,
    /// Further options: `noexec`, `nodev`, `nosuid`.
    #[object(not_enforced = "volumes are mounted with the standard options")]
    pub bind_mount_options: Vec<String>,
}

/// A block device seen in a container.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct VolumeDevice {
    /// Name of the claim's volume.
    #[object(required)]
    pub name: String,
    /// Path in the container.
    #[object(required)]
    pub device_path: String,
}
