//! Following changes.
//!
//! Responsible for: every event after a revision exactly once, in order. A watcher is a cursor into the shared
//! history: a slow one costs no memory, and is told [`Expired`] once what it has not read is forgotten.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::history::{Event, Expired};
use super::log::Shared;
use crate::api::Key;

/// Which events a watcher wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WatchFilter {
    /// Only these resources (`plural.group`); empty means all.
    pub resources: Vec<String>,
    /// Only this namespace.
    pub namespace: Option<String>,
    /// Only this name.
    pub name: Option<String>,
}

impl WatchFilter {
    /// Returns a filter that lets everything through.
    pub fn all() -> Self {
        Self::default()
    }
    /// Returns a filter for one resource.
    pub fn resource(resource: impl Into<String>) -> Self {
        Self { resources: vec![resource.into()], ..Self::default() }
    }
    /// Returns the same filter that lets another resource through, too.
    #[must_use]
    pub fn and(mut self, resource: impl Into<String>) -> Self {
        self.resources.push(resource.into());
        self
    }
    /// Returns the same filter for one namespace.
    #[must_use]
    pub fn in_namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = Some(namespace.into());
        self
    }
    /// Returns the same filter for one name.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }
    /// Whether an object's events pass.
    pub fn matches(&self, key: &Key) -> bool {
        (self.resources.is_empty() || self.resources.iter().any(|resource| **resource == *key.resource))
            && self.namespace.as_deref().is_none_or(|namespace| namespace == &*key.namespace)
            && self.name.as_deref().is_none_or(|name| name == &*key.name)
    }
}

/// A cursor into the history of changes.
pub struct Watcher {
    shared: Arc<Shared>,
    changes: tokio::sync::watch::Receiver<u64>,
    filter: WatchFilter,
    /// The last revision that was handed out or passed over.
    seen: u64,
}

impl Watcher {
    pub(super) fn new(shared: Arc<Shared>, from: u64, filter: WatchFilter) -> Self {
        let changes = shared.changes.subscribe();
        Self { shared, changes, filter, seen: from }
    }

    /// Returns the revision up to which all events were handed out or did not pass the filter.
    pub fn revision(&self) -> u64 {
        self.seen
    }

    /// Returns the next event, or `None` where there is none yet.
    ///
    /// # Errors
    /// Events that were not read yet are forgotten; every later call says so again.
    pub fn try_next(&mut self) -> Result<Option<Arc<Event>>, Expired> {
        let published = self.shared.published.load();
        let oldest = published.history.compacted();
        if self.seen < oldest {
            return Err(Expired { requested: self.seen, oldest });
        }
        while let Some(event) = published.history.get(self.seen + 1) {
            self.seen += 1;
            if self.filter.matches(event.key()) {
                return Ok(Some(Arc::clone(event)));
            }
        }
        Ok(None)
    }

    /// Returns the next event and waits for it if need be; waits for ever on a store that takes no more writes.
    ///
    /// Dropping the future loses nothing: the cursor moves only when an event is returned.
    ///
    /// # Errors
    /// Events that were not read yet are forgotten.
    pub async fn next(&mut self) -> Result<Arc<Event>, Expired> {
        loop {
            if let Some(event) = self.try_next()? {
                return Ok(event);
            }
            let seen = self.seen;
            if self.changes.wait_for(|revision| *revision > seen).await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Returns the next event, or `None` where there is none for `timeout`; blocks the thread.
    ///
    /// # Errors
    /// Events that were not read yet are forgotten.
    #[expect(clippy::disallowed_methods, reason = "a blocked thread waits for so long and no longer")]
    pub fn next_blocking(&mut self, timeout: Duration) -> Result<Option<Arc<Event>>, Expired> {
        let deadline = Instant::now() + timeout;
        loop {
            if let Some(event) = self.try_next()? {
                return Ok(Some(event));
            }
            if !self.shared.wait_beyond(self.seen, deadline) {
                return self.try_next();
            }
        }
    }
}
