//! Commits and their files, from a repository on this host or behind HTTP(S).
//!
//! Responsible for: finding what a ref points at, bringing the objects here under limits of size and time, and giving
//! out read-only views of a commit's files. All functions block and belong on threads of their own, never on an async
//! executor's.
//!
//! Must never: start a process, run a hook, make a work tree, follow the configuration a repository carries, or send
//! credentials to another host than the one they are for.
//!
//! Start reading at [`Source`]; `transport` is the way over HTTP, `files` what readers see.

mod access;
mod cache;
mod directory;
mod error;
mod files;
mod http;
mod local;
mod reference;
mod sys;
mod tidy;
mod transport;
mod tree;
mod url;
mod watch;

use std::path::PathBuf;
use std::sync::Mutex;

use git2::{Oid, Repository};

pub use access::{Access, Credentials, Limits};
pub use directory::DirTree;
pub use error::FetchError;
pub use files::{Content, Entry, EntryKind, Files, LINKS_MAX, ReadError, normal, resolve};
pub(crate) use files::{join, resolve_noting};
pub use reference::{Commit, CommitId, GitRef, RefError};
pub use tree::Tree;
pub use url::{HttpPolicy, RepoUrl, UrlError};
pub use watch::{LocalWatch, WatchError};

/// One repository and what is cached of it.
///
/// A repository on this host is read where it is; of a remote one a bare copy is kept in the cache directory, which may
/// be deleted at any time while no process uses it.
#[derive(Debug)]
pub struct Source {
    url: RepoUrl,
    cache: PathBuf,
    /// Held while the cache changes: fetches of one source run one after the other.
    fetching: Mutex<()>,
}

impl Source {
    /// Makes a source whose bare copy lives in the directory `cache` (made on the first fetch, unused for a repository
    /// on this host). No other source may use the directory.
    pub fn open(cache: impl Into<PathBuf>, url: RepoUrl) -> Self {
        sys::initialise();
        Self { url, cache: cache.into(), fetching: Mutex::new(()) }
    }

    /// Returns where the repository is.
    pub fn url(&self) -> &RepoUrl {
        &self.url
    }

    /// Returns the commit `reference` points at now, all its files being readable afterwards.
    ///
    /// Asks a remote for its refs and transfers objects only where the ref moved; a commit named by its id and already
    /// here costs no request. A broken cache is replaced by a fresh copy in the same call.
    ///
    /// # Errors
    /// [`FetchError`]; what was fetched before stays readable.
    pub fn fetch(&self, reference: &GitRef, limits: &Limits, access: &Access) -> Result<Commit, FetchError> {
        let _one_at_a_time = self.fetching.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match self.url.local_path() {
            Some(path) => local::fetch(&self.url, path, reference),
            None => cache::fetch(&self.url, &self.cache, reference, limits, access),
        }
    }

    /// Returns the view of a commit's files.
    ///
    /// # Errors
    /// [`ReadError`] where the commit was never fetched or the cache is broken.
    pub fn tree(&self, commit: CommitId) -> Result<Tree, ReadError> {
        let repository = self.repository()?;
        let root = repository.find_commit(commit.oid()).map_err(missing(commit))?.tree_id();
        Ok(Tree::new(repository, root))
    }

    /// Returns author, subject, time and tree of a commit that was fetched.
    ///
    /// # Errors
    /// [`ReadError`] where the commit was never fetched or the cache is broken.
    pub fn commit(&self, commit: CommitId) -> Result<Commit, ReadError> {
        let repository = self.repository()?;
        let found = repository.find_commit(commit.oid()).map_err(missing(commit))?;
        Ok(Commit::from(&found))
    }

    /// Returns whether `new` descends from `old` (or is it). `false` means that history was rewritten; also where `old`
    /// is not here any more.
    ///
    /// # Errors
    /// [`ReadError`] where `new` is not here or the cache is broken.
    pub fn is_ancestor(&self, old: CommitId, new: CommitId) -> Result<bool, ReadError> {
        let repository = self.repository()?;
        repository.find_commit(new.oid()).map_err(missing(new))?;
        if old == new {
            return Ok(true);
        }
        if repository.find_commit(old.oid()).is_err() {
            return Ok(false);
        }
        repository.graph_descendant_of(new.oid(), old.oid()).map_err(missing(new))
    }

    /// Throws the cached copy away, for a caller that met [`ReadError::Object`]: the next fetch makes a new one.
    /// Does nothing to a repository on this host.
    ///
    /// # Errors
    /// [`FetchError::Cache`] where the directory cannot be removed.
    pub fn discard_cache(&self) -> Result<(), FetchError> {
        let _one_at_a_time = self.fetching.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if self.url.local_path().is_some() { Ok(()) } else { cache::discard(&self.cache) }
    }

    /// Calls `changed` soon after a ref of a repository on this host moves; `None` for a remote one.
    ///
    /// The watch is armed when this returns: fetch after it, and no commit is missed.
    ///
    /// # Errors
    /// [`WatchError`] where the kernel refuses another inotify instance or watch.
    pub fn watch(&self, changed: impl Fn() + Send + 'static) -> Result<Option<LocalWatch>, WatchError> {
        self.url.local_path().map(|path| LocalWatch::start(path, changed)).transpose()
    }

    fn repository(&self) -> Result<Repository, ReadError> {
        let path = self.url.local_path().unwrap_or(&self.cache);
        sys::open(path).map_err(|source| ReadError::Object { path: path.display().to_string(), source })
    }
}

fn missing(commit: CommitId) -> impl Fn(git2::Error) -> ReadError {
    move |source| ReadError::Object { path: commit.to_string(), source }
}

/// Parses an object id of 40 hexadecimal digits.
fn parse_oid(text: &str) -> Option<Oid> {
    (text.len() == 40).then(|| Oid::from_str(text).ok()).flatten()
}
