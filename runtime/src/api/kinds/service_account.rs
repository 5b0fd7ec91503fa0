//! The ServiceAccount: an identity for pods.

use crate::api::kinds::{LocalObjectReference, ObjectReference};
use crate::api::meta::ObjectMeta;
use bowline_macros::Object;
use serde::{Deserialize, Serialize};

/// An identity for pods.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Object)]
#[serde(default, rename_all = "camelCase")]
#[object(
    whole, version = "v1", plural = "serviceaccounts", short("sa"), scope = Namespaced,
    column(name = "Secrets", type = "integer", render = crate::api::columns::secrets),
    column(name = "Age", type = "string", render = crate::api::columns::age)
)]
pub struct ServiceAccount {
    /// Standard metadata.
    pub metadata: ObjectMeta,
    /// Secrets that pods of this account may use.
    #[object(list_map = "name", not_enforced = "pods get no API credentials yet")]
    pub secrets: Vec<ObjectReference>,
    /// Secrets with registry credentials.
    #[object(not_enforced = "images are pulled without credentials yet")]
    pub image_pull_secrets: Vec<LocalObjectReference>,
    /// Whether API credentials are mounted.
    #[object(not_enforced = "pods get no API credentials yet")]
    pub automount_service_account_token: Option<bool>,
}
