//! The plan: what a commit would change, as one value.
//!
//! The command line, the apply step and later the pull request's comment all use this value; it is computed by a
//! pure function of the wanted objects, a snapshot and the time. Secrets are masked in it.

mod desired;
mod order;
mod render;

use std::collections::{BTreeMap, BTreeSet};

use bowline_runtime::api::diff::{Change, diff};
use bowline_runtime::api::{Key, Kind, Kinds, Timestamp, defaults, merge, validate};
use bowline_runtime::store::{Snapshot, Stored};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use desired::{Desired, Problem, Resolved, resolve};
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
#[derive(Clone, Debug, PartialEq, Serialize)]
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
    /// The object's key and its next value, for apply.
    #[serde(skip)]
    pub write: Write,
}

/// What apply has to write for a step.
#[derive(Clone, Debug, PartialEq)]
pub struct Write {
    /// The object.
    pub key: Key,
    /// The kind.
    pub resource: String,
    /// The manifest to apply; `None` deletes.
    pub config: Option<Value>,
    /// The revision the plan was made from; `None` when the object did not exist.
    pub base: Option<u64>,
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
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
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

/// The Application a plan is made for.
#[derive(Clone, Debug)]
pub struct Owner {
    /// `namespace/name`.
    pub id: String,
    /// The keys that it has applied before.
    pub inventory: BTreeSet<Key>,
    /// Whether objects that left the repository are deleted.
    pub prune: bool,
    /// The most deletions that need no word from a person, for a total number of objects.
    pub budget: fn(&str, usize) -> usize,
    /// The budget's text, a number or a percentage.
    pub budget_text: String,
    /// The commit whose deletions a person agreed to.
    pub confirmed: Option<String>,
}

/// Computes what `resolved` changes. `skip` tells objects that are known to be as wanted.
pub fn plan(
    owner: &Owner,
    commit: &str,
    resolved: &Resolved,
    snapshot: &Snapshot,
    kinds: &Kinds,
    skip: &dyn Fn(&Desired, &Stored) -> bool,
    now: Timestamp,
) -> Plan {
    let mut plan = Plan {
        application: owner.id.clone(),
        commit: commit.to_owned(),
        problems: resolved.problems.iter().map(ToString::to_string).collect(),
        warnings: resolved.warnings.iter().map(ToString::to_string).collect(),
        wanted: resolved.objects.len(),
        ..Plan::default()
    };
    let wanted: BTreeSet<&Key> = resolved.objects.iter().map(|desired| &desired.key).collect();
    for desired in &resolved.objects {
        let live = snapshot.get(&desired.key);
        if live.is_some_and(|live| skip(desired, live)) {
            continue;
        }
        match step(owner, desired, live.map(AsRef::as_ref), snapshot, now) {
            Ok(step) => plan.steps.extend(step),
            Err(message) => plan.problems.push(format!("{}: {message}", desired.place)),
        }
    }
    let deletions = if owner.prune { deletions(owner, &wanted, snapshot, kinds) } else { Vec::new() };
    plan.hold = hold(owner, commit, resolved, &deletions);
    plan.steps.extend(deletions);
    plan.steps.sort_by_key(|step| wave(step.verb, &step.write.resource));
    plan
}

/// Returns the step for one object; `None` when it is as wanted.
fn step(
    owner: &Owner,
    desired: &Desired,
    live: Option<&Stored>,
    snapshot: &Snapshot,
    now: Timestamp,
) -> Result<Option<Step>, String> {
    let kind = desired.kind;
    let mut config = desired.config.clone();
    set_annotation(&mut config, OWNER, &owner.id);
    let mut verb = if live.is_some() { Verb::Update } else { Verb::Create };
    if let Some(live) = live {
        if live.deletion_timestamp().is_some() {
            // It is on its way out; the next round makes it anew.
            return Ok(None);
        }
        match annotation(live.value(), OWNER) {
            Some(other) if other == owner.id => {}
            Some(other) => {
                if holds(snapshot, other, &desired.key) {
                    return Err(format!(
                        "{} `{}` belongs to application `{other}`: an object has one owner; remove it there first",
                        kind.kind, desired.key.name
                    ));
                }
                verb = Verb::Move;
            }
            None => verb = Verb::Adopt,
        }
    }
    let before = live.map(Stored::value);
    let after = next(kind, before, &config, now)?;
    let errors = validate::object(kind, &after);
    let fixed = before.map(|before| validate::update(kind, before, &after)).unwrap_or_default();
    let place = desired.place.clone();
    if let Some(error) = errors.first() {
        return Err(format!("{} `{}`: {error}", kind.kind, desired.key.name));
    }
    let changes = diff(before.unwrap_or(&Value::Null), &after, kind);
    if !fixed.is_empty() {
        // A Job is a run: another template is another run. Anything else a person has to decide.
        if kind.kind != "Job" {
            let list: Vec<String> = fixed.iter().map(ToString::to_string).collect();
            let hint = "delete the object or give the new one another name";
            return Err(format!("{} `{}`: {}: {hint}", kind.kind, desired.key.name, list.join("; ")));
        }
        verb = Verb::Replace;
    } else if live.is_some() && changes.is_empty() && verb == Verb::Update {
        return Ok(None);
    }
    Ok(Some(Step {
        verb,
        kind: kind.kind,
        namespace: desired.key.namespace.to_string(),
        name: desired.key.name.to_string(),
        place,
        changes,
        write: Write {
            key: desired.key.clone(),
            resource: kind.resource(),
            config: Some(config),
            base: live.map(Stored::revision),
        },
    }))
}

/// Returns the object as it will be: merged as server-side apply merges, defaults filled in.
fn next(kind: &'static Kind, live: Option<&Value>, config: &Value, now: Timestamp) -> Result<Value, String> {
    let mut value =
        merge::apply(live, config, kind, MANAGER, true, None, now).map_err(|error| error.to_string())?;
    defaults::apply(kind, &mut value);
    Ok(value)
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
fn deletions(owner: &Owner, wanted: &BTreeSet<&Key>, snapshot: &Snapshot, kinds: &Kinds) -> Vec<Step> {
    let gone = owner.inventory.iter().filter(|key| !wanted.contains(key));
    gone.filter_map(|key| {
        let live = snapshot.get(key)?;
        let kind = kinds.resource(&key.resource)?;
        let own = annotation(live.value(), OWNER) == Some(owner.id.as_str());
        let kept = annotation(live.value(), PRUNE) == Some("disabled");
        (own && !kept && live.deletion_timestamp().is_none()).then(|| Step {
            verb: Verb::Delete,
            kind: kind.kind,
            namespace: key.namespace.to_string(),
            name: key.name.to_string(),
            place: String::new(),
            changes: Vec::new(),
            write: Write {
                key: key.clone(),
                resource: key.resource.to_string(),
                config: None,
                base: Some(live.revision()),
            },
        })
    })
    .collect()
}

/// Says why a plan waits for a person: it would delete everything, or more than the budget allows.
fn hold(owner: &Owner, commit: &str, resolved: &Resolved, deletions: &[Step]) -> Option<Hold> {
    if deletions.is_empty() || owner.confirmed.as_deref() == Some(commit) {
        return None;
    }
    let names: Vec<String> =
        deletions.iter().map(|step| format!("{} {}/{}", step.kind, step.namespace, step.name)).collect();
    let agree = format!("to agree, annotate the Application with `{CONFIRM}: {commit}`");
    if resolved.objects.is_empty() {
        let message = format!(
            "the commit holds no objects at all and {} would be deleted; nothing is touched; {agree}",
            names.len()
        );
        return Some(Hold { reason: "EmptyRender", message, deletions: names });
    }
    let allowed = (owner.budget)(&owner.budget_text, owner.inventory.len()).max(1);
    (names.len() > allowed).then(|| Hold {
        reason: "DeletionBudgetExceeded",
        message: format!(
            "{} of {} objects would be deleted, more than `spec.deletionBudget` ({}) allows; nothing is touched; {agree}",
            names.len(),
            owner.inventory.len(),
            owner.budget_text
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

/// Groups wanted objects by key, for callers that look single ones up.
pub fn by_key(objects: &[Desired]) -> BTreeMap<&Key, &Desired> {
    objects.iter().map(|desired| (&desired.key, desired)).collect()
}
