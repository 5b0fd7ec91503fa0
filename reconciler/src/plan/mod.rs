//! The plan: what a commit would change, as one value.
//!
//! The command line, the apply step and later the pull request's comment all use this value; it is computed by a
//! pure function of the wanted objects, a snapshot and the time. Secrets are masked in it.
//!
//! Start reading at [`plan`]; `step` compares one object, `prune` finds and bounds the deletions.

mod desired;
mod order;
mod prune;
mod render;
mod step;

use std::collections::BTreeSet;

use std::sync::Arc;

use bowline_runtime::api::diff::Change;
use bowline_runtime::api::{IntOrString, Key, Kinds, Timestamp};
use bowline_runtime::store::{Op, Snapshot, Store, Stored, Txn};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use desired::{Checked, Desired, Problem, Resolved, check, check_one, digest, join, resolve};
pub use order::wave;
pub use prune::removals;
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
    /// It stays and loses its owner: a commit that was rejected had adopted it.
    Release,
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
    pub inventory: Arc<BTreeSet<Key>>,
    /// Whether objects that left the repository are deleted.
    pub prune: bool,
    /// The most deletions that need no word from a person, a number or a share of the inventory; `None` is half.
    pub budget: Option<IntOrString>,
    /// The commit whose deletions a person agreed to.
    pub confirmed: Option<String>,
}

/// What apply knows and a reader of a plan does not.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    /// Tells objects that need no comparison: they are known to be as wanted, or are wanted to be gone by now.
    pub skip: &'a dyn Fn(&Arc<Desired>, Option<&Stored>) -> bool,
    /// Tells whether an Application (`namespace/name`) still wants an object that it holds.
    pub wanted_by: &'a dyn Fn(&str, &Key) -> bool,
    /// Which deletions need a person's word.
    pub deletions: Deletions,
    /// Objects that another Application is about to take: they are not deleted.
    pub moving: &'a BTreeSet<Key>,
    /// Objects that were there before the commit that is undone: they are released, not deleted.
    pub adopted: &'a BTreeSet<Key>,
    /// Whether a creation lists its fields: for people.
    pub detailed: bool,
}

/// Which deletions need a person's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletions {
    /// Those beyond the budget, and all of a commit that holds nothing.
    Budget,
    /// All: the commit does not descend from the one that is applied, given by its short name.
    Rewritten,
    /// None: what a rejected commit brought goes with it.
    Undo,
    /// Nothing is deleted at all.
    Never,
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
    let nothing = BTreeSet::new();
    let scope = Scope {
        skip: &|desired, live| live.is_some_and(|live| skip(desired, live)),
        wanted_by: &|_, _| true,
        deletions: Deletions::Budget,
        moving: &nothing,
        adopted: &nothing,
        detailed: true,
    };
    plan_in(&scope, owner, commit, resolved, facts)
}

/// Does as [`plan`], within a scope.
pub fn plan_in(scope: &Scope<'_>, owner: &Owner, commit: &str, resolved: &Resolved, facts: &Facts<'_>) -> Plan {
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
    let each = |objects: &[&Arc<Desired>], facts: &Facts<'_>, plan: &mut Plan| {
        for desired in objects {
            let live = facts.snapshot.get(&desired.key).map(AsRef::as_ref);
            if (scope.skip)(desired, live) {
                continue;
            }
            match step::step(scope, owner, desired, live, facts) {
                Ok(step) => plan.steps.extend(step),
                Err(message) => plan.problems.push(format!("{}: {message}", desired.place)),
            }
        }
    };
    each(&namespaces, facts, &mut plan);
    let created: Vec<_> =
        plan.steps.iter().filter(|step| step.verb == Verb::Create).flat_map(|step| step.ops.clone()).collect();
    if created.is_empty() {
        each(&others, facts, &mut plan);
    } else {
        let fork = Store::fork(facts.snapshot);
        // A namespace that cannot be made even in a copy shows as a problem of the objects in it.
        let _refused = fork.commit(Txn::from(created));
        each(&others, &Facts { snapshot: &fork.snapshot(), ..*facts }, &mut plan);
    }
    let deletions = if owner.prune { prune::deletions(scope, owner, resolved, facts) } else { Vec::new() };
    plan.hold = prune::hold(scope, owner, commit, resolved, &deletions, facts);
    plan.steps.extend(deletions);
    plan.steps.sort_by_key(|step| wave(step.verb, &step.key.resource));
    plan
}

fn annotation<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object.get("metadata")?.get("annotations")?.get(name)?.as_str()
}

#[cfg(test)]
mod tests;
