//! The Lease: who holds a role, and until when.

use crate::api::meta::ObjectMeta;
use crate::api::value::MicroTime;
use bowline_macros::{Object, Schema};
use serde::{Deserialize, Serialize};

/// A role that one party holds for a time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Object)]
#[serde(default, rename_all = "camelCase")]
#[object(
    whole, group = "coordination.k8s.io", version = "v1", plural = "leases", scope = Namespaced,
    column(name = "Holder", type = "string", path = "/spec/holderIdentity"),
    column(name = "Age", type = "string", render = crate::api::columns::age)
)]
pub struct Lease {
    /// Standard metadata.
    pub metadata: ObjectMeta,
    /// Who holds it, and until when.
    pub spec: LeaseSpec,
}

/// Who holds a Lease, and until when.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
pub struct LeaseSpec {
    /// The party that holds it.
    pub holder_identity: Option<String>,
    /// Seconds after `renewTime` until others may take it.
    #[object(min = 1)]
    pub lease_duration_seconds: Option<i32>,
    /// When it was taken.
    pub acquire_time: Option<MicroTime>,
    /// When it was last renewed.
    pub renew_time: Option<MicroTime>,
    /// How often it changed hands.
    #[object(min = 0)]
    pub lease_transitions: Option<i32>,
    /// How the holder is elected; empty means whoever writes first.
    pub strategy: Option<String>,
    /// Party that should take it next.
    pub preferred_holder: Option<String>,
}
