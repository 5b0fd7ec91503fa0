//! Volumes from disks of cloud providers; kept for compatibility, not mounted.

use crate::api::kinds::LocalObjectReference;
use bowline_macros::Schema;
use serde::{Deserialize, Serialize};

/// An AWS disk.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct AWSElasticBlockStoreVolumeSource {
    /// Identifier of the disk.
    #[serde(rename = "volumeID")]
    #[object(required)]
    pub volume_id: String,
    /// File system type.
    pub fs_type: Option<String>,
    /// Partition number.
    pub partition: Option<i32>,
    /// Whether to mount read-only.
    pub read_only: Option<bool>,
}

/// An Azure disk.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct AzureDiskVolumeSource {
    /// Name of the disk.
    #[object(required)]
    pub disk_name: String,
    /// Address of the disk.
    #[serde(rename = "diskURI")]
    #[object(required)]
    pub disk_uri: String,
    /// Caching: `None`, `ReadOnly`, `ReadWrite`.
    #[object(default = "ReadWrite")]
    pub caching_mode: Option<String>,
    /// File system type.
    #[object(default = "ext4")]
    pub fs_type: Option<String>,
    /// Whether to mount read-only.
    #[object(default = false)]
    pub read_only: Option<bool>,
    /// `Shared`, `Dedicated` or `Managed`.
    #[object(default = "Shared")]
    pub kind: Option<String>,
}

/// An Azure file share.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct AzureFileVolumeSource {
    /// Secret with credentials.
    #[object(required)]
    pub secret_name: String,
    /// Name of the share.
    #[object(required)]
    pub share_name: String,
    /// Whether to mount read-only.
    pub read_only: Option<bool>,
}

/// An OpenStack volume.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct CinderVolumeSource {
    /// Identifier of the volume.
    #[serde(rename = "volumeID")]
    #[object(required)]
    pub volume_id: String,
    /// File system type.
    pub fs_type: Option<String>,
    /// Whether to mount read-only.
    pub read_only: Option<bool>,
    /// Secret with credentials.
    pub secret_ref: Option<LocalObjectReference>,
}

/// A Google Cloud disk.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct GCEPersistentDiskVolumeSource {
    /// Name of the disk.
    #[object(required)]
    pub pd_name: String,
    /// File system type.
    pub fs_type: Option<String>,
    /// Partition number.
    pub partition: Option<i32>,
    /// Whether to mount read-only.
    pub read_only: Option<bool>,
}

/// A Photon disk.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct PhotonPersistentDiskVolumeSource {
    /// Identifier of the disk.
    #[serde(rename = "pdID")]
    #[object(required)]
    pub pd_id: String,
    /// File system type.
    pub fs_type: Option<String>,
}

/// A vSphere disk.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct VsphereVirtualDiskVolumeSource {
    /// Path of the disk.
    #[object(required)]
    pub volume_path: String,
    /// File system type.
    pub fs_type: Option<String>,
    /// Name of the storage policy.
    pub storage_policy_name: Option<String>,
    /// Identifier of the storage policy.
    #[serde(rename = "storagePolicyID")]
    pub storage_policy_id: Option<String>,
}
