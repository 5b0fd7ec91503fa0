//! The end of an Application that is being deleted.

use bowline_runtime::api::kinds::Application;
use bowline_runtime::store::objects::update_op;
use bowline_runtime::store::{Op, Txn};

use super::super::FINALIZER;
use super::super::memory::Memory;
use super::super::observe::{Subject, owner};
use super::PassError;
use super::round::Outcome;
use crate::plan::{Facts, removals};

/// Deletes what a deleted Application owns, if it prunes, and lets it go, in one transaction.
pub(super) fn finish(subject: Subject<'_>, memory: &mut Memory) -> Result<Outcome, PassError> {
    let Subject { shared, snapshot, stored, application } = subject;
    if !application.metadata.finalizers.iter().any(|finalizer| finalizer == FINALIZER) {
        return Ok(Outcome::Rest(None));
    }
    let entropy = || (shared.config.entropy)();
    let facts = Facts { snapshot, kinds: &shared.config.kinds, now: shared.now(), entropy: &entropy };
    let ops = removals(&owner(subject, memory), &facts);
    let mut value = stored.to_value();
    if let Some(list) = value.pointer_mut("/metadata/finalizers").and_then(serde_json::Value::as_array_mut) {
        list.retain(|finalizer| finalizer != FINALIZER);
    }
    let last = update_op(stored.key().clone(), Application::kind(), value, stored.revision());
    let ops: Vec<Op> = ops.into_iter().chain([last]).collect();
    shared.config.store.commit(Txn::from(ops)).map_err(PassError::Store)?;
    Ok(Outcome::Rest(None))
}
