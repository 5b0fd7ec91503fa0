//! The pure half of the store: what a transaction does to a state.
//!
//! Responsible for: preconditions, revisions, events. Never does I/O, reads a clock or blocks.

use std::sync::Arc;

use serde_json::Value;

use super::history::{Event, EventKind, History};
use super::snapshot::Snapshot;
use super::stored::Stored;
use super::txn::{Change, CommitError, Committed, Found, Op, Outcome, Precondition, Txn};

/// A snapshot and the history that led to it. Readers see both change at once.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    pub(super) snapshot: Snapshot,
    pub(super) history: History,
}

impl State {
    /// Carries out a transaction, all of it or nothing, and adds its events to `events`.
    pub(super) fn apply(&mut self, txn: Txn, events: &mut Vec<Arc<Event>>) -> Result<Committed, CommitError> {
        let before = (txn.ops.len() > 1).then(|| (self.clone(), events.len()));
        let mut outcomes = Vec::with_capacity(txn.ops.len());
        for op in txn.ops {
            match self.apply_op(op, events) {
                Ok(outcome) => outcomes.push(outcome),
                Err(error) => {
                    if let Some((state, len)) = before {
                        *self = state;
                        events.truncate(len);
                    }
                    return Err(error);
                }
            }
        }
        Ok(Committed { revision: self.snapshot.revision(), outcomes })
    }

    /// Changes one object; an error leaves the state as it was.
    fn apply_op(&mut self, op: Op, events: &mut Vec<Arc<Event>>) -> Result<Outcome, CommitError> {
        let current = self.snapshot.get(&op.key).cloned();
        check(&op, current.as_ref())?;
        let revision = self.snapshot.revision() + 1;
        let Op { key, change, .. } = op;
        let (event, outcome) = match (change, current) {
            (Change::Put(mut value), Some(current)) => {
                copy_revision(&mut value, &current);
                if is_same(&value, &current) {
                    return Ok(Outcome::Unchanged(Some(current)));
                }
                let new = make(key, revision, current.created_revision(), value)?;
                self.snapshot.put(Arc::clone(&new));
                (Event::put(Some(current), Arc::clone(&new)), Outcome::Put(new))
            }
            (Change::Put(value), None) => {
                let new = make(key, revision, revision, value)?;
                self.snapshot.put(Arc::clone(&new));
                (Event::put(None, Arc::clone(&new)), Outcome::Put(new))
            }
            (Change::Delete, Some(current)) => {
                let last = make(key, revision, current.created_revision(), current.to_value())?;
                self.snapshot.delete(last.key(), revision);
                (Event::delete(current.revision(), Arc::clone(&last)), Outcome::Deleted(last))
            }
            (Change::Keep, current) => return Ok(Outcome::Unchanged(current)),
            (Change::Delete, None) => return Ok(Outcome::Unchanged(None)),
        };
        let event = Arc::new(event);
        self.history.push(Arc::clone(&event));
        events.push(event);
        Ok(outcome)
    }
}

impl Event {
    pub(super) fn put(old: Option<Arc<Stored>>, new: Arc<Stored>) -> Self {
        let previous = old.as_ref().map_or(0, |old| old.revision());
        Self { revision: new.revision(), previous, kind: EventKind::Put { old, new } }
    }
    pub(super) fn delete(previous: u64, last: Arc<Stored>) -> Self {
        Self { revision: last.revision(), previous, kind: EventKind::Delete { old: last } }
    }
}

fn make(key: crate::api::Key, revision: u64, created: u64, value: Value) -> Result<Arc<Stored>, CommitError> {
    let malformed = CommitError::Malformed { key: key.clone() };
    Stored::new(key, revision, created, value).map(Arc::new).ok_or(malformed)
}

/// Makes a value comparable with the stored one, which carries its revision.
fn copy_revision(value: &mut Value, current: &Stored) {
    if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.insert("resourceVersion".into(), Value::String(current.revision().to_string()));
    }
}

/// Whether a value is what is stored: equal values have equal texts.
fn is_same(value: &Value, current: &Stored) -> bool {
    match current.warm() {
        Some(warm) => *warm == *value,
        None => serde_json::to_string(value).is_ok_and(|text| text == current.json()),
    }
}

fn check(op: &Op, current: Option<&Arc<Stored>>) -> Result<(), CommitError> {
    let holds = match &op.precondition {
        Precondition::Any => true,
        Precondition::Absent => current.is_none(),
        Precondition::Exists => current.is_some(),
        Precondition::Revision(revision) => current.is_some_and(|stored| stored.revision() == *revision),
        Precondition::Uid(uid) => current.is_some_and(|stored| stored.uid() == uid),
    };
    if holds {
        return Ok(());
    }
    let found = current
        .map_or(Found::Absent, |stored| Found::Present { revision: stored.revision(), uid: stored.uid().to_owned() });
    Err(CommitError::Conflict { key: op.key.clone(), expected: op.precondition.clone(), found })
}
