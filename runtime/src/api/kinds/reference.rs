//! References from one object to another.

use bowline_macros::Schema;
use serde::{Deserialize, Serialize};

/// A reference to any object.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
#[object(atomic)]
pub struct ObjectReference {
    /// Kind of the object.
    pub kind: Option<String>,
    /// Namespace of the object.
    pub namespace: Option<String>,
    /// Name of the object.
    pub name: Option<String>,
    /// Identity of the object.
    pub uid: Option<String>,
    /// API version of the object.
    pub api_version: Option<String>,
    /// Revision of the object.
    pub resource_version: Option<String>,
    /// Part of the object, for example `spec.containers{name}`.
    pub field_path: Option<String>,
}

/// A reference to an object in the same namespace.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Schema)]
#[serde(default, rename_all = "camelCase")]
#[object(atomic)]
pub struct LocalObjectReference {
    /// Name of the object.
    pub name: Option<String>,
}
