//! The plan: what a commit would change, as one value.
//!
//! The command line, the apply step and later the pull request's comment all use this value; it is computed by a
//! pure function of the wanted objects, a snapshot and the time. Secrets are masked in it.

mod desired;
mod order;
mod render;

use std::collections::BTreeSet;

use bowline_runtime::api::diff::{Change, diff};
use bowline_runtime::api::{IntOrString, Key, Kind, Kinds, Timestamp, merge, validate};
use bowline_runtime::store::objects::{
    Context, DeleteOptions, Propagation, Removal, create_txn, prepare_create, prepare_delete, prepare_update, update_op,
};
use bowline_runtime::store::{Op, Precondition, Snapshot, Store, Stored, Txn};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use desired::{Desired, Problem, Resolved, check_one, resolve};
pub use order::wave;
pub use render::human;

/// The field manager under which Git's fields are owned.
pub const MANAGER: &str = "bowline";

/// The annotation that names the Application an object belongs to, as `namespace/name`.
pub const OWNER: &str = "bowline.dev/application";

/// The annotation that keeps an object from being pruned when its value is `disabled`.
pub const PRUNE: &str = "bowline.dev/prune";

/// The annotation on an Application that agrees to the deletions of one commit; its value is the commit.
pub const CONFIRM: &str = "bowline.dev/confirm-deletion";

/// What happens to one object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    /// It does not exist yet.
    Create,
    /// Some of its fields change.
    Update,
    /// It is deleted and made anew, because a field that cannot change does; Jobs only.
    Replace,
    /// It exists and gets an owner.
    Adopt,
    /// It comes from another Application.
    Move,
    /// It left the repository.
    Delete,
}

/// One line of a plan.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// What happens.
    pub verb: Verb,
    /// The object's kind.
    pub kind: &'static str,
    /// Its namespace; empty for cluster scope.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Where its manifest stands, `file:line`; empty for a deletion.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub place: String,
    /// What changes, secrets masked. For a creation, every field.
    pub changes: Vec<Change>,
    /// The object.
    #[serde(skip)]
    pub key: Key,
    /// What the store is to do, with the revision this was decided from as a precondition.
    #[serde(skip)]
    pub ops: Vec<Op>,
}

/// Why nothing is applied until a person agrees.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Hold {
    /// One word for programs.
    pub reason: &'static str,
    /// What would happen and how to agree.
    pub message: String,
    /// The objects that would be deleted.
    pub deletions: Vec<String>,
}

/// What a commit would change.
#[derive(Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// The Application, `namespace/name`.
    pub application: String,
    /// The commit; empty for a plain directory.
    pub commit: String,
    /// The steps in the order they are carried out: namespaces, configuration, workloads, deletions.
    pub steps: Vec<Step>,
    /// Mistakes; a plan that has any is not applied.
    pub problems: Vec<String>,
    /// What has no effect.
    pub warnings: Vec<String>,
    /// Why it waits for a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
    /// How many objects are wanted.
    pub wanted: usize,
}

impl Plan {
    /// Whether the plan changes nothing.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }
    /// Returns the number of steps with this verb.
    pub fn count(&self, verb: Verb) -> usize {
        self.steps.iter().filter(|step| step.verb == verb).count()
    }
}

/// Facts a plan is computed from, besides the wanted objects.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    /// The live objects.
    pub snapshot: &'a Snapshot,
    /// The kinds that are served.
    pub kinds: &'a Kinds,
    /// The present time.
    pub now: Timestamp,
    /// Chance: gives 128 random bits for each new object's UID.
    pub entropy: &'a dyn Fn() -> u128,
}

/// The Application a plan is made for.
#[derive(Clone, Debug)]
pub struct Owner {
    /// `namespace/name`.
    pub id: String,
    /// The keys that it has applied before.
    pub inventory: BTreeSet<Key>,
    /// Whether objects that left the repository are deleted.
    pub prune: bool,
    /// The most deletions that need no word from a person, a number or a share of the inventory; `None` is half.
    pub budget: Option<IntOrString>,
    /// The commit whose deletions a person agreed to.
    pub confirmed: Option<String>,
}

/// Computes what `resolved` changes. `skip` tells objects that are known to be as wanted.
///
/// Objects in a namespace that the plan itself creates are planned as if it existed; their operations hold only once
/// it does, so apply carries out the namespaces first and plans again.
pub fn plan(
    owner: &Owner,
    commit: &str,
    resolved: &Resolved,
    facts: &Facts<'_>,
    skip: &dyn Fn(&Desired, &Stored) -> bool,
) -> Plan {
    let mut plan = Plan {
        application: owner.id.clone(),
        commit: commit.to_owned(),
        problems: resolved.problems.iter().map(ToString::to_string).collect(),
        warnings: resolved.warnings.iter().map(ToString::to_string).collect(),
        wanted: resolved.objects.len(),
        ..Plan::default()
    };
    let (namespaces, others): (Vec<_>, Vec<_>) =
        resolved.objects.iter().partition(|desired| &*desired.key.resource == "namespaces");
    let mut each = |objects: &[&Desired], facts: &Facts<'_>| {
        for desired in objects {
            let live = facts.snapshot.get(&desired.key);
            if live.is_some_and(|live| skip(desired, live)) {
                continue;
            }
            match step(owner, desired, live.map(AsRef::as_ref), facts) {
                Ok(step) => plan.steps.extend(step),
                Err(message) => plan.problems.push(format!("{}: {message}", desired.place)),
            }
        }
        plan.steps.iter().filter(|step| step.verb == Verb::Create).flat_map(|step| step.ops.clone()).collect::<Vec<_>>()
    };
    let created = each(&namespaces, facts);
    if created.is_empty() {
        each(&others, facts);
    } else {
        let fork = Store::fork(facts.snapshot);
        // A namespace that cannot be made even in a copy shows as a problem of the objects in it.
        let _refused = fork.commit(Txn::from(created));
        each(&others, &Facts { snapshot: &fork.snapshot(), ..*facts });
    }
    let wanted: BTreeSet<&Key> = resolved.objects.iter().map(|desired| &desired.key).collect();
    let deletions = if owner.prune { deletions(owner, &wanted, facts) } else { Vec::new() };
    plan.hold = hold(owner, commit, resolved, &deletions);
    plan.steps.extend(deletions);
    plan.steps.sort_by_key(|step| wave(step.verb, &step.key.resource));
    plan
}

/// Returns the step for one object; `None` when it is as wanted.
fn step(owner: &Owner, desired: &Desired, live: Option<&Stored>, facts: &Facts<'_>) -> Result<Option<Step>, String> {
    let kind = desired.kind;
    let named = |message: &dyn std::fmt::Display| format!("{} `{}`: {message}", kind.kind, desired.key.name);
    let mut config = desired.config.clone();
    set_annotation(&mut config, OWNER, &owner.id);
    let mut verb = match live {
        None => Verb::Create,
        // It is on its way out; the round after its end makes it anew.
        Some(live) if live.deletion_timestamp().is_some() => return Ok(None),
        Some(live) => owner_verb(owner, desired, live, facts.snapshot)?,
    };
    let before = live.map(Stored::value);
    let merged = merge::apply(before, &config, kind, MANAGER, true, None, facts.now).map_err(|error| named(&error))?;
    let context =
        Context { kind, snapshot: facts.snapshot, now: facts.now, entropy: (facts.entropy)(), manager: None };
    let (after, ops) = match live {
        None => {
            let after = prepare_create(merged, &context).map_err(|error| named(&error))?;
            (after.clone(), create_txn(desired.key.clone(), after, facts.snapshot).ops)
        }
        Some(live) if !validate::update(kind, live.value(), &merged).is_empty() && kind.kind == "Job" => {
            // A Job is a run: another template is another run. Anything else a person has to decide.
            verb = Verb::Replace;
            let fresh = merge::apply(None, &config, kind, MANAGER, true, None, facts.now).map_err(|error| named(&error))?;
            (prepare_create(fresh, &context).map_err(|error| named(&error))?, vec![removal(live, facts)?])
        }
        Some(live) => {
            let after = prepare_update(merged, live.value(), &context).map_err(|error| named(&error))?;
            (after.clone(), vec![update_op(desired.key.clone(), kind, after, live.revision())])
        }
    };
    let changes = diff(before.unwrap_or(&Value::Null), &after, kind);
    if verb == Verb::Update && changes.is_empty() && before.is_some_and(|before| same_owners(before, &after)) {
        return Ok(None);
    }
    Ok(Some(Step {
        verb,
        kind: kind.kind,
        namespace: desired.key.namespace.to_string(),
        name: desired.key.name.to_string(),
        place: desired.place.clone(),
        changes,
        key: desired.key.clone(),
        ops,
    }))
}

/// Whether the record of field ownership is the same; a takeover of fields is a change that no field shows.
fn same_owners(before: &Value, after: &Value) -> bool {
    before.pointer("/metadata/managedFields") == after.pointer("/metadata/managedFields")
}

/// Tells an update from an adoption or a move, and refuses an object that another Application holds.
fn owner_verb(owner: &Owner, desired: &Desired, live: &Stored, snapshot: &Snapshot) -> Result<Verb, String> {
    match annotation(live.value(), OWNER) {
        Some(other) if other == owner.id => Ok(Verb::Update),
        Some(other) if holds(snapshot, other, &desired.key) => Err(format!(
            "{} `{}` belongs to application `{other}`: an object has one owner; remove it there first",
            desired.kind.kind, desired.key.name
        )),
        Some(_) => Ok(Verb::Move),
        None => Ok(Verb::Adopt),
    }
}

/// Returns the deletion of a live object: what it owns goes in the background.
fn removal(live: &Stored, facts: &Facts<'_>) -> Result<Op, String> {
    let kind = facts.kinds.resource(&live.key().resource).ok_or("its kind is not served any more")?;
    let options = DeleteOptions { propagation: Some(Propagation::Background), ..DeleteOptions::default() };
    let precondition = Precondition::Revision(live.revision());
    match prepare_delete(kind, live.value(), &options, facts.now).map_err(|error| error.to_string())? {
        Removal::Now => Ok(Op::delete(live.key().clone(), precondition)),
        Removal::Later(value) => Ok(Op::put(live.key().clone(), precondition, value)),
        Removal::Already => Ok(Op::check(live.key().clone(), precondition)),
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

/// Lists what the Application owns and Git no longer wants.
fn deletions(owner: &Owner, wanted: &BTreeSet<&Key>, facts: &Facts<'_>) -> Vec<Step> {
    let gone = owner.inventory.iter().filter(|key| !wanted.contains(key));
    gone.filter_map(|key| {
        let live = facts.snapshot.get(key)?;
        let own = annotation(live.value(), OWNER) == Some(owner.id.as_str());
        let kept = annotation(live.value(), PRUNE) == Some("disabled");
        if !own || kept || live.deletion_timestamp().is_some() {
            return None;
        }
        let kind: &'static Kind = facts.kinds.resource(&key.resource)?;
        Some(Step {
            verb: Verb::Delete,
            kind: kind.kind,
            namespace: key.namespace.to_string(),
            name: key.name.to_string(),
            place: String::new(),
            changes: Vec::new(),
            key: key.clone(),
            ops: vec![removal(live, facts).ok()?],
        })
    })
    .collect()
}

/// Returns the operations that delete everything an Application owns; none if it does not prune.
pub fn removals(owner: &Owner, facts: &Facts<'_>) -> Vec<Op> {
    let steps = if owner.prune { deletions(owner, &BTreeSet::new(), facts) } else { Vec::new() };
    steps.into_iter().flat_map(|step| step.ops).collect()
}

/// Says why a plan waits for a person: it would delete everything, or more than the budget allows.
fn hold(owner: &Owner, commit: &str, resolved: &Resolved, deletions: &[Step]) -> Option<Hold> {
    if deletions.is_empty() || owner.confirmed.as_deref() == Some(commit) {
        return None;
    }
    let names: Vec<String> =
        deletions.iter().map(|step| format!("{} {}/{}", step.kind, step.namespace, step.name)).collect();
    let agree = if commit.is_empty() {
        format!("to agree, commit it and annotate the Application with `{CONFIRM}` and the commit's id")
    } else {
        format!("to agree, annotate the Application with `{CONFIRM}: {commit}`")
    };
    if resolved.objects.is_empty() {
        let message = format!(
            "the commit holds no objects at all and {} would be deleted; nothing is touched; {agree}",
            names.len()
        );
        return Some(Hold { reason: "EmptyRender", message, deletions: names });
    }
    let budget = owner.budget.clone().unwrap_or_else(|| IntOrString::String("50%".to_owned()));
    // One object is always little enough: a share of a small inventory would round to none.
    let total = i32::try_from(owner.inventory.len()).unwrap_or(i32::MAX);
    let allowed = usize::try_from(budget.scaled(total, true).unwrap_or(0)).unwrap_or(0).max(1);
    (names.len() > allowed).then(|| Hold {
        reason: "DeletionBudgetExceeded",
        message: format!(
            "{} of {} objects would be deleted, more than `spec.deletionBudget` ({}) allows; nothing is touched; {agree}",
            names.len(),
            owner.inventory.len(),
            budget
        ),
        deletions: names,
    })
}

fn annotation<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object.get("metadata")?.get("annotations")?.get(name)?.as_str()
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
