//! Writing statuses: read, change, write if it differs, again if somebody was faster.

use bowline_runtime::api::meta::Condition;
use bowline_runtime::api::{Key, Object, Time, Timestamp};
use bowline_runtime::store::objects::{Context, prepare_status};
use bowline_runtime::store::{CommitError, Op, Precondition, Snapshot, Txn};

use super::Config;

/// How often a write is tried when others write the same object.
const TRIES_MAX: usize = 8;

/// Why a status was not written.
#[derive(Debug, thiserror::Error)]
pub enum StatusWriteError {
    /// The stored object is not of its kind any more.
    #[error("the stored object `{key}` cannot be read")]
    Unreadable {
        /// The object.
        key: Key,
        /// What the parser said.
        #[source]
        source: Box<bowline_runtime::store::DecodeError>,
    },
    /// The status breaks a rule of its kind.
    #[error("the status of `{key}` is not valid: {message}")]
    Invalid {
        /// The object.
        key: Key,
        /// The rule.
        message: String,
    },
    /// The store refused.
    #[error("the store did not take the status of `{key}`")]
    Store {
        /// The object.
        key: Key,
        /// Why.
        #[source]
        source: Box<CommitError>,
    },
}

/// Changes an object's status by `change` and writes it; nothing is written when nothing changes or it is gone.
pub(super) fn write<T: Object>(config: &Config, key: &Key, change: impl Fn(&mut T)) -> Result<(), StatusWriteError> {
    let mut last = None;
    for _ in 0..TRIES_MAX {
        let snapshot = config.store.snapshot();
        let Some(op) = op::<T>(config, &snapshot, key, &change)? else { return Ok(()) };
        match config.store.commit(Txn::one(op)) {
            Ok(_) => return Ok(()),
            Err(error @ CommitError::Conflict { .. }) => last = Some(error),
            Err(source) => return Err(StatusWriteError::Store { key: key.clone(), source: Box::new(source) }),
        }
    }
    match last {
        Some(source) => Err(StatusWriteError::Store { key: key.clone(), source: Box::new(source) }),
        None => Ok(()),
    }
}

/// Returns the operation that writes a changed status; `None` when nothing changes or the object is gone.
pub(super) fn op<T: Object>(
    config: &Config,
    snapshot: &Snapshot,
    key: &Key,
    change: impl Fn(&mut T),
) -> Result<Option<Op>, StatusWriteError> {
    let Some(stored) = snapshot.get(key) else { return Ok(None) };
    let typed = stored
        .typed::<T>()
        .map_err(|source| StatusWriteError::Unreadable { key: key.clone(), source: Box::new(source) })?;
    let mut next = T::clone(&typed);
    change(&mut next);
    let context =
        Context { kind: T::kind(), snapshot, now: (config.clock)(), entropy: (config.entropy)(), manager: None };
    let value = prepare_status(next.to_value(), &stored.value(), &context)
        .map_err(|error| StatusWriteError::Invalid { key: key.clone(), message: error.to_string() })?;
    let changed = value.get("status") != stored.value().get("status");
    Ok(changed.then(|| Op::put(key.clone(), Precondition::Revision(stored.revision()), value)))
}

/// Sets a condition; its time moves only when its status does.
pub(super) fn set(conditions: &mut Vec<Condition>, mut condition: Condition, now: Timestamp) {
    match conditions.iter_mut().find(|known| known.type_ == condition.type_) {
        Some(known) => {
            condition.last_transition_time =
                known.last_transition_time.filter(|_| known.status == condition.status).or(Some(Time::from(now)));
            *known = condition;
        }
        None => {
            condition.last_transition_time = Some(Time::from(now));
            conditions.push(condition);
        }
    }
}
