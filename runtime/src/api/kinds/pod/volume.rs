//! Volumes a pod can mount, and the sources that hosts serve: configMap, secret, emptyDir, hostPath.

use crate::api::kinds::{
    AWSElasticBlockStoreVolumeSource, AzureDiskVolumeSource, AzureFileVolumeSource, CSIVolumeSource,
    CephFSVolumeSource, CinderVolumeSource, DownwardAPIVolumeSource, EphemeralVolumeSource, FCVolumeSource,
    FlexVolumeSource, FlockerVolumeSource, GCEPersistentDiskVolumeSource, GlusterfsVolumeSource, ISCSIVolumeSource,
    NFSVolumeSource, PersistentVolumeClaimVolumeSource, PhotonPersistentDiskVolumeSource, PortworxVolumeSource,
    ProjectedVolumeSource, QuobyteVolumeSource, RBDVolumeSource, ScaleIOVolumeSource, StorageOSVolumeSource,
    VsphereVirtualDiskVolumeSource,
};
use crate::api::value::Quantity;
use bowline_macros::Schema;
use serde::{Deserialize, Serialize};

/// A volume of a pod; exactly one of the sources, `emptyDir` if none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct Volume {
    /// Name, unique in the pod.
    #[object(required, format = "dns-label")]
    pub name: String,
    /// A path of the host.
    pub host_path: Option<HostPathVolumeSource>,
    /// A directory that lives as long as the pod.
    pub empty_dir: Option<EmptyDirVolumeSource>,
    /// Files from a ConfigMap.
    pub config_map: Option<ConfigMapVolumeSource>,
    /// Files from a Secret.
    pub secret: Option<SecretVolumeSource>,
    /// Files from fields of the pod.
    #[serde(rename = "downwardAPI")]
    #[object(not_enforced = "volumes of this kind cannot be mounted yet")]
    pub downward_api: Option<DownwardAPIVolumeSource>,
    /// Several sources in one directory.
    #[object(not_enforced = "volumes of this kind cannot be mounted yet")]
    pub projected: Option<ProjectedVolumeSource>,
    /// A claim in the pod's namespace.
    #[object(not_enforced = "volumes of this kind cannot be mounted yet")]
    pub persistent_volume_claim: Option<PersistentVolumeClaimVolumeSource>,
    /// A claim that lives as long as the pod.
    #[object(not_enforced = "volumes of this kind cannot be mounted yet")]
    pub ephemeral: Option<EphemeralVolumeSource>,
    /// The contents of an image.
    #[object(not_enforced = "volumes of this kind cannot be mounted yet")]
    pub image: Option<ImageVolumeSource>,
    /// A volume of a storage driver.
    #[object(not_enforced = "volumes of this kind cannot be mounted yet")]
    pub csi: Option<CSIVolumeSource>,
    /// An NFS export.
    #[object(not_enforced = "volumes of this kind cannot be mounted yet")]
    pub nfs: Option<NFSVolumeSource>,
    /// An iSCSI disk.
    #[object(not_enforced = "volumes of this kind cannot be mounted yet")]
    pub iscsi: Option<ISCSIVolumeSource>,
    /// A Fibre Channel disk.
    #[object(not_enforced = "volumes of this kind cannot be mounted yet")]
    pub fc: Option<FCVolumeSource>,
    /// A CephFS mount.
    #[object(not_enforced = "volumes of this kind cannot be mounted yet")]
    pub cephfs: Option<CephFSVolumeSource>,
    /// A Ceph block device.
    #[object(not_enforced = "volumes of this kind cannot be mounted yet")]
    pub rbd: Option<RBDVolumeSource>,
    /// A Gluster volume.
    #[object(not_enforced = "volumes of this kind cannot be mounted yet")]
    pub glusterfs: Option<GlusterfsVolumeSource>,
    /// A Quobyte mount.
    #[object(not_enforced = "volumes of this kind cannot be mounted yet")]
    pub quobyte: Option<QuobyteVolumeSource>,
    /// A StorageOS volume.
    #[object(not_enforced = "volumes of this kind cannot be mounted yet")]
    pub storageos: Option<StorageOSVolumeSource>,
    /// A ScaleIO volume.
    #[serde(rename = "scaleIO")]
    #[object(not_enforced = "volumes of this kind cannot be mounted yet")]
    pub scale_io: Option<ScaleIOVolumeSource>,
    /// A Flocker volume.
    #[object(not_enforced = "volumes of this kind cannot be mounted yet")]
    pub flocker: Option<FlockerVolumeSource>,
    /// A volume of an exec based plugin.
    #[object(not_enforced = "volumes of this kind cannot be mounted yet")]
    pub flex_volume: Option<FlexVolumeSource>,
    /// A Portworx volume.
    #[object(not_enforced = "volumes of this kind cannot be mounted yet")]
    pub portworx_volume: Option<PortworxVolumeSource>,
    /// A Git repository at a revision.
    #[object(not_enforced = "volumes of this kind cannot be mounted yet")]
    pub git_repo: Option<GitRepoVolumeSource>,
    /// An AWS disk.
    #[object(not_enforced = "volumes of this kind cannot be mounted yet")]
    pub aws_elastic_block_store: Option<AWSElasticBlockStoreVolumeSource>,
    /// An Azure disk.
    #[object(not_enforced = "volumes of this kind cannot be mounted yet")]
    pub azure_disk: Option<AzureDiskVolumeSource>,
    /// An Azure file share.
    #[object(not_enforced = "volumes of this kind cannot be mounted yet")]
    pub azure_file: Option<AzureFileVolumeSource>,
    /// An OpenStack volume.
    #[object(not_enforced = "volumes of this kind cannot be mounted yet")]
    pub cinder: Option<CinderVolumeSource>,
    /// A Google Cloud disk.
    #[object(not_enforced = "volumes of this kind cannot be mounted yet")]
    pub gce_persistent_disk: Option<GCEPersistentDiskVolumeSource>,
    /// A Photon disk.
    #[object(not_enforced = "volumes of this kind cannot be mounted yet")]
    pub photon_persistent_disk: Option<PhotonPersistentDiskVolumeSource>,
    /// A vSphere disk.
    #[object(not_enforced = "volumes of this kind cannot be mounted yet")]
    pub vsphere_volume: Option<VsphereVirtualDiskVolumeSource>,
}

/// A path of the host.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct HostPathVolumeSource {
    /// The path; it may not contain `..`.
    #[object(required)]
    pub path: String,
    /// What must be there, or is made; empty for no check.
    #[serde(rename = "type")]
    #[object(default = "", one_of = ["", "DirectoryOrCreate", "Directory", "FileOrCreate", "File", "Socket", "CharDevice", "BlockDevice"])]
    pub type_: Option<String>,
}

/// A directory that lives as long as the pod.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct EmptyDirVolumeSource {
    /// Where it is kept: empty for disk, `Memory`.
    pub medium: Option<String>,
    /// The most it may hold.
    #[object(not_enforced = "only a directory with `medium: Memory` is limited")]
    pub size_limit: Option<Quantity>,
    /// Permission bits of the directory.
    #[object(min = 0, max = 1023, not_enforced = "the directory is open to all users of the pod")]
    pub mode: Option<i32>,
}

/// Files from a ConfigMap.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct ConfigMapVolumeSource {
    /// Name of the ConfigMap.
    pub name: Option<String>,
    /// Keys to take and where to put them; all if empty.
    pub items: Vec<KeyToPath>,
    /// Permission bits of the files; 420 is `0644`.
    #[object(default = 420, min = 0, max = 511)]
    pub default_mode: Option<i32>,
    /// Whether the pod starts without it.
    pub optional: Option<bool>,
    /// Owner of the files.
    #[object(not_enforced = "files belong to root")]
    pub default_user: Option<i64>,
}

/// Files from a Secret.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct SecretVolumeSource {
    /// Name of the Secret.
    pub secret_name: Option<String>,
    /// Keys to take and where to put them; all if empty.
    pub items: Vec<KeyToPath>,
    /// Permission bits of the files; 420 is `0644`.
    #[object(default = 420, min = 0, max = 511)]
    pub default_mode: Option<i32>,
    /// Whether the pod starts without it.
    pub optional: Option<bool>,
    /// Owner of the files.
    #[object(not_enforced = "files belong to root")]
    pub default_user: Option<i64>,
}

/// A key and the file it becomes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct KeyToPath {
    /// The key.
    #[object(required)]
    pub key: String,
    /// Relative path of the file, without `..`.
    #[object(required)]
    pub path: String,
    /// Permission bits of the file.
    #[object(min = 0, max = 511)]
    pub mode: Option<i32>,
    /// Owner of the file.
    #[object(not_enforced = "files belong to root")]
    pub user: Option<i64>,
}

/// The contents of an image.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct ImageVolumeSource {
    /// The image.
    pub reference: Option<String>,
    /// When to pull it.
    #[object(one_of = ["Always", "IfNotPresent", "Never"])]
    pub pull_policy: Option<String>,
}

/// A Git repository at a revision.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct GitRepoVolumeSource {
    /// Where to clone from.
    #[object(required)]
    pub repository: String,
    /// Commit to check out.
    pub revision: Option<String>,
    /// Directory to clone into.
    pub directory: Option<String>,
}
