//! One look at one Application: observe, decide, act, until there is nothing to do but wait.
//!
//! Each round starts from a fresh snapshot and ends with at most one transaction, in which the status stands first: the
//! inventory is never behind the objects. A pass that is cut off anywhere is simply done again.

mod apply;
mod finish;
mod round;

use bowline_runtime::api::kinds::Application;
use bowline_runtime::api::{Key, Timestamp};
use bowline_runtime::store::{CommitError, DecodeError};

use super::decide::decide;
use super::observe::{self, Subject};
use super::{Shared, lock};
pub(super) use round::Outcome;
use round::Round;

/// How many steps one pass takes before it gives way to other Applications.
const ROUNDS_MAX: usize = 16;

/// Why a pass ended early.
#[derive(Debug, thiserror::Error)]
pub enum PassError {
    /// The store refused a write.
    #[error("the store did not take the changes")]
    Store(#[source] CommitError),
    /// The stored Application cannot be read.
    #[error("the stored Application cannot be read")]
    Unreadable(#[from] DecodeError),
}

/// Looks at an Application; returns when to look again even if nothing happens.
pub(super) fn run(shared: &Shared, key: &Key) -> Result<Option<Timestamp>, PassError> {
    for _ in 0..ROUNDS_MAX {
        if let Outcome::Rest(until) = turn(shared, key)? {
            return Ok(until);
        }
    }
    Ok(Some(shared.now()))
}

/// Makes one round, after which everything remembered may be lost without harm.
pub(super) fn turn(shared: &Shared, key: &Key) -> Result<Outcome, PassError> {
    let memory = shared.memory(key);
    let mut memory = lock(&memory);
    match round(shared, key, &mut memory) {
        // Somebody was faster: what is true now is looked at afresh.
        Err(PassError::Store(CommitError::Conflict { .. })) => Ok(Outcome::Again),
        outcome => outcome,
    }
}

fn round(shared: &Shared, key: &Key, memory: &mut super::memory::Memory) -> Result<Outcome, PassError> {
    // Taken before the snapshot: what is noted later may not be in it, and is kept for the next round.
    let dirty = lock(&shared.dirty).remove(key).unwrap_or_default();
    memory.dirty.extend(dirty);
    let snapshot = shared.config.store.snapshot();
    let Some(stored) = snapshot.get(key) else { return Ok(Outcome::Rest(None)) };
    let application = stored.typed::<Application>()?;
    let subject = Subject { shared, snapshot: &snapshot, stored, application: &application };
    if stored.deletion_timestamp().is_some() {
        return finish::finish(subject, memory);
    }
    let observation = observe::observe(subject, memory);
    let action = decide(&observation.observed, shared.now());
    Round { subject, memory, observation: &observation }.act(action)
}
