//! The revisioned log that everything meets in.
//!
//! Responsible for: one strictly increasing revision for all kinds, writes with preconditions that are acknowledged
//! when they are durable, snapshots of one revision, watches from a revision, history and its compaction; and, in
//! [`objects`], the rules by which an object may be written at all.
//!
//! Never: lets a reader touch the disk, hands out a revision twice, retries a failed fsync, reads a clock (times are
//! arguments), knows what a kind means.
//!
//! Start reading at [`Store::commit`](log::Store::commit), then `state`, the pure half, then `disk`.
//!
//! The store owns one thread per open file (`store-writer`), which assigns revisions, and the queue in front of it.
//! A store in memory has no thread and no queue: a commit happens in the caller.

mod checksum;
mod disk;
pub mod events;
mod facts;
mod history;
mod lock;
mod log;
pub mod objects;
mod schema;
mod snapshot;
mod state;
mod stored;
mod txn;
mod wal;
mod warm;
mod watch;
mod writer;

#[cfg(test)]
mod tests;

pub use disk::OpenError;
pub use history::{Event, EventKind, Expired, Held, Retention};
pub use log::{Options, Store};
pub use snapshot::Snapshot;
pub use stored::{DecodeError, Stored};
pub use txn::{Change, CommitError, Committed, Found, Op, Outcome, Precondition, Txn};
pub use watch::{WatchFilter, Watcher};
