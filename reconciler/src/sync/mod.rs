//! From a commit to a verdict: follows GitRepositories, keeps Applications applied, records what became of commits.
//!
//! Decisions are in [`decide`]; this folder's other files observe and carry out. Everything right of the store
//! happens elsewhere: nothing here knows of processes.
//!
//! Tasks: one a GitRepository (`follow`), one dispatcher for all Applications (`dispatch`), and up to
//! [`PASSES_MAX`] blocking passes at a time (`pass`).

mod conditions;
pub mod decide;
mod dependency;
mod dispatch;
mod finished;
mod follow;
mod index;
mod memory;
mod observe;
mod pass;
mod queue;
mod rendering;
mod sources;
mod status;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use bowline_runtime::api::{Key, Kinds, Timestamp};
use bowline_runtime::store::Store;
use bowline_runtime::store::objects::{Clock, Entropy};
use tokio::task::JoinHandle;

pub use pass::PassError;

/// The namespace of the Application and GitRepository that `bowline up` makes.
pub const SYSTEM_NAMESPACE: &str = "bowline-system";

/// The name of that Application and GitRepository.
pub const ROOT: &str = "config";

/// The annotation that asks a GitRepository to look for commits now; any new value asks once.
pub const REQUESTED_AT: &str = "bowline.dev/requested-at";

/// The finalizer that lets an Application's objects go before it.
pub const FINALIZER: &str = "bowline.dev/application";

/// How many Applications are worked on at once: more than cores, because a pass waits for the store's fsync.
pub const PASSES_MAX: usize = 8;

/// What the syncing side needs from outside.
#[derive(Clone)]
pub struct Config {
    /// The store.
    pub store: Store,
    /// The kinds that are served.
    pub kinds: Kinds,
    /// Directory for bare copies of remote repositories.
    pub cache: PathBuf,
    /// The clock.
    pub clock: Clock,
    /// Chance: 128 random bits a call.
    pub entropy: Entropy,
}

/// The running syncing side; dropping it ends its tasks at their next safe point.
pub struct Sync {
    tasks: Vec<JoinHandle<()>>,
}

/// What the tasks share.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) sources: sources::Sources,
    pub(crate) memory: Mutex<BTreeMap<Key, Arc<Mutex<memory::Memory>>>>,
    /// By Application, the objects that changed since its last pass. Apart from the memory, which a pass holds.
    pub(crate) dirty: Mutex<BTreeMap<Key, BTreeSet<Key>>>,
    /// By Application, the newest commit it has looked at and what that renders to: for others that give objects away.
    pub(crate) newest: Mutex<BTreeMap<Key, (String, Arc<memory::Render>)>>,
}

impl Shared {
    fn new(config: Config) -> Self {
        let sources = sources::Sources::new(config.cache.clone());
        Self { config, sources, memory: Mutex::default(), dirty: Mutex::default(), newest: Mutex::default() }
    }

    fn now(&self) -> Timestamp {
        (self.config.clock)()
    }

    /// Returns what is remembered of an Application; empty after a start.
    fn memory(&self, key: &Key) -> Arc<Mutex<memory::Memory>> {
        lock(&self.memory).entry(key.clone()).or_default().clone()
    }
}

/// Locks a mutex whose data stays whole even if a holder panicked: every writer replaces values as a whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Sync {
    /// Starts following repositories and keeping Applications applied.
    pub fn start(config: Config) -> Self {
        let shared = Arc::new(Shared::new(config));
        let tasks = vec![tokio::spawn(follow::run(shared.clone())), tokio::spawn(dispatch::run(shared))];
        Self { tasks }
    }
}

impl Drop for Sync {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}
