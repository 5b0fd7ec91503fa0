//! Where environment variables come from.

use crate::api::value::Quantity;
use bowline_macros::Schema;
use serde::{Deserialize, Serialize};

/// One environment variable.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct EnvVar {
    /// Name of the variable.
    #[object(required, format = "env-name")]
    pub name: String,
    /// Value; `$(NAME)` is expanded with variables set before, `$$` is a dollar sign.
    pub value: Option<String>,
    /// Source of the value, instead of `value`.
    pub value_from: Option<EnvVarSource>,
}

/// The source of a variable's value; exactly one of the fields.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct EnvVarSource {
    /// A field of the pod.
    pub field_ref: Option<ObjectFieldSelector>,
    /// A resource limit or request of the container.
    pub resource_field_ref: Option<ResourceFieldSelector>,
    /// A key of a ConfigMap.
    pub config_map_key_ref: Option<ConfigMapKeySelector>,
    /// A key of a Secret.
    pub secret_key_ref: Option<SecretKeySelector>,
    /// A key of an env file in a volume.
    #[object(not_enforced = "variables are not read from files yet")]
    pub file_key_ref: Option<FileKeySelector>,
}

/// A field of the pod.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
#[object(atomic)]
pub struct ObjectFieldSelector {
    /// Version that the path is written in.
    #[object(default = "v1")]
    pub api_version: Option<String>,
    /// Path of the field, for example `metadata.name`.
    #[object(required)]
    pub field_path: String,
}

/// A resource of a container.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
#[object(atomic)]
pub struct ResourceFieldSelector {
    /// Container; needed in volumes, optional in variables.
    pub container_name: Option<String>,
    /// The resource, for example `limits.memory`.
    #[object(required)]
    pub resource: String,
    /// Unit of the result; one if empty.
    pub divisor: Option<Quantity>,
}

/// A key of a ConfigMap.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
#[object(atomic)]
pub struct ConfigMapKeySelector {
    /// Name of the ConfigMap.
    pub name: Option<String>,
    /// The key.
    #[object(required, format = "config-key")]
    pub key: String,
    /// Whether the pod starts without it.
    pub optional: Option<bool>,
}

/// A key of a Secret.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
#[object(atomic)]
pub struct SecretKeySelector {
    /// Name of the Secret.
    pub name: Option<String>,
    /// The key.
    #[object(required, format = "config-key")]
    pub key: String,
    /// Whether the pod starts without it.
    pub optional: Option<bool>,
}

/// A key of an env file in a volume.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
#[object(atomic)]
pub struct FileKeySelector {
    /// Name of the volume.
    #[object(required)]
    pub volume_name: String,
    /// Path of the file in the volume.
    #[object(required)]
    pub path: String,
    /// The key.
    #[object(required)]
    pub key: String,
    /// Whether the pod starts without it.
    #[object(default = false)]
    pub optional: Option<bool>,
}

/// A ConfigMap or Secret whose keys become variables.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct EnvFromSource {
    /// Text put before each key.
    pub prefix: Option<String>,
    /// The ConfigMap.
    pub config_map_ref: Option<ConfigMapEnvSource>,
    /// The Secret.
    pub secret_ref: Option<SecretEnvSource>,
}

/// A ConfigMap whose keys become variables.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct ConfigMapEnvSource {
    /// Name of the ConfigMap.
    pub name: Option<String>,
    /// Whether the pod starts without it.
    pub optional: Option<bool>,
}

/// A Secret whose keys become variables.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct SecretEnvSource {
    /// Name of the Secret.
    pub name: Option<String>,
    /// Whether the pod starts without it.
    pub optional: Option<bool>,
}
