//! How the actions of a decision become objects: names, identities, defaults, graceful deletion.
//!
//! Pure but for the seed of names and UIDs, which is part of [`Preparer`]. Never reads the store by itself.

use serde_json::{Map, Value, json};

use crate::api::{Key, Kind, Kinds, Timestamp, Time};
use crate::store::Snapshot;

use super::Propagation;

/// Why an object cannot be created.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum PrepareError {
    #[error("`{api_version}` `{kind}` is no kind that is served here")]
    UnknownKind { api_version: String, kind: String },
    #[error("namespaces \"{namespace}\" not found")]
    NoNamespace { namespace: String },
    #[error("unable to create new content in namespace {namespace} because it is being terminated")]
    Terminating { namespace: String },
    #[error("{resource} \"{name}\" already exists")]
    Exists { resource: String, name: String },
}

/// What becomes of an object.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Deletion {
    /// It goes at once.
    Remove,
    /// It stays for now, marked.
    Keep(Value),
    /// It is as marked as can be.
    Nothing,
}

/// Makes names and identities.
#[derive(Clone, Debug)]
pub(super) struct Preparer {
    kinds: Kinds,
    random: u64,
}

/// Kubernetes' letters for generated names: no vowels, so that no words come out.
const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
/// The longest prefix of a generated name (63 less the five letters).
const PREFIX_MAX: usize = 58;
/// How often a taken name is made anew.
const NAME_TRIES: usize = 8;

impl Preparer {
    pub(super) fn new(kinds: Kinds, seed: u64) -> Self {
        Self { kinds, random: seed }
    }

    pub(super) fn kinds(&self) -> &Kinds {
        &self.kinds
    }

    /// SplitMix64 (Steele, Lea, Flood 2014): small, seeded, and good enough for names that must not repeat.
    fn next(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Returns a random UID (RFC 9562, version 4).
    pub(super) fn uid(&mut self) -> String {
        let (high, low) = (self.next(), self.next());
        let (version, variant) = ((high & 0x0fff) | 0x4000, ((low >> 48) & 0x3fff) | 0x8000);
        format!("{:08x}-{:04x}-{version:04x}-{variant:04x}-{:012x}", high >> 32, (high >> 16) & 0xffff, low & 0xffff_ffff_ffff)
    }

    /// Completes an object that is to be created.
    pub(super) fn create(
        &mut self,
        snapshot: &Snapshot,
        mut object: Value,
        taken: impl Fn(&Key) -> bool,
        now: Timestamp,
    ) -> Result<(Key, Value), PrepareError> {
        let text = |name: &str| object[name].as_str().unwrap_or_default().to_owned();
        let (api_version, name) = (text("apiVersion"), text("kind"));
        let kind = self.kinds.find(&api_version, &name).ok_or(PrepareError::UnknownKind { api_version, kind: name })?;
        let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default().to_owned();
        if kind.namespaced() {
            check_namespace(snapshot, &self.kinds, &namespace)?;
        }
        let key = self.name(kind, &namespace, &object, |key| taken(key) || snapshot.get(key).is_some())?;
        let uid = self.uid();
        let metadata = object_of(&mut object, "metadata");
        metadata.insert("name".into(), json!(&*key.name));
        metadata.insert("uid".into(), json!(uid));
        metadata.insert("creationTimestamp".into(), json!(Time::from(now)));
        metadata.insert("generation".into(), json!(1));
        crate::api::default::apply(kind, &mut object);
        Ok((key, object))
    }

    fn name(&mut self, kind: &Kind, namespace: &str, object: &Value, taken: impl Fn(&Key) -> bool) -> Result<Key, PrepareError> {
        let metadata = &object["metadata"];
        let exists = |key: &Key| PrepareError::Exists { resource: kind.resource(), name: key.name.to_string() };
        if let Some(name) = metadata["name"].as_str().filter(|name| !name.is_empty()) {
            let key = kind.key(namespace, name);
            return if taken(&key) { Err(exists(&key)) } else { Ok(key) };
        }
        let prefix = metadata["generateName"].as_str().unwrap_or_default();
        let prefix = prefix.get(..PREFIX_MAX).unwrap_or(prefix).to_owned();
        let mut key = kind.key(namespace, &prefix);
        for _ in 0..NAME_TRIES {
            let mut random = self.next();
            let mut name = prefix.clone();
            for _ in 0..5 {
                name.push(char::from(LETTERS[(random % LETTERS.len() as u64) as usize]));
                random /= LETTERS.len() as u64;
            }
            key = kind.key(namespace, &name);
            if !taken(&key) {
                return Ok(key);
            }
        }
        Err(exists(&key))
    }
}

fn check_namespace(snapshot: &Snapshot, kinds: &Kinds, namespace: &str) -> Result<(), PrepareError> {
    let Some(kind) = kinds.find("v1", "Namespace") else { return Ok(()) };
    let Some(stored) = snapshot.get(&kind.key("", namespace)) else {
        return Err(PrepareError::NoNamespace { namespace: namespace.to_owned() });
    };
    let going = stored.deletion_timestamp().is_some() || stored.value()["status"]["phase"] == "Terminating";
    if going { Err(PrepareError::Terminating { namespace: namespace.to_owned() }) } else { Ok(()) }
}

/// Decides what a deletion does to an object, as the API does.
pub(super) fn delete(key: &Key, object: &Value, propagation: Propagation, now: Timestamp) -> Deletion {
    let mut marked = object.clone();
    hold_for_dependents(&mut marked, propagation);
    let grace = grace_period(key, object);
    let held = is_held(&marked);
    if grace == 0 && !held {
        return Deletion::Remove;
    }
    let metadata = object_of(&mut marked, "metadata");
    if !metadata.contains_key("deletionTimestamp") {
        metadata.insert("deletionTimestamp".into(), json!(Time::from(now + std::time::Duration::from_secs(grace))));
        metadata.insert("deletionGracePeriodSeconds".into(), json!(grace));
        let generation = metadata.get("generation").and_then(Value::as_i64).unwrap_or(0);
        metadata.insert("generation".into(), json!(generation + 1));
        if &*key.resource == "namespaces" {
            object_of(&mut marked, "status").insert("phase".into(), json!("Terminating"));
        }
    }
    if marked == *object { Deletion::Nothing } else { Deletion::Keep(marked) }
}

/// Whether a marked object, once changed, has nothing left that holds it.
pub(super) fn is_free(object: &Value) -> bool {
    let metadata = &object["metadata"];
    metadata["deletionTimestamp"].is_string() && metadata["deletionGracePeriodSeconds"].as_i64().unwrap_or(0) == 0 && !is_held(object)
}

fn is_held(object: &Value) -> bool {
    [&object["metadata"]["finalizers"], &object["spec"]["finalizers"]]
        .iter()
        .any(|list| list.as_array().is_some_and(|list| !list.is_empty()))
}

fn hold_for_dependents(object: &mut Value, propagation: Propagation) {
    let finalizer = match propagation {
        Propagation::Background => None,
        Propagation::Foreground => Some("foregroundDeletion"),
        Propagation::Orphan => Some("orphan"),
    };
    let metadata = object_of(object, "metadata");
    let mut list: Vec<Value> = metadata.get("finalizers").and_then(Value::as_array).cloned().unwrap_or_default();
    list.retain(|name| name != "foregroundDeletion" && name != "orphan");
    list.extend(finalizer.map(|name| json!(name)));
    if list.is_empty() {
        metadata.remove("finalizers");
    } else {
        metadata.insert("finalizers".into(), Value::Array(list));
    }
}

/// Returns the seconds that a pod gets to end; zero for one that does not run, and for other kinds.
fn grace_period(key: &Key, object: &Value) -> u64 {
    let finished = matches!(object["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
    let assigned = object["spec"]["nodeName"].as_str().is_some_and(|node| !node.is_empty());
    if &*key.resource != "pods" || finished || !assigned {
        return 0;
    }
    let wanted = object["spec"]["terminationGracePeriodSeconds"].as_i64().unwrap_or(30);
    u64::try_from(wanted).unwrap_or(1)
}

/// Returns a field as an object; one that is absent or something else becomes an empty one.
pub(super) fn object_of<'a>(value: &'a mut Value, field: &str) -> &'a mut Map<String, Value> {
    if !value.is_object() {
        *value = json!({});
    }
    let slot = &mut value[field];
    if !slot.is_object() {
        *slot = json!({});
    }
    slot.as_object_mut().expect("invariant: made an object above")
}
