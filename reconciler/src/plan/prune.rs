//! What leaves: objects that Git no longer wants, and when a person has to agree first.

use std::collections::BTreeSet;

use bowline_runtime::api::kinds::Application;
use bowline_runtime::api::{IntOrString, Key, Kind};
use bowline_runtime::store::{Op, Stored};

use super::step::{release, removal};
use super::{CONFIRM, Deletions, Facts, Hold, OWNER, Owner, PRUNE, Resolved, Scope, Step, Verb, annotation, wave};
use crate::sync::SYSTEM_NAMESPACE;

/// Namespaces that are never deleted: everything else stands on them.
const NAMESPACES_KEPT: [&str; 2] = ["default", SYSTEM_NAMESPACE];

/// Lists what the Application owns and Git no longer wants.
pub(super) fn deletions(scope: &Scope<'_>, owner: &Owner, resolved: &Resolved, facts: &Facts<'_>) -> Vec<Step> {
    if scope.deletions == Deletions::Never {
        return Vec::new();
    }
    let mut steps = gone(owner, resolved.wanted(), scope.adopted, facts);
    steps.retain(|step| !scope.moving.contains(&step.key));
    steps
}

fn gone(owner: &Owner, wanted: &BTreeSet<Key>, adopted: &BTreeSet<Key>, facts: &Facts<'_>) -> Vec<Step> {
    owner
        .inventory
        .difference(wanted)
        .filter_map(|key| {
            let live = facts.snapshot.get(key)?;
            let own = annotation(&live.value(), OWNER) == Some(owner.id.as_str());
            let kept = annotation(&live.value(), PRUNE) == Some("disabled");
            let needed = &*key.resource == "namespaces" && NAMESPACES_KEPT.contains(&&*key.name);
            if !own || kept || needed || live.deletion_timestamp().is_some() {
                return None;
            }
            let kind: &'static Kind = facts.kinds.resource(&key.resource)?;
            let (verb, op) = if adopted.contains(key) {
                (Verb::Release, release(live, facts).ok()?)
            } else {
                (Verb::Delete, removal(live, facts).ok()?)
            };
            Some(Step {
                verb,
                kind: kind.kind,
                namespace: key.namespace.to_string(),
                name: key.name.to_string(),
                place: String::new(),
                changes: Vec::new(),
                key: key.clone(),
                ops: vec![op],
            })
        })
        .collect()
}

/// Returns the operations that delete everything an Application owns, workloads first; none if it does not prune.
pub fn removals(owner: &Owner, facts: &Facts<'_>) -> Vec<Op> {
    let nothing = BTreeSet::new();
    let mut steps = if owner.prune { gone(owner, &BTreeSet::new(), &nothing, facts) } else { Vec::new() };
    steps.sort_by_key(|step| wave(step.verb, &step.key.resource));
    steps.into_iter().flat_map(|step| step.ops).collect()
}

/// Says why a plan waits for a person: it would delete everything, or more than the budget allows, or history was
/// rewritten.
pub(super) fn hold(
    scope: &Scope<'_>,
    owner: &Owner,
    commit: &str,
    resolved: &Resolved,
    deletions: &[Step],
    facts: &Facts<'_>,
) -> Option<Hold> {
    let free = matches!(scope.deletions, Deletions::Undo | Deletions::Never);
    if free || deletions.is_empty() || owner.confirmed.as_deref() == Some(commit) {
        return None;
    }
    let names: Vec<String> = deletions.iter().flat_map(|step| named(step, facts)).collect();
    let agree = if commit.is_empty() {
        "to agree, commit it and run `bowline approve` once it is held".to_owned()
    } else {
        let (namespace, name) = owner.id.split_once('/').unwrap_or((SYSTEM_NAMESPACE, &owner.id));
        let option = if namespace == SYSTEM_NAMESPACE { String::new() } else { format!(" -n {namespace}") };
        format!(
            "to agree, run `bowline approve {name}{option}`, or annotate the Application with `{CONFIRM}: {commit}`"
        )
    };
    let held = |reason, message| Some(Hold { reason, message, deletions: names.clone() });
    if resolved.objects.is_empty() {
        let message = format!(
            "the commit holds no objects at all and {} would be deleted; nothing is touched; {agree}",
            names.len()
        );
        return held("EmptyRender", message);
    }
    if scope.deletions == Deletions::Rewritten {
        let message = format!(
            "the commit does not descend from the one that is applied, history was rewritten, and {} of {} objects \
             would be deleted; nothing is touched; {agree}",
            names.len(),
            owner.inventory.len()
        );
        return held("HistoryRewritten", message);
    }
    let budget = owner.budget.clone().unwrap_or_else(|| IntOrString::String("50%".to_owned()));
    // Objects of Applications that go count as if they stood here, too.
    let total = owner.inventory.len() + names.len() - deletions.len();
    let share = budget.scaled(i32::try_from(total).unwrap_or(i32::MAX), false).unwrap_or(0);
    // One object is always little enough: a share of a small inventory would round to none.
    let allowed = usize::try_from(share).unwrap_or(0).max(1);
    if names.len() <= allowed {
        return None;
    }
    let message = format!(
        "{} of {total} objects would be deleted, more than `spec.deletionBudget` ({budget}) allows; nothing is touched; \
         {agree}",
        names.len()
    );
    held("DeletionBudgetExceeded", message)
}

/// Names what goes with a step: the object, and what an Application that prunes takes along.
fn named(step: &Step, facts: &Facts<'_>) -> Vec<String> {
    let mut names = vec![name(step.kind, &step.key)];
    if step.kind == "Application"
        && step.verb == Verb::Delete
        && let Some(child) = facts.snapshot.typed_get::<Application>(&step.namespace, &step.name)
        && child.spec.prune != Some(false)
    {
        let entries = child.status.iter().flat_map(|status| &status.inventory);
        let keys = entries.filter_map(|entry| crate::apply::inventory::key(&entry.id));
        let live = keys.filter_map(|key| facts.snapshot.get(&key));
        names.extend(live.map(|live: &std::sync::Arc<Stored>| {
            let kind = facts.kinds.resource(&live.key().resource).map_or("", |kind| kind.kind);
            name(kind, live.key())
        }));
    }
    names
}

fn name(kind: &str, key: &Key) -> String {
    let slash = if key.namespace.is_empty() { "" } else { "/" };
    format!("{kind} {}{slash}{}", key.namespace, key.name)
}
