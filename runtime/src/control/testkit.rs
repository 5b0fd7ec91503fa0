//! A small world for tests: a store in memory, controllers, and a node that only pretends to run pods.

use std::time::Duration;

use serde_json::{Value, json};

use crate::api::kinds::{Deployment, Namespace, Node, Pod, builtin};
use crate::api::{Key, Kind, Object, Time, Timestamp};
use crate::store::{Op, Precondition, Store, Txn};

use crate::store::objects::{DeleteOptions, Removal, prepare_delete};

use super::{Harness, Propagation, Registered, pods, seeded_entropy};

/// The time at which tests start.
pub(super) const START: Timestamp = Timestamp::from_secs(1_767_225_600);

/// Returns a Deployment of one container.
pub(super) fn deployment(name: &str, replicas: i32, image: &str, more: Value) -> Value {
    let mut value = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": name, "namespace": "default" },
        "spec": {
            "replicas": replicas,
            "selector": { "matchLabels": { "app": name } },
            "template": {
                "metadata": { "labels": { "app": name } },
                "spec": { "containers": [{ "name": "main", "image": image }] },
            },
        },
    });
    json_patch::merge(&mut value["spec"], &more);
    value
}

/// Returns a Job of one container.
pub(super) fn job(name: &str, more: Value) -> Value {
    let mut value = json!({
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": { "name": name, "namespace": "default" },
        "spec": { "template": { "spec": { "restartPolicy": "Never", "containers": [{ "name": "main", "image": "one" }] } } },
    });
    json_patch::merge(&mut value["spec"], &more);
    value
}

/// What the pretended node makes of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It runs and becomes ready.
    Ready,
    /// It runs and never becomes ready.
    NeverReady,
    /// It ends with success.
    Succeeds,
    /// It ends with a failure.
    Fails,
}

/// Store, controllers, node, clock.
pub(super) struct World {
    pub(super) harness: Harness,
    pub(super) now: Timestamp,
    random: u64,
}

impl World {
    /// Returns a world with the namespace `default` and the node `node-1`.
    pub(super) fn new(controllers: Vec<Registered>, seed: u64) -> Self {
        let harness = Harness::new(Store::memory(), builtin(), controllers, seeded_entropy(seed));
        let mut world = Self { harness, now: START, random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1 };
        world.put(Namespace::kind(), json!({ "metadata": { "name": "default" } }));
        let ready = json!({ "conditions": [{ "type": "Ready", "status": "True" }] });
        world.put(Node::kind(), json!({ "metadata": { "name": "node-1", "labels": { "kubernetes.io/hostname": "node-1" } }, "status": ready }));
        world
    }

    /// Returns a number below `limit`.
    pub(super) fn below(&mut self, limit: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        usize::try_from(self.random % u64::try_from(limit).expect("fits")).expect("fits")
    }

    /// Writes an object as a user does: a new one gets an identity, a changed one a generation.
    pub(super) fn put(&mut self, kind: &'static Kind, mut value: Value) -> Key {
        value["apiVersion"] = json!(kind.api_version());
        value["kind"] = json!(kind.kind);
        let text = |field: &str| value["metadata"][field].as_str().unwrap_or_default().to_owned();
        let key = kind.key(&text("namespace"), &text("name"));
        let snapshot = self.store().snapshot();
        match snapshot.get(&key) {
            None => {
                value["metadata"]["uid"] = json!(format!("uid-{}-{}", key.name, snapshot.revision()));
                value["metadata"]["creationTimestamp"] = json!(Time::from(self.now));
                value["metadata"]["generation"] = json!(1);
            }
            Some(stored) => {
                let old = stored.value();
                for field in ["uid", "creationTimestamp", "generation", "annotations"] {
                    value["metadata"][field] = old["metadata"][field].clone();
                }
                crate::api::default::apply(kind, &mut value);
                if old["spec"] != value["spec"] {
                    value["metadata"]["generation"] = json!(old["metadata"]["generation"].as_i64().unwrap_or(0) + 1);
                }
                value["status"] = old["status"].clone();
                crate::api::object::strip_absent(&mut value);
            }
        }
        crate::api::default::apply(kind, &mut value);
        self.write(key.clone(), Some(value));
        key
    }

    /// Changes a stored object.
    pub(super) fn edit(&mut self, key: &Key, change: impl FnOnce(&mut Value)) {
        let mut value = self.value(key);
        change(&mut value);
        self.write(key.clone(), Some(value));
    }

    /// Deletes an object as the API does.
    pub(super) fn delete(&mut self, key: &Key, propagation: Propagation) {
        let kind = self.harness.kinds().resource(&key.resource).expect("a built-in kind");
        let options = DeleteOptions { propagation: Some(propagation.into()), ..DeleteOptions::default() };
        match prepare_delete(kind, &self.value(key), &options, self.now).expect("no precondition") {
            Removal::Now => self.write(key.clone(), None),
            Removal::Later(value) => self.write(key.clone(), Some(value)),
            Removal::Already => {}
        }
    }

    pub(super) fn write(&mut self, key: Key, value: Option<Value>) {
        let op = match value {
            Some(value) => Op::put(key, Precondition::Any, value),
            None => Op::delete(key, Precondition::Any),
        };
        self.store().commit(Txn::one(op)).expect("a store in memory takes every write");
    }

    pub(super) fn store(&self) -> Store {
        self.harness.store().clone()
    }

    pub(super) fn value(&self, key: &Key) -> Value {
        self.store().snapshot().get(key).unwrap_or_else(|| panic!("{key} exists")).value().clone()
    }

    pub(super) fn list<T: Object>(&self) -> Vec<std::sync::Arc<T>> {
        self.store().snapshot().typed_list::<T>().collect()
    }

    pub(super) fn deployment(&self, name: &str) -> Deployment {
        Deployment::clone(
            &self.store().snapshot().typed_get::<Deployment>("default", name).expect("the Deployment exists"),
        )
    }

    /// Lets the controllers take one step about any of the keys that are ready.
    pub(super) fn step(&mut self) -> bool {
        let choice = self.below(1 << 16);
        self.harness.step_with(self.now, |_| choice).expect("a store in memory takes every write")
    }

    /// Lets time pass.
    pub(super) fn pass(&mut self, secs: u64) {
        self.now = self.now + Duration::from_secs(secs);
    }

    /// Lets the controllers do all they can at this time.
    pub(super) fn settle(&mut self) {
        let steps = self.harness.settle(self.now, 10_000).expect("a store in memory takes every write");
        assert!(steps < 10_000, "the controllers do not come to rest:\n{:?}", self.harness.pending(self.now));
    }

    /// Moves every pod as far as it goes, and lets the controllers follow, until nothing changes.
    pub(super) fn live(&mut self, fate: impl Fn(&Pod) -> Fate + Copy) {
        for _ in 0..1000 {
            self.settle();
            let pods = self.list::<Pod>();
            if !pods.iter().map(|pod| self.advance(pod, fate(pod))).fold(false, |any, moved| any | moved) {
                return;
            }
        }
        panic!("the world does not come to rest");
    }

    /// Moves one pod one step on; `false` where it stays as it is.
    pub(super) fn advance(&mut self, pod: &Pod, fate: Fate) -> bool {
        let Some(pod) = self.store().snapshot().typed_get::<Pod>("default", &pod.metadata.name) else { return false };
        let ended = pods::succeeded(&pod) || pods::failed(&pod);
        if pods::terminating(&pod) {
            return self.stop(&pod, ended);
        }
        let (phase, ready, exit) = match (pods::phase(&pod), pods::ready(&pod), fate) {
            _ if ended => return false,
            ("Pending", ..) => ("Running", false, None),
            ("Running", false, Fate::Ready) => ("Running", true, None),
            ("Running", _, Fate::Succeeds) => ("Succeeded", false, Some(0)),
            ("Running", _, Fate::Fails) => ("Failed", false, Some(1)),
            _ => return false,
        };
        let now = self.now;
        self.edit(&pod.key(), |value| {
            value["spec"]["nodeName"] = json!("node-1");
            value["status"] = status(phase, ready, exit, now);
        });
        true
    }

    /// Ends a pod that was told to stop; one that a finalizer holds stays as a failed one.
    fn stop(&mut self, pod: &Pod, ended: bool) -> bool {
        if pod.metadata.finalizers.is_empty() {
            self.write(pod.key(), None);
            return true;
        }
        if ended {
            return false;
        }
        let now = self.now;
        self.edit(&pod.key(), |value| {
            value["metadata"]["deletionGracePeriodSeconds"] = json!(0);
            value["status"] = status("Failed", false, Some(143), now);
        });
        true
    }
}

/// Returns the status of a pod with one container.
pub(super) fn status(phase: &str, ready: bool, exit: Option<i32>, now: Timestamp) -> Value {
    let time = Time::from(now);
    let mut state = json!({ "running": { "startedAt": time } });
    if let Some(code) = exit {
        state = json!({ "terminated": { "exitCode": code, "finishedAt": time } });
    }
    json!({
        "phase": phase,
        "conditions": [{ "type": "Ready", "status": if ready { "True" } else { "False" }, "lastTransitionTime": time }],
        "containerStatuses": [{ "name": "main", "ready": ready, "restartCount": 0, "image": "x", "imageID": "x", "state": state }],
    })
}
