//! From a render to the store: plan, hold, write, and prune once everything is healthy.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bowline_runtime::api::kinds::{Application, ApplicationHold, GitRepository, InventoryEntry};
use bowline_runtime::api::{Key, Time};
use bowline_runtime::store::{Op, Stored};

use super::super::conditions::{Phase, RESOURCES_MAX};
use super::super::finished::{has_finished, proof};
use super::super::lock;
use super::super::memory::{Memory, Render};
use super::super::observe::{self, Subject};
use super::super::rendering::render_at;
use super::PassError;
use super::round::{Outcome, Round};
use crate::apply::inventory;
use crate::plan::{Deletions, Desired, Facts, Hold, Plan, Scope, Step, Verb, plan_in};
use crate::source::CommitId;

/// How many mistakes a status names; the rest is a number.
const PROBLEMS_MAX: usize = 5;

impl Round<'_> {
    fn render(&mut self, commit: &str) -> Option<Arc<Render>> {
        let source = self.observation.source.as_deref()?;
        render_at(self.subject.shared, source, self.subject.application, commit, self.memory).ok()
    }

    fn plan(&mut self, render: &Render, commit: &str, deletions: Deletions) -> Result<Plan, Vec<String>> {
        let resolved = match &render.result {
            Ok(resolved) => resolved,
            Err(problems) => return Err(problems.iter().map(ToString::to_string).collect()),
        };
        let subject = self.subject;
        let owner = observe::owner(subject, self.memory);
        let adopted = adopted(subject.application);
        let leaving = owner.inventory.difference(resolved.wanted()).cloned().collect();
        let moving = if deletions == Deletions::Never { BTreeSet::new() } else { moving(subject, &leaving) };
        let entropy = || (subject.shared.config.entropy)();
        let facts = Facts {
            snapshot: subject.snapshot,
            kinds: &subject.shared.config.kinds,
            now: subject.shared.now(),
            entropy: &entropy,
        };
        let seen = &self.memory.seen;
        // Wanted as before and untouched since: nothing to compute.
        let skip = |desired: &Arc<Desired>, live: Option<&Stored>| match live {
            Some(live) => seen.get(&desired.key).is_some_and(|seen| {
                seen.revision == live.revision()
                    && (Arc::ptr_eq(&seen.desired, desired) || seen.desired.json() == desired.json())
            }),
            None => has_finished(subject, desired),
        };
        let mut plan = None;
        // What other Applications want is read only where there is a conflict: the first plan tells.
        for wanted_by in [&(|_: &str, _: &Key| true) as &dyn Fn(&str, &Key) -> bool, &|id, key| wants(subject, id, key)]
        {
            let scope =
                Scope { skip: &skip, wanted_by, deletions, moving: &moving, adopted: &adopted, detailed: false };
            let made = plan_in(&scope, &owner, commit, resolved, &facts);
            let done = made.problems.is_empty();
            plan = Some(made);
            if done {
                break;
            }
        }
        let plan = plan.expect("invariant: the loop runs at least once");
        if plan.problems.is_empty() { Ok(plan) } else { Err(plan.problems) }
    }

    /// Tells how freely a commit may delete.
    fn deletions(&self, commit: &str) -> Deletions {
        if self.is_rejected() {
            return Deletions::Undo;
        }
        let applied = self.observation.observed.applied.as_ref();
        let base = self.observation.observed.healthy.as_deref().or(applied.map(|applied| applied.commit.as_str()));
        let (Some(source), Some(base)) = (&self.observation.source, base) else { return Deletions::Budget };
        let (Some(base), Some(commit)) = (CommitId::parse(base), CommitId::parse(commit)) else {
            return Deletions::Budget;
        };
        let descends = base == commit || source.source.is_ancestor(base, commit).unwrap_or(false);
        if descends { Deletions::Budget } else { Deletions::Rewritten }
    }

    /// Writes the inventory and every object that differs; deletions wait for health.
    pub(super) fn apply(&mut self, commit: &str) -> Result<Outcome, PassError> {
        let Some(render) = self.render(commit) else { return Ok(Outcome::Rest(self.next_comparison())) };
        let deletions = self.deletions(commit);
        let mut plan = match self.plan(&render, commit, deletions) {
            Ok(plan) => plan,
            Err(problems) => return self.refuse(&render, commit, &problems),
        };
        if let Some(hold) = &plan.hold {
            return self.hold(commit, hold);
        }
        let replaces = plan.count(Verb::Replace) > 0;
        let (first, rest): (Vec<&mut Step>, Vec<&mut Step>) = plan
            .steps
            .iter_mut()
            .filter(|step| !matches!(step.verb, Verb::Delete | Verb::Release))
            .partition(|step| &*step.key.resource == "namespaces");
        let staged = first.iter().any(|step| step.verb == Verb::Create);
        let rest = if staged { Vec::new() } else { rest };
        // A Job that is replaced is made in the round after its end.
        let done = !staged && !replaces;
        let ops = first.into_iter().chain(rest).flat_map(|step| std::mem::take(&mut step.ops)).collect();
        self.write(commit, &render, &plan, ops, done)?;
        Ok(Outcome::Again)
    }

    /// Commits operations together with the inventory that covers them.
    fn write(&mut self, commit: &str, render: &Render, plan: &Plan, ops: Vec<Op>, done: bool) -> Result<(), PassError> {
        let subject = self.subject;
        let now = subject.shared.now();
        let entries = self.grown_inventory(render, plan);
        // A repair is no new attempt: its time to become healthy runs from the first apply.
        let applied = self.observation.observed.applied.as_ref();
        let repaired = applied.filter(|applied| applied.key == render.key).map(|applied| applied.at);
        let at = repaired.unwrap_or(now);
        let phase = self.progressing();
        let key = render.key.clone();
        let nothing_new = ops.is_empty()
            && entries.is_none()
            && applied.is_some_and(|applied| applied.commit == commit && applied.key == key);
        let revision = if nothing_new {
            subject.snapshot.revision()
        } else {
            self.commit(ops, &phase, |draft| {
                draft.inventory = entries;
                draft.status.held = None;
                let revision = draft.revision();
                revision.planned = Some(commit.to_owned());
                if done {
                    revision.applied = Some(commit.to_owned());
                    draft.status.inputs = Some(key);
                    draft.status.last_applied_time = Some(Time::from(at));
                }
            })?
        };
        if done {
            let snapshot = subject.shared.config.store.snapshot();
            let after = Subject { snapshot: &snapshot, ..subject };
            observe::remember(after, revision.max(subject.snapshot.revision()), at, render, self.memory);
        }
        Ok(())
    }

    /// Returns the inventory with what the render adds to it; `None` when it adds nothing.
    fn grown_inventory(&mut self, render: &Render, plan: &Plan) -> Option<Vec<InventoryEntry>> {
        let known = observe::owner(self.subject, self.memory).inventory;
        let kinds = &self.subject.shared.config.kinds;
        let adopted: BTreeSet<&Key> = plan
            .steps
            .iter()
            .filter(|step| matches!(step.verb, Verb::Adopt | Verb::Move))
            .map(|step| &step.key)
            .collect();
        let new: Vec<InventoryEntry> = render
            .desired()
            .iter()
            .filter(|desired| !known.contains(&desired.key))
            .map(|desired| InventoryEntry {
                adopted: adopted.contains(&desired.key),
                ..inventory::entry(&desired.key, kinds)
            })
            .collect();
        if new.is_empty() {
            return None;
        }
        let old = self.subject.application.status.iter().flat_map(|status| status.inventory.iter().cloned());
        Some(old.chain(new).collect())
    }

    /// Records that a commit waits for a person; what is applied is kept as it is meanwhile.
    fn hold(&mut self, commit: &str, hold: &Hold) -> Result<Outcome, PassError> {
        let phase = Phase::Stalled { reason: "Held".to_owned(), message: hold.message.clone() };
        let held = ApplicationHold {
            commit: commit.to_owned(),
            reason: Some(hold.reason.to_owned()),
            message: Some(hold.message.clone()),
            deletions: hold.deletions.iter().take(RESOURCES_MAX).cloned().collect(),
        };
        let applied = self.observation.observed.applied.as_ref();
        let applied = applied.filter(|_| self.observation.observed.drifted).cloned();
        let mut ops = Vec::new();
        let mut kept = None;
        if let Some(applied) = applied
            && let Some(render) = self.render(&applied.commit).filter(|render| render.key == applied.key)
            && let Ok(plan) = self.plan(&render, &applied.commit, Deletions::Never)
        {
            ops = plan.steps.iter().flat_map(|step| step.ops.clone()).collect();
            kept = Some((applied.at, render));
        }
        let revision = self.commit(ops, &phase, |draft| {
            draft.revision().planned = Some(commit.to_owned());
            draft.status.held = Some(held);
        })?;
        if let Some((at, render)) = kept {
            let snapshot = self.subject.shared.config.store.snapshot();
            let after = Subject { snapshot: &snapshot, ..self.subject };
            observe::remember(after, revision.max(self.subject.snapshot.revision()), at, &render, self.memory);
        }
        Ok(Outcome::Rest(self.next_comparison()))
    }

    /// Records a commit that cannot be applied as it is.
    fn refuse(&mut self, render: &Render, commit: &str, problems: &[String]) -> Result<Outcome, PassError> {
        let shown = problems.iter().take(PROBLEMS_MAX).cloned().collect::<Vec<_>>().join("; ");
        let more = problems.len().saturating_sub(PROBLEMS_MAX);
        let message = if more > 0 { format!("{shown}; and {more} more") } else { shown };
        let reason = if render.result.is_err() { "RenderFailed" } else { "Invalid" };
        if self.observation.observed.healthy.as_deref() == Some(commit) || self.is_rejected() {
            // The way back itself is blocked: nothing is better than what runs now.
            self.commit(Vec::new(), &Phase::Stalled { reason: reason.to_owned(), message }, |_| {})?;
            return Ok(Outcome::Rest(self.next_comparison()));
        }
        self.reject(commit, reason, &message)
    }

    /// Removes what the applied commit no longer holds and records it as healthy.
    pub(super) fn settle(&mut self, commit: &str) -> Result<Outcome, PassError> {
        let Some(render) = self.render(commit) else { return Ok(Outcome::Rest(self.next_comparison())) };
        let deletions = self.deletions(commit);
        let plan = match self.plan(&render, commit, deletions) {
            Ok(plan) => plan,
            Err(problems) => return self.refuse(&render, commit, &problems),
        };
        if let Some(hold) = &plan.hold {
            return self.hold(commit, hold);
        }
        if plan.steps.iter().any(|step| !matches!(step.verb, Verb::Delete | Verb::Release)) {
            // It drifted in this very moment: repaired first, pruned after.
            self.memory.compared = None;
            return Ok(Outcome::Again);
        }
        let ops = plan.steps.iter().flat_map(|step| step.ops.clone()).collect();
        let entries = self.settled_inventory(&render);
        self.memory.unrecorded = false;
        let phase = if self.is_rejected() { Phase::Rejected { back: false } } else { Phase::Ready };
        let seen = self.observation.observed.seen.clone();
        self.commit(ops, &phase, |draft| {
            draft.inventory = entries;
            draft.status.held = None;
            let revision = draft.revision();
            revision.applied = Some(commit.to_owned());
            revision.healthy = Some(commit.to_owned());
            if seen.as_deref() == Some(commit) {
                revision.rejected = None;
            }
        })?;
        Ok(Outcome::Again)
    }

    /// Returns the inventory of exactly what is wanted; `None` when it is stored so already.
    fn settled_inventory(&mut self, render: &Render) -> Option<Vec<InventoryEntry>> {
        let Self { subject, memory, .. } = self;
        let kinds = &subject.shared.config.kinds;
        let empty = Vec::new();
        let old = subject.application.status.as_ref().map_or(&empty, |status| &status.inventory);
        let known = observe::owner(*subject, memory).inventory;
        let done = finished(*subject, memory, render);
        let same = old.len() == render.desired().len()
            && done.is_empty()
            && old.iter().all(|entry| !entry.adopted)
            && render.result.as_ref().is_ok_and(|resolved| resolved.wanted().is_subset(&known));
        if same {
            return None;
        }
        let entry = |desired: &Arc<Desired>| InventoryEntry {
            finished: done.get(&desired.key).cloned(),
            ..inventory::entry(&desired.key, kinds)
        };
        Some(render.desired().iter().map(entry).collect())
    }
}

/// Returns the proofs of those Jobs that are gone because they are done.
fn finished(subject: Subject<'_>, memory: &Memory, render: &Render) -> BTreeMap<Key, String> {
    let gone = render.desired().iter().filter(|desired| {
        desired.kind.kind == "Job" && memory.seen.contains_key(&desired.key) && has_finished(subject, desired)
    });
    gone.map(|desired| (desired.key.clone(), proof(desired))).collect()
}

/// Returns the objects that were there before the commit that may be undone.
fn adopted(application: &Application) -> BTreeSet<Key> {
    let entries = application.status.iter().flat_map(|status| &status.inventory);
    entries.filter(|entry| entry.adopted).filter_map(|entry| inventory::key(&entry.id)).collect()
}

/// Whether the newest commit of another Application's source still holds an object; in doubt it does.
fn wants(subject: Subject<'_>, application: &str, key: &Key) -> bool {
    let Some((namespace, name)) = application.split_once('/') else { return true };
    let Some(other) = subject.snapshot.get(&Application::kind().key(namespace, name)) else { return false };
    let Ok(application) = other.typed::<Application>() else { return true };
    let Some(render) = newest(subject, other.key(), &application) else { return true };
    let Ok(resolved) = &render.result else { return true };
    !resolved.problems.is_empty() || resolved.objects.iter().any(|desired| desired.key == *key)
}

/// Returns those of `leaving` that the newest commit gives to another Application, which will take them.
fn moving(subject: Subject<'_>, leaving: &BTreeSet<Key>) -> BTreeSet<Key> {
    let mut found = BTreeSet::new();
    if leaving.is_empty() {
        return found;
    }
    for other in subject.snapshot.list(&Application::kind().resource()) {
        if other.key() == subject.stored.key() || other.deletion_timestamp().is_some() {
            continue;
        }
        let Ok(application) = other.typed::<Application>() else { continue };
        let Some(render) = newest(subject, other.key(), &application) else { continue };
        found.extend(render.desired().iter().map(|desired| &desired.key).filter(|key| leaving.contains(*key)).cloned());
    }
    found
}

/// Returns what the newest commit of another Application's source renders to, if it can be read.
fn newest(subject: Subject<'_>, key: &Key, application: &Application) -> Option<Arc<Render>> {
    let Subject { shared, snapshot, .. } = subject;
    let repository = snapshot.typed_get::<GitRepository>(&key.namespace, &application.spec.source.name)?;
    let seen = repository.status.as_ref()?.revision.as_deref()?;
    let known = lock(&shared.newest).get(key).filter(|(commit, _)| commit == seen).map(|(_, render)| render.clone());
    known.or_else(|| {
        let source_key = GitRepository::kind().key(&key.namespace, &application.spec.source.name);
        let source = shared.sources.open(&source_key, &repository.spec.url).ok()?;
        // Its own memory may be held by its own pass, which may wait for this one: the files are read afresh.
        render_at(shared, &source, application, seen, &mut Memory::default()).ok()
    })
}
