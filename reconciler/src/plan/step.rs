//! What happens to one wanted object.
//!
//! Pure: the live object, the wanted one and the time decide.

use std::sync::Arc;

use bowline_runtime::api::diff::diff;
use bowline_runtime::api::{Key, merge, validate};
use bowline_runtime::store::objects::{
    Context, DeleteOptions, Propagation, Removal, create_txn, prepare_create, prepare_delete, prepare_update, update_op,
};
use bowline_runtime::store::{Op, Precondition, Snapshot, Stored};
use serde_json::Value;

use super::{Desired, Facts, MANAGER, OWNER, Owner, Scope, Step, Verb, annotation};

/// Returns the step for one object; `None` when it is as wanted.
pub(super) fn step(
    scope: &Scope<'_>,
    owner: &Owner,
    desired: &Arc<Desired>,
    live: Option<&Stored>,
    facts: &Facts<'_>,
) -> Result<Option<Step>, String> {
    let kind = desired.kind;
    let named = |message: &dyn std::fmt::Display| format!("{} `{}`: {message}", kind.kind, desired.key.name);
    let mut config = desired.config();
    set_annotation(&mut config, OWNER, &owner.id);
    let mut verb = match live {
        None => Verb::Create,
        // It is on its way out; the round after its end makes it anew.
        Some(live) if live.deletion_timestamp().is_some() => return Ok(None),
        Some(live) => owner_verb(scope, owner, desired, live, facts.snapshot)?,
    };
    let before = live.map(Stored::value);
    let merged = merge::apply(before.as_deref(), &config, kind, MANAGER, true, None, facts.now)
        .map_err(|error| named(&error))?;
    let context = Context { kind, snapshot: facts.snapshot, now: facts.now, entropy: (facts.entropy)(), manager: None };
    let (after, ops) = match live {
        None => {
            let after = prepare_create(merged, &context).map_err(|error| named(&error))?;
            let shown = if scope.detailed { after.clone() } else { Value::Null };
            (shown, create_txn(desired.key.clone(), after, facts.snapshot).ops)
        }
        Some(live) if kind.kind == "Job" && !validate::update(kind, &live.value(), &merged).is_empty() => {
            // A Job is a run: another template is another run. Anything else a person has to decide.
            verb = Verb::Replace;
            let fresh =
                merge::apply(None, &config, kind, MANAGER, true, None, facts.now).map_err(|error| named(&error))?;
            (prepare_create(fresh, &context).map_err(|error| named(&error))?, vec![removal(live, facts)?])
        }
        Some(live) => {
            let after = prepare_update(merged, &live.value(), &context).map_err(|error| named(&error))?;
            if verb == Verb::Update && after == *live.value() {
                return Ok(None);
            }
            (after.clone(), vec![update_op(desired.key.clone(), kind, after, live.revision())])
        }
    };
    let listed = scope.detailed || verb != Verb::Create;
    let changes = if listed { diff(before.as_deref().unwrap_or(&Value::Null), &after, kind) } else { Vec::new() };
    if verb == Verb::Update && changes.is_empty() && before.is_some_and(|before| same_owners(&before, &after)) {
        return Ok(None);
    }
    Ok(Some(Step {
        verb,
        kind: kind.kind,
        namespace: desired.key.namespace.to_string(),
        name: desired.key.name.to_string(),
        place: desired.place.to_string(),
        changes,
        key: desired.key.clone(),
        ops,
    }))
}

/// Whether the record of field ownership is the same; a takeover of fields is a change that no field shows.
fn same_owners(before: &Value, after: &Value) -> bool {
    before.pointer("/metadata/managedFields") == after.pointer("/metadata/managedFields")
}

/// Tells an update from an adoption or a move, and refuses an object that another Application wants, too.
fn owner_verb(
    scope: &Scope<'_>,
    owner: &Owner,
    desired: &Desired,
    live: &Stored,
    snapshot: &Snapshot,
) -> Result<Verb, String> {
    match annotation(&live.value(), OWNER) {
        Some(other) if other == owner.id => Ok(Verb::Update),
        Some(other) if holds(snapshot, other, &desired.key) && (scope.wanted_by)(other, &desired.key) => Err(format!(
            "{} `{}` is declared by application `{}` and belongs to application `{other}`: an object has one owner; \
             remove it from one of the two",
            desired.kind.kind, desired.key.name, owner.id
        )),
        Some(_) => Ok(Verb::Move),
        // Somebody removed the annotation: it is put back.
        None if owner.inventory.contains(&desired.key) => Ok(Verb::Update),
        None => Ok(Verb::Adopt),
    }
}

/// Whether another Application still lists an object in its inventory.
fn holds(snapshot: &Snapshot, application: &str, key: &Key) -> bool {
    let Some((namespace, name)) = application.split_once('/') else { return false };
    let found = snapshot.typed_get::<bowline_runtime::api::kinds::Application>(namespace, name);
    let Some(application) = found else { return false };
    let id = crate::apply::inventory::id(key);
    application.status.as_ref().is_some_and(|status| status.inventory.iter().any(|entry| entry.id == id))
}

/// Returns the deletion of a live object: what it owns goes in the background.
pub(super) fn removal(live: &Stored, facts: &Facts<'_>) -> Result<Op, String> {
    let kind = facts.kinds.resource(&live.key().resource).ok_or("its kind is not served any more")?;
    let options = DeleteOptions { propagation: Some(Propagation::Background), ..DeleteOptions::default() };
    let precondition = Precondition::Revision(live.revision());
    match prepare_delete(kind, &live.value(), &options, facts.now).map_err(|error| error.to_string())? {
        Removal::Now => Ok(Op::delete(live.key().clone(), precondition)),
        Removal::Later(value) => Ok(Op::put(live.key().clone(), precondition, value)),
        Removal::Already => Ok(Op::check(live.key().clone(), precondition)),
    }
}

/// Returns the change by which an object loses its owner: what nobody but Git stated goes, the object stays.
pub(super) fn release(live: &Stored, facts: &Facts<'_>) -> Result<Op, String> {
    let kind = facts.kinds.resource(&live.key().resource).ok_or("its kind is not served any more")?;
    let nothing = serde_json::json!({"apiVersion": kind.api_version(), "kind": kind.kind,
        "metadata": {"name": &*live.key().name, "namespace": &*live.key().namespace}});
    let left = merge::apply(Some(&live.value()), &nothing, kind, MANAGER, true, None, facts.now);
    let mut value = left.map_err(|error| error.to_string())?;
    if let Some(map) = value.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
        map.remove(OWNER);
    }
    let context = Context { kind, snapshot: facts.snapshot, now: facts.now, entropy: (facts.entropy)(), manager: None };
    let after = prepare_update(value, &live.value(), &context).or_else(|_| {
        // What remains would be no valid object: then only the owner goes.
        let mut value = live.to_value();
        if let Some(map) = value.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
            map.remove(OWNER);
        }
        prepare_update(value, &live.value(), &context)
    });
    Ok(update_op(live.key().clone(), kind, after.map_err(|error| error.to_string())?, live.revision()))
}

fn set_annotation(object: &mut Value, name: &str, value: &str) {
    let metadata = object.get_mut("metadata").and_then(Value::as_object_mut);
    let metadata = metadata.expect("invariant: a manifest has metadata");
    let annotations = metadata.entry("annotations").or_insert_with(|| Value::Object(serde_json::Map::new()));
    if !annotations.is_object() {
        *annotations = Value::Object(serde_json::Map::new());
    }
    annotations[name] = value.into();
}
