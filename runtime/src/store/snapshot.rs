//! The state of all objects at one revision.
//!
//! Responsible for: reading in key order, by owner and by node, in O(log n) without a lock or the disk. Never
//! changes: a reader that holds one sees one revision for as long as it likes.

use std::fmt;
use std::sync::Arc;

use imbl::{OrdMap, OrdSet};

use super::Stored;
use crate::api::{Key, Object};

/// All objects at one revision. Cloned in O(1); clones and later snapshots share all that did not change.
#[derive(Clone, Default)]
pub struct Snapshot {
    revision: u64,
    objects: OrdMap<Key, Arc<Stored>>,
    by_owner: Index,
    by_node: Index,
}

/// Which objects have a value in some field.
type Index = OrdMap<Arc<str>, OrdSet<Key>>;

impl Snapshot {
    /// Returns the revision of the last change that is in here; zero for an empty store.
    pub fn revision(&self) -> u64 {
        self.revision
    }
    /// Returns how many objects there are.
    pub fn len(&self) -> usize {
        self.objects.len()
    }
    /// Whether there is no object at all.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }
    /// Returns an object.
    pub fn get(&self, key: &Key) -> Option<&Arc<Stored>> {
        self.objects.get(key)
    }
    /// Returns all objects, ordered by resource, namespace, name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Stored>> {
        self.objects.values()
    }
    /// Returns the objects of a resource (`plural.group`) in all namespaces, ordered by namespace and name.
    pub fn list(&self, resource: &str) -> impl Iterator<Item = &Arc<Stored>> {
        let resource: Arc<str> = resource.into();
        let first = Key { resource: Arc::clone(&resource), namespace: "".into(), name: "".into() };
        let after = self.objects.range(first..).map(|(_, stored)| stored);
        after.take_while(move |stored| stored.key().resource == resource)
    }
    /// Returns the objects of a resource in one namespace (empty for cluster scope), ordered by name.
    pub fn list_in(&self, resource: &str, namespace: &str) -> impl Iterator<Item = &Arc<Stored>> {
        let (resource, namespace): (Arc<str>, Arc<str>) = (resource.into(), namespace.into());
        let first = Key { resource: Arc::clone(&resource), namespace: Arc::clone(&namespace), name: "".into() };
        let after = self.objects.range(first..).map(|(_, stored)| stored);
        after.take_while(move |stored| stored.key().resource == resource && stored.key().namespace == namespace)
    }
    /// Returns the objects that name `uid` in `metadata.ownerReferences`, in key order.
    pub fn owned_by(&self, uid: &str) -> impl Iterator<Item = &Arc<Stored>> {
        self.indexed(&self.by_owner, uid)
    }
    /// Returns the pods whose `spec.nodeName` is `node`, in key order.
    pub fn pods_on(&self, node: &str) -> impl Iterator<Item = &Arc<Stored>> {
        self.indexed(&self.by_node, node)
    }
    /// Returns an object as its type; `None` where it is absent or does not fit the type.
    pub fn typed_get<T: Object>(&self, namespace: &str, name: &str) -> Option<Arc<T>> {
        self.get(&T::kind().key(namespace, name))?.typed().ok()
    }
    /// Returns all objects of a type in key order; leaves out those that do not fit it.
    pub fn typed_list<T: Object>(&self) -> impl Iterator<Item = Arc<T>> {
        let resource = T::kind().resource();
        self.list(&resource).filter_map(|stored| stored.typed().ok()).collect::<Vec<_>>().into_iter()
    }

    fn indexed<'a>(&'a self, index: &'a Index, value: &str) -> impl Iterator<Item = &'a Arc<Stored>> {
        let keys = index.get(value).into_iter().flatten();
        keys.filter_map(|key| self.objects.get(key))
    }

    /// Puts an object in and returns what it replaces. Its revision becomes the snapshot's.
    pub(super) fn put(&mut self, stored: Arc<Stored>) -> Option<Arc<Stored>> {
        self.revision = stored.revision();
        let key = stored.key().clone();
        let old = self.objects.insert(key.clone(), Arc::clone(&stored));
        if let Some(old) = &old {
            self.unindex(old);
        }
        for uid in stored.owner_uids() {
            self.by_owner.entry(uid.into()).or_default().insert(key.clone());
        }
        if let Some(node) = pod_node(&stored) {
            self.by_node.entry(node.into()).or_default().insert(key);
        }
        old
    }

    /// Takes an object out at `revision` and returns its last state.
    pub(super) fn delete(&mut self, key: &Key, revision: u64) -> Option<Arc<Stored>> {
        let old = self.objects.remove(key)?;
        self.revision = revision;
        self.unindex(&old);
        Some(old)
    }

    /// Sets the revision of a snapshot whose last change was compacted away.
    pub(super) fn set_revision(&mut self, revision: u64) {
        self.revision = revision;
    }

    fn unindex(&mut self, old: &Stored) {
        for uid in old.owner_uids() {
            remove(&mut self.by_owner, uid, old.key());
        }
        if let Some(node) = pod_node(old) {
            remove(&mut self.by_node, node, old.key());
        }
    }
}

fn pod_node(stored: &Stored) -> Option<&str> {
    if &*stored.key().resource == "pods" { stored.node_name() } else { None }
}

fn remove(index: &mut Index, value: &str, key: &Key) {
    if let Some(keys) = index.get_mut(value) {
        keys.remove(key);
        if keys.is_empty() {
            index.remove(value);
        }
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").field("revision", &self.revision).field("objects", &self.len()).finish()
    }
}
