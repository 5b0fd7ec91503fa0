//! The traits and tables by which the rest of the program knows a kind.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, PoisonError, RwLock};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::FieldError;
use super::meta::ObjectMeta;
use super::schema::Struct;
use super::value::Timestamp;

/// A typed top-level object: `metadata` and what its kind declares beside it.
///
/// Implemented by `#[derive(Object)]`, never by hand.
pub trait Object: Serialize + DeserializeOwned + Clone + fmt::Debug + Send + Sync + 'static {
    /// Returns the kind's declaration.
    fn kind() -> &'static Kind;
    /// Returns the object's metadata.
    fn meta(&self) -> &ObjectMeta;
    /// Returns the object's metadata for change.
    fn meta_mut(&mut self) -> &mut ObjectMeta;

    /// Returns the object as JSON with `apiVersion` and `kind`, without nulls and empty lists.
    fn to_value(&self) -> Value {
        let mut value = serde_json::to_value(self).expect("invariant: a declared object serialises");
        strip_absent(&mut value);
        if let Value::Object(map) = &mut value {
            map.insert("apiVersion".into(), Value::String(Self::kind().api_version()));
            map.insert("kind".into(), Value::String(Self::kind().kind.into()));
        }
        value
    }

    /// Returns the key under which the store holds this object.
    fn key(&self) -> Key {
        Self::kind().key(self.meta().namespace.as_deref().unwrap_or(""), &self.meta().name)
    }
}

/// Removes nulls and empty lists, as Go's `omitempty` does.
pub fn strip_absent(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, item| {
                strip_absent(item);
                !item.is_null() && !matches!(item, Value::Array(list) if list.is_empty())
            });
        }
        Value::Array(list) => list.iter_mut().for_each(strip_absent),
        _ => {}
    }
}

/// Whether objects of a kind live in a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One set of names for each namespace.
    Namespaced,
    /// One set of names for all.
    Cluster,
}

/// The declaration of a kind: the registry entry by which API, plan, explain and completion find it.
#[derive(Debug)]
pub struct Kind {
    /// The API group; empty for the core group.
    pub group: &'static str,
    /// The version, for example `v1`.
    pub version: &'static str,
    /// The kind's name, for example `ReplicaSet`.
    pub kind: &'static str,
    /// The plural in URLs, for example `replicasets`.
    pub plural: &'static str,
    /// The singular, for example `replicaset`.
    pub singular: &'static str,
    /// The short names, for example `rs`.
    pub short_names: &'static [&'static str],
    /// The categories, for example `all`.
    pub categories: &'static [&'static str],
    /// Whether objects live in a namespace.
    pub scope: Scope,
    /// The top-level fields: `metadata`, `spec`, `status` or what the kind has instead.
    pub root: fn() -> &'static Struct,
    /// The columns of `get`, without the leading name and without namespace.
    pub columns: &'static [Column],
    /// Whether `status` is written by its own subresource.
    pub has_status: bool,
    /// Where the `scale` subresource finds its numbers.
    pub scale: Option<Scale>,
    /// Defaults that depend on other fields; run after the declared ones.
    pub default: Option<fn(&mut Value)>,
    /// Checks that one field's rules cannot express; run after the declared ones.
    pub validate: Option<fn(&Value) -> Vec<FieldError>>,
    /// Checks of a change, `(old, new)`; run after the declared immutability.
    pub validate_update: Option<fn(&Value, &Value) -> Vec<FieldError>>,
}

impl Kind {
    /// Returns `group/version`, or the version alone for the core group.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.to_owned() } else { format!("{}/{}", self.group, self.version) }
    }
    /// Returns `plural.group`, or the plural alone for the core group: the store's name for the kind.
    pub fn resource(&self) -> String {
        if self.group.is_empty() { self.plural.to_owned() } else { format!("{}.{}", self.plural, self.group) }
    }
    /// Returns `singular.group` as `get -o name` prints it (`pod`, `deployment.apps`).
    pub fn resource_name(&self) -> String {
        if self.group.is_empty() { self.singular.to_owned() } else { format!("{}.{}", self.singular, self.group) }
    }
    /// Returns the key of the object with this namespace (empty for cluster scope) and name.
    pub fn key(&self, namespace: &str, name: &str) -> Key {
        let namespace = if self.scope == Scope::Namespaced { namespace } else { "" };
        Key::new(&self.resource(), namespace, name)
    }
    /// Whether objects live in a namespace.
    pub fn namespaced(&self) -> bool {
        self.scope == Scope::Namespaced
    }
}

/// Where the `scale` subresource finds its numbers, as JSON pointers.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    /// Pointer to the wanted count.
    pub spec: &'static str,
    /// Pointer to the observed count.
    pub status: &'static str,
    /// Pointer to the label selector.
    pub selector: &'static str,
}

/// A column of `get`.
#[derive(Clone, Copy)]
pub struct Column {
    /// The heading, for example `Ready`.
    pub name: &'static str,
    /// The OpenAPI type: `string`, `integer`, `date`, `boolean`.
    pub kind: &'static str,
    /// Whether the column shows only with `-o wide`.
    pub wide: bool,
    /// Where the cell comes from.
    pub source: ColumnSource,
}

/// Where a cell comes from.
#[derive(Clone, Copy)]
pub enum ColumnSource {
    /// A JSON pointer; dates show as an age.
    Pointer(&'static str),
    /// A function of the object and the present time.
    Render(fn(&Value, Timestamp) -> String),
}

impl fmt::Debug for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Column").field("name", &self.name).field("wide", &self.wide).finish_non_exhaustive()
    }
}

/// The name of an object in the store. Orders by resource, then namespace, then name.
#[derive(Clone)]
pub struct Key {
    /// `plural.group`, for example `deployments.apps` or `pods`.
    pub resource: Arc<str>,
    /// The namespace; empty for cluster-scoped kinds.
    pub namespace: Arc<str>,
    /// The name.
    pub name: Arc<str>,
}

impl Key {
    /// Makes a key; those of one resource and namespace share the names of these.
    pub fn new(resource: &str, namespace: &str, name: &str) -> Self {
        Self { resource: shared(resource), namespace: shared(namespace), name: name.into() }
    }
}

/// So many names of resources and namespaces are shared; they are never forgotten.
const SHARED_MAX: usize = 2_000;

/// Returns one shared text for each name: keys are many, and comparing them is quick where the texts are the same.
fn shared(name: &str) -> Arc<str> {
    static SHARED: RwLock<BTreeSet<Arc<str>>> = RwLock::new(BTreeSet::new());
    if let Some(known) = SHARED.read().unwrap_or_else(PoisonError::into_inner).get(name) {
        return Arc::clone(known);
    }
    let fresh: Arc<str> = name.into();
    let mut shared = SHARED.write().unwrap_or_else(PoisonError::into_inner);
    if shared.len() < SHARED_MAX {
        shared.insert(Arc::clone(&fresh));
    }
    fresh
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        let texts = |one: &Arc<str>, other: &Arc<str>| {
            if Arc::ptr_eq(one, other) { Ordering::Equal } else { one.cmp(other) }
        };
        texts(&self.resource, &other.resource)
            .then_with(|| texts(&self.namespace, &other.namespace))
            .then_with(|| texts(&self.name, &other.name))
    }
}
impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Key {}
impl Hash for Key {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        (&self.resource, &self.namespace, &self.name).hash(hasher);
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            write!(f, "{}/{}", self.resource, self.name)
        } else {
            write!(f, "{}/{}/{}", self.resource, self.namespace, self.name)
        }
    }
}
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The set of kinds that a process serves: the built-in ones and any a user's program adds.
#[derive(Clone, Debug, Default)]
pub struct Kinds(Vec<&'static Kind>);

impl Kinds {
    /// Returns a set of these kinds.
    pub fn new(kinds: impl IntoIterator<Item = &'static Kind>) -> Self {
        Self(kinds.into_iter().collect())
    }
    /// Adds a typed kind.
    #[must_use]
    pub fn with<T: Object>(mut self) -> Self {
        self.0.push(T::kind());
        self
    }
    /// Returns all kinds in the order of their registration.
    pub fn iter(&self) -> impl Iterator<Item = &'static Kind> + '_ {
        self.0.iter().copied()
    }
    /// Finds a kind by `apiVersion` and `kind` of a manifest.
    pub fn find(&self, api_version: &str, kind: &str) -> Option<&'static Kind> {
        self.iter().find(|entry| entry.kind == kind && entry.api_version() == api_version)
    }
    /// Finds a kind by the store's resource name, `plural.group`.
    pub fn resource(&self, resource: &str) -> Option<&'static Kind> {
        self.iter().find(|entry| entry.resource() == resource)
    }
    /// Finds a kind by anything a person types: plural, singular, short name or kind, with or without `.group`.
    pub fn lookup(&self, word: &str) -> Option<&'static Kind> {
        let word = word.to_ascii_lowercase();
        let (name, group) = word.split_once('.').map_or((word.as_str(), None), |(name, group)| (name, Some(group)));
        self.iter().find(|entry| {
            group.is_none_or(|group| entry.group == group)
                && (entry.plural == name
                    || entry.singular == name
                    || entry.kind.to_ascii_lowercase() == name
                    || entry.short_names.contains(&name))
        })
    }
}
