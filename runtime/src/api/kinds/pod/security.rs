//! Security settings of pods and containers.

use bowline_macros::Schema;
use serde::{Deserialize, Serialize};

/// Security settings for all containers of a pod.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct PodSecurityContext {
    /// User id of the processes.
    #[object(min = 0, max = 2147483647)]
    pub run_as_user: Option<i64>,
    /// Group id of the processes.
    #[object(min = 0, max = 2147483647)]
    pub run_as_group: Option<i64>,
    /// Whether to refuse to run as root.
    pub run_as_non_root: Option<bool>,
    /// Further groups of the processes.
    pub supplemental_groups: Vec<i64>,
    /// Whether groups of the image's `/etc/group` count.
    #[object(one_of = ["Merge", "Strict"], not_enforced = "processes get no further groups yet")]
    pub supplemental_groups_policy: Option<String>,
    /// Group that owns the volumes.
    #[object(
        min = 0,
        max = 2147483647,
        not_enforced = "processes get the group, but ownership of volumes is not changed"
    )]
    pub fs_group: Option<i64>,
    /// When ownership of volumes is changed.
    #[object(one_of = ["OnRootMismatch", "Always"], not_enforced = "ownership of volumes is not changed yet")]
    pub fs_group_change_policy: Option<String>,
    /// SELinux label.
    #[object(not_enforced = "SELinux labels are not set yet")]
    pub se_linux_options: Option<SELinuxOptions>,
    /// How volumes are relabelled.
    #[object(one_of = ["MountOption", "Recursive"], not_enforced = "SELinux labels are not set yet")]
    pub se_linux_change_policy: Option<String>,
    /// System call filter.
    #[object(not_enforced = "system calls are not filtered yet")]
    pub seccomp_profile: Option<SeccompProfile>,
    /// AppArmor profile.
    #[object(not_enforced = "AppArmor profiles are not set yet")]
    pub app_armor_profile: Option<AppArmorProfile>,
    /// Kernel settings of the pod's namespaces.
    #[object(not_enforced = "kernel settings are left alone")]
    pub sysctls: Vec<Sysctl>,
    /// Settings for Windows.
    #[object(not_enforced = "hosts run Linux")]
    pub windows_options: Option<WindowsSecurityContextOptions>,
}

/// Security settings of a container.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct SecurityContext {
    /// Capabilities to add and drop.
    #[object(not_enforced = "containers get the default set of capabilities")]
    pub capabilities: Option<Capabilities>,
    /// Whether the container has all rights on the host.
    #[object(not_enforced = "no container is privileged yet")]
    pub privileged: Option<bool>,
    /// User id of the process.
    #[object(min = 0, max = 2147483647)]
    pub run_as_user: Option<i64>,
    /// Group id of the process.
    #[object(min = 0, max = 2147483647)]
    pub run_as_group: Option<i64>,
    /// Whether to refuse to run as root.
    pub run_as_non_root: Option<bool>,
    /// Whether the root file system is read-only.
    pub read_only_root_filesystem: Option<bool>,
    /// Whether a process may gain more rights than its parent.
    pub allow_privilege_escalation: Option<bool>,
    /// How `/proc` is mounted.
    #[object(one_of = ["Default", "Unmasked"], not_enforced = "`/proc` is mounted with the default masks")]
    pub proc_mount: Option<String>,
    /// SELinux label.
    #[object(not_enforced = "SELinux labels are not set yet")]
    pub se_linux_options: Option<SELinuxOptions>,
    /// System call filter.
    #[object(not_enforced = "system calls are not filtered yet")]
    pub seccomp_profile: Option<SeccompProfile>,
    /// AppArmor profile.
    #[object(not_enforced = "AppArmor profiles are not set yet")]
    pub app_armor_profile: Option<AppArmorProfile>,
    /// Settings for Windows.
    #[object(not_enforced = "hosts run Linux")]
    pub windows_options: Option<WindowsSecurityContextOptions>,
}

/// Capabilities to add to and drop from the default set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct Capabilities {
    /// Capabilities to add.
    pub add: Vec<String>,
    /// Capabilities to drop.
    pub drop: Vec<String>,
}

/// An SELinux label.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct SELinuxOptions {
    /// User part.
    pub user: Option<String>,
    /// Role part.
    pub role: Option<String>,
    /// Type part.
    #[serde(rename = "type")]
    pub type_: Option<String>,
    /// Level part.
    pub level: Option<String>,
}

/// A system call filter.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct SeccompProfile {
    /// `Localhost`, `RuntimeDefault` or `Unconfined`.
    #[serde(rename = "type")]
    #[object(required, one_of = ["Localhost", "RuntimeDefault", "Unconfined"])]
    pub type_: String,
    /// File of a `Localhost` profile.
    pub localhost_profile: Option<String>,
}

/// An AppArmor profile.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct AppArmorProfile {
    /// `Localhost`, `RuntimeDefault` or `Unconfined`.
    #[serde(rename = "type")]
    #[object(required, one_of = ["Localhost", "RuntimeDefault", "Unconfined"])]
    pub type_: String,
    /// Name of a `Localhost` profile.
    pub localhost_profile: Option<String>,
}

/// A kernel setting.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct Sysctl {
    /// Name of the setting.
    #[object(required)]
    pub name: String,
    /// Its value.
    pub value: String,
}

/// Security settings on Windows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct WindowsSecurityContextOptions {
    /// Name of the GMSA credential spec.
    pub gmsa_credential_spec_name: Option<String>,
    /// Contents of the GMSA credential spec.
    pub gmsa_credential_spec: Option<String>,
    /// User name of the process.
    pub run_as_user_name: Option<String>,
    /// Whether the container is a host process.
    pub host_process: Option<bool>,
}
