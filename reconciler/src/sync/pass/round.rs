//! One round over one snapshot: carries out one action and writes down how things stand.

use std::time::Duration;

use bowline_runtime::api::kinds::{ApplicationRevision, ApplicationStatus, InventoryEntry, RejectedRevision};
use bowline_runtime::api::object::strip_absent;
use bowline_runtime::api::{Object as _, Time, Timestamp};
use bowline_runtime::store::{Op, Precondition, Txn};
use serde_json::Value;

use super::super::conditions::{self, Phase};
use super::super::decide::Action;
use super::super::memory::Memory;
use super::super::observe::{Observation, Subject};
use super::super::{FINALIZER, REQUESTED_AT};
use super::PassError;

/// How often everything is compared if the Application does not say.
const INTERVAL: Duration = Duration::from_secs(600);

/// What one step came to.
#[derive(Debug)]
pub(in crate::sync) enum Outcome {
    /// Something changed: look again.
    Again,
    /// Look again then, or when something happens.
    Rest(Option<Timestamp>),
}

/// One round over one snapshot.
pub(super) struct Round<'a> {
    pub(super) subject: Subject<'a>,
    pub(super) memory: &'a mut Memory,
    pub(super) observation: &'a Observation,
}

/// A status that is being changed; the inventory stays as it is stored unless another is given.
pub(super) struct Draft {
    pub(super) status: ApplicationStatus,
    pub(super) inventory: Option<Vec<InventoryEntry>>,
}

impl Draft {
    pub(super) fn revision(&mut self) -> &mut ApplicationRevision {
        self.status.revision.get_or_insert_default()
    }
}

impl Round<'_> {
    pub(super) fn act(mut self, action: Option<Action>) -> Result<Outcome, PassError> {
        match action {
            None => {
                let rejected = self.is_rejected();
                let phase = if rejected { Phase::Rejected { back: false } } else { Phase::Ready };
                self.commit(Vec::new(), &phase, |_| {})?;
                Ok(Outcome::Rest(self.next_comparison()))
            }
            Some(Action::Apply { commit }) => self.apply(&commit),
            Some(Action::Settle { commit }) => self.settle(&commit),
            Some(Action::Advance { commit }) => {
                let phase = self.progressing();
                self.commit(Vec::new(), &phase, |draft| {
                    let revision = draft.revision();
                    if revision.healthy.is_some() && revision.healthy == revision.applied {
                        revision.healthy = Some(commit.clone());
                    }
                    revision.applied = Some(commit.clone());
                })?;
                Ok(Outcome::Again)
            }
            Some(Action::StayRejected { commit }) => {
                self.commit(Vec::new(), &Phase::Rejected { back: false }, |draft| {
                    if let Some(rejected) = &mut draft.revision().rejected {
                        rejected.commit = commit;
                    }
                })?;
                Ok(Outcome::Again)
            }
            Some(Action::Reject { commit, reason, message }) => self.reject(&commit, reason, &message),
            Some(Action::Wait { on, until }) => {
                let phase = Phase::waiting(&on, self.is_rejected());
                self.commit(Vec::new(), &phase, |_| {})?;
                Ok(Outcome::Rest(until.or_else(|| self.next_comparison())))
            }
        }
    }

    /// Whether the seen commit is the rejected one.
    pub(super) fn is_rejected(&self) -> bool {
        let observed = &self.observation.observed;
        observed.rejected.is_some() && observed.rejected == observed.seen
    }

    pub(super) fn progressing(&self) -> Phase {
        if self.is_rejected() {
            return Phase::Rejected { back: true };
        }
        Phase::Working { reason: "Progressing", message: "waits for objects to become healthy".to_owned() }
    }

    pub(super) fn next_comparison(&self) -> Option<Timestamp> {
        let interval = self.subject.application.spec.interval.as_ref().map_or(INTERVAL, |interval| interval.0);
        Some(self.subject.shared.now() + interval)
    }

    /// Records a commit as rejected; the next round goes back to the last healthy one.
    pub(super) fn reject(&mut self, commit: &str, reason: &str, message: &str) -> Result<Outcome, PassError> {
        let now = self.subject.shared.now();
        let back = self.observation.observed.healthy.is_some();
        self.commit(Vec::new(), &Phase::Rejected { back }, |draft| {
            draft.revision().rejected = Some(RejectedRevision {
                commit: commit.to_owned(),
                reason: Some(reason.to_owned()),
                message: Some(message.to_owned()),
                time: Some(Time::from(now)),
            });
        })?;
        let application = self.subject.stored.key();
        tracing::info!(%application, commit, reason, message, "the commit is rejected");
        Ok(Outcome::Again)
    }

    /// Changes the status as `change` says, describes how things stand, and commits it in front of `ops`. Writes
    /// nothing when nothing is new. Returns the revision.
    pub(super) fn commit(
        &mut self,
        ops: Vec<Op>,
        phase: &Phase,
        change: impl FnOnce(&mut Draft),
    ) -> Result<u64, PassError> {
        let Subject { shared, snapshot, stored, application } = self.subject;
        let old = application.status.as_ref();
        let mut draft = Draft { status: old.map(without_inventory).unwrap_or_default(), inventory: None };
        draft.revision().seen = self.observation.observed.seen.clone();
        if self.observation.retried {
            draft.revision().rejected = None;
        }
        let asked = application.metadata.annotations.get(REQUESTED_AT);
        if asked.is_some() {
            draft.status.last_handled_reconcile_at = asked.cloned();
        }
        if draft.status.held.as_ref().is_some_and(|held| {
            Some(&held.commit) != draft.status.revision.as_ref().and_then(|revision| revision.seen.as_ref())
        }) {
            draft.status.held = None;
        }
        change(&mut draft);
        let (kinds, generation) = (&shared.config.kinds, application.meta().generation);
        conditions::describe(&mut draft.status, phase, self.memory, kinds, generation, shared.now());
        let same = draft.inventory.is_none() && old.is_some_and(|old| is_same(&draft.status, old));
        if same && ops.is_empty() {
            return Ok(snapshot.revision());
        }
        let status = (!same).then(|| {
            let value = with_status(stored.to_value(), draft);
            Op::put(stored.key().clone(), Precondition::Revision(stored.revision()), value)
        });
        // The status stands first: what its inventory lists is known to be ours even if nothing else were written.
        let ops: Vec<Op> = status.into_iter().chain(ops).collect();
        Ok(shared.config.store.commit(Txn::from(ops)).map_err(PassError::Store)?.revision)
    }
}

/// Returns a copy of a status without the part that may be large.
fn without_inventory(status: &ApplicationStatus) -> ApplicationStatus {
    ApplicationStatus {
        observed_generation: status.observed_generation,
        conditions: status.conditions.clone(),
        revision: status.revision.clone(),
        inputs: status.inputs.clone(),
        inventory: Vec::new(),
        resources: status.resources.clone(),
        summary: status.summary.clone(),
        health: status.health.clone(),
        held: status.held.clone(),
        last_applied_time: status.last_applied_time,
        last_handled_reconcile_at: status.last_handled_reconcile_at.clone(),
    }
}

fn is_same(draft: &ApplicationStatus, old: &ApplicationStatus) -> bool {
    *draft == without_inventory(old)
}

/// Returns the Application with another status, and with the finalizer that its inventory calls for.
fn with_status(mut value: Value, draft: Draft) -> Value {
    let mut status = serde_json::to_value(&draft.status).expect("invariant: a status serialises");
    strip_absent(&mut status);
    let inventory = match draft.inventory {
        Some(entries) => {
            let mut entries = serde_json::to_value(entries).expect("invariant: an inventory serialises");
            strip_absent(&mut entries);
            entries
        }
        None => value.pointer_mut("/status/inventory").map(Value::take).unwrap_or_default(),
    };
    let listed = inventory.as_array().is_some_and(|entries| !entries.is_empty());
    if listed {
        status["inventory"] = inventory;
    }
    value["status"] = status;
    if listed && let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
        let finalizers = metadata.entry("finalizers").or_insert_with(|| Value::Array(Vec::new()));
        if let Some(list) = finalizers.as_array_mut()
            && !list.iter().any(|finalizer| finalizer == FINALIZER)
        {
            list.push(FINALIZER.into());
        }
    }
    value
}
