//! The store as its users hold it.
//!
//! Responsible for: opening, handing requests to the writer and its answers back, publishing a state to all readers
//! at once, remembering that a write failed. Never writes by itself and never blocks a reader.

use std::path::Path;
use std::sync::mpsc;
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use arc_swap::ArcSwap;

use super::disk::{Disk, Log, LogError, OpenError};
use super::history::{Expired, Held, Marks, Retention};
use super::lock::Lock;
use super::snapshot::Snapshot;
use super::state::State;
use super::txn::{CommitError, Committed, Txn};
use super::watch::{WatchFilter, Watcher};
use super::writer::{self, Reply, Request, Writer};
use crate::api::{Key, Timestamp};

/// How a store is kept.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// How long changes are held for watches and history.
    pub retention: Retention,
    /// The most bytes the file may have; beyond, writes fail as on a full disk. `None`: what the disk has.
    pub bytes_max: Option<u64>,
}

/// A revisioned log of objects. Clones are handles of the same store; the last one to go closes it.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    door: Door,
}

/// The way to the writer.
enum Door {
    /// In memory: the caller is the writer.
    Here(Mutex<Writer>),
    /// On disk: a queue to the writer's thread, both taken on drop.
    Thread { queue: Option<mpsc::Sender<Request>>, thread: Option<JoinHandle<()>> },
}

/// What readers, watchers and the writer share.
pub(super) struct Shared {
    path: Arc<str>,
    pub(super) published: ArcSwap<State>,
    /// The published revision, for those that await it.
    pub(super) changes: tokio::sync::watch::Sender<u64>,
    /// The published revision, for those that block.
    tick: (Mutex<u64>, Condvar),
    poison: OnceLock<Arc<str>>,
    poisoned: tokio::sync::watch::Sender<bool>,
}

impl Store {
    /// Opens the store in the file `path`, and creates it where it is absent; its directory must exist.
    ///
    /// Reads everything back and checks every row, at about 100,000 rows a second.
    ///
    /// # Errors
    /// See [`OpenError`]; nothing was changed then.
    pub fn open(path: &Path, options: Options) -> Result<Self, OpenError> {
        let lock = Lock::take(path)?;
        let (disk, state) = Disk::open(path, options.bytes_max)?;
        Self::with_log(path, state, Box::new(disk), options.retention, Some(lock))
    }

    /// Returns an empty store that lives as long as its handles: the same rules, no file, no thread.
    pub fn memory() -> Self {
        Self::memory_with(Options::default())
    }

    /// Returns an empty store in memory with this retention.
    pub fn memory_with(options: Options) -> Self {
        let shared = Arc::new(Shared::new("memory", State::default()));
        let writer =
            Writer { shared: Arc::clone(&shared), log: None, retention: options.retention, marks: Marks::default() };
        Self { inner: Arc::new(Inner { shared, door: Door::Here(Mutex::new(writer)) }) }
    }

    /// Returns an independent store in memory that starts from a snapshot: what a plan or simulation writes to.
    pub fn fork(snapshot: &Snapshot) -> Self {
        let store = Self::memory();
        let history = super::history::History::start_after(snapshot.revision());
        store.inner.shared.publish(State { snapshot: snapshot.clone(), history });
        store
    }

    /// Starts the writer of a log.
    pub(super) fn with_log(
        path: &Path,
        state: State,
        log: Box<dyn Log>,
        retention: Retention,
        lock: Option<Lock>,
    ) -> Result<Self, OpenError> {
        let shared = Arc::new(Shared::new(&path.to_string_lossy(), state));
        let writer = Writer { shared: Arc::clone(&shared), log: Some(log), retention, marks: Marks::default() };
        let (queue, requests) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || writer::run(writer, &requests, lock))
            .map_err(|source| OpenError::File { path: path.to_owned(), source })?;
        Ok(Self { inner: Arc::new(Inner { shared, door: Door::Thread { queue: Some(queue), thread: Some(thread) } }) })
    }

    /// Returns all objects at the newest published revision, without a lock or the disk.
    pub fn snapshot(&self) -> Snapshot {
        self.inner.shared.published.load().snapshot.clone()
    }

    /// Returns the newest published revision.
    pub fn revision(&self) -> u64 {
        self.inner.shared.published.load().snapshot.revision()
    }

    /// Carries out a transaction and blocks the thread until it is durable and published.
    ///
    /// # Errors
    /// See [`CommitError`]; nothing of the transaction happened, except that after `Poisoned` it may be found done
    /// once the store is opened again.
    pub fn commit(&self, txn: Txn) -> Result<Committed, CommitError> {
        let queue = match &self.inner.door {
            Door::Here(writer) => return writer.lock().unwrap_or_else(PoisonError::into_inner).commit(txn),
            Door::Thread { queue, .. } => queue,
        };
        let (sender, answer) = mpsc::sync_channel(1);
        // The one who asked may be gone; then nobody misses the answer.
        let reply: Reply<_> = Box::new(move |result| drop(sender.send(result)));
        self.send(queue.as_ref(), Request::Commit(txn, reply))?;
        answer.recv().unwrap_or_else(|_| Err(self.inner.shared.writer_gone()))
    }

    /// Carries out a transaction; resolves when it is durable and published. Dropping the future does not undo it.
    ///
    /// # Errors
    /// As [`Store::commit`].
    pub async fn commit_async(&self, txn: Txn) -> Result<Committed, CommitError> {
        let queue = match &self.inner.door {
            Door::Here(writer) => return writer.lock().unwrap_or_else(PoisonError::into_inner).commit(txn),
            Door::Thread { queue, .. } => queue,
        };
        let (sender, answer) = tokio::sync::oneshot::channel();
        let reply: Reply<_> = Box::new(move |result| drop(sender.send(result)));
        self.send(queue.as_ref(), Request::Commit(txn, reply))?;
        answer.await.unwrap_or_else(|_| Err(self.inner.shared.writer_gone()))
    }

    /// Forgets changes that the retention no longer holds at `now`, and returns the oldest revision that a watch can
    /// continue after. To be called every few minutes: the age of a change is known from the calls since it.
    ///
    /// # Errors
    /// As [`Store::commit`].
    pub fn compact(&self, now: Timestamp) -> Result<u64, CommitError> {
        let queue = match &self.inner.door {
            Door::Here(writer) => return writer.lock().unwrap_or_else(PoisonError::into_inner).compact(now),
            Door::Thread { queue, .. } => queue,
        };
        let (sender, answer) = mpsc::sync_channel(1);
        let reply: Reply<_> = Box::new(move |result| drop(sender.send(result)));
        self.send(queue.as_ref(), Request::Compact(now, reply))?;
        answer.recv().unwrap_or_else(|_| Err(self.inner.shared.writer_gone()))
    }

    /// Follows the changes strictly after `from`, or after the newest revision.
    ///
    /// A `from` that lies ahead of the store waits until it is reached.
    ///
    /// # Errors
    /// Changes after `from` are forgotten.
    pub fn watch(&self, from: Option<u64>, filter: WatchFilter) -> Result<Watcher, Expired> {
        let published = self.inner.shared.published.load();
        let from = from.unwrap_or_else(|| published.snapshot.revision());
        let oldest = published.history.compacted();
        if from < oldest {
            return Err(Expired { requested: from, oldest });
        }
        Ok(Watcher::new(Arc::clone(&self.inner.shared), from, filter))
    }

    /// Returns the held states of an object, oldest first; the present one for an object that did not change.
    pub fn history(&self, key: &Key) -> Vec<Held> {
        let published = self.inner.shared.published.load();
        published.history.of(key, published.snapshot.get(key))
    }

    /// Returns the oldest revision that a watch can continue after.
    pub fn oldest(&self) -> u64 {
        self.inner.shared.published.load().history.compacted()
    }

    /// Returns why the store takes no more writes, if it does not.
    pub fn poison(&self) -> Option<Arc<str>> {
        self.inner.shared.poison.get().cloned()
    }

    /// Resolves with the reason once the store takes no more writes: the process should then start anew.
    pub async fn poisoned(&self) -> Arc<str> {
        let mut poisoned = self.inner.shared.poisoned.subscribe();
        while poisoned.wait_for(|poisoned| *poisoned).await.is_err() {
            std::future::pending::<()>().await;
        }
        self.poison().unwrap_or_else(|| "unknown".into())
    }

    fn send(&self, queue: Option<&mpsc::Sender<Request>>, request: Request) -> Result<(), CommitError> {
        let sent = queue.map(|queue| queue.send(request));
        if matches!(sent, Some(Ok(()))) { Ok(()) } else { Err(self.inner.shared.writer_gone()) }
    }
}

impl Drop for Inner {
    /// Ends the writer and waits for it, so that the store can be opened again at once.
    fn drop(&mut self) {
        if let Door::Thread { queue, thread } = &mut self.door {
            drop(queue.take());
            if let Some(thread) = thread.take().filter(|thread| thread.thread().id() != std::thread::current().id()) {
                // A panic of the writer was answered to those who waited for it.
                drop(thread.join());
            }
        }
    }
}

impl Shared {
    fn new(path: &str, state: State) -> Self {
        let revision = state.snapshot.revision();
        Self {
            path: path.into(),
            published: ArcSwap::from_pointee(state),
            changes: tokio::sync::watch::Sender::new(revision),
            tick: (Mutex::new(revision), Condvar::new()),
            poison: OnceLock::new(),
            poisoned: tokio::sync::watch::Sender::new(false),
        }
    }

    /// Returns a copy of the published state, for the writer to change.
    pub(super) fn state(&self) -> State {
        State::clone(&self.published.load())
    }

    /// Shows a state to all readers at once, then wakes those that wait.
    pub(super) fn publish(&self, state: State) {
        let revision = state.snapshot.revision();
        self.published.store(Arc::new(state));
        self.changes.send_replace(revision);
        *self.tick.0.lock().unwrap_or_else(PoisonError::into_inner) = revision;
        self.tick.1.notify_all();
    }

    /// Blocks until a revision beyond `seen` is published; `false` where `deadline` comes first.
    #[expect(clippy::disallowed_methods, reason = "a blocked thread waits for so long and no longer")]
    pub(super) fn wait_beyond(&self, seen: u64, deadline: Instant) -> bool {
        let mut revision = self.tick.0.lock().unwrap_or_else(PoisonError::into_inner);
        while *revision <= seen {
            let Some(left) = deadline.checked_duration_since(Instant::now()) else { return false };
            let waited = self.tick.1.wait_timeout(revision, left).unwrap_or_else(PoisonError::into_inner);
            revision = waited.0;
        }
        true
    }

    /// Turns a failed write into an answer; all but a full disk poisons the store.
    pub(super) fn fail(&self, error: &LogError) -> CommitError {
        if matches!(error, LogError::Full) {
            return CommitError::Full { path: Arc::clone(&self.path) };
        }
        let cause = Arc::clone(self.poison.get_or_init(|| error.to_string().into()));
        self.poisoned.send_replace(true);
        CommitError::Poisoned { path: Arc::clone(&self.path), cause }
    }

    /// Refuses once a write failed.
    pub(super) fn check_poison(&self) -> Result<(), CommitError> {
        match self.poison.get() {
            None => Ok(()),
            Some(cause) => Err(CommitError::Poisoned { path: Arc::clone(&self.path), cause: Arc::clone(cause) }),
        }
    }

    fn writer_gone(&self) -> CommitError {
        self.fail(&LogError::Failed("the writer ended by a bug; its message is in the log".to_owned()))
    }
}
