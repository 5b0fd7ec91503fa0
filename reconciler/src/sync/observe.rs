//! What is, before anything is decided about an Application.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bowline_runtime::api::kinds::{Application, ApplicationRevision, ApplicationStatus, GitRepository};
use bowline_runtime::api::{Key, Timestamp};
use bowline_runtime::store::{Snapshot, Stored};

use super::decide::{Applied, Observed};
use super::finished::{has_finished, is_unrecorded};
use super::memory::{Memory, Render, Seen};
use super::rendering::render_at;
use super::sources::OpenSource;
use super::{REQUESTED_AT, Shared, dependency};
use crate::apply::inventory;
use crate::plan::{CONFIRM, Deletions, Desired, Facts, Owner, Scope, plan_in};
use crate::source::CommitId;
use crate::verdict::{self, Health, State};

/// How long a commit may take to become healthy if the Application does not say.
const TIMEOUT: Duration = Duration::from_secs(300);

/// An observation with what is needed to act on it.
pub(super) struct Observation {
    pub(super) observed: Observed,
    pub(super) source: Option<Arc<OpenSource>>,
    /// Whether a person asked to try a rejected commit again.
    pub(super) retried: bool,
}

/// What is looked at.
#[derive(Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) shared: &'a Shared,
    pub(super) snapshot: &'a Snapshot,
    pub(super) stored: &'a Stored,
    pub(super) application: &'a Application,
}

impl Subject<'_> {
    fn status(&self) -> Option<&ApplicationStatus> {
        self.application.status.as_ref()
    }
    fn revision(&self) -> Option<&ApplicationRevision> {
        self.status()?.revision.as_ref()
    }
}

/// Observes an Application: source, dependencies, what was applied, drift and health.
pub(super) fn observe(subject: Subject<'_>, memory: &mut Memory) -> Observation {
    let Subject { shared, snapshot, stored, application } = subject;
    let namespace = &stored.key().namespace;
    let source_key = GitRepository::kind().key(namespace, &application.spec.source.name);
    let repository = snapshot.get(&source_key).and_then(|stored| stored.typed::<GitRepository>().ok());
    let mut observed = Observed {
        suspended: application.spec.suspend == Some(true),
        timeout: application.spec.timeout.as_ref().map_or(TIMEOUT, |timeout| timeout.0),
        ..Observed::default()
    };
    let source = repository.as_ref().and_then(|found| shared.sources.open(&source_key, &found.spec.url).ok());
    match &repository {
        None => observed.source_trouble = Some(format!("there is no GitRepository `{}`", application.spec.source.name)),
        Some(repository) => {
            let status = repository.status.as_ref();
            observed.seen = status.and_then(|status| status.revision.clone());
            let failed = |status: &bowline_runtime::api::kinds::GitRepositoryStatus| {
                let ready = status.conditions.iter().find(|condition| condition.type_ == "Ready")?;
                (ready.status != "True").then(|| ready.message.clone())?
            };
            observed.source_trouble = status.and_then(failed);
        }
    }
    observed.dependency = dependency::blocking(snapshot, stored.key(), application, observed.seen.as_deref());
    let revision = subject.revision();
    observed.healthy = revision.and_then(|revision| revision.healthy.clone());
    let asked = application.metadata.annotations.get(REQUESTED_AT);
    let handled = subject.status().and_then(|status| status.last_handled_reconcile_at.as_ref());
    let retried = asked.is_some() && asked != handled;
    if !retried {
        observed.rejected = revision.and_then(|revision| Some(revision.rejected.as_ref()?.commit.clone()));
    }
    observed.applied = subject.status().and_then(|status| {
        let commit = status.revision.as_ref()?.applied.clone()?;
        Some(Applied { commit, key: status.inputs.clone()?, at: status.last_applied_time?.0 })
    });
    let mut observation = Observation { observed, source, retried };
    complete(subject, &mut observation, memory);
    observation
}

/// Adds what has to be computed from Git: impact keys, drift, health.
fn complete(subject: Subject<'_>, observation: &mut Observation, memory: &mut Memory) {
    let Subject { shared, application, .. } = subject;
    let observed = &mut observation.observed;
    let Some(source) = observation.source.clone().filter(|_| !observed.suspended) else { return };
    let mut key_of = |commit: &Option<String>, memory: &mut Memory| {
        let commit = commit.as_deref()?;
        match render_at(shared, &source, application, commit, memory) {
            Ok(render) => {
                if observed.seen.as_deref() == Some(commit) {
                    let published = (commit.to_owned(), render.clone());
                    super::lock(&shared.newest).insert(subject.stored.key().clone(), published);
                }
                Some(render.key.clone())
            }
            Err(why) => {
                observed.unreadable = Some(why);
                None
            }
        }
    };
    let seen_key = key_of(&observed.seen, memory);
    let is_rejected = observed.rejected.is_some() && observed.rejected == observed.seen;
    let healthy_key = if is_rejected { key_of(&observed.healthy, memory) } else { None };
    (observed.seen_key, observed.healthy_key) = (seen_key, healthy_key);
    if observed.rejected.is_some() && !is_rejected {
        observed.still_rejected = still_rejected(subject, &source, observed, memory);
    }
    let applied = observed.applied.as_ref().map(|applied| (applied.key.clone(), applied.at));
    match applied.as_ref().and_then(|(key, _)| memory.by_key(key)) {
        Some(render) if memory.compared.as_ref() == applied.as_ref().map(|(key, _)| key) => {
            let at = applied.map_or(Timestamp::EPOCH, |(_, at)| at);
            observed.drifted = compare(subject, &render, at, memory);
            observed.surplus = is_surplus(subject, &render, memory);
        }
        // Nothing was compared since the start: apply compares everything, and changes only what differs.
        _ => observed.drifted = true,
    }
    observed.health = memory.worst().map(|(key, health)| named(key, health));
}

/// Whether the seen commit is another one than the rejected and holds the same objects. A commit without any change at
/// all asks for another try.
fn still_rejected(subject: Subject<'_>, source: &OpenSource, observed: &Observed, memory: &mut Memory) -> bool {
    let rejected = subject.revision().and_then(|revision| revision.rejected.as_ref());
    let (Some(rejected), Some(seen)) = (rejected, &observed.seen) else { return false };
    // What could not be planned may be possible by now; what did not become healthy had its chance.
    if !matches!(rejected.reason.as_deref(), Some("Degraded" | "HealthTimeout")) {
        return false;
    }
    let tree = |commit: &str| Some(source.source.commit(CommitId::parse(commit)?).ok()?.tree);
    if tree(&rejected.commit) == tree(seen) {
        return false;
    }
    let before = render_at(subject.shared, source, subject.application, &rejected.commit, memory);
    before.is_ok_and(|render| Some(&render.key) == observed.seen_key.as_ref())
}

/// Compares the objects that changed since the last pass; tells whether one is not as wanted.
fn compare(subject: Subject<'_>, render: &Render, applied: Timestamp, memory: &mut Memory) -> bool {
    let Subject { shared, snapshot, .. } = subject;
    if memory.dirty.is_empty() {
        return false;
    }
    let dirty = std::mem::take(&mut memory.dirty);
    for key in &dirty {
        let Some(seen) = memory.seen.get_mut(key) else { continue };
        seen.health = health(subject, &seen.desired, applied);
        memory.unrecorded |= is_unrecorded(subject, &seen.desired);
    }
    let Ok(resolved) = &render.result else { return false };
    let changed: BTreeSet<&Key> = dirty.iter().filter(|key| may_differ(snapshot, key, memory)).collect();
    if changed.is_empty() {
        return false;
    }
    let entropy = || (shared.config.entropy)();
    let facts = Facts { snapshot, kinds: &shared.config.kinds, now: shared.now(), entropy: &entropy };
    let skip = |desired: &Arc<Desired>, live: Option<&Stored>| {
        !changed.contains(&desired.key) || (live.is_none() && has_finished(subject, desired))
    };
    let nothing = BTreeSet::new();
    let scope = Scope {
        skip: &skip,
        wanted_by: &|_, _| true,
        deletions: Deletions::Never,
        moving: &nothing,
        adopted: &nothing,
        detailed: false,
    };
    let plan = plan_in(&scope, &owner(subject, memory), &render.commit, resolved, &facts);
    if !plan.steps.is_empty() {
        return true;
    }
    for key in changed {
        if let (Some(seen), Some(live)) = (memory.seen.get_mut(key), snapshot.get(key)) {
            (seen.revision, seen.declared) = (live.revision(), live.declaration_hash());
        }
    }
    false
}

/// Whether a wanted object can be another than the one that was compared: not with the same revision, and not if only
/// its status changed since.
fn may_differ(snapshot: &Snapshot, key: &Key, memory: &mut Memory) -> bool {
    let Some(seen) = memory.seen.get_mut(key) else { return false };
    let Some(live) = snapshot.get(key) else { return true };
    if live.revision() == seen.revision {
        return false;
    }
    let same = seen.revision > 0 && seen.declared.is_some() && seen.declared == live.declaration_hash();
    if same {
        seen.revision = live.revision();
    }
    !same
}

/// Whether the inventory lists live objects that a render does not hold.
fn is_surplus(subject: Subject<'_>, render: &Render, memory: &mut Memory) -> bool {
    if memory.unrecorded {
        return true;
    }
    let listed = subject.status().map_or(0, |status| status.inventory.len());
    if listed == render.desired().len() {
        return false;
    }
    let inventory = inventory_of(subject, memory);
    render.result.as_ref().is_ok_and(|resolved| !inventory.is_subset(resolved.wanted()))
}

/// Returns the keys of the status' inventory, parsed once for each state of the Application.
fn inventory_of(subject: Subject<'_>, memory: &mut Memory) -> Arc<BTreeSet<Key>> {
    let revision = subject.stored.revision();
    if let Some((known, inventory)) = &memory.inventory
        && *known == revision
    {
        return inventory.clone();
    }
    let entries = subject.status().map_or(&[][..], |status| &status.inventory);
    let inventory: Arc<BTreeSet<Key>> =
        Arc::new(entries.iter().filter_map(|entry| inventory::key(&entry.id)).collect());
    memory.inventory = Some((revision, inventory.clone()));
    inventory
}

/// Returns the owner's side of a plan.
pub(super) fn owner(subject: Subject<'_>, memory: &mut Memory) -> Owner {
    let application = subject.application;
    let namespace = application.metadata.namespace.as_deref().unwrap_or_default();
    Owner {
        id: format!("{namespace}/{}", application.metadata.name),
        inventory: inventory_of(subject, memory),
        prune: application.spec.prune != Some(false),
        budget: application.spec.deletion_budget.clone(),
        confirmed: application.metadata.annotations.get(CONFIRM).cloned(),
    }
}

/// Notes what is there after an apply: objects that nobody changed since revision `upto` are as wanted.
pub(super) fn remember(subject: Subject<'_>, upto: u64, applied: Timestamp, render: &Render, memory: &mut Memory) {
    let old = std::mem::take(&mut memory.seen);
    for desired in render.desired() {
        let revision = subject.snapshot.get(&desired.key).map_or(0, |live| live.revision());
        let revision = if revision > upto { 0 } else { revision };
        let known = old.get(&desired.key).filter(|seen| seen.revision == revision && revision > 0);
        let health = match known {
            // A health that says `since when` is judged again: the time of the apply moved.
            Some(seen) if seen.health.state <= State::Suspended => seen.health.clone(),
            _ => health(subject, desired, applied),
        };
        let declared = known.and_then(|seen| seen.declared);
        memory.seen.insert(desired.key.clone(), Seen { desired: desired.clone(), revision, declared, health });
        if revision == 0 {
            memory.dirty.insert(desired.key.clone());
        }
    }
    memory.compared = Some(render.key.clone());
}

/// Returns an object's health, with what its pods say if it is not well.
fn health(subject: Subject<'_>, desired: &Desired, applied: Timestamp) -> Health {
    let Some(live) = subject.snapshot.get(&desired.key) else {
        if has_finished(subject, desired) {
            return Health::HEALTHY;
        }
        return Health { state: State::Missing, message: "does not exist".to_owned() };
    };
    let mut health = verdict::of_since(&live.value(), applied);
    if health.state > State::Suspended
        && let Some(why) = verdict::explain(subject.snapshot, live)
    {
        health.message = format!("{}: {why}", health.message);
    }
    health
}

fn named(key: &Key, health: &Health) -> Health {
    if health.state <= State::Suspended {
        return health.clone();
    }
    let plural = key.resource.split('.').next().unwrap_or_default();
    Health { state: health.state, message: format!("{plural} {}: {}", key.name, health.message) }
}
