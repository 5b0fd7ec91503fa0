//! One object at one revision.
//!
//! Responsible for: what can be asked of a stored object without knowing its kind, and decoding it once into a typed
//! one. Never changes after it was made: a change of the object is another [`Stored`].

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use serde_json::Value;

use crate::api::{Key, Object, Timestamp};

/// An object as a transaction left it.
pub struct Stored {
    key: Key,
    revision: u64,
    created_revision: u64,
    value: Value,
    labels: OnceLock<BTreeMap<String, String>>,
    typed: OnceLock<Arc<dyn Any + Send + Sync>>,
}

/// A stored object that does not have the shape of the type it was read as.
#[derive(Debug, thiserror::Error)]
#[error("cannot read `{key}` at revision {revision} as {kind}: the stored value does not fit the declaration")]
pub struct DecodeError {
    /// The object.
    pub key: Key,
    /// The revision that was read.
    pub revision: u64,
    /// The kind it was read as.
    pub kind: &'static str,
    /// Where the two differ.
    #[source]
    pub source: serde_json::Error,
}

impl Stored {
    /// Makes the state of `key` at `revision`; `metadata.resourceVersion` is set to it.
    ///
    /// Returns `None` where `value` is no object with a `metadata` object.
    pub(super) fn new(key: Key, revision: u64, created_revision: u64, mut value: Value) -> Option<Self> {
        let metadata = value.get_mut("metadata")?.as_object_mut()?;
        metadata.insert("resourceVersion".into(), Value::String(revision.to_string()));
        Some(Self { key, revision, created_revision, value, labels: OnceLock::new(), typed: OnceLock::new() })
    }

    /// Makes an object that is not stored: what a dry run answers. Its revision is zero, its value as given.
    pub(super) fn draft(key: Key, value: Value) -> Self {
        Self { key, revision: 0, created_revision: 0, value, labels: OnceLock::new(), typed: OnceLock::new() }
    }

    /// Returns the name under which the store holds the object.
    pub fn key(&self) -> &Key {
        &self.key
    }
    /// Returns the revision that made this state.
    pub fn revision(&self) -> u64 {
        self.revision
    }
    /// Returns the revision that created the object.
    pub fn created_revision(&self) -> u64 {
        self.created_revision
    }
    /// Returns the object; `metadata.resourceVersion` is [`Stored::revision`] as text.
    pub fn value(&self) -> &Value {
        &self.value
    }
    /// Returns `metadata.uid`, or an empty text.
    pub fn uid(&self) -> &str {
        self.metadata_text("uid").unwrap_or("")
    }
    /// Returns `metadata.labels`.
    pub fn labels(&self) -> &BTreeMap<String, String> {
        self.labels.get_or_init(|| {
            let labels = self.metadata("labels").and_then(Value::as_object);
            let texts = labels.into_iter().flatten();
            texts.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
        })
    }
    /// Returns the UIDs of all owners, in the order of `metadata.ownerReferences`.
    pub fn owner_uids(&self) -> impl Iterator<Item = &str> {
        let owners = self.metadata("ownerReferences").and_then(Value::as_array);
        owners.into_iter().flatten().filter_map(|owner| owner.get("uid")?.as_str())
    }
    /// Returns when the object is to be gone, if it is being deleted.
    pub fn deletion_timestamp(&self) -> Option<Timestamp> {
        self.metadata_text("deletionTimestamp")?.parse().ok()
    }
    /// Returns `spec.nodeName` where it is set and not empty.
    pub fn node_name(&self) -> Option<&str> {
        self.value.get("spec")?.get("nodeName")?.as_str().filter(|name| !name.is_empty())
    }

    /// Returns the object as its type; the first call for a state decodes, later ones share the result.
    ///
    /// # Errors
    /// The stored value does not fit the declaration of `T`.
    pub fn typed<T: Object>(&self) -> Result<Arc<T>, DecodeError> {
        if let Some(typed) = self.typed.get().cloned().and_then(|typed| typed.downcast::<T>().ok()) {
            return Ok(typed);
        }
        let decode =
            |source| DecodeError { key: self.key.clone(), revision: self.revision, kind: T::kind().kind, source };
        let typed = Arc::new(serde::Deserialize::deserialize(&self.value).map_err(decode)?);
        // A second type read from the same value is decoded anew each time: only the first is remembered.
        let _: Result<(), _> = self.typed.set(Arc::<T>::clone(&typed) as Arc<dyn Any + Send + Sync>);
        Ok(typed)
    }

    fn metadata(&self, field: &str) -> Option<&Value> {
        self.value.get("metadata")?.get(field)
    }
    fn metadata_text(&self, field: &str) -> Option<&str> {
        self.metadata(field)?.as_str()
    }
}

impl fmt::Debug for Stored {
    /// Shows name and revision only: a value may hold a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.key, self.revision)
    }
}
