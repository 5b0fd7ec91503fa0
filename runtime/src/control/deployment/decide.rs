//! What to do about a Deployment.

use bowline_macros::controller;

use crate::api::kinds::{Deployment, ReplicaSet};
use crate::api::{Object, Timestamp};
use crate::control::replica_set::to_json;
use crate::control::{Action, Blocker, Propagation, owner};

use super::limits::{Limits, is_recreate};
use super::observe::{self, Observed};
use super::sets::{Sets, free_hash, new_set, scaled};
use super::status::{self, News};
use super::{annotations, proportional, rolling};

/// Lists the steps that bring a Deployment's ReplicaSets closer to the wanted template and size.
///
/// Grows before it shrinks, and does one of the two at a time.
#[controller(
    name = "deployment-controller",
    kind = Deployment,
    owns(ReplicaSet),
    watches(ReplicaSet => observe::adopters, crate::api::kinds::Pod => observe::of_pod),
    observe = observe::observe
)]
pub fn decide(observed: &Observed, desired: &Deployment, now: Timestamp) -> Vec<Action> {
    let claims = owner::settle(&observed.sets, desired);
    if !claims.is_empty() {
        return claims;
    }
    let mut round = Round::new(observed, desired, now);
    if desired.metadata.deletion_timestamp.is_none() {
        if desired.spec.paused.unwrap_or(false) {
            round.paused();
        } else if proportional::is_due(&round.sets, round.limits) {
            round.renew();
            round.actions.extend(proportional::scale(&round.sets, desired, round.limits));
        } else if is_recreate(&desired.spec) {
            round.recreate();
        } else {
            round.roll();
        }
    }
    round.finish()
}

/// One decision in the making.
struct Round<'a> {
    observed: &'a Observed,
    desired: &'a Deployment,
    now: Timestamp,
    limits: Limits,
    sets: Sets,
    news: News,
    collisions: Option<i32>,
    actions: Vec<Action>,
    waits: Vec<Action>,
}

impl<'a> Round<'a> {
    fn new(observed: &'a Observed, desired: &'a Deployment, now: Timestamp) -> Self {
        let (limits, sets) = (Limits::of(&desired.spec), Sets::of(observed, desired, now));
        let (news, collisions) = (News::None, None);
        Self { observed, desired, now, limits, sets, news, collisions, actions: vec![], waits: vec![] }
    }

    fn paused(&mut self) {
        self.renew();
        self.actions.extend(proportional::scale(&self.sets, self.desired, self.limits));
        self.clean_up();
        self.waits.push(Action::Wait { on: Blocker::Paused, until: None });
    }

    fn roll(&mut self) {
        if self.sets.new.is_none() {
            self.create(rolling::new_size(&self.sets, self.limits));
            return;
        }
        self.renew();
        let new = self.sets.new.as_ref().expect("invariant: checked above");
        let mut steps = rolling::grow(new, &self.sets, self.desired, self.limits);
        if steps.is_empty() {
            steps = rolling::shrink(&self.sets, self.desired, self.limits);
        }
        self.actions.extend(steps);
        self.clean_up_if_complete();
    }

    fn recreate(&mut self) {
        let stop: Vec<Action> = self
            .sets
            .old
            .iter()
            .filter(|set| set.wanted > 0)
            .flat_map(|set| set.scale(0, self.desired, self.limits))
            .collect();
        if !stop.is_empty() {
            self.renew();
            self.actions.extend(stop);
            return;
        }
        let running: usize = self.sets.old.iter().map(|set| set.running).sum();
        if running > 0 {
            self.renew();
            self.waits.push(Action::Wait { on: Blocker::OldPods { pods: running }, until: None });
        } else if self.sets.new.is_none() {
            self.create(self.limits.replicas);
        } else {
            self.renew();
            let new = self.sets.new.as_ref().expect("invariant: checked above");
            self.actions.extend(new.scale(self.limits.replicas, self.desired, self.limits));
            self.clean_up_if_complete();
        }
    }

    /// Makes the ReplicaSet of the wanted template.
    fn create(&mut self, replicas: i32) {
        let (hash, collisions) = free_hash(self.observed, self.desired);
        let revision = self.newest_revision();
        let object = new_set(self.desired, &hash, revision, replicas, self.limits);
        let name = format!("{}-{hash}", self.desired.metadata.name);
        self.actions.push(Action::Create { object });
        if replicas > 0 {
            self.actions.push(scaled(self.desired, &name, 0, replicas));
        }
        self.collisions = (collisions > 0).then_some(collisions);
        self.news = News::Created(name);
        self.set_revision(revision);
    }

    /// Gives the newest ReplicaSet the newest revision: a rollback uses an old one again.
    fn renew(&mut self) {
        let Some(new) = &self.sets.new else { return };
        let newest = self.newest_revision();
        let revision = newest.max(annotations::revision(&new.object.metadata));
        self.news = News::Found(new.name().to_owned());
        self.actions.extend(new.renew(self.desired, newest));
        self.set_revision(revision);
    }

    fn newest_revision(&self) -> i64 {
        self.sets.old.iter().map(|set| annotations::revision(&set.object.metadata)).max().unwrap_or(0) + 1
    }

    fn set_revision(&mut self, revision: i64) {
        if annotations::revision(&self.desired.metadata) != revision {
            let annotations = [(annotations::REVISION.to_owned(), revision.to_string())].into();
            self.actions.push(Action::Annotate { key: self.desired.key(), annotations });
        }
    }

    fn clean_up_if_complete(&mut self) {
        let counts = status::counts(&self.sets, self.desired, self.limits, self.now);
        if status::is_complete(self.desired, &counts) {
            self.clean_up();
        }
    }

    /// Deletes the oldest of the versions that are kept for a rollback, where there are too many.
    fn clean_up(&mut self) {
        let Some(limit) = self.desired.spec.revision_history_limit.and_then(|limit| usize::try_from(limit).ok()) else {
            return;
        };
        let mut kept: Vec<_> =
            self.sets.old.iter().filter(|set| set.object.metadata.deletion_timestamp.is_none()).collect();
        let surplus = kept.len().saturating_sub(limit);
        kept.sort_by_key(|set| annotations::revision(&set.object.metadata));
        for set in kept.into_iter().take(surplus) {
            let status = set.object.status.clone().unwrap_or_default();
            let settled = status.observed_generation >= set.object.metadata.generation;
            if status.replicas == 0 && set.size() == 0 && settled {
                let uid = owner::uid(&set.object.metadata).to_owned();
                self.actions.push(Action::Delete { key: set.object.key(), uid, propagation: Propagation::Background });
            }
        }
    }

    fn finish(mut self) -> Vec<Action> {
        let mut status = status::counts(&self.sets, self.desired, self.limits, self.now);
        status.collision_count = self.collisions.or(status.collision_count);
        status::note_pause(&mut status, self.desired, self.now);
        if !self.desired.spec.paused.unwrap_or(false) {
            status::note_progress(&mut status, &self.sets, self.desired, &self.news, self.now);
        }
        status::note_failures(&mut status, &self.sets, self.now);
        if !status::is_complete(self.desired, &status) {
            self.wait(&status);
        }
        if self.desired.status.as_ref() != Some(&status) {
            self.actions.push(Action::Status { key: self.desired.key(), status: to_json(&status) });
        }
        self.actions.append(&mut self.waits);
        self.actions
    }

    fn wait(&mut self, status: &crate::api::kinds::DeploymentStatus) {
        let until = status::late_at(status, self.desired).filter(|late| *late > self.now);
        if let (Some(new), true) = (&self.sets.new, self.waits.is_empty()) {
            let on = Blocker::Rollout {
                replica_set: new.name().to_owned(),
                available: new.available,
                wanted: self.limits.replicas,
            };
            self.waits.push(Action::Wait { on, until });
        } else if until.is_some() {
            self.waits.push(Action::Wait { on: Blocker::ProgressDeadline, until });
        }
    }
}
