//! The simulated world as the tests of single controllers use it: one node, and panics where a write is refused.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use serde_json::{Value, json};

use crate::api::kinds::{Deployment, Pod};
use crate::api::{Key, Kind, Object as _};
use crate::sim;
use crate::store::{Op, Precondition, Txn};

use super::{Propagation, Registered};

pub(super) use crate::sim::{Fate, START, deployment, job};

/// The most steps that controllers may need to come to rest.
const STEPS_MAX: usize = 10_000;

/// A simulated world with the node `node-1`.
pub(super) struct World(sim::World);

impl Deref for World {
    type Target = sim::World;
    fn deref(&self) -> &sim::World {
        &self.0
    }
}

impl DerefMut for World {
    fn deref_mut(&mut self) -> &mut sim::World {
        &mut self.0
    }
}

impl World {
    pub(super) fn new(controllers: Vec<Registered>, seed: u64) -> Self {
        Self(sim::World::new(controllers, &["node-1"], seed).expect("a valid world"))
    }

    pub(super) fn put(&mut self, kind: &'static Kind, value: Value) -> Key {
        self.0.put(kind, value).expect("a valid object")
    }

    pub(super) fn delete(&mut self, key: &Key, propagation: Propagation) {
        self.0.delete(key, propagation).expect("no precondition");
    }

    /// Changes a stored object, past all rules.
    pub(super) fn edit(&mut self, key: &Key, change: impl FnOnce(&mut Value)) {
        let mut value = self.value(key);
        change(&mut value);
        self.write(key.clone(), Some(value));
    }

    /// Puts or removes an object, past all rules.
    pub(super) fn write(&mut self, key: Key, value: Option<Value>) {
        let op = match value {
            Some(value) => Op::put(key, Precondition::Any, value),
            None => Op::delete(key, Precondition::Any),
        };
        self.store().commit(Txn::one(op)).expect("a store in memory takes every write");
    }

    pub(super) fn value(&self, key: &Key) -> Value {
        Value::clone(&self.store().snapshot().get(key).unwrap_or_else(|| panic!("{key} exists")).value())
    }

    pub(super) fn deployment(&self, name: &str) -> Deployment {
        let found = self.store().snapshot().typed_get::<Deployment>("default", name);
        Deployment::clone(&found.expect("the Deployment exists"))
    }

    /// Lets the controllers take one step about any of the keys that are ready.
    pub(super) fn step(&mut self) -> bool {
        self.0.step().expect("a store in memory takes every write")
    }

    /// Lets seconds pass.
    pub(super) fn pass(&mut self, secs: u64) {
        self.0.pass(std::time::Duration::from_secs(secs));
    }

    /// Lets the controllers do all they can at this time.
    pub(super) fn settle(&mut self) {
        let steps = self.settle_within(STEPS_MAX).expect("a store in memory takes every write");
        assert!(steps < STEPS_MAX, "the controllers do not come to rest:\n{:?}", self.harness.pending(self.now));
    }

    /// Lets every pod and the controllers go as far as they go at this time.
    pub(super) fn live(&mut self, fate: impl Fn(&Pod) -> Fate + Send + Sync + 'static) {
        let rests = self.live_within(STEPS_MAX, fate).expect("a store in memory takes every write");
        assert!(rests, "the world does not come to rest:\n{:?}", self.harness.pending(self.now));
    }

    /// Ends a pod of one container with success, past all hosts.
    pub(super) fn succeed(&mut self, pod: &Arc<Pod>) {
        let time = crate::api::Time::from(self.now);
        let state = json!({ "terminated": { "exitCode": 0, "finishedAt": time } });
        let container =
            json!({ "name": "main", "ready": false, "restartCount": 0, "image": "x", "imageID": "x", "state": state });
        self.edit(&pod.key(), |value| {
            value["status"] = json!({ "phase": "Succeeded", "containerStatuses": [container] });
        });
    }
}
