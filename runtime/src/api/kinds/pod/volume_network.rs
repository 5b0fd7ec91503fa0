//! Volumes from storage on the network; kept for compatibility, not mounted.

use crate::api::kinds::LocalObjectReference;
use bowline_macros::Schema;
use serde::{Deserialize, Serialize};

/// An NFS export.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct NFSVolumeSource {
    /// Address of the server.
    #[object(required)]
    pub server: String,
    /// Exported path.
    #[object(required, format = "absolute-path")]
    pub path: String,
    /// Whether to mount read-only.
    pub read_only: Option<bool>,
}

/// An iSCSI disk.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct ISCSIVolumeSource {
    /// Address of the target.
    #[object(required)]
    pub target_portal: String,
    /// Name of the target.
    #[object(required)]
    pub iqn: String,
    /// Number of the unit.
    pub lun: i32,
    /// Interface name.
    #[object(default = "default")]
    pub iscsi_interface: Option<String>,
    /// File system type.
    pub fs_type: Option<String>,
    /// Whether to mount read-only.
    pub read_only: Option<bool>,
    /// Further addresses of the target.
    pub portals: Vec<String>,
    /// Whether discovery uses CHAP.
    pub chap_auth_discovery: Option<bool>,
    /// Whether sessions use CHAP.
    pub chap_auth_session: Option<bool>,
    /// Secret with CHAP credentials.
    pub secret_ref: Option<LocalObjectReference>,
    /// Name of the initiator.
    pub initiator_name: Option<String>,
}

/// A Fibre Channel disk.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct FCVolumeSource {
    /// Names of the target.
    #[serde(rename = "targetWWNs")]
    pub target_wwns: Vec<String>,
    /// Number of the unit.
    pub lun: Option<i32>,
    /// File system type.
    pub fs_type: Option<String>,
    /// Whether to mount read-only.
    pub read_only: Option<bool>,
    /// Identifiers of the disk.
    pub wwids: Vec<String>,
}

/// A CephFS mount.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct CephFSVolumeSource {
    /// Addresses of monitors.
    #[object(required)]
    pub monitors: Vec<String>,
    /// Path in the file system.
    pub path: Option<String>,
    /// User name.
    pub user: Option<String>,
    /// File with the key.
    pub secret_file: Option<String>,
    /// Secret with the key.
    pub secret_ref: Option<LocalObjectReference>,
    /// Whether to mount read-only.
    pub read_only: Option<bool>,
}

/// A Ceph block device.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct RBDVolumeSource {
    /// Addresses of monitors.
    #[object(required)]
    pub monitors: Vec<String>,
    /// Name of the image.
    #[object(required)]
    pub image: String,
    /// File system type.
    pub fs_type: Option<String>,
    /// Pool of the image.
    #[object(default = "rbd")]
    pub pool: Option<String>,
    /// User name.
    #[object(default = "admin")]
    pub user: Option<String>,
    /// Path of the key ring.
    #[object(default = "/etc/ceph/keyring")]
    pub keyring: Option<String>,
    /// Secret with the key.
    pub secret_ref: Option<LocalObjectReference>,
    /// Whether to mount read-only.
    pub read_only: Option<bool>,
}

/// A Gluster volume.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct GlusterfsVolumeSource {
    /// Name of the Endpoints object.
    #[object(required)]
    pub endpoints: String,
    /// Name of the volume.
    #[object(required)]
    pub path: String,
    /// Whether to mount read-only.
    pub read_only: Option<bool>,
}

/// A Quobyte mount.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct QuobyteVolumeSource {
    /// Addresses of the registry.
    #[object(required)]
    pub registry: String,
    /// Name of the volume.
    #[object(required)]
    pub volume: String,
    /// Whether to mount read-only.
    pub read_only: Option<bool>,
    /// User to mount as.
    pub user: Option<String>,
    /// Group to mount as.
    pub group: Option<String>,
    /// Tenant of the volume.
    pub tenant: Option<String>,
}

/// A StorageOS volume.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct StorageOSVolumeSource {
    /// Name of the volume.
    pub volume_name: Option<String>,
    /// Namespace of the volume in StorageOS.
    pub volume_namespace: Option<String>,
    /// File system type.
    pub fs_type: Option<String>,
    /// Whether to mount read-only.
    pub read_only: Option<bool>,
    /// Secret with credentials.
    pub secret_ref: Option<LocalObjectReference>,
}

/// A ScaleIO volume.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct ScaleIOVolumeSource {
    /// Address of the gateway.
    #[object(required)]
    pub gateway: String,
    /// Name of the system.
    #[object(required)]
    pub system: String,
    /// Secret with credentials.
    #[object(required)]
    pub secret_ref: LocalObjectReference,
    /// Whether to use TLS.
    pub ssl_enabled: Option<bool>,
    /// Name of the protection domain.
    pub protection_domain: Option<String>,
    /// Name of the pool.
    pub storage_pool: Option<String>,
    /// How the volume is provisioned.
    #[object(default = "ThinProvisioned")]
    pub storage_mode: Option<String>,
    /// Name of the volume.
    pub volume_name: Option<String>,
    /// File system type.
    #[object(default = "xfs")]
    pub fs_type: Option<String>,
    /// Whether to mount read-only.
    pub read_only: Option<bool>,
}

/// A Flocker volume.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct FlockerVolumeSource {
    /// Name of the dataset.
    pub dataset_name: Option<String>,
    /// Identifier of the dataset.
    #[serde(rename = "datasetUUID")]
    pub dataset_uuid: Option<String>,
}

/// A Portworx volume.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct PortworxVolumeSource {
    /// Identifier of the volume.
    #[serde(rename = "volumeID")]
    #[object(required)]
    pub volume_id: String,
    /// File system type.
    pub fs_type: Option<String>,
    /// Whether to mount read-only.
    pub read_only: Option<bool>,
}
