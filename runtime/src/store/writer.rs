//! The one writer: group commit.
//!
//! Responsible for: draining the queue, carrying out what is in it against the newest state, one fsync for all of it,
//! then publishing, then answering. Never answers before the answer is durable, and never writes after a failed write.

use std::sync::Arc;
use std::sync::mpsc::Receiver;

use super::disk::Log;
use super::history::{Event, Marks, Retention};
use super::lock::Lock;
use super::log::Shared;
use super::state::State;
use super::txn::{CommitError, Committed, Txn};
use crate::api::Timestamp;

/// The answer's way back.
pub(super) type Reply<T> = Box<dyn FnOnce(Result<T, CommitError>) + Send>;

/// What the writer is asked to do.
pub(super) enum Request {
    /// Carry out a transaction.
    Commit(Txn, Reply<Committed>),
    /// Forget what is old enough at this time; answers the oldest revision a watch can continue after.
    Compact(Timestamp, Reply<u64>),
}

/// More changes than this do not share an fsync: it bounds how long the first of them waits.
const GROUP_OPS_MAX: usize = 2_048;

/// The state of the writer, on its thread or, for a store in memory, behind a mutex.
pub(super) struct Writer {
    pub(super) shared: Arc<Shared>,
    pub(super) log: Option<Box<dyn Log>>,
    pub(super) retention: Retention,
    pub(super) marks: Marks,
}

/// Serves the queue until every sender is gone. Holds the lock of the file until then.
pub(super) fn run(mut writer: Writer, queue: &Receiver<Request>, lock: Option<Lock>) {
    while let Ok(first) = queue.recv() {
        let mut next = Some(first);
        while let Some(request) = next.take() {
            match request {
                Request::Commit(txn, reply) => next = writer.group(txn, reply, queue),
                Request::Compact(now, reply) => reply(writer.compact(now)),
            }
        }
        writer.tidy();
    }
    // The file closes before another process may open it.
    drop(writer);
    drop(lock);
}

impl Writer {
    /// Commits a transaction and all that wait behind it; returns the request that ended the group.
    fn group(&mut self, txn: Txn, reply: Reply<Committed>, queue: &Receiver<Request>) -> Option<Request> {
        let mut state = self.shared.state();
        let mut events = Vec::new();
        let mut answers = vec![(state.apply(txn, &mut events), reply)];
        let mut ended_by = None;
        while events.len() < GROUP_OPS_MAX {
            match queue.try_recv() {
                Ok(Request::Commit(txn, reply)) => answers.push((state.apply(txn, &mut events), reply)),
                Ok(other) => {
                    ended_by = Some(other);
                    break;
                }
                Err(_) => break,
            }
        }
        let written = self.write(state, &events);
        for (answer, reply) in answers {
            // A refusal may rest on a change of the same group, so it too waits for that change to be durable.
            reply(written.clone().and(answer));
        }
        ended_by
    }

    /// Carries out a single transaction.
    pub(super) fn commit(&mut self, txn: Txn) -> Result<Committed, CommitError> {
        let mut state = self.shared.state();
        let mut events = Vec::new();
        let committed = state.apply(txn, &mut events)?;
        self.write(state, &events)?;
        Ok(committed)
    }

    /// Makes events durable and publishes the state they lead to.
    fn write(&mut self, state: State, events: &[Arc<Event>]) -> Result<(), CommitError> {
        self.shared.check_poison()?;
        if events.is_empty() {
            return Ok(());
        }
        if let Some(log) = &mut self.log {
            log.append(events).map_err(|error| self.shared.fail(&error))?;
        }
        self.shared.publish(state);
        Ok(())
    }

    /// Forgets what the retention no longer holds; returns the oldest revision a watch can continue after.
    pub(super) fn compact(&mut self, now: Timestamp) -> Result<u64, CommitError> {
        self.shared.check_poison()?;
        let mut state = self.shared.state();
        let revision = self.marks.advance(now, state.snapshot.revision(), &self.retention);
        if revision <= state.history.compacted() {
            return Ok(state.history.compacted());
        }
        let events: Vec<_> = state.history.up_to(revision).cloned().collect();
        if let Some(log) = &mut self.log {
            log.compact(revision, &events).map_err(|error| self.shared.fail(&error))?;
        }
        state.history.compact(revision);
        self.shared.publish(state);
        Ok(revision)
    }

    fn tidy(&mut self) {
        if self.shared.check_poison().is_ok()
            && let Some(log) = &mut self.log
            && let Err(error) = log.tidy()
        {
            self.shared.fail(&error);
        }
    }
}
