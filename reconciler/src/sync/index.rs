//! Which Applications read a source and which wait for another: kept by event, so that no event asks all of them.

use std::collections::{BTreeMap, BTreeSet};

use bowline_runtime::api::Key;
use bowline_runtime::api::kinds::{Application, GitRepository};
use bowline_runtime::store::Stored;

/// The references of all Applications, both ways.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// By Application: what it reads and what it waits for.
    references: BTreeMap<Key, BTreeSet<Key>>,
    /// By GitRepository or Application: who refers to it.
    referrers: BTreeMap<Key, BTreeSet<Key>>,
}

impl Index {
    /// Notes what an Application refers to now.
    pub(super) fn put(&mut self, stored: &Stored) {
        let Ok(application) = stored.typed::<Application>() else { return };
        let key = stored.key();
        let source = GitRepository::kind().key(&key.namespace, &application.spec.source.name);
        let others = application.spec.depends_on.iter();
        let others = others.map(|other| Application::kind().key(&key.namespace, &other.name));
        let references: BTreeSet<Key> = others.chain([source]).collect();
        if self.references.get(key) == Some(&references) {
            return;
        }
        self.remove(key);
        for reference in &references {
            self.referrers.entry(reference.clone()).or_default().insert(key.clone());
        }
        self.references.insert(key.clone(), references);
    }

    /// Forgets an Application.
    pub(super) fn remove(&mut self, key: &Key) {
        for reference in self.references.remove(key).unwrap_or_default() {
            if let Some(referrers) = self.referrers.get_mut(&reference) {
                referrers.remove(key);
                if referrers.is_empty() {
                    self.referrers.remove(&reference);
                }
            }
        }
    }

    /// Whether there is such an Application.
    pub(super) fn has(&self, key: &Key) -> bool {
        self.references.contains_key(key)
    }

    /// Returns the Applications that read a GitRepository.
    pub(super) fn readers(&self, source: &Key) -> impl Iterator<Item = &Key> {
        self.referrers.get(source).into_iter().flatten()
    }

    /// Returns the Applications that wait for another.
    pub(super) fn dependents(&self, application: &Key) -> impl Iterator<Item = &Key> {
        self.referrers.get(application).into_iter().flatten()
    }
}
