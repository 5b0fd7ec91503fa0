//! Patches as the write path applies them: which format a kind takes, and what a misfit is answered with.

use serde_json::Value;

use super::Applier;
use super::status::{Cause, StatusError};
use crate::api::merge::{self, ApplyError};
use crate::api::{Kind, Timestamp};

/// The format of a patch that is no apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchKind {
    /// `application/json-patch+json`.
    Json,
    /// `application/merge-patch+json`.
    Merge,
    /// `application/strategic-merge-patch+json`; not for custom kinds.
    Strategic,
}

impl PatchKind {
    /// Returns the object with the patch applied.
    pub(super) fn apply(self, kind: &'static Kind, live: &Value, body: &Value) -> Result<Value, StatusError> {
        match self {
            Self::Json => merge::json_patch(live, body).map_err(|error| match error.code() {
                422 => StatusError::unprocessable(&error.to_string()),
                413 => StatusError::too_large(error.to_string()),
                _ => StatusError::bad_request(error.to_string()),
            }),
            Self::Merge if body.is_object() => Ok(merge::merge_patch(live, body)),
            Self::Merge => Err(StatusError::bad_request("a merge patch must be a JSON object")),
            Self::Strategic if super::is_custom(kind) => Err(StatusError::unsupported_patch()),
            Self::Strategic => {
                merge::strategic(live, body, kind).map_err(|error| StatusError::bad_request(error.to_string()))
            }
        }
    }
}

/// Returns the object with what `applier` states applied.
pub(super) fn apply(
    kind: &'static Kind,
    live: Option<&Value>,
    config: &Value,
    applier: Applier<'_>,
    subresource: Option<&str>,
    now: Timestamp,
) -> Result<Value, StatusError> {
    let Applier { manager, force } = applier;
    if manager.is_empty() {
        return Err(StatusError::bad_request(
            "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch",
        ));
    }
    merge::apply(live, config, kind, manager, force, subresource, now).map_err(|error| {
        let message = error.to_string();
        match error {
            ApplyError::Conflict(conflicts) => {
                let cause = |conflict: &merge::Conflict| Cause {
                    reason: ApplyError::CONFLICT_CAUSE,
                    message: conflict.message(),
                    field: conflict.path.clone(),
                };
                StatusError::apply_conflict(message, conflicts.iter().map(cause).collect())
            }
            ApplyError::UnreadableManagers(_) => StatusError::internal(&message),
            ApplyError::ManagedFields | ApplyError::Malformed { .. } => StatusError::bad_request(message),
        }
    })
}
