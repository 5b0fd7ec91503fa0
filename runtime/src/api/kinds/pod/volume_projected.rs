//! Volumes made of fields, keys and tokens: downwardAPI and projected.

use std::collections::BTreeMap;

use crate::api::kinds::{KeyToPath, ObjectFieldSelector, ResourceFieldSelector};
use crate::api::meta::LabelSelector;
use bowline_macros::Schema;
use serde::{Deserialize, Serialize};

/// Files from fields of the pod.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct DownwardAPIVolumeSource {
    /// The files.
    pub items: Vec<DownwardAPIVolumeFile>,
    /// Permission bits of the files.
    #[object(default = 420, min = 0, max = 511)]
    pub default_mode: Option<i32>,
    /// Owner of the files.
    pub default_user: Option<i64>,
}

/// A file made from a field of the pod.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct DownwardAPIVolumeFile {
    /// Relative path of the file.
    #[object(required)]
    pub path: String,
    /// A field of the pod.
    pub field_ref: Option<ObjectFieldSelector>,
    /// A resource of a container.
    pub resource_field_ref: Option<ResourceFieldSelector>,
    /// Permission bits of the file.
    #[object(min = 0, max = 511)]
    pub mode: Option<i32>,
    /// Owner of the file.
    pub user: Option<i64>,
}

/// Several sources in one directory.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct ProjectedVolumeSource {
    /// The sources.
    pub sources: Vec<VolumeProjection>,
    /// Permission bits of the files.
    #[object(default = 420, min = 0, max = 511)]
    pub default_mode: Option<i32>,
    /// Owner of the files.
    pub default_user: Option<i64>,
}

/// One source; exactly one of the fields.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct VolumeProjection {
    /// Keys of a Secret.
    pub secret: Option<SecretProjection>,
    /// Fields of the pod.
    #[serde(rename = "downwardAPI")]
    pub downward_api: Option<DownwardAPIProjection>,
    /// Keys of a ConfigMap.
    pub config_map: Option<ConfigMapProjection>,
    /// A token of the pod's ServiceAccount.
    pub service_account_token: Option<ServiceAccountTokenProjection>,
    /// Certificates to trust.
    pub cluster_trust_bundle: Option<ClusterTrustBundleProjection>,
    /// A private key and certificate for the pod.
    pub pod_certificate: Option<PodCertificateProjection>,
}

/// Keys of a Secret.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct SecretProjection {
    /// Name of the Secret.
    pub name: Option<String>,
    /// Keys to take; all if empty.
    pub items: Vec<KeyToPath>,
    /// Whether the pod starts without it.
    pub optional: Option<bool>,
}

/// Keys of a ConfigMap.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct ConfigMapProjection {
    /// Name of the ConfigMap.
    pub name: Option<String>,
    /// Keys to take; all if empty.
    pub items: Vec<KeyToPath>,
    /// Whether the pod starts without it.
    pub optional: Option<bool>,
}

/// Fields of the pod.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct DownwardAPIProjection {
    /// The files.
    pub items: Vec<DownwardAPIVolumeFile>,
}

/// A token of the pod's ServiceAccount.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct ServiceAccountTokenProjection {
    /// Whom the token is for; the API server if empty.
    pub audience: Option<String>,
    /// Seconds the token is valid.
    #[object(default = 3600, min = 600)]
    pub expiration_seconds: Option<i64>,
    /// Relative path of the file.
    #[object(required)]
    pub path: String,
    /// Owner of the file.
    pub user: Option<i64>,
}

/// Certificates to trust.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct ClusterTrustBundleProjection {
    /// Name of one bundle.
    pub name: Option<String>,
    /// Signer of the bundles.
    pub signer_name: Option<String>,
    /// Labels of the bundles.
    pub label_selector: Option<LabelSelector>,
    /// Whether the pod starts without them.
    pub optional: Option<bool>,
    /// Relative path of the file.
    #[object(required)]
    pub path: String,
    /// Owner of the file.
    pub user: Option<i64>,
}

/// A private key and certificate for the pod.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct PodCertificateProjection {
    /// Who signs.
    #[object(required)]
    pub signer_name: String,
    /// Type of the key, for example `ED25519`.
    #[object(required)]
    pub key_type: String,
    /// The most seconds the certificate is valid.
    pub max_expiration_seconds: Option<i32>,
    /// File for key and certificates together.
    pub credential_bundle_path: Option<String>,
    /// File for the key.
    pub key_path: Option<String>,
    /// File for the certificates.
    pub certificate_chain_path: Option<String>,
    /// Hints for the signer.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub user_annotations: BTreeMap<String, String>,
    /// Owner of the files.
    pub user: Option<i64>,
}
