//! The open sources: repositories and views of their latest commits, shared by all who read them.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use bowline_runtime::api::{Key, Timestamp};

use super::lock;
use crate::source::{CommitId, ReadError, RepoUrl, Source, Tree};

/// How many views of commits are kept for each source.
const TREES_MAX: usize = 4;

/// The open sources by GitRepository.
pub(crate) struct Sources {
    cache: PathBuf,
    open: Mutex<BTreeMap<Key, Arc<OpenSource>>>,
}

/// A source and the views of its latest commits.
pub(crate) struct OpenSource {
    url: String,
    pub(crate) source: Source,
    trees: Mutex<VecDeque<(CommitId, Arc<Tree>)>>,
    /// When it was last read without trouble, by this process.
    read_at: Mutex<Option<Timestamp>>,
}

impl OpenSource {
    /// Returns the view of a commit, shared by all who read it.
    pub(crate) fn tree(&self, commit: CommitId) -> Result<Arc<Tree>, ReadError> {
        let mut trees = lock(&self.trees);
        if let Some((_, tree)) = trees.iter().find(|(id, _)| *id == commit) {
            return Ok(tree.clone());
        }
        let tree = Arc::new(self.source.tree(commit)?);
        trees.push_front((commit, tree.clone()));
        trees.truncate(TREES_MAX);
        Ok(tree)
    }

    /// Throws away what cannot be read, so that the next fetch brings it anew.
    pub(crate) fn discard(&self) {
        lock(&self.trees).clear();
        if let Err(error) = self.source.discard_cache() {
            tracing::warn!(url = %self.url, %error, "cannot throw the broken copy away");
        }
    }

    /// Returns when it was last read without trouble, if this process has done so.
    pub(super) fn read_at(&self) -> Option<Timestamp> {
        *lock(&self.read_at)
    }

    pub(super) fn set_read_at(&self, now: Timestamp) {
        *lock(&self.read_at) = Some(now);
    }
}

impl Sources {
    pub(crate) fn new(cache: PathBuf) -> Self {
        Self { cache, open: Mutex::default() }
    }

    /// Returns the open source of a GitRepository; a changed address opens another.
    pub(crate) fn open(&self, key: &Key, url: &str) -> Result<Arc<OpenSource>, String> {
        let mut open = lock(&self.open);
        if let Some(found) = open.get(key).filter(|found| found.url == url) {
            return Ok(found.clone());
        }
        let parsed = RepoUrl::parse(url).map_err(|error| error.to_string())?;
        let directory = self.cache.join(format!("{}_{}", key.namespace, key.name));
        let source = Arc::new(OpenSource {
            url: url.to_owned(),
            source: Source::open(directory, parsed),
            trees: Mutex::default(),
            read_at: Mutex::default(),
        });
        open.insert(key.clone(), source.clone());
        Ok(source)
    }

    pub(super) fn close(&self, key: &Key) {
        lock(&self.open).remove(key);
    }
}
