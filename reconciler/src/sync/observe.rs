//! What is, before anything is decided about an Application.

use std::sync::Arc;
use std::time::Duration;

use bowline_runtime::api::kinds::{Application, GitRepository};
use bowline_runtime::api::{Key, Object as _};
use bowline_runtime::store::Snapshot;

use super::decide::{Applied, Observed};
use super::memory::{Memory, Render, Seen};
use super::{Shared, sources::OpenSource};
use crate::plan::{Facts, Owner, Problem, plan, resolve};
use crate::render;
use crate::source::CommitId;
use crate::verdict::{self, Health, State};

/// How long a commit may take to become healthy if the Application does not say.
const TIMEOUT: Duration = Duration::from_secs(300);

/// An observation with what is needed to act on it.
pub(super) struct Observation {
    pub(super) observed: Observed,
    source: Option<Arc<OpenSource>>,
}

impl Observation {
    /// Returns the open source, if it was ever read.
    pub(super) fn source(&self) -> Option<&OpenSource> {
        self.source.as_deref()
    }
}

/// Observes an Application: source, dependencies, what was applied, drift and health.
pub(super) fn observe(
    shared: &Shared,
    snapshot: &Snapshot,
    key: &Key,
    application: &Application,
    memory: &mut Memory,
) -> Observation {
    let repository = snapshot.typed_get::<GitRepository>(&key.namespace, &application.spec.source.name);
    let mut observed = Observed {
        suspended: application.spec.suspend == Some(true),
        timeout: application.spec.timeout.as_ref().map_or(TIMEOUT, |timeout| timeout.0),
        dependency: dependency(snapshot, key, application),
        ..Observed::default()
    };
    let source = repository.as_ref().and_then(|repository| {
        let source_key = GitRepository::kind().key(&key.namespace, &repository.metadata.name);
        shared.sources.open(&source_key, &repository.spec.url).ok()
    });
    match &repository {
        None => observed.source_trouble = Some(format!("there is no GitRepository `{}`", application.spec.source.name)),
        Some(repository) => {
            let status = repository.status.clone().unwrap_or_default();
            observed.seen = status.revision;
            observed.source_trouble = status.conditions.into_iter().find(|condition| condition.type_ == "Ready" && condition.status != "True").and_then(|condition| condition.message);
        }
    }
    let status = application.status.clone().unwrap_or_default();
    let revision = status.revision.unwrap_or_default();
    observed.healthy = revision.healthy;
    observed.rejected = revision.rejected.map(|rejected| rejected.commit);
    observed.applied = match (revision.applied, status.inputs, status.last_applied_time) {
        (Some(commit), Some(key), Some(at)) => Some(Applied { commit, key, at: at.0 }),
        _ => None,
    };
    let observation = Observation { observed, source };
    complete(shared, snapshot, application, observation, memory)
}

/// Adds what has to be computed from Git: impact keys, drift, health.
fn complete(
    shared: &Shared,
    snapshot: &Snapshot,
    application: &Application,
    mut observation: Observation,
    memory: &mut Memory,
) -> Observation {
    let observed = &mut observation.observed;
    let Some(source) = observation.source.as_ref().filter(|_| !observed.suspended) else { return observation };
    if let Some(seen) = observed.seen.clone() {
        observed.seen_key = Some(render_at(shared, source, application, &seen, memory).key.clone());
    }
    if observed.rejected.is_some() && observed.rejected == observed.seen
        && let Some(healthy) = observed.healthy.clone()
    {
        observed.healthy_key = Some(render_at(shared, source, application, &healthy, memory).key.clone());
    }
    let applied = observed.applied.as_ref().map(|applied| applied.key.clone());
    match applied.as_ref().and_then(|key| memory.by_key(key)) {
        // Nothing was compared since the start: apply compares everything, and changes only what differs.
        _ if memory.compared != applied => observed.drifted = true,
        None => observed.drifted = true,
        Some(render) => observed.drifted = compare(shared, snapshot, application, &render, memory),
    }
    observed.health = memory.worst().map(|(key, health)| named(key, health));
    observation
}

/// Compares the objects that changed since the last pass; tells whether one is not as wanted.
fn compare(shared: &Shared, snapshot: &Snapshot, application: &Application, render: &Render, memory: &mut Memory) -> bool {
    if memory.dirty.is_empty() {
        return false;
    }
    let dirty = std::mem::take(&mut memory.dirty);
    for key in &dirty {
        let Some(seen) = memory.seen.get_mut(key) else { continue };
        seen.health = health(snapshot, key);
    }
    let Ok(resolved) = &render.result else { return false };
    // Only those whose stored revision is another than the compared one can differ.
    let changed = |key: &Key| {
        dirty.contains(key)
            && memory.seen.get(key).is_none_or(|seen| snapshot.get(key).is_none_or(|live| live.revision() != seen.revision))
    };
    if !resolved.objects.iter().any(|desired| changed(&desired.key)) {
        return false;
    }
    let entropy = || (shared.config.entropy)();
    let facts = Facts { snapshot, kinds: &shared.config.kinds, now: shared.now(), entropy: &entropy };
    let owner = Owner { prune: false, ..owner(application) };
    let plan = plan(&owner, &render.commit, resolved, &facts, &|desired, _| !changed(&desired.key));
    if plan.steps.is_empty() {
        for key in &dirty {
            if let (Some(seen), Some(live)) = (memory.seen.get_mut(key), snapshot.get(key)) {
                seen.revision = live.revision();
            }
        }
        return false;
    }
    true
}

/// Returns the owner's side of a plan.
pub(super) fn owner(application: &Application) -> Owner {
    let namespace = application.metadata.namespace.as_deref().unwrap_or_default();
    let status = application.status.as_ref();
    let inventory = status.map_or(&[][..], |status| &status.inventory);
    let budget = application.spec.deletion_budget.clone();
    Owner {
        id: format!("{namespace}/{}", application.metadata.name),
        inventory: inventory.iter().filter_map(|entry| crate::apply::inventory::key(&entry.id)).collect(),
        prune: application.spec.prune != Some(false),
        budget,
        confirmed: application.metadata.annotations.get(crate::plan::CONFIRM).cloned(),
    }
}

/// Returns what a commit renders to, from memory where its inputs are the same.
pub(super) fn render_at(
    shared: &Shared,
    source: &OpenSource,
    application: &Application,
    commit: &str,
    memory: &mut Memory,
) -> Arc<Render> {
    let path = application.spec.path.as_deref().unwrap_or(".");
    let target = application.spec.target_namespace.as_deref().unwrap_or("default");
    let settings = format!("{path}\n{target}");
    let tree = CommitId::parse(commit)
        .ok_or_else(|| format!("`{commit}` is no commit id"))
        .and_then(|id| source.tree(id).map_err(|error| error.to_string()));
    let tree = match tree {
        Ok(tree) => tree,
        // Not kept: the commit may be there again after the next fetch.
        Err(message) => return Arc::new(failed(commit, &settings, message)),
    };
    let same = |inputs: &render::Inputs, hash: &render::InputsHash| {
        render::inputs_hash(&*tree, inputs).is_ok_and(|now| now == *hash)
    };
    if let Some(found) = memory.render(commit, &settings, same) {
        return found;
    }
    let place = |error: &render::RenderError| error.line.map_or_else(|| error.file.to_string(), |line| format!("{}:{line}", error.file));
    let made = Arc::new(match render::render(&*tree, path, target) {
        Ok(rendered) => Render {
            commit: commit.to_owned(),
            key: impact_key(&settings, &rendered.inputs_hash.to_string()),
            result: Ok(resolve(&rendered.objects, &shared.config.kinds, target)),
            settings,
            inputs: Some((rendered.inputs, rendered.inputs_hash)),
        },
        Err(errors) => Render {
            result: Err(errors.iter().map(|error| Problem { place: place(error), message: error.problem.to_string() }).collect()),
            ..failed(commit, &settings, String::new())
        },
    });
    memory.keep(made.clone());
    made
}

fn failed(commit: &str, settings: &str, message: String) -> Render {
    Render {
        commit: commit.to_owned(),
        key: format!("unreadable {commit}"),
        settings: settings.to_owned(),
        inputs: None,
        result: Err(vec![Problem { place: commit.get(..7).unwrap_or(commit).to_owned(), message }]),
    }
}

/// Joins the hash of what was read with the settings that shape the result.
fn impact_key(settings: &str, inputs: &str) -> String {
    use sha2::{Digest as _, Sha256};
    let digest = Sha256::digest(format!("{settings}\n{inputs}"));
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// Notes what is there after an apply: objects that nobody changed since revision `upto` are as wanted.
pub(super) fn remember(snapshot: &Snapshot, upto: u64, render: &Render, memory: &mut Memory) {
    let old = std::mem::take(&mut memory.seen);
    for desired in render.desired() {
        let revision = snapshot.get(&desired.key).map_or(0, |live| live.revision());
        let revision = if revision > upto { 0 } else { revision };
        let known = old.get(&desired.key).filter(|seen| seen.revision == revision).cloned();
        let seen = known.unwrap_or_else(|| Seen { revision, health: health(snapshot, &desired.key) });
        memory.seen.insert(desired.key.clone(), seen);
    }
    memory.compared = Some(render.key.clone());
}

/// Returns an object's health, with what its pods say if it is not well.
fn health(snapshot: &Snapshot, key: &Key) -> Health {
    let Some(live) = snapshot.get(key) else {
        return Health { state: State::Missing, message: "does not exist".to_owned() };
    };
    let mut health = verdict::of(live.value());
    if health.state > State::Suspended
        && let Some(why) = verdict::explain(snapshot, live)
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

/// Returns the first dependency that is not ready, with the reason.
fn dependency(snapshot: &Snapshot, key: &Key, application: &Application) -> Option<String> {
    application.spec.depends_on.iter().find_map(|dependency| {
        let Some(other) = snapshot.typed_get::<Application>(&key.namespace, &dependency.name) else {
            return Some(format!("application `{}` does not exist", dependency.name));
        };
        let status = other.status.clone().unwrap_or_default();
        let ready = status.conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True");
        let current = status.observed_generation == other.meta().generation;
        (!ready || !current).then(|| format!("application `{}` is not ready", dependency.name))
    })
}
