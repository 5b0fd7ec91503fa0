//! How the actions of a decision become writes: by the rules of the API, with names and identities that are free.
//!
//! Never reads the store by itself, and holds no rule of its own but which object is meant.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::api::{Key, Kind, Kinds, Time, Timestamp};
use crate::store::Snapshot;
use crate::store::objects::delete::Propagation as Fate;
use crate::store::objects::prepare::ends_by_update;
use crate::store::objects::{
    Context, DeleteOptions, Entropy, Removal, StatusError, prepare_create, prepare_delete, prepare_finalize,
    prepare_status, prepare_update,
};

use super::{Action, Propagation};

/// How often a generated name may be taken already, as upstream.
const NAME_TRIES: usize = 8;

/// Why an action cannot be carried out by the rules.
#[derive(Debug, thiserror::Error)]
pub(super) enum PrepareError {
    #[error("`{0}` is no kind that is served here")]
    UnknownKind(String),
    #[error("{resource} \"{name}\" already exists")]
    Exists { resource: String, name: String },
    #[error(transparent)]
    Refused(#[from] StatusError),
}

/// Prepares writes.
#[derive(Clone)]
pub(super) struct Preparer {
    pub(super) kinds: Arc<Kinds>,
    entropy: Entropy,
}

impl Preparer {
    pub(super) fn new(kinds: Kinds, entropy: Entropy) -> Self {
        Self { kinds: Arc::new(kinds), entropy }
    }

    fn context<'a>(&self, kind: &'static Kind, snapshot: &'a Snapshot, now: Timestamp) -> Context<'a> {
        Context { kind, snapshot, now, entropy: (self.entropy)(), manager: None }
    }

    fn kind(&self, key: &Key) -> Result<&'static Kind, PrepareError> {
        self.kinds.resource(&key.resource).ok_or_else(|| PrepareError::UnknownKind(key.resource.to_string()))
    }

    /// Completes an object that is to be created; a generated name that is taken is made anew.
    pub(super) fn create(
        &self,
        snapshot: &Snapshot,
        object: &Value,
        taken: impl Fn(&Key) -> bool,
        now: Timestamp,
    ) -> Result<(Key, Value), PrepareError> {
        let text = |field: &str| object[field].as_str().unwrap_or_default();
        let found = self.kinds.find(text("apiVersion"), text("kind"));
        let kind =
            found.ok_or_else(|| PrepareError::UnknownKind(format!("{}/{}", text("apiVersion"), text("kind"))))?;
        let mut tries = 0;
        loop {
            let prepared = prepare_create(object.clone(), &self.context(kind, snapshot, now));
            let value = prepared.map_err(|error| without_random_name(error, object))?;
            let metadata = &value["metadata"];
            let key = kind
                .key(metadata["namespace"].as_str().unwrap_or_default(), metadata["name"].as_str().unwrap_or_default());
            if !taken(&key) && snapshot.get(&key).is_none() {
                return Ok((key, value));
            }
            tries += 1;
            if tries == NAME_TRIES || object["metadata"]["name"].is_string() {
                return Err(PrepareError::Exists { resource: kind.resource(), name: key.name.to_string() });
            }
        }
    }

    /// Returns what an action other than a creation makes of `old`; `None` where the object goes.
    pub(super) fn change(
        &self,
        snapshot: &Snapshot,
        action: &Action,
        old: &Value,
        now: Timestamp,
    ) -> Result<Option<Value>, PrepareError> {
        let Some(key) = action.target() else { return Ok(Some(old.clone())) };
        let kind = self.kind(key)?;
        let context = self.context(kind, snapshot, now);
        let new = match action {
            Action::Patch { patch, .. } => prepare_update(patched(old, patch), old, &context)?,
            Action::Annotate { annotations, .. } => {
                prepare_status(patched(old, &json!({ "metadata": { "annotations": annotations } })), old, &context)?
            }
            Action::Status { status, .. } => {
                let mut new = old.clone();
                new["status"] = status.clone();
                prepare_status(new, old, &context)?
            }
            Action::Bind { node, .. } => bound(old, node, now),
            Action::Finalize { .. } => prepare_finalize(&[], old, kind)?,
            Action::Delete { propagation, .. } => {
                let options = DeleteOptions { propagation: Some((*propagation).into()), ..DeleteOptions::default() };
                return Ok(match prepare_delete(kind, old, &options, now)? {
                    Removal::Now => None,
                    Removal::Later(new) => Some(new),
                    Removal::Already => Some(old.clone()),
                });
            }
            Action::Create { .. } | Action::Wait { .. } | Action::Event { .. } => old.clone(),
        };
        Ok((!ends_by_update(kind, &new)).then_some(new))
    }
}

impl From<Propagation> for Fate {
    fn from(propagation: Propagation) -> Self {
        match propagation {
            Propagation::Background => Self::Background,
            Propagation::Foreground => Self::Foreground,
            Propagation::Orphan => Self::Orphan,
        }
    }
}

/// Puts the prefix in the place of a name that was made for an object which there will not be, so that the same trouble
/// is told in the same words each time.
fn without_random_name(mut error: StatusError, object: &Value) -> StatusError {
    if let (Some(prefix), true) = (object["metadata"]["generateName"].as_str(), object["metadata"]["name"].is_null())
        && error.details.name.len() > prefix.len()
    {
        error.message = error.message.replace(&error.details.name, &format!("{prefix}*"));
    }
    error
}

fn patched(old: &Value, patch: &Value) -> Value {
    let mut new = old.clone();
    json_patch::merge(&mut new, patch);
    new
}

/// Sets the node and the PodScheduled condition, as the `binding` subresource does.
fn bound(old: &Value, node: &str, now: Timestamp) -> Value {
    let mut new = old.clone();
    new["spec"]["nodeName"] = json!(node);
    let mut conditions: Vec<Value> = old["status"]["conditions"].as_array().cloned().unwrap_or_default();
    conditions.retain(|condition| condition["type"] != "PodScheduled");
    conditions.push(json!({ "type": "PodScheduled", "status": "True", "lastTransitionTime": Time::from(now) }));
    new["status"]["conditions"] = Value::Array(conditions);
    new
}

impl std::fmt::Debug for Preparer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Preparer").field("kinds", &self.kinds.iter().count()).finish_non_exhaustive()
    }
}

/// Returns a seeded source of bits for tests and simulation: SplitMix64 (Steele, Lea, Flood 2014), twice a call.
pub fn seeded_entropy(seed: u64) -> Entropy {
    let state = std::sync::atomic::AtomicU64::new(seed);
    let next = move || {
        let step = 0x9e37_79b9_7f4a_7c15_u64;
        let mut mixed = state.fetch_add(step, std::sync::atomic::Ordering::Relaxed).wrapping_add(step);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        u128::from(mixed ^ (mixed >> 31))
    };
    Arc::new(move || next() << 64 | next())
}
