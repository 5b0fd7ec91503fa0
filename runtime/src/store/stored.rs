//! One object at one revision.
//!
//! Responsible for: what can be asked of a stored object without knowing its kind, and decoding it once into a typed
//! one. Never changes after it was made: a change of the object is another [`Stored`].

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use super::facts::{Facts, Outline};
use super::warm::{Slot, TYPED_FACTOR, VALUE_FACTOR};
use crate::api::{Key, Object, Timestamp};

/// An object as a transaction left it.
///
/// It is kept as JSON text; [`Stored::value`] and [`Stored::typed`] read it, and keep what they made for a while.
pub struct Stored {
    key: Key,
    revision: u64,
    created_revision: u64,
    json: Box<RawValue>,
    facts: Facts,
    labels: OnceLock<BTreeMap<String, String>>,
    forms: Slot,
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
        let stored = Self::made(key, revision, created_revision, &value);
        stored.forms.keep(stored.json().len() * VALUE_FACTOR, |forms| forms.value = Some(Arc::new(value)));
        Some(stored)
    }

    /// Makes a state from the text that [`Stored::json`] returned for it.
    ///
    /// Returns `None` where the text is no object with a `metadata` object.
    pub(super) fn from_json(key: Key, revision: u64, created_revision: u64, json: String) -> Option<Self> {
        let json = RawValue::from_string(json).ok()?;
        let facts = Facts::of_text(json.get())?;
        Some(Self { key, revision, created_revision, json, facts, labels: OnceLock::new(), forms: Slot::default() })
    }

    /// Makes an object that is not stored: what a dry run answers. Its revision is zero, its value as given.
    pub(super) fn draft(key: Key, value: Value) -> Self {
        Self::made(key, 0, 0, &value)
    }

    fn made(key: Key, revision: u64, created_revision: u64, value: &Value) -> Self {
        let json = to_raw_value(value).expect("invariant: a value serialises");
        let facts = Facts::of_value(value);
        Self { key, revision, created_revision, json, facts, labels: OnceLock::new(), forms: Slot::default() }
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
    /// Returns the object as compact JSON with the members of its objects in order of their names, so that equal
    /// objects have equal texts; `metadata.resourceVersion` is [`Stored::revision`].
    pub fn json(&self) -> &str {
        self.json.get()
    }
    /// Returns [`Stored::json`] as what serialises to itself.
    pub fn raw(&self) -> &RawValue {
        &self.json
    }
    /// Returns the object; `metadata.resourceVersion` is [`Stored::revision`] as text. Reads the text unless the
    /// object was just written or read.
    pub fn value(&self) -> Arc<Value> {
        if let Some(value) = self.warm() {
            return value;
        }
        let value = Arc::new(self.read::<Value>().expect("invariant: the text was made from a value or checked"));
        self.forms.keep(self.json().len() * VALUE_FACTOR, |forms| forms.value = Some(Arc::clone(&value)));
        value
    }
    /// Returns the object as [`Stored::value`] does, for the caller to change.
    pub fn to_value(&self) -> Value {
        let read = || self.read::<Value>().expect("invariant: the text was made from a value or checked");
        self.warm().map_or_else(read, |value| Value::clone(&value))
    }
    /// Returns the JSON text of a field of the metadata, without reading anything else.
    pub fn metadata_text(&self, field: &str) -> Option<&str> {
        Outline::read(self.json())?.metadata_field(field)
    }
    /// Returns a hash of what others than the object's own controllers say of it: of everything but the status and
    /// what writing that leaves in the metadata. For comparing states of one object in one process.
    pub fn declaration_hash(&self) -> Option<u64> {
        Outline::read(self.json())?.declaration_hash()
    }
    /// Returns the object if that costs nothing.
    pub(super) fn warm(&self) -> Option<Arc<Value>> {
        self.forms.lock().value.clone()
    }
    /// Returns `metadata.uid`, or an empty text.
    pub fn uid(&self) -> &str {
        &self.facts.uid
    }
    /// Returns `metadata.labels`.
    pub fn labels(&self) -> &BTreeMap<String, String> {
        self.labels.get_or_init(|| {
            #[derive(Default, Deserialize)]
            struct Metadata {
                labels: Option<BTreeMap<String, Value>>,
            }
            #[derive(Default, Deserialize)]
            struct Labelled {
                metadata: Metadata,
            }
            let labels = self.read::<Labelled>().unwrap_or_default().metadata.labels.unwrap_or_default();
            let text = |(key, value)| if let Value::String(value) = value { Some((key, value)) } else { None };
            labels.into_iter().filter_map(text).collect()
        })
    }
    /// Returns the UIDs of all owners, in the order of `metadata.ownerReferences`.
    pub fn owner_uids(&self) -> impl Iterator<Item = &str> {
        self.facts.owners.iter().map(|owner| &*owner.uid)
    }
    /// Returns the UID of the owner that controls the object.
    pub fn controller_uid(&self) -> Option<&str> {
        self.facts.owners.iter().find(|owner| owner.controller).map(|owner| &*owner.uid)
    }
    /// Returns `metadata.finalizers`.
    pub fn finalizers(&self) -> impl Iterator<Item = &str> {
        self.facts.finalizers.iter().map(|name| &**name)
    }
    /// Returns when the object is to be gone, if it is being deleted.
    pub fn deletion_timestamp(&self) -> Option<Timestamp> {
        self.facts.deletion_timestamp
    }
    /// Returns `spec.nodeName` where it is set and not empty.
    pub fn node_name(&self) -> Option<&str> {
        self.facts.node_name.as_deref().filter(|name| !name.is_empty())
    }

    /// Reads the object as `T`, which may be a part of it: members that `T` lacks are passed over. `None` where they do
    /// not fit.
    pub fn read<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_str(self.json()).ok()
    }

    /// Returns the object as its type. What one call decodes, others share for a while.
    ///
    /// # Errors
    /// The stored value does not fit the declaration of `T`.
    pub fn typed<T: Object>(&self) -> Result<Arc<T>, DecodeError> {
        if let Some(typed) = self.forms.lock().typed.clone().and_then(|typed| typed.downcast::<T>().ok()) {
            return Ok(typed);
        }
        let decode =
            |source| DecodeError { key: self.key.clone(), revision: self.revision, kind: T::kind().kind, source };
        let typed: Arc<T> = Arc::new(serde_json::from_str(self.json()).map_err(decode)?);
        self.forms.keep(self.json().len() * TYPED_FACTOR, |forms| forms.typed = Some(Arc::<T>::clone(&typed) as _));
        Ok(typed)
    }
}

impl fmt::Debug for Stored {
    /// Shows name and revision only: a value may hold a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.key, self.revision)
    }
}
