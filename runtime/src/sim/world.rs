//! Store, controllers, hosts, clock: everything a simulation consists of, moved by hand.
//!
//! Never moves by itself, never reads the system's clock. What users write goes through the rules of the API.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::api::kinds::{Namespace, Node, Pod, builtin};
use crate::api::{Key, Kind, Object, Timestamp};
use crate::control::{Fault, Harness, Propagation, Registered, seeded_entropy};
use crate::store::objects::{
    Context, DeleteOptions, Entropy, Removal, StatusError, prepare_create, prepare_delete, prepare_status,
    prepare_update, update_op,
};
use crate::store::{CommitError, Op, Precondition, Store, Txn};

use super::{Fate, Programs, Random, SimHost, Writes};

/// The time at which a simulation starts: midnight of 1 January 2026.
pub const START: Timestamp = Timestamp::from_secs(1_767_225_600);

/// A simulated world.
pub struct World {
    /// The controllers.
    pub harness: Harness,
    /// The hosts by name.
    pub hosts: BTreeMap<String, SimHost>,
    /// What programs do.
    pub programs: Programs,
    /// The time.
    pub now: Timestamp,
    controllers: Vec<Registered>,
    entropy: Entropy,
    random: Random,
}

/// Why a user's write was refused.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// By the rules of the API.
    #[error(transparent)]
    Refused(#[from] StatusError),
    /// By the store.
    #[error(transparent)]
    Store(#[from] CommitError),
}

impl World {
    /// Returns a world with the namespace `default` and ready nodes of these names.
    ///
    /// # Errors
    /// A node's name is none.
    pub fn new(controllers: Vec<Registered>, nodes: &[&str], seed: u64) -> Result<Self, WriteError> {
        let mut world = Self::over(Store::memory(), controllers, nodes, seed);
        world.put(Namespace::kind(), json!({ "metadata": { "name": "default" } }))?;
        for name in nodes {
            let status = json!({ "conditions": [{ "type": "Ready", "status": "True" }] });
            let labels = json!({ "kubernetes.io/hostname": name });
            world.put(Node::kind(), json!({ "metadata": { "name": name, "labels": labels }, "status": status }))?;
        }
        Ok(world)
    }

    /// Returns a world over a store, with hosts for these nodes: a fork of a real one shows what would happen to it.
    pub fn over(store: Store, controllers: Vec<Registered>, nodes: &[&str], seed: u64) -> Self {
        let entropy = seeded_entropy(seed);
        Self {
            harness: Harness::new(store, builtin(), controllers.clone(), Arc::clone(&entropy)),
            hosts: nodes.iter().map(|name| ((*name).to_owned(), SimHost::new(name))).collect(),
            programs: Programs::new(|_, _| Fate::Runs),
            now: START,
            controllers,
            entropy,
            random: Random::new(seed),
        }
    }

    /// Returns a number below `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        self.random.below(limit)
    }

    /// Returns the store.
    pub fn store(&self) -> Store {
        self.harness.store().clone()
    }

    /// Returns all objects of a type in key order.
    pub fn list<T: Object>(&self) -> Vec<Arc<T>> {
        self.store().snapshot().typed_list::<T>().collect()
    }

    /// Creates an object or replaces it, as a user's apply does: annotations and finalizers that it does not name stay.
    ///
    /// # Errors
    /// The rules of the API refuse it.
    pub fn put(&mut self, kind: &'static Kind, mut value: Value) -> Result<Key, WriteError> {
        value["apiVersion"] = json!(kind.api_version());
        value["kind"] = json!(kind.kind);
        let store = self.store();
        let snapshot = store.snapshot();
        let context = Context { kind, snapshot: &snapshot, now: self.now, entropy: (self.entropy)(), manager: None };
        let text = |field: &str| value["metadata"][field].as_str().unwrap_or_default().to_owned();
        let key = kind.key(&text("namespace"), &text("name"));
        let op = if let Some(stored) = snapshot.get(&key) {
            let old = &stored.value()["metadata"];
            let mut annotations = old["annotations"].clone();
            json_patch::merge(&mut annotations, &value["metadata"]["annotations"]);
            if annotations.is_object() {
                value["metadata"]["annotations"] = annotations;
            }
            if value["metadata"]["finalizers"].is_null() && old["finalizers"].is_array() {
                value["metadata"]["finalizers"] = old["finalizers"].clone();
            }
            let new = prepare_update(value, &stored.value(), &context)?;
            update_op(key.clone(), kind, new, stored.revision())
        } else {
            let status = value["status"].clone();
            let mut new = prepare_create(value, &context)?;
            if !status.is_null() {
                let mut with = new.clone();
                with["status"] = status;
                new = prepare_status(with, &new, &context)?;
            }
            Op::put(key.clone(), Precondition::Absent, new)
        };
        store.commit(Txn::one(op))?;
        Ok(key)
    }

    /// Deletes an object as the API does; `false` where there is none.
    ///
    /// # Errors
    /// The rules of the API refuse it.
    pub fn delete(&mut self, key: &Key, propagation: Propagation) -> Result<bool, WriteError> {
        let store = self.store();
        let snapshot = store.snapshot();
        let (Some(stored), Some(kind)) = (snapshot.get(key), self.harness.kinds().resource(&key.resource)) else {
            return Ok(false);
        };
        let options = DeleteOptions { propagation: Some(propagation.into()), ..DeleteOptions::default() };
        let op = match prepare_delete(kind, &stored.value(), &options, self.now)? {
            Removal::Now => Op::delete(key.clone(), Precondition::Any),
            Removal::Later(value) => Op::put(key.clone(), Precondition::Any, value),
            Removal::Already => return Ok(true),
        };
        store.commit(Txn::one(op))?;
        Ok(true)
    }

    /// Lets the controllers take one step about one of the keys that are ready; `false` where none is.
    ///
    /// # Errors
    /// The store took no write.
    pub fn step(&mut self) -> Result<bool, CommitError> {
        let pick = self.below(1 << 16);
        self.step_with(pick, None)
    }

    /// As [`World::step`], about the key in this place, with or without a fault.
    ///
    /// # Errors
    /// As [`World::step`], a fault that says so included.
    pub fn step_with(&mut self, pick: usize, fault: Option<Fault>) -> Result<bool, CommitError> {
        self.harness.step_failing(self.now, |_| pick, fault)
    }

    /// Lets the controllers do all they can at this time, at most `steps_max` steps; returns how many it took.
    ///
    /// # Errors
    /// The store took no write.
    pub fn settle_within(&mut self, steps_max: usize) -> Result<usize, CommitError> {
        self.harness.settle(self.now, steps_max)
    }

    /// Forgets all that controllers keep in memory, as when their process is killed and started again.
    pub fn restart_controllers(&mut self) {
        let (controllers, entropy) = (self.controllers.clone(), Arc::clone(&self.entropy));
        self.harness = Harness::new(self.store(), builtin(), controllers, entropy);
    }

    /// Returns the pods that agents have something to do about, with their hosts.
    pub fn awake(&self) -> Vec<(String, Key)> {
        let snapshot = self.store().snapshot();
        let of = |host: &SimHost| -> Vec<(String, Key)> {
            host.awake(&snapshot, self.now).into_iter().map(|key| (host.name().to_owned(), key)).collect()
        };
        self.hosts.values().flat_map(of).collect()
    }

    /// Lets an agent take one round about a pod; `false` where it had nothing to do.
    pub fn round(&mut self, host: &str, pod: &Key, writes: Writes) -> bool {
        let store = self.store();
        let Some(host) = self.hosts.get_mut(host) else { return false };
        host.tick(&self.programs, self.now);
        let moved = host.round(&store, pod, &self.programs, self.now, writes);
        host.tick(&self.programs, self.now);
        moved
    }

    /// Lets one agent, whichever, take one round; `false` where none has anything to do.
    pub fn any_round(&mut self) -> bool {
        self.tick();
        let mut awake = self.awake();
        while !awake.is_empty() {
            let (host, pod) = awake.swap_remove(self.below(awake.len()));
            if self.round(&host, &pod, Writes::Kept) {
                return true;
            }
        }
        false
    }

    /// Lets programs do what is due.
    pub fn tick(&mut self) {
        self.hosts.values_mut().for_each(|host| host.tick(&self.programs, self.now));
    }

    /// Lets time pass; programs go on meanwhile, agents and controllers do not.
    pub fn pass(&mut self, by: Duration) {
        self.now = self.now + by;
        self.tick();
    }

    /// Returns the next time at which something happens by itself.
    pub fn next_due(&self) -> Option<Timestamp> {
        let hosts = self.hosts.values().filter_map(|host| host.next_due(&self.programs));
        hosts.chain(self.harness.next_due()).min()
    }

    /// Lets controllers and hosts do all they can at this time, with these fates of pods; `false` where they do not
    /// come to rest within `steps_max` steps.
    ///
    /// # Errors
    /// The store took no write.
    pub fn live_within(
        &mut self,
        steps_max: usize,
        fate: impl Fn(&Pod) -> Fate + Send + Sync + 'static,
    ) -> Result<bool, CommitError> {
        self.programs = Programs::new(move |pod, _| fate(pod));
        for _ in 0..steps_max {
            if self.settle_within(steps_max)? == steps_max {
                return Ok(false);
            }
            if !self.any_round() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let hosts: Vec<&String> = self.hosts.keys().collect();
        f.debug_struct("World").field("now", &self.now).field("hosts", &hosts).finish_non_exhaustive()
    }
}
