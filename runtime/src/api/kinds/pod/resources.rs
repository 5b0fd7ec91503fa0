//! Resources a container asks for, and claims on devices.

use std::collections::BTreeMap;

use crate::api::value::Quantity;
use bowline_macros::Schema;
use serde::{Deserialize, Serialize};

/// Resources that a container needs and may use.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct ResourceRequirements {
    /// The most of each resource.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<String, Quantity>,
    /// What is set aside; equal to the limit if empty.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub requests: BTreeMap<String, Quantity>,
    /// Claims of the pod that the container uses.
    #[object(list_map = "name", not_enforced = "dynamic resource allocation is not served")]
    pub claims: Vec<ResourceClaim>,
}

/// A claim of the pod that a container uses.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct ResourceClaim {
    /// Name of an entry in `spec.resourceClaims`.
    #[object(required)]
    pub name: String,
    /// One request of the claim; all if empty.
    pub request: Option<String>,
}

/// A claim on devices; exactly one of the sources.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct PodResourceClaim {
    /// Name, unique in the pod.
    #[object(required, format = "dns-label")]
    pub name: String,
    /// Name of a ResourceClaim.
    #[object(format = "dns-subdomain")]
    pub resource_claim_name: Option<String>,
    /// Name of a template that a claim is made from.
    #[object(format = "dns-subdomain")]
    pub resource_claim_template_name: Option<String>,
}
