//! The ReplicaSets of a Deployment as numbers, and what can be done with one.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::api::kinds::{Deployment, Pod, PodTemplateSpec, ReplicaSet};
use crate::api::{Object, Timestamp};
use crate::control::owner::uid;
use crate::control::{Action, Importance, pods};

use super::limits::Limits;
use super::observe::Observed;
use super::{annotations, hash};

/// One ReplicaSet.
#[derive(Clone, Debug)]
pub(super) struct Set {
    pub(super) object: Arc<ReplicaSet>,
    /// The wanted pods.
    pub(super) wanted: i32,
    /// The pods there are, without those that are stopping.
    pub(super) active: i32,
    /// The pods that are surely available: by the status and by the pods, and not told to go.
    pub(super) available: i32,
    /// The pods that have not ended, those that are stopping included.
    pub(super) running: usize,
}

/// The newest version and the others.
#[derive(Debug)]
pub(super) struct Sets {
    pub(super) new: Option<Set>,
    /// Oldest first.
    pub(super) old: Vec<Set>,
}

impl Sets {
    /// Sorts a Deployment's ReplicaSets; the newest is the oldest one with the wanted template.
    pub(super) fn of(observed: &Observed, desired: &Deployment, now: Timestamp) -> Self {
        let mut old: Vec<Set> = observed.sets.mine.iter().map(|set| Set::of(set, observed, now)).collect();
        old.sort_by_cached_key(|set| (pods::created(&set.object.metadata), set.object.metadata.name.clone()));
        let wanted = without_hash(&desired.spec.template);
        let place = old.iter().position(|set| without_hash(&set.object.spec.template) == wanted);
        let new = place.map(|place| old.remove(place));
        Self { new, old }
    }

    /// Returns all, the newest last.
    pub(super) fn all(&self) -> impl Iterator<Item = &Set> {
        self.old.iter().chain(&self.new)
    }
}

impl Set {
    fn of(object: &Arc<ReplicaSet>, observed: &Observed, now: Timestamp) -> Self {
        let wanted = object.spec.replicas.unwrap_or(1);
        let none: Vec<Arc<Pod>> = vec![];
        let all = observed.pods.get(uid(&object.metadata)).unwrap_or(&none);
        let min_ready = object.spec.min_ready_seconds.unwrap_or(0);
        let count =
            |test: &dyn Fn(&Pod) -> bool| i32::try_from(all.iter().filter(|pod| test(pod)).count()).unwrap_or(i32::MAX);
        let seen = object.status.as_ref().and_then(|status| status.available_replicas).unwrap_or(0);
        let available = count(&|pod| pods::active(pod) && pods::available(pod, min_ready, now));
        Self {
            object: Arc::clone(object),
            wanted,
            active: count(&pods::active),
            available: available.min(seen).min(wanted),
            running: all.iter().filter(|pod| !pods::succeeded(pod) && !pods::failed(pod)).count(),
        }
    }

    /// Returns the pods that there are or will be.
    pub(super) fn size(&self) -> i32 {
        self.wanted.max(self.active)
    }

    /// Returns the name.
    pub(super) fn name(&self) -> &str {
        &self.object.metadata.name
    }

    /// Sets the number of wanted pods, and what the ReplicaSet knows of the Deployment's size.
    pub(super) fn scale(&self, to: i32, deployment: &Deployment, limits: Limits) -> Vec<Action> {
        let sizes = annotations::sizes(limits.replicas, limits.max());
        let known = sizes.iter().all(|(key, value)| self.object.metadata.annotations.get(*key) == Some(value));
        if to == self.wanted && known {
            return vec![];
        }
        let annotations: BTreeMap<&str, String> = sizes.into_iter().collect();
        let patch = json!({ "metadata": { "annotations": annotations }, "spec": { "replicas": to } });
        let mut actions = vec![Action::Patch { key: self.object.key(), patch }];
        if to != self.wanted {
            actions.push(scaled(deployment, self.name(), self.wanted, to));
        }
        actions
    }

    /// Brings annotations and `minReadySeconds` of the newest ReplicaSet up to date.
    pub(super) fn renew(&self, deployment: &Deployment, newest: i64) -> Option<Action> {
        let annotations = annotations::renewed(&deployment.metadata, &self.object.metadata, newest);
        let min_ready = deployment.spec.min_ready_seconds.unwrap_or(0);
        let spec_differs = self.object.spec.min_ready_seconds.unwrap_or(0) != min_ready;
        if annotations.is_empty() && !spec_differs {
            return None;
        }
        let mut patch = json!({ "metadata": { "annotations": annotations } });
        if spec_differs {
            patch["spec"] = json!({ "minReadySeconds": min_ready });
        }
        Some(Action::Patch { key: self.object.key(), patch })
    }
}

/// Tells about a change of size.
pub(super) fn scaled(deployment: &Deployment, set: &str, from: i32, to: i32) -> Action {
    let direction = if from < to { "up" } else { "down" };
    Action::Event {
        on: deployment.key(),
        importance: Importance::Normal,
        reason: "ScalingReplicaSet".into(),
        message: format!("Scaled {direction} replica set {set} from {from} to {to}"),
    }
}

/// Finds a hash for the template whose ReplicaSet name is free, and how many were not.
pub(super) fn free_hash(observed: &Observed, desired: &Deployment) -> (String, i32) {
    let mut collisions = desired.status.as_ref().and_then(|status| status.collision_count).unwrap_or(0);
    loop {
        let hash = hash::template_hash(&desired.spec.template, collisions);
        if !observed.taken.contains(&format!("{}-{hash}", desired.metadata.name)) {
            return (hash, collisions);
        }
        collisions += 1;
    }
}

/// Makes the ReplicaSet of a new version.
pub(super) fn new_set(desired: &Deployment, hash: &str, revision: i64, replicas: i32, limits: Limits) -> Value {
    let mut template = desired.spec.template.clone();
    template.metadata.labels.insert(annotations::HASH.to_owned(), hash.to_owned());
    let mut selector = desired.spec.selector.clone();
    selector.match_labels.insert(annotations::HASH.to_owned(), hash.to_owned());
    let mut annotations = annotations::inherited(&desired.metadata);
    annotations.insert(annotations::REVISION.to_owned(), revision.to_string());
    annotations.extend(annotations::sizes(limits.replicas, limits.max()).map(|(key, value)| (key.to_owned(), value)));
    let mut set = ReplicaSet::default();
    set.metadata.name = format!("{}-{hash}", desired.metadata.name);
    set.metadata.namespace.clone_from(&desired.metadata.namespace);
    set.metadata.labels.clone_from(&template.metadata.labels);
    set.metadata.annotations = annotations;
    set.metadata.owner_references = vec![crate::control::owner_reference(desired)];
    set.spec.replicas = Some(replicas);
    set.spec.min_ready_seconds = desired.spec.min_ready_seconds;
    set.spec.selector = selector;
    set.spec.template = template;
    set.to_value()
}

fn without_hash(template: &PodTemplateSpec) -> PodTemplateSpec {
    let mut template = template.clone();
    template.metadata.labels.remove(annotations::HASH);
    template
}
