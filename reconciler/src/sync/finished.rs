//! Jobs that ran to their end and were removed by their `ttlSecondsAfterFinished`: done, not missing.
//!
//! The proof is kept in the inventory; until it is there, the store's history gives it.

use bowline_runtime::api::diff::diff;
use bowline_runtime::api::kinds::Application;
use bowline_runtime::api::{merge, validate};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::observe::Subject;
use crate::apply::inventory;
use crate::plan::{Desired, MANAGER};

/// Whether a wanted object is a Job that is gone because it is done.
pub(super) fn has_finished(subject: Subject<'_>, desired: &Desired) -> bool {
    is_temporary(desired)
        && subject.snapshot.get(&desired.key).is_none()
        && (is_recorded(subject.application, desired) || ran_to_its_end(subject, desired))
}

/// Whether a Job is gone because it is done and the inventory does not say so yet.
pub(super) fn is_unrecorded(subject: Subject<'_>, desired: &Desired) -> bool {
    is_temporary(desired) && has_finished(subject, desired) && !is_recorded(subject.application, desired)
}

/// Returns what the inventory says of a Job that is done: a hash of its manifest.
pub(super) fn proof(desired: &Desired) -> String {
    let digest = Sha256::digest(desired.json());
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn is_temporary(desired: &Desired) -> bool {
    desired.kind.kind == "Job" && desired.config().pointer("/spec/ttlSecondsAfterFinished").is_some()
}

fn is_recorded(application: &Application, desired: &Desired) -> bool {
    let id = inventory::id(&desired.key);
    let entries = application.status.iter().flat_map(|status| &status.inventory);
    let mut found = entries.filter(|entry| entry.id == id);
    found.any(|entry| entry.finished.as_deref() == Some(proof(desired).as_str()))
}

/// Whether the last Job of this name was complete when it went and was made from the same manifest.
fn ran_to_its_end(subject: Subject<'_>, desired: &Desired) -> bool {
    let history = subject.shared.config.store.history(&desired.key);
    let Some(last) = history.last().filter(|last| last.deleted) else { return false };
    let value = last.object.value();
    let conditions = value.pointer("/status/conditions").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let complete = conditions.iter().any(|condition| {
        condition.get("type").and_then(Value::as_str) == Some("Complete")
            && condition.get("status").and_then(Value::as_str) == Some("True")
    });
    let kind = desired.kind;
    complete
        && merge::apply(Some(&value), &desired.config(), kind, MANAGER, true, None, subject.shared.now()).is_ok_and(
            |merged| {
                validate::update(kind, &value, &merged).is_empty()
                    && diff(&value, &merged, kind).iter().all(|change| change.path.starts_with("metadata.annotations"))
            },
        )
}
