//! One look at one Application: observe, decide, act, until there is nothing to do but wait.

use std::collections::BTreeSet;
use std::time::Duration;

use bowline_runtime::api::kinds::{
    Application, ApplicationHold, ApplicationResource, ApplicationRevision, ApplicationStatus, ApplicationSummary,
    RejectedRevision,
};
use bowline_runtime::api::meta::Condition;
use bowline_runtime::api::{Key, Kinds, Object as _, Time, Timestamp};
use bowline_runtime::store::objects::update_op;
use bowline_runtime::store::{CommitError, DecodeError, Op, Precondition, Snapshot, Txn};

use super::decide::{Action, Blocker, decide};
use super::memory::{Memory, Render};
use super::observe::{self, Observation};
use super::status::{self, StatusWriteError};
use super::{FINALIZER, Shared, lock};
use crate::apply::inventory;
use crate::plan::{Facts, Plan, Step, Verb, plan};
use crate::verdict::State;

/// How many steps one pass takes before it gives way to other Applications.
const ROUNDS_MAX: usize = 16;
/// How many mistakes a status names; the rest is a number.
const PROBLEMS_MAX: usize = 5;
/// How many healthy objects a status lists one by one; beyond it only the others are listed.
const RESOURCES_MAX: usize = 200;
/// How often everything is compared if the Application does not say.
const INTERVAL: Duration = Duration::from_secs(600);

/// Why a pass ended early.
#[derive(Debug, thiserror::Error)]
pub enum PassError {
    /// The store refused a write for another reason than a faster writer.
    #[error("the store did not take the changes")]
    Store(#[source] CommitError),
    /// The status could not be written.
    #[error("the outcome could not be recorded")]
    Status(#[from] StatusWriteError),
    /// The stored Application cannot be read.
    #[error("the stored Application cannot be read")]
    Unreadable(#[from] DecodeError),
    /// The Application went while it was looked at.
    #[error("the Application is gone")]
    Gone,
}

/// What one step came to.
enum Outcome {
    /// Something changed: look again.
    Again,
    /// Look again then, or when something happens.
    Rest(Option<Timestamp>),
}

/// Looks at an Application; returns when to look again even if nothing happens.
pub(super) fn run(shared: &Shared, key: &Key) -> Result<Option<Timestamp>, PassError> {
    let memory = shared.memory(key);
    let mut memory = lock(&memory);
    for _ in 0..ROUNDS_MAX {
        let snapshot = shared.config.store.snapshot();
        let Some(stored) = snapshot.get(key) else { return Ok(None) };
        let application = stored.typed::<Application>()?;
        if stored.deletion_timestamp().is_some() {
            finish(shared, &snapshot, key, &application)?;
            return Ok(None);
        }
        memory.dirty.extend(lock(&shared.dirty).remove(key).unwrap_or_default());
        let observation = observe::observe(shared, &snapshot, key, &application, &mut memory);
        let actions = decide(&observation.observed, shared.now());
        let mut round = Round { shared, snapshot: &snapshot, key, application: &application, memory: &mut memory };
        let outcome = match round.act(&observation, &actions) {
            Err(PassError::Store(CommitError::Conflict { .. })) => Outcome::Again,
            outcome => outcome?,
        };
        if let Outcome::Rest(until) = outcome {
            return Ok(until);
        }
    }
    Ok(Some(shared.now()))
}

/// One round over one snapshot.
struct Round<'a> {
    shared: &'a Shared,
    snapshot: &'a Snapshot,
    key: &'a Key,
    application: &'a Application,
    memory: &'a mut Memory,
}

impl Round<'_> {
    fn act(&mut self, observation: &Observation, actions: &[Action]) -> Result<Outcome, PassError> {
        let mut outcome = Outcome::Rest(self.next_comparison());
        for action in actions {
            outcome = match action {
                Action::Apply { commit } => self.apply(observation, commit)?,
                Action::Advance { commit } => {
                    self.record(|revision, _| revision.applied = Some(commit.clone()))?;
                    Outcome::Again
                }
                Action::Settle { commit } => self.settle(observation, commit)?,
                Action::Reject { commit, reason, message } => self.reject(commit, reason, message)?,
                Action::Wait { on, until } => {
                    self.describe(observation, Some(on))?;
                    let next = self.next_comparison();
                    Outcome::Rest(until.or(next))
                }
            };
        }
        if actions.is_empty() {
            self.describe(observation, None)?;
        }
        Ok(outcome)
    }

    fn next_comparison(&self) -> Option<Timestamp> {
        let interval = self.application.spec.interval.as_ref().map_or(INTERVAL, |interval| interval.0);
        Some(self.shared.now() + interval)
    }

    fn render(&mut self, observation: &Observation, commit: &str) -> Option<std::sync::Arc<Render>> {
        let source = observation.source()?;
        Some(observe::render_at(self.shared, source, self.application, commit, self.memory))
    }

    fn plan(&self, render: &Render, commit: &str) -> Result<Plan, Vec<String>> {
        let resolved = match &render.result {
            Ok(resolved) => resolved,
            Err(problems) => return Err(problems.iter().map(ToString::to_string).collect()),
        };
        let entropy = || (self.shared.config.entropy)();
        let facts = Facts {
            snapshot: self.snapshot,
            kinds: &self.shared.config.kinds,
            now: self.shared.now(),
            entropy: &entropy,
        };
        let seen = &self.memory.seen;
        let whole = self.memory.compared.as_deref().and_then(|key| self.memory.by_key(key));
        let compared: std::collections::BTreeMap<_, _> =
            whole.iter().flat_map(|render| render.desired()).map(|desired| (&desired.key, &desired.config)).collect();
        // As wanted before, wanted the same now, and untouched since: nothing to compute.
        let skip = |desired: &crate::plan::Desired, live: &bowline_runtime::store::Stored| {
            seen.get(&desired.key).is_some_and(|seen| seen.revision == live.revision())
                && compared.get(&desired.key).is_some_and(|config| **config == desired.config)
        };
        let plan = plan(&observe::owner(self.application), commit, resolved, &facts, &skip);
        if plan.problems.is_empty() { Ok(plan) } else { Err(plan.problems) }
    }

    /// Writes the inventory and every object that differs; deletions wait for health.
    fn apply(&mut self, observation: &Observation, commit: &str) -> Result<Outcome, PassError> {
        let Some(render) = self.render(observation, commit) else { return Ok(Outcome::Rest(None)) };
        let plan = match self.plan(&render, commit) {
            Ok(plan) => plan,
            Err(problems) => return self.refuse(&render, commit, &problems),
        };
        if let Some(hold) = &plan.hold {
            let hold = ApplicationHold {
                commit: commit.to_owned(),
                reason: Some(hold.reason.to_owned()),
                message: Some(hold.message.clone()),
                deletions: hold.deletions.iter().take(RESOURCES_MAX).cloned().collect(),
            };
            self.record(|revision, status| {
                revision.seen = Some(commit.to_owned());
                revision.planned = Some(commit.to_owned());
                status.held = Some(hold.clone());
                let message = hold.message.clone().unwrap_or_default();
                set_ready(status, "False", "Held", &message, self.shared.now());
            })?;
            return Ok(Outcome::Rest(None));
        }
        let (first, rest) = stages(&plan);
        let staged = first.iter().any(|step| step.verb == Verb::Create);
        let (ops, done) = if staged { (first, false) } else { ([first, rest].concat(), true) };
        let ops: Vec<Op> = ops.into_iter().flat_map(|step| step.ops.clone()).collect();
        let replaced = plan.count(Verb::Replace) > 0;
        let upto = self.write(commit, &render, ops, done && !replaced)?;
        if done {
            observe::remember(&self.shared.config.store.snapshot(), upto.max(self.snapshot.revision()), &render, self.memory);
        }
        Ok(Outcome::Again)
    }

    /// Commits operations together with the inventory that covers them; returns the revision.
    fn write(&self, commit: &str, render: &Render, ops: Vec<Op>, done: bool) -> Result<u64, PassError> {
        let kinds = &self.shared.config.kinds;
        let now = self.shared.now();
        let op = status::op::<Application>(&self.shared.config, self.snapshot, self.key, |application| {
            let status = application.status.get_or_insert_default();
            let known: BTreeSet<&str> = status.inventory.iter().map(|entry| entry.id.as_str()).collect();
            let new: Vec<_> = render
                .desired()
                .iter()
                .map(|desired| inventory::entry(&desired.key, kinds))
                .filter(|entry| !known.contains(entry.id.as_str()))
                .collect();
            status.inventory.extend(new);
            status.held = None;
            let revision = status.revision.get_or_insert_default();
            revision.planned = Some(commit.to_owned());
            if done {
                // A repair is no new attempt: its time to become healthy runs from the first apply.
                let repaired = status.inputs.as_deref() == Some(render.key.as_str());
                revision.applied = Some(commit.to_owned());
                status.inputs = Some(render.key.clone());
                if !repaired || status.last_applied_time.is_none() {
                    status.last_applied_time = Some(Time::from(now));
                }
            }
        })?;
        let finalizer = self.finalizer();
        // The inventory stands first: what it lists is known to be ours even if nothing else were written.
        let ops: Vec<Op> = op.into_iter().chain(ops).collect();
        let mut revision = self.snapshot.revision();
        if !ops.is_empty() {
            revision = self.shared.config.store.commit(Txn::from(ops)).map_err(PassError::Store)?.revision;
        }
        if let Some(op) = finalizer
            && !matches!(self.shared.config.store.commit(Txn::one(op)), Ok(_) | Err(CommitError::Conflict { .. }))
        {
            tracing::warn!(application = %self.key, "cannot add the finalizer yet");
        }
        Ok(revision)
    }

    /// Returns the operation that adds the finalizer, if it is missing.
    fn finalizer(&self) -> Option<Op> {
        if self.application.metadata.finalizers.iter().any(|finalizer| finalizer == FINALIZER) {
            return None;
        }
        let snapshot = self.shared.config.store.snapshot();
        let live = snapshot.get(self.key)?;
        let mut value = live.value().clone();
        let list = value.get_mut("metadata")?.as_object_mut()?.entry("finalizers").or_insert_with(|| serde_json::json!([]));
        list.as_array_mut()?.push(FINALIZER.into());
        Some(Op::put(self.key.clone(), Precondition::Revision(live.revision()), value))
    }

    /// Records a commit that cannot be applied as it is.
    fn refuse(&mut self, render: &Render, commit: &str, problems: &[String]) -> Result<Outcome, PassError> {
        let shown = problems.iter().take(PROBLEMS_MAX).cloned().collect::<Vec<_>>().join("; ");
        let more = problems.len().saturating_sub(PROBLEMS_MAX);
        let message = if more > 0 { format!("{shown}; and {more} more") } else { shown };
        let reason = if render.result.is_err() { "RenderFailed" } else { "Invalid" };
        if self.application.status.as_ref().and_then(|status| status.revision.as_ref()?.seen.as_deref()) != Some(commit) {
            self.record(|revision, _| revision.seen = Some(commit.to_owned()))?;
            return Ok(Outcome::Again);
        }
        let healthy = self.application.status.as_ref().and_then(|status| status.revision.as_ref()?.healthy.clone());
        if healthy.as_deref() == Some(commit) {
            // The way back itself is blocked: nothing is better than what runs now.
            self.record(|_, status| set_ready(status, "False", reason, &message, self.shared.now()))?;
            return Ok(Outcome::Rest(self.next_comparison()));
        }
        self.reject(commit, reason, &message)
    }

    fn reject(&self, commit: &str, reason: &str, message: &str) -> Result<Outcome, PassError> {
        let now = self.shared.now();
        self.record(|revision, status| {
            revision.rejected = Some(RejectedRevision {
                commit: commit.to_owned(),
                reason: Some(reason.to_owned()),
                message: Some(message.to_owned()),
                time: Some(Time::from(now)),
            });
            set_ready(status, "False", "Rejected", &format!("{reason}: {message}"), now);
        })?;
        tracing::info!(application = %self.key, commit, reason, message, "the commit is rejected");
        Ok(Outcome::Again)
    }

    /// Removes what the applied commit no longer holds and records it as healthy.
    fn settle(&mut self, observation: &Observation, commit: &str) -> Result<Outcome, PassError> {
        let Some(render) = self.render(observation, commit) else { return Ok(Outcome::Rest(None)) };
        let Ok(plan) = self.plan(&render, commit) else { return Ok(Outcome::Rest(self.next_comparison())) };
        if plan.hold.is_some() {
            return Ok(Outcome::Rest(None));
        }
        let kinds = &self.shared.config.kinds;
        let deletions = plan.steps.iter().filter(|step| step.verb == Verb::Delete);
        let ops: Vec<Op> = deletions.flat_map(|step| step.ops.clone()).collect();
        let op = status::op::<Application>(&self.shared.config, self.snapshot, self.key, |application| {
            let status = application.status.get_or_insert_default();
            status.inventory = render.desired().iter().map(|desired| inventory::entry(&desired.key, kinds)).collect();
            let revision = status.revision.get_or_insert_default();
            revision.healthy = Some(commit.to_owned());
            if revision.seen.as_deref() == Some(commit) {
                revision.rejected = None;
            }
        })?;
        let ops: Vec<Op> = op.into_iter().chain(ops).collect();
        if !ops.is_empty() {
            self.shared.config.store.commit(Txn::from(ops)).map_err(PassError::Store)?;
        }
        Ok(Outcome::Again)
    }

    /// Writes what is observed into the status: newest commit, health, conditions.
    fn describe(&self, observation: &Observation, blocker: Option<&Blocker>) -> Result<(), PassError> {
        let now = self.shared.now();
        let observed = &observation.observed;
        let (resources, summary) = resources(self.memory, &self.shared.config.kinds);
        self.record(|revision, status| {
            revision.seen = observed.seen.clone();
            // What waited for a person's word about an older commit waits no more.
            status.held = status.held.take().filter(|held| Some(&held.commit) == observed.seen.as_ref());
            status.resources = resources.clone();
            status.summary = Some(summary.clone());
            let worst = observed.health.as_ref().map_or(State::Healthy, |health| health.state);
            status.health = Some(worst.name().to_owned());
            let word = if worst <= State::Suspended { "True" } else { "False" };
            let message = observed.health.as_ref().map(|health| health.message.clone()).unwrap_or_default();
            status::set(&mut status.conditions, condition("Healthy", word, worst.name(), &message), now);
            let stalled = revision.rejected.as_ref().filter(|rejected| Some(&rejected.commit) == revision.seen.as_ref());
            let text = stalled.and_then(|rejected| rejected.message.clone()).unwrap_or_default();
            let word = if stalled.is_some() { "True" } else { "False" };
            let reason = stalled.and_then(|rejected| rejected.reason.clone()).unwrap_or_else(|| "Progressing".into());
            status::set(&mut status.conditions, condition("Stalled", word, &reason, &text), now);
            match (blocker, stalled.is_some()) {
                (_, true) => set_ready(status, "False", "Rejected", &format!("{reason}: {text}"), now),
                (None, false) => set_ready(status, "True", "Healthy", &healthy_message(revision), now),
                (Some(blocker), false) => set_ready(status, "False", blocker.reason(), &sentence(blocker), now),
            }
        })
    }

    /// Changes revision and status together, writing only what differs.
    fn record(&self, change: impl Fn(&mut ApplicationRevision, &mut ApplicationStatus)) -> Result<(), PassError> {
        let generation = self.application.meta().generation;
        status::write::<Application>(&self.shared.config, self.key, |application| {
            let status = application.status.get_or_insert_default();
            let mut revision = status.revision.take().unwrap_or_default();
            change(&mut revision, status);
            status.revision = Some(revision);
            status.observed_generation = generation;
        })?;
        Ok(())
    }
}

/// Divides the steps before health: namespaces, then the rest. Deletions are no part of either.
fn stages(plan: &Plan) -> (Vec<&Step>, Vec<&Step>) {
    plan.steps
        .iter()
        .filter(|step| step.verb != Verb::Delete)
        .partition(|step| &*step.key.resource == "namespaces")
}

/// Deletes what a deleted Application owns, if it prunes, and lets it go.
fn finish(shared: &Shared, snapshot: &Snapshot, key: &Key, application: &Application) -> Result<(), PassError> {
    if !application.metadata.finalizers.iter().any(|finalizer| finalizer == FINALIZER) {
        return Ok(());
    }
    let entropy = || (shared.config.entropy)();
    let facts = Facts { snapshot, kinds: &shared.config.kinds, now: shared.now(), entropy: &entropy };
    let owner = observe::owner(application);
    let ops = crate::plan::removals(&owner, &facts);
    let Some(live) = snapshot.get(key) else { return Ok(()) };
    let mut value = live.value().clone();
    if let Some(list) = value.pointer_mut("/metadata/finalizers").and_then(serde_json::Value::as_array_mut) {
        list.retain(|finalizer| finalizer != FINALIZER);
    }
    let last = update_op(key.clone(), Application::kind(), value, live.revision());
    let ops: Vec<Op> = ops.into_iter().chain([last]).collect();
    match shared.config.store.commit(Txn::from(ops)) {
        Ok(_) => Ok(()),
        // Something moved under the plan: the queue brings the Application back.
        Err(error) => Err(PassError::Store(error)),
    }
}

/// Lists the objects with their health: all of a small Application, the troubled ones of a large one.
fn resources(memory: &Memory, kinds: &Kinds) -> (Vec<ApplicationResource>, ApplicationSummary) {
    let mut summary = ApplicationSummary::default();
    let mut list = Vec::new();
    let all = memory.seen.len() <= RESOURCES_MAX;
    for (key, seen) in &memory.seen {
        summary.total += 1;
        let counter = match seen.health.state {
            State::Healthy => &mut summary.healthy,
            State::Suspended => &mut summary.suspended,
            State::Progressing => &mut summary.progressing,
            State::Missing => &mut summary.missing,
            State::Degraded => &mut summary.degraded,
        };
        *counter += 1;
        if (all || seen.health.state > State::Suspended) && list.len() < RESOURCES_MAX {
            let Some(kind) = kinds.resource(&key.resource) else { continue };
            list.push(ApplicationResource {
                group: Some(kind.group.to_owned()),
                kind: kind.kind.to_owned(),
                namespace: (!key.namespace.is_empty()).then(|| key.namespace.to_string()),
                name: key.name.to_string(),
                health: Some(seen.health.state.name().to_owned()),
                message: (!seen.health.message.is_empty()).then(|| seen.health.message.clone()),
            });
        }
    }
    (list, summary)
}

fn healthy_message(revision: &ApplicationRevision) -> String {
    let commit = revision.healthy.as_deref().unwrap_or_default();
    format!("everything is as {} says", commit.get(..7).unwrap_or(commit))
}

fn sentence(blocker: &Blocker) -> String {
    match blocker {
        Blocker::Suspended => "suspended by `spec.suspend`".to_owned(),
        Blocker::Source(why) => format!("the source cannot be read: {why}"),
        Blocker::Dependency(why) => format!("waits: {why}"),
        Blocker::Health(why) if why.is_empty() => "waits for objects to become healthy".to_owned(),
        Blocker::Health(why) => why.clone(),
        Blocker::Rejected => "the commit was rejected and there is no healthy one to go back to".to_owned(),
    }
}

fn set_ready(status: &mut ApplicationStatus, word: &str, reason: &str, message: &str, now: Timestamp) {
    status::set(&mut status.conditions, condition("Ready", word, reason, message), now);
}

fn condition(kind: &str, word: &str, reason: &str, message: &str) -> Condition {
    Condition {
        type_: kind.into(),
        status: word.into(),
        reason: Some(reason.into()),
        message: Some(message.into()),
        ..Condition::default()
    }
}
