//! What bowline's own endpoints need of the daemon.

use std::path::PathBuf;

use bowline_runtime::store::objects::StatusError;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The rest of the daemon, as bowline's own endpoints use it.
pub trait Admin: Send + Sync + 'static {
    /// Compares what Applications would declare with what is stored: one plan each, in the order asked.
    ///
    /// # Errors
    /// 400 for what makes no sense; mistakes in objects stand in the plans.
    fn plan(&self, applications: Vec<PlanRequest>) -> BoxFuture<'_, Result<Vec<Value>, StatusError>>;

    /// Loads an OCI layout or archive from a path of this host, which is absolute.
    ///
    /// # Errors
    /// 400 for a file that is none, with what is wrong in it.
    fn load_images(&self, path: PathBuf) -> BoxFuture<'_, Result<Vec<LoadedImage>, StatusError>>;

    /// Stops every pod of this state directory and removes what they left on the host; returns how many there were.
    ///
    /// The answer is sent before the daemon ends: an implementer that ends the process does so later.
    ///
    /// # Errors
    /// 500 with what could not be removed.
    fn down(&self) -> BoxFuture<'_, Result<u64, StatusError>>;
}

/// One Application to plan for.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlanRequest {
    /// `namespace/name`.
    pub application: String,
    /// The namespace of objects that name none.
    pub target_namespace: String,
    /// What it would declare.
    pub objects: Vec<PlanObject>,
}

/// One declared object.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanObject {
    /// The manifest.
    pub value: Value,
    /// Where it stands, `file:line`.
    pub place: String,
}

/// An image that was loaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LoadedImage {
    /// The name that pods use.
    pub reference: String,
    /// `sha256:…` of its manifest.
    pub digest: String,
}
