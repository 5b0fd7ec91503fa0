//! Volumes by claim and by storage driver.

use std::collections::BTreeMap;

use crate::api::kinds::LocalObjectReference;
use crate::api::meta::{LabelSelector, ObjectMeta};
use crate::api::value::Quantity;
use bowline_macros::Schema;
use serde::{Deserialize, Serialize};

/// A claim in the pod's namespace.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct PersistentVolumeClaimVolumeSource {
    /// Name of the claim.
    #[object(required)]
    pub claim_name: String,
    /// Whether to mount read-only.
    pub read_only: Option<bool>,
}

/// A claim that lives as long as the pod.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct EphemeralVolumeSource {
    /// What the claim looks like.
    pub volume_claim_template: Option<PersistentVolumeClaimTemplate>,
}

/// What a claim made from a template looks like.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct PersistentVolumeClaimTemplate {
    /// Labels and annotations of the claim.
    #[serde(skip_serializing_if = "ObjectMeta::is_empty")]
    pub metadata: ObjectMeta,
    /// Specification of the claim.
    #[object(required)]
    pub spec: PersistentVolumeClaimSpec,
}

/// A request for storage.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct PersistentVolumeClaimSpec {
    /// How the volume may be mounted.
    pub access_modes: Vec<String>,
    /// Labels of volumes to consider.
    pub selector: Option<LabelSelector>,
    /// Size of the volume.
    pub resources: Option<VolumeResourceRequirements>,
    /// Volume that the claim is bound to.
    pub volume_name: Option<String>,
    /// Class of the storage.
    pub storage_class_name: Option<String>,
    /// `Block` or `Filesystem`.
    #[object(default = "Filesystem", one_of = ["Block", "Filesystem"])]
    pub volume_mode: Option<String>,
    /// Snapshot or claim to fill the volume from.
    pub data_source: Option<TypedLocalObjectReference>,
    /// Object to fill the volume from.
    pub data_source_ref: Option<TypedObjectReference>,
    /// Class of further attributes.
    pub volume_attributes_class_name: Option<String>,
}

/// The size of a volume.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct VolumeResourceRequirements {
    /// The most.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<String, Quantity>,
    /// The least.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub requests: BTreeMap<String, Quantity>,
}

/// A volume of a storage driver.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct CSIVolumeSource {
    /// Name of the driver.
    #[object(required)]
    pub driver: String,
    /// Whether to mount read-only.
    pub read_only: Option<bool>,
    /// File system type.
    pub fs_type: Option<String>,
    /// Attributes for the driver.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub volume_attributes: BTreeMap<String, String>,
    /// Secret for the driver.
    pub node_publish_secret_ref: Option<LocalObjectReference>,
}

/// A volume of an exec based plugin.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct FlexVolumeSource {
    /// Name of the driver.
    #[object(required)]
    pub driver: String,
    /// File system type.
    pub fs_type: Option<String>,
    /// Secret for the driver.
    pub secret_ref: Option<LocalObjectReference>,
    /// Whether to mount read-only.
    pub read_only: Option<bool>,
    /// Options for the driver.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, String>,
}

/// An object in the same namespace.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
#[object(atomic)]
pub struct TypedLocalObjectReference {
    /// API group; empty for the core group.
    pub api_group: Option<String>,
    /// Kind of the object.
    #[object(required)]
    pub kind: String,
    /// Name of the object.
    #[object(required)]
    pub name: String,
}

/// An object, possibly in another namespace.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct TypedObjectReference {
    /// API group; empty for the core group.
    pub api_group: Option<String>,
    /// Kind of the object.
    #[object(required)]
    pub kind: String,
    /// Name of the object.
    #[object(required)]
    pub name: String,
    /// Namespace of the object.
    pub namespace: Option<String>,
}
