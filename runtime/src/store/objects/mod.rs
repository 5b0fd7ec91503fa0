//! The one write path for objects: the API server, apply and controllers all write by it.
//!
//! Responsible for: what Kubernetes' API server does between a request and etcd, from names and defaults to deletion,
//! and the answers it gives. Never decides what an object should be, and never writes but by one transaction whose
//! preconditions are what the write was decided from.
//!
//! Start reading at [`prepare`], the pure rules; [`Objects`] only adds the store, a clock and randomness. A controller
//! that changes several objects at once calls the same functions and builds one transaction of their results.

pub mod delete;
mod patch;
pub mod prepare;
mod rules;
pub mod select;
pub mod status;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde_json::Value;

pub use delete::{DeleteOptions, Propagation, Removal, prepare_delete};
pub use patch::PatchKind;
pub use prepare::{Context, create_txn, prepare_create, prepare_finalize, prepare_status, prepare_update, update_op};
pub use select::Selectors;
pub use status::{Cause, Details, StatusError};

use super::{CommitError, Op, Outcome, Precondition, Snapshot, Store, Stored, Txn};
use crate::api::{FieldError, Key, Kind, Kinds, Timestamp};

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;
/// Gives 128 random bits a call.
pub type Entropy = Arc<dyn Fn() -> u128 + Send + Sync>;

/// Reads and writes objects by Kubernetes' rules. Clones share everything.
#[derive(Clone)]
pub struct Objects {
    store: Store,
    kinds: Arc<Kinds>,
    clock: Clock,
    entropy: Entropy,
}

/// How a write is done.
#[derive(Clone, Debug, Default)]
pub struct WriteOptions {
    /// Who writes, for the record of ownership; upstream takes the client's name up to its `/`.
    pub manager: String,
    /// Whether everything is checked and nothing stored.
    pub dry_run: bool,
    /// What an unknown field leads to.
    pub unknown: UnknownFields,
}

/// What a field that the kind does not declare leads to; it is never stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnknownFields {
    /// A refusal.
    Strict,
    /// A warning.
    #[default]
    Warn,
    /// Nothing.
    Ignore,
}

/// A write that was accepted.
#[derive(Clone, Debug)]
pub struct Written {
    /// The object after it. Of a dry run, as it would be; its revision is zero then.
    pub object: Arc<Stored>,
    /// Whether the object is new.
    pub created: bool,
    /// Whether the write was what its deletion waited for, so that it is gone.
    pub deleted: bool,
    /// What the writer should know.
    pub warnings: Vec<String>,
}

/// A deletion that was accepted.
#[derive(Clone, Debug)]
pub enum Deleted {
    /// The object is gone; this is its last state.
    Gone(Arc<Stored>),
    /// The object goes when its grace is over and its finalizers are gone.
    Going(Arc<Stored>),
}

/// The objects of a kind at one revision.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The store's revision: where a watch continues.
    pub revision: u64,
    /// The objects in key order.
    pub items: Vec<Arc<Stored>>,
}

/// Whose fields an apply states.
#[derive(Clone, Copy, Debug)]
pub struct Applier<'a> {
    /// The field manager.
    pub manager: &'a str,
    /// Whether it takes fields that others own.
    pub force: bool,
}

/// How often a write starts over because the object changed meanwhile, as upstream's patches do.
const WRITE_TRIES: usize = 5;
/// How often a generated name may be taken already, as upstream.
const NAME_TRIES: usize = 8;

impl Objects {
    /// Returns the write path into a store.
    pub fn new(store: Store, kinds: Kinds, clock: Clock, entropy: Entropy) -> Self {
        Self { store, kinds: Arc::new(kinds), clock, entropy }
    }

    /// Returns the store that is written to.
    pub fn store(&self) -> &Store {
        &self.store
    }
    /// Returns the kinds that can be written.
    pub fn kinds(&self) -> &Kinds {
        &self.kinds
    }
    /// Returns the time by this path's clock.
    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// Returns the facts that a write by `manager` is decided from, for transactions of one's own.
    pub fn context<'a>(&self, kind: &'static Kind, snapshot: &'a Snapshot, manager: Option<&'a str>) -> Context<'a> {
        Context { kind, snapshot, now: self.now(), entropy: (self.entropy)(), manager }
    }

    /// Returns an object.
    ///
    /// # Errors
    /// 404.
    pub fn get(&self, kind: &'static Kind, namespace: &str, name: &str) -> Result<Arc<Stored>, StatusError> {
        find(&self.store.snapshot(), kind, namespace, name)
    }

    /// Returns the objects of a kind in one namespace, or in all.
    pub fn list(&self, kind: &'static Kind, namespace: Option<&str>, selectors: &Selectors) -> Listed {
        let snapshot = self.store.snapshot();
        let resource = kind.resource();
        let chosen = |stored: &&Arc<Stored>| selectors.matches(stored);
        let items = match namespace {
            Some(namespace) => snapshot.list_in(&resource, namespace).filter(chosen).cloned().collect(),
            None => snapshot.list(&resource).filter(chosen).cloned().collect(),
        };
        Listed { revision: snapshot.revision(), items }
    }

    /// Creates an object; its name may come from `metadata.generateName`.
    ///
    /// # Errors
    /// See [`prepare_create`]; 409 where it exists.
    pub async fn create(
        &self,
        kind: &'static Kind,
        namespace: &str,
        mut value: Value,
        options: &WriteOptions,
    ) -> Result<Written, StatusError> {
        let warnings = admit(kind, &mut value, options)?;
        place(kind, &mut value, namespace)?;
        if let Some(metadata) = value["metadata"].as_object_mut() {
            metadata.remove("managedFields");
        }
        let generated = prepare::name_of(&value).is_empty();
        let mut last = StatusError::internal("no name was tried");
        for _ in 0..NAME_TRIES {
            let snapshot = self.store.snapshot();
            let context = self.context(kind, &snapshot, Some(&options.manager));
            let prepared = prepare_create(value.clone(), &context)?;
            let key = kind.key(namespace, prepare::name_of(&prepared));
            match self.try_create(kind, key, prepared, &snapshot, options.dry_run).await? {
                Attempt::Done(object) => return Ok(Written { object, created: true, deleted: false, warnings }),
                Attempt::Taken(refusal) if !generated => return Err(refusal),
                Attempt::Taken(refusal) | Attempt::Raced(refusal) => last = refusal,
            }
        }
        Err(last)
    }

    /// Replaces an object, except for its status.
    ///
    /// # Errors
    /// See [`prepare_update`]; 404; 409 where `metadata.resourceVersion` is given and not the present one.
    pub async fn update(
        &self,
        kind: &'static Kind,
        namespace: &str,
        name: &str,
        mut value: Value,
        options: &WriteOptions,
    ) -> Result<Written, StatusError> {
        let warnings = admit(kind, &mut value, options)?;
        if is_custom(kind) && version_of(&value).is_empty() {
            let error = FieldError::invalid("metadata.resourceVersion", "0", "must be specified for an update");
            return Err(StatusError::invalid(kind, name, &[error]));
        }
        let written = self.change(kind, namespace, name, options, |stored, context| {
            check_version(kind, &value, stored)?;
            prepare_update(value.clone(), &stored.value(), context)
        });
        Ok(Written { warnings, ..written.await? })
    }

    /// Replaces the status of an object, and nothing else but annotations.
    ///
    /// # Errors
    /// See [`prepare_status`]; 404; 409 where `metadata.resourceVersion` is given and not the present one.
    pub async fn update_status(
        &self,
        kind: &'static Kind,
        namespace: &str,
        name: &str,
        mut value: Value,
        options: &WriteOptions,
    ) -> Result<Written, StatusError> {
        let warnings = admit(kind, &mut value, options)?;
        let written = self.change(kind, namespace, name, options, |stored, context| {
            check_version(kind, &value, stored)?;
            prepare_status(value.clone(), &stored.value(), context)
        });
        Ok(Written { warnings, ..written.await? })
    }

    /// Sets `spec.finalizers` of a namespace; the last one to go removes a namespace that is being deleted.
    ///
    /// # Errors
    /// See [`prepare_finalize`]; 404.
    pub async fn finalize(
        &self,
        kind: &'static Kind,
        name: &str,
        finalizers: &[String],
        options: &WriteOptions,
    ) -> Result<Written, StatusError> {
        self.change(kind, "", name, options, |stored, _| prepare_finalize(finalizers, &stored.value(), kind)).await
    }

    /// Changes an object by a patch, or its status where `subresource` is `status`.
    ///
    /// # Errors
    /// As [`Objects::update`]; 400, 413, 415 or 422 where the patch does not fit.
    pub async fn patch(
        &self,
        kind: &'static Kind,
        namespace: &str,
        name: &str,
        patch: PatchKind,
        body: &Value,
        subresource: Option<&str>,
        options: &WriteOptions,
    ) -> Result<Written, StatusError> {
        let mut warnings = Vec::new();
        let written = self.change(kind, namespace, name, options, |stored, context| {
            let mut value = patch.apply(kind, &stored.value(), body)?;
            warnings = admit(kind, &mut value, options)?;
            check_version(kind, &value, stored)?;
            prepare_subresource(value, &stored.value(), subresource, context)
        });
        let written = written.await?;
        Ok(Written { warnings, ..written })
    }

    /// Applies what a manager states of an object, and creates the object where there is none.
    ///
    /// # Errors
    /// As [`Objects::create`] and [`Objects::update`]; 409 with a cause for each field that others own.
    pub async fn apply(
        &self,
        kind: &'static Kind,
        namespace: &str,
        name: &str,
        mut config: Value,
        applier: Applier<'_>,
        subresource: Option<&str>,
        options: &WriteOptions,
    ) -> Result<Written, StatusError> {
        let warnings = admit(kind, &mut config, options)?;
        place(kind, &mut config, namespace)?;
        prepare::fill_name(kind, &mut config, name)?;
        for _ in 0..WRITE_TRIES {
            let snapshot = self.store.snapshot();
            let context = self.context(kind, &snapshot, None);
            let key = kind.key(namespace, name);
            let live = snapshot.get(&key);
            if let Some(live) = live {
                check_version(kind, &config, live)?;
            } else if subresource.is_some() || !version_of(&config).is_empty() {
                return Err(StatusError::not_found(kind, name));
            }
            let merged = patch::apply(
                kind,
                live.map(|live| live.value()).as_deref(),
                &config,
                applier,
                subresource,
                context.now,
            )?;
            let attempt = if let Some(live) = live {
                let prepared = prepare_subresource(merged, &live.value(), subresource, &context)?;
                self.try_update(kind, live, prepared, options.dry_run).await?
            } else {
                let prepared = prepare_create(merged, &context)?;
                self.try_create(kind, key, prepared, &snapshot, options.dry_run).await?
            };
            if let Attempt::Done(object) = attempt {
                let deleted = live.is_some() && prepare::ends_by_update(kind, &object.value());
                return Ok(Written { object, created: live.is_none(), deleted, warnings });
            }
        }
        Err(StatusError::modified(kind, name))
    }

    /// Deletes an object, at once or as its grace and finalizers have it.
    ///
    /// # Errors
    /// 404; 409 where a precondition does not hold.
    pub async fn delete(
        &self,
        kind: &'static Kind,
        namespace: &str,
        name: &str,
        options: &DeleteOptions,
    ) -> Result<Deleted, StatusError> {
        for _ in 0..WRITE_TRIES {
            let stored = find(&self.store.snapshot(), kind, namespace, name)?;
            let precondition = Precondition::Revision(stored.revision());
            let key = stored.key().clone();
            let removal = prepare_delete(kind, &stored.value(), options, self.now())?;
            let op = match removal {
                Removal::Already => return Ok(Deleted::Going(stored)),
                Removal::Now if options.dry_run => return Ok(Deleted::Gone(stored)),
                Removal::Later(value) if options.dry_run => {
                    return Ok(Deleted::Going(Arc::new(Stored::draft(key, value))));
                }
                Removal::Now => Op::delete(key, precondition),
                Removal::Later(value) => Op::put(key, precondition, value),
            };
            match self.store.commit_async(Txn::one(op)).await {
                Ok(committed) => match committed.outcomes.into_iter().next() {
                    Some(Outcome::Deleted(last)) => return Ok(Deleted::Gone(last)),
                    Some(Outcome::Put(now)) => return Ok(Deleted::Going(now)),
                    Some(Outcome::Unchanged(_)) | None => return Ok(Deleted::Going(stored)),
                },
                Err(CommitError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(StatusError::modified(kind, name))
    }

    /// Changes an object and starts over where it changed meanwhile. A change that named the revision it was made
    /// from refuses by itself then.
    async fn change(
        &self,
        kind: &'static Kind,
        namespace: &str,
        name: &str,
        options: &WriteOptions,
        mut make: impl FnMut(&Stored, &Context<'_>) -> Result<Value, StatusError>,
    ) -> Result<Written, StatusError> {
        for _ in 0..WRITE_TRIES {
            let snapshot = self.store.snapshot();
            let stored = find(&snapshot, kind, namespace, name)?;
            let prepared = make(&stored, &self.context(kind, &snapshot, Some(&options.manager)))?;
            let deleted = prepare::ends_by_update(kind, &prepared);
            if let Attempt::Done(object) = self.try_update(kind, &stored, prepared, options.dry_run).await? {
                return Ok(Written { object, created: false, deleted, warnings: Vec::new() });
            }
        }
        Err(StatusError::modified(kind, name))
    }

    async fn try_create(
        &self,
        kind: &'static Kind,
        key: Key,
        prepared: Value,
        snapshot: &Snapshot,
        dry_run: bool,
    ) -> Result<Attempt, StatusError> {
        let exists = StatusError::already_exists(kind, &key.name);
        if snapshot.get(&key).is_some() {
            return Ok(Attempt::Taken(exists));
        }
        if dry_run {
            return Ok(Attempt::Done(Arc::new(Stored::draft(key, prepared))));
        }
        match self.store.commit_async(create_txn(key.clone(), prepared, snapshot)).await {
            Ok(committed) => match committed.outcomes.last().and_then(Outcome::object) {
                Some(object) => Ok(Attempt::Done(Arc::clone(object))),
                None => Err(StatusError::internal("the store answered without an object")),
            },
            Err(CommitError::Conflict { key: at, .. }) if at == key => Ok(Attempt::Taken(exists)),
            Err(CommitError::Conflict { .. }) => Ok(Attempt::Raced(StatusError::modified(kind, &key.name))),
            Err(error) => Err(error.into()),
        }
    }

    async fn try_update(
        &self,
        kind: &'static Kind,
        stored: &Arc<Stored>,
        prepared: Value,
        dry_run: bool,
    ) -> Result<Attempt, StatusError> {
        let key = stored.key().clone();
        if dry_run {
            return Ok(Attempt::Done(Arc::new(Stored::draft(key, prepared))));
        }
        let op = update_op(key, kind, prepared, stored.revision());
        match self.store.commit_async(Txn::one(op)).await {
            Ok(committed) => {
                let object = committed.outcomes.first().and_then(Outcome::object);
                Ok(Attempt::Done(Arc::clone(object.unwrap_or(stored))))
            }
            Err(CommitError::Conflict { .. }) => Ok(Attempt::Raced(StatusError::modified(kind, &stored.key().name))),
            Err(error) => Err(error.into()),
        }
    }
}

/// How one try of a write ended.
enum Attempt {
    /// It is done.
    Done(Arc<Stored>),
    /// There is such an object already.
    Taken(StatusError),
    /// What it was decided from changed meanwhile.
    Raced(StatusError),
}

fn find(snapshot: &Snapshot, kind: &'static Kind, namespace: &str, name: &str) -> Result<Arc<Stored>, StatusError> {
    snapshot.get(&kind.key(namespace, name)).cloned().ok_or_else(|| StatusError::not_found(kind, name))
}

fn prepare_subresource(
    value: Value,
    old: &Value,
    subresource: Option<&str>,
    context: &Context<'_>,
) -> Result<Value, StatusError> {
    match subresource {
        None => prepare_update(value, old, context),
        Some("status") => prepare_status(value, old, context),
        Some(_) => Err(StatusError::no_subresource(context.kind, prepare::name_of(old))),
    }
}

/// Deals with fields that are not declared or have no effect; returns the warnings.
fn admit(kind: &'static Kind, value: &mut Value, options: &WriteOptions) -> Result<Vec<String>, StatusError> {
    let unknown = rules::unknown(kind, value);
    if options.unknown == UnknownFields::Strict && !unknown.is_empty() {
        return Err(StatusError::bad_request(format!("strict decoding error: {}", unknown.join(", "))));
    }
    rules::remove_unknown(kind, value);
    let mut warnings = rules::not_enforced(kind, value);
    if options.unknown == UnknownFields::Warn {
        warnings.extend(unknown);
    }
    Ok(warnings)
}

/// Puts a new object into the namespace of the request; one that names another is refused.
fn place(kind: &'static Kind, value: &mut Value, namespace: &str) -> Result<(), StatusError> {
    if !kind.namespaced() {
        return Ok(());
    }
    let found = value.pointer("/metadata/namespace").and_then(Value::as_str).unwrap_or_default().to_owned();
    if !found.is_empty() && found != namespace {
        return Err(StatusError::bad_request(format!(
            "the namespace of the provided object does not match the namespace sent on the request: `{found}` is not `{namespace}`"
        )));
    }
    prepare::check_shape(value, kind)?;
    prepare::metadata_mut(value).insert("namespace".into(), namespace.into());
    Ok(())
}

fn version_of(value: &Value) -> &str {
    value.pointer("/metadata/resourceVersion").and_then(Value::as_str).unwrap_or_default()
}

/// A write that names the revision it was made from must meet that revision.
fn check_version(kind: &'static Kind, value: &Value, stored: &Stored) -> Result<(), StatusError> {
    let version = version_of(value);
    let same = version.is_empty() || version == "0" || version == stored.revision().to_string();
    if same { Ok(()) } else { Err(StatusError::modified(kind, &stored.key().name)) }
}

/// Whether a kind would be a custom resource upstream, for which some rules are stricter.
fn is_custom(kind: &Kind) -> bool {
    kind.group.contains('.') && !kind.group.ends_with(".k8s.io")
}
