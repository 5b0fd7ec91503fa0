//! What a writer asks for and what it is told.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::Stored;
use crate::api::Key;

/// Changes that happen together or not at all.
#[derive(Clone, Debug, Default)]
pub struct Txn {
    /// The changes in the order in which they get their revisions; a later one sees what an earlier one did.
    pub ops: Vec<Op>,
}

/// One change of one object.
#[derive(Clone)]
pub struct Op {
    /// The object.
    pub key: Key,
    /// What must hold for the whole transaction to happen.
    pub precondition: Precondition,
    /// What happens to the object.
    pub change: Change,
}

/// What must be true of an object before it is changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Precondition {
    /// Nothing.
    Any,
    /// There is no such object.
    Absent,
    /// There is such an object.
    Exists,
    /// The object was last changed by this revision.
    Revision(u64),
    /// The object has this `metadata.uid`.
    Uid(String),
}

/// What happens to an object.
#[derive(Clone)]
pub enum Change {
    /// It becomes this value; `metadata.resourceVersion` is overwritten. The same value again is no change.
    Put(Value),
    /// It goes. An object that is not there is no change.
    Delete,
    /// It stays as it is: only the precondition counts.
    Keep,
}

/// A transaction that is durable.
#[derive(Clone, Debug)]
pub struct Committed {
    /// The store's revision once the transaction was done; that of its last change, if it changed anything.
    pub revision: u64,
    /// What became of each [`Op`], in order.
    pub outcomes: Vec<Outcome>,
}

/// What became of one [`Op`].
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The object has a new revision.
    Put(Arc<Stored>),
    /// The object is gone; this is its last state, with the revision of the deletion.
    Deleted(Arc<Stored>),
    /// The change changed nothing: the object as it is, or `None` for a deletion of what was not there.
    Unchanged(Option<Arc<Stored>>),
}

impl Outcome {
    /// Returns the object after the change, or its last state where it is gone.
    pub fn object(&self) -> Option<&Arc<Stored>> {
        match self {
            Self::Put(stored) | Self::Deleted(stored) => Some(stored),
            Self::Unchanged(stored) => stored.as_ref(),
        }
    }
}

/// What a failed precondition met instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// No such object.
    Absent,
    /// An object with another revision or UID.
    Present {
        /// Its revision.
        revision: u64,
        /// Its UID.
        uid: String,
    },
}

/// Why a transaction did not happen. Cloned for all transactions that shared a failed write.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CommitError {
    /// A precondition did not hold; nothing was written.
    #[error("cannot change `{key}`: expected {expected}, found {found}; read the object again and retry")]
    Conflict {
        /// The object.
        key: Key,
        /// What was asked for.
        expected: Precondition,
        /// What there was.
        found: Found,
    },
    /// The value to put has no `metadata` object; nothing was written.
    #[error("cannot store `{key}`: the value is no object with `metadata`")]
    Malformed {
        /// The object.
        key: Key,
    },
    /// The disk is full. Nothing was written, nothing was lost, and the store works again once there is room.
    #[error("cannot write to the store `{path}`: the disk is full; free some space, nothing stored is lost")]
    Full {
        /// The store's file.
        path: Arc<str>,
    },
    /// A write or fsync failed at some time, so that what is on disk is unknown; the store takes no more writes.
    #[error("the store `{path}` takes no more writes since one failed: {cause}; restart to read back what is on disk")]
    Poisoned {
        /// The store's file.
        path: Arc<str>,
        /// What the failed write said.
        cause: Arc<str>,
    },
}

impl Txn {
    /// Returns a transaction that changes nothing yet.
    pub fn new() -> Self {
        Self::default()
    }
    /// Returns a transaction of a single change.
    pub fn one(op: Op) -> Self {
        Self { ops: vec![op] }
    }
    /// Adds a put.
    #[must_use]
    pub fn put(mut self, key: Key, precondition: Precondition, value: Value) -> Self {
        self.ops.push(Op::put(key, precondition, value));
        self
    }
    /// Adds a deletion.
    #[must_use]
    pub fn delete(mut self, key: Key, precondition: Precondition) -> Self {
        self.ops.push(Op::delete(key, precondition));
        self
    }
}

impl Op {
    /// Returns a change that makes `key` be `value`.
    pub fn put(key: Key, precondition: Precondition, value: Value) -> Self {
        Self { key, precondition, change: Change::Put(value) }
    }
    /// Returns a change that removes `key`.
    pub fn delete(key: Key, precondition: Precondition) -> Self {
        Self { key, precondition, change: Change::Delete }
    }
    /// Returns a condition on `key`, which the transaction leaves as it is.
    pub fn check(key: Key, precondition: Precondition) -> Self {
        Self { key, precondition, change: Change::Keep }
    }
}

impl From<Vec<Op>> for Txn {
    fn from(ops: Vec<Op>) -> Self {
        Self { ops }
    }
}

impl fmt::Debug for Op {
    /// Shows no value: it may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = match self.change {
            Change::Put(_) => "put",
            Change::Delete => "delete",
            Change::Keep => "keep",
        };
        write!(f, "{verb} {} if {}", self.key, self.precondition)
    }
}

impl fmt::Display for Precondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("anything"),
            Self::Absent => f.write_str("no such object"),
            Self::Exists => f.write_str("an object"),
            Self::Revision(revision) => write!(f, "revision {revision}"),
            Self::Uid(uid) => write!(f, "uid `{uid}`"),
        }
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("no such object"),
            Self::Present { revision, uid } => write!(f, "revision {revision} with uid `{uid}`"),
        }
    }
}
